//! The entropy of `C_ij = K_ij / sqrt(K_ii K_jj)`, a kernel without its magnitudes.
//!
//! For the NTK, `C` holds the cosines between the samples' gradients.

pub use crate::matrix::cosine;
use crate::{EntropyError, Normalization, Spectrum, von_neumann};
use ndarray::ArrayRef2;
use ntk_linalg::Real;

/// Computes the von Neumann entropy of [`cosine`] of `k` (n, n) in nats, from 0 to `ln n`. Cost:
/// an eigendecomposition.
///
/// # Errors
/// Those of [`Spectrum::of_kernel`].
pub fn entropy<T: Real>(k: &ArrayRef2<T>) -> Result<f64, EntropyError> {
    let spectrum = Spectrum::of_kernel(k, Normalization::Cosine)?;
    Ok(von_neumann::entropy(&spectrum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use ndarray::{Array2, array};

    #[test]
    fn blind_to_magnitudes() {
        // Two samples of cosine 1/2: probabilities 3/4 and 1/4, whatever their lengths.
        let s = -(0.75 * 0.75_f64.ln() + 0.25 * 0.25_f64.ln());
        for (a, b) in [(1.0, 1.0), (3.0, 0.25), (1e-8, 1e8)] {
            let k = array![[a * a, a * b / 2.0], [a * b / 2.0, b * b]];
            let c = array![[1.0, 0.5], [0.5, 1.0]];
            assert_relative_eq!(cosine(&k).unwrap(), c, epsilon = 1e-15);
            assert_relative_eq!(entropy(&k).unwrap(), s, epsilon = 1e-14);
        }
    }

    #[test]
    fn zero_samples_stay_zero_and_errors() {
        let k = array![[0.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 1.0]];
        let c = cosine(&k).unwrap();
        assert_eq!(c, array![[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
        assert_relative_eq!(entropy(&k).unwrap(), 2.0_f64.ln(), epsilon = 1e-15);
        assert!(matches!(
            entropy(&Array2::<f64>::zeros((0, 0))),
            Err(EntropyError::ZeroTrace { .. })
        ));
        for bad in [array![[f64::NAN]], array![[1.0, 0.0]]] {
            assert!(matches!(cosine(&bad), Err(EntropyError::Linalg(_))));
        }
        assert!(matches!(
            cosine(&array![[1.0, 0.0], [0.0, -1.0]]),
            Err(EntropyError::Indefinite { smallest: -1.0, .. })
        ));
    }

    #[test]
    fn near_overflow_and_underflow() {
        // A subnormal 1e-310 is known to 5e-324, 5e-14 of it.
        for (scale, tolerance) in [(1e308, 1e-15), (1e-300, 1e-15), (1e-310, 1e-13)] {
            let k = array![[1.0, 0.5], [0.5, 1.0]] * scale;
            let c = array![[1.0, 0.5], [0.5, 1.0]];
            assert_relative_eq!(cosine(&k).unwrap(), c, epsilon = tolerance);
        }
        let k = array![[1e-40_f32, 5e-41], [5e-41, 1e-40]];
        let c = array![[1.0, 0.5], [0.5, 1.0]];
        // One part in 1e-40 / 1.4e-45.
        assert_relative_eq!(cosine(&k).unwrap(), c, epsilon = 3e-5);
    }
}
