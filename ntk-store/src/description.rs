//! The description of a stored matrix: its manifest, and in what two of them differ.

use crate::error::{Difference, Error};
use crate::files::{BUFFER, CHECKSUM_BYTES, MANIFEST, put};
use ndarray::{ArrayRef, Dimension};
use ntk_kernels::network::{Network, inside, top};
use ntk_kernels::tiles::KernelTiles;
use ntk_kernels::{Inputs, Kernel, Structure};
use ntk_linalg::Real;
use ntk_linalg::tiled::Tiling;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// The version of what is under `attributes.ntk`, and of how tiles are kept.
const FORMAT: u64 = 2;

/// The version in which a layer without a bias had a `b_std` of 0.
const ZERO_WITHOUT_BIAS: u64 = 1;

/// Takes away what was the sign of no bias, and is now a bias that starts at zero.
fn without_zero_biases(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match key == "b_std" && value.as_f64() == Some(0.0) {
                    true => *value = Value::Null,
                    false => without_zero_biases(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_zero_biases),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A `Description` says what a stored matrix is.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// The network.
    pub network: Network,
    /// The one of its kernels that is stored.
    pub kernel: Kernel,
    /// The element type, `"f32"` or `"f64"`.
    pub precision: &'static str,
    /// The way in which the matrix is cut.
    pub tiling: Tiling,
    /// The fingerprint of the rows' samples.
    pub x1: Fingerprint,
    /// The fingerprint of the columns' samples; `None` for `x1` with itself.
    pub x2: Option<Fingerprint>,
    /// The finite network whose empirical kernel it is; `None` for a kernel in closed form.
    pub finite: Option<Finite>,
}

/// A `Finite` says what an empirical kernel depends on besides network and samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finite {
    /// The SHA-256 of the network's parameters in the matrix's precision, see [the crate](crate), in
    /// hexadecimal digits.
    pub sha256: String,
    /// The number of rows, and columns, of the matrix that a sample has: 1 for the mean over outputs,
    /// one for each output for all pairs of them.
    pub side: usize,
}

/// A `Fingerprint` tells samples from others, by their shape, their values, their masks and graphs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// The shape of the array, samples first.
    pub shape: Vec<usize>,
    /// The SHA-256 of shape and values in the matrix's precision, see [the crate](crate), in
    /// hexadecimal digits.
    pub sha256: String,
    /// The SHA-256 of the samples' masks and graphs, see [the crate](crate), where they have any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structure: Option<String>,
}

impl Fingerprint {
    /// Computes the fingerprint of samples `x` (n, ...). Cost: one pass over them.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_store::Fingerprint;
    ///
    /// let x = array![[1.0, 0.0], [0.6, 0.8]];
    /// assert_eq!(Fingerprint::of(&x), Fingerprint::of(&x.view().into_dyn()));
    /// assert_ne!(Fingerprint::of(&x), Fingerprint::of(&x.t()));
    /// ```
    pub fn of<'x, T: Real>(x: impl Into<Inputs<'x, T>>) -> Self {
        let Inputs { x, structure } = x.into();
        let mut hash = Sha256::new();
        add(&mut hash, &x);
        let n = x.shape().first().copied().unwrap_or(0);
        Self {
            shape: x.shape().to_vec(),
            sha256: digits(hash),
            structure: (!structure.is_empty()).then(|| digits(hash_of(&structure, n))),
        }
    }
}

/// Adds the lengths of an array's axes and its numbers to a hash.
fn add<T: Real, D: Dimension>(hash: &mut Sha256, x: &ArrayRef<T, D>) {
    for &length in x.shape() {
        hash.update((length as u64).to_le_bytes());
    }
    let mut bytes = Vec::new();
    for &value in x {
        put(value, &mut bytes);
        if bytes.len() >= BUFFER {
            hash.update(&bytes);
            bytes.clear();
        }
    }
    hash.update(&bytes);
}

/// Hashes the masks and graphs of n samples.
fn hash_of(structure: &Structure, n: usize) -> Sha256 {
    let mut hash = Sha256::new();
    let number = |number: usize| (number as u64).to_le_bytes();
    if let Some(mask) = structure.masked() {
        hash.update(b"mask");
        mask.shape()
            .iter()
            .for_each(|&size| hash.update(number(size)));
        let bytes: Vec<u8> = mask.iter().map(|&masked| masked.into()).collect();
        hash.update(bytes);
    }
    for edges in (0..n).filter_map(|sample| structure.edges_of(sample)) {
        hash.update(b"graph");
        hash.update(number(edges.len()));
        for edge in edges {
            hash.update(number(edge.tail));
            hash.update(number(edge.head));
            hash.update(edge.weight.to_le_bytes());
        }
    }
    hash
}

fn digits(hash: Sha256) -> String {
    let digits = hash.finalize();
    digits.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The `attributes.ntk` of the manifest.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attributes {
    format: u64,
    network: Network,
    kernel: Kernel,
    half: Half,
    x1: Fingerprint,
    x2: Option<Fingerprint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finite: Option<Finite>,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Half {
    Lower,
    All,
}

impl Description {
    /// Describes the matrix whose tiles these are. Cost: one pass over the samples, and the parameters
    /// where there are any.
    ///
    /// # Errors
    /// [`Error::Network`] where JSON cannot say what the network is: with an activation of
    /// the user's own.
    pub fn of<T: Real>(tiles: &impl KernelTiles<T>) -> Result<Self, Error> {
        let network = tiles.network();
        if Network::from_json(&network.to_json()).as_ref() != Ok(&network) {
            return Err(Error::Network(network.to_json()));
        }
        let finite = tiles.parameters().map(|parameters| {
            let mut hash = Sha256::new();
            parameters.iter().for_each(|array| add(&mut hash, array));
            Finite {
                sha256: digits(hash),
                side: tiles.side(),
            }
        });
        Ok(Self {
            network,
            kernel: tiles.kernel(),
            precision: T::NAME,
            tiling: *tiles.tiling(),
            x1: Fingerprint::of(tiles.x1()),
            x2: tiles.x2().map(Fingerprint::of),
            finite,
        })
    }

    /// Reads the description of the store in `folder`, of whatever precision.
    ///
    /// # Errors
    /// [`Error::NotAStore`], [`Error::Manifest`], [`Error::Io`].
    pub fn read(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let path = folder.join(MANIFEST);
        let text = fs::read(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => Error::NotAStore(folder.into()),
            ErrorKind::NotADirectory => Error::NoFolder(folder.into()),
            _ => Error::io("read", &path)(e),
        })?;
        Self::from_json(&text).map_err(|reason| Error::Manifest { path, reason })
    }

    /// Checks that the store in `folder` is of this description.
    ///
    /// # Errors
    /// [`Error::Differs`], naming every difference; otherwise as [`Description::read`].
    pub fn check(&self, folder: impl AsRef<Path>) -> Result<(), Error> {
        let folder = folder.as_ref();
        let differences = Self::read(folder)?.differences(self);
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::Differs {
            folder: folder.into(),
            differences,
        })
    }

    /// Lists in what a store of this description is not what is `asked` for.
    #[must_use]
    pub fn differences(&self, asked: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut compare = |what: &str, stored: String, asked: String| {
            if stored != asked {
                found.push(Difference {
                    what: what.into(),
                    stored,
                    asked,
                });
            }
        };
        compare("precision", self.precision.into(), asked.precision.into());
        let kernel = |description: &Self| format!("{:?}", description.kernel).to_lowercase();
        compare("kernel", kernel(self), kernel(asked));
        let tile = |description: &Self| description.tiling.tile().to_string();
        compare("tile", tile(self), tile(asked));
        // The same numbers in another precision have another hash, which would say nothing.
        let exact = self.precision == asked.precision;
        let width = |finite: &Option<Finite>| match finite {
            None => "infinitely wide".into(),
            Some(_) => "finite".into(),
        };
        compare("network", width(&self.finite), width(&asked.finite));
        if let (Some(stored), Some(wanted)) = (&self.finite, &asked.finite) {
            let side = |finite: &Finite| finite.side.to_string();
            compare("the number of rows of a sample", side(stored), side(wanted));
            if exact {
                let [stored, wanted] = [stored, wanted].map(|finite| finite.sha256.clone());
                compare("the weights' SHA-256", stored, wanted);
            }
        }
        let pairs = [
            ("x1", Some(&self.x1), Some(&asked.x1)),
            ("x2", self.x2.as_ref(), asked.x2.as_ref()),
        ];
        for (name, stored, wanted) in pairs {
            let shape = |samples: Option<&Fingerprint>| {
                samples.map_or_else(|| "none".into(), |s| format!("of shape {:?}", s.shape))
            };
            let beside = |samples: Option<&Fingerprint>| {
                let hash = samples.and_then(|s| s.structure.clone());
                hash.map_or_else(|| "none".into(), |hash| format!("of SHA-256 {hash}"))
            };
            let what = format!("{name}'s masks and graphs");
            compare(&what, beside(stored), beside(wanted));
            let (before, after) = (shape(stored), shape(wanted));
            if before != after {
                compare(name, before, after);
            } else if let (Some(stored), Some(wanted), true) = (stored, wanted, exact) {
                let what = format!("{name}'s SHA-256");
                compare(&what, stored.sha256.clone(), wanted.sha256.clone());
            }
        }
        let parameterization = |description: &Self| {
            format!("{:?}", description.network.parameterization).to_lowercase()
        };
        let (stored, wanted) = (parameterization(self), parameterization(asked));
        compare("parameterization", stored, wanted);
        let layers = |description: &Self| Value::from(description.network.clone())["layers"].take();
        compare_layers(&layers(self), &layers(asked), &top, &mut compare);
        found
    }

    /// Computes the number of bytes of a tile's file.
    #[must_use]
    pub fn tile_bytes(&self) -> u64 {
        let tile = self.tiling.tile();
        let scalar = if self.precision == f32::NAME { 4 } else { 8 };
        // At most half of what 64 bits count, as `Tiling` has checked.
        (tile * tile * scalar + CHECKSUM_BYTES) as u64
    }

    /// Makes the content of `zarr.json`.
    pub(crate) fn to_json(&self) -> Value {
        let tiling = &self.tiling;
        let attributes = Attributes {
            format: FORMAT,
            network: self.network.clone(),
            kernel: self.kernel,
            half: if tiling.is_symmetric() {
                Half::Lower
            } else {
                Half::All
            },
            x1: self.x1.clone(),
            x2: self.x2.clone(),
            finite: self.finite.clone(),
        };
        json!({
            "zarr_format": 3,
            "node_type": "array",
            "shape": [tiling.rows(), tiling.columns()],
            "data_type": if self.precision == f32::NAME { "float32" } else { "float64" },
            "chunk_grid": {
                "name": "regular",
                "configuration": {"chunk_shape": [tiling.tile(), tiling.tile()]},
            },
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": "NaN",
            "codecs": [
                {"name": "bytes", "configuration": {"endian": "little"}},
                {"name": "crc32c"},
            ],
            "attributes": {"ntk": attributes},
        })
    }

    /// Reads the content of `zarr.json`; attributes of others are left to them.
    fn from_json(text: &[u8]) -> Result<Self, String> {
        let mut json: Value = serde_json::from_slice(text).map_err(|e| e.to_string())?;
        if json["attributes"]["ntk"]["format"] == ZERO_WITHOUT_BIAS {
            json["attributes"]["ntk"]["format"] = FORMAT.into();
            without_zero_biases(&mut json["attributes"]["ntk"]["network"]);
        }
        let attributes = &json["attributes"]["ntk"];
        if attributes["format"] != FORMAT {
            return Err(format!(
                "attributes.ntk.format is {}, this version reads {FORMAT}",
                attributes["format"]
            ));
        }
        let attributes =
            Attributes::deserialize(attributes).map_err(|e| format!("attributes.ntk: {e}"))?;
        let size = |value: &Value, what: &str| {
            let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
            size.ok_or_else(|| format!("{what} is {value}, expected a number of rows"))
        };
        let chunk = &json["chunk_grid"]["configuration"]["chunk_shape"][0];
        let tile = size(chunk, "chunk_grid.configuration.chunk_shape[0]")?;
        let side = attributes.finite.as_ref().map_or(1, |finite| finite.side);
        let length = |samples: &Fingerprint| {
            let n = samples.shape.first().copied().unwrap_or(0);
            n.saturating_mul(side)
        };
        let rows = length(&attributes.x1);
        let tiling = match &attributes.x2 {
            None => Tiling::symmetric(rows, tile),
            Some(x2) => Tiling::new(rows, length(x2), tile),
        };
        let precision = match json["data_type"].as_str() {
            Some("float32") => f32::NAME,
            // What else there is differs below.
            _ => f64::NAME,
        };
        let description = Self {
            network: attributes.network,
            kernel: attributes.kernel,
            precision,
            tiling: tiling.map_err(|e| e.to_string())?,
            x1: attributes.x1,
            x2: attributes.x2,
            finite: attributes.finite,
        };
        let mut expected = description.to_json();
        let half = expected["attributes"]["ntk"]["half"].take();
        if json["attributes"]["ntk"]["half"] != half {
            return Err(format!(
                "attributes.ntk.half is {}, expected {half}",
                json["attributes"]["ntk"]["half"]
            ));
        }
        let fields = expected.as_object().into_iter().flat_map(Map::iter);
        for (key, expected) in fields.filter(|(key, _)| *key != "attributes") {
            if json[key] != *expected {
                return Err(format!("{key} is {}, expected {expected}", json[key]));
            }
        }
        Ok(description)
    }
}

/// Compares layer by layer, and path by path inside branches.
fn compare_layers(
    stored: &Value,
    asked: &Value,
    path: &dyn Fn(usize) -> String,
    compare: &mut dyn FnMut(&str, String, String),
) {
    let none = Vec::new();
    let list = |layers: &Value| layers.as_array().unwrap_or(&none).clone();
    let (stored, asked) = (list(stored), list(asked));
    for i in 0..stored.len().max(asked.len()) {
        let path = path(i);
        let paths = |layers: &[Value]| layers.get(i).map(|l| l["branch"]["paths"].clone());
        let merge = |layers: &[Value]| layers.get(i).map(|l| l["branch"]["merge"].clone());
        let (before, after) = (paths(&stored), paths(&asked));
        if let (Some(Value::Array(before)), Some(Value::Array(after))) = (before, after)
            && before.len() == after.len()
            && merge(&stored) == merge(&asked)
        {
            for (number, (before, after)) in before.iter().zip(&after).enumerate() {
                compare_layers(before, after, &|j| inside(&path, number, j), compare);
            }
            continue;
        }
        let text = |layers: &[Value]| {
            let layer = layers.get(i);
            layer.map_or_else(|| "no layer".into(), ToString::to_string)
        };
        compare(&path, text(&stored), text(&asked));
    }
}
