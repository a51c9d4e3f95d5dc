//! Passes over samples.

use super::checkpoint::{Keeper, State, fingerprint};
use super::iterations::Reached;
use super::ranks::{self, Ranks, agree};
use super::source::{Source, in_block};
use super::{Basis, Iterations, Linear, Settings, Solver, Sums, check_block, check_targets};
use crate::estimators::{CheckpointError, EstimatorError};
use crate::inputs::Inputs;
use crate::predict::PredictError;
use ndarray::{Array2, ArrayD, ArrayView2, s};
use ntk_linalg::Real;
use serde_json::json;
use std::fmt::Display;
use std::sync::Arc;

/// Passes of a fit, and what they have reached.
pub(crate) struct Pass<'a, B> {
    settings: Settings<'a>,
    basis: B,
    solving: Solving,
    /// The samples of this pass so far.
    samples: usize,
}

/// What a solver sums over samples.
pub(crate) enum Solving {
    /// The equations, and whether all samples are in them.
    Equations(Box<Sums>, bool),
    Iterations(Box<Iterations>),
}

impl<'a, B: Basis> Pass<'a, B> {
    pub(crate) fn new(settings: Settings<'a>, basis: B, solving: Solving) -> Self {
        Self {
            settings,
            basis,
            solving,
            samples: 0,
        }
    }

    /// Fits to samples and targets, of which each process takes its own blocks; those in memory have
    /// been checked.
    pub(crate) fn fit<E: From<EstimatorError> + Display>(
        mut self,
        mut source: Source<'_, '_, B::Item, E>,
        ranks: &dyn Ranks,
    ) -> Result<Linear<B>, E> {
        let samples = source.samples();
        if samples == 0 {
            let outputs = 0;
            return Err(EstimatorError::Nothing { samples, outputs }.into());
        }
        let begun = self.begin(&mut source, ranks);
        let (mut keeper, reached) = agree(ranks, begun)?;
        if let Solving::Iterations(iterations) = &mut self.solving {
            iterations.reduce_drawn(ranks);
            let resumed = iterations.resume(reached, ranks);
            self.samples = agree(ranks, resumed.map_err(EstimatorError::from))?;
        }
        let rest = self.remaining().saturating_mul(samples / ranks.count());
        let observer = self.settings.observer;
        observer.begin("samples", rest.saturating_sub(self.samples) as u64);
        // One process decides, lest rounding divide them.
        while ranks::gather(ranks, self.continues().into())[0] > 0 {
            let passed = self.pass(&mut source, &mut keeper, ranks);
            agree(ranks, passed)?;
            let ended = self.end(ranks);
            agree(ranks, ended)?;
        }
        let written = keeper.map_or(Ok(()), |mut keeper| self.write(&mut keeper, true));
        agree(ranks, written.map_err(EstimatorError::from))?;
        self.samples = samples;
        if let Solving::Equations(sums, _) = &mut self.solving {
            sums.reduce(ranks)?;
        }
        let finished = self.finish();
        Ok(agree(ranks, finished)?)
    }

    /// Reads what was reached, and all that is needed before the first pass.
    fn begin<E: From<EstimatorError>>(
        &mut self,
        source: &mut Source<'_, '_, B::Item, E>,
        ranks: &dyn Ranks,
    ) -> Result<(Option<Keeper<'a>>, Option<Reached>), E> {
        let (keeper, state) = self.opened(source, ranks)?;
        let Settings {
            block, observer, ..
        } = self.settings;
        let before = self.before();
        let before: Vec<usize> = before.skip(ranks.rank()).step_by(ranks.count()).collect();
        if !before.is_empty() {
            let known = source.samples().min(before.len().saturating_mul(block));
            observer.begin("preconditioner", known as u64);
            source.each_block(before, block, |x, y| self.draw(x, y))?;
        }
        let mut reached = None;
        match (&mut self.solving, &state) {
            (_, None) => (),
            (Solving::Equations(sums, _), Some(state)) => {
                self.samples = state.samples;
                sums.resume(state).map_err(EstimatorError::from)?;
            }
            (Solving::Iterations(iterations), Some(state)) => {
                reached = Some(iterations.read(state).map_err(EstimatorError::from)?);
            }
        }
        Ok((keeper, reached))
    }

    /// Goes over the blocks of this process that are left of a pass.
    fn pass<E: From<EstimatorError>>(
        &mut self,
        source: &mut Source<'_, '_, B::Item, E>,
        keeper: &mut Option<Keeper<'a>>,
        ranks: &dyn Ranks,
    ) -> Result<(), E> {
        let (block, samples) = (self.settings.block, source.samples());
        // Its blocks are full, but perhaps the last.
        let next = ranks.rank() + self.samples.div_ceil(block).saturating_mul(ranks.count());
        let starts =
            (next.saturating_mul(block)..samples).step_by(block.saturating_mul(ranks.count()));
        source.each_block(starts, block, |x, y| {
            self.add(x, y)?;
            if let Some(keeper) = keeper {
                self.write(keeper, false)?;
            }
            Ok(())
        })
    }

    /// Fits to a stream of blocks, which passes once.
    pub(crate) fn fit_blocks<E: From<EstimatorError>>(
        mut self,
        blocks: impl IntoIterator<Item = Result<(ArrayD<B::Item>, Array2<B::Item>), E>>,
    ) -> Result<Linear<B>, E> {
        let total = self.settings.samples.unwrap_or(0) as u64;
        self.settings.observer.begin("samples", total);
        for block in blocks {
            let (x, y) = block?;
            self.add_all(&Inputs::new(&x), y.view())?;
            let fits = |found, expected| found <= expected;
            self.settings.check_length(self.samples, fits)?;
        }
        let fits = |found, expected| found == expected;
        self.settings.check_length(self.samples, fits)?;
        Ok(self.finish()?)
    }

    /// Opens the checkpoint, and reads the state in it.
    fn opened<E: From<EstimatorError>>(
        &self,
        source: &mut Source<'_, '_, B::Item, E>,
        ranks: &dyn Ranks,
    ) -> Result<(Option<Keeper<'a>>, Option<State>), E> {
        let Settings {
            alpha,
            block,
            solver,
            checkpoint,
            ..
        } = self.settings;
        let Some(place) = checkpoint else {
            return Ok((None, None));
        };
        let own = [
            ("element type", json!(B::Item::NAME)),
            ("alpha", json!(format!("{alpha:?}"))),
            ("solver", json!(format!("{solver:?}"))),
            ("block", json!(block)),
            ("number of samples", json!(source.samples())),
            ("number of processes", json!(ranks.count())),
            ("process", json!(ranks.rank())),
        ];
        let data = fingerprint(source, block)?;
        let run = own.into_iter().chain(self.basis.described()).chain(data);
        let run = run.map(|(name, value)| (name.to_string(), value)).collect();
        let keeper = Keeper::new(place, run);
        let state = keeper.read().map_err(EstimatorError::from)?;
        Ok((Some(keeper), state))
    }

    /// Returns where the blocks begin that have to be known before the first pass.
    fn before(&self) -> impl Iterator<Item = usize> + use<B> {
        let starts = match &self.solving {
            Solving::Equations(..) => None,
            Solving::Iterations(iterations) => Some(iterations.starts(self.settings.block)),
        };
        starts.into_iter().flatten()
    }

    /// Takes a block of them.
    fn draw(
        &mut self,
        x: &Inputs<'_, B::Item>,
        y: ArrayView2<'_, B::Item>,
    ) -> Result<(), EstimatorError> {
        self.check(x, y)?;
        let rows = self.basis.rows(x, self.settings.observer)?;
        if let Solving::Iterations(iterations) = &mut self.solving {
            iterations.draw(&rows).map_err(PredictError::from)?;
        }
        self.settings.observer.advance(y.nrows() as u64);
        Ok(())
    }

    /// Returns whether there is another pass.
    fn continues(&self) -> bool {
        match &self.solving {
            Solving::Equations(_, done) => !done,
            Solving::Iterations(iterations) => iterations.continues(),
        }
    }

    /// Returns how many passes remain at most, the one that has begun included.
    fn remaining(&self) -> usize {
        match &self.solving {
            Solving::Equations(_, done) => usize::from(!done),
            Solving::Iterations(iterations) => iterations.remaining(),
        }
    }

    /// Adds samples and targets, a block at a time.
    fn add_all(
        &mut self,
        x: &Inputs<'_, B::Item>,
        y: ArrayView2<'_, B::Item>,
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
    fn check(
        &self,
        x: &Inputs<'_, B::Item>,
        y: ArrayView2<'_, B::Item>,
    ) -> Result<(), EstimatorError> {
        check_targets(x, y)?;
        let (samples, found) = y.dim();
        let expected = match &self.solving {
            Solving::Equations(sums, _) => sums.outputs(),
            Solving::Iterations(iterations) => iterations.outputs(),
        };
        if found == 0 {
            let outputs = 0;
            return Err(EstimatorError::Nothing { samples, outputs });
        }
        if expected != 0 && expected != found {
            return Err(EstimatorError::Outputs { expected, found });
        }
        Ok(check_block::<B::Item>(samples, self.basis.count())?)
    }

    /// Adds a block of samples and targets.
    fn add(
        &mut self,
        x: &Inputs<'_, B::Item>,
        y: ArrayView2<'_, B::Item>,
    ) -> Result<(), EstimatorError> {
        self.check(x, y)?;
        let observer = self.settings.observer;
        let rows = self.basis.rows(x, observer)?;
        let added = match &mut self.solving {
            Solving::Equations(sums, _) => {
                let trace = self.basis.trace(x, &rows)?;
                let rows = rows.mapv_into_any(Real::to_f64);
                sums.add(&rows, trace, &y.mapv(Real::to_f64))
            }
            Solving::Iterations(iterations) => {
                let trace = match iterations.needs_trace() {
                    true => self.basis.trace(x, &rows)?,
                    false => 0.0,
                };
                iterations.add(&rows, y, trace)
            }
        };
        added.map_err(PredictError::from)?;
        self.samples += y.nrows();
        observer.advance(y.nrows() as u64);
        Ok(())
    }

    /// Ends the pass that all samples have been added in.
    fn end(&mut self, ranks: &dyn Ranks) -> Result<(), EstimatorError> {
        match &mut self.solving {
            // Their sums are added up after they have been written.
            Solving::Equations(_, done) => *done = true,
            Solving::Iterations(iterations) => {
                iterations.reduce(ranks)?;
                iterations.advance()?;
                self.samples = 0;
            }
        }
        Ok(())
    }

    /// Writes what is reached.
    fn write(&self, keeper: &mut Keeper<'_>, last: bool) -> Result<(), CheckpointError> {
        match &self.solving {
            Solving::Equations(sums, _) => sums.write(keeper, last),
            Solving::Iterations(iterations) => iterations.write(keeper, self.samples, last),
        }
    }

    fn finish(self) -> Result<Linear<B>, EstimatorError> {
        let Settings { alpha, block, .. } = self.settings;
        let (basis, samples) = (Arc::new(self.basis), self.samples);
        match self.solving {
            Solving::Equations(sums, _) => {
                let outputs = sums.outputs();
                if samples == 0 || outputs == 0 {
                    return Err(EstimatorError::Nothing { samples, outputs });
                }
                Linear::new(basis, block, Arc::new(sums.solve()?), alpha)
            }
            Solving::Iterations(iterations) => {
                Linear::solved(basis, block, samples, iterations.solution()?, None)
            }
        }
    }
}

impl Settings<'_> {
    /// Refuses a solver or a checkpoint that needs samples more than once.
    pub(crate) fn check_one_pass(&self) -> Result<(), EstimatorError> {
        self.check()?;
        match (self.solver, self.checkpoint) {
            (Solver::NormalEquations, None) => Ok(()),
            _ => Err(EstimatorError::OnePass),
        }
    }
}
