//! Samples and targets of a fit, a block at a time.

use crate::estimators::EstimatorError;
use crate::inputs::Inputs;
use ndarray::{Array2, ArrayD, ArrayView2, s};
use ntk_linalg::Real;
use std::ops::Range;

/// Reads the samples (range, ...) and the targets (range, outputs) of a range.
pub(crate) type Read<'s, T, E> = dyn FnMut(Range<usize>) -> Result<(ArrayD<T>, Array2<T>), E> + 's;

/// Where samples and targets come from.
pub(crate) enum Source<'s, 'x, T, E> {
    Held {
        x: &'s Inputs<'x, T>,
        y: ArrayView2<'s, T>,
    },
    Read {
        samples: usize,
        read: &'s mut Read<'s, T, E>,
    },
}

impl<T: Real, E: From<EstimatorError>> Source<'_, '_, T, E> {
    pub(super) fn samples(&self) -> usize {
        match self {
            Self::Held { y, .. } => y.nrows(),
            Self::Read { samples, .. } => *samples,
        }
    }

    /// Calls with the samples of a range.
    pub(super) fn with<R>(
        &mut self,
        range: Range<usize>,
        call: impl FnOnce(&Inputs<'_, T>, ArrayView2<'_, T>) -> Result<R, EstimatorError>,
    ) -> Result<R, E> {
        match self {
            Self::Held { x, y } => {
                let part = x.slice(range.clone());
                let part = part.expect("masks and graphs of all samples have been checked");
                Ok(call(&part, y.slice(s![range, ..]))?)
            }
            Self::Read { samples, read } => {
                let (x, y) = read(range.clone())?;
                if y.nrows() != range.len() {
                    let (expected, found) = (*samples, range.start + y.nrows());
                    return Err(EstimatorError::StreamLength { expected, found }.into());
                }
                Ok(call(&Inputs::new(&x), y.view())?)
            }
        }
    }

    /// Calls with each of these blocks.
    pub(super) fn each_block(
        &mut self,
        starts: impl IntoIterator<Item = usize>,
        block: usize,
        mut call: impl FnMut(&Inputs<'_, T>, ArrayView2<'_, T>) -> Result<(), EstimatorError>,
    ) -> Result<(), E> {
        let samples = self.samples();
        for start in starts {
            let end = samples.min(start.saturating_add(block));
            self.with(start..end, |x, y| {
                call(x, y).map_err(|source| in_block(start, source))
            })?;
        }
        Ok(())
    }
}

/// Says in which block an error is.
pub(super) fn in_block(first: usize, source: EstimatorError) -> EstimatorError {
    match source {
        EstimatorError::Predict(crate::predict::PredictError::Cancelled(_))
        | EstimatorError::Checkpoint(_) => source,
        source => EstimatorError::Block {
            first,
            source: Box::new(source),
        },
    }
}
