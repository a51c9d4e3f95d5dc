//! The networks: each is a number of layers of one kind between two ends.

use super::task::VOCABULARY;
use super::{At, at};
use ntk_kernels::network::{
    Decay, Mechanism, Network, PositionalEmbedding, aggregate, attention, conv, dense, embedding,
    erf, global_avg_pool, recurrent, relu, residual,
};
use serde_json::{Value as Json, json};

/// The standard deviation of biases.
const B_STD: f64 = 0.1;

/// A `Kind` says what the layers of a network are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Sums over edges, for graphs.
    Aggregate,
    /// Convolutions of three positions.
    Conv,
    /// Recurrences of erf.
    Recurrent,
    /// Softmax attention with positional embedding beside its input, and a layer of relu after it.
    Attention,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [
        Self::Aggregate,
        Self::Conv,
        Self::Recurrent,
        Self::Attention,
    ];

    /// Returns the name of the layers.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Aggregate => "aggregate",
            Self::Conv => "conv",
            Self::Recurrent => "recurrent",
            Self::Attention => "attention",
        }
    }

    /// Returns the number of layers of networks of growing width.
    pub(super) fn depth(self) -> usize {
        match self {
            Self::Aggregate => 3,
            Self::Conv => 4,
            Self::Recurrent | Self::Attention => 1,
        }
    }
}

/// An `Architecture` is a kind of layers, and their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Architecture {
    pub(super) kind: Kind,
    pub(super) depth: usize,
}

impl Architecture {
    /// Returns the architecture of networks of growing width.
    pub(super) fn widened(kind: Kind) -> Self {
        let depth = kind.depth();
        Self { kind, depth }
    }

    /// Makes a network of this width with so many outputs.
    pub(super) fn network(self, width: usize, classes: usize) -> Network {
        let begun = match self.kind {
            Kind::Aggregate => Network::new(),
            Kind::Conv | Kind::Recurrent | Kind::Attention => {
                Network::new().then(embedding(VOCABULARY).width(width))
            }
        };
        let layer = |network, number| self.layer(network, number, width);
        let hidden = (0..self.depth).fold(begun, layer);
        let pooled = match self.kind {
            Kind::Recurrent => hidden,
            Kind::Aggregate | Kind::Conv | Kind::Attention => hidden.then(global_avg_pool()),
        };
        pooled.then(dense().width(classes))
    }

    fn layer(self, network: Network, number: usize, width: usize) -> Network {
        // Which keeps the size of the signal (He et al. 2015, arXiv:1502.01852).
        let w_std = 2.0_f64.sqrt();
        match self.kind {
            Kind::Aggregate => network
                .then(dense().width(width).w_std(w_std).b_std(B_STD))
                .then(aggregate())
                .then(relu()),
            Kind::Conv => network
                .then(conv([3]).channels(width).same().w_std(w_std).b_std(B_STD))
                .then(relu()),
            Kind::Recurrent => {
                let layer = recurrent(erf(1.0, 1.0, 0.0))
                    .width(width)
                    .w_std(1.0)
                    .u_std(0.5);
                network.then(match number + 1 < self.depth {
                    true => layer.all_states(),
                    false => layer,
                })
            }
            Kind::Attention => {
                let heads = (width / 4).max(1);
                let positions = PositionalEmbedding {
                    values: true,
                    norm: 1.0,
                    decay: Some(Decay::Exp(0.05)),
                    ..PositionalEmbedding::default()
                };
                // Weights of attention that tell positions and tokens apart, and not one of them alone.
                let key = 2.0;
                let attention = attention()
                    .channels(width)
                    .heads(heads)
                    .head_channels(heads, 4)
                    .mechanism(Mechanism::Softmax)
                    .w_stds(key, key, 1.0, 1.0)
                    .embedding(positions);
                network
                    .then(residual(Network::new().then(attention)))
                    .then(dense().width(width).w_std(w_std).b_std(B_STD))
                    .then(relu())
            }
        }
    }

    /// Makes a network for its kernels in closed form, which know of no width.
    pub(super) fn limit(self, classes: usize) -> Network {
        self.network(1, classes)
    }

    /// Returns about how many multiplications a pass of one sample takes, but for what all have alike.
    pub(super) fn cost(self, width: usize) -> usize {
        let positions = match self.kind {
            Kind::Aggregate => 40,
            Kind::Conv => 48,
            Kind::Recurrent => 16,
            Kind::Attention => 16 * (1 + width / 16),
        };
        positions * self.depth * width * width
    }

    /// Says what values belong to.
    pub(super) fn place(self) -> At {
        at(json!({"layers": self.kind.name(), "depth": self.depth}))
    }
}

pub(super) fn describe() -> Json {
    json!({
        "aggregate": "dense(width), aggregate, relu, as often as there are layers, global_avg_pool, dense",
        "conv": "embedding(width), conv([3], same), relu, as often, global_avg_pool, dense",
        "recurrent": "embedding(width), recurrent(erf), as often, dense; w_std 1, u_std 0.5",
        "attention": "embedding(width), residual(attention), dense(width), relu, as often, global_avg_pool, dense; \
            softmax, width/4 heads, keys and queries w_std 2, positional embedding with decay exp(-0.05 d)",
        "w_std": "sqrt(2) before relu, else 1",
        "b_std": B_STD,
    })
}
