//! Describes the shape of one sample.

use std::fmt;

/// The most axes of positions that a sample has; those of fewer count as having one position along
/// each of the last.
pub(crate) const AXES: usize = 3;

/// The most numbers that an array of f64 can have.
pub(super) const MOST_NUMBERS: usize = isize::MAX.cast_unsigned() / size_of::<f64>();

/// Multiplies sizes; the product is at most `usize::MAX`.
pub(super) fn saturating_product(sizes: impl Iterator<Item = usize> + Clone) -> usize {
    // A zero counts, whatever overflows before it.
    match sizes.clone().any(|size| size == 0) {
        true => 0,
        false => sizes.fold(1, usize::saturating_mul),
    }
}

/// A `Shape` is the shape of one sample: axes of positions, none for vectors, and channels. It
/// prints as `(height, width, channels)`.
///
/// A number of features, `[length, channels]`, `[height, width, channels]` and `[depth, height, width,
/// channels]` convert to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    positions: Vec<usize>,
    channels: usize,
}

impl Shape {
    /// Makes the shape of samples with these axes of positions, `[height, width]` for images and
    /// `[length]` for sequences, and channels.
    #[must_use]
    pub fn new(positions: impl Into<Vec<usize>>, channels: usize) -> Self {
        Self {
            positions: positions.into(),
            channels,
        }
    }

    /// Makes the shape of vectors of `features` numbers.
    #[must_use]
    pub fn features(features: usize) -> Self {
        Self::new([], features)
    }

    /// Returns the sizes of the axes of positions; empty for vectors.
    #[must_use]
    pub fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// Returns the number of channels, or of features for vectors: the last axis.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Returns how many numbers one sample has, at most `usize::MAX`.
    #[must_use]
    pub fn size(&self) -> usize {
        let sizes = self.positions.iter().chain([&self.channels]);
        saturating_product(sizes.copied())
    }

    /// Refuses shapes that no layer can work on; `what` names the samples.
    pub(super) fn check(&self, what: &str) -> Result<(), String> {
        let axes = self.positions.len();
        if axes > AXES {
            return Err(format!(
                "{what} {self} has {axes} axes of positions, and layers work on at most {AXES}; reshape the samples"
            ));
        }
        match self.size() {
            0 => Err(format!(
                "{what} {self} is empty; give every axis at least one entry"
            )),
            size if size > MOST_NUMBERS => Err(format!(
                "{what} {self} has more numbers than memory can hold; use fewer channels or positions"
            )),
            _ => Ok(()),
        }
    }

    /// Makes features of the channels and the marked axes of positions.
    pub(super) fn flattened(&self, over: &[bool]) -> Self {
        let mut kept = Vec::new();
        let mut features = vec![self.channels];
        for (axis, &size) in self.positions.iter().enumerate() {
            match over.get(axis) {
                Some(true) => features.push(size),
                _ => kept.push(size),
            }
        }
        Self::new(kept, saturating_product(features.into_iter()))
    }

    /// Puts shapes side by side along an axis of positions, or by `None` along the channels; returns
    /// `None` where they differ along another, or there is no such axis.
    pub(super) fn side_by_side(ends: &[Self], axis: Option<usize>) -> Option<Self> {
        let first = ends.first()?;
        // The channels are the last.
        let place = axis.unwrap_or(first.positions.len());
        if axis.is_some_and(|axis| axis >= first.positions.len()) {
            return None;
        }
        let sizes = |end: &Self| [&end.positions[..], &[end.channels]].concat();
        let mut total = sizes(first);
        total[place] = 0;
        for end in ends {
            let found = sizes(end);
            if found.len() != total.len() {
                return None;
            }
            for (number, (total, size)) in total.iter_mut().zip(found).enumerate() {
                match number == place {
                    true => *total = total.saturating_add(size),
                    false if *total != size => return None,
                    false => {}
                }
            }
        }
        let channels = total.pop()?;
        Some(Self::new(total, channels))
    }

    /// Leaves out the marked axes of positions.
    pub(super) fn without(&self, marked: &[bool]) -> Self {
        let kept = self.positions.iter().zip(marked);
        let kept = kept.filter_map(|(&size, &marked)| (!marked).then_some(size));
        Self::new(kept.collect::<Vec<_>>(), self.channels)
    }

    /// Resolves axes of a batch, counted as those of arrays are, from 0, the samples, to -1, the
    /// channels: says for each axis of positions, and then for the channels, whether it is among
    /// them.
    pub(super) fn marked(&self, axes: &[isize], what: &str) -> Result<(Vec<bool>, bool), String> {
        let rank = self.positions.len() + 2;
        let mut marked = vec![false; rank];
        for &axis in axes {
            let index = match axis < 0 {
                true => rank.checked_sub(axis.unsigned_abs()),
                false => Some(axis.unsigned_abs()).filter(|&axis| axis < rank),
            };
            match index {
                Some(0) => {
                    return Err(format!(
                        "axis {axis} is the samples' and cannot be {what}; leave it out"
                    ));
                }
                Some(index) => marked[index] = true,
                None => {
                    return Err(format!(
                        "axis {axis} does not exist in an input {self}, samples being axis 0; the channels are -1"
                    ));
                }
            }
        }
        Ok((marked[1..rank - 1].to_vec(), marked[rank - 1]))
    }

    /// Resolves axes of positions as [`Shape::marked`] does; all of them where none are named.
    pub(super) fn marked_positions(
        &self,
        axes: Option<&[isize]>,
        what: &str,
    ) -> Result<Vec<bool>, String> {
        self.needs_positions()?;
        let Some(axes) = axes else {
            return Ok(vec![true; self.positions.len()]);
        };
        match self.marked(axes, what)? {
            (_, true) => Err(format!(
                "its axes hold the channels, -1, which are not {what} by it; leave them out"
            )),
            (marked, false) => Ok(marked),
        }
    }

    /// Resolves one axis of positions; returns its number among them.
    pub(super) fn position_axis(&self, axis: isize, what: &str) -> Result<usize, String> {
        let marked = self.marked_positions(Some(&[axis]), what)?;
        Ok(marked.iter().position(|&is| is).unwrap_or(0))
    }

    pub(super) fn with_channels(&self, channels: usize) -> Self {
        Self::new(self.positions.clone(), channels)
    }

    /// Refuses samples with another number of axes of positions than `sizes` has entries.
    pub(super) fn needs_axes(&self, name: &str, sizes: &[usize]) -> Result<(), String> {
        self.needs_positions()?;
        if self.positions.len() != sizes.len() {
            return Err(format!(
                "its {name} {sizes:?} has {} axes, and the input {self} has {} of positions; give one size for each",
                sizes.len(),
                self.positions.len()
            ));
        }
        Ok(())
    }

    pub(super) fn needs_positions(&self) -> Result<(), String> {
        if self.positions.is_empty() {
            return Err(format!(
                "it works on the positions of images or sequences, and its input {self} has none; put it before flatten and global pools"
            ));
        }
        Ok(())
    }
}

/// Converts a number of features.
impl From<usize> for Shape {
    fn from(features: usize) -> Self {
        Self::features(features)
    }
}

/// Converts `[features]`.
impl From<[usize; 1]> for Shape {
    fn from([features]: [usize; 1]) -> Self {
        Self::features(features)
    }
}

/// Converts `[length, channels]`, of a sequence.
impl From<[usize; 2]> for Shape {
    fn from([length, channels]: [usize; 2]) -> Self {
        Self::new([length], channels)
    }
}

/// Converts `[height, width, channels]`, of an image.
impl From<[usize; 3]> for Shape {
    fn from([height, width, channels]: [usize; 3]) -> Self {
        Self::new([height, width], channels)
    }
}

/// Converts `[depth, height, width, channels]`, of a volume.
impl From<[usize; 4]> for Shape {
    fn from([depth, height, width, channels]: [usize; 4]) -> Self {
        Self::new([depth, height, width], channels)
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for size in &self.positions {
            write!(f, "{size}, ")?;
        }
        write!(f, "{})", self.channels)
    }
}
/// Counts the positions of axes of these sizes.
pub(crate) fn count_positions(sizes: [usize; AXES]) -> usize {
    sizes.into_iter().fold(1, usize::saturating_mul)
}

/// Returns the sizes of axes of which the marked are left out.
pub(crate) fn kept(mut sizes: [usize; AXES], over: [bool; AXES]) -> [usize; AXES] {
    for (size, over) in sizes.iter_mut().zip(over) {
        if over {
            *size = 1;
        }
    }
    sizes
}

/// Returns the index along each axis of every position, in order.
pub(crate) fn indices(sizes: [usize; AXES]) -> impl Iterator<Item = [usize; AXES]> {
    let [a, b, c] = sizes;
    (0..a * b * c).map(move |at| [at / (b * c), at / c % b, at % c])
}

/// Returns the position of these indices along each axis.
pub(crate) fn place(sizes: [usize; AXES], at: [usize; AXES]) -> usize {
    (at[0] * sizes[1] + at[1]) * sizes[2] + at[2]
}

/// Lists for each position along the axes that are not marked those along the marked ones.
pub(crate) fn places(sizes: [usize; AXES], over: [bool; AXES]) -> Vec<Vec<usize>> {
    let outer = kept(sizes, over);
    let mut places = vec![Vec::new(); count_positions(outer)];
    for (at, mut index) in indices(sizes).enumerate() {
        for (index, over) in index.iter_mut().zip(over) {
            if over {
                *index = 0;
            }
        }
        places[place(outer, index)].push(at);
    }
    places
}

/// Marks the axes of positions that a sample lacks as others are not.
pub(crate) fn padded(over: &[bool]) -> [bool; AXES] {
    std::array::from_fn(|axis| over.get(axis).copied().unwrap_or(false))
}
