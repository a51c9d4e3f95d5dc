//! Resolves networks for samples of one shape: what every layer does is inferred once, for the
//! closed form, the finite network, files of weights and the commands.

use super::action::{Action, Mechanism, Merge};
use super::error::{NetworkError, inside, top};
use super::layers::{Layer, Resolved};
use super::parameters::Parameter;
use super::shape::Shape;
use super::{Network, Parameterization};
use crate::dual::Activation;

/// A `Graph` holds the layers of a [`Network`] with what is known of each for samples of one shape;
/// [`Network::resolve`] makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// The scaling of the weights.
    pub parameterization: Parameterization,
    /// The shape of one sample.
    pub input: Shape,
    /// All layers, each after the layers that it reads; those in the paths of a branch come before
    /// the branch.
    pub nodes: Vec<Node>,
    /// The indices in `nodes` of the layers that are in no branch, from input to output.
    pub layers: Vec<usize>,
}

/// A `Node` is one layer of a [`Graph`].
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The layer's path in the network, such as `layers[3].branch.paths[1][0]`.
    pub path: String,
    /// The layer itself.
    pub layer: Layer,
    /// The indices of the nodes whose outputs the layer reads; `None` stands for the network's
    /// input.
    pub reads: Vec<Option<usize>>,
    /// The indices of the nodes inside the layer, path by path.
    pub paths: Vec<Vec<usize>>,
    /// The shape of one sample before the layer, and before its paths where it has some.
    pub before: Shape,
    /// The shape of one sample after the layer.
    pub after: Shape,
    /// The action of the layer.
    pub action: Action,
    /// The trained parameters of the layer.
    pub parameters: Vec<Parameter>,
    /// The properties of the signal after the layer.
    pub signal: Signal,
    /// The reason why the layer has no kernel in closed form in this place, if it has none.
    pub no_kernel: Option<String>,
    /// The reason why the layer has no finite form, if it has none.
    pub no_finite: Option<String>,
}

impl Node {
    /// Returns the sizes of the axes whose positions are the nodes of the samples' graphs, where the
    /// layer sums over edges.
    #[must_use]
    pub fn graph_axes(&self) -> Option<Vec<usize>> {
        let Action::Aggregate { over } = &self.action else {
            return None;
        };
        let sizes = self.before.positions().iter().zip(over);
        let sizes = sizes.filter_map(|(&size, &over)| over.then_some(size));
        Some(sizes.collect())
    }
}

/// A `Signal` holds what is known of the values between two layers, over random weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Whether the values are a Gaussian process at every position, so that an activation's dual
    /// applies.
    pub gaussian: bool,
    /// Whether the mean of the values is zero.
    pub centered: bool,
    /// Whether the values have passed through weights of their own since the branch began.
    pub fresh: bool,
    /// Whether the values are groups of channels side by side, each group a Gaussian process, so that
    /// an activation's dual applies to each.
    pub groups: bool,
    /// Whether all channels have one distribution, so that some of them are as good as all.
    pub alike: bool,
    /// The number of trained scales that each channel has been multiplied by since the last weights,
    /// so that an activation counts them; `None` where paths with and without scales have met.
    pub scales: Option<usize>,
    /// The number of channels over that for which the layers before are meant.
    pub spread: f64,
    /// The order of the features.
    pub order: Order,
}

/// An `Order` says in which order the features of a signal are stored, which other libraries may do
/// differently.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// The order in which a layer with weights, or the input, stores them.
    Own,
    /// The positions and channels of a signal of this shape, flattened.
    Flattened(Shape),
    /// A mixture: paths of different orders were merged.
    Mixed,
}

impl Network {
    /// Infers what every layer does to samples of shape `input`, and refuses networks that do not
    /// fit them.
    ///
    /// # Errors
    /// Returns a [`NetworkError`] for the first layer whose options are out of range, that does not
    /// accept the output of the layers before it, or whose output or weights have more entries than
    /// `usize` can count.
    ///
    /// ```
    /// use ntk_kernels::network::*;
    /// let network = Network::new().then(conv([3, 3])).then(relu()).then(flatten()).then(dense());
    /// let graph = network.resolve([8, 8, 3])?;
    /// assert_eq!(graph.nodes[0].after, Shape::new([6, 6], 64));
    /// assert_eq!(graph.nodes[3].parameters[0].shape, (6 * 6 * 64, 512));
    /// # Ok::<(), NetworkError>(())
    /// ```
    pub fn resolve(&self, input: impl Into<Shape>) -> Result<Graph, NetworkError> {
        self.resolve_shape(input.into())
    }

    fn resolve_shape(&self, input: Shape) -> Result<Graph, NetworkError> {
        self.validate()?;
        let mut graph = Graph {
            parameterization: self.parameterization,
            input: input.clone(),
            nodes: Vec::new(),
            layers: Vec::new(),
        };
        let start = At {
            source: None,
            shape: input.clone(),
            signal: Signal {
                gaussian: false,
                centered: false,
                fresh: false,
                groups: false,
                alike: false,
                scales: Some(0),
                spread: 1.0,
                order: Order::Own,
            },
        };
        (graph.layers, _) = graph.add(&self.layers, &top, start)?;
        Ok(graph)
    }
}

/// A place between two layers, and the signal there.
#[derive(Clone)]
struct At {
    source: Option<usize>,
    shape: Shape,
    signal: Signal,
}

impl Graph {
    /// Returns the shape of one output.
    #[must_use]
    pub fn output(&self) -> &Shape {
        self.layers
            .last()
            .and_then(|&last| self.nodes.get(last))
            .map_or(&self.input, |node| &node.after)
    }

    /// Returns the network that was resolved.
    #[must_use]
    pub fn network(&self) -> Network {
        let nodes = self
            .layers
            .iter()
            .filter_map(|&number| self.nodes.get(number));
        let layers = nodes.map(|node| &node.layer);
        Network {
            parameterization: self.parameterization,
            layers: layers.cloned().collect(),
        }
    }

    /// Returns the order of the features that a layer reads.
    #[must_use]
    pub fn order_before(&self, node: &Node) -> &Order {
        let before = node.reads.first().copied().flatten();
        let before = before.and_then(|before| self.nodes.get(before));
        before.map_or(&Order::Own, |before| &before.signal.order)
    }

    /// Iterates over all parameters in the order of the layers, weights before biases.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.nodes.iter().flat_map(|node| &node.parameters)
    }

    /// Returns a printable table with the path of each layer, the layer, and the shape after it.
    ///
    /// ```
    /// use ntk_kernels::network::{Network, Shape, dense, flatten};
    ///
    /// let network = Network::new().then(flatten()).then(dense().width(10));
    /// let table = network.resolve([4, 4, 1])?.table();
    /// assert_eq!(table.lines().count(), 3); // the input and two layers
    /// assert!(table.ends_with("(10)\n"));
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    #[must_use]
    pub fn table(&self) -> String {
        let mut lines = vec![["".into(), "input".into(), self.input.to_string()]];
        lines.extend(self.nodes.iter().map(|node| {
            let (layer, after) = (node.layer.to_string(), node.after.to_string());
            [node.path.clone(), layer, after]
        }));
        let width = |column: usize| lines.iter().map(|l| l[column].len()).max().unwrap_or(0);
        let (paths, layers) = (width(0), width(1));
        lines
            .iter()
            .map(|[path, layer, shape]| format!("{path:paths$}  {layer:layers$}  {shape}\n"))
            .collect()
    }

    /// Adds layers one after another; returns their indices and the place after the last.
    fn add(
        &mut self,
        layers: &[Layer],
        path: &dyn Fn(usize) -> String,
        mut at: At,
    ) -> Result<(Vec<usize>, At), NetworkError> {
        let mut numbers = Vec::with_capacity(layers.len());
        for (i, layer) in layers.iter().enumerate() {
            at = self.add_one(layer, path(i), at)?;
            numbers.extend(at.source);
        }
        Ok((numbers, at))
    }

    /// Says which layer before made the signal one without a kernel of activations, if it was Gaussian
    /// before that layer, or the layer has weights.
    fn spoilt(&self, at: &At) -> Option<&'static str> {
        let before = |node: &Node| node.reads.first().copied().flatten();
        let mut source = at.source;
        while let Some(node) = source.and_then(|number| self.nodes.get(number)) {
            let gaussian = before(node).and_then(|number| self.nodes.get(number));
            let gaussian = gaussian.is_some_and(|node| node.signal.gaussian);
            match &node.action {
                Action::Flatten { .. } => {
                    return (gaussian && !at.signal.gaussian).then_some(
                        "the positions that a flatten made features of differ in variance, so that it has no kernel there; put the activation before the flatten, which gives the same outputs",
                    );
                }
                Action::Nothing => source = before(node),
                Action::Weights(weights) => {
                    return weights.depthwise().then_some(
                        "a channel of a depthwise convolution is a random filter of one channel, and no sum over many, so that it is not Gaussian; put a dense layer between, or use fewer groups than channels",
                    );
                }
                Action::Positions(_)
                | Action::Activation(_)
                | Action::Normalize { .. }
                | Action::BatchNorm { .. }
                | Action::Dropout { .. }
                | Action::Attention(_)
                | Action::Aggregate { .. }
                | Action::Recurrent(_)
                | Action::Embedding { .. }
                | Action::Concat { .. }
                | Action::Merge(_) => return None,
            }
        }
        None
    }

    fn add_one(&mut self, layer: &Layer, path: String, at: At) -> Result<At, NetworkError> {
        let fail = |reason| NetworkError::Shape {
            path: path.clone(),
            name: layer.name().into(),
            reason,
        };
        at.shape.check("its input").map_err(fail)?;
        let (mut paths, mut ends) = (Vec::new(), Vec::new());
        for (number, layers) in layer.kind().paths().iter().enumerate() {
            let mut start = at.clone();
            start.signal.fresh = false;
            // An activation ends the paths of a layer before it, and not those of one around it.
            start.signal.groups = false;
            let (inner, end) = self.add(layers, &|j| inside(&path, number, j), start)?;
            paths.push(inner);
            ends.push(end);
        }
        let before = at.shape.clone();
        let start = at.signal.fresh;
        if ends.is_empty() {
            ends.push(at);
        }
        let shapes: Vec<Shape> = ends.iter().map(|end| end.shape.clone()).collect();
        let resolved = match paths.is_empty() {
            true => layer.kind().resolve(&shapes[0]),
            false => layer.kind().join(&shapes),
        };
        let Resolved { shape, mut action } = resolved.map_err(fail)?;
        if let Action::Embedding { .. } = action
            && !(self.nodes.is_empty() && path == top(0))
        {
            return Err(fail(
                "it takes token ids, and is the first layer of a network".into(),
            ));
        }
        if let Some(reason) = action.misfit(&shapes, &shape, paths.len()) {
            return Err(fail(reason));
        }
        let spread = ends[0].signal.spread;
        if let Some(end) = ends.iter().find(|end| end.signal.spread != spread) {
            return Err(fail(format!(
                "its paths must end in widths of one multiple of their base widths, found {spread} and {}",
                end.signal.spread
            )));
        }
        if let Action::Weights(weights) = &mut action {
            weights.spread = spread;
            if weights.base.is_some() && self.parameterization == Parameterization::Ntk {
                return Err(fail(
                    "a base width has a meaning in the standard parameterisation alone; leave it out"
                        .into(),
                ));
            }
        }
        let alike = |end: &&At| end.shape.positions() == ends[0].shape.positions();
        if !matches!(action, Action::Concat { .. })
            && let Some(end) = ends.iter().find(|end| !alike(end))
        {
            return Err(fail(format!(
                "its paths must end in one shape, found {} and {}; give them the same strides and padding",
                ends[0].shape, end.shape
            )));
        }
        shape.check("its output").map_err(fail)?;
        let signal = action.after(&ends, start);
        let parameters = action.parameters(&path, &before, self.parameterization);
        if let Some(reason) = parameters.iter().find_map(Parameter::excess) {
            return Err(fail(reason));
        }
        self.nodes.push(Node {
            no_kernel: action.no_kernel(&ends, self.spoilt(&ends[0])),
            no_finite: action.no_finite(&ends),
            reads: ends.iter().map(|end| end.source).collect(),
            path,
            layer: layer.clone(),
            paths,
            before,
            after: shape.clone(),
            action,
            parameters,
            signal: signal.clone(),
        });
        let source = Some(self.nodes.len() - 1);
        Ok(At {
            source,
            shape,
            signal,
        })
    }
}

impl Action {
    /// Infers the signal after the action from those at the places that it reads; `fresh` says
    /// whether the signal before the layer's paths was fresh.
    fn after(&self, reads: &[At], fresh: bool) -> Signal {
        let At { signal, shape, .. } = &reads[0];
        let signal = signal.clone();
        match self {
            Self::Nothing => signal,
            // Maps of a channel times its scale are maps of the channel, times the scale.
            Self::Positions(_) | Self::Aggregate { .. } => Signal {
                groups: false,
                ..signal
            },
            Self::Normalize { affine, .. } => Signal {
                groups: false,
                scales: signal.scales.map(|count| count + usize::from(*affine)),
                ..signal
            },
            // A channel made of one other depends on it, by its size.
            Self::Weights(weights) if weights.depthwise() => Signal {
                gaussian: false,
                centered: true,
                groups: false,
                scales: Some(0),
                spread: self.spread(),
                order: Order::Own,
                ..signal
            },
            Self::Weights(_) | Self::Attention(_) | Self::Embedding { .. } => Signal {
                gaussian: true,
                centered: true,
                fresh: true,
                groups: false,
                alike: true,
                scales: Some(0),
                spread: self.spread(),
                order: Order::Own,
            },
            Self::Recurrent(_) => Signal {
                gaussian: false,
                centered: false,
                fresh: true,
                groups: false,
                alike: true,
                scales: Some(0),
                spread: 1.0,
                order: Order::Own,
            },
            Self::Flatten { over } => {
                let alone = shape.flattened(over).positions().is_empty();
                let mut sizes = shape.positions().iter().zip(over);
                // Positions differ in variance, so that one covariance no longer describes the signal.
                let one = sizes.all(|(&size, &over)| size == 1 || !over);
                Signal {
                    gaussian: signal.gaussian && one,
                    alike: signal.alike && one,
                    order: match alone {
                        true => Order::Flattened(shape.clone()),
                        false => Order::Mixed,
                    },
                    groups: false,
                    ..signal
                }
            }
            Self::Dropout { .. } | Self::BatchNorm { .. } => Signal {
                gaussian: false,
                groups: false,
                ..signal
            },
            Self::Activation(_) => Signal {
                gaussian: false,
                groups: false,
                scales: Some(0),
                centered: false,
                ..signal
            },
            Self::Merge(merge) => {
                let all = |known: fn(&Signal) -> bool| reads.iter().all(|at| known(&at.signal));
                let alike = reads.iter().all(|at| at.signal.order == signal.order);
                Signal {
                    gaussian: all(|s| s.gaussian) && (*merge == Merge::Sum || reads.len() == 1),
                    centered: match merge {
                        Merge::Sum | Merge::Concat => all(|s| s.centered),
                        Merge::Product => reads.iter().any(|at| at.signal.centered),
                    },
                    fresh: fresh || all(|s| s.fresh),
                    groups: false,
                    alike: all(|s| s.alike),
                    scales: met(reads),
                    spread: signal.spread,
                    order: if alike { signal.order } else { Order::Mixed },
                }
            }
            Self::Concat { axis } => {
                let all = |known: fn(&Signal) -> bool| reads.iter().all(|at| known(&at.signal));
                let gaussian = all(|s| s.gaussian);
                Signal {
                    // Channels of different variances are no sample of one Gaussian.
                    gaussian: gaussian && (axis.is_some() || reads.len() == 1),
                    groups: gaussian && axis.is_none(),
                    centered: all(|s| s.centered),
                    fresh: fresh || all(|s| s.fresh),
                    alike: all(|s| s.alike) && (axis.is_some() || reads.len() == 1),
                    scales: met(reads),
                    spread: signal.spread,
                    order: Order::Mixed,
                }
            }
        }
    }

    /// Returns the number of channels that weights give over that for which they are meant.
    fn spread(&self) -> f64 {
        let Self::Weights(weights) = self else {
            return 1.0;
        };
        weights.width as f64 / weights.base.unwrap_or(weights.width) as f64
    }

    /// Says why the closed form does not hold after the places that the action reads, if it does
    /// not; `spoilt` says of an activation why, if a layer before it is the reason.
    fn no_kernel(&self, reads: &[At], spoilt: Option<&'static str>) -> Option<String> {
        let signal = &reads[0].signal;
        let (fault, reason) = match self {
            Self::Activation(_) if spoilt.is_some() => (true, spoilt.unwrap_or_default()),
            Self::Activation(_)
                if (signal.gaussian || signal.groups) && signal.scales.is_none() =>
            {
                (
                    true,
                    "paths with trained scales of layer_norm meet before it, so that it has no kernel there; put a dense or conv layer between, put it at the end of the paths of a concatenation, or set affine to false",
                )
            }
            Self::Activation(activation)
                if signal.scales != Some(0) && activation.euler().is_none() =>
            {
                (
                    true,
                    "the gradient by the trained scale of the layer_norm before it needs its derivative, which is not known; put a dense or conv layer between, or set affine to false",
                )
            }
            Self::Activation(_) => (
                !signal.gaussian && !signal.groups,
                "an activation has a kernel only after a dense, conv or attention layer, whose outputs are Gaussian; put one before it",
            ),
            Self::Normalize { .. } => (
                !signal.centered,
                "it subtracts means, which are known to be zero only after a dense, conv or attention layer; put one before it",
            ),
            Self::Merge(merge) => {
                // A path that has mean zero and is independent of the others leaves no cross terms.
                let centered = *merge != Merge::Product;
                let independent = |signal: &Signal| signal.fresh && (signal.centered || !centered);
                let dependent = reads.iter().filter(|at| !independent(&at.signal));
                (
                    dependent.count() > 1,
                    "all paths but one must have dense or conv layers of their own, and in a sum end in them: the kernels of dependent paths do not just add or multiply",
                )
            }
            Self::Concat { axis: Some(_) } => {
                let dependent = reads
                    .iter()
                    .filter(|at| !(at.signal.fresh && at.signal.centered));
                (
                    dependent.count() > 1,
                    "all paths but one must end in dense or conv layers of their own: what dependent paths put side by side is correlated",
                )
            }
            Self::BatchNorm { .. } => (
                true,
                "in training its means and variances tie all samples of a batch together, and in evaluation a kernel needs the law of stored statistics, scales and shifts over infinitely many channels; use layer_norm, which normalises each sample by itself, or estimate the kernel of finite networks with ntk_train::MonteCarlo",
            ),
            Self::Weights(weights) => (
                weights.groups > 1 && !signal.alike,
                "its groups read different channels, as after the data, a flatten or a concatenation, and have kernels of their own; put a layer with weights before it, or at the end of each path of a concatenation a conv of one group, which says the same where groups and paths are the same",
            ),
            Self::Attention(logits) => (
                logits.mechanism == Mechanism::Softmax && !logits.linear_scaling,
                "softmax has no kernel in closed form with square-root scaling; set linear_scaling, or estimate the kernel with ntk_train::MonteCarlo",
            ),
            Self::Nothing
            | Self::Positions(_)
            | Self::Flatten { .. }
            | Self::Aggregate { .. }
            | Self::Recurrent(_)
            | Self::Embedding { .. }
            | Self::Concat { axis: None }
            | Self::Dropout { .. } => (false, ""),
        };
        fault.then(|| reason.into())
    }

    /// Says why there is no finite form after the places that the action reads, if there is none.
    fn no_finite(&self, reads: &[At]) -> Option<String> {
        match self {
            Self::Activation(activation) => without_function(activation),
            Self::Recurrent(recurrence) => without_function(&recurrence.activation),
            Self::Merge(_) => {
                let first = &reads[0].shape;
                let other = reads.iter().find(|at| at.shape != *first)?;
                Some(format!(
                    "its paths must end in one shape, found {first} and {}; give them the same widths, strides and padding",
                    other.shape
                ))
            }
            Self::Nothing
            | Self::Weights(_)
            | Self::Positions(_)
            | Self::Flatten { .. }
            | Self::Normalize { .. }
            | Self::BatchNorm { .. }
            | Self::Attention(_)
            | Self::Aggregate { .. }
            | Self::Embedding { .. }
            | Self::Concat { .. }
            | Self::Dropout { .. } => None,
        }
    }
}

/// Counts the scales of channels after paths have met: where one has some they no longer multiply the
/// whole.
fn met(reads: &[At]) -> Option<usize> {
    match reads {
        [one] => one.signal.scales,
        all => all
            .iter()
            .all(|at| at.signal.scales == Some(0))
            .then_some(0),
    }
}

/// Says that an activation is known by its dual alone, if it is.
fn without_function(activation: &Activation) -> Option<String> {
    activation.at(0.0).is_none().then(|| {
        "it is known by its infinite-width kernel alone; finite networks have no activations without a function"
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::*;

    fn resolved() -> Graph {
        let block = Network::new()
            .then(conv([3, 3]).channels(8).same().b_std(0.1))
            .then(relu());
        Network::new()
            .then(conv([3, 3]).channels(8).w_std(2.0))
            .then(residual(block))
            .then(avg_pool([2, 2]))
            .then(flatten())
            .then(relu())
            .then(dense().width(10))
            .resolve(Shape::new([10, 10], 3))
            .unwrap()
    }

    #[test]
    fn layers_stand_after_those_that_they_read() {
        let graph = resolved();
        let paths: Vec<_> = graph.nodes.iter().map(|node| &node.path[..]).collect();
        assert_eq!(
            paths,
            [
                "layers[0]",
                "layers[1].branch.paths[0][0]",
                "layers[1].branch.paths[0][1]",
                "layers[1].branch.paths[1][0]",
                "layers[1]",
                "layers[2]",
                "layers[3]",
                "layers[4]",
                "layers[5]",
            ]
        );
        assert_eq!(graph.layers, [0, 4, 5, 6, 7, 8]);
        let reads: Vec<_> = graph.nodes.iter().map(|node| node.reads.clone()).collect();
        assert_eq!(reads[0], [None]);
        assert_eq!(reads[1..4], [[Some(0)], [Some(1)], [Some(0)]]);
        assert_eq!(reads[4], [Some(2), Some(3)]);
        assert_eq!(reads[5], [Some(4)]);
        assert_eq!(graph.nodes[4].paths, [vec![1, 2], vec![3]]);
        assert_eq!(graph.output(), &Shape::features(10));
        assert_eq!(graph.nodes[5].after, Shape::new([4, 4], 8));
    }

    #[test]
    fn parameters_are_those_of_the_layers_that_have_them() {
        let graph = resolved();
        let found: Vec<_> = graph.parameters().collect();
        let names: Vec<_> = found.iter().map(|p| &p.name[..]).collect();
        assert_eq!(
            names,
            [
                "layers.0.weight",
                "layers.1.branch.paths.0.0.weight",
                "layers.1.branch.paths.0.0.bias",
                "layers.5.weight",
            ]
        );
        assert_eq!(found[0].axes, [3, 3, 3, 8]);
        assert_eq!((found[0].shape, found[0].fan_out), ((27, 8), 72));
        assert_eq!(found[0].scale, 2.0 / 27.0_f64.sqrt());
        assert_eq!((&found[2].axes[..], found[2].shape), (&[8][..], (1, 8)));
        assert_eq!((found[2].role, found[2].scale), (Role::Bias, 0.1));
        assert_eq!(found[3].axes, [128, 10]);
        let bias = |b_std: Option<f64>| {
            let network = Network::new().then(dense().b_std(b_std));
            let graph = network.resolve(Shape::features(4)).unwrap();
            graph.parameters().nth(1).map(|p| (p.start, p.scale))
        };
        assert_eq!(bias(None), None);
        // A bias that starts at zero is a parameter.
        assert_eq!(bias(Some(0.0)), Some((Start::Normal(1.0), 0.0)));
        let standard = Network::new()
            .then(dense().b_std(0.5))
            .parameterization(Parameterization::Standard)
            .resolve(Shape::features(4))
            .unwrap();
        assert!(standard.parameters().all(|p| p.scale == 1.0));
    }

    #[test]
    fn what_is_known_of_a_signal_follows_it() {
        let graph = resolved();
        let signal = |number: usize| &graph.nodes[number].signal;
        assert!(signal(0).gaussian && signal(0).centered && signal(0).fresh);
        // The identity path is not fresh since the branch began, the other's activation is.
        assert!(!signal(3).fresh && signal(2).fresh && !signal(2).centered);
        assert_eq!(signal(6).order, Order::Flattened(Shape::new([4, 4], 8)));
        assert_eq!(signal(7).order, signal(6).order);
        assert_eq!(signal(8).order, Order::Own);
        assert!(
            graph.nodes[7]
                .no_kernel
                .as_ref()
                .unwrap()
                .contains("Gaussian")
        );
        let reason = |flattened: Network| {
            let graph = flattened.then(relu()).resolve(Shape::new([4], 2)).unwrap();
            graph.nodes.last().unwrap().no_kernel.clone().unwrap()
        };
        let told = "put the activation before the flatten";
        let flattened = || Network::new().then(conv([3])).then(flatten());
        assert!(reason(flattened()).contains(told));
        assert!(reason(flattened().then(identity())).contains(told));
        for other in [
            Network::new().then(flatten()),
            Network::new().then(conv([3])).then(relu()).then(flatten()),
            flattened().then(dropout(0.5)),
        ] {
            assert!(!reason(other).contains(told));
        }
        assert!(graph.nodes.iter().all(|node| node.no_finite.is_none()));
        let wide = Network::new()
            .then(residual(Network::new().then(dense().width(7))))
            .then(exp_normalized(1.0, 0.5))
            .resolve(Shape::features(4))
            .unwrap();
        let reason = |number: usize| wide.nodes[number].no_finite.clone().unwrap();
        assert!(reason(2).contains("(7) and (4)"), "{}", reason(2));
        assert!(reason(3).contains("infinite-width kernel alone"));
        assert!(wide.nodes[2].no_kernel.is_none());
    }
}
