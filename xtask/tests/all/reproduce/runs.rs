//! Runs after one another in one folder.

use super::*;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Every file's content by its name.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            all.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    all
}

#[test]
fn what_is_finished_is_not_run_again() {
    let before = contents(sample());
    let said = succeed(&mut reproduce(sample(), &[]));
    assert!(said.contains("all 9 finished"), "{said}");
    assert_eq!(before, contents(sample()));
}

/// Killed at a moment at which nothing can be tidied up.
#[test]
#[cfg(unix)]
fn after_a_kill_the_same_command_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let args = [
        "mutual-information",
        "collective-variables",
        "--threads",
        "2",
    ];
    let first = out.join("mutual-information/results.json");
    let mut child = reproduce(out, &args).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !first.exists() {
        assert!(begun.elapsed() < Duration::from_secs(600));
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        std::thread::sleep(Duration::from_millis(20));
    }
    // A second run keeps away from the folder while the first is at work.
    let second = reproduce(out, &args).output().unwrap();
    let error = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        !second.status.success() && error.contains("another run"),
        "{error}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        !out.join("collective-variables").exists(),
        "killed too late"
    );
    // What a kill in the middle of writing leaves.
    let unfinished = out.join(".collective-variables.1.unfinished");
    std::fs::create_dir(&unfinished).unwrap();
    let kept = std::fs::read(&first).unwrap();

    let said = succeed(&mut reproduce(out, &args));
    assert!(said.contains("1 of 2 to run"), "{said}");
    assert_eq!(kept, std::fs::read(&first).unwrap());
    assert!(!unfinished.exists());
    for experiment in &args[..2] {
        check_files(
            out,
            experiment,
            results(&out.join(experiment))["figures"]
                .as_array()
                .unwrap()
                .len(),
        );
    }

    // Of another seed, or when asked to, it is run again.
    let again = |more: &[&str]| succeed(&mut reproduce(out, &[&args[..1], more].concat()));
    let said = again(&["--seed", "5"]);
    assert!(
        said.contains("1 of 1 to run") && said.contains("of another seed"),
        "{said}"
    );
    assert_ne!(kept, std::fs::read(&first).unwrap());
    assert!(again(&["--seed", "5", "--force"]).contains("again: --force"));
}

#[test]
fn a_check_needs_a_record_of_the_same_run() {
    let folder = tempfile::tempdir().unwrap();
    for (args, words) in [
        (vec!["jamming", "--check", "--seed", "7"], "seed 7"),
        (vec!["jamming", "--check", "--full"], "--full"),
    ] {
        let output = reproduce(folder.path(), &args).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(words), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
