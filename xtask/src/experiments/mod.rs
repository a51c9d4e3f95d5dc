//! The experiments: one folder each, and one line in [`ALL`].

mod collective_variables;
pub(crate) mod common;
mod entropy_training;
mod jamming;
mod mutual_information;
mod shallow_relu;
mod width_vs_ntk;

pub(crate) use entropy_training::entropy_cnn;

use crate::Failure;
use ntk_cli::progress::Progress;
use ntk_cli::results::{DataInfo, Outcome, Value};
use ntk_data::DataSet;
use std::fmt;

/// All experiments, in the order of the page.
pub(crate) static ALL: &[&Experiment] = &[
    &shallow_relu::EXPERIMENT,
    &jamming::EXPERIMENT,
    &width_vs_ntk::EXPERIMENT,
    &entropy_training::EXPERIMENT,
    &mutual_information::EXPERIMENT,
    &collective_variables::EXPERIMENT,
];

/// Something that can be reproduced.
pub(crate) struct Experiment {
    /// Its name on the command line and of its folder.
    pub(crate) name: &'static str,
    /// What is asked, in a sentence or two.
    pub(crate) question: &'static str,
    /// Name of the data set that it asks for.
    pub(crate) data: &'static str,
    /// Seconds that it takes on two cores at quick and standard scale, as measured, and at full
    /// scale, extrapolated.
    pub(crate) seconds: [f64; 3],
    /// How far a value may be from a record made elsewhere.
    pub(crate) tolerance: fn(&Value) -> Tolerance,
    /// Answers it. Writes nothing.
    pub(crate) run: fn(&Context<'_>) -> Result<Outcome, Failure>,
}

/// What every experiment is given.
pub(crate) struct Context<'a> {
    pub(crate) scale: Scale,
    pub(crate) seed: u64,
    /// The data set that it asked for, or what stands in for it.
    pub(crate) set: &'a DataSet,
    /// What is said of it.
    pub(crate) data: &'a DataInfo,
    pub(crate) progress: &'a Progress,
}

/// How much of it to run; in the order of [`Experiment::seconds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Quick,
    Standard,
    Full,
}

impl Scale {
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
    /// What is computed in closed form, or counted: rounding alone.
    pub(crate) const ROUNDING: Self = Self::relative(1e-6);

    /// A share of the recorded value.
    pub(crate) const fn relative(relative: f64) -> Self {
        Self {
            absolute: 0.0,
            relative,
        }
    }

    /// The same for values of any size.
    pub(crate) const fn absolute(absolute: f64) -> Self {
        Self {
            absolute,
            relative: 0.0,
        }
    }

    /// Whether `value` passes.
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
