//! A network resolved for one shape of input: what each layer does to a covariance.

use super::KernelError;
use crate::dual::{Activation, Samples};
use crate::network::{
    Attention, Conv, Layer, Merge, Network, NetworkError, Parameterization, Pool, Pooling, Shape,
    Windows, inside, top,
};
use ntk_linalg::Real;

/// `nngp' = scale A(nngp) + shift`, `ntk' = before A(nngp) + after nngp' + scale A(ntk) +
/// constant`, `A` the mean over a filter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine {
    pub(super) scale: f64,
    pub(super) shift: f64,
    pub(super) before: f64,
    pub(super) after: f64,
    pub(super) constant: f64,
}

impl Affine {
    pub(super) const IDENTITY: Self = Self {
        scale: 1.0,
        shift: 0.0,
        before: 0.0,
        after: 0.0,
        constant: 0.0,
    };

    fn weights(w_std: f64, b_std: f64, fan_in: usize, parameterization: Parameterization) -> Self {
        let (before, after, constant) = match parameterization {
            Parameterization::Ntk => (0.0, 1.0, 0.0),
            Parameterization::Standard => (fan_in as f64, 0.0, f64::from(u8::from(b_std > 0.0))),
        };
        Self {
            scale: w_std * w_std,
            shift: b_std * b_std,
            before,
            after,
            constant,
        }
    }
}

/// What needs numbers of each sample alone: `index` counts these sites through the program.
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
        over: [bool; 2],
    },
}

/// One layer, resolved. Sizes are `[height, width]`; sequences have width 1, vectors are `[1, 1]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Affine(Affine),
    Conv(Windows, Affine),
    Site(Site),
    Dropout { keep: f64 },
    Pool(Windows, Weights),
    GlobalPool { average: bool },
    Flatten,
    Attention(Attention, usize),
    Branch { paths: Vec<Vec<Step>>, merge: Merge },
}

/// What a pooled sum is divided by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Weights {
    One,
    Window,
    /// The positions of the window inside the input.
    Inside,
}

/// A network resolved for inputs of one shape.
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    /// Activations, normalisations and attentions in the program.
    pub(super) sites: usize,
    /// Positions of one input, `[height, width]`.
    pub(super) positions: [usize; 2],
    /// One output.
    pub(super) end: Shape,
    /// Whether a layer mixes positions even where there is only one.
    pub(super) attends: bool,
    /// Path of the last layer, for errors.
    pub(super) last: String,
}

impl Program {
    /// Resolves `network`, refusing what has no kernel in closed form.
    pub(super) fn new(network: &Network, input: &Shape) -> Result<Self, KernelError> {
        network.validate()?;
        let mut builder = Builder {
            parameterization: network.parameterization,
            sites: 0,
            attends: false,
        };
        let start = State {
            shape: input.clone(),
            gaussian: false,
            centered: false,
            fresh: false,
        };
        let (steps, end) = builder.steps(&network.layers, &top, start)?;
        let two = |axis: usize| input.positions().get(axis).copied().unwrap_or(1);
        Ok(Self {
            steps,
            sites: builder.sites,
            positions: [two(0), two(1)],
            end: end.shape,
            attends: builder.attends,
            last: network.layers.last().map_or_else(String::new, |l| {
                format!("{}.{}", top(network.layers.len() - 1), l.name())
            }),
        })
    }
}

impl Program {
    /// How many numbers all sites need of one sample, at all positions.
    pub(super) fn numbers(&self) -> usize {
        fn count(steps: &[Step], mut positions: usize) -> (usize, usize) {
            let mut total = 0;
            for step in steps {
                match step {
                    Step::Conv(windows, _) | Step::Pool(windows, _) => {
                        positions = windows.outputs.iter().product();
                    }
                    Step::GlobalPool { .. } | Step::Flatten => positions = 1,
                    Step::Site(site) => total += site.map.numbers() * positions,
                    Step::Attention(..) => total += positions * positions,
                    Step::Branch { paths, .. } => {
                        let ends: Vec<_> =
                            paths.iter().map(|path| count(path, positions)).collect();
                        total += ends.iter().map(|end| end.0).sum::<usize>();
                        positions = ends[0].1;
                    }
                    Step::Affine(_) | Step::Dropout { .. } => {}
                }
            }
            (total, positions)
        }
        count(&self.steps, self.positions.iter().product()).0
    }
}

/// What is known of the signal between two layers.
#[derive(Clone)]
struct State {
    shape: Shape,
    /// Whether it is a Gaussian process at every position, so that an activation's dual applies.
    gaussian: bool,
    /// Whether its mean is zero.
    centered: bool,
    /// Whether it comes out of weights of its own since the branch began.
    fresh: bool,
}

impl State {
    /// After random weights.
    fn weighted(&mut self) {
        (self.gaussian, self.centered, self.fresh) = (true, true, true);
    }
}

struct Builder {
    parameterization: Parameterization,
    sites: usize,
    attends: bool,
}

impl Builder {
    fn steps(
        &mut self,
        layers: &[Layer],
        path: &dyn Fn(usize) -> String,
        mut state: State,
    ) -> Result<(Vec<Step>, State), KernelError> {
        let mut steps = Vec::new();
        for (i, layer) in layers.iter().enumerate() {
            let at = path(i);
            let (step, next) = self.step(layer, &at, state)?;
            steps.extend(step);
            state = next;
        }
        Ok((steps, state))
    }

    fn step(
        &mut self,
        layer: &Layer,
        path: &str,
        state: State,
    ) -> Result<(Option<Step>, State), KernelError> {
        let refuse = |reason: &str| KernelError::NoClosedForm {
            path: path.into(),
            name: layer.name().into(),
            reason: reason.into(),
        };
        let before = state.shape.clone();
        let mut next = State {
            shape: match layer {
                Layer::Branch(_) => before.clone(),
                layer => layer.shape(&before).map_err(|reason| NetworkError::Shape {
                    path: path.into(),
                    name: layer.name().into(),
                    reason,
                })?,
            },
            ..state
        };
        let step = match layer {
            Layer::Dense(dense) => {
                next.weighted();
                Step::Affine(Affine::weights(
                    dense.w_std,
                    dense.b_std,
                    before.channels(),
                    self.parameterization,
                ))
            }
            Layer::Conv(conv) => {
                next.weighted();
                self.conv(conv, &before, &next.shape)
            }
            Layer::Pool(pool) => self::pool(pool, &before, &next.shape),
            Layer::GlobalPool(pooling) => Step::GlobalPool {
                average: *pooling == Pooling::Average,
            },
            Layer::Flatten => {
                // Positions differ in variance, so one covariance no longer tells all.
                next.gaussian &= before.positions().iter().all(|&size| size == 1);
                if before.positions().is_empty() {
                    return Ok((None, next));
                }
                Step::Flatten
            }
            Layer::Identity => return Ok((None, next)),
            Layer::LayerNorm(norm) => {
                if !next.centered {
                    return Err(refuse(
                        "it subtracts means, which are known to be zero only after a dense, conv or attention layer; put one before it",
                    ));
                }
                let over = norm
                    .over_positions(&before)
                    .map_err(|reason| NetworkError::Shape {
                        path: path.into(),
                        name: layer.name().into(),
                        reason,
                    })?;
                let over = std::array::from_fn(|axis| over.get(axis).copied().unwrap_or(false));
                let map = SiteMap::Norm {
                    eps: norm.eps,
                    over,
                };
                Step::Site(self.site(path, layer, map))
            }
            Layer::Dropout(dropout) => {
                next.gaussian = false;
                Step::Dropout { keep: dropout.keep }
            }
            Layer::Attention(attention) => {
                next.weighted();
                self.sites += 1;
                self.attends = true;
                Step::Attention(attention.clone(), self.sites - 1)
            }
            Layer::Activation(activation) => {
                if !next.gaussian {
                    return Err(refuse(
                        "an activation has a kernel only after a dense, conv or attention layer, whose outputs are Gaussian; put one before it",
                    ));
                }
                (next.gaussian, next.centered) = (false, false);
                Step::Site(self.site(path, layer, SiteMap::Activation(activation.clone())))
            }
            Layer::Branch(branch) => {
                let mut paths = Vec::new();
                let mut ends: Vec<State> = Vec::new();
                for (number, layers) in branch.paths.iter().enumerate() {
                    let start = State {
                        fresh: false,
                        ..next.clone()
                    };
                    let (steps, end) = self.steps(layers, &|j| inside(path, number, j), start)?;
                    if let Some(first) = ends.first()
                        && first.shape.positions() != end.shape.positions()
                    {
                        return Err(KernelError::Network(NetworkError::Shape {
                            path: path.into(),
                            name: layer.name().into(),
                            reason: format!(
                                "its paths must end in one shape, found {} and {}; give them the same strides and padding",
                                first.shape, end.shape
                            ),
                        }));
                    }
                    paths.push(steps);
                    ends.push(end);
                }
                let independent = |end: &&State| match branch.merge {
                    // Zero-mean and independent of the others, so that no cross terms remain.
                    Merge::Sum => end.fresh && end.centered,
                    Merge::Product => end.fresh,
                };
                if ends.iter().filter(|end| !independent(end)).count() > 1 {
                    return Err(refuse(
                        "all paths but one must have dense or conv layers of their own, and in a sum end in them: the kernels of dependent paths do not just add or multiply",
                    ));
                }
                next = State {
                    shape: ends[0].shape.clone(),
                    gaussian: ends.iter().all(|end| end.gaussian)
                        && (branch.merge == Merge::Sum || ends.len() == 1),
                    centered: match branch.merge {
                        Merge::Sum => ends.iter().all(|end| end.centered),
                        Merge::Product => ends.iter().any(|end| end.centered),
                    },
                    fresh: next.fresh || ends.iter().all(|end| end.fresh),
                };
                Step::Branch {
                    paths,
                    merge: branch.merge,
                }
            }
        };
        Ok((Some(step), next))
    }

    fn site(&mut self, path: &str, layer: &Layer, map: SiteMap) -> Site {
        self.sites += 1;
        Site {
            index: self.sites - 1,
            path: format!("{path}.{}", layer.name()),
            map,
        }
    }

    fn conv(&self, conv: &Conv, before: &Shape, after: &Shape) -> Step {
        let windows = conv.windows(before, after);
        let size: usize = conv.filter.iter().product();
        let affine = Affine::weights(
            conv.w_std,
            conv.b_std,
            size * before.channels(),
            self.parameterization,
        );
        // A sum over the filter instead of the mean.
        Step::Conv(
            windows,
            Affine {
                scale: affine.scale / size as f64,
                before: affine.before / size as f64,
                ..affine
            },
        )
    }
}

fn pool(pool: &Pool, before: &Shape, after: &Shape) -> Step {
    let windows = pool.windows(before, after);
    let weights = match (pool.pooling, pool.normalize_edges) {
        (Pooling::Sum, _) => Weights::One,
        (Pooling::Average, false) => Weights::Window,
        (Pooling::Average, true) => Weights::Inside,
    };
    Step::Pool(windows, weights)
}

impl SiteMap {
    /// How many numbers of each sample the map needs.
    pub(super) fn numbers(&self) -> usize {
        match self {
            Self::Activation(activation) => activation.numbers(),
            Self::Norm { .. } => 1,
        }
    }

    /// Those numbers, from the sample's variance.
    pub(super) fn prepare<T: Real>(&self, variance: T, numbers: &mut [T]) {
        match self {
            Self::Activation(activation) => activation.prepare(variance, numbers),
            Self::Norm { eps, .. } => numbers[0] = inverse_deviation(variance, *eps),
        }
    }

    /// The numbers of all samples, from their variances.
    pub(super) fn samples<T: Real>(&self, variances: &[T]) -> Samples<T> {
        Samples::new(self.numbers(), variances, |variance, numbers| {
            self.prepare(variance, numbers);
        })
    }

    /// What becomes of a variance, and what its NTK is multiplied by.
    pub(super) fn diagonal<T: Real>(&self, variance: T) -> (T, T) {
        match self {
            Self::Activation(activation) => activation.diagonal(variance),
            // Rounded as for a pair: a sample and its copy stay equal.
            Self::Norm { eps, .. } => {
                let inverse = inverse_deviation(variance, *eps);
                (variance * inverse * inverse, inverse * inverse)
            }
        }
    }
}

/// 0 for a sample of zeros without `eps`.
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
            let (kernel, derivative) = activation.diagonal(variance);
            activation
                .domain(Real::to_f64(variance))
                .and_then(|()| match kernel.is_finite() && derivative.is_finite() {
                    true => Ok(()),
                    false => Err(format!(
                        "its kernel at variance {variance:e} is beyond {}; scale inputs or w_std down",
                        T::NAME
                    )),
                })
                .map_err(|reason| KernelError::Domain {
                    path: self.path.clone(),
                    input: at(index),
                    reason,
                })?;
        }
        Ok(())
    }
}
