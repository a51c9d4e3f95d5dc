//! Matrices over the ranks of a job, against the same functions on one machine.
//!
//! Starts itself under `mpirun`: every case runs on grids of 1 x 1, 1 x 2 and 2 x 2.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[path = "../../ntk-linalg/tests/common/mod.rs"]
mod common;
#[path = "common/ranks.rs"]
mod ranks;

use common::{Random, bound, distance, naive, norm};
use ndarray::{Array1, Array2, ArrayView2, array, s};
use ntk_linalg::{Cholesky, LinalgError, Operator};
use ntk_mpi::communicate::{broadcast, first_failure, receive, send, sum};
use ntk_mpi::mpi::topology::{Color, SimpleCommunicator};
use ntk_mpi::mpi::traits::*;
use ntk_mpi::{BlockCyclic, DistributedCholesky, DistributedOperator, Error, Grid, eigenvalues};

const ORDERS: [usize; 9] = [0, 1, 2, 5, 8, 16, 17, 33, 61];
/// One of them larger than every order.
const BLOCKS: [usize; 4] = [1, 3, 8, 64];
const FAILURE: &str = "this rank has lost its file";

fn main() {
    let argument = std::env::args().nth(1);
    if ranks::started() {
        return ranks::rank(|world| match argument.as_deref() {
            Some("cases") => cases(world),
            Some("long messages") => long_messages(world),
            Some("failure") => failure(world),
            argument => panic!("no such job: {argument:?}"),
        });
    }
    for ranks in [1, 2, 4] {
        ranks::succeed(ranks, "cases");
    }
    ranks::succeed(2, "long messages");
    a_failing_rank_ends_the_job();
}

/// Others wait for rank 1 in a factorisation when it fails.
fn failure(world: &SimpleCommunicator) {
    let grid = Grid::new(world);
    if world.rank() == 1 {
        eprintln!("{FAILURE}");
        world.abort(3);
    }
    let a = BlockCyclic::of_replicated(&grid, &Array2::eye(50), 8).unwrap();
    DistributedCholesky::new(a).unwrap();
    unreachable!("rank 1 has its part in it");
}

fn a_failing_rank_ends_the_job() {
    for ranks in [2, 4] {
        let output = ranks::job(ranks, "failure");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{message}");
        assert!(message.contains(FAILURE), "{message}");
        println!("failure on {ranks} ranks ... ok");
    }
}

fn cases(world: &SimpleCommunicator) {
    let grid = &Grid::new(world);
    assert_eq!(grid.ranks(), usize::try_from(world.size()).unwrap());
    one_rank_speaks_for_those_that_fail(world);
    scatters_and_gathers(grid);
    reads_and_shifts_the_diagonal(grid);
    refuses_bad_input(grid);
    for n in ORDERS {
        for block in BLOCKS {
            solves(grid, n, block);
            names_the_failing_pivot(grid, n, block);
            names_what_is_not_finite(grid, n, block);
            finds_eigenvalues(grid, n, block);
            multiplies(grid, n, block);
        }
    }
    finds_eigenvalues_of_any_size(grid);
    grids_come_and_go(world);
    halves_of_a_job_work_alone(world);
}

/// Numbers that all ranks have alike to the last bit.
fn alike(grid: &Grid, numbers: impl IntoIterator<Item = f64>) {
    let own: Vec<f64> = numbers.into_iter().collect();
    let mut of_root = own.clone();
    broadcast(grid.communicator(), 0, &mut of_root);
    let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&own), bits(&of_root));
}

/// On the grid, with NaN above the diagonal, where nobody may look.
fn lower(grid: &Grid, a: &Array2<f64>, block: usize) -> BlockCyclic {
    let mut a = a.clone();
    for ((i, j), entry) in a.indexed_iter_mut() {
        if i < j {
            *entry = f64::NAN;
        }
    }
    let dealt = BlockCyclic::of_replicated(grid, &a, block);
    dealt.unwrap()
}

fn one_rank_speaks_for_those_that_fail(world: &SimpleCommunicator) {
    assert_eq!(first_failure(world, None), None);
    let (rank, last) = (world.rank(), world.size() - 1);
    for failing in [0, 1, last] {
        let own = format!("rank {rank} has found nothing, \u{fc}berall");
        let error: Option<&dyn std::fmt::Display> = if rank >= failing { Some(&own) } else { None };
        let first = first_failure(world, error);
        let expected = format!("rank {failing} has found nothing, \u{fc}berall");
        let expected = (failing <= last).then(|| (usize::try_from(failing).unwrap(), expected));
        assert_eq!(first, expected);
    }
}

fn scatters_and_gathers(grid: &Grid) {
    let mut random = Random(1);
    for (rows, columns) in [(0, 0), (0, 5), (5, 0), (1, 1), (7, 20), (33, 4), (16, 16)] {
        let whole = random.matrix::<f64>(rows, columns);
        for block in BLOCKS {
            let nobody = Array2::zeros((3, 0));
            let given = if grid.rank() == 0 { &whole } else { &nobody };
            let dealt = BlockCyclic::scatter(grid, given, block).unwrap();
            assert_eq!(dealt.shape(), (rows, columns));
            assert_eq!(dealt.gather(), (grid.rank() == 0).then(|| whole.clone()));
            assert_eq!(dealt.replicated(), whole);
            let mut filled = BlockCyclic::zeros(grid, (rows, columns), block).unwrap();
            let copy = |i, j, mut part: ndarray::ArrayViewMut2<'_, f64>| {
                part.assign(&whole.slice(s![i, j]));
                Ok::<(), ()>(())
            };
            filled.fill_blocks(copy).unwrap();
            assert_eq!(filled.local(), dealt.local());
            let refused = filled.fill_blocks(|_, _, _| Err(7));
            let empty = filled.local().is_empty();
            assert_eq!(refused, if empty { Ok(()) } else { Err(7) });
        }
    }
}

fn reads_and_shifts_the_diagonal(grid: &Grid) {
    for (rows, columns) in [(0, 0), (5, 9), (20, 20), (9, 2)] {
        let whole = Random(2).matrix::<f64>(rows, columns);
        let mut a = BlockCyclic::of_replicated(grid, &whole, 3).unwrap();
        assert_eq!(a.diagonal(), whole.diag());
        a.add_to_diagonal(0.5);
        let mut shifted = whole;
        shifted.diag_mut().mapv_inplace(|x| x + 0.5);
        assert_eq!(a.replicated(), shifted);
    }
}

/// What linear algebra alone refuses.
fn linalg(error: Error) -> LinalgError {
    match error {
        Error::Linalg(error) => error,
        other => panic!("{other}"),
    }
}

fn refuses_bad_input(grid: &Grid) {
    for block in [0, 5000] {
        let error = BlockCyclic::zeros(grid, (4, 4), block).unwrap_err();
        assert!(matches!(
            linalg(error),
            LinalgError::Argument { name: "block", .. }
        ));
    }
    let error = BlockCyclic::zeros(grid, (1 << 20, 1 << 20), 256).unwrap_err();
    assert!(
        matches!(error, Error::RankTooLarge { rows: 0x10_0000, needed, most, ranks, .. }
            if needed >= (1 << 40) / ranks as u128 && most == (1 << 31) - 1 && ranks == grid.ranks()),
        "{error}"
    );
    let wide = || BlockCyclic::zeros(grid, (4, 5), 2).unwrap();
    let not_square = |error| {
        matches!(
            linalg(error),
            LinalgError::NotSquare {
                rows: 4,
                columns: 5,
                ..
            }
        )
    };
    assert!(not_square(DistributedCholesky::new(wide()).unwrap_err()));
    assert!(not_square(eigenvalues(wide()).unwrap_err()));
    assert!(not_square(DistributedOperator::new(&wide()).unwrap_err()));
    let a = lower(grid, &Array2::eye(4), 2);
    let wrong = Array2::zeros((5, 2));
    let expected = |error| {
        matches!(
            error,
            LinalgError::ShapeMismatch {
                left: (4, 4),
                right: (5, 2),
                ..
            }
        )
    };
    let operator = DistributedOperator::new(&a).unwrap();
    assert!(expected(operator.product(&wrong).unwrap_err()));
    let cholesky = DistributedCholesky::new(a).unwrap();
    assert!(expected(linalg(cholesky.solve(&wrong).unwrap_err())));
}

fn solves(grid: &Grid, n: usize, block: usize) {
    let mut random = Random(n as u64);
    let a = random.definite::<f64>(n);
    let alone = Cholesky::new(a.clone(), 0.0).unwrap();
    let cholesky = DistributedCholesky::new(lower(grid, &a, block)).unwrap();
    assert_eq!(cholesky.order(), n);
    let diagonal = alone.factor().diag().to_owned();
    let difference = &cholesky.diagonal() - &diagonal;
    assert!(difference.iter().all(|x| x.abs() <= bound::<f64>(n, 2.0)));
    for m in [0, 1, 5] {
        let b = random.matrix::<f64>(n, m);
        let x = cholesky.solve(&b).unwrap();
        alike(grid, x.iter().copied());
        let residual = distance(naive(a.view(), x.view()).view(), b.view());
        assert!(residual <= bound::<f64>(n, norm(a.view()) * norm(x.view())));
        // The condition number is 2.
        let off = distance(x.view(), alone.solve(&b).unwrap().view());
        assert!(off <= bound::<f64>(n, 2.0 * norm(x.view())), "{off:e}");
    }
}

fn names_the_failing_pivot(grid: &Grid, n: usize, block: usize) {
    for pivot in [0, n / 2, n.saturating_sub(1)] {
        if pivot >= n {
            continue;
        }
        let mut a = Random(3).definite::<f64>(n);
        a[[pivot, pivot]] = -1.0;
        let expected = match Cholesky::new(a.clone(), 0.0).unwrap_err() {
            LinalgError::NotPositiveDefinite { value, .. } => value,
            error => panic!("{error}"),
        };
        let error = DistributedCholesky::new(lower(grid, &a, block)).unwrap_err();
        match linalg(error) {
            LinalgError::NotPositiveDefinite {
                n: order,
                pivot: found,
                value,
                ridge,
            } => {
                assert_eq!((order, found, ridge), (n, pivot, 0.0));
                assert!((value - expected).abs() <= bound::<f64>(n, 3.0));
            }
            error => panic!("{error}"),
        }
    }
}

fn names_what_is_not_finite(grid: &Grid, n: usize, block: usize) {
    if n == 0 {
        return;
    }
    let mut a = Random(4).definite::<f64>(n);
    a[[n - 1, n / 2]] = f64::NEG_INFINITY;
    a[[n - 1, n - 1]] = f64::INFINITY;
    let first = LinalgError::NonFinite {
        row: n - 1,
        column: n / 2,
        value: if n / 2 == n - 1 {
            f64::INFINITY
        } else {
            f64::NEG_INFINITY
        },
    };
    let found = DistributedCholesky::new(lower(grid, &a, block)).unwrap_err();
    assert_eq!(linalg(found), first);
    assert_eq!(
        linalg(eigenvalues(lower(grid, &a, block)).unwrap_err()),
        first
    );
}

fn same_spectrum(grid: &Grid, a: ArrayView2<'_, f64>, block: usize, largest: f64) -> Array1<f64> {
    let n = a.nrows();
    let values = eigenvalues(lower(grid, &a.to_owned(), block)).unwrap();
    alike(grid, values.iter().copied());
    assert!(values.as_slice().unwrap().is_sorted());
    let alone = ntk_linalg::eigenvalues(&a).unwrap();
    assert_eq!(values.len(), n);
    for (found, expected) in values.iter().zip(&alone) {
        let off = (found - expected).abs();
        assert!(
            off <= bound::<f64>(n, largest),
            "{found} {expected} of order {n}"
        );
    }
    values
}

fn finds_eigenvalues(grid: &Grid, n: usize, block: usize) {
    // A third is zero, a third one number many times, and the rest apart.
    let spectrum: Vec<f64> = (0..n)
        .map(|i| match i % 3 {
            0 => 0.0,
            1 => 2.0,
            _ => -1.0 / (i as f64),
        })
        .collect();
    let a = Random(5).with_spectrum::<f64>(&spectrum);
    let values = same_spectrum(grid, a.view(), block, 2.0);
    let mut sorted = spectrum;
    sorted.sort_by(f64::total_cmp);
    for (found, expected) in values.iter().zip(&sorted) {
        assert!((found - expected).abs() <= bound::<f64>(n, 2.0));
    }
    let definite = Random(6).definite::<f64>(n);
    same_spectrum(grid, definite.view(), block, 2.0);
    // Without anything to iterate on.
    same_spectrum(grid, Array2::zeros((n, n)).view(), block, 0.0);
    same_spectrum(grid, Array2::eye(n).view(), block, 1.0);
}

fn finds_eigenvalues_of_any_size(grid: &Grid) {
    for size in [1e-300, 1e-160, 1e160, 1e300] {
        let a = Random(7).definite::<f64>(20) * size;
        same_spectrum(grid, a.view(), 4, 2.0 * size);
    }
}

fn multiplies(grid: &Grid, n: usize, block: usize) {
    let mut random = Random(8);
    let a = random.symmetric::<f64>(n);
    let dealt = lower(grid, &a, block);
    let operator = DistributedOperator::new(&dealt).unwrap();
    assert_eq!(operator.order(), n);
    for k in [0, 1, 4] {
        let v = random.matrix::<f64>(n, k);
        let product = operator.product(&v).unwrap();
        alike(grid, product.iter().copied());
        let off = distance(product.view(), naive(a.view(), v.view()).view());
        assert!(off <= bound::<f64>(n, norm(a.view()) * norm(v.view())));
        // Any strides will do.
        let turned = v.t().as_standard_layout().into_owned();
        assert_eq!(operator.product(&turned.t()).unwrap(), product);
    }
}

/// BLACS has a table of contexts and one of communicators, and MPI a limit of these.
fn grids_come_and_go(world: &SimpleCommunicator) {
    for _ in 0..300 {
        let grid = Grid::new(world);
        let a = BlockCyclic::of_replicated(&grid, &array![[4.0]], 1).unwrap();
        drop(grid);
        let x = DistributedCholesky::new(a).unwrap();
        assert_eq!(x.solve(&array![[2.0]]).unwrap(), array![[0.5]]);
    }
}

/// Each on its own grid, with work of its own.
fn halves_of_a_job_work_alone(world: &SimpleCommunicator) {
    let half = world.rank() % 2;
    let part = world.split_by_color(Color::with_value(half)).unwrap();
    let grid = &Grid::new(&part);
    let n = if half == 0 { 17 } else { 30 };
    solves(grid, n, 4);
    finds_eigenvalues(grid, n, 4);
}

/// Longer than one piece, by a few numbers.
fn long_messages(world: &SimpleCommunicator) {
    let length = (1 << 24) + 3;
    let numbers: Vec<f64> = (0..length).map(|i| i as f64).collect();
    let mut received = vec![0.0; length];
    if world.rank() == 0 {
        send(world, 1, &numbers);
        received.copy_from_slice(&numbers);
    } else {
        receive(world, 0, &mut received);
    }
    assert_eq!(received, numbers);
    sum(world, &mut received);
    assert!(
        received
            .iter()
            .zip(&numbers)
            .all(|(sum, x)| *sum == 2.0 * x)
    );
    if world.rank() == 1 {
        received.fill(0.0);
    }
    broadcast(world, 0, &mut received);
    assert!(
        received
            .iter()
            .zip(&numbers)
            .all(|(sum, x)| *sum == 2.0 * x)
    );
}
