//! Nothing panics on what a caller passes in: every public function is called with arguments that
//! do not fit, are empty, not finite or absurdly large.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ndarray::{Array1, Array2, ArrayRef2, ArrayView2, Axis, s};
use ntk_linalg::observer::Inside;
use ntk_linalg::tiled::{self, TILE, TileSource, TiledMatrix, Tiling, Widened};
use ntk_linalg::{
    Backend, Cholesky, ConjugateGradients, Error, Iterate, LinalgError, Observer, Operator,
    RandomPivots, Real, Refinement, Ridge, Triangle, Tridiagonal, check_symmetric,
    eigenvalue_resolution, eigenvalues, eigh, gemm, matmul, mirror_lower, operator,
    solve_symmetric, solve_triangular, symmetric_product, syrk, threads, transpose_into,
};

/// The names of the calls that have panicked.
#[derive(Default)]
struct Panics(Vec<String>);

impl Panics {
    /// Makes a call, whose result does not matter.
    fn call<R>(&mut self, name: &str, of: &str, call: impl FnOnce() -> R) -> Option<R> {
        let result = catch_unwind(AssertUnwindSafe(call));
        if result.is_err() {
            self.0.push(format!("{name} of {of}"));
        }
        result.ok()
    }

    fn assert_none(&self) {
        assert!(self.0.is_empty(), "these calls panicked: {:#?}", self.0);
    }
}

/// Numbers that no argument should be.
const NUMBERS: [f64; 9] = [
    0.0,
    -1.0,
    1e-320,
    1e308,
    -1e308,
    f64::MAX,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];

/// Sizes that no argument should be, a square of which overflows.
const SIZES: [usize; 6] = [0, 1, 3, 1 << 33, isize::MAX as usize, usize::MAX];

fn matrices<T: Real>() -> Vec<(String, Array2<T>)> {
    let shapes = [
        (0, 0),
        (0, 3),
        (3, 0),
        (1, 1),
        (2, 3),
        (3, 1),
        (1, 3),
        (70, 70),
        (1 << 40, 0),
        (0, 1 << 40),
    ];
    let mut all: Vec<_> = shapes
        .iter()
        .map(|&shape| {
            let a = Array2::from_shape_fn(shape, |(i, j)| T::of(((i * 7 + j * 3) % 5) as f64));
            (format!("{shape:?}"), a)
        })
        .collect();
    all.push(("the identity".into(), Array2::eye(3)));
    for number in NUMBERS {
        let a = Array2::from_elem((3, 3), T::of(number));
        all.push((format!("3 x 3 of {number:e}"), a));
        let mut a = Array2::eye(3);
        a[[2, 0]] = T::of(number);
        a[[1, 1]] = T::of(number);
        all.push((format!("the identity with {number:e}"), a));
    }
    all
}

/// Calls `check` with every matrix as it is, transposed, reversed, and one row over and over.
fn with_views<T: Real>(mut check: impl FnMut(&str, ArrayView2<'_, T>)) {
    for (name, a) in matrices::<T>() {
        check(&name, a.view());
        check(&format!("{name}, transposed"), a.t());
        check(&format!("{name}, reversed"), a.slice(s![..;-1, ..;-1]));
        if a.nrows() > 0 {
            let row = a.row(0);
            let rows = row.broadcast((3, row.len())).unwrap();
            check(&format!("{name}, its first row"), rows);
        }
    }
}

fn ridges() -> Vec<Ridge> {
    let each = |x| {
        let adaptive = Ridge::Adaptive { max_relative: x };
        [Ridge::Absolute(x), Ridge::Relative(x), adaptive]
    };
    NUMBERS.into_iter().flat_map(each).collect()
}

fn one_matrix<T: Real>(panics: &mut Panics) {
    with_views::<T>(|of, a| {
        panics.call("eigenvalues", of, || eigenvalues(&a));
        for n in [0, a.nrows(), usize::MAX] {
            panics.call("eigenvalue_resolution", of, || {
                eigenvalue_resolution(n, T::epsilon().to_f64())
            });
        }
        panics.call("eigh", of, || eigh(&a));
        if let Some(Ok(reduced)) = panics.call("Tridiagonal", of, || Tridiagonal::new(&a)) {
            of_reduction(panics, of, &reduced);
        }
        for &backend in Backend::available() {
            panics.call("tridiagonal", of, || backend.tridiagonal(&a));
        }
        panics.call("symmetric_product", of, || symmetric_product(&a));
        panics.call("trace", of, || Operator::trace(&a));
        for tolerance in NUMBERS {
            let tolerance = T::of(tolerance);
            panics.call("check_symmetric", of, || check_symmetric(&a, tolerance));
        }
        panics.call("mirror_lower", of, || mirror_lower(&mut a.to_owned()));
        for ridge in ridges() {
            panics.call("Ridge::added", of, || ridge.added(&a));
            panics.call("Ridge::max_added", of, || ridge.max_added(&a));
            for &backend in Backend::available() {
                let name = format!("{} cholesky, {ridge:?},", backend.name());
                let factor = panics.call(&name, of, || backend.cholesky(a.to_owned(), ridge));
                if let Some(Ok(factor)) = factor {
                    of_factor(panics, of, &factor);
                }
            }
        }
    });
}

fn of_reduction<T: Real>(panics: &mut Panics, of: &str, reduced: &Tridiagonal<T>) {
    panics.call("diagonal", of, || reduced.diagonal().len());
    panics.call("off_diagonal", of, || reduced.off_diagonal().len());
    panics.call("eigenvalues of a Tridiagonal", of, || reduced.eigenvalues());
    for (name, b) in matrices::<T>() {
        let of = &format!("{of} and {name}");
        panics.call("apply", of, || reduced.apply(&b));
        panics.call("apply_transposed", of, || reduced.apply_transposed(&b));
    }
}

fn of_factor<T: Real>(panics: &mut Panics, of: &str, factor: &Cholesky<T>) {
    panics.call("log_det", of, || factor.log_det());
    panics.call("ridge_added", of, || factor.ridge_added());
    panics.call("smallest_eigenvalue", of, || factor.smallest_eigenvalue());
    panics.call("factor", of, || factor.factor());
    for (name, b) in matrices::<T>() {
        let name = &format!("{of} and {name}");
        panics.call("solve", name, || factor.solve(&b));
        panics.call("solve_in_place", name, || {
            factor.solve_in_place(&mut b.clone())
        });
        panics.call("solve_l_in_place", name, || {
            factor.solve_l_in_place(&mut b.clone())
        });
        panics.call("solve_lt_in_place", name, || {
            factor.solve_lt_in_place(&mut b.clone())
        });
        if b.ncols() > 0 {
            panics.call("solve_vec", name, || factor.solve_vec(&b.column(0)));
        }
    }
}

fn factors_of_elsewhere<T: Real>(panics: &mut Panics) {
    for (name, a) in matrices::<T>() {
        let made = panics.call("from_factor", &name, || Cholesky::from_factor(a.clone()));
        if let Some(Ok(factor)) = made {
            panics.call("pivots", &name, || factor.pivots());
            of_factor(panics, &name, &factor);
        }
    }
}

fn two_matrices<T: Real>(panics: &mut Panics) {
    let matrices = matrices::<T>();
    with_views::<T>(|of, a| {
        for (name, b) in &matrices {
            let of = &format!("{of} and {name}");
            panics.call("transpose_into", of, || transpose_into(&a, &mut b.clone()));
            panics.call("product", of, || Operator::product(&a, b));
            for &backend in Backend::available() {
                panics.call("matmul", of, || backend.matmul(&a, b));
                panics.call("solve_symmetric", of, || backend.solve_symmetric(&a, b));
                for triangle in [Triangle::Lower, Triangle::Upper] {
                    panics.call("solve_triangular", of, || {
                        backend.solve_triangular(&a, triangle, &mut b.clone())
                    });
                }
                for beta in [T::zero(), T::nan()] {
                    panics.call("syrk", of, || {
                        backend.syrk(T::one(), &a, beta, &mut b.clone())
                    });
                    panics.call("gemm", of, || {
                        backend.gemm(T::infinity(), &a, &a.t(), beta, &mut b.clone())
                    });
                    panics.call("gemm", of, || {
                        backend.gemm(T::one(), &a, b, beta, &mut b.clone())
                    });
                }
            }
        }
    });
    // The free functions are the methods of the default backend.
    let mut a = Array2::<T>::eye(2);
    let b = a.clone();
    panics.call("free functions", "the identity", || {
        gemm(T::one(), &b, &b, T::one(), &mut a)?;
        syrk(T::one(), &b, T::one(), &mut a)?;
        solve_triangular(&b, Triangle::Lower, &mut a)?;
        solve_symmetric(&b, &matmul(&b, &a)?)
    });
}

fn iterations(panics: &mut Panics) {
    let matrices = matrices::<f64>();
    let few = ConjugateGradients::new().max_iterations(20);
    let plain = |r: &ArrayRef2<f64>, _| Ok::<_, Error>(r.to_owned());
    with_views::<f64>(|of, a| {
        for (name, b) in &matrices {
            let of = &format!("{of} and {name}");
            panics.call("ConjugateGradients", of, || few.solve(&a, b));
            panics.call("Iterate", of, || {
                let mut iterate = Iterate::new(b, |r| Ok(r.clone()))?;
                iterate.advance::<Error>(&a, |r| Ok(r.clone()))
            });
            panics.call("Refinement", of, || Refinement::new().solve(&a, b, plain));
        }
    });
    let (a, b) = (Array2::<f64>::eye(3), Array2::ones((3, 2)));
    for number in NUMBERS {
        let name = format!("a tolerance of {number:e}");
        panics.call("ConjugateGradients", &name, || {
            few.tolerance(number).solve(&a, &b)
        });
        let refinement = Refinement::new().tolerance(number);
        panics.call("Refinement", &name, || refinement.solve(&a, &b, plain));
    }
    for size in SIZES {
        let name = format!("{size} iterations");
        panics.call("ConjugateGradients", &name, || {
            few.max_iterations(size).solve(&a, &b)
        });
        let refinement = Refinement::new().max_steps(size);
        panics.call("Refinement", &name, || refinement.solve(&a, &b, plain));
        let name = format!("an operator of order {size}");
        let of_order =
            operator::from_fn(size, |v: &ArrayRef2<f64>| Ok::<_, Infallible>(v.to_owned()));
        panics.call("ConjugateGradients", &name, || few.solve(&of_order, &b));
    }
    for shape in [(0, 0), (2, 2), (3, 1), (3, 3)] {
        let wrong = operator::from_fn(3, |_: &ArrayRef2<f64>| {
            Ok::<_, Infallible>(Array2::zeros(shape))
        });
        let name = format!("products of shape {shape:?}");
        let found = panics.call("ConjugateGradients", &name, || few.solve(&wrong, &b));
        assert!(found.is_some_and(|found| found.is_err()));
        let found = panics.call("Refinement", &name, || {
            Refinement::new().solve(&wrong, &b, plain)
        });
        assert!(found.is_some_and(|found| found.is_err()));
        let found = panics.call("Refinement", &format!("steps of shape {shape:?}"), || {
            let step = |_: &ArrayRef2<f64>, _| Ok::<_, Error>(Array2::zeros(shape));
            Refinement::new().solve(&a, &b, step)
        });
        assert!(found.is_some_and(|found| found.is_err()));
    }
}

fn partial<T: Real>(panics: &mut Panics) {
    let mut next = 0.0;
    let mut uniform = move || {
        next = (next + 0.618_033_988_749_895_f64).fract();
        next
    };
    for (of, k) in matrices::<T>() {
        if k.nrows() > 100 || k.ncols() > 100 {
            continue;
        }
        let diagonals = [k.diag().to_owned(), k.iter().copied().collect()];
        for diagonal in diagonals {
            for rank in SIZES {
                let columns = |which: &[usize]| {
                    let inside = which.iter().filter(|&&c| c < k.ncols()).copied();
                    Ok::<_, LinalgError>(k.select(Axis(1), &inside.collect::<Vec<_>>()))
                };
                let found = panics.call("RandomPivots", &of, || {
                    RandomPivots::new(rank).factor(diagonal.clone(), &mut uniform, columns)
                });
                let Some(Ok(found)) = found else { continue };
                for shift in NUMBERS {
                    let name = format!("{of}, rank {rank}, shift {shift:e}");
                    let preconditioner = panics.call("preconditioner", &name, || {
                        found.clone().preconditioner(T::of(shift))
                    });
                    let Some(Ok(preconditioner)) = preconditioner else {
                        continue;
                    };
                    for (other, b) in matrices::<T>() {
                        let name = format!("{name}, {other}");
                        panics.call("preconditioning", &name, || preconditioner.product(&b));
                        let solver = ConjugateGradients::new().preconditioner(&preconditioner);
                        let solver = solver.max_iterations(3);
                        panics.call("preconditioned", &name, || solver.solve(&b, &b));
                    }
                }
            }
        }
    }
    for number in NUMBERS {
        let name = format!("random numbers that are {number:e}");
        panics.call("RandomPivots", &name, || {
            let columns = |which: &[usize]| Ok::<_, LinalgError>(Array2::ones((3, which.len())));
            RandomPivots::new(3).factor(Array1::<T>::ones(3), || number, columns)
        });
    }
}

fn tilings(panics: &mut Panics) {
    for rows in SIZES {
        for columns in SIZES {
            for tile in SIZES.into_iter().chain([TILE, 1 << 29]) {
                for tiling in [
                    Tiling::new(rows, columns, tile),
                    Tiling::symmetric(rows, tile),
                ] {
                    let Ok(tiling) = tiling else { continue };
                    of_tiling(panics, tiling);
                }
            }
        }
    }
}

fn of_tiling(panics: &mut Panics, tiling: Tiling) {
    let of = &format!("{tiling:?}");
    panics.call("count", of, || tiling.count());
    panics.call("grid", of, || tiling.grid());
    panics.call("positions", of, || tiling.positions().take(9).count());
    for i in SIZES {
        for j in SIZES {
            let of = &format!("{:?} of {of}", (i, j));
            panics.call("index", of, || tiling.index((i, j)));
            panics.call("check", of, || tiling.check((i, j)));
            panics.call("shape", of, || tiling.shape((i, j)));
            panics.call("ranges", of, || {
                (tiling.row_range(i), tiling.column_range(j))
            });
        }
    }
    // Tiles of any other shape than theirs, so that work on large tilings ends at the first one.
    let source = tiled::from_fn(tiling, |_| Array2::<f64>::zeros((2, 5)));
    let matrix = TiledMatrix::new(&source);
    panics.call("in_memory", of, || matrix.in_memory());
    for vectors in [(0, 0), (3, 1), (3, 0), (1, 2)] {
        let v = Array2::zeros(vectors);
        panics.call("product", of, || matrix.product(&v));
        panics.call("operator", of, || {
            matrix.operator().map(|operator| operator.product(&v))
        });
        let wide = Widened::new(&source);
        panics.call("Widened", of, || TiledMatrix::new(&wide).product(&v));
    }
    panics.call("tile", of, || source.tile((usize::MAX, usize::MAX)));
}

fn tiles<T: Real>(panics: &mut Panics) {
    let matrices = matrices::<f64>();
    for (of, a) in &matrices {
        for tile in [1, 2, 64] {
            let tiling = Tiling::symmetric(a.nrows().min(70), tile).unwrap();
            let source = tiled::from_fn(tiling, |(i, j)| {
                let wide = Array2::from_shape_fn(tiling.shape((i, j)), |(row, column)| {
                    let at = [i * tile + row, j * tile + column];
                    a.get(at).copied().unwrap_or(1.0)
                });
                wide.mapv(T::of)
            });
            let Some(Ok(held)) =
                panics.call("in_memory", of, || TiledMatrix::new(&source).in_memory())
            else {
                panic!("these tiles fit")
            };
            panics.call("diagonal", of, || held.diagonal());
            panics.call("trace", of, || held.trace());
            for which in [&[][..], &[0, 0, 1], &[usize::MAX], &[70]] {
                panics.call("columns", of, || held.columns(which));
            }
            for (other, b) in &matrices {
                let of = &format!("{of} and {other}");
                panics.call("product of tiles", of, || held.product(b));
                let shifted = TiledMatrix::new(&source)
                    .operator()
                    .unwrap()
                    .shift(f64::NAN);
                panics.call("TiledOperator", of, || shifted.product(b));
            }
            for shift in [0.0, 9.0, f64::NAN, f64::INFINITY] {
                let mut held = held.clone();
                held.add_to_diagonal(T::of(shift));
                let factor = panics.call("tiled cholesky", of, || {
                    held.observer(&Inside(&())).cholesky()
                });
                let Some(Ok(factor)) = factor else { continue };
                panics.call("log_det of tiles", of, || factor.log_det());
                for (other, b) in &matrices {
                    let of = &format!("{of} and {other}");
                    panics.call("solve with tiles", of, || factor.solve(&b.mapv(T::of)));
                }
            }
        }
    }
}

#[test]
fn no_matrix_makes_it_panic() {
    let mut panics = Panics::default();
    one_matrix::<f64>(&mut panics);
    one_matrix::<f32>(&mut panics);
    panics.assert_none();
}

#[test]
fn no_two_matrices_make_it_panic() {
    let mut panics = Panics::default();
    factors_of_elsewhere::<f64>(&mut panics);
    factors_of_elsewhere::<f32>(&mut panics);
    two_matrices::<f64>(&mut panics);
    two_matrices::<f32>(&mut panics);
    panics.assert_none();
}

#[test]
fn no_system_makes_solvers_panic() {
    let mut panics = Panics::default();
    iterations(&mut panics);
    partial::<f64>(&mut panics);
    partial::<f32>(&mut panics);
    panics.assert_none();
}

#[test]
fn no_tiles_make_it_panic() {
    let mut panics = Panics::default();
    tilings(&mut panics);
    tiles::<f64>(&mut panics);
    tiles::<f32>(&mut panics);
    panics.assert_none();
}

#[test]
fn no_size_makes_threads_panic() {
    let mut panics = Panics::default();
    for size in SIZES {
        for below in SIZES {
            let of = format!("{size}, {below}");
            panics.call("with_blas", &of, || threads::with_blas(size, below, || ()));
        }
    }
    panics.call("whole_pool", "a call", || {
        threads::whole_pool(threads::available)
    });
    panics.call("Inside", "nothing", || Inside(&()).check());
    panics.assert_none();
}
