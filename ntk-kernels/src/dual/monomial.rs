//! Computes the dual of `f(x) = x^n`.
//!
//! `K` is a polynomial in `q` and `q1 q2`, `1; q; 2q^2 + q1 q2; 6q^3 + 9q q1 q2; ...`: over the
//! numbers `k` of pairs that couple one factor of each sample,
//!
//! ```text
//! K = sum_k [n! / (i! 2^i)]^2 / k! * q^k (q1 q2)^i,  i = (n - k)/2,  k = n, n - 2, ...
//! D = n^2 K of degree n - 1
//! ```
//!
//! On the diagonal `K = (2n-1)!! q^n`. Domain: variances where that is a number of f64.
//!
//! Isserlis 1918, "On a Formula for the Product-Moment Coefficient", Biometrika 12
//! (doi:10.1093/biomet/12.1-2.134).

use super::euler::Terms;
use super::{
    Activation, Degree, Described, Dual, MAX_DEGREE, Named, OptionFault, Side, Slopes,
    double_factorial, read_options, representable, too_high,
};
use crate::pack::Pack;
use ntk_linalg::Real;
use serde_json::{Value, json};

/// A `Monomial` is the activation `x^n`; [the module](self) has its formulas.
#[derive(Debug, Clone, PartialEq)]
pub struct Monomial {
    degree: u32,
    /// The coefficients of `K`, of the lowest power of `q` first.
    kernel: Vec<f64>,
    /// The coefficients of `D`.
    derivative: Vec<f64>,
    /// The coefficients of `dD/dq`.
    curve: Vec<f64>,
}

/// Makes the power `x^degree`.
#[must_use]
pub fn monomial(degree: u32) -> Activation {
    let n = f64::from(degree);
    let small = degree.min(MAX_DEGREE);
    let lower = |by: u32, factor: f64| {
        let mut lower = small.checked_sub(by).map(coefficients).unwrap_or_default();
        lower.iter_mut().for_each(|c| *c *= factor * factor);
        lower
    };
    Activation::Monomial(Monomial {
        degree,
        kernel: coefficients(small),
        derivative: lower(1, n),
        curve: lower(2, n * (n - 1.0)),
    })
}

/// Computes the coefficients of `q^k (q1 q2)^((n - k)/2)`, lowest `k` first.
pub(super) fn coefficients(n: u32) -> Vec<f64> {
    // For k = n it is n!. From k to k - 2 the square of n! / (i! 2^i) is multiplied by 1/(2 (i +
    // 1))^2, and k! by 1/(k (k - 1)).
    let mut term = (1..=n).map(f64::from).product::<f64>();
    let mut terms = vec![term];
    let (mut k, mut i) = (f64::from(n), 0.0);
    while k >= 2.0 {
        i += 1.0;
        term = term * (k * (k - 1.0)) / (4.0 * i * i);
        k -= 2.0;
        terms.push(term);
    }
    terms.reverse();
    terms
}

/// Computes `sum_j c[j] a^j b^(m - j)`, `m` the last index.
#[inline(always)]
fn homogeneous<T: Real>(coefficients: &[f64], a: Pack<T>, b: Pack<T>) -> Pack<T> {
    let mut terms = coefficients.iter().rev();
    let mut sum = Pack::of(terms.next().copied().unwrap_or(0.0));
    let mut power = Pack::one();
    for &c in terms {
        power = power * b;
        sum = sum.mul_add(a, power * T::of(c));
    }
    sum
}

/// Computes the derivative of [`homogeneous`] by `b`.
#[inline(always)]
fn by_second<T: Real>(coefficients: &[f64], a: Pack<T>, b: Pack<T>) -> Pack<T> {
    let Some(last) = coefficients.len().checked_sub(1) else {
        return Pack::zero();
    };
    let (mut sum, mut power) = (Pack::zero(), Pack::one());
    for (j, &c) in coefficients[..last].iter().enumerate().rev() {
        sum = sum.mul_add(a, power * T::of(c * (last - j) as f64));
        power = power * b;
    }
    sum
}

impl Dual for Monomial {
    #[inline(always)]
    fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>) {
        let both = one.get(0) * two.get(0);
        let square = q * q;
        let kernel = homogeneous(&self.kernel, square, both);
        let derivative = homogeneous(&self.derivative, square, both);
        if self.degree % 2 == 1 {
            (kernel * q, derivative)
        } else {
            (kernel, derivative * q)
        }
    }

    /// Computes `dK/dq1` and `dD/dq1` term by term, and `dD/dq = n^2 (n - 1)^2 K` of degree `n - 2`.
    #[inline(always)]
    fn slopes<T: Real, S: Side<T>>(&self, one: S, two: impl Side<T>, q: Pack<T>) -> Slopes<T> {
        let (kernel, derivative) = self.pair(one, two, q);
        let (v1, v2) = (one.get(0), two.get(0));
        let (both, square) = (v1 * v2, q * q);
        let mut by_kernel = by_second(&self.kernel, square, both);
        let mut by_derivative = by_second(&self.derivative, square, both);
        let mut curve = homogeneous(&self.curve, square, both);
        if self.degree % 2 == 1 {
            (by_kernel, curve) = (by_kernel * q, curve * q);
        } else {
            by_derivative = by_derivative * q;
        }
        Slopes {
            kernel,
            derivative,
            kernel_by: [by_kernel * v2, by_kernel * v1, derivative],
            derivative_by: [by_derivative * v2, by_derivative * v1, curve],
        }
    }

    fn domain(&self, variance: f64) -> Result<(), String> {
        let factor = double_factorial(self.degree);
        representable(variance, factor * variance.powi(self.degree.cast_signed()))
    }
}

impl Monomial {
    /// Returns the degree n.
    #[must_use]
    pub fn degree(&self) -> u32 {
        self.degree
    }
}

impl Described for Monomial {
    fn at(&self, x: f64) -> Option<(f64, f64)> {
        Some(super::power(x, self.degree))
    }

    fn euler(&self) -> Option<Terms> {
        let n = f64::from(self.degree);
        Some(vec![(n * n, Activation::Monomial(self.clone()))])
    }

    fn name_and_options(&self) -> (&'static str, Value) {
        ("monomial", json!({"degree": self.degree}))
    }

    fn fault(&self) -> Option<String> {
        too_high(self.degree as usize)
    }
}

impl Named for Monomial {
    const NAMES: &'static [&'static str] = &["monomial"];

    fn read(_: &str, options: Value) -> Result<Activation, OptionFault> {
        read_options(options, |Degree { degree }| monomial(degree))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_are_those_of_isserlis() {
        assert_eq!(coefficients(0), [1.0]);
        assert_eq!(coefficients(1), [1.0]);
        assert_eq!(coefficients(2), [1.0, 2.0]);
        assert_eq!(coefficients(3), [9.0, 6.0]);
        assert_eq!(coefficients(4), [9.0, 72.0, 24.0]);
        for n in 0..20 {
            let sum: f64 = coefficients(n).iter().sum();
            assert!((sum / double_factorial(n) - 1.0).abs() < 1e-14);
        }
    }

    #[test]
    fn edges() {
        assert_eq!(monomial(0).dual(0.0, 2.0, 0.0), (1.0, 0.0));
        assert_eq!(monomial(1).dual(1e300, 1e300, -1e300), (-1e300, 1.0));
        assert_eq!(monomial(3).dual(2.0, 2.0, -2.0), (-120.0, 9.0 * 12.0));
        assert_eq!(monomial(2).dual(0.0, 2.0, 0.0), (0.0, 0.0));
        let Activation::Monomial(f) = monomial(3) else {
            panic!()
        };
        assert!(f.domain(1e100).is_ok());
        assert!(f.domain(1e103).unwrap_err().contains("variance 1"));
    }
}
