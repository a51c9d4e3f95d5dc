//! Properties of the reduction to a tridiagonal matrix and of eigenvalues by way of it, in both
//! precisions on every backend.

use crate::common::{Random, bound, distance, everywhere, naive, norm, views};
use ndarray::{Array1, Array2, ArrayView2};
use ntk_linalg::{Backend, LinalgError, Real, Tridiagonal, threads};

/// Orders below, at and above the width of the band, its multiples, primes and a strip of rows.
const ORDERS: [usize; 19] = [
    0, 1, 2, 3, 4, 9, 31, 32, 33, 34, 63, 64, 65, 66, 97, 128, 129, 211, 260,
];

fn tridiagonal<T: Real>(reduced: &Tridiagonal<T>) -> Array2<f64> {
    let (t, e) = (reduced.diagonal(), reduced.off_diagonal());
    let n = t.len();
    assert_eq!(e.len(), n.saturating_sub(1));
    Array2::from_shape_fn((n, n), |(i, j)| match i.abs_diff(j) {
        0 => t[i].to_f64(),
        1 => e[i.min(j)].to_f64(),
        _ => 0.0,
    })
}

/// Eigenvalues by one stage: without vectors small matrices have them, and the others with.
fn of_one_stage<T: Real>(backend: Backend, a: &Array2<T>) -> Result<Array1<T>, LinalgError> {
    match a.nrows() < 128 {
        true => backend.eigenvalues(a),
        false => backend.eigh(a).map(|eigh| eigh.values),
    }
}

/// A = Q T Q^T, Q^T Q = 1, both ways to apply Q agree, and the eigenvalues are those of one stage.
fn check_reduction<T: Real>(backend: Backend, a: &Array2<T>, what: &str) {
    let n = a.nrows();
    let what = format!("{what}, n = {n}, {}, {}", backend.name(), T::NAME);
    let reduced = backend.tridiagonal(a).expect(&what);
    let q = reduced.apply(&Array2::eye(n)).expect(&what);
    let transposed = reduced.apply_transposed(&Array2::eye(n)).expect(&what);
    let skew = distance(naive(q.t(), q.view()).view(), Array2::<f64>::eye(n).view());
    assert!(skew <= bound::<T>(n, 1.0), "{what}: orthogonality {skew:e}");
    let apart = distance(q.t(), transposed.view());
    assert!(apart <= bound::<T>(n, 1.0), "{what}: Q^T is {apart:e} off");

    // In f64 and relative to |A|, so that neither overflows.
    let scale = norm(a.view()).max(f64::MIN_POSITIVE);
    let q = q.mapv(Real::to_f64);
    let t = tridiagonal(&reduced).mapv(|x| x / scale);
    let product = naive(naive(q.view(), t.view()).view(), q.t());
    let residual = distance(product.view(), a.mapv(|x| x.to_f64() / scale).view());
    assert!(
        residual <= bound::<T>(n, 1.0),
        "{what}: residual {residual:e}"
    );

    let values = reduced.eigenvalues().expect(&what);
    let ascend = values.windows(2).into_iter().all(|w| w[0] <= w[1]);
    assert!(ascend && values.len() == n, "{what}: order");
    for (&x, &y) in values.iter().zip(&of_one_stage(backend, a).expect(&what)) {
        let difference = (x.to_f64() - y.to_f64()).abs() / scale;
        assert!(
            difference <= bound::<T>(n, 1.0),
            "{what}: values off by {difference:e}"
        );
    }
}

#[test]
fn random_matrices_reduce() {
    fn check<T: Real>(backend: Backend) {
        for n in ORDERS {
            let a = Random(n as u64).symmetric::<T>(n);
            check_reduction(backend, &a, "random");
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

/// Spectra in which eigenvalues repeat, cluster, vanish and decay; panels of such matrices have lost rank.
#[test]
fn hard_spectra_come_out() {
    fn check<T: Real>(backend: Backend) {
        for n in [1, 2, 33, 65, 130, 211] {
            let share = |i: usize| i as f64 / n as f64;
            let eps = T::epsilon().to_f64();
            let spectra: [(&str, Vec<f64>); 6] = [
                ("zero", vec![0.0; n]),
                ("identity", vec![1.0; n]),
                ("rank one", (0..n).map(|i| f64::from(i + 1 == n)).collect()),
                ("rank 40", (0..n).map(|i| f64::from(i + 40 >= n)).collect()),
                (
                    "clusters",
                    (0..n)
                        .map(|i| (i % 3) as f64 + share(i) * 4.0 * eps)
                        .collect(),
                ),
                (
                    "decaying",
                    (0..n).map(|i| (-60.0 * share(i)).exp()).collect(),
                ),
            ];
            for (what, mut expected) in spectra {
                expected.sort_by(f64::total_cmp);
                let a = Random(9).with_spectrum::<T>(&expected);
                check_reduction(backend, &a, what);
                let values = backend.tridiagonal(&a).unwrap().eigenvalues().unwrap();
                for (&x, y) in values.iter().zip(&expected) {
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
fn shaped_matrices_reduce() {
    fn check<T: Real>(backend: Backend) {
        for n in [2, 33, 66, 130] {
            let full = Random(2).symmetric::<T>(n);
            let within = |width: usize| {
                Array2::from_shape_fn((n, n), |(i, j)| match i.abs_diff(j) <= width {
                    true => full[[i, j]],
                    false => T::zero(),
                })
            };
            for width in [0, 1, 2, 31, 32, 33] {
                check_reduction(backend, &within(width), &format!("of {width} diagonals"));
            }
            // From one end to the other by more than the digits of the type, both ways. Of larger ones faer's
            // eigenvalues with vectors are a thousand times as far off as those without.
            let signs = if n < 128 { &[1.0, -1.0][..] } else { &[] };
            for sign in signs {
                let weight = |i: usize| T::of((sign * 40.0 * i as f64 / n as f64).exp2());
                let graded = Array2::from_shape_fn((n, n), |(i, j)| {
                    full[[i, j]] * weight(i) * weight(j) * T::of((-40.0_f64).exp2())
                });
                check_reduction(backend, &graded, "graded");
            }
            let mut arrow = within(0);
            for i in 0..n {
                arrow[[i, 0]] = full[[i, 0]];
                arrow[[0, i]] = full[[i, 0]];
            }
            check_reduction(backend, &arrow, "arrow");
            // Two blocks with nothing between them.
            let mut apart = full.clone();
            for i in n / 2..n {
                for j in 0..n / 2 {
                    apart[[i, j]] = T::zero();
                    apart[[j, i]] = T::zero();
                }
            }
            check_reduction(backend, &apart, "two blocks");
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn huge_and_tiny_scales_reduce() {
    fn check<T: Real>(backend: Backend, scales: &[f64]) {
        for &scale in scales {
            for n in [1, 2, 3, 40, 100] {
                let a = Random(3).symmetric::<T>(n).mapv(|x| x * T::of(scale));
                check_reduction(backend, &a, &format!("scale {scale:e}"));
            }
        }
    }
    everywhere(
        |backend| check::<f64>(backend, &[1e150, 1e-150, 1e300, 1e-300]),
        |backend| check::<f32>(backend, &[1e9, 1e-9, 1e15, 1e-15, 1e36, 1e-34]),
    );
}

/// Tridiagonal matrices stay as they are but for signs, so that these test what finds eigenvalues.
#[test]
fn eigenvalues_of_tridiagonal_matrices_are_known() {
    fn check<T: Real>(backend: Backend) {
        let near = |a: ArrayView2<'_, T>, expected: &[f64], what: &str| {
            let values = backend.tridiagonal(&a).unwrap().eigenvalues().unwrap();
            let scale = expected.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
            for (&x, y) in values.iter().zip(expected) {
                let error = (x.to_f64() - y).abs();
                assert!(error <= bound::<T>(a.nrows(), scale), "{what}: {x} for {y}");
            }
        };
        for n in [1, 2, 5, 100, 700] {
            // The second difference: eigenvalues 2 - 2 cos(pi k / (n + 1)).
            let laplace = Array2::from_shape_fn((n, n), |(i, j)| {
                T::of([2.0, -1.0, 0.0][i.abs_diff(j).min(2)])
            });
            let angle = |k: usize| std::f64::consts::PI * (k + 1) as f64 / (n + 1) as f64;
            let expected: Vec<_> = (0..n).map(|k| 2.0 - 2.0 * angle(k).cos()).collect();
            near(laplace.view(), &expected, "second difference");
            // Kac's matrix, made symmetric: eigenvalues -(n - 1), -(n - 3), ..., n - 1.
            let beside = |i: usize| ((i * (n - i)) as f64).sqrt();
            let kac = Array2::from_shape_fn((n, n), |(i, j)| match i.abs_diff(j) {
                1 => T::of(beside(i.max(j))),
                _ => T::zero(),
            });
            let expected: Vec<_> = (0..n).map(|k| (2 * k) as f64 - (n - 1) as f64).collect();
            near(kac.view(), &expected, "Kac");
        }
        // Wilkinson's W21: its largest two agree to 13 digits (Wilkinson 1965, page 309).
        let wilkinson = Array2::from_shape_fn((21, 21), |(i, j)| match i.abs_diff(j) {
            0 => T::of(i.abs_diff(10) as f64),
            1 => T::one(),
            _ => T::zero(),
        });
        let values = backend
            .tridiagonal(&wilkinson)
            .unwrap()
            .eigenvalues()
            .unwrap();
        let largest = 10.746_194_182_903_4;
        for k in [19, 20] {
            let error = (values[k].to_f64() - largest).abs();
            assert!(error <= bound::<T>(21, largest), "W21: {}", values[k]);
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

/// An order at which [`Backend::eigenvalues`] takes two stages on every backend.
#[test]
fn large_matrices_have_the_eigenvalues_of_one_stage() {
    fn check<T: Real>(backend: Backend) {
        let n = 1601;
        let a = Random(4).symmetric::<T>(n);
        let scale = norm(a.view());
        let alone = backend.eigenvalues(&a).unwrap();
        for (&x, &y) in alone.iter().zip(&backend.eigh(&a).unwrap().values) {
            let difference = (x.to_f64() - y.to_f64()).abs() / scale;
            assert!(difference <= bound::<T>(n, 1.0), "off by {difference:e}");
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

#[test]
fn only_the_lower_half_is_reduced_through_any_view() {
    fn check<T: Real>(backend: Backend) {
        for n in [2, 40, 100] {
            let mut a = Random(11).symmetric::<T>(n);
            let b = Random(12).matrix::<T>(n, 11);
            let of = |a: ArrayView2<'_, T>| backend.tridiagonal(&a).unwrap();
            let plain = of(a.view());
            for i in 0..n {
                for j in i + 1..n {
                    a[[i, j]] = T::nan();
                }
            }
            views(&a, |a| {
                // Equal to the bit: every view is copied to the same buffer first.
                let reduced = of(a);
                assert_eq!(reduced.diagonal(), plain.diagonal());
                assert_eq!(reduced.off_diagonal(), plain.off_diagonal());
            });
            views(&b, |b| {
                let columns = [plain.apply(&b), plain.apply_transposed(&b)].map(Result::unwrap);
                for (column, product) in b.columns().into_iter().zip(columns[0].columns()) {
                    let alone = plain.apply(&column.insert_axis(ndarray::Axis(1))).unwrap();
                    let apart = distance(alone.view(), product.insert_axis(ndarray::Axis(1)));
                    assert!(apart <= bound::<T>(n, norm(b)), "{apart:e}");
                }
                let back = plain.apply(&columns[1]).unwrap();
                let apart = distance(back.view(), b);
                assert!(apart <= bound::<T>(n, norm(b)), "{apart:e}");
            });
        }
    }
    everywhere(check::<f64>, check::<f32>);
}

/// faer's products are the same on any number of threads, and so is all that is made of them.
#[test]
fn threads_change_no_bit() {
    fn check<T: Real>(n: usize) {
        let a = Random(6).symmetric::<T>(n);
        let b = Random(7).matrix::<T>(n, 20);
        let all = || {
            let reduced = Backend::Faer.tridiagonal(&a).unwrap();
            let values = Backend::Faer.eigenvalues(&a).unwrap();
            (
                reduced.diagonal(),
                reduced.off_diagonal(),
                values,
                reduced.apply(&b).unwrap(),
                reduced.apply_transposed(&b).unwrap(),
            )
        };
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| threads::whole_pool(all))
        };
        let alone = on(1);
        for threads in [2, 3] {
            assert!(
                on(threads) == alone,
                "{threads} threads, n = {n}, {}",
                T::NAME
            );
        }
    }
    check::<f64>(300);
    check::<f32>(300);
    check::<f64>(900);
}

#[test]
fn what_cannot_be_reduced_or_multiplied_is_refused() {
    let wide = Array2::<f64>::zeros((2, 3));
    let error = Tridiagonal::new(&wide).unwrap_err();
    assert!(matches!(
        error,
        LinalgError::NotSquare {
            rows: 2,
            columns: 3,
            ..
        }
    ));
    let mut a = Array2::<f64>::eye(40);
    a[[35, 2]] = f64::NAN;
    let error = Tridiagonal::new(&a).unwrap_err();
    assert!(matches!(
        error,
        LinalgError::NonFinite {
            row: 35,
            column: 2,
            ..
        }
    ));
    let reduced = Tridiagonal::new(&Array2::<f64>::eye(40)).unwrap();
    for error in [reduced.apply(&wide), reduced.apply_transposed(&wide)].map(Result::unwrap_err) {
        assert!(matches!(
            error,
            LinalgError::ShapeMismatch {
                left: (40, 40),
                right: (2, 3),
                ..
            }
        ));
    }
}
