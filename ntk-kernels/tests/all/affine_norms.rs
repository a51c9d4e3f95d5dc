//! Trained scale and shift of `layer_norm` against values of an independent computation: numpy, with
//! the expectations by quadrature, which Monte Carlo of 800 networks of width 512 agrees with to two
//! standard errors (about 0.2 per cent).

use ndarray::{Array2, Array3, ArrayD};
use ntk_kernels::dual::Function;
use ntk_kernels::network::*;
use ntk_kernels::{KernelError, Structure};

/// Two sequences of two channels.
pub(super) fn sequences(positions: usize) -> Array3<f64> {
    Array3::from_shape_fn((2, positions, 2), |(i, p, c)| {
        let [i, p, c] = [i, p, c].map(|at| at as f64);
        (1.0 + 2.0 * i + 3.0 * p + 5.0 * c + 0.7 * i * p).cos()
    })
}

fn first() -> Network {
    Network::new().then(dense().w_std(1.3).b_std(0.2))
}

fn norm(eps: f64) -> LayerNorm {
    layer_norm().eps(eps).affine(true)
}

fn last() -> Network {
    Network::new().then(dense().width(1).b_std(0.1))
}

/// Networks, and of both parameterisations NNGP and NTK at the pairs (0, 0), (0, 1) and (1, 1).
fn cases() -> Vec<(Network, [f64; 3], [[f64; 3]; 2])> {
    let mix = vec![vec![0.5, -1.0, 0.3], vec![0.0, 0.8, 0.6]];
    let block = Network::new()
        .then(relu())
        .then(dense().w_std(1.2).b_std(0.2));
    vec![
        (
            first()
                .then(norm(0.1))
                .then(flatten())
                .then(dense().width(1).w_std(1.1).b_std(0.3)),
            [1.1988527858186, -0.76862309487353, 1.191133570137],
            [
                [4.6265583574558, -1.2758692846206, 4.6034007104109],
                [1413.196249314, -1088.6203126486, 1403.4539947684],
            ],
        ),
        (
            first()
                .then(norm(0.0))
                .then(relu())
                .then(global_avg_pool())
                .join(last()),
            [0.28686104545491, 0.22207512747555, 0.26011418160462],
            [
                [1.1041180523783, 0.82102650611734, 0.98257862075728],
                [143.87406312028, 110.43153168335, 130.08884949999],
            ],
        ),
        (
            first()
                .then(norm(0.1).axes([1, -1]))
                .then(position_map([1], mix))
                .then(erf(1.0, 1.0, 0.0))
                .then(global_avg_pool())
                .join(last()),
            [0.12593024870082, -0.064280640475402, 0.11693325797071],
            [
                [0.83046092771693, 0.23457238590204, 0.75567556824745],
                [61.468365942509, -36.406421835845, 56.77334939203],
            ],
        ),
        (
            first()
                .then(norm(0.1))
                .then(norm(0.05).axes([1, -1]))
                .then(gelu())
                .then(global_avg_pool())
                .join(last()),
            [0.19913054029697, 0.13783060423339, 0.1732151094497],
            [
                [1.6410985472941, 1.2752469105906, 1.4785979075543],
                [99.54610935978, 67.817718511591, 86.146523521101],
            ],
        ),
        (
            first()
                .then(norm(0.1))
                .then(sin(1.0, 1.1, 0.3))
                .then(dense().w_std(1.2).b_std(0.3))
                .then(norm(0.2))
                .then(quadrature(Function::Tanh, 200))
                .then(global_avg_pool())
                .join(last()),
            [0.12904117378483, 0.076200224919136, 0.11451625858542],
            [
                [1.4539562119684, 1.108090702639, 1.2939476122589],
                [98.79233650175, 49.619434634206, 84.121683311968],
            ],
        ),
        (
            first()
                .then(norm(0.1).axes([1, -1]))
                .then(residual(block))
                .then(global_avg_pool())
                .join(last()),
            [0.54310653737489, 0.30080984081362, 0.46026166053737],
            [
                [3.31794444971, 2.3876595518521, 2.9736995410212],
                [408.29801328655, 254.06503126714, 350.98447213285],
            ],
        ),
    ]
}

/// The kernels at the pairs (0, 0), (0, 1) and (1, 1).
pub(super) fn upper(k: &Array2<f64>) -> [f64; 3] {
    [k[[0, 0]], k[[0, 1]], k[[1, 1]]]
}

#[test]
fn kernels_are_those_by_quadrature() {
    let x = sequences(3);
    let open = Structure::of_mask(&Array2::from_elem((2, 3), false));
    let parameterizations = [Parameterization::Ntk, Parameterization::Standard];
    for (network, nngp, ntks) in cases() {
        for (parameterization, ntk) in parameterizations.into_iter().zip(ntks) {
            let network = network.clone().parameterization(parameterization);
            // In planes of equal displacement, and with all pairs of positions.
            for structure in [&Structure::default(), &open] {
                let found = network.kernel_fn().structure(structure).kernels(&x);
                let found = found.unwrap();
                for (found, expected) in [(upper(&found.nngp), nngp), (upper(&found.ntk), ntk)] {
                    for (found, expected) in found.into_iter().zip(expected) {
                        let far = (found / expected - 1.0).abs();
                        assert!(far < 1e-10, "{found} {expected} {far:e}\n{network}");
                    }
                }
            }
        }
    }
}

/// Vectors go another way than sequences, which may have one position.
#[test]
fn vectors_are_sequences_of_one_position() {
    let x = sequences(3).into_shape_with_order((2, 6)).unwrap();
    let one = x.clone().into_shape_with_order((2, 1, 6)).unwrap();
    for f in [relu(), erf(0.7, 1.3, 0.2), sign(), rectified_monomial(0)] {
        let start = first().then(norm(0.1)).then(scale(1.5)).then(f);
        let [vectors, sequences] = [
            start.clone().join(last()).ntk(&x).unwrap(),
            start.then(flatten()).join(last()).ntk(&one).unwrap(),
        ];
        assert!((vectors - sequences).iter().all(|far| far.abs() < 1e-13));
    }
}

#[test]
fn groups_of_channels_have_scales_of_their_own() {
    let x = sequences(3);
    let path = |w_std| {
        Network::new()
            .then(dense().w_std(w_std).width(8))
            .then(norm(0.3))
    };
    // Without an activation the gradients of all channels add up.
    let both = first()
        .then(relu())
        .then(concat(-1, [path(1.0), path(2.0)]));
    let linear = both.clone().then(global_avg_pool()).join(last());
    assert!(linear.ntk(&x).is_ok());
    let told = |network: Network| match network.ntk(&x) {
        Err(KernelError::NoClosedForm { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let reason = told(both.then(relu()).then(global_avg_pool()));
    assert!(reason.contains("end of the paths"), "{reason}");
    let ended = |w_std| path(w_std).then(relu());
    let inside = first()
        .then(relu())
        .then(concat(-1, [ended(1.0), ended(2.0)]));
    assert!(inside.then(global_avg_pool()).join(last()).ntk(&x).is_ok());
    // One path is the layers in it.
    let alone = |network: Network| network.then(global_avg_pool()).join(last()).ntk(&x);
    let one = first().then(concat(-1, [path(2.0)])).then(gelu());
    assert_eq!(
        alone(one).unwrap(),
        alone(first().join(path(2.0)).then(gelu())).unwrap()
    );
}

#[test]
fn refused_where_the_derivative_is_not_known() {
    let x = sequences(3);
    let of = |f: ntk_kernels::dual::Activation, affine: bool| {
        let network = first().then(layer_norm().affine(affine)).then(f);
        network.then(global_avg_pool()).ntk(&x)
    };
    for f in [
        exp_normalized(1.0, -1.0),
        numerical("cube", |x| x * x * x, 8),
        closed_form("square", |q1, q2, q| (q1 * q2 + 2.0 * q * q, 4.0 * q)),
    ] {
        assert!(of(f.clone(), false).is_ok());
        let told = of(f, true).unwrap_err().to_string();
        assert!(
            told.starts_with("layers[2].") && told.contains("set affine to false"),
            "{told}"
        );
    }
    let paths = [Network::new().then(norm(0.1)), first()];
    let met = first().then(branch(paths)).then(relu());
    let told = met.then(global_avg_pool()).ntk(&x).unwrap_err();
    assert!(told.to_string().contains("meet before it"), "{told}");
}

#[test]
fn masked_positions_have_no_share() {
    let network = first()
        .then(norm(0.1))
        .then(gelu())
        .then(global_sum_pool())
        .join(last());
    let x = sequences(3);
    let mask = ArrayD::from_shape_vec(vec![2, 3], vec![false, false, true, false, false, true]);
    let structure = Structure::of_mask(&mask.unwrap());
    let masked = network.kernel_fn().structure(&structure).ntk(&x).unwrap();
    let short = network.ntk(&x.slice(ndarray::s![.., ..2, ..])).unwrap();
    assert!((masked - short).iter().all(|far| far.abs() < 1e-13));
}

#[test]
fn scale_and_shift_are_parameters() {
    for parameterization in [Parameterization::Ntk, Parameterization::Standard] {
        let network = first().then(norm(0.1)).parameterization(parameterization);
        let graph = network.resolve([3, 2]).unwrap();
        let found: Vec<_> = graph.nodes[1].parameters.iter().collect();
        let names: Vec<_> = found.iter().map(|p| &p.name[..]).collect();
        assert_eq!(names, ["layers.1.scale", "layers.1.shift"]);
        let roles = [Role::Scale, Role::Bias];
        for ((parameter, start), role) in found.into_iter().zip([1.0, 0.0]).zip(roles) {
            assert_eq!(parameter.axes, [512]);
            assert_eq!((parameter.shape, parameter.scale), ((1, 512), 1.0));
            assert_eq!(
                (parameter.start, parameter.role),
                (Start::Constant(start), role)
            );
        }
        let text = network.to_json();
        assert!(text.contains("affine"));
        assert_eq!(Network::from_json(&text), Ok(network));
    }
    assert!(
        !Network::new()
            .then(layer_norm())
            .to_json()
            .contains("affine")
    );
}
