//! The writing of files, whole or not at all, and of answers on standard output.

use crate::Failure;
use crate::cli::Common;
use atomic_write_file::AtomicWriteFile;
use serde_json::Value as Json;
use std::fs::{self, FileType};
use std::io::{self, Write};
use std::path::Path;

/// Tells before the work that its result could not be written.
pub(crate) fn check_writable(path: &Path, flag: &str) -> Result<(), Failure> {
    match other_than_file(path) {
        Some(what) => {
            let of_it = if path.is_dir() { " in it" } else { "" };
            let path = path.display();
            Err(format!("{path} is a {what}, not a file; name a file{of_it} by {flag}").into())
        }
        // A file that is given up at once, and so leaves what is there.
        None => begin(path)
            .map(drop)
            .map_err(|e| unwritable(path, flag, &e)),
    }
}

/// Writes `bytes` to `path` in the place of a file that is there, whole or not at all.
///
/// The folder must exist. Where `path` is a link, the file that it names is written.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = begin(path)?;
    file.write_all(bytes)?;
    file.commit()
}

/// Begins a file as [`write`] does, for what is written in parts: it is at `path` once committed.
pub(crate) fn begin(path: &Path) -> io::Result<AtomicWriteFile> {
    if let Some(what) = other_than_file(path) {
        let why = format!("it is a {what}, not a file");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    if path.is_symlink() {
        return AtomicWriteFile::open(fs::canonicalize(path)?);
    }
    AtomicWriteFile::open(path)
}

/// Names what is at `path`, unless it is a file or nothing: a file put there would take its place.
fn other_than_file(path: &Path) -> Option<&'static str> {
    let there = fs::metadata(path).ok()?.file_type();
    match there.is_file() {
        true => None,
        false if there.is_dir() => Some("folder"),
        false => Some(special(there)),
    }
}

#[cfg(unix)]
fn special(there: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if there.is_fifo() {
        "pipe"
    } else if there.is_socket() {
        "socket"
    } else {
        "device"
    }
}

#[cfg(not(unix))]
fn special(_: FileType) -> &'static str {
    "device"
}

pub(crate) fn unwritable(path: &Path, flag: &str, error: &io::Error) -> Failure {
    format!(
        "cannot write {}: {error}; choose another {flag}",
        path.display()
    )
    .into()
}

/// Makes the folder that `flag` names, and those above it.
pub fn make_folder(path: &Path, flag: &str) -> Result<(), Failure> {
    fs::create_dir_all(path)
        .map_err(|e| format!("cannot make {}: {e}; choose another {flag}", path.display()).into())
}

pub(crate) fn show(common: &Common, answer: &Json, line: &str) -> Result<(), Failure> {
    if common.json {
        tell(&serde_json::to_string_pretty(answer)?)?;
    } else if !common.quiet {
        tell(line)?;
    }
    Ok(())
}

/// Writes an answer to standard output, and a new line; a reader that has gone has read enough.
///
/// # Errors
/// It fails with any other error of writing.
pub fn tell(answer: &str) -> io::Result<()> {
    match writeln!(io::stdout(), "{answer}") {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        told => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_and_one_that_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.json");
        check_writable(&path, "--out").unwrap();
        assert!(names(folder.path()).is_empty());
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        begin(&path).unwrap().write_all(b"half").unwrap();
        check_writable(&path, "--out").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["results.json"]);
        assert!(write(&folder.path().join("none/a"), b"").is_err());
        assert!(write(Path::new("/"), b"").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_its_file_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "old").unwrap();
        let mode = || fs::metadata(at("file")).unwrap().permissions();
        let before = mode();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        std::os::unix::fs::symlink("none", at("loose")).unwrap();
        write(&at("link"), b"new").unwrap();
        assert_eq!(fs::read(at("file")).unwrap(), b"new");
        assert_eq!(mode(), before);
        assert!(write(&at("loose"), b"").is_err());
        assert!(check_writable(&at("loose"), "--out").is_err());
        assert_eq!(names(folder.path()), ["file", "link", "loose"]);
        assert!(at("link").is_symlink());
    }

    /// A socket, as a test that fails must not cost the machine its `/dev/null`.
    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let refusal = check_writable(&path, "--out").unwrap_err().to_string();
        assert!(
            refusal.ends_with("is a socket, not a file; name a file by --out"),
            "{refusal}"
        );
        for path in [path.as_path(), folder.path()] {
            let error = write(path, b"").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
        assert_eq!(names(folder.path()), ["socket"]);
        assert_eq!(other_than_file(Path::new("/dev/null")), Some("device"));
    }
}
