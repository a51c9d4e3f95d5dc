//! `index.html`: one page over every experiment in the output folder.
//!
//! A function of the folder alone, so that it is complete whatever was run when.

use super::results::{Results, Value};
use crate::Failure;
use crate::experiments;
use ntk_plots::report::{Experiment, FigureImage, Report, ReportFigure, Row};
use serde_json::Value as Json;
use std::fs;
use std::path::Path;

/// Writes the page over all experiments that `out` holds.
pub(super) fn write(out: &Path) -> Result<(), Failure> {
    let mut environment = Vec::new();
    let mut sections = Vec::new();
    for experiment in experiments::ALL {
        let folder = out.join(experiment.name());
        let Ok(text) = fs::read_to_string(folder.join("results.json")) else {
            continue;
        };
        let results: Results = serde_json::from_str(&text)
            .map_err(|e| format!("{}/results.json: {e}; run it again", folder.display()))?;
        let here = &results.environment;
        environment = vec![
            ("version".into(), here.version.clone()),
            ("revision".into(), here.revision.clone()),
            ("linear algebra".into(), here.backend.clone()),
            ("threads".into(), here.threads.to_string()),
            ("processor".into(), here.cpu.clone()),
        ];
        sections.push(section(experiment.question(), &results, &folder)?);
    }
    let report = Report {
        title: "ntk: reproductions".into(),
        intro:
            "Notebook experiments on neural tangent kernels, computed anew. Each table has what \
                the notebook printed, what this program finds, and why they differ."
                .into(),
        environment,
        experiments: sections,
    };
    ntk_data::atomic::write(&out.join("index.html"), report.html().as_bytes())?;
    Ok(())
}

fn section(question: &str, results: &Results, folder: &Path) -> Result<Experiment, Failure> {
    let name = results.experiment.clone();
    let mut figures = Vec::new();
    let mut links = vec![("results.json".to_string(), format!("{name}/results.json"))];
    let mut files: Vec<String> = fs::read_dir(folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|file| file.ends_with(".csv"))
        .collect();
    files.sort();
    links.extend(
        files
            .into_iter()
            .map(|file| (file.clone(), format!("{name}/{file}"))),
    );
    for figure in &results.figures {
        let svg = fs::read_to_string(folder.join(format!("{}.svg", figure.stem)))?;
        let png = || fs::read(folder.join(format!("{}.png", figure.stem)));
        let image = FigureImage::to_embed(svg, png)?;
        figures.push(ReportFigure {
            caption: figure.caption.clone(),
            image,
        });
    }
    Ok(Experiment {
        question: question.into(),
        source_line: results.data.note.clone(),
        embedded: results.data.source == "embedded",
        sha256: results.data.sha256.clone(),
        figures,
        table: results.values.iter().map(row).collect(),
        settings: results
            .settings
            .iter()
            .map(|(k, v)| (k.clone(), plain(v)))
            .collect(),
        timings: results
            .seconds
            .iter()
            .map(|(k, v)| {
                (
                    k.replace('_', " "),
                    format!("{:.3} s", v.as_f64().unwrap_or_default()),
                )
            })
            .collect(),
        links,
        name,
    })
}

fn row(value: &Value) -> Row {
    let place: Vec<String> = value
        .place
        .iter()
        .map(|(k, v)| format!("{k} = {}", plain(v)))
        .collect();
    Row {
        quantity: value.name.replace('_', " "),
        place: place.join(", "),
        printed: value.printed.map(number).unwrap_or_default(),
        ours: number(value.value),
        note: value.note.clone(),
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
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
    use super::number;

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
}
