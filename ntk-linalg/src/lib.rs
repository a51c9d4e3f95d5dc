#![doc = include_str!("../README.md")]

mod backend;
pub mod cholesky;
pub mod conjugate_gradients;
pub mod eigen;
pub mod error;
pub mod interop;
mod lanes;
pub mod observer;
pub mod operator;
pub mod partial_cholesky;
pub mod product;
pub mod real;
pub mod refinement;
mod smallest;
pub mod solve;
pub mod threads;
pub mod tiled;
mod triangle;
mod validate;

pub use backend::Backend;
pub use cholesky::{Cholesky, Jitter};
pub use conjugate_gradients::conjugate_gradients;
pub use eigen::{Eigh, check_symmetric, eigenvalues, eigh};
pub use error::LinalgError;
pub use observer::{Cancelled, Observer};
pub use operator::Operator;
pub use partial_cholesky::{PartialCholesky, Preconditioner};
pub use product::{gemm, matmul, symmetric_product, syrk};
pub use real::Real;
pub use refinement::refine;
pub use solve::{Triangle, solve_symmetric, solve_triangular};
pub use tiled::{SymmetricTiles, TiledCholesky};
pub use triangle::{mirror_lower, transpose_into};
