//! Sums covariances over the taps of a filter, along one axis after the other.

use super::super::spare::Spare;
use super::field::{Extent, Field};
use crate::network::Windows;
use crate::pack::{Pack, by_lanes, wide};
use crate::sums::{RUN, Sum, carry};
use ntk_linalg::Real;

/// Stands for the input of a tap that reads padding.
const NONE: usize = usize::MAX;

/// Computes `sum_t K[s_t(o), s_t(o')]` of both kernels, over the taps that read a position of both
/// samples.
pub(in super::super::super) fn summed<T: Real>(
    windows: &Windows,
    mut field: Field<T>,
    spare: &mut Spare<T>,
) -> Field<T> {
    let mut sizes = windows.inputs();
    for axis in 0..sizes.len() {
        let along = Along::new(windows, axis, sizes);
        if along.same {
            continue;
        }
        sizes[axis] = along.outputs;
        field.positions = along.before * along.outputs * along.after;
        let extent = field.extent;
        for kernel in std::iter::once(&mut field.nngp).chain(&mut field.ntk) {
            let mut to = spare.zeros(extent.len(field.positions));
            match extent {
                Extent::Diagonal => along.diagonal(kernel, &mut to),
                Extent::All => along.all(kernel, &mut to),
            }
            spare.keep(std::mem::replace(kernel, to));
        }
    }
    field.masks = [None, None];
    field
}

/// Computes the transpose of [`summed`], which takes derivatives by what it gives to those by what it takes.
pub(in super::super::super) fn transposed<T: Real>(
    windows: &Windows,
    mut field: Field<T>,
    spare: &mut Spare<T>,
) -> Field<T> {
    let mut sizes = windows.inputs();
    let mut axes = Vec::new();
    for axis in 0..sizes.len() {
        let along = Along::new(windows, axis, sizes);
        if !along.same {
            sizes[axis] = along.outputs;
            axes.push(along);
        }
    }
    for along in axes.iter().rev() {
        field.positions = along.before * along.inputs * along.after;
        let extent = field.extent;
        for kernel in std::iter::once(&mut field.nngp).chain(&mut field.ntk) {
            let mut to = spare.zeros(extent.len(field.positions));
            match extent {
                Extent::Diagonal => along.diagonal_transposed(kernel, &mut to),
                Extent::All => along.all_transposed(kernel, &mut to),
            }
            spare.keep(std::mem::replace(kernel, to));
        }
    }
    field
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

    fn diagonal<T: Real>(&self, from: &[Pack<T>], to: &mut [Pack<T>]) {
        for (number, to) in to.iter_mut().enumerate() {
            let (start, rest) = (number / (self.outputs * self.after), number % self.after);
            let out = number / self.after % self.outputs;
            let mut sum = Sum::zero();
            for &at in self.of(out).iter().filter(|&&at| at != NONE) {
                sum.add(from[(start * self.inputs + at) * self.after + rest]);
            }
            *to = sum.total();
        }
    }

    /// `to` holds zeros.
    fn diagonal_transposed<T: Real>(&self, from: &[Pack<T>], to: &mut [Pack<T>]) {
        for (number, &value) in from.iter().enumerate() {
            let (start, rest) = (number / (self.outputs * self.after), number % self.after);
            let out = number / self.after % self.outputs;
            for &at in self.of(out).iter().filter(|&&at| at != NONE) {
                let to = &mut to[(start * self.inputs + at) * self.after + rest];
                *to = *to + value;
            }
        }
    }

    /// `all` holds zeros.
    fn all_transposed<T: Real>(&self, from: &[Pack<T>], all: &mut [Pack<T>]) {
        let Self {
            before,
            inputs,
            outputs,
            after,
            ..
        } = *self;
        let [width, out_width] = [inputs, outputs].map(|size| before * size * after);
        let stretches = self.stretches();
        for (number, row) in from.chunks_exact(out_width.max(1)).enumerate() {
            let (start, rest) = (number / (outputs * after), number % after);
            let out = number / after % outputs;
            let taps = self.of(out).iter().zip(&stretches);
            for (&at, stretches) in taps.filter(|&(&at, _)| at != NONE) {
                let to = &mut all[((start * inputs + at) * after + rest) * width..][..width];
                wide(
                    #[inline(always)]
                    || {
                        for other in 0..before {
                            for &[out, at, len] in stretches {
                                let from = &row[(other * outputs + out) * after..][..len * after];
                                let to = &mut to[(other * inputs + at) * after..][..len * after];
                                add(from, to, &mut []);
                            }
                        }
                    },
                );
            }
        }
    }

    /// Lists for each tap the outputs that read one input after another by it: the first output, its
    /// input, and how many there are.
    fn stretches(&self) -> Vec<Vec<[usize; 3]>> {
        let of = |tap: usize| {
            let mut all: Vec<[usize; 3]> = Vec::new();
            let reads = self.reads.iter().skip(tap).step_by(self.window);
            for (out, &at) in reads.enumerate().filter(|&(_, &at)| at != NONE) {
                match all.last_mut() {
                    Some([first, from, len]) if [*first + *len, *from + *len] == [out, at] => {
                        *len += 1;
                    }
                    _ => all.push([out, at, 1]),
                }
            }
            all
        };
        (0..self.window).map(of).collect()
    }

    /// `all` holds zeros.
    fn all<T: Real>(&self, from: &[Pack<T>], all: &mut [Pack<T>]) {
        let Self {
            before,
            inputs,
            outputs,
            after,
            ..
        } = *self;
        let [width, out_width] = [inputs, outputs].map(|size| before * size * after);
        let stretches = self.stretches();
        let mut lost = vec![Pack::zero(); if self.window > RUN { out_width } else { 0 }];
        for (number, to) in all.chunks_exact_mut(out_width.max(1)).enumerate() {
            // The first samples' position.
            let (start, rest) = (number / (outputs * after), number % after);
            let out = number / after % outputs;
            lost.fill(Pack::zero());
            let taps = self.of(out).iter().zip(&stretches);
            for (&at, stretches) in taps.filter(|&(&at, _)| at != NONE) {
                let row = &from[((start * inputs + at) * after + rest) * width..][..width];
                wide(
                    #[inline(always)]
                    || {
                        for other in 0..before {
                            for &[out, at, len] in stretches {
                                let to_at = (other * outputs + out) * after;
                                let from = &row[(other * inputs + at) * after..][..len * after];
                                let to = &mut to[to_at..][..len * after];
                                let lost = lost.get_mut(to_at..).unwrap_or_default();
                                add(from, to, lost);
                            }
                        }
                    },
                );
            }
            for (to, &lost) in to.iter_mut().zip(&lost) {
                *to = *to + lost;
            }
        }
    }
}

/// Adds packs to others, and what rounding takes from these to `lost` where there is such.
#[inline(always)]
fn add<T: Real>(from: &[Pack<T>], to: &mut [Pack<T>], lost: &mut [Pack<T>]) {
    if lost.is_empty() {
        for (to, &value) in to.iter_mut().zip(from) {
            by_lanes();
            *to = *to + value;
        }
        return;
    }
    for ((to, lost), &value) in to.iter_mut().zip(lost).zip(from) {
        by_lanes();
        carry(to, lost, value);
    }
}
