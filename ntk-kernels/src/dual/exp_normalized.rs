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

use super::{
    Activation, Described, Dual, Named, OptionFault, ParameterSlopes, Side, Slopes, named,
    not_finite, read_options,
};
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

    /// Computes, with `E = exp(gamma (rho + shift))`,
    ///
    /// ```text
    /// dK/dq1 = sqrt(q2/q1) E (1 - gamma rho) / 2,  dK/dq = D
    /// dD/dq1 = -gamma^2 rho E / (2 q1),  dD/dq = gamma^2 E / sqrt(q1 q2)
    /// ```
    ///
    /// and 0 for a sample of zeros in place of what is divided by its variance.
    #[inline(always)]
    fn slopes<T: Real, S: Side<T>>(&self, one: S, two: impl Side<T>, q: Pack<T>) -> Slopes<T> {
        let (kernel, derivative) = self.pair(one, two, q);
        let gamma = T::of(self.gamma);
        let (i1, i2) = (one.get(1), two.get(1));
        let cosine = q * i1 * i2;
        let by_cosine = derivative * gamma;
        let turned = by_cosine * cosine * T::of(-0.5);
        let exp = ((cosine + T::of(self.shift)) * gamma).exp();
        let rest = (exp - derivative * cosine) * T::of(0.5);
        Slopes {
            kernel,
            derivative,
            kernel_by: [
                rest * (two.get(0) * i1),
                rest * (one.get(0) * i2),
                derivative,
            ],
            derivative_by: [turned * i1 * i1, turned * i2 * i2, by_cosine * i1 * i2],
        }
    }

    fn diagonal_slopes<T: Real>(&self, _variance: T) -> (T, T) {
        (T::of((self.gamma * (1.0 + self.shift)).exp()), T::zero())
    }

    /// Computes those by gamma and by the shift.
    #[inline(always)]
    fn parameter_slopes<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
        into: &mut [ParameterSlopes<T>],
    ) {
        let [by_gamma, by_shift] = into else { return };
        let gamma = T::of(self.gamma);
        let shifted = q * one.get(1) * two.get(1) + T::of(self.shift);
        let exp = (shifted * gamma).exp();
        let kernel = one.get(0) * two.get(0) * exp;
        *by_gamma = (kernel * shifted, exp * (shifted * gamma + T::one()));
        *by_shift = (kernel * gamma, exp * gamma * gamma);
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

    fn parameters(&self) -> Vec<(String, f64)> {
        named([("gamma", self.gamma), ("shift", self.shift)])
    }

    fn with_parameters(&self, values: &[f64]) -> Option<Activation> {
        let &[gamma, shift] = values else { return None };
        Some(exp_normalized(gamma, shift))
    }
}

impl Named for ExpNormalized {
    const NAMES: &'static [&'static str] = &["exp_normalized"];

    fn read(_: &str, options: Value) -> Result<Activation, OptionFault> {
        read_options(options, Activation::ExpNormalized)
    }
}
