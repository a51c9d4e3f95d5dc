//! Results do not depend on where in memory operands are.

use crate::{Backend, Real, Triangle};
use ndarray::{Array1, Array2, ArrayView2, Axis, Order, s};

/// A cache line, and the widest vector register.
const LINE: usize = 64;

/// `a` in the same layout, `offset` numbers beyond a multiple of 64 bytes.
fn placed<T: Real>(a: ArrayView2<'_, T>, order: Order, offset: usize) -> Array2<T> {
    let memory = Array1::<T>::zeros(a.len() + offset + LINE);
    let start = memory.as_ptr().align_offset(LINE) + offset;
    assert!(start < offset + LINE);
    let memory = memory.slice_move(s![start..start + a.len()]);
    let mut at = memory.into_shape_with_order((a.raw_dim(), order)).unwrap();
    at.assign(&a);
    assert_eq!(at.as_ptr() as usize % LINE, offset * size_of::<T>() % LINE);
    at
}

fn noise<T: Real>(n: usize, m: usize) -> Array2<T> {
    Array2::from_shape_fn((n, m), |(i, j)| {
        T::of(((i * m + j + 1) as f64 * 0.754_877_666).fract() - 0.5)
    })
}

/// Returns what every operation gives with its operands at these offsets.
fn results<T: Real>(backend: Backend, n: usize, offset: usize) -> Vec<(String, Array2<T>)> {
    let mut found = Vec::new();
    let orders = [Order::RowMajor, Order::ColumnMajor];
    let at = |a: &Array2<T>, order, times: usize| placed(a.view(), order, times * offset % 16);
    let (square, other) = (noise::<T>(n, n), noise::<T>(n, n + 3));
    let mut positive = square.dot(&square.t());
    positive.diag_mut().mapv_inplace(|x| x + T::one());
    let mut triangle = square.clone();
    triangle.diag_mut().mapv_inplace(|x| x + T::of(n as f64));
    let two = T::of(2.0);
    for order in orders {
        let named = |name: &str| format!("{name} {order:?} of {n}");
        for second in orders {
            for m in [1, 3, n] {
                let right = noise::<T>(n + 3, m);
                for beta in [T::zero(), two] {
                    let c = noise::<T>(n, m);
                    let mut c = at(&c, second, 5);
                    let (a, b) = (at(&other, order, 1), at(&right, second, 3));
                    backend.gemm(two, &a, &b, beta, &mut c).unwrap();
                    found.push((named(&format!("gemm {second:?} {m} {beta:?}")), c));
                }
                let right = noise::<T>(n, m);
                for (which, upper) in [(Triangle::Lower, false), (Triangle::Upper, true)] {
                    let a = at(&triangle, order, 1);
                    let a = if upper { a.reversed_axes() } else { a };
                    let mut b = at(&right, second, 3);
                    backend.solve_triangular(&a, which, &mut b).unwrap();
                    found.push((named(&format!("triangular {which:?} {second:?} {m}")), b));
                }
                let a = at(&positive, order, 1);
                let b = at(&right, second, 3);
                let x = backend.solve_symmetric(&a, &b).unwrap();
                found.push((named(&format!("symmetric {second:?} {m}")), x));
                let factor = backend.cholesky(a, 0.0).unwrap();
                found.push((
                    named(&format!("solve {second:?} {m}")),
                    factor.solve(&b).unwrap(),
                ));
                let row = noise::<T>(1, n);
                let (row, b) = (at(&row, order, 1), at(&right, second, 3));
                let product = backend.matmul(&row, &b).unwrap();
                found.push((named(&format!("row {second:?} {m}")), product));
            }
        }
        let a = at(&positive, order, 1);
        let values = backend.eigenvalues(&a).unwrap();
        found.push((named("eigenvalues"), values.insert_axis(Axis(0))));
        let eigh = backend.eigh(&a).unwrap();
        found.push((named("eigh values"), eigh.values.insert_axis(Axis(0))));
        found.push((named("eigh vectors"), eigh.vectors));
        let factor = backend.cholesky(a, 0.0).unwrap();
        found.push((named("cholesky"), factor.into_factor()));
        let a = at(&other, order, 1);
        found.push((
            named("symmetric product"),
            backend.symmetric_product(&a).unwrap(),
        ));
        let mut c = at(&square, order, 3);
        backend.syrk(two, &a, two, &mut c).unwrap();
        found.push((named("syrk"), c));
    }
    found
}

/// Bytes that every allocation begins at a multiple of, as those here do. Closer, results would
/// differ on one generation of processors alone, with OpenBLAS's kernels for Sandy Bridge.
const STEP: usize = 16;

fn check<T: Real>(backend: Backend) {
    for n in [1, 2, 7, 16, 37, 65, 150, 300] {
        let expected = results::<T>(backend, n, 0);
        for offset in (1..4).map(|k| k * STEP / size_of::<T>()) {
            let found = results::<T>(backend, n, offset);
            for ((name, expected), (_, found)) in expected.iter().zip(&found) {
                let bits = |x: &T| Real::to_f64(*x).to_bits();
                let same = expected.iter().map(bits).eq(found.iter().map(bits));
                assert!(same, "{} {} {name}, {offset} on", backend.name(), T::NAME);
            }
        }
    }
}

#[test]
fn the_last_bit_does_not_depend_on_the_address() {
    for &backend in Backend::available() {
        check::<f64>(backend);
        check::<f32>(backend);
    }
}
