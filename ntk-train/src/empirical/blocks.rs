//! What is known of blocks of samples, which many tiles of a kernel have in common: their factors `F`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The side of a matrix, 0 for rows, and the number of a block of its samples.
pub(super) type Block = (usize, usize);

/// Factors that are kept: of the first blocks that have room, and of the current row of tiles.
///
/// Tiles are asked for row by row, and so need the first columns most often. Which blocks are kept
/// changes nothing but the time.
pub(super) struct Blocks<F> {
    room: usize,
    /// The side whose blocks come again in every row of tiles.
    columns: usize,
    kept: Mutex<Kept<F>>,
}

struct Kept<F> {
    first: BTreeMap<Block, Arc<F>>,
    /// The block of the current row, where it has no room among those.
    row: Option<(Block, Arc<F>)>,
}

impl<F> Blocks<F> {
    /// Makes room for so many blocks.
    pub(super) fn new(room: usize, columns: usize) -> Self {
        let kept = Mutex::new(Kept {
            first: BTreeMap::new(),
            row: None,
        });
        Self {
            room,
            columns,
            kept,
        }
    }

    /// Returns the factors of a block, and keeps them where there is room or `is_row` says that the
    /// next tile needs them too.
    ///
    /// Threads that ask for a block at once each compute it. One that waited for another's could wait for
    /// ever: while a worker of rayon's pool computes, it may take up a job that ends only after the
    /// job of the one that waits.
    pub(super) fn get<E>(
        &self,
        block: Block,
        is_row: bool,
        compute: impl FnOnce() -> Result<F, E>,
    ) -> Result<Arc<F>, E> {
        if let Some(known) = self.known(block) {
            return Ok(known);
        }
        let factors = Arc::new(compute()?);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if block.0 == self.columns && kept.first.len() < self.room {
            kept.first.insert(block, factors.clone());
        } else if is_row {
            kept.row = Some((block, factors.clone()));
        }
        Ok(factors)
    }

    fn known(&self, block: Block) -> Option<Arc<F>> {
        // What is in it is whole at any moment.
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let row = kept.row.as_ref().filter(|(row, _)| *row == block);
        let found = kept.first.get(&block).or(row.map(|(_, factors)| factors));
        found.cloned()
    }
}
