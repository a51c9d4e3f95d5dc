//! Products with an operator, checked and counted.

use super::EstimateError;
use crate::EntropyError;
use ndarray::{Array2, ArrayView2};
use ntk_linalg::{LinalgError, Operator, Real};

/// An operator that is checked, divided by a number, and counts.
pub(super) struct Scaled<'a, O> {
    operator: &'a O,
    /// The number that products are divided by.
    pub(super) scale: f64,
    /// The number of vectors multiplied so far.
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

    /// Multiplies `K / scale` with vectors, the rows of `v` (k, n); they are those of the product.
    pub(super) fn product<T: Real>(
        &mut self,
        v: ArrayView2<'_, T>,
    ) -> Result<Array2<T>, EstimateError<O::Error>>
    where
        O: Operator<T>,
    {
        let product = self.operator.product(&v.t());
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
