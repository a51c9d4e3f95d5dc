#![doc = include_str!("../README.md")]
//!
//! # Conventions
//! - Entropies are in nats.
//! - A [`Normalization`] says how a kernel matrix becomes a density matrix, whose eigenvalues
//!   are probabilities: by default it is divided by its trace.
//! - Eigenvalues below `n * eps * lambda_max` (eps of the matrix's element type, or of a [`Rounding`]) count as
//!   zero; the mass so clipped, negative mass included, is part of the [`Spectrum`].
//!
//! The entropies and ranks of eigenvalues take a [`Spectrum`], so that one eigendecomposition
//! serves all of them.

// Not `forbid`: the macro `s!` of ndarray allows it inside.
#![deny(unsafe_code)]

mod bounds;
pub mod combination;
pub mod covariance;
pub mod divergence;
mod error;
mod low_rank;
pub mod magnitude;
mod matrix;
pub mod multi_output;
pub mod mutual_information;
pub mod rank;
pub mod renyi;
mod rounding;
pub mod spectrum;
pub mod stochastic;
pub mod von_neumann;

pub use bounds::{Interval, SpectrumBounds};
pub use combination::Blocks;
pub use error::{EntropyError, Error};
pub use mutual_information::MutualInformation;
pub use rounding::Rounding;
pub use spectrum::{Normalization, Spectrum};
