//! Computes the dual of the sign: `f(x) = 1` for `x > 0`, `-1` for `x < 0`, 0 for 0.
//!
//! With `theta` the angle between the two samples,
//!
//! ```text
//! K = 1 - 2 theta / pi
//! D = 0
//! ```
//!
//! On the diagonal `K = 1`. Domain: all `q1, q2 >= 0`, `|q| <= sqrt(q1 q2)` (larger by rounding
//! counts as parallel). With a sample of zeros `K = 0`. The derivative is zero almost
//! everywhere, and its kernel is taken to be zero: the infinite one of the jump is left out,
//! as gradient descent does not see it.
//!
//! Cho & Saul 2009, "Kernel Methods for Deep Learning", eq. 3 with n = 0, for the step
//! function `(1 + sign)/2`.

use super::angle::{Between, between, density};
use super::euler::Terms;
use super::{
    Activation, Described, Dual, Named, NoOptions, OptionFault, Side, Slopes, read_options,
};
use crate::pack::Pack;
use ntk_linalg::Real;
use serde_json::Value;
use std::f64::consts::FRAC_2_PI;

/// `Sign` is the activation 1, -1 or 0; [the module](self) has its formulas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sign;

/// Makes the sign function: 1 for positive numbers, -1 for negative ones, 0 for 0.
#[must_use]
pub fn sign() -> Activation {
    Activation::Sign(Sign)
}

impl Dual for Sign {
    fn numbers(&self) -> usize {
        2
    }

    fn prepare<T: Real>(&self, variance: T, numbers: &mut [T]) {
        super::root_and_inverse(variance, numbers);
    }

    #[inline(always)]
    fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>) {
        let Between { cosine, sine } = between(one.get(1), two.get(1), q);
        // The angle is pi/2 - theta, so that orthogonal samples have exactly 0.
        let angle = Pack::slope_angle(cosine, sine);
        (angle * T::of(FRAC_2_PI), Pack::zero())
    }

    /// Computes `dK/dq = (2/pi) / sqrt(q1 q2 - q^2)` and `dK/dq1 = -q/(2 q1) dK/dq`, which are 0 for
    /// parallel samples and for those of zeros.
    #[inline(always)]
    fn slopes<T: Real, S: Side<T>>(&self, one: S, two: impl Side<T>, q: Pack<T>) -> Slopes<T> {
        let (kernel, derivative) = self.pair(one, two, q);
        let Between { cosine, sine } = between(one.get(1), two.get(1), q);
        Slopes {
            kernel,
            derivative,
            kernel_by: density(one.get(1), two.get(1), cosine, sine, FRAC_2_PI),
            derivative_by: [Pack::zero(); 3],
        }
    }

    fn diagonal<T: Real>(&self, variance: T) -> (T, T) {
        let kernel = if variance > T::zero() {
            T::one()
        } else {
            T::zero()
        };
        (kernel, T::zero())
    }
}

impl Described for Sign {
    fn at(&self, x: f64) -> Option<(f64, f64)> {
        let value = if x == 0.0 { 0.0 } else { x.signum() };
        Some((value, 0.0))
    }

    /// Returns no terms: its slope is 0 but at 0.
    fn euler(&self) -> Option<Terms> {
        Some(Vec::new())
    }

    fn name_and_options(&self) -> (&'static str, Value) {
        (Self::NAMES[0], Value::Null)
    }
}

impl Named for Sign {
    const NAMES: &'static [&'static str] = &["sign"];

    fn read(_: &str, options: Value) -> Result<Activation, OptionFault> {
        read_options(options, |NoOptions {}| sign())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges() {
        let k = |q1: f64, q2: f64, q: f64| sign().dual(q1, q2, q).0;
        assert_eq!(k(4.0, 9.0, 6.0), 1.0);
        assert_eq!(k(4.0, 4.0, 4.0 * (1.0 + f64::EPSILON)), 1.0);
        assert_eq!(k(4.0, 9.0, -6.0), -1.0);
        assert_eq!(k(4.0, 9.0, 0.0), 0.0);
        assert_eq!([k(0.0, 9.0, 0.0), k(0.0, 0.0, 0.0)], [0.0, 0.0]);
        assert_eq!(k(1e300, 1e-300, 0.0), 0.0);
        assert_eq!(sign().dual(0.1_f32, 0.1, 0.1), (1.0, 0.0));
        assert_eq!(sign().diagonal(0.0), (0.0, 0.0));
    }
}
