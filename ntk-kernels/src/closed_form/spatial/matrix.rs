//! Holds matrices of positions, one for each sample, and multiplies covariances by them.

use crate::pack::{Pack, by_lanes};
use crate::pairs::lanes::GROUP;
use crate::sums::{RUN, carry};
use ntk_linalg::Real;
use std::borrow::Cow;

/// How many rows are added up before the sum is stored.
const AT_ONCE: usize = 4;

/// How many columns are multiplied by a row side by side, so that their sums stay in registers.
const BESIDE_ONE: usize = 6;

/// How many are multiplied by two rows.
const BESIDE_TWO: usize = 4;

/// Up to so many terms the sums of rows are added plainly: there are then no more of them than numbers
/// that are added plainly elsewhere.
const FEW: usize = AT_ONCE * RUN;

/// A `Matrix` holds matrices of positions of the four samples of a group, with entries in the same
/// places.
#[derive(Clone)]
pub(in super::super) struct Matrix<'a, T: Real> {
    /// Whether there are entries in all places.
    dense: bool,
    /// Where the entries of each row end.
    ends: Vec<usize>,
    /// The column of each entry.
    columns: Vec<usize>,
    /// The value of each entry, `[entry][sample]`.
    values: Cow<'a, [T]>,
}

impl<'a, T: Real> Matrix<'a, T> {
    /// Makes square matrices of all their values, `[row][column][sample]`.
    pub(in super::super) fn dense(values: &'a [T], size: usize) -> Self {
        Self {
            dense: true,
            ends: (1..=size).map(|row| row * size).collect(),
            columns: (0..size).cycle().take(size * size).collect(),
            values: Cow::Borrowed(values),
        }
    }

    /// Makes square matrices of the entries that are not zero in all samples: row, column, values.
    pub(in super::super) fn sparse(
        entries: impl Iterator<Item = (usize, usize, [T; GROUP])>,
        size: usize,
    ) -> Self {
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by_key(|&(row, column, _)| (row, column));
        let mut ends = vec![0; size];
        for &(row, ..) in &entries {
            ends[row] += 1;
        }
        let mut before = 0;
        for end in &mut ends {
            before += *end;
            *end = before;
        }
        Self {
            dense: false,
            ends,
            columns: entries.iter().map(|&(_, column, _)| column).collect(),
            values: entries.iter().flat_map(|&(.., values)| values).collect(),
        }
    }

    /// Makes the transposes.
    pub(in super::super) fn transpose(&self) -> Matrix<'static, T> {
        let size = self.ends.len();
        let entries = (0..size).flat_map(|row| {
            let (columns, values) = self.row(row);
            let entries = columns.iter().zip(values.chunks_exact(GROUP));
            entries.map(move |(&column, four)| {
                (column, row, std::array::from_fn(|sample| four[sample]))
            })
        });
        Matrix {
            dense: self.dense,
            ..Matrix::sparse(entries, size)
        }
    }

    /// Returns the columns and values of the entries of a row.
    #[inline(always)]
    fn row(&self, row: usize) -> (&[usize], &[T]) {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        let entries = start..self.ends[row];
        let values = &self.values[start * GROUP..entries.end * GROUP];
        (&self.columns[entries], values)
    }

    /// Computes the transpose of the product with a square matrix of pairs, its rows in the lanes that
    /// `lanes` puts them in.
    #[inline(always)]
    pub(in super::super) fn transposed(
        &self,
        from: &[Pack<T>],
        to: &mut [Pack<T>],
        lanes: impl Fn(&[T]) -> Pack<T> + Copy,
    ) {
        let size = self.ends.len();
        // A few columns stay in the first-level cache while they are multiplied by all rows.
        let mut next = 0;
        while next < size {
            let columns = |column: usize| Columns { from, size, column };
            next = if self.dense && size >= BESIDE_TWO {
                // Where fewer are left some come again.
                let start = next.min(size - BESIDE_TWO);
                self.at_columns::<2, BESIDE_TWO>(columns(start), to, lanes)
            } else if size >= BESIDE_ONE {
                let start = next.min(size - BESIDE_ONE);
                self.at_columns::<1, BESIDE_ONE>(columns(start), to, lanes)
            } else {
                self.at_columns::<1, 1>(columns(next), to, lanes)
            };
        }
    }

    /// Computes the products of all rows, `R` at a time, with `C` columns, and returns the number of the
    /// column after these.
    #[inline(always)]
    #[allow(
        clippy::needless_range_loop,
        reason = "what iterators lend does not stay in registers"
    )]
    fn at_columns<const R: usize, const C: usize>(
        &self,
        from: Columns<'_, T>,
        to: &mut [Pack<T>],
        lanes: impl Fn(&[T]) -> Pack<T> + Copy,
    ) -> usize {
        let Columns { size, column, .. } = from;
        let to = &mut to[column * size..][..C * size];
        let mut row = 0;
        while row < size {
            let (columns, values) = self.row(row);
            if R == 2 && row + 1 < size {
                let (_, more) = self.row(row + 1);
                let [sums, others] = from.times::<2, C>(columns, [values, more], lanes);
                for c in 0..C {
                    by_lanes();
                    to[c * size + row] = sums[c];
                    to[c * size + row + 1] = others[c];
                }
            } else {
                let [sums] = from.times::<1, C>(columns, [values], lanes);
                for c in 0..C {
                    by_lanes();
                    to[c * size + row] = sums[c];
                }
            }
            row += R;
        }
        column + C
    }
}

/// `Columns` are neighbouring columns of a square matrix of pairs, from one on.
#[derive(Clone, Copy)]
struct Columns<'a, T> {
    from: &'a [Pack<T>],
    size: usize,
    column: usize,
}

impl<T: Real> Columns<'_, T> {
    /// Computes the products of `R` rows, whose entries are in these `columns`, and `C` columns.
    #[inline(always)]
    fn times<const R: usize, const C: usize>(
        self,
        columns: &[usize],
        values: [&[T]; R],
        lanes: impl Fn(&[T]) -> Pack<T> + Copy,
    ) -> [[Pack<T>; C]; R] {
        // Where nothing is carried, all sums stay in registers.
        match columns.len() <= FEW {
            true => self.add_up::<R, C, false>(columns, values, lanes),
            false => self.add_up::<R, C, true>(columns, values, lanes),
        }
    }

    #[inline(always)]
    #[allow(
        clippy::needless_range_loop,
        reason = "what iterators lend does not stay in registers"
    )]
    fn add_up<const R: usize, const C: usize, const CARRY: bool>(
        self,
        columns: &[usize],
        values: [&[T]; R],
        lanes: impl Fn(&[T]) -> Pack<T> + Copy,
    ) -> [[Pack<T>; C]; R] {
        let zeros = [[Pack::zero(); C]; R];
        let (mut sums, mut lost) = (zeros, zeros);
        for (number, part) in columns.chunks(AT_ONCE).enumerate() {
            let mut run = zeros;
            for (k, &column) in part.iter().enumerate() {
                let at = (number * AT_ONCE + k) * GROUP;
                let row = &self.from[column * self.size + self.column..][..C];
                by_lanes();
                // Not by `map`, whose closure would be left out of this loop.
                let mut by = [Pack::zero(); R];
                for r in 0..R {
                    by[r] = lanes(&values[r][at..at + GROUP]);
                }
                for r in 0..R {
                    for c in 0..C {
                        run[r][c] = row[c].mul_add(by[r], run[r][c]);
                    }
                }
            }
            for r in 0..R {
                for c in 0..C {
                    if CARRY {
                        carry(&mut sums[r][c], &mut lost[r][c], run[r][c]);
                    } else {
                        sums[r][c] = sums[r][c] + run[r][c];
                    }
                }
            }
        }
        if CARRY {
            for r in 0..R {
                for c in 0..C {
                    sums[r][c] = sums[r][c] + lost[r][c];
                }
            }
        }
        sums
    }
}
