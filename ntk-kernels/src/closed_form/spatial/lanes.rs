//! Takes samples in groups of four, of which two make the sixteen pairs that go side by side.

use super::super::Input;
use super::matrix::Matrix;
pub(in super::super) use crate::pairs::lanes::{First, GROUP, Second};
use ndarray::Axis;
use ntk_linalg::Real;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Returns the lane of sample `i` of a group with itself.
pub(in super::super) fn own(i: usize) -> usize {
    i * GROUP + i
}

/// The samples of an input, group by group; in each `[position][channel][sample]`. The last
/// sample stands in for those missing in the last group.
pub(in super::super) struct Groups<T: Real> {
    pub(in super::super) samples: usize,
    pub(in super::super) channels: usize,
    groups: Vec<Vec<T>>,
    beside: Vec<Beside<T>>,
}

/// `Beside` holds the masks and graphs of the samples of a group.
pub(in super::super) struct Beside<T: Real> {
    /// True for each masked position, sample by sample.
    pub(super) mask: Option<Mask>,
    /// The edges of all samples: head, tail, and the weight in each sample.
    pub(super) edges: Option<Vec<(usize, usize, [T; GROUP])>>,
    /// The edges as matrices, where all positions are nodes; made when first asked for.
    pub(super) matrix: OnceLock<Matrix<'static, T>>,
}

/// A `Mask` is true where a position of a sample of a group is masked.
pub(in super::super) type Mask = Vec<[bool; GROUP]>;

impl<T: Real> Groups<T> {
    pub(in super::super) fn new(input: &Input<'_, T>) -> Self {
        let x = &input.x;
        let samples = x.len_of(Axis(0));
        let channels = x.shape().last().copied().unwrap_or(1);
        let numbers = x.len().checked_div(samples).unwrap_or(0);
        let groups = (0..samples)
            .step_by(GROUP)
            .map(|start| {
                let mut group = vec![T::zero(); numbers * GROUP];
                for i in 0..GROUP {
                    let sample = (start + i).min(samples - 1);
                    let values = x.index_axis(Axis(0), sample);
                    for (at, &value) in values.iter().enumerate() {
                        group[at * GROUP + i] = value;
                    }
                }
                group
            })
            .collect();
        let beside = (0..samples).step_by(GROUP).map(|start| {
            let members = std::array::from_fn(|i| (start + i).min(samples - 1));
            Beside::new(input, members)
        });
        Self {
            samples,
            channels,
            groups,
            beside: beside.collect(),
        }
    }

    /// Returns what belongs to the samples of a group beside their numbers.
    pub(in super::super) fn beside(&self, group: usize) -> &Beside<T> {
        &self.beside[group]
    }

    /// Returns the number of groups.
    pub(in super::super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Returns the numbers of a group.
    pub(in super::super) fn of(&self, group: usize) -> &[T] {
        &self.groups[group]
    }

    /// Returns the samples of a group, without those that stand in.
    pub(in super::super) fn members(&self, group: usize) -> std::ops::Range<usize> {
        group * GROUP..self.samples.min((group + 1) * GROUP)
    }
}

impl<T: Real> Beside<T> {
    fn new(input: &Input<'_, T>, members: [usize; GROUP]) -> Self {
        let mask = input.structure.masked().map(|mask| {
            let of =
                members.map(|sample| mask.index_axis(Axis(0), sample).iter().copied().collect());
            let of: [Vec<bool>; GROUP] = of;
            (0..of[0].len())
                .map(|at| std::array::from_fn(|i| of[i][at]))
                .collect()
        });
        let edges = input.structure.edges().map(|edges| {
            let mut all = BTreeMap::<(usize, usize), [T; GROUP]>::new();
            for (i, sample) in members.into_iter().enumerate() {
                for edge in &edges[sample] {
                    let weights = all
                        .entry((edge.head, edge.tail))
                        .or_insert([T::zero(); GROUP]);
                    weights[i] = T::of(edge.weight);
                }
            }
            let edges = all.into_iter();
            edges
                .map(|((head, tail), weights)| (head, tail, weights))
                .collect()
        });
        let matrix = OnceLock::new();
        Self {
            mask,
            edges,
            matrix,
        }
    }
}
