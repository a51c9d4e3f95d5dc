//! Computes the dual of `f(x) = a exp(b x^2)`.
//!
//! With `s = -1/(2b)` and `R = sqrt((s + q1) (s + q2) - q^2)`,
//!
//! ```text
//! K = a^2 |s| / R
//! D = a^2 |s| q / R^3
//! ```
//!
//! (`R/|s| = sqrt((1 - 2b q1) (1 - 2b q2) - 4 b^2 q^2)`.) On the diagonal
//! `K = a^2 / sqrt(1 - 4b q)`. Domain: for `b <= 0` all `q1, q2 >= 0`, `|q| <= sqrt(q1 q2)`
//! (larger by rounding counts as parallel), and `b` such that f64 holds `s`; for `b > 0` variances
//! with `4b q < 1`.
//!
//! Williams 1996, "Computing with Infinite Networks"; here the integral over
//! the pre-activations rather than over weights and centres.

use super::euler::{Terms, derived};
use super::shifted::{self, shifted};
use super::{
    Activation, Described, Dual, Named, OptionFault, ParameterSlopes, Side, Slopes, named,
    not_finite, read_options, shift_in_f64,
};
use crate::pack::Pack;
use ntk_linalg::Real;
use serde::Deserialize;
use serde_json::{Value, json};

/// A `Gaussian` is the activation `a exp(b x^2)`; [the module](self) has its formulas.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gaussian {
    /// The factor of the exponential.
    pub a: f64,
    /// The factor of the square, usually negative.
    pub b: f64,
}

impl Default for Gaussian {
    fn default() -> Self {
        Self { a: 1.0, b: -1.0 }
    }
}

/// Makes the Gaussian function `a exp(b x^2)`.
#[must_use]
pub fn gaussian(a: f64, b: f64) -> Activation {
    Activation::Gaussian(Gaussian { a, b })
}

impl Dual for Gaussian {
    fn numbers(&self) -> usize {
        shifted::NUMBERS
    }

    fn prepare<T: Real>(&self, variance: T, numbers: &mut [T]) {
        // For b = 0 the shift is infinite, and the largest finite number gives the same kernel.
        shifted::prepare(shifted::shift(-0.5 / self.b), variance, numbers);
    }

    #[inline(always)]
    fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>) {
        let shift = shifted::shift::<T>(-0.5 / self.b).abs();
        let of = shifted(one, two, q);
        let inverse = Pack::one() / of.square.sqrt();
        let kernel = (one.get(0) * shift) * two.get(0) * inverse * T::of(self.a) * T::of(self.a);
        // In this order every product is of the order of the result or of 1.
        (kernel, kernel * (of.q * inverse) * (of.scale * inverse))
    }

    /// Computes
    ///
    /// ```text
    /// dK/dq1 = -K (s + q2) / (2 R^2),  dK/dq = D
    /// dD/dq1 = -3 D (s + q2) / (2 R^2),  dD/dq = K (1 + 3 q^2/R^2) / R^2
    /// ```
    #[inline(always)]
    fn slopes<T: Real, S: Side<T>>(&self, one: S, two: impl Side<T>, q: Pack<T>) -> Slopes<T> {
        let (kernel, derivative) = self.pair(one, two, q);
        let of = shifted(one, two, q);
        let inverse = Pack::one() / of.square.sqrt();
        let (slope, over) = (of.q * inverse, of.scale * inverse);
        let by = of
            .by_variances(one.get(0), two.get(0))
            .map(|by| by * T::of(-0.5));
        let bend = slope * slope * T::of(3.0) + T::one();
        Slopes {
            kernel,
            derivative,
            kernel_by: [kernel * by[0], kernel * by[1], derivative],
            derivative_by: [
                derivative * by[0] * T::of(3.0),
                derivative * by[1] * T::of(3.0),
                kernel * over * over * bend,
            ],
        }
    }

    /// Computes those by `a` and `b`: with `p = s (s q1 + s q2 + 2 (q1 q2 - q^2)) / R^2`,
    /// `dK/db = p K` and `dD/db = (3p - 4s) D`.
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
        let a = T::of(self.a);
        let twice = a + a;
        *by_a = (kernel * twice, derivative * twice);
        let shift = shifted::shift::<T>(-0.5 / self.b);
        let of = shifted(one, two, q);
        let ((s1, s2), (v1, v2)) = (of.shifts, of.variances);
        let sum = s2 * v1 + s1 * v2 + of.determinant * T::of(2.0);
        let share = sum / of.square * shift;
        *by_b = (
            kernel * a * a * share,
            derivative * a * a * (share * T::of(3.0) - Pack::splat(shift * T::of(4.0))),
        );
    }

    fn domain(&self, variance: f64) -> Result<(), String> {
        let share = 4.0 * self.b * variance;
        if share < 1.0 {
            let shift = -0.5 / self.b;
            // An infinite one gives the kernel of b = 0, to the last digit.
            return match shift.is_infinite() {
                true => Ok(()),
                false => shift_in_f64(self.b, shift),
            };
        }
        Err(format!(
            "exp(b x^2) has a kernel where 4 b variance < 1, found variance {variance} with \
             b = {}; reduce b or the w_std before it, or put layer_norm before it",
            self.b
        ))
    }
}

impl Described for Gaussian {
    fn at(&self, x: f64) -> Option<(f64, f64)> {
        let value = self.a * (self.b * x * x).exp();
        Some((value, 2.0 * self.b * x * value))
    }

    /// Returns the terms of `K = a^2/sqrt((1 - 2b q1) (1 - 2b q2) - 4 b^2 q^2)`, which holds for
    /// b = 0 too.
    fn euler(&self) -> Option<Terms> {
        let (size, twice) = (self.a * self.a, -2.0 * self.b);
        Some(derived(move |q1, q2, q| {
            let [q1, q2, q] = [q1, q2, q].map(|q| q * twice);
            ((q1 + 1.0) * (q2 + 1.0) - q * q).powf(-0.5) * size
        }))
    }

    fn name_and_options(&self) -> (&'static str, Value) {
        ("gaussian", json!({"a": self.a, "b": self.b}))
    }

    fn fault(&self) -> Option<String> {
        not_finite([("a", self.a), ("b", self.b)])
    }

    fn parameters(&self) -> Vec<(String, f64)> {
        named([("a", self.a), ("b", self.b)])
    }

    fn with_parameters(&self, values: &[f64]) -> Option<Activation> {
        let &[a, b] = values else { return None };
        Some(gaussian(a, b))
    }
}

impl Named for Gaussian {
    const NAMES: &'static [&'static str] = &["gaussian"];

    fn read(_: &str, options: Value) -> Result<Activation, OptionFault> {
        read_options(options, Activation::Gaussian)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn the_diagonal_is_the_closed_form() {
        for (b, q) in [
            (-1.0, 0.0),
            (-1.0, 3.0),
            (-2.0, 1e300),
            (0.1, 2.4),
            (0.0, 5.0),
        ] {
            let expected = 9.0 / f64::sqrt(1.0 - 4.0 * b * q);
            assert_relative_eq!(
                gaussian(3.0, b).diagonal(q).0,
                expected,
                max_relative = 1e-14
            );
        }
        // D of huge parallel rows: q/R^3 with R^2 = 2 s q.
        let (_, d) = gaussian(1.0, -0.5).diagonal(1e300);
        assert_relative_eq!(d, 2.0_f64.powf(-1.5) / 1e150, max_relative = 1e-14);
    }

    #[test]
    fn the_domain_is_where_the_diagonal_is() {
        let f = Gaussian { a: 1.0, b: 0.25 };
        assert_eq!(f.domain(0.99), Ok(()));
        let reason = f.domain(1.0).unwrap_err();
        assert!(reason.contains("variance 1 with b = 0.25"), "{reason}");
        assert_eq!(Gaussian::default().domain(1e300), Ok(()));
    }
}
