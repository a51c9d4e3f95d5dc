#![doc = include_str!("../README.md")]

mod backend;
pub mod cholesky;
pub mod eigen;
pub mod error;
pub mod observer;
pub mod product;
pub mod real;
mod smallest;
pub mod solve;
pub mod threads;
mod triangle;
mod validate;

pub use backend::Backend;
pub use cholesky::{Cholesky, Jitter};
pub use eigen::{Eigh, check_symmetric, eigenvalues, eigh};
pub use error::LinalgError;
pub use observer::{Cancelled, Observer};
pub use product::{gemm, matmul, symmetric_product, syrk};
pub use real::Real;
pub use solve::{Triangle, solve_symmetric, solve_triangular};
pub use triangle::mirror_lower;
