//! Networks and inputs for tests.

use ndarray::{Array2, ArrayD, Axis};
use ntk_kernels::network::*;
use ntk_kernels::{Graphs, Structure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Numbers between -1 and 1, none near 0.
fn number(rng: &mut ChaCha8Rng) -> f64 {
    let v = f64::from(rng.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0;
    v + 0.01_f64.copysign(v)
}

/// Samples (n, ...) of a shape.
pub(crate) fn images(shape: &Shape, n: usize, seed: u64) -> ArrayD<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut axes = vec![n];
    axes.extend(shape.positions());
    axes.push(shape.channels());
    ArrayD::from_shape_simple_fn(axes, || number(&mut rng))
}

/// Samples (n, ...) for a network: token ids where it begins with an embedding.
pub(crate) fn samples(network: &Network, shape: &Shape, n: usize, seed: u64) -> ArrayD<f64> {
    let x = images(shape, n, seed);
    match network.layers.first() {
        Some(Layer::TokenEmbedding(layer)) => {
            let tokens = layer.vocabulary as f64;
            x.mapv(|v| ((v.abs() * 7.0 * tokens) % tokens).floor())
        }
        _ => x,
    }
}

/// What may stand beside `n` samples for a network: nothing, or masks, and graphs where it sums over
/// edges.
pub(crate) fn structures(network: &Network, shape: &Shape, n: usize, seed: u64) -> Vec<Structure> {
    let mut all = vec![Structure::default()];
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    if !shape.positions().is_empty() {
        let axes = [&[n], shape.positions()].concat();
        let mut mask = ArrayD::from_shape_simple_fn(axes, || rng.next_u32() % 3 == 0);
        // The first sample keeps all, the second, where there is one, nothing.
        mask.index_axis_mut(Axis(0), 0).fill(false);
        if n > 3 {
            mask.index_axis_mut(Axis(0), 1).fill(true);
        }
        all.push(Structure::of_mask(&mask));
    }
    let graph = network.resolve(shape).unwrap();
    if let Some(nodes) = graph.nodes.iter().find_map(Node::graph_axes) {
        let axes = [&[n], &nodes[..], &nodes[..]].concat();
        let edges = ArrayD::from_shape_simple_fn(axes, || match rng.next_u32() % 2 {
            0 => 0.0,
            _ => number(&mut rng.clone()),
        });
        let graphs = Graphs::dense(&edges).unwrap();
        all = all.into_iter().map(|s| s.graphs(graphs.clone())).collect();
    }
    all
}

/// A matrix.
pub(crate) fn vectors(n: usize, d: usize, seed: u64) -> Array2<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((n, d), || number(&mut rng))
}

/// A user's own layer: along each axis, these weights times an input and those after it, the
/// other end beyond the edge.
#[derive(Debug)]
pub(crate) struct Stencil(pub(crate) Vec<f64>);

impl LayerKind for Stencil {
    fn name(&self) -> &str {
        "stencil"
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        Resolved::along_each_axis(input, |size| {
            let row = |out| {
                let terms = self.0.iter().enumerate();
                terms.map(|(k, &w)| ((out + k) % size, w)).collect()
            };
            (0..size).map(row).collect()
        })
    }
}

fn softmax_attention() -> Attention {
    attention()
        .channels(4)
        .heads(2)
        .mechanism(Mechanism::Softmax)
        .w_stds(1.5, 1.1, 0.8, 1.2)
}

fn of_scale(mechanism: Mechanism) -> Attention {
    softmax_attention()
        .mechanism(mechanism)
        .linear_scaling(false)
}

/// A network of every kind of layer, with the shape of its inputs.
pub(crate) fn networks() -> Vec<(&'static str, Network, Shape)> {
    let new = Network::new;
    let image = || Shape::new([5, 4], 2);
    let small = |filter: [usize; 2]| conv(filter).channels(3).w_std(1.3);
    let end = |network: Network| network.then(flatten()).then(dense().width(2).b_std(0.2));
    vec![
        (
            "dense",
            new()
                .then(dense().width(6).w_std(1.4).b_std(0.3))
                .then(erf(1.0, 1.0, 0.2))
                .then(dense().width(5))
                .then(relu())
                .then(dense().width(3)),
            Shape::features(4),
        ),
        (
            "standard parameterisation",
            end(new().then(small([3, 3]).b_std(0.4)).then(gelu()))
                .parameterization(Parameterization::Standard),
            image(),
        ),
        (
            "valid, strides",
            end(new()
                .then(small([3, 2]).strides([2, 1]).b_std(0.1))
                .then(relu())),
            image(),
        ),
        (
            "same, even filter",
            end(new()
                .then(small([2, 3]).same())
                .then(sin(1.0, 1.0, 0.1))
                .then(small([3, 3]).same())),
            image(),
        ),
        (
            "circular",
            end(new()
                .then(small([3, 3]).circular().strides([2, 1]))
                .then(gabor())),
            image(),
        ),
        (
            "pools",
            new()
                .then(small([2, 2]).same())
                .then(relu())
                .then(avg_pool([2, 2]).same().normalize_edges())
                .then(small([2, 1]))
                .then(sum_pool([1, 2]))
                .then(global_avg_pool())
                .then(dense().width(2)),
            image(),
        ),
        (
            "dense at positions, global sum",
            new()
                .then(dense().width(4).b_std(0.5))
                .then(leaky_relu(0.2))
                .then(avg_pool([2, 3]).strides([1, 1]).same())
                .then(global_sum_pool())
                .then(dense().width(3)),
            image(),
        ),
        (
            "sequence",
            new()
                .then(conv([3]).channels(3).same())
                .then(layer_norm())
                .then(exp(0.5, 0.3))
                .then(sum_pool([2]))
                .then(flatten())
                .then(dense().width(2)),
            Shape::new([5], 2),
        ),
        (
            "layer_norm over an axis, dropout",
            end(new()
                .then(small([3, 3]).same())
                .then(layer_norm().axes([-1, 1]).eps(1e-3))
                .then(rbf(0.6))
                .then(dropout(0.7))),
            image(),
        ),
        (
            "a user's own maps of positions",
            end(new()
                .then(small([3, 3]).same())
                .then(own(Stencil(vec![1.0, -1.0])))
                .then(relu())
                .then(own(Stencil(vec![0.5, 1.0, -0.7])))),
            image(),
        ),
        (
            "residual and product",
            end(new()
                .then(small([1, 1]))
                .then(residual(new().then(relu()).then(small([3, 3]).same())))
                .then(product([
                    new()
                        .then(small([1, 1]).b_std(1.0))
                        .then(polynomial([0.5, 1.0, -0.3])),
                    new().then(small([2, 2]).same()),
                    new().then(identity()),
                ]))),
            image(),
        ),
        (
            "transposed and dilated",
            end(new()
                .then(
                    conv_transpose([3, 2])
                        .channels(3)
                        .strides([2, 1])
                        .same()
                        .b_std(0.3),
                )
                .then(gelu())
                .then(small([2, 2]).dilation([2, 1]))
                .then(relu())
                .then(conv_transpose([2, 3]).channels(2).circular())),
            image(),
        ),
        (
            "three axes",
            new()
                .then(conv([2, 3, 2]).channels(3).same().strides([1, 2, 1]))
                .then(relu())
                .then(avg_pool([2, 1, 2]).strides([1, 1, 1]))
                .then(layer_norm().axes([1, -1]))
                .then(flatten().axes([2]))
                .then(dense().width(4))
                .then(erf(1.0, 1.0, 0.0))
                .then(global_avg_pool().axes([1]))
                .then(flatten())
                .then(dense().width(2)),
            Shape::new([3, 4, 3], 2),
        ),
        (
            "maps of positions",
            end(new()
                .then(resize([3, 6]))
                .then(small([2, 2]))
                .then(slice(2).range(4, 0).step(-1))
                .then(gelu())
                .then(scale_positions(1, [0.5, -2.0]))
                .then(position_map(
                    [1, 2],
                    vec![vec![0.3; 8], vec![-1.0; 8], vec![2.0; 8]],
                ))
                .then(scale(1.5))
                .then(conv([2]).channels(3))
                .then(index(1, -1))),
            image(),
        ),
        (
            "weights of their own at each position",
            end(new()
                .then(conv_local([2, 2]).channels(3).same().b_std(0.3))
                .then(gelu())
                .then(conv_local([2, 3]).channels(2).w_std(1.2))),
            image(),
        ),
        (
            "groups of channels",
            end(new()
                .then(small([2, 2]).channels(4).groups(2).b_std(0.3))
                .then(relu())
                .then(small([2, 3]).same().channels(8).groups(4))
                .then(gelu())
                .then(small([2, 1]).channels(8).groups(8).b_std(0.2))),
            image(),
        ),
        (
            "trained scales and shifts",
            end(new()
                .then(small([2, 2]))
                .then(layer_norm().axes([1, -1]).affine(true))
                .then(gelu())
                .then(batch_norm())
                .then(small([2, 2]))
                .then(layer_norm().affine(true)))
            .parameterization(Parameterization::Standard),
            image(),
        ),
        (
            "attention",
            end(new()
                .then(small([2, 2]))
                .then(softmax_attention().b_std(0.4))
                .then(relu())
                .then(
                    attention()
                        .channels(3)
                        .heads(3)
                        .head_channels(2, None)
                        .w_stds(1.2, 0.9, 1.1, 1.3),
                )),
            image(),
        ),
        (
            "attention with square-root scaling",
            end(new()
                .then(small([2, 2]).strides([2, 1]))
                .then(of_scale(Mechanism::Relu).embedding(PositionalEmbedding {
                    merge: PositionalMerge::Concat,
                    channels: Some(2),
                    values: true,
                    decay: Some(Decay::Exp(0.4)),
                    ..PositionalEmbedding::default()
                }))
                .then(of_scale(Mechanism::Abs).embedding(PositionalEmbedding {
                    w_std: 0.7,
                    ..PositionalEmbedding::default()
                }))
                .then(of_scale(Mechanism::Softmax).embedding(PositionalEmbedding {
                    merge: PositionalMerge::Concat,
                    ..PositionalEmbedding::default()
                }))),
            image(),
        ),
        (
            "recurrent",
            new()
                .then(dense().width(3))
                .then(
                    recurrent(erf(1.0, 1.0, 0.1))
                        .width(4)
                        .w_std(0.8)
                        .b_std(0.3)
                        .all_states(),
                )
                .then(recurrent(relu()).width(5).u_std(1.3).b_std(0.2).biases(2))
                .then(dense().width(2)),
            Shape::new([5], 2),
        ),
        (
            "token ids",
            new()
                .then(embedding(6).width(4).w_std(1.4))
                .then(recurrent(relu()).width(3).all_states())
                .then(conv([2]).channels(3))
                .then(aggregate())
                .then(gelu())
                .then(global_avg_pool())
                .then(dense().width(2)),
            Shape::new([5], 1),
        ),
        (
            "side by side",
            end(new()
                .then(small([2, 2]).same())
                .then(concat(
                    1,
                    [
                        new().then(identity()),
                        new().then(relu()).then(small([2, 1]).strides([2, 1])),
                    ],
                ))
                .then(relu())
                .then(concat(
                    -1,
                    [
                        new().then(small([1, 1])),
                        new().then(identity()),
                        new().then(small([3, 3]).same()).then(gelu()),
                    ],
                ))),
            image(),
        ),
    ]
}
