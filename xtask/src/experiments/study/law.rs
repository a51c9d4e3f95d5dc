//! Power laws through points with errors.

/// A `PowerLaw` says that `value = factor * x^exponent`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PowerLaw {
    pub(crate) factor: f64,
    pub(crate) exponent: f64,
    /// The standard error of the exponent.
    pub(crate) error: f64,
}

impl PowerLaw {
    /// Fits points x, value and standard error of the value by least squares of the logarithms,
    /// each weighted by (value/error)^2. Points that are not positive count nothing; `None` of
    /// fewer than two different x.
    pub(crate) fn fit(points: &[(f64, f64, f64)]) -> Option<Self> {
        let weighted: Vec<(f64, f64, f64)> = points
            .iter()
            .filter(|(x, value, error)| *x > 0.0 && *value > 0.0 && *error > 0.0)
            .map(|(x, value, error)| (x.ln(), value.ln(), (value / error).powi(2)))
            .collect();
        let total: f64 = weighted.iter().map(|(_, _, w)| w).sum();
        let mean_x = weighted.iter().map(|(x, _, w)| w * x).sum::<f64>() / total;
        let mean_y = weighted.iter().map(|(_, y, w)| w * y).sum::<f64>() / total;
        let xx: f64 = weighted
            .iter()
            .map(|(x, _, w)| w * (x - mean_x).powi(2))
            .sum();
        let xy: f64 = weighted
            .iter()
            .map(|(x, y, w)| w * (x - mean_x) * (y - mean_y))
            .sum();
        let apart = weighted.iter().any(|(x, ..)| *x != weighted[0].0);
        apart.then(|| Self {
            factor: (mean_y - xy / xx * mean_x).exp(),
            exponent: xy / xx,
            error: xx.recip().sqrt(),
        })
    }

    /// Returns the value at x.
    pub(crate) fn at(&self, x: f64) -> f64 {
        self.factor * x.powf(self.exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn power_laws_are_found_and_weighted() {
        let law = |x: f64| 3.0 * x.powf(-0.5);
        let mut points: Vec<_> = [8.0, 16.0, 64.0].map(|x| (x, law(x), 0.1 * law(x))).into();
        let found = PowerLaw::fit(&points).unwrap();
        assert_relative_eq!(found.exponent, -0.5, epsilon = 1e-14);
        assert_relative_eq!(found.at(100.0), law(100.0), max_relative = 1e-13);
        // By hand: weights 100, ln x at ln 2 times 3, 4, 6, whose squares about 13/3 add to 14/3.
        let error = 0.1 / (14.0_f64 / 3.0).sqrt() / 2.0_f64.ln();
        assert_relative_eq!(found.error, error, max_relative = 1e-12);
        // A point of a million times the relative error moves nothing.
        points.push((128.0, 1.0, 1e5));
        let moved = PowerLaw::fit(&points).unwrap();
        assert_relative_eq!(moved.exponent, -0.5, epsilon = 1e-9);
        for few in [&[][..], &points[..1], &[points[0], points[0]]] {
            assert_eq!(PowerLaw::fit(few), None);
        }
        assert_eq!(
            PowerLaw::fit(&[points[0], (2.0, 0.0, 1.0), (3.0, -1.0, 1.0)]),
            None
        );
    }
}
