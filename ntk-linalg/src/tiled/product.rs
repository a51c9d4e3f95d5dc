//! Products with matrices in tiles, and symmetric ones as what solvers ask for.

use super::source::{TileSource, Widened};
use super::tiling::Tiling;
use crate::memory::zeros;
use crate::observer::{Cancelled, Inside, Observer};
use crate::{LinalgError, Operator, Real, gemm};
use ndarray::{Array2, ArrayRef2, ArrayView2, s};
use rayon::prelude::*;
use std::marker::PhantomData;
use thiserror::Error;

/// A `ProductError` says why a matrix in tiles could not be multiplied or taken into memory.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ProductError<E> {
    /// The vectors do not fit the matrix.
    #[error(
        "the matrix has {columns} columns and the vectors have {rows} entries; give vectors of shape ({columns}, k)"
    )]
    Rows {
        /// The number of columns of the matrix.
        columns: usize,
        /// The number of rows of the vectors.
        rows: usize,
    },
    /// The matrix is not one of samples among themselves.
    #[error(
        "a symmetric matrix is needed, and this one has {rows} rows and {columns} columns of other samples"
    )]
    NotSymmetric {
        /// The number of its rows.
        rows: usize,
        /// The number of its columns.
        columns: usize,
    },
    /// The source has no such tile, or could not give it.
    #[error(transparent)]
    Tile(E),
    /// A product of a tile failed, a tile has another shape than its place, or memory has no room
    /// for the result.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// The number of tiles at work at a time, for each thread: enough that threads seldom wait for the last one.
const TILES_A_THREAD: usize = 4;

/// A `TiledMatrix` is a matrix in tiles, to be multiplied, taken into memory or handed to a solver.
///
/// ```
/// use ndarray::{Array2, array};
/// use ntk_linalg::tiled::{self, TiledMatrix, Tiling};
/// use ntk_linalg::{ConjugateGradients, Error};
///
/// fn main() -> Result<(), Error> {
///     // |i - j| <= 1 in tiles of 2 x 2, computed when they are asked for.
///     let tiling = Tiling::symmetric(5, 2)?;
///     let source = tiled::from_fn(tiling, |(i, j)| {
///         Array2::from_shape_fn(tiling.shape((i, j)), |(row, column)| {
///             f64::from((2 * i + row).abs_diff(2 * j + column) <= 1)
///         })
///     });
///     let matrix = TiledMatrix::new(&source);
///     let ones = Array2::ones((5, 1));
///     assert_eq!(matrix.product(&ones)?, array![[2.0], [3.0], [3.0], [3.0], [2.0]]);
///     // With 3 on the diagonal the matrix is positive definite.
///     let shifted = matrix.operator()?.shift(2.0);
///     assert!(ConjugateGradients::new().solve(&shifted, &ones)?.converged);
///     let mut held = matrix.in_memory()?;
///     held.add_to_diagonal(2.0);
///     let solution = held.cholesky()?.solve(&ones)?;
///     assert_eq!(solution.dim(), (5, 1));
///     Ok(())
/// }
/// ```
pub struct TiledMatrix<'a, T, S> {
    pub(super) source: &'a S,
    pub(super) observer: &'a dyn Observer,
    entry: PhantomData<fn() -> T>,
}

impl<'a, T: Real, S: TileSource<T>> TiledMatrix<'a, T, S> {
    /// Returns the matrix whose tiles are those of `source`, without an observer.
    pub fn new(source: &'a S) -> Self {
        Self {
            source,
            observer: &(),
            entry: PhantomData,
        }
    }

    /// Sets what is told of each tile, and may stop the work.
    #[must_use]
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Returns `K v`, of shape (n, k), for this matrix `K` (n, m) and `k` vectors `v` (m, k).
    ///
    /// Each tile is asked for once, also where `K` is symmetric and the tile counts for its mirror
    /// image. Tiles are taken in parallel and their products added in the same order on any number
    /// of threads. Cost: every tile, and `2 n m k` flops. Memory: the result, and for each thread
    /// four tiles and their products.
    ///
    /// # Errors
    /// [`ProductError`]: for vectors that do not fit, or results that memory has no room for, before
    /// any work; for the first tile that is not to be had; when the observer cancels.
    pub fn product(&self, v: &ArrayRef2<T>) -> Result<Array2<T>, ProductError<S::Error>> {
        let tiling = *self.source.tiling();
        if v.nrows() != tiling.columns() {
            return Err(ProductError::Rows {
                columns: tiling.columns(),
                rows: v.nrows(),
            });
        }
        let mut result = zeros(tiling.rows(), v.ncols())?;
        if result.is_empty() {
            return Ok(result);
        }
        self.observer
            .begin("product with tiles", tiling.count() as u64);
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
                    self.observer.check()?;
                    let tile = self.source.tile((i, j)).map_err(ProductError::Tile)?;
                    check_shape(tiling.shape((i, j)), tile.dim())?;
                    let of = |tile: ArrayView2<'_, T>, rows| {
                        let mut part = Array2::zeros((tile.nrows(), v.ncols()));
                        let v = v.slice(s![rows, ..]);
                        gemm(T::one(), &tile, &v, T::zero(), &mut part).map(|()| part)
                    };
                    let part = of(tile.view(), tiling.column_range(j))?;
                    let mirrored = (tiling.is_symmetric() && i != j)
                        .then(|| of(tile.t(), tiling.row_range(i)))
                        .transpose()?;
                    self.observer.advance(1);
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

    /// Returns a symmetric matrix as what solvers ask for: an operator in f64.
    ///
    /// # Errors
    /// [`ProductError::NotSymmetric`].
    pub fn operator(&self) -> Result<TiledOperator<'a, T, S>, ProductError<S::Error>> {
        check_symmetric(self.source.tiling())?;
        Ok(TiledOperator {
            source: Widened::new(self.source),
            shift: 0.0,
            observer: Inside(self.observer),
        })
    }
}

/// The operator `K + shift` for a symmetric K in tiles, by its products in f64, whatever the tiles
/// are in: for [`ConjugateGradients`](crate::ConjugateGradients), [`Refinement`](crate::Refinement) and estimates
/// of spectra where K is larger than memory.
///
/// [`TiledMatrix::operator`] makes one. A product asks for every tile once: of a store it reads the
/// file, of computed tiles it computes the kernel. Products stop when the matrix's observer
/// cancels, and tell it of no progress.
pub struct TiledOperator<'a, T, S> {
    source: Widened<'a, T, S>,
    shift: f64,
    observer: Inside<'a>,
}

impl<T: Real, S: TileSource<T>> TiledOperator<'_, T, S> {
    /// Sets what is added to the diagonal: nothing unless this is called.
    #[must_use]
    pub fn shift(mut self, shift: f64) -> Self {
        self.shift = shift;
        self
    }
}

/// Refuses a tile that has another shape than its place.
pub(super) fn check_shape(
    expected: (usize, usize),
    found: (usize, usize),
) -> Result<(), LinalgError> {
    if found == expected {
        return Ok(());
    }
    Err(LinalgError::ShapeMismatch {
        operation: "placing a tile",
        left: expected,
        right: found,
    })
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

    fn product(&self, v: &ArrayRef2<f64>) -> Result<Array2<f64>, Self::Error> {
        let matrix = TiledMatrix::new(&self.source).observer(&self.observer);
        let mut found = matrix.product(v)?;
        found.scaled_add(self.shift, v);
        Ok(found)
    }
}
