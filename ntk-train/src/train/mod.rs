//! Training by mini-batches.

mod checkpoint;
mod strategy;

pub use crate::train_error::TrainError;
pub use checkpoint::CheckpointError;
pub(crate) use checkpoint::{checkpoint, configuration, resume};
pub(crate) use strategy::Batches;
pub use strategy::Order;

use crate::Loss;
use crate::compiled::Scalar;
use crate::model::{Model, ModelError};
use crate::optimizer::{Memories, Optimizer};
use crate::rows::Rows;
use ndarray::{ArrayRef2, ArrayView2, Axis, s};
use ntk_kernels::Inputs;
use ntk_linalg::observer::{Inside, Observer};
use serde::{Deserialize, Serialize};
use strategy::mask_seed;

/// A `TrainConfig` says how a model is trained. Its [default](TrainConfig::default) and setters
/// make one:
///
/// ```
/// use ntk_train::{Loss, Optimizer, TrainConfig};
///
/// let config = TrainConfig::default()
///     .loss(Loss::CrossEntropy)
///     .optimizer(Optimizer::momentum(0.01, 0.9))
///     .epochs(50);
/// assert_eq!(config.batch_size, 32);
/// ```
///
/// Fields that a serialised configuration lacks are those of the default.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainConfig {
    /// The loss that is minimised.
    pub loss: Loss,
    /// The steps by which it is minimised.
    pub optimizer: Optimizer,
    /// The number of samples in a step, one or more.
    pub batch_size: usize,
    /// The number of passes over the samples.
    pub epochs: usize,
    /// The samples that an epoch visits, and their order.
    pub order: Order,
    /// The seed of the orders and of dropout's masks.
    pub seed: u64,
}

/// Half the mean squared error, the loss of the gradient-flow formulas of
/// [`ntk_kernels::predict`]; Adam at a rate of 0.001 and batches of 32, which Keras takes as well;
/// 200 epochs in a new order each, as scikit-learn's `MLPRegressor`; and the seed 0. Adam's steps
/// do not depend on the scale of the loss, so that this trains most networks in either
/// parameterisation, if not fast.
impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            loss: Loss::HalfMeanSquare,
            optimizer: Optimizer::adam(0.001),
            batch_size: 32,
            epochs: 200,
            order: Order::Shuffled,
            seed: 0,
        }
    }
}

impl TrainConfig {
    /// Sets the loss that is minimised.
    #[must_use]
    pub fn loss(mut self, loss: Loss) -> Self {
        self.loss = loss;
        self
    }

    /// Sets the steps by which the loss is minimised.
    #[must_use]
    pub fn optimizer(mut self, optimizer: Optimizer) -> Self {
        self.optimizer = optimizer;
        self
    }

    /// Sets the number of samples in a step.
    #[must_use]
    pub fn batch_size(mut self, samples: usize) -> Self {
        self.batch_size = samples;
        self
    }

    /// Sets the number of passes over the samples.
    #[must_use]
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// Sets which samples an epoch visits, and their order.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Sets the seed of the orders and of dropout's masks.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

/// A condition on the model after an epoch.
pub(crate) type Condition<'c, T> = dyn FnMut(&Model<T>) -> Result<bool, ModelError> + 'c;

/// A `Trainer` is a training in progress: a model, what it is trained on, and the optimiser's
/// memory.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::network::{Network, dense, relu};
/// use ntk_train::{Init, Model, Optimizer, TrainConfig, Trainer};
///
/// let network = Network::new().then(dense().width(64)).then(relu()).then(dense().width(1));
/// let (x, y) = (array![[1.0, 0.0], [0.0, 1.0]], array![[1.0], [-1.0]]);
/// let mut model = Model::new(&network, 2, Init::default(), 0)?;
/// let config = TrainConfig::default().optimizer(Optimizer::sgd(0.5)).epochs(50);
///
/// let mut trainer = Trainer::new(&mut model, &x, &y, config)?;
/// let first = trainer.epoch()?; // one epoch
/// trainer.run()?; // all that are left
/// assert_eq!(trainer.epochs(), 50);
/// assert!(trainer.losses()[49] < 0.01 * first[0]);
/// # Ok::<(), ntk_train::Error>(())
/// ```
///
/// Between epochs its state is complete: [`Trainer::checkpoint`] keeps it, and
/// [`Trainer::resume`] goes on from there to the same parameters, bit for bit.
pub struct Trainer<'a, T: Scalar> {
    model: &'a mut Model<T>,
    /// The samples, and as the layers take them.
    inputs: Inputs<'a, T>,
    rows: Rows<'a, T>,
    y: ArrayView2<'a, T>,
    config: TrainConfig,
    observer: &'a dyn Observer,
    batches: Batches,
    memories: Memories<T>,
    /// The rate of [`Optimizer::TraceSgd`]; 0 before the first epoch and for all others.
    rate: f64,
    epoch: usize,
    losses: Vec<f64>,
    diverged: Option<TrainError>,
}

impl<T: Scalar> Model<T> {
    /// Trains the model on inputs `x` (n, ...) and targets `y` (n, outputs) by the
    /// [default](TrainConfig::default) configuration; a [`Trainer`] takes another one. Returns the
    /// loss of every step on its batch, before the step.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::network::{Network, dense, relu};
    /// use ntk_train::{Init, Model};
    ///
    /// let network = Network::new().then(dense().width(64)).then(relu()).then(dense().width(1));
    /// let (x, y) = (array![[1.0, 0.0], [0.0, 1.0]], array![[1.0], [-1.0]]);
    /// let mut model = Model::new(&network, 2, Init::default(), 0)?;
    /// let losses = model.fit(&x, &y)?;
    /// assert!(losses[losses.len() - 1] < losses[0]);
    /// # Ok::<(), ntk_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`TrainError`] where shapes do not fit, or training diverges; the model then holds the
    /// parameters of that moment.
    pub fn fit<'x>(
        &mut self,
        x: impl Into<Inputs<'x, T>>,
        y: &ArrayRef2<T>,
    ) -> Result<Vec<f64>, TrainError> {
        let x = x.into();
        T::start(self, x.view(), y.view(), TrainConfig::default())?.run()
    }
}

impl<'a, T: Scalar> Trainer<'a, T> {
    /// Prepares the training of `model` on inputs `x` (n, ...) and targets `y` (n, outputs).
    ///
    /// # Errors
    /// [`TrainError::Model`] where shapes do not fit, [`TrainError::Parts`] and
    /// [`TrainError::EmptyReservoir`].
    pub fn new(
        model: &'a mut Model<T>,
        x: impl Into<Inputs<'a, T>>,
        y: &'a ArrayRef2<T>,
        config: TrainConfig,
    ) -> Result<Self, TrainError> {
        T::start(model, x.into(), y.view(), config)
    }

    /// Sets the observer: it hears of each epoch done, and is asked before each whether to stop.
    #[must_use]
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Trains for the next epoch, whether or not [`TrainConfig::epochs`] are done; returns the
    /// loss of each of its steps on its batch, before the step, with dropout's masks.
    ///
    /// The observer is asked whether to stop before the epoch, not inside it.
    ///
    /// # Errors
    /// [`TrainError::Diverged`], which every later call repeats; [`ModelError::Cancelled`] and
    /// [`TrainError::Trace`], after which the state is that before the call.
    pub fn epoch(&mut self) -> Result<Vec<f64>, TrainError> {
        T::epoch(self)
    }

    /// Trains for all epochs that are left; returns the loss of each of their steps on its batch,
    /// before the step.
    ///
    /// # Errors
    /// As [`Trainer::epoch`].
    pub fn run(&mut self) -> Result<Vec<f64>, TrainError> {
        let first = self.losses.len();
        T::run(self, &mut |_| Ok(false))?;
        Ok(self.losses[first..].to_vec())
    }

    /// Trains as [`Trainer::run`], but no further than the first epoch after which a condition on
    /// the model holds. Returns whether it does at the end.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::network::{Network, dense};
    /// use ntk_train::{Init, Model, Optimizer, TrainConfig, Trainer};
    ///
    /// let (x, y) = (array![[1.0], [2.0]], array![[1.0], [2.0]]);
    /// let mut model = Model::<f64>::new(&Network::new().then(dense().width(1)), 1, Init::default(), 0)?;
    /// let config = TrainConfig::default().optimizer(Optimizer::sgd(0.1)).epochs(1000);
    /// let mut trainer = Trainer::new(&mut model, &x, &y, config)?;
    /// assert!(trainer.run_until(|model| Ok((model.forward(&x)?[[1, 0]] - 2.0).abs() < 0.1))?);
    /// assert!(trainer.epochs() < 50);
    /// # Ok::<(), ntk_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Trainer::epoch`], and the condition's.
    pub fn run_until(
        &mut self,
        mut condition: impl FnMut(&Model<T>) -> Result<bool, ModelError>,
    ) -> Result<bool, TrainError> {
        T::run(self, &mut condition)
    }

    /// Tells the observer of the epochs that are left.
    pub(crate) fn begin(&self) {
        let left = self.config.epochs.saturating_sub(self.epoch);
        self.observer.begin("training", left as u64);
    }

    pub(crate) fn watcher(&self) -> &'a dyn Observer {
        self.observer
    }

    fn step(&mut self, chosen: &[usize]) -> Result<(), TrainError> {
        let (rows, y) = (self.rows.select(chosen), self.y.select(Axis(0), chosen));
        let masks = mask_seed(self.config.seed, self.memories.steps);
        let loss = self.model.step(
            rows.all(),
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

    /// Returns the model as it is now.
    #[must_use]
    pub fn model(&self) -> &Model<T> {
        self.model
    }

    /// Returns the configuration.
    #[must_use]
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// Returns the number of epochs done.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.epoch
    }

    /// Returns every step's loss on its batch so far, those before a checkpoint included.
    #[must_use]
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// Returns the learning rate that [`Optimizer::TraceSgd`] uses now; `None` for the other
    /// optimisers, and before the first epoch.
    #[must_use]
    pub fn trace_rate(&self) -> Option<f64> {
        let by_trace = matches!(self.config.optimizer, Optimizer::TraceSgd { .. });
        (by_trace && self.epoch > 0).then_some(self.rate)
    }
}

/// Returns the loss of each sample alone, dropout switched off.
fn losses<T: Scalar>(
    model: &Model<T>,
    x: Inputs<'_, T>,
    y: ArrayView2<'_, T>,
    loss: Loss,
) -> Vec<f64> {
    let outputs = T::forward(model, x).expect("inputs of the model");
    (0..y.nrows())
        .map(|i| {
            let row = s![i..=i, ..];
            let found = loss.with_gradient(&outputs.slice(row), &y.slice(row));
            found.expect("a target for every output").0
        })
        .collect()
}

/// [`Trainer::new`].
pub(crate) fn start<'a, T: Scalar>(
    model: &'a mut Model<T>,
    inputs: Inputs<'a, T>,
    y: ArrayView2<'a, T>,
    config: TrainConfig,
) -> Result<Trainer<'a, T>, TrainError> {
    let rows = model.rows(inputs.clone())?;
    model.check_targets(rows.len(), y)?;
    config.loss.check_targets(&y).map_err(Box::new)?;
    config.optimizer.check()?;
    if config.batch_size == 0 {
        return Err(TrainError::Setting {
            name: "batch_size",
            value: 0.0,
            condition: "one or more; usize::MAX takes all samples in one step",
        });
    }
    Ok(Trainer {
        batches: Batches::new(config.order, config.seed, y.nrows())?,
        memories: Memories::new(config.optimizer, model),
        observer: &(),
        rate: 0.0,
        epoch: 0,
        losses: Vec::new(),
        diverged: None,
        model,
        inputs,
        rows,
        y,
        config,
    })
}

/// [`Trainer::epoch`].
pub(crate) fn epoch<T: Scalar>(trainer: &mut Trainer<'_, T>) -> Result<Vec<f64>, TrainError> {
    if let Some(error) = &trainer.diverged {
        return Err(error.clone());
    }
    let observer = trainer.observer;
    observer.check().map_err(ModelError::from)?;
    if let Optimizer::TraceSgd { scale, every } = trainer.config.optimizer
        && trainer.epoch.is_multiple_of(every.max(1))
    {
        let trace = T::ntk_trace(trainer.model, trainer.inputs.view(), &Inside(observer))?;
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
        &trainer.inputs,
        trainer.y,
        trainer.config.loss,
    );
    let batches = trainer.batches.next(trainer.config.batch_size, || {
        losses(model, x.view(), y, loss)
    });
    let first = trainer.losses.len();
    for chosen in batches {
        trainer.step(&chosen)?;
    }
    trainer.epoch += 1;
    observer.advance(1);
    Ok(trainer.losses[first..].to_vec())
}

/// [`Trainer::run_until`].
pub(crate) fn run<T: Scalar>(
    trainer: &mut Trainer<'_, T>,
    condition: &mut Condition<'_, T>,
) -> Result<bool, TrainError> {
    trainer.begin();
    let mut holds = false;
    while !holds && trainer.epoch < trainer.config.epochs {
        trainer.epoch()?;
        holds = condition(trainer.model)?;
    }
    Ok(holds)
}

#[cfg(test)]
mod tests;
