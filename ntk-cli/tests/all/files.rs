//! The files of every command: what may be replaced, and what becomes of full disks and closed pipes.

use crate::common::{Folder, text};
use ndarray::{Array2, array};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::process::{Command, Output, Stdio};

/// A command, its files by their flags, and its other arguments.
type Arguments = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

/// Of every command that writes a file: the inputs by their flags, and the flag of what is written.
const COMMANDS: [Arguments; 5] = [
    (
        "kernel",
        &[("--net", "net.json"), ("--x1", "x.npy"), ("--x2", "x2.npy")],
        &["--out"],
    ),
    (
        "ntk",
        &[
            ("--net", "net.json"),
            ("--weights", "w.safetensors"),
            ("--x1", "x.npy"),
            ("--x2", "x2.npy"),
        ],
        &["--out", "--save-weights"],
    ),
    (
        "predict",
        &[
            ("--k-dd", "kdd.npy"),
            ("--y", "y.npy"),
            ("--k-td", "ktd.npy"),
            ("--f0", "f0.npy"),
            ("--f0-test", "f0_test.npy"),
        ],
        &["--out"],
    ),
    (
        "predict",
        &[
            ("--fitted", "f.json"),
            ("--x", "x.npy"),
            ("--y", "y.npy"),
            ("--x-test", "x2.npy"),
            ("--y-test", "t.npy"),
        ],
        &["--out"],
    ),
    (
        "fit",
        &[("--net", "net.json"), ("--x", "x.npy"), ("--y", "y.npy")],
        &["--out"],
    ),
];

/// Everything that [`COMMANDS`] read.
fn folder(command: &'static str) -> Folder {
    let folder = Folder::new(command);
    folder.write(
        "net.json",
        r#"{"layers": [{"dense": {"width": 5}}, "relu", {"dense": {"width": 1}}]}"#,
    );
    folder.save("x.npy", &array![[1.0, 0.5], [-0.3, 1.0]]);
    folder.save("x2.npy", &array![[0.2, -1.0]]);
    folder.save("kdd.npy", &array![[2.0, 1.0], [1.0, 2.0]]);
    folder.save("y.npy", &array![[1.0], [-1.0]]);
    folder.save("ktd.npy", &array![[0.5, 0.5]]);
    folder.save("f0.npy", &array![[0.1], [0.2]]);
    folder.save("f0_test.npy", &array![[0.3]]);
    folder.save("t.npy", &array![[0.7]]);
    let draw = Folder::new("ntk");
    for name in ["net.json", "x.npy"] {
        draw.write(name, folder.read(name));
    }
    let drawn = draw.run(&[
        "--net",
        "net.json",
        "--x1",
        "x.npy",
        "--out",
        "k.npz",
        "--save-weights",
        "w",
    ]);
    assert!(drawn.status.success(), "{}", text(&drawn.stderr));
    folder.write("w.safetensors", draw.read("w"));
    let fit = Folder::new("fit");
    for name in ["net.json", "x.npy", "y.npy"] {
        fit.write(name, folder.read(name));
    }
    let fitted = fit.run(&FIT);
    assert!(fitted.status.success(), "{}", text(&fitted.stderr));
    folder.write("f.json", fit.read("f.json"));
    folder
}

const FIT: [&str; 10] = [
    "--net", "net.json", "--x", "x.npy", "--y", "y.npy", "--learn", "noise", "--out", "f.json",
];

/// Runs the command with all its inputs, and each of its outputs a new file but one.
fn run(
    folder: &Folder,
    (name, inputs, outputs): (&str, &[(&str, &str)], &[&str]),
    (flag, path): (&str, &OsStr),
    more: &[&str],
) -> Output {
    let mut command = folder.command(&[]);
    inputs.iter().for_each(|(flag, name)| {
        command.args([flag, name]);
    });
    if name == "fit" {
        command.args(["--learn", "noise"]);
    }
    for output in outputs {
        command.arg(output);
        command.arg(if *output == flag {
            path
        } else {
            OsStr::new("new")
        });
    }
    command.args(more).output().unwrap()
}

#[test]
fn no_output_takes_the_place_of_an_input_or_of_what_is_no_file() {
    for of in COMMANDS {
        let folder = folder(of.0);
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("folder")).unwrap();
        let made = Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(made.success());
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        let mut refusals = vec![
            ("folder".to_string(), "is a folder"),
            ("pipe".into(), "is a pipe"),
            ("socket".into(), "is a socket"),
            ("-".into(), "standard output"),
        ];
        for (i, (flag, name)) in of.1.iter().enumerate() {
            let (link, hard) = (format!("link{i}"), format!("hard{i}"));
            symlink(name, at(&link)).unwrap();
            fs::hard_link(at(name), at(&hard)).unwrap();
            let other = format!("folder/../{name}");
            refusals.extend([(*name).into(), link, hard, other].map(|name| (name, *flag)));
        }
        let before: Vec<_> = of.1.iter().map(|(_, name)| folder.read(name)).collect();
        let names = folder.names();
        for flag in of.2 {
            for (path, word) in &refusals {
                let output = run(&folder, of, (flag, OsStr::new(path)), &[]);
                folder.assert_refused(&output, 1, &[word, flag], &names);
            }
        }
        let after: Vec<_> = of.1.iter().map(|(_, name)| folder.read(name)).collect();
        assert_eq!(before, after);
        assert!(fs::metadata(at("pipe")).unwrap().file_type().is_fifo());
    }
}

#[test]
fn links_modes_and_names_that_are_no_text_are_kept() {
    for of in COMMANDS {
        let folder = folder(of.0);
        let at = |name: &str| folder.path().join(name);
        for flag in of.2 {
            let (private, target) = (at("private"), at("target"));
            fs::write(&private, "old").unwrap();
            fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
            let _ = fs::remove_file(&target);
            let _ = fs::remove_file(at("link"));
            symlink("target", at("link")).unwrap();
            let bytes = OsStr::from_bytes(b"k\xff");
            for path in [OsStr::new("private"), OsStr::new("link"), bytes] {
                let output = run(&folder, of, (flag, path), &[]);
                assert!(output.status.success(), "{}", text(&output.stderr));
            }
            assert_eq!(
                fs::metadata(&private).unwrap().permissions().mode() & 0o777,
                0o600
            );
            assert!(at("link").is_symlink());
            let written = fs::read(&target).unwrap();
            assert!(written.len() > 100);
            assert_eq!(written, fs::read(&private).unwrap());
            assert_eq!(written, fs::read(folder.path().join(bytes)).unwrap());

            fs::set_permissions(&private, fs::Permissions::from_mode(0o444)).unwrap();
            fs::write(at("new"), "").unwrap();
            let names = folder.names();
            let output = run(&folder, of, (flag, OsStr::new("private")), &[]);
            folder.assert_refused(&output, 1, &["private", "--force", flag], &names);
            let output = run(&folder, of, (flag, OsStr::new("private")), &["--force"]);
            assert!(output.status.success(), "{}", text(&output.stderr));
            fs::set_permissions(&private, fs::Permissions::from_mode(0o644)).unwrap();
        }
    }
}

#[test]
fn two_outputs_are_two_files() {
    let folder = folder("ntk");
    fs::create_dir(folder.path().join("sub")).unwrap();
    symlink("loose", folder.path().join("link")).unwrap();
    let names = folder.names();
    for [out, weights] in [
        ["k", "k"],
        ["k", "sub/../k"],
        ["./k", "k"],
        ["link", "loose"],
    ] {
        let output = folder.run(&[
            "--net",
            "net.json",
            "--x1",
            "x.npy",
            "--out",
            out,
            "--save-weights",
            weights,
        ]);
        folder.assert_refused(
            &output,
            1,
            &["both name", "--out", "--save-weights"],
            &names,
        );
    }
}

/// Runs the command in a shell that lets no file grow beyond 4 KiB, as on a full disk.
fn on_a_full_disk(folder: &Folder, arguments: &str) -> Output {
    let program = env!("CARGO_BIN_EXE_ntk");
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; eval \"$0 $1\""])
        .args([program, arguments])
        .current_dir(folder.path())
        .output()
        .unwrap()
}

#[test]
fn a_full_disk_is_told_in_one_line_and_leaves_nothing() {
    let folder = folder("ntk");
    let many = Array2::from_shape_fn((60, 2), |(i, j)| ((7 * i + 3 * j) % 31) as f64 - 15.0);
    folder.save("x.npy", &many);
    folder.save("kdd.npy", &Array2::<f64>::eye(60));
    folder.save("y.npy", &many);
    folder.write("k.npz", "what was there before");
    let names = folder.names();
    for arguments in [
        "kernel --net net.json --x1 x.npy --out k.npz",
        "ntk --net net.json --x1 x.npy --out k.npz --save-weights drawn",
        "predict --k-dd kdd.npy --y y.npy --t 1,2,3,4,5,6,7,8 --out k.npz",
    ] {
        let output = on_a_full_disk(&folder, arguments);
        folder.assert_refused(&output, 1, &["cannot write k.npz", "--out"], &names);
        assert_eq!(folder.read("k.npz"), b"what was there before");
    }
}

/// What follows a closed pipe is silence, what follows a full disk one line, and no panic.
#[test]
fn standard_output_may_be_closed_or_full() {
    let folder = folder("kernel");
    let empty = folder.path().to_str().unwrap();
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["kernel", "--help"],
        &["data", "list", "--offline"],
        &["data", "list", "--offline", "--json"],
        &["completions", "bash"],
        &["man", "pages"],
        &["entropy", "--kernel", "kdd.npy"],
        &["entropy", "--kernel", "kdd.npy", "--json"],
        &["kernel", "--net", "net.json", "--x1", "x.npy", "--out", "k"],
        &[
            "ntk", "--net", "net.json", "--x1", "x.npy", "--out", "k", "--json",
        ],
        &["predict", "--k-dd", "kdd.npy", "--y", "y.npy", "--out", "k"],
        &[
            "predict", "--fitted", "f.json", "--x", "x.npy", "--y", "y.npy", "--out", "k",
        ],
        &[&["fit"], &FIT[..9], &["k"]].concat(),
        &[
            "kernel", "--net", "net.json", "--x1", "x.npy", "--store", "s",
        ],
        &[
            "large",
            "mnist-ntk",
            "--train",
            "20",
            "--test",
            "5",
            "--offline",
            "--json",
        ],
    ] {
        let command = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_ntk"));
            command.args(arguments).current_dir(folder.path());
            command.env_remove("NTK_DATA_DIR").env("HOME", empty);
            command
        };
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let closed = command().stdout(writer).output().unwrap();
        assert!(
            closed.status.success(),
            "{arguments:?}: {}",
            text(&closed.stderr)
        );
        if cfg!(target_os = "linux") {
            let full = || {
                fs::OpenOptions::new()
                    .write(true)
                    .open("/dev/full")
                    .unwrap()
            };
            let output = command().stdout(full()).output().unwrap();
            let error = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
            let told: Vec<_> = error.lines().filter(|l| l.starts_with("error: ")).collect();
            assert_eq!(told.len(), 1, "{arguments:?}: {error}");
            assert!(
                told[0].contains("cannot write to standard output"),
                "{error}"
            );
            // Nobody hears of it, and it is an error nevertheless.
            let mute = command().stdout(full()).stderr(full()).status().unwrap();
            assert_eq!(mute.code(), Some(1), "{arguments:?}");
            let mute = command()
                .stdout(Stdio::null())
                .stderr(full())
                .status()
                .unwrap();
            assert_eq!(mute.code(), Some(0), "{arguments:?}");
        }
    }
}

/// Names are whatever others chose.
#[test]
fn names_cannot_write_to_the_terminal() {
    let folder = folder("kernel");
    let name = "a\u{1b}[2J\nb.npy";
    folder.write(name, "no array");
    let names = folder.names();
    let output = folder.run(&["--net", "net.json", "--x1", name, "--out", "k"]);
    folder.assert_refused(&output, 1, &[r"a\u{1b}[2J\nb.npy"], &names);
    folder.write(
        "odd.json",
        "{\"layers\": [\"de\u{202e}nse\", \"a\\u001b[31m\"]}",
    );
    let names = folder.names();
    let output = folder.run(&["--net", "odd.json", "--x1", "x.npy", "--out", "k"]);
    folder.assert_refused(&output, 1, &["odd.json"], &names);
    assert!(!text(&output.stderr).contains(['\u{1b}', '\u{202e}']));
    // Nor in what is said of a success.
    let out = "k\u{1b}[2J";
    let output = folder.run(&["--net", "net.json", "--x1", "x.npy", "--out", out]);
    assert!(output.status.success());
    assert!(
        !text(&output.stdout).contains('\u{1b}'),
        "{}",
        text(&output.stdout)
    );
}

/// Of two that write one file, one wins whole, and the other says so.
#[test]
fn a_file_that_another_process_wrote_meanwhile_stays() {
    let folder = folder("kernel");
    let deep = vec![r#""dense", "relu""#; 60].join(", ");
    folder.write("deep.json", format!(r#"{{"layers": [{deep}, "dense"]}}"#));
    let many = Array2::from_shape_fn((1500, 4), |(i, j)| ((7 * i + 3 * j) % 31) as f64 - 15.0);
    folder.save("many.npy", &many);
    let slow = || {
        let arguments = ["--net", "deep.json", "--x1", "many.npy", "--out", "k.npz"];
        let mut command = folder.command(&arguments);
        command
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let is_told = |output: &Output| {
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("another process wrote it"), "{error}");
    };
    let first = slow();
    std::thread::sleep(std::time::Duration::from_millis(100));
    let fast = folder.run(&["--net", "net.json", "--x1", "x.npy", "--out", "k.npz"]);
    assert!(fast.status.success(), "{}", text(&fast.stderr));
    let won = folder.read("k.npz");
    is_told(&first.wait_with_output().unwrap());
    assert_eq!(folder.read("k.npz"), won);

    // Alike, and at once.
    let both = [slow(), slow()].map(|child| child.wait_with_output().unwrap());
    let (won, lost): (Vec<_>, Vec<_>) = both.into_iter().partition(|o| o.status.success());
    assert_eq!((won.len(), lost.len()), (1, 1));
    is_told(&lost[0]);
    let ntk: Array2<f64> = folder.load("k.npz", "ntk").unwrap();
    assert_eq!(ntk.dim(), (1500, 1500));
    assert_eq!(
        folder
            .names()
            .iter()
            .filter(|name| name.contains("k.npz"))
            .count(),
        1
    );
}

/// A store has one writer.
#[test]
fn a_store_that_another_process_fills_is_left_to_it() {
    let folder = folder("kernel");
    let deep = vec![r#""dense", "relu""#; 60].join(", ");
    folder.write("deep.json", format!(r#"{{"layers": [{deep}, "dense"]}}"#));
    let many = Array2::from_shape_fn((1500, 4), |(i, j)| ((7 * i + 3 * j) % 31) as f64 - 15.0);
    folder.save("many.npy", &many);
    let arguments = [
        "--net",
        "deep.json",
        "--x1",
        "many.npy",
        "--store",
        "s",
        "--tile",
        "100",
    ];
    let mut first = folder
        .command(&arguments)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while !folder.path().join("s/zarr.json").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let second = folder.run(&arguments);
    let error = text(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{error}");
    assert!(error.contains("another process fills s"), "{error}");
    assert!(first.wait().unwrap().success());
    assert!(folder.run(&arguments).status.success());
}

#[test]
fn a_store_is_a_folder() {
    let folder = folder("kernel");
    folder.write("file", "mine");
    let names = folder.names();
    for more in [&[][..], &["--dry-run"]] {
        let arguments = [
            &["--net", "net.json", "--x1", "x.npy", "--store", "file"],
            more,
        ]
        .concat();
        folder.assert_refused(
            &folder.run(&arguments),
            1,
            &["file is a file", "folder"],
            &names,
        );
    }
    assert_eq!(folder.read("file"), b"mine");
}
