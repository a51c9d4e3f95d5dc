//! The NTK layer by layer.
//!
//! At a layer `z = w_scale P W + b_scale b` with patches `p` and signals `s` (derivatives of one
//! output by `z`) at each position, the Jacobian by `W` is `w_scale sum_r p_r^T s_r`, and its
//! product with another sample's is
//!
//! ```text
//! w_scale^2 sum_(r r') (p_r . p'_r') (s_r . s'_r')
//! ```
//!
//! One position makes that a product of two Gram matrices. With more, either the Gram matrices
//! over positions are formed, or the layer's Jacobian of a block of samples, whichever needs
//! fewer operations. The bias adds `b_scale^2 (sum_r s_r) . (sum_r s'_r)`.

use super::Trace;
use super::factors::{Factor, Form, JacobianSite, factors};
use super::needs::Needs;
use crate::compiled::Scalar;
use crate::model::{Model, ModelError};
use crate::rows::Part;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, Zip, s};
use ntk_linalg::observer::Observer;
use ntk_linalg::{Real, gemm, mirror_lower, syrk, threads};
use rayon::prelude::*;

/// Rows and columns of Gram matrices that are formed at a time.
const TILE: usize = 128;

pub(super) fn ntk<'x, T: Scalar>(
    model: &Model<T>,
    x1: Part<'x, T>,
    x2: Option<Part<'x, T>>,
    trace: Trace,
    observer: &dyn Observer,
) -> Result<Array2<T>, ModelError> {
    let outputs = model.outputs();
    let (n, m) = (x1.len(), x2.as_ref().map_or(x1.len(), Part::len));
    let side = trace.side(outputs);
    if n == 0 || m == 0 {
        return Ok(Array2::zeros((n * side, m * side)));
    }
    let symmetric = x2.is_none();
    let needs = Needs::new(model, x1.of(0..1), (n, (!symmetric).then_some(m)), trace);
    needs.check()?;
    let Needs { sites, block, .. } = needs;
    let mut kernel = Array2::zeros((n * side, m * side));
    let columns = x2.unwrap_or(x1);
    let known = |x: &Part<'_, T>, first: usize| {
        let part = x.of(first..x.len().min(first + block));
        factors(model, &sites, part, observer)
    };
    let blocks = |n: usize| n.div_ceil(block);
    let work = match symmetric {
        true => (1..=blocks(n)).sum::<usize>(),
        false => blocks(n) * (1 + blocks(m)),
    };
    observer.begin("empirical kernel", (work * block.min(n)) as u64);
    for top in (0..n).step_by(block) {
        let one = known(&x1, top)?;
        let end = if symmetric { top + 1 } else { m };
        for left in (0..end).step_by(block) {
            let own = symmetric && left == top;
            let two = match own {
                true => None,
                false => Some(known(&columns, left)?),
            };
            let (bottom, right) = (n.min(top + block), m.min(left + block));
            let mut kernel =
                kernel.slice_mut(s![top * side..bottom * side, left * side..right * side]);
            let pair = Pair {
                one: &one,
                two: two.as_deref(),
                outputs,
                trace,
                alone: true,
            };
            pair.add(&sites, observer, kernel.view_mut())?;
        }
    }
    if symmetric {
        mirror_lower(&mut kernel).expect(SQUARE);
    }
    Ok(kernel)
}

/// The factors of two blocks of samples, by site.
pub(super) struct Pair<'a, T> {
    pub(super) one: &'a [Factor<T>],
    /// The other block; `None` for the same one, of whose kernel the lower half is enough.
    pub(super) two: Option<&'a [Factor<T>]>,
    pub(super) outputs: usize,
    pub(super) trace: Trace,
    /// Whether no other pair is at work, so that products may use all threads.
    pub(super) alone: bool,
}

impl<T: Scalar> Pair<'_, T> {
    /// Adds the kernel of both blocks.
    pub(super) fn add(
        &self,
        sites: &[JacobianSite],
        observer: &dyn Observer,
        mut kernel: ArrayViewMut2<'_, T>,
    ) -> Result<(), ModelError> {
        for (number, site) in sites.iter().enumerate() {
            observer.check()?;
            let pair = BlockPair {
                site,
                one: &self.one[number],
                two: self.two.map(|two| &two[number]),
                outputs: self.outputs,
                trace: self.trace,
                alone: self.alone,
            };
            pair.add(kernel.view_mut());
        }
        Ok(())
    }
}

/// One layer's part of the kernel of two blocks of samples.
struct BlockPair<'a, T> {
    site: &'a JacobianSite,
    one: &'a Factor<T>,
    /// The other block; `None` for the same one, of whose kernel the lower half is enough.
    two: Option<&'a Factor<T>>,
    outputs: usize,
    trace: Trace,
    alone: bool,
}

impl<'a, T: Scalar> BlockPair<'a, T> {
    fn add(&self, mut kernel: ArrayViewMut2<'_, T>) {
        match self.site.form {
            Form::Product => self.product(kernel),
            Form::Rows => {
                self.gram(|factor| &factor.signals, kernel.view_mut());
                self.gram(|factor| &factor.biases, kernel);
            }
            Form::Positions => {
                self.positions(kernel.view_mut());
                self.gram(|factor| &factor.biases, kernel);
            }
        }
    }

    /// Returns the factor of what rows of samples and outputs add to the kernel.
    fn weight(&self) -> T {
        match self.trace {
            Trace::Traced => T::of(1.0 / self.outputs as f64),
            Trace::Full => T::one(),
        }
    }

    /// Turns rows by sample and output into rows of the kernel.
    fn by_row<'b>(&self, a: &'b Array2<T>) -> ArrayView2<'b, T> {
        match self.trace {
            Trace::Full => a.view(),
            Trace::Traced => a
                .view()
                .into_shape_with_order((a.nrows() / self.outputs, a.ncols() * self.outputs))
                .expect("rows by sample, then output"),
        }
    }

    /// Adds the Gram matrix of rows by sample and output.
    fn gram(&self, rows: impl Fn(&Factor<T>) -> &Array2<T>, mut kernel: ArrayViewMut2<'_, T>) {
        let one = rows(self.one);
        if one.is_empty() {
            return;
        }
        let (weight, one) = (self.weight(), self.by_row(one));
        let two = self.two.map(|two| self.by_row(rows(two)));
        let mut product = || match two {
            None => syrk(weight, &one, T::one(), &mut kernel),
            Some(two) => gemm(weight, &one, &two.t(), T::one(), &mut kernel),
        };
        match self.alone {
            true => threads::whole_pool(product),
            false => product(),
        }
        .expect(FIT);
    }

    /// Adds the product of the Gram matrices of inputs and signals, tile by tile.
    fn product(&self, mut kernel: ArrayViewMut2<'_, T>) {
        let site = self.site;
        let two = self.two.unwrap_or(self.one);
        let side = self.trace.side(self.outputs);
        let by_row = |signals: &'a Array2<T>| match site.shared {
            Some(_) => signals.view(),
            None => self.by_row(signals),
        };
        let (one_s, two_s) = (by_row(&self.one.signals), by_row(&two.signals));
        let (one_a, two_a) = (self.one.patches.view(), two.patches.view());
        let b2 = T::of(site.place.b_scale.powi(2));
        let m = two_a.nrows();
        let step = (TILE / side).max(1);
        let rows: Vec<_> = kernel.axis_chunks_iter_mut(Axis(0), step * side).collect();
        // Of a lower half the longest rows first, so that short ones fill up the end.
        let rows = rows.into_par_iter().enumerate().rev().with_max_len(1);
        rows.for_each(|(number, mut kernel)| {
            let (top, rows) = (number * step, kernel.nrows() / side);
            let end = if self.two.is_none() { top + rows } else { m };
            let a = one_a.slice(s![top..top + rows, ..]);
            let signal = one_s.slice(s![top * side..(top + rows) * side, ..]);
            let (mut inputs, mut signals) = (
                Array2::zeros((rows, step.min(m))),
                Array2::zeros((rows * side, step.min(m) * side)),
            );
            for left in (0..end).step_by(step) {
                let right = end.min(left + step);
                let width = right - left;
                let mut inputs = inputs.slice_mut(s![.., ..width]);
                let mut signals = signals.slice_mut(s![.., ..width * side]);
                let b = two_a.slice(s![left..right, ..]);
                site.inputs(&a, &b, &mut inputs);
                let other = two_s.slice(s![left * side..right * side, ..]);
                let weight = self.weight();
                gemm(weight, &signal, &other.t(), T::zero(), &mut signals).expect(FIT);
                let mut kernel = kernel.slice_mut(s![.., left * side..right * side]);
                for ((row, mut kernel), signals) in kernel
                    .rows_mut()
                    .into_iter()
                    .enumerate()
                    .zip(signals.rows())
                {
                    let inputs = inputs.row(row / side);
                    let parts = (kernel.as_slice_mut(), inputs.as_slice(), signals.as_slice());
                    let (Some(kernel), Some(inputs), Some(signals)) = parts else {
                        unreachable!("rows of arrays in standard layout");
                    };
                    if side == 1 {
                        for ((k, &a), &s) in kernel.iter_mut().zip(inputs).zip(signals) {
                            *k += (a + b2) * s;
                        }
                        continue;
                    }
                    let blocks = kernel
                        .chunks_exact_mut(side)
                        .zip(signals.chunks_exact(side));
                    for ((kernel, signals), &a) in blocks.zip(inputs) {
                        let a = a + b2;
                        for (k, &s) in kernel.iter_mut().zip(signals) {
                            *k += a * s;
                        }
                    }
                }
            }
        });
    }

    /// Adds the sum over pairs of positions of the products of both Gram matrices.
    fn positions(&self, mut kernel: ArrayViewMut2<'_, T>) {
        let (p, o) = (self.site.place.positions, self.outputs);
        let two = self.two.unwrap_or(self.one);
        let weight = Real::to_f64(self.weight());
        let side = self.trace.side(o);
        let rows: Vec<_> = kernel.axis_chunks_iter_mut(Axis(0), side).collect();
        rows.into_par_iter()
            .enumerate()
            .for_each(|(i, mut kernel)| {
                let samples = if self.two.is_none() {
                    i + 1
                } else {
                    kernel.ncols() / side
                };
                let a = self.one.patches.slice(s![i * p..(i + 1) * p, ..]);
                let s1 = self.one.signals.slice(s![i * o * p..(i + 1) * o * p, ..]);
                // All that is ever held of the signals' Gram matrix: one output's rows, and of the
                // other sample those of the same output, or of every output where all pairs count.
                let across = side;
                let (mut inputs, mut signals) =
                    (Array2::zeros((p, p)), Array2::zeros((p, across * p)));
                for j in 0..samples {
                    let b = two.patches.slice(s![j * p..(j + 1) * p, ..]);
                    let s2 = two.signals.slice(s![j * o * p..(j + 1) * o * p, ..]);
                    self.site.inputs(&a, &b, &mut inputs.view_mut());
                    for c in 0..o {
                        let first = match self.trace {
                            Trace::Full => 0,
                            Trace::Traced => c,
                        };
                        let others = s![first * p..(first + across) * p, ..];
                        gemm(
                            T::one(),
                            &s1.slice(s![c * p..(c + 1) * p, ..]),
                            &s2.slice(others).t(),
                            T::zero(),
                            &mut signals,
                        )
                        .expect(FIT);
                        for d in 0..across {
                            let part = signals.slice(s![.., d * p..(d + 1) * p]);
                            let to = &mut kernel[[c.min(side - 1), j * side + d]];
                            *to += T::of(weight * inner(inputs.view(), part));
                        }
                    }
                }
            });
    }
}

/// Sums the products of all entries, in f64: the positions' pairs may be millions.
fn inner<T: Scalar>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> f64 {
    Zip::from(a)
        .and(b)
        .fold(0.0, |sum, &a, &b| sum + Real::to_f64(a) * Real::to_f64(b))
}

const SQUARE: &str = "the kernel of samples with themselves is square";
const FIT: &str = "both blocks are of one model";
