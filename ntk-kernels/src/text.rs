//! Writes what files hold for people to read: names from anywhere, long lists, layers with their
//! options.

use serde_json::Value;
use std::fmt::{self, Display};

/// The most characters that are shown of one name or value.
const LONGEST: usize = 120;

/// The most items that are shown of a list.
const MOST_ITEMS: usize = 10;

/// Writes a name from anywhere, such as a file, so that it stays on its line and cannot steer a
/// terminal: control characters and those that change the direction of text are written as escapes,
/// and a long name is cut, with the number of characters that are left out.
///
/// ```
/// use ntk_kernels::text::escaped;
///
/// assert_eq!(escaped("fc1.weight"), "fc1.weight");
/// assert_eq!(escaped("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
/// assert!(escaped(&"x".repeat(5000)).ends_with("... (4880 more characters)"));
/// ```
#[must_use]
pub fn escaped(name: &str) -> String {
    let mut shown = String::new();
    for c in name.chars().take(LONGEST) {
        match steers(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    match name.chars().count().saturating_sub(LONGEST) {
        0 => shown,
        more => format!("{shown}... ({more} more characters)"),
    }
}

/// Says whether a character ends a line, steers a terminal, or hides or turns the text around it.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

/// Writes a list with commas; of a long one the first few, and how many more there are.
///
/// ```
/// use ntk_kernels::text::listed;
///
/// assert_eq!(listed(&["a", "b"]), "a, b");
/// assert_eq!(listed(&[0; 5000]), "0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ... and 4990 more");
/// assert_eq!(listed::<u8>(&[]), "none");
/// ```
#[must_use]
pub fn listed<T: Display>(items: &[T]) -> String {
    let shown: Vec<_> = items
        .iter()
        .take(MOST_ITEMS)
        .map(ToString::to_string)
        .collect();
    match items.len().saturating_sub(MOST_ITEMS) {
        0 if items.is_empty() => "none".into(),
        0 => shown.join(", "),
        more => format!("{}, ... and {more} more", shown.join(", ")),
    }
}

/// Writes a JSON value as [`escaped`] writes a name.
pub(crate) fn value(value: &Value) -> String {
    escaped(&value.to_string())
}

/// Writes the name and, in brackets, the options; those called `paths` have lines of their own, and
/// those that are not given are left out.
pub(crate) fn name_and_options(
    name: &str,
    options: &Value,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    f.write_str(name)?;
    let Value::Object(options) = options else {
        return Ok(());
    };
    let shown = options
        .iter()
        .filter(|(name, value)| *name != "paths" && !value.is_null());
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
