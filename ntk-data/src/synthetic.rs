//! Inputs and targets drawn by a formula.
//!
//! ```
//! use ntk_data::synthetic;
//!
//! let x = synthetic::gaussian::<f64>(100, 3, 0)?; // 100 points of 3 coordinates, seed 0
//! let on_sphere = synthetic::sphere::<f32>(100, 3, 0)?;
//! let teacher = synthetic::linear_teacher::<f64>(100, 3, 0.1, 0)?; // y = x w + 0.1 z
//! assert_eq!((x.dim(), on_sphere.dim(), teacher.y.dim()), ((100, 3), (100, 3), (100, 1)));
//! // 9 graphs of 20 to 40 nodes with 2 features each, and 8 sequences of 8 to 24 tokens
//! let graphs = synthetic::graphs::<f64>(9, 20..=40, 2, 0)?;
//! let sequences = synthetic::first_of_two::<f64>(8, 8..=24, 12, 0)?;
//! assert_eq!((graphs.weights.dim(), sequences.x.dim()), ((9, 40, 40), (8, 24)));
//! # Ok::<(), ntk_data::Error>(())
//! ```
//!
//! All use ChaCha with 8 rounds, seeded by a number, and draw in double
//! precision row by row: the same seed gives the same bits on every machine
//! and for every number of threads, and `f32` gives the rounded `f64` values.

mod circle;
mod gaussian;
mod graphs;
mod linear_teacher;
mod sequences;
mod sphere;
mod structured;

use crate::scalar::fits;

pub use circle::circle;
pub use gaussian::gaussian;
pub use graphs::{FAMILIES, StructuredGraphs, graphs};
pub use linear_teacher::{LinearTeacher, linear_teacher};
pub use sequences::{TOKENS, TokenSequences, first_of_two};
pub use sphere::sphere;
pub use structured::StructuredError;

/// `TooLarge` says that an array exceeds memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{rows} rows of {columns} numbers exceed all memory; draw fewer")]
pub struct TooLarge {
    /// The number of rows.
    pub rows: usize,
    /// The number of columns.
    pub columns: usize,
}

/// Checks that memory has room for an array.
fn check<T>(rows: usize, columns: usize) -> Result<(), TooLarge> {
    match fits::<T>(rows, columns) {
        true => Ok(()),
        false => Err(TooLarge { rows, columns }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    /// Largest deviation allowed for a mean of `n` terms of standard deviation
    /// `deviation`: five standard errors, exceeded once in 1.7 million draws.
    fn critical(deviation: f64, n: usize) -> f64 {
        5.0 * deviation / (n as f64).sqrt()
    }

    #[test]
    fn same_seed_same_bits_and_other_seed_others() {
        assert_eq!(
            gaussian::<f64>(5, 3, 1).unwrap(),
            gaussian::<f64>(5, 3, 1).unwrap()
        );
        assert_ne!(
            gaussian::<f64>(5, 3, 1).unwrap(),
            gaussian::<f64>(5, 3, 2).unwrap()
        );
        let rounded: Array2<f32> = gaussian::<f64>(5, 3, 1).unwrap().mapv(|x| x as f32);
        assert_eq!(gaussian::<f32>(5, 3, 1).unwrap(), rounded);
        // More rows do not change the first ones.
        assert_eq!(
            gaussian::<f64>(9, 3, 1)
                .unwrap()
                .slice(ndarray::s![..5, ..]),
            gaussian::<f64>(5, 3, 1).unwrap()
        );
    }

    #[test]
    fn gaussian_entries_are_standard_normal() {
        let x = gaussian::<f64>(100, 100, 3).unwrap();
        assert!(x.mean().unwrap().abs() < critical(1.0, 10_000));
        // The square of a standard normal has mean 1 and variance 2.
        let square = x.mapv(|v| v * v).mean().unwrap();
        assert!((square - 1.0).abs() < critical(2.0_f64.sqrt(), 10_000));
    }

    #[test]
    fn sphere_rows_have_norm_sqrt_d_and_no_preferred_direction() {
        let x = sphere::<f64>(4000, 3, 5).unwrap();
        for row in x.rows() {
            assert!((row.dot(&row) - 3.0).abs() < 16.0 * f64::EPSILON);
        }
        // Each coordinate has mean 0 and variance 1.
        for column in x.columns() {
            assert!(column.mean().unwrap().abs() < critical(1.0, 4000));
        }
        assert_eq!(sphere::<f64>(4, 0, 5).unwrap().dim(), (4, 0));
    }

    #[test]
    fn circle_points_are_equally_spaced() {
        let x = circle::<f64>(4).unwrap();
        let expected = ndarray::array![[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]];
        approx::assert_abs_diff_eq!(x, expected, epsilon = 2.0 * f64::EPSILON);
        assert_eq!(circle::<f64>(0).unwrap().dim(), (0, 2));
    }

    #[test]
    fn the_teacher_explains_its_targets() {
        let t = linear_teacher::<f64>(50, 7, 0.0, 11).unwrap();
        approx::assert_abs_diff_eq!(t.y, t.x.dot(&t.weights), epsilon = 50.0 * f64::EPSILON);
        let noisy = linear_teacher::<f64>(4000, 7, 0.5, 11).unwrap();
        let noise = &noisy.y - &noisy.x.dot(&noisy.weights);
        let variance = noise.mapv(|v| v * v).mean().unwrap();
        assert!((variance - 0.25).abs() < critical(0.25 * 2.0_f64.sqrt(), 4000));
    }
}
