//! Entropies and traces of large kernels, from products with blocks of vectors alone.
//!
//! The exact entropy costs an eigendecomposition, `4/3 n^3`; the estimate here costs some tens of
//! passes over the matrix. Of `K` of order n it is the sum of two parts:
//!
//! - the largest eigenvalues, which dominate kernel spectra and would dominate the variance of
//!   random probes, by a block Krylov subspace (Musco & Musco 2015, arXiv:1504.05477), taken out
//!   of the probes as by Hutch++ (Meyer et al. 2021, arXiv:2010.09649, algorithm 1);
//! - the rest as the mean over random signs g of `g^T P f(K) P g`, P the projection off those
//!   eigenvectors, each by stochastic Lanczos quadrature (Ubaru, Chen & Saad 2017,
//!   doi:10.1137/16M1104974, algorithm 1). The mean is corrected by what is known exactly:
//!   `E |P g|^2 = tr P`, and `E g^T P K P g = tr P K P` where the trace of K is known.
//!
//! `f(x) = -x ln x` has derivatives of constant sign, so that the quadratures of Gauss and of
//! Gauss and Radau (with a node at zero) enclose every such term from above and below (Golub &
//! Meurant 2010, Matrices, Moments and Quadrature, chapter 6): an [`Estimate`]'s `truncation` is
//! half of that interval.
//!
//! Nothing is clipped: eigenvalues that [`crate::Spectrum`] counts as zero take part here. In f32
//! that shows: of an NTK with n = 2000 clipping took 4 % of the trace and a tenth of the entropy,
//! where the estimate agreed with the entropy in f64.
//!
//! The same seed draws the same probes for any number of threads; products may differ by rounding.

mod deflation;
mod entropy;
mod operator;
mod probes;
mod quadrature;
mod regression;
#[cfg(test)]
mod tests;
mod trace;
mod vectors;

pub use entropy::{entropy, entropy_of_kernel};
pub use ntk_linalg::operator::{FromFn, Operator, from_fn};
pub use trace::{purity, trace};

use crate::EntropyError;
use std::error::Error;

/// Vectors in one product: a matrix that does not fit the cache is read once for all of them.
pub const BLOCK: usize = 16;

/// How good an estimate must be, and what it may cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// [`Estimate::error`] over the value, below which no more probes are drawn.
    pub tolerance: f64,
    /// Most probes drawn, rounded up to blocks of [`BLOCK`] and to one block at least.
    pub max_probes: usize,
    /// Of the probes.
    pub seed: u64,
}

/// One per cent with at most 256 probes, seed 0.
impl Default for Settings {
    fn default() -> Self {
        Self {
            tolerance: 0.01,
            max_probes: 256,
            seed: 0,
        }
    }
}

/// A value with its error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The value, of an entropy in nats.
    pub value: f64,
    /// Standard error of the value over random probes; 0 where none were needed.
    pub standard_error: f64,
    /// Largest error of the value by ending the Lanczos recurrences early.
    pub truncation: f64,
    /// Probes drawn.
    pub probes: usize,
    /// Vectors that the kernel was multiplied with.
    pub products: usize,
    /// Whether [`Estimate::error`] is below the tolerance, or the value is zero to rounding.
    pub converged: bool,
}

impl Estimate {
    /// `standard_error + truncation`: the true value is within twice this in 93 % of draws with 16
    /// probes, Student's distribution of 14 degrees of freedom, and 95 % with many.
    #[must_use]
    pub fn error(&self) -> f64 {
        self.standard_error + self.truncation
    }

    /// The effective entropy: value and errors divided by `ln n`, n the kernel's order; 0 for
    /// n = 1.
    #[must_use]
    pub fn effective(self, n: usize) -> Self {
        let over = if n < 2 { 0.0 } else { 1.0 / (n as f64).ln() };
        Self {
            value: self.value * over,
            standard_error: self.standard_error * over,
            truncation: self.truncation * over,
            ..self
        }
    }
}

/// Why there is no estimate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EstimateError<E: Error + 'static> {
    /// A product failed.
    #[error(transparent)]
    Product(E),
    /// A product has not the shape of what was multiplied.
    #[error(
        "the product with a block of shape {expected:?} has shape {found:?}; an operator must \
         return one row for each of its rows, and one column for each vector"
    )]
    Shape {
        /// Shape of the block of vectors.
        expected: (usize, usize),
        /// Shape of the product.
        found: (usize, usize),
    },
    /// The operator has no entropy, or a product is not finite.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}
