//! Why training stopped early.

use crate::model_error::ModelError;
use ntk_kernels::predict::PredictError;
use thiserror::Error;

/// A `TrainError` says why training stopped early.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// Shapes do not fit, or the observer asked to stop.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// There are too few samples for the parts, or there is no part.
    #[error(
        "cannot cut {samples} samples into {parts} partitions; ask for 1 to {samples}, or for another order"
    )]
    Parts {
        /// The number of parts asked for.
        parts: usize,
        /// The number of samples.
        samples: usize,
    },
    /// The targets are not those of the loss.
    #[error(transparent)]
    Targets(#[from] Box<PredictError>),
    /// A setting is out of its domain.
    #[error("{name} is {value}, but must be {condition}")]
    Setting {
        /// The name of the setting.
        name: &'static str,
        /// The value given.
        value: f64,
        /// The condition that it must meet.
        condition: &'static str,
    },
    /// A reservoir holds no sample.
    #[error("a reservoir of size 0 with the latest 0 samples trains on nothing; raise one of them")]
    EmptyReservoir,
    /// The trace that the rate is to be divided by is zero, infinite or NaN.
    #[error(
        "the NTK's trace at epoch {epoch} is {trace}, and the learning rate {scale}/trace is of no use; look for samples of zero, or dead units"
    )]
    Trace {
        /// The number of epochs done.
        epoch: usize,
        /// The scale of [`Optimizer::TraceSgd`](crate::Optimizer::TraceSgd).
        scale: f64,
        /// The trace found.
        trace: f64,
    },
    /// The loss became infinite or NaN.
    #[error(
        "training diverged in epoch {epoch}, step {step}: the loss is no longer finite (last: {}); lower the learning rate, or look for NaN and infinities in samples and targets",
        losses.last().map_or("none".to_string(), |l| format!("{l:.3e}"))
    )]
    Diverged {
        /// The epoch, from 0.
        epoch: usize,
        /// The step over all epochs, from 0.
        step: usize,
        /// The finite losses before, one for every step.
        losses: Vec<f64>,
    },
}
