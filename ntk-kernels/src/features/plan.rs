//! Plans what layers do to features, from a network resolved for samples of one shape.

use super::Smooth;
use super::activation::{Lengths, Random, Series};
use super::sketch::{Concat, Draws, Product};
use super::steps::{Flat, Step, Taps};
use crate::affine::Affine;
use crate::closed_form::memory;
use crate::dual::Activation;
use crate::estimators::EstimatorError;
use crate::network::{
    AXES, Action, Graph, Merge, Node, PositionMap, Weights, Windows, axes_of, count_positions,
    padded, places,
};
use ntk_linalg::Real;

/// What does not lie between the layers of a network.
pub(super) struct Planner<'a> {
    pub(super) graph: &'a Graph,
    /// Whether the NTK is wanted.
    pub(super) ntk: bool,
    pub(super) count: usize,
    pub(super) smooth: Smooth,
    pub(super) draws: Draws,
    /// The bytes of everything that was drawn.
    pub(super) bytes: u64,
    /// The most numbers of one sample between two layers.
    pub(super) most: usize,
}

/// How many features there are between two layers.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) positions: [usize; AXES],
    pub(super) phi: usize,
    pub(super) psi: usize,
}

impl Planner<'_> {
    /// The most features between layers: with twice as many as at the end, folds add little to what
    /// random features err by.
    fn inner(&self) -> usize {
        self.count.saturating_mul(2)
    }

    /// Refuses what there is not the memory for, before it is drawn.
    fn reserve(&mut self, bytes: u64) -> Result<(), EstimatorError> {
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(memory::check(self.bytes)?)
    }

    pub(super) fn concat(&mut self, length: usize, most: usize) -> Result<Concat, EstimatorError> {
        self.reserve(Concat::bytes(length, most))?;
        Ok(Concat::new(&mut self.draws, length, most))
    }

    fn both(&mut self, lengths: [usize; 2]) -> Result<[Concat; 2], EstimatorError> {
        let most = self.inner();
        Ok([
            self.concat(lengths[0], most)?,
            self.concat(lengths[1], most)?,
        ])
    }

    /// Plans layers one after another.
    pub(super) fn steps<T: Real>(
        &mut self,
        numbers: &[usize],
        size: &mut Size,
    ) -> Result<Vec<Step<T>>, EstimatorError> {
        let mut steps = Vec::new();
        for &number in numbers {
            let node = &self.graph.nodes[number];
            steps.extend(self.step(node, size)?);
            let positions = count_positions(size.positions);
            let numbers = size.phi.saturating_add(size.psi).saturating_mul(positions);
            self.most = self.most.max(numbers);
        }
        Ok(steps)
    }

    fn step<T: Real>(
        &mut self,
        node: &Node,
        size: &mut Size,
    ) -> Result<Option<Step<T>>, EstimatorError> {
        let none = |reason: &str| {
            Err(EstimatorError::NoFeatures {
                path: node.path.clone(),
                name: node.layer.name().into(),
                reason: reason.into(),
            })
        };
        let positions = count_positions(size.positions);
        let step = match &node.action {
            Action::Nothing => return Ok(None),
            Action::Weights(weights) if !weights.shared => {
                return none("weights of its own at each position make positions independent");
            }
            Action::Weights(weights) => Step::Weights(self.weights(weights, positions, size)?),
            Action::Positions(map) => {
                let rows = rows(map);
                size.positions = axes_of(&node.after);
                Step::Positions(positions, rows)
            }
            Action::Flatten { over } => {
                let groups = places(size.positions, padded(over));
                let side = groups.first().map_or(1, Vec::len);
                let lengths = [size.phi, size.psi].map(|length| length.saturating_mul(side));
                let concat = self.both(lengths)?;
                [size.phi, size.psi] = [concat[0].width(), concat[1].width()];
                size.positions = axes_of(&node.after);
                Step::Flatten(Flat {
                    positions,
                    groups,
                    concat,
                })
            }
            Action::Activation(activation) => {
                if activation.at(1.0).is_none() {
                    return none("of the activation only a kernel is known, and no function");
                }
                self.activation(activation, size)?
            }
            Action::Normalize { affine: true, .. } | Action::BatchNorm { .. } => {
                return none("its trained scales change the kernel of the activation after it");
            }
            Action::Normalize {
                eps,
                over,
                affine: false,
            } => Step::Norm {
                groups: places(size.positions, padded(over)),
                eps: *eps,
            },
            Action::Dropout { .. } => {
                return none("the kernel of a sample with itself is no inner product of features");
            }
            Action::Merge(Merge::Sum) => {
                let (mut paths, mut ends) = (Vec::new(), Vec::new());
                for path in &node.paths {
                    let mut end = *size;
                    paths.push(self.steps(path, &mut end)?);
                    ends.push(end);
                }
                let sum =
                    |part: fn(&Size) -> usize| ends.iter().map(part).fold(0, usize::saturating_add);
                let concat = self.both([sum(|end| end.phi), sum(|end| end.psi)])?;
                [size.phi, size.psi] = [concat[0].width(), concat[1].width()];
                size.positions = axes_of(&node.after);
                Step::Sum(paths, concat)
            }
            Action::Merge(Merge::Product | Merge::Concat) | Action::Concat { .. } => {
                return none("of branches only sums have features here");
            }
            Action::Attention(_) => return none("attention has no features here"),
            Action::Aggregate { .. } => return none("samples with graphs have no features here"),
            Action::Recurrent(_) => return none("recurrence has no features here"),
            Action::Embedding { .. } => return none("tokens have no features here"),
        };
        Ok(Some(step))
    }

    fn weights(
        &mut self,
        weights: &Weights,
        positions: usize,
        size: &mut Size,
    ) -> Result<Taps, EstimatorError> {
        let affine = Affine::weights(weights, self.graph.parameterization, None);
        let reads = weights.windows.as_ref().map(reads);
        let taps = weights.taps();
        let phi = [affine.scale, affine.shift];
        let psi = match self.ntk {
            true => [
                affine.scale,
                affine.before + affine.after * affine.scale,
                affine.after * affine.shift + affine.constant,
            ],
            false => [0.0; 3],
        };
        let constant = |square: f64| usize::from(square > 0.0);
        let of_psi = size.psi.saturating_add(size.phi * constant(psi[1]));
        let lengths = [
            taps.saturating_mul(size.phi)
                .saturating_add(constant(phi[1])),
            taps.saturating_mul(of_psi).saturating_add(constant(psi[2])),
        ];
        let concat = self.both(lengths)?;
        [size.phi, size.psi] = [concat[0].width(), concat[1].width()];
        if let Some(windows) = &weights.windows {
            size.positions = windows.outputs();
        }
        Ok(Taps {
            positions,
            reads,
            taps,
            phi: phi.map(f64::sqrt),
            psi: psi.map(f64::sqrt),
            concat,
        })
    }

    fn activation<T: Real>(
        &mut self,
        activation: &Activation,
        size: &mut Size,
    ) -> Result<Step<T>, EstimatorError> {
        let count = self.count;
        let has_kink = matches!(
            activation,
            Activation::AbRelu(_) | Activation::RectifiedMonomial(_) | Activation::Sign(_)
        );
        let step = match self.smooth {
            Smooth::Polynomial { degree } if !has_kink => {
                let lengths = Lengths {
                    phi: size.phi,
                    psi: size.psi,
                    count,
                    inner: self.inner(),
                };
                self.reserve(Series::bytes(degree, &lengths))?;
                let series = Series::new(&mut self.draws, activation, degree, &lengths);
                size.phi = series.width();
                Step::Series(series, count)
            }
            Smooth::Random | Smooth::Polynomial { .. } => {
                self.reserve(memory::product([count, size.phi, size_of::<T>()]))?;
                self.reserve(Product::bytes([size.psi, count], count))?;
                let weights = self.draws.normals(count, size.phi);
                let lengths = [size.psi, count];
                let product = (size.psi > 0).then(|| Product::new(&mut self.draws, lengths, count));
                size.phi = count;
                Step::Random(Random {
                    activation: activation.clone(),
                    weights,
                    product,
                })
            }
        };
        if size.psi > 0 {
            size.psi = count;
        }
        Ok(step)
    }
}

/// Lists for every output position the taps that read an input, each with that input.
fn reads(windows: &Windows) -> Vec<Vec<(usize, usize)>> {
    let [_, b, c] = windows.window();
    let [_, high, wide] = windows.inputs();
    each(windows.outputs(), |[x, y, z]| {
        let mut reads = Vec::new();
        for &(t, i) in windows.taps(0, x) {
            for &(u, j) in windows.taps(1, y) {
                for &(v, k) in windows.taps(2, z) {
                    reads.push(((t * b + u) * c + v, (i * high + j) * wide + k));
                }
            }
        }
        reads
    })
}

/// Lists for every output position the inputs that a map reads, and their weights.
fn rows(map: &PositionMap) -> Vec<Vec<(usize, f64)>> {
    let Some(axes) = map.axes() else {
        return map
            .matrix()
            .map_or_else(Vec::new, |map| map.rows().to_vec());
    };
    let [_, high, wide] = map.inputs();
    each(map.outputs(), |[x, y, z]| {
        let mut reads = Vec::new();
        for &(i, one) in &axes[0].rows()[x] {
            for &(j, two) in &axes[1].rows()[y] {
                for &(k, three) in &axes[2].rows()[z] {
                    reads.push(((i * high + j) * wide + k, one * two * three));
                }
            }
        }
        reads
    })
}

/// Makes one item for each position, the last axis fastest.
fn each<R>(sizes: [usize; AXES], of: impl Fn([usize; AXES]) -> R) -> Vec<R> {
    let [a, b, c] = sizes;
    let all = (0..a * b * c).map(|at| [at / (b * c), at / c % b, at % c]);
    all.map(of).collect()
}
