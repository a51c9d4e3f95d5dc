//! Contracts derivatives of kernels with a matrix.

use super::super::super::program::Program;
use super::super::super::spatial::lanes::{GROUP, Groups};
use super::super::super::{Input, Kernel, KernelError};
use super::super::Contracted;
use super::super::adjoint::{Adjoints, add_first, add_numbers, add_second};
use super::super::line::{Line, Pool};
use super::super::route::Route;
use super::super::site::spread;
use super::super::tape::{keep_in, record};
use super::{Blocks, Memory, Pair, Samples, masked};
use crate::pack::{Pack, by_lanes, wide};
use ndarray::{Array2, ArrayView2};
use ntk_linalg::Real;
use ntk_linalg::observer::Observer;
use rayon::prelude::*;

/// Returns the weights of a block's pairs; of an input with itself those of both orders of each pair, once.
fn weights<T: Real>(
    g: &ArrayView2<'_, T>,
    same: bool,
    (one, i): (&Groups<T>, usize),
    (two, j): (&Groups<T>, usize),
) -> Pack<T> {
    let mut pack = Pack::zero();
    for (a, row) in one.members(i).enumerate() {
        for (b, column) in two.members(j).enumerate() {
            let weight = g[[row, column]];
            // A group with itself has each pair twice, in both orders.
            pack.0[a * GROUP + b] = match same && i != j {
                true => weight + g[[column, row]],
                false => weight,
            };
        }
    }
    pack
}

/// The derivatives by the variances of a group at each site, and by its values.
type OfGroup<T> = (Vec<Vec<T>>, Vec<f64>);

/// Sums derivatives by the values of both groups of a block, a pack for each: `[position][channel]`.
struct Values<T> {
    /// The values of each side, spread over the pairs.
    of: [Vec<Pack<T>>; 2],
    by: [Vec<Pack<T>>; 2],
    channels: usize,
}

impl<T: Real> Values<T> {
    fn new(pair: &Pair<'_, T>) -> Self {
        let [one, two] = pair.values();
        let of = [spread(one, true), spread(two, false)];
        let by = of.each_ref().map(|of| vec![Pack::zero(); of.len()]);
        let channels = pair.channels();
        Self { of, by, channels }
    }

    /// Adds what derivatives by covariances of the values give.
    fn add(&mut self, line: &Line<T>) {
        let channels = self.channels;
        let [x1, x2] = &self.of;
        let [by1, by2] = &mut self.by;
        for run in line.shape.runs() {
            let packs = &line.nngp[run.start..][..run.len];
            wide(
                #[inline(always)]
                || {
                    for (at, &by) in packs.iter().enumerate() {
                        let [p, q] = [run.first + at * run.step, run.second + at];
                        let [p, q] = [p, q].map(|at| at * channels..(at + 1) * channels);
                        let values = x1[p.clone()].iter().zip(&x2[q.clone()]);
                        let to = by1[p].iter_mut().zip(&mut by2[q]);
                        for ((to1, to2), (&x1, &x2)) in to.zip(values) {
                            by_lanes();
                            *to1 = by.mul_add(x2, *to1);
                            *to2 = by.mul_add(x1, *to2);
                        }
                    }
                },
            );
        }
    }

    /// Adds the sums to those by each sample's values: `[position][channel][sample]`.
    fn add_to(&self, to: [&mut Vec<f64>; 2]) {
        let scale = 1.0 / self.channels as f64;
        for (side, (to, by)) in to.into_iter().zip(&self.by).enumerate() {
            for (four, pack) in to.chunks_exact_mut(GROUP).zip(by) {
                for (lane, &v) in pack.0.iter().enumerate() {
                    let sample = [lane / GROUP, lane % GROUP][side];
                    four[sample] += scale * Real::to_f64(v);
                }
            }
        }
    }
}

/// A kernel that is contracted with a matrix.
struct Contraction<'a, T: Real> {
    blocks: &'a Blocks<'a, T>,
    which: Kernel,
    g: ArrayView2<'a, T>,
    hyperparameters: usize,
    inputs: bool,
}

impl<T: Real> Contraction<'_, T> {
    /// Makes zeros for each group.
    fn zeros(&self, samples: &Samples<T>) -> Vec<OfGroup<T>> {
        let values = |group| match self.inputs {
            true => vec![0.0; samples.groups.of(group).len()],
            false => Vec::new(),
        };
        let groups = 0..samples.groups.len();
        groups
            .map(|group| (vec![Vec::new(); self.blocks.sites], values(group)))
            .collect()
    }

    /// Takes a block there and back: from the inputs' covariances to those of the output, and from
    /// these weights to the derivatives by the former.
    fn through(
        &self,
        pair: &Pair<'_, T>,
        weights: Pack<T>,
        given: Vec<Vec<T>>,
        memory: &mut Memory<T>,
    ) -> (Adjoints<T>, Option<Values<T>>) {
        let route = self.blocks.route;
        let mut adjoints = Adjoints::zeros(self.hyperparameters, self.blocks.sites);
        adjoints.given = given;
        let mut values = self.inputs.then(|| Values::new(pair));
        let Some(planes) = &route.planes else {
            let input = self.blocks.input(pair, memory);
            let bar = self.rest(pair, input, weights, &mut adjoints, &mut memory.pool);
            if let Some(values) = &mut values {
                values.add(&bar);
            }
            bar.keep_in(&mut memory.pool);
            return (adjoints, values);
        };
        // Where what comes after the planes is linear, its derivatives do not depend on them.
        let bar = match route.ends_linearly() {
            true => {
                let pool = &mut memory.pool;
                let zeros = planes.total(planes.sums(pool), pool);
                let nowhere = &mut Adjoints::zeros(self.hyperparameters, self.blocks.sites);
                self.rest(pair, zeros, weights, nowhere, pool)
            }
            false => {
                let gathered = self.blocks.gathered(pair, memory, |_, _, _, _| {});
                self.rest(pair, gathered, weights, &mut adjoints, &mut memory.pool)
            }
        };
        let bar = planes.widened(bar);
        let pool = &mut memory.pool;
        let mut sums = route.ends_linearly().then(|| planes.sums(pool));
        // Samples with themselves have their variances in the plane of equal positions, which takes along
        // what the others give to these.
        let zero = planes.of(pair.own).take(1);
        for plane in planes.of(pair.own).skip(1).chain(zero) {
            let (end, tape) = self.blocks.plane(pair, plane, pool);
            if let Some(sums) = &mut sums {
                planes.take(&end, pair.own, sums);
            }
            let mut line = Line::zeros(end.shape, pool);
            planes.give(&bar, pair.own, &mut line);
            if plane.is_zero() && pair.own {
                let both = adjoints.one.iter_mut().zip(&mut adjoints.two);
                for ((one, two), given) in both.zip(&mut adjoints.given) {
                    add_first(&std::mem::take(one), given);
                    add_second(&std::mem::take(two), given);
                }
            }
            let pairs = pair.pairs(plane.is_zero());
            adjoints.back(&tape, &pairs, &mut line, pool);
            if let Some(values) = &mut values {
                values.add(&line);
            }
            line.keep_in(pool);
            end.keep_in(pool);
            keep_in(tape, pool);
        }
        bar.keep_in(pool);
        if let Some(sums) = sums {
            let gathered = planes.total(sums, pool);
            self.rest(pair, gathered, weights, &mut adjoints, pool)
                .keep_in(pool);
        }
        (adjoints, values)
    }

    /// Takes what goes into the layers after the planes there and back.
    fn rest(
        &self,
        pair: &Pair<'_, T>,
        mut line: Line<T>,
        weights: Pack<T>,
        adjoints: &mut Adjoints<T>,
        pool: &mut Pool<T>,
    ) -> Line<T> {
        let pairs = pair.pairs(true);
        let tape = record(self.blocks.route.rest(), &pairs, &mut line, pool);
        let mut bar = Line::zeros(line.shape, pool);
        bar.kernel_mut(self.which)[0] = weights;
        adjoints.back(&tape, &pairs, &mut bar, pool);
        line.keep_in(pool);
        keep_in(tape, pool);
        bar
    }

    /// Takes two different groups, adds what they give to the columns' group, and returns what they give
    /// to the hyperparameters and to the rows'.
    fn apart(
        &self,
        (i, j): (usize, usize),
        to: &mut OfGroup<T>,
        memory: &mut Memory<T>,
    ) -> Result<(Vec<f64>, OfGroup<T>), KernelError> {
        let blocks = self.blocks;
        blocks.check()?;
        let (one, two) = (&blocks.one, blocks.columns());
        let same = blocks.two.is_none();
        let weights = weights(&self.g, same, (&one.groups, i), (&two.groups, j));
        let pair = blocks.pair([(one, i), (two, j)], false);
        let none = vec![Vec::new(); blocks.sites];
        let (adjoints, values) = self.through(&pair, weights, none, memory);
        let both = adjoints.one.iter().zip(&adjoints.two);
        let both = both.zip(adjoints.of_samples);
        let own = both
            .zip(&mut to.0)
            .map(|(((first, second), [mut own, other]), to)| {
                add_first(first, &mut own);
                add_second(second, to);
                add_numbers(&other, to);
                own
            });
        let own = own.collect();
        let mut by_values = vec![
            0.0;
            if self.inputs {
                one.groups.of(i).len()
            } else {
                0
            }
        ];
        if let Some(values) = values {
            values.add_to([&mut by_values, &mut to.1]);
        }
        Ok((adjoints.hyperparameters, (own, by_values)))
    }

    /// Takes groups with themselves, which take what others gave to their variances along; `weighted`
    /// says that their own kernels count.
    fn own(
        &self,
        samples: &Samples<T>,
        given: &mut [OfGroup<T>],
        weighted: bool,
        total: &mut [f64],
    ) -> Result<(), KernelError> {
        let work = given.par_iter_mut().enumerate();
        let work = work.map_init(Memory::default, |memory, (i, to)| {
            self.blocks.check()?;
            let weights = match weighted {
                true => weights(&self.g, true, (&samples.groups, i), (&samples.groups, i)),
                false => Pack::zero(),
            };
            let taken = std::mem::take(&mut to.0);
            let pair = self.blocks.pair([(samples, i); 2], true);
            let (adjoints, values) = self.through(&pair, weights, taken, memory);
            if let Some(values) = values {
                let mut second = vec![0.0; to.1.len()];
                values.add_to([&mut to.1, &mut second]);
                sum_onto(&mut to.1, &second);
            }
            Ok(adjoints.hyperparameters)
        });
        for part in work.collect::<Result<Vec<_>, KernelError>>()? {
            sum_onto(total, &part);
        }
        Ok(())
    }
}

/// Contracts the derivatives of a kernel with a matrix.
pub(in super::super) fn contracted<T: Real>(
    program: &Program,
    x1: &Input<'_, T>,
    x2: Option<&Input<'_, T>>,
    (which, g): (Kernel, ArrayView2<'_, T>),
    (hyperparameters, inputs): (usize, bool),
    observer: &dyn Observer,
) -> Result<Contracted<T>, KernelError> {
    let route = Route::new(program, masked(x1, x2));
    let blocks = &Blocks::new(program, &route, x1, x2, observer)?;
    let contraction = Contraction {
        blocks,
        which,
        g,
        hyperparameters,
        inputs,
    };
    let same = blocks.two.is_none();
    let mut total = vec![0.0; hyperparameters];
    let mut by_one = contraction.zeros(&blocks.one);
    let mut by_two = contraction.zeros(blocks.columns());
    observer.begin("gradient", by_one.len() as u64);
    // Blocks of one row go side by side, and what they give to the row's group is added in order.
    for (i, by_row) in by_one.iter_mut().enumerate() {
        let range = match same {
            true => 0..i,
            false => blocks.row(i),
        };
        let parts = by_two[range.clone()].par_iter_mut().zip(range);
        let parts = parts.map_init(Memory::default, |memory, (to, j)| {
            contraction.apart((i, j), to, memory)
        });
        for (by_all, part) in parts.collect::<Result<Vec<_>, _>>()? {
            sum_onto(&mut total, &by_all);
            add(by_row, part);
        }
        observer.advance(1);
    }
    if same {
        for (one, two) in by_one.iter_mut().zip(std::mem::take(&mut by_two)) {
            add(one, two);
        }
    }
    contraction.own(&blocks.one, &mut by_one, same, &mut total)?;
    if let Some(two) = &blocks.two {
        contraction.own(two, &mut by_two, false, &mut total)?;
    }
    let values =
        |samples: &Samples<T>, all: &[OfGroup<T>]| inputs.then(|| ungrouped(&samples.groups, all));
    Ok(Contracted {
        hyperparameters: total,
        x1: values(&blocks.one, &by_one),
        x2: blocks.two.as_ref().and_then(|two| values(two, &by_two)),
    })
}

fn sum_onto(to: &mut [f64], from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(to, v)| *to += v);
}

/// Adds the derivatives by variances and values of one group.
fn add<T: Real>(to: &mut OfGroup<T>, from: OfGroup<T>) {
    for (to, from) in to.0.iter_mut().zip(from.0) {
        add_numbers(&from, to);
    }
    sum_onto(&mut to.1, &from.1);
}

/// Makes rows of samples of what belongs to groups; those that stand in for missing samples have none.
fn ungrouped<T: Real>(groups: &Groups<T>, all: &[OfGroup<T>]) -> Array2<T> {
    let numbers = all.first().map_or(0, |(_, of)| of.len() / GROUP);
    let mut rows = Array2::zeros((groups.samples, numbers));
    for (group, (_, of)) in all.iter().enumerate() {
        for (i, sample) in groups.members(group).enumerate() {
            for (to, four) in rows.row_mut(sample).iter_mut().zip(of.chunks_exact(GROUP)) {
                *to = T::of(four[i]);
            }
        }
    }
    rows
}
