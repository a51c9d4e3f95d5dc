//! Holds covariances of pairs of positions on their way through a network.

use super::super::lanes::{GROUP, Mask, own};
use super::super::spare::Spare;
use crate::affine::Affine;
use crate::pack::{Pack, by_lanes, wide};
use ntk_linalg::Real;

/// An `Extent` says which pairs of positions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super::super) enum Extent {
    /// Pairs of equal positions.
    Diagonal,
    /// All pairs, row by row: those of a position of the first samples are neighbours.
    All,
}

impl Extent {
    /// Returns the number of pairs of so many positions.
    pub(in super::super::super) fn len(self, positions: usize) -> usize {
        match self {
            Self::Diagonal => positions,
            Self::All => positions.saturating_mul(positions),
        }
    }
}

/// A `Field` holds covariances of pairs of positions; no NTK means that it is not wanted.
#[derive(Debug, Clone)]
pub(in super::super::super) struct Field<T> {
    pub(in super::super::super) extent: Extent,
    pub(in super::super::super) positions: usize,
    pub(in super::super::super) nngp: Vec<Pack<T>>,
    pub(in super::super::super) ntk: Option<Vec<Pack<T>>>,
    /// Which positions of the samples of either group are masked.
    pub(in super::super::super) masks: [Option<Mask>; 2],
}

impl<T: Real> Field<T> {
    /// Gives its memory to be used again.
    pub(in super::super::super) fn keep_in(self, spare: &mut Spare<T>) {
        spare.keep(self.nngp);
        if let Some(ntk) = self.ntk {
            spare.keep(ntk);
        }
    }

    pub(in super::super::super) fn zeros(extent: Extent, positions: usize, ntk: bool) -> Self {
        let zeros = || vec![Pack::zero(); extent.len(positions)];
        Self {
            extent,
            positions,
            nngp: zeros(),
            ntk: ntk.then(zeros),
            masks: [None, None],
        }
    }

    /// Makes a field of zeros in memory that is used again.
    pub(in super::super::super) fn zeros_in(
        spare: &mut Spare<T>,
        extent: Extent,
        positions: usize,
        ntk: bool,
    ) -> Self {
        let len = extent.len(positions);
        Self {
            extent,
            positions,
            nngp: spare.zeros(len),
            ntk: ntk.then(|| spare.zeros(len)),
            masks: [None, None],
        }
    }

    /// Makes a field of this one's covariances, by what `f` makes of those of either kernel.
    pub(in super::super::super) fn mapped(
        &self,
        extent: Extent,
        positions: usize,
        f: impl Fn(&[Pack<T>]) -> Vec<Pack<T>>,
    ) -> Self {
        Self {
            extent,
            positions,
            nngp: f(&self.nngp),
            ntk: self.ntk.as_deref().map(f),
            masks: [None, None],
        }
    }

    /// Returns the covariances of pairs of equal positions.
    pub(in super::super::super) fn diagonal(&self) -> Vec<Pack<T>> {
        diagonal(self.extent, self.positions, &self.nngp)
    }

    /// Makes a field of another extent: without pairs of different positions, or with zeros there.
    pub(in super::super::super) fn to(&self, extent: Extent) -> Self {
        let positions = self.positions;
        let found = match (self.extent, extent) {
            (Extent::All, Extent::Diagonal) => self.mapped(extent, positions, |from| {
                diagonal(self.extent, positions, from)
            }),
            (Extent::Diagonal, Extent::All) => self.mapped(extent, positions, |from| {
                let mut all = vec![Pack::zero(); extent.len(positions)];
                let places = all.iter_mut().step_by(positions + 1);
                places.zip(from).for_each(|(to, &from)| *to = from);
                all
            }),
            (Extent::Diagonal, Extent::Diagonal) | (Extent::All, Extent::All) => self.clone(),
        };
        Self {
            masks: self.masks.clone(),
            ..found
        }
    }

    /// Does what [`Field::to`] does, without a copy where the extent is the same.
    pub(in super::super::super) fn within(self, extent: Extent) -> Self {
        match self.extent == extent {
            true => self,
            false => self.to(extent),
        }
    }

    /// Takes all pairs through weights.
    pub(super) fn affine(&mut self, affine: &Affine) {
        let affine = affine.pack();
        wide(
            #[inline(always)]
            || match &mut self.ntk {
                None => {
                    for q in &mut self.nngp {
                        by_lanes();
                        *q = affine.nngp(*q);
                    }
                }
                Some(ntk) if affine.plain => {
                    for (q, t) in self.nngp.iter_mut().zip(ntk) {
                        by_lanes();
                        *q = affine.nngp(*q);
                        *t = affine.plain_ntk(*q, *t);
                    }
                }
                Some(ntk) => {
                    for (q, t) in self.nngp.iter_mut().zip(ntk) {
                        by_lanes();
                        let next = affine.nngp(*q);
                        *t = affine.ntk(*q, next, *t);
                        *q = next;
                    }
                }
            },
        );
    }

    /// Applies dropout, whose masks are independent from position to position and from sample to
    /// sample, to samples with themselves.
    pub(in super::super::super) fn dropout(&mut self, keep: f64) {
        let inverse = T::of(keep).recip();
        let step = match self.extent {
            Extent::Diagonal => 1,
            Extent::All => self.positions + 1,
        };
        let both = [Some(&mut self.nngp), self.ntk.as_mut()];
        for pack in both
            .into_iter()
            .flatten()
            .flat_map(|all| all.iter_mut().step_by(step))
        {
            for sample in 0..GROUP {
                pack.0[own(sample)] *= inverse;
            }
        }
    }
}

fn diagonal<T: Real>(extent: Extent, positions: usize, from: &[Pack<T>]) -> Vec<Pack<T>> {
    let step = match extent {
        Extent::Diagonal => 1,
        Extent::All => positions + 1,
    };
    from.iter().step_by(step).copied().collect()
}
