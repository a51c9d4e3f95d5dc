//! The structured kernel against the plain contraction, on every kind of layer.

use super::factors::{Form, sites};
use super::{EmpiricalKernelFn, MonteCarlo, Trace, traced};
use crate::ModelError;
use crate::testing::{images, networks, samples, structures, vectors};
use crate::{Init, Model};
use approx::assert_relative_eq;
use ndarray::{Array2, Array4, s};
use ntk_kernels::Kernel;
use ntk_kernels::network::*;

fn far(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    assert_eq!(a.dim(), b.dim());
    let scale = b.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    (a - b).iter().fold(0.0_f64, |m, v| m.max(v.abs())) / scale.max(1e-300)
}

#[test]
fn structured_is_the_contraction() {
    for (name, network, input) in networks() {
        let model = Model::<f64>::new(&network, &input, Init::default(), 3).unwrap();
        let samples = |n, seed| samples(&network, &input, n, seed);
        let (x1, x2) = (samples(5, 1), samples(3, 2));
        let structures = [(5, 1), (3, 2)].map(|(n, seed)| structures(&network, &input, n, seed));
        let [one, two] = &structures;
        for ((one, two), trace) in one
            .iter()
            .zip(two)
            .flat_map(|pair| [Trace::Traced, Trace::Full].map(|trace| (pair, trace)))
        {
            for x2 in [None, Some(x2.view())] {
                let ntk = |kernel_fn: EmpiricalKernelFn<'_, f64>| {
                    let kernel_fn = kernel_fn.trace(trace).structures(one, two);
                    match &x2 {
                        None => kernel_fn.ntk(&x1).unwrap(),
                        Some(x2) => kernel_fn.ntk_between(&x1, x2).unwrap(),
                    }
                };
                let ours = ntk(model.kernel_fn());
                let plain = ntk(model.kernel_fn().by_contraction());
                let error = far(&ours, &plain);
                assert!(error <= 1e-13, "{name} {trace:?}: {error:e}");
                if x2.is_none() {
                    assert_eq!(ours, ours.t(), "{name}");
                }
            }
        }
    }
}

#[test]
fn both_forms_of_convolutions_agree_with_the_contraction() {
    // Few positions and many channels: Gram matrices over positions; the reverse: rows.
    for (size, channels) in [(2, 12), (6, 2)] {
        let network = Network::new()
            .then(conv([2, 2]).same().channels(channels).b_std(0.3))
            .then(erf(1.0, 1.0, 0.0))
            .then(conv([2, 2]).same().channels(channels))
            .then(relu())
            .then(flatten())
            .then(dense().width(2));
        let input = Shape::new([size, size], 3);
        let model = Model::<f64>::new(&network, &input, Init::default(), 3).unwrap();
        let x = images(&input, 7, 4);
        for trace in [Trace::Traced, Trace::Full] {
            let ours = model.kernel_fn().trace(trace).ntk(&x).unwrap();
            let plain = model
                .kernel_fn()
                .by_contraction()
                .trace(trace)
                .ntk(&x)
                .unwrap();
            assert!(far(&ours, &plain) <= 1e-13);
        }
    }
}

/// Few samples take another form than many, with every output's positions: it gives the same, in as
/// little memory.
#[test]
fn few_samples_are_the_first_of_many() {
    let network = Network::new()
        .then(conv([3, 3]).same().channels(6).b_std(0.2))
        .then(relu())
        .then(flatten())
        .then(dense().width(96));
    let input = Shape::new([5, 5], 64);
    let model = Model::<f64>::new(&network, &input, Init::default(), 3).unwrap();
    let x = images(&input, 40, 4);
    let rows = model.rows((&x).into()).unwrap();
    let by_positions = |n| {
        let sites = sites(&model, rows.all().of(0..1), n, Trace::Traced);
        sites.iter().any(|site| site.form == Form::Positions)
    };
    assert!(by_positions(2) && !by_positions(40));
    let few = x.slice_axis(ndarray::Axis(0), (..2).into());
    let many = model.ntk(&x).unwrap();
    let found = model.ntk(&few).unwrap();
    assert!(far(&found, &many.slice(s![..2, ..2]).to_owned()) <= 1e-13);
    let plain = model.kernel_fn().by_contraction().ntk(&few).unwrap();
    assert!(far(&found, &plain) <= 1e-13);
    // A square of outputs times positions alone would be 46 MB a thread.
    assert!(model.kernel_fn().working_memory(2, None) < (96_u64 * 25).pow(2) * 8);
}

#[test]
fn what_no_machine_holds_is_refused() {
    let network = Network::new().then(dense().width(1000));
    let model = Model::<f64>::new(&network, 1, Init::default(), 0).unwrap();
    let needed = model.kernel_fn().full().working_memory(usize::MAX, None);
    assert_eq!(needed, u64::MAX);
    // A kernel of 10^16 numbers.
    let x = Array2::<f64>::zeros((100_000, 1));
    let error = model.kernel_fn().full().ntk(&x).unwrap_err();
    assert!(matches!(error, ModelError::Memory { bytes } if bytes >= 80_000_000_000_000_000));
    let wide = Network::new().then(dense().width(1_000_000_000_000));
    assert_eq!(Model::<f64>::memory(&wide, 4).unwrap(), 64_000_000_000_000);
    let error = Model::<f64>::new(&wide, 4096, Init::default(), 0).unwrap_err();
    assert!(matches!(error, ModelError::TooLarge { .. }), "{error}");
}

/// A view of one sample has as many as it says, of which the results would have to have memory.
#[test]
fn more_samples_than_memory_are_refused() {
    let network = Network::new()
        .then(dense().width(4))
        .then(relu())
        .then(dense().width(1 << 10));
    let model = Model::<f64>::new(&network, 1, Init::default(), 0).unwrap();
    let one = Array2::<f64>::ones((1, 1));
    let [x, y] = [1, 1 << 10].map(|columns| one.broadcast((1 << 46, columns)).unwrap());
    let kernel_fn = model.kernel_fn();
    let means = MonteCarlo::new(&network, 0..2);
    let errors = [
        model.forward(&x).err(),
        model.activations(&x).err(),
        model.jacobian(&x).err(),
        model.vjp(&x, &y).err(),
        model.jvp(&x, &model.parameters()).err(),
        model.gradient(&x, &y, crate::Loss::MeanSquare).err(),
        model.linearize().forward(&x).err(),
        model.ntk(&x).err(),
        model.ntk_product(&x, &y).err(),
        kernel_fn.full().ntk_between(&x, &one).err(),
        kernel_fn.nngp(&x).err(),
        kernel_fn.full().nngp(&x).err(),
        kernel_fn.by_contraction().ntk(&x).err(),
        means.ntk(&x).err(),
        means.nngp_between(&one, &x).err(),
    ];
    for (number, error) in errors.into_iter().enumerate() {
        let refused = matches!(error, Some(ModelError::Memory { .. }));
        assert!(refused, "{number}: {error:?}");
    }
    // The samples fit: what is computed of them does not.
    let wide = Network::new().then(dense().width(1 << 22));
    let model = Model::<f64>::new(&wide, 1, Init::default(), 0).unwrap();
    let x = Array2::<f64>::ones((1 << 23, 1));
    for error in [
        model.forward(&x).err(),
        model.jacobian(&x).err(),
        model.activations(&x).err(),
    ] {
        let refused = matches!(error, Some(ModelError::Memory { .. }));
        assert!(refused, "{error:?}");
    }
}

#[test]
fn what_is_not_finite_is_refused() {
    let network = Network::new()
        .then(dense().width(16))
        .then(relu())
        .then(dense().width(2));
    let model = Model::<f64>::new(&network, 2, Init::default(), 0).unwrap();
    let mut x = Array2::from_elem((3, 2), 1.0);
    x.row_mut(1).fill(1e308);
    let place = |error: ModelError| match error {
        ModelError::NotFinite { what, place, .. } => (what, place),
        error => panic!("{error}"),
    };
    // Its output is finite, and the square of it is not.
    for kernel in [Kernel::Nngp, Kernel::Ntk] {
        let (what, place) = place(model.kernel_fn().kernel(kernel, &x).unwrap_err());
        let start = format!("the empirical {kernel} of x1[");
        assert!(
            what.starts_with(&start) && what.ends_with("with x1[1]"),
            "{what}"
        );
        assert!(
            place.contains("products") || place.contains("layers"),
            "{place}"
        );
    }
    let (what, _) = place(model.kernel_fn().ntk_trace(&x).unwrap_err());
    assert_eq!(what, "the trace of the empirical ntk");
    let large = model.cast::<f32>();
    let mut weights = large.parameters();
    weights[1].fill(3e38);
    let mut large = large;
    large.set_parameters(weights).unwrap();
    let error = large.forward(&Array2::from_elem((2, 2), 9.0)).unwrap_err();
    assert!(error.to_string().contains("compute in f64"), "{error}");
    let (what, layer) = place(error);
    assert!(
        what.starts_with("output ") && what.ends_with("of x[0]"),
        "{what}"
    );
    assert_eq!(layer, "layers[2].dense");
    assert!(large.jacobian(&Array2::from_elem((2, 2), 9.0_f32)).is_err());
    x[[2, 0]] = f64::NAN;
    let (_, place) = place(model.forward(&x.slice(s![2.., ..])).unwrap_err());
    assert_eq!(place, "the input");
}

#[test]
fn traced_is_the_mean_of_the_full() {
    let network = Network::new()
        .then(dense().width(9))
        .then(gelu())
        .then(dense().width(4));
    let input = Shape::features(6);
    let model = Model::<f64>::new(&network, &input, Init::default(), 1).unwrap();
    let x = images(&input, 11, 5);
    let full = model.kernel_fn().full().ntk(&x).unwrap();
    let ours = model.ntk(&x).unwrap();
    let mean = traced(&full, 4).unwrap();
    assert_relative_eq!(ours, mean, max_relative = 1e-12);
    let trace = full.diag().sum() / 44.0;
    assert_relative_eq!(ours.diag().sum() / 11.0, trace, max_relative = 1e-13);
}

#[test]
fn products_need_no_matrix() {
    for (name, network, input) in networks() {
        let model = Model::<f64>::new(&network, &input, Init::default(), 8).unwrap();
        let x = samples(&network, &input, 4, 3);
        let o = model.outputs();
        let v = vectors(4, o, 9);
        let full = model.kernel_fn().by_contraction().full().ntk(&x).unwrap();
        let flat = v.clone().into_shape_with_order((4 * o, 1)).unwrap();
        let expected = full.dot(&flat).into_shape_with_order((4, o)).unwrap();
        let ours = model.ntk_product(&x, &v).unwrap();
        assert!(far(&ours, &expected) <= 1e-13, "{name}");
    }
}

#[test]
fn the_linearised_network_is_the_first_order() {
    let network = Network::new()
        .then(dense().width(7))
        .then(erf(1.0, 1.0, 0.1))
        .then(dense().width(2));
    let input = Shape::features(3);
    let mut model = Model::<f64>::new(&network, &input, Init::default(), 2).unwrap();
    let x = images(&input, 5, 6);
    let before = model.parameters();
    let errors: Vec<f64> = [1e-3, 1e-4]
        .into_iter()
        .map(|size| {
            model.set_parameters(before.clone()).unwrap();
            let moved: Vec<_> = before
                .iter()
                .map(|p| p.mapv(|v| size * (3.0 * v).sin()))
                .collect();
            let mut linear = model.linearize();
            linear.change_mut().clone_from_slice(&moved);
            let linear = linear.forward(&x).unwrap();
            let after = before.iter().zip(&moved).map(|(a, b)| a + b).collect();
            model.set_parameters(after).unwrap();
            let far = model.forward(&x).unwrap() - linear;
            far.iter().fold(0.0_f64, |m, v| m.max(v.abs()))
        })
        .collect();
    // What is left is of second order.
    assert!(
        (errors[0] / errors[1] / 100.0 - 1.0).abs() < 0.05,
        "{errors:?}"
    );
}

#[test]
fn few_samples_and_wrong_shapes() {
    let network = Network::new()
        .then(dense().width(3))
        .then(relu())
        .then(flatten())
        .then(dense().width(2));
    let input = Shape::new([2, 2], 1);
    let model = Model::<f32>::new(&network, &input, Init::default(), 0).unwrap();
    let none = Array4::<f32>::zeros((0, 2, 2, 1));
    let some = Array4::<f32>::ones((2, 2, 2, 1));
    let ntk = |x1: &Array4<f32>, x2: Option<&Array4<f32>>, trace| {
        let kernel_fn = model.kernel_fn().trace(trace);
        let found = match x2 {
            None => kernel_fn.ntk(x1),
            Some(x2) => kernel_fn.ntk_between(x1, x2),
        };
        found.unwrap().dim()
    };
    assert_eq!(ntk(&none, None, Trace::Full), (0, 0));
    assert_eq!(ntk(&some, Some(&none), Trace::Full), (4, 0));
    assert_eq!(ntk(&none, Some(&some), Trace::Traced), (0, 2));
    let zeros = model.ntk(&Array4::zeros((2, 2, 2, 1))).unwrap();
    assert_eq!(zeros, Array2::<f32>::zeros((2, 2)));
    let wrong = Array4::<f32>::ones((2, 2, 3, 1));
    let error = model.ntk(&wrong).unwrap_err().to_string();
    assert!(
        error.contains("(n, 2, 2, 1)") && error.contains("[2, 2, 3, 1]"),
        "{error}"
    );
    let rows = some.slice(s![.., .., .., 0]);
    assert!(model.ntk(&rows).is_err());
}

#[test]
fn an_observer_stops_it() {
    struct Stop;
    impl ntk_linalg::Observer for Stop {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let network = Network::new().then(dense().width(2));
    let model = Model::<f64>::new(&network, Shape::features(3), Init::default(), 0).unwrap();
    let error = model
        .kernel_fn()
        .observer(&Stop)
        .ntk(&vectors(4, 3, 1))
        .unwrap_err();
    assert_eq!(error, ModelError::Cancelled(ntk_linalg::Cancelled));
}
