use super::*;
use ndarray::{ArrayD, s};
use ntk_kernels::predict::{PredictError, Ridge};
use ntk_kernels::{Checkpoint, CheckpointError, EstimatorError, Kernel, Landmarks, Solver};
use ntk_linalg::{Cancelled, Observer};
use std::error::Error;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const GRADIENTS: Solver = Solver::ConjugateGradients {
    tolerance: 1e-13,
    iterations: 60,
};
pub(super) const SOLVERS: [Solver; 2] = [Solver::NormalEquations, GRADIENTS];

pub(super) type Made<T> = Result<(ArrayD<T>, Array2<T>), EstimatorError>;

/// Samples and targets of which each row is a function of its index.
pub(super) fn made<T: Real>(range: Range<usize>) -> Made<T> {
    let at = |i: usize, j: usize| ((range.start + i) as f64 * (1.7 + j as f64)).sin();
    let x = Array2::from_shape_fn((range.len(), 4), |(i, j)| T::of(at(i, j)));
    let y = Array2::from_shape_fn((range.len(), 2), |(i, j)| {
        T::of(at(i, j) * at(i, 3) + at(i, 1))
    });
    Ok((x.into_dyn(), y))
}

/// Bytes in memory.
#[derive(Default)]
pub(super) struct Memory(Mutex<Option<Vec<u8>>>);

impl Memory {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone().unwrap()
    }

    pub(super) fn set(&self, bytes: &[u8]) {
        *self.0.lock().unwrap() = Some(bytes.to_vec());
    }
}

impl Checkpoint for Memory {
    fn name(&self) -> String {
        "memory".into()
    }

    fn read(&self) -> Result<Option<Vec<u8>>, Box<dyn Error + Send + Sync>> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.set(bytes);
        Ok(())
    }
}

/// A place in which nothing can be written any more.
struct Full;

impl Checkpoint for Full {
    fn name(&self) -> String {
        "full".into()
    }

    fn read(&self) -> Result<Option<Vec<u8>>, Box<dyn Error + Send + Sync>> {
        Ok(None)
    }

    fn write(&self, _: &[u8]) -> Result<(), Box<dyn Error + Send + Sync>> {
        Err("no space left on device".into())
    }
}

/// The conditioning of the preconditioned equations is a small number, so that what they leave is
/// what coefficients are off by, times what the kernel of the landmarks does to rounding.
fn agrees<T: Real>(tolerance: f64) {
    let network = dense_network();
    let (n, points) = (300, made::<T>(500..540).unwrap().0);
    let z = made::<T>(1000..1020).unwrap().0;
    for alpha in [Ridge::Absolute(0.5), Ridge::Relative(0.05)] {
        let landmarks = Landmarks::new(&network).alpha(alpha).block(64);
        let direct = landmarks.fit_from_fn(&points, n, made::<T>).unwrap();
        let found = landmarks.solver(GRADIENTS);
        let found = found.fit_from_fn(&points, n, made::<T>).unwrap();
        assert!(found.residual() <= 1e-13, "{}", found.residual());
        let gap = (found.ridge_added() / direct.ridge_added() - 1.0).abs();
        assert!(gap < 1e-14, "{gap}");
        let gap = distance(&found.predict(&z).unwrap(), &direct.predict(&z).unwrap());
        assert!(gap < tolerance, "{} {alpha:?}: {gap}", T::NAME);
        assert_eq!((found.samples(), found.rank()), (n, 40));
        assert_eq!(found.effective_parameters(), None);
    }
}

#[test]
fn conjugate_gradients_are_the_normal_equations() {
    agrees::<f64>(1e-9);
    agrees::<f32>(2e-4);
}

/// Where landmarks repeat, their kernel is singular, and its jitter alone is left of it.
#[test]
fn conjugate_gradients_take_repeated_landmarks() {
    let network = dense_network();
    let once = made::<f64>(500..520).unwrap().0;
    let twice = ndarray::concatenate![ndarray::Axis(0), once, once];
    let z = made::<f64>(1000..1020).unwrap().0;
    let fit = |points: &ArrayD<f64>| {
        let landmarks = Landmarks::new(&network).alpha(0.1).solver(GRADIENTS);
        let fitted = landmarks.fit_from_fn(points, 200, made::<f64>).unwrap();
        assert!(fitted.residual() <= 1e-13);
        fitted.predict(&z).unwrap()
    };
    let gap = distance(&fit(&twice), &fit(&once));
    assert!(gap < 1e-9, "{gap}");
}

#[test]
fn memory_and_functions_are_the_same_samples() {
    let network = dense_network();
    let points = made::<f64>(500..510).unwrap().0;
    let (x, y) = made::<f64>(0..70).unwrap();
    for solver in SOLVERS {
        let landmarks = Landmarks::new(&network).alpha(0.1).block(16).solver(solver);
        let memory = landmarks.fit_points(&points, &x, &y).unwrap();
        let read = landmarks.fit_from_fn(&points, 70, made::<f64>).unwrap();
        assert_eq!(memory.coefficients(), read.coefficients());
    }
}

/// Stops when so many samples have been seen.
pub(super) struct Stop {
    after: usize,
    seen: AtomicUsize,
}

impl Stop {
    pub(super) fn after(after: usize) -> Self {
        let seen = AtomicUsize::new(0);
        Self { after, seen }
    }
}

impl Observer for Stop {
    fn advance(&self, units: u64) {
        self.seen.fetch_add(units as usize, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.seen.load(Ordering::Relaxed) >= self.after
    }
}

/// A fit that is stopped again and again, and goes on each time, ends where one that is not does.
fn stopped(solver: Solver) {
    let network = dense_network();
    let points = made::<f32>(500..520).unwrap().0;
    let n = 100;
    let landmarks = Landmarks::new(&network).alpha(0.1).block(16).solver(solver);
    let whole = landmarks.fit_from_fn(&points, n, made::<f32>).unwrap();
    let file = Memory::default();
    let mut attempts = 0;
    let found = loop {
        attempts += 1;
        assert!(attempts < 1000, "no progress");
        // Of another number of blocks each time, so that it stops in and between passes.
        let stop = Stop::after(16 * (1 + attempts % 5));
        let landmarks = landmarks.clone().checkpoint(&file).observer(&stop);
        match landmarks.fit_from_fn(&points, n, made::<f32>) {
            Ok(found) => break found,
            Err(error) => {
                let cancelled = PredictError::Cancelled(Cancelled);
                assert_eq!(error, EstimatorError::Predict(cancelled));
            }
        }
    };
    assert!(attempts > 1);
    assert_eq!(found.coefficients(), whole.coefficients(), "{solver:?}");
    assert_eq!(found.residual(), whole.residual());
    // Once more: nothing is read but what the file is compared with, and what the preconditioner is
    // made of.
    let read = AtomicUsize::new(0);
    let again = landmarks.clone().checkpoint(&file);
    let again = again.fit_from_fn(&points, n, |range| {
        read.fetch_add(1, Ordering::Relaxed);
        made::<f32>(range)
    });
    assert_eq!(again.unwrap().coefficients(), whole.coefficients());
    let preconditioner = match solver {
        Solver::NormalEquations => 0,
        Solver::ConjugateGradients { .. } => (3_usize * 20).div_ceil(16),
    };
    assert_eq!(read.into_inner(), 2 + preconditioner);
}

#[test]
fn a_stopped_fit_goes_on_to_the_last_bit() {
    stopped(Solver::NormalEquations);
    stopped(Solver::ConjugateGradients {
        tolerance: 1e-6,
        iterations: 60,
    });
}

#[test]
fn checkpoints_of_other_fits_are_refused() {
    let network = dense_network();
    let points = made::<f64>(500..510).unwrap().0;
    for solver in SOLVERS {
        let file = Memory::default();
        let landmarks = Landmarks::new(&network).alpha(0.1).block(16).solver(solver);
        let landmarks = landmarks.checkpoint(&file);
        landmarks.fit_from_fn(&points, 50, made::<f64>).unwrap();
        let before = file.bytes();
        let told = |landmarks: Landmarks<'_>, points: &ArrayD<f64>, n, shift| {
            let read = |range: Range<usize>| made::<f64>(range.start + shift..range.end + shift);
            match landmarks.fit_from_fn(points, n, read) {
                Err(EstimatorError::Checkpoint(error)) => match *error {
                    CheckpointError::OtherRun { setting, .. } => setting,
                    error => panic!("{error}"),
                },
                other => panic!("{other:?}"),
            }
        };
        let other = made::<f64>(600..610).unwrap().0;
        let fewer = points.slice_axis(ndarray::Axis(0), ndarray::Slice::from(..9));
        let of = || landmarks.clone();
        let found = [
            told(of().alpha(0.2), &points, 50, 0),
            told(of().block(17), &points, 50, 0),
            told(of().kernel(Kernel::Nngp), &points, 50, 0),
            told(of(), &other, 50, 0),
            told(of(), &fewer.to_owned(), 50, 0),
            told(of(), &points, 51, 0),
            told(of(), &points, 50, 1),
        ];
        let expected = [
            "alpha",
            "block",
            "kernel",
            "landmarks",
            "shape of landmarks",
            "number of samples",
            "first block",
        ];
        assert_eq!(found, expected);
        assert_eq!(file.bytes(), before);

        // What is no checkpoint stays as it is.
        for bytes in [&b"text"[..], &before[..before.len() / 2], &[]] {
            file.set(bytes);
            let error = landmarks.fit_from_fn(&points, 50, made::<f64>).unwrap_err();
            let error = error.to_string();
            assert!(error.contains("is no whole checkpoint"), "{error}");
            assert_eq!(file.bytes(), bytes);
        }
    }
    let landmarks = Landmarks::new(&network).alpha(0.1).checkpoint(&Full);
    let error = landmarks.fit_from_fn(&points, 50, made::<f64>).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("full: no space left on device"), "{error}");
}

#[test]
fn what_cannot_be_is_told() {
    let network = dense_network();
    let points = made::<f64>(500..510).unwrap().0;
    let landmarks = Landmarks::new(&network).alpha(0.1).block(16);
    let gradients = landmarks.clone().solver(GRADIENTS);
    // Once through.
    let (x, y) = made::<f64>(0..50).unwrap();
    let once = || [Ok::<_, EstimatorError>((x.clone(), y.clone()))];
    let error = gradients.fit_blocks(&points, once()).err();
    assert_eq!(error, Some(EstimatorError::OnePass));
    // What only normal equations give.
    let found = gradients.fit_from_fn(&points, 50, made::<f64>).unwrap();
    let errors = [
        found.at(1.0).err(),
        found.leave_one_out(&x, &y).err(),
        found.errors(&x, &y, &[1.0]).err(),
    ];
    for error in errors {
        assert!(matches!(error, Some(EstimatorError::NoEquations { .. })));
    }
    for solver in SOLVERS {
        let landmarks = landmarks.clone().solver(solver);
        // A stream that ends early, one that gives too much, one whose outputs change, one that fails.
        let short = |range: Range<usize>| made::<f64>(range.start..range.end.min(40));
        let error = landmarks.fit_from_fn(&points, 50, short).err();
        let length = |found| EstimatorError::StreamLength {
            expected: 50,
            found,
        };
        assert_eq!(error, Some(length(40)));
        let long = |range: Range<usize>| made::<f64>(range.start..range.end + 1);
        let error = landmarks.fit_from_fn(&points, 50, long).err();
        assert_eq!(error, Some(length(17)));
        let fewer = |range: Range<usize>| {
            let (x, y) = made::<f64>(range.clone())?;
            let outputs = if range.start == 0 { 2 } else { 1 };
            Ok::<_, EstimatorError>((x, y.slice(s![.., ..outputs]).to_owned()))
        };
        let error = landmarks.fit_from_fn(&points, 50, fewer).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("1 outputs, and those before them 2"),
            "{error}"
        );
        let broken = |range: Range<usize>| match range.start {
            32 => Err(ntk_kernels::Error::from(EstimatorError::NoMeans)),
            _ => Ok(made::<f64>(range)?),
        };
        let error = landmarks.fit_from_fn(&points, 50, broken).err();
        assert_eq!(error, Some(EstimatorError::NoMeans.into()));
        let error = landmarks.fit_from_fn(&points, 0, made::<f64>).err();
        assert!(matches!(error, Some(EstimatorError::Nothing { .. })));
    }
    for (tolerance, iterations) in [(-1.0, 5), (1.0, 5), (f64::NAN, 5), (0.1, 0)] {
        let solver = Solver::ConjugateGradients {
            tolerance,
            iterations,
        };
        let error = landmarks.clone().solver(solver);
        let error = error.fit_points(&points, &x, &y).err();
        assert!(matches!(
            error,
            Some(EstimatorError::Predict(PredictError::Argument { .. }))
        ));
    }
}
