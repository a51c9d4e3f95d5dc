//! The errors between a data set's name and its arrays, and the one error of the crate.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::cifar::CifarError;
use crate::idx::IdxError;
use crate::place::Place;

/// A `DataError` says why a data set could not be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// No data set has this name.
    #[error("no data set is called \"{asked}\"; ask for one of {}", known.join(", "))]
    UnknownName {
        /// The name asked for.
        asked: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// A folder that was named explicitly does not hold the data set.
    #[error(
        "{place} does not hold {name}: found no {}, plain or as .gz, in it or in its folder {name}; \
         put the files there, or name another folder or none",
        missing.join(", no ")
    )]
    Incomplete {
        /// The name of the data set.
        name: &'static str,
        /// The folder.
        place: Place,
        /// The files that are not there.
        missing: Vec<String>,
    },
    /// The data set is on no disk here, and downloading was not allowed.
    #[error(
        "{name} is in none of the folders looked in ({}), and this run is offline; \
         name a folder that holds it, or allow the download",
        folders(looked)
    )]
    Offline {
        /// The name of the data set.
        name: &'static str,
        /// The folders that were looked in.
        looked: Vec<PathBuf>,
    },
    /// The data set is on no disk here, and this program cannot download.
    #[error(
        "{name} is in none of the folders looked in ({}), and ntk-data was compiled without its feature \
         `download`; put the files into a folder that is named, or enable the feature",
        folders(looked)
    )]
    NoDownload {
        /// The name of the data set.
        name: &'static str,
        /// The folders that were looked in.
        looked: Vec<PathBuf>,
    },
    /// The data set is on no disk here, and there is no folder to download it into.
    #[error(
        "{name} is not here and no cache folder was given to download it into; name one, or a folder that holds it"
    )]
    NoCache {
        /// The name of the data set.
        name: &'static str,
    },
    /// No mirror gave a file that verifies.
    #[error(
        "{name}: no mirror gave {file}: {}; put the file there by hand or try again",
        attempts(tried)
    )]
    Download {
        /// The name of the data set.
        name: &'static str,
        /// The name of the file asked for.
        file: String,
        /// The answer of each mirror.
        tried: Vec<MirrorFailure>,
    },
    /// A file does not have the content it must have.
    #[error(transparent)]
    WrongContent(#[from] Box<WrongContent>),
    /// A file cannot be read, written, locked or decompressed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The attempt that failed.
        action: &'static str,
        /// The path of the file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A verified file is not IDX: the registry and the reader disagree.
    #[error("{file}: {source}")]
    Idx {
        /// The name of the file.
        file: &'static str,
        /// The answer of the reader.
        source: IdxError,
    },
    /// A verified file is not a CIFAR-10 batch: the registry and the reader disagree.
    #[error("{file}: {source}")]
    Cifar {
        /// The name of the file.
        file: &'static str,
        /// The answer of the reader.
        source: CifarError,
    },
    /// Images and labels do not belong together.
    #[error(
        "{name} has {images} images of which {labels} have a label below {classes}; take images and labels of one data set"
    )]
    Inconsistent {
        /// The name of the data set.
        name: &'static str,
        /// The number of images.
        images: usize,
        /// The number of labels that name a class.
        labels: usize,
        /// The number of classes.
        classes: usize,
    },
    /// The caller asked to stop.
    #[error("stopped on request before the data were complete")]
    Cancelled,
}

impl DataError {
    pub(crate) fn io<'a>(
        action: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{} is not {file} of {name}: expected {expected_size} bytes with SHA-256 {expected}, \
     found {found_size} bytes with SHA-256 {found}{}; delete or move it, or name another folder",
    path.display(),
    whose.map(|(name, file)| format!(" (that is {file} of {name})")).unwrap_or_default()
)]
/// `WrongContent` says that a file is not the published one. It is neither used nor replaced.
pub struct WrongContent {
    /// The name of the data set.
    pub name: &'static str,
    /// The name of the file in the registry.
    pub file: &'static str,
    /// The path of the file on disk.
    pub path: PathBuf,
    /// The decompressed length that it must have.
    pub expected_size: u64,
    /// The decompressed length that it has; reading stops one byte after the expected length.
    pub found_size: u64,
    /// The SHA-256 that its decompressed content must have.
    pub expected: &'static str,
    /// The SHA-256 of what was read of it.
    pub found: String,
    /// The registered data set and its file that have this SHA-256, if any have.
    pub whose: Option<(&'static str, &'static str)>,
}

/// A `MirrorFailure` says what one mirror answered instead of the file.
#[derive(Debug, Error)]
#[error("{url}: {kind}")]
pub struct MirrorFailure {
    /// The address of the file on the mirror.
    pub url: String,
    /// The failure.
    #[source]
    pub kind: FailureKind,
}

/// The ways in which a mirror can fail.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FailureKind {
    /// There was no connection, or it broke, or it fell silent.
    #[cfg(feature = "download")]
    #[error(transparent)]
    Connection(#[from] ureq::Error),
    /// The server answers with an error.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// The body broke off; what came is kept and the next attempt goes on from there.
    #[error("the connection broke off after {got} bytes: {source}")]
    Broken {
        /// The number of bytes on disk.
        got: u64,
        /// The system's answer.
        source: io::Error,
    },
    /// The body ended before the length that was announced.
    #[error("the file ended after {got} of {announced} bytes")]
    Short {
        /// The number of bytes on disk.
        got: u64,
        /// The number of bytes announced.
        announced: u64,
    },
    /// The body is longer than the file can be.
    #[error("the server sends more than {limit} bytes, which the file cannot have")]
    TooLong {
        /// The most bytes that the file can have.
        limit: u64,
    },
    /// The file came, and it is not the right one.
    #[error("the server sent other content: {0}")]
    Content(Box<DataError>),
    /// The mirror was not asked, as those before it took all the time there was.
    #[error("it was not asked, as no mirror before it could be reached in time")]
    NotAsked,
}

fn folders(looked: &[PathBuf]) -> String {
    if looked.is_empty() {
        return "none was given".to_owned();
    }
    looked
        .iter()
        .map(|p| p.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

fn attempts(tried: &[MirrorFailure]) -> String {
    let tried: Vec<_> = tried.iter().map(ToString::to_string).collect();
    tried.join("; ")
}
