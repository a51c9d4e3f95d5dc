//! The layers a network is made of: one file each.

mod attention;
mod branch;
mod conv;
mod dense;
mod normalization;
mod pool;

pub use attention::{Attention, Mechanism, attention};
pub use branch::{Branch, Merge, branch, product, residual};
pub use conv::{Conv, Padding, conv};
pub use dense::{Dense, dense};
pub use normalization::{Dropout, LayerNorm, dropout, layer_norm};
pub(super) use pool::PoolOptions;
pub use pool::{
    Pool, Pooling, avg_pool, flatten, global_avg_pool, global_sum_pool, identity, sum_pool,
};

use super::Shape;
use crate::dual::Activation;
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// One layer.
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// Fully connected; on images, of the channels at every position.
    Dense(Dense),
    /// Convolution over one or two axes of positions.
    Conv(Conv),
    /// Average or sum over windows of positions.
    Pool(Pool),
    /// Average or sum over all positions.
    GlobalPool(Pooling),
    /// Positions and channels become features.
    Flatten,
    /// Passes its input on.
    Identity,
    /// Normalisation by the variance over chosen axes.
    LayerNorm(LayerNorm),
    /// Random zeros while training.
    Dropout(Dropout),
    /// Several paths from one input, merged.
    Branch(Branch),
    /// Global self-attention over positions.
    Attention(Attention),
    /// Elementwise nonlinearity.
    Activation(Activation),
}

/// Names of the layers that are not activations.
pub(super) const STRUCTURAL: [&str; 12] = [
    "dense",
    "conv",
    "avg_pool",
    "sum_pool",
    "global_avg_pool",
    "global_sum_pool",
    "flatten",
    "identity",
    "layer_norm",
    "dropout",
    "branch",
    "attention",
];

impl Layer {
    /// The name that JSON gives it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Dense(_) => "dense",
            Self::Conv(_) => "conv",
            Self::Pool(pool) => match pool.pooling {
                Pooling::Average => "avg_pool",
                Pooling::Sum => "sum_pool",
            },
            Self::GlobalPool(Pooling::Average) => "global_avg_pool",
            Self::GlobalPool(Pooling::Sum) => "global_sum_pool",
            Self::Flatten => "flatten",
            Self::Identity => "identity",
            Self::LayerNorm(_) => "layer_norm",
            Self::Dropout(_) => "dropout",
            Self::Branch(_) => "branch",
            Self::Attention(_) => "attention",
            Self::Activation(activation) => activation.name_and_options().0,
        }
    }

    /// Its options as JSON, `null` for none.
    pub(super) fn options(&self) -> Value {
        fn json(options: &impl Serialize) -> Value {
            serde_json::to_value(options).unwrap_or(Value::Null)
        }
        match self {
            Self::Dense(l) => json(l),
            Self::Conv(l) => json(l),
            Self::Pool(l) => json(l),
            Self::LayerNorm(l) => json(l),
            Self::Dropout(l) => json(l),
            Self::Branch(l) => l.options(),
            Self::Attention(l) => json(l),
            Self::Activation(l) => l.name_and_options().1,
            Self::GlobalPool(_) | Self::Flatten | Self::Identity => Value::Null,
        }
    }

    /// What is wrong with its own options, if anything; a branch's paths are not looked into.
    pub(super) fn fault(&self) -> Option<String> {
        match self {
            Self::Dense(l) => l.fault(),
            Self::Conv(l) => l.fault(),
            Self::Pool(l) => l.fault(),
            Self::LayerNorm(l) => l.fault(),
            Self::Dropout(l) => l.fault(),
            Self::Branch(l) => l.fault(),
            Self::Attention(l) => l.fault(),
            Self::Activation(l) => l.fault(),
            Self::GlobalPool(_) | Self::Flatten | Self::Identity => None,
        }
    }

    /// The shape after it, or why it does not take `input`; a branch is [`super::Network::shapes`]' matter.
    pub(crate) fn shape(&self, input: &Shape) -> Result<Shape, String> {
        match self {
            Self::Dense(l) => Ok(input.with_channels(l.width)),
            Self::Conv(l) => l.shape(input),
            Self::Pool(l) => l.shape(input),
            Self::GlobalPool(_) => {
                input.needs_positions()?;
                Ok(Shape::features(input.channels()))
            }
            Self::Flatten => Ok(Shape::features(input.size())),
            Self::LayerNorm(l) => l.shape(input),
            Self::Attention(l) => Ok(l.shape(input)),
            Self::Identity | Self::Dropout(_) | Self::Branch(_) | Self::Activation(_) => {
                Ok(input.clone())
            }
        }
    }
}

/// The name and, in brackets, the options.
impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let options = match self {
            Self::Branch(branch) => vec![branch.merge.to_string()],
            layer => match layer.options() {
                Value::Object(options) => options
                    .iter()
                    .map(|(name, value)| format!("{name} {}", plain(value)))
                    .collect(),
                _ => return Ok(()),
            },
        };
        write!(f, "({})", options.join(", "))
    }
}

/// A number without a needless `.0`, a text without quotes.
fn plain(value: &Value) -> String {
    match (value, value.as_f64()) {
        (Value::String(text), _) => text.clone(),
        (Value::Array(items), _) => {
            format!(
                "[{}]",
                items.iter().map(plain).collect::<Vec<_>>().join(", ")
            )
        }
        (_, Some(number)) => number.to_string(),
        _ => value.to_string(),
    }
}

/// What is wrong with standard deviations, if anything.
fn deviations_fault(deviations: &[(&str, f64)]) -> Option<String> {
    deviations
        .iter()
        .find(|(_, value)| !(value.is_finite() && *value >= 0.0))
        .map(|(name, value)| format!("{name} must be finite and not negative, found {value}"))
}
