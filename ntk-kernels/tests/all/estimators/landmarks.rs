use super::*;
use ndarray::{Array1, ArrayD, ArrayView2, Axis, array, concatenate, s};
use ndarray_npy::{ViewNpyExt, WriteNpyExt};
use ntk_kernels::predict::{PredictError, Ridge};
use ntk_kernels::{
    Choice, EstimatorError, FittedLandmarks, Inputs, Kernel, KernelError, KernelRidge, Landmarks,
    Structure,
};
use ntk_linalg::{Cancelled, Observer};
use std::sync::atomic::{AtomicU64, Ordering};

const CHOICES: [Choice; 3] = [Choice::Uniform, Choice::PivotedCholesky, Choice::KMeans];

/// A network with a smooth kernel, whose eigenvalues fall fast.
fn smooth_network() -> Network {
    Network::new()
        .then(dense().b_std(0.3))
        .then(erf(1.0, 1.0, 0.0))
        .then(dense())
}

/// `(K_mn K_nm + r K_mm)^-1 K_mn y`.
fn formula(k_nm: &Array2<f64>, k_mm: &Array2<f64>, y: &Array2<f64>, r: f64) -> Array2<f64> {
    let normal = k_nm.t().dot(k_nm) + &(r * k_mm);
    inverse(&normal).0.dot(&k_nm.t()).dot(y)
}

type Block<T> = Result<(ArrayD<T>, Array2<T>), EstimatorError>;

/// The blocks of a stream.
fn blocks<T: Real>(x: &Array2<T>, y: &Array2<T>, rows: usize) -> Vec<Block<T>> {
    let blocks = x.axis_chunks_iter(Axis(0), rows);
    let blocks = blocks.zip(y.axis_chunks_iter(Axis(0), rows));
    blocks
        .map(|(x, y)| Ok((x.to_owned().into_dyn(), y.to_owned())))
        .collect()
}

#[test]
fn all_samples_as_landmarks_are_kernel_ridge() {
    let network = dense_network();
    let (x, z): (Array2<f64>, Array2<f64>) = (numbers(1, (40, 4)), numbers(2, (9, 4)));
    let y: Array2<f64> = numbers(3, (40, 2));
    for kernel in [Kernel::Nngp, Kernel::Ntk] {
        for alpha in [Ridge::Absolute(0.05), Ridge::Relative(0.2)] {
            let ridge = KernelRidge::new(&network).kernel(kernel).alpha(alpha);
            let ridge = ridge.fit(&x, &y).unwrap();
            for choice in [Choice::Uniform, Choice::PivotedCholesky] {
                let landmarks = Landmarks::new(&network).kernel(kernel).alpha(alpha);
                let found = landmarks.choice(choice).block(7).fit(&x, &y).unwrap();
                let expected = ridge.predict(&z).unwrap();
                let gap = distance(&found.predict(&z).unwrap(), &expected);
                assert!(gap < 1e-8, "{kernel} {alpha:?} {choice:?}: {gap}");
                let gap = (found.ridge_added() / ridge.ridge_added() - 1.0).abs();
                assert!(gap < 1e-12, "{gap}");
                let found = found.leave_one_out(&x, &y).unwrap();
                let gap = distance(&found, &ridge.leave_one_out().unwrap());
                assert!(gap < 1e-8, "{gap}");
            }
        }
    }
}

#[test]
fn coefficients_are_the_formula() {
    let network = dense_network();
    let (x, z): (Array2<f64>, Array2<f64>) = (numbers(1, (50, 4)), numbers(2, (9, 4)));
    let (y, points): (Array2<f64>, Array2<f64>) = (numbers(3, (50, 3)), numbers(4, (8, 4)));
    let kernels = [&x, &points, &z].map(|a| both(&network, a, &points));
    for (which, kernel) in [Kernel::Nngp, Kernel::Ntk].into_iter().enumerate() {
        let k = [0, 1, 2].map(|a| &kernels[a][which]);
        for r in [0.0, 1e-3, 0.5, 30.0] {
            let landmarks = Landmarks::new(&network).kernel(kernel).alpha(r).block(16);
            let found = landmarks.fit_points(&points, &x, &y).unwrap();
            let expected = formula(k[0], k[1], &y, r);
            let gap = distance(found.coefficients(), &expected);
            assert!(gap < 1e-7, "{kernel} {r}: {gap}");
            let gap = distance(&found.predict(&z).unwrap(), &k[2].dot(&expected));
            assert!(gap < 1e-8, "{kernel} {r}: {gap}");
            assert!(found.residual() < 1e-12, "{}", found.residual());
            assert_eq!((found.rank(), found.samples()), (8, 50));
            assert_eq!((found.kernel(), found.ridge_added()), (kernel, r));
            assert_eq!(found.points(), &points.clone().into_dyn());
            assert_eq!(found.network(), &network);
        }
    }
}

#[test]
fn images_and_masked_sequences_are_samples() {
    let network = image_network();
    let images: ndarray::Array4<f64> = numbers(4, (12, 4, 4, 2));
    let points: ndarray::Array4<f64> = numbers(5, (3, 4, 4, 2));
    let y: Array2<f64> = numbers(6, (12, 2));
    let found = Landmarks::new(&network).alpha(0.1).block(5);
    let found = found.fit_points(&points, &images, &y).unwrap();
    let [_, k_nm] = both(&network, &images, &points);
    let [_, k_mm] = both(&network, &points, &points);
    let expected = formula(&k_nm, &k_mm, &y, 0.1);
    assert!(distance(&found.predict(&images).unwrap(), &k_nm.dot(&expected)) < 1e-8);

    let network = Network::new()
        .then(conv([3]).same().b_std(0.5))
        .then(relu())
        .then(global_avg_pool())
        .then(dense());
    let x: ndarray::Array3<f64> = numbers(7, (12, 5, 2));
    let mask = Array::from_shape_fn((12, 5), |(sample, at)| at > 1 + sample % 4);
    let structure = Structure::of_mask(&mask);
    let inputs = Inputs::new(&x).structure(&structure);
    let landmarks = Landmarks::new(&network)
        .alpha(0.1)
        .count(4)
        .block(5)
        .seed(3);
    for choice in [Choice::Uniform, Choice::PivotedCholesky] {
        let found = landmarks
            .clone()
            .choice(choice)
            .fit(inputs.view(), &y)
            .unwrap();
        let kernels = network.kernel_fn();
        let k = |one: &Structure, a: &ArrayD<f64>| {
            let kernels = kernels.structures(one, found.structure());
            kernels.ntk_between(a, found.points()).unwrap()
        };
        let k_nm = k(&structure, &x.clone().into_dyn());
        let expected = formula(&k_nm, &k(found.structure(), found.points()), &y, 0.1);
        let predicted = found.predict(inputs.view()).unwrap();
        assert!(distance(&predicted, &k_nm.dot(&expected)) < 1e-8);
    }
    let told = landmarks.choice(Choice::KMeans).fit(inputs, &y).err();
    assert_eq!(told, Some(EstimatorError::NoMeans));
}

/// How far coefficients are moved by 8 eps of each entry of `K_nm`, the first of the kernels, in the
/// normal equations `(K_mn K_nm + r K_mm) b = K_mn y`.
fn rounding<T: Real>(
    [k_nm, k_mm]: &[Array2<f64>; 2],
    y: &Array2<f64>,
    r: f64,
    b: &Array2<f64>,
) -> f64 {
    let inverse = inverse(&(k_nm.t().dot(k_nm) + &(r * k_mm))).0;
    let [inverse, k_nm, y, b] = [&inverse, k_nm, y, b].map(|a| a.mapv(f64::abs));
    let moved = k_nm.t().dot(&y) + 2.0 * k_nm.t().dot(&k_nm).dot(&b);
    let moved = inverse.dot(&moved) * (8.0 * Real::to_f64(T::epsilon()));
    moved.into_iter().fold(0.0, f64::max)
}

fn streams<T: Real>() {
    let network = dense_network();
    let (x, points): (Array2<T>, Array2<T>) = (numbers(1, (45, 4)), numbers(2, (6, 4)));
    let y: Array2<T> = numbers(3, (45, 2));
    let landmarks = Landmarks::new(&network).alpha(0.1);
    let whole = landmarks.fit_points(&points, &x, &y).unwrap();
    let [wide_x, wide_points, wide_y] = [&x, &points, &y].map(|a| a.mapv(Real::to_f64));
    let kernels = [&wide_x, &wide_points].map(|a| both(&network, a, &wide_points)[1].clone());
    let rounding = rounding::<T>(&kernels, &wide_y, 0.1, whole.coefficients());
    for rows in [1, 7, 16, 45, 100] {
        let landmarks = landmarks.clone().block(rows);
        let memory = landmarks.fit_points(&points, &x, &y).unwrap();
        let stream = landmarks.clone().samples(45);
        let stream = stream.fit_blocks(&points, blocks(&x, &y, rows)).unwrap();
        // The same sums in the same order.
        assert_eq!(memory.coefficients(), stream.coefficients());
        assert_eq!(memory.predict(&x).unwrap(), stream.predict(&x).unwrap());
        // Blocks of a stream that are larger are cut.
        let cut = landmarks
            .fit_blocks(&points, blocks(&x, &y, 2 * rows))
            .unwrap();
        assert_eq!(memory.coefficients(), cut.coefficients());
        let gap = distance(memory.coefficients(), whole.coefficients());
        assert!(gap < rounding, "{} {rows}: {gap} {rounding}", T::NAME);
    }
    // Blocks may be empty, and differ in size.
    let [all, none] = [x.slice(s![.., ..]), x.slice(s![..0, ..])].map(|x| x.to_owned().into_dyn());
    let empty = Ok::<_, EstimatorError>((none, Array2::zeros((0, 2))));
    let parts = [empty.clone(), Ok((all, y)), empty];
    let found = landmarks.fit_blocks(&points, parts).unwrap();
    assert_eq!(found.coefficients(), whole.coefficients());
}

#[test]
fn streams_are_the_samples_in_memory() {
    streams::<f32>();
    streams::<f64>();
}

/// A file that is mapped into memory is bytes, of which an array is a view.
#[test]
fn files_in_memory_are_samples() {
    let network = dense_network();
    let (x, y): (Array2<f64>, Array2<f64>) = (numbers(1, (45, 4)), numbers(2, (45, 2)));
    let bytes = [&x, &y].map(|a| {
        let mut bytes = Vec::new();
        a.write_npy(&mut bytes).unwrap();
        bytes
    });
    let [of_x, of_y] = bytes
        .each_ref()
        .map(|b| ArrayView2::<f64>::view_npy(b).unwrap());
    for choice in CHOICES {
        let landmarks = Landmarks::new(&network).alpha(0.1).choice(choice);
        let landmarks = landmarks.count(6).block(10);
        let expected = landmarks.fit(&x, &y).unwrap();
        let found = landmarks.fit(&of_x, &of_y).unwrap();
        assert_eq!(found.coefficients(), expected.coefficients());
        // In another order in memory.
        let [x, y] = [&x, &y].map(|a| a.t().as_standard_layout().into_owned().reversed_axes());
        assert!(!x.is_standard_layout());
        let found = landmarks.fit(&x, &y).unwrap();
        assert!(distance(found.coefficients(), expected.coefficients()) < 1e-10);
    }
}

/// Squares of kernels would lose all eigenvalues below the root of eps.
#[test]
fn small_eigenvalues_are_kept() {
    let network = smooth_network();
    let n = 60;
    let x = Array2::from_shape_fn((n, 1), |(i, _)| i as f64 / 30.0 - 1.0);
    let y = x.mapv(|x| (3.0 * x).sin().signum());
    let relative = 1e-9;
    let alpha = Ridge::Relative(relative);
    let ridge = KernelRidge::new(&network).alpha(alpha).fit(&x, &y).unwrap();
    let landmarks = Landmarks::new(&network).alpha(alpha).fit(&x, &y).unwrap();
    let z = x.mapv(|x| x + 0.01);
    let gap = distance(&landmarks.predict(&z).unwrap(), &ridge.predict(&z).unwrap());
    // Either is off by the rounding of n entries over what is added.
    assert!(gap < 2.0 * n as f64 * f64::EPSILON / relative, "{gap}");
    let gap = landmarks.effective_parameters().unwrap() - landmarks.rank() as f64;
    assert!(gap < -0.5, "{gap}");
}

/// A landmark that repeats spans what it spans once.
#[test]
fn repeated_landmarks_are_sound() {
    let network = dense_network();
    let (x, z): (Array2<f64>, Array2<f64>) = (numbers(1, (60, 4)), numbers(2, (9, 4)));
    let (y, points): (Array2<f64>, Array2<f64>) = (numbers(3, (60, 2)), numbers(4, (7, 4)));
    let twice = concatenate![Axis(0), points, points, points.slice(s![2..3, ..])];
    for alpha in [0.0, 0.1] {
        let landmarks = Landmarks::new(&network).alpha(alpha);
        let once = landmarks.fit_points(&points, &x, &y).unwrap();
        let found = landmarks.fit_points(&twice, &x, &y).unwrap();
        assert_eq!((once.rank(), found.rank()), (7, 7));
        let gap = distance(&found.predict(&z).unwrap(), &once.predict(&z).unwrap());
        assert!(gap < 1e-8, "{alpha}: {gap}");
        assert!(found.residual() < 1e-12);
        let parameters =
            found.effective_parameters().unwrap() - once.effective_parameters().unwrap();
        assert!(parameters.abs() < 1e-8);
    }
}

#[test]
fn kernels_singular_in_single_precision_are_sound() {
    let network = smooth_network();
    let n = 200;
    let x = Array2::from_shape_fn((n, 1), |(i, _)| i as f64 / 100.0 - 1.0);
    let y = x.mapv(|x| (3.0 * x).sin());
    let points = x.slice(s![..;5, ..]).to_owned();
    let relative = 1e-2;
    let landmarks = Landmarks::new(&network).alpha(Ridge::Relative(relative));
    let double = landmarks.fit_points(&points, &x, &y).unwrap();
    let [x32, y32, points32] = [&x, &y, &points].map(|a| a.mapv(|v| v as f32));
    let single = landmarks.fit_points(&points32, &x32, &y32).unwrap();
    assert!(single.rank() < 40 && single.rank() < double.rank());
    assert!(single.residual() < 1e-12, "{}", single.residual());
    // Entries are known to eps, so the kernel of n samples to n eps, of which the ridge is told.
    let gap = distance(
        &single.predict(&x32).unwrap().mapv(f64::from),
        &double.predict(&x).unwrap(),
    );
    assert!(gap < n as f64 * f64::from(f32::EPSILON) / relative, "{gap}");
    let errors = single.leave_one_out(&x32, &y32).unwrap().mapv(f64::from);
    let gap = distance(&errors, &double.leave_one_out(&x, &y).unwrap());
    assert!(gap < n as f64 * f64::from(f32::EPSILON) / relative, "{gap}");
    // Without a ridge, what is not resolved is left out.
    let none = Landmarks::new(&network)
        .fit_points(&points32, &x32, &y32)
        .unwrap();
    let gap = distance(&none.predict(&x32).unwrap(), &y32);
    assert!(gap < 0.05, "{gap}");

    // No direction at all.
    let zero = Network::new().then(dense()).then(relu()).then(dense());
    let none = Array2::<f32>::zeros((3, 2));
    let found = Landmarks::new(&zero)
        .alpha(0.1)
        .fit(&none, &array![1.0, 2.0, 3.0])
        .unwrap();
    assert_eq!((found.rank(), found.effective_parameters()), (0, Some(0.0)));
    assert_eq!(found.predict(&none).unwrap(), array![[0.0], [0.0], [0.0]]);
}

#[test]
fn leave_one_out_is_refitting_each_time() {
    let network = dense_network();
    let (x, y): (Array2<f64>, Array2<f64>) = (numbers(7, (25, 3)), numbers(8, (25, 2)));
    let points: Array2<f64> = numbers(9, (6, 3));
    let landmarks = Landmarks::new(&network).block(9);
    let alphas = [0.0, 0.05, 2.0];
    let any = landmarks
        .clone()
        .alpha(7.0)
        .fit_points(&points, &x, &y)
        .unwrap();
    let errors = any.errors(&x, &y, &alphas).unwrap();
    for (alpha, error) in alphas.into_iter().zip(errors) {
        let landmarks = landmarks.clone().alpha(alpha);
        let mut expected = y.clone();
        for i in 0..25 {
            let others: Vec<usize> = (0..25).filter(|&j| j != i).collect();
            let [x_others, y_others] = [&x, &y].map(|a| a.select(Axis(0), &others));
            let fitted = landmarks.fit_points(&points, &x_others, &y_others).unwrap();
            let mut row = expected.row_mut(i);
            row -= &fitted.predict(&x.select(Axis(0), &[i])).unwrap().row(0);
        }
        let fitted = landmarks.fit_points(&points, &x, &y).unwrap();
        let found = fitted.leave_one_out(&x, &y).unwrap();
        assert!(distance(&found, &expected) < 1e-8);
        let mean = expected.mapv(|r| r * r).mean().unwrap();
        assert!((error / mean - 1.0).abs() < 1e-8);
        // Of some samples alone.
        let some = fitted.leave_one_out(&x.slice(s![20.., ..]), &y.slice(s![20.., ..]));
        assert!(distance(&some.unwrap(), &expected.slice(s![20.., ..])) < 1e-8);
        // Another ridge is another fit.
        let at = any.at(alpha).unwrap();
        assert_eq!(at.coefficients(), fitted.coefficients());
        assert_eq!(at.ridge_added(), alpha);
        // The matrix that makes predictions of targets.
        let hat = landmarks.fit_points(&points, &x, &Array2::eye(25)).unwrap();
        let trace = hat.predict(&x).unwrap().diag().sum();
        assert!((fitted.effective_parameters().unwrap() - trace).abs() < 1e-8);
    }
    // As many landmarks as samples and no ridge: each decides its own prediction.
    let all = landmarks.fit(&x, &y).unwrap();
    let told = all.leave_one_out(&x, &y).unwrap_err();
    assert!(
        matches!(told, EstimatorError::Leverage { sample: 0, .. }),
        "{told}"
    );
    assert_eq!(all.errors(&x, &y, &[0.0]).unwrap(), [f64::INFINITY]);
}

#[test]
fn seeds_reproduce_choices() {
    let network = dense_network();
    let (x, y): (Array2<f64>, Array2<f64>) = (numbers(10, (60, 3)), numbers(11, (60, 1)));
    let rows = |of: &FittedLandmarks<f64>| -> Vec<Vec<f64>> {
        let rows = of.points().axis_iter(Axis(0));
        rows.map(|row| row.iter().copied().collect()).collect()
    };
    for choice in CHOICES {
        let chosen = |seed, block| {
            let landmarks = Landmarks::new(&network).alpha(0.1).choice(choice).count(12);
            rows(&landmarks.seed(seed).block(block).fit(&x, &y).unwrap())
        };
        let first = chosen(5, 1024);
        assert_eq!((first.len(), &first), (12, &chosen(5, 1024)));
        assert_ne!(first, chosen(6, 1024), "{choice:?}");
        let mut different = first.clone();
        different.sort_by(|a, b| a.partial_cmp(b).unwrap());
        different.dedup();
        assert_eq!(different.len(), 12);
        let samples: Vec<Vec<f64>> = x.rows().into_iter().map(|row| row.to_vec()).collect();
        let are_samples = first.iter().all(|row| samples.contains(row));
        assert_eq!(are_samples, choice != Choice::KMeans);
    }
    // All of them unless set, where there are few.
    let all = Landmarks::new(&network).alpha(0.1).fit(&x, &y).unwrap();
    assert_eq!(all.points().shape(), [60, 3]);
}

/// Five samples, each four times: no choice that looks at them takes more.
#[test]
fn choices_see_that_samples_repeat() {
    let network = dense_network();
    let five: Array2<f64> = numbers(12, (5, 3));
    let x = concatenate![Axis(0), five, five, five, five];
    let y = concatenate![Axis(0), five, five, five, five];
    for choice in [Choice::PivotedCholesky, Choice::KMeans] {
        let landmarks = Landmarks::new(&network).choice(choice).count(5);
        let found = landmarks.fit(&x, &y).unwrap();
        let mut found: Vec<_> = found.points().axis_iter(Axis(0)).map(|p| p[0]).collect();
        let mut expected = five.column(0).to_vec();
        found.sort_by(f64::total_cmp);
        expected.sort_by(f64::total_cmp);
        let pairs = found.iter().zip(&expected);
        let gap = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(gap < 1e-14, "{choice:?}: {found:?} {expected:?}");
    }
    let landmarks = Landmarks::new(&network).choice(Choice::KMeans).count(9);
    assert_eq!(landmarks.fit(&x, &y).unwrap().points().shape(), [5, 3]);
}

/// The factor's pivots are the landmarks, and at all samples it is the kernel.
#[test]
fn the_factor_is_that_of_the_landmarks() {
    let network = smooth_network();
    let x: Array2<f64> = numbers(13, (40, 3));
    let y: Array2<f64> = numbers(14, (40, 1));
    for kernel in [Kernel::Nngp, Kernel::Ntk] {
        let k = network.kernel_fn().kernel(kernel, &x).unwrap();
        let set = Landmarks::new(&network).kernel(kernel).seed(3);
        let few = set.clone().count(6).choice(Choice::PivotedCholesky);
        let partial = few.partial_cholesky(&x).unwrap();
        let chosen = few.fit(&x, &y).unwrap().points().to_owned();
        assert_eq!(chosen, x.select(Axis(0), partial.pivots()).into_dyn());
        // Columns of the pivots are the kernel's, and what is left of the diagonal is told.
        let back = partial.factor().dot(&partial.factor().t());
        let of_pivots = |k: &Array2<f64>| k.select(Axis(1), partial.pivots());
        assert!(distance(&of_pivots(&back), &of_pivots(&k)) < 1e-12);
        let left = &k.diag() - &back.diag() - partial.residual();
        assert!(left.iter().all(|v| v.abs() < 1e-12), "{left}");
    }
    let set = Landmarks::new(&network);
    for count in [0, 41] {
        let expected = EstimatorError::LandmarkCount { count, samples: 40 };
        assert_eq!(
            set.clone().count(count).partial_cholesky(&x).unwrap_err(),
            expected
        );
    }
    let many = set.clone().count(41).partial_cholesky(&x).unwrap_err();
    assert!(
        many.to_string()
            .contains("41 landmarks were asked for of 40")
    );
    let stop = Counter {
        done: AtomicU64::new(0),
        most: 0,
    };
    let told = set
        .count(5)
        .observer(&stop)
        .partial_cholesky(&x)
        .unwrap_err();
    assert_eq!(told.to_string(), Cancelled.to_string());
}

/// Counts samples, and stops after some.
struct Counter {
    done: AtomicU64,
    most: u64,
}

impl Observer for Counter {
    fn begin(&self, step: &str, total: u64) {
        if step == "samples" {
            assert_eq!(total, 30);
        }
        self.done.store(0, Ordering::Relaxed);
    }

    fn advance(&self, units: u64) {
        self.done.fetch_add(units, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.done.load(Ordering::Relaxed) >= self.most
    }
}

#[test]
fn observers_count_samples_and_stop() {
    let network = dense_network();
    let (x, y): (Array2<f64>, Array2<f64>) = (numbers(1, (30, 3)), numbers(2, (30, 1)));
    let points: Array2<f64> = numbers(3, (4, 3));
    for (most, expected) in [(31, 30), (9, 10)] {
        for stream in [false, true] {
            let done = AtomicU64::new(0);
            let counter = Counter { done, most };
            let landmarks = Landmarks::new(&network).alpha(0.1).block(5).samples(30);
            let landmarks = landmarks.observer(&counter);
            let told = match stream {
                false => landmarks.fit_points(&points, &x, &y),
                true => landmarks.fit_blocks(&points, blocks(&x, &y, 10)),
            };
            assert_eq!(counter.done.load(Ordering::Relaxed), expected);
            let cancelled = EstimatorError::Predict(PredictError::Cancelled(Cancelled));
            assert_eq!(told.err(), (most < 30).then_some(cancelled));
        }
    }
}

/// Stops from the start.
struct Stop;

impl Observer for Stop {
    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn observers_stop_choices() {
    let network = dense_network();
    let (x, y): (Array2<f64>, Array2<f64>) = (numbers(1, (30, 3)), numbers(2, (30, 1)));
    for choice in CHOICES {
        let landmarks = Landmarks::new(&network).choice(choice).count(5);
        let told = landmarks.observer(&Stop).fit(&x, &y).err();
        let cancelled = EstimatorError::Predict(PredictError::Cancelled(Cancelled));
        assert_eq!(told, Some(cancelled), "{choice:?}");
    }
}

#[test]
fn what_does_not_fit_is_told() {
    let network = dense_network();
    let (x, y): (Array2<f64>, Array2<f64>) = (numbers(1, (20, 3)), numbers(2, (20, 2)));
    let points: Array2<f64> = numbers(3, (4, 3));
    let landmarks = Landmarks::new(&network).alpha(0.1);
    for count in [0, 21, usize::MAX] {
        let told = landmarks.clone().count(count).fit(&x, &y).err();
        assert_eq!(
            told,
            Some(EstimatorError::LandmarkCount { count, samples: 20 })
        );
    }
    let none = points.slice(s![..0, ..]);
    let told = landmarks.fit_points(&none, &x, &y).err();
    let (count, samples) = (0, 20);
    assert_eq!(told, Some(EstimatorError::LandmarkCount { count, samples }));
    let told = landmarks
        .fit_points(&numbers::<f64, _>(3, (4, 2)), &x, &y)
        .err();
    let shapes = matches!(
        told,
        Some(EstimatorError::Kernel(KernelError::Shapes { .. }))
    );
    assert!(shapes, "{told:?}");
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(landmarks.clone().alpha(bad).fit(&x, &y).is_err());
        let fitted = landmarks.fit_points(&points, &x, &y).unwrap();
        assert!(fitted.at(bad).is_err() && fitted.errors(&x, &y, &[bad]).is_err());
    }
    let told = landmarks.clone().block(0).fit(&x, &y).unwrap_err();
    assert!(told.to_string().contains("at least 1"), "{told}");

    // Streams.
    let stream = |change: &dyn Fn(&mut Vec<Block<f64>>)| {
        let mut parts = blocks(&x, &y, 5);
        change(&mut parts);
        let landmarks = landmarks.clone().samples(20);
        landmarks.fit_blocks(&points, parts).unwrap_err()
    };
    let (expected, found) = (20, 15);
    let told = stream(&|parts| parts.truncate(3));
    assert_eq!(told, EstimatorError::StreamLength { expected, found });
    let found = 25;
    let told = stream(&|parts| parts.push(parts[0].clone()));
    assert_eq!(told, EstimatorError::StreamLength { expected, found });
    let failed = EstimatorError::NoLikelihood; // the stream's own
    let told = stream(&|parts| parts[2] = Err(EstimatorError::NoLikelihood));
    assert_eq!(told, failed);
    let in_third = |told: EstimatorError| match told {
        EstimatorError::Block { first: 10, source } => *source,
        other => panic!("{other}"),
    };
    let part = |x: Array2<f64>, y: Array2<f64>| Ok((x.into_dyn(), y));
    let told = stream(&|parts| parts[2] = part(numbers(1, (5, 4)), numbers(1, (5, 2))));
    let told = in_third(told);
    let shapes = matches!(told, EstimatorError::Kernel(KernelError::Shapes { .. }));
    assert!(shapes, "{told}");
    let told = stream(&|parts| parts[2] = part(numbers(1, (5, 3)), numbers(1, (5, 1))));
    let (expected, found) = (2, 1);
    assert_eq!(in_third(told), EstimatorError::Outputs { expected, found });
    let told = stream(&|parts| parts[2] = part(numbers(1, (5, 3)), numbers(1, (4, 2))));
    let (samples, targets) = (5, 4);
    assert_eq!(
        in_third(told),
        EstimatorError::TargetRows { samples, targets }
    );
    let told = stream(&|parts| parts[2].as_mut().unwrap().0[[1, 1]] = f64::NAN);
    let told = in_third(told);
    let not_finite = matches!(told, EstimatorError::Kernel(KernelError::NonFinite { .. }));
    assert!(not_finite, "{told}");
    let told = stream(&|parts| parts[2].as_mut().unwrap().1[[1, 1]] = f64::NAN);
    assert!(matches!(
        in_third(told),
        EstimatorError::Predict(PredictError::NonFinite { .. })
    ));
    let told = landmarks
        .fit_blocks(&points, blocks(&none.to_owned(), &y, 5))
        .err();
    assert!(
        matches!(told, Some(EstimatorError::Nothing { samples: 0, .. })),
        "{told:?}"
    );

    // A kernel beyond f32, of sample 12 in a block from 10 on.
    let [mut far, few] = [&x, &points].map(|a| a.mapv(|v| v as f32));
    far.row_mut(12).fill(1e30);
    let told = landmarks.clone().block(5);
    let told = told
        .fit_points(&few, &far, &y.mapv(|v| v as f32))
        .unwrap_err();
    assert!(told.to_string().contains("x1[2]"), "{told}");
    in_third(told);

    // What was fitted.
    let fitted = landmarks.fit_points(&points, &x, &y).unwrap();
    let told = fitted.leave_one_out(&x, &Array1::zeros(20)).unwrap_err();
    assert!(
        matches!(told, EstimatorError::Predict(PredictError::Shape { .. })),
        "{told}"
    );
    let told = fitted.leave_one_out(&x.slice(s![1.., ..]), &y).unwrap_err();
    let (samples, targets) = (19, 20);
    assert_eq!(told, EstimatorError::TargetRows { samples, targets });
    assert!(fitted.score(&x, &y).unwrap() <= 1.0);
    assert_eq!(fitted.predict_classes(&x).unwrap().len(), 20);
}
