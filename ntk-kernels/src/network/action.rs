//! Says what a layer does to a signal: an [`Action`] is all that kernels and finite networks know
//! of a layer.
//!
//! Besides [`Action::Flatten`] and attention, positions are mixed in two ways only: by random
//! weights over receptive fields ([`Weights`] with [`Windows`]) and by fixed linear maps
//! ([`PositionMap`]). Everything else acts at each position by itself.

use super::positions::{PositionMap, Windows, axes_of};
use super::shape::AXES;
use super::shape::{MOST_NUMBERS, Shape, saturating_product};
use crate::dual::Activation;
use serde::{Deserialize, Serialize};

/// An `Action` says what a layer does to a signal.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// It passes its input on.
    Nothing,
    /// It multiplies by random weights.
    Weights(Weights),
    /// It maps positions linearly, the same way for all samples and channels.
    Positions(PositionMap),
    /// It makes features of the channels and the marked axes of positions.
    Flatten {
        /// For each axis of positions, whether it becomes part of the features.
        over: Vec<bool>,
    },
    /// It applies a function to every number.
    Activation(Activation),
    /// It subtracts means and divides by standard deviations, over the channels and the marked axes
    /// of positions.
    Normalize {
        /// The number added to the variance.
        eps: f64,
        /// For each axis of positions, whether it is normalised over.
        over: Vec<bool>,
    },
    /// It sets numbers to zero at random while training.
    Dropout {
        /// The probability that a number is kept.
        keep: f64,
    },
    /// It applies self-attention over positions.
    Attention(Logits),
    /// It merges the ends of paths.
    Merge(Merge),
}

impl Action {
    /// Says why the action does not lead from shape `before` to shape `after` in a layer of so many
    /// paths, if it does not: a layer of the user's own may be wrong about that.
    pub(crate) fn misfit(&self, before: &Shape, after: &Shape, paths: usize) -> Option<String> {
        let channels = before.channels() == after.channels();
        let fits = match self {
            Self::Nothing | Self::Activation(_) | Self::Normalize { .. } | Self::Dropout { .. } => {
                before == after
            }
            Self::Merge(_) if paths == 0 => {
                return Some("it merges paths and has none; give it paths".into());
            }
            Self::Merge(_) => before == after,
            Self::Weights(weights) => {
                after.channels() == weights.width
                    && weights.fan_in == weights.taps().saturating_mul(before.channels())
                    && match &weights.windows {
                        None => before.positions() == after.positions(),
                        Some(w) => w.inputs() == axes_of(before) && w.outputs() == axes_of(after),
                    }
            }
            Self::Positions(map) => {
                // Axes that are left out had one position.
                let sizes = |sizes: &[usize]| -> Vec<usize> {
                    sizes.iter().copied().filter(|&size| size != 1).collect()
                };
                channels
                    && map.inputs() == axes_of(before)
                    && sizes(&map.outputs()) == sizes(after.positions())
            }
            Self::Flatten { over } => *after == before.flattened(over),
            Self::Attention(_) => before.positions() == after.positions(),
        };
        if !fits {
            return Some(format!(
                "what it does to {before} does not give {after}; correct what its resolve says"
            ));
        }
        (paths > 0 && !matches!(self, Self::Merge(_)))
            .then(|| "it has paths and does not merge them; give Action::Merge".into())
    }
}

/// `Weights` are the parameters of a dense layer or convolution: `z = W x + b` at every output
/// position, where `W` acts on all channels of the output's receptive field.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Weights {
    /// The receptive fields of the output positions; `None` where each output reads its own
    /// position alone.
    pub windows: Option<Windows>,
    /// The kernel size, one number for each axis of positions; empty without windows.
    pub filter: Vec<usize>,
    /// The number of inputs to one output: channels times positions of the receptive field.
    pub fan_in: usize,
    /// The number of output channels.
    pub width: usize,
    /// The standard deviation of the weights, times `sqrt(fan_in)`.
    pub w_std: f64,
    /// The standard deviation of the biases at first; `None` means that the layer has none.
    pub b_std: Option<f64>,
    /// Whether all output positions have the same weights and biases; otherwise each has its own.
    pub shared: bool,
}

impl Weights {
    /// Makes the weights of `width` output channels for samples of shape `input`, and biases where
    /// `b_std` is given, be it 0.
    ///
    /// With `windows` each output reads a receptive field of positions, otherwise its own position
    /// alone. Sizes beyond `usize` saturate; [`Network::resolve`](super::Network::resolve) refuses
    /// them.
    #[must_use]
    pub fn new(
        windows: Option<Windows>,
        input: &Shape,
        width: usize,
        (w_std, b_std): (f64, Option<f64>),
    ) -> Self {
        let filter = windows.as_ref().map_or_else(Vec::new, |windows| {
            windows.window()[..input.positions().len().min(AXES)].to_vec()
        });
        Self {
            windows,
            fan_in: product(&filter).saturating_mul(input.channels()),
            filter,
            width,
            w_std,
            b_std,
            shared: true,
        }
    }

    /// Gives every output position weights and biases of its own.
    #[must_use]
    pub fn unshared(mut self) -> Self {
        self.shared = false;
        self
    }

    /// Returns the number of positions in a receptive field; 1 without windows.
    #[must_use]
    pub fn taps(&self) -> usize {
        product(&self.filter)
    }

    /// Says that there are too many weights, if there are.
    pub(crate) fn excess(&self) -> Option<String> {
        let numbers = [self.taps(), self.fan_in].map(|each| each.saturating_mul(self.width));
        (numbers.into_iter().max() > Some(MOST_NUMBERS)).then(|| {
            format!(
                "its weights, {} inputs times {} outputs, are more than memory can hold; use fewer channels",
                self.fan_in, self.width
            )
        })
    }
}

fn product(sizes: &[usize]) -> usize {
    saturating_product(sizes.iter().copied())
}

/// `Logits` describes self-attention whose logits are the attention weights, without a softmax, in
/// the limit of many heads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Logits {
    /// Whether logits are divided by the number of key channels rather than by its square root.
    pub linear_scaling: bool,
    /// The standard deviation of the keys' weights times that of the queries'.
    pub logit_std: f64,
    /// The standard deviation of the output's weights times that of the values'.
    pub value_std: f64,
    /// The standard deviation of the output's biases; `None` means that it has none.
    pub b_std: Option<f64>,
}

/// A `Merge` says how the outputs of a branch's paths become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Merge {
    /// The paths' outputs are summed.
    #[default]
    Sum,
    /// The paths' outputs are multiplied, entry by entry.
    Product,
}
