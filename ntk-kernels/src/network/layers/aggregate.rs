//! Describes graph convolutions: sums over the edges of each sample's graph.

use super::{Action, Layer, LayerKind, NetworkError, Resolved, Shape, json, to_json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An `Aggregate` sums at each node what its edges bring from their tails, each times its weight (Du et
/// al. 2019, arXiv:1905.13192). The graphs come with the samples; without them each node keeps what it
/// has.
///
/// Edges of a node to itself, and normalisation, are the graph's: a graph convolution of Kipf and
/// Welling has the weights `D^-1/2 (A + 1) D^-1/2`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Aggregate {
    /// The axes whose positions are nodes, counted as in a batch: 1 is the first axis of positions.
    /// `None` means all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axes: Option<Vec<isize>>,
}

/// Makes a layer that sums over the edges of each sample's graph.
///
/// ```
/// use ndarray::{Array3, array};
/// use ntk_kernels::network::{Network, aggregate, dense, global_sum_pool, relu};
/// use ntk_kernels::{Graphs, Structure};
///
/// let network = Network::new()
///     .then(dense()).then(aggregate()).then(relu()).then(global_sum_pool());
/// let nodes = Array3::from_elem((1, 3, 2), 1.0); // samples, nodes, channels
/// let ring = array![[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]]; // sample, tail, head
/// let rings = Structure::of_graphs(Graphs::dense(&ring)?);
/// let k = network.kernel_fn().structure(&rings).ntk(&nodes)?;
/// assert_eq!(k.dim(), (1, 1));
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[must_use]
pub fn aggregate() -> Aggregate {
    Aggregate::default()
}

impl Aggregate {
    /// Sets the axes whose positions are nodes, counted as in a batch: 1 is the first axis of
    /// positions.
    #[must_use]
    pub fn axes(mut self, axes: impl Into<Vec<isize>>) -> Self {
        self.axes = Some(axes.into());
        self
    }
}

impl LayerKind for Aggregate {
    fn name(&self) -> &str {
        NAMES[0]
    }

    fn options(&self) -> Value {
        match &self.axes {
            None => Value::Null,
            Some(_) => to_json(self),
        }
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        let over = input.marked_positions(self.axes.as_deref(), "nodes")?;
        if !over.contains(&true) {
            return Err("axes must name an axis of positions, such as 1".into());
        }
        Ok(Resolved {
            shape: input.clone(),
            action: Action::Aggregate { over },
        })
    }
}

pub(super) const NAMES: &[&str] = &["aggregate"];

pub(super) fn read(at: &str, name: &str, options: Value) -> Result<Layer, NetworkError> {
    json::options::<Aggregate>(at, name, options).map(Layer::Aggregate)
}
