//! Gradient flow of the hinge, for a kernel and initial outputs.

use super::{Failure, Images, MARGIN, Value};
use crate::experiments::study::{At, share};
use ndarray::{Array2, ArrayView2};
use ntk_kernels::predict::{Flow, Loss, Trajectory};
use ntk_linalg::Observer;

/// `mean 1/2 max(0, 1/2 - f y)^2`.
const LOSS: Loss = Loss::QuadraticHinge { margin: MARGIN };

/// A model that the flow trains: kernels (train, train) and (test, train), and outputs at first.
pub(super) struct Start {
    pub(super) k_dd: Array2<f64>,
    pub(super) k_td: Array2<f64>,
    pub(super) f0_train: Array2<f64>,
    pub(super) f0_test: Array2<f64>,
}

/// What is seen of a model at a time.
pub(super) struct Seen {
    pub(super) t: f64,
    pub(super) train_loss: f64,
    pub(super) test_loss: f64,
    test_accuracy: f64,
    /// The number of training images whose margin is not reached.
    pub(super) unsatisfied: usize,
    /// The outputs on the training and on the test images, (n, 1).
    pub(super) outputs: [Array2<f64>; 2],
}

impl Seen {
    pub(super) fn values(&self, here: &At) -> [Value; 4] {
        [
            here.value("train_loss", self.train_loss),
            here.value("test_loss", self.test_loss),
            here.value("test_accuracy", self.test_accuracy),
            here.value("unsatisfied", self.unsatisfied as f64),
        ]
    }
}

impl Start {
    /// Follows the flow through `times`, with errors of `tolerance` a step.
    pub(super) fn run(
        &self,
        times: &[f64],
        tolerance: f64,
        [train, test]: &[Images; 2],
        observer: &dyn Observer,
    ) -> Result<Vec<Seen>, Failure> {
        let flow = Flow::new(&self.k_dd, &train.y, LOSS)?;
        let flow = flow.tolerance(tolerance, tolerance)?.observer(observer);
        let flow = flow.initial_outputs(&self.f0_train)?;
        let mut state = flow.start();
        let path = flow.solve(&mut state, times)?;
        let on_test = path.test_from(&self.f0_test, &self.k_td)?;
        let Trajectory {
            times,
            train: on_train,
            ..
        } = path;
        // Whether `f y` is at least the margin, image by image.
        let reached = |f: ArrayView2<'_, f64>, images: &Images, margin: f64| {
            let pairs = f.into_iter().zip(&images.y);
            pairs.map(|(f, y)| f * y >= margin).collect::<Vec<_>>()
        };
        let loss = |f: ArrayView2<'_, f64>, images: &Images| LOSS.with_gradient(&f, &images.y);
        let outputs = on_train.outer_iter().zip(on_test.outer_iter());
        let seen = times.into_iter().zip(outputs).map(|(t, (f, g))| {
            Ok(Seen {
                t,
                train_loss: loss(f, train)?.0,
                test_loss: loss(g, test)?.0,
                test_accuracy: share(reached(g, test, 0.0)),
                unsatisfied: reached(f, train, MARGIN).iter().filter(|&&r| !r).count(),
                outputs: [f.to_owned(), g.to_owned()],
            })
        });
        seen.collect()
    }
}
