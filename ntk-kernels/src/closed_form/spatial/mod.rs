//! Computes kernel matrices of networks on images and sequences.
//!
//! Sixteen pairs of samples, four by four, go through the network side by side, one in each
//! lane of the processor's vectors, so that edges, strides and windows cost no lane.

mod cells;
mod gather;
pub(super) mod lanes;
mod layout;
pub(super) mod matrix;
mod memory;
mod plan;
pub(super) mod run;
pub(super) mod sites;
pub(super) mod spare;
mod tables;
mod tensor;
pub(super) mod whole;

use super::program::Program;
use super::{Diagonal, Input, Kernel, KernelError, Matrices, Wanted};
use crate::pack::Pack;
use lanes::{GROUP, Groups, own};
use ndarray::{Array1, Array2};
use ntk_linalg::Real;
use ntk_linalg::observer::Observer;
use plan::Plan;
use rayon::prelude::*;
use run::{BATCH, Block, Known, Sides, Workspace};

/// The memory for what sites need of the samples, in bytes; beyond it, samples are taken in
/// batches, and what is needed of them is found again for each pair of batches.
const SIDES_BYTES: usize = 512 << 20;

/// Returns the bytes of the lists that a plan keeps of layers whose windows are irregular.
pub(super) fn tables(program: &Program) -> u64 {
    match program.in_planes() {
        true => {
            let pairs = plan::listed_pairs(&program.steps, plan::two(program.positions));
            pairs.saturating_mul(BYTES_LISTED)
        }
        false => 0,
    }
}

/// The bytes that a plan takes for each pair of positions along an axis whose targets are listed.
const BYTES_LISTED: u64 = 64;

/// Returns the bytes that kernels take while they are computed in an element type of `number` bytes,
/// beside the result: `blocks` of pairs of groups, of `samples` in all.
pub(super) fn working_memory(
    program: &Program,
    masked: bool,
    ntk: bool,
    (blocks, samples): (usize, usize),
    number: usize,
) -> u64 {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let packs = Route::new(program, masked).packs();
    let kernels = if ntk { 2 } else { 1 };
    let pack = count(number * GROUP * GROUP);
    let threads = count(rayon::current_num_threads().min(blocks));
    let blocks = [kernels, pack, threads]
        .into_iter()
        .fold(packs, u64::saturating_mul);
    let sites = count(program.numbers()).saturating_mul(count(number * GROUP));
    let groups = count(samples.div_ceil(GROUP));
    let sides = sites
        .saturating_mul(groups)
        .min(count(SIDES_BYTES).max(sites.saturating_mul(2)));
    blocks.saturating_add(sides)
}

/// A `Route` is the way that blocks of pairs go through a program.
enum Route {
    /// Planes of equal displacement go by themselves.
    Planes(Plan),
    /// All pairs of positions go together.
    Whole(whole::Plan),
}

impl Route {
    fn new(program: &Program, masked: bool) -> Self {
        match program.in_planes() && !masked {
            true => Self::Planes(Plan::new(&program.steps, plan::two(program.positions))),
            false => Self::Whole(whole::Plan::new(program, masked)),
        }
    }

    /// Returns the most packs of one kernel that a block takes.
    fn packs(&self) -> u64 {
        match self {
            Self::Planes(plan) => plan.packs(BATCH),
            Self::Whole(plan) => plan.packs(),
        }
    }

    fn run<T: Real>(&self, block: &mut Block<'_, T>) -> Result<Entries<T>, KernelError> {
        match self {
            Self::Planes(plan) => block.run(plan),
            Self::Whole(plan) => block.run_whole(plan),
        }
    }

    /// Finds what the sites need of a group, without its kernels.
    fn find_sides<T: Real>(&self, block: &mut Block<'_, T>) -> Result<(), KernelError> {
        match self {
            Self::Planes(plan) => block.find_sides(plan),
            Self::Whole(plan) => block.run_whole(plan).map(drop),
        }
    }
}

/// The NNGP and NTK of a block of pairs of two groups.
type Entries<T> = (Pack<T>, Pack<T>);

pub(super) struct Engine<'a, T> {
    program: &'a Program,
    route: Route,
    ntk: bool,
    observer: &'a dyn Observer,
    _scalar: std::marker::PhantomData<T>,
}

pub(super) fn kernels<T: Real>(
    program: &Program,
    x1: Input<'_, T>,
    x2: Option<Input<'_, T>>,
    wanted: Wanted,
    observer: &dyn Observer,
) -> Result<Matrices<T>, KernelError> {
    let masked = x1.masked() || x2.as_ref().is_some_and(Input::masked);
    let engine = Engine::new(program, masked, wanted.has(Kernel::Ntk), observer);
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
                        beside: [one.beside(i), columns.beside(j)],
                        channels: one.channels,
                        known: Known::Both(&first[i - rows.start], &second[j - range.start]),
                        ntk: engine.ntk,
                        name: &|_| String::new(),
                        workspace,
                    };
                    let entries = engine.route.run(&mut block);
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

/// Computes the kernels of every sample with itself.
pub(super) fn diagonal<T: Real>(
    program: &Program,
    x: Input<'_, T>,
) -> Result<Diagonal<T>, KernelError> {
    let engine = Engine::new(program, x.masked(), true, &());
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
    pub(super) fn new(
        program: &'a Program,
        masked: bool,
        ntk: bool,
        observer: &'a dyn Observer,
    ) -> Self {
        Self {
            route: Route::new(program, masked),
            program,
            ntk,
            observer,
            _scalar: std::marker::PhantomData,
        }
    }

    /// Makes one that finds the weights of every attention, also where the weighted sums of samples
    /// would do.
    pub(super) fn of_weights(
        program: &'a Program,
        masked: bool,
        observer: &'a dyn Observer,
    ) -> Self {
        let mut engine = Self::new(program, masked, false, observer);
        if let Route::Whole(plan) = &mut engine.route {
            plan.plain = false;
        }
        engine
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
        let both = self.each_own(groups, range, name, self.ntk, |block| self.route.run(block))?;
        Ok(both.into_iter().unzip())
    }

    /// Computes what the sites need of the samples of each group of `range`.
    pub(super) fn sides(
        &self,
        groups: &Groups<T>,
        range: std::ops::Range<usize>,
        name: &str,
    ) -> Result<Vec<Sides<T>>, KernelError> {
        let both = self.each_own(groups, range, name, false, |block| {
            self.route.find_sides(block)
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
                    beside: [groups.beside(group); 2],
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
