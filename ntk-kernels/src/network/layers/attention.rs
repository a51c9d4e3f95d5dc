//! Describes global self-attention over positions.

use super::{
    Action, Layer, LayerKind, NetworkError, Resolved, Shape, count_fault, deviations_fault, json,
    to_json,
};
use crate::network::action::{Decay, Embedded, Logits, Mechanism, PositionCovariance};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A `PositionalMerge` says how a positional embedding joins the signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PositionalMerge {
    /// It is added.
    #[default]
    Sum,
    /// It makes further channels.
    Concat,
}

/// A `PositionalEmbedding` gives every position a trained random vector, of which keys and queries are
/// made beside the signal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PositionalEmbedding {
    /// The way in which the embedding joins the signal.
    pub merge: PositionalMerge,
    /// The standard deviation of the vectors' entries.
    pub w_std: f64,
    /// The number of channels of the embedding where it makes further ones; `None` means as many as
    /// the signal has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// Whether values are made of the embedding too.
    pub values: bool,
    /// The exponent of the distance along an axis: distances are `sum |p - p'|^norm` over axes.
    pub norm: f64,
    /// The decay of covariances with the distance; `None` means that different positions are
    /// independent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decay: Option<Decay>,
}

impl Default for PositionalEmbedding {
    fn default() -> Self {
        Self {
            merge: PositionalMerge::Sum,
            w_std: 1.0,
            channels: None,
            values: false,
            norm: 2.0,
            decay: None,
        }
    }
}

impl PositionalEmbedding {
    fn fault(&self) -> Option<String> {
        let rate = match self.decay {
            None => 1.0,
            Some(Decay::Exp(rate) | Decay::Power(rate)) => rate,
        };
        let positive = |name: &str, value: f64| {
            (!(value.is_finite() && value > 0.0))
                .then(|| format!("{name} must be finite and positive, found {value}"))
        };
        deviations_fault(&[("embedding's w_std", Some(self.w_std))])
            .or_else(|| {
                self.channels
                    .and_then(|count| count_fault("embedding's channels", count))
            })
            .or_else(|| positive("embedding's norm", self.norm))
            .or_else(|| positive("the rate of embedding's decay", rate))
    }

    fn resolve(&self, input: &Shape) -> Embedded {
        let own = input.channels();
        let channels = match self.merge {
            PositionalMerge::Sum => None,
            PositionalMerge::Concat => Some(self.channels.unwrap_or(own)),
        };
        let share = channels.map(|channels| channels as f64 / (own as f64 + channels as f64));
        Embedded {
            share,
            channels,
            values: self.values,
            covariance: PositionCovariance {
                w_std: self.w_std,
                norm: self.norm,
                decay: self.decay,
            },
            sizes: input.positions().to_vec(),
        }
    }
}

/// `Attention` is multi-head self-attention of all positions with all, in the limit of many heads
/// (Hron et al. 2020, arXiv:2006.10540).
///
/// A vector counts as one position. The weights are scaled as in the NTK parameterisation, whatever
/// the network's is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Attention {
    /// The number of output channels, which has no effect on infinite-width kernels.
    pub channels: usize,
    /// The number of heads, which has no effect on infinite-width kernels.
    pub heads: usize,
    /// The number of channels of the keys and queries of each head of a finite network; `None` means
    /// `channels / heads`, rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_channels: Option<usize>,
    /// The number of channels of the values of each head of a finite network; `None` means
    /// `channels / heads`, rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_channels: Option<usize>,
    /// A `Mechanism` says how attention weights follow from the logits.
    pub mechanism: Mechanism,
    /// Whether logits are divided by the number of key channels, with keys and queries that share
    /// their weights; otherwise they are divided by its square root, with weights of their own.
    pub linear_scaling: bool,
    /// The standard deviation of the keys' weights, times `sqrt(fan_in)`.
    pub w_key_std: f64,
    /// The standard deviation of the values' weights, times `sqrt(fan_in)`.
    pub w_value_std: f64,
    /// The standard deviation of the queries' weights, times `sqrt(fan_in)`.
    pub w_query_std: f64,
    /// The standard deviation of the output's weights, times `sqrt(fan_in)`.
    pub w_out_std: f64,
    /// The standard deviation of the output's biases at first; `None` means that the layer has
    /// none.
    pub b_std: Option<f64>,
    /// The positional embedding; `None` means that positions are told apart by the signal alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding: Option<PositionalEmbedding>,
}

impl Default for Attention {
    fn default() -> Self {
        Self {
            channels: 64,
            heads: 8,
            key_channels: None,
            value_channels: None,
            mechanism: Mechanism::Identity,
            linear_scaling: true,
            w_key_std: 1.0,
            w_value_std: 1.0,
            w_query_std: 1.0,
            w_out_std: 1.0,
            b_std: None,
            embedding: None,
        }
    }
}

/// Makes a self-attention layer with the logits as attention weights, linear scaling, all standard
/// deviations 1, and no bias.
///
/// ```
/// use ndarray::Array;
/// use ntk_kernels::network::{Network, attention, conv, flatten, relu};
///
/// let network = Network::new().then(conv([3])).then(relu()).then(attention()).then(flatten());
/// let sequences = Array::from_elem((2, 8, 5), 0.5); // samples, length, channels
/// assert_eq!(network.ntk(&sequences)?.dim(), (2, 2));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[must_use]
pub fn attention() -> Attention {
    Attention::default()
}

impl Attention {
    /// Sets the number of output channels.
    #[must_use]
    pub fn channels(mut self, channels: usize) -> Self {
        self.channels = channels;
        self
    }

    /// Sets the number of heads.
    #[must_use]
    pub fn heads(mut self, heads: usize) -> Self {
        self.heads = heads;
        self
    }

    /// Sets the numbers of channels of keys and values of each head of a finite network; `None` means
    /// `channels / heads`, rounded up.
    #[must_use]
    pub fn head_channels(
        mut self,
        keys: impl Into<Option<usize>>,
        values: impl Into<Option<usize>>,
    ) -> Self {
        (self.key_channels, self.value_channels) = (keys.into(), values.into());
        self
    }

    /// Sets whether logits are divided by the number of key channels or by its square root; see
    /// [`Attention::linear_scaling`](struct@Attention#structfield.linear_scaling).
    #[must_use]
    pub fn linear_scaling(mut self, linear: bool) -> Self {
        self.linear_scaling = linear;
        self
    }

    /// Sets the standard deviations of the keys', queries', values' and output's weights.
    #[must_use]
    pub fn w_stds(mut self, key: f64, query: f64, value: f64, out: f64) -> Self {
        (self.w_key_std, self.w_query_std) = (key, query);
        (self.w_value_std, self.w_out_std) = (value, out);
        self
    }

    /// Sets how attention weights follow from the logits.
    #[must_use]
    pub fn mechanism(mut self, mechanism: Mechanism) -> Self {
        self.mechanism = mechanism;
        self
    }

    /// Gives every position a trained random vector, of which keys and queries are made beside the
    /// signal.
    #[must_use]
    pub fn embedding(mut self, embedding: PositionalEmbedding) -> Self {
        self.embedding = Some(embedding);
        self
    }

    /// Gives the output biases of this standard deviation, or by `None` takes them away.
    #[must_use]
    pub fn b_std(mut self, b_std: impl Into<Option<f64>>) -> Self {
        self.b_std = b_std.into();
        self
    }
}

impl LayerKind for Attention {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn options(&self) -> Value {
        to_json(self)
    }

    fn fault(&self) -> Option<String> {
        let counts = [
            ("channels", self.channels),
            ("heads", self.heads),
            ("key_channels", self.key_channels.unwrap_or(1)),
            ("value_channels", self.value_channels.unwrap_or(1)),
        ];
        let mut faults = counts
            .iter()
            .filter_map(|&(n, count)| count_fault(n, count));
        faults.next().or_else(|| {
            deviations_fault(&[
                ("w_key_std", Some(self.w_key_std)),
                ("w_value_std", Some(self.w_value_std)),
                ("w_query_std", Some(self.w_query_std)),
                ("w_out_std", Some(self.w_out_std)),
                ("b_std", self.b_std),
            ])
            .or_else(|| self.embedding.as_ref().and_then(PositionalEmbedding::fault))
        })
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let of_head = |channels: Option<usize>| {
            channels.unwrap_or_else(|| self.channels.div_ceil(self.heads))
        };
        Ok(Resolved {
            shape: input.with_channels(self.channels),
            action: Action::Attention(Logits {
                mechanism: self.mechanism,
                embedding: self
                    .embedding
                    .as_ref()
                    .map(|embedding| embedding.resolve(input)),
                linear_scaling: self.linear_scaling,
                logit_std: self.w_key_std * self.w_query_std,
                value_std: self.w_out_std * self.w_value_std,
                b_std: self.b_std,
                heads: self.heads,
                key_channels: of_head(self.key_channels),
                value_channels: of_head(self.value_channels),
                width: self.channels,
            }),
        })
    }

    fn deviations(&mut self) -> Vec<(&'static str, &mut f64)> {
        let stds = [
            ("w_key_std", &mut self.w_key_std),
            ("w_value_std", &mut self.w_value_std),
            ("w_query_std", &mut self.w_query_std),
            ("w_out_std", &mut self.w_out_std),
        ];
        let biases = self.b_std.as_mut().map(|b_std| ("b_std", b_std));
        let embedding = self.embedding.as_mut();
        let embedding = embedding.map(|embedding| ("embedding.w_std", &mut embedding.w_std));
        stds.into_iter().chain(biases).chain(embedding).collect()
    }
}

pub(super) const NAMES: &[&str] = &["attention"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::options::<Attention>(at, name, options).map(Layer::Attention)
}
