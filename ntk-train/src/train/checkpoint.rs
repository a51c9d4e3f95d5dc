//! Training kept between two epochs, in the safetensors format.
//!
//! Tensors: the parameters under their own names and axes, `optimizer.0.NAME` and
//! `optimizer.1.NAME` (what the optimiser remembers of each: velocity, or first and second
//! moment), and in f64 `trainer.losses` (steps) and `trainer.rate` (1). The metadata's one
//! entry, `ntk`, is a JSON object of everything else.

use super::{TrainConfig, TrainError, Trainer};
use crate::compiled::Scalar;
use crate::model::Model;
use ndarray::{Array2, ArrayRef2, ArrayView2};
use ntk_kernels::Inputs;
use ntk_linalg::Real;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};
use serde_json::{Value as Json, json};
use thiserror::Error;

/// The metadata's entry. One alone, so that equal states are equal bytes.
const ENTRY: &str = "ntk";
/// Raised when the layout changes.
const FORMAT: &str = "ntk-train checkpoint 1";

/// A `CheckpointError` says why training cannot be kept or resumed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The model, data and configuration do not fit each other.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The bytes are not in the safetensors format.
    #[error("the checkpoint cannot be read: {0}; was the file written to its end?")]
    Format(#[from] SafeTensorError),
    /// The file is a safetensors file of something else.
    #[error(
        "the file's metadata has no \"ntk\" entry of {FORMAT:?}; is it a checkpoint of training?"
    )]
    NoCheckpoint,
    /// The training was another one.
    #[error(
        "{what} is {checkpoint} in the checkpoint and {given} now; resume with what it was trained with, or train anew"
    )]
    Differs {
        /// The name of what differs, as `configuration.optimizer.sgd.learning_rate`.
        what: String,
        /// Its value in the checkpoint, as JSON.
        checkpoint: String,
        /// Its value now, as JSON.
        given: String,
    },
    /// A tensor has another type or shape.
    #[error(
        "tensor {name} is {found} in the checkpoint, expected {expected}; resume with the model that it was made of"
    )]
    Tensor {
        /// The tensor's name.
        name: String,
        /// The type and shape of the model's.
        expected: String,
        /// The type and shape in the file.
        found: String,
    },
}

impl<'a, T: Scalar> Trainer<'a, T> {
    /// Returns parameters, optimiser memory, configuration, seed and progress as safetensors
    /// bytes; the same state gives the same bytes. The data are not part of it.
    ///
    /// # Errors
    /// [`TrainError::Diverged`], inside a [`CheckpointError`], if training has diverged.
    pub fn checkpoint(&self) -> Result<Vec<u8>, CheckpointError> {
        T::checkpoint(self)
    }

    /// Goes on from a [`Trainer::checkpoint`] with the same data: `model`, of the same network,
    /// gets its parameters. [`TrainConfig::epochs`] may differ, down to the epochs done, so that
    /// a training can be made longer.
    ///
    /// # Errors
    /// [`CheckpointError`], which names what differs; the model is then as before.
    pub fn resume(
        model: &'a mut Model<T>,
        x: impl Into<Inputs<'a, T>>,
        y: &'a ArrayRef2<T>,
        config: TrainConfig,
        checkpoint: &[u8],
    ) -> Result<Self, CheckpointError> {
        T::resume(model, x.into(), y.view(), config, checkpoint)
    }
}

/// [`Trainer::checkpoint`].
pub(crate) fn checkpoint<T: Scalar>(trainer: &Trainer<'_, T>) -> Result<Vec<u8>, CheckpointError> {
    if let Some(error) = &trainer.diverged {
        return Err(error.clone().into());
    }
    let theta = trainer.model.theta();
    let all = trainer
        .model
        .graph()
        .parameters()
        .zip(&theta)
        .zip(&trainer.memories.moments);
    let mut tensors: Vec<(String, StoredTensor)> = Vec::new();
    for ((parameter, values), moments) in all {
        tensors.push((
            parameter.name.clone(),
            StoredTensor::new(&parameter.axes, values.iter().copied()),
        ));
        for (number, memory) in moments.iter().map(T::numbers).enumerate() {
            if !memory.is_empty() {
                let tensor = StoredTensor::new(&parameter.axes, memory.iter().copied());
                tensors.push((memory_name(number, &parameter.name), tensor));
            }
        }
    }
    let losses = StoredTensor::new(&[trainer.losses.len()], trainer.losses.iter().copied());
    tensors.push(("trainer.losses".to_string(), losses));
    tensors.push((
        "trainer.rate".to_string(),
        StoredTensor::new(&[1], [trainer.rate]),
    ));
    let mut entry = circumstances(trainer.model, &trainer.config, trainer.y);
    entry["epoch"] = json!(trainer.epoch);
    entry["step"] = json!(trainer.memories.steps);
    let views = tensors
        .iter()
        .map(|(name, t)| Ok((name, TensorView::new(t.dtype, t.shape.clone(), &t.bytes)?)))
        .collect::<Result<Vec<_>, SafeTensorError>>()?;
    let metadata = [(ENTRY.to_string(), entry.to_string())];
    Ok(safetensors::serialize(
        views,
        Some(metadata.into_iter().collect()),
    )?)
}

/// [`Trainer::resume`].
pub(crate) fn resume<'a, T: Scalar>(
    model: &'a mut Model<T>,
    x: Inputs<'a, T>,
    y: ArrayView2<'a, T>,
    config: TrainConfig,
    checkpoint: &[u8],
) -> Result<Trainer<'a, T>, CheckpointError> {
    let (_, metadata) = SafeTensors::read_metadata(checkpoint)?;
    let entry = metadata.metadata().as_ref().and_then(|all| all.get(ENTRY));
    let entry: Json = entry
        .and_then(|entry| serde_json::from_str(entry).ok())
        .ok_or(CheckpointError::NoCheckpoint)?;
    let (Some(epoch), Some(step), true) = (
        entry["epoch"]
            .as_u64()
            .and_then(|e| usize::try_from(e).ok()),
        entry["step"].as_u64(),
        entry["format"] == FORMAT,
    ) else {
        return Err(CheckpointError::NoCheckpoint);
    };
    let given = circumstances(model, &config, y);
    if let Some(difference) = difference("", &entry, &given) {
        return Err(difference);
    }
    if config.epochs < epoch {
        return Err(CheckpointError::Differs {
            what: "the number of epochs done".to_string(),
            checkpoint: epoch.to_string(),
            given: format!("limited to {}", config.epochs),
        });
    }
    let tensors = SafeTensors::deserialize(checkpoint)?;
    let mut trainer = T::start(model, x, y, config)?;
    let mut parameters = Vec::with_capacity(trainer.memories.moments.len());
    let all = trainer.model.graph().parameters();
    for (parameter, moments) in all.zip(&mut trainer.memories.moments) {
        let values = read(&tensors, &parameter.name, &parameter.axes)?;
        parameters.push(Array2::from_shape_vec(parameter.shape, values).expect("as many numbers"));
        for (number, memory) in moments.iter_mut().map(T::numbers_mut).enumerate() {
            if !memory.is_empty() {
                let name = memory_name(number, &parameter.name);
                memory.copy_from_slice(&read::<T>(&tensors, &name, &parameter.axes)?);
            }
        }
    }
    trainer.memories.steps = step;
    trainer.rate = read::<f64>(&tensors, "trainer.rate", &[1])?[0];
    let steps = usize::try_from(step).unwrap_or(usize::MAX);
    trainer.losses = read(&tensors, "trainer.losses", &[steps])?;
    // Every epoch has a step, so that a file cannot ask for more than it has losses of.
    if y.nrows() > 0 {
        if epoch > trainer.losses.len() {
            return Err(CheckpointError::NoCheckpoint);
        }
        trainer.batches.skip(epoch);
    }
    trainer.epoch = epoch;
    // Last, so that an error leaves the model as it was.
    let set = trainer.model.set_parameters(parameters);
    set.map_err(TrainError::from)?;
    Ok(trainer)
}

fn memory_name(number: usize, parameter: &str) -> String {
    format!("optimizer.{number}.{parameter}")
}

/// Returns all that must be the same when training goes on.
fn circumstances<T: Scalar>(model: &Model<T>, config: &TrainConfig, y: ArrayView2<'_, T>) -> Json {
    // The epochs may be others.
    let mut configuration = configuration(config);
    if let Some(fields) = configuration.as_object_mut() {
        fields.remove("epochs");
    }
    json!({
        "format": FORMAT,
        "configuration": configuration,
        "network": Json::from(model.network()),
        "input": { "positions": model.input().positions(), "channels": model.input().channels() },
        "precision": T::NAME,
        "samples": y.nrows(),
    })
}

/// Returns the configuration as JSON.
pub(crate) fn configuration(config: &TrainConfig) -> Json {
    serde_json::to_value(config).expect("names and numbers alone")
}

/// Returns the first entry of `given` that the checkpoint has otherwise.
fn difference(path: &str, checkpoint: &Json, given: &Json) -> Option<CheckpointError> {
    if let (Json::Object(old), Json::Object(new)) = (checkpoint, given) {
        // A choice is written as an object of its name alone.
        let choice = path.is_empty() || old.keys().eq(new.keys());
        if choice {
            return new.iter().find_map(|(name, new)| {
                let dot = if path.is_empty() { "" } else { "." };
                difference(
                    &format!("{path}{dot}{name}"),
                    old.get(name).unwrap_or(&Json::Null),
                    new,
                )
            });
        }
    }
    (checkpoint != given).then(|| CheckpointError::Differs {
        what: path.to_string(),
        checkpoint: checkpoint.to_string(),
        given: given.to_string(),
    })
}

struct StoredTensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

fn dtype<T: Real>() -> Dtype {
    match size_of::<T>() {
        4 => Dtype::F32,
        _ => Dtype::F64,
    }
}

impl StoredTensor {
    fn new<T: Real>(shape: &[usize], values: impl IntoIterator<Item = T>) -> Self {
        let dtype = dtype::<T>();
        let mut bytes = Vec::with_capacity(shape.iter().product::<usize>() * size_of::<T>());
        for value in values.into_iter().map(Real::to_f64) {
            match dtype {
                // Exact: it was an f32.
                Dtype::F32 => bytes.extend((value as f32).to_le_bytes()),
                _ => bytes.extend(value.to_le_bytes()),
            }
        }
        Self {
            dtype,
            shape: shape.to_vec(),
            bytes,
        }
    }
}

fn read<T: Real>(
    tensors: &SafeTensors<'_>,
    name: &str,
    shape: &[usize],
) -> Result<Vec<T>, CheckpointError> {
    let tensor = tensors.tensor(name)?;
    let dtype = dtype::<T>();
    if tensor.dtype() != dtype || tensor.shape() != shape {
        return Err(CheckpointError::Tensor {
            name: name.to_string(),
            expected: format!("{dtype} {shape:?}"),
            found: format!("{} {:?}", tensor.dtype(), tensor.shape()),
        });
    }
    let numbers = tensor.data().chunks_exact(size_of::<T>());
    Ok(numbers
        .map(|bytes| match *bytes {
            [a, b, c, d] => T::of(f32::from_le_bytes([a, b, c, d]).into()),
            _ => T::of(f64::from_le_bytes(bytes.try_into().expect("eight bytes"))),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Loss;
    use crate::init::Init;
    use crate::optimizer::Optimizer;
    use crate::train::Order;
    use ntk_kernels::network::{Network, Shape, dense, dropout, relu};

    const OPTIMIZERS: [Optimizer; 4] = [
        Optimizer::Sgd {
            learning_rate: 0.1,
            momentum: 0.9,
            nesterov: true,
        },
        Optimizer::Adam {
            learning_rate: 0.01,
            betas: [0.9, 0.999],
            eps: 1e-8,
        },
        Optimizer::AdamW {
            learning_rate: 0.01,
            betas: [0.9, 0.99],
            eps: 1e-8,
            weight_decay: 0.1,
        },
        // Not a multiple of the epochs before the checkpoint: the rate must be kept.
        Optimizer::TraceSgd {
            scale: 0.5,
            every: 3,
        },
    ];
    const ORDERS: [Order; 4] = [
        Order::File,
        Order::Shuffled,
        Order::Partitioned { parts: 3 },
        Order::Reservoir { size: 4, latest: 2 },
    ];

    fn config(optimizer: Optimizer, order: Order) -> TrainConfig {
        TrainConfig {
            loss: Loss::HalfMeanSquare,
            optimizer,
            batch_size: 3,
            epochs: 5,
            order,
            seed: 9,
        }
    }

    fn model<T: Scalar>() -> Model<T> {
        let network = Network::new()
            .then(dense().width(5).b_std(0.3))
            .then(relu())
            .then(dropout(0.7))
            .then(dense().width(2));
        Model::new(&network, Shape::features(3), Init::default(), 4).unwrap()
    }

    fn data<T: Real>() -> (Array2<T>, Array2<T>) {
        let x = |(i, j): (usize, usize)| T::of(((3 * i + 7 * j + 1) as f64).sin());
        let y = |(i, j): (usize, usize)| T::of(((5 * i + j) as f64).cos());
        (
            Array2::from_shape_fn((10, 3), x),
            Array2::from_shape_fn((10, 2), y),
        )
    }

    fn resumed_is_uninterrupted<T: Scalar>(config: TrainConfig) {
        let (x, y) = data::<T>();
        let mut whole = model::<T>();
        let mut trainer = Trainer::new(&mut whole, &x, &y, config).unwrap();
        trainer.run().unwrap();
        let (losses, last) = (trainer.losses().to_vec(), trainer.checkpoint().unwrap());
        let mut first = model::<T>();
        let mut trainer = Trainer::new(&mut first, &x, &y, config).unwrap();
        trainer.epoch().unwrap();
        trainer.epoch().unwrap();
        let bytes = trainer.checkpoint().unwrap();
        assert_eq!(bytes, trainer.checkpoint().unwrap());
        // Of another seed: all numbers must come from the checkpoint.
        let mut second = Model::new(&first.network(), first.input(), Init::default(), 77).unwrap();
        let mut trainer = Trainer::resume(&mut second, &x, &y, config, &bytes).unwrap();
        assert_eq!(trainer.epochs(), 2);
        trainer.run().unwrap();
        assert_eq!(trainer.losses(), losses);
        assert_eq!(trainer.checkpoint().unwrap(), last);
        assert_eq!(second.parameters(), whole.parameters(), "{config:?}");
    }

    #[test]
    fn resuming_gives_the_same_bits() {
        for optimizer in OPTIMIZERS {
            for order in ORDERS {
                resumed_is_uninterrupted::<f64>(config(optimizer, order));
            }
            resumed_is_uninterrupted::<f32>(config(optimizer, Order::Shuffled));
        }
    }

    #[test]
    fn what_differs_is_named() {
        let (x, y) = data::<f64>();
        let same = config(OPTIMIZERS[0], Order::Shuffled);
        let mut model = model::<f64>();
        let mut trainer = Trainer::new(&mut model, &x, &y, same).unwrap();
        trainer.epoch().unwrap();
        let bytes = trainer.checkpoint().unwrap();
        let mut refused = |config, rows: usize, bytes: &[u8]| {
            let (x, y) = (
                x.slice(ndarray::s![..rows, ..]),
                y.slice(ndarray::s![..rows, ..]),
            );
            let before = model.parameters();
            let message = Trainer::resume(&mut model, &x, &y, config, bytes)
                .err()
                .map(|e| e.to_string());
            assert!(message.is_none() || model.parameters() == before);
            message.unwrap_or_default()
        };
        let longer = TrainConfig { epochs: 50, ..same };
        assert_eq!(refused(longer, 10, &bytes), "");
        let rate = Optimizer::Sgd {
            learning_rate: 0.2,
            momentum: 0.9,
            nesterov: true,
        };
        let message = refused(
            TrainConfig {
                optimizer: rate,
                ..same
            },
            10,
            &bytes,
        );
        assert!(
            message.starts_with(
                "configuration.optimizer.sgd.learning_rate is 0.1 in the checkpoint and 0.2 now"
            ),
            "{message}"
        );
        for (config, rows, part) in [
            (
                TrainConfig { seed: 1, ..same },
                10,
                "configuration.seed is 9",
            ),
            (
                TrainConfig {
                    batch_size: 4,
                    ..same
                },
                10,
                "configuration.batch_size is 3",
            ),
            (
                TrainConfig {
                    order: ORDERS[2],
                    ..same
                },
                10,
                "configuration.order is \"shuffled\"",
            ),
            (
                TrainConfig {
                    optimizer: OPTIMIZERS[1],
                    ..same
                },
                10,
                "configuration.optimizer is {\"sgd\"",
            ),
            (
                TrainConfig { epochs: 0, ..same },
                10,
                "the number of epochs done is 1",
            ),
            (same, 9, "samples is 10"),
        ] {
            let message = refused(config, rows, &bytes);
            assert!(message.starts_with(part), "{message}");
        }
        for end in [0, 7, 40, bytes.len() - 1] {
            assert!(
                refused(same, 10, &bytes[..end]).contains("cannot be read"),
                "{end}"
            );
        }
        let other: Vec<(String, TensorView<'_>)> = Vec::new();
        let other = safetensors::serialize(other, None).unwrap();
        assert!(refused(same, 10, &other).contains("is it a checkpoint"));
    }

    #[test]
    fn other_networks_and_precisions_are_refused() {
        let (x, y) = data::<f64>();
        let same = config(OPTIMIZERS[0], Order::File);
        let mut first = model::<f64>();
        let bytes = Trainer::new(&mut first, &x, &y, same)
            .unwrap()
            .checkpoint()
            .unwrap();
        let network = Network::new().then(dense().width(2));
        let mut other =
            Model::<f64>::new(&network, Shape::features(3), Init::default(), 0).unwrap();
        let error = Trainer::resume(&mut other, &x, &y, same, &bytes)
            .err()
            .unwrap();
        assert!(
            error.to_string().starts_with("network.layers is "),
            "{error}"
        );
        let (x, y) = data::<f32>();
        let mut single = model::<f32>();
        let error = Trainer::resume(&mut single, &x, &y, same, &bytes)
            .err()
            .unwrap();
        assert!(
            error.to_string().starts_with("precision is \"f64\""),
            "{error}"
        );
    }

    #[test]
    fn a_diverged_training_is_not_kept() {
        let (x, y) = data::<f64>();
        let far = config(Optimizer::sgd(1e200), Order::File);
        let mut model = model::<f64>();
        let mut trainer = Trainer::new(&mut model, &x, &y, far).unwrap();
        let error = trainer.run().unwrap_err();
        assert!(error.to_string().contains("diverged"), "{error}");
        assert!(matches!(trainer.epoch(), Err(TrainError::Diverged { .. })));
        assert!(matches!(
            trainer.checkpoint(),
            Err(CheckpointError::Train(TrainError::Diverged { .. }))
        ));
    }
}
