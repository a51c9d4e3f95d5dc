//! Variances lie between zero and the prior, and singular kernels are refused, where rounding has
//! the last word.

use ndarray::{Array2, ArrayRef1, ArrayRef2, Axis, array, concatenate};
use ntk_kernels::network::{Network, dense, erf, relu};
use ntk_kernels::predict::{
    KernelRegression, MseFlow, NngpEnsemble, NtkEnsemble, Posterior, PredictError, Ridge,
};
use ntk_linalg::Real;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn points<T: Real>(n: usize, d: usize, seed: u64) -> Array2<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((n, d), || T::of(rng.random_range(-1.0..1.0)))
}

fn networks() -> [Network; 2] {
    let layer = || dense().w_std(1.5).b_std(0.05);
    [
        Network::new()
            .then(layer())
            .then(erf(1.0, 1.0, 0.0))
            .then(layer())
            .then(erf(1.0, 1.0, 0.0))
            .then(layer()),
        Network::new().then(layer()).then(relu()).then(layer()),
    ]
}

fn within<T: Real>(what: &str, variance: &ArrayRef1<T>, prior: Option<&ArrayRef1<T>>) {
    for (i, &v) in variance.iter().enumerate() {
        assert!(v >= T::zero(), "{what}: variance {i} is {v:e}");
        if let Some(prior) = prior {
            assert!(
                v <= prior[i],
                "{what}: variance {i} is {v:e} of {:e}",
                prior[i]
            );
        }
    }
}

fn definite<T: Real>(what: &str, covariance: &ArrayRef2<T>) {
    within(what, &covariance.diag(), None);
    // Below, numbers have fewer digits.
    let smallest = T::min_positive_value().to_f64() / T::epsilon().to_f64();
    for ((i, j), &c) in covariance.indexed_iter() {
        let most = covariance[[i, i]].to_f64().sqrt() * covariance[[j, j]].to_f64().sqrt();
        let correlation = c.to_f64().abs() / most.max(f64::MIN_POSITIVE);
        assert!(
            most < smallest || c == T::zero() || correlation < 1.0 + 1e-5,
            "{what}: {i} {j} {correlation}"
        );
    }
}

/// Test samples that repeat training samples, up to an offset: those of which most is learned.
fn all_variances<T: Real>(network: &Network, n: usize, d: usize, ridge_share: f64, seed: u64) {
    let x: Array2<T> = points(n, d, seed);
    let near = &x * T::of(1.0 + 1e-7);
    let z = concatenate![Axis(0), x, near, points(n, d, seed + 1)];
    let y = points(n, 1, seed + 2);
    let (dd, td) = (
        network.kernels(&x).unwrap(),
        network.kernels_between(&z, &x).unwrap(),
    );
    let (tt, prior) = (
        network.kernels(&z).unwrap(),
        network.kernel_diagonal(&z).unwrap(),
    );
    let ridge = Ridge::Relative(ridge_share);
    let flow = |k| match MseFlow::new(k, &y, 1.0, ridge) {
        Ok(flow) => Some(flow),
        // Angles of nearly parallel samples are known to the root of eps, more than it allows for.
        Err(PredictError::Indefinite { .. }) if size_of::<T>() == 4 => None,
        Err(other) => panic!("{other}"),
    };
    let (Some(of_nngp), Some(of_ntk)) = (flow(&dd.nngp), flow(&dd.ntk)) else {
        return;
    };
    let last = NngpEnsemble::new(of_nngp);
    let all = NtkEnsemble::new(of_ntk, &dd.nngp).unwrap();
    for time in [0.0, 1.0, 1e3, 1e6, 1e12, f64::INFINITY] {
        let variance = last.test_variance(time, &td.nngp, &prior.nngp).unwrap();
        within("last layer", &variance, Some(&prior.nngp));
        let variance = all.test_variance(time, &td.ntk, &td.nngp, &prior.nngp);
        within("all layers", &variance.unwrap(), None);
        definite(
            "last layer, training",
            &last.train_covariance(time).unwrap(),
        );
        definite("all layers, training", &all.train_covariance(time).unwrap());
        let covariance = last.test_covariance(time, &td.nngp, &tt.nngp).unwrap();
        definite("last layer", &covariance);
        let covariance = all.test_covariance(time, &td.ntk, &td.nngp, &tt.nngp);
        definite("all layers", &covariance.unwrap());
    }
    for (k, k_td, k_tt, prior) in [
        (&dd.nngp, &td.nngp, &tt.nngp, &prior.nngp),
        (&dd.ntk, &td.ntk, &tt.ntk, &prior.ntk),
    ] {
        let Ok(process) = Posterior::new(k.clone(), &y, ridge) else {
            // A ridge that precision resolves is enough.
            let eps = Real::to_f64(T::epsilon());
            assert!(ridge_share < 100.0 * eps, "{ridge:?}");
            continue;
        };
        within(
            "posterior",
            &process.variance(k_td, prior).unwrap(),
            Some(prior),
        );
        definite("posterior", &process.covariance(k_td, k_tt).unwrap());
        let variance = process.ensemble_variance(k_td, &dd.nngp, &td.nngp, &tt.nngp.diag());
        within("trained for ever", &variance.unwrap(), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn variances_are_within_zero_and_the_prior(
        which in 0..2_usize,
        n in 1..40_usize,
        d in 1..6_usize,
        ridge in prop::sample::select(vec![0.0, 1e-12, 1e-6, 1e-2]),
        seed in 0..1000_u64,
    ) {
        let network = &networks()[which];
        all_variances::<f64>(network, n, d, ridge, seed);
        all_variances::<f32>(network, n, d, ridge, seed);
    }
}

#[test]
fn a_prior_of_other_kernels_is_refused() {
    let (x, y) = (points::<f64>(20, 3, 1), points(20, 1, 2));
    let [network, _] = networks();
    let k = network.nngp(&x).unwrap();
    let prior = k.diag().mapv(|v| v * 0.5);
    let process = Posterior::new(k.clone(), &y, 1e-6).unwrap();
    let told = process.variance(&k, &prior).unwrap_err();
    assert!(
        matches!(told, PredictError::NegativeVariance { row: 0, value, tolerance } if value < -tolerance),
        "{told}"
    );
    let flow = MseFlow::new(&k, &y, 1.0, 1e-6).unwrap();
    let last = NngpEnsemble::new(flow.clone());
    assert!(last.test_variance(f64::INFINITY, &k, &prior).is_err());
    let all = NtkEnsemble::new(flow, &k).unwrap();
    assert!(all.test_variance(f64::INFINITY, &k, &k, &prior).is_err());
}

/// The kernel of five samples of which the last is the second again, with another target.
fn repeated<T: Real>(apart: f64) -> (Array2<T>, Array2<T>) {
    let x = array![
        [1.0, 0.2],
        [0.3, -0.7],
        [-0.4, 0.9],
        [0.8, 0.8],
        [0.3, -0.7 + apart]
    ];
    let [_, network] = networks();
    let k = network.ntk(&x.mapv(T::of)).unwrap();
    (k, array![[0.0], [1.0], [2.0], [3.0], [-1.0]].mapv(T::of))
}

fn refused<T: Real>(apart: f64) {
    let (k, y) = repeated::<T>(apart);
    for told in [
        KernelRegression::fit(k.clone(), &y, 0.0).map(|_| ()),
        Posterior::new(k.clone(), &y, 0.0).map(|_| ()),
    ] {
        match told.unwrap_err() {
            PredictError::Singular { row, remedy, .. } => {
                assert_eq!(row, Some(4));
                assert!(Posterior::new(k.clone(), &y, remedy).is_ok());
            }
            PredictError::Linalg(ntk_linalg::LinalgError::NotPositiveDefinite {
                pivot: 4, ..
            }) => {}
            other => panic!("{other}"),
        }
    }
    // Least squares between the two targets, with a ridge that is only as large as it must be.
    let least =
        KernelRegression::fit(k.clone(), &y, Ridge::Adaptive { max_relative: 1e-3 }).unwrap();
    let found = least.predict(&k).unwrap();
    let eps = T::epsilon().to_f64();
    for (found, expected) in found.iter().zip([0.0, 0.0, 2.0, 3.0, 0.0]) {
        assert!(
            (Real::to_f64(*found) - expected).abs() < 0.02,
            "{found} {expected} {}",
            least.ridge_added()
        );
    }
    assert!(least.ridge_added() > eps);
}

#[test]
fn repeated_samples_are_refused_and_regularised() {
    refused::<f64>(0.0);
    refused::<f64>(1e-12);
    refused::<f32>(0.0);
    refused::<f32>(1e-9);
}
