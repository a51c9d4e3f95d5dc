//! The progress of downloads, and a way to stop them.

#[cfg(feature = "download")]
use crate::error::DataError;

/// An `Observer` is told how a download proceeds, and may stop it.
///
/// [`Places::observer`](crate::Places::observer) has an example. No function of this crate prints or
/// reads signals.
pub trait Observer {
    /// Learns that a step named `step` of `total` bytes begins; `total` is 0 where it is not known.
    fn begin(&self, step: &str, total: u64) {
        let _ = (step, total);
    }

    /// Learns that `units` more bytes of the current step are there.
    fn advance(&self, units: u64) {
        let _ = units;
    }

    /// Tells whether to stop, with [`DataError::Cancelled`](crate::DataError::Cancelled).
    fn cancelled(&self) -> bool {
        false
    }
}

/// The unit type watches nothing and never stops.
impl Observer for () {}

#[cfg(feature = "download")]
pub(crate) fn check(observer: &dyn Observer) -> Result<(), DataError> {
    if observer.cancelled() {
        return Err(DataError::Cancelled);
    }
    Ok(())
}

/// `Observed` makes an observer of `ntk-linalg` one of this crate.
#[cfg(feature = "pca")]
pub struct Observed<'a>(pub &'a dyn ntk_linalg::Observer);

#[cfg(feature = "pca")]
impl Observer for Observed<'_> {
    fn begin(&self, step: &str, total: u64) {
        self.0.begin(step, total);
    }

    fn advance(&self, units: u64) {
        self.0.advance(units);
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}
