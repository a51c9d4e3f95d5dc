//! Fresh values beside the committed records.

use super::DataSets;
use super::agenda::Asked;
use crate::Failure;
use crate::experiments::{Experiment, RunScale};
use crate::launch::workspace_root;
use ntk_cli::progress::Progress;
use ntk_cli::results::{Results, Value};
use serde_json::Value as Json;
use std::path::PathBuf;

/// The records of the experiments of a run, in their order.
pub(super) struct CommittedRecords(Vec<CommittedRecord>);

struct CommittedRecord {
    experiment: &'static Experiment,
    path: PathBuf,
    values: Vec<Value>,
}

impl CommittedRecords {
    /// Finds those of the same scale, seed and data.
    pub(super) fn find(
        chosen: &[&'static Experiment],
        data: &DataSets,
        asked: &Asked,
    ) -> Result<Self, Failure> {
        let find = |&experiment: &&'static Experiment| -> Result<CommittedRecord, Failure> {
            let data = &data
                .get(experiment.data)
                .ok_or("a data set is missing")?
                .info;
            let path = path(experiment, &data.source, asked.scale);
            let recorded = Results::read(&path).map_err(|e| {
                format!(
                    "nothing to check {} against: {e}; there are records of standard scale, and \
                     of the embedded sample and of data drawn at random with --quick",
                    experiment.name
                )
            })?;
            let seed = recorded.settings.get("seed").and_then(Json::as_u64);
            if recorded.data.sha256 != data.sha256 || seed != Some(asked.seed) {
                return Err(format!(
                    "{} is of seed {} and data {}, this run of seed {} and data {}: leave --seed \
                     out, and take the published data",
                    path.display(),
                    seed.map_or_else(|| "unknown".into(), |s| s.to_string()),
                    recorded.data.sha256,
                    asked.seed,
                    data.sha256
                )
                .into());
            }
            Ok(CommittedRecord {
                experiment,
                path,
                values: recorded.values,
            })
        };
        Ok(Self(chosen.iter().map(find).collect::<Result<_, _>>()?))
    }

    /// Fails where a value is further from its record than the experiment allows, or has none.
    pub(super) fn compare(&self, all: &[Results], progress: &Progress) -> Result<(), Failure> {
        let mut wrong = Vec::new();
        for (record, fresh) in self.0.iter().zip(all) {
            let name = record.experiment.name;
            let file = record.path.file_name().unwrap_or_default().display();
            let count = fresh.values.len();
            let lines = differences(record.experiment, &record.values, &fresh.values);
            progress.say(&match lines.len() {
                0 => format!("{name}: all {count} values are those of {file}"),
                some => format!("{name}: {some} of {count} values are not those of {file}"),
            });
            for line in &lines {
                progress.say(&format!("  {line}"));
            }
            if let Some(first) = lines.first() {
                wrong.push(format!("{} of {file} ({first})", lines.len()));
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(format!(
            "values differ from the records: {}; where that is meant, copy results.json over the \
             record and mark the change as value-breaking",
            wrong.join(", ")
        )
        .into())
    }
}

/// Returns the file that has the values of the same run.
fn path(experiment: &Experiment, source: &str, scale: RunScale) -> PathBuf {
    let scale = match scale {
        RunScale::Standard => String::new(),
        other => format!("-{}", other.as_str()),
    };
    let file = format!("{}-{source}{scale}.json", experiment.name);
    workspace_root().join("records").join(file)
}

/// Writes one line for every value that is outside its tolerance or on one side alone.
fn differences(experiment: &Experiment, recorded: &[Value], fresh: &[Value]) -> Vec<String> {
    let same = |a: &Value, b: &Value| a.name == b.name && a.place == b.place;
    let mut lines = Vec::new();
    for old in recorded {
        let what = format!("{} {}", old.name, old.place_in_words());
        let Some(new) = fresh.iter().find(|new| same(old, new)) else {
            lines.push(format!("{what}: recorded {}, not found now", old.value));
            continue;
        };
        let tolerance = (experiment.tolerance)(old);
        if !tolerance.admits(old.value, new.value) {
            let (old, new) = (old.value, new.value);
            lines.push(format!(
                "{what}: recorded {old}, found {new}, allowed {tolerance}"
            ));
        }
    }
    let unknown = fresh
        .iter()
        .filter(|new| recorded.iter().all(|old| !same(old, new)));
    lines.extend(unknown.map(|new| {
        let what = format!("{} {}", new.name, new.place_in_words());
        format!("{what}: found {}, not recorded", new.value)
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments;
    use serde_json::json;

    #[test]
    fn changed_missing_and_unknown_values_are_told() {
        let jamming = *experiments::ALL
            .iter()
            .find(|e| e.name == "jamming")
            .unwrap();
        let value = |t: f64, value: f64| Value::new("largest_eigenvalue", [("t", json!(t))], value);
        let recorded = [value(1.0, 2.0), value(2.0, 3.0), value(3.0, 1.0)];
        assert!(differences(jamming, &recorded, &recorded).is_empty());
        let fresh = [
            value(1.0, 2.0 * (1.0 + 1e-9)),
            value(2.0, 3.1),
            value(4.0, f64::NAN),
        ];
        let lines = differences(jamming, &recorded, &fresh);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].contains("recorded 3, found 3.1"), "{lines:?}");
        assert!(lines[1].contains("recorded 1, not found"), "{lines:?}");
        assert!(lines[2].contains("found NaN, not recorded"), "{lines:?}");
    }
}
