//! Measurements while training, one line of JSON each time.

mod probe;
mod read;
mod schedule;

pub use probe::{Measure, Probe};
pub use read::{ReadError, Records};
pub use schedule::Schedule;

use crate::compiled::Scalar;
use crate::empirical::EmpiricalError;
use crate::model::{Model, ModelError};
use crate::train::{TrainConfig, Trainer, configuration};
use ndarray::{Array1, Array2, ArrayViewD};
use ntk_linalg::observer::{Cancelled, Inside, Observer};
use serde_json::{Map, Value as Json, json};
use std::error::Error as StdError;
use thiserror::Error;

/// The columns that every record has.
const COMMON: [&str; 4] = ["epoch", "step", "seed", "configuration"];

/// Why a model cannot be measured, or the measurement not be kept.
#[derive(Debug, Error)]
pub enum RecordError {
    /// A probe's shapes do not fit.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A label for every sample is missing.
    #[error("probe {probe} has {expected} samples and {found} labels; give one label a sample")]
    Labels {
        /// The probe.
        probe: String,
        /// Samples.
        expected: usize,
        /// Labels.
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
    /// Two columns of one name.
    #[error(
        "two columns are called {column}; give probes different names, and ask for a measure once"
    )]
    Column {
        /// The name.
        column: String,
    },
    /// The record could not be kept.
    #[error("the record of epoch {epoch} could not be kept: {source}")]
    Sink {
        /// Its epoch.
        epoch: usize,
        /// What the sink says.
        source: SinkError,
    },
}

impl From<EmpiricalError> for RecordError {
    fn from(error: EmpiricalError) -> Self {
        match error {
            EmpiricalError::Model(error) => Self::Model(error),
            EmpiricalError::Cancelled(error) => Self::Cancelled(error),
        }
    }
}

/// What a [`Sink`] fails with: the error of whatever stores the lines.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct SinkError(Box<dyn StdError + Send + Sync>);

impl SinkError {
    /// Of the storage's own error.
    pub fn new(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// Where records go. A function of a line that may fail is one.
pub trait Sink {
    /// Keeps one line, which holds no line break, before it returns.
    ///
    /// # Errors
    /// [`SinkError`]; training then stops.
    fn append(&mut self, line: &str) -> Result<(), SinkError>;
}

impl<F, E> Sink for F
where
    F: FnMut(&str) -> Result<(), E>,
    E: StdError + Send + Sync + 'static,
{
    fn append(&mut self, line: &str) -> Result<(), SinkError> {
        self(line).map_err(SinkError::new)
    }
}

/// Lines in memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lines(pub Vec<String>);

impl Sink for Lines {
    fn append(&mut self, line: &str) -> Result<(), SinkError> {
        self.0.push(line.to_string());
        Ok(())
    }
}

/// The value of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NaN where it is not defined, as an entropy of a kernel that is zero.
    Scalar(f64),
    /// Eigenvalues.
    Vector(Array1<f64>),
    /// Rows are samples.
    Matrix(Array2<f64>),
}

impl Value {
    /// NaN and infinities as null.
    fn json(&self) -> Json {
        match self {
            Self::Scalar(v) => json!(v),
            Self::Vector(v) => v.iter().map(|v| json!(v)).collect(),
            Self::Matrix(v) => {
                let rows = v.rows().into_iter();
                rows.map(|row| row.iter().map(|v| json!(v)).collect::<Json>())
                    .collect()
            }
        }
    }
}

/// All that was measured at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Epochs done.
    pub epoch: usize,
    /// Steps done.
    pub step: usize,
    /// Columns in their order.
    pub values: Vec<(String, Value)>,
}

impl Record {
    /// The value of a column.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&Value> {
        let mut values = self.values.iter();
        values.find_map(|(name, value)| (name == column).then_some(value))
    }

    /// As one line of JSON, without its end: an object of `epoch`, `step`, `seed`,
    /// `configuration` and the columns.
    #[must_use]
    pub fn line(&self, seed: u64, configuration: &Json) -> String {
        let common = [
            json!(self.epoch),
            json!(self.step),
            json!(seed),
            configuration.clone(),
        ];
        let common = COMMON.iter().map(ToString::to_string).zip(common);
        let values = self.values.iter();
        let object: Map<String, Json> = common
            .chain(values.map(|(name, value)| (name.clone(), value.json())))
            .collect();
        Json::Object(object).to_string()
    }
}

/// Measures probes on a schedule and hands each record on as a line of JSON.
///
/// The samples live for `'a`, the sink for `'s`.
pub struct Recorder<'a, 's, T: Scalar> {
    schedule: Schedule,
    probes: Vec<Probe<'a, T>>,
    details: Map<String, Json>,
    sink: &'s mut dyn Sink,
    last: Option<usize>,
}

impl<'a, 's, T: Scalar> Recorder<'a, 's, T> {
    /// Of no probe yet.
    #[must_use]
    pub fn new(schedule: Schedule, sink: &'s mut dyn Sink) -> Self {
        Self {
            schedule,
            probes: Vec::new(),
            details: Map::new(),
            sink,
            last: None,
        }
    }

    /// With one more probe.
    #[must_use]
    pub fn probe(mut self, probe: Probe<'a, T>) -> Self {
        self.probes.push(probe);
        self
    }

    /// With one more entry in the records' configuration, such as the data set's name or the
    /// seed of the initialisation; it replaces one of the same name.
    #[must_use]
    pub fn describe(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.details.insert(name.to_string(), value.into());
        self
    }

    /// Leaves out what was recorded before a training was interrupted: epochs up to this one,
    /// the last in the file. `None` leaves nothing out.
    #[must_use]
    pub fn after(mut self, epoch: Option<usize>) -> Self {
        self.last = epoch;
        self
    }

    /// Whether everything can be measured of `model`.
    ///
    /// # Errors
    /// [`RecordError`], the sink's apart.
    pub fn check(&self, model: &Model<T>) -> Result<(), RecordError> {
        T::check(self, model)
    }

    /// Measures a training now, whatever the schedule, and keeps nothing.
    ///
    /// Cost: for every probe of n samples a forward pass and one kernel, where a measure asks
    /// for it; entropies and eigenvalues cost an eigendecomposition for every class combination.
    ///
    /// # Errors
    /// [`RecordError`], the sink's apart.
    pub fn measure(
        &self,
        trainer: &Trainer<'_, T>,
        observer: &dyn Observer,
    ) -> Result<Record, RecordError> {
        T::measure(self, trainer, observer)
    }

    /// Records now, if the schedule says so and it has not yet been done.
    pub(crate) fn visit(
        &mut self,
        trainer: &Trainer<'_, T>,
        observer: &dyn Observer,
    ) -> Result<(), RecordError> {
        let (epoch, config) = (trainer.epochs(), trainer.config());
        if self.last.is_some_and(|last| epoch <= last)
            || !self.schedule.contains(epoch, config.epochs)
        {
            return Ok(());
        }
        let record = self.measure(trainer, observer)?;
        let line = record.line(config.seed, &self.configuration(trainer.model(), config));
        let kept = self.sink.append(&line);
        kept.map_err(|source| RecordError::Sink { epoch, source })?;
        self.last = Some(epoch);
        Ok(())
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

/// [`Recorder::check`].
pub(crate) fn check<T: Scalar>(
    recorder: &Recorder<'_, '_, T>,
    model: &Model<T>,
) -> Result<(), RecordError> {
    let mut names = Vec::new();
    for probe in &recorder.probes {
        probe.check(model)?;
        names.extend(probe.columns());
    }
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => Err(RecordError::Column {
            column: pair[0].clone(),
        }),
    }
}

/// [`Recorder::measure`].
pub(crate) fn measure<T: Scalar>(
    recorder: &Recorder<'_, '_, T>,
    trainer: &Trainer<'_, T>,
    observer: &dyn Observer,
) -> Result<Record, RecordError> {
    recorder.check(trainer.model())?;
    let mut values = Vec::new();
    for probe in &recorder.probes {
        let model = trainer.model();
        let inside = Inside(observer);
        let kernel = |x: ArrayViewD<'_, T>, trace| model.ntk(x, None, trace, &inside);
        let found = probe.values(model, trainer.config().loss, &kernel)?;
        values.extend(probe.columns().into_iter().zip(found));
    }
    Ok(Record {
        epoch: trainer.epochs(),
        step: trainer.losses().len(),
        values,
    })
}

#[cfg(test)]
mod tests;
