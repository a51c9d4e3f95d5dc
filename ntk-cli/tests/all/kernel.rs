//! `ntk kernel`: from `.npy` to `.npz`, and its errors.

use crate::common::{Folder, assert_near, assert_success, text};
use ndarray::{Array2, Array4, array};
use serde_json::Value;
use std::f64::consts::PI;
use std::io::Write;
use std::process::{Command, Stdio};

const ONE_HIDDEN: &str = r#"{"layers": ["dense", "relu", "dense"]}"#;

fn folder() -> Folder {
    let folder = Folder::new("kernel");
    folder.write("net.json", ONE_HIDDEN);
    folder.save("a.npy", &samples());
    folder
}

/// Two orthogonal samples and the first one's opposite.
fn samples() -> Array2<f64> {
    array![[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]
}

/// The kernels of [`ONE_HIDDEN`] on [`samples`], by hand.
///
/// Before relu both kernels are `x . x' / 2`. Relu takes variances `v`, `v` and an angle `t` to
/// `v (sin t + (pi - t) cos t) / (2 pi)`, with derivative `(pi - t) / (2 pi)` (Cho and Saul
/// 2009, equations 3 to 6, halved). At the angles 0, pi/2, pi: kernels 1/4, 1/(4 pi), 0 and
/// derivatives 1/2, 1/4, 0, where the derivative at pi/2 meets a kernel of zero. The last layer
/// leaves the NNGP as it is and adds it to the NTK.
fn by_hand() -> (Array2<f64>, Array2<f64>) {
    let right = 1.0 / (4.0 * PI);
    let of = |same: f64| array![[same, right, 0.0], [right, same, right], [0.0, right, same]];
    (of(0.25), of(0.25 + 0.5 * 0.5))
}

#[test]
fn a_hand_computed_kernel() {
    let folder = folder();
    folder.write("k.npz", "what was there before");
    let output = folder.run(&["--net", "net.json", "--x1", "a.npy", "--out", "k.npz"]);
    assert_success(&output);
    let line = text(&output.stdout);
    assert_eq!(line.lines().count(), 1, "{line}");
    for word in ["nngp", "ntk", "(3, 3)", "f64", "k.npz"] {
        assert!(line.contains(word), "{line}");
    }
    let (nngp, ntk) = by_hand();
    // Rounding of a handful of operations on numbers up to one.
    let tolerance = 16.0 * f64::EPSILON;
    assert_near(&folder.load("k.npz", "nngp").unwrap(), &nngp, tolerance);
    assert_near(&folder.load("k.npz", "ntk").unwrap(), &ntk, tolerance);
    assert_eq!(folder.names(), ["a.npy", "k.npz", "net.json"]);
}

#[test]
fn one_kernel_of_two_inputs_in_f32_as_json() {
    let folder = folder();
    let (_, ntk) = by_hand();
    // Bytes of both signs' magnitudes, in column order.
    let mut second = Array2::<u8>::zeros(ndarray::ShapeBuilder::f((2, 2)));
    second.assign(&array![[0, 1], [1, 0]]);
    folder.save("b.npy", &second);
    let output = folder.run(&[
        "--net",
        "net.json",
        "--x1",
        "a.npy",
        "--x2",
        "b.npy",
        "--get",
        "ntk",
        "--precision",
        "f32",
        "--out",
        "k.npz",
        "--json",
    ]);
    assert_success(&output);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["n1"], &answer["n2"]), (&3.into(), &2.into()));
    assert_eq!(answer["get"], serde_json::json!(["ntk"]));
    assert_eq!(answer["precision"], "f32");
    assert_eq!(answer["out"], "k.npz");
    assert!(answer["seconds"].as_f64().unwrap() >= 0.0);
    assert_eq!(answer["network"].as_array().unwrap().len(), 4);
    assert_eq!(answer["network"][2]["path"], "layers[1]");
    assert_eq!(answer["network"][3]["shape"], "(512)");
    let found: Array2<f32> = folder.load("k.npz", "ntk").unwrap();
    let expected = ntk.select(ndarray::Axis(1), &[1, 0]);
    assert_near(
        &found.mapv(f64::from),
        &expected,
        f64::from(16.0 * f32::EPSILON),
    );
    assert!(folder.load::<f32>("k.npz", "nngp").is_none());
}

/// A file of version 1, as numpy writes it.
fn npy(descriptor: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let header =
        format!("{{'descr': '{descriptor}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), bytes].concat()
}

/// The samples, whose numbers every type has that takes signs, and masks.
#[test]
fn half_precision_truth_values_and_integers() {
    let folder = folder();
    let halves: Vec<_> = samples()
        .iter()
        .flat_map(|v| match *v {
            1.0 => 0x3c00_u16.to_be_bytes(),
            0.0 => 0_u16.to_be_bytes(),
            _ => 0xbc00_u16.to_be_bytes(),
        })
        .collect();
    folder.write("half.npy", npy(">f2", "(3, 2)", &halves));
    folder.save("int.npy", &samples().mapv(|v: f64| v as i64));
    folder.write("mask.npy", npy("|b1", "(2, 2)", &[1, 0, 0, 1]));
    let run = |x: &str| {
        let output = folder.run(&["--net", "net.json", "--x1", x, "--out", "k.npz"]);
        assert_success(&output);
        folder.load::<f64>("k.npz", "ntk").unwrap()
    };
    let expected = run("a.npy");
    assert_eq!(run("half.npy"), expected);
    assert_eq!(run("int.npy"), expected);
    assert_eq!(run("mask.npy"), expected.slice(ndarray::s![..2, ..2]));
}

/// Images of one pixel under a convolution of one tap are vectors under a dense layer.
#[test]
fn images_of_one_pixel_are_vectors() {
    let folder = folder();
    let images = samples().into_shape_with_order((3, 1, 1, 2)).unwrap();
    folder.save::<f64, _>("images.npy", &images);
    let net = r#"{"layers": [{"conv": {"filter": [1, 1]}}, "relu", "flatten", "dense"]}"#;
    let mut child = folder
        .command(&["--net", "-", "--x1", "images.npy", "--out", "k.npz"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(net.as_bytes())
        .unwrap();
    assert_success(&child.wait_with_output().unwrap());
    let (nngp, ntk) = by_hand();
    let tolerance = 16.0 * f64::EPSILON;
    assert_near(&folder.load("k.npz", "nngp").unwrap(), &nngp, tolerance);
    assert_near(&folder.load("k.npz", "ntk").unwrap(), &ntk, tolerance);
}

#[test]
fn mistakes_are_told_in_one_line_before_anything_is_written() {
    let folder = folder();
    folder.save("vector.npy", &array![1.0, 2.0]);
    folder.save("wide.npy", &Array2::<f64>::zeros((3, 4)));
    folder.save("images.npy", &Array4::<f64>::zeros((3, 1, 1, 2)));
    folder.save("nan.npy", &array![[1.0, 2.0], [f64::NAN, 3.0]]);
    folder.save("large.npy", &array![[1e300, 2.0]]);
    folder.write("complex.npy", npy("<c16", "(2, 2)", &[0; 64]));
    folder.save("nothing.npy", &Array2::<f64>::zeros((3, 0)));
    folder.write("text.npy", "1,2\n3,4\n");
    folder.write("typo.json", r#"{"layers": ["dense", "rellu"]}"#);
    folder.write("option.json", r#"{"layers": [{"dense": {"widht": 3}}]}"#);
    folder.write("shape.json", r#"{"layers": ["dense", "flatten", "conv"]}"#);
    folder.write("half.json", r#"{"layers": ["dense""#);
    let before = folder.names();
    let usual = |change: (&'static str, &'static str)| {
        let mut arguments = vec!["--net", "net.json", "--x1", "a.npy", "--out", "k.npz"];
        match arguments.iter().position(|a| *a == change.0) {
            Some(i) => arguments[i + 1] = change.1,
            None => arguments.extend([change.0, change.1]),
        }
        arguments
    };
    for (change, code, words) in [
        (("--net", "none.json"), 1, vec!["none.json", "cannot read"]),
        (
            ("--net", "typo.json"),
            1,
            vec!["typo.json", "layers[1]", "rellu", "relu"],
        ),
        (
            ("--net", "option.json"),
            1,
            vec!["option.json", "layers[0].dense", "widht"],
        ),
        (
            ("--net", "shape.json"),
            1,
            vec!["shape.json", "layers[2].conv"],
        ),
        (("--net", "half.json"), 1, vec!["half.json", "JSON"]),
        (
            ("--x1", "none.npy"),
            1,
            vec!["none.npy", "cannot read", "numpy.save"],
        ),
        (
            ("--x1", "text.npy"),
            1,
            vec!["text.npy", "no .npy file", "numpy.save"],
        ),
        (
            ("--x1", "complex.npy"),
            1,
            vec!["complex.npy", "c16", "x.real"],
        ),
        (
            ("--x1", "nothing.npy"),
            1,
            vec!["nothing.npy", "[3, 0]", "without numbers"],
        ),
        (("--x1", "-"), 1, vec!["--x1 -", "/dev/stdin"]),
        (
            ("--x1", "vector.npy"),
            1,
            vec!["vector.npy", "[2]", "(n, features)", "reshape"],
        ),
        (("--x1", "nan.npy"), 1, vec!["nan.npy", "[1, 0]", "NaN"]),
        (("--x2", "nan.npy"), 1, vec!["nan.npy", "[1, 0]", "NaN"]),
        (
            ("--x2", "wide.npy"),
            1,
            vec!["a.npy", "(2)", "wide.npy", "(4)"],
        ),
        (("--x2", "images.npy"), 1, vec!["(2)", "(1, 1, 2)"]),
        (
            ("--out", "none/k.npz"),
            1,
            vec!["none/k.npz", "cannot write", "--out"],
        ),
        (("--out", "."), 1, vec!["is a folder", "--out"]),
        (("--get", "nngp,ntkk"), 2, vec!["ntkk", "nngp", "ntk"]),
        (("--precision", "f16"), 2, vec!["f16", "f32", "f64"]),
    ] {
        folder.assert_refused(&folder.run(&usual(change)), code, &words, &before);
    }
    let output = folder.run(&[usual(("--x1", "large.npy")), vec!["--precision", "f32"]].concat());
    let words = ["large.npy", "[0, 0] is 1e300", "--precision f64"];
    folder.assert_refused(&output, 1, &words, &before);
    let output = folder.run(&usual(("--out", "k.NPY")));
    folder.assert_refused(&output, 1, &["k.NPY", "call it k.npz"], &before);
    let output = folder.run(&usual(("--threads", "-1")));
    folder.assert_refused(&output, 2, &["-1 is not in 1.."], &before);
}

/// Numbers that are not zero, of which the precision makes zeros, are refused; where others remain,
/// the command says so.
#[test]
fn underflow_is_told() {
    let folder = folder();
    folder.save("tiny.npy", &array![[1e-50, 0.0]]);
    folder.save("mixed.npy", &array![[1e-50, 1.0]]);
    folder.save("small.npy", &array![[1e-30, 0.0], [0.0, 0.0]]);
    folder.save("apart.npy", &array![[1e-30, 0.0], [1.0, 0.0], [0.0, 0.0]]);
    folder.save("double.npy", &array![[1e-200, 0.0]]);
    folder.save("huge.npy", &array![[1.0, 0.0], [1e200, 0.0]]);
    folder.write("low.json", r#"{"layers": [{"dense": {"w_std": 1e-30}}]}"#);
    let before = folder.names();
    let run = |net, x, precision| {
        let usual = ["--net", net, "--x1", x, "--out", "k.npz", "--quiet"];
        folder.run(&[&usual[..], &["--precision", precision]].concat())
    };
    let f64_helps = "--precision f64";
    for (x, precision, words) in [
        (
            "tiny.npy",
            "f32",
            &["1 of 1 number", "1e-50 at [0, 0]", f64_helps][..],
        ),
        ("small.npy", "f32", &["1 of 1 sample", "x . x", f64_helps]),
        ("double.npy", "f64", &["1 of 1 sample", "multiply"]),
        (
            "huge.npy",
            "f64",
            &["x . x of sample 1 is beyond f64", "multiply"],
        ),
    ] {
        let words = [&[x], words].concat();
        folder.assert_refused(&run("net.json", x, precision), 1, &words, &before);
    }
    for (net, x, words) in [
        (
            "net.json",
            "mixed.npy",
            ["1 of 2 numbers", "1e-50 at [0, 0]"],
        ),
        (
            "net.json",
            "apart.npy",
            ["1 of 2 samples", "sample 0 the first"],
        ),
        (
            "low.json",
            "a.npy",
            ["the nngp with itself of 3 samples", "x1[0]"],
        ),
    ] {
        let output = run(net, x, "f32");
        assert_success(&output);
        let told = text(&output.stderr);
        for word in words.into_iter().chain(["warning: ", f64_helps]) {
            assert!(told.contains(word), "nothing of {word}: {told}");
        }
        let output = run(net, x, "f64");
        assert_success(&output);
        assert_eq!(text(&output.stderr), "");
    }
}

/// A dry run says that the disk has no room; tiles of which there are more than memory can list are
/// counted.
#[test]
fn a_dry_run_counts_and_says_what_does_not_fit() {
    let folder = folder();
    folder.save("many.npy", &Array2::<u8>::ones((4_000_000, 1)));
    let begun = std::time::Instant::now();
    let flags = "--net net.json --x1 many.npy --store s --tile 16 --dry-run";
    let flags: Vec<_> = flags.split(' ').collect();
    let output = folder.run(&[&flags[..], &["--json"]].concat());
    assert_success(&output);
    assert!(begun.elapsed().as_secs_f64() < 5.0, "{:?}", begun.elapsed());
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["to_compute"], 250_000_u64 * 250_001 / 2);
    assert_eq!(answer["fits"], false, "{answer}");
    let told = text(&folder.run(&flags).stdout);
    assert!(
        told.contains("refused: the tiles that are missing in s"),
        "{told}"
    );
}

#[test]
fn a_result_larger_than_the_machine_is_refused() {
    let folder = folder();
    // A million samples: eight terabytes.
    folder.save("many.npy", &Array2::<u8>::zeros((1_000_000, 1)));
    let output = folder.run(&[
        "--net", "net.json", "--x1", "many.npy", "--get", "ntk", "--out", "k.npz",
    ]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("8000.0 GB for the result"), "{error}");
    assert!(error.contains("--store"), "{error}");
}

const POOLED: &str = r#"{"layers": ["conv", "relu", {"avg_pool": {"window": [2, 2]}}, "conv", "relu",
    "global_avg_pool", "dense"]}"#;

/// Runs the command where no more memory than so many bytes may be had.
#[cfg(target_os = "linux")]
fn within(folder: &Folder, bytes: u64, arguments: &[&str]) -> std::process::Output {
    Command::new("sh")
        .args(["-c", "ulimit -v $1; shift; exec \"$@\"", "sh"])
        .arg((bytes >> 10).to_string())
        .args([env!("CARGO_BIN_EXE_ntk"), "kernel"])
        .args(arguments)
        // OpenBLAS asks for the memory of its threads without end where there is none.
        .env("OPENBLAS_NUM_THREADS", "1")
        .current_dir(folder.path())
        .output()
        .unwrap()
}

/// All pairs of positions of large images are more than the result.
#[cfg(target_os = "linux")]
#[test]
fn memory_is_compared_before_the_work() {
    let folder = folder();
    folder.write("net.json", POOLED);
    let images = |side: usize| {
        Array4::from_shape_fn((2, side, side, 1), |(n, i, j, _)| ((n + i * j) % 7) as f64)
    };
    folder.save("large.npy", &images(224));
    folder.save("small.npy", &images(16));
    let usual = |x| {
        [
            "--net",
            "net.json",
            "--x1",
            x,
            "--threads",
            "1",
            "--out",
            "k.npz",
        ]
    };
    let before = folder.names();
    let refused = within(&folder, 6 << 30, &usual("large.npy"));
    let words = ["of memory", "available", "--precision f32"];
    folder.assert_refused(&refused, 1, &words, &before);
    // What is refused is what would not have been enough, and what is taken is.
    let mut limit = 64 << 20;
    let taken = loop {
        let output = within(&folder, limit, &usual("small.npy"));
        let error = text(&output.stderr);
        match output.status.code() {
            Some(0) => break limit,
            Some(1) => assert!(error.contains("of memory"), "{limit}: {error}"),
            code => assert!(limit < 1 << 28, "{limit}: {code:?} {error}"),
        }
        limit += 32 << 20;
    };
    assert!(taken < 1 << 30, "{taken}");
}

/// Where one pair alone takes long, nobody waits for it.
#[test]
fn a_dry_run_ends_soon() {
    let folder = folder();
    let deep = vec![r#"{"conv": {"filter": [3, 3], "padding": "same"}}, "relu""#; 60].join(", ");
    folder.write(
        "net.json",
        format!(r#"{{"layers": [{deep}, "global_avg_pool", "dense"]}}"#),
    );
    let images = Array4::from_shape_fn((40, 40, 40, 1), |(n, i, j, _)| ((n + i * j) % 7) as f64);
    folder.save("images.npy", &images);
    let begun = std::time::Instant::now();
    let output = folder.run(&[
        "--net",
        "net.json",
        "--x1",
        "images.npy",
        "--store",
        "s",
        "--dry-run",
        "--json",
        "--threads",
        "1",
    ]);
    assert_success(&output);
    assert!(begun.elapsed().as_secs_f64() < 5.0, "{:?}", begun.elapsed());
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Unknown, or long.
    assert!(
        answer["expected_seconds"].as_f64().is_none_or(|s| s > 1.0),
        "{answer}"
    );
    assert_eq!(answer["to_compute"], 1);
}

/// Interrupted in the middle, the file holds what it held before.
#[cfg(unix)]
#[test]
fn ctrl_c_leaves_what_was_there() {
    let folder = folder();
    let deep = vec![r#""dense", "relu""#; 400].join(", ");
    folder.write("net.json", format!(r#"{{"layers": [{deep}, "dense"]}}"#));
    let many = Array2::from_shape_fn((4000, 8), |(i, j)| ((7 * i + 3 * j) % 31) as f64 - 15.0);
    folder.save("a.npy", &many);
    folder.write("k.npz", "what was there before");
    let before = folder.names();
    let mut child = folder
        .command(&[
            "--net", "net.json", "--x1", "a.npy", "--out", "k.npz", "--quiet",
        ])
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(400));
    let killed = Command::new("sh")
        .args(["-c", &format!("kill -INT {}", child.id())])
        .status()
        .unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(folder.names(), before);
    let kept = std::fs::read_to_string(folder.path().join("k.npz")).unwrap();
    assert_eq!(kept, "what was there before");
}

/// Names of files are bytes on Unix, and JSON is text.
#[cfg(unix)]
#[test]
fn a_name_that_is_no_text_is_taken() {
    use std::os::unix::ffi::OsStrExt;
    let folder = folder();
    let name = std::ffi::OsStr::from_bytes(b"k\xff.npz");
    let mut command = folder.command(&["--net", "net.json", "--x1", "a.npy", "--json", "--out"]);
    assert_success(&command.arg(name).output().unwrap());
    assert!(folder.path().join(name).exists());
}

#[test]
fn a_matrix_comes_from_a_file_beside_the_network() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("nets")).unwrap();
    let net = |matrix: &str| {
        format!(
            r#"{{"layers": ["dense", {{"branch": {{"paths": [[{{"position_map":
                {{"axes": [1], "matrix": {matrix}}}}}]]}}}}, "relu", "flatten"]}}"#
        )
    };
    let x = ndarray::Array3::from_shape_fn((3, 2, 2), |(i, p, c)| {
        (1 + 2 * i + 3 * p + 5 * c) as f64 % 4.0 - 1.5
    });
    folder.save("x.npy", &x);
    folder.save("nets/m.npy", &array![[0.5, -1.0], [2.0, 0.25], [0.0, 1.0]]);
    folder.write("inline.json", net("[[0.5, -1.0], [2.0, 0.25], [0.0, 1.0]]"));
    folder.write("nets/net.json", net(r#"{"file": "m.npy"}"#));
    let mut kernels = Vec::new();
    for network in ["inline.json", "nets/net.json"] {
        let arguments = ["--net", network, "--x1", "x.npy", "--out", "k.npz"];
        assert_success(&folder.run(&arguments));
        kernels.push(folder.load::<f64>("k.npz", "ntk").unwrap());
    }
    assert_eq!(kernels[0], kernels[1]);

    folder.save("vector.npy", &array![1.0, 2.0]);
    folder.save("wide.npy", &array![[1.0, 2.0, 3.0]]);
    folder.save("nan.npy", &array![[1.0, f64::NAN]]);
    for (file, parts) in [
        (
            "absent.npy",
            &["paths[0][0].position_map.matrix", "absent.npy"][..],
        ),
        (
            "vector.npy",
            &["shape [2]", "a row for each output position"],
        ),
        ("wide.npy", &["matrix has 3 columns", "have 2 positions"]),
        ("nan.npy", &["at [0, 1] is NaN", "must be finite"]),
        ("inline.json", &["inline.json"]),
    ] {
        folder.write("net.json", net(&format!(r#"{{"file": "{file}"}}"#)));
        let arguments = ["--net", "net.json", "--x1", "x.npy", "--out", "no.npz"];
        let output = folder.run(&arguments);
        assert!(!output.status.success(), "{file}");
        let error = text(&output.stderr);
        assert!(
            parts.iter().all(|part| error.contains(part)),
            "{file}: {error}"
        );
        assert!(!folder.path().join("no.npz").exists());
    }
}
