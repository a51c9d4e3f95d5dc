//! Dual activations: what an activation does to a Gaussian covariance.
//!
//! For pre-activations `(u, v)` jointly normal with variances `q1`, `q2` and
//! covariance `q`, an activation `f` has the kernel `K = E[f(u) f(v)]` and the
//! derivative kernel `D = E[f'(u) f'(v)]`, which multiplies the NTK
//! (Daniely et al. 2016, arXiv:1602.05897).
//!
//! One activation is one module, with its formulas, domain and source, and one line in each
//! list below. What each is called with is re-exported here and from [`crate::network`].

pub mod abrelu;
mod angle;
pub mod erf;
pub mod exp;
pub mod exp_normalized;
pub mod gabor;
mod gauss_hermite;
pub mod gaussian;
pub mod gelu;
pub mod hermite;
pub mod monomial;
#[cfg(test)]
mod oracle;
pub mod polynomial;
pub mod quadrature;
pub mod rbf;
pub mod rectified_monomial;
mod row;
mod shifted;
pub mod sign;
#[cfg(test)]
mod suite;
pub mod trigonometric;
pub mod user;

pub use angle::angle;
pub use row::Samples;
pub(crate) use row::{Columns, MapRow};

pub use abrelu::{AbRelu, abrelu, abs, leaky_relu, relu};
pub use erf::{Erf, erf, sigmoid_like};
pub use exp::{Exp, exp};
pub use exp_normalized::{ExpNormalized, exp_normalized};
pub use gabor::{Gabor, gabor};
pub use gaussian::{Gaussian, gaussian};
pub use gelu::{Gelu, gelu};
pub use hermite::{Hermite, hermite};
pub use monomial::{Monomial, monomial};
pub use polynomial::{Polynomial, polynomial};
pub use quadrature::{Function, Numerical, Quadrature, numerical, quadrature};
pub use rbf::{Rbf, rbf};
pub use rectified_monomial::{RectifiedMonomial, rectified_monomial};
pub use sign::{Sign, sign};
pub use trigonometric::{Trigonometric, Wave, cos, sin};
pub use user::{ClosedForm, closed_form};

use crate::pack::{Pack, wide};
use ntk_linalg::Real;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;

/// An activation with a kernel.
#[derive(Debug, Clone, PartialEq)]
pub enum Activation {
    /// `a min(x, 0) + b max(x, 0)`: relu, leaky relu and absolute value.
    AbRelu(AbRelu),
    /// `a erf(b x) + c`.
    Erf(Erf),
    /// `a sin(b x + c)` and `a cos(b x + c)`.
    Trigonometric(Trigonometric),
    /// `x` times the normal distribution function.
    Gelu(Gelu),
    /// `a exp(b x)`.
    Exp(Exp),
    /// `a exp(b x^2)`.
    Gaussian(Gaussian),
    /// The exponential of the cosine.
    ExpNormalized(ExpNormalized),
    /// The radial basis function kernel.
    Rbf(Rbf),
    /// `exp(-x^2) sin(x)`.
    Gabor(Gabor),
    /// 1, -1 or 0.
    Sign(Sign),
    /// A normalised Hermite polynomial.
    Hermite(Hermite),
    /// `x^n`.
    Monomial(Monomial),
    /// `max(x, 0)^n`.
    RectifiedMonomial(RectifiedMonomial),
    /// A polynomial.
    Polynomial(Polynomial),
    /// tanh, softplus, silu or sigmoid, by quadrature.
    Quadrature(Quadrature),
    /// A kernel of the user's own.
    ClosedForm(ClosedForm),
    /// A function of the user's own, by quadrature.
    Numerical(Numerical),
}

/// What a map needs of one of the two samples, for sixteen pairs: its `k`-th number, as
/// [`Dual::prepare`] made it.
pub(crate) trait Side<T>: Copy {
    fn get(self, k: usize) -> Pack<T>;
}

/// An activation's formulas.
pub(crate) trait Dual: Clone {
    /// Whether convolutions have a faster loop compiled for it: worth its size where the
    /// formula itself is cheap.
    const HOT: bool = false;

    /// How many numbers of one sample [`Dual::pair`] needs.
    fn numbers(&self) -> usize {
        1
    }

    /// Those numbers from the sample's variance: what would otherwise be computed again for
    /// each of its pairs. By default the variance itself.
    fn prepare<T: Real>(&self, variance: T, numbers: &mut [T]) {
        numbers[0] = variance;
    }

    /// `K` and `D` of sixteen pairs of covariances `q`. Must be `#[inline(always)]`.
    fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>);

    /// `K` and `D` of a sample with itself.
    fn diagonal<T: Real>(&self, variance: T) -> (T, T) {
        let mut numbers = vec![T::zero(); self.numbers()];
        self.prepare(variance, &mut numbers);
        pair_of(self, &numbers, &numbers, variance)
    }

    /// Why there is no kernel at this variance, if so.
    fn domain(&self, _variance: f64) -> Result<(), String> {
        Ok(())
    }
}

/// Something generic done with the formulas of whichever activation it is.
pub(crate) trait WithDual {
    type Output;
    fn with<D: Dual>(self, dual: &D) -> Self::Output;
}

/// Numbers of one sample, the same for all sixteen pairs.
#[derive(Clone, Copy)]
pub(crate) struct One<'a, T>(pub(crate) &'a [T]);

impl<T: Real> Side<T> for One<'_, T> {
    #[inline(always)]
    fn get(self, k: usize) -> Pack<T> {
        Pack::splat(self.0[k])
    }
}

/// `K` and `D` of one pair.
fn pair<T: Real>(dual: &impl Dual, q1: T, q2: T, q: T) -> (T, T) {
    let [mut one, mut two] = [
        vec![T::zero(); dual.numbers()],
        vec![T::zero(); dual.numbers()],
    ];
    dual.prepare(q1, &mut one);
    dual.prepare(q2, &mut two);
    pair_of(dual, &one, &two, q)
}

/// The same from the samples' numbers.
fn pair_of<T: Real>(dual: &impl Dual, one: &[T], two: &[T], q: T) -> (T, T) {
    let (kernel, derivative) = wide(
        #[inline(always)]
        || dual.pair(One(one), One(two), Pack::splat(q)),
    );
    (kernel.0[0], derivative.0[0])
}

/// The standard deviation and its inverse; 0 for a sample of zeros, which then is
/// orthogonal to all.
fn root_and_inverse<T: Real>(variance: T, numbers: &mut [T]) {
    let root = variance.sqrt();
    numbers[0] = root;
    numbers[1] = if root > T::zero() {
        root.recip()
    } else {
        T::zero()
    };
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoOptions {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Degree {
    degree: u32,
}

/// An activation from its options as JSON.
fn read<O: DeserializeOwned>(
    options: Value,
    build: impl FnOnce(O) -> Activation,
) -> Result<Activation, String> {
    serde_json::from_value(options)
        .map(build)
        .map_err(|e| e.to_string())
}

/// The first option that is not a finite number, if any.
fn not_finite<const N: usize>(options: [(&str, f64); N]) -> Option<String> {
    options
        .into_iter()
        .find(|(_, v)| !v.is_finite())
        .map(|(name, v)| format!("{name} must be finite, found {v}"))
}

/// Largest degree of a polynomial: its diagonal at variance 1, `(2n - 1)!!`, and all on the way
/// to it are numbers of f64.
const MAX_DEGREE: u32 = 100;

fn too_high(degree: usize) -> Option<String> {
    (degree > MAX_DEGREE as usize)
        .then(|| format!("the degree must be at most {MAX_DEGREE}, found {degree}"))
}

/// `x^n` and its derivative.
fn power(x: f64, n: u32) -> (f64, f64) {
    let slope = match n {
        0 => 0.0,
        n => f64::from(n) * x.powi((n - 1).cast_signed()),
    };
    (x.powi(n.cast_signed()), slope)
}

/// `(2n - 1)!! = 1 * 3 * ... * (2n - 1)`.
fn double_factorial(n: u32) -> f64 {
    (1..=n).map(|k| f64::from(2 * k - 1)).product()
}

/// Refuses a variance whose kernel is not a number.
fn representable(variance: f64, kernel: f64) -> Result<(), String> {
    if kernel.is_finite() {
        return Ok(());
    }
    Err(format!(
        "the kernel is not a number of f64 at variance {variance}; reduce the w_std before it, \
         or put layer_norm before it"
    ))
}

impl Activation {
    /// Names that JSON knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().copied()
    }

    const NAMES: &[&str] = &[
        "relu",
        "leaky_relu",
        "abs",
        "abrelu",
        "erf",
        "sigmoid_like",
        "sin",
        "cos",
        "gelu",
        "exp",
        "gaussian",
        "exp_normalized",
        "rbf",
        "gabor",
        "sign",
        "hermite",
        "monomial",
        "rectified_monomial",
        "polynomial",
        "quadrature",
    ];

    pub(crate) fn with<W: WithDual>(&self, work: W) -> W::Output {
        match self {
            Self::AbRelu(f) => work.with(f),
            Self::Erf(f) => work.with(f),
            Self::Trigonometric(f) => work.with(f),
            Self::Gelu(f) => work.with(f),
            Self::Exp(f) => work.with(f),
            Self::Gaussian(f) => work.with(f),
            Self::ExpNormalized(f) => work.with(f),
            Self::Rbf(f) => work.with(f),
            Self::Gabor(f) => work.with(f),
            Self::Sign(f) => work.with(f),
            Self::Hermite(f) => work.with(f),
            Self::Monomial(f) => work.with(f),
            Self::RectifiedMonomial(f) => work.with(f),
            Self::Polynomial(f) => work.with(f),
            Self::Quadrature(f) => work.with(f),
            Self::ClosedForm(f) => work.with(f),
            Self::Numerical(f) => work.with(f),
        }
    }

    /// How many numbers of each sample the map needs, and what they are for one variance.
    pub(crate) fn numbers(&self) -> usize {
        struct Numbers;
        impl WithDual for Numbers {
            type Output = usize;
            fn with<D: Dual>(self, dual: &D) -> usize {
                dual.numbers()
            }
        }
        self.with(Numbers)
    }

    pub(crate) fn prepare<T: Real>(&self, variance: T, numbers: &mut [T]) {
        struct Prepare<'a, T>(T, &'a mut [T]);
        impl<T: Real> WithDual for Prepare<'_, T> {
            type Output = ();
            fn with<D: Dual>(self, dual: &D) {
                dual.prepare(self.0, self.1);
            }
        }
        self.with(Prepare(variance, numbers));
    }

    /// The function itself and its derivative at `x` (at a kink that from below), which finite
    /// networks need; `None` where only a kernel is known.
    #[must_use]
    pub fn at(&self, x: f64) -> Option<(f64, f64)> {
        Some(match self {
            Self::AbRelu(f) => f.at(x),
            Self::Erf(f) => f.at(x),
            Self::Trigonometric(f) => f.at(x),
            Self::Gelu(f) => f.at(x),
            Self::Exp(f) => f.at(x),
            Self::Gaussian(f) => f.at(x),
            Self::Rbf(f) => f.at(x),
            Self::Gabor(f) => f.at(x),
            Self::Sign(f) => f.at(x),
            Self::Hermite(f) => f.at(x),
            Self::Monomial(f) => f.at(x),
            Self::RectifiedMonomial(f) => f.at(x),
            Self::Polynomial(f) => f.at(x),
            Self::Quadrature(f) => f.at(x),
            Self::ExpNormalized(_) | Self::ClosedForm(_) | Self::Numerical(_) => return None,
        })
    }

    /// Why there is no kernel at this variance, if so.
    pub(crate) fn domain(&self, variance: f64) -> Result<(), String> {
        struct Domain(f64);
        impl WithDual for Domain {
            type Output = Result<(), String>;
            fn with<D: Dual>(self, dual: &D) -> Result<(), String> {
                dual.domain(self.0)
            }
        }
        self.with(Domain(variance))
    }

    /// `(K, D)` of one pair of pre-activations with variances `q1`, `q2` and covariance `q`.
    #[must_use]
    pub fn dual<T: Real>(&self, q1: T, q2: T, q: T) -> (T, T) {
        struct Pair<T>(T, T, T);
        impl<T: Real> WithDual for Pair<T> {
            type Output = (T, T);
            fn with<D: Dual>(self, dual: &D) -> (T, T) {
                pair(dual, self.0, self.1, self.2)
            }
        }
        self.with(Pair(q1, q2, q))
    }

    /// `(K, D)` of a pre-activation of this variance with itself.
    #[must_use]
    pub fn diagonal<T: Real>(&self, variance: T) -> (T, T) {
        struct Diagonal<T>(T);
        impl<T: Real> WithDual for Diagonal<T> {
            type Output = (T, T);
            fn with<D: Dual>(self, dual: &D) -> (T, T) {
                dual.diagonal(self.0)
            }
        }
        self.with(Diagonal(variance))
    }

    pub(crate) fn from_name(name: &str, options: Value) -> Option<Result<Self, String>> {
        [
            abrelu::from_name,
            erf::from_name,
            trigonometric::from_name,
            gelu::from_name,
            exp::from_name,
            gaussian::from_name,
            exp_normalized::from_name,
            rbf::from_name,
            gabor::from_name,
            sign::from_name,
            hermite::from_name,
            monomial::from_name,
            rectified_monomial::from_name,
            polynomial::from_name,
            quadrature::from_name,
        ]
        .iter()
        .find_map(|from_name| from_name(name, options.clone()))
        .or_else(|| user::from_name(name))
    }

    /// The name and options as JSON, `null` for no options.
    pub(crate) fn name_and_options(&self) -> (&'static str, Value) {
        match self {
            Self::AbRelu(f) => f.name_and_options(),
            Self::Erf(f) => f.name_and_options(),
            Self::Trigonometric(f) => f.name_and_options(),
            Self::Gelu(_) => ("gelu", Value::Null),
            Self::Exp(f) => f.name_and_options(),
            Self::Gaussian(f) => f.name_and_options(),
            Self::ExpNormalized(f) => f.name_and_options(),
            Self::Rbf(f) => f.name_and_options(),
            Self::Gabor(_) => ("gabor", Value::Null),
            Self::Sign(_) => ("sign", Value::Null),
            Self::Hermite(f) => f.name_and_options(),
            Self::Monomial(f) => f.name_and_options(),
            Self::RectifiedMonomial(f) => f.name_and_options(),
            Self::Polynomial(f) => f.name_and_options(),
            Self::Quadrature(f) => f.name_and_options(),
            Self::ClosedForm(f) => f.name_and_options(),
            Self::Numerical(f) => f.name_and_options(),
        }
    }

    pub(crate) fn fault(&self) -> Option<String> {
        match self {
            Self::AbRelu(f) => f.fault(),
            Self::Erf(f) => f.fault(),
            Self::Trigonometric(f) => f.fault(),
            Self::Exp(f) => f.fault(),
            Self::Gaussian(f) => f.fault(),
            Self::ExpNormalized(f) => f.fault(),
            Self::Rbf(f) => f.fault(),
            Self::Hermite(f) => f.fault(),
            Self::Monomial(f) => f.fault(),
            Self::RectifiedMonomial(f) => f.fault(),
            Self::Polynomial(f) => f.fault(),
            Self::Quadrature(f) => f.fault(),
            Self::Numerical(f) => f.fault(),
            Self::Gelu(_) | Self::Gabor(_) | Self::Sign(_) | Self::ClosedForm(_) => None,
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::network::Layer::from(self.clone()).fmt(f)
    }
}
