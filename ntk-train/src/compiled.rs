//! What is compiled here, for `f32` and for `f64`.
//!
//! The functions behind these doors are generic, and would else be compiled with all that they
//! call in every crate that uses them, at that crate's level of optimisation. What is public
//! brings its arrays to one type and goes through one of them.

use crate::distil::{self, DistilError, DistilGradient, Distilled, KernelInducingPoints};
use crate::empirical::{
    self, EmpiricalKernelFn, EmpiricalTiles, Linearized, MonteCarlo, MonteCarloMean, Trace,
};
use crate::init::Init;
use crate::model::{self, Model, ModelError};
use crate::record::{self, RecordError, Recorder};
use crate::selection::{self, Distillation, Selection, SelectionError};
use crate::tensor::{self, Memory};
use crate::train::{self, CheckpointError, Condition, TrainConfig, TrainError, Trainer};
use crate::weights_file::{self, Import, Imported, WeightsError};
use crate::{Loss, gradient, watched};
use dfdx::prelude::Dtype;
use dfdx::tensor_ops::{AdamConfig, SgdConfig};
use ndarray::{Array2, ArrayD, ArrayView2, ArrayViewD};
use ntk_kernels::Inputs;
use ntk_kernels::Kernel;
use ntk_kernels::network::{Graph, Network, Shape};
use ntk_linalg::Real;
use ntk_linalg::observer::Observer;
use ntk_linalg::tiled::Position;

/// Declares the trait of scalars by its functions, each with the generic one that it calls, and
/// compiles them for both scalars.
macro_rules! doors {
    (@trait $(fn $name:ident $(<$life:lifetime>)? ($($arg:ident: $type:ty),* $(,)?) $(-> $out:ty)? = $of:path;)*) => {
        /// An element type that networks can have: `f32` or `f64`.
        pub trait Scalar: Real + Dtype {
            $(
                #[doc = concat!("Calls `", stringify!($of), "`.")]
                #[doc(hidden)]
                #[allow(clippy::too_many_arguments, reason = "as what it calls")]
                fn $name $(<$life>)? ($($arg: $type),*) $(-> $out)?;
            )*
        }
    };
    (@for $scalar:ty: $(fn $name:ident $(<$life:lifetime>)? ($($arg:ident: $type:ty),* $(,)?) $(-> $out:ty)? = $of:path;)*) => {
        impl Scalar for $scalar {
            $(fn $name $(<$life>)? ($($arg: $type),*) $(-> $out)? {
                $of($($arg),*)
            })*
        }
    };
    ($($all:tt)*) => {
        doors! { @trait $($all)* }
        doors! { @for f32: $($all)* }
        doors! { @for f64: $($all)* }
    };
}

type Pairs<'a, T> = Option<Inputs<'a, T>>;

doors! {
    fn memory(len: usize) -> Memory<Self> = tensor::memory::<Self>;
    fn holding(numbers: Vec<Self>) -> Memory<Self> = tensor::holding::<Self>;
    fn numbers(memory: &Memory<Self>) -> &[Self] = tensor::numbers::<Self>;
    fn numbers_mut(memory: &mut Memory<Self>) -> &mut [Self] = tensor::numbers_mut::<Self>;
    fn sgd(
        config: &SgdConfig,
        parameter: &mut Memory<Self>,
        velocity: &mut Memory<Self>,
        gradient: &Memory<Self>,
    ) = tensor::sgd::<Self>;
    fn adam(
        config: &AdamConfig,
        t: i32,
        parameter: &mut Memory<Self>,
        moments: &mut [Memory<Self>; 2],
        gradient: &Memory<Self>,
    ) = tensor::adam::<Self>;

    fn blank(network: &Network, input: &Shape) -> Result<Model<Self>, ModelError> = model::blank;
    fn of_graph(graph: Graph, parameters: Vec<Vec<Self>>) -> Model<Self> = model::of_graph;
    fn initialize(model: &mut Model<Self>, init: Init, seed: u64) = model::initialize;
    fn parameters(model: &Model<Self>) -> Vec<Array2<Self>> = model::parameters;
    fn set_parameters(
        model: &mut Model<Self>, parameters: Vec<Array2<Self>>,
    ) -> Result<(), ModelError> = model::set_parameters;
    fn forward(model: &Model<Self>, x: Inputs<'_, Self>) -> Result<Array2<Self>, ModelError>
        = model::forward;
    fn activations(
        model: &Model<Self>, x: Inputs<'_, Self>,
    ) -> Result<Vec<ArrayD<Self>>, ModelError> = model::activations;
    fn vjp(
        model: &Model<Self>, x: Inputs<'_, Self>, cotangent: ArrayView2<'_, Self>,
    ) -> Result<Vec<Array2<Self>>, ModelError> = gradient::vjp;
    fn jvp(
        model: &Model<Self>, x: Inputs<'_, Self>, direction: &[ArrayView2<'_, Self>],
    ) -> Result<(Array2<Self>, Array2<Self>), ModelError> = model::jvp;
    fn gradient(
        model: &Model<Self>, x: Inputs<'_, Self>, y: ArrayView2<'_, Self>, loss: Loss,
    ) -> Result<(f64, Vec<Array2<Self>>), ModelError> = gradient::gradient;

    fn ntk(
        model: &Model<Self>,
        x1: Inputs<'_, Self>,
        x2: Pairs<'_, Self>,
        trace: Trace,
        observer: &dyn Observer,
    ) -> Result<Array2<Self>, ModelError> = empirical::ntk;
    fn tiles<'a>(
        kernel_fn: EmpiricalKernelFn<'a, Self>, x1: Inputs<'a, Self>, x2: Option<Inputs<'a, Self>>,
    ) -> Result<EmpiricalTiles<'a, Self>, ModelError> = empirical::tiles;
    fn tile(
        tiles: &EmpiricalTiles<'_, Self>, position: Position,
    ) -> Result<Array2<Self>, ModelError> = empirical::tile;
    fn ntk_by_contraction(
        model: &Model<Self>, x1: Inputs<'_, Self>, x2: Pairs<'_, Self>, trace: Trace,
    ) -> Result<Array2<Self>, ModelError> = empirical::ntk_by_contraction;
    fn ntk_product(
        model: &Model<Self>, x: Inputs<'_, Self>, v: ArrayView2<'_, Self>,
    ) -> Result<Array2<Self>, ModelError> = empirical::ntk_product;
    fn operator_product(
        model: &Model<Self>, x: Inputs<'_, Self>, v: ArrayView2<'_, Self>,
    ) -> Result<Array2<Self>, ModelError> = empirical::operator_product;
    fn ntk_trace(
        model: &Model<Self>, x: Inputs<'_, Self>, observer: &dyn Observer,
    ) -> Result<f64, ModelError> = empirical::ntk_trace;
    fn nngp(
        model: &Model<Self>, x1: Inputs<'_, Self>, x2: Pairs<'_, Self>, trace: Trace,
    ) -> Result<Array2<Self>, ModelError> = empirical::nngp;
    fn jacobian(model: &Model<Self>, x: Inputs<'_, Self>) -> Result<Array2<Self>, ModelError>
        = empirical::jacobian;
    fn linearized_forward(
        linear: &Linearized<'_, Self>, x: Inputs<'_, Self>,
    ) -> Result<Array2<Self>, ModelError> = empirical::linearized_forward;
    fn monte_carlo(
        over: &MonteCarlo<'_>,
        kernel: Kernel,
        x1: Inputs<'_, Self>,
        x2: Pairs<'_, Self>,
    ) -> Result<MonteCarloMean<Self>, ModelError> = empirical::monte_carlo_mean;

    fn start<'a>(
        model: &'a mut Model<Self>,
        x: Inputs<'a, Self>,
        y: ArrayView2<'a, Self>,
        config: TrainConfig,
    ) -> Result<Trainer<'a, Self>, TrainError> = train::start;
    fn epoch(trainer: &mut Trainer<'_, Self>) -> Result<Vec<f64>, TrainError> = train::epoch;
    fn run(
        trainer: &mut Trainer<'_, Self>, condition: &mut Condition<'_, Self>,
    ) -> Result<bool, TrainError> = train::run;
    fn record(
        trainer: &mut Trainer<'_, Self>,
        recorders: &mut [&mut Recorder<'_, Self>],
        condition: &mut Condition<'_, Self>,
    ) -> Result<bool, RecordError> = watched::record;
    fn checkpoint(trainer: &Trainer<'_, Self>) -> Result<Vec<u8>, CheckpointError>
        = train::checkpoint;
    fn resume<'a>(
        model: &'a mut Model<Self>,
        x: Inputs<'a, Self>,
        y: ArrayView2<'a, Self>,
        config: TrainConfig,
        checkpoint: &[u8],
    ) -> Result<Trainer<'a, Self>, CheckpointError> = train::resume;
    fn record_now(
        recorder: &mut Recorder<'_, Self>, trainer: &Trainer<'_, Self>,
    ) -> Result<(), RecordError> = record::record_now;

    fn to_safetensors(model: &Model<Self>) -> Result<Vec<u8>, WeightsError>
        = weights_file::to_safetensors;
    fn from_safetensors(
        network: &Network, input: &Shape, bytes: &[u8],
    ) -> Result<Model<Self>, WeightsError> = weights_file::from_safetensors;
    fn import(import: &Import<'_>, bytes: &[u8]) -> Result<Imported<Self>, WeightsError>
        = weights_file::import;
    fn from_arrays(
        network: &Network, input: &Shape, arrays: Vec<ArrayD<Self>>,
    ) -> Result<Model<Self>, WeightsError> = weights_file::from_arrays;
    fn select(
        run: &mut Distillation<'_, Self>, x: ArrayViewD<'_, Self>, size: usize,
    ) -> Result<Selection, SelectionError> = selection::select;
    fn distil(
        of: &KernelInducingPoints<'_>,
        samples: [ArrayView2<'_, Self>; 2],
        points: [ArrayView2<'_, Self>; 2],
    ) -> Result<Distilled<Self>, DistilError> = distil::distil;
    fn distil_gradient(
        of: &KernelInducingPoints<'_>,
        samples: [ArrayView2<'_, Self>; 2],
        points: [ArrayView2<'_, Self>; 2],
    ) -> Result<DistilGradient<Self>, DistilError> = distil::gradient;
    fn distil_labels(
        of: &KernelInducingPoints<'_>,
        samples: [ArrayView2<'_, Self>; 2],
        points: ArrayView2<'_, Self>,
    ) -> Result<Array2<Self>, DistilError> = distil::labels;
}
