//! Maps over the standard deviations of weights and biases, with the line between order and chaos.

use super::depths::{self, Learned};
use super::model::{Kind, Scores, learn, starts};
use super::problem::Problem;
use super::{Context, Failure, Value, at};
use crate::experiments::study::{of_two, sweep};
use ndarray::{Array2, Array3, Axis};
use ntk_kernels::evidence::Optimiser;
use ntk_kernels::mean_field::{critical_w_std, fixed_point};
use serde_json::{Value as Json, json};

/// The activations of maps.
pub(super) const KINDS: [Kind; 2] = [Kind::Relu, Kind::Erf];
/// The edges of the maps.
pub(super) const WEIGHTS: (f64, f64) = (0.2, 3.5);
pub(super) const BIASES: (f64, f64) = (0.0, 3.0);
/// What is learned at each place.
const NAMES: [&str; 2] = ["noise", "output_scale"];
/// The number of places at which the line is computed.
const LINE: usize = 31;

pub(super) struct Sizes {
    /// The number of w_std and of b_std.
    cells: (usize, usize),
    depth: usize,
    /// The most training samples.
    most: usize,
}

impl Sizes {
    pub(super) fn new(context: &Context<'_>) -> Self {
        Self {
            cells: context.by_scale((5, 4), (18, 12), (30, 18)),
            depth: 3,
            most: context.by_scale(100, 200, 1000),
        }
    }

    pub(super) fn describe(&self) -> Json {
        json!({
            "w_std": {"from": WEIGHTS.0, "to": WEIGHTS.1, "cells": self.cells.0},
            "b_std": {"from": BIASES.0, "to": BIASES.1, "cells": self.cells.1},
            "depth": self.depth,
            "activations": KINDS.map(Kind::name),
            "most_samples": self.most,
            "learned_in_each_cell": NAMES,
        })
    }
}

/// The scores of one activation for one problem.
pub(super) struct Map {
    pub(super) problem: &'static str,
    pub(super) kind: Kind,
    /// The scores in the middles of cells, (b_std, w_std).
    pub(super) scores: Array2<Scores>,
    /// What was learned from the same samples.
    pub(super) learned: Learned,
    /// chi_1 of it, or at the map's edge where it is beyond.
    chi: f64,
    /// The critical w_std and its b_std.
    pub(super) line: Vec<(f64, f64)>,
}

impl Map {
    /// Returns the w_std and the b_std of a cell.
    pub(super) fn cell(&self, (row, column): (usize, usize)) -> (f64, f64) {
        let (rows, columns) = self.scores.dim();
        (middle(WEIGHTS, column, columns), middle(BIASES, row, rows))
    }

    /// Returns what was learned, brought to the map's edge where it is beyond.
    pub(super) fn learned_in_view(&self) -> (f64, f64) {
        in_view(&self.learned)
    }

    pub(super) fn values(&self) -> Vec<Value> {
        let here = json!({"data": self.problem, "activation": self.kind.name(), "of": "map"});
        let here = at(here);
        let (w_std, b_std) = self.learned_in_view();
        let mut values = self.learned.values_at(&here);
        let note = "as learned, or at the map's edge where that is beyond";
        values.extend([
            here.value("w_std", w_std).note(note),
            here.value("b_std", b_std).note(note),
            here.value("chi", self.chi)
                .note("there; 1 at the edge of chaos"),
        ]);
        values
    }
}

/// Returns the w_std and the b_std that were learned, brought to the map's edge where they are beyond.
fn in_view(learned: &Learned) -> (f64, f64) {
    let (w_std, b_std) = learned.weights_and_biases();
    (
        w_std.clamp(WEIGHTS.0, WEIGHTS.1),
        b_std.clamp(BIASES.0, BIASES.1),
    )
}

/// Returns the middle of cell `i` of `n`.
fn middle((low, high): (f64, f64), i: usize, n: usize) -> f64 {
    low + (high - low) * (i as f64 + 0.5) / n as f64
}

/// Computes the line between order and chaos, over all b_std of the maps.
fn line(kind: Kind) -> Result<Vec<(f64, f64)>, Failure> {
    let (low, high) = BIASES;
    let one = |i: usize| -> Result<(f64, f64), Failure> {
        let b_std = low + (high - low) * i as f64 / (LINE - 1) as f64;
        Ok((critical_w_std(&kind.activation(), b_std)?, b_std))
    };
    (0..LINE).map(one).collect()
}

/// Learns noise and scale in each cell of all maps, and all else besides.
pub(super) fn run(
    sizes: &Sizes,
    problems: &[Problem],
    context: &Context<'_>,
) -> Result<Vec<Map>, Failure> {
    let (columns, rows) = sizes.cells;
    let problems: Vec<Problem> = problems.iter().map(|p| p.first(sizes.most)).collect();
    let pairs = of_two(&problems, KINDS);
    let of_depths = depths::Sizes::new(context);
    let learned = sweep(
        "optima",
        &pairs,
        |(problem, _)| problem.x.nrows(),
        context.progress,
        |&(problem, kind), inside| of_depths.learn(problem, kind, sizes.depth, inside),
    )?;
    let jobs = of_two(pairs.iter().copied(), of_two(0..rows, 0..columns));
    let scores = sweep(
        "maps",
        &jobs,
        |((problem, _), _)| problem.x.nrows(),
        context.progress,
        |&((problem, kind), (row, column)), inside| {
            let w_std = middle(WEIGHTS, column, columns);
            let b_std = middle(BIASES, row, rows);
            let network = kind.network(sizes.depth, w_std, b_std);
            let optimiser = Optimiser::default().tolerance(1e-3).most_evaluations(40);
            let from = starts(&network, problem)?;
            Ok(learn(&network, &NAMES, &from, &optimiser, problem, inside)?.scores)
        },
    )?;
    let scores = Array3::from_shape_vec((pairs.len(), rows, columns), scores)?;
    let maps = pairs.iter().zip(learned).zip(scores.axis_iter(Axis(0)));
    let map = |((&(problem, kind), learned), scores): ((&(&Problem, Kind), Learned), _)| {
        let (w_std, b_std) = in_view(&learned);
        let scores: ndarray::ArrayView2<'_, Scores> = scores;
        Ok(Map {
            problem: problem.name,
            kind,
            chi: fixed_point(&kind.activation(), w_std, b_std)?.chi,
            learned,
            scores: scores.to_owned(),
            line: line(kind)?,
        })
    };
    maps.map(map).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_fill_the_range() {
        let found: Vec<f64> = (0..4).map(|i| middle((1.0, 3.0), i, 4)).collect();
        assert_eq!(found, [1.25, 1.75, 2.25, 2.75]);
    }

    /// Relu is critical at `w_std = sqrt 2` whatever the biases, erf without them at the inverse of its
    /// slope, and above that with them.
    #[test]
    fn the_lines_are_in_view() {
        for kind in KINDS {
            let line = line(kind).unwrap();
            assert_eq!(line.len(), LINE);
            for &(w_std, b_std) in &line {
                assert!(WEIGHTS.0 < w_std && w_std < WEIGHTS.1);
                assert!((BIASES.0..=BIASES.1).contains(&b_std));
                if kind == Kind::Relu {
                    assert!((w_std - std::f64::consts::SQRT_2).abs() < 1e-12);
                }
            }
            let slope = std::f64::consts::FRAC_2_SQRT_PI;
            if kind == Kind::Erf {
                assert!((line[0].0 - 1.0 / slope).abs() < 1e-9);
                assert!(line.windows(2).all(|two| two[0].0 < two[1].0));
            }
        }
    }
}
