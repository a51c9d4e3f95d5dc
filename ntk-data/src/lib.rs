#![doc = include_str!("../README.md")]
//!
//! # The ladder of crates
//! | crate | holds | stands on |
//! |---|---|---|
//! | [`ntk_linalg`] | symmetric eigenproblems, Cholesky, solves, matrix products; `Real`, `Observer` | |
//! | `ntk_kernels` | the description of a network, its kernels in closed form, what training with them predicts | `ntk_linalg` |
//! | `ntk_entropy` | the spectrum of a kernel matrix: entropies, ranks, mutual information | `ntk_linalg` |
//! | `ntk_train` | the finite network of the same description, its training and empirical kernels | `ntk_linalg`, `ntk_kernels`, `ntk_entropy` |
//! | **`ntk_data`** | images and targets: verified download, cache, embedded sample, subsets, PCA | `ntk_linalg` |
//! | `ntk_plots` | figures as PNG, SVG and CSV, and the HTML report | |

// Not `forbid`: the macro `s!` of ndarray allows it inside.
#![deny(unsafe_code)]

pub mod atomic;
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
mod pca;
mod place;
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

pub use dataset::{DataSet, Source};
pub use error::{DataError, FailureKind, MirrorFailure, WrongContent};
pub use gzip::decompress;
pub use load::{fetch, load, load_entry, load_or_sample};
pub use pca::{Pca, PcaError};
pub use place::Place;
pub use places::{Found, Network, Places, locate, look};
pub use records::RecordFile;
pub use scaling::{PixelScaling, UnknownScaling};
pub use split::Split;
pub use status::{Availability, FileCheck, availability, verify};
pub use subset::SubsetError;
