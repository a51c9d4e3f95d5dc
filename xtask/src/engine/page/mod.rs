//! `index.html`: one page over every experiment in the output folder.
//!
//! A function of the folder alone, so that it is complete whatever was run when.

mod text;
mod values;

use crate::Failure;
use crate::experiments;
use ntk_cli::files;
use ntk_cli::results::{RESULTS, Results};
use ntk_plots::report::{Report, ReportFigure, Section};
use serde_json::Value as Json;
use std::fs;
use std::path::Path;
use text::{duration, plain, setting, words};

/// Writes the page over all experiments that `out` holds.
pub(super) fn write(out: &Path) -> Result<(), Failure> {
    let mut sections = Vec::new();
    for experiment in experiments::ALL {
        let folder = out.join(experiment.name);
        let file = folder.join(RESULTS);
        if !file.exists() {
            continue;
        }
        let results = Results::read(&file)?;
        sections.push(section(experiment.question, &results, &folder)?);
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
        nouns: ["Experiment", "Experiments"],
        sections,
    };
    files::write(&out.join("index.html"), report.html().as_bytes())?;
    Ok(())
}

fn section(question: &str, results: &Results, folder: &Path) -> Result<Section, Failure> {
    let name = results.experiment.clone();
    let mut files: Vec<String> = fs::read_dir(folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|file| file.ends_with(".csv"))
        .collect();
    files.sort();
    let link = |file: &str| (file.to_string(), format!("{name}/{file}"));
    let mut figures = Vec::new();
    for info in &results.figures {
        let [vector, pixels] = ["svg", "png"].map(|kind| format!("{}.{kind}", info.stem));
        let svg = fs::read_to_string(folder.join(&vector))?;
        let png = || fs::read(folder.join(&pixels));
        let mut figure = ReportFigure::drawn(&info.caption, svg, png)?;
        let own = |file: &&String| stem_of(file, results) == Some(&info.stem);
        let files = files.iter().filter(own).chain([&vector, &pixels]);
        figure.links = files.map(|file| link(file)).collect();
        figures.push(figure);
    }
    let mut links = vec![link(RESULTS)];
    links.extend(files.iter().map(|file| link(file)));
    let (data, here) = (&results.data, &results.environment);
    let settings = results.settings.iter().map(|(k, v)| (words(k), setting(v)));
    let seconds = |v: &Json| duration(v.as_f64().unwrap_or_default());
    let timings = results.seconds.iter().map(|(k, v)| (words(k), seconds(v)));
    let warning = match data.source.as_str() {
        "embedded" => "Embedded sample, not the full data set.",
        _ => "",
    };
    // Said by the warning.
    let source = data.note.strip_prefix("embedded sample of ");
    Ok(Section {
        lead: question.into(),
        summary: summary(results),
        source: source.unwrap_or(&data.note).into(),
        warning: warning.into(),
        sha256: data.sha256.clone(),
        figures,
        results: values::tables(&name, &results.values),
        settings: settings.collect(),
        timings: timings.collect(),
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
    let rest = |stem: &String| file.strip_prefix(stem.as_str());
    stems
        .filter(|stem| rest(stem).is_some_and(|rest| rest.starts_with(['.', '-'])))
        .max_by_key(|stem| stem.len())
}

/// What to see first.
fn summary(results: &Results) -> Vec<(String, String)> {
    let scale = results.settings.get("scale").map(plain);
    let data = &results.data;
    let asked = data.instead_of.as_ref();
    let place = asked.map(|asked| format!(", in place of {asked}"));
    let place = place.unwrap_or_default();
    let source = match data.source.as_str() {
        "embedded" => "embedded sample",
        "synthetic" => "drawn at random",
        source => source,
    };
    let pairs = results.values.iter();
    let pairs: Vec<(f64, f64)> = pairs.filter_map(|v| Some((v.printed?, v.value))).collect();
    let close = |(printed, ours): &&(f64, f64)| (ours - printed).abs() <= 0.01 * printed.abs();
    let printed = match pairs.len() {
        0 => "none".into(),
        n => format!("{} of {n} within 1 %", pairs.iter().filter(close).count()),
    };
    vec![
        ("Scale".into(), scale.unwrap_or_default()),
        ("Data".into(), format!("{}, {source}{place}", data.name)),
        ("Printed values".into(), printed),
        ("Time".into(), duration(results.total_seconds())),
    ]
}
