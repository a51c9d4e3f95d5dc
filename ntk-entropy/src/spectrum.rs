//! From a kernel matrix to probabilities.

use ndarray::{Array1, ArrayRef1, ArrayRef2, CowArray, Ix2};
use ntk_linalg::{Real, eigenvalues};

pub use crate::error::EntropyError;
use crate::matrix::{check_kernel, rounded_cosine};
use crate::rounding::Rounding;

/// A `Normalization` says how a kernel matrix K becomes a density matrix rho, whose eigenvalues are
/// probabilities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Normalization {
    /// The matrix itself, `rho = K`, which must have trace 1 (to n eps) already.
    None,
    /// The matrix divided by its trace, `rho = K / tr K`.
    #[default]
    Trace,
    /// The matrix without its magnitudes, `rho = C / tr C` of the cosines
    /// `C_ij = K_ij / sqrt(K_ii K_jj)`.
    Cosine,
}

/// A `Spectrum` is the eigenvalues of a density matrix, and of the matrix that it was made from.
///
/// It takes one eigendecomposition, and all entropies and ranks of [`von_neumann`](crate::von_neumann),
/// [`renyi`](crate::renyi) and [`rank`](crate::rank) follow from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// The eigenvalues (n) of K, or of its cosines: ascending, before anything was clipped or divided.
    pub eigenvalues: Array1<f64>,
    /// The eigenvalues (n) of rho: ascending, each zero or positive, adding up to 1.
    pub probabilities: Array1<f64>,
    /// The sum of the eigenvalues, `tr K`; infinite where that overflows, while the probabilities do
    /// not.
    pub trace: f64,
    /// The sum of the absolute eigenvalues that count as zero, divided by the sum of the others.
    pub clipped_mass: f64,
}

impl Spectrum {
    /// Computes the spectrum of a symmetric positive semidefinite `k` (n, n) divided by its trace:
    /// [`Spectrum::of_kernel`] with [`Normalization::Trace`].
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_entropy::{Spectrum, rank, renyi, von_neumann};
    /// let k = array![[2.0, 1.0], [1.0, 2.0]];
    /// // One eigendecomposition, and every entropy from it.
    /// let spectrum = Spectrum::of(&k)?;
    /// assert!((von_neumann::entropy(&spectrum) - 0.5623).abs() < 1e-4);
    /// assert!((renyi::entropy(&spectrum, 2.0)? - 0.4700).abs() < 1e-4);
    /// assert_eq!(rank::rank(&spectrum), 2);
    /// # Ok::<(), ntk_entropy::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Spectrum::of_kernel`].
    pub fn of<T: Real>(k: &ArrayRef2<T>) -> Result<Self, EntropyError> {
        Self::of_kernel(k, Normalization::Trace)
    }

    /// Computes the spectrum of a symmetric positive semidefinite `k` (n, n), normalised as said.
    /// Cost: eigenvalues without vectors, about `4/3 n^3`.
    ///
    /// # Errors
    /// [`EntropyError`] for a matrix that is not square, not finite, not symmetric to
    /// `n eps max K_ii`, of trace zero (or not 1, where it should be), or with eigenvalues that are
    /// negative by more than rounding.
    pub fn of_kernel<T: Real>(
        k: &ArrayRef2<T>,
        normalization: Normalization,
    ) -> Result<Self, EntropyError> {
        Self::of_rounded_kernel(k, normalization, Rounding::of::<T>())
    }

    /// Computes [`Spectrum::of_kernel`] of a matrix that is known to this rounding alone, such as one
    /// of single precision that is computed with in double precision: what rounding explains is then
    /// that of its entries. Cost: as there.
    ///
    /// # Errors
    /// Those of [`Spectrum::of_kernel`], `eps` being that of the rounding.
    pub fn of_rounded_kernel<T: Real>(
        k: &ArrayRef2<T>,
        normalization: Normalization,
        rounding: Rounding,
    ) -> Result<Self, EntropyError> {
        let rounding = rounding.coarser(Rounding::of::<T>());
        if normalization == Normalization::Cosine {
            let values = eigenvalues(&rounded_cosine(k, rounding)?)?;
            return Self::of_rounded_eigenvalues(&values, Normalization::Trace, rounding);
        }
        check_kernel(k, rounding)?;
        Self::of_rounded_eigenvalues(&eigenvalues(k)?, normalization, rounding)
    }

    /// Computes the spectrum from the eigenvalues (n) of such a matrix, in any order. Cost: `n ln n`.
    ///
    /// # Errors
    /// [`EntropyError::ZeroTrace`], [`EntropyError::Indefinite`], [`EntropyError::NotNormalized`],
    /// [`EntropyError::CosineOfEigenvalues`]; [`EntropyError::Eigenvalue`] for NaN or an infinity.
    pub fn of_eigenvalues<T: Real>(
        values: &ArrayRef1<T>,
        normalization: Normalization,
    ) -> Result<Self, EntropyError> {
        Self::of_rounded_eigenvalues(values, normalization, Rounding::of::<T>())
    }

    /// Computes [`Spectrum::of_eigenvalues`] of a matrix that is known to this rounding alone. Cost:
    /// as there.
    ///
    /// # Errors
    /// Those of [`Spectrum::of_eigenvalues`], `eps` being that of the rounding.
    pub fn of_rounded_eigenvalues<T: Real>(
        values: &ArrayRef1<T>,
        normalization: Normalization,
        rounding: Rounding,
    ) -> Result<Self, EntropyError> {
        let rounding = rounding.coarser(Rounding::of::<T>());
        if normalization == Normalization::Cosine {
            return Err(EntropyError::CosineOfEigenvalues);
        }
        let mut found = values.iter().map(|&v| Real::to_f64(v)).enumerate();
        if let Some((place, value)) = found.find(|(_, v)| !v.is_finite()) {
            return Err(EntropyError::Eigenvalue { place, value });
        }
        let n = values.len();
        let mut values: Vec<f64> = values.iter().map(|&v| Real::to_f64(v)).collect();
        values.sort_by(f64::total_cmp);
        let (Some(&smallest), Some(&largest)) = (values.first(), values.last()) else {
            return Err(EntropyError::ZeroTrace { trace: 0.0 });
        };
        // An eigenvalue is known to some n eps lambda_max; ten times that is no rounding.
        let tolerance = 10.0 * rounding.explains(n, largest.max(0.0));
        if smallest < -tolerance {
            return Err(EntropyError::Indefinite {
                smallest,
                tolerance,
            });
        }
        if largest <= 0.0 {
            let trace = values.iter().sum();
            return Err(EntropyError::ZeroTrace { trace });
        }
        // Sums are of eigenvalues over the largest, so that none overflows.
        let sum: f64 = values.iter().map(|v| v / largest).sum();
        let trace = sum * largest;
        check_trace(n, trace, normalization, rounding)?;
        // The largest counts, however many there are.
        let zero = rounding.unresolved(n, largest).min(largest);
        let (mut clipped, mut kept) = (0.0, 0.0);
        for &v in &values {
            match v < zero {
                true => clipped += (v / largest).abs(),
                false => kept += v / largest,
            }
        }
        let probability = |&v: &f64| if v < zero { 0.0 } else { v / largest / kept };
        Ok(Self {
            probabilities: values.iter().map(probability).collect(),
            eigenvalues: values.into(),
            trace,
            clipped_mass: clipped / kept,
        })
    }

    /// Returns the largest eigenvalue, in the units of K.
    #[must_use]
    pub fn largest_eigenvalue(&self) -> f64 {
        self.eigenvalues.last().copied().unwrap_or(0.0)
    }

    /// Returns the largest eigenvalue less the next, in the units of K. For n = 1 it is the
    /// eigenvalue itself: as an operator on features K has zeros beside it.
    #[must_use]
    pub fn spectral_gap(&self) -> f64 {
        let next = self.eigenvalues.iter().rev().nth(1);
        self.largest_eigenvalue() - next.unwrap_or(&0.0)
    }

    /// Returns the largest eigenvalue over the smallest, 1 or more; infinite where the smallest
    /// counts as zero.
    #[must_use]
    pub fn condition_number(&self) -> f64 {
        match (self.probabilities.first(), self.eigenvalues.first()) {
            (Some(&p), Some(smallest)) if p > 0.0 => self.largest_eigenvalue() / smallest,
            _ => f64::INFINITY,
        }
    }
}

/// Checks that the trace is 1 to rounding, if it should be.
pub(crate) fn check_trace(
    n: usize,
    trace: f64,
    normalization: Normalization,
    rounding: Rounding,
) -> Result<(), EntropyError> {
    let tolerance = 10.0 * n as f64 * rounding.eps();
    match normalization == Normalization::None && (trace - 1.0).abs() > tolerance {
        true => Err(EntropyError::NotNormalized { trace }),
        false => Ok(()),
    }
}

/// Checks a kernel matrix, and returns it or its cosines with what is then left to be done.
pub(crate) fn prepared<T: Real>(
    k: &ArrayRef2<T>,
    normalization: Normalization,
) -> Result<(CowArray<'_, T, Ix2>, Normalization), EntropyError> {
    let rounding = Rounding::of::<T>();
    if normalization == Normalization::Cosine {
        return Ok((rounded_cosine(k, rounding)?.into(), Normalization::Trace));
    }
    check_kernel(k, rounding)?;
    Ok((k.view().into(), normalization))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array, aview1};

    #[test]
    fn clips_and_says_what() {
        let spectrum =
            Spectrum::of_eigenvalues(&aview1(&[4.0, -1e-16, 1e-17, 4.0]), Normalization::Trace)
                .unwrap();
        assert_eq!(spectrum.probabilities, array![0.0, 0.0, 0.5, 0.5]);
        assert!((spectrum.clipped_mass - 1.1e-16 / 8.0).abs() < 1e-30);
        assert!((spectrum.trace - 8.0).abs() < 1e-14);
    }

    fn of(values: &[f64]) -> Result<Spectrum, EntropyError> {
        Spectrum::of_eigenvalues(&aview1(values), Normalization::Trace)
    }

    #[test]
    fn near_overflow_and_underflow() {
        for scale in [1e308, 1.0, 1e-300, 1e-310, 4e-323] {
            let diagonal = Array2::from_diag(&array![1.0, 1.0, 1.0]) * scale;
            for normalization in [Normalization::Trace, Normalization::Cosine] {
                let spectrum = Spectrum::of_kernel(&diagonal, normalization).unwrap();
                assert_eq!(spectrum.probabilities, array![1.0, 1.0, 1.0] / 3.0);
                assert_eq!(spectrum.clipped_mass, 0.0);
            }
        }
        assert_eq!(of(&[1e308; 3]).unwrap().trace, f64::INFINITY);
        // The smallest subnormal is rounding, though more than n eps of the largest.
        let spectrum = of(&[-5e-324, 0.0, 1e-310]).unwrap();
        assert_eq!(spectrum.probabilities, array![0.0, 0.0, 1.0]);
        let single = [-1e-45_f32, 1e-40];
        let spectrum = Spectrum::of_eigenvalues(&aview1(&single), Normalization::Trace).unwrap();
        assert_eq!(spectrum.probabilities, array![0.0, 1.0]);
        assert_eq!(of(&[5e-324; 2]).unwrap().probabilities, array![0.5, 0.5]);
    }

    #[test]
    fn extremes_of_the_spectrum() {
        let of = |values: &[f64]| {
            let s = of(values).unwrap();
            (
                s.largest_eigenvalue(),
                s.spectral_gap(),
                s.condition_number(),
            )
        };
        assert_eq!(of(&[3.0]), (3.0, 3.0, 1.0));
        assert_eq!(of(&[2.0, 8.0, 5.0]), (8.0, 3.0, 4.0));
        assert_eq!(of(&[8.0, 8.0, 2.0]), (8.0, 0.0, 4.0));
        assert_eq!(of(&[0.0, 8.0]), (8.0, 8.0, f64::INFINITY));
        assert_eq!(of(&[1e-17, 1.0, 8.0]), (8.0, 7.0, f64::INFINITY));
        assert_eq!(of(&[1e300, 4e300]), (4e300, 3e300, 4.0));
    }

    #[test]
    fn errors() {
        for (values, place) in [([f64::NAN, 1.0], 0), ([1.0, f64::INFINITY], 1)] {
            let error = of(&values).unwrap_err();
            assert!(matches!(error, EntropyError::Eigenvalue { place: p, .. } if p == place));
        }
        // Finite entries, an eigenvalue of 3.4e308.
        let error = Spectrum::of_kernel(&Array2::from_elem((2, 2), 1.7e308), Normalization::Trace);
        assert!(matches!(error, Err(EntropyError::Eigenvalue { .. })));
        let error = of(&[-2.0, -1.0]).unwrap_err();
        assert!(matches!(
            error,
            EntropyError::Indefinite { smallest: -2.0, .. }
        ));
        let error = Spectrum::of_eigenvalues(&aview1(&[1.0]), Normalization::Cosine);
        assert_eq!(error, Err(EntropyError::CosineOfEigenvalues));
        let error = Spectrum::of_eigenvalues(&aview1(&[1.0, 2.0]), Normalization::None);
        assert_eq!(error, Err(EntropyError::NotNormalized { trace: 3.0 }));
        let none: [f64; 0] = [];
        for zero in [aview1(&none), aview1(&[0.0, 0.0])] {
            let error = Spectrum::of_eigenvalues(&zero, Normalization::Trace).unwrap_err();
            assert_eq!(error, EntropyError::ZeroTrace { trace: 0.0 });
        }
        let error =
            Spectrum::of_kernel(&array![[1.0, 2.0], [2.0, 1.0]], Normalization::Trace).unwrap_err();
        assert!(
            matches!(error, EntropyError::Indefinite { smallest, .. } if (smallest + 1.0).abs() < 1e-14)
        );
        for bad in [
            array![[1.0, 0.5], [0.4, 1.0]],
            array![[f64::NAN]],
            array![[1.0, 0.0]],
        ] {
            assert!(
                matches!(
                    Spectrum::of_kernel(&bad, Normalization::Trace),
                    Err(EntropyError::Linalg(_))
                ),
                "{bad}"
            );
        }
    }
}
