//! Kernels of every layer against reference values; see `tests/golden/README.md`.

use super::golden::{difference, golden};
use ndarray::{Array2, ArrayD, Ix4};
use ndarray_npy::NpzReader;
use ntk_kernels::{Graphs, Network, Structure};
use ntk_linalg::Real;
use serde_json::{Map, Value};
use std::fs::{self, File};

fn check<T: Real>(name: &str, network: &Network, tolerance: f64) -> Vec<String> {
    let mut file = NpzReader::new(File::open(golden("layers.npz")).unwrap()).unwrap();

    let names = file.names().unwrap();
    let has = |kind: &str| {
        names.contains(&format!("{name}/{kind}.npy")) || names.contains(&format!("{name}/{kind}"))
    };
    let (masked, graphs, edges) = (has("mask1"), has("graph1"), has("edges1"));
    let mut array =
        |kind: &str| -> ArrayD<f64> { file.by_name(&format!("{name}/{kind}")).unwrap() };
    let [x1, x2] = ["x1", "x2"].map(|x| array(x).mapv(T::of));
    let structures = ["1", "2"].map(|number| {
        let mut structure = Structure::default();
        if masked {
            structure = structure.mask(&array(&format!("mask{number}")).mapv(|v| v != 0.0));
        }
        if graphs {
            let weights = array(&format!("graph{number}"));
            structure = structure.graphs(Graphs::dense(&weights).unwrap());
        }
        if edges {
            let edges = array(&format!("edges{number}")).mapv(|v| v as i64);
            let edges = edges.into_dimensionality::<Ix4>().unwrap();
            structure = structure.graphs(Graphs::edges(&edges, &x1.shape()[1..2]).unwrap());
        }
        structure
    });
    let [one, two] = &structures;
    let floor = (8.0 * Real::to_f64(T::epsilon()) / tolerance).max(1e-3);
    let mut failures = Vec::new();
    for (x2, suffix) in [(Some(x2.view()), ""), (None, "_sym")] {
        let both = match x2 {
            Some(x2) => network
                .kernel_fn()
                .structures(one, two)
                .kernels_between(&x1, &x2),
            None => network.kernel_fn().structure(one).kernels(&x1),
        };
        let found = match both {
            Ok(found) => found,
            Err(error) => return vec![format!("{name}: {error}")],
        };
        for (kind, found) in [("nngp", found.nngp), ("ntk", found.ntk)] {
            let expected: Array2<f64> = array(&format!("{kind}{suffix}"))
                .into_dimensionality()
                .unwrap();
            let (difference, _) = difference(&found, &expected, floor);
            if difference.is_nan() || difference > tolerance {
                let precision = T::NAME;
                failures.push(format!(
                    "{name} {kind}{suffix} {precision}: {difference:.1e}"
                ));
            }
        }
    }
    failures
}

fn check_all<T: Real>(tolerance: f64) {
    let text = fs::read_to_string(golden("layers.json")).unwrap();
    let networks: Map<String, Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(networks.len(), 38);
    let failures =
        networks
            .iter()
            .flat_map(|(name, network)| match Network::try_from(network.clone()) {
                Ok(network) => check::<T>(name, &network, tolerance),
                Err(error) => vec![format!("{name}: {error}")],
            });
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
