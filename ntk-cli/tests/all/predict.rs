//! `ntk predict`: from `.npy` to `.npz`, and its errors.

use crate::common::{Folder, assert_near, assert_success, text};
use ndarray::{Array1, Array2, Array3, Array4, Axis, Ix1, Ix3, array, linalg::kron};
use serde_json::{Value, json};

/// Rounding of a handful of operations on numbers up to two.
const ROUNDING: f64 = 32.0 * f64::EPSILON;

fn folder() -> Folder {
    let folder = Folder::new("predict");
    folder.save("kdd.npy", &k_dd());
    folder.save("ktd.npy", &k_td());
    folder.save("y.npy", &y());
    folder
}

/// Eigenvalues 3, of (1, 1), and 1, of (1, -1).
fn k_dd() -> Array2<f64> {
    array![[2.0, 1.0], [1.0, 2.0]]
}

fn k_td() -> Array2<f64> {
    array![[1.0, 1.0], [1.0, -1.0], [0.0, 0.0]]
}

fn y() -> Array2<f64> {
    array![[1.0, 0.0], [0.5, -2.0]]
}

/// Outputs on training and test samples of [`k_dd`] and [`k_td`] at `s = learning rate * t /
/// (samples * outputs)`, from zero outputs, with `added` on the diagonal: along an eigenvector of
/// eigenvalue l the outputs are `1 - e^(-l s)` of the targets, and the test kernel's rows are
/// eigenvectors.
fn by_hand(y: &Array2<f64>, s: f64, added: f64) -> [Array2<f64>; 2] {
    let (fast, slow) = (3.0 + added, 1.0 + added);
    let [sum, difference] = [(fast, 1.0), (slow, -1.0)]
        .map(|(l, sign)| (&y.row(0) + &(&y.row(1) * sign)) * (1.0 - f64::exp(-l * s)));
    let train = ndarray::stack![
        Axis(0),
        (&sum + &difference) / 2.0,
        (&sum - &difference) / 2.0
    ];
    let test = ndarray::stack![Axis(0), &sum / fast, &difference / slow, &sum * 0.0];
    [train, test]
}

fn outputs(folder: &Folder, name: &str) -> Array3<f64> {
    folder.load_of::<f64, Ix3>("p.npz", name).unwrap()
}

const USUAL: [&str; 6] = ["--k-dd", "kdd.npy", "--y", "y.npy", "--out", "p.npz"];
const WITH_TEST: [&str; 8] = [
    "--k-dd", "kdd.npy", "--y", "y.npy", "--k-td", "ktd.npy", "--out", "p.npz",
];

/// The command with these arguments succeeds; training and test outputs.
#[track_caller]
fn predict(folder: &Folder, more: &[&str]) -> [Array3<f64>; 2] {
    assert_success(&folder.run(&[&WITH_TEST[..], more].concat()));
    ["train", "test"].map(|name| outputs(folder, name))
}

#[track_caller]
fn assert_at(found: &[Array3<f64>; 2], time: usize, expected: &[Array2<f64>; 2], tolerance: f64) {
    for (found, expected) in found.iter().zip(expected) {
        assert_near(
            &found.index_axis(Axis(0), time).to_owned(),
            expected,
            tolerance,
        );
    }
}

#[test]
fn training_for_ever_by_default() {
    let folder = folder();
    folder.write("p.npz", "what was there before");
    let output = folder.run(&WITH_TEST);
    assert_success(&output);
    let line = text(&output.stdout);
    assert_eq!(line.lines().count(), 1, "{line}");
    for word in ["train (1, 2, 2)", "test (1, 3, 2)", "f64", "p.npz"] {
        assert!(line.contains(word), "{line}");
    }
    let found = ["train", "test"].map(|name| outputs(&folder, name));
    assert_at(&found, 0, &by_hand(&y(), f64::INFINITY, 0.0), ROUNDING);
    let times: Array1<f64> = folder.load_of::<f64, Ix1>("p.npz", "t").unwrap();
    assert_eq!(times, array![f64::INFINITY]);
    assert_eq!(folder.names(), ["kdd.npy", "ktd.npy", "p.npz", "y.npy"]);
}

#[test]
fn times_learning_rate_and_regulariser() {
    let folder = folder();
    let entries = 4.0;
    let more = ["--t", "0,1,4,inf", "--learning-rate", "0.5"];
    let found = predict(&folder, &more);
    for (i, t) in [0.0, 1.0, 4.0, f64::INFINITY].into_iter().enumerate() {
        assert_at(&found, i, &by_hand(&y(), 0.5 * t / entries, 0.0), ROUNDING);
    }
    // Twice the loss is twice the rate.
    let twice = predict(&folder, &[&more[..], &["--loss", "mean-square"]].concat());
    assert_at(&twice, 1, &by_hand(&y(), 1.0 / entries, 0.0), ROUNDING);
    // The mean diagonal is two.
    let relative = ["--t", "1", "--diag-reg", "0.25"];
    let found = predict(&folder, &relative);
    assert_at(&found, 0, &by_hand(&y(), 1.0 / entries, 0.5), ROUNDING);
    let found = predict(&folder, &[&relative[..], &["--diag-reg-absolute"]].concat());
    assert_at(&found, 0, &by_hand(&y(), 1.0 / entries, 0.25), ROUNDING);
}

#[test]
fn one_output_of_integers_without_test_samples_in_f32_as_json() {
    let folder = folder();
    folder.save("y.npy", &array![1_i64, -3]);
    let more = ["--t", "2,inf", "--precision", "f32", "--json"];
    let output = folder.run(&[&USUAL[..], &more].concat());
    assert_success(&output);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["train"], json!([2, 2, 1]));
    assert_eq!(answer["test"], Value::Null);
    assert_eq!(answer["t"], json!([2.0, "inf"]));
    assert_eq!(answer["full"], false);
    assert_eq!(answer["precision"], "f32");
    assert!(answer["seconds"].as_f64().unwrap() >= 0.0);
    let near = |value: &Value, expected: f64| {
        let tolerance = expected * 16.0 * f64::from(f32::EPSILON);
        assert!(
            (value.as_f64().unwrap() - expected).abs() <= tolerance,
            "{value}"
        );
    };
    near(&answer["eigenvalues"]["smallest"], 1.0);
    near(&answer["eigenvalues"]["largest"], 3.0);
    assert_eq!(answer["eigenvalues"]["zero"], 0);
    near(&answer["max_learning_rate"], 2.0 * 2.0 / 3.0);

    let found = folder.load_of::<f32, Ix3>("p.npz", "train").unwrap();
    let expected = by_hand(&array![[1.0], [-3.0]], 2.0 / 2.0, 0.0);
    let first = found.index_axis(Axis(0), 0).mapv(f64::from);
    // Numbers up to three.
    let tolerance = 32.0 * 3.0 * f64::from(f32::EPSILON);
    assert_near(&first, &expected[0], tolerance);
    assert!(folder.load_of::<f32, Ix3>("p.npz", "test").is_none());
    assert!(folder.load_of::<f64, Ix1>("p.npz", "t").is_some());
}

/// A full kernel of independent outputs is the traced one.
#[test]
fn full_kernels_are_told_by_their_shape() {
    let folder = folder();
    folder.save("f0.npy", &array![[1.0, 0.5], [0.0, 2.0]]);
    folder.save("f0t.npy", &array![[1.0, 0.5], [0.0, 2.0], [3.0, 4.0]]);
    for loss in [["mse"], ["cross-entropy"]] {
        // Probabilities are targets of either.
        folder.save("y.npy", &array![[0.25, 0.75], [1.0, 0.0]]);
        let more = [
            "--t",
            "0,3",
            "--f0",
            "f0.npy",
            "--f0-test",
            "f0t.npy",
            "--loss",
        ];
        let more = [&more[..], &loss[..]].concat();
        folder.save("kdd.npy", &k_dd());
        folder.save("ktd.npy", &k_td());
        let traced = predict(&folder, &more);
        folder.save("kdd.npy", &kron(&k_dd(), &Array2::eye(2)));
        folder.save("ktd.npy", &kron(&k_td(), &Array2::eye(2)));
        let full = predict(&folder, &more);
        for i in 0..2 {
            let expected = traced.clone().map(|f| f.index_axis(Axis(0), i).to_owned());
            assert_at(&full, i, &expected, 4.0 * ROUNDING);
        }
        let start = traced[1].index_axis(Axis(0), 0);
        assert_eq!(start, array![[1.0, 0.5], [0.0, 2.0], [3.0, 4.0]]);
    }
}

#[test]
fn initial_outputs_that_fit_stay() {
    let folder = folder();
    folder.save("f0t.npy", &array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    let [train, test] = predict(
        &folder,
        &["--t", "7,inf", "--f0", "y.npy", "--f0-test", "f0t.npy"],
    );
    for i in 0..2 {
        assert_eq!(train.index_axis(Axis(0), i), y());
        assert_eq!(
            test.index_axis(Axis(0), i),
            array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
        );
    }
}

/// One sample of kernel one: `f' = margin - f` up to the margin, and the mode with momentum m
/// obeys `phi'' + (1 - m) phi' + phi = 0` from rest at 1.
#[test]
fn one_sample_by_hand() {
    let folder = folder();
    folder.save("kdd.npy", &array![[1.0]]);
    folder.save("ktd.npy", &array![[2.0]]);
    folder.save("y.npy", &array![1.0]);
    let tolerance = 1e-9;
    // Errors of all steps together, by the documentation of the solver.
    let (descent, momentum) = (f64::powf(tolerance, 2.0 / 3.0), f64::powf(tolerance, 0.8));
    let solver = ["--tolerance", "1e-9", "--json"];
    let hinge = ["--t", "3", "--loss", "hinge2:margin=0.5"];
    let output = folder.run(&[&WITH_TEST[..], &solver, &hinge].concat());
    assert_success(&output);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(answer["steps"].as_u64().unwrap() > 0);
    assert!(answer["products"].as_u64().unwrap() >= answer["steps"].as_u64().unwrap());
    let f = 0.5 * (1.0 - f64::exp(-3.0));
    let found = ["train", "test"].map(|name| outputs(&folder, name));
    assert_at(&found, 0, &[array![[f]], array![[2.0 * f]]], 2.0 * descent);

    let (damping, t) = (0.5, 3.0);
    let omega = f64::sqrt(1.0 - damping * damping / 4.0);
    let (sin, cos) = f64::sin_cos(omega * t);
    let f = 1.0 - f64::exp(-damping * t / 2.0) * (cos + damping / (2.0 * omega) * sin);
    let expected = [array![[f]], array![[2.0 * f]]];
    let more = ["--t", "3", "--momentum", "0.5"];
    assert_at(&predict(&folder, &more), 0, &expected, 4.0 * ROUNDING);
    let half = ["--learning-rate", "0.5", "--loss", "power:power=2"];
    let found = predict(&folder, &[&more[..], &half, &solver].concat());
    assert_at(&found, 0, &expected, 2.0 * momentum);
}

/// The solver and the closed form agree, the regulariser included.
#[test]
fn the_solver_is_the_closed_form_where_there_is_one() {
    let folder = folder();
    let more = ["--t", "0,1,20", "--diag-reg", "0.1"];
    let closed = predict(&folder, &[&more[..], &["--loss", "mean-square"]].concat());
    let solved = predict(
        &folder,
        &[
            &more[..],
            &["--loss", "power:power=2", "--tolerance", "1e-9"],
        ]
        .concat(),
    );
    for i in 0..3 {
        let expected = closed.clone().map(|f| f.index_axis(Axis(0), i).to_owned());
        assert_at(&solved, i, &expected, f64::powf(1e-9, 2.0 / 3.0));
    }
}

#[test]
fn no_samples() {
    let folder = folder();
    folder.save("kdd.npy", &Array2::<f64>::zeros((0, 0)));
    folder.save("ktd.npy", &Array2::<f64>::zeros((3, 0)));
    folder.save("y.npy", &Array2::<f64>::zeros((0, 2)));
    for more in [
        ["--loss", "mse", "--t", "inf"],
        ["--loss", "cross-entropy", "--t", "1"],
    ] {
        let [train, test] = predict(&folder, &more);
        assert_eq!(train.dim(), (1, 0, 2));
        assert_eq!(test, Array3::<f64>::zeros((1, 3, 2)));
    }
}

#[test]
fn mistakes_are_told_in_one_line_before_anything_is_written() {
    let folder = folder();
    folder.save("wide.npy", &Array2::<f64>::zeros((2, 3)));
    folder.save("three.npy", &Array2::<f64>::eye(3));
    folder.save("four.npy", &Array4::<f64>::zeros((2, 2, 2, 2)));
    folder.save("full.npy", &Array2::<f64>::eye(4));
    folder.save("odd.npy", &Array2::<f64>::zeros((3, 4)));
    folder.save("asymmetric.npy", &array![[2.0, 1.0], [1.5, 2.0]]);
    folder.save("signs.npy", &array![[1.0, -1.0], [-1.0, -1.0]]);
    folder.save("indefinite.npy", &array![[2.0, 0.0], [0.0, -1.0]]);
    folder.save("nan.npy", &array![[1.0, f64::NAN], [1.0, 2.0]]);
    let before = folder.names();
    let usual = |changes: &[&'static str]| {
        let mut arguments = WITH_TEST.to_vec();
        for change in changes.chunks(2) {
            match arguments.iter().position(|a| *a == change[0]) {
                Some(i) => arguments[i + 1] = change[1],
                None => arguments.extend(change),
            }
        }
        arguments
    };
    let cases: &[(&[&'static str], i32, &[&str])] = &[
        (&["--k-dd", "none.npy"], 1, &["none.npy", "cannot read"]),
        (&["--y", "none.npy"], 1, &["none.npy", "cannot read"]),
        (
            &["--k-dd", "wide.npy", "--k-td", "three.npy"],
            1,
            &["wide.npy", "(2, 3)", "(2, 2)", "full (4, 4)", "y.npy"],
        ),
        (
            &["--k-dd", "three.npy", "--k-td", "three.npy"],
            1,
            &["three.npy", "(3, 3)", "y.npy has 2 samples"],
        ),
        (
            &["--k-dd", "four.npy"],
            1,
            &["four.npy", "[2, 2, 2, 2]", "transpose"],
        ),
        (&["--k-dd", "nan.npy"], 1, &["nan.npy", "[0, 1]", "NaN"]),
        (
            &["--k-dd", "asymmetric.npy"],
            1,
            &["asymmetric.npy", "(1, 0)", "5e-1", "symmetrise"],
        ),
        (
            &[
                "--k-dd",
                "asymmetric.npy",
                "--y",
                "signs.npy",
                "--loss",
                "hinge2",
                "--t",
                "1",
            ],
            1,
            &["asymmetric.npy", "(1, 0)", "5e-1"],
        ),
        (
            &["--k-dd", "indefinite.npy"],
            1,
            &["indefinite.npy", "eigenvalue is -1e0", "--diag-reg"],
        ),
        (
            &["--k-td", "wide.npy"],
            1,
            &["wide.npy", "(2, 3)", "(test samples, 2)", "kdd.npy"],
        ),
        (
            &["--k-dd", "full.npy", "--k-td", "odd.npy"],
            1,
            &[
                "odd.npy",
                "(3, 4)",
                "(test samples * outputs, 4)",
                "2 outputs",
            ],
        ),
        (&["--y", "four.npy"], 1, &["four.npy", "(samples, outputs)"]),
        (&["--y", "nan.npy"], 1, &["nan.npy", "[0, 1]", "NaN"]),
        (
            &["--f0", "wide.npy"],
            1,
            &["wide.npy", "(2, 3)", "(2, 2)", "y.npy"],
        ),
        (
            &["--f0", "y.npy", "--f0-test", "y.npy"],
            1,
            &["y.npy", "(2, 2)", "(3, 2)", "ktd.npy"],
        ),
        (&["--t", "2,1"], 2, &["--t", "1 comes after 2", "sort"]),
        (&["--t", "-1"], 2, &["--t", "zero or more"]),
        (&["--loss", "mae"], 2, &["mae", "mse", "cross-entropy"]),
        (
            &["--y", "signs.npy", "--loss", "hinge2"],
            1,
            &["--t", "inf", "finite"],
        ),
        (&["--momentum", "2"], 2, &["--momentum", "less than one"]),
        (&["--tolerance", "1e-3"], 1, &["--tolerance", "--loss"]),
        (
            &[
                "--y",
                "signs.npy",
                "--loss",
                "hinge2",
                "--t",
                "1",
                "--tolerance",
                "0",
            ],
            1,
            &["tolerance is 0", "above zero"],
        ),
        (
            &[
                "--y",
                "signs.npy",
                "--loss",
                "hinge2",
                "--t",
                "1e3",
                "--most-steps",
                "1",
            ],
            1,
            &["1 steps allowed"],
        ),
        (&["--learning-rate", "-1"], 1, &["learning rate is -1"]),
        (
            &["--diag-reg", "-1"],
            1,
            &["--diag-reg is -1", "zero or more"],
        ),
        (
            &["--out", "none/p.npz"],
            1,
            &["none/p.npz", "cannot write", "--out"],
        ),
        (&["--out", "."], 1, &["is a folder", "--out"]),
        (
            &["--out", "k.npz/"],
            1,
            &["k.npz/ ends as a folder", "--out"],
        ),
    ];
    for (changes, code, words) in cases {
        folder.assert_refused(&folder.run(&usual(changes)), *code, words, &before);
    }
    for (flags, words) in [
        (&["--diag-reg-absolute"][..], "--diag-reg "),
        (&["--most-steps", "-1"], "'-1'"),
        (&["--loss", "hinge2:margin=-1"], "must be positive"),
    ] {
        let output = folder.run(&[&USUAL[..], flags].concat());
        folder.assert_refused(&output, 2, &[words], &before);
    }
}

/// The command fails with these words and leaves the files that were there.
#[track_caller]
fn fails(folder: &Folder, arguments: &[&str], words: &str) {
    let (before, output) = (folder.names(), folder.run(arguments));
    folder.assert_refused(&output, 1, &[words], &before);
}

/// Samples that do not know of each other, so that the flow of each is an equation by hand.
fn apart(targets: Array1<i64>) -> Folder {
    let folder = Folder::new("predict");
    folder.save("k.npy", &Array2::from_diag(&array![2.0, 3.0]));
    folder.save("y.npy", &targets);
    folder
}

const APART: [&str; 8] = [
    "--k-dd", "k.npy", "--y", "y.npy", "--out", "p.npz", "--t", "3",
];

#[test]
fn class_indices_become_one_hot_where_it_is_asked_for() {
    let folder = apart(array![0, 1]);
    let loss = [
        "--loss",
        "cross-entropy",
        "--tolerance",
        "1e-10",
        "--solver",
        "dormand-prince",
    ];
    fails(&folder, &[&APART[..], &loss].concat(), "--one-hot");
    assert_success(&folder.run(&[&APART[..], &loss, &["--one-hot"]].concat()));
    let train = outputs(&folder, "train");
    assert_eq!(train.dim(), (1, 2, 2));
    for (sample, k) in [2.0, 3.0].into_iter().enumerate() {
        // Outputs u of the class and -u: v = 2 u obeys v' = 2 k / (n (1 + e^v)).
        let v: f64 = train[[0, sample, sample]] - train[[0, sample, 1 - sample]];
        let expected: f64 = 2.0 * k * 3.0 / 2.0 + 1.0;
        assert!((v + v.exp() - expected).abs() < 1e-6, "{v}");
    }
    for (targets, words) in [
        (array![0_i64, -1], "y.npy[1] is -1"),
        (array![0, 1_i64 << 40], "65535"),
    ] {
        folder.save("y.npy", &targets);
        fails(
            &folder,
            &[&APART[..], &loss, &["--one-hot"]].concat(),
            words,
        );
    }
    folder.save("y.npy", &array![[-1.0, 1.0], [0.5, 0.5]]);
    fails(&folder, &[&APART[..], &loss].concat(), "probabilities");
    folder.save("y.npy", &array![[0.0, 2.0], [0.5, 0.5]]);
    fails(&folder, &[&APART[..], &loss].concat(), "sum to 2");
}

#[test]
fn zeros_and_ones_become_signs_where_it_is_asked_for() {
    let folder = apart(array![1, 0]);
    let loss = ["--loss", "hinge2", "--tolerance", "1e-9"];
    fails(&folder, &[&APART[..], &loss].concat(), "--signs");
    assert_success(&folder.run(&[&APART[..], &loss, &["--signs"]].concat()));
    let train = outputs(&folder, "train");
    for (sample, (k, y)) in [(2.0, 1.0), (3.0, -1.0)].into_iter().enumerate() {
        let expected = y * (1.0 - f64::exp(-k * 3.0 / 2.0));
        assert!((train[[0, sample, 0]] - expected).abs() < 1e-6);
    }
    folder.save("y.npy", &array![1.0, 0.5]);
    fails(
        &folder,
        &[&APART[..], &loss, &["--signs"]].concat(),
        "y.npy[1, 0] is 0.5",
    );
}

#[test]
fn one_start_needs_the_other_and_targets_need_samples() {
    let folder = folder();
    folder.save("f0.npy", &y());
    fails(
        &folder,
        &[&WITH_TEST[..], &["--f0", "f0.npy"]].concat(),
        "--f0-test",
    );
    fails(
        &folder,
        &[&WITH_TEST[..], &["--f0-test", "f0.npy"]].concat(),
        "add --k-td and --f0 ",
    );
    fails(
        &folder,
        &[&USUAL[..], &["--f0-test", "f0.npy"]].concat(),
        "add --k-td and --f0 ",
    );
    folder.save("k.npy", &Array2::<f64>::eye(8));
    folder.save("row.npy", &Array2::<f64>::ones((1, 8)));
    fails(
        &folder,
        &["--k-dd", "k.npy", "--y", "row.npy", "--out", "p.npz"],
        "read as 1 sample of 8 outputs",
    );
    folder.save("none.npy", &Array2::<f64>::ones((2, 0)));
    fails(
        &folder,
        &["--k-dd", "kdd.npy", "--y", "none.npy", "--out", "p.npz"],
        "[2, 0]",
    );
}

#[test]
fn what_is_not_certain_is_told() {
    // In a file of single precision, of rank one up to its rounding.
    let folder = Folder::new("predict");
    let k = Array2::from_shape_fn((3, 3), |(i, j)| {
        let of = |i: usize| (1.0 + i as f32).sqrt();
        of(i) * of(j)
    });
    folder.save("k.npy", &k);
    folder.save("y.npy", &array![1.0, 2.0, 3.0]);
    for precision in ["f32", "f64"] {
        let found = folder.run(&[
            "--k-dd",
            "k.npy",
            "--y",
            "y.npy",
            "--out",
            "p.npz",
            "--precision",
            precision,
        ]);
        assert_success(&found);
        let line = text(&found.stdout);
        assert!(line.contains("condition number 1.0e0"), "{line}");
        assert!(line.contains("2 of 3 eigenvalues"), "{line}");
    }
}

/// Interrupted in the middle, the file holds what it held before.
#[cfg(unix)]
#[test]
fn ctrl_c_leaves_what_was_there() {
    let folder = folder();
    // Of rates from 1 to 1e9, to a time and a tolerance that no machine reaches in a second.
    let wide = Array2::from_diag(&Array1::from_shape_fn(300, |i| {
        10_f64.powf(0.03 * i as f64)
    }));
    folder.save("kdd.npy", &wide);
    folder.save("y.npy", &Array1::<f64>::ones(300));
    folder.write("p.npz", "what was there before");
    let before = folder.names();
    let solver = [
        "--loss",
        "power:power=2",
        "--t",
        "1e9",
        "--tolerance",
        "1e-12",
        "--quiet",
    ];
    let mut child = folder
        .command(&[&USUAL[..], &solver].concat())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(400));
    let killed = std::process::Command::new("sh")
        .args(["-c", &format!("kill -INT {}", child.id())])
        .status()
        .unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(folder.names(), before);
    assert_eq!(folder.read("p.npz"), b"what was there before");
}

/// Kernels come from the archives that `ntk kernel` writes, and no output replaces one.
#[test]
fn kernels_are_read_from_archives() {
    let folder = folder();
    let expected = predict(&folder, &[]);
    for (file, other, k) in [("a.npz", "nngp", k_dd()), ("b.npz", "ntk", k_td())] {
        let file = std::fs::File::create(folder.path().join(file)).unwrap();
        let mut npz = ndarray_npy::NpzWriter::new(file);
        npz.add_array("kernel", &k).unwrap();
        npz.add_array(other, &Array2::<f64>::eye(2)).unwrap();
        npz.finish().unwrap();
    }
    let arguments = |k_dd, out| {
        [
            "--k-dd",
            k_dd,
            "--k-td",
            "b.npz:kernel",
            "--y",
            "y.npy",
            "--out",
            out,
        ]
    };
    let output = folder.run(&arguments("a.npz:kernel", "q.npz"));
    assert_success(&output);
    let found: Array3<f64> = folder.load_of("q.npz", "test").unwrap();
    assert_eq!(found, expected[1]);
    fails(
        &folder,
        &arguments("a.npz", "q.npz"),
        "kernel, nngp; name one of its arrays, as in a.npz:kernel",
    );
    fails(
        &folder,
        &arguments("a.npz:kernel", "a.npz"),
        "--out is the file of --k-dd",
    );
}

/// Neither targets nor outputs that the precision does not hold are written.
#[test]
fn numbers_beyond_the_precision_are_not_written() {
    let folder = apart(array![1, 2]);
    folder.save("f0.npy", &array![1e160, 0.0]);
    folder.save("large.npy", &array![3e38, 3e38]);
    folder.save("ktd.npy", &array![[6.0, 9.0]]);
    let usual = ["--k-dd", "k.npy", "--out", "p.npz", "--precision", "f32"];
    for (flags, words) in [
        (
            &["--y", "y.npy", "--f0", "f0.npy"][..],
            "f0.npy: entry [0, 0] is 1e160, beyond f32",
        ),
        (
            &["--y", "f0.npy"],
            "f0.npy: entry [0, 0] is 1e160, beyond f32",
        ),
        (
            &["--y", "large.npy", "--k-td", "ktd.npy"],
            "the outputs (time, sample, output): inf at [0, 0, 0]",
        ),
    ] {
        fails(&folder, &[&usual[..], flags].concat(), words);
    }
}

/// Numbers that the precision makes zeros of are refused, and told where others remain; so are
/// outputs of which nothing is left.
#[test]
fn underflow_is_told() {
    let folder = folder();
    folder.save("tiny.npy", &array![[1e-60, 0.0], [0.0, 0.0]]);
    folder.save("mixed.npy", &array![[1.0, 1e-60], [1e-60, 1.0]]);
    folder.save("low.npy", &array![[1e-30, 0.0], [0.0, 0.0]]);
    folder.save("small.npy", &(y() * 1e-20));
    folder.save("zeros.npy", &Array2::<f64>::zeros((2, 2)));
    folder.save("lower.npy", &(y() * 1e-36));
    let before = folder.names();
    let run = |k_dd, y, more: &[&str]| {
        let usual = ["--k-dd", k_dd, "--y", y, "--out", "p.npz", "--quiet"];
        folder.run(&[&usual[..], &["--precision", "f32"], more].concat())
    };
    let f0 = ["--f0", "tiny.npy"];
    for (k_dd, y, more) in [
        ("tiny.npy", "y.npy", &[][..]),
        ("kdd.npy", "tiny.npy", &[]),
        ("kdd.npy", "y.npy", &["--k-td", "tiny.npy"]),
        ("kdd.npy", "y.npy", &f0),
    ] {
        let words = [
            "tiny.npy: 1 of 1 number ",
            "1e-60 at [0, 0]",
            "--precision f64",
        ];
        folder.assert_refused(&run(k_dd, y, more), 1, &words, &before);
    }
    for (k_dd, y, more, words) in [
        ("mixed.npy", "y.npy", &[][..], "mixed.npy: 2 of 4 numbers"),
        ("kdd.npy", "mixed.npy", &[], "mixed.npy: 2 of 4 numbers"),
        (
            "kdd.npy",
            "y.npy",
            &["--k-td", "mixed.npy"],
            "mixed.npy: 2 of 4 numbers",
        ),
        (
            "kdd.npy",
            "small.npy",
            &["--k-td", "low.npy"],
            "at time inf all test outputs are zero",
        ),
        (
            "kdd.npy",
            "lower.npy",
            &["--t", "1e-4"],
            "at time 0.0001 all training outputs are zero",
        ),
    ] {
        let found = run(k_dd, y, more);
        assert_success(&found);
        let error = text(&found.stderr);
        assert!(
            error.starts_with("warning: ") && error.contains(words),
            "{words}: {error}"
        );
    }
    let zeros = run("kdd.npy", "zeros.npy", &["--k-td", "ktd.npy"]);
    assert_success(&zeros);
    assert_eq!(text(&zeros.stderr), "");
}

/// Every loss refuses an indefinite kernel, and takes the ridge that the refusal names.
#[test]
fn indefinite_kernels_are_refused_and_the_advice_works() {
    let folder = folder();
    // Eigenvalues 1.3 and -0.3.
    folder.save("kdd.npy", &array![[0.5, 0.8], [0.8, 0.5]]);
    folder.save("y.npy", &array![1.0, -1.0]);
    let before = folder.names();
    for loss in ["mse", "hinge2", "power:power=4"] {
        let run =
            |more: &[&str]| folder.run(&[&USUAL[..], &["--loss", loss, "--t", "1"], more].concat());
        let refused = run(&[]);
        folder.assert_refused(&refused, 1, &["kdd.npy: ", "indefinite"], &before);
        let error = text(&refused.stderr);
        let (_, advice) = error.trim().split_once("that ridge is ").unwrap();
        let advice: Vec<_> = advice.split(' ').collect();
        assert_eq!(advice[2], "--diag-reg-absolute");
        let ridge: f64 = advice[1].parse().unwrap();
        assert!((ridge - 0.3).abs() < 1e-14, "{error}");
        assert_success(&run(&advice));
        std::fs::remove_file(folder.path().join("p.npz")).unwrap();
    }
    // Singular but for the rounding of f32, which is no reason.
    let g = Array1::from_shape_fn(40, |i| (0.7 * i as f32).sin());
    let k = Array2::from_shape_fn((40, 40), |(i, j)| g[i] * g[j]);
    folder.save("kdd.npy", &k);
    folder.save("y.npy", &Array1::<f64>::ones(40));
    for precision in ["f32", "f64"] {
        let flags = ["--loss", "hinge2", "--t", "1", "--precision", precision];
        assert_success(&folder.run(&[&USUAL[..], &flags].concat()));
    }
}
