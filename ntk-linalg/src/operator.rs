//! Matrices that are known by their products with blocks of vectors.

use crate::{LinalgError, Real, matmul};
use ndarray::{Array2, ArrayBase, ArrayRef2, Data, Ix2};
use std::error::Error;

/// A symmetric positive semidefinite matrix K of order n that is known by its products.
///
/// Whoever implements it promises that K is symmetric.
pub trait Operator<T: Real> {
    /// The error of a product that failed.
    type Error: Error + Send + Sync + 'static;

    /// Returns the order n of K.
    fn order(&self) -> usize;

    /// Returns `K v` (n, k) for a block of vectors `v` (n, k), one in each column.
    ///
    /// # Errors
    /// Those of the operator.
    fn product(&self, v: &ArrayRef2<T>) -> Result<Array2<T>, Self::Error>;

    /// Returns `tr K` where it is known without products, which makes estimates better.
    fn trace(&self) -> Option<f64> {
        None
    }
}

/// A matrix (n, n) is an operator, whose trace comes from its diagonal. One product with k vectors
/// costs `2 n^2 k`.
impl<T: Real> Operator<T> for ArrayRef2<T> {
    type Error = LinalgError;

    fn order(&self) -> usize {
        self.nrows()
    }

    fn product(&self, v: &ArrayRef2<T>) -> Result<Array2<T>, LinalgError> {
        matmul(self, v)
    }

    fn trace(&self) -> Option<f64> {
        Some(self.diag().iter().map(|&v| Real::to_f64(v)).sum())
    }
}

/// A matrix that is owned or a view is the operator that its elements are.
impl<T: Real, S: Data<Elem = T>> Operator<T> for ArrayBase<S, Ix2> {
    type Error = LinalgError;

    fn order(&self) -> usize {
        self.nrows()
    }

    fn product(&self, v: &ArrayRef2<T>) -> Result<Array2<T>, LinalgError> {
        Operator::product(&**self, v)
    }

    fn trace(&self) -> Option<f64> {
        Operator::trace(&**self)
    }
}

/// An operator whose products a closure computes; [`from_fn`] makes one.
#[derive(Debug, Clone, Copy)]
pub struct OperatorFn<F> {
    order: usize,
    product: F,
}

/// Returns the operator of order n whose product with a block of vectors (n, k) is `product`.
///
/// ```
/// use ndarray::{Array2, ArrayRef2, array};
/// use ntk_linalg::{ConjugateGradients, Error, LinalgError, operator};
///
/// fn main() -> Result<(), Error> {
///     let twice = operator::from_fn(3, |v: &ArrayRef2<f64>| Ok::<_, LinalgError>(2.0 * v));
///     let found = ConjugateGradients::new().solve(&twice, &Array2::ones((3, 1)))?;
///     assert_eq!(found.x, array![[0.5], [0.5], [0.5]]);
///     Ok(())
/// }
/// ```
pub fn from_fn<F>(order: usize, product: F) -> OperatorFn<F> {
    OperatorFn { order, product }
}

impl<T, E, F> Operator<T> for OperatorFn<F>
where
    T: Real,
    E: Error + Send + Sync + 'static,
    F: Fn(&ArrayRef2<T>) -> Result<Array2<T>, E>,
{
    type Error = E;

    fn order(&self) -> usize {
        self.order
    }

    fn product(&self, v: &ArrayRef2<T>) -> Result<Array2<T>, E> {
        (self.product)(v)
    }
}
