#![deny(unsafe_code)]
#![doc = include_str!("../README.md")]
//!
//! # Conventions
//! - Rows are samples: inputs have shape `(n, d)`, `(n, length, channels)`,
//!   `(n, height, width, channels)` or `(n, depth, height, width, channels)`.
//! - The NTK parameterisation is `z = w_std / sqrt(fan_in) * W x + b_std * b`, with every
//!   entry of `W` and `b` standard normal. The input kernel is `x . x' / d`, position by
//!   position with the channels as `d`.
//! - The standard parameterisation is `z = W x + b` with `W ~ N(0, w_std^2 / fan_in)` and
//!   `b ~ N(0, b_std^2)`.
//! - A layer has a bias where its `b_std` is given. One of 0 is trained and starts at zero: it adds
//!   1 to the layer's NTK in the standard parameterisation, and nothing in the other.
//! - Kernels are those of one output unit: a network with `o` outputs has this kernel
//!   times the `o x o` identity.
//!
//! # Where things are
//! | module | holds |
//! |---|---|
//! | [`network`] | the description of an architecture: layers, JSON, and all of it resolved for a shape |
//! | [`dual`] | one file for each activation: its kernel map and derivative |
//! | [`closed_form`] | the way from a [`Network`] to its NNGP and NTK |
//! | [`gram`] | matrices of functions of inner products, computed in tiles |
//! | [`tiles`] | kernel matrices larger than memory, tile by tile |
//! | [`estimators`] | [`KernelRidge`], [`Landmarks`], [`GaussianProcess`], [`GradientFlow`]: from a network and samples to predictions, and files of them |
//! | [`evidence`] | [`Evidence`]: how probable a process makes targets, its derivatives, and the hyperparameters where it is largest |
//! | [`features`] | [`Features`]: maps of samples whose inner products are near the kernel, and regression on them |
//! | [`mean_field`] | what becomes of signals in deep networks: fixed points of variances, order and chaos |
//! | [`metrics`] | classes, accuracy and R² of outputs, densities and probabilities of those with variances |
//! | [`predict`] | the way from kernel matrices to outputs: training at any time, ensembles, posteriors |

mod affine;
pub mod closed_form;
pub mod dual;
mod error;
pub mod estimators;
pub mod evidence;
pub mod features;
pub mod gram;
mod inputs;
pub mod mean_field;
pub mod metrics;
pub mod network;
mod options;
mod pack;
mod pairs;
pub mod predict;
mod structure;
mod sums;
pub mod text;
pub mod tiles;

pub use closed_form::{
    Diagonal, GradientError, Kernel, KernelError, KernelFn, KernelGradients, Kernels,
};
pub use error::Error;
pub use estimators::{
    Checkpoint, CheckpointError, Choice, EstimatorError, FittedGaussianProcess, FittedGradientFlow,
    FittedKernelRidge, FittedLandmarks, GaussianProcess, GradientFlow, KernelRidge, Landmarks,
    Ranks, RidgePath, Solver,
};
pub use evidence::{Evidence, EvidenceAt, EvidenceError, Objective, Optimised, Optimiser};
pub use features::{FeatureMap, Features, FittedFeatures, Smooth};
pub use inputs::Inputs;
pub use network::Network;
pub use structure::{Edge, Graphs, Structure, StructureError};
