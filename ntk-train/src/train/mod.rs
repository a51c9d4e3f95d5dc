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
use crate::record::{RecordError, Recorder};
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

/// Why a training with recorders stopped early.
#[derive(Debug, Error)]
pub enum RunError {
    /// Training itself.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A recorder.
    #[error(transparent)]
    Record(#[from] RecordError),
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

    /// All epochs that are left; every recorder is asked before the first and after each.
    ///
    /// # Errors
    /// Those of [`Trainer::epoch`] and of the recorders, which keep what they have recorded.
    pub fn run(
        &mut self,
        recorders: &mut [Recorder<'_, '_, T>],
        observer: &dyn Observer,
    ) -> Result<(), RunError> {
        T::run(self, recorders, observer)
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

/// [`Trainer::run`].
pub(crate) fn run<T: Scalar>(
    trainer: &mut Trainer<'_, T>,
    recorders: &mut [Recorder<'_, '_, T>],
    observer: &dyn Observer,
) -> Result<(), RunError> {
    for recorder in &*recorders {
        recorder.check(trainer.model)?;
    }
    observer.begin(
        "training",
        trainer.config.epochs.saturating_sub(trainer.epoch) as u64,
    );
    loop {
        for recorder in &mut *recorders {
            recorder.visit(trainer, observer)?;
        }
        if trainer.epoch >= trainer.config.epochs {
            return Ok(());
        }
        trainer.epoch(observer)?;
    }
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
mod tests {
    use super::*;
    use crate::empirical::Trace;
    use crate::init::Init;
    use approx::assert_relative_eq;
    use ndarray::{Array2, array};
    use ntk_kernels::network::{Network, Shape, dense, dropout, relu};

    fn config(learning_rate: f64) -> TrainConfig {
        let optimizer = Optimizer::sgd(learning_rate);
        TrainConfig {
            loss: Loss::HalfMeanSquare,
            optimizer,
            batch: 2,
            epochs: 3,
            order: Order::File,
            seed: 0,
        }
    }

    fn linear() -> (Model<f64>, Array2<f64>, Array2<f64>) {
        let network = Network::new().then(dense().width(1));
        let model = Model::new(&network, &Shape::features(2), Init::default(), 5).unwrap();
        (
            model,
            array![[1.0, 0.5], [0.2, -1.0], [0.3, 0.9]],
            array![[1.0], [0.0], [-1.0]],
        )
    }

    /// Momentum steps of a linear model written out by hand.
    #[test]
    fn steps_are_those_of_gradient_descent() {
        let (mut model, x, y) = linear();
        let mut w = model.parameters()[0].clone();
        let config = TrainConfig {
            optimizer: Optimizer::momentum(0.1, 0.9),
            ..config(0.1)
        };
        let losses = train(&mut model, x.view(), y.view(), &config, &()).unwrap();
        assert_eq!(losses.len(), 6);
        let mut velocity = Array2::<f64>::zeros((2, 1));
        let mut step = 0;
        for _ in 0..3 {
            for rows in [vec![0, 1], vec![2]] {
                let (xb, yb) = (x.select(Axis(0), &rows), y.select(Axis(0), &rows));
                let scale = 1.0 / 2.0_f64.sqrt();
                let gap = xb.dot(&w) * scale - &yb;
                let m = rows.len() as f64;
                assert_relative_eq!(
                    losses[step],
                    gap.mapv(|g| g * g).sum() / (2.0 * m),
                    epsilon = 1e-14
                );
                velocity = velocity * 0.9 + xb.t().dot(&gap) * (scale / m);
                w = w - &velocity * 0.1;
                step += 1;
            }
        }
        assert_relative_eq!(model.parameters()[0], w, epsilon = 1e-13);
    }

    #[test]
    fn divergence_keeps_what_was_recorded() {
        let (mut model, x, y) = linear();
        let config = TrainConfig {
            epochs: 10_000,
            ..config(1e30)
        };
        let error = train(&mut model, x.view(), y.view(), &config, &()).unwrap_err();
        let TrainError::Diverged { step, losses, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(*step, losses.len());
        assert!(!losses.is_empty() && losses.iter().all(|l| l.is_finite()));
        assert!(error.to_string().contains("lower the learning rate"));
    }

    #[test]
    fn shuffling_is_seeded_and_visits_every_sample() {
        let run = |seed| {
            let (mut model, x, y) = linear();
            let config = TrainConfig {
                order: Order::Shuffled,
                seed,
                ..config(0.05)
            };
            train(&mut model, x.view(), y.view(), &config, &()).unwrap()
        };
        assert_eq!(run(1), run(1));
        assert!((2..9).any(|seed| run(seed) != run(1)));
        // With a zero rate every epoch's losses add up to the same, whatever the order.
        let (mut model, x, y) = linear();
        let still = TrainConfig {
            order: Order::Shuffled,
            batch: 1,
            ..config(0.0)
        };
        let losses = train(&mut model, x.view(), y.view(), &still, &()).unwrap();
        for epoch in losses.chunks(3) {
            assert_relative_eq!(
                epoch.iter().sum::<f64>(),
                losses[..3].iter().sum::<f64>(),
                epsilon = 1e-14
            );
        }
    }

    #[test]
    fn the_rate_by_trace_is_found_anew_every_few_epochs() {
        let network = Network::new()
            .then(dense().width(3))
            .then(relu())
            .then(dense().width(2));
        let mut model =
            Model::<f64>::new(&network, &Shape::features(2), Init::default(), 5).unwrap();
        let (_, x, _) = linear();
        let y = array![[1.0, 0.0], [0.0, 1.0], [-1.0, 1.0]];
        let (scale, every) = (0.8, 2);
        let config = TrainConfig {
            optimizer: Optimizer::TraceSgd { scale, every },
            batch: 3,
            ..config(0.0)
        };
        let mut by_hand = Model::new(&network, model.input(), Init::default(), 5).unwrap();
        let mut trainer = Trainer::new(&mut model, x.view(), y.view(), config).unwrap();
        assert_eq!(trainer.trace_rate(), None);
        let mut rate = 0.0;
        for epoch in 0..5 {
            if epoch % every == 0 {
                let kernel = by_hand
                    .ntk_by_contraction(x.view(), None, Trace::Traced)
                    .unwrap();
                rate = scale / kernel.diag().sum();
            }
            let (_, gradient) = by_hand.gradient(x.view(), y.view(), config.loss).unwrap();
            let theta = by_hand.parameters().into_iter().zip(gradient);
            by_hand
                .set_parameters(theta.map(|(p, g)| p - g * rate).collect())
                .unwrap();
            trainer.epoch(&()).unwrap();
            assert_relative_eq!(trainer.trace_rate().unwrap(), rate, max_relative = 1e-12);
        }
        for (found, expected) in model.parameters().iter().zip(&by_hand.parameters()) {
            assert_relative_eq!(found, expected, epsilon = 1e-13);
        }
    }

    #[test]
    fn a_trace_of_zero_stops_before_the_step() {
        let (mut model, x, y) = linear();
        let config = TrainConfig {
            optimizer: Optimizer::TraceSgd {
                scale: 1.0,
                every: 0,
            },
            ..config(0.0)
        };
        let (before, zero) = (model.parameters(), &x * 0.0);
        let error = train(&mut model, zero.view(), y.view(), &config, &()).unwrap_err();
        assert!(
            matches!(
                error,
                TrainError::Trace {
                    epoch: 0,
                    trace: 0.0,
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(model.parameters(), before);
    }

    #[test]
    fn the_reservoir_trains_on_the_hardest() {
        let (mut model, x, y) = linear();
        let config = TrainConfig {
            order: Order::Reservoir { size: 1, latest: 0 },
            ..config(0.0)
        };
        let each = losses(&model, x.view(), y.view(), config.loss);
        let hardest = each.iter().fold(0.0_f64, |top, &l| top.max(l));
        assert!(each.iter().filter(|&&l| l == hardest).count() == 1);
        let found = train(&mut model, x.view(), y.view(), &config, &()).unwrap();
        assert_eq!(found, [hardest; 3]);
    }

    #[test]
    fn no_samples_and_wrong_shapes() {
        let (mut model, x, y) = linear();
        let before = model.parameters();
        let (none, no_targets) = (x.slice(s![..0, ..]), y.slice(s![..0, ..]));
        assert_eq!(
            train(&mut model, none, no_targets, &config(0.1), &()),
            Ok(Vec::new())
        );
        let short = train(&mut model, x.view(), no_targets, &config(0.1), &());
        assert!(matches!(
            short,
            Err(TrainError::Model(ModelError::Targets { .. }))
        ));
        let narrow = train(
            &mut model,
            x.slice(s![.., ..1]),
            y.view(),
            &config(0.1),
            &(),
        );
        assert!(matches!(
            narrow,
            Err(TrainError::Model(ModelError::Input { .. }))
        ));
        assert_eq!(model.parameters(), before);
    }

    #[test]
    fn masks_follow_the_seed() {
        let network = Network::new().then(dropout(0.5)).then(dense().width(1));
        let run = |seed| {
            let mut model =
                Model::<f64>::new(&network, &Shape::features(2), Init::default(), 5).unwrap();
            let (_, x, y) = linear();
            train(
                &mut model,
                x.view(),
                y.view(),
                &TrainConfig {
                    seed,
                    ..config(0.0)
                },
                &(),
            )
            .unwrap()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        // Steps of one batch, at a rate of zero, differ by their masks alone.
        let losses = run(1);
        assert!(losses[0] != losses[2] || losses[2] != losses[4]);
    }
}
