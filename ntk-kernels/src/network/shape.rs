//! The shape of one sample.

use std::fmt;

/// Positions, none for vectors, and channels; prints as `(height, width, channels)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    positions: Vec<usize>,
    channels: usize,
}

impl Shape {
    /// Samples with axes of positions, then channels: `[height, width]` for images,
    /// `[length]` for sequences.
    #[must_use]
    pub fn new(positions: impl Into<Vec<usize>>, channels: usize) -> Self {
        Self {
            positions: positions.into(),
            channels,
        }
    }

    /// Vectors of `features` numbers.
    #[must_use]
    pub fn features(features: usize) -> Self {
        Self::new([], features)
    }

    /// The axes of positions; empty for vectors.
    #[must_use]
    pub fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// The last axis.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Numbers in one sample.
    #[must_use]
    pub fn size(&self) -> usize {
        self.positions.iter().product::<usize>() * self.channels
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

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for size in &self.positions {
            write!(f, "{size}, ")?;
        }
        write!(f, "{})", self.channels)
    }
}
