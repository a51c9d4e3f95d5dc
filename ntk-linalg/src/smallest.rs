//! The smallest eigenvalue of a factored matrix, without its other eigenvalues.

use ndarray::{Array1, Array2};

use crate::{Cholesky, LinalgError, Real, eigh};

/// The number of steps between two looks at the Ritz values.
const LOOK_EVERY: usize = 4;

impl<T: Real> Cholesky<T> {
    /// Computes the smallest eigenvalue of the matrix that was factored, what the ridge added
    /// included: infinity for n = 0.
    ///
    /// The method is that of Lanczos with the inverse, every vector kept orthogonal to all
    /// others (Parlett 1998, "The Symmetric Eigenvalue Problem", chapter 13), until
    /// the residual says that an eigenvalue of the inverse is within `n eps` of the
    /// Ritz value, relatively. The start is the same at every call. Cost: `4 n^2`
    /// a step, some 20 to 40 steps where the smallest eigenvalues are apart by per
    /// cents, n at most: far less than [`eigenvalues`](crate::eigenvalues), which is the
    /// one to ask for more than one.
    ///
    /// # Errors
    /// Those of [`Cholesky::solve`], and of [`eigh`](crate::eigh()) where the inverse overflows.
    pub fn smallest_eigenvalue(&self) -> Result<T, LinalgError> {
        let n = self.order();
        let tolerance = T::of(n as f64) * T::epsilon();
        let mut vector = start::<T>(n);
        let mut basis: Vec<Array1<T>> = Vec::new();
        let (mut alphas, mut betas) = (Vec::new(), Vec::new());
        let mut largest = T::zero();
        for step in 1..=n {
            let mut next = self.solve_vec(&vector)?;
            alphas.push(vector.dot(&next));
            basis.push(vector);
            // Twice is enough (Parlett, section 6.9).
            for _ in 0..2 {
                for v in &basis {
                    let overlap = v.dot(&next);
                    next.scaled_add(-overlap, v);
                }
            }
            let beta = next.dot(&next).sqrt();
            let exhausted = step == n || beta <= tolerance * largest;
            if exhausted || step % LOOK_EVERY == 0 {
                let ritz = eigh(&tridiagonal(&alphas, &betas))?;
                largest = ritz.values[step - 1];
                let residual = beta * ritz.vectors[[step - 1, step - 1]].abs();
                if exhausted || residual <= tolerance * largest {
                    break;
                }
            }
            vector = next / beta;
            betas.push(beta);
        }
        Ok(largest.recip())
    }
}

/// Returns a unit vector that no eigenvector of a matrix from practice is orthogonal to:
/// the fractional parts of multiples of the golden ratio, about their mean.
fn start<T: Real>(n: usize) -> Array1<T> {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let v = Array1::from_shape_fn(n, |i| T::of(((i + 1) as f64 * GOLDEN).fract() - 0.5));
    let norm = v.dot(&v).sqrt();
    v / norm
}

fn tridiagonal<T: Real>(diagonal: &[T], beside: &[T]) -> Array2<T> {
    let mut a = Array2::from_diag(&Array1::from(diagonal.to_vec()));
    for (i, &b) in beside.iter().enumerate().take(diagonal.len() - 1) {
        a[[i, i + 1]] = b;
        a[[i + 1, i]] = b;
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Backend, eigenvalues};

    #[test]
    fn is_the_first_of_all_eigenvalues() {
        fn check<T: Real>(backend: Backend) {
            for n in [1, 2, 3, 5, 17, 64, 240] {
                // x x^T / n + 1/10, and the identity, whose eigenvalues are all one.
                let x = Array2::from_shape_fn((n, n), |(i, j)| {
                    T::of(((i * 37 + j * 101 + i * j * 7) as f64).sin())
                });
                let mut a = x.dot(&x.t()) / T::of(n as f64);
                a.diag_mut().mapv_inplace(|v| v + T::of(0.1));
                for a in [a, Array2::eye(n)] {
                    let all = eigenvalues(&a).unwrap();
                    let factor = backend.cholesky(a, 0.0).unwrap();
                    let smallest = factor.smallest_eigenvalue().unwrap();
                    // Both are known to some n eps |A|.
                    let bound = T::of(10.0 * n as f64) * T::epsilon() * all[n - 1];
                    assert!(
                        (smallest - all[0]).abs() <= bound,
                        "{n}: {smallest} {}",
                        all[0]
                    );
                }
            }
            let none = backend.cholesky(Array2::<T>::zeros((0, 0)), 0.0).unwrap();
            assert!(none.smallest_eigenvalue().unwrap().is_infinite());
        }
        for &backend in Backend::available() {
            check::<f64>(backend);
            check::<f32>(backend);
        }
    }

    #[test]
    fn scales() {
        for scale in [1e-120, 1e120_f64] {
            let a = ndarray::array![[2.0, 1.0], [1.0, 2.0_f64]] * scale;
            let smallest: f64 = Cholesky::new(a, 0.0)
                .unwrap()
                .smallest_eigenvalue()
                .unwrap();
            assert!((smallest / scale - 1.0).abs() < 1e-14, "{smallest:e}");
        }
    }
}
