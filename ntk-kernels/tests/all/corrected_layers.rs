//! Networks of which `neural_tangents` 0.6.5 gives wrong kernels, or none: the right ones are from
//! the formulas, in plain numpy, and Monte Carlo of its own finite networks agrees with them.

use ndarray::{Array3, ArrayD, IxDyn};
use ntk_kernels::network::*;
use ntk_kernels::{Graphs, KernelError, Structure};

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

fn kernels(
    network: &Network,
    shape: &[usize],
    structures: &[Structure; 2],
) -> Result<[f64; 2], KernelError> {
    let network = network.clone().then(dense().b_std(0.1));
    let ([x1, x2], [one, two]) = (inputs(shape), structures);
    let kernel_fn = network.kernel_fn().structures(one, two);
    let found = kernel_fn.kernels_between(&x1, &x2)?;
    Ok([found.nngp[[0, 0]], found.ntk[[0, 0]]])
}

fn check(network: &Network, shape: &[usize], structures: &[Structure; 2], right: [f64; 2]) {
    let found = kernels(network, shape, structures).unwrap();
    for (found, right) in found.iter().zip(right) {
        // Nine decimals are known.
        assert!(
            (found - right).abs() < 5.01e-10,
            "{found} {right}\n{network}"
        );
    }
}

fn check_plain(network: &Network, shape: &[usize], right: [f64; 2]) {
    check(network, shape, &Default::default(), right);
}

#[test]
fn rectangular_windows_after_a_convolution() {
    let network = rectified()
        .then(local([3, 1]).strides([1, 2]))
        .then(relu())
        .then(global_avg_pool());
    check_plain(&network, &[4, 3, 2], [0.080092302, 0.083155058]);
    let network = Network::new()
        .then(conv([2, 2, 2]).same().w_std(1.3).b_std(0.2))
        .then(relu())
        .then(local([2, 3, 1]))
        .then(relu())
        .then(global_avg_pool());
    check_plain(&network, &[3, 3, 2, 2], [0.056533924, 0.059657986]);
}

#[test]
fn resizing_after_a_convolution() {
    let network = rectified()
        .then(resize([6, 2]).method(Interpolation::Nearest))
        .then(inner())
        .then(relu())
        .then(global_avg_pool());
    check_plain(&network, &[4, 3, 2], [0.127986421, 0.198839177]);
    let network = rectified().then(resize([2, 5])).then(inner());
    let network = network.then(flatten());
    check_plain(&network, &[4, 3, 2], [0.206161226, 0.427013055]);
}

#[test]
fn graphs_of_two_axes_after_a_convolution() {
    let network = rectified()
        .then(aggregate())
        .then(inner())
        .then(relu())
        .then(global_avg_pool());
    // From every (0, w) to (0, 1) and (1, 1).
    let heads = [[0, 1], [1, 1]];
    let edges = (0..3).flat_map(|w| heads.map(|[h, v]| [[0, h], [w, v]]));
    let edges: Vec<i64> = edges.flatten().flatten().collect();
    let edges = ndarray::Array4::from_shape_vec((1, 6, 2, 2), edges).unwrap();
    let graphs = Structure::of_graphs(Graphs::edges(&edges, &[3, 3]).unwrap());
    check(
        &network,
        &[3, 3, 2],
        &[graphs.clone(), graphs],
        [0.073657363, 0.117376098],
    );
}

#[test]
fn unshared_weights_beside_an_identity() {
    let path = Network::new().then(local([3, 3]));
    let network = Network::new()
        .then(shared())
        .then(residual(path))
        .then(global_avg_pool());
    check_plain(&network, &[4, 3, 2], [0.038100223, 0.050354419]);
}

#[test]
fn masks_count_for_each_sample() {
    let network = rectified().then(local([3, 3])).then(global_avg_pool());
    check(&network, &[4, 3, 2], &masks(), [0.014616310, 0.019146768]);
    let network = Network::new()
        .then(shared())
        .then(layer_norm().axes([1, 2, 3]).eps(1.0))
        .then(relu())
        .then(global_avg_pool());
    check(&network, &[4, 3, 2], &masks(), [0.065142564, 0.076878436]);
}

/// The paths are one signal, so that what stands side by side is correlated; neural_tangents takes it
/// for independent.
#[test]
fn dependent_paths_side_by_side_are_refused() {
    let path = || Network::new().then(identity());
    let network = Network::new()
        .then(shared())
        .then(concat(1, [path(), path()]))
        .then(relu())
        .then(global_avg_pool());
    let refused = kernels(&network, &[4, 3, 2], &Default::default());
    assert!(
        matches!(refused, Err(KernelError::NoClosedForm { ref path, .. }) if path == "layers[1]"),
        "{refused:?}"
    );
}

#[test]
fn signs_keep_covariances_between_positions() {
    let network = Network::new()
        .then(shared())
        .then(sign())
        .then(avg_pool([2, 2]).strides([1, 1]))
        .then(inner())
        .then(relu())
        .then(global_avg_pool());
    check_plain(&network, &[4, 3, 2], [0.084226628, 0.115156880]);
}

#[test]
fn rectified_attention_with_square_root_scaling() {
    for (mechanism, right) in [
        (Mechanism::Relu, [0.095157754, 0.313634247]),
        (Mechanism::Abs, [0.176568847, 0.610463158]),
    ] {
        let attention = attention()
            .mechanism(mechanism)
            .linear_scaling(false)
            .b_std(0.2);
        let network = Network::new()
            .then(inner())
            .then(relu())
            .then(attention)
            .then(global_avg_pool());
        check_plain(&network, &[3, 3], right);
    }
}
