//! Computes kernel matrices in tiles.
//!
//! Every kernel of vectors here is a map of the inner products of two samples and of quantities of
//! each sample alone. [`Gram`] multiplies a tile of rows with a tile of columns while both are in
//! cache, hands each row of the tile to a map, and moves on, so that no matrix but the results is
//! in memory. For an input with itself only the lower half is computed and then mirrored, so that
//! the result is symmetric to the last bit.
//!
//! Tiles do not depend on the number of threads, and each is computed by one thread, so that
//! results do not either.

use ndarray::{
    Array1, Array2, ArrayRef2, ArrayView, ArrayView1, ArrayView2, ArrayViewMut2, Axis, Dimension, s,
};
use ntk_linalg::observer::{Cancelled, Observer};
use ntk_linalg::tiled::{Position, Tiling, TilingError};
use ntk_linalg::{LinalgError, Real, gemm, mirror_lower, transpose_into};
use rayon::prelude::*;
use std::ops::Range;
use thiserror::Error;

/// The number of rows and columns of a tile: 256 x 256 entries in f64 are 512 KiB, which stay in a
/// second-level cache.
pub const TILE: usize = 256;

/// A `GramError` says why a kernel matrix could not be computed.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum GramError {
    /// The two inputs have different numbers of features.
    #[error("x1 has {x1} features a row and x2 has {x2}; both must have the same")]
    Features {
        /// The number of columns of `x1`.
        x1: usize,
        /// The number of columns of `x2`.
        x2: usize,
    },
    /// An input is NaN or infinite.
    #[error("{input}[{row}, {column}] is {value}; remove or replace non-finite inputs first")]
    NonFinite {
        /// The input, `"x1"` or `"x2"`.
        input: &'static str,
        /// The row of the first such entry.
        row: usize,
        /// The column of that entry.
        column: usize,
        /// The value of the entry.
        value: f64,
    },
    /// Tiles have no entries, or more than memory can address.
    #[error(transparent)]
    Tiling(#[from] TilingError),
    /// A matrix product failed.
    #[error(transparent)]
    Linalg(#[from] LinalgError),
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// A `TileRow` is one row of one tile: sample `row` of `x1` against samples `columns` of `x2` (or
/// of `x1`).
pub struct TileRow<'a, T> {
    /// The row of `x1`.
    pub row: usize,
    /// The rows of the other input.
    pub columns: Range<usize>,
    /// The inner products: `inner[j]` is that with row `columns.start + j`. The map may overwrite
    /// them.
    pub inner: &'a mut [T],
}

/// A `Gram` computes matrices whose entries are functions of inner products of samples.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::gram::{Gram, TileRow};
///
/// let x = array![[1.0, 0.0], [3.0, 4.0]];
/// // The polynomial kernel (1 + x . x')^2.
/// let [k] = Gram::default().of(&x, |row: TileRow<f64>, [k]: [&mut [f64]; 1]| {
///     for (k, &inner) in k.iter_mut().zip(&*row.inner) {
///         *k = (1.0 + inner).powi(2);
///     }
/// })?;
/// assert_eq!(k, array![[4.0, 16.0], [16.0, 676.0]]);
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Gram<'a> {
    tile: usize,
    observer: &'a dyn Observer,
}

impl Default for Gram<'_> {
    fn default() -> Self {
        Self {
            tile: TILE,
            observer: &(),
        }
    }
}

impl<'a> Gram<'a> {
    /// Takes tiles of `size` rows and columns instead of [`TILE`].
    #[must_use]
    pub fn tile(mut self, size: usize) -> Self {
        self.tile = size;
        self
    }

    /// Reports progress to `observer`, which may also cancel; by default nothing does.
    #[must_use]
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Computes `K` symmetric matrices (n, n) of `x` (n, d) with itself, row by row of tiles, by
    /// `map(row, outputs)`, where `outputs[k]` is the part of matrix `k` that belongs to the row
    /// and its columns.
    ///
    /// `map` sees columns up to the row alone, and there the diagonal's inner product is exactly
    /// [`squared_norms`]' entry. It must not depend on how columns are cut into tiles. Cost:
    /// `n^2 d` operations and one call of `map` for each row of a tile.
    ///
    /// # Errors
    /// Returns a [`GramError`] for inputs that are not finite and for tiles without entries, before
    /// any work, or when the observer cancels.
    pub fn of<T: Real, const K: usize>(
        &self,
        x: &ArrayRef2<T>,
        map: impl Fn(TileRow<'_, T>, [&mut [T]; K]) + Sync,
    ) -> Result<[Array2<T>; K], GramError> {
        let x = x.view();
        check_finite("x1", x)?;
        let norms = squared_norms(&x);
        let columns = Columns::Same(norms.view());
        trusting(x, columns, self.tile, self.observer, map)
    }

    /// Computes `K` matrices (n1, n2) of `x1` (n1, d) with `x2` (n2, d) as [`Gram::of`] does.
    ///
    /// Cost: `2 n1 n2 d` operations and one call of `map` for each row of a tile.
    ///
    /// # Errors
    /// Fails as [`Gram::of`] does; returns [`GramError::Features`] where the inputs have different
    /// numbers of columns.
    pub fn between<T: Real, const K: usize>(
        &self,
        x1: &ArrayRef2<T>,
        x2: &ArrayRef2<T>,
        map: impl Fn(TileRow<'_, T>, [&mut [T]; K]) + Sync,
    ) -> Result<[Array2<T>; K], GramError> {
        let (x1, x2) = (x1.view(), x2.view());
        if x1.ncols() != x2.ncols() {
            return Err(GramError::Features {
                x1: x1.ncols(),
                x2: x2.ncols(),
            });
        }
        check_finite("x1", x1)?;
        check_finite("x2", x2)?;
        trusting(x1, Columns::Others(x2), self.tile, self.observer, map)
    }
}

/// `Columns` holds the samples of a matrix' columns.
pub(crate) enum Columns<'a, T> {
    /// The samples of the rows, with their [`squared_norms`].
    Same(ArrayView1<'a, T>),
    /// Other samples than those of the rows.
    Others(ArrayView2<'a, T>),
}

/// Does what [`Gram`] does, for inputs that are known to fit and to be finite.
pub(crate) fn trusting<T: Real, const K: usize>(
    x1: ArrayView2<'_, T>,
    columns: Columns<'_, T>,
    tile: usize,
    observer: &dyn Observer,
    map: impl Fn(TileRow<'_, T>, [&mut [T]; K]) + Sync,
) -> Result<[Array2<T>; K], GramError> {
    let (x2, norms, tiling) = match columns {
        Columns::Same(norms) => (x1, Some(norms), Tiling::symmetric(x1.nrows(), tile)?),
        Columns::Others(x2) => (x2, None, Tiling::new(x1.nrows(), x2.nrows(), tile)?),
    };
    let (n, m) = (tiling.rows(), tiling.columns());
    let mut outputs: [Array2<T>; K] = std::array::from_fn(|_| Array2::zeros((n, m)));
    let tasks = tasks(&tiling, &mut outputs);
    observer.begin("kernel matrix", tasks.len() as u64);
    tasks.into_par_iter().try_for_each_init(
        || Array2::<T>::zeros((tile.min(n), tile.min(m))),
        |scratch, mut task| -> Result<(), GramError> {
            observer.check()?;
            let (i, j) = task.position;
            let (rows, columns) = (tiling.row_range(i), tiling.column_range(j));
            let mut product = scratch.slice_mut(s![..rows.len(), ..columns.len()]);
            gemm(
                T::one(),
                &x1.slice(s![rows.clone(), ..]),
                &x2.slice(s![columns.clone(), ..]).reversed_axes(),
                T::zero(),
                &mut product,
            )?;
            for (row, mut inner) in rows.zip(product.rows_mut()) {
                let at = row - i * tile;
                let mut columns = columns.clone();
                let inner = inner.as_slice_mut().expect(STANDARD);
                if let Some(norms) = &norms
                    && columns.contains(&row)
                {
                    inner[row - columns.start] = norms[row];
                    columns.end = row + 1;
                }
                let inner = &mut inner[..columns.len()];
                let parts = task.parts.each_mut().map(|part| {
                    let part = part.row_mut(at).into_slice().expect(STANDARD);
                    &mut part[..columns.len()]
                });
                let row = TileRow {
                    row,
                    columns,
                    inner,
                };
                map(row, parts);
            }
            if tiling.is_symmetric() {
                task.mirror();
            }
            observer.advance(1);
            Ok(())
        },
    )?;
    Ok(outputs)
}

const SHAPE: &str =
    "a tile below the diagonal has the shape of its mirror image, one on it is square";
const STANDARD: &str = "a row of a matrix in standard layout";

/// A `Task` is a tile, with the part of each matrix that it alone writes.
struct Task<'a, T, const K: usize> {
    position: Position,
    parts: [ArrayViewMut2<'a, T>; K],
    /// The mirror images of the parts, where a tile of a symmetric matrix is off the diagonal.
    mirror: Option<[ArrayViewMut2<'a, T>; K]>,
}

impl<T: Real, const K: usize> Task<'_, T, K> {
    /// Copies what is below the diagonal of a symmetric matrix to its mirror image.
    fn mirror(self) {
        match self.mirror {
            Some(mirror) => {
                for (from, mut to) in self.parts.iter().zip(mirror) {
                    transpose_into(from, &mut to).expect(SHAPE);
                }
            }
            None => {
                for mut part in self.parts {
                    mirror_lower(&mut part).expect(SHAPE);
                }
            }
        }
    }
}

/// Makes a task for each tile; together they own every entry of the matrices once.
fn tasks<'a, T, const K: usize>(
    tiling: &Tiling,
    outputs: &'a mut [Array2<T>; K],
) -> Vec<Task<'a, T, K>> {
    let columns = tiling.grid().1;
    let mut parts = outputs.each_mut().map(|output| cut(output, tiling.tile()));
    let mut take = |(i, j): Position| {
        let taken = |part: &mut Vec<Option<_>>| part[i * columns + j].take();
        parts
            .each_mut()
            .map(|part| taken(part).expect("each is taken once"))
    };
    let symmetric = tiling.is_symmetric();
    let task = |position: Position| Task {
        position,
        parts: take(position),
        mirror: (symmetric && position.0 != position.1).then(|| take((position.1, position.0))),
    };
    tiling.positions().map(task).collect()
}

/// Cuts a matrix into tiles, row by row.
fn cut<T>(matrix: &mut Array2<T>, tile: usize) -> Vec<Option<ArrayViewMut2<'_, T>>> {
    let mut tiles = Vec::new();
    for mut rest in matrix.axis_chunks_iter_mut(Axis(0), tile) {
        while rest.ncols() > 0 {
            let at = tile.min(rest.ncols());
            let (next, others) = rest.split_at(Axis(1), at);
            tiles.push(Some(next));
            rest = others;
        }
    }
    tiles
}

/// Computes `x_i . x_i` for every row of `x` (n, d), summed in f64. Cost: `2 n d` operations.
pub fn squared_norms<T: Real>(x: &ArrayRef2<T>) -> Array1<T> {
    /// Sums that grow side by side: none waits for another, and each loses less.
    const SUMS: usize = 8;
    let squared_norm = |row: ArrayView1<'_, T>| {
        let row = row.as_standard_layout();
        let row = row.as_slice().expect(STANDARD);
        let mut sums = [0.0; SUMS];
        for chunk in row.chunks(SUMS) {
            for (sum, &v) in sums.iter_mut().zip(chunk) {
                let v = Real::to_f64(v);
                *sum += v * v;
            }
        }
        T::of(sums.iter().sum())
    };
    x.rows().into_iter().map(squared_norm).collect()
}

/// Refuses NaN and infinities, naming the first.
fn check_finite<T: Real>(input: &'static str, x: ArrayView2<'_, T>) -> Result<(), GramError> {
    first_non_finite(&x).map_or(Ok(()), |(index, value)| {
        Err(GramError::NonFinite {
            input,
            row: index[0],
            column: index[1],
            value,
        })
    })
}

/// Finds the first NaN or infinity: its index and its value.
pub(crate) fn first_non_finite<T: Real, D: Dimension>(
    x: &ArrayView<'_, T, D>,
) -> Option<(Vec<usize>, f64)> {
    // The plain pass comes first: it is fast, and nearly always all there is to do.
    if x.iter().all(|v| v.is_finite()) {
        return None;
    }
    let x = x.view().into_dyn();
    let (index, value) = x.indexed_iter().find(|(_, v)| !v.is_finite())?;
    Some((index.slice().to_vec(), Real::to_f64(*value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use ndarray::array;

    fn inputs(n: usize, d: usize) -> Array2<f64> {
        Array2::from_shape_fn((n, d), |(i, j)| {
            ((i * 31 + j * 17 + i * j) % 23) as f64 - 11.0
        })
    }

    fn plain(x1: &Array2<f64>, x2: Option<&Array2<f64>>, tile: usize) -> Array2<f64> {
        let gram = Gram::default().tile(tile);
        let copy = |row: TileRow<'_, f64>, [k]: [&mut [f64]; 1]| k.copy_from_slice(row.inner);
        let [k] = match x2 {
            None => gram.of(x1, copy),
            Some(x2) => gram.between(x1, x2, copy),
        }
        .unwrap();
        k
    }

    #[test]
    fn any_tile_is_the_plain_product() {
        for n in [0, 1, 2, 7, 20] {
            let (x, z) = (inputs(n, 5), inputs(9, 5));
            for tile in [1, 3, 8, 64] {
                assert_relative_eq!(plain(&x, None, tile), x.dot(&x.t()), epsilon = 1e-12);
                assert_relative_eq!(plain(&x, Some(&z), tile), x.dot(&z.t()), epsilon = 1e-12);
                assert_eq!(plain(&x, None, tile), plain(&x, None, tile).reversed_axes());
            }
        }
    }

    #[test]
    fn bad_inputs_are_refused_before_any_work() {
        let x = array![[1.0, 2.0], [3.0, f64::NAN]];
        let never = |_: TileRow<'_, f64>, _: [&mut [f64]; 1]| panic!("no work on bad input");
        let error = Gram::default().of(&x, never).unwrap_err();
        assert!(matches!(
            error,
            GramError::NonFinite {
                input: "x1",
                row: 1,
                column: 1,
                ..
            }
        ));
        let z = array![[1.0]];
        let error = Gram::default().between(&z, &x, never).unwrap_err();
        assert_eq!(error, GramError::Features { x1: 1, x2: 2 });
    }

    #[test]
    fn an_observer_stops_it() {
        struct Stop;
        impl Observer for Stop {
            fn cancelled(&self) -> bool {
                true
            }
        }
        let x = inputs(5, 2);
        let gram = Gram::default().tile(2).observer(&Stop);
        let error = gram.of(&x, |_, _: [&mut [f64]; 1]| ()).unwrap_err();
        assert_eq!(error, GramError::Cancelled(Cancelled));
    }
}
