//! Turns a network resolved for one shape of input into what each layer does to a covariance.

use super::KernelError;
use crate::affine::Affine;
use crate::dual::{Activation, PreparedSamples};
use crate::network::{
    AXES, Action, Graph, Logits, Merge, Node, Parameterization, PositionMap, Shape, Weights,
    Windows, axes_of,
};
use crate::pairs::Maps;
use ntk_linalg::Real;

impl Affine {
    fn weights(weights: &Weights, parameterization: Parameterization) -> Self {
        let (before, after, constant) = match parameterization {
            Parameterization::Ntk => (0.0, 1.0, 0.0),
            Parameterization::Standard => {
                let bias = f64::from(u8::from(weights.b_std.is_some()));
                (weights.fan_in as f64, 0.0, bias)
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
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum SiteMap {
    Activation(Activation),
    /// Divides by the standard deviation, of the variance averaged over the marked axes.
    Norm {
        eps: f64,
        over: [bool; AXES],
    },
}

/// A `Step` says what a layer does to covariances.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Affine(Affine),
    Site(Site),
    Dropout { keep: f64 },
    Mix(Mix),
    Branch { paths: Vec<Vec<Step>>, merge: Merge },
}

/// A `Mix` is a step that mixes positions.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mix {
    /// A convolution: the sum over the taps that read a position of both samples.
    Taps(Windows, Affine),
    /// A fixed linear map `M K M^T`.
    Map(PositionMap),
    /// The mean over pairs of equal positions.
    Flatten,
    /// Attention, and the index of its site.
    Attention(Logits, usize),
}

/// A network resolved for inputs of one shape.
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    /// The number of sites: activations, normalisations and attentions.
    pub(super) sites: usize,
    /// The positions of one input, `[height, width]`.
    pub(super) positions: [usize; AXES],
    /// The shape of one output.
    pub(super) end: Shape,
    /// Whether a layer mixes positions, even where there is only one.
    pub(super) mixes: bool,
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
        let mut builder = Builder {
            graph,
            sites: 0,
            mixes: false,
        };
        let steps = builder.steps(&graph.layers);
        let last = graph.layers.last().map(|&last| name(&graph.nodes[last]));
        Ok(Self {
            steps,
            sites: builder.sites,
            positions: axes_of(&graph.input),
            end: graph.output().clone(),
            mixes: builder.mixes,
            last: last.unwrap_or_else(|| "the network without layers".into()),
        })
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
                        if let Mix::Attention(..) = mix {
                            total = positions.saturating_mul(positions).saturating_add(total);
                        }
                        positions = mix
                            .outputs()
                            .map_or(positions, |[y, x]| y.saturating_mul(x));
                    }
                    Step::Site(site) => {
                        let numbers = site.map.numbers().saturating_mul(positions);
                        total = numbers.saturating_add(total);
                    }
                    Step::Branch { paths, .. } => {
                        let ends: Vec<_> =
                            paths.iter().map(|path| count(path, positions)).collect();
                        let inside = ends.iter().map(|end| end.0);
                        total = inside.fold(total, usize::saturating_add);
                        positions = ends[0].1;
                    }
                    Step::Affine(_) | Step::Dropout { .. } => {}
                }
            }
            (total, positions)
        }
        let [height, width] = self.positions;
        count(&self.steps, height.saturating_mul(width)).0
    }
}

impl Mix {
    /// Returns the positions after the step; `None` where they stay as they are.
    pub(super) fn outputs(&self) -> Option<[usize; AXES]> {
        match self {
            Self::Taps(windows, _) => Some(windows.outputs()),
            Self::Map(map) => Some(map.outputs()),
            Self::Flatten => Some([1; AXES]),
            Self::Attention(..) => None,
        }
    }
}

fn name(node: &Node) -> String {
    format!("{}.{}", node.path, node.layer.name())
}

struct Builder<'a> {
    graph: &'a Graph,
    sites: usize,
    mixes: bool,
}

impl Builder<'_> {
    fn steps(&mut self, numbers: &[usize]) -> Vec<Step> {
        let nodes = numbers.iter().map(|&number| &self.graph.nodes[number]);
        nodes.filter_map(|node| self.step(node)).collect()
    }

    fn step(&mut self, node: &Node) -> Option<Step> {
        let mix = match &node.action {
            Action::Nothing => return None,
            Action::Weights(weights) => {
                let affine = Affine::weights(weights, self.graph.parameterization);
                match &weights.windows {
                    None => return Some(Step::Affine(affine)),
                    Some(windows) => Mix::Taps(windows.clone(), affine),
                }
            }
            Action::Activation(activation) => {
                return Some(self.site(node, SiteMap::Activation(activation.clone())));
            }
            Action::Normalize { eps, over } => {
                let over = |axis: usize| over.get(axis).copied().unwrap_or(false);
                let (eps, over) = (*eps, std::array::from_fn(over));
                return Some(self.site(node, SiteMap::Norm { eps, over }));
            }
            Action::Dropout { keep } => return Some(Step::Dropout { keep: *keep }),
            Action::Merge(merge) => {
                let paths = node.paths.iter().map(|path| self.steps(path)).collect();
                let merge = *merge;
                return Some(Step::Branch { paths, merge });
            }
            Action::Positions(map) => Mix::Map(map.clone()),
            Action::Flatten => Mix::Flatten,
            Action::Attention(logits) => Mix::Attention(*logits, self.number()),
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
        Step::Site(Site {
            index: self.number(),
            path: name(node),
            map,
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
