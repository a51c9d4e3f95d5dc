use super::*;
use ndarray::{Array3, Axis, array};
use ntk_kernels::predict::Loss;
use ntk_kernels::{EstimatorError, GradientFlow, Kernel, KernelRidge};

fn apart(a: &Array3<f64>, b: &Array3<f64>) -> f64 {
    assert_eq!(a.dim(), b.dim());
    (a - b).mapv(f64::abs).fold(0.0, |most, &gap| most.max(gap))
}

#[test]
fn it_begins_at_zero_and_ends_in_regression() {
    let network = dense_network();
    let (x, z) = (numbers(1, (10, 4)), numbers(2, (3, 4)));
    let y: Array2<f64> = numbers(3, (10, 2));
    for kernel in [Kernel::Ntk, Kernel::Nngp] {
        for ridge in [0.0, 0.1] {
            let regression = KernelRidge::new(&network).kernel(kernel).alpha(ridge);
            let regression = regression.fit(&x, &y).unwrap();
            let flow = GradientFlow::new(&network).kernel(kernel).ridge(ridge);
            let flow = flow.fit(&x, &y).unwrap();
            assert_eq!(flow.ridge_added(), ridge);
            let end = flow.predict(&z).unwrap();
            assert!(distance(&end, &regression.predict(&z).unwrap()) < 1e-8);
            let path = flow.predict_at(&z, &[0.0, 1e12, f64::INFINITY]).unwrap();
            assert_eq!(path.index_axis(Axis(0), 0), Array2::<f64>::zeros((3, 2)));
            assert_eq!(path.index_axis(Axis(0), 2), end);
            assert!(distance(&path.index_axis(Axis(0), 1), &end) < 1e-4);
            let train = flow.training_outputs(&[0.0, f64::INFINITY]).unwrap();
            assert!(distance(&train.index_axis(Axis(0), 1), &y) < 1e-9);
            let scores = [flow.score(&x, &y), regression.score(&x, &y)].map(Result::unwrap);
            assert!((scores[0] - scores[1]).abs() < 1e-8);
        }
    }
}

/// The solver of differential equations knows nothing of the closed form.
#[test]
fn the_closed_form_is_what_the_solver_finds() {
    let network = dense_network();
    let (x, z) = (numbers(4, (8, 4)), numbers(5, (3, 4)));
    let y: Array2<f64> = numbers(6, (8, 2));
    let times = [0.5, 20.0, 300.0];
    let base = GradientFlow::new(&network)
        .learning_rate(0.3)
        .ridge(0.05)
        .tolerance(1e-9, 1e-9);
    for momentum in [None, Some(0.9)] {
        let base = momentum.map_or(base.clone(), |m| base.clone().momentum(m));
        let closed = base.clone().loss(Loss::MeanSquare).fit(&x, &y).unwrap();
        let solved = base
            .clone()
            .loss(Loss::MeanPower { power: 2.0 })
            .fit(&x, &y)
            .unwrap();
        let (one, two) = (closed.predict_at(&z, &times), solved.predict_at(&z, &times));
        assert!(apart(&one.unwrap(), &two.unwrap()) < 1e-5);
        let (one, two) = (
            closed.training_outputs(&times),
            solved.training_outputs(&times),
        );
        assert!(apart(&one.unwrap(), &two.unwrap()) < 1e-5);
        // Twice the loss is half the loss at twice the rate.
        let half = base.learning_rate(0.6).fit(&x, &y).unwrap();
        let (one, two) = (closed.predict_at(&z, &times), half.predict_at(&z, &times));
        assert!(apart(&one.unwrap(), &two.unwrap()) < 1e-12);
    }
}

#[test]
fn other_losses_have_finite_times_alone() {
    let network = dense_network();
    let x: Array2<f64> = numbers(7, (9, 4));
    let y = one_hot(9, 3);
    let flow = GradientFlow::new(&network)
        .loss(Loss::CrossEntropy)
        .fit(&x, &y)
        .unwrap();
    let told = flow.predict(&x).unwrap_err();
    let no_end = EstimatorError::NoEnd {
        loss: Loss::CrossEntropy,
    };
    assert_eq!(told, no_end);
    assert_eq!(flow.training_outputs(&[1.0, f64::INFINITY]), Err(no_end));
    let times = [0.0, 10.0, 1000.0];
    let (train, test) = (
        flow.training_outputs(&times).unwrap(),
        flow.predict_at(&x, &times).unwrap(),
    );
    assert!(apart(&train, &test) < 1e-9);
    let loss = |t: usize| {
        let f = train.index_axis(Axis(0), t);
        Loss::CrossEntropy.with_gradient(&f, &y).unwrap().0
    };
    assert!((loss(0) - 3.0_f64.ln()).abs() < 1e-12);
    assert!(loss(2) < loss(1) && loss(1) < loss(0));
}

#[test]
fn settings_out_of_range_are_told() {
    let network = dense_network();
    let (x, y) = (numbers::<f64, _>(8, (3, 4)), array![1.0, 2.0, 3.0]);
    let flow = || GradientFlow::new(&network);
    for flow in [
        flow().learning_rate(0.0),
        flow().learning_rate(f64::NAN),
        flow().loss(Loss::MeanSquare).learning_rate(f64::MAX),
        flow().momentum(1.0),
        flow().momentum(-0.1),
        flow().tolerance(0.0, 1.0),
        flow().tolerance(1.0, f64::INFINITY),
        flow().ridge(-1.0),
        flow().loss(Loss::MeanPower { power: 0.5 }),
        flow().loss(Loss::MeanPower { power: f64::NAN }),
        flow().loss(Loss::QuadraticHinge { margin: f64::NAN }),
    ] {
        let told = flow.fit(&x, &y).unwrap_err();
        assert!(matches!(told, EstimatorError::Predict(_)), "{told}");
    }
    for loss in [Loss::HalfMeanSquare, Loss::MeanPower { power: 4.0 }] {
        let fitted = flow().loss(loss).fit(&x, &y).unwrap();
        for times in [[1.0, 0.5], [-1.0, 1.0], [f64::NAN, 1.0]] {
            let told = fitted.predict_at(&x, &times).unwrap_err();
            assert!(matches!(told, EstimatorError::Predict(_)), "{told}");
        }
        assert_eq!(fitted.predict_at(&x, &[]).unwrap().dim(), (0, 3, 1));
    }
}
