//! Takes derivatives by one hyperparameter from input to output.

use super::super::program::{Attention, Recurrent};
use super::super::spatial::lanes::{GROUP, own as lane};
use super::super::spatial::whole::field::Field;
use super::super::spatial::whole::stack;
use super::layers::{attention, recurrent};
use super::line::{Line, Pool, padded};
use super::site::{Numbers, Own, Pairs, each_parameter, means, spread};
use super::tape::{OfBranch, OfLayer, OfSite, OfStack, Record, Tape, add, dropout};
use crate::affine::Affine;
use crate::network::Merge;
use crate::pack::{Pack, by_lanes, wide};
use ntk_linalg::Real;
use std::ops::Range;

/// `Tangent` is what derivatives by one hyperparameter are taken with.
pub(super) struct Tangent<'a, T> {
    /// Which of the network's hyperparameters share the value.
    pub(super) numbers: &'a [bool],
    /// The derivatives of the variances of both sides' samples; samples with themselves have none yet.
    pub(super) known: Option<[&'a Found<T>; 2]>,
    /// Those that samples with themselves find on the way: of each, or `[position][sample]`.
    pub(super) found: Vec<Vec<T>>,
}

/// `Found` are the derivatives of the variances of samples at each site, or of what attention needs of them.
pub(super) struct Found<T> {
    /// Those of a group, `[..][sample]`.
    numbers: Vec<Vec<T>>,
    /// A pack for each place of a side.
    places: Numbers<T>,
}

impl<T: Real> Found<T> {
    /// Spreads those of a group over the pairs with it on the first side, or on the second.
    pub(super) fn of(numbers: &[Vec<T>], first: bool) -> Self {
        Self {
            numbers: numbers.to_vec(),
            places: numbers.iter().map(|of| spread(of, first)).collect(),
        }
    }

    /// Makes packs of those of some columns, sixteen to a place.
    pub(super) fn of_columns(found: &[Vec<T>], columns: Range<usize>) -> Self {
        Self::of_part(found, columns, padded)
    }

    /// Makes packs of those of some rows, one to a place.
    pub(super) fn of_rows(found: &[Vec<T>], rows: Range<usize>) -> Self {
        let splat = |part: &[T]| part.iter().copied().map(Pack::splat).collect();
        Self::of_part(found, rows, splat)
    }

    fn of_part(found: &[Vec<T>], part: Range<usize>, make: impl Fn(&[T]) -> Vec<Pack<T>>) -> Self {
        let of = |all: &Vec<T>| all.get(part.clone()).map_or_else(Vec::new, &make);
        Self {
            numbers: Vec::new(),
            places: found.iter().map(of).collect(),
        }
    }
}

impl<T: Real> Tangent<'_, T> {
    /// Takes derivatives through the layers to those of both kernels; `None` stands for zeros.
    pub(super) fn through(
        &mut self,
        tape: &Tape<'_, T>,
        pairs: &Pairs<'_, T>,
        mut line: Option<Line<T>>,
        pool: &mut Pool<T>,
    ) -> Option<Line<T>> {
        for record in tape {
            match record {
                Record::Affine(affine, before) => {
                    line = self.affine(affine, before, line, pool);
                }
                Record::Site(of) => {
                    line = self.affine(of.affine, &of.first, line, pool);
                    line = self.site(of, pairs, line, pool);
                }
                Record::Dropout(keep) => {
                    if let Some(line) = &mut line {
                        dropout(*keep, pairs, line);
                    }
                }
                Record::Branch(branch) => line = self.branch(branch, pairs, line, pool),
                Record::Stack(stack) => line = self.stack(stack, pairs, line, pool),
                Record::Attention(of) => line = self.attention(of, pairs, line, pool),
                Record::Recurrent(of) => line = self.recurrent(of, pairs, line),
                Record::Masks(masks) => {
                    if let Some(line) = &mut line {
                        line.mask(masks);
                    }
                }
                Record::Sums(sums) => {
                    if let Some(line) = &mut line {
                        sums.layer.through(pairs, line, pool);
                        line.multiply(sums.factors.as_ref());
                    }
                    if let Some((affine, before)) = &sums.weights {
                        line = self.affine(affine, before, line, pool);
                    }
                    if let Some(line) = &mut line {
                        sums.layer.widen(sums.to, line);
                    }
                }
            }
        }
        line
    }

    fn affine(
        &self,
        affine: &Affine,
        before: &Line<T>,
        line: Option<Line<T>>,
        pool: &mut Pool<T>,
    ) -> Option<Line<T>> {
        let [by_scale, by_shift] = affine.by(self.numbers);
        if line.is_none() && by_scale == 0.0 && by_shift == 0.0 {
            return None;
        }
        let mut line = line.unwrap_or_else(|| Line::zeros(before.shape, pool));
        let [by_scale, by_shift] = [by_scale, by_shift].map(Pack::of);
        let pack = affine.pack();
        wide(
            #[inline(always)]
            || {
                let lines = line.nngp.iter_mut().zip(&mut line.ntk);
                let before = before.nngp.iter().zip(&before.ntk);
                for ((dq, dt), (&q, &t)) in lines.zip(before) {
                    by_lanes();
                    let next = dq.mul_add(pack.scale, q.mul_add(by_scale, by_shift));
                    let own = dq.mul_add(pack.before, next * pack.after);
                    *dt = dt.mul_add(pack.scale, t.mul_add(by_scale, own));
                    *dq = next;
                }
            },
        );
        Some(line)
    }

    fn branch(
        &mut self,
        branch: &OfBranch<'_, T>,
        pairs: &Pairs<'_, T>,
        line: Option<Line<T>>,
        pool: &mut Pool<T>,
    ) -> Option<Line<T>> {
        let mut total = None;
        for (number, path) in branch.paths.iter().enumerate() {
            let mut start = line.as_ref().map(|line| line.copied(pool));
            if let Some(start) = &mut start {
                start.within(path.start);
            }
            let mut end = self.through(&path.tape, pairs, start, pool);
            if let (Merge::Product, Some(end)) = (branch.merge, &mut end)
                && let Some(by) = branch.others(number, pool)
            {
                // (q t' + t q')' of this path and the product of the others.
                for at in 0..end.nngp.len() {
                    let (dq, dt) = (end.nngp[at], end.ntk[at]);
                    end.nngp[at] = dq * by.nngp[at];
                    end.ntk[at] = dt * by.nngp[at] + dq * by.ntk[at];
                }
                by.keep_in(pool);
            }
            add(&mut total, end, pool);
        }
        if let Some(line) = line {
            line.keep_in(pool);
        }
        total
    }

    fn stack(
        &mut self,
        stack: &OfStack<'_, T>,
        pairs: &Pairs<'_, T>,
        line: Option<Line<T>>,
        pool: &mut Pool<T>,
    ) -> Option<Line<T>> {
        let ends = stack.paths.iter().map(|path| {
            let mut start = line.as_ref().map(|line| line.copied(pool));
            if let Some(start) = &mut start {
                start.within(path.start);
            }
            self.through(&path.tape, pairs, start, pool)
        });
        let ends: Vec<_> = ends.collect();
        if ends.iter().all(Option::is_none) {
            return None;
        }
        let fields = ends.into_iter().zip(&stack.paths).map(|(end, path)| {
            let end = end.unwrap_or_else(|| Line::zeros(path.end.shape, pool));
            Field::from(end)
        });
        let fields: Vec<_> = fields.collect();
        Some(stack::along(stack.axis, stack.sizes, &fields).into())
    }

    /// Returns the derivatives before a layer, zeros where there are none, unless it has no hyperparameter
    /// that is moved either.
    fn before<L>(
        &self,
        of: &OfLayer<'_, L, T>,
        own: impl IntoIterator<Item = usize>,
        line: Option<Line<T>>,
    ) -> Option<Field<T>> {
        let Field {
            extent, positions, ..
        } = of.before;
        match line {
            Some(line) => Some(line.into()),
            None if own.into_iter().any(|number| self.numbers[number]) => {
                Some(Field::zeros(extent, positions, true))
            }
            None => None,
        }
    }

    /// Returns the derivatives of what a layer needs of either side's samples.
    fn sides(&self, site: usize, own: bool) -> [&[T]; 2] {
        match (own, self.known) {
            (false, Some(known)) => known.map(|found| &found.numbers[site][..]),
            (true, _) | (false, None) => [&self.found[site][..]; 2],
        }
    }

    fn attention(
        &mut self,
        of: &OfLayer<'_, Attention, T>,
        pairs: &Pairs<'_, T>,
        line: Option<Line<T>>,
        pool: &mut Pool<T>,
    ) -> Option<Line<T>> {
        let (layer, before) = (of.layer, &of.before);
        let by = self.before(of, layer.hyperparameters(), line)?;
        let known = pairs.known(layer.site);
        let own = pairs.own == Own::Group;
        if own {
            let numbers = self.numbers;
            self.found[layer.site] = attention::own_tangent(layer, known[0], before, &by, numbers);
        }
        let known_by = self.sides(layer.site, own);
        let both = [before, &by];
        let spare = &mut pool.spare;
        let end = attention::tangent(layer, known, known_by, both, self.numbers, spare);
        let mut end = Line::from(end);
        end.within(of.to);
        Some(end)
    }

    fn recurrent(
        &mut self,
        of: &OfLayer<'_, Recurrent, T>,
        pairs: &Pairs<'_, T>,
        line: Option<Line<T>>,
    ) -> Option<Line<T>> {
        let (layer, before) = (of.layer, &of.before);
        let by = self.before(of, layer.hyperparameters(), line)?;
        let site = layer.site.index;
        let own = pairs.own == Own::Group;
        if own {
            self.found[site] = recurrent::own_tangent(layer, [before, &by], self.numbers);
        }
        let variances_by = self.sides(site, own);
        let known = pairs.known(site);
        let end = recurrent::tangent(layer, known, variances_by, [before, &by], self.numbers);
        Some(end.into())
    }

    fn site(
        &mut self,
        of: &OfSite<'_, T>,
        pairs: &Pairs<'_, T>,
        line: Option<Line<T>>,
        pool: &mut Pool<T>,
    ) -> Option<Line<T>> {
        let own = self.parameters(of, pairs, pool);
        let Some(mut line) = line else { return own };
        let index = of.site.index;
        let spreads;
        let sides = match pairs.own {
            Own::Samples(len) => {
                let all = line.nngp.iter().flat_map(|pack| pack.0);
                self.found[index] = all.take(len).collect();
                None
            }
            Own::Group => {
                self.found[index] = own_variances(of, &line);
                spreads = [true, false].map(|first| spread(&self.found[index], first));
                Some(spreads.each_ref().map(Vec::as_slice))
            }
            Own::No => self
                .known
                .map(|known| known.map(|all| &all.places[index][..])),
        };
        // All of a sample with itself is by its covariance, and what has no derivative yet adds none.
        let sides = sides.filter(|[one, two]| !one.is_empty() && !two.is_empty());
        of.with_slopes(pairs, pool, |slopes| {
            let zero = [Pack::zero()];
            for run in line.shape.runs() {
                let packs = run.start..run.start + run.len;
                let [(one, step), (two, other)] = match sides {
                    Some([one, two]) => [(&one[run.first..], run.step), (&two[run.second..], 1)],
                    None => [(&zero[..], 0); 2],
                };
                let (nngp, ntk) = (&mut line.nngp[packs.clone()], &mut line.ntk[packs.clone()]);
                let (slopes, before) = (&slopes[packs.clone()], &of.before.ntk[packs]);
                wide(
                    #[inline(always)]
                    || {
                        let lines = nngp.iter_mut().zip(ntk);
                        let rest = slopes.iter().zip(before);
                        for (at, ((dq, dt), (of, &t))) in lines.zip(rest).enumerate() {
                            by_lanes();
                            let (one, two) = (one[at * step], two[at * other]);
                            let next = along(&of.kernel_by, one, two, *dq);
                            let by = along(&of.derivative_by, one, two, *dq);
                            *dt = dt.mul_add(of.derivative, by * t);
                            *dq = next;
                        }
                    },
                );
            }
        });
        let mut line = Some(line);
        add(&mut line, own, pool);
        line
    }

    /// Sums the derivatives of both kernels after a site by those of its activation's parameters that share
    /// the value.
    fn parameters(
        &self,
        of: &OfSite<'_, T>,
        pairs: &Pairs<'_, T>,
        pool: &mut Pool<T>,
    ) -> Option<Line<T>> {
        let first = of.site.parameters?;
        let wanted = &self.numbers[first..first + of.site.parameter_count()];
        if !wanted.contains(&true) {
            return None;
        }
        let mut sums = Line::zeros(of.before.shape, pool);
        each_parameter(
            of.site,
            pairs,
            &of.before,
            |pack, parameter, (kernel, derivative)| {
                if wanted[parameter] {
                    sums.nngp[pack] = sums.nngp[pack] + kernel;
                    sums.ntk[pack] = sums.ntk[pack] + derivative * of.before.ntk[pack];
                }
            },
        );
        Some(sums)
    }
}

/// Computes a derivative from those by both variances and the covariance, and theirs.
#[inline(always)]
fn along<T: Real>(by: &[Pack<T>; 3], one: Pack<T>, two: Pack<T>, dq: Pack<T>) -> Pack<T> {
    by[0].mul_add(one, by[1].mul_add(two, by[2] * dq))
}

/// Returns what a line has at each position of the four samples with themselves, `[position][sample]`:
/// at a normalisation over positions the means over these.
fn own_variances<T: Real>(of: &OfSite<'_, T>, line: &Line<T>) -> Vec<T> {
    let mut all = line.own::<GROUP>(lane);
    means(of.site, of.before.masks[0].as_ref(), &mut all);
    all
}
