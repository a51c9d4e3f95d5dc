//! Takes samples in groups of four, of which two make the sixteen pairs that go side by side.

pub(super) use crate::pairs::lanes::{First, GROUP, Second};
use ndarray::{ArrayView, Axis, RemoveAxis};
use ntk_linalg::Real;

/// Returns the lane of sample `i` of a group with itself.
pub(super) fn own(i: usize) -> usize {
    i * GROUP + i
}

/// The samples of an input, group by group; in each `[position][channel][sample]`. The last
/// sample stands in for those missing in the last group.
pub(super) struct Groups<T> {
    pub(super) samples: usize,
    pub(super) channels: usize,
    groups: Vec<Vec<T>>,
}

impl<T: Real> Groups<T> {
    pub(super) fn new<D: RemoveAxis>(x: &ArrayView<'_, T, D>) -> Self {
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
        Self {
            samples,
            channels,
            groups,
        }
    }

    /// Returns the number of groups.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Returns the numbers of a group.
    pub(super) fn of(&self, group: usize) -> &[T] {
        &self.groups[group]
    }

    /// Returns the samples of a group, without those that stand in.
    pub(super) fn members(&self, group: usize) -> std::ops::Range<usize> {
        group * GROUP..self.samples.min((group + 1) * GROUP)
    }
}
