//! Sums over the edges of each sample's graph.

use super::{FiniteLayer, ForwardPass, Saved, Theta, Visit, flat, flat_mut, groups};
use ndarray::Array2;
use ntk_kernels::Edge;
use ntk_kernels::network::Shape;
use ntk_linalg::Real;

/// At each node the sum over the edges that lead to it, of their weights times what their tails hold;
/// without graphs nothing changes.
pub(crate) struct EdgeSums {
    positions: usize,
    /// For each place along the axes that are not nodes, the positions that are.
    nodes: Vec<Vec<usize>>,
}

impl EdgeSums {
    /// `over` says which of the shape's axes of positions are nodes.
    pub(crate) fn new(shape: &Shape, over: &[bool]) -> Self {
        let nodes = groups(shape, over);
        Self {
            positions: nodes.iter().map(Vec::len).sum(),
            nodes,
        }
    }

    /// Sums over the edges of each sample, backwards for the transposed map.
    fn sum<T: Real>(&self, graphs: &[Vec<Edge>], x: Array2<T>, back: bool) -> Array2<T> {
        if graphs.is_empty() || x.is_empty() {
            return x;
        }
        let channels = x.ncols();
        let size = self.positions * channels;
        let copies = x.nrows() / (graphs.len() * self.positions);
        let mut out = Array2::zeros(x.raw_dim());
        // In f64, as a node may have thousands of neighbours.
        let mut sums = vec![0.0; size];
        let copies = graphs
            .iter()
            .flat_map(|edges| std::iter::repeat_n(edges, copies));
        let blocks = flat(&x).chunks_exact(size);
        let blocks = blocks.zip(flat_mut(&mut out).chunks_exact_mut(size));
        for (edges, (x, out)) in copies.zip(blocks) {
            sums.fill(0.0);
            for nodes in &self.nodes {
                for edge in edges {
                    let (from, to) = match back {
                        false => (nodes[edge.tail], nodes[edge.head]),
                        true => (nodes[edge.head], nodes[edge.tail]),
                    };
                    let sums = &mut sums[to * channels..][..channels];
                    for (sum, &v) in sums.iter_mut().zip(&x[from * channels..]) {
                        *sum += edge.weight * Real::to_f64(v);
                    }
                }
            }
            for (out, &sum) in out.iter_mut().zip(&sums) {
                *out = T::of(sum);
            }
        }
        out
    }
}

impl<T: Real> FiniteLayer<T> for EdgeSums {
    fn forward(
        &self,
        _: &Theta<'_, T>,
        x: Array2<T>,
        pass: ForwardPass<'_>,
    ) -> (Array2<T>, Saved<T>) {
        let samples = x.nrows() / self.positions;
        let graphs = (0..samples).map(|sample| pass.edges(sample).map(<[Edge]>::to_vec));
        let graphs: Option<Vec<_>> = graphs.collect();
        let graphs = graphs.unwrap_or_default();
        let z = self.sum(&graphs, x, false);
        let saved = Saved {
            graphs,
            ..Saved::NOTHING
        };
        (z, saved)
    }

    fn adjoint(
        &self,
        _: &Theta<'_, T>,
        saved: &Saved<T>,
        signal: Array2<T>,
        _: bool,
        _: &mut Visit<'_, T>,
    ) -> Array2<T> {
        self.sum(&saved.graphs, signal, true)
    }

    fn tangent(
        &self,
        _: &Theta<'_, T>,
        saved: &Saved<T>,
        dx: Option<Array2<T>>,
        _: Option<&Theta<'_, T>>,
    ) -> Option<Array2<T>> {
        dx.map(|dx| self.sum(&saved.graphs, dx, false))
    }
}
