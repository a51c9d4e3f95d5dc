//! `f(x) = a min(x, 0) + b max(x, 0)`.
//!
//! With `r = sqrt(q1 q2 - q^2)` and `theta = atan2(r, q)` the angle between the
//! two samples (`pi/2` where either is zero),
//!
//! ```text
//! D = (a^2 + b^2)/2 - (a - b)^2 theta / (2 pi)
//! K = (a - b)^2 r / (2 pi) + D q
//! ```
//!
//! On the diagonal `K = (a^2 + b^2)/2 q`. Domain: all `q1, q2 >= 0`, `|q| <= sqrt(q1 q2)`
//! (larger by rounding counts as parallel). relu is `(0, 1)`, leaky relu
//! `(slope, 1)`, the absolute value `(-1, 1)`.
//!
//! Cho & Saul 2009, "Kernel Methods for Deep Learning", eq. 6 with n = 1 (relu);
//! the general case is linear in relu and the identity.

use super::{Activation, angle};
use ntk_linalg::Real;
use serde::Deserialize;
use serde_json::{Value, json};
use std::f64::consts::{FRAC_PI_2, TAU};

/// `a min(x, 0) + b max(x, 0)`; see the module's formulas.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbRelu {
    /// Slope on the negative side.
    pub a: f64,
    /// Slope on the positive side.
    pub b: f64,
}

/// `max(x, 0)`.
#[must_use]
pub fn relu() -> Activation {
    abrelu(0.0, 1.0)
}

/// `slope min(x, 0) + max(x, 0)`.
#[must_use]
pub fn leaky_relu(slope: f64) -> Activation {
    abrelu(slope, 1.0)
}

/// `|x|`.
#[must_use]
pub fn abs() -> Activation {
    abrelu(-1.0, 1.0)
}

/// `a min(x, 0) + b max(x, 0)`.
#[must_use]
pub fn abrelu(a: f64, b: f64) -> Activation {
    Activation::AbRelu(AbRelu { a, b })
}

/// Samples with a squared sine of up to this many epsilon count as parallel: three rounded
/// inner products and two quotients cannot tell them from it, and the angle, the square root
/// of that rounding, would be a hundred million times larger than the rounding itself.
const PARALLEL: f64 = 4.0;

impl AbRelu {
    pub(super) fn map_row<T: Real>(&self, q1: T, q2: &[T], nngp: &mut [T], ntk: Option<&mut [T]>) {
        let gap = T::of((self.a - self.b).powi(2) / TAU);
        let mean = self.mean_square::<T>();
        // The widest instructions that the processor has; the loops hold no branch and no call.
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || match ntk {
                Some(ntk) => {
                    for ((k, t), &q2) in nngp.iter_mut().zip(ntk).zip(q2) {
                        let (kernel, derivative) = dual(gap, mean, q1, q2, *k);
                        *k = kernel;
                        *t *= derivative;
                    }
                }
                None => {
                    for (k, &q2) in nngp.iter_mut().zip(q2) {
                        *k = dual(gap, mean, q1, q2, *k).0;
                    }
                }
            },
        );
    }

    pub(super) fn diagonal<T: Real>(&self, q: T) -> T {
        self.mean_square::<T>() * q
    }

    fn mean_square<T: Real>(&self) -> T {
        T::of((self.a * self.a + self.b * self.b) / 2.0)
    }

    pub(super) fn name_and_options(&self) -> (&'static str, Value) {
        match (self.a, self.b) {
            (0.0, 1.0) => ("relu", Value::Null),
            (-1.0, 1.0) => ("abs", Value::Null),
            (slope, 1.0) => ("leaky_relu", json!({ "slope": slope })),
            (a, b) => ("abrelu", json!({"a": a, "b": b})),
        }
    }

    pub(super) fn fault(&self) -> Option<String> {
        [("a", self.a), ("b", self.b)]
            .into_iter()
            .find(|(_, v)| !v.is_finite())
            .map(|(name, v)| format!("slope {name} must be finite, found {v}"))
    }
}

/// `K` and `D` for `gap = (a - b)^2 / (2 pi)` and `mean = (a^2 + b^2) / 2`.
#[inline(always)]
fn dual<T: Real>(gap: T, mean: T, q1: T, q2: T, q: T) -> (T, T) {
    let zero = T::zero();
    // Quotients before products: nothing overflows where the result is representable.
    let sine_squared = T::one() - (q / q1) * (q / q2);
    let parallel = T::of(PARALLEL) * T::epsilon();
    let sine = if sine_squared > parallel {
        sine_squared.sqrt()
    } else {
        zero
    };
    let scale = q1.sqrt() * q2.sqrt();
    let theta = angle(sine, q / scale);
    // A zero sample has no direction: the quotients above are NaN, and this is chosen instead.
    let some = scale > zero;
    let theta = if some { theta } else { T::of(FRAC_PI_2) };
    let r = if some { scale * sine } else { zero };
    let derivative = mean - gap * theta;
    (gap * r + derivative * q, derivative)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoOptions {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Slope {
    slope: f64,
}

/// The activation of this family that JSON calls `name`, or why its options do not fit.
pub(super) fn from_name(name: &str, options: Value) -> Option<Result<Activation, String>> {
    let plain = |f: Activation| serde_json::from_value::<NoOptions>(options.clone()).map(|_| f);
    Some(
        match name {
            "relu" => plain(relu()),
            "abs" => plain(abs()),
            "leaky_relu" => serde_json::from_value(options).map(|o: Slope| leaky_relu(o.slope)),
            "abrelu" => serde_json::from_value(options).map(Activation::AbRelu),
            _ => return None,
        }
        .map_err(|e| e.to_string()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use std::f64::consts::PI;

    fn one(f: Activation, q1: f64, q2: f64, q: f64) -> (f64, f64) {
        let (mut k, mut d) = ([q], [1.0]);
        f.map_row(q1, &[q2], &mut k, Some(&mut d));
        (k[0], d[0])
    }

    /// `K` and `D` in polar coordinates: `f` is homogeneous, so the radius integrates
    /// to 2 (kernel) or 1 (derivative), and an integral over the angle remains,
    /// smooth between the kinks.
    fn by_integration(a: f64, b: f64, q1: f64, q2: f64, q: f64) -> (f64, f64) {
        let rho = q / (q1 * q2).sqrt();
        let angle = rho.acos();
        let df = |x: f64| if x < 0.0 { a } else { b };
        // u = sqrt(q1) R cos t, v = sqrt(q2) R cos(t - angle); kinks where either cosine is 0.
        let mut kinks = vec![
            PI / 2.0,
            3.0 * PI / 2.0,
            PI / 2.0 + angle,
            3.0 * PI / 2.0 + angle,
        ];
        kinks.iter_mut().for_each(|t| *t = t.rem_euclid(2.0 * PI));
        kinks.sort_by(f64::total_cmp);
        kinks.push(kinks[0] + 2.0 * PI);
        let (mut k, mut d) = (0.0, 0.0);
        for side in kinks.windows(2) {
            // Simpson's rule on 2000 panels errs by less than 1e-12 here.
            let (n, width) = (2000, side[1] - side[0]);
            let h = width / f64::from(n);
            for i in 0..n {
                for (x, w) in [(0.0, 1.0), (0.5, 4.0), (1.0, 1.0)] {
                    let t = side[0] + (f64::from(i) + x) * h;
                    let (u, v) = (t.cos(), (t - angle).cos());
                    // The side's own slope at its ends, not the neighbour's.
                    let middle = side[0] + width / 2.0;
                    let slopes = df(middle.cos()) * df((middle - angle).cos());
                    k += w * h / 6.0 * slopes * u * v;
                    d += w * h / 6.0 * slopes;
                }
            }
        }
        ((q1 * q2).sqrt() * 2.0 * k / (2.0 * PI), d / (2.0 * PI))
    }

    #[test]
    fn agrees_with_integration_of_the_definition() {
        for (a, b) in [(0.0, 1.0), (0.3, 1.0), (-1.0, 1.0), (2.0, -0.5)] {
            for rho in [-1.0, -0.999, -0.5, 0.0, 0.3, 0.9999, 1.0] {
                for (q1, q2) in [(1.0, 1.0), (0.2, 7.0)] {
                    let q = rho * f64::sqrt(q1 * q2);
                    let (k, d) = one(abrelu(a, b), q1, q2, q);
                    let (k0, d0) = by_integration(a, b, q1, q2, q);
                    assert_relative_eq!(k, k0, epsilon = 1e-9, max_relative = 1e-9);
                    assert_relative_eq!(d, d0, epsilon = 1e-9, max_relative = 1e-9);
                }
            }
        }
    }

    #[test]
    fn edges() {
        // Parallel and antiparallel, by rounding beyond, and zero samples.
        assert_eq!(one(relu(), 4.0, 4.0, 4.0), (2.0, 0.5));
        assert_eq!(one(relu(), 4.0, 4.0, 4.0 * (1.0 + f64::EPSILON)).1, 0.5);
        assert_eq!(one(relu(), 4.0, 9.0, -6.0), (0.0, 0.0));
        assert_eq!(one(relu(), 0.0, 9.0, 0.0), (0.0, 0.25));
        assert_eq!(one(relu(), 0.0, 0.0, 0.0), (0.0, 0.25));
        // Nearly orthogonal: the cosine must not come from the sine.
        let (_, d) = one(relu(), 1.0, 1.0, 1e-9);
        assert_relative_eq!(d, 0.25 + 1e-9 / TAU, max_relative = 1e-15);
        // No rounding between a sample and itself: the angle would be 1e-8, not 0.
        for q in [0.1, 784.3, 3.0e-7] {
            assert_eq!(one(relu(), q, q, q), (q / 2.0, 0.5));
        }
        // One huge and one tiny sample.
        let (k, _) = one(relu(), 1e300, 1e-300, 0.5);
        assert_relative_eq!(k, one(relu(), 1.0, 1.0, 0.5).0, max_relative = 1e-14);
        // Representable results at extreme scales.
        let (k, d) = one(relu(), 1e300, 1e300, 5e299);
        let (k1, d1) = one(relu(), 1.0, 1.0, 0.5);
        assert_relative_eq!(k / 1e300, k1, max_relative = 1e-14);
        assert_relative_eq!(d, d1, max_relative = 1e-14);
        let (k, _) = one(relu(), 1e-300, 1e-300, 5e-301);
        assert_relative_eq!(k / 1e-300, k1, max_relative = 1e-14);
    }

    #[test]
    fn diagonal_is_the_limit() {
        let f = abrelu(0.4, 1.3);
        assert_relative_eq!(
            one(f, 2.5, 2.5, 2.5).0,
            f.diagonal(2.5),
            max_relative = 1e-15
        );
    }
}
