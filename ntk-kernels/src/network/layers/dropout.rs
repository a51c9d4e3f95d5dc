//! Describes dropout.

use super::{Action, Layer, LayerKind, NetworkError, Resolved, Shape, json, to_json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A `Dropout` keeps each value with probability `keep` and divides it by `keep`, and sets it to
/// zero otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    /// The probability that a value is kept.
    pub keep: f64,
}

/// Makes a dropout layer that keeps each value with probability `keep`, above 0 and at most 1.
#[must_use]
pub fn dropout(keep: f64) -> Dropout {
    Dropout { keep }
}

impl LayerKind for Dropout {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn options(&self) -> Value {
        to_json(self)
    }

    fn fault(&self) -> Option<String> {
        (!(self.keep > 0.0 && self.keep <= 1.0))
            .then(|| format!("keep must be above 0 and at most 1, found {}", self.keep))
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let (shape, keep) = (input.clone(), self.keep);
        let action = Action::Dropout { keep };
        Ok(Resolved { shape, action })
    }
}

pub(super) const NAMES: &[&str] = &["dropout"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::options::<Dropout>(at, name, options).map(Layer::Dropout)
}
