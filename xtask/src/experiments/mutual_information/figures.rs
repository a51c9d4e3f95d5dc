//! The notebook's two figures, the Holevo quantity beside its measure, and all pairs of digits.

use super::digits::{KINDS, Kind, two};
use super::infinite::{Brightened, Infinite};
use super::ratio::Ratio;
use super::seeds::{Spread, over_seeds};
use super::training::{EPOCHS, Entropies, History, combinations, name};
use super::values::{pairs_of_classes, ratio};
use super::{Captioned, DIGITS, PER_DIGIT, Pair, captioned};
use ndarray::Array2;
use ntk_plots::{Figure, HeatMap, LineChart, Panel, Scale, Series};
use ntk_train::Trace;

/// Number of the palette's black.
const BLACK: usize = 6;

pub(super) struct Found<'a> {
    pub(super) runs: &'a [History],
    pub(super) infinite: &'a Infinite,
}

pub(super) fn all(found: &Found<'_>) -> Vec<Captioned> {
    let seeds = match found.runs.len() {
        1 => "of one network".to_string(),
        n => format!("mean over {n} networks with its standard error"),
    };
    vec![
        captioned(
            "learning",
            &format!("Loss and accuracy at every epoch: {seeds}."),
            found.learning(),
        ),
        captioned(
            "notebook",
            &format!(
                "The notebook's figure: entropies of three classes' blocks of the full kernel, two \
                 images each, and its normalised mutual information of every pair; {seeds}. Dotted: \
                 the kernel of infinite width, which training does not change."
            ),
            found.notebook(),
        ),
        captioned(
            "holevo",
            "The same pairs by I = S(X) + S(Y) - S(X,Y) and by χ = S(X,Y) - p S(X) - (1-p) S(Y) in \
             nats, and by χ over H₂(p), which is 0 for classes that are alike and 1 for orthogonal \
             ones. Dotted: the kernel of infinite width.",
            found.holevo(),
        ),
        captioned(
            "joint",
            "What these are made of beside the entropies of single classes: those of classes taken \
             together, and p, the first class' share of the pair's trace. Dotted: the kernel of \
             infinite width.",
            found.joint(),
        ),
        captioned(
            "digits",
            &format!(
                "All pairs of digits, {PER_DIGIT} images each, in the full kernel before and after \
                 training: the notebook's measure and χ over H₂(p), means over seeds. On the diagonal \
                 a digit is paired with its own copy, which is 1 by the one and 0 by the other, beyond \
                 the bar's ends. Before and after share their colours."
            ),
            found.digits(),
        ),
        captioned(
            "claim",
            "Whether the notebook's measure lies between 0 and 1 (dashed). Left: all pairs of digits \
             after training, of the run's first network. By the traced kernel many are negative, and \
             with one image a digit all divide by zero; the full kernel has some ln 10 of its ten \
             outputs in every entropy, and so in I, which keeps them up. Right: the kernel of \
             infinite width, two images a class, where the pixels of one class are multiplied by a \
             factor: where one class has most of the trace, values exceed 1.",
            found.claim(),
        ),
    ]
}

/// One of the numbers of one epoch.
type OfEpoch<'f> = &'f dyn Fn(&Entropies) -> f64;

impl Found<'_> {
    fn learning(&self) -> Figure {
        type Row = fn(&History) -> &Vec<f64>;
        let panel = |title: &str, train: Row, test: Row| {
            let row = |name: &str, of: Row, color: usize| {
                let spread = over_seeds(self.runs, |run| of(run).clone());
                banded(name, spread, color)
            };
            LineChart::new(title)
                .x_label("epoch")
                .series(row("train", train, 0))
                .series(row("test", test, 1))
        };
        let losses = panel("Loss", |run| &run.train_loss, |run| &run.test_loss);
        let right = panel(
            "Accuracy",
            |run| &run.train_accuracy,
            |run| &run.test_accuracy,
        );
        Figure::new(vec![
            losses.y_label("cross-entropy").y_scale(Scale::Log).into(),
            right.y_label("accuracy").y_from_zero().into(),
        ])
    }

    fn notebook(&self) -> Figure {
        let entropies = against_epoch("Entropies of the classes", "S in nats");
        let entropies =
            combinations()
                .iter()
                .take(3)
                .enumerate()
                .fold(entropies, |chart, (i, classes)| {
                    self.curve(chart, &format!("S{}", name(classes)), i, &|at| at.alone[i])
                });
        Figure::new(vec![
            entropies.into(),
            self.pairs(
                "Normalised mutual information",
                Ratio::Information.formula(),
                |pair| ratio(Ratio::Information, pair),
            ),
        ])
    }

    fn holevo(&self) -> Figure {
        Figure::new(vec![
            self.pairs("Mutual information", "I in nats", Pair::information),
            self.pairs("Holevo quantity", "χ in nats", Pair::chi),
            self.pairs("Over its largest value", Ratio::Holevo.formula(), |pair| {
                ratio(Ratio::Holevo, pair)
            }),
        ])
    }

    fn joint(&self) -> Figure {
        let joint = against_epoch("Entropies of classes together", "S in nats");
        let several = combinations().into_iter().enumerate().skip(3);
        let joint = several.fold(joint, |chart, (i, classes)| {
            self.curve(chart, &format!("S{}", name(&classes)), i - 3, &|at| {
                at.alone[i]
            })
        });
        Figure::new(vec![
            joint.into(),
            self.pairs("Share of the trace", "p", |pair| pair.p),
        ])
    }

    /// One number of every pair of classes.
    fn pairs(&self, title: &str, label: &str, of: fn(&Pair) -> f64) -> Panel {
        let classes = pairs_of_classes();
        let chart = against_epoch(title, label);
        let chart = classes
            .iter()
            .enumerate()
            .fold(chart, |chart, (i, classes)| {
                self.curve(chart, &name(classes), i, &|at| of(&at.pairs[i]))
            });
        chart.into()
    }

    /// With the mean over seeds, and the level of the infinite kernel.
    fn curve(&self, chart: LineChart, name: &str, color: usize, of: OfEpoch<'_>) -> LineChart {
        let spread = over_seeds(self.runs, |run| run.entropies.iter().map(of).collect());
        let level = [of(&self.infinite.entropies); 2];
        let level = Series::new("", [0.0, EPOCHS as f64], level);
        chart
            .series(banded(name, spread, color))
            .series(level.dotted().color(color))
    }

    fn digits(&self) -> Figure {
        let mean = |of: Ratio, when: usize| {
            let cells = over_seeds(self.runs, |run| {
                let pairs = &run.digits[when].0[0];
                pairs.iter().map(|pair| ratio(of, pair)).collect()
            });
            Array2::from_shape_fn((DIGITS, DIGITS), |(i, j)| cells.mean[i * DIGITS + j])
        };
        let panels = Ratio::BOTH.iter().flat_map(|&of| {
            let name = match of {
                Ratio::Information => "Normalised mutual information",
                Ratio::Holevo => "Holevo quantity",
            };
            let both = [(0, "before"), (1, "after")].map(|(when, at)| (mean(of, when), at));
            let pairs = both.iter().flat_map(|(map, _)| {
                let pairs = map.indexed_iter().filter(|((i, j), _)| i != j);
                pairs.map(|(_, &value)| value)
            });
            let (low, high) = pairs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            });
            both.map(|(map, at)| -> Panel {
                HeatMap::new(format!("{name}, {at}"), map)
                    .x_label("digit")
                    .y_label("digit")
                    .bar_label(of.formula())
                    .color_range(low, high)
                    .into()
            })
        });
        Figure::new(panels.collect()).columns(2)
    }

    fn claim(&self) -> Figure {
        Figure::new(vec![self.against_holevo(), self.against_brightness()])
    }

    /// Of the first network, after training.
    fn against_holevo(&self) -> Panel {
        let chart = LineChart::new("All pairs of digits")
            .x_label(Ratio::Holevo.formula())
            .y_label(Ratio::Information.formula())
            .x_range(0.0, 1.0);
        let cloud = |kind: &Kind, pairs: &Array2<Pair>| {
            let ratios = |of| two(pairs).map(|pair| ratio(of, pair)).collect::<Vec<_>>();
            let name = format!("{}, {} images", kind.name(), kind.per_digit);
            Series::new(name, ratios(Ratio::Holevo), ratios(Ratio::Information)).points_only()
        };
        let defined = |kind: &Kind| kind.trace == Trace::Full || kind.per_digit > 1;
        let chart = self.runs.iter().take(1).fold(chart, |chart, run| {
            let pairs = KINDS.iter().zip(&run.digits[1].0);
            let clouds = pairs.filter(|(kind, _)| defined(kind));
            clouds.fold(chart, |chart, (kind, pairs)| {
                chart.series(cloud(kind, pairs))
            })
        });
        bounded(chart, 0.0, 1.0).into()
    }

    fn against_brightness(&self) -> Panel {
        let all = &self.infinite.brightened;
        let factors: Vec<f64> = all.iter().map(|at| at.factor).collect();
        let ends = (factors[0], factors[factors.len() - 1]);
        let curve = |name: &str, of: &dyn Fn(&Brightened) -> f64| {
            Series::new(
                name,
                factors.clone(),
                all.iter().map(of).collect::<Vec<_>>(),
            )
        };
        let chart = LineChart::new("Classes 0 and 1, infinite width")
            .x_label("factor of the pixels of 0")
            .y_label("measure")
            .x_scale(Scale::Log)
            .series(curve("2 I / (S(X) + S(Y)), full", &|at| {
                ratio(Ratio::Information, &at.full)
            }))
            .series(curve("2 I / (S(X) + S(Y)), traced", &|at| {
                ratio(Ratio::Information, &at.traced)
            }))
            .series(curve("χ / H₂(p), both", &|at| {
                ratio(Ratio::Holevo, &at.full)
            }));
        bounded(chart, ends.0, ends.1).into()
    }
}

/// With dashed lines at 0 and at 1.
fn bounded(chart: LineChart, from: f64, to: f64) -> LineChart {
    [0.0, 1.0].into_iter().fold(chart, |chart, at| {
        let line = Series::new("", [from, to], [at, at]);
        chart.series(line.dashed().color(BLACK))
    })
}

fn against_epoch(title: &str, label: &str) -> LineChart {
    LineChart::new(title).x_label("epoch").y_label(label)
}

/// The mean of every epoch, and where there are several seeds its standard error around it.
fn banded(name: &str, spread: Spread, color: usize) -> Series {
    let epochs: Vec<f64> = (0..spread.mean.len()).map(|epoch| epoch as f64).collect();
    let edge = |sign: f64| -> Vec<f64> {
        let both = spread.mean.iter().zip(&spread.error);
        both.map(|(mean, error)| mean + sign * error).collect()
    };
    let (low, high) = (edge(-1.0), edge(1.0));
    Series::new(name, epochs, spread.mean)
        .color(color)
        .band(low, high)
}
