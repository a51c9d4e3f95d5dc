//! Computes the duals of activations without a closed form (tanh, softplus, silu, the logistic
//! sigmoid, and functions of the user's own) by their expansion in Hermite polynomials.
//!
//! With `h_l` the normalised Hermite polynomials and, for each sample, `v` its variance and
//! `d_m = sqrt(m + 1)/sqrt(v) E[f(sqrt(v) z) h_(m+1)(z)] = E[f'(sqrt(v) z) h_m(z)]`,
//!
//! ```text
//! K = E[f(sqrt(q1) z)] E[f(sqrt(q2) z)] + q sum_m d_m(q1) d_m(q2) rho^m / (m + 1)
//! D = sum_m d_m(q1) d_m(q2) rho^m,  rho = q/sqrt(q1 q2)
//! ```
//!
//! The sums have `nodes - 1` terms, and the expectations are Gauss-Hermite sums of `nodes`
//! values per sample. On the diagonal `K` is the Gauss-Hermite sum of `f^2`. Domain: all
//! `q1, q2 >= 0`, `|q| <= sqrt(q1 q2)`; nothing is divided by a variance of 0. `D` is the
//! derivative of `K` exactly. Cost: proportional to `nodes` per pair, to `nodes^2` per sample.
//!
//! # How many nodes
//! The error is largest for parallel samples of large variance `v`. For functions without
//! singularity within a distance `t` of the real axis (`pi/2` for tanh, `pi` for the others)
//! it falls as `exp(-2 t sqrt(nodes/v))`. Largest errors of `K` and `D`, relative to the
//! diagonal, found for tanh (for the others take `v/4`):
//!
//! | nodes | v = 0.1 | v = 1 | v = 4 | v = 25 |
//! |---|---|---|---|---|
//! | 8 | 4e-6, 1e-5 | 2e-2, 4e-2 | 1e-1, 2e-1 | 2e-1, 3e-1 |
//! | 16 | 2e-10, 1e-9 | 8e-4, 4e-3 | 3e-2, 1e-1 | 1e-1, 3e-2 |
//! | 32 | 1e-15, 1e-15 | 7e-6, 7e-5 | 4e-3, 2e-2 | 7e-2, 1e-1 |
//! | 64 | 1e-15, 1e-15 | 7e-9, 1e-7 | 1e-4, 2e-3 | 2e-2, 1e-1 |
//! | 128 | 1e-15, 1e-15 | 3e-13, 1e-11 | 1e-6, 3e-5 | 4e-3, 5e-2 |
//! | 256 | 3e-15, 3e-15 | 1e-15, 1e-15 | 1e-9, 5e-8 | 3e-4, 8e-3 |
//!
//! A product rule of as many nodes per dimension errs as much, costs the square of it, and is
//! not symmetric in the samples.
//!
//! Derivatives by the variances and the covariance are sums of the same numbers, of the moments of
//! the second and third derivatives of `f` that follow from `d_m`. They lose as much to one more derivative as `D` does
//! against `K`: for tanh with 512 nodes those of `D` err by 1e-7 at variance 7.
//!
//! For functions with a kink only powers of `nodes` help: for parallel samples the error falls
//! as `nodes^-1.5` in `K` and `nodes^-0.5` in `D`; with a jump as `nodes^-0.5` in `K`, and `D`
//! grows. Piecewise linear functions have a closed form ([`super::abrelu()`]), as have steps
//! ([`super::sign()`]) and their products with powers ([`super::rectified_monomial()`]); for
//! others write the kernel as [`super::closed_form()`].
//!
//! Daniely, Frostig & Singer 2016, "Toward Deeper Understanding of Neural Networks"
//! (arXiv:1602.05897).

use super::euler::Terms;
use super::expansion::{AtZero, Expansion, nodes_fault};
use super::{
    Activation, Described, Dual, Named, OptionFault, Side, Slopes, numerical, read_options,
};
use crate::pack::Pack;
use ntk_linalg::Real;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::f64::consts::LN_2;
use std::sync::Arc;

/// The number of nodes where JSON names none.
const DEFAULT_NODES: usize = 64;

/// A `Function` is an activation that [`quadrature()`] knows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Function {
    /// The hyperbolic tangent.
    Tanh,
    /// The softplus function `ln(1 + exp(x))`.
    Softplus,
    /// The sigmoid linear unit `x/(1 + exp(-x))`, also called swish.
    Silu,
    /// The logistic sigmoid `1/(1 + exp(-x))`.
    Sigmoid,
}

impl Function {
    /// Computes the function at `x`.
    #[must_use]
    pub fn value(self, x: f64) -> f64 {
        self.at_zero().value + self.rise(x)
    }

    /// Computes the derivative at `x`.
    #[must_use]
    pub fn derivative(self, x: f64) -> f64 {
        let sigmoid = Self::Sigmoid.value(x);
        match self {
            Self::Tanh => x.cosh().powi(-2),
            Self::Softplus => sigmoid,
            Self::Silu => sigmoid * (1.0 + x * Self::Sigmoid.value(-x)),
            Self::Sigmoid => sigmoid * Self::Sigmoid.value(-x),
        }
    }

    fn at_zero(self) -> AtZero {
        let (value, curves) = match self {
            Self::Tanh => (0.0, [0.0, -2.0, 0.0, 16.0]),
            Self::Softplus => (LN_2, [0.25, 0.0, -0.125, 0.0]),
            Self::Silu => (0.0, [0.5, 0.0, -0.5, 0.0]),
            Self::Sigmoid => (0.5, [0.0, -0.125, 0.0, 0.25]),
        };
        AtZero { value, curves }
    }

    /// Computes `f(x) - f(0)`, with all digits near 0.
    fn rise(self, x: f64) -> f64 {
        match self {
            Self::Tanh => x.tanh(),
            // ln((1 + e^x)/2) = x + ln((1 + e^-x)/2).
            Self::Softplus => x.max(0.0) + ((-x.abs()).exp_m1() / 2.0).ln_1p(),
            Self::Silu => x / (1.0 + (-x).exp()),
            Self::Sigmoid => (x / 2.0).tanh() / 2.0,
        }
    }
}

/// A `Quadrature` is a [`Function`] whose dual is computed by quadrature; [the module](self) has
/// its formulas.
#[derive(Debug, Clone)]
pub struct Quadrature {
    function: Function,
    nodes: usize,
    expansion: Arc<Expansion>,
}

impl PartialEq for Quadrature {
    fn eq(&self, other: &Self) -> bool {
        (self.function, self.nodes) == (other.function, other.nodes)
    }
}

/// Makes an activation of a named function, whose kernels are computed by quadrature with this many
/// nodes, from 1 to 512; [the module](self) says how many are enough.
///
/// ```
/// use ntk_kernels::dual::{Function, quadrature};
///
/// let (kernel, _) = quadrature(Function::Tanh, 128).diagonal(1.0_f64);
/// assert!((kernel - 0.394_294).abs() < 1e-6); // E[tanh(z)^2]
/// ```
#[must_use]
pub fn quadrature(function: Function, nodes: usize) -> Activation {
    Activation::Quadrature(Quadrature {
        function,
        nodes,
        expansion: Expansion::new(nodes),
    })
}

/// The standard deviation below which the slope of a [`Function`] is that at 0.
const LEAST: f64 = 1e-150;

impl Dual for Quadrature {
    fn numbers(&self) -> usize {
        self.expansion.numbers()
    }

    fn prepare<T: Real>(&self, variance: T, numbers: &mut [T]) {
        let f = self.function;
        self.expansion
            .prepare(&f.at_zero(), |x| f.rise(x), LEAST, variance, numbers);
    }

    #[inline(always)]
    fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>) {
        self.expansion.pair(one, two, q)
    }

    #[inline(always)]
    fn slopes<T: Real, S: Side<T>>(&self, one: S, two: impl Side<T>, q: Pack<T>) -> Slopes<T> {
        self.expansion.slopes(one, two, q)
    }

    fn domain(&self, variance: f64) -> Result<(), String> {
        self.expansion.domain(variance, |x| self.function.value(x))
    }
}

impl Quadrature {
    /// Returns the function.
    #[must_use]
    pub fn function(&self) -> Function {
        self.function
    }

    /// Returns the number of nodes.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    function: Function,
    #[serde(default = "default_nodes")]
    nodes: usize,
}

fn default_nodes() -> usize {
    DEFAULT_NODES
}

impl Described for Quadrature {
    fn at(&self, x: f64) -> Option<(f64, f64)> {
        Some((self.function.value(x), self.function.derivative(x)))
    }

    fn euler(&self) -> Option<Terms> {
        let f = self.function;
        let scaled = numerical("x f'(x)", move |x| x * f.derivative(x), self.nodes);
        Some(vec![(1.0, scaled)])
    }

    fn name_and_options(&self) -> (&'static str, Value) {
        (
            "quadrature",
            json!({"function": self.function, "nodes": self.nodes}),
        )
    }

    fn fault(&self) -> Option<String> {
        nodes_fault(self.nodes)
    }
}

impl Named for Quadrature {
    const NAMES: &'static [&'static str] = &["quadrature"];

    fn read(_: &str, options: Value) -> Result<Activation, OptionFault> {
        read_options(options, |o: Options| quadrature(o.function, o.nodes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dual::numerical;
    use approx::assert_relative_eq;

    #[test]
    fn functions_and_their_derivatives() {
        use Function::{Sigmoid, Silu, Softplus, Tanh};
        for f in [Tanh, Softplus, Silu, Sigmoid] {
            for x in [-800.0, -30.0, -1.3, -1e-9, 0.0, 0.4, 5.0, 800.0] {
                let h = 1e-5;
                let slope = (f.value(x + h) - f.value(x - h)) / (2.0 * h);
                let rounding = f64::EPSILON * f.value(x).abs() / h;
                assert!(
                    (f.derivative(x) - slope).abs() <= 1e-10 + rounding,
                    "{f:?} {x}"
                );
            }
            assert_relative_eq!(
                f.rise(1e-200),
                f.derivative(0.0) * 1e-200,
                max_relative = 1e-15
            );
        }
        assert_relative_eq!(Sigmoid.value(1.0), 1.0 / (1.0 + (-1.0_f64).exp()));
        assert_relative_eq!(Softplus.value(1.0), 1.0_f64.exp().ln_1p());
    }

    #[test]
    fn tiny_variances_keep_their_digits() {
        let f = quadrature(Function::Sigmoid, 32);
        let (k, d) = f.dual(1e-200, 1e-200, 3e-201);
        assert_relative_eq!(k, 0.25, max_relative = 1e-15);
        assert_relative_eq!(d, 1.0 / 16.0, max_relative = 1e-14);
        let f = quadrature(Function::Tanh, 32);
        let (k, d) = f.dual(1e-200, 1e-200, 3e-201);
        assert_relative_eq!(k, 3e-201, max_relative = 1e-13);
        assert_relative_eq!(d, 1.0, max_relative = 1e-13);
    }

    #[test]
    fn kinks_converge_as_documented() {
        // max(x - c, 0): E[f^2] = (1 + c^2) P(-c) - c p(c) and E[f'^2] = P(-c) at c = 0.3.
        let exact: (f64, f64) = (0.302_060_205_175_884_4, 0.382_088_577_811_047_4);
        for nodes in [8, 32, 128, 512] {
            let f = numerical("shifted relu", |x: f64| (x - 0.3).max(0.0), nodes);
            let (k, d) = f.dual(1.0, 1.0, 1.0);
            let n = nodes as f64;
            assert!((k - exact.0).abs() <= n.powf(-1.5), "{nodes} {k}");
            let error = (d - exact.1).abs() * n.sqrt();
            assert!(error <= 0.5, "{nodes} {d}");
        }
    }

    #[test]
    fn few_nodes() {
        // One node knows f(0) alone, two a line through both.
        assert_eq!(
            quadrature(Function::Sigmoid, 1).dual(1.0, 2.0, 0.3),
            (0.25, 0.0)
        );
        let (k, d) = numerical("line", |x| 2.0 + 3.0 * x, 2).dual(1.0, 2.0, 0.3);
        assert_relative_eq!(k, 4.0 + 9.0 * 0.3, max_relative = 1e-14);
        assert_relative_eq!(d, 9.0, max_relative = 1e-14);
    }
}
