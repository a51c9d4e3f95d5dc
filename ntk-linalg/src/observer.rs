//! Progress and cancellation of long computations.
//!
//! No library crate prints, and none reads signals: a caller that wants a
//! progress bar or a way to stop hands in an [`Observer`].

use thiserror::Error;

/// Watches a long computation and may stop it.
///
/// Calls come from any thread. Implementations must be cheap: they are
/// called once per tile, epoch or megabyte, not once per element.
pub trait Observer: Sync {
    /// A step named `step` of `total` units begins; `total` is 0 where it is not known.
    fn begin(&self, step: &str, total: u64) {
        let _ = (step, total);
    }

    /// `units` more of the current step are done.
    fn advance(&self, units: u64) {
        let _ = units;
    }

    /// Whether the caller wants the computation to stop.
    ///
    /// Computations ask between units and then return an error made from [`Cancelled`].
    fn cancelled(&self) -> bool {
        false
    }

    /// Stops with an error where the caller wants to.
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

/// Watches nothing and never stops.
impl Observer for () {}

/// Stops when another does, and tells it of no progress: for a step inside one whose progress
/// is already told.
pub struct Inside<'a>(pub &'a dyn Observer);

impl Observer for Inside<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

/// The caller asked to stop, through [`Observer::cancelled`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("stopped on request before the computation was complete")]
pub struct Cancelled;
