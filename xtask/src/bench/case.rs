//! What a benchmark beside another program is made of.

use super::inputs::Inputs;
use crate::Failure;
use ndarray::{Array, Dimension};
use ndarray_npy::WritableElement;
use ntk_kernels::Network;
use serde_json::Value as Json;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Cases beside one peer, and the name of their record.
pub(super) struct Suite {
    /// The record is `NAME.json` and `NAME.md`.
    pub(super) name: &'static str,
    /// The record's heading.
    pub(super) title: &'static str,
    /// What runs beside us.
    pub(super) peer: PeerProgram,
    /// What a reader of the record has to know besides, as lines of Markdown.
    pub(super) notes: &'static str,
    /// The cases in the order of the record.
    pub(super) cases: &'static [BenchCase],
}

/// A peer: a Python program, and what has to be installed for it.
#[derive(Clone, Copy)]
pub(super) struct PeerProgram {
    /// What it is called in the record.
    pub(super) name: &'static str,
    /// The program, from the root of the workspace. See `peer` for how it is talked to.
    pub(super) script: &'static str,
    /// All its packages for pip, with versions, from the root of the workspace.
    pub(super) requirements: &'static str,
}

/// Names neural_tangents in this program, which is a path from the root of the workspace.
pub(super) const fn neural_tangents(script: &'static str) -> PeerProgram {
    PeerProgram {
        name: "neural_tangents",
        script,
        requirements: "ntk-kernels/benches/peers/requirements.txt",
    }
}

/// One thing to time.
pub(super) struct BenchCase {
    pub(super) name: &'static str,
    /// What is timed, in a sentence.
    pub(super) about: &'static str,
    pub(super) targets: &'static [Target],
    /// Does everything that is not to be timed.
    pub(super) prepare: Prepare,
    /// Whether the peer is known not to manage, and so is not asked unless `--peer-oom`.
    pub(super) exceeds_peer: bool,
}

type Prepare = fn(&BenchCase, &Supplies<'_>) -> Result<Prepared, Failure>;

impl BenchCase {
    /// Makes a case that the peer manages.
    pub(super) const fn new(
        name: &'static str,
        about: &'static str,
        targets: &'static [Target],
        prepare: Prepare,
    ) -> Self {
        Self {
            name,
            about,
            targets,
            prepare,
            exceeds_peer: false,
        }
    }

    /// Says that the peer does not manage.
    pub(super) const fn beyond_peer(self) -> Self {
        Self {
            exceeds_peer: true,
            ..self
        }
    }
}

/// What cases are prepared from.
pub(super) struct Supplies<'a> {
    pub(super) inputs: &'a Inputs<'a>,
    /// The folder of files that are handed to the peer; removed afterwards.
    pub(super) folder: &'a Path,
    /// The largest number of samples.
    pub(super) samples: Option<usize>,
    /// The number of threads of a process of its own.
    pub(super) threads: usize,
}

impl Supplies<'_> {
    /// Returns the number of samples, of the `n` that a case is made for.
    pub(super) fn limit(&self, n: usize) -> usize {
        self.samples.map_or(n, |most| n.min(most))
    }

    /// Writes an array of a case for the peer; returns its path.
    pub(super) fn write<T: WritableElement, D: Dimension>(
        &self,
        case: &BenchCase,
        which: &str,
        array: &Array<T, D>,
    ) -> Result<PathBuf, Failure> {
        let path = self.folder.join(format!("{}-{which}.npy", case.name));
        ndarray_npy::write_npy(&path, array)?;
        Ok(path)
    }

    /// Returns a command of this program on a network and the samples at `x1`, whose answer says how
    /// much memory it took.
    pub(super) fn alone(
        &self,
        case: &BenchCase,
        command: &[&str],
        network: &Network,
        x1: &Path,
    ) -> Result<Vec<OsString>, Failure> {
        let net = self.folder.join(format!("{}.json", case.name));
        std::fs::write(&net, network.to_json())?;
        let (out, threads) = (self.folder.join("alone.npz"), self.threads.to_string());
        let mut arguments: Vec<OsString> = command.iter().map(Into::into).collect();
        arguments.extend(["--json", "--precision", "f32"].map(Into::into));
        for (flag, value) in [
            ("--threads", threads.as_ref()),
            ("--net", net.as_os_str()),
            ("--x1", x1.as_os_str()),
            ("--out", out.as_os_str()),
        ] {
            arguments.extend([flag.into(), value.to_owned()]);
        }
        Ok(arguments)
    }
}

/// A case that is ready to be timed.
pub(super) struct Prepared {
    /// The result's size, such as `4096 x 4096`.
    pub(super) size: String,
    /// What the inputs are.
    pub(super) data: String,
    /// What takes turns, ours first; every one has a turn in each round.
    pub(super) parts: Vec<Contender>,
    /// What the peer is asked, one line.
    pub(super) request: Json,
    /// The entries that both sides are asked for, far more exact, where errors are told.
    pub(super) exact: Option<Vec<f64>>,
    /// Results in one run, ours and the peer's, where time is counted by the result.
    pub(super) results: Option<(usize, usize)>,
    /// Arguments of this program for a run in a process of its own, whose memory is reported.
    pub(super) alone: Option<Vec<OsString>>,
}

impl Prepared {
    /// Makes one that is compared by its entries and seconds alone.
    pub(super) fn new(size: String, data: String, parts: Vec<Contender>, request: Json) -> Self {
        Self {
            size,
            data,
            parts,
            request,
            exact: None,
            results: None,
            alone: None,
        }
    }
}

/// Something of ours with a turn in each round.
pub(super) struct Contender {
    pub(super) name: ContenderName,
    /// Does it once.
    pub(super) run: Box<dyn Fn() -> Result<TimedRun, Failure>>,
}

impl Contender {
    /// TurnTimes `work`; `probes` reads entries of its result, off the clock.
    pub(super) fn new<R>(
        name: ContenderName,
        work: impl Fn() -> Result<R, Failure> + 'static,
        probes: impl Fn(&R) -> Vec<f64> + 'static,
    ) -> Self {
        let run = move || {
            let begun = Instant::now();
            let result = work()?;
            let seconds = begun.elapsed().as_secs_f64();
            let probes = probes(&result);
            Ok(TimedRun { seconds, probes })
        };
        let run = Box::new(run);
        Self { name, run }
    }
}

/// Which of ours it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContenderName {
    /// The same in f32 as the peer.
    F32,
    /// The same in f64.
    F64,
    /// The same without activations, in f32: what is left to the layers between them.
    Linear,
    /// `X X^T` of the same inputs alone, in f32: no kernel of vectors can be faster.
    Product,
}

impl ContenderName {
    /// All, in the order of the record's columns.
    pub(super) const ALL: [Self; 4] = [Self::F32, Self::F64, Self::Linear, Self::Product];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "ours f32",
            Self::F64 => "ours f64",
            Self::Linear => "linear f32",
            Self::Product => "X X^T f32",
        }
    }
}

/// One run: seconds, and some entries of the result, to be compared with the peer's.
pub(super) struct TimedRun {
    pub(super) seconds: f64,
    pub(super) probes: Vec<f64>,
}

/// What is asked of a case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) quantity: Quantity,
    pub(super) bound: f64,
}

/// A number of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    /// Seconds of the peer over the first of ours; by the result where these are counted.
    PeerOverOurs,
    /// Seconds of ours in f64 over f32.
    F64OverF32,
    /// Seconds of the first of ours over those of the bare product.
    OursOverProduct,
    /// Seconds of the first of ours.
    Seconds,
    /// Milliseconds of the first of ours for one result.
    MillisecondsPerResult,
    /// The most memory that a process of ours had, in 10^6 bytes.
    PeakMegabytes,
    /// The norm of the entries' errors over that of the exact entries, of the first of ours.
    OurError,
    /// The same of the peer.
    PeerError,
    /// The one error over the other.
    OurErrorOverPeers,
}

impl Quantity {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::PeerOverOurs => "peer / ours",
            Self::F64OverF32 => "f64 / f32",
            Self::OursOverProduct => "ours / X X^T",
            Self::Seconds => "seconds",
            Self::MillisecondsPerResult => "ms per entry",
            Self::PeakMegabytes => "peak MB",
            Self::OurError => "error of ours",
            Self::PeerError => "error of peer",
            Self::OurErrorOverPeers => "ours / peer's error",
        }
    }

    /// Says whether more is better.
    pub(super) fn asks_for_more(self) -> bool {
        self == Self::PeerOverOurs
    }
}

impl Target {
    pub(super) const fn new(quantity: Quantity, bound: f64) -> Self {
        Self { quantity, bound }
    }

    pub(super) fn met(self, measured: f64) -> bool {
        if self.quantity.asks_for_more() {
            measured >= self.bound
        } else {
            measured <= self.bound
        }
    }
}
