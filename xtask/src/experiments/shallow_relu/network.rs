//! The finite network: 1000 hidden units, trained by plain SGD.

use super::closed_form::{Fit, Formula, find};
use super::{Context, Failure, Images, NETWORK_IMAGES, Value, accuracy, agreement, at, classes};
use ndarray::Array2;
use ntk_kernels::network::{Network, Parameterization, dense, relu};
use ntk_train::{BiasInit, Init, Loss, Model, Optimizer, Order, TrainConfig, Trainer, WeightInit};
use serde_json::{Value as Json, json};

/// The number of hidden units.
const WIDTH: usize = 1000;
const LEARNING_RATE: f64 = 0.01;
pub(super) const BATCH: usize = 32;

pub(super) fn describe(epochs: usize) -> Json {
    json!({
        "layers": format!("dense({WIDTH}), relu, dense(1), with biases"),
        "initialisation": "Xavier normal, biases zero",
        "loss": "mean square",
        "optimizer": "SGD",
        "learning_rate": LEARNING_RATE,
        "batch": BATCH,
        "order": "file order, every pass",
        "passes": epochs,
        "training_images": NETWORK_IMAGES,
        "precision": "f32",
    })
}

/// What came of the training.
pub(super) struct SgdNetwork {
    /// The loss of every step's batch, before the step.
    pub(super) losses: Vec<f64>,
    accuracies: [f64; 2],
    /// The class that the network gives each test image.
    pub(super) test_classes: Vec<u8>,
}

impl SgdNetwork {
    pub(super) fn values(&self, fits: &[Fit]) -> Result<Vec<Value>, Failure> {
        let n = at(json!({"n": NETWORK_IMAGES}));
        let here = n.and(json!({"model": "network"}));
        let random = "another random initialisation; over a few seeds, PyTorch's steps written out in \
                      NumPy spread as far";
        let again = "printed 0.88, and 0.86 in a second run of the notebook";
        let [train, test] = self.accuracies;
        let last = self.losses.last().copied().unwrap_or(f64::NAN);
        let mut values = vec![
            here.value("gradient_steps", self.losses.len() as f64)
                .printed(1400.0),
            here.value("train_accuracy", train)
                .printed(0.96)
                .note(random),
            here.value("test_accuracy", test).printed(0.88).note(again),
            here.value("last_loss", last),
        ];
        for formula in Formula::BOTH {
            let fit = find(fits, formula, NETWORK_IMAGES)?;
            let equal = agreement(&self.test_classes, &fit.test_classes);
            let here = n.and(json!({"kernel": formula.name()}));
            values.push(here.value("agreement", equal).printed(0.89).note(random));
        }
        Ok(values)
    }
}

pub(super) fn run(
    epochs: usize,
    train: &Images,
    test: &Images,
    context: &Context<'_>,
) -> Result<SgdNetwork, Failure> {
    // With any b_std there is a bias; what it starts from is said by the initialisation.
    let network = Network::new()
        .then(dense().width(WIDTH).b_std(1.0))
        .then(relu())
        .then(dense().width(1).b_std(1.0))
        .parameterization(Parameterization::Standard);
    let init = Init {
        weights: WeightInit::XavierNormal,
        biases: BiasInit::Zeros,
    };
    let config = TrainConfig::default()
        .loss(Loss::MeanSquare)
        .optimizer(Optimizer::sgd(LEARNING_RATE))
        .batch_size(BATCH)
        .epochs(epochs)
        .order(Order::File)
        .seed(context.seed);
    let single = |a: &Array2<f64>| a.mapv(|v| v as f32);
    let (x, y) = (single(&train.x), single(&train.y));
    let mut model = Model::<f32>::new(&network, x.ncols(), init, context.seed)?;
    let trainer = Trainer::new(&mut model, &x, &y, config)?;
    let losses = trainer.observer(context.progress).run()?;
    let [on_train, on_test] = [&x, &single(&test.x)].map(|x| model.forward(x));
    let [on_train, on_test] = [on_train?, on_test?].map(|outputs| outputs.mapv(f64::from));
    Ok(SgdNetwork {
        losses,
        accuracies: [accuracy(train, &on_train), accuracy(test, &on_test)],
        test_classes: classes(&on_test),
    })
}
