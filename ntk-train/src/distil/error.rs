//! Why no samples were distilled.

use crate::optimizer::Optimizer;
use crate::train::TrainError;
use ntk_kernels::{GradientError, KernelError};
use ntk_linalg::{Cancelled, LinalgError};
use thiserror::Error;

/// A `DistilError` says why no samples were distilled.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum DistilError {
    /// The kernel of the network cannot be computed.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The kernel of the network cannot be differentiated.
    #[error(transparent)]
    Gradient(#[from] GradientError),
    /// The kernel of the inducing points is singular, or the ridge is out of its domain.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
    /// A setting of the steps is out of its domain.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// There are no samples, features or outputs.
    #[error("{what} have shape {shape:?}; give at least one row and one column")]
    Empty {
        /// The name of the array.
        what: &'static str,
        /// The shape of the array.
        shape: (usize, usize),
    },
    /// Two arrays do not belong together.
    #[error("{what} have {found} {of}, and {other} have {expected}; give both the same")]
    Shapes {
        /// The name of the array.
        what: &'static str,
        /// What it belongs to.
        other: &'static str,
        /// What is counted: rows or columns.
        of: &'static str,
        /// The number in the other array.
        expected: usize,
        /// The number in this array.
        found: usize,
    },
    /// A number is NaN or infinite.
    #[error("entry {index:?} of {what} is {value}; give finite numbers")]
    NonFinite {
        /// The name of the array.
        what: &'static str,
        /// The row and column of the first such entry.
        index: (usize, usize),
        /// The value of the entry.
        value: f64,
    },
    /// The optimiser's rate depends on more than the gradient.
    #[error(
        "inducing points cannot be learned by {found:?}, whose rate is that of a kernel's trace; take sgd, adam or adamw"
    )]
    Optimizer {
        /// The optimiser.
        found: Optimizer,
    },
    /// The loss became infinite or NaN.
    #[error(
        "the loss at step {step} is {loss}; bring samples and targets nearer to 1, raise the ridge, or lower the learning rate"
    )]
    Diverged {
        /// The step, from 0.
        step: usize,
        /// The loss.
        loss: f64,
    },
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}
