//! Computes the dual of `f(x) = c_0 + c_1 x + c_2 x^2 + ...`
//!
//! With `s_l(v) = sum_i c_(2i+l) (2i+l)!/(2^i i! sqrt(l!)) v^i`, which is `v^(-l/2)` times the
//! coefficient of `f(sqrt(v) x)` in normalised Hermite polynomials,
//!
//! ```text
//! K = sum_l s_l(q1) s_l(q2) q^l
//! D = sum_l l s_l(q1) s_l(q2) q^(l-1)
//! ```
//!
//! On the diagonal the same at `q1 = q2 = q`. Domain: variances where that is a number of f64.
//! Cost per pair: proportional to the degree.
//!
//! Daniely, Frostig & Singer 2016, "Toward Deeper Understanding of Neural Networks"
//! (arXiv:1602.05897), here for any variances.

use super::euler::Terms;
use super::{
    Activation, Described, Dual, MAX_DEGREE, Named, OptionFault, ParameterSlopes, Side, Slopes,
    not_finite, read_options, representable, too_high,
};
use crate::pack::Pack;
use ntk_linalg::Real;
use serde::Deserialize;
use serde_json::{Value, json};

/// A `Polynomial` is the activation `sum_i c_i x^i`; [the module](self) has its formulas.
#[derive(Debug, Clone, PartialEq)]
pub struct Polynomial {
    coefficients: Vec<f64>,
    /// Row l holds what `s_l` has of each `c_(2i+l) v^i`, for the lowest power first.
    factors: Vec<Vec<f64>>,
}

/// Makes the polynomial `sum_i coefficients[i] x^i`, of degree 100 at most.
#[must_use]
pub fn polynomial(coefficients: impl Into<Vec<f64>>) -> Activation {
    let coefficients = coefficients.into();
    let taken = coefficients.len().min(MAX_DEGREE as usize + 1);
    let factors = (0..taken)
        .map(|l| {
            // (2i+l)! / (2^i i! sqrt(l!)): sqrt(l!) for i = 0, then by factors.
            let mut factor = (1..=l).map(|k| (k as f64).sqrt()).product::<f64>();
            let terms = (l..taken).step_by(2).enumerate();
            terms
                .map(|(i, n)| {
                    if i > 0 {
                        let n = n as f64;
                        factor *= n * (n - 1.0) / (2.0 * i as f64);
                    }
                    factor
                })
                .collect()
        })
        .collect();
    Activation::Polynomial(Polynomial {
        coefficients,
        factors,
    })
}

impl Dual for Polynomial {
    fn numbers(&self) -> usize {
        self.factors.len() + 1
    }

    /// Writes every `s_l`, and the variance, which the parameters' derivatives need.
    fn prepare<T: Real>(&self, variance: T, numbers: &mut [T]) {
        for (l, (number, factors)) in numbers.iter_mut().zip(&self.factors).enumerate() {
            let terms = factors.iter().zip(self.coefficients[l..].iter().step_by(2));
            let sum = terms.rev();
            *number = T::of(sum.fold(0.0, |sum, (factor, c)| sum * variance.to_f64() + c * factor));
        }
        numbers[self.factors.len()] = variance;
    }

    #[inline(always)]
    fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>) {
        let (mut kernel, mut derivative) = (Pack::zero(), Pack::zero());
        for l in (0..self.factors.len()).rev() {
            derivative = derivative.mul_add(q, kernel);
            kernel = kernel.mul_add(q, one.get(l) * two.get(l));
        }
        (kernel, derivative)
    }

    /// Computes, as `ds_l/dv = sqrt((l + 1) (l + 2)) s_(l+2) / 2`,
    ///
    /// ```text
    /// dK/dq1 = sum_l sqrt((l + 1) (l + 2)) s_(l+2)(q1) s_l(q2) q^l / 2
    /// ```
    ///
    /// and the derivatives by `q` of it and of `D`.
    #[inline(always)]
    fn slopes<T: Real, S: Side<T>>(&self, one: S, two: impl Side<T>, q: Pack<T>) -> Slopes<T> {
        let (mut kernel, mut derivative, mut curve) = (Pack::zero(), Pack::zero(), Pack::zero());
        let [mut by_kernel, mut by_derivative] = [[Pack::zero(); 2]; 2];
        let count = self.factors.len();
        for l in (0..count).rev() {
            curve = curve.mul_add(q, derivative);
            derivative = derivative.mul_add(q, kernel);
            kernel = kernel.mul_add(q, one.get(l) * two.get(l));
            let root = (((l + 1) * (l + 2)) as f64).sqrt() / 2.0;
            let terms = match l + 2 < count {
                true => [one.get(l + 2) * two.get(l), one.get(l) * two.get(l + 2)],
                false => [Pack::zero(); 2],
            };
            for (side, term) in terms.into_iter().enumerate() {
                by_derivative[side] = by_derivative[side].mul_add(q, by_kernel[side]);
                by_kernel[side] = by_kernel[side].mul_add(q, term * T::of(root));
            }
        }
        Slopes {
            kernel,
            derivative,
            kernel_by: [by_kernel[0], by_kernel[1], derivative],
            derivative_by: [by_derivative[0], by_derivative[1], curve + curve],
        }
    }

    /// Computes those by the coefficients: `E[u^i f(v)] + E[f(u) v^i]`, and for `D` its derivative by
    /// `q`.
    #[inline(always)]
    fn parameter_slopes<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
        into: &mut [ParameterSlopes<T>],
    ) {
        let count = self.factors.len();
        let (v1, v2) = (one.get(count), two.get(count));
        for (i, by) in into.iter_mut().enumerate().take(count) {
            let (mut kernel, mut derivative) = (Pack::zero(), Pack::zero());
            let (mut power1, mut power2) = (Pack::one(), Pack::one());
            for l in (0..=i).rev() {
                derivative = derivative.mul_add(q, kernel);
                kernel = kernel * q;
                if (i - l) % 2 == 0 {
                    let term = power1 * two.get(l) + power2 * one.get(l);
                    kernel = kernel + term * T::of(self.factors[l][(i - l) / 2]);
                    (power1, power2) = (power1 * v1, power2 * v2);
                }
            }
            *by = (kernel, derivative);
        }
    }

    fn domain(&self, variance: f64) -> Result<(), String> {
        representable(variance, self.diagonal(variance).0)
    }
}

impl Polynomial {
    /// Returns the coefficients, of the lowest power first.
    #[must_use]
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    coefficients: Vec<f64>,
}

impl Described for Polynomial {
    fn at(&self, x: f64) -> Option<(f64, f64)> {
        let terms = self.coefficients.iter().rev();
        Some(terms.fold((0.0, 0.0), |(value, slope), c| {
            (value.mul_add(x, *c), slope.mul_add(x, value))
        }))
    }

    fn euler(&self) -> Option<Terms> {
        let terms = self.coefficients.iter().enumerate();
        let terms = terms.map(|(power, c)| power as f64 * c);
        Some(vec![(1.0, polynomial(terms.collect::<Vec<_>>()))])
    }

    fn name_and_options(&self) -> (&'static str, Value) {
        ("polynomial", json!({"coefficients": self.coefficients}))
    }

    fn fault(&self) -> Option<String> {
        if self.coefficients.is_empty() {
            return Some("coefficients must be at least one, found none".into());
        }
        let named = self.parameters();
        too_high(self.coefficients.len() - 1)
            .or_else(|| named.iter().find_map(|(name, c)| not_finite([(name, *c)])))
    }

    fn parameters(&self) -> Vec<(String, f64)> {
        let indexed = self.coefficients.iter().enumerate();
        indexed
            .map(|(i, &c)| (format!("coefficients[{i}]"), c))
            .collect()
    }

    fn with_parameters(&self, values: &[f64]) -> Option<Activation> {
        Some(polynomial(values))
    }
}

impl Named for Polynomial {
    const NAMES: &'static [&'static str] = &["polynomial"];

    fn read(_: &str, options: Value) -> Result<Activation, OptionFault> {
        read_options(options, |o: Options| polynomial(o.coefficients))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dual::monomial;
    use approx::assert_relative_eq;

    #[test]
    fn single_terms_are_monomials() {
        for n in 0..9_u32 {
            let mut c = vec![0.0; n as usize + 1];
            c[n as usize] = 1.0;
            let (k, d) = polynomial(c).dual(0.7, 2.1, -0.4);
            let (k0, d0) = monomial(n).dual(0.7, 2.1, -0.4);
            assert_relative_eq!(k, k0, max_relative = 1e-14);
            assert_relative_eq!(d, d0, max_relative = 1e-14);
        }
    }

    #[test]
    fn zero_samples() {
        let (k, d) = polynomial([3.0, 5.0, 7.0]).dual(0.0, 2.0, 0.0);
        assert_eq!((k, d), (3.0 * (3.0 + 14.0), 25.0));
    }

    #[test]
    fn faults() {
        let fault = |c: &[f64]| polynomial(c).fault();
        assert!(fault(&[]).is_some());
        assert!(fault(&[1.0, f64::NAN]).unwrap().contains("coefficients[1]"));
        assert!(fault(&[0.0; 200]).unwrap().contains("199"));
        assert_eq!(fault(&[0.0; 3]), None);
    }
}
