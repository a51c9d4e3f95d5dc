//! Arranges sixteen pairs in the lanes of a pack: four samples of the first input by four of the
//! second.

use super::Side;
use crate::pack::{LANES, Pack};
use ntk_linalg::Real;

/// The number of samples in a group.
pub(crate) const GROUP: usize = 4;

/// The numbers of four first samples, number by number; lane `4 a + b` is that of sample `a`.
#[derive(Clone, Copy)]
pub(crate) struct First<'a, T>(pub(crate) &'a [T]);

/// The numbers of four second samples; lane `4 a + b` is that of sample `b`.
#[derive(Clone, Copy)]
pub(crate) struct Second<'a, T>(pub(crate) &'a [T]);

impl<T: Real> Side<T> for First<'_, T> {
    #[inline(always)]
    fn get(self, k: usize) -> Pack<T> {
        let four = four(self.0, k);
        let mut out = Pack::zero();
        for lane in 0..LANES {
            out.0[lane] = four[lane / GROUP];
        }
        out
    }
}

impl<T: Real> Side<T> for Second<'_, T> {
    #[inline(always)]
    fn get(self, k: usize) -> Pack<T> {
        let four = four(self.0, k);
        let mut out = Pack::zero();
        for lane in 0..LANES {
            out.0[lane] = four[lane % GROUP];
        }
        out
    }
}

#[inline(always)]
fn four<T: Real>(numbers: &[T], k: usize) -> [T; GROUP] {
    let mut four = [T::zero(); GROUP];
    four.copy_from_slice(&numbers[k * GROUP..][..GROUP]);
    four
}

/// The numbers of any samples, a pack each.
#[derive(Clone, Copy)]
pub(crate) struct Packs<'a, T>(pub(crate) &'a [Pack<T>]);

impl<T: Real> Side<T> for Packs<'_, T> {
    #[inline(always)]
    fn get(self, k: usize) -> Pack<T> {
        self.0[k]
    }
}
