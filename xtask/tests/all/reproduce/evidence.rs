use super::*;

const DATA: [&str; 3] = ["sines", "linear teacher", "images"];

/// Whatever the images: the evidence chooses what predicts well, and finds the noise where it is known.
fn the_evidence_chooses_well(results: &Value) {
    let at = |name: &str, place: Value| value(results, name, &place);
    for data in DATA {
        for by in ["evidence", "leave_one_out"] {
            let among = "depths and activations";
            let place = json!({"data": data, "among": among, "by": by});
            let over = at("test_error_over_least", place.clone());
            // The least of few is the least by luck too: the error of a mean of 200 squares is a tenth.
            assert!((1.0..1.2).contains(&over), "{data} {by}: {over}");
            assert!((-1.0..=1.0).contains(&at("spearman", place)));
        }
    }
    // Predictions of linear targets get worse with every step away from linear networks.
    for activation in ["relu", "erf"] {
        for by in ["evidence", "leave_one_out"] {
            let among = format!("variances, {activation}");
            let place = json!({"data": "linear teacher", "among": among, "by": by});
            let found = at("spearman", place);
            assert!(found < -0.8, "{activation} {by}: {found}");
        }
    }
    // Of 60 samples the variance of noise is known to a standard error of 18 % at best; three of them.
    for (data, noise) in [("sines", 0.04), ("linear teacher", 0.09)] {
        let place = json!({"data": data, "activation": "erf", "depth": 1});
        let found = at("noise", place);
        assert!((found / noise - 1.0).abs() < 0.55, "{data}: {found}");
        let floor = at("noise_floor", json!({"data": data}));
        assert!((0.0..0.5).contains(&floor), "{data}: {floor}");
    }
    for data in DATA {
        for activation in ["relu", "erf"] {
            let place = json!({"data": data, "activation": activation});
            let chi = at("chi", place.clone());
            // Of relu chi_1 is w_std^2/2.
            if activation == "relu" {
                let w_std = at("w_std", place);
                assert!(
                    (chi - w_std * w_std / 2.0).abs() < 1e-9,
                    "{data}: {chi} {w_std}"
                );
            }
        }
    }
}

#[test]
fn evidence_from_the_sample() {
    the_evidence_chooses_well(&from_sample("evidence", 5));
}

#[test]
fn evidence_from_the_full_data() {
    let Some(data) = full_data() else { return };
    the_evidence_chooses_well(&from_full("evidence", 5, &data));
}
