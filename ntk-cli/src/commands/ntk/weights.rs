//! The weights of `ntk ntk`: where they come from, and in which layout.

use crate::Failure;
use crate::cli::{Layout, Ntk};
use crate::files;
use crate::inputs::{self, SamplePair};
use crate::narrow;
use crate::npy;
use ndarray::ArrayD;
use ntk_kernels::Network;
use ntk_kernels::network::{Layer, Parameterization, Shape};
use ntk_kernels::text::{escaped, listed};
use ntk_linalg::Real;
use ntk_train::{Import, Imported, Model, Scalar, UnusedTensor, WeightsError};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Who wrote the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Drawn,
    Ntk,
    PyTorch,
    Keras,
}

/// The weights as the command line names them.
pub(super) struct Weights<'a> {
    args: &'a Ntk,
    source: Source,
    bytes: Vec<u8>,
    names: Option<BTreeMap<String, String>>,
}

/// The order of a sample's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SampleOrder {
    ChannelsLast,
    ChannelsFirst,
}

/// A model, and what is to be told of its file.
pub(super) struct Loaded<T: Scalar> {
    pub(super) model: Model<T>,
    pub(super) unused: Vec<UnusedTensor>,
    pub(super) warnings: Vec<String>,
}

impl<T: Scalar> Loaded<T> {
    pub(super) fn alone(model: Model<T>) -> Self {
        Self {
            model,
            unused: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

impl SampleOrder {
    /// Brings samples of this order to the one of kernels, channels last.
    pub(super) fn oriented<T: Real>(
        self,
        samples: SamplePair<T>,
        masked: Option<f64>,
    ) -> Result<SamplePair<T>, Failure> {
        match (self, masked) {
            (Self::ChannelsLast, _) => Ok(samples),
            (Self::ChannelsFirst, None) => Ok(samples.channels_last()),
            (Self::ChannelsFirst, Some(_)) => Err(
                "--mask-value looks at channels that stand last; give a mask by --mask1, or samples with --layout nhwc"
                    .into(),
            ),
        }
    }

    /// Returns what the order is called, for samples that have positions.
    pub(super) fn name(self, shape: &Shape) -> Option<&'static str> {
        let name = match self {
            Self::ChannelsLast => "nhwc",
            Self::ChannelsFirst => "nchw",
        };
        (!shape.positions().is_empty()).then_some(name)
    }

    /// Returns the shape, channels last, of samples whose axes are read in this order.
    fn shape(self, found: &Shape) -> Shape {
        let mut axes = [found.positions(), &[found.channels()]].concat();
        if self == Self::ChannelsFirst {
            axes.rotate_left(1);
        }
        let channels = axes.pop().unwrap_or(1);
        Shape::new(axes, channels)
    }
}

/// Returns the one of the layouts that `which` picks; both at once are refused.
fn one_of(layouts: &[Layout], which: [Layout; 2]) -> Result<Option<Layout>, Failure> {
    let mut found = which.into_iter().filter(|each| layouts.contains(each));
    match (found.next(), found.next()) {
        (Some(one), Some(two)) => Err(format!(
            "--layout names {one:?} and {two:?}, which are of one kind; keep one of them"
        )
        .to_lowercase()
        .into()),
        (one, _) => Ok(one),
    }
}

impl<'a> Weights<'a> {
    /// Reads the file of weights and that of names, and refuses flags that do not go together.
    pub(super) fn of(args: &'a Ntk) -> Result<Self, Failure> {
        let keras = one_of(&args.layout, [Layout::Keras, Layout::Flax])?;
        let source = match (&args.weights, args.pytorch, keras) {
            (None, _, Some(_)) => {
                return Err(
                    "--layout keras and flax are of weights; name a file by --weights".into(),
                );
            }
            (Some(_), true, Some(_)) => {
                return Err(
                    "--pytorch and --layout keras or flax say two things of the weights; keep one of them"
                        .into(),
                );
            }
            (None, _, None) => Source::Drawn,
            (Some(_), true, None) => Source::PyTorch,
            (Some(_), false, Some(_)) => Source::Keras,
            (Some(_), false, None) => Source::Ntk,
        };
        if args.names.is_some() && source == Source::Ntk {
            return Err(
                "--names maps to the names of another library; add --pytorch, or --layout keras or flax"
                    .into(),
            );
        }
        let bytes = match &args.weights {
            None => Vec::new(),
            Some(path) => files::read(path, "give a safetensors file by --weights")?,
        };
        Ok(Self {
            args,
            source,
            bytes,
            names: args.names.as_deref().map(names).transpose()?,
        })
    }

    /// Returns the parameterisation of a network that names none: that of the weights' library.
    pub(super) fn parameterization(&self) -> Parameterization {
        match self.source {
            Source::Drawn | Source::Ntk => Parameterization::Ntk,
            Source::PyTorch | Source::Keras => Parameterization::Standard,
        }
    }

    /// Returns the order of the samples' axes: as --layout says, else as the weights of PyTorch fit,
    /// else channels last. `found` is a sample's shape if channels are last.
    pub(super) fn order(&self, network: &Network, found: &Shape) -> Result<SampleOrder, Failure> {
        let both = [SampleOrder::ChannelsLast, SampleOrder::ChannelsFirst];
        if let Some(Layer::TokenEmbedding(_)) = network.layers.first() {
            // Token ids have no channels.
            return Ok(SampleOrder::ChannelsLast);
        }
        match one_of(&self.args.layout, [Layout::Nhwc, Layout::Nchw])? {
            Some(Layout::Nchw) => return Ok(SampleOrder::ChannelsFirst),
            Some(Layout::Nhwc | Layout::Keras | Layout::Flax) => {
                return Ok(SampleOrder::ChannelsLast);
            }
            None => {}
        }
        if self.source != Source::PyTorch || found.positions().is_empty() {
            return Ok(SampleOrder::ChannelsLast);
        }
        let fits = |order: &SampleOrder| {
            let shape = order.shape(found);
            self.import(network, &shape).check(&self.bytes).is_ok()
        };
        match both.map(|order| fits(&order)) {
            [true, true] => Err(format!(
                "{}: samples of shape {found} fit the weights with the channels last and, as PyTorch has them, with the channels first; say by --layout nhwc or --layout nchw which they are",
                self.args.x1.display()
            )
            .into()),
            [false, true] => Ok(SampleOrder::ChannelsFirst),
            // Where neither fits the weights say why.
            [_, false] => Ok(SampleOrder::ChannelsLast),
        }
    }

    fn import<'b>(&'b self, network: &'b Network, shape: &Shape) -> Import<'b> {
        let import = match self.source {
            Source::Keras => Import::keras(network, shape),
            Source::Drawn | Source::Ntk | Source::PyTorch => Import::pytorch(network, shape),
        };
        match &self.names {
            None => import,
            Some(names) => import.names(names),
        }
    }

    /// Makes the model with the weights of the file, and tells of those that `T` loses; `None` where
    /// weights are to be drawn.
    pub(super) fn load<T: Scalar>(
        &self,
        network: &Network,
        shape: &Shape,
    ) -> Result<Option<Loaded<T>>, Failure> {
        // Arrays of numpy tell of theirs where they are read.
        if T::NAME != <f64 as Real>::NAME
            && !self.bytes.starts_with(b"PK")
            && let Some(Loaded { model, .. }) = self.loaded::<f64>(network, shape)?
        {
            let path = self
                .args
                .weights
                .as_ref()
                .unwrap_or(&self.args.net)
                .display();
            for (name, weights) in model.parameter_names().iter().zip(model.parameters()) {
                narrow::array::<T, _>(&format!("{path}: {name}"), &weights)?;
            }
        }
        self.loaded(network, shape)
    }

    fn loaded<T: Scalar>(
        &self,
        network: &Network,
        shape: &Shape,
    ) -> Result<Option<Loaded<T>>, Failure> {
        let Some(path) = &self.args.weights else {
            return Ok(None);
        };
        let name = path.display();
        let loaded = match self.source {
            Source::Drawn => return Ok(None),
            Source::Ntk => Model::from_safetensors(network, shape, &self.bytes).map(Loaded::alone),
            Source::Keras if self.bytes.starts_with(b"PK") => {
                let arrays = self.arrays::<T>(path)?;
                Model::from_arrays(network, shape, arrays).map(Loaded::alone)
            }
            Source::PyTorch | Source::Keras => {
                let imported = self.import(network, shape).read(&self.bytes);
                imported.map(|imported| told(imported, path))
            }
        };
        let of = |e: WeightsError| match e {
            WeightsError::Model(e) => format!("{}: {e}", self.args.net.display()),
            WeightsError::Format { reason } => format!(
                "{name}: not a safetensors file ({}); --save-weights writes one, and safetensors.torch.save_file in PyTorch",
                escaped(&reason)
            ),
            WeightsError::Parameterization { library } => format!(
                "{}: the network is in NTK parameterisation, and the weights are those of {library}, whose layers are in the standard one: the kernel would not be the model's; write \"parameterization\": \"standard\", or leave it out",
                self.args.net.display()
            ),
            e => format!("{name}: {e}"),
        };
        Ok(Some(loaded.map_err(of)?))
    }

    /// Reads the arrays of `numpy.savez(path, *model.get_weights())`, in their order.
    fn arrays<T: Scalar>(&self, path: &Path) -> Result<Vec<ArrayD<T>>, Failure> {
        let name = path.display();
        let how = "write it by numpy.savez(path, *model.get_weights())";
        if self.names.is_some() {
            return Err(format!("{name}: --names is for safetensors files; {how}").into());
        }
        let entries = npy::read_npz(&name.to_string(), &self.bytes)?;
        let shown: Vec<_> = entries.iter().map(|(entry, _)| escaped(entry)).collect();
        let number = |entry: &str| entry.strip_prefix("arr_")?.parse::<usize>().ok();
        let numbered = entries.into_iter();
        let numbered = numbered.map(|(entry, array)| Some((number(&entry)?, array)));
        let Some(mut ordered) = numbered.collect::<Option<Vec<_>>>() else {
            return Err(format!(
                "{name}: expected arrays arr_0, arr_1, ..., found {}; {how}",
                listed(&shown)
            )
            .into());
        };
        ordered.sort_by_key(|(number, _)| *number);
        Ok(ordered.into_iter().map(|(_, array)| array).collect())
    }
}

/// Makes sentences of what a file held besides the weights.
fn told<T: Scalar>(imported: Imported<T>, path: &Path) -> Loaded<T> {
    let mut warnings: Vec<_> = imported.paddings.iter().map(ToString::to_string).collect();
    let normalized = imported.unused.iter().filter(|unused| unused.batch_norm);
    let normalized: Vec<_> = normalized.map(|unused| &unused.tensor).collect();
    if !normalized.is_empty() {
        warnings.push(format!(
            "{} holds a batch normalisation, which the network has not, so that outputs and kernel are not the model's: {}",
            path.display(),
            listed(&normalized)
        ));
    }
    Loaded {
        model: imported.model,
        unused: imported.unused,
        warnings,
    }
}

/// A map of names none of which stands twice.
struct Names(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names in braces")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Names, A::Error> {
                let mut names = BTreeMap::new();
                while let Some((ours, theirs)) = entries.next_entry::<String, String>()? {
                    let twice = format!("{} stands twice", escaped(&ours));
                    if names.insert(ours, theirs).is_some() {
                        return Err(serde::de::Error::custom(twice));
                    }
                }
                Ok(Names(names))
            }
        }

        deserializer.deserialize_map(Each)
    }
}

fn names(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let name = path.display();
    let bytes = files::read(path, "give a JSON object by --names")?;
    let text = inputs::decoded(&name.to_string(), &bytes)?;
    let Names(names) = serde_json::from_str(&text).map_err(|e| {
        format!(
            "{name} is no map of names: {}; expected {{\"layers.0.weight\": \"fc1.weight\", ...}}",
            escaped(&e.to_string())
        )
    })?;
    Ok(names)
}
