//! Takes derivatives by one hyperparameter from input to output.

use super::super::program::{Site, Step};
use super::super::spatial::lanes::{First, GROUP, Second, own as lane};
use super::super::spatial::spare::Spare;
use super::super::spatial::whole::Op;
use super::super::spatial::whole::field::Extent;
use super::tape::{
    Line, OTHER, Pairs, Record, Tape, dropout, each_parameter, means, others, packs, through,
    weights, widen,
};
use crate::affine::Affine;
use crate::network::Merge;
use crate::pack::{Pack, by_lanes, wide};
use crate::pairs::{Side, Slopes};
use ntk_linalg::Real;

/// The derivatives of the variances at each site by one hyperparameter: of all samples, or of a group's at
/// each position, `[position][sample]`.
pub(super) type Variances<T> = Vec<Vec<T>>;

/// `Tangent` is what derivatives by one hyperparameter are taken with.
pub(super) struct Tangent<'a, T> {
    /// Which of the network's hyperparameters share the value.
    pub(super) numbers: &'a [bool],
    /// The derivatives of the variances of both sides' samples; samples with themselves have none
    /// yet.
    pub(super) known: Option<[&'a Variances<T>; 2]>,
    /// Those that samples with themselves find on the way.
    pub(super) found: Variances<T>,
}

impl<T: Real> Tangent<'_, T> {
    /// Takes derivatives from the input, where they are zero, to the output: to those of both kernels.
    pub(super) fn through(
        &mut self,
        ops: &[Op],
        tape: &Tape<T>,
        pairs: &Pairs<'_, T>,
        line: &mut Line<T>,
        spare: &mut Spare<T>,
    ) {
        for (op, record) in ops.iter().zip(tape) {
            match (op, record) {
                (Op::One(Step::Affine(affine), _), Record::Affine(before)) => {
                    self.affine(affine, before, line);
                }
                (Op::Site(affine, site), Record::Site(first, before, slopes)) => {
                    self.affine(affine, first, line);
                    self.site(site, (before, slopes.as_deref()), pairs, line);
                }
                (Op::One(Step::Dropout { keep }, _), Record::Dropout) => {
                    dropout(*keep, pairs, line);
                }
                (Op::One(Step::Mix(mix), wanted), Record::Mix(_, summed)) => {
                    through(mix, line, spare);
                    if let (Some(affine), Some(summed)) = (weights(mix), summed) {
                        self.affine(affine, summed, line);
                    }
                    widen(mix, *wanted, line);
                }
                (Op::Branch { paths, merge }, Record::Branch(_, records)) => {
                    let mut total: Option<Line<T>> = None;
                    for (number, (path, (tape, _))) in paths.iter().zip(records).enumerate() {
                        let mut end = line.clone().within(path.start);
                        self.through(&path.ops, tape, pairs, &mut end, spare);
                        if let (Merge::Product, Some(by)) = (merge, others(records, number)) {
                            // (q t' + t q')' of this path and the product of the others.
                            for at in 0..end.nngp.len() {
                                let (dq, dt) = (end.nngp[at], end.ntk[at]);
                                end.nngp[at] = dq * by.nngp[at];
                                end.ntk[at] = dt * by.nngp[at] + dq * by.ntk[at];
                            }
                        }
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

    fn affine(&self, affine: &Affine, before: &Line<T>, line: &mut Line<T>) {
        let [by_scale, by_shift] = affine_by(affine, self.numbers).map(Pack::of);
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
    }

    fn site(
        &mut self,
        site: &Site,
        (before, slopes): (&Line<T>, Option<&[Slopes<T>]>),
        pairs: &Pairs<'_, T>,
        line: &mut Line<T>,
    ) {
        let own = parameter_sums(site, pairs, before, self.numbers);
        match *pairs {
            Pairs::Own { len, .. } => {
                let all = line.nngp.iter().flat_map(|pack| pack.0);
                self.found[site.index] = all.take(len).collect();
            }
            Pairs::Block { own: true, .. } => self.found[site.index] = own_variances(site, line),
            Pairs::Row { .. } | Pairs::Block { own: false, .. } => {}
        }
        let computed;
        let slopes = match slopes {
            Some(slopes) => slopes,
            None => {
                computed = super::tape::slopes(site, pairs, before);
                &computed[..]
            }
        };
        let [one, two] = self.variances(site, pairs, slopes.len());
        let width = match line.extent {
            Extent::All => line.positions.max(1),
            Extent::Diagonal => 1,
        };
        let ends = matches!((pairs, line.extent), (Pairs::Block { .. }, Extent::All));
        wide(
            #[inline(always)]
            || {
                let lines = line.nngp.iter_mut().zip(&mut line.ntk);
                let rest = slopes.iter().zip(&before.ntk);
                for (at, ((dq, dt), (of, &t))) in lines.zip(rest).enumerate() {
                    by_lanes();
                    let [first, second] = match ends {
                        true => [at / width, at % width],
                        false => [at, at],
                    };
                    let one = one[first % one.len()];
                    let two = two[second];
                    let along =
                        |by: &[Pack<T>; 3]| by[0].mul_add(one, by[1].mul_add(two, by[2] * *dq));
                    let (next, by) = (along(&of.kernel_by), along(&of.derivative_by));
                    *dt = dt.mul_add(of.derivative, by * t);
                    *dq = next;
                }
            },
        );
        if let Some(own) = own {
            line.add(&own);
        }
    }

    /// Returns the derivatives of the variances of both sides: of each position, or each pack.
    fn variances(&self, site: &Site, pairs: &Pairs<'_, T>, packs_of: usize) -> [Vec<Pack<T>>; 2] {
        let both = |[one, two]: [&Vec<T>; 2]| {
            let [one, two] = [one, two].map(|all| all.chunks_exact(GROUP));
            let one = one.map(|four| First(four).get(0)).collect();
            [one, two.map(|four| Second(four).get(0)).collect()]
        };
        match (*pairs, self.known) {
            (
                Pairs::Row {
                    row, start, len, ..
                },
                Some([one, two]),
            ) => {
                let one = vec![Pack::splat(one[site.index][row])];
                [one, packs(&two[site.index][start..start + len])]
            }
            (Pairs::Block { own: false, .. }, Some([one, two])) => {
                both([&one[site.index], &two[site.index]])
            }
            (Pairs::Block { own: true, .. }, _) => both([&self.found[site.index]; 2]),
            // All of a sample with itself is by its covariance.
            (Pairs::Own { .. }, _)
            | (Pairs::Row { .. } | Pairs::Block { own: false, .. }, None) => {
                let zeros = vec![Pack::zero(); packs_of.max(1)];
                [zeros.clone(), zeros]
            }
        }
    }
}

/// Returns what a line has at each position of the four samples with themselves, `[position][sample]`:
/// at a normalisation over positions the means over these.
fn own_variances<T: Real>(site: &Site, line: &Line<T>) -> Vec<T> {
    let step = match line.extent {
        Extent::All => line.positions + 1,
        Extent::Diagonal => 1,
    };
    let packs = line.nngp.iter().step_by(step);
    let mut all: Vec<T> = packs
        .flat_map(|pack| (0..GROUP).map(|i| pack.0[lane(i)]))
        .collect();
    means(site, &mut all);
    all
}

/// Returns the derivatives of the scale and the shift by the hyperparameters of these numbers.
fn affine_by(affine: &Affine, numbers: &[bool]) -> [f64; 2] {
    let Some(by) = affine.by else {
        return [0.0; 2];
    };
    let scale = if numbers[by.number] { by.scale } else { 0.0 };
    let shift = by.shift.filter(|_| numbers[by.number + 1]);
    [scale, shift.unwrap_or(0.0)]
}

/// Sums the derivatives of both kernels after a site by its activation's parameters of these numbers.
fn parameter_sums<T: Real>(
    site: &Site,
    pairs: &Pairs<'_, T>,
    before: &Line<T>,
    numbers: &[bool],
) -> Option<Line<T>> {
    let first = site.parameters?;
    let count = site.parameter_count();
    let wanted = &numbers[first..first + count];
    if !wanted.contains(&true) {
        return None;
    }
    let mut sums = before.zeros_like();
    each_parameter(
        site,
        pairs,
        before,
        |pack, parameter, (kernel, derivative)| {
            if wanted[parameter] {
                sums.nngp[pack] = sums.nngp[pack] + kernel;
                sums.ntk[pack] = sums.ntk[pack] + derivative * before.ntk[pack];
            }
        },
    );
    Some(sums)
}
