//! The calls that users make: `network.ntk(&x)`, and the same with options.

use super::{
    Diagonal, Input, Inputs, Kernel, KernelError, Kernels, Matrices, Wanted, check_inputs,
    compiled, memory, program, program_of, resolve, sample_shape,
};
use crate::gram::TILE;
use crate::network::{Layer, Network, Shape, flatten};
use crate::structure::Structure;
use ndarray::{Array2, ArrayRef, ArrayViewD, Axis, CowArray, Dimension, IxDyn};
use ntk_linalg::Real;
use ntk_linalg::observer::Observer;
use std::marker::PhantomData;

/// `Native` computes kernels in the element type of the samples.
#[derive(Debug, Clone, Copy)]
pub struct Native;

/// `In<P>` computes kernels in the element type `P`, to which samples are converted first.
#[derive(Debug, Clone, Copy)]
pub struct In<P>(PhantomData<P>);

/// A `Precision` says in which element type the kernels of samples of type `T` are computed.
///
/// A [`KernelFn`] has [`Native`], unless [`KernelFn::precision`] was called.
pub trait Precision<T: Real>: sealed::Sealed {
    /// The element type of the kernel matrices.
    type Output: Real;

    #[doc(hidden)]
    fn convert(x: ArrayViewD<'_, T>) -> Result<CowArray<'_, Self::Output, IxDyn>, KernelError>;
}

mod sealed {
    /// `Sealed` keeps other crates from adding element types.
    pub trait Sealed {}
    impl Sealed for super::Native {}
    impl<P> Sealed for super::In<P> {}
}

impl<T: Real> Precision<T> for Native {
    type Output = T;

    fn convert(x: ArrayViewD<'_, T>) -> Result<CowArray<'_, T, IxDyn>, KernelError> {
        Ok(x.into())
    }
}

impl<T: Real, P: Real> Precision<T> for In<P> {
    type Output = P;

    fn convert(x: ArrayViewD<'_, T>) -> Result<CowArray<'_, P, IxDyn>, KernelError> {
        // A view may have more numbers than memory.
        memory::check(memory::product([x.len(), size_of::<P>()]))?;
        Ok(x.mapv(|v| P::of(Real::to_f64(v))).into())
    }
}

/// The options of a [`KernelFn`] that matter to derivatives.
pub(super) struct Options<'a> {
    pub(super) tile: usize,
    pub(super) observer: &'a dyn Observer,
}

/// A `KernelFn` computes the kernels of a network with options; [`Network::kernel_fn`] makes one.
///
/// ```
/// use ndarray::array;
/// use ntk_kernels::Kernel;
/// use ntk_kernels::network::{Network, dense, relu};
///
/// let network = Network::new().then(dense()).then(relu()).then(dense());
/// let x = array![[1.0, 0.0], [0.6, 0.8]];
/// let k = network.kernel_fn().precision::<f32>().tile(128).ntk(&x)?;
/// assert_eq!(k.dim(), (2, 2)); // an Array2<f32>
/// let same = network.kernel_fn().precision::<f32>().kernel(Kernel::Ntk, &x)?;
/// assert_eq!(k, same);
/// # Ok::<(), ntk_kernels::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct KernelFn<'a, P = Native> {
    pub(crate) network: &'a Network,
    observer: &'a dyn Observer,
    pub(crate) tile: Option<usize>,
    pub(crate) distinct: bool,
    /// The structures of the samples of rows and columns.
    pub(crate) structures: [&'a Structure; 2],
    precision: PhantomData<P>,
}

impl<'a, P> KernelFn<'a, P> {
    /// Reports progress to `observer`, which may also cancel; by default nothing does.
    #[must_use]
    pub fn observer(mut self, observer: &'a dyn Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Computes kernels in tiles of `size` rows and columns.
    ///
    /// By default tiles have 256 rows, which stay in cache, and those of [`KernelFn::tiles`] have
    /// [`ntk_linalg::tiled::TILE`]. Kernels of images and sequences are computed in blocks of
    /// their own, whatever the size.
    #[must_use]
    pub fn tile(mut self, size: usize) -> Self {
        self.tile = Some(size);
        self
    }

    /// Computes in the element type `Q`, `f32` or `f64`, whatever the samples are.
    #[must_use]
    pub fn precision<Q: Real>(self) -> KernelFn<'a, In<Q>> {
        KernelFn {
            network: self.network,
            observer: self.observer,
            tile: self.tile,
            distinct: self.distinct,
            structures: self.structures,
            precision: PhantomData,
        }
    }

    /// Sets the masks and graphs of the samples, of both inputs where there are two.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::Structure;
    /// use ntk_kernels::network::{Network, conv, global_avg_pool};
    ///
    /// let network = Network::new().then(conv([3]).same()).then(global_avg_pool());
    /// let x = array![[[1.0], [2.0], [3.0]]]; // samples, length, channels
    /// let mask = Structure::of_mask(&array![[false, false, true]]);
    /// let masked = network.kernel_fn().structure(&mask).nngp(&x)?;
    /// // Masked positions are zero and not averaged over.
    /// assert!(masked != network.nngp(&x)?);
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    #[must_use]
    pub fn structure(self, structure: &'a Structure) -> Self {
        self.structures(structure, structure)
    }

    /// Sets the masks and graphs of the samples of rows and of those of columns.
    #[must_use]
    pub fn structures(mut self, one: &'a Structure, two: &'a Structure) -> Self {
        self.structures = [one, two];
        self
    }

    /// Takes the samples of two inputs for different ones even where the inputs are equal.
    ///
    /// It matters to dropout, where a sample's kernel with itself is not that with its equal. By
    /// default `ntk_between(&x, &x)` is `ntk(&x)`.
    #[must_use]
    pub fn distinct(mut self) -> Self {
        self.distinct = true;
        self
    }

    /// Computes the Gaussian-process kernel of `x` with itself, (n, n).
    ///
    /// # Errors
    /// Fails as [`Network::ntk`] does.
    pub fn nngp<T: Real, D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
    ) -> Result<Array2<P::Output>, KernelError>
    where
        P: Precision<T>,
    {
        self.kernel(Kernel::Nngp, x)
    }

    /// Computes the neural tangent kernel of `x` with itself, (n, n).
    ///
    /// # Errors
    /// Fails as [`Network::ntk`] does.
    pub fn ntk<T: Real, D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
    ) -> Result<Array2<P::Output>, KernelError>
    where
        P: Precision<T>,
    {
        self.kernel(Kernel::Ntk, x)
    }

    /// Computes the Gaussian-process kernel of `x1` (rows) with `x2` (columns), (n1, n2).
    ///
    /// # Errors
    /// Fails as [`Network::ntk`] does.
    pub fn nngp_between<T: Real, D: Dimension, E: Dimension>(
        &self,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
    ) -> Result<Array2<P::Output>, KernelError>
    where
        P: Precision<T>,
    {
        self.kernel_between(Kernel::Nngp, x1, x2)
    }

    /// Computes the neural tangent kernel of `x1` (rows) with `x2` (columns), (n1, n2).
    ///
    /// # Errors
    /// Fails as [`Network::ntk`] does.
    pub fn ntk_between<T: Real, D: Dimension, E: Dimension>(
        &self,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
    ) -> Result<Array2<P::Output>, KernelError>
    where
        P: Precision<T>,
    {
        self.kernel_between(Kernel::Ntk, x1, x2)
    }

    /// Computes one of the kernels of `x` with itself, (n, n).
    ///
    /// # Errors
    /// Fails as [`Network::ntk`] does.
    pub fn kernel<T: Real, D: Dimension>(
        &self,
        which: Kernel,
        x: &ArrayRef<T, D>,
    ) -> Result<Array2<P::Output>, KernelError>
    where
        P: Precision<T>,
    {
        let found = self.compute(Wanted::One(which), self.samples(x), None)?;
        Ok(found.one(which))
    }

    /// Computes one of the kernels of `x1` (rows) with `x2` (columns), (n1, n2).
    ///
    /// # Errors
    /// Fails as [`Network::ntk`] does.
    pub fn kernel_between<T: Real, D: Dimension, E: Dimension>(
        &self,
        which: Kernel,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
    ) -> Result<Array2<P::Output>, KernelError>
    where
        P: Precision<T>,
    {
        let found = self.compute(Wanted::One(which), self.samples(x1), Some(self.samples(x2)))?;
        Ok(found.one(which))
    }

    /// Computes both kernels of `x` with itself; the second costs little.
    ///
    /// # Errors
    /// Fails as [`Network::ntk`] does.
    pub fn kernels<T: Real, D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
    ) -> Result<Kernels<P::Output>, KernelError>
    where
        P: Precision<T>,
    {
        Ok(self.compute(Wanted::Both, self.samples(x), None)?.both())
    }

    /// Computes both kernels of `x1` (rows) with `x2` (columns); the second costs little.
    ///
    /// # Errors
    /// Fails as [`Network::ntk`] does.
    pub fn kernels_between<T: Real, D: Dimension, E: Dimension>(
        &self,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
    ) -> Result<Kernels<P::Output>, KernelError>
    where
        P: Precision<T>,
    {
        let found = self.compute(Wanted::Both, self.samples(x1), Some(self.samples(x2)))?;
        Ok(found.both())
    }

    /// Computes both kernels of `x` with itself after each layer; see
    /// [`Network::kernels_by_layer`].
    ///
    /// # Errors
    /// Fails as [`Network::ntk`] does.
    pub fn kernels_by_layer<T: Real, D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
    ) -> Result<Vec<Kernels<P::Output>>, KernelError>
    where
        P: Precision<T>,
    {
        self.by_layer(self.samples(x), None)
    }

    /// Computes both kernels of `x1` with `x2` after each layer; see [`Network::kernels_by_layer`].
    ///
    /// # Errors
    /// Fails as [`Network::ntk`] does.
    pub fn kernels_by_layer_between<T: Real, D: Dimension, E: Dimension>(
        &self,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
    ) -> Result<Vec<Kernels<P::Output>>, KernelError>
    where
        P: Precision<T>,
    {
        self.by_layer(self.samples(x1), Some(self.samples(x2)))
    }

    /// Computes both kernels of each sample with itself; see [`Network::kernel_diagonal`].
    ///
    /// # Errors
    /// Fails as [`Network::ntk`] does.
    pub fn kernel_diagonal<T: Real, D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
    ) -> Result<Diagonal<P::Output>, KernelError>
    where
        P: Precision<T>,
    {
        let x = P::convert(self.samples(x))?;
        let (x, structure) = (x.view(), self.structures[0]);
        compiled::diagonal(self.network, Input { x, structure })
    }

    /// Returns how many bytes the kernels of `n` samples of shape `input` with themselves, or with
    /// `m` others, take while they are computed, the result with them: an estimate from above.
    ///
    /// Kernels that need more than the system gives fail with [`KernelError::Memory`] before any
    /// work. Cost: that of the plan, however many samples there are.
    ///
    /// ```
    /// use ntk_kernels::network::{Network, conv, flatten, global_avg_pool, relu};
    ///
    /// let start = Network::new().then(conv([3, 3]).same()).then(relu());
    /// let bytes = |network: Network| {
    ///     let kernel_fn = network.kernel_fn().precision::<f32>();
    ///     kernel_fn.working_memory::<f64>([224, 224, 3], 100, None)
    /// };
    /// // A global pool needs the covariances of all pairs of positions, one plane at a time.
    /// assert!(bytes(start.clone().then(flatten()))? <= bytes(start.then(global_avg_pool()))?);
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails as [`Network::ntk`] does for networks and shapes.
    pub fn working_memory<T: Real>(
        &self,
        input: impl Into<Shape>,
        n: usize,
        m: Option<usize>,
    ) -> Result<u64, KernelError>
    where
        P: Precision<T>,
    {
        let shape = input.into();
        let program = resolve(self.network, &shape)?;
        let samples = [Some(n), m];
        Ok(memory::needed::<P::Output>(
            &program,
            &shape,
            self.structures.iter().any(|s| s.masked().is_some()),
            Wanted::Both,
            samples,
        ))
    }

    /// Checks all that can be checked of these samples before any work on their kernel.
    pub(crate) fn check<T: Real>(
        &self,
        x1: &ArrayRef<T, IxDyn>,
        x2: Option<&ArrayRef<T, IxDyn>>,
    ) -> Result<(), KernelError> {
        let [one, two] = self.structures;
        let input = |x, structure| Input {
            x: self.samples(x),
            structure,
        };
        let inputs = Inputs(input(x1, one), x2.map(|x2| input(x2, two)));
        let (program, shape) = program_of(self.network, &inputs)?;
        check_inputs(&inputs, &program, &shape)
    }

    /// Views samples as the network takes them: token ids as one channel.
    fn samples<'x, T, D: Dimension>(&self, x: &'x ArrayRef<T, D>) -> ArrayViewD<'x, T> {
        let x = x.view().into_dyn();
        if let Some(Layer::TokenEmbedding(_)) = self.network.layers.first() {
            let last = Axis(x.ndim());
            return x.insert_axis(last);
        }
        x
    }

    fn compute<T: Real>(
        &self,
        wanted: Wanted,
        x1: ArrayViewD<'_, T>,
        x2: Option<ArrayViewD<'_, T>>,
    ) -> Result<Matrices<P::Output>, KernelError>
    where
        P: Precision<T>,
    {
        self.with_inputs_of(x1, x2, |inputs| {
            let tile = self.tile.unwrap_or(TILE);
            compiled::kernels(self.network, inputs, wanted, self.observer, tile)
        })
    }

    /// Calls with both inputs as they are computed with.
    pub(super) fn with_inputs<T: Real, D: Dimension, E: Dimension, R, F: From<KernelError>>(
        &self,
        x1: &ArrayRef<T, D>,
        x2: Option<&ArrayRef<T, E>>,
        call: impl FnOnce(Inputs<'_, P::Output>) -> Result<R, F>,
    ) -> Result<R, F>
    where
        P: Precision<T>,
    {
        self.with_inputs_of(self.samples(x1), x2.map(|x2| self.samples(x2)), call)
    }

    /// Returns the same function of two inputs, even where they are equal.
    pub(super) fn apart(&self) -> Self {
        Self {
            distinct: true,
            network: self.network,
            observer: self.observer,
            tile: self.tile,
            structures: self.structures,
            precision: PhantomData,
        }
    }

    /// Returns the options that matter to derivatives.
    pub(super) fn options(&self) -> Options<'a> {
        Options {
            tile: self.tile.unwrap_or(TILE).max(1),
            observer: self.observer,
        }
    }

    fn with_inputs_of<T: Real, R, F: From<KernelError>>(
        &self,
        x1: ArrayViewD<'_, T>,
        x2: Option<ArrayViewD<'_, T>>,
        call: impl FnOnce(Inputs<'_, P::Output>) -> Result<R, F>,
    ) -> Result<R, F>
    where
        P: Precision<T>,
    {
        // Before the samples are compared and converted, which of large views takes its time.
        let n = |x: &ArrayViewD<'_, T>| x.shape().first().copied().unwrap_or(0);
        let m = x2.as_ref().map_or(n(&x1), n);
        memory::check(memory::product([n(&x1), m, size_of::<P::Output>()]))?;
        // Equal inputs are one input: that is half the work, and the diagonal is that of single
        // samples.
        let [one, two] = self.structures;
        let x2 = x2.filter(|x2| self.distinct || *x2 != x1 || one != two);
        let (x1, x2) = (P::convert(x1)?, x2.map(P::convert).transpose()?);
        let input = |(x, structure)| Input { x, structure };
        let x2 = x2.as_ref().map(|x2| input((x2.view(), two)));
        call(Inputs(input((x1.view(), one)), x2))
    }

    fn by_layer<T: Real>(
        &self,
        x1: ArrayViewD<'_, T>,
        x2: Option<ArrayViewD<'_, T>>,
    ) -> Result<Vec<Kernels<P::Output>>, KernelError>
    where
        P: Precision<T>,
    {
        // All layers are checked first, so that what is wrong with the last one is no surprise
        // after the work on the others.
        let graph = self.network.resolve(&sample_shape(&x1)?)?;
        program::Program::new(&graph)?;
        (1..=self.network.layers.len())
            .map(|depth| {
                let mut start = self.network.clone();
                start.layers.truncate(depth);
                let last = graph.layers[depth - 1];
                let after = &graph.nodes[last].after;
                if !after.positions().is_empty() {
                    start = start.then(flatten());
                }
                let of_layers = |s: &Structure| s.of_layers(&graph.nodes[..=last]);
                let [one, two] = self.structures.map(of_layers);
                let upto = KernelFn::<P> {
                    network: &start,
                    structures: [&one, &two],
                    ..*self
                };
                let found =
                    upto.compute(Wanted::Both, x1.view(), x2.as_ref().map(|x2| x2.view()))?;
                Ok(found.both())
            })
            .collect()
    }
}

static NO_STRUCTURE: Structure = Structure::NONE;

impl<T> Matrices<T> {
    fn one(self, which: Kernel) -> Array2<T> {
        let found = match which {
            Kernel::Nngp => self.nngp,
            Kernel::Ntk => self.ntk,
        };
        found.expect("the kernel that was wanted")
    }

    fn both(self) -> Kernels<T> {
        let both = self.nngp.zip(self.ntk);
        let (nngp, ntk) = both.expect("both kernels were wanted");
        Kernels { nngp, ntk }
    }
}

impl Network {
    /// Makes the function that computes this network's kernels, to be given options.
    ///
    /// Without options, [`Network::ntk`] and its like are shorter.
    #[must_use]
    pub fn kernel_fn(&self) -> KernelFn<'_> {
        KernelFn {
            network: self,
            observer: &(),
            tile: None,
            distinct: false,
            structures: [&NO_STRUCTURE; 2],
            precision: PhantomData,
        }
    }

    /// Computes the Gaussian-process kernel of `x` with itself, (n, n): the covariance of the
    /// outputs over random weights, per output unit.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::network::{Network, dense, relu};
    ///
    /// let network = Network::new().then(dense()).then(relu()).then(dense());
    /// let k = network.nngp(&array![[1.0_f64, 1.0], [1.0, -1.0]])?;
    /// assert!((k[[0, 0]] - 0.5).abs() < 1e-15);
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails as [`Network::ntk`] does.
    pub fn nngp<T: Real, D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
    ) -> Result<Array2<T>, KernelError> {
        self.kernel_fn().nngp(x)
    }

    /// Computes the neural tangent kernel of `x` with itself, (n, n): the inner products of the
    /// gradients of one output unit by all parameters, of an infinitely wide network.
    ///
    /// `x` has shape (n, features), (n, length, channels) or (n, height, width, channels); any
    /// ndarray reference does. The result is symmetric to the last bit. Cost for vectors: `n^2 d`
    /// operations and one dual map per pair of samples and activation.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::network::{Network, dense, relu};
    ///
    /// let network = Network::new().then(dense()).then(relu()).then(dense());
    /// let x = array![[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]]; // rows are samples
    /// let k = network.ntk(&x)?;
    /// assert_eq!(k.dim(), (3, 3));
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns a [`KernelError`] before any work for layers with invalid options or that do not
    /// fit, layers without a kernel in closed form in their place, inputs with another number of
    /// axes, empty samples, non-finite inputs, and tiles without entries; for activations without a
    /// kernel at the variance of a sample; and when the observer cancels.
    pub fn ntk<T: Real, D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<Array2<T>, KernelError> {
        self.kernel_fn().ntk(x)
    }

    /// Computes the Gaussian-process kernel of `x1` (rows) with `x2` (columns), (n1, n2).
    ///
    /// # Errors
    /// Fails as [`Network::ntk_between`] does.
    pub fn nngp_between<T: Real, D: Dimension, E: Dimension>(
        &self,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
    ) -> Result<Array2<T>, KernelError> {
        self.kernel_fn().nngp_between(x1, x2)
    }

    /// Computes the neural tangent kernel of `x1` (rows) with `x2` (columns), (n1, n2), such as
    /// that of test with training samples.
    ///
    /// Cost: twice that of [`Network::ntk`] an entry, unless `x2` equals `x1`.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::network::{Network, dense, erf};
    ///
    /// let network = Network::new().then(dense()).then(erf(1.0, 1.0, 0.0)).then(dense());
    /// let (train, test) = (array![[1.0_f32, 0.0], [0.0, 1.0]], array![[0.5_f32, 0.5]]);
    /// assert_eq!(network.ntk_between(&test, &train)?.dim(), (1, 2));
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails as [`Network::ntk`] does; returns [`KernelError::Shapes`] where samples of `x1` and
    /// `x2` differ in shape.
    pub fn ntk_between<T: Real, D: Dimension, E: Dimension>(
        &self,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
    ) -> Result<Array2<T>, KernelError> {
        self.kernel_fn().ntk_between(x1, x2)
    }

    /// Computes both kernels of `x` with itself; the second costs little.
    ///
    /// ```
    /// use ndarray::Array;
    /// use ntk_kernels::network::{Network, conv, flatten, relu};
    ///
    /// let network = Network::new().then(conv([3, 3])).then(relu()).then(flatten());
    /// let images = Array::from_elem((2, 8, 8, 1), 0.5);
    /// let both = network.kernels(&images)?;
    /// assert_eq!((both.nngp.dim(), both.ntk.dim()), ((2, 2), (2, 2)));
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails as [`Network::ntk`] does.
    pub fn kernels<T: Real, D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
    ) -> Result<Kernels<T>, KernelError> {
        self.kernel_fn().kernels(x)
    }

    /// Computes both kernels of `x1` (rows) with `x2` (columns); the second costs little.
    ///
    /// # Errors
    /// Fails as [`Network::ntk_between`] does.
    pub fn kernels_between<T: Real, D: Dimension, E: Dimension>(
        &self,
        x1: &ArrayRef<T, D>,
        x2: &ArrayRef<T, E>,
    ) -> Result<Kernels<T>, KernelError> {
        self.kernel_fn().kernels_between(x1, x2)
    }

    /// Computes both kernels of each sample with itself, in time proportional to their number:
    /// the variances that a Gaussian process starts from.
    ///
    /// ```
    /// use ndarray::array;
    /// use ntk_kernels::network::{Network, dense, relu};
    ///
    /// let network = Network::new().then(dense()).then(relu()).then(dense());
    /// let x = array![[1.0, 0.0], [0.6, 0.8]];
    /// assert_eq!(network.kernel_diagonal(&x)?.ntk, network.ntk(&x)?.diag());
    /// # Ok::<(), ntk_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// Fails as [`Network::ntk`] does.
    pub fn kernel_diagonal<T: Real, D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
    ) -> Result<Diagonal<T>, KernelError> {
        self.kernel_fn().kernel_diagonal(x)
    }

    /// Computes both kernels of `x` with itself after each layer, for studies of depth.
    ///
    /// Item `i` holds the kernels of the layers up to `layers[i]`; where positions remain, as if
    /// `flatten` came next. Cost: that of [`Network::kernels`] for each of these networks.
    ///
    /// # Errors
    /// Fails as [`Network::ntk`] does.
    pub fn kernels_by_layer<T: Real, D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
    ) -> Result<Vec<Kernels<T>>, KernelError> {
        self.kernel_fn().kernels_by_layer(x)
    }
}
