//! Makes the planes after windows with more outputs than inputs, as they are asked for: the planes of
//! the inputs, which take far less memory, are all there.

use super::layout::Layout;
use super::tensor::Tensor;
use crate::affine::Affine;
use crate::network::Windows;
use crate::pack::{Pack, by_lanes, wide};
use crate::pairs::plane::Plane;
use crate::sums::{RUN, Sum};
use ntk_linalg::Real;

/// A `Gather` says what pairs of outputs sum.
pub(super) struct Gather {
    /// The planes of the inputs, which do not wrap.
    pub(super) from: Layout,
    affine: Affine,
    /// Along each axis what is summed, for each displacement of the outputs.
    axes: [Vec<Places>; 2],
}

/// Lists for each output position of a plane along one axis the displacements' numbers and the
/// positions in them that it sums. Where none sums anything, nothing is listed.
#[derive(Default)]
struct Places {
    ends: Vec<usize>,
    places: Vec<(usize, usize)>,
}

impl Places {
    #[inline(always)]
    fn each(&self) -> impl Iterator<Item = &[(usize, usize)]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let places = &self.places[start..end];
            start = end;
            places
        })
    }
}

impl Gather {
    /// Says whether outputs of windows outnumber their inputs.
    pub(super) fn is_for(windows: &Windows) -> bool {
        let [inputs, outputs] = [windows.inputs(), windows.outputs()]
            .map(|sizes| sizes.into_iter().fold(1, usize::saturating_mul));
        outputs > inputs
    }

    /// Makes the lists for the planes of `out`.
    pub(super) fn new(windows: &Windows, affine: Affine, out: &Layout) -> Self {
        // The inputs that the same taps of two outputs read.
        let pairs = |axis: usize, p: usize, q: usize| {
            let [one, two] = [p, q].map(|at| windows.taps(axis, at));
            one.iter().filter_map(move |&(tap, from)| {
                let &(_, other) = two.iter().find(|other| other.0 == tap)?;
                Some((from, other))
            })
        };
        let inputs = windows.inputs();
        let read = [0, 1].map(|axis: usize| {
            let (along, size) = (out.axes[axis], inputs[axis]);
            let mut read = vec![false; 2 * size];
            // What sites need of the samples is found in the plane of displacement zero.
            read[size] = true;
            for &d in &out.displacements[axis] {
                for p in along.range(d) {
                    for (from, other) in pairs(axis, p, along.other(p, d)) {
                        read[size + other - from] = true;
                    }
                }
            }
            let displacements = (0..2 * size).filter(|&at| read[at]);
            let displacements = displacements.map(|at| at.cast_signed() - size.cast_signed());
            displacements.collect()
        });
        let from = Layout::new([inputs[0], inputs[1]], false, read);
        let axes = [0, 1].map(|axis: usize| {
            let along = out.axes[axis];
            let places = |&d: &isize| {
                let mut all = Places::default();
                for p in along.range(d) {
                    let read = pairs(axis, p, along.other(p, d));
                    let read = read.filter_map(|(p, q)| from.find(axis, p, q));
                    all.places.extend(read);
                    all.ends.push(all.places.len());
                }
                match all.places.is_empty() {
                    true => Places::default(),
                    false => all,
                }
            };
            out.displacements[axis].iter().map(places).collect()
        });
        Self { from, affine, axes }
    }

    /// Makes the plane of displacements number `i` and `j`, of so many positions.
    pub(super) fn fill<T: Real>(
        &self,
        (i, j): (usize, usize),
        len: usize,
        tensor: &Tensor<T>,
        plane: &mut Plane<T>,
    ) {
        let affine = self.affine.pack();
        let [rows, columns] = [&self.axes[0][i], &self.axes[1][j]];
        if rows.places.is_empty() || columns.places.is_empty() {
            let zero = Pack::zero();
            let next = affine.nngp(zero);
            let after = affine.ntk(zero, next, zero);
            plane.reset(len, tensor.ntk.is_some() && after != zero);
            let (nngp, ntk) = plane.both();
            nngp.fill(next);
            ntk.fill(after);
            return;
        }
        plane.reset(len, tensor.ntk.is_some());
        let (nngp, ntk) = plane.both();
        wide(
            #[inline(always)]
            || {
                let mut at = 0;
                for row in rows.each() {
                    for column in columns.each() {
                        by_lanes();
                        let q = self.sum(&tensor.nngp, row, column);
                        nngp[at] = affine.nngp(q);
                        if let Some(from) = &tensor.ntk {
                            ntk[at] = affine.ntk(q, nngp[at], self.sum(from, row, column));
                        }
                        at += 1;
                    }
                }
            },
        );
    }

    #[inline(always)]
    fn sum<T: Real>(
        &self,
        from: &[Pack<T>],
        rows: &[(usize, usize)],
        columns: &[(usize, usize)],
    ) -> Pack<T> {
        if rows.len() * columns.len() <= RUN {
            let mut sum = Pack::zero();
            for &row in rows {
                for &column in columns {
                    by_lanes();
                    sum = sum + from[self.from.at(row, column)];
                }
            }
            return sum;
        }
        let mut sum = Sum::zero();
        for &row in rows {
            for &column in columns {
                by_lanes();
                sum.add(from[self.from.at(row, column)]);
            }
        }
        sum.total()
    }
}
