use super::*;

fn closed_form(results: &Value) -> Vec<&Value> {
    let values = results["values"].as_array().unwrap();
    values
        .iter()
        .filter(|v| !v["where"]["kernel"].is_null() && v["name"] != "agreement")
        .collect()
}

#[test]
fn shallow_relu_from_the_sample_and_from_the_full_data() {
    let embedded = from_sample("shallow-relu", 12);
    assert_eq!(embedded["data"]["source"], "embedded");
    assert!(embedded["data"]["instead_of"].is_null());

    // Reference values: NumPy in double precision, the same formulas and images.
    let sizes = [100, 400, 700, 1000, 1300, 1600, 1900];
    let as_printed = [23.511, 15.196, 13.155, 5.420, 5.356, 5.309, 5.274];
    let correct = [
        25.0855, 16.4797, 14.1623, 5.92948, 5.86360, 5.81324, 5.77642,
    ];
    // What the notebook printed, in single precision.
    let notebook = [
        23.512009, 15.195990, 13.155245, 5.420178, 5.355395, 5.308579, 5.274092,
    ];
    for (i, n) in sizes.into_iter().enumerate() {
        let smallest = |kernel: &str| {
            value(
                &embedded,
                "smallest_eigenvalue",
                &json!({"n": n, "kernel": kernel}),
            )
        };
        assert!((smallest("as_printed") - as_printed[i]).abs() <= 0.5e-3 * (1.0 + 1e-9));
        assert!((smallest("as_printed") / notebook[i] - 1.0).abs() <= 1e-4);
        let digit = if n < 1000 { 1e-4 } else { 1e-5 };
        assert!((smallest("correct") - correct[i]).abs() <= 0.5 * digit * (1.0 + 1e-9));
    }
    for (kernel, accuracy, bound) in [
        ("as_printed", 0.9165, 0.105_305),
        ("correct", 0.916, 0.099_457),
    ] {
        let at = |n| json!({"n": n, "kernel": kernel});
        assert_eq!(value(&embedded, "test_accuracy", &at(200)), accuracy);
        assert!((value(&embedded, "bound", &at(1900)) - bound).abs() <= 0.5e-6);
    }
    let moving = value(&embedded, "coordinates_that_move", &json!({"p": 1000}));
    assert_eq!(moving, 100.0);

    let Some(data) = full_data() else { return };
    let full = from_full("shallow-relu", 12, &data);
    assert_eq!(full["data"]["source"], "full");
    assert_ne!(full["data"]["sha256"], embedded["data"]["sha256"]);
    assert_eq!(closed_form(&full), closed_form(&embedded));
}
