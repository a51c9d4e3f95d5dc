//! What kernels predict.

mod regression;

pub use regression::{KernelRegression, RegressionError};
