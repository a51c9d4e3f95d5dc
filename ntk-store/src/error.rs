//! What can go wrong with a store.

use ntk_linalg::Cancelled;
use ntk_linalg::tiled::{Position, TilingError};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// An error of a store on disk.
#[derive(Debug, Error)]
pub enum StoreError {
    /// There is a store already.
    #[error("{} is a store already; open it, or name another folder", .0.display())]
    Exists(PathBuf),
    /// The folder holds no store.
    #[error(
        "{} is not a store: it has no zarr.json; name a store's folder, or one that is empty or new",
        .0.display()
    )]
    NotAStore(PathBuf),
    /// The manifest is not one that this version writes.
    #[error("{}: {reason}; restore the file, or name another folder", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The store is of something else.
    #[error(
        "{} holds another matrix: {}; ask for what it holds, or name another folder",
        folder.display(), list(differences)
    )]
    Differs {
        /// The store.
        folder: PathBuf,
        /// Everything in which it differs.
        differences: Vec<Difference>,
    },
    /// The numbers of the store are of another type than those asked for.
    #[error("the store is of {found}, and {expected} is asked for; open it as {found}")]
    Precision {
        /// The type asked for.
        expected: &'static str,
        /// The store's.
        found: &'static str,
    },
    /// JSON cannot say what the network is.
    #[error(
        "a store must say what its network is, and JSON cannot for an activation of your own: \
         {0}; use layers that have a name"
    )]
    Network(String),
    /// Another process writes.
    #[error("another process fills {}; wait for it, or end it", .0.display())]
    Locked(PathBuf),
    /// The store was opened for reading.
    #[error("{} was opened for reading; use open_or_create to write to it", .0.display())]
    ReadOnly(PathBuf),
    /// No such tile.
    #[error(transparent)]
    Tiling(#[from] TilingError),
    /// A tile to be written has another shape.
    #[error("tile {tile:?} has shape {expected:?}, found {found:?}; pass all of it and no more")]
    Shape {
        /// The tile.
        tile: Position,
        /// Its shape.
        expected: (usize, usize),
        /// The shape given.
        found: (usize, usize),
    },
    /// Tiles of another matrix than the store's.
    #[error("the store is of {stored}, and the tiles are of {given}; fill it from its own matrix")]
    Source {
        /// The store's matrix.
        stored: String,
        /// That of the tiles given.
        given: String,
    },
    /// A tile is not there yet.
    #[error("tile {tile:?} is not there yet, {} does not exist; fill the store first", path.display())]
    Missing {
        /// The tile.
        tile: Position,
        /// Its file.
        path: PathBuf,
    },
    /// A tile is not what was written.
    #[error("{0}; compute it again")]
    Damaged(Damage),
    /// A tile could not be computed.
    #[error("{source}; {progress}")]
    Tile {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// How far the store is filled.
        progress: Filled,
    },
    /// A tile could not be written: the disk is full, or worse.
    #[error(
        "tile {tile:?}: cannot write {}: {source}; {progress}; {}, and fill the store again",
        path.display(), remedy(source)
    )]
    Write {
        /// The tile.
        tile: Position,
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
        /// How far the store is filled.
        progress: Filled,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl StoreError {
    /// Makes the error of a failure to do `action` with `path`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.into(),
            source,
        }
    }
}

/// In what a store is not what is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What differs, as `layers[1]` or `precision`.
    pub what: String,
    /// The store's value.
    pub stored: String,
    /// The value asked for.
    pub asked: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            stored,
            asked,
        } = self;
        write!(f, "{what} is {stored} there and {asked} here")
    }
}

/// How far a store is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filled {
    /// Tiles that are safely there.
    pub there: usize,
    /// Tiles of the whole matrix.
    pub tiles: usize,
    /// Bytes that remain to be written.
    pub bytes_left: u64,
}

impl fmt::Display for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            there,
            tiles,
            bytes_left,
        } = self;
        write!(
            f,
            "{there} of {tiles} tiles are safely there, {bytes_left} bytes remain to be written"
        )
    }
}

/// A tile that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("tile {tile:?} is damaged: {} {fault}", path.display())]
pub struct Damage {
    /// The tile.
    pub tile: Position,
    /// Its file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a tile's file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// It is shorter or longer than a tile.
    #[error("has {found} bytes, expected {expected}")]
    Length {
        /// Bytes of a tile.
        expected: u64,
        /// Bytes of the file.
        found: u64,
    },
    /// Its numbers are not those that the checksum is of.
    #[error("has the checksum {found:08x}, expected {expected:08x}")]
    Checksum {
        /// What stands in the file.
        expected: u32,
        /// That of the numbers in the file.
        found: u32,
    },
    /// The system cannot read it.
    #[error("cannot be read, {reason}")]
    Unreadable {
        /// Why not.
        reason: String,
    },
}

fn list(differences: &[Difference]) -> String {
    let texts: Vec<_> = differences.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room for them",
        _ => "mend that",
    }
}
