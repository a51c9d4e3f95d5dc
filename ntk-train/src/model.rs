//! A finite network: the layers of a [`Network`] with their parameters.

use crate::build::{build, first_parameters};
use crate::compiled::Scalar;
use crate::init::Init;
use crate::layers::{FiniteLayer, Pass, Sequence, positions};
use crate::tensor::Memory;
use ndarray::{
    Array2, ArrayD, ArrayView, ArrayView2, ArrayViewD, Axis, CowArray, Dimension, Ix2, IxDyn, s,
};
use ntk_kernels::network::{Action, Graph, Network, Node, Shape};
use rayon::prelude::*;

pub use crate::error::ModelError;

/// The axes of `n` samples of a shape.
pub(crate) fn axes(n: usize, shape: &Shape) -> Vec<usize> {
    [&[n], shape.positions(), &[shape.channels()]].concat()
}

/// Rows, samples times positions, that go through the layers together, and the fewest samples.
/// The work is cut here alone, so that results do not depend on the number of threads.
const ROWS: usize = 256;
const SAMPLES: usize = 8;

/// A finite network with its parameters.
///
/// Parameters are numbers on dfdx's device; every derivative is written in closed form.
pub struct Model<T: Scalar> {
    graph: Graph,
    layers: Sequence<T>,
    parameters: Vec<Memory<T>>,
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
        T::model(network, input, init, seed)
    }

    /// Draws all parameters anew, as [`Model::new`] does.
    pub fn initialize(&mut self, init: Init, seed: u64) {
        T::initialize(self, init, seed);
    }

    /// The description it was built from.
    #[must_use]
    pub fn network(&self) -> Network {
        self.graph.network()
    }

    /// That description, resolved for its inputs.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The shape of one input.
    #[must_use]
    pub fn input(&self) -> &Shape {
        &self.graph.input
    }

    /// Numbers in one output.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.graph.output().channels()
    }

    /// All parameters in the network's order, each layer's weights before its bias: weights
    /// (fan_in, width), where a convolution's fan-in counts `(height, width, in)` row by row,
    /// and biases (1, width).
    #[must_use]
    pub fn parameters(&self) -> Vec<Array2<T>> {
        T::parameters(self)
    }

    /// How many numbers the parameters are.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.lengths().sum()
    }

    /// The parameters' names, as `layers.0.weight` or `layers.3.branch.paths.1.0.bias`.
    #[must_use]
    pub fn parameter_names(&self) -> Vec<&str> {
        self.graph.parameters().map(|p| &p.name[..]).collect()
    }

    /// Replaces all parameters.
    ///
    /// # Errors
    /// [`ModelError::Parameter`] of the first that does not fit; then none is replaced.
    pub fn set_parameters(&mut self, parameters: Vec<Array2<T>>) -> Result<(), ModelError> {
        T::set_parameters(self, parameters)
    }

    /// Outputs (n, outputs) of inputs (n, ...), dropout switched off.
    ///
    /// # Errors
    /// [`ModelError::Input`] where samples have another shape than the model takes.
    pub fn forward<D: Dimension>(&self, x: ArrayView<'_, T, D>) -> Result<Array2<T>, ModelError> {
        T::forward(self, x.into_dyn())
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
        T::activations(self, x.into_dyn())
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
        T::vjp(self, x.into_dyn(), cotangent)
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
        T::jvp(self, x.into_dyn(), direction)
    }
}

/// [`Model::new`].
pub(crate) fn model<T: Scalar>(
    network: &Network,
    input: &Shape,
    init: Init,
    seed: u64,
) -> Result<Model<T>, ModelError> {
    let graph = network.resolve(input)?;
    let layers = build(&graph)?;
    if input.size() == 0 {
        return Err(ModelError::Empty {
            shape: input.clone(),
        });
    }
    if !graph.output().positions().is_empty() {
        return Err(ModelError::Positions {
            shape: graph.output().clone(),
        });
    }
    let mut model = Model {
        graph,
        layers,
        parameters: Vec::new(),
    };
    initialize(&mut model, init, seed);
    Ok(model)
}

/// [`Model::initialize`].
pub(crate) fn initialize<T: Scalar>(model: &mut Model<T>, init: Init, seed: u64) {
    let drawn = init.draw(&model.graph, seed).into_iter();
    model.parameters = drawn.map(T::holding).collect();
}

/// [`Model::parameters`].
pub(crate) fn parameters<T: Scalar>(model: &Model<T>) -> Vec<Array2<T>> {
    let theta = model.theta().into_iter();
    theta.map(|values| values.to_owned()).collect()
}

/// [`Model::set_parameters`].
pub(crate) fn set_parameters<T: Scalar>(
    model: &mut Model<T>,
    parameters: Vec<Array2<T>>,
) -> Result<(), ModelError> {
    let views: Vec<_> = parameters.iter().map(|a| a.view()).collect();
    model.check_direction(&views)?;
    let numbers = parameters.into_iter().map(|p| p.into_iter().collect());
    model.parameters = numbers.map(T::holding).collect();
    Ok(())
}

/// [`Model::forward`].
pub(crate) fn forward<T: Scalar>(
    model: &Model<T>,
    x: ArrayViewD<'_, T>,
) -> Result<Array2<T>, ModelError> {
    let x = model.rows(x)?;
    let theta = model.theta();
    let outputs = model.pieces(x.view(), model.piece(), |_, x| {
        model.layers.forward(&theta, x.to_owned(), Pass::VALUES).0
    });
    Ok(model.stack(&outputs))
}

/// [`Model::activations`].
pub(crate) fn activations<T: Scalar>(
    model: &Model<T>,
    x: ArrayViewD<'_, T>,
) -> Result<Vec<ArrayD<T>>, ModelError> {
    let theta = model.theta();
    let mut z = model.rows(x)?.to_owned();
    let n = z.nrows() / model.positions();
    let mut all = Vec::with_capacity(model.graph.layers.len());
    for (layer, &number) in model.layers.0.iter().zip(&model.graph.layers) {
        z = layer.forward(&theta, z, Pass::VALUES).0;
        let axes = axes(n, &model.graph.nodes[number].after);
        let values = z.clone().into_shape_with_order(IxDyn(&axes));
        all.push(values.expect("as many numbers as the shape says"));
    }
    Ok(all)
}

/// [`Model::jvp`].
pub(crate) fn jvp<T: Scalar>(
    model: &Model<T>,
    x: ArrayViewD<'_, T>,
    direction: &[ArrayView2<'_, T>],
) -> Result<(Array2<T>, Array2<T>), ModelError> {
    let x = model.rows(x)?;
    model.check_direction(direction)?;
    let theta = model.theta();
    let both = model.pieces(x.view(), model.piece(), |_, x| {
        let (z, saved) = model.layers.forward(&theta, x.to_owned(), Pass::SAVED);
        let dz = model.layers.tangent(&theta, &saved, None, Some(direction));
        let dz = dz.unwrap_or_else(|| Array2::zeros(z.raw_dim()));
        (z, dz)
    });
    let (z, dz): (Vec<_>, Vec<_>) = both.into_iter().unzip();
    Ok((model.stack(&z), model.stack(&dz)))
}

impl<T: Scalar> Model<T> {
    /// Zero for every parameter.
    pub(crate) fn zeros(&self) -> Vec<Array2<T>> {
        let shapes = self.graph.parameters().map(|p| p.shape);
        shapes.map(Array2::zeros).collect()
    }

    pub(crate) fn theta(&self) -> Vec<ArrayView2<'_, T>> {
        let both = self.graph.parameters().zip(&self.parameters);
        both.map(|(p, values)| {
            ArrayView2::from_shape(p.shape, T::numbers(values)).expect("numbers of its shape")
        })
        .collect()
    }

    /// How many numbers each parameter is.
    pub(crate) fn lengths(&self) -> impl Iterator<Item = usize> {
        self.graph.parameters().map(|p| p.shape.0 * p.shape.1)
    }

    pub(crate) fn numbers_mut(&mut self) -> &mut [Memory<T>] {
        &mut self.parameters
    }

    pub(crate) fn layers(&self) -> &Sequence<T> {
        &self.layers
    }

    /// The numbers of the last two dense layers' weights, where elementwise layers alone are
    /// between them, nothing follows, and there is one position.
    pub(crate) fn last_two(&self) -> Option<(usize, usize)> {
        let (first, nodes) = (first_parameters(&self.graph), &self.graph.nodes);
        let mut layers = self.graph.layers.iter().rev().copied();
        let elementwise = |node: &Node| match node.action {
            Action::Nothing | Action::Activation(_) | Action::Dropout { .. } => true,
            Action::Weights(_)
            | Action::Positions(_)
            | Action::Flatten
            | Action::Normalize { .. }
            | Action::Attention(_)
            | Action::Merge(_) => false,
        };
        // The output has no positions, so neither has what dense layers made it from.
        let dense = |number: usize| {
            let Action::Weights(weights) = &nodes[number].action else {
                return None;
            };
            weights.windows.is_none().then_some(first[number])
        };
        let last = layers.next().and_then(dense)?;
        let hidden = layers.find(|&number| !elementwise(&nodes[number]));
        Some((hidden.and_then(dense)?, last))
    }

    /// Rows of one sample.
    pub(crate) fn positions(&self) -> usize {
        positions(self.input())
    }

    /// Checks inputs (n, ...), and makes them (n * positions, channels).
    pub(crate) fn rows<'a>(
        &self,
        x: ArrayViewD<'a, T>,
    ) -> Result<CowArray<'a, T, Ix2>, ModelError> {
        let (input, n) = (self.input(), x.shape().first().copied().unwrap_or(0));
        if *x.shape() != axes(n, input) {
            return Err(ModelError::Input {
                expected: axes(n, input).split_off(1),
                found: x.shape().to_vec(),
            });
        }
        let shape = (n * self.positions(), input.channels());
        Ok(if x.is_standard_layout() {
            x.into_shape_with_order(shape)
                .expect("as many numbers")
                .into()
        } else {
            let values = x.iter().copied().collect();
            Array2::from_shape_vec(shape, values)
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
            return Array2::zeros((0, self.outputs()));
        }
        ndarray::concatenate(Axis(0), &views).expect("all have the outputs' width")
    }

    pub(crate) fn check_targets(&self, n: usize, y: ArrayView2<'_, T>) -> Result<(), ModelError> {
        let expected = (n / self.positions(), self.outputs());
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
        let found = shapes.chain(std::iter::repeat((0, 0)));
        for (parameter, found) in self.graph.parameters().zip(found) {
            if parameter.shape != found {
                return Err(ModelError::Parameter {
                    name: parameter.name.clone(),
                    expected: parameter.shape,
                    found,
                });
            }
        }
        let count = self.parameters.len();
        match direction.get(count) {
            None => Ok(()),
            Some(extra) => Err(ModelError::Parameter {
                name: format!("number {count}"),
                expected: (0, 0),
                found: extra.dim(),
            }),
        }
    }
}
