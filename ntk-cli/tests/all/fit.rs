//! `ntk fit`, and `ntk predict --fitted` of what it wrote.

use crate::common::{Folder, assert_near, assert_success, json, text};
use ndarray::{Array1, Array2, Array3, Axis, Ix1, Ix3, array};
use ntk_kernels::network::{Network, Parameterization, dense, relu, scale};
use ntk_kernels::{Evidence, GaussianProcess, Kernel, Optimiser};
use serde_json::Value;
use std::process::Output;

const NET: &str = r#"{"layers": [{"dense": {"w_std": 1.4, "b_std": 0.5}}, "relu", {"dense": {"w_std": 1.4, "b_std": 0.5}}]}"#;

fn network(w_std: f64) -> Network {
    let hidden = || dense().w_std(w_std).b_std(0.5);
    Network::new()
        .then(hidden())
        .then(relu())
        .then(hidden())
        .parameterization(Parameterization::Ntk)
}

/// A smooth function of two numbers, and what repeats nowhere.
fn data(first: usize, n: usize) -> (Array2<f64>, Array1<f64>) {
    let number = |i: usize| (first + i) as f64;
    let x = Array2::from_shape_fn((n, 2), |(i, j)| (number(i) * (1.3 + j as f64)).sin() * 1.5);
    let noise = Array1::from_shape_fn(n, |i| 0.1 * (number(i) * number(i)).sin());
    let y = x.map_axis(Axis(1), |x| (2.0 * x[0]).sin() + 0.5 * x[1]) + noise;
    (x, y)
}

/// Three classes of the same samples.
fn labels(y: &Array1<f64>) -> Array1<i64> {
    y.mapv(|y| i64::from(y > 0.0) + i64::from(y > 0.7))
}

fn folder(command: &'static str) -> Folder {
    let folder = Folder::new(command);
    folder.write("net.json", NET);
    for ([x, y, classes], (samples, targets)) in [
        (["x.npy", "y.npy", "l.npy"], data(0, 30)),
        (["z.npy", "t.npy", "lt.npy"], data(100, 12)),
    ] {
        folder.save(x, &samples);
        folder.save(y, &targets);
        folder.save(classes, &labels(&targets));
    }
    folder
}

const USUAL: [&str; 8] = [
    "--net", "net.json", "--x", "x.npy", "--y", "y.npy", "--out", "f.json",
];

fn fit(folder: &Folder, more: &[&str]) -> Output {
    let run = folder.run(&[&USUAL[..], more].concat());
    assert_success(&run);
    run
}

fn fitted(folder: &Folder) -> Value {
    serde_json::from_slice(&folder.read("f.json")).unwrap()
}

/// The network in the file, as the library reads it, and the noise.
fn learned(file: &Value) -> (Network, f64) {
    let network = Network::from_json(&file["network"].to_string()).unwrap();
    (network, file["noise"].as_f64().unwrap())
}

#[test]
fn it_finds_the_largest_evidence_and_writes_where_it_is() {
    let folder = folder("fit");
    folder.write("f.json", "what was there before");
    let output = fit(&folder, &["--learn", "w_std,noise,output_scale"]);
    let said = text(&output.stdout);
    for word in [
        "marginal-likelihood",
        "nngp",
        "w_std",
        "noise",
        "output_scale",
        "converged",
        "f.json",
    ] {
        assert!(said.contains(word), "{said}");
    }
    assert_eq!(text(&output.stderr), "");

    let file = fitted(&folder);
    assert_eq!(
        (&file["kernel"], &file["converged"]),
        (&"nngp".into(), &true.into())
    );
    let (x, y) = data(0, 30);
    let evidence = |w_std: f64, noise: f64, output_scale: f64| {
        let process = GaussianProcess::nngp(&network(w_std).then(scale(output_scale.sqrt())));
        let fitted = process.noise(noise).fit(&x, &y).unwrap();
        fitted.log_marginal_likelihood().unwrap()
    };
    let near = |found: &Value, expected: f64| {
        let found = found.as_f64().unwrap();
        // Both sum 30 numbers and a factor's logarithms, whose condition number is some 1e4.
        assert!(
            (found - expected).abs() < 1e-9 * expected.abs(),
            "{found} {expected}"
        );
    };
    near(&file["objective"]["start"], evidence(1.4, 0.1, 1.0));
    let at: Vec<f64> = file["learned"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| of["end"].as_f64().unwrap())
        .collect();
    let end = evidence(at[0], at[1], at[2]);
    near(&file["objective"]["end"], end);
    assert!(end > evidence(1.4, 0.1, 1.0) + 1.0);
    // No neighbour is more probable.
    for i in 0..3 {
        for factor in [0.9, 1.1] {
            let mut other = [at[0], at[1], at[2]];
            other[i] *= factor;
            assert!(
                evidence(other[0], other[1], other[2]) < end + 1e-3,
                "{i} {factor}"
            );
        }
    }
    // The scale is the last layer.
    let (found, noise) = learned(&file);
    assert_eq!(found, network(at[0]).then(scale(at[2].sqrt())));
    assert_eq!((noise, file["output_scale"].as_f64()), (at[1], Some(at[2])));
    assert!(file["environment"]["revision"].is_string());
    assert_eq!(file["targets"]["samples"], 30);
    assert_eq!(folder.names().len(), 8);
}

#[test]
fn what_it_finds_is_what_the_library_finds() {
    let folder = folder("fit");
    let more = [
        "--learn",
        "w_std,layers[0].dense.b_std,noise",
        "--kernel",
        "ntk",
        "--objective",
        "leave-one-out",
        "--noise",
        "0.2",
        "--restarts",
        "2",
        "--seed",
        "7",
        "--bounds",
        "1e-3,50",
        "--json",
    ];
    let answer = json(&folder.run(&[&USUAL[..], &more].concat()));
    let (x, y) = data(0, 30);
    let optimiser = Optimiser::default().restarts(2).seed(7).bounds(1e-3, 50.0);
    let best = Evidence::ntk(&network(1.4))
        .noise(0.2)
        .objective(ntk_kernels::Objective::LeaveOneOut)
        .optimiser(optimiser)
        .learn(&["w_std", "layers[0].dense.b_std", "noise"])
        .unwrap()
        .optimise(&x, &y)
        .unwrap();
    let (found, noise) = learned(&answer);
    assert_eq!((found, noise), (best.network, best.noise));
    assert_eq!(answer["objective"]["end"].as_f64(), Some(best.end.value));
    assert_eq!(answer["runs"].as_array().unwrap().len(), 3);
    let evaluations: usize = best.runs.iter().map(|run| run.evaluations).sum();
    assert_eq!(answer["evaluations"], evaluations);
    // The same command writes the same file.
    let before = folder.read("f.json");
    fit(&folder, &more);
    assert_eq!(before, folder.read("f.json"));
}

#[test]
fn what_has_not_converged_is_written_and_told() {
    let folder = folder("fit");
    let output = fit(
        &folder,
        &[
            "--learn",
            "w_std,noise",
            "--most-evaluations",
            "3",
            "--quiet",
        ],
    );
    let error = text(&output.stderr);
    assert_eq!(
        (error.lines().count(), text(&output.stdout).as_str()),
        (1, ""),
        "{error}"
    );
    for word in [
        "warning: it has not converged",
        "most evaluations",
        "--most-evaluations",
    ] {
        assert!(error.contains(word), "{error}");
    }
    let file = fitted(&folder);
    assert_eq!(
        (&file["converged"], &file["evaluations"]),
        (&false.into(), &3.into())
    );
    assert!(file["objective"]["end"].as_f64() > file["objective"]["start"].as_f64());
}

#[test]
fn what_ends_at_a_bound_is_told() {
    let folder = folder("fit");
    let output = fit(
        &folder,
        &["--learn", "noise", "--noise", "0.5", "--bounds", "0.4,2"],
    );
    let error = text(&output.stderr);
    for word in ["noise ended at a bound of 4e-1,2e0", "--bounds"] {
        assert!(error.contains(word), "{error}");
    }
    assert_eq!(fitted(&folder)["at_bounds"], serde_json::json!(["noise"]));
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let folder = folder("fit");
    folder.write("no_bias.json", r#"{"layers": ["dense", "relu", "dense"]}"#);
    folder.save("nan.npy", &Array1::from_elem(30, f64::NAN));
    let before = folder.names();
    let places = [
        "layers[0].dense.w_std",
        "layers[2].dense.w_std",
        "noise",
        "output_scale",
    ];
    for (net, x, y, more, code, words) in [
        (
            "net.json",
            "x.npy",
            "y.npy",
            &["--learn", "width"][..],
            1,
            &places[..],
        ),
        (
            "no_bias.json",
            "x.npy",
            "y.npy",
            &["--learn", "b_std,noise"],
            1,
            &["\"b_std\"", "no bias"],
        ),
        (
            "net.json",
            "x.npy",
            "y.npy",
            &["--learn", ""],
            1,
            &["\"\"", "w_std"],
        ),
        ("net.json", "x.npy", "y.npy", &[], 2, &["--learn"]),
        (
            "net.json",
            "x.npy",
            "y.npy",
            &["--learn", "noise,noise"],
            1,
            &["both choose noise"],
        ),
        (
            "net.json",
            "x.npy",
            "y.npy",
            &["--learn", "w_std,layers[0].dense.w_std"],
            1,
            &["both choose"],
        ),
        (
            "net.json",
            "x.npy",
            "y.npy",
            &["--learn", "noise", "--noise", "-1"],
            1,
            &["--noise is -1"],
        ),
        (
            "net.json",
            "x.npy",
            "y.npy",
            &["--learn", "noise", "--noise", "nan"],
            1,
            &["--noise is NaN"],
        ),
        (
            "net.json",
            "x.npy",
            "y.npy",
            &["--learn", "noise", "--noise", "0"],
            1,
            &["positive"],
        ),
        (
            "net.json",
            "x.npy",
            "y.npy",
            &["--learn", "w_std", "--output-scale", "-2"],
            1,
            &["--output-scale is -2"],
        ),
        (
            "net.json",
            "x.npy",
            "y.npy",
            &["--learn", "noise", "--noise", "1e9"],
            1,
            &["1000000000", "--bounds"],
        ),
        (
            "net.json",
            "x.npy",
            "y.npy",
            &["--learn", "noise", "--bounds", "2,1"],
            2,
            &["ascending"],
        ),
        (
            "none.json",
            "x.npy",
            "y.npy",
            &["--learn", "noise"],
            1,
            &["none.json"],
        ),
        (
            "net.json",
            "none.npy",
            "y.npy",
            &["--learn", "noise"],
            1,
            &["none.npy"],
        ),
        (
            "net.json",
            "x.npy",
            "none.npy",
            &["--learn", "noise"],
            1,
            &["none.npy"],
        ),
        (
            "net.json",
            "x.npy",
            "t.npy",
            &["--learn", "noise"],
            1,
            &["t.npy", "12 samples", "30 samples"],
        ),
        (
            "net.json",
            "x.npy",
            "nan.npy",
            &["--learn", "noise"],
            1,
            &["nan.npy", "NaN"],
        ),
        (
            "net.json",
            "x.npy",
            "y.npy",
            &["--learn", "noise", "--one-hot"],
            1,
            &["--one-hot", "whole numbers"],
        ),
    ] {
        let files = ["--net", net, "--x", x, "--y", y, "--out", "f.json"];
        let output = folder.run(&[&files[..], more].concat());
        folder.assert_refused(&output, code, words, &before);
    }
    for (out, words) in [
        ("none/f.json", ["none/f.json", "--out"]),
        ("f.npy", ["f.npy would be JSON", "call it f.json"]),
        ("f.npz", ["f.npz would be JSON", "call it f.json"]),
    ] {
        let output = folder.run(&[&USUAL[..7], &[out, "--learn", "noise"]].concat());
        folder.assert_refused(&output, 1, &words, &before);
    }
    folder.save("huge.npy", &Array1::from_elem(30, 1e200));
    let before = folder.names();
    let files = ["--net", "net.json", "--x", "x.npy", "--y", "huge.npy"];
    let output = folder.run(&[&files[..], &["--learn", "w_std", "--out", "f.json"]].concat());
    folder.assert_refused(&output, 1, &["the evidence", "targets"], &before);
}

/// Layers without planes of positions have derivatives, too.
#[test]
fn attention_is_learned() {
    let folder = folder("fit");
    let network =
        r#"{"layers": [{"attention": {"mechanism": "softmax"}}, "relu", "flatten", "dense"]}"#;
    folder.write("attention.json", network);
    let value = |(i, p, c)| ((i * 5 + p * 3 + c * 7) % 11) as f64 / 5.0 - 1.0;
    folder.save("rows.npy", &Array3::from_shape_fn((30, 4, 2), value));
    let learn = "layers[0].attention.w_out_std,noise";
    let of_rows = ["--net", "attention.json", "--x", "rows.npy"];
    let run = folder.run(&[&of_rows[..], &USUAL[4..], &["--learn", learn]].concat());
    assert_success(&run);
    let file = fitted(&folder);
    let learned = file["learned"].as_array().unwrap();
    assert_eq!(learned.len(), 2);
    let moved = learned.iter().all(|of| of["start"] != of["end"]);
    assert!(moved, "{learned:?}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_fit_and_leaves_what_was_there() {
    let folder = folder("fit");
    // Minutes of evaluations.
    let (x, y) = data(0, 3000);
    folder.save("x.npy", &x);
    folder.save("y.npy", &y);
    folder.write("f.json", "what was there before");
    let before = folder.names();
    let more = ["--learn", "w_std,b_std,noise", "--restarts", "9", "--quiet"];
    let mut child = folder
        .command(&[&USUAL[..], &more].concat())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(400));
    let killed = std::process::Command::new("sh")
        .args(["-c", &format!("kill -INT {}", child.id())])
        .status()
        .unwrap();
    assert!(killed.success());
    let begun = std::time::Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    assert_eq!(folder.names(), before);
    assert_eq!(folder.read("f.json"), b"what was there before");
}

const PREDICT: [&str; 10] = [
    "predict", "--fitted", "f.json", "--x", "x.npy", "--x-test", "z.npy", "--out", "p.npz", "--y",
];

/// The command that takes what `fit` wrote.
fn predict(folder: &Folder, more: &[&str]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ntk"));
    command.args(PREDICT).args(more).current_dir(folder.path());
    command.output().unwrap()
}

fn array_of(folder: &Folder, name: &str) -> Array1<f64> {
    folder.load_of::<f64, Ix1>("p.npz", name).unwrap()
}

fn at_the_end(folder: &Folder, name: &str) -> Array2<f64> {
    let all = folder.load_of::<f64, Ix3>("p.npz", name).unwrap();
    assert_eq!(all.len_of(Axis(0)), 1);
    all.index_axis_move(Axis(0), 0)
}

/// `ln N(y; f, v)`.
fn log_density(y: f64, f: f64, v: f64) -> f64 {
    -0.5 * ((y - f).powi(2) / v + (std::f64::consts::TAU * v).ln())
}

#[test]
fn predictions_are_those_of_the_process_that_was_fitted() {
    for kernel in [Kernel::Nngp, Kernel::Ntk] {
        let folder = folder("fit");
        fit(
            &folder,
            &[
                "--learn",
                "w_std,output_scale,noise",
                "--kernel",
                kernel.name(),
            ],
        );
        let answer = json(&predict(&folder, &["y.npy", "--y-test", "t.npy", "--json"]));
        let (network, noise) = learned(&fitted(&folder));
        let process = match kernel {
            Kernel::Nngp => GaussianProcess::nngp(&network),
            Kernel::Ntk => GaussianProcess::ntk(&network),
        };
        let ((x, y), (z, t)) = (data(0, 30), data(100, 12));
        let process = process.noise(noise).fit(&x, &y).unwrap();
        // The same calls, in sums that may be in another order.
        let tolerance = 1e-10;
        for (name, at) in [("train", &x), ("test", &z)] {
            let (mean, variance) = process.predict_with_variance(at).unwrap();
            assert_near(&at_the_end(&folder, name), &mean, tolerance);
            let found = array_of(&folder, &format!("{name}_variance"));
            let expected = (variance + noise).insert_axis(Axis(1));
            assert_near(&found.insert_axis(Axis(1)), &expected, tolerance);
        }
        assert_eq!(array_of(&folder, "t"), array![f64::INFINITY]);
        let (mean, variance) = (
            at_the_end(&folder, "test"),
            array_of(&folder, "test_variance"),
        );
        let densities = (0..12).map(|i| log_density(t[i], mean[[i, 0]], variance[i]));
        let expected = densities.sum::<f64>() / 12.0;
        let found = answer["score"]["log_predictive_density"].as_f64().unwrap();
        assert!(
            (found - expected).abs() < 1e-12 * (1.0 + expected.abs()),
            "{found} {expected}"
        );
        let missed: f64 = (0..12).map(|i| (t[i] - mean[[i, 0]]).powi(2)).sum();
        let about = t.mapv(|y| (y - t.mean().unwrap()).powi(2)).sum();
        let r2 = answer["score"]["r2"].as_f64().unwrap();
        assert!((r2 - (1.0 - missed / about)).abs() < 1e-12, "{answer}");
        assert_eq!(answer["score"].as_object().unwrap().len(), 2, "{answer}");
    }
}

#[test]
fn one_hot_targets_have_probabilities() {
    let folder = folder("fit");
    for signs in [&[][..], &["--signs"]] {
        let flags = [&["--one-hot"][..], signs].concat();
        let net = [
            "--net", "net.json", "--x", "x.npy", "--y", "l.npy", "--out", "f.json",
        ];
        let learn = ["--learn", "w_std,noise"];
        assert_success(&folder.run(&[&net[..], &learn, &flags].concat()));
        // Of the test samples some classes alone.
        let (_, t) = data(100, 12);
        let classes = labels(&t).mapv(|label| label.min(1));
        folder.save("lt.npy", &classes);
        let scored = [&["l.npy", "--y-test", "lt.npy", "--json"][..], &flags].concat();
        let answer = json(&predict(&folder, &scored));
        let (mean, variance) = (
            at_the_end(&folder, "test"),
            array_of(&folder, "test_variance"),
        );
        let found: Array2<f64> = folder.load("p.npz", "test_probabilities").unwrap();
        assert_eq!(found.dim(), (12, 3));
        let off = if signs.is_empty() { 0.0 } else { -1.0 };
        let (mut logs, mut right, mut densities) = (0.0, 0.0, 0.0);
        for i in 0..12 {
            let log = |class: usize| -> f64 {
                let target = |k| if k == class { 1.0 } else { off };
                (0..3)
                    .map(|k| log_density(target(k), mean[[i, k]], variance[i]))
                    .sum()
            };
            let all: f64 = (0..3).map(|class| log(class).exp()).sum();
            for class in 0..3 {
                assert!((found[[i, class]] - log(class).exp() / all).abs() < 1e-10);
            }
            let class = usize::try_from(classes[i]).unwrap();
            logs += found[[i, class]].ln() / 12.0;
            densities += log(class) / 12.0;
            let best = (0..3).max_by(|&a, &b| mean[[i, a]].total_cmp(&mean[[i, b]]));
            right += f64::from(u8::from(best == Some(class))) / 12.0;
        }
        for (name, expected) in [
            ("log_probability", logs),
            ("accuracy", right),
            ("log_predictive_density", densities),
        ] {
            let found = answer["score"][name].as_f64().unwrap();
            assert!(
                (found - expected).abs() < 1e-10,
                "{name}: {found} {expected}"
            );
        }
        // Of the same targets alone.
        let before = folder.names();
        let missing = predict(&folder, &["l.npy"]);
        folder.assert_refused(
            &missing,
            1,
            &["f.json", "with --one-hot", "give it"],
            &before,
        );
    }
}

#[test]
fn without_noise_a_seen_sample_has_no_density_and_that_is_told() {
    let folder = folder("fit");
    fit(&folder, &["--learn", "w_std", "--noise", "0"]);
    folder.save("z.npy", &data(0, 30).0);
    let output = predict(&folder, &["y.npy", "--y-test", "y.npy"]);
    assert_success(&output);
    let error = text(&output.stderr);
    let said = text(&output.stdout);
    assert!(
        error.contains("no densities") && said.contains("r2"),
        "{error}{said}"
    );
    assert!(!said.contains("density"), "{said}");
}

#[test]
fn in_f32_predictions_are_near_and_test_samples_may_be_missing() {
    let folder = folder("fit");
    fit(&folder, &["--learn", "noise"]);
    assert_success(&predict(&folder, &["y.npy"]));
    let expected = at_the_end(&folder, "train");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ntk"));
    command.args(&PREDICT[..5]).args(&PREDICT[7..]);
    command
        .args(["y.npy", "--precision", "f32"])
        .current_dir(folder.path());
    assert_success(&command.output().unwrap());
    let found = folder.load_of::<f32, Ix3>("p.npz", "train").unwrap();
    let found = found.index_axis_move(Axis(0), 0).mapv(f64::from);
    assert_near(&found, &expected, 1e-3);
    assert!(folder.load_of::<f32, Ix3>("p.npz", "test").is_none());
}

#[test]
fn what_is_no_fit_or_does_not_fit_is_refused() {
    let folder = folder("fit");
    fit(&folder, &["--learn", "noise"]);
    let right = text(&folder.read("f.json"));
    let with = |name: &str, from: &str, to: &str| {
        assert!(right.contains(from), "{right}");
        folder.write(name, right.replacen(from, to, 1));
    };
    with("negative.json", "\"noise\": 0", "\"noise\": -0");
    with("other.json", "\"nngp\"", "\"rbf\"");
    with("layer.json", "\"relu\"", "\"rulu\"");
    folder.write("half.json", &right[..right.len() / 2]);
    folder.save("two.npy", &Array2::<f64>::ones((30, 2)));
    folder.save("long.npy", &Array2::<f64>::ones((30, 3)));
    folder.save("wide.npy", &Array2::<f64>::ones((12, 3)));
    let before = folder.names();
    let refused = |arguments: &[&str], code, words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ntk"));
        command
            .arg("predict")
            .args(arguments)
            .args(["--out", "p.npz"]);
        let output = command.current_dir(folder.path()).output().unwrap();
        folder.assert_refused(&output, code, words, &before);
    };
    for (file, words) in [
        (
            "negative.json",
            &["negative.json", "noise is -0.", "not negative"][..],
        ),
        ("other.json", &["other.json", "rbf", "ntk fit"]),
        ("layer.json", &["layer.json", "rulu"]),
        ("half.json", &["half.json", "ntk fit"]),
        ("net.json", &["net.json", "ntk fit"]),
        ("none.json", &["none.json", "ntk fit"]),
    ] {
        refused(
            &["--fitted", file, "--x", "x.npy", "--y", "y.npy"],
            1,
            words,
        );
    }
    let of = ["--fitted", "f.json", "--x", "x.npy", "--y"];
    let wrong: [(&[&str], i32, &[&str]); 10] = [
        (&["two.npy"], 1, &["two.npy", "(30, 2)", "(30, 1)"]),
        (&["t.npy"], 1, &["t.npy", "(12, 1)", "(30, 1)"]),
        (&["y.npy", "--x-test", "wide.npy"], 1, &["wide.npy", "(3)"]),
        (
            &["y.npy", "--x-test", "z.npy", "--y-test", "y.npy"],
            1,
            &["y.npy", "12 samples"],
        ),
        (&["y.npy", "--y-test", "t.npy"], 2, &["--x-test"]),
        (
            &["l.npy", "--one-hot"],
            1,
            &["without --one-hot", "leave it out"],
        ),
        (
            &["y.npy", "--k-dd", "x.npy"],
            2,
            &["'--fitted <JSON>' cannot be used with '--k-dd <NPY>'"],
        ),
        (
            &["y.npy", "--diag-reg", "0.1"],
            2,
            &["--fitted", "--diag-reg"],
        ),
        (&["y.npy", "--t", "1"], 2, &["--fitted", "--t"]),
        (
            &["y.npy", "--loss", "cross-entropy"],
            2,
            &["--fitted", "--loss"],
        ),
    ];
    for (more, code, words) in wrong {
        refused(&[&of[..], more].concat(), code, words);
    }
    refused(
        &["--fitted", "f.json", "--x", "long.npy", "--y", "y.npy"],
        1,
        &["long.npy", "[3]", "f.json", "[2]"],
    );
    refused(&["--fitted", "f.json", "--y", "y.npy"], 2, &["--x"]);
    refused(
        &["--k-dd", "x.npy", "--x", "x.npy", "--y", "y.npy"],
        2,
        &["--x <NPY>", "--k-dd"],
    );
    refused(&["--y", "y.npy"], 2, &["--k-dd"]);
}

#[test]
fn no_test_samples_have_no_predictions_and_no_score() {
    let folder = folder("fit");
    folder.save("z.npy", &Array2::<f64>::zeros((0, 2)));
    folder.save("lt.npy", &Array1::<i64>::zeros(0));
    let (_, y) = data(0, 30);
    folder.save("y.npy", &labels(&y));
    fit(&folder, &["--learn", "noise, w_std", "--one-hot"]);
    let found = predict(
        &folder,
        &["y.npy", "--y-test", "lt.npy", "--one-hot", "--json"],
    );
    let answer = json(&found);
    assert_eq!(answer["test"], serde_json::json!([1, 0, 3]));
    assert_eq!(answer["score"], Value::Null);
    let test = folder.load_of::<f64, Ix3>("p.npz", "test").unwrap();
    assert_eq!(test.dim(), (1, 0, 3));
}
