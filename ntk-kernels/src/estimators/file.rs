//! Fitted estimators as the bytes of a safetensors file.
//!
//! The metadata have one entry, since the order of several would not be the same on every run:
//! `estimator`, a JSON object of kind, version, network and settings.

use crate::closed_form::sample_shape;
use crate::inputs::Inputs;
use crate::network::Network;
use crate::predict::PredictError;
use crate::structure::{Edge, Graphs, Structure};
use ndarray::{
    Array1, Array2, ArrayD, ArrayViewD, Axis, Dimension, Ix1, Ix2, IxDyn, ShapeBuilder, s,
};
use ntk_linalg::Real;
use safetensors::tensor::Dtype;
use safetensors::{SafeTensorError, SafeTensors, View};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;

use super::{EstimatorError, FileError};

/// Which the format is; to be counted up when it changes.
const VERSION: u64 = 1;
const KEY: &str = "estimator";

/// An array and its name.
pub(super) type Named<'a, T> = (&'static str, ArrayViewD<'a, T>);

/// The arrays of masks and graphs.
const MASK: &str = "mask";
const EDGES: &str = "edges";
const EDGE_WEIGHTS: &str = "edge_weights";

/// Writes the samples and the arrays, all of them finite, of an estimator of this kind; `doubles` are
/// in f64 whatever the element type.
pub(super) fn write<T: Real>(
    kind: &'static str,
    (network, Inputs { x, structure }): (&Network, Inputs<'_, T>),
    settings: &impl Serialize,
    arrays: &[Named<'_, T>],
    doubles: &[Named<'_, f64>],
) -> Result<Vec<u8>, FileError> {
    let text = network.to_json();
    let read = match Network::from_json(&text) {
        Ok(read) if read == *network => None,
        Ok(_) => Some("another network".to_string()),
        Err(error) => Some(error.to_string()),
    };
    if let Some(read) = read {
        let network = text;
        return Err(FileError::OwnLayers { network, read });
    }
    let settings = serde_json::to_value(settings).map_err(damaged)?;
    let mut header = json!({
        "kind": kind,
        "version": VERSION,
        "network": Value::from(network.clone()),
        "settings": settings,
    });
    let mut written = vec![("x", Written::Numbers(x.view()))];
    if let Some(mask) = structure.masked() {
        let bytes = mask.iter().map(|&masked| masked.into()).collect();
        let shape = mask.shape().to_vec();
        written.push((MASK, Written::Bytes(Dtype::BOOL, shape, bytes)));
    }
    if let Some((nodes, samples)) = structure.nodes().zip(structure.edges()) {
        header["nodes"] = nodes.into();
        let all = samples.iter().enumerate();
        let all = || {
            all.clone()
                .flat_map(|(at, own)| own.iter().map(move |e| (at, e)))
        };
        let ends = all().flat_map(|(at, e)| [at, e.tail, e.head]);
        let ends: Vec<u8> = ends.flat_map(|at| (at as u64).to_le_bytes()).collect();
        let weights = all().flat_map(|(_, e)| e.weight.to_le_bytes()).collect();
        let count = all().count();
        written.push((EDGES, Written::Bytes(Dtype::U64, vec![count, 3], ends)));
        let weights = Written::Bytes(Dtype::F64, vec![count], weights);
        written.push((EDGE_WEIGHTS, weights));
    }
    let arrays = arrays.iter().cloned();
    written.extend(arrays.map(|(name, values)| (name, Written::Numbers(values))));
    written.extend(doubles.iter().map(|(name, values)| {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        (
            *name,
            Written::Bytes(Dtype::F64, values.shape().to_vec(), bytes),
        )
    }));
    let metadata = std::iter::once((KEY.to_string(), header.to_string())).collect();
    Ok(safetensors::serialize(written, Some(metadata))?)
}

/// An array as it is written.
enum Written<'a, T> {
    Numbers(ArrayViewD<'a, T>),
    /// Its elements, its shape, and its bytes.
    Bytes(Dtype, Vec<usize>, Vec<u8>),
}

impl<T: Real> View for Written<'_, T> {
    fn dtype(&self) -> Dtype {
        match self {
            Self::Numbers(_) => dtype::<T>(),
            Self::Bytes(dtype, ..) => *dtype,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Numbers(numbers) => numbers.shape(),
            Self::Bytes(_, shape, _) => shape,
        }
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let numbers = match self {
            Self::Numbers(numbers) => numbers,
            Self::Bytes(.., bytes) => return bytes.into(),
        };
        let values = numbers.iter().map(|v| Real::to_f64(*v));
        match self.dtype() {
            // Exact: it was an f32.
            Dtype::F32 => values.flat_map(|v| (v as f32).to_le_bytes()).collect(),
            _ => values.flat_map(f64::to_le_bytes).collect(),
        }
    }

    fn data_len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => size_of::<T>() * numbers.len(),
            Self::Bytes(.., bytes) => bytes.len(),
        }
    }
}

fn dtype<T: Real>() -> Dtype {
    match size_of::<T>() {
        4 => Dtype::F32,
        _ => Dtype::F64,
    }
}

/// The metadata's entry.
#[derive(Deserialize)]
struct Header {
    kind: String,
    version: u64,
    #[serde(default)]
    network: Value,
    #[serde(default)]
    settings: Value,
    /// The sizes of the axes of nodes, where the samples have graphs.
    #[serde(default)]
    nodes: Option<Vec<usize>>,
}

/// A file that has been read, of settings `S`.
pub(super) struct FileContents<'a, S> {
    pub(super) network: Network,
    pub(super) settings: S,
    nodes: Option<Vec<usize>>,
    tensors: SafeTensors<'a>,
}

impl<'a, S: DeserializeOwned> FileContents<'a, S> {
    /// Reads the metadata of an estimator of this kind.
    pub(super) fn read(bytes: &'a [u8], kind: &'static str) -> Result<Self, FileError> {
        let (_, metadata) = SafeTensors::read_metadata(bytes)?;
        let text = metadata.metadata().as_ref().and_then(|m| m.get(KEY));
        let text = text.ok_or(FileError::NoEstimator { key: KEY })?;
        let header: Header = serde_json::from_str(text).map_err(damaged)?;
        if header.kind != kind {
            return Err(FileError::Kind {
                expected: kind.into(),
                found: header.kind,
            });
        }
        if header.version != VERSION {
            return Err(FileError::Version {
                expected: VERSION,
                found: header.version,
            });
        }
        Ok(Self {
            network: Network::try_from(header.network)?,
            settings: serde_json::from_value(header.settings).map_err(damaged)?,
            nodes: header.nodes,
            tensors: SafeTensors::deserialize(bytes)?,
        })
    }
}

impl<S> FileContents<'_, S> {
    /// Refuses a file whose arrays are not these, sorted by name, beside those of masks and graphs.
    pub(super) fn has(&self, expected: &[&str]) -> Result<(), FileError> {
        let mut found = self.tensors.names();
        found.sort_unstable();
        let graphs = self.nodes.is_some();
        found.retain(|&name| name != MASK && !(graphs && [EDGES, EDGE_WEIGHTS].contains(&name)));
        if found == expected {
            return Ok(());
        }
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Err(FileError::Arrays {
            expected: owned(expected),
            found: owned(&found),
        })
    }

    /// Returns the array `name` of samples: of vectors, sequences, images or volumes, none of them empty.
    pub(super) fn samples<T: Real>(&self, name: &str) -> Result<ArrayD<T>, FileError> {
        let x = self.array(name)?;
        if sample_shape(&x.view()).is_err() || x.is_empty() {
            let expected = "two to five axes, all with entries".to_string();
            return Err(wrong(name, expected, x.shape()));
        }
        Ok(x)
    }

    /// The masks and graphs of n samples.
    pub(super) fn structure(&self, n: usize) -> Result<Structure, FileError> {
        let mut structure = Structure::default();
        if let Ok(mask) = self.tensors.tensor(MASK) {
            let whole = || format!("({n}, positions...) of 0 and 1, as BOOL");
            let wrong = || wrong(MASK, whole(), mask.shape());
            let values = mask.data().iter().map(|&byte| match byte {
                0 | 1 => Ok(byte == 1),
                _ => Err(wrong()),
            });
            let values = values.collect::<Result<_, _>>()?;
            let values = ArrayD::from_shape_vec(IxDyn(mask.shape()), values);
            let values = values.map_err(|_| wrong())?;
            if values.shape().first() != Some(&n) {
                return Err(wrong());
            }
            structure = structure.mask(&values);
        }
        let Some(nodes) = &self.nodes else {
            return Ok(structure);
        };
        let (ends, weights) = (
            self.tensors.tensor(EDGES)?,
            self.tensors.tensor(EDGE_WEIGHTS)?,
        );
        let count = weights.data().len() / size_of::<f64>();
        if (ends.dtype(), ends.shape()) != (Dtype::U64, &[count, 3]) {
            let expected = format!("({count}, 3), as U64");
            return Err(wrong(EDGES, expected, ends.shape()));
        }
        if (weights.dtype(), weights.shape()) != (Dtype::F64, &[count]) {
            let expected = format!("({count}), as F64");
            return Err(wrong(EDGE_WEIGHTS, expected, weights.shape()));
        }
        let mut edges = vec![Vec::new(); n];
        let weights = weights.data().as_chunks().0.iter().copied();
        let ends = ends.data().as_chunks().0.iter();
        let places: Vec<usize> = ends
            .map(|&bytes| usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX))
            .collect();
        for (&[sample, tail, head], weight) in places.as_chunks().0.iter().zip(weights) {
            let weight = f64::from_le_bytes(weight);
            let own = edges.get_mut(sample).ok_or_else(|| FileError::Metadata {
                reason: format!("an edge is of sample {sample}, and there are {n}"),
            })?;
            own.push(Edge { head, tail, weight });
        }
        Ok(structure.graphs(Graphs::of_edges(nodes.clone(), edges)?))
    }

    /// The array `name` of shape (rows, outputs), with one output or more.
    pub(super) fn outputs<T: Real>(&self, name: &str, rows: usize) -> Result<Array2<T>, FileError> {
        let found: ArrayD<T> = self.array(name)?;
        match found.shape() {
            [n, outputs] if *n == rows && *outputs > 0 => Ok(of_axes::<_, Ix2>(found)),
            shape => Err(wrong(name, format!("({rows}, outputs)"), shape)),
        }
    }

    /// The array `name` of this shape, row-major.
    pub(super) fn matrix<T: Real>(
        &self,
        name: &str,
        shape: (usize, usize),
    ) -> Result<Array2<T>, FileError> {
        let found: ArrayD<T> = self.array(name)?;
        match found.shape() {
            [rows, columns] if (*rows, *columns) == shape => Ok(of_axes::<_, Ix2>(found)),
            other => Err(wrong(name, format!("{shape:?}"), other)),
        }
    }

    /// The array `name` of n eigenvalues, which ascend from zero or more.
    pub(super) fn eigenvalues<T: Real>(
        &self,
        name: &str,
        n: usize,
    ) -> Result<Array1<T>, FileError> {
        let found: ArrayD<T> = self.array(name)?;
        match found.shape() {
            [length] if *length == n => (),
            other => return Err(wrong(name, format!("({n})"), other)),
        }
        let values = of_axes::<_, Ix1>(found);
        let ascend = values
            .iter()
            .zip(values.iter().skip(1))
            .all(|(a, b)| a <= b);
        if ascend && values.iter().all(|&v| v >= T::zero()) {
            return Ok(values);
        }
        Err(FileError::Metadata {
            reason: format!("the eigenvalues \"{name}\" do not ascend from zero"),
        })
    }

    /// The lower triangular matrix of order n that [`packed`] made the array `name` of.
    ///
    /// It is column-major, as a factor of Cholesky is.
    pub(super) fn lower<T: Real>(&self, name: &str, n: usize) -> Result<Array2<T>, FileError> {
        let found: ArrayD<T> = self.array(name)?;
        let length = n.checked_add(1).and_then(|next| n.checked_mul(next));
        if found.ndim() != 1 || length.is_none_or(|twice| found.len() != twice / 2) {
            let expected = format!("({n}*({n}+1)/2)");
            return Err(wrong(name, expected, found.shape()));
        }
        let mut lower = Array2::zeros((n, n).f());
        let mut values = found.into_iter();
        for (j, mut column) in lower.axis_iter_mut(Axis(1)).enumerate() {
            for (entry, value) in column.slice_mut(s![j..]).iter_mut().zip(&mut values) {
                *entry = value;
            }
        }
        Ok(lower)
    }

    /// The symmetric matrix of order n that [`packed`] made the array `name` of, row-major.
    pub(super) fn symmetric<T: Real>(&self, name: &str, n: usize) -> Result<Array2<T>, FileError> {
        let mut whole = self.lower(name, n)?.reversed_axes();
        let mirrored = ntk_linalg::mirror_lower(&mut whole.view_mut().reversed_axes());
        mirrored.expect("a matrix of order n is square");
        Ok(whole)
    }

    /// The array `name`, finite, in standard layout.
    fn array<T: Real>(&self, name: &str) -> Result<ArrayD<T>, FileError> {
        let tensor = self.tensors.tensor(name)?;
        if tensor.dtype() != dtype::<T>() {
            return Err(FileError::ElementType {
                array: name.into(),
                expected: T::NAME,
                found: tensor.dtype().to_string(),
            });
        }
        let data = tensor.data();
        let numbers: Vec<T> = match dtype::<T>() {
            Dtype::F32 => decode(data, |bytes| f32::from_le_bytes(bytes).into()),
            _ => decode(data, f64::from_le_bytes),
        };
        let values = ArrayD::from_shape_vec(IxDyn(tensor.shape()), numbers);
        let values = values.map_err(|error| FileError::Format {
            reason: format!(
                "the array \"{name}\" of shape {:?}: {error}",
                tensor.shape()
            ),
        })?;
        match values.indexed_iter().find(|(_, v)| !v.is_finite()) {
            None => Ok(values),
            Some((index, value)) => Err(FileError::NonFinite {
                array: name.into(),
                index: index.slice().to_vec(),
                value: Real::to_f64(*value),
            }),
        }
    }
}

/// The lower half of a square matrix, column by column, (n (n+1)/2).
pub(super) fn packed<T: Real>(a: &Array2<T>) -> ArrayD<T> {
    let columns = a.columns().into_iter().enumerate();
    let values: Vec<T> = columns
        .flat_map(|(j, column)| column.slice(s![j..]).to_vec())
        .collect();
    Array1::from_vec(values).into_dyn()
}

/// Refuses an amount added to a diagonal that no ridge adds.
pub(super) fn added(added: f64) -> Result<f64, EstimatorError> {
    if added.is_finite() && added >= 0.0 {
        return Ok(added);
    }
    Err(PredictError::Argument {
        name: "the ridge in the file",
        value: added,
        condition: "zero or more and finite",
    }
    .into())
}

fn of_axes<T, D: Dimension>(array: ArrayD<T>) -> ndarray::Array<T, D> {
    array.into_dimensionality().expect("the axes were counted")
}

fn decode<T: Real, const N: usize>(data: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<T> {
    let chunks = data.as_chunks().0.iter();
    chunks.map(|&bytes| T::of(number(bytes))).collect()
}

fn wrong(name: &str, expected: String, found: &[usize]) -> FileError {
    FileError::Shape {
        array: name.into(),
        expected,
        found: found.to_vec(),
    }
}

fn damaged(error: serde_json::Error) -> FileError {
    FileError::Metadata {
        reason: error.to_string(),
    }
}

impl From<SafeTensorError> for FileError {
    fn from(error: SafeTensorError) -> Self {
        Self::Format {
            reason: error.to_string(),
        }
    }
}
