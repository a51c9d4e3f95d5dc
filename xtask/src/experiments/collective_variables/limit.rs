//! Initial entropy and trace of finite networks beside the infinitely wide one's.

use super::variables::{Architecture, COUNT, MIDDLE, VARIABLES, of_kernel, of_model};
use super::{Context, Failure, PoolSets, Value, at};
use crate::experiments::study::{Curve, PowerLaw, Spread, sweep};
use ndarray::{Array2, ArrayView1, aview2};
use ntk_linalg::observer::{Inside, Observer};
use serde_json::{Value as Json, json};

/// The number of standard errors that mean deviations are compared with zero by.
const ERRORS: f64 = 2.0;
/// The number of widths whose mean deviation must differ from zero, for its fall to be told.
const LEAST: usize = 3;

/// Which networks are drawn.
pub(super) struct Draws {
    widths: Vec<usize>,
    /// Widths times networks: narrow networks are cheap, and vary more.
    units: usize,
    first_seed: u64,
}

impl Draws {
    pub(super) fn new(context: &Context<'_>) -> Self {
        // Powers of two.
        let (widths, units) = context.by_scale((4..=7, 11), (4..=10, 15), (3..=12, 17));
        Self {
            widths: widths.map(|power| 1 << power).collect(),
            units: 1 << units,
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
pub(super) struct WidthLimit {
    pub(super) widths: Vec<usize>,
    /// The variables of each width, (seeds, variables).
    finite: Vec<Array2<f64>>,
    pub(super) infinite: [f64; COUNT],
}

impl WidthLimit {
    /// Returns something of the seeds of each width.
    fn over_widths<'a, R>(
        &'a self,
        variable: usize,
        of: impl Fn(usize, ArrayView1<'a, f64>) -> R + 'a,
    ) -> impl Iterator<Item = R> + 'a {
        let widths = self.widths.iter().zip(&self.finite);
        widths.map(move |(&width, seeds)| of(width, seeds.column(variable)))
    }

    /// Returns the mean over seeds, by width.
    pub(super) fn means(&self, variable: usize) -> Curve {
        let mean = |width, seeds| (width, Spread::of(seeds));
        self.over_widths(variable, mean).collect()
    }

    /// Returns each width, the deviation from the closed form, and the standard error of that.
    fn deviations(&self, variable: usize, kind: Deviation) -> Vec<(f64, f64, f64)> {
        let level = self.infinite[variable];
        let deviation = move |width, seeds: ArrayView1<'_, f64>| {
            let apart = &seeds - level;
            let k = apart.len() as f64;
            let (deviation, error) = match kind {
                Deviation::Mean => {
                    let Spread { mean, error } = Spread::of(&apart);
                    (mean.abs(), error)
                }
                // Of k normal numbers; the variance of a mean square is 2/k of its square.
                Deviation::RootMeanSquare => {
                    let square = apart.iter().map(|v| v * v).sum::<f64>() / k;
                    (square.sqrt(), square.sqrt() / (2.0 * k).sqrt())
                }
            };
            (width as f64, deviation, error)
        };
        self.over_widths(variable, deviation).collect()
    }

    /// Returns those deviations that can be told from zero.
    pub(super) fn told(&self, variable: usize, kind: Deviation) -> Vec<(f64, f64, f64)> {
        let mut points = self.deviations(variable, kind);
        points.retain(|(_, value, error)| *value > ERRORS * error);
        points
    }

    /// Returns how the deviation falls with the width; none where a mean cannot be told from zero.
    pub(super) fn law(&self, variable: usize, kind: Deviation) -> Option<PowerLaw> {
        let told = self.told(variable, kind).len();
        // All points: to leave out those that happen to be small would flatten the law.
        (told >= LEAST).then(|| PowerLaw::fit(&self.deviations(variable, kind)))?
    }

    pub(super) fn values(&self) -> Vec<Value> {
        let layers = at(json!({"layers": MIDDLE.layers}));
        let mut values = Vec::new();
        for (v, variable) in VARIABLES.iter().enumerate() {
            let name = format!("initial_{}", variable.name);
            let infinite = layers.and(json!({"model": "infinite"}));
            values.push(infinite.value(&name, self.infinite[v]).note("closed form"));
            values.extend(
                self.over_widths(v, |width, seeds| {
                    let note = format!("mean over {} networks", seeds.len());
                    let here = layers.and(json!({"width": width}));
                    here.estimate(&name, Spread::of(seeds), None, &note, "")
                })
                .flatten(),
            );
            for kind in Deviation::BOTH {
                let Some(law) = self.law(v, kind) else {
                    continue;
                };
                let exponent = Spread {
                    mean: law.exponent,
                    error: law.error,
                };
                let note = "of the width, in the deviation from the closed form; -1/2 is expected of \
                            one network, -1 of the mean over networks";
                let here = layers.and(json!({"deviation": kind.name()}));
                let name = format!("{}_exponent", variable.name);
                values.extend(here.estimate(name, exponent, None, note, ""));
            }
        }
        values
    }
}

/// Draws networks of all widths and seeds, and computes the closed form, on the probe.
pub(super) fn run(
    draws: &Draws,
    sets: &PoolSets,
    observer: &dyn Observer,
) -> Result<WidthLimit, Failure> {
    let x = sets.probe.mapv(f64::from);
    let ntk = MIDDLE
        .network()
        .kernel_fn()
        .observer(&Inside(observer))
        .ntk(&x)?;
    let of = |&width: &usize| (0..draws.networks(width)).map(move |i| (width, i as u64));
    let jobs: Vec<(usize, u64)> = draws.widths.iter().flat_map(of).collect();
    let cost = |&(width, _): &(usize, u64)| Architecture::wide(width).cost(x.ncols());
    let found = sweep(
        "initial networks",
        &jobs,
        cost,
        observer,
        |&(width, i), inside| {
            // Each width draws its own networks: they are compared with each other.
            let seed =
                draws.first_seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ ((width as u64) << 32) ^ i;
            let model = Architecture::wide(width).model::<f64>(x.ncols(), seed)?;
            of_model(&model, &x, inside)
        },
    )?;
    let mut rest = found.as_slice();
    let finite = draws.widths.iter().map(|&width| {
        let (seeds, more) = rest.split_at(draws.networks(width));
        rest = more;
        aview2(seeds).to_owned()
    });
    Ok(WidthLimit {
        finite: finite.collect(),
        widths: draws.widths.clone(),
        infinite: of_kernel(&ntk)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::variables::TRACE;
    use super::*;
    use approx::assert_relative_eq;

    const ENTROPY: usize = 0;

    /// Twice `apart(width)` to either side of the level 1, about a mean that is `off(width)` from it.
    fn limit(apart: fn(f64) -> f64, off: fn(f64) -> f64) -> WidthLimit {
        let finite = [16.0, 64.0, 256.0].map(|width| {
            let sign = |row| if row % 2 == 0 { -1.0 } else { 1.0 };
            Array2::from_shape_fn((4, 3), |(i, _)| 1.0 + off(width) + sign(i) * apart(width))
        });
        WidthLimit {
            widths: vec![16, 64, 256],
            finite: finite.into(),
            infinite: [1.0; 3],
        }
    }

    #[test]
    fn laws_are_those_put_in() {
        let found = limit(|w| 1.0 / w, |w| -20.0 / w);
        let law = found.law(ENTROPY, Deviation::Mean).unwrap();
        assert_relative_eq!(law.exponent, -1.0, max_relative = 1e-9);
        let root = found.law(TRACE, Deviation::RootMeanSquare).unwrap();
        assert_relative_eq!(root.at(16.0), 401.0_f64.sqrt() / 16.0, max_relative = 1e-9);
        let Spread { mean, error } = found.means(ENTROPY).y[0];
        assert_relative_eq!(mean, 1.0 - 20.0 / 16.0, max_relative = 1e-12);
        assert_relative_eq!(error, 3.0_f64.sqrt().recip() / 16.0, max_relative = 1e-12);
    }

    #[test]
    fn a_mean_within_its_error_has_no_law() {
        let found = limit(|w| w.sqrt().recip(), |_| 0.0);
        assert!(found.law(ENTROPY, Deviation::Mean).is_none());
        let law = found.law(ENTROPY, Deviation::RootMeanSquare).unwrap();
        assert_relative_eq!(law.exponent, -0.5, max_relative = 1e-9);
    }
}
