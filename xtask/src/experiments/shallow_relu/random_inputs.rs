//! The Gram matrix of Gaussian inputs: with fewer samples than dimensions it is typically
//! invertible.

use super::closed_form::Formula;
use super::{Failure, Value};
use ndarray::{Array1, Array2};
use ntk_data::synthetic;
use ntk_linalg::eigenvalues;
use serde_json::json;

pub(super) const SAMPLES: usize = 30;
pub(super) const FEATURES: usize = 100;

/// Gram matrix and ascending eigenvalues of one formula.
pub(super) struct RandomInputs {
    pub(super) both: Vec<(Formula, Array2<f64>, Array1<f64>)>,
}

impl RandomInputs {
    pub(super) fn values(&self) -> Vec<Value> {
        self.both
            .iter()
            .map(|(formula, _, eigenvalues)| {
                let place = [
                    ("n", json!(SAMPLES)),
                    ("d", json!(FEATURES)),
                    ("kernel", json!(formula.as_str())),
                ];
                let smallest = eigenvalues.first().copied().unwrap_or_default();
                Value::new("random_inputs_smallest_eigenvalue", place, smallest)
                    .note("positive: the Gram matrix is invertible")
            })
            .collect()
    }
}

pub(super) fn run(seed: u64) -> Result<RandomInputs, Failure> {
    let x = synthetic::gaussian::<f64>(SAMPLES, FEATURES, seed);
    let both = Formula::BOTH
        .into_iter()
        .map(|formula| {
            let h = formula.gram(x.view(), None, &())?;
            let values = eigenvalues(h.view())?;
            Ok((formula, h, values))
        })
        .collect::<Result<_, Failure>>()?;
    Ok(RandomInputs { both })
}
