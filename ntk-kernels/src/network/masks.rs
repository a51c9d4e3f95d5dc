//! Says which positions are masked after each layer, by the rules of neural_tangents.
//!
//! A mask holds for each position whether it is masked, in each of `N` samples.

use super::action::{Action, States};
use super::graph::{Graph, Node};
use super::positions::{AxisMap, Masking, PositionMap, Windows, axes_of};
use super::shape::{
    AXES, Shape, count_positions, indices, padded, place, places, saturating_product,
};
use crate::StructureError;
use ndarray::{Array2, ArrayRef2, Axis};

/// Says of each sample whether all are masked.
fn all<const N: usize>(masks: impl Iterator<Item = [bool; N]>) -> [bool; N] {
    masks.fold([true; N], |all, mask| {
        std::array::from_fn(|i| all[i] && mask[i])
    })
}

fn any<const N: usize>(masks: impl Iterator<Item = [bool; N]>) -> [bool; N] {
    masks.fold([false; N], |any, mask| {
        std::array::from_fn(|i| any[i] || mask[i])
    })
}

/// Merges the masks of paths: masked where all are.
pub(crate) fn merged<const N: usize>(one: &[[bool; N]], two: &[[bool; N]]) -> Vec<[bool; N]> {
    let pairs = one.iter().zip(two);
    pairs
        .map(|(one, two)| all([*one, *two].into_iter()))
        .collect()
}

/// Masks outputs that read groups of positions: where all of them are.
pub(crate) fn of_groups<const N: usize>(
    groups: &[Vec<usize>],
    mask: &[[bool; N]],
) -> Vec<[bool; N]> {
    let of = |group: &Vec<usize>| all(group.iter().map(|&at| mask[at]));
    groups.iter().map(of).collect()
}

/// Masks the states of a recurrent layer.
pub(crate) fn of_states<const N: usize>(states: States, mask: &[[bool; N]]) -> Vec<[bool; N]> {
    match states {
        States::All => mask.to_vec(),
        States::Last => vec![all(mask.iter().copied())],
    }
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

/// Masks the outputs of windows: where the input of the middle tap is, or any where they say so.
pub(crate) fn of_windows<const N: usize>(windows: &Windows, mask: &[[bool; N]]) -> Vec<[bool; N]> {
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

fn of_middles<const N: usize>(
    middles: &[Vec<Option<usize>>; AXES],
    sizes: [usize; AXES],
    mask: &[[bool; N]],
) -> Vec<[bool; N]> {
    let outputs = middles.each_ref().map(Vec::len);
    let of = |out: [usize; AXES]| {
        let at = [0, 1, 2].map(|axis: usize| middles[axis][out[axis]]);
        match at {
            [Some(z), Some(y), Some(x)] => mask[place(sizes, [z, y, x])],
            _ => [false; N],
        }
    };
    indices(outputs).map(of).collect()
}

/// Masks the outputs of a map of positions.
pub(crate) fn of_map<const N: usize>(map: &PositionMap, mask: &[[bool; N]]) -> Vec<[bool; N]> {
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

/// Returns for each output of a mean over positions how many inputs it reads, and how many of them are
/// not masked in each sample.
pub(crate) fn unmasked<const N: usize>(
    map: &PositionMap,
    mask: &[[bool; N]],
) -> Option<Vec<(usize, [usize; N])>> {
    let (Masking::Mean, Some(axes)) = (map.masking(), map.axes()) else {
        return None;
    };
    let of = |out| {
        let mut count = 0_usize;
        let mut unmasked = [0_usize; N];
        for at in read(axes, map.inputs(), out) {
            count += 1;
            for (unmasked, masked) in unmasked.iter_mut().zip(mask[at]) {
                *unmasked += usize::from(!masked);
            }
        }
        (count, unmasked)
    };
    Some(indices(map.outputs()).map(of).collect())
}

impl PositionMap {
    /// Returns, where the map is a mean over positions that leaves out masked ones, for each output how
    /// many inputs it reads over how many of them are not masked, at least 1; `None` for another map, and for
    /// a mask of other positions.
    #[must_use]
    pub fn masked_means(&self, mask: &[bool]) -> Option<Vec<f64>> {
        if mask.len() != count_positions(self.inputs()) {
            return None;
        }
        let mask: Vec<[bool; 1]> = mask.iter().map(|&masked| [masked]).collect();
        let counts = unmasked(self, &mask)?.into_iter();
        Some(
            counts
                .map(|(count, [left])| count as f64 / left.max(1) as f64)
                .collect(),
        )
    }
}

/// A shape, and the mask of a sample of it.
type End<'a> = (&'a Shape, &'a [[bool; 1]]);

/// Returns the mask after a layer from those at the ends that it reads.
fn after(node: &Node, ends: &[End<'_>]) -> Vec<[bool; 1]> {
    let mask = ends[0].1;
    match &node.action {
        Action::Nothing
        | Action::Activation(_)
        | Action::Normalize { .. }
        | Action::BatchNorm { .. }
        | Action::Dropout { .. }
        | Action::Attention(_)
        | Action::Aggregate { .. }
        | Action::Embedding { .. } => mask.to_vec(),
        Action::Weights(weights) => match &weights.windows {
            None => mask.to_vec(),
            Some(windows) => of_windows(windows, mask),
        },
        Action::Positions(map) => of_map(map, mask),
        Action::Flatten { over } => of_groups(&places(axes_of(&node.before), padded(over)), mask),
        Action::Recurrent(recurrence) => of_states(recurrence.states, mask),
        Action::Concat { axis: Some(axis) } => side_by_side(*axis, ends),
        Action::Merge(_) | Action::Concat { axis: None } => {
            let others = ends[1..].iter();
            others.fold(mask.to_vec(), |one, (_, two)| merged(&one, two))
        }
    }
}

/// Puts masks side by side along an axis of positions.
fn side_by_side(axis: usize, ends: &[End<'_>]) -> Vec<[bool; 1]> {
    let outer: usize = ends[0].0.positions()[..axis].iter().product();
    let blocks = (0..outer).flat_map(|at| {
        ends.iter().flat_map(move |(shape, mask)| {
            let len: usize = shape.positions()[axis..].iter().product();
            &mask[at * len..(at + 1) * len]
        })
    });
    blocks.copied().collect()
}

impl Graph {
    /// Returns which positions are masked after each node, (n, positions) with the last axis fastest,
    /// from those of the inputs.
    ///
    /// # Errors
    /// Returns [`StructureError::Mask`] for a mask of other positions than the inputs have.
    pub fn masks(&self, input: &ArrayRef2<bool>) -> Result<Vec<Array2<bool>>, StructureError> {
        let n = input.len_of(Axis(0));
        let positions = saturating_product(self.input.positions().iter().copied());
        if input.ncols() != positions {
            return Err(StructureError::Mask {
                input: "x",
                found: input.shape().to_vec(),
                expected: vec![n, positions],
            });
        }
        let sizes = self
            .nodes
            .iter()
            .map(|node| node.after.positions().iter().product());
        let mut all: Vec<Array2<bool>> = sizes
            .map(|positions: usize| Array2::default((n, positions)))
            .collect();
        for (sample, mask) in input.rows().into_iter().enumerate() {
            let input: Vec<[bool; 1]> = mask.iter().map(|&masked| [masked]).collect();
            let mut known: Vec<Vec<[bool; 1]>> = Vec::with_capacity(self.nodes.len());
            for node in &self.nodes {
                let ends = node.reads.iter();
                let ends = ends.map(|end| match *end {
                    None => (&self.input, &input[..]),
                    Some(end) => (&self.nodes[end].after, &known[end][..]),
                });
                known.push(after(node, &ends.collect::<Vec<_>>()));
            }
            for (to, mask) in all.iter_mut().zip(&known) {
                to.row_mut(sample)
                    .iter_mut()
                    .zip(mask)
                    .for_each(|(to, [masked])| *to = *masked);
            }
        }
        Ok(all)
    }
}
