//! The vocabulary of the experiments: images, sweeps over settings and seeds, curves over seeds,
//! power laws, rank correlations, values and figures.

mod chart;
mod curve;
mod images;
mod law;
mod place;
mod statistics;
mod sweep;

pub(crate) use chart::{AllSeries, BLACK, Captioned, captioned, family, level, points, row};
pub(crate) use curve::{Curve, Spread, over_seeds, share};
pub(crate) use images::{CLASSES, Images, Score};
pub(crate) use law::PowerLaw;
pub(crate) use place::{At, at};
pub(crate) use statistics::{differs_from_zero, interval, kendall, spearman};
pub(crate) use sweep::{of_two, sweep};
