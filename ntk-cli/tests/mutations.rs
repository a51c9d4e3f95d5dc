//! Every reader of a user's file, on files that are a little wrong: none panics, hangs, or takes
//! memory on a file's word. It is a program of its own because it counts all that is allocated.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ndarray::{Array2, Array3, array};
use ndarray_npy::{NpzWriter, WriteNpyExt};
use ntk_cli::npy::{self, NpyFile};
use ntk_cli::results::Results;
use ntk_kernels::estimators::{FittedGaussianProcess, FittedGradientFlow, FittedKernelRidge};
use ntk_kernels::network::{Network, Shape, dense, relu};
use ntk_kernels::{GaussianProcess, GradientFlow, Kernel, KernelRidge};
use ntk_linalg::Ridge;
use ntk_store::{Description, TileStore};
use ntk_train::{Init, Model, Records};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// Files that each reader is given.
const COUNT: usize = 10_000;
/// What a reader may take for each byte of a file, and besides.
const EACH: usize = 4;
const BESIDES: usize = 256 << 10;
const LONGEST: Duration = Duration::from_secs(1);

/// The system's memory, with what each thread has of it and had at most.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // While a thread ends it counts no more.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = MOST.try_with(|most| most.set(most.get().max(live.get())));
    });
}

// SAFETY: all is the system's; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: as the caller says.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: as the caller says.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.cast_signed() - layout.size().cast_signed());
        // SAFETY: as the caller says.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Numbers that sizes, lengths and values are replaced by.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1",
    "4294967296",
    "1000000000000",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "1e400",
    "-1e-320",
    "0.5",
    "NaN",
];

/// Changes a file in one to four places.
fn mutated(random: &mut ChaCha8Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut below = |n: usize| random.random::<u32>() as usize % n.max(1);
    let mut bytes = corpus[below(corpus.len())].clone();
    for _ in 0..=below(4) {
        let at = below(bytes.len());
        let to = (at + below(64)).min(bytes.len());
        match below(8) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << below(8),
            1 if !bytes.is_empty() => bytes[at] = below(256) as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..to)),
            4 => {
                let part = bytes[at..to].to_vec();
                drop(bytes.splice(at..at, part));
            }
            5 => {
                // The end of another.
                let other = &corpus[below(corpus.len())];
                bytes.truncate(at);
                bytes.extend(&other[at.min(other.len())..]);
            }
            6 => {
                // Eight bytes of a size.
                let size = [0, 1, 1 << 20, 1 << 40, u64::MAX >> 1, u64::MAX][below(6)];
                let end = (at + 8).min(bytes.len());
                drop(bytes.splice(at..end, size.to_le_bytes()));
            }
            _ => {
                let is_digit = |&i: &usize| bytes[i].is_ascii_digit();
                if let Some(begin) = (at..bytes.len()).find(is_digit) {
                    let end = (begin..bytes.len()).find(|i| !is_digit(i));
                    let end = end.unwrap_or(bytes.len());
                    let number = NUMBERS[below(NUMBERS.len())];
                    drop(bytes.splice(begin..end, number.bytes()));
                }
            }
        }
    }
    bytes
}

/// Gives a reader the corpus and what becomes of it; `allowed` are the bytes that it may take for
/// what it returned, beside what all may. Returns how many files it took.
fn endures<R>(
    name: &str,
    corpus: &[Vec<u8>],
    mut read: impl FnMut(&[u8]) -> Option<R>,
    allowed: impl Fn(&R) -> usize,
) -> usize {
    for (i, file) in corpus.iter().enumerate() {
        assert!(
            read(file).is_some(),
            "{name} does not read file {i} of its corpus"
        );
    }
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut taken = 0;
    for number in 0..COUNT {
        let bytes = mutated(&mut random, corpus);
        let shown = || format!("{name}, file {number}: {}", bytes.escape_ascii());
        let before = LIVE.get();
        MOST.set(before);
        let begun = Instant::now();
        let found = catch_unwind(AssertUnwindSafe(|| read(&bytes)));
        let (elapsed, most) = (begun.elapsed(), MOST.get() - before);
        let found = found.unwrap_or_else(|_| panic!("{}", shown()));
        let result = found.as_ref().map_or(0, &allowed);
        taken += usize::from(found.is_some());
        assert!(elapsed < LONGEST, "{elapsed:?}: {}", shown());
        let limit = EACH * bytes.len() + BESIDES + result;
        assert!(
            most.unsigned_abs() <= limit,
            "{most} of {limit} bytes: {}",
            shown()
        );
    }
    // Some are right still, most are not.
    assert!((1..COUNT * 9 / 10).contains(&taken), "{name} took {taken}");
    taken
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

#[test]
fn arrays() {
    fn npy<T: ndarray_npy::WritableElement, D: ndarray::Dimension>(
        array: &ndarray::Array<T, D>,
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        array.write_npy(&mut bytes).unwrap();
        bytes
    }
    let corpus = [
        npy(&x()),
        npy(&x().mapv(|v| v as f32).reversed_axes()),
        npy(&Array3::<u8>::ones((3, 2, 5))),
        npy(&Array2::<i64>::ones((4, 4))),
        npy(&Array2::from_elem((2, 2), true)),
        npy(&Array2::<f64>::zeros((0, 3))),
    ];
    let read = |bytes: &[u8]| {
        let file = NpyFile::of_bytes("a.npy".into(), bytes.to_vec()).ok()?;
        let single = file.array::<f32>().ok()?;
        let double = file.array::<f64>().ok()?;
        assert_eq!(single.shape(), double.shape());
        Some(double)
    };
    // What is returned is as large as its numbers, twice where they have to be arranged.
    endures("npy", &corpus, read, |array| array.len() * 16);
}

#[test]
fn networks_and_names() {
    let corpus = [
        r#"{"layers": ["dense", "relu", {"dense": {"width": 3, "w_std": 1.5}}]}"#,
        r#"{"parameterization": "standard", "layers": [{"conv": {"filter": [3, 3], "strides": [1, 2], "padding": "circular"}}, "gelu", "flatten", "dense"]}"#,
        r#"{"layers": [{"branch": {"paths": [["dense", "relu"], []], "merge": "sum"}}, "dense"]}"#,
        r#"{"layers": ["conv", {"avg_pool": {"window": [2, 2]}}, {"dropout": {"keep": 0.5}}, "global_avg_pool", "dense"]}"#,
    ];
    let corpus = corpus.map(|text| text.as_bytes().to_vec());
    let shapes = [Shape::features(4), Shape::new([6, 6], 2)];
    let read = |bytes: &[u8]| {
        let network = Network::from_json(std::str::from_utf8(bytes).ok()?).ok()?;
        // What is read is also written, and is the same again.
        assert_eq!(
            Network::from_json(&network.to_json()).as_ref(),
            Ok(&network)
        );
        for shape in &shapes {
            let _ = network.resolve(shape).map(|graph| graph.nodes.len());
        }
        Some(network)
    };
    endures("network", &corpus, read, |_| 0);

    let names = [
        r#"{"layers.0.weight": "fc1.weight", "layers.2.weight": "fc2.weight"}"#,
        r#"{"layers.0.weight": "layers.2.weight", "layers.2.weight": "layers.0.weight"}"#,
    ];
    let names = names.map(|text| text.as_bytes().to_vec());
    let model = Model::<f64>::new(&network(), 2, Init::default(), 0).unwrap();
    let weights = model.to_safetensors().unwrap();
    let read = |bytes: &[u8]| {
        let names: BTreeMap<String, String> = serde_json::from_slice(bytes).ok()?;
        let _ = Model::<f64>::from_pytorch_named(&network(), 2, &weights, &names);
        Some(names)
    };
    endures("names", &names, read, |_| 0);
}

#[test]
fn weights() {
    let model = |seed| Model::<f32>::new(&network(), 2, Init::default(), seed).unwrap();
    let corpus = [0, 1].map(|seed| model(seed).to_safetensors().unwrap());
    let read = |bytes: &[u8]| Model::<f32>::from_safetensors(&network(), 2, bytes).ok();
    endures("weights", &corpus, read, |_| 0);
    // Those of Keras.
    let npz = |arrays: &[(&str, &Array2<f32>)]| {
        let mut writer = NpzWriter::new(Cursor::new(Vec::new()));
        for (name, array) in arrays {
            writer.add_array(*name, *array).unwrap();
        }
        writer.finish().unwrap().into_inner()
    };
    let single = x().mapv(|v| v as f32);
    let corpus = [
        npz(&[("arr_0", &single), ("arr_1", &single)]),
        npz(&[("kernel", &single)]),
    ];
    let read = |bytes: &[u8]| npy::read_npz::<f64>("w.npz", bytes).ok();
    endures("npz", &corpus, read, |arrays| {
        arrays.iter().map(|(_, array)| 16 * array.len()).sum()
    });
}

#[test]
fn estimators() {
    let (network, y) = (network(), array![[1.0], [-1.0], [0.5]]);
    let ridge = KernelRidge::new(&network)
        .alpha(1e-3)
        .fit(&x(), &y)
        .unwrap();
    let corpus = [ridge.to_safetensors().unwrap()];
    let read = |bytes: &[u8]| FittedKernelRidge::<f64>::from_safetensors(bytes).ok();
    endures("ridge", &corpus, read, |_| 0);
    let process = GaussianProcess::nngp(&network)
        .noise(Ridge::Absolute(0.1))
        .fit(&x(), &y)
        .unwrap();
    let corpus = [process.to_safetensors().unwrap()];
    let read = |bytes: &[u8]| FittedGaussianProcess::<f64>::from_safetensors(bytes).ok();
    endures("process", &corpus, read, |_| 0);
    let flow = GradientFlow::new(&network).fit(&x(), &y).unwrap();
    let corpus = [flow.to_safetensors().unwrap()];
    let read = |bytes: &[u8]| FittedGradientFlow::<f64>::from_safetensors(bytes).ok();
    endures("flow", &corpus, read, |_| 0);
}

#[test]
fn records() {
    let corpus = [
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
    ];
    let corpus = corpus.map(|text| text.as_bytes().to_vec());
    let read = |bytes: &[u8]| {
        let records = Records::parse(std::str::from_utf8(bytes).ok()?).ok()?;
        for column in records.columns() {
            let _ = records.array(column);
        }
        Some(records.len())
    };
    endures("records", &corpus, read, |_| 0);
}

/// Writes a file anew: one that is cut to nothing and written again, some systems flush to disk.
fn put(place: &Path, bytes: &[u8]) {
    let _ = std::fs::remove_file(place);
    std::fs::write(place, bytes).unwrap();
}

/// Of a store and of an experiment: these are read from their own places.
#[test]
fn descriptions_and_results() {
    let folder = tempfile::tempdir().unwrap();
    let x = x();
    let network = Network::new().then(dense()).then(relu()).then(dense());
    let tiles = |tile| network.kernel_fn().tile(tile);
    let corpus = [2, 3].map(|tile| {
        let store = folder.path().join(format!("{tile}"));
        let description = Description::of(&tiles(tile).tiles(Kernel::Ntk, &x).unwrap()).unwrap();
        TileStore::<f64>::create(&store, &description).unwrap();
        std::fs::read(store.join("zarr.json")).unwrap()
    });
    let place = folder.path().join("zarr.json");
    let read = |bytes: &[u8]| {
        put(&place, bytes);
        let description = Description::read(folder.path()).ok()?;
        let _ = description.tile_bytes();
        Some(description)
    };
    endures("description", &corpus, read, |_| 0);

    let results = r#"{"experiment": "a", "data": {"name": "mnist", "source": "full", "sha256": "00", "note": ""},
        "settings": {"seed": 0}, "environment": {"version": "0", "revision": "0", "backend": "faer", "threads": 2,
        "cpu": "x"}, "seconds": {"total": 1.5}, "values": [{"name": "v", "where": {"size": 3}, "printed": null,
        "value": 0.5, "note": ""}], "figures": [{"stem": "a", "caption": "b"}]}"#;
    let place = folder.path().join("results.json");
    let read = |bytes: &[u8]| {
        put(&place, bytes);
        Results::read(&place).ok()
    };
    endures("results", &[results.as_bytes().to_vec()], read, |_| 0);
}
