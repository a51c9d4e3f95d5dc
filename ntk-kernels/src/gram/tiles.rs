//! Kernel matrices tile by tile, and products with them.

use super::tiling::{Position, Tiling, TilingError};
use crate::closed_form::{Get, KernelError, check_finite, kernels, kernels_of_others};
use crate::network::Network;
use ndarray::{Array2, ArrayView, ArrayView2, ArrayViewD, Axis, Dimension, RemoveAxis, Slice, s};
use ntk_linalg::{Cancelled, LinalgError, Observer, Real, gemm};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::error::Error as StdError;
use thiserror::Error;

/// A matrix of which one tile at a time is at hand.
pub trait TileSource<T: Real>: Sync {
    /// Why a tile is not to be had.
    type Error: StdError + Send + Sync + 'static;

    /// How the matrix is cut.
    fn tiling(&self) -> &Tiling;

    /// Tile `(i, j)`, of shape [`Tiling::shape`]; one on the diagonal of a symmetric matrix has
    /// both its halves.
    ///
    /// # Errors
    /// For tiles that do not exist, and as the source says.
    fn tile(&self, position: Position) -> Result<Array2<T>, Self::Error>;
}

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

/// Why a product with a matrix in tiles could not be computed.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ProductError<E> {
    /// The vectors do not fit the matrix.
    #[error(
        "the matrix has {columns} columns and the vectors have {rows} entries; give vectors of shape ({columns}, k)"
    )]
    Rows {
        /// Columns of the matrix.
        columns: usize,
        /// Rows of the vectors.
        rows: usize,
    },
    /// The matrix is not one of samples among themselves.
    #[error(
        "a symmetric matrix is needed, and this one has {rows} rows and {columns} columns of other samples"
    )]
    NotSymmetric {
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
    /// A tile is not to be had.
    #[error(transparent)]
    Tile(E),
    /// A product of a tile failed.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Tiles at work at a time, for each thread: enough that threads seldom wait for the last one.
const TILES_A_THREAD: usize = 4;

/// `K v`, of shape (n, k), for the matrix `K` (n, m) of `source` and `k` vectors `v` (m, k).
///
/// Each tile is asked for once, also where `K` is symmetric and the tile counts for its mirror
/// image. Tiles are taken in parallel and their products added in the same order on any number
/// of threads. Cost: every tile of `source`, and `2 n m k` flops. Memory: the result, and for
/// each thread four tiles and their products.
///
/// # Errors
/// [`ProductError`]: vectors that do not fit, before any work; the first tile that is not to be
/// had; when `observer` cancels.
pub fn product<T: Real, S: TileSource<T>>(
    source: &S,
    v: ArrayView2<'_, T>,
    observer: &dyn Observer,
) -> Result<Array2<T>, ProductError<S::Error>> {
    let tiling = *source.tiling();
    if v.nrows() != tiling.columns() {
        return Err(ProductError::Rows {
            columns: tiling.columns(),
            rows: v.nrows(),
        });
    }
    let mut result = Array2::zeros((tiling.rows(), v.ncols()));
    observer.begin("product with tiles", tiling.count() as u64);
    let mut positions = tiling.positions();
    loop {
        let batch: Vec<_> = positions
            .by_ref()
            .take(TILES_A_THREAD * rayon::current_num_threads())
            .collect();
        if batch.is_empty() {
            return Ok(result);
        }
        let parts: Vec<_> = batch
            .par_iter()
            .map(|&(i, j)| -> Result<_, ProductError<S::Error>> {
                observer.check()?;
                let tile = source.tile((i, j)).map_err(ProductError::Tile)?;
                let of = |tile: ArrayView2<'_, T>, rows| {
                    let mut part = Array2::zeros((tile.nrows(), v.ncols()));
                    let v = v.slice(s![rows, ..]);
                    gemm(T::one(), tile, v, T::zero(), part.view_mut()).map(|()| part)
                };
                let part = of(tile.view(), tiling.column_range(j))?;
                let mirrored = (tiling.is_symmetric() && i != j)
                    .then(|| of(tile.t(), tiling.row_range(i)))
                    .transpose()?;
                observer.advance(1);
                Ok((part, mirrored))
            })
            .collect::<Result<_, _>>()?;
        for ((i, j), (part, mirrored)) in batch.into_iter().zip(parts) {
            let mut rows = result.slice_mut(s![tiling.row_range(i), ..]);
            rows += &part;
            if let Some(mirrored) = mirrored {
                let mut rows = result.slice_mut(s![tiling.row_range(j), ..]);
                rows += &mirrored;
            }
        }
    }
}

#[cfg(test)]
mod tests;
