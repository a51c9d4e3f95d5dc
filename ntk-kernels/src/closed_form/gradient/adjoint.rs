//! Takes derivatives of a weighted sum of kernels from output to input.

use super::super::program::{Mix, Site, Step};
use super::super::spatial::lanes::{GROUP, own as lane};
use super::super::spatial::spare::Spare;
use super::super::spatial::whole::Op;
use super::super::spatial::whole::field::Extent;
use super::tangent::Variances;
use super::tape::{
    Line, OTHER, Pairs, Record, Tape, back, dropout, each_parameter, means, others, packs, sum,
    weights,
};
use crate::affine::Affine;
use crate::network::Merge;
use crate::pack::{Pack, by_lanes, wide};
use crate::pairs::Slopes;
use ntk_linalg::Real;

/// `Adjoints` collects the derivatives of a weighted sum of kernels.
pub(super) struct Adjoints<T> {
    /// Those by each of the network's hyperparameters.
    pub(super) hyperparameters: Vec<f64>,
    /// Those by the variances of the first side's samples at each site: of a row's one sample, or at
    /// each position.
    pub(super) one: Vec<Vec<Pack<T>>>,
    /// Those by the variances of the second side's: of each pack of a row, or at each position.
    pub(super) two: Vec<Vec<Pack<T>>>,
    /// Those that other pairs gave to samples with themselves: of each, or `[position][sample]`.
    pub(super) given: Variances<T>,
}

impl<T: Real> Adjoints<T> {
    /// Makes zeros for so many hyperparameters and sites; for a row with room for its packs.
    pub(super) fn zeros(hyperparameters: usize, sites: usize, packs: usize) -> Self {
        Self {
            hyperparameters: vec![0.0; hyperparameters],
            one: vec![vec![Pack::zero()]; sites],
            two: vec![vec![Pack::zero(); packs]; sites],
            given: Vec::new(),
        }
    }

    /// Takes the derivatives by both kernels of the output to those by the covariances of the input.
    pub(super) fn back(
        &mut self,
        ops: &[Op],
        tape: &Tape<T>,
        pairs: &Pairs<'_, T>,
        line: &mut Line<T>,
        spare: &mut Spare<T>,
    ) {
        for (op, record) in ops.iter().zip(tape).rev() {
            match (op, record) {
                (Op::One(Step::Affine(affine), _), Record::Affine(before)) => {
                    self.affine(affine, before, line);
                }
                (Op::Site(affine, site), Record::Site(first, before, slopes)) => {
                    self.site(site, (before, slopes.as_deref()), pairs, line);
                    self.affine(affine, first, line);
                }
                (Op::One(Step::Dropout { keep }, _), Record::Dropout) => {
                    dropout(*keep, pairs, line);
                }
                (Op::One(Step::Mix(mix), _), Record::Mix(extent, summed)) => {
                    if let (Mix::Local(..), Some(summed)) = (mix, summed) {
                        *line = std::mem::replace(line, Line::zeros(0)).within(summed.extent);
                    }
                    if let Mix::Map(_) = mix {
                        // All pairs went in.
                        *line = std::mem::replace(line, Line::zeros(0)).within(*extent);
                    }
                    if let (Some(affine), Some(summed)) = (weights(mix), summed) {
                        self.affine(affine, summed, line);
                    }
                    back(mix, *extent, line, spare);
                }
                (Op::Branch { paths, merge }, Record::Branch(extent, records)) => {
                    let mut total: Option<Line<T>> = None;
                    for (number, (path, (tape, _))) in paths.iter().zip(records).enumerate() {
                        let mut end = line.clone();
                        if let (Merge::Product, Some(by)) = (merge, others(records, number)) {
                            for at in 0..end.nngp.len() {
                                let (aq, a) = (line.nngp[at], line.ntk[at]);
                                end.nngp[at] = aq * by.nngp[at] + a * by.ntk[at];
                                end.ntk[at] = a * by.nngp[at];
                            }
                        }
                        self.back(&path.ops, tape, pairs, &mut end, spare);
                        let end = end.within(*extent);
                        match &mut total {
                            Some(total) => total.add(&end),
                            None => total = Some(end),
                        }
                    }
                    *line = total.expect("a branch has at least one path");
                }
                _ => unreachable!("{OTHER}"),
            }
        }
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
            self.hyperparameters[by.number] += by.scale * sum(by_scale);
            if let Some(shift) = by.shift {
                self.hyperparameters[by.number + 1] += shift * sum(by_shift);
            }
        }
    }

    fn site(
        &mut self,
        site: &Site,
        (before, slopes): (&Line<T>, Option<&[Slopes<T>]>),
        pairs: &Pairs<'_, T>,
        line: &mut Line<T>,
    ) {
        if let Some(first) = site.parameters {
            each_parameter(
                site,
                pairs,
                before,
                |pack, parameter, (kernel, derivative)| {
                    let moved = line.ntk[pack] * before.ntk[pack] * derivative;
                    let by = line.nngp[pack] * kernel + moved;
                    self.hyperparameters[first + parameter] += sum(by);
                },
            );
        }
        let computed;
        let slopes = match slopes {
            Some(slopes) => slopes,
            None => {
                computed = super::tape::slopes(site, pairs, before);
                &computed[..]
            }
        };
        let own = matches!(pairs, Pairs::Block { own: true, .. });
        let (mut own_one, mut own_two) = (Vec::new(), Vec::new());
        let (one, two) = match own {
            true => (&mut own_one, &mut own_two),
            false => (&mut self.one[site.index], &mut self.two[site.index]),
        };
        if let Pairs::Block { .. } = pairs {
            one.resize(line.positions, Pack::zero());
            two.resize(line.positions, Pack::zero());
        }
        let width = line.positions.max(1);
        let ends = matches!((pairs, line.extent), (Pairs::Block { .. }, Extent::All));
        let last = one.len().max(1) - 1;
        wide(
            #[inline(always)]
            || {
                let lines = line.nngp.iter_mut().zip(&mut line.ntk);
                let rest = slopes.iter().zip(&before.ntk);
                for (number, ((aq, at), (of, &t))) in lines.zip(rest).enumerate() {
                    by_lanes();
                    let [first, second] = match ends {
                        true => [number / width, number % width],
                        false => [number.min(last), number],
                    };
                    let moved = *at * t;
                    let by = |k: usize| aq.mul_add(of.kernel_by[k], moved * of.derivative_by[k]);
                    let (first, second) = (&mut one[first], &mut two[second]);
                    *first = *first + by(0);
                    *second = *second + by(1);
                    *aq = by(2);
                    *at = *at * of.derivative;
                }
            },
        );
        match pairs {
            Pairs::Row { .. } | Pairs::Block { own: false, .. } => {}
            Pairs::Own { .. } => {
                let given = packs(&self.given[site.index]);
                line.nngp
                    .iter_mut()
                    .zip(given)
                    .for_each(|(to, v)| *to = *to + v);
            }
            Pairs::Block { own: true, .. } => {
                let mut given = self.given[site.index].clone();
                given.resize(line.positions * GROUP, T::zero());
                add_sides(&own_one, &own_two, [&mut given, &mut []]);
                means(site, &mut given);
                let step = match line.extent {
                    Extent::All => line.positions + 1,
                    Extent::Diagonal => 1,
                };
                let places = line.nngp.iter_mut().step_by(step);
                for (pack, four) in places.zip(given.chunks_exact(GROUP)) {
                    for (i, &v) in four.iter().enumerate() {
                        pack.0[lane(i)] += v;
                    }
                }
            }
        }
    }
}

/// Adds the derivatives by the variances of both sides of a block, a pack for each position, to those of
/// each sample, `[position][sample]`; where there is one list, to that.
pub(super) fn add_sides<T: Real>(one: &[Pack<T>], two: &[Pack<T>], to: [&mut [T]; 2]) {
    let [first, second] = to;
    for (position, pack) in one.iter().enumerate() {
        for (lane, &v) in pack.0.iter().enumerate() {
            first[position * GROUP + lane / GROUP] += v;
        }
    }
    for (position, pack) in two.iter().enumerate() {
        for (lane, &v) in pack.0.iter().enumerate() {
            let at = position * GROUP + lane % GROUP;
            match second.is_empty() {
                true => first[at] += v,
                false => second[at] += v,
            }
        }
    }
}
