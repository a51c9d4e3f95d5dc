//! Why there is no entropy.

use ntk_linalg::LinalgError;
use std::error::Error as StdError;

/// An `EntropyError` says why a matrix has no spectrum of probabilities.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
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
    /// The trace is not 1, as [`Normalization::None`](crate::Normalization::None) wants it.
    #[error(
        "the matrix has trace {trace}, expected 1 without normalisation; choose the normalisation \
         trace, which divides by it"
    )]
    NotNormalized {
        /// The trace found.
        trace: f64,
    },
    /// Only the eigenvalues are known, and [`Normalization::Cosine`](crate::Normalization::Cosine)
    /// needs the matrix.
    #[error(
        "cosines do not follow from eigenvalues; give the matrix itself, or choose the \
         normalisation trace"
    )]
    CosineOfEigenvalues,
    /// The matrix' order is no multiple of the number of outputs.
    #[error(
        "a kernel of order {order} cannot be that of {outputs} outputs; expected samples x outputs \
         rows, and 1 output for a traced kernel"
    )]
    Outputs {
        /// The number of rows of the kernel.
        order: usize,
        /// The number of outputs given.
        outputs: usize,
    },
    /// A full kernel of so many samples and outputs exceeds memory.
    #[error(
        "{samples} samples of {outputs} outputs make a full kernel that exceeds all memory; work with \
         the traced one, of 1 output"
    )]
    Sides {
        /// The number of samples, or the sample asked for.
        samples: usize,
        /// The number of outputs.
        outputs: usize,
    },
    /// The labels are not as many as the samples.
    #[error("there are {found} labels for {expected} samples; give each sample one")]
    Labels {
        /// The number of samples of the kernel.
        expected: usize,
        /// The number of labels given.
        found: usize,
    },
    /// A class was asked for that no sample has.
    #[error("no sample has the class {class}; leave it out, or take samples of it")]
    EmptyClass {
        /// The class.
        class: usize,
    },
    /// The classes have more combinations than are listed.
    #[error(
        "{classes} classes have {count} combinations, and {most} are the most; take fewer classes, or \
         combinations of fewer, such as pairs", count = whole(*count)
    )]
    Combinations {
        /// The number of classes.
        classes: usize,
        /// The number of their combinations of the sizes asked for; infinite where it overflows.
        count: f64,
        /// The most that are listed.
        most: usize,
    },
    /// An output was asked for that the kernel has not.
    #[error("there is no output {output} of {outputs}; expected one below {outputs}")]
    NoSuchOutput {
        /// The output asked for, counted from 0.
        output: usize,
        /// The number of outputs of the kernel.
        outputs: usize,
    },
    /// An eigenvalue is NaN or infinite.
    #[error(
        "eigenvalue {place} is {value}; find where NaN came from, and scale a matrix down whose \
         eigenvalues overflow"
    )]
    Eigenvalue {
        /// The place of the eigenvalue, counted from 0.
        place: usize,
        /// The eigenvalue, NaN or an infinity.
        value: f64,
    },
    /// A row of a factor shows that its product exceeds the kernel.
    #[error(
        "the square of the factor's row {row} is {found:e}, and the kernel's diagonal {diagonal:e}, \
         so that F F^T is not below the kernel; take F of landmarks or of a partial Cholesky \
         factorisation of this same kernel, not random features"
    )]
    FactorRow {
        /// The row, counted from 0.
        row: usize,
        /// The sum of the row's squares.
        found: f64,
        /// The kernel of that sample with itself.
        diagonal: f64,
    },
    /// The trace of a factor's product exceeds the kernel's.
    #[error(
        "F^T F has trace {found:e} and the kernel {trace:e}, so that F F^T is not below the kernel; \
         give the trace of the kernel that F approximates, of all samples"
    )]
    GramTrace {
        /// The trace of the factor's product.
        found: f64,
        /// The trace of the kernel.
        trace: f64,
    },
    /// A factor has more columns than rows.
    #[error(
        "the factor has {columns} columns for {samples} samples; give at most one column a sample, or \
         the kernel itself to Spectrum::of"
    )]
    FactorColumns {
        /// The number of columns.
        columns: usize,
        /// The number of samples.
        samples: usize,
    },
    /// The trace is infinite.
    #[error(
        "the kernel has trace {trace}; divide the kernel by a number, which leaves its entropies as \
         they are"
    )]
    InfiniteTrace {
        /// The trace given.
        trace: f64,
    },
    /// No Renyi entropy has this order.
    #[error("the order of a Renyi entropy is {order}, but must be 0 or more, infinity included")]
    Order {
        /// The order asked for.
        order: f64,
    },
    /// The tolerance of an estimate is negative or NaN.
    #[error(
        "the tolerance of an estimate is {tolerance}, but must be 0 or more, as 0.01 for one per cent"
    )]
    Tolerance {
        /// The tolerance asked for.
        tolerance: f64,
    },
    /// The matrix is not square, not finite or not symmetric, or not of the shape of another.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
}

/// Writes a whole number, in scientific notation where its digits would tell nothing.
fn whole(count: f64) -> String {
    if count < 1e6 {
        count.to_string()
    } else if count.is_finite() {
        format!("{count:.1e}")
    } else {
        "more than 1e308".into()
    }
}

/// An `EstimateError` says why there is no estimate of an entropy or a trace; `E` is the error of
/// the operator's products.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EstimateError<E: StdError + 'static> {
    /// A product failed.
    #[error(transparent)]
    Product(E),
    /// A product has not the shape of what was multiplied.
    #[error(
        "the product with a block of shape {expected:?} has shape {found:?}; an operator must \
         return one row for each of its rows, and one column for each vector"
    )]
    Shape {
        /// The shape of the block of vectors.
        expected: (usize, usize),
        /// The shape of the product.
        found: (usize, usize),
    },
    /// The operator has no entropy, or a product is not finite.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// An `Error` is any error of this crate, so that `?` works on all that it returns.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A matrix has no spectrum of probabilities.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// There is no estimate for an operator.
    #[error(transparent)]
    Estimate(Box<dyn StdError + Send + Sync>),
}

impl<E: StdError + Send + Sync + 'static> From<EstimateError<E>> for Error {
    fn from(error: EstimateError<E>) -> Self {
        match error {
            EstimateError::Entropy(error) => Self::Entropy(error),
            error => Self::Estimate(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    #[test]
    fn every_error_becomes_the_one_that_threads_can_share() {
        fn shared<E: StdError + Send + Sync + 'static>() {}
        shared::<Error>();
        let shape = (2, 3);
        let error = EstimateError::<Infallible>::Shape {
            expected: shape,
            found: shape,
        };
        let text = error.to_string();
        assert_eq!(Error::from(error).to_string(), text);
        let zero = EntropyError::ZeroTrace { trace: 0.0 };
        let same = [
            Error::from(zero.clone()),
            Error::from(EstimateError::<Infallible>::from(zero)),
        ];
        assert!(same.iter().all(|e| matches!(e, Error::Entropy(_))));
    }
}
