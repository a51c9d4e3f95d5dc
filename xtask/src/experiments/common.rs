//! What several experiments do.

use ntk_cli::results::FigureInfo;
use ntk_plots::Figure;
use serde_json::{Map, Value as Json, json};
use std::time::Instant;

/// A figure with its file name and caption.
pub(super) type Captioned = (FigureInfo, Figure);

/// What `work` returns; its seconds are noted under `name`.
pub(super) fn timed<R>(seconds: &mut Map<String, Json>, name: &str, work: impl FnOnce() -> R) -> R {
    let begun = Instant::now();
    let result = work();
    seconds.insert(name.into(), json!(begun.elapsed().as_secs_f64()));
    result
}

/// The settings, as what `json!` makes of an object.
pub(super) fn settings(object: Json) -> Map<String, Json> {
    match object {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

pub(super) fn captioned(stem: &str, caption: &str, figure: Figure) -> Captioned {
    let info = FigureInfo {
        stem: stem.into(),
        caption: caption.into(),
    };
    (info, figure)
}

/// Mean, and the standard error of the mean: s/sqrt(k) with s^2 dividing by k - 1. NaN of nothing;
/// one value alone shows no error, which is then 0.
pub(super) fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let k = values.len() as f64;
    let mean = values.iter().sum::<f64>() / k;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, (squares / (k - 1.0).max(1.0) / k).sqrt())
}

/// Share of true among answers; 0 of none.
pub(super) fn share(answers: impl ExactSizeIterator<Item = bool>) -> f64 {
    let n = answers.len();
    answers.filter(|&a| a).count() as f64 / n.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn errors_are_of_the_mean() {
        let (mean, error) = mean_and_error(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_relative_eq!(mean, 3.0);
        assert_relative_eq!(error, 0.5_f64.sqrt());
        assert_eq!(mean_and_error(&[2.0; 3]), (2.0, 0.0));
        assert_eq!(mean_and_error(&[1.0]), (1.0, 0.0));
        assert!(mean_and_error(&[]).0.is_nan());
    }
}
