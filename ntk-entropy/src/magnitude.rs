//! `-sum m ln m` over the magnitudes `m_i = sqrt(K_ii) / sum_j sqrt(K_jj)`.
//!
//! For the NTK, `sqrt(K_ii)` is the norm of a sample's gradient: the entropy says how evenly
//! samples pull at the parameters, whatever the directions.

use crate::EntropyError;
use ndarray::{Array1, ArrayView2};
use ntk_linalg::Real;

/// The magnitudes (n) of a kernel matrix `k` (n, n), adding up to 1. Cost: n.
///
/// # Errors
/// [`EntropyError::Indefinite`] where a diagonal entry is negative, [`EntropyError::ZeroTrace`]
/// where their sum is not positive, NaN included.
pub fn magnitudes<T: Real>(k: ArrayView2<'_, T>) -> Result<Array1<f64>, EntropyError> {
    let diagonal = k.diag().mapv(Real::to_f64);
    let smallest = diagonal.fold(0.0, |low: f64, &v| low.min(v));
    if smallest < 0.0 {
        return Err(EntropyError::Indefinite {
            smallest,
            tolerance: 0.0,
        });
    }
    let roots = diagonal.mapv(f64::sqrt);
    let sum = roots.sum();
    if sum > 0.0 {
        Ok(roots / sum)
    } else {
        Err(EntropyError::ZeroTrace {
            trace: diagonal.sum(),
        })
    }
}

/// The Shannon entropy of the magnitudes of `k` (n, n) in nats, from 0 to `ln n`. Cost: n.
///
/// # Errors
/// Those of [`magnitudes`].
pub fn entropy<T: Real>(k: ArrayView2<'_, T>) -> Result<f64, EntropyError> {
    // 0 ln 0 = 0; adding 0 turns -0 into 0.
    let term = |&m: &f64| if m == 0.0 { 0.0 } else { -m * m.ln() };
    Ok(magnitudes(k)?.iter().map(term).sum::<f64>() + 0.0)
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
        let found = magnitudes(k.view()).unwrap();
        assert_relative_eq!(found, array![1.0 / 6.0, 1.0 / 3.0, 0.5], epsilon = 1e-15);
        let s = 6.0_f64.ln() / 6.0 + 3.0_f64.ln() / 3.0 + 2.0_f64.ln() / 2.0;
        assert_relative_eq!(entropy(k.view()).unwrap(), s, epsilon = 1e-15);
        assert_eq!(entropy(array![[7.0_f32]].view()).unwrap(), 0.0);
        assert_eq!(entropy(array![[7.0, 0.0], [0.0, 0.0]].view()).unwrap(), 0.0);
    }

    #[test]
    fn errors() {
        for bad in [
            Array2::zeros((0, 0)),
            Array2::zeros((2, 2)),
            array![[f64::NAN]],
        ] {
            let error = entropy(bad.view()).unwrap_err();
            assert!(matches!(error, EntropyError::ZeroTrace { .. }), "{error}");
        }
        let error = entropy(array![[1.0, 0.0], [0.0, -1.0]].view()).unwrap_err();
        assert!(matches!(
            error,
            EntropyError::Indefinite { smallest: -1.0, .. }
        ));
    }
}
