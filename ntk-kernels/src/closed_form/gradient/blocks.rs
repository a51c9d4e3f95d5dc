//! Differentiates kernels of networks on samples with positions, block by block: sixteen pairs of samples
//! at all pairs of positions.

use super::super::program::Program;
use super::super::spatial::Engine;
use super::super::spatial::lanes::{GROUP, Groups};
use super::super::spatial::run::{Block, Known, Sides, Workspace};
use super::super::spatial::whole::Plan;
use super::super::spatial::whole::field::Extent;
use super::super::{Input, Kernel, KernelError, Kernels, memory};
use super::adjoint::{Adjoints, add_sides};
use super::tangent::{Tangent, Variances};
use super::tape::{Line, Pairs, record};
use super::{Contracted, Derivatives};
use crate::gram::GramError;
use crate::pack::Pack;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};
use ntk_linalg::Real;
use ntk_linalg::observer::Observer;
use rayon::prelude::*;

/// The samples of an input, group by group, with what the sites need of them.
struct Samples<T: Real> {
    groups: Groups<T>,
    sides: Vec<Sides<T>>,
}

/// Both inputs, in blocks.
struct Blocks<'a, T: Real> {
    plan: Plan,
    sites: usize,
    one: Samples<T>,
    /// `None` where the columns are the rows.
    two: Option<Samples<T>>,
    observer: &'a dyn Observer,
}

impl<'a, T: Real> Blocks<'a, T> {
    fn new(
        program: &Program,
        x1: &Input<'_, T>,
        x2: Option<&Input<'_, T>>,
        observer: &'a dyn Observer,
    ) -> Result<Self, KernelError> {
        let engine = Engine::new(program, false, false, &());
        let samples = |x: &Input<'_, T>, name: &str| -> Result<Samples<T>, KernelError> {
            let groups = Groups::new(x);
            let sides = engine.sides(&groups, 0..groups.len(), name)?;
            Ok(Samples { groups, sides })
        };
        Ok(Self {
            plan: Plan::new(program, false),
            sites: program.sites,
            one: samples(x1, "x1")?,
            two: x2.map(|x2| samples(x2, "x2")).transpose()?,
            observer,
        })
    }

    fn columns(&self) -> &Samples<T> {
        self.two.as_ref().unwrap_or(&self.one)
    }

    /// Lists the blocks of a row: those of an input with itself end at the diagonal.
    fn row(&self, i: usize) -> std::ops::Range<usize> {
        match &self.two {
            Some(two) => 0..two.groups.len(),
            None => 0..i + 1,
        }
    }

    fn check(&self) -> Result<(), KernelError> {
        Ok(self.observer.check().map_err(GramError::from)?)
    }

    /// Computes the covariances of the inputs of a block.
    fn input(
        &self,
        [one, two]: [(&Samples<T>, usize); 2],
        workspace: &mut Workspace<T>,
    ) -> Line<T> {
        let ((first, i), (second, j)) = (one, two);
        let mut block = Block {
            inputs: [first.groups.of(i), second.groups.of(j)],
            beside: [first.groups.beside(i), second.groups.beside(j)],
            channels: first.groups.channels,
            known: Known::Both(&first.sides[i], &second.sides[j]),
            ntk: true,
            name: &|_| String::new(),
            workspace,
        };
        block.whole_input(&self.plan, self.plan.start).into()
    }

    /// Adds the derivatives by the inputs' covariances, times the other input, to those by one group's
    /// values: `[position][channel][sample]`.
    fn by_values(&self, line: &Line<T>, other: &[T], first: bool, to: &mut [f64]) {
        let channels = self.one.groups.channels;
        let width = line.positions;
        let scale = 1.0 / channels as f64;
        let mut pair = |p: usize, q: usize, pack: &Pack<T>| {
            let (to_at, from_at) = if first { (p, q) } else { (q, p) };
            let to = &mut to[to_at * channels * GROUP..][..channels * GROUP];
            let from = &other[from_at * channels * GROUP..][..channels * GROUP];
            for (to, from) in to.chunks_exact_mut(GROUP).zip(from.chunks_exact(GROUP)) {
                for (lane, &by) in pack.0.iter().enumerate() {
                    let [a, b] = [lane / GROUP, lane % GROUP];
                    let [a, b] = if first { [a, b] } else { [b, a] };
                    to[a] += scale * Real::to_f64(by) * Real::to_f64(from[b]);
                }
            }
        };
        for (at, pack) in line.nngp.iter().enumerate() {
            match line.extent {
                Extent::All => pair(at / width, at % width, pack),
                Extent::Diagonal => pair(at, at, pack),
            }
        }
    }
}

/// Refuses blocks that take more memory than there is: what goes into each layer is kept, both kernels of
/// it, and the derivatives at one site.
pub(super) fn check_memory<T: Real>(program: &Program) -> Result<(), KernelError> {
    const SLOPES: u64 = 8;
    let plan = Plan::new(program, false);
    let packs = plan.recorded().saturating_mul(2);
    let packs = packs.saturating_add(plan.packs().saturating_mul(SLOPES));
    let threads = rayon::current_num_threads();
    let bytes = memory::product([size_of::<Pack<T>>(), threads]);
    memory::check(packs.saturating_mul(bytes))
}

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
type OfGroup<T> = (Variances<T>, Vec<f64>);

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
        [one, two]: [(&Samples<T>, usize); 2],
        pairs: &Pairs<'_, T>,
        weights: Pack<T>,
        given: Variances<T>,
        workspace: &mut Workspace<T>,
    ) -> (Line<T>, Adjoints<T>) {
        let mut line = self.blocks.input([one, two], workspace);
        let ops = &self.blocks.plan.ops;
        let tape = record(ops, pairs, &mut line, &mut workspace.spare);
        let mut bar = line.zeros_like();
        match self.which {
            Kernel::Nngp => bar.nngp[0] = weights,
            Kernel::Ntk => bar.ntk[0] = weights,
        }
        let mut adjoints = Adjoints::zeros(self.hyperparameters, self.blocks.sites, 0);
        adjoints.given = given;
        adjoints.back(ops, &tape, pairs, &mut bar, &mut workspace.spare);
        (bar, adjoints)
    }

    /// Takes two different groups, adds what they give to the columns' group, and returns what they give
    /// to the hyperparameters and to the rows'.
    fn apart(
        &self,
        (i, j): (usize, usize),
        to: &mut OfGroup<T>,
        workspace: &mut Workspace<T>,
    ) -> Result<(Vec<f64>, OfGroup<T>), KernelError> {
        let blocks = self.blocks;
        blocks.check()?;
        let (one, two) = (&blocks.one, blocks.columns());
        let sides = [&one.sides[i], &two.sides[j]];
        let pairs = Pairs::Block { sides, own: false };
        let same = blocks.two.is_none();
        let weights = weights(&self.g, same, (&one.groups, i), (&two.groups, j));
        let (bar, adjoints) =
            self.through([(one, i), (two, j)], &pairs, weights, Vec::new(), workspace);
        let both = adjoints.one.iter().zip(&adjoints.two);
        let own = both.zip(&mut to.0).map(|((first, second), to)| {
            let mut own = vec![T::zero(); first.len() * GROUP];
            to.resize(second.len() * GROUP, T::zero());
            add_sides(first, second, [&mut own, to]);
            own
        });
        let own = own.collect();
        let mut by_values = Vec::new();
        if self.inputs {
            by_values = vec![0.0; one.groups.of(i).len()];
            blocks.by_values(&bar, two.groups.of(j), true, &mut by_values);
            blocks.by_values(&bar, one.groups.of(i), false, &mut to.1);
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
        let work = work.map_init(Workspace::default, |workspace, (i, to)| {
            self.blocks.check()?;
            let sides = [&samples.sides[i]; 2];
            let pairs = Pairs::Block { sides, own: true };
            let weights = match weighted {
                true => weights(&self.g, true, (&samples.groups, i), (&samples.groups, i)),
                false => Pack::zero(),
            };
            let taken = std::mem::take(&mut to.0);
            let both = [(samples, i); 2];
            let (bar, adjoints) = self.through(both, &pairs, weights, taken, workspace);
            if self.inputs {
                let values = samples.groups.of(i);
                self.blocks.by_values(&bar, values, true, &mut to.1);
                self.blocks.by_values(&bar, values, false, &mut to.1);
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
pub(super) fn contracted<T: Real>(
    program: &Program,
    x1: &Input<'_, T>,
    x2: Option<&Input<'_, T>>,
    (which, g): (Kernel, ArrayView2<'_, T>),
    (hyperparameters, inputs): (usize, bool),
    observer: &dyn Observer,
) -> Result<Contracted<T>, KernelError> {
    let blocks = &Blocks::new(program, x1, x2, observer)?;
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
        let parts = parts.map_init(Workspace::default, |workspace, (to, j)| {
            contraction.apart((i, j), to, workspace)
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
        to.resize(to.len().max(from.len()), T::zero());
        to.iter_mut().zip(from).for_each(|(to, v)| *to += v);
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

/// Both kernels of a group with itself, and their derivatives by hyperparameters one after another, each with
/// those of the variances at each site.
type Ends<T> = Vec<(Line<T>, Variances<T>)>;

/// Computes both kernels and their derivatives by each group of hyperparameters.
pub(super) fn derivatives<T: Real>(
    program: &Program,
    x1: &Input<'_, T>,
    x2: Option<&Input<'_, T>>,
    chosen: &[Vec<bool>],
    observer: &dyn Observer,
) -> Result<Derivatives<T>, KernelError> {
    let blocks = Blocks::new(program, x1, x2, observer)?;
    let same = blocks.two.is_none();
    let (one, columns) = (&blocks.one, blocks.columns());
    // The derivatives of each group with itself: of both kernels, and of its variances.
    let own = |samples: &Samples<T>| -> Result<Vec<Ends<T>>, KernelError> {
        let groups = (0..samples.groups.len()).into_par_iter();
        let each = groups.map_init(Workspace::default, |workspace, i| {
            blocks.check()?;
            let pairs = Pairs::Block {
                sides: [&samples.sides[i]; 2],
                own: true,
            };
            let input = blocks.input([(samples, i), (samples, i)], workspace);
            let mut line = input.clone();
            let ops = &blocks.plan.ops;
            let tape = record(ops, &pairs, &mut line, &mut workspace.spare);
            let none = vec![false; chosen.first().map_or(0, Vec::len)];
            let all = std::iter::once(&none)
                .chain(chosen)
                .enumerate()
                .map(|(number, numbers)| {
                    if number == 0 {
                        return (line.clone(), Vec::new());
                    }
                    let mut by = input.zeros_like();
                    let mut tangent = Tangent {
                        numbers,
                        known: None,
                        found: vec![Vec::new(); blocks.sites],
                    };
                    tangent.through(ops, &tape, &pairs, &mut by, &mut workspace.spare);
                    (by, tangent.found)
                });
            Ok(all.collect::<Vec<_>>())
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
            Workspace::default,
            |workspace, j| -> Result<Vec<Line<T>>, KernelError> {
                blocks.check()?;
                if same && i == j {
                    return Ok(own.iter().map(|(line, _)| line.clone()).collect());
                }
                let pairs = Pairs::Block {
                    sides: [&one.sides[i], &columns.sides[j]],
                    own: false,
                };
                let input = blocks.input([(one, i), (columns, j)], workspace);
                let mut line = input.clone();
                let ops = &blocks.plan.ops;
                let tape = record(ops, &pairs, &mut line, &mut workspace.spare);
                let mut ends = vec![line];
                for (number, numbers) in chosen.iter().enumerate() {
                    let mut by = input.zeros_like();
                    let known = [&own[number + 1].1, &second[j][number + 1].1];
                    let mut tangent = Tangent {
                        numbers,
                        known: Some(known),
                        found: Vec::new(),
                    };
                    tangent.through(ops, &tape, &pairs, &mut by, &mut workspace.spare);
                    ends.push(by);
                }
                Ok(ends)
            },
        );
        for (j, ends) in row.collect::<Result<Vec<_>, _>>()?.into_iter().enumerate() {
            let (rows, over) = (one.groups.members(i), columns.groups.members(j));
            for (kernels, end) in all.iter_mut().zip(ends) {
                for (matrix, pack) in [
                    (&mut kernels.nngp, end.nngp[0]),
                    (&mut kernels.ntk, end.ntk[0]),
                ] {
                    fill(
                        matrix.slice_mut(s![rows.clone(), over.clone()]),
                        &pack,
                        false,
                    );
                    if same && i != j {
                        fill(
                            matrix.slice_mut(s![over.clone(), rows.clone()]),
                            &pack,
                            true,
                        );
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
