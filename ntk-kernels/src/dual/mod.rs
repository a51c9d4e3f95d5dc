//! Dual activations: what an activation does to a Gaussian covariance.
//!
//! For pre-activations `(u, v)` jointly normal with variances `q1`, `q2` and
//! covariance `q`, an activation `f` has the kernel `K = E[f(u) f(v)]` and the
//! derivative kernel `D = E[f'(u) f'(v)]`, which multiplies the NTK
//! (Daniely et al. 2016, arXiv:1602.05897).
//!
//! One activation is one module, with its formulas, domain and source, and one line in the list
//! below. What each is called with is re-exported here and from [`crate::network`].

mod angle;
mod expansion;
mod gauss_hermite;
#[cfg(test)]
mod oracle;
mod shifted;
#[cfg(test)]
mod suite;

use crate::pairs::row::Row;
pub use crate::pairs::row::Samples;
use crate::pairs::{Dual, Maps, Object, Side};
pub use angle::angle;

use crate::affine::Affine;
use crate::pack::Pack;
use ntk_linalg::Real;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;

/// Declares the activations, one line each: the file, and the type in it, which is a [`Dual`],
/// [`Described`] and [`Named`].
macro_rules! activations {
    (
        named { $($file:ident: $kind:ident;)* }
        own { $($own_file:ident: $own:ident;)* }
    ) => {
        $(pub mod $file;)*
        $(pub mod $own_file;)*

        /// The activations' types and what they are called with.
        pub mod functions {
            $(pub use super::$file::*;)*
            $(pub use super::$own_file::*;)*
        }
        pub use functions::*;

        /// An activation with a kernel.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Activation {
            $(#[doc = concat!("See [`", stringify!($kind), "`].")] $kind($kind),)*
            $(#[doc = concat!("See [`", stringify!($own), "`].")] $own($own),)*
        }

        impl Activation {
            // Inlined into another crate it would take the code of all activations with it.
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

            /// Names that JSON knows.
            pub fn names() -> impl Iterator<Item = &'static str> {
                [$($kind::NAMES,)*].into_iter().flatten().copied()
            }

            pub(crate) fn from_name(name: &str, options: Value) -> Option<Result<Self, String>> {
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

/// What JSON calls an activation.
trait Named: Sized {
    /// The names that [`Named::read`] knows.
    const NAMES: &'static [&'static str];

    /// The activation of one of these names, or why its options do not fit.
    fn read(name: &str, options: Value) -> Result<Activation, String>;
}

/// An activation besides its formulas.
trait Described {
    /// The name and options as JSON, `null` for no options.
    fn name_and_options(&self) -> (&'static str, Value);

    /// What is wrong with its options, if anything.
    fn fault(&self) -> Option<String> {
        None
    }

    /// The function itself and its derivative at `x` (at a kink that from below); `None` where
    /// only a kernel is known.
    fn at(&self, _x: f64) -> Option<(f64, f64)> {
        None
    }
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
fn read_options<O: DeserializeOwned>(
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
    /// The object that takes pairs through it.
    pub(crate) fn maps<T: Real>(&self) -> &dyn Maps<T> {
        self.object().maps()
    }

    /// The function itself and its derivative at `x` (at a kink that from below), which finite
    /// networks need; `None` where only a kernel is known.
    #[must_use]
    pub fn at(&self, x: f64) -> Option<(f64, f64)> {
        self.described().at(x)
    }

    /// The name and options as JSON, `null` for no options.
    pub(crate) fn name_and_options(&self) -> (&'static str, Value) {
        self.described().name_and_options()
    }

    pub(crate) fn fault(&self) -> Option<String> {
        self.described().fault()
    }

    /// `(K, D)` of one pair of pre-activations with variances `q1`, `q2` and covariance `q`.
    #[must_use]
    pub fn dual<T: Real>(&self, q1: T, q2: T, q: T) -> (T, T) {
        let maps = self.maps();
        let numbers = |variance| {
            let mut numbers = vec![T::zero(); maps.numbers()];
            maps.prepare(variance, &mut numbers);
            numbers.into_iter().map(Pack::splat).collect::<Vec<_>>()
        };
        let (kernel, derivative) = maps.pairs(&numbers(q1), &numbers(q2), Pack::splat(q));
        (kernel.0[0], derivative.0[0])
    }

    /// `(K, D)` of a pre-activation of this variance with itself.
    #[must_use]
    pub fn diagonal<T: Real>(&self, variance: T) -> (T, T) {
        self.maps().diagonal(variance)
    }

    /// Prepares samples, by their variances, for [`Activation::map_samples`].
    ///
    /// Cost: a few roots each; `nodes^2` operations each for activations by quadrature.
    #[must_use]
    pub fn samples<T: Real>(&self, variances: &[T]) -> Samples<T> {
        let maps = self.maps();
        Samples::new(maps.numbers(), variances, |variance, numbers| {
            maps.prepare(variance, numbers);
        })
    }

    /// One row of a kernel matrix through the activation: the sample of variance `q1` against
    /// samples of variances `q2`. `nngp[j]` goes from the covariance `q` to `K`, and `ntk[j]`,
    /// where given, is multiplied by `D`.
    ///
    /// Prepares `q2` at each call; where many rows share them, [`Activation::map_samples`] does
    /// not.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn map_row<T: Real>(&self, q1: T, q2: &[T], nngp: &mut [T], ntk: Option<&mut [T]>) {
        self.map_samples(q1, &self.samples(q2), nngp, ntk);
    }

    /// [`Activation::map_row`] against samples prepared before, by this very activation.
    ///
    /// # Panics
    /// If the lengths differ, or another activation prepared `q2` and it shows.
    pub fn map_samples<T: Real>(
        &self,
        q1: T,
        q2: &Samples<T>,
        nngp: &mut [T],
        ntk: Option<&mut [T]>,
    ) {
        assert_eq!(nngp.len(), q2.len(), "one covariance per sample of q2");
        if let Some(ntk) = &ntk {
            assert_eq!(ntk.len(), q2.len(), "one tangent kernel per sample of q2");
        }
        let maps = self.maps();
        let mut one = vec![T::zero(); maps.numbers()];
        assert_eq!(one.len(), q2.per_sample(), "samples of another activation");
        maps.prepare(q1, &mut one);
        maps.row(Row {
            affine: Affine::IDENTITY.pack(),
            one: &one,
            two: q2.columns(0),
            nngp,
            ntk,
        });
    }
}

/// The name and, in brackets, the options.
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
                f.map_row(2.0, &q2, &mut k, Some(&mut t));
                let mut alone = q.clone();
                f.map_row(2.0, &q2, &mut alone, None);
                assert_eq!(k, alone);
                for i in 0..q.len() {
                    let (k0, d0) = f.dual(2.0, q2[i], q[i]);
                    assert_eq!((k[i], t[i]), (k0, 3.0 * d0));
                }
            }
        }
    }
}
