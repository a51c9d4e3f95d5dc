//! Regression with the kernels of infinitely wide networks.

use super::architecture::{Architecture, Kind};
use super::{ACCURACIES, Context, Failure, Tasks, Value};
use ndarray::Array2;
use ntk_kernels::predict::KernelRegression;
use ntk_linalg::Ridge;

/// What is added to the kernel's diagonal, in units of its mean.
pub(super) const RIDGE: f64 = 1e-4;

/// What regression with the kernel of an architecture finds.
pub(super) struct Limit {
    pub(super) architecture: Architecture,
    /// The NTK of the training samples.
    pub(super) ntk: Array2<f64>,
    pub(super) train_accuracy: f64,
    pub(super) test_accuracy: f64,
}

impl Limit {
    pub(super) fn values(&self) -> [Value; 2] {
        let place = self.architecture.place();
        let place = place.and(serde_json::json!({"model": "infinite"}));
        [
            place.value(ACCURACIES[0], self.train_accuracy),
            place.value(ACCURACIES[1], self.test_accuracy),
        ]
    }
}

/// Returns the architectures, of each kind with several numbers of layers, that of [`Kind::depth`] among them.
pub(super) fn architectures(context: &Context<'_>) -> Vec<Architecture> {
    let of = |kind: Kind| {
        let depths: &[usize] = match kind {
            // Whose kernels cost most.
            Kind::Aggregate => context.by_scale(&[3][..], &[1, 3, 5], &[1, 2, 3, 4, 5, 6, 8]),
            Kind::Conv => context.by_scale(&[1, 4][..], &[1, 2, 3, 4, 5], &[1, 2, 3, 4, 5, 6, 8]),
            Kind::Recurrent => context.by_scale(&[1][..], &[1, 2, 3], &[1, 2, 3, 4, 5]),
            Kind::Attention => context.by_scale(&[1][..], &[1], &[1, 2, 3]),
        };
        depths
            .iter()
            .map(move |&depth| Architecture { kind, depth })
    };
    Kind::ALL.into_iter().flat_map(of).collect()
}

/// Computes the kernels of all architectures, and what regression with them makes of the test samples.
pub(super) fn run(
    architectures: &[Architecture],
    tasks: &Tasks,
    context: &Context<'_>,
) -> Result<Vec<Limit>, Failure> {
    let one = |&architecture: &Architecture| -> Result<Limit, Failure> {
        let task = tasks.of(architecture.kind);
        let (train, test) = (&task.train, &task.test);
        let network = architecture.limit(task.classes());
        let kernel_fn = network.kernel_fn().observer(context.progress);
        let ntk = kernel_fn.structure(&train.structure).ntk(&train.x)?;
        let of_test = kernel_fn
            .structures(&test.structure, &train.structure)
            .ntk_between(&test.x, &train.x)?;
        let y = &train.y - (task.classes() as f64).recip();
        let regression = KernelRegression::fit(ntk.clone(), &y, Ridge::Relative(RIDGE))?;
        Ok(Limit {
            architecture,
            train_accuracy: train.accuracy(&regression.predict(&ntk)?)?,
            test_accuracy: test.accuracy(&regression.predict(&of_test)?)?,
            ntk,
        })
    };
    architectures.iter().map(one).collect()
}
