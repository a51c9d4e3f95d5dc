//! Progress and cancellation of long computations.
//!
//! No library crate prints, and none reads signals: a caller that wants a progress bar or a way to
//! stop sets an [`Observer`] on what does the work.

use thiserror::Error;

/// An observer watches a long computation and may stop it.
///
/// Calls come from any thread. Implementations must be cheap, since they are called once per tile,
/// epoch or megabyte.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use ndarray::array;
/// use ntk_linalg::{ConjugateGradients, Error, Observer};
///
/// /// Counts the units of work, and stops after ten of them.
/// struct AtMostTen(AtomicU64);
///
/// impl Observer for AtMostTen {
///     fn advance(&self, units: u64) {
///         self.0.fetch_add(units, Ordering::Relaxed);
///     }
///
///     fn cancelled(&self) -> bool {
///         self.0.load(Ordering::Relaxed) >= 10
///     }
/// }
///
/// fn main() -> Result<(), Error> {
///     let observer = AtMostTen(AtomicU64::new(0));
///     let (a, b) = (array![[4.0, 1.0], [1.0, 3.0]], array![[1.0], [2.0]]);
///     let found = ConjugateGradients::new().observer(&observer).solve(&a, &b)?;
///     // One unit for each product with the matrix.
///     assert_eq!(observer.0.into_inner(), found.residuals.len() as u64 - 1);
///     Ok(())
/// }
/// ```
pub trait Observer: Sync {
    /// Tells the observer that a step named `step` begins, of `total` units, 0 where that is not
    /// known.
    fn begin(&self, step: &str, total: u64) {
        let _ = (step, total);
    }

    /// Tells the observer that `units` more of the current step are done.
    fn advance(&self, units: u64) {
        let _ = units;
    }

    /// Returns whether the computation is to stop.
    ///
    /// Computations ask between units and then return an error made from [`Cancelled`].
    fn cancelled(&self) -> bool {
        false
    }

    /// Returns an error where the computation is to stop.
    ///
    /// # Errors
    /// [`Cancelled`] if [`Observer::cancelled`] says so.
    fn check(&self) -> Result<(), Cancelled> {
        if self.cancelled() {
            Err(Cancelled)
        } else {
            Ok(())
        }
    }
}

/// `()` watches nothing and never stops a computation.
impl Observer for () {}

/// An observer that stops when another does, and tells it of no progress: for a step inside one
/// whose progress is told already.
pub struct Inside<'a>(pub &'a dyn Observer);

impl Observer for Inside<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

/// The error of a computation that its observer stopped, through [`Observer::cancelled`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("stopped on request before the computation was complete")]
pub struct Cancelled;
