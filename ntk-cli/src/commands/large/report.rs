//! What a run says, and what it writes.

use super::Solutions;
use super::problems::LoadedProblem;
use super::solve::Solved;
use crate::Failure;
use crate::cli::{Common, Regression};
use crate::environment::Environment;
use crate::files;
use crate::interrupt::check_place;
use crate::out_folder::OutFolder;
use crate::progress::Progress;
use crate::results::{self, DataInfo, FigureInfo, Outcome, Results, Value, accuracy};
use crate::space::size;
use ndarray::Array2;
use ntk_plots::{Figure, LineChart, Scale, Series};
use serde_json::{Map, Value as Json, json};
use std::time::Instant;

/// What is known of a run before it finds anything.
pub(crate) struct About<'a> {
    pub(crate) common: &'a Common,
    pub(crate) of: &'a Regression,
    pub(crate) loaded: &'a LoadedProblem,
    pub(crate) data: DataInfo,
    pub(crate) environment: Environment,
    pub(crate) begun: Instant,
    pub(crate) progress: &'a Progress,
}

/// Makes the folder for results, so that a run does not fail when it is done; no other run writes
/// into it while what this returns lives.
pub(crate) fn prepare(of: &Regression) -> Result<Option<OutFolder>, Failure> {
    let Some(out) = &of.out else {
        return Ok(None);
    };
    files::make_folder(out, "--out")?;
    let place = std::path::absolute(out)?.join(&of.problem);
    check_place(&place)?;
    let store = of.store.as_deref().map(std::path::absolute).transpose()?;
    if store.is_some_and(|store| store.starts_with(&place)) {
        return Err(format!(
            "--store lies in {}, which the results replace; choose another --store or --out",
            place.display()
        )
        .into());
    }
    OutFolder::alone_in(out, &[&of.problem]).map(Some)
}

/// `own` are settings that the command alone has, a JSON object.
pub(crate) fn show(about: About<'_>, found: &Solutions, own: Json) -> Result<(), Failure> {
    let (of, loaded) = (about.of, about.loaded);
    let outcome = Outcome {
        settings: settings(of, loaded, found, own),
        seconds: found
            .seconds
            .iter()
            .map(|(name, seconds)| ((*name).to_string(), json!(seconds)))
            .collect(),
        values: values(loaded, found),
        figures: vec![figure(&found.solutions)],
    };
    let (common, progress) = (about.common, about.progress);
    let results = put(about, outcome)?;
    for solved in &found.solutions {
        let residual = solved.refined.residuals.last().copied().unwrap_or_default();
        if !solved.refined.converged {
            return Err(format!(
                "{} ended at a residual of {residual:.1e}, above the tolerance of {:.1e}; add to \
                 the diagonal by --diag-reg, or allow a larger --tolerance",
                solved.solver, of.tolerance
            )
            .into());
        }
    }
    remind(common, &results, progress);
    Ok(())
}

/// Shows an outcome, and writes it where that was asked for.
pub(crate) fn put(about: About<'_>, mut outcome: Outcome) -> Result<Results, Failure> {
    let common = about.common;
    for value in &outcome.values {
        let (name, place) = (value.name.replace('_', " "), value.place_in_words());
        let number = results::number(value.value);
        let note = &value.note;
        let line = format!("  {name:<22} {place:<16} {number:<12} {note}");
        about.progress.say(&line);
    }
    let name = about.loaded.problem.name;
    let results = match &about.of.out {
        Some(out) => {
            let place = out.join(name);
            results::put(&place, about.data, about.environment, about.begun, outcome)?
        }
        None => {
            let total = about.begun.elapsed().as_secs_f64();
            outcome.seconds.insert("total".into(), json!(total));
            Results {
                experiment: name.into(),
                data: about.data,
                settings: outcome.settings,
                environment: about.environment,
                seconds: outcome.seconds,
                values: outcome.values,
                figures: Vec::new(),
            }
        }
    };
    if common.json {
        files::tell(&serde_json::to_string_pretty(&results)?)?;
    }
    Ok(results)
}

/// Says of a sample that it is one to whoever asked for quiet, and was not told before.
pub(crate) fn remind(common: &Common, results: &Results, progress: &Progress) {
    if common.quiet && !common.json && results.data.is_sample() {
        progress.warn(&format!("data: {}", results.data.note));
    }
}

fn settings(
    of: &Regression,
    loaded: &LoadedProblem,
    found: &Solutions,
    own: Json,
) -> Map<String, Json> {
    let settings = json!({
        "network": loaded.network,
        "kernel": loaded.problem.kernel,
        "pixels": "x/255",
        "targets": "one-hot - 1/10",
        "train": loaded.train.len(),
        "test": loaded.test.len(),
        "diag_reg": of.diag_reg,
        "added_to_diagonal": found.shift,
        "tolerance": of.tolerance,
        "residuals_of": found.residuals_of,
        "rank": of.rank,
        "seed": of.drawn.seed,
        "store": of.store.is_some(),
    });
    let objects = [settings, own].into_iter().filter_map(|of| match of {
        Json::Object(map) => Some(map),
        _ => None,
    });
    objects.flatten().collect()
}

fn values(loaded: &LoadedProblem, found: &Solutions) -> Vec<Value> {
    let mut values = Vec::new();
    let labels = loaded.test.labels.to_vec();
    let published = match loaded.train.len() {
        50_000.. => loaded.problem.published,
        _ => None,
    };
    for (solved, outputs) in found.solutions.iter().zip(&found.predictions) {
        let refined = &solved.refined;
        let of =
            |name: &str, value: f64| Value::new(name, [("solver", json!(solved.solver))], value);
        let test = of("test_accuracy", accuracy(outputs.view(), &labels));
        values.push(match published {
            Some((accuracy, who)) => test.printed(accuracy).note(who),
            None => test,
        });
        // Of a factor alone, whose matrix is gone, none is known.
        if let Some(&last) = refined.residuals.last() {
            values.push(of("residual", last));
            values.push(of("refinements", (refined.residuals.len() - 1) as f64));
        }
        if solved.solver == "cg" {
            values.push(of("products", (solved.curve.len() - 1) as f64));
        }
    }
    if let ([a, b], [p, q]) = (&found.solutions[..], &found.predictions[..]) {
        let note = "largest difference of the two solvers over the largest magnitude";
        let apart = |a: &Array2<f64>, b: &Array2<f64>| largest(&(a - b)) / largest(a);
        for (name, value) in [
            ("coefficients_apart", apart(&a.refined.x, &b.refined.x)),
            ("outputs_apart", apart(p, q)),
        ] {
            values.push(Value::new(name, [], value).note(note));
        }
    }
    values.extend(found.more.iter().cloned());
    if let Some(bytes) = found.peak_memory {
        let note = size(bytes);
        values.push(Value::new("peak_memory", [], bytes as f64).note(&note));
    }
    values
}

fn largest(a: &Array2<f64>) -> f64 {
    a.iter()
        .fold(f64::MIN_POSITIVE, |most, v| most.max(v.abs()))
}

/// Residuals against products with the kernel.
fn figure(solutions: &[Solved]) -> (FigureInfo, Figure) {
    let mut chart = LineChart::new("Convergence")
        .x_label("products with the kernel")
        .y_label("largest |y - K c| / |y| of the outputs")
        .y_scale(Scale::Log);
    for solved in solutions {
        if solved.curve.is_empty() {
            continue;
        }
        let positive = solved.curve.iter().filter(|(_, residual)| *residual > 0.0);
        let (x, y): (Vec<_>, Vec<_>) = positive.copied().unzip();
        let name = match solved.solver {
            "cg" => "conjugate gradients",
            _ => "refinement of the f32 factor",
        };
        let series = Series::new(name, x, y);
        chart = chart.series(match solved.solver {
            "cg" => series,
            _ => series.points_only(),
        });
    }
    let info = FigureInfo {
        stem: "convergence".into(),
        caption: "The largest residual of the outputs. That of conjugate gradients is their own \
                  estimate; where their curve jumps, it was computed anew."
            .into(),
    };
    (info, Figure::new(vec![chart.into()]))
}
