#![doc = include_str!("../README.md")]

pub mod atomic;
mod cache;
pub mod cifar;
mod dataset;
mod download;
mod error;
mod gzip;
pub mod idx;
mod pca;
mod places;
pub mod records;
pub mod registry;
pub mod sample;
mod scaling;
pub mod sphere;
mod split;
mod status;
mod subset;
pub mod synthetic;
pub mod targets;
mod verify;

pub use dataset::{DataSet, Source, fetch, load, load_entry, load_or_sample};
pub use error::{DataError, FailureKind, MirrorFailure, WrongContent};
pub use gzip::decompress;
pub use pca::{Pca, PcaError};
pub use places::{Found, Network, Place, Places, locate, look};
pub use records::RecordFile;
pub use scaling::{PixelScaling, UnknownScaling};
pub use split::Split;
pub use status::{Availability, FileCheck, availability, verify};
pub use subset::SubsetError;
