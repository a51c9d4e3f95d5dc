//! Cuts a plan in two: layers that leave planes of one displacement apart, and those after them.

use super::super::program::{Mix, Program, Step};
use super::super::spatial::run::exchanged;
use super::super::spatial::whole::field::Extent;
use super::super::spatial::whole::{Op, Plan};
use super::line::{Line, Pool};
use super::plane::{Pooling, stays};
use super::shape::{Plane, Shape};
use crate::network::{AXES, count_positions};
use crate::pairs::axis::Axis;
use ntk_linalg::Real;

/// A `Route` is the way of a block through the layers.
pub(super) struct Route {
    pub(super) plan: Plan,
    /// The planes that go through the first layers; `None` where all pairs go together from the start.
    pub(super) planes: Option<Planes>,
    /// The number of layers that planes go through.
    chain: usize,
    /// The number of those and of the layer that pools the planes.
    taken: usize,
}

/// The planes, and what becomes of them.
pub(super) struct Planes {
    /// The planes that go in, that of equal positions first.
    all: Vec<Plane>,
    pooling: Pooling,
    /// The pairs of positions that are wanted of the pooled.
    wanted: Extent,
    recorded: u64,
}

/// Sums of planes, and what rounding takes from them.
pub(super) type Sums<T> = [Line<T>; 2];

impl Route {
    pub(super) fn new(program: &Program, masked: bool) -> Self {
        let plan = Plan::new(program, masked);
        let chain = match plan.start {
            // Pairs of equal positions are one plane, as they are.
            Extent::Diagonal => 0,
            Extent::All => plan.ops.iter().take_while(|op| apart(op)).count(),
        };
        let mut route = Self {
            planes: None,
            chain: 0,
            taken: 0,
            plan,
        };
        let chained = &route.plan.ops[..chain];
        if masked
            || program.tokens.is_some()
            || !chained.iter().any(|op| matches!(op, Op::Site(..)))
        {
            return route;
        }
        let (sizes, strides) = after(chained, program.positions);
        let (pooling, wanted, pools, displacements) = match route.plan.ops.get(chain) {
            Some(Op::One(Step::Mix(Mix::Map(map)), wanted)) if map.axes().is_some() => {
                let axes = map.axes().expect("as the guard says");
                let displacements: [Vec<isize>; AXES] = std::array::from_fn(|axis| {
                    let size = axes[axis].rows().len();
                    let out = match wanted {
                        Extent::Diagonal => vec![0],
                        Extent::All => every(size),
                    };
                    axes[axis].displacements(&out)
                });
                (Pooling::new(axes), *wanted, 1, displacements)
            }
            _ => (Pooling::identity(sizes), Extent::All, 0, sizes.map(every)),
        };
        let mut all = Vec::new();
        for &a in &displacements[0] {
            for &b in &displacements[1] {
                for &c in &displacements[2] {
                    let [s, t, u] = strides.map(usize::cast_signed);
                    all.push(Plane {
                        sizes: program.positions,
                        displacement: [a * s, b * t, c * u],
                    });
                }
            }
        }
        // That of equal positions first, and the large before the small, so that memory is used again as
        // it is.
        all.sort_by_key(|plane| (!plane.is_zero(), std::cmp::Reverse(plane.len())));
        let most = u64::try_from(count_positions(program.positions)).unwrap_or(u64::MAX);
        route.planes = Some(Planes {
            all,
            pooling,
            wanted,
            recorded: most.saturating_mul(records(chained)),
        });
        (route.chain, route.taken) = (chain, chain + pools);
        route
    }

    /// Returns the layers that planes go through.
    pub(super) fn chain(&self) -> &[Op] {
        &self.plan.ops[..self.chain]
    }

    /// Returns the layers after them.
    pub(super) fn rest(&self) -> &[Op] {
        &self.plan.ops[self.taken..]
    }

    /// Says whether all layers after the planes are linear maps.
    pub(super) fn ends_linearly(&self) -> bool {
        self.rest().iter().all(|op| match op {
            Op::One(step, _) => match step {
                Step::Affine(_) | Step::Dropout { .. } => true,
                Step::Mix(mix) => match mix {
                    Mix::Taps(..)
                    | Mix::Local(..)
                    | Mix::Map(_)
                    | Mix::Flatten(..)
                    | Mix::Aggregate(..) => true,
                    Mix::Attention(..) | Mix::Recurrent(_) => false,
                },
                Step::Site(_) | Step::Branch { .. } | Step::Stack { .. } => false,
            },
            Op::Site(..) | Op::Branch { .. } | Op::Stack { .. } => false,
        })
    }

    /// Returns the packs that exist where what goes into each layer is kept.
    pub(super) fn packs(&self) -> u64 {
        const SLOPES: u64 = 8;
        match &self.planes {
            None => {
                let packs = self.plan.recorded().saturating_mul(2);
                packs.saturating_add(self.plan.packs().saturating_mul(SLOPES))
            }
            Some(planes) => {
                let outputs = count_positions(planes.pooling.outputs);
                let pairs = u64::try_from(outputs.saturating_mul(outputs)).unwrap_or(u64::MAX);
                let layers = records(self.rest()).saturating_add(SLOPES);
                planes.recorded.saturating_add(pairs.saturating_mul(layers))
            }
        }
    }
}

/// Counts the packs that are kept of each pair in layers.
fn records(ops: &[Op]) -> u64 {
    let of = |op: &Op| match op {
        Op::One(..) => 2,
        Op::Site(..) => 12,
        Op::Branch { paths, .. } | Op::Stack { paths, .. } => {
            paths.iter().map(|path| records(&path.ops) + 2).sum()
        }
    };
    ops.iter().map(of).sum()
}

fn every(size: usize) -> Vec<isize> {
    Axis { size, wraps: false }.all()
}

/// Says whether a layer leaves planes apart.
fn apart(op: &Op) -> bool {
    match op {
        Op::One(Step::Affine(_) | Step::Dropout { .. }, _) | Op::Site(..) => true,
        Op::One(Step::Mix(Mix::Taps(windows, _)), _) => stays(windows),
        Op::Branch { paths, .. } => {
            let start = [1 << 20; AXES];
            let ends = paths.iter().map(|path| after(&path.ops, start).1);
            let alike = ends
                .collect::<Vec<_>>()
                .windows(2)
                .all(|two| two[0] == two[1]);
            alike && paths.iter().all(|path| path.ops.iter().all(apart))
        }
        Op::One(
            Step::Mix(
                Mix::Local(..)
                | Mix::Map(_)
                | Mix::Flatten(..)
                | Mix::Attention(..)
                | Mix::Aggregate(..)
                | Mix::Recurrent(_),
            )
            | Step::Site(_)
            | Step::Branch { .. }
            | Step::Stack { .. },
            _,
        )
        | Op::Stack { .. } => false,
    }
}

/// Returns the sizes after layers that leave planes apart, and the product of their strides.
fn after(ops: &[Op], sizes: [usize; AXES]) -> ([usize; AXES], [usize; AXES]) {
    let mut all = (sizes, [1; AXES]);
    for op in ops {
        let (sizes, strides) = match op {
            Op::One(Step::Mix(Mix::Taps(windows, _)), _) => (windows.outputs(), windows.strides()),
            Op::Branch { paths, .. } => match paths.first() {
                Some(path) => after(&path.ops, all.0),
                None => continue,
            },
            Op::One(..) | Op::Site(..) | Op::Stack { .. } => continue,
        };
        all = (
            sizes,
            std::array::from_fn(|axis| all.1[axis] * strides[axis]),
        );
    }
    all
}

impl Planes {
    fn outputs(&self) -> usize {
        count_positions(self.pooling.outputs)
    }

    /// Makes empty sums.
    pub(super) fn sums<T: Real>(&self, pool: &mut Pool<T>) -> Sums<T> {
        let shape = Shape::of(Extent::All, self.outputs());
        [Line::zeros(shape, pool), Line::zeros(shape, pool)]
    }

    /// Lists the planes that a block takes; of a group with itself, whose opposite planes have the same
    /// pairs, one of each two.
    pub(super) fn of(&self, own: bool) -> impl Iterator<Item = Plane> {
        let all = self.all.iter().copied();
        all.filter(move |plane| !own || plane.is_first())
    }

    /// Adds what comes out of a plane, and for a group with itself out of the opposite one.
    pub(super) fn take<T: Real>(&self, line: &Line<T>, own: bool, sums: &mut Sums<T>) {
        let Shape::Plane(plane) = line.shape else {
            return;
        };
        self.pooling.take(plane, line, |pack| pack, sums);
        if own && !plane.is_zero() {
            self.pooling.take(plane.opposite(), line, exchanged, sums);
        }
    }

    /// Returns the sums, of the pairs that are wanted.
    pub(super) fn total<T: Real>(&self, [mut sums, lost]: Sums<T>, pool: &mut Pool<T>) -> Line<T> {
        sums.add(&lost);
        lost.keep_in(pool);
        sums.within(self.wanted);
        sums
    }

    /// Makes derivatives by the pairs that are wanted those by all.
    pub(super) fn widened<T: Real>(&self, mut bar: Line<T>) -> Line<T> {
        bar.within(Extent::All);
        bar
    }

    /// Adds derivatives by the sums to those by a plane: the transpose of [`Planes::take`].
    pub(super) fn give<T: Real>(&self, bar: &Line<T>, own: bool, line: &mut Line<T>) {
        let Shape::Plane(plane) = line.shape else {
            return;
        };
        self.pooling.give(plane, bar, |pack| pack, line);
        if own && !plane.is_zero() {
            self.pooling.give(plane.opposite(), bar, exchanged, line);
        }
    }
}
