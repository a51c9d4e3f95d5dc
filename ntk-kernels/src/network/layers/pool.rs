//! Averages and sums over windows of positions.

use super::conv::{window_fault, windowed};
use super::{Action, Layer, LayerKind, NetworkError, Resolved, Shape, json, to_json};
use crate::network::positions::Padding;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
struct PoolOptions {
    window: Vec<usize>,
    strides: Option<Vec<usize>>,
    #[serde(default)]
    padding: Padding,
    #[serde(default)]
    normalize_edges: bool,
}

impl PoolOptions {
    fn of(self, pooling: Pooling) -> Pool {
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

    fn steps(&self) -> Vec<usize> {
        self.strides.clone().unwrap_or_else(|| self.window.clone())
    }
}

impl LayerKind for Pool {
    fn name(&self) -> &str {
        match self.pooling {
            Pooling::Average => NAMES[0],
            Pooling::Sum => NAMES[1],
        }
    }

    fn options(&self) -> Value {
        to_json(self)
    }

    fn fault(&self) -> Option<String> {
        if self.normalize_edges && self.pooling == Pooling::Sum {
            return Some("normalize_edges has a meaning for averages only".into());
        }
        window_fault("window", &self.window, "strides", &self.steps())
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let (window, steps) = (&self.window, self.steps());
        let (shape, windows) = windowed("window", window, &steps, self.padding, input)?;
        let map = windows.pool(|inside, window| match self.pooling {
            Pooling::Sum => 1.0,
            Pooling::Average if self.normalize_edges => (inside.len() as f64).recip(),
            Pooling::Average => (window as f64).recip(),
        });
        let action = Action::Positions(map);
        Ok(Resolved { shape, action })
    }
}

pub(super) const NAMES: &[&str] = &["avg_pool", "sum_pool"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    let options: PoolOptions = json::options(at, name, options)?;
    let pooling = match name == NAMES[0] {
        true => Pooling::Average,
        false => Pooling::Sum,
    };
    Ok(options.of(pooling).into())
}
