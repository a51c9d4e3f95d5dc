//! Networks of which `neural_tangents` 0.6.5 gives wrong kernels, or none: the right ones are from
//! the formulas, in plain numpy, and Monte Carlo of its own finite networks agrees with them.

use ndarray::{Array3, Array4, ArrayD, IxDyn};
use ntk_kernels::network::*;
use ntk_kernels::{Graphs, Structure};

/// The two samples, as batches of one; `shape` is that of positions and channels.
fn inputs(shape: &[usize]) -> [ArrayD<f64>; 2] {
    let batch = [&[1], shape].concat();
    let of = |f: fn([f64; 3], f64) -> f64| {
        ArrayD::from_shape_fn(IxDyn(&batch), |index| {
            let index: Vec<f64> = (0..batch.len()).map(|axis| index[axis] as f64).collect();
            let (channel, positions) = index[1..].split_last().unwrap();
            let mut all = [0.0; 3];
            all[..positions.len()].copy_from_slice(positions);
            f(all, *channel)
        })
    };
    [
        of(|[h, w, z], c| (1.0 + 2.0 * h + 3.0 * w + 5.0 * c + z).cos()),
        of(|[h, w, z], c| (2.0 + 3.0 * h + h * w + c + z).sin()),
    ]
}

/// The masks of both.
fn masks() -> [Structure; 2] {
    let of = |masked: fn(usize, usize) -> bool| {
        Structure::of_mask(&Array3::from_shape_fn((1, 4, 3), |(_, h, w)| masked(h, w)))
    };
    [
        of(|h, w| (h + 2 * w).is_multiple_of(4)),
        of(|h, w| (2 * h + w + 2).is_multiple_of(3)),
    ]
}

/// From every (0, w) to (0, 1) and (1, 1).
fn graphs() -> Structure {
    let heads = [[0, 1], [1, 1]];
    let edges = (0..3).flat_map(|w| heads.map(|[h, v]| [[0, h], [w, v]]));
    let edges: Vec<i64> = edges.flatten().flatten().collect();
    let edges = Array4::from_shape_vec((1, 6, 2, 2), edges).unwrap();
    Structure::of_graphs(Graphs::edges(&edges, &[3, 3]).unwrap())
}

fn shared() -> Conv {
    conv([3, 3]).same().w_std(1.3).b_std(0.2)
}

fn local(filter: impl Into<Vec<usize>>) -> ConvLocal {
    conv_local(filter).same().w_std(1.3).b_std(0.2)
}

fn inner() -> Dense {
    dense().w_std(1.2).b_std(0.2)
}

fn rectified() -> Network {
    Network::new().then(shared()).then(relu())
}

/// A network before its last dense layer, and its kernels of two samples.
pub(super) struct Corrected {
    pub(super) name: &'static str,
    pub(super) network: Network,
    /// Batches of one sample each.
    pub(super) x: [ArrayD<f64>; 2],
    pub(super) structures: [Structure; 2],
    /// NNGP and NTK.
    pub(super) right: [f64; 2],
}

/// Returns all of them, with the last layer.
pub(super) fn corrected() -> Vec<Corrected> {
    let row = |name, network: Network, shape: &[usize], structures, right| Corrected {
        name,
        network: network.then(dense().b_std(0.1)),
        x: inputs(shape),
        structures,
        right,
    };
    let plain = |name, network, shape: &[usize], right| {
        row(name, network, shape, <[Structure; 2]>::default(), right)
    };
    let attention_of = |mechanism| {
        let attention = attention()
            .mechanism(mechanism)
            .linear_scaling(false)
            .b_std(0.2);
        Network::new()
            .then(inner())
            .then(relu())
            .then(attention)
            .then(global_avg_pool())
    };
    vec![
        plain(
            "rectangular windows after a convolution",
            rectified()
                .then(local([3, 1]).strides([1, 2]))
                .then(relu())
                .then(global_avg_pool()),
            &[4, 3, 2],
            [0.080092302, 0.083155058],
        ),
        plain(
            "the same with three axes",
            Network::new()
                .then(conv([2, 2, 2]).same().w_std(1.3).b_std(0.2))
                .then(relu())
                .then(local([2, 3, 1]))
                .then(relu())
                .then(global_avg_pool()),
            &[3, 3, 2, 2],
            [0.056533924, 0.059657986],
        ),
        plain(
            "resizing to the nearest after a convolution",
            rectified()
                .then(resize([6, 2]).method(Interpolation::Nearest))
                .then(inner())
                .then(relu())
                .then(global_avg_pool()),
            &[4, 3, 2],
            [0.127986421, 0.198839177],
        ),
        plain(
            "linear resizing after a convolution",
            rectified()
                .then(resize([2, 5]))
                .then(inner())
                .then(flatten()),
            &[4, 3, 2],
            [0.206161226, 0.427013055],
        ),
        row(
            "graphs of two axes after a convolution",
            rectified()
                .then(aggregate())
                .then(inner())
                .then(relu())
                .then(global_avg_pool()),
            &[3, 3, 2],
            [graphs(), graphs()],
            [0.073657363, 0.117376098],
        ),
        plain(
            "unshared weights beside an identity",
            Network::new()
                .then(shared())
                .then(residual(Network::new().then(local([3, 3]))))
                .then(global_avg_pool()),
            &[4, 3, 2],
            [0.038100223, 0.050354419],
        ),
        row(
            "masks counted for each sample",
            rectified().then(local([3, 3])).then(global_avg_pool()),
            &[4, 3, 2],
            masks(),
            [0.014616310, 0.019146768],
        ),
        row(
            "masks and the number added to a variance",
            Network::new()
                .then(shared())
                .then(layer_norm().axes([1, 2, 3]).eps(1.0))
                .then(relu())
                .then(global_avg_pool()),
            &[4, 3, 2],
            masks(),
            [0.065142564, 0.076878436],
        ),
        plain(
            "signs keep covariances between positions",
            Network::new()
                .then(shared())
                .then(sign())
                .then(avg_pool([2, 2]).strides([1, 1]))
                .then(inner())
                .then(relu())
                .then(global_avg_pool()),
            &[4, 3, 2],
            [0.084226628, 0.115156880],
        ),
        plain(
            "rectified attention with square-root scaling",
            attention_of(Mechanism::Relu),
            &[3, 3],
            [0.095157754, 0.313634247],
        ),
        plain(
            "absolute attention with square-root scaling",
            attention_of(Mechanism::Abs),
            &[3, 3],
            [0.176568847, 0.610463158],
        ),
    ]
}
