//! Differentiates kernels, by hyperparameters and by inputs.
//!
//! Every layer takes the covariance `q` and the tangent kernel `t` of a pair of samples, and the
//! variances `q1` and `q2` of the two, to those after it, and has the derivatives
//!
//! ```text
//! weights:     q' = s q + c,  t' = s t + before q + after q' + constant,  s = w_std^2, c = b_std^2
//! activation:  dK = K_1 dq1 + K_2 dq2 + D dq + K_p dp
//!              d(D t) = D dt + t (D_1 dq1 + D_2 dq2 + D_q dq + D_p dp)
//! ```
//!
//! with the partial derivatives of [`crate::dual`]. Derivatives by few numbers, the hyperparameters, go
//! with the kernel from input to output; those of one number, the sum of the kernel's entries each times
//! a weight, go back from output to input, so that all inputs and hyperparameters take one pass. Samples
//! with themselves take their variances along.

mod adjoint;
mod blocks;
mod compiled;
mod layers;
mod line;
mod plane;
mod route;
mod shape;
mod site;
mod tangent;
mod tape;
mod vectors;

use super::kernel_fn::{KernelFn, Precision};
use super::program::{Mix, Program, Site, SiteMap, Step};
use super::{Input, Inputs, Kernel, KernelError, Kernels};
use crate::network::{HyperparameterError, Hyperparameters, Network};
use ndarray::{Array2, ArrayD, ArrayRef, ArrayRef2, Dimension, IxDyn};
use ntk_linalg::Real;
use thiserror::Error;

/// `KernelGradients` holds both kernels and their derivatives by hyperparameters;
/// [`Network::kernels_with_gradients`] computes it.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelGradients<T> {
    /// The kernels.
    pub kernels: Kernels<T>,
    /// The names of the hyperparameters.
    pub names: Vec<String>,
    /// The derivatives of both kernels by each of them.
    pub by: Vec<Kernels<T>>,
}

/// A `GradientError` says why kernels cannot be differentiated.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum GradientError {
    /// The kernel cannot be computed.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The hyperparameters are not those of the network.
    #[error(transparent)]
    Hyperparameter(#[from] HyperparameterError),
    /// The matrix of weights has another shape than the kernel.
    #[error(
        "the derivatives of a kernel are contracted with one weight an entry: expected a matrix of shape {expected:?}, found {found:?}"
    )]
    Weights {
        /// The shape of the kernel.
        expected: (usize, usize),
        /// The shape of the weights.
        found: (usize, usize),
    },
    /// A weight is NaN or infinite.
    #[error("the weight of entry {index:?} is {value}; give finite weights")]
    NonFinite {
        /// The row and column of the first such weight.
        index: (usize, usize),
        /// The value of the weight.
        value: f64,
    },
    /// The derivatives of a layer are not known.
    #[error("{path}: {reason}")]
    NotKnown {
        /// The path and name of the layer.
        path: String,
        /// The reason, and what to do.
        reason: String,
    },
    /// A derivative is beyond the numbers of its element type.
    #[error(
        "the derivative by {by} is {value}, beyond {precision}; bring the samples, w_std, b_std and the weights nearer to 1, or compute in f64"
    )]
    Overflow {
        /// What the kernel was differentiated by.
        by: String,
        /// The value, NaN or infinite.
        value: f64,
        /// The element type, `"f32"` or `"f64"`.
        precision: &'static str,
    },
}

/// Both kernels, and their derivatives by groups of hyperparameters.
struct Derivatives<T> {
    kernels: Kernels<T>,
    by: Vec<Kernels<T>>,
}

/// The derivatives of a kernel, contracted with a matrix.
struct Contracted<T> {
    hyperparameters: Vec<f64>,
    x1: Option<Array2<T>>,
    x2: Option<Array2<T>>,
}

impl<P> KernelFn<'_, P> {
    /// Computes both kernels of `x` with itself, and their derivatives by hyperparameters; see
    /// [`Network::kernels_with_gradients`].
    ///
    /// # Errors
    /// Fails as [`Network::kernels_with_gradients`] does.
    pub fn kernels_with_gradients<T: Real, D: Dimension>(
        &self,
        chosen: &Hyperparameters,
        x: &ArrayRef<T, D>,
    ) -> Result<KernelGradients<P::Output>, GradientError>
    where
        P: Precision<T>,
    {
        self.with_inputs(x, None::<&ArrayRef<T, D>>, |inputs| {
            self.derivatives(chosen, inputs)
        })
    }

    /// Computes both kernels of `x1` (rows) with `x2` (columns), and their derivatives by
    /// hyperparameters.
    ///
    /// # Errors
    /// Fails as [`Network::kernels_with_gradients`] does.
    pub fn kernels_with_gradients_between<T: Real, D: Dimension, E: Dimension>(
        &self,
        chosen: &Hyperparameters,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
    ) -> Result<KernelGradients<P::Output>, GradientError>
    where
        P: Precision<T>,
    {
        self.with_inputs(x1, Some(x2), |inputs| self.derivatives(chosen, inputs))
    }

    /// Computes the derivatives of `sum_ij weights_ij K_ij` by hyperparameters, K the kernel of `x` with
    /// itself; see [`Network::hyperparameter_gradient`].
    ///
    /// # Errors
    /// Fails as [`Network::hyperparameter_gradient`] does.
    pub fn hyperparameter_gradient<T: Real, D: Dimension>(
        &self,
        which: Kernel,
        chosen: &Hyperparameters,
        x: &ArrayRef<T, D>,
        weights: &ArrayRef2<P::Output>,
    ) -> Result<Vec<f64>, GradientError>
    where
        P: Precision<T>,
    {
        chosen.check(self.network)?;
        self.with_inputs(x, None::<&ArrayRef<T, D>>, |inputs| {
            let found = self.contracted((which, weights), inputs, false)?;
            by_chosen(chosen, &found)
        })
    }

    /// Computes the same for the kernel of `x1` (rows) with `x2` (columns).
    ///
    /// # Errors
    /// Fails as [`Network::hyperparameter_gradient`] does.
    pub fn hyperparameter_gradient_between<T: Real, D: Dimension, E: Dimension>(
        &self,
        which: Kernel,
        chosen: &Hyperparameters,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
        weights: &ArrayRef2<P::Output>,
    ) -> Result<Vec<f64>, GradientError>
    where
        P: Precision<T>,
    {
        chosen.check(self.network)?;
        self.with_inputs(x1, Some(x2), |inputs| {
            let found = self.contracted((which, weights), inputs, false)?;
            by_chosen(chosen, &found)
        })
    }

    /// Computes the derivatives of `sum_ij weights_ij K_ij` by the entries of `x`, K the kernel of `x`
    /// with itself; see [`Network::input_gradient`].
    ///
    /// # Errors
    /// Fails as [`Network::input_gradient`] does.
    pub fn input_gradient<T: Real, D: Dimension>(
        &self,
        which: Kernel,
        x: &ArrayRef<T, D>,
        weights: &ArrayRef2<P::Output>,
    ) -> Result<ArrayD<P::Output>, GradientError>
    where
        P: Precision<T>,
    {
        let shape = x.shape();
        self.with_inputs(x, None::<&ArrayRef<T, D>>, |inputs| {
            let found = self.contracted((which, weights), inputs, true)?;
            shaped(found.x1, shape, "x")
        })
    }

    /// Computes the derivatives of `sum_ij weights_ij K_ij` by the entries of `x1` and of `x2`, K the
    /// kernel of `x1` (rows) with `x2` (columns); see [`Network::input_gradient_between`].
    ///
    /// # Errors
    /// Fails as [`Network::input_gradient`] does.
    #[allow(clippy::type_complexity, reason = "one array for each input")]
    pub fn input_gradient_between<T: Real, D: Dimension, E: Dimension>(
        &self,
        which: Kernel,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
        weights: &ArrayRef2<P::Output>,
    ) -> Result<(ArrayD<P::Output>, ArrayD<P::Output>), GradientError>
    where
        P: Precision<T>,
    {
        let shapes = [x1.shape(), x2.shape()];
        // Equal inputs are two all the same: each has its own derivatives.
        self.apart().with_inputs(x1, Some(x2), |inputs| {
            let found = self.contracted((which, weights), inputs, true)?;
            let x1 = shaped(found.x1, shapes[0], "x1")?;
            Ok((x1, shaped(found.x2, shapes[1], "x2")?))
        })
    }

    fn derivatives<T: Real>(
        &self,
        chosen: &Hyperparameters,
        inputs: Inputs<'_, T>,
    ) -> Result<KernelGradients<T>, GradientError> {
        chosen.check(self.network)?;
        let found = compiled::derivatives(self.network, inputs, &chosen.groups(), &self.options())?;
        let names: Vec<String> = chosen.names().into_iter().map(String::from).collect();
        for (name, by) in names.iter().zip(&found.by) {
            for kernel in [&by.nngp, &by.ntk] {
                let columns = kernel.ncols().max(1);
                let pair =
                    |at: usize| format!("{name} of the pair ({}, {})", at / columns, at % columns);
                finite(pair, kernel.as_slice().unwrap_or_default())?;
            }
        }
        Ok(KernelGradients {
            kernels: found.kernels,
            names,
            by: found.by,
        })
    }

    fn contracted<T: Real>(
        &self,
        (which, weights): (Kernel, &ArrayRef2<T>),
        inputs: Inputs<'_, T>,
        by_inputs: bool,
    ) -> Result<Contracted<T>, GradientError> {
        let n = inputs.0.samples();
        let expected = (n, inputs.1.as_ref().map_or(n, Input::samples));
        let found = weights.dim();
        if expected != found {
            return Err(GradientError::Weights { expected, found });
        }
        if let Some((index, value)) = weights.indexed_iter().find(|(_, v)| !v.is_finite()) {
            let value = Real::to_f64(*value);
            return Err(GradientError::NonFinite { index, value });
        }
        let weights = (which, weights.view());
        let inputs = inputs.view();
        compiled::contracted(self.network, inputs, weights, by_inputs, &self.options())
    }
}

/// Sums derivatives by all hyperparameters to those by the chosen; refuses those beyond f64.
fn by_chosen<T: Real>(
    chosen: &Hyperparameters,
    found: &Contracted<T>,
) -> Result<Vec<f64>, GradientError> {
    let all = chosen.sums(&found.hyperparameters);
    for (name, value) in chosen.names().into_iter().zip(&all) {
        finite(|_| name.into(), std::slice::from_ref(value))?;
    }
    Ok(all)
}

/// Gives derivatives by inputs the inputs' shape; refuses those beyond the element type.
fn shaped<T: Real>(
    by_x: Option<Array2<T>>,
    shape: &[usize],
    name: &str,
) -> Result<ArrayD<T>, GradientError> {
    let by_x = by_x.unwrap_or_default();
    let numbers = by_x.ncols().max(1);
    let sample = |at: usize| format!("{name}[{}]", at / numbers);
    finite(sample, by_x.as_slice().unwrap_or_default())?;
    let by_x = by_x.into_shape_with_order(IxDyn(shape));
    Ok(by_x.expect("as many derivatives as there are numbers"))
}

/// Refuses derivatives that are beyond the element type; `by` names what one of this number is by.
fn finite<T: Real>(by: impl Fn(usize) -> String, all: &[T]) -> Result<(), GradientError> {
    const RUN: usize = 256;
    // Without a branch for each number.
    let whole = |run: &[T]| run.iter().fold(true, |ok, v| ok & v.is_finite());
    let Some(run) = all.chunks(RUN).position(|run| !whole(run)) else {
        return Ok(());
    };
    let mut rest = all.iter().enumerate().skip(run * RUN);
    match rest.find(|(_, v)| !v.is_finite()) {
        None => Ok(()),
        Some((at, value)) => Err(GradientError::Overflow {
            by: by(at),
            value: Real::to_f64(*value),
            precision: T::NAME,
        }),
    }
}

/// Refuses programs with a layer whose derivatives are not known, before any work.
fn check(program: &Program, by_inputs: bool) -> Result<(), GradientError> {
    if by_inputs && program.tokens.is_some() {
        return Err(GradientError::NotKnown {
            path: program.last.clone(),
            reason: "kernels have no derivatives by token ids; take those by hyperparameters, or give samples of numbers".into(),
        });
    }
    check_steps(&program.steps)
}

fn check_steps(steps: &[Step]) -> Result<(), GradientError> {
    let known = |site: &Site| match &site.map {
        SiteMap::Activation(activation) if !site.map.has_slopes() => Err(GradientError::NotKnown {
            path: site.path.clone(),
            reason: format!(
                "the derivatives of the kernel of {activation} are not known; give them by dual::closed_form_with_gradient"
            ),
        }),
        SiteMap::Activation(_) | SiteMap::Norm { .. } => Ok(()),
    };
    for step in steps {
        match step {
            Step::Site(site) => known(site)?,
            Step::Mix(Mix::Recurrent(layer)) => known(&layer.site)?,
            Step::Branch { paths, .. } | Step::Stack { paths, .. } => {
                paths.iter().try_for_each(|path| check_steps(path))?;
            }
            Step::Affine(_)
            | Step::Dropout { .. }
            | Step::Mix(
                Mix::Taps(..)
                | Mix::Local(..)
                | Mix::Map(_)
                | Mix::Flatten(..)
                | Mix::Attention(_)
                | Mix::Aggregate(..),
            ) => {}
        }
    }
    Ok(())
}

impl Network {
    /// Computes both kernels of `x` with itself, and their derivatives by hyperparameters, in one pass.
    ///
    /// Derivatives are those of the formulas in closed form, not differences. Where the two samples of a
    /// pair are parallel, as a sample and its multiple are, the tangent kernel has a kink behind
    /// activations with one, and its derivative there is that along parallel samples. Cost: some 8
    /// operations for each pair, layer and hyperparameter beside the kernel; memory: `2 (p + 1) n^2`
    /// numbers. Samples with positions go sixteen pairs
    /// at a time: through convolutions before the first pool one displacement of positions after another,
    /// and after it with covariances of all pairs of positions, `positions^2` packs of sixteen numbers a
    /// layer and thread.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::network::{Hyperparameters, Network, dense, relu};
    ///
    /// let network = Network::new().then(dense().w_std(1.4)).then(relu()).then(dense().w_std(1.4));
    /// let chosen = Hyperparameters::select(&network, &["w_std"])?;
    /// let x = array![[1.0, 0.0], [0.6, 0.8]];
    /// let found = network.kernels_with_gradients(&chosen, &x)?;
    /// // Each of the two layers multiplies the NNGP by w_std^2.
    /// let expected = &found.kernels.nngp * (4.0 / 1.4);
    /// assert!((&found.by[0].nngp - &expected).iter().all(|v: &f64| v.abs() < 1e-12));
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns a [`GradientError`] where the kernel cannot be computed, for hyperparameters of another
    /// network, for layers whose derivatives are not known, and where a derivative overflows.
    pub fn kernels_with_gradients<T: Real, D: Dimension>(
        &self,
        chosen: &Hyperparameters,
        x: &ArrayRef<T, D>,
    ) -> Result<KernelGradients<T>, GradientError> {
        self.kernel_fn().kernels_with_gradients(chosen, x)
    }

    /// Computes the derivatives of `sum_ij weights_ij K_ij` by hyperparameters, K the kernel of `x` with
    /// itself, in the order of their names: with `weights = dL/dK` those of L.
    ///
    /// No matrix is stored for a hyperparameter. Cost: some three times that of the kernel, however many
    /// hyperparameters there are.
    ///
    /// # Errors
    /// Fails as [`Network::kernels_with_gradients`] does; returns [`GradientError::Weights`] and
    /// [`GradientError::NonFinite`] for weights that are not (n, n) finite numbers.
    pub fn hyperparameter_gradient<T: Real, D: Dimension>(
        &self,
        which: Kernel,
        chosen: &Hyperparameters,
        x: &ArrayRef<T, D>,
        weights: &ArrayRef2<T>,
    ) -> Result<Vec<f64>, GradientError> {
        self.kernel_fn()
            .hyperparameter_gradient(which, chosen, x, weights)
    }

    /// Computes the derivatives of `sum_ij weights_ij K_ij` by the entries of `x`, K the kernel of `x`
    /// with itself: with `weights = dL/dK` those of L, in the shape of `x`.
    ///
    /// Cost: that of the kernel and two more products of its size with the inputs; memory: that of the
    /// inputs twice, and a tile for each thread.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::Kernel;
    /// use ntk_kernels::network::{Network, dense};
    ///
    /// let network = Network::new().then(dense()); // K = x . x' / 2
    /// let x = array![[1.0, 2.0], [3.0, -1.0]];
    /// let by_x = network.input_gradient(Kernel::Nngp, &x, &array![[1.0, 0.0], [0.0, 0.0]])?;
    /// assert_eq!(by_x, array![[1.0, 2.0], [0.0, 0.0]].into_dyn());
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails as [`Network::hyperparameter_gradient`] does.
    pub fn input_gradient<T: Real, D: Dimension>(
        &self,
        which: Kernel,
        x: &ArrayRef<T, D>,
        weights: &ArrayRef2<T>,
    ) -> Result<ArrayD<T>, GradientError> {
        self.kernel_fn().input_gradient(which, x, weights)
    }

    /// Computes the derivatives of `sum_ij weights_ij K_ij` by the entries of `x1` and of `x2`, K the
    /// kernel of `x1` (rows) with `x2` (columns), such as that of learned with given samples.
    ///
    /// # Errors
    /// Fails as [`Network::input_gradient`] does.
    #[allow(clippy::type_complexity, reason = "one array for each input")]
    pub fn input_gradient_between<T: Real, D: Dimension, E: Dimension>(
        &self,
        which: Kernel,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
        weights: &ArrayRef2<T>,
    ) -> Result<(ArrayD<T>, ArrayD<T>), GradientError> {
        self.kernel_fn()
            .input_gradient_between(which, x1, x2, weights)
    }
}
