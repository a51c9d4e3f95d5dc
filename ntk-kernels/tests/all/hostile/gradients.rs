//! Derivatives of kernels, choices of hyperparameters, and the evidence.

use super::kernels::{networks, samples};
use super::{NUMBERS, Panics, SIZES, activations};
use ndarray::{Array1, Array2, ArrayD, ArrayView, Axis, Dimension, array};
use ntk_kernels::closed_form::{GradientError, Precision};
use ntk_kernels::evidence::{Evidence, EvidenceError, Objective, Optimiser};
use ntk_kernels::network::*;
use ntk_kernels::{Kernel, KernelFn, Network};
use ntk_linalg::Real;

const KERNELS: [Kernel; 2] = [Kernel::Nngp, Kernel::Ntk];

/// Weights of a kernel (n, m): one that fits and is finite, and others.
fn weights<T: Real>(n: usize, m: usize) -> Vec<Array2<T>> {
    let fits = Array2::from_elem((n, m), T::one());
    let mut all = vec![
        fits.clone(),
        Array2::zeros((0, 0)),
        Array2::ones((n + 1, m)),
        Array2::from_elem((n, m), T::of(1e30)),
    ];
    for value in [f64::NAN, f64::INFINITY] {
        let mut other = fits.clone();
        other
            .iter_mut()
            .next()
            .into_iter()
            .for_each(|v| *v = T::of(value));
        all.push(other);
    }
    all
}

/// What is returned is finite.
fn finite<'a, T: Real>(all: impl IntoIterator<Item = &'a T>) {
    assert!(all.into_iter().all(|v| v.is_finite()));
}

/// All derivatives of a [`KernelFn`] for one input, and with another.
fn gradient_calls<T: Real, P: Precision<T>, D: Dimension>(
    panics: &mut Panics,
    name: &str,
    (f, chosen): (&KernelFn<'_, P>, &Hyperparameters),
    x: &ArrayView<'_, T, D>,
    others: &[ArrayView<'_, T, D>],
) {
    let count = |x: &ArrayView<'_, T, D>| x.shape().first().copied().unwrap_or(0);
    let n = count(x);
    panics.call(format!("{name}: with gradients"), || {
        let found = f.kernels_with_gradients(chosen, x);
        if let Ok(found) = &found {
            found
                .by
                .iter()
                .for_each(|by| finite(by.nngp.iter().chain(&by.ntk)));
        }
        found.is_ok()
    });
    for kernel in KERNELS {
        for weights in weights(n, n) {
            let name = format!("{name}: {kernel}, weights {:?}", weights.dim());
            panics.call(format!("{name}: hyperparameters"), || {
                let found = f.hyperparameter_gradient(kernel, chosen, x, &weights);
                found.is_ok_and(|by| by.iter().all(|v| v.is_finite()) || panic!("{by:?}"))
            });
            panics.call(format!("{name}: inputs"), || {
                let found = f.input_gradient(kernel, x, &weights);
                found.is_ok_and(|by| by.shape() == x.shape() || panic!("{:?}", by.shape()))
            });
        }
    }
    for other in others {
        let name = format!("{name} with {:?}", other.shape());
        panics.call(format!("{name}: with gradients"), || {
            f.kernels_with_gradients_between(chosen, x, other).is_ok()
        });
        for weights in weights(n, count(other)) {
            panics.call(format!("{name}: hyperparameters"), || {
                let f = f.hyperparameter_gradient_between(Kernel::Ntk, chosen, x, other, &weights);
                f.is_ok()
            });
            panics.call(format!("{name}: inputs"), || {
                f.input_gradient_between(Kernel::Ntk, x, other, &weights)
                    .is_ok()
            });
        }
    }
}

#[test]
fn gradients() {
    let mut panics = Panics::default();
    let samples = samples();
    let views: Vec<_> = samples.iter().map(|(_, x)| x.view()).collect();
    for (number, network) in networks().iter().enumerate() {
        let chosen = Hyperparameters::all(network);
        for (name, x) in &samples {
            let name = format!("network {number}, {name}");
            let f = network.kernel_fn();
            gradient_calls(&mut panics, &name, (&f, &chosen), &x.view(), &views);
            let single = x.mapv(|v| v as f32);
            let f32 = format!("{name}, f32");
            gradient_calls(&mut panics, &f32, (&f, &chosen), &single.view(), &[]);
            let mut reversed = x.view();
            (0..x.ndim()).for_each(|axis| reversed.invert_axis(Axis(axis)));
            let name = format!("{name}, reversed");
            for tile in [0, 1, usize::MAX] {
                let name = format!("{name}, tile {tile}");
                let f = network.kernel_fn().tile(tile).distinct();
                gradient_calls(
                    &mut panics,
                    &name,
                    (&f, &chosen),
                    &reversed,
                    &[reversed.view()],
                );
            }
        }
    }
    panics.none();
}

#[test]
fn gradients_of_activations_that_make_no_sense() {
    let mut panics = Panics::default();
    let x = array![[1.0, -2.0], [0.0, 0.0], [1e-200, 3.0], [1.0, -2.0]];
    for activation in activations() {
        let name = format!("{activation:?}");
        let network = Network::new().then(dense()).then(activation).then(dense());
        let listed = panics.call(format!("{name}: list"), || network.hyperparameters());
        let Some(listed) = listed else { continue };
        panics.call(name.clone(), || {
            let chosen = Hyperparameters::all(&network);
            assert_eq!(chosen.len(), listed.len());
            network.kernels_with_gradients(&chosen, &x).is_ok()
        });
        let ones = Array2::ones((4, 4));
        for kernel in KERNELS {
            panics.call(format!("{name}: {kernel}"), || {
                let chosen = Hyperparameters::all(&network);
                network
                    .hyperparameter_gradient(kernel, &chosen, &x, &ones)
                    .is_ok()
                    || network.input_gradient(kernel, &x, &ones).is_ok()
                    || network
                        .input_gradient_between(kernel, &x, &x, &ones)
                        .is_ok()
            });
        }
    }
    panics.none();
}

#[test]
fn choices_of_hyperparameters() {
    let mut panics = Panics::default();
    let all = networks();
    let names = [
        "",
        "w_std",
        "noise",
        ".",
        "layers[0]",
        "layers[0].dense.w_std",
        "\u{1b}[2J",
        "a",
    ];
    for (number, network) in all.iter().enumerate() {
        panics.call(format!("select of network {number}"), || {
            for one in names {
                for other in names {
                    let _ = Hyperparameters::select(network, &[one, other]).is_ok();
                }
            }
            Hyperparameters::select::<&str>(network, &[])
                .unwrap()
                .is_empty()
        });
        let chosen = Hyperparameters::all(network);
        for value in NUMBERS {
            panics.call(format!("set of network {number}: {value}"), || {
                let changed = chosen.set(network, &vec![value; chosen.len()]).unwrap();
                let x = Array2::from_elem((2, 4), 0.5);
                let of = Hyperparameters::all(&changed);
                let same = of.values().iter().all(|v| v.to_bits() == value.to_bits());
                assert!(same, "{of}");
                changed.kernels_with_gradients(&of, &x).is_ok()
            });
        }
        let error = chosen
            .set(network, &vec![1.0; chosen.len() + 1])
            .unwrap_err();
        assert!(
            matches!(error, HyperparameterError::Count { .. }),
            "{error}"
        );
        for other in &all {
            panics.call(format!("set of network {number} for another"), || {
                chosen.set(other, &chosen.values()).is_ok()
                    || other
                        .kernels_with_gradients(&chosen, &array![[1.0]])
                        .is_ok()
            });
        }
    }
    let network = &all[1];
    let chosen = Hyperparameters::all(network);
    let wrong = network.hyperparameter_gradient(
        Kernel::Ntk,
        &chosen,
        &array![[1.0]],
        &Array2::ones((2, 1)),
    );
    assert!(
        matches!(wrong, Err(GradientError::Weights { .. })),
        "{wrong:?}"
    );
    panics.none();
}

/// Samples and targets, of which one of each fit together.
fn data() -> Vec<(ArrayD<f64>, ArrayD<f64>)> {
    let x = array![[1.0, 0.5], [-0.3, 2.0], [0.1, -1.0]].into_dyn();
    let y = array![1.0, -0.5, 0.2].into_dyn();
    let mut all = vec![
        (x.clone(), y.clone()),
        (x.clone(), Array1::<f64>::zeros(3).into_dyn()),
        (x.clone(), Array1::<f64>::zeros(0).into_dyn()),
        (x.clone(), Array2::<f64>::zeros((3, 0)).into_dyn()),
        (x.clone(), Array1::<f64>::zeros(4).into_dyn()),
        (x.clone(), ArrayD::<f64>::zeros(vec![])),
        (x.clone(), ArrayD::<f64>::zeros(vec![3, 1, 1])),
        (ArrayD::<f64>::zeros(vec![3, 2]), y.clone()),
        (
            ArrayD::<f64>::zeros(vec![0, 2]),
            Array1::<f64>::zeros(0).into_dyn(),
        ),
        (ArrayD::<f64>::zeros(vec![3, 0]), y.clone()),
        (ArrayD::<f64>::zeros(vec![]), y.clone()),
        (ArrayD::<f64>::ones(vec![3, 2, 2]), y.clone()),
    ];
    for value in [f64::NAN, f64::INFINITY, 1e308, 5e-324] {
        let mut other = x.clone();
        other[[1, 1]] = value;
        all.push((other, y.clone()));
        let mut other = y.clone();
        other[[1]] = value;
        all.push((x.clone(), other));
    }
    all
}

#[test]
fn evidence() {
    let mut panics = Panics::default();
    for (number, (x, y)) in data().iter().enumerate() {
        for (place, network) in networks().iter().enumerate() {
            for objective in [Objective::MarginalLikelihood, Objective::LeaveOneOut] {
                let name = format!("data {number}, network {place}, {objective:?}");
                panics.call(name, || {
                    let optimiser = Optimiser::default().most_evaluations(3);
                    let evidence = Evidence::ntk(network).noise(0.1);
                    let evidence = evidence.objective(objective).optimiser(optimiser);
                    let evidence = evidence.learn(&["noise", "output_scale"]).unwrap();
                    let single = x.mapv(|v| v as f32);
                    let found = evidence.compute(x, y);
                    let _ = evidence.compute(&single, &y.mapv(|v| v as f32)).is_ok();
                    let best = evidence.optimise(x, y);
                    assert_eq!(found.is_ok(), best.is_ok());
                });
            }
        }
    }
    panics.none();
}

#[test]
fn settings_of_evidence_and_its_optimiser() {
    let mut panics = Panics::default();
    let network = Network::new()
        .then(dense().b_std(0.0))
        .then(leaky_relu(0.1))
        .then(dense());
    let (x, y) = data().swap_remove(0);
    let of = || Evidence::nngp(&network);
    for value in NUMBERS {
        for evidence in [of().noise(value), of().output_scale(value)] {
            let is_variance = value.is_finite() && value >= 0.0;
            for learned in [&["noise"][..], &["output_scale"], &["b_std"], &["a"], &[]] {
                let found = panics.call(format!("{value}, {learned:?}"), || {
                    let optimiser = Optimiser::default().most_evaluations(4);
                    let evidence = evidence
                        .clone()
                        .optimiser(optimiser)
                        .learn(learned)
                        .unwrap();
                    let found = evidence.compute(&x, &y);
                    let _ = evidence.network().to_json();
                    (found, evidence.optimise(&x, &y).is_ok())
                });
                let Some((found, optimised)) = found else {
                    continue;
                };
                if !is_variance {
                    assert!(
                        matches!(found, Err(EvidenceError::Range { .. })),
                        "{found:?}"
                    );
                    assert!(!optimised, "{value} {learned:?}");
                }
            }
        }
    }
    let starts = || of().noise(0.1).learn(&["noise", "w_std"]).unwrap();
    for low in NUMBERS {
        for high in NUMBERS {
            let found = panics.call(format!("bounds {low} {high}"), || {
                let optimiser = Optimiser::default().bounds(low, high).most_evaluations(4);
                starts().optimiser(optimiser).optimise(&x, &y).map(drop)
            });
            // Of those, 1e-320 and 0.3 below hold neither of the starts, or both.
            let ascend = low > 0.0 && low < high && high.is_finite();
            match found {
                Some(Err(EvidenceError::Limits { .. })) => assert!(!ascend, "{low} {high}"),
                _ => assert!(ascend, "{low} {high}: {found:?}"),
            }
        }
        panics.call(format!("tolerance {low}"), || {
            let optimiser = Optimiser::default().tolerance(low).most_evaluations(4);
            starts().optimiser(optimiser).optimise(&x, &y).is_ok()
        });
    }
    for size in SIZES {
        panics.call(format!("most evaluations {size}"), || {
            let optimiser = Optimiser::default()
                .most_evaluations(size)
                .restarts(1)
                .seed(u64::MAX);
            starts().optimiser(optimiser).optimise(&x, &y).is_ok()
        });
    }
    // Of other names, and of one name twice.
    for names in [
        &["", "w_std"][..],
        &["noise", "noise"],
        &["output_scale", "output_scale"],
    ] {
        assert!(of().learn(names).is_err(), "{names:?}");
    }
    panics.none();
}
