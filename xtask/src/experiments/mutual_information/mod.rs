//! mutual-information: what classes of digits share in the kernel of a network that is trained.
//!
//! MNIST, the first 100 images; a small dense network; von Neumann entropies of the blocks of its
//! full empirical kernel. `I(X;Y) = S(X) + S(Y) - S(X,Y)` over the mean entropy, as the notebook
//! has it, and beside it the Holevo quantity `chi` (see [`ntk_entropy::mutual_information`]),
//! which is confined as the other is said to be.

mod claim;
mod digits;
mod figures;
mod infinite;
mod ratio;
mod seeds;
mod training;
mod values;

use super::common::{Captioned, captioned, settings, timed};
use super::{Context, Experiment, Scale, Tolerance};
use crate::Failure;
use claim::Range;
use ndarray::Array2;
use ntk_cli::results::{Outcome, Value};
use ntk_data::{PixelScaling, Split, targets};
use ntk_entropy::MutualInformation as Pair;
use ntk_kernels::network::{Network, Parameterization, dense, relu};
use ratio::Ratio;
use serde_json::{Map, Value as Json, json};
use training::{EPOCHS, History};

/// Training images.
const TRAIN: usize = 100;
/// Test images.
const TEST: usize = 1000;
/// Digits, and so outputs.
const DIGITS: usize = 10;
/// The classes that are followed in time, and how many images of each.
const CLASSES: [u8; 3] = [0, 1, 8];
const PER_CLASS: usize = 2;
/// Images of each digit where all pairs are compared.
const PER_DIGIT: usize = 10;

pub(super) static EXPERIMENT: Experiment = Experiment {
    name: "mutual-information",
    question: "What do the images of one class say about those of another in the kernel of a network, and \
     what does training make of it?",
    data: "mnist",
    seconds: [3.0, 8.0, 60.0],
    tolerance,
    run,
};

fn tolerance(value: &Value) -> Tolerance {
    match value.name.as_str() {
        // How many of some hundred pairs.
        "outside_unit_interval" => Tolerance::absolute(2.0),
        _ if value.place.contains_key("kernel") => Tolerance::ROUNDING,
        "train_accuracy" | "test_accuracy" => Tolerance::absolute(0.005),
        _ => Tolerance {
            absolute: 1e-4,
            relative: 1e-3,
        },
    }
}

fn run(context: &Context<'_>) -> Result<Outcome, Failure> {
    let mut seconds = Map::new();
    let set = context.set;
    let first = set.train.first(TRAIN)?;
    let all: Vec<u8> = (0..DIGITS as u8).collect();
    let images = Sets {
        classes: Images::new(&first.first_per_class(PER_CLASS, &CLASSES)?)?,
        digits: Images::new(&set.train.first_per_class(PER_DIGIT, &all)?)?,
        test: Images::new(&set.test.first(TEST)?)?,
        train: Images::new(&first)?,
    };
    let seeds = seeds(context);
    let infinite = timed(&mut seconds, "infinite", || {
        infinite::run(&images, context.progress)
    })?;
    let runs = timed(&mut seconds, "networks", || {
        training::run(&seeds, &images, context.progress)
    })?;
    let ranges = claim::ranges(&runs);
    say(&runs, &ranges, context);

    Ok(Outcome {
        settings: all_settings(&seeds, &images),
        seconds,
        values: values::all(&runs, &infinite, &ranges),
        figures: figures::all(&figures::Found {
            runs: &runs,
            infinite: &infinite,
        }),
    })
}

/// The pairs of classes at both ends, and where the ratios lie.
fn say(runs: &[History], ranges: &[Range], context: &Context<'_>) {
    for (i, classes) in values::pairs_of_classes().iter().enumerate() {
        for of in Ratio::BOTH {
            let spread = seeds::over_seeds(runs, |run| {
                let ends = [0, EPOCHS].map(|epoch| &run.entropies[epoch].pairs[i]);
                ends.map(|pair| values::ratio(of, pair)).into()
            });
            context.progress.say(&format!(
                "  {:<6} {:<15} before {:.4} +- {:.4}, after {:.4} +- {:.4}",
                training::name(classes),
                of.as_str(),
                spread.mean[0],
                spread.error[0],
                spread.mean[1],
                spread.error[1],
            ));
        }
    }
    for line in ranges.iter().filter_map(Range::say) {
        context.progress.say(&line);
    }
}

fn all_settings(seeds: &[u64], images: &Sets) -> Map<String, Json> {
    let among = images
        .digits
        .rows
        .iter()
        .filter(|&&row| row < TRAIN)
        .count();
    settings(json!({
        "pixels": "x/255",
        "train_images": format!("the first {TRAIN}"),
        "test_images": format!("the first {TEST}"),
        "classes": {
            "classes": CLASSES,
            "images_per_class": PER_CLASS,
            "rows": images.classes.rows,
        },
        "digits": format!(
            "the first {PER_DIGIT} of each in the training file, {among} of them among those trained on"
        ),
        "kernel": "empirical NTK of all 10 outputs, over its trace",
        "network": training::describe(seeds),
    }))
}

/// Which networks are trained.
fn seeds(context: &Context<'_>) -> Vec<u64> {
    let count = match context.scale {
        Scale::Quick => 3,
        Scale::Standard => 10,
        Scale::Full => 50,
    };
    (0..count).map(|i| context.seed.wrapping_add(i)).collect()
}

/// Biases start at zero and are trained.
fn network() -> Network {
    // Biases are there if they have a standard deviation; squared it is nothing beside rounding.
    let b_std = 1e-9;
    Network::new()
        .then(dense().width(32).b_std(b_std))
        .then(relu())
        .then(dense().width(32).b_std(b_std))
        .then(relu())
        .then(dense().width(DIGITS).b_std(b_std))
        .parameterization(Parameterization::Standard)
}

/// What is trained on, tested on, and measured.
struct Sets {
    train: Images,
    test: Images,
    classes: Images,
    digits: Images,
}

/// Images as inputs (n, pixels) and targets (n, digits), in file order.
struct Images {
    /// Their places in the file.
    rows: Vec<usize>,
    labels: Vec<usize>,
    x: Array2<f64>,
    y: Array2<f64>,
}

impl Images {
    fn new(split: &Split) -> Result<Self, Failure> {
        Ok(Self {
            rows: split.rows.clone(),
            x: split.inputs(PixelScaling::Unit),
            y: targets::one_hot(split.labels.view(), DIGITS)?,
            labels: split
                .labels
                .iter()
                .map(|&label| usize::from(label))
                .collect(),
        })
    }
}
