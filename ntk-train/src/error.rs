//! One error for all of the crate.

use crate::distil::DistilError;
use crate::model::ModelError;
use crate::record::{ReadError, RecordError};
use crate::selection::{DistanceError, SelectionError};
use crate::train::{CheckpointError, TrainError};
use crate::weights_file::WeightsError;
use ntk_kernels::KernelError;
use ntk_kernels::network::NetworkError;
use ntk_kernels::predict::PredictError;
use thiserror::Error;

/// An `Error` is anything that this crate fails with, or `ntk-kernels` on the same networks: `?`
/// turns each of their errors into one.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A model could not be built or evaluated.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Training stopped early.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Training could not be kept or resumed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A training with recorders stopped early.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Records could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Weights could not be written or read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// No samples were selected.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// No samples were distilled.
    #[error(transparent)]
    Distil(Box<DistilError>),
    /// Outputs could not be compared.
    #[error(transparent)]
    Distance(#[from] DistanceError),
    /// The infinite network had no kernel or prediction.
    #[error(transparent)]
    Infinite(#[from] ntk_kernels::Error),
}

impl From<DistilError> for Error {
    fn from(error: DistilError) -> Self {
        Self::Distil(Box::new(error))
    }
}

macro_rules! infinite {
    ($($error:ty),*) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::Infinite(error.into())
            }
        })*
    };
}

infinite!(NetworkError, KernelError, PredictError);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Recorder, Trainer};

    fn crosses_threads<T: Send + Sync + 'static>() {}
    fn is_sent<T: Send>() {}

    #[test]
    fn errors_cross_threads() {
        crosses_threads::<Error>();
        is_sent::<Recorder<'_, f32>>();
        is_sent::<Trainer<'_, f32>>();
    }
}
