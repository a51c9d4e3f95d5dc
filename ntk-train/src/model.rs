//! A finite network: the layers of a [`Network`] with their parameters.

use crate::build::{build, first_parameters};
use crate::compiled::Scalar;
use crate::init::Init;
use crate::layers::{FiniteLayer, ForwardPass, Sequence, positions};
use crate::rows::Part;
use crate::tensor::Memory;
use ndarray::{Array2, ArrayD, ArrayRef2, ArrayView2, Axis, IxDyn};
use ntk_kernels::Inputs;
use ntk_kernels::network::{Action, Graph, Network, Node, Shape};
use ntk_linalg::Real;
use rayon::prelude::*;
use std::fmt;

pub use crate::model_error::ModelError;

/// Returns the axes of `n` samples of a shape.
pub(crate) fn axes(n: usize, shape: &Shape) -> Vec<usize> {
    [&[n], shape.positions(), &[shape.channels()]].concat()
}

/// The number of rows, samples times positions, that go through the layers together, and the
/// fewest samples.
/// The work is cut here alone, so that results do not depend on the number of threads.
const ROWS: usize = 256;
const SAMPLES: usize = 8;

/// A `Model` is a finite network with its parameters.
///
/// Parameters are numbers on dfdx's device, and every derivative is written in closed form.
pub struct Model<T: Scalar> {
    graph: Graph,
    layers: Sequence<T>,
    parameters: Vec<Memory<T>>,
}

impl<T: Scalar> fmt::Debug for Model<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("network", &self.network())
            .field("input", self.input())
            .field("parameter_count", &self.parameter_count())
            .finish_non_exhaustive()
    }
}

impl<T: Scalar> Clone for Model<T> {
    fn clone(&self) -> Self {
        self.cast()
    }
}

impl<T: Scalar> Model<T> {
    /// Initialises the finite network of `network` for samples of shape `input`: a number of
    /// features, `[length, channels]` or `[height, width, channels]`.
    ///
    /// ```
    /// use ntk_kernels::network::{Network, dense, relu};
    /// use ntk_train::{Init, Model};
    ///
    /// let network = Network::new().then(dense().width(64)).then(relu()).then(dense().width(10));
    /// let model = Model::<f32>::new(&network, 784, Init::default(), 0)?;
    /// assert_eq!(model.parameter_count(), 784 * 64 + 64 * 10);
    /// # Ok::<(), ntk_train::Error>(())
    /// ```
    ///
    /// The same seed gives the same parameters to the last bit on every run and thread count,
    /// and f32 parameters are the rounded f64 ones.
    ///
    /// # Errors
    /// [`ModelError::Network`] where a layer's options are out of range, [`ModelError::Layer`]
    /// where it has no finite form, [`ModelError::Positions`], [`ModelError::Empty`] and
    /// [`ModelError::TooLarge`].
    pub fn new(
        network: &Network,
        input: impl Into<Shape>,
        init: Init,
        seed: u64,
    ) -> Result<Self, ModelError> {
        let mut model = T::blank(network, &input.into())?;
        model.initialize(init, seed);
        Ok(model)
    }

    /// Returns how many bytes the parameters of a network take while they are drawn, for samples of
    /// shape `input`.
    ///
    /// # Errors
    /// [`ModelError::Network`] where a layer does not fit.
    pub fn memory(network: &Network, input: impl Into<Shape>) -> Result<u64, ModelError> {
        let graph = network.resolve(input)?;
        // Those drawn, and the zeros whose places they take.
        let numbers = graph
            .parameters()
            .map(|p| saturating([p.shape.0, p.shape.1]));
        let numbers = numbers.fold(0, u64::saturating_add);
        Ok(numbers.saturating_mul(saturating([2, size_of::<T>()])))
    }

    /// Returns the same model in another precision, each parameter rounded to it.
    ///
    /// ```
    /// use ntk_kernels::network::{Network, dense};
    /// use ntk_train::{Init, Model};
    ///
    /// let network = Network::new().then(dense().width(2));
    /// let single = Model::<f32>::new(&network, 3, Init::default(), 0)?;
    /// let double = single.cast::<f64>();
    /// assert_eq!(double.parameters()[0], single.parameters()[0].mapv(f64::from));
    /// # Ok::<(), ntk_train::Error>(())
    /// ```
    #[must_use]
    pub fn cast<U: Scalar>(&self) -> Model<U> {
        let all = self.parameters.iter().map(T::numbers);
        let cast = |numbers: &[T]| numbers.iter().map(|&v| U::of(Real::to_f64(v))).collect();
        U::of_graph(self.graph.clone(), all.map(cast).collect())
    }

    /// Draws all parameters anew, as [`Model::new`] does.
    pub fn initialize(&mut self, init: Init, seed: u64) {
        T::initialize(self, init, seed);
    }

    /// Returns the network that the model was built from.
    #[must_use]
    pub fn network(&self) -> Network {
        self.graph.network()
    }

    /// Returns that network resolved for the shape of its inputs.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Returns the shape of one input.
    #[must_use]
    pub fn input(&self) -> &Shape {
        &self.graph.input
    }

    /// Returns the number of outputs.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.graph.output().channels()
    }

    /// Returns all parameters in the network's order, each layer's weights before its bias: weights
    /// (fan_in, width), where a convolution's fan-in counts `(height, width, in)` row by row,
    /// and biases (1, width).
    #[must_use]
    pub fn parameters(&self) -> Vec<Array2<T>> {
        T::parameters(self)
    }

    /// Returns the number of parameters, each weight and bias counted as one.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.lengths().sum()
    }

    /// Returns the names of the parameter arrays, as `layers.0.weight` or `layers.3.branch.paths.1.0.bias`.
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

    /// Computes the output of every layer of the network (a branch with its paths counts as one)
    /// on inputs (n, ...), dropout switched off: arrays (n, positions..., channels).
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn activations<'x>(
        &self,
        x: impl Into<Inputs<'x, T>>,
    ) -> Result<Vec<ArrayD<T>>, ModelError> {
        T::activations(self, x.into())
    }

    /// Computes the vector-Jacobian product `sum_i cotangent_i^T df(x_i)/dtheta` of a cotangent
    /// (n, outputs), an array for every parameter.
    ///
    /// # Errors
    /// [`ModelError`] where shapes do not fit.
    pub fn vjp<'x>(
        &self,
        x: impl Into<Inputs<'x, T>>,
        cotangent: &ArrayRef2<T>,
    ) -> Result<Vec<Array2<T>>, ModelError> {
        T::vjp(self, x.into(), cotangent.view())
    }

    /// Computes the outputs and the Jacobian-vector product, `df(x)/dtheta` applied to a direction
    /// of the parameters, both (n, outputs).
    ///
    /// # Errors
    /// [`ModelError`] where shapes do not fit.
    pub fn jvp<'x>(
        &self,
        x: impl Into<Inputs<'x, T>>,
        direction: &[Array2<T>],
    ) -> Result<(Array2<T>, Array2<T>), ModelError> {
        let direction: Vec<_> = direction.iter().map(|d| d.view()).collect();
        T::jvp(self, x.into(), &direction)
    }
}

/// Multiplies sizes; the product is at most `u64::MAX`.
pub(crate) fn saturating<const N: usize>(sizes: [usize; N]) -> u64 {
    let sizes = sizes.map(|size| u64::try_from(size).unwrap_or(u64::MAX));
    sizes.into_iter().fold(1, u64::saturating_mul)
}

/// What takes less is not asked about.
const LARGE: u64 = 1 << 28;

/// Refuses bytes that the system does not give.
pub(crate) fn check_memory(bytes: u64) -> Result<(), ModelError> {
    // Asked for and given back: pages that are not written to cost nothing.
    let given = |bytes: usize| Vec::<u8>::new().try_reserve_exact(bytes).is_ok();
    match bytes < LARGE || usize::try_from(bytes).is_ok_and(given) {
        true => Ok(()),
        false => Err(ModelError::Memory { bytes }),
    }
}

/// The largest number of parameters, or of numbers in a sample, for which memory is asked.
const MOST_NUMBERS: usize = isize::MAX as usize / 8;

/// Makes a model whose parameters are zero.
pub(crate) fn blank<T: Scalar>(network: &Network, input: &Shape) -> Result<Model<T>, ModelError> {
    let mut positions = input.positions().iter().copied();
    let size = positions.try_fold(input.channels(), usize::checked_mul);
    let too_large = || ModelError::TooLarge {
        shape: input.clone(),
    };
    match size {
        Some(0) => {
            return Err(ModelError::Empty {
                shape: input.clone(),
            });
        }
        Some(1..=MOST_NUMBERS) => {}
        _ => return Err(too_large()),
    }
    let graph = network.resolve(input)?;
    let layers = build(&graph)?;
    if !graph.output().positions().is_empty() {
        return Err(ModelError::Positions {
            shape: graph.output().clone(),
        });
    }
    let counts = graph.parameters().map(|p| p.shape.0.checked_mul(p.shape.1));
    let count = counts.reduce(|a, b| a?.checked_add(b?)).unwrap_or(Some(0));
    let memory = |count: usize| Vec::<T>::new().try_reserve_exact(count).is_ok();
    if !count.is_some_and(|count| count <= MOST_NUMBERS && memory(count)) {
        return Err(too_large());
    }
    let mut model = Model {
        graph,
        layers,
        parameters: Vec::new(),
    };
    model.parameters = model.lengths().map(T::memory).collect();
    Ok(model)
}

/// Makes the model of a graph that one was made of before, with these parameters.
pub(crate) fn of_graph<T: Scalar>(graph: Graph, parameters: Vec<Vec<T>>) -> Model<T> {
    Model {
        layers: build(&graph).expect("layers that were built before"),
        graph,
        parameters: parameters.into_iter().map(T::holding).collect(),
    }
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
    x: Inputs<'_, T>,
) -> Result<Array2<T>, ModelError> {
    let rows = model.rows(x)?;
    // Those of the pieces, and all.
    model.check_outputs(rows.len(), 2)?;
    let theta = model.theta();
    let outputs = model.pieces(rows.all(), |part| {
        let pass = part.pass(ForwardPass::VALUES);
        model.layers.forward(&theta, part.x.to_owned(), pass).0
    });
    Ok(model.stack(&outputs))
}

/// [`Model::activations`].
pub(crate) fn activations<T: Scalar>(
    model: &Model<T>,
    x: Inputs<'_, T>,
) -> Result<Vec<ArrayD<T>>, ModelError> {
    let theta = model.theta();
    let n = model.samples(&x)?;
    let numbers = model.sizes().fold(0, usize::saturating_add);
    check_memory(saturating([n, numbers, size_of::<T>()]))?;
    let rows = model.rows(x)?;
    let pass = rows.all().pass(ForwardPass::VALUES);
    let mut z = rows.all().x.to_owned();
    let mut all = Vec::with_capacity(model.graph.layers.len());
    for (layer, &number) in model.layers.0.iter().zip(&model.graph.layers) {
        z = layer.forward(&theta, z, pass).0;
        let axes = axes(n, &model.graph.nodes[number].after);
        let values = z.clone().into_shape_with_order(IxDyn(&axes));
        all.push(values.expect("as many numbers as the shape says"));
    }
    Ok(all)
}

/// [`Model::jvp`].
pub(crate) fn jvp<T: Scalar>(
    model: &Model<T>,
    x: Inputs<'_, T>,
    direction: &[ArrayView2<'_, T>],
) -> Result<(Array2<T>, Array2<T>), ModelError> {
    let rows = model.rows(x)?;
    model.check_direction(direction)?;
    model.check_outputs(rows.len(), 4)?;
    let theta = model.theta();
    let both = model.pieces(rows.all(), |part| {
        let pass = part.pass(ForwardPass::SAVED);
        let (z, saved) = model.layers.forward(&theta, part.x.to_owned(), pass);
        let dz = model.layers.tangent(&theta, &saved, None, Some(direction));
        let dz = dz.unwrap_or_else(|| Array2::zeros(z.raw_dim()));
        (z, dz)
    });
    let (z, dz): (Vec<_>, Vec<_>) = both.into_iter().unzip();
    Ok((model.stack(&z), model.stack(&dz)))
}

impl<T: Scalar> Model<T> {
    /// Returns zero for every parameter.
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

    /// Returns the number of numbers in each parameter.
    pub(crate) fn lengths(&self) -> impl Iterator<Item = usize> {
        self.graph.parameters().map(|p| p.shape.0 * p.shape.1)
    }

    pub(crate) fn numbers_mut(&mut self) -> &mut [Memory<T>] {
        &mut self.parameters
    }

    pub(crate) fn sequence(&self) -> &Sequence<T> {
        &self.layers
    }

    /// Returns the numbers of the last two dense layers' weights, where elementwise layers alone are
    /// between them, nothing follows, and there is one position.
    pub(crate) fn last_two(&self) -> Option<(usize, usize)> {
        let (first, nodes) = (first_parameters(&self.graph), &self.graph.nodes);
        let mut layers = self.graph.layers.iter().rev().copied();
        let elementwise = |node: &Node| match node.action {
            Action::Nothing | Action::Activation(_) | Action::Dropout { .. } => true,
            Action::Weights(_)
            | Action::Positions(_)
            | Action::Flatten { .. }
            | Action::Normalize { .. }
            | Action::BatchNorm { .. }
            | Action::Attention(_)
            | Action::Aggregate { .. }
            | Action::Recurrent(_)
            | Action::Embedding { .. }
            | Action::Concat { .. }
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

    /// Returns the number of rows of one sample.
    pub(crate) fn positions(&self) -> usize {
        positions(self.input())
    }

    /// Returns how many numbers each layer holds at once of one sample.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = usize> {
        self.graph.nodes.iter().map(|node| {
            let positions = positions(&node.before);
            let inside = match &node.action {
                Action::Weights(weights) if weights.windows.is_some() => {
                    let outputs = node.after.size() / node.after.channels().max(1);
                    outputs
                        .saturating_mul(weights.taps())
                        .saturating_mul(node.before.channels())
                }
                Action::Attention(logits) => {
                    let channels = logits.key_channels.saturating_mul(2);
                    let channels = channels.saturating_add(logits.value_channels.saturating_mul(2));
                    // Logits and weights of all pairs, and the rows of an embedding.
                    let head = channels.saturating_add(positions.saturating_mul(3));
                    let heads = logits.heads.saturating_mul(positions);
                    heads.saturating_mul(head)
                }
                Action::Recurrent(recurrence) => {
                    positions.saturating_mul(recurrence.width).saturating_mul(3)
                }
                Action::Nothing
                | Action::Weights(_)
                | Action::Positions(_)
                | Action::Flatten { .. }
                | Action::Activation(_)
                | Action::Normalize { .. }
                | Action::BatchNorm { .. }
                | Action::Dropout { .. }
                | Action::Aggregate { .. }
                | Action::Embedding { .. }
                | Action::Concat { .. }
                | Action::Merge(_) => 0,
            };
            inside.max(node.before.size()).max(node.after.size())
        })
    }

    /// Refuses `copies` of the outputs of so many samples where they need more memory than there is.
    fn check_outputs(&self, samples: usize, copies: usize) -> Result<(), ModelError> {
        check_memory(saturating([
            samples,
            self.outputs(),
            copies,
            size_of::<T>(),
        ]))
    }

    /// Returns the number of tokens, where the inputs are token ids.
    pub(crate) fn tokens(&self) -> Option<usize> {
        let first = self.graph.nodes.first().map(|node| &node.action);
        let Some(Action::Embedding { vocabulary, .. }) = first else {
            return None;
        };
        Some(*vocabulary)
    }

    /// Checks inputs (n, ...), and returns n.
    pub(crate) fn samples(
        &self,
        Inputs { x, structure }: &Inputs<'_, T>,
    ) -> Result<usize, ModelError> {
        let (input, n) = (self.input(), x.shape().first().copied().unwrap_or(0));
        // Token ids have no channels.
        let ids =
            self.tokens().is_some() && *x.shape() == axes(n, input)[..=input.positions().len()];
        if *x.shape() != axes(n, input) && !ids {
            return Err(ModelError::Input {
                expected: axes(n, input).split_off(1),
                found: x.shape().to_vec(),
            });
        }
        structure.fits(self.graph(), "x", n)?;
        Ok(n)
    }

    /// Does `work` on some samples at a time; in parallel, unless there is one piece alone, whose products
    /// then use all threads.
    fn pieces<R: Send>(&self, part: Part<'_, T>, work: impl Fn(Part<'_, T>) -> R + Sync) -> Vec<R> {
        let (n, samples) = (part.len(), self.piece());
        if n <= samples {
            return match n {
                0 => Vec::new(),
                _ => vec![work(part)],
            };
        }
        (0..n.div_ceil(samples))
            .into_par_iter()
            .map(|piece| {
                let first = piece * samples;
                work(part.of(first..n.min(first + samples)))
            })
            .collect()
    }

    /// Returns the number of samples in a piece: few where each has many positions.
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

    /// Checks that there is a target for every output of so many samples.
    pub(crate) fn check_targets(&self, n: usize, y: ArrayView2<'_, T>) -> Result<(), ModelError> {
        let expected = (n, self.outputs());
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
