use super::*;

#[test]
fn graphs_and_sequences_from_their_formula() {
    let results = from_sample("graphs-and-sequences", 3);
    assert_eq!(results["data"]["source"], "synthetic");
    let at = |name: &str, place: Value| value(&results, name, &place);
    let infinite = |layers: &str, depth: usize| {
        let place = json!({"layers": layers, "depth": depth, "model": "infinite"});
        at("test_accuracy", place)
    };

    // A convolution of three positions sees tokens beside each other alone, four of them most pairs.
    assert!(infinite("conv", 4) > infinite("conv", 1));
    for layers in ["conv", "recurrent", "attention"] {
        // Guessing is right in half of 100 sequences, with a standard error of 0.05.
        let depth = if layers == "conv" { 4 } else { 1 };
        assert!(infinite(layers, depth) > 0.65, "{layers}");
    }
    for (layers, depth) in [
        ("aggregate", 3),
        ("conv", 4),
        ("recurrent", 1),
        ("attention", 1),
    ] {
        let place = || json!({"layers": layers, "depth": depth});
        let exponent = at("exponent", place());
        let error = at("exponent_standard_error", place());
        // Few narrow networks: tails are heavy, and the next term of the expansion counts.
        assert!(
            (exponent + 0.5).abs() <= 4.0 * error + 0.25,
            "{layers}: {exponent} +- {error}"
        );
        for width in [16, 32] {
            let place = json!({"layers": layers, "width": width, "model": "network"});
            let accuracy = at("test_accuracy", place);
            assert!((0.0..=1.0).contains(&accuracy));
        }
    }
}
