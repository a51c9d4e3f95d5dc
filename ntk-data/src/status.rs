//! Where each data set would come from, and whether a folder's files are right.

use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::place::Place;
use crate::places::{Found, Places, download_into, find, locate};
use crate::registry::Entry;
use crate::verify::{read_all, read_file};

/// Where [`load`](crate::load) would take a data set from.
#[derive(Debug)]
pub enum Availability {
    /// From files that are here; they are not verified yet.
    Here {
        /// The folder.
        place: Place,
        /// The files.
        found: Found,
    },
    /// From the network, into this cache.
    Download {
        /// The cache folder.
        cache: PathBuf,
    },
    /// From the sample compiled in.
    Embedded,
    /// From nowhere: this is what `load` would answer.
    Nowhere(DataError),
}

/// Says where [`load`](crate::load) would take `entry` from; reads no file and uses no network.
#[must_use]
pub fn availability(entry: &Entry, places: &Places) -> Availability {
    match locate(entry, places) {
        Ok(Some((place, found))) => Availability::Here { place, found },
        Err(error) => Availability::Nowhere(error),
        Ok(None) => match download_into(entry, places) {
            Ok(cache) => Availability::Download {
                cache: cache.to_owned(),
            },
            Err(_) if entry.embedded.is_some() => Availability::Embedded,
            Err(error) => Availability::Nowhere(error),
        },
    }
}

/// What [`verify`] found about one file.
#[derive(Debug)]
pub struct FileCheck {
    /// The file or archive as the registry calls it.
    pub file: &'static str,
    /// Where it is and whether its content is right; `None` if it is not there.
    pub outcome: Option<(PathBuf, Result<(), DataError>)>,
}

/// Reads and hashes every file of `entry` in `folder`.
///
/// Where the files of an archive lie there extracted they are looked at, and
/// the archive otherwise. Nothing is changed.
#[must_use]
pub fn verify(entry: &Entry, folder: &Path) -> Vec<FileCheck> {
    if let Some(archive) = entry.archive
        && let Some(path) = find(entry, folder, archive.name)
        && entry
            .files
            .iter()
            .all(|file| find(entry, folder, file.name).is_none())
    {
        let checked = read_all(entry, &Found::Archive(path.clone())).map(drop);
        return vec![FileCheck {
            file: archive.name,
            outcome: Some((path, checked)),
        }];
    }
    let check = |path: PathBuf, file| {
        let checked = read_file(entry, file, &path).map(drop);
        (path, checked)
    };
    entry
        .files
        .iter()
        .map(|file| FileCheck {
            file: file.name,
            outcome: find(entry, folder, file.name).map(|path| check(path, file)),
        })
        .collect()
}
