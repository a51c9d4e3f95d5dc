//! From a [`Network`] to its infinite-width kernels.
//!
//! With `A` the dual map of what stands before a layer and `K`, `D` of [`crate::dual`]:
//!
//! | layer | NNGP | NTK |
//! |---|---|---|
//! | dense, NTK parameterisation | `w_std^2 nngp + b_std^2` | `nngp' + w_std^2 ntk` |
//! | dense, standard | `w_std^2 nngp + b_std^2` | `fan_in nngp + w_std^2 ntk` (+ 1 with a bias) |
//! | activation | `K(nngp)` | `D(nngp) ntk` |
//!
//! (Jacot et al. 2018, arXiv:1806.07572, theorem 1; Sohl-Dickstein et al. 2020,
//! arXiv:2001.07301, section 4.) The input kernel is `x . x' / d`, its NTK zero.

mod dense;

use crate::gram::GramError;
use crate::network::{Network, NetworkError};
use ndarray::{Array2, ArrayView2};
use ntk_linalg::{Real, observer::Observer};
use thiserror::Error;

/// Which kernels to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Get {
    /// The Gaussian-process kernel alone.
    Nngp,
    /// The neural tangent kernel alone.
    Ntk,
    /// Both; the second costs little.
    Both,
}

/// Kernel matrices of shape `(n1, n2)`; those not asked for are `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernels<T> {
    /// Covariance of the outputs at initialisation.
    pub nngp: Option<Array2<T>>,
    /// Inner product of the outputs' gradients.
    pub ntk: Option<Array2<T>>,
}

/// Why a network has no kernel for these inputs.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum KernelError {
    /// A layer's options are out of range.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Samples without features have no input kernel `x . x' / d`.
    #[error("the inputs have no features; rows must have at least one")]
    NoFeatures,
    /// The inputs do not fit, or the observer stopped the work.
    #[error(transparent)]
    Gram(#[from] GramError),
}

/// The kernels of `x1` (n1, d) against `x2` (n2, d), or against itself where `x2` is `None`.
///
/// Symmetric results are symmetric to the last bit. Cost: `2 n1 n2 d` flops and
/// one dual map per entry and activation, half of both for `x1` with itself.
///
/// # Errors
/// [`KernelError`] before any work for invalid layers, shapes that differ or
/// non-finite inputs; later only when `observer` cancels.
pub fn kernels<T: Real>(
    network: &Network,
    x1: ArrayView2<'_, T>,
    x2: Option<ArrayView2<'_, T>>,
    get: Get,
    observer: &dyn Observer,
) -> Result<Kernels<T>, KernelError> {
    network.validate()?;
    if x1.ncols() == 0 {
        return Err(KernelError::NoFeatures);
    }
    dense::kernels(network, x1, x2, get, observer)
}
