//! The empirical NTK tile by tile.

use super::blocks::{Block, Blocks};
use super::factors::{Factor, factors};
use super::kernel_fn::EmpiricalKernelFn;
use super::needs::{BYTES, Needs};
use super::structured::Pair;
use crate::compiled::Scalar;
use crate::finite;
use crate::model::{ModelError, check_memory, saturating};
use crate::rows::Rows;
use ndarray::{Array2, ArrayRef, ArrayView2, Dimension};
use ntk_kernels::network::Network;
use ntk_kernels::tiles::KernelTiles;
use ntk_kernels::{Inputs, Kernel};
use ntk_linalg::mirror_lower;
use ntk_linalg::tiled::{Position, TileSource, Tiling};
use std::ops::Range;
use std::sync::Arc;

/// `EmpiricalTiles` are the empirical NTK of a model of which each tile is computed when asked for;
/// [`EmpiricalKernelFn::ntk_tiles`] makes them.
///
/// Every tile is equal, up to rounding, to that part of the whole matrix, and is computed in parallel
/// itself. Its entries are products of factors of its samples, which cost as much as a forward and a
/// backward pass for each output. They are kept for the tiles that follow: those of the current row
/// and, as far as 1 GiB goes, of the first columns.
///
/// Asked for row by row on one thread, tiles cost no more than the whole kernel while all factors fit,
/// and otherwise the factors of one more block of samples a tile. Threads that begin a row of tiles
/// together each compute the factors of its samples.
pub struct EmpiricalTiles<'a, T: Scalar> {
    kernel_fn: EmpiricalKernelFn<'a, T>,
    /// The samples of rows and, where they are others, of columns.
    inputs: (Inputs<'a, T>, Option<Inputs<'a, T>>),
    /// The same as layers take them.
    rows: (Rows<'a, T>, Option<Rows<'a, T>>),
    tiling: Tiling,
    /// The rows of a sample.
    side: usize,
    /// The needs of one tile.
    needs: Needs,
    /// The factors that are kept; `None` where those of one tile are too large to be.
    blocks: Option<Blocks<Vec<Factor<T>>>>,
}

impl<'a, T: Scalar> EmpiricalKernelFn<'a, T> {
    /// Makes the tiles of the NTK of `x` (n, ...) with itself, for matrices larger than memory: the
    /// tiles of its lower half, each computed when asked for.
    ///
    /// Tiles have [`EmpiricalKernelFn::tile`] rows and columns. An observer is not asked: whoever takes
    /// the tiles counts them.
    ///
    /// ```
    /// use ndarray::Array;
    /// use ntk_kernels::network::{Network, dense, relu};
    /// use ntk_linalg::tiled::TileSource;
    /// use ntk_train::{Init, Model};
    ///
    /// let network = Network::new().then(dense().width(8)).then(relu()).then(dense().width(2));
    /// let model = Model::<f64>::new(&network, 3, Init::default(), 0)?;
    /// let x = Array::from_shape_fn((5, 3), |(i, j)| (i + j) as f64);
    /// let tiles = model.kernel_fn().tile(2).ntk_tiles(&x)?;
    /// assert_eq!(tiles.tile((2, 0))?.dim(), (1, 2)); // row 4, columns 0 and 1
    /// # Ok::<(), ntk_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ModelError::Input`] and its like where the samples do not fit, [`ModelError::Tiling`] for
    /// tiles without entries, [`ModelError::Memory`] where there is too little for one. A tile fails
    /// as [`EmpiricalKernelFn::ntk`] does.
    pub fn ntk_tiles<D: Dimension>(
        &self,
        x: &'a ArrayRef<T, D>,
    ) -> Result<EmpiricalTiles<'a, T>, ModelError> {
        T::tiles(*self, x.into(), None)
    }

    /// Makes the tiles of the NTK of `x1` (n, ...), the rows, with `x2` (m, ...), the columns.
    ///
    /// # Errors
    /// As [`EmpiricalKernelFn::ntk_tiles`].
    pub fn ntk_tiles_between<D: Dimension, E: Dimension>(
        &self,
        x1: &'a ArrayRef<T, D>,
        x2: &'a ArrayRef<T, E>,
    ) -> Result<EmpiricalTiles<'a, T>, ModelError> {
        T::tiles(*self, x1.into(), Some(x2.into()))
    }
}

/// [`EmpiricalKernelFn::ntk_tiles`].
pub(crate) fn tiles<'a, T: Scalar>(
    kernel_fn: EmpiricalKernelFn<'a, T>,
    x1: Inputs<'a, T>,
    x2: Option<Inputs<'a, T>>,
) -> Result<EmpiricalTiles<'a, T>, ModelError> {
    let kernel_fn = kernel_fn.observer(&());
    let model = kernel_fn.model;
    let x1 = kernel_fn.with(0, x1);
    let x2 = x2.map(|x2| kernel_fn.with(1, x2));
    let rows = (
        model.rows(x1.clone())?,
        x2.clone().map(|x2| model.rows(x2)).transpose()?,
    );
    let side = kernel_fn.trace.side(model.outputs());
    // None of no rows, which is refused below.
    let samples = (kernel_fn.tile / side).max(kernel_fn.tile.min(1));
    let tile = samples.saturating_mul(side);
    let length = |rows: &Rows<'_, T>| rows.len().saturating_mul(side);
    let tiling = match &rows.1 {
        None => Tiling::symmetric(length(&rows.0), tile),
        Some(columns) => Tiling::new(length(&rows.0), length(columns), tile),
    }?;
    let most = most(&rows);
    let samples = samples.min(most);
    // In the forms of the whole kernel, so that tiles are parts of it.
    let sites = kernel_fn.sites(most);
    let needs = Needs::of_sites(model, sites, (samples, Some(samples)), kernel_fn.trace);
    needs.check()?;
    let block = needs.of_one.saturating_mul(samples).max(1);
    let keeps = block <= BYTES / 2 && !kernel_fn.by_contraction;
    let columns = usize::from(x2.is_some());
    Ok(EmpiricalTiles {
        kernel_fn,
        inputs: (x1, x2),
        rows,
        tiling,
        side,
        needs,
        blocks: keeps.then(|| Blocks::new(BYTES / block, columns)),
    })
}

/// Returns the larger number of samples, of rows or of columns.
fn most<T: Scalar>((one, two): &(Rows<'_, T>, Option<Rows<'_, T>>)) -> usize {
    one.len().max(two.as_ref().map_or(0, Rows::len))
}

impl<T: Scalar> EmpiricalTiles<'_, T> {
    /// Returns how many bytes are taken while each thread of rayon's current pool computes a tile, these
    /// and what is kept for others with them: an estimate from above.
    #[must_use]
    pub fn working_memory(&self) -> u64 {
        let (samples, most) = (self.tiling.tile() / self.side, most(&self.rows));
        let block = saturating([self.needs.of_one, samples.min(most)]);
        let mut of_one = self.needs.result.saturating_add(self.needs.working);
        let mut kept = 0;
        match self.blocks {
            // Its column's block, and its row's, which it may not share.
            Some(_) => {
                of_one = of_one.saturating_add(block.saturating_mul(2));
                kept = saturating([self.needs.of_one, most]).min(BYTES as u64);
            }
            None => of_one = of_one.max(self.needs.bytes()),
        }
        of_one
            .saturating_mul(saturating([rayon::current_num_threads()]))
            .saturating_add(kept)
    }

    /// Returns the factors of the block that samples make up.
    fn factors(
        &self,
        blocks: &Blocks<Vec<Factor<T>>>,
        block: Block,
        is_row: bool,
        samples: Range<usize>,
    ) -> Result<Arc<Vec<Factor<T>>>, ModelError> {
        let rows = match (block.0, &self.rows.1) {
            (1, Some(columns)) => columns,
            _ => &self.rows.0,
        };
        blocks.get(block, is_row, || {
            let (kernel_fn, part) = (&self.kernel_fn, rows.all().of(samples));
            factors(kernel_fn.model, &self.needs.sites, part, &())
        })
    }
}

/// [`EmpiricalTiles`]' tile.
pub(crate) fn tile<T: Scalar>(
    tiles: &EmpiricalTiles<'_, T>,
    position: Position,
) -> Result<Array2<T>, ModelError> {
    let (tiling, side, kernel_fn) = (&tiles.tiling, tiles.side, &tiles.kernel_fn);
    tiling.check(position)?;
    let (i, j) = position;
    let samples = |range: Range<usize>| range.start / side..range.end / side;
    let (rows, columns) = (
        samples(tiling.row_range(i)),
        samples(tiling.column_range(j)),
    );
    let begin = (rows.start, columns.start);
    let (x1, x2) = (tiles.x1(), tiles.x2());
    let own = x2.is_none() && i == j;
    let kernel = match &tiles.blocks {
        Some(blocks) => {
            check_memory(tiles.needs.result)?;
            let one = tiles.factors(blocks, (0, i), true, rows)?;
            let of_columns = (usize::from(x2.is_some()), j);
            let two = match own {
                true => None,
                false => Some(tiles.factors(blocks, of_columns, false, columns)?),
            };
            let mut kernel = Array2::zeros(tiling.shape(position));
            let pair = Pair {
                one: &one,
                two: two.as_ref().map(|two| &two[..]),
                outputs: kernel_fn.model.outputs(),
                trace: kernel_fn.trace,
                // Usually every thread has a tile of its own.
                alone: false,
            };
            pair.add(&tiles.needs.sites, &(), kernel.view_mut())?;
            if own {
                mirror_lower(&mut kernel).expect("a tile on the diagonal is square");
            }
            kernel
        }
        None => {
            let one = x1.slice(rows).expect(CHECKED);
            let others = x2.as_ref().unwrap_or(&x1).slice(columns).expect(CHECKED);
            kernel_fn.computed(Kernel::Ntk, one, (!own).then_some(others))?
        }
    };
    finite::kernel(
        kernel_fn.model,
        (Kernel::Ntk, side),
        begin,
        (&x1, x2.as_ref()),
        kernel,
    )
}

impl<T: Scalar> TileSource<T> for EmpiricalTiles<'_, T> {
    type Error = ModelError;

    fn tiling(&self) -> &Tiling {
        &self.tiling
    }

    fn tile(&self, position: Position) -> Result<Array2<T>, ModelError> {
        T::tile(self, position)
    }
}

impl<T: Scalar> KernelTiles<T> for EmpiricalTiles<'_, T> {
    fn network(&self) -> Network {
        self.kernel_fn.model.network()
    }

    fn kernel(&self) -> Kernel {
        Kernel::Ntk
    }

    fn x1(&self) -> Inputs<'_, T> {
        self.inputs.0.view()
    }

    fn x2(&self) -> Option<Inputs<'_, T>> {
        self.inputs.1.as_ref().map(Inputs::view)
    }

    fn parameters(&self) -> Option<Vec<ArrayView2<'_, T>>> {
        Some(self.kernel_fn.model.theta())
    }

    fn side(&self) -> usize {
        self.side
    }
}

const CHECKED: &str = "samples of a tile that exists";

#[cfg(test)]
mod tests;
