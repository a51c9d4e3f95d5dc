//! The main job end to end, on the embedded sample and, where it is found, on the full data.
#![cfg(feature = "engine")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collective_variables;
mod entropy_training;
mod jamming;
mod mutual_information;
mod shallow_relu;
mod width_vs_ntk;

use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs an experiment (its short version: the closed forms are the same) and reads its results,
/// which have so many figures.
fn run(experiment: &str, figures: usize, data: Option<&Path>) -> Value {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .args([
            "reproduce",
            experiment,
            "--quick",
            "--offline",
            "--quiet",
            "--out",
        ])
        .arg(&out);
    command.env_remove("NTK_DATA_DIR").env("HOME", home.path());
    if let Some(data) = data {
        command.arg("--data-dir").arg(data);
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    check_files(&out, experiment, figures);
    results(&out.join(experiment))
}

fn results(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("results.json")).unwrap()).unwrap()
}

/// The folder of the full data; says so and gives none where it is not known.
fn full_data() -> Option<PathBuf> {
    let data = std::env::var_os("NTK_DATA_DIR").map(PathBuf::from);
    if data.is_none() {
        // Past the test runner, which captures what macros print.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: the full data, as NTK_DATA_DIR is not set"
        );
    }
    data
}

/// Every figure as PNG and SVG, and a page that names them, with nothing unfinished beside.
fn check_files(out: &Path, experiment: &str, count: usize) {
    let folder = out.join(experiment);
    let results = results(&folder);
    let figures = results["figures"].as_array().unwrap();
    assert_eq!(figures.len(), count);
    let embedded = results["data"]["source"] == "embedded";
    for figure in figures {
        let stem = figure["stem"].as_str().unwrap();
        let png = std::fs::read(folder.join(format!("{stem}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG"));
        let svg = std::fs::read_to_string(folder.join(format!("{stem}.svg"))).unwrap();
        assert_eq!(svg.contains("embedded sample"), embedded, "{stem}.svg");
    }
    let page = std::fs::read_to_string(out.join("index.html")).unwrap();
    assert_eq!(page.contains("embedded sample"), embedded);
    let names: Vec<_> = std::fs::read_dir(out)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

/// The value of this name whose `where` has all of `place`.
fn value(results: &Value, name: &str, place: &Value) -> f64 {
    let place = place.as_object().unwrap();
    let found: Vec<_> = results["values"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|v| v["name"] == name && place.iter().all(|(k, w)| &v["where"][k] == w))
        .collect();
    assert_eq!(found.len(), 1, "{name} {place:?}");
    found[0]["value"].as_f64().unwrap()
}
