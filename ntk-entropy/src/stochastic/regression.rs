//! Means of samples, corrected by what is known of other means.

/// Computes the value and standard error of the mean of `y` (N), given `controls`, each (N) and
/// known to have mean zero: least squares on them and a constant, evaluated at zero (control
/// variates: Owen 2013, Monte Carlo theory, section 8.9).
///
/// N must exceed the number of controls by two.
pub(super) fn mean(y: &[f64], controls: &[Vec<f64>]) -> (f64, f64) {
    let count = y.len() as f64;
    let average = |x: &[f64]| x.iter().sum::<f64>() / count;
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let subtract = |a: &mut [f64], factor: f64, b: &[f64]| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a -= factor * b);
    };
    let centred = |x: &[f64]| -> Vec<f64> { x.iter().map(|v| v - average(x)).collect() };
    let mut value = average(y);
    let mut rest = centred(y);
    let mut variance = 1.0 / count; // of the value, over that of one sample
    let mut degrees = count - 1.0;
    // Orthogonal directions, with what separates their mean from zero.
    let mut directions: Vec<(Vec<f64>, f64)> = Vec::new();
    for control in controls {
        let (mut direction, mut offset) = (centred(control), average(control));
        for (other, other_offset) in &directions {
            let along = dot(&direction, other) / dot(other, other);
            subtract(&mut direction, along, other);
            offset -= along * other_offset;
        }
        let square = dot(&direction, &direction);
        // A mean at five standard errors from zero is rounding's: the control is constant, or a
        // combination of those before.
        if offset * offset * count * (count - 1.0) >= 25.0 * square {
            continue;
        }
        let slope = dot(&rest, &direction) / square;
        subtract(&mut rest, slope, &direction);
        value -= slope * offset;
        variance += offset * offset / square;
        degrees -= 1.0;
        directions.push((direction, offset));
    }
    (value, (dot(&rest, &rest) / degrees * variance).sqrt())
}

#[cfg(test)]
mod tests {
    use super::mean;
    use approx::assert_relative_eq;

    #[test]
    fn plain_mean_without_controls() {
        let (value, error) = mean(&[1.0, 2.0, 3.0, 4.0], &[]);
        // Variance 5/3 over four samples.
        assert_relative_eq!(value, 2.5);
        assert_relative_eq!(error, (5.0_f64 / 12.0).sqrt(), epsilon = 1e-15);
        assert_eq!(mean(&[3.0; 5], &[vec![0.0; 5], vec![1.0; 5]]), (3.0, 0.0));
    }

    #[test]
    fn linear_in_the_controls_is_exact() {
        let a = vec![1.0, -2.0, 0.5, 3.0, -1.0, 0.25];
        let b = vec![0.0, 1.0, -1.0, 2.0, 0.5, -3.0];
        let y: Vec<f64> = a
            .iter()
            .zip(&b)
            .map(|(a, b)| 7.0 + 2.0 * a - 3.0 * b)
            .collect();
        let copy = a.clone();
        let (value, error) = mean(&y, &[a, copy, b]);
        assert_relative_eq!(value, 7.0, epsilon = 1e-13);
        assert!(error < 1e-13, "{error}");
    }
}
