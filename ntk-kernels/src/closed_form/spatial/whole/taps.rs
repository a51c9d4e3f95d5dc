//! Sums covariances over the taps of a filter, along one axis after the other.

use super::field::{Extent, Field};
use crate::network::Windows;
use crate::pack::{Pack, wide};
use crate::sums::{RUN, Sum};
use ntk_linalg::Real;

/// Stands for the input of a tap that reads padding.
const NONE: usize = usize::MAX;

/// Computes `sum_t K[s_t(o), s_t(o')]` of both kernels, over the taps that read a position of both
/// samples.
pub(super) fn summed<T: Real>(windows: &Windows, field: &Field<T>) -> Field<T> {
    let outputs: usize = windows.outputs().iter().product();
    field.mapped(field.extent, outputs, |from| {
        let mut sizes = windows.inputs();
        let mut current: Option<Vec<Pack<T>>> = None;
        for axis in 0..sizes.len() {
            let along = Along::new(windows, axis, sizes);
            if along.same {
                continue;
            }
            let from = current.as_deref().unwrap_or(from);
            current = Some(match field.extent {
                Extent::Diagonal => along.diagonal(from),
                Extent::All => along.all(from),
            });
            sizes[axis] = along.outputs;
        }
        current.unwrap_or_else(|| from.to_vec())
    })
}

/// The taps along one axis, and the numbers of positions before and after it.
struct Along {
    before: usize,
    inputs: usize,
    outputs: usize,
    after: usize,
    window: usize,
    /// The input of each tap of each output.
    reads: Vec<usize>,
    /// Whether every output reads its own position alone.
    same: bool,
}

impl Along {
    fn new(windows: &Windows, axis: usize, sizes: [usize; 3]) -> Self {
        let (outputs, window) = (windows.outputs()[axis], windows.window()[axis]);
        let mut reads = vec![NONE; outputs * window];
        for out in 0..outputs {
            for &(tap, at) in windows.taps(axis, out) {
                reads[out * window + tap] = at;
            }
        }
        let inputs = sizes[axis];
        Self {
            before: sizes[..axis].iter().product(),
            after: sizes[axis + 1..].iter().product(),
            same: window == 1 && inputs == outputs && reads.iter().copied().eq(0..inputs),
            inputs,
            outputs,
            window,
            reads,
        }
    }

    fn of(&self, out: usize) -> &[usize] {
        &self.reads[out * self.window..][..self.window]
    }

    fn diagonal<T: Real>(&self, from: &[Pack<T>]) -> Vec<Pack<T>> {
        let mut all = Vec::with_capacity(self.before * self.outputs * self.after);
        for start in 0..self.before {
            for out in 0..self.outputs {
                for rest in 0..self.after {
                    let mut sum = Sum::zero();
                    for &at in self.of(out).iter().filter(|&&at| at != NONE) {
                        sum.add(from[(start * self.inputs + at) * self.after + rest]);
                    }
                    all.push(sum.total());
                }
            }
        }
        all
    }

    fn all<T: Real>(&self, from: &[Pack<T>]) -> Vec<Pack<T>> {
        let Self {
            before,
            inputs,
            outputs,
            after,
            ..
        } = *self;
        let [width, out_width] = [inputs, outputs].map(|size| before * size * after);
        let mut all = vec![Pack::zero(); out_width * out_width];
        let mut rows = all.chunks_exact_mut(out_width);
        // The taps that both outputs have, as places in a row of the first and in the second.
        let mut pairs = Vec::with_capacity(self.window);
        for start in 0..before {
            for out in 0..outputs {
                for rest in 0..after {
                    let Some(row) = rows.next() else { break };
                    let mut row = row.chunks_exact_mut(after);
                    for other_start in 0..before {
                        for other in 0..outputs {
                            pairs.clear();
                            for (&p, &q) in self.of(out).iter().zip(self.of(other)) {
                                if p != NONE && q != NONE {
                                    let p = (start * inputs + p) * after + rest;
                                    pairs.push(p * width + (other_start * inputs + q) * after);
                                }
                            }
                            let Some(to) = row.next() else { break };
                            wide(
                                #[inline(always)]
                                || add(from, &pairs, to),
                            );
                        }
                    }
                }
            }
        }
        all
    }
}

/// Sums the runs of `from` that begin at `places`.
#[inline(always)]
fn add<T: Real>(from: &[Pack<T>], places: &[usize], to: &mut [Pack<T>]) {
    if places.len() <= RUN {
        for &place in places {
            for (to, &value) in to.iter_mut().zip(&from[place..]) {
                *to = *to + value;
            }
        }
        return;
    }
    for (at, to) in to.iter_mut().enumerate() {
        let mut sum = Sum::zero();
        for &place in places {
            sum.add(from[place + at]);
        }
        *to = sum.total();
    }
}
