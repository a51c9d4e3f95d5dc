//! Computes `E[u f'(u) v f'(v)]`, the kernel of `x f'(x)`: what a trained factor of each channel before
//! an activation adds to the NTK.
//!
//! With `K(q1, q2, q)` the kernel of `f` it is `d^2/da db K(a^2 q1, b^2 q2, a b q)` at `a = b = 1`, as
//! `f(a u)` has the derivative `u f'(u)` there. Homogeneous activations have their own kernel times the
//! square of their degree; for others the formula is differentiated by [`Jet`]s.

use super::{Activation, closed_form};
use std::ops::{Add, Mul, Sub};

/// A sum of kernels of activations, each times a number.
pub(crate) type Terms = Vec<(f64, Activation)>;

/// Makes the terms of an activation whose kernel is `kernel(q1, q2, q)`.
///
/// It is called once a pair, in f64, as those of [`super::user`] are.
pub(super) fn derived(kernel: impl Fn(Jet, Jet, Jet) -> Jet + Send + Sync + 'static) -> Terms {
    let map = move |q1: f64, q2: f64, q: f64| {
        let scaled = [
            Jet([q1, 2.0 * q1, 0.0, 0.0]),
            Jet([q2, 0.0, 2.0 * q2, 0.0]),
            Jet([q; 4]),
        ];
        let [q1, q2, q] = scaled;
        // Nothing reads the derivative's kernel.
        (kernel(q1, q2, q).0[3], 0.0)
    };
    vec![(1.0, closed_form("x f'(x)", map))]
}

/// A `Jet` holds a number and its derivatives by a, by b and by both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Jet([f64; 4]);

impl Jet {
    /// Applies a function of this value and first and second derivative.
    fn apply(self, value: f64, first: f64, second: f64) -> Self {
        let [_, a, b, both] = self.0;
        Self([value, first * a, first * b, first * both + second * a * b])
    }

    pub(super) fn exp(self) -> Self {
        let value = self.0[0].exp();
        self.apply(value, value, value)
    }

    /// Computes `exp(x) - 1`.
    pub(super) fn exp_m1(self) -> Self {
        let value = self.0[0].exp();
        self.apply(self.0[0].exp_m1(), value, value)
    }

    pub(super) fn powf(self, power: f64) -> Self {
        let x = self.0[0];
        let value = x.powf(power);
        self.apply(
            value,
            power * value / x,
            power * (power - 1.0) * value / (x * x),
        )
    }

    pub(super) fn atan(self) -> Self {
        let x = self.0[0];
        let first = 1.0 / (1.0 + x * x);
        self.apply(x.atan(), first, -2.0 * x * first * first)
    }
}

impl Add for Jet {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] + other.0[at]))
    }
}

impl Add<f64> for Jet {
    type Output = Self;

    fn add(self, other: f64) -> Self {
        let [value, a, b, both] = self.0;
        Self([value + other, a, b, both])
    }
}

impl Sub for Jet {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + other * -1.0
    }
}

impl Mul<f64> for Jet {
    type Output = Self;

    fn mul(self, by: f64) -> Self {
        Self(self.0.map(|number| number * by))
    }
}

impl Mul for Jet {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let ([x, xa, xb, xab], [y, ya, yb, yab]) = (self.0, other.0);
        Self([
            x * y,
            xa * y + x * ya,
            xb * y + x * yb,
            xab * y + xa * yb + xb * ya + x * yab,
        ])
    }
}

impl Activation {
    /// Returns activations whose kernels sum to `E[u f'(u) v f'(v)]`; `None` where it is not known.
    pub(crate) fn euler(&self) -> Option<Terms> {
        self.described().euler()
    }
}
