//! Takes covariances through fixed linear maps of positions.

use super::field::{Extent, Field};
use crate::network::{AXES, AxisMap, PositionMap, count_positions, places};
use crate::pack::{Pack, by_lanes, wide};
use crate::sums::{RUN, Sum, carry};
use ntk_linalg::Real;

/// Computes `M K M^T` of both kernels.
pub(in super::super::super) fn map<T: Real>(map: &PositionMap, field: &Field<T>) -> Field<T> {
    let axes = axes_of(map);
    let outputs = count_positions(map.outputs());
    field.mapped(field.extent, outputs, |from| {
        let mut current: Option<Vec<Pack<T>>> = None;
        match field.extent {
            // Each output reads one input at most, and is multiplied twice by its weight.
            Extent::Diagonal => {
                for &(map, before, after) in &axes {
                    let from = current.as_deref().unwrap_or(from);
                    let of = rows(map, (before, after), from, |weight| weight * weight);
                    current = Some(of);
                }
            }
            Extent::All => {
                for &(map, before, after) in axes.iter().filter(|(map, ..)| !identity(map)) {
                    let from = current.as_deref().unwrap_or(from);
                    // The number of second positions, which follow each first one.
                    let width = from.len() / (before * map.inputs() * after);
                    current = Some(rows(map, (before, after * width), from, |weight| weight));
                }
                for &(map, before, after) in axes.iter().filter(|(map, ..)| !identity(map)) {
                    let from = current.as_deref().unwrap_or(from);
                    current = Some(rows(map, (outputs * before, after), from, |weight| weight));
                }
            }
        }
        current.unwrap_or_else(|| from.to_vec())
    })
}

/// Returns the maps along each axis, with the numbers of positions before and after it.
fn axes_of(map: &PositionMap) -> Vec<(&AxisMap, usize, usize)> {
    match map.axes() {
        None => map.matrix().map(|map| (map, 1, 1)).into_iter().collect(),
        Some(axes) => {
            let mut sizes = map.inputs();
            let along = axes.iter().enumerate().map(|(axis, along)| {
                let before = sizes[..axis].iter().product();
                let after = sizes[axis + 1..].iter().product();
                sizes[axis] = along.rows().len();
                (along, before, after)
            });
            along.collect()
        }
    }
}

/// Computes `M^T K M`, which takes derivatives by what [`map`] gives to those by what it takes.
pub(in super::super::super) fn map_transposed<T: Real>(
    map: &PositionMap,
    field: &Field<T>,
) -> Field<T> {
    let axes = axes_of(map);
    let inputs = count_positions(map.inputs());
    field.mapped(field.extent, inputs, |from| {
        let mut current = from.to_vec();
        match field.extent {
            Extent::Diagonal => {
                for &(map, before, after) in axes.iter().rev() {
                    current =
                        rows_transposed(map, (before, after), &current, |weight| weight * weight);
                }
            }
            Extent::All => {
                let outputs = count_positions(map.outputs());
                for &(map, before, after) in axes.iter().rev() {
                    current =
                        rows_transposed(map, (outputs * before, after), &current, |weight| weight);
                }
                for &(map, before, after) in axes.iter().rev() {
                    let width = current.len() / (before * map.rows().len() * after);
                    current =
                        rows_transposed(map, (before, after * width), &current, |weight| weight);
                }
            }
        }
        current
    })
}

/// Computes the transpose of [`rows`].
fn rows_transposed<T: Real>(
    map: &AxisMap,
    (before, after): (usize, usize),
    from: &[Pack<T>],
    weight: impl Fn(f64) -> f64 + Copy,
) -> Vec<Pack<T>> {
    let mut all = vec![Pack::zero(); before * map.inputs() * after];
    let mut from = from.chunks_exact(after.max(1));
    for start in 0..before {
        for row in map.rows() {
            let Some(from) = from.next() else { break };
            wide(
                #[inline(always)]
                || {
                    for &(at, by) in row {
                        let by = Pack::of(weight(by));
                        let to = &mut all[(start * map.inputs() + at) * after..][..after];
                        for (to, &value) in to.iter_mut().zip(from) {
                            by_lanes();
                            *to = value.mul_add(by, *to);
                        }
                    }
                },
            );
        }
    }
    all
}

fn identity(map: &AxisMap) -> bool {
    let mut rows = map.rows().iter().enumerate();
    map.rows().len() == map.inputs() && rows.all(|(out, row)| row[..] == [(out, 1.0)])
}

/// Sums along one axis, with `before` and `after` numbers on either side of it.
fn rows<T: Real>(
    map: &AxisMap,
    (before, after): (usize, usize),
    from: &[Pack<T>],
    weight: impl Fn(f64) -> f64 + Copy,
) -> Vec<Pack<T>> {
    let mut all = vec![Pack::zero(); before * map.rows().len() * after];
    let mut lost = Vec::new();
    let mut to = all.chunks_exact_mut(after.max(1));
    for start in 0..before {
        for row in map.rows() {
            let Some(to) = to.next() else { break };
            wide(
                #[inline(always)]
                || {
                    lost.clear();
                    lost.resize(if row.len() > RUN { after } else { 0 }, Pack::zero());
                    for run in row.chunks(RUN) {
                        for (column, to) in to.iter_mut().enumerate() {
                            let mut sum = Pack::zero();
                            for &(at, by) in run {
                                by_lanes();
                                let at = (start * map.inputs() + at) * after + column;
                                sum = from[at].mul_add(Pack::of(weight(by)), sum);
                            }
                            match lost.get_mut(column) {
                                Some(lost) => carry(to, lost, sum),
                                None => *to = sum,
                            }
                        }
                    }
                    for (to, &lost) in to.iter_mut().zip(&lost) {
                        *to = *to + lost;
                    }
                },
            );
        }
    }
    all
}

/// Averages over pairs of equal positions along the marked axes.
pub(in super::super::super) fn flatten<T: Real>(
    sizes: [usize; AXES],
    over: [bool; AXES],
    field: &Field<T>,
) -> Field<T> {
    let places = places(sizes, over);
    let count = T::of((count_positions(sizes) / places.len()) as f64).recip();
    let positions = field.positions;
    let mean = |from: &[Pack<T>], one: &[usize], two: &[usize]| {
        let mut sum = Sum::zero();
        for (&p, &q) in one.iter().zip(two) {
            sum.add(
                from[match field.extent {
                    Extent::Diagonal => p,
                    Extent::All => p * positions + q,
                }],
            );
        }
        sum.total() * count
    };
    field.mapped(field.extent, places.len(), |from| match field.extent {
        Extent::Diagonal => places.iter().map(|one| mean(from, one, one)).collect(),
        Extent::All => {
            let pairs = places
                .iter()
                .flat_map(|one| places.iter().map(move |two| (one, two)));
            pairs.map(|(one, two)| mean(from, one, two)).collect()
        }
    })
}

/// Computes the transpose of [`flatten`] for so many positions.
pub(in super::super::super) fn flatten_transposed<T: Real>(
    sizes: [usize; AXES],
    over: [bool; AXES],
    field: &Field<T>,
) -> Field<T> {
    let places = places(sizes, over);
    let positions = count_positions(sizes);
    let share = T::of((positions / places.len()) as f64).recip();
    field.mapped(field.extent, positions, |from| {
        let mut all = vec![Pack::zero(); field.extent.len(positions)];
        match field.extent {
            Extent::Diagonal => {
                for (places, &value) in places.iter().zip(from) {
                    places.iter().for_each(|&p| all[p] = value * share);
                }
            }
            Extent::All => {
                for (one, row) in places.iter().zip(from.chunks_exact(places.len())) {
                    for (two, &value) in places.iter().zip(row) {
                        for (&p, &q) in one.iter().zip(two) {
                            all[p * positions + q] = value * share;
                        }
                    }
                }
            }
        }
        all
    })
}
