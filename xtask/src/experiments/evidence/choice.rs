//! How well the evidence and leaving samples out choose: rank correlations with the test error, and the
//! error of what they choose.

use super::depths::Learned;
use super::grid::Map;
use super::model::{Kind, Scores};
use super::problem::Problem;
use super::{Value, at};
use crate::experiments::study::spearman;
use serde_json::json;

/// What is chosen by: its name, in values and in words, and the number.
pub(super) type Criterion = (&'static str, &'static str, fn(&Scores) -> f64);

/// By what is chosen.
pub(super) const CRITERIA: [Criterion; 2] = [
    ("evidence", "evidence", |scores| scores.evidence),
    ("leave_one_out", "leave one out", |scores| {
        scores.leave_one_out
    }),
];

/// What is chosen among.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Among {
    /// All depths and activations, each with its own hyperparameters.
    Networks,
    /// The cells of the map of an activation.
    Cells(Kind),
}

impl Among {
    pub(super) fn name(self) -> String {
        match self {
            Self::Networks => "depths and activations".into(),
            Self::Cells(kind) => format!("variances, {}", kind.name()),
        }
    }
}

/// What a criterion makes of the models of one problem.
pub(super) struct Choice {
    pub(super) problem: &'static str,
    pub(super) among: Among,
    pub(super) by: Criterion,
    /// The rank correlation of the criterion with the test error, -1 at best; 0 where there is none.
    pub(super) spearman: f64,
    /// The criterion and the test error of each model.
    pub(super) pairs: Vec<(f64, f64)>,
    /// The test error of what is chosen, and the least there is.
    chosen: f64,
    best: f64,
}

impl Choice {
    fn new(problem: &'static str, among: Among, by: Criterion, scores: &[Scores]) -> Option<Self> {
        let pairs: Vec<(f64, f64)> = scores.iter().map(|s| (by.2(s), s.test_error)).collect();
        let chosen = pairs.iter().max_by(|a, b| a.0.total_cmp(&b.0))?.1;
        let best = pairs
            .iter()
            .map(|pair| pair.1)
            .fold(f64::INFINITY, f64::min);
        Some(Self {
            problem,
            among,
            by,
            spearman: spearman(&pairs).unwrap_or(0.0),
            chosen,
            best,
            pairs,
        })
    }

    pub(super) fn values(&self) -> [Value; 3] {
        let by = at(json!({"data": self.problem, "among": self.among.name(), "by": self.by.0}));
        let note = &format!("{:.3} is the least", self.best);
        [
            by.value("spearman", self.spearman)
                .note("with the test error; -1 orders all models rightly"),
            by.value("chosen_test_error", self.chosen).note(note),
            by.value("test_error_over_least", self.chosen / self.best),
        ]
    }
}

/// Makes all choices.
pub(super) fn all(problems: &[Problem], learned: &[Learned], maps: &[Map]) -> Vec<Choice> {
    let mut all = Vec::new();
    for problem in problems {
        let networks = learned.iter().filter(|one| one.problem == problem.name);
        let networks = networks.map(|one| one.fitted.scores).collect();
        let mut sets: Vec<(Among, Vec<Scores>)> = vec![(Among::Networks, networks)];
        let maps = maps.iter().filter(|map| map.problem == problem.name);
        sets.extend(maps.map(|map| (Among::Cells(map.kind), map.scores.iter().copied().collect())));
        for (among, scores) in sets {
            let of = |by| Choice::new(problem.name, among, by, &scores);
            all.extend(CRITERIA.into_iter().filter_map(of));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_of_the_largest() {
        let scores = |evidence, leave_one_out, test_error| Scores {
            evidence,
            leave_one_out,
            test_error,
            test_log_density: 0.0,
        };
        let all = [
            scores(1.0, 3.0, 0.3),
            scores(3.0, 1.0, 0.2),
            scores(2.0, 2.0, 0.1),
        ];
        let of = |by: usize| Choice::new("", Among::Networks, CRITERIA[by], &all).unwrap();
        assert_eq!((of(0).chosen, of(0).best, of(0).spearman), (0.2, 0.1, -0.5));
        assert_eq!((of(1).chosen, of(1).best, of(1).spearman), (0.3, 0.1, 0.5));
        assert!(Choice::new("", Among::Networks, CRITERIA[0], &[]).is_none());
    }
}
