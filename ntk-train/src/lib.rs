#![doc = include_str!("../README.md")]
//!
//! # Conventions
//! - Rows are samples. A dense layer's weights have shape `(fan_in, fan_out)`,
//!   one matrix product away from its input; PyTorch stores the transpose.
//! - How weights are scaled and what biases do is the network's
//!   [`Parameterization`](ntk_kernels::network::Parameterization); what they start from is [`Init`].
//! - The same seed gives the same parameters to the last bit on every run and
//!   thread count, and f32 parameters are the rounded f64 ones.
//!
//! Layers live in one file each; a layer says forward and adjoint (vector-Jacobian
//! product) in closed form.

mod dfdx_guard;
mod init;
mod layers;
mod loss;
mod model;
mod optimizer;
mod tensor;
mod train;

pub use init::{BiasInit, Init, WeightInit};
pub use loss::Loss;
pub use model::{Model, ModelError};
pub use optimizer::Sgd;
pub use tensor::Scalar;
pub use train::{Order, TrainConfig, TrainError, train};
