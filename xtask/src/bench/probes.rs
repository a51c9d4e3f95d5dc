//! What cases of kernels have in common: entries that are compared, and networks without activations.

use ndarray::Array2;
use ntk_kernels::Network;
use ntk_kernels::network::Layer;
use ntk_linalg::Real;

/// The entries that are compared, as fractions of the result's rows and columns.
const PROBES: [[f64; 2]; 6] = [
    [0.0, 0.0],
    [0.0, 0.99],
    [0.99, 0.99],
    [0.5, 0.3],
    [0.25, 0.75],
    [0.9, 0.1],
];

/// Returns the network without its activations.
pub(super) fn linear(network: &Network) -> Network {
    let kept = |layer: &&Layer| !matches!(layer, Layer::Activation(_));
    Network {
        layers: network.layers.iter().filter(kept).cloned().collect(),
        ..network.clone()
    }
}

/// Returns entries of a square result of `n` rows.
pub(super) fn probes(n: usize) -> Vec<[usize; 2]> {
    let at = |fraction: f64| (fraction * n as f64) as usize;
    PROBES.iter().map(|&[i, j]| [at(i), at(j)]).collect()
}

/// Reads these entries of a kernel.
pub(super) fn read<T: Real>(kernel: &Array2<T>, probes: &[[usize; 2]]) -> Vec<f64> {
    probes.iter().map(|&probe| kernel[probe].to_f64()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_lie_inside() {
        for n in [1, 2, 7, 100] {
            assert!(probes(n).iter().flatten().all(|&i| i < n));
        }
    }
}
