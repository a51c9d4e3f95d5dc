//! Reads and writes networks as JSON.

use super::error::{NetworkError, top};
use super::layers::json::{layers, read_layers};
use super::{Network, Parameterization};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use std::fmt;

impl Network {
    /// Reads a network from JSON text; [the module](super) describes the format.
    ///
    /// ```
    /// use ntk_kernels::network::{Network, conv, dense, relu};
    ///
    /// let text = r#"{"layers": [{"conv": {"filter": [3, 3]}}, "relu", {"dense": {"width": 10}}]}"#;
    /// let network = Network::from_json(text)?;
    /// let same = Network::new().then(conv([3, 3])).then(relu()).then(dense().width(10));
    /// assert_eq!(network, same);
    /// let error = Network::from_json(r#"{"layers": ["dens"]}"#).unwrap_err();
    /// assert!(error.to_string().starts_with("layers[0]: unknown layer"));
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns a [`NetworkError`], which names the layer at fault by its path.
    pub fn from_json(text: &str) -> Result<Self, NetworkError> {
        let Unique(value) =
            serde_json::from_str(text).map_err(|e| NetworkError::Syntax(e.to_string()))?;
        Self::try_from(value)
    }

    /// Writes the network as JSON text, from which [`Network::from_json`] reads an equal network.
    ///
    /// Layers and activations of the user's own are written by name, and cannot be read back.
    ///
    /// ```
    /// use ntk_kernels::network::{Network, dense, relu};
    ///
    /// let network = Network::new().then(dense().width(64)).then(relu()).then(dense().width(1));
    /// assert_eq!(Network::from_json(&network.to_json())?, network);
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
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

/// A JSON value none of whose objects has a key twice; `Value` itself would take the last one.
pub(super) struct Unique(Value);

impl TryFrom<Unique> for Network {
    type Error = NetworkError;

    fn try_from(Unique(value): Unique) -> Result<Self, NetworkError> {
        Self::try_from(value)
    }
}

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(all.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if all.contains_key(&key) {
                return Err(A::Error::custom(format!(
                    "the key \"{key}\" occurs twice in one object"
                )));
            }
            let Unique(value) = entries.next_value()?;
            all.insert(key, value);
        }
        Ok(all.into())
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
