//! The command line: every flag of every command, and its manual.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// What a checkout of ntk is for: the experiments, the tests and the benchmarks; and the program ntk.
///
/// Everything a command needs it sets up itself: the first run compiles what computes in release
/// mode (a few minutes), later runs start at once. Nothing but Rust and a C linker has to be
/// installed.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    max_term_width = 100
)]
#[command(after_long_help = "\
DATA
  A data set is looked for in this order: --data-dir, the folder in NTK_DATA_DIR, the user's
  cache, a Debian system folder, the network (verified, then kept in the cache), and the sample
  of Fashion-MNIST that is part of the program, which stands in for the others too. What was
  used is said in the terminal, in results.json and on every figure and page. A folder holds the
  data sets' original files, gzip or plain, in it or in a folder of the data set's name.

LINEAR ALGEBRA
  Where pkg-config finds OpenBLAS it is used, elsewhere the built-in pure Rust one. --backend
  says otherwise.

THE PROGRAM NTK
  kernel, ntk, predict, entropy, large, distributed and data are commands of the program ntk,
  which these build and start; `cargo xtask kernel --help` is the manual of `ntk kernel`.
  `cargo install --path ntk-cli` makes a program of it that works in any folder.

EXIT CODE
  0 if all went well, 2 for a wrong command line, 130 after Ctrl-C, 1 for any other error,
  which is one line on standard error.

EXAMPLES
  cargo xtask reproduce                        every experiment, into reproductions/
  cargo xtask reproduce shallow-relu --offline without asking the network
  cargo xtask reproduce --data-dir ~/data      on files that are already there
  cargo xtask kernel --net net.json --x1 a.npy --out k.npz
                                               kernels of a network in closed form, by ntk
  cargo xtask bench --peers                    every case beside neural_tangents
  cargo xtask bench --peers fuzz --seed 7      100 random networks beside neural_tangents
  cargo xtask test                             every test of every crate")]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Flags that mean the same for every command.
#[derive(Args)]
pub(crate) struct Common {
    /// Threads to compute with [default: all cores].
    #[arg(long, global = true, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// Which linear algebra to build with.
    #[arg(long, global = true, value_enum, default_value_t = BackendChoice::Auto)]
    pub(crate) backend: BackendChoice,
    /// No progress, no summary: errors alone.
    #[arg(long, global = true)]
    pub(crate) quiet: bool,
    /// The result as JSON on standard output.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BackendChoice {
    /// OpenBLAS where pkg-config finds it, faer elsewhere.
    Auto,
    /// Pure Rust, nothing to install.
    Faer,
    /// The system's OpenBLAS, found by pkg-config.
    Openblas,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run experiments: figures, CSV, results.json and one page over all of them.
    ///
    /// Writes one folder per experiment under --out, each complete or not there at all:
    /// results.json, the figures as PNG and SVG, the arrays behind them as CSV; and an
    /// index.html over all experiments in that folder. Exist: shallow-relu, jamming,
    /// width-vs-ntk, entropy-training, mutual-information, collective-variables,
    /// graphs-and-sequences, distilled-images and evidence.
    ///
    /// An experiment whose folder has results of the same scale, seed, data and build of this
    /// program is not run again, so that after Ctrl-C, or worse, the same command goes on with the
    /// first experiment that is not finished.
    ///
    /// With --check every value is compared with that of the record of the same run,
    /// records/EXPERIMENT-full.json or -embedded.json, and at --quick -embedded-quick.json; of data
    /// that are drawn at random -synthetic.json and -synthetic-quick.json.
    Reproduce(Reproduce),
    /// Run all tests of all crates; what follows `--` goes to the test programs.
    Test(Test),
    /// Run benchmarks: all crates' own, or with --peers ours beside other programs'.
    ///
    /// Without --peers this is `cargo bench` over the workspace, or over one --package; what
    /// follows `--` goes to the benchmarks. Those of ntk-linalg need a Python with numpy:
    /// `python3`, or what the variable PYTHON names.
    ///
    /// With --peers each case runs on this machine by us and by neural_tangents in turns, on the
    /// same inputs and with the same number of threads (two, unless --threads says otherwise).
    /// The peer's Python environment is made in target/peers on the first run, which needs
    /// python3 (3.10 to 3.12) and the network once. There are four suites: kernels in closed
    /// form, networks of finite width, predictions, and entropies. A run of all cases of a suite at
    /// their own sizes writes its record into records/; other runs only where --out is given.
    ///
    /// `bench --peers fuzz` times nothing: it draws --networks networks of all layers, from --seed
    /// on, and compares their kernels with those of neural_tangents in f64. It prints every
    /// difference that no known fault of neural_tangents explains, with both values, and then
    /// fails; each is drawn again by --networks 1 and its seed. A network that takes neural_tangents
    /// longer than --peer-limit is given up.
    Bench(Bench),
    /// Make the embedded Fashion-MNIST sample from the full set.
    Sample(Sample),
    /// By ntk: kernels of an infinitely wide network in closed form.
    #[command(disable_help_flag = true)]
    Kernel(Forwarded),
    /// By ntk: the tangent kernel of a finite network with its weights.
    #[command(disable_help_flag = true)]
    Ntk(Forwarded),
    /// By ntk: what gradient descent with a kernel predicts, at any time.
    #[command(disable_help_flag = true)]
    Predict(Forwarded),
    /// By ntk: entropies of a kernel matrix, and what its classes share.
    #[command(disable_help_flag = true)]
    Entropy(Forwarded),
    /// By ntk: regression with the kernel of a whole data set.
    #[command(disable_help_flag = true)]
    Large(Forwarded),
    /// By ntk: the same regression over the machines of a cluster, by MPI.
    #[command(disable_help_flag = true)]
    Distributed(Forwarded),
    /// By ntk: list, fetch or verify data sets.
    #[command(disable_help_flag = true)]
    Data(Forwarded),
}

/// What the program ntk is to read.
#[derive(Args)]
pub(crate) struct Forwarded {
    /// Flags of the command; --help tells them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    #[allow(dead_code, reason = "all of the command line is handed on as it is")]
    flags: Vec<OsString>,
}

#[derive(Args)]
pub(crate) struct Bench {
    /// Beside other programs, in turns, instead of `cargo bench`.
    #[arg(long)]
    pub(crate) peers: bool,
    /// Which cases, or a suite's name for all of its [default: all]; or fuzz alone.
    #[arg(value_name = "CASE", requires = "peers")]
    pub(crate) cases: Vec<String>,
    /// How many networks fuzz compares.
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 100, requires = "peers", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) networks: u32,
    /// The seed of the first network of fuzz; the next has the next one.
    #[arg(
        long,
        value_name = "SEED",
        allow_negative_numbers = true,
        default_value_t = 0,
        requires = "peers"
    )]
    pub(crate) seed: u64,
    /// Folder for the record, NAME.json and NAME.md.
    #[arg(long, value_name = "FOLDER", requires = "peers")]
    pub(crate) out: Option<PathBuf>,
    /// A Python that has the peer's packages, instead of making an environment.
    #[arg(long, value_name = "PATH", requires = "peers")]
    pub(crate) python: Option<PathBuf>,
    /// Run the peer also where it is expected to run out of memory.
    #[arg(long, requires = "peers")]
    pub(crate) peer_oom: bool,
    /// Seconds after which one call of the peer is given up; its first call has three times that.
    #[arg(
        long,
        value_name = "SECONDS",
        allow_negative_numbers = true,
        default_value_t = 120,
        requires = "peers"
    )]
    pub(crate) peer_limit: u64,
    /// GiB that the peer may use; never more than what is available.
    #[arg(
        long,
        value_name = "GIB",
        allow_negative_numbers = true,
        default_value_t = 22,
        requires = "peers"
    )]
    pub(crate) peer_memory: u64,
    /// Rounds of turns [default: 7, or 3 where a round takes over ten seconds].
    #[arg(long, value_name = "N", allow_negative_numbers = true, requires = "peers", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rounds: Option<u16>,
    /// At most this many samples, for a quick look; targets are then not judged.
    #[arg(long, value_name = "N", allow_negative_numbers = true, requires = "peers", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) samples: Option<u16>,
    /// Benchmark this crate alone.
    #[arg(long, short, value_name = "CRATE", conflicts_with = "peers")]
    pub(crate) package: Option<String>,
    /// For the benchmarks, such as a filter.
    #[arg(last = true, conflicts_with = "peers")]
    pub(crate) rest: Vec<String>,
    #[command(flatten)]
    pub(crate) places: PlacesArgs,
}

#[derive(Args)]
pub(crate) struct Reproduce {
    /// Which experiments, or `all` [default: all].
    #[arg(value_name = "EXPERIMENT")]
    pub(crate) experiments: Vec<String>,
    /// A shorter run of the parts that train or sample; closed forms stay exact.
    #[arg(long, conflicts_with = "full")]
    pub(crate) quick: bool,
    /// The scale of the original notebooks.
    #[arg(long)]
    pub(crate) full: bool,
    /// Seed of everything random.
    #[arg(
        long,
        value_name = "SEED",
        allow_negative_numbers = true,
        default_value_t = 0
    )]
    pub(crate) seed: u64,
    /// Run again what is finished already.
    #[arg(long)]
    pub(crate) force: bool,
    /// Compare the values with the committed records, and fail where they differ.
    #[arg(long, conflicts_with = "full")]
    pub(crate) check: bool,
    /// Folder for the results [default: reproductions/ in the workspace].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) places: PlacesArgs,
}

#[derive(Args)]
pub(crate) struct Sample {
    /// Write nothing: fail where the committed sample differs.
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) places: PlacesArgs,
}

#[derive(Args)]
pub(crate) struct PlacesArgs {
    /// Folder with data sets; it must hold the one that is needed.
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Never ask the network.
    #[arg(long, global = true)]
    pub(crate) offline: bool,
}

#[derive(Args)]
pub(crate) struct Test {
    /// Test this crate alone.
    #[arg(long, short, value_name = "CRATE")]
    pub(crate) package: Option<String>,
    /// With what runs on several machines; needs MPI and ScaLAPACK.
    #[arg(long)]
    pub(crate) mpi: bool,
    /// For the test programs, such as a filter.
    #[arg(last = true)]
    pub(crate) rest: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
