//! Matrices for the tests, and slow, plain arithmetic to hold results against.

// Each test binary compiles this file for itself, and uses some of it.
#![allow(dead_code, unreachable_pub, clippy::needless_pass_by_value)]

use ndarray::{Array2, ArrayView2};
use ntk_linalg::{Backend, Real};

/// Orders under test: all small ones, and three on, above and below block sizes.
pub fn orders() -> impl Iterator<Item = usize> {
    (0..=33).chain([64, 127, 240])
}

/// Runs a check in both precisions on every backend.
pub fn everywhere(in_f64: fn(Backend), in_f32: fn(Backend)) {
    for &backend in Backend::available() {
        in_f64(backend);
        in_f32(backend);
    }
}

/// LAPACK's installation tests pass a ratio `residual / (n eps |A|)` below 30 (linear
/// systems) or 50 (eigenproblems); the stricter one is used for both.
pub const RATIO: f64 = 30.0;

/// `RATIO * n * eps * scale`, with n at least one.
pub fn bound<T: Real>(n: usize, scale: f64) -> f64 {
    RATIO * n.max(1) as f64 * Real::to_f64(T::epsilon()) * scale
}

/// SplitMix64 (Steele, Lea and Flood, 2014), enough for test matrices.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform on [-1, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    pub fn matrix<T: Real>(&mut self, rows: usize, columns: usize) -> Array2<T> {
        Array2::from_shape_simple_fn((rows, columns), || T::of(self.uniform()))
    }

    pub fn symmetric<T: Real>(&mut self, n: usize) -> Array2<T> {
        symmetrised(&self.matrix(n, n))
    }

    /// `Q diag(values) Q^T` with Q a product of two random reflections.
    pub fn with_spectrum<T: Real>(&mut self, values: &[f64]) -> Array2<T> {
        let n = values.len();
        let mut a = Array2::from_diag(&ndarray::aview1(values));
        for _ in 0..2 {
            let v = self.matrix::<f64>(n, 1);
            let norm = v.iter().map(|x| x * x).sum::<f64>();
            if norm > 0.0 {
                let h = Array2::from_shape_fn((n, n), |(i, j)| {
                    f64::from(i == j) - 2.0 * v[[i, 0]] * v[[j, 0]] / norm
                });
                a = naive(h.view(), naive(a.view(), h.view()).view());
            }
        }
        symmetrised(&a.mapv(T::of))
    }

    /// Positive definite, eigenvalues from 1 to 2.
    pub fn definite<T: Real>(&mut self, n: usize) -> Array2<T> {
        let values: Vec<f64> = (0..n).map(|i| 1.0 + i as f64 / n as f64).collect();
        self.with_spectrum(&values)
    }
}

/// The lower half, mirrored.
pub fn symmetrised<T: Real>(a: &Array2<T>) -> Array2<T> {
    Array2::from_shape_fn(a.dim(), |(i, j)| a[[i.max(j), i.min(j)]])
}

/// The product by three loops, in f64.
pub fn naive<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<f64> {
    let mut c = Array2::<f64>::zeros((a.nrows(), b.ncols()));
    for i in 0..a.nrows() {
        for l in 0..a.ncols() {
            let x = a[[i, l]].to_f64();
            for j in 0..b.ncols() {
                c[[i, j]] += x * b[[l, j]].to_f64();
            }
        }
    }
    c
}

/// Frobenius norm in f64, safe from overflow.
pub fn norm<T: Real>(a: ArrayView2<'_, T>) -> f64 {
    let max = a.iter().fold(0.0_f64, |max, &x| max.max(x.to_f64().abs()));
    if max == 0.0 {
        return 0.0;
    }
    max * a
        .iter()
        .map(|&x| (x.to_f64() / max).powi(2))
        .sum::<f64>()
        .sqrt()
}

/// Frobenius norm of the difference.
pub fn distance<T: Real, U: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, U>) -> f64 {
    assert_eq!(a.dim(), b.dim());
    let difference = Array2::from_shape_fn(a.dim(), |ij| a[ij].to_f64() - b[ij].to_f64());
    norm(difference.view())
}

/// `a` as it looks through views: as it is, transposed, and inside larger arrays.
pub fn views<T: Real>(a: &Array2<T>, check: impl Fn(ArrayView2<'_, T>)) {
    use ndarray::s;
    let (rows, columns) = a.dim();
    let nan = T::nan();
    check(a.view());
    check(a.t().to_owned().t());
    // A window of a larger matrix; every other row and column; reversed.
    let mut wide = Array2::from_elem((rows + 3, columns + 2), nan);
    wide.slice_mut(s![1..rows + 1, 2..]).assign(a);
    check(wide.slice(s![1..rows + 1, 2..]));
    let mut sparse = Array2::from_elem((2 * rows, 3 * columns), nan);
    sparse.slice_mut(s![..;2, ..;3]).assign(a);
    check(sparse.slice(s![..;2, ..;3]));
    let reversed = a.slice(s![..;-1, ..;-1]).to_owned();
    check(reversed.slice(s![..;-1, ..;-1]));
}
