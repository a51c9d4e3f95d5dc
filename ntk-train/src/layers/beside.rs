//! Masks and graphs, as the layers look at them.

use super::ForwardPass;
use ndarray::{Array2, ArrayView2, Axis, s};
use ntk_kernels::Edge;

/// What belongs to samples beside their numbers, as the layers use it.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    /// Which positions are masked, (samples, positions): of the inputs, and then after each node.
    pub(crate) masks: Option<Vec<Array2<bool>>>,
    /// The edges of each sample's graph.
    pub(crate) edges: Option<Vec<Vec<Edge>>>,
}

impl Beside {
    /// Returns which positions are masked after a node, or of the inputs.
    pub(crate) fn masks(&self, after: Option<usize>) -> Option<&Array2<bool>> {
        let masks = self.masks.as_ref()?;
        Some(&masks[after.map_or(0, |node| node + 1)])
    }

    pub(crate) fn select(&self, samples: &[usize]) -> Self {
        let select = |masks: &Vec<Array2<bool>>| {
            let select = masks.iter().map(|mask| mask.select(Axis(0), samples));
            select.collect()
        };
        let edges = self.edges.as_ref();
        Self {
            masks: self.masks.as_ref().map(select),
            edges: edges.map(|edges| samples.iter().map(|&i| edges[i].clone()).collect()),
        }
    }
}

impl<'p> ForwardPass<'p> {
    /// Returns which positions of `samples` samples are masked after a node, or of the inputs, where
    /// there are masks.
    pub(crate) fn mask(
        &self,
        after: Option<usize>,
        samples: usize,
    ) -> Option<ArrayView2<'p, bool>> {
        let masks = self.beside?.masks(after)?;
        Some(masks.slice(s![self.first..self.first + samples, ..]))
    }

    /// Returns the edges of a sample's graph, where there are graphs.
    pub(crate) fn edges(&self, sample: usize) -> Option<&'p [Edge]> {
        let edges = self.beside?.edges.as_ref()?;
        Some(&edges[self.first + sample])
    }
}
