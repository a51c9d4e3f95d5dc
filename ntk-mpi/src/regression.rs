//! Regression with a kernel matrix over a grid.

use crate::communicate::broadcast;
use crate::{BlockCyclic, DistributedCholesky};
use ndarray::{Array2, ArrayView2, ArrayViewD};
use ntk_linalg::observer::Observer;

use crate::error::agree;
use crate::{DistributedError, DistributedKernel};
use ntk_kernels::predict::{PredictError, check};

/// [`KernelRegression`](ntk_kernels::predict::KernelRegression) over the ranks of a job: the
/// coefficients `K^-1 y`, on every rank.
#[derive(Debug)]
pub struct DistributedRegression<'a> {
    kernel: &'a DistributedKernel<'a>,
    coefficients: Array2<f64>,
}

impl<'a> DistributedRegression<'a> {
    /// Solves `K c = y` by Cholesky, in the memory of `matrix` (n, n), which is that of `kernel`
    /// and whatever was added to its diagonal, for rank 0's targets `y` (n, outputs).
    ///
    /// Cost over all ranks: `n^3 / 3` flops; see [`DistributedCholesky`].
    ///
    /// # Errors
    /// [`DistributedError::Predict`] where the shapes differ or a target is not finite, which other
    /// ranks have as [`DistributedError::Rank`]; [`DistributedError::Linalg`] on every rank where
    /// the matrix is not positive definite.
    pub fn fit(
        kernel: &'a DistributedKernel<'a>,
        matrix: BlockCyclic,
        y: ArrayView2<'_, f64>,
    ) -> Result<Self, DistributedError> {
        let n = kernel.samples();
        if matrix.shape() != (n, n) {
            return Err(PredictError::Shape {
                what: "the kernel matrix",
                found: matrix.shape(),
                expected: format!("{:?}", (n, n)),
                why: "its rows and columns are the training samples",
            }
            .into());
        }
        let communicator = kernel.grid().communicator();
        let valid = match kernel.grid().rank() {
            0 => check::shape(
                "the targets",
                &y,
                (n, y.ncols()),
                "one row for each of the kernel",
            ),
            _ => Ok(()),
        };
        agree(communicator, valid)?;
        let mut outputs = [y.ncols()];
        broadcast(communicator, 0, &mut outputs);
        let mut targets = Array2::zeros((n, outputs[0]));
        if kernel.grid().rank() == 0 {
            targets.assign(&y);
        }
        let numbers = targets.as_slice_mut().expect("it is new");
        broadcast(communicator, 0, numbers);
        let coefficients = DistributedCholesky::new(matrix)?.solve(targets.view())?;
        Ok(Self {
            kernel,
            coefficients,
        })
    }

    /// With coefficients (n, outputs) from elsewhere, such as conjugate gradients, the same on
    /// every rank.
    ///
    /// # Errors
    /// [`DistributedError::Predict`] where they are not one row for each training sample, or not
    /// finite.
    pub fn with_coefficients(
        kernel: &'a DistributedKernel<'a>,
        coefficients: Array2<f64>,
    ) -> Result<Self, DistributedError> {
        check::shape(
            "the coefficients",
            &coefficients.view(),
            (kernel.samples(), coefficients.ncols()),
            "one row for each training sample",
        )?;
        Ok(Self {
            kernel,
            coefficients,
        })
    }

    /// `K^-1 y`, (n, outputs).
    pub fn coefficients(&self) -> ArrayView2<'_, f64> {
        self.coefficients.view()
    }

    /// Outputs (test, outputs) for rank 0's `test` samples, on rank 0; see
    /// [`DistributedKernel::predict`].
    ///
    /// # Errors
    /// As there.
    pub fn predict(
        &self,
        test: ArrayViewD<'_, f64>,
        observer: &dyn Observer,
    ) -> Result<Option<Array2<f64>>, DistributedError> {
        let coefficients = self.coefficients.view();
        self.kernel.predict(coefficients, test, observer)
    }
}
