//! Holds covariances on their way through a plan.

use super::layout::Layout;
use crate::pack::Pack;
use crate::pairs::plane::PlaneRef;
use ntk_linalg::Real;

/// A `Tensor` holds the covariances of all planes of a layout; no NTK means that it is not wanted.
#[derive(Debug, Clone)]
pub(super) struct Tensor<T> {
    pub(super) nngp: Vec<Pack<T>>,
    pub(super) ntk: Option<Vec<Pack<T>>>,
}

impl<T: Real> Tensor<T> {
    pub(super) fn zeros(layout: &Layout, ntk: bool) -> Self {
        let zeros = || vec![Pack::zero(); layout.len()];
        Self {
            nngp: zeros(),
            ntk: ntk.then(zeros),
        }
    }

    /// Adds another tensor of the same layout.
    pub(super) fn add(&mut self, other: &Self) {
        let both = |to: &mut [Pack<T>], from: &[Pack<T>]| {
            for (to, &from) in to.iter_mut().zip(from) {
                *to = *to + from;
            }
        };
        both(&mut self.nngp, &other.nngp);
        if let (Some(to), Some(from)) = (&mut self.ntk, &other.ntk) {
            both(to, from);
        }
    }

    pub(super) fn plane(&self, range: std::ops::Range<usize>) -> PlaneRef<'_, T> {
        PlaneRef {
            nngp: &self.nngp[range.clone()],
            ntk: self.ntk.as_deref().map(|ntk| &ntk[range]),
        }
    }

    /// Arranges the covariances in the planes of another layout, which must all be there.
    pub(super) fn arranged(&self, from: &Layout, to: &Layout) -> Self {
        let mut out = Self::zeros(to, self.ntk.is_some());
        for (i, &dy) in to.displacements[0].iter().enumerate() {
            for (j, &dx) in to.displacements[1].iter().enumerate() {
                let mut at = to.plane(i, j).start;
                for y in to.axes[0].range(dy) {
                    let row = from.find(0, y, to.axes[0].other(y, dy));
                    for x in to.axes[1].range(dx) {
                        let column = from.find(1, x, to.axes[1].other(x, dx));
                        if let (Some(row), Some(column)) = (row, column) {
                            let source = from.at(row, column);
                            out.nngp[at] = self.nngp[source];
                            if let (Some(out), Some(ntk)) = (&mut out.ntk, &self.ntk) {
                                out[at] = ntk[source];
                            }
                        }
                        at += 1;
                    }
                }
            }
        }
        out
    }
}
