//! A matrix over the processes of a grid.

use std::ffi::c_int;
use std::ops::Range;

use ndarray::{Array1, Array2, ArrayRef2, ArrayView2, ArrayViewMut2, ShapeBuilder, s};

use crate::communicate::{broadcast, receive, send, smallest, sum};
use crate::scalapack::Descriptor;
use crate::{Cyclic, Grid};
use ntk_linalg::LinalgError;

use crate::Error;

/// The number of rows of the largest block: its square is still small beside what a rank may hold.
const MOST_BLOCK: usize = 4096;

/// A `BlockCyclic` is a matrix in square blocks, block (i, j) of which process `(i % rows, j %
/// columns)` of the grid holds.
///
/// Each process has its blocks as one column-major matrix, rows and columns in their order. That
/// part holds at most `2^31 - 1` numbers, 16 GiB, which is as far as ScaLAPACK counts.
///
/// Blocks of 64 to 256 are usual: smaller ones are slow to multiply, larger ones leave ranks
/// without work near the end of a factorisation.
#[derive(Debug, Clone)]
pub struct BlockCyclic {
    grid: Grid,
    rows: Cyclic,
    columns: Cyclic,
    local: Array2<f64>,
}

impl BlockCyclic {
    /// Makes a matrix of zeros, in blocks of `block` rows and columns.
    ///
    /// # Errors
    /// [`Error::RankTooLarge`]; [`LinalgError::Argument`] for a `block` of zero or more than
    /// 4096.
    pub fn zeros(grid: &Grid, shape: (usize, usize), block: usize) -> Result<Self, Error> {
        if block == 0 || block > MOST_BLOCK {
            return Err(LinalgError::Argument {
                name: "block",
                value: block as f64,
                condition: "from 1 to 4096",
            }
            .into());
        }
        let needed = largest_part(grid, shape, block);
        fits(grid, shape, needed)?;
        let (rows, columns) = grid.axes(grid.rank(), shape, block);
        Ok(Self {
            grid: grid.clone(),
            rows,
            columns,
            local: Array2::zeros((rows.held(), columns.held()).f()),
        })
    }

    /// Returns the numbers of rows and columns of the whole matrix.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows.length, self.columns.length)
    }

    /// Returns the number of rows and columns of a block.
    pub fn block(&self) -> usize {
        self.rows.block
    }

    /// Returns the grid that the matrix lies on.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Returns the rows that this process holds.
    pub fn rows(&self) -> Cyclic {
        self.rows
    }

    /// Returns the columns that this process holds.
    pub fn columns(&self) -> Cyclic {
        self.columns
    }

    /// Returns what this process holds, column-major.
    pub fn local(&self) -> ArrayView2<'_, f64> {
        self.local.view()
    }

    /// Returns what this process holds, column-major, to be filled. The call is not collective.
    pub fn local_mut(&mut self) -> ArrayViewMut2<'_, f64> {
        self.local.view_mut()
    }

    /// Hands each block that this process holds to `fill(rows, columns, block)`, rows and columns
    /// being the block's in the whole matrix. The call is not collective.
    ///
    /// # Errors
    /// It fails with the first error of `fill`, which other ranks do not hear of.
    pub fn fill_blocks<E>(
        &mut self,
        mut fill: impl FnMut(Range<usize>, Range<usize>, ArrayViewMut2<'_, f64>) -> Result<(), E>,
    ) -> Result<(), E> {
        for (columns, right) in self.columns.blocks() {
            for (rows, down) in self.rows.blocks() {
                let block = self.local.slice_mut(s![down, right.clone()]);
                fill(rows, columns.clone(), block)?;
            }
        }
        Ok(())
    }

    /// Deals `whole` out in blocks of `block`; rank 0's is meant, and other ranks' is not looked at.
    ///
    /// # Errors
    /// Those of [`BlockCyclic::zeros`].
    pub fn scatter(grid: &Grid, whole: &ArrayRef2<f64>, block: usize) -> Result<Self, Error> {
        let mut shape = [whole.nrows(), whole.ncols()];
        broadcast(grid.communicator(), 0, &mut shape);
        let shape = shape.into();
        let mut matrix = Self::zeros(grid, shape, block)?;
        let communicator = grid.communicator();
        if grid.rank() == 0 {
            for rank in 1..grid.ranks() {
                let (rows, columns) = grid.axes(rank, shape, block);
                send(
                    communicator,
                    rank,
                    in_memory(&part_of(whole, rows, columns)),
                );
            }
            matrix.local = part_of(whole, matrix.rows, matrix.columns);
        } else {
            receive(communicator, 0, in_memory_mut(&mut matrix.local));
        }
        Ok(matrix)
    }

    /// Gathers the whole matrix on rank 0; the others get `None`.
    pub fn gather(&self) -> Option<Array2<f64>> {
        let communicator = self.grid.communicator();
        if self.grid.rank() != 0 {
            send(communicator, 0, in_memory(&self.local));
            return None;
        }
        let mut whole = Array2::zeros(self.shape());
        put_part(&mut whole, self.rows, self.columns, self.local.view());
        for rank in 1..self.grid.ranks() {
            let (rows, columns) = self.grid.axes(rank, self.shape(), self.block());
            let mut part = Array2::zeros((rows.held(), columns.held()).f());
            receive(communicator, rank, in_memory_mut(&mut part));
            put_part(&mut whole, rows, columns, part.view());
        }
        Some(whole)
    }

    /// Takes the matrix that every rank has as `whole`, each process its blocks of it.
    ///
    /// # Errors
    /// Those of [`BlockCyclic::zeros`].
    pub fn of_replicated(grid: &Grid, whole: &ArrayRef2<f64>, block: usize) -> Result<Self, Error> {
        let mut matrix = Self::zeros(grid, whole.dim(), block)?;
        matrix.local = part_of(whole, matrix.rows, matrix.columns);
        Ok(matrix)
    }

    /// Gathers the whole matrix on every rank.
    pub fn replicated(&self) -> Array2<f64> {
        let mut whole = Array2::zeros(self.shape());
        put_part(&mut whole, self.rows, self.columns, self.local.view());
        // Each entry is one rank's number and the others' zeros.
        sum(self.grid.communicator(), in_memory_mut(&mut whole));
        whole
    }

    /// Gathers the diagonal on every rank.
    pub fn diagonal(&self) -> Array1<f64> {
        let (rows, columns) = self.shape();
        let mut diagonal = Array1::zeros(rows.min(columns));
        for (index, row, column) in self.diagonal_places() {
            diagonal[index] = self.local[[row, column]];
        }
        let numbers = diagonal.as_slice_mut().expect("it is new");
        sum(self.grid.communicator(), numbers);
        diagonal
    }

    /// Adds `number` to each entry of the diagonal. The call is not collective.
    pub fn add_to_diagonal(&mut self, number: f64) {
        for (_, row, column) in self.diagonal_places() {
            self.local[[row, column]] += number;
        }
    }

    /// Lists the entries of the diagonal that this process holds, and where in `local` each is.
    fn diagonal_places(&self) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
        let Self { rows, columns, .. } = *self;
        rows.blocks().flat_map(move |(indices, places)| {
            indices.zip(places).filter_map(move |(index, row)| {
                let mine = index < columns.length && columns.owner(index) == columns.part;
                mine.then(|| (index, row, columns.held_below(index)))
            })
        })
    }

    /// Returns the order of a square matrix.
    pub(crate) fn order(&self, operation: &'static str) -> Result<usize, Error> {
        let (rows, columns) = self.shape();
        if rows == columns {
            return Ok(rows);
        }
        Err(LinalgError::NotSquare {
            operation,
            rows,
            columns,
        }
        .into())
    }

    /// Gives every rank one entry.
    pub(crate) fn entry(&self, row: usize, column: usize) -> f64 {
        let (process_row, process_column) = (self.rows.owner(row), self.columns.owner(column));
        let mut entry = [0.0];
        if (process_row, process_column) == (self.rows.part, self.columns.part) {
            let place = (self.rows.held_below(row), self.columns.held_below(column));
            entry[0] = self.local[place];
        }
        let owner = process_row * self.columns.parts + process_column;
        broadcast(self.grid.communicator(), owner, &mut entry);
        entry[0]
    }

    /// Checks that the lower half has no NaN or infinity, on every rank.
    pub(crate) fn check_finite(&self) -> Result<(), Error> {
        let (_, columns) = self.shape();
        let mut first = usize::MAX;
        for (j, right) in self.columns.blocks() {
            let below = self.rows.held_below(j.start);
            let strip = self.local.slice(s![below.., right]);
            if strip.iter().all(|entry| entry.is_finite()) {
                continue;
            }
            for (i, down) in self.rows.blocks() {
                for (i, row) in i.zip(down) {
                    for (j, column) in j.clone().zip(self.columns.held_below(j.start)..) {
                        if i >= j && !self.local[[row, column]].is_finite() {
                            first = first.min(i * columns + j);
                        }
                    }
                }
            }
        }
        let first = smallest(self.grid.communicator(), first);
        if first == usize::MAX {
            return Ok(());
        }
        let (row, column) = (first / columns, first % columns);
        Err(LinalgError::NonFinite {
            row,
            column,
            value: self.entry(row, column),
        }
        .into())
    }

    pub(crate) fn descriptor(&self) -> Descriptor {
        const DENSE: c_int = 1;
        let (rows, columns) = self.shape();
        let (block, leading) = (self.block(), self.rows.held().max(1));
        let [rows, columns, block, leading] = [rows, columns, block, leading].map(int);
        let context = self.grid.context();
        [DENSE, context, rows, columns, block, block, 0, 0, leading]
    }
}

/// Converts a number that `fits` has let through to ScaLAPACK's integers.
pub(crate) fn int(number: usize) -> c_int {
    c_int::try_from(number).expect("checked where the matrix was made")
}

/// Computes what rank 0, which has the most, holds of a matrix.
fn largest_part(grid: &Grid, shape: (usize, usize), block: usize) -> u128 {
    let (rows, columns) = grid.axes(0, shape, block);
    // A matrix without rows still has columns to count, and the other way round.
    let part = rows.held() as u128 * columns.held() as u128;
    part.max(shape.0 as u128).max(shape.1 as u128)
}

/// Checks that ScaLAPACK's integers count as far as is needed, alike on all ranks.
pub(crate) fn fits(grid: &Grid, shape: (usize, usize), needed: u128) -> Result<(), Error> {
    let most = u128::from(c_int::MAX.unsigned_abs());
    if needed <= most {
        return Ok(());
    }
    Err(Error::RankTooLarge {
        rows: shape.0,
        columns: shape.1,
        needed,
        most,
        ranks: grid.ranks(),
    })
}

/// Copies the blocks of `whole` that the process with these rows and columns holds.
fn part_of(whole: &ArrayRef2<f64>, rows: Cyclic, columns: Cyclic) -> Array2<f64> {
    let mut part = Array2::zeros((rows.held(), columns.held()).f());
    for (j, right) in columns.blocks() {
        for (i, down) in rows.blocks() {
            let block = whole.slice(s![i, j.clone()]);
            part.slice_mut(s![down, right.clone()]).assign(&block);
        }
    }
    part
}

/// Copies what [`part_of`] copied back to where it came from.
fn put_part(whole: &mut Array2<f64>, rows: Cyclic, columns: Cyclic, part: ArrayView2<'_, f64>) {
    for (j, right) in columns.blocks() {
        for (i, down) in rows.blocks() {
            let block = part.slice(s![down, right.clone()]);
            whole.slice_mut(s![i, j.clone()]).assign(&block);
        }
    }
}

fn in_memory(matrix: &Array2<f64>) -> &[f64] {
    let numbers = matrix.as_slice_memory_order();
    numbers.expect("made here, without gaps")
}

fn in_memory_mut(matrix: &mut Array2<f64>) -> &mut [f64] {
    let numbers = matrix.as_slice_memory_order_mut();
    numbers.expect("made here, without gaps")
}
