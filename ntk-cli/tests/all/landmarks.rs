//! `ntk large` over landmarks: its plan, its sweep, its checkpoint, and its errors.

use crate::common::{Folder, json, text};
use serde_json::Value;
use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn command(folder: &Folder, flags: &str) -> Command {
    let mut all = vec!["--offline"];
    all.extend(flags.split_whitespace());
    let mut command = folder.command(&all);
    // The embedded sample, whatever lies about.
    command
        .env_remove("NTK_DATA_DIR")
        .env_remove("XDG_CACHE_HOME")
        .env("HOME", folder.path());
    command
}

fn run(folder: &Folder, flags: &str) -> Output {
    command(folder, flags).output().unwrap()
}

/// The value of a name, of so many images and landmarks.
fn value(answer: &Value, name: &str, train: u64, landmarks: u64) -> f64 {
    let place = |v: &Value| {
        (
            v["where"]["train"].as_u64(),
            v["where"]["landmarks"].as_u64(),
        )
    };
    let of = |v: &&Value| v["name"] == name && place(v) == (Some(train), Some(landmarks));
    let mut found = answer["values"].as_array().unwrap().iter().filter(of);
    found.next().unwrap()["value"].as_f64().unwrap()
}

#[test]
fn every_number_of_images_with_every_number_of_landmarks() {
    let folder = Folder::new("large");
    let flags = "mnist-million --json --train 1500,6000 --landmarks 100,300 --test 300 --out out";
    let found = json(&run(&folder, flags));
    for (train, landmarks) in [(1500, 100), (1500, 300), (6000, 100), (6000, 300)] {
        let error = value(&found, "test_error_percent", train, landmarks);
        let accuracy = value(&found, "test_accuracy", train, landmarks);
        assert!((100.0 * (1.0 - accuracy) - error).abs() < 1e-9);
        // Of ten kinds of clothes.
        assert!(accuracy > 0.7, "{train} {landmarks}: {accuracy}");
        assert!(value(&found, "residual", train, landmarks) < 1.0);
    }
    let place = folder.path().join("out/mnist-million");
    for file in ["results.json", "errors.png", "errors.svg"] {
        assert!(place.join(file).exists(), "{file}");
    }
    // The other solver, of one fit, with its own number.
    let of = "mnist-million --json --train 1500 --landmarks 300 --test 300";
    let direct = json(&run(&folder, &format!("{of} --solver cholesky")));
    let parameters = value(&direct, "effective_parameters", 1500, 300);
    assert!((1.0..=300.0).contains(&parameters), "{parameters}");
    let converged = json(&run(
        &folder,
        &format!("{of} --solver cg --iterations 300 --tolerance 1e-8"),
    ));
    // Single precision moves predictions by less than decides more than an image.
    let of = |found: &Value| value(found, "test_accuracy", 1500, 300);
    assert!((of(&direct) - of(&converged)).abs() < 1.5 / 300.0);
    // Originals alone.
    let found = json(&run(&folder, "mnist-ntk --json --landmarks 200 --test 300"));
    assert!(value(&found, "test_accuracy", 3548, 200) > 0.7);
}

#[test]
fn a_killed_fit_goes_on_to_the_same_answer() {
    let folder = Folder::new("large");
    let flags = "mnist-million --json --train 30000 --landmarks 200 --test 200";
    let whole = json(&run(&folder, flags));
    let flags = format!("{flags} --checkpoint reached");
    let reached = folder.path().join("reached");
    let mut killed = 0;
    for _ in 0..3 {
        let before = fs::metadata(&reached).and_then(|m| m.modified()).ok();
        let mut child = command(&folder, &flags)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < Duration::from_secs(300), "no checkpoint");
            if child.try_wait().unwrap().is_some() {
                break;
            }
            let now = fs::metadata(&reached).and_then(|m| m.modified()).ok();
            if now.is_some() && now != before {
                child.kill().unwrap();
                killed += 1;
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        child.wait().unwrap();
    }
    assert!(killed > 0);
    if reached.exists() {
        // Of another fit it is refused, and stays.
        let other = run(&folder, &format!("{flags} --seed 7"));
        let message = text(&other.stderr);
        assert_eq!(other.status.code(), Some(1), "{message}");
        assert!(message.contains("of another fit"), "{message}");
        assert!(reached.exists());
    }
    let found = json(&run(&folder, &flags));
    for name in ["test_accuracy", "residual"] {
        assert_eq!(
            value(&found, name, 30000, 200),
            value(&whole, name, 30000, 200)
        );
    }
    assert!(!reached.exists());
}

#[test]
fn a_dry_run_says_what_and_writes_nothing() {
    let folder = Folder::new("large");
    let flags = "mnist-million --json --train 1000000 --landmarks 20000 --dry-run --out out";
    let plan = json(&run(&folder, flags));
    // L and C in f64, and a million images of 60 features.
    let least = 16 * 20_000_u64.pow(2) + 4 * 60 * 1_000_000;
    let memory = plan["memory_bytes"].as_u64().unwrap();
    assert!((least..2 * least).contains(&memory), "{memory}");
    assert!(plan["expected_seconds"]["passes"].as_f64().unwrap() > 1.0);
    assert!(!folder.path().join("out").exists());
}

#[test]
fn errors_are_one_line_and_say_what_to_do() {
    let folder = Folder::new("large");
    for (flags, words) in [
        (
            "mnist-million --train 100 --landmarks 200",
            &["--landmarks", "200", "100"][..],
        ),
        (
            "mnist-ntk --train 4000 --landmarks 20",
            &["--train", "4000", "3548", "mnist-million"],
        ),
        (
            "mnist-million --train 500 --landmarks 9 --store k",
            &["--store"],
        ),
        (
            "mnist-million --train 500 --landmarks 9 --products memory",
            &["--products"],
        ),
        (
            "mnist-million --train 500 --landmarks 9,10 --checkpoint c",
            &["checkpoint", "--landmarks"],
        ),
        (
            "mnist-million --train 500 --landmarks 9 --diag-reg nan",
            &["--diag-reg", "NaN"],
        ),
        (
            "mnist-million --train 500 --landmarks 9 --checkpoint none/c",
            &["none/c"],
        ),
        (
            "mnist-ntk --train 100 --checkpoint c",
            &["--landmarks", "--store", "--checkpoint"],
        ),
        ("mnist-ntk --train 100,200", &["--train", "--landmarks"]),
    ] {
        let output = run(&folder, &format!("{flags} --quiet --test 5"));
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{flags}: {message}");
        assert_eq!(message.lines().count(), 1, "{flags}: {message}");
        for word in words {
            assert!(message.contains(word), "{flags}: {message}");
        }
    }
    for wrong in [
        "--landmarks 0",
        "--landmarks -1",
        "--iterations 0",
        "--landmarks 5,x",
    ] {
        let output = run(&folder, &format!("mnist-million {wrong}"));
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains("invalid value"), "{message}");
    }
}
