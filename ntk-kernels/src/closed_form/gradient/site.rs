//! Computes derivatives at activations and normalisations.

use super::super::program::{Site, SiteMap};
use super::super::spatial::lanes::{Beside, First, GROUP, Mask, Second};
use super::super::spatial::run::Sides;
use super::super::spatial::sites::average;
use super::line::Line;
use super::shape::Run;
use crate::affine::Affine;
use crate::pack::{LANES, Pack};
use crate::pairs::row::{PreparedSamples, SlopesRow};
use crate::pairs::{Maps, ParameterSlopes, Side, Slopes};
use ntk_linalg::Real;

/// What each site needs of the samples of one side: `[place][number]`, a pack each.
pub(super) type Numbers<T> = Vec<Vec<Pack<T>>>;

/// Says whether the two samples of each pair are the same one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Own {
    /// They are different, or may be.
    No,
    /// So many samples, each with itself.
    Samples(usize),
    /// Four samples with the same four.
    Group,
}

/// Says which pairs a line is of.
#[derive(Clone, Copy)]
pub(super) struct Pairs<'a, T: Real> {
    pub(super) one: &'a Numbers<T>,
    pub(super) two: &'a Numbers<T>,
    pub(super) own: Own,
    /// `None` of samples without positions.
    pub(super) groups: Option<OfGroups<'a, T>>,
}

/// What belongs to the samples of either group beside what activations need of them.
#[derive(Clone, Copy)]
pub(super) struct OfGroups<'a, T: Real> {
    pub(super) beside: [&'a Beside<T>; 2],
    /// What attention and recurrent layers need of them, as they keep it.
    pub(super) sides: [&'a Sides<T>; 2],
}

impl<'a, T: Real> Pairs<'a, T> {
    /// Returns what belongs to the groups, of samples with positions.
    pub(super) fn groups(&self) -> OfGroups<'a, T> {
        self.groups.expect("samples with positions are in groups")
    }

    /// Returns what a layer needs of the samples of either side.
    pub(super) fn known(&self, site: usize) -> [&'a [T]; 2] {
        self.groups().sides.map(|sides| &sides.0[site][..])
    }
}

/// Returns what sites need of some rows of samples, a place each.
pub(super) fn of_rows<T: Real>(
    sites: &[Option<PreparedSamples<T>>],
    rows: std::ops::Range<usize>,
) -> Numbers<T> {
    let of = |site: &Option<PreparedSamples<T>>| {
        let site = site.as_ref().expect(SET);
        let numbers = rows.clone().flat_map(|row| site.one(row));
        numbers.copied().map(Pack::splat).collect()
    };
    sites.iter().map(of).collect()
}

/// Returns what sites need of some columns of samples, sixteen to a place; the last stands in for those
/// that are missing.
pub(super) fn of_columns<T: Real>(
    sites: &[Option<PreparedSamples<T>>],
    columns: std::ops::Range<usize>,
) -> Numbers<T> {
    let of = |site: &Option<PreparedSamples<T>>| {
        let site = site.as_ref().expect(SET);
        let mut all = Vec::new();
        for start in columns.clone().step_by(LANES) {
            let last = columns.end - 1;
            for k in 0..site.per_sample() {
                let lane = |lane: usize| site.one(last.min(start + lane))[k];
                all.push(Pack(std::array::from_fn(lane)));
            }
        }
        all
    };
    sites.iter().map(of).collect()
}

const SET: &str = "the samples' own pass sets every site";

/// Returns what sites need of a group on the first side, or on the second, a place for each position.
pub(super) fn of_group<T: Real>(sides: &Sides<T>, first: bool) -> Numbers<T> {
    sides.0.iter().map(|all| spread(all, first)).collect()
}

/// Spreads numbers of four samples over the lanes of their pairs.
pub(super) fn spread<T: Real>(all: &[T], first: bool) -> Vec<Pack<T>> {
    let fours = all.chunks_exact(GROUP);
    match first {
        true => fours.map(|four| First(four).get(0)).collect(),
        false => fours.map(|four| Second(four).get(0)).collect(),
    }
}

impl<T: Real> Pairs<'_, T> {
    /// Returns the numbers of both sides of a run.
    fn of(&self, site: &Site, count: usize, run: Run) -> [&[Pack<T>]; 2] {
        let places = (run.len - 1) * run.step + 1;
        [
            &self.one[site.index][run.first * count..][..places * count],
            &self.two[site.index][run.second * count..][..run.len * count],
        ]
    }
}

/// Computes the kernels and the derivatives at a site.
pub(super) fn slopes<T: Real>(
    site: &Site,
    pairs: &Pairs<'_, T>,
    line: &Line<T>,
    all: &mut [Slopes<T>],
) {
    // All is by the covariance, which is both variances.
    if let Own::Samples(len) = pairs.own {
        all.fill(Slopes::zeros());
        for sample in 0..len {
            let (at, lane) = (sample / LANES, sample % LANES);
            let variance = line.nngp[at].0[lane];
            let (kernel, derivative) = site.map.diagonal(variance);
            let (kernel_by, derivative_by) = site.map.diagonal_slopes(variance);
            let of = &mut all[at];
            of.kernel.0[lane] = kernel;
            of.derivative.0[lane] = derivative;
            of.kernel_by[2].0[lane] = kernel_by;
            of.derivative_by[2].0[lane] = derivative_by;
        }
        return;
    }
    let maps: &dyn Maps<T> = site.map.maps();
    let count = maps.numbers();
    for run in line.shape.runs() {
        let [one, two] = pairs.of(site, count, run);
        let packs = run.start..run.start + run.len;
        maps.slopes_row(SlopesRow {
            one,
            step: run.step * count,
            two,
            count,
            q: &line.nngp[packs.clone()],
            slopes: &mut all[packs],
        });
    }
}

/// Calls with the pack, the parameter and the derivatives by it.
pub(super) fn each_parameter<T: Real>(
    site: &Site,
    pairs: &Pairs<'_, T>,
    before: &Line<T>,
    mut look: impl FnMut(usize, usize, ParameterSlopes<T>),
) {
    let maps: &dyn Maps<T> = site.map.maps();
    let count = maps.numbers();
    let mut of = vec![(Pack::zero(), Pack::zero()); site.parameter_count()];
    for run in before.shape.runs() {
        let [one, two] = pairs.of(site, count, run);
        for at in 0..run.len {
            let one = &one[at * run.step * count..][..count];
            let pack = run.start + at;
            maps.parameter_slopes(one, &two[at * count..][..count], before.nngp[pack], &mut of);
            for (parameter, &slopes) in of.iter().enumerate() {
                look(pack, parameter, slopes);
            }
        }
    }
}

/// Replaces what a normalisation over positions takes of `[position][sample]` by the means over these: a
/// map that is its own transpose.
pub(super) fn means<T: Real>(site: &Site, mask: Option<&Mask>, all: &mut [T]) {
    let SiteMap::Norm { over, sizes, .. } = site.map else {
        return;
    };
    for sample in 0..GROUP {
        let mut of: Vec<T> = all.iter().skip(sample).step_by(GROUP).copied().collect();
        let masked = |at: usize| mask.is_some_and(|mask| mask[at][sample]);
        average(&mut of, sizes, over, masked);
        all.iter_mut()
            .skip(sample)
            .step_by(GROUP)
            .zip(of)
            .for_each(|(to, v)| *to = v);
    }
}

impl Site {
    /// Returns the number of the activation's parameters.
    pub(super) fn parameter_count(&self) -> usize {
        match &self.map {
            SiteMap::Activation(activation) => activation.parameters().len(),
            SiteMap::Norm { .. } => 0,
        }
    }
}

impl Affine {
    /// Returns the derivatives of the scale and the shift by the hyperparameters of these numbers.
    pub(super) fn by(&self, numbers: &[bool]) -> [f64; 2] {
        let Some(by) = self.by else {
            return [0.0; 2];
        };
        let scale = if numbers[by.number] { by.scale } else { 0.0 };
        let shift = by.shift.filter(|_| numbers[by.number + 1]);
        [scale, shift.unwrap_or(0.0)]
    }
}
