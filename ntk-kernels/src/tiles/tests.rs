use super::*;
use crate::Kernels;
use crate::network::*;
use ndarray::{Array4, ArrayD, Slice, array, s};
use ntk_linalg::tiled::TiledMatrix;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn random(shape: &[usize], seed: u64) -> ArrayD<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    ArrayD::from_shape_simple_fn(shape, || rng.random_range(-1.0..1.0))
}

fn networks() -> [(Network, Vec<usize>); 3] {
    let dense_ones = Network::new()
        .then(dense().w_std(1.4).b_std(0.1))
        .then(relu())
        .then(dropout(0.5))
        .then(dense())
        .then(erf(1.0, 1.0, 0.0))
        .then(dense());
    let convolutional = Network::new()
        .then(conv([3, 3]).same().b_std(0.2))
        .then(relu())
        .then(dropout(0.7))
        .then(avg_pool([2, 2]))
        .then(flatten())
        .then(dense());
    let one_dimensional = Network::new()
        .then(conv([2]))
        .then(gelu())
        .then(global_avg_pool())
        .then(dense());
    [
        (dense_ones, vec![6]),
        (convolutional, vec![4, 4, 2]),
        (one_dimensional, vec![5, 2]),
    ]
}

fn samples(n: usize, shape: &[usize], seed: u64) -> ArrayD<f64> {
    random(&[&[n], shape].concat(), seed)
}

fn whole(network: &Network, x1: &ArrayD<f64>, x2: Option<&ArrayD<f64>>) -> [Array2<f64>; 2] {
    let Kernels { nngp, ntk } = match x2 {
        None => network.kernels(x1),
        Some(x2) => network.kernels_between(x1, x2),
    }
    .unwrap();
    [nngp, ntk]
}

/// Every tile is that part of the matrix, and the tiles that are not there are none.
#[track_caller]
fn assert_tiles(network: &Network, x1: &ArrayD<f64>, x2: Option<&ArrayD<f64>>, tile: usize) {
    let [nngp, ntk] = whole(network, x1, x2);
    for (kernel, expected) in [(Kernel::Nngp, nngp), (Kernel::Ntk, ntk)] {
        let of = network.kernel_fn().tile(tile);
        let tiles = match x2 {
            None => of.tiles(kernel, x1),
            Some(x2) => of.tiles_between(kernel, x1, x2),
        }
        .unwrap();
        let tiling = *tiles.tiling();
        assert_eq!((tiling.rows(), tiling.columns()), expected.dim());
        // Some tens of operations on each inner product, none of them far worse conditioned.
        let largest = expected.iter().fold(1.0, |a: f64, b| a.max(b.abs()));
        let tolerance = 64.0 * f64::EPSILON * largest;
        for (i, j) in tiling.positions() {
            let expected = expected.slice(s![tiling.row_range(i), tiling.column_range(j)]);
            let found = tiles.tile((i, j)).unwrap();
            assert_eq!(found.dim(), expected.dim());
            let far = (&found - &expected).mapv(f64::abs);
            let far = far.fold(0.0, |a: f64, b| a.max(*b));
            assert!(far <= tolerance, "{kernel:?} ({i}, {j}) of {tile}: {far:e}");
        }
    }
}

#[test]
fn no_sample_and_one() {
    for (network, shape) in networks() {
        let (none, one) = (samples(0, &shape, 1), samples(1, &shape, 2));
        for tile in [1, 4] {
            assert_tiles(&network, &none, None, tile);
            assert_tiles(&network, &none, Some(&one), tile);
            assert_tiles(&network, &one, Some(&none), tile);
            assert_tiles(&network, &one, None, tile);
        }
    }
}

#[test]
fn tiles_are_parts_of_the_whole() {
    for (network, shape) in networks() {
        let (x1, x2) = (samples(9, &shape, 3), samples(5, &shape, 4));
        for tile in [1, 2, 4, 9, 100] {
            assert_tiles(&network, &x1, None, tile);
            assert_tiles(&network, &x1, Some(&x2), tile);
        }
    }
}

/// Dropout tells a sample with itself from another that is equal; so must a tile, whose samples
/// may be equal though they are different rows.
#[test]
fn equal_samples_are_not_the_same_one() {
    let network = Network::new()
        .then(conv([2, 2]))
        .then(sin(1.0, 1.0, 0.0))
        .then(dropout(0.5))
        .then(flatten())
        .then(dense());
    let mut x1 = samples(4, &[3, 3, 1], 5);
    let first = x1.index_axis(Axis(0), 0).to_owned();
    x1.index_axis_mut(Axis(0), 3).assign(&first);
    let x2 = x1.slice_axis(Axis(0), Slice::from(0..3)).to_owned();
    for tile in [1, 3] {
        assert_tiles(&network, &x1, None, tile);
        assert_tiles(&network, &x1, Some(&x2), tile);
    }
    let [nngp, _] = whole(&network, &x1, None);
    assert!(nngp[[0, 0]] > 1.1 * nngp[[0, 3]], "{nngp}");
}

#[test]
fn equal_inputs_are_one() {
    let (network, shape) = &networks()[0];
    let x = samples(4, shape, 6);
    let of = network.kernel_fn().tile(2);
    let tiles = of.tiles_between(Kernel::Ntk, &x, &x).unwrap();
    assert!(tiles.tiling().is_symmetric() && tiles.x2().is_none());
    assert_tiles(network, &x, Some(&x), 2);
}

#[test]
fn what_has_no_kernel_is_refused_before_any_work() {
    let network = Network::new().then(dense());
    let refusal = |network: &Network, x1: &ArrayD<f64>, x2: Option<&ArrayD<f64>>, tile| {
        let of = network.kernel_fn().tile(tile);
        let refused = match x2 {
            None => of.tiles(Kernel::Ntk, x1),
            Some(x2) => of.tiles_between(Kernel::Ntk, x1, x2),
        };
        refused.unwrap_err().to_string()
    };
    let x = samples(3, &[2], 7);
    assert!(refusal(&network, &x, None, 0).contains("at least 1"));
    let other = samples(3, &[4], 7);
    let message = refusal(&network, &x, Some(&other), 2);
    assert!(
        message.contains("(2)") && message.contains("(4)"),
        "{message}"
    );
    let mut hole = x.clone();
    hole[[2, 1]] = f64::NAN;
    let message = refusal(&network, &hole, None, 2);
    assert!(message.contains("x1[2, 1] is NaN"), "{message}");
    let message = refusal(&network, &x, Some(&hole), 2);
    assert!(message.contains("x2[2, 1] is NaN"), "{message}");
    let message = refusal(&network, &random(&[], 1), None, 2);
    assert!(message.contains("found []"), "{message}");
    let images = Array4::<f64>::zeros((2, 3, 3, 1)).into_dyn();
    let message = refusal(&network, &images, None, 2);
    assert!(message.contains("flatten"), "{message}");

    let tiles = network.kernel_fn().tile(2).tiles(Kernel::Ntk, &x).unwrap();
    assert!(matches!(tiles.tile((0, 1)), Err(TileError::Tiling(_))));
}

#[test]
fn a_tile_that_fails_is_named() {
    // An exponential that f64 does not hold, in both tiles of the second row: either may be the one told.
    let network = Network::new()
        .then(dense())
        .then(exp(1.0, 1.0))
        .then(dense());
    let x = array![[1.0], [2.0], [1e3]];
    let tiles = network.kernel_fn().tile(2).tiles(Kernel::Nngp, &x).unwrap();
    let error = TiledMatrix::new(&tiles)
        .product(&array![[1.0], [0.0], [2.0]])
        .unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with("tile (1, ") && message.contains("stands for x1[2]"),
        "{message}"
    );
}
