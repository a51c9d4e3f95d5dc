//! Says which positions are masked after each layer, and keeps zeros there.
//!
//! A layer's outputs are masked by the rules of neural_tangents. Averages over all positions divide by
//! the number of those that are not masked, everything else by what it divides by without masks.

use super::super::super::program::{Mix, Step};
use super::super::lanes::{First, GROUP, Mask, Second};
use super::field::{Extent, Field};
use crate::network::{PositionMap, masks, places};
use crate::pack::{Pack, by_lanes, wide};
use crate::pairs::Side;
use ntk_linalg::Real;

/// Stands for a position that no sample lacks.
const UNMASKED: [bool; GROUP] = [false; GROUP];

/// Returns the mask after a step that is no branch.
pub(in super::super::super) fn after(step: &Step, mask: &Mask) -> Mask {
    match step {
        Step::Affine(_) | Step::Site(_) | Step::Dropout { .. } => mask.clone(),
        Step::Branch { .. } | Step::Stack { .. } => unreachable!("merges those of its paths"),
        Step::Mix(mix) => match mix {
            Mix::Attention(..) | Mix::Aggregate(..) => mask.clone(),
            Mix::Taps(windows, _) | Mix::Local(windows, _) => masks::of_windows(windows, mask),
            Mix::Map(map) => masks::of_map(map, mask),
            Mix::Flatten(over, sizes) => masks::of_groups(&places(*sizes, *over), mask),
            Mix::Recurrent(layer) => masks::of_states(layer.recurrence.states, mask),
        },
    }
}

/// Returns for each output of a mean over positions, and each sample, how many inputs it reads over how
/// many of them are not masked.
pub(in super::super::super) fn means<T: Real>(map: &PositionMap, mask: &Mask) -> Option<Vec<T>> {
    let counts = masks::unmasked(map, mask)?.into_iter();
    let ratio = |(count, unmasked): (usize, [usize; GROUP])| {
        unmasked.map(|unmasked| T::of(count as f64 / unmasked.max(1) as f64))
    };
    Some(counts.flat_map(ratio).collect())
}

/// Multiplies each pair of positions by a number of either, `[position][sample]`.
pub(in super::super::super) fn multiply<T: Real>(field: &mut Field<T>, [one, two]: [&[T]; 2]) {
    let positions = field.positions;
    let extent = field.extent;
    let both = |all: &mut [Pack<T>]| {
        wide(
            #[inline(always)]
            || match extent {
                Extent::Diagonal => {
                    let numbers = one.chunks_exact(GROUP).zip(two.chunks_exact(GROUP));
                    for (to, (one, two)) in all.iter_mut().zip(numbers) {
                        *to = *to * First(one).get(0) * Second(two).get(0);
                    }
                }
                Extent::All => {
                    let rows = all.chunks_exact_mut(positions);
                    for (row, one) in rows.zip(one.chunks_exact(GROUP)) {
                        let one = First(one).get(0);
                        for (to, two) in row.iter_mut().zip(two.chunks_exact(GROUP)) {
                            *to = *to * one * Second(two).get(0);
                        }
                    }
                }
            },
        );
    };
    both(&mut field.nngp);
    if let Some(ntk) = &mut field.ntk {
        both(ntk);
    }
}

/// Returns 0 for samples that are masked, and 1 for others.
#[inline(always)]
fn kept<T: Real>(masked: &[bool; GROUP]) -> [T; GROUP] {
    let mut kept = [T::one(); GROUP];
    for (kept, &masked) in kept.iter_mut().zip(masked) {
        if masked {
            *kept = T::zero();
        }
    }
    kept
}

/// Sets what is masked to zero.
pub(in super::super::super) fn apply<T: Real>(field: &mut Field<T>) {
    let [Some(one), Some(two)] = &field.masks else {
        return;
    };
    let positions = field.positions;
    // The second positions that any sample lacks.
    let second: Vec<(usize, [T; GROUP])> = (0..positions)
        .filter(|&q| two[q] != UNMASKED)
        .map(|q| (q, kept(&two[q])))
        .collect();
    let extent = field.extent;
    let both = |all: &mut [Pack<T>]| {
        wide(
            #[inline(always)]
            || match extent {
                Extent::Diagonal => {
                    for (to, masks) in all.iter_mut().zip(one.iter().zip(two)) {
                        if *masks.0 != UNMASKED || *masks.1 != UNMASKED {
                            let (one, two) = (kept(masks.0), kept(masks.1));
                            *to = *to * First(&one).get(0) * Second(&two).get(0);
                        }
                    }
                }
                Extent::All => {
                    for (row, one) in all.chunks_exact_mut(positions).zip(one) {
                        if one.iter().all(|&masked| masked) {
                            row.fill(Pack::zero());
                            continue;
                        }
                        if *one != UNMASKED {
                            let one = First(&kept(one)).get(0);
                            for to in &mut *row {
                                by_lanes();
                                *to = *to * one;
                            }
                        }
                        for (q, two) in &second {
                            row[*q] = row[*q] * Second(two).get(0);
                        }
                    }
                }
            },
        );
    };
    both(&mut field.nngp);
    if let Some(ntk) = &mut field.ntk {
        both(ntk);
    }
}
