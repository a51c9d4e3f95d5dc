//! Matrices that are known to less than the type that holds them.

use ndarray::{Array2, array, aview1};
use ntk_entropy::{Blocks, EntropyError, Normalization, Rounding, Spectrum, von_neumann};

/// An f32 matrix of rank 2 in f64: its other eigenvalues are roundings of f32.
#[test]
fn a_matrix_is_known_to_what_it_was_rounded_to() {
    let g = Array2::from_shape_fn((40, 2), |(i, j)| ((7 * i + 3 * j + 1) as f64).sin());
    let single = g.dot(&g.t()).mapv(|v| v as f32);
    let wide = single.mapv(f64::from);
    let rounding = Rounding::of::<f32>();
    for normalization in [Normalization::Trace, Normalization::Cosine] {
        let expected = Spectrum::of_kernel(&single, normalization).unwrap();
        let found = Spectrum::of_rounded_kernel(&wide, normalization, rounding).unwrap();
        let count = |s: &Spectrum| s.probabilities.iter().filter(|p| **p > 0.0).count();
        assert_eq!((count(&expected), count(&found)), (2, 2));
        // What is computed in f64 is the same to the roundings of f32.
        for (p, q) in expected.probabilities.iter().zip(&found.probabilities) {
            assert!((p - q).abs() < 1e-6, "{p} {q}");
        }
    }
    // Every one counts in f64, and those below zero are too many.
    let as_double = Spectrum::of_kernel(&wide, Normalization::Trace);
    assert!(matches!(as_double, Err(EntropyError::Indefinite { .. })));

    let labels: Vec<_> = (0..40).map(|i| i % 2).collect();
    let blocks = Blocks::of_rounded(&wide, &labels, 1, rounding).unwrap();
    let block = blocks.spectrum(&[1], Normalization::Trace).unwrap();
    assert_eq!(block.probabilities.iter().filter(|p| **p > 0.0).count(), 2);
    assert!(
        Blocks::new(&wide, &labels)
            .unwrap()
            .spectrum(&[1], Normalization::Trace)
            .is_err()
    );
}

#[test]
fn symmetry_and_trace_are_to_the_rounding_too() {
    let skew = array![[1.0, 0.5], [0.5 + 1e-7, 1.0]];
    assert!(Spectrum::of_kernel(&skew, Normalization::Trace).is_err());
    let rounding = Rounding::of::<f32>();
    assert!(Spectrum::of_rounded_kernel(&skew, Normalization::Trace, rounding).is_ok());
    let values = aview1(&[0.5, 0.5 + 1e-7]);
    let of = |rounding| Spectrum::of_rounded_eigenvalues(&values, Normalization::None, rounding);
    assert!(of(Rounding::of::<f64>()).is_err());
    assert!(of(rounding).is_ok());
    assert!(of(Rounding::HALF).is_ok());
}

/// The kernel `e^-|x - y|` of points in a cube, whose eigenvalues fall slowly: at n = 2000 a
/// twentieth of its trace lies below n eps of the largest, eps that of single precision.
pub(super) fn slowly_falling(n: usize) -> Array2<f64> {
    let steps = [2.0_f64, 3.0, 5.0].map(f64::sqrt);
    let x = Array2::from_shape_fn((n, 3), |(i, axis)| 2.0 * (i as f64 * steps[axis]).fract());
    Array2::from_shape_fn((n, n), |(i, j)| {
        let square: f64 = x
            .row(i)
            .iter()
            .zip(x.row(j))
            .map(|(a, b)| (a - b) * (a - b))
            .sum();
        (-square.sqrt()).exp()
    })
}

fn single_is_double(n: usize) {
    let k = slowly_falling(n);
    let double = Spectrum::of(&k).unwrap();
    let single = Spectrum::of(&k.mapv(|v| v as f32)).unwrap();
    let [exact, found] = [&double, &single].map(von_neumann::entropy);
    // n errors of a few eps lambda_max and of either sign, by the slope of -p ln p, at most ln(1/eps).
    let eps = f64::from(f32::EPSILON);
    let largest = double.largest_eigenvalue() / double.trace;
    let bound = 4.0 * (n as f64).sqrt() * eps * largest * -eps.ln();
    assert!(
        (found - exact).abs() < bound,
        "{n}: {found} {exact} {bound:e}"
    );
}

#[test]
fn entropies_of_single_precision_are_those_of_double() {
    for n in [500, 1000, 2000] {
        single_is_double(n);
    }
}

#[test]
#[ignore = "takes half a minute"]
fn entropies_of_single_precision_are_those_of_double_at_4000() {
    single_is_double(4000);
}
