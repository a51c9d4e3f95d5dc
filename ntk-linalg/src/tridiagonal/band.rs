//! Symmetric matrices of few diagonals.

use ndarray::ArrayView2;

use crate::memory::check_room;
use crate::{LinalgError, Real};

/// A `Band` is the lower half of a symmetric matrix whose entries are zero more than B below the
/// diagonal, with room for as many more diagonals, which fill while it becomes tridiagonal.
///
/// Entry (r, c) is at `c * stride + r`, so that a block is a matrix whose columns are `stride` apart.
/// Zeros follow the matrix, so that blocks at its end are like all others.
pub(super) struct Band<T, const B: usize> {
    pub(super) order: usize,
    pub(super) numbers: Vec<T>,
}

impl<T: Real, const B: usize> Band<T, B> {
    /// The distance of two columns: at a power of two, all would share a few sets of the cache.
    pub(super) const STRIDE: usize = 2 * B + 8;

    pub(super) fn new(order: usize) -> Result<Self, LinalgError> {
        let columns = order + 2 * B;
        check_room::<T>(columns, Self::STRIDE + 1)?;
        Ok(Self {
            order,
            numbers: vec![T::zero(); columns * (Self::STRIDE + 1)],
        })
    }

    /// Copies those entries of a block, which begins at (`row`, `column`), whose place in it `wanted` takes.
    pub(super) fn copy(
        &mut self,
        (row, column): (usize, usize),
        block: ArrayView2<'_, T>,
        wanted: impl Fn(usize, usize) -> bool,
    ) {
        for ((r, c), &x) in block.indexed_iter() {
            if wanted(r, c) {
                self.numbers[(column + c) * Self::STRIDE + row + r] = x;
            }
        }
    }

    /// Returns the diagonal `distance` below the main one.
    pub(super) fn diagonal(&self, distance: usize) -> Vec<T> {
        let columns = 0..self.order.saturating_sub(distance);
        columns
            .map(|c| self.numbers[c * (Self::STRIDE + 1) + distance])
            .collect()
    }
}
