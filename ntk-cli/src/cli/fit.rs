//! The flags of `ntk fit`.

use super::{KernelName, Seed, TargetsArgs};
use clap::{Args, ValueEnum};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

#[derive(Args)]
pub(crate) struct Fit {
    /// Start from the values of this network, JSON; `-` reads it from standard input.
    #[arg(long, value_name = "JSON")]
    pub(crate) net: PathBuf,
    /// Learn from these samples.
    #[arg(long, value_name = "NPY")]
    pub(crate) x: PathBuf,
    #[command(flatten)]
    pub(crate) targets: TargetsArgs,
    /// Learn these, separated by commas: noise, output_scale, and hyperparameters of the network,
    /// w_std for one value of all layers or layers[0].dense.w_std for one layer's.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
    pub(crate) learn: Vec<String>,
    /// Take this kernel as the covariance.
    #[arg(long, value_enum, default_value_t = KernelName::Nngp)]
    pub(crate) kernel: KernelName,
    /// Set the variance of the targets' noise, to start from where it is learned.
    #[arg(
        long,
        value_name = "VARIANCE",
        default_value_t = 0.1,
        allow_hyphen_values = true
    )]
    pub(crate) noise: f64,
    /// Set the factor of the kernel, to start from where it is learned.
    #[arg(
        long,
        value_name = "FACTOR",
        default_value_t = 1.0,
        allow_hyphen_values = true
    )]
    pub(crate) output_scale: f64,
    /// Make this as large as it can be.
    #[arg(long, value_enum, default_value_t = ObjectiveName::MarginalLikelihood)]
    pub(crate) objective: ObjectiveName,
    /// Start as often again, log-uniform within a factor of 10 of the given start; the best end counts.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub(crate) restarts: usize,
    #[command(flatten)]
    pub(crate) drawn: Seed,
    /// Keep within these bounds what is positive: all but the parameters of activations.
    #[arg(
        long,
        value_name = "LOW,HIGH",
        default_value_t = Bounds(1e-5, 1e5),
        allow_hyphen_values = true
    )]
    pub(crate) bounds: Bounds,
    /// End a start after so many evaluations of the objective.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 200,
        allow_negative_numbers = true
    )]
    pub(crate) most_evaluations: usize,
    /// Write what was learned to this file, as JSON; its folder must exist.
    #[arg(long, value_name = "JSON")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ObjectiveName {
    /// Take the probability density of all targets, the evidence.
    MarginalLikelihood,
    /// Take that of each target where all others were seen.
    LeaveOneOut,
}

/// `Bounds` are two positive numbers, ascending.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds(pub(crate) f64, pub(crate) f64);

impl FromStr for Bounds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<f64>().ok();
        let bounds = text.split_once(',');
        let bounds = bounds.and_then(|(low, high)| number(low).zip(number(high)));
        match bounds {
            Some((low, high)) if low > 0.0 && low < high && high.is_finite() => Ok(Self(low, high)),
            _ => Err(format!(
                "\"{text}\" is not two positive numbers, ascending, as in 1e-5,1e5"
            )),
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:e},{:e}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_ascend_and_are_positive() {
        assert_eq!("1e-3, 2".parse(), Ok(Bounds(1e-3, 2.0)));
        let default = Bounds(1e-5, 1e5);
        assert_eq!(default.to_string().parse(), Ok(default));
        for text in [
            "", "1", "1,", "0,1", "-1,1", "2,1", "1,1", "1,inf", "nan,1", "1,2,3",
        ] {
            let error = text.parse::<Bounds>().unwrap_err();
            assert!(error.contains("1e-5,1e5"), "{text}: {error}");
        }
    }
}
