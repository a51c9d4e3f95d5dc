//! Computes the dual of the normalised Hermite polynomial `f(x) = He_n(x)/sqrt(n!)`, on
//! pre-activations of variance 1.
//!
//! ```text
//! K = q^n
//! D = n q^(n-1)
//! ```
//!
//! On the diagonal `K = q^n`, which is 1. Domain: variance 1, for these polynomials are
//! orthogonal for the standard normal alone; to 1e-6, so that rounding passes. For other
//! variances there is [`super::polynomial()`].
//!
//! Daniely, Frostig & Singer 2016, "Toward Deeper Understanding of Neural Networks"
//! (arXiv:1602.05897).

use super::euler::Terms;
use super::{
    Activation, Described, Dual, MAX_DEGREE, Named, OptionFault, Side, Slopes, read_options,
    too_high,
};
use crate::pack::Pack;
use ntk_linalg::Real;
use serde::Deserialize;
use serde_json::{Value, json};

/// A `Hermite` is the activation `He_n(x)/sqrt(n!)`; [the module](self) has its formulas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hermite {
    /// The degree n.
    pub degree: u32,
}

/// Makes the normalised Hermite polynomial of this degree, `He_n(x)/sqrt(n!)`, for pre-activations
/// of variance 1.
#[must_use]
pub fn hermite(degree: u32) -> Activation {
    Activation::Hermite(Hermite { degree })
}

/// The largest distance of a variance from 1: a few roundings of f32.
const TOLERANCE: f64 = 1e-6;

impl Dual for Hermite {
    fn numbers(&self) -> usize {
        0
    }

    fn prepare<T: Real>(&self, _variance: T, _numbers: &mut [T]) {}

    #[inline(always)]
    fn pair<T: Real, S: Side<T>>(
        &self,
        _one: S,
        _two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>) {
        if self.degree == 0 {
            return (Pack::one(), Pack::zero());
        }
        let below = q.powi(self.degree - 1);
        (below * q, below * T::of(f64::from(self.degree)))
    }

    /// Computes those at variance 1: by the variances 0, as `f''` is orthogonal to `f` there, and
    /// `dD/dq = n (n - 1) q^(n-2)`.
    #[inline(always)]
    fn slopes<T: Real, S: Side<T>>(&self, one: S, two: impl Side<T>, q: Pack<T>) -> Slopes<T> {
        let (kernel, derivative) = self.pair(one, two, q);
        let n = f64::from(self.degree);
        let curve = match self.degree.checked_sub(2) {
            Some(below) => q.powi(below) * T::of(n * (n - 1.0)),
            None => Pack::zero(),
        };
        let zero = Pack::zero();
        Slopes {
            kernel,
            derivative,
            kernel_by: [zero, zero, derivative],
            derivative_by: [zero, zero, curve],
        }
    }

    fn domain(&self, variance: f64) -> Result<(), String> {
        if (variance - 1.0).abs() <= TOLERANCE {
            return Ok(());
        }
        Err(format!(
            "Hermite polynomials need variance 1 (to {TOLERANCE:e}), found {variance}; put \
             layer_norm before it, or use polynomial"
        ))
    }
}

impl Described for Hermite {
    fn at(&self, x: f64) -> Option<(f64, f64)> {
        let (mut below, mut h) = (0.0, 1.0);
        for l in 0..self.degree.min(MAX_DEGREE) {
            let l = f64::from(l);
            (below, h) = (h, (x * h - l.sqrt() * below) / (l + 1.0).sqrt());
        }
        Some((h, f64::from(self.degree).sqrt() * below))
    }

    /// Returns those of `x h_n' = n h_n + sqrt(n (n - 1)) h_(n-2)`.
    fn euler(&self) -> Option<Terms> {
        let n = f64::from(self.degree);
        let mut terms = vec![(n * n, hermite(self.degree))];
        terms.extend(
            self.degree
                .checked_sub(2)
                .map(|below| (n * (n - 1.0), hermite(below))),
        );
        Some(terms)
    }

    fn name_and_options(&self) -> (&'static str, Value) {
        ("hermite", json!({"degree": self.degree}))
    }

    fn fault(&self) -> Option<String> {
        too_high(self.degree as usize)
    }
}

impl Named for Hermite {
    const NAMES: &'static [&'static str] = &["hermite"];

    fn read(_: &str, options: Value) -> Result<Activation, OptionFault> {
        read_options(options, Activation::Hermite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_unit_variance() {
        let f = Hermite { degree: 3 };
        assert_eq!(f.domain(1.0 + 1e-7), Ok(()));
        let reason = f.domain(0.5).unwrap_err();
        assert!(
            reason.contains("found 0.5") && reason.contains("layer_norm"),
            "{reason}"
        );
        assert!(f.domain(f64::NAN).is_err());
    }

    #[test]
    fn low_degrees() {
        assert_eq!(hermite(0).dual(1.0, 1.0, 0.0), (1.0, 0.0));
        assert_eq!(hermite(1).dual(1.0, 1.0, 0.0), (0.0, 1.0));
        assert_eq!(hermite(5).dual(1.0, 1.0, -0.5), (-1.0 / 32.0, 5.0 / 16.0));
    }
}
