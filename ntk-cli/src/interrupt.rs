//! Ctrl-C: no folder is left half-written. What writes a file whole needs no help.

use crate::Failure;
use crate::files::make_folder;
use crate::progress::tell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
#[cfg(feature = "mpi")]
use std::sync::atomic::AtomicU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The exit code of a program that SIGINT ended, by the shells' convention 128 + 2.
const INTERRUPTED: i32 = 130;

/// The number of times to try to remove a folder that another thread still writes to.
const RETRIES: usize = 20;

/// The folders being filled, not in place yet.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says whether another process tells of the program's end.
static SILENT: AtomicBool = AtomicBool::new(false);

/// Keeps a rank of a job silent: rank 0 alone says that it ends.
#[cfg(feature = "mpi")]
pub(crate) fn silence() {
    SILENT.store(true, Ordering::Relaxed);
}

/// The process whose job this one waits for; 0 for none.
#[cfg(feature = "mpi")]
static JOB: AtomicU32 = AtomicU32::new(0);

/// This flag tells whether a signal came while a job ran.
#[cfg(feature = "mpi")]
static INTERRUPTED_JOB: AtomicBool = AtomicBool::new(false);

/// Has a signal end the process `job`, which is waited for, and tells of its end itself.
#[cfg(feature = "mpi")]
pub(crate) fn pass_on_to(job: u32) {
    JOB.store(job, Ordering::SeqCst);
}

/// Says whether a signal came for the job.
#[cfg(feature = "mpi")]
pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED_JOB.load(Ordering::SeqCst)
}

/// Passes a signal on where there is a job; the thread that waits for it ends this process.
#[cfg(feature = "mpi")]
fn passed_on() -> bool {
    let job = JOB.load(Ordering::SeqCst);
    let Some(job) = libc::pid_t::try_from(job).ok().filter(|job| *job > 0) else {
        return false;
    };
    INTERRUPTED_JOB.store(true, Ordering::SeqCst);
    // SAFETY: takes no pointer; the process is a child that was not waited for yet, or is gone.
    unsafe { libc::kill(job, libc::SIGTERM) };
    true
}

#[cfg(not(feature = "mpi"))]
fn passed_on() -> bool {
    false
}

/// Has Ctrl-C (and SIGTERM) from here on remove what is unfinished and end the process.
pub fn install() -> Result<(), Failure> {
    ctrlc::set_handler(|| {
        if passed_on() {
            return;
        }
        // Locked until the process has ended, so nothing new is begun.
        let folders = unfinished();
        for folder in folders.iter() {
            // Again where a figure was added to the folder while it was being emptied.
            let _ = (0..RETRIES).any(|_| std::fs::remove_dir_all(folder).is_ok());
        }
        if !SILENT.load(Ordering::Relaxed) {
            tell("\ninterrupted: nothing half-written is in its place; run the same command again");
        }
        end()
    })?;
    Ok(())
}

/// Ends the process at once.
///
/// It does without `std::process::exit`, which runs libraries' clean-up, and OpenBLAS's fails where its
/// threads are in the middle of a computation.
#[cfg(unix)]
pub(crate) fn end() -> ! {
    // SAFETY: takes no pointer and returns never; files are on disk already.
    unsafe { libc::_exit(INTERRUPTED) }
}

#[cfg(not(unix))]
pub(crate) fn end() -> ! {
    std::process::exit(INTERRUPTED)
}

/// A `Staging` is a folder that is filled beside its place and takes it when complete.
///
/// It is removed where it is dropped before that, or interrupted.
pub struct Staging {
    folder: PathBuf,
    place: PathBuf,
}

/// Checks that a run may take a place: there is nothing yet, or a folder with what a run writes.
///
/// # Errors
/// It fails where there is no folder, or one that holds anything but `results.json` and figures.
pub fn check_place(place: &Path) -> Result<(), Failure> {
    let Ok(there) = std::fs::symlink_metadata(place) else {
        return Ok(());
    };
    let shown = place.display();
    if !there.is_dir() {
        return Err(format!(
            "{shown} is there and no folder; move it away, or choose another --out"
        )
        .into());
    }
    for entry in std::fs::read_dir(place)?.flatten() {
        let name = entry.file_name();
        let ending = Path::new(&name).extension().unwrap_or_default();
        let figure = ["svg", "png", "csv"].iter().any(|kind| ending == *kind);
        if name != "results.json" && !figure {
            return Err(format!(
                "{shown} holds {}, which no run wrote, and would be replaced; move it away, or choose \
                 another --out",
                name.display()
            )
            .into());
        }
    }
    Ok(())
}

impl Staging {
    /// Makes an empty folder beside `place`.
    ///
    /// # Errors
    /// It fails as [`check_place`] does, and where the folder cannot be made.
    pub fn beside(place: &Path) -> Result<Self, Failure> {
        check_place(place)?;
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

    /// Returns the folder to fill.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts the folder in its place; what was there before is gone.
    pub fn finish(self) -> Result<(), Failure> {
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
            std::fs::write(staging.folder().join("results.json"), text).unwrap();
            staging.finish().unwrap();
            assert_eq!(
                std::fs::read_to_string(place.join("results.json")).unwrap(),
                text
            );
        }
        drop(Staging::beside(&place).unwrap());
        assert_eq!(
            std::fs::read_to_string(place.join("results.json")).unwrap(),
            "two"
        );
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_no_run_wrote_is_not_replaced() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("experiment");
        assert!(check_place(&place).is_ok());
        std::fs::create_dir(&place).unwrap();
        for name in ["results.json", "a.svg", "a.png", "a-1.csv"] {
            std::fs::write(place.join(name), "").unwrap();
        }
        assert!(check_place(&place).is_ok());
        std::fs::write(place.join("thesis.txt"), "mine").unwrap();
        let error = Staging::beside(&place).err().unwrap().to_string();
        assert!(
            error.contains("thesis.txt") && error.contains("--out"),
            "{error}"
        );
        let file = place.join("thesis.txt");
        assert!(
            check_place(&file)
                .unwrap_err()
                .to_string()
                .contains("no folder")
        );
        assert_eq!(std::fs::read_to_string(file).unwrap(), "mine");
    }
}
