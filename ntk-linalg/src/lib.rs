#![doc = include_str!("../README.md")]
//!
//! # The ladder of crates
//! | crate | holds | stands on |
//! |---|---|---|
//! | **`ntk_linalg`** | symmetric eigenproblems, Cholesky, solves, matrix products; `Real`, `Observer` | |
//! | `ntk_kernels` | the description of a network, its kernels in closed form, what training with them predicts | `ntk_linalg` |
//! | `ntk_entropy` | the spectrum of a kernel matrix: entropies, ranks, mutual information | `ntk_linalg` |
//! | `ntk_train` | the finite network of the same description, its training and empirical kernels | `ntk_linalg`, `ntk_kernels`, `ntk_entropy` |
//! | `ntk_data` | images and targets: verified download, cache, embedded sample, subsets, PCA | `ntk_linalg` |
//! | `ntk_plots` | figures as PNG, SVG and CSV, and the HTML report | |

mod backend;
pub mod cholesky;
pub mod conjugate_gradients;
#[cfg(feature = "mpi")]
pub mod distributed;
pub mod eigen;
pub mod error;
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
