//! Reads the reference kernels of every layer; see `tests/golden/README.md`.

use ndarray::{Array2, ArrayD, Ix4};
use ndarray_npy::NpzReader;
use ntk_kernels::{Graphs, Structure};
use serde_json::{Map, Value};
use std::fs::{self, File};
use std::path::PathBuf;

/// Samples with what belongs to them, and kernels of a network there.
pub(super) struct Reference {
    pub(super) name: String,
    /// The network as JSON.
    pub(super) network: Value,
    pub(super) x: [ArrayD<f64>; 2],
    pub(super) structures: [Structure; 2],
    /// NNGP and NTK of the first samples with the second, and of the first with themselves.
    pub(super) kernels: [[Array2<f64>; 2]; 2],
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../ntk-kernels/tests/golden")
        .join(name)
}

/// Reads all of them.
pub(super) fn references() -> Vec<Reference> {
    let text = fs::read_to_string(file("layers.json")).unwrap();
    let networks: Map<String, Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(networks.len(), 38);
    let mut arrays = NpzReader::new(File::open(file("layers.npz")).unwrap()).unwrap();
    let names = arrays.names().unwrap();
    let read = |(name, network): (String, Value)| {
        let has = |kind: &str| {
            let entry = format!("{name}/{kind}");
            names.contains(&format!("{entry}.npy")) || names.contains(&entry)
        };
        let (masked, graphs, edges) = (has("mask1"), has("graph1"), has("edges1"));
        let mut array =
            |kind: &str| -> ArrayD<f64> { arrays.by_name(&format!("{name}/{kind}")).unwrap() };
        let x = ["x1", "x2"].map(&mut array);
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
                structure = structure.graphs(Graphs::edges(&edges, &x[0].shape()[1..2]).unwrap());
            }
            structure
        });
        let mut kernels = |suffix: &str| {
            ["nngp", "ntk"].map(|kind| {
                let kernel = array(&format!("{kind}{suffix}"));
                kernel.into_dimensionality().unwrap()
            })
        };
        Reference {
            kernels: ["", "_sym"].map(&mut kernels),
            name,
            network,
            x,
            structures,
        }
    };
    networks.into_iter().map(read).collect()
}
