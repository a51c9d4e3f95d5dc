//! Describes the shape of one sample.

use std::fmt;

/// The number of axes of positions that a sample has in the closed form: sequences have width 1,
/// vectors are `[1, 1]`.
pub(crate) const AXES: usize = 2;

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
/// A number of features, `[length, channels]` and `[height, width, channels]` convert to one.
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

    pub(super) fn with_channels(&self, channels: usize) -> Self {
        Self::new(self.positions.clone(), channels)
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
