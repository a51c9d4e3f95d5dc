use super::*;
use crate::{Cancelled, Cholesky};

/// Positive definite, and no two entries of a column alike.
fn entry(i: usize, j: usize) -> f64 {
    let far = i.abs_diff(j) as f64;
    (-far / 7.0).exp() + if i == j { 0.5 } else { 0.0 }
}

fn dense(n: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, n), |(i, j)| entry(i, j))
}

fn tiled<T: Real>(n: usize, tile: usize) -> SymmetricTiles<T> {
    let entries = |rows: Range<usize>, columns: Range<usize>| {
        let shape = (rows.len(), columns.len());
        let tile = |(i, j)| T::of(entry(rows.start + i, columns.start + j));
        Ok::<_, LinalgError>(Array2::from_shape_fn(shape, tile))
    };
    SymmetricTiles::new(n, tile, &(), entries).unwrap()
}

fn assert_near(a: &Array2<f64>, b: &Array2<f64>, tolerance: f64) {
    assert_eq!(a.dim(), b.dim());
    let far = (a - b).iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    assert!(far <= tolerance, "{far:e} apart, {tolerance:e} allowed");
}

fn sides(n: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, 3), |(i, j)| ((i * (j + 2)) % 7) as f64 - 3.0)
}

const SIZES: [(usize, usize); 8] = [
    (0, 4),
    (1, 4),
    (3, 4),
    (4, 4),
    (5, 4),
    (37, 5),
    (64, 1),
    (300, 70),
];

#[test]
fn solves_as_the_whole_matrix_does() {
    fn check<T: Real>() {
        let eps = Real::to_f64(T::epsilon());
        for (n, tile) in SIZES {
            let b = sides(n);
            let whole = Cholesky::new(dense(n), Jitter::None).unwrap();
            let factor = tiled::<T>(n, tile).cholesky(&()).unwrap();
            let x = factor
                .solve(b.mapv(T::of).view())
                .unwrap()
                .mapv(Real::to_f64);
            // Eigenvalues lie between 0.5 and 15: 30 times the rounding of n sums of numbers up to 3.
            let tolerance = 100.0 * eps * (n.max(1) as f64);
            assert_near(&x, &whole.solve(&b).unwrap(), tolerance);
            assert!((factor.log_det() - whole.log_det()).abs() <= tolerance);
        }
    }
    check::<f64>();
    check::<f32>();
}

#[test]
fn products_columns_and_diagonal_are_the_matrix() {
    for (n, tile) in SIZES {
        let (k, v) = (dense(n), sides(n));
        let tiles = tiled::<f64>(n, tile);
        assert_near(&tiles.product(v.view()).unwrap(), &k.dot(&v), 1e-12);
        let single = tiled::<f32>(n, tile).product(v.view()).unwrap();
        assert_near(&single, &k.dot(&v), 1e-4);
        let which: Vec<_> = (0..n).step_by(3).rev().collect();
        assert_eq!(tiles.columns(&which).unwrap(), k.select(Axis(1), &which));
        assert_eq!(tiles.diagonal(), k.diag());
        assert!((tiles.trace().unwrap() - k.diag().sum()).abs() <= 1e-12 * n as f64);
        let mut more = tiles.clone();
        more.add_to_diagonal(2.0);
        assert_near(
            &more.product(v.view()).unwrap(),
            &(k.dot(&v) + 2.0 * &v),
            1e-12,
        );
        assert!(tiles.columns(&[n]).is_err());
        assert!(tiles.product(sides(n + 1).view()).is_err());
    }
}

#[test]
fn one_thread_gives_the_same_bits() {
    let (tiles, v) = (tiled::<f64>(300, 32), sides(300));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let product = tiles.product(v.view()).unwrap();
            let factor = tiles.clone().cholesky(&()).unwrap();
            (product, factor.solve(v.view()).unwrap())
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn a_failing_pivot_is_that_of_the_matrix() {
    for pivot in [0, 4, 5, 36] {
        let entries = |rows: Range<usize>, columns: Range<usize>| {
            let shape = (rows.len(), columns.len());
            Ok::<_, LinalgError>(Array2::from_shape_fn(shape, |(i, j)| {
                let (i, j) = (rows.start + i, columns.start + j);
                if i == pivot && j == pivot {
                    -1.0
                } else {
                    entry(i, j)
                }
            }))
        };
        let tiles = SymmetricTiles::new(37, 5, &(), entries).unwrap();
        let error = tiles.cholesky(&()).unwrap_err();
        let LinalgError::NotPositiveDefinite {
            n,
            pivot: found,
            value,
            ..
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!((n, found), (37, pivot));
        assert!(value <= -1.0);
    }
}

#[test]
fn bad_tiles_and_observers_stop_it() {
    let wrong =
        |_: Range<usize>, _: Range<usize>| Ok::<_, LinalgError>(Array2::<f64>::zeros((9, 9)));
    let error = SymmetricTiles::new(5, 4, &(), wrong).unwrap_err();
    assert!(matches!(
        error,
        LinalgError::ShapeMismatch { right: (9, 9), .. }
    ));
    assert!(SymmetricTiles::new(5, 0, &(), wrong).is_err());
    let error = SymmetricTiles::new(1, 4, &(), |_, _| {
        Ok::<_, LinalgError>(Array2::from_elem((1, 1), f64::NAN))
    });
    let error = error.unwrap().cholesky(&()).unwrap_err();
    assert!(matches!(error, LinalgError::NonFinite { row: 0, .. }));

    struct Stop;
    impl Observer for Stop {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let error = tiled::<f64>(20, 4).cholesky(&Stop).unwrap_err();
    assert_eq!(error, LinalgError::Cancelled(Cancelled));
}
