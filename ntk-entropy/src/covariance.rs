//! The entropy of `C_ij = K_ij / sqrt(K_ii K_jj)`, a kernel without its magnitudes.
//!
//! For the NTK, `C` holds the cosines between the samples' gradients.

use crate::{EntropyError, Spectrum, von_neumann};
use ndarray::{Array2, ArrayView2};
use ntk_linalg::Real;

/// The cosines (n, n) of a kernel matrix `k` (n, n): 1 on the diagonal, and zero where
/// `sqrt(K_ii K_jj)` is not positive. Symmetric to the last bit if `k` is. Cost: n^2.
///
/// # Panics
/// If `k` is not square.
#[must_use]
pub fn cosine<T: Real>(k: ArrayView2<'_, T>) -> Array2<T> {
    assert!(k.is_square(), "a kernel matrix of shape {:?}", k.dim());
    let roots = k.diag().mapv(|v| v.max(T::zero()).sqrt());
    Array2::from_shape_fn(k.raw_dim(), |(i, j)| {
        let scale = roots[i] * roots[j];
        if scale.is_nan() || k[[i, j]].is_nan() {
            T::nan()
        } else if scale <= T::zero() {
            T::zero()
        } else if i == j {
            T::one()
        } else {
            k[[i, j]] / scale
        }
    })
}

/// The von Neumann entropy of [`cosine`] in nats, from 0 to `ln n`. Cost: an eigendecomposition.
///
/// # Errors
/// Those of [`Spectrum::of_kernel`].
///
/// # Panics
/// If `k` is not square.
pub fn entropy<T: Real>(k: ArrayView2<'_, T>) -> Result<f64, EntropyError> {
    Ok(von_neumann::entropy(&Spectrum::of_kernel(
        cosine(k).view(),
    )?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use ndarray::array;

    #[test]
    fn blind_to_magnitudes() {
        // Two samples of cosine 1/2: probabilities 3/4 and 1/4, whatever their lengths.
        let s = -(0.75 * 0.75_f64.ln() + 0.25 * 0.25_f64.ln());
        for (a, b) in [(1.0, 1.0), (3.0, 0.25), (1e-8, 1e8)] {
            let k = array![[a * a, a * b / 2.0], [a * b / 2.0, b * b]];
            let c = array![[1.0, 0.5], [0.5, 1.0]];
            assert_relative_eq!(cosine(k.view()), c, epsilon = 1e-15);
            assert_relative_eq!(entropy(k.view()).unwrap(), s, epsilon = 1e-14);
        }
    }

    #[test]
    fn zero_samples_stay_zero_and_nan_stays_nan() {
        let k = array![[0.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 1.0]];
        let c = cosine(k.view());
        assert_eq!(c, array![[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
        assert_relative_eq!(entropy(k.view()).unwrap(), 2.0_f64.ln(), epsilon = 1e-15);
        assert!(matches!(
            entropy(Array2::<f64>::zeros((0, 0)).view()),
            Err(EntropyError::ZeroTrace { .. })
        ));
        assert!(matches!(
            entropy(array![[f64::NAN]].view()),
            Err(EntropyError::Linalg(_))
        ));
    }
}
