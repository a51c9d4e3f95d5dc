//! Kernels in f32 against f64, of many positions, channels and features and at large offsets.

use ndarray::{Array2, Array3, Array4, ArrayD};
use ntk_kernels::Network;
use ntk_kernels::network::*;
use proptest::prelude::*;

/// Layers that sum over positions, each with how many positions it takes in a test.
fn sums(positions: usize) -> Vec<(&'static str, usize, Network)> {
    let n = |most: usize| positions.min(most);
    let pool = |layer: Pool| Network::new().then(layer).then(flatten()).then(dense());
    let end = |network: Network| network.then(dense());
    let half = |size: usize| size.div_ceil(2);
    vec![
        ("average", n(1500), pool(avg_pool([half(n(1500))]))),
        ("sum", n(1500), pool(sum_pool([half(n(1500))]))),
        (
            "same",
            n(1500),
            pool(avg_pool([n(1500).saturating_sub(1).max(1)]).same()),
        ),
        (
            "circular",
            n(600),
            pool(avg_pool([half(n(600))]).padding(Padding::Circular)),
        ),
        (
            "edges",
            n(600),
            pool(
                avg_pool([half(n(600))])
                    .strides([3])
                    .same()
                    .normalize_edges(),
            ),
        ),
        (
            "overlapping",
            n(600),
            pool(avg_pool([half(n(600))]).strides([1])),
        ),
        ("flatten", positions, end(Network::new().then(flatten()))),
        (
            "global average",
            n(1500),
            end(Network::new().then(global_avg_pool())),
        ),
        (
            "global sum",
            n(1500),
            end(Network::new().then(global_sum_pool())),
        ),
        (
            "filter",
            n(600),
            end(Network::new().then(conv([half(n(600))])).then(flatten())),
        ),
        (
            "normalised",
            positions,
            end(Network::new()
                .then(conv([1]))
                .then(layer_norm().axes([1, 2]))
                .then(flatten())),
        ),
        (
            "attention",
            n(100),
            end(Network::new()
                .then(conv([1]))
                .then(attention())
                .then(flatten())),
        ),
    ]
}

fn value(i: usize, p: usize, offset: f64, spread: f64) -> f32 {
    (offset + spread * ((i * 31 + p * 17 + i * p) % 97) as f64 / 97.0) as f32
}

fn offsets() -> impl Strategy<Value = f64> {
    // Constants whose squares are rounded, so that plain sums of them drift.
    prop_oneof![Just(0.0), Just(0.1), Just(99.9), Just(-1234.567), Just(3e4)]
}

fn check(network: &Network, x: &ArrayD<f32>, count: usize) -> Result<(), TestCaseError> {
    let exact = network.kernels(&x.mapv(f64::from)).unwrap();
    let found = network.kernels(x).unwrap();
    for (found, exact) in [(&found.nngp, &exact.nngp), (&found.ntk, &exact.ntk)] {
        let scale = exact.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
        let pairs = found.iter().zip(exact);
        let far = pairs.fold(0.0_f64, |far, (&a, b)| far.max((f64::from(a) - b).abs()));
        // A few units in the last place, times the root of the number of summands.
        let bound = 4.0 * f64::from(f32::EPSILON) * (count as f64).sqrt().min(8.0) * scale;
        prop_assert!(far <= bound, "{}: {} of {count}", network, far / scale);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn sums_over_positions(
        size in prop_oneof![1..40_usize, 100..10_000_usize],
        offset in offsets(),
        spread in prop_oneof![Just(0.0), Just(1.0), Just(50.0)],
        layer in 0..12_usize,
    ) {
        let (name, positions, network) = sums(size).swap_remove(layer);
        let x = Array3::from_shape_fn((3, positions, 2), |(i, p, c)| {
            value(i + 5 * c, p, offset + 0.01, spread)
        });
        let x = x.into_dyn();
        let result = check(&network, &x, positions);
        prop_assert!(result.is_ok(), "{name} {positions} {offset} {spread}: {result:?}");
    }

    #[test]
    fn sums_over_channels(
        channels in prop_oneof![1..40_usize, 100..10_000_usize],
        offset in offsets(),
        spread in prop_oneof![Just(0.0), Just(1.0)],
    ) {
        let network = Network::new().then(conv([2])).then(flatten()).then(dense());
        let x = Array3::from_shape_fn((3, 4, channels), |(i, p, c)| {
            value(i + 5 * p, c, offset + 0.01, spread)
        });
        check(&network, &x.into_dyn(), channels)?;
    }

    #[test]
    fn norms_of_samples(
        features in prop_oneof![1..40_usize, 100..10_000_usize],
        offset in offsets(),
        spread in prop_oneof![Just(0.0), Just(1.0)],
    ) {
        let x = Array2::from_shape_fn((3, features), |(i, p)| value(i, p, offset + 0.01, spread));
        let network = Network::new().then(dense()).then(dense());
        let exact = network.kernel_diagonal(&x.mapv(f64::from)).unwrap();
        let found = network.kernel_diagonal(&x).unwrap();
        for (found, exact) in found.ntk.iter().zip(&exact.ntk) {
            prop_assert!((f64::from(*found) / exact - 1.0).abs() <= 8.0 * f64::from(f32::EPSILON));
        }
    }
}

#[test]
fn images_of_bytes_under_wide_windows() {
    let x = Array4::from_shape_fn((3, 64, 64, 1), |(i, y, x, _)| {
        ((i * 41 + y * 13 + x * 29 + x * y) % 256) as f32
    });
    for window in [[64, 64], [62, 62], [40, 40]] {
        let network = Network::new()
            .then(avg_pool(window))
            .then(flatten())
            .then(dense());
        check(&network, &x.clone().into_dyn(), 4096).unwrap();
    }
}

/// An option that the element type does not hold, or whose square it does not, is refused: a clamped
/// one has another kernel.
#[test]
fn options_beyond_the_precision_are_refused() {
    let x = ndarray::array![[1.0_f64, 2.0], [-0.5, 1.0]];
    let single = x.mapv(|v| v as f32);
    let layer = |layer: &str| {
        let text = format!(r#"{{"layers": ["dense", {layer}, "dense"]}}"#);
        Network::from_json(&text).unwrap()
    };
    let told = |error: ntk_kernels::KernelError, words: [&str; 3]| {
        let error = error.to_string();
        for word in words {
            assert!(error.contains(word), "nothing of {word}: {error}");
        }
    };
    for text in [
        r#"{"erf": {"b": 1e19}}"#,
        r#"{"erf": {"b": 1e30}}"#,
        r#"{"erf": {"a": 1e15, "b": 1e-20}}"#,
        r#"{"gaussian": {"b": -1e38}}"#,
        r#"{"gaussian": {"b": -1e39}}"#,
    ] {
        let network = layer(text);
        network.ntk(&x).unwrap();
        let error = network.ntk(&single).unwrap_err();
        told(error, ["layers[1].", "beyond f32", "compute in f64"]);
    }
    for (text, b) in [
        (r#"{"erf": {"b": 1e154}}"#, "b is 1e154"),
        (r#"{"erf": {"b": -1e200}}"#, "b is -1e200"),
        (r#"{"erf": {"b": 1e-160}}"#, "b is 1e-160"),
        (r#"{"gaussian": {"b": -1e308}}"#, "b is -1e308"),
    ] {
        for error in [layer(text).ntk(&x).err(), layer(text).ntk(&single).err()] {
            told(error.unwrap(), ["layers[1].", b, "nearer to 1"]);
        }
    }
    // The parameters of usual networks, zeros and what underflows are no reason.
    for text in [
        r#"{"erf": {"b": 0.0}}"#,
        r#"{"erf": {"b": 1e15}}"#,
        r#"{"erf": {"a": 1e-30}}"#,
        r#"{"gaussian": {"b": 0.0}}"#,
        r#"{"gaussian": {"b": -1e10}}"#,
        r#"{"sin": {"a": 1e-10, "b": 1e10}}"#,
        r#"{"rbf": {"gamma": 1e30}}"#,
    ] {
        layer(text).ntk(&x).unwrap();
        layer(text).ntk(&single).unwrap();
    }
}

/// Windows over too much padding are refused, and the padding named.
#[test]
fn huge_paddings_are_named() {
    let text = r#"{"layers": [{"conv": {"padding": [1000000000, 1000000000]}}, "flatten"]}"#;
    let network = Network::from_json(text).unwrap();
    let x = Array4::<f64>::ones((1, 4, 4, 1));
    let error = network.ntk(&x).unwrap_err().to_string();
    assert!(
        error.contains("with padding ") && error.contains("less padding"),
        "{error}"
    );
}
