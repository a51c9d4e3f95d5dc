//! Computes regression with a kernel: the end of gradient flow on the squared loss from zero.
//!
//! It is `f(x*) = K(x*, X) K(X, X)^-1 y` (Jacot et al. 2018, arXiv:1806.07572, section 5, in the
//! limit of infinite time).

use ndarray::{Array2, ArrayRef2};
use ntk_linalg::{Cholesky, Real, Ridge, matmul};

use super::{PredictError, check};

/// A `KernelRegression` is a kernel matrix factorised once, with the coefficients `K^-1 y`.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::network::{Network, dense, relu};
/// use ntk_kernels::predict::KernelRegression;
///
/// let network = Network::new().then(dense()).then(relu()).then(dense());
/// let (train, y) = (array![[1.0_f64, 0.0], [0.0, 1.0]], array![[1.0], [-1.0]]);
/// let regression = KernelRegression::fit(network.ntk(&train)?, &y, 0.0)?;
/// let test = array![[0.7, 0.7], [1.0, 0.0]];
/// let f = regression.predict(&network.ntk_between(&test, &train)?)?;
/// assert!(f[[0, 0]].abs() < 1e-12 && (f[[1, 0]] - 1.0).abs() < 1e-12);
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct KernelRegression<T: Real> {
    cholesky: Cholesky<T>,
    coefficients: Array2<T>,
}

impl<T: Real> KernelRegression<T> {
    /// Solves `(K + r) c = y` for a kernel (n, n), whose buffer is reused, targets (n, outputs),
    /// and a ridge r, where 0.0 means none.
    ///
    /// Cost: `n^3 / 3` flops.
    ///
    /// # Errors
    /// Returns a [`PredictError`] if the shapes differ, an entry is not finite or, with the ridge,
    /// the kernel is not positive definite to working precision: [`PredictError::Singular`] names a
    /// row that those before it determine.
    pub fn fit(
        k_dd: Array2<T>,
        y: &ArrayRef2<T>,
        ridge: impl Into<Ridge>,
    ) -> Result<Self, PredictError> {
        check::shape(
            "the targets",
            y,
            (k_dd.nrows(), y.ncols()),
            "one row for each of the kernel",
        )?;
        let cholesky = Cholesky::new(k_dd, ridge)?;
        check::resolved(&cholesky)?;
        let coefficients = check::result("the coefficients (row, output)", cholesky.solve(y)?)?;
        Ok(Self {
            cholesky,
            coefficients,
        })
    }

    /// Computes the outputs `K_td c`, (test, outputs), from a test kernel of shape (test, n).
    ///
    /// # Errors
    /// Returns [`PredictError::Shape`] where `k_td` has another number of columns, and
    /// [`PredictError::NonFinite`] for entries that are not finite.
    pub fn predict(&self, k_td: &ArrayRef2<T>) -> Result<Array2<T>, PredictError> {
        check::shape(
            "the test kernel",
            k_td,
            (k_td.nrows(), self.coefficients.nrows()),
            "its columns are the training samples",
        )?;
        check::result(
            "the outputs (sample, output)",
            matmul(k_td, &self.coefficients)?,
        )
    }

    /// Returns the factor and the coefficients.
    pub(crate) fn into_parts(self) -> (Cholesky<T>, Array2<T>) {
        (self.cholesky, self.coefficients)
    }

    pub(super) fn cholesky(&self) -> &Cholesky<T> {
        &self.cholesky
    }

    /// Returns `K^-1 y`, (n, outputs).
    pub(super) fn coefficients(&self) -> &Array2<T> {
        &self.coefficients
    }

    /// Returns what the ridge added to the kernel's diagonal.
    pub fn ridge_added(&self) -> f64 {
        self.cholesky.ridge_added()
    }

    /// Returns the smallest eigenvalue of the kernel, what was added to its diagonal included.
    ///
    /// Cost: `4 n^2` flops a step of Lanczos, some tens of steps.
    ///
    /// # Errors
    /// Returns [`PredictError::Linalg`] where the iteration fails.
    pub fn smallest_eigenvalue(&self) -> Result<T, PredictError> {
        Ok(self.cholesky.smallest_eigenvalue()?)
    }

    /// Computes `sqrt(y^T K^-1 y / n)`, n the number of samples, summed over outputs under the
    /// root: the leading term of the generalisation bound of Arora et al. 2019, arXiv:1901.08584,
    /// theorem 5.1, there with `2 y^T K^-1 y`. It is zero for n = 0.
    ///
    /// # Errors
    /// Returns [`PredictError::Shape`] where `y` has another number of rows than the kernel.
    pub fn bound(&self, y: &ArrayRef2<T>) -> Result<T, PredictError> {
        let n = self.coefficients.nrows();
        check::shape(
            "the targets",
            y,
            (n, y.ncols()),
            "one row for each of the kernel",
        )?;
        if n == 0 {
            return Ok(T::zero());
        }
        let mut half = y.to_owned();
        self.cholesky.solve_l_in_place(&mut half)?;
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
        let fit = KernelRegression::fit(k.clone(), &y, 0.0).unwrap();
        assert_relative_eq!(fit.predict(&k).unwrap(), y, epsilon = 1e-14);
        // K^-1 = [[1, -0.5], [-0.5, 2]] / 1.75, so y^T K^-1 y = (1 + 0.5 + 0.5 + 2) / 1.75.
        assert_relative_eq!(
            fit.bound(&y).unwrap(),
            (4.0_f64 / 1.75 / 2.0).sqrt(),
            epsilon = 1e-14
        );
        assert_eq!(fit.ridge_added(), 0.0);
    }

    #[test]
    fn wrong_shapes_are_errors() {
        let y = array![[1.0], [-1.0], [0.0]];
        let k = array![[2.0, 0.5], [0.5, 1.0]];
        let error = KernelRegression::fit(k.clone(), &y, 0.0).unwrap_err();
        assert!(
            matches!(error, PredictError::Shape { found: (3, 1), ref expected, .. } if expected == "(2, 1)"),
            "{error}"
        );
        let fit = KernelRegression::fit(k, &array![[1.0], [2.0]], 0.0).unwrap();
        let error = fit.predict(&array![[1.0, 2.0, 3.0]]).unwrap_err();
        assert!(
            matches!(error, PredictError::Shape { found: (1, 3), ref expected, .. } if expected == "(1, 2)"),
            "{error}"
        );
        assert!(fit.bound(&y).is_err());
    }

    #[test]
    fn no_samples_is_fine() {
        let fit = KernelRegression::fit(Array2::<f64>::zeros((0, 0)), &Array2::zeros((0, 1)), 0.0);
        let fit = fit.unwrap();
        assert_eq!(
            fit.predict(&Array2::zeros((3, 0))).unwrap(),
            Array2::<f64>::zeros((3, 1))
        );
        assert_eq!(fit.bound(&Array2::zeros((0, 1))).unwrap(), 0.0);
    }
}
