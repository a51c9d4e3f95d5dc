//! The trace of the NTK without its matrix.

use super::Trace;
use crate::compiled::Scalar;
use crate::model::{Model, ModelError};
use ntk_kernels::Inputs;
use ntk_linalg::Real;
use ntk_linalg::observer::{Inside, Observer};

/// Samples whose kernel is computed for its diagonal: enough for whole tiles of products, few
/// enough for what is off the diagonal to cost little.
const BLOCK: usize = 32;

/// [`Model::ntk_trace`].
pub(crate) fn ntk_trace<T: Scalar>(
    model: &Model<T>,
    x: Inputs<'_, T>,
    observer: &dyn Observer,
) -> Result<f64, ModelError> {
    let n = model.samples(&x)?;
    let mut trace = 0.0;
    for first in (0..n).step_by(BLOCK) {
        let block = x.slice(first..n.min(first + BLOCK)).expect("n samples");
        let kernel = T::ntk(model, block, None, Trace::Traced, &Inside(observer))?;
        trace += kernel.diag().iter().map(|&v| Real::to_f64(v)).sum::<f64>();
    }
    Ok(trace)
}

#[cfg(test)]
mod tests {
    use crate::init::Init;
    use crate::model::{Model, ModelError};
    use approx::assert_relative_eq;
    use ndarray::{Array2, Array4, array};
    use ntk_kernels::network::{Network, Shape, conv, dense, flatten, relu};
    use ntk_linalg::observer::{Cancelled, Observer};

    struct Stop;
    impl Observer for Stop {
        fn cancelled(&self) -> bool {
            true
        }
    }

    #[test]
    fn is_the_sum_of_the_diagonal() {
        let network = Network::new()
            .then(conv([2, 2]).channels(3).b_std(0.5))
            .then(relu())
            .then(flatten())
            .then(dense().width(4));
        let model = Model::new(&network, Shape::new([3, 3], 2), Init::default(), 1).unwrap();
        let x = Array4::from_shape_fn((5, 3, 3, 2), |(i, j, k, l)| {
            ((i + 7 * j + 3 * k + l) as f64).sin()
        });
        let kernel = model.kernel_fn().by_contraction().ntk(&x).unwrap();
        let trace = model.ntk_trace(&x).unwrap();
        assert_relative_eq!(trace, kernel.diag().sum(), max_relative = 1e-13);
        let full = model.kernel_fn().full().ntk_trace(&x).unwrap();
        assert_relative_eq!(full, 4.0 * trace);
        let stopped = model.kernel_fn().observer(&Stop).ntk_trace(&x).unwrap_err();
        assert_eq!(stopped, ModelError::Cancelled(Cancelled));
    }

    #[test]
    fn of_a_linear_model_by_hand_and_of_no_sample() {
        // f = w.x / sqrt(2): the gradient is x / sqrt(2).
        let network = Network::new().then(dense().width(1));
        let model = Model::<f64>::new(&network, Shape::features(2), Init::default(), 1).unwrap();
        let x = array![[3.0, 4.0], [1.0, 0.0]];
        assert_relative_eq!(model.ntk_trace(&x).unwrap(), 13.0, max_relative = 1e-15);
        assert_eq!(model.ntk_trace(&Array2::zeros((0, 2))).unwrap(), 0.0);
        let wrong = model.ntk_trace(&Array2::zeros((1, 3)));
        assert!(matches!(wrong, Err(ModelError::Input { .. })));
    }
}
