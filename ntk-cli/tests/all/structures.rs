//! Masks, graphs and token ids of `ntk kernel` and `ntk ntk`.

use crate::common::{Folder, assert_near, assert_success, text};
use ndarray::{Array2, Array3, array, s};
use ntk_store::TileStore;
use std::fs;

const MASKED: &str = r#"{"layers": [{"conv": {"filter": [3], "padding": "same"}}, "relu", "global_avg_pool", "dense"]}"#;
const GRAPHS: &str =
    r#"{"layers": ["dense", "relu", "aggregate", "dense", "relu", "global_sum_pool"]}"#;

fn sequences() -> Array3<f64> {
    Array3::from_shape_fn((2, 4, 3), |(n, p, c)| {
        (1.0 + (2 * n + 3 * p + c) as f64).cos()
    })
}

fn folder(net: &str) -> Folder {
    let folder = Folder::new("kernel");
    folder.write("net.json", net);
    folder.save("x.npy", &sequences());
    folder
}

fn ntk(folder: &Folder, flags: &[&str]) -> Array2<f64> {
    let usual = ["--net", "net.json", "--out", "k.npz"];
    assert_success(&folder.run(&[&usual[..], flags].concat()));
    folder.load("k.npz", "ntk").unwrap()
}

fn refused(folder: &Folder, flags: &[&str], words: &str) {
    let usual = ["--net", "net.json", "--out", "k.npz"];
    let output = folder.run(&[&usual[..], flags].concat());
    let told = text(&output.stderr);
    assert!(!output.status.success() && told.contains(words), "{told}");
}

#[test]
fn a_mask_is_a_file_or_a_value() {
    let folder = folder(MASKED);
    let mask = array![[false, false, false, false], [false, false, true, true]];
    folder.save("mask.npy", &mask);
    let mut marked = sequences();
    marked.slice_mut(s![1, 2.., ..]).fill(f64::NAN);
    folder.save("nan.npy", &marked);
    let by_file = ntk(&folder, &["--x1", "x.npy", "--mask1", "mask.npy"]);
    let by_value = ntk(&folder, &["--x1", "nan.npy", "--mask-value", "nan"]);
    assert_eq!(by_file, by_value);
    // The padding's length does not matter under a mask.
    folder.save("short.npy", &sequences().slice(s![1.., ..2, ..]).to_owned());
    let short = ntk(&folder, &["--x1", "short.npy"]);
    assert_near(&by_file.slice(s![1.., 1..]).to_owned(), &short, 1e-14);
    let all = ntk(&folder, &["--x1", "x.npy"]);
    assert!((all[[1, 1]] - short[[0, 0]]).abs() > 1e-3);
    // Columns without masks beside rows with them.
    let both = ["--x1", "x.npy", "--mask1", "mask.npy", "--x2", "x.npy"];
    let between = ntk(&folder, &both);
    assert_near(
        &between.slice(s![..1, ..]).to_owned(),
        &all.slice(s![..1, ..]).to_owned(),
        1e-14,
    );
}

#[test]
fn graphs_are_weights_or_edges() {
    let folder = folder(GRAPHS);
    let mut weights = Array3::<f64>::zeros((2, 4, 4));
    for (sample, tail, head) in [(0, 0, 1), (0, 1, 2), (0, 3, 3), (1, 2, 0)] {
        weights[[sample, tail, head]] = 1.0;
    }
    folder.save("graph.npy", &weights);
    let edges = array![
        [[[0_i64, 1]], [[1, 2]], [[3, 3]]],
        [[[2, 0]], [[-1, -1]], [[-1, -1]]]
    ];
    folder.save("edges.npy", &edges);
    let by_weights = ntk(&folder, &["--x1", "x.npy", "--graph1", "graph.npy"]);
    let by_edges = ntk(&folder, &["--x1", "x.npy", "--edges1", "edges.npy"]);
    assert_eq!(by_weights, by_edges);
    let mut own = Array3::<f64>::zeros((2, 4, 4));
    own.outer_iter_mut()
        .for_each(|mut graph| graph.diag_mut().fill(1.0));
    folder.save("own.npy", &own);
    let alone = ntk(&folder, &["--x1", "x.npy", "--graph1", "own.npy"]);
    assert_near(&alone, &ntk(&folder, &["--x1", "x.npy"]), 1e-14);
}

#[test]
fn token_ids_are_whole_numbers_of_the_vocabulary() {
    let net = r#"{"layers": [{"embedding": {"vocabulary": 4}}, "relu", "flatten", "dense"]}"#;
    let folder = folder(net);
    folder.save("ids.npy", &array![[0_i64, 1, 3], [0, 1, 2]]);
    let k = ntk(&folder, &["--x1", "ids.npy"]);
    assert!(k[[0, 0]] > k[[0, 1]] && k[[0, 1]] > 0.0);
    folder.save("wrong.npy", &array![[0_i64, 1, 4]]);
    refused(
        &folder,
        &["--x1", "wrong.npy"],
        "[0, 2] is 4, and the network's embedding takes the token ids 0 to 3",
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let folder = folder(MASKED);
    folder.save("mask.npy", &array![[false, true, false]]);
    refused(
        &folder,
        &["--x1", "x.npy", "--mask1", "mask.npy"],
        "has shape [1, 3], and its samples have positions [2, 4]",
    );
    refused(
        &folder,
        &["--x1", "x.npy", "--mask2", "mask.npy"],
        "add --x2, or leave it out",
    );
    folder.save("half.npy", &Array2::from_elem((2, 4), 0.5));
    refused(
        &folder,
        &["--x1", "x.npy", "--mask1", "half.npy"],
        "a mask has truth values",
    );
    folder.save("graph.npy", &Array3::<f64>::zeros((2, 4, 4)));
    refused(
        &folder,
        &["--x1", "x.npy", "--graph1", "graph.npy"],
        "no aggregate layer",
    );
    folder.write("net.json", GRAPHS);
    folder.save("small.npy", &Array3::<f64>::zeros((2, 3, 3)));
    refused(
        &folder,
        &["--x1", "x.npy", "--graph1", "small.npy"],
        "nodes [3]",
    );
    folder.save("edges.npy", &array![[[[0_i64, 4]]], [[[0, 1]]]]);
    refused(
        &folder,
        &["--x1", "x.npy", "--edges1", "edges.npy"],
        "names node 4 along axis 0, and there are 4",
    );
}

/// A store holds the same matrix, goes on where it was, and refuses other masks and graphs.
#[test]
fn stores_take_masks_graphs_and_ids() {
    let store = |folder: &Folder, flags: &[&str]| {
        let usual = ["--net", "net.json", "--store", "s", "--tile", "1", "--json"];
        folder.run(&[&usual[..], flags].concat())
    };
    let same = |folder: &Folder, flags: &[&str]| {
        let output = store(folder, flags);
        assert_success(&output);
        let k = ntk(folder, flags);
        let stored = TileStore::<f64>::open(folder.path().join("s")).unwrap();
        let tiling = stored.description().tiling;
        for (i, j) in tiling.positions() {
            assert_eq!(stored.read((i, j)).unwrap()[[0, 0]], k[[i, j]], "{flags:?}");
        }
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (answer["found"].clone(), answer["computed"].clone())
    };
    let other = |folder: &Folder, flags: &[&str], words: &str| {
        let output = store(folder, flags);
        let told = text(&output.stderr);
        assert!(!output.status.success() && told.contains(words), "{told}");
    };
    let masked = folder(MASKED);
    let mask = array![[false, false, false, false], [false, false, true, true]];
    masked.save("mask.npy", &mask);
    let flags = ["--x1", "x.npy", "--mask1", "mask.npy"];
    let planned = store(&masked, &[&flags[..], &["--dry-run"]].concat());
    assert_success(&planned);
    assert_eq!(same(&masked, &flags), (0.into(), 3.into()));
    fs::remove_file(masked.path().join("s/c/1/0")).unwrap();
    assert_eq!(same(&masked, &flags), (2.into(), 1.into()));
    other(
        &masked,
        &["--x1", "x.npy"],
        "x1's masks and graphs is of SHA-256",
    );
    masked.save("mask.npy", &mask.mapv(|masked| !masked));
    other(&masked, &flags, "x1's masks and graphs is of SHA-256");
    masked.save("mask.npy", &array![[false, true, false]]);
    other(
        &masked,
        &flags,
        "has shape [1, 3], and its samples have positions [2, 4]",
    );
    // Columns with masks of their own; and of values, which may be no numbers.
    masked.save("mask.npy", &mask);
    let mut marked = sequences();
    marked.slice_mut(s![1, 2.., ..]).fill(f64::NAN);
    masked.save("nan.npy", &marked);
    fs::remove_dir_all(masked.path().join("s")).unwrap();
    let pair = [&flags[..], &["--x2", "x.npy"]].concat();
    assert_eq!(same(&masked, &pair), (0.into(), 4.into()));
    fs::remove_dir_all(masked.path().join("s")).unwrap();
    same(&masked, &["--x1", "nan.npy", "--mask-value", "nan"]);

    let graphs = folder(GRAPHS);
    let weights = Array3::from_shape_fn((2, 4, 4), |(i, p, q)| ((i + p + 2 * q) % 3) as f64);
    graphs.save("graph.npy", &weights);
    same(&graphs, &["--x1", "x.npy", "--graph1", "graph.npy"]);
    graphs.save("graph.npy", &(2.0 * weights));
    let flags = ["--x1", "x.npy", "--graph1", "graph.npy"];
    other(&graphs, &flags, "x1's masks and graphs is of SHA-256");

    let net = r#"{"layers": [{"embedding": {"vocabulary": 4}}, "relu", "flatten", "dense"]}"#;
    let tokens = folder(net);
    tokens.save("ids.npy", &array![[0_i64, 1, 3], [0, 1, 2]]);
    same(&tokens, &["--x1", "ids.npy"]);
}

/// The finite network takes the same beside its samples.
#[test]
fn empirical_kernels_take_masks_graphs_and_ids() {
    let folder = Folder::new("ntk");
    folder.write("net.json", MASKED);
    folder.save("x.npy", &sequences());
    let run = |flags: &[&str]| -> Array2<f64> {
        let usual = ["--net", "net.json", "--out", "e.npz"];
        assert_success(&folder.run(&[&usual[..], flags].concat()));
        folder.load("e.npz", "ntk").unwrap()
    };
    let mask = array![[false, false, false, false], [false, false, true, true]];
    folder.save("mask.npy", &mask);
    let mut marked = sequences();
    marked.slice_mut(s![1, 2.., ..]).fill(f64::NAN);
    folder.save("nan.npy", &marked);
    folder.save("short.npy", &sequences().slice(s![1.., ..2, ..]).to_owned());
    let by_file = run(&["--x1", "x.npy", "--mask1", "mask.npy"]);
    let by_value = run(&["--x1", "nan.npy", "--mask-value", "nan"]);
    assert_eq!(by_file, by_value);
    let short = run(&["--x1", "short.npy"]);
    assert_near(&by_file.slice(s![1.., 1..]).to_owned(), &short, 1e-14);
    let both = ["--x2", "x.npy", "--mask2", "mask.npy"];
    let between = run(&[&["--x1", "x.npy", "--mask1", "mask.npy"][..], &both].concat());
    assert_near(&between, &by_file, 1e-14);

    folder.write("net.json", GRAPHS);
    let mut own = Array3::<f64>::zeros((2, 4, 4));
    own.outer_iter_mut()
        .for_each(|mut graph| graph.diag_mut().fill(1.0));
    folder.save("own.npy", &own);
    let edges = array![
        [[[0_i64, 0]], [[1, 1]], [[2, 2]], [[3, 3]]],
        [[[3, 3]], [[2, 2]], [[1, 1]], [[0, 0]]]
    ];
    folder.save("edges.npy", &edges);
    let alone = run(&["--x1", "x.npy"]);
    assert_near(
        &run(&["--x1", "x.npy", "--graph1", "own.npy"]),
        &alone,
        1e-14,
    );
    assert_near(
        &run(&["--x1", "x.npy", "--edges1", "edges.npy"]),
        &alone,
        1e-14,
    );

    let net = r#"{"layers": [{"embedding": {"vocabulary": 4, "width": 3}}, "relu", "flatten", {"dense": {"width": 1}}]}"#;
    folder.write("net.json", net);
    folder.save("ids.npy", &array![[0_i64, 1, 3], [0, 1, 3], [2, 2, 2]]);
    let k = run(&["--x1", "ids.npy"]);
    assert_eq!(k[[0, 1]], k[[0, 0]]);
    // No token is shared, so that the last layer alone is.
    assert!(k[[0, 2]] < k[[0, 0]]);
}
