//! An activation's map over many pairs at a time: a row of a kernel matrix.

use super::{Activation, Dual, One, Side, WithDual};
use crate::pack::{LANES, Pack, by_lanes, wide};
use ntk_linalg::Real;

/// Samples as [`Activation::samples`] prepared them: what each pair needs of them and would
/// otherwise compute again.
#[derive(Debug, Clone)]
pub struct Samples<T> {
    len: usize,
    per_sample: usize,
    by_sample: Vec<T>,
    /// All first numbers, then all second, ...: each padded, so that whole packs can be loaded
    /// at the end too.
    by_number: Vec<T>,
}

impl<T> Samples<T> {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<T: Real> Samples<T> {
    /// `prepare` makes `per_sample` numbers of each variance.
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

    pub(crate) fn one(&self, sample: usize) -> One<'_, T> {
        One(&self.by_sample[sample * self.per_sample..][..self.per_sample])
    }

    pub(crate) fn columns(&self, start: usize) -> Columns<'_, T> {
        Columns {
            numbers: &self.by_number,
            stride: self.len + LANES,
            start,
        }
    }
}

/// Numbers of the samples in consecutive columns, sixteen from `start` on.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a, T> {
    /// All of each number in turn, `stride` apart.
    numbers: &'a [T],
    stride: usize,
    start: usize,
}

impl<T> Columns<'_, T> {
    /// For maps that need nothing of the samples.
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

impl Activation {
    /// Prepares samples, by their variances, for [`Activation::map_samples`].
    ///
    /// Cost: a few roots each; `nodes^2` operations each for activations by quadrature.
    #[must_use]
    pub fn samples<T: Real>(&self, variances: &[T]) -> Samples<T> {
        Samples::new(self.numbers(), variances, |variance, numbers| {
            self.prepare(variance, numbers);
        })
    }

    /// One row of a kernel matrix through the activation: the sample of variance `q1` against
    /// samples of variances `q2`. `nngp[j]` goes from the covariance `q` to `K`, and `ntk[j]`,
    /// where given, is multiplied by `D`.
    ///
    /// Prepares `q2` at each call; where many rows share them, [`Activation::map_samples`] does
    /// not.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn map_row<T: Real>(&self, q1: T, q2: &[T], nngp: &mut [T], ntk: Option<&mut [T]>) {
        self.map_samples(q1, &self.samples(q2), nngp, ntk);
    }

    /// [`Activation::map_row`] against samples prepared before, by this very activation.
    ///
    /// # Panics
    /// If the lengths differ, or another activation prepared `q2` and it shows.
    pub fn map_samples<T: Real>(
        &self,
        q1: T,
        q2: &Samples<T>,
        nngp: &mut [T],
        ntk: Option<&mut [T]>,
    ) {
        assert_eq!(nngp.len(), q2.len, "one covariance per sample of q2");
        if let Some(ntk) = &ntk {
            assert_eq!(ntk.len(), q2.len, "one tangent kernel per sample of q2");
        }
        let mut one = vec![T::zero(); self.numbers()];
        assert_eq!(one.len(), q2.per_sample, "samples of another activation");
        self.prepare(q1, &mut one);
        self.with(MapRow::new(
            #[inline(always)]
            |q, t| (q, t),
            (One(&one), q2.columns(0)),
            (nngp, ntk),
        ));
    }
}

/// Takes a row of pairs of one sample and those in `two` through `before`, which maps a
/// covariance and its NTK, and then through the formulas.
pub(crate) struct MapRow<'a, T, S, F> {
    before: F,
    one: S,
    two: Columns<'a, T>,
    nngp: &'a mut [T],
    ntk: Option<&'a mut [T]>,
}

impl<'a, T, S, F> MapRow<'a, T, S, F>
where
    T: Real,
    S: Side<T>,
    F: Fn(Pack<T>, Pack<T>) -> (Pack<T>, Pack<T>),
{
    /// `before` must be `#[inline(always)]`.
    pub(crate) fn new(
        before: F,
        (one, two): (S, Columns<'a, T>),
        (nngp, ntk): (&'a mut [T], Option<&'a mut [T]>),
    ) -> Self {
        Self {
            before,
            one,
            two,
            nngp,
            ntk,
        }
    }

    #[inline(always)]
    fn both(&self, dual: &impl Dual, at: usize, q: Pack<T>, t: Pack<T>) -> (Pack<T>, Pack<T>) {
        let two = Columns {
            start: self.two.start + at,
            ..self.two
        };
        by_lanes();
        let (next, t) = (self.before)(q, t);
        let (kernel, derivative) = dual.pair(self.one, two, next);
        (kernel, t * derivative)
    }
}

impl<T, S, F> WithDual for MapRow<'_, T, S, F>
where
    T: Real,
    S: Side<T>,
    F: Fn(Pack<T>, Pack<T>) -> (Pack<T>, Pack<T>),
{
    type Output = ();

    fn with<D: Dual>(mut self, dual: &D) {
        let nngp = std::mem::take(&mut self.nngp);
        let ntk = self.ntk.take();
        let whole = nngp.len() / LANES * LANES;
        let rest = nngp.len() - whole;
        // By value: what the loop writes to could otherwise be where its constants are.
        let dual = dual.clone();
        wide(
            #[inline(always)]
            move || match ntk {
                Some(ntk) => {
                    for at in (0..whole).step_by(LANES) {
                        let (q, t) =
                            self.both(&dual, at, Pack::load(&nngp[at..]), Pack::load(&ntk[at..]));
                        nngp[at..at + LANES].copy_from_slice(&q.0);
                        ntk[at..at + LANES].copy_from_slice(&t.0);
                    }
                    if rest > 0 {
                        let (q, t) =
                            self.both(&dual, whole, part(&nngp[whole..]), part(&ntk[whole..]));
                        nngp[whole..].copy_from_slice(&q.0[..rest]);
                        ntk[whole..].copy_from_slice(&t.0[..rest]);
                    }
                }
                None => {
                    for at in (0..whole).step_by(LANES) {
                        let (q, _) = self.both(&dual, at, Pack::load(&nngp[at..]), Pack::zero());
                        nngp[at..at + LANES].copy_from_slice(&q.0);
                    }
                    if rest > 0 {
                        let (q, _) = self.both(&dual, whole, part(&nngp[whole..]), Pack::zero());
                        nngp[whole..].copy_from_slice(&q.0[..rest]);
                    }
                }
            },
        );
    }
}

/// Fewer than sixteen numbers, the rest zeros.
#[inline(always)]
fn part<T: Real>(from: &[T]) -> Pack<T> {
    let mut out = Pack::zero();
    out.0[..from.len()].copy_from_slice(from);
    out
}

#[cfg(test)]
mod tests {
    use crate::dual::{erf, relu};

    #[test]
    fn rows_are_pairs() {
        for n in [0, 1, 15, 16, 17, 33] {
            for f in [relu(), erf(1.0, 1.0, 0.5)] {
                let q2: Vec<f64> = (0..n).map(|i| 0.5 + f64::from(i)).collect();
                let q: Vec<f64> = q2.iter().map(|v| 0.3 * (2.0 * v).sqrt()).collect();
                let (mut k, mut t) = (q.clone(), vec![3.0; q.len()]);
                f.map_row(2.0, &q2, &mut k, Some(&mut t));
                let mut alone = q.clone();
                f.map_row(2.0, &q2, &mut alone, None);
                assert_eq!(k, alone);
                for i in 0..q.len() {
                    let (k0, d0) = f.dual(2.0, q2[i], q[i]);
                    assert_eq!((k[i], t[i]), (k0, 3.0 * d0));
                }
            }
        }
    }
}
