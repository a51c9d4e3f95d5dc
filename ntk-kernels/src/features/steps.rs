//! What layers do to the features of one tile of samples.

use super::activation::{Random, Series};
use super::signal::Signal;
use super::sketch::{Concat, inverse_root};
use ndarray::Array2;
use ntk_linalg::{LinalgError, Real};

/// A `Step` says what a layer does to features.
#[derive(Debug)]
pub(super) enum Step<T> {
    Weights(Taps),
    /// A fixed linear map of so many positions: for every output the inputs that it reads, and their
    /// weights.
    Positions(usize, Vec<Vec<(usize, f64)>>),
    Flatten(Flat),
    Norm {
        /// The positions whose variances are averaged.
        groups: Vec<Vec<usize>>,
        eps: f64,
    },
    Random(Random<T>),
    Series(Series, usize),
    Sum(Vec<Vec<Step<T>>>, [Concat; 2]),
}

/// The weights of a layer.
#[derive(Debug)]
pub(super) struct Taps {
    /// How many positions there are before it.
    pub(super) positions: usize,
    /// For every output the taps that read an input, each with that input; `None` where every position
    /// reads itself.
    pub(super) reads: Option<Vec<Vec<(usize, usize)>>>,
    pub(super) taps: usize,
    /// The factors of features and of the constant feature, 0 for none.
    pub(super) phi: [f64; 2],
    /// The factors of the NTK's features, of those of the NNGP, and of the constant one.
    pub(super) psi: [f64; 3],
    pub(super) concat: [Concat; 2],
}

/// Positions that become features.
#[derive(Debug)]
pub(super) struct Flat {
    pub(super) positions: usize,
    /// For every output the positions side by side in it.
    pub(super) groups: Vec<Vec<usize>>,
    pub(super) concat: [Concat; 2],
}

/// Takes features through steps.
pub(super) fn run<T: Real>(steps: &[Step<T>], signal: Signal<T>) -> Result<Signal<T>, LinalgError> {
    steps
        .iter()
        .try_fold(signal, |signal, step| step.apply(signal))
}

impl<T: Real> Step<T> {
    fn apply(&self, before: Signal<T>) -> Result<Signal<T>, LinalgError> {
        Ok(match self {
            Self::Weights(weights) => weights.apply(&before),
            Self::Positions(positions, map) => {
                let samples = before.phi.nrows() / positions;
                let [phi, psi] = before.both().map(|one| {
                    let mut moved = Array2::zeros((samples * map.len(), one.ncols()));
                    for (row, mut to) in moved.rows_mut().into_iter().enumerate() {
                        let (sample, out) = (row / map.len(), row % map.len());
                        for &(at, weight) in &map[out] {
                            to.scaled_add(T::of(weight), &one.row(sample * positions + at));
                        }
                    }
                    moved
                });
                Signal { phi, psi }
            }
            Self::Flatten(flat) => flat.apply(&before),
            Self::Norm { groups, eps } => normalise(groups, *eps, before),
            Self::Random(random) => random.apply(&before)?,
            Self::Series(series, count) => series.apply(&before, *count),
            Self::Sum(paths, concat) => {
                let ends = paths.iter().map(|path| run(path, before.clone()));
                let ends = ends.collect::<Result<Vec<_>, _>>()?;
                let rows = ends[0].phi.nrows();
                let mut after = Signal::zeros(rows, concat[0].width(), concat[1].width());
                for row in 0..rows {
                    let mut from = [0; 2];
                    for end in &ends {
                        concat[0].add(from[0], end.phi(row), 1.0, after.phi_mut(row));
                        concat[1].add(from[1], end.psi(row), 1.0, after.psi_mut(row));
                        from = [from[0] + end.phi.ncols(), from[1] + end.psi.ncols()];
                    }
                }
                after
            }
        })
    }
}

impl Taps {
    fn apply<T: Real>(&self, before: &Signal<T>) -> Signal<T> {
        let samples = before.phi.nrows() / self.positions;
        let outputs = self.reads.as_ref().map_or(self.positions, Vec::len);
        let [phi, psi] = &self.concat;
        let mut after = Signal::zeros(samples * outputs, phi.width(), psi.width());
        let (width, own) = (before.phi.ncols(), before.psi.ncols());
        for row in 0..samples * outputs {
            let (sample, out) = (row / outputs, row % outputs);
            let itself = [(0, out)];
            let reads = self.reads.as_ref().map_or(&itself[..], |reads| &reads[out]);
            for &(tap, at) in reads {
                let at = sample * self.positions + at;
                phi.add(tap * width, before.phi(at), self.phi[0], after.phi_mut(row));
                if psi.width() > 0 {
                    let to = after.psi_mut(row);
                    psi.add(tap * own, before.psi(at), self.psi[0], to);
                    if self.psi[1] > 0.0 {
                        let from = self.taps * own + tap * width;
                        psi.add(from, before.phi(at), self.psi[1], to);
                    }
                }
            }
            let one = [T::one()];
            if self.phi[1] > 0.0 {
                phi.add(self.taps * width, &one, self.phi[1], after.phi_mut(row));
            }
            if psi.width() > 0 && self.psi[2] > 0.0 {
                let of_phi = if self.psi[1] > 0.0 { width } else { 0 };
                let from = self.taps * (own + of_phi);
                psi.add(from, &one, self.psi[2], after.psi_mut(row));
            }
        }
        after
    }
}

impl Flat {
    fn apply<T: Real>(&self, before: &Signal<T>) -> Signal<T> {
        let samples = before.phi.nrows() / self.positions;
        let [phi, psi] = &self.concat;
        let rows = samples * self.groups.len();
        let mut after = Signal::zeros(rows, phi.width(), psi.width());
        for row in 0..rows {
            let (sample, out) = (row / self.groups.len(), row % self.groups.len());
            let factor = (self.groups[out].len() as f64).sqrt().recip();
            for (number, at) in self.groups[out].iter().enumerate() {
                let at = sample * self.positions + at;
                let [features, own] = [before.phi(at), before.psi(at)];
                phi.add(
                    number * features.len(),
                    features,
                    factor,
                    after.phi_mut(row),
                );
                psi.add(number * own.len(), own, factor, after.psi_mut(row));
            }
        }
        after
    }
}

/// Divides by the standard deviations that the features have.
fn normalise<T: Real>(groups: &[Vec<usize>], eps: f64, mut signal: Signal<T>) -> Signal<T> {
    let positions: usize = groups.iter().map(Vec::len).sum();
    for sample in 0..signal.phi.nrows() / positions {
        for group in groups {
            let rows = || group.iter().map(|at| sample * positions + at);
            let squares = rows()
                .flat_map(|row| signal.phi(row))
                .map(|&x| Real::to_f64(x).powi(2));
            let variance = squares.sum::<f64>() / group.len() as f64;
            let factor = T::of(inverse_root(variance + eps));
            for row in rows() {
                signal.phi_mut(row).iter_mut().for_each(|x| *x *= factor);
                signal.psi_mut(row).iter_mut().for_each(|x| *x *= factor);
            }
        }
    }
    signal
}
