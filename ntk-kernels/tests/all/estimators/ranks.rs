//! Fits over several processes, which are threads here, against those of one.

use super::passes::{Made, Memory, SOLVERS, Stop, made};
use super::*;
use ndarray::s;
use ntk_kernels::{
    Checkpoint, CheckpointError, EstimatorError, Features, Landmarks, Ranks, Solver,
};
use std::error::Error;
use std::fmt::Display;
use std::ops::Range;
use std::sync::{Barrier, Mutex};
use std::thread;

/// What the processes of a job share.
struct Job {
    barrier: Barrier,
    numbers: Mutex<Vec<Vec<f64>>>,
    errors: Mutex<Vec<Option<String>>>,
}

struct Process<'a>(&'a Job, usize);

impl Ranks for Process<'_> {
    fn rank(&self) -> usize {
        self.1
    }

    fn count(&self) -> usize {
        self.0.numbers.lock().unwrap().len()
    }

    fn sum(&self, numbers: &mut [f64]) {
        let Self(job, rank) = *self;
        job.numbers.lock().unwrap()[rank] = numbers.to_vec();
        job.barrier.wait();
        numbers.fill(0.0);
        for other in job.numbers.lock().unwrap().iter() {
            // A job out of step would wait for ever.
            if other.len() != numbers.len() {
                std::process::abort();
            }
            numbers.iter_mut().zip(other).for_each(|(sum, v)| *sum += v);
        }
        job.barrier.wait();
    }

    fn first_failure(&self, error: Option<&dyn Display>) -> Option<(usize, String)> {
        let Self(job, rank) = *self;
        job.errors.lock().unwrap()[rank] = error.map(ToString::to_string);
        job.barrier.wait();
        let errors = job.errors.lock().unwrap().clone();
        job.barrier.wait();
        let mut errors = errors.into_iter().enumerate();
        errors.find_map(|(rank, error)| Some((rank, error?)))
    }
}

/// Runs a job of so many processes, and returns what each does.
fn job<R: Send>(count: usize, run: impl Fn(&dyn Ranks) -> R + Sync) -> Vec<R> {
    let job = Job {
        barrier: Barrier::new(count),
        numbers: Mutex::new(vec![Vec::new(); count]),
        errors: Mutex::new(vec![None; count]),
    };
    thread::scope(|scope| {
        let start = |rank| {
            let (job, run) = (&job, &run);
            scope.spawn(move || run(&Process(job, rank)))
        };
        let threads: Vec<_> = (0..count).map(start).collect();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap());
        ended.collect()
    })
}

/// Sums over blocks are rounded in another order; small eigenvalues of the landmarks' kernel divide
/// that, as they do between solvers.
#[test]
fn several_processes_fit_as_one() {
    let network = dense_network();
    let (n, points) = (300, made::<f64>(500..540).unwrap().0);
    let z = made::<f64>(1000..1020).unwrap().0;
    for solver in SOLVERS {
        let landmarks = Landmarks::new(&network).alpha(0.5).block(64).solver(solver);
        let one = landmarks.fit_from_fn(&points, n, made::<f64>).unwrap();
        // Of 7 processes, 2 have no block.
        for count in [1, 2, 3, 7] {
            let reads = Mutex::new(Vec::new());
            let read = |range: Range<usize>| {
                reads.lock().unwrap().push(range.start);
                made::<f64>(range)
            };
            let all = job(count, |ranks| {
                landmarks.fit_over(ranks, &points, n, read).unwrap()
            });
            for found in &all {
                assert_eq!(found.coefficients(), all[0].coefficients());
                assert_eq!((found.samples(), found.rank()), (n, one.rank()));
                let gap = (found.ridge_added() / one.ridge_added() - 1.0).abs();
                assert!(gap < 1e-14, "{gap}");
                let gap = distance(&found.predict(&z).unwrap(), &one.predict(&z).unwrap());
                assert!(gap < 1e-9, "{count} {solver:?}: {gap}");
            }
            if solver == Solver::NormalEquations {
                let mut reads = reads.into_inner().unwrap();
                reads.sort_unstable();
                assert_eq!(reads, [0, 64, 128, 192, 256]);
            }
        }
    }
}

/// Features of a seed are the same everywhere.
#[test]
fn several_processes_fit_features_as_one() {
    let features = Features::new(&dense_network())
        .count(32)
        .alpha(0.5)
        .block(16);
    let one = features.fit_from_fn(4, 100, made::<f64>).unwrap();
    let z = made::<f64>(1000..1020).unwrap().0;
    for found in job(3, |ranks| {
        features.fit_over(ranks, 4, 100, made::<f64>).unwrap()
    }) {
        let gap = distance(&found.predict(&z).unwrap(), &one.predict(&z).unwrap());
        assert!(gap < 1e-11, "{gap}");
    }
}

#[test]
fn stopped_jobs_go_on_to_the_last_bit() {
    let network = dense_network();
    let points = made::<f64>(500..520).unwrap().0;
    for solver in SOLVERS {
        let landmarks = Landmarks::new(&network).alpha(0.1).block(8).solver(solver);
        let whole = job(2, |ranks| {
            landmarks
                .fit_over(ranks, &points, 100, made::<f64>)
                .unwrap()
        });
        let places = [Memory::default(), Memory::default()];
        let mut attempts = 0;
        let found = loop {
            attempts += 1;
            assert!(attempts < 1000, "no progress");
            let mut ended = job(2, |ranks| {
                // One stops, and the other learns of it.
                let all = [usize::MAX, 8 * (2 + attempts % 7)];
                let stop = Stop::after(all[(ranks.rank() + attempts) % 2]);
                let landmarks = landmarks.clone().checkpoint(&places[ranks.rank()]);
                let landmarks = landmarks.observer(&stop);
                landmarks.fit_over(ranks, &points, 100, made::<f64>)
            });
            assert_eq!(ended[0].is_ok(), ended[1].is_ok());
            if let Ok(found) = ended.remove(0) {
                break found;
            }
        };
        assert!(attempts > 1);
        assert_eq!(found.coefficients(), whole[0].coefficients(), "{solver:?}");
    }
}

/// Keeps all that was ever written.
#[derive(Default)]
struct History(Mutex<Vec<Vec<u8>>>);

impl Checkpoint for History {
    fn name(&self) -> String {
        "history".into()
    }

    fn read(&self) -> Result<Option<Vec<u8>>, Box<dyn Error + Send + Sync>> {
        Ok(None)
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.0.lock().unwrap().push(bytes.to_vec());
        Ok(())
    }
}

/// A process may be killed with its last state written passes before another's.
#[test]
fn processes_that_are_behind_catch_up() {
    let network = dense_network();
    let points = made::<f64>(500..520).unwrap().0;
    for solver in SOLVERS {
        let landmarks = Landmarks::new(&network).alpha(0.1).block(8).solver(solver);
        let histories = [History::default(), History::default()];
        let whole = job(2, |ranks| {
            let landmarks = landmarks.clone().checkpoint(&histories[ranks.rank()]);
            landmarks
                .fit_over(ranks, &points, 100, made::<f64>)
                .unwrap()
        });
        let [one, other] = histories.map(|history| history.0.into_inner().unwrap());
        let at = |history: &[Vec<u8>], part: usize| history[(history.len() - 1) * part / 4].clone();
        for (first, second) in [(0, 4), (4, 0), (2, 0), (0, 2), (2, 2), (3, 2)] {
            let places = [Memory::default(), Memory::default()];
            places[0].set(&at(&one, first));
            places[1].set(&at(&other, second));
            let found = job(2, |ranks| {
                let landmarks = landmarks.clone().checkpoint(&places[ranks.rank()]);
                landmarks
                    .fit_over(ranks, &points, 100, made::<f64>)
                    .unwrap()
            });
            for found in found {
                assert_eq!(found.coefficients(), whole[0].coefficients());
                assert_eq!(found.residual(), whole[0].residual());
            }
        }
        // One process has nothing of a job of two.
        let place = Memory::default();
        place.set(&at(&one, 4));
        let alone = landmarks.clone().checkpoint(&place);
        let error = alone.fit_from_fn(&points, 100, made::<f64>).unwrap_err();
        let EstimatorError::Checkpoint(error) = error else {
            panic!("{error}");
        };
        assert!(
            matches!(&*error, CheckpointError::OtherRun { setting, .. } if setting == "number of processes"),
            "{error}"
        );
        assert_eq!(place.bytes(), at(&one, 4));
    }
}

/// Each way to fail on one process alone ends all of them.
#[test]
fn what_one_process_fails_by_all_are_told() {
    let network = dense_network();
    let points = made::<f64>(500..520).unwrap().0;
    let short = |range: Range<usize>| made::<f64>(range.start..range.end - 1);
    let outputs = |range: Range<usize>| -> Made<f64> {
        let (x, y) = made::<f64>(range)?;
        Ok((x, y.slice(s![.., ..1]).to_owned()))
    };
    let nan = |range: Range<usize>| -> Made<f64> {
        let (x, y) = made::<f64>(range)?;
        Ok((x, y * f64::NAN))
    };
    let wide = |range: Range<usize>| -> Made<f64> {
        let (x, y) = made::<f64>(range)?;
        Ok((x.slice(s![.., ..3]).to_owned().into_dyn(), y))
    };
    type Read<'a> = &'a (dyn Fn(Range<usize>) -> Made<f64> + Sync);
    let bad: [Read<'_>; 4] = [&short, &outputs, &nan, &wide];
    for solver in SOLVERS {
        let landmarks = Landmarks::new(&network).alpha(0.1).block(8).solver(solver);
        for read in bad {
            let ended = job(2, |ranks| {
                landmarks.fit_over(ranks, &points, 100, |range| match ranks.rank() {
                    0 => made::<f64>(range),
                    _ => read(range),
                })
            });
            let [one, other] = ended.try_into().unwrap();
            let other = other.unwrap_err();
            match one.unwrap_err() {
                EstimatorError::Rank { rank, message } => {
                    assert_eq!((rank, message), (1, other.to_string()));
                }
                // Numbers of outputs are only compared in the end.
                error => assert_eq!(error, other),
            }
        }
        let ended = job(3, |ranks| {
            let landmarks = landmarks.clone().block(8 * usize::from(ranks.rank() != 2));
            landmarks
                .fit_over(ranks, &points, 100, made::<f64>)
                .unwrap_err()
        });
        assert!(matches!(ended[0], EstimatorError::Rank { rank: 2, .. }));
        assert!(matches!(ended[2], EstimatorError::Predict(_)));
    }
}
