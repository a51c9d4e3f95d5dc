//! Makes layers of activations, which [`crate::dual`] lists.

use super::{Action, Layer, LayerKind, Resolved, Shape};
use crate::dual::Activation;
use serde_json::Value;

impl LayerKind for Activation {
    fn name(&self) -> &str {
        self.name_and_options().0
    }

    fn options(&self) -> Value {
        self.name_and_options().1
    }

    fn fault(&self) -> Option<String> {
        Self::fault(self)
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        Ok(Resolved {
            shape: input.clone(),
            action: Action::Activation(self.clone()),
        })
    }
}

impl From<Activation> for Layer {
    fn from(activation: Activation) -> Self {
        Self::Activation(activation)
    }
}
