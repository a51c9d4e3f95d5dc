//! Differentiates kernels of networks on vectors, tile by tile.

use super::super::dense::Rows;
use super::super::program::Program;
use super::super::spatial::spare::Spare;
use super::super::spatial::whole::{Op, Plan};
use super::super::{Kernel, KernelError};
use super::adjoint::Adjoints;
use super::tangent::{Tangent, Variances};
use super::tape::{Line, Pairs, Tape, packs, record, sum};
use super::{Contracted, Derivatives};
use crate::gram::{GramError, TileRow};
use crate::pack::{LANES, Pack};
use crate::pairs::row::PreparedSamples;
use ndarray::{Array2, ArrayView2, Axis, s};
use ntk_linalg::observer::Observer;
use ntk_linalg::{Real, gemm, mirror_lower};
use rayon::prelude::*;
use std::ops::Range;

/// The samples, with what a pass of each alone gives.
struct Samples<'a, T> {
    x: ArrayView2<'a, T>,
    sites: &'a [Option<PreparedSamples<T>>],
    /// The kernels of each sample with itself, and what their derivatives need.
    own: Line<T>,
    tape: Tape<T>,
}

impl<'a, T: Real> Samples<'a, T> {
    fn new(ops: &[Op], x: ArrayView2<'a, T>, of: &'a super::super::dense::OwnKernels<T>) -> Self {
        let features = T::of(x.ncols() as f64);
        let variances: Vec<T> = of.squared_norms.iter().map(|&v| v / features).collect();
        let mut own = Line::of(packs(&variances));
        let sites = &of.sites[..];
        let pairs = Pairs::Own {
            sites,
            len: x.nrows(),
        };
        let tape = record(ops, &pairs, &mut own, &mut Spare::default());
        Self {
            x,
            sites,
            own,
            tape,
        }
    }

    fn len(&self) -> usize {
        self.x.nrows()
    }

    fn pairs(&self) -> Pairs<'_, T> {
        Pairs::Own {
            sites: self.sites,
            len: self.len(),
        }
    }
}

/// Both inputs, in tiles.
struct Tiles<'a, T> {
    sites: usize,
    plan: Plan,
    rows: &'a Rows<T>,
    one: Samples<'a, T>,
    /// `None` where the columns are the rows.
    two: Option<Samples<'a, T>>,
    tile: usize,
    observer: &'a dyn Observer,
}

impl<'a, T: Real> Tiles<'a, T> {
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
        gemm(
            T::one(),
            &self.one.x.slice(s![rows.clone(), ..]),
            &self
                .columns()
                .x
                .slice(s![columns.clone(), ..])
                .reversed_axes(),
            T::zero(),
            &mut product,
        )
        .map_err(GramError::from)?;
        Ok(product)
    }

    /// Records one row of a tile, of the columns that are computed: those of an input with itself end
    /// before the row's own.
    fn record(
        &self,
        row: usize,
        columns: &Range<usize>,
        inner: &mut [T],
    ) -> (Pairs<'_, T>, Line<T>, Tape<T>) {
        let end = match &self.two {
            Some(_) => columns.end,
            None => columns.end.min(row.max(columns.start)),
        };
        let len = end - columns.start;
        let inner = &mut inner[..len];
        self.rows.inputs(&mut TileRow {
            row,
            columns: columns.start..end,
            inner,
        });
        let pairs = Pairs::Row {
            one: self.one.sites,
            row,
            two: self.columns().sites,
            start: columns.start,
            len,
        };
        let mut line = Line::of(packs(inner));
        let tape = record(&self.plan.ops, &pairs, &mut line, &mut Spare::default());
        (pairs, line, tape)
    }
}

fn tiles<'a, T: Real>(
    program: &Program,
    rows: &'a Rows<T>,
    x1: ArrayView2<'a, T>,
    x2: Option<ArrayView2<'a, T>>,
    tile: usize,
    observer: &'a dyn Observer,
) -> Tiles<'a, T> {
    let two = x2.zip(rows.two.as_ref());
    let plan = Plan::new(program, false);
    Tiles {
        sites: program.sites,
        rows,
        one: Samples::new(&plan.ops, x1, &rows.one),
        two: two.map(|(x2, of)| Samples::new(&plan.ops, x2, of)),
        plan,
        tile,
        observer,
    }
}

fn write<T: Real>(from: &[Pack<T>], to: &mut [T]) {
    let numbers = from.iter().flat_map(|pack| pack.0);
    to.iter_mut().zip(numbers).for_each(|(to, v)| *to = v);
}

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
    let tiles = tiles(program, &rows, x1, x2, tile, observer);
    // The derivatives of each sample with itself, and of its variances, by each group.
    let own = |samples: &Samples<'_, T>| -> Vec<(Line<T>, Variances<T>)> {
        let each = groups.par_iter().map(|numbers| {
            let mut line = samples.own.zeros_like();
            let mut tangent = Tangent {
                numbers,
                known: None,
                found: vec![Vec::new(); program.sites],
            };
            let (ops, spare) = (&tiles.plan.ops, &mut Spare::default());
            tangent.through(ops, &samples.tape, &samples.pairs(), &mut line, spare);
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
        for (band, part) in bands
            .iter_mut()
            .zip(matrix.axis_chunks_iter_mut(Axis(0), tile))
        {
            band.push(part);
        }
    }
    observer.begin("kernel matrices", bands.len() as u64);
    let work = tiles.ranges(n).into_par_iter().zip(bands);
    work.try_for_each(|(range, mut band)| -> Result<(), KernelError> {
        for columns in tiles.beside(&range) {
            tiles.check()?;
            let mut product = tiles.product(&range, &columns)?;
            for (row, mut inner) in range.clone().zip(product.rows_mut()) {
                let inner = inner
                    .as_slice_mut()
                    .expect("a row of a matrix in standard layout");
                let (pairs, line, tape) = tiles.record(row, &columns, inner);
                let Pairs::Row { len, .. } = pairs else {
                    continue;
                };
                let mut put = |number: usize, line: &Line<T>, own: &Line<T>| {
                    for (k, (from, own)) in [(&line.nngp, &own.nngp), (&line.ntk, &own.ntk)]
                        .into_iter()
                        .enumerate()
                    {
                        let mut to = band[2 * number + k].row_mut(row - range.start);
                        let to = to
                            .as_slice_mut()
                            .expect("a row of a matrix in standard layout");
                        write(from, &mut to[columns.start..columns.start + len]);
                        if tiles.two.is_none() && columns.contains(&row) {
                            to[row] = own[row / LANES].0[row % LANES];
                        }
                    }
                };
                put(0, &line, &tiles.one.own);
                for (number, numbers) in groups.iter().enumerate() {
                    let mut by = line.zeros_like();
                    let mut tangent = Tangent {
                        numbers,
                        known: Some([&one[number].1, &two[number].1]),
                        found: Vec::new(),
                    };
                    let (ops, spare) = (&tiles.plan.ops, &mut Spare::default());
                    tangent.through(ops, &tape, &pairs, &mut by, spare);
                    put(number + 1, &by, &one[number].0);
                }
            }
        }
        observer.advance(1);
        Ok(())
    })?;
    if tiles.two.is_none() {
        for matrix in &mut all {
            mirror_lower(matrix).map_err(GramError::from)?;
        }
    }
    let mut all = all.into_iter();
    let mut next = || super::super::Kernels {
        nngp: all.next().unwrap_or_default(),
        ntk: all.next().unwrap_or_default(),
    };
    let kernels = next();
    Ok(Derivatives {
        kernels,
        by: groups.iter().map(|_| next()).collect(),
    })
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
    let tiles = tiles(program, &rows, x1, x2, tile, observer);
    let (n, m, d) = (tiles.one.len(), tiles.columns().len(), x1.ncols());
    let zeros = |len: usize| inputs.then(|| Array2::<T>::zeros((len, d)));
    let mut by_one = zeros(n);
    // For an input with itself what columns get is theirs, too.
    let mut bands: Vec<Band<T>> = tiles
        .ranges(m)
        .into_iter()
        .map(|columns| Band {
            by_x: zeros(columns.len()),
            adjoints: Adjoints::zeros(
                hyperparameters,
                program.sites,
                columns.len().div_ceil(LANES),
            ),
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
        let parts = bands[..beside].par_iter_mut().map(|band| {
            tiles.check()?;
            band.take(&tiles, &range, (which, &g), inputs)
        });
        let parts = parts.collect::<Result<Vec<_>, KernelError>>()?;
        for (by_x, by_variances) in parts {
            if let (Some(to), Some(by_x)) = (&mut by_one, by_x) {
                to.slice_mut(s![range.clone(), ..])
                    .zip_mut_with(&by_x, |to, &v| *to += v);
            }
            for (to, from) in variances.iter_mut().zip(by_variances) {
                to[range.clone()]
                    .iter_mut()
                    .zip(from)
                    .for_each(|(to, v)| *to += v);
            }
        }
        observer.advance(1);
    }
    let mut total = vec![0.0; hyperparameters];
    let mut by_two = zeros(m);
    let mut columns = vec![Vec::with_capacity(m); program.sites];
    for band in bands {
        total
            .iter_mut()
            .zip(&band.adjoints.hyperparameters)
            .for_each(|(to, v)| *to += v);
        if let (Some(to), Some(by_x)) = (&mut by_two, &band.by_x) {
            to.slice_mut(s![band.columns.clone(), ..]).assign(by_x);
        }
        for (to, from) in columns.iter_mut().zip(&band.adjoints.two) {
            let numbers = from.iter().flat_map(|pack| pack.0).take(band.columns.len());
            to.extend(numbers.map(Real::to_f64));
        }
    }
    let mut through = |samples: &Samples<'_, T>,
                       at: Vec<Vec<f64>>,
                       own: Option<&ArrayView2<'_, T>>,
                       by_x: &mut Option<Array2<T>>| {
        let mut into = Adjoints::zeros(0, program.sites, samples.own.nngp.len());
        into.hyperparameters = std::mem::take(&mut total);
        into.given = at
            .iter()
            .map(|of| of.iter().map(|&v| T::of(v)).collect())
            .collect();
        let mut line = samples.own.zeros_like();
        if let Some(g) = own {
            let diagonal = packs(&g.diag().to_vec());
            match which {
                Kernel::Nngp => line.nngp = diagonal,
                Kernel::Ntk => line.ntk = diagonal,
            }
        }
        let (ops, spare) = (&tiles.plan.ops, &mut Spare::default());
        into.back(ops, &samples.tape, &samples.pairs(), &mut line, spare);
        total = into.hyperparameters;
        let Some(by_x) = by_x else { return };
        // The variance of a sample is |x|^2 / d.
        let twice = T::of(2.0 / d as f64);
        for (sample, mut row) in by_x.rows_mut().into_iter().enumerate() {
            let by = line.nngp[sample / LANES].0[sample % LANES] * twice;
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
        inputs: bool,
    ) -> Result<OfRows<T>, KernelError> {
        let columns = self.columns.clone();
        let mut product = tiles.product(range, &columns)?;
        let mut of_rows = vec![vec![0.0; range.len()]; tiles.sites];
        for (row, mut inner) in range.clone().zip(product.rows_mut()) {
            let inner = inner
                .as_slice_mut()
                .expect("a row of a matrix in standard layout");
            let (pairs, line, tape) = tiles.record(row, &columns, inner);
            let Pairs::Row { len, .. } = pairs else {
                continue;
            };
            let weights: Vec<T> = (columns.start..columns.start + len)
                .map(|column| match &tiles.two {
                    Some(_) => g[[row, column]],
                    None => g[[row, column]] + g[[column, row]],
                })
                .collect();
            let mut bar = line.zeros_like();
            match which {
                Kernel::Nngp => bar.nngp = packs(&weights),
                Kernel::Ntk => bar.ntk = packs(&weights),
            }
            let ops = &tiles.plan.ops;
            self.adjoints
                .back(ops, &tape, &pairs, &mut bar, &mut Spare::default());
            for (to, by) in of_rows.iter_mut().zip(&mut self.adjoints.one) {
                to[row - range.start] = sum(std::mem::replace(&mut by[0], Pack::zero()));
            }
            write(&bar.nngp, &mut inner[..len]);
            inner[len..].fill(T::zero());
        }
        let Some(by_columns) = &mut self.by_x else {
            return Ok((None, of_rows));
        };
        debug_assert!(
            inputs,
            "there is room for the derivatives by inputs where they are wanted"
        );
        let x1 = tiles.one.x.slice(s![range.clone(), ..]);
        let x2 = tiles.columns().x.slice(s![columns.clone(), ..]);
        let scale = T::of(x1.ncols() as f64).recip();
        let mut by_rows = Array2::zeros(x1.dim());
        gemm(scale, &product, &x2, T::zero(), &mut by_rows).map_err(GramError::from)?;
        let mut to = by_columns.slice_mut(s![..columns.len(), ..]);
        gemm(scale, &product.t(), &x1, T::one(), &mut to).map_err(GramError::from)?;
        Ok((Some(by_rows), of_rows))
    }
}
