//! Computes the dual of `f(x) = a exp(b x)`.
//!
//! ```text
//! K = a^2 exp(b^2 (q + (q1 + q2)/2))
//! D = b^2 K
//! ```
//!
//! On the diagonal `K = a^2 exp(2 b^2 q)`. Domain: variances with `2 b^2 q <= 700`, so that
//! the kernel is a number of f64; in f32 it is infinite from `2 b^2 q = 88`.
//!
//! The mean of a log-normal variable: Daniely, Frostig & Singer 2016, "Toward Deeper
//! Understanding of Neural Networks" (arXiv:1602.05897), there normalised.

use super::euler::{Terms, derived};
use super::{
    Activation, Described, Dual, Named, OptionFault, ParameterSlopes, Side, Slopes, named,
    not_finite, read_options,
};
use crate::pack::Pack;
use ntk_linalg::Real;
use serde::Deserialize;
use serde_json::{Value, json};

/// An `Exp` is the activation `a exp(b x)`; [the module](self) has its formulas.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exp {
    /// The factor of the exponential.
    pub a: f64,
    /// The factor of its argument.
    pub b: f64,
}

impl Default for Exp {
    fn default() -> Self {
        Self { a: 1.0, b: 1.0 }
    }
}

/// Makes the exponential `a exp(b x)`.
#[must_use]
pub fn exp(a: f64, b: f64) -> Activation {
    Activation::Exp(Exp { a, b })
}

/// The largest exponent of the kernel on the diagonal; `exp(709.8)` is infinite.
const LARGEST: f64 = 700.0;

impl Dual for Exp {
    #[inline(always)]
    fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>) {
        let (a, b) = (T::of(self.a), T::of(self.b));
        let ab = T::of(self.a * self.b);
        // For nearly opposite samples each sum is exact.
        let twice = (one.get(0) + q) + (two.get(0) + q);
        let exp = (twice * T::of(0.5) * b * b).exp();
        (exp * a * a, exp * ab * ab)
    }

    /// Computes those of a function with `f'' = b^2 f`.
    #[inline(always)]
    fn slopes<T: Real, S: Side<T>>(&self, one: S, two: impl Side<T>, q: Pack<T>) -> Slopes<T> {
        let b = T::of(self.b);
        Slopes::of_eigenfunction(self.pair(one, two, q), |x| x * b * b)
    }

    /// Computes those by `a` and `b`: with `y = q + (q1 + q2)/2`,
    /// `dK/db = 2 b y K` and `dD/db = 2 b K (1 + b^2 y)`.
    #[inline(always)]
    fn parameter_slopes<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
        into: &mut [ParameterSlopes<T>],
    ) {
        let [by_a, by_b] = into else { return };
        let unit = Self { a: 1.0, ..*self };
        let (kernel, derivative) = unit.pair(one, two, q);
        let (a, b) = (T::of(self.a), T::of(self.b));
        let twice = a + a;
        *by_a = (kernel * twice, derivative * twice);
        let y = ((one.get(0) + q) + (two.get(0) + q)) * T::of(0.5);
        let share = kernel * a * a * (b + b);
        *by_b = (share * y, share * (y * b * b + T::one()));
    }

    fn domain(&self, variance: f64) -> Result<(), String> {
        let exponent = 2.0 * variance * self.b * self.b;
        if exponent <= LARGEST {
            return Ok(());
        }
        Err(format!(
            "the kernel exp(2 b^2 variance) is not a number of f64 at variance {variance:e} with \
             b = {}; the exponent {exponent} must be at most {LARGEST}: reduce b or the w_std \
             before it, or put layer_norm before it",
            self.b
        ))
    }
}

impl Described for Exp {
    fn at(&self, x: f64) -> Option<(f64, f64)> {
        let value = self.a * (self.b * x).exp();
        Some((value, self.b * value))
    }

    fn euler(&self) -> Option<Terms> {
        let (size, square) = (self.a * self.a, self.b * self.b);
        Some(derived(move |q1, q2, q| {
            (((q1 + q2) * 0.5 + q) * square).exp() * size
        }))
    }

    fn name_and_options(&self) -> (&'static str, Value) {
        ("exp", json!({"a": self.a, "b": self.b}))
    }

    fn fault(&self) -> Option<String> {
        not_finite([("a", self.a), ("b", self.b)])
    }

    fn parameters(&self) -> Vec<(String, f64)> {
        named([("a", self.a), ("b", self.b)])
    }

    fn with_parameters(&self, values: &[f64]) -> Option<Activation> {
        let &[a, b] = values else { return None };
        Some(exp(a, b))
    }
}

impl Named for Exp {
    const NAMES: &'static [&'static str] = &["exp"];

    fn read(_: &str, options: Value) -> Result<Activation, OptionFault> {
        read_options(options, Activation::Exp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_ends_where_the_kernel_overflows() {
        let f = Exp { a: 1.0, b: 2.0 };
        assert_eq!(f.domain(87.5), Ok(()));
        assert!(Activation::Exp(f).diagonal(87.5_f64).0.is_finite());
        let reason = f.domain(100.0).unwrap_err();
        assert!(reason.contains("variance 1e2 with b = 2") && reason.contains("layer_norm"));
        assert!(f.domain(f64::INFINITY).is_err());
    }

    #[test]
    fn opposite_rows_do_not_cancel() {
        let q = 300.0 * (1.0 - 1e-13);
        assert_eq!(
            exp(1.0, 1.0).dual(300.0, 300.0, -q).0,
            (300.0_f64 - q).exp()
        );
    }
}
