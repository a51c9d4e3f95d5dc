//! What kernels predict.
//!
//! | to get | use |
//! |---|---|
//! | outputs of training on the squared loss, at any times and at infinity, with or without momentum | [`MseFlow`]: one eigendecomposition |
//! | outputs of training on any other loss, at any times | [`Flow`]: an adaptive solver of differential equations |
//! | the end of training on the squared loss, from zero outputs; the generalisation bound; leave-one-out errors | [`KernelRegression`]: one Cholesky factorisation, some twenty times cheaper |
//! | mean and covariance over initialisations at a time, last layer trained | [`NngpEnsemble`] |
//! | the same, all layers trained | [`NtkEnsemble`] |
//! | Bayesian posterior (NNGP), NTK-GP, and the ensemble trained for ever | [`GaussianProcess`] |
//! | the regulariser, chosen by leave-one-out errors | [`choose_diag_reg`] |
//! | the largest stable learning rate | [`max_learning_rate`], [`max_learning_rate_of`], [`MseFlow::max_learning_rate`] |
//!
//! The squared loss is 1/2 of the mean over all n*o entries (n samples, o outputs), so that
//! time enters as `learning_rate * t / (n o)`. Kernels are traced, (n, n), for independent
//! outputs with the same kernel, or full, (n*o, n*o) with row = sample*o + output. A
//! regulariser, [`DiagReg`], is relative to the mean diagonal or absolute.

pub mod check;
mod diag_reg;
mod ensemble;
mod error;
pub mod flow;
mod gaussian_process;
mod layout;
mod loo;
mod loss;
mod rate;
mod regression;
mod response;
mod spectral;
#[cfg(test)]
mod testing;

pub use diag_reg::DiagReg;
pub use ensemble::{NngpEnsemble, NtkEnsemble};
pub use error::PredictError;
pub use flow::{Flow, FlowState, Solver, Trajectory};
pub use gaussian_process::GaussianProcess;
pub use loo::{LeaveOneOut, choose_diag_reg};
pub use loss::Loss;
pub use rate::{max_learning_rate, max_learning_rate_of};
pub use regression::KernelRegression;
pub use spectral::MseFlow;
