//! Computes the duals of functions of the user's own, by the formulas of [`mod@super::quadrature`].

use super::expansion::{AtZero, Expansion, nodes_fault};
use super::{Activation, ClosedForm, Described, Dual, Named, OptionFault, Side, Slopes};
use crate::pack::Pack;
use ntk_linalg::Real;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;

type Scalar = dyn Fn(f64) -> f64 + Send + Sync;

/// A `Numerical` is a function of the user's own whose dual is computed by quadrature;
/// [`numerical`] makes it.
#[derive(Clone)]
pub struct Numerical {
    name: String,
    function: Arc<Scalar>,
    nodes: usize,
    at_zero: AtZero,
    expansion: Arc<Expansion>,
}

/// Makes an activation of any function `f`, whose kernels are computed by Gauss-Hermite quadrature
/// with this many nodes, from 1 to 512; [`mod@super::quadrature`] says how many are enough.
///
/// No derivative is needed. `f` is called for `nodes` values per sample. JSON writes the name, but
/// cannot be read back; two such activations are equal where one is a clone of the other.
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
    let expansion = Expansion::new(nodes);
    let value = f(0.0);
    let curves = expansion.curves_at_zero(|x| f(x) - value);
    Activation::Numerical(Numerical {
        name: name.into(),
        function: Arc::new(f),
        nodes,
        at_zero: AtZero { value, curves },
        expansion,
    })
}

/// The standard deviation below which the slope of a function of unknown rounding is that at 0: the
/// cube root of epsilon balances its error `epsilon/x` against `x^2`.
const LEAST_UNKNOWN: f64 = 6e-6;

impl Dual for Numerical {
    fn numbers(&self) -> usize {
        self.expansion.numbers()
    }

    fn prepare<T: Real>(&self, variance: T, numbers: &mut [T]) {
        let rise = |x| (self.function)(x) - self.at_zero.value;
        self.expansion
            .prepare(&self.at_zero, rise, LEAST_UNKNOWN, variance, numbers);
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
        self.expansion.domain(variance, |x| (self.function)(x))
    }
}

impl Numerical {
    /// Returns the name that was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Computes the function at `x`.
    #[must_use]
    pub fn value(&self, x: f64) -> f64 {
        (self.function)(x)
    }
}

impl Described for Numerical {
    fn name_and_options(&self) -> (&'static str, Value) {
        ("numerical", json!({"name": self.name, "nodes": self.nodes}))
    }

    fn fault(&self) -> Option<String> {
        nodes_fault(self.nodes)
    }
}

impl Named for Numerical {
    const NAMES: &'static [&'static str] = &["numerical"];

    fn read(name: &str, options: Value) -> Result<Activation, OptionFault> {
        ClosedForm::read(name, options)
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
