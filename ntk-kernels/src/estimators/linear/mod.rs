//! Ridge regression on numbers of samples, in blocks of them: what estimators over landmarks and on
//! features share.

mod checkpoint;
mod equations;
mod iterations;
mod pass;
mod ranks;
mod solver;
mod source;

pub use checkpoint::Checkpoint;
pub(crate) use checkpoint::hash;
pub(crate) use equations::Sums;
pub(crate) use iterations::Iterations;
pub(crate) use pass::{Pass, Solving};
pub use ranks::Ranks;
pub(crate) use ranks::agree;
pub use solver::Solver;
pub(crate) use source::Source;

use super::EstimatorError;
use super::samples::columns;
use crate::closed_form::{KernelError, memory, sample_shape};
use crate::inputs::Inputs;
use crate::predict::{PredictError, Ridge, check};
use equations::Equations;
use ndarray::{Array2, ArrayRef, ArrayView2, Axis, Dimension, s};
use ntk_linalg::{LinalgError, Observer, Real, matmul};
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;

/// The number of samples whose numbers are held at once, unless set.
pub(crate) const BLOCK: usize = 1024;

/// A `Basis` gives the numbers of samples that predictions are linear in.
pub(crate) trait Basis {
    /// The element type of samples.
    type Item: Real;

    /// What coefficients are, and their axes.
    const COEFFICIENTS: &'static str;

    /// Returns the number m of numbers of a sample.
    fn count(&self) -> usize;

    /// Returns what the numbers depend on beside the samples, by name.
    fn described(&self) -> Vec<(&'static str, Value)>;

    /// Refuses samples of which there are no numbers.
    fn check(&self, x: &Inputs<'_, Self::Item>) -> Result<(), EstimatorError>;

    /// Computes the numbers of a block of samples, (b, m).
    fn rows(
        &self,
        x: &Inputs<'_, Self::Item>,
        observer: &dyn Observer,
    ) -> Result<Array2<Self::Item>, EstimatorError>;

    /// Computes the sum of the kernels of the samples of a block with themselves, beside their numbers.
    fn trace(
        &self,
        x: &Inputs<'_, Self::Item>,
        rows: &Array2<Self::Item>,
    ) -> Result<f64, EstimatorError>;
}

/// How a fit goes over samples.
#[derive(Clone, Copy)]
pub(crate) struct Settings<'a> {
    pub(crate) alpha: Ridge,
    pub(crate) block: usize,
    /// How many samples a stream must have.
    pub(crate) samples: Option<usize>,
    pub(crate) solver: Solver,
    pub(crate) checkpoint: Option<&'a dyn Checkpoint>,
    pub(crate) observer: &'a dyn Observer,
}

impl Settings<'_> {
    /// Checks all that can be checked before any work.
    pub(crate) fn check(&self) -> Result<(), EstimatorError> {
        // Whatever the mean diagonal will be.
        let one = Array2::<f64>::ones((1, 1));
        self.alpha.added(&one).map_err(PredictError::from)?;
        self.solver.check()?;
        if self.block == 0 {
            return Err(PredictError::Argument {
                name: "the number of rows of a block",
                value: 0.0,
                condition: "at least 1",
            }
            .into());
        }
        Ok(())
    }

    /// Refuses so many samples of a stream where they are not as was said.
    fn check_length(
        &self,
        found: usize,
        fits: impl Fn(usize, usize) -> bool,
    ) -> Result<(), EstimatorError> {
        match self.samples {
            Some(expected) if !fits(found, expected) => {
                Err(EstimatorError::StreamLength { expected, found })
            }
            _ => Ok(()),
        }
    }
}

/// Refuses targets of other samples, or that are not finite.
pub(crate) fn check_targets<T: Real>(
    x: &Inputs<'_, T>,
    y: ArrayView2<'_, T>,
) -> Result<(), EstimatorError> {
    sample_shape(&x.x)?;
    let (samples, targets) = (x.x.len_of(Axis(0)), y.nrows());
    if samples != targets {
        return Err(EstimatorError::TargetRows { samples, targets });
    }
    Ok(check::finite("the targets", &y)?)
}

/// Refuses a block of rows of m numbers that there is not the memory for.
fn check_block<T: Real>(rows: usize, m: usize) -> Result<(), KernelError> {
    let entry = size_of::<T>() + 2 * size_of::<f64>();
    memory::check(memory::product([rows, m, entry]))
}

/// What was fitted.
#[derive(Debug)]
pub(crate) struct Linear<B> {
    pub(crate) basis: Arc<B>,
    pub(crate) block: usize,
    /// What the normal equations give beside coefficients; `None` by conjugate gradients or from a
    /// file.
    equations: Option<Arc<Equations>>,
    pub(crate) samples: usize,
    pub(crate) added: f64,
    pub(crate) coefficients: Array2<f64>,
    pub(crate) residual: f64,
    pub(crate) effective_parameters: Option<f64>,
}

const LEAVE_ONE_OUT: &str = "leaving one sample out";

impl<B> Clone for Linear<B> {
    fn clone(&self) -> Self {
        Self {
            basis: self.basis.clone(),
            equations: self.equations.clone(),
            coefficients: self.coefficients.clone(),
            ..*self
        }
    }
}

impl<B: Basis> Linear<B> {
    fn new(
        basis: Arc<B>,
        block: usize,
        equations: Arc<Equations>,
        alpha: Ridge,
    ) -> Result<Self, EstimatorError> {
        let added = equations.added(alpha).map_err(PredictError::from)?;
        let solved = equations.at(added).map_err(PredictError::from)?;
        Ok(Self {
            basis,
            block,
            samples: equations.samples(),
            equations: Some(equations),
            added,
            coefficients: check::result(B::COEFFICIENTS, solved.coefficients)?,
            residual: solved.residual,
            effective_parameters: Some(solved.effective_parameters),
        })
    }

    /// Makes what conjugate gradients found, or a file has: the ridge, the coefficients and the
    /// residual.
    pub(crate) fn solved(
        basis: Arc<B>,
        block: usize,
        samples: usize,
        (added, coefficients, residual): (f64, Array2<f64>, f64),
        effective_parameters: Option<f64>,
    ) -> Result<Self, EstimatorError> {
        Ok(Self {
            basis,
            block,
            samples,
            equations: None,
            added,
            coefficients: check::result(B::COEFFICIENTS, coefficients)?,
            residual,
            effective_parameters,
        })
    }

    /// Returns the equations, which `what` needs.
    fn equations(&self, what: &'static str) -> Result<&Arc<Equations>, EstimatorError> {
        let equations = self.equations.as_ref();
        equations.ok_or(EstimatorError::NoEquations { what })
    }

    /// Returns how many directions of the m there are above the resolution of the element type, where
    /// that is known.
    pub(crate) fn rank(&self) -> Option<usize> {
        self.equations.as_ref().map(|equations| equations.rank())
    }

    /// Solves with another ridge, without another pass.
    pub(crate) fn at(&self, alpha: Ridge) -> Result<Self, EstimatorError> {
        let equations = self.equations("another ridge")?.clone();
        Self::new(self.basis.clone(), self.block, equations, alpha)
    }

    /// Predicts the outputs at the samples `z`, (rows, outputs), a block at a time.
    pub(crate) fn predict(
        &self,
        z: &Inputs<'_, B::Item>,
    ) -> Result<Array2<B::Item>, EstimatorError> {
        let rows = z.x.shape().first().copied().unwrap_or(0);
        let outputs = self.coefficients.ncols();
        memory::check(memory::product([rows, outputs, size_of::<B::Item>()]))?;
        let mut predicted = Array2::zeros((rows, outputs));
        self.each_block(z, |range, rows| {
            let found = matmul(&rows, &self.coefficients)?.mapv_into_any(B::Item::of);
            predicted.slice_mut(s![range, ..]).assign(&found);
            Ok(())
        })?;
        Ok(check::result("the outputs (sample, output)", predicted)?)
    }

    /// Computes what each sample is missed by without it, (rows, outputs).
    pub(crate) fn leave_one_out<E: Dimension>(
        &self,
        x: &Inputs<'_, B::Item>,
        y: &ArrayRef<B::Item, E>,
    ) -> Result<Array2<B::Item>, EstimatorError> {
        let y = columns(y)?;
        memory::check(memory::product([y.len(), size_of::<B::Item>()]))?;
        let mut residuals = Array2::zeros(y.raw_dim());
        let mut whole = None;
        self.each_left_out(x, y.view(), &[self.added], |at, leverage, error| {
            let [sample, _, output] = at;
            match error {
                Some(error) => residuals[[sample, output]] = B::Item::of(error),
                None => whole = whole.or(Some((sample, leverage))),
            }
        })?;
        if let Some((sample, leverage)) = whole {
            return Err(EstimatorError::Leverage { sample, leverage });
        }
        let what = "the residuals (sample, output)";
        Ok(check::result(what, residuals)?)
    }

    /// Computes the mean squared error of leaving samples out, one for every ridge.
    pub(crate) fn errors<E: Dimension, R: Into<Ridge> + Copy>(
        &self,
        x: &Inputs<'_, B::Item>,
        y: &ArrayRef<B::Item, E>,
        alphas: &[R],
    ) -> Result<Vec<f64>, EstimatorError> {
        let y = columns(y)?;
        let equations = self.equations(LEAVE_ONE_OUT)?;
        let added = alphas.iter().map(|&alpha| equations.added(alpha.into()));
        let added: Result<Vec<f64>, _> = added.collect();
        let added = added.map_err(PredictError::from)?;
        let mut sums = vec![0.0; added.len()];
        self.each_left_out(x, y.view(), &added, |[_, c, _], _, error| {
            sums[c] += error.map_or(f64::INFINITY, |error| error * error);
        })?;
        let entries = y.len().max(1) as f64;
        Ok(sums.into_iter().map(|sum| sum / entries).collect())
    }

    /// Calls what [`Equations::each_left_out`] calls, of all samples.
    fn each_left_out(
        &self,
        x: &Inputs<'_, B::Item>,
        y: ArrayView2<'_, B::Item>,
        added: &[f64],
        mut each: impl FnMut([usize; 3], f64, Option<f64>),
    ) -> Result<(), EstimatorError> {
        let equations = self.equations(LEAVE_ONE_OUT)?;
        check_targets(x, y)?;
        let expected = (y.nrows(), self.coefficients.ncols());
        let why = "as many outputs as were fitted";
        check::shape("the targets", &y, expected, why)?;
        self.each_block(x, |range, rows| {
            let y = y.slice(s![range.clone(), ..]).mapv(Real::to_f64);
            let each = |[sample, c, output]: [usize; 3], leverage, error| {
                each([range.start + sample, c, output], leverage, error);
            };
            equations.each_left_out(&rows, &y, added, each)
        })
    }

    /// Calls with the numbers of each block of `z`.
    fn each_block(
        &self,
        z: &Inputs<'_, B::Item>,
        mut call: impl FnMut(Range<usize>, Array2<f64>) -> Result<(), LinalgError>,
    ) -> Result<(), EstimatorError> {
        self.basis.check(z)?;
        let rows = z.x.shape().first().copied().unwrap_or(0);
        check_block::<B::Item>(self.block.min(rows), self.basis.count())?;
        for start in (0..rows).step_by(self.block) {
            let range = start..rows.min(start.saturating_add(self.block));
            let part = z.slice(range.clone());
            let part = part.expect("masks and graphs of all samples have been checked");
            let found = self.basis.rows(&part, &())?;
            call(range, found.mapv_into_any(Real::to_f64)).map_err(PredictError::from)?;
        }
        Ok(())
    }
}
