//! Multiplies covariances from both sides by matrices of positions, one for each sample.

use super::super::lanes::{First, Second};
use super::super::matrix::Matrix;
use super::super::spare::Spare;
use crate::pack::{Pack, wide};
use crate::pairs::Side;
use ntk_linalg::Real;

/// Takes a kernel K to `sum_rs A[p, r] K[r, s] B[q, s]` for all `p` and `q`, `A` those of the first
/// samples, `B` those of the second.
pub(in super::super::super) fn sandwich<T: Real>(
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
