//! Computes kernels after self-attention with the logits as weights, in the limit of many heads.
//!
//! With `K` the NNGP of the input, `T` its NTK, `v = w_out_std^2 w_value_std^2` and sums over
//! all positions `r`, `s`:
//!
//! ```text
//! linear scaling: A(x) = w_key_std w_query_std K(x, x),
//!   nngp'[p, p'] = v sum A(x1)[p, r] K[r, s] A(x2)[p', s] + b_std^2
//!   ntk'[p, p']  = v sum A(x1)[p, r] (2 K + T)[r, s] A(x2)[p', s] + b_std^2
//! square-root scaling: c = v w_key_std^2 w_query_std^2,
//!   nngp'[p, p'] = c K[p, p'] sum K[r, s]^2 + b_std^2
//!   ntk'[p, p']  = c ((4 K + T)[p, p'] sum K[r, s]^2 + 2 K[p, p'] sum K[r, s] T[r, s]) + b_std^2
//! ```
//!
//! Hron et al. 2020, "Infinite attention: NNGP and NTK for deep attention networks"
//! (arXiv:2006.10540), theorem 3 (square-root scaling) and section 4 (linear scaling). With
//! linear scaling the weights' own NTK vanishes in the limit. Cost: `positions^3` a pair with
//! linear scaling, `positions^2` with square-root scaling.

use super::super::lanes::{First, GROUP, Second, own};
use super::field::{Extent, Field};
use crate::network::Logits;
use crate::pack::{Pack, wide};
use crate::pairs::Side;
use crate::sums::{RUN, Sum, carry};
use ntk_linalg::Real;

/// Computes each sample's attention weights, `[position][other position][sample]`, from its
/// covariances with itself; there are none with square-root scaling.
pub(super) fn weights<T: Real>(logits: &Logits, field: &Field<T>) -> Vec<T> {
    if !logits.linear_scaling {
        return Vec::new();
    }
    let scale = T::of(logits.logit_std);
    let of = |pack: &Pack<T>| std::array::from_fn::<T, GROUP, _>(|i| scale * pack.0[own(i)]);
    field.nngp.iter().flat_map(of).collect()
}

/// Computes the output of the attention at all pairs of positions, from covariances at all of them.
pub(super) fn apply<T: Real>(logits: &Logits, weights: [&[T]; 2], field: &Field<T>) -> Field<T> {
    let positions = field.positions;
    let values = logits.value_std.powi(2);
    let bias = Pack::of(logits.b_std.map_or(0.0, |b_std| b_std * b_std));
    let mut result = Field::zeros(Extent::All, positions, field.ntk.is_some());
    if logits.linear_scaling {
        let scale = Pack::of(values);
        let both = field.ntk.as_ref().map(|ntk| {
            let pairs = field.nngp.iter().zip(ntk);
            pairs.map(|(&k, &t)| k + k + t).collect::<Vec<_>>()
        });
        let sources = [Some(&field.nngp), both.as_ref()];
        let targets = [Some(&mut result.nngp), result.ntk.as_mut()];
        for (source, target) in sources.into_iter().zip(targets) {
            let (Some(source), Some(target)) = (source, target) else {
                continue;
            };
            let rows = times(weights[0], source, positions);
            let rows = rows.chunks_exact(positions);
            for (row, target) in rows.zip(target.chunks_exact_mut(positions)) {
                let second = weights[1].chunks_exact(positions * GROUP);
                for (second, target) in second.zip(target) {
                    *target = dot(row, second).mul_add(scale, bias);
                }
            }
        }
        return result;
    }
    let scale = Pack::of(values * logits.logit_std.powi(2));
    let squares = product(&field.nngp, &field.nngp) * scale;
    for (result, &k) in result.nngp.iter_mut().zip(&field.nngp) {
        *result = k.mul_add(squares, bias);
    }
    if let (Some(result), Some(ntk)) = (&mut result.ntk, &field.ntk) {
        let cross = product(&field.nngp, ntk) * scale;
        for ((result, &k), &t) in result.iter_mut().zip(&field.nngp).zip(ntk) {
            let four = k * T::of(4.0) + t;
            *result = four.mul_add(squares, (k + k).mul_add(cross, bias));
        }
    }
    result
}

/// Multiplies the weights of the first samples by a matrix of positions.
fn times<T: Real>(weights: &[T], matrix: &[Pack<T>], positions: usize) -> Vec<Pack<T>> {
    let mut out = vec![Pack::zero(); positions * positions];
    let mut rest = vec![Pack::zero(); positions];
    for (p, row) in out.chunks_exact_mut(positions).enumerate() {
        rest.fill(Pack::zero());
        wide(
            #[inline(always)]
            || {
                for (r, source) in matrix.chunks_exact(positions).enumerate() {
                    let weight = First(&weights[(p * positions + r) * GROUP..][..GROUP]).get(0);
                    for ((sum, rest), &value) in row.iter_mut().zip(&mut rest).zip(source) {
                        carry(sum, rest, weight * value);
                    }
                }
                for (sum, &rest) in row.iter_mut().zip(&rest) {
                    *sum = *sum + rest;
                }
            },
        );
    }
    out
}

/// Sums a row times the weights of the second samples.
fn dot<T: Real>(row: &[Pack<T>], weights: &[T]) -> Pack<T> {
    wide(
        #[inline(always)]
        || {
            let mut sum = Sum::zero();
            for (row, weights) in row.chunks(RUN).zip(weights.chunks(RUN * GROUP)) {
                let mut run = Pack::zero();
                for (&value, four) in row.iter().zip(weights.chunks_exact(GROUP)) {
                    run = Second(four).get(0).mul_add(value, run);
                }
                sum.add(run);
            }
            sum.total()
        },
    )
}

/// Sums the products of all entries.
fn product<T: Real>(a: &[Pack<T>], b: &[Pack<T>]) -> Pack<T> {
    let mut sum = Sum::zero();
    for (&a, &b) in a.iter().zip(b) {
        sum.add(a * b);
    }
    sum.total()
}
