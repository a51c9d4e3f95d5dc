//! Cuts a program with positions into stages.
//!
//! Within a stage planes of one displacement stay apart: each goes through all layers by
//! itself. What mixes displacements (pooling, attention, branches with either) ends a stage.
//! From the output backwards, each stage computes only the displacements that the next one
//! needs: after `flatten` that is displacement zero alone, before a 2x2 pool three times
//! more along each axis, and before global pools and attention all of them.

use super::super::program::{Mix, Site, Step};
use crate::affine::Affine;
use crate::network::{AxisMap, Logits, Merge, PositionMap, Windows};
use crate::pairs::axis::{Axis, Taps};

/// The stages of a program.
pub(super) struct Plan {
    pub(super) stages: Vec<Stage>,
}

pub(super) struct Stage {
    /// The planes that go into it.
    pub(super) source: Layout,
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

/// A `Layout` has a plane for each combination of the displacements `y[i]`, `x[j]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub(super) axes: [Axis; 2],
    /// The displacements along each axis, in ascending order.
    pub(super) displacements: [Vec<isize>; 2],
    /// The start of each plane, `x` displacements varying fastest, and the end of the last.
    starts: Vec<usize>,
    /// The width of a plane of each `x` displacement.
    widths: Vec<usize>,
}

impl Layout {
    fn new(size: [usize; 2], wraps: bool, displacements: [Vec<isize>; 2]) -> Self {
        let axes = size.map(|size| Axis { size, wraps });
        let [extents_y, extents_x] = [0, 1].map(|axis: usize| {
            let extent = |&d: &isize| axes[axis].range(d).len();
            displacements[axis].iter().map(extent).collect::<Vec<_>>()
        });
        let mut starts = vec![0];
        let mut total = 0;
        for height in &extents_y {
            for width in &extents_x {
                total += height * width;
                starts.push(total);
            }
        }
        Self {
            axes,
            displacements,
            starts,
            widths: extents_x,
        }
    }

    /// Returns the number of positions in all planes.
    pub(super) fn len(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Returns the range of the plane of displacements number `i` and `j`.
    pub(super) fn plane(&self, i: usize, j: usize) -> std::ops::Range<usize> {
        let number = i * self.displacements[1].len() + j;
        self.starts[number]..self.starts[number + 1]
    }

    /// Returns the numbers of all planes, that of displacement zero first, because others need its
    /// variances. With `half` only one of each two planes of opposite displacements is among them.
    pub(super) fn order(&self, half: bool) -> Vec<(usize, usize)> {
        let [y, x] = &self.displacements;
        let mut all: Vec<(usize, usize)> = (0..y.len())
            .flat_map(|i| (0..x.len()).map(move |j| (i, j)))
            .filter(|&(i, j)| !half || (y[i], x[j]) >= (0, 0))
            .collect();
        all.sort_by_key(|&(i, j)| (y[i], x[j]) != (0, 0));
        all
    }

    /// Returns the number of the plane of the opposite displacement, which has the same positions
    /// in the same order, first and second exchanged; itself for zero, `None` where planes wrap.
    pub(super) fn opposite(&self, (i, j): (usize, usize)) -> Option<(usize, usize)> {
        let [y, x] = [0, 1].map(|axis: usize| {
            let at = [i, j][axis];
            let all = &self.displacements[axis];
            (!self.axes[axis].wraps).then(|| all.binary_search(&-all[at]).ok())
        });
        Some((y??, x??))
    }

    /// Returns the index of the position that [`Layout::find`] gave along each axis.
    #[inline(always)]
    pub(super) fn at(&self, (i, y): (usize, usize), (j, x): (usize, usize)) -> usize {
        let number = i * self.displacements[1].len() + j;
        self.starts[number] + y * self.widths[j] + x
    }

    /// Calls `f(where, p, p')` for every pair of positions.
    pub(super) fn each(&self, mut f: impl FnMut(usize, [usize; 2], [usize; 2])) {
        let [y, x] = self.axes;
        let mut at = 0;
        for &dy in &self.displacements[0] {
            for &dx in &self.displacements[1] {
                for row in y.range(dy) {
                    for column in x.range(dx) {
                        f(at, [row, column], [y.other(row, dy), x.other(column, dx)]);
                        at += 1;
                    }
                }
            }
        }
    }

    /// Returns the displacements along `axis` as they are where nothing wraps.
    fn plain(&self, axis: usize) -> Vec<isize> {
        let Axis { size, wraps } = self.axes[axis];
        let size = size.cast_signed();
        let mut all = self.displacements[axis].clone();
        if wraps {
            all.extend(
                self.displacements[axis]
                    .iter()
                    .filter(|&&d| d > 0)
                    .map(|d| d - size),
            );
        }
        all
    }

    /// Returns the number of the displacement along `axis` of the pair of positions `p` and `q`,
    /// and that of the position in its plane; `None` where the plane is not wanted.
    pub(super) fn find(&self, axis: usize, p: usize, q: usize) -> Option<(usize, usize)> {
        let along = self.axes[axis];
        let d = along.plane_of(q.cast_signed() - p.cast_signed());
        let number = self.displacements[axis].binary_search(&d).ok()?;
        Some((number, p - along.range(d).start))
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
    pub(super) rows: Option<Vec<Taps>>,
    pub(super) affine: Affine,
    pub(super) site: Option<Site>,
    pub(super) columns: Option<Vec<Taps>>,
    /// The axis and displacements after the sum over rows.
    pub(super) y: (Axis, Vec<isize>),
    /// The axis and displacements before the sum over columns.
    pub(super) x: (Axis, Vec<isize>),
}

/// A `Sink` says where the planes of a stage go.
pub(super) enum Sink {
    /// Each position is added to those that the maps name.
    Scatter([Vec<Targets>; 2]),
    /// The same, with a weight for each.
    Weighted([Vec<WeightedTargets>; 2]),
    /// All positions of all planes are added up and scaled.
    Sum { scale: f64 },
}

/// For each position of a plane along one axis, the displacements' numbers and positions in
/// them that it counts for.
pub(super) type Targets = Vec<Vec<(usize, usize)>>;

/// [`Targets`], each with its weight.
pub(super) type WeightedTargets = Vec<Vec<((usize, usize), f64)>>;

/// A `Then` is done once all planes are there.
pub(super) enum Then {
    Nothing,
    /// Entries are multiplied by weights of output positions along each axis, for both positions of
    /// a pair.
    Weigh([Vec<f64>; 2]),
    Affine(Affine),
    Attention(Logits, usize),
    Branch {
        paths: Vec<Plan>,
        merge: Merge,
    },
}

impl Then {
    fn has_sites(&self) -> bool {
        match self {
            Self::Nothing | Self::Weigh(_) | Self::Affine(_) => false,
            Self::Attention(..) => true,
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
            out = stage.source.clone();
            stages.push(stage);
        }
        stages.reverse();
        Self { stages }
    }

    /// The planes that go into it.
    pub(super) fn source(&self) -> &Layout {
        &self.stages[0].source
    }

    /// Bounds the covariances that are held at a time: what goes into a stage, what its sink fills,
    /// what comes out and, where paths or attention follow, their copies of it. Those of the samples
    /// go into the first stage plane by plane, unless they are `given`.
    pub(super) fn most_held(&self, given: bool) -> usize {
        let of_stage = |(place, stage): (usize, &Stage)| {
            let [source, kept, out] = [&stage.source, &stage.kept, &stage.out].map(Layout::len);
            let source = if place > 0 || given { source } else { 0 };
            let more = match &stage.then {
                Then::Nothing | Then::Weigh(_) | Then::Affine(_) => 0,
                Then::Attention(..) => kept.saturating_mul(3),
                Then::Branch { paths, .. } => {
                    let most = paths
                        .iter()
                        .map(|path| path.most_held(true))
                        .max()
                        .unwrap_or(0);
                    most.saturating_add(out.saturating_mul(paths.len()))
                }
            };
            [kept, out, more]
                .into_iter()
                .fold(source, usize::saturating_add)
        };
        self.stages
            .iter()
            .enumerate()
            .map(of_stage)
            .max()
            .unwrap_or(0)
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
            Step::Mix(Mix::Map(_) | Mix::Flatten | Mix::Attention(..)) => Self::Mixing,
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
            Step::Mix(Mix::Taps(windows, _)) => windows.strides(),
            Step::Branch { paths, .. } => strides(&paths[0]),
            Step::Affine(_) | Step::Site(_) | Step::Dropout { .. } | Step::Mix(_) => [1, 1],
        };
        [y * sy, x * sx]
    })
}

/// Computes the size after `steps`.
fn size_after(steps: &[Step], size: [usize; 2]) -> [usize; 2] {
    steps.iter().fold(size, |size, step| match step {
        Step::Mix(mix) => mix.outputs().unwrap_or(size),
        Step::Branch { paths, .. } => size_after(&paths[0], size),
        Step::Affine(_) | Step::Site(_) | Step::Dropout { .. } => size,
    })
}

/// A `Draft` is a stage before it is known which displacements are wanted.
struct Draft<'a> {
    size: [usize; 2],
    wraps: bool,
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
            Step::Affine(_) | Step::Site(_) | Step::Dropout { .. } => None,
        }
    }
}

fn drafts(steps: &[Step], mut size: [usize; 2]) -> Vec<Draft<'_>> {
    let mut drafts = Vec::new();
    let mut rest = steps;
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
        drafts.push(Draft {
            size,
            wraps: need == Need::Wrapping(true),
            chain,
            end,
        });
        let ended = usize::from(end.is_some());
        size = size_after(&after[..ended], size_after(chain, size));
        rest = &after[ended..];
        if rest.is_empty() {
            return drafts;
        }
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
        // These are the planes wanted at the end of the chain, before its axes wrap them.
        let wanted = match self.end {
            None => [0, 1].map(|axis| out.plain(axis)),
            Some(End::Mix(Mix::Map(map))) => {
                then = weigh(map);
                match whole_sum(map) {
                    Some(_) => every(),
                    None => [0, 1].map(|axis| map.axes()[axis].displacements(&out.plain(axis))),
                }
            }
            Some(End::Mix(Mix::Taps(_, affine))) => {
                then = Then::Affine(*affine);
                every()
            }
            Some(End::Mix(Mix::Flatten)) => [vec![0], vec![0]],
            Some(End::Mix(Mix::Attention(logits, site))) => {
                let plain = size.map(|size| Axis { size, wraps: false }.all());
                kept = Layout::new(size, false, plain);
                then = Then::Attention(*logits, *site);
                every()
            }
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
        let targets = |pairs: &dyn Fn(usize, usize, usize) -> Vec<(usize, usize, f64)>| {
            Sink::of([0, 1].map(|axis: usize| {
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
            Some(End::Mix(Mix::Flatten)) => Sink::Sum {
                scale: positions.recip(),
            },
            Some(End::Mix(Mix::Map(map))) => match whole_sum(map) {
                Some(scale) => {
                    then = Then::Nothing;
                    Sink::Sum { scale }
                }
                None => {
                    let covering = map.axes().each_ref().map(AxisMap::covering);
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
            None | Some(End::Mix(Mix::Attention(..)) | End::Branch(..)) => {
                targets(&|_, p, q| vec![(p, q, 1.0)])
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
        Stage {
            chain: level.ops(self.chain),
            source,
            sink,
            kept,
            then,
            out,
        }
    }
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
    /// row: 1 where all of a row have one weight, by which [`weigh`] then multiplies.
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

impl Sink {
    fn of(targets: [Vec<WeightedTargets>; 2]) -> Self {
        let mut all = targets.iter().flatten().flatten().flatten();
        if all.any(|&(_, weight)| weight != 1.0) {
            return Self::Weighted(targets);
        }
        let places = |targets: Vec<_>| targets.into_iter().map(|(place, _)| place).collect();
        let plane = |plane: WeightedTargets| plane.into_iter().map(places).collect();
        Self::Scatter(targets.map(|axis| axis.into_iter().map(plane).collect()))
    }
}

/// Returns the weight of every pair where the map sums all positions to one, with equal weights.
fn whole_sum(map: &PositionMap) -> Option<f64> {
    let along = |axis: &AxisMap| match axis.rows() {
        [row] if row.iter().map(|&(at, _)| at).eq(0..axis.inputs()) => AxisMap::shared_weight(row),
        _ => None,
    };
    let [y, x] = map.axes().each_ref().map(along);
    Some((y? * x?).powi(2))
}

/// Lists what each output position of a plane sums, for the plane of displacement `d` of the
/// windows' outputs, and of `strides d` of their inputs.
fn taps(windows: &Windows, axis: usize, wraps: bool, d: isize) -> Taps {
    let [input, output] =
        [windows.inputs()[axis], windows.outputs()[axis]].map(|size| Axis { size, wraps });
    let from = d * windows.strides()[axis].cast_signed();
    let (range, pieces) = (input.range(from), input.pieces(from));
    let outputs = output.range(d).map(|out| {
        let same_piece = |&p: &usize| {
            windows.circular()
                || pieces
                    .iter()
                    // With strides 1 outputs sit where inputs do; otherwise there is one piece.
                    .any(|piece| piece.contains(&p) && (!wraps || piece.contains(&out)))
        };
        let taps = windows.taps(axis, out).iter();
        let found = taps.map(|&(_, at)| at).filter(same_piece);
        found.map(|p| p - range.start).collect()
    });
    Taps::new(outputs, range.len(), windows.window()[axis] == 3)
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
    fn step(&mut self, windows: &Windows, axis: usize) -> Option<Vec<Taps>> {
        let stride = windows.strides()[axis].cast_signed();
        if windows.window()[axis] == 1 && stride == 1 {
            return None;
        }
        self.axes[axis].size = windows.outputs()[axis];
        let wraps = self.axes[axis].wraps;
        self.displacements[axis]
            .iter_mut()
            .for_each(|d| *d /= stride);
        let taps = |&d: &isize| taps(windows, axis, wraps, d);
        Some(self.displacements[axis].iter().map(taps).collect())
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
                Step::Mix(Mix::Map(_) | Mix::Flatten | Mix::Attention(..)) => {
                    unreachable!("ends a stage")
                }
            }
        }
        ops
    }
}

/// Collects the weights that all inputs of an output share.
fn weigh(map: &PositionMap) -> Then {
    let along = |axis: &AxisMap| {
        let rows = axis.rows().iter();
        let weights = rows.map(|row| AxisMap::shared_weight(row).unwrap_or(1.0));
        weights.collect::<Vec<_>>()
    };
    let weights = map.axes().each_ref().map(along);
    match weights.iter().flatten().all(|&weight| weight == 1.0) {
        true => Then::Nothing,
        false => Then::Weigh(weights),
    }
}
