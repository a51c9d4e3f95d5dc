//! Reads and writes networks as JSON.

use super::error::{NetworkError, top};
use super::layers::json::{layers, read_layers};
use super::names::nearest;
use super::{Network, Parameterization};
use crate::options;
use crate::text::{self, escaped};
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
    /// Whole numbers may be written with a fraction of zero, 512.0; a byte order mark before the
    /// text is passed over.
    ///
    /// # Errors
    /// Returns a [`NetworkError`], which names the layer at fault by its path.
    pub fn from_json(text: &str) -> Result<Self, NetworkError> {
        Self::from_json_or(text, Parameterization::default())
    }

    /// Reads a network as [`Network::from_json`] does, in this parameterisation where the text does
    /// not name one.
    ///
    /// ```
    /// use ntk_kernels::network::{Network, Parameterization};
    ///
    /// let network = Network::from_json_or(r#"{"layers": ["dense"]}"#, Parameterization::Standard)?;
    /// assert_eq!(network.parameterization, Parameterization::Standard);
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails as [`Network::from_json`] does.
    pub fn from_json_or(text: &str, unnamed: Parameterization) -> Result<Self, NetworkError> {
        Self::of(Self::parsed(text)?, unnamed)
    }

    /// Parses a JSON text whose brackets are not too deep, and whose objects have no key twice.
    pub(super) fn parsed(text: &str) -> Result<Value, NetworkError> {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let depth = depth(text);
        if depth > MOST_BRACKETS {
            let most = MOST_BRACKETS;
            return Err(NetworkError::Depth { depth, most });
        }
        let Unique(value) = serde_json::from_str(text)
            .map_err(|e| NetworkError::Syntax(escaped(&e.to_string())))?;
        Ok(value)
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

/// The mark that some editors write at the beginning of a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The most brackets of JSON that may be open at one place: two of the network, four of each of 30
/// branches in each other, and four of a layer's options. More than 127 are not parsed.
const MOST_BRACKETS: usize = 2 + 4 * 30 + 4;

/// Returns the most brackets that are open at one place of a JSON text.
fn depth(text: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    let (mut quoted, mut escape) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escape => escape = false,
            b'\\' if quoted => escape = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                open += 1;
                most = most.max(open);
            }
            b']' | b'}' if !quoted => open = open.saturating_sub(1),
            _ => {}
        }
    }
    most
}

impl TryFrom<Value> for Network {
    type Error = NetworkError;

    fn try_from(value: Value) -> Result<Self, NetworkError> {
        Self::of(value, Parameterization::default())
    }
}

impl Network {
    pub(super) fn of(value: Value, unnamed: Parameterization) -> Result<Self, NetworkError> {
        let form = |found: String| NetworkError::Form { found };
        let Value::Object(mut fields) = value else {
            return Err(form(text::value(&value)));
        };
        let parameterization = match fields.remove("parameterization") {
            None => unnamed,
            Some(value) => options::read(&value).map_err(|_| NetworkError::Option {
                place: "parameterization".into(),
                found: text::value(&value),
                expected: options::one_of(&["ntk", "standard"]),
            })?,
        };
        let layers = fields.remove("layers");
        if let Some(key) = fields.keys().next() {
            let known = ["parameterization", "layers"];
            let advice = match nearest(key, known.into_iter()) {
                Some(nearest) => format!("; write \"{nearest}\""),
                None => String::new(),
            };
            return Err(form(format!(
                "the unknown key \"{}\"{advice}",
                escaped(key)
            )));
        }
        let layers = match layers {
            Some(Value::Array(layers)) => layers,
            Some(other) => {
                return Err(NetworkError::Option {
                    place: "layers".into(),
                    found: text::value(&other),
                    expected: "a list of layers in brackets".into(),
                });
            }
            None => return Err(form("no layers".into())),
        };
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
                    "the key \"{}\" occurs twice in one object",
                    escaped(&key)
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
                .starts_with("layers[0].dense has no option \"widht\"; write \"width\"")
        );
        assert!(
            read(r#"{"layers": [{"dense": {"width": 0}}]}"#).contains("width must be at least 1")
        );
        assert!(read(r#"{"layers": [{"dense": {"w_std": -1}}]}"#).contains("found -1"));
        assert!(
            read(r#"{"layers": [{"relu": {"slope": 1}}]}"#).starts_with("layers[0].relu has no")
        );
        assert!(read(r#"{"layers": ["leaky_relu"]}"#).contains("slope"));
        assert!(read(r#"{"layers": [3]}"#).contains("found 3"));
        assert!(read(r#"{"layers": [], "depth": 3}"#).contains("depth"));
        assert!(read(r#"{"parameterization": "mup", "layers": []}"#).contains("mup"));
        assert!(read("{").starts_with("the network is not valid JSON"));
        assert!(read("[]").contains("found []"));
        for (text, said) in [
            (
                r#"{"layers": [{"conv": {"padding": 1}}]}"#,
                "layers[0].conv.padding is 1: expected \"valid\"",
            ),
            (
                r#"{"layers": [{"dense": {"width": 2.5}}]}"#,
                "layers[0].dense.width is 2.5: expected a whole number",
            ),
            (
                r#"{"layers": [{"dense": 512}]}"#,
                "layers[0].dense is 512: expected options in braces, as {\"width\": ...}",
            ),
            (
                r#"{"layers": [{"quadrature": {"function": "Tanh"}}]}"#,
                "layers[0].quadrature.function is \"Tanh\": expected \"tanh\", \"softplus\"",
            ),
            (
                r#"{"layers": [{"branch": {"paths": [[], 7]}}]}"#,
                "layers[0].branch.paths[1] is 7: expected a list in brackets",
            ),
            (
                r#"{"layers": [{"polynomial": {"coefficients": [1, "x"]}}]}"#,
                "layers[0].polynomial.coefficients[1] is \"x\": expected a number",
            ),
            (
                r#"{"layers": ["leaky_relu"]}"#,
                "layers[0].leaky_relu needs its slope; write {\"leaky_relu\": {\"slope\": ...}}",
            ),
            (
                r#"{"parameterization": "NTK", "layers": []}"#,
                "parameterization is \"NTK\": expected \"ntk\" or \"standard\"",
            ),
            (
                r#"{"parametrization": "ntk", "layers": []}"#,
                "the unknown key \"parametrization\"; write \"parameterization\"",
            ),
            (
                r#"{"layers": "dense"}"#,
                "layers is \"dense\": expected a list",
            ),
            (
                r#"{"layers": ["a\u001b[31m\n"]}"#,
                "layers[0]: unknown layer \"a\\u{1b}[31m\\n\"; use one of",
            ),
        ] {
            let error = read(text);
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn no_word_of_rust_is_in_a_message() {
        let wrong = [
            "1",
            "-1",
            "2.5",
            "\"x\"",
            "null",
            "[]",
            "[\"x\"]",
            "{}",
            "{\"x\": 1}",
            "true",
        ];
        for name in Layer::names() {
            let options = match Network::from_json(&format!(r#"{{"layers": ["{name}"]}}"#)) {
                Ok(network) => network.layers[0].kind().options(),
                // Those that have an option without a default.
                Err(_) => serde_json::json!({
                    "slope": 0, "keep": 0, "degree": 0, "window": 0, "paths": 0,
                    "coefficients": 0, "function": 0, "nodes": 0, "a": 0, "b": 0,
                }),
            };
            let mut texts = wrong
                .map(|options| format!("{{\"{name}\": {options}}}"))
                .to_vec();
            for option in options.as_object().into_iter().flat_map(|o| o.keys()) {
                texts.extend(wrong.map(|w| format!("{{\"{name}\": {{\"{option}\": {w}}}}}")));
            }
            for text in texts {
                let read = Network::from_json(&format!(r#"{{"layers": [{text}]}}"#));
                let Err(error) = read else { continue };
                let error = error.to_string();
                for word in [
                    "usize",
                    "f64",
                    "u32",
                    "isize",
                    "struct",
                    "map",
                    "enum",
                    "variant",
                    "a sequence",
                    "integer",
                    "floating",
                    "field",
                    "unit",
                    "invalid",
                    "Some",
                    "None",
                ] {
                    // The name of a layer.
                    let error = error.replace("position_map", "");
                    assert!(!error.contains(word), "{text}: {error}");
                }
            }
        }
    }

    #[test]
    fn marks_and_fractions_of_zero_are_read() {
        let network = Network::new().then(conv([3, 3]).channels(16).strides([2, 1]));
        let text = r#"{"layers": [{"conv": {"channels": 16.0, "filter": [3.0, 3], "strides": [2.0, 1.0]}}]}"#;
        assert_eq!(Network::from_json(text), Ok(network.clone()));
        assert_eq!(Network::from_json(&format!("\u{feff}{text}")), Ok(network));
    }

    #[test]
    fn the_limit_of_nesting_is_told_as_ours() {
        let deep = |depth: usize| {
            let open = r#"{"branch":{"paths":[["#.repeat(depth);
            format!(r#"{{"layers":[{open}"dense"{}]}}"#, "]]}}".repeat(depth))
        };
        assert!(Network::from_json(&deep(30)).is_ok());
        for (depth, said) in [
            (31, "branches may be nested 30 deep"),
            (
                40,
                "nested 162 deep, and 126 are read, enough for 30 branches in each other",
            ),
            (100_000, "nested 400002 deep"),
        ] {
            let error = Network::from_json(&deep(depth)).unwrap_err().to_string();
            assert!(error.contains(said), "{depth}: {error}");
        }
        // Brackets in names are no brackets.
        let names = format!(r#"{{"layers": ["{}\"["]}}"#, "[".repeat(200));
        let error = Network::from_json(&names).unwrap_err().to_string();
        assert!(error.contains("unknown layer"), "{error}");
    }
}
