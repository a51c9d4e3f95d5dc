//! Elementwise activations. At a kink the derivative is the one from below (relu'(0) = 0).

use super::{Adjoint, FiniteLayer};
use crate::tensor::{Matrix, Scalar};
use ntk_kernels::dual::Activation;

pub(crate) struct FiniteActivation(pub(crate) Activation);

impl<T: Scalar> FiniteLayer<T> for FiniteActivation {
    fn forward(&self, x: Matrix<T>) -> Matrix<T> {
        match self.0 {
            Activation::AbRelu(f) => T::slope(&x.clone(), x, f.a, f.b),
        }
    }

    fn adjoint(&self, x: &Matrix<T>, by_output: Matrix<T>, wants_input: bool) -> Adjoint<T> {
        let by_input = wants_input.then(|| match self.0 {
            Activation::AbRelu(f) => T::slope(x, by_output, f.a, f.b),
        });
        Adjoint {
            by_input,
            by_parameters: Vec::new(),
        }
    }
}
