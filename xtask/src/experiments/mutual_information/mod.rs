//! mutual-information: what classes of digits share in the kernel of a network that is trained.
//!
//! MNIST, the first 100 images; a small dense network; von Neumann entropies of the blocks of its
//! full empirical kernel. `I(X;Y) = S(X) + S(Y) - S(X,Y)` over the mean entropy, as the notebook
//! has it, and beside it the Holevo quantity `chi` (see [`ntk_entropy::mutual_information`]),
//! which is confined as the other is said to be.

mod blocks;
mod claim;
mod digits;
mod figures;
mod infinite;
mod training;
mod values;

use super::study::{CLASSES as DIGITS, Images, at};
use super::{Context, Experiment, Findings, Tolerance};
use crate::Failure;
use ntk_cli::results::Value;
use ntk_entropy::MutualInformation as Pair;
use ntk_kernels::network::{Network, Parameterization, dense, relu};
use serde_json::json;
use training::EPOCHS;

/// The number of training images, the first.
const TRAIN: usize = 100;
/// The number of test images, the first.
const TEST: usize = 1000;
/// The classes that are followed in time, and the number of images of each.
const CLASSES: [u8; 3] = [0, 1, 8];
const PER_CLASS: usize = 2;
/// The number of images of each digit where all pairs are compared.
const PER_DIGIT: usize = 10;

pub(super) static EXPERIMENT: Experiment = Experiment {
    name: "mutual-information",
    question: "What do the images of one class say about those of another in the kernel of a network, and \
     what does training make of it?",
    data: "mnist",
    seconds: [3.0, 8.0, 60.0],
    tolerance: |value| match value.name.as_str() {
        // How many of some hundred pairs.
        "outside_unit_interval" => Tolerance::absolute(2.0),
        _ if value.place.contains_key("kernel") => Tolerance::ROUNDING,
        "train_accuracy" | "test_accuracy" => Tolerance::absolute(0.005),
        _ => Tolerance {
            absolute: 1e-4,
            relative: 1e-3,
        },
    },
    // The ratios at both ends, and what is not as the notebook has it.
    said: |value| match value.name.as_str() {
        "normalized" | "chi_normalized" => {
            let epoch = value.place.get("epoch");
            epoch.is_some_and(|epoch| *epoch == 0 || *epoch == EPOCHS)
        }
        "outside_unit_interval" => value.value > 0.0,
        _ => false,
    },
    run,
};

/// A measure of what two classes share, over what it is said to be at most.
#[derive(Clone, Copy)]
struct Ratio {
    /// Its name in `results.json`.
    name: &'static str,
    /// Its name over panels, and the formula that axes write.
    title: &'static str,
    formula: &'static str,
    /// The value; none where it divides by zero.
    of: fn(&Pair) -> Option<f64>,
}

/// The notebook's measure.
const INFORMATION: Ratio = Ratio {
    name: "normalized",
    title: "Normalised mutual information",
    formula: "2 I / (S(X) + S(Y))",
    of: Pair::normalized,
};
const HOLEVO: Ratio = Ratio {
    name: "chi_normalized",
    title: "Holevo quantity",
    formula: "χ / H₂(p)",
    of: Pair::chi_normalized,
};
const RATIOS: [Ratio; 2] = [INFORMATION, HOLEVO];

impl Ratio {
    /// Returns the value; NaN where it divides by zero, which a kernel of several outputs does not:
    /// the last biases alone give each sample as many equal eigenvalues as there are outputs.
    fn get(self, pair: &Pair) -> f64 {
        (self.of)(pair).unwrap_or(f64::NAN)
    }
}

/// What is trained on, tested on, and measured; all in file order.
struct DigitSets {
    train: Images,
    test: Images,
    classes: Images,
    digits: Images,
}

fn run(context: &Context<'_>) -> Result<Findings, Failure> {
    let (set, progress) = (context.set, context.progress);
    let first = set.train.first(TRAIN)?;
    let all: Vec<u8> = (0..DIGITS as u8).collect();
    let sets = DigitSets {
        classes: Images::vectors(first.first_per_class(PER_CLASS, &CLASSES)?)?,
        digits: Images::vectors(set.train.first_per_class(PER_DIGIT, &all)?)?,
        test: Images::vectors(set.test.first(TEST)?)?,
        train: Images::vectors(first)?,
    };
    let seeds = context.seeds(context.by_scale(3, 10, 50));
    let infinite = context.timed("infinite", || infinite::run(&sets, progress))?;
    let networks = context.timed("networks", || training::run(&seeds, &sets, progress))?;
    let rows = sets.digits.split.rows.iter();
    let among = rows.filter(|&&row| row < TRAIN).count();
    Ok(Findings {
        settings: json!({
            "pixels": "x/255",
            "train_images": format!("the first {TRAIN}"),
            "test_images": format!("the first {TEST}"),
            "classes": {
                "classes": CLASSES,
                "images_per_class": PER_CLASS,
                "rows": sets.classes.split.rows,
            },
            "digits": format!(
                "the first {PER_DIGIT} of each in the training file, {among} of them among those trained on"
            ),
            "kernel": "empirical NTK of all 10 outputs, over its trace",
            "network": training::describe(&seeds),
        }),
        values: values::all(&networks, &infinite),
        figures: figures::all(&networks, &infinite),
    })
}

/// Makes the network, whose biases start at zero and are trained.
fn network() -> Network {
    // Biases are there if they have a standard deviation; squared it is nothing beside rounding.
    let layer = |width| dense().width(width).b_std(1e-9);
    Network::new()
        .then(layer(32))
        .then(relu())
        .then(layer(32))
        .then(relu())
        .then(layer(DIGITS))
        .parameterization(Parameterization::Standard)
}
