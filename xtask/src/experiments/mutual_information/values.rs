//! What `results.json` holds; the figures' arrays have every epoch and all pairs of digits.

use super::digits::mean;
use super::infinite::{Brightened, Infinite};
use super::training::{EPOCHS, Networks, SCORES};
use super::{HOLEVO, INFORMATION, PER_CLASS, PER_DIGIT, Pair, RATIOS, Ratio, Value, at, claim};
use crate::experiments::study::{Curve, Spread};
use ndarray::Array2;
use serde_json::json;

/// The epochs whose numbers are given.
const SHOWN: [usize; 4] = [0, 1, 10, EPOCHS];
/// The beginning of the notes of the notebook's own numbers.
const DRAWN: &str = "in the notebook, and not printed there; ";

pub(super) fn all(networks: &Networks, infinite: &Infinite) -> Vec<Value> {
    let seeds = networks.digits.len();
    let mean_of = |error: f64| format!("mean over {seeds} seeds, standard error {error:.2e}");
    let mut values = Vec::new();
    let mut push = |name: &str, numbers: &Array2<f64>, place: serde_json::Value, lead: &str| {
        let curve = Curve::of(0.., numbers.view());
        for epoch in SHOWN {
            let Spread { mean, error } = curve.y[epoch];
            let value = at(place.clone())
                .and(json!({"epoch": epoch}))
                .value(name, mean);
            values.push(value.note(&format!("{lead}{}", mean_of(error))));
        }
    };
    for (column, numbers) in SCORES.iter().zip(&networks.scores) {
        push(&column.replace('.', "_"), numbers, json!({}), DRAWN);
    }
    let at_classes = |classes: &str| json!({"classes": classes, "images_per_class": PER_CLASS});
    for (name, classes, numbers) in networks.blocks.quantities() {
        let lead = match name {
            "entropy" | "normalized" => DRAWN,
            _ => "",
        };
        push(name, &numbers, at_classes(&classes), lead);
    }
    for (name, classes, number) in infinite.blocks.quantities() {
        let here = at(at_classes(&classes)).and(json!({"kernel": "infinite"}));
        let note = "where a network of infinite width starts and stays";
        values.push(here.value(name, number[[0, 0]]).note(note));
    }
    for ratio in RATIOS {
        let name = format!("{}_of_all_digits", ratio.name);
        let here = at(json!({"images_per_class": PER_DIGIT}));
        for (when, epoch) in [0, EPOCHS].into_iter().enumerate() {
            let digits = networks.digits.iter().map(|digits| &digits[when]);
            let found = Spread::of(digits.map(|digits| mean(digits, ratio)));
            let note = format!("mean over 45 pairs; {}", mean_of(found.error));
            let here = here.and(json!({"epoch": epoch}));
            values.push(here.value(&name, found.mean).note(&note));
        }
        let here = here.and(json!({"kernel": "infinite"}));
        let found = mean(&infinite.digits, ratio);
        values.push(here.value(&name, found).note("mean over 45 pairs"));
    }
    values.extend(claim::values(networks));
    let ends = infinite.brightened.iter().take(1);
    let ends = ends.chain(infinite.brightened.last());
    values.extend(ends.flat_map(of_brightened));
    values
}

fn of_brightened(found: &Brightened) -> [Value; 3] {
    let value = |ratio: Ratio, kernel: &str, pair: &Pair| {
        let factor = found.factor;
        at(json!({"classes": "(0,1)", "kernel": kernel, "pixels_of_0_times": factor}))
            .value(ratio.name, ratio.get(pair))
            .note("where one class has most of the trace, the notebook's measure is twice the other's share of the entropy")
    };
    [
        value(INFORMATION, "infinite, full", &found.full),
        value(INFORMATION, "infinite, traced", &found.traced),
        value(HOLEVO, "infinite, full or traced", &found.full),
    ]
}
