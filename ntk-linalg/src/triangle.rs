//! The two halves of a matrix, and copies between those of a symmetric one, block by block.

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, ShapeBuilder, s};
use rayon::prelude::*;

use crate::Real;

/// Side of a block: two blocks of f64 (2 * 32 * 32 * 8 bytes) fit the first-level cache.
const BLOCK: usize = 32;

/// Which half of a triangular matrix holds its entries; the other is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Triangle {
    /// Entries with `row >= column`.
    Lower,
    /// Entries with `row <= column`.
    Upper,
}

/// Copies the lower half of a square `a` onto its upper half.
///
/// Cost: `n^2 / 2` moves, on the current pool.
///
/// # Panics
/// If `a` is not square.
pub fn mirror_lower<T: Real>(mut a: ArrayViewMut2<'_, T>) {
    // Halving: the off-diagonal quarter is transposed while the two diagonal
    // quarters, which share nothing with it, are mirrored.
    let n = a.nrows();
    if n <= BLOCK {
        for i in 0..n {
            for j in 0..i {
                a[[j, i]] = a[[i, j]];
            }
        }
        return;
    }
    let half = (n / 2).next_multiple_of(BLOCK).min(n - 1);
    let (top, bottom) = a.split_at(Axis(0), half);
    let (first, above) = top.split_at(Axis(1), half);
    let (below, second) = bottom.split_at(Axis(1), half);
    let transpose = || transpose_into(below.view(), above);
    if n <= 8 * BLOCK {
        mirror_lower(first);
        mirror_lower(second);
        transpose();
    } else {
        rayon::join(
            || rayon::join(|| mirror_lower(first), || mirror_lower(second)),
            transpose,
        );
    }
}

/// Copies `from` transposed into `to`.
///
/// Cost: as many moves as there are entries, block by block, on the current pool.
///
/// # Panics
/// If `to` has not the shape of the transpose.
pub fn transpose_into<T: Real>(from: ArrayView2<'_, T>, mut to: ArrayViewMut2<'_, T>) {
    // Halving the longer side until blocks fit the cache.
    let (rows, columns) = from.dim();
    if rows.max(columns) <= BLOCK {
        to.assign(&from.t());
        return;
    }
    let axis = usize::from(columns > rows);
    let half = (from.len_of(Axis(axis)) / 2).next_multiple_of(BLOCK / 2);
    let (from_0, from_1) = from.split_at(Axis(axis), half);
    let (to_0, to_1) = to.view_mut().split_at(Axis(1 - axis), half);
    if rows * columns <= 64 * BLOCK * BLOCK {
        transpose_into(from_0, to_0);
        transpose_into(from_1, to_1);
    } else {
        rayon::join(
            || transpose_into(from_0, to_0),
            || transpose_into(from_1, to_1),
        );
    }
}

/// The lower half of `a`, times `scale`, as a column-major matrix of its own.
///
/// What lies above the diagonal is zero. Cost: `n^2 / 2` moves.
pub(crate) fn lower_to_buffer<T: Real>(a: ArrayView2<'_, T>, scale: T) -> Array2<T> {
    let n = a.nrows();
    let mut buffer = Array2::zeros((n, n).f());
    let panels = buffer.axis_chunks_iter_mut(Axis(1), BLOCK).enumerate();
    panels.par_bridge().for_each(|(panel, mut columns)| {
        let first = panel * BLOCK;
        for block in (first..n).step_by(BLOCK) {
            let end = n.min(block + BLOCK);
            for (j, mut column) in (first..).zip(columns.columns_mut()) {
                let rows = block.max(j)..end.max(j);
                let source = a.slice(s![rows.clone(), j]);
                column
                    .slice_mut(s![rows])
                    .zip_mut_with(&source, |to, &from| *to = from * scale);
            }
        }
    });
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_and_copies_every_size() {
        for n in (0..70).chain([255, 256, 257, 400]) {
            for column_major in [false, true] {
                let entry = |(i, j): (usize, usize)| (i * 1000 + j) as f64;
                let mut a = if column_major {
                    Array2::from_shape_fn((n, n).f(), entry)
                } else {
                    Array2::from_shape_fn((n, n), entry)
                };
                let buffer = lower_to_buffer(a.view(), 2.0);
                mirror_lower(a.view_mut());
                for i in 0..n {
                    for j in 0..n {
                        assert_eq!(a[[i, j]], entry((i.max(j), i.min(j))));
                        let expected = if i >= j { 2.0 * entry((i, j)) } else { 0.0 };
                        assert_eq!(buffer[[i, j]], expected);
                    }
                }
            }
        }
    }
}
