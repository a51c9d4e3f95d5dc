//! The sources of tiles.

use super::{Position, Tiling, TilingError};
use crate::Real;
use ndarray::Array2;
use std::error::Error;
use std::marker::PhantomData;

/// A matrix of which one tile at a time is at hand: computed, read, or held in memory.
pub trait TileSource<T: Real>: Sync {
    /// The reason why a tile is not to be had.
    type Error: Error + Send + Sync + 'static;

    /// Returns how the matrix is cut.
    fn tiling(&self) -> &Tiling;

    /// Returns tile `(i, j)`, of shape [`Tiling::shape`]; one on the diagonal of a symmetric matrix
    /// has both its halves.
    ///
    /// # Errors
    /// Those of the source, for tiles that do not exist among others.
    fn tile(&self, position: Position) -> Result<Array2<T>, Self::Error>;
}

/// A source whose tiles a closure computes; [`from_fn`] makes one.
#[derive(Debug, Clone, Copy)]
pub struct TileFn<F> {
    tiling: Tiling,
    tile: F,
}

/// Returns the source whose tiles are `tile(position)`, which is called for positions of the tiling
/// alone.
pub fn from_fn<F>(tiling: Tiling, tile: F) -> TileFn<F> {
    TileFn { tiling, tile }
}

impl<T: Real, F: Fn(Position) -> Array2<T> + Sync> TileSource<T> for TileFn<F> {
    type Error = TilingError;

    fn tiling(&self) -> &Tiling {
        &self.tiling
    }

    fn tile(&self, position: Position) -> Result<Array2<T>, TilingError> {
        self.tiling.check(position)?;
        Ok((self.tile)(position))
    }
}

/// The tiles of another source in f64: for products in f64 with what was computed or stored in f32.
pub struct Widened<'a, T, S>(&'a S, PhantomData<fn() -> T>);

impl<'a, T: Real, S: TileSource<T>> Widened<'a, T, S> {
    /// Returns the tiles of `source` in f64.
    pub fn new(source: &'a S) -> Self {
        Self(source, PhantomData)
    }
}

impl<T: Real, S: TileSource<T>> TileSource<f64> for Widened<'_, T, S> {
    type Error = S::Error;

    fn tiling(&self) -> &Tiling {
        self.0.tiling()
    }

    fn tile(&self, position: Position) -> Result<Array2<f64>, S::Error> {
        Ok(self.0.tile(position)?.mapv(Real::to_f64))
    }
}
