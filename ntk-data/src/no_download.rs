//! This module stands in for `cache.rs` where the feature `download` is off.

use std::path::Path;

use crate::error::DataError;
use crate::observer::Observer;
use crate::places::{Location, Network};
use crate::registry::Entry;

/// Refuses to download.
///
/// # Errors
/// [`DataError::NoDownload`].
pub(crate) fn fill(
    entry: &'static Entry,
    cache: &Path,
    _: &Network,
    _: &dyn Observer,
) -> Result<Location, DataError> {
    Err(DataError::NoDownload {
        name: entry.name,
        looked: vec![cache.to_owned()],
    })
}
