//! Measurements during training: arrays in memory, and one line of JSON each where they are to be
//! kept in a file.

mod probe;
mod records;
mod schedule;

pub use probe::{Measure, Probe};
pub use records::{ReadError, Record, Records, Value};
pub use schedule::Schedule;

use crate::compiled::Scalar;
use crate::model::{Model, ModelError};
use crate::train::{TrainConfig, TrainError, Trainer, configuration};
use ntk_kernels::Inputs;
use ntk_linalg::observer::Inside;
use records::COMMON;
use serde_json::{Map, Value as Json, json};
use std::error::Error as StdError;
use thiserror::Error;

/// The error of a caller's own code: of a custom measure, or of whatever keeps the lines.
type Cause = Box<dyn StdError + Send + Sync>;

/// A `RecordError` says why a training with recorders stopped early.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The training itself stopped.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A probe's shapes do not fit the model, or the observer asked to stop.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// There is not one label for every sample.
    #[error("probe {probe} has {expected} samples and {found} labels; give one label a sample")]
    Labels {
        /// The probe.
        probe: String,
        /// The number of samples.
        expected: usize,
        /// The number of labels.
        found: usize,
    },
    /// A class to be measured has no sample.
    #[error("probe {probe} has no sample of class {class}; leave the class out, or add samples")]
    EmptyClass {
        /// The probe.
        probe: String,
        /// The class.
        class: usize,
    },
    /// The combinations of classes are too many to be measured.
    #[error(
        "probe {probe} has more than {most} combinations of classes; name fewer classes, or combine fewer of them"
    )]
    Combinations {
        /// The probe.
        probe: String,
        /// The largest number that is measured.
        most: usize,
    },
    /// Two columns have one name.
    #[error(
        "two columns are called {column}; give probes and measures different names, and ask for a measure once"
    )]
    Column {
        /// The name.
        column: String,
    },
    /// A measure of the caller's own failed.
    #[error("measure {measure} of epoch {epoch} failed: {source}")]
    Measure {
        /// The name of the measure.
        measure: String,
        /// The epoch of the record.
        epoch: usize,
        /// The error that the measure returned.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The record could not be kept.
    #[error("the record of epoch {epoch} could not be kept: {source}")]
    Sink {
        /// The epoch of the record.
        epoch: usize,
        /// The error that the sink returned.
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// A `Sink` keeps records as lines of text. A function of a line that may fail is one.
pub trait Sink {
    /// Keeps one line, which holds no line break, before it returns.
    ///
    /// # Errors
    /// The error of whatever stores the lines; training then stops.
    fn append(&mut self, line: &str) -> Result<(), Box<dyn StdError + Send + Sync>>;
}

impl<F, E> Sink for F
where
    F: FnMut(&str) -> Result<(), E>,
    E: Into<Cause>,
{
    fn append(&mut self, line: &str) -> Result<(), Cause> {
        self(line).map_err(Into::into)
    }
}

/// The function of a measure of the caller's own.
type Own<'a, T> = Box<dyn Fn(&Model<T>) -> Result<Value, Cause> + Send + 'a>;

/// A `Recorder` measures a model on a schedule while it is trained, and keeps what it measured as
/// arrays in memory, as lines of JSON in a [`Sink`], or both.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::network::{Network, dense};
/// use ntk_train::{Init, Measure, Model, Probe, Recorder, Schedule, TrainConfig, Trainer};
///
/// let (x, y) = (array![[1.0, 0.0], [0.0, 1.0]], array![[1.0], [-1.0]]);
/// let mut model = Model::new(&Network::new().then(dense().width(1)), 2, Init::default(), 0)?;
///
/// let mut recorder = Recorder::new(Schedule::Every(10))
///     .probe(Probe::new("train", &x, &y, [Measure::Loss, Measure::Predictions]))
///     .measure("ntk_diagonal", |model| Ok(model.ntk(&x)?.diag().to_owned()));
/// let config = TrainConfig::default().epochs(50);
/// Trainer::new(&mut model, &x, &y, config)?.record(&mut recorder)?;
///
/// let records = recorder.records();
/// assert_eq!(records.epochs(), [0, 10, 20, 30, 40, 50]);
/// assert_eq!(records.array("train.loss")?.shape(), [6]);
/// assert_eq!(records.array("train.predictions")?.shape(), [6, 2, 1]);
/// assert_eq!(records.array("ntk_diagonal")?.shape(), [6, 2]);
/// # Ok::<(), ntk_train::Error>(())
/// ```
///
/// A recorder can be sent to another thread, so that networks of several seeds can be trained and
/// recorded in parallel, each with a recorder of its own. The samples that it measures on, its
/// measures and its sink live for `'a`.
pub struct Recorder<'a, T: Scalar> {
    schedule: Schedule,
    probes: Vec<Probe<'a, T>>,
    measures: Vec<(String, Own<'a, T>)>,
    details: Map<String, Json>,
    sink: Option<Box<dyn Sink + Send + 'a>>,
    in_memory: bool,
    records: Records,
    /// The epoch of the last record.
    last: Option<usize>,
}

impl<'a, T: Scalar> Recorder<'a, T> {
    /// Makes a recorder that measures nothing yet and keeps its records in memory.
    #[must_use]
    pub fn new(schedule: Schedule) -> Self {
        Self {
            schedule,
            probes: Vec::new(),
            measures: Vec::new(),
            details: Map::new(),
            sink: None,
            in_memory: true,
            records: Records::default(),
            last: None,
        }
    }

    /// Adds a probe: measures on samples.
    #[must_use]
    pub fn probe(mut self, probe: Probe<'a, T>) -> Self {
        self.probes.push(probe);
        self
    }

    /// Adds a measure of your own: a function of the model whose result, a number or an array, is
    /// the column `name`. Columns of such measures come after those of the probes.
    ///
    /// Where several results come from one computation, return them as one array.
    #[must_use]
    pub fn measure<V: Into<Value>>(
        mut self,
        name: &str,
        measure: impl Fn(&Model<T>) -> Result<V, Box<dyn StdError + Send + Sync>> + Send + 'a,
    ) -> Self {
        let own: Own<'a, T> = Box::new(move |model| measure(model).map(Into::into));
        self.measures.push((name.to_string(), own));
        self
    }

    /// Adds an entry to the records' configuration, such as the data set's name or the
    /// seed of the initialisation; it replaces one of the same name.
    #[must_use]
    pub fn describe(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.details.insert(name.to_string(), value.into());
        self
    }

    /// Hands each record to a sink as well, as a line of JSON and as soon as it is measured.
    #[must_use]
    pub fn sink(mut self, sink: impl Sink + Send + 'a) -> Self {
        self.sink = Some(Box::new(sink));
        self
    }

    /// Says whether records are kept in memory, which they are by default; without that
    /// [`Recorder::records`] stays empty, and the sink alone has them.
    #[must_use]
    pub fn in_memory(mut self, keep: bool) -> Self {
        self.in_memory = keep;
        self
    }

    /// Goes on after the records of a training that was interrupted: nothing is recorded again up
    /// to the last of their epochs. The sink is handed the new records alone.
    #[must_use]
    pub fn resume(mut self, records: Records) -> Self {
        self.last = records.last().map(|record| record.epoch);
        self.records = records;
        self
    }

    /// Returns what was recorded.
    #[must_use]
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Returns what was recorded, and drops the recorder.
    #[must_use]
    pub fn into_records(self) -> Records {
        self.records
    }

    /// Measures a training now, whatever the schedule, and keeps the record.
    /// [`Trainer::record`] does so by the schedule.
    ///
    /// Cost: for every probe of n samples a forward pass and one kernel, where a measure asks
    /// for it; entropies and eigenvalues cost an eigendecomposition for every class combination.
    ///
    /// # Errors
    /// [`RecordError`] where something cannot be measured or kept.
    pub fn record(&mut self, trainer: &Trainer<'_, T>) -> Result<(), RecordError> {
        self.check(trainer.model())?;
        T::record_now(self, trainer)
    }

    /// Records now, if the schedule says so and it has not yet been done; `last` after the
    /// training's last epoch.
    pub(crate) fn visit(
        &mut self,
        trainer: &Trainer<'_, T>,
        last: bool,
    ) -> Result<(), RecordError> {
        let epoch = trainer.epochs();
        let done = self.last.is_some_and(|recorded| epoch <= recorded);
        if done || !(last || self.schedule.contains(epoch, trainer.config().epochs)) {
            return Ok(());
        }
        T::record_now(self, trainer)
    }

    /// Checks that everything can be measured of `model`.
    pub(crate) fn check(&self, model: &Model<T>) -> Result<(), RecordError> {
        let mut names: Vec<String> = COMMON.iter().map(ToString::to_string).collect();
        for probe in &self.probes {
            probe.check(model)?;
            names.extend(probe.columns());
        }
        names.extend(self.measures.iter().map(|(name, _)| name.clone()));
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            None => Ok(()),
            Some(pair) => Err(RecordError::Column {
                column: pair[0].clone(),
            }),
        }
    }

    fn configuration(&self, model: &Model<T>, config: &TrainConfig) -> Json {
        let mut all = configuration(config);
        all["network"] = model.network().into();
        all["precision"] = json!(T::NAME);
        all["probes"] = self.probes.iter().map(Probe::describe).collect();
        for (name, value) in &self.details {
            all[name] = value.clone();
        }
        all
    }
}

/// One recorder where several are asked for: `trainer.record(&mut recorder)`.
impl<'r, 'a, T: Scalar> IntoIterator for &'r mut Recorder<'a, T> {
    type Item = &'r mut Recorder<'a, T>;
    type IntoIter = std::iter::Once<Self>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self)
    }
}

/// Measures and keeps a record; everything was checked.
pub(crate) fn record_now<T: Scalar>(
    recorder: &mut Recorder<'_, T>,
    trainer: &Trainer<'_, T>,
) -> Result<(), RecordError> {
    let (model, config, epoch) = (trainer.model(), trainer.config(), trainer.epochs());
    let mut values = Vec::new();
    for probe in &recorder.probes {
        let inside = Inside(trainer.watcher());
        let kernel = |x: Inputs<'_, T>, trace| T::ntk(model, x, None, trace, &inside);
        let found = probe.values(model, config.loss, &kernel)?;
        values.extend(probe.columns().into_iter().zip(found));
    }
    for (name, measure) in &recorder.measures {
        let value = measure(model).map_err(|source| RecordError::Measure {
            measure: name.clone(),
            epoch,
            source,
        })?;
        values.push((name.clone(), value.0));
    }
    let record = Record {
        epoch,
        step: trainer.losses().len(),
        seed: config.seed,
        values,
    };
    let configuration = recorder.configuration(model, config);
    if let Some(sink) = &mut recorder.sink {
        let kept = sink.append(&record.line(&configuration));
        kept.map_err(|source| RecordError::Sink { epoch, source })?;
    }
    if recorder.in_memory {
        recorder.records.push(record, configuration);
    }
    recorder.last = Some(epoch);
    Ok(())
}

#[cfg(test)]
mod tests;
