//! Describes averages and sums over all positions, or over some axes of them.

use super::{Action, Layer, LayerKind, NetworkError, Pooling, Resolved, Shape, json, to_json};
use crate::network::positions::PositionMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A `GlobalPool` averages or sums over all positions, or over some axes of them, channel by channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GlobalPool {
    /// The operation: average or sum.
    #[serde(skip)]
    pub pooling: Pooling,
    /// The axes that are pooled, counted as in a batch: 1 is the first axis of positions. `None` means
    /// all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axes: Option<Vec<isize>>,
}

/// Makes a layer that averages over all positions, channel by channel.
#[must_use]
pub fn global_avg_pool() -> GlobalPool {
    GlobalPool {
        pooling: Pooling::Average,
        axes: None,
    }
}

/// Makes a layer that sums over all positions, channel by channel.
#[must_use]
pub fn global_sum_pool() -> GlobalPool {
    GlobalPool {
        pooling: Pooling::Sum,
        axes: None,
    }
}

impl GlobalPool {
    /// Sets the axes that are pooled, counted as in a batch: 1 is the first axis of positions.
    ///
    /// ```
    /// use ntk_kernels::network::{Network, Shape, global_avg_pool};
    ///
    /// let network = Network::new().then(global_avg_pool().axes([2]));
    /// assert_eq!(network.output([8, 6, 3])?, Shape::new([8], 3));
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    #[must_use]
    pub fn axes(mut self, axes: impl Into<Vec<isize>>) -> Self {
        self.axes = Some(axes.into());
        self
    }
}

impl LayerKind for GlobalPool {
    fn name(&self) -> &str {
        match self.pooling {
            Pooling::Average => NAMES[0],
            Pooling::Sum => NAMES[1],
        }
    }

    fn options(&self) -> Value {
        match &self.axes {
            None => Value::Null,
            Some(_) => to_json(self),
        }
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let over = input.marked_positions(self.axes.as_deref(), "pooled")?;
        let map = PositionMap::global(input, &over, self.pooling == Pooling::Average)?;
        Ok(Resolved {
            shape: input.without(&over),
            action: Action::Positions(map),
        })
    }
}

pub(super) const NAMES: &[&str] = &["global_avg_pool", "global_sum_pool"];

/// The options of a pool as JSON has them.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    axes: Option<Vec<isize>>,
}

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    let Options { axes } = json::options(at, name, options)?;
    let pooling = match name == NAMES[0] {
        true => Pooling::Average,
        false => Pooling::Sum,
    };
    Ok(GlobalPool { pooling, axes }.into())
}
