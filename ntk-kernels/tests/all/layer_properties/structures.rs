//! Masks and graphs: what they must do, and what must not matter.

use super::*;
use ndarray::s;
use ntk_kernels::tiles::{KernelTiles, TileError};
use ntk_kernels::{Kernel, KernelError};
use ntk_linalg::tiled::TileSource;

#[test]
fn graphs_of_self_loops_do_nothing() {
    let x = samples(&[4, 3, 2, 2], 1);
    for (axes, nodes) in [
        (vec![1], vec![3]),
        (vec![2], vec![2]),
        (vec![1, 2], vec![3, 2]),
    ] {
        let count: usize = nodes.iter().product();
        let shape = [&[4, count], &[count][..]].concat();
        let loops =
            Array3::from_shape_fn((4, count, count), |(_, p, q)| f64::from(u8::from(p == q)));
        assert_eq!(loops.shape(), shape);
        let shape = [&[4], &nodes[..], &nodes[..]].concat();
        let loops = loops.into_shape_with_order(shape).unwrap();
        let loops = Structure::of_graphs(Graphs::dense(&loops).unwrap());
        let others = Structure::of_graphs(graphs(4, &nodes, 2));
        for end in [pooled(), flat()] {
            let network = rectified([2, 2])
                .then(aggregate().axes(axes.clone()))
                .join(end.clone());
            let without = plain(&rectified([2, 2]).join(end), &x);
            assert!(far(&both(&network, &x, &loops), &without) < ROUNDED);
            // No graph is as good.
            assert!(far(&plain(&network, &x), &without) < ROUNDED);
            assert!(far(&both(&network, &x, &others), &without) > 1e-3);
        }
    }
}

#[test]
fn graphs_are_sums_over_edges() {
    // Of one graph for all samples, the layer is a fixed map of positions, transposed.
    let weights = weights(1, &[4], 3);
    let matrix: Vec<Vec<f64>> = (0..4)
        .map(|head| (0..4).map(|tail| weights[[0, tail, head]]).collect())
        .collect();
    let all = Array3::from_shape_fn((3, 4, 4), |(_, tail, head)| weights[[0, tail, head]]);
    let structure = Structure::of_graphs(Graphs::dense(&all).unwrap());
    let x = samples(&[3, 4, 2], 4);
    let graph = rectified([3]).then(aggregate()).join(pooled());
    let map = rectified([3])
        .then(position_map([1], matrix))
        .join(pooled());
    assert!(far(&both(&graph, &x, &structure), &plain(&map, &x)) < ROUNDED);
}

#[test]
fn the_order_of_nodes_does_not_matter() {
    let order = [3, 0, 4, 1, 2];
    let x = samples(&[4, 5, 3], 5);
    let weights = weights(4, &[5], 6);
    let mask = Array2::from_shape_fn((4, 5), |(i, p)| (i + 2 * p) % 4 == 3);
    let moved_x = Array3::from_shape_fn((4, 5, 3), |(i, p, c)| x[[i, order[p], c]]).into_dyn();
    let moved_weights =
        Array3::from_shape_fn((4, 5, 5), |(i, p, q)| weights[[i, order[p], order[q]]]);
    let moved_mask = Array2::from_shape_fn((4, 5), |(i, p)| mask[[i, order[p]]]);
    let structure = Structure::of_graphs(Graphs::dense(&weights).unwrap());
    let moved = Structure::of_graphs(Graphs::dense(&moved_weights).unwrap());
    let network = Network::new()
        .then(aggregate())
        .then(inner())
        .then(relu())
        .then(attention().mechanism(Mechanism::Softmax))
        .then(gelu())
        .then(aggregate())
        .join(pooled());
    let before = both(&network, &x, &structure);
    assert!(far(&both(&network, &moved_x, &moved), &before) < ROUNDED);
    // The samples alone make a difference.
    assert!(far(&both(&network, &moved_x, &structure), &before) > 1e-3);
    let (structure, moved) = (structure.mask(&mask), moved.mask(&moved_mask));
    let before = both(&network, &x, &structure);
    assert!(far(&both(&network, &moved_x, &moved), &before) < ROUNDED);
}

#[test]
fn masks_without_masked_positions_change_nothing() {
    for (network, shape, nodes) in all_networks() {
        let (x, structure) = with_structure(&shape, &nodes, false, 7);
        let none = ArrayD::from_elem(&x.shape()[..x.ndim() - 1], false);
        let masked = structure.clone().mask(&none);
        let without = both(&network, &x, &structure);
        let with = both(&network, &x, &masked);
        assert!(far(&with, &without) < ROUNDED, "{network}");
        let y = samples(x.shape(), 8);
        let between = |one: &Structure, two: &Structure| {
            let kernel_fn = network.kernel_fn().structures(one, two);
            kernel_fn.kernels_between(&x, &y).unwrap().ntk
        };
        let without = between(&structure, &structure);
        assert!(far(&between(&masked, &structure), &without) < ROUNDED);
        assert!(far(&between(&structure, &masked), &without) < ROUNDED);
    }
}

#[test]
fn masked_numbers_do_not_matter() {
    for (network, shape, nodes) in all_networks() {
        let (x, structure) = with_structure(&shape, &nodes, true, 9);
        let mut other = x.clone();
        let mask = {
            let mut rng = ChaCha8Rng::seed_from_u64(10);
            let mut mask =
                ArrayD::from_shape_fn(&x.shape()[..x.ndim() - 1], |_| rng.random_bool(0.3));
            mask.index_axis_mut(Axis(1), 0).fill(false);
            mask
        };
        let structure = structure.mask(&mask);
        for (index, _) in mask.indexed_iter().filter(|(_, masked)| **masked) {
            let mut numbers = other.view_mut();
            for &at in index.slice() {
                numbers = numbers.index_axis_move(Axis(0), at);
            }
            numbers.fill(77.0);
        }
        assert_ne!(x, other);
        let with = both(&network, &x, &structure);
        assert_eq!(both(&network, &other, &structure), with, "{network}");
        let open = ArrayD::from_elem(mask.shape(), false);
        let open = both(&network, &x, &structure.mask(&open));
        assert!(far(&with, &open) > 1e-3, "{network}");
    }
}

#[test]
fn the_length_of_padding_does_not_matter() {
    let lengths = [3, 5, 1, 4];
    let of_length = |most: usize| {
        let x = samples(&[4, 5, 2], 11);
        let padded = Array3::from_shape_fn((4, most, 2), |(i, p, c)| match p < lengths[i] {
            true => x[[i, p, c]],
            false => 3.0 + most as f64,
        });
        let mask = Array2::from_shape_fn((4, most), |(i, p)| p >= lengths[i]);
        (padded.into_dyn(), Structure::of_mask(&mask))
    };
    let embedded = attention()
        .mechanism(Mechanism::Softmax)
        .embedding(PositionalEmbedding {
            decay: Some(Decay::Exp(0.3)),
            values: true,
            ..PositionalEmbedding::default()
        });
    let middle = [
        Network::new(),
        Network::new().then(embedded),
        Network::new().then(attention().mechanism(Mechanism::Relu)),
        Network::new().then(attention().linear_scaling(false)),
        Network::new().then(attention().mechanism(Mechanism::Abs).linear_scaling(false)),
        Network::new().then(conv_local([3]).same().b_std(0.2)),
        Network::new()
            .then(conv([3]).same().dilation([2]).b_std(0.3))
            .then(layer_norm().axes([1, 2]).eps(0.5)),
        Network::new().then(recurrent(relu()).all_states().b_std(0.2)),
    ];
    for middle in middle {
        for end in [
            Network::new().then(global_avg_pool()).then(dense()),
            Network::new().then(global_sum_pool()),
            Network::new().then(recurrent(relu()).w_std(1.2).b_std(0.1)),
        ] {
            let start = rectified([3]).then(inner()).then(relu());
            let network = start.join(middle.clone()).join(end);
            let [short, long] = [5, 9].map(|most| {
                let (x, structure) = of_length(most);
                both(&network, &x, &structure)
            });
            assert!(far(&long, &short) < 1e-12, "{network}");
        }
    }
}

/// Of sequences of one length, masks after their ends are as good as shorter samples.
#[test]
fn masked_ends_are_shorter_samples() {
    let x = samples(&[4, 5, 2], 12);
    let shorter = x.slice_axis(Axis(1), (..3).into()).to_owned();
    let mask = Array2::from_shape_fn((4, 5), |(_, p)| p >= 3);
    let mask = Structure::of_mask(&mask);
    for end in [
        Network::new().then(global_avg_pool()),
        Network::new().then(global_sum_pool()),
        Network::new().then(recurrent(relu()).w_std(1.2).b_std(0.1)),
    ] {
        let network = rectified([3]).then(attention()).then(relu()).join(end);
        let far = far(&both(&network, &x, &mask), &plain(&network, &shorter));
        assert!(far < ROUNDED, "{far:e}\n{network}");
    }
}

/// A tile takes from masks and graphs those of its samples, wherever it is cut.
#[test]
fn tiles_are_the_whole() {
    for (network, shape, nodes) in all_networks() {
        let (x, structure) = with_structure(&shape, &nodes, true, 51);
        let numbers = [4, 0, 2];
        let y = x.select(Axis(0), &numbers);
        let of_y = structure.select(&numbers).unwrap();
        let kernel_fn = network.kernel_fn().structure(&structure);
        let pair_fn = network.kernel_fn().structures(&structure, &of_y).distinct();
        for kernel in [Kernel::Nngp, Kernel::Ntk] {
            let whole = kernel_fn.kernel(kernel, &x).unwrap();
            let between = pair_fn.kernel_between(kernel, &x, &y).unwrap();
            for tile in [1, 2, 3, 7] {
                let tiles = kernel_fn.tile(tile).tiles(kernel, &x).unwrap();
                let pairs = pair_fn.tile(tile).tiles_between(kernel, &x, &y).unwrap();
                for (tiles, whole) in [(tiles, &whole), (pairs, &between)] {
                    let tiling = *tiles.tiling();
                    for (i, j) in tiling.positions() {
                        let place = s![tiling.row_range(i), tiling.column_range(j)];
                        let found = tiles.tile((i, j)).unwrap();
                        assert_eq!(
                            found,
                            whole.slice(place),
                            "{kernel} {tile} {i} {j} {network}"
                        );
                    }
                }
            }
        }
        // Equal samples with other masks are others.
        let none = Structure::default();
        let tiles = network.kernel_fn().structures(&structure, &none);
        let tiles = tiles.tiles_between(Kernel::Ntk, &x, &x).unwrap();
        assert_eq!(tiles.x1().structure.as_ref(), &structure);
        assert!(tiles.x2().unwrap().structure.is_empty());
        let tiles = kernel_fn.tiles_between(Kernel::Ntk, &x, &x).unwrap();
        assert!(tiles.x2().is_none());
        // Those of other samples are refused before any work.
        let wrong = network.kernel_fn().structure(&of_y);
        let refused = wrong.tiles(Kernel::Ntk, &x).unwrap_err();
        let inputs = |error| matches!(error, TileError::Inputs(KernelError::Structure(_)));
        assert!(inputs(refused));
    }
}
