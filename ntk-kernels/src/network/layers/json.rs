//! Reads and writes layers as JSON.

use super::{Layer, NetworkError, READERS};
use crate::dual::Activation;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// Reads the layers of a JSON array; `path` names each in an error.
pub(in crate::network) fn read_layers(
    layers: Vec<Value>,
    path: &dyn Fn(usize) -> String,
) -> Result<Vec<Layer>, NetworkError> {
    layers
        .into_iter()
        .enumerate()
        .map(|(i, value)| read_layer(&path(i), value))
        .collect()
}

fn read_layer(path: &str, value: Value) -> Result<Layer, NetworkError> {
    let (name, options) = match value {
        Value::String(name) => (name, Value::Object(Map::new())),
        Value::Object(fields) if fields.len() == 1 => {
            fields.into_iter().next().expect("one field was counted")
        }
        other => {
            return Err(NetworkError::LayerForm {
                path: path.into(),
                found: other.to_string(),
            });
        }
    };
    let reader = READERS.iter().find(|(names, _)| names.contains(&&name[..]));
    match reader {
        Some((_, read)) => read(path, &name, options),
        None => read_activation(path, name, options),
    }
}

fn read_activation(path: &str, name: String, options: Value) -> Result<Layer, NetworkError> {
    match Activation::from_name(&name, options) {
        Some(Ok(activation)) => Ok(Layer::Activation(activation)),
        Some(Err(reason)) => Err(NetworkError::Options {
            path: path.into(),
            name,
            reason,
        }),
        None => {
            let layers = READERS.iter().flat_map(|(names, _)| names.iter().copied());
            let known: Vec<_> = layers.chain(Activation::names()).collect();
            Err(NetworkError::UnknownLayer {
                path: path.into(),
                name,
                known: known.join(", "),
            })
        }
    }
}

/// Reads the options of a layer.
pub(super) fn options<L: DeserializeOwned>(
    path: &str,
    name: &str,
    options: Value,
) -> Result<L, NetworkError> {
    serde_json::from_value(options).map_err(|e| NetworkError::Options {
        path: path.into(),
        name: name.into(),
        reason: e.to_string(),
    })
}

/// Refuses options of a layer that has none.
pub(super) fn no_options(path: &str, name: &str, value: Value) -> Result<(), NetworkError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoOptions {}
    options(path, name, value).map(|NoOptions {}| ())
}

/// Writes layers as a JSON array.
pub(in crate::network) fn layers(layers: &[Layer]) -> Value {
    layers
        .iter()
        .map(|layer| match layer.kind().options() {
            Value::Null => json!(layer.name()),
            options => json!({ layer.name(): options }),
        })
        .collect()
}
