//! Training that is recorded on the way.

use crate::compiled::Scalar;
use crate::record::{RecordError, Recorder};
use crate::train::{TrainError, Trainer};
use ntk_linalg::observer::Observer;
use thiserror::Error;

/// Why a training with recorders stopped early.
#[derive(Debug, Error)]
pub enum RunError {
    /// Training itself.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A recorder.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl<T: Scalar> Trainer<'_, T> {
    /// All epochs that are left; every recorder is asked before the first and after each.
    ///
    /// # Errors
    /// Those of [`Trainer::epoch`] and of the recorders, which keep what they have recorded.
    pub fn run(
        &mut self,
        recorders: &mut [Recorder<'_, '_, T>],
        observer: &dyn Observer,
    ) -> Result<(), RunError> {
        T::run(self, recorders, observer)
    }
}

/// [`Trainer::run`].
pub(crate) fn run<T: Scalar>(
    trainer: &mut Trainer<'_, T>,
    recorders: &mut [Recorder<'_, '_, T>],
    observer: &dyn Observer,
) -> Result<(), RunError> {
    for recorder in &*recorders {
        recorder.check(trainer.model())?;
    }
    observer.begin(
        "training",
        trainer.config().epochs.saturating_sub(trainer.epochs()) as u64,
    );
    loop {
        for recorder in &mut *recorders {
            recorder.visit(trainer, observer)?;
        }
        if trainer.epochs() >= trainer.config().epochs {
            return Ok(());
        }
        trainer.epoch(observer)?;
    }
}
