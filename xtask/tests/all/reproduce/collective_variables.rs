use super::*;

#[test]
fn collective_variables_from_the_sample() {
    let results = from_sample("collective-variables", 5);
    assert_eq!(results["data"]["instead_of"], "mnist");
    let at = |name: &str, place: Value| value(&results, name, &place);

    // Entropies of 50 images in nats, and traces.
    let most = 50.0_f64.ln();
    for (width, layers) in [(16, 2), (64, 2), (64, 6)] {
        let place = || json!({"width": width, "layers": layers});
        for name in ["entropy", "cosine_entropy"] {
            let [before, lowest, after] =
                ["before", "lowest", "after"].map(|when| at(&format!("{name}_{when}"), place()));
            assert!(0.0 < lowest && lowest <= before.min(after) && before.max(after) <= most);
            let whole = json!({"width": width, "layers": layers, "epochs": "0 to 15"});
            let change = at(&format!("{name}_change"), whole);
            assert!((change - (after - before)).abs() <= 1e-12);
        }
        assert!(at("trace_after", place()) > at("trace_before", place()));
        // Guessing has a loss of ln 10.
        assert!(at("train_loss", place()) < 10.0_f64.ln() / 2.0);
    }

    // The closed form by NumPy in double precision, from the same images; ours are rounded to f32,
    // by 6e-8 of each pixel at most.
    for (name, expected) in [
        ("initial_entropy", 1.958_370_407),
        ("initial_cosine_entropy", 2.223_186_432),
        ("initial_trace", 32.155_467_95),
    ] {
        let found = at(name, json!({"model": "infinite"}));
        assert!((found / expected - 1.0).abs() <= 1e-7, "{name}: {found}");
    }
    // One network is off by 1/sqrt(width).
    for name in ["entropy", "cosine_entropy", "trace"] {
        let place = || json!({"deviation": "root mean square"});
        let exponent = at(&format!("{name}_exponent"), place());
        let error = at(&format!("{name}_exponent_standard_error"), place());
        assert!(
            (exponent + 0.5).abs() <= 4.0 * error,
            "{name}: {exponent} +- {error}"
        );
        assert!(error < 0.15);
    }

    for draw in ["uniform", "balanced"] {
        for initial in ["entropy", "cosine_entropy", "trace"] {
            for after in ["test_loss", "test_accuracy"] {
                let place = || json!({"draw": draw, "initial": initial, "after": after});
                let [low, rho, high] =
                    ["spearman_low", "spearman", "spearman_high"].map(|name| at(name, place()));
                assert!(-1.0 <= low && low <= rho && rho <= high && high <= 1.0);
                assert!(at("kendall", place()).abs() <= 1.0);
            }
        }
        assert_eq!(at("subsets_not_fitted", json!({"draw": draw})), 0.0);
    }
}
