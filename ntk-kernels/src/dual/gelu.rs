//! Computes the dual of `f(x) = x P(x)`, with `P` the distribution function of the standard normal
//! (no approximation by tanh).
//!
//! With `d = sqrt((1 + q1) (1 + q2) - q^2)` and `phi = atan2(q, d)`,
//!
//! ```text
//! K = q (1/4 + [q/(d (1 + q1) (1 + q2)) + phi] / (2 pi)) + q1 q2 d/((1 + q1) (1 + q2)) / (2 pi)
//! D = 1/4 + [phi + q/d (1/d^2 + 1/(1 + q1) + 1/(1 + q2))] / (2 pi)
//! ```
//!
//! On the diagonal `K = q (1/4 + [q/((1 + q) r) + atan2(q, r)/2] / pi)`, `r = sqrt(1 + 2q)`.
//! Domain: all `q1, q2 >= 0`, `|q| <= sqrt(q1 q2)` (larger by rounding counts as parallel).
//! For huge variances the kernel becomes that of relu.
//!
//! Tsuchida, Pearce, van der Heide, Roosta & Gallagher 2021, "Avoiding Kernel Fixed Points:
//! Computing with ELU and GELU Infinite Networks" (arXiv:2002.08517).

use super::euler::{Terms, derived};
use super::shifted::{self, shifted};
use super::{
    Activation, Described, Dual, Named, NoOptions, OptionFault, Side, Slopes, read_options,
};
use crate::pack::Pack;
use ntk_linalg::Real;
use serde_json::Value;
use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// `Gelu` is the activation `x P(x)`; [the module](self) has its formulas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gelu;

/// Makes the Gaussian error linear unit (GELU), `x P(x)` with `P` the distribution function of the
/// standard normal.
#[must_use]
pub fn gelu() -> Activation {
    Activation::Gelu(Gelu)
}

/// Where [`Gelu::prepare`] puts `1/(1 + q)`, after the shifted root's.
const INVERSE: usize = shifted::NUMBERS;
/// Where it puts `q/(1 + q) / e`, `e` the shifted root's scale: of the order of `sqrt(q)`.
const SHARE: usize = shifted::NUMBERS + 1;

impl Dual for Gelu {
    fn numbers(&self) -> usize {
        shifted::NUMBERS + 2
    }

    fn prepare<T: Real>(&self, variance: T, numbers: &mut [T]) {
        shifted::prepare(T::one(), variance, numbers);
        let scale = numbers[0];
        // e^2 (1 + q) cannot overflow.
        let inverse = (numbers[1] + numbers[2]).recip();
        numbers[INVERSE] = (inverse * scale) * scale;
        numbers[SHARE] = numbers[2] * inverse / scale;
    }

    #[inline(always)]
    fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>) {
        let turn = Pack::of(1.0 / TAU);
        let quarter = Pack::of(0.25);
        let of = shifted(one, two, q);
        let root = of.square.sqrt();
        let inverse = root_inverse(root);
        let phi = Pack::slope_angle(of.q, root);
        let slope = of.q * inverse;
        let (i1, i2) = (one.get(INVERSE), two.get(INVERSE));
        let linear = (slope * i1).mul_add(i2, phi).mul_add(turn, quarter);
        let rest = one.get(SHARE) * two.get(SHARE) * (root * turn);
        let over = of.scale * inverse;
        let bend = over.mul_add(over, i1 + i2);
        let derivative = slope.mul_add(bend, phi).mul_add(turn, quarter);
        (q.mul_add(linear, rest), derivative)
    }

    /// Computes, with `A = 1 + q1`, `B = 1 + q2`, `e = q1 q2 - q^2` and `g = 1/d^2 + 1/A + 1/B`,
    ///
    /// ```text
    /// dK/dq1 = [(q2 + e)/A^2 + e/(2A) - q^2/(2A d^2)] / (2 pi d),  dK/dq = D
    /// dD/dq1 = -q [1/(2A) + (g/2 + 1/d^2) B/d^2 + 1/A^2] / (2 pi d)
    /// dD/dq = [1 + A B g/d^2 + 2 q^2/d^4] / (2 pi d)
    /// ```
    #[inline(always)]
    fn slopes<T: Real, S: Side<T>>(&self, one: S, two: impl Side<T>, q: Pack<T>) -> Slopes<T> {
        let (kernel, derivative) = self.pair(one, two, q);
        let (two_, half) = (T::of(2.0), T::of(0.5));
        let of = shifted(one, two, q);
        let inverse = root_inverse(of.square.sqrt());
        let turn = inverse * T::of(1.0 / TAU);
        let slope = of.q * inverse;
        let over = of.scale * inverse;
        let (i1, i2) = (one.get(INVERSE), two.get(INVERSE));
        let bend = over.mul_add(over, i1 + i2);
        let square = over * over;
        let by = of.by_variances(one.get(0), two.get(0));
        let (sum1, sum2) = of.sums();
        let kernel_by = |own: (Pack<T>, Pack<T>, Pack<T>), other: (Pack<T>, Pack<T>)| {
            let ((e1, s1, sum), (e2, v2)) = (own, other);
            let lift = (v2 * s1 + of.determinant) * s1 / (sum * sum);
            let ahead = (lift + of.determinant / sum * half) * (e1 / e2);
            (ahead - slope * slope * s1 * of.scale / sum * half) * turn
        };
        let derivative_by = |inverse: Pack<T>, by: Pack<T>| {
            let inner = inverse * half + by * (bend * half + square) + inverse * inverse;
            -(of.q * turn * inner)
        };
        let (e1, e2) = (one.get(0), two.get(0));
        let ((s1, s2), (v1, v2)) = (of.shifts, of.variances);
        let product = sum1 * sum2 * inverse * inverse;
        let bracket = product * bend + slope * slope * square * two_ + T::one();
        Slopes {
            kernel,
            derivative,
            kernel_by: [
                kernel_by((e1, s1, sum1), (e2, v2)),
                kernel_by((e2, s2, sum2), (e1, v1)),
                derivative,
            ],
            derivative_by: [
                derivative_by(i1, by[0]),
                derivative_by(i2, by[1]),
                of.scale * turn * bracket,
            ],
        }
    }
}

#[inline(always)]
fn root_inverse<T: Real>(root: Pack<T>) -> Pack<T> {
    Pack::one() / root
}

impl Described for Gelu {
    fn at(&self, x: f64) -> Option<(f64, f64)> {
        let normal = libm::erfc(-x * FRAC_1_SQRT_2) / 2.0;
        let density = (-x * x / 2.0).exp() / TAU.sqrt();
        Some((x * normal, x.mul_add(density, normal)))
    }

    fn euler(&self) -> Option<Terms> {
        Some(derived(|q1, q2, q| {
            let both = (q1 + 1.0) * (q2 + 1.0);
            let square = both - q * q;
            let (root, shares) = (square.powf(0.5), both.powf(-1.0));
            let slope = q * square.powf(-0.5);
            let linear = (slope * shares + slope.atan()) * (1.0 / TAU) + 0.25;
            q * linear + q1 * q2 * root * shares * (1.0 / TAU)
        }))
    }

    fn name_and_options(&self) -> (&'static str, Value) {
        (Self::NAMES[0], Value::Null)
    }
}

impl Named for Gelu {
    const NAMES: &'static [&'static str] = &["gelu"];

    fn read(_: &str, options: Value) -> Result<Activation, OptionFault> {
        read_options(options, |NoOptions {}| gelu())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dual::relu;
    use approx::assert_relative_eq;

    #[test]
    fn huge_variances_give_relu() {
        for (q1, q2, q) in [
            (1e300, 1e290, -3e294),
            (1e300, 1e290, 0.0),
            (1e300, 1e290, 7e294),
            (1e300, 1e300, 1e300),
        ] {
            let (k, d) = gelu().dual(q1, q2, q);
            let (k0, d0) = relu().dual(q1, q2, q);
            assert_relative_eq!(k, k0, max_relative = 1e-14);
            assert_relative_eq!(d, d0, max_relative = 1e-14);
        }
        // f(v) is v/2 for small v.
        assert_eq!(gelu().dual(1e300, 1e-300, 0.5), (0.125, 0.25));
        let (k, d) = gelu().dual(1e300_f64, 1e300, -1e300);
        assert!(k.abs() <= 1e285 && d.abs() <= 1e-15);
    }

    #[test]
    fn the_diagonal_is_the_closed_form() {
        for q in [0.0, 1e-300, 1e-3, 1.0, 50.0, 1e300] {
            let r = f64::sqrt(1.0 + 2.0 * q);
            let inner = q / (1.0 + q) / r + f64::atan2(q, r) / 2.0;
            let expected = q * (0.25 + inner * 2.0 / TAU);
            assert_relative_eq!(gelu().diagonal(q).0, expected, max_relative = 1e-15);
        }
    }
}
