//! A function that is predicted, scores against depth, maps of variances, and scores against errors.

use super::Failure;
use super::choice::{Among, CRITERIA, Choice};
use super::depths::Learned;
use super::grid::{BIASES, KINDS, Map, WEIGHTS};
use super::model::{Kind, Scores};
use super::problem::Problem;
use crate::experiments::study::{AllSeries, BLACK, Captioned, captioned, level, points, row};
use ndarray::{Array2, Axis};
use ntk_plots::{HeatMap, LineChart, Scale, Series};

/// A score: its name, and the number.
type Score = (&'static str, fn(&Scores) -> f64);

const SCORES: [Score; 4] = [
    ("evidence", |scores| scores.evidence),
    ("leave one out", |scores| scores.leave_one_out),
    ("test log density", |scores| scores.test_log_density),
    ("test error", |scores| scores.test_error),
];
/// The numbers of those that maps have.
const ON_MAPS: [usize; 3] = [0, 1, 3];

pub(super) fn all(
    problems: &[Problem],
    learned: &[Learned],
    maps: &[Map],
    choices: &[Choice],
) -> Result<Vec<Captioned>, Failure> {
    let mut figures = vec![captioned(
        "function",
        "The sum of sines: what the network of the largest and that of the smallest evidence make of the training \
         samples. Bands are two standard deviations of a new target.",
        row(functions(&problems[0], learned)?),
    )];
    let of_depth = problems
        .iter()
        .flat_map(|problem| SCORES.map(|score| depth(problem, learned, score)));
    figures.push(captioned(
        "depth",
        "Scores by the training samples (evidence, leave one out) and by the test samples, in nats a target and as mean \
         squared error over the targets' variance, against the number of hidden layers. Each network has the w_std, \
         b_std, noise and scale of outputs of its largest evidence. Dashed: the noise, below which no error is but by luck.",
        row(of_depth).columns(SCORES.len()).panel_width(270),
    ));
    for kind in KINDS {
        let own = maps.iter().filter(|map| map.kind == kind);
        let depth = own.clone().map(|map| map.learned.depth).max().unwrap_or(0);
        let panels = own.flat_map(|map| ON_MAPS.map(|score| heat(map, SCORES[score])));
        figures.push(captioned(
            &format!("variances-{}", kind.name()),
            format!(
                "Networks of {depth} hidden layers of {}: scores against the standard deviations of weights and \
                 biases, with noise and scale of outputs of the largest evidence in each cell. The line is the edge of \
                 chaos, chi_1 = 1: order is to its left. The mark is what all hyperparameters learned together come to, \
                 at the edge where it is beyond. Of errors, the worst have one colour.",
                kind.name()
            ),
            row(panels).columns(ON_MAPS.len()).panel_width(310),
        ));
    }
    let panels = CRITERIA
        .iter()
        .flat_map(|by| problems.iter().map(move |problem| (by, problem)));
    let panels = panels.map(|(by, problem)| {
        let of = |choice: &&Choice| choice.problem == problem.name && choice.by.0 == by.0;
        against(
            problem,
            learned,
            maps,
            &choices.iter().filter(of).collect::<Vec<_>>(),
        )
    });
    figures.push(captioned(
        "choice",
        "Test errors against what models are chosen by: networks of all depths and activations, and the cells of the \
         maps. In brackets Spearman's rank correlation, which is -1 where the choice orders all models rightly.",
        row(panels).columns(problems.len()),
    ));
    Ok(figures)
}

/// Draws what the best and the worst network make of the function of one variable.
fn functions(problem: &Problem, learned: &[Learned]) -> Result<Vec<LineChart>, Failure> {
    let by_evidence = |a: &&Learned, b: &&Learned| {
        let of = |one: &Learned| one.fitted.scores.evidence;
        of(a).total_cmp(&of(b))
    };
    let own = || learned.iter().filter(|one| one.problem == problem.name);
    let both = [
        ("Largest evidence", own().max_by(by_evidence)),
        ("Smallest evidence", own().min_by(by_evidence)),
    ];
    let mut places: Vec<f64> = problem.z.iter().copied().collect();
    places.sort_by(f64::total_cmp);
    let z = Array2::from_shape_vec((places.len(), 1), places.clone())?;
    let mut charts = Vec::new();
    for (title, one) in both {
        let one = one.ok_or("no network was learned")?;
        let (mean, variance) = one.fitted.predict(problem, &z)?;
        let mean = mean.index_axis_move(Axis(1), 0);
        let edge = |sign: f64| -> Vec<f64> {
            let both = mean.iter().zip(&variance);
            both.map(|(mean, v)| mean + sign * 2.0 * v.sqrt()).collect()
        };
        let layers = if one.depth == 1 { "layer" } else { "layers" };
        let samples = problem.x.iter().copied().zip(problem.y.iter().copied());
        let predicted = Series::new("predicted", places.clone(), mean.to_vec());
        let chart = LineChart::new(format!(
            "{title}: {}, {} {layers}",
            one.kind.name(),
            one.depth
        ))
        .x_label("x")
        .y_label("y")
        .series(predicted.band(edge(-1.0), edge(1.0)))
        .series(
            points("training samples", samples)
                .color(BLACK)
                .points_only(),
        );
        charts.push(chart);
    }
    Ok(charts)
}

/// Draws a score against the number of layers.
fn depth(problem: &Problem, learned: &[Learned], (name, score): Score) -> LineChart {
    let own = || learned.iter().filter(|one| one.problem == problem.name);
    let of = |(color, kind): (usize, Kind)| {
        let own = own().filter(|one| one.kind == kind);
        let own = own.map(|one| (one.depth as f64, score(&one.fitted.scores)));
        points(kind.name(), own).color(color).markers()
    };
    let mut depths: Vec<f64> = own().map(|one| one.depth as f64).collect();
    depths.sort_by(f64::total_cmp);
    depths.dedup();
    let floor = problem.floor().filter(|_| name == "test error");
    let floor = floor.map(|floor| level("", &depths, floor).dashed().color(BLACK));
    LineChart::new(problem.name)
        .x_label("hidden layers")
        .y_label(name)
        .x_ticks(depths.clone())
        .all(Kind::ALL.into_iter().enumerate().map(of))
        .all(floor)
}

/// Draws a score as a map, with the line and what was learned.
fn heat(map: &Map, (name, score): Score) -> HeatMap {
    let values = map.scores.map(score);
    let (low, high) = range(&values, name == "test error");
    let (w_std, b_std) = map.learned.weights_and_biases();
    let learned = [(
        w_std.clamp(WEIGHTS.0, WEIGHTS.1),
        b_std.clamp(BIASES.0, BIASES.1),
    )];
    HeatMap::new(map.problem, values)
        .x_label("w_std")
        .y_label("b_std")
        .bar_label(name)
        .origin_bottom()
        .extent(WEIGHTS, BIASES)
        .color_range(low, high)
        .series(points("edge of chaos", map.line.iter().copied()).color(BLACK))
        .series(points("learned", learned).color(1).points_only())
}

/// The share of cells, the worst, that have one colour.
const WORST: f64 = 0.2;

/// Returns the range of colours: to the best value, and to that of the worst but a share.
fn range(values: &Array2<f64>, least_is_best: bool) -> (f64, f64) {
    let mut sorted: Vec<f64> = values.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len() - 1;
    let aside = (WORST * sorted.len() as f64) as usize;
    let (low, high) = match least_is_best {
        true => (sorted[0], sorted[last - aside]),
        false => (sorted[aside], sorted[last]),
    };
    // A constant map has colours too.
    (
        low,
        if high > low {
            high
        } else {
            low + low.abs().max(1.0)
        },
    )
}

/// Draws test errors against a criterion.
fn against(problem: &Problem, learned: &[Learned], maps: &[Map], choices: &[&Choice]) -> LineChart {
    let (_, name, number) = choices[0].by;
    let of = |choice: &&Choice| {
        let scores: Vec<Scores> = match choice.among {
            Among::Networks => {
                let own = learned.iter().filter(|one| one.problem == problem.name);
                own.map(|one| one.fitted.scores).collect()
            }
            Among::Cells(kind) => {
                let own = maps
                    .iter()
                    .filter(|map| map.problem == problem.name && map.kind == kind);
                own.flat_map(|map| map.scores.iter().copied()).collect()
            }
        };
        let color = match choice.among {
            Among::Networks => BLACK,
            Among::Cells(kind) => Kind::ALL
                .iter()
                .position(|&other| other == kind)
                .unwrap_or(BLACK),
        };
        let pairs = scores
            .iter()
            .map(|scores| (number(scores), scores.test_error));
        points(
            format!("{} ({:.2})", choice.among.name(), choice.spearman),
            pairs,
        )
        .color(color)
        .points_only()
    };
    LineChart::new(problem.name)
        .x_label(format!("{name}, nats a target"))
        .y_label("test error")
        .y_scale(Scale::Log)
        .all(choices.iter().map(of))
}
