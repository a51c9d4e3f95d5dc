#![deny(unsafe_code)]
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
//! # Where things are
//! | module | holds |
//! |---|---|
//! | [`network`] | the description of an architecture: layers, JSON, and all of it resolved for a shape |
//! | [`dual`] | one file per activation: its kernel map and derivative |
//! | [`closed_form`] | from a [`Network`] to its NNGP and NTK |
//! | [`gram`] | what computes matrices of inner products and maps them, in tiles |
//! | [`tiles`] | kernel matrices larger than memory, tile by tile |
//! | [`predict`] | from kernel matrices to outputs: training at any time, ensembles, posteriors |

mod affine;
pub mod closed_form;
pub mod dual;
pub mod gram;
pub mod network;
mod pack;
mod pairs;
pub mod predict;
mod text;
pub mod tiles;

pub use closed_form::{Get, KernelError, Kernels, Vectors, diagonal, kernels, kernels_by_layer};
pub use network::Network;
