//! Takes sixteen pairs of samples through a network with the covariances of all pairs of positions.
//!
//! Every layer has a map here, whatever it does to positions. [`super::plan`] is faster for those that
//! leave planes of equal displacement apart. From the output backwards it is known whether a layer
//! needs all pairs of positions or those of equal positions alone ([`Extent`]).

pub(in super::super) mod aggregate;
pub(in super::super) mod attention;
pub(in super::super) mod field;
pub(in super::super) mod linear;
pub(in super::super) mod mask;
pub(in super::super) mod recurrent;
pub(in super::super) mod sandwich;
pub(in super::super) mod stack;
pub(in super::super) mod taps;

use super::super::KernelError;
use super::super::elementwise::onto;
use super::super::program::{Attention, Mix, Program, Site, Step};
use super::lanes::{First, GROUP, Second};
use super::run::{Block, Known, Sides, covariance};
use super::sites;
use crate::affine::Affine;
use crate::network::{AXES, Merge, count_positions, masks};
use crate::pack::{Pack, by_lanes, wide};
use crate::pairs::plane::Line;
use crate::pairs::square::Square;
use crate::pairs::{Maps, Side};
use crate::sums::{RUN, Sum};
use field::{Extent, Field};
use ntk_linalg::Real;

/// The layers of a program, each with the pairs of positions that are wanted after it.
pub(in super::super) struct Plan {
    pub(in super::super) ops: Vec<Op>,
    /// The pairs that go in.
    pub(in super::super) start: Extent,
    /// The number of positions of one input.
    pub(in super::super) positions: usize,
    /// Whether the inputs are token ids.
    tokens: bool,
    /// Whether attention to the inputs may take weighted sums of samples: inputs are numbers, and all
    /// positions of all samples are there.
    pub(in super::super) plain: bool,
}

pub(in super::super) enum Op {
    One(Step, Extent),
    /// Weights come before an activation or normalisation.
    Site(Affine, Site),
    Branch {
        paths: Vec<Plan>,
        merge: Merge,
    },
    /// Paths stand side by side along an axis of positions, whose sizes these are in each path.
    Stack {
        paths: Vec<Plan>,
        axis: usize,
        sizes: Vec<[usize; AXES]>,
    },
}

impl Plan {
    /// Makes the plan of a program, for an output of one position.
    pub(in super::super) fn new(program: &Program, masked: bool) -> Self {
        let positions = count_positions(program.positions);
        let plan = Self::to(&program.steps, positions, Extent::Diagonal, masked);
        Self {
            tokens: program.tokens.is_some(),
            plain: program.tokens.is_none() && !masked,
            ..plan
        }
    }

    fn to(steps: &[Step], positions: usize, end: Extent, masked: bool) -> Self {
        let before = steps.iter().scan(positions, |positions, step| {
            Some(std::mem::replace(positions, after(step, *positions)))
        });
        let before: Vec<usize> = before.collect();
        let mut wanted = end;
        let mut ops = Vec::with_capacity(steps.len());
        for (step, positions) in steps.iter().zip(before).rev() {
            let plans = |paths: &[Vec<Step>]| -> Vec<Self> {
                let path = |path: &Vec<Step>| Self::to(path, positions, wanted, masked);
                paths.iter().map(path).collect()
            };
            let op = match step {
                Step::Branch { paths, merge } => {
                    let (paths, merge) = (plans(paths), *merge);
                    Op::Branch { paths, merge }
                }
                Step::Stack { paths, axis, sizes } => Op::Stack {
                    paths: plans(paths),
                    axis: *axis,
                    sizes: sizes.clone(),
                },
                // Masked positions are zeros between the two.
                Step::Affine(affine) if !masked => match ops.pop() {
                    Some(Op::Site(Affine::IDENTITY, site)) => Op::Site(*affine, site),
                    next => {
                        ops.extend(next);
                        Op::One(step.clone(), wanted)
                    }
                },
                Step::Site(site) => Op::Site(Affine::IDENTITY, site.clone()),
                Step::Affine(_) | Step::Dropout { .. } | Step::Mix(_) => {
                    Op::One(step.clone(), wanted)
                }
            };
            wanted = match &op {
                Op::One(step, _) => needed(step, wanted, masked),
                Op::Site(..) => wanted,
                Op::Branch { paths, .. } | Op::Stack { paths, .. } => {
                    let starts = paths.iter().map(|path| path.start);
                    starts.max().unwrap_or(wanted)
                }
            };
            ops.push(op);
        }
        ops.reverse();
        Self {
            ops,
            start: wanted,
            positions,
            tokens: false,
            plain: false,
        }
    }

    /// Returns the attention and the pairs wanted after attention that is the first layer, where
    /// the weighted sums of the inputs are as good as their covariances: where they are plain numbers,
    /// with no more channels than positions, and the weights do not depend on the other sample.
    fn attends_first(&self, channels: usize) -> Option<(&Attention, Extent)> {
        let Some(Op::One(Step::Mix(Mix::Attention(attention)), wanted)) = self.ops.first() else {
            return None;
        };
        let logits = &attention.logits;
        let values = logits.embedding.as_ref().is_some_and(|e| e.values);
        let fits = self.plain && logits.linear_scaling && !values && channels <= self.positions;
        fits.then_some((&**attention, *wanted))
    }

    /// Returns the most packs of one kernel that exist at once.
    pub(in super::super) fn packs(&self) -> u64 {
        let count = |positions: usize, extent: Extent| {
            u64::try_from(extent.len(positions)).unwrap_or(u64::MAX)
        };
        let mut positions = self.positions;
        let mut held = count(positions, self.start);
        let mut most = held;
        for op in &self.ops {
            let (next, inside) = match op {
                Op::One(step, extent) => {
                    positions = after(step, positions);
                    (count(positions, *extent), 0)
                }
                Op::Site(..) => (held, 0),
                Op::Branch { paths, .. } => {
                    let inside = paths.iter().map(Self::packs).max();
                    positions = paths.first().map_or(positions, Self::end);
                    (held, inside.unwrap_or(0))
                }
                Op::Stack { paths, .. } => {
                    let inside = paths.iter().map(Self::packs).fold(0, u64::saturating_add);
                    positions = paths.iter().map(Self::end).fold(0, usize::saturating_add);
                    (count(positions, Extent::All), inside)
                }
            };
            // Before and after, and a sum along one axis between them.
            let working = held.saturating_add(next.saturating_mul(2));
            most = most.max(working.saturating_add(inside));
            held = next;
        }
        most
    }

    /// Returns the packs of one kernel that exist where what goes into each layer is kept.
    pub(in super::super) fn recorded(&self) -> u64 {
        let count = |positions: usize, extent: Extent| {
            u64::try_from(extent.len(positions)).unwrap_or(u64::MAX)
        };
        let (mut positions, mut extent) = (self.positions, self.start);
        let mut total = 0_u64;
        for op in &self.ops {
            let before = count(positions, extent);
            let inside = match op {
                Op::One(step, next) => {
                    positions = after(step, positions);
                    extent = *next;
                    count(positions, extent)
                }
                Op::Site(..) => before,
                Op::Branch { paths, .. } | Op::Stack { paths, .. } => {
                    positions = paths.first().map_or(positions, Self::end);
                    let inside = paths.iter().map(Self::recorded);
                    inside.fold(count(positions, extent), u64::saturating_add)
                }
            };
            total = total.saturating_add(before).saturating_add(inside);
        }
        total
    }

    /// Returns the number of positions at the end.
    fn end(&self) -> usize {
        self.ops
            .iter()
            .fold(self.positions, |positions, op| match op {
                Op::One(step, _) => after(step, positions),
                Op::Site(..) => positions,
                Op::Branch { paths, .. } => paths.first().map_or(positions, Self::end),
                Op::Stack { paths, .. } => {
                    paths.iter().map(Self::end).fold(0, usize::saturating_add)
                }
            })
    }
}

/// Returns the number of positions after a step.
fn after(step: &Step, positions: usize) -> usize {
    match step {
        Step::Mix(mix) => mix.outputs(positions),
        Step::Branch { paths, .. } => {
            let path = paths.first().into_iter().flatten();
            path.fold(positions, |positions, step| after(step, positions))
        }
        Step::Stack { paths, .. } => {
            let end = |path: &Vec<Step>| path.iter().fold(positions, |at, step| after(step, at));
            paths.iter().map(end).fold(0, usize::saturating_add)
        }
        Step::Affine(_) | Step::Site(_) | Step::Dropout { .. } => positions,
    }
}

/// Returns the pairs that a step needs for those wanted after it.
fn needed(step: &Step, wanted: Extent, masked: bool) -> Extent {
    match step {
        Step::Affine(_)
        | Step::Site(_)
        | Step::Dropout { .. }
        | Step::Branch { .. }
        | Step::Stack { .. } => wanted,
        Step::Mix(mix) => match mix {
            Mix::Taps(..) | Mix::Flatten(..) => wanted,
            Mix::Local(..) => Extent::Diagonal,
            Mix::Map(map) if map.selects() => wanted,
            Mix::Map(_) | Mix::Attention(..) | Mix::Aggregate(..) => Extent::All,
            Mix::Recurrent(layer) => layer.needed(wanted, masked),
        },
    }
}

impl<T: Real> Block<'_, T> {
    /// Computes the NNGP and NTK of the block's pairs.
    pub(super) fn run_whole(&mut self, plan: &Plan) -> Result<(Pack<T>, Pack<T>), KernelError> {
        let end = match plan.attends_first(self.channels) {
            Some((attention, wanted)) => {
                let field = self.attended(plan, attention, wanted);
                self.through(&plan.ops[1..], field)?
            }
            None => {
                let input = self.whole_input(plan, plan.start);
                self.through(&plan.ops, input)?
            }
        };
        let ntk = end.ntk.map_or(Pack::zero(), |ntk| ntk[0]);
        Ok((end.nngp[0], ntk))
    }

    /// Computes the covariances after attention to the inputs themselves: those of their weighted sums,
    /// which are made once for each sample, and not for each pair.
    fn attended(&mut self, plan: &Plan, attention: &Attention, wanted: Extent) -> Field<T> {
        let Attention { logits, site, .. } = attention;
        let site = *site;
        if let Known::Own(_) = self.known {
            let field = self.whole_input(plan, Extent::All);
            let weights = attention::weights(logits, &field);
            field.keep_in(&mut self.workspace.spare);
            let sums = attention::sums(&weights, self.inputs[0], plan.positions, self.channels);
            if let Known::Own(sides) = &mut self.known {
                sides.0[site] = sums;
            }
        }
        let sums = match &self.known {
            Known::Own(sides) => [&sides.0[site][..]; 2],
            Known::Both(one, two) => [&one.0[site][..], &two.0[site][..]],
        };
        let spare = &mut self.workspace.spare;
        let mut field = Field::zeros_in(spare, wanted, plan.positions, self.ntk);
        covariances(sums, self.channels, &mut field);
        attention::weigh(logits, &mut field);
        field
    }

    /// Computes the covariances of the inputs: means over channels, or 1 for equal token ids.
    pub(in super::super) fn whole_input(&mut self, plan: &Plan, extent: Extent) -> Field<T> {
        let spare = &mut self.workspace.spare;
        let mut field = Field::zeros_in(spare, extent, plan.positions, self.ntk);
        match plan.tokens {
            false => covariances(self.inputs, self.channels, &mut field),
            true => {
                for at in 0..extent.len(plan.positions) {
                    let (p, q) = match extent {
                        Extent::Diagonal => (at, at),
                        Extent::All => (at / plan.positions, at % plan.positions),
                    };
                    field.nngp[at] = self.same(p, q);
                }
            }
        }
        field.masks = self.beside.map(|beside| beside.mask.clone());
        // Samples without a mask beside some with one.
        if let [Some(_), None] | [None, Some(_)] = field.masks {
            for mask in &mut field.masks {
                mask.get_or_insert_with(|| vec![[false; GROUP]; plan.positions]);
            }
        }
        mask::apply(&mut field);
        field
    }

    /// Returns 1 where two positions have the same token, and 0 elsewhere.
    fn same(&self, p: usize, q: usize) -> Pack<T> {
        let [one, two] = [(0, p), (1, q)].map(|(side, at)| &self.inputs[side][at * GROUP..]);
        let mut same = Pack::zero();
        for (lane, to) in same.0.iter_mut().enumerate() {
            if one[lane / GROUP] == two[lane % GROUP] {
                *to = T::one();
            }
        }
        same
    }

    fn through(&mut self, ops: &[Op], mut field: Field<T>) -> Result<Field<T>, KernelError> {
        for op in ops {
            match op {
                Op::One(step, wanted) => {
                    let masks = field.masks.each_ref().map(|mask| {
                        let mask = mask.as_ref();
                        mask.map(|mask| mask::after(step, mask))
                    });
                    field = self.step(step, field, *wanted)?;
                    field.masks = masks;
                }
                Op::Site(affine, site) => self.site(affine, site, &mut field)?,
                Op::Branch { paths, merge } => {
                    let mut total: Option<Field<T>> = None;
                    for path in paths {
                        let end = self.through(&path.ops, field.to(path.start))?;
                        match &mut total {
                            None => total = Some(end),
                            Some(total) => {
                                onto(
                                    *merge,
                                    (
                                        &mut total.nngp,
                                        total.ntk.as_deref_mut().unwrap_or_default(),
                                    ),
                                    (&end.nngp, end.ntk.as_deref().unwrap_or_default()),
                                );
                                for (mask, other) in total.masks.iter_mut().zip(&end.masks) {
                                    if let (Some(mask), Some(other)) = (mask, other) {
                                        *mask = masks::merged(mask, other);
                                    }
                                }
                            }
                        }
                    }
                    field = total.unwrap_or(field);
                }
                Op::Stack { paths, axis, sizes } => {
                    let ends = paths
                        .iter()
                        .map(|path| self.through(&path.ops, field.to(path.start)));
                    let ends = ends.collect::<Result<Vec<_>, _>>()?;
                    field = stack::along(*axis, sizes, &ends);
                }
            }
            mask::apply(&mut field);
        }
        Ok(field)
    }

    fn step(
        &mut self,
        step: &Step,
        mut field: Field<T>,
        wanted: Extent,
    ) -> Result<Field<T>, KernelError> {
        Ok(match step {
            Step::Affine(affine) => {
                field.affine(affine);
                field
            }
            Step::Dropout { keep } => {
                if matches!(self.known, Known::Own(_)) {
                    field.dropout(*keep);
                }
                field
            }
            Step::Mix(Mix::Taps(windows, affine)) => {
                let mut out = taps::summed(windows, field, &mut self.workspace.spare);
                out.affine(affine);
                out
            }
            Step::Mix(Mix::Local(windows, affine)) => {
                let diagonal = field.within(Extent::Diagonal);
                let mut out = taps::summed(windows, diagonal, &mut self.workspace.spare);
                out.affine(affine);
                out.within(wanted)
            }
            Step::Mix(Mix::Map(map)) => {
                let mut out = linear::map(map, &field);
                if let [Some(one), Some(two)] = &field.masks
                    && let (Some(one), Some(two)) = (mask::means(map, one), mask::means(map, two))
                {
                    mask::multiply(&mut out, [&one, &two]);
                }
                field.keep_in(&mut self.workspace.spare);
                // All pairs go in, be fewer wanted.
                out.within(wanted)
            }
            Step::Mix(Mix::Flatten(over, sizes)) => linear::flatten(*sizes, *over, &field),
            Step::Mix(Mix::Attention(attention)) => {
                let Attention { logits, site, .. } = &**attention;
                let known = match &mut self.known {
                    Known::Own(sides) => {
                        sides.0[*site] = attention::weights(logits, &field);
                        let weights = &sides.0[*site][..];
                        [weights, weights]
                    }
                    Known::Both(one, two) => [&one.0[*site][..], &two.0[*site][..]],
                };
                let spare = &mut self.workspace.spare;
                attention::apply(logits, known, field, spare).within(wanted)
            }
            Step::Mix(Mix::Aggregate(over, sizes)) => {
                let spare = &mut self.workspace.spare;
                aggregate::sum(*sizes, *over, self.beside, &mut field, spare);
                field.within(wanted)
            }
            Step::Mix(Mix::Recurrent(layer)) => {
                recurrent::through(layer, &field, &mut self.known, self.name)?
            }
            Step::Site(_) | Step::Branch { .. } | Step::Stack { .. } => {
                unreachable!("are ops of their own")
            }
        })
    }

    /// Takes pairs through weights, and an activation or normalisation.
    fn site(
        &mut self,
        affine: &Affine,
        site: &Site,
        field: &mut Field<T>,
    ) -> Result<(), KernelError> {
        if let Known::Own(sides) = &mut self.known {
            let mask = field.masks[0].as_ref();
            let weights = affine.pack();
            let mut diagonal = field.diagonal();
            for q in &mut diagonal {
                *q = weights.nngp(*q);
            }
            sides.0[site.index] = sites::numbers(site, &diagonal, mask, self.name)?;
        }
        let [one, two] = match &self.known {
            Known::Both(one, two) => [one, two].map(|sides: &&Sides<T>| &sides.0[site.index][..]),
            Known::Own(sides) => [&sides.0[site.index][..]; 2],
        };
        let maps: &dyn Maps<T> = site.map.maps();
        let count = site.map.numbers() * GROUP;
        // Maps that need nothing of the samples get zeros all the same.
        let nothing = vec![T::zero(); if count == 0 { field.positions } else { 0 }];
        let [first, second] = [one, two].map(|all| if count == 0 { &nothing[..] } else { all });
        let count = count.max(1);
        match field.extent {
            Extent::Diagonal => {
                field.affine(affine);
                maps.line(Line {
                    first,
                    second,
                    count,
                    nngp: &mut field.nngp,
                    ntk: field.ntk.as_deref_mut().unwrap_or_default(),
                });
            }
            Extent::All => maps.square(Square {
                affine: affine.pack(),
                first,
                second,
                count,
                nngp: &mut field.nngp,
                ntk: field.ntk.as_deref_mut().unwrap_or_default(),
            }),
        }
        Ok(())
    }
}

/// Computes the covariances of values, `[position][channel][sample]`, as means over channels.
fn covariances<T: Real>(inputs: [&[T]; 2], channels: usize, field: &mut Field<T>) {
    match field.extent {
        Extent::Diagonal => {
            for (p, to) in field.nngp.iter_mut().enumerate() {
                *to = covariance(inputs, channels, p, p);
            }
        }
        Extent::All => {
            let rows = field.nngp.chunks_exact_mut(field.positions.max(1));
            rows.enumerate()
                .for_each(|(p, row)| covariances_at(inputs, channels, p, row));
        }
    }
}

/// Computes the covariances of values, `[position][channel][sample]`, at position `p` of the first
/// samples with all positions of the second, as means over channels.
fn covariances_at<T: Real>([one, two]: [&[T]; 2], channels: usize, p: usize, row: &mut [Pack<T>]) {
    let scale = T::of(channels as f64).recip();
    let one = &one[p * channels * GROUP..][..channels * GROUP];
    // Of so few runs the sum is as exact as each of them.
    let few = channels <= RUN * RUN;
    wide(
        #[inline(always)]
        || {
            let mut first = Vec::with_capacity(channels);
            for one in one.chunks_exact(GROUP) {
                first.push(First(one).get(0));
            }
            let columns = two.chunks_exact((channels * GROUP).max(1));
            for (to, two) in row.iter_mut().zip(columns) {
                let (mut sum, mut plain) = (Sum::zero(), Pack::zero());
                for (one, two) in first.chunks(RUN).zip(two.chunks(RUN * GROUP)) {
                    let mut run = Pack::zero();
                    for (&one, two) in one.iter().zip(two.chunks_exact(GROUP)) {
                        by_lanes();
                        run = one.mul_add(Second(two).get(0), run);
                    }
                    match few {
                        true => plain = plain + run,
                        false => sum.add(run),
                    }
                }
                *to = (sum.total() + plain) * scale;
            }
        },
    );
}
