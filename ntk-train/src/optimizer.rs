//! Optimisers: dfdx's steps, without its tape.

use crate::Loss;
use crate::compiled::Scalar;
use crate::gradient::Gradient;
use crate::model::Model;
use crate::rows::Part;
use crate::tensor::Memory;
use crate::train_error::TrainError;
use dfdx::tensor_ops::{AdamConfig, Momentum, SgdConfig, WeightDecay};
use ndarray::ArrayView2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// An `Optimizer` says how parameters `p` follow their gradients `g`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Gradient descent: `v = g + momentum v`, `p -= learning_rate v`; with `nesterov`
    /// `p -= learning_rate (g + momentum v)`.
    Sgd {
        /// The step size.
        learning_rate: f64,
        /// The momentum; 0 for none.
        #[serde(default)]
        momentum: f64,
        /// Nesterov's look ahead (1983, as PyTorch writes it).
        #[serde(default)]
        nesterov: bool,
    },
    /// Adam (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1).
    Adam {
        /// The step size.
        learning_rate: f64,
        /// The decay of the two moments; 0.9 and 0.999 as a rule.
        betas: [f64; 2],
        /// The number added to the root of the second moment; 1e-8 as a rule.
        eps: f64,
    },
    /// Adam with `p -= learning_rate weight_decay p` at each step (Loshchilov & Hutter 2019,
    /// arXiv:1711.05101, algorithm 2).
    AdamW {
        /// The step size.
        learning_rate: f64,
        /// The decay of the two moments.
        betas: [f64; 2],
        /// The number added to the root of the second moment.
        eps: f64,
        /// The decay of the parameters.
        weight_decay: f64,
    },
    /// Gradient descent of the rate `scale / trace`, where the trace is that of the traced
    /// empirical NTK of the training samples, computed anew every `every` epochs.
    TraceSgd {
        /// The rate times the trace.
        scale: f64,
        /// The number of epochs from one trace to the next; 0 counts as 1.
        every: usize,
    },
}

impl Optimizer {
    /// Makes gradient descent without momentum, PyTorch's `SGD`.
    #[must_use]
    pub fn sgd(learning_rate: f64) -> Self {
        Self::momentum(learning_rate, 0.0)
    }

    /// Makes gradient descent with classical momentum.
    #[must_use]
    pub fn momentum(learning_rate: f64, momentum: f64) -> Self {
        Self::Sgd {
            learning_rate,
            momentum,
            nesterov: false,
        }
    }

    /// Makes Adam with its authors' other settings.
    #[must_use]
    pub fn adam(learning_rate: f64) -> Self {
        Self::Adam {
            learning_rate,
            betas: [0.9, 0.999],
            eps: 1e-8,
        }
    }
}

impl Optimizer {
    /// Refuses settings outside their domains.
    pub(crate) fn check(self) -> Result<(), TrainError> {
        let rate = |value: f64| {
            (
                "the learning rate",
                value,
                value >= 0.0,
                "zero or more and finite",
            )
        };
        let share = |name, value| {
            (
                name,
                value,
                (0.0..1.0).contains(&value),
                "zero or more and less than one",
            )
        };
        let size = |name, value: f64| (name, value, value >= 0.0, "zero or more and finite");
        let settings = match self {
            Self::Sgd {
                learning_rate,
                momentum,
                nesterov: _,
            } => vec![rate(learning_rate), share("the momentum", momentum)],
            Self::Adam {
                learning_rate,
                betas: [first, second],
                eps,
            } => vec![
                rate(learning_rate),
                share("the first beta", first),
                share("the second beta", second),
                size("eps", eps),
            ],
            Self::AdamW {
                learning_rate,
                betas: [first, second],
                eps,
                weight_decay,
            } => vec![
                rate(learning_rate),
                share("the first beta", first),
                share("the second beta", second),
                size("eps", eps),
                size("the weight decay", weight_decay),
            ],
            Self::TraceSgd { scale, every: _ } => vec![size("the scale of the rate", scale)],
        };
        for (name, value, holds, condition) in settings {
            if !(holds && value.is_finite()) {
                return Err(TrainError::Setting {
                    name,
                    value,
                    condition,
                });
            }
        }
        Ok(())
    }
}

impl<T: Scalar> Model<T> {
    /// Takes one step on a batch that fits; returns the loss before it, and leaves everything
    /// as it is where that is not finite.
    pub(crate) fn step(
        &mut self,
        part: Part<'_, T>,
        y: ArrayView2<'_, T>,
        loss: Loss,
        masks: Option<u64>,
        (optimizer, rate): (Optimizer, f64),
        memories: &mut Memories<T>,
    ) -> f64 {
        let value = self.gradient_into(part, y, loss, masks, &mut memories.gradient);
        if value.is_finite() {
            memories.step(optimizer, rate, self.numbers_mut());
        }
        value
    }
}

/// The memory that an optimiser has of the steps before.
pub(crate) struct Memories<T: Scalar> {
    /// The gradient of the step that comes next.
    pub(crate) gradient: Gradient<T>,
    /// The number of steps done.
    pub(crate) steps: u64,
    /// The velocity and nothing, or two moments, of each parameter.
    pub(crate) moments: Vec<[Memory<T>; 2]>,
}

impl<T: Scalar> Memories<T> {
    /// Makes the memory before the first step.
    pub(crate) fn new(optimizer: Optimizer, model: &Model<T>) -> Self {
        Self::of(optimizer, Gradient::new(model))
    }

    /// Makes the memory of any parameters, by the gradient of them.
    pub(crate) fn of(optimizer: Optimizer, gradient: Gradient<T>) -> Self {
        let second = matches!(optimizer, Optimizer::Adam { .. } | Optimizer::AdamW { .. });
        let moments = gradient.total.iter().map(|g| {
            let len = T::numbers(g).len();
            [T::memory(len), T::memory(if second { len } else { 0 })]
        });
        Self {
            steps: 0,
            moments: moments.collect(),
            gradient,
        }
    }

    /// Takes one step of every parameter along the gradient; `rate` is that of
    /// [`Optimizer::TraceSgd`].
    pub(crate) fn step(&mut self, optimizer: Optimizer, rate: f64, parameters: &mut [Memory<T>]) {
        self.steps += 1;
        // Adam's correction is 1 to the last bit long before.
        let t = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let all = parameters.par_iter_mut().zip(&mut self.moments);
        all.zip(&self.gradient.total).for_each(
            |((parameter, moments), gradient)| match optimizer {
                Optimizer::Sgd {
                    learning_rate,
                    momentum,
                    nesterov,
                } => {
                    let momentum = match nesterov {
                        true => Momentum::Nesterov(momentum),
                        false => Momentum::Classic(momentum),
                    };
                    let config = SgdConfig {
                        lr: learning_rate,
                        momentum: Some(momentum),
                        weight_decay: None,
                    };
                    T::sgd(&config, parameter, &mut moments[0], gradient);
                }
                Optimizer::TraceSgd { .. } => {
                    let config = SgdConfig {
                        lr: rate,
                        momentum: None,
                        weight_decay: None,
                    };
                    T::sgd(&config, parameter, &mut moments[0], gradient);
                }
                Optimizer::Adam {
                    learning_rate,
                    betas,
                    eps,
                } => T::adam(
                    &adam(learning_rate, betas, eps, None),
                    t,
                    parameter,
                    moments,
                    gradient,
                ),
                Optimizer::AdamW {
                    learning_rate,
                    betas,
                    eps,
                    weight_decay,
                } => {
                    let decay = Some(WeightDecay::Decoupled(weight_decay));
                    let config = adam(learning_rate, betas, eps, decay);
                    T::adam(&config, t, parameter, moments, gradient);
                }
            },
        );
    }
}

fn adam(lr: f64, betas: [f64; 2], eps: f64, weight_decay: Option<WeightDecay>) -> AdamConfig {
    AdamConfig {
        lr,
        betas,
        eps,
        weight_decay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    /// Five steps with gradients that change sign and size, of two parameters.
    fn steps(optimizer: Optimizer, rate: f64) -> Vec<f64> {
        let start = [vec![1.0, -2.0], vec![0.5]];
        let gradients = Gradient::of(start.iter().map(Vec::len));
        let mut memories = Memories::of(optimizer, gradients);
        let mut parameters = start.map(f64::holding);
        for t in 0..5 {
            let [first, second] = &mut memories.gradient.total[..] else {
                panic!("two parameters");
            };
            f64::numbers_mut(first).copy_from_slice(&[gradient(t, 0), gradient(t, 1)]);
            f64::numbers_mut(second).copy_from_slice(&[gradient(t, 2)]);
            memories.step(optimizer, rate, &mut parameters);
        }
        assert_eq!(memories.steps, 5);
        parameters.map(|p| f64::numbers(&p).to_vec()).concat()
    }

    fn gradient(t: i32, entry: i32) -> f64 {
        f64::from(1 + 3 * t + 5 * entry).sin() * 10.0_f64.powi(entry - 1)
    }

    /// Each entry on its own, by `update(t, p, g, memory)`, t from 1.
    fn by_hand(update: impl Fn(i32, &mut f64, f64, &mut [f64; 2])) -> Vec<f64> {
        let start = [1.0, -2.0, 0.5];
        let entries = (0..).zip(start);
        entries
            .map(|(entry, mut p)| {
                let mut memory = [0.0; 2];
                for t in 0..5 {
                    update(t + 1, &mut p, gradient(t, entry), &mut memory);
                }
                p
            })
            .collect()
    }

    /// Of numbers around 1 after five steps of a few operations each.
    #[track_caller]
    fn same(found: &[f64], expected: &[f64]) {
        assert_relative_eq!(found, expected, epsilon = 1e-14);
    }

    #[test]
    fn gradient_descent_with_momentum_and_without() {
        same(
            &steps(Optimizer::sgd(0.1), 0.0),
            &by_hand(|_, p, g, _| *p -= 0.1 * g),
        );
        let momentum = by_hand(|_, p, g, [v, _]| {
            *v = g + 0.9 * *v;
            *p -= 0.1 * *v;
        });
        same(&steps(Optimizer::momentum(0.1, 0.9), 0.0), &momentum);
    }

    #[test]
    fn nesterov_looks_ahead() {
        let optimizer = Optimizer::Sgd {
            learning_rate: 0.1,
            momentum: 0.9,
            nesterov: true,
        };
        let expected = by_hand(|_, p, g, [v, _]| {
            *v = g + 0.9 * *v;
            *p -= 0.1 * (g + 0.9 * *v);
        });
        same(&steps(optimizer, 0.0), &expected);
    }

    /// Algorithm 1 of Kingma & Ba; the decay of algorithm 2 of Loshchilov & Hutter.
    fn adam_by_hand(betas: [f64; 2], eps: f64, decay: f64) -> Vec<f64> {
        by_hand(|t, p, g, [m, v]| {
            *m = betas[0] * *m + (1.0 - betas[0]) * g;
            *v = betas[1] * *v + (1.0 - betas[1]) * g * g;
            let m_hat = *m / (1.0 - betas[0].powi(t));
            let v_hat = *v / (1.0 - betas[1].powi(t));
            *p -= 0.1 * m_hat / (v_hat.sqrt() + eps) + 0.1 * decay * *p;
        })
    }

    #[test]
    fn adam_and_decoupled_decay() {
        same(
            &steps(Optimizer::adam(0.1), 0.0),
            &adam_by_hand([0.9, 0.999], 1e-8, 0.0),
        );
        let optimizer = Optimizer::AdamW {
            learning_rate: 0.1,
            betas: [0.8, 0.95],
            eps: 0.1,
            weight_decay: 0.2,
        };
        same(&steps(optimizer, 0.0), &adam_by_hand([0.8, 0.95], 0.1, 0.2));
    }

    #[test]
    fn the_rate_by_trace_is_handed_in() {
        let optimizer = Optimizer::TraceSgd {
            scale: 7.0,
            every: 1,
        };
        same(
            &steps(optimizer, 0.05),
            &by_hand(|_, p, g, _| *p -= 0.05 * g),
        );
    }
}
