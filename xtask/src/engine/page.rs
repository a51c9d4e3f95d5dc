//! `index.html`: one page over every experiment in the output folder.
//!
//! A function of the folder alone, so that it is complete whatever was run when.

use super::results::{RESULTS, Results, Value};
use crate::Failure;
use crate::experiments;
use ntk_plots::report::{Experiment, FigureImage, Report, ReportFigure, Row};
use serde_json::Value as Json;
use std::fs;
use std::path::Path;

/// Writes the page over all experiments that `out` holds.
pub(super) fn write(out: &Path) -> Result<(), Failure> {
    let mut sections = Vec::new();
    for experiment in experiments::ALL {
        let folder = out.join(experiment.name());
        let file = folder.join(RESULTS);
        if !file.exists() {
            continue;
        }
        let results = Results::read(&file)?;
        sections.push(section(experiment.question(), &results, &folder)?);
    }
    let report = Report {
        title: "ntk: reproductions".into(),
        intro:
            "Notebook experiments on neural tangent kernels, computed anew. Each section has the \
                question, the figures, and a table of what the notebook printed, what this \
                program finds, and why they differ. Differences are relative to the printed \
                value.\n\n\
                Of the scales, quick trains and samples least, full is that of the notebooks, and \
                standard, the default, lies between. Closed forms are exact at all of them."
                .into(),
        experiments: sections,
    };
    ntk_data::atomic::write(&out.join("index.html"), report.html().as_bytes())?;
    Ok(())
}

fn section(question: &str, results: &Results, folder: &Path) -> Result<Experiment, Failure> {
    let name = results.experiment.clone();
    let mut files: Vec<String> = fs::read_dir(folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|file| file.ends_with(".csv"))
        .collect();
    files.sort();
    let address = |file: &str| format!("{name}/{file}");
    let mut figures = Vec::new();
    for figure in &results.figures {
        let [vector, pixels] = ["svg", "png"].map(|kind| format!("{}.{kind}", figure.stem));
        let svg = fs::read_to_string(folder.join(&vector))?;
        let image = FigureImage::to_embed(svg, || fs::read(folder.join(&pixels)))?;
        let numbers = files
            .iter()
            .filter(|file| stem_of(file, results) == Some(&figure.stem));
        let links = numbers
            .chain([&vector, &pixels])
            .map(|file| (file.clone(), address(file)));
        figures.push(ReportFigure {
            caption: figure.caption.clone(),
            image,
            links: links.collect(),
        });
    }
    let json = RESULTS.to_string();
    let links = [&json].into_iter().chain(&files);
    let links = links.map(|file| (file.clone(), address(file))).collect();
    let here = &results.environment;
    let embedded = results.data.source == "embedded";
    let note = &results.data.note;
    let pairs = results.settings.iter();
    Ok(Experiment {
        question: question.into(),
        summary: summary(results),
        // The page says itself that it is the embedded sample.
        source_line: note
            .strip_prefix("embedded sample of ")
            .unwrap_or(note)
            .into(),
        embedded,
        sha256: results.data.sha256.clone(),
        figures,
        table: results.values.iter().map(row).collect(),
        settings: pairs.map(|(k, v)| (words(k), setting(v))).collect(),
        timings: results
            .seconds
            .iter()
            .map(|(k, v)| (words(k), duration(v.as_f64().unwrap_or_default())))
            .collect(),
        environment: vec![
            ("version".into(), here.version.clone()),
            ("revision".into(), here.revision.clone()),
            ("build".into(), here.program.clone()),
            ("linear algebra".into(), here.backend.clone()),
            ("threads".into(), here.threads.to_string()),
            ("processor".into(), here.cpu.clone()),
        ],
        links,
        name,
    })
}

/// The figure that a file belongs to: the longest stem that it begins with.
fn stem_of<'a>(file: &str, results: &'a Results) -> Option<&'a String> {
    let stems = results.figures.iter().map(|figure| &figure.stem);
    stems
        .filter(|stem| {
            let rest = file.strip_prefix(stem.as_str());
            rest.is_some_and(|rest| rest.starts_with(['.', '-']))
        })
        .max_by_key(|stem| stem.len())
}

/// What to see first.
fn summary(results: &Results) -> Vec<(String, String)> {
    let scale = results.settings.get("scale").map(plain);
    let data = &results.data;
    let place = match &data.instead_of {
        Some(asked) => format!(", in place of {asked}"),
        None => String::new(),
    };
    let set = match data.source.as_str() {
        "embedded" => format!("{}, embedded sample{place}", data.name),
        source => format!("{}, {source}{place}", data.name),
    };
    let pairs = results.values.iter();
    let pairs: Vec<(f64, f64)> = pairs.filter_map(|v| Some((v.printed?, v.value))).collect();
    let close = pairs
        .iter()
        .filter(|(printed, ours)| (ours - printed).abs() <= 0.01 * printed.abs());
    let printed = match pairs.len() {
        0 => "none".into(),
        n => format!("{} of {n} within 1 %", close.count()),
    };
    vec![
        ("Scale".into(), scale.unwrap_or_default()),
        ("Data".into(), set),
        ("Printed values".into(), printed),
        ("Time".into(), duration(results.total_seconds())),
    ]
}

fn row(value: &Value) -> Row {
    let place = value.place.iter();
    Row {
        quantity: words(&value.name),
        place: place.map(|(k, v)| (words(k), words(&plain(v)))).collect(),
        printed: value.printed.map(number).unwrap_or_default(),
        ours: number(value.value),
        difference: value
            .printed
            .and_then(|printed| difference(printed, value.value))
            .unwrap_or_default(),
        note: value.note.clone(),
    }
}

/// A name of `results.json`, to be read.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// A setting; the names inside are to be read too.
fn setting(value: &Json) -> String {
    fn named(value: &Json) -> Json {
        match value {
            Json::Object(fields) => {
                let fields = fields.iter().map(|(k, v)| (words(k), named(v)));
                Json::Object(fields.collect())
            }
            other => other.clone(),
        }
    }
    plain(&named(value))
}

/// In per cent of what was printed, to two digits; nothing if that is zero and ours is not.
fn difference(printed: f64, ours: f64) -> Option<String> {
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
fn duration(seconds: f64) -> String {
    if seconds < 0.001 {
        return "<0.001 s".into();
    }
    // As long as it rounds to less than a minute.
    if seconds < 59.95 {
        return format!("{} s", digits(seconds, 3));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at least 60; a run is no longer than a u64 of seconds"
    )]
    let whole = seconds.round() as u64;
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

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => {
            let text = other.to_string();
            text.strip_suffix(".0").map_or(text.clone(), String::from)
        }
    }
}

/// Six significant digits, which is what the notebooks' single precision can be compared to.
pub(super) fn number(value: f64) -> String {
    if value == 0.0 || value.fract() == 0.0 && value.abs() < 1e6 {
        return format!("{value}");
    }
    let exponent = value.abs().log10().floor();
    if (-4.0..6.0).contains(&exponent) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 9"
        )]
        let decimals = (5.0 - exponent) as usize;
        let text = format!("{value:.decimals$}");
        text.trim_end_matches('0').trim_end_matches('.').to_string()
    } else {
        format!("{value:.5e}")
    }
}

#[cfg(test)]
mod tests {
    use super::{difference, duration, number};

    #[test]
    fn numbers_have_six_digits_and_no_noise() {
        for (value, text) in [
            (0.0, "0"),
            (100.0, "100"),
            (0.1 + 0.2, "0.3"),
            (23.510_794_07, "23.5108"),
            (0.105_305_446, "0.105305"),
            (-1.5e-9, "-1.50000e-9"),
            (1_234_567.8, "1.23457e6"),
        ] {
            assert_eq!(number(value), text);
        }
    }

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
}
