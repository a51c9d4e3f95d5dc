//! Matrices in tiles, which are cut, multiplied, held in memory as half of a symmetric one, and
//! factored there.
//!
//! A [`TileSource`] is a matrix of which one tile at a time is at hand: computed, read from disk, or
//! held in [`SymmetricTiles`]. A [`TiledMatrix`] multiplies with any of them, makes one that is symmetric
//! what solvers ask for, or takes all its tiles into memory.

mod product;
mod source;
mod symmetric;
mod tiling;

pub use product::{ProductError, TiledMatrix, TiledOperator};
pub use source::{TileFn, TileSource, Widened, from_fn};
pub use symmetric::{ObservedTiles, SymmetricTiles, TILE, TiledCholesky};
pub use tiling::{Position, Tiling, TilingError};

#[cfg(test)]
mod tests;
