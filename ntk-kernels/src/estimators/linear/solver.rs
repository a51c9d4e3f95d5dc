//! How the coefficients of landmarks are computed.

use crate::predict::PredictError;

/// A `Solver` says how regression over m landmarks is solved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Solver {
    /// One pass over the samples sums the normal equations, which are decomposed for all ridges at
    /// once.
    ///
    /// Memory beside the samples and targets: at most 10 matrices (m, m) of f64 while it is fitted,
    /// of which 3 are kept, and 3 (block, m). Cost: the kernel of n with m samples, and `3 n m^2`
    /// operations in f64.
    NormalEquations,
    /// Preconditioned conjugate gradients over repeated passes (FALKON; Rudi, Carratino and Rosasco
    /// 2017, arXiv:1705.10958): for m so large that its square times n is beyond reach.
    ///
    /// The preconditioner is the solution for 3 m of the samples, in blocks evenly of all, so that
    /// some five passes find what predicts, and more of them what the normal equations find. To
    /// `K_mm` is added `m eps` of its mean diagonal, eps that of the element type, or ten times more
    /// until it can be factored: rounding hides what is below.
    ///
    /// Memory beside the samples and targets: 2 matrices (m, m) of f64, one of the element type
    /// while they are made, and 2 (block, m) of f64. Cost: in each pass the kernel of n with m
    /// samples, and `4 n m` operations in f64 an output; once, `7 m^3` operations in f64. What it
    /// finds has one ridge, and neither leave-one-out residuals nor effective parameters.
    ConjugateGradients {
        /// The largest `|r| / |b|` of an output that is solved, r being the residual and b the
        /// right-hand side of the preconditioned equations.
        tolerance: f64,
        /// The largest number of passes after the first.
        iterations: usize,
    },
}

impl Solver {
    pub(super) fn check(self) -> Result<(), PredictError> {
        match self {
            Self::ConjugateGradients { tolerance, .. } if !(0.0..1.0).contains(&tolerance) => {
                Err(PredictError::Argument {
                    name: "the tolerance of conjugate gradients",
                    value: tolerance,
                    condition: "at least 0 and less than 1",
                })
            }
            Self::ConjugateGradients { iterations: 0, .. } => Err(PredictError::Argument {
                name: "the number of iterations of conjugate gradients",
                value: 0.0,
                condition: "at least 1",
            }),
            Self::ConjugateGradients { .. } | Self::NormalEquations => Ok(()),
        }
    }
}
