//! Differentiates what keys, queries and values of attention are made of.

use super::super::super::spatial::whole::attention::{embedding, product, unmasked};
use super::super::super::spatial::whole::field::{Extent, Field};
use crate::network::Logits;
use crate::pack::Pack;
use ntk_linalg::Real;

/// The derivatives of the kernels that keys and queries, or values, are made of.
pub(super) struct Making<T> {
    /// By the signal's.
    own: T,
    /// By the embedding's deviation, where they are made of it.
    embedded: Option<Vec<Pack<T>>>,
}

impl<T: Real> Making<T> {
    pub(super) fn new(logits: &Logits, field: &Field<T>, values: bool) -> Self {
        let Some((embedding, [own, shared])) = embedding(logits, values) else {
            return Self {
                own: T::one(),
                embedded: None,
            };
        };
        let std = embedding.covariance.w_std;
        // The covariances are those of deviation 1, times its square.
        let by = if std > 0.0 { 2.0 / std } else { 0.0 };
        let positions = field.positions;
        let covariances = embedding.covariances();
        let embedded = covariances.iter().enumerate().map(|(at, &r)| {
            Pack::of(shared * r * by) * unmasked(field, at / positions, at % positions)
        });
        Self {
            own: T::of(own),
            embedded: Some(embedded.collect()),
        }
    }

    /// Computes the derivatives of one kernel.
    pub(super) fn tangent(&self, by: &[Pack<T>], moved: f64) -> Vec<Pack<T>> {
        match &self.embedded {
            None => by.to_vec(),
            Some(embedded) => {
                let both = by.iter().zip(embedded);
                let moved = T::of(moved);
                both.map(|(&by, &r)| by * self.own + r * moved).collect()
            }
        }
    }

    /// Adds the derivatives by the signal's kernel to `to`, from those by the kernel that is made of it;
    /// returns that by the embedding's deviation.
    pub(super) fn adjoint(&self, bar: &[Pack<T>], to: &mut [Pack<T>]) -> f64 {
        for (to, &bar) in to.iter_mut().zip(bar) {
            *to = *to + bar * self.own;
        }
        self.embedded
            .as_ref()
            .map_or(0.0, |embedded| product(embedded, bar).sum())
    }
}

/// The derivatives of S and U, and these themselves where they are wanted.
pub(super) type Sums<T> = (Field<T>, Option<Field<T>>);

/// Makes a field of all pairs of positions.
pub(super) fn all_pairs<T: Real>(
    positions: usize,
    nngp: Vec<Pack<T>>,
    ntk: Vec<Pack<T>>,
) -> Field<T> {
    Field {
        extent: Extent::All,
        positions,
        nngp,
        ntk: Some(ntk),
        masks: [None, None],
    }
}

/// Returns the NTK of a field that has one.
pub(super) fn ntk_of<T>(ntk: Option<&[T]>) -> &[T] {
    ntk.expect("what is differentiated has an NTK")
}

/// What derivatives by S and U give.
pub(super) struct Given<T> {
    /// Those by the covariances before the layer.
    pub(super) field: Field<T>,
    /// Those by what is known of the samples of either side.
    pub(super) known: [Vec<T>; 2],
}
