//! The reading and writing of files, whole or not at all, and of answers on standard output.

use crate::Failure;
use crate::cli::{Common, Files};
use crate::space::size;
use crate::words::escaped;
use atomic_write_file::AtomicWriteFile;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read, Write};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Checks before the work that all outputs can be written, and that none is an input or another
/// output, be it by another name. Files that may not be written to are replaced where `force`.
pub(crate) fn check(files: &Files<'_>, force: bool) -> Result<(), Failure> {
    for (i, output) in files.outputs.iter().enumerate() {
        let (path, flag) = (output.path, output.flag);
        if path == Path::new("-") {
            return Err(format!(
                "{flag} - is no file, and results are not written to standard output; name a file, \
                 or ./- for one of that name"
            )
            .into());
        }
        check_writable(path, flag)?;
        if let Some(input) = files.inputs.iter().find(|input| same(path, input.path)) {
            return Err(format!(
                "{flag} is the file of {}, {}, which the result would replace; name another file \
                 by {flag}",
                input.flag,
                path.display()
            )
            .into());
        }
        if let Some(folder) = files.inputs.iter().find(|input| is_in(path, input.path)) {
            return Err(format!(
                "{} is in the folder of {}, {}, whose files are its own; name a file elsewhere by {flag}",
                path.display(),
                folder.flag,
                folder.path.display()
            )
            .into());
        }
        if let Some(other) = files.outputs[..i].iter().find(|o| same(path, o.path)) {
            return Err(format!(
                "{} and {flag} both name {}; give each its own file",
                other.flag,
                path.display()
            )
            .into());
        }
        let extension = path.extension().unwrap_or_default();
        let (taken, what, other) = match files.is_json {
            true => (&["npy", "npz"][..], "JSON, and no arrays", "json"),
            false => (
                &["npy"][..],
                "an .npz archive, which holds arrays by name",
                "npz",
            ),
        };
        if flag == "--out" && taken.iter().any(|of| extension.eq_ignore_ascii_case(of)) {
            return Err(format!(
                "{flag} {} would be {what}; call it {}",
                path.display(),
                path.with_extension(other).display()
            )
            .into());
        }
        if !force && is_read_only(path) {
            return Err(format!(
                "{} may not be written to; name another file by {flag}, or replace it by --force",
                path.display()
            )
            .into());
        }
        if let Ok(place) = place(path) {
            let stamp = stamp(&place);
            seen().insert(place, stamp);
        }
    }
    Ok(())
}

/// Tells whether two paths name one file, which need not be there yet.
fn same(one: &Path, other: &Path) -> bool {
    match (place(one), place(other)) {
        (Ok(a), Ok(b)) => a == b || is_linked(&a, &b),
        _ => one == other,
    }
}

/// Tells whether a file is, or would be, in a folder or below it.
fn is_in(path: &Path, folder: &Path) -> bool {
    match (place(path), place(folder)) {
        (Ok(path), Ok(folder)) => path.starts_with(folder),
        _ => false,
    }
}

/// Tells whether two names that no symbolic link is part of are of one file.
fn is_linked(one: &Path, other: &Path) -> bool {
    let of = |path| fs::metadata(path).ok().and_then(|there| identity(&there));
    of(one).is_some_and(|one| Some(one) == of(other))
}

/// The number of a file on its device, and the device's.
#[cfg(unix)]
fn identity(there: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((there.dev(), there.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}

/// The links that lead from one to another at most, as on Linux.
const MOST_LINKS: usize = 40;

/// Returns the path, without symbolic links, of the file that is at `path` or would be.
fn place(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        if let Ok(there) = fs::canonicalize(&path) {
            return Ok(there);
        }
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let folder = fs::canonicalize(folder)?;
        match fs::read_link(&path) {
            // Of a file that is not there.
            Ok(target) => path = folder.join(target),
            Err(_) => {
                let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
                return Ok(folder.join(name));
            }
        }
    }
    Err(io::Error::other("its links lead to one another"))
}

/// Tells whether there is a file that its mode protects, also from those who may write all.
fn is_read_only(path: &Path) -> bool {
    let Ok(there) = fs::metadata(path) else {
        return false;
    };
    // That writes nothing: it neither makes nor empties a file.
    let opened = || fs::OpenOptions::new().write(true).open(path);
    there.permissions().readonly()
        || opened().is_err_and(|e| e.kind() == io::ErrorKind::PermissionDenied)
}

/// Reads all of an input once, so that what is done does not depend on what becomes of the file;
/// `remedy` ends the message that there is none.
pub(crate) fn read(path: &Path, remedy: &str) -> Result<Vec<u8>, Failure> {
    let name = path.display();
    if path == Path::new("-") {
        return Err(
            "- is no file: of all inputs --net alone reads standard input so, and not, for example, \
             --x1 -; name a file, /dev/stdin for what is piped in, or ./- for a file of that name"
                .into(),
        );
    }
    let unreadable = |e: io::Error| format!("cannot read {name}: {e}; {remedy}");
    let mut file = File::open(path).map_err(unreadable)?;
    let before = file.metadata().map_err(unreadable)?;
    let kind = before.file_type();
    if kind.is_dir() || is_device(kind) {
        let what = if kind.is_dir() { "folder" } else { "device" };
        return Err(format!("cannot read {name}: it is a {what}, not a file; {remedy}").into());
    }
    let mut bytes = Vec::new();
    let length = usize::try_from(before.len()).unwrap_or(usize::MAX);
    if bytes.try_reserve_exact(length).is_err() {
        let length = size(before.len());
        return Err(format!("{name} has {length}, more than there is of memory").into());
    }
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    let after = file.metadata().map_err(unreadable)?;
    let is_other = |after: &Metadata| {
        after.len() != bytes.len() as u64 || after.modified().ok() != before.modified().ok()
    };
    if kind.is_file() && is_other(&after) {
        return Err(format!(
            "{name} was changed while it was read; run the same command again when it is complete"
        )
        .into());
    }
    Ok(bytes)
}

/// Tells whether what is there may give bytes for ever, or wait for a person.
#[cfg(unix)]
fn is_device(there: FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    there.is_char_device() || there.is_block_device()
}

#[cfg(not(unix))]
fn is_device(_: FileType) -> bool {
    false
}

/// Tells before the work that its result could not be written.
pub(crate) fn check_writable(path: &Path, flag: &str) -> Result<(), Failure> {
    if path.to_string_lossy().ends_with(std::path::is_separator) && !path.exists() {
        let path = path.display();
        return Err(format!("{path} ends as a folder does; name a file by {flag}").into());
    }
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
/// The folder must exist. Where `path` is a symbolic link, the file that it names is written; a
/// file that is there keeps its mode.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    prepare(path, bytes)?.commit()
}

/// Writes what will be at `path` once it is committed.
pub(crate) fn prepare(path: &Path, bytes: &[u8]) -> io::Result<NewFile> {
    let mut file = begin(path)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Begins a file as [`write`] does, for what is written in parts: it is at `path` once committed.
pub(crate) fn begin(path: &Path) -> io::Result<NewFile> {
    if let Some(what) = other_than_file(path) {
        let why = format!("it is a {what}, not a file");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let place = place(path)?;
    Ok(NewFile {
        file: AtomicWriteFile::open(&place)?,
        place,
    })
}

/// A `NewFile` has no name before it is committed.
pub(crate) struct NewFile {
    file: AtomicWriteFile,
    /// Where it will be.
    place: PathBuf,
}

impl NewFile {
    /// Puts the file in its place, unless another process wrote there since [`check`] looked.
    pub(crate) fn commit(self) -> io::Result<()> {
        // Of two processes that look and write at once, one would not see the other.
        let folder = self
            .place
            .parent()
            .and_then(|folder| File::open(folder).ok());
        let _lock = folder.filter(wait_for_lock);
        let mut seen = seen();
        if seen
            .get(&self.place)
            .is_some_and(|before| *before != stamp(&self.place))
        {
            return Err(io::Error::other(
                "another process wrote it while this one computed, and what is there stays",
            ));
        }
        self.file.commit()?;
        seen.remove(&self.place);
        Ok(())
    }
}

impl Deref for NewFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl DerefMut for NewFile {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.file
    }
}

/// Locks the folder. Others have the lock for a moment; who has it for longer writes other files.
fn wait_for_lock(folder: &File) -> bool {
    (0..100).any(|attempt| {
        if attempt > 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
        folder.try_lock().is_ok()
    })
}

/// A `Stamp` tells a file from another at the same path; `None` where there is none.
type Stamp = Option<(Option<(u64, u64)>, Option<SystemTime>, u64)>;

fn stamp(path: &Path) -> Stamp {
    let there = fs::metadata(path).ok()?;
    Some((identity(&there), there.modified().ok(), there.len()))
}

/// This map holds what was at the places of the command's outputs before its work.
static SEEN: Mutex<BTreeMap<PathBuf, Stamp>> = Mutex::new(BTreeMap::new());

fn seen() -> MutexGuard<'static, BTreeMap<PathBuf, Stamp>> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
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
        tell(&escaped(line, true))?;
    }
    Ok(())
}

/// Writes an answer to standard output, and a new line; a reader that has gone has read enough.
///
/// # Errors
/// It fails with any other error of writing.
pub fn tell(answer: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    let written = writeln!(output, "{answer}").and_then(|()| output.flush());
    told(written)
}

/// Takes what became of writing to standard output: a reader that has gone has read enough.
///
/// # Errors
/// It fails with any other error of writing.
pub(crate) fn told(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {e}").into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
