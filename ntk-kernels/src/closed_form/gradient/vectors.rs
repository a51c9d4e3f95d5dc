//! Differentiates kernels of networks on vectors, tile by tile.

use super::super::dense::{OwnKernels, Rows};
use super::super::program::Program;
use super::super::spatial::whole::{Op, Plan};
use super::super::{Kernel, KernelError, Kernels};
use super::adjoint::Adjoints;
use super::line::{Line, Pool, packs, padded};
use super::shape::Shape;
use super::site::{Numbers, Own, Pairs, of_columns, of_rows};
use super::tangent::{Found, Tangent};
use super::tape::{Tape, keep_in, record};
use super::{Contracted, Derivatives};
use crate::gram::{GramError, TileRow};
use crate::pack::{LANES, Pack};
use crate::pairs::row::PreparedSamples;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, s};
use ntk_linalg::observer::Observer;
use ntk_linalg::{Real, gemm, mirror_lower};
use rayon::prelude::*;
use std::ops::Range;

/// The packs of pairs that go through the layers at once: what is kept of them fits a cache.
const PACKS: usize = 128;

/// The samples, with what a pass of each alone gives.
struct Samples<'a, T: Real> {
    x: ArrayView2<'a, T>,
    sites: &'a [Option<PreparedSamples<T>>],
    numbers: Numbers<T>,
    /// The kernels of each sample with itself, and what their derivatives need.
    own: Line<T>,
    tape: Tape<'a, T>,
}

impl<'a, T: Real> Samples<'a, T> {
    fn new(ops: &'a [Op], x: ArrayView2<'a, T>, of: &'a OwnKernels<T>) -> Self {
        let features = T::of(x.ncols() as f64);
        let variances: Vec<T> = of.squared_norms.iter().map(|&v| v / features).collect();
        let mut samples = Self {
            sites: &of.sites,
            numbers: of_columns(&of.sites, 0..x.nrows()),
            own: line(Shape::Equal(x.nrows().div_ceil(LANES)), packs(&variances)),
            tape: Vec::new(),
            x,
        };
        let mut own = samples.own.clone();
        samples.tape = record(ops, &samples.pairs(), &mut own, &mut Pool::default());
        samples.own = own;
        samples
    }

    fn len(&self) -> usize {
        self.x.nrows()
    }

    fn pairs(&self) -> Pairs<'_, T> {
        Pairs {
            one: &self.numbers,
            two: &self.numbers,
            own: Own::Samples(self.len()),
            groups: None,
        }
    }
}

fn line<T: Real>(shape: Shape, nngp: Vec<Pack<T>>) -> Line<T> {
    Line::of(shape, nngp, &mut Pool::default())
}

/// Both inputs, in tiles.
struct Tiles<'a, T: Real> {
    sites: usize,
    ops: &'a [Op],
    rows: &'a Rows<T>,
    one: Samples<'a, T>,
    /// `None` where the columns are the rows.
    two: Option<Samples<'a, T>>,
    tile: usize,
    observer: &'a dyn Observer,
}

/// The pairs of some rows of a tile with its columns.
struct Chunk {
    rows: Range<usize>,
    /// Those of an input with itself end with the last row's own.
    columns: Range<usize>,
}

impl Chunk {
    fn shape(&self) -> Shape {
        Shape::Rows {
            rows: self.rows.len(),
            width: self.columns.len().div_ceil(LANES),
        }
    }
}

impl<'a, T: Real> Tiles<'a, T> {
    fn new(
        program: &Program,
        ops: &'a [Op],
        rows: &'a Rows<T>,
        [x1, x2]: [Option<ArrayView2<'a, T>>; 2],
        tile: usize,
        observer: &'a dyn Observer,
    ) -> Self {
        let two = x2.zip(rows.two.as_ref());
        let x1 = x1.expect("there is a first input");
        Self {
            sites: program.sites,
            ops,
            rows,
            one: Samples::new(ops, x1, &rows.one),
            two: two.map(|(x2, of)| Samples::new(ops, x2, of)),
            tile,
            observer,
        }
    }

    fn columns(&self) -> &Samples<'a, T> {
        self.two.as_ref().unwrap_or(&self.one)
    }

    /// Returns the ranges of a tiling of so many.
    fn ranges(&self, len: usize) -> Vec<Range<usize>> {
        let starts = (0..len).step_by(self.tile);
        starts
            .map(|start| start..len.min(start + self.tile))
            .collect()
    }

    /// Returns the ranges of columns beside rows: none above the diagonal of an input with itself.
    fn beside(&self, rows: &Range<usize>) -> Vec<Range<usize>> {
        match &self.two {
            Some(two) => self.ranges(two.len()),
            None => self.ranges(rows.end),
        }
    }

    fn check(&self) -> Result<(), KernelError> {
        Ok(self.observer.check().map_err(GramError::from)?)
    }

    fn product(
        &self,
        rows: &Range<usize>,
        columns: &Range<usize>,
    ) -> Result<Array2<T>, KernelError> {
        let mut product = Array2::zeros((rows.len(), columns.len()));
        let x2 = self.columns().x.slice(s![columns.clone(), ..]);
        gemm(
            T::one(),
            &self.one.x.slice(s![rows.clone(), ..]),
            &x2.reversed_axes(),
            T::zero(),
            &mut product,
        )
        .map_err(GramError::from)?;
        Ok(product)
    }

    /// Cuts a tile into chunks.
    fn chunks(&self, rows: &Range<usize>, columns: &Range<usize>) -> Vec<Chunk> {
        let many = (PACKS / columns.len().div_ceil(LANES)).max(1);
        let starts = rows.clone().step_by(many);
        let chunk = |start: usize| {
            let rows = start..rows.end.min(start + many);
            let end = match &self.two {
                Some(_) => columns.end,
                None => columns.end.min(rows.end),
            };
            let columns = columns.start..end;
            Chunk { rows, columns }
        };
        starts.map(chunk).collect()
    }

    /// Says whether a pair of a chunk is computed, and not the mirror image of another.
    fn counts(&self, row: usize, column: usize) -> bool {
        self.two.is_some() || column < row
    }

    /// Records a chunk, with what sites need of the tile's columns; `product` has the inner products of
    /// the chunk's rows with these.
    fn record(
        &self,
        chunk: &Chunk,
        one: &Numbers<T>,
        two: &Numbers<T>,
        mut product: ArrayViewMut2<'_, T>,
        pool: &mut Pool<T>,
    ) -> (Line<T>, Tape<'a, T>) {
        let shape = chunk.shape();
        let mut nngp = pool.spare.any(shape.len());
        nngp.clear();
        for (row, mut inner) in chunk.rows.clone().zip(product.rows_mut()) {
            let inner = inner.as_slice_mut().expect(STANDARD);
            let inner = &mut inner[..chunk.columns.len()];
            let columns = chunk.columns.clone();
            self.rows.inputs(&mut TileRow {
                row,
                columns,
                inner,
            });
            nngp.extend(packs(inner));
        }
        let mut line = Line::of(shape, nngp, pool);
        let tape = record(self.ops, &self.pairs(one, two), &mut line, pool);
        (line, tape)
    }

    fn pairs<'b>(&self, one: &'b Numbers<T>, two: &'b Numbers<T>) -> Pairs<'b, T> {
        Pairs {
            one,
            two,
            own: Own::No,
            groups: None,
        }
    }
}

const STANDARD: &str = "a row of a matrix in standard layout";

/// The derivatives of samples with themselves by one group of hyperparameters, and of their variances at
/// each site.
type OwnBy<T> = (Option<Line<T>>, Vec<Vec<T>>);

/// Computes both kernels and their derivatives by each group of hyperparameters.
pub(super) fn derivatives<T: Real>(
    program: &Program,
    x1: ArrayView2<'_, T>,
    x2: Option<ArrayView2<'_, T>>,
    groups: &[Vec<bool>],
    tile: usize,
    observer: &dyn Observer,
) -> Result<Derivatives<T>, KernelError> {
    let rows = Rows::new(program, x1, x2)?;
    let plan = Plan::new(program, false);
    let tiles = Tiles::new(program, &plan.ops, &rows, [Some(x1), x2], tile, observer);
    let own = |samples: &Samples<'_, T>| -> Vec<OwnBy<T>> {
        let each = groups.par_iter().map(|numbers| {
            let mut tangent = Tangent {
                numbers,
                known: None,
                found: vec![Vec::new(); program.sites],
            };
            let pool = &mut Pool::default();
            let line = tangent.through(&samples.tape, &samples.pairs(), None, pool);
            (line, tangent.found)
        });
        each.collect()
    };
    let one = own(&tiles.one);
    let two = tiles.two.as_ref().map(own);
    let two = two.as_ref().unwrap_or(&one);

    let (n, m) = (tiles.one.len(), tiles.columns().len());
    let mut all: Vec<Array2<T>> = (0..2 * (groups.len() + 1))
        .map(|_| Array2::zeros((n, m)))
        .collect();
    // What each row of tiles writes.
    let mut bands: Vec<Vec<_>> = tiles.ranges(n).iter().map(|_| Vec::new()).collect();
    for matrix in &mut all {
        let parts = matrix.axis_chunks_iter_mut(Axis(0), tile);
        bands
            .iter_mut()
            .zip(parts)
            .for_each(|(band, part)| band.push(part));
    }
    observer.begin("kernel matrices", bands.len() as u64);
    let work = tiles.ranges(n).into_par_iter().zip(bands);
    let work = work.map_init(
        Pool::default,
        |pool, (range, mut band)| -> Result<(), KernelError> {
            for columns in tiles.beside(&range) {
                tiles.check()?;
                let mut product = tiles.product(&range, &columns)?;
                let numbers = of_columns(tiles.columns().sites, columns.clone());
                let by_columns = two.iter();
                let by_columns: Vec<_> = by_columns
                    .map(|(_, found)| Found::of_columns(found, columns.clone()))
                    .collect();
                for chunk in tiles.chunks(&range, &columns) {
                    let first = of_rows(tiles.one.sites, chunk.rows.clone());
                    let at = chunk.rows.start - range.start..chunk.rows.end - range.start;
                    let part = product.slice_mut(s![at.clone(), ..]);
                    let (line, tape) = tiles.record(&chunk, &first, &numbers, part, pool);
                    let pairs = tiles.pairs(&first, &numbers);
                    let mut put = |number: usize, line: &Line<T>, own: Option<&Line<T>>| {
                        let both = &mut band[2 * number..2 * number + 2];
                        write(&tiles, &chunk, at.start, line, own, both);
                    };
                    put(0, &line, Some(&tiles.one.own));
                    for (number, numbers) in groups.iter().enumerate() {
                        let by_rows = Found::of_rows(&one[number].1, chunk.rows.clone());
                        let mut tangent = Tangent {
                            numbers,
                            known: Some([&by_rows, &by_columns[number]]),
                            found: Vec::new(),
                        };
                        if let Some(by) = tangent.through(&tape, &pairs, None, pool) {
                            put(number + 1, &by, one[number].0.as_ref());
                            by.keep_in(pool);
                        }
                    }
                    line.keep_in(pool);
                    keep_in(tape, pool);
                }
            }
            observer.advance(1);
            Ok(())
        },
    );
    work.collect::<Result<(), _>>()?;
    if tiles.two.is_none() {
        for matrix in &mut all {
            mirror_lower(matrix).map_err(GramError::from)?;
        }
    }
    let mut all = all.into_iter();
    let mut next = || Kernels {
        nngp: all.next().unwrap_or_default(),
        ntk: all.next().unwrap_or_default(),
    };
    let kernels = next();
    Ok(Derivatives {
        kernels,
        by: groups.iter().map(|_| next()).collect(),
    })
}

/// Writes both kernels of a chunk, whose first row is this one of the matrices; of an input with itself
/// what is left of the diagonal, and each row's own.
fn write<T: Real>(
    tiles: &Tiles<'_, T>,
    chunk: &Chunk,
    first: usize,
    line: &Line<T>,
    own: Option<&Line<T>>,
    to: &mut [ArrayViewMut2<'_, T>],
) {
    let width = chunk.columns.len().div_ceil(LANES);
    for (which, to) in [Kernel::Nngp, Kernel::Ntk].into_iter().zip(to) {
        let from = line.kernel(which);
        for ((number, row), from) in chunk.rows.clone().enumerate().zip(from.chunks(width)) {
            let mut to = to.row_mut(first + number);
            let to = to.as_slice_mut().expect(STANDARD);
            let end = match &tiles.two {
                Some(_) => chunk.columns.end,
                None => chunk.columns.end.min(row.max(chunk.columns.start)),
            };
            let to_row = &mut to[chunk.columns.start..end];
            for (to, from) in to_row.chunks_mut(LANES).zip(from) {
                to.copy_from_slice(&from.0[..to.len()]);
            }
            if let (Some(own), None) = (own, &tiles.two)
                && chunk.columns.contains(&row)
            {
                to[row] = own.kernel(which)[row / LANES].0[row % LANES];
            }
        }
    }
}

/// Contracts the derivatives of a kernel with a matrix.
pub(super) fn contracted<T: Real>(
    program: &Program,
    x1: ArrayView2<'_, T>,
    x2: Option<ArrayView2<'_, T>>,
    (which, g): (Kernel, ArrayView2<'_, T>),
    (hyperparameters, inputs): (usize, bool),
    tile: usize,
    observer: &dyn Observer,
) -> Result<Contracted<T>, KernelError> {
    let rows = Rows::new(program, x1, x2)?;
    let plan = Plan::new(program, false);
    let tiles = Tiles::new(program, &plan.ops, &rows, [Some(x1), x2], tile, observer);
    let (n, m, d) = (tiles.one.len(), tiles.columns().len(), x1.ncols());
    let zeros = |len: usize| inputs.then(|| Array2::<T>::zeros((len, d)));
    let mut by_one = zeros(n);
    // For an input with itself what columns get is theirs, too.
    let mut bands: Vec<Band<T>> = tiles
        .ranges(m)
        .into_iter()
        .map(|columns| Band {
            by_x: zeros(columns.len()),
            adjoints: Adjoints::zeros(hyperparameters, program.sites),
            columns,
        })
        .collect();
    // The derivatives by the variances of the rows' samples at each site.
    let mut variances = vec![vec![0.0; n]; program.sites];
    let all = tiles.ranges(n);
    observer.begin("gradient", all.len() as u64);
    // One row of tiles after another, and the tiles of a row side by side: each column's sums grow in
    // the same order however many threads there are.
    for range in all {
        let beside = tiles.beside(&range).len();
        let parts = bands[..beside].par_iter_mut();
        let parts = parts.map_init(Pool::default, |pool, band| {
            tiles.check()?;
            band.take(&tiles, &range, (which, &g), pool)
        });
        let parts = parts.collect::<Result<Vec<_>, KernelError>>()?;
        for (by_x, by_variances) in parts {
            if let (Some(to), Some(by_x)) = (&mut by_one, by_x) {
                to.slice_mut(s![range.clone(), ..])
                    .zip_mut_with(&by_x, |to, &v| *to += v);
            }
            for (to, from) in variances.iter_mut().zip(by_variances) {
                let to = to[range.clone()].iter_mut();
                to.zip(from).for_each(|(to, v)| *to += v);
            }
        }
        observer.advance(1);
    }
    let mut total = vec![0.0; hyperparameters];
    let mut by_two = zeros(m);
    let mut columns = vec![Vec::with_capacity(m); program.sites];
    for band in bands {
        let by = &band.adjoints.hyperparameters;
        total.iter_mut().zip(by).for_each(|(to, v)| *to += v);
        if let (Some(to), Some(by_x)) = (&mut by_two, &band.by_x) {
            to.slice_mut(s![band.columns.clone(), ..]).assign(by_x);
        }
        for (to, from) in columns.iter_mut().zip(&band.adjoints.two) {
            let numbers = from.iter().flat_map(|pack| pack.0).take(band.columns.len());
            to.extend(numbers.map(Real::to_f64));
            to.resize(band.columns.end, 0.0);
        }
    }
    let mut through = |samples: &Samples<'_, T>,
                       at: Vec<Vec<f64>>,
                       own: Option<&ArrayView2<'_, T>>,
                       by_x: &mut Option<Array2<T>>| {
        let mut into = Adjoints::zeros(0, program.sites);
        into.hyperparameters = std::mem::take(&mut total);
        into.given = at
            .iter()
            .map(|of| of.iter().map(|&v| T::of(v)).collect())
            .collect();
        let pool = &mut Pool::default();
        let mut bar = Line::zeros(samples.own.shape, pool);
        if let Some(g) = own {
            *bar.kernel_mut(which) = padded(&g.diag().to_vec());
        }
        into.back(&samples.tape, &samples.pairs(), &mut bar, pool);
        total = into.hyperparameters;
        let Some(by_x) = by_x else { return };
        // The variance of a sample is |x|^2 / d.
        let twice = T::of(2.0 / d as f64);
        for (sample, mut row) in by_x.rows_mut().into_iter().enumerate() {
            let by = bar.nngp[sample / LANES].0[sample % LANES] * twice;
            row.zip_mut_with(&samples.x.row(sample), |to, &x| *to += by * x);
        }
    };
    match &tiles.two {
        None => {
            for (to, from) in variances.iter_mut().zip(columns) {
                to.iter_mut().zip(from).for_each(|(to, v)| *to += v);
            }
            if let (Some(one), Some(two)) = (&mut by_one, by_two.take()) {
                *one += &two;
            }
            through(&tiles.one, variances, Some(&g), &mut by_one);
        }
        Some(two) => {
            through(&tiles.one, variances, None, &mut by_one);
            through(two, columns, None, &mut by_two);
        }
    }
    Ok(Contracted {
        hyperparameters: total,
        x1: by_one,
        x2: by_two,
    })
}

/// What the tiles of some columns add up.
struct Band<T> {
    columns: Range<usize>,
    /// `None` where derivatives by inputs are not wanted.
    by_x: Option<Array2<T>>,
    adjoints: Adjoints<T>,
}

/// The derivatives by the rows' samples, and by their variances at each site.
type OfRows<T> = (Option<Array2<T>>, Vec<Vec<f64>>);

impl<T: Real> Band<T> {
    /// Takes the tile of these rows.
    fn take(
        &mut self,
        tiles: &Tiles<'_, T>,
        range: &Range<usize>,
        (which, g): (Kernel, &ArrayView2<'_, T>),
        pool: &mut Pool<T>,
    ) -> Result<OfRows<T>, KernelError> {
        let columns = self.columns.clone();
        let mut product = tiles.product(range, &columns)?;
        let numbers = of_columns(tiles.columns().sites, columns.clone());
        let mut of_samples = vec![vec![0.0; range.len()]; tiles.sites];
        for chunk in tiles.chunks(range, &columns) {
            let first = of_rows(tiles.one.sites, chunk.rows.clone());
            let at = chunk.rows.start - range.start..chunk.rows.end - range.start;
            let mut part = product.slice_mut(s![at.clone(), ..]);
            let (line, tape) = tiles.record(&chunk, &first, &numbers, part.view_mut(), pool);
            let mut bar = Line::zeros(line.shape, pool);
            let weights = bar.kernel_mut(which);
            let width = chunk.columns.len().div_ceil(LANES);
            for (row, to) in chunk.rows.clone().zip(weights.chunks_mut(width)) {
                let places = to.iter_mut().flat_map(|pack| &mut pack.0);
                for (column, to) in chunk.columns.clone().zip(places) {
                    if tiles.counts(row, column) {
                        *to = g[[row, column]];
                        if tiles.two.is_none() {
                            *to += g[[column, row]];
                        }
                    }
                }
            }
            let pairs = tiles.pairs(&first, &numbers);
            self.adjoints.back(&tape, &pairs, &mut bar, pool);
            for (to, by) in of_samples.iter_mut().zip(&mut self.adjoints.one) {
                for (to, by) in to[at.clone()].iter_mut().zip(std::mem::take(by)) {
                    *to = by.sum();
                }
            }
            for (from, mut to) in bar.nngp.chunks(width).zip(part.rows_mut()) {
                let to = to.as_slice_mut().expect(STANDARD);
                let (to, rest) = to.split_at_mut(chunk.columns.len());
                for (to, from) in to.chunks_mut(LANES).zip(from) {
                    to.copy_from_slice(&from.0[..to.len()]);
                }
                rest.fill(T::zero());
            }
            bar.keep_in(pool);
            line.keep_in(pool);
            keep_in(tape, pool);
        }
        let Some(by_columns) = &mut self.by_x else {
            return Ok((None, of_samples));
        };
        let x1 = tiles.one.x.slice(s![range.clone(), ..]);
        let x2 = tiles.columns().x.slice(s![columns.clone(), ..]);
        let scale = T::of(x1.ncols() as f64).recip();
        let mut by_rows = Array2::zeros(x1.dim());
        gemm(scale, &product, &x2, T::zero(), &mut by_rows).map_err(GramError::from)?;
        let mut to = by_columns.slice_mut(s![..columns.len(), ..]);
        gemm(scale, &product.t(), &x1, T::one(), &mut to).map_err(GramError::from)?;
        Ok((Some(by_rows), of_samples))
    }
}
