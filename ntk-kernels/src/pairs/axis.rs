//! Counts displacements along one axis of positions.
//!
//! Covariances `Sigma[p, p']` with one displacement `d = p' - p` form a plane. Where windows
//! wrap around, `d` counts modulo the size, and a plane holds `d` and `d - size` side by side.

use std::ops::Range;

/// One axis, and whether its displacements count modulo its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Axis {
    pub(crate) size: usize,
    pub(crate) wraps: bool,
}

impl Axis {
    /// Returns the positions with a partner at displacement `d`; their number is the extent of the
    /// plane.
    #[inline(always)]
    pub(crate) fn range(self, d: isize) -> Range<usize> {
        if self.wraps {
            0..self.size
        } else if d < 0 {
            d.unsigned_abs().min(self.size)..self.size
        } else {
            0..self.size.saturating_sub(d.unsigned_abs())
        }
    }

    /// Returns `p + d`.
    #[inline(always)]
    pub(crate) fn other(self, p: usize, d: isize) -> usize {
        let at = p.strict_add_signed(d);
        if self.wraps { at % self.size } else { at }
    }

    /// Returns the plane that holds displacement `d`.
    pub(crate) fn plane_of(self, d: isize) -> isize {
        if self.wraps {
            d.rem_euclid(self.size.cast_signed())
        } else {
            d
        }
    }

    /// Returns the positions of the plane of `d` that are neighbours of each other together with
    /// their partners: all, or the two sides of where the partners wrap.
    #[inline(always)]
    pub(crate) fn pieces(self, d: isize) -> [Range<usize>; 2] {
        let range = self.range(d);
        let cut = if self.wraps {
            self.size - d.unsigned_abs()
        } else {
            range.end
        };
        [range.start..cut, cut..range.end]
    }

    /// Lists all displacements.
    pub(crate) fn all(self) -> Vec<isize> {
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
pub(crate) struct Taps {
    ends: Vec<usize>,
    inputs: Vec<usize>,
    /// How far outputs lag behind inputs where windows hold three in a row: 1 where the first and
    /// last window are cut off at the ends, 2 where none is; `None` for all else.
    pub(crate) sliding: Option<usize>,
}

impl Taps {
    /// Makes taps of what each output sums, out of `inputs` positions; `three` says that windows
    /// have three.
    pub(crate) fn new(
        outputs: impl Iterator<Item = Vec<usize>>,
        inputs: usize,
        three: bool,
    ) -> Self {
        let mut taps = Self {
            ends: Vec::new(),
            inputs: Vec::new(),
            sliding: None,
        };
        for output in outputs {
            taps.inputs.extend(output);
            taps.ends.push(taps.inputs.len());
        }
        let mut lags = [1, 2].into_iter().filter(|_| three);
        taps.sliding = lags.find(|&lag| taps.slides(inputs, lag));
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

    /// Returns the number of output positions.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns what output `out` sums.
    #[inline(always)]
    pub(crate) fn of(&self, out: usize) -> &[usize] {
        let start = if out == 0 { 0 } else { self.ends[out - 1] };
        &self.inputs[start..self.ends[out]]
    }
}
