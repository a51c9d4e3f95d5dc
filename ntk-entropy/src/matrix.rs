//! A kernel matrix before it has a spectrum: whether it is sound, its diagonal, its cosines.

use crate::error::EntropyError;
use crate::rounding::Rounding;
use ndarray::{Array1, Array2, ArrayRef2, ArrayView1};
use ntk_linalg::{LinalgError, Real, check_symmetric};

/// Checks that `k` is square, finite and symmetric to `n eps max K_ii`, which bounds every entry of a
/// positive semidefinite matrix.
pub(crate) fn check_kernel<T: Real>(
    k: &ArrayRef2<T>,
    rounding: Rounding,
) -> Result<(), EntropyError> {
    let largest = k.diag().iter().fold(T::zero(), |m, v| m.max(v.abs()));
    let tolerance = rounding.explains(k.nrows(), Real::to_f64(largest));
    Ok(check_symmetric(k, T::of(tolerance))?)
}

/// Computes `sqrt(K_ii)` (n), zero where rounding made the entry negative.
pub(crate) fn roots<T: Real>(
    k: &ArrayRef2<T>,
    rounding: Rounding,
) -> Result<Array1<f64>, EntropyError> {
    let (rows, columns) = k.dim();
    if rows != columns {
        let operation = "a diagonal";
        return Err(LinalgError::NotSquare {
            operation,
            rows,
            columns,
        }
        .into());
    }
    Ok(diagonal(&k.diag(), rounding)?.mapv(f64::sqrt))
}

/// Returns a kernel's diagonal, zero where rounding made an entry negative.
pub(crate) fn diagonal<T: Real>(
    diagonal: &ArrayView1<'_, T>,
    rounding: Rounding,
) -> Result<Array1<f64>, EntropyError> {
    let diagonal = diagonal.mapv(Real::to_f64);
    if let Some(row) = diagonal.iter().position(|v| !v.is_finite()) {
        let value = diagonal[row];
        return Err(LinalgError::NonFinite {
            row,
            column: row,
            value,
        }
        .into());
    }
    let low_high = |(low, high): (f64, f64), &v: &f64| (low.min(v), high.max(v));
    let (smallest, largest) = diagonal.iter().fold((0.0, 0.0), low_high);
    let tolerance = 10.0 * rounding.explains(diagonal.len(), largest);
    if smallest < -tolerance {
        return Err(EntropyError::Indefinite {
            smallest,
            tolerance,
        });
    }
    Ok(diagonal.mapv(|v| v.max(0.0)))
}

/// Computes the cosines (n, n) of a kernel matrix `k` (n, n): 1 on the diagonal, and zero where
/// `sqrt(K_ii K_jj)` is. They are symmetric to the last bit if `k` is. Cost: n^2.
///
/// # Errors
/// [`EntropyError::Indefinite`] where a diagonal entry is negative by more than rounding;
/// [`EntropyError::Linalg`] for a matrix that is not square, not finite or not symmetric to
/// `n eps max K_ii`.
///
/// ```
/// use ndarray::array;
/// use ntk_entropy::covariance::cosine;
/// assert_eq!(cosine(&array![[4.0, 1.0], [1.0, 1.0]])?, array![[1.0, 0.5], [0.5, 1.0]]);
/// # Ok::<(), ntk_entropy::Error>(())
/// ```
pub fn cosine<T: Real>(k: &ArrayRef2<T>) -> Result<Array2<T>, EntropyError> {
    rounded_cosine(k, Rounding::of::<T>())
}

/// Computes [`cosine`] of a matrix that is known to this rounding.
pub(crate) fn rounded_cosine<T: Real>(
    k: &ArrayRef2<T>,
    rounding: Rounding,
) -> Result<Array2<T>, EntropyError> {
    check_kernel(k, rounding)?;
    let roots = roots(k, rounding)?;
    let cosine = |(i, j)| {
        // No product of roots leaves the range of the diagonal.
        let scale = roots[i] * roots[j];
        if scale == 0.0 {
            T::zero()
        } else if i == j {
            T::one()
        } else {
            T::of(Real::to_f64(k[[i, j]]) / scale)
        }
    };
    Ok(Array2::from_shape_fn(k.raw_dim(), cosine))
}
