//! Computes the duals of `f(x) = a sin(b x + c)` and `a cos(b x + c)`.
//!
//! With `s1 = exp(b^2 (q - (q1 + q2)/2))` and `s2 = exp(-b^2 (q + (q1 + q2)/2))`, for the sine
//!
//! ```text
//! K = a^2/2 (s1 - s2 cos 2c)
//! D = a^2 b^2/2 (s1 + s2 cos 2c)
//! ```
//!
//! and for the cosine the same with `c + pi/2`: the sign of `cos 2c` changes. Domain: all
//! `q1, q2 >= 0`, `|q| <= sqrt(q1 q2)`. On the diagonal `K = a^2/2 (1 - exp(-2 b^2 q) cos 2c)`.
//!
//! The larger of `s1` and `s2` is factored out, so that neither overflow nor the difference
//! of two nearly equal exponentials occurs: with `m = 1 - exp(-2 b^2 |q|)`, for `q >= 0`
//! `s1 - s2 cos 2c = s1 (2 sin^2 c + m cos 2c)`, and so on.
//!
//! Rahimi & Recht 2007, "Random Features for Large-Scale Kernel Machines"; the formulas
//! follow from the characteristic function of a normal variable.

use super::euler::{Terms, derived};
use super::{
    Activation, Described, Dual, Named, OptionFault, ParameterSlopes, Side, Slopes, named,
    not_finite, read_options,
};
use crate::pack::Pack;
use ntk_linalg::Real;
use serde::Deserialize;
use serde_json::{Value, json};

/// A `Wave` is one of the two functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wave {
    /// The sine.
    Sin,
    /// The cosine.
    Cos,
}

/// A `Trigonometric` is the activation `a sin(b x + c)` or `a cos(b x + c)`; [the module](self) has
/// its formulas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trigonometric {
    /// The function: sine or cosine.
    pub wave: Wave,
    /// The amplitude.
    pub a: f64,
    /// The angular frequency.
    pub b: f64,
    /// The phase.
    pub c: f64,
}

/// Makes the sine `a sin(b x + c)`.
#[must_use]
pub fn sin(a: f64, b: f64, c: f64) -> Activation {
    let wave = Wave::Sin;
    Activation::Trigonometric(Trigonometric { wave, a, b, c })
}

/// Makes the cosine `a cos(b x + c)`.
#[must_use]
pub fn cos(a: f64, b: f64, c: f64) -> Activation {
    let wave = Wave::Cos;
    Activation::Trigonometric(Trigonometric { wave, a, b, c })
}

impl Dual for Trigonometric {
    #[inline(always)]
    fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>) {
        let (sin, cos) = self.c.sin_cos();
        // These are sin^2 and cos^2 of the sine's phase, and then the cosine of its double.
        let (sin2, cos2) = match self.wave {
            Wave::Sin => (sin * sin, cos * cos),
            Wave::Cos => (cos * cos, sin * sin),
        };
        let double = Pack::of(cos2 - sin2);
        let (sin2, cos2) = (Pack::of(2.0 * sin2), Pack::of(2.0 * cos2));
        let b = T::of(self.b);
        let half = T::of(0.5);
        let size = q.abs();
        // For nearly equal samples each difference is exact.
        let apart = ((one.get(0) - size) + (two.get(0) - size)).max(Pack::zero());
        let larger = (-(apart * half) * b * b).exp() * half;
        let m = -((-(size + size) * b * b).exp_m1());
        let zero = Pack::zero();
        let kernel = q.if_below(zero, sin2 - m, m.mul_add(double, sin2));
        let derivative = q.if_below(zero, cos2 - m, cos2 - m * double);
        let a = T::of(self.a);
        (
            larger * kernel * a * a,
            larger * derivative * (T::of(self.a * self.b)) * T::of(self.a * self.b),
        )
    }

    /// Computes those of a function with `f'' = -b^2 f`.
    #[inline(always)]
    fn slopes<T: Real, S: Side<T>>(&self, one: S, two: impl Side<T>, q: Pack<T>) -> Slopes<T> {
        let b = T::of(self.b);
        Slopes::of_eigenfunction(self.pair(one, two, q), |x| -(x * b * b))
    }

    /// Computes those by `a`, `b` and `c`; with `x = q - (q1 + q2)/2` and `y = -q - (q1 + q2)/2` those
    /// by `b` are, for the sine,
    ///
    /// ```text
    /// dK/db = a^2 b (x s1 - y s2 cos 2c)
    /// dD/db = a^2 b ((1 + b^2 x) s1 + (1 + b^2 y) s2 cos 2c)
    /// ```
    #[inline(always)]
    fn parameter_slopes<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
        into: &mut [ParameterSlopes<T>],
    ) {
        let [by_a, by_b, by_c] = into else { return };
        let unit = Self { a: 1.0, ..*self };
        let (kernel, derivative) = unit.pair(one, two, q);
        let twice = Pack::of(2.0 * self.a);
        *by_a = (kernel * twice, derivative * twice);
        let (sin, cos) = (2.0 * self.c).sin_cos();
        let (sin, cos) = match self.wave {
            Wave::Sin => (sin, cos),
            Wave::Cos => (-sin, -cos),
        };
        let (b, half) = (T::of(self.b), T::of(0.5));
        let (v1, v2) = (one.get(0), two.get(0));
        // For nearly equal samples, and nearly opposite ones, the differences are exact; above 0 they
        // are by rounding only.
        let [x, y] = [q, -q].map(|q| (((q - v1) + (q - v2)) * half).min(Pack::zero()));
        let [s1, s2] = [x, y].map(|x| exponent(x * b * b));
        let (near, far) = (s1.1, s2.1 * T::of(cos));
        let size = |x: Pack<T>| x * T::of(self.a) * T::of(self.a);
        *by_b = (
            size((x * near - y * far) * b),
            size(((s1.0 + T::one()) * near + (s2.0 + T::one()) * far) * b),
        );
        let turned = size(s2.1 * T::of(sin));
        *by_c = (turned, -(turned * b * b));
    }
}

/// Returns `x` and its exponential; `x` is limited to where that is no longer 0.
#[inline(always)]
fn exponent<T: Real>(x: Pack<T>) -> (Pack<T>, Pack<T>) {
    let x = x.max(Pack::of(-1e3));
    (x, x.exp())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    a: f64,
    b: f64,
    c: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            a: 1.0,
            b: 1.0,
            c: 0.0,
        }
    }
}

impl Described for Trigonometric {
    fn at(&self, x: f64) -> Option<(f64, f64)> {
        let (sin, cos) = self.b.mul_add(x, self.c).sin_cos();
        let (value, slope) = match self.wave {
            Wave::Sin => (sin, cos),
            Wave::Cos => (cos, -sin),
        };
        Some((self.a * value, self.a * self.b * slope))
    }

    fn euler(&self) -> Option<Terms> {
        let double = (2.0 * self.c).cos();
        let double = match self.wave {
            Wave::Sin => double,
            Wave::Cos => -double,
        };
        let (half, square) = (self.a * self.a / 2.0, self.b * self.b);
        Some(derived(move |q1, q2, q| {
            let mean = (q1 + q2) * 0.5;
            let [near, far] = [q, q * -1.0].map(|q| ((q - mean) * square).exp());
            (near - far * double) * half
        }))
    }

    fn name_and_options(&self) -> (&'static str, Value) {
        let name = match self.wave {
            Wave::Sin => "sin",
            Wave::Cos => "cos",
        };
        (name, json!({"a": self.a, "b": self.b, "c": self.c}))
    }

    fn fault(&self) -> Option<String> {
        not_finite([("a", self.a), ("b", self.b), ("c", self.c)])
    }

    fn parameters(&self) -> Vec<(String, f64)> {
        named([("a", self.a), ("b", self.b), ("c", self.c)])
    }

    fn with_parameters(&self, values: &[f64]) -> Option<Activation> {
        let &[a, b, c] = values else { return None };
        let wave = self.wave;
        Some(Activation::Trigonometric(Self { wave, a, b, c }))
    }
}

impl Named for Trigonometric {
    const NAMES: &'static [&'static str] = &["sin", "cos"];

    fn read(name: &str, options: Value) -> Result<Activation, OptionFault> {
        let build = if name == "sin" { sin } else { cos };
        read_options(options, |o: Options| build(o.a, o.b, o.c))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn nothing_overflows_or_cancels() {
        let f = sin(1.0, 1.0, 0.0);
        assert_eq!(f.dual(1e300, 1e300, 1e300), (0.5, 0.5));
        assert_eq!(f.dual(1e300, 1e300, -1e300), (-0.5, 0.5));
        assert_eq!(f.dual(1e300, 1e300, 0.0), (0.0, 0.0));
        // K of the sine is q for small variances, D of the cosine is, too.
        assert_relative_eq!(
            f.dual(1e-200, 1e-200, 3e-201).0,
            3e-201,
            max_relative = 1e-15
        );
        let (_, d) = cos(1.0, 1.0, 0.0).dual(1e-200, 1e-200, -3e-201);
        assert_relative_eq!(d, -3e-201, max_relative = 1e-15);
        // Nearly equal rows: 1 - K/K(0) is their distance.
        let near = 1000.0 * (1.0 - 1e-12);
        let (k, _) = f.dual(1000.0, 1000.0, near);
        assert_relative_eq!(k, 0.5 * (near - 1000.0_f64).exp(), max_relative = 1e-15);
    }
}
