//! Records read back as arrays.

use super::COMMON;
use ndarray::{ArrayD, IxDyn};
use serde_json::{Map, Value as Json};
use thiserror::Error;

/// Why records cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// A line is not a JSON object.
    #[error("record {record} is not a JSON object: {source}; was the file edited by hand?")]
    Line {
        /// From 0.
        record: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A record lacks the column.
    #[error("record {record} has no column {column}; ask for one of {}", known.join(", "))]
    Column {
        /// From 0.
        record: usize,
        /// Asked for.
        column: String,
        /// The columns there are.
        known: Vec<String>,
    },
    /// A column holds something other than numbers.
    #[error(
        "column {column} of record {record} does not hold numbers, vectors or matrices of numbers alone; read it as JSON"
    )]
    Number {
        /// From 0.
        record: usize,
        /// Asked for.
        column: String,
    },
    /// A column's shape changes.
    #[error(
        "column {column} has shape {found:?} in record {record} and {expected:?} in the first; read the records of one training alone"
    )]
    Shape {
        /// From 0.
        record: usize,
        /// Asked for.
        column: String,
        /// In the first record.
        expected: Vec<usize>,
        /// In this one.
        found: Vec<usize>,
    },
}

/// Records, one after another.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Records {
    records: Vec<Map<String, Json>>,
}

impl Records {
    /// Of lines without their ends.
    ///
    /// # Errors
    /// [`ReadError::Line`].
    pub fn new<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> Result<Self, ReadError> {
        let lines = lines.into_iter().enumerate();
        let records = lines.map(|(record, line)| {
            let read = serde_json::from_str(line.as_ref());
            read.map_err(|source| ReadError::Line { record, source })
        });
        Ok(Self {
            records: records.collect::<Result<_, _>>()?,
        })
    }

    /// Of a whole file's text; what follows the last line break was being written when the
    /// training was killed, and is left out.
    ///
    /// # Errors
    /// [`ReadError::Line`].
    pub fn parse(text: &str) -> Result<Self, ReadError> {
        let end = text.rfind('\n').map_or(0, |end| end + 1);
        Self::new(text[..end].lines())
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The last record's epoch, to go on after it.
    #[must_use]
    pub fn last_epoch(&self) -> Option<usize> {
        let epoch = self.records.last()?.get("epoch")?.as_u64()?;
        usize::try_from(epoch).ok()
    }

    /// The names of the measured columns, in the first record's order.
    #[must_use]
    pub fn columns(&self) -> Vec<&str> {
        let names = self
            .records
            .first()
            .into_iter()
            .flat_map(|first| first.keys());
        names
            .map(String::as_str)
            .filter(|name| !COMMON.contains(name))
            .collect()
    }

    /// The first record's configuration; null where there is none.
    #[must_use]
    pub fn configuration(&self) -> &Json {
        let first = self.records.first();
        first
            .and_then(|first| first.get("configuration"))
            .unwrap_or(&Json::Null)
    }

    /// A column, `epoch`, `step` and `seed` among them: (records) of numbers, (records, k) of
    /// vectors, (records, rows, columns) of matrices; null becomes NaN. (0) of no records.
    ///
    /// # Errors
    /// [`ReadError`]: a record without it, not of numbers, or of another shape than the first.
    pub fn array(&self, column: &str) -> Result<ArrayD<f64>, ReadError> {
        let mut shape: Vec<usize> = Vec::new();
        let mut values = Vec::new();
        for (record, fields) in self.records.iter().enumerate() {
            let field = fields.get(column).ok_or_else(|| ReadError::Column {
                record,
                column: column.to_string(),
                known: fields.keys().cloned().collect(),
            })?;
            let not_numbers = || ReadError::Number {
                record,
                column: column.to_string(),
            };
            let found = axes(field);
            flatten(field, found.len(), &mut values).ok_or_else(not_numbers)?;
            if record == 0 {
                shape = found;
            } else if shape != found {
                return Err(ReadError::Shape {
                    record,
                    column: column.to_string(),
                    expected: shape,
                    found,
                });
            }
            if values.len() != (record + 1) * shape.iter().product::<usize>() {
                // Rows of different lengths.
                return Err(not_numbers());
            }
        }
        shape.insert(0, self.records.len());
        Ok(ArrayD::from_shape_vec(IxDyn(&shape), values).expect("counted above"))
    }
}

/// The lengths along the first entries.
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

/// Adds the numbers that are `depth` arrays deep; `None` where something else is.
fn flatten(value: &Json, depth: usize, to: &mut Vec<f64>) -> Option<()> {
    match value {
        Json::Array(entries) if depth > 0 => {
            let mut entries = entries.iter();
            entries.try_for_each(|entry| flatten(entry, depth - 1, to))
        }
        Json::Null if depth == 0 => {
            to.push(f64::NAN);
            Some(())
        }
        Json::Number(number) if depth == 0 => {
            to.push(number.as_f64()?);
            Some(())
        }
        _ => None,
    }
}
