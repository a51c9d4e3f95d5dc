//! Losses and their derivatives by the outputs.

use ndarray::{Array2, ArrayView2};
use ntk_linalg::Real;
use serde::{Deserialize, Serialize};

/// A loss of outputs `f` and targets `y`, both (n, outputs).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// `-1/n sum_i sum_a y_ia ln softmax(f_i)_a`: targets are one-hot or other distributions.
    CrossEntropy,
    /// `1/2 mean (f - y)^2` over all n * outputs entries: the loss of the gradient-flow formulas.
    HalfMeanSquare,
    /// `mean (f - y)^2` over all n * outputs entries, PyTorch's `MSELoss`.
    MeanSquare,
    /// `1/2 mean max(0, margin - f y)^2` over all n * outputs entries, targets +1 and -1
    /// (Geiger et al. 2019, arXiv:1809.09349, eq. 2).
    QuadraticHinge {
        /// What `f y` must reach for no loss.
        margin: f64,
    },
    /// `mean |f - y|^power` over all n * outputs entries.
    MeanPower {
        /// At least 1.
        power: f64,
    },
}

impl Loss {
    /// The loss (0 of no samples), and its derivative by every output.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn with_gradient<T: Real>(
        self,
        outputs: ArrayView2<'_, T>,
        targets: ArrayView2<'_, T>,
    ) -> (f64, Array2<T>) {
        self.part(outputs, targets, outputs.nrows())
    }

    /// What some samples of a batch of `n` add to the loss, and to its derivative.
    pub fn part<T: Real>(
        self,
        outputs: ArrayView2<'_, T>,
        targets: ArrayView2<'_, T>,
        n: usize,
    ) -> (f64, Array2<T>) {
        assert_eq!(outputs.dim(), targets.dim(), "a target for every output");
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
            return (sum / n.max(1) as f64, gradient);
        }
        let count = (n * outputs.ncols()).max(1) as f64;
        for ((g, &f), &y) in gradient.iter_mut().zip(outputs).zip(targets) {
            let (f, y) = (Real::to_f64(f), Real::to_f64(y));
            let (value, slope) = self.of(f, y);
            sum += value;
            *g = T::of(slope / count);
        }
        (sum / count, gradient)
    }

    /// One entry's, before the mean.
    fn of(self, f: f64, y: f64) -> (f64, f64) {
        let gap = f - y;
        match self {
            Self::HalfMeanSquare => (gap * gap / 2.0, gap),
            Self::MeanSquare => (gap * gap, 2.0 * gap),
            Self::QuadraticHinge { margin } => {
                // Not max, which would take NaN for satisfied.
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
            let (_, gradient) = loss.with_gradient(f.view(), y.view());
            for at in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2)] {
                let h = 1e-6;
                let moved = |by: f64| {
                    let mut f = f.clone();
                    f[at] += by;
                    loss.with_gradient(f.view(), y.view()).0
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
        let value = |loss: Loss| loss.with_gradient(f.view(), y.view()).0;
        assert_relative_eq!(value(Loss::CrossEntropy), (1.0 + f64::exp(-2.0)).ln());
        assert_relative_eq!(value(Loss::HalfMeanSquare), 1.25);
        assert_relative_eq!(value(Loss::MeanSquare), 2.5);
        assert_relative_eq!(value(Loss::MeanPower { power: 4.0 }), 8.5);
        let y = array![[1.0, -1.0]];
        let hinge = Loss::QuadraticHinge { margin: 0.5 };
        assert_relative_eq!(hinge.with_gradient(f.view(), y.view()).0, 12.25 / 4.0);
    }

    #[test]
    fn large_outputs_do_not_overflow() {
        let (value, gradient) = Loss::CrossEntropy
            .with_gradient(array![[1e5_f32, -1e5]].view(), array![[1.0, 0.0]].view());
        assert_eq!(value, 0.0);
        assert!(gradient.iter().all(|g| g.is_finite()));
        let nan = array![[f64::NAN]];
        for loss in ALL {
            assert!(
                loss.with_gradient(nan.view(), array![[1.0]].view())
                    .0
                    .is_nan()
            );
        }
        let none = Array2::<f64>::zeros((0, 2));
        for loss in ALL {
            assert_eq!(loss.with_gradient(none.view(), none.view()).0, 0.0);
        }
    }
}
