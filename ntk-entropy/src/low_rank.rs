//! Spectra of kernels given by their features.

use crate::{EntropyError, Normalization, Spectrum};
use ndarray::{Array1, Array2, ArrayRef2, Axis, s};
use ntk_linalg::{Real, eigenvalues, symmetric_product};

impl Spectrum {
    /// Computes the spectrum of `F F^T` for features `f` (n, p), one row a sample, as
    /// [`Spectrum::of_kernel`] does to rounding, from the smaller of `F F^T` and `F^T F`: both have
    /// the same nonzero eigenvalues. With [`Normalization::Cosine`] rows are divided by their
    /// length, and zero rows stay.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_entropy::{Normalization, Spectrum};
    /// let features = array![[1.0], [2.0], [2.0]]; // three samples of one feature
    /// let spectrum = Spectrum::of_features(&features, Normalization::Trace)?;
    /// assert_eq!(spectrum.probabilities, array![0.0, 0.0, 1.0]);
    /// # Ok::<(), ntk_entropy::Error>(())
    /// ```
    ///
    /// Cost: `n p m + 4/3 m^3`, m = min(n, p); a copy of `f` for cosines.
    ///
    /// # Errors
    /// [`EntropyError::ZeroTrace`], [`EntropyError::NotNormalized`]; [`EntropyError::Linalg`]
    /// where a product of features is not finite.
    pub fn of_features<T: Real>(
        f: &ArrayRef2<T>,
        normalization: Normalization,
    ) -> Result<Self, EntropyError> {
        if normalization == Normalization::Cosine {
            return Self::of_features(&unit_rows(f), Normalization::Trace);
        }
        let (n, p) = f.dim();
        let gram = symmetric_product(&if p < n { f.t() } else { f.view() })?;
        let nonzero = eigenvalues(&gram)?;
        let mut values = Array1::zeros(n);
        values.slice_mut(s![..nonzero.len()]).assign(&nonzero);
        Self::of_eigenvalues(&values, normalization)
    }
}

/// Divides each row of `f` by its length unless that is zero.
fn unit_rows<T: Real>(f: &ArrayRef2<T>) -> Array2<T> {
    let mut rows = f.to_owned();
    for mut row in rows.axis_iter_mut(Axis(0)) {
        // By the largest entry first: its square must neither overflow nor underflow.
        let largest = row.iter().fold(T::zero(), |m, v| m.max(v.abs()));
        if largest > T::zero() {
            row.mapv_inplace(|v| v / largest);
            let length = row.iter().map(|&v| v * v).sum::<T>().sqrt();
            row.mapv_inplace(|v| v / length);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{covariance, von_neumann};
    use approx::assert_relative_eq;
    use ndarray::array;

    fn features(n: usize, p: usize) -> Array2<f64> {
        Array2::from_shape_fn((n, p), |(i, j)| ((3 * i * i + 7 * j + 1) as f64).sin())
    }

    #[test]
    fn agrees_with_the_kernel() {
        for (n, p) in [(1, 1), (1, 9), (9, 1), (20, 7), (7, 20), (12, 12)] {
            let mut f = features(n, p);
            if n > 2 {
                f.row_mut(1).fill(0.0);
            }
            let k = f.dot(&f.t());
            for normalization in [Normalization::Trace, Normalization::Cosine] {
                let ours = Spectrum::of_features(&f, normalization).unwrap();
                let kernel = Spectrum::of_kernel(&k, normalization).unwrap();
                assert_eq!(ours.eigenvalues.len(), n);
                // Either eigenvalue is known to some n eps lambda_max.
                let bound = 20.0 * (n + p) as f64 * f64::EPSILON;
                let scale = kernel.eigenvalues[n - 1];
                for (a, b) in ours.eigenvalues.iter().zip(&kernel.eigenvalues) {
                    assert!((a - b).abs() <= bound * scale, "{n} {p}: {a} {b}");
                }
                assert_relative_eq!(
                    von_neumann::effective(&ours),
                    von_neumann::effective(&kernel),
                    epsilon = 1e-12
                );
            }
        }
    }

    #[test]
    fn normalization_is_that_of_the_kernel() {
        let f = features(6, 4);
        let trace = f.iter().map(|v| v * v).sum::<f64>();
        let error = Spectrum::of_features(&f, Normalization::None).unwrap_err();
        assert!(matches!(error, EntropyError::NotNormalized { .. }));
        let one = Spectrum::of_features(&(&f / trace.sqrt()), Normalization::None).unwrap();
        assert_relative_eq!(one.trace, 1.0, epsilon = 1e-14);
        // Cosines are blind to magnitudes, even where squares would overflow.
        let mut scaled = f.clone();
        scaled.row_mut(0).mapv_inplace(|v| v * 1e200);
        scaled.row_mut(1).mapv_inplace(|v| v * 1e-200);
        let [a, b] = [f, scaled].map(|f| {
            Spectrum::of_features(&f, Normalization::Cosine)
                .unwrap()
                .eigenvalues
        });
        assert_relative_eq!(a, b, epsilon = 1e-14);
        assert_relative_eq!(a.sum(), 6.0, epsilon = 1e-14);
    }

    #[test]
    fn nothing_to_divide_by() {
        for shape in [(0, 0), (0, 3), (3, 0), (3, 2)] {
            for normalization in [Normalization::Trace, Normalization::Cosine] {
                let zero = Array2::<f64>::zeros(shape);
                let error = Spectrum::of_features(&zero, normalization).unwrap_err();
                assert_eq!(error, EntropyError::ZeroTrace { trace: 0.0 }, "{shape:?}");
            }
        }
        let nan = array![[1.0, f64::NAN]];
        let error = Spectrum::of_features(&nan, Normalization::Trace).unwrap_err();
        assert!(matches!(error, EntropyError::Linalg(_)));
        let cosine = Spectrum::of_features(&nan, Normalization::Cosine).unwrap_err();
        assert!(matches!(cosine, EntropyError::Linalg(_)));
        assert!(covariance::entropy(&nan.dot(&nan.t())).is_err());
    }
}
