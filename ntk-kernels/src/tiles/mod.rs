//! Computes kernel matrices tile by tile.
//!
//! A matrix too large for memory is a [`TileSource`], computed tile by tile here or read from a
//! store of tiles on disk; [`ntk_linalg::tiled`] multiplies with it, solves
//! with it and takes it into memory.

use crate::closed_form::{Kernel, KernelError, KernelFn, Precision};
use crate::inputs::Inputs;
use crate::network::Network;
use crate::structure::Structure;
use ndarray::{Array2, ArrayRef, ArrayView2, Axis, CowArray, Dimension, IxDyn, Slice};
use ntk_linalg::Real;
use ntk_linalg::tiled::{Position, TILE, TileSource, Tiling, TilingError};
use thiserror::Error;

/// A `TileError` says why a tile could not be computed.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum TileError {
    /// The tile does not exist, or tiles of this size do not.
    #[error(transparent)]
    Tiling(#[from] TilingError),
    /// The network has no kernel, or the samples do not fit it.
    #[error(transparent)]
    Inputs(#[from] KernelError),
    /// The kernel of some of the samples failed.
    #[error(
        "tile {position:?}, where x1[0] stands for x1[{row}] and x2[0] for {other}[{column}]: {source}"
    )]
    Kernel {
        /// The position of the tile.
        position: Position,
        /// The first row of the tile.
        row: usize,
        /// The first column of the tile.
        column: usize,
        /// The input whose rows are the columns: `"x1"` or `"x2"`.
        other: &'static str,
        /// The error of the kernel; samples in it are counted from the first of the tile.
        source: Box<KernelError>,
    },
}

/// `KernelTiles` are the tiles of a network's kernel, which say what the matrix depends on: two sources
/// that say the same have the same matrix up to rounding.
pub trait KernelTiles<T: Real>: TileSource<T> {
    /// Returns the network.
    fn network(&self) -> Network;

    /// Returns which of the network's kernels it is.
    fn kernel(&self) -> Kernel;

    /// Returns the samples of the rows, with their masks and graphs.
    fn x1(&self) -> Inputs<'_, T>;

    /// Returns the samples of the columns, where they are not those of the rows.
    fn x2(&self) -> Option<Inputs<'_, T>>;

    /// Returns the parameters of a finite network, in its order; `None` where it is infinitely wide.
    fn parameters(&self) -> Option<Vec<ArrayView2<'_, T>>> {
        None
    }

    /// Returns how many rows, and columns, of the matrix a sample has: one for each output where the
    /// kernel is of all pairs of outputs.
    fn side(&self) -> usize {
        1
    }
}

/// `ComputedTiles` is a network's kernel in closed form of which each tile is computed when asked
/// for; [`KernelFn::tiles`] makes it.
///
/// Every tile is equal, up to rounding, to that part of the whole matrix. A tile costs what the
/// kernel of its samples costs, and is computed in parallel itself.
#[derive(Debug)]
pub struct ComputedTiles<'a, T> {
    network: &'a Network,
    x1: CowArray<'a, T, IxDyn>,
    x2: Option<CowArray<'a, T, IxDyn>>,
    /// The structures of the samples of rows and columns.
    structures: [&'a Structure; 2],
    kernel: Kernel,
    tiling: Tiling,
}

impl<'a, P> KernelFn<'a, P> {
    /// Makes the tiles of a kernel of `x` with itself, (n, n), for matrices larger than memory:
    /// the tiles of its lower half, each computed when asked for. A tile takes from the masks and
    /// graphs of [`KernelFn::structure`] those of its samples.
    ///
    /// Tiles have [`KernelFn::tile`] rows and columns, by default [`TILE`]. An observer is not
    /// asked: whoever takes the tiles counts them.
    ///
    /// ```
    /// use ndarray::Array;
    /// use ntk_kernels::Kernel;
    /// use ntk_kernels::network::{Network, dense, relu};
    /// use ntk_linalg::tiled::TileSource;
    ///
    /// let network = Network::new().then(dense()).then(relu()).then(dense());
    /// let x = Array::from_shape_fn((5, 3), |(i, j)| (i + j) as f64);
    /// let tiles = network.kernel_fn().tile(2).tiles(Kernel::Ntk, &x)?;
    /// assert_eq!(tiles.tile((2, 0))?.dim(), (1, 2)); // row 4, columns 0 and 1
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails as [`Network::ntk`] does, before any work; returns [`TilingError::Tile`] for tiles
    /// without entries.
    pub fn tiles<T: Real, D: Dimension>(
        &self,
        kernel: Kernel,
        x: &'a ArrayRef<T, D>,
    ) -> Result<ComputedTiles<'a, P::Output>, TileError>
    where
        P: Precision<T>,
    {
        self.cut(kernel, P::convert(x.view().into_dyn())?, None)
    }

    /// Makes the tiles of a kernel of `x1` (rows) with `x2` (columns), (n1, n2).
    ///
    /// # Errors
    /// Fails as [`KernelFn::tiles`] does.
    pub fn tiles_between<T: Real, D: Dimension, E: Dimension>(
        &self,
        kernel: Kernel,
        x1: &'a ArrayRef<T, D>,
        x2: &'a ArrayRef<T, E>,
    ) -> Result<ComputedTiles<'a, P::Output>, TileError>
    where
        P: Precision<T>,
    {
        let (x1, x2) = (x1.view().into_dyn(), x2.view().into_dyn());
        let [one, two] = self.structures;
        let x2 = (self.distinct || x1 != x2 || one != two).then_some(x2);
        self.cut(kernel, P::convert(x1)?, x2.map(P::convert).transpose()?)
    }

    fn cut<T: Real>(
        &self,
        kernel: Kernel,
        x1: CowArray<'a, T, IxDyn>,
        x2: Option<CowArray<'a, T, IxDyn>>,
    ) -> Result<ComputedTiles<'a, T>, TileError> {
        self.check(&x1, x2.as_deref())?;
        let tile = self.tile.unwrap_or(TILE);
        let tiling = match &x2 {
            None => Tiling::symmetric(x1.len_of(Axis(0)), tile),
            Some(x2) => Tiling::new(x1.len_of(Axis(0)), x2.len_of(Axis(0)), tile),
        }?;
        Ok(ComputedTiles {
            network: self.network,
            x1,
            x2,
            structures: self.structures,
            kernel,
            tiling,
        })
    }
}

impl<T: Real> KernelTiles<T> for ComputedTiles<'_, T> {
    fn network(&self) -> Network {
        self.network.clone()
    }

    fn kernel(&self) -> Kernel {
        self.kernel
    }

    fn x1(&self) -> Inputs<'_, T> {
        Inputs::new(&self.x1).structure(self.structures[0])
    }

    fn x2(&self) -> Option<Inputs<'_, T>> {
        let with = |x2| Inputs::new(x2).structure(self.structures[1]);
        self.x2.as_deref().map(with)
    }
}

impl<T: Real> TileSource<T> for ComputedTiles<'_, T> {
    type Error = TileError;

    fn tiling(&self) -> &Tiling {
        &self.tiling
    }

    fn tile(&self, position: Position) -> Result<Array2<T>, TileError> {
        self.tiling.check(position)?;
        let rows = self.tiling.row_range(position.0);
        let columns = self.tiling.column_range(position.1);
        let (row, column) = (rows.start, columns.start);
        let [one, two] = self.structures;
        let (others, two, other) = match &self.x2 {
            Some(x2) => (x2, two, "x2"),
            None => (&self.x1, one, "x1"),
        };
        let first = self.x1.slice_axis(Axis(0), Slice::from(rows.clone()));
        let second = others.slice_axis(Axis(0), Slice::from(columns.clone()));
        let [one, two] = [one.of_samples(rows), two.of_samples(columns)]
            .map(|part| part.expect("of samples that were checked"));
        let of_tile = self.network.kernel_fn().structures(&one, &two);
        let found = if self.tiling.is_symmetric() && position.0 == position.1 {
            of_tile.kernel(self.kernel, &first)
        } else {
            let of_tile = of_tile.distinct();
            of_tile.kernel_between(self.kernel, &first, &second)
        };
        found.map_err(|source| TileError::Kernel {
            position,
            row,
            column,
            other,
            source: source.into(),
        })
    }
}

#[cfg(test)]
mod tests;
