//! Displacements along one axis of positions.
//!
//! Covariances `Sigma[p, p']` with one displacement `d = p' - p` form a plane. Where windows
//! wrap around, `d` counts modulo the size, and a plane holds `d` and `d - size` side by side.

use crate::network::Windows;
use std::ops::Range;

/// One axis, and whether its displacements count modulo its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) size: usize,
    pub(super) wraps: bool,
}

impl Axis {
    /// The positions with a partner at displacement `d`; their number is the plane's extent.
    #[inline(always)]
    pub(super) fn range(self, d: isize) -> Range<usize> {
        if self.wraps {
            0..self.size
        } else if d < 0 {
            d.unsigned_abs().min(self.size)..self.size
        } else {
            0..self.size.saturating_sub(d.unsigned_abs())
        }
    }

    /// `p + d`.
    #[inline(always)]
    pub(super) fn other(self, p: usize, d: isize) -> usize {
        let at = p.strict_add_signed(d);
        if self.wraps { at % self.size } else { at }
    }

    /// The plane that holds displacement `d`.
    pub(super) fn plane_of(self, d: isize) -> isize {
        if self.wraps {
            d.rem_euclid(self.size.cast_signed())
        } else {
            d
        }
    }

    /// The positions of the plane of `d` that are neighbours of each other together with their
    /// partners: all, or the two sides of where the partners wrap.
    #[inline(always)]
    pub(super) fn pieces(self, d: isize) -> [Range<usize>; 2] {
        let range = self.range(d);
        let cut = if self.wraps {
            self.size - d.unsigned_abs()
        } else {
            range.end
        };
        [range.start..cut, cut..range.end]
    }

    /// All displacements.
    pub(super) fn all(self) -> Vec<isize> {
        let size = self.size.cast_signed();
        if self.wraps {
            (0..size).collect()
        } else {
            (1 - size..size).collect()
        }
    }
}

/// For each output position of a plane, which of the plane's input positions a window sums.
#[derive(Debug, Clone)]
pub(super) struct Taps {
    ends: Vec<usize>,
    inputs: Vec<usize>,
    /// Of three in a row, the first and last cut off at the ends (1) or never (2): how far
    /// outputs lag behind inputs. `None` for all else.
    pub(super) sliding: Option<usize>,
}

impl Taps {
    /// For the plane of `d` of the windows' outputs, and of `strides d` of their inputs.
    pub(super) fn new(windows: &Windows, axis: usize, wraps: bool, d: isize) -> Self {
        let [input, output] =
            [windows.inputs()[axis], windows.outputs()[axis]].map(|size| Axis { size, wraps });
        let from = d * windows.strides()[axis].cast_signed();
        let (range, pieces) = (input.range(from), input.pieces(from));
        let (mut ends, mut inputs) = (Vec::new(), Vec::new());
        for out in output.range(d) {
            let same_piece = |&p: &usize| {
                windows.circular()
                    || pieces
                        .iter()
                        // With strides 1 outputs sit where inputs do; else there is one piece.
                        .any(|piece| piece.contains(&p) && (!wraps || piece.contains(&out)))
            };
            let taps = windows.taps(axis, out).iter();
            let found = taps.map(|&(_, at)| at).filter(same_piece);
            inputs.extend(found.map(|p| p - range.start));
            ends.push(inputs.len());
        }
        let mut taps = Self {
            ends,
            inputs,
            sliding: None,
        };
        taps.sliding = [1, 2]
            .into_iter()
            .find(|&lag| windows.window()[axis] == 3 && taps.slides(range.len(), lag));
        taps
    }

    fn slides(&self, inputs: usize, lag: usize) -> bool {
        let first = |out: usize| (out + lag).saturating_sub(2);
        self.len() + 2 * (lag - 1) == inputs
            && (0..self.len()).all(|out| {
                self.of(out)
                    .iter()
                    .copied()
                    .eq(first(out)..inputs.min(out + lag + 1))
            })
    }

    /// Output positions.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// What output `out` sums.
    #[inline(always)]
    pub(super) fn of(&self, out: usize) -> &[usize] {
        let start = if out == 0 { 0 } else { self.ends[out - 1] };
        &self.inputs[start..self.ends[out]]
    }
}
