//! Says which positions are masked after each layer, and keeps zeros there.
//!
//! A layer's outputs are masked by the rules of neural_tangents. Averages over all positions divide by
//! the number of those that are not masked, everything else by what it divides by without masks.

use super::super::super::program::{Mix, Step, indices, place, places};
use super::super::lanes::{First, GROUP, Mask, Second};
use super::field::{Extent, Field};
use crate::network::{AXES, AxisMap, Masking, PositionMap, Windows};
use crate::pack::{Pack, by_lanes, wide};
use crate::pairs::Side;
use ntk_linalg::Real;

/// Stands for a position that no sample lacks.
const UNMASKED: [bool; GROUP] = [false; GROUP];

/// Returns the mask after a step that is no branch.
pub(super) fn after(step: &Step, mask: &Mask) -> Mask {
    match step {
        Step::Affine(_) | Step::Site(_) | Step::Dropout { .. } => mask.clone(),
        Step::Branch { .. } | Step::Stack { .. } => unreachable!("merges those of its paths"),
        Step::Mix(mix) => match mix {
            Mix::Attention(..) | Mix::Aggregate(..) => mask.clone(),
            Mix::Taps(windows, _) | Mix::Local(windows, _) => of_windows(windows, mask),
            Mix::Map(map) => of_map(map, mask),
            Mix::Flatten(over, sizes) => {
                let places = places(*sizes, *over);
                places
                    .iter()
                    .map(|places| all(places.iter().map(|&at| mask[at])))
                    .collect()
            }
            Mix::Recurrent(layer) => match layer.outputs(mask.len()) {
                1 if mask.len() != 1 => vec![all(mask.iter().copied())],
                _ => mask.clone(),
            },
        },
    }
}

/// Says of each sample whether all are masked.
fn all(mut masks: impl Iterator<Item = [bool; GROUP]>) -> [bool; GROUP] {
    let first = masks.next();
    let Some(first) = first else {
        return [true; GROUP];
    };
    masks.fold(first, |all, mask| {
        std::array::from_fn(|i| all[i] && mask[i])
    })
}

fn any(masks: impl Iterator<Item = [bool; GROUP]>) -> [bool; GROUP] {
    masks.fold([false; GROUP], |any, mask| {
        std::array::from_fn(|i| any[i] || mask[i])
    })
}

/// Merges the masks of paths: masked where all are.
pub(super) fn merged(one: &Mask, two: &Mask) -> Mask {
    let pairs = one.iter().zip(two);
    pairs
        .map(|(one, two)| all([*one, *two].into_iter()))
        .collect()
}

/// Lists the positions at these indices along each axis.
fn crossed(sizes: [usize; AXES], along: [Vec<usize>; AXES]) -> impl Iterator<Item = usize> {
    let counts = along.each_ref().map(Vec::len);
    indices(counts).map(move |at| {
        let at = [0, 1, 2].map(|axis: usize| along[axis][at[axis]]);
        place(sizes, at)
    })
}

/// Lists the positions that an output of a map along each axis reads with weights other than zero.
fn read(
    axes: &[AxisMap; AXES],
    sizes: [usize; AXES],
    out: [usize; AXES],
) -> impl Iterator<Item = usize> {
    let along = [0, 1, 2].map(|axis: usize| used(&axes[axis].rows()[out[axis]]));
    crossed(sizes, along)
}

/// Lists the inputs of a row that have weights other than zero.
fn used(row: &[(usize, f64)]) -> Vec<usize> {
    let used = row.iter().filter(|&&(_, weight)| weight != 0.0);
    used.map(|&(at, _)| at).collect()
}

fn of_windows(windows: &Windows, mask: &Mask) -> Mask {
    let sizes = windows.inputs();
    if !windows.masks_by_any() {
        return of_middles(&windows.middles(), sizes, mask);
    }
    let of = |out: [usize; AXES]| {
        let along = [0, 1, 2].map(|axis: usize| {
            let taps = windows.taps(axis, out[axis]).iter();
            taps.map(|&(_, at)| at).collect()
        });
        any(crossed(sizes, along).map(|at| mask[at]))
    };
    indices(windows.outputs()).map(of).collect()
}

fn of_middles(middles: &[Vec<Option<usize>>; AXES], sizes: [usize; AXES], mask: &Mask) -> Mask {
    let outputs = middles.each_ref().map(Vec::len);
    let of = |out: [usize; AXES]| {
        let at = [0, 1, 2].map(|axis: usize| middles[axis][out[axis]]);
        match at {
            [Some(z), Some(y), Some(x)] => mask[place(sizes, [z, y, x])],
            _ => [false; GROUP],
        }
    };
    indices(outputs).map(of).collect()
}

fn of_map(map: &PositionMap, mask: &Mask) -> Mask {
    if let Masking::Middle(middles) = map.masking() {
        return of_middles(middles, map.inputs(), mask);
    }
    let Some(axes) = map.axes() else {
        let rows = map.matrix().map_or(&[][..], AxisMap::rows).iter();
        let of = |row: &Vec<(usize, f64)>| all(used(row).into_iter().map(|at| mask[at]));
        return rows.map(of).collect();
    };
    let of = |out| all(read(axes, map.inputs(), out).map(|at| mask[at]));
    indices(map.outputs()).map(of).collect()
}

/// Returns for each output of a mean over positions, and each sample, how many inputs it reads over how
/// many of them are not masked.
pub(super) fn means<T: Real>(map: &PositionMap, mask: &Mask) -> Option<Vec<T>> {
    let (Masking::Mean, Some(axes)) = (map.masking(), map.axes()) else {
        return None;
    };
    let of = |out| {
        let mut count = 0_usize;
        let mut unmasked = [0_usize; GROUP];
        for at in read(axes, map.inputs(), out) {
            count += 1;
            for (unmasked, masked) in unmasked.iter_mut().zip(mask[at]) {
                *unmasked += usize::from(!masked);
            }
        }
        unmasked.map(|unmasked| T::of(count as f64 / unmasked.max(1) as f64))
    };
    Some(indices(map.outputs()).flat_map(of).collect())
}

/// Multiplies each pair of positions by a number of either, `[position][sample]`.
pub(super) fn multiply<T: Real>(field: &mut Field<T>, [one, two]: [&[T]; 2]) {
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
pub(super) fn apply<T: Real>(field: &mut Field<T>) {
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
