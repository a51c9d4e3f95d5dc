//! The file that `ntk fit` writes, and `ntk predict` reads.

use crate::cli::OfClasses;
use crate::environment::Environment;
use crate::{Failure, files, inputs};
use ntk_kernels::{Kernel, Network};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::path::Path;

/// This ends messages on a file that is none.
const REMEDY: &str = "give what ntk fit of this version wrote";

/// `Fitted` is the content of the whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// This has what was learned, and the output scale as its last layer where that is not 1.
    pub network: Network,
    /// This is the covariance.
    pub kernel: Kernel,
    /// This is the variance of the targets' noise.
    pub noise: f64,
    /// This is the factor of the kernel, which the network has already.
    pub output_scale: f64,
    /// This had to be added to the covariance's diagonal besides; it is nearly always 0.
    pub jitter: f64,
    /// This holds the objective at start and end.
    pub objective: Objective,
    /// These numbers were learned.
    pub learned: Vec<Learned>,
    /// So many evaluations of the objective were made, from all starts.
    pub evaluations: usize,
    /// This is the largest derivative by a logarithm at the end, over the number of targets.
    pub gradient: Option<f64>,
    /// This says whether that is within the tolerance.
    pub converged: bool,
    /// This says why the best start ended.
    pub stopped: String,
    /// These ended at one of the bounds.
    pub at_bounds: Vec<String>,
    /// These say what each start came to.
    pub runs: Vec<Json>,
    /// This is the shape of each sample that it was learned of, without their number.
    pub sample_shape: Vec<usize>,
    /// These say of which targets it was learned.
    pub targets: Targets,
    /// What is positive was kept within these.
    pub bounds: (f64, f64),
    /// So many starts were made besides the given one.
    pub restarts: usize,
    /// They were drawn with this seed.
    pub seed: u64,
    /// This names the machine and the program.
    pub environment: Environment,
}

/// `Objective` holds the values of what was made as large as could be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// This is its name, as `--objective` takes it.
    pub name: String,
    /// This is its value at the given start, in nats.
    pub start: f64,
    /// This is the largest value that was found.
    pub end: f64,
}

/// `Learned` is a number that was learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    /// This is its name, as `--learn` takes it.
    pub name: String,
    /// This is its value at the given start.
    pub start: f64,
    /// This value was found.
    pub end: f64,
    /// This is the objective's derivative by it there.
    pub gradient: f64,
}

/// `Targets` says of which targets it was learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Targets {
    /// There were so many samples.
    pub samples: usize,
    /// Each had so many outputs.
    pub outputs: usize,
    /// This says whether they were made of class indices.
    pub one_hot: bool,
    /// This says whether 0 was made -1.
    pub signs: bool,
}

impl Fitted {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = files::read(path, REMEDY)?;
        Self::of_bytes(&path.display().to_string(), &bytes)
    }

    /// Reads the content of a file of this name, and checks what is computed with.
    ///
    /// # Errors
    /// It fails where it is none, and for a noise that is no variance.
    pub fn of_bytes(name: &str, bytes: &[u8]) -> Result<Self, Failure> {
        let text = inputs::decoded(name, bytes)?;
        let fitted: Self =
            serde_json::from_str(&text).map_err(|e| format!("{name}: {e}; {REMEDY}"))?;
        for (what, value) in [("noise", fitted.noise), ("jitter", fitted.jitter)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(format!(
                    "{name}: its {what} is {value}, and must be finite and not negative; {REMEDY}"
                )
                .into());
            }
        }
        Ok(fitted)
    }

    /// Refuses targets that are made of classes in another way than those it was learned of.
    pub(crate) fn check(&self, path: &Path, flags: OfClasses) -> Result<(), Failure> {
        let of = &self.targets;
        for (flag, given, learned) in [
            ("--one-hot", flags.one_hot, of.one_hot),
            ("--signs", flags.signs, of.signs),
        ] {
            if given != learned {
                let (with, remedy) = match learned {
                    true => ("with", "give it here too"),
                    false => ("without", "leave it out here too"),
                };
                return Err(
                    format!("{} was learned {with} {flag}; {remedy}", path.display()).into(),
                );
            }
        }
        Ok(())
    }
}
