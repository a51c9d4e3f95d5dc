//! Measures of predictions: classes, the share that is right, the coefficient of determination, and how
//! probable predictions with variances make the targets.
//!
//! | to get | use |
//! |---|---|
//! | the class that each row of outputs names | [`argmax`] |
//! | the share of samples whose class is right | [`accuracy`] |
//! | the coefficient of determination R² | [`r2`] |
//! | the density that predictions with variances give the targets | [`log_predictive_density`] |
//! | the probabilities of classes that they give | [`class_log_probabilities`] |

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, ArrayView1, ArrayView2};
use ntk_linalg::Real;
use thiserror::Error;

/// A `MetricError` says why outputs cannot be compared with targets.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum MetricError {
    /// Outputs and targets differ in shape.
    #[error(
        "outputs have shape {outputs:?} and targets {targets:?}; give one row of targets a sample and one column an output"
    )]
    Shapes {
        /// The shape of the outputs.
        outputs: (usize, usize),
        /// The shape of the targets.
        targets: (usize, usize),
    },
    /// A target is not a number, so that its row names no class.
    #[error("the target at ({row}, {column}) is NaN and names no class; leave out that sample")]
    NanTarget {
        /// The row of the first such target.
        row: usize,
        /// The column of that target.
        column: usize,
    },
    /// Of so few samples the measure is not defined.
    #[error("{found} samples have no {measure}; give {needed} or more")]
    TooFewSamples {
        /// The measure, such as `accuracy`.
        measure: &'static str,
        /// The number of samples.
        found: usize,
        /// The fewest that have it.
        needed: usize,
    },
    /// There is not one variance for each sample.
    #[error("there are {found} variances for {samples} samples; give one for each")]
    Variances {
        /// The number of samples.
        samples: usize,
        /// The number of variances.
        found: usize,
    },
    /// A variance is none of a density.
    #[error(
        "the variance of sample {row} is {value}; it must be positive and finite, as with the noise of the targets added"
    )]
    Variance {
        /// The first such sample.
        row: usize,
        /// The value.
        value: f64,
    },
    /// The targets of a class and of the others are not apart.
    #[error(
        "the target of a class is {gap} above those of the others; it must be positive and finite, 1 for one-hot targets"
    )]
    Gap {
        /// The difference.
        gap: f64,
    },
}

/// Returns the class of each row of `outputs` (n, classes): the column of its largest entry.
///
/// Of equal entries the first counts. A single column tells two classes apart: class 1 where the
/// entry is positive, else class 0. A NaN is never the largest; a row of nothing else, or of no
/// entries, is of class 0.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::metrics::argmax;
///
/// assert_eq!(argmax(&array![[0.1, 0.9, 0.0], [5.0, 4.0, 5.0]]), array![1, 0]);
/// assert_eq!(argmax(&array![[-0.3], [0.0], [2.0]]), array![0, 0, 1]);
/// ```
pub fn argmax<T: Real>(outputs: &ArrayRef2<T>) -> Array1<usize> {
    outputs.rows().into_iter().map(class).collect()
}

/// Returns the share of samples for which outputs and targets, both (n, classes), name the same
/// class, as [`argmax`] finds it.
///
/// Targets are one-hot, or have their largest entry at the class, or are one column of two signs.
/// A sample with a NaN among its outputs counts as wrong.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::metrics::accuracy;
///
/// let outputs = array![[0.7, 0.2], [0.4, 0.5], [0.9, 0.1]];
/// let one_hot = array![[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]];
/// assert_eq!(accuracy(&outputs, &one_hot)?, 2.0 / 3.0);
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
///
/// # Errors
/// [`MetricError::Shapes`]; [`MetricError::NanTarget`]; [`MetricError::TooFewSamples`] where there is
/// none.
pub fn accuracy<T: Real>(
    outputs: &ArrayRef2<T>,
    targets: &ArrayRef2<T>,
) -> Result<f64, MetricError> {
    let (outputs, targets) = same_shape(outputs, targets)?;
    enough(outputs.nrows(), 1, "accuracy")?;
    if let Some(((row, column), _)) = targets.indexed_iter().find(|(_, y)| y.is_nan()) {
        return Err(MetricError::NanTarget { row, column });
    }
    let rows = outputs.rows().into_iter().zip(targets.rows());
    let right = rows.filter(|(f, y)| !f.iter().any(|f| f.is_nan()) && class(*f) == class(*y));
    Ok(right.count() as f64 / outputs.nrows() as f64)
}

/// Returns the coefficient of determination R², the mean over outputs of
/// `1 - sum_i (y_i - f_i)^2 / sum_i (y_i - mean y)^2`, for outputs f and targets y, both (n, o).
///
/// Its best value is 1; outputs that are the mean of the targets have 0, and worse ones less. An
/// output whose targets are all equal counts as 1 where it is exact, else as 0. Where there is a NaN,
/// so is the result. Sums are taken in double precision.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::metrics::r2;
///
/// let targets = array![[1.0], [2.0], [3.0]];
/// assert_eq!(r2(&targets, &targets)?, 1.0);
/// assert_eq!(r2(&array![[2.0], [2.0], [2.0]], &targets)?, 0.0);
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
///
/// # Errors
/// [`MetricError::Shapes`]; [`MetricError::TooFewSamples`] where there are fewer than two.
pub fn r2<T: Real>(outputs: &ArrayRef2<T>, targets: &ArrayRef2<T>) -> Result<f64, MetricError> {
    let (outputs, targets) = same_shape(outputs, targets)?;
    let (n, o) = targets.dim();
    enough(n, 2, "R²")?;
    let columns = outputs.columns().into_iter().zip(targets.columns());
    let each = columns.map(|(f, y)| {
        let mean = y.iter().map(|y| Real::to_f64(*y)).sum::<f64>() / n as f64;
        let about_mean: f64 = y.iter().map(|y| (Real::to_f64(*y) - mean).powi(2)).sum();
        let missed = f
            .iter()
            .zip(y)
            .map(|(f, y)| (Real::to_f64(*y) - Real::to_f64(*f)).powi(2));
        let missed: f64 = missed.sum();
        match (missed, about_mean) {
            (missed, _) if missed.is_nan() => f64::NAN,
            (0.0, 0.0) => 1.0,
            (_, 0.0) => 0.0,
            (missed, about_mean) => 1.0 - missed / about_mean,
        }
    });
    Ok(each.sum::<f64>() / o as f64)
}

/// Returns the logarithm of the density that predictions with variances give the targets, in nats a
/// sample: the mean over the n samples of the sum over the o outputs of
/// `-1/2 (y - f)^2 / v - 1/2 ln(2 pi v)`, for outputs f and targets y, both (n, o), and variances v (n),
/// which a sample's outputs share.
///
/// The variances are those of targets: the variance of a process' function and that of the noise. It is
/// larger where predictions are nearer, and as sure as they are near. Where there is a NaN among outputs or
/// targets, so is the result. Sums are taken in double precision.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::GaussianProcess;
/// use ntk_kernels::metrics::log_predictive_density;
/// use ntk_kernels::network::{Network, dense, erf};
///
/// let network = Network::new().then(dense().b_std(1.0)).then(erf(1.0, 1.0, 0.0)).then(dense());
/// let (x, y) = (array![[-1.0], [0.0], [1.0]], array![0.5, 0.0, 0.7]);
/// let density = |noise: f64| {
///     let fitted = GaussianProcess::nngp(&network).noise(noise).fit(&x, &y)?;
///     let (mean, variance) = fitted.predict_with_variance(&array![[0.5], [-0.5]])?;
///     let variance = variance.mapv(|v: f64| v + noise);
///     let density = log_predictive_density(&mean, &variance, &array![[0.3], [0.3]])?;
///     Ok::<f64, ntk_kernels::Error>(density)
/// };
/// // Far too much noise makes no target probable.
/// assert!(density(0.1)? > density(100.0)?);
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
///
/// # Errors
/// [`MetricError::Shapes`]; [`MetricError::Variances`]; [`MetricError::Variance`] for one that is not
/// positive and finite; [`MetricError::TooFewSamples`] where there is none.
pub fn log_predictive_density<T: Real>(
    outputs: &ArrayRef2<T>,
    variances: &ArrayRef1<T>,
    targets: &ArrayRef2<T>,
) -> Result<f64, MetricError> {
    let (outputs, targets) = same_shape(outputs, targets)?;
    enough(outputs.nrows(), 1, "predictive density")?;
    let variances = positive(variances, outputs.nrows())?;
    let rows = outputs.rows().into_iter().zip(targets.rows());
    let of_sample = rows.zip(&variances).map(|((f, y), v)| {
        let pairs = f.iter().zip(y);
        let squares = pairs.map(|(f, y)| (Real::to_f64(*y) - Real::to_f64(*f)).powi(2) / v);
        let constant = f.len() as f64 * (std::f64::consts::TAU.ln() + v.ln());
        -0.5 * (squares.sum::<f64>() + constant)
    });
    Ok(of_sample.sum::<f64>() / outputs.nrows() as f64)
}

/// Returns the logarithms of the probabilities of classes, (n, classes), that regression on their
/// targets gives, for outputs f (n, classes) and variances v (n) of targets, as
/// [`log_predictive_density`] takes them.
///
/// The targets are `gap` higher for a sample's class than for the others: 1 where they are one-hot, 2
/// where they are signs. Of the targets that one of the classes has, each is as probable as the density of
/// the outputs there, all classes alike before: `ln p_c = gap f_c / v - ln sum_k exp(gap f_k / v)`.
/// Computed in double precision; a row with a NaN or infinity among its outputs is NaN.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::metrics::class_log_probabilities;
///
/// let outputs = array![[1.0, 0.0], [1.0, 0.0], [0.5, 0.5]];
/// let p = class_log_probabilities(&outputs, &array![0.1, 10.0, 0.1], 1.0)?.mapv(f64::exp);
/// assert!(p[[0, 0]] > 0.99 && p[[1, 0]] < 0.53 && p[[2, 0]] == 0.5);
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
///
/// # Errors
/// [`MetricError::Variances`]; [`MetricError::Variance`] for one that is not positive and finite;
/// [`MetricError::Gap`].
pub fn class_log_probabilities<T: Real>(
    outputs: &ArrayRef2<T>,
    variances: &ArrayRef1<T>,
    gap: f64,
) -> Result<Array2<f64>, MetricError> {
    if !(gap > 0.0 && gap.is_finite()) {
        return Err(MetricError::Gap { gap });
    }
    let variances = positive(variances, outputs.nrows())?;
    let mut logs = outputs.mapv(Real::to_f64);
    for (mut row, v) in logs.rows_mut().into_iter().zip(&variances) {
        // From the largest, so that none overflows.
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.mapv_inplace(|f| gap * (f - most) / v);
        let sum: f64 = row.iter().map(|log| log.exp()).sum();
        row.mapv_inplace(|log| log - sum.ln());
    }
    Ok(logs)
}

/// Returns the variances in double precision, one for each sample.
fn positive<T: Real>(variances: &ArrayRef1<T>, samples: usize) -> Result<Vec<f64>, MetricError> {
    if variances.len() != samples {
        let found = variances.len();
        return Err(MetricError::Variances { samples, found });
    }
    let all: Vec<f64> = variances.iter().map(|v| Real::to_f64(*v)).collect();
    let none = |v: &f64| !(*v > 0.0 && v.is_finite());
    match all.iter().position(none) {
        None => Ok(all),
        Some(row) => Err(MetricError::Variance {
            row,
            value: all[row],
        }),
    }
}

/// Returns the place of the first of the largest entries; of a single one, whether it is positive.
fn class<T: Real>(row: ArrayView1<'_, T>) -> usize {
    if row.len() == 1 {
        return usize::from(row[0] > T::zero());
    }
    let better = |best: usize, i: usize| {
        // No entry is compared with NaN, which is smaller than none.
        if row[i] > row[best] || (row[best].is_nan() && !row[i].is_nan()) {
            i
        } else {
            best
        }
    };
    (1..row.len()).fold(0, better)
}

fn enough(found: usize, needed: usize, measure: &'static str) -> Result<(), MetricError> {
    match found < needed {
        true => Err(MetricError::TooFewSamples {
            measure,
            found,
            needed,
        }),
        false => Ok(()),
    }
}

type Pair<'a, T> = (ArrayView2<'a, T>, ArrayView2<'a, T>);

fn same_shape<'a, T>(
    outputs: &'a ArrayRef2<T>,
    targets: &'a ArrayRef2<T>,
) -> Result<Pair<'a, T>, MetricError> {
    if outputs.dim() == targets.dim() {
        return Ok((outputs.view(), targets.view()));
    }
    Err(MetricError::Shapes {
        outputs: outputs.dim(),
        targets: targets.dim(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array, s};

    #[test]
    fn classes_by_hand() {
        let nan = f64::NAN;
        let found = argmax(&array![
            [0.1, 0.9, 0.0],
            [-3.0, -1.0, -2.0],
            [5.0, 4.0, 5.0],
            [nan, -1.0, -2.0],
            [1.0, nan, 2.0],
            [nan, nan, nan],
            [f64::NEG_INFINITY, f64::NEG_INFINITY, -1e300]
        ]);
        assert_eq!(found, array![1, 1, 0, 1, 2, 0, 2]);
        let one = array![[1.0_f32], [0.0], [-0.0], [-1.0], [f32::NAN]];
        assert_eq!(argmax(&one), array![1, 0, 0, 0, 0]);
        assert_eq!(argmax(&Array2::<f64>::zeros((2, 0))), array![0, 0]);
        assert_eq!(argmax(&Array2::<f64>::zeros((0, 3))).len(), 0);
        let reversed = array![[1.0, 0.0], [0.0, 1.0]];
        assert_eq!(argmax(&reversed.slice(s![.., ..;-1])), array![1, 0]);
    }

    #[test]
    fn accuracy_by_hand() {
        let y = array![[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]];
        let f = array![[0.2, 0.1], [0.2, 0.1], [0.5, 0.5], [f64::NAN, 1.0]];
        assert_eq!(accuracy(&f, &y), Ok(0.5));
        let signs = array![[1.0], [-1.0], [-1.0]];
        assert_eq!(
            accuracy(&array![[0.1], [-9.0], [2.0]], &signs),
            Ok(2.0 / 3.0)
        );
        let none = Array2::<f32>::zeros((0, 2));
        let told = accuracy(&none, &none).unwrap_err().to_string();
        assert_eq!(told, "0 samples have no accuracy; give 1 or more");
        assert_eq!(
            accuracy(&f, &signs),
            Err(MetricError::Shapes {
                outputs: (4, 2),
                targets: (3, 1)
            })
        );
    }

    /// Both are what scikit-learn's `r2_score` gives, of one output and averaged over two.
    #[test]
    fn r2_is_that_of_scikit_learn() {
        let one = r2(
            &array![[2.5], [0.0], [2.0], [8.0]],
            &array![[3.0], [-0.5], [2.0], [7.0]],
        );
        assert!((one.unwrap() - 0.948_608_137_044_967_9).abs() < 1e-15);
        let (y, f) = (
            array![[0.5, 1.0], [-1.0, 1.0], [7.0, -6.0]],
            array![[0.0, 2.0], [-1.0, 2.0], [8.0, -5.0]],
        );
        assert!((r2(&f, &y).unwrap() - 0.936_800_526_662_277_9).abs() < 1e-15);
    }

    #[test]
    fn r2_at_its_edges() {
        let constant = array![[2.0, 1.0], [2.0, 3.0]];
        // The first output is exact, though its targets do not vary; the second is their mean.
        let mean = array![[2.0, 2.0], [2.0, 2.0]];
        assert_eq!(r2(&mean, &constant), Ok(0.5));
        assert_eq!(r2(&array![[1.0], [1.0]], &array![[2.0], [2.0]]), Ok(0.0));
        assert_eq!(
            r2(&array![[1.0]], &array![[2.0]]),
            Err(MetricError::TooFewSamples {
                measure: "R²",
                found: 1,
                needed: 2
            })
        );
        let nan = array![[f64::NAN, 1.0], [2.0, 3.0]];
        assert!(r2(&nan, &constant).unwrap().is_nan());
        let none = Array2::<f64>::zeros((3, 0));
        assert!(r2(&none, &none).unwrap().is_nan());
        assert!(r2(&mean, &constant.slice(s![..1, ..])).is_err());
    }

    /// `N(y; f, v)`, as it is written.
    fn density(y: f64, f: f64, v: f64) -> f64 {
        (-(y - f).powi(2) / (2.0 * v)).exp() / (std::f64::consts::TAU * v).sqrt()
    }

    #[test]
    fn densities_are_products_of_normal_ones() {
        let f = array![[0.3, -1.0], [2.0, 0.5], [0.0, 0.1]];
        let y = array![[0.5, -0.7], [1.0, 0.4], [-0.2, 0.9]];
        let v = array![0.2, 1.5, 0.7];
        let plain: f64 = (0..3)
            .map(|i| density(y[[i, 0]], f[[i, 0]], v[i]) * density(y[[i, 1]], f[[i, 1]], v[i]))
            .map(f64::ln)
            .sum();
        let found = log_predictive_density(&f, &v, &y).unwrap();
        // Rounding of some ten operations on numbers of a few units.
        assert!((found - plain / 3.0).abs() < 1e-14, "{found} {plain}");
        // What an exponential would make zero stays a number.
        let far = log_predictive_density(&array![[1e3]], &array![1.0], &array![[0.0]]).unwrap();
        assert_eq!(far, -5e5 - 0.5 * std::f64::consts::TAU.ln());
    }

    #[test]
    fn probabilities_are_shares_of_the_density_at_the_targets_of_classes() {
        let (f, v) = (array![[0.3, -0.2, 0.9], [0.1, 0.4, 0.2]], array![0.4, 1.1]);
        for (off, on) in [(0.0, 1.0), (-1.0, 1.0)] {
            let found = class_log_probabilities(&f, &v, on - off).unwrap();
            for row in 0..2 {
                let at = |class: usize| -> f64 {
                    let target = |k| if k == class { on } else { off };
                    (0..3)
                        .map(|k| density(target(k), f[[row, k]], v[row]))
                        .product()
                };
                let all: f64 = (0..3).map(at).sum();
                for class in 0..3 {
                    let (found, expected) = (found[[row, class]].exp(), at(class) / all);
                    assert!((found - expected).abs() < 1e-14, "{found} {expected}");
                }
            }
        }
        let sure = class_log_probabilities(&array![[1e200, 0.0]], &array![1e-200], 1.0).unwrap();
        assert_eq!(sure, array![[0.0, f64::NEG_INFINITY]]);
    }

    #[test]
    fn densities_at_their_edges() {
        let (f, y) = (array![[1.0], [f64::NAN]], array![[1.0], [1.0]]);
        let of = |v: &Array1<f64>| log_predictive_density(&f, v, &y);
        assert!(of(&array![1.0, 1.0]).unwrap().is_nan());
        assert_eq!(
            of(&array![1.0]),
            Err(MetricError::Variances {
                samples: 2,
                found: 1
            })
        );
        for value in [0.0, -1.0, f64::INFINITY] {
            let found = of(&array![1.0, value]);
            assert_eq!(found, Err(MetricError::Variance { row: 1, value }));
            let found = class_log_probabilities(&f, &array![1.0, value], 1.0);
            assert_eq!(found, Err(MetricError::Variance { row: 1, value }));
        }
        assert!(of(&array![f64::NAN, 1.0]).is_err());
        let none = Array2::<f64>::zeros((0, 2));
        assert!(log_predictive_density(&none, &array![], &none).is_err());
        assert!(log_predictive_density(&f, &array![1.0, 1.0], &none).is_err());
        assert_eq!(
            class_log_probabilities(&f, &array![1.0, 1.0], 0.0),
            Err(MetricError::Gap { gap: 0.0 })
        );
    }
}
