//! Ridge regression on numbers of samples, in one pass over them: what estimators over landmarks and on
//! features share.

use super::EstimatorError;
use super::equations::{Equations, Sums};
use super::samples::columns;
use crate::closed_form::{KernelError, memory, sample_shape};
use crate::inputs::Inputs;
use crate::predict::{PredictError, Ridge, check};
use ndarray::{Array1, Array2, ArrayD, ArrayRef, ArrayView2, Axis, Dimension, s};
use ntk_linalg::{LinalgError, Observer, Real, matmul};
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

    /// Refuses samples of which there are no numbers.
    fn check(&self, x: &Inputs<'_, Self::Item>) -> Result<(), EstimatorError>;

    /// Computes the numbers of a block of samples, (b, m).
    fn rows(
        &self,
        x: &Inputs<'_, Self::Item>,
        observer: &dyn Observer,
    ) -> Result<Array2<f64>, EstimatorError>;

    /// Computes the kernel of each sample of a block with itself, (b), beside its numbers.
    fn diagonal(
        &self,
        x: &Inputs<'_, Self::Item>,
        rows: &Array2<f64>,
    ) -> Result<Array1<f64>, EstimatorError>;
}

/// How a fit goes over samples.
#[derive(Clone, Copy)]
pub(crate) struct Settings<'a> {
    pub(crate) alpha: Ridge,
    pub(crate) block: usize,
    /// How many samples a stream must have.
    pub(crate) samples: Option<usize>,
    pub(crate) observer: &'a dyn Observer,
}

impl Settings<'_> {
    /// Checks all that can be checked before any work.
    pub(crate) fn check(&self) -> Result<(), EstimatorError> {
        // Whatever the mean diagonal will be.
        let one = Array2::<f64>::ones((1, 1));
        self.alpha.added(&one).map_err(PredictError::from)?;
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

/// One pass over samples.
pub(crate) struct Pass<'a, B> {
    settings: Settings<'a>,
    basis: B,
    sums: Sums,
}

impl<'a, B: Basis> Pass<'a, B> {
    pub(crate) fn new(settings: Settings<'a>, basis: B, sums: Sums) -> Self {
        Self {
            settings,
            basis,
            sums,
        }
    }

    /// Fits to samples and targets that have been checked.
    pub(crate) fn whole(
        mut self,
        x: &Inputs<'_, B::Item>,
        y: ArrayView2<'_, B::Item>,
    ) -> Result<Linear<B>, EstimatorError> {
        self.settings.observer.begin("samples", y.nrows() as u64);
        self.add_all(x, y)?;
        self.finish()
    }

    /// Fits to a stream of blocks.
    pub(crate) fn blocks<E: From<EstimatorError>>(
        mut self,
        blocks: impl IntoIterator<Item = Result<(ArrayD<B::Item>, Array2<B::Item>), E>>,
    ) -> Result<Linear<B>, E> {
        let total = self.settings.samples.unwrap_or(0) as u64;
        self.settings.observer.begin("samples", total);
        for block in blocks {
            let (x, y) = block?;
            self.add_all(&Inputs::new(&x), y.view())?;
            let fits = |found, expected| found <= expected;
            self.settings.check_length(self.sums.samples(), fits)?;
        }
        let fits = |found, expected| found == expected;
        self.settings.check_length(self.sums.samples(), fits)?;
        Ok(self.finish()?)
    }

    /// Adds samples and targets, a block at a time.
    fn add_all(
        &mut self,
        x: &Inputs<'_, B::Item>,
        y: ArrayView2<'_, B::Item>,
    ) -> Result<(), EstimatorError> {
        let (rows, block) = (y.nrows(), self.settings.block);
        let fit = self.check(x, y);
        fit.map_err(|source| self.in_block(source))?;
        // A block without samples has a shape, too.
        for start in (0..rows.max(1)).step_by(block) {
            let range = start..rows.min(start.saturating_add(block));
            let part = x.slice(range.clone());
            let part = part.expect("masks and graphs of all samples have been checked");
            let added = self.add(&part, y.slice(s![range, ..]));
            added.map_err(|source| self.in_block(source))?;
        }
        Ok(())
    }

    /// Says where the next samples begin.
    fn in_block(&self, source: EstimatorError) -> EstimatorError {
        match source {
            EstimatorError::Predict(PredictError::Cancelled(_)) => source,
            source => EstimatorError::Block {
                first: self.sums.samples(),
                source: Box::new(source),
            },
        }
    }

    /// Refuses targets that do not fit their samples or those before.
    fn check(
        &self,
        x: &Inputs<'_, B::Item>,
        y: ArrayView2<'_, B::Item>,
    ) -> Result<(), EstimatorError> {
        check_targets(x, y)?;
        let (samples, found) = y.dim();
        let expected = self.sums.outputs();
        if found == 0 {
            return Err(EstimatorError::Nothing {
                samples,
                outputs: 0,
            });
        }
        if expected != 0 && expected != found {
            return Err(EstimatorError::Outputs { expected, found });
        }
        let rows = self.settings.block.min(samples);
        Ok(check_block::<B::Item>(rows, self.basis.count())?)
    }

    fn add(
        &mut self,
        x: &Inputs<'_, B::Item>,
        y: ArrayView2<'_, B::Item>,
    ) -> Result<(), EstimatorError> {
        let observer = self.settings.observer;
        let rows = self.basis.rows(x, observer)?;
        let diagonal = self.basis.diagonal(x, &rows)?;
        let y = y.to_owned().mapv_into_any(Real::to_f64);
        self.sums
            .add(&rows, &diagonal, &y)
            .map_err(PredictError::from)?;
        observer.advance(y.nrows() as u64);
        Ok(())
    }

    fn finish(self) -> Result<Linear<B>, EstimatorError> {
        let (samples, outputs) = (self.sums.samples(), self.sums.outputs());
        if samples == 0 || outputs == 0 {
            return Err(EstimatorError::Nothing { samples, outputs });
        }
        let Settings { alpha, block, .. } = self.settings;
        let equations = Arc::new(self.sums.solve()?);
        Linear::new(Arc::new(self.basis), block, equations, alpha)
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
    block: usize,
    pub(crate) equations: Arc<Equations>,
    pub(crate) added: f64,
    pub(crate) coefficients: Array2<f64>,
    pub(crate) residual: f64,
    pub(crate) effective_parameters: f64,
}

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
            equations,
            added,
            coefficients: check::result(B::COEFFICIENTS, solved.coefficients)?,
            residual: solved.residual,
            effective_parameters: solved.effective_parameters,
        })
    }

    /// Solves with another ridge, without another pass.
    pub(crate) fn at(&self, alpha: Ridge) -> Result<Self, EstimatorError> {
        let (basis, equations) = (self.basis.clone(), self.equations.clone());
        Self::new(basis, self.block, equations, alpha)
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
        let added = alphas
            .iter()
            .map(|&alpha| self.equations.added(alpha.into()));
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
        check_targets(x, y)?;
        let expected = (y.nrows(), self.coefficients.ncols());
        let why = "as many outputs as were fitted";
        check::shape("the targets", &y, expected, why)?;
        self.each_block(x, |range, rows| {
            let y = y.slice(s![range.clone(), ..]).mapv(Real::to_f64);
            let each = |[sample, c, output]: [usize; 3], leverage, error| {
                each([range.start + sample, c, output], leverage, error);
            };
            self.equations.each_left_out(&rows, &y, added, each)
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
            call(range, found).map_err(PredictError::from)?;
        }
        Ok(())
    }
}
