#![doc = include_str!("../README.md")]
//!
//! # Files
//! A store is a folder, a [Zarr v3](https://zarr-specs.readthedocs.io/en/latest/v3/core/index.html)
//! array of shape (n, m):
//!
//! | file | content |
//! |---|---|
//! | `zarr.json` | shape, data type `float32` or `float64`, a regular grid of chunks of `tile` x `tile`, the default chunk keys, fill value `"NaN"`, the codecs `bytes` (little endian) and `crc32c`; under `attributes.ntk` what the matrix is |
//! | `c/i/j` | tile `(i, j)`: `tile * tile` numbers, row by row, little endian, then their CRC-32C in four bytes, little endian. At the lower and the right edge what is beyond the matrix is NaN |
//! | `.lock` | nothing; locked by the process that writes |
//! | `c/i/.j.*` | a tile being written, where the system has no files without a name; removed by the next writer |
//!
//! `attributes.ntk` is `{"format": 2, "network": ..., "kernel": "ntk" or "nngp", "half": "lower"
//! or "all", "x1": {"shape": [...], "sha256": "..."}, "x2": the same or null}`. The SHA-256 is that
//! of the lengths of the axes, each a little-endian integer of 8 bytes, and then of the samples'
//! numbers, row by row, little endian, in the store's precision. Samples with masks or graphs also have
//! `"structure"`, the SHA-256 of, where there is a mask, `mask`, the lengths of its axes, and a byte of
//! 0 or 1 for each position; and for the graph of each sample `graph`, the number of its edges, and for
//! each, by head and then tail, tail, head and weight, in 8 bytes each.
//!
//! The empirical kernel of a finite network also has `"finite": {"sha256": "...", "side": ...}`: the
//! SHA-256 of its parameters, one array after the other and each as samples are, weights (fan_in,
//! width) before biases (1, width); and how many rows of the matrix a sample has, which is 1, or for
//! all pairs of outputs their number.
//!
//! `x2` is null for `x1` with itself; then `half` is `"lower"`: only tiles with `j <= i` are files, and
//! those on the diagonal have both halves. In Python:
//!
//! ```python
//! import numpy as np, zarr
//! a = zarr.open_array(path, mode="r")[:]   # fails on a damaged tile
//! k = np.tril(a) + np.tril(a, -1).T        # where half is "lower"
//! ```
//!
//! A tile is written into a temporary file without a name, flushed to disk and put in its place, so
//! that it is there whole or not at all: killed at any moment, a writer loses the tiles at work
//! alone. What the crate `zarrs` would do instead, and why it does not, is in `records/store.md` of
//! the repository.

// Not `forbid`: the macro `s!` of ndarray allows it inside.
#![deny(unsafe_code)]

mod checkpoint;
mod description;
mod error;
mod files;
mod fill;

pub use checkpoint::CheckpointFile;
pub use description::{Description, Fingerprint, Finite};
pub use error::{Damage, Difference, Error, Fault, Filled};
pub use fill::Watched;

use files::MANIFEST;
use ndarray::{Array2, ArrayRef2};
use ntk_linalg::tiled::{Position, TileSource, Tiling};
use ntk_linalg::{Observer, Real};
use rayon::prelude::*;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// A `TileStore` is a kernel matrix in tiles on disk; see [the crate](self).
#[derive(Debug)]
pub struct TileStore<T> {
    folder: PathBuf,
    description: Description,
    /// The lock, held while this process may write.
    lock: Option<File>,
    scalar: PhantomData<T>,
}

/// A `Survey` tells which tiles of a store are there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// The number of tiles that are there and in order, as far as was looked.
    pub present: usize,
    /// The tiles that are not there.
    pub missing: Vec<Position>,
    /// The tiles that are not what was written.
    pub damaged: Vec<Damage>,
}

impl Survey {
    /// Lists the tiles that have to be computed for the store to be whole: missing and damaged ones.
    #[must_use]
    pub fn to_compute(&self) -> Vec<Position> {
        let damaged = self.damaged.iter().map(|damage| damage.tile);
        self.missing.iter().copied().chain(damaged).collect()
    }
}

impl<T: Real> TileStore<T> {
    /// Makes a new store without tiles, for writing. The folder may exist if it is empty.
    ///
    /// # Errors
    /// [`Error::Exists`] where there is a store, [`Error::NotAStore`] where there are
    /// other files; [`Error::Locked`], [`Error::Precision`], [`Error::Io`].
    pub fn create(folder: impl AsRef<Path>, description: &Description) -> Result<Self, Error> {
        let folder = folder.as_ref();
        files::check_no_file(folder)?;
        check_precision::<T>(description)?;
        let refuse_existing = || {
            if files::exists(&folder.join(MANIFEST))? {
                return Err(Error::Exists(folder.into()));
            }
            Ok(())
        };
        refuse_existing()?;
        files::check_empty(folder)?;
        fs::create_dir_all(folder).map_err(Error::io("make", folder))?;
        let lock = files::lock(folder)?;
        // Another process may have made one in between.
        refuse_existing()?;
        files::clean(folder)?;
        let manifest = folder.join(MANIFEST);
        let text = format!("{:#}\n", description.to_json());
        files::write(&manifest, |file| file.write_all(text.as_bytes()))
            .map_err(Error::io("write", &manifest))?;
        Ok(Self::with(folder, description.clone(), Some(lock)))
    }

    /// Opens a store that exists, for reading alone, also while another process fills it.
    ///
    /// # Errors
    /// [`Error::NotAStore`], [`Error::Manifest`], [`Error::Precision`] where its
    /// numbers are not `T`, [`Error::Io`].
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let description = Description::read(folder)?;
        check_precision::<T>(&description)?;
        Ok(Self::with(folder, description, None))
    }

    /// Opens the store of this description for writing, or makes it where there is none.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::Kernel;
    /// use ntk_kernels::network::{Network, dense, relu};
    /// use ntk_store::{Description, TileStore};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// let network = Network::new().then(dense()).then(relu()).then(dense());
    /// let x = array![[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]];
    /// let tiles = network.kernel_fn().tile(2).tiles(Kernel::Ntk, &x)?;
    /// let description = Description::of(&tiles)?;
    /// let store = TileStore::<f64>::open_or_create(folder.path(), &description)?;
    /// store.fill(&tiles)?;
    /// drop(store); // another process may write now
    /// let whole = TileStore::<f64>::open(folder.path())?.verify()?;
    /// assert_eq!((whole.present, whole.to_compute().len()), (3, 0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Differs`], with every difference, where the store is of another description;
    /// otherwise as [`TileStore::create`] and [`TileStore::open`].
    pub fn open_or_create(
        folder: impl AsRef<Path>,
        description: &Description,
    ) -> Result<Self, Error> {
        let folder = folder.as_ref();
        files::check_no_file(folder)?;
        if !files::exists(&folder.join(MANIFEST))? {
            return Self::create(folder, description);
        }
        description.check(folder)?;
        check_precision::<T>(description)?;
        let lock = files::lock(folder)?;
        files::clean(folder)?;
        Ok(Self::with(folder, description.clone(), Some(lock)))
    }

    fn with(folder: &Path, description: Description, lock: Option<File>) -> Self {
        Self {
            folder: folder.into(),
            description,
            lock,
            scalar: PhantomData,
        }
    }

    /// Returns what the matrix is.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Returns the folder of the store.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the number of bytes of a tile's file.
    #[must_use]
    pub fn tile_bytes(&self) -> u64 {
        self.description.tile_bytes()
    }

    /// Returns the path of a tile's file.
    #[must_use]
    pub fn path(&self, (i, j): Position) -> PathBuf {
        self.folder.join(format!("c/{i}/{j}"))
    }

    /// Reads tile `(i, j)`, and verifies its checksum.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Damaged`], [`Error::Tiling`],
    /// [`Error::Io`].
    pub fn read(&self, position: Position) -> Result<Array2<T>, Error> {
        let tiling = *self.tiling();
        tiling.check(position)?;
        let path = self.path(position);
        let found = files::read_tile(&path, tiling.tile(), tiling.shape(position));
        match found.map_err(|error| self.unreadable(position, error))? {
            Ok(tile) => Ok(tile),
            Err(fault) => Err(Error::Damaged(self.damage(position, fault))),
        }
    }

    /// Writes tile `(i, j)`, of shape [`Tiling::shape`], whole or not at all; what was there is
    /// replaced.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Shape`], [`Error::Tiling`],
    /// [`Error::Io`]; the file is then as before.
    pub fn write(&self, position: Position, tile: &ArrayRef2<T>) -> Result<(), Error> {
        if self.lock.is_none() {
            return Err(Error::ReadOnly(self.folder.clone()));
        }
        self.tiling().check(position)?;
        let expected = self.tiling().shape(position);
        if tile.dim() != expected {
            return Err(Error::Shape {
                tile: position,
                expected,
                found: tile.dim(),
            });
        }
        let path = self.path(position);
        files::write_tile(&path, self.tiling().tile(), tile.view())
            .map_err(Error::io("write", &path))
    }

    /// Finds which tiles are there, by the lengths of their files alone.
    ///
    /// # Errors
    /// [`Error::Io`] where the system does not say.
    pub fn survey(&self) -> Result<Survey, Error> {
        let expected = self.tile_bytes();
        let mut survey = Survey::default();
        for position in self.tiling().positions() {
            let path = self.path(position);
            match fs::metadata(&path).map(|file| file.len()) {
                Ok(found) if found == expected => survey.present += 1,
                Ok(found) => {
                    let fault = Fault::Length { expected, found };
                    survey.damaged.push(self.damage(position, fault));
                }
                Err(e) if e.kind() == ErrorKind::NotFound => survey.missing.push(position),
                Err(e) => return Err(Error::io("read", &path)(e)),
            }
        }
        Ok(survey)
    }

    /// Finds which tiles are there, reads each and compares its checksum; one that the system
    /// cannot read is damaged too.
    ///
    /// # Errors
    /// It has none without an [observer](TileStore::observer), which may stop it.
    pub fn verify(&self) -> Result<Survey, Error> {
        self.observer(&()).verify()
    }

    fn verify_tiles(&self, observer: &dyn Observer) -> Result<Survey, Error> {
        observer.begin("verifying tiles", self.tiling().count() as u64);
        let positions: Vec<_> = self.tiling().positions().collect();
        let faults: Vec<_> = positions
            .into_par_iter()
            .map(|position| {
                observer.check()?;
                let found = files::verify_tile(&self.path(position), self.tile_bytes());
                observer.advance(1);
                Ok((position, found))
            })
            .collect::<Result<_, Error>>()?;
        let mut survey = Survey::default();
        for (position, found) in faults {
            match found {
                Ok(None) => survey.present += 1,
                Ok(Some(fault)) => survey.damaged.push(self.damage(position, fault)),
                Err(e) if e.kind() == ErrorKind::NotFound => survey.missing.push(position),
                Err(e) => {
                    let fault = Fault::Unreadable {
                        reason: e.to_string(),
                    };
                    survey.damaged.push(self.damage(position, fault));
                }
            }
        }
        Ok(survey)
    }

    fn damage(&self, tile: Position, fault: Fault) -> Damage {
        Damage {
            tile,
            path: self.path(tile),
            fault,
        }
    }

    fn unreadable(&self, tile: Position, error: std::io::Error) -> Error {
        let path = self.path(tile);
        match error.kind() {
            ErrorKind::NotFound => Error::Missing { tile, path },
            _ => Error::io("read", &path)(error),
        }
    }
}

/// Checks that numbers of one precision are not treated as another's.
fn check_precision<T: Real>(description: &Description) -> Result<(), Error> {
    if description.precision == T::NAME {
        return Ok(());
    }
    Err(Error::Precision {
        expected: T::NAME,
        found: description.precision,
    })
}

impl<T: Real> TileSource<T> for TileStore<T> {
    type Error = Error;

    fn tiling(&self) -> &Tiling {
        &self.description.tiling
    }

    fn tile(&self, position: Position) -> Result<Array2<T>, Error> {
        self.read(position)
    }
}

#[cfg(test)]
mod tests;
