use super::*;
use crate::{Cancelled, Cholesky, LinalgError, Observer, Operator, Real};
use ndarray::{Array2, Axis, s};

/// Returns an entry of a positive definite matrix, no two of a column alike.
fn entry(i: usize, j: usize) -> f64 {
    let far = i.abs_diff(j) as f64;
    (-far / 7.0).exp() + if i == j { 0.5 } else { 0.0 }
}

fn dense(n: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, n), |(i, j)| entry(i, j))
}

/// Returns the tiles of a matrix in memory.
fn cut<T: Real>(matrix: &Array2<T>, tiling: Tiling) -> impl TileSource<T, Error = TilingError> {
    from_fn(tiling, move |(i, j)| {
        let (rows, columns) = (tiling.row_range(i), tiling.column_range(j));
        matrix.slice(s![rows, columns]).to_owned()
    })
}

fn tiled<T: Real>(n: usize, tile: usize) -> SymmetricTiles<T> {
    let tiling = Tiling::symmetric(n, tile).unwrap();
    TiledMatrix::new(&cut(&dense(n).mapv(T::of), tiling))
        .in_memory()
        .unwrap()
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
            let whole = Cholesky::new(dense(n), 0.0).unwrap();
            let factor = tiled::<T>(n, tile).cholesky().unwrap();
            let x = factor.solve(&b.mapv(T::of)).unwrap().mapv(Real::to_f64);
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
        assert_near(&tiles.product(&v).unwrap(), &k.dot(&v), 1e-12);
        let single = tiled::<f32>(n, tile).product(&v).unwrap();
        assert_near(&single, &k.dot(&v), 1e-4);
        let which: Vec<_> = (0..n).step_by(3).rev().collect();
        assert_eq!(tiles.columns(&which).unwrap(), k.select(Axis(1), &which));
        assert_eq!(tiles.diagonal(), k.diag());
        assert!((tiles.trace().unwrap() - k.diag().sum()).abs() <= 1e-12 * n as f64);
        let mut more = tiles.clone();
        more.add_to_diagonal(2.0);
        assert_near(&more.product(&v).unwrap(), &(k.dot(&v) + 2.0 * &v), 1e-12);
        assert!(tiles.columns(&[n]).is_err());
        assert!(tiles.product(&sides(n + 1)).is_err());
    }
}

#[test]
fn one_thread_gives_the_same_bits() {
    let (tiles, v) = (tiled::<f64>(300, 32), sides(300));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let product = tiles.product(&v).unwrap();
            let factor = tiles.clone().cholesky().unwrap();
            (product, factor.solve(&v).unwrap())
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn a_failing_pivot_is_that_of_the_matrix() {
    for pivot in [0, 4, 5, 36] {
        let mut matrix = dense(37);
        matrix[[pivot, pivot]] = -1.0;
        let tiling = Tiling::symmetric(37, 5).unwrap();
        let tiles = TiledMatrix::new(&cut(&matrix, tiling)).in_memory().unwrap();
        let error = tiles.cholesky().unwrap_err();
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
fn tiles_in_memory_are_a_source_too() {
    let (held, tiling) = (tiled::<f32>(37, 5), Tiling::symmetric(37, 5).unwrap());
    let (matrix, v) = (dense(37).mapv(|x| x as f32).mapv(f64::from), sides(37));
    let expected = TiledMatrix::new(&cut(&matrix, tiling)).product(&v).unwrap();
    let found = TiledMatrix::new(&Widened::new(&held)).product(&v).unwrap();
    assert_eq!(found, expected);
    assert!(held.tile((1, 2)).is_err());
}

/// Returns entries in [-1, 1) without order.
fn noise(n: usize, m: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, m), |(i, j)| {
        ((i * m + j) as f64 * 0.754_877_666).fract() * 2.0 - 1.0
    })
}

#[test]
fn a_product_is_that_with_the_whole() {
    let check = |matrix: &Array2<f64>, tiling: Tiling, k| {
        let v = noise(matrix.ncols(), k);
        let found = TiledMatrix::new(&cut(matrix, tiling)).product(&v).unwrap();
        // Sums of at most 13 products up to 2, in another order.
        assert_near(&found, &matrix.dot(&v), 13.0 * 26.0 * f64::EPSILON);
    };
    for (n, m, k) in (0..245).map(|k| (k % 7 * 2, k / 7 % 7 * 2, k / 49)) {
        for tile in [1, 2, 3, 5, 12, 25] {
            let matrix = noise(n, m);
            check(&matrix, Tiling::new(n, m, tile).unwrap(), k);
            let square = noise(n, n);
            let symmetric = Tiling::symmetric(n, tile).unwrap();
            check(&(&square + &square.t()), symmetric, k);
        }
    }
}

#[test]
fn a_product_is_the_same_on_any_number_of_threads() {
    let (matrix, v) = (dense(50), noise(50, 3));
    let source = cut(&matrix, Tiling::symmetric(50, 4).unwrap());
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        pool.install(|| TiledMatrix::new(&source).product(&v).unwrap())
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn an_operator_is_the_matrix_in_memory() {
    for n in [0, 1, 20] {
        let (matrix, v) = (dense(n), sides(n));
        let tiles = cut(&matrix, Tiling::symmetric(n, 7).unwrap());
        let operator = TiledMatrix::new(&tiles).operator().unwrap().shift(0.5);
        assert_eq!(operator.order(), n);
        let mut held = TiledMatrix::new(&tiles).in_memory().unwrap();
        held.add_to_diagonal(0.5);
        let expected = Operator::product(&held, &v).unwrap();
        assert_near(&operator.product(&v).unwrap(), &expected, 1e-12);
    }
    let matrix = noise(4, 5);
    let tiles = cut(&matrix, Tiling::new(4, 5, 7).unwrap());
    let refused = ProductError::NotSymmetric {
        rows: 4,
        columns: 5,
    };
    assert_eq!(TiledMatrix::new(&tiles).in_memory().unwrap_err(), refused);
    assert!(TiledMatrix::new(&tiles).operator().is_err());
}

#[test]
fn bad_tiles_and_observers_stop_it() {
    struct Stop;
    impl Observer for Stop {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let tiling = Tiling::symmetric(5, 4).unwrap();
    let wrong = from_fn(tiling, |_| Array2::<f64>::zeros((9, 9)));
    let error = TiledMatrix::new(&wrong).in_memory().unwrap_err();
    assert!(matches!(
        error,
        ProductError::Linalg(LinalgError::ShapeMismatch { right: (9, 9), .. })
    ));
    let single = Array2::from_elem((1, 1), f64::NAN);
    let tiles = TiledMatrix::new(&cut(&single, Tiling::symmetric(1, 4).unwrap()))
        .in_memory()
        .unwrap();
    let error = tiles.cholesky().unwrap_err();
    assert!(matches!(error, LinalgError::NonFinite { row: 0, .. }));

    let matrix = dense(5);
    let source = cut(&matrix, tiling);
    let error = TiledMatrix::new(&source).product(&sides(4)).unwrap_err();
    assert_eq!(
        error,
        ProductError::Rows {
            columns: 5,
            rows: 4
        }
    );
    let cancelled = ProductError::Cancelled(Cancelled);
    let error = TiledMatrix::new(&source)
        .observer(&Stop)
        .product(&sides(5))
        .unwrap_err();
    assert_eq!(error, cancelled);
    assert_eq!(
        TiledMatrix::new(&source)
            .observer(&Stop)
            .in_memory()
            .unwrap_err(),
        cancelled
    );
    let error = tiled::<f64>(20, 4).observer(&Stop).cholesky().unwrap_err();
    assert_eq!(error, LinalgError::Cancelled(Cancelled));
}
