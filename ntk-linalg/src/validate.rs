//! What every operation checks before it starts.

use ndarray::{ArrayRef2, ArrayView1, ArrayView2};
use num_traits::Float;
use rayon::prelude::*;

use crate::{LinalgError, Real};

/// Rows that one task looks at: large enough to hide rayon's overhead.
const ROWS_PER_TASK: usize = 64;

/// Returns the order of a square matrix, and refuses any other.
pub(crate) fn square<T>(a: &ArrayRef2<T>, operation: &'static str) -> Result<usize, LinalgError> {
    let (rows, columns) = a.dim();
    if rows == columns {
        Ok(rows)
    } else {
        Err(LinalgError::NotSquare {
            operation,
            rows,
            columns,
        })
    }
}

/// The entries of a matrix that an operation reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Region {
    /// All entries.
    All,
    /// The entries with `row >= column`.
    Lower,
    /// The entries with `row <= column`.
    Upper,
}

/// Returns the largest magnitude in a region of `a`, or as an error the first entry, by rows, that
/// is not finite.
pub(crate) fn max_abs<T: Real>(a: &ArrayView2<'_, T>, region: Region) -> Result<T, LinalgError> {
    if a.is_empty() {
        return Ok(T::zero());
    }
    let (rows, columns) = a.dim();
    let row_range = |row: usize| match region {
        Region::All => 0..columns,
        Region::Lower => 0..columns.min(row + 1),
        Region::Upper => row.min(columns)..columns,
    };
    // Column-major views are walked along their columns: the transposed matrix, the other half.
    if a.strides()[0].unsigned_abs() < a.strides()[1].unsigned_abs() && rows > 1 && columns > 1 {
        let flipped = match region {
            Region::All => Region::All,
            Region::Lower => Region::Upper,
            Region::Upper => Region::Lower,
        };
        return max_abs_by_rows(&a.t(), flipped).ok_or_else(|| first_non_finite(a, row_range));
    }
    max_abs_by_rows(a, region).ok_or_else(|| first_non_finite(a, row_range))
}

/// Returns the largest magnitude, or `None` where an entry is not finite.
fn max_abs_by_rows<T: Real>(a: &ArrayView2<'_, T>, region: Region) -> Option<T> {
    let (rows, columns) = a.dim();
    let of_row = |row: usize| -> T {
        let range = match region {
            Region::All => 0..columns,
            Region::Lower => 0..columns.min(row + 1),
            Region::Upper => row.min(columns)..columns,
        };
        let line: ArrayView1<'_, T> = a.row(row);
        let line = line.slice(ndarray::s![range]);
        match line.as_slice() {
            Some(line) => max_abs_of(line),
            None => line.iter().fold(T::zero(), |max, &x| larger(max, x)),
        }
    };
    let max = if rows * columns < ROWS_PER_TASK * ROWS_PER_TASK {
        (0..rows).map(of_row).fold(T::zero(), larger)
    } else {
        (0..rows)
            .into_par_iter()
            .with_min_len(ROWS_PER_TASK)
            .map(of_row)
            .reduce(T::zero, larger)
    };
    max.is_finite().then_some(max)
}

/// Returns the larger magnitude, infinite if either is not finite.
///
/// `max` is never NaN: a NaN in `x` fails the comparison and turns into infinity.
#[inline]
fn larger<T: Real>(max: T, x: T) -> T {
    let x = Float::abs(x);
    let x = if x <= T::max_value() {
        x
    } else {
        T::infinity()
    };
    if x > max { x } else { max }
}

/// Folds [`larger`] over a slice, in eight independent lanes so that it vectorises.
fn max_abs_of<T: Real>(line: &[T]) -> T {
    let mut lanes = [T::zero(); 8];
    let (chunks, rest) = line.as_chunks::<8>();
    for chunk in chunks {
        for (max, &x) in lanes.iter_mut().zip(chunk) {
            *max = larger(*max, x);
        }
    }
    lanes
        .iter()
        .chain(rest)
        .fold(T::zero(), |max, &x| larger(max, x))
}

/// Names the first entry that is not finite; called only where there is one.
fn first_non_finite<T: Real>(
    a: &ArrayView2<'_, T>,
    range: impl Fn(usize) -> std::ops::Range<usize>,
) -> LinalgError {
    for row in 0..a.nrows() {
        for column in range(row) {
            let value = a[[row, column]];
            if !Float::is_finite(value) {
                return LinalgError::NonFinite {
                    row,
                    column,
                    value: Real::to_f64(value),
                };
            }
        }
    }
    unreachable!("only called after a non-finite entry was seen")
}
