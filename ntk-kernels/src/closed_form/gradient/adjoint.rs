//! Takes derivatives of a weighted sum of kernels from output to input.

use super::super::program::{Attention, Recurrent};
use super::super::spatial::lanes::{GROUP, own as lane};
use super::super::spatial::whole::field::Extent;
use super::super::spatial::whole::stack;
use super::layers::{attention, recurrent};
use super::line::{Line, Pool, padded};
use super::shape::Run;
use super::site::{Numbers, Own, Pairs, each_parameter, means};
use super::tape::{OfBranch, OfLayer, OfSite, OfStack, Record, Tape, add, dropout};
use crate::affine::Affine;
use crate::network::Merge;
use crate::pack::{Pack, by_lanes, wide};
use crate::pairs::Slopes;
use ntk_linalg::Real;

/// `Adjoints` collects the derivatives of a weighted sum of kernels.
pub(super) struct Adjoints<T> {
    /// Those by each of the network's hyperparameters.
    pub(super) hyperparameters: Vec<f64>,
    /// Those by the variances of the first side's samples at each site, a pack each place.
    pub(super) one: Numbers<T>,
    /// Those by the variances of the second side's.
    pub(super) two: Numbers<T>,
    /// Those that other pairs gave to samples with themselves: of each, or `[position][sample]`.
    pub(super) given: Vec<Vec<T>>,
    /// Those by what attention and recurrent layers need of either side's samples, `[..][sample]`.
    pub(super) of_samples: Vec<[Vec<T>; 2]>,
}

impl<T: Real> Adjoints<T> {
    /// Makes zeros for so many hyperparameters and sites.
    pub(super) fn zeros(hyperparameters: usize, sites: usize) -> Self {
        Self {
            hyperparameters: vec![0.0; hyperparameters],
            one: vec![Vec::new(); sites],
            two: vec![Vec::new(); sites],
            given: vec![Vec::new(); sites],
            of_samples: vec![[Vec::new(), Vec::new()]; sites],
        }
    }

    /// Takes the derivatives by both kernels of the output to those by the covariances of the input.
    pub(super) fn back(
        &mut self,
        tape: &Tape<'_, T>,
        pairs: &Pairs<'_, T>,
        line: &mut Line<T>,
        pool: &mut Pool<T>,
    ) {
        for record in tape.iter().rev() {
            match record {
                Record::Affine(affine, before) => self.affine(affine, before, line),
                Record::Site(of) => {
                    self.site(of, pairs, line, pool);
                    self.affine(of.affine, &of.first, line);
                }
                Record::Dropout(keep) => dropout(*keep, pairs, line),
                Record::Branch(branch) => self.branch(branch, pairs, line, pool),
                Record::Stack(stack) => self.stack(stack, pairs, line, pool),
                Record::Attention(of) => self.attention(of, pairs, line, pool),
                Record::Recurrent(of) => self.recurrent(of, pairs, line),
                Record::Masks(masks) => line.mask(masks),
                Record::Sums(sums) => {
                    sums.layer.narrow(sums.from, line);
                    line.multiply(sums.factors.as_ref());
                    if let Some((affine, before)) = &sums.weights {
                        self.affine(affine, before, line);
                    }
                    sums.layer.back(sums.from, pairs, line, pool);
                }
            }
        }
    }

    fn branch(
        &mut self,
        branch: &OfBranch<'_, T>,
        pairs: &Pairs<'_, T>,
        line: &mut Line<T>,
        pool: &mut Pool<T>,
    ) {
        let mut total = None;
        for (number, path) in branch.paths.iter().enumerate() {
            let mut end = line.copied(pool);
            if let Merge::Product = branch.merge
                && let Some(by) = branch.others(number, pool)
            {
                for at in 0..end.nngp.len() {
                    let (aq, a) = (line.nngp[at], line.ntk[at]);
                    end.nngp[at] = aq * by.nngp[at] + a * by.ntk[at];
                    end.ntk[at] = a * by.nngp[at];
                }
                by.keep_in(pool);
            }
            self.back(&path.tape, pairs, &mut end, pool);
            if end.shape != branch.from {
                end.within(branch.from.field().0);
            }
            add(&mut total, Some(end), pool);
        }
        let total = total.expect("a branch has at least one path");
        std::mem::replace(line, total).keep_in(pool);
    }

    fn stack(
        &mut self,
        stack: &OfStack<'_, T>,
        pairs: &Pairs<'_, T>,
        line: &mut Line<T>,
        pool: &mut Pool<T>,
    ) {
        let ends = stack::apart(stack.axis, stack.sizes, &line.take().into());
        let mut total = None;
        for (end, path) in ends.into_iter().zip(&stack.paths) {
            let mut end = Line::from(end);
            self.back(&path.tape, pairs, &mut end, pool);
            end.within(stack.from.field().0);
            add(&mut total, Some(end), pool);
        }
        *line = total.expect("a concatenation has at least one path");
    }

    /// Adds the derivatives by what a layer needs of the samples of either side.
    fn keep(&mut self, site: usize, own: bool, [one, two]: [Vec<T>; 2]) {
        if own {
            add_numbers(&one, &mut self.given[site]);
            add_numbers(&two, &mut self.given[site]);
            return;
        }
        let [first, second] = &mut self.of_samples[site];
        add_numbers(&one, first);
        add_numbers(&two, second);
    }

    fn attention(
        &mut self,
        of: &OfLayer<'_, Attention, T>,
        pairs: &Pairs<'_, T>,
        line: &mut Line<T>,
        pool: &mut Pool<T>,
    ) {
        let (layer, before) = (of.layer, &of.before);
        line.within(Extent::All);
        let (known, bar) = (pairs.known(layer.site), line.take().into());
        let (sums, spare) = (&mut self.hyperparameters, &mut pool.spare);
        let (mut by, sides) = attention::adjoint(layer, known, before, bar, sums, spare);
        let own = pairs.own == Own::Group;
        self.keep(layer.site, own, sides);
        if own {
            let (given, sums) = (&self.given[layer.site], &mut self.hyperparameters);
            attention::own_adjoint(layer, known[0], before, given, &mut by, sums);
        }
        *line = by.into();
    }

    fn recurrent(
        &mut self,
        of: &OfLayer<'_, Recurrent, T>,
        pairs: &Pairs<'_, T>,
        line: &mut Line<T>,
    ) {
        let (layer, before, site) = (of.layer, &of.before, of.layer.site.index);
        let bar = line.take().into();
        let known = pairs.known(site);
        let sums = &mut self.hyperparameters;
        let (mut by, sides) = recurrent::adjoint(layer, known, before, &bar, sums);
        let own = pairs.own == Own::Group;
        self.keep(site, own, sides);
        if own {
            let (given, sums) = (&self.given[site], &mut self.hyperparameters);
            recurrent::own_adjoint(layer, before, given, &mut by, sums);
        }
        *line = by.into();
    }

    fn affine(&mut self, affine: &Affine, before: &Line<T>, line: &mut Line<T>) {
        let pack = affine.pack();
        let (mut by_scale, mut by_shift) = (Pack::zero(), Pack::zero());
        wide(
            #[inline(always)]
            || {
                let lines = line.nngp.iter_mut().zip(&mut line.ntk);
                let before = before.nngp.iter().zip(&before.ntk);
                for ((aq, at), (&q, &t)) in lines.zip(before) {
                    by_lanes();
                    let next = at.mul_add(pack.after, *aq);
                    by_scale = next.mul_add(q, at.mul_add(t, by_scale));
                    by_shift = by_shift + next;
                    *aq = next.mul_add(pack.scale, *at * pack.before);
                    *at = *at * pack.scale;
                }
            },
        );
        if let Some(by) = affine.by {
            self.hyperparameters[by.number] += by.scale * by_scale.sum();
            if let Some(shift) = by.shift {
                self.hyperparameters[by.number + 1] += shift * by_shift.sum();
            }
        }
    }

    fn site(
        &mut self,
        of: &OfSite<'_, T>,
        pairs: &Pairs<'_, T>,
        line: &mut Line<T>,
        pool: &mut Pool<T>,
    ) {
        let index = of.site.index;
        if let Some(first) = of.site.parameters {
            each_parameter(
                of.site,
                pairs,
                &of.before,
                |pack, parameter, (kernel, derivative)| {
                    let moved = line.ntk[pack] * of.before.ntk[pack] * derivative;
                    let by = line.nngp[pack] * kernel + moved;
                    self.hyperparameters[first + parameter] += by.sum();
                },
            );
        }
        // What others gave to the variances of samples with themselves goes along with their covariances.
        if let Own::Samples(_) = pairs.own {
            of.with_slopes(pairs, pool, |slopes| {
                let lines = line.nngp.iter_mut().zip(&mut line.ntk);
                let rest = slopes.iter().zip(&of.before.ntk);
                for ((aq, at), (of, &t)) in lines.zip(rest) {
                    let by = of.derivative_by[2];
                    *aq = aq.mul_add(of.kernel_by[2], *at * t * by);
                    *at = *at * of.derivative;
                }
            });
            let given = padded(&self.given[index]);
            let both = line.nngp.iter_mut().zip(given);
            both.for_each(|(to, v)| *to = *to + v);
            return;
        }
        let runs = line.shape.runs();
        let (mut one, mut two) = match pairs.own {
            Own::Group => (Vec::new(), Vec::new()),
            Own::No | Own::Samples(_) => (
                std::mem::take(&mut self.one[index]),
                std::mem::take(&mut self.two[index]),
            ),
        };
        let ends = |run: &Run| {
            let first = run.first + (run.len - 1) * run.step + 1;
            [first, run.second + run.len]
        };
        for run in &runs {
            let [first, second] = ends(run);
            one.resize(one.len().max(first), Pack::zero());
            two.resize(two.len().max(second), Pack::zero());
        }
        of.with_slopes(pairs, pool, |slopes| {
            for run in runs {
                let packs = run.start..run.start + run.len;
                let (nngp, ntk) = (&mut line.nngp[packs.clone()], &mut line.ntk[packs.clone()]);
                let (slopes, before) = (&slopes[packs.clone()], &of.before.ntk[packs]);
                let (one, two) = (&mut one[run.first..], &mut two[run.second..]);
                let mut fixed = Pack::zero();
                wide(
                    #[inline(always)]
                    || {
                        let lines = nngp.iter_mut().zip(ntk);
                        let rest = slopes.iter().zip(before).zip(two);
                        for (number, ((aq, at), ((of, &t), two))) in lines.zip(rest).enumerate() {
                            by_lanes();
                            let moved = *at * t;
                            match run.step {
                                0 => fixed = fixed + by(of, 0, *aq, moved),
                                _ => one[number] = one[number] + by(of, 0, *aq, moved),
                            }
                            *two = *two + by(of, 1, *aq, moved);
                            *aq = by(of, 2, *aq, moved);
                            *at = *at * of.derivative;
                        }
                    },
                );
                one[0] = one[0] + fixed;
            }
        });
        if pairs.own == Own::No {
            (self.one[index], self.two[index]) = (one, two);
            return;
        }
        let mut given = self.given[index].clone();
        add_first(&one, &mut given);
        add_second(&two, &mut given);
        means(of.site, of.before.masks[0].as_ref(), &mut given);
        let step = line.shape.between_equal().unwrap_or(usize::MAX);
        let places = line.nngp.iter_mut().step_by(step);
        for (pack, four) in places.zip(given.chunks_exact(GROUP)) {
            for (i, &v) in four.iter().enumerate() {
                pack.0[lane(i)] += v;
            }
        }
    }
}

/// Computes the derivative by a variance or the covariance, of this number, from those by both kernels.
#[inline(always)]
fn by<T: Real>(of: &Slopes<T>, k: usize, aq: Pack<T>, moved: Pack<T>) -> Pack<T> {
    aq.mul_add(of.kernel_by[k], moved * of.derivative_by[k])
}

/// Adds the derivatives by the variances of the first side of a block, a pack for each position, to those
/// of each sample, `[position][sample]`.
pub(super) fn add_first<T: Real>(one: &[Pack<T>], to: &mut Vec<T>) {
    to.resize(to.len().max(one.len() * GROUP), T::zero());
    for (four, pack) in to.chunks_exact_mut(GROUP).zip(one) {
        for (lane, &v) in pack.0.iter().enumerate() {
            four[lane / GROUP] += v;
        }
    }
}

/// Does for the second side what [`add_first`] does for the first.
pub(super) fn add_second<T: Real>(two: &[Pack<T>], to: &mut Vec<T>) {
    to.resize(to.len().max(two.len() * GROUP), T::zero());
    for (four, pack) in to.chunks_exact_mut(GROUP).zip(two) {
        for (lane, &v) in pack.0.iter().enumerate() {
            four[lane % GROUP] += v;
        }
    }
}

/// Adds numbers to as many others, or to none yet.
pub(super) fn add_numbers<T: Real>(from: &[T], to: &mut Vec<T>) {
    to.resize(to.len().max(from.len()), T::zero());
    to.iter_mut().zip(from).for_each(|(to, &v)| *to += v);
}
