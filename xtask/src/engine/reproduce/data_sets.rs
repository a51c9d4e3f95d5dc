//! The data sets of a run: each is looked for once, however many experiments use it.

use crate::Failure;
use crate::engine::Progress;
use crate::engine::results::DataInfo;
use crate::experiments::Experiment;
use ntk_data::{DataSet, Places};
use std::collections::BTreeMap;

/// A data set, and what is said of it.
pub(in crate::engine) struct Loaded {
    pub(in crate::engine) set: DataSet,
    pub(in crate::engine) info: DataInfo,
}

/// By the name that experiments ask for.
pub(super) type DataSets = BTreeMap<&'static str, Loaded>;

/// The data sets of these experiments.
pub(super) fn load(
    chosen: &[&dyn Experiment],
    places: &Places,
    progress: &Progress,
) -> Result<DataSets, Failure> {
    let mut all = DataSets::new();
    for name in chosen.iter().map(|e| e.data()) {
        if !all.contains_key(name) {
            all.insert(name, one(name, places, progress)?);
        }
    }
    Ok(all)
}

/// The data set, or an embedded sample where it is out of reach; says so if it is.
pub(in crate::engine) fn one(
    name: &str,
    places: &Places,
    progress: &Progress,
) -> Result<Loaded, Failure> {
    let set = ntk_data::load_or_sample(name, places, progress)?;
    progress.end();
    if let Some(reason) = &set.why_not_full {
        let used = if set.name == name {
            "the embedded sample, not the full data set".to_string()
        } else {
            format!("the embedded sample of {}, not {name}", set.name)
        };
        progress.say(&format!("{name}: using {used}: {reason}"));
    }
    let info = DataInfo::of(&set, name);
    Ok(Loaded { set, info })
}
