//! Pools of any window, stride and padding, overlapping or not.

use ndarray::{Array2, Array3, Array4, Axis};
use ntk_kernels::Network;
use ntk_kernels::network::*;
use proptest::prelude::*;

/// Along one axis, the inputs that each output of a pool reads, by the definition of padding.
fn windows(
    (axis, size): (usize, usize),
    window: usize,
    stride: usize,
    padding: &Padding,
) -> Vec<Vec<usize>> {
    let (outputs, before) = match padding {
        Padding::Valid => ((size - window) / stride + 1, 0),
        Padding::Same | Padding::Circular => {
            let outputs = size.div_ceil(stride);
            let padded = ((outputs - 1) * stride + window).saturating_sub(size);
            (outputs, padded / 2)
        }
        Padding::Zeros(amounts) | Padding::Wrapped(amounts) => {
            let [before, after] = amounts[axis];
            ((before + size + after - window) / stride + 1, before)
        }
    };
    let reads = |out: usize| {
        let places =
            (0..window).map(|tap| (out * stride + tap).cast_signed() - before.cast_signed());
        let inside = places.filter_map(|at| match padding {
            Padding::Circular | Padding::Wrapped(_) => {
                Some(at.rem_euclid(size.cast_signed()).cast_unsigned())
            }
            _ => usize::try_from(at).ok().filter(|&at| at < size),
        });
        inside.collect()
    };
    (0..outputs).map(reads).collect()
}

#[derive(Debug, Clone)]
struct Case {
    size: [usize; 2],
    window: [usize; 2],
    strides: [usize; 2],
    padding: Padding,
    average: bool,
}

impl Case {
    fn layer(&self) -> Pool {
        let make = if self.average { avg_pool } else { sum_pool };
        make(self.window)
            .strides(self.strides)
            .padding(self.padding.clone())
    }

    fn along(&self, axis: usize) -> Vec<Vec<usize>> {
        windows(
            (axis, self.size[axis]),
            self.window[axis],
            self.strides[axis],
            &self.padding,
        )
    }

    fn weight(&self) -> f64 {
        match self.average {
            true => ((self.window[0] * self.window[1]) as f64).recip(),
            false => 1.0,
        }
    }

    fn pooled(&self, x: &Array4<f64>) -> Array4<f64> {
        let (rows, columns) = (self.along(0), self.along(1));
        let shape = (x.dim().0, rows.len(), columns.len(), x.dim().3);
        Array4::from_shape_fn(shape, |(i, y, z, c)| {
            let pairs = rows[y]
                .iter()
                .flat_map(|&p| columns[z].iter().map(move |&q| (p, q)));
            self.weight() * pairs.map(|(p, q)| x[[i, p, q, c]]).sum::<f64>()
        })
    }
}

/// The same map as a layer of the user's own whose rows are in no order.
#[derive(Debug)]
struct Backwards(Case);

impl LayerKind for Backwards {
    fn name(&self) -> &str {
        "backwards"
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let axes = [0, 1].map(|axis| {
            let average = if self.0.average {
                self.0.window[axis] as f64
            } else {
                1.0
            };
            let row = |row: Vec<usize>| {
                let row = row.into_iter().rev().map(|at| (at, average.recip()));
                row.collect::<Vec<_>>()
            };
            AxisMap::new(self.0.size[axis], self.0.along(axis).into_iter().map(row))
        });
        let [y, x] = axes;
        let map = PositionMap::new([y?, x?]);
        Ok(Resolved {
            shape: Shape::new(&map.outputs()[..2], input.channels()),
            action: Action::Positions(map),
        })
    }
}

fn cases(most: usize) -> impl Strategy<Value = Case> {
    let axis = || (1..=most).prop_flat_map(|size| (Just(size), 1..=size + 2, 1..=size + 1));
    let padding = prop_oneof![
        Just(Padding::Valid),
        Just(Padding::Same),
        Just(Padding::Circular),
        Just(Padding::Zeros(Vec::new())),
        Just(Padding::Wrapped(Vec::new())),
    ];
    let shorter = 1..=2_usize;
    (axis(), axis(), padding, any::<bool>(), shorter).prop_map(|(y, x, padding, average, short)| {
        let within = |(size, window, _): (usize, usize, usize)| match padding {
            Padding::Same | Padding::Circular => window,
            Padding::Valid | Padding::Zeros(_) | Padding::Wrapped(_) => window.min(size),
        };
        let window = [within(y), within(x)];
        // Less than the window, so that each reads a position.
        let amounts = |most: usize| window.map(|w| [1, most].map(|n| n.min(w - 1))).to_vec();
        let padding = match padding {
            Padding::Zeros(_) => Padding::Zeros(amounts(2)),
            Padding::Wrapped(_) => Padding::Wrapped(amounts(0)),
            Padding::Valid | Padding::Same | Padding::Circular => padding,
        };
        Case {
            size: [y.0, x.0],
            window,
            // Half the cases have strides of one or two, where most windows overlap.
            strides: [y.2, x.2].map(|stride| if short == 1 { stride } else { stride.min(2) }),
            padding,
            average,
        }
    })
}

/// What may follow a pool: each asks for other pairs of its outputs. The activation is smooth, as the
/// derivative of relu's kernel magnifies rounding where outputs are parallel.
fn rests() -> Vec<Network> {
    let next = || Network::new();
    vec![
        next().then(flatten()).then(dense()),
        next()
            .then(dense())
            .then(erf(1.0, 1.0, 0.0))
            .then(global_avg_pool())
            .then(dense()),
        next()
            .then(conv([3, 3]).same())
            .then(erf(1.0, 1.0, 0.0))
            .then(flatten()),
        next()
            .then(conv([3, 2]).circular())
            .then(erf(1.0, 1.0, 0.0))
            .then(global_sum_pool()),
        next()
            .then(conv([2, 3]).circular())
            .then(erf(1.0, 1.0, 0.0))
            .then(flatten()),
        next()
            .then(conv([2, 2]).same().strides([2, 2]))
            .then(erf(1.0, 1.0, 0.0))
            .then(flatten()),
        next()
            .then(avg_pool([2, 2]).strides([1, 1]).same())
            .then(dense())
            .then(erf(1.0, 1.0, 0.0))
            .then(flatten()),
    ]
}

fn images(case: &Case) -> Array4<f64> {
    let [height, width] = case.size;
    Array4::from_shape_fn((5, height, width, 2), |(i, y, x, c)| {
        ((7 * i + 3 * y + 5 * x + 11 * c + i * x * y) as f64).sin()
    })
}

fn far(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let scale = b.iter().fold(1e-300_f64, |most, v| most.max(v.abs()));
    let pairs = a.iter().zip(b);
    pairs.fold(0.0_f64, |far, (a, b)| far.max((a - b).abs())) / scale
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// A pool of the inputs is the network behind it on pooled inputs.
    #[test]
    fn a_pool_of_inputs_pools_them(case in cases(9), rest in 0..7_usize) {
        let rest = &rests()[rest];
        let network = Network::new().then(case.layer()).join(rest.clone());
        let x = images(&case);
        let expected = rest.kernels(&case.pooled(&x)).unwrap();
        let found = network.kernels(&x).unwrap();
        prop_assert!(far(&found.nngp, &expected.nngp) < 1e-12, "{found:?} {expected:?}");
        prop_assert!(far(&found.ntk, &expected.ntk) < 1e-12);
        let (one, two) = x.view().split_at(Axis(0), 2);
        let between = network.kernels_between(&one, &two).unwrap();
        let part = |k: &Array2<f64>| k.slice(ndarray::s![..2, 2..]).to_owned();
        prop_assert!(far(&between.nngp, &part(&expected.nngp)) < 1e-12);
        prop_assert!(far(&between.ntk, &part(&expected.ntk)) < 1e-12);
    }

    /// Behind other layers it is the map that says so entry by entry.
    #[test]
    fn a_pool_is_the_map_of_its_windows(
        case in cases(6),
        rest in 0..7_usize,
        circular in any::<bool>(),
    ) {
        let start = match circular {
            true => conv([3, 2]).circular(),
            false => conv([2, 3]).same().b_std(0.3),
        };
        let start = Network::new().then(start).then(relu());
        let rest = &rests()[rest];
        let x = images(&case);
        let kernels = |layer: Layer| {
            start.clone().then(layer).join(rest.clone()).kernels(&x).unwrap()
        };
        let expected = kernels(own(Backwards(case.clone())));
        let found = kernels(case.layer().into());
        prop_assert!(far(&found.nngp, &expected.nngp) < 1e-12, "{found:?} {expected:?}");
        prop_assert!(far(&found.ntk, &expected.ntk) < 1e-12);
    }
}

/// Tables of every tap would take gigabytes here, and minutes.
#[test]
fn windows_of_any_size_cost_the_same() {
    let x = Array3::from_shape_fn((1, 1200, 1), |(_, p, _)| (p as f64 * 0.7).sin());
    let window = 800;
    let network = Network::new()
        .then(avg_pool([window]).strides([1]))
        .then(flatten())
        .then(dense());
    let mean = |start: usize| (start..start + window).map(|p| x[[0, p, 0]]).sum::<f64>() / 800.0;
    let means: Vec<f64> = (0..=1200 - window).map(mean).collect();
    let expected = means.iter().map(|m| m * m).sum::<f64>() / means.len() as f64;
    let found = network.nngp(&x).unwrap()[[0, 0]];
    assert!((found / expected - 1.0).abs() < 1e-12, "{found} {expected}");
}
