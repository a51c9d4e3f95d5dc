//! The flags of `ntk entropy`.

use super::{KernelName, Precision, Seed};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Entropy {
    /// The kernel matrix.
    #[arg(long, value_name = "NPY", required_unless_present = "net")]
    pub(crate) kernel: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) landmarks: Landmarks,
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
    /// Precision to compute in [default: the file's, with --net f64]; what counts as zero is the file's in any case.
    #[arg(long, value_enum)]
    pub(crate) precision: Option<Precision>,
}

/// These flags name a kernel by its network and samples, of which a part of the columns is computed.
#[derive(Args)]
pub(crate) struct Landmarks {
    /// The network as JSON instead of a kernel; `-` reads it from standard input.
    #[arg(
        long,
        value_name = "JSON",
        requires_all = ["x", "landmarks"],
        conflicts_with_all = ["kernel", "outputs", "labels"]
    )]
    pub(crate) net: Option<PathBuf>,
    /// With --net: the samples.
    #[arg(long, value_name = "NPY", requires = "net")]
    pub(crate) x: Option<PathBuf>,
    /// With --net: columns of the kernel, drawn at random in proportion to what those before leave.
    #[arg(
        long,
        value_name = "M",
        requires = "net",
        allow_negative_numbers = true
    )]
    pub(crate) landmarks: Option<usize>,
    /// With --net: which kernel.
    #[arg(long, value_enum, value_name = "KERNEL", default_value_t = KernelName::Ntk)]
    pub(crate) get: KernelName,
    #[command(flatten)]
    pub(crate) drawn: Seed,
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
