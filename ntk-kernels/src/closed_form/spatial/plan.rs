//! Cuts a program with positions into stages.
//!
//! Within a stage planes of one displacement stay apart: each goes through all layers by
//! itself. What mixes displacements (pooling, branches with it) ends a stage.
//! From the output backwards, each stage computes only the displacements that the next one
//! needs: after `flatten` that is displacement zero alone, before a 2x2 pool three times
//! more along each axis, and before global pools all of them.

use super::super::program::{Mix, Site, Step};
use super::cells::{AxisCells, Cells, WindowSums, rather_listed};
use super::gather::Gather;
use super::layout::{Layout, axes_of, whole};
use super::tables::Tables;
use crate::affine::Affine;
use crate::network::{AXES, AxisMap, Merge, PositionMap, Windows};
use crate::pairs::axis::Axis;

/// The stages of a program.
pub(super) struct Plan {
    pub(super) stages: Vec<Stage>,
}

pub(super) struct Stage {
    /// The planes that go into it.
    pub(super) source: Layout,
    /// What makes these planes of those that the stage before it left; `None` where they are the same.
    pub(super) gather: Option<Gather>,
    pub(super) chain: Vec<Op>,
    pub(super) sink: Sink,
    /// The planes that the sink fills.
    pub(super) kept: Layout,
    pub(super) then: Then,
    /// The planes that come out.
    pub(super) out: Layout,
}

impl Stage {
    /// Says whether anything in the stage needs numbers of the samples, in planes and after them.
    pub(super) fn has_sites(&self) -> [bool; 2] {
        [self.chain.iter().any(Op::has_sites), self.then.has_sites()]
    }
}

/// An `Op` is done to a plane within a stage. Its tables are indexed by the number of the
/// displacement.
pub(super) enum Op {
    Pass(Box<PassPlan>),
    Dropout { keep: f64 },
    Branch { paths: Vec<Vec<Op>>, merge: Merge },
}

impl Op {
    fn has_sites(&self) -> bool {
        match self {
            Self::Pass(pass) => pass.site.is_some(),
            Self::Dropout { .. } => false,
            Self::Branch { paths, .. } => paths.iter().flatten().any(Self::has_sites),
        }
    }
}

pub(super) struct PassPlan {
    pub(super) rows: Option<Tables>,
    pub(super) affine: Affine,
    pub(super) site: Option<Site>,
    pub(super) columns: Option<Tables>,
    /// The axis and displacements after the sum over rows.
    pub(super) y: (Axis, Vec<isize>),
    /// The axis and displacements before the sum over columns.
    pub(super) x: (Axis, Vec<isize>),
}

/// A `Sink` says where the planes of a stage go.
pub(super) enum Sink {
    /// Each pair of positions is added to that of the cells in which they are.
    Cells(Cells),
    /// Each position is added to those that irregular maps name, with a weight for each.
    Weighted([Vec<WeightedTargets>; 2]),
    /// All positions of all planes are added up and scaled.
    Sum { scale: f64 },
}

/// For each position of a plane along one axis, the displacements' numbers and positions in
/// them that it counts for, each with its weight.
pub(super) type WeightedTargets = Vec<Vec<((usize, usize), f64)>>;

/// A `Then` is done once all planes are there.
pub(super) enum Then {
    Nothing,
    /// Pairs of cells are summed over the windows of both samples, and entries multiplied by weights
    /// of output positions along each axis, for both positions of a pair.
    Pool(Option<Box<WindowSums>>, Option<[Vec<f64>; 2]>),
    Affine(Affine),
    Branch {
        paths: Vec<Plan>,
        merge: Merge,
    },
}

impl Then {
    fn has_sites(&self) -> bool {
        match self {
            Self::Nothing | Self::Pool(..) | Self::Affine(_) => false,
            Self::Branch { paths, .. } => {
                let mut stages = paths.iter().flat_map(|path| &path.stages);
                stages.any(|stage| stage.has_sites() != [false; 2])
            }
        }
    }
}

impl Plan {
    /// Makes the plan for inputs with positions of this size, and an output of one position.
    pub(super) fn new(steps: &[Step], size: [usize; 2]) -> Self {
        let out = Layout::new([1, 1], false, [vec![0], vec![0]]);
        Self::to(steps, size, out)
    }

    /// Makes the plan that ends in the planes of `out`.
    fn to(steps: &[Step], size: [usize; 2], mut out: Layout) -> Self {
        let mut stages = Vec::new();
        for draft in drafts(steps, size).into_iter().rev() {
            let stage = draft.stage(out);
            out = match &stage.gather {
                Some(gather) => gather.from.clone(),
                None => stage.source.clone(),
            };
            stages.push(stage);
        }
        stages.reverse();
        Self { stages }
    }

    /// The planes that go into it.
    pub(super) fn source(&self) -> &Layout {
        &self.stages[0].source
    }
}

/// A `Need` says whether a layer leaves planes apart, and with which kind of displacements.
#[derive(Clone, Copy, PartialEq)]
enum Need {
    Any,
    Wrapping(bool),
    Mixing,
}

impl Need {
    fn of(step: &Step) -> Self {
        match step {
            Step::Affine(_) | Step::Site(_) | Step::Dropout { .. } => Self::Any,
            Step::Mix(Mix::Taps(windows, _)) if !windows.in_steps() => Self::Mixing,
            Step::Mix(Mix::Taps(windows, _)) => match (windows.circular(), windows.keeps_size()) {
                (true, true) => Self::Wrapping(true),
                (true, false) => Self::Mixing,
                (false, true) => Self::Any,
                (false, false) => Self::Wrapping(false),
            },
            Step::Branch { paths, .. } => {
                let alike = paths.iter().all(|path| strides(path) == strides(&paths[0]));
                let needs = paths.iter().flatten().map(Self::of);
                let need = needs.fold(Self::Any, Self::and);
                if alike { need } else { Self::Mixing }
            }
            Step::Stack { .. } => Self::Mixing,
            Step::Mix(
                Mix::Map(_)
                | Mix::Flatten(..)
                | Mix::Local(..)
                | Mix::Attention(..)
                | Mix::Aggregate(..)
                | Mix::Recurrent(_),
            ) => Self::Mixing,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, need) | (need, Self::Any) => need,
            (a, b) if a == b => a,
            _ => Self::Mixing,
        }
    }
}

/// Computes the product of all strides of layers that leave planes apart.
fn strides(steps: &[Step]) -> [usize; 2] {
    steps.iter().fold([1, 1], |[y, x], step| {
        let [sy, sx] = match step {
            Step::Mix(Mix::Taps(windows, _)) => two(windows.strides()),
            Step::Branch { paths, .. } => strides(&paths[0]),
            Step::Affine(_)
            | Step::Site(_)
            | Step::Dropout { .. }
            | Step::Mix(_)
            | Step::Stack { .. } => [1, 1],
        };
        [y * sy, x * sx]
    })
}

/// Computes the size after `steps`.
fn size_after(steps: &[Step], size: [usize; 2]) -> [usize; 2] {
    steps.iter().fold(size, |size, step| match step {
        Step::Mix(Mix::Taps(windows, _) | Mix::Local(windows, _)) => two(windows.outputs()),
        Step::Mix(Mix::Map(map)) => two(map.outputs()),
        Step::Mix(Mix::Flatten(..)) => [1, 1],
        Step::Mix(Mix::Attention(..) | Mix::Aggregate(..) | Mix::Recurrent(_)) => size,
        Step::Stack { .. } => whole(),
        Step::Branch { paths, .. } => size_after(&paths[0], size),
        Step::Affine(_) | Step::Site(_) | Step::Dropout { .. } => size,
    })
}

/// Counts the pairs of positions along an axis of which a plan lists what they count for: those of
/// windows that are not regular.
pub(super) fn listed_pairs(steps: &[Step], size: [usize; 2]) -> u64 {
    let square = |size: usize| u64::try_from(size.saturating_mul(size)).unwrap_or(u64::MAX);
    let (mut total, mut size) = (0_u64, size);
    for step in steps {
        let listed = match step {
            Step::Mix(Mix::Taps(..)) => Need::of(step) == Need::Mixing,
            Step::Mix(Mix::Map(map)) => {
                whole_sum(map).is_none() && AxisCells::of_both(map).is_none()
            }
            Step::Branch { paths, .. } => {
                let inside = paths.iter().map(|path| listed_pairs(path, size));
                total = inside.fold(total, u64::saturating_add);
                false
            }
            Step::Mix(
                Mix::Flatten(..)
                | Mix::Local(..)
                | Mix::Attention(..)
                | Mix::Aggregate(..)
                | Mix::Recurrent(_),
            )
            | Step::Affine(_)
            | Step::Site(_)
            | Step::Dropout { .. }
            | Step::Stack { .. } => false,
        };
        let before = size;
        size = size_after(std::slice::from_ref(step), size);
        if listed {
            // Either those before or those after the step.
            let pairs = [0, 1].map(|axis: usize| square(before[axis].max(size[axis])));
            total = pairs.into_iter().fold(total, u64::saturating_add);
        }
    }
    total
}

/// A `Draft` is a stage before it is known which displacements are wanted.
struct Draft<'a> {
    size: [usize; 2],
    wraps: bool,
    /// The windows from whose inputs the planes are gathered, and their weights.
    start: Option<(&'a Windows, Affine)>,
    chain: &'a [Step],
    /// The step that ends the stage; with `None` the planes are kept.
    end: Option<End<'a>>,
}

/// An `End` is a step that ends a stage.
#[derive(Clone, Copy)]
enum End<'a> {
    Mix(&'a Mix),
    Branch(&'a [Vec<Step>], Merge),
}

impl<'a> End<'a> {
    /// Takes a step for an end; `None` where it leaves planes apart.
    fn of(step: &'a Step) -> Option<Self> {
        if Need::of(step) != Need::Mixing {
            return None;
        }
        match step {
            Step::Mix(mix) => Some(Self::Mix(mix)),
            Step::Branch { paths, merge } => Some(Self::Branch(paths, *merge)),
            Step::Stack { .. } => whole(),
            Step::Affine(_) | Step::Site(_) | Step::Dropout { .. } => None,
        }
    }
}

fn drafts(steps: &[Step], mut size: [usize; 2]) -> Vec<Draft<'_>> {
    let mut drafts = Vec::new();
    let mut rest = steps;
    let mut start = None;
    loop {
        let mut need = Need::Any;
        let length = rest
            .iter()
            .take_while(|step| {
                let both = need.and(Need::of(step));
                if both != Need::Mixing {
                    need = both;
                }
                both != Need::Mixing
            })
            .count();
        let (chain, after) = rest.split_at(length);
        // A layer that mixes by itself ends the stage; one that only needs other planes
        // starts the next.
        let end = after.first().and_then(End::of);
        let next = match end {
            Some(End::Mix(Mix::Taps(windows, affine))) if Gather::is_for(windows) => {
                Some((windows, *affine))
            }
            Some(_) | None => None,
        };
        drafts.push(Draft {
            size,
            wraps: need == Need::Wrapping(true),
            start,
            chain,
            end: end.filter(|_| next.is_none()),
        });
        let ended = usize::from(end.is_some());
        size = size_after(&after[..ended], size_after(chain, size));
        rest = &after[ended..];
        if rest.is_empty() && next.is_none() {
            return drafts;
        }
        start = next;
    }
}

impl Draft<'_> {
    fn stage(&self, out: Layout) -> Stage {
        let size = size_after(self.chain, self.size);
        let axes = size.map(|size| Axis {
            size,
            wraps: self.wraps,
        });
        let every = || axes.map(Axis::all);
        let positions = (size[0] * size[1]) as f64;
        let mut kept = out.clone();
        let mut then = Then::Nothing;
        let cells = match self.end {
            Some(End::Mix(Mix::Map(map))) => {
                AxisCells::of_both(map).filter(|cells| !rather_listed(map, cells, &out))
            }
            _ => None,
        };
        // These are the planes wanted at the end of the chain, before its axes wrap them.
        let wanted = match self.end {
            None => [0, 1].map(|axis| out.plain(axis)),
            Some(End::Mix(Mix::Map(map))) => match whole_sum(map) {
                Some(_) => every(),
                None => {
                    let sums = cells
                        .as_ref()
                        .and_then(|cells| WindowSums::new(cells, &out));
                    if let Some(sums) = &sums {
                        kept = sums.source.clone();
                    }
                    then = Then::Pool(sums.map(Box::new), weights(map));
                    [0, 1].map(|axis| axes_of(map)[axis].displacements(&out.plain(axis)))
                }
            },
            Some(End::Mix(Mix::Taps(_, affine))) => {
                then = Then::Affine(*affine);
                every()
            }
            Some(End::Mix(Mix::Flatten(..))) => [vec![0], vec![0]],
            Some(End::Mix(
                Mix::Local(..) | Mix::Attention(..) | Mix::Aggregate(..) | Mix::Recurrent(_),
            )) => whole(),
            Some(End::Branch(paths, merge)) => {
                let paths: Vec<Plan> = paths
                    .iter()
                    .map(|path| Plan::to(path, size, out.clone()))
                    .collect();
                let union = [0, 1].map(|axis| {
                    let all = paths.iter().flat_map(|path| path.source().plain(axis));
                    sorted(all)
                });
                kept = Layout::new(size, false, union.clone());
                then = Then::Branch { paths, merge };
                union
            }
        };
        let ends =
            [0, 1].map(|axis: usize| sorted(wanted[axis].iter().map(|&d| axes[axis].plane_of(d))));
        let gathered =
            |of: [Vec<Option<usize>>; 2]| Sink::Cells(Cells::new(axes, ends.clone(), of));
        let targets = |pairs: &dyn Fn(usize, usize, usize) -> Vec<(usize, usize, f64)>| {
            Sink::Weighted([0, 1].map(|axis: usize| {
                let along = axes[axis];
                let place = |(p, q, weight)| Some((kept.find(axis, p, q)?, weight));
                let planes = ends[axis].iter().map(|&d| {
                    let position = |p| {
                        let pairs = pairs(axis, p, along.other(p, d));
                        pairs.into_iter().filter_map(place).collect()
                    };
                    along.range(d).map(position).collect()
                });
                planes.collect()
            }))
        };
        let sink = match self.end {
            Some(End::Mix(Mix::Flatten(..))) => Sink::Sum {
                scale: positions.recip(),
            },
            Some(End::Mix(Mix::Map(map))) => match (whole_sum(map), cells) {
                (Some(scale), _) => Sink::Sum { scale },
                (None, Some(cells)) => gathered(cells.map(|cells| cells.of)),
                (None, None) => {
                    let covering = axes_of(map).map(AxisMap::covering);
                    targets(&|axis, p, q| {
                        let (one, two) = (&covering[axis][p], &covering[axis][q]);
                        let pairs = one.iter().flat_map(|&(out, weight)| {
                            let pair = move |&(other, w): &(usize, f64)| (out, other, weight * w);
                            two.iter().map(pair)
                        });
                        pairs.collect()
                    })
                }
            },
            Some(End::Mix(Mix::Taps(windows, _))) => {
                let covering = covering(windows);
                targets(&|axis, p, q| {
                    let of = |at: usize| covering[axis][at].iter().copied();
                    of(p)
                        .flat_map(|(out, tap)| {
                            of(q)
                                .filter(move |other| other.1 == tap)
                                .map(move |other| (out, other.0, 1.0))
                        })
                        .collect()
                })
            }
            Some(End::Mix(
                Mix::Local(..) | Mix::Attention(..) | Mix::Aggregate(..) | Mix::Recurrent(_),
            )) => whole(),
            None | Some(End::Branch(..)) => {
                gathered(size.map(|size| (0..size).map(Some).collect()))
            }
        };
        let strides = strides(self.chain);
        let source = [0, 1].map(|axis: usize| {
            let stride = strides[axis].cast_signed();
            ends[axis].iter().map(|d| d * stride).collect::<Vec<_>>()
        });
        let source = Layout::new(self.size, self.wraps, source);
        let mut level = Level {
            axes: source.axes,
            displacements: source.displacements.clone(),
        };
        let gather = self.start;
        Stage {
            chain: level.ops(self.chain),
            gather: gather.map(|(windows, affine)| Gather::new(windows, affine, &source)),
            source,
            sink,
            kept,
            then,
            out,
        }
    }
}

/// Returns the sizes along the two axes that planes have.
pub(super) fn two([y, x, _]: [usize; AXES]) -> [usize; 2] {
    [y, x]
}

fn sorted(displacements: impl Iterator<Item = isize>) -> Vec<isize> {
    let mut all: Vec<isize> = displacements.collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Lists for each input position along each axis the outputs that read it, and by which tap.
fn covering(windows: &Windows) -> [Vec<Vec<(usize, usize)>>; 2] {
    [0, 1].map(|axis: usize| {
        let mut covering = vec![Vec::new(); windows.inputs()[axis]];
        for out in 0..windows.outputs()[axis] {
            for &(tap, at) in windows.taps(axis, out) {
                covering[at].push((out, tap));
            }
        }
        covering
    })
}

impl AxisMap {
    /// Lists for each input position the outputs that read it, and its weight among those of its
    /// row: 1 where all of a row have one weight, by which [`Then::Pool`] then multiplies.
    fn covering(&self) -> Vec<Vec<(usize, f64)>> {
        let mut covering = vec![Vec::new(); self.inputs()];
        for (out, row) in self.rows().iter().enumerate() {
            let common = Self::shared_weight(row).is_some();
            for &(at, weight) in row {
                covering[at].push((out, if common { 1.0 } else { weight }));
            }
        }
        covering
    }
}

/// Returns the weight of every pair where the map sums all positions to one, with equal weights.
fn whole_sum(map: &PositionMap) -> Option<f64> {
    let along = |axis: &AxisMap| match axis.rows() {
        [row] if row.iter().map(|&(at, _)| at).eq(0..axis.inputs()) => AxisMap::shared_weight(row),
        _ => None,
    };
    let [y, x] = axes_of(map).map(along);
    Some((y? * x?).powi(2))
}

/// Axes and displacements between two layers of a chain.
struct Level {
    axes: [Axis; 2],
    displacements: [Vec<isize>; 2],
}

impl Level {
    fn pass(&self) -> PassPlan {
        PassPlan {
            rows: None,
            affine: Affine::IDENTITY,
            site: None,
            columns: None,
            y: (self.axes[0], self.displacements[0].clone()),
            x: (self.axes[1], self.displacements[1].clone()),
        }
    }

    /// Moves past `windows` along one axis, and returns what each output sums.
    fn step(&mut self, windows: &Windows, axis: usize) -> Option<Tables> {
        let stride = windows.strides()[axis].cast_signed();
        if windows.window()[axis] == 1 && stride == 1 {
            return None;
        }
        self.axes[axis].size = windows.outputs()[axis];
        let wraps = self.axes[axis].wraps;
        self.displacements[axis]
            .iter_mut()
            .for_each(|d| *d /= stride);
        Some(Tables::new(windows, axis, wraps, &self.displacements[axis]))
    }

    fn ops(&mut self, steps: &[Step]) -> Vec<Op> {
        let mut ops: Vec<Op> = Vec::new();
        for step in steps {
            match step {
                Step::Mix(Mix::Taps(windows, affine)) => {
                    let before = self.pass();
                    if let Some(columns) = self.step(windows, 1) {
                        if let Some(Op::Pass(last)) = ops.last_mut()
                            && last.columns.is_none()
                        {
                            last.columns = Some(columns);
                        } else {
                            ops.push(Op::Pass(Box::new(PassPlan {
                                columns: Some(columns),
                                ..before
                            })));
                        }
                    }
                    let rows = self.step(windows, 0);
                    ops.push(Op::Pass(Box::new(PassPlan {
                        rows,
                        affine: *affine,
                        ..self.pass()
                    })));
                }
                Step::Affine(affine) => ops.push(Op::Pass(Box::new(PassPlan {
                    affine: *affine,
                    ..self.pass()
                }))),
                Step::Site(site) => {
                    if let Some(Op::Pass(last)) = ops.last_mut()
                        && last.site.is_none()
                        && last.columns.is_none()
                    {
                        last.site = Some(site.clone());
                    } else {
                        ops.push(Op::Pass(Box::new(PassPlan {
                            site: Some(site.clone()),
                            ..self.pass()
                        })));
                    }
                }
                Step::Stack { .. } => whole(),
                Step::Dropout { keep } => ops.push(Op::Dropout { keep: *keep }),
                Step::Branch { paths, merge } => {
                    let start = (self.axes, self.displacements.clone());
                    let paths = paths.iter().map(|path| {
                        (self.axes, self.displacements) = start.clone();
                        self.ops(path)
                    });
                    let paths = paths.collect();
                    ops.push(Op::Branch {
                        paths,
                        merge: *merge,
                    });
                }
                Step::Mix(
                    Mix::Map(_)
                    | Mix::Flatten(..)
                    | Mix::Local(..)
                    | Mix::Attention(..)
                    | Mix::Aggregate(..)
                    | Mix::Recurrent(_),
                ) => {
                    unreachable!("ends a stage")
                }
            }
        }
        ops
    }
}

/// Collects the weights that all inputs of an output share; `None` where they are 1.
fn weights(map: &PositionMap) -> Option<[Vec<f64>; 2]> {
    let along = |axis: &AxisMap| {
        let rows = axis.rows().iter();
        let weights = rows.map(|row| AxisMap::shared_weight(row).unwrap_or(1.0));
        weights.collect::<Vec<_>>()
    };
    let weights = axes_of(map).map(along);
    let any = weights.iter().flatten().any(|&weight| weight != 1.0);
    any.then_some(weights)
}
