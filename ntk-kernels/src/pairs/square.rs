//! Takes all pairs of positions through weights and a map at once.

use super::lanes::{First, Second};
use super::{Dual, Maps, Side};
use crate::affine::AffinePack;
use crate::pack::{Pack, by_lanes, wide_or};
use crate::pairs::lanes::GROUP;
use ntk_linalg::Real;

/// A `Square` holds all pairs of positions, row by row: those of a position of the first samples are
/// neighbours.
pub(crate) struct Square<'a, T> {
    /// What the weights do before the map.
    pub(crate) affine: AffinePack<T>,
    /// What the map needs of the first samples, [`GROUP`] of each number, position by position.
    pub(crate) first: &'a [T],
    /// The same of the second samples.
    pub(crate) second: &'a [T],
    /// How many numbers a position has.
    pub(crate) count: usize,
    /// The covariances, which become `K`.
    pub(crate) nngp: &'a mut [Pack<T>],
    /// The NTKs, which are multiplied by `D`; empty where not wanted.
    pub(crate) ntk: &'a mut [Pack<T>],
}

impl<T: Real> Square<'_, T> {
    /// Takes the pairs through `dual`, with the processor's widest instructions.
    pub(crate) fn through<D: Dual>(self, dual: &D) {
        wide_or(
            // The closure takes both by value: what the loop writes to could otherwise be where its
            // constants are.
            (self, dual.clone()),
            #[inline(always)]
            |(square, dual)| {
                square.each(
                    #[inline(always)]
                    |first, second, q| dual.pair(First(first), Second(second), q),
                );
            },
            |(square, dual)| square.slowly(&dual),
        );
    }

    /// Does the same on processors without wide instructions.
    #[cold]
    #[inline(never)]
    fn slowly(self, maps: &dyn Maps<T>) {
        let count = self.count / GROUP;
        self.each(|first, second, q| {
            let first: Vec<_> = (0..count).map(|k| First(first).get(k)).collect();
            let second: Vec<_> = (0..count).map(|k| Second(second).get(k)).collect();
            maps.pairs(&first, &second, q)
        });
    }

    #[inline(always)]
    fn each(self, pair: impl Fn(&[T], &[T], Pack<T>) -> (Pack<T>, Pack<T>)) {
        let Self {
            affine,
            first,
            second,
            count,
            nngp,
            ntk,
        } = self;
        let width = (second.len() / count).max(1);
        let rows = nngp.chunks_exact_mut(width).zip(first.chunks_exact(count));
        if ntk.is_empty() {
            for (row, first) in rows {
                for (q, second) in row.iter_mut().zip(second.chunks_exact(count)) {
                    by_lanes();
                    *q = pair(first, second, affine.nngp(*q)).0;
                }
            }
            return;
        }
        for ((row, first), ntk) in rows.zip(ntk.chunks_exact_mut(width)) {
            let both = row.iter_mut().zip(ntk);
            for ((q, t), second) in both.zip(second.chunks_exact(count)) {
                by_lanes();
                let next = affine.nngp(*q);
                let after = affine.ntk(*q, next, *t);
                let (kernel, derivative) = pair(first, second, next);
                (*q, *t) = (kernel, after * derivative);
            }
        }
    }
}
