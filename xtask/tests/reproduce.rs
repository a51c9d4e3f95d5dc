//! The main job end to end, on the embedded sample and, where it is found, on the full data.
#![cfg(feature = "engine")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Runs shallow-relu (its short version: the closed forms are the same) and reads its results.
fn run(data: Option<&Path>) -> Value {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .args([
            "reproduce",
            "shallow-relu",
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
    check_files(&out);
    serde_json::from_slice(&std::fs::read(out.join("shallow-relu/results.json")).unwrap()).unwrap()
}

/// Every figure as PNG and SVG, and a page that names them, with nothing unfinished beside.
fn check_files(out: &Path) {
    let folder = out.join("shallow-relu");
    let results: Value =
        serde_json::from_slice(&std::fs::read(folder.join("results.json")).unwrap()).unwrap();
    let figures = results["figures"].as_array().unwrap();
    assert_eq!(figures.len(), 12);
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

fn closed_form(results: &Value) -> Vec<&Value> {
    let values = results["values"].as_array().unwrap();
    values
        .iter()
        .filter(|v| !v["where"]["kernel"].is_null() && v["name"] != "agreement")
        .collect()
}

#[test]
fn shallow_relu_from_the_sample_and_from_the_full_data() {
    let embedded = run(None);
    assert_eq!(embedded["data"]["source"], "embedded");

    // Reference values: NumPy in double precision, the same formulas and images.
    let sizes = [100, 400, 700, 1000, 1300, 1600, 1900];
    let as_printed = [23.511, 15.196, 13.155, 5.420, 5.356, 5.309, 5.274];
    let correct = [
        25.0855, 16.4797, 14.1623, 5.92948, 5.86360, 5.81324, 5.77642,
    ];
    // What the notebook printed, in single precision.
    let notebook = [
        23.512009, 15.195990, 13.155245, 5.420178, 5.355395, 5.308579, 5.274092,
    ];
    for (i, n) in sizes.into_iter().enumerate() {
        let smallest = |kernel: &str| {
            value(
                &embedded,
                "smallest_eigenvalue",
                &serde_json::json!({"n": n, "kernel": kernel}),
            )
        };
        assert!((smallest("as_printed") - as_printed[i]).abs() <= 0.5e-3 * (1.0 + 1e-9));
        assert!((smallest("as_printed") / notebook[i] - 1.0).abs() <= 1e-4);
        let digit = if n < 1000 { 1e-4 } else { 1e-5 };
        assert!((smallest("correct") - correct[i]).abs() <= 0.5 * digit * (1.0 + 1e-9));
    }
    for (kernel, accuracy, bound) in [
        ("as_printed", 0.9165, 0.105_305),
        ("correct", 0.916, 0.099_457),
    ] {
        let at = |n| serde_json::json!({"n": n, "kernel": kernel});
        assert_eq!(value(&embedded, "test_accuracy", &at(200)), accuracy);
        assert!((value(&embedded, "bound", &at(1900)) - bound).abs() <= 0.5e-6);
    }
    let moving = value(
        &embedded,
        "coordinates_that_move",
        &serde_json::json!({"p": 1000}),
    );
    assert_eq!(moving, 100.0);

    let Some(data) = std::env::var_os("NTK_DATA_DIR") else {
        // Past the test runner, which captures what macros print.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: the full data, as NTK_DATA_DIR is not set"
        );
        return;
    };
    let full = run(Some(Path::new(&data)));
    assert_eq!(full["data"]["source"], "full");
    assert_ne!(full["data"]["sha256"], embedded["data"]["sha256"]);
    assert_eq!(closed_form(&full), closed_form(&embedded));
}
