//! The flags of `ntk entropy`.

use super::Precision;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Entropy {
    /// The kernel matrix.
    #[arg(long, value_name = "NPY")]
    pub(crate) kernel: PathBuf,
    /// Outputs of each sample, of a full kernel.
    #[arg(
        long,
        value_name = "O",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    pub(crate) outputs: usize,
    /// What makes probabilities of eigenvalues.
    #[arg(long, value_enum, default_value_t = NormalizationChoice::Trace)]
    pub(crate) normalization: NormalizationChoice,
    /// The samples' classes, whole numbers.
    #[arg(long, value_name = "NPY")]
    pub(crate) labels: Option<PathBuf>,
    /// Classes to combine, separated by commas [default: all there are, ascending].
    #[arg(
        long,
        value_name = "CLASSES",
        value_delimiter = ',',
        value_parser = class,
        allow_hyphen_values = true,
        requires = "labels"
    )]
    pub(crate) classes: Vec<usize>,
    /// Most classes in a combination [default: all: 2^classes - 1 combinations, of at most 16
    /// classes].
    #[arg(
        long,
        value_name = "N",
        requires = "labels",
        allow_negative_numbers = true
    )]
    pub(crate) largest: Option<usize>,
    /// Precision to compute in [default: the file's]; what counts as zero is the file's in any case.
    #[arg(long, value_enum)]
    pub(crate) precision: Option<Precision>,
}

/// A class, as it is written in labels.
fn class(text: &str) -> Result<usize, String> {
    text.trim().parse().map_err(|_| {
        "classes are whole numbers, zero or more, separated by commas as in 0,1,8".into()
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NormalizationChoice {
    /// K over its trace.
    Trace,
    /// K_ij / sqrt(K_ii K_jj), over its trace.
    Cosine,
    /// K has trace 1 already.
    None,
}

impl NormalizationChoice {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Cosine => "cosine",
            Self::None => "none",
        }
    }
}
