//! Describes how traced and full kernels lay out samples and outputs in rows and columns.

use ndarray::{Array2, Array3, ArrayRef2};
use ntk_linalg::Real;

use super::{PredictError, check};

/// A `Layout` says which rows a kernel matrix has.
///
/// A traced kernel is (n, n): every output has this kernel, and outputs are columns of the
/// right-hand side. A full one is (n*o, n*o): row = sample*o + output, and there is one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// The number of samples, n.
    pub(super) samples: usize,
    /// The number of outputs, o.
    pub(super) outputs: usize,
    full: bool,
}

impl Layout {
    /// Infers the layout from a kernel (rows, rows) and the shape (n, o) of the targets; rows is n
    /// or n*o.
    pub(super) fn new<T: Real>(
        k_dd: &ArrayRef2<T>,
        (samples, outputs): (usize, usize),
    ) -> Result<Self, PredictError> {
        let (rows, columns) = k_dd.dim();
        let all = samples.saturating_mul(outputs);
        // A flow has four numbers for each entry.
        let numbers = samples
            .max(1)
            .saturating_mul(outputs.max(1))
            .saturating_mul(4);
        if numbers > isize::MAX.cast_unsigned() / size_of::<f64>() {
            return Err(PredictError::Shape {
                what: "the targets",
                found: (samples, outputs),
                expected: "fewer entries than memory can hold".into(),
                why: "a flow keeps several numbers for each",
            });
        }
        if rows != columns || (rows != samples && rows != all) {
            return Err(PredictError::Shape {
                what: "the training kernel",
                found: (rows, columns),
                expected: format!("({samples}, {samples}) or ({all}, {all})"),
                why: "the targets have so many samples, or samples times outputs",
            });
        }
        Ok(Self {
            samples,
            outputs,
            full: rows != samples,
        })
    }

    /// Makes the layout of a traced kernel of so many samples and outputs.
    pub(super) fn traced((samples, outputs): (usize, usize)) -> Self {
        Self {
            samples,
            outputs,
            full: false,
        }
    }

    /// Returns the number of rows of the training kernel.
    pub(super) fn rows(&self) -> usize {
        if self.full {
            self.entries()
        } else {
            self.samples
        }
    }

    /// Returns the number of columns of the right-hand side.
    pub(super) fn columns(&self) -> usize {
        if self.full { 1 } else { self.outputs }
    }

    /// Returns the number of outputs of all samples, `n*o`, by which the mean of the loss divides.
    pub(super) fn entries(&self) -> usize {
        self.samples * self.outputs
    }

    /// Checks a kernel (m, n) or (m*o, n*o), and returns the number m of its test samples.
    pub(super) fn test_samples<T: Real>(
        &self,
        what: &'static str,
        k_td: &ArrayRef2<T>,
    ) -> Result<usize, PredictError> {
        let (rows, columns) = k_td.dim();
        let per_sample = if self.full { self.outputs } else { 1 };
        if columns != self.rows() || !rows.is_multiple_of(per_sample.max(1)) {
            let each = if self.full { "outputs times " } else { "" };
            return Err(PredictError::Shape {
                what,
                found: (rows, columns),
                expected: format!("({each}test samples, {})", self.rows()),
                why: "its columns are the rows of the training kernel",
            });
        }
        check::finite(what, k_td)?;
        Ok(rows / per_sample.max(1))
    }

    /// Checks that initial outputs `f0`, (m, o), of `m` test samples are given where those of the
    /// training samples are, and only there.
    pub(super) fn initial<T: Real>(
        &self,
        given: bool,
        f0: Option<&ArrayRef2<T>>,
        m: usize,
    ) -> Result<(), PredictError> {
        if given != f0.is_some() {
            return Err(PredictError::InitialOutputs { train: given });
        }
        f0.map_or(Ok(()), |f0| {
            let why = "one row for each of the test samples";
            check::shape("the initial test outputs", f0, (m, self.outputs), why)
        })
    }

    /// Lays out `f - y` as a right-hand side (rows, columns); `f` is zero where there is none.
    pub(super) fn residual<T: Real>(
        &self,
        f: Option<&ArrayRef2<T>>,
        y: &ArrayRef2<T>,
    ) -> Array2<T> {
        let at = |i, a| f.map_or_else(T::zero, |f| f[[i, a]]) - y[[i, a]];
        Array2::from_shape_fn((self.rows(), self.columns()), |(row, column)| {
            if self.full {
                at(row / self.outputs, row % self.outputs)
            } else {
                at(row, column)
            }
        })
    }

    /// Lays out numbers (times, n, o) as a right-hand side (rows, times*columns).
    pub(super) fn operand<T: Real>(&self, a: &Array3<T>) -> Array2<T> {
        let o = self.outputs;
        let shape = (self.rows(), a.dim().0 * self.columns());
        Array2::from_shape_fn(shape, |(row, column)| {
            if self.full {
                a[[column, row / o, row % o]]
            } else {
                a[[column / o, row, column % o]]
            }
        })
    }

    /// Lays out a product (samples or samples*o, times*columns) as (times, samples, o), adds
    /// `start`, and refuses what is not finite.
    pub(super) fn spread<T: Real>(
        &self,
        product: &Array2<T>,
        times: usize,
        samples: usize,
        start: Option<&ArrayRef2<T>>,
    ) -> Result<Array3<T>, PredictError> {
        let o = self.outputs;
        let outputs = Array3::from_shape_fn((times, samples, o), |(t, i, a)| {
            let change = if self.full {
                product[[i * o + a, t]]
            } else {
                product[[i, t * o + a]]
            };
            start.map_or(change, |start| start[[i, a]] + change)
        });
        check::result("the outputs (time, sample, output)", outputs)
    }
}
