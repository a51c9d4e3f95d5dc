use super::*;
use ndarray::{Array1, Array4, ArrayD, Ix2, IxDyn, array, s};
use ntk_kernels::{
    Choice, EstimatorError, GaussianProcess, GradientFlow, KernelError, KernelRidge, Landmarks,
    Solver,
};
use ntk_linalg::{Cancelled, Observer};

/// What each of the ways to fit says.
fn fits<T: Real, D: Dimension, E: Dimension>(
    network: &Network,
    x: &ArrayRef<T, D>,
    y: &ArrayRef<T, E>,
) -> [Result<(), EstimatorError>; 7] {
    [
        KernelRidge::new(network).fit(x, y).map(|_| ()),
        KernelRidge::new(network).path(x, y).map(|_| ()),
        GaussianProcess::nngp(network).fit(x, y).map(|_| ()),
        GaussianProcess::ntk_ensemble(network).fit(x, y).map(|_| ()),
        GradientFlow::new(network).fit(x, y).map(|_| ()),
        Landmarks::new(network).fit(x, y).map(|_| ()),
        Landmarks::new(network).fit_points(x, x, y).map(|_| ()),
    ]
}

#[test]
fn samples_and_targets_that_do_not_fit_are_told() {
    let network = dense_network();
    let x: Array2<f64> = numbers(1, (4, 3));
    let y: Array1<f64> = numbers(2, 4);
    for told in fits(&network, &x, &numbers::<f64, _>(2, 5)) {
        assert_eq!(
            told,
            Err(EstimatorError::TargetRows {
                samples: 4,
                targets: 5
            })
        );
    }
    for told in fits(&network, &x, &numbers::<f64, _>(2, (4, 1, 1))) {
        assert_eq!(
            told,
            Err(EstimatorError::TargetAxes {
                found: vec![4, 1, 1]
            })
        );
    }
    for told in fits(&network, &x, &ArrayD::<f64>::zeros(IxDyn(&[]))) {
        assert_eq!(told, Err(EstimatorError::TargetAxes { found: vec![] }));
    }
    for found in [vec![], vec![4], vec![4, 1, 1, 1, 1, 1]] {
        let x = ArrayD::<f64>::zeros(IxDyn(&found));
        for told in fits(&network, &x, &y) {
            let axes = KernelError::Axes {
                found: found.clone(),
            };
            assert_eq!(told, Err(EstimatorError::Kernel(axes)));
        }
    }
    for told in fits(&network, &x.slice(s![..0, ..]), &y.slice(s![..0])) {
        let nothing = EstimatorError::Nothing {
            samples: 0,
            outputs: 1,
        };
        assert_eq!(told, Err(nothing));
    }
    for told in fits(&network, &x, &Array2::zeros((4, 0))) {
        assert!(matches!(
            told,
            Err(EstimatorError::Nothing { outputs: 0, .. })
        ));
    }
    for told in fits(&network, &x.slice(s![.., ..0]), &y) {
        let empty = matches!(told, Err(EstimatorError::Kernel(KernelError::Empty { .. })));
        assert!(empty, "{told:?}");
    }
    for bad in [f64::NAN, f64::INFINITY] {
        let (mut x, mut y) = (x.clone(), y.clone());
        y[2] = bad;
        for told in fits(&network, &x, &y) {
            assert!(matches!(told, Err(EstimatorError::Predict(_))), "{told:?}");
        }
        x[[1, 2]] = bad;
        for told in fits(&network, &x, &Array1::zeros(4)) {
            assert!(matches!(told, Err(EstimatorError::Kernel(_))), "{told:?}");
        }
    }
    // A network without an output to speak of, and one for images.
    for network in [Network::new().then(conv([3, 3])), image_network()] {
        for told in fits(&network, &x, &y) {
            assert!(told.is_err());
        }
    }
    // Numbers that overflow.
    let huge = Array2::from_elem((4, 3), f32::MAX);
    for told in fits(&network, &huge, &Array1::from_elem(4, f32::MAX)) {
        assert!(told.is_err());
    }
}

#[test]
fn singular_kernels_and_bad_ridges_are_told() {
    let network = dense_network();
    let x = array![[1.0, 2.0], [1.0, 2.0]];
    let y = array![1.0, 2.0];
    let told = KernelRidge::new(&network).fit(&x, &y).unwrap_err();
    assert!(told.to_string().contains("repeated sample"), "{told}");
    assert!(GaussianProcess::ntk(&network).fit(&x, &y).is_err());
    let path = KernelRidge::new(&network).path(&x, &y).unwrap();
    assert_eq!(path.errors(&[0.0]).unwrap(), [f64::INFINITY]);
    assert!(path.at(0.0).is_err());
    assert!(path.best(&[0.0]).is_err());
    assert!(path.best::<f64>(&[]).is_err());
    assert_eq!(path.best(&[0.0, 0.5]).unwrap(), 0.5);
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(path.errors(&[bad]).is_err());
        assert!(path.at(bad).is_err());
        assert!(path.leave_one_out(bad).is_err());
        assert!(KernelRidge::new(&network).alpha(bad).fit(&x, &y).is_err());
        assert!(
            GaussianProcess::nngp(&network)
                .noise(bad)
                .fit(&x, &y)
                .is_err()
        );
    }
    // A flow does not move along the null space.
    let flow = GradientFlow::new(&network).fit(&x, &y).unwrap();
    let end = flow.predict(&x).unwrap();
    assert!(distance(&end, &array![[1.5], [1.5]]) < 1e-9);
}

#[test]
fn predictions_of_other_samples_are_told() {
    let network = dense_network();
    let (x, y) = (numbers::<f64, _>(1, (4, 3)), numbers::<f64, _>(2, 4));
    let ridge = KernelRidge::new(&network).fit(&x, &y).unwrap();
    let process = GaussianProcess::ntk_ensemble(&network).fit(&x, &y).unwrap();
    let flow = GradientFlow::new(&network).fit(&x, &y).unwrap();
    let landmarks = Landmarks::new(&network).alpha(0.1).count(2).block(3);
    let landmarks = landmarks.fit(&x, &y).unwrap();
    let mut nan = x.clone();
    nan[[0, 0]] = f64::NAN;
    let others: [ArrayD<f64>; 6] = [
        numbers(3, (2, 4)).into_dyn(),
        numbers(3, 3).into_dyn(),
        ArrayD::zeros(IxDyn(&[])),
        Array4::zeros((2, 1, 1, 3)).into_dyn(),
        Array2::zeros((2, 0)).into_dyn(),
        nan.into_dyn(),
    ];
    for z in &others {
        let told = [
            ridge.predict(z).err(),
            ridge.predict_classes(z).err(),
            ridge.score(z, &y).err(),
            ridge.accuracy(z, &y).err(),
            process.predict(z).err(),
            process.predict_with_variance(z).err(),
            process.predict_with_covariance(z).err(),
            process.sample(z, 1, 1).err(),
            flow.predict(z).err(),
            flow.predict_at(z, &[1.0]).err(),
            landmarks.predict(z).err(),
            landmarks.predict_classes(z).err(),
            landmarks.score(z, &y).err(),
            landmarks.accuracy(z, &y).err(),
        ];
        for told in told {
            assert!(
                matches!(told, Some(EstimatorError::Kernel(_))),
                "{told:?} {z:?}"
            );
        }
    }
    let none = x.slice(s![..0, ..]);
    assert_eq!(ridge.predict(&none).unwrap().dim(), (0, 1));
    assert_eq!(flow.predict_at(&none, &[1.0]).unwrap().dim(), (1, 0, 1));
    assert_eq!(landmarks.predict(&none).unwrap().dim(), (0, 1));
    assert!(landmarks.score(&none, &y.slice(s![..0])).is_err());
    assert!(flow.training_outputs(&[f64::NAN]).is_err());
    assert!(ridge.score(&none, &y.slice(s![..0])).is_err());
}

struct Stop;

impl Observer for Stop {
    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn observers_stop_a_fit() {
    let network = dense_network();
    let (x, y) = (numbers::<f64, _>(1, (4, 3)), numbers::<f64, _>(2, 4));
    let told = [
        KernelRidge::new(&network).observer(&Stop).fit(&x, &y).err(),
        KernelRidge::new(&network)
            .observer(&Stop)
            .path(&x, &y)
            .err(),
        GaussianProcess::nngp(&network)
            .observer(&Stop)
            .fit(&x, &y)
            .err(),
        GaussianProcess::ntk_ensemble(&network)
            .observer(&Stop)
            .fit(&x, &y)
            .err(),
        GradientFlow::new(&network)
            .observer(&Stop)
            .fit(&x, &y)
            .err(),
        Landmarks::new(&network).observer(&Stop).fit(&x, &y).err(),
    ];
    for told in told {
        assert_eq!(told.unwrap().to_string(), Cancelled.to_string());
    }
}

/// Sizes and arrays that make no sense, on their way through a fit over landmarks.
#[test]
fn landmarks_never_panic() {
    let network = dense_network();
    let mut arrays: Vec<ArrayD<f64>> = [vec![], vec![3], vec![3, 2], vec![0, 2], vec![3, 0]]
        .into_iter()
        .chain([vec![1, 2], vec![3, 2, 2], vec![3, 1, 1, 2]])
        .map(|shape| ArrayD::ones(IxDyn(&shape)))
        .collect();
    for value in [f64::NAN, f64::INFINITY, 1e300, -1e300, 1e-320, 0.0] {
        let mut x = Array2::ones((3, 2));
        x[[1, 1]] = value;
        arrays.push(x.into_dyn());
    }
    let targets: Vec<ArrayD<f64>> = arrays.clone();
    for (size, choice) in [0, 1, 2, 3, usize::MAX].into_iter().zip(
        [Choice::Uniform, Choice::PivotedCholesky, Choice::KMeans]
            .into_iter()
            .cycle(),
    ) {
        let set = Landmarks::new(&network).count(size).choice(choice);
        for set in [
            set.clone(),
            set.clone().block(size),
            set.alpha(0.5).block(2).samples(size),
        ] {
            for x in &arrays {
                let _ = set.partial_cholesky(x);
                for y in &targets {
                    let gradients = Solver::ConjugateGradients {
                        tolerance: 0.0,
                        iterations: size.clamp(1, 4),
                    };
                    let made = |_| {
                        let outputs = y.clone().into_dimensionality::<Ix2>();
                        let outputs = outputs.map_err(|_| EstimatorError::OnePass)?;
                        Ok::<_, EstimatorError>((x.clone(), outputs))
                    };
                    for solver in [Solver::NormalEquations, gradients] {
                        let set = set.clone().solver(solver);
                        let _ = set.fit_from_fn(&arrays[2], size, made);
                        let _ = set.fit_over(&(), x, 3, made);
                    }
                    let fitted = set.fit(x, y).or_else(|_| set.fit_points(&arrays[2], x, y));
                    if let Ok(fitted) = fitted {
                        for z in &arrays {
                            let _ = fitted.predict(z);
                            let _ = fitted.leave_one_out(z, y);
                            let _ = fitted.errors(z, y, &[0.0, f64::MAX, f64::NAN]);
                        }
                        for alpha in [f64::MAX, 1e-320, f64::NAN] {
                            let _ = fitted.at(alpha);
                        }
                    }
                    let Ok(y) = y.clone().into_dimensionality::<Ix2>() else {
                        continue;
                    };
                    for points in [x, &arrays[2]] {
                        let blocks = [(arrays[2].clone(), y.clone()), (x.clone(), y.clone())];
                        let blocks = blocks.map(Ok::<_, EstimatorError>);
                        let _ = set.fit_blocks(points, blocks);
                    }
                }
            }
        }
    }
}
