//! What must hold for kernels of the layers beyond convolutions and pools: identities between layers,
//! and what must not matter.

use ndarray::{Array1, Array2, Array3, ArrayD, Axis, Dimension, IxDyn, concatenate};
use ntk_kernels::network::*;
use ntk_kernels::{Graphs, Structure};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Numbers as those of real samples: none special, none aligned.
fn samples(shape: &[usize], seed: u64) -> ArrayD<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    ArrayD::from_shape_fn(IxDyn(shape), |_| rng.random_range(-1.0..1.0))
}

/// Masks of which each sample keeps its first position.
fn masks(shape: &[usize], seed: u64) -> Structure {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut mask = ArrayD::from_shape_fn(IxDyn(shape), |_| rng.random_bool(0.3));
    for mut sample in mask.outer_iter_mut() {
        *sample.iter_mut().next().unwrap() = false;
    }
    Structure::of_mask(&mask)
}

fn weights(n: usize, nodes: &[usize], seed: u64) -> ArrayD<f64> {
    let mut weights = samples(&[&[n], nodes, nodes].concat(), seed);
    weights.mapv_inplace(|v| if v > 0.3 { 0.0 } else { v });
    weights
}

fn graphs(n: usize, nodes: &[usize], seed: u64) -> Graphs {
    Graphs::dense(&weights(n, nodes, seed)).unwrap()
}

/// NNGP and NTK, below and beside each other.
fn both(network: &Network, x: &ArrayD<f64>, structure: &Structure) -> Array2<f64> {
    let found = network.kernel_fn().structure(structure).kernels(x);
    let found = found.unwrap_or_else(|error| panic!("{error}\n{network}"));
    concatenate(Axis(0), &[found.nngp.view(), found.ntk.view()]).unwrap()
}

fn plain(network: &Network, x: &ArrayD<f64>) -> Array2<f64> {
    both(network, x, &Structure::default())
}

/// The largest difference over the largest entry.
fn far(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let most = |all: &Array2<f64>| all.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
    assert!(most(b) > 0.0);
    most(&(a - b)) / most(b)
}

/// The rounding of sums of some hundred terms, in a few layers.
const ROUNDED: f64 = 1e-13;

fn check_same(one: &Network, two: &Network, x: &ArrayD<f64>) {
    for parameterization in [Parameterization::Ntk, Parameterization::Standard] {
        let [one, two] = [one, two].map(|n| n.clone().parameterization(parameterization));
        let far = far(&plain(&one, x), &plain(&two, x));
        assert!(far < ROUNDED, "{far:e}\n{one}\n{two}");
    }
}

/// Says that kernels are further apart than rounding.
fn check_different(one: &Network, two: &Network, x: &ArrayD<f64>) {
    let far = far(&plain(one, x), &plain(two, x));
    assert!(far > 1e-4, "{far:e}\n{one}\n{two}");
}

fn rectified(filter: impl Into<Vec<usize>>) -> Network {
    let first = conv(filter).same().w_std(1.3).b_std(0.2).channels(5);
    Network::new().then(first).then(relu())
}

fn inner() -> Dense {
    dense().w_std(1.2).b_std(0.1).width(6)
}

/// Layers after which all pairs of positions count.
fn pooled() -> Network {
    Network::new()
        .then(inner())
        .then(relu())
        .then(global_avg_pool())
        .then(dense())
}

/// Layers after which pairs of equal positions count alone.
fn flat() -> Network {
    Network::new()
        .then(inner())
        .then(relu())
        .then(flatten())
        .then(dense())
}

/// Networks that between them have every layer and shape, with the positions and channels of their
/// samples, and their nodes.
fn all_networks() -> Vec<(Network, Vec<usize>, Vec<usize>)> {
    let decays = |decay| PositionalEmbedding {
        decay: Some(decay),
        values: true,
        ..PositionalEmbedding::default()
    };
    let attended = |mechanism: Mechanism, linear: bool, embedding| {
        let attention = Attention {
            embedding,
            ..attention().mechanism(mechanism).linear_scaling(linear)
        };
        rectified([3]).then(attention.b_std(0.1)).join(pooled())
    };
    let path = |filter: [usize; 2]| Network::new().then(conv(filter).same().channels(5));
    let concatenated = PositionalEmbedding {
        merge: PositionalMerge::Concat,
        channels: Some(3),
        ..decays(Decay::Power(2.0))
    };
    let plain = [
        (
            rectified([2, 3])
                .then(conv_transpose([3, 2]).strides([2, 1]).b_std(0.1))
                .then(erf(1.0, 1.0, 0.0))
                .then(slice(1).step(-2))
                .join(pooled()),
            vec![3, 4, 2],
        ),
        (
            rectified([2, 3])
                .then(conv_transpose([2, 3]).strides([1, 3]).circular())
                .then(relu())
                .join(flat()),
            vec![3, 2, 2],
        ),
        (
            rectified([2, 2, 3])
                .then(conv([2, 1, 2]).dilation([1, 1, 2]).same())
                .then(gelu())
                .then(avg_pool([2, 1, 1]).same().normalize_edges())
                .then(global_sum_pool().axes([2]))
                .join(pooled()),
            vec![3, 2, 4, 2],
        ),
        (
            rectified([3, 3])
                .then(conv_local([2, 3]).strides([2, 1]).same().b_std(0.3))
                .then(relu())
                .then(resize([3, 5]))
                .join(pooled()),
            vec![4, 3, 2],
        ),
        (
            rectified([3, 3])
                .then(residual(Network::new().then(conv_local([2, 2]).same())))
                .then(resize([2, 2]).antialias(false))
                .then(scale_positions(2, [0.5, -2.0]))
                .join(pooled()),
            vec![4, 3, 2],
        ),
        (
            rectified([3])
                .then(position_map(
                    [1],
                    vec![vec![0.5, 0.0, -1.0, 0.2], vec![0.0, 1.0, 1.0, 0.0]],
                ))
                .then(scale(1.5))
                .join(pooled()),
            vec![4, 3],
        ),
        (
            rectified([2, 2])
                .then(concat(-1, [path([1, 2]), path([3, 1]).then(inner())]))
                .then(relu())
                .then(concat(
                    1,
                    [
                        path([2, 2]).then(slice(1).range(1, None)),
                        path([1, 3]).then(conv_local([2, 1]).channels(5)),
                    ],
                ))
                .then(layer_norm().axes([2, -1]).eps(0.1))
                .then(index(2, -1))
                .join(pooled()),
            vec![3, 4, 2],
        ),
        (
            Network::new()
                .then(recurrent(relu()).all_states().w_std(1.1).b_std(0.1))
                .then(inner())
                .then(relu())
                .then(recurrent(erf(1.0, 1.0, 0.0)).w_std(0.7).u_std(1.2))
                .then(dense()),
            vec![5, 2],
        ),
        (
            attended(Mechanism::Identity, false, Some(decays(Decay::Exp(0.4)))),
            vec![4, 3],
        ),
        (
            attended(Mechanism::Softmax, true, Some(concatenated)),
            vec![4, 3],
        ),
        (attended(Mechanism::Relu, false, None), vec![3, 3]),
        (
            attended(Mechanism::Abs, false, Some(decays(Decay::Exp(0.4)))),
            vec![3, 3],
        ),
        (
            rectified([2, 2])
                .then(dropout(0.7))
                .then(flatten().axes([2]))
                .join(pooled()),
            vec![3, 3, 2],
        ),
    ];
    let graph = rectified([2, 2])
        .then(aggregate().axes([2]))
        .then(inner())
        .then(relu())
        .then(aggregate().axes([2]))
        .join(flat());
    let plain = plain.into_iter().map(|(n, shape)| (n, shape, vec![]));
    plain.chain([(graph, vec![2, 4, 2], vec![4])]).collect()
}

/// Samples, masks and graphs of one of them; `masked` gives masks.
fn with_structure(
    shape: &[usize],
    nodes: &[usize],
    masked: bool,
    seed: u64,
) -> (ArrayD<f64>, Structure) {
    let n = 5;
    let x = samples(&[&[n], shape].concat(), seed);
    let mut structure = match masked {
        true => masks(&x.shape()[..x.ndim() - 1], seed + 1),
        false => Structure::default(),
    };
    if !nodes.is_empty() {
        structure = structure.graphs(graphs(n, nodes, seed + 2));
    }
    (x, structure)
}

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

#[test]
fn resizing_to_the_same_shape_does_nothing() {
    let x = samples(&[3, 4, 3, 2], 13);
    for method in [Interpolation::Linear, Interpolation::Nearest] {
        for end in [pooled(), flat()] {
            let resized = |to: [usize; 2]| {
                rectified([3, 2])
                    .then(resize(to).method(method))
                    .join(end.clone())
            };
            check_same(&resized([4, 3]), &rectified([3, 2]).join(end.clone()), &x);
            check_different(&resized([4, 4]), &resized([4, 3]), &x);
        }
    }
    // Twice as large by the nearest position, and every second of that.
    let up = resize([8, 3]).method(Interpolation::Nearest);
    let network = rectified([3, 2]).then(up).then(slice(1).step(2));
    check_same(
        &network.join(pooled()),
        &rectified([3, 2]).join(pooled()),
        &x,
    );
}

#[test]
fn one_path_alone_is_that_path() {
    let x = samples(&[3, 4, 3, 2], 14);
    for axis in [-1, 1, 2] {
        for end in [pooled(), flat()] {
            let path = || Network::new().then(conv([2, 2]).channels(7).b_std(0.1));
            let around = |middle: Network| {
                rectified([3, 2])
                    .join(middle)
                    .then(relu())
                    .join(end.clone())
            };
            let one = Network::new().then(concat(axis, [path()]));
            check_same(&around(one), &around(path()), &x);
        }
    }
}

/// An activation after paths side by side is one at the end of each.
#[test]
fn activations_of_each_group_of_channels() {
    let x = samples(&[3, 4, 3, 2], 15);
    let path = |channels: usize, w_std: f64| {
        Network::new().then(conv([2, 2]).channels(channels).w_std(w_std))
    };
    for end in [pooled(), flat()] {
        let after = Network::new()
            .then(concat(-1, [path(2, 1.5), path(5, 0.7)]))
            .then(identity())
            .then(relu())
            .join(end.clone());
        let inside = [path(2, 1.5), path(5, 0.7)].map(|path| path.then(relu()));
        let inside = Network::new().then(concat(-1, inside)).join(end.clone());
        check_same(&after, &inside, &x);
        // More channels weigh more.
        let other = Network::new()
            .then(concat(-1, [path(5, 1.5), path(2, 0.7)]))
            .then(relu())
            .join(end);
        check_different(&after, &other, &x);
    }
}

/// Paths side by side along positions, of which one is then left.
#[test]
fn slices_of_a_concatenation_are_its_paths() {
    let x = samples(&[3, 4, 3, 2], 16);
    let path = |filter: [usize; 2]| Network::new().then(conv(filter).channels(3).b_std(0.2));
    let paths = || [path([2, 2]), path([4, 2])];
    for (range, path) in [
        ((None, Some(3)), path([2, 2])),
        ((Some(3), None), path([4, 2])),
    ] {
        for end in [pooled(), flat()] {
            let whole = rectified([3, 3])
                .then(concat(1, paths()))
                .then(slice(1).range(range.0, range.1));
            let one = rectified([3, 3]).join(path.clone()).join(end.clone());
            check_same(&whole.join(end), &one, &x);
        }
    }
}

#[test]
fn transposed_convolutions_of_stride_one_are_convolutions() {
    let x = samples(&[3, 5, 4, 2], 17);
    for [a, b] in [[3, 2], [2, 4], [1, 3]] {
        let size = [a, b];
        let transposed = || conv_transpose(size).w_std(1.2).b_std(0.3).channels(5);
        let conv = || conv(size).w_std(1.2).b_std(0.3).channels(5);
        // Before and after are those of a convolution exchanged: the larger half comes first.
        let exchanged = size.map(|k| [k / 2, (k - 1) / 2]);
        let all = size.map(|k| [k - 1, k - 1]);
        for end in [pooled(), flat()] {
            let around =
                |layer: Layer| rectified([2, 3]).then(layer).then(relu()).join(end.clone());
            for (one, two) in [
                (transposed(), conv().padding(all)),
                (transposed().same(), conv().padding(exchanged)),
                (
                    transposed().circular(),
                    conv().padding(Padding::Wrapped(exchanged.to_vec())),
                ),
            ] {
                check_same(&around(one.into()), &around(two.into()), &x);
            }
            if b % 2 == 0 {
                let (one, two) = (transposed().same(), conv().same());
                check_different(&around(one.into()), &around(two.into()), &x);
            }
        }
    }
}

/// With stride 2 and filter 2 each output reads one input: by one of two taps.
#[test]
fn transposed_convolutions_of_wide_strides_repeat() {
    let x = samples(&[3, 4, 2], 18);
    let transposed = conv_transpose([2]).strides([2]).w_std(2.0_f64.sqrt());
    let repeated = resize([8]).method(Interpolation::Nearest);
    let one = rectified([3]).then(transposed).join(flat());
    let two = rectified([3]).then(dense()).then(repeated).join(flat());
    let far = far(&plain(&one, &x), &plain(&two, &x));
    assert!(far < ROUNDED, "{far:e}");
}

#[test]
fn numbers_of_padding_are_those_of_same() {
    let x = samples(&[3, 5, 3, 4, 2], 19);
    let (filter, strides, dilation) = ([4, 2, 3], [2, 1, 3], [1, 2, 1]);
    let padding: Vec<[usize; 2]> = (0..3)
        .map(|axis| {
            let (size, stride) = (x.shape()[axis + 1], strides[axis]);
            let extent = dilation[axis] * (filter[axis] - 1) + 1;
            let read = (size.div_ceil(stride) - 1) * stride + extent;
            let total = read.saturating_sub(size);
            [total / 2, total - total / 2]
        })
        .collect();
    for end in [pooled(), flat()] {
        let around = |layer: Layer| {
            rectified([1, 2, 2])
                .then(layer)
                .then(relu())
                .join(end.clone())
        };
        let windows = || conv(filter).strides(strides).dilation(dilation).channels(3);
        for layer in [Layer::from, |conv| ConvLocal(conv).into()] {
            check_same(
                &around(layer(windows().same())),
                &around(layer(windows().padding(Padding::Zeros(padding.clone())))),
                &x,
            );
            check_different(
                &around(layer(windows().circular())),
                &around(layer(windows().same())),
                &x,
            );
        }
    }
}

#[test]
fn unshared_weights_are_shared_ones_without_mixing() {
    let x = samples(&[3, 4, 3, 2], 20);
    let layer = || {
        conv([3, 2])
            .same()
            .strides([1, 2])
            .b_std(0.3)
            .w_std(1.1)
            .channels(4)
    };
    for start in [Network::new(), rectified([2, 2])] {
        let one = |end: Network| start.clone().then(layer()).join(end);
        let two = |end: Network| start.clone().then(ConvLocal(layer())).join(end);
        check_same(&one(flat()), &two(flat()), &x);
        check_different(&one(pooled()), &two(pooled()), &x);
        // Nothing before them matters either.
        let both = start
            .clone()
            .then(ConvLocal(layer()))
            .then(ConvLocal(layer()));
        check_same(
            &one(Network::new().then(layer()).join(flat())),
            &both.join(flat()),
            &x,
        );
    }
}

#[test]
fn one_step_of_recurrence_is_a_dense_layer() {
    let x = samples(&[5, 1, 3], 21);
    for activation in [relu(), erf(1.0, 1.2, 0.1), gelu()] {
        for b_std in [None, Some(0.3)] {
            let layer = recurrent(activation.clone())
                .width(6)
                .u_std(1.4)
                .b_std(b_std);
            let [last, all] = [layer.clone(), layer.all_states()];
            let steps = dense().width(6).w_std(1.4).b_std(b_std);
            let unrolled = Network::new()
                .then(steps)
                .then(activation.clone())
                .then(flatten());
            for layer in [
                Network::new().then(last),
                Network::new().then(all).then(flatten()),
            ] {
                check_same(&layer.then(dense()), &unrolled.clone().then(dense()), &x);
            }
        }
    }
}

/// Of the last states of one length weights are as good as different ones at each step.
#[test]
fn last_states_are_those_of_untied_weights() {
    let steps = 4;
    let x = samples(&[4, steps, 3], 22);
    for activation in [relu(), erf(1.0, 1.2, 0.1)] {
        for b_std in [None, Some(0.0), Some(0.4)] {
            let input = |t: usize| {
                let dense = dense().width(6).w_std(0.8).b_std(b_std);
                Network::new().then(index(1, t.cast_signed())).then(dense)
            };
            let mut state = input(0).then(activation.clone());
            for t in 1..steps {
                let before = state.then(dense().width(6).w_std(1.3));
                let sum = branch([input(t), before]);
                state = Network::new().then(sum).then(activation.clone());
            }
            let layer = recurrent(activation.clone()).width(6).w_std(1.3).u_std(0.8);
            let layer = Network::new().then(layer.b_std(b_std)).then(dense());
            check_same(&layer, &state.then(dense()), &x);
        }
    }
}

/// All states, of which the last is kept, are the last state.
#[test]
fn the_last_of_all_states_is_the_last_state() {
    let x = samples(&[4, 5, 3], 23);
    let layer = recurrent(gelu()).w_std(1.3).u_std(0.8).b_std(0.3);
    let all = rectified([2])
        .then(layer.clone().all_states())
        .then(index(1, -1));
    check_same(
        &all.then(dense()),
        &rectified([2]).then(layer).then(dense()),
        &x,
    );
}

#[test]
fn tokens_are_vectors_of_zeros_and_one() {
    let vocabulary = 7;
    let ids = Array2::from_shape_fn((4, 5), |(i, p)| {
        ((3 * i + 5 * p + i * p) % vocabulary) as f64
    });
    let hot = Array3::from_shape_fn((4, 5, vocabulary), |(i, p, token)| {
        let same = ids[[i, p]] == token as f64;
        (vocabulary as f64).sqrt() * f64::from(u8::from(same))
    });
    let after = || {
        Network::new()
            .then(conv([2]).b_std(0.1))
            .then(relu())
            .join(pooled())
    };
    let tokens = Network::new()
        .then(embedding(vocabulary).w_std(1.3))
        .join(after());
    let vectors = Network::new().then(dense().w_std(1.3)).join(after());
    let far = far(
        &plain(&tokens, &ids.into_dyn()),
        &plain(&vectors, &hot.into_dyn()),
    );
    assert!(far < ROUNDED, "{far:e}");
}

/// Ways to write one map of positions.
#[test]
fn maps_of_positions_written_differently() {
    let x = samples(&[3, 4, 3, 2], 24);
    let row = |at: usize, size: usize| {
        (0..size)
            .map(|p| f64::from(u8::from(p == at)))
            .collect::<Vec<_>>()
    };
    let mean = |count: usize| vec![vec![1.0 / count as f64; count]];
    let diagonal = [0.5, -2.0, 1.0, 0.0];
    let scaled = (0..4).map(|at| row(at, 4).iter().map(|v| v * diagonal[at]).collect());
    let reversed = (0..4).map(|at| row(3 - at, 4));
    let twelve = (0..12).map(|at| row(at, 12));
    let layers = |all: &[Layer]| all.iter().cloned().fold(Network::new(), Network::then);
    let pairs: Vec<(Network, Network)> = vec![
        (layers(&[slice(1).into()]), Network::new()),
        (
            layers(&[slice(1).into(), identity().into()]),
            layers(&[slice(2).into()]),
        ),
        (
            layers(&[slice(1).step(-1).into(), slice(1).step(-1).into()]),
            Network::new(),
        ),
        (
            layers(&[slice(1).step(-1).into()]),
            layers(&[position_map([1], reversed.collect()).into()]),
        ),
        (
            layers(&[scale_positions(1, diagonal).into()]),
            layers(&[position_map([1], scaled.collect()).into()]),
        ),
        (
            Network::new(),
            layers(&[position_map([1, 2], twelve.collect()).to([4, 3]).into()]),
        ),
        (
            layers(&[index(1, 2).into()]),
            layers(&[position_map([1], vec![row(2, 4)]).to([]).into()]),
        ),
        (
            layers(&[slice(1).range(2, 3).into(), slice(2).range(-1, None).into()]),
            layers(&[
                index(1, 2).into(),
                index(1, -1).into(),
                Layer::from(dense()),
            ])
            .layers
            .split_last()
            .map(|(_, kept)| layers(kept))
            .unwrap(),
        ),
        (
            layers(&[global_avg_pool().axes([2]).into()]),
            layers(&[position_map([2], mean(3)).to([]).into()]),
        ),
        (
            layers(&[avg_pool([4, 3]).into()]),
            layers(&[position_map([1, 2], mean(12)).to([]).into()]),
        ),
        (
            layers(&[global_avg_pool().into()]),
            layers(&[
                global_avg_pool().axes([1]).into(),
                global_avg_pool().axes([1]).into(),
            ]),
        ),
        (
            layers(&[global_sum_pool().axes([1]).into()]),
            layers(&[global_avg_pool().axes([1]).into(), scale(4.0).into()]),
        ),
        (
            layers(&[avg_pool([2, 3]).same().strides([1, 2]).into()]),
            layers(&[
                sum_pool([2, 3]).same().strides([1, 2]).into(),
                scale(1.0 / 6.0).into(),
            ]),
        ),
        (
            layers(&[resize([2, 3]).method(Interpolation::Nearest).into()]),
            layers(&[slice(1).range(1, None).step(2).into()]),
        ),
        (
            layers(&[resize([2, 3]).antialias(false).into()]),
            layers(&[avg_pool([2, 1]).into()]),
        ),
    ];
    for (one, two) in pairs {
        let finish = |middle: &Network| {
            let start = rectified([3, 2])
                .join(middle.clone())
                .then(inner())
                .then(relu());
            [flatten().into(), Layer::from(global_avg_pool())].map(|end| {
                let shape = start.output([4, 3, 2]).unwrap();
                match shape.positions().is_empty() {
                    true => start.clone().then(dense()),
                    false => start.clone().then(end).then(dense()),
                }
            })
        };
        for (one, two) in finish(&one).iter().zip(&finish(&two)) {
            check_same(one, two, &x);
        }
    }
}

/// Volumes of which the last axis has one position: what happens along it counts.
#[test]
fn layers_along_an_axis_of_one_position() {
    let x = samples(&[3, 4, 3, 1, 2], 27);
    let start = || rectified([3, 2, 1]);
    let twice = |layer: Conv| layer.circular().w_std(1.2).channels(4);
    for end in [pooled(), flat()] {
        let around = |layer: Layer| start().then(layer).then(relu()).join(end.clone());
        // Both taps read the one position: two weights are added, and divided by the root of 2.
        let [two, one] = [[3, 2, 2], [3, 2, 1]].map(|filter| twice(conv(filter)).into());
        let far = far(&plain(&around(two), &x), &plain(&around(one), &x));
        assert!(far < ROUNDED, "{far:e}");
    }
    for (layer, by) in [
        (scale_positions(3, [0.5]).into(), 0.5),
        (Layer::from(avg_pool([1, 1, 2]).same()), 0.5),
        (sum_pool([1, 1, 3]).padding([0, 0, 1]).into(), 1.0),
    ] {
        for end in [pooled(), flat()] {
            let one = start().then(layer.clone()).join(end.clone());
            check_same(&one, &start().then(scale(by)).join(end), &x);
        }
    }
}

/// Of which one needs all pairs of positions before it, and the other none but equal ones.
#[test]
fn a_pool_beside_a_convolution_of_masked_samples() {
    let x = samples(&[3, 4, 3, 2], 32);
    let open = Structure::of_mask(&Array3::from_elem((3, 4, 3), false));
    let pooling = avg_pool([3, 3]).strides([1, 1]).same();
    let paths = || {
        let first = Network::new().then(pooling.clone()).then(dense());
        [first, Network::new().then(conv([2, 2]).same())]
    };
    for middle in [branch(paths()), product(paths()), concat(-1, paths())] {
        let network = rectified([2, 2]).then(middle).then(flatten()).then(dense());
        let far = far(&both(&network, &x, &open), &plain(&network, &x));
        assert!(far < ROUNDED, "{far:e}");
    }
}

#[test]
fn features_of_one_axis_after_the_other() {
    let x = samples(&[3, 4, 3, 2], 25);
    let start = rectified([3, 2]);
    let one = start.clone().then(flatten()).then(dense());
    let two = start
        .then(flatten().axes([2]))
        .then(flatten())
        .then(dense());
    check_same(&one, &two, &x);
}

/// Without embeddings and scaling, attention of the logits themselves is `K K(x1, x1) K K(x2, x2) K`.
#[test]
fn attention_of_one_position_is_a_product() {
    let x = samples(&[4, 1, 3], 26);
    let start = Network::new().then(inner()).then(relu());
    let first = start.clone().then(flatten());
    let own = first.kernel_diagonal(&x).unwrap().nngp;
    let found = first.kernels(&x).unwrap();
    let attended = start
        .then(attention().w_stds(1.1, 0.9, 1.2, 0.7).b_std(0.3))
        .then(flatten());
    let after = attended.kernels(&x).unwrap();
    let logit = Array1::from_iter(own.iter().map(|k| 1.1 * 0.9 * k));
    for ((i, j), &k) in found.nngp.indexed_iter() {
        let scale = (1.2_f64 * 0.7).powi(2) * logit[i] * logit[j];
        let expected = [
            scale * k + 0.09,
            scale * (2.0 * k + found.ntk[[i, j]]) + 0.09,
        ];
        for (found, expected) in [after.nngp[[i, j]], after.ntk[[i, j]]].iter().zip(expected) {
            assert!((found - expected).abs() < ROUNDED * expected.abs().max(1.0));
        }
    }
}

#[test]
fn after_each_layer_with_graphs_and_masks() {
    for (network, shape, nodes) in all_networks() {
        let (x, structure) = with_structure(&shape, &nodes, true, 31);
        let kernel_fn = network.kernel_fn().structure(&structure);
        let layers = kernel_fn.kernels_by_layer(&x).unwrap();
        assert_eq!(layers.len(), network.layers.len());
        assert_eq!(layers.last().unwrap().ntk, kernel_fn.ntk(&x).unwrap());
    }
}

/// A sample's kernel with itself is that with its equal; dropout alone tells them apart.
#[test]
fn samples_are_as_their_equals() {
    for masked in [false, true] {
        for (network, shape, nodes) in all_networks() {
            let drops = network.layers.iter().any(|layer| layer.name() == "dropout");
            let (x, structure) = with_structure(&shape, &nodes, masked, 28);
            let kernel_fn = network.kernel_fn().structure(&structure);
            let one = both(&network, &x, &structure);
            let distinct = kernel_fn.distinct().kernels_between(&x, &x).unwrap();
            let own = kernel_fn.kernel_diagonal(&x).unwrap();
            let n = x.len_of(Axis(0));
            for (at, (two, own)) in [(distinct.nngp, own.nngp), (distinct.ntk, own.ntk)]
                .into_iter()
                .enumerate()
            {
                let one = one
                    .slice_axis(Axis(0), (at * n..(at + 1) * n).into())
                    .to_owned();
                let most = one.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
                for ((i, j), &value) in one.indexed_iter() {
                    let far = (value - two[[i, j]]).abs() / most;
                    assert_eq!(
                        far < 1e-12,
                        !(drops && i == j),
                        "{far:e} {i} {j}\n{network}"
                    );
                    assert!((two[[i, j]] - two[[j, i]]).abs() < 1e-12 * most);
                }
                for (value, own) in one.diag().iter().zip(&own) {
                    assert!((value - own).abs() <= 1e-14 * most);
                }
            }
        }
    }
}

#[test]
fn single_precision_is_near_double() {
    for masked in [false, true] {
        for (network, shape, nodes) in all_networks() {
            let (x, structure) = with_structure(&shape, &nodes, masked, 29);
            let single = x.mapv(|v| v as f32);
            let double = single.mapv(f64::from);
            let kernel_fn = network.kernel_fn().structure(&structure);
            let found = kernel_fn.kernels(&single).unwrap();
            let found = concatenate(Axis(0), &[found.nngp.view(), found.ntk.view()]).unwrap();
            let far = far(&found.mapv(f64::from), &both(&network, &double, &structure));
            assert!(far < 5e-5, "{far:e}\n{network}");
        }
    }
}

#[test]
fn threads_do_not_matter() {
    let pools = [1, 2].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap()
    });
    for masked in [false, true] {
        for (network, shape, nodes) in all_networks() {
            let (x, structure) = with_structure(&shape, &nodes, masked, 30);
            let [one, two] = pools
                .each_ref()
                .map(|pool| pool.install(|| both(&network, &x, &structure)));
            assert_eq!(one, two);
        }
    }
}
