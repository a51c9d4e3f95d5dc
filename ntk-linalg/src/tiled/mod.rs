//! Matrices in tiles: cut, multiplied, held in memory as half of a symmetric one, and factored there.
//!
//! A [`TileSource`] is a matrix of which one tile at a time is at hand: computed, read from disk, or
//! held in [`SymmetricTiles`]. [`product`] multiplies with any of them, [`TiledOperator`] makes one
//! that is symmetric what solvers ask for, and [`in_memory`] takes all its tiles into memory.

mod product;
mod source;
mod symmetric;
mod tiling;

pub use product::{ProductError, TiledOperator, product};
pub use source::{FromFn, TileSource, Widened, from_fn};
pub use symmetric::{SymmetricTiles, TILE, TiledCholesky, in_memory};
pub use tiling::{Position, Tiling, TilingError};

#[cfg(test)]
mod tests;
