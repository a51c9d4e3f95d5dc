//! Kernels of several outputs: full, (n o, n o), and traced, the mean over outputs, (n, n).
//!
//! The rows of a full kernel are sample-major, row = sample * o + output, unless said to be
//! output-major, row = output * n + sample. Kernels of n samples with m others may have m columns
//! (m o) as well. Costs are those of writing the result.

use crate::EntropyError;
use ndarray::{Array2, ArrayRef2};
use ntk_linalg::Real;

/// Computes the number of samples of a kernel of `order` rows and `outputs` outputs, 1 if it is
/// traced.
///
/// # Errors
/// [`EntropyError::Outputs`] where the division leaves a remainder, or there are no outputs.
pub fn samples(order: usize, outputs: usize) -> Result<usize, EntropyError> {
    match outputs != 0 && order.is_multiple_of(outputs) {
        true => Ok(order / outputs),
        false => Err(EntropyError::Outputs { order, outputs }),
    }
}

/// Lists the rows of a full kernel that belong to the samples `rows`.
///
/// # Errors
/// [`EntropyError::Sides`] where a row of the full kernel exceeds a `usize`, or the list memory.
pub fn sides(rows: &[usize], outputs: usize) -> Result<Vec<usize>, EntropyError> {
    let mut sides = Vec::new();
    for &row in rows {
        let first = row.checked_mul(outputs);
        let end = first.and_then(|first| first.checked_add(outputs));
        let (Some(first), Some(end)) = (first, end) else {
            return Err(EntropyError::Sides {
                samples: row,
                outputs,
            });
        };
        let room = sides.try_reserve(outputs);
        room.map_err(|_| EntropyError::Sides {
            samples: rows.len(),
            outputs,
        })?;
        sides.extend(first..end);
    }
    Ok(sides)
}

/// Computes the mean over outputs, (n, m), of a full kernel (n o, m o):
/// `1/o sum_a K[i o + a, j o + a]`.
///
/// ```
/// use ndarray::array;
/// use ntk_entropy::multi_output::traced;
/// let full = array![[1.0, 9.0], [9.0, 3.0]]; // one sample of two outputs
/// assert_eq!(traced(&full, 2)?, array![[2.0]]);
/// # Ok::<(), ntk_entropy::Error>(())
/// ```
///
/// Its trace over n is that of the full kernel over n o.
///
/// # Errors
/// [`EntropyError::Outputs`] for a side that is no multiple of `outputs`.
pub fn traced<T: Real>(full: &ArrayRef2<T>, outputs: usize) -> Result<Array2<T>, EntropyError> {
    let shape = shape(full, outputs)?;
    Ok(Array2::from_shape_fn(shape, |(i, j)| {
        let diagonal = (0..outputs).map(|a| full[[i * outputs + a, j * outputs + a]]);
        diagonal.sum::<T>() / T::of(outputs as f64)
    }))
}

/// Computes the full kernel (n o, m o) of independent outputs that all have the kernel `traced`
/// (n, m): its Kronecker product with the identity of order o.
///
/// # Errors
/// [`EntropyError::Outputs`] for no outputs, [`EntropyError::Sides`] where the full kernel would
/// have more entries than memory has addresses.
pub fn independent<T: Real>(
    traced: &ArrayRef2<T>,
    outputs: usize,
) -> Result<Array2<T>, EntropyError> {
    let (n, m) = traced.dim();
    if outputs == 0 {
        return Err(EntropyError::Outputs { order: n, outputs });
    }
    let shape = n.checked_mul(outputs).zip(m.checked_mul(outputs));
    let Some(shape) = shape.filter(fits::<T>) else {
        return Err(EntropyError::Sides {
            samples: n.max(m),
            outputs,
        });
    };
    let entry = |(i, j): (usize, usize)| match i % outputs == j % outputs {
        true => traced[[i / outputs, j / outputs]],
        false => T::zero(),
    };
    Ok(Array2::from_shape_fn(shape, entry))
}

/// Returns the kernel (n, m) of one output, counted from 0, in a full one (n o, m o).
///
/// # Errors
/// [`EntropyError::Outputs`] for a side that is no multiple of `outputs`,
/// [`EntropyError::NoSuchOutput`].
pub fn of_output<T: Real>(
    full: &ArrayRef2<T>,
    outputs: usize,
    output: usize,
) -> Result<Array2<T>, EntropyError> {
    let shape = shape(full, outputs)?;
    if output >= outputs {
        return Err(EntropyError::NoSuchOutput { output, outputs });
    }
    Ok(Array2::from_shape_fn(shape, |(i, j)| {
        full[[i * outputs + output, j * outputs + output]]
    }))
}

/// Permutes a sample-major full kernel (n o, m o) to be output-major.
///
/// # Errors
/// [`EntropyError::Outputs`] for a side that is no multiple of `outputs`.
pub fn output_major<T: Real>(
    full: &ArrayRef2<T>,
    outputs: usize,
) -> Result<Array2<T>, EntropyError> {
    let (n, m) = shape(full, outputs)?;
    let from = |row: usize, samples: usize| row % samples * outputs + row / samples;
    Ok(Array2::from_shape_fn(full.dim(), |(i, j)| {
        full[[from(i, n), from(j, m)]]
    }))
}

/// Permutes an output-major full kernel (n o, m o) to be sample-major.
///
/// # Errors
/// As [`output_major`].
pub fn sample_major<T: Real>(
    full: &ArrayRef2<T>,
    outputs: usize,
) -> Result<Array2<T>, EntropyError> {
    let (n, m) = shape(full, outputs)?;
    let from = |row: usize, samples: usize| row % outputs * samples + row / outputs;
    Ok(Array2::from_shape_fn(full.dim(), |(i, j)| {
        full[[from(i, n), from(j, m)]]
    }))
}

/// Tells whether memory has room for a matrix of this shape.
fn fits<T>((rows, columns): &(usize, usize)) -> bool {
    // Even without entries an array's sides must multiply to an `isize`.
    let sides = rows.max(&1).checked_mul(*columns.max(&1));
    sides.is_some_and(|sides| isize::try_from(sides).is_ok())
        && Vec::<T>::new().try_reserve_exact(rows * columns).is_ok()
}

/// Computes the numbers of samples, (n, m).
fn shape<T>(full: &ArrayRef2<T>, outputs: usize) -> Result<(usize, usize), EntropyError> {
    let (rows, columns) = full.dim();
    Ok((samples(rows, outputs)?, samples(columns, outputs)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{array, s};

    /// Two samples with one, of two outputs: entry = 100 sample + 10 output + the column's output.
    fn full() -> Array2<f64> {
        array![[0.0, 1.0], [10.0, 11.0], [100.0, 101.0], [110.0, 111.0]]
    }

    #[test]
    fn by_hand() {
        let k = full();
        assert_eq!(traced(&k, 2).unwrap(), array![[5.5], [105.5]]);
        assert_eq!(of_output(&k, 2, 0).unwrap(), array![[0.0], [100.0]]);
        assert_eq!(of_output(&k, 2, 1).unwrap(), array![[11.0], [111.0]]);
        let by_output = output_major(&k, 2).unwrap();
        let expected = array![[0.0, 1.0], [100.0, 101.0], [10.0, 11.0], [110.0, 111.0]];
        assert_eq!(by_output, expected);
        assert_eq!(sample_major(&by_output, 2).unwrap(), k);
        let alone = independent(&array![[1.0, 2.0]], 2).unwrap();
        assert_eq!(alone, array![[1.0, 0.0, 2.0, 0.0], [0.0, 1.0, 0.0, 2.0]]);
        assert_eq!(sides(&[2, 0], 2).unwrap(), [4, 5, 0, 1]);
    }

    #[test]
    fn inverses_and_traces() {
        // Two samples of three outputs; every entry differs.
        let k = Array2::from_shape_fn((6, 6), |(i, j)| (6 * i + j) as f64);
        let by_output = output_major(&k, 3).unwrap();
        assert_ne!(by_output, k);
        assert_eq!(sample_major(&by_output, 3).unwrap(), k);
        // The blocks of the output-major kernel's diagonal are its outputs' kernels.
        for a in 0..3 {
            let block = by_output.slice(s![2 * a..2 * a + 2, 2 * a..2 * a + 2]);
            assert_eq!(of_output(&k, 3, a).unwrap(), block);
        }
        let mean = traced(&k, 3).unwrap();
        assert_eq!(mean.diag().sum() / 2.0, k.diag().sum() / 6.0);
        let alone = independent(&mean, 3).unwrap();
        assert_eq!(traced(&alone, 3).unwrap(), mean);
        assert_eq!(of_output(&alone, 3, 2).unwrap(), mean);
        for same in [traced, independent, output_major, sample_major] {
            assert_eq!(same(&k, 1).unwrap(), k);
        }
    }

    #[test]
    fn errors_and_nothing() {
        let k = full();
        for of in [traced, output_major, sample_major] {
            let of = |outputs| of(&k, outputs).unwrap_err();
            let expected = |order, outputs| EntropyError::Outputs { order, outputs };
            assert_eq!(of(0), expected(4, 0));
            assert_eq!(of(3), expected(4, 3));
            assert_eq!(of(4), expected(2, 4));
        }
        let error = of_output(&k, 2, 2).unwrap_err();
        let expected = EntropyError::NoSuchOutput {
            output: 2,
            outputs: 2,
        };
        assert_eq!(error, expected);
        assert!(of_output(&k, 3, 0).is_err());
        assert!(independent(&k, 0).is_err());
        let empty: Array2<f64> = Array2::zeros((0, 0));
        for of in [traced, independent, output_major, sample_major] {
            assert_eq!(of(&empty, 2).unwrap(), empty);
        }
        assert_eq!(of_output(&empty, 2, 1).unwrap(), empty);
    }
}
