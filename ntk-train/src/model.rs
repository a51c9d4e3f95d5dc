//! A finite network: the layers of a [`Network`] with their parameters.

use crate::init::Init;
use crate::layers::{FiniteActivation, FiniteDense, FiniteLayer};
use crate::loss::Loss;
use crate::optimizer::Sgd;
use crate::tensor::{Matrix, Scalar, Velocity};
use ndarray::{Array2, ArrayView2};
use ntk_kernels::dual::Activation;
use ntk_kernels::network::{Layer, Network, NetworkError, Shape};
use thiserror::Error;

/// Why a model cannot be built or evaluated.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ModelError {
    /// A layer's options are out of range.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A layer that has no finite form here.
    #[error(
        "{path}: finite networks have dense layers and relu, leaky_relu, abs and abrelu, found {layer}"
    )]
    Layer {
        /// Where, as `layers[i]`.
        path: String,
        /// The layer's name.
        layer: String,
    },
    /// The inputs have another number of features than the model was built for.
    #[error("the model takes rows of {expected} features, found rows of {found}")]
    Features {
        /// Features of the model's inputs.
        expected: usize,
        /// Features found.
        found: usize,
    },
    /// Targets do not match the outputs.
    #[error(
        "the model's outputs have shape {expected:?}, the targets {found:?}; both must be (samples, outputs)"
    )]
    Targets {
        /// Shape of the outputs.
        expected: (usize, usize),
        /// Shape of the targets.
        found: (usize, usize),
    },
}

/// A finite network with its parameters.
pub struct Model<T: Scalar> {
    layers: Vec<Box<dyn FiniteLayer<T>>>,
    inputs: usize,
    outputs: usize,
}

impl<T: Scalar> Model<T> {
    /// Initialises the finite network of `network` for rows of `inputs` features.
    ///
    /// # Errors
    /// [`ModelError::Network`] where a layer's options are out of range, [`ModelError::Layer`]
    /// where it has no finite form here.
    pub fn new(
        network: &Network,
        inputs: usize,
        init: Init,
        seed: u64,
    ) -> Result<Self, ModelError> {
        let rows = network.rows(&Shape::features(inputs))?;
        if inputs == 0 {
            return Err(ModelError::Features {
                expected: 1,
                found: 0,
            });
        }
        let mut width = inputs;
        let mut layers: Vec<Box<dyn FiniteLayer<T>>> = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            layers.push(match &row.layer {
                Layer::Dense(dense) => Box::new(FiniteDense::new(
                    dense,
                    width,
                    network.parameterization,
                    init,
                    seed,
                    number as u64,
                )),
                Layer::Activation(Activation::AbRelu(f)) => Box::new(FiniteActivation(*f)),
                layer => {
                    return Err(ModelError::Layer {
                        path: row.path.clone(),
                        layer: layer.name().into(),
                    });
                }
            });
            width = row.shape.size();
        }
        Ok(Self {
            layers,
            inputs,
            outputs: width,
        })
    }

    /// Outputs (n, outputs) of inputs (n, features).
    ///
    /// # Errors
    /// [`ModelError::Features`] where the rows have another length than the model takes.
    pub fn forward(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>, ModelError> {
        self.check(x)?;
        if x.nrows() == 0 {
            return Ok(Array2::zeros((0, self.outputs)));
        }
        let z = self
            .layers
            .iter()
            .fold(T::tensor(x), |z, layer| layer.forward(z));
        Ok(T::array(&z))
    }

    /// The loss on one batch, and its derivative by every parameter.
    ///
    /// # Errors
    /// [`ModelError`] where shapes do not fit.
    pub fn gradient(
        &self,
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        loss: Loss,
    ) -> Result<(f64, Vec<Array2<T>>), ModelError> {
        let (value, by_layers) = self.adjoint(x, y, loss)?;
        Ok((value, by_layers.iter().flatten().map(T::array).collect()))
    }

    /// All parameters: each layer's weights, then its bias if it has one.
    #[must_use]
    pub fn parameters(&self) -> Vec<Array2<T>> {
        self.layers
            .iter()
            .flat_map(|l| l.parameters())
            .map(T::array)
            .collect()
    }

    /// Replaces parameter number `index` of [`Model::parameters`]; shapes must agree.
    #[cfg(test)]
    pub(crate) fn set_parameter(&mut self, index: usize, value: ArrayView2<'_, T>) {
        let mut parameters: Vec<_> = self
            .layers
            .iter_mut()
            .flat_map(|l| l.parameters_mut())
            .collect();
        *parameters[index] = T::tensor(value);
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ModelError> {
        if x.ncols() == self.inputs {
            Ok(())
        } else {
            Err(ModelError::Features {
                expected: self.inputs,
                found: x.ncols(),
            })
        }
    }

    pub(crate) fn check_targets(
        &self,
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
    ) -> Result<(), ModelError> {
        self.check(x)?;
        let expected = (x.nrows(), self.outputs);
        if y.dim() == expected {
            Ok(())
        } else {
            Err(ModelError::Targets {
                expected,
                found: y.dim(),
            })
        }
    }

    #[expect(
        clippy::type_complexity,
        reason = "gradients layer by layer, used by this file alone"
    )]
    fn adjoint(
        &self,
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        loss: Loss,
    ) -> Result<(f64, Vec<Vec<Matrix<T>>>), ModelError> {
        self.check_targets(x, y)?;
        let mut inputs = Vec::with_capacity(self.layers.len());
        let mut z = T::tensor(x);
        for layer in &self.layers {
            inputs.push(z.clone());
            z = layer.forward(z);
        }
        let (value, by_output) = loss.with_gradient(T::array(&z).view(), y);
        let mut g = T::tensor(by_output.view());
        let mut gradients = Vec::with_capacity(self.layers.len());
        for (number, (layer, input)) in self.layers.iter().zip(&inputs).enumerate().rev() {
            let adjoint = layer.adjoint(input, g.clone(), number > 0);
            gradients.push(adjoint.by_parameters);
            if let Some(by_input) = adjoint.by_input {
                g = by_input;
            }
        }
        gradients.reverse();
        Ok((value, gradients))
    }

    /// One optimiser step on one batch; the loss is the one before the step.
    pub(crate) fn step(
        &mut self,
        x: ArrayView2<'_, T>,
        y: ArrayView2<'_, T>,
        loss: Loss,
        optimizer: Sgd,
        velocity: &mut Vec<Velocity<T>>,
    ) -> Result<f64, ModelError> {
        let (value, gradients) = self.adjoint(x, y, loss)?;
        if !value.is_finite() {
            return Ok(value);
        }
        let config = optimizer.config();
        let parameters = self.layers.iter_mut().flat_map(|l| l.parameters_mut());
        for (i, (parameter, gradient)) in parameters.zip(gradients.iter().flatten()).enumerate() {
            if velocity.len() == i {
                velocity.push(T::velocity(parameter));
            }
            T::sgd(&config, parameter, &mut velocity[i], gradient);
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::{BiasInit, WeightInit};
    use approx::assert_relative_eq;
    use ntk_kernels::network::{Parameterization, abrelu, dense, relu};

    fn data(n: usize, d: usize) -> Array2<f64> {
        Array2::from_shape_fn((n, d), |(i, j)| ((i * 7 + j * 3) as f64).sin())
    }

    #[test]
    fn gradient_is_the_central_difference() {
        for parameterization in [Parameterization::Ntk, Parameterization::Standard] {
            let network = Network::new()
                .then(dense().width(5).w_std(1.3).b_std(0.4))
                .then(relu())
                .then(dense().width(4))
                .then(abrelu(0.3, 1.1))
                .then(dense().width(2).b_std(0.1))
                .parameterization(parameterization);
            let (x, y) = (data(6, 3), data(6, 2));
            let mut model = Model::new(&network, 3, Init::default(), 3).unwrap();
            let (_, gradient) = model
                .gradient(x.view(), y.view(), Loss::HalfMeanSquare)
                .unwrap();
            let start = model.parameters();
            let h = 1e-6;
            for (p, parameter) in start.iter().enumerate() {
                for (at, _) in parameter.indexed_iter() {
                    let mut loss = [0.0; 2];
                    for (side, loss) in [1.0, -1.0].into_iter().zip(&mut loss) {
                        let mut moved = parameter.clone();
                        moved[at] += side * h;
                        model.set_parameter(p, moved.view());
                        *loss = model
                            .gradient(x.view(), y.view(), Loss::HalfMeanSquare)
                            .unwrap()
                            .0;
                    }
                    model.set_parameter(p, parameter.view());
                    // Central differences err by h^2 and by eps / h: 1e-9 here.
                    assert_relative_eq!(
                        gradient[p][at],
                        (loss[0] - loss[1]) / (2.0 * h),
                        epsilon = 1e-8
                    );
                }
            }
        }
    }

    #[test]
    fn gradient_is_that_of_the_tape() {
        use dfdx::prelude::{
            Axis, Backward, BroadcastTo, Cpu, ReshapeTo, SumTo, Tensor, Trace, TryMatMul,
        };
        let network = Network::new()
            .then(dense().width(5).b_std(1.0))
            .then(relu())
            .then(dense().width(2))
            .parameterization(Parameterization::Standard);
        let init = Init {
            weights: WeightInit::XavierNormal,
            biases: BiasInit::Network,
        };
        let (x, y) = (data(6, 3), data(6, 2));
        let model = Model::<f64>::new(&network, 3, init, 11).unwrap();
        let parameters = model.parameters();
        let [w1, b1, w2] = [0, 1, 2].map(|i| f64::tensor(parameters[i].view()));
        let b1: Tensor<(usize,), f64, Cpu> = b1.reshape_like(&(5,));

        let hidden = f64::tensor(x.view()).leaky_trace().matmul(w1.clone());
        let bias = b1.clone().broadcast_like::<_, Axis<0>>(&(6, 5));
        let outputs = (hidden + bias).relu().matmul(w2.clone());
        // 1/2 mean over 6 samples and 2 outputs.
        let loss = (outputs - f64::tensor(y.view())).square().sum() / 24.0;
        let tape = loss.backward();

        let (_, ours) = model
            .gradient(x.view(), y.view(), Loss::HalfMeanSquare)
            .unwrap();
        let theirs = [
            tape.get(&w1).as_vec(),
            tape.get(&b1).as_vec(),
            tape.get(&w2).as_vec(),
        ];
        for (ours, theirs) in ours.iter().zip(theirs) {
            let theirs = Array2::from_shape_vec(ours.raw_dim(), theirs).unwrap();
            assert_relative_eq!(*ours, theirs, epsilon = 1e-12);
        }
    }

    #[test]
    fn shapes_are_checked() {
        let network = Network::new().then(dense().width(2));
        let model = Model::<f32>::new(&network, 3, Init::default(), 0).unwrap();
        let error = model.forward(Array2::zeros((1, 4)).view()).unwrap_err();
        assert_eq!(
            error,
            ModelError::Features {
                expected: 3,
                found: 4
            }
        );
        let (x, y) = (Array2::zeros((2, 3)), Array2::zeros((2, 1)));
        let error = model
            .gradient(x.view(), y.view(), Loss::MeanSquare)
            .unwrap_err();
        assert_eq!(
            error,
            ModelError::Targets {
                expected: (2, 2),
                found: (2, 1)
            }
        );
        assert_eq!(
            model.forward(Array2::zeros((0, 3)).view()).unwrap().dim(),
            (0, 2)
        );
        assert!(Model::<f32>::new(&network, 0, Init::default(), 0).is_err());
    }
}
