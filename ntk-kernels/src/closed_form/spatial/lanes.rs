//! Sixteen pairs at a time: four samples of the first input by four of the second.

use crate::dual::Side;
use crate::pack::{LANES, Pack};
use ndarray::{ArrayView, Axis, RemoveAxis};
use ntk_linalg::Real;

/// Samples in a group.
pub(super) const GROUP: usize = 4;

/// Numbers of four first samples, number by number; lane `4 a + b` is sample `a`'s.
#[derive(Clone, Copy)]
pub(super) struct First<'a, T>(pub(super) &'a [T]);

/// Numbers of four second samples; lane `4 a + b` is sample `b`'s.
#[derive(Clone, Copy)]
pub(super) struct Second<'a, T>(pub(super) &'a [T]);

impl<T: Real> Side<T> for First<'_, T> {
    #[inline(always)]
    fn get(self, k: usize) -> Pack<T> {
        let four = four(self.0, k);
        let mut out = Pack::zero();
        for lane in 0..LANES {
            out.0[lane] = four[lane / GROUP];
        }
        out
    }
}

impl<T: Real> Side<T> for Second<'_, T> {
    #[inline(always)]
    fn get(self, k: usize) -> Pack<T> {
        let four = four(self.0, k);
        let mut out = Pack::zero();
        for lane in 0..LANES {
            out.0[lane] = four[lane % GROUP];
        }
        out
    }
}

#[inline(always)]
fn four<T: Real>(numbers: &[T], k: usize) -> [T; GROUP] {
    let mut four = [T::zero(); GROUP];
    four.copy_from_slice(&numbers[k * GROUP..][..GROUP]);
    four
}

/// The lane of sample `i` of a group with itself.
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

    /// Number of groups.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Group `group`'s numbers.
    pub(super) fn of(&self, group: usize) -> &[T] {
        &self.groups[group]
    }

    /// The samples of a group, without those standing in.
    pub(super) fn members(&self, group: usize) -> std::ops::Range<usize> {
        group * GROUP..self.samples.min((group + 1) * GROUP)
    }
}
