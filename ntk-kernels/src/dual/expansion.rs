//! Expands functions in Hermite polynomials, for [`super::quadrature`] and [`super::numerical`];
//! [`mod@super::quadrature`] has the formulas.

use super::gauss_hermite::{MAX_NODES, Rule};
use super::{Side, Slopes, representable};
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

/// What is known of a function besides its values.
#[derive(Clone)]
pub(super) struct AtZero {
    pub(super) value: f64,
    /// The second to fifth derivatives.
    pub(super) curves: [f64; 4],
}

/// The standard deviation below which the moments of the second and third derivatives are those of
/// their Taylor polynomials at 0. Above, the rounding of `d_m` over the variance is below 1e-8;
/// below, the fourth moment is.
const LEAST_CURVED: f64 = 3e-4;
/// How many moments of these have numbers of their own.
const OWN: usize = 3;

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
    /// every `d_m`, and for [`Expansion::slopes`] the inverse standard deviation that leads from
    /// these to the moments of the second and third derivatives, and the first three of each.
    pub(super) fn numbers(&self) -> usize {
        self.slopes.len() + 2 + 1 + 2 * OWN
    }

    /// Estimates the second to fifth derivatives at 0 from `f(x) - f(0)`.
    pub(super) fn curves_at_zero(&self, rise: impl Fn(f64) -> f64) -> [f64; 4] {
        // Errors of rounding, epsilon/x^4, and of the next derivatives, x^4, are alike.
        const STEP: f64 = 0.01;
        let values = self.rule.nodes.iter().map(|x| rise(STEP * x) / STEP);
        let values: Vec<f64> = values.collect();
        let mut low = [0.0; 5];
        for (d, row) in low.iter_mut().zip(&self.slopes) {
            *d = row.iter().zip(&values).map(|(w, v)| w * v).sum();
        }
        let fifth = 24.0_f64.sqrt() * low[4] / STEP.powi(4);
        let fourth = 6.0_f64.sqrt() * low[3] / STEP.powi(3);
        let third = 2.0_f64.sqrt() * low[2] / STEP.powi(2) - STEP.powi(2) / 2.0 * fifth;
        let second = low[1] / STEP - STEP.powi(2) / 2.0 * fourth;
        [second, third, fourth, fifth]
    }

    /// Returns the inverse standard deviation that [`Expansion::slopes`] takes, and the first
    /// moments of the second and third derivatives.
    fn curved(deviation: f64, low: [f64; 5], curves: [f64; 4]) -> (f64, [f64; 2 * OWN]) {
        let root = |l: usize| (l as f64).sqrt();
        if deviation < LEAST_CURVED {
            let [second, third, fourth, fifth] = curves;
            let half = deviation * deviation / 2.0;
            let moments = [
                second + half * fourth,
                deviation * third,
                half * root(2) * fourth,
                third + half * fifth,
                deviation * fourth,
                half * root(2) * fifth,
            ];
            return (0.0, moments);
        }
        let inverse = 1.0 / deviation;
        let moments = std::array::from_fn(|k| match k.checked_sub(OWN) {
            None => root(k + 1) * low[k + 1] * inverse,
            Some(l) => root((l + 1) * (l + 2)) * low[l + 2] * inverse * inverse,
        });
        (inverse, moments)
    }

    /// Writes the numbers of a sample; `rise` is `f(x) - f(0)`. Below the standard deviation
    /// `least` the slopes are taken there, as the rounding of `rise` would show.
    pub(super) fn prepare<T: Real>(
        &self,
        at_zero: &AtZero,
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
        numbers[0] = T::of(at_zero.value + sum(&self.rule.weights, &values));
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
        let (slopes, own) = numbers[2..].split_at_mut(self.slopes.len());
        let mut low = [0.0; 5];
        for (m, (slope, row)) in slopes.iter_mut().zip(&self.slopes).enumerate() {
            let d = sum(row, &values);
            *slope = T::of(d);
            if let Some(low) = low.get_mut(m) {
                *low = d;
            }
        }
        let (inverse, moments) = Self::curved(deviation, low, at_zero.curves);
        for (own, value) in own.iter_mut().zip([inverse].into_iter().chain(moments)) {
            *own = T::of(value);
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

    /// Computes, with `e_m = sqrt(m + 1) d_(m+1)/sqrt(v) = E[f''(sqrt(v) z) h_m(z)]` and
    /// `t_m = sqrt(m + 1) e_(m+1)/sqrt(v)`,
    ///
    /// ```text
    /// dK/dq1 = e_0(q1) E[f(sqrt(q2) z)] / 2
    ///     + q/sqrt(q1) sum_(m>0) e_m(q1) d_(m-1)(q2) rho^(m-1) / (2 sqrt(m))
    /// dD/dq1 = sum_m t_m(q1) d_m(q2) rho^m / 2
    /// dD/dq = sum_m e_m(q1) e_m(q2) rho^m
    /// ```
    #[inline(always)]
    pub(super) fn slopes<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> Slopes<T> {
        let (kernel, derivative) = self.pair(one, two, q);
        let cosine = q * one.get(1) * two.get(1);
        let count = self.slopes.len();
        let mut curve = Pack::zero();
        let [mut by_kernel, mut by_derivative] = [[Pack::zero(); 2]; 2];
        for m in (0..count).rev() {
            let ((e1, t1), (e2, t2)) = (moments(one, count, m), moments(two, count, m));
            curve = curve.mul_add(cosine, e1 * e2);
            let (d1, d2) = (one.get(2 + m), two.get(2 + m));
            by_derivative = [
                by_derivative[0].mul_add(cosine, t1 * d2),
                by_derivative[1].mul_add(cosine, t2 * d1),
            ];
            if m > 0 {
                let root = T::of((m as f64).sqrt().recip());
                let (d1, d2) = (one.get(1 + m), two.get(1 + m));
                by_kernel = [
                    by_kernel[0].mul_add(cosine, e1 * d2 * root),
                    by_kernel[1].mul_add(cosine, e2 * d1 * root),
                ];
            } else {
                let (mean1, mean2) = (one.get(0), two.get(0));
                by_kernel = [
                    (q * one.get(1)).mul_add(by_kernel[0], e1 * mean2),
                    (q * two.get(1)).mul_add(by_kernel[1], e2 * mean1),
                ];
            }
        }
        let half = T::of(0.5);
        let [by_kernel, by_derivative] =
            [by_kernel, by_derivative].map(|by| by.map(|by| by * half));
        Slopes {
            kernel,
            derivative,
            kernel_by: [by_kernel[0], by_kernel[1], derivative],
            derivative_by: [by_derivative[0], by_derivative[1], curve],
        }
    }
}

/// Computes `e_m` and `t_m` of a sample with `count` numbers `d_m`.
#[inline(always)]
fn moments<T: Real>(side: impl Side<T>, count: usize, m: usize) -> (Pack<T>, Pack<T>) {
    let own = 2 + count;
    if m < OWN {
        return (side.get(own + 1 + m), side.get(own + 1 + OWN + m));
    }
    let inverse = side.get(own);
    let higher = |by: usize, root: usize| match m + by < count {
        true => side.get(2 + m + by) * inverse * T::of((root as f64).sqrt()),
        false => Pack::zero(),
    };
    (higher(1, m + 1), higher(2, (m + 1) * (m + 2)) * inverse)
}

/// Says what is wrong with a number of nodes, if anything is.
pub(super) fn nodes_fault(nodes: usize) -> Option<String> {
    (!(1..=MAX_NODES).contains(&nodes))
        .then(|| format!("nodes must be from 1 to {MAX_NODES}, found {nodes}"))
}
