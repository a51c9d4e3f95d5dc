//! Derivatives of kernels against central differences of the kernels.

use ndarray::{Array2, ArrayD, array};
use ntk_kernels::dual::{Activation, closed_form, closed_form_with_gradient};
use ntk_kernels::network::*;
use ntk_kernels::{GradientError, Kernel, KernelFn, Structure};

mod structured;

/// The steps of central differences: the fourth-order rule errs by about `h^4`, and rounding by
/// `1e-16/h`.
const STEP: f64 = 1e-3;
/// Above both, relative to the largest derivative.
const TOLERANCE: f64 = 2e-9;

fn samples(n: usize, d: usize, shift: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, d), |(i, j)| {
        // Far from parallel, where differences err.
        let mixed = ((i * 31 + j) * 7 + shift * 1009 + 1) as u64;
        let bits = mixed
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(mixed << 40);
        ((bits ^ (bits >> 29)) % 10_007) as f64 / 5003.0 - 1.0
    })
}

fn weights(n: usize, m: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, m), |(i, j)| ((i * 5 + j * 3 + i * j) % 7) as f64 - 2.5)
}

fn hidden() -> Dense {
    dense().w_std(1.3).b_std(0.2)
}

fn deep(activation: Activation) -> Network {
    Network::new()
        .then(hidden())
        .then(activation.clone())
        .then(hidden().w_std(0.9))
        .then(activation)
        .then(dense().w_std(1.1))
}

/// A dense layer of the user's own, whose weights are no hyperparameters.
#[derive(Debug)]
struct OwnDense;

impl LayerKind for OwnDense {
    fn name(&self) -> &str {
        "own_dense"
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        Ok(Resolved {
            shape: Shape::features(8),
            action: Action::Weights(Weights::new(None, input, 8, (1.3, Some(0.2)))),
        })
    }
}

fn networks() -> Vec<Network> {
    let activations = [
        relu(),
        abrelu(0.3, -1.2),
        erf(1.1, 0.8, 0.2),
        gelu(),
        sin(1.0, 0.9, 0.3),
        exp(0.5, 0.4),
        gaussian(1.0, -0.6),
        exp_normalized(0.6, 0.9),
        rbf(0.7),
        gabor(),
        sign(),
        monomial(2),
        rectified_monomial(2),
        polynomial([0.2, 1.0, 0.1]),
        // Not `quadrature`, whose derivatives are those of the integral, and not those of its rule.
    ];
    let mut all: Vec<_> = activations.into_iter().map(deep).collect();
    let path = || Network::new().then(hidden()).then(erf(1.0, 0.7, 0.1));
    let merged = |branch: Branch| {
        Network::new()
            .then(hidden())
            .then(branch)
            .then(dense())
            .then(relu())
            .then(dense().b_std(0.3))
    };
    all.push(
        Network::new()
            .then(own(OwnDense))
            .then(relu())
            .then(hidden()),
    );
    all.push(merged(branch([path(), path().then(hidden())])));
    all.push(merged(product([
        path(),
        path(),
        Network::new().then(hidden()),
    ])));
    all.push(merged(concat(-1, [path(), Network::new().then(hidden())])));
    all.push(merged(residual(path().then(dense()))));
    let norm = Network::new()
        .then(hidden())
        .then(layer_norm())
        .then(relu())
        .then(hidden());
    all.push(norm.clone());
    let unit = Network::new().then(hidden()).then(layer_norm().eps(0.0));
    all.push(unit.then(hermite(3)).then(hidden()));
    let all_standard = [deep(relu()), deep(erf(1.0, 1.0, 0.0)), norm];
    all.extend(all_standard.map(|network| network.parameterization(Parameterization::Standard)));
    all.push(
        Network::new()
            .then(hidden())
            .then(relu())
            .then(dropout(0.7))
            .then(hidden())
            .then(erf(1.0, 1.0, 0.0))
            .then(dense()),
    );
    all
}

/// Differentiates `f` at 0.
fn difference(f: impl Fn(f64) -> f64) -> f64 {
    let at = |k: f64| (f(k * STEP) - f(-k * STEP)) / (2.0 * k * STEP);
    (4.0 * at(1.0) - at(2.0)) / 3.0
}

fn close(found: &[f64], expected: &[f64], what: &str) {
    let scale = expected.iter().fold(1e-3, |most: f64, v| most.max(v.abs()));
    for (at, (a, b)) in found.iter().zip(expected).enumerate() {
        let far = (a - b).abs() / scale;
        assert!(
            far < TOLERANCE,
            "{what}, {at}: {a} and {b} by differences, {far:e} apart"
        );
    }
}

/// A network, the shape of its samples, and the masks and graphs of those of [`both`].
struct Case {
    network: Network,
    shape: Vec<usize>,
    structures: [Structure; 2],
}

impl Case {
    fn new(network: Network, shape: Vec<usize>, structures: [Structure; 2]) -> Self {
        Self {
            network,
            shape,
            structures,
        }
    }
}

/// The function of kernels of the first samples, with others or themselves.
fn of<'a>(network: &'a Network, [one, two]: &'a [Structure; 2], others: bool) -> KernelFn<'a> {
    network
        .kernel_fn()
        .structures(one, if others { two } else { one })
}

fn contracted(
    network: &Network,
    structures: &[Structure; 2],
    which: Kernel,
    x1: &ArrayD<f64>,
    x2: Option<&ArrayD<f64>>,
) -> f64 {
    let kernel_fn = of(network, structures, x2.is_some());
    let kernel = match x2 {
        None => kernel_fn.kernel(which, x1).unwrap(),
        Some(x2) => kernel_fn.distinct().kernel_between(which, x1, x2).unwrap(),
    };
    (&kernel * &weights(kernel.nrows(), kernel.ncols())).sum()
}

/// Samples of a shape, and others.
fn both(shape: &[usize]) -> (ArrayD<f64>, ArrayD<f64>) {
    let d = shape.iter().product();
    let of = |n: usize, shift: usize| {
        let shape = [&[n], shape].concat();
        samples(n, d, shift).into_shape_with_order(shape).unwrap()
    };
    (of(6, 0), of(5, 1))
}

fn filter(axes: usize) -> Conv {
    conv(vec![3; axes]).same().w_std(1.3).b_std(0.2).channels(4)
}

/// Networks on samples with positions, and the shapes of these.
fn on_positions() -> Vec<(Network, Vec<usize>)> {
    let start = |axes: usize| Network::new().then(filter(axes)).then(erf(1.1, 0.9, 0.1));
    let images = |network: Network| (network.then(hidden()), vec![4, 3, 2]);
    let block = || Network::new().then(filter(2)).then(relu()).then(filter(2));
    vec![
        images(start(2).then(flatten())),
        images(
            start(2)
                .then(filter(2))
                .then(gelu())
                .then(global_avg_pool()),
        ),
        images(
            start(2)
                .then(avg_pool([2, 2]))
                .then(filter(2))
                .then(relu())
                .then(flatten()),
        ),
        images(
            start(2)
                .then(sum_pool([2, 3]).strides([1, 1]))
                .then(filter(2))
                .then(gelu())
                .then(global_sum_pool()),
        ),
        images(
            start(2)
                .then(filter(2).strides([2, 1]))
                .then(leaky_relu(0.2))
                .then(global_avg_pool()),
        ),
        images(
            start(2)
                .then(filter(2).circular())
                .then(relu())
                .then(flatten()),
        ),
        images(
            start(2)
                .then(conv_local([2, 2]).w_std(1.2).b_std(0.1))
                .then(relu())
                .then(flatten()),
        ),
        images(
            start(2)
                .then(conv_local([2, 2]))
                .then(gelu())
                .then(global_avg_pool()),
        ),
        images(
            start(2)
                .then(conv_transpose([3, 3]).strides([2, 2]).same().b_std(0.1))
                .then(gelu())
                .then(global_avg_pool()),
        ),
        images(start(2).then(residual(block())).then(global_avg_pool())),
        images(start(2).then(product([block(), block()])).then(flatten())),
        images(
            start(2)
                .then(concat(-1, [block(), block()]))
                .then(global_avg_pool()),
        ),
        images(
            start(2)
                .then(filter(2))
                .then(layer_norm())
                .then(gelu())
                .then(global_avg_pool()),
        ),
        images(
            start(2)
                .then(filter(2))
                .then(layer_norm().axes([1, 2, 3]))
                .then(relu())
                .then(flatten()),
        ),
        images(
            start(2)
                .then(dropout(0.8))
                .then(filter(2))
                .then(gelu())
                .then(global_avg_pool()),
        ),
        images(
            start(2)
                .then(resize([6, 5]))
                .then(filter(2))
                .then(relu())
                .then(flatten()),
        ),
        images(start(2).then(hidden()).then(gelu()).then(global_avg_pool())),
        (
            start(1)
                .then(avg_pool([2]))
                .then(filter(1))
                .then(gelu())
                .then(flatten())
                .then(hidden()),
            vec![5, 3],
        ),
        (
            start(3).then(global_avg_pool()).then(hidden()),
            vec![2, 3, 2, 2],
        ),
        (
            start(2)
                .then(filter(2))
                .then(gelu())
                .then(global_avg_pool())
                .then(hidden())
                .parameterization(Parameterization::Standard),
            vec![4, 3, 2],
        ),
    ]
}

/// All networks.
fn cases() -> Vec<Case> {
    let vectors = networks().into_iter().map(|network| (network, vec![5]));
    let plain = vectors.chain(on_positions());
    let plain = plain.map(|(network, shape)| Case::new(network, shape, Default::default()));
    plain.chain(structured::cases()).collect()
}

#[test]
fn hyperparameters_by_differences() {
    for case in cases() {
        let (network, structures) = (&case.network, &case.structures);
        let (x1, x2) = both(&case.shape);
        let chosen = Hyperparameters::all(network);
        assert!(!chosen.is_empty());
        let values = chosen.values();
        let moved = |number: usize, by: f64| {
            let mut values = values.clone();
            values[number] += by;
            chosen.set(network, &values).unwrap()
        };
        for other in [None, Some(&x2)] {
            for which in [Kernel::Nngp, Kernel::Ntk] {
                let expected: Vec<_> = (0..values.len())
                    .map(|number| {
                        difference(|by| {
                            contracted(&moved(number, by), structures, which, &x1, other)
                        })
                    })
                    .collect();
                let kernel_fn = of(network, structures, other.is_some()).tile(3);
                let g = weights(6, other.map_or(6, |x| x.shape()[0]));
                let found = match other {
                    None => kernel_fn.hyperparameter_gradient(which, &chosen, &x1, &g),
                    Some(x2) => {
                        kernel_fn.hyperparameter_gradient_between(which, &chosen, &x1, x2, &g)
                    }
                };
                close(
                    &found.unwrap(),
                    &expected,
                    &format!("{which} of\n{network}"),
                );
                // The matrices, contracted here.
                let all = match other {
                    None => kernel_fn.kernels_with_gradients(&chosen, &x1),
                    Some(x2) => kernel_fn.kernels_with_gradients_between(&chosen, &x1, x2),
                };
                let all = all.unwrap();
                let sum = |k: &ntk_kernels::Kernels<f64>| match which {
                    Kernel::Nngp => (&k.nngp * &g).sum(),
                    Kernel::Ntk => (&k.ntk * &g).sum(),
                };
                let found: Vec<_> = all.by.iter().map(sum).collect();
                close(
                    &found,
                    &expected,
                    &format!("matrices, {which} of\n{network}"),
                );
                let kernel = contracted(network, structures, which, &x1, other);
                assert!((sum(&all.kernels) - kernel).abs() <= 1e-11 * (1.0 + kernel.abs()));
            }
        }
    }
}

#[test]
fn inputs_by_differences() {
    for case in cases() {
        let (network, structures) = (&case.network, &case.structures);
        let (x1, x2) = both(&case.shape);
        for which in [Kernel::Nngp, Kernel::Ntk] {
            let moved = |x: &ArrayD<f64>, number: usize, by: f64| {
                let mut x = x.clone();
                x.as_slice_mut().unwrap()[number] += by;
                x
            };
            let found = of(network, structures, false)
                .tile(4)
                .input_gradient(which, &x1, &weights(6, 6))
                .unwrap();
            let expected: Vec<_> = (0..x1.len())
                .map(|at| {
                    difference(|by| {
                        contracted(network, structures, which, &moved(&x1, at, by), None)
                    })
                })
                .collect();
            let flat = |x: &ArrayD<f64>| x.iter().copied().collect::<Vec<_>>();
            close(
                &flat(&found),
                &expected,
                &format!("{which} of x with itself, of\n{network}"),
            );
            let (by1, by2) = of(network, structures, true)
                .tile(4)
                .input_gradient_between(which, &x1, &x2, &weights(6, 5))
                .unwrap();
            let expected: Vec<_> = (0..x1.len())
                .map(|at| {
                    difference(|by| {
                        contracted(network, structures, which, &moved(&x1, at, by), Some(&x2))
                    })
                })
                .collect();
            close(
                &flat(&by1),
                &expected,
                &format!("{which} by x1, of\n{network}"),
            );
            let expected: Vec<_> = (0..x2.len())
                .map(|at| {
                    difference(|by| {
                        contracted(network, structures, which, &x1, Some(&moved(&x2, at, by)))
                    })
                })
                .collect();
            close(
                &flat(&by2),
                &expected,
                &format!("{which} by x2, of\n{network}"),
            );
        }
    }
}

/// Some networks on vectors whose activations have a kink or a jump, and one without.
fn kinked() -> [Network; 4] {
    [
        deep(relu()),
        deep(abs()),
        deep(sign()),
        deep(erf(1.0, 1.0, 0.0)),
    ]
}

#[test]
fn parallel_and_zero_samples_have_finite_derivatives() {
    let x = array![
        [1.0, 2.0],
        [2.0, 4.0],
        [-1.0, -2.0],
        [0.0, 0.0],
        [1.0, 2.0],
        [0.3, -0.1]
    ];
    for bias in [None, Some(0.0), Some(0.4)] {
        for mut network in kinked() {
            for layer in &mut network.layers {
                if let Layer::Dense(dense) = layer {
                    dense.b_std = bias;
                }
            }
            let chosen = Hyperparameters::all(&network);
            let all = network.kernels_with_gradients(&chosen, &x).unwrap();
            assert_eq!(all.by.len(), chosen.len());
            for which in [Kernel::Nngp, Kernel::Ntk] {
                network
                    .hyperparameter_gradient(which, &chosen, &x, &weights(6, 6))
                    .unwrap();
                network.input_gradient(which, &x, &weights(6, 6)).unwrap();
                network
                    .input_gradient_between(which, &x, &x, &weights(6, 6))
                    .unwrap();
            }
        }
    }
}

#[test]
fn the_norm_of_a_sample_goes_along_it() {
    // K(x, x) of relu is |x|^2 times a number, and so is the tangent kernel.
    let network = Network::new()
        .then(dense())
        .then(relu())
        .then(dense())
        .then(relu())
        .then(dense());
    let x = array![[3.0, -1.0, 0.5], [0.1, 0.2, 0.7]];
    for which in [Kernel::Nngp, Kernel::Ntk] {
        let kernel = network.kernel_fn().kernel(which, &x).unwrap();
        let by_x = network.input_gradient(which, &x, &Array2::eye(2)).unwrap();
        for (i, row) in x.rows().into_iter().enumerate() {
            let expected = &row * (2.0 * kernel[[i, i]] / row.dot(&row));
            let found = by_x.index_axis(ndarray::Axis(0), i);
            for (a, b) in found.iter().zip(&expected) {
                assert!(f64::abs(a - b) < 1e-13, "{a} {b}");
            }
        }
    }
}

#[test]
fn f32_agrees_with_f64() {
    let (x, g) = (samples(40, 7, 0), weights(40, 40));
    for network in kinked() {
        let chosen = Hyperparameters::all(&network);
        for which in [Kernel::Nngp, Kernel::Ntk] {
            let double = network
                .hyperparameter_gradient(which, &chosen, &x, &g)
                .unwrap();
            let single = network.kernel_fn().precision::<f32>();
            let g32 = g.mapv(|v| v as f32);
            let found = single
                .hyperparameter_gradient(which, &chosen, &x, &g32)
                .unwrap();
            let scale = double.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
            for (a, b) in found.iter().zip(&double) {
                assert!(f64::abs(a - b) < 1e-4 * scale, "{network} {a} {b}");
            }
            let double = network.input_gradient(which, &x, &g).unwrap();
            let found = single.input_gradient(which, &x, &g32).unwrap();
            let scale = double.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
            for (a, b) in found.iter().zip(&double) {
                assert!(
                    (f64::from(*a) - b).abs() < 1e-4 * scale,
                    "{network} {a} {b}"
                );
            }
        }
    }
}

#[test]
fn threads_and_tiles_do_not_matter() {
    let (x, z) = (samples(50, 6, 0), samples(33, 6, 2));
    let network = deep(relu());
    let chosen = Hyperparameters::all(&network);
    let all = |threads: usize, tile: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let kernel_fn = network.kernel_fn().tile(tile);
            let by = kernel_fn
                .hyperparameter_gradient(Kernel::Ntk, &chosen, &x, &weights(50, 50))
                .unwrap();
            let inputs = kernel_fn
                .input_gradient_between(Kernel::Ntk, &x, &z, &weights(50, 33))
                .unwrap();
            let matrices = kernel_fn.kernels_with_gradients(&chosen, &x).unwrap();
            (by, inputs, matrices)
        })
    };
    // To the last bit for any number of threads, and to rounding for any tile.
    let one = all(1, 16);
    assert_eq!(one, all(2, 16));
    assert_eq!(one, all(7, 16));
    let whole = all(2, 64);
    for (a, b) in one.0.iter().zip(&whole.0) {
        assert!((a - b).abs() < 1e-11 * (1.0 + b.abs()));
    }
    for (a, b) in one.1.0.iter().zip(&whole.1.0) {
        assert!((a - b).abs() < 1e-11);
    }
    for (a, b) in one.2.by.iter().zip(&whole.2.by) {
        assert!((&a.ntk - &b.ntk).iter().all(|v| v.abs() < 1e-11));
    }
}

#[test]
fn what_is_not_known_is_refused() {
    let x = samples(3, 4, 0);
    let unknown = closed_form("square", |q1, q2, q| (q1 * q2 + 2.0 * q * q, 4.0 * q));
    let network = Network::new().then(dense()).then(unknown).then(dense());
    let chosen = Hyperparameters::all(&network);
    let error = network.kernels_with_gradients(&chosen, &x).unwrap_err();
    assert!(matches!(&error, GradientError::NotKnown { path, .. } if path.contains("layers[1]")));
    assert!(
        error.to_string().contains("closed_form_with_gradient"),
        "{error}"
    );
    // Given its derivatives, it is the polynomial that it is.
    let square = closed_form_with_gradient("square", |q1, q2, q| {
        (
            q1 * q2 + 2.0 * q * q,
            4.0 * q,
            [q2, q1, 4.0 * q],
            [0.0, 0.0, 4.0],
        )
    });
    let of = |activation: Activation| {
        let network = Network::new().then(dense()).then(activation).then(dense());
        network
            .input_gradient(Kernel::Ntk, &x, &weights(3, 3))
            .unwrap()
    };
    for (a, b) in of(square).iter().zip(&of(monomial(2))) {
        assert!((a - b).abs() < 1e-13);
    }
    let network = deep(relu());
    let chosen = Hyperparameters::all(&network);
    let error = network
        .input_gradient(Kernel::Ntk, &x, &weights(3, 4))
        .unwrap_err();
    assert_eq!(
        error,
        GradientError::Weights {
            expected: (3, 3),
            found: (3, 4)
        }
    );
    let mut g = weights(3, 3);
    g[[1, 2]] = f64::NAN;
    let error = network
        .hyperparameter_gradient(Kernel::Ntk, &chosen, &x, &g)
        .unwrap_err();
    assert!(matches!(
        error,
        GradientError::NonFinite { index: (1, 2), .. }
    ));
    // Hyperparameters of another network.
    let other = Network::new().then(dense()).then(relu()).then(dense());
    let error = other.hyperparameter_gradient(Kernel::Ntk, &chosen, &x, &weights(3, 3));
    assert!(matches!(error, Err(GradientError::Hyperparameter(_))));
    let overflow = network.input_gradient(Kernel::Nngp, &(&x * 1e3), &(weights(3, 3) * 1e307));
    let error = overflow.unwrap_err();
    assert!(matches!(&error, GradientError::Overflow { by, .. } if by.starts_with("x[")));
    assert!(
        network
            .input_gradient(Kernel::Nngp, &(&x * f64::NAN), &weights(3, 3))
            .is_err()
    );
}
