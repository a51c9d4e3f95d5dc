//! The angle between two samples from its sine and cosine, without branches, so that loops
//! over it vectorise (the system's `atan2` and `acos` do not).
//!
//! With `t = tan(theta / 2) = s / (1 + |c|)` in [0, 1], `theta = 2 atan(t)`, or `pi` less it
//! where `c < 0`. `atan` is `x + x z P(z) / Q(z)`, `z = x^2`, for `|x| <= 0.66`, and
//! `pi/4 + atan((t - 1) / (t + 1))` above: the rational approximation of the Cephes library
//! (Moshier 1989, "Methods and Programs for Mathematical Functions"), of relative error 2e-16.

use ntk_linalg::Real;
use std::f64::consts::{FRAC_PI_4, PI};

/// P, highest power first.
const P: [f64; 5] = [
    -8.750_608_600_031_904e-1,
    -1.615_753_718_733_365e1,
    -7.500_855_792_314_705e1,
    -1.228_866_684_490_136_2e2,
    -6.485_021_904_942_025e1,
];
/// Q, highest power first; its leading coefficient is 1.
const Q: [f64; 6] = [
    1.0,
    2.485_846_490_142_306_3e1,
    1.650_270_098_316_988_5e2,
    4.328_810_604_912_902_7e2,
    4.853_903_996_359_137e2,
    1.945_506_571_482_614e2,
];
/// Where the approximation's own argument ends.
const LIMIT: f64 = 0.66;

/// `atan2(sine, cosine)` for `sine >= 0`, a number from 0 to pi; both of one common scale.
///
/// Within 4 units in the last place. `sine = cosine = 0` gives NaN.
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
