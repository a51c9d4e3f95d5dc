//! What a layer does to a signal: all that kernels and finite networks know of it.
//!
//! Positions are mixed in two ways only, by random taps ([`Weights`] with windows) and by fixed
//! linear maps ([`PositionMap`]), besides [`Action::Flatten`] and attention; everything else acts
//! at each position by itself.

use super::positions::{PositionMap, Windows, axes_of};
use super::shape::Shape;
use crate::dual::Activation;
use serde::{Deserialize, Serialize};

/// What a layer does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// It passes its input on.
    Nothing,
    /// It multiplies by random weights.
    Weights(Weights),
    /// It maps positions linearly, the same way for all samples and channels.
    Positions(PositionMap),
    /// It makes features of positions and channels.
    Flatten,
    /// It applies a function to every number.
    Activation(Activation),
    /// It subtracts means and divides by standard deviations, over the channels and the marked axes
    /// of positions.
    Normalize {
        /// Added to the variance.
        eps: f64,
        /// Which axes of positions.
        over: Vec<bool>,
    },
    /// It sets numbers to zero at random while training.
    Dropout {
        /// Probability that a number is kept.
        keep: f64,
    },
    /// It weighs positions by what they have in common.
    Attention(Logits),
    /// It merges the ends of paths.
    Merge(Merge),
}

impl Action {
    /// Why it does not lead from one shape to the other, of a layer of so many paths, if so: a
    /// layer of the user's own may be wrong about it.
    pub(crate) fn misfit(&self, before: &Shape, after: &Shape, paths: usize) -> Option<String> {
        let channels = before.channels() == after.channels();
        let fits = match self {
            Self::Nothing
            | Self::Activation(_)
            | Self::Normalize { .. }
            | Self::Dropout { .. }
            | Self::Merge(_) => before == after,
            Self::Weights(weights) => {
                after.channels() == weights.width
                    && weights.fan_in == weights.taps() * before.channels()
                    && match &weights.windows {
                        None => before.positions() == after.positions(),
                        Some(w) => w.inputs() == axes_of(before) && w.outputs() == axes_of(after),
                    }
            }
            Self::Positions(map) => {
                channels && map.inputs() == axes_of(before) && map.outputs() == axes_of(after)
            }
            Self::Flatten => *after == Shape::features(before.size()),
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

/// `z = W x + b` at every output position, `W` over all channels of the inputs that it reads.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Weights {
    /// Which input positions an output position reads; `None` for its own alone.
    pub windows: Option<Windows>,
    /// Taps along each axis of positions; none without windows.
    pub filter: Vec<usize>,
    /// Numbers that an output is made of: channels times taps.
    pub fan_in: usize,
    /// Output channels.
    pub width: usize,
    /// Standard deviation of the weights, times `sqrt(fan_in)`.
    pub w_std: f64,
    /// Standard deviation of the biases; 0 is a layer without bias.
    pub b_std: f64,
}

impl Weights {
    /// Weights and, where `b_std` is above 0, biases of `width` output channels, over `windows` of
    /// the positions of samples of shape `input`, or at each position by itself.
    #[must_use]
    pub fn new(
        windows: Option<Windows>,
        input: &Shape,
        width: usize,
        (w_std, b_std): (f64, f64),
    ) -> Self {
        let filter = windows.as_ref().map_or_else(Vec::new, |windows| {
            windows.window()[..input.positions().len()].to_vec()
        });
        Self {
            windows,
            fan_in: filter.iter().product::<usize>() * input.channels(),
            filter,
            width,
            w_std,
            b_std,
        }
    }

    /// How many taps there are.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.filter.iter().product()
    }
}

/// Attention whose logits are the weights, in the limit of many heads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Logits {
    /// Whether logits are divided by the number of key channels, rather than by its square root.
    pub linear_scaling: bool,
    /// The keys' standard deviation times the queries'.
    pub logit_std: f64,
    /// The output's standard deviation times the values'.
    pub value_std: f64,
    /// Standard deviation of the output's biases.
    pub b_std: f64,
}

/// How the paths' outputs become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Merge {
    /// Their sum.
    #[default]
    Sum,
    /// Their elementwise product.
    Product,
}
