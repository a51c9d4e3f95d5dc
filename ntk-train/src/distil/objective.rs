//! The loss of kernel ridge regression from inducing points, and its derivatives by both kernels.
//!
//! With `K` the kernel (s, s) of the inducing points, `Q` that (t, s) of samples with them,
//! `C = (K + r)^-1` and `a = C y`:
//!
//! ```text
//! L = 1/(2 t) |Q a - z|^2,  R = (Q a - z)/t,  h = C Q^T R
//! dL/dQ = R a^T,  dL/dy = h,  dL/dK = -h a^T - (dr/d tr K) <h, a>
//! ```
//!
//! the last term on the diagonal, for ridges `r` in units of its mean.

use ndarray::{Array2, ArrayRef2};
use ntk_linalg::{Cholesky, LinalgError, Ridge, gemm, matmul};

/// The loss, and its derivatives.
pub(super) struct Derived {
    pub(super) loss: f64,
    pub(super) by_own: Array2<f64>,
    pub(super) by_cross: Array2<f64>,
    pub(super) by_labels: Array2<f64>,
}

/// Computes the loss of labels `y` (s, outputs) on targets `z` (t, outputs).
pub(super) fn derived(
    own: Array2<f64>,
    cross: &ArrayRef2<f64>,
    y: &ArrayRef2<f64>,
    z: &ArrayRef2<f64>,
    ridge: Ridge,
) -> Result<Derived, LinalgError> {
    let trace = own.diag().sum();
    let cholesky = Cholesky::new(own, ridge)?;
    let a = cholesky.solve(y)?;
    let mut residuals = z.to_owned();
    gemm(1.0, cross, &a, -1.0, &mut residuals)?;
    let samples = z.nrows() as f64;
    let loss = residuals.iter().map(|v| v * v).sum::<f64>() / (2.0 * samples);
    residuals /= samples;
    let h = cholesky.solve(&matmul(&cross.t(), &residuals)?)?;
    let mut by_own = matmul(&h, &a.t())?;
    by_own *= -1.0;
    // What is added is a number times the mean of the diagonal, or does not depend on it.
    let by_trace = match ridge {
        Ridge::Absolute(_) => 0.0,
        Ridge::Relative(_) | Ridge::Adaptive { .. } => cholesky.ridge_added() / trace,
    };
    let shift = by_trace * (&h * &a).sum();
    by_own.diag_mut().mapv_inplace(|v| v - shift);
    Ok(Derived {
        loss,
        by_own,
        by_cross: matmul(&residuals, &a.t())?,
        by_labels: h,
    })
}

/// The normal equations of the labels, which are summed over blocks of samples.
pub(super) struct LabelSolve {
    factor: Cholesky<f64>,
    squares: Array2<f64>,
    products: Array2<f64>,
}

/// What is added to the normal equations at most, in units of their mean diagonal, where inducing points
/// share their predictions.
const MOST_JITTER: f64 = 1e-6;

impl LabelSolve {
    pub(super) fn new(own: Array2<f64>, outputs: usize, ridge: Ridge) -> Result<Self, LinalgError> {
        let points = own.nrows();
        Ok(Self {
            factor: Cholesky::new(own, ridge)?,
            squares: Array2::zeros((points, points)),
            products: Array2::zeros((points, outputs)),
        })
    }

    /// Adds a block of samples with their targets.
    pub(super) fn add(
        &mut self,
        cross: &ArrayRef2<f64>,
        z: &ArrayRef2<f64>,
    ) -> Result<(), LinalgError> {
        // Row i of the transpose: what label i has of each prediction.
        let shares = self.factor.solve(&cross.t())?;
        gemm(1.0, &shares, &shares.t(), 1.0, &mut self.squares)?;
        gemm(1.0, &shares, z, 1.0, &mut self.products)
    }

    pub(super) fn solve(self) -> Result<Array2<f64>, LinalgError> {
        let jitter = Ridge::Adaptive {
            max_relative: MOST_JITTER,
        };
        Cholesky::new(self.squares, jitter)?.solve(&self.products)
    }
}
