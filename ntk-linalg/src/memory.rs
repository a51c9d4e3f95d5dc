//! Matrices whose size follows from two others, and may be more than memory has.

use ndarray::Array2;

use crate::{LinalgError, Real};

/// Allocations of fewer bytes are not asked about.
const LARGE: usize = 1 << 28;

/// Returns a matrix of zeros.
pub(crate) fn zeros<T: Real>(rows: usize, columns: usize) -> Result<Array2<T>, LinalgError> {
    check_room::<T>(rows, columns)?;
    Ok(Array2::zeros((rows, columns)))
}

/// Refuses a matrix that cannot be allocated, which would end the process.
pub(crate) fn check_room<T>(rows: usize, columns: usize) -> Result<(), LinalgError> {
    let refused = || LinalgError::OutOfMemory { rows, columns };
    // The limit of ndarray, which counts an empty axis as one entry.
    let entries = rows.max(1).checked_mul(columns.max(1));
    if entries.is_none_or(|entries| isize::try_from(entries).is_err()) {
        return Err(refused());
    }
    let numbers = rows * columns;
    let bytes = numbers.checked_mul(size_of::<T>()).ok_or_else(refused)?;
    if bytes < LARGE {
        return Ok(());
    }
    // Asked for and given back: pages that are not written to cost nothing.
    Vec::<T>::new()
        .try_reserve_exact(numbers)
        .map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_memory_holds_is_refused() {
        for (rows, columns) in [(usize::MAX, 2), (1 << 40, 1 << 23), (1 << 40, 1 << 16)] {
            let error = zeros::<f64>(rows, columns).unwrap_err();
            assert_eq!(error, LinalgError::OutOfMemory { rows, columns });
        }
        assert!(zeros::<f64>(usize::MAX, 0).is_err());
        assert_eq!(zeros::<f32>(1 << 40, 0).unwrap().dim(), (1 << 40, 0));
        assert_eq!(zeros::<f64>(3, 2), Ok(Array2::zeros((3, 2))));
    }
}
