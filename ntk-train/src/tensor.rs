//! The few operations on dfdx tensors that layers are written in.

use dfdx::prelude::*;
use dfdx::tensor_ops::SgdConfig;
use ndarray::{Array2, ArrayView2};
use ntk_linalg::Real;
use std::ops::DerefMut;

/// A matrix of run-time shape without a tape.
pub(crate) type Matrix<T> = Tensor<(usize, usize), T, Cpu>;

/// What the optimiser remembers of one parameter, in its order.
pub(crate) type Velocity<T> = <Cpu as Storage<T>>::Vec;

/// An element type that networks can have: `f32` or `f64`.
///
/// Gathers what dfdx asks of one, so that layers are bounded by one name.
/// All operations panic only where memory runs out.
pub trait Scalar: Real + Dtype {
    /// A tensor with the array's values.
    #[doc(hidden)]
    fn tensor(a: ArrayView2<'_, Self>) -> Matrix<Self>;
    /// An array with the tensor's values.
    #[doc(hidden)]
    fn array(a: &Matrix<Self>) -> Array2<Self>;
    /// `a b`.
    #[doc(hidden)]
    fn matmul(a: Matrix<Self>, b: Matrix<Self>) -> Matrix<Self>;
    /// The transpose, without a copy.
    #[doc(hidden)]
    fn transpose(a: Matrix<Self>) -> Matrix<Self>;
    /// `factor a`.
    #[doc(hidden)]
    fn scale(a: Matrix<Self>, factor: f64) -> Matrix<Self>;
    /// `a` plus the one row `b` times `factor`, in every row.
    #[doc(hidden)]
    fn add_row(a: Matrix<Self>, b: Matrix<Self>, factor: f64) -> Matrix<Self>;
    /// The sum of all rows, as one row.
    #[doc(hidden)]
    fn sum_rows(a: Matrix<Self>) -> Matrix<Self>;
    /// `value` where `at > 0` times `positive`, elsewhere times `negative`.
    #[doc(hidden)]
    fn slope(at: &Matrix<Self>, value: Matrix<Self>, negative: f64, positive: f64) -> Matrix<Self>;
    /// One step of `config`.
    #[doc(hidden)]
    fn sgd(
        config: &SgdConfig,
        parameter: &mut Matrix<Self>,
        velocity: &mut Velocity<Self>,
        gradient: &Matrix<Self>,
    );
    /// The optimiser's memory of one parameter, zero.
    #[doc(hidden)]
    fn velocity(parameter: &Matrix<Self>) -> Velocity<Self>;
}

fn device() -> Cpu {
    // Cheap, and the same allocator cache would have to be shared by locks otherwise.
    thread_local!(static DEVICE: Cpu = Cpu::default());
    DEVICE.with(Cpu::clone)
}

impl<T> Scalar for T
where
    T: Real + Dtype,
    Cpu: Device<T>,
    <Cpu as Storage<T>>::Vec: DerefMut<Target = Vec<T>>,
{
    fn tensor(a: ArrayView2<'_, T>) -> Matrix<T> {
        device().tensor_from_vec(a.iter().copied().collect(), a.dim())
    }

    fn array(a: &Matrix<T>) -> Array2<T> {
        Array2::from_shape_vec(*a.shape(), a.as_vec()).expect("as many elements as the shape says")
    }

    fn matmul(a: Matrix<T>, b: Matrix<T>) -> Matrix<T> {
        TryMatMul::matmul(a, b)
    }

    fn transpose(a: Matrix<T>) -> Matrix<T> {
        a.permute::<(usize, usize), Axes2<1, 0>>()
    }

    fn scale(a: Matrix<T>, factor: f64) -> Matrix<T> {
        if factor == 1.0 { a } else { a * T::of(factor) }
    }

    fn add_row(a: Matrix<T>, b: Matrix<T>, factor: f64) -> Matrix<T> {
        let columns = b.shape().1;
        let row: Tensor<(usize,), T, Cpu> = Self::scale(b, factor).reshape_like(&(columns,));
        let rows = row.broadcast_like::<_, Axis<0>>(&a);
        a + rows
    }

    fn sum_rows(a: Matrix<T>) -> Matrix<T> {
        let columns = a.shape().1;
        a.sum::<(usize,), Axis<0>>().reshape_like(&(1, columns))
    }

    fn slope(at: &Matrix<T>, value: Matrix<T>, negative: f64, positive: f64) -> Matrix<T> {
        let below = Self::scale(value.clone(), negative);
        at.gt(T::zero()).choose(Self::scale(value, positive), below)
    }

    fn sgd(
        config: &SgdConfig,
        parameter: &mut Matrix<T>,
        velocity: &mut Velocity<T>,
        gradient: &Matrix<T>,
    ) {
        let mut g = Self::velocity(gradient);
        gradient.copy_into(&mut g);
        config
            .try_update(parameter, velocity, &g)
            .expect("parameter and gradient of one length");
    }

    fn velocity(parameter: &Matrix<T>) -> Velocity<T> {
        let (rows, columns) = *parameter.shape();
        <Cpu as Storage<T>>::try_alloc_len(&device(), rows * columns)
            .expect("memory for one parameter")
    }
}
