//! From a kernel matrix to probabilities.

use ndarray::{Array1, ArrayView1, ArrayView2};
use ntk_linalg::{LinalgError, Real, check_symmetric, eigenvalues};
use thiserror::Error;

/// Why a matrix has no spectrum of probabilities.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum EntropyError {
    /// The trace is zero, so nothing can be divided by it.
    #[error(
        "the matrix has trace {trace}; an entropy needs a positive one, so leave zero samples out"
    )]
    ZeroTrace {
        /// The trace found.
        trace: f64,
    },
    /// An eigenvalue is negative by more than rounding.
    #[error(
        "the matrix is not positive semidefinite: its smallest eigenvalue is {smallest:e} where \
         rounding explains {tolerance:e}; is it a kernel matrix, and symmetric?"
    )]
    Indefinite {
        /// The smallest eigenvalue.
        smallest: f64,
        /// The largest that rounding explains, in absolute value.
        tolerance: f64,
    },
    /// The matrix is not square, not finite or not symmetric.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
}

/// The eigenvalues of `rho = K / tr K`.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// Ascending, each zero or positive, adding up to 1.
    pub probabilities: Array1<f64>,
    /// `tr K`, before anything was clipped.
    pub trace: f64,
    /// Share of the trace in eigenvalues that count as zero, in absolute value.
    pub clipped_mass: f64,
}

impl Spectrum {
    /// Of a symmetric positive semidefinite `k` (n, n). Cost: an eigendecomposition, about `4/3 n^3`.
    ///
    /// # Errors
    /// [`EntropyError`]: not square, not finite, not symmetric to `n eps max|K|`, of trace
    /// zero, or with eigenvalues that are negative by more than rounding.
    pub fn of_kernel<T: Real>(k: ArrayView2<'_, T>) -> Result<Self, EntropyError> {
        let largest = k.iter().fold(T::zero(), |m, v| m.max(v.abs()));
        check_symmetric(k, T::of(k.nrows() as f64) * T::epsilon() * largest)?;
        Self::of_eigenvalues(eigenvalues(k)?.view())
    }

    /// Of the eigenvalues (n) of such a matrix, in any order. Cost: `n ln n`.
    ///
    /// # Errors
    /// [`EntropyError::ZeroTrace`], [`EntropyError::Indefinite`].
    pub fn of_eigenvalues<T: Real>(values: ArrayView1<'_, T>) -> Result<Self, EntropyError> {
        let n = values.len() as f64;
        let mut values: Vec<f64> = values.iter().map(|&v| Real::to_f64(v)).collect();
        values.sort_by(f64::total_cmp);
        let trace: f64 = values.iter().sum();
        let (smallest, largest) = match (values.first(), values.last()) {
            (Some(&first), Some(&last)) if last > 0.0 => (first, last),
            _ => return Err(EntropyError::ZeroTrace { trace }),
        };
        let zero = n * Real::to_f64(T::epsilon()) * largest;
        // An eigenvalue is known to some n eps lambda_max; ten times that is no rounding.
        let tolerance = 10.0 * zero;
        if smallest < -tolerance {
            return Err(EntropyError::Indefinite {
                smallest,
                tolerance,
            });
        }
        let clipped: f64 = values.iter().filter(|&&v| v < zero).map(|v| v.abs()).sum();
        let kept: f64 = values.iter().filter(|&&v| v >= zero).sum();
        let probability = |v: f64| if v < zero { 0.0 } else { v / kept };
        Ok(Self {
            probabilities: values.into_iter().map(probability).collect(),
            trace,
            clipped_mass: clipped / kept,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{array, aview1};

    #[test]
    fn clips_and_says_what() {
        let spectrum = Spectrum::of_eigenvalues(aview1(&[4.0, -1e-16, 1e-17, 4.0])).unwrap();
        assert_eq!(spectrum.probabilities, array![0.0, 0.0, 0.5, 0.5]);
        assert!((spectrum.clipped_mass - 1.1e-16 / 8.0).abs() < 1e-30);
        assert!((spectrum.trace - 8.0).abs() < 1e-14);
    }

    #[test]
    fn errors() {
        let none: [f64; 0] = [];
        for zero in [aview1(&none), aview1(&[0.0, 0.0])] {
            let error = Spectrum::of_eigenvalues(zero).unwrap_err();
            assert_eq!(error, EntropyError::ZeroTrace { trace: 0.0 });
        }
        let error = Spectrum::of_kernel(array![[1.0, 2.0], [2.0, 1.0]].view()).unwrap_err();
        assert!(
            matches!(error, EntropyError::Indefinite { smallest, .. } if (smallest + 1.0).abs() < 1e-14)
        );
        for bad in [
            array![[1.0, 0.5], [0.4, 1.0]],
            array![[f64::NAN]],
            array![[1.0, 0.0]],
        ] {
            assert!(
                matches!(
                    Spectrum::of_kernel(bad.view()),
                    Err(EntropyError::Linalg(_))
                ),
                "{bad}"
            );
        }
    }
}
