//! Puts the positions of paths side by side: pairs across paths have no covariance.

use super::field::{Extent, Field};
use crate::network::AXES;
use crate::pack::Pack;
use ntk_linalg::Real;

/// Concatenates fields along an axis of positions, whose sizes these are in each.
pub(super) fn along<T: Real>(
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
        let after: usize = sizes[axis + 1..].iter().product();
        let block = sizes[axis] * after;
        // The place of each position among all.
        let places: Vec<usize> = (0..field.positions)
            .map(|at| at / block * total * after + before * after + at % block)
            .collect();
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
