//! The files of a command line: what a command reads, and what it replaces.

use super::{Beside, Command};
use crate::npy;
use std::path::{Path, PathBuf};

/// A `Named` file is one that a flag names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named<'a> {
    pub(crate) flag: &'static str,
    pub(crate) path: &'a Path,
}

/// The `Files` of a command. Folders are among them where files are written besides: what writes into
/// one takes it alone.
#[derive(Debug, Default)]
pub(crate) struct Files<'a> {
    pub(crate) inputs: Vec<Named<'a>>,
    pub(crate) outputs: Vec<Named<'a>>,
    /// Says whether `--out` is JSON, and not an archive of arrays.
    pub(crate) is_json: bool,
}

impl<'a> Files<'a> {
    fn input(mut self, flag: &'static str, path: impl Into<Option<&'a PathBuf>>) -> Self {
        let path = path.into().map(|path| npy::parted(path).0);
        self.inputs.extend(path.map(|path| Named { flag, path }));
        self
    }

    fn beside(self, args: &'a Beside) -> Self {
        self.input("--mask1", args.mask1.as_ref())
            .input("--mask2", args.mask2.as_ref())
            .input("--graph1", args.graph1.as_ref())
            .input("--graph2", args.graph2.as_ref())
            .input("--edges1", args.edges1.as_ref())
            .input("--edges2", args.edges2.as_ref())
    }

    fn output(mut self, flag: &'static str, path: impl Into<Option<&'a PathBuf>>) -> Self {
        let path = path.into().map(PathBuf::as_path);
        self.outputs.extend(path.map(|path| Named { flag, path }));
        self
    }

    fn json(self) -> Self {
        let is_json = true;
        Self { is_json, ..self }
    }
}

impl Command {
    /// Lists the files that this command line names.
    pub(crate) fn files(&self) -> Files<'_> {
        let files = Files::default();
        match self {
            Self::Kernel(args) => files
                .input("--net", &args.net)
                .input("--x1", &args.x1)
                .input("--x2", args.x2.as_ref())
                .beside(&args.beside)
                .output("--out", args.out.as_ref()),
            Self::Ntk(args) => files
                .input("--net", &args.net)
                .input("--weights", args.weights.as_ref())
                .input("--names", args.names.as_ref())
                .input("--x1", &args.x1)
                .input("--x2", args.x2.as_ref())
                .beside(&args.beside)
                .input("--store", args.tiles.store.as_ref())
                .output("--out", args.out.as_ref())
                .output("--save-weights", args.save_weights.as_ref()),
            Self::Fit(args) => files
                .input("--net", &args.net)
                .input("--x", &args.x)
                .input("--y", &args.targets.y)
                .output("--out", &args.out)
                .json(),
            Self::Predict(args) => files
                .input("--k-dd", args.k_dd.as_ref())
                .input("--fitted", args.fitted.as_ref())
                .input("--x", args.x.as_ref())
                .input("--x-test", args.x_test.as_ref())
                .input("--y-test", args.y_test.as_ref())
                .input("--y", &args.targets.y)
                .input("--k-td", args.k_td.as_ref())
                .input("--f0", args.f0.as_ref())
                .input("--f0-test", args.f0_test.as_ref())
                .output("--out", &args.out),
            Self::Entropy(args) => files
                .input("--kernel", &args.kernel)
                .input("--labels", args.labels.as_ref()),
            Self::Large(args) => files.input("--net", args.of.net.as_ref()),
            Self::Distributed(args) => files.input("--net", args.of.net.as_ref()),
            Self::Data(_) | Self::Completions { .. } | Self::Man { .. } => files,
        }
    }
}
