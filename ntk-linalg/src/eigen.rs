//! Eigenvalues and eigenvectors of real symmetric matrices.

use ndarray::{Array1, ArrayRef2, ArrayView2};
use rayon::prelude::*;

use crate::triangle::lower_to_buffer;
use crate::validate::{Region, max_abs, square};
use crate::{Backend, LinalgError, Real};

pub use crate::backend::Eigh;

/// Returns the eigenvalues of a symmetric matrix, ascending, computed on the default backend; see
/// [`Backend::eigenvalues`].
///
/// ```
/// use ndarray::array;
/// use ntk_linalg::{LinalgError, eigenvalues};
///
/// fn main() -> Result<(), LinalgError> {
///     let values = eigenvalues(&array![[2.0, 1.0], [1.0, 2.0]])?;
///     assert!((values[0] - 1.0_f64).abs() < 1e-14 && (values[1] - 3.0).abs() < 1e-14);
///     Ok(())
/// }
/// ```
///
/// # Errors
/// As [`Backend::eigenvalues`].
pub fn eigenvalues<T: Real>(a: &ArrayRef2<T>) -> Result<Array1<T>, LinalgError> {
    Backend::default().eigenvalues(a)
}

/// Returns `max(10, sqrt n) eps`, the share of the largest eigenvalue below which an eigenvalue of a
/// positive semidefinite matrix of order n cannot be told from zero, nor a pivot of its Cholesky
/// factorisation from one of no rank.
///
/// Entries are known to eps of the largest, and independent errors of that size make a matrix of
/// norm `sqrt(n) eps` of it (Vershynin 2018, "High-Dimensional Probability", theorem 4.4.5); the
/// decomposition adds a few eps of the largest eigenvalue. `eps` is that of the element type, or
/// that to which the entries were rounded before, where that is coarser.
///
/// ```
/// assert_eq!(ntk_linalg::eigenvalue_resolution(10_000, f64::EPSILON), 100.0 * f64::EPSILON);
/// ```
#[must_use]
pub fn eigenvalue_resolution(n: usize, eps: f64) -> f64 {
    (n as f64).sqrt().max(10.0) * eps
}

/// Returns the eigenvalues and eigenvectors of a symmetric matrix, computed on the default backend;
/// see [`Backend::eigh`].
///
/// ```
/// use ndarray::{Array2, array};
/// use ntk_linalg::{LinalgError, eigh};
///
/// fn main() -> Result<(), LinalgError> {
///     let a = array![[2.0, 1.0], [1.0, 2.0]];
///     let found = eigh(&a)?;
///     let back = found.vectors.dot(&Array2::from_diag(&found.values)).dot(&found.vectors.t());
///     assert!((&back - &a).iter().all(|x: &f64| x.abs() < 1e-14));
///     let smallest = found.vectors.column(0); // the eigenvector of found.values[0]
///     assert!((smallest[0] + smallest[1]).abs() < 1e-14);
///     Ok(())
/// }
/// ```
///
/// # Errors
/// As [`Backend::eigh`].
pub fn eigh<T: Real>(a: &ArrayRef2<T>) -> Result<Eigh<T>, LinalgError> {
    Backend::default().eigh(a)
}

/// Checks that `|a_ij - a_ji| <= tolerance` everywhere.
///
/// The factorisations of this crate read the lower half alone and take the
/// symmetry on trust; this is for matrices whose origin is not known. A
/// tolerance of `n * eps * max |a|` forgives rounding. Cost: `n^2` reads.
///
/// # Errors
/// [`LinalgError::NotSymmetric`] names the largest difference and where it is;
/// [`LinalgError::NotSquare`]; [`LinalgError::NonFinite`] in either half;
/// [`LinalgError::Argument`] for a tolerance that is negative or NaN.
pub fn check_symmetric<T: Real>(a: &ArrayRef2<T>, tolerance: T) -> Result<(), LinalgError> {
    let n = square(a, "a check for symmetry")?;
    if tolerance.is_nan() || tolerance < T::zero() {
        return Err(LinalgError::Argument {
            name: "the tolerance of a check for symmetry",
            value: tolerance.to_f64(),
            condition: "zero or more",
        });
    }
    max_abs(&a.view(), Region::All)?;
    let (difference, row, column) = largest_asymmetry(&a.view(), n);
    if difference <= tolerance {
        return Ok(());
    }
    Err(LinalgError::NotSymmetric {
        row,
        column,
        difference: difference.to_f64(),
        tolerance: tolerance.to_f64(),
    })
}

/// Returns the largest `|a_ij - a_ji|`, and the first i > j by rows where it is; zeros where there is none.
///
/// It goes tile by tile, each small enough that its mirror image stays in the cache while it is read
/// across.
fn largest_asymmetry<T: Real>(a: &ArrayView2<'_, T>, n: usize) -> (T, usize, usize) {
    const TILE: usize = 32;
    type Asymmetry<T> = (T, usize, usize);
    let worse = |one: Asymmetry<T>, other: Asymmetry<T>| {
        let first = (other.1, other.2) < (one.1, one.2);
        if other.0 > one.0 || (other.0 == one.0 && other.0 > T::zero() && first) {
            other
        } else {
            one
        }
    };
    let none = || (T::zero(), 0, 0);
    let panel = |panel: usize| {
        let rows = panel * TILE..n.min((panel + 1) * TILE);
        let mut worst = none();
        for start in (0..rows.end).step_by(TILE) {
            for row in rows.clone() {
                for column in start..row.min(start + TILE) {
                    let difference = num_traits::Float::abs(a[[row, column]] - a[[column, row]]);
                    if difference >= worst.0 {
                        worst = worse(worst, (difference, row, column));
                    }
                }
            }
        }
        worst
    };
    let panels = 0..n.div_ceil(TILE);
    panels.into_par_iter().map(panel).reduce(none, worse)
}

impl Backend {
    /// Returns the n eigenvalues of a symmetric `a` (n, n), ascending, with multiplicity.
    ///
    /// Only the lower half of `a` is read; that the upper one mirrors it is the
    /// caller's promise (see [`check_symmetric`]). No eigenvector is computed.
    /// The matrix is scaled by a power of two, so that entries near overflow or
    /// underflow are no trouble. Each value is off by a small multiple of
    /// `n * eps * max |eigenvalue|`; small eigenvalues are known to that
    /// absolute accuracy only.
    ///
    /// Large matrices (from an order of 128 with faer, of 1600 with OpenBLAS) become a band by products of
    /// matrices, and that tridiagonal; see [`Tridiagonal`](crate::Tridiagonal), which keeps what that takes.
    ///
    /// Cost: about `4/3 n^3` operations, and one copy of `a` (two with faer, where it is small).
    ///
    /// # Errors
    /// [`LinalgError::NotSquare`]; [`LinalgError::NonFinite`];
    /// [`LinalgError::NoConvergence`], which is not known to happen to finite
    /// matrices; [`LinalgError::OutOfMemory`]; [`LinalgError::TooLarge`] from OpenBLAS.
    pub fn eigenvalues<T: Real>(self, a: &ArrayRef2<T>) -> Result<Array1<T>, LinalgError> {
        square(a, "an eigenvalue problem")?;
        let scale = safe_scale(max_abs(&a.view(), Region::Lower)?);
        let mut values = T::eigenvalues_on(self, lower_to_buffer(a.view(), scale)?)?;
        unscale(&mut values, scale);
        Ok(values)
    }

    /// Returns the eigenvalues and orthonormal eigenvectors of a symmetric `a` (n, n).
    ///
    /// The matrix is read and scaled, and eigenvalues are ordered, as in [`Backend::eigenvalues`].
    /// `|a - Q diag(values) Q^T|` and `|Q^T Q - 1|` are small multiples of
    /// `n * eps * |a|` and `n * eps`.
    ///
    /// Cost: about `4/3 n^3` operations for the values and up to `6 n^3` more
    /// for the vectors; `3 n^2` numbers of working memory.
    ///
    /// # Errors
    /// As [`Backend::eigenvalues`].
    pub fn eigh<T: Real>(self, a: &ArrayRef2<T>) -> Result<Eigh<T>, LinalgError> {
        square(a, "an eigenvalue problem")?;
        let scale = safe_scale(max_abs(&a.view(), Region::Lower)?);
        let mut eigh = T::eigh_on(self, lower_to_buffer(a.view(), scale)?)?;
        unscale(&mut eigh.values, scale);
        Ok(eigh)
    }
}

/// Returns a power of two that brings `max` near one, or one where it is near enough.
///
/// Squares of entries must neither overflow nor underflow: `max` within
/// `2^(E/4)` of one, E the exponent range of the type, leaves half the range
/// for sums and for small entries. Powers of two scale without rounding.
pub(crate) fn safe_scale<T: Real>(max: T) -> T {
    let two = T::of(2.0);
    // 2^(127/4) for f32, 2^(1023/4) for f64.
    let near = T::max_value().sqrt().sqrt();
    if max == T::zero() || (max <= near && max >= near.recip()) {
        return T::one();
    }
    // Kept two short of the range, so that neither it nor its inverse overflows.
    let limit = T::max_value().log2().floor() - two;
    let exponent = max.log2().floor().min(limit).max(-limit);
    two.powi(-exponent.to_i32().unwrap_or(0))
}

fn unscale<T: Real>(values: &mut Array1<T>, scale: T) {
    if scale != T::one() {
        *values /= scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn scale_is_a_power_of_two_that_helps() {
        fn check<T: Real>() {
            for max in [
                T::max_value(),
                T::min_positive_value(),
                T::of(3e30),
                T::of(3e-30),
            ] {
                let scale = safe_scale(max);
                assert_eq!(scale.log2(), scale.log2().round(), "{max:e}");
                assert!(scale.recip().is_finite() && scale > T::zero());
                let scaled = (max * scale).to_f64();
                assert!((0.1..8.1).contains(&scaled), "{max:e} -> {scaled}");
            }
            assert_eq!(safe_scale(T::zero()), T::one());
            assert_eq!(safe_scale(T::of(123.0)), T::one());
        }
        check::<f32>();
        let tiny = f64::MIN_POSITIVE;
        assert!((0.1..8.1).contains(&(tiny * safe_scale(tiny))));
        assert!((0.1..8.1).contains(&(f64::MAX * safe_scale(f64::MAX))));
    }

    #[test]
    fn asymmetry_is_located() {
        let mut a = array![[1.0, 2.0, 3.0], [2.0, 5.0, 6.0], [3.0, 6.5, 9.0]];
        assert_eq!(
            check_symmetric(&a, 0.25),
            Err(LinalgError::NotSymmetric {
                row: 2,
                column: 1,
                difference: 0.5,
                tolerance: 0.25
            })
        );
        assert_eq!(check_symmetric(&a, 0.5), Ok(()));
        let mut large = Array2::<f64>::zeros((100, 100));
        for (row, column) in [(99, 98), (40, 3), (40, 39), (2, 70)] {
            large[[row, column]] = 0.5;
        }
        for large in [large.view(), large.t()] {
            assert!(matches!(
                check_symmetric(&large, 0.25),
                Err(LinalgError::NotSymmetric {
                    row: 40,
                    column: 3,
                    ..
                })
            ));
        }
        assert_eq!(check_symmetric(&large, 0.5), Ok(()));
        a[[0, 2]] = f64::NAN;
        assert!(matches!(
            check_symmetric(&a, 0.5),
            Err(LinalgError::NonFinite {
                row: 0,
                column: 2,
                ..
            })
        ));
    }
}
