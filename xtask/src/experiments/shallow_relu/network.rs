//! The finite network: 1000 hidden units, trained by plain SGD.

use super::closed_form::{ClosedForm, Formula};
use super::{Context, Failure, Images, NETWORK_IMAGES, Scale, Value, classes, share};
use ndarray::Array2;
use ntk_kernels::network::{Network, Parameterization, Shape, dense, relu};
use ntk_train::{BiasInit, Init, Loss, Model, Optimizer, Order, TrainConfig, WeightInit, train};
use serde_json::{Value as Json, json};

/// Hidden units.
const WIDTH: usize = 1000;

/// How the network is trained.
pub(super) struct Settings {
    epochs: usize,
    batch: usize,
    learning_rate: f64,
    seed: u64,
}

impl Settings {
    pub(super) fn new(context: &Context<'_>) -> Self {
        let epochs = if context.scale == Scale::Quick {
            40
        } else {
            200
        };
        Self {
            epochs,
            batch: 32,
            learning_rate: 0.01,
            seed: context.seed,
        }
    }

    pub(super) fn describe(&self) -> Json {
        json!({
            "layers": format!("dense({WIDTH}), relu, dense(1), with biases"),
            "initialisation": "Xavier normal, biases zero",
            "loss": "mean square",
            "optimizer": "SGD",
            "learning_rate": self.learning_rate,
            "batch": self.batch,
            "order": "file order, every pass",
            "passes": self.epochs,
            "training_images": NETWORK_IMAGES,
            "precision": "f32",
        })
    }
}

/// The trained network's answers.
pub(super) struct Trained {
    /// Loss of every step's batch, before the step.
    pub(super) losses: Vec<f64>,
    pub(super) batch: usize,
    train_outputs: Array2<f64>,
    test_outputs: Array2<f64>,
}

impl Trained {
    pub(super) fn test_classes(&self) -> Vec<u8> {
        classes(self.test_outputs.view())
    }

    pub(super) fn values(
        &self,
        closed: &ClosedForm,
        train: &Images,
        test: &Images,
    ) -> Result<Vec<Value>, Failure> {
        let place = || [("n", json!(NETWORK_IMAGES)), ("model", json!("network"))];
        let random = "another random initialisation; over a few seeds, PyTorch's steps written out in \
                      NumPy spread as far";
        let mut values = vec![
            Value::new("gradient_steps", place(), self.losses.len() as f64).printed(1400.0),
            Value::new(
                "train_accuracy",
                place(),
                train.accuracy(self.train_outputs.view()),
            )
            .printed(0.96)
            .note(random),
            Value::new(
                "test_accuracy",
                place(),
                test.accuracy(self.test_outputs.view()),
            )
            .printed(0.88)
            .note("printed 0.88, and 0.86 in a second run of the notebook"),
            Value::new(
                "last_loss",
                place(),
                self.losses.last().copied().unwrap_or(f64::NAN),
            ),
        ];
        let network = self.test_classes();
        for formula in Formula::BOTH {
            let fit = closed
                .at(formula, NETWORK_IMAGES)
                .ok_or("no kernel at the network's size")?;
            let agreement = share(network.iter().zip(&fit.test_classes).map(|(a, b)| a == b));
            let place = [
                ("n", json!(NETWORK_IMAGES)),
                ("kernel", json!(formula.as_str())),
            ];
            values.push(
                Value::new("agreement", place, agreement)
                    .printed(0.89)
                    .note(random),
            );
        }
        Ok(values)
    }
}

pub(super) fn run(
    settings: &Settings,
    train_set: &Images,
    test: &Images,
    context: &Context<'_>,
) -> Result<Trained, Failure> {
    // In the standard parameterisation b_std > 0 says that there is a bias; what it starts from
    // is said by the initialisation.
    let network = Network::new()
        .then(dense().width(WIDTH).b_std(1.0))
        .then(relu())
        .then(dense().width(1).b_std(1.0))
        .parameterization(Parameterization::Standard);
    let init = Init {
        weights: WeightInit::XavierNormal,
        biases: BiasInit::Zeros,
    };
    let [x, y, x_test] = [&train_set.x, &train_set.y, &test.x].map(|a| a.mapv(|v| v as f32));
    let mut model = Model::<f32>::new(&network, &Shape::features(x.ncols()), init, settings.seed)?;
    let config = TrainConfig {
        loss: Loss::MeanSquare,
        optimizer: Optimizer::sgd(settings.learning_rate),
        batch: settings.batch,
        epochs: settings.epochs,
        order: Order::File,
        seed: settings.seed,
    };
    let losses = train(&mut model, x.view(), y.view(), &config, context.progress)?;
    context.progress.end();
    Ok(Trained {
        losses,
        batch: settings.batch,
        train_outputs: model.forward(x.view())?.mapv(f64::from),
        test_outputs: model.forward(x_test.view())?.mapv(f64::from),
    })
}
