//! Computes losses and their derivatives with respect to the outputs.

use ndarray::{Array2, ArrayRef2};
use ntk_linalg::Real;
use serde::{Deserialize, Serialize};

use super::{PredictError, check};

/// A `Loss` compares outputs `f` with targets `y`, both (n, outputs).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// The cross-entropy `-1/n sum_i sum_a y_ia ln softmax(f_i)_a`, where targets are one-hot or
    /// other distributions.
    CrossEntropy,
    /// Half the mean square, `1/2 mean (f - y)^2` over all n * outputs entries: the loss of the
    /// gradient-flow formulas.
    HalfMeanSquare,
    /// The mean square, `mean (f - y)^2` over all n * outputs entries, PyTorch's `MSELoss`.
    MeanSquare,
    /// The quadratic hinge, `1/2 mean max(0, margin - f y)^2` over all n * outputs entries, with
    /// targets +1 and -1 (Geiger et al. 2019, arXiv:1809.09349, eq. 2).
    QuadraticHinge {
        /// The value of `f y` from which on there is no loss.
        margin: f64,
    },
    /// The mean power of the error, `mean |f - y|^power` over all n * outputs entries.
    MeanPower {
        /// The power, at least 1.
        power: f64,
    },
}

impl Loss {
    /// Computes the loss, which is 0 for no samples, and its derivative with respect to every
    /// output.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::predict::Loss;
    ///
    /// let (f, y) = (array![[1.0], [3.0]], array![[1.0], [1.0]]);
    /// let (loss, gradient) = Loss::HalfMeanSquare.with_gradient(&f, &y)?;
    /// assert_eq!((loss, gradient), (1.0, array![[0.0], [1.0]]));
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`PredictError::Shape`] where the shapes differ.
    pub fn with_gradient<T: Real>(
        self,
        outputs: &ArrayRef2<T>,
        targets: &ArrayRef2<T>,
    ) -> Result<(f64, Array2<T>), PredictError> {
        self.part(outputs, targets, outputs.nrows())
    }

    /// Checks that the targets (n, outputs) are what the loss compares outputs with: of any loss
    /// finite; of the cross-entropy probabilities of two classes or more, one-hot or others; of the
    /// quadratic hinge +1 and -1.
    ///
    /// Flows and trainers do so before they begin.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::predict::Loss;
    ///
    /// assert!(Loss::CrossEntropy.check_targets(&array![[0.0, 1.0], [0.25, 0.75]]).is_ok());
    /// let class_indices = array![[0.0], [2.0], [1.0]];
    /// assert!(Loss::CrossEntropy.check_targets(&class_indices).is_err());
    /// ```
    ///
    /// # Errors
    /// Returns [`PredictError::NonFinite`]; [`PredictError::Shape`] for the cross-entropy of one
    /// output, whose softmax is constant; [`PredictError::Target`] and
    /// [`PredictError::Distribution`] with the first target or row at fault.
    pub fn check_targets<T: Real>(self, targets: &ArrayRef2<T>) -> Result<(), PredictError> {
        check::finite("the targets", targets)?;
        let (holds, condition): (fn(f64) -> bool, _) = match self {
            Self::HalfMeanSquare | Self::MeanSquare | Self::MeanPower { .. } => return Ok(()),
            Self::QuadraticHinge { .. } => (
                |y| y.abs() == 1.0,
                "the quadratic hinge compares signs; give +1 and -1, such as 2 y - 1 of 0 and 1",
            ),
            Self::CrossEntropy => (
                |y| y >= 0.0,
                "cross-entropy compares with probabilities, which are zero or more; give 0 and 1 in place of -1 and 1",
            ),
        };
        if self == Self::CrossEntropy && targets.ncols() == 1 && targets.nrows() > 0 {
            return Err(PredictError::Shape {
                what: "the targets",
                found: targets.dim(),
                expected: "(n, classes), of two classes or more".into(),
                why: "cross-entropy compares probabilities; class indices are made one-hot, a column each",
            });
        }
        let wrong = |&(_, &y): &(_, &T)| !holds(Real::to_f64(y));
        if let Some(((row, column), &y)) = targets.indexed_iter().find(wrong) {
            let value = Real::to_f64(y);
            return Err(PredictError::Target {
                row,
                column,
                value,
                condition,
            });
        }
        if self == Self::CrossEntropy {
            let sums = targets.rows().into_iter();
            let mut sums = sums.map(|row| row.fold(0.0, |sum, &y| sum + Real::to_f64(y)));
            if let Some((row, sum)) = sums
                .by_ref()
                .enumerate()
                .find(|(_, s)| (s - 1.0).abs() > 1e-3)
            {
                return Err(PredictError::Distribution { row, sum });
            }
        }
        Ok(())
    }

    /// Computes what some samples of a batch of `n` add to the loss, and to its derivative.
    ///
    /// # Errors
    /// Fails as [`Loss::with_gradient`] does.
    pub fn part<T: Real>(
        self,
        outputs: &ArrayRef2<T>,
        targets: &ArrayRef2<T>,
        n: usize,
    ) -> Result<(f64, Array2<T>), PredictError> {
        let why = "the shape of the outputs";
        check::dim("the targets", targets.dim(), outputs.dim(), why)?;
        let mut gradient = Array2::zeros(outputs.raw_dim());
        let mut sum = 0.0;
        if let Self::CrossEntropy = self {
            let rows = outputs.rows().into_iter().zip(targets.rows());
            for ((f, y), mut g) in rows.zip(gradient.rows_mut()) {
                let top = f.fold(f64::NEG_INFINITY, |top, v| top.max(Real::to_f64(*v)));
                let exp = f.mapv(|v| (Real::to_f64(v) - top).exp());
                let (total, mass) = (exp.sum(), y.fold(0.0, |s, v| s + Real::to_f64(*v)));
                let log = total.ln() + top;
                for (((g, &f), &y), e) in g.iter_mut().zip(f).zip(y).zip(exp) {
                    let (f, y) = (Real::to_f64(f), Real::to_f64(y));
                    if y != 0.0 {
                        sum += y * (log - f);
                    }
                    *g = T::of((mass * e / total - y) / n as f64);
                }
            }
            return Ok((sum / n.max(1) as f64, gradient));
        }
        let count = (n as f64 * outputs.ncols() as f64).max(1.0);
        for ((g, &f), &y) in gradient.iter_mut().zip(outputs).zip(targets) {
            let (f, y) = (Real::to_f64(f), Real::to_f64(y));
            let (value, slope) = self.of(f, y);
            sum += value;
            *g = T::of(slope / count);
        }
        Ok((sum / count, gradient))
    }

    /// Computes the loss of one entry and its derivative, before the mean.
    fn of(self, f: f64, y: f64) -> (f64, f64) {
        let gap = f - y;
        match self {
            Self::HalfMeanSquare => (gap * gap / 2.0, gap),
            Self::MeanSquare => (gap * gap, 2.0 * gap),
            Self::QuadraticHinge { margin } => {
                // `max` would take NaN for a sample without loss.
                let short = margin - f * y;
                let short = if short <= 0.0 { 0.0 } else { short };
                (short * short / 2.0, -y * short)
            }
            Self::MeanPower { power } => {
                let size = gap.abs();
                let slope = match size {
                    0.0 => 0.0,
                    size => power * size.powf(power - 1.0),
                };
                (size.powf(power), slope.copysign(gap))
            }
            Self::CrossEntropy => unreachable!("not a sum over entries"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use ndarray::array;

    const ALL: [Loss; 6] = [
        Loss::CrossEntropy,
        Loss::HalfMeanSquare,
        Loss::MeanSquare,
        Loss::QuadraticHinge { margin: 0.5 },
        Loss::MeanPower { power: 4.0 },
        Loss::MeanPower { power: 1.5 },
    ];

    #[test]
    fn gradients_are_central_differences() {
        let f = array![[0.3, -1.2, 2.0], [0.1, 0.9, -0.4]];
        let y = array![[1.0, -1.0, -1.0], [-1.0, 1.0, 1.0]];
        let one_hot = array![[0.0, 1.0, 0.0], [0.5, 0.2, 0.3]];
        for loss in ALL {
            let y = if loss == Loss::CrossEntropy {
                &one_hot
            } else {
                &y
            };
            let (_, gradient) = loss.with_gradient(&f, y).unwrap();
            for at in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2)] {
                let h = 1e-6;
                let moved = |by: f64| {
                    let mut f = f.clone();
                    f[at] += by;
                    loss.with_gradient(&f, y).unwrap().0
                };
                let slope = (moved(h) - moved(-h)) / (2.0 * h);
                assert_relative_eq!(gradient[at], slope, epsilon = 1e-8);
            }
        }
    }

    #[test]
    fn values_by_hand() {
        let f = array![[1.0, 3.0]];
        let y = array![[0.0, 1.0]];
        let value = |loss: Loss| loss.with_gradient(&f, &y).unwrap().0;
        assert_relative_eq!(value(Loss::CrossEntropy), (1.0 + f64::exp(-2.0)).ln());
        assert_relative_eq!(value(Loss::HalfMeanSquare), 1.25);
        assert_relative_eq!(value(Loss::MeanSquare), 2.5);
        assert_relative_eq!(value(Loss::MeanPower { power: 4.0 }), 8.5);
        let y = array![[1.0, -1.0]];
        let hinge = Loss::QuadraticHinge { margin: 0.5 };
        assert_relative_eq!(hinge.with_gradient(&f, &y).unwrap().0, 12.25 / 4.0);
    }

    #[test]
    fn large_outputs_do_not_overflow() {
        let (value, gradient) = Loss::CrossEntropy
            .with_gradient(&array![[1e5_f32, -1e5]], &array![[1.0, 0.0]])
            .unwrap();
        assert_eq!(value, 0.0);
        assert!(gradient.iter().all(|g| g.is_finite()));
        let nan = array![[f64::NAN]];
        for loss in ALL {
            assert!(loss.with_gradient(&nan, &array![[1.0]]).unwrap().0.is_nan());
        }
        let none = Array2::<f64>::zeros((0, 2));
        for loss in ALL {
            assert_eq!(loss.with_gradient(&none, &none).unwrap().0, 0.0);
        }
    }
}
