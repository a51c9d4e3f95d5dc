//! The folder that experiments are written into: one run at a time, and nothing of a killed one.

use crate::Failure;
use crate::experiments;
use std::fs::{self, File, TryLockError};
use std::path::Path;

/// While it lives, no other run writes into the folder.
pub(super) struct OutFolder {
    #[expect(
        dead_code,
        reason = "held, not read; the system unlocks it in any case"
    )]
    lock: Option<File>,
}

impl OutFolder {
    /// Locks `out`, where the system can lock folders, and removes what a killed run left.
    pub(super) fn alone_in(out: &Path) -> Result<Self, Failure> {
        let lock = File::open(out).ok();
        let state = lock.as_ref().map(File::try_lock);
        if let Some(Err(TryLockError::WouldBlock)) = state {
            let out = out.display();
            return Err(format!(
                "another run is writing into {out}; wait for it, or choose another --out"
            )
            .into());
        }
        for entry in fs::read_dir(out)?.flatten() {
            let Some(name) = entry.file_name().to_str().map(String::from) else {
                continue;
            };
            match leftover(&name) {
                // A run that was killed between putting away the old and putting in the new.
                Some(Leftover::Old(experiment)) if !out.join(experiment).exists() => {
                    fs::rename(entry.path(), out.join(experiment))?;
                }
                Some(Leftover::Old(_) | Leftover::Unfinished) => fs::remove_dir_all(entry.path())?,
                Some(Leftover::Page) => fs::remove_file(entry.path())?,
                None => {}
            }
        }
        Ok(Self { lock })
    }
}

enum Leftover {
    Unfinished,
    Old(&'static str),
    Page,
}

/// What `.experiment.process.unfinished`, `.experiment.process.old` and
/// `.index.html.process-count.tmp` are; nothing else is ours.
fn leftover(name: &str) -> Option<Leftover> {
    let hidden = name.strip_prefix('.')?;
    if let Some(rest) = hidden.strip_prefix("index.html.") {
        let number = rest.strip_suffix(".tmp")?;
        let digits = |c: char| c.is_ascii_digit() || c == '-';
        return number.chars().all(digits).then_some(Leftover::Page);
    }
    let experiment = experiments::ALL.iter().map(|e| e.name()).find(|e| {
        hidden
            .strip_prefix(e)
            .is_some_and(|rest| rest.starts_with('.'))
    })?;
    let (process, what) = hidden[experiment.len() + 1..].split_once('.')?;
    match (process.chars().all(|c| c.is_ascii_digit()), what) {
        (true, "unfinished") => Some(Leftover::Unfinished),
        (true, "old") => Some(Leftover::Old(experiment)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_is_cleared_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path();
        for folder in [
            "jamming",
            ".jamming.12.old",
            ".shallow-relu.12.old",
            ".shallow-relu.12.unfinished",
            ".mine.12.old",
            ".jamming.x.old",
        ] {
            fs::create_dir(out.join(folder)).unwrap();
            fs::write(out.join(folder).join("from"), folder).unwrap();
        }
        for file in [".index.html.12-0.tmp", ".index.html.tmp", "index.html"] {
            fs::write(out.join(file), "").unwrap();
        }
        let alone = OutFolder::alone_in(out).unwrap();
        let mut names: Vec<_> = fs::read_dir(out)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let kept = [
            ".index.html.tmp",
            ".jamming.x.old",
            ".mine.12.old",
            "index.html",
            "jamming",
            "shallow-relu",
        ];
        assert_eq!(names, kept);
        let from = |name: &str| fs::read_to_string(out.join(name).join("from")).unwrap();
        assert_eq!(from("jamming"), "jamming");
        assert_eq!(from("shallow-relu"), ".shallow-relu.12.old");
        if cfg!(unix) {
            let error = OutFolder::alone_in(out).err().unwrap().to_string();
            assert!(error.contains("another run"), "{error}");
        }
        drop(alone);
        assert!(OutFolder::alone_in(out).is_ok());
    }
}
