//! Differentiates the sums over values of attention with square-root scaling; [`super::attention`] has the
//! formulas.

use super::super::super::program::LogitStds;
use super::super::super::spatial::lanes::{First, GROUP, Second};
use super::super::super::spatial::whole::attention::{activation, keys, prepared, product};
use super::super::super::spatial::whole::field::{Extent, Field};
use super::making::{Given, Making, Sums, ntk_of};
use super::{firsts, room_for_slopes, seconds};
use crate::network::Logits;
use crate::pack::{Pack, by_lanes, wide};
use crate::pairs::row::SlopesRow;
use crate::pairs::{Maps, Side, Slopes};
use crate::sums::Sum;
use ntk_linalg::Real;

/// Computes the derivatives of S and U, from those of the covariances before and of the variances of keys.
pub(super) fn tangent<T: Real>(
    logits: &Logits,
    known: [[&[T]; 2]; 2],
    [field, by]: [&Field<T>; 2],
    moved: LogitStds,
) -> Sums<T> {
    let of = Kernels::new(logits, field);
    let by = Kernels::moving(logits, field, by, moved.embedding);
    match activation(logits.mechanism) {
        None => of.factored_tangent(logits, &by, moved),
        Some(activation) => of.tangent(logits, activation.maps(), known, &by, moved),
    }
}

/// Takes derivatives by S and U, in the NNGP's and the NTK's place of `bar`, each times `scale`, back; adds
/// those by the deviations to `sums`, and to that of values the sum of the products of S and U with those by them.
pub(super) fn adjoint<T: Real>(
    logits: &Logits,
    known: [&[T]; 2],
    field: &Field<T>,
    (bar, scale): (&Field<T>, T),
    sums: &mut LogitStds,
) -> Given<T> {
    let of = Kernels::new(logits, field);
    let bars = [&bar.nngp[..], ntk_of(bar.ntk.as_deref())];
    let mut by_known = known.map(|all| vec![T::zero(); all.len()]);
    let (by, by_square) = match activation(logits.mechanism) {
        None => of.factored_adjoint(logits, bars, sums),
        Some(activation) => of.adjoint(
            logits,
            activation.maps(),
            known,
            bars,
            (&mut by_known, sums),
        ),
    };
    sums.logit += 2.0 * logits.logit_std * Real::to_f64(scale) * by_square;
    let (field, by_embedding) = by.back(logits, field, scale);
    sums.embedding += by_embedding;
    for v in by_known.iter_mut().flatten() {
        *v *= scale;
    }
    Given {
        field,
        known: by_known,
    }
}

/// The kernels that keys and queries, `g`, and values, `v`, are made of, or what belongs to them.
struct Kernels<T> {
    positions: usize,
    kg: Vec<Pack<T>>,
    tg: Vec<Pack<T>>,
    kv: Vec<Pack<T>>,
    tv: Vec<Pack<T>>,
}

impl<T: Real> Kernels<T> {
    fn new(logits: &Logits, field: &Field<T>) -> Self {
        let [of_keys, of_values] = [false, true].map(|values| keys(logits, field, values));
        Self {
            positions: field.positions,
            kg: of_keys.nngp.into_owned(),
            tg: ntk_of(of_keys.ntk.as_deref()).to_vec(),
            kv: of_values.nngp.into_owned(),
            tv: ntk_of(of_values.ntk.as_deref()).to_vec(),
        }
    }

    /// Makes their derivatives.
    fn moving(logits: &Logits, field: &Field<T>, by: &Field<T>, moved: f64) -> Self {
        let makings = [false, true].map(|values| Making::new(logits, field, values));
        let [of_keys, of_values] = &makings;
        let ntk = ntk_of(by.ntk.as_deref());
        Self {
            positions: field.positions,
            kg: of_keys.tangent(&by.nngp, moved),
            tg: of_keys.tangent(ntk, moved),
            kv: of_values.tangent(&by.nngp, moved),
            tv: of_values.tangent(ntk, moved),
        }
    }

    fn zeros(positions: usize) -> Self {
        let zeros = || vec![Pack::zero(); positions * positions];
        Self {
            positions,
            kg: zeros(),
            tg: zeros(),
            kv: zeros(),
            tv: zeros(),
        }
    }

    /// Takes derivatives by these, times a number, to those by the signal's kernels and by the embedding's
    /// deviation.
    fn back(mut self, logits: &Logits, field: &Field<T>, scale: T) -> (Field<T>, f64) {
        let mut out = Field::zeros(Extent::All, self.positions, true);
        let mut by_embedding = 0.0;
        let both = [
            (false, &mut self.kg, &mut self.tg),
            (true, &mut self.kv, &mut self.tv),
        ];
        for (values, nngp, ntk) in both {
            for v in nngp.iter_mut().chain(&mut *ntk) {
                *v = *v * scale;
            }
            let making = Making::new(logits, field, values);
            by_embedding += making.adjoint(nngp, &mut out.nngp);
            if let Some(to) = &mut out.ntk {
                by_embedding += making.adjoint(ntk, to);
            }
        }
        (out, by_embedding)
    }

    /// Computes `sum Kg Kv` and `sum (Kg Tv + Tg Kv)`, the values' kernels of `other`.
    fn products(&self, other: &Self) -> [Pack<T>; 2] {
        let crossed = product(&self.kg, &other.tv) + product(&self.tg, &other.kv);
        [product(&self.kg, &other.kv), crossed]
    }

    /// Computes the derivatives where the logits are weights themselves.
    fn factored_tangent(&self, logits: &Logits, by: &Self, moved: LogitStds) -> Sums<T> {
        let [a, b] = self.products(self);
        let ([by_a, by_b], [also_a, also_b]) = (by.products(self), self.products(by));
        let (by_a, by_b) = (by_a + also_a, by_b + also_b);
        let (scale, by_scale) = squared::<T>(logits, moved.logit);
        let mut out = Field::zeros(Extent::All, self.positions, true);
        let mut sums = Field::zeros(Extent::All, self.positions, true);
        wide(
            #[inline(always)]
            || {
                for at in 0..self.kg.len() {
                    by_lanes();
                    let (k, t, dk, dt) = (self.kg[at], self.tg[at], by.kg[at], by.tg[at]);
                    let (twice, by_twice) = (k + k + t, dk + dk + dt);
                    let (s, u) = (k * a, twice * a + k * b);
                    let ds = dk * a + k * by_a;
                    let du = by_twice * a + twice * by_a + dk * b + k * by_b;
                    (sums.nngp[at], out.nngp[at]) = (s * scale, ds * scale + s * by_scale);
                    if let (Some(sums), Some(out)) = (&mut sums.ntk, &mut out.ntk) {
                        (sums[at], out[at]) = (u * scale, du * scale + u * by_scale);
                    }
                }
            },
        );
        (out, Some(sums))
    }

    /// Computes the derivatives by the kernels, and that by the square of the logits' deviation, where the
    /// logits are weights themselves; both are of `bars` without their factor.
    fn factored_adjoint(
        &self,
        logits: &Logits,
        [by_s, by_u]: [&[Pack<T>]; 2],
        sums: &mut LogitStds,
    ) -> (Self, f64) {
        let [a, b] = self.products(self);
        let (square, _) = squared::<T>(logits, 0.0);
        let mut out = Self::zeros(self.positions);
        let (mut by_a, mut by_b) = (Sum::zero(), Sum::zero());
        let bars = by_s.iter().zip(by_u);
        wide(
            #[inline(always)]
            || {
                for (at, (&s, &u)) in bars.enumerate() {
                    by_lanes();
                    let (k, t) = (self.kg[at], self.tg[at]);
                    by_a.add(s * k + u * (k + k + t));
                    by_b.add(u * k);
                    out.kg[at] = (s + u + u) * a + u * b;
                    out.tg[at] = u * a;
                }
            },
        );
        let (by_a, by_b) = (by_a.total(), by_b.total());
        wide(
            #[inline(always)]
            || {
                for at in 0..self.kg.len() {
                    by_lanes();
                    let (kv, tv) = (self.kv[at], self.tv[at]);
                    out.kg[at] = (out.kg[at] + by_a * kv + by_b * tv) * square;
                    out.tg[at] = (out.tg[at] + by_b * kv) * square;
                    out.kv[at] = (by_a * self.kg[at] + by_b * self.tg[at]) * square;
                    out.tv[at] = by_b * self.kg[at] * square;
                }
            },
        );
        // S and U are the square times this.
        let total = (by_a * a + by_b * b).sum();
        sums.value += logits.logit_std.powi(2) * total;
        (out, total)
    }

    /// Computes the derivatives with the dual of a mechanism.
    fn tangent(
        &self,
        logits: &Logits,
        maps: &dyn Maps<T>,
        [known, known_by]: [[&[T]; 2]; 2],
        by: &Self,
        moved: LogitStds,
    ) -> Sums<T> {
        let positions = self.positions;
        let (scale, by_scale) = squared::<T>(logits, moved.logit);
        let mut duals = Duals::new(logits, maps, known, positions);
        // The derivatives of q1 at each p and r, and of q2 at each q and s.
        let (of, rates) = (packs(known), packs(known_by));
        let arguments = [0, 1].map(|side: usize| {
            let (of, by) = (&of[side], &rates[side]);
            let pairs = (0..positions).flat_map(|p| (0..positions).map(move |r| (p, r)));
            let at = |(p, r): (usize, usize)| {
                let rate = by[p] * of[r] + of[p] * by[r];
                rate * scale + of[p] * of[r] * by_scale
            };
            pairs.map(at).collect::<Vec<_>>()
        });
        let mut out = Field::zeros(Extent::All, positions, true);
        let mut sums = Field::zeros(Extent::All, positions, true);
        for at in 0..positions * positions {
            let (p, q) = (at / positions, at % positions);
            let (k, dk) = (self.kg[at], by.kg[at]);
            let twice = k + k + self.tg[at];
            let by_twice = dk + dk + by.tg[at];
            let zero = Sum::zero();
            let (mut s, mut u, mut ds, mut du) = (zero, zero, zero, zero);
            for r in 0..positions {
                let others = r * positions..(r + 1) * positions;
                let slopes = duals.slopes([p, q, r], k, &self.kg[others.clone()]);
                let first = arguments[0][p * positions + r];
                let second = &arguments[1][q * positions..][..positions];
                wide(
                    #[inline(always)]
                    || {
                        for ((at, of), &second) in others.zip(slopes).zip(second) {
                            by_lanes();
                            let (k2, t2, dk2) = (self.kg[at], self.tg[at], by.kg[at]);
                            let (kv, dkv) = (self.kv[at], by.kv[at]);
                            let dq = (dk * k2 + k * dk2) * scale + k * k2 * by_scale;
                            let along = |by: &[Pack<T>; 3]| {
                                by[0].mul_add(first, by[1].mul_add(second, by[2] * dq))
                            };
                            let (z, d) = (of.kernel, of.derivative);
                            let (dz, dd) = (along(&of.kernel_by), along(&of.derivative_by));
                            let plain = twice.mul_add(k2, k * t2);
                            let m = plain * scale;
                            let dm = by_twice * k2 + twice * dk2 + dk * t2 + k * by.tg[at];
                            let dm = dm * scale + plain * by_scale;
                            s.add(z * kv);
                            u.add(z * self.tv[at] + d * kv * m);
                            ds.add(dz * kv + z * dkv);
                            let moved = (dd * kv + d * dkv) * m + d * kv * dm;
                            du.add(dz * self.tv[at] + z * by.tv[at] + moved);
                        }
                    },
                );
            }
            (sums.nngp[at], out.nngp[at]) = (s.total(), ds.total());
            if let (Some(sums), Some(out)) = (&mut sums.ntk, &mut out.ntk) {
                (sums[at], out[at]) = (u.total(), du.total());
            }
        }
        (out, Some(sums))
    }

    /// Computes the derivatives by the kernels and by the square of the logits' deviation, and adds those by
    /// the variances of keys, with the dual of a mechanism; all are of `bars` without their factor.
    fn adjoint(
        &self,
        logits: &Logits,
        maps: &dyn Maps<T>,
        known: [&[T]; 2],
        [by_s, by_u]: [&[Pack<T>]; 2],
        (by_known, sums): (&mut [Vec<T>; 2], &mut LogitStds),
    ) -> (Self, f64) {
        let positions = self.positions;
        let (scale, _) = squared::<T>(logits, 0.0);
        let mut duals = Duals::new(logits, maps, known, positions);
        let mut out = Self::zeros(positions);
        // Those by q1 at each p and r, and by q2 at each q and s.
        let mut arguments = [0, 1].map(|_| vec![Pack::zero(); positions * positions]);
        let [by_first, by_second] = &mut arguments;
        let (mut by_square, mut by_values) = (Sum::zero(), Sum::zero());
        for at in 0..positions * positions {
            let (p, q) = (at / positions, at % positions);
            let (by_s, by_u) = (by_s[at], by_u[at]);
            let k = self.kg[at];
            let twice = k + k + self.tg[at];
            let (mut by_k, mut by_t) = (Pack::zero(), Pack::zero());
            for r in 0..positions {
                let others = r * positions..(r + 1) * positions;
                let slopes = duals.slopes([p, q, r], k, &self.kg[others.clone()]);
                let second = &mut by_second[q * positions..][..positions];
                let zero = Pack::zero();
                let (mut first, mut square, mut value) = (zero, zero, zero);
                wide(
                    #[inline(always)]
                    || {
                        for ((at, of), second) in others.zip(slopes).zip(second) {
                            by_lanes();
                            let (k2, t2, kv) = (self.kg[at], self.tg[at], self.kv[at]);
                            let (z, d) = (of.kernel, of.derivative);
                            let plain = twice.mul_add(k2, k * t2);
                            let m = plain * scale;
                            let through = by_u * kv;
                            let (by_z, by_d) = (by_s * kv + by_u * self.tv[at], through * m);
                            let by = |number: usize| {
                                by_z.mul_add(of.kernel_by[number], by_d * of.derivative_by[number])
                            };
                            first = first + by(0);
                            *second = *second + by(1);
                            let (by_q, by_m) = (by(2), through * d);
                            let half = by_m * t2 + (by_q + by_m + by_m) * k2;
                            by_k = by_k + half;
                            by_t = by_t + by_m * k2;
                            out.kg[at] = out.kg[at] + by_q * k + by_m * twice;
                            out.tg[at] = out.tg[at] + by_m * k;
                            out.kv[at] = out.kv[at] + by_s * z + by_u * d * m;
                            out.tv[at] = out.tv[at] + by_u * z;
                            square = square + by_q * k * k2 + by_m * plain;
                            value = value + by_z * z + by_d * d;
                        }
                    },
                );
                let to = &mut by_first[p * positions + r];
                *to = *to + first;
                by_square.add(square);
                by_values.add(value);
            }
            out.kg[at] = out.kg[at] + by_k;
            out.tg[at] = out.tg[at] + by_t;
        }
        for v in out.kg.iter_mut().chain(&mut out.tg) {
            *v = *v * scale;
        }
        let of = packs(known);
        for (side, (by, of)) in arguments.iter().zip(&of).enumerate() {
            for p in 0..positions {
                let mut sum = Pack::zero();
                for r in 0..positions {
                    let both = by[p * positions + r] + by[r * positions + p];
                    sum = sum + both * of[r];
                    by_square.add(by[p * positions + r] * of[p] * of[r]);
                }
                let four = match side {
                    0 => firsts(sum * scale),
                    _ => seconds(sum * scale),
                };
                by_known[side][p * GROUP..][..GROUP].copy_from_slice(&four);
            }
        }
        sums.value += by_values.total().sum();
        (out, by_square.total().sum())
    }
}

/// Returns the square of the logits' deviation, and its derivative.
fn squared<T: Real>(logits: &Logits, moved: f64) -> (T, T) {
    let std = logits.logit_std;
    (T::of(std * std), T::of(2.0 * std * moved))
}

/// Puts what belongs to samples of either side, `[position][sample]`, into packs of pairs.
fn packs<T: Real>([one, two]: [&[T]; 2]) -> [Vec<Pack<T>>; 2] {
    let one = one.chunks_exact(GROUP).map(|four| First(four).get(0));
    let two = two.chunks_exact(GROUP).map(|four| Second(four).get(0));
    [one.collect(), two.collect()]
}

/// The dual of a mechanism at the logits of all pairs of positions.
struct Duals<'a, T: Real> {
    maps: &'a dyn Maps<T>,
    squared: T,
    positions: usize,
    /// What it needs of the logits of either side, `[position][other position][number]`.
    numbers: [Vec<Pack<T>>; 2],
    /// The covariances of a row of logits, and the derivatives there.
    q: Vec<Pack<T>>,
    slopes: Vec<Slopes<T>>,
}

impl<'a, T: Real> Duals<'a, T> {
    fn new(logits: &Logits, maps: &'a dyn Maps<T>, known: [&[T]; 2], positions: usize) -> Self {
        let squared = logits.logit_std.powi(2);
        let [one, two] = known;
        Self {
            maps,
            squared: T::of(squared),
            positions,
            numbers: [
                prepared(maps, squared, one, positions, |four| First(four).get(0)),
                prepared(maps, squared, two, positions, |four| Second(four).get(0)),
            ],
            q: vec![Pack::zero(); positions],
            slopes: room_for_slopes(positions),
        }
    }

    /// Computes the dual and its derivatives at p, q and r and all s, from `k` at p and q and `keys` at r
    /// and all s.
    fn slopes(&mut self, [p, q, r]: [usize; 3], k: Pack<T>, keys: &[Pack<T>]) -> &[Slopes<T>] {
        let count = self.maps.numbers();
        let scale = k * self.squared;
        for (to, &other) in self.q.iter_mut().zip(keys) {
            *to = scale * other;
        }
        let [one, two] = &self.numbers;
        self.maps.slopes_row(SlopesRow {
            one: &one[(p * self.positions + r) * count..][..count],
            step: 0,
            two: &two[q * self.positions * count..][..self.positions * count],
            count,
            q: &self.q,
            slopes: &mut self.slopes,
        });
        &self.slopes
    }
}
