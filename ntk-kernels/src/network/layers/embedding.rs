//! Describes embeddings of token ids.

use super::{
    Action, Layer, LayerKind, NetworkError, Resolved, Shape, count_fault, deviations_fault, json,
    to_json,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A `TokenEmbedding` looks up a trained random vector for each token id. It is the first layer, and
/// samples are ids, (n, length), whole numbers from 0 on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenEmbedding {
    /// The number of tokens.
    pub vocabulary: usize,
    /// The number of channels.
    #[serde(default = "width")]
    pub width: usize,
    /// The standard deviation of the vectors' entries, which is not divided by the vocabulary.
    #[serde(default = "one")]
    pub w_std: f64,
}

fn width() -> usize {
    512
}

fn one() -> f64 {
    1.0
}

/// Makes an embedding of so many tokens, with 512 channels and `w_std = 1`.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::network::{Network, dense, embedding, flatten, relu};
///
/// let network = Network::new().then(embedding(10)).then(relu()).then(flatten()).then(dense());
/// let sentences = array![[3.0, 1.0, 4.0], [3.0, 1.0, 5.0]];
/// assert_eq!(network.ntk(&sentences)?.dim(), (2, 2));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[must_use]
pub fn embedding(vocabulary: usize) -> TokenEmbedding {
    TokenEmbedding {
        vocabulary,
        width: width(),
        w_std: one(),
    }
}

impl TokenEmbedding {
    /// Sets the number of channels.
    #[must_use]
    pub fn width(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    /// Sets the standard deviation of the vectors' entries.
    #[must_use]
    pub fn w_std(mut self, w_std: f64) -> Self {
        self.w_std = w_std;
        self
    }
}

impl LayerKind for TokenEmbedding {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn options(&self) -> Value {
        to_json(self)
    }

    fn fault(&self) -> Option<String> {
        count_fault("vocabulary", self.vocabulary)
            .or_else(|| count_fault("width", self.width))
            .or_else(|| deviations_fault(&[("w_std", Some(self.w_std))]))
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        if input.channels() != 1 {
            return Err(format!(
                "it takes token ids, one channel at each position, and its input {input} has {}",
                input.channels()
            ));
        }
        let Self {
            vocabulary,
            width,
            w_std,
        } = *self;
        Ok(Resolved {
            shape: input.with_channels(width),
            action: Action::Embedding {
                vocabulary,
                width,
                w_std,
            },
        })
    }

    fn deviations(&mut self) -> Vec<(&'static str, &mut f64)> {
        vec![("w_std", &mut self.w_std)]
    }
}

pub(super) const NAMES: &[&str] = &["embedding"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::options::<TokenEmbedding>(at, name, options).map(Layer::TokenEmbedding)
}
