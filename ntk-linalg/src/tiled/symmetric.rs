//! Symmetric matrices as the tiles of their lower half, and Cholesky factorisation in that memory.
//!
//! They are half of a square array: a matrix of order 60,000 takes 7.2 GB in f32. The factorisation works on
//! columns of tiles, each updated by all columns left of it ("left-looking"; Golub and Van Loan,
//! Matrix Computations, section 4.2.9), so that a tile is written once, and nearly all work is in
//! products of tiles, as many at a time as there are threads.

use super::product::{ProductError, TiledMatrix, check_shape, check_symmetric};
use super::source::TileSource;
use super::tiling::{Position, Tiling, TilingError};
use crate::lanes::{LANES, Lanes, add_both};
use crate::memory::{check_room, zeros};
use crate::observer::Observer;
use crate::solve::triangular_unchecked;
use crate::triangle::Triangle;
use crate::{Backend, LinalgError, Operator, Real};
use ndarray::{Array1, Array2, ArrayRef2, ArrayView2, ArrayViewMut2, Axis};
use rayon::prelude::*;
use std::ops::Range;

/// The usual number of rows and columns of a tile: large enough that a product of tiles is bound by
/// arithmetic, and small enough that there are many of them.
pub const TILE: usize = 1024;

/// The number of sums of a product, of n entries each: a fixed one, so that results do not depend on the number of threads.
const SUMS: usize = 16;

/// `SymmetricTiles` are a symmetric matrix of order n in memory: the tiles on and below its diagonal. [`TiledMatrix::in_memory`] makes
/// them.
///
/// A source of copies of its tiles; for products there is the faster [`Operator`] that it is.
#[derive(Debug, Clone)]
pub struct SymmetricTiles<T> {
    tiling: Tiling,
    /// The tiles, each at its [`Tiling::index`] and row-major; those on the diagonal hold both
    /// halves.
    tiles: Vec<Array2<T>>,
}

impl<T: Real> TileSource<T> for SymmetricTiles<T> {
    type Error = TilingError;

    fn tiling(&self) -> &Tiling {
        &self.tiling
    }

    fn tile(&self, position: Position) -> Result<Array2<T>, TilingError> {
        self.tiling.check(position)?;
        Ok(self.at(position.0, position.1).clone())
    }
}

impl<T: Real, S: TileSource<T>> TiledMatrix<'_, T, S> {
    /// Takes all tiles of a symmetric matrix into memory: half of the whole.
    ///
    /// Each tile is asked for once, from several threads. On the diagonal both halves are read, and
    /// must agree.
    ///
    /// # Errors
    /// [`ProductError::NotSymmetric`]; [`LinalgError::OutOfMemory`]; for the first tile that is not to
    /// be had, or as [`LinalgError::ShapeMismatch`] has another shape than its place; when the
    /// observer cancels.
    pub fn in_memory(&self) -> Result<SymmetricTiles<T>, ProductError<S::Error>> {
        SymmetricTiles::of(self.source, self.observer)
    }
}

impl<T: Real> SymmetricTiles<T> {
    /// Takes every tile of a source.
    fn of<S: TileSource<T>>(
        source: &S,
        observer: &dyn Observer,
    ) -> Result<Self, ProductError<S::Error>> {
        let tiling = *source.tiling();
        check_symmetric(&tiling)?;
        observer.begin("tiles of the matrix", tiling.count() as u64);
        // Half of the matrix, and the places of its tiles.
        check_room::<T>(tiling.rows(), tiling.rows() / 2)?;
        check_room::<Position>(tiling.count(), 1)?;
        let positions: Vec<_> = tiling.positions().collect();
        let tiles = positions.into_par_iter().map(|position| {
            observer.check()?;
            let expected = tiling.shape(position);
            let found = source.tile(position).map_err(ProductError::Tile)?;
            check_shape(expected, found.dim())?;
            observer.advance(1);
            Ok(match found.is_standard_layout() {
                true => found,
                false => found.as_standard_layout().into_owned(),
            })
        });
        let tiles = tiles.collect::<Result<_, ProductError<_>>>()?;
        Ok(Self { tiling, tiles })
    }

    /// Returns tile (i, j), j <= i.
    fn at(&self, i: usize, j: usize) -> &Array2<T> {
        &self.tiles[self.tiling.index((i, j))]
    }

    /// Adds `value` to every entry of the diagonal.
    pub fn add_to_diagonal(&mut self, value: T) {
        for i in 0..self.tiling.grid().0 {
            let tile = &mut self.tiles[self.tiling.index((i, i))];
            tile.diag_mut().mapv_inplace(|x| x + value);
        }
    }

    /// Returns the diagonal, n numbers.
    pub fn diagonal(&self) -> Array1<T> {
        let on_diagonal = 0..self.tiling.grid().0;
        on_diagonal
            .flat_map(|i| self.at(i, i).diag().to_vec())
            .collect()
    }

    /// Returns columns `which` of the matrix, (n, which.len()).
    ///
    /// # Errors
    /// [`LinalgError::Argument`] for a column that is not there; [`LinalgError::OutOfMemory`].
    pub fn columns(&self, which: &[usize]) -> Result<Array2<T>, LinalgError> {
        let (order, tile) = (self.tiling.rows(), self.tiling.tile());
        let mut columns = zeros(order, which.len())?;
        for (&index, mut column) in which.iter().zip(columns.columns_mut()) {
            if index >= order {
                return Err(LinalgError::Argument {
                    name: "column",
                    value: index as f64,
                    condition: "below the order of the matrix",
                });
            }
            let (at, inside) = (index / tile, index % tile);
            for (i, mut part) in column.axis_chunks_iter_mut(Axis(0), tile).enumerate() {
                part.assign(&match i < at {
                    true => self.at(at, i).row(inside),
                    false => self.at(i, at).column(inside),
                });
            }
        }
        Ok(columns)
    }

    /// Factors the matrix, in its memory and on the default backend, into `L L^T`.
    ///
    /// Cost: `n^3 / 3` operations, nearly all in products of tiles on all threads.
    ///
    /// # Errors
    /// [`LinalgError::NotPositiveDefinite`] with the pivot that failed;
    /// [`LinalgError::NonFinite`]. The matrix is lost then.
    pub fn cholesky(self) -> Result<TiledCholesky<T>, LinalgError> {
        factor(self, &())
    }

    /// Sets what is told of the factorisation's products of tiles, and may stop it.
    pub fn observer(self, observer: &dyn Observer) -> ObservedTiles<'_, T> {
        ObservedTiles {
            tiles: self,
            observer,
        }
    }
}

/// A symmetric matrix in tiles whose factorisation is observed; [`SymmetricTiles::observer`] makes
/// one.
pub struct ObservedTiles<'a, T> {
    tiles: SymmetricTiles<T>,
    observer: &'a dyn Observer,
}

impl<T: Real> ObservedTiles<'_, T> {
    /// Factors the matrix as [`SymmetricTiles::cholesky`] does.
    ///
    /// # Errors
    /// As [`SymmetricTiles::cholesky`]; [`LinalgError::Cancelled`].
    pub fn cholesky(self) -> Result<TiledCholesky<T>, LinalgError> {
        factor(self.tiles, self.observer)
    }
}

fn factor<T: Real>(
    matrix: SymmetricTiles<T>,
    observer: &dyn Observer,
) -> Result<TiledCholesky<T>, LinalgError> {
    let SymmetricTiles { tiling, mut tiles } = matrix;
    let at = |i, j| tiling.index((i, j));
    let backend = Backend::default();
    let count = tiling.grid().0;
    // Products of tiles: column k has count - k tiles, each updated k times.
    let total: usize = (0..count).map(|k| (count - k) * (k + 1)).sum();
    observer.begin("Cholesky", total as u64);
    for k in 0..count {
        let mut column: Vec<_> = (k..count)
            .map(|i| std::mem::take(&mut tiles[at(i, k)]))
            .collect();
        column
            .par_iter_mut()
            .enumerate()
            .with_max_len(1)
            .try_for_each(|(below, target)| -> Result<(), LinalgError> {
                for j in 0..k {
                    observer.check()?;
                    let left = tiles[at(k + below, j)].view();
                    let top = tiles[at(k, j)].t();
                    backend.gemm(-T::one(), &left, &top, T::one(), target)?;
                }
                observer.advance(k as u64);
                Ok(())
            })?;
        let (diagonal, below) = column.split_first_mut().expect("k is below count");
        let pivot = std::mem::take(diagonal);
        *diagonal = backend
            .cholesky(pivot, 0.0)
            .map_err(|e| shifted(e, tiling.rows(), k * tiling.tile()))?
            .into_factor();
        below
            .par_iter_mut()
            .with_max_len(1)
            .try_for_each(|target| -> Result<(), LinalgError> {
                observer.check()?;
                let transposed = target.view_mut().reversed_axes();
                triangular_unchecked(backend, diagonal.view(), Triangle::Lower, transposed)?;
                observer.advance(1);
                Ok(())
            })?;
        observer.advance(1);
        for (i, tile) in (k..count).zip(column) {
            tiles[at(i, k)] = tile;
        }
    }
    Ok(TiledCholesky {
        factor: SymmetricTiles { tiling, tiles },
        backend,
    })
}

/// Returns an error of the tile at `offset` on the diagonal as one of the matrix.
fn shifted(error: LinalgError, order: usize, offset: usize) -> LinalgError {
    match error {
        LinalgError::NotPositiveDefinite {
            pivot,
            value,
            ridge,
            ..
        } => LinalgError::NotPositiveDefinite {
            n: order,
            pivot: pivot + offset,
            value,
            ridge,
        },
        LinalgError::NonFinite { row, column, value } => LinalgError::NonFinite {
            row: row + offset,
            column: column + offset,
            value,
        },
        other => other,
    }
}

/// The matrix is an operator in f64, whatever the tiles are in.
///
/// Each tile is multiplied in its own precision and the results are summed in f64. A product reads
/// every tile once for sixteen vectors and costs as much for fewer, `32 n^2` operations; it takes
/// the memory of `256 n` f64.
impl<T: Real> Operator<f64> for SymmetricTiles<T> {
    type Error = LinalgError;

    fn order(&self) -> usize {
        self.tiling.rows()
    }

    fn product(&self, v: &ArrayRef2<f64>) -> Result<Array2<f64>, LinalgError> {
        check_rows("a product with tiles", self.order(), v)?;
        let mut product = Array2::zeros(v.raw_dim());
        if v.is_empty() {
            return Ok(product);
        }
        for (v, mut product) in v
            .axis_chunks_iter(Axis(1), LANES)
            .zip(product.axis_chunks_iter_mut(Axis(1), LANES))
        {
            let rows = v.rows().into_iter();
            let lanes: Vec<_> = rows.map(Lanes::of).collect();
            for (sum, mut row) in self.product_of_lanes(&lanes).iter().zip(product.rows_mut()) {
                row.iter_mut().zip(sum).for_each(|(to, &sum)| *to = sum);
            }
        }
        Ok(product)
    }

    fn trace(&self) -> Option<f64> {
        Some(self.diagonal().iter().map(|&v| Real::to_f64(v)).sum())
    }
}

impl<T: Real> SymmetricTiles<T> {
    /// Returns the product with sixteen vectors, entry by entry; tiles off the diagonal count twice.
    fn product_of_lanes(&self, v: &[Lanes<T>]) -> Vec<[f64; LANES]> {
        let order = self.tiling.rows();
        let places: Vec<_> = self.tiling.positions().collect();
        let largest = self.tiling.tile().min(order);
        let sums: Vec<_> = places
            .par_chunks(places.len().div_ceil(SUMS).max(1))
            .map(|places| {
                let mut sum = vec![[0.0; LANES]; order];
                let mut add = |to: Range<usize>, part: &[Lanes<T>]| {
                    for (sum, part) in sum[to].iter_mut().zip(part) {
                        let pairs = sum.iter_mut().zip(part.0);
                        pairs.for_each(|(sum, part)| *sum += Real::to_f64(part));
                    }
                };
                let zeros = vec![Lanes::zero(); largest];
                for &(i, j) in places {
                    let (rows, columns) = (self.tiling.row_range(i), self.tiling.column_range(j));
                    let tile = self.at(i, j).as_slice();
                    let tile = tile.expect("tiles are made row by row");
                    let (x, y) = (&v[columns.clone()], &v[rows.clone()]);
                    let mut to_rows = zeros[..rows.len()].to_vec();
                    let mut to_columns = zeros[..columns.len()].to_vec();
                    add_both(tile, x, y, &mut to_rows, &mut to_columns);
                    add(rows, &to_rows);
                    // One on the diagonal has both halves.
                    if i != j {
                        add(columns, &to_columns);
                    }
                }
                sum
            })
            .collect();
        let mut sums = sums.into_iter();
        let mut total = sums.next().unwrap_or_default();
        for sum in sums {
            for (total, sum) in total.iter_mut().zip(sum) {
                total
                    .iter_mut()
                    .zip(sum)
                    .for_each(|(total, sum)| *total += sum);
            }
        }
        total
    }
}

fn check_rows<T>(
    operation: &'static str,
    order: usize,
    v: &ArrayRef2<T>,
) -> Result<(), LinalgError> {
    if v.nrows() == order {
        return Ok(());
    }
    Err(LinalgError::ShapeMismatch {
        operation,
        left: (order, order),
        right: v.dim(),
    })
}

/// A `TiledCholesky` is the factorisation `A = L L^T`, with L in the tiles that were A's.
///
/// [`SymmetricTiles::cholesky`] makes one.
#[derive(Debug, Clone)]
pub struct TiledCholesky<T> {
    /// L, whose tiles on the diagonal are zero above it.
    factor: SymmetricTiles<T>,
    backend: Backend,
}

impl<T: Real> TiledCholesky<T> {
    /// Returns the solution X (n, m) of `A X = b` for `b` (n, m). Cost: `2 n^2 m`; L is read twice.
    ///
    /// # Errors
    /// [`LinalgError::ShapeMismatch`].
    pub fn solve(&self, b: &ArrayRef2<T>) -> Result<Array2<T>, LinalgError> {
        let tiling = self.factor.tiling;
        check_rows("a solve with tiles", tiling.rows(), b)?;
        let (count, tile) = (tiling.grid().0, tiling.tile());
        let of = |i, j| self.factor.at(i, j);
        let mut x = b.to_owned();
        for k in 0..count {
            let (_, rest) = x.view_mut().split_at(Axis(0), k * tile);
            let (mut at, rest) = rest.split_at(Axis(0), of(k, k).nrows());
            triangular_unchecked(
                self.backend,
                of(k, k).view(),
                Triangle::Lower,
                at.view_mut(),
            )?;
            self.update(at.view(), rest, |i| of(k + 1 + i, k).view())?;
        }
        for k in (0..count).rev() {
            let (before, rest) = x.view_mut().split_at(Axis(0), k * tile);
            let (mut at, _) = rest.split_at(Axis(0), of(k, k).nrows());
            triangular_unchecked(self.backend, of(k, k).t(), Triangle::Upper, at.view_mut())?;
            self.update(at.view(), before, |i| of(k, i).t())?;
        }
        Ok(x)
    }

    /// Subtracts `tile(i) known` from each tile of rows of `rest`.
    fn update<'a>(
        &self,
        known: ArrayView2<'_, T>,
        mut rest: ArrayViewMut2<'_, T>,
        tile: impl Fn(usize) -> ArrayView2<'a, T> + Sync,
    ) -> Result<(), LinalgError> {
        rest.axis_chunks_iter_mut(Axis(0), self.factor.tiling.tile())
            .enumerate()
            .collect::<Vec<_>>()
            .into_par_iter()
            .try_for_each(|(i, mut part)| {
                self.backend
                    .gemm(-T::one(), &tile(i), &known, T::one(), &mut part)
            })
    }

    /// Returns `log det A`, twice the sum of `ln L_ii`: 0 for n = 0. Cost: n.
    pub fn log_det(&self) -> f64 {
        let diagonal = self.factor.diagonal();
        2.0 * diagonal.iter().map(|&x| Real::to_f64(x).ln()).sum::<f64>()
    }
}
