//! The command line: every flag of every command, and its manual.

mod entropy;
mod large;
mod predict;

pub(crate) use entropy::Entropy;
#[cfg(feature = "engine")]
pub(crate) use entropy::NormalizationChoice;
pub(crate) use large::{Distributed, Large};
#[cfg(feature = "engine")]
pub(crate) use large::{Products, Regression, SolverName};
pub(crate) use predict::Predict;
#[cfg(feature = "engine")]
pub(crate) use predict::{LossChoice, SolverChoice};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Neural tangent kernels: run the experiments, the tests and the tools of this workspace.
///
/// Everything a command needs it sets up itself: the first run compiles the engine in
/// release mode (a few minutes), later runs start at once. Nothing but Rust and a C linker
/// has to be installed.
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
  used is said in the terminal, in results.json and on every figure and page. A folder holds the data sets' original files,
  gzip or plain, in it or in a folder of the data set's name.

LINEAR ALGEBRA
  Where pkg-config finds OpenBLAS it is used, elsewhere the built-in pure Rust one. --backend
  says otherwise.

EXIT CODE
  0 if all went well, 2 for a wrong command line, 130 after Ctrl-C, 1 for any other error,
  which is one line on standard error.

EXAMPLES
  cargo xtask reproduce                        every experiment, into reproductions/
  cargo xtask reproduce shallow-relu --offline without asking the network
  cargo xtask reproduce --data-dir ~/data      on files that are already there
  cargo xtask kernel --net net.json --x1 a.npy --out k.npz
                                               kernels of a network in closed form
  cargo xtask ntk --net net.json --weights w.safetensors --x1 a.npy --out k.npz
                                               the kernel of a finite network with its weights
  cargo xtask predict --k-dd kdd.npy --k-td ktd.npy --y y.npy --out p.npz
                                               what training with these kernels predicts
  cargo xtask entropy --kernel k.npy --labels l.npy --classes 0,1,8
                                               entropies of a kernel and of its classes
  cargo xtask large mnist-ntk --dry-run        what regression on all of MNIST takes here
  cargo xtask distributed mnist-ntk --ranks 4  the same over the processes of an MPI job
  cargo xtask data list                        which data sets would come from where
  cargo xtask bench --peers                    every case beside neural_tangents
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
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
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

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
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
    /// width-vs-ntk, entropy-training, mutual-information and collective-variables.
    ///
    /// An experiment whose folder has results of the same scale, seed, data and build of this
    /// program is not run again, so that after Ctrl-C, or worse, the same command goes on with the
    /// first experiment that is not finished.
    ///
    /// With --check every value is compared with that of the record of the same run,
    /// records/EXPERIMENT-full.json or -embedded.json, and at --quick -embedded-quick.json.
    Reproduce(Reproduce),
    /// Kernels of an infinitely wide network in closed form, from .npy to .npz.
    ///
    /// Reads the inputs from .npy files, one sample a row: (n, features), (n, length, channels)
    /// or (n, height, width, channels), of floats or integers. Writes an uncompressed .npz that
    /// numpy.load reads, with the arrays `nngp` and `ntk` of shape (n1, n2); an existing file is
    /// replaced. The network is JSON:
    ///
    ///   {"parameterization": "ntk", "layers": [{"dense": {"w_std": 1.4}}, "relu", "dense"]}
    ///
    /// One kernel that is too large for memory goes into a folder instead, by --store: a Zarr
    /// array of tiles, the lower half alone where there is no --x2. Killed at any moment, the
    /// same command goes on with the tiles that are missing. Only --repair looks at what is in
    /// the others: it compares every checksum, names damaged tiles and computes them again. In
    /// Python, which fails on a damaged tile:
    ///
    ///   cargo xtask kernel --net net.json --x1 a.npy --precision f32 --store kernel
    ///   python3 -c 'import numpy as np, zarr; a = np.array(zarr.open_array("kernel", mode="r"));
    ///               k = np.tril(a) + np.tril(a, -1).T'    # with --x2 a is k
    #[command(verbatim_doc_comment)]
    Kernel(Kernel),
    /// The tangent kernel of a finite network with its weights, from .npy to .npz.
    ///
    /// The network and the samples are given as to `kernel`; widths and channels count. Its
    /// weights are drawn by --seed, or read from a safetensors file that --save-weights wrote:
    /// `layers.0.weight` of shape (fan_in, width), or (height, width, in, out) of a convolution,
    /// and `layers.0.bias` of shape (width). With --pytorch the file is one of PyTorch's,
    /// `safetensors.torch.save_file(model.state_dict(), path)`: of an nn.Sequential, or of any
    /// model with --names, a JSON object {"layers.0.weight": "encoder.fc1.weight", ...}.
    ///
    /// Writes an uncompressed .npz that numpy.load reads: `ntk`, the mean over outputs
    /// 1/o sum_a J_a(x1) J_a(x2)^T of shape (n1, n2), or with --full all pairs of outputs,
    /// (n1 o, n2 o) with row = sample * o + output; and `outputs` of shape (n1, o), the network's
    /// on --x1. Existing files are replaced.
    #[command(verbatim_doc_comment)]
    Ntk(Ntk),
    /// What gradient descent with a kernel predicts, at any time, from .npy to .npz.
    ///
    /// Reads the kernel of the training samples with themselves, --k-dd of shape (n, n), one for
    /// all outputs, or full (n o, n o) with row = sample * o + output; the targets --y (n, o), or
    /// (n) for one output; and the kernel of test samples with the training samples, --k-td
    /// (m, n) or (m o, n o). Numbers are floats or integers. Writes an uncompressed .npz that
    /// numpy.load reads: `train` (times, n, o), `test` (times, m, o) where there is --k-td, and
    /// `t`, the times; an existing file is replaced. Times count steps of gradient descent, in
    /// the limit of small ones.
    ///
    /// Losses, of outputs f and targets y; means are over all n o entries:
    ///
    ///   mse, half-mse       1/2 mean (f - y)^2: closed form, also at t = inf
    ///   mean-square         mean (f - y)^2, twice that: closed form, also at t = inf
    ///   hinge2:margin=0.5   1/2 mean max(0, margin - f y)^2, y = +1 or -1; margin 1 if not given
    ///   power:power=4       mean |f - y|^power, power at least 1
    ///   cross-entropy       -1/n sum y ln softmax(f), y one-hot or other distributions
    ///
    /// To predict from what `kernel` wrote, save its arrays one by one:
    ///
    ///   python3 -c 'import numpy as np; np.save("kdd.npy", np.load("k.npz")["ntk"])'
    ///   cargo xtask predict --k-dd kdd.npy --k-td ktd.npy --y y.npy --t 1e3,1e4,inf --out p.npz
    ///   python3 -c 'import numpy as np; print(np.load("p.npz")["test"].argmax(2))'
    #[command(verbatim_doc_comment)]
    Predict(Predict),
    /// Entropies of a kernel matrix, and what its classes share, from .npy to numbers.
    ///
    /// Reads a symmetric positive semidefinite kernel from a .npy file: (n, n), or with --outputs
    /// o full (n o, n o), row = sample * o + output. Its eigenvalues over their sum are
    /// probabilities p; those below order * eps * the largest, eps of the file's element type,
    /// count as zero, and their share is told. Printed, as JSON with --json:
    ///
    ///   von_neumann           -sum p ln p, in nats; effective: divided by ln of the order
    ///   effective_rank        e^von_neumann; participation_ratio: 1 / sum p^2
    ///   trace, lambda_max     of the matrix, before it is divided
    ///
    /// With --labels, one a sample, also the entropy of every combination of --classes, and for
    /// every pair of them, X and Y:
    ///
    ///   mutual_information    I = S(X) + S(Y) - S(X,Y); may be negative
    ///   normalized            2 I / (S(X) + S(Y)); not confined to [0, 1]
    ///   chi                   S(X,Y) - p S(X) - (1-p) S(Y), p = tr X / tr (X,Y): 0 where both
    ///                         are alike, H2(p) where they are orthogonal
    ///   chi_normalized        chi / H2(p)
    ///
    ///   cargo xtask entropy --kernel k.npy --labels l.npy --classes 0,1,8 --json
    #[command(verbatim_doc_comment)]
    Entropy(Entropy),
    /// Regression with the kernel of a whole data set, where the matrix is what limits.
    ///
    /// Solves (K + r) c = y for the kernel K of all training images, in one of two ways or both:
    ///
    ///   cholesky   K's lower half in memory in f32, 2 n^2 bytes, is factored in place; the
    ///              solution is refined with residuals of K computed anew in f64, tile by tile
    ///   cg         conjugate gradients, preconditioned by a randomly pivoted partial Cholesky
    ///              factorisation, ask for products with K alone: from memory, from a store of
    ///              tiles on disk, or computed anew each time
    ///
    /// and tells residuals, convergence and the accuracy on test images. Problems:
    ///
    ///   mnist-ntk          NTK of dense layers with relu, two hidden
    ///   mnist-convnet-gp   NNGP of seven 7x7 convolutions with relu, weight variance 2.79, bias
    ///                      variance 7.86 (Garriga-Alonso et al. 2019, arXiv:1808.05587); hours:
    ///                      give a --store, with which a run that was ended goes on
    ///
    /// With --store the kernels of training and test images go into the folder, as `kernel
    /// --store` does. --dry-run measures this machine for a second and says what to expect.
    #[command(verbatim_doc_comment)]
    Large(Large),
    /// The same regression over the machines of a cluster, by MPI.
    ///
    /// The kernel lies in f64 over the ranks of a job, in ScaLAPACK's layout, and no rank has all of
    /// it. It is solved by ScaLAPACK's Cholesky factorisation, by conjugate gradients as in `large`,
    /// or by both; --spectrum tells its smallest and largest eigenvalue, trace and entropy. Rank 0
    /// alone reads data and writes. With --store the kernel goes into a folder of tiles as it is
    /// computed, and a job that was ended goes on with what is missing.
    ///
    /// Needs MPI and ScaLAPACK (Debian: libopenmpi-dev openmpi-bin libscalapack-openmpi-dev
    /// libclang-dev). Starts --ranks processes on this machine by mpirun; where mpirun or srun has
    /// started it, it is one of theirs. --dry-run needs no MPI: it measures this machine for a
    /// second and says what each of --ranks such machines needs, also for a --train larger than the
    /// data set. docs/distributed.md has a script for Slurm and the model.
    ///
    ///   cargo xtask distributed mnist-ntk --train 10000 --ranks 4 --spectrum
    ///   cargo xtask distributed mnist-ntk --train 1000000 --ranks 1024 --threads 1 --dry-run
    #[command(verbatim_doc_comment)]
    Distributed(Distributed),
    /// List, fetch or verify data sets, or make the embedded sample.
    ///
    /// There are mnist, fashion-mnist and cifar-10.
    Data(Data),
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
    /// form, networks of finite width, predictions, and entropies. A run of all cases of a suite at their own sizes writes its
    /// record into records/; other runs only where --out is given.
    Bench(Bench),
}

#[derive(Args)]
pub(crate) struct Kernel {
    /// The network as JSON; `-` reads it from standard input.
    #[arg(long, value_name = "JSON")]
    pub(crate) net: PathBuf,
    /// The samples.
    #[arg(long, value_name = "NPY")]
    pub(crate) x1: PathBuf,
    /// Others to compare them with [default: the samples among themselves].
    #[arg(long, value_name = "NPY")]
    pub(crate) x2: Option<PathBuf>,
    /// Which kernels, separated by commas [default: nngp,ntk; for a store ntk].
    #[arg(long, value_enum, value_name = "KERNELS", value_delimiter = ',')]
    pub(crate) get: Vec<KernelName>,
    /// Precision to compute and to write in.
    #[arg(long, value_enum, default_value_t = Precision::F64)]
    pub(crate) precision: Precision,
    /// File for the kernels; its folder must exist.
    #[arg(
        long,
        value_name = "NPZ",
        required_unless_present = "store",
        conflicts_with = "store"
    )]
    pub(crate) out: Option<PathBuf>,
    /// Folder for one kernel in tiles, instead of a file; what is missing in it is computed.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) store: Option<PathBuf>,
    /// Rows and columns of a tile [default: 2048]; each thread has one in memory.
    #[arg(long, value_name = "N", requires = "store", conflicts_with = "out", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) tile: Option<u32>,
    /// Verify all tiles that are there, and compute damaged ones again.
    #[arg(long, requires = "store", conflicts_with = "out")]
    pub(crate) repair: bool,
    /// Only say what would be computed, how large it is and how long it takes, roughly.
    #[arg(long, requires = "store", conflicts_with = "out")]
    pub(crate) dry_run: bool,
}

#[derive(Args)]
pub(crate) struct Ntk {
    /// The network as JSON; `-` reads it from standard input.
    #[arg(long, value_name = "JSON")]
    pub(crate) net: PathBuf,
    /// Its weights.
    #[arg(long, value_name = "SAFETENSORS")]
    pub(crate) weights: Option<PathBuf>,
    /// The weights are PyTorch's: Linear (out, in), Conv2d (out, in, height, width).
    #[arg(long, requires = "weights")]
    pub(crate) pytorch: bool,
    /// Map from our names to PyTorch's, as a JSON object [default: by order].
    #[arg(long, value_name = "JSON", requires = "pytorch")]
    pub(crate) names: Option<PathBuf>,
    /// Seed of the weights, where they are drawn.
    #[arg(
        long,
        value_name = "SEED",
        default_value_t = 0,
        conflicts_with = "weights"
    )]
    pub(crate) seed: u64,
    /// The samples.
    #[arg(long, value_name = "NPY")]
    pub(crate) x1: PathBuf,
    /// Others to compare them with [default: the samples among themselves].
    #[arg(long, value_name = "NPY")]
    pub(crate) x2: Option<PathBuf>,
    /// All pairs of outputs instead of the mean over outputs.
    #[arg(long)]
    pub(crate) full: bool,
    /// Precision to compute and to write in.
    #[arg(long, value_enum, default_value_t = Precision::F64)]
    pub(crate) precision: Precision,
    /// File for the kernel and the outputs; its folder must exist.
    #[arg(long, value_name = "NPZ")]
    pub(crate) out: PathBuf,
    /// File for the weights that were used, in our names and layouts.
    #[arg(long, value_name = "SAFETENSORS")]
    pub(crate) save_weights: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KernelName {
    /// Covariance of the outputs at initialisation.
    Nngp,
    /// The neural tangent kernel.
    Ntk,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Precision {
    /// Double precision, the reference.
    F64,
    /// Single precision, the fast path.
    F32,
}

#[derive(Args)]
pub(crate) struct Bench {
    /// Beside other programs, in turns, instead of `cargo bench`.
    #[arg(long)]
    pub(crate) peers: bool,
    /// Which cases, or a suite's name for all of its [default: all].
    #[arg(value_name = "CASE", requires = "peers")]
    pub(crate) cases: Vec<String>,
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
        default_value_t = 120,
        requires = "peers"
    )]
    pub(crate) peer_limit: u64,
    /// GiB that the peer may use; never more than what is available.
    #[arg(long, value_name = "GIB", default_value_t = 22, requires = "peers")]
    pub(crate) peer_memory: u64,
    /// Rounds of turns [default: 7, or 3 where a round takes over ten seconds].
    #[arg(long, value_name = "N", requires = "peers", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rounds: Option<u16>,
    /// At most this many samples, for a quick look; targets are then not judged.
    #[arg(long, value_name = "N", requires = "peers", value_parser = clap::value_parser!(u16).range(1..))]
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
    #[arg(long, value_name = "SEED", default_value_t = 0)]
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
pub(crate) struct PlacesArgs {
    /// Folder with data sets; it must hold the one that is needed.
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Never ask the network.
    #[arg(long, global = true)]
    pub(crate) offline: bool,
}

#[derive(Args)]
pub(crate) struct Data {
    #[command(subcommand)]
    pub(crate) action: DataAction,
    #[command(flatten)]
    pub(crate) places: PlacesArgs,
}

#[derive(Subcommand)]
pub(crate) enum DataAction {
    /// Say for every data set where it would come from.
    List,
    /// Download a data set into the cache and verify it.
    Fetch {
        /// Its name, as `list` prints it.
        name: String,
    },
    /// Verify every file found against its SHA-256.
    Verify,
    /// Make the embedded Fashion-MNIST sample from the full set.
    Sample {
        /// Write nothing: fail where the committed sample differs.
        #[arg(long)]
        check: bool,
    },
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
