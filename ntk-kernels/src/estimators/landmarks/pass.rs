//! Passes over samples.

use super::checkpoint::{Checkpoint, State};
use super::equations::Sums;
use super::iterations::Iterations;
use super::source::in_block;
use super::{
    FittedLandmarks, Landmarks, Solver, check_block, check_targets, kernel_with, stoppable,
};
use crate::closed_form::memory;
use crate::estimators::samples::Samples;
use crate::estimators::{CheckpointError, EstimatorError};
use crate::inputs::Inputs;
use crate::predict::PredictError;
use ndarray::{Array1, Array2, ArrayView2, s};
use ntk_linalg::Real;

/// Passes of a fit, and what they have reached.
pub(super) struct Pass<'a, T> {
    settings: &'a Landmarks<'a>,
    landmarks: Samples<T>,
    solving: Solving,
    /// The samples of this pass so far.
    samples: usize,
}

/// What a solver sums over samples.
enum Solving {
    Equations { sums: Sums, done: bool },
    Iterations(Iterations),
}

impl<'a, T: Real> Pass<'a, T> {
    /// Starts from the kernel of the landmarks, for so many samples.
    pub(super) fn new(
        settings: &'a Landmarks<'a>,
        landmarks: Samples<T>,
        samples: usize,
    ) -> Result<Self, EstimatorError> {
        let m = landmarks.count();
        let entry = match settings.solver {
            Solver::NormalEquations => 10 * size_of::<f64>(),
            Solver::ConjugateGradients { .. } => 2 * size_of::<f64>() + size_of::<T>(),
        };
        memory::check(memory::product([m, m, entry]))?;
        let points = Inputs::new(&landmarks.x).structure(&landmarks.structure);
        let k_mm = stoppable(settings.observer, |observer| {
            kernel_with(&landmarks, settings.kernel, &points, observer)
        })?;
        let solving = match settings.solver {
            Solver::NormalEquations => Solving::Equations {
                sums: Sums::new(&k_mm)?,
                done: false,
            },
            Solver::ConjugateGradients {
                tolerance,
                iterations,
            } => {
                let limits = (tolerance, iterations);
                Solving::Iterations(Iterations::new(&k_mm, samples, settings.alpha, limits)?)
            }
        };
        Ok(Self {
            settings,
            landmarks,
            solving,
            samples: 0,
        })
    }

    /// Returns where the blocks begin that have to be known before the first pass.
    pub(super) fn before(&self) -> Vec<usize> {
        match &self.solving {
            Solving::Equations { .. } => Vec::new(),
            Solving::Iterations(iterations) => iterations.starts(self.settings.block).collect(),
        }
    }

    /// Takes a block of them.
    pub(super) fn draw(
        &mut self,
        x: &Inputs<'_, T>,
        y: ArrayView2<'_, T>,
    ) -> Result<(), EstimatorError> {
        self.check(x, y)?;
        let k_bm = self.kernel_with(x)?;
        if let Solving::Iterations(iterations) = &mut self.solving {
            iterations.draw(&k_bm).map_err(PredictError::from)?;
        }
        self.settings.observer.advance(y.nrows() as u64);
        Ok(())
    }

    fn kernel_with(&self, x: &Inputs<'_, T>) -> Result<Array2<T>, EstimatorError> {
        stoppable(self.settings.observer, |observer| {
            kernel_with(&self.landmarks, self.settings.kernel, x, observer)
        })
    }

    /// Returns the number of samples of this pass so far.
    pub(super) fn samples(&self) -> usize {
        self.samples
    }

    /// Returns whether there is another pass.
    pub(super) fn continues(&self) -> bool {
        match &self.solving {
            Solving::Equations { done, .. } => !done,
            Solving::Iterations(iterations) => iterations.continues(),
        }
    }

    /// Returns how many passes remain at most, the one that has begun included.
    pub(super) fn remaining(&self) -> usize {
        match &self.solving {
            Solving::Equations { done, .. } => usize::from(!done),
            Solving::Iterations(iterations) => iterations.remaining(),
        }
    }

    /// Adds samples and targets, a block at a time.
    pub(super) fn add_all(
        &mut self,
        x: &Inputs<'_, T>,
        y: ArrayView2<'_, T>,
    ) -> Result<(), EstimatorError> {
        let (rows, block) = (y.nrows(), self.settings.block);
        check_targets(x, y).map_err(|source| in_block(self.samples, source))?;
        // A block without samples has a shape, too.
        for start in (0..rows.max(1)).step_by(block) {
            let range = start..rows.min(start.saturating_add(block));
            let part = x.slice(range.clone());
            let part = part.expect("masks and graphs of all samples have been checked");
            let first = self.samples;
            let added = self.add(&part, y.slice(s![range, ..]));
            added.map_err(|source| in_block(first, source))?;
        }
        Ok(())
    }

    /// Refuses targets that do not fit their samples or those before.
    fn check(&self, x: &Inputs<'_, T>, y: ArrayView2<'_, T>) -> Result<(), EstimatorError> {
        check_targets(x, y)?;
        let (samples, found) = y.dim();
        let expected = match &self.solving {
            Solving::Equations { sums, .. } => sums.outputs(),
            Solving::Iterations(iterations) => iterations.outputs(),
        };
        if found == 0 {
            let outputs = 0;
            return Err(EstimatorError::Nothing { samples, outputs });
        }
        if expected != 0 && expected != found {
            return Err(EstimatorError::Outputs { expected, found });
        }
        Ok(check_block::<T>(samples, self.landmarks.count())?)
    }

    /// Adds a block of samples and targets.
    pub(super) fn add(
        &mut self,
        x: &Inputs<'_, T>,
        y: ArrayView2<'_, T>,
    ) -> Result<(), EstimatorError> {
        self.check(x, y)?;
        let (kernel, observer) = (self.settings.kernel, self.settings.observer);
        let k_bm = self.kernel_with(x)?;
        let trace = || {
            let diagonal: Array1<T> = self.landmarks.diagonal_of(kernel, x)?;
            let sum = diagonal.iter().map(|&v| Real::to_f64(v)).sum();
            Ok::<f64, EstimatorError>(sum)
        };
        let added = match &mut self.solving {
            Solving::Equations { sums, .. } => {
                let (k_bm, y) = (k_bm.mapv_into_any(Real::to_f64), y.mapv(Real::to_f64));
                sums.add(&k_bm, trace()?, &y)
            }
            Solving::Iterations(iterations) => {
                let trace = match iterations.needs_trace() {
                    true => trace()?,
                    false => 0.0,
                };
                iterations.add(&k_bm, y, trace)
            }
        };
        added.map_err(PredictError::from)?;
        self.samples += y.nrows();
        observer.advance(y.nrows() as u64);
        Ok(())
    }

    /// Ends the pass that all samples have been added in.
    pub(super) fn end(&mut self) -> Result<(), EstimatorError> {
        match &mut self.solving {
            Solving::Equations { done, .. } => *done = true,
            Solving::Iterations(iterations) => {
                if iterations.continues() {
                    iterations.advance()?;
                }
            }
        }
        if self.continues() {
            self.samples = 0;
        }
        Ok(())
    }

    /// Writes what is reached.
    pub(super) fn write(
        &self,
        checkpoint: &mut Checkpoint,
        last: bool,
    ) -> Result<(), CheckpointError> {
        match &self.solving {
            Solving::Equations { sums, .. } => sums.write(checkpoint, last),
            Solving::Iterations(iterations) => iterations.write(checkpoint, self.samples, last),
        }
    }

    /// Goes back to what was written.
    pub(super) fn resume(&mut self, state: &State) -> Result<(), EstimatorError> {
        self.samples = state.samples;
        match &mut self.solving {
            Solving::Equations { sums, .. } => Ok(sums.resume(state)?),
            Solving::Iterations(iterations) => iterations.resume(state),
        }
    }

    pub(super) fn finish(self) -> Result<FittedLandmarks<T>, EstimatorError> {
        let Landmarks {
            kernel,
            alpha,
            block,
            ..
        } = *self.settings;
        let landmarks = self.landmarks;
        match self.solving {
            Solving::Equations { sums, .. } => {
                let (samples, outputs) = (self.samples, sums.outputs());
                if samples == 0 || outputs == 0 {
                    return Err(EstimatorError::Nothing { samples, outputs });
                }
                FittedLandmarks::new(landmarks, kernel, block, sums.solve()?, alpha)
            }
            Solving::Iterations(iterations) => {
                let solution = iterations.solution()?;
                FittedLandmarks::iterated(landmarks, kernel, block, self.samples, solution)
            }
        }
    }
}
