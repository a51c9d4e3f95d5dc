//! Training that is recorded on the way.

use crate::compiled::Scalar;
use crate::model::{Model, ModelError};
use crate::record::{RecordError, Recorder};
use crate::train::{Condition, Trainer};

impl<T: Scalar> Trainer<'_, T> {
    /// Trains for all epochs that are left, and asks every recorder before the first and after
    /// each: `trainer.record(&mut recorder)?`, or `trainer.record([&mut scores, &mut kernels])?`
    /// for several.
    ///
    /// # Errors
    /// [`RecordError::Train`] where training stops, and those of the recorders, which keep what
    /// they have recorded.
    pub fn record<'r, 'a: 'r>(
        &mut self,
        recorders: impl IntoIterator<Item = &'r mut Recorder<'a, T>>,
    ) -> Result<(), RecordError>
    where
        T: 'a,
    {
        self.record_until(recorders, |_| Ok(false)).map(drop)
    }

    /// Trains as [`Trainer::record`], but no further than the first epoch after which a condition
    /// on the model holds; that epoch is recorded as the last. Returns whether the condition holds
    /// at the end.
    ///
    /// # Errors
    /// As [`Trainer::record`], and the condition's.
    pub fn record_until<'r, 'a: 'r>(
        &mut self,
        recorders: impl IntoIterator<Item = &'r mut Recorder<'a, T>>,
        mut condition: impl FnMut(&Model<T>) -> Result<bool, ModelError>,
    ) -> Result<bool, RecordError>
    where
        T: 'a,
    {
        let mut recorders: Vec<_> = recorders.into_iter().collect();
        T::record(self, &mut recorders, &mut condition)
    }
}

/// [`Trainer::record_until`].
pub(crate) fn record<T: Scalar>(
    trainer: &mut Trainer<'_, T>,
    recorders: &mut [&mut Recorder<'_, T>],
    condition: &mut Condition<'_, T>,
) -> Result<bool, RecordError> {
    for recorder in &*recorders {
        recorder.check(trainer.model())?;
    }
    trainer.begin();
    let mut holds = false;
    loop {
        let last = holds || trainer.epochs() >= trainer.config().epochs;
        for recorder in &mut *recorders {
            recorder.visit(trainer, last)?;
        }
        if last {
            return Ok(holds);
        }
        trainer.epoch()?;
        holds = condition(trainer.model())?;
    }
}
