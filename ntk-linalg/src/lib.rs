#![doc = include_str!("../README.md")]

mod backend;
mod cholesky;
mod conjugate_gradients;
mod eigen;
mod error;
pub mod interop;
mod lanes;
mod memory;
pub mod observer;
pub mod operator;
mod partial_cholesky;
mod product;
pub mod real;
mod refinement;
mod ridge;
mod smallest;
mod solve;
pub mod threads;
pub mod tiled;
mod triangle;
mod validate;

pub use backend::Backend;
pub use cholesky::Cholesky;
pub use conjugate_gradients::{ConjugateGradients, Solution, SolveError};
pub use eigen::{Eigh, check_symmetric, eigenvalue_resolution, eigenvalues, eigh};
pub use error::{Error, LinalgError};
pub use observer::{Cancelled, Observer};
pub use operator::Operator;
pub use partial_cholesky::{PartialCholesky, Preconditioner, RandomPivots};
pub use product::{gemm, matmul, symmetric_product, syrk};
pub use real::Real;
pub use refinement::{Refined, Refinement};
pub use ridge::Ridge;
pub use solve::{solve_symmetric, solve_triangular};
pub use tiled::{SymmetricTiles, TiledCholesky};
pub use triangle::{Triangle, mirror_lower, transpose_into};
