//! `ntk data`.

use crate::cli::{Common, Data, DataAction};
use crate::progress::Progress;
use crate::{Failure, files, places};
use ntk_data::{Availability, Location, Places, registry};
use serde_json::{Value as Json, json};

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
    let (mut lines, mut json) = (Vec::new(), Vec::new());
    let mut bad = Vec::new();
    for entry in registry::ALL {
        for place in places.folders() {
            for check in ntk_data::verify(entry, place.folder()) {
                let Some((path, outcome)) = check.outcome else {
                    continue;
                };
                let ok = outcome.is_ok();
                lines.push(format!(
                    "{} {}",
                    if ok { "ok " } else { "BAD" },
                    path.display()
                ));
                let file = path.display().to_string();
                json.push(json!({"name": entry.name, "file": file, "ok": ok}));
                bad.extend(outcome.err().map(|e| e.to_string()));
            }
        }
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
