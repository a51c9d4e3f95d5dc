//! Describes the layer that leaves values as they are.

use super::{Action, Layer, LayerKind, NetworkError, Resolved, Shape, json};
use serde_json::Value;

/// `Identity` passes its input on, as the skip connection of a residual block does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity;

/// Makes a layer that passes its input on, as the skip connection of a residual block does.
#[must_use]
pub fn identity() -> Identity {
    Identity
}

impl LayerKind for Identity {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let (shape, action) = (input.clone(), Action::Nothing);
        Ok(Resolved { shape, action })
    }
}

pub(super) const NAMES: &[&str] = &["identity"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::no_options(at, name, options).map(|()| identity().into())
}
