//! Means over seeds.

use crate::experiments::common::mean_and_error;
use ntk_cli::results::Value;
use serde_json::Value as Json;

/// As [`mean_and_error`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    pub(super) mean: f64,
    pub(super) error: f64,
}

impl Estimate {
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.collect();
        let (mean, error) = mean_and_error(&values);
        Self { mean, error }
    }

    /// The mean, with what was printed and why it differs, and the standard error.
    pub(super) fn values<const N: usize>(
        self,
        name: &str,
        place: [(&str, Json); N],
        printed: Option<f64>,
        note: &str,
    ) -> [Value; 2] {
        let error = format!("{name}_standard_error");
        [
            Value::new(name, place.clone(), self.mean)
                .printed(printed)
                .note(note),
            Value::new(&error, place, self.error).note("of the mean over seeds"),
        ]
    }
}
