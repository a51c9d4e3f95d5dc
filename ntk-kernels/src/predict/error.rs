//! Why a prediction is impossible.

use ntk_linalg::{Cancelled, LinalgError};
use thiserror::Error;

/// Why a prediction is impossible.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PredictError {
    /// A matrix has another shape than the kernel and the targets ask for.
    #[error(
        "{what}: expected shape {expected}, found {found:?} ({why}); give arrays of the same samples and outputs"
    )]
    Shape {
        /// Which matrix.
        what: &'static str,
        /// Its shape.
        found: (usize, usize),
        /// What is needed, such as "(1000, 10)".
        expected: String,
        /// Where that comes from.
        why: &'static str,
    },
    /// An entry is infinite or not a number.
    #[error(
        "{what} is {value} at ({row}, {column}); every entry must be finite, so drop that sample or look for the cause"
    )]
    NonFinite {
        /// Which matrix.
        what: &'static str,
        /// Row of the first such entry.
        row: usize,
        /// Its column.
        column: usize,
        /// The entry.
        value: f64,
    },
    /// A time is negative or not a number.
    #[error("time {index} is {time}; times must be zero or more, infinity included")]
    Time {
        /// Place among the times, from 0.
        index: usize,
        /// The time.
        time: f64,
    },
    /// A time is before the one before it.
    #[error("time {index} is {time}, before the {previous} that precedes it; sort the times")]
    TimesOutOfOrder {
        /// Place among the times, from 0.
        index: usize,
        /// The time.
        time: f64,
        /// The time before it.
        previous: f64,
    },
    /// The kernel has an eigenvalue clearly below zero.
    #[error(
        "the kernel is indefinite: its smallest eigenvalue is {smallest:e}, below the -{tolerance:e} that rounding explains; \
         add a diag_reg of at least {remedy:e} (absolute), compute the kernel in double precision, or check that it is one"
    )]
    Indefinite {
        /// The smallest eigenvalue.
        smallest: f64,
        /// How far below zero rounding may take one: n * eps * lambda_max, and more for a
        /// kernel that was computed in single precision.
        tolerance: f64,
        /// What would lift it to zero.
        remedy: f64,
    },
    /// An argument is out of its domain.
    #[error("{name} is {value}, but must be {condition}")]
    Argument {
        /// Name of the argument.
        name: &'static str,
        /// Value given.
        value: f64,
        /// What it must be.
        condition: &'static str,
    },
    /// The loss' gradient became infinite or not a number.
    #[error(
        "the loss' gradient is not finite at time {time}; lower the learning rate, or check the loss at these outputs"
    )]
    Diverged {
        /// Time at which that happened.
        time: f64,
    },
    /// The integration needs more steps than allowed.
    #[error(
        "time {time} of {end} was reached in the {steps} steps allowed; loosen the tolerances, allow more steps, or resume from the state reached"
    )]
    TooManySteps {
        /// Time reached.
        time: f64,
        /// Time asked for.
        end: f64,
        /// Steps made.
        steps: usize,
    },
    /// Stopped on request.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Linear algebra failed; an asymmetric kernel is told so here.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
}
