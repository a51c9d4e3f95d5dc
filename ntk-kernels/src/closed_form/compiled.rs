//! Compiles the generic entry points once for f32 and once for f64: the loops behind them are many,
//! and would otherwise be compiled anew in every crate that calls them.

use super::{Diagonal, Input, Inputs, KernelError, Matrices, Wanted, compute, compute_diagonal};
use crate::network::Network;
use ntk_linalg::Real;
use ntk_linalg::observer::Observer;
use ntk_linalg::real::ByScalar;
use std::marker::PhantomData;

struct OfInputs<'a>(PhantomData<&'a ()>);

impl<'a> ByScalar for OfInputs<'a> {
    type Of<T: Real> = Inputs<'a, T>;
}

struct OfMatrices;

impl ByScalar for OfMatrices {
    type Of<T: Real> = Result<Matrices<T>, KernelError>;
}

struct OfDiagonal;

impl ByScalar for OfDiagonal {
    type Of<T: Real> = Result<Diagonal<T>, KernelError>;
}

/// Calls [`compute`] for whichever scalar `T` is.
pub(super) fn kernels<T: Real>(
    network: &Network,
    inputs: Inputs<'_, T>,
    wanted: Wanted,
    observer: &dyn Observer,
    tile: usize,
) -> Result<Matrices<T>, KernelError> {
    T::apply::<OfInputs<'_>, OfMatrices>(
        inputs,
        |inputs| kernels_f32(network, inputs, wanted, observer, tile),
        |inputs| kernels_f64(network, inputs, wanted, observer, tile),
    )
}

/// Calls [`compute_diagonal`] for whichever scalar `T` is.
pub(super) fn diagonal<T: Real>(
    network: &Network,
    input: Input<'_, T>,
) -> Result<Diagonal<T>, KernelError> {
    T::apply::<OfInputs<'_>, OfDiagonal>(
        Inputs(input, None),
        |Inputs(input, _)| diagonal_f32(network, input),
        |Inputs(input, _)| diagonal_f64(network, input),
    )
}

#[inline(never)]
fn kernels_f32(
    network: &Network,
    inputs: Inputs<'_, f32>,
    wanted: Wanted,
    observer: &dyn Observer,
    tile: usize,
) -> Result<Matrices<f32>, KernelError> {
    compute(network, inputs, wanted, observer, tile)
}

#[inline(never)]
fn kernels_f64(
    network: &Network,
    inputs: Inputs<'_, f64>,
    wanted: Wanted,
    observer: &dyn Observer,
    tile: usize,
) -> Result<Matrices<f64>, KernelError> {
    compute(network, inputs, wanted, observer, tile)
}

#[inline(never)]
fn diagonal_f32(network: &Network, input: Input<'_, f32>) -> Result<Diagonal<f32>, KernelError> {
    compute_diagonal(network, input)
}

#[inline(never)]
fn diagonal_f64(network: &Network, input: Input<'_, f64>) -> Result<Diagonal<f64>, KernelError> {
    compute_diagonal(network, input)
}
