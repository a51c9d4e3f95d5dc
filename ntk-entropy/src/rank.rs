//! How many directions a kernel has: its rank, and numbers that count small eigenvalues less.
//!
//! Each is 1 for one nonzero eigenvalue, r for r equal ones, and for any spectrum
//! `stable rank <= intrinsic dimension <= participation ratio <= effective rank <= rank`.
//! Eigenvalues that count as zero are left out of all of them.
//!
//! ```
//! use ndarray::array;
//! use ntk_entropy::{Spectrum, rank};
//! let spectrum = Spectrum::of(&array![[2.0, 1.0], [1.0, 2.0]])?; // eigenvalues 1 and 3
//! assert_eq!(rank::rank(&spectrum), 2);
//! assert!((rank::participation_ratio(&spectrum) - 1.6).abs() < 1e-14); // (1 + 3)^2 / (1 + 9)
//! assert!((rank::effective_rank(&spectrum) - 1.7548).abs() < 1e-4);
//! # Ok::<(), ntk_entropy::Error>(())
//! ```

use crate::{Spectrum, von_neumann};

/// Counts the eigenvalues that do not count as zero.
#[must_use]
pub fn rank(spectrum: &Spectrum) -> usize {
    spectrum.probabilities.iter().filter(|&&p| p > 0.0).count()
}

/// Computes `exp(S)` of the von Neumann entropy S (Roy & Vetterli 2007, eq. 3, there of singular
/// values).
#[must_use]
pub fn effective_rank(spectrum: &Spectrum) -> f64 {
    von_neumann::entropy(spectrum).exp()
}

/// Computes `(tr K)^2 / tr K^2`, one over the purity.
#[must_use]
pub fn participation_ratio(spectrum: &Spectrum) -> f64 {
    purity(spectrum).recip()
}

/// Computes `tr K / |K|_2`, one over the largest probability (Tropp 2015, definition 7.1.1). Of
/// features F with `K = F F^T` it is the stable rank `|F|_F^2 / |F|_2^2`.
#[must_use]
pub fn intrinsic_dimension(spectrum: &Spectrum) -> f64 {
    largest(spectrum).recip()
}

/// Computes `|K|_F^2 / |K|_2^2`, the stable (or numerical) rank of the matrix K itself (Rudelson &
/// Vershynin 2007), not of features.
#[must_use]
pub fn stable_rank(spectrum: &Spectrum) -> f64 {
    let largest = largest(spectrum);
    let square = |p: &f64| (p / largest).powi(2);
    spectrum.probabilities.iter().map(square).sum()
}

/// Computes the purity `tr rho^2 = tr K^2 / (tr K)^2`, from 1/n to 1.
#[must_use]
pub fn purity(spectrum: &Spectrum) -> f64 {
    spectrum.probabilities.iter().map(|p| p * p).sum()
}

fn largest(spectrum: &Spectrum) -> f64 {
    spectrum.probabilities.last().copied().unwrap_or(0.0)
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

    const ALL: [fn(&Spectrum) -> f64; 4] = [
        stable_rank,
        intrinsic_dimension,
        participation_ratio,
        effective_rank,
    ];

    #[test]
    fn pure_and_uniform() {
        for pure in [&[7.0][..], &[0.0, -1e-17, 2.5]] {
            let s = spectrum(pure);
            assert_eq!((rank(&s), purity(&s)), (1, 1.0));
            assert!(ALL.iter().all(|of| of(&s) == 1.0));
        }
        let s = spectrum(&[0.3, 0.0, 0.3, 0.3]);
        assert_eq!(rank(&s), 3);
        assert_relative_eq!(purity(&s), 1.0 / 3.0, max_relative = 1e-15);
        for of in ALL {
            assert_relative_eq!(of(&s), 3.0, max_relative = 1e-15);
        }
    }

    #[test]
    fn by_hand() {
        // Probabilities 1/2, 1/4, 1/4, at any scale.
        for scale in [1.0, 1e300, 1e-300] {
            let s = spectrum(&[2.0 * scale, scale, scale]);
            assert_eq!(rank(&s), 3);
            assert_relative_eq!(purity(&s), 0.375, max_relative = 1e-15);
            let expected = [1.5, 2.0, 8.0 / 3.0, 2.0 * 2.0_f64.sqrt()];
            for (of, expected) in ALL.iter().zip(expected) {
                assert_relative_eq!(of(&s), expected, max_relative = 1e-15);
            }
        }
    }
}
