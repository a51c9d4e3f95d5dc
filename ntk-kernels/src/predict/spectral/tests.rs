use super::*;
use crate::predict::testing::{Linear, distance, tensor_identity, uniform};
use crate::predict::{KernelRegression, NngpEnsemble, Posterior, SpectralRegression};
use approx::assert_relative_eq;
use ndarray::{array, s};
use ntk_linalg::LinalgError;

const TIMES: [f64; 5] = [0.0, 0.3, 4.0, 60.0, f64::INFINITY];

fn flow<T: Real>(p: &Linear<T>, reg: impl Into<Ridge>) -> MseFlow<T> {
    MseFlow::new(&p.k_dd(), &p.y, 0.7, reg).unwrap()
}

/// Condition of the kernel times eps: what a solution loses, relative to the data of order one.
fn loss<T: Real>(flow: &MseFlow<T>) -> f64 {
    let values = flow.eigenvalues();
    let condition = values[values.len() - 1].to_f64() / values[0].to_f64();
    20.0 * values.len() as f64 * condition * T::epsilon().to_f64()
}

fn starts_and_ends<T: Real>() {
    for (seed, n, o) in [(1, 1, 1), (2, 5, 1), (3, 7, 3)] {
        let p = Linear::<T>::new(seed, n, 4, 3 * n, o);
        for reg in [Ridge::default(), Ridge::Relative(0.1)] {
            let flow = flow(&p, reg);
            let flow = flow.initial_outputs(&p.f0).unwrap();
            let times = [0.0, f64::INFINITY];
            let train = flow.train(&times).unwrap();
            let test = flow.test_from(&p.g0, &times, &p.k_td()).unwrap();
            assert_eq!(train.index_axis(Axis(0), 0), p.f0);
            assert_eq!(test.index_axis(Axis(0), 0), p.g0);
            let tolerance = loss(&flow);
            let end = train.index_axis(Axis(0), 1).to_owned();
            assert!(distance(&end, &p.y) < tolerance);
            let mut k = p.k_dd();
            let added = T::of(flow.ridge_added());
            k.diag_mut().mapv_inplace(|v| v + added);
            let residual = &p.y - &p.f0;
            let fit = KernelRegression::fit(k, &residual, 0.0).unwrap();
            let expected = fit.predict(&p.k_td()).unwrap() + &p.g0;
            let end = test.index_axis(Axis(0), 1).to_owned();
            assert!(distance(&end, &expected) < tolerance, "{reg:?}");
        }
    }
}

#[test]
fn zero_is_the_start_and_infinity_is_regression() {
    starts_and_ends::<f64>();
    starts_and_ends::<f32>();
}

#[test]
fn without_initial_outputs_they_are_zero() {
    let p = Linear::<f64>::new(9, 5, 3, 8, 2);
    let flow = flow(&p, 0.0);
    let (f0, g0) = (Array2::zeros((5, 2)), Array2::zeros((3, 2)));
    let k_td = p.k_td();
    let zeros = flow.clone().initial_outputs(&f0).unwrap();
    assert_eq!(flow.train(&TIMES), zeros.train(&TIMES));
    assert_eq!(
        flow.test(&TIMES, &k_td),
        zeros.test_from(&g0, &TIMES, &k_td)
    );
    // One without the other is refused.
    assert_eq!(
        zeros.test(&TIMES, &k_td),
        Err(PredictError::InitialOutputs { train: true })
    );
    assert_eq!(
        flow.test_from(&g0, &TIMES, &k_td),
        Err(PredictError::InitialOutputs { train: false })
    );
}

#[test]
fn a_flow_can_be_resumed() {
    let p = Linear::<f64>::new(21, 6, 4, 15, 2);
    let flow = flow(&p, 0.0).initial_outputs(&p.f0).unwrap();
    let k_td = p.k_td();
    let at_once = [1.5, 6.5, f64::INFINITY];
    let train = flow.train(&at_once).unwrap();
    let test = flow.test_from(&p.g0, &at_once, &k_td).unwrap();
    let f1 = train.index_axis(Axis(0), 0);
    let g1 = test.index_axis(Axis(0), 0);
    let later = [5.0, f64::INFINITY];
    let resumed = flow.clone().initial_outputs(&f1).unwrap();
    let train_later = resumed.train(&later).unwrap();
    let test_later = resumed.test_from(&g1, &later, &k_td).unwrap();
    let tolerance = loss(&flow);
    assert!(distance(&train.slice(s![1.., .., ..]).to_owned(), &train_later) < tolerance);
    assert!(distance(&test.slice(s![1.., .., ..]).to_owned(), &test_later) < tolerance);
}

#[test]
fn learning_rate_and_time_are_one_without_momentum() {
    let p = Linear::<f64>::new(22, 5, 2, 9, 2);
    let slow = MseFlow::new(&p.k_dd(), &p.y, 0.25, 0.0).unwrap();
    let fast = MseFlow::new(&p.k_dd(), &p.y, 1.0, 0.0).unwrap();
    // Quarters are exact.
    assert_eq!(slow.train(&[4.0]), fast.train(&[1.0]));
}

#[test]
fn a_full_kernel_is_a_traced_one_times_the_identity() {
    let o = 3;
    let p = Linear::<f64>::new(31, 4, 5, 9, o);
    for momentum in [None, Some(0.8)] {
        let build = |k: &Array2<f64>| {
            let reg = Ridge::Relative(0.05);
            let flow = MseFlow::new(k, &p.y, 0.7, reg).unwrap();
            let flow = flow.initial_outputs(&p.f0).unwrap();
            momentum.map_or(flow.clone(), |m| flow.momentum(m).unwrap())
        };
        let traced = build(&p.k_dd());
        let full = build(&tensor_identity(&p.k_dd(), o));
        let k_td = tensor_identity(&p.k_td(), o);
        let tolerance = loss(&traced);
        assert!(distance(&traced.train(&TIMES).unwrap(), &full.train(&TIMES).unwrap()) < tolerance);
        assert!(
            distance(
                &traced.test_from(&p.g0, &TIMES, &p.k_td()).unwrap(),
                &full.test_from(&p.g0, &TIMES, &k_td).unwrap()
            ) < tolerance
        );
    }
}

#[test]
fn samples_and_outputs_may_be_permuted() {
    let p = Linear::<f64>::new(41, 5, 3, 9, 2);
    let samples = [3, 0, 4, 1, 2];
    let outputs = [1, 0];
    let rows = |a: &Array2<f64>| a.select(Axis(0), &samples);
    let columns = |a: &Array2<f64>| a.select(Axis(1), &outputs);
    let q = Linear {
        x: rows(&p.x),
        z: p.z.clone(),
        y: columns(&rows(&p.y)),
        f0: columns(&rows(&p.f0)),
        g0: columns(&p.g0),
    };
    let [a, b] = [&p, &q].map(|p| flow(p, 0.0).initial_outputs(&p.f0).unwrap());
    let train = a.train(&TIMES).unwrap();
    let permuted = train.select(Axis(1), &samples).select(Axis(2), &outputs);
    let tolerance = loss(&a);
    assert!(distance(&permuted, &b.train(&TIMES).unwrap()) < tolerance);
    let test =
        |flow: &MseFlow<f64>, p: &Linear<f64>| flow.test_from(&p.g0, &TIMES, &p.k_td()).unwrap();
    assert!(distance(&test(&a, &p).select(Axis(2), &outputs), &test(&b, &q)) < tolerance);
}

/// Full-batch steps on `f = X theta`: outputs on train and test samples after `steps`.
fn descend(p: &Linear<f64>, eta: f64, momentum: f64, steps: usize) -> (Array2<f64>, Array2<f64>) {
    let entries = p.y.len() as f64;
    let mut theta = Array2::<f64>::zeros((p.x.ncols(), p.y.ncols()));
    let mut velocity = theta.clone();
    for _ in 0..steps {
        let gradient = p.x.t().dot(&(p.x.dot(&theta) - &p.y)) / entries;
        velocity = velocity * momentum - gradient;
        theta.scaled_add(eta, &velocity);
    }
    (p.x.dot(&theta), p.z.dot(&theta))
}

#[test]
fn is_the_limit_of_gradient_descent() {
    let p = Linear::<f64>::new(51, 4, 3, 6, 2);
    let flow = flow(&p, 0.0);
    let time = 8.0;
    let train = flow.train(&[time]).unwrap();
    let test = flow.test(&[time], &p.k_td()).unwrap();
    let errors = [1000, 2000].map(|steps| {
        let (f, g) = descend(&p, 0.7 * time / steps as f64, 0.0, steps);
        let error = |a: Array2<f64>, b: &Array3<f64>| distance(&a.insert_axis(Axis(0)), b);
        (error(f, &train), error(g, &test))
    });
    // Euler's error is h lambda/(n o) s/2 e^(...) of order h, and halves with the step;
    // the next order is h smaller, 1e-2 here.
    for (coarse, fine) in [(errors[0].0, errors[1].0), (errors[0].1, errors[1].1)] {
        assert!(coarse < 5e-3, "{coarse}");
        assert_relative_eq!(coarse / fine, 2.0, max_relative = 1e-2);
    }
}

#[test]
fn momentum_is_the_limit_of_the_heavy_ball() {
    let p = Linear::<f64>::new(52, 4, 3, 6, 2);
    // Under-damped in the large eigenvalues, over-damped in the small ones.
    let (gamma, s) = (0.8, 5.0);
    let errors = [2000, 4000].map(|steps| {
        let root = s / steps as f64;
        let (eta, m) = (root * root, 1.0 - gamma * root);
        let flow = MseFlow::new(&p.k_dd(), &p.y, eta, 0.0);
        let flow = flow.unwrap().momentum(m).unwrap();
        let values = flow.eigenvalues().mapv(|v| v / 8.0);
        assert!(values[0] < gamma * gamma / 4.0 && values[3] > gamma * gamma / 4.0);
        let time = [steps as f64];
        let train = flow.train(&time).unwrap();
        let test = flow.test(&time, &p.k_td()).unwrap();
        let (f, g) = descend(&p, eta, m, steps);
        let error = |a: Array2<f64>, b: &Array3<f64>| distance(&a.insert_axis(Axis(0)), b);
        (error(f, &train), error(g, &test))
    });
    for (coarse, fine) in [(errors[0].0, errors[1].0), (errors[0].1, errors[1].1)] {
        assert!(coarse < 5e-3, "{coarse}");
        assert_relative_eq!(coarse / fine, 2.0, max_relative = 1e-2);
    }
}

fn null_space_keeps_still<T: Real>() {
    // Two features, six samples: four eigenvalues are zero up to rounding.
    let p = Linear::<T>::new(61, 6, 3, 2, 2);
    let flow = flow(&p, 0.0);
    assert_eq!(flow.null_dimension(), 4);
    assert!(flow.eigenvalues().iter().all(|&v| v >= T::zero()));
    let flow = flow.initial_outputs(&p.f0).unwrap();
    let train = flow.train(&[1e6, f64::INFINITY]).unwrap();
    // X (X^T X)^-1 X^T y + the rest of f_0, by normal equations of condition below 1e2.
    let gram = p.x.t().dot(&p.x);
    let fit =
        |target: &Array2<T>| ntk_linalg::solve_symmetric(&gram, &p.x.t().dot(target)).unwrap();
    let expected = &p.f0 + &p.x.dot(&fit(&(&p.y - &p.f0)));
    let eps = T::epsilon().to_f64();
    // At time 1e6, modes of eigenvalue up to 10 eps have moved by 1e6 * 10 eps.
    for (time, tolerance) in [(0, 1e6 * 10.0 * eps), (1, 1e3 * eps)] {
        let found = train.index_axis(Axis(0), time).to_owned();
        assert!(distance(&found, &expected) < tolerance.max(1e3 * eps));
    }
    let times = [f64::INFINITY];
    let test = flow.test_from(&p.g0, &times, &p.k_td()).unwrap();
    let expected = &p.g0 + &p.z.dot(&fit(&(&p.y - &p.f0)));
    let found = test.index_axis(Axis(0), 0).to_owned();
    assert!(distance(&found, &expected) < 1e3 * eps);
}

#[test]
fn a_singular_kernel_keeps_its_null_space() {
    null_space_keeps_still::<f64>();
    null_space_keeps_still::<f32>();
}

#[test]
fn a_zero_kernel_never_moves_its_samples() {
    let k = Array2::<f32>::zeros((2, 2));
    let y = array![[1.0], [2.0]];
    let zero = MseFlow::new(&k, &y, 1.0, 0.0).unwrap();
    let f0 = array![[3.0], [5.0]];
    let times = [0.0, 6.0, 1e30, f64::INFINITY];
    let flow = zero.clone().initial_outputs(&f0).unwrap();
    let train = flow.train(&times).unwrap();
    assert!(train.outer_iter().all(|f| f == f0));
    // A test kernel that no positive semi-definite whole could have: the limit -t/(n o).
    let k_td = array![[1.0, 0.0]];
    let test = flow.test_from(&array![[0.0]], &times[..2], &k_td).unwrap();
    assert_eq!(test, array![[[0.0]], [[-6.0]]]);
    let test = zero.test(&times, &Array2::zeros((1, 2))).unwrap();
    assert_eq!(test, Array3::<f32>::zeros((4, 1, 1)));
}

#[test]
fn huge_and_tiny_kernels_scale_time() {
    let p = Linear::<f32>::new(71, 4, 3, 9, 2);
    let base = flow(&p, 0.0);
    for scale in [2.0_f32.powi(100), 2.0_f32.powi(-100)] {
        let (k_dd, k_td) = (p.k_dd() * scale, p.k_td() * scale);
        let scaled = MseFlow::new(&k_dd, &p.y, 0.7, 0.0).unwrap();
        let times = TIMES.map(|t| t / f64::from(scale));
        let tolerance = loss(&base);
        let train = [base.train(&TIMES), scaled.train(&times)].map(Result::unwrap);
        assert!(distance(&train[0], &train[1]) < tolerance);
        let test = [
            base.test(&TIMES, &p.k_td()).unwrap(),
            scaled.test(&times, &k_td).unwrap(),
        ];
        assert!(distance(&test[0], &test[1]) < tolerance);
    }
}

#[test]
fn repeated_eigenvalues_are_no_trouble() {
    let k = Array2::<f64>::eye(4) * 2.0;
    let y = uniform(1, 4, 2);
    let flow = MseFlow::new(&k, &y, 1.0, 0.0).unwrap();
    let expected = y.mapv(|v| -v * (-2.0_f64 * 3.0 / 8.0).exp_m1());
    let found = flow.train(&[3.0]).unwrap();
    assert!(distance(&found, &expected.insert_axis(Axis(0))) < 1e-14);
}

#[test]
fn no_samples_and_no_outputs_are_fine() {
    let none = Array2::<f64>::zeros((0, 0));
    let y = Array2::zeros((0, 2));
    let flow = MseFlow::new(&none, &y, 1.0, 0.0).unwrap();
    assert_eq!(flow.train(&TIMES).unwrap().dim(), (5, 0, 2));
    let g0 = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
    let k_td = Array2::zeros((3, 0));
    let flow = flow.initial_outputs(&y).unwrap();
    let test = flow.test_from(&g0, &TIMES, &k_td).unwrap();
    assert!(test.outer_iter().all(|g| g == g0));
    let (k, y) = (array![[2.0]], Array2::zeros((1, 0)));
    let flow = MseFlow::new(&k, &y, 1.0, 0.0).unwrap();
    assert_eq!(flow.train(&TIMES).unwrap().dim(), (5, 1, 0));
    assert_eq!(flow.train(&[]).unwrap().dim(), (0, 1, 0));
}

#[test]
fn what_is_no_kernel_is_refused() {
    let y = array![[1.0], [2.0]];
    let build = |k: Array2<f64>, reg| MseFlow::new(&k, &y, 1.0, reg);
    let indefinite = array![[1.0, 2.0], [2.0, 1.0]];
    let Err(PredictError::Indefinite {
        smallest, remedy, ..
    }) = build(indefinite.clone(), Ridge::default())
    else {
        panic!("indefinite")
    };
    assert_relative_eq!(smallest, -1.0, epsilon = 1e-15);
    assert_relative_eq!(remedy, 1.0, epsilon = 1e-15);
    // The remedy helps, and is counted from the kernel itself.
    let Err(PredictError::Indefinite { remedy, .. }) =
        build(indefinite.clone(), Ridge::Absolute(0.5))
    else {
        panic!("indefinite")
    };
    assert_relative_eq!(remedy, 1.0, epsilon = 1e-15);
    assert!(build(indefinite.clone(), Ridge::Absolute(remedy)).is_ok());
    // An adaptive ridge adds just that, or fails where it is too much.
    let adaptive = |max_relative| Ridge::Adaptive { max_relative };
    let flow = build(indefinite.clone(), adaptive(2.0)).unwrap();
    assert_relative_eq!(flow.ridge_added(), 1.0, epsilon = 1e-15);
    assert_eq!((flow.eigenvalues()[0], flow.null_dimension()), (0.0, 1));
    let Err(PredictError::Indefinite { remedy, .. }) = build(indefinite.clone(), adaptive(0.5))
    else {
        panic!("indefinite")
    };
    assert_relative_eq!(remedy, 1.0, epsilon = 1e-15);
    let flow = build(Array2::eye(2), adaptive(2.0)).unwrap();
    assert_eq!(flow.ridge_added(), 0.0);
    assert!(build(-indefinite, Ridge::default()).is_err());
    assert!(build(-Array2::<f64>::eye(2), Ridge::default()).is_err());
    // What single precision may do to a singular kernel passes, and is clipped.
    let nearly = array![[1.0, 1.0 + 1e-7], [1.0 + 1e-7, 1.0]];
    let flow = build(nearly, Ridge::default()).unwrap();
    assert_eq!((flow.eigenvalues()[0], flow.null_dimension()), (0.0, 1));

    let error = build(array![[1.0, 0.25], [0.75, 1.0]], Ridge::default()).unwrap_err();
    let PredictError::Linalg(LinalgError::NotSymmetric { difference, .. }) = error else {
        panic!("{error}")
    };
    assert_eq!(difference, 0.5);
    assert!(build(array![[1.0, 0.5 + 1e-7], [0.5, 1.0]], Ridge::default()).is_ok());

    let error = build(array![[1.0, f64::NAN], [0.0, 1.0]], Ridge::default()).unwrap_err();
    assert!(
        matches!(
            error,
            PredictError::NonFinite {
                what: "the training kernel",
                row: 0,
                column: 1,
                ..
            }
        ),
        "{error}"
    );
    for k in [Array2::eye(3), Array2::zeros((2, 3)), Array2::zeros((0, 0))] {
        let error = build(k, Ridge::default()).unwrap_err();
        assert!(matches!(error, PredictError::Shape { .. }), "{error}");
    }
    let bad = array![[1.0], [f64::INFINITY]];
    let error = MseFlow::new(&Array2::eye(2), &bad, 1.0, 0.0);
    assert!(matches!(
        error,
        Err(PredictError::NonFinite {
            row: 1,
            column: 0,
            ..
        })
    ));
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = MseFlow::new(&Array2::eye(2), &y, rate, 0.0);
        assert!(matches!(error, Err(PredictError::Argument { .. })));
    }
    assert!(build(Array2::eye(2), Ridge::Absolute(-1.0)).is_err());
}

#[test]
fn wrong_arguments_are_errors() {
    let p = Linear::<f64>::new(81, 4, 3, 9, 2);
    let flow = flow(&p, 0.0);
    for (times, index) in [(vec![-1.0], 0), (vec![0.0, f64::NAN], 1)] {
        let error = flow.train(&times).unwrap_err();
        assert!(matches!(error, PredictError::Time { index: i, .. } if i == index));
    }
    let error = flow.test(&[2.0, 1.0], &p.k_td());
    assert_eq!(
        error,
        Err(PredictError::TimesOutOfOrder {
            index: 1,
            time: 1.0,
            previous: 2.0
        })
    );
    let wrong = Array2::zeros((3, 1));
    let shape = |result: Result<Array3<f64>, PredictError>| {
        let error = result.unwrap_err();
        assert!(matches!(error, PredictError::Shape { .. }), "{error}");
    };
    let started = flow.clone().initial_outputs(&p.f0).unwrap();
    shape(flow.test(&TIMES, &p.k_td().t()));
    shape(started.test_from(&wrong, &TIMES, &p.k_td()));
    assert!(matches!(
        flow.clone().initial_outputs(&wrong),
        Err(PredictError::Shape { .. })
    ));
    let full = MseFlow::new(&Array2::eye(8), &p.y, 1.0, 0.0);
    let odd = Array2::zeros((3, 8));
    shape(full.unwrap().test(&TIMES, &odd));
    let bad = p.f0.mapv(|_| f64::NAN);
    assert!(matches!(
        flow.clone().initial_outputs(&bad),
        Err(PredictError::NonFinite { .. })
    ));
    for m in [-0.1, 1.0, f64::NAN] {
        assert!(matches!(
            flow.clone().momentum(m),
            Err(PredictError::Argument {
                name: "momentum",
                ..
            })
        ));
    }
}

#[test]
fn what_precision_cannot_hold_is_refused() {
    fn overflows<R>(result: Result<R, PredictError>) {
        let Err(PredictError::Overflow { value, .. }) = result else {
            panic!("not refused");
        };
        assert!(!value.is_finite());
    }
    fn too_small<T: Real>(scales: [f64; 2]) {
        let y = array![[1.0], [2.0], [3.0]].mapv(T::of);
        for scale in scales {
            let k = Array2::<T>::eye(3) * T::of(scale);
            let flow = MseFlow::new(&k, &y, 1.0, 0.0).unwrap();
            overflows(flow.test(&[f64::INFINITY], &k));
            assert_eq!(
                flow.train(&[f64::INFINITY]).unwrap().index_axis(Axis(0), 0),
                y
            );
        }
    }
    // Their inverses are no numbers of the type.
    too_small::<f32>([1e-39, 2e-40]);
    too_small::<f64>([1e-309, 3e-310]);
    // Just above, all is right.
    let (k, y) = (Array2::<f64>::eye(3) * 1e-307, array![[1.0], [2.0], [3.0]]);
    let flow = MseFlow::new(&k, &y, 1.0, 0.0).unwrap();
    let test = flow.test(&[f64::INFINITY], &k).unwrap();
    assert_relative_eq!(test.index_axis(Axis(0), 0), y, max_relative = 1e-14);

    let (k, y) = (Array2::<f64>::eye(2) * 1e-200, array![[1.0], [-1.0]]);
    let k_td = array![[1e200, 0.0]];
    let flow = MseFlow::new(&k, &y, 1.0, 0.0).unwrap();
    overflows(flow.test(&[0.0, f64::INFINITY], &k_td));
    overflows(
        KernelRegression::fit(k.clone(), &y, 0.0)
            .unwrap()
            .predict(&k_td),
    );
    let posterior = Posterior::new(k.clone(), &y, 0.0).unwrap();
    overflows(posterior.mean(&k_td));
    overflows(posterior.variance(&k_td, &array![1.0]));
    overflows(posterior.covariance(&k_td, &array![[1.0]]));
    overflows(posterior.log_marginal_likelihood(&(&y * 1e200)));
    overflows(NngpEnsemble::new(flow).test_covariance(1.0, &k_td, &array![[1.0]]));
    let spectral = SpectralRegression::new(&k, &(&y * 1e200)).unwrap();
    overflows(spectral.coefficients(0.0));
    overflows(KernelRegression::fit(k, &(&y * 1e200), 0.0));
    // Initial outputs and targets of opposite signs are further apart than the largest number.
    let flow = MseFlow::new(&Array2::eye(2), &(&y * f64::MAX), 1.0, 0.0).unwrap();
    let flow = flow.initial_outputs(&(&y * -f64::MAX)).unwrap();
    overflows(flow.train(&[1.0]));
}

#[test]
fn a_kernel_of_half_precision_may_be_as_far_from_definite() {
    // Points on a line: all but three or so eigenvalues are below what half precision leaves.
    let x = Array2::from_shape_fn((40, 1), |(i, _)| i as f64 / 40.0);
    let exact = Array2::from_shape_fn((40, 40), |(i, j)| (-(x[[i, 0]] - x[[j, 0]]).powi(2)).exp());
    let half = exact.mapv(|v| (v * 2048.0).round() / 2048.0);
    let eps = 2.0_f64.powi(-10);
    let y = Array2::ones((40, 1));
    assert!(matches!(
        MseFlow::new(&half, &y, 1.0, 0.0),
        Err(PredictError::Indefinite { .. })
    ));
    let flow = MseFlow::of_rounded_kernel(&half, &y, 1.0, 0.0, eps).unwrap();
    assert!(flow.null_dimension() > 30);
    let train = flow.test(&[f64::INFINITY], &half).unwrap();
    // What is left of the constant is along eigenvectors that are not resolved.
    assert!(train.iter().all(|f| (f - 1.0).abs() < 0.1), "{train}");
}
