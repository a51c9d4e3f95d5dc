//! Parameters as dfdx tensors without a tape, and the steps dfdx's optimisers take with them.

use dfdx::prelude::*;
use dfdx::tensor_ops::{AdamConfig, SgdConfig};
use ndarray::{Array2, ArrayView2};
use ntk_linalg::Real;
use std::ops::DerefMut;

/// A matrix of run-time shape without a tape.
pub(crate) type Matrix<T> = Tensor<(usize, usize), T, Cpu>;

/// What an optimiser remembers of one parameter, in its order.
pub(crate) type Memory<T> = <Cpu as Storage<T>>::Vec;

/// An element type that networks can have: `f32` or `f64`.
///
/// Gathers what dfdx asks of one, so that everything else is bounded by one name.
pub trait Scalar: Real + Dtype {
    /// A tensor of the array's values, which are moved.
    #[doc(hidden)]
    fn tensor(a: Array2<Self>) -> Matrix<Self>;
    /// The tensor's values, in place.
    #[doc(hidden)]
    fn tensor_view(a: &Matrix<Self>) -> ArrayView2<'_, Self>;
    /// One step of gradient descent.
    #[doc(hidden)]
    fn sgd(
        config: &SgdConfig,
        parameter: &mut Matrix<Self>,
        velocity: &mut Memory<Self>,
        gradient: &Memory<Self>,
    );
    /// Step number `t`, from 1, of Adam.
    #[doc(hidden)]
    fn adam(
        config: &AdamConfig,
        t: i32,
        parameter: &mut Matrix<Self>,
        moments: &mut [Memory<Self>; 2],
        gradient: &Memory<Self>,
    );
    /// An optimiser's memory of `len` numbers, zero.
    #[doc(hidden)]
    fn memory(len: usize) -> Memory<Self>;
    /// The numbers in an optimiser's memory.
    #[doc(hidden)]
    fn numbers(memory: &Memory<Self>) -> &[Self];
    /// The same, to be set.
    #[doc(hidden)]
    fn numbers_mut(memory: &mut Memory<Self>) -> &mut [Self];
}

fn device() -> Cpu {
    // One for each thread: a device's cache of memory has a lock.
    thread_local!(static DEVICE: Cpu = Cpu::default());
    DEVICE.with(Cpu::clone)
}

impl<T> Scalar for T
where
    T: Real + Dtype,
    Cpu: Device<T>,
    <Cpu as Storage<T>>::Vec: DerefMut<Target = Vec<T>>,
{
    fn tensor(a: Array2<T>) -> Matrix<T> {
        let shape = a.dim();
        let a = match a.is_standard_layout() {
            true => a,
            false => a.as_standard_layout().into_owned(),
        };
        let (mut values, start) = a.into_raw_vec_and_offset();
        values.drain(..start.unwrap_or(0));
        values.truncate(shape.0 * shape.1);
        device().tensor_from_vec(values, shape)
    }

    fn tensor_view(a: &Matrix<T>) -> ArrayView2<'_, T> {
        let shape = *a.shape();
        if shape.0 * shape.1 == 0 {
            return ArrayView2::from_shape(shape, &[]).expect("no elements");
        }
        let first: *const T = &raw const a[[0, 0]];
        // SAFETY: every tensor here comes from `Scalar::tensor`, whose elements are one vector
        // in row-major order from its first on; the view borrows the tensor.
        unsafe { ArrayView2::from_shape_ptr(shape, first) }
    }

    fn sgd(
        config: &SgdConfig,
        parameter: &mut Matrix<T>,
        velocity: &mut Memory<T>,
        gradient: &Memory<T>,
    ) {
        config
            .try_update(parameter, velocity, gradient)
            .expect("parameter and gradient of one length");
    }

    fn adam(
        config: &AdamConfig,
        t: i32,
        parameter: &mut Matrix<T>,
        moments: &mut [Memory<T>; 2],
        gradient: &Memory<T>,
    ) {
        let [first, second] = moments;
        config
            .try_update(t, parameter, first, second, gradient)
            .expect("parameter and gradient of one length");
    }

    fn memory(len: usize) -> Memory<T> {
        <Cpu as Storage<T>>::try_alloc_len(&device(), len).expect("memory for one parameter")
    }

    fn numbers(memory: &Memory<T>) -> &[T] {
        memory
    }

    fn numbers_mut(memory: &mut Memory<T>) -> &mut [T] {
        memory
    }
}
