#![doc = include_str!("../README.md")]
//!
//! # Conventions
//! - Entropies are in nats.
//! - A kernel matrix K is normalised by its trace: `rho = K / tr K` has eigenvalues that
//!   are probabilities.
//! - Eigenvalues below `n * eps * lambda_max` (eps of the matrix's element type) count as
//!   zero; the mass so clipped, negative mass included, is part of the [`Spectrum`].
//!
//! One entropy is one file. Those of eigenvalues take a [`Spectrum`], so that one
//! eigendecomposition serves all of them.

pub mod combination;
pub mod covariance;
pub mod magnitude;
pub mod spectrum;
pub mod von_neumann;

pub use spectrum::{EntropyError, Spectrum};
