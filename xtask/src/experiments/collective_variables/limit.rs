//! Initial entropy and trace of finite networks beside the infinitely wide one's.

use super::statistics::PowerLaw;
use super::training::MIDDLE;
use super::variables::{Architecture, Variable, Variables, each};
use super::{Context, Failure, Images, Scale, Value};
use crate::experiments::common::mean_and_error;
use ntk_kernels::{Get, kernels};
use ntk_linalg::observer::{Inside, Observer};
use serde_json::{Value as Json, json};

/// Mean deviations are compared with zero by this many standard errors.
const ERRORS: f64 = 2.0;
/// Widths whose mean deviation must differ from zero, for its fall to be told.
const LEAST: usize = 3;

/// Which networks are drawn.
pub(super) struct Plan {
    widths: Vec<usize>,
    /// Widths times networks: narrow networks are cheap, and vary more.
    units: usize,
    first_seed: u64,
}

impl Plan {
    pub(super) fn new(context: &Context<'_>) -> Self {
        let (widths, units) = match context.scale {
            Scale::Quick => (vec![16, 32, 64, 128], 2048),
            Scale::Standard => (vec![16, 32, 64, 128, 256, 512, 1024], 1 << 15),
            Scale::Full => (
                vec![8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096],
                1 << 17,
            ),
        };
        Self {
            widths,
            units,
            first_seed: context.seed,
        }
    }

    fn networks(&self, width: usize) -> usize {
        self.units / width
    }

    pub(super) fn describe(&self) -> Json {
        let networks: Vec<usize> = self.widths.iter().map(|&w| self.networks(w)).collect();
        json!({
            "layers": MIDDLE.layers,
            "widths": self.widths,
            "networks": networks,
            "precision": "f64",
        })
    }
}

/// How far finite networks are from the infinite one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deviation {
    /// The root mean square over seeds: what one network is off by.
    RootMeanSquare,
    /// The mean over seeds, in absolute value: what all are off by.
    Mean,
}

impl Deviation {
    pub(super) const BOTH: [Self; 2] = [Self::RootMeanSquare, Self::Mean];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RootMeanSquare => "root mean square",
            Self::Mean => "mean",
        }
    }
}

/// What was found.
pub(super) struct Limit {
    /// Width, and the variables of each seed.
    pub(super) finite: Vec<(usize, Vec<Variables>)>,
    pub(super) infinite: Variables,
}

impl Limit {
    /// Mean and standard error over seeds, by width.
    pub(super) fn means(&self, variable: Variable) -> Vec<(f64, f64)> {
        let of = |seeds: &[Variables]| seeds.iter().map(|v| v.get(variable)).collect::<Vec<_>>();
        self.finite
            .iter()
            .map(|(_, seeds)| mean_and_error(&of(seeds)))
            .collect()
    }

    /// Width, deviation from the closed form, and the standard error of that.
    pub(super) fn deviations(&self, variable: Variable, kind: Deviation) -> Vec<(f64, f64, f64)> {
        let level = self.infinite.get(variable);
        let of = |(width, seeds): &(usize, Vec<Variables>)| {
            let apart: Vec<f64> = seeds.iter().map(|v| v.get(variable) - level).collect();
            let (mean, error) = mean_and_error(&apart);
            let k = apart.len() as f64;
            let square = apart.iter().map(|v| v * v).sum::<f64>() / k;
            match kind {
                Deviation::Mean => (*width as f64, mean.abs(), error),
                // Of k normal numbers; the variance of a mean square is 2/k of its square.
                Deviation::RootMeanSquare => {
                    let root = square.sqrt();
                    (*width as f64, root, root / (2.0 * k).sqrt())
                }
            }
        };
        self.finite.iter().map(of).collect()
    }

    /// Those deviations that can be told from zero.
    pub(super) fn told(&self, variable: Variable, kind: Deviation) -> Vec<(f64, f64, f64)> {
        let mut points = self.deviations(variable, kind);
        points.retain(|(_, value, error)| *value > ERRORS * error);
        points
    }

    /// How the deviation falls with the width; none where a mean cannot be told from zero.
    pub(super) fn law(&self, variable: Variable, kind: Deviation) -> Option<PowerLaw> {
        let told = self.told(variable, kind).len();
        // All points: to leave out those that happen to be small would flatten the law.
        (told >= LEAST).then(|| PowerLaw::fit(&self.deviations(variable, kind)))?
    }

    pub(super) fn values(&self) -> Vec<Value> {
        let layers = || ("layers", json!(MIDDLE.layers));
        let mut values = Vec::new();
        for variable in Variable::ALL {
            let name = variable.as_str();
            let infinite = self.infinite.get(variable);
            let place = [layers(), ("model", json!("infinite"))];
            values
                .push(Value::new(&format!("initial_{name}"), place, infinite).note("closed form"));
            let seeds = self.finite.iter().zip(self.means(variable));
            for ((width, seeds), (mean, error)) in seeds {
                let place = || [layers(), ("width", json!(width))];
                let note = format!("mean over {} networks", seeds.len());
                values.push(Value::new(&format!("initial_{name}"), place(), mean).note(&note));
                values.push(Value::new(
                    &format!("initial_{name}_standard_error"),
                    place(),
                    error,
                ));
            }
            for kind in Deviation::BOTH {
                let Some(law) = self.law(variable, kind) else {
                    continue;
                };
                let place = || [layers(), ("deviation", json!(kind.name()))];
                values.push(
                    Value::new(&format!("{name}_exponent"), place(), law.exponent).note(
                        "of the width, in the deviation from the closed form; -1/2 is expected of \
                         one network, -1 of the mean over networks",
                    ),
                );
                values.push(Value::new(
                    &format!("{name}_exponent_standard_error"),
                    place(),
                    law.error,
                ));
            }
        }
        values
    }

    /// One line a variable and kind of deviation.
    pub(super) fn sentences(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for variable in Variable::ALL {
            for kind in Deviation::BOTH {
                let (name, kind_name) = (variable.as_str().replace('_', " "), kind.name());
                lines.push(match self.law(variable, kind) {
                    Some(law) => format!(
                        "initial {name}, {kind_name} deviation from the closed form: falls as \
                         width^({:.2} +- {:.2})",
                        law.exponent, law.error
                    ),
                    None => format!(
                        "initial {name}, {kind_name} deviation from the closed form: not \
                         distinguishable from zero"
                    ),
                });
            }
        }
        lines
    }
}

/// All widths and seeds, and the closed form, on the probe.
pub(super) fn run(plan: &Plan, images: &Images, observer: &dyn Observer) -> Result<Limit, Failure> {
    let x = images.probe().mapv(f64::from);
    let ntk = kernels(
        &MIDDLE.network(),
        x.view(),
        None,
        Get::Ntk,
        &Inside(observer),
    )?
    .ntk;
    let ntk = ntk.ok_or("the NTK was asked for and not given")?;
    let jobs: Vec<(usize, u64)> = plan
        .widths
        .iter()
        .rev()
        .flat_map(|&width| (0..plan.networks(width)).map(move |i| (width, i as u64)))
        .collect();
    let wide = |width| Architecture { width, ..MIDDLE };
    let cost = |&(width, _): &(usize, u64)| wide(width).cost(x.ncols());
    let found = each("initial networks", &jobs, cost, observer, |&(width, i)| {
        // Each width draws its own networks: they are compared with each other.
        let seed = plan.first_seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ ((width as u64) << 32) ^ i;
        let model = wide(width).model::<f64>(x.ncols(), seed)?;
        Variables::of_model(&model, x.view(), &Inside(observer))
    })?;
    let of = |width: usize| {
        let both = jobs.iter().zip(&found);
        both.filter(move |((w, _), _)| *w == width).map(|(_, v)| *v)
    };
    Ok(Limit {
        finite: plan.widths.iter().map(|&w| (w, of(w).collect())).collect(),
        infinite: Variables::of_kernel(ntk.view())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    /// Twice `apart(width)` to either side of the level 1, about a mean that is `off(width)` from it.
    fn limit(apart: fn(f64) -> f64, off: fn(f64) -> f64) -> Limit {
        let finite = [16, 64, 256].map(|width| {
            let w = width as f64;
            let values = [-1.0, 1.0, -1.0, 1.0].map(|sign| 1.0 + off(w) + sign * apart(w));
            (width, values.map(|v| Variables([v; 3])).into())
        });
        Limit {
            finite: finite.into(),
            infinite: Variables([1.0; 3]),
        }
    }

    #[test]
    fn laws_are_those_put_in() {
        let found = limit(|w| 1.0 / w, |w| -20.0 / w);
        let law = found.law(Variable::Entropy, Deviation::Mean).unwrap();
        assert_relative_eq!(law.exponent, -1.0, max_relative = 1e-9);
        let root = found
            .law(Variable::Trace, Deviation::RootMeanSquare)
            .unwrap();
        assert_relative_eq!(root.at(16.0), 401.0_f64.sqrt() / 16.0, max_relative = 1e-9);
        let (mean, error) = found.means(Variable::Entropy)[0];
        assert_relative_eq!(mean, 1.0 - 20.0 / 16.0, max_relative = 1e-12);
        assert_relative_eq!(error, 3.0_f64.sqrt().recip() / 16.0, max_relative = 1e-12);
    }

    #[test]
    fn a_mean_within_its_error_has_no_law() {
        let found = limit(|w| w.sqrt().recip(), |_| 0.0);
        assert!(found.law(Variable::Entropy, Deviation::Mean).is_none());
        let law = found
            .law(Variable::Entropy, Deviation::RootMeanSquare)
            .unwrap();
        assert_relative_eq!(law.exponent, -0.5, max_relative = 1e-9);
        assert!(found.sentences()[1].ends_with("not distinguishable from zero"));
    }
}
