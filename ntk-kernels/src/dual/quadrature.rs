//! Activations without a closed form: tanh, softplus, silu, the logistic sigmoid, and functions
//! of the user's own, by their expansion in Hermite polynomials.
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
//! For functions with a kink only powers of `nodes` help: for parallel samples the error falls
//! as `nodes^-1.5` in `K` and `nodes^-0.5` in `D`; with a jump as `nodes^-0.5` in `K`, and `D`
//! grows. Piecewise linear functions have a closed form ([`super::abrelu()`]), as have steps
//! ([`super::sign()`]) and their products with powers ([`super::rectified_monomial()`]); for
//! others write the kernel as [`super::closed_form()`].
//!
//! Daniely, Frostig & Singer 2016, "Toward Deeper Understanding of Neural Networks"
//! (arXiv:1602.05897).

use super::gauss_hermite::{MAX_NODES, Rule};
use super::{Activation, Dual, Side, read, representable};
use crate::pack::Pack;
use ntk_linalg::Real;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::f64::consts::LN_2;
use std::fmt;
use std::sync::Arc;

/// Nodes where JSON names none.
const DEFAULT_NODES: usize = 64;

/// Activations that [`quadrature`] knows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Function {
    /// The hyperbolic tangent.
    Tanh,
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x/(1 + exp(-x))`, also called swish.
    Silu,
    /// `1/(1 + exp(-x))`.
    Sigmoid,
}

impl Function {
    /// The function at `x`.
    #[must_use]
    pub fn value(self, x: f64) -> f64 {
        self.at_zero() + self.rise(x)
    }

    /// Its derivative at `x`.
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

    fn at_zero(self) -> f64 {
        match self {
            Self::Tanh | Self::Silu => 0.0,
            Self::Softplus => LN_2,
            Self::Sigmoid => 0.5,
        }
    }

    /// `f(x) - f(0)` with all digits near 0.
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

/// Slopes smaller than this share of rounding are zero: those of an even or odd function are
/// where they should be, and products of what rounding makes of them would be slow subnormal
/// numbers.
const NEGLIGIBLE: f64 = 1e-3;

/// A Gauss-Hermite rule with what the expansion needs besides.
#[derive(Debug)]
struct Expansion {
    rule: Rule,
    /// Row m: `d_m` from values of `(f(sqrt(v) x) - f(0))/sqrt(v)` at the nodes.
    slopes: Vec<Vec<f64>>,
    /// `1/(m + 1)`.
    inverse: Vec<f64>,
}

impl Expansion {
    fn new(nodes: usize) -> Arc<Self> {
        let rule = Rule::new(nodes.clamp(1, MAX_NODES));
        let mut slopes = rule.projection();
        slopes.remove(0);
        for (m, row) in slopes.iter_mut().enumerate() {
            row.iter_mut().for_each(|c| *c *= (m as f64 + 1.0).sqrt());
        }
        // Terms go in twos.
        if slopes.len() % 2 == 1 {
            slopes.push(vec![0.0; rule.nodes.len()]);
        }
        let inverse = (1..=slopes.len()).map(|l| 1.0 / l as f64).collect();
        Arc::new(Self {
            rule,
            slopes,
            inverse,
        })
    }

    /// The mean, the inverse standard deviation, and every `d_m`.
    fn numbers(&self) -> usize {
        self.slopes.len() + 2
    }

    /// `rise` is `f(x) - f(0)`; below the standard deviation `least` the slopes are taken
    /// there, as its rounding would show.
    fn prepare<T: Real>(
        &self,
        at_zero: f64,
        rise: impl Fn(f64) -> f64,
        least: f64,
        variance: T,
        numbers: &mut [T],
    ) {
        let deviation = variance.to_f64().sqrt();
        let sum = |weights: &[f64], values: &[f64]| -> f64 {
            weights.iter().zip(values).map(|(w, v)| w * v).sum()
        };
        let at = |deviation: f64| -> Vec<f64> {
            let nodes = self.rule.nodes.iter();
            nodes.map(|x| rise(deviation * x)).collect()
        };
        let mut values = at(deviation);
        numbers[0] = T::of(at_zero + sum(&self.rule.weights, &values));
        numbers[1] = T::of(if deviation > 0.0 {
            1.0 / deviation
        } else {
            0.0
        });
        let mut step = deviation;
        if deviation < least {
            step = least;
            values = at(least);
        }
        values.iter_mut().for_each(|v| *v /= step);
        let slopes = &mut numbers[2..];
        for (slope, row) in slopes.iter_mut().zip(&self.slopes) {
            *slope = T::of(sum(row, &values));
        }
        let largest = slopes.iter().fold(T::zero(), |most, d| most.max(d.abs()));
        let least = largest * T::epsilon() * T::of(NEGLIGIBLE);
        for slope in slopes.iter_mut().filter(|d| d.abs() < least) {
            *slope = T::zero();
        }
    }

    /// Whether the diagonal, `E[f(sqrt(variance) z)^2]`, is a number.
    fn domain(&self, variance: f64, f: impl Fn(f64) -> f64) -> Result<(), String> {
        let nodes = self.rule.nodes.iter().zip(&self.rule.weights);
        let square = |(x, w)| w * f(variance.sqrt() * x).powi(2);
        representable(variance, nodes.map(square).sum())
    }

    #[inline(always)]
    fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>) {
        let cosine = q * one.get(1) * two.get(1);
        // Even and odd powers apart: two short chains of operations instead of a long one.
        let square = cosine * cosine;
        let [mut even, mut odd] = [(Pack::zero(), Pack::zero()); 2];
        for (pair, inverse) in self.inverse.chunks_exact(2).enumerate().rev() {
            let both = |k| one.get(k) * two.get(k);
            let (first, second) = (both(2 * pair + 2), both(2 * pair + 3));
            even = (
                Pack::mul_add(even.0, square, first * T::of(inverse[0])),
                Pack::mul_add(even.1, square, first),
            );
            odd = (
                Pack::mul_add(odd.0, square, second * T::of(inverse[1])),
                Pack::mul_add(odd.1, square, second),
            );
        }
        let kernel = odd.0.mul_add(cosine, even.0);
        let derivative = odd.1.mul_add(cosine, even.1);
        (kernel.mul_add(q, one.get(0) * two.get(0)), derivative)
    }
}

/// A named function by quadrature; see the module's formulas.
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

/// A function by quadrature with this many nodes, from 1 to 512; see
/// [the module](self) for how many.
#[must_use]
pub fn quadrature(function: Function, nodes: usize) -> Activation {
    Activation::Quadrature(Quadrature {
        function,
        nodes,
        expansion: Expansion::new(nodes),
    })
}

/// Standard deviation below which the slope of a [`Function`] is that at 0.
const LEAST: f64 = 1e-150;

impl Dual for Quadrature {
    fn numbers(&self) -> usize {
        self.expansion.numbers()
    }

    fn prepare<T: Real>(&self, variance: T, numbers: &mut [T]) {
        let f = self.function;
        self.expansion
            .prepare(f.at_zero(), |x| f.rise(x), LEAST, variance, numbers);
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

    fn domain(&self, variance: f64) -> Result<(), String> {
        self.expansion.domain(variance, |x| self.function.value(x))
    }
}

impl Quadrature {
    /// The function and its derivative.
    pub(super) fn at(&self, x: f64) -> (f64, f64) {
        (self.function.value(x), self.function.derivative(x))
    }

    /// The function.
    #[must_use]
    pub fn function(&self) -> Function {
        self.function
    }

    /// How many nodes.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    pub(super) fn name_and_options(&self) -> (&'static str, Value) {
        (
            "quadrature",
            json!({"function": self.function, "nodes": self.nodes}),
        )
    }

    pub(super) fn fault(&self) -> Option<String> {
        nodes_fault(self.nodes)
    }
}

fn nodes_fault(nodes: usize) -> Option<String> {
    (!(1..=MAX_NODES).contains(&nodes))
        .then(|| format!("nodes must be from 1 to {MAX_NODES}, found {nodes}"))
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

/// The activation of this family that JSON calls `name`, or why its options do not fit.
pub(super) fn from_name(name: &str, options: Value) -> Option<Result<Activation, String>> {
    (name == "quadrature").then(|| read(options, |o: Options| quadrature(o.function, o.nodes)))
}

type Scalar = dyn Fn(f64) -> f64 + Send + Sync;

/// A function of the user's own by quadrature; see the module's formulas.
#[derive(Clone)]
pub struct Numerical {
    name: String,
    function: Arc<Scalar>,
    nodes: usize,
    expansion: Arc<Expansion>,
}

/// Any function `f` of the pre-activation by quadrature with this many nodes, from 1 to 512;
/// see [the module](self) for how many.
///
/// The derivative is never asked for. `f` is called for `nodes` values per sample. JSON
/// writes the name, but cannot be read back; two such activations are equal where one is a
/// clone of the other.
///
/// ```
/// use ntk_kernels::dual::numerical;
/// let f = numerical("mish", |x: f64| x * x.exp().ln_1p().tanh(), 64);
/// let (kernel, derivative) = f.dual(1.0, 1.0, 0.5);
/// # assert!(kernel > 0.0 && derivative > 0.0);
/// ```
#[must_use]
pub fn numerical(
    name: impl Into<String>,
    f: impl Fn(f64) -> f64 + Send + Sync + 'static,
    nodes: usize,
) -> Activation {
    Activation::Numerical(Numerical {
        name: name.into(),
        function: Arc::new(f),
        nodes,
        expansion: Expansion::new(nodes),
    })
}

/// Standard deviation below which the slope of a function of unknown rounding is that at 0: the
/// cube root of epsilon balances its error `epsilon/x` against `x^2`.
const LEAST_UNKNOWN: f64 = 6e-6;

impl Dual for Numerical {
    fn numbers(&self) -> usize {
        self.expansion.numbers()
    }

    fn prepare<T: Real>(&self, variance: T, numbers: &mut [T]) {
        let at_zero = (self.function)(0.0);
        let rise = |x| (self.function)(x) - at_zero;
        self.expansion
            .prepare(at_zero, rise, LEAST_UNKNOWN, variance, numbers);
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

    fn domain(&self, variance: f64) -> Result<(), String> {
        self.expansion.domain(variance, |x| (self.function)(x))
    }
}

impl Numerical {
    /// The name it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The function at `x`.
    #[must_use]
    pub fn value(&self, x: f64) -> f64 {
        (self.function)(x)
    }

    pub(super) fn name_and_options(&self) -> (&'static str, Value) {
        ("numerical", json!({"name": self.name, "nodes": self.nodes}))
    }

    pub(super) fn fault(&self) -> Option<String> {
        nodes_fault(self.nodes)
    }
}

impl PartialEq for Numerical {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.function, &other.function) && self.nodes == other.nodes
    }
}

impl fmt::Debug for Numerical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Numerical")
            .field("name", &self.name)
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
