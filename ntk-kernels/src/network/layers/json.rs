//! Reads and writes layers as JSON.

use super::{Layer, NetworkError, READERS};
use crate::dual::Activation;
use crate::network::names::{instead_of_layer, instead_of_option};
use crate::options::{self, OptionFault};
use crate::text;
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
                found: text::value(&other),
            });
        }
    };
    let reader = READERS.iter().find(|(names, _)| names.contains(&&name[..]));
    match reader {
        Some((_, read)) => read(path, &name, options),
        None => read_activation(path, name, options),
    }
}

/// Reads an activation as a layer has it, by name or with options; `path` names it in an error.
pub(super) fn read_activation_of(path: &str, value: Value) -> Result<Activation, NetworkError> {
    let layer = read_layer(path, value)?;
    let found = layer.name().to_string();
    let Layer::Activation(activation) = layer else {
        return Err(NetworkError::Option {
            place: path.into(),
            found,
            expected: "an activation".into(),
        });
    };
    Ok(activation)
}

fn read_activation(path: &str, name: String, options: Value) -> Result<Layer, NetworkError> {
    match Activation::from_name(&name, options) {
        Some(Ok(activation)) => Ok(Layer::Activation(activation)),
        Some(Err(fault)) => Err(refused(path, &name, fault)),
        None => Err(NetworkError::UnknownLayer {
            path: path.into(),
            advice: instead_of_layer(&name, Layer::names()),
            name,
        }),
    }
}

impl Layer {
    /// Iterates over the names that JSON knows, those of activations included.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let layers = READERS.iter().flat_map(|(names, _)| names.iter().copied());
        layers.chain(Activation::names())
    }
}

/// Makes the error of a layer's options.
fn refused(path: &str, name: &str, fault: OptionFault) -> NetworkError {
    let (path, name) = (path.to_string(), name.to_string());
    match fault {
        OptionFault::Wrong {
            option,
            found,
            expected,
        } => NetworkError::Option {
            place: match option.is_empty() || option.starts_with('[') {
                true => format!("{path}.{name}{option}"),
                false => format!("{path}.{name}.{option}"),
            },
            found,
            expected,
        },
        OptionFault::Unknown { option, known } => NetworkError::UnknownOption {
            path,
            name,
            advice: instead_of_option(&option, known),
            option,
        },
        OptionFault::Missing { option } => NetworkError::MissingOption {
            path,
            name,
            option: option.into(),
        },
        OptionFault::Reason(reason) => NetworkError::Options { path, name, reason },
    }
}

/// Reads the options of a layer.
pub(super) fn options<L: DeserializeOwned>(
    path: &str,
    name: &str,
    options: Value,
) -> Result<L, NetworkError> {
    options::read(&options).map_err(|fault| refused(path, name, fault))
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
