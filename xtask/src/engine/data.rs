//! `cargo xtask data`.

use super::{Progress, places};
use crate::Failure;
use crate::cli::{Common, Data, DataAction};
use crate::launch::workspace_root;
use ntk_data::{Availability, Found, Places, Source, availability, registry, sample};
use serde_json::{Value as Json, json};

pub(super) fn run(common: &Common, args: &Data) -> Result<(), Failure> {
    let progress = Progress::new(common.quiet || common.json);
    let places = places::places(&args.places);
    let answer = match &args.action {
        DataAction::List => list(&places),
        DataAction::Fetch { name } => fetch(name, &places, &progress)?,
        DataAction::Verify => verify(&places)?,
        DataAction::Sample { check } => make_sample(*check, &places, &progress)?,
    };
    progress.end();
    show(common, &answer)
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
        let (kind, place) = match availability(entry, places) {
            Availability::Here { place, found } => {
                let form = match found {
                    Found::Archive(_) => ", as one archive",
                    _ => "",
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
    let (place, _) = ntk_data::fetch(name, places, progress)?;
    // Reading verifies.
    let set = ntk_data::load(name, places, progress)?;
    let line = format!("{name}: complete and verified in {place}");
    let json = json!({"name": name, "place": place.folder(), "sha256": set.sha256});
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
                json.push(json!({"name": entry.name, "file": path, "ok": ok}));
                bad.extend(outcome.err().map(|e| e.to_string()));
            }
        }
    }
    if !bad.is_empty() {
        return Err(bad.join("; ").into());
    }
    if lines.is_empty() {
        lines.push("no files found; `cargo xtask data list` says where they are looked for".into());
    }
    Ok(Answer {
        lines,
        json: Json::Array(json),
    })
}

fn make_sample(check: bool, places: &Places, progress: &Progress) -> Result<Answer, Failure> {
    let full = ntk_data::load("fashion-mnist", places, progress)?;
    if !matches!(full.source, Source::Full { .. }) {
        return Err(
            "the sample is made from the full Fashion-MNIST, which was not found; \
                    give its folder by --data-dir"
                .into(),
        );
    }
    let line = if check {
        sample::check(&full)?;
        format!(
            "the embedded sample is what the full set gives ({} bytes)",
            sample::size()
        )
    } else {
        let folder = workspace_root().join("ntk-data/embedded");
        sample::write(&full, &folder)?;
        format!("wrote the sample into {}", folder.display())
    };
    Ok(Answer {
        lines: vec![line],
        json: json!({"sha256": full.sha256, "checked": check}),
    })
}

#[expect(clippy::print_stdout, reason = "the answer")]
fn show(common: &Common, answer: &Answer) -> Result<(), Failure> {
    if common.json {
        println!("{}", serde_json::to_string_pretty(&answer.json)?);
    } else if !common.quiet {
        answer.lines.iter().for_each(|line| println!("{line}"));
    }
    Ok(())
}
