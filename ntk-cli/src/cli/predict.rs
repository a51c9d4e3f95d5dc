//! The flags of `ntk predict`.

use super::{Precision, TargetsArgs};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;

#[derive(Args)]
pub(crate) struct Predict {
    /// Take this kernel of the training samples with themselves.
    #[arg(long, value_name = "NPY", required_unless_present = "fitted")]
    pub(crate) k_dd: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) targets: TargetsArgs,
    /// Take this kernel of test samples (rows) with the training samples (columns).
    #[arg(long, value_name = "NPY")]
    pub(crate) k_td: Option<PathBuf>,
    /// Predict at these times, ascending, separated by commas; losses other than mse and mean-square
    /// have no end, and need finite ones.
    #[arg(
        long,
        value_name = "TIMES",
        default_value = "inf",
        allow_hyphen_values = true
    )]
    pub(crate) t: Times,
    /// Minimise this loss, one of those above; cross-entropy takes targets that are probabilities of
    /// classes, hinge2 those that are +1 and -1, which --one-hot and --signs make.
    #[arg(long, value_name = "LOSS", default_value = "mse")]
    pub(crate) loss: LossChoice,
    /// Add so many times the mean of the diagonal of --k-dd to that diagonal.
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
    /// Set the learning rate of gradient descent.
    #[arg(
        long,
        value_name = "RATE",
        default_value_t = 1.0,
        allow_hyphen_values = true
    )]
    pub(crate) learning_rate: f64,
    /// Set the momentum of gradient descent, from 0 and below 1 [default: none, which is not 0].
    #[arg(long, value_name = "M", value_parser = momentum, allow_hyphen_values = true)]
    pub(crate) momentum: Option<f64>,
    /// Start from these outputs on the training samples, of the shape of --y; with --k-td also give
    /// --f0-test [default: zero].
    #[arg(long, value_name = "NPY")]
    pub(crate) f0: Option<PathBuf>,
    /// Start from these outputs on the test samples; needs --k-td and --f0 [default: zero].
    #[arg(long, value_name = "NPY")]
    pub(crate) f0_test: Option<PathBuf>,
    /// Allow the solver this error in a step, absolute and relative; for losses without a closed form
    /// [default: 1e-6].
    #[arg(long, value_name = "ERROR", allow_hyphen_values = true)]
    pub(crate) tolerance: Option<f64>,
    /// Choose the solver; with momentum it is dormand-prince in any case [default: chebyshev].
    #[arg(long, value_enum)]
    pub(crate) solver: Option<SolverChoice>,
    /// End that solver after so many steps [default: 1000000].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) most_steps: Option<usize>,
    /// Take what `fit` wrote in place of kernels: predict with its network, kernel and noise. It was made
    /// of --x and --y, or of others like them.
    #[arg(
        long,
        value_name = "JSON",
        requires = "x",
        conflicts_with_all = [
            "k_dd", "k_td", "t", "loss", "diag_reg", "diag_reg_absolute", "learning_rate", "momentum",
            "f0", "f0_test", "tolerance", "solver", "most_steps",
        ]
    )]
    pub(crate) fitted: Option<PathBuf>,
    /// Take these training samples, with --fitted.
    #[arg(long, value_name = "NPY", requires = "fitted", conflicts_with = "k_dd")]
    pub(crate) x: Option<PathBuf>,
    /// Predict for these test samples, with --fitted.
    #[arg(long, value_name = "NPY", requires = "fitted", conflicts_with = "k_dd")]
    pub(crate) x_test: Option<PathBuf>,
    /// Say how well these targets of the test samples, as --y, are predicted, with --fitted.
    #[arg(long, value_name = "NPY", requires = "x_test", conflicts_with = "k_dd")]
    pub(crate) y_test: Option<PathBuf>,
    /// Read kernels and write outputs in this precision; without a closed form outputs are always
    /// computed in f64.
    #[arg(long, value_enum, default_value_t = Precision::F64)]
    pub(crate) precision: Precision,
    /// Write the outputs to this file; its folder must exist.
    #[arg(long, value_name = "NPZ")]
    pub(crate) out: PathBuf,
}

/// `Times` are ascending times, zero or more, of which the last may be infinite.
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

/// `LossChoice` is a loss by its name.
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
            "hinge2" => {
                let margin = number(option.unwrap_or("margin=1"), "margin")?;
                // Outputs of zero have no loss otherwise, and nothing is learned.
                if margin <= 0.0 {
                    return Err(format!("margin is {margin}, but must be positive"));
                }
                Ok(Self::QuadraticHinge { margin })
            }
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

/// Reads the finite number in `name=number`.
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
pub(crate) enum SolverChoice {
    /// Stabilised, of second order: for errors down to some 1e-5, long times, stiff kernels.
    Chebyshev,
    /// Explicit, of fifth order: for smaller errors.
    DormandPrince,
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("hinge2:margin=0", "positive"),
            ("hinge2:margin=-1", "positive"),
            ("power", "power:power=4"),
            ("power:power=0.5", "at least 1"),
        ] {
            let error = text.parse::<LossChoice>().unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
