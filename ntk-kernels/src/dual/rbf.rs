//! Computes the dual of `f(x) = sqrt(2) sin(sqrt(2 gamma) x + pi/4)`, which is the radial basis
//! function.
//!
//! ```text
//! K = exp(-gamma (q1 + q2 - 2q))
//! D = 2 gamma K
//! ```
//!
//! `q1 + q2 - 2q` is the mean squared distance of the two pre-activations. On the diagonal
//! `K = 1`. Domain: all `q1, q2 >= 0`, `|q| <= sqrt(q1 q2)`.
//!
//! Rahimi & Recht 2007, "Random Features for Large-Scale Kernel Machines".

use super::euler::{Terms, derived};
use super::{
    Activation, Described, Dual, Named, OptionFault, ParameterSlopes, Side, Slopes, named,
    read_options,
};
use crate::pack::Pack;
use ntk_linalg::Real;
use serde::Deserialize;
use serde_json::{Value, json};
use std::f64::consts::{FRAC_PI_4, SQRT_2};

/// An `Rbf` is the activation `sqrt(2) sin(sqrt(2 gamma) x + pi/4)`; [the module](self) has its
/// formulas.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rbf {
    /// The inverse squared width of the kernel, which is not negative.
    pub gamma: f64,
}

impl Default for Rbf {
    fn default() -> Self {
        Self { gamma: 1.0 }
    }
}

/// Makes `sqrt(2) sin(sqrt(2 gamma) x + pi/4)`, which has the radial basis function `exp(-gamma (q1
/// + q2 - 2q))` for its kernel.
#[must_use]
pub fn rbf(gamma: f64) -> Activation {
    Activation::Rbf(Rbf { gamma })
}

impl Dual for Rbf {
    #[inline(always)]
    fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>) {
        let gamma = T::of(self.gamma);
        // For nearly equal samples each difference is exact.
        let apart = ((one.get(0) - q) + (two.get(0) - q)).max(Pack::zero());
        let kernel = (-apart * gamma).exp();
        (kernel, kernel * (gamma + gamma))
    }

    /// Computes those of a function with `f'' = -2 gamma f`.
    #[inline(always)]
    fn slopes<T: Real, S: Side<T>>(&self, one: S, two: impl Side<T>, q: Pack<T>) -> Slopes<T> {
        let twice = T::of(-2.0 * self.gamma);
        Slopes::of_eigenfunction(self.pair(one, two, q), |x| x * twice)
    }

    /// Computes those by gamma: with `r = q1 + q2 - 2q`, `dK/dgamma = -r K` and
    /// `dD/dgamma = 2 K (1 - gamma r)`.
    #[inline(always)]
    fn parameter_slopes<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
        into: &mut [ParameterSlopes<T>],
    ) {
        let [by_gamma] = into else { return };
        let (kernel, _) = self.pair(one, two, q);
        let apart = ((one.get(0) - q) + (two.get(0) - q)).max(Pack::zero());
        let share = kernel * apart;
        let gamma = T::of(self.gamma);
        *by_gamma = (-share, (kernel - share * gamma) * T::of(2.0));
    }
}

impl Described for Rbf {
    fn at(&self, x: f64) -> Option<(f64, f64)> {
        let frequency = (2.0 * self.gamma).sqrt();
        let (sin, cos) = frequency.mul_add(x, FRAC_PI_4).sin_cos();
        Some((SQRT_2 * sin, SQRT_2 * frequency * cos))
    }

    fn euler(&self) -> Option<Terms> {
        let gamma = self.gamma;
        Some(derived(move |q1, q2, q| {
            ((q * 2.0 - q1 - q2) * gamma).exp()
        }))
    }

    fn name_and_options(&self) -> (&'static str, Value) {
        ("rbf", json!({"gamma": self.gamma}))
    }

    fn fault(&self) -> Option<String> {
        (!(self.gamma.is_finite() && self.gamma >= 0.0)).then(|| {
            format!(
                "gamma must be finite and not negative, found {}",
                self.gamma
            )
        })
    }

    fn parameters(&self) -> Vec<(String, f64)> {
        named([("gamma", self.gamma)])
    }

    fn with_parameters(&self, values: &[f64]) -> Option<Activation> {
        let &[gamma] = values else { return None };
        Some(rbf(gamma))
    }
}

impl Named for Rbf {
    const NAMES: &'static [&'static str] = &["rbf"];

    fn read(_: &str, options: Value) -> Result<Activation, OptionFault> {
        read_options(options, Activation::Rbf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_and_far() {
        let f = rbf(0.5);
        assert_eq!(f.dual(3.7e5, 3.7e5, 3.7e5), (1.0, 1.0));
        assert_eq!(f.dual(1e300, 1e300, 0.0), (0.0, 0.0));
        let near = 1e8_f64 * (1.0 - 1e-15);
        let apart = 2.0 * (1e8 - near);
        assert_eq!(f.dual(1e8, 1e8, near).0, (-0.5 * apart).exp());
    }
}
