//! A folder that data sets are looked for in.

use std::fmt;
use std::path::{Path, PathBuf};

/// A `Place` is a folder, and what made us look there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The folder named for this run, [`Places::data_dir`](crate::Places::data_dir).
    DataDir(PathBuf),
    /// The folder named for all runs, [`Places::env_dir`](crate::Places::env_dir).
    EnvDir(PathBuf),
    /// The cache, [`Places::cache_dir`](crate::Places::cache_dir), perhaps filled a moment ago.
    Cache(PathBuf),
    /// A folder of the system, one of [`Places::system_dirs`](crate::Places::system_dirs).
    System(PathBuf),
}

impl Place {
    /// Returns the path of the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match self {
            Self::DataDir(p) | Self::EnvDir(p) | Self::Cache(p) | Self::System(p) => p,
        }
    }

    /// Tells whether somebody named this folder: if so it must hold what is asked for.
    pub(crate) fn is_explicit(&self) -> bool {
        matches!(self, Self::DataDir(_) | Self::EnvDir(_))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::DataDir(_) => "the data folder",
            Self::EnvDir(_) => "the data folder of the environment",
            Self::Cache(_) => "the cache",
            Self::System(_) => "the system folder",
        };
        write!(f, "{what} {}", self.folder().display())
    }
}
