//! Says why evidence cannot be computed or optimised.

use crate::closed_form::{GradientError, KernelError};
use crate::estimators::EstimatorError;
use crate::network::HyperparameterError;
use crate::predict::PredictError;
use ntk_linalg::Cancelled;
use thiserror::Error;

/// An `EvidenceError` says why the evidence cannot be computed or optimised.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The network has no kernel for these samples.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The kernel cannot be differentiated.
    #[error(transparent)]
    Gradient(#[from] GradientError),
    /// Hyperparameters cannot be chosen or set.
    #[error(transparent)]
    Hyperparameter(#[from] HyperparameterError),
    /// Samples and targets do not fit together.
    #[error(transparent)]
    Estimator(#[from] EstimatorError),
    /// The covariance cannot be factored.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// The noise or the scale of outputs is no variance.
    #[error("the {name} is {value:?}; it must be finite and not negative")]
    Range {
        /// `"noise"` or `"output_scale"`.
        name: &'static str,
        /// The value.
        value: f64,
    },
    /// There is nothing to learn.
    #[error("nothing is learned; name what is by learn, such as w_std, b_std and noise")]
    NothingLearned,
    /// A number that is learned by its logarithm starts at zero.
    #[error(
        "{name} starts at {value:?}, and is learned by its logarithm; start from a positive value"
    )]
    Start {
        /// The name of the hyperparameter.
        name: String,
        /// The value it starts from.
        value: f64,
    },
    /// A start is out of the bounds.
    #[error("{name} starts at {value:?}, out of its bounds {low:?} to {high:?}; widen them")]
    Bounds {
        /// The name of the hyperparameter.
        name: String,
        /// The value it starts from.
        value: f64,
        /// The lower bound.
        low: f64,
        /// The upper bound.
        high: f64,
    },
    /// The bounds are none of what is learned by its logarithm.
    #[error("the bounds are {low:?} and {high:?}; they must be positive, finite and ascending")]
    Limits {
        /// The lower bound.
        low: f64,
        /// The upper bound.
        high: f64,
    },
    /// The evidence or a derivative of it is beyond f64.
    #[error(
        "{what} is {value}, beyond f64; bring the targets, the noise and the kernel nearer to 1"
    )]
    Overflow {
        /// What was computed.
        what: String,
        /// The value, NaN or infinite.
        value: f64,
    },
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}
