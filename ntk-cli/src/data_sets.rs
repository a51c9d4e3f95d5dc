//! The data sets of a command, and what is said of them.

use crate::Failure;
use crate::progress::Progress;
use crate::results::DataInfo;
use ndarray::{Array1, Array4};
use ntk_data::{DataSet, Places, Source, Split};

/// A `Loaded` data set comes with what is said of it.
pub struct Loaded {
    /// The images and labels.
    pub set: DataSet,
    /// The description that a result gives of it.
    pub info: DataInfo,
}

impl Loaded {
    /// Says that what is called `name` is drawn by a formula: without images, and without a file to hash.
    #[must_use]
    pub fn synthetic(name: &'static str) -> Self {
        let none = Split {
            images: Array4::zeros((0, 0, 0, 0)),
            labels: Array1::zeros(0),
            rows: Vec::new(),
        };
        let set = DataSet {
            name,
            source: Source::Synthetic,
            why_not_full: None,
            sha256: String::new(),
            classes: &[],
            train: none.clone(),
            test: none,
        };
        let info = DataInfo::of(&set, name);
        Self { set, info }
    }
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
