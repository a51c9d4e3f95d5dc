//! Training by mini-batches.

mod checkpoint;
mod strategy;

pub use checkpoint::CheckpointError;
pub(crate) use checkpoint::{checkpoint, configuration, resume};
pub use strategy::Order;

use crate::Loss;
use crate::compiled::Scalar;
use crate::empirical::EmpiricalError;
use crate::model::{Model, ModelError};
use crate::optimizer::{Memories, Optimizer};
use ndarray::{ArrayView, ArrayView2, ArrayViewD, Axis, CowArray, Ix2, IxDyn, RemoveAxis, s};
use ntk_linalg::observer::{Cancelled, Observer};
use serde::{Deserialize, Serialize};
use strategy::{Plan, mask_seed};
use thiserror::Error;

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// What is minimised.
    pub loss: Loss,
    /// By which steps.
    pub optimizer: Optimizer,
    /// Samples a step; 0 counts as 1.
    pub batch: usize,
    /// Passes over the samples.
    pub epochs: usize,
    /// Which samples an epoch visits, and in which order.
    pub order: Order,
    /// Of the orders and of dropout's masks.
    #[serde(default)]
    pub seed: u64,
}

/// Why training stopped early.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum TrainError {
    /// Shapes do not fit.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Too few samples for the parts, or no part.
    #[error(
        "cannot cut {samples} samples into {parts} partitions; ask for 1 to {samples}, or for another order"
    )]
    Parts {
        /// Parts asked for.
        parts: usize,
        /// Samples there are.
        samples: usize,
    },
    /// A reservoir without a sample.
    #[error("a reservoir of size 0 with the latest 0 samples trains on nothing; raise one of them")]
    EmptyReservoir,
    /// The trace that the rate is to be divided by is zero, infinite or NaN.
    #[error(
        "the NTK's trace at epoch {epoch} is {trace}, and the learning rate {scale}/trace is of no use; look for samples of zero, or dead units"
    )]
    Trace {
        /// Epochs done.
        epoch: usize,
        /// Of [`Optimizer::TraceSgd`].
        scale: f64,
        /// The trace found.
        trace: f64,
    },
    /// The loss became infinite or NaN.
    #[error(
        "training diverged in epoch {epoch}, step {step}: the loss is no longer finite (last: {}); lower the learning rate, or look for NaN and infinities in samples and targets",
        losses.last().map_or("none".to_string(), |l| format!("{l:.3e}"))
    )]
    Diverged {
        /// Epoch, from 0.
        epoch: usize,
        /// Step over all epochs, from 0.
        step: usize,
        /// The finite losses before, of every step.
        losses: Vec<f64>,
    },
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl From<EmpiricalError> for TrainError {
    fn from(error: EmpiricalError) -> Self {
        match error {
            EmpiricalError::Model(error) => Self::Model(error),
            EmpiricalError::Cancelled(error) => Self::Cancelled(error),
        }
    }
}

/// Training in progress: a model, what it is trained on, and the optimiser's memory.
///
/// Between epochs its state is complete: [`Trainer::checkpoint`] keeps it, and
/// [`Trainer::resume`] goes on from there to the same parameters, bit for bit.
pub struct Trainer<'a, T: Scalar> {
    model: &'a mut Model<T>,
    x: CowArray<'a, T, Ix2>,
    y: ArrayView2<'a, T>,
    config: TrainConfig,
    plan: Plan,
    memories: Memories<T>,
    /// The rate of [`Optimizer::TraceSgd`]; 0 before the first epoch and for all others.
    rate: f64,
    epoch: usize,
    losses: Vec<f64>,
    diverged: Option<TrainError>,
}

impl<'a, T: Scalar> Trainer<'a, T> {
    /// Before the first epoch of training `model` on `x` (n, ...) and `y` (n, outputs).
    ///
    /// # Errors
    /// [`TrainError::Model`] where shapes do not fit, [`TrainError::Parts`] and
    /// [`TrainError::EmptyReservoir`].
    pub fn new<D: RemoveAxis>(
        model: &'a mut Model<T>,
        x: ArrayView<'a, T, D>,
        y: ArrayView2<'a, T>,
        config: TrainConfig,
    ) -> Result<Self, TrainError> {
        T::start(model, x.into_dyn(), y, config)
    }

    /// The next epoch, whether or not [`TrainConfig::epochs`] are done; returns the loss of each
    /// of its steps on its batch, before the step, with dropout's masks.
    ///
    /// `observer` is asked whether to stop before the epoch, not inside it.
    ///
    /// # Errors
    /// [`TrainError::Diverged`], which every later call repeats; [`TrainError::Cancelled`] and
    /// [`TrainError::Trace`], after which the state is that before the call.
    pub fn epoch(&mut self, observer: &dyn Observer) -> Result<Vec<f64>, TrainError> {
        T::epoch(self, observer)
    }

    fn step(&mut self, chosen: &[usize]) -> Result<(), TrainError> {
        let positions = self.model.positions();
        let inputs: Vec<usize> = chosen
            .iter()
            .flat_map(|&i| i * positions..(i + 1) * positions)
            .collect();
        let (x, y) = (
            self.x.select(Axis(0), &inputs),
            self.y.select(Axis(0), chosen),
        );
        let masks = mask_seed(self.config.seed, self.memories.steps);
        let loss = self.model.step(
            x.view(),
            y.view(),
            self.config.loss,
            Some(masks),
            (self.config.optimizer, self.rate),
            &mut self.memories,
        );
        if !loss.is_finite() {
            let error = TrainError::Diverged {
                epoch: self.epoch,
                step: self.losses.len(),
                losses: self.losses.clone(),
            };
            self.diverged = Some(error.clone());
            return Err(error);
        }
        self.losses.push(loss);
        Ok(())
    }

    /// The model as it is now.
    #[must_use]
    pub fn model(&self) -> &Model<T> {
        self.model
    }

    /// How it is trained.
    #[must_use]
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// Epochs done.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.epoch
    }

    /// Every step's loss on its batch so far, those before a checkpoint included.
    #[must_use]
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// The learning rate that [`Optimizer::TraceSgd`] uses now; `None` of the others, and before
    /// the first epoch.
    #[must_use]
    pub fn trace_rate(&self) -> Option<f64> {
        let by_trace = matches!(self.config.optimizer, Optimizer::TraceSgd { .. });
        (by_trace && self.epoch > 0).then_some(self.rate)
    }

    /// The inputs in their own shape.
    fn samples(&self) -> ArrayViewD<'_, T> {
        samples(self.model, self.x.view())
    }
}

fn samples<'x, T: Scalar>(model: &Model<T>, rows: ArrayView2<'x, T>) -> ArrayViewD<'x, T> {
    let mut axes = vec![rows.nrows() / model.positions()];
    axes.extend(model.input().positions());
    axes.push(model.input().channels());
    rows.into_shape_with_order(IxDyn(&axes))
        .expect("rows lie one after another")
}

/// The loss of each sample alone, dropout switched off.
fn losses<T: Scalar>(
    model: &Model<T>,
    x: ArrayView2<'_, T>,
    y: ArrayView2<'_, T>,
    loss: Loss,
) -> Vec<f64> {
    let outputs = model.forward(samples(model, x)).expect("rows of the model");
    (0..y.nrows())
        .map(|i| {
            let row = s![i..=i, ..];
            loss.with_gradient(outputs.slice(row), y.slice(row)).0
        })
        .collect()
}

/// Trains `model` on `x` (n, ...) and `y` (n, outputs); returns every step's loss on its batch,
/// before the step. [`Trainer`] does the same one epoch at a time.
///
/// # Errors
/// [`TrainError`]; the model then holds the parameters of that moment.
pub fn train<T: Scalar, D: RemoveAxis>(
    model: &mut Model<T>,
    x: ArrayView<'_, T, D>,
    y: ArrayView2<'_, T>,
    config: &TrainConfig,
    observer: &dyn Observer,
) -> Result<Vec<f64>, TrainError> {
    T::train(model, x.into_dyn(), y, config, observer)
}

/// [`Trainer::new`].
pub(crate) fn start<'a, T: Scalar>(
    model: &'a mut Model<T>,
    x: ArrayViewD<'a, T>,
    y: ArrayView2<'a, T>,
    config: TrainConfig,
) -> Result<Trainer<'a, T>, TrainError> {
    let x = model.rows(x)?;
    model.check_targets(x.nrows(), y)?;
    Ok(Trainer {
        plan: Plan::new(config.order, config.seed, y.nrows())?,
        memories: Memories::new(config.optimizer, model),
        rate: 0.0,
        epoch: 0,
        losses: Vec::new(),
        diverged: None,
        model,
        x,
        y,
        config,
    })
}

/// [`Trainer::epoch`].
pub(crate) fn epoch<T: Scalar>(
    trainer: &mut Trainer<'_, T>,
    observer: &dyn Observer,
) -> Result<Vec<f64>, TrainError> {
    if let Some(error) = &trainer.diverged {
        return Err(error.clone());
    }
    observer.check()?;
    if let Optimizer::TraceSgd { scale, every } = trainer.config.optimizer
        && trainer.epoch.is_multiple_of(every.max(1))
    {
        let trace = trainer.model.ntk_trace(trainer.samples(), observer)?;
        if trace <= 0.0 || !trace.is_finite() {
            return Err(TrainError::Trace {
                epoch: trainer.epoch,
                scale,
                trace,
            });
        }
        trainer.rate = scale / trace;
    }
    let (model, x, y, loss) = (
        &*trainer.model,
        trainer.x.view(),
        trainer.y,
        trainer.config.loss,
    );
    let batches = trainer
        .plan
        .next(trainer.config.batch.max(1), || losses(model, x, y, loss));
    let first = trainer.losses.len();
    for chosen in batches {
        trainer.step(&chosen)?;
    }
    trainer.epoch += 1;
    observer.advance(1);
    Ok(trainer.losses[first..].to_vec())
}

/// [`train`].
pub(crate) fn run_through<T: Scalar>(
    model: &mut Model<T>,
    x: ArrayViewD<'_, T>,
    y: ArrayView2<'_, T>,
    config: &TrainConfig,
    observer: &dyn Observer,
) -> Result<Vec<f64>, TrainError> {
    // Views of one lifetime, which the trainer asks for.
    let (x, y) = (x.view(), y.view());
    let mut trainer = Trainer::new(model, x, y, *config)?;
    observer.begin("training", config.epochs as u64);
    for _ in 0..config.epochs {
        trainer.epoch(observer)?;
    }
    Ok(trainer.losses)
}

#[cfg(test)]
mod tests;
