//! The derivatives of all activations of the table of [`super::suite`], against the definition and
//! against differences.

use super::oracle::{Legendre, gradient_by_integration};
use super::suite::{CASES, Case};
use super::*;
use rayon::prelude::*;

const COSINES: [f64; 8] = [-0.9999, -0.99, -0.5, 0.0, 0.3, 0.9, 0.99, 0.9999];
const VARIANCES: [f64; 6] = [0.01, 0.2, 1.0, 3.0, 7.0, 50.0];

/// Relative to the natural scale.
const TOLERANCE: f64 = 1e-8;

/// The derivatives of `K` and of `D`.
type Gradient = [[f64; 3]; 2];

fn gradient<T: Real>(f: &Activation, q1: T, q2: T, q: T) -> Gradient {
    let of = f.dual_gradient(q1, q2, q).unwrap();
    let dual = f.dual(q1, q2, q);
    assert!(
        (of.kernel, of.derivative) == dual || dual.1.is_nan(),
        "{f}: {dual:?}"
    );
    [
        [of.kernel_by_q1, of.kernel_by_q2, of.kernel_by_q],
        [of.derivative_by_q1, of.derivative_by_q2, of.derivative_by_q],
    ]
    .map(|by| by.map(Real::to_f64))
}

/// Those whose derivatives are known.
fn known() -> impl ParallelIterator<Item = &'static Case> {
    let known = |case: &&Case| case.activation.diagonal_gradient(1.0).is_ok();
    CASES.par_iter().filter(known)
}

/// Pairs of variances of the grid, where the activation has a kernel; of quadratures, where these
/// converge in all derivatives of the diagonal.
fn pairs(case: &Case) -> Vec<(f64, f64)> {
    if case.variances.len() == 1 {
        return case.variances.clone();
    }
    let f = &case.activation;
    let quadrature = matches!(f, Activation::Quadrature(_) | Activation::Numerical(_));
    let allowed = |v: &f64| f.maps::<f64>().domain(*v).is_ok() && !(quadrature && *v > 3.0);
    let variances = || VARIANCES.into_iter().filter(allowed);
    variances()
        .flat_map(|v1| variances().map(move |v2| (v1, v2)))
        .collect()
}

/// Of what a derivative by a variance is to be compared to: the kernel over a variance, or over 1.
fn scales(f: &Activation, (v1, v2): (f64, f64)) -> [[f64; 3]; 2] {
    let ((k1, d1), (k2, d2)) = (f.diagonal(v1), f.diagonal(v2));
    let by = [v1, v2, (v1 * v2).sqrt()].map(|v| v.recip().min(1.0));
    [(k1 * k2).sqrt(), (d1 * d2).sqrt()].map(|scale| by.map(|by| by * scale))
}

/// The largest difference, relative to the values and the scales, beyond what is allowed.
fn far(found: Gradient, expected: Gradient, scales: Gradient, allowed: Gradient) -> f64 {
    let mut worst = 0.0_f64;
    for of in 0..2 {
        for by in 0..3 {
            let (found, expected) = (found[of][by], expected[of][by]);
            let apart = ((found - expected).abs() - allowed[of][by]).max(0.0);
            let scale = scales[of][by] + expected.abs();
            let relative = if apart == 0.0 { 0.0 } else { apart / scale };
            // NaN must not be lost.
            if found.is_nan() || relative > worst {
                worst = if found.is_nan() {
                    f64::INFINITY
                } else {
                    relative
                };
            }
        }
    }
    worst
}

/// Collects the worst of each case and fails for those beyond the tolerance.
fn check(worst: impl Fn(&Case, &mut dyn FnMut(f64, String)) + Sync, tolerance: f64) {
    let failed: Vec<String> = known()
        .filter_map(|case| {
            let mut most = (0.0, String::new());
            worst(case, &mut |far, at| {
                if far > most.0 {
                    most = (far, at);
                }
            });
            let (far, at) = most;
            (far > tolerance).then(|| format!("{}: {far:e} at {at}", case.activation))
        })
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn gradients_agree_with_the_definition() {
    let rule = Legendre::new();
    let nothing = [[0.0; 3]; 2];
    check(
        |case, tell| {
            let f = &case.activation;
            for &v in &case.variances {
                for rho in [-0.9999, -0.5, 0.3, 0.999] {
                    let q = rho * (v.0 * v.1).sqrt();
                    let expected = gradient_by_integration(&rule, &case.definition, v, rho);
                    let found = gradient(f, v.0, v.1, q);
                    let far = far(found, expected, scales(f, v), nothing);
                    tell(far, format!("{v:?} {rho}: {found:?} {expected:?}"));
                }
            }
        },
        TOLERANCE,
    );
}

/// The derivative at 0 by differences of sixth order.
fn slope(h: f64, at: impl Fn(f64) -> (f64, f64)) -> [f64; 2] {
    let mut sum = [0.0; 2];
    for (k, weight) in [(1.0, 45.0), (2.0, -9.0), (3.0, 1.0)] {
        let (up, down) = (at(k * h), at(-k * h));
        sum[0] += weight * (up.0 - down.0);
        sum[1] += weight * (up.1 - down.1);
    }
    sum.map(|sum| sum / (60.0 * h))
}

#[test]
fn gradients_are_differences() {
    check(
        |case, tell| {
            let f = &case.activation;
            for (v1, v2) in pairs(case) {
                for rho in COSINES {
                    let q = rho * (v1 * v2).sqrt();
                    // Everything is smooth over the distance to parallel samples.
                    let room = 0.01 * (1.0 - rho.abs());
                    let steps = [v1, v2, (v1 * v2).sqrt()].map(|v| room * v.min(1.0));
                    let [by1, by2, by] = [
                        slope(steps[0], |h| f.dual(v1 + h, v2, q)),
                        slope(steps[1], |h| f.dual(v1, v2 + h, q)),
                        slope(steps[2], |h| f.dual(v1, v2, q + h)),
                    ];
                    let expected = [0, 1].map(|of| [by1[of], by2[of], by[of]]);
                    let ((k1, d1), (k2, d2)) = (f.diagonal(v1), f.diagonal(v2));
                    // Of values that angles this small have turned by rounding.
                    let rounding = 16.0 * f64::EPSILON / (1.0 - rho * rho).sqrt();
                    let allowed = [(k1 * k2).sqrt(), (d1 * d2).sqrt()]
                        .map(|scale| steps.map(|h| rounding * scale / h));
                    let found = gradient(f, v1, v2, q);
                    let far = far(found, expected, scales(f, (v1, v2)), allowed);
                    tell(far, format!("{v1} {v2} {rho}: {found:?} {expected:?}"));
                }
            }
        },
        TOLERANCE,
    );
}

#[test]
fn single_precision_is_near() {
    check(
        |case, tell| {
            let f = &case.activation;
            for v in pairs(case) {
                for rho in COSINES {
                    let narrow = [v.0, v.1, rho * (v.0 * v.1).sqrt()].map(|v| v as f32);
                    let [q1, q2, q] = narrow.map(f64::from);
                    let expected = gradient(f, q1, q2, q);
                    // Rounding of the cosine, relative to its distance from 1.
                    let share = 4.0 * f64::from(f32::EPSILON) / (1.0 - rho.abs());
                    let allowed = expected.map(|by| by.map(|by| share * by.abs()));
                    let found = gradient(f, narrow[0], narrow[1], narrow[2]);
                    let far = far(found, expected, scales(f, v), allowed);
                    tell(far, format!("{v:?} {rho}: {found:?} {expected:?}"));
                }
            }
        },
        1e-4,
    );
}

#[test]
fn diagonals_are_differences() {
    check(
        |case, tell| {
            let f = &case.activation;
            for (v, _) in pairs(case) {
                let h = 0.01 * v.min(1.0);
                let expected = slope(h, |h| f.diagonal(v + h));
                let found = f.diagonal_gradient(v).unwrap();
                let (k, d) = f.diagonal(v);
                for (found, expected, scale) in
                    [(found.0, expected[0], k), (found.1, expected[1], d)]
                {
                    let rounding = 16.0 * f64::EPSILON * scale / h;
                    let scale = scale * v.recip().min(1.0) + expected.abs();
                    let apart = ((found - expected).abs() - rounding).max(0.0);
                    let far = if apart == 0.0 { 0.0 } else { apart / scale };
                    tell(far, format!("{v}: {found:?} {expected:?}"));
                }
            }
        },
        TOLERANCE,
    );
    assert_eq!(relu().diagonal_gradient(2.0), Ok((0.5, 0.0)));
    assert_eq!(relu().diagonal_gradient(0.0), Ok((0.5, 0.0)));
}

#[test]
fn parameters_are_differences() {
    let mut counted = 0;
    for case in CASES.iter() {
        let f = &case.activation;
        let parameters = f.parameters();
        let values: Vec<f64> = parameters.iter().map(|p| p.1).collect();
        counted += values.len();
        assert_eq!(f.with_parameters(&values).as_ref(), Ok(f));
        let more = [&values[..], &[1.0]].concat();
        assert!(f.with_parameters(&more).is_err(), "{f}");
    }
    assert!(counted >= 40, "{counted}");
    check(
        |case, tell| {
            let f = &case.activation;
            let values: Vec<f64> = f.parameters().into_iter().map(|p| p.1).collect();
            for (v1, v2) in pairs(case) {
                // Also of a sample with itself.
                let itself = (v1, v1, v1);
                let between = COSINES.map(|rho| (v1, v2, rho * (v1 * v2).sqrt()));
                for (v1, v2, q) in [itself].into_iter().chain(between) {
                    let found = f.dual_parameter_gradient(v1, v2, q);
                    assert_eq!(found.len(), values.len());
                    for (p, found) in found.into_iter().enumerate() {
                        let h = 3e-4;
                        let expected = slope(h, |h| {
                            let mut values = values.clone();
                            values[p] += h;
                            f.with_parameters(&values).unwrap().dual(v1, v2, q)
                        });
                        let ((k1, d1), (k2, d2)) = (f.diagonal(v1), f.diagonal(v2));
                        let scales = [(k1 * k2).sqrt(), (d1 * d2).sqrt()];
                        let both = [(found.0, expected[0]), (found.1, expected[1])];
                        for ((found, expected), scale) in both.into_iter().zip(scales) {
                            let apart = (found - expected).abs();
                            let far = if apart == 0.0 {
                                0.0
                            } else {
                                apart / (scale + expected.abs())
                            };
                            let far = if far.is_nan() { f64::INFINITY } else { far };
                            tell(far, format!("{p} {v1} {v2} {q}: {found:?} {expected:?}"));
                        }
                    }
                }
            }
        },
        TOLERANCE,
    );
}

/// Checks the derivatives of pairs parallel, antiparallel and by rounding beyond, of these variances.
fn hold<T: Real>(case: &Case, variances: &[f64], good: impl Fn(f64) -> bool) -> Option<String> {
    let f = &case.activation;
    let unit = case.variances.len() == 1;
    let variances = if unit { &[1.0][..] } else { variances };
    let allowed =
        |v: &&f64| f.maps::<f64>().domain(**v).is_ok() && f.diagonal(T::of(**v)).0.is_finite();
    for &v1 in variances.iter().filter(allowed) {
        for &v2 in variances.iter().filter(allowed) {
            let (q1, q2) = (T::of(v1), T::of(v2));
            for rho in [-1.0, 0.0, 0.5, 1.0, 1.0 + 4.0 * T::epsilon().to_f64()] {
                let q = T::of(rho) * q1.sqrt() * q2.sqrt();
                let by = gradient(f, q1, q2, q);
                let parameters = f.dual_parameter_gradient(q1, q2, q);
                let by_parameters = parameters.iter().flat_map(|(k, d)| [*k, *d]);
                let mut all = by
                    .into_iter()
                    .flatten()
                    .chain(by_parameters.map(Real::to_f64));
                if !all.all(&good) {
                    return Some(format!("{f} {v1:e} {v2:e} {rho}: {by:?} {parameters:?}"));
                }
            }
        }
        let (k, d) = f.diagonal_gradient(T::of(v1)).unwrap();
        if !(good(k.to_f64()) && good(d.to_f64())) {
            return Some(format!("{f} {v1:e}: {k:?} {d:?}"));
        }
    }
    None
}

#[test]
fn everything_is_finite() {
    let double = [0.0, 1e-100, 1e-10, 1.0, 1e5, 1e30];
    let single = [0.0, 1e-16, 1e-4, 1.0, 1e4];
    // Here what is no number of the type is infinite.
    let wide = [0.0, 1e-300, 1e-200, 1.0, 1e200, 1e300];
    let narrow = [0.0, 1e-37, 1e-25, 1.0, 1e25, 1e37];
    let number = |x: f64| !x.is_nan();
    let failed: Vec<String> = known()
        .flat_map_iter(|case| {
            [
                hold::<f64>(case, &double, f64::is_finite),
                hold::<f32>(case, &single, f64::is_finite),
                hold::<f64>(case, &wide, number),
                hold::<f32>(case, &narrow, number),
            ]
        })
        .flatten()
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Those of a sample of zeros are the limits, for functions without kinks.
#[test]
fn zero_samples_are_limits() {
    check(
        |case, tell| {
            let f = &case.activation;
            let kinked = matches!(
                f,
                Activation::AbRelu(_) | Activation::Sign(_) | Activation::RectifiedMonomial(_)
            );
            if kinked || case.definition.normalized || case.variances.len() == 1 {
                return;
            }
            for v in [0.0_f64, 0.2, 1.0] {
                let near = 1e-9;
                let found = gradient(f, 0.0, v, 0.0);
                // By the second variance, of zeros too, the limit is along another path.
                let expected = gradient(f, near, v.max(near), 0.0);
                let allowed = [[1e-7; 3]; 2];
                let far = far(found, expected, scales(f, (1.0, 1.0)), allowed);
                tell(far, format!("{v}: {found:?} {expected:?}"));
            }
        },
        TOLERANCE,
    );
}

/// Where the moments become those of Taylor polynomials, and where these are estimated.
#[test]
fn small_variances_of_quadratures() {
    for function in [
        Function::Tanh,
        Function::Softplus,
        Function::Silu,
        Function::Sigmoid,
    ] {
        let exact = quadrature(function, 64);
        let estimated = numerical("f", move |x| function.value(x), 64);
        for v1 in [0.0, 1e-30, 1e-12, 8.9e-8, 9.1e-8, 1e-4] {
            for v2 in [0.0_f64, 1e-10, 0.5] {
                for rho in [-1.0, 0.0, 0.7, 1.0] {
                    let q = rho * f64::sqrt(v1 * v2);
                    let found = gradient(&exact, v1, v2, q);
                    // With the first derivatives that differ little between these variances.
                    let near = gradient(&exact, 1e-5_f64.max(v1), v2.max(1e-5), q);
                    let scale = [[1.0; 3]; 2];
                    let apart = far(found, near, scale, [[1e-4; 3]; 2]);
                    assert!(
                        apart <= TOLERANCE,
                        "{exact} {v1} {v2} {rho}: {found:?} {near:?}"
                    );
                    let other = gradient(&estimated, v1, v2, q);
                    // As far as the next derivatives, up to 272, and rounding leave the estimate.
                    let apart = far(other, found, scale, [[1e-6; 3]; 2]);
                    assert!(
                        apart <= TOLERANCE,
                        "{exact} {v1} {v2} {rho}: {other:?} {found:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn derivatives_may_be_unknown() {
    let square = |q1: f64, q2: f64, q: f64| (q1 * q2 + 2.0 * q * q, 4.0 * q);
    let unknown = closed_form("square", square);
    let error = unknown
        .dual_gradient(1.0, 1.0, 0.5)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("square") && error.contains("closed_form_with_gradient"),
        "{error}"
    );
    assert!(unknown.diagonal_gradient(1.0_f32).is_err());
    let of = closed_form_with_gradient("square", move |q1, q2, q| {
        let (k, d) = square(q1, q2, q);
        (k, d, [q2, q1, 4.0 * q], [0.0, 0.0, 4.0])
    });
    assert_eq!(of.dual(1.0, 2.0, 0.5), unknown.dual(1.0, 2.0, 0.5));
    for q in [-0.5, 0.3] {
        assert_eq!(
            gradient(&of, 1.0, 2.0, q),
            gradient(&monomial(2), 1.0, 2.0, q)
        );
    }
    assert_eq!(
        of.diagonal_gradient(3.0),
        monomial(2).diagonal_gradient(3.0)
    );
    assert_eq!(of, of.clone());
}
