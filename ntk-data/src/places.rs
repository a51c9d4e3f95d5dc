//! Where data sets are looked for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::DataError;
use crate::place::Place;
use crate::registry::Entry;

/// Where to look, in this order, and whether and how to download.
///
/// [`Places::user`] takes it from the environment; else the caller fills it in.
/// Each folder may hold `<folder>/<name>/<file>` or
/// `<folder>/<file>`, plain or with `.gz`; what a file is called matters, how
/// it was compressed does not. Where a data set is published as an archive,
/// the archive or its extracted folder serves as well.
///
/// `data_dir` and `env_dir` are explicit: where one is given and does not hold
/// the data set, that is an error and not a reason to look elsewhere, so that
/// nobody computes on other data than those pointed at. The cache and the
/// system folders are passed over if they are incomplete.
#[derive(Debug, Clone)]
pub struct Places {
    /// The folder named for this run, for example by `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// The folder named for all runs, for example by `NTK_DATA_DIR`.
    pub env_dir: Option<PathBuf>,
    /// Where downloads go and are found again; without one nothing is downloaded.
    pub cache_dir: Option<PathBuf>,
    /// Folders of the operating system.
    pub system_dirs: Vec<PathBuf>,
    /// Never use the network.
    pub offline: bool,
    /// How to use it otherwise.
    pub network: Network,
}

/// How to download.
#[derive(Debug, Clone)]
pub struct Network {
    /// Longest wait for an address look-up, and for a connection.
    pub connect: Duration,
    /// Longest silence of a server that is connected.
    pub silence: Duration,
    /// Longest time in all spent on mirrors that cannot be reached; those
    /// left then are not asked.
    pub unreachable: Duration,
    /// Address of a proxy, for example `http://proxy:3128`.
    pub proxy: Option<String>,
    /// Base addresses that replace the registry's, each ending in `/`.
    pub mirrors: Option<Vec<String>>,
}

impl Default for Places {
    /// Only Debian's `/usr/share/datasets` (packages such as
    /// `dataset-fashion-mnist` install there), no cache: nothing is downloaded.
    fn default() -> Self {
        Self {
            data_dir: None,
            env_dir: None,
            cache_dir: None,
            system_dirs: vec![PathBuf::from("/usr/share/datasets")],
            offline: false,
            network: Network::default(),
        }
    }
}

impl Default for Network {
    /// 4 s to connect, 15 s of silence, 8 s in all for mirrors out of reach.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(4),
            silence: Duration::from_secs(15),
            unreachable: Duration::from_secs(8),
            proxy: None,
            mirrors: None,
        }
    }
}

impl Places {
    /// Every folder, in the order in which they are looked in.
    pub fn folders(&self) -> impl Iterator<Item = Place> {
        let explicit = [
            self.data_dir.clone().map(Place::DataDir),
            self.env_dir.clone().map(Place::EnvDir),
        ];
        let cache = self.cache_dir.clone().map(Place::Cache);
        let system = self.system_dirs.iter().cloned().map(Place::System);
        explicit.into_iter().flatten().chain(cache).chain(system)
    }
}

/// The files of a data set in one folder: each on its own, or all in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// One path for each file of the registry, in its order.
    Files(Vec<PathBuf>),
    /// The archive.
    Archive(PathBuf),
}

/// Finds the files of `entry` in `folder`, or says which are missing.
///
/// Looks at names only; nothing is read.
///
/// # Errors
/// The names of the missing files.
pub fn look(entry: &Entry, folder: &Path) -> Result<Found, Vec<String>> {
    if let Some(paths) = entry
        .files
        .iter()
        .map(|file| find(entry, folder, file.name))
        .collect()
    {
        return Ok(Found::Files(paths));
    }
    if let Some(archive) = entry.archive {
        return find(entry, folder, archive.name)
            .map(Found::Archive)
            .ok_or_else(|| vec![archive.name.to_owned()]);
    }
    let missing = entry
        .files
        .iter()
        .filter(|file| find(entry, folder, file.name).is_none());
    Err(missing.map(|file| file.name.to_owned()).collect())
}

/// The path of the file `name` of `entry` in `folder`, if it is there.
pub(crate) fn find(entry: &Entry, folder: &Path, name: &str) -> Option<PathBuf> {
    let inside = entry.archive.map_or("", |archive| archive.folder);
    [entry.name, ""]
        .into_iter()
        .flat_map(|named| [folder.join(named).join(inside), folder.join(named)])
        .flat_map(|folder| [folder.join(name), folder.join(format!("{name}.gz"))])
        .find(|path| path.is_file())
}

/// The first place that holds all of `entry`, or `None`.
///
/// # Errors
/// [`DataError::Incomplete`] if a folder that was named explicitly does not hold it.
pub fn locate(entry: &Entry, places: &Places) -> Result<Option<(Place, Found)>, DataError> {
    for place in places.folders() {
        match look(entry, place.folder()) {
            Ok(found) => return Ok(Some((place, found))),
            Err(missing) if place.is_explicit() => {
                return Err(DataError::Incomplete {
                    name: entry.name,
                    place,
                    missing,
                });
            }
            Err(_) => {}
        }
    }
    Ok(None)
}

/// The cache that `entry` may be downloaded into.
///
/// # Errors
/// [`DataError::Offline`], [`DataError::NoDownload`] and [`DataError::NoCache`].
pub(crate) fn download_into<'a>(entry: &Entry, places: &'a Places) -> Result<&'a Path, DataError> {
    let name = entry.name;
    let looked = || places.folders().map(|place| place.folder().to_owned());
    if places.offline {
        let looked = looked().collect();
        return Err(DataError::Offline { name, looked });
    }
    if cfg!(not(feature = "download")) {
        let looked = looked().collect();
        return Err(DataError::NoDownload { name, looked });
    }
    places
        .cache_dir
        .as_deref()
        .ok_or(DataError::NoCache { name })
}
