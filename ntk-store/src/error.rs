//! The error of the crate.

use ntk_linalg::Cancelled;
use ntk_linalg::tiled::{Position, TilingError};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// An `Error` says what failed with a store on disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is a store already.
    #[error("{} is a store already; open it, or name another folder", .0.display())]
    Exists(PathBuf),
    /// The folder holds no store.
    #[error(
        "{} is not a store: it has no zarr.json; name a store's folder, or one that is empty or new",
        .0.display()
    )]
    NotAStore(PathBuf),
    /// There is a file where the folder would be.
    #[error("{} is a file, and a store is a folder; name one that is empty or new", .0.display())]
    NoFolder(PathBuf),
    /// The folder has an empty name.
    #[error("the folder of a store has an empty name; name one, as . is that of the program")]
    Unnamed,
    /// The manifest is not one that this version writes.
    #[error("{}: {reason}; restore the file, or name another folder", path.display())]
    Manifest {
        /// The path of the manifest.
        path: PathBuf,
        /// The fault of the manifest.
        reason: String,
    },
    /// The store is of something else.
    #[error(
        "{} holds another matrix: {}; ask for what it holds, or name another folder",
        folder.display(), list(differences)
    )]
    Differs {
        /// The folder of the store.
        folder: PathBuf,
        /// Every difference between the store and what was asked for.
        differences: Vec<Difference>,
    },
    /// The numbers of the store are of another type than those asked for.
    #[error("the store is of {found}, and {expected} is asked for; open it as {found}")]
    Precision {
        /// The type asked for.
        expected: &'static str,
        /// The type of the store's numbers.
        found: &'static str,
    },
    /// The network cannot be said in JSON.
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
    /// The matrix has no such tile, or cannot be cut so.
    #[error(transparent)]
    Tiling(#[from] TilingError),
    /// A tile to be written has another shape.
    #[error("tile {tile:?} has shape {expected:?}, found {found:?}; pass all of it and no more")]
    Shape {
        /// The position of the tile.
        tile: Position,
        /// The shape of the tile.
        expected: (usize, usize),
        /// The shape given.
        found: (usize, usize),
    },
    /// The tiles are of another matrix than the store's.
    #[error("the store is of {stored}, and the tiles are of {given}; fill it from its own matrix")]
    Source {
        /// The matrix of the store.
        stored: String,
        /// The matrix of the tiles given.
        given: String,
    },
    /// A tile is not there yet.
    #[error("tile {tile:?} is not there yet, {} does not exist; fill the store first", path.display())]
    Missing {
        /// The position of the tile.
        tile: Position,
        /// The path of the tile's file.
        path: PathBuf,
    },
    /// A tile is not what was written.
    #[error("{0}; compute it again")]
    Damaged(Damage),
    /// A tile could not be computed.
    #[error("{source}; {progress}")]
    Tile {
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// The tiles that are safely there.
        progress: Filled,
    },
    /// A tile could not be written: the disk is full, or worse.
    #[error(
        "tile {tile:?}: cannot write {}: {source}; {progress}; {}, and fill the store again",
        path.display(), remedy(source)
    )]
    Write {
        /// The position of the tile.
        tile: Position,
        /// The path of the tile's file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
        /// The tiles that are safely there.
        progress: Filled,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The attempt that failed.
        action: &'static str,
        /// The path of the file or folder.
        path: PathBuf,
        /// The answer of the system.
        source: io::Error,
    },
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Error {
    /// Makes the error of a failure to do `action` with `path`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.into(),
            source,
        }
    }
}

/// A `Difference` is one thing in which a store is not what is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The name of what differs, as `layers[1]` or `precision`.
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

/// `Filled` says how far a store is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filled {
    /// The number of tiles that are safely there.
    pub there: usize,
    /// The number of tiles of the whole matrix.
    pub tiles: usize,
    /// The number of bytes that remain to be written.
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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tile {tile:?} is damaged: {} {fault}", path.display())]
pub struct Damage {
    /// The position of the tile.
    pub tile: Position,
    /// The path of the tile's file.
    pub path: PathBuf,
    /// The fault of the file.
    pub fault: Fault,
}

/// The faults that a tile's file can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file is shorter or longer than a tile.
    #[error("has {found} bytes, expected {expected}")]
    Length {
        /// The number of bytes of a tile.
        expected: u64,
        /// The number of bytes of the file.
        found: u64,
    },
    /// The numbers are not those that the checksum is of.
    #[error("has the checksum {found:08x}, expected {expected:08x}")]
    Checksum {
        /// The checksum in the file.
        expected: u32,
        /// The checksum of the numbers in the file.
        found: u32,
    },
    /// The system cannot read the file.
    #[error("cannot be read, {reason}")]
    Unreadable {
        /// The reason why not.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_can_share_the_error() {
        fn shared<E: std::error::Error + Send + Sync + 'static>() {}
        shared::<Error>();
    }
}
