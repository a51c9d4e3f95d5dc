//! Expands functions in Hermite polynomials, for [`super::quadrature`] and [`super::numerical`];
//! [`mod@super::quadrature`] has the formulas.

use super::gauss_hermite::{MAX_NODES, Rule};
use super::{Side, representable};
use crate::pack::Pack;
use ntk_linalg::Real;
use std::sync::Arc;

/// Slopes smaller than this share of rounding are zero: those of an even or odd function are
/// where they should be, and products of what rounding makes of them would be slow subnormal
/// numbers.
const NEGLIGIBLE: f64 = 1e-3;

/// A Gauss-Hermite rule with what the expansion needs besides.
#[derive(Debug)]
pub(super) struct Expansion {
    rule: Rule,
    /// Row m: `d_m` from values of `(f(sqrt(v) x) - f(0))/sqrt(v)` at the nodes.
    slopes: Vec<Vec<f64>>,
    /// `1/(m + 1)`.
    inverse: Vec<f64>,
}

impl Expansion {
    pub(super) fn new(nodes: usize) -> Arc<Self> {
        let rule = Rule::new(nodes.clamp(1, MAX_NODES));
        let mut slopes = rule.projection();
        slopes.remove(0);
        for (m, row) in slopes.iter_mut().enumerate() {
            row.iter_mut().for_each(|c| *c *= (m as f64 + 1.0).sqrt());
        }
        // Terms are summed in twos.
        if slopes.len() % 2 == 1 {
            slopes.push(vec![0.0; rule.nodes.len()]);
        }
        let inverse = (1..=slopes.len()).map(|l| 1.0 / l as f64).collect();
        Arc::new(Self {
            rule,
            slopes,
            inverse,
        })
    }

    /// How many numbers [`Expansion::prepare`] writes: the mean, the inverse standard deviation,
    /// and every `d_m`.
    pub(super) fn numbers(&self) -> usize {
        self.slopes.len() + 2
    }

    /// Writes the numbers of a sample; `rise` is `f(x) - f(0)`. Below the standard deviation
    /// `least` the slopes are taken there, as the rounding of `rise` would show.
    pub(super) fn prepare<T: Real>(
        &self,
        at_zero: f64,
        rise: impl Fn(f64) -> f64,
        least: f64,
        variance: T,
        numbers: &mut [T],
    ) {
        let deviation = variance.to_f64().sqrt();
        let sum = |weights: &[f64], values: &[f64]| -> f64 {
            weights.iter().zip(values).map(|(w, v)| w * v).sum()
        };
        let at = |deviation: f64| -> Vec<f64> {
            let nodes = self.rule.nodes.iter();
            nodes.map(|x| rise(deviation * x)).collect()
        };
        let mut values = at(deviation);
        numbers[0] = T::of(at_zero + sum(&self.rule.weights, &values));
        numbers[1] = T::of(if deviation > 0.0 {
            1.0 / deviation
        } else {
            0.0
        });
        let mut step = deviation;
        if deviation < least {
            step = least;
            values = at(least);
        }
        values.iter_mut().for_each(|v| *v /= step);
        let slopes = &mut numbers[2..];
        for (slope, row) in slopes.iter_mut().zip(&self.slopes) {
            *slope = T::of(sum(row, &values));
        }
        let largest = slopes.iter().fold(T::zero(), |most, d| most.max(d.abs()));
        let least = largest * T::epsilon() * T::of(NEGLIGIBLE);
        for slope in slopes.iter_mut().filter(|d| d.abs() < least) {
            *slope = T::zero();
        }
    }

    /// Checks that the diagonal, `E[f(sqrt(variance) z)^2]`, is a number.
    pub(super) fn domain(&self, variance: f64, f: impl Fn(f64) -> f64) -> Result<(), String> {
        let nodes = self.rule.nodes.iter().zip(&self.rule.weights);
        let square = |(x, w)| w * f(variance.sqrt() * x).powi(2);
        representable(variance, nodes.map(square).sum())
    }

    #[inline(always)]
    pub(super) fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>) {
        let cosine = q * one.get(1) * two.get(1);
        // Even and odd powers are summed apart: two short chains of operations instead of a long
        // one.
        let square = cosine * cosine;
        let [mut even, mut odd] = [(Pack::zero(), Pack::zero()); 2];
        for (pair, inverse) in self.inverse.chunks_exact(2).enumerate().rev() {
            let both = |k| one.get(k) * two.get(k);
            let (first, second) = (both(2 * pair + 2), both(2 * pair + 3));
            even = (
                Pack::mul_add(even.0, square, first * T::of(inverse[0])),
                Pack::mul_add(even.1, square, first),
            );
            odd = (
                Pack::mul_add(odd.0, square, second * T::of(inverse[1])),
                Pack::mul_add(odd.1, square, second),
            );
        }
        let kernel = odd.0.mul_add(cosine, even.0);
        let derivative = odd.1.mul_add(cosine, even.1);
        (kernel.mul_add(q, one.get(0) * two.get(0)), derivative)
    }
}

/// Says what is wrong with a number of nodes, if anything is.
pub(super) fn nodes_fault(nodes: usize) -> Option<String> {
    (!(1..=MAX_NODES).contains(&nodes))
        .then(|| format!("nodes must be from 1 to {MAX_NODES}, found {nodes}"))
}
