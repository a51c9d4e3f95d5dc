use super::*;
use crate::empirical::Trace;
use crate::testing::{images, networks, samples, structures};
use crate::{Init, Model};
use ndarray::{ArrayD, s};
use ntk_kernels::network::*;
use ntk_linalg::tiled::TilingError;
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

fn far(a: &Array2<f64>, b: &ArrayView2<'_, f64>) -> f64 {
    assert_eq!(a.dim(), b.dim());
    (a - b).iter().fold(0.0_f64, |m, v| m.max(v.abs()))
}

/// Every tile is that part of the whole matrix, and the same bits whatever is kept for others.
#[test]
fn tiles_are_parts_of_the_whole() {
    for (name, network, input) in networks() {
        let model = Model::<f64>::new(&network, &input, Init::default(), 3).unwrap();
        let samples = |n, seed| samples(&network, &input, n, seed);
        let (x1, x2) = (samples(7, 1), samples(4, 2));
        let structures = [(7, 1), (4, 2)].map(|(n, seed)| structures(&network, &input, n, seed));
        for (one, two) in structures[0].iter().zip(&structures[1]) {
            for (trace, tile, others) in [
                (Trace::Traced, 1, false),
                (Trace::Traced, 3, false),
                (Trace::Traced, 3, true),
                (Trace::Traced, 100, false),
                (Trace::Full, 5, false),
                (Trace::Full, 5, true),
            ] {
                let kernel_fn = model
                    .kernel_fn()
                    .trace(trace)
                    .structures(one, two)
                    .tile(tile);
                let (whole, mut tiles) = match others {
                    false => (kernel_fn.ntk(&x1), kernel_fn.ntk_tiles(&x1)),
                    true => (
                        kernel_fn.ntk_between(&x1, &x2),
                        kernel_fn.ntk_tiles_between(&x1, &x2),
                    ),
                };
                let whole = whole.unwrap();
                let scale = whole.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
                let mut first: Option<Vec<Array2<f64>>> = None;
                for room in [usize::MAX, 0, 1, 2] {
                    let tiles = tiles.as_mut().unwrap();
                    tiles.blocks = Some(Blocks::new(room, usize::from(others)));
                    let tiling = *tiles.tiling();
                    assert_eq!((tiling.rows(), tiling.columns()), whole.dim());
                    let all: Vec<_> = tiling
                        .positions()
                        .map(|position| tiles.tile(position).unwrap())
                        .collect();
                    for ((i, j), found) in tiling.positions().zip(&all) {
                        let place = s![tiling.row_range(i), tiling.column_range(j)];
                        let far = far(found, &whole.slice(place));
                        assert!(
                            far <= 1e-13 * scale,
                            "{name} {trace:?} {tile} ({i}, {j}): {far:e}"
                        );
                    }
                    match &first {
                        None => first = Some(all),
                        Some(first) => assert_eq!(first, &all, "{name} {room}"),
                    }
                }
                // Without factors to keep, each tile is a kernel of its own.
                let mut tiles = tiles.unwrap();
                tiles.blocks = None;
                for (position, expected) in tiles.tiling().positions().zip(first.unwrap()) {
                    let far = far(&tiles.tile(position).unwrap(), &expected.view());
                    assert!(far <= 1e-13 * scale, "{name} {position:?}: {far:e}");
                }
            }
        }
    }
}

#[test]
fn by_contraction_too() {
    let (_, network, input) = networks().swap_remove(0);
    let model = Model::<f64>::new(&network, &input, Init::default(), 3).unwrap();
    let x = images(&input, 5, 1);
    let kernel_fn = model.kernel_fn().by_contraction().tile(2);
    let (whole, tiles) = (kernel_fn.ntk(&x).unwrap(), kernel_fn.ntk_tiles(&x).unwrap());
    assert!(tiles.blocks.is_none());
    let found = tiles.tile((2, 1)).unwrap();
    let expected = whole.slice(s![4.., 2..4]);
    assert!(far(&found, &expected) <= 1e-14 * whole.iter().fold(0.0, |m: f64, v| m.max(*v)));
}

fn small() -> (Model<f64>, ArrayD<f64>) {
    let network = Network::new()
        .then(dense().width(40))
        .then(relu())
        .then(dense().width(3));
    let model = Model::new(&network, 6, Init::default(), 1).unwrap();
    (model, images(&Shape::features(6), 60, 2))
}

/// Tiles that are jobs of one parallel loop, so that a thread which waits for parts of one takes up
/// another: each is there in the end, with the same bits as alone.
#[test]
fn tiles_may_be_computed_all_at_once() {
    let (model, x) = small();
    let tiles = || model.kernel_fn().tile(4).ntk_tiles(&x).unwrap();
    let alone = tiles();
    let positions: Vec<_> = alone.tiling().positions().collect();
    let one_by_one: Vec<_> = positions.iter().map(|p| alone.tile(*p).unwrap()).collect();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(4)
        .build()
        .unwrap();
    for room in [usize::MAX, 3, 0] {
        for _ in 0..20 {
            let mut tiles = tiles();
            tiles.blocks = Some(Blocks::new(room, 0));
            let all: Vec<_> = pool.install(|| {
                let all = positions.par_iter().map(|p| tiles.tile(*p).unwrap());
                all.collect()
            });
            assert_eq!(all, one_by_one);
        }
    }
}

/// How often each block is computed when tiles are asked for row by row.
#[test]
fn blocks_are_computed_once_where_there_is_room() {
    let tiling = Tiling::symmetric(8, 1).unwrap();
    for (room, expected) in [
        // Each once.
        (8, 8),
        // Each row's; column 0 is kept from its row on.
        (
            1,
            8 + (0..8).map(|i: usize| i.saturating_sub(1)).sum::<usize>(),
        ),
        // Each row's and each other column's.
        (0, 8 + 28),
    ] {
        let (blocks, computed) = (Blocks::<usize>::new(room, 0), AtomicUsize::new(0));
        let get = |block, is_row| {
            let compute = || {
                computed.fetch_add(1, Ordering::Relaxed);
                Ok::<_, ModelError>(block)
            };
            let found = blocks.get((0, block), is_row, compute).unwrap();
            assert_eq!(*found, block);
        };
        for (i, j) in tiling.positions() {
            get(i, true);
            if i != j {
                get(j, false);
            }
        }
        assert_eq!(computed.into_inner(), expected, "{room}");
    }
    // A block that fails is asked for again.
    let blocks = Blocks::<usize>::new(1, 0);
    let failing = || Err(ModelError::Memory { bytes: 1 });
    assert!(blocks.get((0, 0), true, failing).is_err());
    assert_eq!(
        *blocks.get((0, 0), true, || Ok::<_, ModelError>(7)).unwrap(),
        7
    );
}

#[test]
fn tiles_of_all_pairs_of_outputs_have_whole_samples() {
    let (model, x) = small();
    for (tile, expected) in [(1, 3), (3, 3), (5, 3), (6, 6), (7, 6)] {
        let tiles = model.kernel_fn().full().tile(tile).ntk_tiles(&x).unwrap();
        assert_eq!(tiles.tiling().tile(), expected);
        assert_eq!((tiles.tiling().rows(), tiles.side()), (180, 3));
    }
}

#[test]
fn what_is_said_of_tiles_is_what_the_matrix_depends_on() {
    let (model, x) = small();
    let tiles = model.kernel_fn().ntk_tiles(&x).unwrap();
    assert_eq!(
        (tiles.network(), tiles.kernel()),
        (model.network(), Kernel::Ntk)
    );
    assert_eq!(tiles.x1().x, x);
    assert!(tiles.x2().is_none());
    let parameters: Vec<_> = tiles.parameters().unwrap();
    assert_eq!(parameters, model.parameters());
    let between = model.kernel_fn().ntk_tiles_between(&x, &x).unwrap();
    assert_eq!(between.x2().unwrap().x, x);
    assert!(!between.tiling().is_symmetric());
}

#[test]
fn tiles_that_cannot_be_are_refused() {
    let (model, x) = small();
    let refused = |tile| model.kernel_fn().tile(tile).ntk_tiles(&x).err();
    let no_entries = TilingError::Tile { tile: 0 };
    assert_eq!(refused(0), Some(ModelError::Tiling(no_entries)));
    assert!(matches!(refused(usize::MAX), Some(ModelError::Tiling(_))));
    let short = x.slice(s![.., ..5]);
    let wrong = model.kernel_fn().ntk_tiles_between(&x, &short);
    assert!(matches!(wrong.err(), Some(ModelError::Input { .. })));
    let tiles = model.kernel_fn().tile(40).ntk_tiles(&x).unwrap();
    let error = tiles.tile((0, 1)).unwrap_err();
    assert!(matches!(
        error,
        ModelError::Tiling(TilingError::Position { .. })
    ));
    let none = x.slice(s![..0, ..]);
    assert_eq!(
        model.kernel_fn().ntk_tiles(&none).unwrap().tiling().count(),
        0
    );
    // More than any machine has: a tile of 10^16 numbers.
    let many = ArrayD::zeros(vec![100_000_000, 1]);
    let wide = Network::new().then(dense().width(1));
    let wide = Model::<f64>::new(&wide, 1, Init::default(), 0).unwrap();
    let refused = wide.kernel_fn().tile(100_000_000).ntk_tiles(&many).err();
    assert!(
        matches!(refused, Some(ModelError::Memory { bytes }) if bytes >= 80_000_000_000_000_000)
    );
}

/// A sample is named by its number among all.
#[test]
fn numbers_that_are_none_are_told_by_their_sample() {
    let network = Network::new()
        .then(dense().width(1))
        .then(exp(1.0, 1.0))
        .then(dense().width(1));
    let model = Model::<f64>::new(&network, 1, Init::default(), 0).unwrap();
    let mut x = Array2::<f64>::ones((9, 1));
    x[[7, 0]] = 1e4 / model.parameters()[0][[0, 0]];
    let tiles = model.kernel_fn().tile(2).ntk_tiles(&x).unwrap();
    tiles.tile((2, 1)).unwrap();
    let error = tiles.tile((3, 1)).unwrap_err().to_string();
    assert!(
        error.starts_with("the empirical ntk of x1[7] with x1[2] is "),
        "{error}"
    );
    assert!(error.contains("exp"), "{error}");
}
