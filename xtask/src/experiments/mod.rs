//! The experiments: one folder each, and one line in [`ALL`].

mod collective_variables;
mod distilled_images;
mod entropy_training;
mod evidence;
mod graphs_and_sequences;
mod jamming;
mod mutual_information;
mod shallow_relu;
pub(crate) mod study;
mod width_vs_ntk;

pub(crate) use entropy_training::entropy_cnn;

use crate::Failure;
use ntk_cli::progress::Progress;
use ntk_cli::results::{DataInfo, Value};
use ntk_data::DataSet;
use serde_json::{Map, Value as Json, json};
use std::cell::RefCell;
use std::fmt;
use std::time::Instant;
use study::Captioned;

/// All experiments, in the order of the page.
pub(crate) static ALL: &[&Experiment] = &[
    &shallow_relu::EXPERIMENT,
    &jamming::EXPERIMENT,
    &width_vs_ntk::EXPERIMENT,
    &entropy_training::EXPERIMENT,
    &mutual_information::EXPERIMENT,
    &collective_variables::EXPERIMENT,
    &graphs_and_sequences::EXPERIMENT,
    &distilled_images::EXPERIMENT,
    &evidence::EXPERIMENT,
];

/// The name of what an experiment draws by a formula, where others name a data set.
pub(crate) const SYNTHETIC: &str = "synthetic";

/// Something that can be reproduced.
pub(crate) struct Experiment {
    /// Its name on the command line and of its folder.
    pub(crate) name: &'static str,
    /// What is asked, in a sentence or two.
    pub(crate) question: &'static str,
    /// The name of the data set that it asks for, or [`SYNTHETIC`].
    pub(crate) data: &'static str,
    /// The seconds that it takes on two cores at quick and standard scale, as measured, and at full
    /// scale, extrapolated.
    pub(crate) seconds: [f64; 3],
    /// How far a value may be from a record made elsewhere.
    pub(crate) tolerance: fn(&Value) -> Tolerance,
    /// Whether a value is said at the end, which all are that the notebook printed.
    pub(crate) said: fn(&Value) -> bool,
    /// Answers the question, and writes nothing.
    pub(crate) run: fn(&Context<'_>) -> Result<Findings, Failure>,
}

/// What an experiment hands back.
pub(crate) struct Findings {
    /// Everything that could be chosen, as an object.
    pub(crate) settings: Json,
    /// What was found.
    pub(crate) values: Vec<Value>,
    /// The figures, in the order of the page.
    pub(crate) figures: Vec<Captioned>,
}

/// What every experiment is given.
pub(crate) struct Context<'a> {
    pub(crate) scale: RunScale,
    pub(crate) seed: u64,
    /// The data set that it asked for, or what stands in for it; an empty one where it asked for none.
    pub(crate) set: &'a DataSet,
    /// What is said of the data set.
    pub(crate) data: &'a DataInfo,
    pub(crate) progress: &'a Progress,
    /// The wall-clock seconds of each part.
    pub(crate) seconds: RefCell<Map<String, Json>>,
}

impl Context<'_> {
    /// Chooses by the scale of the run.
    pub(crate) fn by_scale<T>(&self, quick: T, standard: T, full: T) -> T {
        match self.scale {
            RunScale::Quick => quick,
            RunScale::Standard => standard,
            RunScale::Full => full,
        }
    }

    /// Returns `count` seeds, the first of which is the run's.
    pub(crate) fn seeds(&self, count: u64) -> Vec<u64> {
        (0..count).map(|i| self.seed.wrapping_add(i)).collect()
    }

    /// Does a part of the work; its seconds are noted under `name`.
    pub(crate) fn timed<R>(&self, name: &str, work: impl FnOnce() -> R) -> R {
        let begun = Instant::now();
        let result = work();
        let seconds = json!(begun.elapsed().as_secs_f64());
        self.seconds.borrow_mut().insert(name.into(), seconds);
        result
    }
}

/// How much of an experiment is run; in the order of [`Experiment::seconds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunScale {
    Quick,
    Standard,
    Full,
}

impl RunScale {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Standard => "standard",
            Self::Full => "full",
        }
    }
}

/// A value passes that is within `absolute + relative |recorded|` of the recorded one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tolerance {
    pub(crate) absolute: f64,
    pub(crate) relative: f64,
}

impl Tolerance {
    /// The tolerance of what is computed in closed form, or counted: rounding alone.
    pub(crate) const ROUNDING: Self = Self::relative(1e-6);

    /// Allows a share of the recorded value.
    pub(crate) const fn relative(relative: f64) -> Self {
        Self {
            absolute: 0.0,
            relative,
        }
    }

    /// Allows the same for values of any size.
    pub(crate) const fn absolute(absolute: f64) -> Self {
        Self {
            absolute,
            relative: 0.0,
        }
    }

    /// Says whether `value` passes.
    pub(crate) fn admits(self, recorded: f64, value: f64) -> bool {
        let allowed = self.absolute + self.relative * recorded.abs();
        recorded == value
            || recorded.is_nan() && value.is_nan()
            || (recorded - value).abs() <= allowed
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { absolute, relative } = self;
        match (*absolute > 0.0, *relative > 0.0) {
            (true, true) => write!(f, "+- {absolute} +- {relative} of it"),
            (_, false) => write!(f, "+- {absolute}"),
            (false, true) => write!(f, "+- {relative} of it"),
        }
    }
}
