//! `z = scale x W + shift b`, with `scale = w_std / sqrt(fan_in)` and `shift = b_std` in NTK
//! parameterisation, both 1 in the standard one.
//!
//! Adjoint: `dL/dW = scale x^T g`, `dL/db = shift sum_rows(g)`, `dL/dx = scale g W^T`.

use super::{Adjoint, FiniteLayer};
use crate::init::Init;
use crate::tensor::{Matrix, Scalar};
use ntk_kernels::network::{Dense, Parameterization};

pub(crate) struct FiniteDense<T: Scalar> {
    weights: Matrix<T>,
    bias: Option<Matrix<T>>,
    scale: f64,
    shift: f64,
}

impl<T: Scalar> FiniteDense<T> {
    pub(crate) fn new(
        dense: &Dense,
        fan_in: usize,
        parameterization: Parameterization,
        init: Init,
        seed: u64,
        layer: u64,
    ) -> Self {
        let (weights, bias) = init.dense::<T>(dense, fan_in, parameterization, seed, layer);
        let (scale, shift) = match parameterization {
            Parameterization::Ntk => (dense.w_std / (fan_in as f64).sqrt(), dense.b_std),
            Parameterization::Standard => (1.0, 1.0),
        };
        Self {
            weights: T::tensor(weights.view()),
            bias: bias.map(|b| T::tensor(b.view())),
            scale,
            shift,
        }
    }
}

impl<T: Scalar> FiniteLayer<T> for FiniteDense<T> {
    fn forward(&self, x: Matrix<T>) -> Matrix<T> {
        let z = T::scale(T::matmul(x, self.weights.clone()), self.scale);
        match &self.bias {
            Some(bias) => T::add_row(z, bias.clone(), self.shift),
            None => z,
        }
    }

    fn adjoint(&self, x: &Matrix<T>, by_output: Matrix<T>, wants_input: bool) -> Adjoint<T> {
        let by_bias = self
            .bias
            .as_ref()
            .map(|_| T::scale(T::sum_rows(by_output.clone()), self.shift));
        let g = T::scale(by_output, self.scale);
        let by_weights = T::matmul(T::transpose(x.clone()), g.clone());
        let by_input = wants_input.then(|| T::matmul(g, T::transpose(self.weights.clone())));
        Adjoint {
            by_input,
            by_parameters: [Some(by_weights), by_bias].into_iter().flatten().collect(),
        }
    }

    fn parameters(&self) -> Vec<&Matrix<T>> {
        [Some(&self.weights), self.bias.as_ref()]
            .into_iter()
            .flatten()
            .collect()
    }

    fn parameters_mut(&mut self) -> Vec<&mut Matrix<T>> {
        [Some(&mut self.weights), self.bias.as_mut()]
            .into_iter()
            .flatten()
            .collect()
    }
}
