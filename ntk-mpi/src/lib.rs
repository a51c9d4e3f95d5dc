#![doc = include_str!("../README.md")]
//!
//! # Calls
//! A [`Grid`] arranges the ranks as a rectangle, a [`BlockCyclic`] deals the square blocks of a
//! matrix out to it in turn, which is ScaLAPACK's own layout (Blackford et al. 1997, ScaLAPACK
//! Users' Guide, chapter 4). Of a symmetric matrix the lower half alone is read, as everywhere in
//! `ntk_linalg`. All numbers are f64.
//!
//! All functions here are collective unless they say otherwise: every rank of the grid calls them,
//! in the same order and with the same arguments, from one thread. Every rank then gets the same
//! result, and the same error: one that a rank alone meets reaches the others as
//! [`Error::Rank`]. An error of one rank's own, such as one of its own files, would
//! leave the others waiting for it; whoever meets one prints it and ends the job with
//! [`abort`](mpi::traits::Communicator::abort). A panic is such an error too. Rank 0's samples and
//! targets are meant, and other ranks' are not looked at.
//!
//! Grids and what lies on them must be dropped before MPI is finalised.

mod cholesky;
pub mod communicate;
mod cyclic;
mod eigen;
mod error;
mod grid;
mod kernel;
mod landmarks;
mod matrix;
mod operator;
mod ranks;
mod regression;
mod samples;
mod scalapack;
mod through;

pub use cholesky::DistributedCholesky;
pub use cyclic::Cyclic;
pub use eigen::eigenvalues;
pub use error::Error;
pub use grid::Grid;
pub use kernel::DistributedKernel;
pub use landmarks::DistributedLandmarks;
pub use matrix::BlockCyclic;
pub use mpi;
pub use operator::DistributedOperator;
pub use regression::DistributedRegression;
