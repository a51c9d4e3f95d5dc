//! The flags of `ntk large` and `ntk distributed`.

use super::{PlacesArgs, Seed};
use crate::Failure;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What is solved, on one machine or on several.
#[derive(Args)]
pub(crate) struct Regression {
    /// Which problem: mnist-ntk, mnist-million or mnist-convnet-gp.
    #[arg(value_name = "PROBLEM")]
    pub(crate) problem: String,
    /// Training images, the first of the file [default: all, and 1000000 for mnist-million]; with
    /// landmarks several numbers, separated by commas.
    #[arg(long, value_name = "N", value_delimiter = ',', allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) train: Vec<u32>,
    /// Test images, the first of the file [default: all].
    #[arg(long, value_name = "M", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) test: Option<u32>,
    /// Another network, as JSON, on images as vectors or, where it begins with a convolution, as
    /// images.
    #[arg(long, value_name = "JSON")]
    pub(crate) net: Option<PathBuf>,
    /// What is added to the kernel's diagonal, as a multiple of its mean [default: 0, and
    /// 1e-8 of the number of images for mnist-million].
    #[arg(long, value_name = "R", allow_hyphen_values = true)]
    pub(crate) diag_reg: Option<f64>,
    /// How to solve the system.
    #[arg(long, value_enum, default_value_t = SolverName::Both)]
    pub(crate) solver: SolverName,
    /// Largest residual |y - K c| / |y|, in f64, of every output.
    #[arg(
        long,
        value_name = "R",
        default_value_t = 1e-10,
        allow_hyphen_values = true
    )]
    pub(crate) tolerance: f64,
    /// Columns of the kernel, drawn at random, that make the preconditioner.
    #[arg(
        long,
        value_name = "K",
        default_value_t = 2000,
        allow_negative_numbers = true
    )]
    pub(crate) rank: usize,
    /// Folder for the kernel in tiles; what is missing in it is computed.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) store: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) drawn: Seed,
    /// Folder in which PROBLEM/ gets results.json, the figure and its CSV, in the place of earlier ones
    /// [default: none, the terminal alone].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// Only say what would be computed and what it takes.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) places: PlacesArgs,
}

impl Regression {
    /// Returns the number of training images where there is one.
    pub(crate) fn one_train(&self) -> Result<Option<u32>, Failure> {
        match self.train[..] {
            [] => Ok(None),
            [n] => Ok(Some(n)),
            [..] => Err(format!(
                "--train has {} numbers, and one kernel has one; give one, or --landmarks",
                self.train.len()
            )
            .into()),
        }
    }
}

#[derive(Args)]
pub(crate) struct OverLandmarks {
    /// Regression over so many of the images instead of all, or over several numbers of them,
    /// separated by commas; cholesky solves its normal equations in one pass, cg and both by
    /// conjugate gradients [default: all, and 10000 for mnist-million].
    #[arg(long, value_name = "M", value_delimiter = ',', allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) landmarks: Vec<u32>,
    /// With landmarks: the most passes of conjugate gradients over the images after the first.
    #[arg(long, value_name = "K", default_value_t = 6, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) iterations: u32,
    /// With landmarks: file that keeps what is reached, from which the same command goes on; it is
    /// removed in the end. Several ranks have one each, FILE.RANK.
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Large {
    #[command(flatten)]
    pub(crate) of: Regression,
    #[command(flatten)]
    pub(crate) over: OverLandmarks,
    /// Where products with the kernel come from, in conjugate gradients [default: memory where
    /// the kernel fits, else the store, else recompute].
    #[arg(long, value_enum)]
    pub(crate) products: Option<Products>,
    /// With --store: verify all tiles that are there, and compute damaged ones again.
    #[arg(long, requires = "store")]
    pub(crate) repair: bool,
    /// Rows and columns of a tile.
    #[arg(long, value_name = "N", default_value_t = 1024, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) tile: u32,
}

#[derive(Args)]
pub(crate) struct Distributed {
    #[command(flatten)]
    pub(crate) of: Regression,
    /// Processes of the job, where mpirun or srun has not started it [default: the cores].
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub(crate) ranks: Option<u32>,
    #[command(flatten)]
    pub(crate) over: OverLandmarks,
    /// The kernel's spectrum too, by divide and conquer.
    #[arg(long)]
    pub(crate) spectrum: bool,
    /// Rows and columns of a block, and of a tile of the store.
    #[arg(long, value_name = "N", default_value_t = 128, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) block: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SolverName {
    /// A Cholesky factorisation in the kernel's memory; of `large` in f32, and refined in f64.
    Cholesky,
    /// Preconditioned conjugate gradients, from products alone.
    Cg,
    /// One after the other, and how far they are apart.
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Products {
    /// The kernel's lower half in memory, f32.
    Memory,
    /// The kernel's lower half on disk, f32.
    Store,
    /// The kernel computed anew for every product, f64.
    Recompute,
}
