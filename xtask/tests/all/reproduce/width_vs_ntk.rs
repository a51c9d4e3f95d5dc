use super::*;

#[test]
fn width_vs_ntk_from_the_sample_in_place_of_mnist() {
    let results = from_sample("width-vs-ntk", 4);
    let data = &results["data"];
    assert_eq!(data["name"], "fashion-mnist");
    assert_eq!(data["source"], "embedded");
    assert_eq!(data["instead_of"], "mnist");
    assert!(data["note"].as_str().unwrap().contains("in place of mnist"));
    // 6 sizes, 2 kernels, 8 times; 6 sizes, 2 widths; each on train and test.
    let values = results["values"].as_array().unwrap();
    assert_eq!(values.len(), 2 * (6 * 2 * 8 + 6 * 2));
    for value in values {
        assert!((0.0..=1.0).contains(&value["value"].as_f64().unwrap()));
        assert!(value["printed"].is_null());
    }
    for kernel in ["nngp", "ntk"] {
        for n in [64, 2048] {
            let end = json!({"n": n, "kernel": kernel, "t": "inf"});
            // No two of the images are alike, so that the kernel fits them all.
            assert_eq!(value(&results, "train_accuracy", &end), 1.0);
            // An answer regardless of the image is right for a tenth.
            assert!(value(&results, "test_accuracy", &end) > 0.5);
        }
    }
}

/// All accuracies of both kernels on MNIST against neural_tangents.
#[test]
fn width_vs_ntk_on_mnist_as_neural_tangents_has_it() {
    let Some(data) = full_data() else { return };
    let golden: Value = serde_json::from_str(include_str!("golden/width_vs_ntk.json")).unwrap();
    let results = from_full("width-vs-ntk", 4, &data);
    assert_eq!(results["data"]["name"], "mnist");
    assert_eq!(results["data"]["source"], "full");
    let mut compared = 0;
    for row in golden["rows"].as_array().unwrap() {
        let n = row["n"].as_f64().unwrap();
        for (name, images) in [("train_accuracy", n), ("test_accuracy", 1000.0)] {
            let expected = row[name].as_array().unwrap();
            for (t, expected) in golden["times"].as_array().unwrap().iter().zip(expected) {
                let place = json!({"n": row["n"], "kernel": row["kernel"], "t": t});
                let found = value(&results, name, &place);
                // One image whose two largest outputs are equal to rounding, and two where the
                // small eigenvalues count; the reference has four digits.
                let late = t.as_f64().is_none_or(|t| t >= 1e6);
                let tolerance = if late { 2.0 } else { 1.0 } / images + 0.5e-4;
                let expected = expected.as_f64().unwrap();
                assert!(
                    (found - expected).abs() <= tolerance,
                    "{name} {place}: {found}, and {expected} was expected"
                );
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 192);
}
