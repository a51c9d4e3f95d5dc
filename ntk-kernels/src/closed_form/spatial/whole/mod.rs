//! Takes sixteen pairs of samples through a network with the covariances of all pairs of positions.
//!
//! Every layer has a map here, whatever it does to positions. [`super::plan`] is faster for those that
//! leave planes of equal displacement apart. From the output backwards it is known whether a layer
//! needs all pairs of positions or those of equal positions alone ([`Extent`]).

mod attention;
mod field;
mod linear;
mod taps;

use super::super::KernelError;
use super::super::elementwise::onto;
use super::super::program::{Mix, Site, Step};
use super::lanes::GROUP;
use super::run::{Block, Known, Sides};
use super::sites;
use crate::network::Merge;
use crate::pack::Pack;
use crate::pairs::Maps;
use crate::pairs::plane::Line;
pub(super) use field::{Extent, Field};
use ntk_linalg::Real;

/// The layers of a program, each with the pairs of positions that are wanted after it.
pub(super) struct Plan {
    ops: Vec<Op>,
    /// The pairs that go in.
    start: Extent,
    /// The number of positions of one input.
    positions: usize,
}

enum Op {
    One(Step, Extent),
    Branch { paths: Vec<Plan>, merge: Merge },
}

impl Plan {
    /// Makes the plan for inputs of so many positions, and an output of one position.
    pub(super) fn new(steps: &[Step], positions: usize) -> Self {
        Self::to(steps, positions, Extent::Diagonal)
    }

    fn to(steps: &[Step], positions: usize, end: Extent) -> Self {
        let before = steps.iter().scan(positions, |positions, step| {
            Some(std::mem::replace(positions, after(step, *positions)))
        });
        let before: Vec<usize> = before.collect();
        let mut wanted = end;
        let mut ops = Vec::with_capacity(steps.len());
        for (step, positions) in steps.iter().zip(before).rev() {
            ops.push(match step {
                Step::Branch { paths, merge } => {
                    let path = |path: &Vec<Step>| Self::to(path, positions, wanted);
                    let (paths, merge) = (paths.iter().map(path).collect::<Vec<_>>(), *merge);
                    let starts = paths.iter().map(|path| path.start);
                    wanted = starts.max().unwrap_or(wanted);
                    Op::Branch { paths, merge }
                }
                Step::Affine(_) | Step::Site(_) | Step::Dropout { .. } | Step::Mix(_) => {
                    let op = Op::One(step.clone(), wanted);
                    wanted = needed(step, wanted);
                    op
                }
            });
        }
        ops.reverse();
        Self {
            ops,
            start: wanted,
            positions,
        }
    }

    /// Returns the most packs of one kernel that exist at once.
    pub(super) fn packs(&self) -> u64 {
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
                Op::Branch { paths, .. } => {
                    let inside = paths.iter().map(Self::packs).max();
                    positions = paths.first().map_or(positions, Self::end);
                    (held, inside.unwrap_or(0))
                }
            };
            // Before and after, and a sum along one axis between them.
            let working = held.saturating_add(next.saturating_mul(2));
            most = most.max(working.saturating_add(inside));
            held = next;
        }
        most
    }

    /// Returns the number of positions at the end.
    fn end(&self) -> usize {
        self.ops.iter().fold(self.positions, |positions, op| match op {
            Op::One(step, _) => after(step, positions),
            Op::Branch { paths, .. } => paths.first().map_or(positions, Self::end),
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
        Step::Affine(_) | Step::Site(_) | Step::Dropout { .. } => positions,
    }
}

/// Returns the pairs that a step needs for those wanted after it.
fn needed(step: &Step, wanted: Extent) -> Extent {
    match step {
        Step::Affine(_) | Step::Site(_) | Step::Dropout { .. } | Step::Branch { .. } => wanted,
        Step::Mix(mix) => match mix {
            Mix::Taps(..) => wanted,
            Mix::Local(..) => Extent::Diagonal,
            Mix::Map(map) if map.selects() => wanted,
            Mix::Map(_) | Mix::Attention(..) => Extent::All,
            Mix::Flatten(..) => wanted,
        },
    }
}

impl<T: Real> Block<'_, T> {
    /// Computes the NNGP and NTK of the block's pairs.
    pub(super) fn run_whole(&mut self, plan: &Plan) -> Result<(Pack<T>, Pack<T>), KernelError> {
        let input = self.whole_input(plan);
        let end = self.through(plan, input)?;
        let ntk = end.ntk.map_or(Pack::zero(), |ntk| ntk[0]);
        Ok((end.nngp[0], ntk))
    }

    /// Computes the covariances of the inputs, as means over channels.
    fn whole_input(&self, plan: &Plan) -> Field<T> {
        let mut field = Field::zeros(plan.start, plan.positions, self.ntk);
        for p in 0..plan.positions {
            match plan.start {
                Extent::Diagonal => field.nngp[p] = self.covariance(p, p),
                Extent::All => {
                    let row = &mut field.nngp[p * plan.positions..][..plan.positions];
                    for (q, to) in row.iter_mut().enumerate() {
                        *to = self.covariance(p, q);
                    }
                }
            }
        }
        field
    }

    fn through(&mut self, plan: &Plan, mut field: Field<T>) -> Result<Field<T>, KernelError> {
        for op in &plan.ops {
            match op {
                Op::One(step, wanted) => field = self.step(step, field, *wanted)?,
                Op::Branch { paths, merge } => {
                    let mut total: Option<Field<T>> = None;
                    for path in paths {
                        let end = self.through(path, field.to(path.start))?;
                        match &mut total {
                            None => total = Some(end),
                            Some(total) => onto(
                                *merge,
                                (&mut total.nngp, total.ntk.as_deref_mut().unwrap_or_default()),
                                (&end.nngp, end.ntk.as_deref().unwrap_or_default()),
                            ),
                        }
                    }
                    field = total.unwrap_or(field);
                }
            }
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
            Step::Site(site) => {
                self.site(site, &mut field)?;
                field
            }
            Step::Dropout { keep } => {
                if matches!(self.known, Known::Own(_)) {
                    field.dropout(*keep);
                }
                field
            }
            Step::Mix(Mix::Taps(windows, affine)) => {
                let mut out = taps::summed(windows, &field);
                out.affine(affine);
                out
            }
            Step::Mix(Mix::Local(windows, affine)) => {
                let mut out = taps::summed(windows, &field.to(Extent::Diagonal));
                out.affine(affine);
                out.to(wanted)
            }
            Step::Mix(Mix::Map(map)) => linear::map(map, &field),
            Step::Mix(Mix::Flatten(over, sizes)) => linear::flatten(*sizes, *over, &field),
            Step::Mix(Mix::Attention(logits, site)) => {
                let known = match &mut self.known {
                    Known::Own(sides) => {
                        sides.0[*site] = attention::weights(logits, &field);
                        let weights = &sides.0[*site][..];
                        [weights, weights]
                    }
                    Known::Both(one, two) => [&one.0[*site][..], &two.0[*site][..]],
                };
                attention::apply(logits, known, &field).to(wanted)
            }
            Step::Branch { .. } => unreachable!("is an op of its own"),
        })
    }

    /// Takes pairs through an activation or normalisation.
    fn site(&mut self, site: &Site, field: &mut Field<T>) -> Result<(), KernelError> {
        if let Known::Own(sides) = &mut self.known {
            sides.0[site.index] = sites::numbers(site, &field.diagonal(), self.name)?;
        }
        let [one, two] = match &self.known {
            Known::Both(one, two) => [one, two].map(|sides: &&Sides<T>| &sides.0[site.index][..]),
            Known::Own(sides) => [&sides.0[site.index][..]; 2],
        };
        let maps: &dyn Maps<T> = site.map.maps();
        let count = site.map.numbers() * GROUP;
        let positions = field.positions;
        // Maps that need nothing of the samples get zeros all the same.
        let nothing = vec![T::zero(); if count == 0 { positions } else { 0 }];
        let numbers = |all: &'_ [T]| -> Vec<T> {
            match count {
                0 => nothing.clone(),
                _ => all.to_vec(),
            }
        };
        let second = numbers(two);
        let count = count.max(1);
        match field.extent {
            Extent::Diagonal => maps.line(Line {
                first: &numbers(one),
                second: &second,
                count,
                nngp: &mut field.nngp,
                ntk: field.ntk.as_deref_mut().unwrap_or_default(),
            }),
            Extent::All => {
                let one = numbers(one);
                let mut first = vec![T::zero(); positions * count];
                let mut ntk = field.ntk.as_deref_mut();
                for (p, row) in field.nngp.chunks_exact_mut(positions).enumerate() {
                    for to in first.chunks_exact_mut(count) {
                        to.copy_from_slice(&one[p * count..][..count]);
                    }
                    let ntk = ntk.as_deref_mut();
                    maps.line(Line {
                        first: &first,
                        second: &second,
                        count,
                        nngp: row,
                        ntk: ntk.map_or(&mut [], |ntk| &mut ntk[p * positions..][..positions]),
                    });
                }
            }
        }
        Ok(())
    }
}
