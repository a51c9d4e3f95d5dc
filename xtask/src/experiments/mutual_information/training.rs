//! The network: what is recorded of it at every epoch, and its kernel before and after.

use super::digits::Digits;
use super::{CLASSES, Failure, Pair, Sets, network};
use ntk_entropy::combination;
use ntk_kernels::network::Shape;
use ntk_linalg::Observer;
use ntk_linalg::observer::Inside;
use ntk_train::{
    BiasInit, Init, Lines, Loss, Measure, Model, Optimizer, Order, Probe, Recorder, Records,
    Schedule, Trace, TrainConfig, Trainer, WeightInit,
};
use serde_json::{Value as Json, json};

pub(super) const EPOCHS: usize = 100;
const BATCH: usize = 10;
const LEARNING_RATE: f64 = 0.005;
const MOMENTUM: f64 = 0.9;

/// What the blocks of one kernel say of [`CLASSES`].
pub(super) struct Entropies {
    /// In nats, of each of [`combinations`].
    pub(super) alone: Vec<f64>,
    /// Of each of the [`combinations`] of two.
    pub(super) pairs: Vec<Pair>,
}

/// One network's training.
pub(super) struct History {
    pub(super) train_loss: Vec<f64>,
    pub(super) train_accuracy: Vec<f64>,
    pub(super) test_loss: Vec<f64>,
    pub(super) test_accuracy: Vec<f64>,
    /// Of every epoch, the first before any step.
    pub(super) entropies: Vec<Entropies>,
    /// Before and after.
    pub(super) digits: [Digits; 2],
}

/// (0) (1) (8) (0,1) (0,8) (1,8) (0,1,8).
pub(super) fn combinations() -> Vec<Vec<usize>> {
    let classes = CLASSES.map(usize::from);
    combination::combinations(&classes, classes.len())
}

/// As the notebook writes them: `(0,1)`.
pub(super) fn name(combination: &[usize]) -> String {
    let classes: Vec<_> = combination.iter().map(ToString::to_string).collect();
    format!("({})", classes.join(","))
}

pub(super) fn describe(seeds: &[u64]) -> Json {
    json!({
        "layers": "dense(32), relu, dense(32), relu, dense(10), with biases, standard parameterisation",
        "initialisation": "LeCun normal (not truncated), biases zero",
        "loss": "cross-entropy",
        "optimizer": "SGD with momentum",
        "learning_rate": LEARNING_RATE,
        "momentum": MOMENTUM,
        "batch": BATCH,
        "order": "a new permutation every epoch",
        "epochs": EPOCHS,
        "seeds": seeds,
        "precision": "f64",
    })
}

/// One network a seed.
pub(super) fn run(
    seeds: &[u64],
    images: &Sets,
    observer: &dyn Observer,
) -> Result<Vec<History>, Failure> {
    observer.begin("networks", seeds.len() as u64);
    let mut all = Vec::new();
    for &seed in seeds {
        all.push(one(seed, images, &Inside(observer))?);
        observer.advance(1);
    }
    Ok(all)
}

fn one(seed: u64, images: &Sets, observer: &dyn Observer) -> Result<History, Failure> {
    let init = Init {
        weights: WeightInit::LecunNormal,
        biases: BiasInit::Zeros,
    };
    let (train, test, classes) = (&images.train, &images.test, &images.classes);
    let input = Shape::features(train.x.ncols());
    let mut model = Model::<f64>::new(&network(), &input, init, seed)?;
    let digits = |model: &Model<f64>| -> Result<Digits, Failure> {
        let x = images.digits.x.view();
        let kernel = model.ntk(x, None, Trace::Full, observer)?;
        Digits::new(&kernel, &images.digits.labels)
    };
    let before = digits(&model)?;
    let outputs = [Measure::Loss, Measure::Accuracy];
    let kernel = [Measure::Entropy, Measure::Trace];
    let mut lines = Lines::default();
    let recorder = Recorder::new(Schedule::Every(1), &mut lines)
        .probe(Probe::new("train", train.x.view(), train.y.view(), outputs))
        .probe(Probe::new("test", test.x.view(), test.y.view(), outputs))
        .probe(
            Probe::new("ntk", classes.x.view(), classes.y.view(), kernel)
                .trace(Trace::Full)
                .classes(&CLASSES.map(usize::from), CLASSES.len()),
        );
    let config = TrainConfig {
        loss: Loss::CrossEntropy,
        optimizer: Optimizer::momentum(LEARNING_RATE, MOMENTUM),
        batch: BATCH,
        epochs: EPOCHS,
        order: Order::Shuffled,
        seed,
    };
    Trainer::new(&mut model, train.x.view(), train.y.view(), config)?
        .run(&mut [recorder], observer)?;
    let records = Records::new(&lines.0)?;
    let column = |name: &str| -> Result<Vec<f64>, Failure> {
        Ok(records.array(name)?.iter().copied().collect())
    };
    Ok(History {
        train_loss: column("train.loss")?,
        train_accuracy: column("train.accuracy")?,
        test_loss: column("test.loss")?,
        test_accuracy: column("test.accuracy")?,
        entropies: along(&column)?,
        digits: [before, digits(&model)?],
    })
}

/// The entropies of every record.
fn along(column: &dyn Fn(&str) -> Result<Vec<f64>, Failure>) -> Result<Vec<Entropies>, Failure> {
    let all = combinations();
    let of = |measure: &str| -> Result<Vec<Vec<f64>>, Failure> {
        all.iter()
            .map(|classes| column(&format!("ntk.{measure}{}", name(classes))))
            .collect()
    };
    let (entropies, traces) = (of("entropy")?, of("trace")?);
    let records = 0..entropies.first().map_or(0, Vec::len);
    let at = |columns: &[Vec<f64>], i: usize| columns.iter().map(|c| c[i]).collect::<Vec<_>>();
    Ok(records
        .map(|i| Entropies::new(at(&entropies, i), &at(&traces, i)))
        .collect())
}

impl Entropies {
    /// Of entropies and traces of the blocks of [`combinations`].
    pub(super) fn new(alone: Vec<f64>, traces: &[f64]) -> Self {
        let all = combinations();
        let place = |classes: &[usize]| all.iter().position(|c| c == classes);
        let pairs = all.iter().enumerate().filter(|(_, c)| c.len() == 2);
        let pairs = pairs.filter_map(|(both, classes)| {
            let (x, y) = (place(&classes[..1])?, place(&classes[1..])?);
            Some(Pair {
                entropy_x: alone[x],
                entropy_y: alone[y],
                joint: alone[both],
                p: traces[x] / (traces[x] + traces[y]),
            })
        });
        let pairs = pairs.collect();
        Self { alone, pairs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_in_the_order_of_the_notebook() {
        let names: Vec<String> = combinations().iter().map(|c| name(c)).collect();
        let order = ["(0)", "(1)", "(8)", "(0,1)", "(0,8)", "(1,8)", "(0,1,8)"];
        assert_eq!(names, order);
        let entropies = vec![1.0, 2.0, 3.0, 12.0, 13.0, 23.0, 123.0];
        let found = Entropies::new(entropies, &[1.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0]);
        let pairs = found
            .pairs
            .iter()
            .map(|q| (q.entropy_x, q.entropy_y, q.joint, q.p));
        let expected = [
            (1.0, 2.0, 12.0, 0.25),
            (1.0, 3.0, 13.0, 0.2),
            (2.0, 3.0, 23.0, 3.0 / 7.0),
        ];
        assert_eq!(pairs.collect::<Vec<_>>(), expected);
    }
}
