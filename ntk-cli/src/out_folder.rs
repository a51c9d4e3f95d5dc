//! The folder that results are written into: one run at a time, and nothing of a killed one.

use crate::Failure;
use std::fs::{self, File, TryLockError};
use std::path::Path;

/// An `OutFolder` is a folder that no other run writes into while this lives.
pub struct OutFolder {
    #[expect(
        dead_code,
        reason = "held, not read; the system unlocks it in any case"
    )]
    lock: Option<File>,
}

impl OutFolder {
    /// Locks `out`, where the system can lock folders, and removes what a killed run left of folders
    /// of these names, and of a page over them.
    ///
    /// # Errors
    /// It fails where another run has the folder, or what was left cannot be removed.
    pub fn alone_in(out: &Path, names: &[&str]) -> Result<Self, Failure> {
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
            match leftover(&name, names) {
                // A run that was killed between putting away the old and putting in the new.
                Some(Leftover::Old(place)) if !out.join(place).exists() => {
                    fs::rename(entry.path(), out.join(place))?;
                }
                Some(Leftover::Old(_) | Leftover::Unfinished) => fs::remove_dir_all(entry.path())?,
                Some(Leftover::Page) => fs::remove_file(entry.path())?,
                None => {}
            }
        }
        Ok(Self { lock })
    }
}

enum Leftover<'a> {
    Unfinished,
    Old(&'a str),
    Page,
}

/// The characters that a file which is not whole yet has after its name, where it needs one.
const RANDOM: usize = 6;

/// Tells what `.name.process.unfinished`, `.name.process.old` and `.index.html.XXXXXX` are, of
/// these names; nothing else is ours.
fn leftover<'a>(file: &str, names: &[&'a str]) -> Option<Leftover<'a>> {
    let hidden = file.strip_prefix('.')?;
    if let Some(rest) = hidden.strip_prefix("index.html.") {
        let random = rest.len() == RANDOM && rest.chars().all(|c| c.is_ascii_alphanumeric());
        return random.then_some(Leftover::Page);
    }
    let of = |name: &&'a str| Some((*name, hidden.strip_prefix(*name)?.strip_prefix('.')?));
    let (name, rest) = names.iter().find_map(of)?;
    let (process, what) = rest.split_once('.')?;
    match (process.chars().all(|c| c.is_ascii_digit()), what) {
        (true, "unfinished") => Some(Leftover::Unfinished),
        (true, "old") => Some(Leftover::Old(name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 2] = ["jamming", "shallow-relu"];

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
        for file in [".index.html.x9YzQ0", ".index.html.tmp", "index.html"] {
            fs::write(out.join(file), "").unwrap();
        }
        let alone = OutFolder::alone_in(out, &NAMES).unwrap();
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
            let error = OutFolder::alone_in(out, &NAMES).err().unwrap().to_string();
            assert!(error.contains("another run"), "{error}");
        }
        drop(alone);
        assert!(OutFolder::alone_in(out, &NAMES).is_ok());
    }
}
