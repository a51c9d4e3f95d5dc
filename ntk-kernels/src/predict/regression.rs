//! Regression with a kernel: the end of gradient flow on the squared loss from zero.
//!
//! `f(x*) = K(x*, X) K(X, X)^-1 y` (Jacot et al. 2018, arXiv:1806.07572, section 5,
//! in the limit of infinite time).

use ndarray::{Array2, ArrayView2};
use ntk_linalg::{Cholesky, Jitter, LinalgError, Real, matmul};
use thiserror::Error;

/// Why a regression is impossible.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RegressionError {
    /// Targets and kernel have different numbers of samples.
    #[error(
        "the kernel has {kernel} rows and the targets have {targets}; both must be the training samples"
    )]
    Samples {
        /// Rows of the kernel.
        kernel: usize,
        /// Rows of the targets.
        targets: usize,
    },
    /// The cross kernel's columns are not the training samples.
    #[error(
        "the test kernel has {found} columns for {expected} training samples; its shape must be (test, train)"
    )]
    Columns {
        /// Training samples.
        expected: usize,
        /// Columns found.
        found: usize,
    },
    /// The factorisation failed.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
}

/// A kernel matrix factorised once, with the coefficients `K^-1 y`.
#[derive(Debug, Clone)]
pub struct KernelRegression<T: Real> {
    cholesky: Cholesky<T>,
    coefficients: Array2<T>,
}

impl<T: Real> KernelRegression<T> {
    /// Solves `K c = y` for a kernel (n, n), whose buffer is reused, and targets (n, outputs).
    ///
    /// Cost: `n^3 / 3` flops.
    ///
    /// # Errors
    /// [`RegressionError`] if the shapes differ, an entry is not finite or, under
    /// `jitter`, the kernel is not positive definite.
    pub fn fit(
        k_dd: Array2<T>,
        y: ArrayView2<'_, T>,
        jitter: Jitter,
    ) -> Result<Self, RegressionError> {
        if k_dd.nrows() != y.nrows() {
            return Err(RegressionError::Samples {
                kernel: k_dd.nrows(),
                targets: y.nrows(),
            });
        }
        let cholesky = Cholesky::new(k_dd, jitter)?;
        let coefficients = cholesky.solve(&y)?;
        Ok(Self {
            cholesky,
            coefficients,
        })
    }

    /// `K_td c` for a test kernel of shape (test, n): outputs of shape (test, outputs).
    ///
    /// # Errors
    /// [`RegressionError::Columns`] where `k_td` has another number of columns.
    pub fn predict(&self, k_td: ArrayView2<'_, T>) -> Result<Array2<T>, RegressionError> {
        if k_td.ncols() != self.coefficients.nrows() {
            let (expected, found) = (self.coefficients.nrows(), k_td.ncols());
            return Err(RegressionError::Columns { expected, found });
        }
        Ok(matmul(k_td, self.coefficients.view())?)
    }

    /// What was added to the kernel's diagonal to factorise it.
    pub fn jitter_added(&self) -> T {
        self.cholesky.jitter_added()
    }

    /// The smallest eigenvalue of the kernel, whatever was added to its diagonal included.
    ///
    /// Cost: `4 n^2` flops a step of Lanczos, some tens of steps.
    ///
    /// # Errors
    /// [`RegressionError::Linalg`].
    pub fn smallest_eigenvalue(&self) -> Result<T, RegressionError> {
        Ok(self.cholesky.smallest_eigenvalue()?)
    }

    /// `sqrt(y^T K^-1 y / n)`, n the number of samples, summed over outputs under the root:
    /// the leading term of the generalisation bound of Arora et al. 2019, arXiv:1901.08584,
    /// theorem 5.1, there with `2 y^T K^-1 y`. Zero for n = 0.
    ///
    /// # Errors
    /// [`RegressionError::Samples`] where `y` has another number of rows than the kernel.
    pub fn bound(&self, y: ArrayView2<'_, T>) -> Result<T, RegressionError> {
        let n = self.coefficients.nrows();
        if y.nrows() != n {
            return Err(RegressionError::Samples {
                kernel: n,
                targets: y.nrows(),
            });
        }
        if n == 0 {
            return Ok(T::zero());
        }
        let mut half = y.to_owned();
        self.cholesky.solve_l_in_place(half.view_mut())?;
        let energy: T = half.iter().map(|&v| v * v).sum();
        Ok((energy / T::of(n as f64)).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use ndarray::array;

    #[test]
    fn interpolates_and_bounds() {
        let k = array![[2.0, 0.5], [0.5, 1.0]];
        let y = array![[1.0], [-1.0]];
        let fit = KernelRegression::fit(k.clone(), y.view(), Jitter::None).unwrap();
        assert_relative_eq!(fit.predict(k.view()).unwrap(), y, epsilon = 1e-14);
        // K^-1 = [[1, -0.5], [-0.5, 2]] / 1.75, so y^T K^-1 y = (1 + 0.5 + 0.5 + 2) / 1.75.
        assert_relative_eq!(
            fit.bound(y.view()).unwrap(),
            (4.0_f64 / 1.75 / 2.0).sqrt(),
            epsilon = 1e-14
        );
        assert_eq!(fit.jitter_added(), 0.0);
    }

    #[test]
    fn wrong_shapes_are_errors() {
        let y = array![[1.0], [-1.0], [0.0]];
        let k = array![[2.0, 0.5], [0.5, 1.0]];
        let error = KernelRegression::fit(k.clone(), y.view(), Jitter::None).unwrap_err();
        assert_eq!(
            error,
            RegressionError::Samples {
                kernel: 2,
                targets: 3
            }
        );
        let fit = KernelRegression::fit(k, array![[1.0], [2.0]].view(), Jitter::None).unwrap();
        let error = fit.predict(array![[1.0, 2.0, 3.0]].view()).unwrap_err();
        assert_eq!(
            error,
            RegressionError::Columns {
                expected: 2,
                found: 3
            }
        );
        assert!(fit.bound(y.view()).is_err());
    }

    #[test]
    fn no_samples_is_fine() {
        let fit = KernelRegression::fit(
            Array2::<f64>::zeros((0, 0)),
            Array2::zeros((0, 1)).view(),
            Jitter::None,
        );
        let fit = fit.unwrap();
        assert_eq!(
            fit.predict(Array2::zeros((3, 0)).view()).unwrap(),
            Array2::<f64>::zeros((3, 1))
        );
        assert_eq!(fit.bound(Array2::zeros((0, 1)).view()).unwrap(), 0.0);
    }
}
