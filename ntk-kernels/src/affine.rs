//! Describes what the weights of a layer do to covariances.

use crate::pack::Pack;
use ntk_linalg::Real;

/// An `Affine` map takes covariances to `nngp' = scale A(nngp) + shift`, `ntk' = before A(nngp) +
/// after nngp' + scale A(ntk) + constant`, with `A` the sum over a filter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Affine {
    pub(crate) scale: f64,
    pub(crate) shift: f64,
    pub(crate) before: f64,
    pub(crate) after: f64,
    pub(crate) constant: f64,
    /// What the numbers depend on; `None` where on nothing that kernels are differentiated by.
    pub(crate) by: Option<Deviations>,
}

/// `Deviations` say how an [`Affine`] depends on the standard deviations of a layer's weights and biases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Deviations {
    /// The number of the weights' deviation among the network's hyperparameters; that of the biases
    /// follows it.
    pub(crate) number: usize,
    /// The derivative of `scale` by the weights' deviation.
    pub(crate) scale: f64,
    /// The derivative of `shift` by the biases', where there are some.
    pub(crate) shift: Option<f64>,
}

/// [`Affine`] in the element type.
#[derive(Clone, Copy)]
pub(crate) struct AffinePack<T> {
    pub(crate) scale: Pack<T>,
    shift: Pack<T>,
    pub(crate) before: Pack<T>,
    pub(crate) after: Pack<T>,
    constant: Pack<T>,
    /// Whether the map is that of the NTK parameterisation: `after` is 1, `before` and `constant`
    /// are 0.
    pub(crate) plain: bool,
}

impl<T: Real> AffinePack<T> {
    #[inline(always)]
    pub(crate) fn nngp(&self, q: Pack<T>) -> Pack<T> {
        q.mul_add(self.scale, self.shift)
    }

    /// Computes the NTK where the map is [`AffinePack::plain`], from it and the NNGP after.
    #[inline(always)]
    pub(crate) fn plain_ntk(&self, next: Pack<T>, t: Pack<T>) -> Pack<T> {
        t.mul_add(self.scale, next)
    }

    /// Computes the NTK from it and the NNGP before and after.
    #[inline(always)]
    pub(crate) fn ntk(&self, q: Pack<T>, next: Pack<T>, t: Pack<T>) -> Pack<T> {
        let own = q.mul_add(self.before, next.mul_add(self.after, self.constant));
        t.mul_add(self.scale, own)
    }
}

impl Affine {
    pub(crate) const IDENTITY: Self = Self {
        scale: 1.0,
        shift: 0.0,
        before: 0.0,
        after: 0.0,
        constant: 0.0,
        by: None,
    };

    /// `SCALE_AND_SHIFT` is a trained scale and shift, 1 and 0 at first, before layers with weights: their
    /// gradients add the NNGP and 1 to the NTK.
    pub(crate) const SCALE_AND_SHIFT: Self = Self {
        after: 1.0,
        constant: 1.0,
        ..Self::IDENTITY
    };

    /// Makes the map that multiplies both kernels by `scale`, and adds `before` times the NNGP before
    /// to the NTK.
    pub(crate) fn onto_ntk(scale: f64, before: f64) -> Self {
        Self {
            scale,
            before,
            ..Self::IDENTITY
        }
    }

    /// Makes the map that multiplies both kernels by a number.
    pub(crate) fn factor(scale: f64) -> Self {
        Self {
            scale,
            ..Self::IDENTITY
        }
    }

    #[inline(always)]
    pub(crate) fn pack<T: Real>(&self) -> AffinePack<T> {
        AffinePack {
            scale: Pack::of(self.scale),
            shift: Pack::of(self.shift),
            before: Pack::of(self.before),
            after: Pack::of(self.after),
            constant: Pack::of(self.constant),
            plain: self.after == 1.0 && self.before == 0.0 && self.constant == 0.0,
        }
    }

    /// Maps one covariance and its NTK, rounded as in a pack, so that a sample and its copy stay
    /// equal.
    pub(crate) fn apply<T: Real>(&self, q: T, t: T) -> (T, T) {
        let [scale, shift, before, after, constant] = [
            self.scale,
            self.shift,
            self.before,
            self.after,
            self.constant,
        ]
        .map(T::of);
        let next = q.mul_add(scale, shift);
        let own = q.mul_add(before, next.mul_add(after, constant));
        (next, t.mul_add(scale, own))
    }
}
