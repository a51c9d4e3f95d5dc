//! What must hold for kernels of the layers beyond convolutions and pools: identities between layers,
//! and what must not matter.

mod identities;
mod structures;

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
                .then(layer_norm().axes([2, -1]).eps(0.1).affine(true))
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
