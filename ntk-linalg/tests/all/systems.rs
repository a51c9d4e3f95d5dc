//! Properties of Cholesky and of the solves, in both precisions on every backend.

use crate::common::{Random, bound, distance, everywhere, naive, norm, orders, views};
use ndarray::{Array2, s};
use ntk_linalg::{Backend, LinalgError, Real, Ridge, Triangle};

const ADAPTIVE: Ridge = Ridge::Adaptive { max_relative: 1e-3 };

/// `|a x - b| <= RATIO n eps |a| |x|`, the backward error of a stable solve.
fn check_solution<T: Real>(a: &Array2<T>, x: &Array2<T>, b: &Array2<T>, what: &str) {
    let residual = distance(naive(a.view(), x.view()).view(), b.view());
    let limit = bound::<T>(a.nrows(), norm(a.view()) * norm(x.view()));
    assert!(
        residual <= limit,
        "{what}, n = {}, {}: {residual:e}",
        a.nrows(),
        T::NAME
    );
}

#[test]
fn cholesky_reconstructs_and_solves() {
    fn check<T: Real>(backend: Backend) {
        for n in orders() {
            let a = Random(n as u64).definite::<T>(n);
            let half_nan =
                Array2::from_shape_fn((n, n), |(i, j)| if i < j { T::nan() } else { a[[i, j]] });
            for given in [a.clone(), a.t().to_owned().reversed_axes(), half_nan] {
                let cholesky = backend.cholesky(given, ADAPTIVE).unwrap();
                assert_eq!((cholesky.order(), cholesky.ridge_added()), (n, 0.0));
                let l = cholesky.factor();
                assert!(
                    l.indexed_iter()
                        .all(|((i, j), &x)| i >= j || x == T::zero())
                );
                let residual = distance(naive(l.view(), l.t()).view(), a.view());
                assert!(
                    residual <= bound::<T>(n, norm(a.view())),
                    "n = {n}: {residual:e}"
                );
                // The eigenvalues are 1 + i/n.
                let log_det: f64 = (0..n).map(|i| (i as f64 / n as f64).ln_1p()).sum();
                let error = (cholesky.log_det().to_f64() - log_det).abs();
                assert!(
                    error <= bound::<T>(n, n as f64),
                    "n = {n}: log det {error:e}"
                );
                for m in [0, 1, 5] {
                    let b = Random(1).matrix::<T>(n, m);
                    check_solution(&a, &cholesky.solve(&b).unwrap(), &b, "cholesky");
                    let mut x = b.t().to_owned();
                    cholesky
                        .solve_in_place(&mut x.view_mut().reversed_axes())
                        .unwrap();
                    check_solution(&a, &x.reversed_axes(), &b, "cholesky in place");
                    let mut x = b.clone();
                    cholesky.solve_l_in_place(&mut x).unwrap();
                    check_solution(&l, &x, &b, "L");
                    let mut x = b.clone();
                    cholesky.solve_lt_in_place(&mut x).unwrap();
                    check_solution(&l.t().to_owned(), &x, &b, "L^T");
                }
                let b = Random(2).matrix::<T>(n, 1);
                let x = cholesky.solve_vec(&b.column(0)).unwrap();
                check_solution(&a, &x.insert_axis(ndarray::Axis(1)), &b, "vector");
                assert_eq!(cholesky.into_factor(), l);
            }
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn cholesky_takes_arrays_with_gaps() {
    fn check<T: Real>(backend: Backend) {
        let a = Random(4).definite::<T>(20);
        let mut wide = Array2::from_elem((40, 60), T::nan());
        wide.slice_mut(s![..;2, ..;-3]).assign(&a);
        let l = backend
            .cholesky(wide.slice_move(s![..;2, ..;-3]), 0.0)
            .unwrap()
            .factor();
        assert_eq!(l, backend.cholesky(a, 0.0).unwrap().factor());
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn the_failing_pivot_is_named_exactly() {
    fn check<T: Real>(backend: Backend) {
        for n in [1, 2, 3, 17, 33, 64, 127, 240] {
            for pivot in [0, n / 3, n / 2, n - 1] {
                // L D L^T with small integers, exact in either precision: D is 1 but for -2 at the pivot.
                let mut random = Random(pivot as u64);
                let l = Array2::from_shape_fn((n, n), |(i, j)| match i.cmp(&j) {
                    std::cmp::Ordering::Less => 0.0,
                    std::cmp::Ordering::Equal => 1.0,
                    std::cmp::Ordering::Greater => (2.0 * random.uniform()).round(),
                });
                let mut signed = l.clone();
                signed.column_mut(pivot).mapv_inplace(|x| -2.0 * x);
                let a = naive(l.view(), signed.t()).mapv(T::of);
                let error = backend.cholesky(a, 0.0).unwrap_err();
                let expected = LinalgError::NotPositiveDefinite {
                    n,
                    pivot,
                    value: -2.0,
                    ridge: 0.0,
                };
                assert_eq!(error, expected, "{}, {}", backend.name(), T::NAME);
            }
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn a_ridge_is_added_before_the_matrix_is_factored() {
    fn check<T: Real>(backend: Backend) {
        for n in [1, 3, 33, 127] {
            let a = Random(2).definite::<T>(n);
            let mean = a.diag().iter().map(|&x| x.to_f64()).sum::<f64>() / n as f64;
            for (ridge, added) in [(Ridge::from(0.5), 0.5), (Ridge::Relative(2.0), 2.0 * mean)] {
                let factor = backend.cholesky(a.clone(), ridge).unwrap();
                assert!((factor.ridge_added() / added - 1.0).abs() < 1e-6);
                let mut lifted = a.clone();
                lifted
                    .diag_mut()
                    .mapv_inplace(|x| x + T::of(factor.ridge_added()));
                let plain = backend.cholesky(lifted, 0.0).unwrap();
                assert_eq!(plain.factor(), factor.factor());
            }
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn an_adaptive_ridge_adds_what_it_says() {
    fn check<T: Real>(backend: Backend) {
        for n in [3, 33, 127, 240] {
            // Rank n - 2 with a slightly negative eigenvalue, ten times what is added first.
            let eps = T::epsilon().to_f64();
            let below = -10.0 * n as f64 * eps;
            let values: Vec<f64> = (0..n).map(|i| [below, 0.0, 1.0][i.min(2)]).collect();
            let a = Random(9).with_spectrum::<T>(&values);
            assert!(backend.cholesky(a.clone(), 0.0).is_err());
            for given in [a.clone(), a.t().to_owned().reversed_axes()] {
                let generous = Ridge::Adaptive { max_relative: 1e-2 };
                let cholesky = backend.cholesky(given, generous).unwrap();
                let ridge = cholesky.ridge_added();
                let mean = a.diag().iter().map(|&x| x.to_f64()).sum::<f64>() / n as f64;
                // At least what lifts the negative eigenvalue, to rounding; a power of ten of the first.
                assert!(ridge >= -below / 2.0 && ridge <= 1e-2 * mean, "{ridge:e}");
                let steps = (ridge / (n as f64 * eps * mean)).log10();
                assert!((steps - steps.round()).abs() < 1e-3, "{steps}");
                let l = cholesky.factor();
                let mut lifted = a.mapv(Real::to_f64);
                lifted.diag_mut().mapv_inplace(|x| x + ridge);
                let residual = distance(naive(l.view(), l.t()).view(), lifted.view());
                // 1/30 of the usual limit, which then is below what was added: it is seen to be there.
                let limit = bound::<T>(n, norm(a.view())) / crate::common::RATIO;
                assert!(residual <= limit, "n = {n}: {residual:e} > {limit:e}");
            }
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn the_attempts_of_an_adaptive_ridge_end() {
    fn check<T: Real>(backend: Backend) {
        let subnormal = T::min_positive_value() * T::of(1e-3);
        for max_relative in [1.0, 1e30, 1e300] {
            let ridge = Ridge::Adaptive { max_relative };
            // The first ridge would underflow to zero, and ten times zero is zero.
            let tiny = backend.cholesky(Array2::from_elem((3, 3), subnormal), ridge);
            assert_eq!(tiny.is_ok(), max_relative > 1.0);
            assert!(tiny.is_err() || tiny.is_ok_and(|found| found.ridge_added() > 0.0));
            // Ten times more would be infinite in the end.
            let huge = Array2::from_elem((3, 3), T::max_value());
            assert!(backend.cholesky(huge, ridge).is_err());
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn an_adaptive_ridge_has_a_limit() {
    fn check<T: Real>(backend: Backend) {
        let a = Random(9).with_spectrum::<T>(&[-1.0, 2.0, 3.0, 4.0]);
        let error = backend.cholesky(a.clone(), ADAPTIVE).unwrap_err();
        let LinalgError::NotPositiveDefinite { n: 4, ridge, .. } = error else {
            panic!("{error}");
        };
        // The mean of the diagonal is 2; the last of the powers of ten is above a tenth of the limit.
        assert!((2e-4..=2e-3).contains(&ridge), "{ridge:e}");
        let negative = Array2::<T>::eye(3).mapv(|x| -x);
        let error = backend.cholesky(negative, ADAPTIVE).unwrap_err();
        assert!(matches!(
            error,
            LinalgError::NotPositiveDefinite {
                pivot: 0,
                ridge: 0.0,
                ..
            }
        ));
        for max_relative in [-1.0, f64::NAN, f64::INFINITY] {
            let error = backend
                .cholesky(a.clone(), Ridge::Adaptive { max_relative })
                .unwrap_err();
            assert!(matches!(error, LinalgError::Argument { .. }));
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn triangular_systems_are_solved_through_any_view() {
    fn check<T: Real>(backend: Backend) {
        for n in [0, 1, 2, 7, 33, 100] {
            // Diagonally dominant, the other half never read.
            let mut lower = Random(n as u64)
                .matrix::<T>(n, n)
                .mapv(|x| x / T::of(n as f64));
            for ((i, j), x) in lower.indexed_iter_mut() {
                if i < j {
                    *x = T::nan();
                } else if i == j {
                    *x = T::of(2.0);
                }
            }
            let clean = lower.mapv(|x| {
                if num_traits::Float::is_nan(x) {
                    T::zero()
                } else {
                    x
                }
            });
            for m in [0, 1, 4] {
                let b = Random(1).matrix::<T>(n, m);
                views(&lower, |a| {
                    let mut x = b.clone();
                    backend
                        .solve_triangular(&a, Triangle::Lower, &mut x)
                        .unwrap();
                    check_solution(&clean, &x, &b, "lower");
                    let mut x = Array2::from_elem((2 * n, 3 * m), T::nan());
                    let mut x = x.slice_mut(s![..;2, ..;3]);
                    x.assign(&b);
                    backend
                        .solve_triangular(&a.t(), Triangle::Upper, &mut x)
                        .unwrap();
                    check_solution(&clean.t().to_owned(), &x.to_owned(), &b, "upper");
                });
            }
        }
        let mut singular = Array2::<T>::eye(3);
        singular[[1, 1]] = T::zero();
        let b = Array2::<T>::ones((3, 1));
        let error = backend.solve_triangular(&singular, Triangle::Lower, &mut b.clone());
        assert_eq!(error, Err(LinalgError::Singular { pivot: 1 }));
        let error = backend.solve_triangular(&Array2::eye(4), Triangle::Lower, &mut b.clone());
        assert!(matches!(
            error,
            Err(LinalgError::ShapeMismatch {
                left: (4, 4),
                right: (3, 1),
                ..
            })
        ));
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn symmetric_systems_are_solved() {
    fn check<T: Real>(backend: Backend) {
        for n in orders() {
            // Eigenvalues of both signs, magnitudes between 1 and 2.
            let sign = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
            let values: Vec<f64> = (0..n)
                .map(|i| sign(i) * (1.0 + i as f64 / n as f64))
                .collect();
            let a = Random(n as u64).with_spectrum::<T>(&values);
            let half_nan =
                Array2::from_shape_fn((n, n), |(i, j)| if i < j { T::nan() } else { a[[i, j]] });
            for m in [0, 1, 5] {
                let b = Random(1).matrix::<T>(n, m);
                views(&b, |b| {
                    let x = backend.solve_symmetric(&half_nan, &b).unwrap();
                    check_solution(&a, &x, &b.to_owned(), "symmetric");
                });
            }
        }
        // A zero diagonal needs 2 x 2 pivots.
        let swap = ndarray::arr2(&[[T::zero(), T::one()], [T::one(), T::zero()]]);
        let b = ndarray::arr2(&[[T::of(3.0)], [T::of(4.0)]]);
        let x = backend.solve_symmetric(&swap, &b).unwrap();
        assert_eq!(x, ndarray::arr2(&[[T::of(4.0)], [T::of(3.0)]]));
        let error = backend.solve_symmetric(&Array2::<T>::zeros((2, 2)), &b);
        assert!(
            matches!(error, Err(LinalgError::Singular { .. })),
            "{error:?}"
        );
        let error = backend.solve_symmetric(&Array2::<T>::eye(3), &b);
        assert!(matches!(
            error,
            Err(LinalgError::ShapeMismatch {
                left: (3, 3),
                right: (2, 1),
                ..
            })
        ));
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn what_cannot_be_factored_is_refused() {
    fn check<T: Real>(backend: Backend) {
        let wide = Array2::<T>::zeros((2, 3));
        let b = Array2::<T>::zeros((2, 1));
        let refused = |error: Option<LinalgError>| {
            assert!(matches!(
                error,
                Some(LinalgError::NotSquare {
                    rows: 2,
                    columns: 3,
                    ..
                })
            ));
        };
        refused(backend.cholesky(wide.clone(), 0.0).err());
        refused(backend.solve_symmetric(&wide, &b).err());
        refused(
            backend
                .solve_triangular(&wide, Triangle::Lower, &mut b.clone())
                .err(),
        );
        for bad in [T::nan(), T::infinity()] {
            let mut a = Array2::<T>::eye(2);
            a[[1, 0]] = bad;
            let refused = |error: Option<LinalgError>| {
                assert!(matches!(
                    error,
                    Some(LinalgError::NonFinite {
                        row: 1,
                        column: 0,
                        ..
                    })
                ));
            };
            refused(backend.cholesky(a.clone(), ADAPTIVE).err());
            refused(backend.solve_symmetric(&a, &b).err());
            refused(
                backend
                    .solve_triangular(&a, Triangle::Lower, &mut b.clone())
                    .err(),
            );
            assert!(
                backend
                    .solve_triangular(&a, Triangle::Upper, &mut b.clone())
                    .is_ok()
            );
        }
        let cholesky = backend.cholesky(Array2::<T>::eye(3), 0.0).unwrap();
        let error = cholesky.solve(&b).unwrap_err();
        assert!(matches!(
            error,
            LinalgError::ShapeMismatch {
                left: (3, 3),
                right: (2, 1),
                ..
            }
        ));
    }
    everywhere(check::<f64>, check::<f32>);
}
