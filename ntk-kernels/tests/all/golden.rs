//! Kernels against reference values of neural_tangents; see `tests/golden/README.md`.

use ndarray::{Array2, ArrayD};
use ndarray_npy::NpzReader;
use ntk_kernels::{KernelError, Network};
use ntk_linalg::Real;
use serde_json::{Map, Value};
use std::fs::{self, File};
use std::path::PathBuf;

/// Sums and products of one random function with itself, which neural_tangents takes for two
/// independent ones.
const DEPENDENT: [&str; 2] = ["branch_identity_twice", "branch_product_on_input"];

pub(super) fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// The largest difference, relative to the entry, or to `floor` times the largest entry.
pub(super) fn difference<T: Real>(
    found: &Array2<T>,
    expected: &Array2<f64>,
    floor: f64,
) -> (f64, usize) {
    assert_eq!(found.dim(), expected.dim());
    let largest = expected.iter().fold(0.0, |m: f64, e| m.max(e.abs()));
    found
        .iter()
        .zip(expected)
        .map(|(f, e)| (Real::to_f64(*f) - e).abs() / e.abs().max(floor * largest))
        .enumerate()
        .map(|(at, difference)| (difference, at))
        .fold(
            (0.0, 0),
            |a, b| if b.0 > a.0 || b.0.is_nan() { b } else { a },
        )
}

fn check<T: Real>(name: &str, network: &Network, tolerance: f64) -> Vec<String> {
    let mut file = NpzReader::new(File::open(golden("kernels.npz")).unwrap()).unwrap();
    let mut array =
        |kind: &str| -> ArrayD<f64> { file.by_name(&format!("{name}/{kind}")).unwrap() };
    let [x1, x2] = ["x1", "x2"].map(|x| array(x).mapv(T::of));
    // Terms of the size of the largest entry round: what cancels to less than this part of it
    // cannot be had to the tolerance.
    let floor = (8.0 * Real::to_f64(T::epsilon()) / tolerance).max(1e-3);
    let mut failures = Vec::new();
    for (x2, suffix) in [(Some(x2.view()), ""), (None, "_sym")] {
        let both = match x2 {
            Some(x2) => network.kernels_between(&x1, &x2),
            None => network.kernels(&x1),
        };
        let found = match both {
            Ok(found) => found,
            Err(error) => {
                failures.push(format!("{name}{suffix}: {error}"));
                continue;
            }
        };
        for (kind, found) in [("nngp", found.nngp), ("ntk", found.ntk)] {
            let expected = array(&format!("{kind}{suffix}"))
                .into_dimensionality()
                .unwrap();
            let (difference, at) = difference(&found, &expected, floor);
            if difference.is_nan() || difference > tolerance {
                let at = (at / expected.ncols(), at % expected.ncols());
                failures.push(format!(
                    "{name} {kind}{suffix}{at:?} {}: {difference:.1e}",
                    T::NAME
                ));
            }
        }
    }
    failures
}

fn networks() -> Vec<(String, Network)> {
    let text = fs::read_to_string(golden("networks.json")).unwrap();
    let networks: Map<String, Value> = serde_json::from_str(&text).unwrap();
    networks
        .into_iter()
        .map(|(name, network)| {
            let network = Network::try_from(network).unwrap_or_else(|e| panic!("{name}: {e}"));
            (name, network)
        })
        .filter(|(name, _)| !DEPENDENT.contains(&name.as_str()))
        .collect()
}

fn check_all<T: Real>(tolerance: f64) {
    let networks = networks();
    assert_eq!(networks.len(), 239);
    let failures: Vec<String> = networks
        .iter()
        .flat_map(|(name, network)| {
            // With 512 nodes, at its variance of 36; see `dual::quadrature`.
            let truncated = name == "fc_tanh_quadrature";
            check::<T>(name, network, if truncated { 5e-5 } else { tolerance })
        })
        .collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn f64_agrees() {
    check_all::<f64>(1e-10);
}

#[test]
fn f32_agrees() {
    check_all::<f32>(5e-5);
}

#[test]
fn the_same_function_twice_is_not_two_independent_ones() {
    let text = fs::read_to_string(golden("networks.json")).unwrap();
    let networks: Map<String, Value> = serde_json::from_str(&text).unwrap();
    for name in DEPENDENT {
        let network = Network::try_from(networks[name].clone()).unwrap();
        let x = Array2::<f64>::ones((2, 3));
        let error = network.kernels(&x).unwrap_err();
        assert!(matches!(error, KernelError::NoClosedForm { .. }), "{error}");
    }
}
