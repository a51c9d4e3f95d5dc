//! The places where data sets are looked for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::DataError;
use crate::place::Place;
use crate::registry::Entry;

/// `Places` says where to look for data sets, in which order, and whether and how to download them.
///
/// [`Places::user`] takes it from the environment; else the caller fills it in. Then
/// [`Places::load`] loads a data set:
///
/// ```
/// use ntk_data::Places;
///
/// let places = Places { offline: true, ..Places::default() };
/// # #[cfg(feature = "embedded")] {
/// let fashion = places.load("fashion-mnist")?;
/// assert!(fashion.train.len() >= 2048);
/// # }
/// # Ok::<(), ntk_data::Error>(())
/// ```
///
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
    /// The folder where downloads go and are found again; without one nothing is downloaded.
    pub cache_dir: Option<PathBuf>,
    /// The folders of the operating system.
    pub system_dirs: Vec<PathBuf>,
    /// Whether to do without the network.
    pub offline: bool,
    /// The way to use the network otherwise.
    pub network: Network,
}

/// `Network` says how to download: how long to wait, by which proxy, from where.
#[derive(Debug, Clone)]
pub struct Network {
    /// The longest wait for an address look-up, and for a connection.
    pub connect: Duration,
    /// The longest silence of a server that is connected.
    pub silence: Duration,
    /// The longest time in all spent on mirrors that cannot be reached; those
    /// left then are not asked.
    pub unreachable: Duration,
    /// The address of a proxy, for example `http://proxy:3128`.
    pub proxy: Option<String>,
    /// The base addresses that replace the registry's, each ending in `/`.
    pub mirrors: Option<Vec<String>>,
}

impl Default for Places {
    /// Names only Debian's `/usr/share/datasets` (packages such as
    /// `dataset-fashion-mnist` install there) and no cache: nothing is downloaded.
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
    /// Allows 4 s to connect, 15 s of silence, and 8 s in all for mirrors out of reach.
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
    /// Returns every folder, in the order in which they are looked in.
    pub fn folders(&self) -> impl Iterator<Item = Place> {
        let explicit = [
            self.data_dir.clone().map(Place::DataDir),
            self.env_dir.clone().map(Place::EnvDir),
        ];
        let cache = self.cache_dir.clone().map(Place::Cache);
        let system = self.system_dirs.iter().cloned().map(Place::System);
        explicit.into_iter().flatten().chain(cache).chain(system)
    }

    /// Finds the first place that holds all of `entry`, or `None`; nothing is read.
    ///
    /// # Errors
    /// [`DataError::Incomplete`] if a folder that was named explicitly does not hold it.
    pub fn locate(&self, entry: &Entry) -> Result<Option<(Place, Location)>, DataError> {
        for place in self.folders() {
            match look(entry, place.folder()) {
                Ok(location) => return Ok(Some((place, location))),
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

    /// Returns the cache that `entry` may be downloaded into.
    ///
    /// # Errors
    /// [`DataError::Offline`], [`DataError::NoDownload`] and [`DataError::NoCache`].
    pub(crate) fn download_into(&self, entry: &Entry) -> Result<&Path, DataError> {
        let name = entry.name;
        let looked = || self.folders().map(|place| place.folder().to_owned());
        if self.offline {
            let looked = looked().collect();
            return Err(DataError::Offline { name, looked });
        }
        if cfg!(not(feature = "download")) {
            let looked = looked().collect();
            return Err(DataError::NoDownload { name, looked });
        }
        self.cache_dir.as_deref().ok_or(DataError::NoCache { name })
    }
}

/// A `Location` is the paths of a data set's files in one folder: each on its own, or all in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// The files themselves: one path for each file of the registry, in its order.
    Files(Vec<PathBuf>),
    /// The archive that holds them all.
    Archive(PathBuf),
}

/// Finds the files of `entry` in `folder`, or says which are missing.
///
/// It looks at names only; nothing is read.
///
/// # Errors
/// It fails with the names of the missing files.
pub fn look(entry: &Entry, folder: &Path) -> Result<Location, Vec<String>> {
    if let Some(paths) = entry
        .files
        .iter()
        .map(|file| find(entry, folder, file.name))
        .collect()
    {
        return Ok(Location::Files(paths));
    }
    if let Some(archive) = entry.archive {
        return find(entry, folder, archive.name)
            .map(Location::Archive)
            .ok_or_else(|| vec![archive.name.to_owned()]);
    }
    let missing = entry
        .files
        .iter()
        .filter(|file| find(entry, folder, file.name).is_none());
    Err(missing.map(|file| file.name.to_owned()).collect())
}

/// Finds the path of the file `name` of `entry` in `folder`, if it is there.
pub(crate) fn find(entry: &Entry, folder: &Path, name: &str) -> Option<PathBuf> {
    let inside = entry.archive.map_or("", |archive| archive.folder);
    [entry.name, ""]
        .into_iter()
        .flat_map(|named| [folder.join(named).join(inside), folder.join(named)])
        .flat_map(|folder| [folder.join(name), folder.join(format!("{name}.gz"))])
        .find(|path| path.is_file())
}
