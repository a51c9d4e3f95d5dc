//! Records what the layers did to a line of pairs, and differentiates it, forwards and backwards.
//!
//! Every layer is a map of the covariances `q` and tangent kernels `t` of one pair, and of the variances
//! of its two samples. [`record`] takes a line of pairs through the layers and keeps what derivatives
//! need. A [`Tangent`] then takes derivatives by one hyperparameter from input to output, and [`Adjoints`]
//! those of a sum of the outputs, each times a weight, from output to input.

use super::super::elementwise::onto;
use super::super::program::{Mix, Site, SiteMap, Step};
use super::super::spatial::lanes::{First, GROUP, Second};
use super::super::spatial::run::Sides;
use super::super::spatial::sites::average;
use super::super::spatial::spare::Spare;
use super::super::spatial::whole::Op;
use super::super::spatial::whole::field::{Extent, Field};
use super::super::spatial::whole::{linear, taps};
use crate::affine::Affine;
use crate::network::Merge;
use crate::pack::{LANES, Pack, by_lanes, wide};
use crate::pairs::row::{PreparedSamples, SlopesRow};
use crate::pairs::{Maps, ParameterSlopes, Side, Slopes};
use ntk_linalg::Real;

/// The NNGP and NTK of pairs, or what belongs to them: of independent pairs in a line, or of all pairs of
/// positions of sixteen pairs of samples.
#[derive(Debug, Clone)]
pub(super) struct Line<T> {
    pub(super) extent: Extent,
    pub(super) positions: usize,
    pub(super) nngp: Vec<Pack<T>>,
    pub(super) ntk: Vec<Pack<T>>,
}

impl<T: Real> Line<T> {
    /// Makes zeros of so many independent packs.
    pub(super) fn zeros(packs: usize) -> Self {
        Self::of(vec![Pack::zero(); packs])
    }

    /// Makes independent pairs without an NTK.
    pub(super) fn of(nngp: Vec<Pack<T>>) -> Self {
        Self {
            extent: Extent::Diagonal,
            positions: nngp.len(),
            ntk: vec![Pack::zero(); nngp.len()],
            nngp,
        }
    }

    /// Makes zeros in the shape of this one.
    pub(super) fn zeros_like(&self) -> Self {
        let zeros = vec![Pack::zero(); self.nngp.len()];
        Self {
            nngp: zeros.clone(),
            ntk: zeros,
            ..*self
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        let add = |to: &mut [Pack<T>], from: &[Pack<T>]| {
            to.iter_mut()
                .zip(from)
                .for_each(|(to, &from)| *to = *to + from);
        };
        add(&mut self.nngp, &other.nngp);
        add(&mut self.ntk, &other.ntk);
    }

    /// Takes it as a field through `f`.
    fn through(self, f: impl FnOnce(Field<T>) -> Field<T>) -> Self {
        f(Field {
            extent: self.extent,
            positions: self.positions,
            nngp: self.nngp,
            ntk: Some(self.ntk),
            masks: [None, None],
        })
        .into()
    }

    /// Leaves pairs of different positions out, or adds zeros there. It is its own transpose.
    pub(super) fn within(self, extent: Extent) -> Self {
        self.through(|field| field.within(extent))
    }
}

impl<T: Real> From<Field<T>> for Line<T> {
    fn from(field: Field<T>) -> Self {
        Self {
            extent: field.extent,
            positions: field.positions,
            ntk: field
                .ntk
                .unwrap_or_else(|| vec![Pack::zero(); field.nngp.len()]),
            nngp: field.nngp,
        }
    }
}

/// Makes packs of numbers, and zeros after the last.
pub(super) fn packs<T: Real>(numbers: &[T]) -> Vec<Pack<T>> {
    let chunks = numbers.chunks(LANES);
    let pack = |chunk: &[T]| {
        let mut pack = Pack::zero();
        pack.0[..chunk.len()].copy_from_slice(chunk);
        pack
    };
    chunks.map(pack).collect()
}

/// Says which pairs a line is of.
#[derive(Clone, Copy)]
pub(super) enum Pairs<'a, T> {
    /// One sample with others, from a column on.
    Row {
        one: &'a [Option<PreparedSamples<T>>],
        row: usize,
        two: &'a [Option<PreparedSamples<T>>],
        start: usize,
        len: usize,
    },
    /// Each sample with itself.
    Own {
        sites: &'a [Option<PreparedSamples<T>>],
        len: usize,
    },
    /// Four samples with four, at pairs of positions; `own` says that they are the same four.
    Block { sides: [&'a Sides<T>; 2], own: bool },
}

impl<T: Real> Pairs<'_, T> {
    /// Returns how many lanes of the pack of this number are pairs.
    fn lanes(&self, pack: usize) -> usize {
        match *self {
            Self::Row { len, .. } | Self::Own { len, .. } => len.saturating_sub(pack * LANES),
            Self::Block { .. } => LANES,
        }
    }

    /// Says whether a row goes on along the second side, so that its derivatives are kept: a block's
    /// are more than memory, and are computed again.
    fn keeps(&self) -> bool {
        !matches!(self, Self::Block { .. })
    }

    /// Returns the numbers of the two sides of a site: for each row of pairs those of the one, a pack
    /// each, and those of the other for each pair.
    fn numbers(&self, site: &Site) -> Numbers<T> {
        let count = site.map.numbers();
        let columns = |samples: &PreparedSamples<T>, start: usize, len: usize| {
            let packs = (0..len)
                .step_by(LANES)
                .map(|at| samples.columns(start + at));
            packs
                .flat_map(|columns| (0..count).map(move |k| columns.get(k)))
                .collect()
        };
        match *self {
            Self::Row {
                one,
                row,
                two,
                start,
                len,
            } => Numbers {
                count,
                one: prepared(one, site)
                    .one(row)
                    .iter()
                    .copied()
                    .map(Pack::splat)
                    .collect(),
                two: columns(prepared(two, site), start, len),
            },
            Self::Own { sites, len } => {
                let all: Vec<_> = columns(prepared(sites, site), 0, len);
                Numbers {
                    count,
                    one: all.clone(),
                    two: all,
                }
            }
            Self::Block {
                sides: [one, two], ..
            } => {
                let [one, two] = [one, two].map(|sides| &sides.0[site.index][..]);
                let all = (0..one.len() / GROUP).map(|number| number * GROUP);
                Numbers {
                    count,
                    one: all.clone().map(|at| First(&one[at..]).get(0)).collect(),
                    two: all.map(|at| Second(&two[at..]).get(0)).collect(),
                }
            }
        }
    }
}

/// What a site needs of two sides, `[position][number]`, a pack each.
struct Numbers<T> {
    count: usize,
    one: Vec<Pack<T>>,
    two: Vec<Pack<T>>,
}

impl<T: Real> Numbers<T> {
    /// Returns those of one pack of pairs of the line.
    fn at(&self, line: &Line<T>, pack: usize) -> [&[Pack<T>]; 2] {
        let width = line.positions.max(1);
        let [one, two] = match line.extent {
            Extent::All => [pack / width, pack % width],
            Extent::Diagonal => [pack, pack],
        };
        // A row's one sample stands for all its pairs.
        let one = one * usize::from(self.one.len() > self.count);
        [
            &self.one[one * self.count..][..self.count],
            &self.two[two * self.count..][..self.count],
        ]
    }
}

fn prepared<'a, T>(
    samples: &'a [Option<PreparedSamples<T>>],
    site: &Site,
) -> &'a PreparedSamples<T> {
    samples[site.index]
        .as_ref()
        .expect("the samples' own pass sets every site")
}

/// What is kept of a layer.
pub(super) enum Record<T> {
    /// The kernels before an affine map.
    Affine(Line<T>),
    /// What is kept of the weights before a site, the kernels before it, and the derivatives there,
    /// unless they are computed again.
    Site(Line<T>, Line<T>, Option<Vec<Slopes<T>>>),
    /// What dropout divides by: samples with themselves.
    Dropout,
    /// The pairs before, what is kept of each path, and the kernels at its end.
    Branch(Extent, Vec<(Tape<T>, Line<T>)>),
    /// The pairs before a layer that mixes positions, and the sums before its weights.
    Mix(Extent, Option<Line<T>>),
}

/// What is kept of layers, one record each.
pub(super) type Tape<T> = Vec<Record<T>>;

const NOT_HERE: &str = "derivatives that are not known are refused before";

/// Takes a line through weights.
fn affine_through<T: Real>(affine: &Affine, line: &mut Line<T>) {
    let pack = affine.pack();
    wide(
        #[inline(always)]
        || {
            for (q, t) in line.nngp.iter_mut().zip(&mut line.ntk) {
                by_lanes();
                let next = pack.nngp(*q);
                *t = pack.ntk(*q, next, *t);
                *q = next;
            }
        },
    );
}

/// Takes a line through the layers.
pub(super) fn record<T: Real>(
    ops: &[Op],
    pairs: &Pairs<'_, T>,
    line: &mut Line<T>,
    spare: &mut Spare<T>,
) -> Tape<T> {
    let mut tape = Vec::with_capacity(ops.len());
    for op in ops {
        tape.push(match op {
            Op::Site(affine, site) => {
                let first = line.clone();
                affine_through(affine, line);
                let before = line.clone();
                let slopes = slopes(site, pairs, line);
                wide(
                    #[inline(always)]
                    || {
                        let both = line.nngp.iter_mut().zip(&mut line.ntk);
                        for ((q, t), of) in both.zip(&slopes) {
                            by_lanes();
                            *q = of.kernel;
                            *t = *t * of.derivative;
                        }
                    },
                );
                Record::Site(first, before, pairs.keeps().then_some(slopes))
            }
            Op::Branch { paths, merge } => {
                let paths = paths.iter().map(|path| {
                    let mut end = line.clone().within(path.start);
                    (record(&path.ops, pairs, &mut end, spare), end)
                });
                let (extent, paths) = (line.extent, paths.collect::<Vec<_>>());
                *line = merged(*merge, &paths);
                Record::Branch(extent, paths)
            }
            Op::One(Step::Affine(affine), _) => {
                let before = line.clone();
                affine_through(affine, line);
                Record::Affine(before)
            }
            Op::One(Step::Dropout { keep }, _) => {
                dropout(*keep, pairs, line);
                Record::Dropout
            }
            Op::One(Step::Mix(mix), wanted) => {
                let extent = line.extent;
                let summed = through(mix, line, spare);
                if let Some(affine) = weights(mix) {
                    affine_through(affine, line);
                }
                widen(mix, *wanted, line);
                Record::Mix(extent, summed)
            }
            Op::One(Step::Site(_) | Step::Branch { .. } | Step::Stack { .. }, _)
            | Op::Stack { .. } => unreachable!("{NOT_HERE}"),
        });
    }
    tape
}

/// Returns the weights at the end of a layer that mixes positions.
pub(super) fn weights(mix: &Mix) -> Option<&Affine> {
    match mix {
        Mix::Taps(_, affine) | Mix::Local(_, affine) => Some(affine),
        Mix::Map(_)
        | Mix::Flatten(..)
        | Mix::Attention(..)
        | Mix::Aggregate(..)
        | Mix::Recurrent(_) => None,
    }
}

/// Takes a line through the sums of a layer that mixes positions; returns it as it is before weights.
pub(super) fn through<T: Real>(
    mix: &Mix,
    line: &mut Line<T>,
    spare: &mut Spare<T>,
) -> Option<Line<T>> {
    let from = std::mem::replace(line, Line::zeros(0));
    let from = match mix {
        Mix::Local(..) => from.within(Extent::Diagonal),
        _ => from,
    };
    *line = from.through(|field| match mix {
        Mix::Taps(windows, _) | Mix::Local(windows, _) => taps::summed(windows, field, spare),
        Mix::Map(map) => linear::map(map, &field),
        Mix::Flatten(over, sizes) => linear::flatten(*sizes, *over, &field),
        Mix::Attention(..) | Mix::Aggregate(..) | Mix::Recurrent(_) => unreachable!("{NOT_HERE}"),
    });
    weights(mix).map(|_| line.clone())
}

/// Leaves out or adds the pairs that are wanted after a layer that mixes positions.
pub(super) fn widen<T: Real>(mix: &Mix, wanted: Extent, line: &mut Line<T>) {
    if let Mix::Local(..) | Mix::Map(_) = mix {
        *line = std::mem::replace(line, Line::zeros(0)).within(wanted);
    }
}

/// Takes derivatives by what [`through`] gives to those by what it takes, of pairs in `extent`.
pub(super) fn back<T: Real>(mix: &Mix, extent: Extent, line: &mut Line<T>, spare: &mut Spare<T>) {
    let from = std::mem::replace(line, Line::zeros(0));
    *line = from
        .through(|field| match mix {
            Mix::Taps(windows, _) | Mix::Local(windows, _) => {
                taps::transposed(windows, field, spare)
            }
            Mix::Map(map) => linear::map_transposed(map, &field),
            Mix::Flatten(over, sizes) => linear::flatten_transposed(*sizes, *over, &field),
            Mix::Attention(..) | Mix::Aggregate(..) | Mix::Recurrent(_) => {
                unreachable!("{NOT_HERE}")
            }
        })
        .within(extent);
}

/// Divides what is of a sample with itself.
pub(super) fn dropout<T: Real>(keep: f64, pairs: &Pairs<'_, T>, line: &mut Line<T>) {
    match pairs {
        Pairs::Row { .. } | Pairs::Block { own: false, .. } => {}
        Pairs::Own { .. } => {
            let by = T::of(keep).recip();
            for pack in line.nngp.iter_mut().chain(&mut line.ntk) {
                *pack = *pack * by;
            }
        }
        Pairs::Block { own: true, .. } => {
            *line = std::mem::replace(line, Line::zeros(0)).through(|mut field| {
                field.dropout(keep);
                field
            });
        }
    }
}

/// Computes the derivatives at a site, 0 behind the last pair.
pub(super) fn slopes<T: Real>(site: &Site, pairs: &Pairs<'_, T>, line: &Line<T>) -> Vec<Slopes<T>> {
    let mut all = vec![Slopes::zeros(); line.nngp.len()];
    let maps = site.map.maps::<T>();
    match *pairs {
        // All is by the covariance, which is both variances.
        Pairs::Own { len, .. } => {
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
        }
        Pairs::Row { .. } => {
            let numbers = pairs.numbers(site);
            let (one, two, q) = (&numbers.one[..], &numbers.two[..], &line.nngp[..]);
            maps.slopes_row(SlopesRow {
                one,
                two,
                q,
                slopes: &mut all,
            });
        }
        Pairs::Block { .. } => {
            let numbers = pairs.numbers(site);
            let count = numbers.count;
            let width = match line.extent {
                Extent::All => line.positions.max(1),
                Extent::Diagonal => 1,
            };
            let rows = line
                .nngp
                .chunks(width)
                .zip(all.chunks_mut(width))
                .enumerate();
            for (row, (q, slopes)) in rows {
                let one = &numbers.one[row * count..][..count];
                let two = match line.extent {
                    Extent::All => &numbers.two[..],
                    Extent::Diagonal => &numbers.two[row * count..],
                };
                maps.slopes_row(SlopesRow {
                    one,
                    two,
                    q,
                    slopes,
                });
            }
        }
    }
    if let Some(last) = all.last_mut() {
        last.keep(pairs.lanes(line.nngp.len() - 1));
    }
    all
}

/// Computes the kernels of a sum or product of independent paths.
fn merged<T: Real>(merge: Merge, paths: &[(Tape<T>, Line<T>)]) -> Line<T> {
    let mut ends = paths.iter().map(|(_, end)| end);
    let mut total = ends.next().expect("a branch has at least one path").clone();
    for end in ends {
        onto(
            merge,
            (&mut total.nngp, &mut total.ntk),
            (&end.nngp, &end.ntk),
        );
    }
    total
}

/// Computes the kernels of the product of all paths but one; `None` where it is the only one.
pub(super) fn others<T: Real>(paths: &[(Tape<T>, Line<T>)], path: usize) -> Option<Line<T>> {
    let others = paths.iter().enumerate();
    let others = others.filter(|&(number, _)| number != path);
    others
        .map(|(_, (_, end))| end.clone())
        .reduce(|mut total, end| {
            onto(
                Merge::Product,
                (&mut total.nngp, &mut total.ntk),
                (&end.nngp, &end.ntk),
            );
            total
        })
}

/// Replaces what a normalisation over positions takes of `[position][sample]` by the means over these: a
/// map that is its own transpose.
pub(super) fn means<T: Real>(site: &Site, all: &mut [T]) {
    let SiteMap::Norm { over, sizes, .. } = site.map else {
        return;
    };
    for sample in 0..GROUP {
        let mut of: Vec<T> = all.iter().skip(sample).step_by(GROUP).copied().collect();
        average(&mut of, sizes, over, |_| false);
        all.iter_mut()
            .skip(sample)
            .step_by(GROUP)
            .zip(of)
            .for_each(|(to, v)| *to = v);
    }
}

pub(super) const OTHER: &str = "a tape has the records of its layers";

/// Calls with the pack, the parameter and the derivatives by it, zero behind the last pair.
pub(super) fn each_parameter<T: Real>(
    site: &Site,
    pairs: &Pairs<'_, T>,
    before: &Line<T>,
    mut look: impl FnMut(usize, usize, ParameterSlopes<T>),
) {
    let maps: &dyn Maps<T> = site.map.maps();
    let numbers = pairs.numbers(site);
    let mut of = vec![(Pack::zero(), Pack::zero()); site.parameter_count()];
    for (pack, &q) in before.nngp.iter().enumerate() {
        let [one, two] = numbers.at(before, pack);
        maps.parameter_slopes(one, two, q, &mut of);
        let left = pairs.lanes(pack);
        for (parameter, (kernel, derivative)) in of.iter_mut().enumerate() {
            for by in [&mut *kernel, &mut *derivative] {
                keep(by, left);
            }
            look(pack, parameter, (*kernel, *derivative));
        }
    }
}

/// Sets all but the first numbers to zero.
fn keep<T: Real>(pack: &mut Pack<T>, count: usize) {
    pack.0.iter_mut().skip(count).for_each(|v| *v = T::zero());
}

impl<T: Real> Slopes<T> {
    fn zeros() -> Self {
        let zero = Pack::zero();
        Self {
            kernel: zero,
            derivative: zero,
            kernel_by: [zero; 3],
            derivative_by: [zero; 3],
        }
    }

    /// Sets those of all but the first pairs to zero.
    fn keep(&mut self, count: usize) {
        let by = self.kernel_by.iter_mut().chain(&mut self.derivative_by);
        for pack in by.chain([&mut self.kernel, &mut self.derivative]) {
            keep(pack, count);
        }
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

/// Sums the numbers of a pack in f64.
pub(super) fn sum<T: Real>(pack: Pack<T>) -> f64 {
    pack.0.iter().map(|&v| Real::to_f64(v)).sum()
}
