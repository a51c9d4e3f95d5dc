//! `S = -sum p ln p` over the eigenvalues p of a density matrix (von Neumann 1927).
//!
//! It is 0 for one nonzero eigenvalue, and at most `ln r` for r of them, reached only if they are
//! equal.

use crate::Spectrum;
use ndarray::Array1;

/// Computes the von Neumann entropy in nats, from 0 to `ln n`.
///
/// ```
/// use ndarray::array;
/// use ntk_entropy::{Spectrum, von_neumann};
/// let spectrum = Spectrum::of(&array![[5.0, 0.0], [0.0, 5.0]])?; // two equal eigenvalues
/// assert!((von_neumann::entropy(&spectrum) - 2.0_f64.ln()).abs() < 1e-15);
/// # Ok::<(), ntk_entropy::Error>(())
/// ```
#[must_use]
pub fn entropy(spectrum: &Spectrum) -> f64 {
    shannon(&spectrum.probabilities)
}

/// Computes `-sum p ln p` (Shannon 1948).
pub(crate) fn shannon(probabilities: &Array1<f64>) -> f64 {
    // 0 ln 0 = 0; adding 0 turns the -0 of a pure state into 0.
    let term = |&p: &f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    probabilities.iter().map(term).sum::<f64>() + 0.0
}

/// Computes the entropy divided by `ln n`, from 0 to 1; 0 for n = 1.
#[must_use]
pub fn effective(spectrum: &Spectrum) -> f64 {
    match spectrum.probabilities.len() {
        0 | 1 => 0.0,
        n => entropy(spectrum) / (n as f64).ln(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Normalization;
    use approx::assert_relative_eq;
    use ndarray::Array2;
    use proptest::prelude::*;

    fn of(k: &Array2<f64>) -> f64 {
        entropy(&Spectrum::of_kernel(k, Normalization::Trace).unwrap())
    }

    #[test]
    fn pure_and_uniform_are_exact() {
        assert_eq!(of(&Array2::from_elem((1, 1), 7.0)), 0.0);
        let pure =
            Spectrum::of_eigenvalues(&ndarray::aview1(&[0.0, 0.0, 2.5]), Normalization::Trace)
                .unwrap();
        assert_eq!((entropy(&pure), effective(&pure)), (0.0, 0.0));
        for n in [2, 3, 64] {
            let uniform =
                Spectrum::of_eigenvalues(&Array1::from_elem(n, 0.3), Normalization::Trace).unwrap();
            assert_relative_eq!(entropy(&uniform), (n as f64).ln(), max_relative = 1e-14);
            assert_relative_eq!(effective(&uniform), 1.0, max_relative = 1e-14);
        }
    }

    proptest! {
        /// 0 <= S <= ln rank; the same for any positive multiple of K.
        #[test]
        fn bounded_by_the_rank_and_blind_to_scale(
            n in 1_usize..12, rank in 1_usize..5, seed in 0_u64..1000, exponent in -20_i32..20,
        ) {
            let g = Array2::from_shape_fn((n, rank), |(i, j)| {
                ((seed as f64 + 1.7) * (3 * i + 7 * j + 1) as f64).sin()
            });
            let k = g.dot(&g.t());
            let s = of(&k);
            prop_assert!(s >= 0.0 && s <= (rank.min(n) as f64).ln() + 1e-12, "{s}");
            let scaled = of(&(&k * 10.0_f64.powi(exponent)));
            prop_assert!((s - scaled).abs() < 1e-10, "{s} {scaled}");
        }
    }
}
