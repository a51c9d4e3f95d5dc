//! A data set, and where it came from.

use std::sync::Arc;

use crate::error::DataError;
use crate::place::Place;
use crate::split::Split;

/// A data set: a training and a test half, and where they came from.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// The registry's name: `mnist`, `fashion-mnist`, `cifar-10`.
    pub name: &'static str,
    /// Where the images came from.
    pub source: Source,
    /// Why these are not the full data, where they could have been.
    pub why_not_full: Option<Arc<DataError>>,
    /// SHA-256 over the decompressed files one after the other, in the
    /// registry's order (train images, train labels, test images, test
    /// labels); for the embedded sample over its own decompressed files.
    pub sha256: String,
    /// What the labels mean.
    pub classes: &'static [&'static str],
    /// The training half.
    pub train: Split,
    /// The test half.
    pub test: Split,
}

/// Where the images of a [`DataSet`] came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// All of the published files.
    Full {
        /// The folder they were read from.
        place: Place,
    },
    /// The sample compiled into this crate.
    Embedded,
    /// Drawn at random by a formula.
    Synthetic,
}

impl Source {
    /// `full`, `embedded` or `synthetic`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Full { .. } => "full",
            Self::Embedded => "embedded",
            Self::Synthetic => "synthetic",
        }
    }
}
