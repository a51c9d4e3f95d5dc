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
                 chaos, chi_1 = 1: order is to its left. Learned is what all hyperparameters learned together come to, \
                 at the edge where it is beyond; best is \
                 the cell of the map's own best score. The worst fifth of all cells have one colour.",
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
        against(problem, &choices.iter().filter(of).collect::<Vec<_>>())
    });
    figures.push(captioned(
        "choice",
        "Test errors against what models are chosen by: networks of all depths and activations, and the cells of the \
         maps. The worst fifth is \
         beyond the axes. In brackets Spearman's rank correlation of all, which is -1 where the choice orders them rightly.",
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
    let of = |kind: Kind| {
        let own = own().filter(|one| one.kind == kind);
        let own = own.map(|one| (one.depth as f64, score(&one.fitted.scores)));
        points(kind.name(), own).color(place(kind)).markers()
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
        .all(Kind::ALL.into_iter().map(of))
        .all(floor)
}

/// Draws a score as a map, with the line, the best cell and what was learned.
fn heat(map: &Map, (name, score): Score) -> HeatMap {
    let values = map.scores.map(score);
    let least_is_best = name == "test error";
    let (low, high) = range(&values, least_is_best);
    let sign = if least_is_best { -1.0 } else { 1.0 };
    let cells = values.indexed_iter();
    let best = cells.max_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1)));
    let best = best.map(|(at, _)| map.cell(at));
    HeatMap::new(format!("{}: {name}", map.problem), values)
        .x_label("w_std")
        .y_label("b_std")
        .origin_bottom()
        .extent(WEIGHTS, BIASES)
        .color_range(low, high)
        .series(points("edge of chaos", map.line.iter().copied()).color(BLACK))
        .series(
            points("learned", [map.learned_in_view()])
                .color(1)
                .points_only(),
        )
        .series(points("best cell", best).color(BLACK).points_only())
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

/// Draws test errors against a criterion, of all but the models it calls worst.
fn against(problem: &Problem, choices: &[&Choice]) -> LineChart {
    let name = choices.first().map_or("", |choice| choice.by.1);
    let of = |choice: &&Choice| {
        let color = match choice.among {
            Among::Networks => BLACK,
            Among::Cells(kind) => place(kind),
        };
        let name = format!("{} ({:.2})", choice.among.name(), choice.spearman);
        let pairs = points(name, choice.pairs.iter().copied());
        pairs.color(color).points_only()
    };
    let all = choices.iter().flat_map(|choice| &choice.pairs);
    let by = Array2::from_shape_vec((1, all.clone().count()), all.clone().map(|p| p.0).collect());
    let (low, high) = by.map_or((0.0, 1.0), |by| range(&by, false));
    let chosen = all.filter(|pair| pair.0 >= low).map(|pair| pair.1);
    let (best, worst) = chosen.fold((f64::INFINITY, 0.0_f64), |(low, high), v| {
        (low.min(v), high.max(v))
    });
    let margin = 0.05 * (high - low);
    LineChart::new(problem.name)
        .x_label(format!("{name}, nats a target"))
        .y_label("test error")
        .y_scale(Scale::Log)
        .x_range(low - margin, high + margin)
        .y_range(0.95 * best, 1.05 * worst)
        .all(choices.iter().map(of))
}

/// Returns the place of the activation's colour, which is the same in all figures.
fn place(kind: Kind) -> usize {
    Kind::ALL
        .iter()
        .position(|&other| other == kind)
        .unwrap_or(BLACK)
}
