//! Optimisers.

use dfdx::tensor_ops::{Momentum, SgdConfig};

/// Stochastic gradient descent: `v = g + momentum v`, `p -= learning_rate v`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// Step size.
    pub learning_rate: f64,
    /// Classical momentum; 0 for none.
    pub momentum: f64,
}

impl Sgd {
    /// Without momentum.
    #[must_use]
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            momentum: 0.0,
        }
    }

    pub(crate) fn config(self) -> SgdConfig {
        let momentum = (self.momentum != 0.0).then_some(Momentum::Classic(self.momentum));
        SgdConfig {
            lr: self.learning_rate,
            momentum,
            weight_decay: None,
        }
    }
}
