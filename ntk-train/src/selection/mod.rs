//! Selection of the samples to train on: by random network distillation, by the entropy of a
//! kernel, at random, or at random with as many of every class.
//!
//! A selection is a list of distinct row numbers of the pool, in the order of choice.

mod distance;
mod distillation;
mod entropy;
mod random;

pub use distance::{Distance, DistanceError};
pub(crate) use distillation::select;
pub use distillation::{Distillation, Selection};
pub use entropy::maximum_entropy;
pub use random::{per_class, random};

use crate::model::ModelError;
use crate::optimizer::Optimizer;
use ntk_linalg::LinalgError;
use thiserror::Error;

/// A `SelectionError` says why no selection was made.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// The pool has no samples.
    #[error("the pool has 0 samples; give it at least one to choose from")]
    EmptyPool,
    /// More samples are asked for than the pool has.
    #[error("asked for {asked} samples, and the pool has {available}; ask for fewer")]
    TooMany {
        /// The number of samples asked for.
        asked: usize,
        /// The number of samples in the pool.
        available: usize,
    },
    /// The samples asked for are more than memory holds.
    #[error("asked for {asked} samples, which is more than memory holds; ask for fewer")]
    Memory {
        /// The number of samples asked for.
        asked: usize,
    },
    /// More samples of a class are asked for than the pool has.
    #[error(
        "asked for {asked} samples of every class, and class {class} has {available}; ask for fewer, or leave it out"
    )]
    TooManyOfClass {
        /// The class.
        class: String,
        /// The number of samples asked for.
        asked: usize,
        /// The number of samples of the class.
        available: usize,
    },
    /// Target and predictor have different outputs.
    #[error(
        "the target has {target} outputs, the predictor {predictor}; give both networks the same"
    )]
    Outputs {
        /// The number of outputs of the target.
        target: usize,
        /// The number of outputs of the predictor.
        predictor: usize,
    },
    /// The optimiser's rate depends on more than the gradient.
    #[error(
        "the predictor cannot be trained by {found:?}, whose rate is that of a kernel's trace; take sgd, adam or adamw"
    )]
    Optimizer {
        /// The optimiser.
        found: Optimizer,
    },
    /// The predictor's loss became infinite or NaN.
    #[error(
        "the predictor diverged in epoch {epoch} after {chosen} samples: its loss is {loss}; lower the learning rate"
    )]
    Diverged {
        /// The number of samples chosen so far.
        chosen: usize,
        /// The epoch, from 0, of the training on them.
        epoch: usize,
        /// The loss.
        loss: f64,
    },
    /// Target and predictor cannot be compared.
    #[error(transparent)]
    Distance(#[from] DistanceError),
    /// The pool does not fit the models, or the observer asked to stop.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The matrix is not a kernel.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
    /// A diagonal entry is negative, which no kernel's is.
    #[error(
        "entry ({index}, {index}) is {found}, and a kernel's diagonal is at least 0; check that the matrix is a kernel"
    )]
    NegativeDiagonal {
        /// The place of the first such entry.
        index: usize,
        /// The value of the entry.
        found: f64,
    },
    /// The kernel's diagonal is zero.
    #[error(
        "every diagonal entry of the kernel is 0, so it has no entropy; leave zero samples out"
    )]
    ZeroTrace,
}

/// Checks that so many samples can be chosen from so many.
fn check_size(asked: usize, available: usize) -> Result<(), SelectionError> {
    if available == 0 {
        Err(SelectionError::EmptyPool)
    } else if asked > available {
        Err(SelectionError::TooMany { asked, available })
    } else {
        Ok(())
    }
}
