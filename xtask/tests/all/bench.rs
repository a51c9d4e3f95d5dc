//! `cargo xtask bench --peers` with a peer that is a shell script, on few samples.

use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// Answers as the Python program would, the second case by ending for want of memory.
const PEER: &str = r#"#!/bin/sh
echo '{"neural_tangents": "0.0", "python": "none"}'
while read -r line; do case $line in
    *dense3-4096*) echo '{"seconds": 1.5, "values": [1, 2, 3, 4, 5, 6]}';;
    *) echo 'terminate called: std::bad_alloc' >&2; exit 1;;
esac; done
"#;

/// The record that `bench --peers` shows of these cases of a suite, and the same as Markdown.
fn record(suite: &str, cases: &[&str]) -> (Value, String) {
    let home = tempfile::tempdir().unwrap();
    let python = home.path().join("python");
    std::fs::write(&python, PEER).unwrap();
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
    let out = home.path().join("records");
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["bench", "--peers"])
        .args(cases)
        .args(["--samples", "8", "--rounds", "3", "--offline", "--json"])
        .arg("--python")
        .arg(&python)
        .arg("--out")
        .arg(&out)
        .env_remove("NTK_DATA_DIR")
        .env("HOME", home.path())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");

    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let json = std::fs::read(out.join(format!("{suite}.json"))).unwrap();
    assert_eq!(shown, serde_json::from_slice::<Value>(&json).unwrap());
    let text = std::fs::read_to_string(out.join(format!("{suite}.md"))).unwrap();
    let home_name = home.path().to_str().unwrap();
    assert!(!text.contains(home_name), "{text}");
    (shown, text)
}

#[test]
fn a_record_of_two_cases() {
    let (record, text) = record("kernels", &["dense3-4096", "dense3-8192"]);
    assert_eq!(record["peer"]["neural_tangents"], "0.0");
    assert_eq!(record["environment"]["threads"], 2);
    assert!(record["limits"].as_array().unwrap().len() >= 3);

    let [ran, ended] = &record["cases"].as_array().unwrap()[..] else {
        panic!("{record}");
    };
    assert_eq!(
        (&ran["case"], &ran["peer"]),
        (&"dense3-4096".into(), &"ran".into())
    );
    let peer = ran["seconds"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&peer["name"], &peer["minimum"]),
        (&"peer".into(), &1.5.into())
    );
    assert_eq!(peer["all"].as_array().unwrap().len(), 3);
    // The script's entries are no kernel's.
    assert_eq!(ran["agreement"]["agrees"], false);
    let ratio = &ran["numbers"][0];
    assert_eq!(ratio["name"], "peer / ours");
    let ours = ran["seconds"][0]["minimum"].as_f64().unwrap();
    assert!((ratio["measured"].as_f64().unwrap() * ours / 1.5 - 1.0).abs() < 1e-12);
    // Targets are for the case's own size.
    assert_eq!(
        (&ratio["asked"], &ratio["met"]),
        (&Value::Null, &Value::Null)
    );

    assert_eq!(ended["peer"], "out of memory");
    assert_eq!(ended["agreement"], Value::Null);
    assert!(
        ended["seconds"]
            .as_array()
            .unwrap()
            .iter()
            .all(|t| t["name"] != "peer")
    );

    for word in [
        "| dense3-4096",
        "out of memory",
        "--python PATH",
        "GFLOP/s",
        "embedded sample",
    ] {
        assert!(text.contains(word), "no {word} in {text}");
    }
}

#[test]
fn a_record_of_an_epoch() {
    let (record, text) = record("networks", &["mlp-epoch"]);
    let case = &record["cases"][0];
    assert_eq!(
        (&case["size"], &case["peer"]),
        (&"8 in 1".into(), &"out of memory".into())
    );
    assert_eq!(case["seconds"][0]["all"].as_array().unwrap().len(), 3);
    assert_eq!(case["numbers"].as_array().unwrap().len(), 1);
    // Columns are of what took turns.
    assert!(
        text.contains("ours f32") && !text.contains("ours f64"),
        "{text}"
    );
    assert!(text.contains("mean of its batches' losses"), "{text}");
}

#[test]
fn a_record_of_predictions() {
    let (record, text) = record("predict", &["flow"]);
    let case = &record["cases"][0];
    assert_eq!(
        (&case["size"], &case["peer"]),
        (&"8 + 8 x 1 x 1".into(), &"out of memory".into())
    );
    let numbers = case["numbers"].as_array().unwrap();
    let error = numbers.iter().find(|n| n["name"] == "error of ours");
    let error = error.unwrap()["measured"].as_f64().unwrap();
    assert!((0.0..1e-2).contains(&error), "{error}");
    // Nothing is told of what did not run.
    assert!(numbers.iter().all(|n| n["name"] != "error of peer"));
    assert!(text.contains("error of ours"), "{text}");
}

#[test]
fn random_networks_that_the_peer_lacks() {
    let home = tempfile::tempdir().unwrap();
    let python = home.path().join("python");
    let peer = r#"#!/bin/sh
echo '{"neural_tangents": "0.0"}'
while read -r line; do case $line in
    *'"case":"0"'*) echo '{"error": "NotHere: no such layer"}';;
    *) echo '{"error": "ValueError: not so"}';;
esac; done
"#;
    std::fs::write(&python, peer).unwrap();
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args([
            "bench",
            "--peers",
            "fuzz",
            "--networks",
            "5",
            "--json",
            "--python",
        ])
        .arg(&python)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["networks"], 5);
    assert_eq!(report["absent"]["no such layer"], serde_json::json!([0]));
    assert_eq!(
        report["refused"]["ValueError: not so"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
    assert_eq!(
        (&report["agree"], &report["findings"]),
        (&0.into(), &serde_json::json!([]))
    );
}
