//! Kernel matrices tile by tile.
//!
//! A matrix too large for memory is a [`TileSource`], computed tile by tile here or read from a
//! store of tiles on disk; [`ntk_linalg::tiled`] multiplies with it, solves
//! with it and takes it into memory.

use crate::closed_form::{Get, KernelError, check_finite, kernels, kernels_of_others};
use crate::network::Network;
use ndarray::{Array2, ArrayView, ArrayViewD, Axis, Dimension, RemoveAxis, Slice};
use ntk_linalg::Real;
use ntk_linalg::tiled::{Position, TileSource, Tiling, TilingError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One of a network's two kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kernel {
    /// The Gaussian-process kernel.
    Nngp,
    /// The neural tangent kernel.
    Ntk,
}

impl From<Kernel> for Get {
    fn from(kernel: Kernel) -> Self {
        match kernel {
            Kernel::Nngp => Self::Nngp,
            Kernel::Ntk => Self::Ntk,
        }
    }
}

/// Why a tile could not be computed.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum TileError {
    /// No such tile, or no such size of tiles.
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
        /// The tile.
        position: Position,
        /// Its first row.
        row: usize,
        /// Its first column.
        column: usize,
        /// Whose rows the columns are: `"x1"` or `"x2"`.
        other: &'static str,
        /// What failed; samples in it are counted from the tile's first.
        source: Box<KernelError>,
    },
}

/// The tiles of a network's kernel in closed form, each computed when asked for.
///
/// Every tile is equal, up to rounding, to that part of the matrix that [`kernels`] gives.
/// A tile's cost is that of [`kernels`] on its samples, and it is computed in parallel itself.
#[derive(Debug)]
pub struct ComputedTiles<'a, T> {
    network: &'a Network,
    x1: ArrayViewD<'a, T>,
    x2: Option<ArrayViewD<'a, T>>,
    kernel: Kernel,
    tiling: Tiling,
}

impl<'a, T: Real> ComputedTiles<'a, T> {
    /// The kernel of `x1` (n, ...) against `x2` (m, ...), or against itself where `x2` is `None`
    /// or equal to `x1`; then the lower half alone. Tiles have `tile` rows and columns.
    ///
    /// # Errors
    /// As [`kernels`] before any work, and [`TilingError::Tile`].
    pub fn new<D: RemoveAxis>(
        network: &'a Network,
        x1: ArrayView<'a, T, D>,
        x2: Option<ArrayView<'a, T, D>>,
        kernel: Kernel,
        tile: usize,
    ) -> Result<Self, TileError> {
        let (x1, x2) = (x1.into_dyn(), x2.map(ArrayView::into_dyn));
        let x2 = x2.filter(|x2| *x2 != x1);
        // Of no samples, and so only the checks.
        let second = x2.as_ref().map(start);
        kernels(network, start(&x1), second, Get::Ntk, &())?;
        check_finite("x1", &x1)?;
        x2.as_ref().map_or(Ok(()), |x2| check_finite("x2", x2))?;
        let tiling = match &x2 {
            None => Tiling::symmetric(length(&x1), tile),
            Some(x2) => Tiling::new(length(&x1), length(x2), tile),
        }?;
        Ok(Self {
            network,
            x1,
            x2,
            kernel,
            tiling,
        })
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &Network {
        self.network
    }

    /// The rows' samples.
    #[must_use]
    pub fn x1(&self) -> ArrayViewD<'_, T> {
        self.x1.view()
    }

    /// The columns' samples, where they are others.
    #[must_use]
    pub fn x2(&self) -> Option<ArrayViewD<'_, T>> {
        self.x2.as_ref().map(|x2| x2.view())
    }

    /// Which of the network's kernels.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }
}

/// The first none of the samples.
fn start<'a, T>(x: &'a ArrayViewD<'_, T>) -> ArrayViewD<'a, T> {
    match x.ndim() {
        0 => x.view(),
        _ => x.slice_axis(Axis(0), Slice::from(0..0)),
    }
}

fn length<T, D: Dimension>(x: &ArrayView<'_, T, D>) -> usize {
    x.shape().first().copied().unwrap_or(0)
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
        let (others, other) = match &self.x2 {
            Some(x2) => (x2, "x2"),
            None => (&self.x1, "x1"),
        };
        let first = self.x1.slice_axis(Axis(0), Slice::from(rows));
        let second = others.slice_axis(Axis(0), Slice::from(columns));
        let found = if self.tiling.is_symmetric() && position.0 == position.1 {
            kernels(self.network, first, None, self.kernel.into(), &())
        } else {
            kernels_of_others(self.network, first, second, self.kernel.into(), &())
        };
        let found = found.map_err(|source| TileError::Kernel {
            position,
            row,
            column,
            other,
            source: source.into(),
        })?;
        Ok(match self.kernel {
            Kernel::Nngp => found.nngp,
            Kernel::Ntk => found.ntk,
        }
        .expect("the kernel that was asked for"))
    }
}

#[cfg(test)]
mod tests;
