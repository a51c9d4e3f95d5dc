//! The derivative of the loss by every parameter, and of any product with the outputs.

use crate::Loss;
use crate::compiled::Scalar;
use crate::layers::{FiniteLayer, ForwardPass, Linear, Saved};
use crate::model::{Model, ModelError, check_memory, saturating};
use crate::rows::Part;
use crate::tensor::Memory;
use ndarray::{Array2, ArrayRef2, ArrayView2, ArrayViewMut2, s};
use ntk_kernels::Inputs;
use rayon::prelude::*;

impl<T: Scalar> Model<T> {
    /// Computes the loss on one batch (n, ...) with targets (n, outputs), and its derivative by
    /// every parameter. Dropout is switched off.
    ///
    /// Cost: three times that of [`Model::forward`].
    ///
    /// # Errors
    /// [`ModelError`] where shapes do not fit.
    pub fn gradient<'x>(
        &self,
        x: impl Into<Inputs<'x, T>>,
        y: &ArrayRef2<T>,
        loss: Loss,
    ) -> Result<(f64, Vec<Array2<T>>), ModelError> {
        T::gradient(self, x.into(), y.view(), loss)
    }

    /// Computes [`Model::gradient`] on rows that fit, with the masks of this seed.
    pub(crate) fn batch_gradient(
        &self,
        part: Part<'_, T>,
        y: ArrayView2<'_, T>,
        loss: Loss,
        masks: Option<u64>,
    ) -> (f64, Vec<Array2<T>>) {
        let mut gradient = Gradient::new(self);
        let value = self.gradient_into(part, y, loss, masks, &mut gradient);
        (value, gradient.arrays(self))
    }

    /// Computes the same into memory that is used again from step to step.
    pub(crate) fn gradient_into(
        &self,
        part: Part<'_, T>,
        y: ArrayView2<'_, T>,
        loss: Loss,
        masks: Option<u64>,
        gradient: &mut Gradient<T>,
    ) -> f64 {
        let n = y.nrows();
        self.back_into(part, masks, gradient, |first, z| {
            let y = y.slice(s![first..first + z.nrows(), ..]);
            loss.part(&z, &y, n).expect("a target for every output")
        })
    }

    /// Refuses the gradients of so many samples' pieces where they need more memory than there is.
    fn check_gradients(&self, samples: usize) -> Result<(), ModelError> {
        let pieces = samples.div_ceil(self.piece());
        check_memory(saturating([pieces, self.parameter_count(), size_of::<T>()]))
    }

    /// Propagates back what `signal` makes of the outputs of some samples, after the first of
    /// their numbers; gives the sum of the values that it gives beside it.
    pub(crate) fn back_into(
        &self,
        part: Part<'_, T>,
        masks: Option<u64>,
        gradient: &mut Gradient<T>,
        signal: impl Fn(usize, ArrayView2<'_, T>) -> (f64, Array2<T>) + Sync,
    ) -> f64 {
        let theta = self.theta();
        let pass = ForwardPass {
            masks,
            ..ForwardPass::SAVED
        };
        let start = part.first;
        let work = |part: Part<'_, T>, into: &mut Vec<Memory<T>>| {
            let pass = part.pass(pass);
            let (z, saved) = self.sequence().forward(&theta, part.x.to_owned(), pass);
            let (value, signal) = signal(part.first - start, z.view());
            self.pull_back(&theta, &saved, signal, into);
            value
        };
        let (n, samples) = (part.len(), self.piece());
        if n <= samples {
            return match n {
                0 => {
                    let total = gradient.total.iter_mut();
                    total.for_each(|g| T::numbers_mut(g).fill(T::zero()));
                    0.0
                }
                _ => work(part, &mut gradient.total),
            };
        }
        let pieces = n.div_ceil(samples);
        gradient
            .parts
            .resize_with(pieces.max(gradient.parts.len()), || {
                Gradient::new(self).total
            });
        let values: Vec<f64> = gradient.parts[..pieces]
            .par_iter_mut()
            .enumerate()
            .map(|(piece, into)| {
                let first = piece * samples;
                work(part.of(first..n.min(first + samples)), into)
            })
            .collect();
        let (total, parts) = (&mut gradient.total, &gradient.parts[..pieces]);
        total
            .par_iter_mut()
            .enumerate()
            .for_each(|(number, total)| {
                let total = T::numbers_mut(total);
                total.copy_from_slice(T::numbers(&parts[0][number]));
                for part in &parts[1..] {
                    for (total, &more) in total.iter_mut().zip(T::numbers(&part[number])) {
                        *total += more;
                    }
                }
            });
        values.iter().sum()
    }

    fn pull_back(
        &self,
        theta: &[ArrayView2<'_, T>],
        saved: &Saved<T>,
        signal: Array2<T>,
        into: &mut [Memory<T>],
    ) {
        let both = into.iter_mut().zip(self.graph().parameters());
        let mut all: Vec<_> = both
            .map(|(g, p)| {
                ArrayViewMut2::from_shape(p.shape, T::numbers_mut(g)).expect("its length")
            })
            .collect();
        let mut visit = |linear: Linear<'_, T>| linear.gradient(&mut all);
        self.sequence()
            .adjoint(theta, saved, signal, false, &mut visit);
    }
}

/// [`Model::gradient`].
pub(crate) fn gradient<T: Scalar>(
    model: &Model<T>,
    x: Inputs<'_, T>,
    y: ArrayView2<'_, T>,
    loss: Loss,
) -> Result<(f64, Vec<Array2<T>>), ModelError> {
    let rows = model.rows(x)?;
    model.check_targets(rows.len(), y)?;
    model.check_gradients(rows.len())?;
    Ok(model.batch_gradient(rows.all(), y, loss, None))
}

/// [`Model::vjp`].
pub(crate) fn vjp<T: Scalar>(
    model: &Model<T>,
    x: Inputs<'_, T>,
    cotangent: ArrayView2<'_, T>,
) -> Result<Vec<Array2<T>>, ModelError> {
    let rows = model.rows(x)?;
    model.check_targets(rows.len(), cotangent)?;
    model.check_gradients(rows.len())?;
    let mut gradient = Gradient::new(model);
    model.back_into(rows.all(), None, &mut gradient, |first, z| {
        let signal = cotangent.slice(s![first..first + z.nrows(), ..]);
        (0.0, signal.to_owned())
    });
    Ok(gradient.arrays(model))
}

/// Memory for gradients.
pub(crate) struct Gradient<T: Scalar> {
    /// The gradient by each parameter, row by row.
    pub(crate) total: Vec<Memory<T>>,
    /// The gradients of pieces of a batch.
    parts: Vec<Vec<Memory<T>>>,
}

impl<T: Scalar> Gradient<T> {
    pub(crate) fn new(model: &Model<T>) -> Self {
        Self::of(model.lengths())
    }

    /// Makes memory for parameters of so many numbers.
    pub(crate) fn of(lengths: impl Iterator<Item = usize>) -> Self {
        Self {
            total: lengths.map(T::memory).collect(),
            parts: Vec::new(),
        }
    }

    pub(crate) fn arrays(&self, model: &Model<T>) -> Vec<Array2<T>> {
        let both = self.total.iter().zip(model.graph().parameters());
        both.map(|(g, p)| {
            Array2::from_shape_vec(p.shape, T::numbers(g).to_vec()).expect("its length")
        })
        .collect()
    }
}
