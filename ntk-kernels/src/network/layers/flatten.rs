//! Describes the layer that makes features of positions and channels.

use super::{Action, Layer, LayerKind, NetworkError, Resolved, Shape, json, to_json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A `Flatten` makes features of the channels and of all axes of positions, or of some.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Flatten {
    /// The axes that become part of the features, counted as in a batch: 1 is the first axis of
    /// positions. `None` means all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axes: Option<Vec<isize>>,
}

/// Makes features of all positions and channels.
///
/// ```
/// use ntk_kernels::network::{Network, Shape, flatten};
///
/// let network = Network::new().then(flatten().axes([1]));
/// assert_eq!(network.output([8, 6, 3])?, Shape::new([6], 8 * 3));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[must_use]
pub fn flatten() -> Flatten {
    Flatten::default()
}

impl Flatten {
    /// Sets the axes that become part of the features, counted as in a batch: 1 is the first axis
    /// of positions.
    #[must_use]
    pub fn axes(mut self, axes: impl Into<Vec<isize>>) -> Self {
        self.axes = Some(axes.into());
        self
    }
}

impl LayerKind for Flatten {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn options(&self) -> Value {
        match &self.axes {
            None => Value::Null,
            Some(_) => to_json(self),
        }
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let over = match (&self.axes, input.positions()) {
            (None, []) => Vec::new(),
            (axes, _) => input.marked_positions(axes.as_deref(), "made features of")?,
        };
        Ok(Resolved {
            shape: input.flattened(&over),
            action: match over.contains(&true) {
                false => Action::Nothing,
                true => Action::Flatten { over },
            },
        })
    }
}

pub(super) const NAMES: &[&str] = &["flatten"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::options::<Flatten>(at, name, options).map(Layer::Flatten)
}
