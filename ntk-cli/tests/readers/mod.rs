//! The readers of users' files, each with files that it reads: for `mutations.rs` and `fuzz/`.

#![allow(unreachable_pub, reason = "the fuzzer's programs are outside")]

use ndarray::{Array, Array2, Array3, Dimension, array};
use ndarray_npy::{NpzWriter, WritableElement, WriteNpyExt};
use ntk_cli::fitted::Fitted;
use ntk_cli::npy::{self, NpyFile};
use ntk_cli::results::Results;
use ntk_kernels::estimators::{FittedGaussianProcess, FittedGradientFlow, FittedKernelRidge};
use ntk_kernels::network::{Network, Shape, dense, relu};
use ntk_kernels::{GaussianProcess, GradientFlow, Kernel, KernelRidge};
use ntk_linalg::Ridge;
use ntk_store::{Description, TileStore};
use ntk_train::{Init, Model, Records};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::LazyLock;

pub struct Reader {
    pub name: &'static str,
    /// Files that it takes.
    pub corpus: fn() -> Vec<Vec<u8>>,
    /// Of a file that it takes, how many bytes what it read may need, beside what each may.
    pub read: fn(&[u8]) -> Option<usize>,
}

fn network() -> Network {
    Network::new()
        .then(dense().width(3))
        .then(relu())
        .then(dense().width(2))
}

fn x() -> Array2<f64> {
    array![[1.0, 0.5], [-0.3, 1.0], [0.2, -1.0]]
}

fn y() -> Array2<f64> {
    array![[1.0], [-1.0], [0.5]]
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<Vec<u8>> {
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

pub const NPY: Reader = Reader {
    name: "npy",
    corpus: || {
        fn npy<T: WritableElement, D: Dimension>(array: &Array<T, D>) -> Vec<u8> {
            let mut bytes = Vec::new();
            array.write_npy(&mut bytes).unwrap();
            bytes
        }
        vec![
            npy(&x()),
            npy(&x().mapv(|v| v as f32).reversed_axes()),
            npy(&Array3::<u8>::ones((3, 2, 5))),
            npy(&Array2::<i64>::ones((4, 4))),
            npy(&Array2::from_elem((2, 2), true)),
            npy(&Array2::<f64>::zeros((0, 3))),
        ]
    },
    read: |bytes| {
        let file = NpyFile::of_bytes("a.npy".into(), bytes.to_vec()).ok()?;
        let single = file.array::<f32>().ok()?;
        let double = file.array::<f64>().ok()?;
        assert_eq!(single.shape(), double.shape());
        // What is returned is as large as its numbers, twice where they have to be arranged.
        Some(double.len() * 16)
    },
};

/// Weights of Keras.
pub const NPZ: Reader = Reader {
    name: "npz",
    corpus: || {
        let npz = |names: &[&str]| {
            let mut writer = NpzWriter::new(Cursor::new(Vec::new()));
            for name in names {
                writer.add_array(*name, &x().mapv(|v| v as f32)).unwrap();
            }
            writer.finish().unwrap().into_inner()
        };
        vec![npz(&["arr_0", "arr_1"]), npz(&["kernel"])]
    },
    read: |bytes| {
        let arrays = npy::read_npz::<f64>("w.npz", bytes).ok()?;
        let numbers: usize = arrays.iter().map(|(_, array)| array.len()).sum();
        assert!(numbers <= bytes.len(), "{numbers}");
        Some(16 * numbers)
    },
};

pub const NETWORK: Reader = Reader {
    name: "network",
    corpus: || {
        texts([
            r#"{"layers": ["dense", "relu", {"dense": {"width": 3, "w_std": 1.5}}]}"#,
            r#"{"parameterization": "standard", "layers": [{"conv": {"filter": [3, 3], "strides": [1, 2], "padding": "circular"}}, "gelu", "flatten", "dense"]}"#,
            r#"{"layers": [{"branch": {"paths": [["dense", "relu"], []], "merge": "sum"}}, "dense"]}"#,
            r#"{"layers": ["conv", {"avg_pool": {"window": [2, 2]}}, {"dropout": {"keep": 0.5}}, "global_avg_pool", "dense"]}"#,
        ])
    },
    read: |bytes| {
        let network = Network::from_json(std::str::from_utf8(bytes).ok()?).ok()?;
        // What is read is also written, and is the same again.
        assert_eq!(
            Network::from_json(&network.to_json()).as_ref(),
            Ok(&network)
        );
        for shape in [Shape::features(4), Shape::new([6, 6], 2)] {
            let _ = network.resolve(&shape).map(|graph| graph.nodes.len());
        }
        Some(0)
    },
};

/// What `ntk fit` wrote.
pub const FITTED: Reader = Reader {
    name: "fitted",
    corpus: || {
        texts([
            r#"{"network": {"parameterization": "ntk", "layers": [{"dense": {"width": 1, "w_std": 1.5, "b_std": 0.1}}, "relu", {"dense": {"width": 1}}, {"scale": {"by": 1.25}}]}, "kernel": "nngp", "noise": 0.01, "output_scale": 1.5625, "jitter": 0.0, "objective": {"name": "marginal-likelihood", "start": -3.5, "end": 2.25}, "learned": [{"name": "w_std", "start": 1.0, "end": 1.5, "gradient": 1e-6}], "evaluations": 20, "gradient": 1e-6, "converged": true, "stopped": "converged", "at_bounds": [], "runs": [{"start": -3.5, "end": 2.25}], "sample_shape": [3], "targets": {"samples": 9, "outputs": 1, "one_hot": false, "signs": false}, "bounds": [1e-5, 1e5], "restarts": 0, "seed": 0, "environment": {"version": "0.1.0", "revision": "unknown", "program": "", "backend": "faer", "threads": 1, "cpu": ""}}"#,
        ])
    },
    read: |bytes| {
        let fitted = Fitted::of_bytes("f.json", bytes).ok()?;
        assert!(fitted.noise >= 0.0 && fitted.noise.is_finite());
        let again = serde_json::to_vec(&fitted).unwrap();
        assert_eq!(Fitted::of_bytes("f.json", &again).unwrap(), fitted);
        Some(BESIDE_OF_FITTED)
    },
};

/// The file is written and read once more.
const BESIDE_OF_FITTED: usize = 64 << 10;

pub const NAMES: Reader = Reader {
    name: "names",
    corpus: || {
        texts([
            r#"{"layers.0.weight": "fc1.weight", "layers.2.weight": "fc2.weight"}"#,
            r#"{"layers.0.weight": "layers.2.weight", "layers.2.weight": "layers.0.weight"}"#,
        ])
    },
    read: |bytes| {
        static WEIGHTS: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let model = Model::<f64>::new(&network(), 2, Init::default(), 0).unwrap();
            model.to_safetensors().unwrap()
        });
        let names: BTreeMap<String, String> = serde_json::from_slice(bytes).ok()?;
        let _ = Model::<f64>::from_pytorch_named(&network(), 2, &WEIGHTS, &names);
        Some(0)
    },
};

pub const WEIGHTS: Reader = Reader {
    name: "weights",
    corpus: || {
        let model = |seed| Model::<f32>::new(&network(), 2, Init::default(), seed).unwrap();
        vec![
            model(0).to_safetensors().unwrap(),
            model(1).to_safetensors().unwrap(),
        ]
    },
    read: |bytes| {
        let model = Model::<f32>::from_safetensors(&network(), 2, bytes);
        model.ok().map(|_| 0)
    },
};

pub const RIDGE: Reader = Reader {
    name: "ridge",
    corpus: || {
        let ridge = KernelRidge::new(&network()).alpha(1e-3);
        vec![ridge.fit(&x(), &y()).unwrap().to_safetensors().unwrap()]
    },
    read: |bytes| {
        let ridge = FittedKernelRidge::<f64>::from_safetensors(bytes);
        ridge.ok().map(|_| 0)
    },
};

pub const PROCESS: Reader = Reader {
    name: "process",
    corpus: || {
        let process = GaussianProcess::nngp(&network()).noise(Ridge::Absolute(0.1));
        vec![process.fit(&x(), &y()).unwrap().to_safetensors().unwrap()]
    },
    read: |bytes| {
        let process = FittedGaussianProcess::<f64>::from_safetensors(bytes);
        process.ok().map(|_| 0)
    },
};

pub const FLOW: Reader = Reader {
    name: "flow",
    corpus: || {
        let flow = GradientFlow::new(&network());
        vec![flow.fit(&x(), &y()).unwrap().to_safetensors().unwrap()]
    },
    read: |bytes| {
        let flow = FittedGradientFlow::<f64>::from_safetensors(bytes);
        flow.ok().map(|_| 0)
    },
};

pub const RECORDS: Reader = Reader {
    name: "records",
    corpus: || {
        texts([
            concat!(
                r#"{"epoch": 0, "step": 0, "seed": 1, "configuration": {"lr": 0.1}, "train.loss": 0.5}"#,
                "\n",
                r#"{"epoch": 1, "step": 4, "seed": 1, "train.loss": 0.25}"#,
                "\n"
            ),
            concat!(
                r#"{"epoch": 3, "step": 9, "seed": 2, "k": [[1.0, 0.5], [0.5, 2.0]]}"#,
                "\n"
            ),
        ])
    },
    read: |bytes| {
        let records = Records::parse(std::str::from_utf8(bytes).ok()?).ok()?;
        for column in records.columns() {
            let _ = records.array(column);
        }
        Some(0)
    },
};

/// Of a store of tiles.
pub const DESCRIPTION: Reader = Reader {
    name: "description",
    corpus: || {
        let network = Network::new().then(dense()).then(relu()).then(dense());
        let folder = tempfile::tempdir().unwrap();
        let written = |tile: usize| {
            let store = folder.path().join(tile.to_string());
            let kernel_fn = network.kernel_fn().tile(tile);
            let description =
                Description::of(&kernel_fn.tiles(Kernel::Ntk, &x()).unwrap()).unwrap();
            TileStore::<f64>::create(&store, &description).unwrap();
            std::fs::read(store.join("zarr.json")).unwrap()
        };
        vec![written(2), written(3)]
    },
    read: |bytes| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("zarr.json"), bytes).unwrap();
        let description = Description::read(folder.path()).ok()?;
        let _ = description.tile_bytes();
        Some(0)
    },
};

/// Of an experiment.
pub const RESULTS: Reader = Reader {
    name: "results",
    corpus: || {
        texts([
            r#"{"experiment": "a", "data": {"name": "mnist", "source": "full", "sha256": "00", "note": ""},
        "settings": {"seed": 0}, "environment": {"version": "0", "revision": "0", "backend": "faer", "threads": 2,
        "cpu": "x"}, "seconds": {"total": 1.5}, "values": [{"name": "v", "where": {"size": 3}, "printed": null,
        "value": 0.5, "note": ""}], "figures": [{"stem": "a", "caption": "b"}]}"#,
        ])
    },
    read: |bytes| {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("results.json");
        std::fs::write(&place, bytes).unwrap();
        Results::read(&place).ok().map(|_| 0)
    },
};
