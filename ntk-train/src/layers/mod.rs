//! Finite layers: forward and adjoint in closed form, one file each.

mod activation;
mod dense;

pub(crate) use activation::FiniteActivation;
pub(crate) use dense::FiniteDense;

use crate::tensor::{Matrix, Scalar};

/// A layer with its parameters.
///
/// `forward` is pure; `adjoint` is given the same input again, so nothing is cached inside.
pub(crate) trait FiniteLayer<T: Scalar>: Send {
    /// Outputs (n, out) of inputs (n, in).
    fn forward(&self, x: Matrix<T>) -> Matrix<T>;

    /// From the loss's derivative by the outputs: its derivative by each parameter, in the order of
    /// [`FiniteLayer::parameters`], and, where `wants_input`, by the inputs.
    fn adjoint(&self, x: &Matrix<T>, by_output: Matrix<T>, wants_input: bool) -> Adjoint<T>;

    /// Parameters, in a fixed order.
    fn parameters(&self) -> Vec<&Matrix<T>> {
        Vec::new()
    }

    /// The same, for the optimiser.
    fn parameters_mut(&mut self) -> Vec<&mut Matrix<T>> {
        Vec::new()
    }
}

/// What [`FiniteLayer::adjoint`] gives.
pub(crate) struct Adjoint<T: Scalar> {
    pub(crate) by_input: Option<Matrix<T>>,
    pub(crate) by_parameters: Vec<Matrix<T>>,
}
