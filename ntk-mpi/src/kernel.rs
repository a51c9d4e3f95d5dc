//! A kernel matrix of which each rank computes its blocks.

use crate::communicate::{broadcast, receive, send, sum, sum_at_root};
use crate::{BlockCyclic, Cyclic, Grid};
use ndarray::{Array1, Array2, ArrayD, ArrayView1, ArrayView2, ArrayViewD, Axis, Slice, s};
use ntk_linalg::observer::{Inside, Observer};
use ntk_linalg::tiled::{Position, Tiling};
use ntk_linalg::{LinalgError, matmul};
use std::ops::Range;

use crate::DistributedError;
use crate::error::agree;
use crate::samples::{deal, shape_of_root};
use crate::through::Through;
use ntk_kernels::closed_form::kernels_of_others;
use ntk_kernels::gram::GramError;
use ntk_kernels::predict::PredictError;
use ntk_kernels::{Get, KernelError, Kernels, Network, diagonal, kernels};
use ntk_store::{StoreError, TileStore};

/// Test samples that a rank treats at once; it then has as many times its training samples
/// of their kernel.
const PIECE: usize = 256;

/// A network, and the samples that its kernel is of: each rank has those of its rows and of its
/// columns of the matrix.
///
/// With d numbers a sample and a grid of P x Q that is `(n/P + n/Q) d` numbers a rank, and n for
/// the diagonal.
#[derive(Debug)]
pub struct DistributedKernel<'a> {
    network: &'a Network,
    get: Get,
    grid: Grid,
    /// Of the whole input.
    shape: Vec<usize>,
    block: usize,
    of_rows: ArrayD<f64>,
    of_columns: ArrayD<f64>,
    /// Of the whole kernel.
    diagonal: Array1<f64>,
}

impl<'a> DistributedKernel<'a> {
    /// Deals rank 0's samples `x`, of the shapes that [`kernels`] takes, out to `grid`, for a
    /// matrix in blocks of `block`; see [`BlockCyclic`] for good ones.
    ///
    /// Rank 0 looks at all of them first, in time proportional to their number.
    ///
    /// # Errors
    /// On every rank: [`DistributedError::Both`]; [`DistributedError::Kernel`], which other ranks
    /// have as [`DistributedError::Rank`].
    pub fn new(
        grid: &Grid,
        network: &'a Network,
        get: Get,
        x: ArrayViewD<'_, f64>,
        block: usize,
    ) -> Result<Self, DistributedError> {
        if get == Get::Both {
            return Err(DistributedError::Both);
        }
        let communicator = grid.communicator();
        let own = match (grid.rank(), get) {
            (0, Get::Nngp) => diagonal(network, x.view()).map(|own| own.nngp.to_vec()),
            (0, _) => diagonal(network, x.view()).map(|own| own.ntk.to_vec()),
            _ => Ok(Vec::new()),
        };
        let mut own = agree(communicator, own)?;
        let shape = shape_of_root(communicator, x.shape());
        own.resize(shape[0], 0.0);
        broadcast(communicator, 0, &mut own);
        let axes = |rank| grid.axes(rank, (shape[0], shape[0]), block);
        Ok(Self {
            network,
            get,
            grid: grid.clone(),
            of_rows: deal(communicator, &x, &shape, |rank| axes(rank).0),
            of_columns: deal(communicator, &x, &shape, |rank| axes(rank).1),
            diagonal: own.into(),
            shape,
            block,
        })
    }

    /// How many samples there are.
    pub fn samples(&self) -> usize {
        self.shape[0]
    }

    /// The grid that they lie on.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The kernel of each sample with itself, n numbers.
    pub fn diagonal(&self) -> ArrayView1<'_, f64> {
        self.diagonal.view()
    }

    /// The columns `which` of the kernel matrix, (n, which.len()), on every rank.
    ///
    /// Cost over all ranks: that of [`kernels`] of so many samples with `x`; each rank sends and
    /// receives as many samples, and then the columns, for every step of a sum and a broadcast.
    ///
    /// # Errors
    /// [`DistributedError::Linalg`] for a column beyond the last; [`DistributedError::Kernel`] where
    /// the kernel fails, and [`DistributedError::Rank`] on every rank where it does not.
    pub fn columns(&self, which: &[usize]) -> Result<Array2<f64>, DistributedError> {
        let n = self.samples();
        if let Some(&beyond) = which.iter().find(|&&column| column >= n) {
            return Err(LinalgError::Argument {
                name: "a column",
                value: beyond as f64,
                condition: "less than the number of samples",
            }
            .into());
        }
        let communicator = self.grid.communicator();
        let (process_columns, rank) = (self.grid.shape().1, self.grid.rank());
        let (rows, _) = self.grid.axes(rank, (n, n), self.block);
        let (process_row, process_column) = (rank / process_columns, rank % process_columns);
        let mut shape = self.shape.clone();
        shape[0] = which.len();
        let mut chosen = ArrayD::zeros(shape);
        for (place, &column) in which.iter().enumerate() {
            // One rank adds each; the others of its row of processes hold it too.
            if process_column == 0 && rows.owner(column) == process_row {
                let sample = self.of_rows.index_axis(Axis(0), rows.held_below(column));
                chosen.index_axis_mut(Axis(0), place).assign(&sample);
            }
        }
        sum(communicator, chosen.as_slice_mut().expect("it is new"));
        // Processes of one row hold the same samples, and share them out.
        let cut = |process: usize| rows.held() * process / process_columns;
        let mine = cut(process_column)..cut(process_column + 1);
        let of_rows = self.of_rows.view();
        let block = self.between(part(&of_rows, mine.clone()), chosen.view(), &());
        let block = agree(communicator, block)?;
        let mut columns = Array2::zeros((n, which.len()));
        for (indices, places) in rows.blocks() {
            for (row, place) in indices.zip(places) {
                if mine.contains(&place) {
                    let found = block.row(place - mine.start);
                    columns.row_mut(row).assign(&found);
                }
            }
        }
        sum(communicator, columns.as_slice_mut().expect("it is new"));
        for (place, &column) in which.iter().enumerate() {
            // With itself, which with dropout is another number.
            columns[[column, place]] = self.diagonal[column];
        }
        Ok(columns)
    }

    /// The kernel matrix (n, n), of which the lower half is computed: entries above the diagonal
    /// are zero, but for those in blocks on it.
    ///
    /// Rank 0's `store`, if it has one, must be of this matrix in tiles of a block; other ranks'
    /// is not looked at. Blocks that it has go to the ranks that hold them, others are computed and
    /// go to rank 0, which writes them; what was written stays when the job ends. Rank 0 then has
    /// at most 256 MiB of blocks on their way. Without a store there are no messages.
    ///
    /// Cost over all ranks: that of [`kernels`] of `x` with itself; a rank has the kernel of one
    /// block's samples with its rows besides its part of the matrix. `observer` is told of rounds,
    /// in which each rank computes one column of its blocks.
    ///
    /// # Errors
    /// [`DistributedError::Linalg`] where a part is too large or the block's size is not allowed.
    /// [`DistributedError::Kernel`] when `observer` cancels, and on rank 0
    /// [`DistributedError::Store`] where the store is of other tiles, has a damaged one, or cannot
    /// be read or written; [`DistributedError::Rank`] on every rank where that has not happened.
    pub fn matrix(
        &self,
        store: Option<&TileStore<f64>>,
        observer: &dyn Observer,
    ) -> Result<BlockCyclic, DistributedError> {
        let n = self.samples();
        let mut matrix = BlockCyclic::zeros(&self.grid, (n, n), self.block)?;
        let tiling = Tiling::symmetric(n, self.block).map_err(StoreError::from)?;
        let through = Through::new(&self.grid, store, tiling)?;
        let filled = self.fill(&mut matrix, &tiling, through.as_ref(), observer);
        match through {
            // It has agreed in each round.
            Some(_) => filled?,
            None => agree(self.grid.communicator(), filled)?,
        }
        Ok(matrix)
    }

    /// This rank's blocks on and below the diagonal. With a store collective, the error too.
    fn fill(
        &self,
        matrix: &mut BlockCyclic,
        tiling: &Tiling,
        through: Option<&Through<'_>>,
        observer: &dyn Observer,
    ) -> Result<(), DistributedError> {
        let communicator = self.grid.communicator();
        let process_columns = self.grid.shape().1;
        let tiles = tiling.grid().0;
        let rounds = tiles.div_ceil(process_columns);
        observer.begin("kernel matrix", rounds as u64);
        if through.is_none() {
            stop_if_asked(observer)?;
        }
        let mut written = Ok(());
        for round in 0..rounds {
            let first = round * process_columns;
            let mine = first + self.grid.rank() % process_columns;
            let Some(through) = through else {
                self.compute(matrix, tiling, mine, |_| false, observer)?;
                observer.advance(1);
                continue;
            };
            let last = tiles.min(first + process_columns);
            let round: Vec<_> = (first..last)
                .flat_map(|j| (j..tiles).map(move |i| (i, j)))
                .collect();
            let handed_out = through.hand_out(&round, matrix);
            let here = written.and(handed_out).map_err(DistributedError::from);
            let here = here.and_then(|()| {
                stop_if_asked(observer)?;
                self.compute(matrix, tiling, mine, |tile| through.has(tile), observer)
            });
            agree(communicator, here)?;
            written = through.hand_in(&round, matrix);
            observer.advance(1);
        }
        match through {
            Some(_) => agree(communicator, written),
            None => Ok(()),
        }
    }

    /// Those blocks in column `j` of blocks, of this process' column, that are not `there`.
    fn compute(
        &self,
        matrix: &mut BlockCyclic,
        tiling: &Tiling,
        j: usize,
        there: impl Fn(Position) -> bool,
        observer: &dyn Observer,
    ) -> Result<(), DistributedError> {
        let indices = tiling.column_range(j);
        if indices.is_empty() {
            return Ok(());
        }
        let (rows, columns) = (matrix.rows(), matrix.columns());
        let right = columns.held_below(indices.start)..columns.held_below(indices.end);
        let (of_rows, of_columns) = (self.of_rows.view(), self.of_columns.view());
        let x2 = part(&of_columns, right.clone());
        let mut local = matrix.local_mut();
        // Blocks that follow each other are computed as one.
        let mut strips: Vec<Range<usize>> = Vec::new();
        for (i, down) in rows.blocks().filter(|(i, _)| i.start >= indices.start) {
            if there((i.start / self.block, j)) {
                continue;
            }
            if i.start == indices.start {
                let block = self.own(x2.clone(), observer)?;
                local.slice_mut(s![down, right.clone()]).assign(&block);
                continue;
            }
            match strips.last_mut() {
                Some(strip) if strip.end == down.start => strip.end = down.end,
                _ => strips.push(down),
            }
        }
        for strip in strips {
            let x1 = part(&of_rows, strip.clone());
            let block = self.between(x1, x2.clone(), observer)?;
            local.slice_mut(s![strip, right.clone()]).assign(&block);
        }
        Ok(())
    }

    /// `K(test, x) c` for rank 0's `test` samples and `coefficients` c (n, outputs) that every rank
    /// has: (test, outputs) on rank 0, and `None` on the others.
    ///
    /// Test samples count as others than the training samples, equal or not, which is a matter of
    /// dropout alone. Every rank gets its share of them once, and treats them with its columns'
    /// samples. Cost over all ranks: that of [`kernels`], and `2 n m outputs` for m test samples.
    ///
    /// # Errors
    /// [`DistributedError::Predict`] where the coefficients do not fit; [`DistributedError::Kernel`]
    /// for test samples that do not, or when `observer` cancels, and [`DistributedError::Rank`] on
    /// every rank where that has not happened.
    pub fn predict(
        &self,
        coefficients: ArrayView2<'_, f64>,
        test: ArrayViewD<'_, f64>,
        observer: &dyn Observer,
    ) -> Result<Option<Array2<f64>>, DistributedError> {
        let (n, outputs) = (self.samples(), coefficients.ncols());
        if coefficients.nrows() != n {
            return Err(PredictError::Shape {
                what: "the coefficients",
                found: coefficients.dim(),
                expected: format!("{:?}", (n, outputs)),
                why: "one row for each training sample",
            }
            .into());
        }
        let (grid, communicator) = (&self.grid, self.grid.communicator());
        let valid = match grid.rank() {
            0 => self.check_test(test.view()),
            _ => Ok(()),
        };
        agree(communicator, valid)?;
        let shape = shape_of_root(communicator, test.shape());
        let tests = |rank| grid.axes(rank, (shape[0], n), PIECE).0;
        let mine = deal(communicator, &test, &shape, tests);
        let outputs_of_columns = self.outputs(&mine, coefficients, observer);
        let mut part = agree(communicator, outputs_of_columns)?;
        sum_at_root(grid.along_row(), part.as_slice_mut().expect("it is new"));
        Ok(self.collect(part, (shape[0], outputs), tests))
    }

    /// Refuses test samples without a kernel with the training samples.
    fn check_test(&self, test: ArrayViewD<'_, f64>) -> Result<(), KernelError> {
        diagonal(self.network, test.view())?;
        let of_columns = self.of_columns.view();
        // No sample of each: what remains is whether they have one shape.
        let (x1, x2) = (part(&test, 0..0), part(&of_columns, 0..0));
        self.between(x1, x2, &()).map(drop)
    }

    /// What this rank's columns add to the outputs of `tests` (m, ...): (m, outputs).
    fn outputs(
        &self,
        tests: &ArrayD<f64>,
        coefficients: ArrayView2<'_, f64>,
        observer: &dyn Observer,
    ) -> Result<Array2<f64>, DistributedError> {
        let tests = tests.view();
        let (n, m) = (self.samples(), tests.shape()[0]);
        let (_, columns) = self.grid.axes(self.grid.rank(), (n, n), self.block);
        let mut of_columns = Array2::zeros((columns.held(), coefficients.ncols()));
        for (j, places) in columns.blocks() {
            let mut there = of_columns.slice_mut(s![places, ..]);
            there.assign(&coefficients.slice(s![j, ..]));
        }
        let mut outputs = Array2::zeros((m, coefficients.ncols()));
        observer.begin("predictions", m.div_ceil(PIECE) as u64);
        stop_if_asked(observer)?;
        for start in (0..m).step_by(PIECE) {
            let piece = start..m.min(start + PIECE);
            let x1 = part(&tests, piece.clone());
            let kernel = self.between(x1, self.of_columns.view(), observer)?;
            let product = matmul(kernel.view(), of_columns.view())?;
            outputs.slice_mut(s![piece, ..]).assign(&product);
            observer.advance(1);
        }
        Ok(outputs)
    }

    /// The rows of (m, outputs) that the first process of each row of the grid has, on rank 0.
    fn collect(
        &self,
        mut part: Array2<f64>,
        (m, outputs): (usize, usize),
        held: impl Fn(usize) -> Cyclic,
    ) -> Option<Array2<f64>> {
        let (communicator, rank) = (self.grid.communicator(), self.grid.rank());
        let (process_rows, process_columns) = self.grid.shape();
        if rank != 0 {
            if rank % process_columns == 0 {
                send(communicator, 0, part.as_slice().expect("it is new"));
            }
            return None;
        }
        let mut whole = Array2::zeros((m, outputs));
        for from in (0..process_rows).map(|row| row * process_columns) {
            if from != 0 {
                part = Array2::zeros((held(from).held(), outputs));
                receive(communicator, from, part.as_slice_mut().expect("it is new"));
            }
            for (i, places) in held(from).blocks() {
                let mut there = whole.slice_mut(s![i, ..]);
                there.assign(&part.slice(s![places, ..]));
            }
        }
        Some(whole)
    }

    /// The kernel of samples with others, which may equal them and are others all the same.
    fn between(
        &self,
        x1: ArrayViewD<'_, f64>,
        x2: ArrayViewD<'_, f64>,
        observer: &dyn Observer,
    ) -> Result<Array2<f64>, KernelError> {
        let both = kernels_of_others(self.network, x1, x2, self.get, &Inside(observer))?;
        Ok(Self::asked(both))
    }

    /// The kernel of samples with themselves.
    fn own(
        &self,
        x: ArrayViewD<'_, f64>,
        observer: &dyn Observer,
    ) -> Result<Array2<f64>, KernelError> {
        let both = kernels(self.network, x, None, self.get, &Inside(observer))?;
        Ok(Self::asked(both))
    }

    /// The kernel that was asked for.
    fn asked(both: Kernels<f64>) -> Array2<f64> {
        both.ntk.or(both.nngp).expect("one kernel was asked for")
    }
}

/// Asks once where a rank may have no work during which it would be asked.
fn stop_if_asked(observer: &dyn Observer) -> Result<(), KernelError> {
    Ok(observer.check().map_err(GramError::from)?)
}

/// Some of the samples.
fn part<'a>(x: &'a ArrayViewD<'_, f64>, samples: Range<usize>) -> ArrayViewD<'a, f64> {
    x.slice_axis(Axis(0), Slice::from(samples))
}
