//! Matrices that are spread over the ranks of an MPI job, and ScaLAPACK's routines on them.
//!
//! A [`Grid`] arranges the ranks as a rectangle, a [`BlockCyclic`] deals the square blocks of a
//! matrix out to it in turn, which is ScaLAPACK's own layout (Blackford et al. 1997, ScaLAPACK
//! Users' Guide, chapter 4). Of a symmetric matrix the lower half alone is read, as everywhere in
//! this crate. All in f64.
//!
//! All functions here are collective unless they say otherwise: every rank of the grid calls them,
//! in the same order and with the same arguments, from one thread. Every rank then gets the same
//! result, and the same error. An error of one rank alone, such as one of its own files, would
//! leave the others waiting for it; whoever meets one prints it and ends the job with
//! [`abort`](mpi::traits::Communicator::abort). A panic is such an error too.
//!
//! Grids and what lies on them must be dropped before MPI is finalised.
//!
//! ```no_run
//! use ntk_linalg::distributed::{BlockCyclic, DistributedCholesky, Grid, mpi};
//! # fn main() -> Result<(), ntk_linalg::LinalgError> {
//! let universe = mpi::initialize().expect("MPI starts once");
//! let grid = Grid::new(&universe.world());
//! let (n, block) = (10_000, 256);
//! let mut k = BlockCyclic::zeros(&grid, (n, n), block)?;
//! k.fill_blocks(|rows, columns, mut part| {
//!     for ((i, j), entry) in part.indexed_iter_mut() {
//!         *entry = f64::exp(-((rows.start + i).abs_diff(columns.start + j) as f64));
//!     }
//!     Ok::<(), ntk_linalg::LinalgError>(())
//! })?;
//! let x = DistributedCholesky::new(k)?.solve(ndarray::Array2::ones((n, 1)).view())?;
//! # Ok(())
//! # }
//! ```

mod cholesky;
pub mod communicate;
mod cyclic;
mod eigen;
mod grid;
mod matrix;
mod operator;
mod scalapack;

pub use cholesky::DistributedCholesky;
pub use cyclic::Cyclic;
pub use eigen::eigenvalues;
pub use grid::Grid;
pub use matrix::BlockCyclic;
pub use mpi;
pub use operator::DistributedOperator;
