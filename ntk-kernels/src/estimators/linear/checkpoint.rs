//! What a fit has reached, as the bytes of a file.
//!
//! A safetensors file of f64 arrays. The metadata have one entry, [`KEY`]: a JSON object of the
//! format's version, what the run is, and the numbers of its state.

use super::source::Source;
use crate::estimators::{CheckpointError, EstimatorError};
use crate::inputs::Inputs;
use ndarray::{Array, Array2, ArrayD, ArrayView2, ArrayViewD, Dim, Dimension, Ix2, IxDyn};
use ntk_linalg::Real;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, View};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::error::Error;
use std::time::{Duration, Instant};

/// Which the format is; to be counted up when it changes.
const VERSION: u64 = 1;
const KEY: &str = "checkpoint";

/// How many times as long as the last write took to wait before the next.
const SHARE: u32 = 20;

/// A `Checkpoint` is where a fit keeps what it has reached, to go on from there: a file, as that of the
/// crate ntk-store, or anything else that holds bytes.
pub trait Checkpoint: Sync {
    /// Returns its name in messages, such as the path of the file.
    fn name(&self) -> String;

    /// Reads what was written last, or `None` where nothing was.
    ///
    /// # Errors
    /// Those of the place.
    fn read(&self) -> Result<Option<Vec<u8>>, Box<dyn Error + Send + Sync>>;

    /// Writes bytes in the place of those before, whole or not at all.
    ///
    /// # Errors
    /// Those of the place.
    fn write(&self, bytes: &[u8]) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// What is written anew as a fit goes on.
pub(super) struct Keeper<'a> {
    place: &'a dyn Checkpoint,
    /// What must be the same for a fit to go on.
    run: Map<String, Value>,
    written: Option<(Instant, Duration)>,
}

/// A state that was read.
pub(super) struct State {
    /// The samples of the pass so far.
    pub(super) samples: usize,
    /// The passes before it.
    pub(super) passes: usize,
    place: String,
    bytes: Vec<u8>,
}

impl<'a> Keeper<'a> {
    pub(super) fn new(place: &'a dyn Checkpoint, run: Map<String, Value>) -> Self {
        Self {
            place,
            run,
            written: None,
        }
    }

    /// Reads the state of the same run, if there is a file.
    pub(super) fn read(&self) -> Result<Option<State>, CheckpointError> {
        let Some(bytes) = self.place.read().map_err(|error| self.unusable(&*error))? else {
            return Ok(None);
        };
        let damaged = |reason: String| CheckpointError::Damaged {
            place: self.place.name(),
            reason,
        };
        let (_, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
        let text = metadata.metadata().as_ref().and_then(|m| m.get(KEY));
        let text = text.ok_or_else(|| damaged(format!("it has no metadata \"{KEY}\"")))?;
        let header: Value =
            serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
        let version = json!(VERSION);
        let own = [("version", &version)].into_iter();
        let own = own.chain(self.run.iter().map(|(name, value)| (name.as_str(), value)));
        for (setting, asked) in own {
            let found = match setting {
                "version" => &header["version"],
                setting => &header["run"][setting],
            };
            if found != asked {
                return Err(CheckpointError::OtherRun {
                    place: self.place.name(),
                    setting: setting.into(),
                    found: found.to_string(),
                    asked: asked.to_string(),
                });
            }
        }
        let number = |name: &str| {
            let number = header[name].as_u64().and_then(|n| usize::try_from(n).ok());
            number.ok_or_else(|| damaged(format!("it has no number \"{name}\"")))
        };
        Ok(Some(State {
            samples: number("samples")?,
            passes: number("passes")?,
            place: self.place.name(),
            bytes,
        }))
    }

    /// Writes a state, unless that would take more than a twentieth of the time.
    pub(super) fn write(
        &mut self,
        last: bool,
        samples: usize,
        passes: usize,
        arrays: &[(&str, ArrayViewD<'_, f64>)],
    ) -> Result<(), CheckpointError> {
        let due = |&(when, took): &(Instant, Duration)| when.elapsed() >= SHARE * took;
        if !last && !self.written.as_ref().is_none_or(due) {
            return Ok(());
        }
        let begun = Instant::now();
        let header = json!({
            "version": VERSION,
            "run": self.run,
            "samples": samples,
            "passes": passes,
        });
        let metadata = std::iter::once((KEY.to_string(), header.to_string())).collect();
        let arrays = arrays
            .iter()
            .map(|(name, array)| (name, Bytes(array.view())));
        let bytes = safetensors::serialize(arrays, Some(metadata));
        let written = bytes
            .map_err(Box::from)
            .and_then(|bytes| self.place.write(&bytes));
        written.map_err(|error| self.unusable(&*error))?;
        self.written = Some((Instant::now(), begun.elapsed()));
        Ok(())
    }

    fn unusable(&self, error: &dyn Error) -> CheckpointError {
        CheckpointError::Place {
            place: self.place.name(),
            reason: error.to_string(),
        }
    }
}

impl State {
    /// Returns the array `name` of this shape.
    pub(super) fn array<const N: usize>(
        &self,
        name: &str,
        shape: [usize; N],
    ) -> Result<Array<f64, Dim<[usize; N]>>, CheckpointError>
    where
        Dim<[usize; N]>: Dimension,
    {
        let array = self.read(name).filter(|array| array.shape() == shape);
        let array = array.and_then(|array| array.into_dimensionality().ok());
        array.ok_or_else(|| self.damaged(name))
    }

    /// Returns the array `name` of so many rows.
    pub(super) fn outputs(&self, name: &str, rows: usize) -> Result<Array2<f64>, CheckpointError> {
        let array = self.read(name);
        let array = array.and_then(|array| array.into_dimensionality::<Ix2>().ok());
        let array = array.filter(|array| array.nrows() == rows);
        array.ok_or_else(|| self.damaged(name))
    }

    fn read(&self, name: &str) -> Option<ArrayD<f64>> {
        let tensors = SafeTensors::deserialize(&self.bytes).ok()?;
        let tensor = tensors.tensor(name).ok()?;
        let numbers = tensor.data().as_chunks().0.iter();
        let numbers = numbers.map(|&bytes| f64::from_le_bytes(bytes)).collect();
        ArrayD::from_shape_vec(IxDyn(tensor.shape()), numbers).ok()
    }

    fn damaged(&self, name: &str) -> CheckpointError {
        CheckpointError::Damaged {
            place: self.place.clone(),
            reason: format!("it has no array \"{name}\" of the shape needed"),
        }
    }
}

/// An array as it is written.
struct Bytes<'a>(ArrayViewD<'a, f64>);

impl View for Bytes<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F64
    }

    fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.0.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        size_of::<f64>() * self.0.len()
    }
}

/// Hashes numbers, to tell different ones apart, if not who made them different (FNV-1a).
pub(crate) fn hash<T: Real>(numbers: impl IntoIterator<Item = T>) -> Value {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for number in numbers {
        for byte in Real::to_f64(number).to_bits().to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    json!(format!("{hash:016x}"))
}

/// Hashes the first and the last block of samples and targets.
pub(super) fn fingerprint<T: Real, E: From<EstimatorError>>(
    source: &mut Source<'_, '_, T, E>,
    block: usize,
) -> Result<[(&'static str, Value); 2], E> {
    let samples = source.samples();
    let first = 0..block.min(samples);
    let last = (samples.max(1) - 1) / block * block..samples;
    let of = |x: &Inputs<'_, T>, y: ArrayView2<'_, T>| Ok(hash(x.x.iter().chain(&y).copied()));
    Ok([
        ("first block", source.with(first, of)?),
        ("last block", source.with(last, of)?),
    ])
}
