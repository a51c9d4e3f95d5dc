//! Properties of the eigensolvers, in both precisions on every backend.

use crate::common::{Random, bound, distance, everywhere, naive, norm, orders, views};
use ndarray::Array2;
use ntk_linalg::{Backend, Eigh, LinalgError, Real};

/// A = Q diag Q^T, Q^T Q = 1, ascending, and the values alone agree.
fn check_decomposition<T: Real>(backend: Backend, a: &Array2<T>, what: &str) {
    let n = a.nrows();
    let what = format!("{what}, n = {n}, {}, {}", backend.name(), T::NAME);
    let Eigh { values, vectors } = backend.eigh(a).expect(&what);
    assert_eq!((values.len(), vectors.dim()), (n, (n, n)));
    assert!(
        values.windows(2).into_iter().all(|w| w[0] <= w[1]),
        "{what}: order"
    );

    // In f64 and relative to |A|, so that neither overflows.
    let scale = norm(a.view()).max(f64::MIN_POSITIVE);
    let q = vectors.mapv(Real::to_f64);
    let scaled = Array2::from_shape_fn((n, n), |(i, j)| q[[i, j]] * (values[j].to_f64() / scale));
    let relative = a.mapv(|x| x.to_f64() / scale);
    let residual = distance(naive(scaled.view(), q.t()).view(), relative.view());
    assert!(
        residual <= bound::<T>(n, 1.0),
        "{what}: residual {residual:e}"
    );
    let skew = distance(naive(q.t(), q.view()).view(), Array2::<f64>::eye(n).view());
    assert!(skew <= bound::<T>(n, 1.0), "{what}: orthogonality {skew:e}");

    let alone = backend.eigenvalues(a).expect(&what);
    for (&x, &y) in alone.iter().zip(&values) {
        let difference = (x.to_f64() - y.to_f64()).abs() / scale;
        assert!(
            difference <= bound::<T>(n, 1.0),
            "{what}: values off by {difference:e}"
        );
    }
}

#[test]
fn random_matrices_decompose() {
    fn check<T: Real>(backend: Backend) {
        for n in orders() {
            let a = Random(n as u64).symmetric::<T>(n);
            check_decomposition(backend, &a, "random");
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn repeated_and_zero_eigenvalues_come_out() {
    fn check<T: Real>(backend: Backend) {
        for n in orders() {
            let third = |i: usize| [0.0, 1.0, 3.0][3 * i / n.max(1)];
            let spectra: [(&str, Vec<f64>); 4] = [
                ("zero", vec![0.0; n]),
                ("identity", vec![1.0; n]),
                ("three-fold", (0..n).map(third).collect()),
                ("rank one", (0..n).map(|i| f64::from(i + 1 == n)).collect()),
            ];
            for (what, expected) in spectra {
                let a = Random(7).with_spectrum::<T>(&expected);
                check_decomposition(backend, &a, what);
                for (&x, y) in backend.eigenvalues(&a).unwrap().iter().zip(&expected) {
                    // |a| is at most 3 sqrt(n); making the matrix rounds once more.
                    let error = (x.to_f64() - y).abs();
                    assert!(error <= bound::<T>(n, 3.0), "{what}, n = {n}: {error:e}");
                }
            }
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn diagonal_and_tridiagonal_matrices_decompose() {
    fn check<T: Real>(backend: Backend) {
        for n in orders() {
            let diagonal = Array2::from_shape_fn((n, n), |(i, j)| {
                if i == j {
                    T::of(((i * 7) % 11) as f64 - 5.0)
                } else {
                    T::zero()
                }
            });
            check_decomposition(backend, &diagonal, "diagonal");
            // The second difference: eigenvalues 2 - 2 cos(pi k / (n + 1)).
            let laplace = Array2::from_shape_fn((n, n), |(i, j)| {
                T::of([2.0, -1.0, 0.0][i.abs_diff(j).min(2)])
            });
            check_decomposition(backend, &laplace, "second difference");
            for (k, &x) in backend.eigenvalues(&laplace).unwrap().iter().enumerate() {
                let angle = std::f64::consts::PI * (k + 1) as f64 / (n + 1) as f64;
                let error = (x.to_f64() - (2.0 - 2.0 * angle.cos())).abs();
                assert!(error <= bound::<T>(n, 4.0), "n = {n}, k = {k}: {error:e}");
            }
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn huge_and_tiny_scales_decompose() {
    fn check<T: Real>(backend: Backend, scales: &[f64]) {
        for &scale in scales {
            for n in [1, 2, 3, 10, 64, 240] {
                let a = Random(3).symmetric::<T>(n).mapv(|x| x * T::of(scale));
                check_decomposition(backend, &a, &format!("scale {scale:e}"));
            }
        }
    }
    everywhere(
        |backend| check::<f64>(backend, &[1e150, 1e-150, 1e300, 1e-300]),
        |backend| check::<f32>(backend, &[1e15, 1e-15, 1e36, 1e-34]),
    );
}

#[test]
fn only_the_lower_half_is_read_through_any_view() {
    fn check<T: Real>(backend: Backend) {
        for n in [1, 2, 5, 33, 100] {
            let mut a = Random(11).symmetric::<T>(n);
            let plain = backend.eigenvalues(&a).unwrap();
            for i in 0..n {
                for j in i + 1..n {
                    a[[i, j]] = T::nan();
                }
            }
            views(&a, |a| {
                // Equal to the bit: every view is copied to the same buffer first.
                assert_eq!(backend.eigenvalues(&a).unwrap(), plain);
                let again = backend.eigh(&a).unwrap();
                assert_eq!(again, backend.eigh(&a).unwrap());
            });
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn what_cannot_be_decomposed_is_refused() {
    fn check<T: Real>(backend: Backend) {
        let wide = Array2::<T>::zeros((2, 3));
        let error = backend.eigh(&wide).unwrap_err();
        assert!(matches!(
            error,
            LinalgError::NotSquare {
                rows: 2,
                columns: 3,
                ..
            }
        ));
        assert_eq!(backend.eigenvalues(&wide).unwrap_err(), error);
        for n in [3, 100] {
            for bad in [T::nan(), T::infinity(), T::neg_infinity()] {
                let mut a = Random(5).symmetric::<T>(n);
                a[[2, 1]] = bad;
                for a in [a.clone(), a.t().to_owned().reversed_axes()] {
                    let error = backend.eigenvalues(&a).unwrap_err();
                    assert!(matches!(
                        error,
                        LinalgError::NonFinite {
                            row: 2,
                            column: 1,
                            ..
                        }
                    ));
                    assert!(backend.eigh(&a).is_err());
                }
            }
        }
    }
    everywhere(check::<f64>, check::<f32>);
}
