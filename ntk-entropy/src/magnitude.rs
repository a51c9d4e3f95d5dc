//! `-sum m ln m` over the magnitudes `m_i = sqrt(K_ii) / sum_j sqrt(K_jj)`.
//!
//! For the NTK, `sqrt(K_ii)` is the norm of a sample's gradient: the entropy says how evenly
//! samples pull at the parameters, whatever the directions.

use crate::{EntropyError, Rounding, matrix, von_neumann::shannon};
use ndarray::{Array1, ArrayRef2};
use ntk_linalg::Real;

/// Computes the magnitudes (n) of a kernel matrix `k` (n, n), which add up to 1. Cost: n.
///
/// # Errors
/// [`EntropyError::Indefinite`] where a diagonal entry is negative by more than rounding,
/// [`EntropyError::ZeroTrace`] where none is positive; [`EntropyError::Linalg`] for a matrix that
/// is not square, or whose diagonal is not finite.
pub fn magnitudes<T: Real>(k: &ArrayRef2<T>) -> Result<Array1<f64>, EntropyError> {
    let roots = matrix::roots(k, Rounding::of::<T>())?;
    let sum = roots.sum();
    if sum > 0.0 {
        Ok(roots / sum)
    } else {
        Err(EntropyError::ZeroTrace { trace: sum })
    }
}

/// Computes the Shannon entropy of the magnitudes of `k` (n, n) in nats, from 0 to `ln n`.
/// Cost: n.
///
/// # Errors
/// Those of [`magnitudes`].
pub fn entropy<T: Real>(k: &ArrayRef2<T>) -> Result<f64, EntropyError> {
    Ok(shannon(&magnitudes(k)?))
}

/// Computes `Var(sqrt(K_ii) / mean_j sqrt(K_jj))` of `k` (n, n): the population variance, the sum
/// of n squares divided by n; from 0 to n - 1. Cost: n.
///
/// # Errors
/// Those of [`magnitudes`].
pub fn variance<T: Real>(k: &ArrayRef2<T>) -> Result<f64, EntropyError> {
    let magnitudes = magnitudes(k)?;
    let n = magnitudes.len() as f64;
    Ok(magnitudes.fold(0.0, |sum, m| sum + (n * m - 1.0).powi(2)) / n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use ndarray::{Array2, array};

    #[test]
    fn by_hand() {
        // Roots 1, 2, 3: what is off the diagonal does not count.
        let k = array![[1.0, 9.0, 9.0], [9.0, 4.0, 9.0], [9.0, 9.0, 9.0]];
        let found = magnitudes(&k).unwrap();
        assert_relative_eq!(found, array![1.0 / 6.0, 1.0 / 3.0, 0.5], epsilon = 1e-15);
        let s = 6.0_f64.ln() / 6.0 + 3.0_f64.ln() / 3.0 + 2.0_f64.ln() / 2.0;
        assert_relative_eq!(entropy(&k).unwrap(), s, epsilon = 1e-15);
        assert_eq!(entropy(&array![[7.0_f32]]).unwrap(), 0.0);
        assert_eq!(entropy(&array![[7.0, 0.0], [0.0, 0.0]]).unwrap(), 0.0);
        // Over their mean 2 the roots are 1/2, 1, 3/2.
        assert_relative_eq!(variance(&k).unwrap(), 1.0 / 6.0, epsilon = 1e-15);
        assert_eq!(variance(&array![[7.0_f32]]).unwrap(), 0.0);
        assert_eq!(variance(&array![[7.0, 0.0], [0.0, 0.0]]).unwrap(), 1.0);
    }

    #[test]
    fn errors() {
        for zero in [Array2::zeros((0, 0)), Array2::zeros((2, 2))] {
            let error = entropy::<f64>(&zero).unwrap_err();
            assert_eq!(error, EntropyError::ZeroTrace { trace: 0.0 });
        }
        for bad in [
            array![[f64::NAN]],
            array![[f64::INFINITY]],
            array![[1.0, 0.0]],
        ] {
            let error = entropy(&bad).unwrap_err();
            assert!(matches!(error, EntropyError::Linalg(_)), "{error}");
        }
        let error = entropy(&array![[1.0, 0.0], [0.0, -1.0]]).unwrap_err();
        assert!(matches!(
            error,
            EntropyError::Indefinite { smallest: -1.0, .. }
        ));
    }
}
