//! Intervals from low-rank approximations cover, are attained, and close.

use super::rounding::slowly_falling;
use ndarray::{Array1, Array2, Axis, array, s};
use ntk_entropy::covariance::cosine;
use ntk_entropy::*;
use ntk_linalg::{
    LinalgError, PartialCholesky, RandomPivots, Real, eigenvalues, eigh, solve_symmetric,
};
use proptest::prelude::*;

const ORDERS: [f64; 4] = [0.5, 1.5, 2.0, f64::INFINITY];

/// Returns a partial Cholesky factorisation of at most this rank.
fn partial<T: Real>(k: &Array2<T>, rank: usize, mut state: u64) -> PartialCholesky<T> {
    let uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let columns = |which: &[usize]| Ok::<_, LinalgError>(k.select(Axis(1), which));
    let found = RandomPivots::new(rank).factor(k.diag().to_owned(), uniform, columns);
    found.unwrap()
}

fn of_partial<T: Real>(
    k: &Array2<T>,
    (rank, seed): (usize, u64),
    normalization: Normalization,
) -> SpectrumBounds {
    let partial = partial(k, rank, seed);
    SpectrumBounds::of_partial_cholesky(&partial, &k.diag(), normalization).unwrap()
}

/// Returns Nyström's `K_nm K_mm^-1/2` of the first m samples, for a `K_mm` that is not singular.
fn nystrom(k: &Array2<f64>, m: usize) -> Array2<f64> {
    let of = eigh(&k.slice(s![..m, ..m])).unwrap();
    let roots = of.values.mapv(|v| v.sqrt().recip());
    k.slice(s![.., ..m]).dot(&(of.vectors * roots))
}

/// Returns the spectrum without anything clipped but what is negative.
fn exact(k: &Array2<f64>) -> Spectrum {
    of_values(&eigenvalues(k).unwrap())
}

fn of_values(values: &Array1<f64>) -> Spectrum {
    let mut values = values.mapv(|v| v.max(0.0)).to_vec();
    values.sort_by(f64::total_cmp);
    let (values, trace) = (Array1::from(values.clone()), values.iter().sum());
    Spectrum {
        probabilities: &values / trace,
        eigenvalues: values,
        trace,
        clipped_mass: 0.0,
    }
}

/// Pairs every interval with the number that it should enclose.
fn pairs(bounds: &SpectrumBounds, truth: &Spectrum) -> Vec<(String, Interval, f64)> {
    let mut all = vec![
        (
            "von Neumann".to_string(),
            bounds.von_neumann(),
            von_neumann::entropy(truth),
        ),
        (
            "effective".into(),
            bounds.effective(),
            von_neumann::effective(truth),
        ),
        (
            "effective rank".into(),
            bounds.effective_rank(),
            rank::effective_rank(truth),
        ),
        (
            "participation".into(),
            bounds.participation_ratio(),
            rank::participation_ratio(truth),
        ),
        (
            "dimension".into(),
            bounds.intrinsic_dimension(),
            rank::intrinsic_dimension(truth),
        ),
        ("purity".into(), bounds.purity(), rank::purity(truth)),
    ];
    for order in ORDERS {
        let (interval, value) = (bounds.renyi(order), renyi::entropy(truth, order));
        all.push((format!("order {order}"), interval.unwrap(), value.unwrap()));
    }
    all
}

#[track_caller]
fn assert_covers(bounds: &SpectrumBounds, truth: &Spectrum) {
    for (name, interval, value) in pairs(bounds, truth) {
        let Interval {
            lower,
            estimate,
            upper,
        } = interval;
        assert!(
            lower <= value && value <= upper,
            "{name}: {value} of {interval:?}"
        );
        assert!(
            lower <= estimate && estimate <= upper,
            "{name}: {interval:?}"
        );
    }
}

/// The most that an entropy changes where `moved` of the probability moves (Audenaert 2007).
fn moves(n: usize, moved: f64) -> f64 {
    let moved = moved.min(0.5);
    let term = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    moved * (n as f64).ln() + term(moved) + term(1.0 - moved)
}

/// What rounding takes from the k eigenvalues of a factor, in sum, by the documentation.
fn rounded(n: usize, k: usize, eps: f64) -> f64 {
    let (n, k) = (n as f64, k as f64);
    k * ((k + 11.0) * eps + (2.0 * n + 10.0 * k) * f64::EPSILON)
}

/// Kernels of a rank from 1 to n whose eigenvalues fall by up to four orders of magnitude a step.
fn kernels() -> impl Strategy<Value = Array2<f64>> {
    let shape = (1..24_usize).prop_flat_map(|n| (Just(n), 1..=n));
    let features = shape.prop_flat_map(|(n, m)| {
        prop::collection::vec(-1.0..1.0_f64, n * m)
            .prop_map(move |v| Array2::from_shape_vec((n, m), v).unwrap())
    });
    (features, 1e-2..1.0_f64)
        .prop_map(|(mut g, falls)| {
            for (j, mut column) in g.columns_mut().into_iter().enumerate() {
                column *= falls.powi(i32::try_from(j).unwrap());
            }
            g
        })
        .prop_filter("a zero sample", |g| {
            g.rows().into_iter().all(|row| row.dot(&row) > 1e-6)
        })
        .prop_map(|g| g.dot(&g.t()))
}

fn far_from_singular(mut k: Array2<f64>) -> Array2<f64> {
    let more = 0.1 * k.diag().mean().unwrap();
    k.diag_mut().mapv_inplace(|v| v + more);
    k
}

fn orthogonal(n: usize) -> impl Strategy<Value = Array2<f64>> {
    prop::collection::vec(-1.0..1.0_f64, n * n).prop_map(move |v| {
        let a = Array2::from_shape_vec((n, n), v).unwrap();
        eigh(&(&a + &a.t())).unwrap().vectors
    })
}

/// Eigenvalues of an approximation, descending, what is added to each of n and more than zero in sum.
fn admissible() -> impl Strategy<Value = (Array1<f64>, Array1<f64>)> {
    let numbers = |n| prop::collection::vec(prop_oneof![Just(0.0), 1e-9..1.0_f64, Just(1.0)], n);
    (1..12_usize).prop_flat_map(move |n| {
        let known = (0..=n).prop_flat_map(numbers).prop_map(|mut v| {
            v.sort_by(|a, b| b.total_cmp(a));
            Array1::from(v)
        });
        let added = numbers(n).prop_map(Array1::from);
        (known, added).prop_filter("zero", |(q, d)| q.sum() + d.sum() > 0.0)
    })
}

fn of_diagonal(q: &Array1<f64>, trace: f64, n: usize) -> SpectrumBounds {
    let gram = Array2::from_diag(q);
    SpectrumBounds::of_gram(&gram, trace, n, Rounding::of::<f64>()).unwrap()
}

proptest! {
    /// In f64 and f32, divided by the trace and of cosines, at every rank.
    #[test]
    fn intervals_cover(k in kernels(), share in 0.0..=1.0_f64, seed in 0..1000_u64) {
        let rank = (share * k.nrows() as f64).round() as usize;
        let single = k.mapv(|v| v as f32);
        for (normalization, of) in [
            (Normalization::Trace, k.clone()),
            (Normalization::Cosine, cosine(&k).unwrap()),
        ] {
            let truth = exact(&of);
            assert_covers(&of_partial(&k, (rank, seed), normalization), &truth);
            assert_covers(&of_partial(&single, (rank, seed), normalization), &truth);
        }
    }

    /// Whatever is added to the eigenvalues, in any order.
    #[test]
    fn admissible_spectra_are_covered((q, d) in admissible()) {
        let mut all = d.clone();
        all.slice_mut(s![..q.len()]).scaled_add(1.0, &q);
        let bounds = of_diagonal(&q, all.sum(), d.len());
        assert_covers(&bounds, &of_values(&all));
        prop_assert!((bounds.residual() - d.sum() / all.sum()).abs() < 1e-14);
    }

    /// Kernels `F F^T + R` have either end for their entropy and purity.
    #[test]
    fn ends_are_attained(
        ((q, d), q_n) in admissible().prop_flat_map(|(q, d)| {
            let n = d.len();
            (Just((q, d)), orthogonal(n))
        })
    ) {
        let (n, k, left) = (d.len(), q.len(), d.sum());
        let f = &q_n.slice(s![.., ..k]) * &q.mapv(f64::sqrt);
        let known = f.dot(&f.t());
        let first = q_n.slice(s![.., ..1]);
        let concentrated = &known + &(first.dot(&first.t()) * left);
        // Raise the smallest to one level by halving, not by the crate's way.
        let padded = Array1::from_shape_fn(n, |i| q.get(i).copied().unwrap_or(0.0));
        let (mut low, mut high) = (0.0, q.sum() + left);
        for _ in 0..200 {
            let level = 0.5 * (low + high);
            let added: f64 = padded.iter().map(|v| (level - v).max(0.0)).sum();
            if added > left { high = level } else { low = level }
        }
        let raised = padded.mapv(|v| (low - v).max(0.0));
        let spread = &known + &(&q_n * &raised).dot(&q_n.t());

        // What is documented, and as much of the kernels and their eigenvalues.
        let moved = 2.0 * rounded(n, k, f64::EPSILON) + 10.0 * (n * n) as f64 * f64::EPSILON;
        for (kernel, is_lower) in [(concentrated, true), (spread, false)] {
            let bounds = SpectrumBounds::of_factor(&f, &kernel.diag(), Normalization::Trace);
            let bounds = bounds.unwrap();
            let end = |i: Interval| if is_lower { i.lower } else { i.upper };
            let (truth, entropy) = (exact(&kernel), end(bounds.von_neumann()));
            let far = (von_neumann::entropy(&truth) - entropy).abs();
            prop_assert!(far <= moves(n, moved), "{far} {moved}");
            let purity = bounds.purity();
            let purity = if is_lower { purity.upper } else { purity.lower };
            let far = (rank::purity(&truth) - purity).abs();
            prop_assert!(far <= 4.0 * moved, "{far} {moved}");
        }
    }

    /// Each column narrows every interval, and all of them leave a point.
    #[test]
    fn intervals_close_as_the_rank_grows(k in kernels(), seed in 0..1000_u64) {
        let (n, k) = (k.nrows(), far_from_singular(k));
        let pivots = partial(&k, n, seed).pivots().to_vec();
        prop_assert_eq!(pivots.len(), n);
        let of = |rank: usize| of_partial(&k, (rank, seed), Normalization::Trace).von_neumann();
        for rank in 0..n {
            let (wide, narrow) = (of(rank), of(rank + 1));
            // The weights by which the pivots interpolate.
            let which = &pivots[..=rank];
            let rows = k.select(Axis(0), which);
            let weights = solve_symmetric(&rows.select(Axis(1), which), &rows).unwrap();
            let square = *eigenvalues(&weights.dot(&weights.t())).unwrap().last().unwrap();
            let more = moves(n, (1.0 + square) * rounded(n, rank + 1, f64::EPSILON));
            prop_assert!(narrow.lower >= wide.lower - more, "{wide:?} {narrow:?}");
            prop_assert!(narrow.upper <= wide.upper + more, "{wide:?} {narrow:?}");
        }
        // All are pivots, and interpolate themselves alone.
        prop_assert!(of(n).width() <= 2.0 * moves(n, 3.0 * rounded(n, n, f64::EPSILON)));
    }

    #[test]
    fn grams_of_blocks_are_the_factor(k in kernels(), seed in 0..1000_u64) {
        // Far from singular, so that no row exceeds the diagonal by rounding.
        let (n, k) = (k.nrows(), far_from_singular(k));
        let f = partial(&k, n.div_ceil(2), seed).factor().to_owned();
        let mut gram = Array2::zeros((f.ncols(), f.ncols()));
        for block in f.axis_chunks_iter(Axis(0), 3) {
            gram += &block.t().dot(&block);
        }
        let whole = SpectrumBounds::of_factor(&f, &k.diag(), Normalization::Trace).unwrap();
        let rounding = Rounding::of::<f64>();
        let found = SpectrumBounds::of_gram(&gram, k.diag().sum(), n, rounding).unwrap();
        let moved = rounded(n, f.ncols(), f64::EPSILON);
        prop_assert!((whole.residual() - found.residual()).abs() <= moved);
        let [a, b] = [whole, found].map(|bounds| bounds.von_neumann());
        prop_assert!((a.lower - b.lower).abs() <= moves(n, moved));
        prop_assert!((a.upper - b.upper).abs() <= moves(n, moved));
    }
}

/// The kernel `e^-|x - y|` of 600 points, by landmarks and by partial Cholesky factorisation.
#[test]
fn approximations_of_a_kernel_whose_eigenvalues_fall_slowly() {
    let k = slowly_falling(600);
    let truth = exact(&k);
    let entropy = von_neumann::entropy(&truth);
    for rank in [30, 120, 300] {
        let landmarks = nystrom(&k, rank);
        let landmarks =
            SpectrumBounds::of_factor(&landmarks, &k.diag(), Normalization::Trace).unwrap();
        for bounds in [of_partial(&k, (rank, 7), Normalization::Trace), landmarks] {
            assert_covers(&bounds, &truth);
            let found = bounds.von_neumann();
            let missed = (found.estimate - entropy).abs();
            assert!(missed < 0.15 * found.width(), "{rank}: {found:?} {entropy}");
            let nearest = (found.upper - entropy).min(entropy - found.lower);
            assert!(missed < nearest, "{rank}: {found:?} {entropy}");
            // A spectrum has a rank of n where its trace is not all found.
            let ranks = bounds.renyi(0.0).unwrap();
            assert!(ranks.lower <= (rank as f64).ln() && ranks.upper >= 600.0_f64.ln());
        }
    }
}

#[test]
fn by_hand() {
    // Probabilities 1/2 and 1/4 are known of four, and 1/4 is left.
    let bounds = of_diagonal(&array![2.0, 1.0], 4.0, 4);
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
    let h = |p: &[f64]| p.iter().map(|p| -p * p.ln()).sum::<f64>();
    let entropy = bounds.von_neumann();
    near(entropy.lower, h(&[0.75, 0.25]));
    near(entropy.upper, h(&[0.5, 0.25, 0.125, 0.125]));
    // 1/2 x, 1/2 x^2 and 1/2 x^3 are more than 1/4, 0 and 0 by 1/4 in sum: x + x^2 + x^3 = 1.
    let x = 0.543_689_012_692_076_4_f64;
    near(x + x * x + x.powi(3), 1.0);
    near(
        entropy.estimate,
        h(&[0.5, 0.5 * x, 0.5 * x * x, 0.5 * x.powi(3)]),
    );
    near(bounds.residual(), 0.25);
    near(bounds.purity().upper, 0.625);
    near(bounds.purity().lower, 0.25 + 0.0625 + 2.0 / 64.0);
    near(bounds.intrinsic_dimension().lower, 4.0 / 3.0);
    near(bounds.renyi(f64::INFINITY).unwrap().upper, 2.0_f64.ln());
    near(bounds.renyi(0.0).unwrap().lower, 2.0_f64.ln());
    near(bounds.concentrated().largest_eigenvalue(), 3.0);
    near(bounds.spread().largest_eigenvalue(), 2.0);
    near(bounds.estimate().trace, 4.0);
    // The level covers what is known.
    let bounds = of_diagonal(&array![1.0, 0.5], 4.0, 3);
    near(bounds.von_neumann().upper, 3.0_f64.ln());
    // Nothing is known.
    let bounds = of_diagonal(&array![], 4.0, 3);
    near(bounds.von_neumann().lower, 0.0);
    near(bounds.von_neumann().upper, 3.0_f64.ln());
}

#[test]
fn scale_does_not_matter_to_overflow() {
    let k = slowly_falling(40);
    let f = partial(&k, 10, 3).factor().to_owned();
    let of = |root: f64| {
        let (f, diagonal) = (&f * root, k.diag().mapv(|v| v * root * root));
        let bounds = SpectrumBounds::of_factor(&f, &diagonal, Normalization::Trace);
        bounds.unwrap().von_neumann()
    };
    let expected = of(1.0);
    // The trace is infinite at 2^1022.
    for exponent in [500, 511, -500] {
        let found = of(2.0_f64.powi(exponent));
        for (a, b) in [
            (found.lower, expected.lower),
            (found.estimate, expected.estimate),
            (found.upper, expected.upper),
        ] {
            assert!((a - b).abs() < 1e-11, "2^{exponent}, squared: {a} {b}");
        }
    }
}

#[test]
fn what_is_no_approximation_from_below_is_refused() {
    let double = Rounding::of::<f64>();
    let f = array![[1.0, 0.5], [0.5, 1.0], [0.0, 0.2]];
    let of = |diagonal: &[f64], normalization| {
        SpectrumBounds::of_factor(&f, &ndarray::aview1(diagonal), normalization).unwrap_err()
    };
    let large = [2.0, 2.0, 2.0];
    let error = of(&[1.3, 1.2, 1.0], Normalization::Trace);
    assert_eq!(
        error,
        EntropyError::FactorRow {
            row: 1,
            found: 1.25,
            diagonal: 1.2
        }
    );
    assert!(error.to_string().contains("random features"));
    let error = of(&[2.0, 2.0, 0.0], Normalization::Cosine);
    assert!(matches!(error, EntropyError::FactorRow { row: 2, .. }));
    let error = of(&large, Normalization::None);
    assert_eq!(error, EntropyError::NotNormalized { trace: 6.0 });
    let error = of(&[0.0; 3], Normalization::Trace);
    assert_eq!(error, EntropyError::ZeroTrace { trace: 0.0 });
    let error = of(&[2.0, -1.0, 2.0], Normalization::Trace);
    assert!(matches!(
        error,
        EntropyError::Indefinite { smallest: -1.0, .. }
    ));
    for bad in [&large[..2], &[2.0, f64::NAN, 2.0]] {
        assert!(matches!(
            of(bad, Normalization::Trace),
            EntropyError::Linalg(_)
        ));
    }
    let wide = SpectrumBounds::of_factor(&f.t(), &array![9.0, 9.0], Normalization::Trace);
    let columns = EntropyError::FactorColumns {
        columns: 3,
        samples: 2,
    };
    assert_eq!(wide, Err(columns.clone()));

    let of =
        |gram: &Array2<f64>, trace, n| SpectrumBounds::of_gram(gram, trace, n, double).unwrap_err();
    let eye = Array2::eye(3);
    assert_eq!(of(&eye, 9.0, 2), columns);
    for (trace, n) in [(0.0, 3), (-1.0, 3), (9.0, 0)] {
        assert!(matches!(of(&eye, trace, n), EntropyError::ZeroTrace { .. }));
    }
    let error = of(&eye, f64::INFINITY, 3);
    assert!(matches!(error, EntropyError::InfiniteTrace { .. }));
    let error = of(&eye, 2.5, 3);
    assert_eq!(
        error,
        EntropyError::GramTrace {
            found: 3.0,
            trace: 2.5
        }
    );
    let error = of(&array![[1.0, 2.0], [2.0, 1.0]], 9.0, 3);
    assert!(matches!(error, EntropyError::Indefinite { .. }));
    for bad in [
        array![[1.0, 0.5], [0.4, 1.0]],
        array![[f64::NAN]],
        array![[1.0, 0.0]],
    ] {
        assert!(matches!(of(&bad, 9.0, 3), EntropyError::Linalg(_)), "{bad}");
    }
    let error = of(&eye, 9.0, usize::MAX);
    assert!(matches!(
        error,
        EntropyError::Linalg(LinalgError::OutOfMemory { .. })
    ));
    // Rounding is no reason.
    let single = Rounding::of::<f32>();
    assert!(SpectrumBounds::of_gram(&eye, 3.0 - 1e-6, 3, single).is_ok());
    assert!(SpectrumBounds::of_gram(&eye, 3.0 - 1e-6, 3, double).is_err());
}
