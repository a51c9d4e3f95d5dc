//! `results.json`: what an experiment found, on what, from which data.

use super::environment::Environment;
use crate::Failure;
use ntk_data::{DataError, DataSet, Source};
use ntk_plots::Figure;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value as Json};
use std::fs;
use std::path::Path;

/// Name of the file.
pub(crate) const RESULTS: &str = "results.json";

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    /// Name of the experiment.
    pub(crate) experiment: String,
    /// What it ran on.
    pub(crate) data: DataInfo,
    /// Everything that could be chosen.
    pub(crate) settings: Map<String, Json>,
    /// Machine and program.
    pub(crate) environment: Environment,
    /// Wall-clock seconds of each part.
    pub(crate) seconds: Map<String, Json>,
    /// What was found.
    pub(crate) values: Vec<Value>,
    /// The figures beside this file, in the order of the page.
    pub(crate) figures: Vec<FigureInfo>,
}

/// What an experiment ran on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DataInfo {
    /// Name in the registry.
    pub(crate) name: String,
    /// `full` or `embedded`.
    pub(crate) source: String,
    /// The data set that was asked for, where this one stands in for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) instead_of: Option<String>,
    /// Of the decompressed content; see ntk-data's `DataSet::sha256`.
    pub(crate) sha256: String,
    /// In words: which images, and why not all.
    pub(crate) note: String,
}

/// One number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Value {
    /// What it is.
    pub(crate) name: String,
    /// For which size, kernel, time.
    #[serde(rename = "where")]
    pub(crate) place: Map<String, Json>,
    /// What the notebook printed.
    pub(crate) printed: Option<f64>,
    /// What we get; in the file null where it is not a number.
    #[serde(deserialize_with = "number_or_null")]
    pub(crate) value: f64,
    /// Why they differ, or what else to know.
    pub(crate) note: String,
}

/// A figure's file name without its ending, and its caption.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FigureInfo {
    /// `stem.png`, `stem.svg` and CSV files beginning with `stem`.
    pub(crate) stem: String,
    /// What it shows.
    pub(crate) caption: String,
}

/// What an experiment hands back; the rest of [`Results`] is the same for all.
pub(crate) struct Outcome {
    pub(crate) settings: Map<String, Json>,
    pub(crate) seconds: Map<String, Json>,
    pub(crate) values: Vec<Value>,
    pub(crate) figures: Vec<(FigureInfo, Figure)>,
}

fn number_or_null<'de, D: Deserializer<'de>>(input: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(input)?.unwrap_or(f64::NAN))
}

impl Results {
    /// Those in the file at `path`.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let file = path.display();
        let text = fs::read_to_string(path).map_err(|e| format!("cannot read {file}: {e}"))?;
        let results = serde_json::from_str(&text);
        Ok(results.map_err(|e| format!("{file} is no result of this program: {e}; remove it"))?)
    }

    /// Of the whole experiment, figures included.
    pub(crate) fn total_seconds(&self) -> f64 {
        let total = self.seconds.get("total").and_then(Json::as_f64);
        total.unwrap_or_default()
    }
}

impl DataInfo {
    /// Of a data set that was asked for by the name `asked`.
    pub(crate) fn of(set: &DataSet, asked: &str) -> Self {
        let instead_of = (set.name != asked).then(|| asked.to_string());
        let source = match &set.source {
            // Without the path, which says more of a machine than of the data.
            Source::Full { .. } => format!(
                "all of {}: {} training and {} test images",
                set.name,
                set.train.len(),
                set.test.len()
            ),
            Source::Embedded => format!(
                "embedded sample of {}: {} training and {} test images",
                set.name,
                set.train.len(),
                set.test.len()
            ),
            Source::Synthetic => format!("{}, drawn at random", set.name),
        };
        let (source, wanted) = match &instead_of {
            Some(asked) => (format!("{source}, in place of {asked}"), asked.as_str()),
            None => (source, "the full set"),
        };
        let note = match set.why_not_full.as_deref() {
            Some(DataError::Offline { .. }) => {
                format!("{source}; no folder holds {wanted}, and the run was offline")
            }
            Some(_) => format!("{source}; no folder holds {wanted}, and no download succeeded"),
            None => source,
        };
        let (name, source) = (set.name.into(), set.source.as_str().into());
        Self {
            name,
            source,
            instead_of,
            sha256: set.sha256.clone(),
            note,
        }
    }

    /// Short enough for the foot of a figure.
    pub(crate) fn figure_note(&self) -> String {
        let name = &self.name;
        match (&self.instead_of, self.source.as_str()) {
            (Some(asked), _) => format!("{name}, not {asked}: embedded sample"),
            (None, "embedded") => format!("{name}: embedded sample, not the full data set"),
            (None, _) => format!("{name}: full data set"),
        }
    }
}

impl Value {
    /// A number without a printed counterpart.
    pub(crate) fn new<const N: usize>(name: &str, place: [(&str, Json); N], value: f64) -> Self {
        let place = place.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
        Self {
            name: name.into(),
            place,
            printed: None,
            value,
            note: String::new(),
        }
    }

    /// With what the notebook printed.
    pub(crate) fn printed(mut self, printed: impl Into<Option<f64>>) -> Self {
        self.printed = printed.into();
        self
    }

    /// `key value, key value`.
    pub(crate) fn place_in_words(&self) -> String {
        let place = self.place.iter().map(|(k, v)| format!("{k} {v}"));
        place.collect::<Vec<_>>().join(", ").replace('"', "")
    }

    /// With an explanation.
    pub(crate) fn note(mut self, note: &str) -> Self {
        self.note = note.into();
        self
    }
}
