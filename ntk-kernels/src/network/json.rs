//! A network as JSON. Errors name the layer by its path, `layers[3]`.

use super::{Dense, Layer, Network, Parameterization};
use crate::dual::Activation;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use thiserror::Error;

/// Why a JSON text or value does not describe a network.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NetworkError {
    /// The text is not JSON.
    #[error("the network is not valid JSON: {0}")]
    Syntax(String),
    /// The outermost value has another form.
    #[error(
        "a network is {{\"parameterization\": \"ntk\" or \"standard\", \"layers\": [...]}}; found {found}"
    )]
    Form {
        /// What was found instead.
        found: String,
    },
    /// A layer is neither a name nor `{name: {options}}`.
    #[error("{path}: a layer is a name or {{name: {{options}}}}, found {found}")]
    LayerForm {
        /// Where, as `layers[i]`.
        path: String,
        /// What was found instead.
        found: String,
    },
    /// No layer has this name.
    #[error("{path}: unknown layer \"{name}\"; known are {known}")]
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
}

/// Names of the layers that are not activations.
const STRUCTURAL: [&str; 1] = ["dense"];

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

    /// Checks every layer's options, as reading from JSON does.
    ///
    /// # Errors
    /// [`NetworkError::Options`] of the first layer at fault.
    pub fn validate(&self) -> Result<(), NetworkError> {
        for (i, layer) in self.layers.iter().enumerate() {
            let fault = match layer {
                Layer::Dense(dense) => dense.fault(),
                Layer::Activation(activation) => activation.fault(),
            };
            if let Some(reason) = fault {
                let name = name_and_options(layer).0.to_string();
                return Err(NetworkError::Options {
                    path: format!("layers[{i}]"),
                    name,
                    reason,
                });
            }
        }
        Ok(())
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
        let layers = layers
            .into_iter()
            .enumerate()
            .map(|(i, value)| read_layer(&format!("layers[{i}]"), value))
            .collect::<Result<_, _>>()?;
        let network = Self {
            parameterization,
            layers,
        };
        network.validate()?;
        Ok(network)
    }
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
    if name == "dense" {
        return read_options::<Dense>(path, &name, options).map(Layer::Dense);
    }
    match Activation::from_name(&name, options) {
        Some(Ok(activation)) => Ok(Layer::Activation(activation)),
        Some(Err(reason)) => Err(NetworkError::Options {
            path: path.into(),
            name,
            reason,
        }),
        None => {
            let known = [&STRUCTURAL[..], Activation::NAMES].concat().join(", ");
            Err(NetworkError::UnknownLayer {
                path: path.into(),
                name,
                known,
            })
        }
    }
}

fn read_options<L: DeserializeOwned>(
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

fn name_and_options(layer: &Layer) -> (&'static str, Value) {
    match layer {
        Layer::Dense(d) => (
            "dense",
            json!({"width": d.width, "w_std": d.w_std, "b_std": d.b_std}),
        ),
        Layer::Activation(activation) => activation.name_and_options(),
    }
}

impl From<Network> for Value {
    fn from(network: Network) -> Self {
        let layers: Vec<Self> = network
            .layers
            .iter()
            .map(|layer| match name_and_options(layer) {
                (name, Self::Null) => json!(name),
                (name, options) => json!({ name: options }),
            })
            .collect();
        json!({"parameterization": network.parameterization, "layers": layers})
    }
}

#[cfg(test)]
mod tests {
    use super::super::{abs, dense, leaky_relu, relu};
    use super::*;

    #[test]
    fn round_trips() {
        let network = Network::new()
            .then(dense().width(7).w_std(1.4).b_std(0.1))
            .then(leaky_relu(0.2))
            .then(dense())
            .then(relu())
            .then(abs())
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
