//! Files that are there whole or not at all.
//!
//! [`write()`] and [`write_with`] write a temporary file in the target's folder,
//! flush it to disk and rename it over the target. On any error the temporary
//! file is removed; a program that is about to end on a signal calls
//! [`remove_unfinished`] and exits while it holds what that returns.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Temporary files that exist, or are about to, and are not yet renamed.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    // The set is valid after every single operation, so a panic elsewhere does no harm.
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes `bytes` to `path`, replacing what is there, whole or not at all.
///
/// The folder must exist.
///
/// # Errors
/// Any error of creating, writing, flushing or renaming; the target is then as before.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// As [`write()`], with the content written by `fill`.
///
/// # Errors
/// Those of [`write()`] and those that `fill` returns.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let temporary = Temporary::beside(path)?;
    // Registered before it exists, so that no moment is left in which it could be missed.
    unfinished().insert(temporary.0.clone());
    let mut file = File::create_new(&temporary.0)?;
    fill(&mut file)?;
    file.sync_all()?;
    drop(file);
    let mut set = unfinished();
    fs::rename(&temporary.0, path)?;
    set.remove(&temporary.0);
    drop(set);
    sync_folder(path);
    Ok(())
}

/// Flushes the folder that holds `path`, so that a rename in it survives a power cut.
///
/// Best effort: not every system can.
pub(crate) fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
}

/// Proof that no unfinished file is left; while it lives, none can be begun.
#[derive(Debug)]
#[must_use = "exit while this is held, or a writer may begin anew"]
pub struct NoneUnfinished(
    #[expect(dead_code, reason = "held, not read")] MutexGuard<'static, BTreeSet<PathBuf>>,
);

/// Removes every temporary file in flight and stops writers at their next step.
///
/// For a handler that is about to end the process: other threads that write
/// through this module wait until the returned value is dropped.
pub fn remove_unfinished() -> NoneUnfinished {
    let mut set = unfinished();
    for path in std::mem::take(&mut *set) {
        let _ = fs::remove_file(path);
    }
    NoneUnfinished(set)
}

/// A temporary file's path; dropping it removes file and registration, if they are still there.
struct Temporary(PathBuf);

impl Temporary {
    fn beside(path: &Path) -> io::Result<Self> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let name = path.file_name().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} names no file", path.display()),
            )
        })?;
        let mut hidden = OsString::from(".");
        hidden.push(name);
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        hidden.push(format!(".{}-{count}.tmp", std::process::id()));
        Ok(Self(path.with_file_name(hidden)))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if unfinished().remove(&self.0) {
            let _ = fs::remove_file(&self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.json");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["results.json"]);
    }

    #[test]
    fn an_error_leaves_the_old_file_and_no_temporary() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, b"old").unwrap();
        let failed = write_with(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("disk on fire"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a"]);
        assert!(write(Path::new("/"), b"").is_err());
        assert!(write(&folder.path().join("missing/a"), b"").is_err());
    }
}
