use super::*;
use ntk_kernels::dual::Activation;
use ntk_kernels::network::{dense, erf, relu};
use ntk_linalg::Cancelled;
use std::sync::atomic::{AtomicU64, Ordering};

fn samples(n: usize, d: usize, shift: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, d), |(i, j)| {
        ((3 + 7 * i + 5 * j * j + i * j + 11 * shift) as f64).sin()
    })
}

fn network(activation: Activation) -> Network {
    let hidden = || dense().w_std(1.3).b_std(0.2);
    Network::new()
        .then(hidden())
        .then(activation.clone())
        .then(hidden())
        .then(activation)
        .then(dense())
}

/// Samples of two classes, which are told by their first two features, and points at some of them.
fn classes(n: usize) -> [Array2<f64>; 4] {
    let mut x = samples(n, 6, 0);
    let sign = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
    x.indexed_iter_mut()
        .filter(|((_, j), _)| *j < 2)
        .for_each(|((i, j), v)| *v = 0.4 * *v + sign(i + j));
    let y = Array2::from_shape_fn((n, 2), |(i, j)| sign(i + j));
    let first = |a: &Array2<f64>| a.slice(s![..4, ..]).to_owned();
    let (points, labels) = (first(&x), first(&y));
    [x, y, points, labels]
}

#[test]
fn derivatives_are_differences() {
    // Of four points, the error of the quotient is some h^4.
    const STEP: f64 = 1e-3;
    let difference = |f: &dyn Fn(f64) -> f64| {
        let at = |k: f64| (f(k * STEP) - f(-k * STEP)) / (2.0 * k * STEP);
        (4.0 * at(1.0) - at(2.0)) / 3.0
    };
    let (x, z) = (samples(7, 5, 0), samples(7, 2, 1));
    let (points, labels) = (samples(4, 5, 2), samples(4, 2, 3));
    let moved = |a: &Array2<f64>, at: usize, by: f64| {
        let mut a = a.clone();
        *a.iter_mut().nth(at).unwrap() += by;
        a
    };
    for ridge in [
        Ridge::Absolute(0.01),
        Ridge::Relative(0.1),
        Ridge::Relative(0.0),
    ] {
        for kernel in [Kernel::Nngp, Kernel::Ntk] {
            for activation in [relu(), erf(1.0, 0.8, 0.2)] {
                let of = KernelInducingPoints::new(&network(activation))
                    .kernel(kernel)
                    .ridge(ridge);
                let loss = |points: &Array2<f64>, labels: &Array2<f64>| {
                    of.loss_with_gradient(&x, &z, points, labels).unwrap().loss
                };
                let found = of.loss_with_gradient(&x, &z, &points, &labels).unwrap();
                // Regression, plainly.
                let own = of.network.kernel_fn().kernel(kernel, &points).unwrap();
                let cross = of.network.kernel_fn().kernel_between(kernel, &x, &points);
                let a = ntk_kernels::predict::KernelRegression::fit(own, &labels, ridge).unwrap();
                let off = a.predict(&cross.unwrap()).unwrap() - &z;
                let expected = (&off * &off).sum() / 14.0;
                assert!((found.loss - expected).abs() < 1e-11 * expected);
                let close = |found: &Array2<f64>, expected: Vec<f64>| {
                    let scale = expected.iter().fold(1e-3, |most: f64, v| most.max(v.abs()));
                    for (a, b) in found.iter().zip(&expected) {
                        assert!((a - b).abs() < 2e-8 * scale, "{kernel} {ridge:?}: {a} {b}");
                    }
                };
                let by = |at| difference(&|by| loss(&moved(&points, at, by), &labels));
                close(&found.by_x, (0..points.len()).map(by).collect());
                let by = |at| difference(&|by| loss(&points, &moved(&labels, at, by)));
                close(&found.by_y, (0..labels.len()).map(by).collect());
            }
        }
    }
}

#[test]
fn the_loss_falls_and_the_seed_decides() {
    let [x, y, points, labels] = classes(60);
    let network = network(relu());
    let of = KernelInducingPoints::new(&network).steps(60).batch_size(20);
    let all = |points: &Array2<f64>, labels: &Array2<f64>| {
        of.loss_with_gradient(&x, &y, points, labels).unwrap().loss
    };
    let start = all(&points, &labels);
    let fixed = of.fit(&x, &y, &points, &labels).unwrap();
    assert_eq!((fixed.losses.len(), &fixed.y), (60, &labels));
    assert!(all(&fixed.x, &fixed.y) < 0.5 * start);
    let free = of.clone().learn_labels(true);
    let free = free.fit(&x, &y, &points, &labels).unwrap();
    assert!(all(&free.x, &free.y) < all(&fixed.x, &fixed.y));
    assert_eq!(of.fit(&x, &y, &points, &labels).unwrap(), fixed);
    let other = of.clone().seed(1).fit(&x, &y, &points, &labels).unwrap();
    assert_ne!(other.x, fixed.x);
    // All samples in a step are the same whatever their order, but for rounding.
    let whole = |seed| {
        let of = of.clone().batch_size(usize::MAX).seed(seed).steps(3);
        of.fit(&x, &y, &points, &labels).unwrap()
    };
    let apart = whole(0).x - whole(1).x;
    assert!(apart.iter().all(|v| v.abs() < 1e-9), "{apart}");
    let none = of.clone().steps(0).fit(&x, &y, &points, &labels).unwrap();
    assert_eq!((none.x, none.losses.len()), (points, 0));
}

#[test]
fn threads_do_not_matter() {
    let [x, y, points, labels] = classes(60);
    let network = network(relu());
    let of = KernelInducingPoints::new(&network)
        .steps(5)
        .learn_labels(true);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let run = || of.fit(&x, &y, &points, &labels).unwrap();
        pool.build().unwrap().install(run)
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn solved_labels_are_where_the_loss_is_flat() {
    let [x, y, points, labels] = classes(60);
    let network = network(relu());
    for ridge in [Ridge::Relative(1e-6), Ridge::Absolute(0.3)] {
        let of = KernelInducingPoints::new(&network).ridge(ridge);
        let before = of.loss_with_gradient(&x, &y, &points, &labels).unwrap();
        let solved = of.solve_labels(&x, &y, &points).unwrap();
        let after = of.loss_with_gradient(&x, &y, &points, &solved).unwrap();
        let largest = |a: &Array2<f64>| a.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        assert!(after.loss < before.loss);
        assert!(largest(&after.by_y) < 1e-10 * largest(&before.by_y));
    }
}

#[test]
fn f32_agrees_with_f64() {
    let [x, y, points, labels] = classes(60);
    let network = network(relu());
    let of = KernelInducingPoints::new(&network).ridge(Ridge::Relative(1e-3));
    let single = [&x, &y, &points, &labels].map(|a| a.mapv(|v| v as f32));
    let [x1, y1, points1, labels1] = &single;
    let found = of.loss_with_gradient(x1, y1, points1, labels1).unwrap();
    let expected = of.loss_with_gradient(&x, &y, &points, &labels).unwrap();
    // Rounding of kernels, over the smallest eigenvalue that four points leave.
    assert!((found.loss - expected.loss).abs() < 1e-4 * expected.loss);
    for (found, expected) in [(found.by_x, expected.by_x), (found.by_y, expected.by_y)] {
        let scale = expected.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        for (a, b) in found.iter().zip(&expected) {
            assert!((f64::from(*a) - b).abs() < 1e-3 * scale, "{a} {b}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let [x, y, points, labels] = classes(20);
    let network = network(relu());
    let of = KernelInducingPoints::new(&network).steps(2);
    let shapes = |what, other, of, expected, found| DistilError::Shapes {
        what,
        other,
        of,
        expected,
        found,
    };
    let few = y.slice(s![..7, ..]);
    assert_eq!(
        of.fit(&x, &few, &points, &labels),
        Err(shapes(NAMES[1], NAMES[0], "rows", 20, 7))
    );
    let narrow = points.slice(s![.., ..5]);
    assert_eq!(
        of.solve_labels(&x, &y, &narrow),
        Err(shapes(NAMES[2], NAMES[0], "columns", 6, 5))
    );
    assert_eq!(
        of.fit(&x, &y, &points, &few),
        Err(shapes(NAMES[3], NAMES[2], "rows", 4, 7))
    );
    let single = labels.slice(s![.., ..1]);
    assert_eq!(
        of.loss_with_gradient(&x, &y, &points, &single),
        Err(shapes(NAMES[3], NAMES[1], "columns", 2, 1))
    );
    let none = Array2::zeros((0, 6));
    let (what, shape) = (NAMES[2], (0, 6));
    assert_eq!(
        of.solve_labels(&x, &y, &none),
        Err(DistilError::Empty { what, shape })
    );
    let mut nan = y.clone();
    nan[[3, 1]] = f64::NAN;
    let error = of.fit(&x, &nan, &points, &labels);
    assert!(
        matches!(error, Err(DistilError::NonFinite { what, index: (3, 1), .. }) if what == NAMES[1])
    );
    let by = |of: &KernelInducingPoints<'_>| of.fit(&x, &y, &points, &labels).unwrap_err();
    let traced = Optimizer::TraceSgd {
        scale: 1.0,
        every: 1,
    };
    assert!(matches!(
        by(&of.clone().optimizer(traced)),
        DistilError::Optimizer { .. }
    ));
    let negative = of.clone().optimizer(Optimizer::adam(-1.0));
    assert!(matches!(by(&negative), DistilError::Train(_)));
    assert!(matches!(
        by(&of.clone().ridge(-1.0)),
        DistilError::Linalg(_)
    ));
    // A sample twice, which no kernel tells from itself.
    let twice = points.select(Axis(0), &[0, 0, 1, 2]);
    let error = of.clone().ridge(0.0).fit(&x, &y, &twice, &labels);
    assert!(matches!(error, Err(DistilError::Linalg(_))), "{error:?}");
    let away = of.clone().optimizer(Optimizer::sgd(1e300)).steps(9);
    assert!(matches!(
        by(&away),
        DistilError::Kernel(_)
            | DistilError::Gradient(_)
            | DistilError::NonFinite { .. }
            | DistilError::Diverged { .. }
    ));
}

#[test]
fn observers_hear_of_steps_and_stop_them() {
    struct AtMost(u64, AtomicU64);
    impl Observer for AtMost {
        fn advance(&self, units: u64) {
            self.1.fetch_add(units, Ordering::Relaxed);
        }
        fn cancelled(&self) -> bool {
            self.1.load(Ordering::Relaxed) >= self.0
        }
    }
    let [x, y, points, labels] = classes(20);
    let network = network(relu());
    for most in [3, 100] {
        let observer = AtMost(most, AtomicU64::new(0));
        let of = KernelInducingPoints::new(&network)
            .steps(10)
            .observer(&observer);
        let found = of.fit(&x, &y, &points, &labels);
        assert_eq!(found.is_ok(), most > 10);
        if let Err(error) = found {
            assert_eq!(error, DistilError::Cancelled(Cancelled));
        }
        assert_eq!(observer.1.into_inner(), most.min(10));
    }
}
