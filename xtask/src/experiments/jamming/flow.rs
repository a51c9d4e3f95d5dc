//! Gradient flow of the hinge, for a kernel and initial outputs.

use super::{Failure, Images, MARGIN};
use ndarray::{Array2, ArrayView2, Axis};
use ntk_kernels::predict::{Flow, Loss, Trajectory};
use ntk_linalg::Observer;

/// `mean 1/2 max(0, 1/2 - f y)^2`.
pub(super) const LOSS: Loss = Loss::QuadraticHinge { margin: MARGIN };

/// A model that the flow trains: kernels (train, train) and (test, train), and outputs at first.
pub(super) struct Start {
    pub(super) k_dd: Array2<f64>,
    pub(super) k_td: Array2<f64>,
    pub(super) f0_train: Array2<f64>,
    pub(super) f0_test: Array2<f64>,
}

/// What is seen of a model at a time.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) t: f64,
    pub(super) train_loss: f64,
    pub(super) test_loss: f64,
    pub(super) test_accuracy: f64,
    /// Training images whose margin is not reached.
    pub(super) n_delta: usize,
    pub(super) train: Array2<f64>,
    pub(super) test: Array2<f64>,
}

impl Start {
    /// Follows the flow through `times`, with errors of `tolerance` a step.
    pub(super) fn run(
        &self,
        times: &[f64],
        tolerance: f64,
        images: &Images,
        observer: &dyn Observer,
    ) -> Result<Vec<Seen>, Failure> {
        let flow = Flow::new(self.k_dd.view(), images.y_train.view(), LOSS)?;
        let flow = flow.tolerance(tolerance, tolerance)?;
        let mut state = flow.start(Some(self.f0_train.view()))?;
        let path = flow.solve(&mut state, times, observer)?;
        let test = path.test(self.k_td.view(), Some(self.f0_test.view()))?;
        let Trajectory { times, train, .. } = path;
        let outputs = train.outer_iter().zip(test.outer_iter());
        let seen = times
            .into_iter()
            .zip(outputs)
            .map(|(t, (train, test))| Seen {
                t,
                train_loss: LOSS.with_gradient(train, images.y_train.view()).0,
                test_loss: LOSS.with_gradient(test, images.y_test.view()).0,
                test_accuracy: reached(test, &images.y_test, 0.0) as f64
                    / test.len_of(Axis(0)) as f64,
                n_delta: train.len() - reached(train, &images.y_train, MARGIN),
                train: train.to_owned(),
                test: test.to_owned(),
            });
        Ok(seen.collect())
    }
}

/// Images whose `f y` is at least `margin`.
fn reached(f: ArrayView2<'_, f64>, y: &Array2<f64>, margin: f64) -> usize {
    f.iter().zip(y).filter(|&(f, y)| f * y >= margin).count()
}
