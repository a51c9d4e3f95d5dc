//! Layers of the user's own: fixed linear maps of positions.

use ndarray::{Array2, Array4, ArrayD, Axis};
use ntk_kernels::Network;
use ntk_kernels::network::*;
use proptest::prelude::*;

/// A matrix along each axis of an image's positions.
#[derive(Debug)]
struct Matrices([Array2<f64>; 2]);

impl LayerKind for Matrices {
    fn name(&self) -> &str {
        "matrices"
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let axes = self.0.iter().map(|matrix| {
            let rows = matrix.rows().into_iter();
            let row = |row: ndarray::ArrayView1<'_, f64>| {
                let weights = row.iter().copied().enumerate();
                weights.filter(|&(_, weight)| weight != 0.0).collect()
            };
            AxisMap::new(matrix.ncols(), rows.map(row))
        });
        let axes = axes.collect::<Result<Vec<_>, _>>()?;
        let map = PositionMap::new(axes);
        Ok(Resolved {
            shape: Shape::new(&map.outputs()[..2], input.channels()),
            action: Action::Positions(map),
        })
    }
}

/// The map applied to images (n, height, width, channels).
fn mapped([rows, columns]: &[Array2<f64>; 2], x: &Array4<f64>) -> Array4<f64> {
    let (n, height, width, channels) = x.dim();
    let shape = (n, rows.nrows(), columns.nrows(), channels);
    Array4::from_shape_fn(shape, |(i, y, x_, c)| {
        let sum = (0..height).flat_map(|p| (0..width).map(move |q| (p, q)));
        sum.map(|(p, q)| rows[[y, p]] * columns[[x_, q]] * x[[i, p, q, c]])
            .sum()
    })
}

fn ntk_and_nngp(network: &Network, x: &Array4<f64>) -> [Array2<f64>; 2] {
    let (one, two) = x.view().split_at(Axis(0), 2);
    let found = network.kernels_between(&one, &two).unwrap();
    [found.nngp, found.ntk]
}

fn far(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let scale = b.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
    let pairs = a.iter().zip(b);
    pairs.fold(0.0_f64, |far, (a, b)| far.max((a - b).abs())) / scale
}

fn entries(n: usize, m: usize) -> impl Strategy<Value = Array2<f64>> {
    // Zeros too: rows with holes, and rows that read nothing.
    let entry = prop_oneof![Just(0.0), Just(1.0), -2.0..2.0_f64];
    prop::collection::vec(entry, n * m)
        .prop_map(move |v| Array2::from_shape_vec((n, m), v).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// A map of the samples before the network is the layer at its start.
    #[test]
    fn a_map_at_the_start_is_a_map_of_the_samples(
        rows in entries(3, 4),
        columns in entries(4, 3),
        seed in prop::collection::vec(-1.0..1.0_f64, 4 * 4 * 3 * 2),
    ) {
        let x = Array4::from_shape_vec((4, 4, 3, 2), seed).unwrap();
        let matrices = [rows, columns];
        let z = mapped(&matrices, &x);
        for after in [
            Network::new().then(flatten()).then(dense()),
            Network::new().then(global_avg_pool()).then(dense().b_std(0.1)),
            Network::new()
                .then(conv([3, 3]).same().b_std(0.2))
                .then(relu())
                .then(avg_pool([2, 2]))
                .then(conv([1, 2]).b_std(0.3))
                .then(erf(1.0, 1.0, 0.0))
                .then(flatten())
                .then(dense()),
        ] {
            let before = Network::new().then(own(Matrices(matrices.clone()))).join(after.clone());
            for (ours, theirs) in ntk_and_nngp(&before, &x).iter().zip(&ntk_and_nngp(&after, &z)) {
                // Sums of some hundred products, each rounded.
                prop_assume!(theirs.iter().any(|v| v.abs() > 1e-9));
                prop_assert!(far(ours, theirs) < 1e-11, "{ours} {theirs}");
            }
        }
    }
}

#[test]
fn means_written_as_a_matrix_are_a_pool() {
    let mean = |outputs: usize, inputs: usize| {
        let inside = |i: usize, j: usize| f64::from(u8::from(j / 2 == i)) / 2.0;
        Array2::from_shape_fn((outputs, inputs), |(i, j)| inside(i, j))
    };
    let x = Array4::from_shape_fn((5, 6, 4, 3), |(i, y, x, c)| {
        ((i * 7 + y * 5 + x * 3 + c * i) % 11) as f64 / 5.0 - 1.0
    });
    let around = |pool: Layer| {
        Network::new()
            .then(conv([3, 3]).same().b_std(0.1))
            .then(relu())
            .then(pool)
            .then(conv([2, 2]))
            .then(relu())
            .then(global_avg_pool())
            .then(dense())
    };
    let own_pool = around(own(Matrices([mean(3, 6), mean(2, 4)])));
    let pool = around(avg_pool([2, 2]).into());
    for (ours, theirs) in ntk_and_nngp(&own_pool, &x)
        .iter()
        .zip(&ntk_and_nngp(&pool, &x))
    {
        assert!(far(ours, theirs) < 1e-14);
    }
}

/// A transposed convolution of one axis, stride 2, filter 3: output `o` reads input `(o - 2 + t)/2`
/// by tap `t` where that is a whole number inside.
#[derive(Debug)]
struct Transposed;

impl LayerKind for Transposed {
    fn name(&self) -> &str {
        "transposed"
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let size = input.positions()[0];
        let outputs = (0..2 * size + 1).map(|out| {
            let inside = |tap: usize| {
                let twice = (out + tap).checked_sub(2)?;
                (twice % 2 == 0 && twice / 2 < size).then_some((tap, twice / 2))
            };
            (0..3).filter_map(inside).collect()
        });
        let windows = Windows::of([AxisTaps::new(size, 3, outputs)?]);
        Ok(Resolved {
            shape: Shape::new(windows.outputs()[..1].to_vec(), 7),
            action: Action::Weights(Weights::new(Some(windows), input, 7, (1.5, Some(0.2)))),
        })
    }
}

/// `K'[o, o'] = w^2/3 sum_t K[s_t(o), s_t(o')] + b^2` written out, for inputs and one layer.
#[test]
fn random_taps_of_any_kind_are_summed_as_they_meet() {
    let size = 4;
    let x = ndarray::Array3::from_shape_fn((3, size, 2), |(i, p, c)| {
        ((i * 5 + p * 3 + c * 7 + i * p) % 11) as f64 / 4.0 - 1.0
    });
    let tap = |out: usize, tap: usize| {
        let twice = (out + tap).checked_sub(2)?;
        (twice % 2 == 0 && twice / 2 < size).then_some(twice / 2)
    };
    let outputs = 2 * size + 1;
    let input = |i: usize, j: usize, p: usize, q: usize| {
        (0..2).map(|c| x[[i, p, c]] * x[[j, q, c]]).sum::<f64>() / 2.0
    };
    let after = |i: usize, j: usize, o: usize, other: usize| {
        let sum: f64 = (0..3)
            .filter_map(|t| Some(input(i, j, tap(o, t)?, tap(other, t)?)))
            .sum();
        1.5 * 1.5 / 3.0 * sum + 0.2 * 0.2
    };
    for (end, pairs) in [
        (Layer::from(flatten()), false),
        (Layer::from(global_avg_pool()), true),
    ] {
        let network = Network::new().then(own(Transposed)).then(end);
        let found = network.kernels(&x).unwrap();
        let expected = Array2::from_shape_fn((3, 3), |(i, j)| {
            let all = (0..outputs).flat_map(|o| (0..outputs).map(move |other| (o, other)));
            let all: Vec<_> = all.filter(|(o, other)| pairs || o == other).collect();
            let sum: f64 = all.iter().map(|&(o, other)| after(i, j, o, other)).sum();
            sum / all.len() as f64
        });
        // The NTK of weights on the inputs is their NNGP.
        for kernel in [found.nngp, found.ntk] {
            assert!(far(&kernel, &expected) < 1e-14, "{kernel} {expected}");
        }
    }
    // The same taps as a convolution has, but not known to move in steps.
    let image = ndarray::Array3::from_shape_fn((4, 6, 2), |(i, p, c)| {
        ((i * 3 + p * 5 + c * 2 + i * p) % 7) as f64 / 3.0 - 1.0
    });
    let around = |layer: Layer| {
        Network::new()
            .then(conv([3]).same().b_std(0.1))
            .then(relu())
            .then(layer)
            .then(relu())
            .then(conv([2]))
            .then(flatten())
    };
    let kernel = |network: &Network| network.ntk(&image).unwrap();
    let plain = kernel(&around(conv([3]).channels(7).w_std(1.5).b_std(0.2).into()));
    let own_taps = kernel(&around(own(Valid)));
    assert!(far(&own_taps, &plain) < 1e-14);
}

/// A valid convolution of one axis, filter 3, by its taps.
#[derive(Debug)]
struct Valid;

impl LayerKind for Valid {
    fn name(&self) -> &str {
        "valid"
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let size = input.positions()[0];
        let outputs = (2..size).map(|out| (0..3).map(|tap| (tap, out - 2 + tap)).collect());
        let windows = Windows::of([AxisTaps::new(size, 3, outputs)?]);
        Ok(Resolved {
            shape: Shape::new([size - 2], 7),
            action: Action::Weights(Weights::new(Some(windows), input, 7, (1.5, Some(0.2)))),
        })
    }
}

#[test]
fn they_are_shown_refused_and_not_read_back_like_others() {
    let layer = || own(Matrices([Array2::eye(4), Array2::eye(4)]));
    let network = Network::new().then(layer()).then(flatten());
    let table = network.resolve(Shape::new([4, 4], 1)).unwrap().table();
    assert!(table.contains("layers[0]  matrices"), "{table}");
    assert_eq!(network, network.clone());
    assert_ne!(network, Network::new().then(layer()).then(flatten()));
    let error = Network::from_json(&network.to_json()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("layers[0]: unknown layer \"matrices\"")
    );
    for (row, message) in [
        (vec![(4, 1.0)], "reads input 4"),
        (vec![(0, f64::NAN)], "NaN"),
    ] {
        let error = AxisMap::new(4, [row]).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
    for (taps, message) in [
        (vec![(3, 0)], "by tap 3"),
        (vec![(1, 0), (1, 2)], "tap 1 twice"),
    ] {
        let error = AxisTaps::new(4, 3, [taps]).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
    // A map that does not fit what it is given is an error, no panic.
    let x = ArrayD::<f64>::zeros(vec![2, 3, 3, 1]);
    let error = network.ntk(&x).unwrap_err();
    assert!(error.to_string().contains("layers[0].matrices"), "{error}");
}
