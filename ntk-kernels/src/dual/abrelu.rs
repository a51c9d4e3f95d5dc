//! Computes the dual of `f(x) = a min(x, 0) + b max(x, 0)`.
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

use super::angle::{density, inverse, parallel};
use super::euler::Terms;
use super::{
    Activation, Described, Dual, Named, NoOptions, OptionFault, ParameterSlopes, Side, Slopes,
    named, not_finite, read_options,
};
use crate::pack::{Pack, is_single};
use ntk_linalg::Real;
use serde::Deserialize;
use serde_json::{Value, json};
use std::f64::consts::TAU;

/// An `AbRelu` is the activation `a min(x, 0) + b max(x, 0)`; [the module](self) has its formulas.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbRelu {
    /// The slope for negative numbers.
    pub a: f64,
    /// The slope for positive numbers.
    pub b: f64,
}

/// Makes the rectified linear unit (ReLU), `max(x, 0)`.
#[must_use]
pub fn relu() -> Activation {
    abrelu(0.0, 1.0)
}

/// Makes the leaky ReLU, `slope min(x, 0) + max(x, 0)`.
#[must_use]
pub fn leaky_relu(slope: f64) -> Activation {
    abrelu(slope, 1.0)
}

/// Makes the absolute value, `|x|`.
#[must_use]
pub fn abs() -> Activation {
    abrelu(-1.0, 1.0)
}

/// Makes the piecewise linear function `a min(x, 0) + b max(x, 0)`.
#[must_use]
pub fn abrelu(a: f64, b: f64) -> Activation {
    Activation::AbRelu(AbRelu { a, b })
}

// Chebyshev interpolation on 0 <= u <= 1, u = 1 - |cosine|, of two functions that are smooth
// there: the angle and its sine share the factor sqrt(u), which is all that is not. Powers of
// u are well conditioned, as the functions' own series have radius 2.

/// `acos(1 - u) / sqrt(u)`, relative error below 2e-7.
const ANGLE_F32: [f64; 7] = [
    1.4142136760660085,
    0.11784003715346343,
    0.026690007692690046,
    0.006896729245916263,
    0.005314285548755105,
    -0.002366265832253554,
    0.0022076559955532217,
];
/// The same, relative error below 2e-17.
#[allow(
    clippy::approx_constant,
    reason = "a coefficient near sqrt(2), not sqrt(2)"
)]
const ANGLE_F64: [f64; 19] = [
    1.4142135623730951,
    0.11785113019774604,
    0.026516504295916166,
    0.007891816687096197,
    0.0026854115429505864,
    0.0009886937064591983,
    0.0003837000361256815,
    0.00015250797182385684,
    7.287068257137792e-05,
    -7.185800992367848e-06,
    0.00010871230018361807,
    -0.00020499919349473681,
    0.0003480987471498245,
    -0.00043000945159494793,
    0.0004006882818589302,
    -0.0002688464467735859,
    0.00012425167869548127,
    -3.537835495282187e-05,
    4.797541033020616e-06,
];
/// `sqrt(2 - u)`, relative error below 3e-7.
const SINE_F32: [f64; 7] = [
    1.4142134351987443,
    -0.3535409815059135,
    -0.04438831462768226,
    -0.009934481964683916,
    -0.006398671055571867,
    0.002557661621369457,
    -0.0025084247287646385,
];
/// The same, relative error below 4e-17.
#[allow(
    clippy::approx_constant,
    reason = "a coefficient near sqrt(2), not sqrt(2)"
)]
const SINE_F64: [f64; 19] = [
    1.414213562373095,
    -0.3535533905932614,
    -0.04419417382563615,
    -0.011048543386157338,
    -0.0034526715716022027,
    -0.0012084080523437285,
    -0.0004534275100647607,
    -0.00017617423778615296,
    -8.173944358012376e-05,
    5.372979816159764e-06,
    -0.00011380314888526232,
    0.00021290338250768513,
    -0.00036212573571344354,
    0.00044720831509774053,
    -0.00041681243885282796,
    0.00027968861182729146,
    -0.00012929142735553363,
    3.682153598982513e-05,
    -4.995827094757694e-06,
];

/// The angle of two samples.
struct Turn<T> {
    cosine: Pack<T>,
    /// The angle from the nearer of 0 and pi, and its sine; both 0 for parallel samples.
    angle: Pack<T>,
    sine: Pack<T>,
}

impl<T: Real> Turn<T> {
    #[inline(always)]
    fn new(one: impl Side<T>, two: impl Side<T>, q: Pack<T>) -> Self {
        let (angle, sine): (&[f64], &[f64]) = if is_single::<T>() {
            (&ANGLE_F32, &SINE_F32)
        } else {
            (&ANGLE_F64, &SINE_F64)
        };
        // The factors are multiplied one at a time, so that nothing overflows where the result is
        // representable.
        let cosine = q * one.get(1) * two.get(1);
        let u = Pack::one() - cosine.abs();
        let root = u.if_below(Pack::splat(parallel()), Pack::zero(), u).sqrt();
        Self {
            cosine,
            angle: root * u.polynomial(angle),
            sine: root * u.polynomial(sine),
        }
    }
}

impl Dual for AbRelu {
    const HOT: bool = true;

    fn numbers(&self) -> usize {
        2
    }

    /// Writes the standard deviation times the root of the sine's factor, and the inverse of the
    /// standard deviation; 0 for a sample of zeros, which then is orthogonal to all.
    fn prepare<T: Real>(&self, variance: T, numbers: &mut [T]) {
        super::root_and_inverse(variance, numbers);
        numbers[0] *= T::of(self.gap() / TAU).sqrt();
    }

    #[inline(always)]
    fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>) {
        let gap = self.gap();
        let Turn {
            cosine,
            angle,
            sine,
        } = Turn::new(one, two, q);
        // (pi/2 - angle) gap / (2 pi) is odd in the cosine.
        let odd = angle.mul_add(Pack::of(-gap / TAU), Pack::of(gap / 4.0));
        let derivative = odd.copysign(cosine) + Pack::of(self.mean() - gap / 4.0);
        let kernel = (one.get(0) * two.get(0)).mul_add(sine, q * derivative);
        (kernel, derivative)
    }

    /// Computes, with `g = (a - b)^2 / (2 pi)`,
    ///
    /// ```text
    /// dK/dq1 = g r / (2 q1),  dK/dq = D
    /// dD/dq1 = -g q / (2 q1 r),  dD/dq = g / r
    /// ```
    ///
    /// Those with `1/r` are 0 for parallel samples, and those with `1/q1` for samples of zeros.
    #[inline(always)]
    fn slopes<T: Real, S: Side<T>>(&self, one: S, two: impl Side<T>, q: Pack<T>) -> Slopes<T> {
        let (kernel, derivative) = self.pair(one, two, q);
        let Turn { cosine, sine, .. } = Turn::new(one, two, q);
        let half = sine * Pack::of(0.5);
        // A root times an inverse is of the order of 1, or of the ratio of the roots.
        let by = |root: Pack<T>, other: Pack<T>, inverse: Pack<T>| {
            (root * inverse) * (other * inverse) * half
        };
        let (root1, root2) = (one.get(0), two.get(0));
        Slopes {
            kernel,
            derivative,
            kernel_by: [
                by(root1, root2, one.get(1)),
                by(root2, root1, two.get(1)),
                derivative,
            ],
            derivative_by: density(one.get(1), two.get(1), cosine, sine, self.gap() / TAU),
        }
    }

    fn diagonal_slopes<T: Real>(&self, _variance: T) -> (T, T) {
        (T::of(self.mean()), T::zero())
    }

    /// Computes those of `K` and `D` by `a` and `b`, of which they are quadratic forms.
    #[inline(always)]
    fn parameter_slopes<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
        into: &mut [ParameterSlopes<T>],
    ) {
        let Turn {
            cosine,
            angle,
            sine,
        } = Turn::new(one, two, q);
        let odd = angle.mul_add(Pack::of(-1.0 / TAU), Pack::of(0.25));
        let by_gap = odd.copysign(cosine) - Pack::of(0.25);
        let size = inverse(one.get(1)) * inverse(two.get(1)) * Pack::of(1.0 / TAU);
        let kernel_by_gap = size.mul_add(sine, q * by_gap);
        let twice = 2.0 * (self.a - self.b);
        for (slopes, (gap, mean)) in into.iter_mut().zip([(twice, self.a), (-twice, self.b)]) {
            let (gap, mean) = (Pack::of(gap), Pack::of(mean));
            *slopes = (
                kernel_by_gap.mul_add(gap, q * mean),
                by_gap.mul_add(gap, mean),
            );
        }
    }

    fn diagonal<T: Real>(&self, variance: T) -> (T, T) {
        let mean = T::of(self.mean());
        (mean * variance, mean)
    }
}

impl AbRelu {
    /// `(a - b)^2`.
    fn gap(&self) -> f64 {
        (self.a - self.b).powi(2)
    }

    /// `(a^2 + b^2) / 2`.
    fn mean(&self) -> f64 {
        (self.a * self.a + self.b * self.b) / 2.0
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Slope {
    slope: f64,
}

impl Described for AbRelu {
    fn at(&self, x: f64) -> Option<(f64, f64)> {
        let slope = if x > 0.0 { self.b } else { self.a };
        Some((slope * x, slope))
    }

    fn euler(&self) -> Option<Terms> {
        Some(vec![(1.0, Activation::AbRelu(*self))])
    }

    fn name_and_options(&self) -> (&'static str, Value) {
        match (self.a, self.b) {
            (0.0, 1.0) => ("relu", Value::Null),
            (-1.0, 1.0) => ("abs", Value::Null),
            (slope, 1.0) => ("leaky_relu", json!({ "slope": slope })),
            (a, b) => ("abrelu", json!({"a": a, "b": b})),
        }
    }

    fn fault(&self) -> Option<String> {
        not_finite([("a", self.a), ("b", self.b)])
    }

    fn parameters(&self) -> Vec<(String, f64)> {
        named([("a", self.a), ("b", self.b)])
    }

    fn with_parameters(&self, values: &[f64]) -> Option<Activation> {
        let &[a, b] = values else { return None };
        Some(abrelu(a, b))
    }
}

impl Named for AbRelu {
    const NAMES: &'static [&'static str] = &["relu", "leaky_relu", "abs", "abrelu"];

    fn read(name: &str, options: Value) -> Result<Activation, OptionFault> {
        let plain = |f: Activation| read_options(options.clone(), |NoOptions {}| f);
        match name {
            "relu" => plain(relu()),
            "abs" => plain(abs()),
            "leaky_relu" => read_options(options, |o: Slope| leaky_relu(o.slope)),
            _ => read_options(options, Activation::AbRelu),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use std::f64::consts::PI;

    fn one(f: &Activation, q1: f64, q2: f64, q: f64) -> (f64, f64) {
        f.dual(q1, q2, q)
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
                    let (k, d) = one(&abrelu(a, b), q1, q2, q);
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
        assert_eq!(one(&relu(), 4.0, 4.0, 4.0), (2.0, 0.5));
        assert_eq!(one(&relu(), 4.0, 4.0, 4.0 * (1.0 + f64::EPSILON)).1, 0.5);
        assert_eq!(one(&relu(), 4.0, 9.0, -6.0), (0.0, 0.0));
        assert_eq!(one(&relu(), 0.0, 9.0, 0.0), (0.0, 0.25));
        assert_eq!(one(&relu(), 0.0, 0.0, 0.0), (0.0, 0.25));
        // Nearly orthogonal: the cosine must not come from the sine.
        let (_, d) = one(&relu(), 1.0, 1.0, 1e-9);
        assert_relative_eq!(d, 0.25 + 1e-9 / TAU, max_relative = 1e-15);
        // No rounding between a sample and itself: the angle would be 1e-8, not 0.
        for q in [0.1, 784.3, 3.0e-7] {
            assert_eq!(one(&relu(), q, q, q), (q / 2.0, 0.5));
        }
        // One huge and one tiny sample.
        let (k, _) = one(&relu(), 1e300, 1e-300, 0.5);
        assert_relative_eq!(k, one(&relu(), 1.0, 1.0, 0.5).0, max_relative = 1e-14);
        // Representable results at extreme scales.
        let (k, d) = one(&relu(), 1e300, 1e300, 5e299);
        let (k1, d1) = one(&relu(), 1.0, 1.0, 0.5);
        assert_relative_eq!(k / 1e300, k1, max_relative = 1e-14);
        assert_relative_eq!(d, d1, max_relative = 1e-14);
        let (k, _) = one(&relu(), 1e-300, 1e-300, 5e-301);
        assert_relative_eq!(k / 1e-300, k1, max_relative = 1e-14);
    }

    #[test]
    fn diagonal_is_the_limit() {
        let f = abrelu(0.4, 1.3);
        assert_relative_eq!(
            one(&f, 2.5, 2.5, 2.5).0,
            f.diagonal(2.5).0,
            max_relative = 1e-15
        );
    }
}
