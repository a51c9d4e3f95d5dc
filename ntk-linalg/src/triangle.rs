//! The two halves of a matrix, and copies between those of a symmetric one, block by block.

use ndarray::{Array2, ArrayRef2, ArrayView2, ArrayViewMut2, Axis, ShapeBuilder, s};
use rayon::prelude::*;

use crate::memory::check_room;
use crate::validate::square;
use crate::{LinalgError, Real};

/// Side of a block: two blocks of f64 (2 * 32 * 32 * 8 bytes) fit the first-level cache.
const BLOCK: usize = 32;

/// The half of a triangular matrix that holds its entries; the other half is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Triangle {
    /// The entries with `row >= column`.
    Lower,
    /// The entries with `row <= column`.
    Upper,
}

/// Copies the lower half of a square `a` onto its upper half.
///
/// Cost: `n^2 / 2` moves, on the current pool.
///
/// # Errors
/// [`LinalgError::NotSquare`].
pub fn mirror_lower<T: Real>(a: &mut ArrayRef2<T>) -> Result<(), LinalgError> {
    square(a, "mirroring the lower half")?;
    mirror(a.view_mut());
    Ok(())
}

/// Does what [`mirror_lower`] does, to a matrix that is known to be square.
pub(crate) fn mirror<T: Real>(mut a: ArrayViewMut2<'_, T>) {
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
    let transpose = || transpose(below.view(), above);
    if n <= 8 * BLOCK {
        mirror(first);
        mirror(second);
        transpose();
    } else {
        rayon::join(
            || rayon::join(|| mirror(first), || mirror(second)),
            transpose,
        );
    }
}

/// Copies `from` transposed into `to`.
///
/// Cost: as many moves as there are entries, block by block, on the current pool.
///
/// # Errors
/// [`LinalgError::ShapeMismatch`] where `to` has not the shape of the transpose.
pub fn transpose_into<T: Real>(
    from: &ArrayRef2<T>,
    to: &mut ArrayRef2<T>,
) -> Result<(), LinalgError> {
    let (left, right) = (from.dim(), to.dim());
    if (left.1, left.0) != right {
        return Err(LinalgError::ShapeMismatch {
            operation: "a transposition",
            left,
            right,
        });
    }
    if !from.is_empty() {
        transpose(from.view(), to.view_mut());
    }
    Ok(())
}

/// Does what [`transpose_into`] does, for shapes that are known to fit.
fn transpose<T: Real>(from: ArrayView2<'_, T>, mut to: ArrayViewMut2<'_, T>) {
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
        transpose(from_0, to_0);
        transpose(from_1, to_1);
    } else {
        rayon::join(|| transpose(from_0, to_0), || transpose(from_1, to_1));
    }
}

/// Returns the lower half of a square `a`, times `scale`, as a column-major matrix of its own.
///
/// What lies above the diagonal is zero. Cost: `n^2 / 2` moves.
pub(crate) fn lower_to_buffer<T: Real>(
    a: ArrayView2<'_, T>,
    scale: T,
) -> Result<Array2<T>, LinalgError> {
    let n = a.nrows();
    check_room::<T>(n, n)?;
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
    Ok(buffer)
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
                let buffer = lower_to_buffer(a.view(), 2.0).unwrap();
                mirror_lower(&mut a).unwrap();
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
