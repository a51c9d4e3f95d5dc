//! The ways in which a matrix is cut into square tiles.

use std::ops::Range;
use thiserror::Error;

/// The row and the column of a tile, counted in tiles.
pub type Position = (usize, usize);

/// A tiling cuts a matrix of `rows` x `columns` into tiles of `tile` x `tile`, of which those at the
/// lower and the right edge are smaller. Of a symmetric matrix only the tiles on and below the diagonal exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiling {
    rows: usize,
    columns: usize,
    tile: usize,
    symmetric: bool,
}

/// A `TilingError` says why a tiling, or a tile of one, cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TilingError {
    /// Tiles would have no entries, or more than memory can address.
    #[error("a tile cannot have {tile} rows and columns; give at least 1, a usual number is 2048")]
    Tile {
        /// The number of rows and columns asked for.
        tile: usize,
    },
    /// There is no such tile.
    #[error(
        "there is no tile ({}, {}) among {} x {} tiles{}",
        .position.0, .position.1, .grid.0, .grid.1, half(*.symmetric)
    )]
    Position {
        /// The tile asked for.
        position: Position,
        /// The numbers of rows and of columns of tiles.
        grid: (usize, usize),
        /// Whether only the tiles on and below the diagonal exist.
        symmetric: bool,
    },
}

fn half(symmetric: bool) -> &'static str {
    if symmetric {
        "; of a symmetric matrix ask for those with column <= row"
    } else {
        ""
    }
}

impl Tiling {
    /// Cuts a matrix of `rows` x `columns`.
    ///
    /// # Errors
    /// [`TilingError::Tile`].
    pub fn new(rows: usize, columns: usize, tile: usize) -> Result<Self, TilingError> {
        let bytes = tile
            .checked_mul(tile)
            .and_then(|n| n.checked_mul(size_of::<f64>()));
        if tile == 0 || bytes.is_none_or(|bytes| isize::try_from(bytes).is_err()) {
            return Err(TilingError::Tile { tile });
        }
        Ok(Self {
            rows,
            columns,
            tile,
            symmetric: false,
        })
    }

    /// Cuts a symmetric matrix of order `n`, of which the tiles on and below the diagonal exist.
    ///
    /// # Errors
    /// [`TilingError::Tile`].
    pub fn symmetric(n: usize, tile: usize) -> Result<Self, TilingError> {
        Ok(Self {
            symmetric: true,
            ..Self::new(n, n, tile)?
        })
    }

    /// Returns the number of rows of the matrix.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the number of columns of the matrix.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Returns the number of rows and columns of a whole tile.
    #[must_use]
    pub fn tile(&self) -> usize {
        self.tile
    }

    /// Returns whether only the tiles on and below the diagonal exist.
    #[must_use]
    pub fn is_symmetric(&self) -> bool {
        self.symmetric
    }

    /// Returns the numbers of rows and of columns of tiles.
    #[must_use]
    pub fn grid(&self) -> (usize, usize) {
        (
            self.rows.div_ceil(self.tile),
            self.columns.div_ceil(self.tile),
        )
    }

    /// Returns how many tiles exist, or `usize::MAX` where there are more.
    #[must_use]
    pub fn count(&self) -> usize {
        let (rows, columns) = self.grid();
        let all = rows as u128 * columns as u128;
        let count = if self.symmetric {
            (all + rows as u128) / 2
        } else {
            all
        };
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    /// Returns the positions of the tiles that exist, row by row.
    pub fn positions(&self) -> impl Iterator<Item = Position> + use<> {
        let (rows, columns) = self.grid();
        let symmetric = self.symmetric;
        let rows = if columns == 0 { 0 } else { rows };
        (0..rows).flat_map(move |i| {
            let end = if symmetric { i + 1 } else { columns };
            (0..end).map(move |j| (i, j))
        })
    }

    /// Returns the place of a tile that exists among [`Tiling::positions`]; for any other position the
    /// number means nothing.
    #[must_use]
    pub fn index(&self, (i, j): Position) -> usize {
        let before = match self.symmetric {
            true => i as u128 * (i as u128 + 1) / 2,
            false => i as u128 * self.grid().1 as u128,
        };
        usize::try_from(before.saturating_add(j as u128)).unwrap_or(usize::MAX)
    }

    /// Refuses tiles that do not exist.
    ///
    /// # Errors
    /// [`TilingError::Position`].
    pub fn check(&self, position: Position) -> Result<(), TilingError> {
        let (grid, (i, j)) = (self.grid(), position);
        if i < grid.0 && j < grid.1 && (!self.symmetric || j <= i) {
            return Ok(());
        }
        Err(TilingError::Position {
            position,
            grid,
            symmetric: self.symmetric,
        })
    }

    /// Returns the matrix's rows in tile row `i`: none beyond the last.
    #[must_use]
    pub fn row_range(&self, i: usize) -> Range<usize> {
        range(self.rows, self.tile, i)
    }

    /// Returns the matrix's columns in tile column `j`: none beyond the last.
    #[must_use]
    pub fn column_range(&self, j: usize) -> Range<usize> {
        range(self.columns, self.tile, j)
    }

    /// Returns the numbers of rows and of columns of tile `(i, j)`.
    #[must_use]
    pub fn shape(&self, (i, j): Position) -> (usize, usize) {
        (self.row_range(i).len(), self.column_range(j).len())
    }
}

fn range(length: usize, tile: usize, index: usize) -> Range<usize> {
    let start = index.saturating_mul(tile).min(length);
    start..start.saturating_add(tile).min(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_tiles() {
        for (rows, columns) in [(0, 0), (0, 5), (5, 0)] {
            let tiling = Tiling::new(rows, columns, 3).unwrap();
            assert_eq!((tiling.count(), tiling.positions().count()), (0, 0));
            assert!(tiling.check((0, 0)).is_err());
        }
        assert_eq!(Tiling::symmetric(0, 1).unwrap().count(), 0);
    }

    #[test]
    fn impossible_tiles_are_refused() {
        for tile in [0, usize::MAX, 1 << 31] {
            let refused = Tiling::new(1, 1, tile);
            assert_eq!(refused, Err(TilingError::Tile { tile }));
        }
        let tiling = Tiling::symmetric(5, 2).unwrap();
        tiling.check((2, 2)).unwrap();
        for position in [(0, 1), (3, 0), (2, 3)] {
            let message = tiling.check(position).unwrap_err().to_string();
            assert!(message.contains("3 x 3 tiles; of a symmetric"), "{message}");
        }
        Tiling::new(5, 9, 2).unwrap().check((0, 4)).unwrap();
    }

    #[test]
    fn more_tiles_than_can_be_counted() {
        let tiling = Tiling::symmetric(usize::MAX, 1).unwrap();
        assert_eq!(tiling.count(), usize::MAX);
        assert_eq!(tiling.row_range(usize::MAX).len(), 0);
    }

    #[test]
    fn every_entry_is_in_one_tile() {
        for (rows, columns, tile) in (0..1300).map(|k| (k % 10, k / 10 % 10, 1 + k / 100)) {
            for symmetric in [false, true] {
                let tiling = match symmetric {
                    true => Tiling::symmetric(rows, tile),
                    false => Tiling::new(rows, columns, tile),
                };
                let tiling = tiling.unwrap();
                let mut seen = vec![0; tiling.rows() * tiling.columns()];
                for (index, (i, j)) in tiling.positions().enumerate() {
                    tiling.check((i, j)).unwrap();
                    assert_eq!(tiling.index((i, j)), index);
                    for row in tiling.row_range(i) {
                        for column in tiling.column_range(j) {
                            seen[row * tiling.columns() + column] += 1;
                            if symmetric && i != j {
                                seen[column * tiling.columns() + row] += 1;
                            }
                        }
                    }
                }
                assert!(seen.iter().all(|&count| count == 1), "{tiling:?}: {seen:?}");
                assert_eq!(tiling.count(), tiling.positions().count());
            }
        }
    }
}
