//! Progress of downloads, and a way to stop them.

#[cfg(feature = "download")]
use crate::error::DataError;

/// Watches what takes long and may stop it.
///
/// No function of this crate prints or reads signals; `&()` watches nothing and never stops.
///
/// ```
/// struct Told;
///
/// impl ntk_data::Progress for Told {
///     fn begin(&self, step: &str, total: u64) {
///         eprintln!("{step}: {total} bytes");
///     }
/// }
///
/// let places = ntk_data::Places { offline: true, ..Default::default() };
/// # #[cfg(feature = "embedded")]
/// ntk_data::load("fashion-mnist", &places, &Told)?;
/// # Ok::<(), ntk_data::DataError>(())
/// ```
pub trait Progress {
    /// A step named `step` of `total` bytes begins; `total` is 0 where it is not known.
    fn begin(&self, step: &str, total: u64) {
        let _ = (step, total);
    }

    /// `units` more bytes of the current step are there.
    fn advance(&self, units: u64) {
        let _ = units;
    }

    /// Whether to stop, with [`DataError::Cancelled`](crate::DataError::Cancelled).
    fn cancelled(&self) -> bool {
        false
    }
}

/// Watches nothing and never stops.
impl Progress for () {}

#[cfg(feature = "download")]
pub(crate) fn check(progress: &dyn Progress) -> Result<(), DataError> {
    if progress.cancelled() {
        return Err(DataError::Cancelled);
    }
    Ok(())
}

/// An observer of `ntk-linalg`'s, as a [`Progress`].
#[cfg(feature = "pca")]
pub struct Observed<'a>(pub &'a dyn ntk_linalg::Observer);

#[cfg(feature = "pca")]
impl Progress for Observed<'_> {
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
