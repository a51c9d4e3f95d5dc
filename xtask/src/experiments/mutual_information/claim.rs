//! Whether the ratios lie between 0 and 1, as the notebook says of its own.

use super::digits::{KINDS, two};
use super::training::{EPOCHS, Networks};
use super::{CLASSES, PER_CLASS, Pair, RATIOS, Ratio, Value, at};
use serde_json::{Value as Json, json};

/// What a ratio may be off by: entropies of some hundred eigenvalues are known to some hundred
/// times the precision of one.
const ROUNDING: f64 = 1e-12;

/// Counts the values of one ratio that are not between 0 and 1.
fn outside(ratio: Ratio, pairs: &[&Pair], place: &Json) -> Value {
    let values: Vec<f64> = pairs.iter().filter_map(|pair| (ratio.of)(pair)).collect();
    let count = |is: fn(f64) -> bool| values.iter().filter(|&&v| is(v)).count();
    let (total, undefined) = (pairs.len(), pairs.len() - values.len());
    let (negative, above) = (count(|v| v < -ROUNDING), count(|v| v > 1.0 + ROUNDING));
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = match values.is_empty() {
        true => String::new(),
        false => format!("; from {low:.4} to {high:.4}"),
    };
    at(place.clone())
        .and(json!({"measure": ratio.name}))
        .value("outside_unit_interval", (negative + above + undefined) as f64)
        .note(&format!(
            "of {total} pairs, {negative} negative, {above} above 1, {undefined} divided by zero{range}"
        ))
}

/// Counts over the classes at all epochs, and over all pairs of digits before and after, for all
/// seeds.
pub(super) fn values(networks: &Networks) -> Vec<Value> {
    let both = |pairs: Vec<&Pair>, place: Json| RATIOS.map(|ratio| outside(ratio, &pairs, &place));
    let along = networks.blocks.pairs.iter().flatten().collect();
    let place = json!({
        "kernel": "full",
        "images_per_class": PER_CLASS,
        "classes": CLASSES,
        "epoch": "all",
    });
    let mut values = Vec::from(both(along, place));
    for (k, kind) in KINDS.iter().enumerate() {
        for (when, epoch) in [0, EPOCHS].into_iter().enumerate() {
            let seeds = networks.digits.iter();
            let pairs = seeds.flat_map(|digits| two(&digits[when][k])).collect();
            let place = json!({
                "kernel": kind.name(),
                "images_per_class": kind.per_digit,
                "classes": "all digits",
                "epoch": epoch,
            });
            values.extend(both(pairs, place));
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::super::{HOLEVO, INFORMATION};
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
        let value = outside(INFORMATION, &pairs, &json!({"epoch": 3}));
        assert_eq!((value.value, &value.place["epoch"]), (3.0, &json!(3)));
        // 10 (0.1 - ln 2) is -5.9315.
        let note = "of 4 pairs, 1 negative, 1 above 1, 1 divided by zero; from -5.9315 to 1.5000";
        assert_eq!(value.note, note);
        let holevo = outside(HOLEVO, &pairs[..2], &json!({}));
        let note = "of 2 pairs, 0 negative, 0 above 1, 0 divided by zero; from 1.0000 to 1.0000";
        assert_eq!((holevo.value, holevo.note.as_str()), (0.0, note));
    }

    #[test]
    fn nothing_has_no_range() {
        let of = |pairs: &[&Pair]| outside(INFORMATION, pairs, &json!({}));
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
