//! Computes what becomes of signals in deep networks: the variance that they come to, and whether those
//! that differ a little draw together or apart.
//!
//! A layer whose weights and biases have standard deviations w and b makes of a pre-activation of
//! variance q one of variance
//!
//! ```text
//! V(q) = w^2 E[f(sqrt(q) z)^2] + b^2,    z standard normal.
//! ```
//!
//! Layer after layer, variances come to a fixed point `q* = V(q*)`. There a small difference of two
//! signals is multiplied by
//!
//! ```text
//! chi_1 = w^2 E[f'(sqrt(q*) z)^2]
//! ```
//!
//! in each layer: below 1 signals draw together (order), above it apart (chaos), and deep networks can be
//! trained near the line `chi_1 = 1` between the phases. Both expectations are the diagonals of the
//! activation's dual ([`Activation::diagonal`]).
//!
//! Poole, Lahiri, Raghu, Sohl-Dickstein & Ganguli 2016, "Exponential expressivity in deep neural networks
//! through transient chaos" (arXiv:1606.05340); Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017, "Deep
//! information propagation" (arXiv:1611.01232).

use crate::dual::Activation;
use thiserror::Error;

/// A `FixedPoint` is what signals come to in a deep network; [`fixed_point`] finds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FixedPoint {
    /// The variance q* of pre-activations; infinite where variances grow without bound.
    pub variance: f64,
    /// The factor chi_1 of small differences from layer to layer; where variances grow without bound,
    /// that at large ones.
    pub chi: f64,
}

/// A `MeanFieldError` says why a network has no fixed point or no critical line.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum MeanFieldError {
    /// A standard deviation is none.
    #[error("{name} is {value}; it must be finite and not negative")]
    Range {
        /// `"w_std"` or `"b_std"`.
        name: &'static str,
        /// The value.
        value: f64,
    },
    /// The dual of the activation is not a number.
    #[error(
        "the kernel of {activation} at variance {variance:e}, times w_std^2, is not a number; choose a smaller w_std or other \
         options of the activation"
    )]
    NotANumber {
        /// The activation.
        activation: String,
        /// The variance.
        variance: f64,
    },
    /// chi_1 is on the same side of 1 for all weights.
    #[error(
        "chi_1 of {activation} with b_std {b_std} goes from {least} to {most} for w_std from {low:e} to {high:e} and \
         never through 1; there is no critical w_std"
    )]
    NotCritical {
        /// The activation.
        activation: String,
        /// The standard deviation of biases.
        b_std: f64,
        /// The smallest w_std tried.
        low: f64,
        /// The largest w_std tried.
        high: f64,
        /// chi_1 at the smallest.
        least: f64,
        /// chi_1 at the largest.
        most: f64,
    },
}

/// Variances below and above count as zero and as infinite; their squares are numbers of f64.
const VARIANCES: (f64, f64) = (1e-150, 1e150);
/// The range in which a critical w_std is looked for, and the factor from one to the next.
const WEIGHTS: (f64, f64) = (1e-3, 1e3);
const STEP: f64 = 1.1;

/// Finds the fixed point that signals come to that begin with inputs of mean square 1, and so with
/// pre-activations of variance `w_std^2 + b_std^2`, where each layer is one of the activation and a dense
/// layer of the NTK parameterisation.
///
/// It is the first in the direction in which variances go from there; an activation may have others.
/// Cost: some 100 to 1000 evaluations of [`Activation::diagonal`].
///
/// ```
/// use ntk_kernels::mean_field::fixed_point;
/// use ntk_kernels::network::relu;
///
/// // V(q) = w^2 q/2 + b^2 and chi_1 = w^2/2.
/// let point = fixed_point(&relu(), 1.0, 0.5)?;
/// assert!((point.variance - 0.5).abs() < 1e-12 && (point.chi - 0.5).abs() < 1e-12);
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
///
/// # Errors
/// Returns [`MeanFieldError::Range`] and [`MeanFieldError::NotANumber`].
pub fn fixed_point(
    activation: &Activation,
    w_std: f64,
    b_std: f64,
) -> Result<FixedPoint, MeanFieldError> {
    for (name, value) in [("w_std", w_std), ("b_std", b_std)] {
        if !(value.is_finite() && value >= 0.0) {
            return Err(MeanFieldError::Range { name, value });
        }
    }
    let (weights, biases) = (w_std * w_std, b_std * b_std);
    let scaled = |of: f64, variance: f64| {
        let product = if weights > 0.0 { weights * of } else { 0.0 };
        match product.is_nan() {
            false => Ok(product),
            true => Err(MeanFieldError::NotANumber {
                activation: activation.to_string(),
                variance,
            }),
        }
    };
    let grows = |q: f64| -> Result<f64, MeanFieldError> {
        Ok(scaled(activation.diagonal(q).0, q)? + biases - q)
    };
    let at = |variance: f64, q: f64| -> Result<FixedPoint, MeanFieldError> {
        let chi = scaled(activation.diagonal(q).1, q)?;
        Ok(FixedPoint { variance, chi })
    };
    let (least, most) = VARIANCES;
    let start = (weights + biases).clamp(least, most);
    let first = grows(start)?;
    // Rounding does not tell from a fixed point; to the relu of w^2 = 2 each variance is one.
    if first.abs() <= 8.0 * f64::EPSILON * start {
        return at(start, start);
    }
    let (factor, up) = if first > 0.0 {
        (2.0, true)
    } else {
        (0.5, false)
    };
    let mut near = start;
    let mut far = start * factor;
    while (grows(far)? > 0.0) == up {
        if !(least..=most).contains(&far) {
            let variance = if up { f64::INFINITY } else { 0.0 };
            return at(variance, if up { far } else { 0.0 });
        }
        (near, far) = (far, far * factor);
    }
    loop {
        let middle = (near * far).sqrt();
        if (far / near).ln().abs() <= 4.0 * f64::EPSILON || middle == near || middle == far {
            return at(middle, middle);
        }
        match (grows(middle)? > 0.0) == up {
            true => near = middle,
            false => far = middle,
        }
    }
}

/// Finds the critical w_std for these biases: the smallest, from 1e-3 to 1e3, at which chi_1 of
/// [`fixed_point`] goes through 1, be it by a jump, where signals leave one fixed point for another.
///
/// Cost: some 150 of [`fixed_point`].
///
/// ```
/// use ntk_kernels::mean_field::critical_w_std;
/// use ntk_kernels::network::{erf, relu};
///
/// // The initialisation of He et al. 2015, whatever the biases.
/// assert!((critical_w_std(&relu(), 0.3)? - 2.0_f64.sqrt()).abs() < 1e-12);
/// assert!((critical_w_std(&erf(1.0, 1.0, 0.0), 0.5)? - 1.371_330).abs() < 1e-6);
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
///
/// # Errors
/// Fails as [`fixed_point`] does; returns [`MeanFieldError::NotCritical`] where there is none, as of an
/// activation that is constant but for steps.
pub fn critical_w_std(activation: &Activation, b_std: f64) -> Result<f64, MeanFieldError> {
    let chi = |w_std: f64| Ok(fixed_point(activation, w_std, b_std)?.chi);
    let (low, high) = WEIGHTS;
    let least = chi(low)?;
    let (mut before, mut after, mut now) = (low, low, least);
    while now < 1.0 && after < high {
        (before, after) = (after, (after * STEP).min(high));
        now = chi(after)?;
    }
    if least >= 1.0 || now < 1.0 {
        return Err(MeanFieldError::NotCritical {
            activation: activation.to_string(),
            b_std,
            low,
            high,
            least,
            most: now,
        });
    }
    loop {
        let middle = f64::midpoint(before, after);
        if middle <= before || middle >= after {
            return Ok(after);
        }
        match chi(middle)? < 1.0 {
            true => before = middle,
            false => after = middle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dual::quadrature::Function;
    use crate::dual::{erf, exp, gelu, leaky_relu, quadrature, relu, sign};
    use approx::assert_relative_eq;

    /// erf of slope `2/sqrt(pi)` at 0.
    fn of_erf() -> Activation {
        erf(1.0, 1.0, 0.0)
    }

    #[test]
    fn relu_by_hand() {
        // q = w^2 q/2 + b^2, chi = w^2/2.
        for (w, b) in [(0.3, 0.7), (1.0, 1e-3), (1.4, 2.0)] {
            let found = fixed_point(&relu(), w, b).unwrap();
            assert_relative_eq!(
                found.variance,
                b * b / (1.0 - w * w / 2.0),
                max_relative = 1e-12
            );
            assert_relative_eq!(found.chi, w * w / 2.0, max_relative = 1e-14);
        }
        let of = |w, b| fixed_point(&relu(), w, b).unwrap();
        assert_eq!((of(1.0, 0.0).variance, of(1.0, 0.0).chi), (0.0, 0.5));
        assert_eq!(
            (of(2.0, 0.1).variance, of(2.0, 0.1).chi),
            (f64::INFINITY, 2.0)
        );
        assert_eq!((of(0.0, 0.5).variance, of(0.0, 0.5).chi), (0.25, 0.0));
        // Where each variance is a fixed point, that of the start is.
        assert_relative_eq!(
            of(std::f64::consts::SQRT_2, 0.0).variance,
            2.0,
            max_relative = 1e-15
        );
    }

    /// The critical line of relu is w^2 = 2, that of a slope s on the negative side w^2 = 2/(1 + s^2).
    #[test]
    fn critical_relus_have_one_weight_for_all_biases() {
        for b in [0.0, 1e-3, 0.2, 1.0, 30.0] {
            let found = critical_w_std(&relu(), b).unwrap();
            assert_relative_eq!(found, std::f64::consts::SQRT_2, max_relative = 1e-13);
            let found = critical_w_std(&leaky_relu(0.5), b).unwrap();
            assert_relative_eq!(found, 1.6_f64.sqrt(), max_relative = 1e-13);
        }
    }

    /// By the trapezoidal rule over z from -12 to 12 with 800 points in Python 3 (spectrally accurate),
    /// bisecting the q at which `q - K(q)/D(q) = b^2`; there `w^2 = 1/D(q)`.
    #[test]
    fn critical_lines_of_erf_and_tanh() {
        let tanh = quadrature(Function::Tanh, 128);
        for (b, of_erf_, of_tanh) in [
            (0.1, 1.055_594_649_192_472_4, 1.193_400_725_024_329_5),
            (0.5, 1.371_330_470_323_362_4, 1.549_673_912_508_167_8),
            (1.0, 1.648_751_452_565_079_7, 1.855_589_101_138_892_3),
        ] {
            assert_relative_eq!(
                critical_w_std(&of_erf(), b).unwrap(),
                of_erf_,
                max_relative = 1e-10
            );
            // The derivative's kernel of the quadrature is good to 1e-7 or so.
            assert_relative_eq!(
                critical_w_std(&tanh, b).unwrap(),
                of_tanh,
                max_relative = 1e-5
            );
        }
        // Published for tanh (Schoenholz et al. 2017, section 3): w^2 = 1.76 at b^2 = 0.05.
        let published = critical_w_std(&tanh, 0.05_f64.sqrt()).unwrap().powi(2);
        assert!((published - 1.76).abs() < 0.005, "{published}");
        // Without biases the fixed point is 0, and w times the slope there is 1.
        let slope = std::f64::consts::FRAC_2_SQRT_PI;
        let found = critical_w_std(&of_erf(), 0.0).unwrap();
        assert_relative_eq!(found, 1.0 / slope, max_relative = 1e-10);
    }

    /// By 5000 iterations of the same rule.
    #[test]
    fn fixed_points_are_those_of_iterating() {
        let found = fixed_point(&of_erf(), 1.5, 0.3).unwrap();
        assert_relative_eq!(
            found.variance,
            1.219_168_952_761_654_5,
            max_relative = 1e-12
        );
        assert_relative_eq!(found.chi, 1.181_753_153_977_959_8, max_relative = 1e-12);
        // Without biases order forgets all signals.
        assert_eq!(fixed_point(&of_erf(), 0.8, 0.0).unwrap().variance, 0.0);
    }

    /// A fixed point is reached from both sides, and is one.
    #[test]
    fn what_is_found_is_fixed() {
        for activation in [of_erf(), gelu(), relu(), leaky_relu(0.1)] {
            for (w, b) in [(0.5, 2.0), (1.2, 0.1), (1.3, 1.0)] {
                let FixedPoint { variance, chi } = fixed_point(&activation, w, b).unwrap();
                let (kernel, derivative) = activation.diagonal(variance);
                assert_relative_eq!(w * w * kernel + b * b, variance, max_relative = 1e-13);
                assert_eq!(chi, w * w * derivative);
            }
        }
    }

    #[test]
    fn what_has_none_is_refused() {
        for (w, b, name) in [(-1.0, 0.0, "w_std"), (1.0, f64::NAN, "b_std")] {
            let error = fixed_point(&relu(), w, b).unwrap_err();
            assert!(matches!(error, MeanFieldError::Range { name: of, .. } if of == name));
        }
        assert!(critical_w_std(&relu(), -0.1).is_err());
        let error = critical_w_std(&sign(), 0.1).unwrap_err();
        assert!(
            matches!(error, MeanFieldError::NotCritical { most: 0.0, .. }),
            "{error}"
        );
        // A kernel that overflows grows without bound.
        assert_eq!(
            fixed_point(&exp(1.0, 1.0), 2.0, 0.0).unwrap().variance,
            f64::INFINITY
        );
    }
}
