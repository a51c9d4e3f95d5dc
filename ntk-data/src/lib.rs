#![doc = include_str!("../README.md")]
// Not `forbid`: the macro `s!` of ndarray allows it inside.
#![deny(unsafe_code)]

mod any_error;
#[cfg_attr(not(feature = "download"), path = "no_download.rs")]
mod cache;
pub mod cifar;
mod dataset;
pub mod deform;
#[cfg(feature = "download")]
mod download;
mod error;
mod gzip;
mod hash;
pub mod idx;
mod load;
mod observer;
#[cfg(feature = "pca")]
mod pca;
mod place;
mod places;
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

pub use any_error::Error;
pub use dataset::{DataSet, Source};
pub use deform::{DeformError, Deformations};
pub use error::{DataError, FailureKind, MirrorFailure, WrongContent};
pub use gzip::decompress;
pub use load::{Loader, load};
#[cfg(feature = "pca")]
pub use observer::Observed;
pub use observer::Observer;
#[cfg(feature = "pca")]
pub use pca::{Pca, PcaError};
pub use place::Place;
pub use places::{Location, Network, Places, look};
pub use scaling::{PixelScaling, UnknownScaling};
pub use split::Split;
pub use status::{Availability, FileCheck, verify};
pub use subset::SubsetError;
