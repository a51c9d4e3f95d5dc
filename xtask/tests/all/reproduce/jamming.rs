use super::*;

/// Times, training and test loss, test accuracy and unsatisfied constraints of the infinite
/// network, by an independent solution in double precision.
const JAMMING: [(f64, f64, f64, f64, f64); 4] = [
    (1e2, 0.0465225, 0.0483884, 0.880, 736.0),
    (1e3, 0.0196308, 0.0310374, 0.924, 590.0),
    (1e4, 9.87044e-4, 0.0230070, 0.944, 265.0),
    (5e4, 6.697e-7, 0.0235525, 0.944, 156.0),
];

#[test]
fn jamming_from_the_sample_and_on_mnist() {
    let sample = from_sample("jamming", 6);
    assert_eq!(sample["data"]["source"], "embedded");
    // Any network of this kind can be trained to some extent, and small ones jam.
    let crossover = |results: &Value, name: &str, by: &str| {
        value(results, name, &json!({"by": by, "seeds": 5}))
    };
    for by in ["knee", "satisfiable"] {
        let at = crossover(&sample, "crossover_N/P", by);
        let error = crossover(&sample, "crossover_N/P_standard_error", by);
        assert!(
            at > 0.03 && at < 5.0 && error > 0.0 && error < at / 2.0,
            "{by}: {at} {error}"
        );
    }

    let Some(data) = full_data() else { return };
    let results = from_full("jamming", 6, &data);
    assert_eq!(results["data"]["name"], "mnist");
    let near = |name: &str, place: Value, expected: f64, relative: f64| {
        let found = value(&results, name, &place);
        let gap = (found / expected - 1.0).abs();
        assert!(
            gap <= relative,
            "{name} {place}: {found} and not {expected}"
        );
    };
    let infinite = json!({"model": "infinite"});
    near("smallest_eigenvalue", infinite.clone(), 1.1662e-4, 1e-4);
    near("largest_eigenvalue", infinite, 127.648, 1e-5);
    for (t, train, test, accuracy, unsatisfied) in JAMMING {
        let place = || json!({"model": "infinite", "t": t});
        near(
            "train_loss",
            place(),
            train,
            if t == 5e4 { 1e-2 } else { 1e-4 },
        );
        near("test_loss", place(), test, 1e-4);
        near("test_accuracy", place(), accuracy, 1e-12);
        near("unsatisfied", place(), unsatisfied, 0.0);
    }
}
