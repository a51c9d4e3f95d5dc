//! Turns a network resolved for one shape of input into what each layer does to a covariance.

use super::KernelError;
use crate::affine::{Affine, Deviations};
use crate::dual::{Activation, PreparedSamples};
use crate::network::{
    AXES, Action, Graph, Layer, Logits, Merge, Node, Parameterization, PositionMap, Recurrence,
    Shape, States, Weights, Windows, axes_of, count_positions, kept, padded,
};
use crate::pairs::Maps;
use ntk_linalg::Real;

impl Affine {
    /// Makes the map of weights whose deviations have this number among the hyperparameters; `None`
    /// where they are none of them.
    pub(crate) fn weights(
        weights: &Weights,
        parameterization: Parameterization,
        number: Option<usize>,
    ) -> Self {
        let (before, after, constant) = match parameterization {
            Parameterization::Ntk => (0.0, 1.0, 0.0),
            Parameterization::Standard => {
                let bias = f64::from(u8::from(weights.b_std.is_some()));
                (weights.base_fan_in(), 0.0, bias)
            }
        };
        // Layers sum over the filter, and the scale makes means of the sums.
        let taps = weights.taps() as f64;
        Self {
            scale: weights.w_std * weights.w_std / taps,
            shift: weights.b_std.map_or(0.0, |b_std| b_std * b_std),
            before: before / taps,
            after,
            constant,
            by: number.map(|number| Deviations {
                number,
                scale: 2.0 * weights.w_std / taps,
                shift: weights.b_std.map(|b_std| 2.0 * b_std),
            }),
        }
    }
}

impl Affine {
    /// Makes the map of an embedding, from whether tokens are the same, whose deviation has this number.
    fn embedding(w_std: f64, parameterization: Parameterization, number: Option<usize>) -> Self {
        let (before, after) = match parameterization {
            Parameterization::Ntk => (0.0, 1.0),
            Parameterization::Standard => (1.0, 0.0),
        };
        Self {
            scale: w_std * w_std,
            before,
            after,
            by: number.map(|number| Deviations {
                number,
                scale: 2.0 * w_std,
                shift: None,
            }),
            ..Self::IDENTITY
        }
    }
}

/// A `Site` is a layer that needs numbers of each sample alone; `index` counts the sites of a
/// program.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Site {
    pub(super) index: usize,
    pub(super) path: String,
    pub(super) map: SiteMap,
    /// The number of an activation's first parameter among the network's hyperparameters; `None` where
    /// there are none.
    pub(super) parameters: Option<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum SiteMap {
    Activation(Activation),
    /// Divides by the standard deviation, of the variance averaged over the marked axes.
    Norm {
        eps: f64,
        over: [bool; AXES],
        /// The sizes of the axes of positions.
        sizes: [usize; AXES],
    },
}

/// A `Step` says what a layer does to covariances.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Affine(Affine),
    Site(Site),
    Dropout {
        keep: f64,
    },
    Mix(Mix),
    Branch {
        paths: Vec<Vec<Step>>,
        merge: Merge,
    },
    /// Paths stand side by side along an axis of positions, whose sizes these are in each path.
    Stack {
        paths: Vec<Vec<Step>>,
        axis: usize,
        sizes: Vec<[usize; AXES]>,
    },
}

/// A `Mix` is a step that mixes positions.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mix {
    /// A convolution: the sum over the taps that read a position of both samples.
    Taps(Windows, Affine),
    /// A convolution whose weights differ from position to position: the same at pairs of equal
    /// positions, and nothing at others.
    Local(Windows, Affine),
    /// A fixed linear map `M K M^T`.
    Map(PositionMap),
    /// The mean over pairs of equal positions along the marked axes.
    Flatten([bool; AXES], [usize; AXES]),
    /// Attention.
    Attention(Box<Attention>),
    /// The sum over the edges of each sample's graph, whose nodes are the positions along the marked
    /// axes.
    Aggregate([bool; AXES], [usize; AXES]),
    /// The states of a recurrent layer.
    Recurrent(Box<Recurrent>),
}

/// An `Attention` is an attention layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Attention {
    pub(super) logits: Logits,
    /// The index of its site.
    pub(super) site: usize,
    /// The number of its first hyperparameter among the network's; `None` where there are none.
    pub(super) first: Option<usize>,
    /// The derivatives of what the logits hold by each of its hyperparameters.
    pub(super) by: Vec<LogitStds>,
}

/// `LogitStds` are derivatives of, or by, the standard deviations that [`Logits`] hold.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct LogitStds {
    pub(super) logit: f64,
    pub(super) value: f64,
    pub(super) bias: f64,
    pub(super) embedding: f64,
}

impl LogitStds {
    /// Lists them by each hyperparameter of a layer, in the order of its
    /// [`deviations`](crate::network::LayerKind::deviations).
    fn by(layer: &Layer) -> Vec<Self> {
        let Layer::Attention(of) = layer else {
            return Vec::new();
        };
        let logit = |logit| Self {
            logit,
            ..Self::default()
        };
        let value = |value| Self {
            value,
            ..Self::default()
        };
        let biases = of.b_std.map(|_| Self {
            bias: 1.0,
            ..Self::default()
        });
        let embedding = of.embedding.map(|_| Self {
            embedding: 1.0,
            ..Self::default()
        });
        let weights = [
            logit(of.w_query_std),
            value(of.w_out_std),
            logit(of.w_key_std),
            value(of.w_value_std),
        ];
        weights.into_iter().chain(biases).chain(embedding).collect()
    }
}

/// A `Recurrent` is a recurrent layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recurrent {
    pub(super) recurrence: Recurrence,
    /// The number of its first hyperparameter among the network's, `w_std`, which `u_std` and, where there
    /// are biases, `b_std` follow; `None` where there are none.
    pub(super) first: Option<usize>,
    /// The activation's site.
    pub(super) site: Site,
    /// True where weights are scaled as in the standard parameterisation.
    pub(super) standard: bool,
}

/// A network resolved for inputs of one shape.
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    /// The number of sites: activations, normalisations and attentions.
    pub(super) sites: usize,
    /// The positions of one input along each axis.
    pub(super) positions: [usize; AXES],
    /// The shape of one output.
    pub(super) end: Shape,
    /// True where a layer mixes positions, even where there is only one.
    pub(super) mixes: bool,
    /// True where a layer leaves out some axes of positions and keeps others.
    squeezes: bool,
    /// The number of tokens, where the inputs are token ids: positions of the same one have covariance 1.
    pub(super) tokens: Option<usize>,
    /// The sizes of the axes of graphs, where a layer sums over edges.
    pub(super) nodes: Option<Vec<usize>>,
    /// The path of the last layer, for errors.
    pub(super) last: String,
}

impl Program {
    /// Makes the program of `graph`, and refuses what has no kernel in closed form.
    pub(super) fn new(graph: &Graph) -> Result<Self, KernelError> {
        for node in &graph.nodes {
            if let Some(reason) = &node.no_kernel {
                return Err(KernelError::NoClosedForm {
                    path: node.path.clone(),
                    name: node.layer.name().into(),
                    reason: reason.clone(),
                });
            }
        }
        let counts = graph.nodes.iter().scan(0, |before, node| {
            let number = *before;
            *before += node.layer.hyperparameters().len();
            Some(number)
        });
        let mut builder = Builder {
            graph,
            hyperparameters: counts.collect(),
            first: 0,
            sites: 0,
            mixes: false,
            tokens: None,
        };
        let steps = builder.steps(&graph.layers);
        let last = graph.layers.last().map(|&last| name(&graph.nodes[last]));
        Ok(Self {
            steps,
            sites: builder.sites,
            positions: axes_of(&graph.input),
            end: graph.output().clone(),
            mixes: builder.mixes || builder.tokens.is_some(),
            tokens: builder.tokens,
            nodes: graph_nodes(graph)?,
            squeezes: graph.nodes.iter().any(|node| {
                let [before, after] =
                    [&node.before, &node.after].map(|shape| shape.positions().len());
                after != before && after != 0
            }),
            last: last.unwrap_or_else(|| "the network without layers".into()),
        })
    }

    /// Says whether planes of equal displacement stay apart in every layer but pools.
    pub(super) fn in_planes(&self) -> bool {
        fn all(steps: &[Step]) -> bool {
            steps.iter().all(|step| match step {
                Step::Affine(_) | Step::Site(_) | Step::Dropout { .. } => true,
                Step::Branch { paths, .. } => paths.iter().all(|path| all(path)),
                // Along the last axis its one position is read by the one tap, and as it is.
                Step::Mix(Mix::Taps(windows, _)) => {
                    let one = windows.outputs()[2] == 1 && windows.window()[2] == 1;
                    one && windows.taps(2, 0).len() == 1
                }
                Step::Mix(Mix::Map(map)) => {
                    let last = map.axes().map(|axes| axes[2].rows());
                    last.is_some_and(|rows| matches!(rows, [row] if row[..] == [(0, 1.0)]))
                }
                Step::Mix(Mix::Flatten(over, sizes)) => kept(*sizes, *over) == [1; AXES],
                Step::Mix(
                    Mix::Local(..) | Mix::Attention(..) | Mix::Aggregate(..) | Mix::Recurrent(_),
                )
                | Step::Stack { .. } => false,
            })
        }
        self.tokens.is_none() && self.positions[2] == 1 && !self.squeezes && all(&self.steps)
    }

    /// Says whether every layer is a map of one covariance of samples of this shape.
    pub(super) fn on_vectors(&self, shape: &Shape) -> bool {
        shape.positions().is_empty() && !self.mixes
    }

    /// Counts the numbers that all sites need of one sample, at all positions.
    pub(super) fn numbers(&self) -> usize {
        fn count(steps: &[Step], mut positions: usize) -> (usize, usize) {
            let mut total = 0;
            for step in steps {
                match step {
                    Step::Mix(mix) => {
                        let numbers = match mix {
                            Mix::Attention(..) => positions.saturating_mul(positions),
                            Mix::Recurrent(layer) => {
                                layer.site.map.numbers().saturating_mul(positions)
                            }
                            Mix::Taps(..)
                            | Mix::Local(..)
                            | Mix::Map(_)
                            | Mix::Flatten(..)
                            | Mix::Aggregate(..) => 0,
                        };
                        total = numbers.saturating_add(total);
                        positions = mix.outputs(positions);
                    }
                    Step::Site(site) => {
                        let numbers = site.map.numbers().saturating_mul(positions);
                        total = numbers.saturating_add(total);
                    }
                    Step::Branch { paths, .. } | Step::Stack { paths, .. } => {
                        let ends: Vec<_> =
                            paths.iter().map(|path| count(path, positions)).collect();
                        let inside = ends.iter().map(|end| end.0);
                        total = inside.fold(total, usize::saturating_add);
                        positions = ends[0].1;
                        if let Step::Stack { .. } = step {
                            positions = ends.iter().fold(0, |sum, end| end.1.saturating_add(sum));
                        }
                    }
                    Step::Affine(_) | Step::Dropout { .. } => {}
                }
            }
            (total, positions)
        }
        count(&self.steps, count_positions(self.positions)).0
    }
}

impl Mix {
    /// Returns the number of positions after the step, from that before it.
    pub(super) fn outputs(&self, before: usize) -> usize {
        match self {
            Self::Taps(windows, _) | Self::Local(windows, _) => count_positions(windows.outputs()),
            Self::Map(map) => count_positions(map.outputs()),
            Self::Flatten(over, sizes) => count_positions(kept(*sizes, *over)),
            Self::Attention(..) | Self::Aggregate(..) => before,
            Self::Recurrent(layer) => match layer.recurrence.states {
                States::Last => 1,
                States::All => before,
            },
        }
    }
}

fn name(node: &Node) -> String {
    format!("{}.{}", node.path, node.layer.name())
}

struct Builder<'a> {
    graph: &'a Graph,
    /// The number of the first hyperparameter of each node.
    hyperparameters: Vec<usize>,
    /// That of the node whose steps are made.
    first: usize,
    sites: usize,
    mixes: bool,
    tokens: Option<usize>,
}

/// Returns the sizes of the axes whose positions are nodes of the samples' graphs, the same in every
/// layer; `None` without such layers.
fn graph_nodes(graph: &Graph) -> Result<Option<Vec<usize>>, KernelError> {
    let mut found: Option<(&Node, Vec<usize>)> = None;
    for node in &graph.nodes {
        let Some(sizes) = node.graph_axes() else {
            continue;
        };
        match &found {
            Some((first, before)) if *before != sizes => {
                return Err(KernelError::NoClosedForm {
                    path: node.path.clone(),
                    name: node.layer.name().into(),
                    reason: format!(
                        "its nodes are {sizes:?} and those of {} {before:?}, and a sample has one graph; give both the same axes",
                        first.path
                    ),
                });
            }
            Some(_) => {}
            None => found = Some((node, sizes)),
        }
    }
    Ok(found.map(|(_, sizes)| sizes))
}

impl Builder<'_> {
    fn steps(&mut self, numbers: &[usize]) -> Vec<Step> {
        let mut steps = Vec::new();
        for &number in numbers {
            let node = &self.graph.nodes[number];
            self.first = self.hyperparameters[number];
            if let Action::Activation(activation) = &node.action
                && self.reads_groups(node)
                && let Some(Step::Branch { paths, .. }) = steps.last_mut()
            {
                // Each group of channels is Gaussian by itself: the activation ends every path.
                for path in paths {
                    path.insert(path.len() - 1, self.activation(node, activation));
                }
                continue;
            }
            steps.extend(self.step(node));
            if let Action::Normalize { affine: true, .. } = node.action {
                steps.push(Step::Affine(Affine::SCALE_AND_SHIFT));
            }
        }
        steps
    }

    /// Makes the step of an activation, which counts the trained scales of channels before it.
    ///
    /// Each has added its share of the NTK as a linear layer would pass it on, K of the signal before
    /// the activation. In its place comes `E[u f'(u) v f'(v)]`, the NNGP of paths beside the activation.
    fn activation(&mut self, node: &Node, activation: &Activation) -> Step {
        let map = |activation: &Activation| SiteMap::Activation(activation.clone());
        let site = self.site(node, map(activation));
        let before = node.reads.first().copied().flatten();
        let scales = before.and_then(|before| self.graph.nodes[before].signal.scales);
        let scales = scales.unwrap_or(0) as f64;
        if scales == 0.0 {
            return site;
        }
        let mut paths = vec![vec![Step::Affine(Affine::onto_ntk(1.0, -scales)), site]];
        for (by, term) in activation.euler().unwrap_or_default() {
            let kernel = self.site(node, map(&term));
            let moved = Step::Affine(Affine::onto_ntk(0.0, by * scales));
            paths.push(vec![kernel, moved]);
        }
        let merge = Merge::Sum;
        Step::Branch { paths, merge }
    }

    /// Says whether a layer reads groups of channels side by side.
    fn reads_groups(&self, node: &Node) -> bool {
        let before = node.reads.first().copied().flatten();
        before.is_some_and(|before| self.graph.nodes[before].signal.groups)
    }

    fn step(&mut self, node: &Node) -> Option<Step> {
        // Layers of the user's own have weights, and no hyperparameters.
        let own = node.layer.hyperparameters().len();
        let first = (own > 0).then_some(self.first);
        let mix = match &node.action {
            // Programs are not made of networks that have it.
            Action::Nothing | Action::BatchNorm { .. } => return None,
            Action::Weights(weights) => {
                let affine = Affine::weights(weights, self.graph.parameterization, first);
                match &weights.windows {
                    None => return Some(Step::Affine(affine)),
                    Some(windows) if weights.shared => Mix::Taps(windows.clone(), affine),
                    Some(windows) => Mix::Local(windows.clone(), affine),
                }
            }
            Action::Activation(activation) => return Some(self.activation(node, activation)),
            Action::Normalize { eps, over, .. } => {
                let (eps, over) = (*eps, padded(over));
                let sizes = axes_of(&node.before);
                return Some(self.site(node, SiteMap::Norm { eps, over, sizes }));
            }
            Action::Dropout { keep } => return Some(Step::Dropout { keep: *keep }),
            Action::Merge(merge) => {
                let paths = node.paths.iter().map(|path| self.steps(path)).collect();
                let merge = *merge;
                return Some(Step::Branch { paths, merge });
            }
            Action::Positions(map) => match map.factor() {
                Some(by) => return Some(Step::Affine(Affine::factor(by * by))),
                None => Mix::Map(map.clone()),
            },
            Action::Flatten { over } => Mix::Flatten(padded(over), axes_of(&node.before)),
            Action::Attention(logits) => Mix::Attention(Box::new(Attention {
                logits: logits.clone(),
                site: self.number(),
                first,
                by: LogitStds::by(&node.layer),
            })),
            Action::Aggregate { over } => Mix::Aggregate(padded(over), axes_of(&node.before)),
            Action::Recurrent(recurrence) => {
                let map = SiteMap::Activation(recurrence.activation.clone());
                let (index, path) = (self.number(), name(node));
                // The activation's parameters follow the deviations.
                let deviations = 2 + usize::from(recurrence.b_std.is_some());
                let parameters = first.filter(|_| own > deviations);
                Mix::Recurrent(Box::new(Recurrent {
                    recurrence: recurrence.clone(),
                    first,
                    site: Site {
                        index,
                        path,
                        map,
                        parameters: parameters.map(|first| first + deviations),
                    },
                    standard: self.graph.parameterization == Parameterization::Standard,
                }))
            }
            Action::Embedding {
                vocabulary, w_std, ..
            } => {
                self.tokens = Some(*vocabulary);
                return Some(Step::Affine(Affine::embedding(
                    *w_std,
                    self.graph.parameterization,
                    first,
                )));
            }
            Action::Concat { axis: None } => {
                // The mean over channels: a sum of the paths' kernels by their shares of them.
                let total = node.after.channels() as f64;
                let paths = node.paths.iter().zip(&node.reads).map(|(path, end)| {
                    let end = end.map_or(&self.graph.input, |end| &self.graph.nodes[end].after);
                    let share = end.channels() as f64 / total;
                    let mut steps = self.steps(path);
                    steps.push(Step::Affine(Affine::factor(share)));
                    steps
                });
                let paths = paths.collect();
                let merge = Merge::Sum;
                return Some(Step::Branch { paths, merge });
            }
            Action::Concat { axis: Some(axis) } => {
                let sizes = node.reads.iter().map(|end| {
                    axes_of(end.map_or(&self.graph.input, |end| &self.graph.nodes[end].after))
                });
                let (axis, sizes) = (*axis, sizes.collect());
                let paths = node.paths.iter().map(|path| self.steps(path)).collect();
                self.mixes = true;
                return Some(Step::Stack { paths, axis, sizes });
            }
        };
        self.mixes = true;
        Some(Step::Mix(mix))
    }

    /// Returns the index of the next site.
    fn number(&mut self) -> usize {
        self.sites += 1;
        self.sites - 1
    }

    fn site(&mut self, node: &Node, map: SiteMap) -> Step {
        let first = self.first;
        let own = node.layer.hyperparameters().len();
        let parameters = (own > 0
            && matches!(&map, SiteMap::Activation(of) if node.layer == of.clone().into()))
        .then_some(first);
        Step::Site(Site {
            index: self.number(),
            path: name(node),
            map,
            parameters,
        })
    }
}

impl SiteMap {
    /// Returns how many numbers of each sample the map needs.
    pub(super) fn numbers(&self) -> usize {
        self.maps::<f64>().numbers()
    }

    /// Computes those numbers from the variance of the sample.
    pub(super) fn prepare<T: Real>(&self, variance: T, numbers: &mut [T]) {
        match self {
            Self::Activation(activation) => activation.maps().prepare(variance, numbers),
            Self::Norm { eps, .. } => numbers[0] = inverse_deviation(variance, *eps),
        }
    }

    /// Computes the numbers of all samples from their variances.
    pub(super) fn samples<T: Real>(&self, variances: &[T]) -> PreparedSamples<T> {
        PreparedSamples::new(self.numbers(), variances, |variance, numbers| {
            self.prepare(variance, numbers);
        })
    }

    /// Computes what becomes of a variance, and the factor of its NTK.
    pub(super) fn diagonal<T: Real>(&self, variance: T) -> (T, T) {
        match self {
            Self::Activation(activation) => activation.diagonal(variance),
            // It is rounded as for a pair, so that a sample and its copy stay equal.
            Self::Norm { eps, .. } => {
                let inverse = inverse_deviation(variance, *eps);
                (variance * inverse * inverse, inverse * inverse)
            }
        }
    }
}

impl SiteMap {
    /// Says whether the derivatives are known.
    pub(super) fn has_slopes(&self) -> bool {
        self.maps::<f64>().has_slopes()
    }

    /// Computes the derivatives of [`SiteMap::diagonal`] by the variance.
    pub(super) fn diagonal_slopes<T: Real>(&self, variance: T) -> (T, T) {
        match self {
            Self::Activation(activation) => activation.maps().diagonal_slopes(variance),
            Self::Norm { eps, .. } => {
                let square = inverse_deviation(variance, *eps).powi(2);
                (square - variance * square * square, -square * square)
            }
        }
    }
}

/// Computes `1 / sqrt(variance + eps)`; 0 for a sample of zeros without `eps`.
fn inverse_deviation<T: Real>(variance: T, eps: f64) -> T {
    let root = (variance + T::of(eps)).sqrt();
    if root > T::zero() {
        root.recip()
    } else {
        T::zero()
    }
}

impl Site {
    /// Refuses variances at which the activation has no kernel, before any pair is computed.
    pub(super) fn check<T: Real>(
        &self,
        variances: &[T],
        at: impl Fn(usize) -> String,
    ) -> Result<(), KernelError> {
        let SiteMap::Activation(activation) = &self.map else {
            return Ok(());
        };
        for (index, &variance) in variances.iter().enumerate() {
            let maps: &dyn Maps<T> = activation.maps();
            let (kernel, derivative) = maps.diagonal(variance);
            maps.domain(Real::to_f64(variance))
                .and_then(|()| match kernel.is_finite() && derivative.is_finite() {
                    true => Ok(()),
                    false => Err(format!(
                        "its kernel at variance {variance:e} is beyond {}; scale inputs or w_std down",
                        T::NAME
                    )),
                })
                .and_then(|()| activation.check_precision(variance, (kernel, derivative)))
                .map_err(|reason| KernelError::Domain {
                    path: self.path.clone(),
                    input: at(index),
                    reason,
                })?;
        }
        Ok(())
    }
}
