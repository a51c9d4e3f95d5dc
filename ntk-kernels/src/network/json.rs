//! A network as JSON. Errors name the layer by its path, `layers[3]`.

use super::layers::{Layer, READERS};
use super::{Network, Parameterization};
use crate::dual::Activation;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use thiserror::Error;

/// Why a JSON text or value does not describe a network.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NetworkError {
    /// The text is not JSON.
    #[error("the network is not valid JSON: {0}; correct the text there")]
    Syntax(String),
    /// The outermost value has another form.
    #[error(
        "a network must be {{\"parameterization\": \"ntk\" or \"standard\", \"layers\": [...]}}, found {found}"
    )]
    Form {
        /// What was found instead.
        found: String,
    },
    /// A layer is neither a name nor `{name: {options}}`.
    #[error("{path}: a layer must be a name or {{name: {{options}}}}, found {found}")]
    LayerForm {
        /// Where, as `layers[i]`.
        path: String,
        /// What was found instead.
        found: String,
    },
    /// No layer has this name.
    #[error("{path}: unknown layer \"{name}\"; use one of {known}")]
    UnknownLayer {
        /// Where, as `layers[i]`.
        path: String,
        /// The name found.
        name: String,
        /// The names there are.
        known: String,
    },
    /// An option is unknown, of the wrong type or out of range.
    #[error("{path}.{name}: {reason}")]
    Options {
        /// Where, as `layers[i]`.
        path: String,
        /// The layer's name.
        name: String,
        /// What is wrong, and what is expected.
        reason: String,
    },
    /// A layer does not take what the layers before it give.
    #[error("{path}.{name}: {reason}")]
    Shape {
        /// Where, as `layers[i]`.
        path: String,
        /// The layer's name.
        name: String,
        /// What is wrong with the input's shape.
        reason: String,
    },
}

/// The path of layer `i` of the network itself.
pub fn top(i: usize) -> String {
    format!("layers[{i}]")
}

/// The path of layer `i` of path `path` of the branch at `at`.
pub fn inside(at: &str, path: usize, i: usize) -> String {
    format!("{at}.branch.paths[{path}][{i}]")
}

impl Network {
    /// Reads a network from JSON text.
    ///
    /// # Errors
    /// [`NetworkError`], naming the layer by its path.
    pub fn from_json(text: &str) -> Result<Self, NetworkError> {
        let value: Value =
            serde_json::from_str(text).map_err(|e| NetworkError::Syntax(e.to_string()))?;
        Self::try_from(value)
    }

    /// The network as JSON text that [`Network::from_json`] reads back equal.
    #[must_use]
    pub fn to_json(&self) -> String {
        Value::from(self.clone()).to_string()
    }
}

impl TryFrom<Value> for Network {
    type Error = NetworkError;

    fn try_from(value: Value) -> Result<Self, NetworkError> {
        let form = |found: String| NetworkError::Form { found };
        let Value::Object(mut fields) = value else {
            return Err(form(value.to_string()));
        };
        let parameterization = match fields.remove("parameterization") {
            None => Parameterization::Ntk,
            Some(value) => serde_json::from_value(value.clone())
                .map_err(|_| form(format!("parameterization {value}")))?,
        };
        let layers = match fields.remove("layers") {
            Some(Value::Array(layers)) => layers,
            Some(other) => return Err(form(format!("layers {other}"))),
            None => return Err(form("no layers".into())),
        };
        if let Some(key) = fields.keys().next() {
            return Err(form(format!("the unknown key \"{key}\"")));
        }
        let layers = read_layers(layers, &top)?;
        let network = Self {
            parameterization,
            layers,
        };
        network.validate()?;
        Ok(network)
    }
}

pub(super) fn read_layers(
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

/// A layer's options.
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

/// Layers as a JSON array.
pub(super) fn layers(layers: &[Layer]) -> Value {
    layers
        .iter()
        .map(|layer| match layer.kind().options() {
            Value::Null => json!(layer.name()),
            options => json!({ layer.name(): options }),
        })
        .collect()
}

impl From<Network> for Value {
    fn from(network: Network) -> Self {
        json!({"parameterization": network.parameterization, "layers": layers(&network.layers)})
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;

    #[test]
    fn round_trips() {
        let network = Network::new()
            .then(dense().width(7).w_std(1.4).b_std(0.1))
            .then(leaky_relu(0.2))
            .then(dense())
            .then(relu())
            .then(abs())
            .then(conv([2, 3]).same().strides([2, 1]))
            .then(branch([
                Network::new().then(avg_pool([2, 2]).same()).then(product([
                    Network::new().then(identity()),
                    Network::new().then(attention().linear_scaling(false)),
                ])),
                Network::new().then(layer_norm().axes([-1, 1])),
            ]))
            .then(dropout(0.5))
            .then(global_sum_pool())
            .then(flatten())
            .parameterization(Parameterization::Standard);
        assert_eq!(Network::from_json(&network.to_json()), Ok(network));
    }

    #[test]
    fn errors_name_the_layer() {
        let read = |text: &str| Network::from_json(text).unwrap_err().to_string();
        assert!(
            read(r#"{"layers": ["dense", "rellu"]}"#)
                .starts_with("layers[1]: unknown layer \"rellu\"")
        );
        assert!(
            read(r#"{"layers": [{"dense": {"widht": 3}}]}"#)
                .starts_with("layers[0].dense: unknown field `widht`")
        );
        assert!(
            read(r#"{"layers": [{"dense": {"width": 0}}]}"#).contains("width must be at least 1")
        );
        assert!(read(r#"{"layers": [{"dense": {"w_std": -1}}]}"#).contains("found -1"));
        assert!(read(r#"{"layers": [{"relu": {"slope": 1}}]}"#).starts_with("layers[0].relu: "));
        assert!(read(r#"{"layers": ["leaky_relu"]}"#).contains("slope"));
        assert!(read(r#"{"layers": [3]}"#).contains("found 3"));
        assert!(read(r#"{"layers": [], "depth": 3}"#).contains("depth"));
        assert!(read(r#"{"parameterization": "mup", "layers": []}"#).contains("mup"));
        assert!(read("{").starts_with("the network is not valid JSON"));
        assert!(read("[]").contains("found []"));
    }
}
