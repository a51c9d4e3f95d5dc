//! The main job end to end, on the embedded sample and, where it is found, on the full data.

mod collective_variables;
mod distilled_images;
mod entropy_training;
mod evidence;
mod graphs_and_sequences;
mod jamming;
mod mutual_information;
mod page;
mod runs;
mod shallow_relu;
mod webdriver;
mod width_vs_ntk;

use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

const ALL: [&str; 9] = [
    "shallow-relu",
    "jamming",
    "width-vs-ntk",
    "entropy-training",
    "mutual-information",
    "collective-variables",
    "graphs-and-sequences",
    "distilled-images",
    "evidence",
];

#[test]
fn the_page_in_a_browser() {
    page::check(sample(), &ALL);
}

/// Every experiment in its short version (the closed forms are the same) from the embedded sample,
/// checked against the records; run once for all tests.
fn sample() -> &'static Path {
    static OUT: LazyLock<PathBuf> = LazyLock::new(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reproductions");
        let _ = std::fs::remove_dir_all(&out);
        succeed(&mut reproduce(&out, &["--check", "--quiet"]));
        out
    });
    &OUT
}

/// What the experiment found in the embedded sample; it has so many figures.
fn from_sample(experiment: &str, figures: usize) -> Value {
    check_files(sample(), experiment, figures);
    results(&sample().join(experiment))
}

/// The same from the full data in this folder.
fn from_full(experiment: &str, figures: usize, data: &Path) -> Value {
    let out = tempfile::tempdir().unwrap();
    let mut command = reproduce(out.path(), &[experiment, "--quiet"]);
    succeed(command.arg("--data-dir").arg(data));
    check_files(out.path(), experiment, figures);
    results(&out.path().join(experiment))
}

/// The command, in its short version and without network, in an empty home.
fn reproduce(out: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let flags = ["reproduce", "--quick", "--offline", "--out"];
    command.args(flags).arg(out).args(args);
    command
        .env_remove("NTK_DATA_DIR")
        .env_remove("XDG_CACHE_HOME")
        .env("HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

/// What it wrote to standard error.
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
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
    // The page is over all that the folder holds.
    let any = std::fs::read_dir(out).unwrap().any(|entry| {
        let file = entry.unwrap().path().join("results.json");
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.contains("\"source\": \"embedded\"")
    });
    assert_eq!(page.contains("embedded sample"), any);
    assert!(page.contains(&format!("id=\"{experiment}\"")));
    for entry in std::fs::read_dir(out).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(!name.to_string_lossy().starts_with('.'), "{name:?}");
    }
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
