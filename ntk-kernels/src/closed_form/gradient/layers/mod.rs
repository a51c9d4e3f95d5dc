//! Differentiates layers whose maps of covariances are more than weights and fixed sums of positions.
//!
//! Attention ([`attention`]) and recurrent layers ([`recurrent`]) each have four functions. `tangent` takes
//! derivatives by one hyperparameter from the covariances before the layer to those after it, and `adjoint`
//! those of a number from after it to before it, and to what is known of the samples of either side. Of a
//! group with itself, `own_tangent` and `own_adjoint` do the same from the group's covariances to what is
//! known of its samples.
//!
//! All take fields with an NTK.

pub(super) mod attention;
mod dots;
mod making;
pub(super) mod recurrent;
mod square_root;
#[cfg(test)]
mod tests;

use super::super::spatial::lanes::GROUP;
use crate::pack::Pack;
use crate::pairs::Slopes;
use ntk_linalg::Real;

/// Sums what belongs to pairs of each of the four first samples.
#[inline(always)]
fn firsts<T: Real>(pack: Pack<T>) -> [T; GROUP] {
    let mut sums = [T::zero(); GROUP];
    for (lane, &v) in pack.0.iter().enumerate() {
        sums[lane / GROUP] += v;
    }
    sums
}

/// Sums what belongs to pairs of each of the four second samples.
#[inline(always)]
fn seconds<T: Real>(pack: Pack<T>) -> [T; GROUP] {
    let mut sums = [T::zero(); GROUP];
    for (lane, &v) in pack.0.iter().enumerate() {
        sums[lane % GROUP] += v;
    }
    sums
}

/// Makes room for the derivatives of so many pairs.
fn room_for_slopes<T: Real>(pairs: usize) -> Vec<Slopes<T>> {
    vec![Slopes::zeros(); pairs]
}
