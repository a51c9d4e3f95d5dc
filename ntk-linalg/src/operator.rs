//! Matrices that are known by their products with blocks of vectors.

use crate::{LinalgError, Real, matmul};
use ndarray::{Array2, ArrayView2};
use std::error::Error;

/// A symmetric positive semidefinite K of order n, known by its products. That it is symmetric is
/// its promise.
pub trait Operator<T: Real> {
    /// Why a product failed.
    type Error: Error + 'static;

    /// n.
    fn order(&self) -> usize;

    /// `K v` (n, k) for a block of vectors `v` (n, k), one in each column.
    ///
    /// # Errors
    /// The operator's own.
    fn product(&self, v: ArrayView2<'_, T>) -> Result<Array2<T>, Self::Error>;

    /// `tr K` where it is known without products: it makes estimates better.
    fn trace(&self) -> Option<f64> {
        None
    }
}

/// A matrix (n, n), its trace from the diagonal. One product with k vectors costs `2 n^2 k`.
impl<T: Real> Operator<T> for ArrayView2<'_, T> {
    type Error = LinalgError;

    fn order(&self) -> usize {
        self.nrows()
    }

    fn product(&self, v: ArrayView2<'_, T>) -> Result<Array2<T>, LinalgError> {
        matmul(self.view(), v)
    }

    fn trace(&self) -> Option<f64> {
        Some(self.diag().iter().map(|&v| Real::to_f64(v)).sum())
    }
}

/// A closure as an operator; see [`from_fn`].
#[derive(Debug, Clone, Copy)]
pub struct FromFn<F> {
    order: usize,
    product: F,
}

/// The operator of order n whose product with a block of vectors (n, k) is `product`.
pub fn from_fn<F>(order: usize, product: F) -> FromFn<F> {
    FromFn { order, product }
}

impl<T, E, F> Operator<T> for FromFn<F>
where
    T: Real,
    E: Error + 'static,
    F: Fn(ArrayView2<'_, T>) -> Result<Array2<T>, E>,
{
    type Error = E;

    fn order(&self) -> usize {
        self.order
    }

    fn product(&self, v: ArrayView2<'_, T>) -> Result<Array2<T>, E> {
        (self.product)(v)
    }
}
