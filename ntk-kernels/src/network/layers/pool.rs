//! Averages and sums over positions, and what leaves values as they are.

use super::super::Shape;
use super::conv::{window_fault, windowed};
use super::{Layer, Padding};
use serde::{Deserialize, Serialize};

/// What is done with the values pooled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    Average,
    /// Their sum.
    Sum,
}

/// Average or sum over windows of positions, channel by channel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pool {
    /// Average or sum.
    #[serde(skip)]
    pub pooling: Pooling,
    /// Window: `[height, width]` for images, `[length]` for sequences.
    pub window: Vec<usize>,
    /// Steps between windows; the window where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strides: Option<Vec<usize>>,
    /// What stands beyond the edges.
    pub padding: Padding,
    /// Whether an average at the edge divides by the positions inside, not by the whole window.
    pub normalize_edges: bool,
}

/// A pool's options as JSON has them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PoolOptions {
    window: Vec<usize>,
    strides: Option<Vec<usize>>,
    #[serde(default)]
    padding: Padding,
    #[serde(default)]
    normalize_edges: bool,
}

impl PoolOptions {
    pub(crate) fn of(self, pooling: Pooling) -> Pool {
        Pool {
            pooling,
            window: self.window,
            strides: self.strides,
            padding: self.padding,
            normalize_edges: self.normalize_edges,
        }
    }
}

fn pool(pooling: Pooling, window: Vec<usize>) -> Pool {
    Pool {
        pooling,
        window,
        strides: None,
        padding: Padding::Valid,
        normalize_edges: false,
    }
}

/// The mean over windows, strides equal to the window, valid padding.
#[must_use]
pub fn avg_pool(window: impl Into<Vec<usize>>) -> Pool {
    pool(Pooling::Average, window.into())
}

/// The sum over windows, strides equal to the window, valid padding.
#[must_use]
pub fn sum_pool(window: impl Into<Vec<usize>>) -> Pool {
    pool(Pooling::Sum, window.into())
}

/// The mean over all positions.
#[must_use]
pub fn global_avg_pool() -> Layer {
    Layer::GlobalPool(Pooling::Average)
}

/// The sum over all positions.
#[must_use]
pub fn global_sum_pool() -> Layer {
    Layer::GlobalPool(Pooling::Sum)
}

/// Positions and channels become features.
#[must_use]
pub fn flatten() -> Layer {
    Layer::Flatten
}

/// Passes its input on, as the short way of a residual branch does.
#[must_use]
pub fn identity() -> Layer {
    Layer::Identity
}

impl Pool {
    /// Sets the steps between windows.
    #[must_use]
    pub fn strides(mut self, strides: impl Into<Vec<usize>>) -> Self {
        self.strides = Some(strides.into());
        self
    }

    /// Sets the padding.
    #[must_use]
    pub fn padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    /// [`Padding::Same`].
    #[must_use]
    pub fn same(self) -> Self {
        self.padding(Padding::Same)
    }

    /// Divides averages at the edge by the positions inside.
    #[must_use]
    pub fn normalize_edges(mut self) -> Self {
        self.normalize_edges = true;
        self
    }

    /// The steps between windows, one for each axis.
    pub(crate) fn steps(&self) -> Vec<usize> {
        self.strides.clone().unwrap_or_else(|| self.window.clone())
    }

    pub(super) fn fault(&self) -> Option<String> {
        if self.normalize_edges && self.pooling == Pooling::Sum {
            return Some("normalize_edges has a meaning for averages only".into());
        }
        window_fault("window", &self.window, "strides", &self.steps())
    }

    pub(super) fn shape(&self, input: &Shape) -> Result<Shape, String> {
        windowed("window", &self.window, &self.steps(), self.padding, input)
    }
}

impl From<Pool> for Layer {
    fn from(pool: Pool) -> Self {
        Self::Pool(pool)
    }
}
