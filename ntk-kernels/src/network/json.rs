//! A network as JSON.

use super::error::{NetworkError, top};
use super::layers::json::{layers, read_layers};
use super::{Network, Parameterization};
use serde_json::{Value, json};

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
