//! Products with matrices in tiles, and symmetric ones as what solvers ask for.

use super::source::{TileSource, Widened};
use super::tiling::Tiling;
use crate::observer::{Cancelled, Inside, Observer};
use crate::{LinalgError, Operator, Real, gemm};
use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;
use thiserror::Error;

/// Why a matrix in tiles could not be multiplied or taken into memory.
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
    /// A product of a tile failed, or the tile has another shape than its place.
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

/// `K + shift` for a symmetric K in tiles, by its products in f64, whatever the tiles are in: for
/// [`conjugate_gradients`](crate::conjugate_gradients()), [`refine`](crate::refine()) and estimates
/// of spectra where K is larger than memory.
///
/// A product asks for every tile once: of a store it reads the file, of computed tiles it computes
/// the kernel.
pub struct TiledOperator<'a, T, S> {
    source: Widened<'a, T, S>,
    shift: f64,
    observer: Inside<'a>,
}

impl<'a, T: Real, S: TileSource<T>> TiledOperator<'a, T, S> {
    /// Of a symmetric source; products stop when `observer` cancels.
    ///
    /// # Errors
    /// [`ProductError::NotSymmetric`].
    pub fn new(
        source: &'a S,
        shift: f64,
        observer: &'a dyn Observer,
    ) -> Result<Self, ProductError<S::Error>> {
        check_symmetric(source.tiling())?;
        Ok(Self {
            source: Widened::new(source),
            shift,
            observer: Inside(observer),
        })
    }
}

pub(super) fn check_symmetric<E>(tiling: &Tiling) -> Result<(), ProductError<E>> {
    if tiling.is_symmetric() {
        return Ok(());
    }
    Err(ProductError::NotSymmetric {
        rows: tiling.rows(),
        columns: tiling.columns(),
    })
}

impl<T: Real, S: TileSource<T>> Operator<f64> for TiledOperator<'_, T, S> {
    type Error = ProductError<S::Error>;

    fn order(&self) -> usize {
        self.source.tiling().rows()
    }

    fn product(&self, v: ArrayView2<'_, f64>) -> Result<Array2<f64>, Self::Error> {
        let mut found = product(&self.source, v, &self.observer)?;
        found.scaled_add(self.shift, &v);
        Ok(found)
    }
}
