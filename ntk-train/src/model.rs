//! A finite network: the layers of a [`Network`] with their parameters.

use crate::build::{Slot, build};
use crate::gradient::Gradient;
use crate::init::{Drawn, Init};
use crate::layers::{FiniteLayer, Pass, Sequence};
use crate::tensor::{Matrix, Scalar};
use ndarray::{Array2, ArrayD, ArrayView, ArrayView2, Axis, CowArray, Dimension, Ix2, IxDyn, s};
use ntk_kernels::network::{Dense, Layer, Network, NetworkError, Shape};
use rayon::prelude::*;
use thiserror::Error;

/// Why a model cannot be built or evaluated.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ModelError {
    /// A layer's options are out of range.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A layer that has no finite form here.
    #[error(
        "{path}: {layer} is known by its infinite-width kernel alone; finite networks have dense, conv, pools, flatten, identity, layer_norm, dropout, branch and activations given by a function"
    )]
    Layer {
        /// Where, as `layers[i]`.
        path: String,
        /// The layer's name.
        layer: String,
    },
    /// The network ends with positions, where outputs must be vectors.
    #[error("the network's output has shape {shape}; end it with flatten or a global pool")]
    Positions {
        /// Of one output.
        shape: Shape,
    },
    /// Samples without a single number.
    #[error("samples of shape {shape} hold no numbers; give every axis at least one entry")]
    Empty {
        /// Of one sample.
        shape: Shape,
    },
    /// The inputs have another shape than the model was built for.
    #[error(
        "the model takes inputs of shape (n, {}), found {found:?}; reshape them, or build the model for their shape",
        list(expected)
    )]
    Input {
        /// Axes of one sample.
        expected: Vec<usize>,
        /// Axes found, samples first.
        found: Vec<usize>,
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
    /// Parameters, or directions of them, do not match the model's.
    #[error(
        "parameter {name} has shape {expected:?}, found {found:?}; give an array for each parameter, in the model's order"
    )]
    Parameter {
        /// Name of the parameter.
        name: String,
        /// As a matrix.
        expected: (usize, usize),
        /// Found; (0, 0) where it is missing.
        found: (usize, usize),
    },
}

fn list(axes: &[usize]) -> String {
    let axes: Vec<_> = axes.iter().map(ToString::to_string).collect();
    axes.join(", ")
}

/// Rows, samples times positions, that go through the layers together, and the fewest samples.
/// The work is cut here alone, so that results do not depend on the number of threads.
const ROWS: usize = 256;
const SAMPLES: usize = 8;

/// A finite network with its parameters.
///
/// Parameters are dfdx tensors without a tape; every derivative is written in closed form.
pub struct Model<T: Scalar> {
    network: Network,
    input: Shape,
    outputs: usize,
    layers: Sequence<T>,
    slots: Vec<Slot>,
    drawn: Vec<Drawn>,
    parameters: Vec<Matrix<T>>,
}

impl<T: Scalar> Model<T> {
    /// Initialises the finite network of `network` for samples of shape `input`.
    ///
    /// The same seed gives the same parameters to the last bit on every run and thread count,
    /// and f32 parameters are the rounded f64 ones.
    ///
    /// # Errors
    /// [`ModelError::Network`] where a layer's options are out of range, [`ModelError::Layer`]
    /// where it has no finite form, [`ModelError::Positions`] and [`ModelError::Empty`].
    pub fn new(
        network: &Network,
        input: &Shape,
        init: Init,
        seed: u64,
    ) -> Result<Self, ModelError> {
        let built = build(network, input)?;
        if input.size() == 0 {
            return Err(ModelError::Empty {
                shape: input.clone(),
            });
        }
        if !built.output.positions().is_empty() {
            return Err(ModelError::Positions {
                shape: built.output,
            });
        }
        let mut model = Self {
            network: network.clone(),
            input: input.clone(),
            outputs: built.output.channels(),
            layers: built.layers,
            parameters: Vec::new(),
            slots: built.slots,
            drawn: built.drawn,
        };
        model.initialize(init, seed);
        Ok(model)
    }

    /// Draws all parameters anew, as [`Model::new`] does.
    pub fn initialize(&mut self, init: Init, seed: u64) {
        let layers = self.drawn.iter().map(|layer| init.draw(layer, seed));
        self.parameters = layers
            .flat_map(|(weights, bias)| std::iter::once(weights).chain(bias))
            .map(T::tensor)
            .collect();
    }

    /// The description it was built from.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The shape of one input.
    #[must_use]
    pub fn input(&self) -> &Shape {
        &self.input
    }

    /// Numbers in one output.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// All parameters in the network's order, each layer's weights before its bias: weights
    /// (fan_in, width), where a convolution's fan-in counts `(height, width, in)` row by row,
    /// and biases (1, width).
    #[must_use]
    pub fn parameters(&self) -> Vec<Array2<T>> {
        self.theta()
            .iter()
            .map(ndarray::ArrayBase::to_owned)
            .collect()
    }

    /// How many numbers the parameters are.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.slots.iter().map(|s| s.shape.0 * s.shape.1).sum()
    }

    /// The parameters' names, as `layers.0.weight` or `layers.3.branch.paths.1.0.bias`.
    #[must_use]
    pub fn parameter_names(&self) -> Vec<&str> {
        self.slots.iter().map(|slot| &slot.name[..]).collect()
    }

    /// Replaces all parameters.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] of the first that does not fit; then none is replaced.
    pub fn set_parameters(&mut self, parameters: Vec<Array2<T>>) -> Result<(), ModelError> {
        let views: Vec<_> = parameters.iter().map(|a| a.view()).collect();
        self.check_direction(&views)?;
        self.parameters = parameters.into_iter().map(T::tensor).collect();
        Ok(())
    }

    /// Outputs (n, outputs) of inputs (n, ...), dropout switched off.
    ///
    /// # Errors
    /// [`ModelError::Input`] where samples have another shape than the model takes.
    pub fn forward<D: Dimension>(&self, x: ArrayView<'_, T, D>) -> Result<Array2<T>, ModelError> {
        let x = self.rows(x)?;
        let theta = self.theta();
        let outputs = self.pieces(x.view(), self.piece(), |_, x| {
            self.layers.forward(&theta, x.to_owned(), Pass::VALUES).0
        });
        Ok(self.stack(&outputs))
    }

    /// What every layer of the network (a branch with its paths counts as one) gives for
    /// inputs (n, ...), dropout switched off: rows are samples and positions, columns channels.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn activations<D: Dimension>(
        &self,
        x: ArrayView<'_, T, D>,
    ) -> Result<Vec<ArrayD<T>>, ModelError> {
        let theta = self.theta();
        let mut z = self.rows(x)?.to_owned();
        let n = z.nrows() / self.positions();
        let mut layers = self.layers.0.iter();
        let mut shape = self.input.clone();
        let mut all = Vec::with_capacity(self.network.layers.len());
        for layer in &self.network.layers {
            shape = Network::new().then(layer.clone()).output(&shape)?;
            if !matches!(layer, Layer::Identity)
                && let Some(layer) = layers.next()
            {
                z = layer.forward(&theta, z, Pass::VALUES).0;
            }
            let mut axes = vec![n];
            axes.extend(shape.positions());
            axes.push(shape.channels());
            let values = z.clone().into_shape_with_order(IxDyn(&axes));
            all.push(values.expect("as many numbers as the shape says"));
        }
        Ok(all)
    }

    /// `sum_i cotangent_i^T df(x_i)/dtheta` (the vector-Jacobian product) of a cotangent
    /// (n, outputs), by every parameter.
    ///
    /// # Errors
    /// [`ModelError`] where shapes do not fit.
    pub fn vjp<D: Dimension>(
        &self,
        x: ArrayView<'_, T, D>,
        cotangent: ArrayView2<'_, T>,
    ) -> Result<Vec<Array2<T>>, ModelError> {
        let x = self.rows(x)?;
        self.check_targets(x.nrows(), cotangent)?;
        let mut gradient = Gradient::new(self);
        self.back_into(x.view(), None, &mut gradient, |first, z| {
            let signal = cotangent.slice(s![first..first + z.nrows(), ..]);
            (0.0, signal.to_owned())
        });
        Ok(gradient.arrays(self))
    }

    /// The outputs, and `df(x)/dtheta` applied to a direction of the parameters (the
    /// Jacobian-vector product), both (n, outputs).
    ///
    /// # Errors
    /// [`ModelError`] where shapes do not fit.
    pub fn jvp<D: Dimension>(
        &self,
        x: ArrayView<'_, T, D>,
        direction: &[ArrayView2<'_, T>],
    ) -> Result<(Array2<T>, Array2<T>), ModelError> {
        let x = self.rows(x)?;
        self.check_direction(direction)?;
        let theta = self.theta();
        let both = self.pieces(x.view(), self.piece(), |_, x| {
            let (z, saved) = self.layers.forward(&theta, x.to_owned(), Pass::SAVED);
            let dz = self.layers.tangent(&theta, &saved, None, Some(direction));
            let dz = dz.unwrap_or_else(|| Array2::zeros(z.raw_dim()));
            (z, dz)
        });
        let (z, dz): (Vec<_>, Vec<_>) = both.into_iter().unzip();
        Ok((self.stack(&z), self.stack(&dz)))
    }

    /// Zero for every parameter.
    pub(crate) fn zeros(&self) -> Vec<Array2<T>> {
        self.slots.iter().map(|s| Array2::zeros(s.shape)).collect()
    }

    pub(crate) fn theta(&self) -> Vec<ArrayView2<'_, T>> {
        self.parameters.iter().map(T::tensor_view).collect()
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(crate) fn tensors_mut(&mut self) -> &mut [Matrix<T>] {
        &mut self.parameters
    }

    pub(crate) fn layers(&self) -> &Sequence<T> {
        &self.layers
    }

    /// The numbers of the last two dense layers' weights, where elementwise layers alone are
    /// between them, nothing follows, and there is one position.
    pub(crate) fn last_two(&self) -> Option<(usize, usize)> {
        let mut layers = self.network.layers.iter().rev();
        let Some(Layer::Dense(last)) = layers.next() else {
            return None;
        };
        let elementwise = |l: &&Layer| {
            matches!(
                l,
                Layer::Activation(_) | Layer::Dropout(_) | Layer::Identity
            )
        };
        let mut layers = layers.skip_while(elementwise);
        let Some(Layer::Dense(hidden)) = layers.next() else {
            return None;
        };
        // The output has no positions, so neither has what dense layers made it from.
        let bias = |dense: &Dense| usize::from(dense.b_std > 0.0);
        let last = self.slots.len().checked_sub(1 + bias(last))?;
        Some((last.checked_sub(1 + bias(hidden))?, last))
    }

    /// Rows of one sample.
    pub(crate) fn positions(&self) -> usize {
        self.input.positions().iter().product()
    }

    /// Checks inputs (n, ...), and makes them (n * positions, channels).
    pub(crate) fn rows<'a, D: Dimension>(
        &self,
        x: ArrayView<'a, T, D>,
    ) -> Result<CowArray<'a, T, Ix2>, ModelError> {
        let mut expected = self.input.positions().to_vec();
        expected.push(self.input.channels());
        if x.ndim() != expected.len() + 1 || x.shape()[1..] != expected[..] {
            return Err(ModelError::Input {
                expected,
                found: x.shape().to_vec(),
            });
        }
        let rows = x.shape()[0] * self.positions();
        let x = x.into_dyn();
        Ok(if x.is_standard_layout() {
            x.into_shape_with_order((rows, self.input.channels()))
                .expect("as many numbers")
                .into()
        } else {
            let values = x.iter().copied().collect();
            Array2::from_shape_vec((rows, self.input.channels()), values)
                .expect("as many numbers")
                .into()
        })
    }

    /// `work` on the rows of so many samples at a time, each after its first sample's number;
    /// in parallel, unless there is one piece alone, whose products then use all threads.
    pub(crate) fn pieces<R: Send>(
        &self,
        x: ArrayView2<'_, T>,
        samples: usize,
        work: impl Fn(usize, ArrayView2<'_, T>) -> R + Sync,
    ) -> Vec<R> {
        let positions = self.positions();
        let n = x.nrows() / positions;
        if n <= samples {
            return match n {
                0 => Vec::new(),
                _ => vec![work(0, x)],
            };
        }
        (0..n.div_ceil(samples))
            .into_par_iter()
            .map(|piece| {
                let first = piece * samples;
                let end = n.min(first + samples);
                work(first, x.slice(s![first * positions..end * positions, ..]))
            })
            .collect()
    }

    /// Samples in a piece: few where each has many positions.
    pub(crate) fn piece(&self) -> usize {
        (ROWS / self.positions()).max(SAMPLES)
    }

    fn stack(&self, parts: &[Array2<T>]) -> Array2<T> {
        let views: Vec<_> = parts.iter().map(|a| a.view()).collect();
        if views.is_empty() {
            return Array2::zeros((0, self.outputs));
        }
        ndarray::concatenate(Axis(0), &views).expect("all have the outputs' width")
    }

    pub(crate) fn check_targets(&self, n: usize, y: ArrayView2<'_, T>) -> Result<(), ModelError> {
        let expected = (n / self.positions(), self.outputs);
        if y.dim() == expected {
            Ok(())
        } else {
            Err(ModelError::Targets {
                expected,
                found: y.dim(),
            })
        }
    }

    pub(crate) fn check_direction(
        &self,
        direction: &[ArrayView2<'_, T>],
    ) -> Result<(), ModelError> {
        let shapes = direction.iter().map(ndarray::ArrayBase::dim);
        for (slot, found) in self
            .slots
            .iter()
            .zip(shapes.chain(std::iter::repeat((0, 0))))
        {
            if slot.shape != found {
                return Err(ModelError::Parameter {
                    name: slot.name.clone(),
                    expected: slot.shape,
                    found,
                });
            }
        }
        match direction.get(self.slots.len()) {
            None => Ok(()),
            Some(extra) => Err(ModelError::Parameter {
                name: format!("number {}", self.slots.len()),
                expected: (0, 0),
                found: extra.dim(),
            }),
        }
    }
}
