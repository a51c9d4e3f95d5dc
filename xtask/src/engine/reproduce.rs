//! `cargo xtask reproduce`.

use super::environment::Environment;
use super::interrupt::Staging;
use super::results::Results;
use super::{Progress, page, places};
use crate::Failure;
use crate::cli::{Common, Reproduce};
use crate::experiments::{self, Context, Experiment, Scale};
use crate::launch::workspace_root;
use ntk_data::atomic;
use serde_json::Value as Json;
use std::path::Path;
use std::time::Instant;

pub(super) fn run(common: &Common, args: &Reproduce) -> Result<(), Failure> {
    let chosen = choose(&args.experiments)?;
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| workspace_root().join("reproductions"));
    std::fs::create_dir_all(&out)
        .map_err(|e| format!("cannot make {}: {e}; choose another --out", out.display()))?;
    let progress = Progress::new(common.quiet || common.json);
    let scale = match (args.quick, args.full) {
        (true, _) => Scale::Quick,
        (_, true) => Scale::Full,
        _ => Scale::Standard,
    };
    let places = places::places(&args.places);
    let context = Context {
        scale,
        seed: args.seed,
        places: &places,
        progress: &progress,
    };
    let mut all = Vec::new();
    for experiment in chosen {
        let begun = Instant::now();
        progress.say(&format!("{}: {}", experiment.name(), experiment.question()));
        let outcome = experiment.run(&context)?;
        progress.end();
        let mut seconds = outcome.seconds;
        let drawing = Instant::now();
        let staging = Staging::beside(&out.join(experiment.name()))?;
        let note = outcome.data.figure_note();
        let mut figures = Vec::new();
        for (info, figure) in outcome.figures {
            figure
                .note(note.clone())
                .save(staging.folder(), &info.stem)?;
            figures.push(info);
        }
        seconds.insert("figures".into(), drawing.elapsed().as_secs_f64().into());
        seconds.insert("total".into(), begun.elapsed().as_secs_f64().into());
        let results = Results {
            experiment: experiment.name().into(),
            data: outcome.data,
            settings: outcome.settings,
            environment: Environment::here(),
            seconds,
            values: outcome.values,
            figures,
        };
        let text = serde_json::to_string_pretty(&results)? + "\n";
        atomic::write(&staging.folder().join("results.json"), text.as_bytes())?;
        staging.finish()?;
        summarize(&progress, &results, &out);
        all.push(results);
    }
    page::write(&out)?;
    progress.say(&format!("the page: {}", out.join("index.html").display()));
    if common.json {
        print_json(&all)?;
    }
    Ok(())
}

fn choose(names: &[String]) -> Result<Vec<&'static dyn Experiment>, Failure> {
    let all = || experiments::ALL.to_vec();
    if names.is_empty() {
        return Ok(all());
    }
    let mut chosen: Vec<&'static dyn Experiment> = Vec::new();
    for name in names {
        let found = match name.as_str() {
            "all" => all(),
            _ => experiments::ALL
                .iter()
                .copied()
                .filter(|e| e.name() == name)
                .collect(),
        };
        if found.is_empty() {
            let known: Vec<_> = experiments::ALL.iter().map(|e| e.name()).collect();
            return Err(format!(
                "there is no experiment \"{name}\"; there are all, {}",
                known.join(", ")
            )
            .into());
        }
        for experiment in found {
            if chosen.iter().all(|e| e.name() != experiment.name()) {
                chosen.push(experiment);
            }
        }
    }
    Ok(chosen)
}

/// What a person wants to see at once: the numbers that the notebook printed too.
fn summarize(progress: &Progress, results: &Results, out: &Path) {
    progress.say(&format!("  data: {}", results.data.note));
    for value in &results.values {
        let Some(printed) = value.printed.map(page::number) else {
            continue;
        };
        let place: Vec<_> = value
            .place
            .iter()
            .map(|(k, v)| format!("{k} {v}"))
            .collect();
        let place = place.join(", ").replace('"', "");
        let name = value.name.replace('_', " ");
        let ours = page::number(value.value);
        progress.say(&format!(
            "  {name:<26} {place:<40} printed {printed:<8} ours {ours}"
        ));
    }
    let seconds = results.seconds.get("total").and_then(Json::as_f64);
    let folder = out.join(&results.experiment);
    let seconds = seconds.unwrap_or_default();
    progress.say(&format!("  {seconds:.1} s, in {}", folder.display()));
}

#[expect(clippy::print_stdout, reason = "the result, as asked by --json")]
fn print_json(results: &[Results]) -> Result<(), Failure> {
    println!("{}", serde_json::to_string_pretty(results)?);
    Ok(())
}
