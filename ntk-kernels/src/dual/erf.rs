//! Computes the dual of `f(x) = a erf(b x) + c`.
//!
//! With `s = 1/(2 b^2)` and `R = sqrt((s + q1) (s + q2) - q^2)`,
//!
//! ```text
//! K = a^2 (2/pi) atan2(q, R) + c^2
//! D = a^2 (2/pi) / R
//! ```
//!
//! Domain: all `q1, q2 >= 0`, `|q| <= sqrt(q1 q2)` (larger by rounding counts as parallel), and `b`
//! zero or such that f64 holds `s`.
//! For huge variances the kernel becomes that of `a sign(x) + c`. `sigmoid_like` is
//! `1/2 erf(x / 2.4020563531719796) + 1/2`, close to the logistic sigmoid.
//!
//! Williams 1996, "Computing with Infinite Networks", there with an arc sine:
//! `sin(atan2(q, R)) = q/sqrt((s + q1) (s + q2))`.

use super::euler::{Terms, derived};
use super::shifted::{self, shifted};
use super::{
    Activation, Described, Dual, Named, NoOptions, OptionFault, ParameterSlopes, Side, Slopes,
    named, not_finite, read_options, shift_in_f64,
};
use crate::pack::Pack;
use ntk_linalg::Real;
use serde::Deserialize;
use serde_json::{Value, json};
use std::f64::consts::{FRAC_2_PI, FRAC_2_SQRT_PI};

/// An `Erf` is the activation `a erf(b x) + c`; [the module](self) has its formulas.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Erf {
    /// The factor of the error function.
    pub a: f64,
    /// The factor of its argument.
    pub b: f64,
    /// The number added.
    pub c: f64,
}

impl Default for Erf {
    fn default() -> Self {
        Self {
            a: 1.0,
            b: 1.0,
            c: 0.0,
        }
    }
}

/// `1/2 erf(x / 2.4020563531719796) + 1/2`.
const SIGMOID_LIKE: Erf = Erf {
    a: 0.5,
    b: 1.0 / 2.402_056_353_171_979_6,
    c: 0.5,
};

/// Makes the error function `a erf(b x) + c`.
#[must_use]
pub fn erf(a: f64, b: f64, c: f64) -> Activation {
    Activation::Erf(Erf { a, b, c })
}

/// Makes `1/2 erf(x / 2.4020563531719796) + 1/2`, which is close to the logistic sigmoid.
#[must_use]
pub fn sigmoid_like() -> Activation {
    Activation::Erf(SIGMOID_LIKE)
}

impl Dual for Erf {
    fn numbers(&self) -> usize {
        shifted::NUMBERS
    }

    fn prepare<T: Real>(&self, variance: T, numbers: &mut [T]) {
        // For b = 0 the shift is infinite, and the largest finite number gives the same kernel.
        shifted::prepare(shifted::shift(self.shift()), variance, numbers);
    }

    #[inline(always)]
    fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>) {
        let factor = Pack::of(self.a * self.a * FRAC_2_PI);
        let of = shifted(one, two, q);
        let root = of.square.sqrt();
        let angle = Pack::slope_angle(of.q, root);
        let kernel = angle.mul_add(factor, Pack::of(self.c * self.c));
        (kernel, of.scale / root * factor)
    }

    /// Computes
    ///
    /// ```text
    /// dK/dq1 = -D q / (2 (s + q1)),  dK/dq = D
    /// dD/dq1 = -D (s + q2) / (2 R^2),  dD/dq = D q / R^2
    /// ```
    #[inline(always)]
    fn slopes<T: Real, S: Side<T>>(&self, one: S, two: impl Side<T>, q: Pack<T>) -> Slopes<T> {
        let (kernel, derivative) = self.pair(one, two, q);
        let of = shifted(one, two, q);
        let root = of.square.sqrt();
        let slope = of.q / root;
        let half = Pack::of(-0.5);
        let share = slope * Pack::of(self.a * self.a * FRAC_2_PI) * half;
        let (e1, e2) = (one.get(0), two.get(0));
        let (sum1, sum2) = of.sums();
        let [by1, by2] = of.by_variances(e1, e2).map(|by| derivative * by * half);
        Slopes {
            kernel,
            derivative,
            kernel_by: [share / sum1 * e1 * e1, share / sum2 * e2 * e2, derivative],
            derivative_by: [by1, by2, derivative * slope * (of.scale / root)],
        }
    }

    /// Computes those by `a`, `b` and `c`; with `s = 1/(2 b^2)` those by `b` are
    ///
    /// ```text
    /// dK/db = D q / b (s/(s + q1) + s/(s + q2))
    /// dD/db = D / b (s (s + q1) + s (s + q2)) / R^2
    /// ```
    ///
    /// and 0 for `b = 0`, where `K - c^2` and `D` are quadratic.
    #[inline(always)]
    fn parameter_slopes<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
        into: &mut [ParameterSlopes<T>],
    ) {
        let [by_a, by_b, by_c] = into else { return };
        let unit = Self {
            a: 1.0,
            c: 0.0,
            ..*self
        };
        let (kernel, derivative) = unit.pair(one, two, q);
        let twice = Pack::of(2.0 * self.a);
        *by_a = (kernel * twice, derivative * twice);
        let of = shifted(one, two, q);
        let ((s1, s2), (sum1, sum2)) = (of.shifts, of.sums());
        let inverse = if self.b == 0.0 { 0.0 } else { self.b.recip() };
        let factor = Pack::of(self.a * self.a * FRAC_2_PI * inverse);
        let root = of.square.sqrt();
        let shares = s1 / sum1 + s2 / sum2;
        let square = (s1 * sum2 + s2 * sum1) / of.square;
        *by_b = (
            of.q / root * shares * factor,
            of.scale / root * square * factor,
        );
        *by_c = (Pack::of(2.0 * self.c), Pack::zero());
    }

    fn domain(&self, _: f64) -> Result<(), String> {
        match self.b == 0.0 {
            true => Ok(()),
            false => shift_in_f64(self.b, self.shift()),
        }
    }
}

impl Erf {
    fn shift(&self) -> f64 {
        0.5 / self.b / self.b
    }
}

impl Described for Erf {
    fn at(&self, x: f64) -> Option<(f64, f64)> {
        let u = self.b * x;
        let slope = self.a * self.b * FRAC_2_SQRT_PI * (-u * u).exp();
        Some((self.a.mul_add(libm::erf(u), self.c), slope))
    }

    /// Returns the terms of `K = a^2 (2/pi) atan(t/sqrt((1 + t1) (1 + t2) - t^2)) + c^2`, with
    /// `t = 2 b^2 q`, which holds for b = 0 too.
    fn euler(&self) -> Option<Terms> {
        let (share, twice) = (self.a * self.a * FRAC_2_PI, 2.0 * self.b * self.b);
        Some(derived(move |q1, q2, q| {
            let [q1, q2, q] = [q1, q2, q].map(|q| q * twice);
            let square = (q1 + 1.0) * (q2 + 1.0) - q * q;
            (q * square.powf(-0.5)).atan() * share
        }))
    }

    fn name_and_options(&self) -> (&'static str, Value) {
        if *self == SIGMOID_LIKE {
            return ("sigmoid_like", Value::Null);
        }
        ("erf", json!({"a": self.a, "b": self.b, "c": self.c}))
    }

    fn fault(&self) -> Option<String> {
        not_finite([("a", self.a), ("b", self.b), ("c", self.c)])
    }

    fn parameters(&self) -> Vec<(String, f64)> {
        named([("a", self.a), ("b", self.b), ("c", self.c)])
    }

    fn with_parameters(&self, values: &[f64]) -> Option<Activation> {
        let &[a, b, c] = values else { return None };
        Some(erf(a, b, c))
    }
}

impl Named for Erf {
    const NAMES: &'static [&'static str] = &["erf", "sigmoid_like"];

    fn read(name: &str, options: Value) -> Result<Activation, OptionFault> {
        match name {
            "erf" => read_options(options, Activation::Erf),
            _ => read_options(options, |NoOptions {}| sigmoid_like()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn huge_variances_give_the_sign() {
        for rho in [-1.0, -0.3, 0.0, 0.7, 1.0] {
            let (k, _) = erf(1.0, 1.0, 0.0).dual(1e300, 1e300, rho * 1e300);
            assert_relative_eq!(k, f64::asin(rho) * FRAC_2_PI, epsilon = 1e-15);
        }
        // By rounding beyond parallel.
        let beyond = 1e300 * (1.0 + f64::EPSILON);
        let (k, d) = erf(1.0, 1.0, 0.0).dual(1e300, 1e300, beyond);
        assert_relative_eq!(k, 1.0, epsilon = 1e-15);
        assert_relative_eq!(d, FRAC_2_PI / 1e150, max_relative = 1e-14);
    }

    #[test]
    fn small_variances_keep_their_digits() {
        // erf is linear with slope 2/sqrt(pi) there.
        let (k, d) = erf(1.0, 1.0, 0.0).dual(1e-300, 1e-300, 4e-301);
        assert_relative_eq!(k, 2.0 * FRAC_2_PI * 4e-301, max_relative = 1e-15);
        assert_relative_eq!(d, 2.0 * FRAC_2_PI, max_relative = 1e-15);
    }

    #[test]
    fn scales_at_the_ends() {
        assert_eq!(erf(2.0, 0.0, 3.0).dual(1.0, 1.0, 0.5).0, 9.0);
        let (k, _) = erf(1.0, 1e200, 0.0).dual(1.0, 1.0, 0.5);
        assert_relative_eq!(k, f64::asin(0.5) * FRAC_2_PI, max_relative = 1e-15);
        let (k, _) = erf(1.0, 1e200, 0.0).dual(0.0, 1.0, 0.0);
        assert_eq!(k, 0.0);
        let (k, _) = erf(1.0, 1e30, 0.0).dual(0.0_f32, 0.0, 0.0);
        assert_eq!(k, 0.0);
    }
}
