//! An activation's map over many pairs at a time, for those who assemble kernels themselves.

use super::{Activation, Dual, One, Side, WithDual};
use crate::pack::{LANES, Pack, wide};
use ntk_linalg::Real;

/// Samples as [`Activation::samples`] prepared them: what each pair needs of them and would
/// otherwise compute again.
#[derive(Debug, Clone)]
pub struct Samples<T> {
    /// Sixteen samples after another; of each sixteen the first numbers, the second, ...
    numbers: Vec<Pack<T>>,
    per_sample: usize,
    len: usize,
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

/// Numbers of sixteen samples.
#[derive(Clone, Copy)]
struct Sixteen<'a, T>(&'a [Pack<T>]);

impl<T: Real> Side<T> for Sixteen<'_, T> {
    #[inline(always)]
    fn get(self, k: usize) -> Pack<T> {
        self.0[k]
    }
}

impl Activation {
    /// Prepares samples, by their variances, for [`Activation::map_samples`].
    ///
    /// Cost: a few roots each; `nodes^2` operations each for activations by quadrature.
    #[must_use]
    pub fn samples<T: Real>(&self, variances: &[T]) -> Samples<T> {
        struct Prepare<'a, T>(&'a [T]);
        impl<T: Real> WithDual for Prepare<'_, T> {
            type Output = Samples<T>;
            fn with<D: Dual>(self, dual: &D) -> Samples<T> {
                let per_sample = dual.numbers();
                let mut numbers = vec![T::zero(); per_sample];
                let blocks = self.0.len().div_ceil(LANES);
                let mut packs = vec![Pack::zero(); blocks * per_sample];
                for (block, variances) in self.0.chunks(LANES).enumerate() {
                    for lane in 0..LANES {
                        // The last sample fills up the last block.
                        let variance = variances[lane.min(variances.len() - 1)];
                        dual.prepare(variance, &mut numbers);
                        for (k, &number) in numbers.iter().enumerate() {
                            packs[block * per_sample + k].0[lane] = number;
                        }
                    }
                }
                Samples {
                    numbers: packs,
                    per_sample,
                    len: self.0.len(),
                }
            }
        }
        self.with(Prepare(variances))
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
        struct Map<'a, T> {
            q1: T,
            q2: &'a Samples<T>,
            nngp: &'a mut [T],
            ntk: Option<&'a mut [T]>,
        }
        impl<T: Real> WithDual for Map<'_, T> {
            type Output = ();
            fn with<D: Dual>(self, dual: &D) {
                let mut one = vec![T::zero(); dual.numbers()];
                dual.prepare(self.q1, &mut one);
                assert_eq!(
                    one.len(),
                    self.q2.per_sample,
                    "samples of another activation"
                );
                wide(
                    #[inline(always)]
                    || match self.ntk {
                        Some(ntk) => row::<_, true, D>(dual, One(&one), self.q2, self.nngp, ntk),
                        None => row::<_, false, D>(dual, One(&one), self.q2, self.nngp, &mut []),
                    },
                );
            }
        }
        assert_eq!(nngp.len(), q2.len, "one covariance per sample of q2");
        if let Some(ntk) = &ntk {
            assert_eq!(ntk.len(), q2.len, "one tangent kernel per sample of q2");
        }
        self.with(Map { q1, q2, nngp, ntk });
    }
}

#[inline(always)]
fn row<T: Real, const NTK: bool, D: Dual>(
    dual: &D,
    one: One<'_, T>,
    two: &Samples<T>,
    nngp: &mut [T],
    ntk: &mut [T],
) {
    let n = nngp.len();
    let whole = n - n % LANES;
    let side = |start: usize| {
        let from = start / LANES * two.per_sample;
        Sixteen(&two.numbers[from..from + two.per_sample])
    };
    let mut start = 0;
    while start < whole {
        let q = &mut nngp[start..start + LANES];
        let (kernel, derivative) = dual.pair(one, side(start), Pack::load(q));
        q.copy_from_slice(&kernel.0);
        if NTK {
            let t = &mut ntk[start..start + LANES];
            t.copy_from_slice(&(Pack::load(t) * derivative).0);
        }
        start += LANES;
    }
    if whole < n {
        // The last sample fills up, as in its numbers.
        let mut q = Pack::splat(nngp[n - 1]);
        q.0[..n - whole].copy_from_slice(&nngp[whole..]);
        let (kernel, derivative) = dual.pair(one, side(whole), q);
        nngp[whole..].copy_from_slice(&kernel.0[..n - whole]);
        if NTK {
            for (t, d) in ntk[whole..].iter_mut().zip(derivative.0) {
                *t *= d;
            }
        }
    }
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
