//! Describes the two ways in which layers mix positions: random weights over receptive fields, and
//! fixed linear maps.
//!
//! A tap is one place of a filter, which has one weight for each pair of channels. With `K` the
//! covariance of positions before a layer and `s_t(o)` the input position that tap `t` of output
//! `o` reads, random weights give `K'[o, o'] = w_std^2 / taps sum_t K[s_t(o), s_t(o')] + b_std^2`
//! ([`Windows`]); a fixed map with matrices `M1`, `M2` for the two samples gives `K' = M1 K M2^T`
//! ([`PositionMap`]).

use super::padding::Padding;
use super::shape::{AXES, Shape};

/// Returns the sizes of the axes of positions, ones for those that a sample lacks.
pub(crate) fn axes_of(shape: &Shape) -> [usize; AXES] {
    std::array::from_fn(|axis| shape.positions().get(axis).copied().unwrap_or(1))
}

/// The most reads of inputs along one axis, so that their lists fit in memory.
const MOST_READS: usize = 1 << 26;

/// Refuses `what` where it reads inputs too often along one axis.
pub(super) fn check_reads(what: &str, reads: usize) -> Result<(), String> {
    if reads <= MOST_READS {
        return Ok(());
    }
    Err(format!(
        "{what} reads inputs more than {MOST_READS} times; use a smaller window, less padding or fewer positions"
    ))
}

/// `Windows` are the receptive fields of a convolution or pool: the input positions that each
/// output position reads, and by which tap of the filter, along each axis by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    axes: [AxisTaps; AXES],
    /// Whether an output is masked where any input that it reads is, rather than the middle one.
    by_any: bool,
}

/// An `AxisTaps` holds [`Windows`] along one axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AxisTaps {
    inputs: usize,
    window: usize,
    /// For each output, the taps that read an input, each with that input.
    taps: Vec<Vec<(usize, usize)>>,
    /// The stride, and whether the padding is circular; `None` where receptive fields are
    /// irregular, or so padded that outputs lie further apart than inputs.
    steps: Option<(usize, bool)>,
}

impl AxisTaps {
    /// Makes receptive fields of a filter of size `window` over `inputs` positions: output `o`
    /// reads input `i` by tap `t` for all `(t, i)` in `outputs[o]`. Taps that are not named there
    /// read padding, which is zero.
    ///
    /// # Errors
    /// Returns a sentence where a tap or an input is named that does not exist, or where an output
    /// names a tap twice.
    pub fn new(
        inputs: usize,
        window: usize,
        outputs: impl IntoIterator<Item = Vec<(usize, usize)>>,
    ) -> Result<Self, String> {
        check_reads("a filter", window)?;
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

    fn regular(
        axis: usize,
        inputs: usize,
        Filter {
            window,
            stride,
            dilation,
        }: Filter,
        padding: &Padding,
    ) -> Result<Self, String> {
        let along = padding.along(axis, inputs, reach(window, dilation), stride);
        let (outputs, before) = along.unwrap_or((0, 0));
        let circular = padding.wraps();
        let padded = match padding {
            Padding::Zeros(_) | Padding::Wrapped(_) => format!(" with padding {padding}"),
            Padding::Valid | Padding::Same | Padding::Circular => String::new(),
        };
        let what = format!("a filter of size {window} over {inputs} positions{padded}");
        check_reads(&what, window)?;
        check_reads(&what, outputs.saturating_mul(window))?;
        check_reads(&what, window.saturating_mul(dilation))?;
        let input = |at: usize| {
            if circular {
                let (at, shift) = (at % inputs, before % inputs);
                Some(match at.checked_sub(shift) {
                    Some(at) => at,
                    None => at + (inputs - shift),
                })
            } else {
                at.checked_sub(before).filter(|&at| at < inputs)
            }
        };
        let taps = (0..outputs)
            .map(|out| {
                (0..window)
                    .filter_map(|tap| Some((tap, input(out * stride + tap * dilation)?)))
                    .collect()
            })
            .collect();
        // Outputs that are further apart than any inputs have no displacement of inputs.
        let reach = outputs.saturating_sub(1).saturating_mul(stride);
        Ok(Self {
            inputs,
            window,
            taps,
            steps: (reach < inputs).then_some((stride, circular)),
        })
    }
}

/// A filter along one axis.
#[derive(Clone, Copy)]
struct Filter {
    window: usize,
    stride: usize,
    dilation: usize,
}

/// Returns how many positions lie between the first and the last that a window reads, both counted.
pub(super) fn reach(window: usize, dilation: usize) -> usize {
    window
        .saturating_sub(1)
        .saturating_mul(dilation)
        .saturating_add(1)
}

impl Windows {
    /// Makes the receptive fields of a filter with kernel size `window`, strides, dilations and
    /// padding over the positions of `input`.
    ///
    /// Along each axis output `o` reads `window` inputs, `dilation` apart, from `stride * o` less the
    /// padding before the first on. Each list has one entry for each axis of positions; entries that
    /// are missing or 0 count as 1, and where no window fits there are no outputs.
    ///
    /// # Errors
    /// Returns a sentence where there are more reads of inputs than memory can hold, some 67
    /// million along one axis.
    pub fn new(
        window: &[usize],
        strides: &[usize],
        dilation: &[usize],
        padding: &Padding,
        input: &Shape,
    ) -> Result<Self, String> {
        let one = |sizes: &[usize], axis: usize| sizes.get(axis).map_or(1, |&size| size.max(1));
        let inputs = axes_of(input);
        let along = |axis: usize| {
            let filter = Filter {
                window: one(window, axis),
                stride: one(strides, axis),
                dilation: one(dilation, axis),
            };
            AxisTaps::regular(axis, inputs[axis], filter, padding)
        };
        Ok(Self {
            axes: [along(0)?, along(1)?, along(2)?],
            by_any: false,
        })
    }

    /// Makes windows of what outputs read along each axis of positions: one for sequences, two for
    /// images.
    #[must_use]
    pub fn of(axes: impl IntoIterator<Item = AxisTaps>) -> Self {
        let mut axes = axes.into_iter();
        // Vectors and sequences have one position along the axes that they lack.
        let rest = || AxisTaps {
            inputs: 1,
            window: 1,
            taps: vec![vec![(0, 0)]],
            steps: Some((1, false)),
        };
        Self {
            axes: std::array::from_fn(|_| axes.next().unwrap_or_else(rest)),
            by_any: false,
        }
    }

    /// Masks outputs that read any masked input.
    #[must_use]
    pub(crate) fn met_by_any(mut self) -> Self {
        self.by_any = true;
        self
    }

    /// Returns the number of input positions along each axis.
    #[must_use]
    pub fn inputs(&self) -> [usize; AXES] {
        self.axes.each_ref().map(|along| along.inputs)
    }

    /// Returns the number of output positions along each axis.
    #[must_use]
    pub fn outputs(&self) -> [usize; AXES] {
        self.axes.each_ref().map(|along| along.taps.len())
    }

    /// Returns the kernel size: the number of taps along each axis, those included that read
    /// padding.
    #[must_use]
    pub fn window(&self) -> [usize; AXES] {
        self.axes.each_ref().map(|along| along.window)
    }

    /// Returns the taps of output `out` along `axis` that read an input, each with that input; none
    /// for an axis or output that does not exist.
    #[must_use]
    pub fn taps(&self, axis: usize, out: usize) -> &[(usize, usize)] {
        let along = self.axes.get(axis);
        along
            .and_then(|along| along.taps.get(out))
            .map_or(&[], Vec::as_slice)
    }

    /// Returns the strides, 1 where receptive fields are irregular.
    pub(crate) fn strides(&self) -> [usize; AXES] {
        let axes = self.axes.each_ref();
        axes.map(|along| along.steps.map_or(1, |(stride, _)| stride))
    }

    /// Says whether receptive fields are regular along every axis, so that pairs of equal
    /// displacement stay together.
    pub(crate) fn in_steps(&self) -> bool {
        self.axes.iter().all(|along| along.steps.is_some())
    }

    /// Says whether the padding is circular.
    pub(crate) fn circular(&self) -> bool {
        self.axes[0].steps.is_some_and(|(_, circular)| circular)
    }

    /// Says whether positions keep their places and their number.
    pub(crate) fn keeps_size(&self) -> bool {
        self.inputs() == self.outputs() && self.strides() == [1; AXES]
    }

    /// Returns for each output along each axis the input that the middle tap of its window reads;
    /// `None` where that is padding.
    pub(crate) fn middles(&self) -> [Vec<Option<usize>>; AXES] {
        self.axes.each_ref().map(|along| {
            let middle = along.window.saturating_sub(1) / 2;
            let of = |taps: &Vec<(usize, usize)>| {
                let found = taps.iter().find(|&&(tap, _)| tap == middle);
                found.map(|&(_, at)| at)
            };
            along.taps.iter().map(of).collect()
        })
    }

    /// Says whether an output is masked where any input that it reads is, rather than the middle one.
    pub(crate) fn masks_by_any(&self) -> bool {
        self.by_any
    }

    /// Makes the fixed map of positions that sums or averages over the windows.
    pub(crate) fn pool(&self, weight: impl Fn(&[(usize, usize)], usize) -> f64) -> PositionMap {
        let map = PositionMap::new(self.axes.each_ref().map(|along| {
            AxisMap {
                inputs: along.inputs,
                rows: along
                    .taps
                    .iter()
                    .map(|taps| {
                        let weight = weight(taps, along.window);
                        weighted(taps, weight, along.inputs)
                    })
                    .collect(),
            }
        }));
        PositionMap {
            masking: Masking::Middle(self.middles()),
            ..map
        }
    }
}

/// Returns the inputs that taps read, each once, and what it weighs: more often read around a ring,
/// more.
fn weighted(taps: &[(usize, usize)], weight: f64, inputs: usize) -> Vec<(usize, f64)> {
    if taps.len() <= inputs {
        return taps.iter().map(|&(_, at)| (at, weight)).collect();
    }
    let mut reads = vec![0_usize; inputs];
    for &(_, at) in taps {
        reads[at] += 1;
    }
    let read = reads.into_iter().enumerate();
    read.map(|(at, count)| (at, count as f64 * weight))
        .collect()
}

/// A `PositionMap` is a fixed linear map of positions, the same for every sample and channel: `y[o]
/// = sum_i M[o, i] x[i]`, along each axis by itself or over all positions.
///
/// It takes covariances to `M1 K M2^T`, and NTKs alike. It has no parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct PositionMap {
    form: Form,
    masking: Masking,
}

/// A `Masking` says which outputs of a [`PositionMap`] are masked, and what they are divided by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Masking {
    /// An output is masked where every input that it reads is.
    Every,
    /// As by [`Masking::Every`], and rows are those of a mean over the inputs that are not masked.
    Mean,
    /// An output is masked where the middle of its window is, along each axis, if it has one.
    Middle([Vec<Option<usize>>; AXES]),
}

#[derive(Debug, Clone, PartialEq)]
enum Form {
    Axes([AxisMap; AXES]),
    /// One matrix over all positions, the last axis fastest.
    Joint {
        inputs: [usize; AXES],
        outputs: [usize; AXES],
        map: AxisMap,
    },
}

/// An `AxisMap` is the matrix of a [`PositionMap`] along one axis, stored row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct AxisMap {
    inputs: usize,
    rows: Vec<Vec<(usize, f64)>>,
}

impl AxisMap {
    /// Makes a map from `inputs` positions whose output `o` is the sum of `weight` times input `i`
    /// over all `(i, weight)` in `rows[o]`.
    ///
    /// # Errors
    /// Returns a sentence where there is no output, a row names an input that does not exist, or a
    /// weight is not finite.
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

    /// Makes the map that leaves `size` positions as they are.
    ///
    /// # Errors
    /// Returns a sentence where there are more positions than memory can hold, some 67 million.
    pub fn identity(size: usize) -> Result<Self, String> {
        check_reads(&format!("a map of {size} positions"), size)?;
        Ok(Self {
            inputs: size,
            rows: (0..size).map(|at| vec![(at, 1.0)]).collect(),
        })
    }

    /// Returns the number of input positions.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Returns for each output position the inputs that it reads and their weights.
    #[must_use]
    pub fn rows(&self) -> &[Vec<(usize, f64)>] {
        &self.rows
    }

    /// Returns the weight that all entries of a row share, if they do; 1 for an empty row.
    pub(crate) fn shared_weight(row: &[(usize, f64)]) -> Option<f64> {
        let first = row.first().map_or(1.0, |&(_, weight)| weight);
        row.iter()
            .all(|&(_, weight)| weight == first)
            .then_some(first)
    }

    /// Returns the displacements of inputs that count for outputs of the displacements `out`.
    pub(crate) fn displacements(&self, out: &[isize]) -> Vec<isize> {
        let reach = |row: &Vec<(usize, f64)>| {
            let at = row.iter().map(|&(at, _)| at.cast_signed());
            Some((at.clone().min()?, at.max()?))
        };
        let reaches: Vec<_> = self.rows.iter().map(reach).collect();
        displacements(self.inputs, &reaches, out)
    }
}

/// Returns the displacements of `inputs` positions that count for outputs of the displacements `out`,
/// where each output reads nothing before the first and after the second of its `reaches`.
pub(crate) fn displacements(
    inputs: usize,
    reaches: &[Option<(isize, isize)>],
    out: &[isize],
) -> Vec<isize> {
    let least = 1 - inputs.cast_signed();
    // How many ranges of displacements begin at each, less those that end before it.
    let mut changes = vec![0_isize; 2 * inputs];
    for &d in out {
        for (p, one) in reaches.iter().enumerate() {
            let other = p.checked_add_signed(d).and_then(|q| reaches.get(q));
            if let (Some((low, high)), Some(Some((first, last)))) = (one, other) {
                changes[(first - high - least).cast_unsigned()] += 1;
                changes[(last - low - least + 1).cast_unsigned()] -= 1;
            }
        }
    }
    let needed = changes.iter().scan(0, |sum, change| {
        *sum += change;
        Some(*sum > 0)
    });
    let all = (least..inputs.cast_signed()).zip(needed);
    all.filter_map(|(d, needed)| needed.then_some(d)).collect()
}

impl PositionMap {
    /// Makes a map of those along each axis of positions: one for sequences, two for images, three
    /// for volumes.
    #[must_use]
    pub fn new(axes: impl IntoIterator<Item = AxisMap>) -> Self {
        let mut axes = axes.into_iter();
        let one = || AxisMap {
            inputs: 1,
            rows: vec![vec![(0, 1.0)]],
        };
        let axes = std::array::from_fn(|_| axes.next().unwrap_or_else(one));
        Self {
            form: Form::Axes(axes),
            masking: Masking::Every,
        }
    }

    /// Makes the map of one matrix over all positions of `inputs`, the last axis fastest, to those
    /// of `outputs`.
    ///
    /// # Errors
    /// Returns a sentence where the matrix has another number of inputs or outputs.
    pub fn joint(inputs: &Shape, outputs: &Shape, map: AxisMap) -> Result<Self, String> {
        let (inputs, outputs) = (axes_of(inputs), axes_of(outputs));
        let found = [map.inputs, map.rows.len()];
        let expected = [inputs, outputs].map(|sizes| sizes.iter().product::<usize>());
        if found != expected {
            return Err(format!(
                "its map is of {} positions to {}, and there are {} before it and {} after it",
                found[0], found[1], expected[0], expected[1]
            ));
        }
        let form = Form::Joint {
            inputs,
            outputs,
            map,
        };
        let masking = Masking::Every;
        Ok(Self { form, masking })
    }

    /// Makes the map that sums the marked axes of `input` to one position each, or averages over them,
    /// and leaves the others as they are.
    pub(crate) fn global(input: &Shape, over: &[bool], mean: bool) -> Result<Self, String> {
        let weight = |size: usize| if mean { (size as f64).recip() } else { 1.0 };
        let axes = input.positions().iter().zip(over).map(|(&size, &over)| {
            check_reads(&format!("a pool over {size} positions"), size)?;
            match over {
                false => AxisMap::identity(size),
                true => AxisMap::new(size, [(0..size).map(|at| (at, weight(size))).collect()]),
            }
        });
        let map = Self::new(axes.collect::<Result<Vec<_>, String>>()?);
        Ok(Self {
            masking: if mean { Masking::Mean } else { Masking::Every },
            ..map
        })
    }

    /// Returns the map along each axis; `None` where it is one matrix over all positions.
    #[must_use]
    pub fn axes(&self) -> Option<&[AxisMap; AXES]> {
        match &self.form {
            Form::Axes(axes) => Some(axes),
            Form::Joint { .. } => None,
        }
    }

    /// Returns the matrix over all positions, the last axis fastest; `None` where there is one for
    /// each axis.
    #[must_use]
    pub fn matrix(&self) -> Option<&AxisMap> {
        match &self.form {
            Form::Axes(_) => None,
            Form::Joint { map, .. } => Some(map),
        }
    }

    /// Returns the number of input positions along each axis.
    #[must_use]
    pub fn inputs(&self) -> [usize; AXES] {
        match &self.form {
            Form::Axes(axes) => axes.each_ref().map(|axis| axis.inputs),
            Form::Joint { inputs, .. } => *inputs,
        }
    }

    /// Returns the number of output positions along each axis.
    #[must_use]
    pub fn outputs(&self) -> [usize; AXES] {
        match &self.form {
            Form::Axes(axes) => axes.each_ref().map(|axis| axis.rows.len()),
            Form::Joint { outputs, .. } => *outputs,
        }
    }

    /// Says which outputs are masked.
    pub(crate) fn masking(&self) -> &Masking {
        &self.masking
    }

    /// Says whether every output reads at most one input, so that pairs of equal positions come from
    /// such pairs.
    pub(crate) fn selects(&self) -> bool {
        let along = |axis: &AxisMap| axis.rows.iter().all(|row| row.len() <= 1);
        match &self.form {
            Form::Axes(axes) => axes.iter().all(along),
            Form::Joint { map, .. } => along(map),
        }
    }

    /// Returns the number by which the map multiplies, where it does nothing else.
    pub(crate) fn factor(&self) -> Option<f64> {
        let along = |axis: &AxisMap| {
            let weight = axis
                .rows
                .first()
                .and_then(|row| AxisMap::shared_weight(row))?;
            let mut rows = axis.rows.iter().enumerate();
            let diagonal = rows.all(|(out, row)| row[..] == [(out, weight)]);
            (diagonal && axis.rows.len() == axis.inputs).then_some(weight)
        };
        let factors = self.axes()?.each_ref().map(along);
        factors.into_iter().product()
    }
}
