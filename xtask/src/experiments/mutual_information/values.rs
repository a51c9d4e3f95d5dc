//! What `results.json` holds; the figures' arrays have every epoch and all pairs of digits.

use super::claim::Range;
use super::digits::{Digits, two};
use super::infinite::{Brightened, Infinite};
use super::ratio::Ratio;
use super::seeds::{Spread, over_seeds};
use super::training::{EPOCHS, Entropies, History, combinations, name};
use super::{PER_CLASS, PER_DIGIT, Pair, Value};
use serde_json::{Value as Json, json};

/// Epochs whose numbers are given.
const SHOWN: [usize; 4] = [0, 1, 10, EPOCHS];

/// A kind of number that a pair has, by its name.
type Kind = (&'static str, fn(&Pair) -> f64);

/// What is said of a pair; `normalized` is the notebook's.
const OF_PAIRS: [Kind; 5] = [
    ("mutual_information", Pair::information),
    ("normalized", |pair| ratio(Ratio::Information, pair)),
    ("chi", Pair::chi),
    ("p", |pair| pair.p),
    ("chi_normalized", |pair| ratio(Ratio::Holevo, pair)),
];

/// NaN where it divides by zero, which a kernel of several outputs does not: the last biases
/// alone give each sample as many equal eigenvalues as there are outputs.
pub(super) fn ratio(ratio: Ratio, pair: &Pair) -> f64 {
    ratio.of(pair).unwrap_or(f64::NAN)
}

pub(super) fn all(runs: &[History], infinite: &Infinite, ranges: &[Range]) -> Vec<Value> {
    let mut values = learning(runs);
    values.extend(entropies(runs));
    values.extend(of_infinite(&infinite.entropies));
    values.extend(digits(runs, &infinite.digits));
    values.extend(ranges.iter().map(Range::value));
    let ends = infinite.brightened.iter().take(1);
    let ends = ends.chain(infinite.brightened.last());
    values.extend(ends.flat_map(brightened));
    values
}

/// With what is said of the notebook's own numbers.
fn drawn(value: Value, spread: &Spread, epoch: usize, seeds: usize) -> Value {
    value.note(&format!(
        "in the notebook, and not printed there; {}",
        mean_of(spread.error[epoch], seeds)
    ))
}

fn mean_of(error: f64, seeds: usize) -> String {
    format!("mean over {seeds} seeds, standard error {error:.2e}")
}

fn learning(runs: &[History]) -> Vec<Value> {
    type Row = fn(&History) -> &Vec<f64>;
    let rows: [(&str, Row); 4] = [
        ("train_loss", |run| &run.train_loss),
        ("train_accuracy", |run| &run.train_accuracy),
        ("test_loss", |run| &run.test_loss),
        ("test_accuracy", |run| &run.test_accuracy),
    ];
    let mut values = Vec::new();
    for (name, row) in rows {
        let spread = over_seeds(runs, |run| row(run).clone());
        for epoch in SHOWN {
            let value = Value::new(name, [("epoch", json!(epoch))], spread.mean[epoch]);
            values.push(drawn(value, &spread, epoch, runs.len()));
        }
    }
    values
}

fn entropies(runs: &[History]) -> Vec<Value> {
    let mut values = Vec::new();
    let mut push = |quantity: &str, classes: &[usize], of: &dyn Fn(&Entropies) -> f64| {
        let spread = over_seeds(runs, |run| run.entropies.iter().map(of).collect());
        for epoch in SHOWN {
            let place = [
                ("classes", json!(name(classes))),
                ("images_per_class", json!(PER_CLASS)),
                ("epoch", json!(epoch)),
            ];
            let value = Value::new(quantity, place, spread.mean[epoch]);
            values.push(match quantity {
                "entropy" | "normalized" => drawn(value, &spread, epoch, runs.len()),
                _ => value.note(&mean_of(spread.error[epoch], runs.len())),
            });
        }
    };
    for (i, classes) in combinations().iter().enumerate() {
        push("entropy", classes, &|at| at.alone[i]);
    }
    for (i, classes) in pairs_of_classes().iter().enumerate() {
        for (quantity, of) in OF_PAIRS {
            push(quantity, classes, &|at| of(&at.pairs[i]));
        }
    }
    values
}

/// In the order of [`Entropies::pairs`].
pub(super) fn pairs_of_classes() -> Vec<Vec<usize>> {
    let all = combinations().into_iter();
    all.filter(|classes| classes.len() == 2).collect()
}

fn of_infinite(entropies: &Entropies) -> Vec<Value> {
    let note = "where a network of infinite width starts and stays";
    let value = |quantity: &str, classes: &[usize], value: f64| {
        let place = [
            ("classes", json!(name(classes))),
            ("images_per_class", json!(PER_CLASS)),
            ("kernel", json!("infinite")),
        ];
        Value::new(quantity, place, value).note(note)
    };
    let all = combinations();
    let alone = all.iter().zip(&entropies.alone);
    let mut values: Vec<Value> = alone.map(|(c, &s)| value("entropy", c, s)).collect();
    for (classes, pair) in pairs_of_classes().iter().zip(&entropies.pairs) {
        values.extend(OF_PAIRS.map(|(quantity, of)| value(quantity, classes, of(pair))));
    }
    values
}

/// Means over all pairs of digits.
fn digits(runs: &[History], infinite: &Digits) -> Vec<Value> {
    let mean = |digits: &Digits, of: Ratio| {
        let all: Vec<f64> = two(&digits.0[0]).map(|pair| ratio(of, pair)).collect();
        all.iter().sum::<f64>() / all.len() as f64
    };
    let value = |of: Ratio, key: &str, at: Json, value: f64| {
        let place = [("images_per_class", json!(PER_DIGIT)), (key, at)];
        Value::new(&format!("{}_of_all_digits", of.as_str()), place, value)
    };
    let mut values = Vec::new();
    for of in Ratio::BOTH {
        let spread = over_seeds(runs, |run| {
            run.digits.iter().map(|digits| mean(digits, of)).collect()
        });
        for (when, epoch) in [0, EPOCHS].into_iter().enumerate() {
            let note = format!(
                "mean over 45 pairs; {}",
                mean_of(spread.error[when], runs.len())
            );
            let value = value(of, "epoch", json!(epoch), spread.mean[when]);
            values.push(value.note(&note));
        }
        let value = value(of, "kernel", json!("infinite"), mean(infinite, of));
        values.push(value.note("mean over 45 pairs"));
    }
    values
}

fn brightened(at: &Brightened) -> Vec<Value> {
    let value = |of: Ratio, kernel: &str, pair: &Pair| {
        let place = [
            ("classes", json!("(0,1)")),
            ("kernel", json!(kernel)),
            ("pixels_of_0_times", json!(at.factor)),
        ];
        Value::new(of.as_str(), place, ratio(of, pair))
            .note("where one class has most of the trace, the notebook's measure is twice the other's share of the entropy")
    };
    vec![
        value(Ratio::Information, "infinite, full", &at.full),
        value(Ratio::Information, "infinite, traced", &at.traced),
        value(Ratio::Holevo, "infinite, full or traced", &at.full),
    ]
}
