//! `ntk data`.

use crate::cli::{Common, Data, DataAction};
use crate::progress::Progress;
use crate::{Failure, files, places};
use ntk_data::registry::{self, Entry};
use ntk_data::{Availability, Location, Places};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub(crate) fn run(common: &Common, args: &Data) -> Result<(), Failure> {
    let progress = Progress::new(common.quiet || common.json);
    let places = places::places(&args.places);
    let answer = match &args.action {
        DataAction::List => list(&places),
        DataAction::Fetch { name } => fetch(name, &places, &progress)?,
        DataAction::Verify => verify(&places)?,
    };
    progress.end();
    files::show(common, &answer.json, &answer.lines.join("\n"))
}

/// A table for people, or JSON.
struct Answer {
    lines: Vec<String>,
    json: Json,
}

fn list(places: &Places) -> Answer {
    let mut lines = Vec::new();
    let mut json = Vec::new();
    for entry in registry::ALL {
        let (kind, place) = match places.availability(entry) {
            Availability::Here {
                place,
                location: Location::Files(paths),
            } if is_of_another(places, entry, place.folder(), &paths) => (
                "nowhere",
                format!("{place} has files of these names, and they are not its"),
            ),
            Availability::Here { place, location } => {
                let form = match location {
                    Location::Archive(_) => ", as one archive",
                    Location::Files(_) => "",
                };
                ("here", format!("{place}{form}"))
            }
            Availability::Download { cache } => {
                ("download", format!("the network, into {}", cache.display()))
            }
            Availability::Embedded => ("embedded", "the sample that is part of the program".into()),
            Availability::Nowhere(reason) => ("nowhere", reason.to_string()),
        };
        lines.push(format!("{:<14} {kind:<9} {place}", entry.name));
        json.push(json!({"name": entry.name, "from": kind, "place": place, "terms": entry.terms}));
    }
    Answer {
        lines,
        json: Json::Array(json),
    }
}

fn fetch(name: &str, places: &Places, progress: &Progress) -> Result<Answer, Failure> {
    let loader = places.observer(progress);
    let (place, _) = loader.fetch(name)?;
    // Reading verifies.
    let set = loader.load(name)?;
    let line = format!("{name}: complete and verified in {place}");
    let folder = place.folder().display().to_string();
    let json = json!({"name": name, "place": folder, "sha256": set.sha256});
    Ok(Answer {
        lines: vec![line],
        json,
    })
}

fn verify(places: &Places) -> Result<Answer, Failure> {
    let mut found = Vec::new();
    for entry in registry::ALL {
        for place in places.folders() {
            for check in ntk_data::verify(entry, place.folder()) {
                if let Some((path, outcome)) = check.outcome {
                    found.push((entry.name, path, outcome));
                }
            }
        }
    }
    let named = [
        ("--data-dir", &places.data_dir),
        ("NTK_DATA_DIR", &places.env_dir),
    ];
    for (flag, folder) in named {
        let Some(folder) = folder else { continue };
        if !found.iter().any(|(_, path, _)| path.starts_with(folder)) {
            let what = if folder.is_dir() {
                "holds no file of a data set"
            } else {
                "is no folder"
            };
            return Err(format!(
                "{} {what}, and {flag} names it; `ntk data list` says where data sets are looked for",
                folder.display()
            )
            .into());
        }
    }
    // MNIST and Fashion-MNIST call their files the same: those of the one are no bad ones of the other.
    let right: BTreeSet<_> = found
        .iter()
        .filter(|(_, _, outcome)| outcome.is_ok())
        .map(|(_, path, _)| path.clone())
        .collect();
    found.retain(|(_, path, outcome)| outcome.is_ok() || !right.contains(path));

    let (mut lines, mut json) = (Vec::new(), Vec::new());
    let mut bad = Vec::new();
    for (name, path, outcome) in found {
        let ok = outcome.is_ok();
        let mark = if ok { "ok " } else { "BAD" };
        let file = path.display().to_string();
        lines.push(format!("{mark} {name:<14} {file}"));
        json.push(json!({"name": name, "file": file, "ok": ok}));
        bad.extend(outcome.err().map(|e| e.to_string()));
    }
    if !bad.is_empty() {
        return Err(bad.join("; ").into());
    }
    if lines.is_empty() {
        lines.push("no files found; `ntk data list` says where they are looked for".into());
    }
    Ok(Answer {
        lines,
        json: Json::Array(json),
    })
}

/// Tells whether files that two data sets call the same are not those of `entry`; only then are they read.
fn is_of_another(places: &Places, entry: &Entry, folder: &Path, paths: &[PathBuf]) -> bool {
    let is_shared = |other: &&&Entry| {
        let found = places.locate(other).ok().flatten();
        found.is_some_and(|(_, location)| matches!(location, Location::Files(p) if p == paths))
    };
    let mut others = registry::ALL
        .iter()
        .filter(|other| other.name != entry.name);
    others.any(|other| is_shared(&other))
        && ntk_data::verify(entry, folder)
            .iter()
            .any(|check| !matches!(check.outcome, Some((_, Ok(())))))
}
