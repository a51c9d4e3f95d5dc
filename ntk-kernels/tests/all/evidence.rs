//! Evidence and its gradient against scikit-learn, differences, and by what it learns.

use ndarray::{Array1, Array2, Axis, array};
use ntk_kernels::evidence::{Evidence, EvidenceError, Objective, Optimiser};
use ntk_kernels::network::*;
use ntk_kernels::{GaussianProcess, Inputs, Kernel, Structure};
use ntk_linalg::Observer;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[derive(Deserialize)]
struct References {
    x: Vec<Vec<f64>>,
    y: Vec<Vec<f64>>,
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    network: Network,
    kernel: Kernel,
    output_scale: f64,
    noise: f64,
    log_marginal_likelihood: f64,
    gradient_by_logarithms: BTreeMap<String, f64>,
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    let flat: Vec<f64> = rows.iter().flatten().copied().collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), flat).unwrap()
}

fn of(network: &Network, kernel: Kernel) -> Evidence<'static> {
    match kernel {
        Kernel::Nngp => Evidence::nngp(network),
        Kernel::Ntk => Evidence::ntk(network),
    }
}

#[test]
fn agrees_with_scikit_learn() {
    let all: References = serde_json::from_str(include_str!("../golden/evidence.json")).unwrap();
    let (x, y) = (matrix(&all.x), matrix(&all.y));
    assert_eq!(all.cases.len(), 3);
    for (name, case) in all.cases {
        let learned: Vec<_> = case.gradient_by_logarithms.keys().cloned().collect();
        let evidence = of(&case.network, case.kernel)
            .noise(case.noise)
            .output_scale(case.output_scale)
            .learn(&learned)
            .unwrap();
        let found = evidence.compute(&x, &y).unwrap();
        let expected = case.log_marginal_likelihood;
        assert!(
            (found.value / expected - 1.0).abs() < 1e-8,
            "{name}: {} {expected}",
            found.value
        );
        assert_eq!(found.jitter, 0.0);
        for ((name, by), value) in found.names.iter().zip(&found.gradient).zip(&found.at) {
            let expected = case.gradient_by_logarithms[name];
            let by = by * value;
            assert!(
                (by - expected).abs() < 1e-8 * (1.0 + expected.abs()),
                "{name} {by} {expected}"
            );
        }
        // The process itself, which has the scale as its last layer.
        let process = match case.kernel {
            Kernel::Nngp => GaussianProcess::nngp(&evidence.network()),
            Kernel::Ntk => GaussianProcess::ntk(&evidence.network()),
        };
        let fitted = process.noise(case.noise).fit(&x, &y).unwrap();
        assert!((fitted.log_marginal_likelihood().unwrap() / expected - 1.0).abs() < 1e-8);
    }
}

fn hidden() -> Dense {
    dense().w_std(1.4).b_std(0.5)
}

fn network() -> Network {
    Network::new()
        .then(hidden())
        .then(leaky_relu(0.2))
        .then(hidden())
        .then(erf(1.0, 1.0, 0.0))
        .then(hidden())
}

fn data(n: usize) -> (Array2<f64>, Array1<f64>) {
    let x = Array2::from_shape_fn((n, 2), |(i, j)| {
        ((i * 7 + j * 5 + i * j) % 17) as f64 / 6.0 - 1.3
    });
    let y = x.map_axis(Axis(1), |x| (2.0 * x[0]).sin() + 0.5 * x[1]);
    // Noise that repeats nowhere.
    let y = &y + &Array1::from_shape_fn(n, |i| 0.1 * ((i * i * 13 % 29) as f64 / 14.0 - 1.0));
    (x, y)
}

#[test]
fn gradients_are_differences() {
    let (x, y) = data(14);
    let names = [
        "w_std",
        "layers[1].leaky_relu.a",
        "layers[2].dense.b_std",
        "noise",
        "output_scale",
    ];
    for kernel in [Kernel::Nngp, Kernel::Ntk] {
        for objective in [Objective::MarginalLikelihood, Objective::LeaveOneOut] {
            let at = |w_std: f64, a: f64, b_std: f64, noise: f64, scale: f64| {
                let network = Network::new()
                    .then(hidden().w_std(w_std))
                    .then(abrelu(a, 1.0))
                    .then(hidden().w_std(w_std).b_std(b_std))
                    .then(erf(1.0, 1.0, 0.0))
                    .then(hidden().w_std(w_std));
                of(&network, kernel)
                    .objective(objective)
                    .noise(noise)
                    .output_scale(scale)
            };
            let values = [1.4, 0.2, 0.5, 0.07, 1.3];
            let compute = |v: [f64; 5]| {
                at(v[0], v[1], v[2], v[3], v[4])
                    .compute(&x, &y)
                    .unwrap()
                    .value
            };
            let evidence = of(&network(), kernel)
                .objective(objective)
                .noise(0.07)
                .output_scale(1.3);
            let found = evidence.learn(&names).unwrap().compute(&x, &y).unwrap();
            assert_eq!(found.at, values);
            for (number, found) in found.gradient.iter().enumerate() {
                let moved = |by: f64| {
                    let mut values = values;
                    values[number] += by;
                    compute(values)
                };
                let slope = |step: f64| (moved(step) - moved(-step)) / (2.0 * step);
                let expected = (4.0 * slope(5e-4) - slope(1e-3)) / 3.0;
                let far = (found - expected).abs() / (1.0 + expected.abs());
                assert!(far < 1e-8, "{}: {found} {expected}", names[number]);
            }
        }
    }
}

/// Of sequences of several lengths, whose padding does not matter; the learned network is better.
#[test]
fn masked_sequences_have_evidence() {
    let (n, length) = (12, 5);
    let masked = Array2::from_shape_fn((n, length), |(i, p)| p > i % length);
    let padded = |padding: f64| {
        ndarray::Array3::from_shape_fn((n, length, 2), |(i, p, c)| match masked[[i, p]] {
            true => padding,
            false => ((i * 7 + p * 5 + c * 3) % 11) as f64 / 5.0 - 1.0,
        })
    };
    let masks = Structure::of_mask(&masked);
    let y = Array1::from_shape_fn(n, |i| (i as f64).sin());
    let at = |w_std: f64| {
        let network = Network::new()
            .then(conv([3]).same().w_std(w_std))
            .then(gelu())
            .then(global_avg_pool())
            .then(dense().w_std(w_std));
        Evidence::ntk(&network).noise(0.1)
    };
    let x = padded(0.0);
    let value = |w_std: f64| {
        let found = at(w_std).compute(Inputs::new(&x).structure(&masks), &y);
        found.unwrap().value
    };
    let learned = at(1.1).learn(&["w_std"]).unwrap();
    let other = padded(3.5);
    for x in [&x, &other] {
        let found = learned
            .compute(Inputs::new(x).structure(&masks), &y)
            .unwrap();
        let slope = |step: f64| (value(1.1 + step) - value(1.1 - step)) / (2.0 * step);
        let expected = (4.0 * slope(5e-4) - slope(1e-3)) / 3.0;
        let far = (found.gradient[0] - expected).abs() / (1.0 + expected.abs());
        assert!(far < 1e-8, "{found:?} {expected}");
    }
    let best = learned
        .optimise(Inputs::new(&x).structure(&masks), &y)
        .unwrap();
    assert!(best.end.value > best.start.value, "{best:?}");
}

#[test]
fn learning_finds_the_noise_and_a_maximum() {
    let (x, y) = data(60);
    let optimiser = Optimiser::default().restarts(2).seed(3);
    let evidence = Evidence::nngp(&network()).noise(1.0).optimiser(optimiser);
    let learned = evidence.learn(&["w_std", "b_std", "noise"]).unwrap();
    let best = learned.optimise(&x, &y).unwrap();
    assert!(best.end.value > best.start.value + 10.0, "{best:?}");
    // Uniform on [-0.1, 0.1], nearly: of variance 0.0033.
    assert!((0.001..0.01).contains(&best.noise), "{}", best.noise);
    assert!(
        best.runs.len() == 3 && best.runs[0].converged,
        "{:?}",
        best.runs
    );
    for (value, by) in best.end.at.iter().zip(&best.end.gradient) {
        assert!((value * by).abs() < 1e-3, "{:?}", best.end);
    }
    // The network that is given back is where the maximum is.
    let again = Evidence::nngp(&best.network)
        .noise(best.noise)
        .compute(&x, &y)
        .unwrap();
    assert!((again.value / best.end.value - 1.0).abs() < 1e-12);
    assert_eq!(best.end.value, learned.optimise(&x, &y).unwrap().end.value);
}

#[test]
fn an_optimiser_that_cannot_go_on_keeps_the_best() {
    let (x, y) = data(30);
    let optimiser = Optimiser::default().most_evaluations(4);
    let evidence = Evidence::nngp(&network()).noise(1.0).optimiser(optimiser);
    let best = evidence
        .learn(&["w_std", "noise"])
        .unwrap()
        .optimise(&x, &y)
        .unwrap();
    let [run] = &best.runs[..] else {
        panic!("{:?}", best.runs)
    };
    assert!(!run.converged && run.evaluations == 4, "{run:?}");
    assert!(run.stopped.contains("most evaluations"), "{run:?}");
    assert!(best.end.value > best.start.value);
}

#[test]
fn bad_input_is_refused() {
    let (x, y) = data(5);
    let evidence = || Evidence::nngp(&network()).noise(0.1);
    let error = evidence().learn(&["width"]).err().unwrap().to_string();
    assert!(
        error.contains("\"width\"") && error.contains("layers[0].dense.w_std"),
        "{error}"
    );
    assert!(evidence().learn(&["noise", "noise"]).is_err());
    assert!(
        evidence()
            .learn(&["w_std", "layers[0].dense.w_std"])
            .is_err()
    );
    assert_eq!(
        evidence().optimise(&x, &y).unwrap_err(),
        EvidenceError::NothingLearned
    );
    let start = Evidence::nngp(&network())
        .learn(&["noise"])
        .unwrap()
        .optimise(&x, &y);
    assert!(matches!(start.unwrap_err(), EvidenceError::Start { .. }));
    let far = Evidence::nngp(&network())
        .noise(1e9)
        .learn(&["noise"])
        .unwrap()
        .optimise(&x, &y);
    assert!(matches!(far.unwrap_err(), EvidenceError::Bounds { .. }));
    let negative = Evidence::nngp(&network()).noise(-1.0).compute(&x, &y);
    assert!(matches!(
        negative.unwrap_err(),
        EvidenceError::Range { name: "noise", .. }
    ));
    assert!(evidence().compute(&x, &array![1.0]).is_err());
    assert!(
        evidence()
            .compute(&x, &array![1.0, f64::NAN, 0.0, 0.0, 0.0])
            .is_err()
    );
    // Twice the same sample without noise: lifted, and said by how much.
    let twice = ndarray::concatenate![Axis(0), x, x];
    let both = ndarray::concatenate![Axis(0), y, y];
    let found = Evidence::nngp(&network()).compute(&twice, &both).unwrap();
    assert!(found.jitter > 0.0);
}

#[test]
fn cancelling_ends_learning_at_once() {
    /// Asks to stop once it was asked so often.
    struct After(AtomicUsize);
    impl Observer for After {
        fn cancelled(&self) -> bool {
            let left = |left: usize| left.checked_sub(1);
            self.0.fetch_update(SeqCst, SeqCst, left).is_err()
        }
    }
    let (x, y) = data(6);
    for asked in [0, 1, 3, 6] {
        let after = After(AtomicUsize::new(asked));
        let evidence = Evidence::nngp(&network()).noise(0.1).observer(&after);
        let found = evidence.learn(&["w_std"]).unwrap().optimise(&x, &y);
        let error = found.unwrap_err().to_string();
        assert!(error.contains("stopped on request"), "{asked}: {error}");
    }
}

#[test]
fn evidence_beyond_f64_is_refused_and_said_to_be_of_the_targets() {
    let (x, y) = data(5);
    for learned in ["noise", "w_std", "output_scale"] {
        let evidence = Evidence::nngp(&network()).noise(0.1);
        let evidence = evidence.learn(&[learned]).unwrap();
        let error = evidence.compute(&x, &(&y * 1e160)).unwrap_err();
        assert!(
            matches!(error, EvidenceError::Overflow { .. })
                && error.to_string().contains("targets"),
            "{learned}: {error}"
        );
    }
}

#[test]
fn only_a_start_at_a_maximum_says_that_it_converged() {
    // Twice the same sample with other targets: without noise the smallest step is cliffs high, and the
    // derivatives are lost in rounding.
    let (x, y) = data(4);
    let twice = ndarray::concatenate![Axis(0), x, x];
    let both = ndarray::concatenate![Axis(0), y, &y + 1.0];
    let evidence = Evidence::nngp(&network()).noise(1e-14);
    let best = evidence
        .learn(&["w_std"])
        .unwrap()
        .optimise(&twice, &both)
        .unwrap();
    for run in &best.runs {
        let flat = run.gradient <= 1e-5;
        assert!(
            run.converged == flat && run.stopped.contains("converged") == flat,
            "{run:?}"
        );
    }
}
