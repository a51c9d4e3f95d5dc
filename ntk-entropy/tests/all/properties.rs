//! What must hold for any positive semidefinite kernel.

use ndarray::{Array1, Array2, Axis, concatenate};
use ntk_entropy::*;
use ntk_linalg::{Real, eigenvalues, eigh, symmetric_product};
use proptest::prelude::*;

const NORMALIZATIONS: [Normalization; 2] = [Normalization::Trace, Normalization::Cosine];

fn matrix(n: usize, m: usize) -> impl Strategy<Value = Array2<f64>> {
    prop::collection::vec(-1.0..1.0_f64, n * m)
        .prop_map(move |v| Array2::from_shape_vec((n, m), v).unwrap())
}

fn orthogonal(n: usize) -> impl Strategy<Value = Array2<f64>> {
    matrix(n, n).prop_map(|a| eigh(&(&a + &a.t())).unwrap().vectors)
}

/// Features (n, at most 12) of some norm in every direction: of random entries, or of eigenvalues
/// 0, 1 and 2, so that they repeat.
fn features_of(n: usize) -> impl Strategy<Value = Array2<f64>> {
    let random = (1..13_usize).prop_flat_map(move |rank| matrix(n, rank));
    let integers =
        prop::collection::vec(0..3_u8, n).prop_filter("zero", |v| v.iter().any(|&v| v > 0));
    let repeated = (orthogonal(n), integers).prop_map(|(q, values)| {
        let roots: Array1<f64> = values.iter().map(|&v| f64::from(v).sqrt()).collect();
        let kept: Vec<usize> = (0..roots.len()).filter(|&i| roots[i] > 0.0).collect();
        (q * roots).select(Axis(1), &kept)
    });
    let nonzero = |g: &Array2<f64>| g.rows().into_iter().all(|row| row.dot(&row) > 1e-6);
    prop_oneof![random, repeated].prop_filter("a zero sample", nonzero)
}

fn features() -> impl Strategy<Value = Array2<f64>> {
    (1..13_usize).prop_flat_map(features_of)
}

/// Two kernels of the same samples.
fn two() -> impl Strategy<Value = (Array2<f64>, Array2<f64>)> {
    let both = |n| (features_of(n), features_of(n));
    (1..13_usize)
        .prop_flat_map(both)
        .prop_map(|(a, b)| (gram(&a), gram(&b)))
}

fn gram(g: &Array2<f64>) -> Array2<f64> {
    symmetric_product(g).unwrap()
}

fn density(k: &Array2<f64>) -> Array2<f64> {
    k / k.diag().sum()
}

fn spectrum<T: Real>(k: &Array2<T>) -> Spectrum {
    Spectrum::of_kernel(k, Normalization::Trace).unwrap()
}

fn entropy(k: &Array2<f64>) -> f64 {
    von_neumann::entropy(&spectrum(k))
}

fn h2(p: f64) -> f64 {
    let term = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    term(p) + term(1.0 - p)
}

/// `|rho - sigma|_1 / 2`
fn distance(rho: &Array2<f64>, sigma: &Array2<f64>) -> f64 {
    let difference = density(rho) - density(sigma);
    eigenvalues(&difference).unwrap().mapv(f64::abs).sum() / 2.0
}

/// n probabilities, each off by less than `10 n eps`.
fn moved(n: usize, eps: f64) -> f64 {
    10.0 * (n * n) as f64 * eps
}

/// How far that moves an entropy (Fannes 1973; Audenaert 2007).
fn tolerance(n: usize, eps: f64) -> f64 {
    let t = moved(n, eps);
    t * (n as f64).ln() + h2(t)
}

/// What holds of one kernel, whatever its type.
fn check_one<T: Real>(g: &Array2<f64>, exponent: i32) -> Result<(), TestCaseError> {
    let eps = Real::to_f64(T::epsilon());
    let n = g.nrows();
    let k = gram(g).mapv(|v| T::of(v * 10.0_f64.powi(exponent)));
    let s = spectrum(&k);
    let entropy = von_neumann::entropy(&s);
    let tolerance = tolerance(n, eps);
    prop_assert_eq!(s.probabilities.len(), n);
    prop_assert!((s.probabilities.sum() - 1.0).abs() <= n as f64 * f64::EPSILON);
    let trace = k.diag().iter().map(|&v| Real::to_f64(v)).sum::<f64>();
    prop_assert!((s.trace / trace - 1.0).abs() <= moved(n, eps));
    let most = n.min(g.ncols()) as f64;
    prop_assert!(
        entropy >= 0.0 && entropy <= most.ln() + tolerance,
        "{entropy}"
    );
    // What was clipped is counted, and is no more than rounding.
    let zeros = s
        .eigenvalues
        .iter()
        .zip(&s.probabilities)
        .filter(|(_, p)| **p == 0.0);
    let clipped: f64 = zeros.map(|(v, _)| v.abs()).sum();
    let kept = s.trace.abs();
    prop_assert!((s.clipped_mass - clipped / kept).abs() <= moved(n, eps) * s.clipped_mass);
    prop_assert!(s.clipped_mass <= moved(n, eps));
    let ranks = [
        1.0,
        rank::stable_rank(&s),
        rank::intrinsic_dimension(&s),
        rank::participation_ratio(&s),
        rank::effective_rank(&s),
        rank::rank(&s) as f64,
        n as f64,
    ];
    for pair in ranks.windows(2) {
        prop_assert!(
            pair[0] <= pair[1] * (1.0 + moved(n, f64::EPSILON)),
            "{ranks:?}"
        );
    }
    let magnitudes = magnitude::entropy(&k).unwrap();
    prop_assert!(magnitudes >= 0.0 && magnitudes <= (n as f64).ln() + tolerance);
    let m = magnitude::magnitudes(&k).unwrap();
    let variance = n as f64 * m.dot(&m) - 1.0;
    let found = magnitude::variance(&k).unwrap();
    prop_assert!((found - variance).abs() <= moved(n, f64::EPSILON));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn one_kernel(g in features(), exponent in -8..9_i32) {
        check_one::<f64>(&g, exponent)?;
        check_one::<f32>(&g, exponent)?;
    }

    #[test]
    fn the_same_rotated_and_scaled(
        (g, q) in (1..13_usize).prop_flat_map(|n| (features_of(n), orthogonal(n))),
        exponent in -8..9_i32,
    ) {
        let n = g.nrows();
        let s = entropy(&gram(&g));
        let rotated = entropy(&gram(&q.dot(&g)));
        prop_assert!((s - rotated).abs() <= 2.0 * tolerance(n, f64::EPSILON), "{s} {rotated}");
        let scaled = entropy(&(gram(&g) * 10.0_f64.powi(exponent)));
        prop_assert!((s - scaled).abs() <= 2.0 * tolerance(n, f64::EPSILON), "{s} {scaled}");
    }

    /// Cosines do not see the samples' lengths.
    #[test]
    fn cosines_of_other_lengths(
        (g, lengths) in (1..13_usize)
            .prop_flat_map(|n| (features_of(n), prop::collection::vec(-4.0..4.0_f64, n))),
    ) {
        let n = g.nrows();
        let lengths: Array1<f64> = lengths.into_iter().map(|l| 10.0_f64.powf(l)).collect();
        let longer = &g * &lengths.insert_axis(Axis(1));
        let [one, other] = [&g, &longer].map(|g| covariance::entropy(&gram(g)).unwrap());
        prop_assert!((one - other).abs() <= 2.0 * tolerance(n, f64::EPSILON), "{one} {other}");
    }

    #[test]
    fn concave((rho, sigma) in two(), t in 0.0..1.0_f64) {
        let mixture = entropy(&(density(&rho) * t + density(&sigma) * (1.0 - t)));
        let mean = t * entropy(&rho) + (1.0 - t) * entropy(&sigma);
        let tolerance = 2.0 * tolerance(rho.nrows(), f64::EPSILON);
        prop_assert!(mixture >= mean - tolerance, "{mixture} {mean}");
        prop_assert!(mixture <= mean + h2(t) + tolerance, "{mixture} {mean}");
    }

    /// Of a full kernel's partial traces, with Araki's and Lieb's lower bound.
    #[test]
    fn subadditive(
        (g, outputs) in (1..5_usize, 1..4_usize)
            .prop_flat_map(|(n, o)| (features_of(n * o), Just(o))),
    ) {
        let full = gram(&g);
        let n = full.nrows() / outputs;
        let over_outputs = multi_output::traced(&full, outputs).unwrap();
        let by_output = multi_output::output_major(&full, outputs).unwrap();
        let over_samples = multi_output::traced(&by_output, n).unwrap();
        let [a, b, ab] = [&over_outputs, &over_samples, &full].map(entropy);
        let tolerance = 3.0 * tolerance(full.nrows(), f64::EPSILON);
        prop_assert!(ab <= a + b + tolerance, "{ab} {a} {b}");
        prop_assert!(ab >= (a - b).abs() - tolerance, "{ab} {a} {b}");
        let of = |k: &Array2<f64>| k.diag().sum() / k.nrows() as f64;
        let rounding = moved(full.nrows(), f64::EPSILON) * of(&full);
        prop_assert!((of(&full) - of(&over_outputs)).abs() <= rounding);
        // Independent outputs: the entropies add up.
        let product = multi_output::independent(&over_outputs, outputs).unwrap();
        let found = entropy(&product);
        prop_assert!((found - a - (outputs as f64).ln()).abs() <= tolerance, "{found} {a}");
    }

    #[test]
    fn renyi_never_increases_with_its_order(g in features()) {
        let s = spectrum(&gram(&g));
        let orders = [0.0, 1e-9, 0.3, 0.9, 1.0 - 1e-7, 1.0, 1.0 + 1e-7, 1.2, 2.0, 7.0, 300.0];
        let of = |order: f64| renyi::entropy(&s, order).unwrap();
        let found = orders.map(of);
        let rounding = moved(g.nrows(), f64::EPSILON);
        for pair in found.windows(2) {
            prop_assert!(pair[1] <= pair[0] + rounding, "{found:?}");
        }
        prop_assert!(of(f64::INFINITY) <= found[10] + rounding);
        prop_assert!((found[8] + rank::purity(&s).ln()).abs() <= rounding);
        // S_(1+d) - S = -d/2 Var(ln p) to first order.
        let p = s.probabilities.iter().filter(|&&p| p > 0.0);
        let variance: f64 = p.map(|p| p * (p.ln() + found[5]).powi(2)).sum();
        for near in [found[4], found[6]] {
            prop_assert!((near - found[5]).abs() <= 1e-7 * variance + rounding, "{found:?}");
        }
    }

    #[test]
    fn relative_entropy_is_positive((rho, sigma) in two()) {
        let n = rho.nrows();
        // No eigenvalue of sigma is below a tenth of the mean.
        let ridge = 0.1 * sigma.diag().sum() / n as f64;
        let sigma = sigma + Array2::<f64>::eye(n) * ridge;
        let of = |a: &Array2<f64>, b: &Array2<f64>| {
            divergence::relative_entropy(a, b, Normalization::Trace).unwrap()
        };
        // ln q moves by at most 1/q of what q moves.
        let moved = moved(n, f64::EPSILON) * 11.0 * n as f64;
        let tolerance = tolerance(n, f64::EPSILON) + moved;
        // Klein's inequality, as sharp as Pinsker's.
        let found = of(&rho, &sigma);
        let least = 2.0 * distance(&rho, &sigma).powi(2);
        prop_assert!(found.is_finite() && found >= least - tolerance, "{found} {least}");
        prop_assert!(of(&rho, &(&rho * 3.0)).abs() <= tolerance);
        if rank::rank(&spectrum(&rho)) < n {
            prop_assert_eq!(of(&sigma, &rho), f64::INFINITY);
        }
    }

    /// Fuchs & van de Graaf 1999: `1 - sqrt F <= |rho - sigma|_1 / 2 <= sqrt(1 - F)`.
    #[test]
    fn fidelity_is_one_of_equals_alone((rho, sigma) in two()) {
        let of = |a: &Array2<f64>, b: &Array2<f64>| {
            divergence::fidelity(a, b, Normalization::Trace).unwrap()
        };
        let (found, distance) = (of(&rho, &sigma), distance(&rho, &sigma));
        let rounding = moved(rho.nrows(), f64::EPSILON);
        prop_assert!((-rounding..=1.0 + rounding).contains(&found), "{found}");
        prop_assert!((found - of(&sigma, &rho)).abs() <= rounding);
        prop_assert!((of(&rho, &(&rho * 3.0)) - 1.0).abs() <= rounding);
        prop_assert!(1.0 - found.sqrt() <= distance + rounding, "{found} {distance}");
        prop_assert!(distance.powi(2) <= 1.0 - found + 4.0 * rounding, "{found} {distance}");
    }

    #[test]
    fn jensen_shannon_is_a_mean_of_relative_entropies((rho, sigma) in two()) {
        let n = rho.nrows();
        let of = |a: &Array2<f64>, b: &Array2<f64>| {
            divergence::jensen_shannon(a, b, Normalization::Trace).unwrap()
        };
        let (found, distance) = (of(&rho, &sigma), distance(&rho, &sigma));
        let tolerance = 2.0 * tolerance(n, f64::EPSILON);
        prop_assert!((found - of(&sigma, &rho)).abs() <= tolerance);
        prop_assert!(of(&rho, &(&rho * 3.0)).abs() <= tolerance);
        // Pinsker below; Briet & Harremoes 2009 above.
        let bounds = [distance.powi(2) / 2.0 - tolerance, 2.0_f64.ln() * distance + tolerance];
        prop_assert!(bounds[0] <= found && found <= bounds[1], "{found} {bounds:?}");
        // Far from zero eigenvalues, whose logarithms are not known.
        let [rho, sigma] = [rho, sigma].map(|k| density(&k) + Array2::<f64>::eye(n) * (0.1 / n as f64));
        let mean = &rho / rho.diag().sum() + &sigma / sigma.diag().sum();
        let relative = |k: &Array2<f64>| {
            divergence::relative_entropy(k, &mean, Normalization::Trace).unwrap()
        };
        let expected = (relative(&rho) + relative(&sigma)) / 2.0;
        let tolerance = tolerance + moved(n, f64::EPSILON) * 11.0 * n as f64;
        prop_assert!((of(&rho, &sigma) - expected).abs() <= tolerance);
    }

    #[test]
    fn mutual_information(g in features(), places in prop::collection::vec(0..3_usize, 12)) {
        let n = g.nrows();
        let labels: Vec<usize> = places[..n].iter().map(|place| [7, 0, 4][*place]).collect();
        let k = gram(&g);
        let blocks = Blocks::new(&k, &labels).unwrap();
        let mut classes = labels.clone();
        classes.sort_unstable();
        classes.dedup();
        let tolerance = 4.0 * tolerance(2 * n, f64::EPSILON);
        for normalization in NORMALIZATIONS {
            let found = mutual_information::pairs(&blocks, &classes, normalization).unwrap();
            for ((i, j), pair) in found.indexed_iter() {
                let [x, y] = [i, j].map(|i| combination::rows(&labels, &[classes[i]]));
                // The kernel of a block is the block of the kernel.
                let [x, y] = [x, y].map(|rows| g.select(Axis(0), &rows));
                let block = blocks.of(&[classes[i]]).unwrap();
                let difference = (block - gram(&x)).mapv(f64::abs).sum();
                prop_assert!(difference <= moved(n, f64::EPSILON) * k.diag().sum());
                // On the features' side the samples together are a mixture.
                let unit = |g: &Array2<f64>| match normalization {
                    Normalization::Cosine => {
                        let norms = g.map_axis(Axis(1), |row| row.dot(&row).sqrt());
                        g / &norms.insert_axis(Axis(1))
                    }
                    _ => g.clone(),
                };
                let [a, b] = [unit(&x), unit(&y)].map(|g| gram(&g.t().to_owned()));
                let p = a.diag().sum() / (a.diag().sum() + b.diag().sum());
                prop_assert!((pair.p - p).abs() <= moved(n, f64::EPSILON));
                let mixture = entropy(&(density(&a) * p + density(&b) * (1.0 - p)));
                prop_assert!((pair.joint - mixture).abs() <= tolerance);
                let (chi, s_x, s_y) = (pair.chi(), entropy(&a), entropy(&b));
                prop_assert!((-tolerance..=h2(p) + tolerance).contains(&chi), "{chi}");
                let information = (1.0 - p) * s_x + p * s_y - chi;
                prop_assert!((pair.information() - information).abs() <= tolerance);
                let one = MutualInformation::of(
                    &blocks, &[classes[i]], &[classes[j]], normalization,
                ).unwrap();
                prop_assert!((one.chi() - chi).abs() <= tolerance);
            }
        }
    }

    #[test]
    fn duplicated_and_orthogonal_classes(x in features(), y in features()) {
        let of = |g: &Array2<f64>, n: usize, normalization| {
            let k = gram(g);
            let labels: Vec<usize> = (0..g.nrows()).map(|i| usize::from(i >= n)).collect();
            let blocks = Blocks::new(&k, &labels).unwrap();
            MutualInformation::of(&blocks, &[0], &[1], normalization).unwrap()
        };
        let n = x.nrows();
        let twice = concatenate![Axis(0), x, x];
        let mut apart = Array2::zeros((n + y.nrows(), x.ncols() + y.ncols()));
        apart.slice_mut(ndarray::s![..n, ..x.ncols()]).assign(&x);
        apart.slice_mut(ndarray::s![n.., x.ncols()..]).assign(&y);
        for normalization in NORMALIZATIONS {
            let copy = of(&twice, n, normalization);
            let rounding = 4.0 * tolerance(2 * n, f64::EPSILON);
            // Traces of n and of 2 n terms that are not negative: each sum errs by that many halves
            // of epsilon at most.
            prop_assert!((copy.p - 0.5).abs() <= n as f64 * f64::EPSILON, "{copy:?}");
            prop_assert!(copy.chi().abs() <= rounding, "{copy:?}");
            prop_assert!((copy.information() - copy.entropy_x).abs() <= rounding, "{copy:?}");
            let orthogonal = of(&apart, n, normalization);
            let rounding = 4.0 * tolerance(apart.nrows(), f64::EPSILON);
            prop_assert!((orthogonal.largest_chi() - h2(orthogonal.p)).abs() <= rounding);
            prop_assert!((orthogonal.chi() - h2(orthogonal.p)).abs() <= rounding, "{orthogonal:?}");
        }
    }

    #[test]
    fn refused(g in features(), place in (0..12_usize, 0..12_usize), negative in 2.0..100.0_f64) {
        let k = gram(&g);
        let n = k.nrows();
        let place = (place.0 % n, place.1 % n);
        let of = |k: &Array2<f64>| Spectrum::of_kernel(k, Normalization::Trace);
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut k = k.clone();
            k[place] = bad;
            let error = of(&k).unwrap_err();
            prop_assert!(matches!(error, EntropyError::Linalg(_)), "{error}");
        }
        if place.0 != place.1 {
            let mut k = k.clone();
            k[place] += 1e-12 * k.diag().sum();
            let error = of(&k).unwrap_err();
            prop_assert!(matches!(error, EntropyError::Linalg(_)), "{error}");
        }
        // An eigenvalue that is negative by more than ten times n eps lambda_max.
        let values = eigenvalues(&k).unwrap();
        let unit = n as f64 * f64::EPSILON * values[n - 1];
        let shift = values[0] + 10.0 * negative * unit;
        if shift < values[n - 1] / 2.0 {
            let error = of(&(&k - &(Array2::<f64>::eye(n) * shift))).unwrap_err();
            prop_assert!(matches!(error, EntropyError::Indefinite { .. }), "{error}");
        }
        let error = of(&(&k * 0.0)).unwrap_err();
        prop_assert_eq!(error, EntropyError::ZeroTrace { trace: 0.0 });
        let labels = vec![3; n + 1];
        let error = Blocks::new(&k, &labels).unwrap_err();
        prop_assert_eq!(error, EntropyError::Labels { expected: n, found: n + 1 });
        let error = Blocks::of_outputs(&k, &labels, n + 1).unwrap_err();
        prop_assert_eq!(error, EntropyError::Outputs { order: n, outputs: n + 1 });
        let blocks = Blocks::new(&k, &labels[1..]).unwrap();
        let error = blocks.of(&[3, 5]).unwrap_err();
        prop_assert_eq!(error, EntropyError::EmptyClass { class: 5 });
    }
}
