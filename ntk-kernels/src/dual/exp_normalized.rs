//! Computes the map with kernel `sqrt(q1 q2) exp(gamma (rho + shift))`, `rho = q/sqrt(q1 q2)`.
//!
//! ```text
//! K = sqrt(q1 q2) exp(gamma (rho + shift))
//! D = gamma exp(gamma (rho + shift))
//! ```
//!
//! On the diagonal `K = q exp(gamma (1 + shift))`. Domain: all `q1, q2 >= 0`,
//! `|q| <= sqrt(q1 q2)`; a sample of zeros counts as orthogonal to all.
//!
//! It belongs to no one function of the pre-activation: for a sample of variance `v` it is
//! `f(x) = sqrt(v) g(x/sqrt(v))` with `g` the sum of normalised Hermite polynomials with
//! coefficients `sqrt(exp(gamma shift) gamma^l / l!)`. There is no finite network of it.
//!
//! Mairal, Koniusz, Harchaoui & Schmid 2014, "Convolutional Kernel Networks"
//! (arXiv:1406.3332), in the form of Shankar et al. 2020, "Neural Kernels Without Tangents"
//! (arXiv:2003.02237), where shift is -1.

use super::{Activation, Described, Dual, Named, OptionFault, Side, not_finite, read_options};
use crate::pack::Pack;
use ntk_linalg::Real;
use serde::Deserialize;
use serde_json::{Value, json};

/// An `ExpNormalized` has the exponential of the cosine for its kernel; [the module](self) has its
/// formulas.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpNormalized {
    /// The factor of the exponent, which is not negative.
    pub gamma: f64,
    /// The number added to the cosine.
    pub shift: f64,
}

impl Default for ExpNormalized {
    fn default() -> Self {
        Self {
            gamma: 1.0,
            shift: -1.0,
        }
    }
}

/// Makes the map with kernel `sqrt(q1 q2) exp(gamma (rho + shift))`, where rho is the cosine of the
/// angle between two samples.
#[must_use]
pub fn exp_normalized(gamma: f64, shift: f64) -> Activation {
    Activation::ExpNormalized(ExpNormalized { gamma, shift })
}

/// The largest exponent on the diagonal, so that products with variances do not overflow.
const LARGEST: f64 = 350.0;

impl Dual for ExpNormalized {
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
        let gamma = T::of(self.gamma);
        let cosine = q * one.get(1) * two.get(1);
        let derivative = ((cosine + T::of(self.shift)) * gamma).exp();
        let kernel = one.get(0) * two.get(0) * derivative;
        (kernel, derivative * gamma)
    }

    fn diagonal<T: Real>(&self, variance: T) -> (T, T) {
        let gamma = T::of(self.gamma);
        let cosine = if variance > T::zero() {
            T::one()
        } else {
            T::zero()
        };
        let derivative = (gamma * (cosine + T::of(self.shift))).exp();
        (variance * derivative, gamma * derivative)
    }
}

impl Described for ExpNormalized {
    fn name_and_options(&self) -> (&'static str, Value) {
        (
            "exp_normalized",
            json!({"gamma": self.gamma, "shift": self.shift}),
        )
    }

    fn fault(&self) -> Option<String> {
        let exponent = self.gamma * (1.0 + self.shift);
        not_finite([("gamma", self.gamma), ("shift", self.shift)]).or_else(|| {
            if self.gamma < 0.0 {
                Some(format!("gamma must not be negative, found {}", self.gamma))
            } else if exponent > LARGEST {
                Some(format!(
                    "gamma (1 + shift) must be at most {LARGEST}, found {exponent}"
                ))
            } else {
                None
            }
        })
    }
}

impl Named for ExpNormalized {
    const NAMES: &'static [&'static str] = &["exp_normalized"];

    fn read(_: &str, options: Value) -> Result<Activation, OptionFault> {
        read_options(options, Activation::ExpNormalized)
    }
}
