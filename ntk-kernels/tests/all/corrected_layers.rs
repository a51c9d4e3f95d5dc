//! Kernels that `neural_tangents` 0.6.5 gets wrong, against right ones.

use super::corrected::corrected;
use ndarray::Array3;
use ntk_kernels::KernelError;
use ntk_kernels::network::*;

#[test]
fn kernels_are_the_right_ones() {
    for row in corrected() {
        let [one, two] = &row.structures;
        let kernel_fn = row.network.kernel_fn().structures(one, two);
        let found = kernel_fn.kernels_between(&row.x[0], &row.x[1]).unwrap();
        for (found, right) in [found.nngp, found.ntk].iter().zip(row.right) {
            // Nine decimals are known.
            let found = found[[0, 0]];
            assert!(
                (found - right).abs() < 5.01e-10,
                "{}: {found} {right}",
                row.name
            );
        }
    }
}

/// The paths are one signal, so that what stands side by side is correlated; neural_tangents takes it
/// for independent.
#[test]
fn dependent_paths_side_by_side_are_refused() {
    let path = || Network::new().then(identity());
    let network = Network::new()
        .then(conv([3, 3]).same())
        .then(concat(1, [path(), path()]))
        .then(relu())
        .then(global_avg_pool());
    let refused = network.ntk(&Array3::<f64>::ones((1, 4, 3)).insert_axis(ndarray::Axis(3)));
    assert!(
        matches!(refused, Err(KernelError::NoClosedForm { ref path, .. }) if path == "layers[1]"),
        "{refused:?}"
    );
}
