//! Training by mini-batches.

use crate::loss::Loss;
use crate::model::{Model, ModelError};
use crate::optimizer::Sgd;
use crate::tensor::Scalar;
use ndarray::{ArrayView2, Axis, s};
use ntk_linalg::observer::{Cancelled, Observer};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

/// The order in which an epoch visits samples; a last smaller batch is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they are.
    File,
    /// A new permutation every epoch, from this seed.
    Shuffled(u64),
}

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainConfig {
    /// What is minimised.
    pub loss: Loss,
    /// By which steps.
    pub optimizer: Sgd,
    /// Samples a step; 0 counts as 1.
    pub batch: usize,
    /// Passes over the samples.
    pub epochs: usize,
    /// In which order.
    pub order: Order,
}

/// Why training stopped early.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum TrainError {
    /// Shapes do not fit.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The loss became infinite or NaN.
    #[error(
        "training diverged in epoch {epoch}, step {step}: the loss is no longer finite (last: {}); lower the learning rate",
        losses.last().map_or("none".to_string(), |l| format!("{l:.3e}"))
    )]
    Diverged {
        /// Epoch, from 0.
        epoch: usize,
        /// Step over all epochs, from 0.
        step: usize,
        /// The finite losses before.
        losses: Vec<f64>,
    },
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Trains `model` on rows of `x` (n, features) and `y` (n, outputs); returns every step's
/// loss on its batch, before the step.
///
/// # Errors
/// [`TrainError`]; the model then holds its last finite state.
pub fn train<T: Scalar>(
    model: &mut Model<T>,
    x: ArrayView2<'_, T>,
    y: ArrayView2<'_, T>,
    config: &TrainConfig,
    observer: &dyn Observer,
) -> Result<Vec<f64>, TrainError> {
    model.check_targets(x, y)?;
    let n = x.nrows();
    let batch = config.batch.max(1);
    let mut rows: Vec<usize> = (0..n).collect();
    let mut rng = match config.order {
        Order::File => None,
        Order::Shuffled(seed) => Some(ChaCha8Rng::seed_from_u64(seed)),
    };
    let mut velocity = Vec::new();
    let mut losses = Vec::with_capacity(config.epochs * n.div_ceil(batch));
    observer.begin("training", config.epochs as u64);
    for epoch in 0..config.epochs {
        observer.check()?;
        if let Some(rng) = &mut rng {
            rows.shuffle(rng);
        }
        for start in (0..n).step_by(batch) {
            let end = n.min(start + batch);
            let loss = if rng.is_some() {
                let chosen = &rows[start..end];
                let (x, y) = (x.select(Axis(0), chosen), y.select(Axis(0), chosen));
                model.step(
                    x.view(),
                    y.view(),
                    config.loss,
                    config.optimizer,
                    &mut velocity,
                )?
            } else {
                let (x, y) = (x.slice(s![start..end, ..]), y.slice(s![start..end, ..]));
                model.step(x, y, config.loss, config.optimizer, &mut velocity)?
            };
            if !loss.is_finite() {
                return Err(TrainError::Diverged {
                    epoch,
                    step: losses.len(),
                    losses,
                });
            }
            losses.push(loss);
        }
        observer.advance(1);
    }
    Ok(losses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::Init;
    use approx::assert_relative_eq;
    use ndarray::{Array2, array};
    use ntk_kernels::network::{Network, dense};

    fn config(learning_rate: f64) -> TrainConfig {
        let optimizer = Sgd::new(learning_rate);
        TrainConfig {
            loss: Loss::HalfMeanSquare,
            optimizer,
            batch: 2,
            epochs: 3,
            order: Order::File,
        }
    }

    fn linear() -> (Model<f64>, Array2<f64>, Array2<f64>) {
        let network = Network::new().then(dense().width(1));
        let model = Model::new(&network, 2, Init::default(), 5).unwrap();
        (
            model,
            array![[1.0, 0.5], [0.2, -1.0], [0.3, 0.9]],
            array![[1.0], [0.0], [-1.0]],
        )
    }

    /// Momentum steps of a linear model written out by hand.
    #[test]
    fn steps_are_those_of_gradient_descent() {
        let (mut model, x, y) = linear();
        let mut w = model.parameters()[0].clone();
        let config = TrainConfig {
            optimizer: Sgd {
                learning_rate: 0.1,
                momentum: 0.9,
            },
            ..config(0.1)
        };
        let losses = train(&mut model, x.view(), y.view(), &config, &()).unwrap();
        assert_eq!(losses.len(), 6);
        let mut velocity = Array2::<f64>::zeros((2, 1));
        let mut step = 0;
        for _ in 0..3 {
            for rows in [vec![0, 1], vec![2]] {
                let (xb, yb) = (x.select(Axis(0), &rows), y.select(Axis(0), &rows));
                let scale = 1.0 / 2.0_f64.sqrt();
                let gap = xb.dot(&w) * scale - &yb;
                let m = rows.len() as f64;
                assert_relative_eq!(
                    losses[step],
                    gap.mapv(|g| g * g).sum() / (2.0 * m),
                    epsilon = 1e-14
                );
                velocity = velocity * 0.9 + xb.t().dot(&gap) * (scale / m);
                w = w - &velocity * 0.1;
                step += 1;
            }
        }
        assert_relative_eq!(model.parameters()[0], w, epsilon = 1e-13);
    }

    #[test]
    fn divergence_keeps_what_was_recorded() {
        let (mut model, x, y) = linear();
        let config = TrainConfig {
            epochs: 10_000,
            ..config(1e30)
        };
        let error = train(&mut model, x.view(), y.view(), &config, &()).unwrap_err();
        let TrainError::Diverged { step, losses, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(*step, losses.len());
        assert!(!losses.is_empty() && losses.iter().all(|l| l.is_finite()));
        assert!(error.to_string().contains("lower the learning rate"));
    }

    #[test]
    fn shuffling_is_seeded_and_visits_every_sample() {
        let run = |seed| {
            let (mut model, x, y) = linear();
            let config = TrainConfig {
                order: Order::Shuffled(seed),
                ..config(0.05)
            };
            train(&mut model, x.view(), y.view(), &config, &()).unwrap()
        };
        assert_eq!(run(1), run(1));
        assert!((2..9).any(|seed| run(seed) != run(1)));
        // With a zero rate every epoch's losses add up to the same, whatever the order.
        let (mut model, x, y) = linear();
        let still = TrainConfig {
            order: Order::Shuffled(1),
            batch: 1,
            ..config(0.0)
        };
        let losses = train(&mut model, x.view(), y.view(), &still, &()).unwrap();
        for epoch in losses.chunks(3) {
            assert_relative_eq!(
                epoch.iter().sum::<f64>(),
                losses[..3].iter().sum::<f64>(),
                epsilon = 1e-14
            );
        }
    }
}
