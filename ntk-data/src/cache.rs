//! Filling the cache: what is missing is downloaded, verified, and only then named.
//!
//! `<cache>/<data set>/<file>.gz` appears by an atomic rename once its content
//! verifies. Until then it is `<file>.gz.part`, which a later attempt resumes.
//! A lock on `<cache>/<data set>/.lock`, which the system releases when its
//! holder ends in whatever way, lets one process at a time download a data set;
//! the others wait and then find it there.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::download::{Client, Transfer};
use crate::error::{DataError, FailureKind, MirrorFailure};
use crate::observer::{Observer, check};
use crate::place::Place;
use crate::places::{Location, Network, find, look};
use crate::registry::{self, Entry};
use crate::verify;

/// The pause between two attempts to lock.
const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// The most that compressing can add, as `size / OVERHEAD_SHARE + OVERHEAD`: deflate
/// adds 5 bytes to each incompressible block of at least 16 KiB, gzip a header
/// with a file name.
const OVERHEAD_SHARE: u64 = 1000;
const OVERHEAD: u64 = 4096;

/// A `Wanted` says what a mirror is asked for.
enum Wanted {
    File(&'static registry::File),
    Archive(registry::Archive),
}

impl Wanted {
    fn name(&self) -> String {
        match self {
            Self::File(file) => format!("{}.gz", file.name),
            Self::Archive(archive) => archive.name.to_owned(),
        }
    }

    fn limit(&self) -> u64 {
        match self {
            Self::File(file) => {
                let overhead = file.size / OVERHEAD_SHARE + OVERHEAD;
                file.size.saturating_add(overhead)
            }
            Self::Archive(archive) => archive.size,
        }
    }

    fn verify(&self, entry: &Entry, path: &Path) -> Result<(), DataError> {
        match self {
            Self::File(file) => verify::read_file(entry, file, path).map(drop),
            Self::Archive(_) => {
                verify::read_all(entry, &Location::Archive(path.to_owned())).map(drop)
            }
        }
    }
}

/// Downloads what is missing of `entry` in `cache` and says where all of it is.
///
/// # Errors
/// [`DataError::Download`] with every mirror's answer, [`DataError::Io`] for the
/// disk, [`DataError::Cancelled`]; whatever came stays for the next attempt.
pub(crate) fn fill(
    entry: &'static Entry,
    cache: &Path,
    network: &Network,
    observer: &dyn Observer,
) -> Result<Location, DataError> {
    let folder = cache.join(entry.name);
    fs::create_dir_all(&folder).map_err(DataError::io("create", &folder))?;
    let lock = lock(&folder.join(".lock"), entry.name, observer)?;
    let mut client = Client::new(network, observer);
    let wanted: Vec<Wanted> = match entry.archive {
        Some(archive) => vec![Wanted::Archive(archive)],
        None => entry.files.iter().map(Wanted::File).collect(),
    };
    for wanted in wanted {
        // Another process may have been here before the lock was ours.
        if look(entry, cache).is_ok() {
            break;
        }
        if !matches!(&wanted, Wanted::File(file) if find(entry, cache, file.name).is_some()) {
            download(entry, &folder, &wanted, &mut client, network)?;
        }
    }
    drop(lock);
    look(entry, cache).map_err(|missing| DataError::Incomplete {
        name: entry.name,
        place: Place::Cache(cache.to_owned()),
        missing,
    })
}

fn lock(path: &PathBuf, name: &str, observer: &dyn Observer) -> Result<File, DataError> {
    let file = File::create(path).map_err(DataError::io("create", path))?;
    let mut announced = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(DataError::io("lock", path)(source)),
            Err(TryLockError::WouldBlock) if announced => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::WouldBlock) => {
                announced = true;
                observer.begin(
                    &format!("wait for another process that downloads {name}"),
                    0,
                );
            }
        }
        check(observer)?;
    }
}

fn download(
    entry: &'static Entry,
    folder: &Path,
    wanted: &Wanted,
    client: &mut Client<'_>,
    network: &Network,
) -> Result<(), DataError> {
    let file = wanted.name();
    let bases: Vec<&str> = match &network.mirrors {
        Some(own) => own.iter().map(String::as_str).collect(),
        None => entry.mirrors.to_vec(),
    };
    let mut tried = Vec::new();
    for base in bases {
        let url = format!("{base}{file}");
        match from_mirror(entry, folder, wanted, client, &url)? {
            Ok(()) => return Ok(()),
            Err(kind) => tried.push(MirrorFailure { url, kind }),
        }
    }
    Err(DataError::Download {
        name: entry.name,
        file,
        tried,
    })
}

fn from_mirror(
    entry: &Entry,
    folder: &Path,
    wanted: &Wanted,
    client: &mut Client<'_>,
    url: &str,
) -> Result<Result<(), FailureKind>, DataError> {
    let target = folder.join(wanted.name());
    let part = folder.join(format!("{}.part", wanted.name()));
    loop {
        let transfer = match client.transfer(url, &part, wanted.limit())? {
            Ok(transfer) => transfer,
            Err(kind) => {
                // What is too long already can only be resumed to something longer.
                if matches!(kind, FailureKind::TooLong { .. }) {
                    remove(&part)?;
                }
                return Ok(Err(kind));
            }
        };
        match wanted.verify(entry, &part) {
            Ok(()) => {
                fs::rename(&part, &target).map_err(DataError::io("rename", &part))?;
                return Ok(Ok(()));
            }
            Err(error) => {
                remove(&part)?;
                // The bytes from before may be another mirror's: once more from the beginning.
                if transfer == Transfer::Whole {
                    return Ok(Err(FailureKind::Content(Box::new(error))));
                }
            }
        }
    }
}

fn remove(part: &Path) -> Result<(), DataError> {
    fs::remove_file(part).map_err(DataError::io("remove", part))
}
