//! The workspace's invariants: who depends on whom, and what a library crate never does.

use super::{arms, circles, lexer};
use std::fs;
use std::path::{Path, PathBuf};

/// Every crate, and the crates of this workspace that it may depend on.
const LADDER: &[(&str, &[&str])] = &[
    ("ntk-linalg", &[]),
    ("ntk-plots", &[]),
    ("ntk-data", &["ntk-linalg"]),
    ("ntk-kernels", &["ntk-linalg"]),
    ("ntk-entropy", &["ntk-linalg"]),
    ("ntk-train", &["ntk-linalg", "ntk-kernels", "ntk-entropy"]),
    ("ntk-store", &["ntk-linalg", "ntk-kernels"]),
    ("ntk-mpi", &["ntk-linalg", "ntk-kernels", "ntk-store"]),
    (
        "ntk-cli",
        &[
            "ntk-linalg",
            "ntk-plots",
            "ntk-data",
            "ntk-kernels",
            "ntk-entropy",
            "ntk-train",
            "ntk-store",
            "ntk-mpi",
        ],
    ),
    (
        "xtask",
        &[
            "ntk-linalg",
            "ntk-plots",
            "ntk-data",
            "ntk-kernels",
            "ntk-entropy",
            "ntk-train",
            "ntk-cli",
        ],
    ),
];

/// Programs, which print, read the environment and choose threads.
const PROGRAMS: &[&str] = &["ntk-cli", "xtask"];

/// The one function of a library that reads the environment: where a user's data sets are.
const USERS: &str = "ntk-data/src/user.rs";

/// Crates that may not touch files or the network.
const PURE: &[&str] = &[
    "ntk-linalg",
    "ntk-kernels",
    "ntk-train",
    "ntk-entropy",
    "ntk-mpi",
];

/// Crates in which a new layer must make the compiler name every place that does not know it.
const LAYERED: &[&str] = &["ntk-kernels", "ntk-train"];

/// The doors through which `ntk-train`'s generic code is compiled: a trait that names all that is
/// generic over it, and so in a circle with each of them.
const DOORS: &str = "compiled.rs";

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// The names under `[dependencies]` alone: what tests and benchmarks use is their own affair.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside && let Some(name) = line.split(['.', ' ', '=']).next() {
            names.push(name.to_string());
        }
    }
    names
}

pub(super) fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Code of a crate, without comments and without what only tests compile.
fn code(name: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    rust_files(&root().join(name).join("src"), &mut files);
    let mut tests = Vec::new();
    let mut all = Vec::new();
    for path in files {
        let code = lexer::code(&fs::read_to_string(&path).unwrap());
        let folder = path.parent().unwrap();
        let is_root = ["mod.rs", "lib.rs", "main.rs"]
            .iter()
            .any(|name| path.ends_with(name));
        let inside = if is_root {
            folder.to_path_buf()
        } else {
            path.with_extension("")
        };
        for test in code.test_files {
            // A path that is given starts beside the file; a module's own modules are in its folder.
            if test.ends_with(".rs") {
                tests.push(folder.join(test));
            } else {
                tests.extend([inside.join(&test), inside.join(test + ".rs")]);
            }
        }
        all.push((path, code.text));
    }
    all.retain(|(path, _)| !tests.iter().any(|test| path.starts_with(test)));
    all
}

#[test]
fn every_crate_is_on_the_ladder_and_depends_downwards_alone() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest
        .lines()
        .find(|line| line.starts_with("members"))
        .unwrap();
    assert_eq!(members.matches('"').count() / 2, LADDER.len());
    for (name, allowed) in LADDER {
        assert!(members.contains(name));
        let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        for dependency in dependencies(&manifest) {
            let ours = LADDER.iter().any(|(ours, _)| *ours == dependency);
            assert!(
                !ours || allowed.contains(&dependency.as_str()),
                "{name} must not use {dependency}"
            );
        }
    }
}

/// The table of the README names the crates in the same order, with what they depend on.
#[test]
fn the_readme_has_the_ladder() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let rows = readme.lines().filter(|line| line.starts_with("| ["));
    let rows: Vec<(&str, &str)> = rows
        .map(|row| {
            let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
            let name = cells[0].trim_start_matches('[').split(']').next().unwrap();
            (name, cells[2])
        })
        .collect();
    assert_eq!(rows.len(), LADDER.len());
    for (name, allowed) in LADDER {
        let (_, below) = rows.iter().find(|(row, _)| row == name).unwrap();
        let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        let used = dependencies(&manifest);
        let mut used: Vec<_> = allowed
            .iter()
            .filter(|ours| used.iter().any(|name| name == *ours))
            .collect();
        let mut told: Vec<_> = allowed
            .iter()
            .filter(|ours| below.contains(**ours))
            .collect();
        used.sort();
        told.sort();
        assert!(
            used == told || *below == "all above",
            "{name}: the README says {below}, Cargo.toml {used:?}"
        );
    }
}

#[test]
fn library_crates_never_print_or_read_the_environment_or_choose_threads() {
    let banned = [
        "println!",
        "eprintln!",
        "print!(",
        "env::var",
        "ThreadPoolBuilder",
        "process::exit",
    ];
    let libraries = LADDER.iter().map(|(name, _)| *name);
    for name in libraries.filter(|name| !PROGRAMS.contains(name)) {
        for (path, code) in code(name) {
            for word in banned {
                if *word == *"env::var" && path.ends_with(USERS) {
                    continue;
                }
                assert!(!code.contains(word), "{word} in {}", path.display());
            }
        }
    }
}

#[test]
fn pure_crates_touch_no_file_and_no_network() {
    for name in PURE {
        for (path, code) in code(name) {
            for word in ["std::fs", "std::net", "std::io", "File::", "ureq"] {
                assert!(!code.contains(word), "{word} in {}", path.display());
            }
        }
    }
}

#[test]
fn no_file_is_two_things() {
    for (name, _) in LADDER {
        for (path, code) in code(name) {
            let lines = code.lines().filter(|line| !line.trim().is_empty()).count();
            assert!(lines <= 600, "{} has {lines} lines of code", path.display());
        }
    }
}

#[test]
fn no_match_over_layers_has_a_wildcard() {
    for name in LAYERED {
        for (path, code) in code(name) {
            let path = path.strip_prefix(root()).unwrap();
            let lines = arms::wildcards(&code);
            assert!(
                lines.is_empty(),
                "{}: lines {lines:?} match every layer that is not named; name them",
                path.display()
            );
        }
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for (name, _) in LADDER {
        let folder = root().join(name).join("src");
        let mut files = code(name);
        for (path, _) in &mut files {
            *path = path.strip_prefix(&folder).unwrap().to_path_buf();
        }
        files.retain(|(path, _)| *name != "ntk-train" || path != Path::new(DOORS));
        let circle = circles::circle(&files);
        assert_eq!(circle, None, "{name}: move what they share below them");
    }
}
