//! Records as arrays, in memory or read back from text.

use ndarray::{Array, ArrayD, Dimension, IxDyn, arr0};
use serde_json::{Map, Value as Json, json};
use thiserror::Error;

/// The columns that every record has.
pub(super) const COMMON: [&str; 4] = ["epoch", "step", "seed", "configuration"];

/// A `ReadError` says why records cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A line is not a JSON object.
    #[error("record {record} is not a JSON object: {source}; was the file edited by hand?")]
    Line {
        /// The number of the record, from 0.
        record: usize,
        /// The error of the JSON.
        source: serde_json::Error,
    },
    /// A record lacks the column.
    #[error("record {record} has no column {column}; ask for one of {}", known.join(", "))]
    Column {
        /// The number of the record, from 0.
        record: usize,
        /// The column asked for.
        column: String,
        /// The columns that the record has.
        known: Vec<String>,
    },
    /// A column holds something other than numbers.
    #[error(
        "column {column} of record {record} does not hold a number or an array of numbers; read the file as JSON"
    )]
    Number {
        /// The number of the record, from 0.
        record: usize,
        /// The column.
        column: String,
    },
    /// A column's shape changes from one record to another.
    #[error(
        "column {column} has shape {found:?} in record {record} and {expected:?} in the first; read the records of one training alone"
    )]
    Shape {
        /// The number of the record, from 0.
        record: usize,
        /// The column asked for.
        column: String,
        /// The shape in the first record.
        expected: Vec<usize>,
        /// The shape in this record.
        found: Vec<usize>,
    },
}

/// A measured number or array of numbers: what a measure returns, made by `into()` from a number,
/// a vector or an array of any shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Value(pub ArrayD<f64>);

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self(arr0(number).into_dyn())
    }
}

impl From<Vec<f64>> for Value {
    fn from(numbers: Vec<f64>) -> Self {
        Self(Array::from(numbers).into_dyn())
    }
}

impl<const N: usize> From<[f64; N]> for Value {
    fn from(numbers: [f64; N]) -> Self {
        numbers.to_vec().into()
    }
}

impl<D: Dimension> From<Array<f64, D>> for Value {
    fn from(array: Array<f64, D>) -> Self {
        Self(array.into_dyn())
    }
}

impl<D: Dimension> From<Array<f32, D>> for Value {
    fn from(array: Array<f32, D>) -> Self {
        Self(array.mapv(f64::from).into_dyn())
    }
}

/// A `Record` holds everything that was measured at one moment of a training.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The number of epochs done; 0 before the first step.
    pub epoch: usize,
    /// The number of steps done.
    pub step: usize,
    /// The seed of the training.
    pub seed: u64,
    /// The measured columns in their order, each with its number or array. What is not defined,
    /// such as the entropy of a kernel that is zero, is NaN.
    pub values: Vec<(String, ArrayD<f64>)>,
}

impl Record {
    /// Returns the value of a column.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&ArrayD<f64>> {
        let mut values = self.values.iter();
        values.find_map(|(name, value)| (name == column).then_some(value))
    }

    /// Writes the record as one line of JSON, without its end: an object of `epoch`, `step`,
    /// `seed`, `configuration` and the columns. NaN and infinities become null.
    pub(super) fn line(&self, configuration: &Json) -> String {
        let common = [
            json!(self.epoch),
            json!(self.step),
            json!(self.seed),
            configuration.clone(),
        ];
        let common = COMMON.iter().map(ToString::to_string).zip(common);
        let values = self.values.iter();
        let object: Map<String, Json> = common
            .chain(values.map(|(name, value)| (name.clone(), nested(value))))
            .collect();
        Json::Object(object).to_string()
    }

    /// Reads record number `record` from a JSON object.
    fn read(record: usize, mut fields: Map<String, Json>) -> Result<Self, ReadError> {
        let [epoch, step, seed] = ["epoch", "step", "seed"].map(|column| {
            let found = fields.get(column).ok_or_else(|| ReadError::Column {
                record,
                column: column.into(),
                known: fields.keys().cloned().collect(),
            })?;
            found.as_u64().ok_or_else(|| ReadError::Number {
                record,
                column: column.into(),
            })
        });
        let count = |found: Result<u64, ReadError>, column: &str| {
            usize::try_from(found?).map_err(|_| ReadError::Number {
                record,
                column: column.into(),
            })
        };
        let (epoch, step, seed) = (count(epoch, "epoch")?, count(step, "step")?, seed?);
        fields.retain(|name, _| !COMMON.contains(&&name[..]));
        let values = fields.into_iter().map(|(column, json)| {
            let value = array(&json);
            match value {
                Some(value) => Ok((column, value)),
                None => Err(ReadError::Number { record, column }),
            }
        });
        Ok(Self {
            epoch,
            step,
            seed,
            values: values.collect::<Result<_, _>>()?,
        })
    }
}

/// Records of one training in the order of their epochs: what a
/// [`Recorder`](super::Recorder) keeps in memory, and what its lines of JSON are read back as.
///
/// ```
/// use ntk_train::Records;
///
/// let text = r#"{"epoch":0,"step":0,"seed":1,"configuration":{},"train.loss":0.5}
/// {"epoch":1,"step":4,"seed":1,"configuration":{},"train.loss":0.25}
/// "#;
/// let records = Records::parse(text)?;
/// assert_eq!(records.epochs(), [0, 1]);
/// assert_eq!(records.array("train.loss")?, ndarray::array![0.5, 0.25].into_dyn());
/// # Ok::<(), ntk_train::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Records {
    configuration: Json,
    records: Vec<Record>,
}

impl Records {
    /// Reads records from lines of JSON.
    ///
    /// # Errors
    /// [`ReadError`] of a line that is not an object, lacks `epoch`, `step` or `seed`, or holds
    /// something other than numbers and arrays of numbers.
    pub fn from_lines<L: AsRef<str>>(
        lines: impl IntoIterator<Item = L>,
    ) -> Result<Self, ReadError> {
        let mut all = Self::default();
        for (record, line) in lines.into_iter().enumerate() {
            let mut fields: Map<String, Json> = serde_json::from_str(line.as_ref())
                .map_err(|source| ReadError::Line { record, source })?;
            let configuration = fields.get_mut("configuration").map(Json::take);
            if record == 0 {
                all.configuration = configuration.unwrap_or(Json::Null);
            }
            all.records.push(Record::read(record, fields)?);
        }
        Ok(all)
    }

    /// Reads records from a whole file's text. What follows the last line break was being
    /// written when the training was killed, and is left out.
    ///
    /// # Errors
    /// As [`Records::from_lines`].
    pub fn parse(text: &str) -> Result<Self, ReadError> {
        let end = text.rfind('\n').map_or(0, |end| end + 1);
        Self::from_lines(text[..end].lines())
    }

    /// Writes all records as text, one line of JSON for each: what a
    /// [`Sink`](super::Sink) is given line by line.
    #[must_use]
    pub fn to_json_lines(&self) -> String {
        let lines = self.records.iter();
        lines
            .map(|record| record.line(&self.configuration) + "\n")
            .collect()
    }

    pub(super) fn push(&mut self, record: Record, configuration: Json) {
        if self.records.is_empty() {
            self.configuration = configuration;
        }
        self.records.push(record);
    }

    /// Returns the number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Says whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Iterates over the records in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Record> {
        self.records.iter()
    }

    /// Returns the record at the end.
    #[must_use]
    pub fn last(&self) -> Option<&Record> {
        self.records.last()
    }

    /// Returns the number of epochs done at each record.
    #[must_use]
    pub fn epochs(&self) -> Vec<usize> {
        self.iter().map(|record| record.epoch).collect()
    }

    /// Returns the number of steps done at each record.
    #[must_use]
    pub fn steps(&self) -> Vec<usize> {
        self.iter().map(|record| record.step).collect()
    }

    /// Returns the names of the measured columns, in the first record's order.
    #[must_use]
    pub fn columns(&self) -> Vec<&str> {
        let first = self.records.first().into_iter();
        let values = first.flat_map(|first| &first.values);
        values.map(|(name, _)| &name[..]).collect()
    }

    /// Returns the first record's configuration, how it was trained and on what; null where there
    /// is no record.
    #[must_use]
    pub fn configuration(&self) -> &Json {
        &self.configuration
    }

    /// Returns a column over all records, `epoch`, `step` and `seed` among them. Its first axis is
    /// the record: shape (records) for numbers, (records, k) for vectors, (records, rows, columns)
    /// for matrices, and (0) where there is no record. What was null is NaN.
    ///
    /// # Errors
    /// [`ReadError::Column`] where a record lacks it, [`ReadError::Shape`] where its shape
    /// changes.
    pub fn array(&self, column: &str) -> Result<ArrayD<f64>, ReadError> {
        let mut shape: Vec<usize> = Vec::new();
        let mut values = Vec::new();
        for (number, record) in self.iter().enumerate() {
            let common = match column {
                "epoch" => Some(record.epoch as f64),
                "step" => Some(record.step as f64),
                "seed" => Some(record.seed as f64),
                _ => None,
            };
            if let Some(common) = common {
                values.push(common);
                continue;
            }
            let value = record.get(column).ok_or_else(|| ReadError::Column {
                record: number,
                column: column.to_string(),
                known: record.values.iter().map(|(name, _)| name.clone()).collect(),
            })?;
            if number == 0 {
                shape = value.shape().to_vec();
            } else if shape != value.shape() {
                return Err(ReadError::Shape {
                    record: number,
                    column: column.to_string(),
                    expected: shape,
                    found: value.shape().to_vec(),
                });
            }
            values.extend(value.iter());
        }
        shape.insert(0, self.len());
        Ok(ArrayD::from_shape_vec(IxDyn(&shape), values).expect("arrays of one shape"))
    }
}

impl<'a> IntoIterator for &'a Records {
    type Item = &'a Record;
    type IntoIter = std::slice::Iter<'a, Record>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Writes an array as nested JSON arrays.
fn nested(value: &ArrayD<f64>) -> Json {
    match value.ndim() {
        0 => value.first().map_or(Json::Null, |v| json!(v)),
        _ => value
            .outer_iter()
            .map(|part| nested(&part.to_owned()))
            .collect(),
    }
}

/// Reads nested JSON arrays of one shape; `None` where they are of several, or hold anything but
/// numbers and null.
fn array(json: &Json) -> Option<ArrayD<f64>> {
    let shape = axes(json);
    let mut numbers = Vec::new();
    flatten(json, &shape, &mut numbers)?;
    ArrayD::from_shape_vec(IxDyn(&shape), numbers).ok()
}

/// Returns the lengths along the first entries.
fn axes(value: &Json) -> Vec<usize> {
    let mut axes = Vec::new();
    let mut value = value;
    while let Json::Array(entries) = value {
        axes.push(entries.len());
        match entries.first() {
            Some(first) => value = first,
            None => break,
        }
    }
    axes
}

/// Adds the numbers of nested arrays of this shape; `None` where something else is.
fn flatten(value: &Json, shape: &[usize], to: &mut Vec<f64>) -> Option<()> {
    match (value, shape) {
        (Json::Array(entries), [length, inner @ ..]) if entries.len() == *length => {
            let mut entries = entries.iter();
            entries.try_for_each(|entry| flatten(entry, inner, to))
        }
        (Json::Null, []) => {
            to.push(f64::NAN);
            Some(())
        }
        (Json::Number(number), []) => {
            to.push(number.as_f64()?);
            Some(())
        }
        _ => None,
    }
}
