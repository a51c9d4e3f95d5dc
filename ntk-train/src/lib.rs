#![doc = include_str!("../README.md")]
//!
//! # Conventions
//! - Rows are samples. A dense layer's weights have shape `(fan_in, fan_out)`,
//!   one matrix product away from its input; PyTorch stores the transpose.
//! - The network's [`Parameterization`](ntk_kernels::network::Parameterization) says how weights
//!   and biases are scaled, and [`Init`] what they start from.
//! - The same seed gives the same parameters to the last bit on every run and
//!   thread count, and f32 parameters are the rounded f64 ones.
//! - Empirical kernels of a network with `o` outputs are *traced*, `1/o sum_a J_a J_a^T` of
//!   shape (n, m), or *full*, (n o, m o) with row = sample * o + output.
//!
//! Each kind of layer has a file of its own with its forward, adjoint (vector-Jacobian
//! product) and tangent (Jacobian-vector product) maps in closed form. Parameters are numbers
//! on dfdx's device, and its optimisers change them; its tensors and tape are never used.

// Not forbidden: ndarray's `s!` allows it.
#![deny(unsafe_code)]

mod build;
mod compiled;
mod dfdx_guard;
pub mod distil;
mod empirical;
mod error;
mod finite;
mod gradient;
mod init;
mod inputs;
mod layers;
mod model;
mod model_error;
mod optimizer;
mod record;
mod rows;
pub mod selection;
mod tensor;
#[cfg(test)]
mod testing;
mod train;
mod train_error;
mod watched;
mod weights_file;

pub use compiled::Scalar;
pub use empirical::{
    EmpiricalKernelFn, EmpiricalTiles, Linearized, MonteCarlo, MonteCarloMean, NtkOperator, Trace,
    traced,
};
pub use error::Error;
pub use init::{BiasInit, Init, WeightInit};
pub use model::{Model, ModelError};
pub use ntk_kernels::Inputs;
pub use ntk_kernels::predict::Loss;
pub use optimizer::Optimizer;
pub use record::{
    Measure, Probe, ReadError, Record, RecordError, Recorder, Records, Schedule, Sink, Value,
};
pub use train::{CheckpointError, Order, TrainConfig, TrainError, Trainer};
pub use weights_file::{
    Import, Imported, NamedShape, PaddingDifference, UnusedTensor, WeightsError, WrongShape,
};
