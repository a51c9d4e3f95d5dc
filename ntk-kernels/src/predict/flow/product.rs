//! Multiplies a kernel with few vectors, many of whose entries may be zero.

use crate::pack::wide;
use crate::predict::error::PredictError;
use ndarray::{Array2, ArrayView2, s};
use ntk_linalg::{Real, matmul};
use rayon::prelude::*;

/// The number of rows that are added at once, for fewer passes over the sum.
const ROWS: usize = 8;
/// The number of columns that one task computes.
const COLUMNS: usize = 256;

/// Computes `K v` for a symmetric `k` of order r and `v` of r times some columns, row-major.
///
/// It computes in the precision of the kernel, and sums in double precision if there is one column.
/// Then satisfied samples, whose loss has no derivative, cost nothing: only rows of K whose entry
/// of v is not zero are read.
pub(super) fn product<T: Real>(k: ArrayView2<'_, T>, v: &[f64]) -> Result<Vec<f64>, PredictError> {
    let order = k.nrows();
    if v.is_empty() {
        return Ok(Vec::new());
    }
    let columns = v.len() / order;
    if columns > 1 {
        let narrow: Array2<T> =
            Array2::from_shape_fn((order, columns), |(i, j)| T::of(v[i * columns + j]));
        let product = matmul(&k, &narrow)?;
        return Ok(product.iter().map(|&x| x.to_f64()).collect());
    }
    let active: Vec<usize> = (0..order).filter(|&i| v[i] != 0.0).collect();
    let mut sum = vec![0.0; order];
    sum.par_chunks_mut(COLUMNS)
        .enumerate()
        .for_each(|(chunk, sum): (usize, &mut [f64])| {
            let from = chunk * COLUMNS;
            let part = k.slice(s![.., from..from + sum.len()]);
            for rows in active.chunks(ROWS) {
                add(part, rows, v, sum);
            }
        });
    Ok(sum)
}

/// Computes `sum += sum_i v_i k_i` over up to eight rows i.
fn add<T: Real>(k: ArrayView2<'_, T>, rows: &[usize], v: &[f64], sum: &mut [f64]) {
    let row = |&i: &usize| k.slice_move(s![i, ..]).to_slice();
    let slices: Option<Vec<&[T]>> = rows.iter().map(row).collect();
    if let Some([a, b, c, d, e, f, g, h]) = slices.as_deref() {
        let w: [f64; ROWS] = std::array::from_fn(|r| v[rows[r]]);
        wide(
            #[inline(always)]
            || {
                // The iterators are zipped, so that there are no bounds to check in between.
                let near = a.iter().zip(*b).zip(c.iter().zip(*d));
                let far = e.iter().zip(*f).zip(g.iter().zip(*h));
                for (sum, (near, far)) in sum.iter_mut().zip(near.zip(far)) {
                    *sum += four(&w[..4], near) + four(&w[4..], far);
                }
            },
        );
        return;
    }
    for &i in rows {
        for (sum, k) in sum.iter_mut().zip(k.row(i)) {
            *sum += v[i] * Real::to_f64(*k);
        }
    }
}

#[inline(always)]
fn four<T: Real>(w: &[f64], ((a, b), (c, d)): ((&T, &T), (&T, &T))) -> f64 {
    let [a, b, c, d] = [a, b, c, d].map(|&k| Real::to_f64(k));
    w[0] * a + w[1] * b + w[2] * c + w[3] * d
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn agrees_with_the_dense_product() {
        for n in [0, 1, 7, 8, 9, 300] {
            let k = Array2::from_shape_fn((n, n), |(i, j)| 1.0 / (1.0 + i.abs_diff(j) as f64));
            for columns in [1, 3] {
                // Every third entry is zero, and so is a row's end.
                let v: Vec<f64> = (0..n * columns)
                    .map(|i| (i % 3) as f64 - 0.5 * (i % 3 != 0) as u8 as f64)
                    .collect();
                let expected = k.dot(&Array2::from_shape_vec((n, columns), v.clone()).unwrap());
                let found = product(k.view(), &v).unwrap();
                assert_eq!(found.len(), v.len());
                for (a, b) in found.iter().zip(&expected) {
                    assert_relative_eq!(a, b, max_relative = 1e-13);
                }
                let single = product(k.mapv(|x| x as f32).view(), &v).unwrap();
                for (a, b) in single.iter().zip(&expected) {
                    assert_relative_eq!(a, b, max_relative = 1e-5);
                }
                let transposed = product(k.t(), &v).unwrap();
                assert_eq!(transposed.len(), v.len());
            }
        }
    }
}
