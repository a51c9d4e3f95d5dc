//! Computes the dual of `f(x) = exp(-x^2) sin(x)`.
//!
//! With `S = q1 + q2`, `d = 4 (q1 q2 - q^2)`, `n = 1 + 2S + d`, `h = 2q/n`,
//! `l = exp(-(S + d + 2q)/(2n))`,
//!
//! ```text
//! K = l (exp(h) - 1) / (2 sqrt(n))
//! D = l [(A - B) + exp(h) (A + B)] / (2 n^(3/2))
//! A = (1 + 2S + 4 (q^2 + q1 q2)) / n,  B = 4q (d + 3S + 2) / n
//! ```
//!
//! On the diagonal `K = (1 - exp(-2q/(1 + 4q))) / (2 sqrt(1 + 4q))`. Domain: all
//! `q1, q2 >= 0`, `|q| <= sqrt(q1 q2)` (larger by rounding counts as parallel). Both
//! exponents lie in [-1/2, 1/2].
//!
//! Gabor 1946, "Theory of Communication", for the function; the kernel is the Gaussian
//! integral of `exp(-u^2 - v^2) (cos(u - v) - cos(u + v))/2`.

use super::euler::{Terms, derived};
use super::shifted::{self, shifted};
use super::{
    Activation, Described, Dual, Named, NoOptions, OptionFault, Side, Slopes, read_options,
};
use crate::pack::Pack;
use ntk_linalg::Real;
use serde_json::Value;

/// `Gabor` is the activation `exp(-x^2) sin(x)`; [the module](self) has its formulas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gabor;

/// Makes the Gabor function `exp(-x^2) sin(x)`.
#[must_use]
pub fn gabor() -> Activation {
    Activation::Gabor(Gabor)
}

/// `n` is `4 ((s + q1) (s + q2) - q^2)` with this `s`.
const SHIFT: f64 = 0.5;

impl Dual for Gabor {
    fn numbers(&self) -> usize {
        shifted::NUMBERS
    }

    fn prepare<T: Real>(&self, variance: T, numbers: &mut [T]) {
        shifted::prepare(T::of(SHIFT), variance, numbers);
    }

    #[inline(always)]
    fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>) {
        let [two_, three, four] = [2.0, 3.0, 4.0].map(T::of);
        // All below are the formulas' quantities times the squared scale e^2 = (e1 e2)^2.
        let of = shifted(one, two, q);
        let ((s1, s2), (v1, v2)) = (of.shifts, of.variances);
        let unit = s1 * s2 * four;
        let sum = (s1 * v2 + s2 * v1) * two_;
        let d = of.determinant * four;
        let n = of.square * four;
        let inverse_root = Pack::one() / n.sqrt();
        let inverse = inverse_root * inverse_root;
        // q e^2 = (q e) e.
        let mixed = of.q * of.scale * two_;
        let h = mixed * inverse;
        let exponent = -(sum + d + mixed) * inverse * T::of(0.5);
        let bump = exponent.exp() * T::of(0.5);
        let lift = h.exp_m1();
        // From here on the quantities are without the scale.
        let over = of.scale * inverse_root;
        let kernel = bump * lift * over;
        let a = (unit + sum * two_ + (of.q.mul_add(of.q, v1 * v2)) * four) * inverse;
        let b = q * four * ((d + sum * three + unit * two_) * inverse);
        let derivative = bump * (a * two_ + lift * (a + b)) * over * over * over;
        (kernel, derivative)
    }

    /// Computes them from `K = (P(q) - P(-q))/2` with `P = exp(-x/2)/sqrt(n)`, where with `y = q/n`
    /// and `w = (1 + 2 q2)/n`
    ///
    /// ```text
    /// x = (S + d - 2q)/n
    /// l = d ln P/dq = 1/n + 8y - 4xy,  dl/dq = (8 + 16y - 4x)/n + 96 y^2 - 64 x y^2
    /// m = d ln P/dq1 = w (x - 2) + 1/(2n),  dl/dq1 = 4y/n - w (2/n + 24y - 16xy)
    /// ```
    ///
    /// and the second derivatives of `P` are `P (l^2 + dl/dq)` and `P (l m + dl/dq1)`.
    #[inline(always)]
    fn slopes<T: Real, S: Side<T>>(&self, one: S, two: impl Side<T>, q: Pack<T>) -> Slopes<T> {
        let (kernel, derivative) = self.pair(one, two, q);
        let of = shifted(one, two, q);
        let ((s1, s2), (v1, v2)) = (of.shifts, of.variances);
        let inverse = Pack::one() / (of.square * T::of(4.0));
        let root = inverse.sqrt();
        let over = (of.scale * root) * (of.scale * root);
        let y = of.q * (of.scale * inverse);
        let both = ((s1 * v2 + s2 * v1) * T::of(2.0) + of.determinant * T::of(4.0)) * inverse;
        let shares = of
            .by_variances(one.get(0), two.get(0))
            .map(|by| by * T::of(0.5));
        let half = T::of(0.5);
        // P and, each over P, its derivatives by q and q, q and q1, q and q2.
        let part = |y: Pack<T>| {
            let x = both - y * T::of(2.0);
            let size = (-x * half).exp() * root * of.scale;
            let by = over + y * T::of(8.0) - x * y * T::of(4.0);
            let twice = (y * T::of(16.0) - x * T::of(4.0) + T::of(8.0)) * over
                + (-x * T::of(64.0) + T::of(96.0)) * y * y;
            let slopes = shares.map(|w| {
                let own = w * (x - Pack::of(2.0)) + over * half;
                let turned = (over + (y * T::of(12.0) - x * y * T::of(8.0))) * T::of(2.0);
                by * own + y * over * T::of(4.0) - w * turned
            });
            (size, [slopes[0], slopes[1], by * by + twice])
        };
        let ((near, above), (far, below)) = (part(y), part(-y));
        let x = both + y * T::of(2.0);
        let kernel_by = shares.map(|w| {
            let own = w * (x - Pack::of(2.0)) + over * half;
            kernel * own - near * y * w * T::of(2.0)
        });
        let mixed = |k: usize| (near * above[k] + far * below[k]) * half;
        Slopes {
            kernel,
            derivative,
            kernel_by: [kernel_by[0], kernel_by[1], derivative],
            derivative_by: [
                mixed(0),
                mixed(1),
                (near * above[2] - far * below[2]) * half,
            ],
        }
    }
}

impl Described for Gabor {
    fn at(&self, x: f64) -> Option<(f64, f64)> {
        let ((sin, cos), bell) = (x.sin_cos(), (-x * x).exp());
        Some((bell * sin, bell * (cos - 2.0 * x * sin)))
    }

    fn euler(&self) -> Option<Terms> {
        Some(derived(|q1, q2, q| {
            let sum = q1 + q2;
            let d = (q1 * q2 - q * q) * 4.0;
            let n = sum * 2.0 + d + 1.0;
            let inverse = n.powf(-1.0);
            let bump = ((sum + d + q * 2.0) * inverse * -0.5).exp() * 0.5;
            bump * (q * 2.0 * inverse).exp_m1() * n.powf(-0.5)
        }))
    }

    fn name_and_options(&self) -> (&'static str, Value) {
        (Self::NAMES[0], Value::Null)
    }
}

impl Named for Gabor {
    const NAMES: &'static [&'static str] = &["gabor"];

    fn read(_: &str, options: Value) -> Result<Activation, OptionFault> {
        read_options(options, |NoOptions {}| gabor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn the_diagonal_is_the_closed_form() {
        for q in [0.0, 1e-300, 1e-9, 0.3, 40.0, 1e300] {
            let root = f64::sqrt(1.0 + 4.0 * q);
            let expected = -f64::exp_m1(-2.0 * q / (1.0 + 4.0 * q)) / (2.0 * root);
            assert_relative_eq!(gabor().diagonal(q).0, expected, max_relative = 1e-14);
        }
        // D falls as E[f'^2]/sqrt(variance): an integral of f'^2 times the density at 0.
        let ratio = gabor().diagonal(1e300).1 / gabor().diagonal(1e12).1;
        assert_relative_eq!(ratio, 1e-144, max_relative = 1e-9);
    }
}
