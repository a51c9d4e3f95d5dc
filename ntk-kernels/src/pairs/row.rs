//! Takes one sample against many: a row of a kernel matrix.

use super::lanes::Packs;
use super::{Dual, Maps, Side, Slopes};
use crate::affine::AffinePack;
use crate::pack::{LANES, Pack, by_lanes, wide_or};
use ntk_linalg::Real;

/// `PreparedSamples` holds what an activation needs of each sample, and would otherwise compute again for
/// every pair; [`Activation::samples`](crate::dual::Activation::samples) makes it.
#[derive(Debug, Clone)]
pub struct PreparedSamples<T> {
    len: usize,
    per_sample: usize,
    by_sample: Vec<T>,
    /// The first number of every sample, then the second, and so on: each list is padded, so that
    /// whole packs can be loaded at its end too.
    by_number: Vec<T>,
}

impl<T> PreparedSamples<T> {
    /// Returns the number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Says whether there are no samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<T: Real> PreparedSamples<T> {
    /// Makes `per_sample` numbers of each variance by `prepare`.
    pub(crate) fn new(per_sample: usize, variances: &[T], prepare: impl Fn(T, &mut [T])) -> Self {
        let len = variances.len();
        let mut by_sample = vec![T::zero(); per_sample * len];
        let stride = len + LANES;
        let mut by_number = vec![T::zero(); per_sample * stride];
        for (sample, &variance) in variances.iter().enumerate() {
            let numbers = &mut by_sample[sample * per_sample..][..per_sample];
            prepare(variance, numbers);
            for (k, &number) in numbers.iter().enumerate() {
                by_number[k * stride + sample] = number;
            }
        }
        Self {
            len,
            per_sample,
            by_sample,
            by_number,
        }
    }

    /// Returns how many numbers are known of each sample.
    pub(crate) fn per_sample(&self) -> usize {
        self.per_sample
    }

    pub(crate) fn one(&self, sample: usize) -> &[T] {
        &self.by_sample[sample * self.per_sample..][..self.per_sample]
    }

    pub(crate) fn columns(&self, start: usize) -> Columns<'_, T> {
        Columns {
            numbers: &self.by_number,
            stride: self.len + LANES,
            start,
        }
    }
}

/// The numbers of one sample, the same for all sixteen pairs.
#[derive(Clone, Copy)]
struct One<'a, T>(&'a [T]);

impl<T: Real> Side<T> for One<'_, T> {
    #[inline(always)]
    fn get(self, k: usize) -> Pack<T> {
        Pack::splat(self.0[k])
    }
}

/// The numbers of the samples in consecutive columns, sixteen from `start` on.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a, T> {
    /// The lists of each number in turn, `stride` apart.
    numbers: &'a [T],
    stride: usize,
    start: usize,
}

impl<T> Columns<'_, T> {
    /// The columns for maps that need nothing of the samples.
    pub(crate) const NONE: Self = Self {
        numbers: &[],
        stride: 0,
        start: 0,
    };
}

impl<T: Real> Side<T> for Columns<'_, T> {
    #[inline(always)]
    fn get(self, k: usize) -> Pack<T> {
        Pack::load(&self.numbers[k * self.stride + self.start..])
    }
}

/// A row of pairs: one sample against those in consecutive columns.
pub(crate) struct Row<'a, T> {
    /// What the weights do before the map.
    pub(crate) affine: AffinePack<T>,
    /// The numbers of the one sample.
    pub(crate) one: &'a [T],
    /// The numbers of the others.
    pub(crate) two: Columns<'a, T>,
    /// The covariances, which become `K`.
    pub(crate) nngp: &'a mut [T],
    /// The NTKs, which are multiplied by `D`; `None` where not wanted.
    pub(crate) ntk: Option<&'a mut [T]>,
}

impl<T: Real> Row<'_, T> {
    /// Takes the row through `dual`, with the processor's widest instructions.
    pub(crate) fn through<D: Dual>(self, dual: &D) {
        wide_or(
            // The closure takes both by value: what the loop writes to could otherwise be where its
            // constants are.
            (self, dual.clone()),
            #[inline(always)]
            |(row, dual)| {
                let one = One(row.one);
                row.each(
                    #[inline(always)]
                    |two, q| dual.pair(one, two, q),
                );
            },
            |(row, dual)| row.slowly(&dual),
        );
    }

    /// Does the same on processors without wide instructions.
    #[cold]
    #[inline(never)]
    fn slowly(self, maps: &dyn Maps<T>) {
        let one: Vec<_> = self.one.iter().copied().map(Pack::splat).collect();
        self.each(|two, q| {
            let two: Vec<_> = (0..one.len()).map(|k| two.get(k)).collect();
            maps.pairs(&one, &two, q)
        });
    }

    #[inline(always)]
    fn each(self, pair: impl Fn(Columns<'_, T>, Pack<T>) -> (Pack<T>, Pack<T>)) {
        let Self { nngp, ntk, .. } = self;
        let both = Both {
            affine: self.affine,
            two: self.two,
            pair,
        };
        let whole = nngp.len() / LANES * LANES;
        let rest = nngp.len() - whole;
        match ntk {
            Some(ntk) => {
                for at in (0..whole).step_by(LANES) {
                    let (q, t) = both.at(at, Pack::load(&nngp[at..]), Pack::load(&ntk[at..]));
                    nngp[at..at + LANES].copy_from_slice(&q.0);
                    ntk[at..at + LANES].copy_from_slice(&t.0);
                }
                if rest > 0 {
                    let (q, t) = both.at(whole, part(&nngp[whole..]), part(&ntk[whole..]));
                    nngp[whole..].copy_from_slice(&q.0[..rest]);
                    ntk[whole..].copy_from_slice(&t.0[..rest]);
                }
            }
            None => {
                for at in (0..whole).step_by(LANES) {
                    let (q, _) = both.at(at, Pack::load(&nngp[at..]), Pack::zero());
                    nngp[at..at + LANES].copy_from_slice(&q.0);
                }
                if rest > 0 {
                    let (q, _) = both.at(whole, part(&nngp[whole..]), Pack::zero());
                    nngp[whole..].copy_from_slice(&q.0[..rest]);
                }
            }
        }
    }
}

/// A row of pairs, in packs, whose derivatives are wanted.
pub(crate) struct SlopesRow<'a, T> {
    /// The numbers of the one side, a pack each.
    pub(crate) one: &'a [Pack<T>],
    /// How far those of the next pack of pairs are: 0 where all have the same.
    pub(crate) step: usize,
    /// The numbers of the other side, `count` for each pack of pairs.
    pub(crate) two: &'a [Pack<T>],
    pub(crate) count: usize,
    /// The covariances.
    pub(crate) q: &'a [Pack<T>],
    /// The derivatives, as many.
    pub(crate) slopes: &'a mut [Slopes<T>],
}

impl<T: Real> SlopesRow<'_, T> {
    /// Computes the derivatives of `dual`, with the processor's widest instructions.
    pub(crate) fn through<D: Dual>(self, dual: &D) {
        wide_or(
            (self, dual.clone()),
            #[inline(always)]
            |(row, dual)| {
                row.each(
                    #[inline(always)]
                    |one, two, q| dual.slopes(Packs(one), Packs(two), q),
                );
            },
            |(row, dual)| {
                let maps: &dyn Maps<T> = &dual;
                row.each(|one, two, q| maps.slopes(one, two, q));
            },
        );
    }

    #[inline(always)]
    fn each(self, slopes: impl Fn(&[Pack<T>], &[Pack<T>], Pack<T>) -> Slopes<T>) {
        let count = self.count;
        for (number, (&q, to)) in self.q.iter().zip(self.slopes).enumerate() {
            by_lanes();
            let one = &self.one[number * self.step..][..count];
            *to = slopes(one, &self.two[number * count..][..count], q);
        }
    }
}

/// Applies weights, then the map.
struct Both<'a, T, P> {
    affine: AffinePack<T>,
    two: Columns<'a, T>,
    pair: P,
}

impl<T: Real, P: Fn(Columns<'_, T>, Pack<T>) -> (Pack<T>, Pack<T>)> Both<'_, T, P> {
    #[inline(always)]
    fn at(&self, at: usize, q: Pack<T>, t: Pack<T>) -> (Pack<T>, Pack<T>) {
        let two = Columns {
            start: self.two.start + at,
            ..self.two
        };
        by_lanes();
        let next = self.affine.nngp(q);
        let t = self.affine.ntk(q, next, t);
        let (kernel, derivative) = (self.pair)(two, next);
        (kernel, t * derivative)
    }
}

/// Loads fewer than sixteen numbers, and zeros for the rest.
#[inline(always)]
fn part<T: Real>(from: &[T]) -> Pack<T> {
    let mut out = Pack::zero();
    out.0[..from.len()].copy_from_slice(from);
    out
}
