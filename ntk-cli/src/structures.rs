//! Reads what belongs to samples beside their numbers: masks and graphs.

use crate::cli::Beside;
use crate::inputs::SamplePair;
use crate::{Failure, npy};
use ndarray::{Dimension, Ix4};
use ntk_kernels::Graphs;
use ntk_kernels::network::{Graph, Node};
use ntk_linalg::Real;
use std::path::Path;

/// Reads the masks and graphs of the samples of rows and of columns, and sets them; those of
/// `--mask-value` are there already.
pub(crate) fn read<T: Real>(
    args: &Beside,
    graph: &Graph,
    samples: &mut SamplePair<T>,
) -> Result<(), Failure> {
    let second = [
        ("--mask2", &args.mask2),
        ("--graph2", &args.graph2),
        ("--edges2", &args.edges2),
    ];
    if let (None, Some((flag, _))) = (&samples.x2, second.iter().find(|(_, path)| path.is_some())) {
        return Err(format!("{flag} is of the samples of --x2; add --x2, or leave it out").into());
    }
    let files = [
        (&args.mask1, &args.graph1, &args.edges1),
        (&args.mask2, &args.graph2, &args.edges2),
    ];
    for (structure, (mask, weights, edges)) in samples.structures.iter_mut().zip(files) {
        let mut found = std::mem::take(structure);
        if let Some(path) = mask {
            found = found.mask(&truth_values(path)?);
        }
        if let Some(path) = weights {
            let graphs = Graphs::dense(&npy::read::<f64>(path)?);
            found = found.graphs(graphs.map_err(|e| format!("{}: {e}", path.display()))?);
        }
        if let Some(path) = edges {
            found = found.graphs(edge_lists(path, graph)?);
        }
        *structure = found;
    }
    if samples.x2.is_none() {
        let [one, two] = &mut samples.structures;
        two.clone_from(one);
    }
    Ok(())
}

/// Reads truth values, or the numbers 0 and 1.
fn truth_values(path: &Path) -> Result<ndarray::ArrayD<bool>, Failure> {
    let mask = npy::read::<f64>(path)?;
    match mask.indexed_iter().find(|(_, v)| **v != 0.0 && **v != 1.0) {
        None => Ok(mask.mapv(|v| v == 1.0)),
        Some((index, value)) => Err(format!(
            "{}: entry {:?} is {value}, and a mask has truth values, true or 1 where a position is masked",
            path.display(),
            index.slice()
        )
        .into()),
    }
}

/// Reads lists of edges between the nodes that the network sums over.
fn edge_lists(path: &Path, graph: &Graph) -> Result<Graphs, Failure> {
    let name = path.display();
    let nodes = graph.nodes.iter().find_map(Node::graph_axes);
    let Some(nodes) = nodes else {
        return Err(format!(
            "{name}: the network has no aggregate layer that sums over edges; add one, or leave out the edges"
        )
        .into());
    };
    let edges = npy::read::<f64>(path)?;
    if let Some((index, value)) = edges.indexed_iter().find(|(_, v)| v.fract() != 0.0) {
        let index = index.slice();
        return Err(format!(
            "{name}: entry {index:?} is {value}, and edges name nodes by whole numbers"
        )
        .into());
    }
    let shape = edges.shape().to_vec();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "indices beyond are refused"
    )]
    let edges = edges.mapv(|v| v as i64).into_dimensionality::<Ix4>();
    let edges = edges.map_err(|_| {
        format!("{name} has shape {shape:?}, expected (samples, edges, axes of nodes, 2), tail and head last")
    })?;
    Ok(Graphs::edges(&edges, &nodes).map_err(|e| format!("{name}: {e}"))?)
}
