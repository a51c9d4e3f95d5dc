use super::*;

/// Entropies, in the order of the notebook, of the full kernel of infinite width, and for the
/// pairs (0,1) (0,8) (1,8) p, chi and chi over H2(p): the recursion and a Jacobi eigenvalue
/// iteration written out in Python, in double precision.
struct Infinite {
    entropies: [f64; 7],
    pairs: [[f64; 3]; 3],
    /// The notebook's measure of (0,1) with the pixels of 0 times ten, full and traced.
    brightened: [f64; 2],
}

const ON_SAMPLE: Infinite = Infinite {
    entropies: [
        2.660_224_394,
        2.801_655_241,
        2.865_454_138,
        3.245_836_824,
        3.359_383_893,
        3.456_322_734,
        3.667_298_605,
    ],
    pairs: [
        [0.518_394_081, 0.517_498_497, 0.747_322_253],
        [0.532_237_261, 0.603_160_672, 0.872_795_906],
        [0.513_876_093, 0.623_653_324, 0.900_241_769],
    ],
    brightened: [1.014_125_855, 1.091_452_629],
};

const ON_MNIST: Infinite = Infinite {
    entropies: [
        2.767_854_144,
        2.974_338_595,
        2.863_839_162,
        3.470_131_976,
        3.453_094_518,
        3.494_848_080,
        3.826_751_917,
    ],
    pairs: [
        [0.640_581_011, 0.628_063_400, 0.961_689_765],
        [0.525_720_602, 0.639_716_657, 0.924_681_887],
        [0.383_453_949, 0.588_637_474, 0.884_198_891],
    ],
    brightened: [1.021_249_454, 1.106_467_485],
};

#[test]
fn mutual_information_from_the_sample_and_on_mnist() {
    let sample = from_sample("mutual-information", 6);
    assert_eq!(sample["data"]["source"], "embedded");
    check_mutual_information(&sample, &ON_SAMPLE);
    let Some(data) = full_data() else { return };
    let mnist = from_full("mutual-information", 6, &data);
    assert_eq!(mnist["data"]["name"], "mnist");
    check_mutual_information(&mnist, &ON_MNIST);
}

fn check_mutual_information(results: &Value, infinite: &Infinite) {
    let near = |name: &str, place: Value, expected: f64| {
        let found = value(results, name, &place);
        // The references have nine digits after the point.
        let gap = (found - expected).abs();
        assert!(gap < 1e-9, "{name} {place}: {found} and not {expected}");
    };
    let classes = ["(0)", "(1)", "(8)", "(0,1)", "(0,8)", "(1,8)", "(0,1,8)"];
    for (classes, entropy) in classes.iter().zip(infinite.entropies) {
        let place = json!({"classes": classes, "kernel": "infinite"});
        near("entropy", place, entropy);
    }
    for (classes, pair) in classes[3..6].iter().zip(infinite.pairs) {
        for (name, expected) in ["p", "chi", "chi_normalized"].iter().zip(pair) {
            let place = json!({"classes": classes, "kernel": "infinite"});
            near(name, place, expected);
        }
    }
    for (kernel, expected) in ["full", "traced"].iter().zip(infinite.brightened) {
        let kernel = format!("infinite, {kernel}");
        let place = json!({"kernel": kernel, "pixels_of_0_times": 10.0});
        near("normalized", place, expected);
    }

    // Means over seeds of what is linear in entropies.
    for (x, y, both) in [
        ("(0)", "(1)", "(0,1)"),
        ("(0)", "(8)", "(0,8)"),
        ("(1)", "(8)", "(1,8)"),
    ] {
        for epoch in [0, 1, 10, 100] {
            let at = |classes: &str| json!({"classes": classes, "epoch": epoch});
            let s = |classes: &str| value(results, "entropy", &at(classes));
            let information = value(results, "mutual_information", &at(both));
            assert!(
                (s(x) + s(y) - s(both) - information).abs() < 1e-12,
                "{both}"
            );
            // Of two images and ten outputs.
            assert!(s(x) > 0.0 && s(x) < 20.0_f64.ln() && s(both) < 40.0_f64.ln());
            let chi = value(results, "chi", &at(both));
            assert!(chi > 0.0 && chi < 2.0_f64.ln(), "{both}: {chi}");
        }
    }

    let at = |epoch| json!({"epoch": epoch});
    // 100 images are learnt by heart.
    assert_eq!(value(results, "train_accuracy", &at(100)), 1.0);
    assert!(value(results, "train_loss", &at(100)) < 0.05);
    assert!(value(results, "test_accuracy", &at(100)) > 0.5);

    let outside = |measure: &str, kernel: &str, images: usize, classes: Value, epoch: Value| {
        let place = json!({
            "measure": measure, "kernel": kernel, "images_per_class": images,
            "classes": classes, "epoch": epoch,
        });
        value(results, "outside_unit_interval", &place)
    };
    let all = || Value::from("all digits");
    for epoch in [0, 100] {
        for (kernel, images) in [
            ("full", 10),
            ("full", 2),
            ("traced", 10),
            ("traced", 2),
            ("traced", 1),
        ] {
            let chi = outside("chi_normalized", kernel, images, all(), epoch.into());
            assert_eq!(chi, 0.0, "{kernel} {images}");
        }
        // One image has no entropy: 45 pairs of three networks, all divided by zero.
        let one = outside("normalized", "traced", 1, all(), epoch.into());
        assert_eq!(one, 135.0);
        assert!(outside("normalized", "traced", 2, all(), epoch.into()) > 45.0);
    }
    // The notebook's own setting, where its claim holds.
    for measure in ["normalized", "chi_normalized"] {
        let three = json!([0, 1, 8]);
        assert_eq!(outside(measure, "full", 2, three, "all".into()), 0.0);
    }
}
