//! Differentiates kernels of networks on samples with positions, block by block: sixteen pairs of samples.
//!
//! The first layers, as long as they leave pairs of positions of one displacement together, take plane
//! after plane, each small enough for a cache; those after them all pairs of positions at once.

mod contracted;
mod matrices;

pub(super) use contracted::contracted;
pub(super) use matrices::derivatives;

use super::super::program::Program;
use super::super::spatial::Engine;
use super::super::spatial::lanes::Groups;
use super::super::spatial::run::{Block, Known, Sides, Workspace, covariance};
use super::super::{Input, KernelError, memory};
use super::line::{Line, Pool};
use super::route::Route;
use super::shape::{Plane, Shape};
use super::site::{Numbers, OfGroups, Own, Pairs, of_group};
use super::tape::{Tape, keep_in, record};
use crate::gram::GramError;
use crate::pack::Pack;
use ntk_linalg::Real;
use ntk_linalg::observer::Observer;

/// The samples of an input, group by group, with what the sites need of them.
struct Samples<T: Real> {
    groups: Groups<T>,
    sides: Vec<Sides<T>>,
}

/// Both inputs, in blocks.
struct Blocks<'a, T: Real> {
    route: &'a Route,
    sites: usize,
    one: Samples<T>,
    /// `None` where the columns are the rows.
    two: Option<Samples<T>>,
    observer: &'a dyn Observer,
}

/// Two groups, and what the sites need of them.
struct Pair<'a, T: Real> {
    groups: [(&'a Samples<T>, usize); 2],
    numbers: [Numbers<T>; 2],
    own: bool,
}

/// Memory that is used again from one block to the next.
#[derive(Default)]
struct Memory<T: Real> {
    workspace: Workspace<T>,
    pool: Pool<T>,
}

impl<T: Real> Pair<'_, T> {
    /// Returns the pairs of a line; `equal` says that it has pairs of equal positions.
    fn pairs(&self, equal: bool) -> Pairs<'_, T> {
        let [(one, i), (two, j)] = self.groups;
        Pairs {
            one: &self.numbers[0],
            two: &self.numbers[1],
            own: if self.own && equal {
                Own::Group
            } else {
                Own::No
            },
            groups: Some(OfGroups {
                beside: [one.groups.beside(i), two.groups.beside(j)],
                sides: [&one.sides[i], &two.sides[j]],
            }),
        }
    }

    fn values(&self) -> [&[T]; 2] {
        self.groups.map(|(samples, group)| samples.groups.of(group))
    }

    fn channels(&self) -> usize {
        self.groups[0].0.groups.channels
    }
}

impl<'a, T: Real> Blocks<'a, T> {
    fn new(
        program: &Program,
        route: &'a Route,
        x1: &Input<'_, T>,
        x2: Option<&Input<'_, T>>,
        observer: &'a dyn Observer,
    ) -> Result<Self, KernelError> {
        let engine = Engine::of_weights(program, masked(x1, x2), &());
        let samples = |x: &Input<'_, T>, name: &str| -> Result<Samples<T>, KernelError> {
            let groups = Groups::new(x);
            let sides = engine.sides(&groups, 0..groups.len(), name)?;
            Ok(Samples { groups, sides })
        };
        Ok(Self {
            route,
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

    fn pair<'b>(&self, groups: [(&'b Samples<T>, usize); 2], own: bool) -> Pair<'b, T> {
        let [(one, i), (two, j)] = groups;
        let numbers = [
            of_group(&one.sides[i], true),
            of_group(&two.sides[j], false),
        ];
        Pair {
            groups,
            numbers,
            own,
        }
    }

    /// Computes the covariances of the inputs at all pairs of positions, or at equal ones.
    fn input(&self, pair: &Pair<'_, T>, memory: &mut Memory<T>) -> Line<T> {
        let [(one, i), (two, j)] = pair.groups;
        let plan = &self.route.plan;
        let mut block = Block {
            inputs: pair.values(),
            beside: [one.groups.beside(i), two.groups.beside(j)],
            channels: pair.channels(),
            known: Known::Both(&one.sides[i], &two.sides[j]),
            ntk: true,
            name: &|_| String::new(),
            workspace: &mut memory.workspace,
        };
        block.whole_input(plan, plan.start).into()
    }

    /// Records the first layers on a plane.
    fn plane(
        &self,
        pair: &Pair<'_, T>,
        plane: Plane,
        pool: &mut Pool<T>,
    ) -> (Line<T>, Tape<'a, T>) {
        let shape = Shape::Plane(plane);
        let mut nngp = pool.spare.any(shape.len());
        let (values, channels) = (pair.values(), pair.channels());
        for run in shape.runs() {
            for (at, to) in nngp[run.start..][..run.len].iter_mut().enumerate() {
                *to = covariance(values, channels, run.first + at, run.second + at);
            }
        }
        let mut line = Line::of(shape, nngp, pool);
        let pairs = pair.pairs(plane.is_zero());
        let tape = record(self.route.chain(), &pairs, &mut line, pool);
        (line, tape)
    }

    /// Computes the kernels that go into the layers after the first, and hands each plane to `look`.
    fn gathered(
        &self,
        pair: &Pair<'_, T>,
        memory: &mut Memory<T>,
        mut look: impl FnMut(Plane, &Line<T>, &Tape<'a, T>, &mut Pool<T>),
    ) -> Line<T> {
        let Some(planes) = &self.route.planes else {
            return self.input(pair, memory);
        };
        let pool = &mut memory.pool;
        let mut sums = planes.sums(pool);
        for plane in planes.of(pair.own) {
            let (line, tape) = self.plane(pair, plane, pool);
            planes.take(&line, pair.own, &mut sums);
            look(plane, &line, &tape, pool);
            line.keep_in(pool);
            keep_in(tape, pool);
        }
        planes.total(sums, pool)
    }
}

fn masked<T>(x1: &Input<'_, T>, x2: Option<&Input<'_, T>>) -> bool {
    x1.masked() || x2.is_some_and(Input::masked)
}

/// Refuses blocks that take more memory than there is: what goes into each layer is kept, both kernels of
/// it, and the derivatives at one site.
pub(super) fn check_memory<T: Real>(route: &Route) -> Result<(), KernelError> {
    let threads = rayon::current_num_threads();
    let bytes = memory::product([size_of::<Pack<T>>(), threads]);
    memory::check(route.packs().saturating_mul(bytes))
}
