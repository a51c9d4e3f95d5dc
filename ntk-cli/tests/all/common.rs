//! A folder that a command runs in, for the tests of the commands on `.npy` files.

use ndarray::{Array, Array2, Dimension};
use ndarray_npy::{NpzReader, ReadableElement, WritableElement, write_npy};
use serde_json::Value;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Output};

/// A folder of files, and the command to run in it.
pub(crate) struct Folder {
    folder: tempfile::TempDir,
    command: &'static str,
}

impl Folder {
    pub(crate) fn new(command: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, command }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).unwrap()
    }

    pub(crate) fn save<T: WritableElement, D: Dimension>(&self, name: &str, array: &Array<T, D>) {
        write_npy(self.path().join(name), array).unwrap();
    }

    pub(crate) fn load<T: ReadableElement>(&self, file: &str, name: &str) -> Option<Array2<T>> {
        self.load_of(file, name)
    }

    /// As `load`, with any number of axes.
    pub(crate) fn load_of<T: ReadableElement, D: Dimension>(
        &self,
        file: &str,
        name: &str,
    ) -> Option<Array<T, D>> {
        let mut npz = NpzReader::new(File::open(self.path().join(file)).unwrap()).unwrap();
        npz.by_name(name).ok()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ntk"));
        command
            .arg(self.command)
            .args(arguments)
            .current_dir(self.path());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The command failed with this code, said all these words in one error, and left the files
    /// that were there before.
    #[track_caller]
    pub(crate) fn assert_refused(
        &self,
        output: &Output,
        code: i32,
        words: &[&str],
        before: &[String],
    ) {
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{error}");
        for word in words {
            assert!(error.contains(word), "nothing of {word}: {error}");
        }
        let told = error.lines().filter(|l| l.starts_with("error: ")).count();
        assert_eq!(told, 1, "{error}");
        // A wrong command line is followed by its usage.
        if code == 1 {
            assert_eq!(error.lines().count(), 1, "{error}");
        }
        assert_eq!(self.names(), before, "{error}");
    }
}

#[track_caller]
pub(crate) fn assert_near(a: &Array2<f64>, b: &Array2<f64>, tolerance: f64) {
    assert_eq!(a.dim(), b.dim());
    let far = a
        .iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max);
    assert!(far <= tolerance, "{far:e}: {a} {b}");
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
pub(crate) fn assert_success(output: &Output) {
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// What a command that succeeded answered to --json.
#[track_caller]
pub(crate) fn json(output: &Output) -> Value {
    assert_success(output);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The only value of this name and solver.
pub(crate) fn value(answer: &Value, name: &str, solver: Option<&str>) -> f64 {
    let of = |v: &&Value| v["name"] == name && v["where"]["solver"].as_str() == solver;
    let values = answer["values"].as_array().unwrap();
    let found: Vec<_> = values.iter().filter(of).collect();
    assert_eq!(found.len(), 1, "{name}: {answer}");
    found[0]["value"].as_f64().unwrap()
}
