//! A kernel matrix of which each rank computes its blocks.

use crate::communicate::{broadcast, receive, send, sum, sum_at_root};
use crate::{BlockCyclic, Cyclic, Grid};
use ndarray::{
    Array1, Array2, ArrayD, ArrayRef, ArrayRef2, ArrayView1, ArrayViewD, Axis, Dimension, Slice, s,
};
use ntk_linalg::observer::{Inside, Observer};
use ntk_linalg::tiled::{Position, Tiling};
use ntk_linalg::{LinalgError, matmul};
use std::fmt;
use std::ops::Range;

use crate::Error;
use crate::error::agree;
use crate::samples::{deal, shape_of_root};
use crate::through::Through;
use ntk_kernels::gram::GramError;
use ntk_kernels::predict::PredictError;
use ntk_kernels::{Kernel, KernelError, Network};
use ntk_store::TileStore;

/// The number of test samples that a rank treats at once; it then has as many times its training
/// samples of their kernel.
const PIECE: usize = 256;

/// A `DistributedKernel` is the kernel of a network and of samples, of which each rank has those of
/// its rows and of its columns of the matrix.
///
/// With d numbers a sample and a grid of P x Q that is `(n/P + n/Q) d` numbers a rank, and n for
/// the diagonal.
pub struct DistributedKernel<'a> {
    network: &'a Network,
    kernel: Kernel,
    observer: &'a dyn Observer,
    grid: Grid,
    /// The shape of the whole input.
    shape: Vec<usize>,
    block: usize,
    of_rows: ArrayD<f64>,
    of_columns: ArrayD<f64>,
    /// The diagonal of the whole kernel.
    diagonal: Array1<f64>,
}

impl fmt::Debug for DistributedKernel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DistributedKernel")
            .field("network", self.network)
            .field("kernel", &self.kernel)
            .field("grid", &self.grid)
            .field("shape", &self.shape)
            .field("block", &self.block)
            .finish_non_exhaustive()
    }
}

impl<'a> DistributedKernel<'a> {
    /// Deals rank 0's samples `x`, of the shapes that [`Network::ntk`] takes, out to `grid`, for a
    /// matrix in blocks of `block`; see [`BlockCyclic`] for good sizes.
    ///
    /// Rank 0 looks at all of them first, in time proportional to their number.
    ///
    /// # Errors
    /// On every rank: [`Error::Kernel`], which other ranks have as [`Error::Rank`].
    pub fn new<D: Dimension>(
        grid: &Grid,
        network: &'a Network,
        kernel: Kernel,
        x: &ArrayRef<f64, D>,
        block: usize,
    ) -> Result<Self, Error> {
        let x = x.view().into_dyn();
        let communicator = grid.communicator();
        let own = match grid.rank() {
            0 => own_kernels(network, kernel, &x).map(|own| own.to_vec()),
            _ => Ok(Vec::new()),
        };
        let mut own = agree(communicator, own)?;
        let shape = shape_of_root(communicator, x.shape());
        own.resize(shape[0], 0.0);
        broadcast(communicator, 0, &mut own);
        let axes = |rank| grid.axes(rank, (shape[0], shape[0]), block);
        Ok(Self {
            network,
            kernel,
            observer: &(),
            grid: grid.clone(),
            of_rows: deal(communicator, &x, &shape, |rank| axes(rank).0),
            of_columns: deal(communicator, &x, &shape, |rank| axes(rank).1),
            diagonal: own.into(),
            shape,
            block,
        })
    }

    /// Sets who is told of the progress of matrices and of predictions, and may stop them: each rank
    /// its own.
    #[must_use]
    pub fn observer(self, observer: &'a dyn Observer) -> Self {
        Self { observer, ..self }
    }

    /// Returns the number of samples.
    pub fn samples(&self) -> usize {
        self.shape[0]
    }

    /// Returns the grid that they lie on.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Returns the kernel of each sample with itself, n numbers.
    pub fn diagonal(&self) -> ArrayView1<'_, f64> {
        self.diagonal.view()
    }

    /// Computes the columns `which` of the kernel matrix, (n, which.len()), on every rank.
    ///
    /// Cost over all ranks: that of [`Network::ntk`] of so many samples with `x`; each rank sends and
    /// receives as many samples, and then the columns, for every step of a sum and a broadcast.
    ///
    /// # Errors
    /// [`Error::Linalg`] for a column beyond the last; [`Error::Kernel`] where
    /// the kernel fails, and [`Error::Rank`] on every rank where it does not.
    pub fn columns(&self, which: &[usize]) -> Result<Array2<f64>, Error> {
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
        let block = self.unobserved(part(&of_rows, mine.clone()), chosen.view());
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

    /// Computes the lower half of the kernel matrix (n, n): entries above the diagonal are zero, but
    /// for those in blocks on it. There are no messages but for one of errors in the end.
    ///
    /// Cost over all ranks: that of [`Network::ntk`] of `x` with itself; a rank has the kernel of one
    /// block's samples with its rows besides its part of the matrix. The
    /// [observer](DistributedKernel::observer) is told of rounds, in which each rank computes one
    /// column of its blocks.
    ///
    /// # Errors
    /// [`Error::Linalg`] where a part is too large or the block's size is not allowed;
    /// [`Error::Kernel`] when the observer cancels, and [`Error::Rank`] on every rank where that has
    /// not happened.
    pub fn matrix(&self) -> Result<BlockCyclic, Error> {
        self.matrix_through(None)
    }

    /// Computes the matrix as [`DistributedKernel::matrix`] does, by way of rank 0's store.
    ///
    /// Rank 0's `store`, if it has one, must be of this matrix in tiles of a block; other ranks'
    /// is not looked at. Blocks that it has go to the ranks that hold them, others are computed and
    /// go to rank 0, which writes them; what was written stays when the job ends. Rank 0 then has
    /// at most 256 MiB of blocks on their way.
    ///
    /// # Errors
    /// Those of [`DistributedKernel::matrix`], and on rank 0 [`Error::Store`] where the store is of
    /// other tiles, has a damaged one, or cannot be read or written; [`Error::Rank`] on every rank
    /// where that has not happened.
    pub fn matrix_through(&self, store: Option<&TileStore<f64>>) -> Result<BlockCyclic, Error> {
        let n = self.samples();
        let mut matrix = BlockCyclic::zeros(&self.grid, (n, n), self.block)?;
        let tiling = Tiling::symmetric(n, self.block).map_err(ntk_store::Error::from)?;
        let through = Through::new(&self.grid, store, tiling)?;
        let filled = self.fill(&mut matrix, &tiling, through.as_ref());
        match through {
            // It has agreed in each round.
            Some(_) => filled?,
            None => agree(self.grid.communicator(), filled)?,
        }
        Ok(matrix)
    }

    /// Computes this rank's blocks on and below the diagonal. With a store this is collective, the
    /// error too.
    fn fill(
        &self,
        matrix: &mut BlockCyclic,
        tiling: &Tiling,
        through: Option<&Through<'_>>,
    ) -> Result<(), Error> {
        let observer = self.observer;
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
                self.compute(matrix, tiling, mine, |_| false)?;
                observer.advance(1);
                continue;
            };
            let last = tiles.min(first + process_columns);
            let round: Vec<_> = (first..last)
                .flat_map(|j| (j..tiles).map(move |i| (i, j)))
                .collect();
            let handed_out = through.hand_out(&round, matrix);
            let here = written.and(handed_out).map_err(Error::from);
            let here = here.and_then(|()| {
                stop_if_asked(observer)?;
                self.compute(matrix, tiling, mine, |tile| through.has(tile))
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

    /// Computes those blocks in column `j` of blocks, of this process' column, that are not `there`.
    fn compute(
        &self,
        matrix: &mut BlockCyclic,
        tiling: &Tiling,
        j: usize,
        there: impl Fn(Position) -> bool,
    ) -> Result<(), Error> {
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
                let block = self.own(x2.clone())?;
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
            let block = self.between(x1, x2.clone())?;
            local.slice_mut(s![strip, right.clone()]).assign(&block);
        }
        Ok(())
    }

    /// Computes `K(test, x) c` for rank 0's `test` samples and `coefficients` c (n, outputs) that
    /// every rank has: (test, outputs) on rank 0, and `None` on the others.
    ///
    /// Test samples count as others than the training samples, equal or not, which is a matter of
    /// dropout alone. Every rank gets its share of them once, and treats them with its columns'
    /// samples. Cost over all ranks: that of [`Network::ntk`], and `2 n m outputs` for m test samples.
    ///
    /// # Errors
    /// [`Error::Predict`] where the coefficients do not fit; [`Error::Kernel`]
    /// for test samples that do not, or when the observer cancels, and [`Error::Rank`] on
    /// every rank where that has not happened.
    pub fn predict<D: Dimension>(
        &self,
        coefficients: &ArrayRef2<f64>,
        test: &ArrayRef<f64, D>,
    ) -> Result<Option<Array2<f64>>, Error> {
        let test = test.view().into_dyn();
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
        let outputs_of_columns = self.outputs(&mine, coefficients);
        let mut part = agree(communicator, outputs_of_columns)?;
        sum_at_root(grid.along_row(), part.as_slice_mut().expect("it is new"));
        Ok(self.collect(part, (shape[0], outputs), tests))
    }

    /// Checks that test samples have a kernel with the training samples.
    fn check_test(&self, test: ArrayViewD<'_, f64>) -> Result<(), KernelError> {
        self.network.kernel_diagonal(&test)?;
        let of_columns = self.of_columns.view();
        // No sample of each: what remains is whether they have one shape.
        let (x1, x2) = (part(&test, 0..0), part(&of_columns, 0..0));
        self.unobserved(x1, x2).map(drop)
    }

    /// Computes what this rank's columns add to the outputs of `tests` (m, ...): (m, outputs).
    fn outputs(
        &self,
        tests: &ArrayD<f64>,
        coefficients: &ArrayRef2<f64>,
    ) -> Result<Array2<f64>, Error> {
        let observer = self.observer;
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
            let kernel = self.between(x1, self.of_columns.view())?;
            let product = matmul(&kernel, &of_columns)?;
            outputs.slice_mut(s![piece, ..]).assign(&product);
            observer.advance(1);
        }
        Ok(outputs)
    }

    /// Collects on rank 0 the rows of (m, outputs) that the first process of each row of the grid has.
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

    /// Computes the kernel of each of these samples with itself.
    pub(crate) fn own_kernels(&self, x: &ArrayD<f64>) -> Result<Array1<f64>, KernelError> {
        own_kernels(self.network, self.kernel, &x.view())
    }

    /// Returns who is told of progress.
    pub(crate) fn observing(&self) -> &'a dyn Observer {
        self.observer
    }

    /// Computes the kernel of samples with others, which may equal them and are others all the same.
    pub(crate) fn between(
        &self,
        x1: ArrayViewD<'_, f64>,
        x2: ArrayViewD<'_, f64>,
    ) -> Result<Array2<f64>, KernelError> {
        let inside = Inside(self.observer);
        let kernel_fn = self.network.kernel_fn().observer(&inside).distinct();
        kernel_fn.kernel_between(self.kernel, &x1, &x2)
    }

    /// Computes the same where nobody is to be told of it.
    fn unobserved(
        &self,
        x1: ArrayViewD<'_, f64>,
        x2: ArrayViewD<'_, f64>,
    ) -> Result<Array2<f64>, KernelError> {
        let kernel_fn = self.network.kernel_fn().distinct();
        kernel_fn.kernel_between(self.kernel, &x1, &x2)
    }

    /// Computes the kernel of samples with themselves.
    fn own(&self, x: ArrayViewD<'_, f64>) -> Result<Array2<f64>, KernelError> {
        let inside = Inside(self.observer);
        self.network
            .kernel_fn()
            .observer(&inside)
            .kernel(self.kernel, &x)
    }
}

/// Computes the kernel of each sample with itself.
fn own_kernels(
    network: &Network,
    kernel: Kernel,
    x: &ArrayViewD<'_, f64>,
) -> Result<Array1<f64>, KernelError> {
    let own = network.kernel_diagonal(x)?;
    Ok(match kernel {
        Kernel::Nngp => own.nngp,
        Kernel::Ntk => own.ntk,
    })
}

/// Asks once where a rank may have no work during which it would be asked.
fn stop_if_asked(observer: &dyn Observer) -> Result<(), KernelError> {
    Ok(observer.check().map_err(GramError::from)?)
}

/// Takes some of the samples.
fn part<'a>(x: &'a ArrayViewD<'_, f64>, samples: Range<usize>) -> ArrayViewD<'a, f64> {
    x.slice_axis(Axis(0), Slice::from(samples))
}
