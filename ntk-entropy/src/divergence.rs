//! How far two kernels of the same samples are from each other, as density matrices rho and sigma.

use crate::spectrum::prepared;
use crate::{EntropyError, Normalization, Spectrum, von_neumann};
use ndarray::{Array2, ArrayRef2, s};
use ntk_linalg::{LinalgError, Real, eigenvalues, eigh, matmul};

/// Computes the relative entropy `tr rho (ln rho - ln sigma)` (Umegaki 1962) in nats, of `rho` and
/// `sigma` (n, n) normalised as said: 0 where they are equal and positive elsewhere (Klein 1931),
/// to rounding.
///
/// It is infinite where more than `10 n eps` of the mass of rho lies in the eigenvectors of sigma
/// whose eigenvalues count as zero; eps is that of the matrices' type. It is not symmetric. Cost:
/// two eigendecompositions and a product of order n.
///
/// ```
/// use ndarray::array;
/// use ntk_entropy::{Normalization, divergence::relative_entropy};
/// let [rho, sigma] = [array![[1.0, 0.0], [0.0, 1.0]], array![[3.0, 0.0], [0.0, 1.0]]];
/// let found = relative_entropy(&rho, &sigma, Normalization::Trace)?;
/// assert!((found - 0.5 * (4.0_f64 / 3.0).ln()).abs() < 1e-14); // of (1/2, 1/2) and (3/4, 1/4)
/// # Ok::<(), ntk_entropy::Error>(())
/// ```
///
/// # Errors
/// [`EntropyError::Linalg`] for shapes that differ; those of [`Spectrum::of_kernel`] for each.
pub fn relative_entropy<T: Real>(
    rho: &ArrayRef2<T>,
    sigma: &ArrayRef2<T>,
    normalization: Normalization,
) -> Result<f64, EntropyError> {
    let pair = Pair::of("a relative entropy", rho, sigma, normalization)?;
    // The mass of rho in each eigenvector of sigma.
    let masses = pair.rho.probabilities.dot(&pair.overlaps.mapv(|o| o * o));
    let (mut outside, mut cross) = (0.0, 0.0);
    for (&mass, &q) in masses.iter().zip(&pair.sigma.probabilities) {
        match q > 0.0 {
            true => cross -= mass * q.ln(),
            false => outside += mass,
        }
    }
    if outside > 10.0 * masses.len() as f64 * Real::to_f64(T::epsilon()) {
        return Ok(f64::INFINITY);
    }
    Ok(cross - von_neumann::entropy(&pair.rho))
}

/// Computes the fidelity `(tr sqrt(sqrt(rho) sigma sqrt(rho)))^2` (Uhlmann 1976; Jozsa 1994) of
/// `rho` and `sigma` (n, n) normalised as said: from 0 where they are orthogonal to 1 where they
/// are equal, to rounding. It is symmetric. Some authors leave out the square.
///
/// It is known to `sqrt(n eps)` only where one has an eigenvalue that rounding may have made or taken,
/// and the other has mass there.
///
/// Cost: two eigendecompositions and a product of order n, eigenvalues of order 2 n.
///
/// # Errors
/// As [`relative_entropy`].
pub fn fidelity<T: Real>(
    rho: &ArrayRef2<T>,
    sigma: &ArrayRef2<T>,
    normalization: Normalization,
) -> Result<f64, EntropyError> {
    let pair = Pair::of("a fidelity", rho, sigma, normalization)?;
    let mut roots = pair.overlaps;
    for ((i, j), overlap) in roots.indexed_iter_mut() {
        *overlap *= (pair.rho.probabilities[i] * pair.sigma.probabilities[j]).sqrt();
    }
    // tr sqrt(..) is the sum of the singular values of sqrt(rho) sqrt(sigma), which are the
    // positive eigenvalues of [0 A^T; A 0]: those of A A^T would lose half the digits.
    let n = roots.nrows();
    let mut doubled = Array2::zeros((2 * n, 2 * n));
    doubled.slice_mut(s![n.., ..n]).assign(&roots);
    let sum: f64 = eigenvalues(&doubled)?.iter().skip(n).sum();
    Ok(sum * sum)
}

/// Computes the quantum Jensen-Shannon divergence `S((rho + sigma)/2) - (S(rho) + S(sigma))/2` (Majtey,
/// Lamberti & Prato 2005) in nats, of `rho` and `sigma` (n, n) normalised as said: from 0 where
/// they are equal to `ln 2` where they are orthogonal, to rounding. It is symmetric.
///
/// Cost: eigenvalues of three matrices of order n.
///
/// # Errors
/// As [`relative_entropy`].
pub fn jensen_shannon<T: Real>(
    rho: &ArrayRef2<T>,
    sigma: &ArrayRef2<T>,
    normalization: Normalization,
) -> Result<f64, EntropyError> {
    check_shapes("a Jensen-Shannon divergence", rho, sigma)?;
    let (rho, s_rho) = density(rho, normalization)?;
    let (sigma, s_sigma) = density(sigma, normalization)?;
    let mixture = Spectrum::of(&(rho + sigma))?;
    Ok(von_neumann::entropy(&mixture) - (s_rho + s_sigma) / 2.0)
}

/// Two density matrices by their spectra.
struct Pair {
    rho: Spectrum,
    sigma: Spectrum,
    /// The products of eigenvectors: those of rho in rows, those of sigma in columns.
    overlaps: Array2<f64>,
}

impl Pair {
    fn of<T: Real>(
        operation: &'static str,
        rho: &ArrayRef2<T>,
        sigma: &ArrayRef2<T>,
        normalization: Normalization,
    ) -> Result<Self, EntropyError> {
        check_shapes(operation, rho, sigma)?;
        let (rho, left) = decomposed(rho, normalization)?;
        let (sigma, right) = decomposed(sigma, normalization)?;
        Ok(Self {
            rho,
            sigma,
            overlaps: matmul(&left.t(), &right)?,
        })
    }
}

/// Computes the spectrum of a density matrix, and its eigenvectors in columns.
fn decomposed<T: Real>(
    k: &ArrayRef2<T>,
    normalization: Normalization,
) -> Result<(Spectrum, Array2<f64>), EntropyError> {
    let (k, normalization) = prepared(k, normalization)?;
    let eigh = eigh(&k)?;
    let spectrum = Spectrum::of_eigenvalues(&eigh.values, normalization)?;
    Ok((spectrum, eigh.vectors.mapv(Real::to_f64)))
}

/// Computes the density matrix (n, n) of `k`, and its von Neumann entropy.
fn density<T: Real>(
    k: &ArrayRef2<T>,
    normalization: Normalization,
) -> Result<(Array2<T>, f64), EntropyError> {
    let (k, normalization) = prepared(k, normalization)?;
    let spectrum = Spectrum::of_eigenvalues(&eigenvalues(&k)?, normalization)?;
    // Over the largest eigenvalue the trace does not overflow.
    let largest = spectrum.largest_eigenvalue();
    let trace: f64 = k.diag().iter().map(|&v| Real::to_f64(v) / largest).sum();
    let rho = k.mapv(|v| T::of(Real::to_f64(v) / largest / trace));
    Ok((rho, von_neumann::entropy(&spectrum)))
}

fn check_shapes<T: Real>(
    operation: &'static str,
    rho: &ArrayRef2<T>,
    sigma: &ArrayRef2<T>,
) -> Result<(), LinalgError> {
    match rho.dim() == sigma.dim() {
        true => Ok(()),
        false => Err(LinalgError::ShapeMismatch {
            operation,
            left: rho.dim(),
            right: sigma.dim(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use ndarray::array;

    type Divergence =
        fn(&ArrayRef2<f64>, &ArrayRef2<f64>, Normalization) -> Result<f64, EntropyError>;
    const ALL: [Divergence; 3] = [relative_entropy, fidelity, jensen_shannon];

    fn all(rho: &Array2<f64>, sigma: &Array2<f64>, normalization: Normalization) -> [f64; 3] {
        ALL.map(|of| of(rho, sigma, normalization).unwrap())
    }

    /// Of commuting matrices they are those of the distributions (p, 1-p) and (q, 1-q).
    #[test]
    fn diagonal_by_hand() {
        let (p, q): (f64, f64) = (0.25, 0.4);
        let kl = |p: f64, q: f64| p * (p / q).ln() + (1.0 - p) * ((1.0 - p) / (1.0 - q)).ln();
        let half = (p + q) / 2.0;
        let expected = [
            kl(p, q),
            ((p * q).sqrt() + ((1.0 - p) * (1.0 - q)).sqrt()).powi(2),
            (kl(p, half) + kl(q, half)) / 2.0,
        ];
        for (a, b) in [(1.0, 1.0), (3e300, 1e-300), (1e-8, 1e308)] {
            let rho = array![[p, 0.0], [0.0, 1.0 - p]] * a;
            let sigma = array![[q, 0.0], [0.0, 1.0 - q]] * b;
            let found = all(&rho, &sigma, Normalization::Trace);
            for (found, expected) in found.into_iter().zip(expected) {
                assert_relative_eq!(found, expected, epsilon = 1e-15);
            }
        }
    }

    /// Pure states of overlap cos(a): F = cos^2, QJS the entropy of (1 +- cos)/2.
    #[test]
    fn pure_states() {
        for angle in [0.0_f64, 0.3, 1.2, std::f64::consts::FRAC_PI_2] {
            let (sin, cos) = angle.sin_cos();
            let rho = array![[1.0, 0.0], [0.0, 0.0]];
            let sigma = array![[cos * cos, cos * sin], [cos * sin, sin * sin]];
            let p = [(1.0 + cos) / 2.0, (1.0 - cos) / 2.0];
            let s: f64 = p
                .iter()
                .map(|&p| if p > 0.0 { -p * p.ln() } else { 0.0 })
                .sum();
            let [relative, fidelity, jensen_shannon] = all(&rho, &sigma, Normalization::None);
            let expected = if angle == 0.0 { 0.0 } else { f64::INFINITY };
            assert_eq!(relative, expected);
            assert_relative_eq!(fidelity, cos * cos, epsilon = 1e-15);
            assert_relative_eq!(jensen_shannon, s, epsilon = 1e-14);
        }
    }

    #[test]
    fn support_within_rounding() {
        let within = array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]];
        let mut rho = array![[3.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]];
        let of = |rho: &Array2<f64>| relative_entropy(rho, &within, Normalization::Trace).unwrap();
        // Eigenvalues (2 +- sqrt 2)/4 against one half.
        let s: f64 = [2.0 + 2.0_f64.sqrt(), 2.0 - 2.0_f64.sqrt()]
            .map(|p| -(p / 4.0) * (p / 4.0).ln())
            .iter()
            .sum();
        assert_relative_eq!(of(&rho), 2.0_f64.ln() - s, epsilon = 1e-14);
        rho[[2, 2]] = 1e-15;
        assert_relative_eq!(of(&rho), 2.0_f64.ln() - s, epsilon = 1e-13);
        rho[[2, 2]] = 1e-13;
        assert_eq!(of(&rho), f64::INFINITY);
        // The other way round: nothing of `within` lies outside.
        let back = relative_entropy(&within, &rho, Normalization::Trace).unwrap();
        assert!(back.is_finite() && back > 0.0);
    }

    #[test]
    fn normalization_is_asked_for() {
        // Alike but for magnitudes.
        let rho = array![[1.0, 0.5], [0.5, 1.0]];
        let sigma = array![[4.0, 1.0], [1.0, 1.0]];
        let [relative, fidelity, jensen_shannon] = all(&rho, &sigma, Normalization::Cosine);
        assert_relative_eq!(relative, 0.0, epsilon = 1e-15);
        assert_relative_eq!(fidelity, 1.0, epsilon = 1e-15);
        assert_relative_eq!(jensen_shannon, 0.0, epsilon = 1e-15);
        assert!(all(&rho, &sigma, Normalization::Trace)[0] > 0.01);
        for of in ALL {
            let error = of(&rho, &sigma, Normalization::None).unwrap_err();
            assert!(matches!(error, EntropyError::NotNormalized { trace } if trace == 2.0));
        }
    }

    #[test]
    fn errors() {
        let (one, two) = (array![[1.0]], array![[1.0, 0.0], [0.0, 1.0]]);
        let empty: Array2<f64> = Array2::zeros((0, 0));
        let indefinite = array![[1.0, 2.0], [2.0, 1.0]];
        for of in ALL {
            for normalization in [Normalization::Trace, Normalization::Cosine] {
                let of = |a: &Array2<f64>, b: &Array2<f64>| of(a, b, normalization);
                let error = of(&one, &two).unwrap_err();
                let expected = ((1, 1), (2, 2));
                assert!(matches!(
                    error,
                    EntropyError::Linalg(LinalgError::ShapeMismatch { left, right, .. })
                        if (left, right) == expected
                ));
                let zero = [&empty, &(&two * 0.0)].map(|k| of(k, k).unwrap_err());
                assert_eq!(zero, [0, 1].map(|_| EntropyError::ZeroTrace { trace: 0.0 }));
                for bad in [&array![[1.0, 0.5], [0.4, 1.0]], &(&two * f64::NAN)] {
                    let [first, second] = [of(bad, &two), of(&two, bad)];
                    assert!(matches!(first, Err(EntropyError::Linalg(_))), "{bad}");
                    assert!(matches!(second, Err(EntropyError::Linalg(_))), "{bad}");
                }
                let error = of(&two, &indefinite).unwrap_err();
                assert!(matches!(error, EntropyError::Indefinite { .. }));
            }
        }
        assert_eq!(all(&one, &one, Normalization::None), [0.0, 1.0, 0.0]);
    }
}
