//! The numbers behind a figure, as CSV.

use ndarray::Array2;

/// A `CsvFile` is what to append to the figure's stem, and the text of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvFile {
    /// The end of the stem: empty for the table of the line charts, or a matrix that is the figure's
    /// only numbers; else `-` and a name for the panel. The file is `<stem><suffix>.csv`.
    pub suffix: String,
    /// The text of the file, lines ending in `\n`.
    pub text: String,
}

/// Writes a field, quoted if it must be.
pub(crate) fn field(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) || text.trim() != text {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Writes the shortest decimal that reads back as the same number.
pub(crate) fn exact(value: f64) -> String {
    let text = format!("{value:?}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// Writes six significant digits.
fn short(value: f64) -> String {
    // What Rust formats it also parses.
    exact(format!("{value:.5e}").parse().unwrap_or(value))
}

/// Writes a matrix, a row a line, with six significant digits.
pub(crate) fn matrix(values: &Array2<f64>) -> String {
    let mut out = String::new();
    for row in values.rows() {
        let row: Vec<String> = row.iter().map(|v| short(*v)).collect();
        out.push_str(&row.join(","));
        out.push('\n');
    }
    out
}

/// Makes a title part of a file name: lower-case ASCII letters and digits, anything else one `-`.
pub(crate) fn slug(title: &str) -> String {
    let mut out = String::new();
    for character in title.chars() {
        if character.is_ascii_alphanumeric() {
            out.push(character.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        if out.len() >= 40 {
            break;
        }
    }
    out.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_when_needed() {
        assert_eq!(field("loss"), "loss");
        assert_eq!(field("a,b"), "\"a,b\"");
        assert_eq!(field("say \"x\""), "\"say \"\"x\"\"\"");
    }

    #[test]
    fn numbers_are_short_and_exact() {
        assert_eq!(exact(100.0), "100");
        assert_eq!(exact(0.1), "0.1");
        assert_eq!(exact(1e300), "1e300");
        assert_eq!(short(1.0 / 3.0), "0.333333");
        assert_eq!(short(-123_456_789.0), "-123457000");
        assert_eq!(short(0.0), "0");
    }

    #[test]
    fn slugs_are_file_names() {
        assert_eq!(slug("X Xᵀ, rotated (p = 1000)"), "x-x-rotated-p-1000");
        assert_eq!(slug("../../etc"), "etc");
        assert_eq!(slug("λ"), "");
    }
}
