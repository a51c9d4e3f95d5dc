//! What the samples of some classes say about those of others, by the entropies of their
//! kernels' blocks.
//!
//! With `p = tr K_X / tr K_XY` the density matrix of both together is, as an operator on
//! features, the mixture `rho_XY = p rho_X + (1-p) rho_Y`. Its Holevo quantity (Holevo 1973)
//! `chi = S(rho_XY) - p S(rho_X) - (1-p) S(rho_Y)` lies between 0 and
//! `H2(p) = -p ln p - (1-p) ln(1-p)`: 0 where both are alike, `H2(p)` where they are orthogonal.
//! The difference `I = S_X + S_Y - S_XY = (1-p) S_X + p S_Y - chi` is not confined like a mutual
//! information: it can be negative, and over the mean entropy it can exceed 1. Subadditivity
//! `S(rho_AB) <= S(rho_A) + S(rho_B)` (Araki & Lieb 1970) does not forbid that: it is of partial
//! traces, and blocks of classes are none. Two orthogonal samples have `I = 0 + 0 - ln 2`.

use crate::{Blocks, EntropyError, Normalization, Spectrum, von_neumann};
use ndarray::Array2;
use ntk_linalg::Real;

/// The entropies of two sets of samples, X and Y, apart and together.
///
/// ```
/// use ndarray::array;
/// use ntk_entropy::{Blocks, MutualInformation, Normalization};
/// // Two samples of one class, orthogonal to a third of another.
/// let k = array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]];
/// let blocks = Blocks::new(&k, &[0, 0, 1])?;
/// let pair = MutualInformation::of(&blocks, &[0], &[1], Normalization::Trace)?;
/// assert_eq!(pair.p, 0.5);
/// assert!((pair.chi_normalized().unwrap() - 1.0).abs() < 1e-14); // nothing in common
/// # Ok::<(), ntk_entropy::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MutualInformation {
    /// The entropy S(X) in nats.
    pub entropy_x: f64,
    /// The entropy S(Y) in nats.
    pub entropy_y: f64,
    /// The entropy S(X,Y) of both together, in nats.
    pub joint: f64,
    /// The share `tr K_X / tr K_XY` of X in the trace; with [`Normalization::Cosine`] in the number
    /// of samples.
    pub p: f64,
}

impl MutualInformation {
    /// Computes the entropies of the samples of classes `x` and of those of classes `y`. A class in
    /// both is counted twice.
    /// Cost: eigenvalues of three blocks.
    ///
    /// # Errors
    /// Those of [`Blocks::spectrum`].
    pub fn of<T: Real>(
        blocks: &Blocks<'_, T>,
        x: &[usize],
        y: &[usize],
        normalization: Normalization,
    ) -> Result<Self, EntropyError> {
        let [x_alone, y_alone, both] =
            [x, y, &[x, y].concat()].map(|classes| blocks.spectrum(classes, normalization));
        Ok(Self::of_spectra(&x_alone?, &y_alone?, &both?))
    }

    /// Computes the entropies from the spectra of X, of Y and of both together, all normalised
    /// alike.
    #[must_use]
    pub fn of_spectra(x: &Spectrum, y: &Spectrum, both: &Spectrum) -> Self {
        Self {
            entropy_x: von_neumann::entropy(x),
            entropy_y: von_neumann::entropy(y),
            joint: von_neumann::entropy(both),
            p: share(x, y),
        }
    }

    /// Returns `I(X;Y) = S(X) + S(Y) - S(X,Y)` in nats, which may be negative.
    #[must_use]
    pub fn information(&self) -> f64 {
        self.entropy_x + self.entropy_y - self.joint
    }

    /// Returns `2 I / (S(X) + S(Y))`, which is not confined to [0, 1]; none where both entropies
    /// are zero.
    #[must_use]
    pub fn normalized(&self) -> Option<f64> {
        let sum = self.entropy_x + self.entropy_y;
        (sum > 0.0).then(|| 2.0 * self.information() / sum)
    }

    /// Returns the Holevo quantity `S(X,Y) - p S(X) - (1-p) S(Y)` in nats, between 0 and `H2(p)`, to
    /// rounding.
    #[must_use]
    pub fn chi(&self) -> f64 {
        self.joint - self.p * self.entropy_x - (1.0 - self.p) * self.entropy_y
    }

    /// Returns `H2(p) = -p ln p - (1-p) ln(1-p)` in nats, the largest [`MutualInformation::chi`].
    #[must_use]
    pub fn largest_chi(&self) -> f64 {
        // 0 ln 0 = 0, for either share.
        let term = |share: f64, ln: f64| if share > 0.0 { -share * ln } else { 0.0 };
        term(self.p, self.p.ln()) + term(1.0 - self.p, (-self.p).ln_1p())
    }

    /// Returns `chi / H2(p)`: 0 for sets that are alike, 1 for orthogonal ones; none where `H2(p)` is
    /// zero to rounding.
    #[must_use]
    pub fn chi_normalized(&self) -> Option<f64> {
        let largest = self.largest_chi();
        (largest > 0.0).then(|| self.chi() / largest)
    }

    /// Exchanges X and Y.
    #[must_use]
    fn swapped(self) -> Self {
        Self {
            entropy_x: self.entropy_y,
            entropy_y: self.entropy_x,
            joint: self.joint,
            p: 1.0 - self.p,
        }
    }
}

/// Computes `tr K_X / (tr K_X + tr K_Y)`; over the largest eigenvalue no sum overflows.
fn share(x: &Spectrum, y: &Spectrum) -> f64 {
    let largest = x.largest_eigenvalue().max(y.largest_eigenvalue());
    let over_largest = |of: &Spectrum| of.eigenvalues.iter().map(|v| v / largest).sum::<f64>();
    let (x, y) = (over_largest(x), over_largest(y));
    x / (x + y)
}

/// Computes the entropies of all pairs of `classes` (c), in shape (c, c): entry (i, j) has
/// X = `classes[i]` and Y = `classes[j]`; on the diagonal a class is paired with its own copy.
///
/// Cost: eigenvalues of `c (c+1) / 2` blocks.
///
/// # Errors
/// Those of [`Blocks::spectrum`].
pub fn pairs<T: Real>(
    blocks: &Blocks<'_, T>,
    classes: &[usize],
    normalization: Normalization,
) -> Result<Array2<MutualInformation>, EntropyError> {
    let spectra = classes
        .iter()
        .map(|&class| blocks.spectrum(&[class], normalization))
        .collect::<Result<Vec<_>, _>>()?;
    let c = classes.len();
    // A copy doubles every eigenvalue of the operator on features: the entropy stays.
    let copy = |i: usize| MutualInformation::of_spectra(&spectra[i], &spectra[i], &spectra[i]);
    let mut found = Array2::from_shape_fn((c, c), |(i, _)| copy(i));
    for i in 0..c {
        for j in i + 1..c {
            let both = blocks.spectrum(&[classes[i], classes[j]], normalization)?;
            let pair = MutualInformation::of_spectra(&spectra[i], &spectra[j], &both);
            found[[i, j]] = pair;
            found[[j, i]] = pair.swapped();
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use ndarray::array;

    #[test]
    fn copies_and_orthogonal_samples() {
        // Classes 0 and 1 are the same two samples, 2 is orthogonal to them and three times as
        // large.
        let g = array![
            [1.0, 0.0, 0.0],
            [1.0, 1.0, 0.0],
            [1.0, 0.0, 0.0],
            [1.0, 1.0, 0.0],
            [0.0, 0.0, 3.0],
        ];
        let k: Array2<f64> = g.dot(&g.t());
        let labels = [0, 0, 1, 1, 2];
        let blocks = Blocks::new(&k, &labels).unwrap();
        let found = pairs(&blocks, &[0, 1, 2], Normalization::Trace).unwrap();
        let copy = found[[0, 1]];
        assert_relative_eq!(copy.chi(), 0.0, epsilon = 1e-14);
        assert_relative_eq!(copy.information(), copy.entropy_x, epsilon = 1e-14);
        assert_relative_eq!(copy.normalized().unwrap(), 1.0, epsilon = 1e-14);
        let apart = found[[0, 2]];
        assert_relative_eq!(apart.p, 0.25, epsilon = 1e-15);
        assert_relative_eq!(apart.chi_normalized().unwrap(), 1.0, epsilon = 1e-14);
        assert_relative_eq!(found[[2, 0]].p, 0.75, epsilon = 1e-15);
        for (i, j) in [(0, 1), (2, 1), (1, 1)] {
            let one = MutualInformation::of(&blocks, &[i], &[j], Normalization::Trace).unwrap();
            let other = found[[i, j]];
            assert_relative_eq!(one.joint, other.joint, epsilon = 1e-14);
            assert_relative_eq!(one.p, other.p, epsilon = 1e-14);
        }
        // One sample alone has no entropy to divide by.
        assert_eq!(found[[2, 2]].normalized(), None);
        assert_relative_eq!(found[[2, 2]].chi_normalized().unwrap(), 0.0);
    }

    #[test]
    fn negative_for_two_orthogonal_samples() {
        let k = array![[2.0, 0.0], [0.0, 2.0]];
        let blocks = Blocks::new(&k, &[0, 1]).unwrap();
        let found = MutualInformation::of(&blocks, &[0], &[1], Normalization::Trace).unwrap();
        assert_relative_eq!(found.information(), -2.0_f64.ln(), epsilon = 1e-15);
        assert_relative_eq!(found.chi(), found.largest_chi(), epsilon = 1e-15);
    }

    #[test]
    fn one_share_is_nothing_or_overflows() {
        for (p, expected) in [(0.0, 0.0), (1.0, 0.0), (0.5, 2.0_f64.ln())] {
            let found = MutualInformation {
                entropy_x: 0.0,
                entropy_y: 0.0,
                joint: 0.0,
                p,
            };
            assert_eq!(found.largest_chi(), expected);
            assert_eq!(found.chi_normalized(), (p == 0.5).then_some(0.0));
        }
        // The trace of each class overflows.
        let k = Array2::from_diag(&array![1e308, 1e308, 1e308, 1e308]);
        let blocks = Blocks::new(&k, &[0, 0, 1, 1]).unwrap();
        let found = MutualInformation::of(&blocks, &[0], &[1], Normalization::Trace).unwrap();
        assert_eq!(found.p, 0.5);
        assert_relative_eq!(found.chi_normalized().unwrap(), 1.0, epsilon = 1e-14);
    }
}
