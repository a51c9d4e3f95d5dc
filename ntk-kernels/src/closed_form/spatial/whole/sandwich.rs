//! Multiplies covariances from both sides by matrices of positions, one for each sample.

use super::super::lanes::{First, GROUP, Second};
use super::field::Spare;
use crate::pack::{Pack, by_lanes, wide};
use crate::pairs::Side;
use crate::sums::{RUN, carry};
use ntk_linalg::Real;
use std::borrow::Cow;

/// How many rows are added up before the sum is stored.
const AT_ONCE: usize = 4;

/// Up to so many terms the sums of rows are added plainly: there are then no more of them than numbers
/// that are added plainly elsewhere.
const FEW: usize = AT_ONCE * RUN;

/// A `Matrix` holds matrices of positions of the four samples of a group, with entries in the same
/// places.
#[derive(Clone)]
pub(in super::super) struct Matrix<'a, T: Real> {
    /// Where the entries of each row end.
    ends: Vec<usize>,
    /// The column of each entry.
    columns: Vec<usize>,
    /// The value of each entry, `[entry][sample]`.
    values: Cow<'a, [T]>,
}

impl<'a, T: Real> Matrix<'a, T> {
    /// Makes square matrices of all their values, `[row][column][sample]`.
    pub(super) fn dense(values: &'a [T], size: usize) -> Self {
        Self {
            ends: (1..=size).map(|row| row * size).collect(),
            columns: (0..size).cycle().take(size * size).collect(),
            values: Cow::Borrowed(values),
        }
    }

    /// Makes square matrices of the entries that are not zero in all samples: row, column, values.
    pub(super) fn sparse(
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
            ends,
            columns: entries.iter().map(|&(_, column, _)| column).collect(),
            values: entries.iter().flat_map(|&(.., values)| values).collect(),
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
    fn transposed(
        &self,
        from: &[Pack<T>],
        to: &mut [Pack<T>],
        lanes: impl Fn(&[T]) -> Pack<T> + Copy,
    ) {
        let size = self.ends.len();
        let [mut sums, mut lost, mut others] = [(); 3].map(|()| vec![Pack::zero(); size]);
        let mut row = 0;
        while row < size {
            let (columns, values) = self.row(row);
            let few = columns.len() <= FEW;
            let next = match row + 1 < size {
                true => Some(self.row(row + 1)),
                false => None,
            };
            sums.fill(Pack::zero());
            let runs = columns.chunks(AT_ONCE).zip(values.chunks(AT_ONCE * GROUP));
            match next {
                Some((others_columns, others_values)) if few && others_columns == columns => {
                    others.fill(Pack::zero());
                    for ((columns, values), more) in runs.zip(others_values.chunks(AT_ONCE * GROUP))
                    {
                        let run = Run::new(columns, values, (from, size), lanes);
                        let more = Run::new(columns, more, (from, size), lanes);
                        run.add_two(more.values, &mut sums, &mut others);
                    }
                    let places = to[row..].chunks_mut(size);
                    for ((to, &sum), &other) in places.zip(&sums).zip(&others) {
                        by_lanes();
                        (to[0], to[1]) = (sum, other);
                    }
                    row += 2;
                    continue;
                }
                _ if few => {
                    for (columns, values) in runs {
                        Run::new(columns, values, (from, size), lanes).add(&mut sums);
                    }
                }
                _ => {
                    lost.fill(Pack::zero());
                    for (columns, values) in runs {
                        let run = Run::new(columns, values, (from, size), lanes);
                        run.carry(&mut sums, &mut lost);
                    }
                    for (sum, &lost) in sums.iter_mut().zip(&lost) {
                        by_lanes();
                        *sum = *sum + lost;
                    }
                }
            }
            for (to, &sum) in to[row..].iter_mut().step_by(size).zip(&sums) {
                by_lanes();
                *to = sum;
            }
            row += 1;
        }
    }
}

/// Takes a kernel K to `sum_rs A[p, r] K[r, s] B[q, s]` for all `p` and `q`, `A` those of the first
/// samples, `B` those of the second.
pub(super) fn sandwich<T: Real>(
    [first, second]: [&Matrix<'_, T>; 2],
    kernel: &mut [Pack<T>],
    spare: &mut Spare<T>,
) {
    let zero = Pack::zero();
    if kernel.iter().all(|&value| value == zero) {
        // As the NTK is before the first weights.
        return;
    }
    let mut between = spare.any(kernel.len());
    wide(
        #[inline(always)]
        || {
            first.transposed(
                kernel,
                &mut between,
                #[inline(always)]
                |four| First(four).get(0),
            );
            second.transposed(
                &between,
                kernel,
                #[inline(always)]
                |four| Second(four).get(0),
            );
        },
    );
    spare.keep(between);
}

/// A `Run` holds rows that are added up at once, each times a value.
struct Run<'a, T> {
    rows: [&'a [Pack<T>]; AT_ONCE],
    values: [Pack<T>; AT_ONCE],
}

impl<'a, T: Real> Run<'a, T> {
    /// Takes the rows of `from` that these columns name; where there are fewer, the last comes again times 0.
    #[inline(always)]
    fn new(
        columns: &[usize],
        values: &[T],
        (from, size): (&'a [Pack<T>], usize),
        lanes: impl Fn(&[T]) -> Pack<T> + Copy,
    ) -> Self {
        let (mut rows, mut all) = ([&from[..0]; AT_ONCE], [Pack::zero(); AT_ONCE]);
        for k in 0..AT_ONCE {
            let entry = k.min(columns.len() - 1);
            rows[k] = &from[columns[entry] * size..][..size];
            if k == entry {
                all[k] = lanes(&values[k * GROUP..][..GROUP]);
            }
        }
        Self { rows, values: all }
    }

    /// Adds the sums to `to`.
    #[inline(always)]
    fn add(self, to: &mut [Pack<T>]) {
        let ([a, b, c, d], [v, w, x, y]) = (self.rows, self.values);
        let rows = a.iter().zip(b).zip(c).zip(d);
        for (to, (((&a, &b), &c), &d)) in to.iter_mut().zip(rows) {
            by_lanes();
            let sum = d.mul_add(y, c.mul_add(x, b.mul_add(w, a * v)));
            *to = *to + sum;
        }
    }

    /// Adds the sums to `to`, and those with other values to `others`.
    #[inline(always)]
    fn add_two(self, other: [Pack<T>; AT_ONCE], to: &mut [Pack<T>], others: &mut [Pack<T>]) {
        let ([a, b, c, d], [v, w, x, y], [p, q, r, s]) = (self.rows, self.values, other);
        let rows = a.iter().zip(b).zip(c).zip(d);
        for ((to, other), (((&a, &b), &c), &d)) in to.iter_mut().zip(others).zip(rows) {
            by_lanes();
            let sum = d.mul_add(y, c.mul_add(x, b.mul_add(w, a * v)));
            *to = *to + sum;
            let sum = d.mul_add(s, c.mul_add(r, b.mul_add(q, a * p)));
            *other = *other + sum;
        }
    }

    /// Adds the sums to `to`, and what rounding takes from these to `lost`.
    #[inline(always)]
    fn carry(self, to: &mut [Pack<T>], lost: &mut [Pack<T>]) {
        let ([a, b, c, d], [v, w, x, y]) = (self.rows, self.values);
        let rows = a.iter().zip(b).zip(c).zip(d);
        for ((to, lost), (((&a, &b), &c), &d)) in to.iter_mut().zip(lost).zip(rows) {
            by_lanes();
            let sum = d.mul_add(y, c.mul_add(x, b.mul_add(w, a * v)));
            carry(to, lost, sum);
        }
    }
}
