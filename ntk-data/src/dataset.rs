//! A data set, and its origin.

use std::sync::Arc;

use crate::error::DataError;
use crate::place::Place;
use crate::split::Split;

/// A `DataSet` is a training and a test half, and where they came from.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// The name in the registry: `mnist`, `fashion-mnist`, `cifar-10`.
    pub name: &'static str,
    /// The origin of the images.
    pub source: Source,
    /// The reason why these are not the full data, where they could have been.
    pub why_not_full: Option<Arc<DataError>>,
    /// The SHA-256 over the decompressed files one after the other, in the
    /// registry's order (train images, train labels, test images, test
    /// labels); for the embedded sample over its own decompressed files.
    pub sha256: String,
    /// The meanings of the labels `0, 1, ...`.
    pub classes: &'static [&'static str],
    /// The training half.
    pub train: Split,
    /// The test half.
    pub test: Split,
}

/// The origins that the images of a [`DataSet`] can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The published files, all of them.
    Full {
        /// The folder that they were read from.
        place: Place,
    },
    /// The sample compiled into this crate.
    Embedded,
    /// A formula by which they were drawn at random.
    Synthetic,
}

impl Source {
    /// Returns the name of the origin: `full`, `embedded` or `synthetic`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Full { .. } => "full",
            Self::Embedded => "embedded",
            Self::Synthetic => "synthetic",
        }
    }
}
