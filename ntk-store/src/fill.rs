//! Filling a store from a source of tiles.

use super::{Survey, TileStore};
use crate::error::{Error, Filled};
use ntk_linalg::tiled::{Position, TileSource, Tiling};
use ntk_linalg::{Observer, Real};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

impl<T: Real> TileStore<T> {
    /// Sets who is told of the progress of the work that follows, and may stop it.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), ntk_store::Error> {
    /// # let bar = ();
    /// let store = ntk_store::TileStore::<f32>::open("kernel")?;
    /// let survey = store.observer(&bar).verify()?;
    /// println!("{} tiles to compute", survey.to_compute().len());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn observer<'a>(&'a self, observer: &'a dyn Observer) -> Watched<'a, T> {
        Watched {
            store: self,
            observer,
        }
    }

    /// Computes the tiles that are not there, and writes each as soon as it is complete.
    ///
    /// `source` must be the matrix that the store's description is of. Each thread of rayon's
    /// pool has one tile at work: stopped or killed at any moment, no more than these are lost.
    ///
    /// # Errors
    /// [`Error::Damaged`] for the first file of a wrong length: then [`TileStore::repair`]
    /// what [`TileStore::verify`] finds. Otherwise as [`TileStore::repair`].
    pub fn fill<S: TileSource<T>>(&self, source: &S) -> Result<(), Error> {
        self.observer(&()).fill(source)
    }

    /// Computes the tiles that `survey`, of this store, found missing or damaged, as
    /// [`TileStore::fill`] does.
    ///
    /// # Errors
    /// [`Error::Write`] or [`Error::Tile`] for the first tile that cannot be written or
    /// computed, with what is left to do; [`Error::Source`] for tiles of another matrix;
    /// [`Error::ReadOnly`], [`Error::Tiling`]. What was written by then stays.
    pub fn repair<S: TileSource<T>>(&self, source: &S, survey: &Survey) -> Result<(), Error> {
        self.observer(&()).repair(source, survey)
    }

    fn compute_tiles<S: TileSource<T>>(
        &self,
        source: &S,
        survey: &Survey,
        observer: &dyn Observer,
    ) -> Result<(), Error> {
        if self.lock.is_none() {
            return Err(Error::ReadOnly(self.folder.clone()));
        }
        let tiling = self.tiling();
        self.check_tiling(source.tiling())?;
        let tiles = survey.to_compute();
        tiles.iter().try_for_each(|tile| tiling.check(*tile))?;
        observer.begin("kernel tiles", tiles.len() as u64);
        let (next, written) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let stop = AtomicBool::new(false);
        // One loop for each thread, and not a parallel iterator: of that a thread that waits for
        // parts of its tile would begin another one, and have both in memory.
        let failures = rayon::broadcast(|_| -> Result<(), Stop> {
            while !stop.load(Ordering::Relaxed) {
                let Some(&tile) = tiles.get(next.fetch_add(1, Ordering::Relaxed)) else {
                    break;
                };
                let done = self.compute(source, tile, observer);
                if done.is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
                done?;
                written.fetch_add(1, Ordering::Relaxed);
                observer.advance(1);
            }
            Ok(())
        });
        match failures.into_iter().find_map(Result::err) {
            None => Ok(()),
            Some(failure) => {
                let written = written.into_inner();
                Err(failure.told(Filled {
                    there: survey.present.saturating_add(written),
                    tiles: tiling.count(),
                    bytes_left: self
                        .tile_bytes()
                        .saturating_mul((tiles.len() - written) as u64),
                }))
            }
        }
    }

    /// Checks that tiles are those of a matrix cut in the same way.
    ///
    /// # Errors
    /// [`Error::Source`], with both ways.
    pub fn check_tiling(&self, given: &Tiling) -> Result<(), Error> {
        if given == self.tiling() {
            return Ok(());
        }
        Err(Error::Source {
            stored: name(self.tiling()),
            given: name(given),
        })
    }

    fn compute<S: TileSource<T>>(
        &self,
        source: &S,
        tile: Position,
        observer: &dyn Observer,
    ) -> Result<(), Stop> {
        observer.check().map_err(|e| Stop::Store(e.into()))?;
        let numbers = source.tile(tile).map_err(|e| Stop::Tile(Box::new(e)))?;
        self.write(tile, &numbers).map_err(|error| match error {
            Error::Io { path, source, .. } => Stop::Write { tile, path, source },
            other => Stop::Store(other),
        })
    }
}

/// A `Watched` store is one that works while an [`Observer`] watches; [`TileStore::observer`] makes it.
#[derive(Clone, Copy)]
pub struct Watched<'a, T> {
    store: &'a TileStore<T>,
    observer: &'a dyn Observer,
}

impl<T: Real> Watched<'_, T> {
    /// Computes the tiles that are not there: see [`TileStore::fill`].
    ///
    /// # Errors
    /// Those of [`TileStore::fill`], and [`Error::Cancelled`].
    pub fn fill<S: TileSource<T>>(self, source: &S) -> Result<(), Error> {
        let survey = self.store.survey()?;
        if let Some(damage) = survey.damaged.first() {
            return Err(Error::Damaged(damage.clone()));
        }
        self.repair(source, &survey)
    }

    /// Computes missing and damaged tiles: see [`TileStore::repair`].
    ///
    /// # Errors
    /// Those of [`TileStore::repair`], and [`Error::Cancelled`].
    pub fn repair<S: TileSource<T>>(self, source: &S, survey: &Survey) -> Result<(), Error> {
        self.store.compute_tiles(source, survey, self.observer)
    }

    /// Reads every tile, and compares its checksum: see [`TileStore::verify`].
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn verify(self) -> Result<Survey, Error> {
        self.store.verify_tiles(self.observer)
    }
}

/// The reason why a thread stopped, before it is known how far the others came.
enum Stop {
    Write {
        tile: Position,
        path: PathBuf,
        source: io::Error,
    },
    Tile(Box<dyn std::error::Error + Send + Sync>),
    Store(Error),
}

impl Stop {
    fn told(self, progress: Filled) -> Error {
        match self {
            Self::Write { tile, path, source } => Error::Write {
                tile,
                path,
                source,
                progress,
            },
            Self::Tile(source) => Error::Tile { source, progress },
            Self::Store(error) => error,
        }
    }
}

fn name(tiling: &Tiling) -> String {
    format!(
        "{} x {} in {} of {} x {}",
        tiling.rows(),
        tiling.columns(),
        if tiling.is_symmetric() {
            "lower tiles"
        } else {
            "tiles"
        },
        tiling.tile(),
        tiling.tile()
    )
}
