//! Filling a store from a source of tiles.

use super::{StoreError, Survey, TileStore};
use crate::error::Filled;
use ntk_linalg::tiled::{Position, TileSource, Tiling};
use ntk_linalg::{Observer, Real};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

impl<T: Real> TileStore<T> {
    /// Computes the tiles that are not there, and writes each as soon as it is complete.
    ///
    /// `source` must be of the matrix that the store's description is of. Each thread of rayon's
    /// pool has one tile at work: stopped or killed at any moment, no more than these are lost.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for the first file of a wrong length: then [`TileStore::repair`]
    /// what [`TileStore::verify`] finds. Otherwise as [`TileStore::repair`].
    pub fn fill<S: TileSource<T>>(
        &self,
        source: &S,
        observer: &dyn Observer,
    ) -> Result<(), StoreError> {
        let survey = self.survey()?;
        if let Some(damage) = survey.damaged.first() {
            return Err(StoreError::Damaged(damage.clone()));
        }
        self.repair(source, &survey, observer)
    }

    /// Computes the tiles that `survey`, of this store, found missing or damaged, as
    /// [`TileStore::fill`] does.
    ///
    /// # Errors
    /// [`StoreError::Write`] or [`StoreError::Tile`] for the first tile that cannot be written or
    /// computed, with what is left to do; [`StoreError::Source`] for tiles of another matrix;
    /// [`StoreError::ReadOnly`], [`StoreError::Tiling`]; [`StoreError::Cancelled`]. What was
    /// written by then stays.
    pub fn repair<S: TileSource<T>>(
        &self,
        source: &S,
        survey: &Survey,
        observer: &dyn Observer,
    ) -> Result<(), StoreError> {
        if self.lock.is_none() {
            return Err(StoreError::ReadOnly(self.folder.clone()));
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
        let failures = rayon::broadcast(|_| -> Result<(), Failure> {
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
                    there: survey.present + written,
                    tiles: tiling.count(),
                    bytes_left: self
                        .tile_bytes()
                        .saturating_mul((tiles.len() - written) as u64),
                }))
            }
        }
    }

    /// Refuses tiles of a matrix that is cut in another way.
    ///
    /// # Errors
    /// [`StoreError::Source`], with both ways.
    pub fn check_tiling(&self, given: &Tiling) -> Result<(), StoreError> {
        if given == self.tiling() {
            return Ok(());
        }
        Err(StoreError::Source {
            stored: name(self.tiling()),
            given: name(given),
        })
    }

    fn compute<S: TileSource<T>>(
        &self,
        source: &S,
        tile: Position,
        observer: &dyn Observer,
    ) -> Result<(), Failure> {
        observer.check().map_err(|e| Failure::Store(e.into()))?;
        let numbers = source.tile(tile).map_err(|e| Failure::Tile(Box::new(e)))?;
        self.write(tile, numbers.view())
            .map_err(|error| match error {
                StoreError::Io { path, source, .. } => Failure::Write { tile, path, source },
                other => Failure::Store(other),
            })
    }
}

/// Why a thread stopped, before it is known how far the others came.
enum Failure {
    Write {
        tile: Position,
        path: PathBuf,
        source: io::Error,
    },
    Tile(Box<dyn std::error::Error + Send + Sync>),
    Store(StoreError),
}

impl Failure {
    fn told(self, progress: Filled) -> StoreError {
        match self {
            Self::Write { tile, path, source } => StoreError::Write {
                tile,
                path,
                source,
                progress,
            },
            Self::Tile(source) => StoreError::Tile { source, progress },
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
