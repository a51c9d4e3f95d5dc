//! Losses and their derivatives by the outputs.

use crate::tensor::Scalar;
use ndarray::{Array2, ArrayView2, Zip};

/// A loss of outputs and targets of shape (n, outputs).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// `1/2 mean (f - y)^2` over all n * outputs entries: the loss of the gradient-flow formulas.
    HalfMeanSquare,
    /// `mean (f - y)^2` over all n * outputs entries, PyTorch's `MSELoss`.
    MeanSquare,
}

impl Loss {
    /// The loss, and its derivative by every output.
    pub fn with_gradient<T: Scalar>(
        self,
        outputs: ArrayView2<'_, T>,
        targets: ArrayView2<'_, T>,
    ) -> (f64, Array2<T>) {
        let half = match self {
            Self::HalfMeanSquare => 0.5,
            Self::MeanSquare => 1.0,
        };
        let count = outputs.len().max(1) as f64;
        let factor = T::of(2.0 * half / count);
        let mut sum = 0.0;
        let mut gradient = Array2::zeros(outputs.raw_dim());
        Zip::from(&mut gradient)
            .and(outputs)
            .and(targets)
            .for_each(|g, &f, &y| {
                let gap = f - y;
                sum += gap.to_f64() * gap.to_f64();
                *g = factor * gap;
            });
        (half * sum / count, gradient)
    }
}
