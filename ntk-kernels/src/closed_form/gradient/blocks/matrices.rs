//! Computes the derivatives of all entries of kernels.

use super::super::super::program::Program;
use super::super::super::spatial::lanes::GROUP;
use super::super::super::{Input, KernelError, Kernels};
use super::super::Derivatives;
use super::super::line::{Line, Pool};
use super::super::route::Route;
use super::super::tangent::{Found, Tangent};
use super::super::tape::{Tape, keep_in, record};
use super::{Blocks, Memory, Pair, Samples, masked};
use crate::pack::Pack;
use ndarray::{Array2, ArrayViewMut2, s};
use ntk_linalg::Real;
use ntk_linalg::observer::Observer;
use rayon::prelude::*;

/// Derivatives of both kernels of a block, and of what the sites need of its samples.
type By<T> = ([Pack<T>; 2], Vec<Vec<T>>);

/// The kernels of a block, and what derivatives by each group of hyperparameters are of these and of the
/// variances at each site, `[position][sample]`.
struct Ends<T> {
    kernels: [Pack<T>; 2],
    by: Vec<By<T>>,
}

impl<T: Real> Blocks<'_, T> {
    /// Takes a block and its derivatives through the layers; those of the variances of both groups by each
    /// group of hyperparameters are `known`, unless a group is taken with itself.
    fn ends(
        &self,
        pair: &Pair<'_, T>,
        chosen: &[Vec<bool>],
        known: Option<&[[Found<T>; 2]]>,
        memory: &mut Memory<T>,
    ) -> Ends<T> {
        let mut found: Vec<Vec<Vec<T>>> = chosen
            .iter()
            .map(|_| vec![Vec::new(); self.sites])
            .collect();
        let mut spreads: Vec<[Found<T>; 2]> = Vec::new();
        let mut through = |tape: &Tape<'_, T>,
                           equal: bool,
                           mut starts: Vec<Option<Line<T>>>,
                           pool: &mut Pool<T>| {
            let own = pair.own && equal;
            let mut ends = Vec::with_capacity(chosen.len());
            for (number, numbers) in chosen.iter().enumerate() {
                let known = known.unwrap_or(&spreads).get(number);
                let mut tangent = Tangent {
                    numbers,
                    known: known.map(<[Found<T>; 2]>::each_ref),
                    found: std::mem::take(&mut found[number]),
                };
                let start = starts.get_mut(number).and_then(Option::take);
                ends.push(tangent.through(tape, &pair.pairs(equal), start, pool));
                found[number] = tangent.found;
            }
            if own {
                let both = |all: &Vec<Vec<T>>| [true, false].map(|first| Found::of(all, first));
                spreads = found.iter().map(both).collect();
            }
            ends
        };
        let planes = self.route.planes.as_ref();
        let mut sums: Vec<Option<_>> = chosen.iter().map(|_| None).collect();
        let mut line = self.gathered(pair, memory, |plane, _, tape, pool| {
            let planes = planes.expect("there are planes");
            for (by, sums) in through(tape, plane.is_zero(), Vec::new(), pool)
                .into_iter()
                .zip(&mut sums)
            {
                let Some(by) = by else { continue };
                planes.take(&by, pair.own, sums.get_or_insert_with(|| planes.sums(pool)));
                by.keep_in(pool);
            }
        });
        let pool = &mut memory.pool;
        let starts = sums.into_iter().map(|sums| {
            let planes = planes?;
            Some(planes.total(sums?, pool))
        });
        let starts = starts.collect();
        let tape = record(self.route.rest(), &pair.pairs(true), &mut line, pool);
        let ends = through(&tape, true, starts, pool);
        let of = |line: Option<Line<T>>| {
            line.map_or([Pack::zero(); 2], |line| [line.nngp[0], line.ntk[0]])
        };
        keep_in(tape, pool);
        Ends {
            kernels: of(Some(line)),
            by: ends.into_iter().map(of).zip(found).collect(),
        }
    }
}

/// Computes both kernels and their derivatives by each group of hyperparameters.
pub(in super::super) fn derivatives<T: Real>(
    program: &Program,
    x1: &Input<'_, T>,
    x2: Option<&Input<'_, T>>,
    chosen: &[Vec<bool>],
    observer: &dyn Observer,
) -> Result<Derivatives<T>, KernelError> {
    let route = Route::new(program, masked(x1, x2));
    let blocks = Blocks::new(program, &route, x1, x2, observer)?;
    let same = blocks.two.is_none();
    let (one, columns) = (&blocks.one, blocks.columns());
    let own = |samples: &Samples<T>| -> Result<Vec<Ends<T>>, KernelError> {
        let groups = (0..samples.groups.len()).into_par_iter();
        let each = groups.map_init(Memory::default, |memory, i| {
            blocks.check()?;
            let pair = blocks.pair([(samples, i); 2], true);
            Ok(blocks.ends(&pair, chosen, None, memory))
        });
        each.collect()
    };
    let first = own(one)?;
    let second = blocks.two.as_ref().map(own).transpose()?;
    let second = second.as_ref().unwrap_or(&first);
    let (n, m) = (one.groups.samples, columns.groups.samples);
    let zeros = || Kernels {
        nngp: Array2::zeros((n, m)),
        ntk: Array2::zeros((n, m)),
    };
    let mut all: Vec<Kernels<T>> = (0..=chosen.len()).map(|_| zeros()).collect();
    observer.begin("kernel matrices", one.groups.len() as u64);
    for (i, own) in first.iter().enumerate() {
        let row = blocks.row(i).into_par_iter().map_init(
            Memory::default,
            |memory, j| -> Result<Vec<[Pack<T>; 2]>, KernelError> {
                blocks.check()?;
                let of = |ends: &Ends<T>| {
                    let by = ends.by.iter().map(|(by, _)| *by);
                    std::iter::once(ends.kernels).chain(by).collect()
                };
                if same && i == j {
                    return Ok(of(own));
                }
                let known: Vec<_> = own
                    .by
                    .iter()
                    .zip(&second[j].by)
                    .map(|((_, one), (_, two))| [Found::of(one, true), Found::of(two, false)])
                    .collect();
                let pair = blocks.pair([(one, i), (columns, j)], false);
                Ok(of(&blocks.ends(&pair, chosen, Some(&known), memory)))
            },
        );
        for (j, ends) in row.collect::<Result<Vec<_>, _>>()?.into_iter().enumerate() {
            let (rows, over) = (one.groups.members(i), columns.groups.members(j));
            for (kernels, [nngp, ntk]) in all.iter_mut().zip(ends) {
                for (matrix, pack) in [(&mut kernels.nngp, nngp), (&mut kernels.ntk, ntk)] {
                    let to = s![rows.clone(), over.clone()];
                    fill(matrix.slice_mut(to), &pack, false);
                    if same && i != j {
                        let to = s![over.clone(), rows.clone()];
                        fill(matrix.slice_mut(to), &pack, true);
                    }
                }
            }
        }
        observer.advance(1);
    }
    let mut all = all.into_iter();
    let kernels = all.next().unwrap_or_else(zeros);
    Ok(Derivatives {
        kernels,
        by: all.collect(),
    })
}

/// Writes a block's numbers, or its transpose.
fn fill<T: Real>(mut to: ArrayViewMut2<'_, T>, pack: &Pack<T>, transposed: bool) {
    for ((a, b), to) in to.indexed_iter_mut() {
        let (a, b) = if transposed { (b, a) } else { (a, b) };
        *to = pack.0[a * GROUP + b];
    }
}
