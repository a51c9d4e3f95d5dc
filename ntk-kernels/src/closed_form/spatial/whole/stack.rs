//! Puts the positions of paths side by side: pairs across paths have no covariance.

use super::field::{Extent, Field};
use crate::network::{AXES, count_positions};
use crate::pack::Pack;
use ntk_linalg::Real;

/// Returns the place among all of each position of a path, that begins at `before` of `total` along the
/// axis.
fn places(axis: usize, total: usize, before: usize, sizes: [usize; AXES]) -> Vec<usize> {
    let after: usize = sizes[axis + 1..].iter().product();
    let block = sizes[axis] * after;
    let place = |at: usize| at / block * total * after + before * after + at % block;
    (0..count_positions(sizes)).map(place).collect()
}

/// Computes the transpose of [`along`], which takes derivatives by what it gives to those by what it takes:
/// each path has those of its own pairs.
pub(in super::super::super) fn apart<T: Real>(
    axis: usize,
    sizes: &[[usize; AXES]],
    field: &Field<T>,
) -> Vec<Field<T>> {
    let total: usize = sizes.iter().map(|sizes| sizes[axis]).sum();
    let mut before = 0;
    let of = |&sizes: &[usize; AXES]| {
        let places = places(axis, total, before, sizes);
        before += sizes[axis];
        field.mapped(field.extent, places.len(), |from| match field.extent {
            Extent::Diagonal => places.iter().map(|&place| from[place]).collect(),
            Extent::All => {
                let rows = places.iter().map(|&place| &from[place * field.positions..]);
                rows.flat_map(|row| places.iter().map(|&place| row[place]))
                    .collect()
            }
        })
    };
    sizes.iter().map(of).collect()
}

/// Concatenates fields along an axis of positions, whose sizes these are in each.
pub(in super::super::super) fn along<T: Real>(
    axis: usize,
    sizes: &[[usize; AXES]],
    fields: &[Field<T>],
) -> Field<T> {
    let total: usize = sizes.iter().map(|sizes| sizes[axis]).sum();
    let extent = fields
        .first()
        .map_or(Extent::Diagonal, |field| field.extent);
    let positions = fields.iter().map(|field| field.positions).sum();
    let ntk = fields.iter().all(|field| field.ntk.is_some());
    let mut out = Field::zeros(extent, positions, ntk);
    let masked = fields.iter().all(|field| field.masks[0].is_some());
    if masked {
        out.masks = [0, 1].map(|_| Some(vec![Default::default(); positions]));
    }
    let mut before = 0;
    for (field, sizes) in fields.iter().zip(sizes) {
        let places = places(axis, total, before, *sizes);
        let put = |to: &mut [Pack<T>], from: &[Pack<T>]| match extent {
            Extent::Diagonal => {
                for (&place, &value) in places.iter().zip(from) {
                    to[place] = value;
                }
            }
            Extent::All => {
                let rows = from.chunks_exact(field.positions.max(1));
                for (&place, row) in places.iter().zip(rows) {
                    let to = &mut to[place * positions..][..positions];
                    for (&place, &value) in places.iter().zip(row) {
                        to[place] = value;
                    }
                }
            }
        };
        put(&mut out.nngp, &field.nngp);
        if let (Some(to), Some(from)) = (&mut out.ntk, &field.ntk) {
            put(to, from);
        }
        for (to, from) in out.masks.iter_mut().zip(&field.masks) {
            if let (Some(to), Some(from)) = (to, from) {
                for (&place, &mask) in places.iter().zip(from) {
                    to[place] = mask;
                }
            }
        }
        before += sizes[axis];
    }
    out
}
