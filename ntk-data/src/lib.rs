#![doc = include_str!("../README.md")]
// Not `forbid`: the macro `s!` of ndarray allows it inside.
#![deny(unsafe_code)]

#[cfg_attr(not(feature = "download"), path = "no_download.rs")]
mod cache;
pub mod cifar;
mod dataset;
#[cfg(feature = "download")]
mod download;
mod error;
mod gzip;
mod hash;
pub mod idx;
mod load;
#[cfg(feature = "pca")]
mod pca;
mod place;
mod places;
mod progress;
pub mod registry;
pub mod sample;
mod scalar;
mod scaling;
pub mod sphere;
mod split;
mod status;
mod subset;
#[cfg(feature = "synthetic")]
pub mod synthetic;
pub mod targets;
mod user;
mod verify;

pub use dataset::{DataSet, Source};
pub use error::{DataError, FailureKind, MirrorFailure, WrongContent};
pub use gzip::decompress;
pub use load::{fetch, load, load_entry, load_or_sample};
#[cfg(feature = "pca")]
pub use pca::{Pca, PcaError};
pub use place::Place;
pub use places::{Found, Network, Places, locate, look};
#[cfg(feature = "pca")]
pub use progress::Observed;
pub use progress::Progress;
pub use scaling::{PixelScaling, UnknownScaling};
pub use split::Split;
pub use status::{Availability, FileCheck, availability, verify};
pub use subset::SubsetError;
