//! Holds what belongs to samples beside their numbers: masks and graphs.

use crate::network::{Graph, Node};
use ndarray::{ArrayD, ArrayRef, Axis, Dimension, Ix4, Slice};
use ntk_linalg::Real;
use std::ops::Range;
use thiserror::Error;

/// A `Structure` holds what belongs to samples beside their numbers: which positions are masked, and
/// the graph of each.
///
/// ```
/// use ndarray::{Array, array};
/// use ntk_kernels::Structure;
/// use ntk_kernels::network::{Network, conv, dense, global_avg_pool, relu};
///
/// let network = Network::new()
///     .then(conv([3]).same()).then(relu()).then(global_avg_pool()).then(dense());
/// let x = Array::from_elem((2, 4, 3), 0.5); // samples, length, channels
/// // The second sequence has two elements; the rest is padding.
/// let lengths = Structure::of_mask(&array![
///     [false, false, false, false],
///     [false, false, true, true],
/// ]);
/// let k = network.kernel_fn().structure(&lengths).ntk(&x)?;
/// assert!(k[[1, 1]] != k[[0, 0]]);
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Structure {
    mask: Option<ArrayD<bool>>,
    graphs: Option<Graphs>,
}

/// `Graphs` holds a directed graph with weights for each sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Graphs {
    /// The sizes of the axes whose positions are nodes.
    nodes: Vec<usize>,
    /// The edges of each sample, sorted by head and tail: both count positions, the last axis
    /// fastest.
    edges: Vec<Vec<Edge>>,
}

/// An `Edge` goes from one node of a graph to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// The node that the edge leads to.
    pub head: usize,
    /// The node that the edge comes from.
    pub tail: usize,
    /// The factor of what the edge brings.
    pub weight: f64,
}

/// A `StructureError` says why masks or graphs do not fit.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum StructureError {
    /// A mask has another shape than the samples' positions.
    #[error(
        "the mask of {input} has shape {found:?}, and its samples have positions {expected:?}; give one truth value for each"
    )]
    Mask {
        /// The input: `x1`, `x2`, or `x` where there is only one.
        input: &'static str,
        /// The shape of the mask.
        found: Vec<usize>,
        /// The number of samples, and the sizes of their axes of positions.
        expected: Vec<usize>,
    },
    /// There are no positions to mask.
    #[error(
        "{input} has a mask, and its samples have no positions; mask sequences, images or volumes"
    )]
    NoPositions {
        /// The input.
        input: &'static str,
    },
    /// Graphs have other nodes, or are of other samples, than the network's layers sum over.
    #[error(
        "the graphs of {input} are of {samples} samples with nodes {found:?}, and its network sums over {expected:?} of {n}; give a graph of these nodes for each sample"
    )]
    Graphs {
        /// The input.
        input: &'static str,
        /// The number of graphs.
        samples: usize,
        /// The sizes of the axes of their nodes.
        found: Vec<usize>,
        /// The sizes of the axes that the network sums over.
        expected: Vec<usize>,
        /// The number of samples.
        n: usize,
    },
    /// Graphs are given to a network that does not use them.
    #[error(
        "{input} has graphs, and the network has no aggregate layer that sums over their edges; add one, or leave them out"
    )]
    NoAggregate {
        /// The input.
        input: &'static str,
    },
    /// An array of weights is not one of graphs.
    #[error(
        "graphs must have shape (samples, nodes..., nodes...), tails before heads and the same axes in both, found {found:?}"
    )]
    Weights {
        /// The shape of the array.
        found: Vec<usize>,
    },
    /// A weight is not finite.
    #[error("the weight {index:?} of the graphs is {value}; give finite weights")]
    Weight {
        /// The index of the weight.
        index: Vec<usize>,
        /// The value of the weight.
        value: f64,
    },
    /// An array of edges is not one for these nodes.
    #[error(
        "edges must have shape (samples, edges, {axes}, 2), one index for each axis of nodes, tail before head, found {found:?}"
    )]
    Edges {
        /// The shape of the array.
        found: Vec<usize>,
        /// The number of axes of nodes.
        axes: usize,
    },
    /// An edge names a node that does not exist.
    #[error(
        "edge {edge} of graph {sample} names node {node} along axis {axis}, and there are {size}; count from 0, and mark missing edges by -1"
    )]
    Node {
        /// The sample.
        sample: usize,
        /// The edge.
        edge: usize,
        /// The node that does not exist.
        node: i64,
        /// The axis of nodes.
        axis: usize,
        /// The number of nodes along the axis.
        size: usize,
    },
}

impl Structure {
    /// No masks and no graphs.
    pub(crate) const NONE: Self = Self {
        mask: None,
        graphs: None,
    };

    /// Makes the structure of samples of which these positions are masked: true is masked, and the
    /// shape is that of the samples without the channels, (n, positions...).
    pub fn of_mask<D: Dimension>(mask: &ArrayRef<bool, D>) -> Self {
        Self::default().mask(mask)
    }

    /// Makes the structure of samples with these graphs.
    #[must_use]
    pub fn of_graphs(graphs: Graphs) -> Self {
        Self::default().graphs(graphs)
    }

    /// Masks positions as [`Structure::of_mask`] does.
    #[must_use]
    pub fn mask<D: Dimension>(mut self, mask: &ArrayRef<bool, D>) -> Self {
        self.mask = Some(mask.to_owned().into_dyn());
        self
    }

    /// Sets the graphs.
    #[must_use]
    pub fn graphs(mut self, graphs: Graphs) -> Self {
        self.graphs = Some(graphs);
        self
    }

    /// Masks the positions of `x` (n, positions..., channels) at which all channels equal `value`, NaN
    /// included.
    pub fn where_equal<T: Real, D: Dimension>(x: &ArrayRef<T, D>, value: f64) -> Self {
        let equal = |v: &T| {
            let v = Real::to_f64(*v);
            v == value || (v.is_nan() && value.is_nan())
        };
        let x = x.view().into_dyn();
        let Some(channels) = x.ndim().checked_sub(1) else {
            return Self::default();
        };
        let mask = x.map_axis(Axis(channels), |channels| channels.iter().all(equal));
        Self::of_mask(&mask)
    }

    /// Says whether there are neither masks nor graphs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mask.is_none() && self.graphs.is_none()
    }

    /// Returns whether each position is masked, (n, positions...), where there is a mask.
    #[must_use]
    pub fn masked(&self) -> Option<&ArrayD<bool>> {
        self.mask.as_ref()
    }

    /// Returns the edges of each sample.
    pub(crate) fn edges(&self) -> Option<&[Vec<Edge>]> {
        self.graphs.as_ref().map(|graphs| &graphs.edges[..])
    }

    /// Returns the sizes of the axes whose positions are nodes.
    pub(crate) fn nodes(&self) -> Option<&[usize]> {
        self.graphs.as_ref().map(|graphs| &graphs.nodes[..])
    }

    /// Keeps what the first layers of a network use, those up to `nodes`: not graphs where none of
    /// them sums over edges.
    pub(crate) fn of_layers(&self, nodes: &[Node]) -> Self {
        let sums = |node: &Node| node.graph_axes().is_some();
        Self {
            mask: self.mask.clone(),
            graphs: self.graphs.clone().filter(|_| nodes.iter().any(sums)),
        }
    }

    /// Keeps the structure of samples `range`, which ascends; `None` where one does not exist.
    pub(crate) fn of_samples(&self, range: Range<usize>) -> Option<Self> {
        let mask = match &self.mask {
            Some(mask) if mask.shape().first().is_some_and(|&n| range.end <= n) => {
                let slice = Slice::from(range.clone());
                Some(mask.slice_axis(Axis(0), slice).to_owned())
            }
            Some(_) => return None,
            None => None,
        };
        let graphs = match &self.graphs {
            Some(graphs) => Some(Graphs {
                nodes: graphs.nodes.clone(),
                edges: graphs.edges.get(range)?.to_vec(),
            }),
            None => None,
        };
        Some(Self { mask, graphs })
    }

    /// Returns the edges of a sample's graph, sorted by head and tail, where there are graphs.
    #[must_use]
    pub fn edges_of(&self, sample: usize) -> Option<&[Edge]> {
        self.graphs.as_ref().map(|graphs| graphs.of(sample))
    }

    /// Returns the structure of these samples, which may repeat; `None` where one does not exist.
    #[must_use]
    pub fn select(&self, samples: &[usize]) -> Option<Self> {
        let exist = |n: usize| samples.iter().all(|&sample| sample < n);
        let mask = match &self.mask {
            Some(mask) if mask.ndim() > 0 && exist(mask.len_of(Axis(0))) => {
                Some(mask.select(Axis(0), samples))
            }
            Some(_) => return None,
            None => None,
        };
        let graphs = match &self.graphs {
            Some(graphs) if exist(graphs.len()) => {
                let edges = samples.iter().map(|&sample| graphs.edges[sample].clone());
                Some(Graphs {
                    nodes: graphs.nodes.clone(),
                    edges: edges.collect(),
                })
            }
            Some(_) => return None,
            None => None,
        };
        Some(Self { mask, graphs })
    }

    /// Checks that it belongs to `n` samples of the inputs of a network, which errors call `input`.
    ///
    /// # Errors
    /// Returns a [`StructureError`] where masks have another shape than the samples' positions, graphs other
    /// nodes than the network sums over, or are of other samples.
    pub fn fits(&self, graph: &Graph, input: &'static str, n: usize) -> Result<(), StructureError> {
        let nodes = graph.nodes.iter().find_map(Node::graph_axes);
        self.check(input, n, graph.input.positions(), nodes.as_deref())
    }

    /// Checks that masks are those of `n` samples with these axes of positions, and that graphs have the
    /// nodes that the network sums over.
    pub(crate) fn check(
        &self,
        input: &'static str,
        n: usize,
        positions: &[usize],
        nodes: Option<&[usize]>,
    ) -> Result<(), StructureError> {
        if let Some(mask) = &self.mask {
            if positions.is_empty() {
                return Err(StructureError::NoPositions { input });
            }
            let expected = [&[n], positions].concat();
            if mask.shape() != expected {
                let found = mask.shape().to_vec();
                return Err(StructureError::Mask {
                    input,
                    found,
                    expected,
                });
            }
        }
        let Some(graphs) = &self.graphs else {
            return Ok(());
        };
        let Some(nodes) = nodes else {
            return Err(StructureError::NoAggregate { input });
        };
        if graphs.nodes != nodes || graphs.edges.len() != n {
            return Err(StructureError::Graphs {
                input,
                samples: graphs.edges.len(),
                found: graphs.nodes.clone(),
                expected: nodes.to_vec(),
                n,
            });
        }
        Ok(())
    }
}

impl Graphs {
    /// Makes graphs of the weights of all pairs of nodes, (n, nodes..., nodes...), tails before heads.
    ///
    /// # Errors
    /// Returns [`StructureError::Weights`] for another shape, [`StructureError::Weight`] for a weight
    /// that is not finite.
    pub fn dense<T: Real, D: Dimension>(weights: &ArrayRef<T, D>) -> Result<Self, StructureError> {
        let shape = weights.shape();
        let axes = shape.len().saturating_sub(1) / 2;
        let wrong = || StructureError::Weights {
            found: shape.to_vec(),
        };
        if axes == 0 || shape.len().is_multiple_of(2) || shape[1..=axes] != shape[axes + 1..] {
            return Err(wrong());
        }
        let nodes = shape[1..=axes].to_vec();
        let count: usize = nodes.iter().product();
        let mut edges = Vec::with_capacity(shape[0]);
        for (sample, weights) in weights.view().into_dyn().axis_iter(Axis(0)).enumerate() {
            let mut own = Vec::new();
            for (at, &weight) in weights.iter().enumerate() {
                let (tail, head, weight) = (at / count, at % count, Real::to_f64(weight));
                if !weight.is_finite() {
                    let value = weight;
                    let index = vec![sample, tail, head];
                    return Err(StructureError::Weight { index, value });
                }
                if weight != 0.0 {
                    own.push(Edge { head, tail, weight });
                }
            }
            edges.push(own);
        }
        Ok(Self::sorted(nodes, edges))
    }

    /// Makes graphs of lists of edges of weight 1, (n, edges, axes, 2): tail and head last, an index for
    /// each axis of nodes. An edge with a negative index is left out, and edges that repeat add up.
    ///
    /// `nodes` are the sizes of the axes of nodes.
    ///
    /// # Errors
    /// Returns [`StructureError::Edges`] for another shape, [`StructureError::Node`] for a node that
    /// does not exist.
    pub fn edges(edges: &ArrayRef<i64, Ix4>, nodes: &[usize]) -> Result<Self, StructureError> {
        let axes = nodes.len();
        if edges.shape()[2..] != [axes, 2] || axes == 0 {
            let found = edges.shape().to_vec();
            return Err(StructureError::Edges { found, axes });
        }
        let mut all = Vec::with_capacity(edges.len_of(Axis(0)));
        for (sample, edges) in edges.axis_iter(Axis(0)).enumerate() {
            let mut own = Vec::new();
            for (edge, ends) in edges.axis_iter(Axis(0)).enumerate() {
                if ends.iter().any(|&node| node < 0) {
                    continue;
                }
                let mut places = [0_usize; 2];
                for (axis, &size) in nodes.iter().enumerate() {
                    for (place, &node) in places.iter_mut().zip(&ends.row(axis)) {
                        let at = usize::try_from(node).ok().filter(|&at| at < size);
                        let at = at.ok_or(StructureError::Node {
                            sample,
                            edge,
                            node,
                            axis,
                            size,
                        })?;
                        // No sample has more positions than can be counted.
                        *place = place.saturating_mul(size).saturating_add(at);
                    }
                }
                let [tail, head] = places;
                let weight = 1.0;
                own.push(Edge { head, tail, weight });
            }
            all.push(own);
        }
        Ok(Self::sorted(nodes.to_vec(), all))
    }

    /// Makes graphs of the edges of each sample, whose nodes count positions.
    pub(crate) fn of_edges(
        nodes: Vec<usize>,
        edges: Vec<Vec<Edge>>,
    ) -> Result<Self, StructureError> {
        let size = nodes.iter().fold(1, |all: usize, &n| all.saturating_mul(n));
        for (sample, own) in edges.iter().enumerate() {
            for (edge, &Edge { head, tail, weight }) in own.iter().enumerate() {
                let node = head.max(tail);
                if node >= size {
                    let (node, axis) = (i64::try_from(node).unwrap_or(i64::MAX), 0);
                    return Err(StructureError::Node {
                        sample,
                        edge,
                        node,
                        axis,
                        size,
                    });
                }
                if !weight.is_finite() {
                    let (index, value) = (vec![sample, tail, head], weight);
                    return Err(StructureError::Weight { index, value });
                }
            }
        }
        Ok(Self::sorted(nodes, edges))
    }

    fn sorted(nodes: Vec<usize>, mut edges: Vec<Vec<Edge>>) -> Self {
        for own in &mut edges {
            own.sort_by_key(|edge| (edge.head, edge.tail));
            own.dedup_by(|next, kept| {
                let same = (next.head, next.tail) == (kept.head, kept.tail);
                if same {
                    kept.weight += next.weight;
                }
                same
            });
        }
        Self { nodes, edges }
    }

    /// Returns the number of graphs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.edges.len()
    }

    /// Says whether there are no graphs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// Returns the edges of a sample, sorted by head and tail; none for one that does not exist.
    #[must_use]
    pub fn of(&self, sample: usize) -> &[Edge] {
        self.edges.get(sample).map_or(&[], Vec::as_slice)
    }
}
