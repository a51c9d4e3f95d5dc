//! Kernel ridge regression at many ridges.

use crate::closed_form::Kernel;
use crate::predict::{Ridge, SpectralRegression};
use ndarray::{Array2, ArrayView1};
use ntk_linalg::Real;

use super::samples::Samples;
use super::{EstimatorError, FittedKernelRidge};

/// A `RidgePath` is kernel ridge regression at as many ridges as are asked for, from one
/// eigendecomposition; [`KernelRidge::path`](super::KernelRidge::path) makes one.
///
/// Ridges are numbers, which are added to the diagonal as they are, or
/// [`Ridge::Relative`] ones.
///
/// ```
/// use ndarray::{Array, Array2};
/// use ntk_kernels::KernelRidge;
/// use ntk_kernels::network::{Network, dense, relu};
///
/// let network = Network::new().then(dense().b_std(1.0)).then(relu()).then(dense());
/// let x: Array2<f64> = Array::linspace(-1.0, 1.0, 9).into_shape_with_order((9, 1)).unwrap();
/// let y = x.mapv(|x| (3.0 * x).sin());
/// let path = KernelRidge::new(&network).path(&x, &y)?;
/// let alphas = [1e-4, 1e-2, 1.0];
/// let errors = path.errors(&alphas)?; // of leaving each sample out, mean squares
/// let fitted = path.at(path.best(&alphas)?)?;
/// assert_eq!(errors.len(), 3);
/// assert_eq!(fitted.predict(&x)?.dim(), (9, 1));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RidgePath<T: Real> {
    samples: Samples<T>,
    kernel: Kernel,
    regression: SpectralRegression<T>,
}

impl<T: Real> RidgePath<T> {
    pub(super) fn new(
        samples: Samples<T>,
        kernel: Kernel,
        regression: SpectralRegression<T>,
    ) -> Self {
        Self {
            samples,
            kernel,
            regression,
        }
    }

    /// Computes the mean squared error of leaving each sample out, one for every ridge: the mean
    /// over all samples and outputs.
    ///
    /// It is infinity where a ridge leaves the kernel singular to working precision. Cost:
    /// `2 n^2 (1 + outputs)` operations for each ridge.
    ///
    /// # Errors
    /// [`EstimatorError::Predict`] for a ridge that is negative or not finite.
    pub fn errors<R: Into<Ridge> + Copy>(&self, alphas: &[R]) -> Result<Vec<f64>, EstimatorError> {
        Ok(self.regression.errors(alphas)?)
    }

    /// Returns the ridge with the smallest of [`RidgePath::errors`], the first of equal ones.
    ///
    /// # Errors
    /// [`EstimatorError::Predict`] for no ridge, one that is negative or not finite, and ridges
    /// that all leave the kernel singular.
    pub fn best<R: Into<Ridge> + Copy>(&self, alphas: &[R]) -> Result<R, EstimatorError> {
        Ok(self.regression.best(alphas)?)
    }

    /// Makes the estimator that has this ridge. Cost: `2 n^2` operations an output.
    ///
    /// # Errors
    /// [`EstimatorError::Predict`] for a ridge that is negative or not finite, or leaves the
    /// kernel singular to working precision.
    pub fn at(&self, alpha: impl Into<Ridge>) -> Result<FittedKernelRidge<T>, EstimatorError> {
        let alpha = alpha.into();
        let coefficients = self.regression.coefficients(alpha)?;
        let added = self.regression.ridge_added(alpha)?;
        FittedKernelRidge::new(self.samples.clone(), self.kernel, coefficients, added, None)
    }

    /// Computes `y_i - f_(-i)(x_i)`, (n, outputs), with this ridge: how far from its target each
    /// sample is predicted by the others. Cost: `2 n^2 (1 + outputs)` operations.
    ///
    /// # Errors
    /// As [`RidgePath::at`].
    pub fn leave_one_out(&self, alpha: impl Into<Ridge>) -> Result<Array2<T>, EstimatorError> {
        Ok(self.regression.leave_one_out(alpha)?)
    }

    /// Returns the eigenvalues of the kernel of the samples, ascending, those below zero set to
    /// zero: the scale on which ridges act.
    pub fn eigenvalues(&self) -> ArrayView1<'_, T> {
        self.regression.eigenvalues()
    }
}
