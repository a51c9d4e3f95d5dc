//! Properties of the products, in both precisions on every backend.

use crate::common::{Random, distance, everywhere, naive, norm, views};
use ndarray::{Array2, s};
use ntk_linalg::{Backend, LinalgError, Real};

/// Each entry is a sum of k products, so that its error is below `k eps |a|_row |b|_column`;
/// one more k for a scaled and added c.
fn limit<T: Real>(k: usize, a: &Array2<T>, b: &Array2<T>, c: &Array2<T>) -> f64 {
    let size = norm(a.view()) * norm(b.view()) + norm(c.view());
    2.0 * (k + 2) as f64 * T::epsilon().to_f64() * size
}

#[test]
fn gemm_agrees_with_three_loops_through_any_view() {
    fn check<T: Real>(backend: Backend) {
        for (m, k, n) in [
            (0, 3, 2),
            (2, 0, 3),
            (3, 2, 0),
            (1, 1, 1),
            (1, 7, 1),
            (5, 1, 4),
            (4, 5, 6),
            (16, 16, 16),
            (33, 7, 65),
            (64, 100, 1),
            (127, 65, 130),
        ] {
            let mut random = Random((m * 10000 + k * 100 + n) as u64);
            let (a, b, c) = (
                random.matrix::<T>(m, k),
                random.matrix::<T>(k, n),
                random.matrix::<T>(m, n),
            );
            let product = naive(a.view(), b.view());
            for (alpha, beta) in [(1.0, 0.0), (-0.5, 1.0), (2.0, -0.25), (0.0, 3.0)] {
                let expected =
                    Array2::from_shape_fn((m, n), |ij| alpha * product[ij] + beta * c[ij].to_f64());
                let check = |a: ndarray::ArrayView2<'_, T>, b: ndarray::ArrayView2<'_, T>| {
                    let run = |mut into: ndarray::ArrayViewMut2<'_, T>| {
                        // With beta = 0, what was there must not matter.
                        into.assign(&if beta == 0.0 {
                            c.mapv(|_| T::nan())
                        } else {
                            c.clone()
                        });
                        backend
                            .gemm(T::of(alpha), &a, &b, T::of(beta), &mut into)
                            .unwrap();
                        let error = distance(into.view(), expected.view());
                        let limit = 3.0 * limit(k, &a.to_owned(), &b.to_owned(), &c);
                        assert!(
                            error <= limit,
                            "{m} {k} {n} {alpha} {beta} {}: {error:e}",
                            backend.name()
                        );
                    };
                    run(Array2::zeros((m, n)).view_mut());
                    run(Array2::zeros((n, m)).view_mut().reversed_axes());
                    run(Array2::zeros((m + 2, n + 1)).slice_mut(s![1..m + 1, 1..]));
                    run(Array2::zeros((2 * m, 3 * n)).slice_mut(s![..;2, ..;-3]));
                };
                views(&a, |a| check(a, b.view()));
                views(&b, |b| check(a.view(), b));
            }
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn syrk_fills_the_lower_half_only() {
    fn check<T: Real>(backend: Backend) {
        for (n, k) in [(0, 3), (3, 0), (1, 1), (2, 5), (17, 4), (33, 65), (130, 40)] {
            let a = Random(n as u64).matrix::<T>(n, k);
            let c = Random(1).matrix::<T>(n, n);
            let product = naive(a.view(), a.t());
            for (alpha, beta) in [(1.0, 0.0), (2.0, 1.0), (-1.0, 0.5)] {
                views(&a, |a| {
                    for column_major in [false, true] {
                        let mut out = Array2::from_elem((n, n), T::nan());
                        if column_major {
                            out = out.reversed_axes();
                        }
                        for ((i, j), x) in out.indexed_iter_mut() {
                            if i >= j && beta != 0.0 {
                                *x = c[[i, j]];
                            }
                        }
                        backend
                            .syrk(T::of(alpha), &a, T::of(beta), &mut out)
                            .unwrap();
                        let a = a.to_owned();
                        let limit = 2.0 * limit(k, &a, &a, &c);
                        for ((i, j), &x) in out.indexed_iter() {
                            let expected = alpha * product[[i, j]] + beta * c[[i, j]].to_f64();
                            let error = (x.to_f64() - expected).abs();
                            assert!(
                                if i < j { x.is_nan() } else { error <= limit },
                                "{n} {k} ({i}, {j}): {x}"
                            );
                        }
                    }
                });
            }
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn symmetric_products_are_symmetric_to_the_bit() {
    fn check<T: Real>(backend: Backend) {
        for (n, k) in [(0, 0), (1, 3), (33, 7), (127, 64), (300, 20)] {
            let a = Random(2).matrix::<T>(n, k);
            let c = backend.symmetric_product(&a).unwrap();
            assert_eq!(c, c.t());
            assert!(distance(c.view(), naive(a.view(), a.t()).view()) <= limit(k, &a, &a, &c));
            assert_eq!(c, backend.symmetric_product(&a).unwrap());
            assert_eq!(ntk_linalg::check_symmetric(&c, T::zero()), Ok(()));
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    fn check<T: Real>(backend: Backend) {
        let (a, b) = (Array2::<T>::zeros((2, 3)), Array2::<T>::zeros((4, 5)));
        let error = backend.matmul(&a, &b).unwrap_err();
        assert!(matches!(
            error,
            LinalgError::ShapeMismatch {
                left: (2, 3),
                right: (4, 5),
                ..
            }
        ));
        let mut c = Array2::<T>::zeros((4, 4));
        let error = backend.gemm(
            T::one(),
            &b,
            &b.t(),
            T::one(),
            &mut c.view_mut().slice_move(s![..3, ..]),
        );
        assert!(matches!(
            error,
            Err(LinalgError::ShapeMismatch {
                left: (4, 4),
                right: (3, 4),
                ..
            })
        ));
        let error = backend.syrk(T::one(), &a, T::one(), &mut c).unwrap_err();
        assert!(matches!(
            error,
            LinalgError::ShapeMismatch {
                left: (2, 2),
                right: (4, 4),
                ..
            }
        ));
    }
    everywhere(check::<f64>, check::<f32>);
}
