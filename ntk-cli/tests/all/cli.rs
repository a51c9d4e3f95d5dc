//! The command line as a user meets it.

use crate::common::text;
use std::path::Path;
use std::process::{Command, Output};

fn ntk(home: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ntk"))
        .args(args)
        .env_remove("NTK_DATA_DIR")
        .env_remove("XDG_CACHE_HOME")
        .env("HOME", home)
        .current_dir(home)
        .output()
        .unwrap()
}

#[test]
fn help_is_a_manual() {
    let home = tempfile::tempdir().unwrap();
    let output = ntk(home.path(), &["--help"]);
    assert!(output.status.success());
    let help = text(&output.stdout);
    for word in [
        "ntk kernel",
        "ntk ntk",
        "ntk predict",
        "ntk fit",
        "ntk entropy",
        "completions",
        "man",
        "NTK_DATA_DIR",
        "EXIT CODE",
        "EXAMPLES",
        "--threads",
    ] {
        assert!(help.contains(word), "no {word} in the help");
    }
    // Those of a checkout are not here.
    for word in ["cargo", "xtask", "--backend"] {
        assert!(!help.contains(word), "{word} in the help");
    }
}

#[test]
fn the_version_says_revision_and_backend() {
    let home = tempfile::tempdir().unwrap();
    let output = ntk(home.path(), &["--version"]);
    let version = text(&output.stdout);
    let start = format!("ntk {} (", env!("CARGO_PKG_VERSION"));
    assert!(version.starts_with(&start), "{version}");
    let backend = ntk_linalg::Backend::default().name();
    assert!(version.contains(&format!(", {backend}")), "{version}");
}

#[test]
fn shells_complete_commands_and_flags() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = ntk(home.path(), &["completions", shell]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let script = text(&output.stdout);
        for word in ["kernel", "predict", "k-dd", "fit", "learn"] {
            assert!(script.contains(word), "no {word} for {shell}");
        }
    }
}

#[test]
fn every_command_has_a_page_of_the_manual() {
    let home = tempfile::tempdir().unwrap();
    let output = ntk(home.path(), &["man", "share/man1"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let page = |name: &str| std::fs::read_to_string(home.path().join("share/man1").join(name));
    assert!(page("ntk.1").unwrap().contains("EXIT CODE"));
    for command in [
        "kernel",
        "ntk",
        "predict",
        "fit",
        "entropy",
        "large",
        "distributed",
        "data",
    ] {
        let page = page(&format!("ntk-{command}.1")).unwrap();
        assert!(page.contains(".SH OPTIONS"), "{command}: {page}");
    }
}

#[test]
fn mistakes_are_told_in_one_line_with_the_remedy() {
    let home = tempfile::tempdir().unwrap();
    for (args, code, words) in [
        (vec!["kernel", "--nett"], 2, vec!["--nett", "--net"]),
        (vec!["data", "list", "--threads", "0"], 2, vec!["0"]),
        (vec!["reproduce"], 2, vec!["reproduce"]),
        (
            vec!["data", "fetch", "emnist"],
            1,
            vec!["emnist", "fashion-mnist"],
        ),
        (
            vec!["data", "fetch", "mnist", "--offline"],
            1,
            vec!["mnist"],
        ),
    ] {
        let output = ntk(home.path(), &args);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
        for word in words {
            assert!(
                error.contains(word),
                "{args:?} says nothing of {word}: {error}"
            );
        }
        let told = error
            .lines()
            .filter(|line| line.starts_with("error: "))
            .count();
        assert_eq!(told, 1, "{args:?}: {error}");
        assert!(!error.contains("panicked"), "{error}");
    }
}

#[test]
fn data_list_knows_every_set() {
    let home = tempfile::tempdir().unwrap();
    let output = ntk(home.path(), &["data", "list", "--offline", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let json = text(&output.stdout);
    for (name, from) in [
        ("mnist", "nowhere"),
        ("fashion-mnist", "embedded"),
        ("cifar-10", "nowhere"),
    ] {
        assert!(
            json.contains(&format!("\"{name}\"")) && json.contains(from),
            "{json}"
        );
    }
}

/// A reader that has seen enough ends no program with a panic, and no work.
#[cfg(unix)]
#[test]
fn nobody_has_to_read() {
    use std::process::Stdio;
    let home = tempfile::tempdir().unwrap();
    for args in [
        &["data", "list", "--offline"][..],
        &["data", "list", "--offline", "--json"],
        &["completions", "bash"],
        &["data", "fetch", "emnist"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        let (errors, complaints) = std::io::pipe().unwrap();
        drop((reader, errors));
        let status = Command::new(env!("CARGO_BIN_EXE_ntk"))
            .args(args)
            .env("HOME", home.path())
            .stdout(Stdio::from(writer))
            .stderr(Stdio::from(complaints))
            .status()
            .unwrap();
        let expected = i32::from(args.contains(&"emnist"));
        assert_eq!(status.code(), Some(expected), "{args:?}");
    }
}

/// What stands in for data is told in any case.
#[test]
fn quiet_hides_no_stand_in() {
    let home = tempfile::tempdir().unwrap();
    let arguments = [
        "large",
        "mnist-ntk",
        "--train",
        "20",
        "--test",
        "5",
        "--offline",
        "--quiet",
    ];
    let output = ntk(home.path(), &arguments);
    let error = text(&output.stderr);
    assert!(output.status.success(), "{error}");
    assert!(
        error.contains("embedded sample of fashion-mnist") && error.contains("in place of mnist"),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn a_folder_that_was_named_has_data() {
    let home = tempfile::tempdir().unwrap();
    let empty = home.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    for (folder, word) in [("none", "is no folder"), ("empty", "holds no file")] {
        let output = ntk(home.path(), &["data", "verify", "--data-dir", folder]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        for word in [word, folder, "--data-dir"] {
            assert!(error.contains(word), "{error}");
        }
    }
    // Nothing was named, nothing is missing.
    let output = ntk(home.path(), &["data", "verify"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn values_that_are_negative_are_values() {
    let home = tempfile::tempdir().unwrap();
    for flag in ["--diag-reg", "--tolerance"] {
        let output = ntk(home.path(), &["large", "mnist-ntk", flag, "-1"]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(&format!("{flag} is -1")), "{error}");
    }
}
