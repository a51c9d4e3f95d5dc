//! Multiplies covariances of all pairs of positions with each other, pair by pair of samples.

use super::super::super::spatial::lanes::GROUP;
use crate::pack::{Pack, by_lanes, wide};
use crate::sums::carry;
use ntk_linalg::Real;

/// How many columns are multiplied by a row side by side, so that their sums stay in registers.
const BESIDE: usize = 4;

/// How many products are added plainly before their sum is carried on.
const PLAIN: usize = 32;

/// Computes `sum_k a[i, k] b[j, k]` of each pair of samples, for all i and j, and adds what `fold` makes of
/// it to `to`, `[i][j][sample]`.
pub(super) fn dots<T: Real>(
    [a, b]: [&[Pack<T>]; 2],
    size: usize,
    to: &mut [T],
    fold: impl Fn(Pack<T>) -> [T; GROUP] + Copy,
) {
    wide(
        #[inline(always)]
        || {
            let rows = a.chunks_exact(size).zip(to.chunks_exact_mut(size * GROUP));
            for (row, to) in rows {
                let mut column = 0;
                while column < size {
                    column += match size - column >= BESIDE {
                        true => at_columns::<BESIDE, T>(row, b, column, to, fold),
                        false => at_columns::<1, T>(row, b, column, to, fold),
                    };
                }
            }
        },
    );
}

/// Does it for one row and `C` columns, and returns `C`.
#[inline(always)]
#[allow(
    clippy::needless_range_loop,
    reason = "what iterators lend does not stay in registers"
)]
fn at_columns<const C: usize, T: Real>(
    row: &[Pack<T>],
    b: &[Pack<T>],
    column: usize,
    to: &mut [T],
    fold: impl Fn(Pack<T>) -> [T; GROUP] + Copy,
) -> usize {
    let size = row.len();
    let zeros = [Pack::zero(); C];
    let (mut sums, mut lost) = (zeros, zeros);
    for (number, part) in row.chunks(PLAIN).enumerate() {
        let mut run = zeros;
        for (k, &value) in part.iter().enumerate() {
            by_lanes();
            for c in 0..C {
                let by = b[(column + c) * size + number * PLAIN + k];
                run[c] = value.mul_add(by, run[c]);
            }
        }
        for c in 0..C {
            carry(&mut sums[c], &mut lost[c], run[c]);
        }
    }
    for c in 0..C {
        let four = fold(sums[c] + lost[c]);
        for (to, v) in to[(column + c) * GROUP..][..GROUP].iter_mut().zip(four) {
            *to += v;
        }
    }
    C
}
