//! The generic entry points, each compiled once for f32 and once for f64 in this crate: the
//! loops behind them are many, and would otherwise be compiled anew in every crate that calls.

use super::{Get, KernelError, Kernels, Vectors, compute, compute_diagonal};
use crate::network::Network;
use ndarray::ArrayViewD;
use ntk_linalg::Real;
use ntk_linalg::observer::Observer;
use ntk_linalg::real::ByScalar;
use std::marker::PhantomData;

/// The samples of both inputs.
type Inputs<'a, T> = (ArrayViewD<'a, T>, Option<ArrayViewD<'a, T>>);

struct OfInputs<'a>(PhantomData<&'a ()>);

impl<'a> ByScalar for OfInputs<'a> {
    type Of<T: Real> = Inputs<'a, T>;
}

struct OfKernels;

impl ByScalar for OfKernels {
    type Of<T: Real> = Result<Kernels<T>, KernelError>;
}

struct OfVectors;

impl ByScalar for OfVectors {
    type Of<T: Real> = Result<Vectors<T>, KernelError>;
}

/// [`compute`] for whichever scalar `T` is.
pub(super) fn kernels<T: Real>(
    network: &Network,
    inputs: Inputs<'_, T>,
    get: Get,
    observer: &dyn Observer,
) -> Result<Kernels<T>, KernelError> {
    T::apply::<OfInputs<'_>, OfKernels>(
        inputs,
        |inputs| kernels_f32(network, inputs, get, observer),
        |inputs| kernels_f64(network, inputs, get, observer),
    )
}

/// [`compute_diagonal`] for whichever scalar `T` is.
pub(super) fn diagonal<T: Real>(
    network: &Network,
    x: ArrayViewD<'_, T>,
) -> Result<Vectors<T>, KernelError> {
    T::apply::<OfInputs<'_>, OfVectors>(
        (x, None),
        |(x, _)| diagonal_f32(network, x),
        |(x, _)| diagonal_f64(network, x),
    )
}

#[inline(never)]
fn kernels_f32(
    network: &Network,
    inputs: Inputs<'_, f32>,
    get: Get,
    observer: &dyn Observer,
) -> Result<Kernels<f32>, KernelError> {
    compute(network, inputs, get, observer)
}

#[inline(never)]
fn kernels_f64(
    network: &Network,
    inputs: Inputs<'_, f64>,
    get: Get,
    observer: &dyn Observer,
) -> Result<Kernels<f64>, KernelError> {
    compute(network, inputs, get, observer)
}

#[inline(never)]
fn diagonal_f32(network: &Network, x: ArrayViewD<'_, f32>) -> Result<Vectors<f32>, KernelError> {
    compute_diagonal(network, x)
}

#[inline(never)]
fn diagonal_f64(network: &Network, x: ArrayViewD<'_, f64>) -> Result<Vectors<f64>, KernelError> {
    compute_diagonal(network, x)
}
