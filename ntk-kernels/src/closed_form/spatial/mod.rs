//! Computes kernel matrices of networks on images and sequences.
//!
//! Sixteen pairs of samples, four by four, go through the network side by side, one in each
//! lane of the processor's vectors, so that edges, strides and windows cost no lane.

mod attention;
mod lanes;
mod plan;
mod run;
mod tensor;

use super::program::Program;
use super::{Diagonal, Kernel, KernelError, Matrices, Wanted};
use crate::pack::Pack;
use lanes::{GROUP, Groups, own};
use ndarray::{Array1, Array2, ArrayView, RemoveAxis};
use ntk_linalg::Real;
use ntk_linalg::observer::Observer;
use plan::Plan;
use rayon::prelude::*;
use run::{Block, Known, Sides, Workspace};

/// The memory for what sites need of the samples, in bytes; beyond it, samples are taken in
/// batches, and what is needed of them is found again for each pair of batches.
const SIDES_BYTES: usize = 512 << 20;

/// The NNGP and NTK of a block of pairs of two groups.
type Entries<T> = (Pack<T>, Pack<T>);

struct Engine<'a, T> {
    program: &'a Program,
    plan: Plan,
    ntk: bool,
    observer: &'a dyn Observer,
    _scalar: std::marker::PhantomData<T>,
}

pub(super) fn kernels<T: Real, D: RemoveAxis>(
    program: &Program,
    x1: ArrayView<'_, T, D>,
    x2: Option<ArrayView<'_, T, D>>,
    wanted: Wanted,
    observer: &dyn Observer,
) -> Result<Matrices<T>, KernelError> {
    let engine = Engine::new(program, wanted.has(Kernel::Ntk), observer);
    let one = Groups::new(&x1);
    let two = x2.map(|x2| Groups::new(&x2));
    let mut matrices = Filling::new(
        one.samples,
        two.as_ref().unwrap_or(&one).samples,
        two.is_none(),
        wanted,
    );
    let batch = engine.batch(&one);
    let columns = two.as_ref().unwrap_or(&one);
    let blocks = if two.is_some() {
        one.len() * columns.len() + one.len() + columns.len()
    } else {
        one.len() * (one.len() + 1) / 2
    };
    observer.begin("kernel matrix", blocks as u64);
    for top in (0..one.len()).step_by(batch) {
        let rows = top..one.len().min(top + batch);
        let first = if two.is_some() {
            engine.sides(&one, rows.clone(), "x1")?
        } else {
            let (first, entries) = engine.own(&one, rows.clone(), "x1")?;
            for (group, entries) in rows.clone().zip(entries) {
                matrices.set(&one, columns, (group, group), entries);
            }
            first
        };
        let end = if two.is_some() {
            columns.len()
        } else {
            rows.end
        };
        for left in (0..end).step_by(batch) {
            let range = left..end.min(left + batch);
            let same = two.is_none() && range == rows;
            let second = if same {
                None
            } else {
                let name = if two.is_some() { "x2" } else { "x1" };
                Some(engine.sides(columns, range.clone(), name)?)
            };
            let second = second.as_ref().unwrap_or(&first);
            let pairs: Vec<(usize, usize)> = rows
                .clone()
                .flat_map(|i| range.clone().map(move |j| (i, j)))
                .filter(|&(i, j)| !same || j < i)
                .collect();
            let entries = pairs
                .par_iter()
                .map_init(Workspace::default, |workspace, &(i, j)| {
                    observer.check().map_err(crate::gram::GramError::from)?;
                    let mut block = Block {
                        inputs: [one.of(i), columns.of(j)],
                        channels: one.channels,
                        known: Known::Both(&first[i - rows.start], &second[j - range.start]),
                        ntk: engine.ntk,
                        name: &|_| String::new(),
                        workspace,
                    };
                    let entries = block.run(&engine.plan);
                    observer.advance(1);
                    entries
                })
                .collect::<Result<Vec<_>, _>>()?;
            for (pair, entries) in pairs.into_iter().zip(entries) {
                matrices.set(&one, columns, pair, entries);
            }
        }
    }
    Ok(matrices.finish())
}

/// Bounds the bytes that [`kernels`] of `samples` on so many threads holds beside its result: a copy
/// of the samples, what sites need of them, and both covariances of a block on each thread.
pub(super) fn working_bytes<T: Real>(
    program: &Program,
    numbers: usize,
    samples: usize,
    threads: usize,
) -> usize {
    let held = Plan::new(&program.steps, program.positions).most_held(false);
    // A batch of planes at a layer, before and after it, and its scratch.
    let planes = program
        .positions
        .iter()
        .product::<usize>()
        .saturating_mul(16);
    let block = held.saturating_add(planes);
    let block = block.saturating_mul(2 * size_of::<Pack<T>>());
    let copy = samples.next_multiple_of(GROUP).saturating_mul(numbers);
    let sides = samples.saturating_mul(program.numbers());
    let bytes = |numbers: usize| numbers.saturating_mul(size_of::<T>());
    let one = bytes(program.numbers()).saturating_mul(GROUP);
    // A batch is at least one group of each side.
    let sides = bytes(sides).min(SIDES_BYTES.max(2 * one));
    let own = sides.saturating_add(bytes(copy));
    block.saturating_mul(threads).saturating_add(own)
}

/// Computes the kernels of every sample with itself.
pub(super) fn diagonal<T: Real, D: RemoveAxis>(
    program: &Program,
    x: ArrayView<'_, T, D>,
) -> Result<Diagonal<T>, KernelError> {
    let engine = Engine::new(program, true, &());
    let groups = Groups::new(&x);
    let (mut nngp, mut ntk) = (Vec::new(), Vec::new());
    let batch = engine.batch(&groups);
    for start in (0..groups.len()).step_by(batch) {
        let range = start..groups.len().min(start + batch);
        let (_, entries) = engine.own(&groups, range.clone(), "x")?;
        for (group, (q, t)) in range.zip(entries) {
            for i in 0..groups.members(group).len() {
                nngp.push(q.0[own(i)]);
                ntk.push(t.0[own(i)]);
            }
        }
    }
    Ok(Diagonal {
        nngp: Array1::from(nngp),
        ntk: Array1::from(ntk),
    })
}

impl<'a, T: Real> Engine<'a, T> {
    fn new(program: &'a Program, ntk: bool, observer: &'a dyn Observer) -> Self {
        Self {
            plan: Plan::new(&program.steps, program.positions),
            program,
            ntk,
            observer,
            _scalar: std::marker::PhantomData,
        }
    }

    /// Returns the number of groups whose numbers fit in half of [`SIDES_BYTES`].
    fn batch(&self, groups: &Groups<T>) -> usize {
        let one = self.program.numbers() * GROUP * size_of::<T>();
        (SIDES_BYTES / 2 / one.max(1)).clamp(1, groups.len().max(1))
    }

    /// Computes for each group of `range` with itself what the sites need of its samples, and its
    /// pairs.
    #[allow(
        clippy::type_complexity,
        reason = "two lists, one item of each for a group"
    )]
    fn own(
        &self,
        groups: &Groups<T>,
        range: std::ops::Range<usize>,
        name: &str,
    ) -> Result<(Vec<Sides<T>>, Vec<Entries<T>>), KernelError> {
        let both = self.each_own(groups, range, name, self.ntk, |block| block.run(&self.plan))?;
        Ok(both.into_iter().unzip())
    }

    /// Computes what the sites need of the samples of each group of `range`.
    fn sides(
        &self,
        groups: &Groups<T>,
        range: std::ops::Range<usize>,
        name: &str,
    ) -> Result<Vec<Sides<T>>, KernelError> {
        let both = self.each_own(groups, range, name, false, |block| {
            block.find_sides(&self.plan)
        })?;
        Ok(both.into_iter().map(|(sides, ())| sides).collect())
    }

    fn each_own<O: Send>(
        &self,
        groups: &Groups<T>,
        range: std::ops::Range<usize>,
        name: &str,
        ntk: bool,
        run: impl Fn(&mut Block<'_, T>) -> Result<O, KernelError> + Sync,
    ) -> Result<Vec<(Sides<T>, O)>, KernelError> {
        range
            .into_par_iter()
            .map_init(Workspace::default, |workspace, group| {
                self.observer
                    .check()
                    .map_err(crate::gram::GramError::from)?;
                let mut sides = Sides(vec![Vec::new(); self.program.sites]);
                let members = groups.members(group);
                let mut block = Block {
                    inputs: [groups.of(group); 2],
                    channels: groups.channels,
                    known: Known::Own(&mut sides),
                    ntk,
                    name: &|i| format!("{name}[{}]", (members.start + i).min(members.end - 1)),
                    workspace,
                };
                let out = run(&mut block)?;
                self.observer.advance(1);
                Ok((sides, out))
            })
            .collect()
    }
}

/// Holds the matrices that are wanted, filled block by block.
struct Filling<T> {
    symmetric: bool,
    nngp: Option<Array2<T>>,
    ntk: Option<Array2<T>>,
}

impl<T: Real> Filling<T> {
    fn new(n: usize, m: usize, symmetric: bool, wanted: Wanted) -> Self {
        let zeros = |wanted: bool| wanted.then(|| Array2::zeros((n, m)));
        Self {
            symmetric,
            nngp: zeros(wanted.has(Kernel::Nngp)),
            ntk: zeros(wanted.has(Kernel::Ntk)),
        }
    }

    fn set(
        &mut self,
        one: &Groups<T>,
        two: &Groups<T>,
        (i, j): (usize, usize),
        (nngp, ntk): Entries<T>,
    ) {
        for (matrix, pack) in [(&mut self.nngp, nngp), (&mut self.ntk, ntk)] {
            let Some(matrix) = matrix else { continue };
            for (a, row) in one.members(i).enumerate() {
                for (b, column) in two.members(j).enumerate() {
                    if self.symmetric && column > row {
                        continue;
                    }
                    let value = pack.0[a * GROUP + b];
                    matrix[[row, column]] = value;
                    if self.symmetric {
                        matrix[[column, row]] = value;
                    }
                }
            }
        }
    }

    fn finish(self) -> Matrices<T> {
        Matrices {
            nngp: self.nngp,
            ntk: self.ntk,
        }
    }
}
