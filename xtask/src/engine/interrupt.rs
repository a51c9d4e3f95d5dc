//! Ctrl-C: nothing half-written is left behind, but for tiles that a store removes when it is next
//! written to.

use super::files::make_folder;
use crate::Failure;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The exit code of a program that SIGINT ended, by the shells' convention 128 + 2.
const INTERRUPTED: i32 = 130;

/// How often to try to remove a folder that another thread still writes to.
const RETRIES: usize = 20;

/// Folders being filled, not in place yet.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether another process says that the program ends.
static SILENT: AtomicBool = AtomicBool::new(false);

/// For a rank of a job: rank 0 alone says that it ends.
#[cfg(feature = "mpi")]
pub(super) fn silence() {
    SILENT.store(true, Ordering::Relaxed);
}

/// From here on Ctrl-C (and SIGTERM) removes what is unfinished and ends the process.
#[expect(clippy::print_stderr, reason = "says why the program ends")]
pub(super) fn install() -> Result<(), Failure> {
    ctrlc::set_handler(|| {
        // Both locks are held until the process has ended, so nothing new is begun.
        let _files = ntk_data::atomic::remove_unfinished();
        let folders = unfinished();
        for folder in folders.iter() {
            // Again where a figure was added to the folder while it was being emptied.
            let _ = (0..RETRIES).any(|_| std::fs::remove_dir_all(folder).is_ok());
        }
        if !SILENT.load(Ordering::Relaxed) {
            eprintln!(
                "\ninterrupted: nothing half-written is in its place; run the same command again"
            );
        }
        end()
    })?;
    Ok(())
}

/// Ends the process at once.
///
/// Not by `std::process::exit`: that runs libraries' clean-up, and OpenBLAS's fails where its
/// threads are in the middle of a computation.
#[cfg(unix)]
fn end() -> ! {
    // SAFETY: takes no pointer and returns never; files are on disk already.
    unsafe { libc::_exit(INTERRUPTED) }
}

#[cfg(not(unix))]
fn end() -> ! {
    std::process::exit(INTERRUPTED)
}

/// A folder that is filled beside its place and takes it when complete.
///
/// Dropped before that, or interrupted, it is removed.
pub(crate) struct Staging {
    folder: PathBuf,
    place: PathBuf,
}

impl Staging {
    /// An empty folder beside `place`.
    pub(crate) fn beside(place: &Path) -> Result<Self, Failure> {
        let name = place
            .file_name()
            .ok_or("the output folder has no name")?
            .to_string_lossy();
        let folder = place.with_file_name(format!(".{name}.{}.unfinished", std::process::id()));
        let mut set = unfinished();
        make_folder(&folder, "--out")?;
        set.insert(folder.clone());
        drop(set);
        Ok(Self {
            folder,
            place: place.to_path_buf(),
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts the folder in its place; what was there before is gone.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let mut set = unfinished();
        let old = self.folder.with_extension("old");
        let had_old = match std::fs::rename(&self.place, &old) {
            Ok(()) => true,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => false,
            Err(e) => return Err(format!("cannot replace {}: {e}", self.place.display()).into()),
        };
        if let Err(e) = std::fs::rename(&self.folder, &self.place) {
            if had_old {
                let _ = std::fs::rename(&old, &self.place);
            }
            return Err(format!("cannot make {}: {e}", self.place.display()).into());
        }
        if had_old {
            std::fs::remove_dir_all(&old)?;
        }
        set.remove(&self.folder);
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if unfinished().remove(&self.folder) {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("experiment");
        for text in ["one", "two"] {
            let staging = Staging::beside(&place).unwrap();
            std::fs::write(staging.folder().join("a"), text).unwrap();
            staging.finish().unwrap();
            assert_eq!(std::fs::read_to_string(place.join("a")).unwrap(), text);
        }
        drop(Staging::beside(&place).unwrap());
        assert_eq!(std::fs::read_to_string(place.join("a")).unwrap(), "two");
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
