//! Regression over landmarks, against that of one process.

use super::BLOCKS;
use ndarray::{Array2, ArrayD, Axis};
use ntk_kernels::network::{Network, dense, relu};
use ntk_kernels::predict::Ridge;
use ntk_kernels::{EstimatorError, Kernel, Landmarks, Solver};
use ntk_mpi::{DistributedKernel, DistributedLandmarks, Error, Grid};
use std::ops::Range;

fn network() -> Network {
    Network::new().then(dense()).then(relu()).then(dense())
}

/// Samples and targets of which each row is a function of its index.
fn made(range: Range<usize>) -> (ArrayD<f64>, Array2<f64>) {
    let at = |i: usize, j: usize| ((i * (j + 2)) as f64 * 0.7).sin();
    let x = Array2::from_shape_fn((range.len(), 3), |(i, j)| at(range.start + i, j));
    let y = x.map_axis(Axis(1), |x| x[0] * x[1]).insert_axis(Axis(1));
    (x.into_dyn(), y)
}

fn distance(one: &Array2<f64>, other: &Array2<f64>) -> f64 {
    let gaps = one.iter().zip(other).map(|(a, b)| (a - b).abs());
    gaps.fold(0.0, f64::max)
}

/// Sums over blocks are rounded in another order.
pub(super) fn fit_blocks_of_each_rank(grid: &Grid) {
    let network = network();
    let (points, test) = (made(200..212).0, made(300..320).0);
    let read = |range| Ok::<_, EstimatorError>(made(range));
    let gradients = Solver::ConjugateGradients {
        tolerance: 1e-12,
        iterations: 40,
    };
    for solver in [Solver::NormalEquations, gradients] {
        let landmarks = Landmarks::new(&network).alpha(0.1).block(8).solver(solver);
        let one = landmarks.fit_from_fn(&points, 100, read).unwrap();
        let found = landmarks.fit_over(grid, &points, 100, read).unwrap();
        let [one, found] = [one, found].map(|fitted| fitted.predict(&test).unwrap());
        let gap = distance(&one, &found);
        assert!(gap < 1e-9, "{solver:?}: {gap}");
        let ended = landmarks.fit_over(grid, &points, 100, |range| match grid.rank() {
            0 => Err(EstimatorError::OnePass),
            _ => read(range),
        });
        match ended.unwrap_err() {
            EstimatorError::OnePass => assert_eq!(grid.rank(), 0),
            EstimatorError::Rank { rank: 0, .. } => assert_ne!(grid.rank(), 0),
            error => panic!("{error}"),
        }
    }
}

/// The equations are solved to 1e-10 of their right-hand side, and their condition is some 1e4.
pub(super) fn fit_with_a_spread_kernel(grid: &Grid) {
    let network = network();
    let (all, test) = (made(200..208).0, made(300..320).0);
    // Of these, some repeat.
    for which in [&[0, 1, 2, 3, 4, 5, 6, 7][..], &[0, 1, 2, 3, 3, 4, 2]] {
        let points = all.select(Axis(0), which);
        let alpha = Ridge::Relative(0.01);
        let one = Landmarks::new(&network).alpha(alpha);
        let one = one.fit_from_fn(&points, 100, |range| Ok::<_, EstimatorError>(made(range)));
        let one = one.unwrap().predict(&test).unwrap();
        for block in BLOCKS {
            let kernel = DistributedKernel::new(grid, &network, Kernel::Ntk, &points, block);
            let kernel = kernel.unwrap();
            let landmarks = DistributedLandmarks::new(&kernel, &points).unwrap();
            let landmarks = landmarks.alpha(alpha).block(8).limits(1e-10, 200);
            let fitted = landmarks.fit::<Error>(100, 1, |range| Ok(made(range)));
            let (fitted, residual) = fitted.unwrap();
            assert!(residual <= 1e-10, "{residual}");
            if let Some(found) = fitted.predict(&test).unwrap() {
                let gap = distance(&one, &found);
                assert!(gap < 1e-6, "{which:?} in {block}: {gap}");
            }
        }
    }
}

pub(super) fn tell_every_rank_what_is_wrong(grid: &Grid) {
    let network = network();
    let points = made(200..208).0;
    let kernel = DistributedKernel::new(grid, &network, Kernel::Ntk, &points, 4).unwrap();
    let fewer = made(200..207).0;
    let error = DistributedLandmarks::new(&kernel, &fewer).unwrap_err();
    assert!(error.to_string().contains("8 samples"), "{error}");
    let landmarks = |block: usize, alpha: f64| {
        let landmarks = DistributedLandmarks::new(&kernel, &points).unwrap();
        landmarks.block(block).alpha(alpha)
    };
    let read = |range| Ok::<_, Error>(made(range));
    for (block, samples, alpha) in [
        (0, 100, 0.1),
        (8, 0, 0.1),
        (8, 100, -1.0),
        (8, 100, f64::NAN),
    ] {
        let ended = landmarks(block, alpha).fit(samples, 1, read);
        assert!(matches!(ended, Err(Error::Predict(_) | Error::Linalg(_))));
    }
    // The last rank alone meets it.
    let last = grid.ranks() - 1;
    type Spoil = fn(&mut ArrayD<f64>, &mut Array2<f64>);
    let spoils: [Spoil; 4] = [
        |x, _| x[[0, 0]] = f64::NAN,
        |_, y| y[[0, 0]] = f64::INFINITY,
        |_, y| *y = Array2::zeros((y.nrows(), 2)),
        |x, _| *x = ArrayD::zeros(vec![x.shape()[0], 5]),
    ];
    for spoil in spoils {
        let ended = landmarks(8, 0.1).fit(100, 1, |range| {
            let (mut x, mut y) = made(range);
            if grid.rank() == last {
                spoil(&mut x, &mut y);
            }
            Ok::<_, Error>((x, y))
        });
        match ended.unwrap_err() {
            Error::Rank { rank, .. } => assert!(rank == last && grid.rank() != last),
            _ => assert_eq!(grid.rank(), last),
        }
    }
}
