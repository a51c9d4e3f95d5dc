//! Where tiles come from.

use super::{Position, Tiling, TilingError};
use crate::Real;
use ndarray::Array2;
use std::error::Error;
use std::marker::PhantomData;

/// A matrix of which one tile at a time is at hand.
pub trait TileSource<T: Real>: Sync {
    /// Why a tile is not to be had.
    type Error: Error + Send + Sync + 'static;

    /// How the matrix is cut.
    fn tiling(&self) -> &Tiling;

    /// Tile `(i, j)`, of shape [`Tiling::shape`]; one on the diagonal of a symmetric matrix has
    /// both its halves.
    ///
    /// # Errors
    /// For tiles that do not exist, and as the source says.
    fn tile(&self, position: Position) -> Result<Array2<T>, Self::Error>;
}

/// A closure as a source; see [`from_fn`].
#[derive(Debug, Clone, Copy)]
pub struct FromFn<F> {
    tiling: Tiling,
    tile: F,
}

/// The source whose tiles are `tile(position)`, for positions of the tiling alone.
pub fn from_fn<F>(tiling: Tiling, tile: F) -> FromFn<F> {
    FromFn { tiling, tile }
}

impl<T: Real, F: Fn(Position) -> Array2<T> + Sync> TileSource<T> for FromFn<F> {
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
    /// Of `source`.
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
