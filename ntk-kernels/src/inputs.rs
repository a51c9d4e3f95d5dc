//! Samples, with the masks and graphs that belong to them.

use crate::structure::Structure;
use ndarray::{ArrayBase, ArrayRef, ArrayViewD, Axis, Data, Dimension};
use std::borrow::Cow;
use std::ops::Range;

/// `Inputs` are samples (n, ...), with the masks and graphs that belong to them where there are any. A
/// reference to an array makes those without: `estimator.fit(&x, &y)`.
///
/// ```
/// use ndarray::{Array, array, s};
/// use ntk_kernels::network::{Network, conv, dense, global_avg_pool, relu};
/// use ntk_kernels::{Inputs, KernelRidge, Structure};
///
/// let network = Network::new()
///     .then(conv([3]).same()).then(relu()).then(global_avg_pool()).then(dense());
/// let x = Array::from_shape_fn((2, 4, 3), |(n, p, _)| (n + p) as f64); // samples, length, channels
/// // The second sequence has two elements; the rest is padding, whatever its numbers are.
/// let lengths = Structure::of_mask(&array![[false; 4], [false, false, true, true]]);
/// let fitted = KernelRidge::new(&network)
///     .fit(Inputs::new(&x).structure(&lengths), &array![1.0, -1.0])?;
/// // Samples to predict at have masks of their own.
/// let mut z = x.slice(s![1.., .., ..]).to_owned();
/// z.slice_mut(s![.., 2.., ..]).fill(7.0);
/// let length = Structure::of_mask(&array![[false, false, true, true]]);
/// let predicted = fitted.predict(Inputs::new(&z).structure(&length))?;
/// assert!((predicted[[0, 0]] + 1.0).abs() < 1e-9); // the second sequence again
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Inputs<'a, T> {
    /// The samples, (n, ...).
    pub x: ArrayViewD<'a, T>,
    /// The masks and graphs of the samples; empty where they have none.
    pub structure: Cow<'a, Structure>,
}

impl<'a, T> Inputs<'a, T> {
    /// Makes inputs of samples (n, ...) without masks and graphs.
    pub fn new<D: Dimension>(x: &'a ArrayRef<T, D>) -> Self {
        x.view().into_dyn().into()
    }

    /// Sets the masks and graphs of the samples.
    pub fn structure(mut self, structure: &'a Structure) -> Self {
        self.structure = Cow::Borrowed(structure);
        self
    }

    /// Returns the samples of a range with their masks and graphs; `None` where some do not exist.
    ///
    /// It views the samples, and copies their masks and graphs.
    #[must_use]
    pub fn slice(&self, samples: Range<usize>) -> Option<Inputs<'_, T>> {
        let &n = self.x.shape().first()?;
        if samples.start > samples.end || samples.end > n {
            return None;
        }
        Some(Inputs {
            structure: Cow::Owned(self.structure.of_samples(samples.clone())?),
            x: self.x.slice_axis(Axis(0), samples.into()),
        })
    }

    /// Returns a view of the same samples, masks and graphs.
    pub fn view(&self) -> Inputs<'_, T> {
        Inputs {
            x: self.x.view(),
            structure: Cow::Borrowed(&self.structure),
        }
    }
}

impl<'a, T> From<ArrayViewD<'a, T>> for Inputs<'a, T> {
    fn from(x: ArrayViewD<'a, T>) -> Self {
        let structure = Cow::Owned(Structure::default());
        Self { x, structure }
    }
}

impl<'a, T, D: Dimension> From<&'a ArrayRef<T, D>> for Inputs<'a, T> {
    fn from(x: &'a ArrayRef<T, D>) -> Self {
        Self::new(x)
    }
}

impl<'a, T, S: Data<Elem = T>, D: Dimension> From<&'a ArrayBase<S, D>> for Inputs<'a, T> {
    fn from(x: &'a ArrayBase<S, D>) -> Self {
        Self::new(x)
    }
}
