//! Numbers, durations and settings, to be read.

use ntk_plots::report::Setting;
use serde_json::Value as Json;
use std::time::Duration;

/// From this many elements on a progression is shortened.
const LONG: usize = 8;

/// A name of `results.json`, to be read.
pub(super) fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// A setting; an object is a list of its own, an array of plain values its elements with commas.
pub(super) fn setting(value: &Json) -> Setting {
    match value {
        Json::Object(fields) => {
            let fields = fields.iter().map(|(k, v)| (words(k), setting(v)));
            Setting::Group(fields.collect())
        }
        Json::Array(items) if !items.iter().any(|i| i.is_array() || i.is_object()) => {
            Setting::Text(list(items))
        }
        other => Setting::Text(plain(other)),
    }
}

/// A value in a line.
pub(super) fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => "none".into(),
        other => {
            let text = other.to_string();
            text.strip_suffix(".0").map_or(text.clone(), String::from)
        }
    }
}

/// Elements with commas; of eight or more integers at equal distances the inner ones are left out.
fn list(items: &[Json]) -> String {
    let numbers: Vec<Option<i64>> = items.iter().map(Json::as_i64).collect();
    let mut texts: Vec<String> = Vec::new();
    let mut at = 0;
    while at < items.len() {
        let run = progression(&numbers[at..]);
        if run >= LONG {
            let [first, second, last] = [at, at + 1, at + run - 1].map(|i| plain(&items[i]));
            texts.extend([first, second, "\u{2026}".into(), last]);
            at += run;
        } else {
            texts.push(plain(&items[at]));
            at += 1;
        }
    }
    texts.join(", ")
}

/// How many numbers from the first on are at equal distances other than zero.
fn progression(numbers: &[Option<i64>]) -> usize {
    let step = |pair: &[Option<i64>]| pair[1]?.checked_sub(pair[0]?);
    let mut steps = numbers.windows(2).map(step);
    let Some(first @ Some(..=-1 | 1..)) = steps.next() else {
        return 1;
    };
    2 + steps.take_while(|step| *step == first).count()
}

/// In per cent of what was printed, to two digits; nothing if that is zero and ours is not.
pub(super) fn difference(printed: f64, ours: f64) -> Option<String> {
    let percent = 100.0 * (ours - printed) / printed.abs();
    if ours.total_cmp(&printed).is_eq() || percent == 0.0 {
        return Some("0 %".into());
    }
    if !percent.is_finite() {
        return None;
    }
    if percent.abs() < 0.001 {
        return Some("<0.001 %".into());
    }
    let sign = if percent < 0.0 { '\u{2212}' } else { '+' };
    Some(format!("{sign}{} %", digits(percent.abs(), 2)))
}

/// Seconds with three digits, and in words from a minute on.
pub(super) fn duration(seconds: f64) -> String {
    if seconds < 0.001 {
        return "<0.001 s".into();
    }
    // As long as it rounds to less than a minute.
    if seconds < 59.95 {
        return format!("{} s", digits(seconds, 3));
    }
    let rounded = Duration::try_from_secs_f64(seconds.round());
    let whole = rounded.unwrap_or_default().as_secs();
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// A number of at least 0.001 to so many significant digits, and all of its whole part.
fn digits(value: f64, count: i32) -> String {
    let exponent = value.log10().floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 5"
    )]
    let decimals = (f64::from(count - 1) - exponent).max(0.0) as usize;
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_relative_to_what_was_printed() {
        for (printed, ours, text) in [
            (1.0, 1.0, "0 %"),
            (0.0, 0.0, "0 %"),
            (23.512, 23.510_8, "\u{2212}0.0051 %"),
            (0.89, 0.8745, "\u{2212}1.7 %"),
            (1400.0, 280.0, "\u{2212}80 %"),
            (-2.0, -1.0, "+50 %"),
            (1.0, 1.0 + 1e-9, "<0.001 %"),
            (1.0, 124.5, "+12350 %"),
        ] {
            assert_eq!(difference(printed, ours).as_deref(), Some(text));
        }
        assert_eq!(difference(0.0, 1.0), None);
        assert_eq!(difference(1.0, f64::NAN), None);
        assert_eq!(difference(f64::NAN, 1.0), None);
    }

    #[test]
    fn durations_are_in_words_from_a_minute_on() {
        for (seconds, text) in [
            (0.0, "<0.001 s"),
            (0.0345, "0.0345 s"),
            (12.533, "12.5 s"),
            (59.96, "1 min 0 s"),
            (119.7, "2 min 0 s"),
            (7425.0, "2 h 3 min"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn settings_are_nested_and_short() {
        let nested = setting(&json!({"batch_size": 32.0, "of": {"epochs": null}}));
        let shown =
            r#"Group([("batch size", Text("32")), ("of", Group([("epochs", Text("none"))]))])"#;
        assert_eq!(format!("{nested:?}"), shown);
        for (value, text) in [
            ("[[1,2],[3]]", "[[1,2],[3]]"),
            ("[]", ""),
            ("[0,1,2,3,4,5,6]", "0, 1, 2, 3, 4, 5, 6"),
            ("[8,7,6,5,4,3,2,1]", "8, 7, \u{2026}, 1"),
            ("[3,3,3,3,3,3,3,3]", "3, 3, 3, 3, 3, 3, 3, 3"),
            (
                "[9,6,0,5,10,15,20,25,30,35,50]",
                "9, 6, 0, 5, \u{2026}, 35, 50",
            ),
            ("[0.5,1.0,2,3,4,5,6,7,8]", "0.5, 1, 2, 3, 4, 5, 6, 7, 8"),
            ("[0,\"x\",0,0,null]", "0, x, 0, 0, none"),
        ] {
            let shown = setting(&serde_json::from_str(value).unwrap());
            assert_eq!(format!("{shown:?}"), format!("Text({text:?})"));
        }
        assert_eq!(progression(&[Some(i64::MIN), Some(i64::MAX)]), 1);
    }
}
