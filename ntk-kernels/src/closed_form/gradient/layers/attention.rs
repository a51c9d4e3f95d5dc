//! Differentiates attention.
//!
//! In the terms of [the kernels' module](super::super::super::spatial::whole::attention): `S`, `U` the sums
//! over `Kv` and `Tv` (with square-root scaling U has those with D, too), of which the output is `v S + b`
//! and `v (2 S + U) + b`. With `a`, `c` the derivatives by its NNGP and NTK, those by S and U are
//! `v (a + 2 c)` and `v c`.
//!
//! ```text
//! linear scaling: S = G1 Kv G2^T, U = G1 Tv G2^T
//!   S' = G1' Kv G2^T + G1 Kv' G2^T + G1 Kv G2'^T
//!   by Kv: G1^T s G2, by G1: s (Kv G2^T)^T, by G2: (s^T G1) Kv,  s those by S
//!   weights G = zeta(l), l = k Kg: softmax G' = G (l' - sum G l'), else zeta'(l) l'
//! square-root scaling, l = k^2, A = sum Kg Kv, B = sum (Kg Tv + Tg Kv), logits as weights:
//!   S = l Kg A, U = l ((2 Kg + Tg) A + Kg B)
//! others, with the derivatives of Z and D by q1 = l V1[p] V1[r], q2 = l V2[q] V2[s], Q = l Kg[p, q] Kg[r, s]:
//!   S = sum Z Kv, U = sum Z Tv + sum D Kv M,
//!   M = l (2 Kg[p, q] Kg[r, s] + Tg[p, q] Kg[r, s] + Kg[p, q] Tg[r, s])
//! ```
//!
//! V are the variances of keys. At the kink of the mechanisms with one, the derivative of a weight by its
//! logit is 0. The cost is that of a few times the layer's kernel.

use super::super::super::program::{Attention, LogitStds};
use super::super::super::spatial::lanes::{First, GROUP, Second, own};
use super::super::super::spatial::matrix::Matrix;
use super::super::super::spatial::spare::Spare;
use super::super::super::spatial::whole::attention::keys;
use super::super::super::spatial::whole::field::{Extent, Field};
use super::super::super::spatial::whole::sandwich::sandwich;
use super::dots::dots;
use super::making::{Given, Making, Sums, all_pairs, ntk_of};
use super::{firsts, seconds, square_root};
use crate::network::{Logits, Mechanism};
use crate::pack::{Pack, by_lanes, wide};
use crate::pairs::Side;
use crate::sums::Sum;
use ntk_linalg::Real;

impl Attention {
    /// Lists the numbers of its hyperparameters.
    pub(in super::super) fn hyperparameters(&self) -> impl Iterator<Item = usize> {
        let count = self.by.len();
        self.first
            .into_iter()
            .flat_map(move |first| first..first + count)
    }

    /// Returns the derivatives of the deviations by the hyperparameters of these numbers.
    fn moved(&self, numbers: &[bool]) -> LogitStds {
        let mut total = LogitStds::default();
        let Some(first) = self.first else {
            return total;
        };
        let chosen = self.by.iter().zip(&numbers[first..]);
        for (by, _) in chosen.filter(|&(_, &chosen)| chosen) {
            total.logit += by.logit;
            total.value += by.value;
            total.bias += by.bias;
            total.embedding += by.embedding;
        }
        total
    }

    /// Adds the derivatives by the layer's hyperparameters to those by all, from those by the deviations.
    fn give(&self, sums: &LogitStds, to: &mut [f64]) {
        let Some(first) = self.first else { return };
        for (by, to) in self.by.iter().zip(&mut to[first..]) {
            *to += by.logit * sums.logit
                + by.value * sums.value
                + by.bias * sums.bias
                + by.embedding * sums.embedding;
        }
    }
}

/// Computes the derivatives of what is needed of each sample of a group, from those of its covariances with
/// itself: of the attention weights `known`, `[position][other position][sample]`; with square-root scaling
/// of the variances of keys, `[position][sample]`.
pub(in super::super) fn own_tangent<T: Real>(
    attention: &Attention,
    known: &[T],
    field: &Field<T>,
    by: &Field<T>,
    numbers: &[bool],
) -> Vec<T> {
    let logits = &attention.logits;
    let moved = attention.moved(numbers);
    let making = Making::new(logits, field, false);
    let by_keys = making.tangent(&by.nngp, moved.embedding);
    let of = |pack: &Pack<T>| std::array::from_fn::<T, GROUP, _>(|i| pack.0[own(i)]);
    if !logits.linear_scaling {
        let diagonal = by_keys.iter().step_by(field.positions + 1);
        return diagonal.flat_map(of).collect();
    }
    let (scale, by_scale) = (T::of(logits.logit_std), T::of(moved.logit));
    let keys = keys(logits, field, false);
    let all = keys.nngp.iter().flat_map(of);
    let all = all.zip(by_keys.iter().flat_map(of));
    let mut all: Vec<T> = all.map(|(k, by)| by_scale * k + scale * by).collect();
    through_mechanism(logits, known, &keys.nngp, field.positions, &mut all);
    all
}

/// Takes what belongs to logits, `[position][other position][sample]`, to what belongs to their weights: a
/// map that is its own transpose.
fn through_mechanism<T: Real>(
    logits: &Logits,
    weights: &[T],
    keys: &[Pack<T>],
    positions: usize,
    all: &mut [T],
) {
    let scale = T::of(logits.logit_std);
    let sign = |at: usize| (scale * keys[at / GROUP].0[own(at % GROUP)], T::zero());
    match logits.mechanism {
        Mechanism::Identity => {}
        Mechanism::Abs => {
            for (at, v) in all.iter_mut().enumerate() {
                let (logit, zero) = sign(at);
                if logit < zero {
                    *v = -*v;
                } else if logit == zero {
                    *v = zero;
                }
            }
        }
        Mechanism::Relu => {
            for (at, v) in all.iter_mut().enumerate() {
                let (logit, zero) = sign(at);
                if logit <= zero {
                    *v = zero;
                }
            }
        }
        Mechanism::Softmax => {
            // Weights of masked positions are zero.
            let width = positions * GROUP;
            let rows = all.chunks_exact_mut(width).zip(weights.chunks_exact(width));
            for (row, weights) in rows {
                let mut sums = [0.0; GROUP];
                for (at, (&v, &weight)) in row.iter().zip(weights).enumerate() {
                    sums[at % GROUP] += Real::to_f64(v) * Real::to_f64(weight);
                }
                for (at, (v, &weight)) in row.iter_mut().zip(weights).enumerate() {
                    *v = weight * (*v - T::of(sums[at % GROUP]));
                }
            }
        }
    }
}

/// Adds to the derivatives `bar` by a group's covariances with itself, and to those by hyperparameters, what
/// follows from those by what is needed of its samples, `given`, in the order of [`own_tangent`].
pub(in super::super) fn own_adjoint<T: Real>(
    attention: &Attention,
    known: &[T],
    field: &Field<T>,
    given: &[T],
    bar: &mut Field<T>,
    hyperparameters: &mut [f64],
) {
    let logits = &attention.logits;
    let positions = field.positions;
    let mut by_keys = vec![Pack::zero(); positions * positions];
    let put = |by: &mut Pack<T>, four: &[T]| {
        for (i, &v) in four.iter().enumerate() {
            by.0[own(i)] = v;
        }
    };
    let mut sums = LogitStds::default();
    if logits.linear_scaling {
        let keys = keys(logits, field, false);
        let mut all = given.to_vec();
        through_mechanism(logits, known, &keys.nngp, positions, &mut all);
        for ((by, four), key) in by_keys
            .iter_mut()
            .zip(all.chunks_exact(GROUP))
            .zip(&*keys.nngp)
        {
            put(by, four);
            sums.logit += (*by * *key).sum();
            *by = *by * T::of(logits.logit_std);
        }
    } else {
        let diagonal = by_keys.iter_mut().step_by(positions + 1);
        let all = diagonal.zip(given.chunks_exact(GROUP));
        all.for_each(|(by, four)| put(by, four));
    }
    let making = Making::new(logits, field, false);
    sums.embedding += making.adjoint(&by_keys, &mut bar.nngp);
    attention.give(&sums, hyperparameters);
}

/// Computes the derivatives of the layer's output at all pairs of positions, from those of the covariances
/// before it, `by`, and of what is `known` of the samples of both sides.
pub(in super::super) fn tangent<T: Real>(
    attention: &Attention,
    known: [&[T]; 2],
    known_by: [&[T]; 2],
    [field, by]: [&Field<T>; 2],
    numbers: &[bool],
    spare: &mut Spare<T>,
) -> Field<T> {
    let logits = &attention.logits;
    let moved = attention.moved(numbers);
    let (mut out, sums) = match logits.linear_scaling {
        true => linear_tangent(logits, [known, known_by], [field, by], moved, spare),
        false => square_root::tangent(logits, [known, known_by], [field, by], moved),
    };
    let value = logits.value_std;
    let scale = T::of(value * value);
    let by_scale = T::of(2.0 * value * moved.value);
    let by_bias = Pack::of(2.0 * logits.b_std.unwrap_or(0.0) * moved.bias);
    weigh(&mut out, scale, by_bias);
    if let Some(mut sums) = sums {
        weigh(&mut sums, by_scale, Pack::zero());
        let ntk = out.ntk.iter_mut().flatten().zip(sums.ntk.iter().flatten());
        for (to, &v) in out.nngp.iter_mut().zip(&sums.nngp).chain(ntk) {
            *to = *to + v;
        }
    }
    out
}

/// Computes the derivatives by the covariances before the layer, and by what is `known` of the samples of both
/// sides, in its order, from those by the output at all pairs of positions, `bar`; adds those by
/// hyperparameters.
pub(in super::super) fn adjoint<T: Real>(
    attention: &Attention,
    known: [&[T]; 2],
    field: &Field<T>,
    mut bar: Field<T>,
    hyperparameters: &mut [f64],
    spare: &mut Spare<T>,
) -> (Field<T>, [Vec<T>; 2]) {
    let logits = &attention.logits;
    let mut sums = LogitStds::default();
    let mut bias = Sum::zero();
    wide(
        #[inline(always)]
        || {
            for (a, c) in bar.nngp.iter_mut().zip(bar.ntk.iter().flatten()) {
                by_lanes();
                bias.add(*a + *c);
                *a = *a + *c + *c;
            }
        },
    );
    let value = logits.value_std;
    let scale = T::of(value * value);
    let given = match logits.linear_scaling {
        true => linear_adjoint(logits, known, field, (&bar, scale), &mut sums, spare),
        false => square_root::adjoint(logits, known, field, (&bar, scale), &mut sums),
    };
    sums.value *= 2.0 * value;
    sums.bias = 2.0 * logits.b_std.unwrap_or(0.0) * bias.total().sum();
    attention.give(&sums, hyperparameters);
    bar.keep_in(spare);
    (given.field, given.known)
}

/// Takes S and U to `scale S + shift` and `scale (2 S + U) + shift`.
fn weigh<T: Real>(field: &mut Field<T>, scale: T, shift: Pack<T>) {
    let scale = Pack::splat(scale);
    wide(
        #[inline(always)]
        || {
            for (s, u) in field.nngp.iter_mut().zip(field.ntk.iter_mut().flatten()) {
                by_lanes();
                *u = (*s + *s + *u).mul_add(scale, shift);
                *s = s.mul_add(scale, shift);
            }
        },
    );
}

fn linear_tangent<T: Real>(
    logits: &Logits,
    known: [[&[T]; 2]; 2],
    [field, by]: [&Field<T>; 2],
    moved: LogitStds,
    spare: &mut Spare<T>,
) -> Sums<T> {
    let positions = field.positions;
    let making = Making::new(logits, field, true);
    let [of, moving] = known.map(|both| both.map(|weights| Matrix::dense(weights, positions)));
    let mut both = |kernel: &[Pack<T>], by: &[Pack<T>]| {
        let mut total = making.tangent(by, moved.embedding);
        sandwich([&of[0], &of[1]], &mut total, spare);
        for pair in [[&moving[0], &of[1]], [&of[0], &moving[1]]] {
            let mut part = spare.any(kernel.len());
            part.copy_from_slice(kernel);
            sandwich(pair, &mut part, spare);
            for (to, &v) in total.iter_mut().zip(&part) {
                *to = *to + v;
            }
            spare.keep(part);
        }
        let itself = (moved.value != 0.0).then(|| {
            let mut itself = kernel.to_vec();
            sandwich([&of[0], &of[1]], &mut itself, spare);
            itself
        });
        (total, itself)
    };
    let made = keys(logits, field, true);
    let (nngp, s) = both(&made.nngp, &by.nngp);
    let (ntk, u) = both(ntk_of(made.ntk.as_deref()), ntk_of(by.ntk.as_deref()));
    let sums = s.zip(u).map(|(s, u)| all_pairs(positions, s, u));
    (all_pairs(positions, nngp, ntk), sums)
}

/// Takes the derivatives by S and U, each times `scale`, back with linear scaling.
fn linear_adjoint<T: Real>(
    logits: &Logits,
    known: [&[T]; 2],
    field: &Field<T>,
    (bar, scale): (&Field<T>, T),
    sums: &mut LogitStds,
    spare: &mut Spare<T>,
) -> Given<T> {
    let positions = field.positions;
    let pairs = positions * positions;
    let flipped = known.map(|weights| transposed(weights.chunks_exact(GROUP), positions));
    let flipped = flipped.map(|rows| rows.concat());
    let [first, second] = [0, 1].map(|side: usize| Matrix::dense(&flipped[side], positions));
    let two = Matrix::dense(known[1], positions);
    let mut by_known = [0, 1].map(|_| vec![T::zero(); pairs * GROUP]);
    let mut back = |by: &[Pack<T>], kernel: &[Pack<T>]| {
        let [mut before, mut out] = [0, 1].map(|_| spare.any(pairs));
        wide(
            #[inline(always)]
            || {
                // (G1^T s)^T, and with that G1^T s G2.
                first.transposed(
                    by,
                    &mut before,
                    #[inline(always)]
                    |four| First(four).get(0),
                );
                second.transposed(
                    &before,
                    &mut out,
                    #[inline(always)]
                    |four| Second(four).get(0),
                );
            },
        );
        let zero = Pack::zero();
        if kernel.iter().any(|&value| value != zero) {
            let flipped = transposed(kernel.iter(), positions);
            let flipped: Vec<_> = flipped.into_iter().copied().collect();
            let mut after = spare.any(pairs);
            wide(
                #[inline(always)]
                || {
                    // Kv G2^T.
                    two.transposed(
                        &flipped,
                        &mut after,
                        #[inline(always)]
                        |four| Second(four).get(0),
                    );
                },
            );
            let [by_one, by_two] = &mut by_known;
            dots([by, &after], positions, by_one, firsts);
            dots([&before, &flipped], positions, by_two, seconds);
            spare.keep(after);
        }
        spare.keep(before);
        for v in &mut out {
            *v = *v * scale;
        }
        out
    };
    let made = keys(logits, field, true);
    let nngp = back(&bar.nngp, &made.nngp);
    let ntk = back(ntk_of(bar.ntk.as_deref()), ntk_of(made.ntk.as_deref()));
    // S and U are linear in the weights.
    let weighted = known[0].iter().zip(&by_known[0]);
    let weighted = weighted.map(|(&weight, &by)| Real::to_f64(weight) * Real::to_f64(by));
    sums.value += weighted.sum::<f64>();
    for v in by_known.iter_mut().flatten() {
        *v *= scale;
    }
    let making = Making::new(logits, field, true);
    let mut field = Field::zeros_in(spare, Extent::All, positions, true);
    sums.embedding += making.adjoint(&nngp, &mut field.nngp);
    if let Some(to) = &mut field.ntk {
        sums.embedding += making.adjoint(&ntk, to);
    }
    spare.keep(nngp);
    spare.keep(ntk);
    Given {
        field,
        known: by_known,
    }
}

/// Lists the transpose of a square matrix.
fn transposed<V>(rows: impl Iterator<Item = V>, size: usize) -> Vec<V>
where
    V: Copy,
{
    let rows: Vec<V> = rows.collect();
    let columns = 0..size;
    columns
        .flat_map(|column| (0..size).map(move |row| row * size + column))
        .map(|at| rows[at])
        .collect()
}
