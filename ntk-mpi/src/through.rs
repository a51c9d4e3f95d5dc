//! The blocks of a matrix on their way from rank 0's store, and to it.

use crate::communicate::{broadcast, receive, send};
use crate::{BlockCyclic, Grid};
use ndarray::{Array2, s};
use ntk_linalg::tiled::{Position, Tiling};
use rayon::prelude::*;

use crate::Error;
use crate::error::agree;
use ntk_store::TileStore;

/// The numbers that rank 0 has on their way to the store at a time: 256 MiB.
const IN_FLIGHT: usize = 1 << 25;

/// Rank 0's store of a matrix whose blocks are its tiles, and on every rank which of them it has.
pub(crate) struct Through<'a> {
    grid: &'a Grid,
    /// The store, on rank 0 alone.
    store: Option<&'a TileStore<f64>>,
    tiling: Tiling,
    /// Whether each tile is there, at its [`Tiling::index`].
    there: Vec<bool>,
}

impl<'a> Through<'a> {
    /// Looks at rank 0's store; `None` where it has none. The call is collective.
    pub(crate) fn new(
        grid: &'a Grid,
        store: Option<&'a TileStore<f64>>,
        tiling: Tiling,
    ) -> Result<Option<Self>, Error> {
        let communicator = grid.communicator();
        let store = store.filter(|_| grid.rank() == 0);
        let mut any = [store.is_some()];
        broadcast(communicator, 0, &mut any);
        if !any[0] {
            return Ok(None);
        }
        let found = store.map_or(Ok(Vec::new()), |store| tiles_there(store, &tiling));
        let mut there = agree(communicator, found)?;
        there.resize(tiling.count(), false);
        broadcast(communicator, 0, &mut there);
        Ok(Some(Self {
            grid,
            store,
            tiling,
            there,
        }))
    }

    /// Tells whether the store had the tile at first.
    pub(crate) fn has(&self, tile: Position) -> bool {
        self.there[self.tiling.index(tile)]
    }

    /// Puts those of `tiles` that the store has into `matrix`, each on the rank that holds it.
    /// The call is collective.
    ///
    /// # Errors
    /// The first error of rank 0's reading, on rank 0 alone; what it sends after that are zeros.
    pub(crate) fn hand_out(
        &self,
        tiles: &[Position],
        matrix: &mut BlockCyclic,
    ) -> Result<(), ntk_store::Error> {
        let mut done = Ok(());
        for &tile in tiles.iter().filter(|tile| self.has(**tile)) {
            let owner = self.owner(tile);
            let mut block = Array2::zeros(self.tiling.shape(tile));
            if let (Some(store), Ok(())) = (self.store, &done) {
                match store.read(tile) {
                    Ok(found) => block = found,
                    Err(error) => done = Err(error),
                }
            }
            let numbers = block.as_slice_mut().expect("it is row-major");
            match (self.grid.rank(), owner) {
                (0, 0) => {}
                (0, owner) => send(self.grid.communicator(), owner, numbers),
                (rank, owner) if rank == owner => receive(self.grid.communicator(), 0, numbers),
                _ => continue,
            }
            if self.grid.rank() == owner {
                let (rows, columns) = self.place(tile, matrix);
                let mut there = matrix.local_mut();
                there.slice_mut(s![rows, columns]).assign(&block);
            }
        }
        done
    }

    /// Writes those of `tiles` that the store has not, from where they are in `matrix`. The call is
    /// collective.
    ///
    /// # Errors
    /// The first error of rank 0's writing, on rank 0 alone; it then receives and forgets what is left.
    pub(crate) fn hand_in(
        &self,
        tiles: &[Position],
        matrix: &BlockCyclic,
    ) -> Result<(), ntk_store::Error> {
        let new: Vec<_> = tiles
            .iter()
            .copied()
            .filter(|tile| !self.has(*tile))
            .collect();
        let block = self.tiling.tile();
        let mut done = Ok(());
        for batch in new.chunks((IN_FLIGHT / (block * block)).max(1)) {
            let mut blocks = Vec::new();
            for &tile in batch {
                let (rank, owner) = (self.grid.rank(), self.owner(tile));
                let mut numbers = Array2::zeros((0, 0));
                if rank == owner {
                    let (rows, columns) = self.place(tile, matrix);
                    let here = matrix.local().slice_move(s![rows, columns]);
                    numbers = here.as_standard_layout().into_owned();
                } else if rank == 0 {
                    numbers = Array2::zeros(self.tiling.shape(tile));
                }
                let communicator = self.grid.communicator();
                match rank {
                    0 if owner != 0 => {
                        let numbers = numbers.as_slice_mut().expect("it is new");
                        receive(communicator, owner, numbers);
                    }
                    rank if rank == owner && owner != 0 => {
                        send(communicator, 0, numbers.as_slice().expect("it is new"));
                    }
                    _ => {}
                }
                blocks.push((tile, numbers));
            }
            if let (Some(store), Ok(())) = (self.store, &done) {
                let writing = blocks.par_iter();
                done = writing.try_for_each(|(tile, block)| store.write(*tile, block));
            }
        }
        done
    }

    /// Finds the rank that holds a tile.
    fn owner(&self, (i, j): Position) -> usize {
        let (rows, columns) = self.grid.shape();
        i % rows * columns + j % columns
    }

    /// Finds where a tile of this rank is in `matrix`.
    fn place(
        &self,
        (i, j): Position,
        matrix: &BlockCyclic,
    ) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let (rows, columns) = (self.tiling.row_range(i), self.tiling.column_range(j));
        let (down, right) = (matrix.rows(), matrix.columns());
        (
            down.held_below(rows.start)..down.held_below(rows.end),
            right.held_below(columns.start)..right.held_below(columns.end),
        )
    }
}

/// Lists which tiles there are in a store that is of this tiling and has no damaged tile.
fn tiles_there(store: &TileStore<f64>, tiling: &Tiling) -> Result<Vec<bool>, ntk_store::Error> {
    store.check_tiling(tiling)?;
    let survey = store.survey()?;
    if let Some(damage) = survey.damaged.first() {
        return Err(ntk_store::Error::Damaged(damage.clone()));
    }
    let mut there = vec![true; tiling.count()];
    for tile in survey.missing {
        there[tiling.index(tile)] = false;
    }
    Ok(there)
}
