//! The data sets of a command, and what is said of them.

use crate::Failure;
use crate::progress::Progress;
use crate::results::DataInfo;
use ntk_data::{DataSet, Places};

/// A `Loaded` data set comes with what is said of it.
pub struct Loaded {
    /// The images and labels.
    pub set: DataSet,
    /// The description that a result gives of it.
    pub info: DataInfo,
}

/// Loads the data set, or an embedded sample where it is out of reach; says so if it is.
///
/// # Errors
/// It fails where a folder that was named holds no such data set, or neither it nor a sample can be
/// had.
pub fn one(name: &str, places: &Places, progress: &Progress) -> Result<Loaded, Failure> {
    let set = places.observer(progress).load_or_sample(name)?;
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
