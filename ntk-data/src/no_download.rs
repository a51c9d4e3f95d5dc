//! This module stands in for `cache.rs` where the feature `download` is off.

use std::path::Path;

use crate::error::DataError;
use crate::places::{Found, Network};
use crate::progress::Progress;
use crate::registry::Entry;

/// Refuses to download.
///
/// # Errors
/// [`DataError::NoDownload`].
pub(crate) fn fill(
    entry: &'static Entry,
    cache: &Path,
    _: &Network,
    _: &dyn Progress,
) -> Result<Found, DataError> {
    Err(DataError::NoDownload {
        name: entry.name,
        looked: vec![cache.to_owned()],
    })
}
