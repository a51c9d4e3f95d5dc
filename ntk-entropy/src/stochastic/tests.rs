//! Estimates against spectra that are known.

use super::deflation::Deflation;
use super::operator::Scaled;
use super::probes::Probes;
use super::quadrature::{Quadratures, f};
use super::*;
use crate::{EntropyError, Normalization, Spectrum, rank, von_neumann};
use approx::assert_relative_eq;
use ndarray::{Array1, Array2, ArrayRef2, array, s};
use ntk_linalg::{LinalgError, Real, eigh};
use std::convert::Infallible;

/// An orthogonal matrix.
fn rotation(n: usize) -> Array2<f64> {
    let signs = Probes::new(n, 99).draw::<f64>(n);
    eigh(&(&signs + &signs.t())).unwrap().vectors
}

/// A matrix of given eigenvalues, symmetric to the last bit.
fn matrix(rotation: &Array2<f64>, values: &Array1<f64>) -> Array2<f64> {
    let k = (rotation * values).dot(&rotation.t());
    (&k + &k.t()) / 2.0
}

fn spectra(n: usize) -> Vec<(&'static str, Array1<f64>)> {
    let by = |value: fn(f64) -> f64| (1..=n).map(|i| value(i as f64)).collect();
    vec![
        ("1 / i", by(|i| 1.0 / i)),
        ("1 / i^2", by(|i| 1.0 / (i * i))),
        ("exponential", by(|i| 0.9_f64.powf(i))),
        (
            "one large",
            by(|i| if i < 2.0 { 300.0 } else { 1.0 / i.sqrt() }),
        ),
        ("flat", by(|i| 1.0 + 0.1 * i.sin())),
        ("two levels", by(|i| if i < 150.0 { 1.0 } else { 1e-3 })),
        ("half zero", by(|i| if i < 200.0 { i } else { 0.0 })),
    ]
}

fn exact(values: &Array1<f64>) -> f64 {
    von_neumann::entropy(&Spectrum::of_eigenvalues(values, Normalization::Trace).unwrap())
}

fn closure(k: &Array2<f64>) -> impl Operator<f64, Error = Infallible> {
    from_fn(k.nrows(), |v: &ArrayRef2<f64>| Ok(k.dot(v)))
}

/// 50 draws: errors, each over the error estimated, ascending.
fn misses(estimate: impl Fn(u64) -> Estimate, truth: f64, name: &str) -> Vec<f64> {
    let miss = |seed| {
        let found = estimate(seed);
        assert!(found.converged, "{name} {seed}: {found:?}");
        // To rounding of the matrix.
        ((found.value - truth).abs() - 1e-13 * truth.max(1.0)).max(0.0) / found.error().max(1e-300)
    };
    let mut misses: Vec<f64> = (0..50).map(miss).collect();
    misses.sort_by(f64::total_cmp);
    misses
}

#[test]
fn errors_are_as_estimated() {
    let n = 300;
    let rotation = rotation(n);
    let settings = |seed| Estimator::default().seed(seed);
    let (mut entropies, mut traces) = (Vec::new(), Vec::new());
    for (name, values) in spectra(n) {
        let k = matrix(&rotation, &values);
        let truth = exact(&values);
        let known = |seed| settings(seed).entropy(&k.view()).unwrap();
        let unknown = |seed| settings(seed).entropy(&closure(&k)).unwrap();
        for found in [misses(known, truth, name), misses(unknown, truth, name)] {
            // Of one spectrum ten of 50 beyond would be no chance: 6.5 % of them are expected.
            assert!(found[40] <= 2.0, "{name}: {found:?}");
            // Half of them are not far below it, unless one product was enough for the rest.
            let easy = ["flat", "two levels"].contains(&name);
            assert!(easy || found[25] >= 0.1, "{name}: {found:?}");
            entropies.extend(found);
        }
        let estimate = |seed| settings(seed).trace(&closure(&k)).unwrap();
        traces.extend(misses(estimate, values.sum(), name));
    }
    // Nine draws of ten are within twice the estimate. Of Student's distribution of 14 degrees of
    // freedom 6.5 % are not, 23 of 350 with a standard deviation of 4.6.
    for all in [entropies, traces] {
        let beyond = all.iter().filter(|&&miss| miss > 2.0).count();
        assert!(10 * beyond <= all.len(), "{beyond} of {}", all.len());
    }
}

#[test]
fn quadratures_enclose() {
    let n = 60;
    let rotation = rotation(n);
    for (name, values) in spectra(n) {
        let values = &values / values.sum();
        let k = matrix(&rotation, &values);
        let view = k.view();
        let mut operator = Scaled::new(&view, 1.0);
        let g = Probes::new(n, 1).draw::<f64>(3);
        let along = g.dot(&rotation);
        let truth: Vec<f64> = along
            .rows()
            .into_iter()
            .map(|row| row.iter().zip(&values).map(|(c, &v)| c * c * f(v)).sum())
            .collect();
        let mut quadratures = Quadratures::new(g);
        let mut width = f64::INFINITY;
        while !quadratures.ended() {
            quadratures.step(&mut operator).unwrap();
            let found = quadratures.enclosures(1.0).unwrap();
            // n eps of the mass n, times the logarithm of the smallest number that is not zero.
            let rounding = (n * n) as f64 * f64::EPSILON * 36.0;
            let mut widest = 0.0_f64;
            for (found, truth) in found.iter().zip(&truth) {
                assert!(found.lower <= truth + rounding, "{name}: {found:?} {truth}");
                assert!(found.upper >= truth - rounding, "{name}: {found:?} {truth}");
                widest = widest.max(found.upper - found.lower);
            }
            assert!(widest <= width + rounding, "{name}: {widest} after {width}");
            width = widest;
        }
        assert_eq!(width, 0.0, "{name}");
    }
}

#[test]
fn normalisations_are_those_of_spectra() {
    let n = 30;
    let k = matrix(&rotation(n), &spectra(n)[0].1);
    for normalization in [Normalization::Trace, Normalization::Cosine] {
        let spectrum = Spectrum::of_kernel(&k, normalization).unwrap();
        let found = Estimator::default()
            .entropy_of_kernel(&k, normalization)
            .unwrap();
        let expected = von_neumann::entropy(&spectrum);
        assert!((found.value - expected).abs() <= 0.01 * expected);
        let found = purity(&k, normalization).unwrap();
        assert_relative_eq!(found, rank::purity(&spectrum), max_relative = 1e-12);
    }
    let rho = &k / k.diag().sum();
    let [none, trace] = [Normalization::None, Normalization::Trace]
        .map(|n| Estimator::default().entropy_of_kernel(&rho, n).unwrap());
    assert_relative_eq!(none.value, trace.value, max_relative = 1e-12);
    let error = Estimator::default().entropy_of_kernel(&k, Normalization::None);
    assert!(matches!(error, Err(EntropyError::NotNormalized { .. })));
    let error = purity(&k, Normalization::None);
    assert!(matches!(error, Err(EntropyError::NotNormalized { .. })));
}

#[test]
fn small_matrices_are_exact() {
    for n in [2, 3, 16, 17, 40] {
        let rotation = rotation(n);
        for (name, values) in spectra(n) {
            let k = matrix(&rotation, &values);
            let found = Estimator::default()
                .entropy_of_kernel(&k, Normalization::Trace)
                .unwrap();
            assert!(found.converged, "{name} {n}: {found:?}");
            assert!(
                found.error() <= 0.01 * found.value + 1e-13,
                "{name} {n}: {found:?}"
            );
            if found.error() == 0.0 {
                assert_relative_eq!(found.value, exact(&values), epsilon = 1e-10);
            }
        }
    }
    let one = Estimator::default()
        .entropy_of_kernel(&array![[7.0_f32]], Normalization::Trace)
        .unwrap();
    assert_eq!((one.value, one.error(), one.probes), (0.0, 0.0, 0));
    assert_eq!(one.effective(1).value, 0.0);
}

#[test]
fn repeated_eigenvalues_and_rank_one() {
    fn check<T: Real>() {
        let n = 300;
        let eps = T::epsilon().to_f64();
        // Each probability is known to n eps / n, and d(-x ln x) to that times ln n.
        let bound = 100.0 * n as f64 * eps;
        let identity = Array2::<T>::eye(n);
        let found = Estimator::default()
            .entropy_of_kernel(&identity, Normalization::Trace)
            .unwrap();
        assert!(found.converged, "{found:?}");
        assert!((found.value - (n as f64).ln()).abs() <= bound, "{found:?}");
        assert!((found.effective(n).value - 1.0).abs() <= bound);
        let column = Array2::from_shape_fn((n, 1), |(i, _)| T::of((i as f64).sin()));
        let found =
            Estimator::default().entropy_of_kernel(&column.dot(&column.t()), Normalization::Trace);
        let found = found.unwrap();
        assert!(found.converged && found.value.abs() <= bound, "{found:?}");
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn blind_to_scale() {
    let n = 150;
    let values = &spectra(n)[0].1;
    let k = matrix(&rotation(n), values);
    let reference = Estimator::default()
        .entropy_of_kernel(&k, Normalization::Trace)
        .unwrap();
    let close = |found: Estimate, bound: f64| {
        let error = (found.value - reference.value).abs();
        assert!(error <= bound, "{found:?} {reference:?}");
    };
    for scale in [1e-300, 1e-100, 1e100, 1e300] {
        let scaled = &k * scale;
        close(
            Estimator::default()
                .entropy_of_kernel(&scaled, Normalization::Trace)
                .unwrap(),
            1e-9,
        );
        assert_relative_eq!(
            Estimator::default().trace(&scaled.view()).unwrap().value,
            values.sum() * scale,
            max_relative = 1e-12
        );
        assert_relative_eq!(
            purity(&scaled, Normalization::Trace).unwrap(),
            values.mapv(|v| v * v).sum() / values.sum().powi(2),
            max_relative = 1e-12
        );
    }
    // n eps of f32, times ln n for its effect on an entropy.
    for scale in [1e-30, 1.0, 1e30] {
        let scaled = k.mapv(|v| (v * scale) as f32);
        close(
            Estimator::default()
                .entropy_of_kernel(&scaled, Normalization::Trace)
                .unwrap(),
            1e-4,
        );
    }
}

#[test]
fn same_draws_for_any_number_of_threads() {
    let n = 300;
    let k = matrix(&rotation(n), &spectra(n)[0].1);
    let run = |threads: usize, seed| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let settings = Estimator::default().seed(seed);
        let run = || ntk_linalg::threads::whole_pool(|| settings.entropy(&k.view()).unwrap());
        pool.unwrap().install(run)
    };
    let (one, three) = (run(1, 0), run(3, 0));
    assert_relative_eq!(one.value, three.value, max_relative = 1e-10);
    assert_eq!((one.probes, one.products), (three.probes, three.products));
    assert!((run(1, 1).value - one.value).abs() > 1e-8);
    assert_eq!(
        Probes::new(100, 3).draw::<f32>(2),
        Probes::new(100, 3).draw::<f32>(2)
    );
}

#[test]
fn says_when_it_did_not_converge() {
    let n = 300;
    let k = matrix(&rotation(n), &spectra(n)[1].1);
    let settings = Estimator::default().tolerance(1e-9).max_probes(16);
    let found = settings.entropy(&k.view()).unwrap();
    assert!(
        !found.converged && found.error() > 1e-9 * found.value,
        "{found:?}"
    );
    assert_eq!(found.probes, 16);
    let found = settings.trace(&closure(&k)).unwrap();
    assert!(!found.converged && found.probes == 16, "{found:?}");
    let none = Estimator::default().tolerance(0.0).max_probes(0);
    assert!(!none.entropy(&k.view()).unwrap().converged);
    for tolerance in [-1.0, f64::NAN] {
        let settings = Estimator::default().tolerance(tolerance);
        let error = settings.entropy(&k.view()).unwrap_err();
        assert!(matches!(
            error,
            EstimateError::Entropy(EntropyError::Tolerance { .. })
        ));
        let error = settings
            .entropy_of_kernel(&k, Normalization::Trace)
            .unwrap_err();
        assert!(matches!(error, EntropyError::Tolerance { .. }));
    }
}

#[test]
fn deflation_is_orthonormal() {
    let n = 200;
    let rotation = rotation(n);
    for (name, values) in spectra(n) {
        let k = matrix(&rotation, &(&values / values.sum()));
        let view = k.view();
        let mut operator = Scaled::new(&view, 1.0);
        let start = Probes::new(n, 0).draw::<f64>(BLOCK);
        let found = Deflation::of(&mut operator, true, start).unwrap();
        let gram = found.vectors.dot(&found.vectors.t());
        let far = (&gram - &Array2::<f64>::eye(gram.nrows())).fold(0.0_f64, |m, v| m.max(v.abs()));
        assert!(far <= 1e-12, "{name}: {far}");
        let images = found.vectors.dot(&k);
        for (i, &(value, residual)) in found.pairs.iter().enumerate() {
            let off = &images.row(i) - &(&found.vectors.row(i) * value);
            assert_relative_eq!(off.dot(&off).sqrt(), residual, epsilon = 1e-12);
        }
    }
}

#[test]
fn errors() {
    let run = |k: &Array2<f64>| {
        Estimator::default()
            .entropy_of_kernel(k, Normalization::Trace)
            .unwrap_err()
    };
    for n in [0, 1, 5] {
        let zero = Array2::zeros((n, n));
        let expected = EntropyError::ZeroTrace { trace: 0.0 };
        assert_eq!(run(&zero), expected);
        assert_eq!(purity(&zero, Normalization::Trace).unwrap_err(), expected);
        let error = Estimator::default().entropy(&closure(&zero)).unwrap_err();
        assert_eq!(error, EstimateError::Entropy(expected));
        assert_eq!(
            Estimator::default().trace(&closure(&zero)).unwrap().value,
            0.0
        );
    }
    let bad = [
        array![[1.0, 0.5], [0.4, 1.0]],
        array![[f64::NAN]],
        array![[1.0, 0.0]],
    ];
    for k in &bad {
        assert!(matches!(run(k), EntropyError::Linalg(_)), "{k}");
        assert!(
            matches!(
                purity(k, Normalization::Trace),
                Err(EntropyError::Linalg(_))
            ),
            "{k}"
        );
    }
    for n in [2, 150] {
        let mut values = Array1::ones(n);
        values[0] = -0.5;
        let error = run(&matrix(&rotation(n), &values));
        assert!(matches!(error, EntropyError::Indefinite { smallest, .. } if smallest < 0.0));
    }
    let settings = Estimator::default();
    let short = from_fn(20, |v: &ArrayRef2<f64>| {
        Ok::<_, Infallible>(v.slice(s![1.., ..]).to_owned())
    });
    assert!(matches!(
        settings.entropy(&short),
        Err(EstimateError::Shape {
            expected: (20, a),
            found: (19, b)
        }) if a == b
    ));
    let fails = from_fn(3, |_: &ArrayRef2<f64>| Err(ntk_linalg::Cancelled));
    assert_eq!(
        settings.entropy(&fails).unwrap_err(),
        EstimateError::Product(ntk_linalg::Cancelled)
    );
    let infinite = from_fn(2, |v: &ArrayRef2<f64>| Ok::<_, Infallible>(v / 0.0));
    assert!(matches!(
        settings.trace(&infinite),
        Err(EstimateError::Entropy(EntropyError::Linalg(
            LinalgError::NonFinite { .. }
        )))
    ));
}
