//! What can go wrong with an entropy.

use ntk_linalg::LinalgError;
use thiserror::Error;

/// Why a matrix has no spectrum of probabilities.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum EntropyError {
    /// The trace is zero, so nothing can be divided by it.
    #[error(
        "the matrix has trace {trace}, and an entropy needs a positive one; give at least one sample that is not zero"
    )]
    ZeroTrace {
        /// The trace found.
        trace: f64,
    },
    /// An eigenvalue is negative by more than rounding.
    #[error(
        "the matrix is not positive semidefinite: its smallest eigenvalue is {smallest:e} where \
         rounding explains {tolerance:e}; check that it is a kernel matrix, and symmetric"
    )]
    Indefinite {
        /// The smallest eigenvalue.
        smallest: f64,
        /// The largest that rounding explains, in absolute value.
        tolerance: f64,
    },
    /// [`Normalization::None`](crate::Normalization::None) of a matrix whose trace is not 1.
    #[error(
        "the matrix has trace {trace}, expected 1 without normalisation; use \
         Normalization::Trace to divide by it"
    )]
    NotNormalized {
        /// The trace found.
        trace: f64,
    },
    /// [`Normalization::Cosine`](crate::Normalization::Cosine) where the matrix is not known.
    #[error(
        "cosines do not follow from eigenvalues; give the matrix to Spectrum::of_kernel, or \
         choose Normalization::Trace"
    )]
    CosineOfEigenvalues,
    /// The matrix' order is no multiple of the number of outputs.
    #[error(
        "a kernel of order {order} cannot be that of {outputs} outputs; expected samples x outputs \
         rows, and 1 output for a traced kernel"
    )]
    Outputs {
        /// Rows of the kernel.
        order: usize,
        /// Outputs said.
        outputs: usize,
    },
    /// Not one label a sample.
    #[error("there are {found} labels for {expected} samples; give each sample one")]
    Labels {
        /// Samples of the kernel.
        expected: usize,
        /// Labels given.
        found: usize,
    },
    /// A class was asked for that no sample has.
    #[error("no sample has the class {class}; leave it out, or take samples of it")]
    EmptyClass {
        /// The class.
        class: usize,
    },
    /// No such output.
    #[error("there is no output {output} of {outputs}; expected one below {outputs}")]
    NoSuchOutput {
        /// Output asked for, from 0.
        output: usize,
        /// Outputs of the kernel.
        outputs: usize,
    },
    /// An eigenvalue is NaN or infinite.
    #[error(
        "eigenvalue {place} is {value}; find where NaN came from, and scale a matrix down whose \
         eigenvalues overflow"
    )]
    Eigenvalue {
        /// Its place, from 0.
        place: usize,
        /// NaN or an infinity.
        value: f64,
    },
    /// No entropy has this order.
    #[error("the order of a Renyi entropy is {order}, but must be 0 or more, infinity included")]
    Order {
        /// The order asked for.
        order: f64,
    },
    /// The matrix is not square, not finite or not symmetric, or not of the shape of another.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
}
