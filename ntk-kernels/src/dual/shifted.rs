//! Computes `R = sqrt((s + q1) (s + q2) - q^2)` for a shift `s`, which erf, gelu, Gaussian and
//! Gabor share: without cancellation for parallel samples, without overflow for huge ones.
//!
//! With a power of two `e` near `1/sqrt(s + variance)` of each sample, everything is of order 1:
//! `R e1 e2` is the root of `s1 s2 + s1 v2 + s2 v1 + (v1 v2 - r^2)`, where `s1 = s e1^2`,
//! `v1 = q1 e1^2`, `r = q e1 e2` are exact up to the first rounding of `s`, and the bracket is
//! computed as if rounded once.

use super::Side;
use crate::pack::Pack;
use ntk_linalg::Real;

/// How many numbers [`prepare`] writes.
pub(super) const NUMBERS: usize = 3;

/// Returns `s` as a number of the type, neither 0 nor infinite.
pub(super) fn shift<T: Real>(shift: f64) -> T {
    let size = T::of(shift.abs())
        .max(T::min_positive_value())
        .min(T::max_value());
    if shift < 0.0 { -size } else { size }
}

/// Writes `e`, `s e^2` and `variance e^2`.
pub(super) fn prepare<T: Real>(shift: T, variance: T, numbers: &mut [T]) {
    let e = scale(shift.abs().max(variance));
    numbers[0] = e;
    numbers[1] = (shift * e) * e;
    numbers[2] = (variance * e) * e;
}

/// Returns the power of two nearest to `1/sqrt(size)`, which differs by a factor of at most
/// `sqrt(2)`.
fn scale<T: Real>(size: T) -> T {
    let exponent = (size.to_f64().log2() / 2.0).round();
    T::of(2.0_f64.powi(-(exponent as i32)))
}

/// The quantities of which the formulas are made.
#[derive(Clone, Copy)]
pub(super) struct Shifted<T> {
    /// `e1 e2`.
    pub(super) scale: Pack<T>,
    /// `s e1^2` and `s e2^2`.
    pub(super) shifts: (Pack<T>, Pack<T>),
    /// `q1 e1^2` and `q2 e2^2`.
    pub(super) variances: (Pack<T>, Pack<T>),
    /// `q e1 e2`.
    pub(super) q: Pack<T>,
    /// `(q1 q2 - q^2) e1^2 e2^2`.
    pub(super) determinant: Pack<T>,
    /// `R^2 e1^2 e2^2`.
    pub(super) square: Pack<T>,
}

/// Computes those of two samples whose numbers [`prepare`] wrote.
#[inline(always)]
pub(super) fn shifted<T: Real>(one: impl Side<T>, two: impl Side<T>, q: Pack<T>) -> Shifted<T> {
    let (e1, e2) = (one.get(0), two.get(0));
    let (s1, s2) = (one.get(1), two.get(1));
    let (v1, v2) = (one.get(2), two.get(2));
    let q = (q * e1) * e2;
    let determinant = v1.determinant(v2, q);
    let square = s1.mul_add(s2 + v2, s2.mul_add(v1, determinant));
    Shifted {
        scale: e1 * e2,
        shifts: (s1, s2),
        variances: (v1, v2),
        q,
        determinant,
        square,
    }
}

impl<T: Real> Shifted<T> {
    /// Returns `(s + q1) e1^2` and `(s + q2) e2^2`.
    #[inline(always)]
    pub(super) fn sums(&self) -> (Pack<T>, Pack<T>) {
        let ((s1, s2), (v1, v2)) = (self.shifts, self.variances);
        (s1 + v1, s2 + v2)
    }

    /// Computes `(s + q2) / R^2` and `(s + q1) / R^2`, the derivatives of `ln R^2` by `q1` and `q2`,
    /// from the scales of both.
    #[inline(always)]
    pub(super) fn by_variances(&self, e1: Pack<T>, e2: Pack<T>) -> [Pack<T>; 2] {
        let (sum1, sum2) = self.sums();
        [sum2 / self.square * e1 * e1, sum1 / self.square * e2 * e2]
    }
}
