//! `ntk distributed`: on one rank and on four, its store, and its errors.

use crate::common::{Folder, assert_success, json, text, value};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Seconds after which `mpirun` ends a job whose ranks wait for each other.
const LIMIT: &str = "300";

fn command(folder: &Folder, flags: &str) -> Command {
    let mut all = vec!["--offline"];
    all.extend(flags.split_whitespace());
    let mut command = folder.command(&all);
    command.env("MPIEXEC_TIMEOUT", LIMIT);
    command
}

fn run(folder: &Folder, flags: &str) -> Output {
    command(folder, flags).output().unwrap()
}

fn answer(folder: &Folder, flags: &str) -> Value {
    json(&run(folder, &format!("--json {flags}")))
}

/// Not 0, and one line on standard error that is ours.
#[track_caller]
fn assert_one_error(output: &Output, words: &[&str]) {
    let said = text(&output.stderr);
    assert!(!output.status.success(), "{said}");
    let errors: Vec<_> = said.lines().filter(|l| l.contains("error: ")).collect();
    assert_eq!(errors.len(), 1, "{said}");
    for word in words {
        assert!(errors[0].contains(word), "no {word} in {said}");
    }
}

#[test]
fn four_ranks_one_rank_and_one_machine_agree() {
    let flags = "mnist-ntk --train 300 --test 100 --rank 60";
    let alone = answer(&Folder::new("large"), flags);
    let folder = Folder::new("distributed");
    let one = answer(&folder, &format!("{flags} --ranks 1 --spectrum --block 64"));
    let four = answer(
        &folder,
        &format!("{flags} --ranks 4 --spectrum --block 32 --out results"),
    );
    assert_eq!(four["settings"]["grid"], serde_json::json!([2, 2]));
    assert_eq!(folder.names(), ["results"]);
    let written = folder.path().join("results/mnist-ntk/results.json");
    let written: Value = serde_json::from_slice(&fs::read(written).unwrap()).unwrap();
    assert_eq!(written["values"], four["values"]);
    for solver in ["cg", "cholesky"] {
        let of = |answer: &Value| value(answer, "test_accuracy", Some(solver));
        assert!(of(&alone) > 0.5);
        assert_eq!((of(&one), of(&four)), (of(&alone), of(&alone)));
    }
    assert!(value(&four, "residual", Some("cg")) <= 1e-10);
    let largest = value(&one, "largest_eigenvalue", None);
    for name in ["smallest_eigenvalue", "largest_eigenvalue", "trace"] {
        let off = (value(&one, name, None) - value(&four, name, None)).abs();
        // n eps of the largest eigenvalue, and n of them in the trace.
        assert!(
            off <= 300.0 * 300.0 * f64::EPSILON * largest,
            "{name}: {off:e}"
        );
    }
    let entropies = [&one, &four].map(|answer| value(answer, "von_neumann", None));
    // Each of n probabilities p is off by n eps, and -p ln p by that times 1 - ln p < 40.
    assert!((entropies[0] - entropies[1]).abs() <= 40.0 * 300.0 * 300.0 * f64::EPSILON);
    for part in [
        "data",
        "kernel",
        "spectrum",
        "preconditioner",
        "cg",
        "cholesky",
        "test",
    ] {
        assert!(four["seconds"][part].as_f64().unwrap() >= 0.0, "{part}");
    }
}

/// All files of tiles.
fn tiles(store: &Path) -> Vec<PathBuf> {
    let rows = fs::read_dir(store.join("train/c")).into_iter().flatten();
    let columns = rows.flat_map(|row| fs::read_dir(row.unwrap().path()).into_iter().flatten());
    let files = columns.map(|file| file.unwrap().path());
    files
        .filter(|file| !file.file_name().unwrap().to_string_lossy().starts_with('.'))
        .collect()
}

#[test]
fn a_job_that_is_killed_is_gone_on_with() {
    let folder = Folder::new("distributed");
    let flags = "mnist-convnet-gp --train 240 --test 2 --solver cholesky --block 4 --ranks 4 \
                 --store tiles --json";
    let store = folder.path().join("tiles");
    let mut job = command(&folder, flags).spawn().unwrap();
    let begun = Instant::now();
    while tiles(&store).is_empty() && begun.elapsed() < Duration::from_secs(300) {
        assert_eq!(
            job.try_wait().unwrap(),
            None,
            "it ended before it was killed"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    let killed = Command::new("kill").arg(job.id().to_string()).status();
    assert!(killed.unwrap().success());
    assert_eq!(job.wait().unwrap().code(), Some(130));
    let found = tiles(&store).len();
    let all = 60 * 61 / 2;
    assert!(0 < found && found < all, "{found}");
    let second = answer(&folder, flags.trim_end_matches("--json"));
    assert_eq!(value(&second, "tiles_found", None), found as f64);
    assert_eq!(tiles(&store).len(), all);
    // One rank finds what four have computed.
    let third = answer(
        &folder,
        &flags
            .replace("--ranks 4 ", "--ranks 1 ")
            .replace("--json", ""),
    );
    assert_eq!(value(&third, "tiles_found", None), all as f64);
    let accuracy = |answer: &Value| value(answer, "test_accuracy", Some("cholesky"));
    assert_eq!(accuracy(&second), accuracy(&third));
    // A tile that is damaged is known to rank 0 alone.
    let tile = &tiles(&store)[7];
    let mut bytes = fs::read(tile).unwrap();
    bytes[9] ^= 1;
    fs::write(tile, bytes).unwrap();
    let output = run(&folder, flags);
    assert_one_error(&output, &["error: rank 0: tile", "damaged"]);
}

/// Each rank has blocks of its own of the images, and is killed with the job.
#[test]
fn landmarks_over_ranks_are_those_of_one_machine() {
    let folder = Folder::new("distributed");
    let fit = "mnist-million --train 30000 --landmarks 150 --test 300";
    for solver in ["cg", "cholesky"] {
        let flags = format!("{fit} --solver {solver}");
        let alone = answer(&Folder::new("large"), &flags);
        let three = answer(&folder, &format!("{flags} --ranks 3 --out results"));
        assert_eq!(three["settings"]["ranks"], 3);
        // Single precision moves predictions by less than decides more than an image.
        let of = |answer: &Value| value(answer, "test_accuracy", None);
        assert!(of(&alone) > 0.7);
        assert!((of(&alone) - of(&three)).abs() < 1.5 / 300.0);
    }
    let results = folder.path().join("results/mnist-million/results.json");
    assert!(results.exists());

    let flags = format!("--json {fit} --ranks 2");
    let whole = json(&run(&folder, &flags));
    let flags = format!("{flags} --checkpoint reached");
    let reached = folder.path().join("reached.0");
    let mut job = command(&folder, &flags).spawn().unwrap();
    let begun = Instant::now();
    while !reached.exists() && begun.elapsed() < Duration::from_secs(300) {
        let ended = job.try_wait().unwrap();
        assert_eq!(ended, None, "it ended before it was killed");
        std::thread::sleep(Duration::from_millis(2));
    }
    // Its ranks, which mpirun takes a while to end.
    let mpirun = Command::new("pgrep")
        .args(["-P", &job.id().to_string()])
        .output();
    let mpirun = text(&mpirun.unwrap().stdout);
    let killed = Command::new("pkill")
        .args(["-KILL", "-P", mpirun.trim()])
        .status();
    assert!(killed.unwrap().success());
    assert!(!job.wait().unwrap().success());
    assert!(reached.exists());
    let found = json(&run(&folder, &flags));
    for name in ["test_accuracy", "residual"] {
        assert_eq!(value(&found, name, None), value(&whole, name, None));
    }
    assert_eq!(folder.names(), ["results"]);
}

#[test]
fn errors_end_the_job_and_are_told_once() {
    let folder = Folder::new("distributed");
    let flags = "mnist-ntk --train 20 --test 5 --ranks 4 --block 4 --quiet";
    // Of rank one: what is left of it after the first pivot is rounding, or less.
    folder.write(
        "constant.json",
        r#"{"layers": [{"dense": {"w_std": 0, "b_std": 1}}]}"#,
    );
    let singular = format!("{flags} --solver cholesky --net constant.json");
    assert_one_error(&run(&folder, &singular), &["rank 0", "positive definite"]);
    let output = run(&folder, &format!("{flags} --net none.json"));
    assert_one_error(&output, &["rank 0", "none.json"]);
    let output = run(&folder, &format!("{flags} --out constant.json"));
    assert_one_error(&output, &["rank 0", "--out"]);
    let output = run(&folder, &format!("{flags} --tolerance 1e-30"));
    assert_one_error(&output, &["rank 0", "--tolerance"]);
    // Before any rank is started.
    let output = run(&folder, &format!("{flags} --tolerance nan"));
    assert_one_error(&output, &["error: --tolerance"]);
    let output = run(&folder, &format!("{flags} --diag-reg=-1"));
    assert_one_error(&output, &["error: --diag-reg"]);
    let output = run(&folder, "cifar --ranks 4");
    assert_one_error(&output, &["error: there is no problem", "mnist-ntk"]);
    for wrong in [
        "mnist-ntk --block 0",
        "mnist-ntk --ranks 0",
        "mnist-ntk --tile 5",
        "",
    ] {
        assert_eq!(run(&folder, wrong).status.code(), Some(2), "{wrong}");
    }
    assert_eq!(folder.names(), ["constant.json"]);
}

#[test]
fn a_plan_is_of_any_size_and_starts_nothing() {
    let folder = Folder::new("distributed");
    let flags = "mnist-ntk --dry-run --threads 1 --train 1000000";
    let mut plan = command(&folder, &format!("{flags} --ranks 1024 --json"));
    let output = plan.env("PATH", "").output().unwrap();
    assert_success(&output);
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["grid"], serde_json::json!([32, 32]));
    let matrix = plan["memory_bytes"]["matrix"].as_f64().unwrap();
    // A share of n^2 numbers, and at most a block more in each direction.
    let share = |n: f64| 8.0 * (n / 32.0).powi(2);
    assert!(
        (share(1e6)..=share(1e6 + 32.0 * 128.0)).contains(&matrix),
        "{matrix}"
    );
    let output = run(&folder, &format!("{flags} --ranks 16"));
    assert_one_error(&output, &["--ranks", "2147483647"]);
    let output = run(&folder, "mnist-ntk --dry-run --train 300 --ranks 4");
    assert_success(&output);
    assert!(text(&output.stdout).contains("4 ranks"));
}
