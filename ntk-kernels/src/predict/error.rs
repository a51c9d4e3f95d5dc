//! A `PredictError` says why a prediction is impossible.

use ntk_linalg::{Cancelled, LinalgError};
use thiserror::Error;

/// A `PredictError` says why a prediction is impossible.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PredictError {
    /// A matrix has another shape than the kernel and the targets ask for.
    #[error(
        "{what}: expected shape {expected}, found {found:?} ({why}); give arrays of the same samples and outputs"
    )]
    Shape {
        /// The name of the matrix.
        what: &'static str,
        /// The shape of the matrix.
        found: (usize, usize),
        /// The shape that is needed, such as "(1000, 10)".
        expected: String,
        /// The reason for that shape.
        why: &'static str,
    },
    /// An entry is infinite or not a number.
    #[error(
        "{what} is {value} at ({row}, {column}); every entry must be finite, so drop that sample or look for the cause"
    )]
    NonFinite {
        /// The name of the matrix.
        what: &'static str,
        /// The row of the first such entry.
        row: usize,
        /// The column of that entry.
        column: usize,
        /// The value of the entry.
        value: f64,
    },
    /// A result is beyond the numbers of its precision, or made of such numbers.
    #[error(
        "{what}: {value}{}, as numbers on the way are beyond the {largest:.1e} of this precision; \
         scale kernels and targets towards one, or compute in double precision",
        match index.as_slice() { [] => String::new(), index => format!(" at {index:?}") }
    )]
    Overflow {
        /// The name of the result, with what its indices count.
        what: &'static str,
        /// The value of the first such entry, infinite or not a number.
        value: f64,
        /// The indices of that entry.
        index: Vec<usize>,
        /// The largest number of the precision.
        largest: f64,
    },
    /// Initial outputs are given for the training samples alone, or for the test samples alone.
    #[error(
        "initial outputs are given for the {}; give both, of the same network (zeros are outputs too), or neither",
        match train { true => "training samples and not for the test samples", false => "test samples and not for the training samples" }
    )]
    InitialOutputs {
        /// Whether those of the training samples are given.
        train: bool,
    },
    /// A target is not what the loss compares outputs with.
    #[error("the target at ({row}, {column}) is {value}, but {condition}")]
    Target {
        /// The row of the first such target.
        row: usize,
        /// The column of that target.
        column: usize,
        /// The value of the target.
        value: f64,
        /// The condition that it must meet, and what to do.
        condition: &'static str,
    },
    /// The targets of a sample are no probabilities of classes.
    #[error(
        "the targets of row {row} sum to {sum}, but cross-entropy compares with the probabilities of classes, which sum to 1; \
         make class indices one-hot, or divide each row by its sum"
    )]
    Distribution {
        /// The first such row.
        row: usize,
        /// The sum of its targets.
        sum: f64,
    },
    /// A variance is clearly below zero, which that of one process never is.
    #[error(
        "variance {row} is {value:e}, below the -{tolerance:e} that rounding explains; \
         give kernels of the same network and samples, with the test samples' own as the last"
    )]
    NegativeVariance {
        /// The row of the variance, a test sample, or sample and output where kernels are full.
        row: usize,
        /// The value of the variance.
        value: f64,
        /// The distance below zero that rounding explains.
        tolerance: f64,
    },
    /// A time is negative or not a number.
    #[error("time {index} is {time}; times must be zero or more, infinity included")]
    Time {
        /// The index of the time, from 0.
        index: usize,
        /// The value of the time.
        time: f64,
    },
    /// A time is before the one before it.
    #[error("time {index} is {time}, before the {previous} that precedes it; sort the times")]
    TimesOutOfOrder {
        /// The index of the time, from 0.
        index: usize,
        /// The value of the time.
        time: f64,
        /// The time before it.
        previous: f64,
    },
    /// The kernel has an eigenvalue clearly below zero.
    #[error(
        "the kernel is indefinite: its smallest eigenvalue is {smallest:e}, below the -{tolerance:e} that rounding explains; \
         add a ridge of at least {remedy:e}, compute the kernel in double precision, or check that it is one"
    )]
    Indefinite {
        /// The smallest eigenvalue.
        smallest: f64,
        /// The distance below zero that rounding explains: n * eps * lambda_max, and more for a
        /// kernel that was computed in single precision.
        tolerance: f64,
        /// The ridge that would lift the eigenvalue to zero.
        remedy: f64,
    },
    /// The kernel with its ridge is not positive definite to working precision.
    #[error(
        "the kernel is singular to working precision: with {added:e} added to its diagonal, its smallest eigenvalue is {smallest:e} or less; \
         add a ridge of {remedy:e} or more (absolute), or leave out {}",
        match row { Some(row) => format!("row {row}, which those before it determine, as a repeated sample's"), None => "repeated samples".into() }
    )]
    Singular {
        /// The first row that those before it determine, where a factorisation told.
        row: Option<usize>,
        /// The number that the ridge adds to the diagonal.
        added: f64,
        /// The smallest eigenvalue with the ridge, or a number above it.
        smallest: f64,
        /// A ridge that would be enough.
        remedy: f64,
    },
    /// An argument is out of its domain; for a ridge [`LinalgError`] says so.
    #[error("{name} is {value}, but must be {condition}")]
    Argument {
        /// The name of the argument.
        name: &'static str,
        /// The value given.
        value: f64,
        /// The condition that it must meet.
        condition: &'static str,
    },
    /// The loss' gradient became infinite or not a number.
    #[error(
        "the loss' gradient is not finite at time {time}; lower the learning rate, or check the loss at these outputs"
    )]
    Diverged {
        /// The time at which that happened.
        time: f64,
    },
    /// The integration needs more steps than are allowed.
    #[error(
        "time {time} of {end} was reached in the {steps} steps allowed; loosen the tolerances, allow more steps, or resume from the state reached"
    )]
    TooManySteps {
        /// The time reached.
        time: f64,
        /// The time asked for.
        end: f64,
        /// The number of steps made.
        steps: usize,
    },
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Linear algebra failed, such as for an asymmetric kernel.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
}
