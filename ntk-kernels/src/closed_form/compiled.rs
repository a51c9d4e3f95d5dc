//! The generic entry points, each compiled once for f32 and once for f64 in this crate: the
//! loops behind them are many, and would otherwise be compiled anew in every crate that calls.

use super::{Get, KernelError, Kernels, Vectors, compute, compute_diagonal};
use crate::network::Network;
use ndarray::ArrayViewD;
use ntk_linalg::Real;
use ntk_linalg::observer::Observer;
use std::any::{Any, TypeId};

/// [`compute`] for whichever scalar `T` is.
pub(super) fn kernels<T: Real>(
    network: &Network,
    x1: &ArrayViewD<'_, T>,
    x2: Option<&ArrayViewD<'_, T>>,
    get: Get,
    observer: &dyn Observer,
) -> Result<Kernels<T>, KernelError> {
    match view_as::<T, f32>(x1) {
        Some(x1) => kernels_f32(network, x1, x2.and_then(view_as), get, observer).map(owned_as),
        None => {
            let x1 = view_as(x1).expect(SEALED);
            kernels_f64(network, x1, x2.and_then(view_as), get, observer).map(owned_as)
        }
    }
}

/// [`compute_diagonal`] for whichever scalar `T` is.
pub(super) fn diagonal<T: Real>(
    network: &Network,
    x: &ArrayViewD<'_, T>,
) -> Result<Vectors<T>, KernelError> {
    match view_as::<T, f32>(x) {
        Some(x) => diagonal_f32(network, x).map(owned_as),
        None => diagonal_f64(network, view_as(x).expect(SEALED)).map(owned_as),
    }
}

const SEALED: &str = "a scalar is f32 or f64, as its trait is sealed";

#[inline(never)]
fn kernels_f32(
    network: &Network,
    x1: ArrayViewD<'_, f32>,
    x2: Option<ArrayViewD<'_, f32>>,
    get: Get,
    observer: &dyn Observer,
) -> Result<Kernels<f32>, KernelError> {
    compute(network, x1, x2, get, observer)
}

#[inline(never)]
fn kernels_f64(
    network: &Network,
    x1: ArrayViewD<'_, f64>,
    x2: Option<ArrayViewD<'_, f64>>,
    get: Get,
    observer: &dyn Observer,
) -> Result<Kernels<f64>, KernelError> {
    compute(network, x1, x2, get, observer)
}

#[inline(never)]
fn diagonal_f32(network: &Network, x: ArrayViewD<'_, f32>) -> Result<Vectors<f32>, KernelError> {
    compute_diagonal(network, x)
}

#[inline(never)]
fn diagonal_f64(network: &Network, x: ArrayViewD<'_, f64>) -> Result<Vectors<f64>, KernelError> {
    compute_diagonal(network, x)
}

/// The same view where `T` and `U` are one type.
fn view_as<'a, T: Real, U: Real>(x: &ArrayViewD<'a, T>) -> Option<ArrayViewD<'a, U>> {
    if TypeId::of::<T>() != TypeId::of::<U>() {
        return None;
    }
    // SAFETY: the element type is the same, and the view lives as long as the one it is of.
    Some(unsafe { x.raw_view().cast::<U>().deref_into_view() })
}

/// The same value, whose type is known to be `B`.
fn owned_as<A: 'static, B: 'static>(value: A) -> B {
    let value: Box<dyn Any> = Box::new(value);
    *value.downcast::<B>().expect("both are of one scalar")
}
