//! Holds one error for the whole crate.

use crate::closed_form::{GradientError, KernelError};
use crate::dual::DualError;
use crate::estimators::{EstimatorError, FileError};
use crate::evidence::EvidenceError;
use crate::gram::GramError;
use crate::mean_field::MeanFieldError;
use crate::metrics::MetricError;
use crate::network::{HyperparameterError, NetworkError};
use crate::predict::PredictError;
use crate::structure::StructureError;
use crate::tiles::TileError;
use thiserror::Error;

/// An `Error` is anything that this crate fails with: `?` turns each of its errors into one.
///
/// Functions return their own, smaller errors, so that a program can match on what can happen.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Error {
    /// Masks or graphs do not fit.
    #[error(transparent)]
    Structure(#[from] StructureError),
    /// A network's options or shapes are wrong.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A network has no kernel for these inputs.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// Evidence cannot be computed or optimised.
    #[error(transparent)]
    Evidence(Box<EvidenceError>),
    /// A kernel cannot be differentiated.
    #[error(transparent)]
    Gradient(#[from] GradientError),
    /// Hyperparameters cannot be chosen or set.
    #[error(transparent)]
    Hyperparameter(#[from] HyperparameterError),
    /// A row of a kernel matrix cannot be mapped by an activation.
    #[error(transparent)]
    Dual(#[from] DualError),
    /// A Gram matrix cannot be computed.
    #[error(transparent)]
    Gram(#[from] GramError),
    /// A tile of a kernel cannot be computed.
    #[error(transparent)]
    Tile(#[from] TileError),
    /// A prediction is impossible.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// An estimator cannot be fitted, cannot predict, or cannot be kept in a file.
    #[error(transparent)]
    Estimator(#[from] EstimatorError),
    /// A file of an estimator cannot be written or read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Outputs cannot be compared with targets.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// A network has no fixed point or no critical line.
    #[error(transparent)]
    MeanField(#[from] MeanFieldError),
}

impl From<EvidenceError> for Error {
    fn from(error: EvidenceError) -> Self {
        Self::Evidence(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn can_cross_threads() {
        fn crosses<E: std::error::Error + Send + Sync + 'static>() {}
        crosses::<Error>();
    }
}
