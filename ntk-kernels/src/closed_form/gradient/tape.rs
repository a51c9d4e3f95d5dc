//! Records what the layers did to a line of pairs.
//!
//! Every layer is a map of the covariances `q` and tangent kernels `t` of one pair, and of the variances
//! of its two samples. [`record`] takes a line of pairs through the layers and keeps what derivatives
//! need. A [`Tangent`](super::tangent::Tangent) then takes derivatives by one hyperparameter from input to
//! output, and [`Adjoints`](super::adjoint::Adjoints) those of a sum of the outputs, each times a weight,
//! from output to input.

use super::super::elementwise::onto;
use super::super::program::{Attention, Mix, Recurrent, Site, Step};
use super::super::spatial::lanes::{GROUP, Mask, own as lane};
use super::super::spatial::run::Known;
use super::super::spatial::whole::field::{Extent, Field};
use super::super::spatial::whole::{Op, Plan};
use super::super::spatial::whole::{aggregate, attention, linear, mask, recurrent, stack, taps};
use super::line::{Line, Pool};
use super::plane;
use super::shape::Shape;
use super::site::{Own, Pairs, slopes};
use crate::affine::Affine;
use crate::network::{AXES, Merge, PositionMap, Windows, masks};
use crate::pack::{by_lanes, wide};
use crate::pairs::Slopes;
use ntk_linalg::Real;

/// What is kept of a layer, beside the layer.
pub(super) enum Record<'a, T> {
    /// The kernels before weights.
    Affine(&'a Affine, Line<T>),
    Site(OfSite<'a, T>),
    /// What dropout divides by: samples with themselves.
    Dropout(f64),
    Branch(OfBranch<'a, T>),
    Stack(OfStack<'a, T>),
    Sums(OfSums<'a, T>),
    Attention(OfLayer<'a, Attention, T>),
    Recurrent(OfLayer<'a, Recurrent, T>),
    /// Which positions are zeros from here on.
    Masks([Option<Mask>; 2]),
}

/// What is kept of a layer that needs the covariances before it.
pub(super) struct OfLayer<'a, L, T> {
    pub(super) layer: &'a L,
    pub(super) before: Field<T>,
    /// The pairs of positions after the layer.
    pub(super) to: Extent,
}

/// What is kept of paths whose positions stand side by side.
pub(super) struct OfStack<'a, T> {
    pub(super) axis: usize,
    pub(super) sizes: &'a [[usize; AXES]],
    /// The pairs that go in.
    pub(super) from: Shape,
    pub(super) paths: Vec<OfPath<'a, T>>,
}

/// What is kept of the weights before a site, and of the site.
pub(super) struct OfSite<'a, T> {
    pub(super) affine: &'a Affine,
    pub(super) site: &'a Site,
    /// The kernels before the weights.
    pub(super) first: Line<T>,
    /// The kernels between the two.
    pub(super) before: Line<T>,
    /// The derivatives, unless they are computed again.
    slopes: Option<Vec<Slopes<T>>>,
}

/// What is kept of paths side by side.
pub(super) struct OfBranch<'a, T> {
    pub(super) merge: Merge,
    /// The pairs that go in.
    pub(super) from: Shape,
    pub(super) paths: Vec<OfPath<'a, T>>,
}

/// What is kept of a path.
pub(super) struct OfPath<'a, T> {
    /// The pairs of positions that go in.
    pub(super) start: Extent,
    pub(super) tape: Tape<'a, T>,
    /// The kernels at its end.
    pub(super) end: Line<T>,
}

/// What is kept of a layer that sums over positions, and of its weights.
pub(super) struct OfSums<'a, T> {
    pub(super) layer: Sums<'a>,
    /// The pairs before the sums.
    pub(super) from: Shape,
    /// What means over unmasked positions are multiplied by, `[position][sample]` of either side.
    pub(super) factors: Option<[Vec<T>; 2]>,
    /// The weights after them, and the kernels before these.
    pub(super) weights: Option<(&'a Affine, Line<T>)>,
    /// The pairs after the layer.
    pub(super) to: Extent,
}

/// A layer that sums over positions: a linear map of both kernels alike.
#[derive(Clone, Copy)]
pub(super) enum Sums<'a> {
    Taps(&'a Windows),
    /// As taps, of pairs of equal positions alone.
    Local(&'a Windows),
    Map(&'a PositionMap),
    Flatten([bool; AXES], [usize; AXES]),
    /// Over the edges of graphs.
    Aggregate([bool; AXES], [usize; AXES]),
}

/// What is kept of layers, one record each.
pub(super) type Tape<'a, T> = Vec<Record<'a, T>>;

const INSIDE: &str = "are ops of their own";

/// Lines with more packs do not keep the derivatives at sites, which are computed again.
const KEPT: usize = 4096;

/// Takes a line through the layers.
pub(super) fn record<'a, T: Real>(
    ops: &'a [Op],
    pairs: &Pairs<'_, T>,
    line: &mut Line<T>,
    pool: &mut Pool<T>,
) -> Tape<'a, T> {
    let mut tape = Vec::with_capacity(ops.len());
    let masked = |line: &mut Line<T>, tape: &mut Tape<'a, T>| {
        if line.masks[0].is_some() {
            line.mask(&line.masks.clone());
            tape.push(Record::Masks(line.masks.clone()));
        }
    };
    masked(line, &mut tape);
    for op in ops {
        let before = line.masks.clone();
        tape.push(match op {
            Op::Site(affine, site) => Record::Site(OfSite::record(affine, site, pairs, line, pool)),
            Op::Branch { paths, merge } => {
                let from = line.shape;
                let paths = OfPath::record(paths, pairs, line, pool);
                let mut ends = paths.iter().map(|path| &path.end);
                let first = ends.next().expect("a branch has at least one path");
                let mut total = first.copied(pool);
                ends.for_each(|end| total.merge(*merge, end));
                std::mem::replace(line, total).keep_in(pool);
                let merge = *merge;
                Record::Branch(OfBranch { merge, from, paths })
            }
            Op::Stack { paths, axis, sizes } => {
                let (from, axis) = (line.shape, *axis);
                let paths = OfPath::record(paths, pairs, line, pool);
                let ends: Vec<Field<T>> =
                    paths.iter().map(|path| path.end.clone().into()).collect();
                *line = stack::along(axis, sizes, &ends).into();
                Record::Stack(OfStack {
                    axis,
                    sizes,
                    from,
                    paths,
                })
            }
            Op::One(step, wanted) => {
                let record = one(step, *wanted, pairs, line, pool);
                line.masks = before.map(|mask| mask.map(|mask| mask::after(step, &mask)));
                record
            }
        });
        masked(line, &mut tape);
    }
    tape
}

/// Takes a line through a layer without paths.
fn one<'a, T: Real>(
    step: &'a Step,
    wanted: Extent,
    pairs: &Pairs<'_, T>,
    line: &mut Line<T>,
    pool: &mut Pool<T>,
) -> Record<'a, T> {
    let (layer, weights) = match step {
        Step::Affine(affine) => {
            let before = line.copied(pool);
            line.affine(affine);
            return Record::Affine(affine, before);
        }
        Step::Dropout { keep } => {
            dropout(*keep, pairs, line);
            return Record::Dropout(*keep);
        }
        Step::Mix(mix) => match mix {
            Mix::Taps(windows, affine) => (Sums::Taps(windows), Some(affine)),
            Mix::Local(windows, affine) => (Sums::Local(windows), Some(affine)),
            Mix::Map(map) => (Sums::Map(map), None),
            Mix::Flatten(over, sizes) => (Sums::Flatten(*over, *sizes), None),
            Mix::Aggregate(over, sizes) => (Sums::Aggregate(*over, *sizes), None),
            Mix::Attention(layer) => {
                let before: Field<T> = line.take().into();
                let known = pairs.known(layer.site);
                let out = attention::apply(&layer.logits, known, before.clone(), &mut pool.spare);
                *line = out.into();
                line.within(wanted);
                let layer = &**layer;
                return Record::Attention(OfLayer {
                    layer,
                    before,
                    to: wanted,
                });
            }
            Mix::Recurrent(layer) => {
                let before: Field<T> = line.take().into();
                let [one, two] = pairs.groups().sides;
                let known = &mut Known::Both(one, two);
                let out = recurrent::through(layer, &before, known, &|_| String::new());
                *line = out.expect("the samples were checked alone").into();
                let layer = &**layer;
                return Record::Recurrent(OfLayer {
                    layer,
                    before,
                    to: wanted,
                });
            }
        },
        Step::Site(_) | Step::Branch { .. } | Step::Stack { .. } => unreachable!("{INSIDE}"),
    };
    let from = line.shape;
    let factors = match (layer, &line.masks) {
        (Sums::Map(map), [Some(one), Some(two)]) => {
            let both = mask::means(map, one).zip(mask::means(map, two));
            both.map(|(one, two)| [one, two])
        }
        _ => None,
    };
    layer.through(pairs, line, pool);
    line.multiply(factors.as_ref());
    let weights = weights.map(|affine| {
        let before = line.copied(pool);
        line.affine(affine);
        (affine, before)
    });
    layer.widen(wanted, line);
    Record::Sums(OfSums {
        layer,
        from,
        factors,
        weights,
        to: wanted,
    })
}

impl<'a, T: Real> OfPath<'a, T> {
    /// Takes a line through each path.
    fn record(
        paths: &'a [Plan],
        pairs: &Pairs<'_, T>,
        line: &Line<T>,
        pool: &mut Pool<T>,
    ) -> Vec<Self> {
        let path = |path: &'a Plan| {
            let mut end = line.copied(pool);
            end.within(path.start);
            let tape = record(&path.ops, pairs, &mut end, pool);
            let start = path.start;
            Self { start, tape, end }
        };
        paths.iter().map(path).collect()
    }
}

impl<'a, T: Real> OfSite<'a, T> {
    fn record(
        affine: &'a Affine,
        site: &'a Site,
        pairs: &Pairs<'_, T>,
        line: &mut Line<T>,
        pool: &mut Pool<T>,
    ) -> Self {
        let mut before = line.any_like(pool);
        let pack = affine.pack();
        wide(
            #[inline(always)]
            || {
                let from = line.nngp.iter().zip(&line.ntk);
                let to = before.nngp.iter_mut().zip(&mut before.ntk);
                for ((&q, &t), (to_q, to_t)) in from.zip(to) {
                    by_lanes();
                    let next = pack.nngp(q);
                    *to_t = pack.ntk(q, next, t);
                    *to_q = next;
                }
            },
        );
        let mut all = pool.slopes(before.nngp.len());
        slopes(site, pairs, &before, &mut all);
        let out = line.any_like(pool);
        let first = std::mem::replace(line, out);
        wide(
            #[inline(always)]
            || {
                let to = line.nngp.iter_mut().zip(&mut line.ntk);
                for ((q, t), (of, &before)) in to.zip(all.iter().zip(&before.ntk)) {
                    by_lanes();
                    *q = of.kernel;
                    *t = before * of.derivative;
                }
            },
        );
        let slopes = match all.len() <= KEPT {
            true => Some(all),
            false => {
                pool.keep_slopes(all);
                None
            }
        };
        Self {
            affine,
            site,
            first,
            before,
            slopes,
        }
    }

    /// Calls with the derivatives at the site.
    pub(super) fn with_slopes<R>(
        &self,
        pairs: &Pairs<'_, T>,
        pool: &mut Pool<T>,
        call: impl FnOnce(&[Slopes<T>]) -> R,
    ) -> R {
        if let Some(slopes) = &self.slopes {
            return call(slopes);
        }
        let mut all = pool.slopes(self.before.nngp.len());
        slopes(self.site, pairs, &self.before, &mut all);
        let out = call(&all);
        pool.keep_slopes(all);
        out
    }
}

impl<T: Real> OfBranch<'_, T> {
    /// Computes the kernels of the product of all paths but one; `None` where it is the only one.
    pub(super) fn others(&self, path: usize, pool: &mut Pool<T>) -> Option<Line<T>> {
        let others = self.paths.iter().enumerate();
        let mut others = others.filter(|&(number, _)| number != path);
        let mut total = others.next()?.1.end.copied(pool);
        others.for_each(|(_, other)| total.merge(Merge::Product, &other.end));
        Some(total)
    }
}

impl<T: Real> Line<T> {
    /// Adds the kernels of an independent path, or multiplies by them.
    fn merge(&mut self, merge: Merge, other: &Self) {
        onto(
            merge,
            (&mut self.nngp, &mut self.ntk),
            (&other.nngp, &other.ntk),
        );
        for (mask, other) in self.masks.iter_mut().zip(&other.masks) {
            if let (Some(mask), Some(other)) = (mask, other) {
                *mask = masks::merged(mask, other);
            }
        }
    }

    /// Sets what is masked to zero: it is its own transpose.
    pub(super) fn mask(&mut self, masks: &[Option<Mask>; 2]) {
        self.masks.clone_from(masks);
        self.through(|mut field| {
            mask::apply(&mut field);
            field
        });
    }

    /// Multiplies each pair of positions by a number of either: it is its own transpose.
    pub(super) fn multiply(&mut self, factors: Option<&[Vec<T>; 2]>) {
        if let Some([one, two]) = factors {
            self.through(|mut field| {
                mask::multiply(&mut field, [one, two]);
                field
            });
        }
    }
}

impl Sums<'_> {
    /// Takes a line through the sums.
    pub(super) fn through<T: Real>(
        self,
        pairs: &Pairs<'_, T>,
        line: &mut Line<T>,
        pool: &mut Pool<T>,
    ) {
        let spare = &mut pool.spare;
        match (self, line.shape) {
            (Self::Taps(windows), Shape::Plane(plane)) => {
                plane::summed(windows, plane, line, spare);
            }
            (Self::Taps(windows), _) => line.through(|field| taps::summed(windows, field, spare)),
            (Self::Local(windows), _) => {
                line.within(Extent::Diagonal);
                line.through(|field| taps::summed(windows, field, spare));
            }
            (Self::Map(map), _) => line.through(|field| linear::map(map, &field)),
            (Self::Flatten(over, sizes), _) => {
                line.through(|field| linear::flatten(sizes, over, &field));
            }
            (Self::Aggregate(over, sizes), _) => line.through(|mut field| {
                let beside = pairs.groups().beside;
                aggregate::sum(sizes, over, beside, &mut field, spare);
                field
            }),
        }
    }

    /// Leaves out or adds the pairs that are wanted after the layer.
    pub(super) fn widen<T: Real>(self, wanted: Extent, line: &mut Line<T>) {
        match self {
            Self::Local(_) | Self::Map(_) | Self::Aggregate(..) => line.within(wanted),
            Self::Taps(_) | Self::Flatten(..) => {}
        }
    }

    /// The transpose of [`Sums::widen`], for a line that went in.
    pub(super) fn narrow<T: Real>(self, from: Shape, line: &mut Line<T>) {
        match self {
            Self::Local(_) => line.within(Extent::Diagonal),
            Self::Map(_) | Self::Aggregate(..) => line.within(from.field().0),
            Self::Taps(_) | Self::Flatten(..) => {}
        }
    }

    /// The transpose of [`Sums::through`], for a line that went in.
    pub(super) fn back<T: Real>(
        self,
        from: Shape,
        pairs: &Pairs<'_, T>,
        line: &mut Line<T>,
        pool: &mut Pool<T>,
    ) {
        let spare = &mut pool.spare;
        match (self, from) {
            (Self::Taps(windows), Shape::Plane(plane)) => {
                plane::transposed(windows, plane, line, spare);
            }
            (Self::Taps(windows), _) => {
                line.through(|field| taps::transposed(windows, field, spare));
            }
            (Self::Local(windows), _) => {
                line.through(|field| taps::transposed(windows, field, spare));
                line.within(from.field().0);
            }
            (Self::Map(map), _) => line.through(|field| linear::map_transposed(map, &field)),
            (Self::Flatten(over, sizes), _) => {
                line.through(|field| linear::flatten_transposed(sizes, over, &field));
            }
            (Self::Aggregate(over, sizes), _) => line.through(|mut field| {
                let beside = pairs.groups().beside;
                aggregate::transposed(sizes, over, beside, &mut field, spare);
                field
            }),
        }
    }
}

/// Divides what is of a sample with itself.
pub(super) fn dropout<T: Real>(keep: f64, pairs: &Pairs<'_, T>, line: &mut Line<T>) {
    let by = T::of(keep).recip();
    match pairs.own {
        Own::No => {}
        Own::Samples(_) => {
            for pack in line.nngp.iter_mut().chain(&mut line.ntk) {
                *pack = *pack * by;
            }
        }
        Own::Group => {
            let step = line.shape.between_equal().unwrap_or(usize::MAX);
            for kernel in [&mut line.nngp, &mut line.ntk] {
                for pack in kernel.iter_mut().step_by(step) {
                    (0..GROUP).for_each(|sample| pack.0[lane(sample)] *= by);
                }
            }
        }
    }
}

/// Gives the memory of records to be used again.
pub(super) fn keep_in<T: Real>(tape: Tape<'_, T>, pool: &mut Pool<T>) {
    for record in tape {
        match record {
            Record::Affine(_, before) => before.keep_in(pool),
            Record::Site(site) => {
                site.first.keep_in(pool);
                site.before.keep_in(pool);
                site.slopes
                    .into_iter()
                    .for_each(|all| pool.keep_slopes(all));
            }
            Record::Dropout(_) | Record::Masks(_) | Record::Attention(_) | Record::Recurrent(_) => {
            }
            Record::Branch(OfBranch { paths, .. }) | Record::Stack(OfStack { paths, .. }) => {
                for path in paths {
                    path.end.keep_in(pool);
                    keep_in(path.tape, pool);
                }
            }
            Record::Sums(sums) => {
                sums.weights
                    .into_iter()
                    .for_each(|(_, before)| before.keep_in(pool));
            }
        }
    }
}

/// Adds two lines, where either may be zeros.
pub(super) fn add<T: Real>(to: &mut Option<Line<T>>, from: Option<Line<T>>, pool: &mut Pool<T>) {
    match (&mut *to, from) {
        (Some(to), Some(from)) => {
            to.add(&from);
            from.keep_in(pool);
        }
        (None, from) => *to = from,
        (Some(_), None) => {}
    }
}
