#![doc = include_str!("../README.md")]
//!
//! # Conventions
//! - Rows are samples: inputs have shape `(n, d)`, `(n, length, channels)` or
//!   `(n, height, width, channels)`.
//! - NTK parameterisation: `z = w_std / sqrt(fan_in) * W x + b_std * b`, every
//!   entry of `W` and `b` standard normal. The input kernel is `x . x' / d`, position by
//!   position with the channels as `d`.
//! - Standard parameterisation: `W ~ N(0, w_std^2 / fan_in)`, `b ~ N(0, b_std^2)`.
//! - Kernels are per output unit: a network with `o` outputs has this kernel
//!   times the `o x o` identity.
//!
//! # The ladder of crates
//! | crate | holds | stands on |
//! |---|---|---|
//! | [`ntk_linalg`] | symmetric eigenproblems, Cholesky, solves, matrix products; `Real`, `Observer` | |
//! | **`ntk_kernels`** | the description of a network, its kernels in closed form, what training with them predicts | `ntk_linalg` |
//! | `ntk_entropy` | the spectrum of a kernel matrix: entropies, ranks, mutual information | `ntk_linalg` |
//! | `ntk_train` | the finite network of the same description, its training and empirical kernels | `ntk_linalg`, `ntk_kernels`, `ntk_entropy` |
//! | `ntk_data` | images and targets: verified download, cache, embedded sample, subsets, PCA | `ntk_linalg` |
//! | `ntk_plots` | figures as PNG, SVG and CSV, and the HTML report | |
//!
//! # Where things are
//! | module | holds |
//! |---|---|
//! | [`network`] | the description of an architecture: layers, JSON, validation |
//! | [`dual`] | one file per activation: its kernel map and derivative |
//! | [`closed_form`] | from a [`Network`] to its NNGP and NTK |
//! | [`gram`] | what computes matrices of inner products and maps them, in tiles |
//! | [`tiles`], [`store`] | kernel matrices larger than memory: tile by tile, and on disk |
//! | [`predict`] | from kernel matrices to outputs: training at any time, ensembles, posteriors |

pub mod closed_form;
#[cfg(feature = "mpi")]
pub mod distributed;
pub mod dual;
pub mod gram;
pub mod network;
mod pack;
pub mod predict;
pub mod store;
pub mod tiles;

pub use closed_form::{Get, KernelError, Kernels, Vectors, diagonal, kernels, kernels_by_layer};
pub use network::Network;
