//! Computes what kernels predict, from kernel matrices of whatever origin.
//!
//! From networks and samples, the [estimators](crate::estimators) do the same in fewer lines.
//!
//! | to get | use |
//! |---|---|
//! | outputs of training on the squared loss, at any times and at infinity, with or without momentum | [`MseFlow`]: one eigendecomposition |
//! | outputs of training on any other loss, at any times | [`Flow`]: an adaptive solver of differential equations |
//! | the end of training on the squared loss, from zero outputs; the generalisation bound; leave-one-out errors | [`KernelRegression`]: one Cholesky factorisation, some twenty times cheaper |
//! | mean and covariance over initialisations at a time, last layer trained | [`NngpEnsemble`] |
//! | the same, all layers trained | [`NtkEnsemble`] |
//! | Bayesian posterior (NNGP), NTK-GP, and the ensemble trained for ever | [`Posterior`] |
//! | regression and its leave-one-out errors at many ridges, and the best of these | [`SpectralRegression`]: one eigendecomposition |
//! | the largest stable learning rate | [`max_learning_rate`], [`max_learning_rate_of`], [`MseFlow::max_learning_rate`] |
//!
//! The squared loss is 1/2 of the mean over all n*o entries (n samples, o outputs), so that
//! time enters as `learning_rate * t / (n o)`. Kernels are traced, (n, n), for independent
//! outputs with the same kernel, or full, (n*o, n*o) with row = sample*o + output. A
//! [`Ridge`], a number or relative to the mean diagonal, is added to the training kernel.

pub mod check;
mod ensemble;
mod error;
pub mod flow;
mod layout;
mod loo;
mod loss;
mod posterior;
mod rate;
mod regression;
mod response;
mod spectral;
mod spectral_regression;
#[cfg(test)]
mod testing;
mod variance;

pub use ensemble::{NngpEnsemble, NtkEnsemble};
pub use error::PredictError;
pub use flow::{Flow, FlowState, Solver, Trajectory};
pub(crate) use loo::leave_one_out;
pub use loss::Loss;
pub use ntk_linalg::Ridge;
pub use posterior::Posterior;
pub use rate::{max_learning_rate, max_learning_rate_of};
pub use regression::KernelRegression;
pub use spectral::MseFlow;
pub(crate) use spectral::regularise;
pub use spectral_regression::SpectralRegression;
