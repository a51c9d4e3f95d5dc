//! The command line: every flag of every command, and its manual.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;

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
    /// index.html over all experiments in that folder. Exist: shallow-relu, jamming and
    /// width-vs-ntk.
    Reproduce(Reproduce),
    /// Kernels of an infinitely wide network in closed form, from .npy to .npz.
    ///
    /// Reads the inputs from .npy files, one sample a row: (n, features), (n, length, channels)
    /// or (n, height, width, channels), of floats or integers. Writes an uncompressed .npz that
    /// numpy.load reads, with the arrays `nngp` and `ntk` of shape (n1, n2); an existing file is
    /// replaced. The network is JSON:
    ///
    ///   {"parameterization": "ntk", "layers": [{"dense": {"w_std": 1.4}}, "relu", "dense"]}
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
    /// python3 (3.10 to 3.12) and the network once. There are three suites: kernels in closed
    /// form, networks of finite width, and predictions. A run of all cases of a suite at their own sizes writes its
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
    /// Which kernels, separated by commas.
    #[arg(long, value_enum, value_name = "KERNELS", value_delimiter = ',', default_values = ["nngp", "ntk"])]
    pub(crate) get: Vec<KernelName>,
    /// Precision to compute and to write in.
    #[arg(long, value_enum, default_value_t = Precision::F64)]
    pub(crate) precision: Precision,
    /// File for the kernels; its folder must exist.
    #[arg(long, value_name = "NPZ")]
    pub(crate) out: PathBuf,
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

#[derive(Args)]
pub(crate) struct Predict {
    /// Kernel of the training samples with themselves.
    #[arg(long, value_name = "NPY")]
    pub(crate) k_dd: PathBuf,
    /// Their targets.
    #[arg(long, value_name = "NPY")]
    pub(crate) y: PathBuf,
    /// Kernel of test samples (rows) with the training samples (columns).
    #[arg(long, value_name = "NPY")]
    pub(crate) k_td: Option<PathBuf>,
    /// Times, ascending, separated by commas.
    #[arg(
        long,
        value_name = "TIMES",
        default_value = "inf",
        allow_hyphen_values = true
    )]
    pub(crate) t: Times,
    /// The loss, one of those above.
    #[arg(long, value_name = "LOSS", default_value = "mse")]
    pub(crate) loss: LossChoice,
    /// Times the mean of the diagonal of --k-dd, added to that diagonal.
    #[arg(
        long,
        value_name = "R",
        default_value_t = 0.0,
        allow_hyphen_values = true
    )]
    pub(crate) diag_reg: f64,
    /// Add --diag-reg itself to the diagonal.
    #[arg(long, requires = "diag_reg")]
    pub(crate) diag_reg_absolute: bool,
    /// Learning rate of gradient descent.
    #[arg(
        long,
        value_name = "RATE",
        default_value_t = 1.0,
        allow_hyphen_values = true
    )]
    pub(crate) learning_rate: f64,
    /// Momentum of gradient descent, from 0 and below 1 [default: none, which is not 0].
    #[arg(long, value_name = "M", value_parser = momentum, allow_hyphen_values = true)]
    pub(crate) momentum: Option<f64>,
    /// Initial outputs on the training samples, of the shape of --y [default: zero].
    #[arg(long, value_name = "NPY")]
    pub(crate) f0: Option<PathBuf>,
    /// Initial outputs on the test samples [default: zero].
    #[arg(long, value_name = "NPY", requires = "k_td")]
    pub(crate) f0_test: Option<PathBuf>,
    /// Error that the solver allows itself in a step, absolute and relative; for losses without
    /// a closed form [default: 1e-6].
    #[arg(long, value_name = "ERROR", allow_hyphen_values = true)]
    pub(crate) tolerance: Option<f64>,
    /// Which solver; with momentum it is dormand-prince in any case [default: chebyshev].
    #[arg(long, value_enum)]
    pub(crate) solver: Option<SolverChoice>,
    /// Most steps of that solver [default: 1000000].
    #[arg(long, value_name = "N")]
    pub(crate) most_steps: Option<usize>,
    /// Precision of the kernels and of what is written; without a closed form outputs are always
    /// computed in f64.
    #[arg(long, value_enum, default_value_t = Precision::F64)]
    pub(crate) precision: Precision,
    /// File for the outputs; its folder must exist.
    #[arg(long, value_name = "NPZ")]
    pub(crate) out: PathBuf,
}

/// Ascending times, zero or more, of which the last may be infinite.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Times(pub(crate) Vec<f64>);

impl FromStr for Times {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut previous = 0.0;
        let time = |text: &str| {
            let time: f64 = text.trim().parse().map_err(|_| {
                format!("\"{text}\" is no number; expected times as in 1e3,1e4,inf")
            })?;
            if time.is_nan() || time < 0.0 {
                return Err(format!("time {time} is not zero or more"));
            }
            if time < previous {
                return Err(format!("{time} comes after {previous}; sort the times"));
            }
            previous = time;
            Ok(time)
        };
        text.split(',')
            .map(time)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// A loss by its name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum LossChoice {
    /// 1/2 mean (f - y)^2.
    HalfMeanSquare,
    /// mean (f - y)^2.
    MeanSquare,
    /// 1/2 mean max(0, margin - f y)^2.
    QuadraticHinge { margin: f64 },
    /// mean |f - y|^power.
    MeanPower { power: f64 },
    /// -1/n sum y ln softmax(f).
    CrossEntropy,
}

impl FromStr for LossChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, option) = match text.split_once(':') {
            Some((name, option)) => (name, Some(option)),
            None => (text, None),
        };
        match name {
            "hinge2" => Ok(Self::QuadraticHinge {
                margin: number(option.unwrap_or("margin=1"), "margin")?,
            }),
            "power" => {
                let option = option.ok_or("say which power, as in power:power=4")?;
                let power = number(option, "power")?;
                if power < 1.0 {
                    return Err(format!("power is {power}, but must be at least 1"));
                }
                Ok(Self::MeanPower { power })
            }
            _ => {
                let loss = match name {
                    "mse" | "half-mse" => Self::HalfMeanSquare,
                    "mean-square" => Self::MeanSquare,
                    "cross-entropy" => Self::CrossEntropy,
                    _ => {
                        return Err(format!(
                            "there is no loss \"{name}\"; there are mse, mean-square, \
                             hinge2:margin=0.5, power:power=4 and cross-entropy"
                        ));
                    }
                };
                match option {
                    None => Ok(loss),
                    Some(option) => Err(format!("{name} has no options; leave out \"{option}\"")),
                }
            }
        }
    }
}

/// The finite number in `name=number`.
fn number(option: &str, name: &str) -> Result<f64, String> {
    let value = option.strip_prefix(name).and_then(|o| o.strip_prefix('='));
    value
        .and_then(|value| value.parse().ok())
        .filter(|value: &f64| value.is_finite())
        .ok_or_else(|| format!("\"{option}\" is not {name}=NUMBER, as in {name}=1.5"))
}

fn momentum(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(m) if (0.0..1.0).contains(&m) => Ok(m),
        _ => Err("the momentum must be zero or more and less than one".into()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KernelName {
    /// Covariance of the outputs at initialisation.
    Nngp,
    /// The neural tangent kernel.
    Ntk,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SolverChoice {
    /// Stabilised, of second order: for errors down to some 1e-5, long times, stiff kernels.
    Chebyshev,
    /// Explicit, of fifth order: for smaller errors.
    DormandPrince,
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

    #[test]
    fn times_ascend_from_zero() {
        let times = |text: &str| text.parse::<Times>();
        assert_eq!(
            times("0,1e3, 1e3,inf"),
            Ok(Times(vec![0.0, 1e3, 1e3, f64::INFINITY]))
        );
        for (text, word) in [
            ("", "no number"),
            ("1,,2", "no number"),
            ("nan", "zero or more"),
            ("-1", "zero or more"),
            ("1,inf,3", "sort"),
        ] {
            let error = times(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn losses_have_names_and_options() {
        for (text, loss) in [
            ("mse", LossChoice::HalfMeanSquare),
            ("half-mse", LossChoice::HalfMeanSquare),
            ("mean-square", LossChoice::MeanSquare),
            ("hinge2", LossChoice::QuadraticHinge { margin: 1.0 }),
            (
                "hinge2:margin=0.5",
                LossChoice::QuadraticHinge { margin: 0.5 },
            ),
            ("power:power=1", LossChoice::MeanPower { power: 1.0 }),
            ("cross-entropy", LossChoice::CrossEntropy),
        ] {
            assert_eq!(text.parse(), Ok(loss));
        }
        for (text, word) in [
            ("", "cross-entropy"),
            ("mae", "\"mae\""),
            ("mse:margin=1", "no options"),
            ("hinge2:", "margin="),
            ("hinge2:margin", "margin="),
            ("hinge2:margin=inf", "margin="),
            ("hinge2:power=2", "margin="),
            ("power", "power:power=4"),
            ("power:power=0.5", "at least 1"),
        ] {
            let error = text.parse::<LossChoice>().unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
