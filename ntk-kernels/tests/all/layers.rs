//! Kernels of every layer against reference values; see `tests/golden/README.md`.

use super::golden::difference;
use super::references::{Reference, references};
use ntk_kernels::Network;
use ntk_linalg::Real;

fn check<T: Real>(reference: &Reference, tolerance: f64) -> Vec<String> {
    let name = &reference.name;
    let network = match Network::try_from(reference.network.clone()) {
        Ok(network) => network,
        Err(error) => return vec![format!("{name}: {error}")],
    };
    let [x1, x2] = reference.x.each_ref().map(|x| x.mapv(T::of));
    let [one, two] = &reference.structures;
    let floor = (8.0 * Real::to_f64(T::epsilon()) / tolerance).max(1e-3);
    let mut failures = Vec::new();
    for (between, expected) in [true, false].into_iter().zip(&reference.kernels) {
        let both = match between {
            true => network
                .kernel_fn()
                .structures(one, two)
                .kernels_between(&x1, &x2),
            false => network.kernel_fn().structure(one).kernels(&x1),
        };
        let found = match both {
            Ok(found) => found,
            Err(error) => return vec![format!("{name}: {error}")],
        };
        for (found, expected) in [found.nngp, found.ntk].iter().zip(expected) {
            let (difference, _) = difference(found, expected, floor);
            if difference.is_nan() || difference > tolerance {
                let precision = T::NAME;
                failures.push(format!("{name} {between} {precision}: {difference:.1e}"));
            }
        }
    }
    failures
}

fn check_all<T: Real>(tolerance: f64) {
    let all = references();
    let failures = all
        .iter()
        .flat_map(|reference| check::<T>(reference, tolerance));
    let failures: Vec<String> = failures.collect();
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
