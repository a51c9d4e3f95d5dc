//! What an estimate asks of a kernel: products with blocks of vectors.

use super::EstimateError;
use crate::EntropyError;
use ndarray::{Array2, ArrayView2};
use ntk_linalg::{LinalgError, Real, matmul};
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

/// An operator that is checked, divided by a number, and counts.
pub(super) struct Scaled<'a, O> {
    operator: &'a O,
    /// What products are divided by.
    pub(super) scale: f64,
    /// Vectors multiplied so far.
    pub(super) products: usize,
}

impl<'a, O> Scaled<'a, O> {
    pub(super) fn new(operator: &'a O, scale: f64) -> Self {
        Self {
            operator,
            scale,
            products: 0,
        }
    }

    /// `K / scale` times vectors that are the rows of `v` (k, n): the rows of the product.
    pub(super) fn product<T: Real>(
        &mut self,
        v: ArrayView2<'_, T>,
    ) -> Result<Array2<T>, EstimateError<O::Error>>
    where
        O: Operator<T>,
    {
        let product = self.operator.product(v.t());
        let product = product.map_err(EstimateError::Product)?;
        let (found, expected) = (product.dim(), v.t().dim());
        if found != expected {
            return Err(EstimateError::Shape { expected, found });
        }
        let mut entries = product.indexed_iter();
        if let Some(((row, column), value)) = entries.find(|(_, value)| !value.is_finite()) {
            let value = Real::to_f64(*value);
            return Err(EntropyError::from(LinalgError::NonFinite { row, column, value }).into());
        }
        self.products += v.nrows();
        // The division in f64: its divisor may be beyond the range of f32.
        let divided = |(i, j)| T::of(Real::to_f64(product[[j, i]]) / self.scale);
        Ok(Array2::from_shape_fn(v.raw_dim(), divided))
    }
}
