//! Writes layers and activations for people to read.

use serde_json::Value;
use std::fmt;

/// Writes the name and, in brackets, the options; those called `paths` have lines of their own.
pub(crate) fn name_and_options(
    name: &str,
    options: &Value,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    f.write_str(name)?;
    let Value::Object(options) = options else {
        return Ok(());
    };
    let shown = options.iter().filter(|(name, _)| *name != "paths");
    let shown: Vec<_> = shown
        .map(|(name, value)| match name.as_str() {
            "merge" => plain(value),
            name => format!("{name} {}", plain(value)),
        })
        .collect();
    write!(f, "({})", shown.join(", "))
}

/// Writes a number without a needless `.0`, and a text without quotes.
fn plain(value: &Value) -> String {
    match (value, value.as_f64()) {
        (Value::String(text), _) => text.clone(),
        (Value::Array(items), _) => {
            let items: Vec<_> = items.iter().map(plain).collect();
            format!("[{}]", items.join(", "))
        }
        (_, Some(number)) => number.to_string(),
        _ => value.to_string(),
    }
}
