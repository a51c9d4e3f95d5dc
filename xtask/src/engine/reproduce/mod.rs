//! `cargo xtask reproduce`.

mod agenda;
mod check;

use super::{environment, page, places};
use crate::Failure;
use crate::cli::{Common, Reproduce};
use crate::experiments::{self, Context, Experiment, RunScale, SYNTHETIC};
use crate::launch::workspace_root;
use agenda::{Agenda, Asked};
use check::CommittedRecords;
use ntk_cli::data_sets::{self, Loaded};
use ntk_cli::files;
use ntk_cli::interrupt::check_place;
use ntk_cli::out_folder::OutFolder;
use ntk_cli::progress::Progress;
use ntk_cli::results::{self, Outcome, Results, number};
use ntk_data::Places;
use serde_json::{Map, Value as Json, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

pub(super) fn run(common: &Common, args: &Reproduce) -> Result<(), Failure> {
    let chosen = choose(&args.experiments)?;
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| workspace_root().join("reproductions"));
    files::make_folder(&out, "--out")?;
    let names: Vec<_> = experiments::ALL.iter().map(|e| e.name).collect();
    let _alone = OutFolder::alone_in(&out, &names)?;
    for experiment in &chosen {
        check_place(&out.join(experiment.name))?;
    }
    let progress = Progress::new(common.quiet || common.json);
    let scale = match (args.quick, args.full) {
        (true, _) => RunScale::Quick,
        (_, true) => RunScale::Full,
        _ => RunScale::Standard,
    };
    let asked = Asked {
        scale,
        seed: args.seed,
        environment: environment(),
    };
    let data = load(&chosen, &places(&args.places), &progress)?;
    let records = match args.check {
        true => Some(CommittedRecords::find(&chosen, &data, &asked)?),
        false => None,
    };
    let mut agenda = Agenda::new(&chosen, &data, &asked, &out, args.force)?;
    progress.say(&agenda.to_string());
    let mut all = Vec::new();
    while let Some(next) = agenda.next(&progress) {
        let results = match next.finished {
            Some(results) => results,
            None => {
                let results = one(next.experiment, next.data, &asked, &out, &progress)?;
                summarize(&progress, next.experiment, &results, &out);
                agenda.done(results.total_seconds());
                // After each, so that the page is whole whenever the run is ended.
                page::write(&out)?;
                results
            }
        };
        all.push(results);
    }
    page::write(&out)?;
    let index = out.join("index.html");
    progress.say(&format!("the page: {}", index.display()));
    if common.json {
        print_json(&all)?;
    }
    records.map_or(Ok(()), |records| records.compare(&all, &progress))
}

/// Data sets by the name that experiments ask for: each is looked for once, however many use it.
type DataSets = BTreeMap<&'static str, Loaded>;

/// Loads the data sets of these experiments.
fn load(chosen: &[&Experiment], places: &Places, progress: &Progress) -> Result<DataSets, Failure> {
    let mut all = DataSets::new();
    for name in chosen.iter().map(|e| e.data) {
        if !all.contains_key(name) {
            let loaded = match name {
                SYNTHETIC => Loaded::synthetic(SYNTHETIC),
                _ => data_sets::one(name, places, progress)?,
            };
            all.insert(name, loaded);
        }
    }
    Ok(all)
}

fn choose(names: &[String]) -> Result<Vec<&'static Experiment>, Failure> {
    let all = || experiments::ALL.to_vec();
    if names.is_empty() {
        return Ok(all());
    }
    let mut chosen: Vec<&'static Experiment> = Vec::new();
    for name in names {
        let found = match name.as_str() {
            "all" => all(),
            _ => experiments::ALL
                .iter()
                .copied()
                .filter(|e| e.name == name)
                .collect(),
        };
        if found.is_empty() {
            let known: Vec<_> = experiments::ALL.iter().map(|e| e.name).collect();
            return Err(format!(
                "there is no experiment \"{name}\"; there are all, {}",
                known.join(", ")
            )
            .into());
        }
        for experiment in found {
            if chosen.iter().all(|e| e.name != experiment.name) {
                chosen.push(experiment);
            }
        }
    }
    Ok(chosen)
}

/// Runs one experiment; its folder is in place when this returns.
fn one(
    experiment: &Experiment,
    data: &Loaded,
    asked: &Asked,
    out: &Path,
    progress: &Progress,
) -> Result<Results, Failure> {
    let begun = Instant::now();
    progress.say(&format!("{}: {}", experiment.name, experiment.question));
    let context = Context {
        scale: asked.scale,
        seed: asked.seed,
        set: &data.set,
        data: &data.info,
        progress,
        seconds: RefCell::default(),
    };
    let answer = (experiment.run)(&context)?;
    progress.end();
    let mut settings = Map::new();
    settings.insert("scale".into(), json!(asked.scale.as_str()));
    settings.insert("seed".into(), json!(asked.seed));
    if let Json::Object(own) = answer.settings {
        settings.extend(own);
    }
    let outcome = Outcome {
        settings,
        seconds: context.seconds.take(),
        values: answer.values,
        figures: answer.figures,
    };
    let (place, environment) = (out.join(experiment.name), asked.environment.clone());
    results::put(&place, data.info.clone(), environment, begun, outcome)
}

/// Says what a person wants to see at once: the numbers that the notebook printed too, and those
/// that the experiment is about.
fn summarize(progress: &Progress, experiment: &Experiment, results: &Results, out: &Path) {
    let data = format!("  data: {}", results.data.note);
    // A sample is told also where nothing else is.
    match results.data.is_sample() {
        true => progress.warn(&data),
        false => progress.say(&data),
    }
    for value in &results.values {
        let name = value.name.replace('_', " ");
        let (place, ours) = (value.place_in_words(), number(value.value));
        let rest = match value.printed.map(number) {
            Some(printed) => format!("printed {printed:<8} ours {ours}"),
            None if (experiment.said)(value) => format!("{ours:<8} {}", value.note),
            None => continue,
        };
        progress.say(&format!("  {name:<26} {place:<40} {rest}"));
    }
    let folder = out.join(&results.experiment);
    let seconds = results.total_seconds();
    progress.say(&format!("  {seconds:.1} s, in {}", folder.display()));
}

fn print_json(results: &[Results]) -> Result<(), Failure> {
    files::tell(&serde_json::to_string_pretty(results)?)?;
    Ok(())
}
