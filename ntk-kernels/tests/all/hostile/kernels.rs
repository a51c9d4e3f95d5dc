//! Kernels in closed form, duals and Gram matrices.

use super::{NUMBERS, Panics, activations};
use ndarray::{
    Array0, Array1, Array2, Array3, Array4, Array5, ArrayD, ArrayView, Axis, Dimension, array, s,
};
use ntk_kernels::closed_form::Precision;
use ntk_kernels::dual::angle;
use ntk_kernels::gram::{Gram, TileRow, squared_norms};
use ntk_kernels::mean_field::{critical_w_std, fixed_point};
use ntk_kernels::network::*;
use ntk_kernels::{Kernel, KernelFn, Network};
use ntk_linalg::Real;
use ntk_linalg::tiled::TileSource;

/// Samples that no kernel has.
pub(super) fn samples() -> Vec<(&'static str, ArrayD<f64>)> {
    let image = Array4::from_shape_fn((3, 4, 4, 2), |(i, y, x, c)| {
        ((i * 31 + y * 7 + x * 3 + c) % 5) as f64 - 2.0
    });
    let vectors = Array2::from_shape_fn((3, 4), |(i, j)| (i + 2 * j) as f64 - 3.0);
    let with = |value: f64| {
        let mut x = vectors.clone();
        x[[1, 2]] = value;
        x.into_dyn()
    };
    vec![
        ("0-D", Array0::zeros(()).into_dyn()),
        ("1-D", Array1::zeros(4).into_dyn()),
        ("no sample", Array2::zeros((0, 4)).into_dyn()),
        ("no feature", Array2::zeros((3, 0)).into_dyn()),
        ("vectors", vectors.clone().into_dyn()),
        ("other vectors", Array2::ones((2, 5)).into_dyn()),
        ("zeros", Array2::zeros((3, 4)).into_dyn()),
        ("NaN", with(f64::NAN)),
        ("infinite", with(f64::INFINITY)),
        ("huge", with(1e308)),
        ("tiny", with(5e-324)),
        ("sequences", Array3::ones((2, 5, 3)).into_dyn()),
        ("no position", Array3::zeros((2, 0, 3)).into_dyn()),
        ("images", image.clone().into_dyn()),
        (
            "no image",
            image.slice(s![..0, .., .., ..]).to_owned().into_dyn(),
        ),
        ("no channel", Array4::zeros((2, 4, 4, 0)).into_dyn()),
        ("5-D", Array5::ones((2, 2, 2, 2, 2)).into_dyn()),
    ]
}

pub(super) fn networks() -> Vec<Network> {
    vec![
        Network::new(),
        Network::new().then(dense()).then(relu()).then(dense()),
        Network::new()
            .then(dense().w_std(1e200))
            .then(relu())
            .then(dense()),
        Network::new()
            .then(dense())
            .then(exp(1.0, 30.0))
            .then(dense()),
        Network::new()
            .then(dense())
            .then(layer_norm().eps(0.0))
            .then(relu()),
        Network::new()
            .then(dropout(0.5))
            .then(dense())
            .then(polynomial([0.0])),
        Network::new()
            .then(dense())
            .then(closed_form("nan", |_, _, _| (f64::NAN, f64::NAN)))
            .then(dense()),
        Network::new()
            .then(conv([3, 3]).same())
            .then(relu())
            .then(flatten()),
        Network::new()
            .then(conv([3]).circular().strides([2]))
            .then(erf(1.0, 1.0, 0.0))
            .then(global_avg_pool()),
        Network::new()
            .then(conv([9, 9]).circular())
            .then(gelu())
            .then(avg_pool([2, 2]).strides([3, 1]).same())
            .then(layer_norm().axes([1, 2, -1]))
            .then(attention())
            .then(flatten()),
        Network::new()
            .then(conv([1, 1]))
            .then(residual(
                Network::new().then(relu()).then(conv([7, 7]).same()),
            ))
            .then(global_sum_pool())
            .parameterization(Parameterization::Standard),
    ]
}

/// All calls of a [`KernelFn`] for one input, and with another.
fn kernel_calls<T: Real, P: Precision<T>, D: Dimension>(
    panics: &mut Panics,
    name: &str,
    f: &KernelFn<'_, P>,
    x: &ArrayView<'_, T, D>,
    others: &[ArrayView<'_, T, D>],
) {
    panics.call(format!("{name}: nngp"), || f.nngp(x).is_ok());
    panics.call(format!("{name}: ntk"), || f.ntk(x).is_ok());
    panics.call(format!("{name}: kernels"), || f.kernels(x).is_ok());
    panics.call(format!("{name}: diagonal"), || f.kernel_diagonal(x).is_ok());
    panics.call(format!("{name}: by layer"), || {
        f.kernels_by_layer(x).is_ok()
    });
    panics.call(format!("{name}: tiles"), || {
        let tiles = f.tiles(Kernel::Ntk, x);
        tiles.is_ok_and(|tiles| {
            let places = [(0, 0), (1, 0), (0, 1), (usize::MAX, usize::MAX)];
            places.map(|place| tiles.tile(place).is_ok()) == [true; 4]
        })
    });
    for other in others {
        let name = format!("{name} with {:?}", other.shape());
        panics.call(format!("{name}: nngp"), || f.nngp_between(x, other).is_ok());
        panics.call(format!("{name}: ntk"), || f.ntk_between(x, other).is_ok());
        panics.call(format!("{name}: kernel"), || {
            f.kernel_between(Kernel::Nngp, x, other).is_ok()
        });
        panics.call(format!("{name}: kernels"), || {
            f.kernels_between(x, other).is_ok()
        });
        panics.call(format!("{name}: by layer"), || {
            f.kernels_by_layer_between(x, other).is_ok()
        });
        panics.call(format!("{name}: tiles"), || {
            let tiles = f.tiles_between(Kernel::Nngp, x, other);
            tiles.is_ok_and(|tiles| tiles.tile((0, usize::MAX)).is_ok())
        });
    }
}

#[test]
fn working_memory() {
    let mut panics = Panics::default();
    let huge = usize::MAX;
    let axes: Vec<Shape> = vec![
        Shape::features(0),
        Shape::features(huge),
        [huge, 1].into(),
        [1 << 25, 3].into(),
        [5, huge].into(),
        [huge, huge, huge].into(),
        [1 << 40, 1, 1].into(),
        [4, 4, 2].into(),
        Shape::new([2, 2, 2], 2),
    ];
    for (number, network) in networks().iter().enumerate() {
        for shape in &axes {
            for (n, m) in [(0, None), (3, Some(0)), (huge, Some(huge))] {
                panics.call(format!("network {number}, {shape}"), || {
                    network
                        .kernel_fn()
                        .working_memory::<f64>(shape, n, m)
                        .is_ok()
                });
            }
        }
    }
    panics.none();
}

#[test]
fn kernels() {
    let mut panics = Panics::default();
    let samples = samples();
    let views: Vec<_> = samples.iter().map(|(_, x)| x.view()).collect();
    let singles: Vec<_> = samples.iter().map(|(_, x)| x.mapv(|v| v as f32)).collect();
    let single_views: Vec<_> = singles.iter().map(|x| x.view()).collect();
    for (number, network) in networks().iter().enumerate() {
        for ((name, x), single) in samples.iter().zip(&single_views) {
            let name = format!("network {number}, {name}");
            let f = network.kernel_fn();
            kernel_calls(&mut panics, &name, &f, &x.view(), &views);
            kernel_calls(&mut panics, &format!("{name}, f32"), &f, single, &[]);
            let f = f.precision::<f32>().distinct();
            kernel_calls(&mut panics, &format!("{name}, in f32"), &f, &x.view(), &[]);
            // A view whose every axis runs backwards, with gaps and exchanged axes.
            let mut reversed = x.view();
            (0..x.ndim()).for_each(|axis| reversed.invert_axis(Axis(axis)));
            let name = format!("{name}, reversed");
            let f = network.kernel_fn();
            kernel_calls(&mut panics, &name, &f, &reversed, &[reversed.view()]);
            let exchanged = x.t();
            kernel_calls(
                &mut panics,
                &format!("{name} and turned"),
                &f,
                &exchanged,
                &[],
            );
            for tile in [0, 1, usize::MAX] {
                let name = format!("{name}, tile {tile}");
                kernel_calls(&mut panics, &name, &f.tile(tile), &x.view(), &[]);
            }
        }
    }
    panics.none();
}

#[test]
fn duals() {
    let mut panics = Panics::default();
    for (number, f) in activations().iter().enumerate() {
        for x in NUMBERS {
            panics.call(format!("{number} {f:?}: at {x}"), || f.at(x));
            panics.call(format!("{number} {f:?}: diagonal {x}"), || {
                (f.diagonal(x), f.diagonal(x as f32))
            });
            for y in [0.0, 1.0, -1.0, f64::MAX, f64::NAN] {
                panics.call(format!("{number} {f:?}: dual {x} {y}"), || {
                    let single = f.dual(x as f32, y as f32, y as f32);
                    (f.dual(x, y, x), f.dual(x, x, y), single)
                });
            }
        }
        let values: Vec<f64> = f.parameters().into_iter().map(|p| p.1).collect();
        assert!(f.with_parameters(&values).is_ok());
        for x in NUMBERS {
            panics.call(format!("{number} {f:?}: gradients {x}"), || {
                for y in [0.0, 1.0, -1.0, f64::MAX, f64::NAN] {
                    let single = f.dual_gradient(x as f32, y as f32, y as f32);
                    assert_eq!(f.dual_gradient(x, y, x).is_ok(), single.is_ok());
                    let _ = f.dual_parameter_gradient(x, y, x);
                    let _ = f.dual_parameter_gradient(x as f32, y as f32, y as f32);
                }
                f.diagonal_gradient(x).is_ok() == f.diagonal_gradient(x as f32).is_ok()
            });
            panics.call(format!("{number} {f:?}: parameters {x}"), || {
                let f = f.with_parameters(&vec![x; values.len()]).unwrap();
                f.dual(1.0, 1.0, 0.5)
            });
        }
        assert!(f.with_parameters(&vec![1.0; values.len() + 1]).is_err());
        panics.call(format!("{number} {f:?}: rows"), || {
            let samples = f.samples(&NUMBERS);
            let n = NUMBERS.len();
            assert_eq!((samples.len(), samples.is_empty()), (n, false));
            let (mut nngp, mut ntk) = (NUMBERS, NUMBERS);
            for x in NUMBERS {
                assert!(f.map_row(x, &samples, &mut nngp, &mut ntk).is_ok());
            }
            assert!(f.map_row(1.0, &samples, &mut [], &mut ntk).is_err());
            assert!(f.map_row(1.0, &samples, &mut nngp, &mut [0.0; 1]).is_err());
            let none = f.samples::<f32>(&[]);
            assert!(none.is_empty());
            assert!(f.map_row(1.0, &none, &mut [], &mut []).is_ok());
            let other = quadrature(Function::Tanh, 9).samples(&NUMBERS);
            let _ = f.map_row(1.0, &other, &mut nngp, &mut ntk);
        });
        panics.call(format!("{number} {f:?}: text"), || (f.to_string(), f == f));
        // Each of them evaluates the dual up to a thousand times, and a critical line some hundred of them.
        for (x, y) in NUMBERS.iter().flat_map(|&x| [(x, 0.3), (0.3, x), (x, x)]) {
            panics.call(format!("{number} {f:?}: fixed point {x} {y}"), || {
                let found = fixed_point(f, x, y);
                found.is_ok_and(|at| !at.variance.is_nan() && !at.chi.is_nan() || panic!("{at:?}"))
            });
        }
        for b_std in [0.0, -1.0, f64::MAX, f64::NAN] {
            panics.call(format!("{number} {f:?}: critical {b_std}"), || {
                let found = critical_w_std(f, b_std);
                found.is_ok_and(|w_std| w_std.is_finite() || panic!("{w_std}"))
            });
        }
    }
    for (x, y) in NUMBERS.iter().flat_map(|&x| NUMBERS.map(|y| (x, y))) {
        panics.call(format!("angle {x} {y}"), || {
            (angle(x, y), angle(x as f32, y as f32))
        });
        for f in [
            Function::Tanh,
            Function::Softplus,
            Function::Silu,
            Function::Sigmoid,
        ] {
            panics.call(format!("{f:?} {x}"), || (f.value(x), f.derivative(x)));
        }
    }
    panics.none();
}

#[test]
fn gram() {
    let mut panics = Panics::default();
    let matrices: Vec<Array2<f64>> = vec![
        Array2::zeros((0, 0)),
        Array2::zeros((0, 3)),
        Array2::zeros((3, 0)),
        Array2::ones((3, 3)),
        Array2::ones((5, 2)),
        array![[f64::NAN, 1.0]],
        Array2::from_elem((2, 2), f64::MAX),
    ];
    for x in &matrices {
        panics.call("squared_norms", || squared_norms(x));
        panics.call("squared_norms, turned", || squared_norms(&x.t()));
        for tile in [0, 1, 2, usize::MAX] {
            let gram = Gram::default().tile(tile);
            let copy = |row: TileRow<'_, f64>, [k]: [&mut [f64]; 1]| k.copy_from_slice(row.inner);
            let name = format!("{:?}, tile {tile}", x.dim());
            panics.call(format!("of {name}"), || gram.of(x, copy).is_ok());
            panics.call(format!("of {name}, backwards"), || {
                let map = |_: TileRow<'_, f64>, _: [&mut [f64]; 0]| {};
                gram.of(&x.slice(s![..;-1, ..;-2]), map).is_ok()
            });
            for y in &matrices {
                panics.call(format!("between {name} and {:?}", y.dim()), || {
                    gram.between(x, y, copy).is_ok() && gram.between(&x.t(), y, copy).is_ok()
                });
            }
        }
    }
    panics.none();
}
