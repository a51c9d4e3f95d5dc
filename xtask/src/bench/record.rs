//! The record of a run: JSON, and the same as Markdown, which the terminal shows too.

use super::case::{ContenderName, Suite};
use super::limits::Limit;
use super::measure::{AGREEMENT, CaseOutcome};
use crate::Failure;
use ntk_cli::environment::Environment;
use ntk_cli::files;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use std::path::Path;

/// Everything that a run of a suite found.
#[derive(Debug, Clone, Serialize)]
pub(super) struct SuiteRecord {
    pub(super) title: &'static str,
    /// The notes of the suite, for the reader.
    pub(super) notes: &'static str,
    pub(super) environment: Environment,
    pub(super) cores: usize,
    pub(super) command: String,
    pub(super) peer: Map<String, Json>,
    /// The GiB that the peer might use.
    pub(super) peer_memory: f64,
    pub(super) limits: Vec<Limit>,
    pub(super) cases: Vec<CaseOutcome>,
}

/// The flags whose values say something of a machine's folders alone.
const PLACES: [&str; 3] = ["--python", "--data-dir", "--out"];

/// Returns the command line without the paths in it.
pub(super) fn command(arguments: impl Iterator<Item = String>) -> String {
    let mut words = vec!["cargo xtask".to_string()];
    let mut hide = false;
    for argument in arguments {
        let flag = argument.split('=').next().unwrap_or_default();
        let is_place = PLACES.contains(&flag);
        words.push(match (hide, is_place && flag != argument) {
            (true, _) => "PATH".into(),
            (_, true) => format!("{flag}=PATH"),
            _ => argument.clone(),
        });
        hide = is_place && flag == argument;
    }
    words.join(" ")
}

/// Below this, zeros after the point are hard to count.
const SMALL: f64 = 1e-3;

impl SuiteRecord {
    /// Writes `NAME.json` and `NAME.md`.
    pub(super) fn write(&self, suite: &Suite, folder: &Path) -> Result<(), Failure> {
        let json = serde_json::to_string_pretty(self)? + "\n";
        for (ending, text) in [("json", json), ("md", self.markdown())] {
            let path = folder.join(format!("{}.{ending}", suite.name));
            files::write(&path, text.as_bytes()).map_err(|e| {
                format!("cannot write {}: {e}; choose another --out", path.display())
            })?;
        }
        Ok(())
    }

    pub(super) fn markdown(&self) -> String {
        let Environment {
            version,
            revision,
            backend,
            threads,
            cpu,
            .. // the build, which tells readers nothing
        } = &self.environment;
        let versions: Vec<_> = self
            .peer
            .iter()
            .map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or_default()))
            .collect();
        let mut inputs = Vec::new();
        for case in &self.cases {
            if !inputs.contains(&case.data.as_str()) {
                inputs.push(&case.data);
            }
        }
        let mut text = format!(
            "# {}\n\n\
             - Machine: {cpu}, {} cores; {threads} threads on both sides\n\
             - Ours: {version}, revision {revision}, linear algebra by {backend}\n\
             - Peer: {}, at most {:.1} GiB\n\
             - Command: `{}`\n\
             - Inputs: {}\n\n\
             Seconds are the smallest of all rounds, and the median in brackets. The two sides take\n\
             turns in every round; what the peer compiles in its first call is not counted. Both compute\n\
             the same: \"differ by\" is the largest relative difference of some entries of the results,\n\
             bold above {AGREEMENT:e}.\n\n{}\n\n",
            self.title,
            self.cores,
            versions.join(", "),
            self.peer_memory,
            self.command,
            inputs.join("; "),
            self.notes,
        );
        text += &self.seconds();
        text += "\nRatios are of the smallest seconds, with their range over the rounds.\n\n";
        text += &self.numbers();
        text += "\nWhat this machine can do at most, in the same run:\n\n";
        text += &table(
            &["limit", "measured"],
            self.limits
                .iter()
                .map(|l| vec![l.name.into(), format!("{} {}", digits(l.value), l.unit)])
                .collect(),
        );
        text
    }

    fn seconds(&self) -> String {
        // Those of ours that some case has.
        let ours: Vec<_> = ContenderName::ALL
            .into_iter()
            .map(ContenderName::as_str)
            .filter(|name| self.cases.iter().any(|case| case.times(name).is_some()))
            .collect();
        let or_dash = |cell: Option<String>| cell.unwrap_or_else(|| "-".into());
        let rows = self.cases.iter().map(|case| {
            let cell = |name: &str| {
                let times = case.times(name);
                times.map(|t| format!("{} ({})", digits(t.minimum), digits(t.median)))
            };
            let agreement = case.agreement.as_ref().map(|a| {
                let far = a.relative_difference;
                let far = far.map_or_else(|| "no number".into(), |d| format!("{d:.1e}"));
                if a.agrees { far } else { format!("**{far}**") }
            });
            let mut row = vec![case.case.into(), case.size.clone(), case.rounds.to_string()];
            row.extend(ours.iter().map(|name| or_dash(cell(name))));
            row.push(cell("peer").unwrap_or_else(|| case.peer.clone()));
            row.push(or_dash(agreement));
            row
        });
        let mut head = vec!["case", "size", "rounds"];
        head.extend(&ours);
        head.extend(["peer", "differ by"]);
        table(&head, rows.collect())
    }

    fn numbers(&self) -> String {
        let mut rows = Vec::new();
        for case in &self.cases {
            for number in &case.numbers {
                let range = number
                    .range
                    .map(|[a, b]| format!("{} to {}", digits(a), digits(b)));
                rows.push(vec![
                    case.case.to_string(),
                    number.name.into(),
                    number.asked.clone().unwrap_or_else(|| "-".into()),
                    number.measured.map_or_else(|| case.peer.clone(), digits),
                    range.unwrap_or_else(|| "-".into()),
                    match number.met {
                        Some(true) => "yes",
                        Some(false) => "**no**",
                        None => "-",
                    }
                    .into(),
                ]);
            }
        }
        table(
            &["case", "number", "asked", "measured", "range", "met"],
            rows,
        )
    }
}

/// Writes three digits, more for large numbers; small ones by their power of ten.
fn digits(value: f64) -> String {
    if value != 0.0 && value.abs() < SMALL {
        return format!("{value:.2e}");
    }
    let magnitude = if value == 0.0 {
        0.0
    } else {
        value.abs().log10().floor()
    };
    let decimals = (2.0 - magnitude).clamp(0.0, 9.0);
    format!("{value:.*}", decimals as usize)
}

/// Writes a table in Markdown whose columns are as wide as they need to be; every row is as long as
/// the head.
fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut lines = vec![head.iter().map(ToString::to_string).collect()];
    lines.extend(rows);
    let width = |column: usize| {
        let cells = lines
            .iter()
            .map(|line: &Vec<String>| line[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let show = |line: &Vec<String>| {
        let cells: String = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!(" {cell:width$} |"))
            .collect();
        format!("|{cells}\n")
    };
    let rule: String = widths
        .iter()
        .map(|w| format!("{}|", "-".repeat(w + 2)))
        .collect();
    let mut text = show(&lines[0]) + "|" + &rule + "\n";
    text.extend(lines[1..].iter().map(show));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits() {
        for (value, text) in [
            (0.0, "0.00"),
            (1.234e-5, "1.23e-5"),
            (0.001_234_5, "0.00123"),
            (1.234_5, "1.23"),
            (98.76, "98.8"),
            (1234.5, "1234"),
        ] {
            assert_eq!(digits(value), text);
        }
    }

    #[test]
    fn commands_keep_flags_and_hide_places() {
        let words = "bench --peers --python /a/b --out=/c dense3-4096 --rounds 3";
        assert_eq!(
            command(words.split(' ').map(String::from)),
            "cargo xtask bench --peers --python PATH --out=PATH dense3-4096 --rounds 3"
        );
    }

    #[test]
    fn tables_are_markdown() {
        let text = table(&["a", "long"], vec![vec!["wide".into(), "b".into()]]);
        assert_eq!(text, "| a    | long |\n|------|------|\n| wide | b    |\n");
    }
}
