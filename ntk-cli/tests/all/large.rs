//! `ntk large`: its plan, its store, and its errors.

use crate::common::{Folder, json, text, value};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::SystemTime;

fn run(folder: &Folder, flags: &str) -> Output {
    let mut all = vec!["mnist-ntk", "--offline"];
    all.extend(flags.split_whitespace());
    // The embedded sample, whatever lies about.
    let mut command = folder.command(&all);
    command
        .env_remove("NTK_DATA_DIR")
        .env_remove("XDG_CACHE_HOME")
        .env("HOME", folder.path());
    command.output().unwrap()
}

fn answer(folder: &Folder, flags: &str) -> Value {
    json(&run(folder, &format!("--json {flags}")))
}

/// Every tile with the time it was written.
fn tiles(folder: &Path) -> Vec<(String, SystemTime)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.join("c")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let modified = fs::metadata(&path).unwrap().modified().unwrap();
                all.push((path.display().to_string(), modified));
            }
        }
    }
    all.sort();
    all
}

#[test]
fn solvers_agree_and_the_store_is_filled_once() {
    let folder = Folder::new("large");
    let flags = "--train 300 --test 100 --rank 60 --tile 64";
    let memory = answer(&folder, &format!("{flags} --out results"));
    let first = answer(&folder, &format!("{flags} --store k --products store"));
    let written = (
        tiles(&folder.path().join("k/train")),
        tiles(&folder.path().join("k/test")),
    );
    assert_eq!((written.0.len(), written.1.len()), (5 * 6 / 2, 2 * 5));
    let second = answer(&folder, &format!("{flags} --store k --solver cholesky"));
    assert_eq!(
        (
            tiles(&folder.path().join("k/train")),
            tiles(&folder.path().join("k/test"))
        ),
        written
    );
    let accuracy = value(&memory, "test_accuracy", Some("cg"));
    // Dresses, shirts and eight others: 300 images are enough for far more than one in ten.
    assert!(accuracy > 0.6, "{accuracy}");
    for (found, solvers) in [(&memory, 2), (&first, 2), (&second, 1)] {
        for solver in ["cholesky", "cg"].into_iter().take(solvers) {
            assert!(value(found, "residual", Some(solver)) <= 1e-10);
            assert_eq!(value(found, "test_accuracy", Some(solver)), accuracy);
        }
        if solvers == 2 {
            assert!(value(found, "outputs_apart", None) <= 1e-8, "{found}");
        }
    }
    let of = folder.path().join("results/mnist-ntk");
    for file in [
        "results.json",
        "convergence.png",
        "convergence.svg",
        "convergence.csv",
    ] {
        assert!(of.join(file).is_file(), "{file}");
    }
}

#[test]
fn a_damaged_tile_is_named_and_computed_again_on_request() {
    let folder = Folder::new("large");
    let flags = "--train 100 --test 20 --tile 32 --solver cg --rank 20 --products store --store k";
    answer(&folder, flags);
    let tile = folder.path().join("k/train/c/2/1");
    let mut bytes = fs::read(&tile).unwrap();
    bytes[100] ^= 1;
    fs::write(&tile, &bytes).unwrap();
    let output = run(&folder, flags);
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.contains("k/train/c/2/1"), "{message}");
    let repaired = answer(&folder, &format!("{flags} --repair"));
    assert!(value(&repaired, "residual", Some("cg")) <= 1e-10);
    bytes[100] ^= 1;
    assert_eq!(fs::read(&tile).unwrap(), bytes);
}

#[test]
fn a_dry_run_says_what_and_writes_nothing() {
    let folder = Folder::new("large");
    let found = answer(&folder, "--train 100 --test 20 --store k --dry-run");
    assert_eq!(found["products"], "memory");
    assert_eq!(found["kernel_bytes"], 2 * 100 * (100 + 1024));
    assert_eq!(found["disk_bytes"], 2 * 100 * (100 + 1024) + 4 * 100 * 20);
    let seconds = found["expected_seconds"].as_object().unwrap();
    let steps: Vec<_> = seconds.keys().map(String::as_str).collect();
    assert_eq!(
        steps,
        [
            "kernel",
            "preconditioner",
            "cg",
            "cholesky",
            "refinement",
            "test"
        ]
    );
    assert!(
        seconds.values().all(|s| s.as_f64().unwrap() > 0.0),
        "{found}"
    );
    assert_eq!(
        (&found["fits"], &found["longer"]),
        (&true.into(), &false.into())
    );
    assert!(folder.names().is_empty());
}

/// The first entry alone takes long, and the store is larger than disks.
#[test]
fn a_dry_run_ends_soon_whatever_it_is_asked() {
    let folder = Folder::new("large");
    let deep = vec![r#"{"conv": {"filter": [3, 3], "padding": "same"}}, "relu""#; 300].join(", ");
    folder.write(
        "net.json",
        format!(r#"{{"layers": [{deep}, "global_avg_pool", "dense"]}}"#),
    );
    let begun = std::time::Instant::now();
    let flags = "--net net.json --store k --tile 1000000000 --dry-run";
    let found = answer(&folder, &format!("{flags} --threads 1"));
    assert!(begun.elapsed().as_secs_f64() < 5.0, "{:?}", begun.elapsed());
    assert_eq!(
        (&found["fits"], &found["longer"]),
        (&false.into(), &true.into())
    );
    let told = text(&run(&folder, flags).stdout);
    assert!(
        told.contains("more than") && told.contains("refused: "),
        "{told}"
    );
}

#[test]
fn errors_are_one_line_and_say_what_to_do() {
    let folder = Folder::new("large");
    folder.write("broken.json", "{");
    for (flags, words) in [
        ("--train 1000000", &["1000000", "3548"][..]),
        ("--train 100 --net broken.json", &["broken.json"]),
        ("--train 100 --net none.json", &["none.json"]),
        ("--train 100 --products store", &["--store"]),
        ("--train 100 --test 5 --diag-reg -1", &["--diag-reg", "-1"]),
        ("--train 100 --test 5 --out broken.json", &["--out"]),
        ("--train 100 --tolerance nan", &["--tolerance", "NaN"]),
        (
            "--train 100 --test 5 --tolerance 1e-30",
            &["tolerance", "--diag-reg"],
        ),
    ] {
        let output = run(&folder, &format!("--quiet {flags}"));
        assert_eq!(output.status.code(), Some(1), "{flags}");
        let message = text(&output.stderr);
        assert_eq!(message.lines().count(), 1, "{flags}: {message}");
        for word in words {
            assert!(message.contains(word), "{flags}: {message}");
        }
    }
    let output = folder.run(&["cifar-ntk", "--offline"]);
    let message = text(&output.stderr);
    assert!(
        message.contains("mnist-ntk") && message.contains("cifar-ntk"),
        "{message}"
    );
    for wrong in [
        "--train 0",
        "--train -1",
        "--rank -1",
        "--seed -1",
        "--tile -1",
    ] {
        let output = run(&folder, wrong);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains("invalid value"), "{message}");
    }
}

/// Files that lie where the results go are a person's, or the run's own store.
#[test]
fn results_replace_results_alone() {
    let folder = Folder::new("large");
    let place = folder.path().join("out/mnist-ntk");
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("thesis.txt"), "years").unwrap();
    let flags = "--train 20 --test 10 --out out";
    let refused = |flags: &str, words: &[&str]| {
        let output = run(&folder, flags);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        for word in words {
            assert!(error.contains(word), "nothing of {word}: {error}");
        }
    };
    refused(flags, &["thesis.txt", "--out"]);
    assert_eq!(
        fs::read_to_string(place.join("thesis.txt")).unwrap(),
        "years"
    );
    fs::remove_file(place.join("thesis.txt")).unwrap();
    refused(
        &format!("{flags} --store out/mnist-ntk/kernel"),
        &["--store", "--out"],
    );
    assert!(run(&folder, flags).status.success());
    assert!(run(&folder, flags).status.success());
    assert!(place.join("results.json").exists());
}
