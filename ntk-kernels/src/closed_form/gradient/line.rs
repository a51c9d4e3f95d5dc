//! Holds pairs on their way through the layers, and what belongs to them.

use super::super::Kernel;
use super::super::spatial::lanes::Mask;
use super::super::spatial::spare::Spare;
use super::super::spatial::whole::field::{Extent, Field};
use super::shape::Shape;
use crate::affine::Affine;
use crate::pack::{LANES, Pack, by_lanes, wide};
use crate::pairs::Slopes;
use ntk_linalg::Real;

/// A `Pool` holds memory of lines that is used again.
#[derive(Default)]
pub(super) struct Pool<T: Real> {
    pub(super) spare: Spare<T>,
    slopes: Vec<Vec<Slopes<T>>>,
}

impl<T: Real> Pool<T> {
    /// Makes derivatives of whatever was there.
    pub(super) fn slopes(&mut self, len: usize) -> Vec<Slopes<T>> {
        let mut slopes = self.slopes.pop().unwrap_or_default();
        slopes.truncate(len);
        slopes.resize(len, Slopes::zeros());
        slopes
    }

    pub(super) fn keep_slopes(&mut self, slopes: Vec<Slopes<T>>) {
        self.slopes.push(slopes);
    }
}

/// The NNGP and NTK of pairs, or derivatives by these or of these.
#[derive(Debug, Clone)]
pub(super) struct Line<T> {
    pub(super) shape: Shape,
    pub(super) nngp: Vec<Pack<T>>,
    pub(super) ntk: Vec<Pack<T>>,
    /// Which positions of the samples of either group are masked.
    pub(super) masks: [Option<Mask>; 2],
}

impl<T: Real> Line<T> {
    /// Makes a line of these covariances, without an NTK.
    pub(super) fn of(shape: Shape, nngp: Vec<Pack<T>>, pool: &mut Pool<T>) -> Self {
        debug_assert_eq!(shape.len(), nngp.len(), "a pack for each pair of places");
        Self {
            shape,
            ntk: pool.spare.zeros(nngp.len()),
            nngp,
            masks: [None, None],
        }
    }

    /// Makes a line of zeros.
    pub(super) fn zeros(shape: Shape, pool: &mut Pool<T>) -> Self {
        let nngp = pool.spare.zeros(shape.len());
        Self::of(shape, nngp, pool)
    }

    /// Makes a line of the same pairs, of whatever was in its memory.
    pub(super) fn any_like(&self, pool: &mut Pool<T>) -> Self {
        Self {
            shape: self.shape,
            nngp: pool.spare.any(self.nngp.len()),
            ntk: pool.spare.any(self.ntk.len()),
            masks: self.masks.clone(),
        }
    }

    /// Copies it into memory of the pool.
    pub(super) fn copied(&self, pool: &mut Pool<T>) -> Self {
        let mut copy = self.any_like(pool);
        copy.nngp.copy_from_slice(&self.nngp);
        copy.ntk.copy_from_slice(&self.ntk);
        copy
    }

    /// Gives its memory to be used again.
    pub(super) fn keep_in(self, pool: &mut Pool<T>) {
        pool.spare.keep(self.nngp);
        pool.spare.keep(self.ntk);
    }

    pub(super) fn add(&mut self, other: &Self) {
        let add = |to: &mut [Pack<T>], from: &[Pack<T>]| {
            for (to, &from) in to.iter_mut().zip(from) {
                by_lanes();
                *to = *to + from;
            }
        };
        wide(
            #[inline(always)]
            || {
                add(&mut self.nngp, &other.nngp);
                add(&mut self.ntk, &other.ntk);
            },
        );
    }

    pub(super) fn kernel(&self, which: Kernel) -> &[Pack<T>] {
        match which {
            Kernel::Nngp => &self.nngp,
            Kernel::Ntk => &self.ntk,
        }
    }

    pub(super) fn kernel_mut(&mut self, which: Kernel) -> &mut Vec<Pack<T>> {
        match which {
            Kernel::Nngp => &mut self.nngp,
            Kernel::Ntk => &mut self.ntk,
        }
    }

    /// Takes its memory, and leaves nothing.
    pub(super) fn take(&mut self) -> Self {
        let nothing = Self {
            shape: Shape::Equal(0),
            nngp: Vec::new(),
            ntk: Vec::new(),
            masks: [None, None],
        };
        std::mem::replace(self, nothing)
    }

    /// Takes it through weights.
    pub(super) fn affine(&mut self, affine: &Affine) {
        let pack = affine.pack();
        wide(
            #[inline(always)]
            || {
                for (q, t) in self.nngp.iter_mut().zip(&mut self.ntk) {
                    by_lanes();
                    let next = pack.nngp(*q);
                    *t = pack.ntk(*q, next, *t);
                    *q = next;
                }
            },
        );
    }

    /// Takes it as a field through `f`.
    pub(super) fn through(&mut self, f: impl FnOnce(Field<T>) -> Field<T>) {
        let from = self.take();
        *self = f(from.into()).into();
    }

    /// Leaves pairs of different positions out, or adds zeros there. It is its own transpose.
    pub(super) fn within(&mut self, extent: Extent) {
        let other = match self.shape {
            // Of samples without positions all pairs are wanted, and so are all displacements.
            Shape::Rows { .. } | Shape::Plane(_) => false,
            Shape::All(_) | Shape::Equal(_) => self.shape.field().0 != extent,
        };
        if other {
            self.through(|field| field.to(extent));
        }
    }

    /// Returns what four samples with themselves have at each position, `[position][sample]`.
    pub(super) fn own<const N: usize>(&self, lane: impl Fn(usize) -> usize) -> Vec<T> {
        let step = self.shape.between_equal().unwrap_or(usize::MAX);
        let packs = self.nngp.iter().step_by(step);
        packs
            .flat_map(|pack| std::array::from_fn::<T, N, _>(|i| pack.0[lane(i)]))
            .collect()
    }
}

impl<T: Real> From<Line<T>> for Field<T> {
    fn from(line: Line<T>) -> Self {
        let (extent, positions) = line.shape.field();
        Self {
            extent,
            positions,
            nngp: line.nngp,
            ntk: Some(line.ntk),
            masks: line.masks,
        }
    }
}

impl<T: Real> From<Field<T>> for Line<T> {
    fn from(field: Field<T>) -> Self {
        Self {
            shape: Shape::of(field.extent, field.positions),
            ntk: field
                .ntk
                .unwrap_or_else(|| vec![Pack::zero(); field.nngp.len()]),
            nngp: field.nngp,
            masks: field.masks,
        }
    }
}

/// Makes packs of numbers; after the last it is repeated, so that what is computed of those lanes is
/// finite, too.
pub(super) fn packs<T: Real>(numbers: &[T]) -> Vec<Pack<T>> {
    let chunks = numbers.chunks(LANES);
    let pack = |chunk: &[T]| {
        let mut pack = Pack::splat(chunk[chunk.len() - 1]);
        pack.0[..chunk.len()].copy_from_slice(chunk);
        pack
    };
    chunks.map(pack).collect()
}

/// Makes packs of derivatives, and zeros after the last.
pub(super) fn padded<T: Real>(numbers: &[T]) -> Vec<Pack<T>> {
    let chunks = numbers.chunks(LANES);
    let pack = |chunk: &[T]| {
        let mut pack = Pack::zero();
        pack.0[..chunk.len()].copy_from_slice(chunk);
        pack
    };
    chunks.map(pack).collect()
}

impl<T: Real> Slopes<T> {
    pub(super) fn zeros() -> Self {
        let zero = Pack::zero();
        Self {
            kernel: zero,
            derivative: zero,
            kernel_by: [zero; 3],
            derivative_by: [zero; 3],
        }
    }
}
