//! Words that are not ours, such as names of files and of what is in them, as messages show them.

use std::fmt::Write;

/// The characters of an error that are shown at most, from its beginning and from its end.
const BEGINNING: usize = 2000;
const END: usize = 1000;

/// Escapes what would move a terminal's cursor, change its colours or turn the text's direction, and
/// new lines, unless those are to stay: a message is one line whatever it quotes.
pub(crate) fn escaped(text: &str, lines_stay: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' if lines_stay => shown.push('\n'),
            c if c.is_control() || turns(c) => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// Counts things, whose plural ends in an s: `1 tensor`, `2 tensors`.
pub(crate) fn count(n: usize, thing: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{n} {thing}{s}")
}

/// Writes a number as people do: without hundreds of zeros where it is tiny or huge.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        0.0 | 1e-4..1e6 => value.to_string(),
        _ => format!("{value:e}"),
    }
}

/// Whether a character is invisible and changes how others are shown.
fn turns(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// Makes the one line that tells an error; of a very long one the middle is left out, and counted.
pub(crate) fn failure(text: &str) -> String {
    let text = escaped(text, false);
    let count = text.chars().count();
    if count <= BEGINNING + END {
        return text;
    }
    let mut shown: String = text.chars().take(BEGINNING).collect();
    let left_out = count - BEGINNING - END;
    // Writing into a string does not fail.
    let _ = write!(shown, " [{left_out} characters more] ");
    shown.extend(text.chars().skip(count - END));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_it_quotes() {
        let name = "a\u{1b}[31m\nb\u{202e}\t\u{7f}é";
        let shown = r"a\u{1b}[31m\nb\u{202e}\t\u{7f}é";
        assert_eq!(failure(name), shown);
        assert_eq!(escaped("a\nb\r", true), "a\nb\\r");
    }

    #[test]
    fn things_are_counted_and_numbers_short() {
        let counts = [0, 1, 2].map(|n| count(n, "tensor"));
        assert_eq!(counts, ["0 tensors", "1 tensor", "2 tensors"]);
        let numbers = [0.0, -0.05, 1e-300, 1e300, 123.5, f64::INFINITY].map(number);
        assert_eq!(numbers, ["0", "-0.05", "1e-300", "1e300", "123.5", "inf"]);
    }

    #[test]
    fn the_middle_of_a_long_message_is_counted() {
        let names: Vec<_> = (0..5000).map(|i| format!("layers.{i}.weight")).collect();
        let message = format!("found {}; rename them", names.join(", "));
        let shown = failure(&message);
        assert!(shown.starts_with("found layers.0.weight, "), "{shown}");
        assert!(
            shown.ends_with("layers.4999.weight; rename them"),
            "{shown}"
        );
        let left_out = message.len() - BEGINNING - END;
        assert!(shown.contains(&format!(" [{left_out} characters more] ")));
        assert!(shown.len() < BEGINNING + END + 40);
        assert_eq!(failure(&message[..3000]), message[..3000]);
    }
}
