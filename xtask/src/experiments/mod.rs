//! The experiments: one folder each, and one line in [`ALL`].

mod collective_variables;
mod common;
mod entropy_training;
mod jamming;
mod mutual_information;
mod shallow_relu;
mod width_vs_ntk;

pub(crate) use entropy_training::entropy_cnn;

use crate::Failure;
use crate::engine::Progress;
use crate::engine::results::Outcome;
use ntk_data::Places;

/// All experiments, in the order of the page.
pub(crate) static ALL: &[&dyn Experiment] = &[
    &shallow_relu::ShallowRelu,
    &jamming::Jamming,
    &width_vs_ntk::WidthVsNtk,
    &entropy_training::EntropyTraining,
    &mutual_information::MutualInformation,
    &collective_variables::CollectiveVariables,
];

/// Something that can be reproduced.
pub(crate) trait Experiment: Sync {
    /// Its name on the command line and of its folder.
    fn name(&self) -> &'static str;
    /// What is asked, in a sentence or two.
    fn question(&self) -> &'static str;
    /// Answers it. Writes nothing.
    fn run(&self, context: &Context<'_>) -> Result<Outcome, Failure>;
}

/// What every experiment is given.
pub(crate) struct Context<'a> {
    pub(crate) scale: Scale,
    pub(crate) seed: u64,
    pub(crate) places: &'a Places,
    pub(crate) progress: &'a Progress,
}

/// How much of it to run.
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
