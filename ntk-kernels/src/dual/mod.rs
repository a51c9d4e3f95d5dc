//! Computes dual activations: what an activation does to a Gaussian covariance.
//!
//! For pre-activations `(u, v)` jointly normal with variances `q1`, `q2` and
//! covariance `q`, an activation `f` has the kernel `K = E[f(u) f(v)]` and the
//! derivative kernel `D = E[f'(u) f'(v)]`, which multiplies the NTK
//! (Daniely et al. 2016, arXiv:1602.05897).
//!
//! Each activation is one module, with its formulas, domain and source, and has one line in the
//! list below. The functions that make them are re-exported here and from [`crate::network`].

mod angle;
mod euler;
mod expansion;
mod gauss_hermite;
mod gradient;
#[cfg(test)]
mod gradient_suite;
#[cfg(test)]
mod oracle;
mod shifted;
#[cfg(test)]
mod suite;

pub use crate::pairs::row::PreparedSamples;
use crate::pairs::row::Row;
use crate::pairs::{Dual, Maps, Object, ParameterSlopes, Side, Slopes};
pub use angle::angle;
pub use gradient::DualGradient;

use crate::affine::Affine;
use crate::options::OptionFault;
use crate::pack::Pack;
use euler::Terms;
pub(crate) use gauss_hermite::Rule;
use ntk_linalg::Real;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use thiserror::Error;

/// Declares the activations, one line each: the file, and the type in it, which is a [`Dual`],
/// [`Described`] and [`Named`].
macro_rules! activations {
    (
        named { $($file:ident: $kind:ident;)* }
        own { $($own_file:ident: $own:ident;)* }
    ) => {
        $(pub mod $file;)*
        $(pub mod $own_file;)*

        /// Holds the types of the activations and the functions that make them.
        pub mod functions {
            $(pub use super::$file::*;)*
            $(pub use super::$own_file::*;)*
        }
        pub use functions::*;

        /// An `Activation` is an elementwise function with a kernel; functions such as [`relu`] and
        /// [`erf()`] make one, and networks take it as a layer.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Activation {
            $(#[doc = concat!("See [`", stringify!($kind), "`].")] $kind($kind),)*
            $(#[doc = concat!("See [`", stringify!($own), "`].")] $own($own),)*
        }

        impl Activation {
            // If it were inlined into another crate, the code of all activations would be compiled
            // there.
            #[inline(never)]
            fn object(&self) -> &dyn Object {
                match self {
                    $(Self::$kind(f) => f,)*
                    $(Self::$own(f) => f,)*
                }
            }

            fn described(&self) -> &dyn Described {
                match self {
                    $(Self::$kind(f) => f,)*
                    $(Self::$own(f) => f,)*
                }
            }

            /// Iterates over the names that JSON knows.
            pub fn names() -> impl Iterator<Item = &'static str> {
                [$($kind::NAMES,)*].into_iter().flatten().copied()
            }

            pub(crate) fn from_name(
                name: &str,
                options: Value,
            ) -> Option<Result<Self, OptionFault>> {
                $(if $kind::NAMES.contains(&name) {
                    return Some($kind::read(name, options));
                })*
                $(if $own::NAMES.contains(&name) {
                    return Some($own::read(name, options));
                })*
                None
            }
        }
    };
}

activations! {
    named {
        abrelu: AbRelu;
        erf: Erf;
        trigonometric: Trigonometric;
        gelu: Gelu;
        exp: Exp;
        gaussian: Gaussian;
        exp_normalized: ExpNormalized;
        rbf: Rbf;
        gabor: Gabor;
        sign: Sign;
        hermite: Hermite;
        monomial: Monomial;
        rectified_monomial: RectifiedMonomial;
        polynomial: Polynomial;
        quadrature: Quadrature;
    }
    own {
        user: ClosedForm;
        numerical: Numerical;
    }
}

/// Says what JSON calls an activation.
trait Named: Sized {
    /// The names that [`Named::read`] knows.
    const NAMES: &'static [&'static str];

    /// Makes the activation of one of these names, or says why its options do not fit.
    fn read(name: &str, options: Value) -> Result<Activation, OptionFault>;
}

/// Describes an activation besides its formulas.
trait Described {
    /// Returns the name and the options as JSON, `null` for no options.
    fn name_and_options(&self) -> (&'static str, Value);

    /// Says what is wrong with the options, if anything is.
    fn fault(&self) -> Option<String> {
        None
    }

    /// Computes the function and its derivative at `x` (at a kink that from below); `None` where
    /// only a kernel is known.
    fn at(&self, _x: f64) -> Option<(f64, f64)> {
        None
    }

    /// Returns activations whose kernels sum to that of `x f'(x)`, by [`euler`]; `None` where it is
    /// not known.
    fn euler(&self) -> Option<Terms> {
        None
    }

    /// Returns the names and values of the parameters: the options that are real numbers.
    fn parameters(&self) -> Vec<(String, f64)> {
        Vec::new()
    }

    /// Makes the activation of other values; `None` where there are not as many as parameters, or
    /// none.
    fn with_parameters(&self, _values: &[f64]) -> Option<Activation> {
        None
    }
}

/// Owns the names of parameters.
fn named<const N: usize>(parameters: [(&str, f64); N]) -> Vec<(String, f64)> {
    parameters.map(|(name, value)| (name.into(), value)).into()
}

/// Writes the standard deviation and its inverse; 0 for a sample of zeros, which then is orthogonal
/// to all.
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

/// Makes an activation from its options as JSON.
fn read_options<O: DeserializeOwned>(
    options: Value,
    build: impl FnOnce(O) -> Activation,
) -> Result<Activation, OptionFault> {
    crate::options::read(&options).map(build)
}

/// Names the first option that is not a finite number, if there is one.
fn not_finite<const N: usize>(options: [(&str, f64); N]) -> Option<String> {
    options
        .into_iter()
        .find(|(_, v)| !v.is_finite())
        .map(|(name, v)| format!("{name} must be finite, found {v}"))
}

/// The largest degree of a polynomial; up to it the diagonal at variance 1, `(2n - 1)!!`, and all
/// intermediate values are numbers of f64.
const MAX_DEGREE: u32 = 100;

fn too_high(degree: usize) -> Option<String> {
    (degree > MAX_DEGREE as usize)
        .then(|| format!("the degree must be at most {MAX_DEGREE}, found {degree}"))
}

/// Computes `x^n` and its derivative.
fn power(x: f64, n: u32) -> (f64, f64) {
    let slope = match n {
        0 => 0.0,
        n => f64::from(n) * x.powi((n - 1).cast_signed()),
    };
    (x.powi(n.cast_signed()), slope)
}

/// Computes `(2n - 1)!! = 1 * 3 * ... * (2n - 1)`.
fn double_factorial(n: u32) -> f64 {
    (1..=n).map(|k| f64::from(2 * k - 1)).product()
}

/// How far a diagonal may be from that of f64, relative to it: far more than rounding explains.
const MOST_DIFFERENCE: f64 = 1e-3;

/// Refuses an option `b` of which f64 does not hold the `shift` that [`shifted`] needs.
fn shift_in_f64(b: f64, shift: f64) -> Result<(), String> {
    if shift.is_normal() {
        return Ok(());
    }
    Err(format!(
        "its b is {b:e}, of which the kernel needs {shift:e}, beyond the numbers of f64; bring b \
         nearer to 1, and the w_std before it"
    ))
}

/// Refuses a variance whose kernel is not a number.
fn representable(variance: f64, kernel: f64) -> Result<(), String> {
    if kernel.is_finite() {
        return Ok(());
    }
    Err(format!(
        "the kernel is not a number of f64 at variance {variance:e}; reduce the w_std before it, \
         or put layer_norm before it"
    ))
}

impl Activation {
    /// Returns the object that takes pairs through the activation.
    pub(crate) fn maps<T: Real>(&self) -> &dyn Maps<T> {
        self.object().maps()
    }

    /// Computes the function and its derivative at `x` (at a kink that from below), which finite
    /// networks need; `None` where only a kernel is known.
    #[must_use]
    pub fn at(&self, x: f64) -> Option<(f64, f64)> {
        self.described().at(x)
    }

    /// Returns the name and the options as JSON, `null` for no options.
    pub(crate) fn name_and_options(&self) -> (&'static str, Value) {
        self.described().name_and_options()
    }

    pub(crate) fn fault(&self) -> Option<String> {
        self.described().fault()
    }

    /// Computes the kernel `K = E[f(u) f(v)]` and the derivative kernel `D = E[f'(u) f'(v)]` for
    /// pre-activations `u`, `v` of variances `q1`, `q2` and covariance `q`.
    ///
    /// Outside of the domain that the activation's module states, such as for negative variances or
    /// `|q|` above `sqrt(q1 q2)`, the results have no meaning, and may be NaN.
    ///
    /// ```
    /// use ntk_kernels::dual::relu;
    ///
    /// // Orthogonal samples: K = 1/(2 pi), and D = 1/4.
    /// let (kernel, derivative) = relu().dual(1.0_f64, 1.0, 0.0);
    /// assert!((kernel - 0.5 / std::f64::consts::PI).abs() < 1e-15);
    /// assert!((derivative - 0.25).abs() < 1e-15);
    /// ```
    #[must_use]
    pub fn dual<T: Real>(&self, q1: T, q2: T, q: T) -> (T, T) {
        let (one, two) = (self.numbers(q1), self.numbers(q2));
        let (kernel, derivative) = self.maps().pairs(&one, &two, Pack::splat(q));
        (kernel.0[0], derivative.0[0])
    }

    /// Prepares the numbers of a sample of this variance, a pack each.
    fn numbers<T: Real>(&self, variance: T) -> Vec<Pack<T>> {
        let maps = self.maps();
        let mut numbers = vec![T::zero(); maps.numbers()];
        maps.prepare(variance, &mut numbers);
        numbers.into_iter().map(Pack::splat).collect()
    }

    /// Computes `(K, D)` for a pre-activation of this variance with itself; see
    /// [`Activation::dual`].
    #[must_use]
    pub fn diagonal<T: Real>(&self, variance: T) -> (T, T) {
        self.maps().diagonal(variance)
    }

    /// Refuses a `diagonal` at this variance that is not that of f64, as where an option, or its
    /// square, is beyond `T`. What underflows is no reason.
    pub(crate) fn check_precision<T: Real>(
        &self,
        variance: T,
        diagonal: (T, T),
    ) -> Result<(), String> {
        if T::NAME == <f64 as Real>::NAME {
            return Ok(());
        }
        let exact = self.diagonal(Real::to_f64(variance));
        for (what, found, exact) in [
            ("kernel", diagonal.0, exact.0),
            ("derivative's kernel", diagonal.1, exact.1),
        ] {
            let found = Real::to_f64(found);
            let allowed = MOST_DIFFERENCE * exact.abs() + T::min_positive_value().to_f64();
            if (found - exact).abs() > allowed {
                return Err(format!(
                    "the {what} of {self} at variance {variance:e} is {found:e} in {precision} and \
                     {exact:e} in f64, as its options, or their squares, are beyond {precision}; \
                     compute in f64, or bring the options and the w_std before it nearer to 1",
                    precision = T::NAME
                ));
            }
        }
        Ok(())
    }

    /// Prepares samples of these variances for [`Activation::map_row`].
    ///
    /// Cost: a few roots for each sample, and `nodes^2` operations for each where the activation is
    /// by quadrature.
    #[must_use]
    pub fn samples<T: Real>(&self, variances: &[T]) -> PreparedSamples<T> {
        let maps = self.maps();
        PreparedSamples::new(maps.numbers(), variances, |variance, numbers| {
            maps.prepare(variance, numbers);
        })
    }

    /// Maps one row of a kernel matrix through the activation: the sample of variance `q1`
    /// against samples that [`Activation::samples`] of this activation prepared. `nngp[j]` goes
    /// from the covariance `q` to `K`, and `ntk[j]` is multiplied by `D`.
    ///
    /// # Errors
    /// Returns a [`DualError`] where the lengths differ, or where another activation prepared `q2`
    /// with another number of values for each sample; nothing is changed then.
    pub fn map_row<T: Real>(
        &self,
        q1: T,
        q2: &PreparedSamples<T>,
        nngp: &mut [T],
        ntk: &mut [T],
    ) -> Result<(), DualError> {
        for (what, found) in [("nngp", nngp.len()), ("ntk", ntk.len())] {
            if found != q2.len() {
                let samples = q2.len();
                return Err(DualError::Length {
                    what,
                    found,
                    samples,
                });
            }
        }
        let maps = self.maps();
        let mut one = vec![T::zero(); maps.numbers()];
        if one.len() != q2.per_sample() {
            return Err(DualError::Samples {
                activation: self.to_string(),
                expected: one.len(),
                found: q2.per_sample(),
            });
        }
        maps.prepare(q1, &mut one);
        maps.row(Row {
            affine: Affine::IDENTITY.pack(),
            one: &one,
            two: q2.columns(0),
            nngp,
            ntk: Some(ntk),
        });
        Ok(())
    }
}

/// A `DualError` says why a row of a kernel matrix cannot be mapped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DualError {
    /// A row has another length than there are samples.
    #[error("{what} has {found} entries for {samples} samples; give one entry a sample")]
    Length {
        /// The row, `"nngp"` or `"ntk"`.
        what: &'static str,
        /// The number of its entries.
        found: usize,
        /// The number of samples.
        samples: usize,
    },
    /// Another activation prepared the samples.
    #[error(
        "{activation} keeps {expected} numbers a sample, and these samples have {found}; prepare them by this activation"
    )]
    Samples {
        /// The activation that was to map them.
        activation: String,
        /// How many numbers it keeps for a sample.
        expected: usize,
        /// How many the samples have.
        found: usize,
    },
    /// The derivatives of the kernel are not known.
    #[error(
        "the derivatives of the kernel of {activation} are not known; give them by dual::closed_form_with_gradient"
    )]
    NoGradient {
        /// The activation.
        activation: String,
    },
    /// There are more or fewer values than parameters.
    #[error(
        "{activation} has {expected} parameters, found {found} values; give one a parameter, in the order of parameters()"
    )]
    Parameters {
        /// The activation.
        activation: String,
        /// How many parameters it has.
        expected: usize,
        /// How many values there were.
        found: usize,
    },
}

/// Writes the name and, in brackets, the options.
impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, options) = self.name_and_options();
        crate::text::name_and_options(name, &options, f)
    }
}

#[cfg(test)]
mod tests {
    use crate::dual::{erf, relu};

    #[test]
    fn rows_are_pairs() {
        for n in [0, 1, 15, 16, 17, 33] {
            for f in [relu(), erf(1.0, 1.0, 0.5)] {
                let q2: Vec<f64> = (0..n).map(|i| 0.5 + f64::from(i)).collect();
                let q: Vec<f64> = q2.iter().map(|v| 0.3 * (2.0 * v).sqrt()).collect();
                let (mut k, mut t) = (q.clone(), vec![3.0; q.len()]);
                let samples = f.samples(&q2);
                f.map_row(2.0, &samples, &mut k, &mut t).unwrap();
                for i in 0..q.len() {
                    let (k0, d0) = f.dual(2.0, q2[i], q[i]);
                    assert_eq!((k[i], t[i]), (k0, 3.0 * d0));
                }
            }
        }
    }
}
