//! Computes the angle between two samples from its sine and cosine, without branches, so that loops
//! over it vectorise (the system's `atan2` and `acos` do not).
//!
//! With `t = tan(theta / 2) = s / (1 + |c|)` in [0, 1], `theta = 2 atan(t)`, or `pi` less it
//! where `c < 0`. `atan` is `x + x z P(z) / Q(z)`, `z = x^2`, for `|x| <= 0.66`, and
//! `pi/4 + atan((t - 1) / (t + 1))` above: the rational approximation of the Cephes library
//! (Moshier 1989, "Methods and Programs for Mathematical Functions"), of relative error 2e-16.

use crate::pack::{Pack, is_single};
use ntk_linalg::Real;
use std::f64::consts::{FRAC_PI_4, PI};

/// The coefficients of P, highest power first.
const P: [f64; 5] = [
    -8.750_608_600_031_904e-1,
    -1.615_753_718_733_365e1,
    -7.500_855_792_314_705e1,
    -1.228_866_684_490_136_2e2,
    -6.485_021_904_942_025e1,
];
/// The coefficients of Q, highest power first; the leading one is 1.
const Q: [f64; 6] = [
    1.0,
    2.485_846_490_142_306_3e1,
    1.650_270_098_316_988_5e2,
    4.328_810_604_912_902_7e2,
    4.853_903_996_359_137e2,
    1.945_506_571_482_614e2,
];
/// The largest argument of the approximation itself.
const LIMIT: f64 = 0.66;

/// Samples whose cosine is this many epsilon from 1 count as parallel: rounded covariances
/// cannot tell them from it, and the angle, the square root of that rounding, would be a
/// hundred million times larger than the rounding itself. A few units come from this
/// formula, more from the layers before; in f32 a wider band would hide true angles.
#[inline(always)]
pub(super) fn parallel<T: Real>() -> T {
    T::epsilon() * T::of(if is_single::<T>() { 4.0 } else { 16.0 })
}

/// The angle between two samples.
#[derive(Clone, Copy)]
pub(super) struct Between<T> {
    /// The cosine, from -1 to 1 but for rounding.
    pub(super) cosine: Pack<T>,
    /// The sine, from 0 to 1; 0 for [`parallel`] samples.
    pub(super) sine: Pack<T>,
}

/// Computes the angle from the samples' inverse standard deviations, 0 for a sample of zeros (which
/// then is orthogonal to all), and their covariance.
#[inline(always)]
pub(super) fn between<T: Real>(one: Pack<T>, two: Pack<T>, q: Pack<T>) -> Between<T> {
    // The factors are multiplied one at a time, so that nothing overflows where the result is
    // representable.
    let cosine = q * one * two;
    let size = cosine.abs();
    let rest = Pack::one() - size;
    let rest = rest.if_below(Pack::splat(parallel()), Pack::zero(), rest);
    let sine = (rest * (size + T::one())).sqrt();
    Between { cosine, sine }
}

/// Computes `1/x`, or 0 for 0.
#[inline(always)]
pub(super) fn inverse<T: Real>(x: Pack<T>) -> Pack<T> {
    Pack::zero().if_below(x, Pack::one() / x, Pack::zero())
}

/// Computes what the kinks, or jumps, of both functions add to the derivatives of a derivative
/// kernel by `q1`, `q2` and `q`, from the inverse standard deviations and the angle: `factor` times
/// `-q / (2 q1 r)`, `-q / (2 q2 r)` and `1/r`, `r = sqrt(q1 q2 - q^2)`.
///
/// They are the derivatives of `factor` times the angle from `-pi`; 0 for parallel samples, where
/// they diverge, and for those of zeros.
#[inline(always)]
pub(super) fn density<T: Real>(
    one: Pack<T>,
    two: Pack<T>,
    cosine: Pack<T>,
    sine: Pack<T>,
    factor: f64,
) -> [Pack<T>; 3] {
    let over = inverse(sine) * T::of(factor);
    let turned = cosine * over * T::of(-0.5);
    [turned * one * one, turned * two * two, over * one * two]
}

/// Computes `atan2(sine, cosine)`, a number from 0 to pi, for `sine >= 0`; both may have one common
/// factor.
///
/// The result is within 4 units in the last place; `sine = cosine = 0` gives NaN.
#[inline(always)]
pub fn angle<T: Real>(sine: T, cosine: T) -> T {
    let one = T::one();
    let radius = (sine * sine + cosine * cosine).sqrt();
    let t = sine / (radius + cosine.abs());
    let far = t > T::of(LIMIT);
    let x = if far { (t - one) / (t + one) } else { t };
    let z = x * x;
    let horner = |c: &[f64]| c.iter().fold(T::zero(), |sum, &c| sum * z + T::of(c));
    let half = x + x * z * horner(&P) / horner(&Q) + if far { T::of(FRAC_PI_4) } else { T::zero() };
    let theta = half + half;
    if cosine < T::zero() {
        T::of(PI) - theta
    } else {
        theta
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_arc_tangent() {
        let mut worst = 0.0_f64;
        for i in 0..=100_000 {
            let exact = PI * f64::from(i) / 1e5;
            for scale in [1.0, 1e-100, 3e120] {
                let (s, c) = (scale * exact.sin(), scale * exact.cos());
                let expected = s.atan2(c);
                let error = (angle(s, c) - expected).abs();
                worst = worst.max(error / expected.max(f64::MIN_POSITIVE));
            }
        }
        assert!(worst <= 4.0 * f64::EPSILON, "{worst:e}");
        let single = |x: f32| (angle(x.sin(), x.cos()) - x).abs() / x;
        assert!((1..3141).all(|i| single(i as f32 / 1000.0) <= 4.0 * f32::EPSILON));
    }

    #[test]
    fn the_ends_are_exact() {
        assert_eq!(angle(0.0, 1.0), 0.0);
        assert_eq!(angle(0.0, -2.0), PI);
        assert_eq!(angle(3.0, 0.0), PI / 2.0);
        assert_eq!(angle(1e-9, 1.0), 1e-9);
    }
}
