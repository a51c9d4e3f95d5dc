//! Describes the layer that makes features of positions and channels.

use super::{Action, Layer, LayerKind, NetworkError, Resolved, Shape, json};
use serde_json::Value;

/// `Flatten` makes features of positions and channels, row by row, and leaves vectors as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flatten;

/// Makes a layer that turns positions and channels into features, row by row.
#[must_use]
pub fn flatten() -> Flatten {
    Flatten
}

impl LayerKind for Flatten {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        Ok(Resolved {
            shape: Shape::features(input.size()),
            action: match input.positions() {
                [] => Action::Nothing,
                [..] => Action::Flatten,
            },
        })
    }
}

pub(super) const NAMES: &[&str] = &["flatten"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::no_options(at, name, options).map(|()| flatten().into())
}
