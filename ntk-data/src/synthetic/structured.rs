use thiserror::Error;

use super::TooLarge;

/// A `StructuredError` says why graphs or sequences cannot be drawn.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StructuredError {
    /// A range of sizes is empty, or begins below the least size that every class has.
    #[error(
        "{what} were asked for from {first} to {last}; give a first number of at least {least}, and a last one that is no less"
    )]
    Sizes {
        /// The name of what is counted.
        what: &'static str,
        /// The first number of the range.
        first: usize,
        /// The last number of the range.
        last: usize,
        /// The least number there may be.
        least: usize,
    },
    /// The vocabulary has no token to put between those that the class depends on.
    #[error("a vocabulary of {found} tokens is too small; give at least {least}")]
    Vocabulary {
        /// The number of tokens.
        found: usize,
        /// The least number there may be.
        least: usize,
    },
    /// An array exceeds memory.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

impl StructuredError {
    /// Checks that a range of sizes is not empty and begins at `least` or above.
    pub(super) fn of_sizes(
        what: &'static str,
        sizes: &std::ops::RangeInclusive<usize>,
        least: usize,
    ) -> Result<(), Self> {
        let (first, last) = (*sizes.start(), *sizes.end());
        match least <= first && first <= last {
            true => Ok(()),
            false => Err(Self::Sizes {
                what,
                first,
                last,
                least,
            }),
        }
    }
}
