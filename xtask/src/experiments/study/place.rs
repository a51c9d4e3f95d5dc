//! Values of `results.json` that belong to one place.

use super::Spread;
use ntk_cli::results::Value;
use serde_json::{Map, Value as Json};

/// A `At` says where values belong: to which size, kernel or time.
#[derive(Debug, Clone)]
pub(crate) struct At(Map<String, Json>);

/// Makes a place of what `json!` makes of an object.
pub(crate) fn at(object: Json) -> At {
    match object {
        Json::Object(map) => At(map),
        _ => At(Map::new()),
    }
}

impl At {
    /// Adds the entries of another object behind those that are there.
    pub(crate) fn and(&self, object: Json) -> Self {
        let mut all = self.clone();
        all.0.extend(at(object).0);
        all
    }

    /// Makes a value here that was not printed in the notebook.
    pub(crate) fn value(&self, name: impl AsRef<str>, value: f64) -> Value {
        let place = self.0.clone();
        let value = Value::new(name.as_ref(), [], value);
        Value { place, ..value }
    }

    /// Makes two values here: a mean, and `NAME_standard_error` with the note `of_error`.
    pub(crate) fn estimate(
        &self,
        name: impl AsRef<str>,
        Spread { mean, error }: Spread,
        printed: Option<f64>,
        note: &str,
        of_error: &str,
    ) -> [Value; 2] {
        let name = name.as_ref();
        let error = self.value(format!("{name}_standard_error"), error);
        let mean = self.value(name, mean).printed(printed).note(note);
        [mean, error.note(of_error)]
    }
}
