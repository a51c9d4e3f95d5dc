//! Says what a layer does to a signal: an [`Action`] is all that kernels and finite networks know
//! of a layer.
//!
//! Besides [`Action::Flatten`] and attention, positions are mixed in two ways only: by random
//! weights over receptive fields ([`Weights`] with [`Windows`]) and by fixed linear maps
//! ([`PositionMap`]). Everything else acts at each position by itself.

use super::positions::{PositionMap, Windows, axes_of};
use super::shape::AXES;
use super::shape::{Shape, saturating_product};
use crate::dual::Activation;
use ndarray::Array2;
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
        /// Whether a trained scale and shift of each channel follow, shared by positions, which start
        /// at 1 and 0.
        affine: bool,
    },
    /// It subtracts stored means of each channel, and divides by stored standard deviations.
    BatchNorm {
        /// The number added to the variances.
        eps: f64,
        /// Whether a trained scale and shift of each channel follow, which start at 1 and 0.
        affine: bool,
    },
    /// It sets numbers to zero at random while training.
    Dropout {
        /// The probability that a number is kept.
        keep: f64,
    },
    /// It applies self-attention over positions.
    Attention(Logits),
    /// It sums over the edges of each sample's graph, whose nodes are the positions along the marked
    /// axes.
    Aggregate {
        /// For each axis of positions, whether its positions are nodes.
        over: Vec<bool>,
    },
    /// It goes through the positions of a sequence with the same weights at each.
    Recurrent(Recurrence),
    /// It looks up a trained random vector for each token id.
    Embedding {
        /// The number of tokens.
        vocabulary: usize,
        /// The number of channels.
        width: usize,
        /// The standard deviation of the vectors' entries.
        w_std: f64,
    },
    /// It merges the ends of paths, entry by entry.
    Merge(Merge),
    /// It puts the ends of paths side by side.
    Concat {
        /// The axis of positions, from 0; `None` stands for the channels.
        axis: Option<usize>,
    },
}

impl Action {
    /// Says why the action does not lead from the shapes `ends`, of which there is at least one, to shape
    /// `after` in a layer of so many paths, if it does not: a layer of the user's own may be wrong about
    /// that.
    pub(crate) fn misfit(&self, ends: &[Shape], after: &Shape, paths: usize) -> Option<String> {
        let before = &ends[0];
        let channels = before.channels() == after.channels();
        let fits = match self {
            Self::Nothing
            | Self::Activation(_)
            | Self::Normalize { .. }
            | Self::BatchNorm { .. }
            | Self::Dropout { .. } => before == after,
            Self::Merge(_) | Self::Concat { .. } if paths == 0 => {
                return Some("it merges paths and has none; give it paths".into());
            }
            Self::Merge(Merge::Concat) => {
                return Some("it concatenates by Action::Merge; give Action::Concat".into());
            }
            Self::Merge(_) => before == after,
            Self::Concat { axis } => {
                Shape::side_by_side(ends, *axis).is_some_and(|shape| shape == *after)
            }
            Self::Weights(weights) => {
                let of_group = |channels: usize| channels / weights.groups.max(1);
                after.channels() == weights.width
                    && weights.fan_in == weights.taps().saturating_mul(of_group(before.channels()))
                    && [before, after]
                        .iter()
                        .all(|s| s.channels() % weights.groups.max(1) == 0)
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
            Self::Attention(logits) => {
                before.positions() == after.positions() && after.channels() == logits.width
            }
            Self::Aggregate { .. } => before == after,
            Self::Recurrent(recurrence) => {
                let positions = match recurrence.states {
                    States::Last => &[][..],
                    States::All => before.positions(),
                };
                after.positions() == positions && after.channels() == recurrence.width
            }
            Self::Embedding { width, .. } => {
                before.channels() == 1
                    && before.positions() == after.positions()
                    && after.channels() == *width
            }
        };
        if !fits {
            return Some(format!(
                "what it does to {before} does not give {after}; correct what its resolve says"
            ));
        }
        (paths > 0 && !matches!(self, Self::Merge(_) | Self::Concat { .. })).then(|| {
            "it has paths and does not merge them; give Action::Merge or Action::Concat".into()
        })
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
    /// The number of inputs to one output: channels of a group times positions of the receptive field.
    pub fan_in: usize,
    /// The number of output channels.
    pub width: usize,
    /// The standard deviation of the weights, times `sqrt(fan_in)`.
    pub w_std: f64,
    /// The standard deviation of the biases at first; `None` means that the layer has none.
    pub b_std: Option<f64>,
    /// The number of output channels for which the layer's scaling is meant, in the standard
    /// parameterisation; `None` means as many as there are.
    pub base: Option<usize>,
    /// The number of input channels over that for which the layers before are meant, set by
    /// [`Network::resolve`](super::Network::resolve).
    pub spread: f64,
    /// The number of groups of channels: the outputs of a group read its inputs alone.
    pub groups: usize,
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
            base: None,
            spread: 1.0,
            groups: 1,
            shared: true,
        }
    }

    /// Sets the number of output channels for which the layer's scaling is meant.
    #[must_use]
    pub fn base(mut self, base: Option<usize>) -> Self {
        self.base = base;
        self
    }

    /// Divides the channels into groups, of which outputs read the inputs of their own alone; both
    /// numbers of channels are multiples of `groups`.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.fan_in /= groups.max(1);
        self.groups = groups;
        self
    }

    /// Says whether each group has one channel of the input, of which there are several.
    pub(crate) fn depthwise(&self) -> bool {
        self.groups > 1 && self.fan_in == self.taps()
    }

    /// Returns the fan-in by which weights are scaled in the standard parameterisation.
    pub(crate) fn base_fan_in(&self) -> f64 {
        self.fan_in as f64 / self.spread
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
}

fn product(sizes: &[usize]) -> usize {
    saturating_product(sizes.iter().copied())
}

/// `States` says which states of a recurrent layer its output has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum States {
    /// The output is the state at the last position: the last that is not masked.
    #[default]
    Last,
    /// The output is the state at every position.
    All,
}

/// A `Recurrence` is `z_t = w/sqrt(N) W h_(t-1) + u/sqrt(C) U x_t + b beta`, `h_t = phi(z_t)`, with the
/// same W, U and beta at every t.
#[derive(Debug, Clone, PartialEq)]
pub struct Recurrence {
    /// The number of units, N.
    pub width: usize,
    /// The standard deviation of the weights between states, times `sqrt(N)`.
    pub w_std: f64,
    /// The standard deviation of the weights of the inputs, times `sqrt(C)`.
    pub u_std: f64,
    /// The standard deviation of the biases at first; `None` means that there are none.
    pub b_std: Option<f64>,
    /// The number of biases that are added: 1, or 2, one with the inputs and one with the states.
    pub biases: usize,
    /// The activation, phi.
    pub activation: Activation,
    /// The states that the layer gives.
    pub states: States,
    /// The number of input channels, C.
    pub channels: usize,
}

/// `Logits` describes self-attention in the limit of many heads.
#[derive(Debug, Clone, PartialEq)]
pub struct Logits {
    /// The function that makes attention weights of the logits.
    pub mechanism: Mechanism,
    /// The covariances of the positional embedding, if there is one.
    pub embedding: Option<Embedded>,
    /// Whether logits are divided by the number of key channels rather than by its square root.
    pub linear_scaling: bool,
    /// The standard deviation of the keys' weights times that of the queries'.
    pub logit_std: f64,
    /// The standard deviation of the output's weights times that of the values'.
    pub value_std: f64,
    /// The standard deviation of the output's biases; `None` means that it has none.
    pub b_std: Option<f64>,
    /// The number of heads of a finite network.
    pub heads: usize,
    /// The number of channels of the keys of each head.
    pub key_channels: usize,
    /// The number of channels of the values of each head.
    pub value_channels: usize,
    /// The number of output channels.
    pub width: usize,
}

/// A `Mechanism` says how attention weights follow from the logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mechanism {
    /// The logits are the attention weights.
    #[default]
    Identity,
    /// The attention weights are the softmax of the logits over all positions.
    Softmax,
    /// The attention weights are the logits where they are positive, and zero elsewhere.
    Relu,
    /// The attention weights are the absolute values of the logits.
    Abs,
}

/// A `Decay` says how the covariance of the embeddings of two positions falls with their distance d.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "Rate")]
pub enum Decay {
    /// It is `exp(-rate d)`.
    Exp(f64),
    /// It is `(1 + d)^-rate`.
    Power(f64),
}

/// A decay as JSON has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rate {
    exp: Option<f64>,
    power: Option<f64>,
}

impl TryFrom<Rate> for Decay {
    type Error = &'static str;

    fn try_from(rate: Rate) -> Result<Self, Self::Error> {
        match (rate.exp, rate.power) {
            (Some(rate), None) => Ok(Self::Exp(rate)),
            (None, Some(rate)) => Ok(Self::Power(rate)),
            _ => Err("decay must have one rate, as {\"exp\": 0.5} or {\"power\": 2}"),
        }
    }
}

/// An `Embedded` holds the covariances of trained random vectors, one for each position, which keys and
/// queries are made of beside the signal.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// The share of the embedding: with s the kernel of keys is `(1 - s) K + s R`; `None` where the
    /// embedding is added, `K + R`.
    pub share: Option<f64>,
    /// The number of channels that the embedding adds; `None` where it is added itself.
    pub channels: Option<usize>,
    /// Whether values are made of the embedding too.
    pub values: bool,
    /// The variance of an embedding, and its decay with the distance of positions.
    pub covariance: PositionCovariance,
    /// The sizes of the axes of positions.
    pub sizes: Vec<usize>,
}

impl Embedded {
    /// Computes the covariances of the embeddings of all pairs of positions, (positions, positions).
    #[must_use]
    pub fn covariances(&self) -> Array2<f64> {
        let index = |mut at: usize| -> Vec<usize> {
            let sizes = self.sizes.iter().rev();
            let along = sizes.map(|&size| {
                let index = at % size;
                at /= size;
                index
            });
            along.collect()
        };
        let positions = self.sizes.iter().product();
        let places: Vec<_> = (0..positions).map(index).collect();
        Array2::from_shape_fn((positions, positions), |(p, q)| {
            let along = places[p].iter().zip(&places[q]);
            self.covariance.at(along.map(|(&a, &b)| a.abs_diff(b)))
        })
    }
}

/// A `PositionCovariance` is the covariance of the embeddings of two positions: `w_std^2 f(d)`, with
/// d the sum over axes of `|difference|^norm`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PositionCovariance {
    /// The standard deviation of an embedding.
    pub w_std: f64,
    /// The exponent of the distance along an axis.
    pub norm: f64,
    /// The decay f; `None` means that different positions are independent.
    pub decay: Option<Decay>,
}

impl PositionCovariance {
    /// Computes the covariance of two positions at these distances along each axis.
    #[must_use]
    pub fn at(&self, distances: impl IntoIterator<Item = usize>) -> f64 {
        let powers = distances.into_iter().map(|d| match d {
            0 => 0.0,
            d => (d as f64).powf(self.norm),
        });
        let d: f64 = powers.sum();
        let decay = match self.decay {
            None => f64::from(u8::from(d == 0.0)),
            Some(Decay::Exp(rate)) => (-rate * d).exp(),
            Some(Decay::Power(rate)) => (1.0 + d).powf(-rate),
        };
        self.w_std * self.w_std * decay
    }
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
    /// The paths' outputs stand side by side, along the channels or an axis of positions.
    Concat,
}
