//! The command line as a user meets it.

use std::path::Path;
use std::process::{Command, Output};

fn xtask(home: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(args)
        .env_remove("NTK_DATA_DIR")
        .env_remove("XDG_CACHE_HOME")
        .env("HOME", home)
        .current_dir(home)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_is_a_manual() {
    let home = tempfile::tempdir().unwrap();
    let output = xtask(home.path(), &["--help"]);
    assert!(output.status.success());
    let help = text(&output.stdout);
    for word in [
        "reproduce",
        "data",
        "cargo xtask kernel",
        "By ntk",
        "cargo install --path ntk-cli",
        "bench",
        "test",
        "NTK_DATA_DIR",
        "EXIT CODE",
        "EXAMPLES",
        "--threads",
    ] {
        assert!(help.contains(word), "no {word} in the help");
    }
}

#[test]
fn mistakes_are_told_in_one_line_with_the_remedy() {
    let home = tempfile::tempdir().unwrap();
    let empty = home.path().to_str().unwrap();
    for (args, code, words) in [
        (vec!["reproduce", "--qick"], 2, vec!["--qick", "--quick"]),
        (vec!["reproduce", "--threads", "0"], 2, vec!["0"]),
        (
            vec!["reproduce", "--quick", "--full"],
            2,
            vec!["--quick", "--full"],
        ),
        (
            vec!["reproduce", "shalow-relu"],
            1,
            vec!["shalow-relu", "shallow-relu"],
        ),
        (
            vec!["reproduce", "--data-dir", empty],
            1,
            vec!["train-images-idx3-ubyte", empty],
        ),
        (
            vec!["bench", "--peers", "gap22"],
            1,
            vec!["gap22", "gap21", "dense3-4096"],
        ),
        (vec!["bench", "gap21"], 2, vec!["--peers"]),
        (
            vec!["bench", "--peers", "--package", "ntk-linalg"],
            2,
            vec!["--peers", "--package"],
        ),
        (
            vec![
                "bench",
                "--peers",
                "--samples",
                "4",
                "--python",
                "nothing-here",
            ],
            1,
            vec!["nothing-here", "--python"],
        ),
        (
            vec!["sample", "--check", "--offline"],
            1,
            vec!["--data-dir"],
        ),
    ] {
        let output = xtask(home.path(), &args);
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
fn a_damaged_file_is_named_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("fashion-mnist");
    std::fs::create_dir(&folder).unwrap();
    for half in ["train", "t10k"] {
        for kind in ["images-idx3", "labels-idx1"] {
            std::fs::write(folder.join(format!("{half}-{kind}-ubyte")), b"not the data").unwrap();
        }
    }
    let home_name = home.path().to_str().unwrap();
    let output = xtask(
        home.path(),
        &["reproduce", "--data-dir", home_name, "--out", home_name],
    );
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("train-images-idx3-ubyte"), "{error}");
    let kept = std::fs::read(folder.join("train-images-idx3-ubyte")).unwrap();
    assert_eq!(kept, b"not the data");
}

/// Interrupted in the middle, the output folder holds what it held before.
#[cfg(unix)]
#[test]
fn ctrl_c_leaves_nothing_half_written() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    for wait in [0.3, 1.0, 2.5] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["reproduce", "shallow-relu", "--offline", "--out"])
            .arg(&out)
            .env_remove("NTK_DATA_DIR")
            .env("HOME", home.path())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_secs_f64(wait));
        let killed = Command::new("sh")
            .args(["-c", &format!("kill -INT {}", child.id())])
            .status()
            .unwrap();
        assert!(killed.success());
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let left: Vec<_> = std::fs::read_dir(&out)
            .map(|d| d.flatten().map(|e| e.path()).collect())
            .unwrap_or_default();
        assert!(left.is_empty(), "{left:?}");
    }
}
