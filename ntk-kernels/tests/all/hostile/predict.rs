//! Predictions from kernel matrices.

use super::{NUMBERS, Panics, SIZES};
use ndarray::{Array, Array2, ArrayRef2, array, s};
use ntk_kernels::metrics::{accuracy, argmax, class_log_probabilities, log_predictive_density, r2};
use ntk_kernels::predict::{
    Flow, FlowState, KernelRegression, Loss, MseFlow, NngpEnsemble, NtkEnsemble, Posterior, Ridge,
    Solver, check, max_learning_rate, max_learning_rate_of,
};
use ntk_kernels::{FittedGaussianProcess, FittedGradientFlow, FittedKernelRidge};

/// Matrices that are no kernels, and some that are.
fn matrices() -> Vec<Array2<f64>> {
    let mut all: Vec<Array2<f64>> = [
        (0, 0),
        (0, 2),
        (2, 0),
        (1, 1),
        (2, 3),
        (3, 2),
        (4, 4),
        (6, 6),
    ]
    .map(Array2::ones)
    .to_vec();
    let good = array![[2.0, 0.5, 0.1], [0.5, 1.0, 0.2], [0.1, 0.2, 3.0]];
    for value in [f64::NAN, f64::INFINITY, -1e300, 1e300, 0.0] {
        let mut k = good.clone();
        k[[2, 2]] = value;
        all.push(k);
    }
    all.extend([
        -&good,
        Array2::zeros((3, 3)),
        array![[1.0, 2.0, 3.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        Array2::from_elem((3, 3), f64::MAX),
        Array2::from_elem((3, 3), 1e-320),
        good,
    ]);
    all
}

fn targets() -> Vec<Array2<f64>> {
    let mut all: Vec<Array2<f64>> = [
        (0, 0),
        (0, 2),
        (3, 0),
        (3, 1),
        (3, 2),
        (2, 1),
        (1, 3),
        (2, 3),
    ]
    .map(Array2::ones)
    .to_vec();
    all.extend([
        array![[f64::NAN], [1.0], [0.0]],
        array![[1e308], [-1e308], [0.0]],
    ]);
    all
}

fn ridges() -> Vec<Ridge> {
    let mut all = vec![Ridge::default(), Ridge::Relative(0.1)];
    for x in NUMBERS {
        all.extend([
            Ridge::Absolute(x),
            Ridge::Relative(x),
            Ridge::Adaptive { max_relative: x },
        ]);
    }
    all
}

const TIMES: [&[f64]; 6] = [
    &[],
    &[0.0],
    &[-1.0, 1.0],
    &[f64::NAN],
    &[2.0, 1.0],
    &[0.0, 1.0, 1e300, f64::INFINITY],
];

#[test]
fn regression_and_flow_in_closed_form() {
    let mut panics = Panics::default();
    let (matrices, targets, ridges) = (matrices(), targets(), ridges());
    for (i, k) in matrices.iter().enumerate() {
        for (j, y) in targets.iter().enumerate() {
            for (r, ridge) in ridges.iter().enumerate() {
                let name = format!("kernel {i}, targets {j}, {ridge:?}");
                let fit = || KernelRegression::fit(k.clone(), y, *ridge);
                if let Some(Ok(found)) = panics.call(format!("{name}: fit"), fit)
                    && r < 4
                {
                    regression_calls(&mut panics, &name, &found, &matrices, &targets);
                }
            }
            for (r, ridge) in ridges.iter().enumerate() {
                for rate in [1.0, 1e300, f64::NAN, 0.0, -1.0] {
                    let name = format!("kernel {i}, targets {j}, {ridge:?}, rate {rate}");
                    let new = || MseFlow::new(k, y, rate, *ridge);
                    if let Some(Ok(flow)) = panics.call(format!("{name}: flow"), new)
                        && r < 2
                    {
                        flow_calls(&mut panics, &name, &flow, &matrices, &targets);
                    }
                }
            }
        }
    }
    for eps in NUMBERS {
        let of_rounded = || MseFlow::of_rounded_kernel(&matrices[0], &targets[0], 1.0, 0.0, eps);
        panics.call(format!("of_rounded_kernel {eps}"), || {
            of_rounded().is_ok_and(|flow| flow.condition_number() >= 1.0)
        });
    }
    panics.none();
}

fn regression_calls(
    panics: &mut Panics,
    name: &str,
    found: &KernelRegression<f64>,
    matrices: &[Array2<f64>],
    targets: &[Array2<f64>],
) {
    panics.call(format!("{name}: ridge_added"), || found.ridge_added());
    panics.call(format!("{name}: smallest_eigenvalue"), || {
        found.smallest_eigenvalue().is_ok()
    });
    panics.call(format!("{name}: leave_one_out"), || {
        found.leave_one_out().is_ok()
    });
    for k in matrices {
        panics.call(format!("{name}: predict"), || {
            (found.predict(k).is_ok(), found.predict(&k.t()).is_ok())
        });
    }
    for y in targets {
        panics.call(format!("{name}: bound"), || found.bound(y).is_ok());
    }
}

fn flow_calls(
    panics: &mut Panics,
    name: &str,
    flow: &MseFlow<f64>,
    matrices: &[Array2<f64>],
    targets: &[Array2<f64>],
) {
    panics.call(format!("{name}: simple"), || {
        let _ = (flow.eigenvalues().len(), flow.null_dimension());
        (flow.ridge_added(), flow.max_learning_rate().is_ok())
    });
    for m in NUMBERS {
        panics.call(format!("{name}: momentum {m}"), || {
            let moved = flow.clone().momentum(m);
            moved.is_ok_and(|flow| flow.train(&[0.0, 1.0, 1e200, f64::INFINITY]).is_ok())
        });
    }
    let last = NngpEnsemble::new(flow.clone());
    for times in TIMES {
        panics.call(format!("{name}: train {times:?}"), || {
            flow.train(times).is_ok()
        });
        for f0 in targets {
            panics.call(
                format!("{name}: train {times:?} from {:?}", f0.dim()),
                || {
                    let flow = flow.clone().initial_outputs(f0);
                    flow.is_ok_and(|flow| flow.train(times).is_ok())
                },
            );
        }
        for k in matrices {
            panics.call(format!("{name}: test {times:?} {:?}", k.dim()), || {
                flow.test(times, k).is_ok()
            });
            for f0 in targets.iter().step_by(3) {
                panics.call(
                    format!("{name}: test {times:?} {:?} from {:?}", k.dim(), f0.dim()),
                    || {
                        let from = flow.clone().initial_outputs(f0);
                        let from = from.is_ok_and(|flow| flow.test_from(f0, times, k).is_ok());
                        (flow.test_from(f0, times, k).is_ok(), from)
                    },
                );
            }
        }
    }
    for k in matrices {
        let all = panics.call(format!("{name}: NtkEnsemble {:?}", k.dim()), || {
            NtkEnsemble::new(flow.clone(), k)
        });
        for time in [0.0, -1.0, 1e300, f64::NAN, f64::INFINITY] {
            panics.call(format!("{name}: NngpEnsemble {time} {:?}", k.dim()), || {
                let _ = last.flow();
                let (whole, diagonal) = (k, &k.diag());
                [
                    last.train_covariance(time).is_ok(),
                    last.test_covariance(time, whole, whole).is_ok(),
                    last.test_covariance(time, &k.t(), whole).is_ok(),
                    last.test_variance(time, whole, diagonal).is_ok(),
                    last.test_variance(time, whole, &array![f64::NAN]).is_ok(),
                ]
            });
            let Some(Ok(all)) = &all else { continue };
            panics.call(format!("{name}: NtkEnsemble {time}"), || {
                let _ = all.flow();
                all.train_covariance(time).is_ok()
            });
            for other in matrices {
                panics.call(
                    format!("{name}: NtkEnsemble {time} {:?}", other.dim()),
                    || {
                        let view = other;
                        (
                            all.test_covariance(time, k, view, view).is_ok(),
                            all.test_variance(time, view, k, &other.diag()).is_ok(),
                        )
                    },
                );
            }
        }
    }
}

#[test]
fn flows_by_steps() {
    let mut panics = Panics::default();
    let losses = [
        Loss::CrossEntropy,
        Loss::HalfMeanSquare,
        Loss::MeanSquare,
        Loss::QuadraticHinge { margin: f64::NAN },
        Loss::QuadraticHinge { margin: 1e300 },
        Loss::MeanPower { power: -1.0 },
        Loss::MeanPower {
            power: f64::INFINITY,
        },
    ];
    let (matrices, targets) = (matrices(), targets());
    for loss in losses {
        for (i, f) in targets.iter().enumerate() {
            for (j, y) in targets.iter().enumerate() {
                panics.call(format!("{loss:?} of {i} {j}"), || {
                    assert_eq!(loss.with_gradient(f, y).is_ok(), f.dim() == y.dim());
                    let _ = loss.check_targets(y);
                    let single = f.mapv(|v| v as f32);
                    let _ = loss.with_gradient(&single, &single);
                    SIZES.map(|n| loss.part(f, y, n).is_ok())
                });
            }
        }
        for (i, k) in matrices.iter().enumerate() {
            for (j, y) in targets.iter().enumerate() {
                let name = format!("kernel {i}, targets {j}, {loss:?}");
                let new = || Flow::new(k, y, loss);
                if let Some(Ok(flow)) = panics.call(format!("{name}: new"), new) {
                    let flow = flow.most_steps(50);
                    step_calls(&mut panics, &name, &flow, &matrices, &targets);
                    for f0 in &targets {
                        panics.call(format!("{name}: from {:?}", f0.dim()), || {
                            let from = new().and_then(|flow| flow.initial_outputs(f0));
                            from.and_then(|flow| {
                                let flow = flow.most_steps(5);
                                flow.solve(&mut flow.start(), &[1.0])?.test_from(f0, k)
                            })
                            .is_ok()
                        });
                    }
                }
            }
        }
    }
    for shape in SIZES.iter().flat_map(|&n| SIZES.map(|o| (n, o))) {
        for k in &matrices {
            panics.call(format!("with_gradient {shape:?}"), || {
                let flow = Flow::with_gradient(k, shape, |f: &ArrayRef2<f64>| {
                    f.slice(s![..0, ..]).to_owned()
                });
                flow.is_ok_and(|flow| {
                    let mut state = flow.start();
                    flow.solve(&mut state, &[1.0]).is_ok()
                })
            });
        }
    }
    let (k, y) = (matrices.last().unwrap(), Array2::ones((3, 1)));
    let flow = || Flow::new(k, &y, Loss::MeanSquare).unwrap().most_steps(20);
    for x in NUMBERS {
        panics.call(format!("options {x}"), || {
            let solve = |flow: Flow<'_, f64>| {
                let mut state = flow.start();
                flow.solve(&mut state, &[0.0, 3.0, 1e300]).is_ok()
            };
            for solver in [Solver::Chebyshev, Solver::DormandPrince] {
                let _ = flow().solver(solver).learning_rate(x).map(solve);
                let _ = flow().solver(solver).tolerance(x, 1e-6).map(solve);
                let _ = flow().solver(solver).tolerance(1e-6, x).map(solve);
                let _ = flow().solver(solver).momentum(x).map(solve);
            }
        });
        panics.call(format!("a state at {x}"), || {
            let flow = flow();
            let mut state = flow.start();
            (state.time, state.steps, state.products) = (x, usize::MAX, usize::MAX);
            flow.solve(&mut state, &[1.0, f64::MAX]).is_ok()
        });
        let number = serde_json::to_string(&x).unwrap();
        panics.call(format!("a state read with {number}"), || {
            let text = format!(
                r#"{{"time":0.5,"steps":0,"products":0,"step":{number},"initial":[{number}],"z":[0,{number}]}}"#
            );
            let state = serde_json::from_str::<FlowState>(&text);
            state.is_ok_and(|mut state| flow().solve(&mut state, &[1.0]).is_ok())
        });
        panics.call(format!("a state of the right size with {number}"), || {
            let text = format!(
                r#"{{"time":0.5,"steps":0,"products":0,"step":{number},"initial":[0,1,{number}],"z":[0,0,0,0,0,{number}]}}"#
            );
            let state = serde_json::from_str::<FlowState>(&text);
            state.is_ok_and(|mut state| flow().solve(&mut state, &[1.0, 2.0]).is_ok())
        });
    }
    panics.call("no step", || {
        let flow = flow().most_steps(0);
        let mut state = flow.start();
        flow.solve(&mut state, &[1.0]).is_ok()
    });
    panics.none();
}

fn step_calls(
    panics: &mut Panics,
    name: &str,
    flow: &Flow<'_, f64>,
    matrices: &[Array2<f64>],
    targets: &[Array2<f64>],
) {
    for times in TIMES {
        let path = panics.call(format!("{name}: {times:?}"), || {
            let mut state = flow.start();
            flow.solve(&mut state, times)
        });
        let Some(Ok(path)) = path else { continue };
        for k in matrices {
            panics.call(format!("{name}: test {:?}", k.dim()), || {
                path.test(k).is_ok()
            });
            for f0 in targets {
                panics.call(
                    format!("{name}: test {:?} from {:?}", k.dim(), f0.dim()),
                    || path.test_from(f0, k).is_ok(),
                );
            }
        }
    }
}

#[test]
fn rates_and_checks() {
    let mut panics = Panics::default();
    for (x, m) in NUMBERS.iter().flat_map(|&x| NUMBERS.map(|m| (x, m))) {
        for entries in SIZES {
            panics.call(format!("max_learning_rate {x} {entries} {m}"), || {
                max_learning_rate(x, entries, m).is_ok()
            });
        }
    }
    for k in &matrices() {
        for entries in SIZES {
            panics.call(
                format!("max_learning_rate_of {:?} {entries}", k.dim()),
                || max_learning_rate_of(k, entries, 0.5).is_ok(),
            );
            panics.call(format!("check::definite {:?}", k.dim()), || {
                check::definite(k, 1e-16).is_ok()
            });
            panics.call(format!("check::shape {:?} {entries}", k.dim()), || {
                check::shape("it", k, (entries, entries), "a test").is_ok()
            });
        }
    }
    let single = Array::from_elem((2, 2), f32::NAN);
    panics.call("max_learning_rate_of f32", || {
        max_learning_rate_of(&single, 2, 0.0).is_ok()
    });
    panics.none();
}

#[test]
fn posteriors() {
    let mut panics = Panics::default();
    let (matrices, targets) = (matrices(), targets());
    for y in &targets {
        for k in &matrices {
            let made = panics.call(format!("Posterior {:?} {:?}", k.dim(), y.dim()), || {
                Posterior::new(k.clone(), y, 0.1)
            });
            let Some(Ok(posterior)) = made else { continue };
            for y in &targets {
                panics.call("log_marginal_likelihood", || {
                    posterior.log_marginal_likelihood(y).is_ok()
                });
            }
            for a in &matrices {
                panics.call("mean", || posterior.mean(a).is_ok());
                for b in &matrices {
                    let (a, b) = (&a, &b);
                    panics.call("covariance", || posterior.covariance(a, b).is_ok());
                    panics.call("variance", || posterior.variance(a, &b.diag()).is_ok());
                    panics.call("ensemble_covariance", || {
                        posterior.ensemble_covariance(a, k, a, b).is_ok()
                            || posterior.ensemble_covariance(a, b, b, a).is_ok()
                    });
                    panics.call("ensemble_variance", || {
                        posterior.ensemble_variance(a, k, a, &b.diag()).is_ok()
                            || posterior.ensemble_variance(b, a, b, &a.diag()).is_ok()
                    });
                }
            }
        }
    }
    panics.none();
}

#[test]
fn metrics_and_files_of_estimators() {
    let mut panics = Panics::default();
    for a in matrices().iter().chain(&targets()) {
        panics.call("argmax", || argmax(a));
        for b in matrices().iter().chain(&targets()) {
            panics.call("accuracy", || accuracy(a, b));
            panics.call("r2", || r2(&a.t(), b));
            for variances in [a.diag(), b.diag()] {
                panics.call("log_predictive_density", || {
                    log_predictive_density(a, &variances, b).is_ok()
                        || log_predictive_density(&b.t(), &variances, a).is_ok()
                });
                for gap in NUMBERS {
                    panics.call("class_log_probabilities", || {
                        class_log_probabilities(a, &variances, gap).is_ok()
                            || class_log_probabilities(&a.t(), &variances, gap).is_ok()
                    });
                }
            }
        }
    }
    for bytes in [
        &b""[..],
        b"{}",
        &[0xff; 8],
        &[0; 64],
        b"\x02\0\0\0\0\0\0\0{}",
    ] {
        panics.call("from_safetensors", || {
            FittedKernelRidge::<f64>::from_safetensors(bytes).is_ok()
                || FittedGaussianProcess::<f32>::from_safetensors(bytes).is_ok()
                || FittedGradientFlow::<f64>::from_safetensors(bytes).is_ok()
        });
    }
    panics.none();
}
