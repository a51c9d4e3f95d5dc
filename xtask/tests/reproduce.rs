//! The main job end to end, on the embedded sample and, where it is found, on the full data.
#![cfg(feature = "engine")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
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

fn closed_form(results: &Value) -> Vec<&Value> {
    let values = results["values"].as_array().unwrap();
    values
        .iter()
        .filter(|v| !v["where"]["kernel"].is_null() && v["name"] != "agreement")
        .collect()
}

#[test]
fn shallow_relu_from_the_sample_and_from_the_full_data() {
    let embedded = run("shallow-relu", 12, None);
    assert_eq!(embedded["data"]["source"], "embedded");
    assert!(embedded["data"]["instead_of"].is_null());

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

    let Some(data) = full_data() else { return };
    let full = run("shallow-relu", 12, Some(&data));
    assert_eq!(full["data"]["source"], "full");
    assert_ne!(full["data"]["sha256"], embedded["data"]["sha256"]);
    assert_eq!(closed_form(&full), closed_form(&embedded));
}

#[test]
fn width_vs_ntk_from_the_sample_in_place_of_mnist() {
    let results = run("width-vs-ntk", 4, None);
    let data = &results["data"];
    assert_eq!(data["name"], "fashion-mnist");
    assert_eq!(data["source"], "embedded");
    assert_eq!(data["instead_of"], "mnist");
    assert!(data["note"].as_str().unwrap().contains("in place of mnist"));
    // 6 sizes, 2 kernels, 8 times; 6 sizes, 2 widths; each on train and test.
    let values = results["values"].as_array().unwrap();
    assert_eq!(values.len(), 2 * (6 * 2 * 8 + 6 * 2));
    for value in values {
        assert!((0.0..=1.0).contains(&value["value"].as_f64().unwrap()));
        assert!(value["printed"].is_null());
    }
    for kernel in ["nngp", "ntk"] {
        for n in [64, 2048] {
            let end = serde_json::json!({"n": n, "kernel": kernel, "t": "inf"});
            // No two of the images are alike, so that the kernel fits them all.
            assert_eq!(value(&results, "train_accuracy", &end), 1.0);
            // An answer regardless of the image is right for a tenth.
            assert!(value(&results, "test_accuracy", &end) > 0.5);
        }
    }
}

/// All accuracies of both kernels on MNIST against neural_tangents.
#[test]
fn width_vs_ntk_on_mnist_as_neural_tangents_has_it() {
    let Some(data) = full_data() else { return };
    let golden: Value = serde_json::from_str(include_str!("golden/width_vs_ntk.json")).unwrap();
    let results = run("width-vs-ntk", 4, Some(&data));
    assert_eq!(results["data"]["name"], "mnist");
    assert_eq!(results["data"]["source"], "full");
    let mut compared = 0;
    for row in golden["rows"].as_array().unwrap() {
        let n = row["n"].as_f64().unwrap();
        for (name, images) in [("train_accuracy", n), ("test_accuracy", 1000.0)] {
            let expected = row[name].as_array().unwrap();
            for (t, expected) in golden["times"].as_array().unwrap().iter().zip(expected) {
                let place = serde_json::json!({"n": row["n"], "kernel": row["kernel"], "t": t});
                let found = value(&results, name, &place);
                // One image whose two largest outputs are equal to rounding, and two where the
                // small eigenvalues count; the reference has four digits.
                let late = t.as_f64().is_none_or(|t| t >= 1e6);
                let tolerance = if late { 2.0 } else { 1.0 } / images + 0.5e-4;
                let expected = expected.as_f64().unwrap();
                assert!(
                    (found - expected).abs() <= tolerance,
                    "{name} {place}: {found}, and {expected} was expected"
                );
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 192);
}

/// Times, training and test loss, test accuracy and unsatisfied constraints of the infinite
/// network, by an independent solution in double precision.
const JAMMING: [(f64, f64, f64, f64, f64); 4] = [
    (1e2, 0.0465225, 0.0483884, 0.880, 736.0),
    (1e3, 0.0196308, 0.0310374, 0.924, 590.0),
    (1e4, 9.87044e-4, 0.0230070, 0.944, 265.0),
    (5e4, 6.697e-7, 0.0235525, 0.944, 156.0),
];

#[test]
fn jamming_from_the_sample_and_on_mnist() {
    let from_sample = run("jamming", 6, None);
    assert_eq!(from_sample["data"]["source"], "embedded");
    // Any network of this kind can be trained to some extent, and small ones jam.
    let crossover = |results: &Value, name: &str, by: &str| {
        value(results, name, &serde_json::json!({"by": by, "seeds": 5}))
    };
    for by in ["knee", "satisfiable"] {
        let at = crossover(&from_sample, "crossover_N/P", by);
        let error = crossover(&from_sample, "crossover_N/P_standard_error", by);
        assert!(
            at > 0.03 && at < 5.0 && error > 0.0 && error < at / 2.0,
            "{by}: {at} {error}"
        );
    }

    let Some(data) = full_data() else { return };
    let results = run("jamming", 6, Some(&data));
    assert_eq!(results["data"]["name"], "mnist");
    let near = |name: &str, place: Value, expected: f64, relative: f64| {
        let found = value(&results, name, &place);
        let gap = (found / expected - 1.0).abs();
        assert!(
            gap <= relative,
            "{name} {place}: {found} and not {expected}"
        );
    };
    let infinite = serde_json::json!({"model": "infinite"});
    near("smallest_eigenvalue", infinite.clone(), 1.1662e-4, 1e-4);
    near("largest_eigenvalue", infinite, 127.648, 1e-5);
    for (t, train, test, accuracy, unsatisfied) in JAMMING {
        let place = || serde_json::json!({"model": "infinite", "t": t});
        near(
            "train_loss",
            place(),
            train,
            if t == 5e4 { 1e-2 } else { 1e-4 },
        );
        near("test_loss", place(), test, 1e-4);
        near("test_accuracy", place(), accuracy, 1e-12);
        near("unsatisfied", place(), unsatisfied, 0.0);
    }
}
