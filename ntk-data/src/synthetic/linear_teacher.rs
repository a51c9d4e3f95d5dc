use chacha20::ChaCha8Rng;
use ndarray::Array2;
use num_traits::Float;
use rand::SeedableRng;

use super::TooLarge;
use super::gaussian::normals;
use crate::scalar::of;

/// Inputs, and targets that are a linear function of them with noise.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearTeacher<T> {
    /// The inputs, `(n, d)`, standard normal.
    pub x: Array2<T>,
    /// The weights of the teacher, `(d, 1)`, normal of variance `1/d`, so that `x . w` has mean
    /// square 1.
    pub weights: Array2<T>,
    /// The targets, `(n, 1)`: `x w` plus noise.
    pub y: Array2<T>,
}

/// Draws `n` inputs of dimension `d` and their targets `y = x w + noise * z`, `z` standard normal.
///
/// They are drawn in the order inputs, weights, noise. O(n d).
///
/// # Errors
/// [`TooLarge`].
pub fn linear_teacher<T: Float>(
    n: usize,
    d: usize,
    noise: f64,
    seed: u64,
) -> Result<LinearTeacher<T>, TooLarge> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let x: Array2<f64> = normals(n, d, 1.0, &mut rng)?;
    let weights: Array2<f64> = normals(d, 1, (d.max(1) as f64).sqrt().recip(), &mut rng)?;
    let y = x.dot(&weights) + normals::<f64>(n, 1, noise, &mut rng)?;
    Ok(LinearTeacher {
        x: x.mapv(of),
        weights: weights.mapv(of),
        y: y.mapv(of),
    })
}
