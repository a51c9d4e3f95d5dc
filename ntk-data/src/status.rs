//! The origin that each data set would have, and whether a folder's files are right.

use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::place::Place;
use crate::places::{Location, Places, find};
use crate::registry::Entry;
use crate::verify::{read_all, read_file};

/// The origin that [`Places::load`] would take a data set from.
#[derive(Debug)]
pub enum Availability {
    /// Files that are here; they are not verified yet.
    Here {
        /// The folder that holds them.
        place: Place,
        /// The paths of the files.
        location: Location,
    },
    /// The network, by a download into this cache.
    Download {
        /// The cache folder.
        cache: PathBuf,
    },
    /// The sample compiled in.
    Embedded,
    /// Nothing: this is the error that `load` would return.
    Nowhere(DataError),
}

impl Places {
    /// Says where [`Places::load`] would take `entry` from; reads no file and uses no network.
    ///
    /// ```
    /// use ntk_data::{Availability, Places, registry};
    ///
    /// let places = Places { offline: true, system_dirs: Vec::new(), ..Places::default() };
    /// let mnist = places.availability(registry::find("mnist")?);
    /// assert!(matches!(mnist, Availability::Nowhere(_)));
    /// # Ok::<(), ntk_data::Error>(())
    /// ```
    #[must_use]
    pub fn availability(&self, entry: &Entry) -> Availability {
        match self.locate(entry) {
            Ok(Some((place, location))) => Availability::Here { place, location },
            Err(error) => Availability::Nowhere(error),
            Ok(None) => match self.download_into(entry) {
                Ok(cache) => Availability::Download {
                    cache: cache.to_owned(),
                },
                Err(_) if entry.embedded.is_some() => Availability::Embedded,
                Err(error) => Availability::Nowhere(error),
            },
        }
    }
}

/// A `FileCheck` says what [`verify`] found about one file.
#[derive(Debug)]
pub struct FileCheck {
    /// The name of the file or archive in the registry.
    pub file: &'static str,
    /// The path and whether the content is right; `None` if the file is not there.
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
        let checked = read_all(entry, &Location::Archive(path.clone())).map(drop);
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
