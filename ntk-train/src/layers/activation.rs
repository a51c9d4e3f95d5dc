//! Elementwise activations. At a kink the derivative is the one from below (relu'(0) = 0).

use super::{Adjoint, FiniteLayer};
use crate::tensor::{Matrix, Scalar};
use ntk_kernels::dual::AbRelu;

pub(crate) struct FiniteActivation(pub(crate) AbRelu);

impl<T: Scalar> FiniteLayer<T> for FiniteActivation {
    fn forward(&self, x: Matrix<T>) -> Matrix<T> {
        T::slope(&x.clone(), x, self.0.a, self.0.b)
    }

    fn adjoint(&self, x: &Matrix<T>, by_output: Matrix<T>, wants_input: bool) -> Adjoint<T> {
        let by_input = wants_input.then(|| T::slope(x, by_output, self.0.a, self.0.b));
        Adjoint {
            by_input,
            by_parameters: Vec::new(),
        }
    }
}
