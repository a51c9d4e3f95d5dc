//! Kernel matrices and regression over the ranks of a job, against the same on one machine.
//!
//! Starts itself under `mpirun`: every case runs on grids of 1 x 1, 1 x 2 and 2 x 2.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[path = "kernels/landmarks.rs"]
mod landmarks;
#[path = "common/ranks.rs"]
mod ranks;

use ndarray::{Array2, ArrayD, Axis, Slice, s};
use ntk_kernels::network::{
    Network, avg_pool, conv, dense, dropout, erf, flatten, layer_norm, relu,
};
use ntk_kernels::predict::{KernelRegression, PredictError};
use ntk_kernels::{Kernel, KernelError};
use ntk_linalg::observer::{Cancelled, Observer};
use ntk_linalg::tiled::{TileSource, Tiling};
use ntk_linalg::{ConjugateGradients, LinalgError, RandomPivots};
use ntk_mpi::mpi::topology::SimpleCommunicator;
use ntk_mpi::{BlockCyclic, DistributedCholesky, DistributedOperator, Grid, eigenvalues};
use ntk_mpi::{DistributedKernel, DistributedRegression, Error};
use ntk_store::{Description, TileStore};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;
use std::time::SystemTime;

/// One of them larger than every number of samples.
const BLOCKS: [usize; 3] = [1, 4, 64];

fn main() {
    let argument = std::env::args().nth(1);
    if ranks::started() {
        return ranks::rank(|world| match argument.as_deref() {
            Some("cases") => cases(world),
            argument => panic!("no such job: {argument:?}"),
        });
    }
    for ranks in [1, 2, 4] {
        ranks::succeed(ranks, "cases");
    }
}

fn cases(world: &SimpleCommunicator) {
    let grid = &Grid::new(world);
    for n in [0, 1, 5, 17] {
        for block in BLOCKS {
            for (network, shape) in networks() {
                has_the_kernel(grid, &network, &samples(n, &shape, 1), block);
                predicts(grid, &network, &samples(n, &shape, 1), block);
            }
        }
    }
    has_the_spectrum(grid);
    goes_through_a_store(grid);
    tells_every_rank_of_a_bad_store(grid);
    solves_by_products(grid);
    tells_every_rank_of_bad_samples(grid);
    refuses_what_has_no_meaning(grid);
    landmarks::fit_blocks_of_each_rank(grid);
    landmarks::fit_with_a_spread_kernel(grid);
    landmarks::tell_every_rank_what_is_wrong(grid);
    tells_every_rank_of_bad_targets(grid);
    tells_every_rank_of_a_stop(grid);
}

/// Networks with the shape of a sample of each.
fn networks() -> Vec<(Network, Vec<usize>)> {
    let mlp = Network::new().then(dense()).then(relu()).then(dense());
    let dropping = Network::new()
        .then(dense())
        .then(erf(1.0, 1.0, 0.0))
        .then(dropout(0.8))
        .then(dense())
        .then(layer_norm())
        .then(dense());
    let convolutional = Network::new()
        .then(conv([3, 3]))
        .then(relu())
        .then(avg_pool([2, 2]))
        .then(flatten())
        .then(dense());
    vec![
        (mlp, vec![6]),
        (dropping, vec![3]),
        (convolutional, vec![4, 4, 1]),
    ]
}

/// The last of them equals the first, so that blocks off the diagonal meet equal samples.
fn samples(n: usize, shape: &[usize], seed: u64) -> ArrayD<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let all: Vec<usize> = [n].iter().chain(shape).copied().collect();
    let mut x = ArrayD::from_shape_simple_fn(all, || random.random_range(-1.0..1.0));
    if n > 1 {
        let first = x.index_axis(Axis(0), 0).to_owned();
        x.index_axis_mut(Axis(0), n - 1).assign(&first);
    }
    x
}

/// What rank 0 gives, and the others: nothing of use.
fn at_root(grid: &Grid, x: &ArrayD<f64>) -> ArrayD<f64> {
    if grid.rank() == 0 {
        x.clone()
    } else {
        ArrayD::zeros(vec![])
    }
}

fn alone(
    network: &Network,
    x1: &ArrayD<f64>,
    x2: Option<&ArrayD<f64>>,
    kernel: Kernel,
) -> Array2<f64> {
    let kernel_fn = network.kernel_fn();
    match x2 {
        None => kernel_fn.kernel(kernel, x1),
        Some(x2) => kernel_fn.kernel_between(kernel, x1, x2),
    }
    .unwrap()
}

fn largest<'a>(numbers: impl IntoIterator<Item = &'a f64>) -> f64 {
    numbers.into_iter().fold(0.0, |m, x| m.max(x.abs()))
}

fn has_the_kernel(grid: &Grid, network: &Network, x: &ArrayD<f64>, block: usize) {
    for which_kernel in [Kernel::Ntk, Kernel::Nngp] {
        let given = at_root(grid, x);
        let kernel = DistributedKernel::new(grid, network, which_kernel, &given, block).unwrap();
        let n = x.shape()[0];
        assert_eq!(kernel.samples(), n);
        let matrix = kernel.matrix().unwrap().replicated();
        let expected = alone(network, x, None, which_kernel);
        assert_eq!(matrix.dim(), expected.dim());
        // Sums of products of at most 9 numbers, in another order: some hundred roundings.
        let tolerance = 1e-13 * largest(&expected);
        let off = largest(&(&kernel.diagonal() - &expected.diag()));
        assert!(off <= tolerance, "{off:e}");
        // Any, in any order, also twice.
        let which: Vec<_> = (0..n).chain(0..n).map(|i| (5 * i + 1) % n).collect();
        let found = kernel.columns(&which).unwrap();
        let off = largest(&(&found - &expected.select(Axis(1), &which)));
        assert!(found.dim() == (n, 2 * n) && off <= tolerance, "{off:e}");
        assert!(matches!(
            kernel.columns(&[n]).unwrap_err(),
            Error::Linalg(LinalgError::Argument { .. })
        ));
        for ((i, j), entry) in matrix.indexed_iter() {
            if i / block == j / block || i > j {
                assert!(
                    (entry - expected[[i, j]]).abs() <= tolerance,
                    "{i} {j} {entry}"
                );
            } else {
                assert_eq!(*entry, 0.0);
            }
        }
    }
}

/// Added to the diagonal, so that equal samples leave the matrix positive definite.
const RIDGE: f64 = 0.5;

fn predicts(grid: &Grid, network: &Network, x: &ArrayD<f64>, block: usize) {
    let n = x.shape()[0];
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let given = at_root(grid, x);
    let kernel = DistributedKernel::new(grid, network, Kernel::Ntk, &given, block).unwrap();
    for outputs in [0, 1, 3] {
        let mut draw = || random.random_range(-1.0..1.0);
        let y = Array2::from_shape_simple_fn((n, outputs), &mut draw);
        let nothing = Array2::zeros((2, 7));
        let targets = if grid.rank() == 0 { &y } else { &nothing };
        let mut matrix = kernel.matrix().unwrap();
        matrix.add_to_diagonal(RIDGE);
        let found = DistributedRegression::fit(&kernel, matrix, targets).unwrap();
        let mut k_dd = alone(network, x, None, Kernel::Ntk);
        k_dd.diag_mut().mapv_inplace(|x| x + RIDGE);
        let expected = KernelRegression::fit(k_dd, &y, 0.0).unwrap();
        let given =
            DistributedRegression::with_coefficients(&kernel, found.coefficients().to_owned());
        // 300 are more than one piece of them, and slow for images.
        let most = if x.ndim() == 2 { 300 } else { 20 };
        for m in [0, 1, most] {
            let test = samples(m, &x.shape()[1..], 2);
            let here = at_root(grid, &test);
            let outputs_found = found.predict(&here).unwrap();
            assert_eq!(
                outputs_found,
                given.as_ref().unwrap().predict(&here).unwrap()
            );
            assert_eq!(outputs_found.is_some(), grid.rank() == 0);
            let Some(outputs_found) = outputs_found else {
                continue;
            };
            let k_td = alone(network, &test, Some(x), Kernel::Ntk);
            let outputs = expected.predict(&k_td).unwrap();
            assert_eq!(outputs_found.dim(), outputs.dim());
            let off = largest(&(&outputs_found - &outputs));
            assert!(off <= 1e-10 * largest(&outputs), "{off:e}");
        }
    }
}

fn has_the_spectrum(grid: &Grid) {
    for (network, shape) in networks() {
        let x = samples(23, &shape, 1);
        let given = at_root(grid, &x);
        let kernel = DistributedKernel::new(grid, &network, Kernel::Ntk, &given, 4).unwrap();
        let found = eigenvalues(kernel.matrix().unwrap()).unwrap();
        let expected = ntk_linalg::eigenvalues(&alone(&network, &x, None, Kernel::Ntk)).unwrap();
        assert!(largest(&(&found - &expected)) <= 1e-12 * largest(&expected));
    }
}

/// On rank 0, in `folder`, of these samples.
fn store(
    grid: &Grid,
    folder: &Path,
    network: &Network,
    x: &ArrayD<f64>,
    tile: usize,
) -> Option<TileStore<f64>> {
    (grid.rank() == 0).then(|| {
        let tiles = network
            .kernel_fn()
            .tile(tile)
            .tiles(Kernel::Ntk, x)
            .unwrap();
        let description = Description::of(&tiles).unwrap();
        TileStore::open_or_create(folder, &description).unwrap()
    })
}

/// When each tile was written, and `None` for those that are not there.
fn written(store: &TileStore<f64>) -> Vec<Option<SystemTime>> {
    let files = store.tiling().positions().map(|tile| store.path(tile));
    files
        .map(|path| Some(path.metadata().ok()?.modified().unwrap()))
        .collect()
}

fn goes_through_a_store(grid: &Grid) {
    for (network, shape) in networks() {
        for (n, block) in [(0, 3), (1, 3), (17, 64), (20, 3)] {
            let x = samples(n, &shape, 1);
            let given = at_root(grid, &x);
            let kernel =
                DistributedKernel::new(grid, &network, Kernel::Ntk, &given, block).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let store = store(grid, folder.path(), &network, &x, block);
            let expected = kernel.matrix().unwrap().replicated();
            let through = || kernel.matrix_through(store.as_ref()).unwrap().replicated();
            assert_eq!(through(), expected);
            let times = store.as_ref().map(|store| {
                assert_eq!(store.survey().unwrap().to_compute(), []);
                for (i, tile) in store.tiling().positions().enumerate() {
                    let part = store.read(tile).unwrap();
                    let (rows, columns) = tile;
                    let (rows, columns) = (
                        store.tiling().row_range(rows),
                        store.tiling().column_range(columns),
                    );
                    assert_eq!(part, expected.slice(s![rows, columns]));
                    // What comes from the store is known by its scale.
                    if i % 3 == 0 {
                        std::fs::remove_file(store.path(tile)).unwrap();
                    } else {
                        store.write(tile, &(part * 2.0)).unwrap();
                    }
                }
                written(store)
            });
            let mixed = through();
            let tiling = Tiling::symmetric(n, block).unwrap();
            for (index, (i, j)) in tiling.positions().enumerate() {
                let part = s![tiling.row_range(i), tiling.column_range(j)];
                let (found, expected) = (mixed.slice(part), expected.slice(part));
                if index % 3 != 0 {
                    assert_eq!(found, &expected * 2.0);
                    continue;
                }
                // Strips of other lengths are summed in another order.
                let off = largest(&(&found - &expected));
                assert!(off <= 1e-13 * largest(expected), "{off:e}");
            }
            if let (Some(store), Some(before)) = (&store, &times) {
                let after = written(store);
                assert!(after.iter().all(Option::is_some));
                for (before, after) in before.iter().zip(&after) {
                    assert!(before.is_none() || before == after);
                }
            }
        }
    }
}

fn tells_every_rank_of_a_bad_store(grid: &Grid) {
    let (network, shape) = networks().remove(0);
    let x = samples(20, &shape, 1);
    let kernel =
        DistributedKernel::new(grid, &network, Kernel::Ntk, &at_root(grid, &x), 3).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let other = store(grid, &path("other"), &network, &x, 4);
    from_root(grid, kernel.matrix_through(other.as_ref()), |error| {
        matches!(
            error,
            Error::Store(ntk_store::Error::Source { stored, given })
                if stored != given
        )
    });
    let good = store(grid, &path("good"), &network, &x, 3);
    kernel.matrix_through(good.as_ref()).unwrap();
    let damage = |change: fn(&mut Vec<u8>)| {
        if let Some(store) = &good {
            let file = store.path((4, 2));
            let mut bytes = std::fs::read(&file).unwrap();
            change(&mut bytes);
            std::fs::write(&file, bytes).unwrap();
        }
        from_root(
            grid,
            kernel.matrix_through(good.as_ref()),
            |error| matches!(error, Error::Store(ntk_store::Error::Damaged(damage)) if damage.tile == (4, 2)),
        );
    };
    damage(|bytes| bytes[5] ^= 1);
    damage(|bytes| bytes.truncate(7));
    if let Some(store) = &good {
        // Where the tile's file belongs: it cannot be read as one, nor replaced.
        std::fs::remove_file(store.path((6, 0))).unwrap();
        std::fs::remove_file(store.path((4, 2))).unwrap();
        std::fs::remove_dir_all(folder.path().join("good/c/6")).unwrap();
        std::fs::write(folder.path().join("good/c/6"), "").unwrap();
    }
    let failed = kernel.matrix_through(good.as_ref());
    from_root(grid, failed, |error| {
        matches!(error, Error::Store(ntk_store::Error::Io { .. }))
    });
}

fn solves_by_products(grid: &Grid) {
    for (network, shape) in networks() {
        let x = samples(40, &shape, 1);
        let given = at_root(grid, &x);
        let kernel = DistributedKernel::new(grid, &network, Kernel::Ntk, &given, 4).unwrap();
        let mut matrix = kernel.matrix().unwrap();
        matrix.add_to_diagonal(RIDGE);
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let y = Array2::from_shape_simple_fn((40, 2), || random.random_range(-1.0..1.0));
        let solve = |rank| {
            let mut random = ChaCha8Rng::seed_from_u64(3);
            let diagonal = kernel.diagonal().to_owned();
            let columns = |which: &[usize]| kernel.columns(which);
            let pivots = RandomPivots::new(rank);
            let partial = pivots
                .factor(diagonal, || random.random(), columns)
                .unwrap();
            let preconditioner = partial.preconditioner(RIDGE).unwrap();
            let operator = DistributedOperator::new(&matrix).unwrap();
            ConjugateGradients::new()
                .tolerance(1e-12)
                .max_iterations(200)
                .preconditioner(&preconditioner)
                .solve(&operator, &y)
                .unwrap()
        };
        let (plain, found) = (solve(0), solve(20));
        assert!(plain.converged && found.converged);
        assert!(found.residuals.len() < plain.residuals.len());
        let scale = largest(&found.x);
        let direct = DistributedCholesky::new(matrix.clone()).unwrap();
        let off = largest(&(&direct.solve(&y).unwrap() - &found.x));
        // |x - x'| <= |r| / RIDGE, with the norms of all 80 entries.
        assert!(off <= 1e-11 * (1.0 + scale) * 80.0, "{off:e}");
    }
}

/// The error on rank 0, and on the others that rank 0 has it.
fn from_root<T: std::fmt::Debug>(
    grid: &Grid,
    result: Result<T, Error>,
    expected: impl Fn(&Error) -> bool,
) {
    match result.unwrap_err() {
        Error::Rank { rank: 0, message } if grid.rank() != 0 => {
            assert!(!message.is_empty());
        }
        error => assert!(grid.rank() == 0 && expected(&error), "{error}"),
    }
}

fn tells_every_rank_of_bad_samples(grid: &Grid) {
    let (network, shape) = networks().remove(0);
    let good = samples(20, &shape, 1);
    let new = |x: &ArrayD<f64>| DistributedKernel::new(grid, &network, Kernel::Ntk, x, 4);
    let mut bad = good.clone();
    bad[[17, 2]] = f64::NAN;
    from_root(grid, new(&at_root(grid, &bad)), |error| {
        let Error::Kernel(KernelError::NonFinite { index, .. }) = error else {
            return false;
        };
        index == &[17, 2]
    });
    let scalar = ArrayD::zeros(vec![]);
    from_root(grid, new(&scalar), |error| {
        matches!(error, Error::Kernel(KernelError::Axes { .. }))
    });
    let empty = ArrayD::zeros(vec![3, 0]);
    from_root(grid, new(&empty), |error| {
        matches!(error, Error::Kernel(KernelError::Empty { .. }))
    });
    let kernel = new(&at_root(grid, &good)).unwrap();
    let coefficients = Array2::ones((20, 1));
    let wide = samples(5, &[7], 1);
    let predicted = kernel.predict(&coefficients, &at_root(grid, &wide));
    from_root(grid, predicted, |error| {
        matches!(error, Error::Kernel(KernelError::Shapes { .. }))
    });
    let predicted = kernel.predict(&coefficients, &scalar);
    from_root(grid, predicted, |error| {
        matches!(error, Error::Kernel(KernelError::Axes { .. }))
    });
    let few = coefficients.slice(s![..19, ..]);
    let error = kernel.predict(&few, &at_root(grid, &good));
    assert!(matches!(
        error.unwrap_err(),
        Error::Predict(PredictError::Shape { found: (19, 1), .. })
    ));
    let kernel = DistributedKernel::new(grid, &network, Kernel::Ntk, &good, 0).unwrap();
    assert!(matches!(
        kernel.matrix().unwrap_err(),
        Error::Linalg(LinalgError::Argument { name: "block", .. })
    ));
}

/// What a caller passes in is refused on every rank, and nothing panics.
fn refuses_what_has_no_meaning(grid: &Grid) {
    for block in [0, 4097, usize::MAX] {
        let zeros = BlockCyclic::zeros(grid, (3, 3), block);
        assert!(matches!(
            zeros.unwrap_err(),
            Error::Linalg(LinalgError::Argument { .. })
        ));
    }
    for shape in [(usize::MAX, 1), (usize::MAX, usize::MAX), (0, usize::MAX)] {
        let zeros = BlockCyclic::zeros(grid, shape, 4);
        assert!(matches!(zeros.unwrap_err(), Error::RankTooLarge { .. }));
    }
    for shape in [(0, 0), (0, 3), (3, 0), (2, 3)] {
        let whole = Array2::from_elem(shape, f64::NAN);
        let upside_down = BlockCyclic::scatter(grid, &whole.slice(s![..;-1, ..;-1]), 2).unwrap();
        assert_eq!(upside_down.replicated().dim(), shape);
        assert_eq!(upside_down.diagonal().len(), shape.0.min(shape.1));
        if shape.0 != shape.1 {
            assert!(DistributedOperator::new(&upside_down).is_err());
            assert!(eigenvalues(upside_down.clone()).is_err());
            assert!(DistributedCholesky::new(upside_down).is_err());
        }
    }
    let (rows, _) = grid.axes(usize::MAX, (5, 5), 2);
    assert!(rows.held_below(usize::MAX) > 0 && rows.owner(usize::MAX) < grid.shape().0);
    let (network, _) = networks().remove(0);
    for shape in [vec![0, 0], vec![3, 0], vec![], vec![2, 2, 2, 2, 2]] {
        let x = ArrayD::zeros(shape);
        assert!(DistributedKernel::new(grid, &network, Kernel::Ntk, &x, 4).is_err());
    }
}

fn tells_every_rank_of_bad_targets(grid: &Grid) {
    let (network, shape) = networks().remove(0);
    let x = at_root(grid, &samples(20, &shape, 1));
    let kernel = DistributedKernel::new(grid, &network, Kernel::Ntk, &x, 4).unwrap();
    let matrix = || kernel.matrix().unwrap();
    let fit = |y: Array2<f64>| DistributedRegression::fit(&kernel, matrix(), &y);
    from_root(grid, fit(Array2::zeros((19, 1))), |error| {
        matches!(
            error,
            Error::Predict(PredictError::Shape { found: (19, 1), .. })
        )
    });
    from_root(grid, fit(Array2::from_elem((20, 1), f64::NAN)), |error| {
        matches!(error, Error::Predict(PredictError::NonFinite { .. }))
    });
    // Two equal samples, and below zero what would be zero.
    let mut singular = matrix();
    singular.add_to_diagonal(-1e-3);
    let y = Array2::ones((20, 1));
    assert!(matches!(
        DistributedRegression::fit(&kernel, singular, &y).unwrap_err(),
        Error::Linalg(LinalgError::NotPositiveDefinite { n: 20, .. })
    ));
    let other = samples(9, &shape, 1);
    let other = DistributedKernel::new(grid, &network, Kernel::Ntk, &other, 4).unwrap();
    assert!(matches!(
        DistributedRegression::fit(&other, matrix(), &y).unwrap_err(),
        Error::Predict(PredictError::Shape {
            found: (20, 20),
            ..
        })
    ));
    assert!(matches!(
        DistributedRegression::with_coefficients(&other, y).unwrap_err(),
        Error::Predict(PredictError::Shape { found: (20, 1), .. })
    ));
}

/// The last rank alone is asked to stop.
fn tells_every_rank_of_a_stop(grid: &Grid) {
    struct Stop(bool);
    impl Observer for Stop {
        fn cancelled(&self) -> bool {
            self.0
        }
    }
    let (network, shape) = networks().remove(0);
    let x = samples(20, &shape, 1);
    let kernel = DistributedKernel::new(grid, &network, Kernel::Ntk, &x, 2).unwrap();
    let last = grid.ranks() - 1;
    let stop = Stop(grid.rank() == last);
    let kernel = kernel.observer(&stop);
    let test = x.slice_axis(Axis(0), Slice::from(0..20));
    let errors = [
        kernel.matrix().unwrap_err(),
        kernel.predict(&Array2::ones((20, 1)), &test).unwrap_err(),
    ];
    for error in errors {
        match error {
            Error::Rank { rank, message } => {
                assert_eq!((rank, message), (last, Cancelled.to_string()));
                assert_ne!(grid.rank(), last);
            }
            error => assert!(grid.rank() == last && error.to_string() == Cancelled.to_string()),
        }
    }
}
