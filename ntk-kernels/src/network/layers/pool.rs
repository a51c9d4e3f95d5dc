//! Describes averages and sums over windows of positions.

use super::conv::{window_fault, windowed};
use super::{Action, Layer, LayerKind, NetworkError, Resolved, Shape, json, to_json};
use crate::network::padding::Padding;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A `Pooling` says whether a pool averages or sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The pool takes the mean of its values.
    Average,
    /// The pool takes the sum of its values.
    Sum,
}

/// A `Pool` averages or sums over windows of positions, channel by channel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pool {
    /// The operation: average or sum.
    #[serde(skip)]
    pub pooling: Pooling,
    /// The pool size: `[height, width]` for images, `[length]` for sequences.
    pub window: Vec<usize>,
    /// The strides, one for each axis of positions; `None` means those of the window's size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strides: Option<Vec<usize>>,
    /// The padding of the input.
    pub padding: Padding,
    /// Whether an average at the edge divides by the number of positions inside the input, rather
    /// than by the size of the window.
    pub normalize_edges: bool,
}

/// The options of a pool as JSON has them.
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

/// Makes an average pool of this size, with strides equal to the size and valid padding.
#[must_use]
pub fn avg_pool(window: impl Into<Vec<usize>>) -> Pool {
    pool(Pooling::Average, window.into())
}

/// Makes a sum pool of this size, with strides equal to the size and valid padding.
#[must_use]
pub fn sum_pool(window: impl Into<Vec<usize>>) -> Pool {
    pool(Pooling::Sum, window.into())
}

impl Pool {
    /// Sets the strides, one for each axis of positions.
    #[must_use]
    pub fn strides(mut self, strides: impl Into<Vec<usize>>) -> Self {
        self.strides = Some(strides.into());
        self
    }

    /// Sets the padding: by name, or by numbers of zeros for each axis of positions, such as
    /// `[1, 1]`, or `[[0, 1], [0, 1]]` before the first and after the last position.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding>) -> Self {
        self.padding = padding.into();
        self
    }

    /// Pads with zeros, which averages count unless [`Pool::normalize_edges`] is called:
    /// [`Padding::Same`].
    #[must_use]
    pub fn same(self) -> Self {
        self.padding(Padding::Same)
    }

    /// Divides averages at the edge by the number of positions inside the input.
    #[must_use]
    pub fn normalize_edges(mut self) -> Self {
        self.normalize_edges = true;
        self
    }

    /// Says that windows would lie outside of the input, where they would.
    fn outside(&self) -> Option<String> {
        let Padding::Zeros(amounts) = &self.padding else {
            return None;
        };
        let mut pairs = amounts.iter().zip(&self.window);
        let outside = pairs.any(|(ends, &size)| ends.iter().any(|&end| end >= size));
        outside.then(|| {
            format!(
                "padding must be smaller than the window {:?}, found {}",
                self.window, self.padding
            )
        })
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
            .or_else(|| self.padding.fault("window", &self.window))
            .or_else(|| self.outside())
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let (window, steps) = (&self.window, self.steps());
        let ones = vec![1; window.len()];
        let (shape, windows) = windowed("window", window, [&steps, &ones], &self.padding, input)?;
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
