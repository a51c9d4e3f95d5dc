//! `S_a = ln(sum p^a) / (1 - a)` of order a, over the eigenvalues p of a density matrix (Renyi
//! 1961): a family that never increases with its order.

use crate::{EntropyError, Spectrum, rank, von_neumann};

/// Computes the Renyi entropy of order `order`, from 0 to infinity, in nats, from 0 to `ln n`.
/// Cost: n.
///
/// Order 0 is `ln rank` (Hartley), 1 the von Neumann entropy, 2 `-ln purity` (collision), and
/// infinity `-ln p_max` (min-entropy).
///
/// # Errors
/// [`EntropyError::Order`] for an order that is negative or NaN.
///
/// ```
/// use ndarray::array;
/// use ntk_entropy::{Spectrum, renyi};
/// let spectrum = Spectrum::of(&array![[3.0, 0.0], [0.0, 1.0]])?; // probabilities 3/4 and 1/4
/// assert!((renyi::entropy(&spectrum, 2.0)? - 1.6_f64.ln()).abs() < 1e-14); // -ln(9/16 + 1/16)
/// # Ok::<(), ntk_entropy::Error>(())
/// ```
pub fn entropy(spectrum: &Spectrum, order: f64) -> Result<f64, EntropyError> {
    if order.is_nan() || order < 0.0 {
        return Err(EntropyError::Order { order });
    }
    if order == 0.0 {
        return Ok((rank::rank(spectrum) as f64).ln());
    }
    if order == 1.0 {
        return Ok(von_neumann::entropy(spectrum));
    }
    let p = spectrum.probabilities.iter().filter(|&&p| p > 0.0);
    let largest = p.clone().fold(0.0_f64, |m, &p| m.max(p));
    // Adding 0 turns the -0 of a pure state into 0.
    if order == f64::INFINITY {
        return Ok(-largest.ln() + 0.0);
    }
    // sum p^a - 1: of terms of one sign, so that nothing cancels near order 1.
    let excess: f64 = p
        .clone()
        .map(|p| p * ((order - 1.0) * p.ln()).exp_m1())
        .sum();
    if excess > -0.5 {
        return Ok(excess.ln_1p() / (1.0 - order) + 0.0);
    }
    // Far from order 1 the sum itself is small; over the largest, its powers do not underflow.
    let over_largest: f64 = p.map(|p| (p / largest).powf(order)).sum();
    Ok(order / (1.0 - order) * largest.ln() + over_largest.ln() / (1.0 - order))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Normalization;
    use approx::assert_relative_eq;
    use ndarray::aview1;

    fn spectrum(values: &[f64]) -> Spectrum {
        Spectrum::of_eigenvalues(&aview1(values), Normalization::Trace).unwrap()
    }

    #[test]
    fn pure_and_uniform_of_any_order() {
        let orders = [
            0.0,
            1e-300,
            0.3,
            1.0 - 1e-15,
            1.0,
            1.5,
            2.0,
            1e3,
            f64::MAX,
            f64::INFINITY,
        ];
        for order in orders {
            for pure in [&[7.0][..], &[0.0, 0.0, 2.5]] {
                assert_eq!(entropy(&spectrum(pure), order).unwrap(), 0.0);
            }
            let uniform = entropy(&spectrum(&[0.3; 64]), order).unwrap();
            assert_relative_eq!(uniform, 64.0_f64.ln(), max_relative = 1e-14);
        }
    }

    #[test]
    fn by_hand() {
        let s = spectrum(&[0.0, 1.0, 1.0, 2.0]);
        let of = |order| entropy(&s, order).unwrap();
        assert_eq!(of(0.0), 3.0_f64.ln());
        assert_eq!(of(1.0), von_neumann::entropy(&s));
        // sum sqrt(p) = 1 + 1/sqrt(2)
        assert_relative_eq!(of(0.5), 2.0 * 0.5_f64.sqrt().ln_1p(), epsilon = 1e-15);
        assert_relative_eq!(of(2.0), (8.0_f64 / 3.0).ln(), epsilon = 1e-15);
        assert_relative_eq!(of(3.0), (32.0_f64 / 5.0).ln() / 2.0, epsilon = 1e-15);
        assert_eq!(of(f64::INFINITY), 2.0_f64.ln());
        assert_relative_eq!(of(f64::MAX), 2.0_f64.ln(), epsilon = 1e-15);
    }

    /// `S_(1+d) = S - d/2 Var(ln p) + O(d^2)`.
    #[test]
    fn tends_to_von_neumann() {
        let s = spectrum(&[1e-9, 0.2, 0.3, 5.0]);
        let p = &s.probabilities;
        let mean = von_neumann::entropy(&s);
        let variance: f64 = p.iter().map(|p| p * (p.ln() + mean).powi(2)).sum();
        for d in [1e-5, 1e-9, 1e-15, -1e-15, -1e-9, -1e-5] {
            let found = entropy(&s, 1.0 + d).unwrap();
            // |ln p| < 23 here, and the third moment of ln p is below 23 times the variance.
            let tolerance = 1e-15 + 23.0 * variance * d * d;
            assert_relative_eq!(found, mean - d / 2.0 * variance, epsilon = tolerance);
        }
    }

    #[test]
    fn errors() {
        let s = spectrum(&[1.0, 2.0]);
        for order in [-1e-300, -1.0, f64::NEG_INFINITY] {
            assert_eq!(entropy(&s, order), Err(EntropyError::Order { order }));
        }
        assert!(matches!(
            entropy(&s, f64::NAN),
            Err(EntropyError::Order { order }) if order.is_nan()
        ));
    }
}
