//! Padding by numbers, against the same taps one by one and against data that are padded.

use ndarray::{Array2, Array3, Array4, s};
use ntk_kernels::network::*;

/// A convolution by its taps, which are not known to move in steps: the kernels of all pairs of
/// positions are computed one by one.
#[derive(Debug)]
struct Taps {
    filter: [usize; 2],
    strides: [usize; 2],
    padding: [[usize; 2]; 2],
    wraps: bool,
}

impl Taps {
    fn axis(&self, axis: usize, size: usize) -> AxisTaps {
        let (window, stride) = (self.filter[axis], self.strides[axis]);
        let [before, after] = self.padding[axis];
        let outputs = (size + before + after - window) / stride + 1;
        let read = |out: usize, tap: usize| {
            let at = (out * stride + tap).cast_signed() - before.cast_signed();
            match self.wraps {
                true => Some(at.rem_euclid(size.cast_signed()).cast_unsigned()),
                false => usize::try_from(at).ok().filter(|&at| at < size),
            }
        };
        let outputs = (0..outputs).map(|out| {
            let taps = (0..window).filter_map(|tap| Some((tap, read(out, tap)?)));
            taps.collect::<Vec<_>>()
        });
        AxisTaps::new(size, window, outputs).unwrap()
    }
}

impl LayerKind for Taps {
    fn name(&self) -> &str {
        "taps"
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let sizes = input.positions();
        let windows = Windows::of([self.axis(0, sizes[0]), self.axis(1, sizes[1])]);
        let weights = (1.3, Some(0.2));
        Ok(Resolved {
            shape: Shape::new(&windows.outputs()[..2], 7),
            action: Action::Weights(Weights::new(Some(windows), input, 7, weights)),
        })
    }
}

fn far(one: &Array2<f64>, two: &Array2<f64>) -> f64 {
    let size = two.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    (one - two).iter().fold(0.0, |m: f64, v| m.max(v.abs())) / size
}

fn images(n: usize, size: [usize; 2]) -> Array4<f64> {
    Array4::from_shape_fn((n, size[0], size[1], 2), |(i, y, x, c)| {
        ((1 + i * 7 + y * 5 + x * 3 + c * 11 + i * y * x) as f64).sin()
    })
}

#[test]
fn every_tap_reads_what_it_names() {
    for (filter, strides, padding) in [
        ([3, 3], [2, 2], [[1, 1], [1, 1]]),
        ([3, 3], [1, 1], [[1, 1], [1, 1]]),
        ([3, 3], [1, 1], [[2, 0], [0, 2]]),
        ([3, 2], [1, 2], [[0, 1], [2, 0]]),
        ([2, 3], [3, 1], [[2, 2], [1, 0]]),
        ([1, 3], [2, 3], [[1, 2], [3, 1]]),
    ] {
        for wraps in [false, true] {
            let own_taps = || Taps {
                filter,
                strides,
                padding,
                wraps,
            };
            let numbers = match wraps {
                true => Padding::Wrapped(padding.to_vec()),
                false => padding.into(),
            };
            let conv = conv(filter).channels(7).strides(strides).padding(numbers);
            let conv = conv.w_std(1.3).b_std(0.2);
            for parameterization in [Parameterization::Ntk, Parameterization::Standard] {
                for end in [Layer::from(flatten()), global_avg_pool().into()] {
                    let around = |layer: Layer| {
                        Network::new()
                            .then(ntk_kernels::network::conv([2, 2]).same().b_std(0.1))
                            .then(relu())
                            .then(layer)
                            .then(relu())
                            .then(end.clone())
                            .then(dense())
                            .parameterization(parameterization)
                    };
                    let x = images(3, [5, 4]);
                    let numbers = around(conv.clone().into()).kernels(&x).unwrap();
                    let taps = around(own(own_taps())).kernels(&x).unwrap();
                    let name = format!("{conv:?} {end}");
                    assert!(far(&numbers.nngp, &taps.nngp) < 1e-13, "{name}");
                    assert!(far(&numbers.ntk, &taps.ntk) < 1e-13, "{name}");
                }
            }
        }
    }
}

/// The first layer reads the data, where zeros around them are the padding.
#[test]
fn zeros_around_the_data_are_the_padding() {
    let x = images(4, [5, 4]);
    let mut padded = Array4::zeros((4, 5 + 1 + 2, 4 + 3, 2));
    padded.slice_mut(s![.., 1..6, ..4, ..]).assign(&x);
    let kernel = |layer: Layer, x: &Array4<f64>| {
        let network = Network::new().then(layer).then(relu()).then(flatten());
        network.ntk(x).unwrap()
    };
    let conv = || conv([3, 2]).strides([2, 1]).b_std(0.3);
    let numbers = kernel(conv().padding([[1, 2], [0, 3]]).into(), &x);
    assert!(far(&numbers, &kernel(conv().into(), &padded)) < 1e-14);

    let pool = |pool: Pool, x: &Array4<f64>| {
        let network = Network::new().then(pool).then(flatten()).then(dense());
        network.ntk(x).unwrap()
    };
    for window in [avg_pool([4, 4]), sum_pool([4, 4])] {
        let window = || window.clone().strides([2, 3]);
        let numbers = pool(window().padding([[1, 2], [0, 3]]), &x);
        assert!(far(&numbers, &pool(window(), &padded)) < 1e-14);
    }
}

#[test]
fn one_axis_has_one_number() {
    let x = Array3::from_shape_fn((3, 6, 2), |(i, p, c)| {
        ((1 + i + p * 3 + c * 5) as f64).cos()
    });
    let kernel = |conv: Conv| {
        let network = Network::new().then(conv).then(relu()).then(flatten());
        network.ntk(&x).unwrap()
    };
    // Strides of 1 and a filter of 3 need one zero at each end to keep the size.
    assert_eq!(kernel(conv([3]).padding([1])), kernel(conv([3]).same()));
    // Strides of 2 on an even size pad the end alone, which the number 1 does not.
    let two = || conv([3]).strides([2]);
    assert_eq!(kernel(two().padding([[0, 1]])), kernel(two().same()));
    assert!(far(&kernel(two().padding([1])), &kernel(two().same())) > 1e-3);
}
