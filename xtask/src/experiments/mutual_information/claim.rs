//! Whether the ratios lie between 0 and 1, as the notebook says of its own.

use super::digits::{KINDS, two};
use super::ratio::Ratio;
use super::training::{EPOCHS, History};
use super::{CLASSES, PER_CLASS, Pair, Value};
use serde_json::{Map, Value as Json, json};

/// What a ratio may be off by: entropies of some hundred eigenvalues are known to some hundred
/// times the precision of one.
const ROUNDING: f64 = 1e-12;

/// Where the values of one ratio lie.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Range {
    ratio: Ratio,
    /// Of which pairs.
    place: Map<String, Json>,
    total: usize,
    negative: usize,
    above: usize,
    undefined: usize,
    low: f64,
    high: f64,
}

impl Range {
    fn new(ratio: Ratio, pairs: &[&Pair], place: Json) -> Self {
        let values: Vec<f64> = pairs.iter().filter_map(|pair| ratio.of(pair)).collect();
        let count = |is: fn(f64) -> bool| values.iter().filter(|&&v| is(v)).count();
        Self {
            ratio,
            place: super::settings(place),
            total: pairs.len(),
            negative: count(|v| v < -ROUNDING),
            above: count(|v| v > 1.0 + ROUNDING),
            undefined: pairs.len() - values.len(),
            low: values.iter().copied().fold(f64::INFINITY, f64::min),
            high: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }

    /// How many are not between 0 and 1.
    fn outside(&self) -> usize {
        self.negative + self.above + self.undefined
    }

    pub(super) fn value(&self) -> Value {
        let mut value = Value::new("outside_unit_interval", [], self.outside() as f64);
        value.place.clone_from(&self.place);
        value
            .place
            .insert("measure".into(), json!(self.ratio.as_str()));
        let range = if self.undefined < self.total {
            format!("; from {:.4} to {:.4}", self.low, self.high)
        } else {
            String::new()
        };
        value.note(&format!(
            "of {} pairs, {} negative, {} above 1, {} divided by zero{range}",
            self.total, self.negative, self.above, self.undefined
        ))
    }

    /// A line for people of what is not as the notebook has it.
    pub(super) fn say(&self) -> Option<String> {
        let value = self.value();
        let place: Vec<String> = value
            .place
            .iter()
            .map(|(k, v)| format!("{k} {v}"))
            .collect();
        let place = place.join(", ").replace('"', "");
        let line = format!("  {place}: {} not in [0, 1] {}", self.outside(), value.note);
        (self.outside() > 0).then_some(line)
    }
}

/// Of the classes at all epochs, and of all pairs of digits before and after, for all seeds.
pub(super) fn ranges(runs: &[History]) -> Vec<Range> {
    let along = runs.iter().flat_map(|run| &run.entropies);
    let along: Vec<&Pair> = along.flat_map(|at| &at.pairs).collect();
    let place = json!({
        "kernel": "full",
        "images_per_class": PER_CLASS,
        "classes": CLASSES,
        "epoch": "all",
    });
    let mut ranges: Vec<Range> = Ratio::BOTH
        .map(|ratio| Range::new(ratio, &along, place.clone()))
        .into();
    for (k, kind) in KINDS.iter().enumerate() {
        for (when, epoch) in [0, EPOCHS].into_iter().enumerate() {
            let pairs = runs.iter().flat_map(|run| two(&run.digits[when].0[k]));
            let pairs: Vec<&Pair> = pairs.collect();
            let place = json!({
                "kernel": kind.name(),
                "images_per_class": kind.per_digit,
                "classes": "all digits",
                "epoch": epoch,
            });
            ranges.extend(Ratio::BOTH.map(|ratio| Range::new(ratio, &pairs, place.clone())));
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(entropy_x: f64, entropy_y: f64, joint: f64, p: f64) -> Pair {
        Pair {
            entropy_x,
            entropy_y,
            joint,
            p,
        }
    }

    #[test]
    fn negative_above_one_and_undefined_are_told_apart() {
        let ln2 = 2.0_f64.ln();
        let pairs = [
            // Two orthogonal samples of one trace: S of each alone is zero.
            pair(0.0, 0.0, ln2, 0.5),
            // Entropies of 0.1, orthogonal: I = 0.1 - ln 2.
            pair(0.1, 0.1, 0.1 + ln2, 0.5),
            // Y is next to nothing beside X: I = S(Y).
            pair(0.5, 1.5, 0.5, 1.0 - 1e-9),
            pair(1.0, 1.0, 1.0, 0.5),
        ];
        let pairs: Vec<&Pair> = pairs.iter().collect();
        let range = Range::new(Ratio::Information, &pairs, json!({"epoch": 3}));
        assert_eq!((range.negative, range.above, range.undefined), (1, 1, 1));
        assert_eq!(range.value().value, 3.0);
        assert!((range.low - 10.0 * (0.1 - ln2)).abs() < 1e-14);
        assert_eq!(range.high, 1.5);
        assert_eq!(range.value().place["epoch"], 3);
        let holevo = Range::new(Ratio::Holevo, &pairs[..2], json!({}));
        assert_eq!((holevo.outside(), holevo.total), (0, 2));
        assert!((holevo.low - 1.0).abs() < 1e-15 && (holevo.high - 1.0).abs() < 1e-15);
    }

    #[test]
    fn nothing_has_no_range() {
        let of = |pairs: &[&Pair]| Range::new(Ratio::Information, pairs, json!({})).value();
        assert_eq!(of(&[]).value, 0.0);
        let undefined = pair(0.0, 0.0, 0.5, 0.5);
        let value = of(&[&undefined]);
        assert!(
            value.value == 1.0 && !value.note.contains("from"),
            "{}",
            value.note
        );
    }
}
