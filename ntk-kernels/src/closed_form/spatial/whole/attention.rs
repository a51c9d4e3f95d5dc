//! Computes kernels after self-attention with the logits as weights, in the limit of many heads.
//!
//! With `K` the NNGP of the input, `T` its NTK, `v = w_out_std^2 w_value_std^2`, `k = w_key_std
//! w_query_std`, zeta the mechanism, `Kg`, `Tg` the kernels that keys and queries are made of, `Kv`, `Tv`
//! those of values, and sums over all positions `r`, `s`:
//!
//! ```text
//! linear scaling: G(x) = zeta(k Kg(x, x)),
//!   nngp'[p, p'] = v sum G(x1)[p, r] Kv[r, s] G(x2)[p', s] + b_std^2
//!   ntk'[p, p']  = v sum G(x1)[p, r] (2 Kv + Tv)[r, s] G(x2)[p', s] + b_std^2
//! square-root scaling: Z, D the dual of zeta at Q[p, p', r, s] = k^2 Kg[p, p'] Kg[r, s],
//!   nngp'[p, p'] = v sum Z Kv[r, s] + b_std^2
//!   ntk'[p, p']  = 2 nngp'[p, p'] - b_std^2 + v sum Z Tv[r, s]
//!                + v k^2 sum D Kv[r, s] (2 Kg[p, p'] Kg[r, s] + Tg[p, p'] Kg[r, s] + Kg[p, p'] Tg[r, s])
//! ```
//!
//! Hron et al. 2020, "Infinite attention: NNGP and NTK for deep attention networks"
//! (arXiv:2006.10540), theorem 3 (square-root scaling) and section 4 (linear scaling). With
//! linear scaling the weights' own NTK vanishes in the limit. Keys and queries are made of the signal,
//! and of the positional embedding of covariance `R`, which is trained: `Kg = K + R`, `Tg = T + R`, or
//! the mean over the channels of both. Cost: `positions^3` a pair with linear scaling, `positions^2`
//! with square-root scaling of the logits themselves, `positions^4` of their absolute or positive
//! values.

use super::super::lanes::{First, GROUP, Mask, Second, own};
use super::super::matrix::Matrix;
use super::super::spare::Spare;
use super::field::{Extent, Field};
use super::sandwich::sandwich;
use crate::dual::Activation;
use crate::dual::functions::{abs, relu};
use crate::network::{Embedded, Logits, Mechanism};
use crate::pack::{LANES, Pack, by_lanes, wide};
use crate::pairs::{Maps, Side};
use crate::sums::Sum;
use ntk_linalg::Real;
use std::borrow::Cow;

/// Computes what is needed of each sample: its attention weights, `[position][other
/// position][sample]`, from its covariances with itself; with square-root scaling the variances of
/// keys, `[position][sample]`.
pub(in super::super::super) fn weights<T: Real>(logits: &Logits, field: &Field<T>) -> Vec<T> {
    let keys = keys(logits, field, false);
    let positions = field.positions;
    let of = |pack: &Pack<T>| std::array::from_fn::<T, GROUP, _>(|i| pack.0[own(i)]);
    if !logits.linear_scaling {
        return keys
            .nngp
            .iter()
            .step_by(positions + 1)
            .flat_map(of)
            .collect();
    }
    let scale = T::of(logits.logit_std);
    let mut all: Vec<T> = keys.nngp.iter().flat_map(of).map(|k| scale * k).collect();
    match logits.mechanism {
        Mechanism::Identity => {}
        Mechanism::Abs => all.iter_mut().for_each(|v| *v = v.abs()),
        Mechanism::Relu => all.iter_mut().for_each(|v| *v = v.max(T::zero())),
        Mechanism::Softmax => {
            let mut exps = Vec::new();
            for row in all.chunks_exact_mut(positions * GROUP) {
                softmax(row, field.masks[0].as_ref(), &mut exps);
            }
        }
    }
    all
}

/// Makes weights of logits, `[position][sample]`: over positions that are not masked. `exps` is memory
/// that is used again.
fn softmax<T: Real>(row: &mut [T], mask: Option<&Mask>, exps: &mut Vec<Pack<f64>>) {
    let masked = |at: usize| mask.is_some_and(|mask| mask[at / GROUP][at % GROUP]);
    let mut most = [f64::NEG_INFINITY; GROUP];
    for (at, &v) in row.iter().enumerate().filter(|&(at, _)| !masked(at)) {
        most[at % GROUP] = most[at % GROUP].max(Real::to_f64(v));
    }
    exps.clear();
    for (number, part) in row.chunks(LANES).enumerate() {
        let mut pack = Pack::of(f64::NEG_INFINITY);
        for (lane, &v) in part.iter().enumerate() {
            if !masked(number * LANES + lane) {
                pack.0[lane] = Real::to_f64(v) - most[lane % GROUP];
            }
        }
        exps.push(pack);
    }
    let mut sums = [0.0; GROUP];
    for pack in &mut *exps {
        *pack = wide(
            #[inline(always)]
            || pack.exp(),
        );
        (0..LANES).for_each(|lane| sums[lane % GROUP] += pack.0[lane]);
    }
    for (part, pack) in row.chunks_mut(LANES).zip(exps) {
        for (lane, v) in part.iter_mut().enumerate() {
            // Where all are masked the sum is zero, too.
            *v = T::of(match pack.0[lane] {
                0.0 => 0.0,
                exp => exp / sums[lane % GROUP],
            });
        }
    }
}

/// The kernels that keys and queries, or values, are made of.
pub(in super::super::super) struct Made<'a, T: Real> {
    pub(in super::super::super) nngp: Cow<'a, [Pack<T>]>,
    pub(in super::super::super) ntk: Option<Cow<'a, [Pack<T>]>>,
}

/// Returns the embedding, and the shares of the signal and of it, where keys and queries, or values, are
/// made of it.
pub(in super::super::super) fn embedding(
    logits: &Logits,
    values: bool,
) -> Option<(&Embedded, [f64; 2])> {
    let embedding = logits.embedding.as_ref().filter(|e| !values || e.values)?;
    let shares = match embedding.share {
        None => [1.0, 1.0],
        Some(share) => [1.0 - share, share],
    };
    Some((embedding, shares))
}

/// Computes them: of the signal, and of the embedding where they are made of it.
pub(in super::super::super) fn keys<'a, T: Real>(
    logits: &Logits,
    field: &'a Field<T>,
    values: bool,
) -> Made<'a, T> {
    let Some((embedding, [own, shared])) = embedding(logits, values) else {
        return Made {
            nngp: Cow::Borrowed(&field.nngp),
            ntk: field.ntk.as_deref().map(Cow::Borrowed),
        };
    };
    let covariances = embedding.covariances();
    let (own, positions) = (T::of(own), field.positions);
    let of = |from: &Vec<Pack<T>>| {
        let pairs = from.iter().zip(&covariances).enumerate();
        let sum = pairs.map(|(at, (&k, &r))| {
            let embedded = Pack::of(shared * r) * unmasked(field, at / positions, at % positions);
            k * own + embedded
        });
        Cow::Owned(sum.collect::<Vec<_>>())
    };
    Made {
        nngp: of(&field.nngp),
        ntk: field.ntk.as_ref().map(of),
    }
}

/// Returns 1 where neither position of a pair is masked, and 0 elsewhere.
pub(in super::super::super) fn unmasked<T: Real>(field: &Field<T>, p: usize, q: usize) -> Pack<T> {
    let [Some(one), Some(two)] = &field.masks else {
        return Pack::one();
    };
    let mut out = Pack::zero();
    for (lane, to) in out.0.iter_mut().enumerate() {
        if !one[p][lane / GROUP] && !two[q][lane % GROUP] {
            *to = T::one();
        }
    }
    out
}

/// Computes the output of the attention at all pairs of positions, from covariances at all of them.
pub(in super::super::super) fn apply<T: Real>(
    logits: &Logits,
    known: [&[T]; 2],
    field: Field<T>,
    spare: &mut Spare<T>,
) -> Field<T> {
    match logits.linear_scaling {
        true => linear(logits, known, field, spare),
        false => square_root(logits, known, &field),
    }
}

/// Returns the factor and the summand of the output.
fn output<T: Real>(logits: &Logits) -> [Pack<T>; 2] {
    let bias = logits.b_std.unwrap_or(0.0);
    [logits.value_std, bias].map(|std| Pack::of(std * std))
}

/// Does it with linear scaling.
fn linear<T: Real>(
    logits: &Logits,
    known: [&[T]; 2],
    mut field: Field<T>,
    spare: &mut Spare<T>,
) -> Field<T> {
    if logits.embedding.as_ref().is_some_and(|e| e.values) {
        let made = keys(logits, &field, true);
        let (nngp, ntk) = (made.nngp.into_owned(), made.ntk.map(Cow::into_owned));
        field = Field { nngp, ntk, ..field };
    }
    let matrices = known.map(|weights| Matrix::dense(weights, field.positions));
    let [first, second] = &matrices;
    sandwich([first, second], &mut field.nngp, spare);
    if let Some(ntk) = &mut field.ntk {
        sandwich([first, second], ntk, spare);
    }
    weigh(logits, &mut field);
    field
}

/// Makes the output's covariances of those of the weighted sums of values, Kv in the NNGP's place and Tv
/// in the NTK's.
pub(super) fn weigh<T: Real>(logits: &Logits, field: &mut Field<T>) {
    let [scale, bias] = output(logits);
    let Field { nngp, ntk, .. } = field;
    wide(
        #[inline(always)]
        || match ntk {
            Some(ntk) => {
                for (k, to) in nngp.iter_mut().zip(ntk) {
                    by_lanes();
                    *to = (*k + *k + *to).mul_add(scale, bias);
                    *k = k.mul_add(scale, bias);
                }
            }
            None => {
                for k in nngp {
                    by_lanes();
                    *k = k.mul_add(scale, bias);
                }
            }
        },
    );
}

/// Sums the values, `[position][channel][sample]`, at all positions by the attention weights of each.
pub(super) fn sums<T: Real>(
    weights: &[T],
    values: &[T],
    positions: usize,
    channels: usize,
) -> Vec<T> {
    let width = channels * GROUP;
    let mut all = Vec::with_capacity(positions * width);
    let mut sums = vec![0.0; width];
    for weights in weights.chunks_exact((positions * GROUP).max(1)) {
        sums.fill(0.0);
        for (weights, values) in weights.chunks_exact(GROUP).zip(values.chunks_exact(width)) {
            for (sums, values) in sums.chunks_exact_mut(GROUP).zip(values.chunks_exact(GROUP)) {
                for ((sum, &weight), &value) in sums.iter_mut().zip(weights).zip(values) {
                    *sum += Real::to_f64(weight) * Real::to_f64(value);
                }
            }
        }
        all.extend(sums.iter().copied().map(T::of));
    }
    all
}

/// Returns the activation whose dual the mechanism takes with square-root scaling; `None` where the logits
/// are weights themselves.
pub(in super::super::super) fn activation(mechanism: Mechanism) -> Option<Activation> {
    match mechanism {
        Mechanism::Identity | Mechanism::Softmax => None,
        Mechanism::Relu => Some(relu()),
        Mechanism::Abs => Some(abs()),
    }
}

/// Does it with square-root scaling.
fn square_root<T: Real>(logits: &Logits, known: [&[T]; 2], field: &Field<T>) -> Field<T> {
    let positions = field.positions;
    let [values, bias] = output::<T>(logits);
    let mut result = Field::zeros(Extent::All, positions, field.ntk.is_some());
    let made = keys(logits, field, true);
    let keys = keys(logits, field, false);
    let squared = logits.logit_std.powi(2);
    let scale = values * T::of(squared);
    let activation = match activation(logits.mechanism) {
        None => {
            // The logits are weights themselves: all sums over other positions factor.
            let squares = product(&keys.nngp, &made.nngp) * scale;
            for (result, &k) in result.nngp.iter_mut().zip(&*keys.nngp) {
                *result = k.mul_add(squares, bias);
            }
            if let (Some(result), Some(ntk), Some(of_values)) =
                (&mut result.ntk, &keys.ntk, &made.ntk)
            {
                let cross = product(&keys.nngp, of_values) + product(ntk, &made.nngp);
                let cross = cross * scale;
                for ((result, &k), &t) in result.iter_mut().zip(&*keys.nngp).zip(&**ntk) {
                    let four = k * T::of(4.0) + t;
                    *result = four.mul_add(squares, k.mul_add(cross, bias));
                }
            }
            return result;
        }
        Some(activation) => activation,
    };
    let maps: &dyn Maps<T> = activation.maps();
    let numbers = [
        prepared(maps, squared, known[0], positions, |four| {
            First(four).get(0)
        }),
        prepared(maps, squared, known[1], positions, |four| {
            Second(four).get(0)
        }),
    ];
    let scale = values;
    let count = maps.numbers();
    for at in 0..positions * positions {
        let (p, q) = (at / positions, at % positions);
        let zero = Pack::zero();
        let (k, t) = (keys.nngp[at], keys.ntk.as_ref().map_or(zero, |ntk| ntk[at]));
        let k_squared = k * T::of(squared);
        let (mut nngp, mut ntk) = (Sum::zero(), Sum::zero());
        for other in 0..positions * positions {
            let (r, s) = (other / positions, other % positions);
            let one = &numbers[0][(p * positions + r) * count..][..count];
            let two = &numbers[1][(q * positions + s) * count..][..count];
            let (z, d) = maps.pairs(one, two, k_squared * keys.nngp[other]);
            nngp.add(z * made.nngp[other]);
            if let (Some(of_keys), Some(of_values)) = (&keys.ntk, &made.ntk) {
                let (kr, tr) = (keys.nngp[other], of_keys[other]);
                let moved = (k + k + t).mul_add(kr, k * tr) * T::of(squared);
                ntk.add(z * of_values[other] + d * made.nngp[other] * moved);
            }
        }
        let total = nngp.total() * scale;
        result.nngp[at] = total + bias;
        if let Some(to) = &mut result.ntk {
            to[at] = ntk.total().mul_add(scale, total + total + bias);
        }
    }
    result
}

/// Computes what the dual of a mechanism needs of the logits of all pairs of positions of the samples of
/// one side: `[position][other position][number]`.
pub(in super::super::super) fn prepared<T: Real>(
    maps: &dyn Maps<T>,
    squared: f64,
    variances: &[T],
    positions: usize,
    lanes: impl Fn(&[T; GROUP]) -> Pack<T>,
) -> Vec<Pack<T>> {
    let count = maps.numbers();
    let mut all = Vec::with_capacity(positions * positions * count);
    let mut one = vec![T::zero(); count];
    for p in 0..positions {
        for r in 0..positions {
            let mut of = vec![[T::zero(); GROUP]; count];
            for sample in 0..GROUP {
                let [p, r] = [p, r].map(|at| Real::to_f64(variances[at * GROUP + sample]));
                maps.prepare(T::of(squared * p * r), &mut one);
                for (of, &number) in of.iter_mut().zip(&one) {
                    of[sample] = number;
                }
            }
            all.extend(of.iter().map(&lanes));
        }
    }
    all
}

/// Sums the products of all entries.
pub(in super::super::super) fn product<T: Real>(a: &[Pack<T>], b: &[Pack<T>]) -> Pack<T> {
    let mut sum = Sum::zero();
    for (&a, &b) in a.iter().zip(b) {
        sum.add(a * b);
    }
    sum.total()
}
