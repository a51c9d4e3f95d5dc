//! `ntk ntk`: from `.npy` and safetensors to `.npz`, and its errors.

use crate::common::{Folder, assert_near, assert_success, text};
use ndarray::{Array2, array, concatenate, s};
use serde_json::Value;
use std::process::Output;

const NETWORK: &str =
    r#"{"layers": [{"dense": {"width": 5, "b_std": 0.5}}, "relu", {"dense": {"width": 3}}]}"#;

fn folder() -> Folder {
    let folder = Folder::new("ntk");
    folder.write("net.json", NETWORK);
    folder.save("a.npy", &array![[1.0, 0.5], [-0.3, 1.0], [0.2, -1.0]]);
    folder
}

/// Runs with the usual network, samples and output, and these arguments besides.
fn run(folder: &Folder, arguments: &[&str]) -> Output {
    let usual = ["--net", "net.json", "--x1", "a.npy", "--out", "k.npz"];
    folder.run(&[&usual, arguments].concat())
}

fn kernel(folder: &Folder, arguments: &[&str]) -> Array2<f64> {
    assert_success(&run(folder, arguments));
    folder.load("k.npz", "ntk").unwrap()
}

#[test]
fn a_seed_gives_one_kernel_and_its_weights_give_it_again() {
    let folder = folder();
    let zero = kernel(&folder, &[]);
    assert_eq!(zero.dim(), (3, 3));
    assert_eq!(zero, kernel(&folder, &["--seed", "0"]));
    let seven = kernel(&folder, &["--seed", "7", "--save-weights", "w.safetensors"]);
    assert_ne!(zero, seven);
    let outputs: Array2<f64> = folder.load("k.npz", "outputs").unwrap();
    assert_eq!(outputs.dim(), (3, 3));

    let weights = [
        "--weights",
        "w.safetensors",
        "--save-weights",
        "v.safetensors",
    ];
    assert_eq!(seven, kernel(&folder, &weights));
    assert_eq!(outputs, folder.load::<f64>("k.npz", "outputs").unwrap());
    assert_eq!(folder.read("w.safetensors"), folder.read("v.safetensors"));
    let names = [
        "a.npy",
        "k.npz",
        "net.json",
        "v.safetensors",
        "w.safetensors",
    ];
    assert_eq!(folder.names(), names);
}

#[test]
fn other_samples_are_a_block_and_the_mean_over_outputs_is_of_the_full_kernel() {
    let folder = folder();
    let b = array![[0.7, 0.1], [-1.0, -0.4]];
    folder.save("b.npy", &b);
    let a = array![[1.0, 0.5], [-0.3, 1.0], [0.2, -1.0]];
    let both = concatenate![ndarray::Axis(0), a, b];
    folder.save("both.npy", &both);
    let block = kernel(&folder, &["--x2", "b.npy"]);
    let usual = ["--net", "net.json", "--out", "k.npz", "--x1", "both.npy"];
    assert_success(&folder.run(&usual));
    let whole: Array2<f64> = folder.load("k.npz", "ntk").unwrap();
    // Sums of a dozen terms of order one, in another order.
    let tolerance = 64.0 * f64::EPSILON * whole.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
    assert_near(&block, &whole.slice(s![..3, 3..]).to_owned(), tolerance);

    let full = kernel(&folder, &["--x2", "b.npy", "--full"]);
    assert_eq!(full.dim(), (9, 6));
    let mean = Array2::from_shape_fn((3, 2), |(i, j)| {
        (0..3).map(|a| full[[3 * i + a, 3 * j + a]]).sum::<f64>() / 3.0
    });
    assert_near(&block, &mean, tolerance);
}

#[test]
fn single_precision_as_json() {
    let folder = folder();
    let double = kernel(&folder, &["--seed", "3", "--save-weights", "w.safetensors"]);
    let output = run(
        &folder,
        &["--weights", "w.safetensors", "--precision", "f32", "--json"],
    );
    assert_success(&output);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["n1"], &answer["n2"]), (&3.into(), &3.into()));
    assert_eq!(
        (&answer["outputs"], &answer["parameters"]),
        (&3.into(), &30.into())
    );
    assert_eq!(answer["weights"], "w.safetensors");
    assert_eq!(
        (&answer["seed"], &answer["trace"]),
        (&Value::Null, &"traced".into())
    );
    assert_eq!(
        (&answer["precision"], &answer["out"]),
        (&"f32".into(), &"k.npz".into())
    );
    assert_eq!(answer["network"].as_array().unwrap().len(), 4);
    let single: Array2<f32> = folder.load("k.npz", "ntk").unwrap();
    let largest = double.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
    let tolerance = 64.0 * f64::from(f32::EPSILON) * largest;
    assert_near(&single.mapv(f64::from), &double, tolerance);
}

/// Makes what `safetensors.torch.save_file` writes of single precision.
fn pytorch(tensors: &[(&str, &[usize], &[f32])]) -> Vec<u8> {
    let bytes = |numbers: &[f32]| numbers.iter().flat_map(|v| v.to_le_bytes()).collect();
    let tensors = tensors.iter();
    let tensors: Vec<_> = tensors
        .map(|&(name, axes, numbers)| (name, axes, bytes(numbers)))
        .collect();
    safetensors("F32", &tensors)
}

/// The header's length, the header, the numbers.
fn safetensors(dtype: &str, tensors: &[(&str, &[usize], Vec<u8>)]) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, axes, numbers) in tensors {
        let start = data.len();
        data.extend(numbers);
        let about =
            serde_json::json!({"dtype": dtype, "shape": axes, "data_offsets": [start, data.len()]});
        header.insert((*name).to_string(), about);
    }
    let header = Value::from(header).to_string().into_bytes();
    let length = u64::try_from(header.len()).unwrap().to_le_bytes();
    [&length[..], &header, &data].concat()
}

/// A linear network's kernel by hand: `f = W2 W1 x` in the standard parameterisation has
/// `x.x' |w_2|^2` by `W1` and `(W1 x).(W1 x')` by `W2`.
#[test]
fn weights_of_pytorch_by_order_and_by_names() {
    let folder = folder();
    let net = r#"{"parameterization": "standard", "layers": [{"dense": {"width": 2}}, {"dense": {"width": 1}}]}"#;
    folder.write("net.json", net);
    let (one, two) = ([1.0, 2.0, 3.0, 4.0], [0.5, -1.0]);
    let sequential = pytorch(&[("0.weight", &[2, 2], &one), ("1.weight", &[1, 2], &two)]);
    folder.write("sequential.safetensors", sequential);
    let named = pytorch(&[("out.weight", &[1, 2], &two), ("in.weight", &[2, 2], &one)]);
    folder.write("named.safetensors", named);
    let map = r#"{"layers.0.weight": "in.weight", "layers.1.weight": "out.weight"}"#;
    folder.write("map.json", map);

    let x = array![[1.0, 0.5], [-0.3, 1.0], [0.2, -1.0]];
    let hidden = x.dot(&array![[1.0, 3.0], [2.0, 4.0]]);
    let by_hand = 1.25 * x.dot(&x.t()) + hidden.dot(&hidden.t());
    // Sums of six products of magnitude up to 25.
    let tolerance = 6.0 * 25.0 * f64::EPSILON;
    let weights = ["--pytorch", "--weights", "sequential.safetensors"];
    assert_near(&kernel(&folder, &weights), &by_hand, tolerance);
    let outputs: Array2<f64> = folder.load("k.npz", "outputs").unwrap();
    assert_near(&outputs, &hidden.dot(&array![[0.5], [-1.0]]), tolerance);
    let weights = [
        "--pytorch",
        "--weights",
        "named.safetensors",
        "--names",
        "map.json",
    ];
    assert_near(&kernel(&folder, &weights), &by_hand, tolerance);
}

#[test]
fn mistakes_are_told_in_one_line_before_anything_is_written() {
    let folder = folder();
    folder.save("wide.npy", &Array2::<f64>::zeros((3, 4)));
    folder.write("text.safetensors", "weights");
    folder.write("list.json", "[]");
    folder.write("empty.json", "{}");
    folder.write(
        "twice.json",
        r#"{"layers.0.bias": "a", "layers.0.bias": "b"}"#,
    );
    folder.write("images.json", r#"{"layers": [{"conv": {"channels": 2}}]}"#);
    let unknown = r#"{"layers": ["dense", {"exp_normalized": {}}]}"#;
    folder.write("without-values.json", unknown);
    let (w, v) = ([0.0; 10], [0.0; 15]);
    let other = pytorch(&[
        ("layers.0.weight", &[5, 2], &w),
        ("layers.2.weights", &[5, 3], &v),
    ]);
    folder.write("other.safetensors", other);
    let before = folder.names();
    let weights = |name| vec!["--weights", name];
    let theirs = |name| {
        vec![
            "--pytorch",
            "--weights",
            "other.safetensors",
            "--names",
            name,
        ]
    };
    for (arguments, code, words) in [
        (
            weights("none.safetensors"),
            1,
            vec!["none.safetensors", "cannot read", "--weights"],
        ),
        (
            weights("text.safetensors"),
            1,
            vec!["text.safetensors", "not a safetensors file"],
        ),
        (
            weights("other.safetensors"),
            1,
            vec![
                "layers.0.bias [5]",
                "layers.2.weight [5, 3]",
                "layers.2.weights [5, 3]",
            ],
        ),
        (
            theirs("none.json"),
            1,
            vec!["none.json", "cannot read", "--names"],
        ),
        (theirs("list.json"), 1, vec!["list.json", "no map of names"]),
        (
            theirs("empty.json"),
            1,
            vec![
                "other.safetensors",
                "layers.0.weight",
                "not in the map of names",
            ],
        ),
        (
            vec!["--weights", "other.safetensors", "--seed", "1"],
            2,
            vec!["--seed", "--weights"],
        ),
        (vec!["--pytorch"], 2, vec!["--weights"]),
        (vec!["--names", "map.json"], 2, vec!["--weights"]),
        (
            vec!["--names", "empty.json", "--weights", "other.safetensors"],
            1,
            vec!["--names", "--pytorch", "--layout keras"],
        ),
        (
            theirs("twice.json"),
            1,
            vec!["twice.json", "layers.0.bias stands twice"],
        ),
        (
            vec!["--layout", "keras"],
            1,
            vec!["--layout keras", "--weights"],
        ),
        (
            vec!["--layout", "nchw,nhwc"],
            1,
            vec!["--layout", "nhwc and nchw"],
        ),
        (
            vec!["--x2", "wide.npy"],
            1,
            vec!["a.npy", "(2)", "wide.npy", "(4)"],
        ),
        (
            vec!["--save-weights", "none/w"],
            1,
            vec!["none/w", "cannot write", "--save-weights"],
        ),
        (
            vec!["--save-weights", "k.npz"],
            1,
            vec!["k.npz", "--out", "--save-weights"],
        ),
        (vec!["--trace"], 2, vec!["--trace"]),
    ] {
        folder.assert_refused(&run(&folder, &arguments), code, &words, &before);
    }
    for (net, words) in [
        ("images.json", vec!["images.json", "layers[0].conv"]),
        (
            "without-values.json",
            vec!["without-values.json", "layers[1]", "exp_normalized"],
        ),
        ("none.json", vec!["none.json", "cannot read"]),
    ] {
        let output = folder.run(&["--net", net, "--x1", "a.npy", "--out", "k.npz"]);
        folder.assert_refused(&output, 1, &words, &before);
    }
    let output = folder.run(&["--net", "net.json", "--x1", "a.npy"]);
    assert!(text(&output.stderr).contains("--out"));
}

/// A network with biases: `f = W2 (W1 x + b1) + b2` has `(x.x' + 1) |w_2|^2` by the first layer and
/// `h.h' + 1` by the second in the standard parameterisation, whatever b_std is.
#[test]
fn with_pytorch_the_kernel_is_that_of_its_model() {
    let folder = folder();
    let file = pytorch(&[
        ("0.weight", &[2, 2], &[1.0, 2.0, 3.0, 4.0]),
        ("0.bias", &[2], &[0.5, -0.25]),
        ("1.weight", &[1, 2], &[0.5, -1.0]),
        ("1.bias", &[1], &[2.0]),
    ]);
    folder.write("w.safetensors", file);
    let x = array![[1.0, 0.5], [-0.3, 1.0], [0.2, -1.0]];
    let hidden = x.dot(&array![[1.0, 3.0], [2.0, 4.0]]) + array![0.5, -0.25];
    let by_hand = 1.25 * (x.dot(&x.t()) + 1.0) + hidden.dot(&hidden.t()) + 1.0;
    let net = |parameterization: &str, b_std: &str| {
        format!(
            r#"{{{parameterization}"layers": [{{"dense": {{"width": 2, "b_std": {b_std}}}}}, {{"dense": {{"width": 1, "b_std": {b_std}}}}}]}}"#
        )
    };
    let weights = ["--pytorch", "--weights", "w.safetensors"];
    for parameterization in ["", r#""parameterization": "standard", "#] {
        for b_std in ["0", "1e-300", "1", "3"] {
            folder.write("net.json", net(parameterization, b_std));
            let output = run(&folder, &weights);
            assert_success(&output);
            let said = text(&output.stdout);
            assert!(
                said.contains("standard parameterisation, bias scale 1"),
                "{said}"
            );
            let found: Array2<f64> = folder.load("k.npz", "ntk").unwrap();
            assert_near(&found, &by_hand, 6.0 * 25.0 * f64::EPSILON);
        }
    }
    folder.write("net.json", net(r#""parameterization": "ntk", "#, "1"));
    let before = folder.names();
    let words = [
        "net.json",
        "PyTorch",
        "NTK parameterisation",
        "\"standard\"",
    ];
    folder.assert_refused(&run(&folder, &weights), 1, &words, &before);
    folder.write("net.json", net("", "0.5"));
    let said = run(&folder, &[]);
    let said = text(&said.stdout);
    assert!(
        said.contains("NTK parameterisation, bias scale 0.5"),
        "{said}"
    );
}

/// Samples of PyTorch, (n, channels, height, width), before a flatten.
#[test]
fn the_order_of_samples_is_asked_for() {
    let folder = folder();
    let w: Vec<f32> = (0..12).map(|i| (0.7 * i as f32 + 0.2).sin()).collect();
    folder.write("w.safetensors", pytorch(&[("1.weight", &[1, 12], &w)]));
    folder.write(
        "net.json",
        r#"{"layers": ["flatten", {"dense": {"width": 1}}]}"#,
    );
    let theirs = ndarray::Array4::from_shape_fn((3, 2, 3, 2), |(n, c, y, x)| {
        ((1 + 12 * n + 6 * c + 2 * y + x) as f64).cos()
    });
    let flat = theirs.to_shape((3, 12)).unwrap().to_owned();
    let expected = flat.dot(&Array2::from_shape_fn((12, 1), |(i, _)| f64::from(w[i])));
    folder.save("a.npy", &theirs);
    let moved = theirs.view().permuted_axes([0, 2, 3, 1]);
    folder.save("moved.npy", &moved.as_standard_layout().into_owned());
    let weights = ["--pytorch", "--weights", "w.safetensors"];
    let before = folder.names();
    let words = ["a.npy", "--layout nhwc", "--layout nchw"];
    folder.assert_refused(&run(&folder, &weights), 1, &words, &before);
    let outputs = |x: &str, layout: &str| {
        let usual = [
            "--net", "net.json", "--x1", x, "--out", "k.npz", "--layout", layout,
        ];
        let output = folder.run(&[&usual[..], &weights].concat());
        assert_success(&output);
        assert!(text(&output.stdout).contains(layout));
        folder.load::<f64>("k.npz", "outputs").unwrap()
    };
    let tolerance = 24.0 * f64::EPSILON;
    assert_near(&outputs("a.npy", "nchw"), &expected, tolerance);
    assert_near(&outputs("moved.npy", "nhwc"), &expected, tolerance);

    // A convolution's weights tell which axis are the channels.
    let net = r#"{"layers": [{"conv": {"channels": 1, "filter": [3, 2]}}, "flatten"]}"#;
    folder.write("net.json", net);
    folder.write("w.safetensors", pytorch(&[("0.weight", &[1, 2, 3, 2], &w)]));
    let output = run(&folder, &weights);
    assert_success(&output);
    assert!(text(&output.stdout).contains("(nchw)"));
    let found: Array2<f64> = folder.load("k.npz", "outputs").unwrap();
    assert_near(&found, &expected, tolerance);
}

/// `Conv2d(1, 1, 3, stride=2, padding=1)` with weights of 1 on the numbers 0 to 15.
#[test]
fn padding_can_be_said_and_same_is_warned_of() {
    let folder = folder();
    folder.write(
        "w.safetensors",
        pytorch(&[("0.weight", &[1, 1, 3, 3], &[1.0; 9])]),
    );
    let x = ndarray::Array4::from_shape_fn((1, 4, 4, 1), |(_, y, x, _)| (4 * y + x) as f64);
    folder.save("a.npy", &x);
    let outputs = |padding: &str| {
        let net = format!(
            r#"{{"layers": [{{"conv": {{"channels": 1, "strides": [2, 2], "padding": {padding}}}}}, "flatten"]}}"#
        );
        folder.write("net.json", net);
        let output = run(&folder, &["--pytorch", "--weights", "w.safetensors"]);
        assert_success(&output);
        let outputs: Array2<f64> = folder.load("k.npz", "outputs").unwrap();
        (outputs, text(&output.stderr))
    };
    let tolerance = 100.0 * f64::EPSILON;
    for padding in ["[1, 1]", "[[1, 1], [1.0, 1]]"] {
        let (found, said) = outputs(padding);
        assert_near(&found, &array![[10.0, 24.0, 51.0, 90.0]], tolerance);
        assert!(!said.contains("warning"), "{said}");
    }
    let (found, said) = outputs("\"same\"");
    assert_near(&found, &array![[45.0, 39.0, 66.0, 50.0]], tolerance);
    assert!(
        said.starts_with("warning: layers[0].conv: \"same\" pads [[0, 1], [0, 1]]"),
        "{said}"
    );
}

#[test]
fn tensors_that_two_parameters_name_or_none_are_told() {
    let folder = folder();
    let file = pytorch(&[
        ("0.weight", &[2, 2], &[1.0, 2.0, 3.0, 4.0]),
        ("1.weight", &[2], &[1.0, 1.0]),
        ("1.running_mean", &[2], &[0.0, 0.5]),
        ("2.weight", &[1, 2], &[0.5, -1.0]),
        ("\u{1b}[31mred\n", &[1], &[0.0]),
    ]);
    folder.write("w.safetensors", file);
    let net = r#"{"layers": [{"dense": {"width": 2}}, {"dense": {"width": 1}}]}"#;
    folder.write("net.json", net);
    let weights = [
        "--pytorch",
        "--weights",
        "w.safetensors",
        "--names",
        "map.json",
    ];
    let map = r#"{"layers.0.weight": "0.weight", "layers.1.weight": "2.weight"}"#;
    folder.write("map.json", map);
    let output = run(&folder, &weights);
    assert_success(&output);
    let said = text(&output.stdout);
    assert!(
        said.contains("3 tensors of the file were not used"),
        "{said}"
    );
    assert!(
        said.contains("1.running_mean [2] (of a batch normalisation)"),
        "{said}"
    );
    assert!(
        said.contains("\\u{1b}[31mred\\n") && !said.contains('\u{1b}'),
        "{said}"
    );
    assert!(text(&output.stderr).contains("holds a batch normalisation"));

    let shared = r#"{"layers.0.weight": "0.weight", "layers.1.weight": "0.weight"}"#;
    folder.write("map.json", shared);
    let before = folder.names();
    let words = [
        "w.safetensors",
        "layers.0.weight, layers.1.weight",
        "name the tensor 0.weight",
    ];
    folder.assert_refused(&run(&folder, &weights), 1, &words, &before);
}

/// The weights of Keras, (in, out), as `numpy.savez(path, *model.get_weights())` and by name.
#[test]
fn weights_of_keras_and_flax() {
    let folder = folder();
    let net = r#"{"layers": [{"dense": {"width": 2, "b_std": 0}}, {"dense": {"width": 1}}]}"#;
    folder.write("net.json", net);
    let x = array![[1.0, 0.5], [-0.3, 1.0], [0.2, -1.0]];
    let kernel_of_one = array![[1.0, 2.0], [3.0, 4.0]];
    let hidden = x.dot(&kernel_of_one) + array![0.5, -0.25];
    let expected = 1.25 * (x.dot(&x.t()) + 1.0) + hidden.dot(&hidden.t());
    let file = pytorch(&[
        ("Dense_0/kernel", &[2, 2], &[1.0, 2.0, 3.0, 4.0]),
        ("Dense_0/bias", &[2], &[0.5, -0.25]),
        ("Dense_1/kernel", &[2, 1], &[0.5, -1.0]),
    ]);
    folder.write("w.safetensors", file);
    let mut npz = ndarray_npy::NpzWriter::new(std::io::Cursor::new(Vec::new()));
    npz.add_array("arr_0", &kernel_of_one.mapv(|v: f64| v as f32))
        .unwrap();
    npz.add_array("arr_1", &array![0.5_f32, -0.25]).unwrap();
    npz.add_array("arr_2", &array![[0.5_f32], [-1.0]]).unwrap();
    folder.write("w.npz", npz.finish().unwrap().into_inner());
    for (weights, layout) in [
        ("w.safetensors", "flax"),
        ("w.safetensors", "keras"),
        ("w.npz", "keras"),
    ] {
        let found = kernel(&folder, &["--weights", weights, "--layout", layout]);
        assert_near(&found, &expected, 6.0 * 25.0 * f64::EPSILON);
    }
}

#[test]
fn networks_with_byte_order_marks_are_read() {
    let folder = folder();
    let plain = kernel(&folder, &[]);
    let wide = |order: fn(u16) -> [u8; 2]| {
        let text = format!("\u{feff}{NETWORK}");
        text.encode_utf16().flat_map(order).collect::<Vec<u8>>()
    };
    for bytes in [
        format!("\u{feff}{NETWORK}").into_bytes(),
        wide(u16::to_le_bytes),
        wide(u16::to_be_bytes),
    ] {
        folder.write("net.json", bytes);
        assert_eq!(kernel(&folder, &[]), plain);
    }
    folder.write("net.json", b"\xff{}");
    let before = folder.names();
    folder.assert_refused(&run(&folder, &[]), 1, &["net.json", "UTF-8"], &before);
}

/// Weights that the precision makes zeros of are refused, and told where others remain; so is a
/// kernel that is zero although samples are not.
#[test]
fn underflow_is_told() {
    let folder = folder();
    let net = r#"{"parameterization": "standard", "layers": [{"dense": {"width": 2}}, {"dense": {"width": 1}}]}"#;
    folder.write("net.json", net);
    let weights = |first: f64| {
        let bytes = |numbers: &[f64]| numbers.iter().flat_map(|v| v.to_le_bytes()).collect();
        let one = bytes(&[1e-60, first, 1e-60, first]);
        let tensors: [(&str, &[usize], Vec<u8>); 2] = [
            ("0.weight", &[2, 2], one),
            ("1.weight", &[1, 2], bytes(&[0.5, -1.0])),
        ];
        safetensors("F64", &tensors)
    };
    folder.write("u.st", weights(1e-60));
    folder.write("mixed.st", weights(1.0));
    folder.write("low.json", r#"{"layers": [{"dense": {"w_std": 1e-30}}]}"#);
    let before = folder.names();
    let single = |more: &[&str]| {
        run(
            &folder,
            &[&["--precision", "f32", "--quiet"], more].concat(),
        )
    };
    let of = |file| single(&["--weights", file, "--pytorch"]);
    let words = [
        "u.st: ",
        "weight: 4 of 4 numbers",
        "1e-60",
        "--precision f64",
    ];
    folder.assert_refused(&of("u.st"), 1, &words, &before);
    let warned = |output: &Output, words: &str| {
        assert_success(output);
        let error = text(&output.stderr);
        assert!(
            error.starts_with("warning: ") && error.contains(words),
            "{error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
    };
    warned(&of("mixed.st"), "weight: 2 of 4 numbers");
    let low = ["--net", "low.json", "--x1", "a.npy", "--out", "k.npz"];
    for full in [&[][..], &["--full"]] {
        let more = [&low[..], &["--precision", "f32", "--quiet"], full].concat();
        // The derivative by the weights is of the order of w_std^2.
        warned(&folder.run(&more), "the ntk with itself of 3 samples");
    }
    let double = run(&folder, &["--weights", "u.st", "--pytorch", "--quiet"]);
    assert_success(&double);
    assert_eq!(text(&double.stderr), "");
}
