//! Kernel matrices and regression over the ranks of an MPI job.
//!
//! A [`DistributedKernel`] deals samples out, once; its [`matrix`](DistributedKernel::matrix) lies
//! over the ranks in ScaLAPACK's layout, and no rank ever has all of it. [`DistributedRegression`]
//! factors it and predicts. Blocks go through rank 0's
//! [`TileStore`](crate::store::TileStore), where it has one, so that a job that was ended is
//! gone on with. What [`ntk_linalg::distributed`] says of collective calls and of errors
//! holds here too: rank 0's samples and targets are meant, and other ranks' are not looked at.
//!
//! An error that one rank alone meets reaches the others as [`DistributedError::Rank`], so that
//! every rank returns. All in f64.

mod error;
mod kernel;
mod regression;
mod samples;
mod through;

pub use error::DistributedError;
pub use kernel::DistributedKernel;
pub use regression::DistributedRegression;
