//! Sketches: random linear maps to fewer numbers that keep inner products in the mean.
//!
//! Each is made once, of a stream of random numbers of its own, and then is a fixed map.

use crate::closed_form::memory::product;
use chacha20::ChaCha8Rng;
use ndarray::Array2;
use ntk_linalg::Real;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// A `Draws` hands out streams of random numbers, which do not depend on who uses them when.
pub(super) struct Draws {
    seed: u64,
    next: u64,
}

impl Draws {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, next: 0 }
    }

    fn at(seed: u64, stream: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        rng
    }

    fn stream(&mut self) -> ChaCha8Rng {
        self.next += 1;
        Self::at(self.seed, self.next - 1)
    }

    /// Draws a matrix of standard normal numbers, each row of a stream of its own.
    pub(super) fn normals<T: Real>(&mut self, rows: usize, columns: usize) -> Array2<T> {
        let (seed, first) = (self.seed, self.next);
        self.next += rows as u64;
        let mut normals = vec![T::zero(); rows * columns];
        let all = normals.par_chunks_exact_mut(columns.max(1));
        all.enumerate().for_each(|(row, numbers)| {
            let mut rng = Self::at(seed, first + row as u64);
            for number in numbers {
                let normal: f64 = StandardNormal.sample(&mut rng);
                *number = T::of(normal);
            }
        });
        let normals = Array2::from_shape_vec((rows, columns), normals);
        normals.expect("as many numbers as rows times columns")
    }
}

/// Draws `count` numbers below `size`, each as often as any other, or once more.
fn balanced(rng: &mut ChaCha8Rng, size: usize, count: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..u32::try_from(size).unwrap_or(u32::MAX)).collect();
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        order.shuffle(rng);
        all.extend(order.iter().take(count - all.len()));
    }
    all
}

/// Returns `1 / sqrt(square)`; 0 of zero, and NaN of what is beyond f64, which no result hides.
pub(super) fn inverse_root(square: f64) -> f64 {
    match square {
        0.0 => 0.0,
        f64::INFINITY => f64::NAN,
        square => square.sqrt().recip(),
    }
}

/// Returns `x`, or `-x` where the sign is set.
#[inline(always)]
fn signed<T: Real>(x: T, sign: bool) -> T {
    if sign { -x } else { x }
}

/// A `Concat` puts vectors side by side, and folds them where they are longer than `most`: numbers in
/// random order with random signs, of which each `most` are added to those before (a count sketch,
/// Charikar, Chen and Farach-Colton 2002, whose buckets hold equally many numbers).
///
/// Where it folds, `E[f(x) . f(y)] = x . y`, and, with p at most `1 / most` the probability that two
/// numbers are added,
///
/// ```text
/// Var[f(x) . f(y)] = p (|x|^2 |y|^2 + (x . y)^2 - 2 sum_i x_i^2 y_i^2)
/// ```
#[derive(Debug)]
pub(super) struct Concat {
    length: usize,
    /// For every number its place, times 2, and 1 more for a minus; `None` where nothing is folded.
    fold: Option<Vec<u32>>,
    most: usize,
}

impl Concat {
    pub(super) fn new(draws: &mut Draws, length: usize, most: usize) -> Self {
        // The stream is taken in any case, so that those after it stay what they are.
        let mut rng = draws.stream();
        let fold = (length > most).then(|| {
            let mut order = balanced(&mut rng, length, length);
            for place in &mut order {
                *place = (*place % most as u32) * 2 + u32::from(rng.random::<bool>());
            }
            order
        });
        Self { length, fold, most }
    }

    /// Returns the number of numbers after it.
    pub(super) fn width(&self) -> usize {
        self.length.min(self.most)
    }

    /// Returns the bytes that it takes for vectors of this length.
    pub(super) fn bytes(length: usize, most: usize) -> u64 {
        match length > most {
            true => product([length, size_of::<u32>()]),
            false => 0,
        }
    }

    /// Adds `factor` times a part that begins at number `from` to the numbers `to` after it.
    pub(super) fn add<T: Real>(&self, from: usize, part: &[T], factor: f64, to: &mut [T]) {
        let factor = T::of(factor);
        match &self.fold {
            None => {
                for (to, &x) in to[from..].iter_mut().zip(part) {
                    *to += factor * x;
                }
            }
            Some(fold) => {
                for (&place, &x) in fold[from..].iter().zip(part) {
                    to[(place / 2) as usize] += signed(factor * x, place % 2 == 1);
                }
            }
        }
    }
}

/// One of the two vectors that a [`Product`] multiplies.
#[derive(Debug)]
struct Half {
    signs: Vec<bool>,
    /// The length after padding with zeros, a power of two.
    padded: usize,
    /// The rows of the Hadamard matrix that are taken.
    rows: Vec<u32>,
}

impl Half {
    fn new(draws: &mut Draws, length: usize, count: usize) -> Self {
        let mut rng = draws.stream();
        let padded = length.next_power_of_two();
        Self {
            signs: (0..length).map(|_| rng.random()).collect(),
            padded,
            rows: balanced(&mut rng, padded, count),
        }
    }

    /// Computes `H D x`.
    fn turn<T: Real>(&self, x: &[T], turned: &mut Vec<T>) {
        turned.clear();
        let signs = self.signs.iter();
        turned.extend(x.iter().zip(signs).map(|(&x, &sign)| signed(x, sign)));
        turned.resize(self.padded, T::zero());
        hadamard(turned);
    }
}

/// A `Product` is a sketch of the tensor product of two vectors to `count` numbers,
///
/// ```text
/// s(x, y)_i = (H D x)_(r_i) (H' D' y)_(q_i) / sqrt(count)
/// ```
///
/// with Hadamard matrices of entries 1 and -1, random signs D, and random rows r, q, each as often as
/// any other (TensorSRHT; Ahle et al. 2020, "Oblivious Sketching of High-Degree Polynomial Kernels",
/// arXiv:1909.01410, with balanced rows).
///
/// With `a = x . x'`, `b = y . y'`, `A = |x|^2 |x'|^2 + a^2 - 2 sum_i x_i^2 x'_i^2`, B alike, the
/// mean of `s(x, y) . s(x', y')` is `a b`. Without the balance its variance is
///
/// ```text
/// (A B + a^2 B + b^2 A) / count
/// ```
///
/// and with it less: the last two terms fall away where `count` is a multiple of the padded lengths.
#[derive(Debug)]
pub(super) struct Product {
    halves: [Half; 2],
    factor: f64,
}

impl Product {
    pub(super) fn new(draws: &mut Draws, lengths: [usize; 2], count: usize) -> Self {
        Self {
            halves: lengths.map(|length| Half::new(draws, length, count)),
            factor: (count as f64).sqrt().recip(),
        }
    }

    /// Returns the bytes that it takes.
    pub(super) fn bytes(lengths: [usize; 2], count: usize) -> u64 {
        let signs = lengths[0].saturating_add(lengths[1]) as u64;
        signs.saturating_add(product([2, count, size_of::<u32>()]))
    }

    /// Writes the sketch of x and y. Cost: `n log2 n` additions for either length n.
    pub(super) fn sketch<T: Real>(&self, x: &[T], y: &[T], scratch: &mut Scratch<T>, to: &mut [T]) {
        let [one, two] = &self.halves;
        one.turn(x, &mut scratch[0]);
        two.turn(y, &mut scratch[1]);
        let factor = T::of(self.factor);
        let [first, second] = [&scratch[0], &scratch[1]];
        for ((to, &r), &q) in to.iter_mut().zip(&one.rows).zip(&two.rows) {
            *to = first[r as usize] * second[q as usize] * factor;
        }
    }
}

/// What sketches write on while they compute.
pub(super) type Scratch<T> = [Vec<T>; 2];

/// Multiplies by the Hadamard matrix of entries 1 and -1, whose order is the length, a power of two.
fn hadamard<T: Real>(x: &mut [T]) {
    let mut half = 1;
    while half < x.len() {
        for pair in x.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(x: &[f64], y: &[f64]) -> f64 {
        x.iter().zip(y).map(|(x, y)| x * y).sum()
    }

    /// `|x|^2 |y|^2 + (x . y)^2 - 2 sum_i x_i^2 y_i^2`.
    fn spread(x: &[f64], y: &[f64]) -> f64 {
        let both: f64 = x.iter().zip(y).map(|(x, y)| (x * y).powi(2)).sum();
        dot(x, x) * dot(y, y) + dot(x, y).powi(2) - 2.0 * both
    }

    fn vector(length: usize, phase: f64) -> Vec<f64> {
        (0..length)
            .map(|i| (1.7 * i as f64 + phase).sin() + 0.3)
            .collect()
    }

    /// The mean and variance over seeds, and how far either is from what is expected, in standard
    /// errors. Estimates of the variance spread by about `sqrt(k / seeds)`, with the kurtosis k below
    /// 10 here.
    fn check(found: impl Fn(u64) -> f64, mean: f64, variance: f64) {
        let seeds = 4000;
        let all: Vec<f64> = (0..seeds).map(found).collect();
        let n = seeds as f64;
        let at = all.iter().sum::<f64>() / n;
        let spread = all.iter().map(|v| (v - at).powi(2)).sum::<f64>() / (n - 1.0);
        let error = (at - mean).abs() / (variance / n).sqrt();
        assert!(error < 4.0, "mean {at}, expected {mean}: {error} errors");
        let ratio = spread / variance;
        assert!(
            (ratio - 1.0).abs() < 4.0 * (10.0 / n).sqrt(),
            "variance {spread}, expected {variance}"
        );
    }

    #[test]
    fn hadamard_is_its_definition() {
        let x = vector(16, 0.2);
        let mut turned = x.clone();
        hadamard(&mut turned);
        for (row, found) in turned.iter().enumerate() {
            let sign = |column: usize| match (row & column).count_ones().is_multiple_of(2) {
                true => 1.0,
                false => -1.0,
            };
            let expected: f64 = x.iter().enumerate().map(|(i, x)| sign(i) * x).sum();
            assert!((found - expected).abs() < 1e-13, "{row}");
        }
    }

    #[test]
    fn folds_have_their_mean_and_variance() {
        let (length, most) = (23, 8);
        let (x, y) = (vector(length, 0.1), vector(length, 1.0));
        // Of 23 in 8 places seven have 3 and one has 2.
        let pairs = f64::from(7 * 3 + 1) / f64::from(23 * 22 / 2);
        let found = |seed| {
            let concat = Concat::new(&mut Draws::new(seed), length, most);
            let fold = |x: &[f64]| {
                let mut to = vec![0.0; concat.width()];
                concat.add(0, &x[..5], 1.0, &mut to);
                concat.add(5, &x[5..], 1.0, &mut to);
                to
            };
            dot(&fold(&x), &fold(&y))
        };
        check(found, dot(&x, &y), pairs * spread(&x, &y));
        // Nothing is lost where nothing is folded.
        let concat = Concat::new(&mut Draws::new(0), length, length);
        let mut to = vec![0.0; length];
        concat.add(0, &x, 2.0, &mut to);
        assert!(x.iter().zip(to).all(|(x, to)| 2.0 * x == to));
    }

    #[test]
    fn products_have_their_mean_and_variance() {
        let (one, two) = (16, 4);
        let [x, x2] = [0.1, 1.0].map(|phase| vector(one, phase));
        let [y, y2] = [0.5, 0.9].map(|phase| vector(two, phase));
        let (a, b) = (dot(&x, &x2), dot(&y, &y2));
        let (big, small) = (spread(&x, &x2), spread(&y, &y2));
        for count in [8, 16, 32] {
            let found = |seed| {
                let product = Product::new(&mut Draws::new(seed), [one, two], count);
                let mut scratch = Scratch::default();
                let mut sketch = |x: &[f64], y: &[f64]| {
                    let mut to = vec![0.0; count];
                    product.sketch(x, y, &mut scratch, &mut to);
                    to
                };
                dot(&sketch(&x, &y), &sketch(&x2, &y2))
            };
            // What the products of two different numbers have in common: rows are equal or, alike,
            // different.
            let n = count as f64;
            let common = |padded: usize| -1.0 / (n.max(padded as f64) - 1.0);
            let (e, f) = (common(one), common(two));
            let own = big * small + a * a * small + b * b * big;
            let others = a * a * small * f + b * b * big * e + big * small * e * f;
            check(found, a * b, own / n + (1.0 - 1.0 / n) * others);
        }
    }
}
