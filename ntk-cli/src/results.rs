//! The file `results.json`, which holds what a run found, on what, from which data; and its folder.

use crate::environment::Environment;
use crate::interrupt::Staging;
use crate::{Failure, files};
use ndarray::ArrayView2;
use ntk_data::{DataError, DataSet, Source};
use ntk_kernels::metrics::argmax;
use ntk_linalg::Real;
use ntk_plots::Figure;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value as Json};
use std::fs;
use std::path::Path;
use std::time::Instant;

/// The name of the file.
pub const RESULTS: &str = "results.json";

/// `Results` is the content of the whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The name of the experiment.
    pub experiment: String,
    /// The data that it ran on.
    pub data: DataInfo,
    /// The settings: everything that could be chosen.
    pub settings: Map<String, Json>,
    /// The machine and the program.
    pub environment: Environment,
    /// The wall-clock seconds of each part.
    pub seconds: Map<String, Json>,
    /// The values that were found.
    pub values: Vec<Value>,
    /// The figures beside this file, in the order of the page.
    pub figures: Vec<FigureInfo>,
}

/// `DataInfo` says what data an experiment ran on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataInfo {
    /// The name in the registry.
    pub name: String,
    /// The origin, `full`, `embedded` or `synthetic`.
    pub source: String,
    /// The data set that was asked for, where this one stands in for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
    /// The SHA-256 of the decompressed content, see ntk-data's `DataSet::sha256`; empty where it was drawn.
    pub sha256: String,
    /// A note in words: which images, and why not all.
    pub note: String,
}

/// A `Value` is one number that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// The name of the number.
    pub name: String,
    /// The size, kernel or time that it is for.
    #[serde(rename = "where")]
    pub place: Map<String, Json>,
    /// The number that the notebook printed.
    pub printed: Option<f64>,
    /// The number that we get; in the file null where it is not a number.
    #[serde(deserialize_with = "number_or_null")]
    pub value: f64,
    /// The reason why they differ, or what else to know.
    pub note: String,
}

/// `FigureInfo` is a figure's file name without its ending, and its caption.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FigureInfo {
    /// The stem of the names `stem.png`, `stem.svg` and of CSV files beginning with `stem`.
    pub stem: String,
    /// The caption, which says what the figure shows.
    pub caption: String,
}

/// An `Outcome` is what an experiment hands back; the rest of [`Results`] is the same for all.
pub struct Outcome {
    /// The settings: everything that could be chosen.
    pub settings: Map<String, Json>,
    /// The wall-clock seconds of each part.
    pub seconds: Map<String, Json>,
    /// The values that were found.
    pub values: Vec<Value>,
    /// The figures, in the order of the page.
    pub figures: Vec<(FigureInfo, Figure)>,
}

fn number_or_null<'de, D: Deserializer<'de>>(input: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(input)?.unwrap_or(f64::NAN))
}

impl Results {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let file = path.display();
        let text = fs::read_to_string(path).map_err(|e| format!("cannot read {file}: {e}"))?;
        let results = serde_json::from_str(&text);
        Ok(results.map_err(|e| format!("{file} is no result of this program: {e}; remove it"))?)
    }

    /// Adds up the seconds of the whole experiment, figures included.
    pub fn total_seconds(&self) -> f64 {
        let total = self.seconds.get("total").and_then(Json::as_f64);
        total.unwrap_or_default()
    }
}

impl DataInfo {
    /// Describes a data set that was asked for by the name `asked`.
    pub fn of(set: &DataSet, asked: &str) -> Self {
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

    /// Says whether a sample stands in for the full data.
    pub fn is_sample(&self) -> bool {
        self.source == Source::Embedded.as_str()
    }

    /// Says the same in a line that is short enough for the foot of a figure.
    pub fn figure_note(&self) -> String {
        let name = &self.name;
        match (&self.instead_of, self.source.as_str()) {
            (Some(asked), _) => format!("{name}, not {asked}: embedded sample"),
            (None, "embedded") => format!("{name}: embedded sample, not the full data set"),
            (None, "synthetic") => format!("{name} data, drawn at random"),
            (None, _) => format!("{name}: full data set"),
        }
    }
}

impl Value {
    /// Makes a number without a printed counterpart.
    pub fn new<const N: usize>(name: &str, place: [(&str, Json); N], value: f64) -> Self {
        let place = place.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
        Self {
            name: name.into(),
            place,
            printed: None,
            value,
            note: String::new(),
        }
    }

    /// Adds what the notebook printed.
    pub fn printed(mut self, printed: impl Into<Option<f64>>) -> Self {
        self.printed = printed.into();
        self
    }

    /// Says the place in words: `key value, key value`.
    pub fn place_in_words(&self) -> String {
        let place = self.place.iter().map(|(k, v)| format!("{k} {v}"));
        place.collect::<Vec<_>>().join(", ").replace('"', "")
    }

    /// Adds an explanation.
    pub fn note(mut self, note: &str) -> Self {
        self.note = note.into();
        self
    }
}

/// Writes the folder `place`, named as what was run, with all that was found since `begun`; it is
/// in place when this returns.
///
/// # Errors
/// Where a figure cannot be drawn, or a file not written; what was in `place` is then still there.
pub fn put(
    place: &Path,
    data: DataInfo,
    environment: Environment,
    begun: Instant,
    outcome: Outcome,
) -> Result<Results, Failure> {
    let drawing = Instant::now();
    let staging = Staging::beside(place)?;
    let note = data.figure_note();
    let mut figures = Vec::new();
    for (info, figure) in outcome.figures {
        figure
            .note(note.clone())
            .save(staging.folder(), &info.stem)?;
        figures.push(info);
    }
    let mut seconds = outcome.seconds;
    seconds.insert("figures".into(), drawing.elapsed().as_secs_f64().into());
    seconds.insert("total".into(), begun.elapsed().as_secs_f64().into());
    let name = place.file_name().unwrap_or_default();
    let results = Results {
        experiment: name.to_string_lossy().into_owned(),
        data,
        settings: outcome.settings,
        environment,
        seconds,
        values: outcome.values,
        figures,
    };
    let text = serde_json::to_string_pretty(&results)? + "\n";
    files::write(&staging.folder().join(RESULTS), text.as_bytes())?;
    staging.finish()?;
    Ok(results)
}

/// Counts the share of the rows of `outputs`, (n, classes), whose largest entry is at the label; of equal
/// entries the first counts.
pub fn accuracy<T: Real>(outputs: ArrayView2<'_, T>, labels: &[u8]) -> f64 {
    let classes = argmax(&outputs);
    let right = classes
        .iter()
        .zip(labels)
        .filter(|(class, label)| **class == usize::from(**label));
    right.count() as f64 / labels.len().max(1) as f64
}

/// Writes a number with six significant digits, which is what the notebooks' single precision can be compared to.
pub fn number(value: f64) -> String {
    let text = format!("{value:.5e}");
    if value == 0.0 || (1e-4..1e6).contains(&value.abs()) {
        // What Rust formats it also parses.
        text.parse::<f64>().map_or(text, |short| short.to_string())
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{accuracy, number};
    use ndarray::{Array2, array};

    #[test]
    fn numbers_have_six_digits_and_no_noise() {
        for (value, text) in [
            (0.0, "0"),
            (100.0, "100"),
            (0.1 + 0.2, "0.3"),
            (23.510_794_07, "23.5108"),
            (0.105_305_446, "0.105305"),
            (-1.5e-9, "-1.50000e-9"),
            (1_234_567.8, "1.23457e6"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn accuracy_of_nothing_of_ties_and_of_rows() {
        assert_eq!(accuracy(Array2::<f64>::zeros((0, 3)).view(), &[]), 0.0);
        assert_eq!(accuracy(Array2::<f64>::zeros((2, 3)).view(), &[0, 2]), 0.5);
        let outputs = array![[0.1, 0.9, 0.0], [-3.0, -1.0, -2.0], [5.0, 4.0, 5.0]];
        assert_eq!(accuracy(outputs.view(), &[1, 1, 0]), 1.0);
        assert_eq!(accuracy(outputs.view(), &[0, 1, 2]), 1.0 / 3.0);
    }
}
