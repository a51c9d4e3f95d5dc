//! Biases: none, and those that start at zero.

use ndarray::{Array2, Array4};
use ntk_kernels::network::*;

fn samples() -> Array2<f64> {
    Array2::from_shape_fn((4, 3), |(i, k)| ((1 + i * 5 + k * 3) as f64).sin())
}

/// `E[relu(u) relu(v)]` and `E[relu'(u) relu'(v)]` by their formulas.
fn rectified(q1: f64, q2: f64, q: f64) -> (f64, f64) {
    let cosine = (q / (q1 * q2).sqrt()).clamp(-1.0, 1.0);
    let angle = cosine.acos();
    let pi = std::f64::consts::PI;
    let kernel = (q1 * q2).sqrt() * (angle.sin() + (pi - angle) * cosine) / (2.0 * pi);
    (kernel, (pi - angle) / (2.0 * pi))
}

/// The NTK of dense(5), relu, dense in the standard parameterisation, written out: each layer adds
/// its inputs' products, and 1 where it has a bias.
#[test]
fn a_bias_from_zero_adds_one_in_the_standard_parameterization() {
    let x = samples();
    let product = x.dot(&x.t());
    for (first, second) in [
        (None, Some(0.0)),
        (Some(0.0), None),
        (Some(0.0), Some(0.0)),
        (None, None),
    ] {
        let network = |parameterization| {
            Network::new()
                .then(dense().width(5).b_std(first))
                .then(relu())
                .then(dense().width(2).b_std(second))
                .parameterization(parameterization)
        };
        let one = |b_std: Option<f64>| f64::from(u8::from(b_std.is_some()));
        let expected = Array2::from_shape_fn((4, 4), |(i, j)| {
            let q = |i: usize, j: usize| product[[i, j]] / 3.0;
            let (kernel, derivative) = rectified(q(i, i), q(j, j), q(i, j));
            5.0 * kernel + derivative * (product[[i, j]] + one(first)) + one(second)
        });
        let found = network(Parameterization::Standard).ntk(&x).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        // Nothing else changes: not the NNGP, and nothing in NTK parameterisation.
        let plain = Network::new()
            .then(dense().width(5))
            .then(relu())
            .then(dense().width(2));
        let plain = plain.kernels(&x).unwrap();
        let ntk = network(Parameterization::Ntk).kernels(&x).unwrap();
        assert_eq!((&ntk.nngp, &ntk.ntk), (&plain.nngp, &plain.ntk));
        let standard = network(Parameterization::Standard).nngp(&x).unwrap();
        assert_eq!(standard, plain.nngp);
    }
}

/// A convolution shares its bias among all positions, so that each pair of them gains 1.
#[test]
fn a_convolution_shares_its_bias_among_positions() {
    let x = Array4::from_shape_fn((3, 4, 3, 2), |(i, y, z, c)| {
        ((1 + 2 * y + 3 * z + 5 * c + 7 * i) as f64).cos()
    });
    for end in [global_avg_pool().into(), Layer::from(flatten())] {
        let ntk = |b_std: Option<f64>| {
            let network = Network::new().then(conv([3, 2]).channels(6).b_std(b_std));
            let network = network.then(end.clone());
            network
                .parameterization(Parameterization::Standard)
                .ntk(&x)
                .unwrap()
        };
        let difference = ntk(Some(0.0)) - ntk(None);
        assert!(
            difference.iter().all(|d| (d - 1.0).abs() < 1e-12),
            "{difference}"
        );
        assert!(
            (ntk(Some(0.5)) - ntk(Some(0.0)))
                .iter()
                .all(|d| d.abs() < 1e-12)
        );
    }
}

#[test]
fn json_tells_none_from_zero() {
    let read = |b_std: &str| {
        let text = format!(
            r#"{{"layers": [{{"dense": {{{b_std}}}}}, {{"conv": {{{b_std}}}}}, {{"attention": {{{b_std}}}}}]}}"#
        );
        Network::from_json(&text).unwrap()
    };
    let network = |b_std: Option<f64>| {
        let layers = Network::new()
            .then(dense().b_std(b_std))
            .then(conv([3, 3]).b_std(b_std));
        layers.then(attention().b_std(b_std))
    };
    assert_eq!(read(""), network(None));
    assert_eq!(read(r#""b_std": null"#), network(None));
    assert_eq!(read(r#""b_std": 0"#), network(Some(0.0)));
    assert_eq!(read(r#""b_std": 0.0"#), network(Some(0.0)));
    assert_eq!(dense().b_std(None), dense());
    assert_eq!(dense().b_std(0.0), dense().b_std(Some(0.0)));
    for b_std in [None, Some(0.0), Some(0.25)] {
        let network = network(b_std);
        assert_eq!(Network::from_json(&network.to_json()), Ok(network));
    }
}
