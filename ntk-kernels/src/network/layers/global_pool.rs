//! Describes averages and sums over all positions.

use super::{Action, Layer, LayerKind, NetworkError, Pooling, Resolved, Shape, json};
use crate::network::positions::PositionMap;
use serde_json::Value;

/// A `GlobalPool` averages or sums over all positions, channel by channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GlobalPool {
    /// The operation: average or sum.
    pub pooling: Pooling,
}

/// Makes a layer that averages over all positions, channel by channel.
#[must_use]
pub fn global_avg_pool() -> GlobalPool {
    let pooling = Pooling::Average;
    GlobalPool { pooling }
}

/// Makes a layer that sums over all positions, channel by channel.
#[must_use]
pub fn global_sum_pool() -> GlobalPool {
    let pooling = Pooling::Sum;
    GlobalPool { pooling }
}

impl LayerKind for GlobalPool {
    fn name(&self) -> &str {
        match self.pooling {
            Pooling::Average => NAMES[0],
            Pooling::Sum => NAMES[1],
        }
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        input.needs_positions()?;
        let map = PositionMap::global(input, |size| match self.pooling {
            Pooling::Average => (size as f64).recip(),
            Pooling::Sum => 1.0,
        })?;
        Ok(Resolved {
            shape: Shape::features(input.channels()),
            action: Action::Positions(map),
        })
    }
}

pub(super) const NAMES: &[&str] = &["global_avg_pool", "global_sum_pool"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::no_options(at, name, options)?;
    Ok(match name == NAMES[0] {
        true => global_avg_pool(),
        false => global_sum_pool(),
    }
    .into())
}
