use super::*;

#[test]
fn entropy_training_from_the_sample_in_place_of_mnist() {
    let results = from_sample("entropy-training", 7);
    assert_eq!(results["data"]["instead_of"], "mnist");
    let all = results["values"].as_array().unwrap();
    for found in all {
        let (name, number) = (
            found["name"].as_str().unwrap(),
            found["value"].as_f64().unwrap(),
        );
        if name == "entropy" {
            let n = found["where"]["n"].as_f64().unwrap();
            assert!(number > 0.0 && number <= n.ln(), "{found}");
        }
        if name.ends_with("_standard_error") {
            assert!(number >= 0.0, "{found}");
        }
        // What an f32 kernel does not resolve is no part of these entropies.
        if name == "largest_clipped_mass" {
            assert!((0.0..1e-3).contains(&number), "{found}");
        }
    }
    // Accuracy and loss of five epochs; two entropies, accuracy and loss of five sizes.
    let printed = all.iter().filter(|v| !v["printed"].is_null());
    assert_eq!(printed.count(), 2 * 5 + 4 * 5);
    let at_end = |name: &str, epoch: usize| {
        value(&results, name, &json!({"part": "epochs", "epoch": epoch}))
    };
    assert!(at_end("test_accuracy", 5) > 0.5 && at_end("test_accuracy", 0) < 0.25);
    assert!(at_end("test_loss", 5) < at_end("test_loss", 0));

    for normalization in ["trace", "cosine"] {
        let of = |name: &str, more: Value| {
            let mut place = json!({"normalization": normalization});
            let more = more.as_object().unwrap().clone();
            place.as_object_mut().unwrap().extend(more);
            value(&results, name, &place)
        };
        for n in [5, 10, 15, 20, 25, 30, 35, 40, 50, 100] {
            let infinite = json!({"part": "epochs", "n": n, "kernel": "infinite"});
            let at = |epoch: usize| json!({"part": "epochs", "n": n, "kernel": "empirical", "epoch": epoch});
            let (first, last) = (of("entropy", at(0)), of("entropy", at(5)));
            // Student's t of three seeds, both sides together 1 %.
            let error = of("entropy_standard_error", at(0));
            assert!(
                (first - of("entropy", infinite)).abs() <= 9.925 * error,
                "{n}"
            );
            let here = || json!({"part": "epochs", "n": n});
            let transfer = of("transfer", here());
            assert!(
                (transfer - (first - last)).abs() < 1e-12 && transfer > 0.0,
                "{n}"
            );
            // At no epoch above the logarithm of the number of images.
            let area = of("area", here());
            assert!(area > 0.0 && area <= 5.0 * f64::from(n).ln(), "{n}");
        }
        for n in [10, 20, 30, 50, 100] {
            let before = json!({"part": "sizes", "n": n, "choice": "first", "when": "before"});
            let start = json!({"part": "epochs", "n": n, "kernel": "empirical", "epoch": 0});
            // The same networks and images, but kernels whose f32 sums go over other blocks.
            let gap = of("entropy", before) - of("entropy", start);
            assert!(gap.abs() < 1e-4, "{n}: {gap}");
        }
    }
}
