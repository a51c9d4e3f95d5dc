//! Computes with sixteen numbers at a time.
//!
//! Plain arrays with elementwise operators: where a caller runs under
//! [`wide`], the compiler turns each operator into the widest instructions of
//! the processor, two for sixteen f64 with AVX-512, four for sixteen f32 with
//! NEON. Everything is inlined, so that it is compiled for the caller's
//! instructions, and nothing here branches.
//!
//! `mul_add` rounds once and is one instruction on processors of the last ten
//! years; on older ones it is a library call.
//!
//! [`Pack::exp`], [`Pack::exp_m1`] and [`Pack::angle`] are this module's own, as the system's
//! are calls that do one number at a time. Polynomials are near-minimax (Chebyshev
//! interpolation), of fewer terms for f32.

use ntk_linalg::Real;
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, LN_2, LOG2_E, PI};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// How many numbers a [`Pack`] has.
pub(crate) const LANES: usize = 16;

/// A `Pack` holds sixteen numbers; operators work on each.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Pack<T>(pub(crate) [T; LANES]);

/// Says whether `T` is f32, which is known when compiling.
#[inline(always)]
pub(crate) fn is_single<T>() -> bool {
    size_of::<T>() == size_of::<f32>()
}

// (exp(r) - 1 - r) / r^2 for |r| <= ln(2)/2, in powers of r.

/// Error of exp below 8e-9.
const EXP_F32: [f64; 5] = [
    0.5,
    0.16666576989698775,
    0.041666554617204574,
    0.008363179052722578,
    0.0013926183587713494,
];
/// Error of exp below 2e-17.
const EXP_F64: [f64; 10] = [
    0.5,
    0.16666666666666669,
    0.04166666666662413,
    0.008333333333330062,
    0.0013888888917213717,
    0.00019841269863053618,
    2.4801521295954376e-05,
    2.7557268459997064e-06,
    2.7620088445409746e-07,
    2.510038549551032e-08,
];
/// `ln 2` less its nearest f32.
const LN_2_REST_F32: f64 = -1.904_654_299_957_768e-9;
/// `ln 2` less its nearest f64.
const LN_2_REST_F64: f64 = 2.319_046_813_846_299_6e-17;
/// Beyond these `exp` is infinite or 0.
const EXP_RANGE_F32: (f64, f64) = (-105.0, 89.0);
/// Beyond these infinite or below the smallest normal number.
const EXP_RANGE_F64: (f64, f64) = (-708.4, 710.0);

// (atan(x)/x - 1) / z with z = x^2 for |x| <= tan(pi/8), in powers of z.

/// Relative error of atan below 3e-9.
const ATAN_F32: [f64; 5] = [
    -0.33333331761021745,
    0.1999954044991409,
    -0.14263954429176953,
    0.10743718857826502,
    -0.06451886339441326,
];
/// Relative error of atan below 6e-18.
const ATAN_F64: [f64; 11] = [
    -0.3333333333333333,
    0.19999999999995519,
    -0.1428571428466637,
    0.11111111015242496,
    -0.09090904577560532,
    0.07692183177738345,
    -0.06664511263029486,
    0.05858147311343138,
    -0.05085441357604489,
    0.039231416193385285,
    -0.019176590625538004,
];
/// The value of `tan(pi / 8)`.
const TAN_PI_8: f64 = 0.414_213_562_373_095_05;

/// To be called in each round of a loop over packs: their lanes are the vectors, and a compiler
/// that vectorised over rounds instead would gather and scatter single numbers.
#[inline(always)]
pub(crate) fn by_lanes() {
    std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
}

/// Runs `work`, and all that is inlined into it, with the processor's widest instructions.
#[inline(always)]
pub(crate) fn wide<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// [`wide`], but for `slow` on processors without wide instructions: `work` is not compiled for
/// those. Both are handed `state`.
#[inline(always)]
pub(crate) fn wide_or<S, R>(state: S, work: impl FnOnce(S) -> R, slow: impl FnOnce(S) -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        use pulp::x86::Arch;
        match Arch::new() {
            Arch::V4(simd) => simd.vectorize(
                #[inline(always)]
                || work(state),
            ),
            Arch::V3(simd) => simd.vectorize(
                #[inline(always)]
                || work(state),
            ),
            _ => slow(state),
        }
    }
    // What a compiler may take for granted elsewhere is wide already.
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = slow;
        wide(
            #[inline(always)]
            || work(state),
        )
    }
}

impl<T: Real> Pack<T> {
    /// Holds the same number sixteen times.
    #[inline(always)]
    pub(crate) fn splat(value: T) -> Self {
        Self([value; LANES])
    }

    /// Holds a literal sixteen times.
    #[inline(always)]
    pub(crate) fn of(literal: f64) -> Self {
        Self::splat(T::of(literal))
    }

    /// Holds zeros.
    #[inline(always)]
    pub(crate) fn zero() -> Self {
        Self::splat(T::zero())
    }

    /// Holds ones.
    #[inline(always)]
    pub(crate) fn one() -> Self {
        Self::splat(T::one())
    }

    /// Loads the first sixteen numbers of a slice.
    ///
    /// # Panics
    /// If there are fewer.
    #[inline(always)]
    pub(crate) fn load(from: &[T]) -> Self {
        let mut out = Self::zero();
        out.0.copy_from_slice(&from[..LANES]);
        out
    }

    /// Sums the numbers in f64.
    pub(crate) fn sum(self) -> f64 {
        self.0.iter().map(|&v| Real::to_f64(v)).sum()
    }

    #[inline(always)]
    fn map(mut self, f: impl Fn(T) -> T) -> Self {
        for i in 0..LANES {
            self.0[i] = f(self.0[i]);
        }
        self
    }

    #[inline(always)]
    fn zip(mut self, other: Self, f: impl Fn(T, T) -> T) -> Self {
        for i in 0..LANES {
            self.0[i] = f(self.0[i], other.0[i]);
        }
        self
    }

    /// Computes `self factor + summand`, rounded once.
    #[inline(always)]
    #[must_use]
    pub(crate) fn mul_add(mut self, factor: Self, summand: Self) -> Self {
        for i in 0..LANES {
            self.0[i] = self.0[i].mul_add(factor.0[i], summand.0[i]);
        }
        self
    }

    /// Computes square roots.
    #[inline(always)]
    #[must_use]
    pub(crate) fn sqrt(self) -> Self {
        self.map(T::sqrt)
    }

    /// Computes absolute values.
    #[inline(always)]
    #[must_use]
    pub(crate) fn abs(self) -> Self {
        self.map(T::abs)
    }

    /// Gives these numbers, which are not negative, the signs of others.
    #[inline(always)]
    #[must_use]
    pub(crate) fn copysign(self, sign: Self) -> Self {
        self.zip(sign, T::copysign)
    }

    /// Rounds to the nearest integers, halves to even.
    ///
    /// The result is right for magnitudes below a quarter of the type's exact integers.
    #[inline(always)]
    pub(crate) fn round(self) -> Self {
        // Adding 1.5 2^(p-1) leaves no bits below the point.
        let shift = T::of(1.5) / T::epsilon();
        self.map(|v| (v + shift) - shift)
    }

    /// Takes `then` where `self < limit`, and `otherwise` elsewhere, also where either is NaN.
    #[inline(always)]
    #[must_use]
    pub(crate) fn if_below(self, limit: Self, then: Self, otherwise: Self) -> Self {
        let mut out = otherwise;
        for i in 0..LANES {
            out.0[i] = if self.0[i] < limit.0[i] {
                then.0[i]
            } else {
                otherwise.0[i]
            };
        }
        out
    }

    /// Takes the larger of each two; `other` where `self` is NaN.
    #[inline(always)]
    #[must_use]
    pub(crate) fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    /// Takes the smaller of each two; `other` where `self` is NaN.
    #[inline(always)]
    #[must_use]
    pub(crate) fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    /// Computes `c[0] + c[1] self + c[2] self^2 + ...`
    #[inline(always)]
    #[must_use]
    pub(crate) fn polynomial(self, coefficients: &[f64]) -> Self {
        let mut terms = coefficients.iter().rev();
        let mut sum = Self::of(terms.next().copied().unwrap_or(0.0));
        for &c in terms {
            sum = sum.mul_add(self, Self::of(c));
        }
        sum
    }

    /// Computes `self` to the power of `n`; 1 for n = 0.
    #[inline(always)]
    #[must_use]
    pub(crate) fn powi(self, mut n: u32) -> Self {
        let (mut power, mut square) = (Self::one(), self);
        while n > 0 {
            if n & 1 == 1 {
                power = power * square;
            }
            n >>= 1;
            if n > 0 {
                square = square * square;
            }
        }
        power
    }

    /// Computes `2^self` for integers from -1023 (which gives 0) to 1023; beyond the range of f32
    /// it is 0 or infinity there.
    #[inline(always)]
    fn two_to(self) -> Self {
        // 2^52 + 1023 + k has k + 1023 in its lowest bits, which as exponent bits are 2^k.
        const SHIFT: f64 = 4_503_599_627_370_496.0 + 1023.0;
        self.map(|k| T::of(f64::from_bits((k.to_f64() + SHIFT).to_bits() << 52)))
    }

    /// Computes `(k, exp(r) - 1)` where `self = k ln 2 + r`, `|r| <= ln(2)/2`.
    #[inline(always)]
    fn reduced_exp_m1(self) -> (Self, Self) {
        let (rest, (low, high), terms): (_, _, &[f64]) = if is_single::<T>() {
            (LN_2_REST_F32, EXP_RANGE_F32, &EXP_F32)
        } else {
            (LN_2_REST_F64, EXP_RANGE_F64, &EXP_F64)
        };
        // In this order NaN stays NaN.
        let x = Self::of(low).max(Self::of(high).min(self));
        let k = (x * T::of(LOG2_E)).round();
        let r = (-k).mul_add(Self::of(LN_2), x);
        let r = (-k).mul_add(Self::of(rest), r);
        (k, (r * r).mul_add(r.polynomial(terms), r))
    }

    /// Computes `exp` within 2 units in the last place; results below the smallest normal number
    /// may be 0.
    #[inline(always)]
    #[must_use]
    pub(crate) fn exp(self) -> Self {
        let (k, less_one) = self.reduced_exp_m1();
        // The half of 2^k does not overflow before the result does.
        let half = (k - T::one()).two_to();
        let one = less_one + T::one();
        (one + one) * half
    }

    /// Computes `exp(self) - 1` within 3 units in the last place, also near 0.
    #[inline(always)]
    #[must_use]
    pub(crate) fn exp_m1(self) -> Self {
        let (k, less_one) = self.reduced_exp_m1();
        let half = (k - T::one()).two_to();
        let result = less_one.mul_add(half, half - T::of(0.5));
        result + result
    }

    /// Computes `atan2(self, run)`, from 0 to pi/2, of two numbers >= 0, not both 0.
    #[inline(always)]
    fn steepness(self, run: Self) -> Self {
        let terms: &[f64] = if is_single::<T>() {
            &ATAN_F32
        } else {
            &ATAN_F64
        };
        let (small, large) = (self.min(run), self.max(run));
        // Above tan(pi/8) the angle is counted from pi/4.
        let limit = large * T::of(TAN_PI_8);
        let rise = limit.if_below(small, small - large, small);
        let base = limit.if_below(small, Self::of(FRAC_PI_4), Self::zero());
        let x = rise / limit.if_below(small, small + large, large);
        let z = x * x;
        let flat = (x * z).mul_add(z.polynomial(terms), x) + base;
        run.if_below(self, Self::of(FRAC_PI_2) - flat, flat)
    }

    /// Computes `atan2(sine, cosine)` for `sine >= 0`, from 0 to pi, within 3 units in the last
    /// place; NaN where both are 0.
    #[inline(always)]
    #[must_use]
    pub(crate) fn angle(sine: Self, cosine: Self) -> Self {
        let acute = sine.steepness(cosine.abs());
        cosine.if_below(Self::zero(), Self::of(PI) - acute, acute)
    }

    /// Computes `atan2(rise, run)` for `run >= 0`, from -pi/2 to pi/2, within 3 units in the last
    /// place; NaN where both are 0.
    #[inline(always)]
    #[must_use]
    pub(crate) fn slope_angle(rise: Self, run: Self) -> Self {
        let up = rise.abs().steepness(run);
        rise.if_below(Self::zero(), -up, up)
    }

    /// Computes `self other - q^2`, or 0 where that is negative, as accurate as if rounded once.
    ///
    /// For variances and a covariance it is below 0 by rounding only.
    #[inline(always)]
    #[must_use]
    pub(crate) fn determinant(self, other: Self, q: Self) -> Self {
        // Kahan's difference of products.
        let square = q * q;
        let rounding = q.mul_add(q, -square);
        (self.mul_add(other, -square) - rounding).max(Self::zero())
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident $operator:tt),*) => {$(
        impl<T: Real> $trait for Pack<T> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                self.zip(other, |a, b| a $operator b)
            }
        }
        impl<T: Real> $trait<T> for Pack<T> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: T) -> Self {
                self.map(|a| a $operator other)
            }
        }
    )*};
}
operators!(Add add +, Sub sub -, Mul mul *, Div div /);

impl<T: Real> Neg for Pack<T> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.map(|a| -a)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sixteen at a time; the slice's length a multiple of it.
    fn all<T: Real>(x: &[T], f: impl Fn(Pack<T>) -> Pack<T>) -> Vec<T> {
        x.chunks(LANES)
            .flat_map(|x| wide(|| f(Pack::load(x))).0)
            .collect()
    }

    fn worst_ulps<T: Real>(x: &[T], got: &[T], exact: impl Fn(f64) -> f64) -> f64 {
        x.iter()
            .zip(got)
            .map(|(&x, &got)| {
                let exact = exact(x.to_f64());
                (got.to_f64() - exact).abs() / exact.abs() / T::epsilon().to_f64()
            })
            .fold(0.0, f64::max)
    }

    fn grid(from: f64, to: f64) -> Vec<f64> {
        let n = 64_000;
        (0..n)
            .map(|i| from + (to - from) * f64::from(i) / f64::from(n))
            .collect()
    }

    #[test]
    fn exponentials() {
        for (from, to) in [(-707.0, 709.7), (-1.0, 1.0), (-30.0, 30.0)] {
            let x = grid(from, to);
            // The system's own functions err by up to 1 unit.
            assert!(worst_ulps(&x, &all(&x, Pack::exp), f64::exp) <= 2.0);
            assert!(worst_ulps(&x, &all(&x, Pack::exp_m1), f64::exp_m1) <= 3.0);
        }
        for (from, to) in [(-86.0, 88.7), (-1.0, 1.0)] {
            let x: Vec<f32> = grid(from, to).iter().map(|&x| x as f32).collect();
            assert!(worst_ulps(&x, &all(&x, Pack::exp), f64::exp) <= 1.5);
            assert!(worst_ulps(&x, &all(&x, Pack::exp_m1), f64::exp_m1) <= 2.0);
        }
        let ends = |x: f64| (Pack::splat(x).exp().0[0], Pack::splat(x).exp_m1().0[0]);
        assert_eq!(ends(0.0), (1.0, 0.0));
        assert_eq!(ends(709.79), (f64::INFINITY, f64::INFINITY));
        assert_eq!(ends(f64::INFINITY), (f64::INFINITY, f64::INFINITY));
        assert_eq!(ends(-800.0), (0.0, -1.0));
        assert_eq!(ends(f64::NEG_INFINITY), (0.0, -1.0));
        assert_eq!(ends(1e-300).1, 1e-300);
        assert!(ends(f64::NAN).0.is_nan());
        let ends = |x: f32| Pack::splat(x).exp().0[0];
        assert_eq!((ends(88.8), ends(-200.0)), (f32::INFINITY, 0.0));
    }

    #[test]
    fn angles() {
        for scale in [1.0, 1e-100, 1e120] {
            let x = grid(1e-7, PI);
            let angle =
                |x: Pack<f64>| Pack::angle(x.map(|x| x.sin() * scale), x.map(|x| x.cos() * scale));
            assert!(worst_ulps(&x, &all(&x, angle), |x| x.sin().atan2(x.cos())) <= 3.0);
            let x = grid(-FRAC_PI_2, FRAC_PI_2 - 1e-9);
            let angle = |x: Pack<f64>| {
                Pack::slope_angle(x.map(|x| x.sin() * scale), x.map(|x| x.cos() * scale))
            };
            let got = all(&x[1..x.len() - 15], angle);
            assert!(worst_ulps(&x[1..x.len() - 15], &got, |x| x.sin().atan2(x.cos())) <= 3.0);
        }
        let x: Vec<f32> = grid(1e-7, PI).iter().map(|&x| x as f32).collect();
        let angle = |x: Pack<f32>| Pack::angle(x.map(f32::sin), x.map(f32::cos));
        assert!(worst_ulps(&x, &all(&x, angle), |x| x) <= 3.0);
        let angle = |s: f64, c: f64| Pack::angle(Pack::splat(s), Pack::splat(c)).0[0];
        assert_eq!(
            [angle(0.0, 1.0), angle(0.0, -2.0), angle(3.0, 0.0)],
            [0.0, PI, FRAC_PI_2]
        );
        assert_eq!(angle(1e-9, 1.0), 1e-9);
    }

    #[test]
    fn determinants_do_not_cancel() {
        let one = |a: f64, b: f64, q: f64| {
            Pack::splat(a).determinant(Pack::splat(b), Pack::splat(q)).0[0]
        };
        let tiny = f64::EPSILON;
        assert_eq!(one(1.0 + tiny, 1.0 + 3.0 * tiny, 1.0 + 2.0 * tiny), 0.0);
        // 2 tiny + 3 tiny^2
        let got = one(1.0 + 2.0 * tiny, 1.0 + 2.0 * tiny, 1.0 + tiny);
        assert!((got / (2.0 * tiny) - 1.0).abs() <= 2.0 * tiny);
        assert_eq!(one(0.1, 0.1, 0.1), 0.0);
    }

    #[test]
    fn powers() {
        for n in 0..12 {
            let got = Pack::splat(-1.5_f64).powi(n).0[0];
            assert_eq!(got, (-1.5_f64).powi(n.cast_signed()));
        }
    }
}
