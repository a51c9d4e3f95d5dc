//! The two ways in which layers mix positions: random taps and fixed linear maps.
//!
//! With `K` the covariance of positions before a layer and `s_t(o)` the input that tap `t` of
//! output `o` reads, random taps give `K'[o, o'] = w_std^2 / taps sum_t K[s_t(o), s_t(o')] +
//! b_std^2` ([`Windows`]); a fixed map with matrices `M1`, `M2` for the two samples gives
//! `K' = M1 K M2^T` ([`PositionMap`]).

use super::shape::Shape;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Axes of positions that a sample has in the closed form: sequences have width 1, vectors are
/// `[1, 1]`.
pub(crate) const AXES: usize = 2;

/// Sizes of the axes of positions, ones for those that a sample lacks.
pub(crate) fn axes_of(shape: &Shape) -> [usize; AXES] {
    std::array::from_fn(|axis| shape.positions().get(axis).copied().unwrap_or(1))
}

/// What stands beyond the edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// Nothing: only whole windows count.
    #[default]
    Valid,
    /// Zeros, so that `ceil(size / stride)` positions remain; of an odd number the larger half
    /// stands after the end.
    Same,
    /// The other end, in the same amounts as [`Padding::Same`].
    Circular,
}

impl fmt::Display for Padding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Valid => "valid",
            Self::Same => "same",
            Self::Circular => "circular",
        })
    }
}

impl Padding {
    /// Positions after a window of `window` in steps of `stride` along `size` positions, and
    /// how many positions stand before the first; `None` where no window fits.
    pub(crate) fn along(self, size: usize, window: usize, stride: usize) -> Option<(usize, usize)> {
        match self {
            Self::Valid => (size >= window).then(|| ((size - window) / stride + 1, 0)),
            Self::Same | Self::Circular => {
                let outputs = size.div_ceil(stride);
                let padded = ((outputs - 1) * stride + window).saturating_sub(size);
                Some((outputs, padded / 2))
            }
        }
    }
}

/// Windows over positions: what each output position reads, by taps that all outputs share, along
/// each axis by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    axes: [AxisTaps; AXES],
}

/// The taps of [`Windows`] along one axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AxisTaps {
    inputs: usize,
    window: usize,
    /// Of each output, the taps that meet an input, each with that input.
    taps: Vec<Vec<(usize, usize)>>,
    /// Steps between the windows of neighbouring outputs, and whether the other end stands beyond
    /// the edges; `None` where windows do not move in steps.
    steps: Option<(usize, bool)>,
}

impl AxisTaps {
    /// Taps of a window of `window` over `inputs` positions, where output `o` reads input `i` by tap
    /// `t` for all `(t, i)` in `outputs[o]`; taps that are not named there meet no input.
    ///
    /// # Errors
    /// In a sentence, where a tap or an input is named that is not there, or a tap twice.
    pub fn new(
        inputs: usize,
        window: usize,
        outputs: impl IntoIterator<Item = Vec<(usize, usize)>>,
    ) -> Result<Self, String> {
        let taps: Vec<_> = outputs.into_iter().collect();
        for (out, taps) in taps.iter().enumerate() {
            let mut seen = vec![false; window];
            for &(tap, at) in taps {
                if tap >= window || at >= inputs {
                    return Err(format!(
                        "output {out} reads input {at} by tap {tap}, and there are {inputs} inputs and {window} taps; count from 0"
                    ));
                }
                if std::mem::replace(&mut seen[tap], true) {
                    return Err(format!(
                        "output {out} names tap {tap} twice; each tap reads one input"
                    ));
                }
            }
        }
        Ok(Self {
            inputs,
            window,
            taps,
            steps: None,
        })
    }

    fn regular(inputs: usize, window: usize, stride: usize, padding: Padding) -> Self {
        let (outputs, before) = padding.along(inputs, window, stride).unwrap_or((0, 0));
        let circular = padding == Padding::Circular;
        let around = inputs * before.div_ceil(inputs.max(1));
        let input = |at: usize| {
            if circular {
                Some((at + around - before) % inputs)
            } else {
                at.checked_sub(before).filter(|&at| at < inputs)
            }
        };
        let taps = (0..outputs)
            .map(|out| {
                (0..window)
                    .filter_map(|tap| Some((tap, input(out * stride + tap)?)))
                    .collect()
            })
            .collect();
        Self {
            inputs,
            window,
            taps,
            steps: Some((stride, circular)),
        }
    }
}

impl Windows {
    /// Output `o` reads the inputs `strides o - before ..+ window` along each axis, as `padding`
    /// says; all three have one entry for each axis of the input's positions, 1 and more.
    #[must_use]
    pub fn new(window: &[usize], strides: &[usize], padding: Padding, input: &Shape) -> Self {
        let one = |sizes: &[usize], axis: usize| sizes.get(axis).map_or(1, |&size| size.max(1));
        let inputs = axes_of(input);
        Self {
            axes: std::array::from_fn(|axis| {
                AxisTaps::regular(inputs[axis], one(window, axis), one(strides, axis), padding)
            }),
        }
    }

    /// The taps along each axis of positions: one for sequences, two for images.
    #[must_use]
    pub fn of(axes: impl IntoIterator<Item = AxisTaps>) -> Self {
        let mut axes = axes.into_iter();
        let rest = || AxisTaps::regular(1, 1, 1, Padding::Valid);
        Self {
            axes: std::array::from_fn(|_| axes.next().unwrap_or_else(rest)),
        }
    }

    /// Input positions along each axis.
    #[must_use]
    pub fn inputs(&self) -> [usize; AXES] {
        self.axes.each_ref().map(|along| along.inputs)
    }

    /// Output positions along each axis.
    #[must_use]
    pub fn outputs(&self) -> [usize; AXES] {
        self.axes.each_ref().map(|along| along.taps.len())
    }

    /// Taps along each axis, those included that meet no input.
    #[must_use]
    pub fn window(&self) -> [usize; AXES] {
        self.axes.each_ref().map(|along| along.window)
    }

    /// The taps of output `out` along `axis` that meet an input, each with that input.
    #[must_use]
    pub fn taps(&self, axis: usize, out: usize) -> &[(usize, usize)] {
        &self.axes[axis].taps[out]
    }

    /// Steps between the windows of neighbouring outputs, 1 where they do not move in steps.
    pub(crate) fn strides(&self) -> [usize; AXES] {
        let axes = self.axes.each_ref();
        axes.map(|along| along.steps.map_or(1, |(stride, _)| stride))
    }

    /// Whether windows move in steps along every axis, so that pairs of equal displacement stay
    /// together.
    pub(crate) fn in_steps(&self) -> bool {
        self.axes.iter().all(|along| along.steps.is_some())
    }

    /// Whether the other end stands beyond the edges, rather than nothing.
    pub(crate) fn circular(&self) -> bool {
        self.axes[0].steps.is_some_and(|(_, circular)| circular)
    }

    /// Whether positions keep their places and their number.
    pub(crate) fn keeps_size(&self) -> bool {
        self.inputs() == self.outputs() && self.strides() == [1; AXES]
    }

    /// The means over the windows, or their sums: a fixed map of positions.
    pub(crate) fn pool(&self, weight: impl Fn(&[(usize, usize)], usize) -> f64) -> PositionMap {
        PositionMap {
            axes: self.axes.each_ref().map(|along| AxisMap {
                inputs: along.inputs,
                rows: along
                    .taps
                    .iter()
                    .map(|taps| {
                        let weight = weight(taps, along.window);
                        taps.iter().map(|&(_, at)| (at, weight)).collect()
                    })
                    .collect(),
            }),
        }
    }
}

/// A fixed linear map of positions, the same for every sample and channel: along each axis by
/// itself, `y[o] = sum_i M[o, i] x[i]`.
///
/// Covariances go to `M1 K M2^T`, NTKs alike; it has no parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct PositionMap {
    axes: [AxisMap; AXES],
}

/// The matrix of a [`PositionMap`] along one axis, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct AxisMap {
    inputs: usize,
    rows: Vec<Vec<(usize, f64)>>,
}

impl AxisMap {
    /// The map from `inputs` positions whose output `o` is the sum of `weight` times input `i`
    /// over all `(i, weight)` in `rows[o]`.
    ///
    /// # Errors
    /// In a sentence, where there is no output, a row names an input that is not there, or a weight is not finite.
    pub fn new(
        inputs: usize,
        rows: impl IntoIterator<Item = Vec<(usize, f64)>>,
    ) -> Result<Self, String> {
        let rows: Vec<_> = rows.into_iter().collect();
        if rows.is_empty() {
            return Err(format!(
                "its map of {inputs} positions gives none; give it larger inputs"
            ));
        }
        for (out, row) in rows.iter().enumerate() {
            for &(at, weight) in row {
                if at >= inputs {
                    return Err(format!(
                        "output {out} of its map reads input {at}, and there are {inputs}; count from 0"
                    ));
                }
                if !weight.is_finite() {
                    return Err(format!(
                        "output {out} of its map weighs input {at} by {weight}; give a finite weight"
                    ));
                }
            }
        }
        Ok(Self { inputs, rows })
    }

    /// The map that leaves `size` positions as they are.
    #[must_use]
    pub fn identity(size: usize) -> Self {
        Self {
            inputs: size,
            rows: (0..size).map(|at| vec![(at, 1.0)]).collect(),
        }
    }

    /// Input positions.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Of each output position, the inputs that it reads and their weights.
    #[must_use]
    pub fn rows(&self) -> &[Vec<(usize, f64)>] {
        &self.rows
    }

    /// The weight that all of a row's entries share, where they do; 1 for an empty row.
    pub(crate) fn shared_weight(row: &[(usize, f64)]) -> Option<f64> {
        let first = row.first().map_or(1.0, |&(_, weight)| weight);
        row.iter()
            .all(|&(_, weight)| weight == first)
            .then_some(first)
    }

    /// Displacements of inputs that count for outputs of the displacements `out`, some perhaps
    /// more often than once.
    pub(crate) fn displacements(&self, out: &[isize]) -> Vec<isize> {
        let reach = |row: &Vec<(usize, f64)>| {
            let at = row.iter().map(|&(at, _)| at.cast_signed());
            Some((at.clone().min()?, at.max()?))
        };
        let reaches: Vec<_> = self.rows.iter().map(reach).collect();
        let mut needed = vec![false; (2 * self.inputs).saturating_sub(1)];
        for &d in out {
            for (p, one) in reaches.iter().enumerate() {
                let other = p.checked_add_signed(d).and_then(|q| reaches.get(q));
                if let (Some((low, high)), Some(Some((first, last)))) = (one, other) {
                    for d in first - high..=last - low {
                        needed[(d + self.inputs.cast_signed() - 1).cast_unsigned()] = true;
                    }
                }
            }
        }
        let all = (1 - self.inputs.cast_signed()..self.inputs.cast_signed()).zip(needed);
        all.filter_map(|(d, needed)| needed.then_some(d)).collect()
    }
}

impl PositionMap {
    /// The map along each axis of positions: one for sequences, two for images.
    #[must_use]
    pub fn new(axes: impl IntoIterator<Item = AxisMap>) -> Self {
        let mut axes = axes.into_iter();
        Self {
            axes: std::array::from_fn(|_| axes.next().unwrap_or_else(|| AxisMap::identity(1))),
        }
    }

    /// All positions of `input` to one, each of this weight.
    pub(crate) fn global(input: &Shape, weight: impl Fn(usize) -> f64) -> Self {
        Self::new(axes_of(input).map(|size| AxisMap {
            inputs: size,
            rows: vec![(0..size).map(|at| (at, weight(size))).collect()],
        }))
    }

    /// The map along each axis.
    #[must_use]
    pub fn axes(&self) -> &[AxisMap; AXES] {
        &self.axes
    }

    /// Input positions along each axis.
    #[must_use]
    pub fn inputs(&self) -> [usize; AXES] {
        self.axes.each_ref().map(|axis| axis.inputs)
    }

    /// Output positions along each axis.
    #[must_use]
    pub fn outputs(&self) -> [usize; AXES] {
        self.axes.each_ref().map(|axis| axis.rows.len())
    }
}
