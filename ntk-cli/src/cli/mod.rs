//! The command line: every flag of every command, and its manual.

mod entropy;
mod files;
mod fit;
mod large;
mod predict;

pub(crate) use entropy::{Entropy, Landmarks, NormalizationChoice};
pub(crate) use files::Files;
#[cfg(test)]
pub(crate) use files::Named;
pub(crate) use fit::{Bounds, Fit, ObjectiveName};
pub(crate) use large::{Distributed, Large, OverLandmarks, Products, Regression, SolverName};
pub(crate) use predict::{LossChoice, Predict, SolverChoice};

use crate::environment;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ntk_linalg::Backend;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Compute neural tangent kernels of a network given as JSON, on samples in .npy files.
///
/// Kernels in closed form, the kernel of a finite network with its weights, what training with a
/// kernel predicts, a kernel's entropies, and regression on whole data sets.
#[derive(Parser)]
#[command(
    name = "ntk",
    version = version(),
    max_term_width = 100
)]
#[command(after_long_help = "\
DATA
  A data set is looked for in this order: --data-dir, the folder in NTK_DATA_DIR, the user's
  cache, a Debian system folder, the network (verified, then kept in the cache), and the sample
  of Fashion-MNIST that is part of the program, which stands in for the others too. What was
  used is said in the terminal, in results.json and on every figure. A folder holds the data
  sets' original files, gzip or plain, in it or in a folder of the data set's name.

EXIT CODE
  0 if all went well, 2 for a command line that cannot be read, with its usage, 130 after
  Ctrl-C, 1 for any other error, which is one line on standard error.

EXAMPLES
  ntk kernel --net net.json --x1 a.npy --out k.npz
                                       kernels of a network in closed form
  ntk ntk --net net.json --weights w.safetensors --x1 a.npy --out k.npz
                                       the kernel of a finite network with its weights
  ntk predict --k-dd kdd.npy --k-td ktd.npy --y y.npy --out p.npz
                                       what training with these kernels predicts
  ntk fit --net net.json --x x.npy --y y.npy --learn w_std,noise --out f.json
                                       the hyperparameters that suit a data set best
  ntk entropy --kernel k.npy --labels l.npy --classes 0,1,8
                                       entropies of a kernel and of its classes
  ntk large mnist-ntk --dry-run        what regression on all of MNIST takes here
  ntk distributed mnist-ntk --ranks 4  the same over the processes of an MPI job
  ntk data list                        which data sets would come from where")]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Flags that mean the same for every command, listed after its own.
#[derive(Args)]
#[command(next_display_order = 900)]
pub(crate) struct Common {
    /// Threads to compute with [default: all cores].
    #[arg(long, global = true, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// No progress, no summary: errors alone, and which data stands in for what was asked for.
    #[arg(long, global = true)]
    pub(crate) quiet: bool,
    /// The result as JSON on standard output.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Replace also files that may not be written to.
    #[arg(long, global = true)]
    pub(crate) force: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Kernels of an infinitely wide network in closed form, from .npy to .npz.
    ///
    /// Reads the inputs from .npy files, one sample a row: (n, features), (n, length, channels)
    /// or (n, height, width, channels), of floats or integers. Writes an uncompressed .npz that
    /// numpy.load reads, with the arrays `nngp` and `ntk` of shape (n1, n2); an existing file is
    /// replaced. The network is JSON:
    ///
    ///   {"parameterization": "ntk", "layers": [{"dense": {"w_std": 1.4}}, "relu", "dense"]}
    ///
    /// docs/network.md of the project has every layer and option. Without b_std a layer has no
    /// bias; 0 is a bias that is trained and starts at zero.
    ///
    /// One kernel that is too large for memory goes into a folder instead, by --store: a Zarr
    /// array of tiles, the lower half alone where there is no --x2. Killed at any moment, the
    /// same command goes on with the tiles that are missing. Only --repair looks at what is in
    /// the others: it compares every checksum, names damaged tiles and computes them again. In
    /// Python, which fails on a damaged tile:
    ///
    ///   ntk kernel --net net.json --x1 a.npy --precision f32 --store kernel
    ///   python3 -c 'import numpy as np, zarr; a = zarr.open_array("kernel", mode="r")[:]; \
    ///     k = np.tril(a) + np.tril(a, -1).T'    # with --x2 a is k
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
    /// With --layout keras or flax it holds tensors `Dense_0/kernel`, `Dense_0/bias` of shape (in,
    /// out), (out), or it is `numpy.savez(path, *model.get_weights())`.
    ///
    /// Such weights are those of the standard parameterisation, in which the network is read where
    /// it names none; in it every b_std is a bias, 0 included, whatever its value. PyTorch's
    /// `padding=1` is "padding": [1, 1], and "same" is not that where strides are above 1; layers
    /// where it may matter are named in a warning. PyTorch's samples (n, channels, height, width)
    /// are --layout nchw; it is asked for where the weights fit both orders. The summary says what
    /// was used, and which tensors of the file were not.
    ///
    /// Writes an uncompressed .npz that numpy.load reads: `ntk`, the mean over outputs
    /// 1/o sum_a J_a(x1) J_a(x2)^T of shape (n1, n2), or with --full all pairs of outputs,
    /// (n1 o, n2 o) with row = sample * o + output; and `outputs` of shape (n1, o), the network's
    /// on --x1. Existing files are replaced.
    ///
    /// With --store the kernel goes into a folder of tiles, as that of `kernel --store` does, and --out,
    /// where it is given, has `outputs` alone. The same command with the same weights goes on where
    /// it was killed; other weights, samples or masks are refused with the difference. With --full
    /// a tile has whole samples, so that its rows are a multiple of the outputs.
    ///
    ///   ntk ntk --net net.json --weights w.safetensors --x1 a.npy --precision f32 --store kernel
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
    /// To predict from what `kernel` wrote, name an array of each file:
    ///
    ///   ntk predict --k-dd kdd.npz:ntk --k-td ktd.npz:ntk --y y.npy --t 1e3,1e4,inf --out p.npz
    ///   python3 -c 'import numpy as np; print(np.load("p.npz")["test"].argmax(2))'
    ///
    /// With --fitted there are samples in place of kernels, and predictions are those of the Gaussian
    /// process that `fit` found: `train` (1, n, o) and `test` (1, m, o) are its means, at t = inf,
    /// `train_variance` (n) and `test_variance` (m) the variances of targets, noise included, which
    /// all outputs share. With --one-hot `test_probabilities` (m, o) are the classes': that of each is as
    /// the density at its targets. --y-test has the test samples' targets, and adds to the summary
    ///
    ///   log_predictive_density  mean over samples of the log density of their targets, in nats
    ///   log_probability         with --one-hot: mean of that of their class, in nats
    ///   accuracy                with --one-hot: share of samples whose largest mean is at their class
    ///   r2                      1 - sum (y - f)^2 / sum (y - mean y)^2, averaged over outputs
    ///
    ///   ntk predict --fitted f.json --x x.npy --y y.npy --x-test z.npy --y-test t.npy --out p.npz
    #[command(verbatim_doc_comment)]
    Predict(Predict),
    /// The hyperparameters with which a Gaussian process suits targets best, from .npy to JSON.
    ///
    /// The targets of each output are jointly normal with covariance output_scale K + noise I, K the
    /// NNGP or NTK of the network, in which L-BFGS finds the largest of one of
    ///
    ///   marginal-likelihood   ln of the probability density of all targets, the evidence
    ///   leave-one-out         sum of ln of that of each target, all others seen: less sensitive to
    ///                         a kernel that is wrong
    ///
    /// over what --learn names: `noise` and `output_scale`, and hyperparameters of the network. These
    /// are the w_std and b_std of its layers, where there is a b_std, and the parameters of activations:
    /// `w_std` is one value for all layers that have it, `layers[0].dense.w_std` that of one. Kernels are
    /// computed in f64. There are no derivatives behind attention, aggregate, recurrent and embedding
    /// layers, nor behind a concatenation of positions.
    ///
    /// Writes JSON for `predict --fitted`: the learned `network`, with the output scale as its last
    /// layer, `kernel`, `noise`, `objective` at start and end, `learned` with the start, end and
    /// derivative of each, `evaluations`, `converged`, why it `stopped`, and with what it was computed;
    /// an existing file is replaced. Where the optimiser does not converge, the best that it found
    /// is written and a warning says why.
    ///
    ///   ntk fit --net net.json --x x.npy --y y.npy --learn w_std,b_std,noise --out f.json
    #[command(verbatim_doc_comment)]
    Fit(Fit),
    /// Entropies of a kernel matrix, and what its classes share, from .npy to numbers.
    ///
    /// Reads a symmetric positive semidefinite kernel from a .npy file, or from an array of what
    /// `kernel` wrote as k.npz:ntk: (n, n), or with --outputs o full (n o, n o), row = sample * o +
    /// output. Its eigenvalues over their sum are
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
    ///   ntk entropy --kernel k.npy --labels l.npy --classes 0,1,8 --json
    ///
    /// With --net, --x and --landmarks there is no kernel of all samples: of the network's, as `kernel`
    /// computes it, so many columns give a partial Cholesky factorisation F (n, landmarks), F F^T <= K.
    /// What it leaves of the trace, `residual` as a share, can be anywhere in the spectrum, so that
    /// each number is an interval: between `lower`, all of it on the largest eigenvalue, and `upper`,
    /// all on the smallest, with `estimate` a guess by how the eigenvalues fall. There is also
    /// intrinsic_dimension, trace / lambda_max. More --landmarks narrow it:
    ///
    ///   ntk entropy --net net.json --x x.npy --landmarks 1000
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
    ///   mnist-million      NNGP of dense layers with relu, five hidden, over landmarks: a million
    ///                      images, deformed copies of those of MNIST, on 60 principal components
    ///
    /// With --landmarks M the coefficients are of M of the images alone, for any number of images:
    ///
    ///   ntk large mnist-million --train 250000,1000000 --landmarks 1000,2500,5000 --out results
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
    /// started it, it is one of theirs. --dry-run needs no MPI: it says what memory each of --ranks
    /// needs, also for a --train larger than the data set. docs/distributed.md of the project has a
    /// script for Slurm.
    ///
    ///   ntk distributed mnist-ntk --train 10000 --ranks 4 --spectrum
    ///   ntk distributed mnist-ntk --train 1000000 --ranks 1024 --dry-run
    #[command(verbatim_doc_comment)]
    Distributed(Distributed),
    /// List, fetch or verify data sets.
    ///
    /// There are mnist, fashion-mnist and cifar-10.
    Data(Data),
    /// Print a script that completes commands and flags in a shell.
    ///
    /// Bash reads it from ~/.local/share/bash-completion/completions/ntk, zsh as _ntk from a folder of
    /// its fpath, fish from ~/.config/fish/completions/ntk.fish; or at once:
    ///
    ///   source <(ntk completions bash)
    #[command(verbatim_doc_comment)]
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Write the manual pages, ntk.1 and one of each command, into a folder.
    ///
    ///   ntk man man1 && man -l man1/ntk-kernel.1
    #[command(verbatim_doc_comment)]
    Man {
        /// The folder; it is made where it is not there.
        #[arg(value_name = "FOLDER")]
        out: PathBuf,
    },
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
    #[command(flatten)]
    pub(crate) beside: Beside,
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
        conflicts_with_all = ["store", "tile", "repair", "dry_run"]
    )]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tiles: Tiles,
}

/// These flags keep one kernel in tiles on disk.
#[derive(Args)]
pub(crate) struct Tiles {
    /// Folder for one kernel in tiles, instead of a file; what is missing in it is computed.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) store: Option<PathBuf>,
    /// With --store: rows and columns of a tile [default: 2048]; each thread has one in memory.
    #[arg(long, value_name = "N", requires = "store", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) tile: Option<u32>,
    /// With --store: verify all tiles that are there, and compute damaged ones again.
    #[arg(long, requires = "store")]
    pub(crate) repair: bool,
    /// With --store: only say what would be computed, how large it is and how long it takes, roughly.
    #[arg(long, requires = "store")]
    pub(crate) dry_run: bool,
}

/// These arguments name what belongs to samples beside their numbers.
#[derive(Args)]
pub(crate) struct Beside {
    /// Which positions of --x1 are masked, (n, positions...): truth values, true where it is padding.
    #[arg(long, value_name = "NPY", conflicts_with = "mask_value")]
    pub(crate) mask1: Option<PathBuf>,
    /// The same of --x2.
    #[arg(long, value_name = "NPY", conflicts_with = "mask_value")]
    pub(crate) mask2: Option<PathBuf>,
    /// Mask positions whose channels all equal this, which may be nan.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) mask_value: Option<f64>,
    /// Graphs of --x1 for aggregate layers: weights (n, nodes..., nodes...) from tail to head.
    #[arg(long, value_name = "NPY", conflicts_with = "edges1")]
    pub(crate) graph1: Option<PathBuf>,
    /// The same of --x2.
    #[arg(long, value_name = "NPY", conflicts_with = "edges2")]
    pub(crate) graph2: Option<PathBuf>,
    /// Graphs of --x1 as lists of edges, (n, edges, axes of nodes, 2): tail and head last, -1 for none.
    #[arg(long, value_name = "NPY")]
    pub(crate) edges1: Option<PathBuf>,
    /// The same of --x2.
    #[arg(long, value_name = "NPY")]
    pub(crate) edges2: Option<PathBuf>,
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
    /// Layout of the samples (nhwc, nchw), of the weights (keras, flax), or both with a comma.
    #[arg(
        long,
        value_enum,
        value_name = "LAYOUTS",
        value_delimiter = ',',
        num_args = 1
    )]
    pub(crate) layout: Vec<Layout>,
    /// Map from our names of the weights to the file's, as a JSON object [default: by order].
    #[arg(long, value_name = "JSON", requires = "weights")]
    pub(crate) names: Option<PathBuf>,
    /// Seed of the weights, where they are drawn.
    #[arg(
        long,
        value_name = "SEED",
        default_value_t = 0,
        allow_negative_numbers = true,
        conflicts_with = "weights"
    )]
    pub(crate) seed: u64,
    /// The samples.
    #[arg(long, value_name = "NPY")]
    pub(crate) x1: PathBuf,
    /// Others to compare them with [default: the samples among themselves].
    #[arg(long, value_name = "NPY")]
    pub(crate) x2: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) beside: Beside,
    /// All pairs of outputs instead of the mean over outputs.
    #[arg(long)]
    pub(crate) full: bool,
    /// Precision to compute and to write in.
    #[arg(long, value_enum, default_value_t = Precision::F64)]
    pub(crate) precision: Precision,
    /// File for the kernel and the outputs, with --store for the outputs alone; its folder must exist.
    #[arg(long, value_name = "NPZ", required_unless_present = "store")]
    pub(crate) out: Option<PathBuf>,
    /// File for the weights that were used, in our names and layouts.
    #[arg(long, value_name = "SAFETENSORS")]
    pub(crate) save_weights: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tiles: Tiles,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layout {
    /// Samples are (n, height, width, channels) or (n, length, channels).
    Nhwc,
    /// Samples are (n, channels, height, width) or (n, channels, length), as in PyTorch.
    Nchw,
    /// The weights are those of Keras: kernels (in, out), (height, width, in, out), and biases.
    Keras,
    /// The weights are those of flax or jax.stax, whose layout is that of Keras.
    Flax,
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

/// These flags name targets, and say what classes become.
#[derive(Args)]
pub(crate) struct TargetsArgs {
    /// Take these targets, (samples, outputs) or (samples).
    #[arg(long, value_name = "NPY")]
    pub(crate) y: PathBuf,
    #[command(flatten)]
    pub(crate) classes: OfClasses,
}

/// These flags make targets of classes.
#[derive(Args, Debug, Clone, Copy)]
pub(crate) struct OfClasses {
    /// Make of the class indices in --y, from 0, one output for each class, 1 for that of the sample
    /// and 0 for others.
    #[arg(long)]
    pub(crate) one_hot: bool,
    /// Make -1 of 0 in --y, which has 0 and 1, or by --one-hot class indices.
    #[arg(long)]
    pub(crate) signs: bool,
}

/// This flag makes what is drawn at random the same again.
#[derive(Args)]
pub(crate) struct Seed {
    /// Set the seed of what is drawn at random.
    #[arg(
        long,
        value_name = "SEED",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub(crate) seed: u64,
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
}

/// Version, revision and features: `0.1.0 (0b29541f33ab, openblas, mpi)`.
fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let (version, revision) = (env!("CARGO_PKG_VERSION"), environment::REVISION);
        let mpi = if cfg!(feature = "mpi") { ", mpi" } else { "" };
        format!("{version} ({revision}, {}{mpi})", Backend::default().name())
    })
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
