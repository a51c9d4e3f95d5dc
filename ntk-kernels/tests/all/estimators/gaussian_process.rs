use super::*;
use ndarray::{Array3, Axis, s};
use ntk_kernels::predict::{MseFlow, NtkEnsemble, Ridge};
use ntk_kernels::{EstimatorError, GaussianProcess};

struct Case {
    network: Network,
    x: Array2<f64>,
    y: Array2<f64>,
    z: Array2<f64>,
}

fn case() -> Case {
    Case {
        network: dense_network(),
        x: numbers(1, (8, 3)),
        y: numbers(2, (8, 2)),
        z: numbers(3, (5, 3)),
    }
}

#[test]
fn posteriors_are_the_formulas() {
    let Case { network, x, y, z } = case();
    let dd = both(&network, &x, &x);
    let td = both(&network, &z, &x);
    let tt = both(&network, &z, &z);
    for (process, i) in [
        (GaussianProcess::nngp(&network), 0),
        (GaussianProcess::ntk(&network), 1),
    ] {
        let fitted = process.noise(0.02).fit(&x, &y).unwrap();
        assert_eq!(fitted.noise_added(), 0.02);
        let (inverse, log_det) = inverse(&lifted(&dd[i], 0.02));
        let mean = td[i].dot(&inverse).dot(&y);
        let covariance = &tt[i] - &td[i].dot(&inverse).dot(&td[i].t());
        assert!(distance(&fitted.predict(&z).unwrap(), &mean) < 1e-10);
        let (found, of_points) = fitted.predict_with_covariance(&z).unwrap();
        assert!(distance(&found, &mean) < 1e-10);
        assert!(distance(&of_points, &covariance) < 1e-10);
        let (found, variance) = fitted.predict_with_variance(&z).unwrap();
        assert!(distance(&found, &mean) < 1e-10);
        for (found, expected) in variance.iter().zip(covariance.diag()) {
            assert!((found - expected).abs() < 1e-10);
        }
        let energy = (&y * &inverse.dot(&y)).sum();
        let expected = -0.5 * (energy + 2.0 * log_det + 16.0 * std::f64::consts::TAU.ln());
        let evidence = fitted.log_marginal_likelihood().unwrap();
        assert!((evidence - expected).abs() < 1e-9, "{evidence} {expected}");
        assert!(fitted.score(&x, &y).unwrap() > 0.5);
        assert_eq!(fitted.y(), &y);
    }
}

#[test]
fn ensembles_are_those_trained_for_ever() {
    let Case { network, x, y, z } = case();
    let [s_dd, k_dd] = both(&network, &x, &x);
    let [s_td, k_td] = both(&network, &z, &x);
    let [s_tt, _] = both(&network, &z, &z);
    let noise = Ridge::Relative(0.01);
    let fitted = GaussianProcess::ntk_ensemble(&network)
        .noise(noise)
        .fit(&x, &y)
        .unwrap();
    let flow = MseFlow::new(&k_dd, &y, 1.0, noise).unwrap();
    let ensemble = NtkEnsemble::new(flow, &s_dd).unwrap();
    let forever = f64::INFINITY;
    let flow = ensemble.flow().test(&[forever], &k_td).unwrap();
    let expected = ensemble.test_covariance(forever, &k_td, &s_td, &s_tt);
    let (mean, covariance) = fitted.predict_with_covariance(&z).unwrap();
    assert!(distance(&mean, &flow.index_axis(Axis(0), 0)) < 1e-9);
    assert!(distance(&covariance, &expected.unwrap()) < 1e-9);
    let (_, variance) = fitted.predict_with_variance(&z).unwrap();
    for (one, two) in variance.iter().zip(covariance.diag()) {
        assert!((one - two).abs() < 1e-10);
    }
    assert_eq!(
        fitted.log_marginal_likelihood(),
        Err(EstimatorError::NoLikelihood)
    );
    // And by the plain formula.
    let a = k_td.dot(&inverse(&lifted(&k_dd, fitted.noise_added())).0);
    let cross = a.dot(&s_td.t());
    let plain = &s_tt + &a.dot(&s_dd).dot(&a.t()) - &cross - cross.t();
    assert!(distance(&covariance, &plain) < 1e-9);
}

/// Means and covariances of outputs over samples, those of the two outputs between each other last.
fn moments(samples: &Array3<f64>) -> (Array2<f64>, [Array2<f64>; 3]) {
    let mean = samples.mean_axis(Axis(0)).unwrap();
    let gap = samples - &mean;
    let covariance = |a: usize, b: usize| {
        let (a, b) = (gap.slice(s![.., .., a]), gap.slice(s![.., .., b]));
        a.t().dot(&b) / samples.len_of(Axis(0)) as f64
    };
    let covariances = [covariance(0, 0), covariance(1, 1), covariance(0, 1)];
    (mean, covariances)
}

#[test]
fn samples_have_the_mean_and_the_covariance() {
    let Case { network, x, y, z } = case();
    for process in [
        GaussianProcess::nngp(&network),
        GaussianProcess::ntk_ensemble(&network),
    ] {
        let fitted = process.noise(0.01).fit(&x, &y).unwrap();
        let (mean, covariance) = fitted.predict_with_covariance(&z).unwrap();
        let count = 40_000;
        let samples = fitted.sample(&z, count, 5).unwrap();
        let (found, [first, second, between]) = moments(&samples);
        // Five standard errors of the widest entry.
        let widest = covariance.diag().fold(0.0_f64, |most, &v| most.max(v));
        let few = 5.0 / (count as f64).sqrt();
        assert!(distance(&found, &mean) < few * widest.sqrt());
        let close = 2.0_f64.sqrt() * few * widest;
        assert!(distance(&first, &covariance) < close);
        assert!(distance(&second, &covariance) < close);
        assert!(distance(&between, &Array2::zeros((5, 5))) < close);
    }
}

#[test]
fn samples_at_edges() {
    let Case { network, x, y, z } = case();
    let fitted = GaussianProcess::nngp(&network).fit(&x, &y).unwrap();
    let samples = fitted.sample(&z, 4, 1).unwrap();
    assert_eq!(samples, fitted.sample(&z, 4, 1).unwrap());
    assert_ne!(samples, fitted.sample(&z, 4, 2).unwrap());
    // The first ones do not depend on how many there are, up to rounding of the product.
    let more = fitted.sample(&z, 9, 1).unwrap();
    let gap = (&more.slice(s![..4, .., ..]) - &samples).mapv(f64::abs);
    assert!(gap.iter().all(|&gap| gap < 1e-12));
    // Samples that were seen without noise are known; equal points have equal outputs.
    let seen = fitted.sample(&x, 3, 1).unwrap();
    for sample in seen.outer_iter() {
        assert!(distance(&sample, &y) < 1e-4);
    }
    let (_, variance) = fitted.predict_with_variance(&x).unwrap();
    assert!(variance.iter().all(|&v| (0.0..1e-10).contains(&v)));
    let twice = z.select(Axis(0), &[0, 1, 0]);
    for sample in fitted.sample(&twice, 3, 1).unwrap().outer_iter() {
        assert!((sample[[0, 1]] - sample[[2, 1]]).abs() < 1e-6);
    }
    assert_eq!(fitted.sample(&z, 0, 1).unwrap().dim(), (0, 5, 2));
    let none = z.slice(s![..0, ..]);
    for count in [7, 1 << 61] {
        let samples = fitted.sample(&none, count, 1).unwrap();
        assert_eq!(samples.dim(), (count, 0, 2));
    }
    for count in [usize::MAX, usize::MAX / 3] {
        assert!(fitted.sample(&none, count, 1).is_err());
    }
    assert_eq!(fitted.predict_with_variance(&none).unwrap().1.len(), 0);
    for count in [usize::MAX, usize::MAX / 16] {
        let told = fitted.sample(&z, count, 1).unwrap_err();
        assert!(
            matches!(told, EstimatorError::TooManySamples { .. }),
            "{told}"
        );
    }
}
