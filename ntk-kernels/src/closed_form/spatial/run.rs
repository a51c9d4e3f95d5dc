//! Takes sixteen pairs through a plan.

use super::super::KernelError;
use super::super::elementwise::onto;
use super::lanes::{Beside, GROUP, own};
use super::layout::Layout;
use super::plan::{Op, PassPlan, Plan, Sink, Stage, Then, WeightedTargets};
use super::sites;
use super::spare::Spare;
use super::tensor::Tensor;
use crate::affine::Affine;
use crate::network::Merge;
use crate::pack::{Pack, wide};
use crate::pairs::plane::{Pass, Plane, PlaneRef, Scratch};
use crate::pairs::{Maps, Same};
use crate::sums::{RUN, Sum, carry, total};
use ntk_linalg::Real;

/// The number of planes that go through a layer before any goes through the next: what the layer
/// needs of the samples, too much for the first-level cache, is fetched once for all of them.
pub(super) const BATCH: usize = 4;

/// Holds what each site needs of the four samples of a group: `[position][number][sample]`.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Sides<T>(pub(in super::super) Vec<Vec<T>>);

/// Says whether it is known what the sites need of both groups.
pub(in super::super) enum Known<'a, T> {
    /// Both groups' numbers are known already.
    Both(&'a Sides<T>, &'a Sides<T>),
    /// A group is taken with itself, and its numbers are found on the way.
    Own(&'a mut Sides<T>),
}

/// Memory that is used again from one block of pairs to the next.
pub(in super::super) struct Workspace<T> {
    scratch: Scratch<T>,
    planes: Vec<Plane<T>>,
    made: usize,
    /// That of kernels of all pairs of positions.
    pub(in super::super) spare: Spare<T>,
}

impl<T: Real> Default for Workspace<T> {
    fn default() -> Self {
        Self {
            scratch: Scratch::default(),
            planes: Vec::new(),
            made: 0,
            spare: Spare::default(),
        }
    }
}

impl<T: Real> Workspace<T> {
    /// Takes a plane of unknown content.
    fn plane(&mut self) -> Plane<T> {
        self.planes.pop().unwrap_or_else(|| {
            self.made += 1;
            Plane::new(self.made)
        })
    }
}

/// A `Block` holds sixteen pairs on their way.
pub(in super::super) struct Block<'a, T: Real> {
    /// The values of the samples, `[position][channel][sample]`.
    pub(in super::super) inputs: [&'a [T]; 2],
    /// What belongs to the samples of either group beside their numbers.
    pub(in super::super) beside: [&'a Beside<T>; 2],
    pub(in super::super) channels: usize,
    pub(in super::super) known: Known<'a, T>,
    /// Whether the NTK is wanted.
    pub(in super::super) ntk: bool,
    /// Names a sample of the group in an error.
    pub(in super::super) name: &'a dyn Fn(usize) -> String,
    pub(in super::super) workspace: &'a mut Workspace<T>,
}

impl<T: Real> Block<'_, T> {
    /// Computes the NNGP and NTK of the block's pairs.
    pub(super) fn run(&mut self, plan: &Plan) -> Result<(Pack<T>, Pack<T>), KernelError> {
        let end = self.stages(plan, None)?;
        let ntk = end.ntk.map_or(Pack::zero(), |ntk| ntk[0]);
        Ok((end.nngp[0], ntk))
    }

    /// Finds what the sites need of a group, without its kernels: where the last sites are in a
    /// chain of layers, the plane of displacement zero is all that goes through it.
    pub(super) fn find_sides(&mut self, plan: &Plan) -> Result<(), KernelError> {
        let sites = |stage: &Stage| stage.has_sites() != [false; 2];
        let Some(last) = plan.stages.iter().rposition(sites) else {
            return Ok(());
        };
        let mut tensor = None;
        for stage in &plan.stages[..last] {
            tensor = Some(self.stage(stage, tensor.as_ref(), false)?);
        }
        let stage = &plan.stages[last];
        let [_, then] = stage.has_sites();
        self.stage(stage, tensor.as_ref(), !then).map(drop)
    }

    fn stages(&mut self, plan: &Plan, source: Option<Tensor<T>>) -> Result<Tensor<T>, KernelError> {
        let mut tensor = source;
        for stage in &plan.stages {
            tensor = Some(self.stage(stage, tensor.as_ref(), false)?);
        }
        Ok(tensor.expect("a plan has at least one stage"))
    }

    /// Takes planes through a stage; with `zero_only` only that of displacement zero goes through,
    /// and nothing comes out.
    fn stage(
        &mut self,
        stage: &Stage,
        source: Option<&Tensor<T>>,
        zero_only: bool,
    ) -> Result<Tensor<T>, KernelError> {
        let mut kept = Tensor::zeros(&stage.kept, self.ntk);
        // What rounding takes from the sums.
        let mut rest = stage.sink.sums().then(|| kept.clone());
        // In a group with itself, opposite displacements hold the same pairs exchanged.
        let half = matches!(self.known, Known::Own(_)) && !stage.source.axes[0].wraps;
        let order = stage.source.order(half);
        let (zero, others) = order.split_at(1);
        let others = if zero_only { &[] } else { others };
        for batch in std::iter::once(zero).chain(others.chunks(BATCH)) {
            let inputs: Vec<Plane<T>> = match (source, &stage.gather) {
                (Some(tensor), Some(gather)) => {
                    let plane = |&(i, j): &(usize, usize)| {
                        let mut plane = self.workspace.plane();
                        let len = stage.source.plane(i, j).len();
                        gather.fill((i, j), len, tensor, &mut plane);
                        plane
                    };
                    batch.iter().map(plane).collect()
                }
                (Some(_), None) => Vec::new(),
                (None, _) => batch
                    .iter()
                    .map(|&at| self.input(&stage.source, at))
                    .collect(),
            };
            let planes: Vec<PlaneRef<'_, T>> = match source {
                Some(tensor) if stage.gather.is_none() => {
                    let plane = |&(i, j): &(usize, usize)| tensor.plane(stage.source.plane(i, j));
                    batch.iter().map(plane).collect()
                }
                Some(_) | None => inputs.iter().map(Plane::view).collect(),
            };
            let ends = self.chain(&stage.chain, batch, batch == zero, &planes)?;
            let views = match &ends {
                Some(ends) => ends.iter().map(Plane::view).collect(),
                None => planes,
            };
            for (&at, view) in batch.iter().zip(views) {
                stage.sink.take(
                    &stage.kept,
                    at,
                    view,
                    |pack| pack,
                    (&mut kept, rest.as_mut()),
                );
                if half
                    && batch != zero
                    && let Some(opposite) = stage.source.opposite(at)
                {
                    stage.sink.take(
                        &stage.kept,
                        opposite,
                        view,
                        exchanged,
                        (&mut kept, rest.as_mut()),
                    );
                }
            }
            self.workspace.planes.extend(inputs);
            self.workspace.planes.extend(ends.into_iter().flatten());
        }
        if let Some(rest) = rest {
            kept.add(&rest);
        }
        match &stage.then {
            _ if zero_only => Ok(kept),
            Then::Nothing => Ok(kept),
            Then::Pool(sums, weights) => {
                let mut pooled = match sums {
                    Some(sums) => sums.apply(kept, &stage.out),
                    None => kept,
                };
                if let Some(weights) = weights {
                    weigh(&stage.out, weights, &mut pooled);
                }
                Ok(pooled)
            }
            Then::Affine(affine) => {
                through(affine, &mut kept);
                Ok(kept)
            }
            Then::Branch { paths, merge } => {
                let mut total: Option<Tensor<T>> = None;
                for path in paths {
                    let start = kept.arranged(&stage.kept, path.source());
                    let end = self.stages(path, Some(start))?;
                    match &mut total {
                        None => total = Some(end),
                        Some(total) => merge_onto(
                            *merge,
                            (&mut total.nngp, total.ntk.as_deref_mut()),
                            (&end.nngp, end.ntk.as_deref()),
                        ),
                    }
                }
                Ok(total.expect("a branch has at least one path"))
            }
        }
    }

    /// Computes the covariances of the inputs, as means over channels.
    fn input(&mut self, layout: &Layout, (i, j): (usize, usize)) -> Plane<T> {
        let mut plane = self.workspace.plane();
        let [y, x] = layout.axes;
        let (dy, dx) = (layout.displacements[0][i], layout.displacements[1][j]);
        plane.reset(layout.plane(i, j).len(), false);
        let (nngp, _) = plane.both();
        let mut at = 0;
        for row in y.range(dy) {
            for column in x.range(dx) {
                let first = row * x.size + column;
                let second = y.other(row, dy) * x.size + x.other(column, dx);
                nngp[at] = self.covariance(first, second);
                at += 1;
            }
        }
        plane
    }

    /// Computes the covariances of the inputs at a pair of positions, as means over channels.
    pub(super) fn covariance(&self, first: usize, second: usize) -> Pack<T> {
        covariance(self.inputs, self.channels, first, second)
    }

    fn pass(
        &mut self,
        plan: &PassPlan,
        (i, j): (usize, usize),
        zero: bool,
        input: PlaneRef<'_, T>,
        out: &mut Plane<T>,
    ) -> Result<(), KernelError> {
        let scratch = &mut self.workspace.scratch;
        let [rows, columns] = [(&plan.rows, i), (&plan.columns, j)]
            .map(|(tables, number)| tables.as_ref().map(|tables| tables.of(number)));
        let pass = Pass {
            rows: rows.as_deref(),
            affine: &plan.affine,
            maps: &Same,
            numbers: [&[], &[]],
            columns: columns.as_deref(),
            y: (plan.y.0, plan.y.1[i]),
            x: (plan.x.0, plan.x.1[j]),
            ntk: self.ntk,
        };
        let Some(site) = &plan.site else {
            pass.run(input, out, scratch);
            return Ok(());
        };
        let maps: &dyn Maps<T> = site.map.maps();
        let (affine, rows) = (pass.affine, pass.rows);
        let mut before = None;
        if let Known::Own(sides) = &mut self.known
            && zero
        {
            // What the map needs of the samples is found on the way.
            let mut plane = self.workspace.plane();
            let scratch = &mut self.workspace.scratch;
            let columns = None;
            Pass { columns, ..pass }.run(input, &mut plane, scratch);
            sides.0[site.index] = sites::numbers(site, plane.view().nngp, None, self.name)?;
            before = Some(plane);
        }
        let numbers = match &self.known {
            Known::Both(one, two) => [&one.0[site.index][..], &two.0[site.index][..]],
            Known::Own(sides) => [&sides.0[site.index][..]; 2],
        };
        let (input, affine, rows) = match &before {
            Some(plane) => (plane.view(), &Affine::IDENTITY, None),
            None => (input, affine, rows),
        };
        let pass = Pass {
            rows,
            affine,
            maps,
            numbers,
            ..pass
        };
        pass.run(input, out, &mut self.workspace.scratch);
        self.workspace.planes.extend(before);
        Ok(())
    }

    /// Takes planes through a chain, layer by layer; `None` where the chain is empty.
    fn chain(
        &mut self,
        ops: &[Op],
        batch: &[(usize, usize)],
        zero: bool,
        inputs: &[PlaneRef<'_, T>],
    ) -> Result<Option<Vec<Plane<T>>>, KernelError> {
        let mut current: Option<Vec<Plane<T>>> = None;
        for op in ops {
            let planes: Vec<PlaneRef<'_, T>> = match &current {
                Some(planes) => planes.iter().map(Plane::view).collect(),
                None => inputs.to_vec(),
            };
            let mut next: Vec<Plane<T>> = batch.iter().map(|_| self.workspace.plane()).collect();
            match op {
                Op::Pass(pass) => {
                    for ((&at, &plane), next) in batch.iter().zip(&planes).zip(&mut next) {
                        self.pass(pass, at, zero, plane, next)?;
                    }
                }
                Op::Dropout { keep } => {
                    for (&plane, next) in planes.iter().zip(&mut next) {
                        next.copy(plane);
                        if zero && matches!(self.known, Known::Own(_)) {
                            dropout(*keep, next);
                        }
                    }
                }
                Op::Branch { paths, merge } => {
                    for (number, path) in paths.iter().enumerate() {
                        let ends = self.chain(path, batch, zero, &planes)?;
                        for (k, next) in next.iter_mut().enumerate() {
                            let view = ends.as_ref().map_or(planes[k], |ends| ends[k].view());
                            if number == 0 {
                                next.copy(view);
                            } else {
                                merge_planes(*merge, next, view);
                            }
                        }
                        self.workspace.planes.extend(ends.into_iter().flatten());
                    }
                }
            }
            let done = current.replace(next);
            self.workspace.planes.extend(done.into_iter().flatten());
        }
        Ok(current)
    }
}

/// Computes the covariances of values, `[position][channel][sample]`, at a pair of positions, as means
/// over channels.
pub(in super::super) fn covariance<T: Real>(
    inputs: [&[T]; 2],
    channels: usize,
    first: usize,
    second: usize,
) -> Pack<T> {
    let scale = T::of(channels as f64).recip();
    let [one, two] = [(0, first), (1, second)].map(|(side, at): (usize, usize)| {
        &inputs[side][at * channels * GROUP..][..channels * GROUP]
    });
    wide(
        #[inline(always)]
        || {
            let mut sum = Sum::zero();
            let mut plain = Pack::zero();
            // Of so few runs the sum is as exact as each of them.
            let few = one.len() <= RUN * RUN * GROUP;
            for (one, two) in one.chunks(RUN * GROUP).zip(two.chunks(RUN * GROUP)) {
                let mut run = Pack::zero();
                for (one, two) in one.chunks_exact(GROUP).zip(two.chunks_exact(GROUP)) {
                    let (mut a, mut b) = (Pack::zero(), Pack::zero());
                    for lane in 0..GROUP * GROUP {
                        a.0[lane] = one[lane / GROUP];
                        b.0[lane] = two[lane % GROUP];
                    }
                    run = a.mul_add(b, run);
                }
                if few {
                    plain = plain + run;
                } else {
                    sum.add(run);
                }
            }
            (sum.total() + plain) * scale
        },
    )
}

/// Applies dropout, whose masks are independent from position to position and from sample to
/// sample.
fn dropout<T: Real>(keep: f64, plane: &mut Plane<T>) {
    let inverse = T::of(keep).recip();
    let (nngp, ntk) = plane.both();
    for pack in nngp.iter_mut().chain(ntk) {
        for sample in 0..GROUP {
            pack.0[own(sample)] *= inverse;
        }
    }
}

fn merge_planes<T: Real>(merge: Merge, total: &mut Plane<T>, path: PlaneRef<'_, T>) {
    // A path whose NTK is zero still counts in the other's product rule.
    let zeros;
    let ntk = if path.ntk.is_some() || total.view().ntk.is_some() {
        total.fill_ntk();
        zeros = vec![
            Pack::zero();
            if path.ntk.is_some() {
                0
            } else {
                path.nngp.len()
            }
        ];
        path.ntk.or(Some(&zeros))
    } else {
        None
    };
    let (total_nngp, total_ntk) = total.both();
    merge_onto(merge, (total_nngp, Some(total_ntk)), (path.nngp, ntk));
}

fn merge_onto<T: Real>(
    merge: Merge,
    (nngp, ntk): (&mut [Pack<T>], Option<&mut [Pack<T>]>),
    (k, t): (&[Pack<T>], Option<&[Pack<T>]>),
) {
    onto(
        merge,
        (nngp, ntk.unwrap_or_default()),
        (k, t.unwrap_or_default()),
    );
}

/// Exchanges first and second samples.
#[inline(always)]
pub(in super::super) fn exchanged<T: Real>(pack: Pack<T>) -> Pack<T> {
    let mut out = pack;
    for lane in 0..GROUP * GROUP {
        out.0[lane] = pack.0[lane % GROUP * GROUP + lane / GROUP];
    }
    out
}

impl Sink {
    /// Says whether any entry is a sum.
    pub(super) fn sums(&self) -> bool {
        match self {
            Self::Cells(cells) => cells.sums(),
            Self::Weighted(_) | Self::Sum { .. } => true,
        }
    }

    /// Adds a plane to what it counts for, its lanes rearranged by `lanes`; `rest` takes what rounding
    /// loses of sums.
    fn take<T: Real>(
        &self,
        kept: &Layout,
        at: (usize, usize),
        plane: PlaneRef<'_, T>,
        lanes: impl Fn(Pack<T>) -> Pack<T> + Copy,
        (out, rest): (&mut Tensor<T>, Option<&mut Tensor<T>>),
    ) {
        let (rest, rest_ntk) = match rest {
            Some(rest) => (&mut rest.nngp[..], rest.ntk.as_deref_mut()),
            None => (&mut [][..], None),
        };
        self.take_one(kept, at, plane.nngp, lanes, (&mut out.nngp, rest));
        if let (Some(from), Some(to)) = (plane.ntk, &mut out.ntk) {
            self.take_one(kept, at, from, lanes, (to, rest_ntk.unwrap_or_default()));
        }
    }

    fn take_one<T: Real>(
        &self,
        kept: &Layout,
        (i, j): (usize, usize),
        from: &[Pack<T>],
        lanes: impl Fn(Pack<T>) -> Pack<T> + Copy,
        (to, rest): (&mut [Pack<T>], &mut [Pack<T>]),
    ) {
        match self {
            Self::Cells(cells) => cells.take(kept, (i, j), from, lanes, (to, rest)),
            Self::Sum { scale } => wide(
                #[inline(always)]
                || carry(&mut to[0], &mut rest[0], lanes(total(from)) * T::of(*scale)),
            ),
            Self::Weighted([rows, columns]) => wide(
                #[inline(always)]
                || scatter(kept, (&rows[i], &columns[j]), from, lanes, (to, rest)),
            ),
        }
    }
}

#[inline(always)]
fn scatter<T: Real>(
    kept: &Layout,
    (rows, columns): (&WeightedTargets, &WeightedTargets),
    from: &[Pack<T>],
    lanes: impl Fn(Pack<T>) -> Pack<T>,
    (to, rest): (&mut [Pack<T>], &mut [Pack<T>]),
) {
    for (row, values) in rows.iter().zip(from.chunks_exact(columns.len().max(1))) {
        for &(row, by) in row {
            for (column, &value) in columns.iter().zip(values) {
                let value = lanes(value);
                for &(column, weight) in column {
                    let at = kept.at(row, column);
                    carry(&mut to[at], &mut rest[at], value * T::of(by * weight));
                }
            }
        }
    }
}

fn weigh<T: Real>(layout: &Layout, weights: &[Vec<f64>; 2], tensor: &mut Tensor<T>) {
    layout.each(|at, [y, x], [other_y, other_x]| {
        let weight = weights[0][y] * weights[0][other_y] * weights[1][x] * weights[1][other_x];
        let weight = T::of(weight);
        tensor.nngp[at] = tensor.nngp[at] * weight;
        if let Some(ntk) = &mut tensor.ntk {
            ntk[at] = ntk[at] * weight;
        }
    });
}

fn through<T: Real>(affine: &Affine, tensor: &mut Tensor<T>) {
    let affine = affine.pack();
    wide(
        #[inline(always)]
        || {
            for (at, q) in tensor.nngp.iter_mut().enumerate() {
                let next = affine.nngp(*q);
                if let Some(ntk) = &mut tensor.ntk {
                    ntk[at] = affine.ntk(*q, next, ntk[at]);
                }
                *q = next;
            }
        },
    );
}
