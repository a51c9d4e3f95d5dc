//! The flow against formulas, against itself, and against gradient descent in small steps.

use super::*;
use approx::assert_relative_eq;
use ndarray::{Array1, Axis, array, s};
use ntk_linalg::{Cancelled, LinalgError, eigh};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A kernel of rank up to `rank` with eigenvalues over three decades, and targets +1 and -1.
fn problem(n: usize, rank: usize, o: usize) -> (Array2<f64>, Array2<f64>) {
    let mut rng = ChaCha8Rng::seed_from_u64(n as u64);
    let x = Array2::from_shape_fn((n, rank), |(_, j)| {
        rng.random_range(-1.0..1.0) * 10.0_f64.powf(-1.5 * j as f64 / rank.max(1) as f64)
    });
    let y = Array2::from_shape_fn(
        (n, o),
        |(i, a)| if (i * (a + 2)) % 3 == 0 { 1.0 } else { -1.0 },
    );
    (x.dot(&x.t()), y)
}

/// What a method of second order errs by, if a step errs by `tolerance`: with steps of length
/// tolerance^(1/3) there are tolerance^(-1/3) of them.
fn all_told(tolerance: f64) -> f64 {
    tolerance.powf(2.0 / 3.0)
}

fn start(n: usize, o: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, o), |(i, a)| ((3 * i + a) as f64).sin())
}

fn one_hot(n: usize, o: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, o), |(i, a)| f64::from(i % o == a))
}

/// `K kron 1`.
fn full(k: &Array2<f64>, o: usize) -> Array2<f64> {
    let (m, n) = k.dim();
    Array2::from_shape_fn((m * o, n * o), |(i, j)| {
        if i % o == j % o {
            k[[i / o, j / o]]
        } else {
            0.0
        }
    })
}

/// `sum_i q(lambda_i) v_i v_i^T (f_0 - y) + y`, q what is left of mode i.
fn modes(
    k: &Array2<f64>,
    y: &Array2<f64>,
    f0: &Array2<f64>,
    q: impl Fn(f64) -> f64,
) -> Array2<f64> {
    let e = eigh(k).unwrap();
    let left: Array1<f64> = e.values.mapv(|l| q(l.max(0.0)));
    y + &(e.vectors.clone() * left).dot(&e.vectors.t().dot(&(f0 - y)))
}

#[test]
fn is_the_closed_form_of_the_squared_loss() {
    let (n, o) = (12, 2);
    let (k, y) = problem(n, 12, o);
    let f0 = start(n, o);
    let times = [0.0, 0.3, 20.0, 500.0, 2e4];
    let wide = full(&k, o);
    for (k_dd, rate) in [(&k, 1.0), (&wide, 1.0), (&k, 0.25)] {
        let flow = Flow::new(k_dd, &y, Loss::HalfMeanSquare).unwrap();
        let flow = flow
            .learning_rate(rate)
            .unwrap()
            .tolerance(1e-8, 1e-8)
            .unwrap();
        let flow = flow.initial_outputs(&f0).unwrap();
        let mut state = flow.start();
        let path = flow.solve(&mut state, &times).unwrap();
        for (found, t) in path.train.outer_iter().zip(times) {
            let t = rate * t / (n * o) as f64;
            let exact = modes(&k, &y, &f0, |l| (-l * t).exp());
            assert_relative_eq!(found.to_owned(), exact, epsilon = all_told(1e-8));
        }
        // Test rows that are training rows, from other initial outputs.
        let rows = if k_dd.nrows() == n {
            k_dd.slice(s![3..5, ..])
        } else {
            k_dd.slice(s![6..10, ..])
        };
        let moved = path.test_from(&Array2::zeros((2, o)), &rows).unwrap();
        let expected = &path.train.slice(s![.., 3..5, ..]) - &f0.slice(s![3..5, ..]);
        // f is integrated beside u, so that it gathers roundings of its own.
        assert_relative_eq!(moved, expected, epsilon = 1e-10);
        let from = array![[1.0, 2.0], [3.0, 4.0]];
        let shifted = path.test_from(&from, &rows).unwrap();
        assert_relative_eq!(shifted, moved + &from, epsilon = 1e-15);
    }
}

#[test]
fn momentum_is_the_damped_oscillator() {
    let (n, o) = (10, 1);
    let (k, y) = problem(n, 10, o);
    let (k, f0) = (10.0 * k, start(n, o));
    for (rate, m) in [(1.0, 0.9), (0.3, 0.5), (1.0, 0.0), (20.0, 0.99)] {
        let flow = Flow::new(&k, &y, Loss::HalfMeanSquare).unwrap();
        let flow = flow.learning_rate(rate).unwrap().momentum(m).unwrap();
        let flow = flow.tolerance(1e-9, 1e-9).unwrap();
        let flow = flow.initial_outputs(&f0).unwrap();
        let mut state = flow.start();
        let times = [0.0, 1.0, 7.5, 60.0];
        let path = flow.solve(&mut state, &times).unwrap();
        for (found, t) in path.train.outer_iter().zip(times) {
            // q'' = -2 c q' - w^2 q from q = 1 at rest.
            let exact = modes(&k, &y, &f0, |l| {
                let (c, w2) = ((1.0 - m) / 2.0, rate * l / (n * o) as f64);
                let r = (w2 - c * c).abs().sqrt();
                match w2 > c * c {
                    true => (-c * t).exp() * ((r * t).cos() + c / r * (r * t).sin()),
                    false => {
                        let (a, b) = (((r - c) * t).exp(), ((-r - c) * t).exp());
                        (a + b) / 2.0 + c / r * (a - b) / 2.0
                    }
                }
            });
            assert_relative_eq!(found.to_owned(), exact, epsilon = 1e-6);
        }
    }
}

/// The classical method of fourth order in many equal steps.
fn in_small_steps(
    k: &Array2<f64>,
    f0: &Array2<f64>,
    t: f64,
    gradient: impl Fn(&ArrayRef2<f64>) -> Array2<f64>,
) -> Array2<f64> {
    let steps = 4000;
    let h = t / f64::from(steps);
    let slope = |f: &Array2<f64>| -k.dot(&gradient(f));
    let mut f = f0.clone();
    for _ in 0..steps {
        let a = slope(&f);
        let b = slope(&(&f + &(&a * (h / 2.0))));
        let c = slope(&(&f + &(&b * (h / 2.0))));
        let d = slope(&(&f + &(&c * h)));
        f += &((a + 2.0 * b + 2.0 * c + d) * (h / 6.0));
    }
    f
}

#[test]
fn any_loss_is_followed() {
    let (n, o, t) = (15, 3, 60.0);
    let (k, y) = problem(n, 8, o);
    let (f0, labels) = (start(n, o), one_hot(n, o));
    for (loss, y) in [
        (Loss::QuadraticHinge { margin: 0.5 }, &y),
        (Loss::CrossEntropy, &labels),
        (Loss::MeanSquare, &y),
        (Loss::MeanPower { power: 4.0 }, &y),
    ] {
        let flow = Flow::new(&k, y, loss).unwrap();
        let mut flow = flow.tolerance(1e-8, 1e-8).unwrap();
        flow = flow.initial_outputs(&f0).unwrap();
        let exact = in_small_steps(&k, &f0, t, |f| loss.with_gradient(f, y).unwrap().1);
        for solver in [Solver::Chebyshev, Solver::DormandPrince] {
            flow = flow.solver(solver);
            let mut state = flow.start();
            let path = flow.solve(&mut state, &[t]).unwrap();
            assert_relative_eq!(
                path.train.index_axis(Axis(0), 0).to_owned(),
                exact,
                epsilon = all_told(1e-8)
            );
        }
    }
    // A closure: the pseudo-Huber loss, summed.
    let huber = |f: &ArrayRef2<f64>| (f.to_owned() - &y).mapv(|d| d / (1.0 + d * d).sqrt());
    let flow = Flow::with_gradient(&k, (n, o), huber).unwrap();
    let flow = flow.initial_outputs(&f0).unwrap();
    let mut state = flow.start();
    let path = flow.solve(&mut state, &[5.0]).unwrap();
    let exact = in_small_steps(&k, &f0, 5.0, huber);
    assert_relative_eq!(
        path.train.index_axis(Axis(0), 0).to_owned(),
        exact,
        epsilon = all_told(1e-6)
    );
}

#[test]
fn the_error_follows_the_tolerance() {
    let (k, y) = problem(20, 20, 1);
    let error = |tolerance: f64| {
        let flow = Flow::new(&k, &y, Loss::HalfMeanSquare).unwrap();
        let flow = flow.tolerance(tolerance, tolerance).unwrap();
        let mut state = flow.start();
        let path = flow.solve(&mut state, &[300.0]).unwrap();
        let exact = modes(&k, &y, &Array2::zeros((20, 1)), |l| (-l * 15.0).exp());
        let gap = &path.train.index_axis(Axis(0), 0) - &exact;
        gap.mapv(f64::abs).fold(0.0, |a: f64, &b| a.max(b))
    };
    for tolerance in [1e-3, 1e-5, 1e-7] {
        assert!(
            error(tolerance) < all_told(tolerance),
            "{}",
            error(tolerance)
        );
    }
    assert!(error(1e-7) < 1e-2 * error(1e-3));
}

#[test]
fn dense_output_is_what_stopping_there_gives() {
    let (k, y) = problem(20, 20, 1);
    let times: Vec<f64> = (0..60).map(|i| 1.2_f64.powi(i)).collect();
    let hinge = Loss::QuadraticHinge { margin: 0.5 };
    for (loss, momentum) in [(hinge, None), (Loss::HalfMeanSquare, Some(0.9))] {
        let mut flow = Flow::new(&k, &y, loss).unwrap();
        if let Some(m) = momentum {
            flow = flow.momentum(m).unwrap();
        }
        let mut state = flow.start();
        let path = flow.solve(&mut state, &times).unwrap();
        let mut stopped = flow.start();
        for (found, &t) in path.train.outer_iter().zip(&times) {
            let exact = flow.solve(&mut stopped, &[t]).unwrap();
            let exact = exact.train.index_axis(Axis(0), 0);
            assert_relative_eq!(found.to_owned(), exact.to_owned(), epsilon = all_told(1e-6));
        }
        assert!(stopped.steps > state.steps);
        // f = f_0 + K u all along.
        let again = path.test(&k).unwrap();
        assert_relative_eq!(again, path.train, epsilon = 1e-10);
    }
}

#[test]
fn goes_on_from_a_state_that_was_kept() {
    let (k, y) = problem(16, 16, 2);
    let labels = one_hot(16, 2);
    assert_eq!(y.dim(), labels.dim());
    let flow = Flow::new(&k, &labels, Loss::CrossEntropy).unwrap();
    let mut state = flow.start();
    flow.solve(&mut state, &[40.0]).unwrap();
    let text = serde_json::to_string(&state).unwrap();
    let mut kept: FlowState = serde_json::from_str(&text).unwrap();
    let on = flow.solve(&mut state, &[40.0, 900.0]).unwrap();
    let again = flow.solve(&mut kept, &[40.0, 900.0]).unwrap();
    assert_eq!((on, state), (again, kept));
}

/// Stops at the second check after so many.
struct After(usize, AtomicUsize);

impl Observer for After {
    fn cancelled(&self) -> bool {
        self.1.fetch_add(1, Ordering::Relaxed) >= self.0
    }
}

#[test]
fn stops_and_goes_on() {
    let (k, y) = problem(16, 16, 1);
    let flow = Flow::new(&k, &y, Loss::QuadraticHinge { margin: 0.5 }).unwrap();
    let mut whole = flow.start();
    let expected = flow.solve(&mut whole, &[1e3]).unwrap();
    let mut state = flow.start();
    let stop = After(5, AtomicUsize::new(0));
    let watched = Flow::new(&k, &y, Loss::QuadraticHinge { margin: 0.5 }).unwrap();
    let watched = watched.observer(&stop);
    let stopped = watched.solve(&mut state, &[1e3]).unwrap_err();
    assert_eq!(stopped, PredictError::Cancelled(Cancelled));
    assert!(state.steps > 0 && state.time > 0.0 && state.time < 1e3);
    let found = flow.solve(&mut state, &[1e3]).unwrap();
    // The fastest rate is estimated anew, so that steps differ.
    assert_relative_eq!(found.train, expected.train, epsilon = all_told(1e-6));

    let short = Flow::new(&k, &y, Loss::HalfMeanSquare)
        .unwrap()
        .most_steps(3);
    let mut state = short.start();
    let error = short.solve(&mut state, &[1e3]).unwrap_err();
    assert!(
        matches!(
            error,
            PredictError::TooManySteps {
                steps: 3,
                end: 1e3,
                ..
            }
        ),
        "{error}"
    );
    assert!(state.steps > 0);
}

#[test]
fn permutations_of_samples_and_outputs_go_through() {
    let (n, o) = (9, 3);
    let (k, _) = problem(n, 9, o);
    let (f0, y) = (start(n, o), one_hot(n, o));
    let (rows, columns) = ([4, 0, 8, 2, 1, 7, 3, 6, 5], [2, 0, 1]);
    let solve = |k: &Array2<f64>, y: &Array2<f64>, f0: &Array2<f64>| {
        let flow = Flow::new(k, y, Loss::CrossEntropy).unwrap();
        let flow = flow.initial_outputs(f0).unwrap();
        let mut state = flow.start();
        flow.solve(&mut state, &[5.0, 80.0]).unwrap().train
    };
    let mixed = |a: &Array2<f64>| a.select(Axis(0), &rows).select(Axis(1), &columns);
    let k_mixed = k.select(Axis(0), &rows).select(Axis(1), &rows);
    let found = solve(&k_mixed, &mixed(&y), &mixed(&f0));
    let expected = solve(&k, &y, &f0)
        .select(Axis(1), &rows)
        .select(Axis(2), &columns);
    assert_relative_eq!(found, expected, epsilon = all_told(1e-6));
}

#[test]
fn single_precision_kernels_give_what_double_ones_do() {
    for o in [1, 4] {
        let (k, y) = problem(40, 40, o);
        let narrow = k.mapv(|v| v as f32);
        let times = [10.0, 1e3, 1e5];
        let flow = Flow::new(&k, &y, Loss::HalfMeanSquare).unwrap();
        let mut state = flow.start();
        let expected = flow.solve(&mut state, &times).unwrap();
        let flow = Flow::new(&narrow, &y, Loss::HalfMeanSquare).unwrap();
        let mut narrow_state = flow.start();
        let found = flow.solve(&mut narrow_state, &times).unwrap();
        assert_relative_eq!(found.train, expected.train, epsilon = 1e-3);
        // Rounding must not be taken for stiffness.
        let most = 3 * state.products;
        assert!(
            narrow_state.products < most,
            "{} {most}",
            narrow_state.products
        );
    }
}

#[test]
fn scales_are_followed() {
    let (k, y) = problem(8, 8, 1);
    let plain = {
        let flow = Flow::new(&k, &y, Loss::HalfMeanSquare).unwrap();
        flow.solve(&mut flow.start(), &[30.0]).unwrap().train
    };
    for scale in [1e-12, 1e12] {
        let (targets, kernel) = (&y * scale, &k / scale);
        let flow = Flow::new(&kernel, &targets, Loss::HalfMeanSquare).unwrap();
        let flow = flow.tolerance(1e-6, 1e-6 * scale).unwrap();
        let mut state = flow.start();
        let path = flow.solve(&mut state, &[30.0 * scale]).unwrap();
        assert_relative_eq!(path.train / scale, plain, epsilon = all_told(1e-6));
    }
}

#[test]
fn nothing_to_do_is_fine() {
    let loss = Loss::HalfMeanSquare;
    let none = Array2::<f64>::zeros((0, 0));
    let y = Array2::zeros((0, 1));
    let flow = Flow::new(&none, &y, loss).unwrap();
    let path = flow.solve(&mut flow.start(), &[0.0, 1.0]).unwrap();
    assert_eq!(path.train.dim(), (2, 0, 1));
    assert_eq!(
        path.test(&Array2::<f64>::zeros((3, 0))).unwrap(),
        Array3::<f64>::zeros((2, 3, 1))
    );
    // A zero kernel moves nothing, whatever the loss.
    let (zero, y) = (Array2::<f64>::zeros((4, 4)), one_hot(4, 2));
    let f0 = start(4, 2);
    let flow = Flow::new(&zero, &y, Loss::CrossEntropy).unwrap();
    let flow = flow.initial_outputs(&f0).unwrap();
    let mut state = flow.start();
    let path = flow.solve(&mut state, &[1e9]).unwrap();
    assert_eq!(path.train.index_axis(Axis(0), 0), f0);
    // One sample; and no times.
    let (k, y) = (array![[2.0]], array![[1.0]]);
    let flow = Flow::new(&k, &y, loss).unwrap();
    let mut state = flow.start();
    assert_eq!(flow.solve(&mut state, &[]).unwrap().train.dim(), (0, 1, 1));
    let path = flow.solve(&mut state, &[0.0, 0.0, 1.0]).unwrap();
    assert_eq!(path.train[[1, 0, 0]], 0.0);
    assert_relative_eq!(
        path.train[[2, 0, 0]],
        1.0 - f64::exp(-2.0),
        epsilon = all_told(1e-6)
    );
}

#[test]
fn mistakes_are_told() {
    let (k, y) = problem(5, 5, 2);
    let loss = Loss::HalfMeanSquare;
    let error = |k: &Array2<f64>, y: &Array2<f64>| Flow::new(k, y, loss).err().unwrap();
    let three = k.slice(s![..3, ..3]).to_owned();
    assert!(matches!(
        error(&three, &y),
        PredictError::Shape { found: (3, 3), .. }
    ));
    let mut bad = k.clone();
    bad[[1, 3]] += 0.5;
    let told = error(&bad, &y);
    assert!(
        matches!(told, PredictError::Linalg(LinalgError::NotSymmetric { row: 3, column: 1, difference, .. }) if (difference - 0.5).abs() < 1e-12),
        "{told}"
    );
    let mut bad = y.clone();
    bad[[2, 1]] = f64::NAN;
    assert!(matches!(
        error(&k, &bad),
        PredictError::NonFinite {
            row: 2,
            column: 1,
            ..
        }
    ));
    let mut bad = k.clone();
    bad[[4, 4]] = f64::INFINITY;
    assert!(matches!(
        error(&bad, &y),
        PredictError::Linalg(LinalgError::NonFinite {
            row: 4,
            column: 4,
            ..
        }) | PredictError::NonFinite {
            row: 4,
            column: 4,
            ..
        }
    ));

    let flow = || Flow::new(&k, &y, loss).unwrap();
    for told in [
        flow().learning_rate(0.0).err(),
        flow().learning_rate(f64::INFINITY).err(),
        flow().momentum(1.0).err(),
        flow().momentum(f64::NAN).err(),
        flow().tolerance(0.0, 1.0).err(),
        flow().tolerance(1e-6, -1.0).err(),
    ] {
        assert!(
            matches!(told, Some(PredictError::Argument { .. })),
            "{told:?}"
        );
    }
    let flow = flow();
    let mut state = flow.start();
    let mut told = |times: &[f64]| flow.solve(&mut state, times).unwrap_err();
    assert!(matches!(
        told(&[1.0, 0.5]),
        PredictError::TimesOutOfOrder {
            index: 1,
            time: 0.5,
            previous: 1.0
        }
    ));
    assert!(matches!(
        told(&[-1.0]),
        PredictError::Time {
            index: 0,
            time: -1.0
        }
    ));
    assert!(matches!(
        told(&[f64::NAN]),
        PredictError::Time { index: 0, .. }
    ));
    assert!(matches!(
        told(&[1.0, f64::INFINITY]),
        PredictError::Argument { .. }
    ));
    flow.solve(&mut state, &[2.0]).unwrap();
    let told = flow.solve(&mut state, &[1.0]).unwrap_err();
    assert!(matches!(
        told,
        PredictError::TimesOutOfOrder {
            time: 1.0,
            previous: 2.0,
            ..
        }
    ));
    let other = Flow::new(&k, &y, loss).unwrap().momentum(0.5).unwrap();
    assert!(matches!(
        other.solve(&mut state, &[3.0]),
        Err(PredictError::Shape {
            what: "the state",
            ..
        })
    ));
    assert!(matches!(
        Flow::new(&k, &y, loss).unwrap().initial_outputs(&y.t()),
        Err(PredictError::Shape { .. })
    ));
    let path = flow.solve(&mut state, &[3.0]).unwrap();
    assert!(matches!(
        path.test(&k.slice(s![.., ..4])),
        Err(PredictError::Shape { .. })
    ));
    assert!(matches!(
        path.test_from(&y, &k),
        Err(PredictError::InitialOutputs { train: false })
    ));

    let shape = Flow::with_gradient(&k, (5, 2), |f| f.slice(s![..1, ..]).to_owned()).unwrap();
    let told = shape.solve(&mut shape.start(), &[1.0]).unwrap_err();
    assert!(
        matches!(
            told,
            PredictError::Shape {
                what: "the loss' gradient",
                ..
            }
        ),
        "{told}"
    );
    let nan = Flow::with_gradient(&k, (5, 2), |f| f.mapv(|_| f64::NAN)).unwrap();
    let told = nan.solve(&mut nan.start(), &[1.0]).unwrap_err();
    assert!(
        matches!(told, PredictError::Diverged { time: 0.0 }),
        "{told}"
    );
    // An indefinite kernel leads to infinity.
    let indefinite = array![[1.0, 2.0], [2.0, 1.0]];
    let y = array![[1.0], [-1.0]];
    let flow = Flow::new(&indefinite, &y, loss).unwrap();
    let told = flow.solve(&mut flow.start(), &[1e5]).unwrap_err();
    assert!(
        matches!(told, PredictError::Diverged { time } if time > 1.0),
        "{told}"
    );
}
