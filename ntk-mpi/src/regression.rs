//! Regression with a kernel matrix over a grid.

use crate::communicate::broadcast;
use crate::{BlockCyclic, DistributedCholesky};
use ndarray::{Array2, ArrayRef, ArrayRef2, ArrayView2, Dimension};

use crate::error::agree;
use crate::{DistributedKernel, Error};
use ntk_kernels::predict::{PredictError, check};

/// A `DistributedRegression` holds the coefficients `K^-1 y` of kernel regression over the ranks of a
/// job, on every rank.
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
    /// [`Error::Predict`] where the shapes differ or a target is not finite, which other
    /// ranks have as [`Error::Rank`]; [`Error::Linalg`] on every rank where
    /// the matrix is not positive definite.
    pub fn fit(
        kernel: &'a DistributedKernel<'a>,
        matrix: BlockCyclic,
        y: &ArrayRef2<f64>,
    ) -> Result<Self, Error> {
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
                y,
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
            targets.assign(y);
        }
        let numbers = targets.as_slice_mut().expect("it is new");
        broadcast(communicator, 0, numbers);
        let coefficients = DistributedCholesky::new(matrix)?.solve(&targets)?;
        Ok(Self {
            kernel,
            coefficients,
        })
    }

    /// Takes coefficients (n, outputs) from elsewhere, such as conjugate gradients, the same on
    /// every rank.
    ///
    /// # Errors
    /// [`Error::Predict`] where they are not one row for each training sample, or not
    /// finite.
    pub fn with_coefficients(
        kernel: &'a DistributedKernel<'a>,
        coefficients: Array2<f64>,
    ) -> Result<Self, Error> {
        check::shape(
            "the coefficients",
            &coefficients,
            (kernel.samples(), coefficients.ncols()),
            "one row for each training sample",
        )?;
        Ok(Self {
            kernel,
            coefficients,
        })
    }

    /// Returns the coefficients `K^-1 y`, (n, outputs).
    pub fn coefficients(&self) -> ArrayView2<'_, f64> {
        self.coefficients.view()
    }

    /// Computes outputs (test, outputs) for rank 0's `test` samples, on rank 0; see
    /// [`DistributedKernel::predict`].
    ///
    /// # Errors
    /// Those of [`DistributedKernel::predict`].
    pub fn predict<D: Dimension>(
        &self,
        test: &ArrayRef<f64, D>,
    ) -> Result<Option<Array2<f64>>, Error> {
        self.kernel.predict(&self.coefficients, test)
    }
}
