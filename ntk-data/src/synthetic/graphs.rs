use std::ops::RangeInclusive;

use chacha20::ChaCha8Rng;
use ndarray::{Array1, Array2, Array3, s};
use num_traits::Float;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::{StructuredError, check};
use crate::scalar::of;

/// Names the families of [`graphs()`]: its labels count them in this order.
pub const FAMILIES: [&str; 3] = ["ring", "ring with chords", "tree"];

/// The least number of nodes, at which a ring has room for a chord.
const LEAST: usize = 4;
/// A ring gets one chord for so many nodes, and at least one.
const NODES_PER_CHORD: usize = 4;

/// `StructuredGraphs` are graphs that only their structure tells apart, padded to one number of nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct StructuredGraphs<T> {
    /// The features of the nodes, `(n, nodes, channels)`: zero for padding.
    pub x: Array3<T>,
    /// The weights of the edges, `(n, nodes, nodes)`: `D^-1/2 (A + 1) D^-1/2`, where the diagonal D
    /// counts the edges of each node, its own to itself included, and zero for padding.
    pub weights: Array3<T>,
    /// The mask, `(n, nodes)`: true for padding.
    pub mask: Array2<bool>,
    /// The families, `(n)`: places in [`FAMILIES`], in turns.
    pub labels: Array1<u8>,
}

/// Draws `n` graphs of three families in turns: rings, rings with random chords, and random trees.
///
/// The number of nodes is uniform in `nodes`, and graphs are padded to its end. A ring gets a chord
/// for every four nodes; a tree's nodes each join a uniform one of those before. Nodes are then
/// numbered at random. Features are standard normals, and know nothing of the graph. More graphs do not change the first ones. O(n nodes^2).
///
/// # Errors
/// [`StructuredError::Sizes`] for less than four nodes, [`StructuredError::TooLarge`].
pub fn graphs<T: Float>(
    n: usize,
    nodes: RangeInclusive<usize>,
    channels: usize,
    seed: u64,
) -> Result<StructuredGraphs<T>, StructuredError> {
    StructuredError::of_sizes("nodes", &nodes, LEAST)?;
    let most = *nodes.end();
    check::<T>(n.saturating_mul(most), most.max(channels))?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut all = StructuredGraphs {
        x: Array3::zeros((n, most, channels)),
        weights: Array3::zeros((n, most, most)),
        mask: Array2::from_elem((n, most), true),
        labels: (0..n).map(|i| (i % FAMILIES.len()) as u8).collect(),
    };
    for (i, &label) in all.labels.iter().enumerate() {
        let count = rng.random_range(nodes.clone());
        let mut numbers: Vec<usize> = (0..count).collect();
        numbers.shuffle(&mut rng);
        let mut adjacent = Array2::from_diag_elem(count, 1.0);
        for (a, b) in edges(label, count, &mut rng) {
            let (a, b) = (numbers[a], numbers[b]);
            adjacent[[a, b]] = 1.0;
            adjacent[[b, a]] = 1.0;
        }
        let degrees: Vec<f64> = adjacent.rows().into_iter().map(|row| row.sum()).collect();
        for ((a, b), &edge) in adjacent.indexed_iter() {
            all.weights[[i, a, b]] = of(edge / (degrees[a] * degrees[b]).sqrt());
        }
        for x in all.x.slice_mut(s![i, ..count, ..]) {
            let z: f64 = StandardNormal.sample(&mut rng);
            *x = of(z);
        }
        all.mask.slice_mut(s![i, ..count]).fill(false);
    }
    Ok(all)
}

/// Draws the edges of a graph of this family, each once.
fn edges(label: u8, count: usize, rng: &mut ChaCha8Rng) -> Vec<(usize, usize)> {
    let mut edges: Vec<(usize, usize)> = match FAMILIES[usize::from(label)] {
        "tree" => (1..count).map(|k| (rng.random_range(0..k), k)).collect(),
        _ => (0..count).map(|k| (k, (k + 1) % count)).collect(),
    };
    if FAMILIES[usize::from(label)] == "ring with chords" {
        let all = count + (count / NODES_PER_CHORD).max(1);
        // Of four nodes and more one pair at least is left, and of more nodes far more than are drawn.
        while edges.len() < all {
            let (a, b) = (rng.random_range(0..count), rng.random_range(0..count));
            if a != b && !edges.contains(&(a, b)) && !edges.contains(&(b, a)) {
                edges.push((a, b));
            }
        }
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(n: usize) -> StructuredGraphs<f64> {
        graphs(n, 20..=40, 3, 3).unwrap()
    }

    /// The neighbours of each node, itself left out.
    fn neighbours(all: &StructuredGraphs<f64>, graph: usize) -> Vec<Vec<usize>> {
        let count = all
            .mask
            .row(graph)
            .iter()
            .filter(|&&masked| !masked)
            .count();
        let of = |a: usize| {
            let edge = |&b: &usize| b != a && all.weights[[graph, a, b]] != 0.0;
            (0..count).filter(edge).collect()
        };
        (0..count).map(of).collect()
    }

    fn reached(neighbours: &[Vec<usize>]) -> usize {
        let (mut seen, mut open) = (vec![false; neighbours.len()], vec![0]);
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut seen[node], true) {
                open.extend(&neighbours[node]);
            }
        }
        seen.into_iter().filter(|&seen| seen).count()
    }

    #[test]
    fn families_are_what_they_are_called() {
        let all = drawn(60);
        for (graph, &label) in all.labels.iter().enumerate() {
            let neighbours = neighbours(&all, graph);
            let count = neighbours.len();
            assert!((20..=40).contains(&count));
            assert_eq!(reached(&neighbours), count, "graph {graph} is in parts");
            let degrees: Vec<usize> = neighbours.iter().map(Vec::len).collect();
            let edges = degrees.iter().sum::<usize>() / 2;
            match FAMILIES[usize::from(label)] {
                "ring" => assert!(degrees.iter().all(|&degree| degree == 2)),
                "ring with chords" => {
                    assert_eq!(edges, count + count / 4);
                    assert!(degrees.iter().all(|&degree| degree >= 2));
                }
                // Connected, and one edge less than nodes.
                _ => assert_eq!(edges, count - 1),
            }
        }
        for label in 0..3 {
            assert_eq!(all.labels.iter().filter(|&&l| l == label).count(), 20);
        }
    }

    #[test]
    fn weights_are_normalised_and_padding_has_none() {
        let all = drawn(12);
        for graph in 0..12 {
            let neighbours = neighbours(&all, graph);
            let degree = |node: usize| (neighbours[node].len() + 1) as f64;
            for (a, of_a) in neighbours.iter().enumerate() {
                for &b in of_a.iter().chain([&a]) {
                    let expected = (degree(a) * degree(b)).sqrt().recip();
                    approx::assert_relative_eq!(all.weights[[graph, a, b]], expected);
                }
            }
            // D^1/2 has eigenvalue 1, whatever the graph.
            let count = neighbours.len();
            let roots: Array1<f64> = (0..count).map(|node| degree(node).sqrt()).collect();
            let own = all.weights.slice(s![graph, ..count, ..count]);
            approx::assert_relative_eq!(own.dot(&roots), roots, epsilon = 1e-12);
            for (node, &masked) in all.mask.row(graph).iter().enumerate() {
                assert_eq!(masked, node >= count);
                let zero = all.x.slice(s![graph, node, ..]).iter().all(|&x| x == 0.0)
                    && all
                        .weights
                        .slice(s![graph, node, ..])
                        .iter()
                        .all(|&w| w == 0.0)
                    && all
                        .weights
                        .slice(s![graph, .., node])
                        .iter()
                        .all(|&w| w == 0.0);
                assert_eq!(zero, masked);
            }
        }
    }

    #[test]
    fn same_seed_same_graphs_and_more_do_not_change_the_first() {
        assert_eq!(drawn(9), drawn(9));
        assert_ne!(drawn(9).weights, graphs(9, 20..=40, 3, 4).unwrap().weights);
        let more = drawn(12);
        assert_eq!(more.weights.slice(s![..9, .., ..]), drawn(9).weights);
        assert_eq!(more.x.slice(s![..9, .., ..]), drawn(9).x);
        let rounded = graphs::<f32>(9, 20..=40, 3, 3).unwrap().weights;
        assert_eq!(rounded, drawn(9).weights.mapv(|w| w as f32));
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        for nodes in [3..=8, RangeInclusive::new(8, 7)] {
            let error = graphs::<f64>(2, nodes, 1, 0).unwrap_err();
            assert!(
                matches!(error, StructuredError::Sizes { least: 4, .. }),
                "{error}"
            );
        }
        let error = graphs::<f64>(2, 4..=usize::MAX, 1, 0).unwrap_err();
        assert!(matches!(error, StructuredError::TooLarge(_)), "{error}");
    }
}
