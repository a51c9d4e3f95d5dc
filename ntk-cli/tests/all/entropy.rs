//! `ntk entropy`: from `.npy` to numbers, and its errors.

use crate::common::{Folder, assert_success, text};
use approx::assert_relative_eq;
use ndarray::{Array1, Array2, array, linalg::kron};
use ntk_entropy::{Normalization, Spectrum, rank, von_neumann};
use ntk_kernels::network::{Network, Parameterization, dense, erf};
use serde_json::{Value, json};

/// Classes 0 and 1 hold the same two samples, class 2 a sample orthogonal to them.
fn kernel() -> Array2<f64> {
    let g = array![
        [1.0, 0.0, 0.0],
        [1.0, 1.0, 0.0],
        [1.0, 0.0, 0.0],
        [1.0, 1.0, 0.0],
        [0.0, 0.0, 3.0],
    ];
    g.dot(&g.t())
}

const LABELS: [i64; 5] = [0, 0, 1, 1, 2];

/// -sum p ln p.
fn shannon(p: &[f64]) -> f64 {
    p.iter().map(|p| -p * p.ln()).sum()
}

/// Of class 0 alone: trace 3, determinant 1.
fn pair_of_samples() -> [f64; 2] {
    let root = 5.0_f64.sqrt();
    [(3.0 - root) / 6.0, (3.0 + root) / 6.0]
}

fn folder() -> Folder {
    let folder = Folder::new("entropy");
    folder.save("k.npy", &kernel());
    folder.save("l.npy", &ndarray::arr1(&LABELS));
    folder
}

#[track_caller]
fn answer(folder: &Folder, arguments: &[&str]) -> Value {
    let output = folder.run(&[arguments, &["--json"]].concat());
    assert_success(&output);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

const OF_CLASSES: [&str; 6] = [
    "--kernel",
    "k.npy",
    "--labels",
    "l.npy",
    "--classes",
    "0,1,2",
];

#[test]
fn of_a_kernel_by_hand() {
    let folder = Folder::new("entropy");
    folder.save("k.npy", &array![[3.0, 0.0], [0.0, 1.0]]);
    let found = answer(&folder, &["--kernel", "k.npy"]);
    let s = shannon(&[0.75, 0.25]);
    for (name, expected) in [
        ("von_neumann", s),
        ("effective", s / 2.0_f64.ln()),
        ("effective_rank", s.exp()),
        ("participation_ratio", 1.6),
        ("trace", 4.0),
        ("lambda_max", 3.0),
        ("clipped_mass", 0.0),
        ("n", 2.0),
    ] {
        assert_relative_eq!(number(&found[name]), expected, max_relative = 1e-14);
    }
    assert_eq!(
        (&found["combinations"], &found["pairs"]),
        (&json!([]), &json!([]))
    );

    // One sample, and more that are zero.
    folder.save("one.npy", &array![[2.0, 0.0], [0.0, 0.0]]);
    let found = answer(&folder, &["--kernel", "one.npy"]);
    assert_eq!(number(&found["von_neumann"]), 0.0);
    folder.save("one.npy", &array![[2.0]]);
    assert_eq!(
        number(&answer(&folder, &["--kernel", "one.npy"])["effective"]),
        0.0
    );
}

#[test]
fn combinations_in_order_and_pairs() {
    let folder = folder();
    let found = answer(&folder, &OF_CLASSES);
    let order: Vec<&Value> = found["combinations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["classes"])
        .collect();
    assert_eq!(
        json!(order),
        json!([[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]])
    );
    let s = shannon(&pair_of_samples());
    for (i, expected) in [s, s, 0.0, s].into_iter().enumerate() {
        let entropy = number(&found["combinations"][i]["von_neumann"]);
        assert_relative_eq!(entropy, expected, epsilon = 1e-14);
    }
    assert_relative_eq!(
        number(&found["combinations"][6]["trace"]),
        15.0,
        epsilon = 1e-13
    );

    let pairs = &found["pairs"];
    assert_eq!(pairs.as_array().unwrap().len(), 3);
    // The same samples: all is shared, and nothing tells them apart.
    assert_relative_eq!(number(&pairs[0]["mutual_information"]), s, epsilon = 1e-13);
    assert_relative_eq!(number(&pairs[0]["normalized"]), 1.0, epsilon = 1e-13);
    assert_relative_eq!(number(&pairs[0]["chi"]), 0.0, epsilon = 1e-13);
    // Orthogonal ones, of traces 3 and 9.
    assert_eq!(pairs[1]["classes"], json!([0, 2]));
    assert_relative_eq!(number(&pairs[1]["p"]), 0.25, epsilon = 1e-14);
    assert_relative_eq!(
        number(&pairs[1]["chi"]),
        shannon(&[0.25, 0.75]),
        epsilon = 1e-13
    );
    assert_relative_eq!(number(&pairs[1]["chi_normalized"]), 1.0, epsilon = 1e-13);

    // Other orders, fewer, all without naming them; pairs in any case.
    let ordered = [&OF_CLASSES[..5], &["2,0", "--largest", "1"]].concat();
    let other = answer(&folder, &ordered);
    assert_eq!(other["combinations"][0]["classes"], json!([2]));
    assert_eq!(other["combinations"].as_array().unwrap().len(), 2);
    assert_relative_eq!(number(&other["pairs"][0]["p"]), 0.75, epsilon = 1e-14);
    assert_eq!(answer(&folder, &OF_CLASSES[..4])["pairs"], *pairs);
}

#[test]
fn what_has_no_entropy_is_undefined() {
    let folder = folder();
    folder.save("l.npy", &array![0_u8, 1, 2, 3, 4]);
    let found = answer(&folder, &[&OF_CLASSES[..5], &["0,4"]].concat());
    assert_eq!(found["pairs"][0]["normalized"], Value::Null);
    assert_relative_eq!(
        number(&found["pairs"][0]["chi_normalized"]),
        1.0,
        epsilon = 1e-13
    );
    let shown = folder.run(&[&OF_CLASSES[..5], &["0,4"]].concat());
    assert!(
        text(&shown.stdout).contains("undefined"),
        "{}",
        text(&shown.stdout)
    );
}

/// Independent outputs: every eigenvalue o times, so ln o is added and chi stays.
#[test]
fn full_kernels() {
    let folder = folder();
    let traced = answer(&folder, &OF_CLASSES);
    folder.save("k.npy", &kron(&kernel(), &Array2::eye(3)));
    let full = answer(&folder, &[&OF_CLASSES[..], &["--outputs", "3"]].concat());
    assert_eq!((&full["n"], &full["outputs"]), (&json!(5), &json!(3)));
    let more = number(&full["von_neumann"]) - number(&traced["von_neumann"]);
    assert_relative_eq!(more, 3.0_f64.ln(), epsilon = 1e-13);
    for i in 0..3 {
        let of = |found: &Value| number(&found["pairs"][i]["chi"]);
        assert_relative_eq!(of(&full), of(&traced), epsilon = 1e-13);
    }
}

#[test]
fn precision_is_the_files_and_decides_what_is_zero() {
    let folder = Folder::new("entropy");
    // With a rounding added below two of 1 in f32, and far above those in f64.
    let k = array![[1.0, 0.0], [0.0, 5e-8]];
    folder.save("single.npy", &k.mapv(|v: f64| v as f32));
    folder.save("double.npy", &k);
    let single = answer(&folder, &["--kernel", "single.npy"]);
    assert_eq!(single["precision"], "f32");
    // Eigenvalues of order 2 are exact to as many roundings of the largest. -p ln p of one that is
    // so far from 1 has no more; of the other there are 9e-7.
    let rounding = 2.0 * f64::from(f32::EPSILON);
    assert_relative_eq!(number(&single["von_neumann"]), 0.0, epsilon = rounding);
    assert_relative_eq!(number(&single["clipped_mass"]), 5e-8, epsilon = rounding);
    let double = answer(&folder, &["--kernel", "double.npy"]);
    assert_eq!(double["precision"], "f64");
    assert!(number(&double["von_neumann"]) > 8e-7 && double["clipped_mass"] == 0.0);
    // What the file is known to stays what it is, whatever is computed with.
    let wide = answer(&folder, &["--kernel", "single.npy", "--precision", "f64"]);
    assert_eq!(wide["precision"], "f64");
    assert_eq!(number(&wide["von_neumann"]), 0.0);
    assert_relative_eq!(number(&wide["clipped_mass"]), 5e-8, max_relative = 1e-6);
    let narrow = answer(&folder, &["--kernel", "double.npy", "--precision", "f32"]);
    assert_eq!(
        number(&narrow["von_neumann"]),
        number(&single["von_neumann"])
    );
}

/// The eigenvalues that are zero but for the roundings of f32 are no reason to refuse the file.
#[test]
fn a_file_of_single_precision_in_double_precision() {
    let folder = Folder::new("entropy");
    let g = Array2::from_shape_fn((60, 3), |(i, j)| {
        (0.7 * (i * (j + 1)) as f64 + j as f64).sin()
    });
    let exact = g.dot(&g.t());
    folder.save("exact.npy", &exact);
    folder.save("single.npy", &exact.mapv(|v| v as f32));
    let s = |arguments: &[&str]| number(&answer(&folder, arguments)["von_neumann"]);
    let expected = s(&["--kernel", "exact.npy"]);
    for precision in ["f32", "f64"] {
        let found = s(&["--kernel", "single.npy", "--precision", precision]);
        assert_relative_eq!(found, expected, max_relative = 1e-5);
    }
}

#[test]
fn normalisations() {
    let folder = folder();
    let cosine = answer(&folder, &["--kernel", "k.npy", "--normalization", "cosine"]);
    assert_relative_eq!(number(&cosine["trace"]), 5.0, epsilon = 1e-13);
    // Two copies of two samples at 45 degrees, and one orthogonal to them.
    let half = 0.5_f64.sqrt();
    let expected = shannon(&[(2.0 + 2.0 * half) / 5.0, (2.0 - 2.0 * half) / 5.0, 0.2]);
    assert_relative_eq!(number(&cosine["von_neumann"]), expected, epsilon = 1e-13);

    let refused = folder.run(&["--kernel", "k.npy", "--normalization", "none"]);
    let words = ["k.npy", "trace 15", "expected 1", "--normalization none"];
    folder.assert_refused(&refused, 1, &words, &folder.names());
    folder.save("huge.npy", &(kernel() * 1e300));
    let refused = folder.run(&["--kernel", "huge.npy", "--normalization", "none"]);
    folder.assert_refused(&refused, 1, &["trace 1.5e301, expected"], &folder.names());
    folder.save("k.npy", &(kernel() / 15.0));
    let none = answer(&folder, &["--kernel", "k.npy", "--normalization", "none"]);
    assert_relative_eq!(number(&none["trace"]), 1.0, epsilon = 1e-14);
}

const NET: &str = r#"{"parameterization": "ntk", "layers": [{"dense": {"w_std": 1.4, "b_std": 0.5}}, "erf", {"dense": {}}]}"#;

const BY_LANDMARKS: [&str; 5] = ["--net", "net.json", "--x", "x.npy", "--landmarks"];

/// A network and 150 samples, and the kernels of all of them.
fn of_network() -> (Folder, [Array2<f64>; 2]) {
    let folder = Folder::new("entropy");
    folder.write("net.json", NET);
    let x = Array2::from_shape_fn((150, 3), |(i, j)| (0.37 * (i * (2 * j + 1)) as f64).sin());
    folder.save("x.npy", &x);
    let network = Network::new()
        .then(dense().w_std(1.4).b_std(0.5))
        .then(erf(1.0, 1.0, 0.0))
        .then(dense())
        .parameterization(Parameterization::Ntk);
    let kernels = network.kernels(&x).unwrap();
    (folder, [kernels.nngp, kernels.ntk])
}

/// The intervals of few columns hold what all entries give, and narrow.
#[test]
fn landmarks_bound_what_the_whole_kernel_has() {
    let (folder, kernels) = of_network();
    for (get, k) in ["nngp", "ntk"].into_iter().zip(&kernels) {
        for (name, normalization) in [
            ("trace", Normalization::Trace),
            ("cosine", Normalization::Cosine),
        ] {
            let spectrum = Spectrum::of_kernel(k, normalization).unwrap();
            let truth = [
                ("von_neumann", von_neumann::entropy(&spectrum)),
                ("effective", von_neumann::effective(&spectrum)),
                ("effective_rank", rank::effective_rank(&spectrum)),
                ("participation_ratio", rank::participation_ratio(&spectrum)),
                ("intrinsic_dimension", rank::intrinsic_dimension(&spectrum)),
            ];
            let mut width = f64::INFINITY;
            for landmarks in ["2", "8", "40"] {
                let more = [landmarks, "--get", get, "--normalization", name];
                let found = answer(&folder, &[&BY_LANDMARKS[..], &more].concat());
                assert_eq!(found["landmarks"].to_string(), landmarks);
                assert_eq!((&found["get"], &found["n"]), (&json!(get), &json!(150)));
                assert_relative_eq!(
                    number(&found["trace"]),
                    spectrum.trace,
                    max_relative = 1e-12
                );
                for (quantity, value) in truth {
                    let of = |end: &str| number(&found[quantity][end]);
                    let [lower, estimate, upper] = ["lower", "estimate", "upper"].map(of);
                    assert!(
                        lower < value && value < upper,
                        "{quantity} {value}: {found}"
                    );
                    assert!(
                        lower <= estimate && estimate <= upper,
                        "{quantity}: {found}"
                    );
                }
                let entropy = &found["von_neumann"];
                let narrower = number(&entropy["upper"]) - number(&entropy["lower"]);
                assert!(narrower < width, "{found}");
                width = narrower;
            }
            // Of 150 eigenvalues 40 have nearly everything.
            assert!(width < 0.02, "{get} {name}: {width}");
        }
    }
    let seeded = |seed: &str| {
        answer(
            &folder,
            &[&BY_LANDMARKS[..], &["5", "--seed", seed]].concat(),
        )
    };
    assert_eq!(seeded("1")["residual"], seeded("1")["residual"]);
    assert_ne!(seeded("1")["residual"], seeded("2")["residual"]);
    let single = [
        &BY_LANDMARKS[..],
        &["5", "--precision", "f32", "--seed", "1"],
    ]
    .concat();
    let single = answer(&folder, &single);
    assert_eq!(single["precision"], "f32");
    let shown = folder.run(&[&BY_LANDMARKS[..], &["5"]].concat());
    let shown = text(&shown.stdout);
    for word in [
        "n 150, 5 landmarks, ntk",
        "residual",
        "estimate",
        "von_neumann",
    ] {
        assert!(shown.contains(word), "{shown}");
    }
}

#[test]
fn landmarks_that_there_are_not_are_refused() {
    let (folder, _) = of_network();
    folder.save("k.npy", &Array2::<f64>::eye(2));
    folder.save("nan.npy", &array![[f64::NAN, 1.0]]);
    let before = folder.names();
    let with = |more: &[&'static str]| [&BY_LANDMARKS[..], more].concat();
    for (code, arguments, words) in [
        (
            1,
            with(&["151"]),
            &["151 landmarks", "150 samples", "--landmarks"][..],
        ),
        (1, with(&["0"]), &["0 landmarks", "at least one"]),
        (1, with(&["18446744073709551615"]), &["150 samples"]),
        (
            1,
            with(&["5", "--normalization", "none"]),
            &["x.npy", "trace", "--normalization"],
        ),
        (
            1,
            vec!["--net", "net.json", "--x", "nan.npy", "--landmarks", "1"],
            &["nan.npy", "NaN"],
        ),
        (
            1,
            vec!["--net", "no.json", "--x", "x.npy", "--landmarks", "1"],
            &["no.json"],
        ),
        (2, with(&["-1"]), &["'-1'"]),
        (2, with(&["5", "--kernel", "k.npy"]), &["--kernel", "--net"]),
        (2, with(&["5", "--labels", "k.npy"]), &["--labels", "--net"]),
        (2, BY_LANDMARKS[..4].to_vec(), &["--landmarks"]),
        (2, vec!["--kernel", "k.npy", "--landmarks", "1"], &["--net"]),
    ] {
        folder.assert_refused(&folder.run(&arguments), code, words, &before);
    }
}

#[test]
fn errors_say_what_to_do() {
    let folder = folder();
    folder.save("skew.npy", &array![[1.0, 0.5], [0.4, 1.0]]);
    folder.save("indefinite.npy", &array![[1.0, 2.0], [2.0, 1.0]]);
    folder.save("zero.npy", &Array2::<f64>::zeros((2, 2)));
    folder.save("empty.npy", &Array2::<f64>::zeros((0, 0)));
    folder.save("nan.npy", &array![[f64::NAN]]);
    folder.save("wide.npy", &array![[1.0, 0.0]]);
    folder.save("few.npy", &array![0, 1]);
    folder.save("half.npy", &array![0.0, 0.5, 1.0, 1.0, 2.0]);
    folder.save("onehot.npy", &Array2::<f64>::eye(5));
    folder.save("many.npy", &Array2::<f64>::eye(100));
    folder.save("many-labels.npy", &Array1::from_iter(0..100));
    folder.save("large.npy", &(Array2::<f64>::eye(3) * 1e308));
    folder.save("small.npy", &(Array2::<f64>::eye(3) * 1e-50));
    let before = folder.names();
    for (code, arguments, words) in [
        (
            1,
            &["--kernel", "large.npy", "--json"][..],
            &["large.npy", "1e308", "divide"][..],
        ),
        (
            1,
            &["--kernel", "large.npy", "--precision", "f32"],
            &["large.npy", "[0, 0] is 1e308", "--precision f64"],
        ),
        (
            1,
            &["--kernel", "small.npy", "--precision", "f32"],
            &["small.npy", "3 of 3 numbers", "--precision f64"],
        ),
        (
            1,
            &["--kernel", "k.npy", "--labels", "l.npy", "--outputs", "5"],
            &["l.npy has 5 labels", "a kernel of 1 sample;"],
        ),
        (2, &["--kernel", "k.npy", "--outputs", "-1"], &["'-1'"]),
        (
            2,
            &["--kernel", "k.npy", "--labels", "l.npy", "--classes", "-1"],
            &["'-1'", "zero or more"],
        ),
        (1, &["--kernel", "none.npy"], &["none.npy", "numpy.save"]),
        (1, &["--kernel", "skew.npy"], &["skew.npy", "differ by"]),
        (1, &["--kernel", "indefinite.npy"], &["semidefinite", "-1"]),
        (1, &["--kernel", "zero.npy"], &["trace 0"]),
        (1, &["--kernel", "empty.npy"], &["trace 0"]),
        (1, &["--kernel", "nan.npy"], &["nan.npy", "NaN"]),
        (1, &["--kernel", "wide.npy"], &["[1, 2]", "square"]),
        (
            1,
            &["--kernel", "many.npy", "--labels", "many-labels.npy"],
            &["100 classes", "1.3e30", "--largest 2", "--classes"],
        ),
        (
            1,
            &["--kernel", "k.npy", "--outputs", "3"],
            &["order 5", "3 outputs", "--outputs"],
        ),
        (
            1,
            &["--kernel", "k.npy", "--outputs", "0"],
            &["order 5", "0 outputs"],
        ),
        (
            1,
            &["--kernel", "k.npy", "--labels", "few.npy"],
            &["2 labels", "5 samples"],
        ),
        (
            1,
            &["--kernel", "k.npy", "--labels", "half.npy"],
            &["label 1 is 0.5"],
        ),
        (
            1,
            &["--kernel", "k.npy", "--labels", "onehot.npy"],
            &["[5, 5]", "one-hot"],
        ),
        (
            1,
            &["--kernel", "k.npy", "--labels", "l.npy", "--classes", "0,7"],
            &["class 7"],
        ),
        (
            1,
            &["--kernel", "k.npy", "--labels", "l.npy", "--classes", "0,0"],
            &["class 0", "twice"],
        ),
        (2, &["--kernel", "k.npy", "--classes", "0,1"], &["--labels"]),
        (
            2,
            &["--kernel", "k.npy", "--labels", "l.npy", "--classes", "a"],
            &["'a'", "whole numbers"],
        ),
        (
            2,
            &["--kernel", "k.npy", "--labels", "l.npy", "--classes", "0.5"],
            &["'0.5'", "whole numbers"],
        ),
        (2, &[], &["--kernel"]),
    ] {
        folder.assert_refused(&folder.run(arguments), code, words, &before);
    }
}
