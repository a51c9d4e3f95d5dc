//! What estimators fail with.

use crate::closed_form::KernelError;
use crate::metrics::MetricError;
use crate::network::NetworkError;
use crate::predict::{Loss, PredictError};
use crate::structure::StructureError;
use thiserror::Error;

/// An `EstimatorError` says why an estimator cannot be fitted, cannot predict, or cannot be kept
/// in a file.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum EstimatorError {
    /// The network has no kernel for these samples.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The prediction is impossible.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// Predictions cannot be compared with the targets.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// A file cannot be written or read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Targets have an unusable number of axes.
    #[error("targets must have shape (n) or (n, outputs), found {found:?}; reshape them")]
    TargetAxes {
        /// The shape of the targets.
        found: Vec<usize>,
    },
    /// There are more or fewer targets than samples.
    #[error("there are {samples} samples, but {targets} rows of targets; give one row a sample")]
    TargetRows {
        /// The number of samples.
        samples: usize,
        /// The number of rows of the targets.
        targets: usize,
    },
    /// There is nothing to fit.
    #[error("there are {samples} samples and {outputs} outputs to fit; give at least one of each")]
    Nothing {
        /// The number of samples.
        samples: usize,
        /// The number of outputs.
        outputs: usize,
    },
    /// No formula gives the outputs at infinite time.
    #[error(
        "the flow of {loss:?} has no known end; ask for finite times with predict_at, or fit with Loss::HalfMeanSquare or Loss::MeanSquare"
    )]
    NoEnd {
        /// The loss of the flow.
        loss: Loss,
    },
    /// An ensemble of trained networks is no Bayesian posterior.
    #[error(
        "an ensemble of trained networks has no marginal likelihood; fit GaussianProcess::nngp or GaussianProcess::ntk for one"
    )]
    NoLikelihood,
    /// The samples asked for are more numbers than memory can hold.
    #[error(
        "{count} samples of {points} points and {outputs} outputs do not fit into memory; ask for fewer"
    )]
    TooManySamples {
        /// The number of samples asked for.
        count: usize,
        /// The number of points.
        points: usize,
        /// The number of outputs.
        outputs: usize,
    },
    /// There are no landmarks, or more than samples to choose them from.
    #[error(
        "{count} landmarks were asked for of {samples} samples; ask for at least one, and for no more than there are samples"
    )]
    LandmarkCount {
        /// The number of landmarks asked for.
        count: usize,
        /// The number of samples.
        samples: usize,
    },
    /// A layer has no explicit features.
    #[error("{path}.{name} has no features: {reason}; fit Landmarks, which need only the kernel")]
    NoFeatures {
        /// The path of the layer, such as `layers[3]`.
        path: String,
        /// The name of the layer.
        name: String,
        /// The reason.
        reason: String,
    },
    /// No features were asked for.
    #[error("0 features were asked for; ask for at least 1, as by count(4096)")]
    FeatureCount,
    /// Means of samples with masks or graphs are no samples.
    #[error(
        "k-means takes means of samples, and those of samples with masks or graphs have none; choose landmarks uniformly, by pivoted Cholesky, or give points"
    )]
    NoMeans,
    /// A block of samples does not fit, or has no kernel with the landmarks.
    #[error("in the block that begins with sample {first}, where x1[0] is that sample: {source}")]
    Block {
        /// The first sample of the block, counted from the first of all.
        first: usize,
        /// The reason, of which indices count from the first sample of the block.
        source: Box<EstimatorError>,
    },
    /// A block of a stream has another number of outputs than the first.
    #[error("the targets have {found} outputs, and those before them {expected}; give as many")]
    Outputs {
        /// The number of outputs of the first block.
        expected: usize,
        /// The number of outputs of this one.
        found: usize,
    },
    /// A stream has more or fewer samples than it should.
    #[error(
        "the stream had {found} samples where it ended or was stopped, and should have {expected}; look for what cut it short, or set samples to what it has"
    )]
    StreamLength {
        /// The number of samples that it should have.
        expected: usize,
        /// The number of samples found.
        found: usize,
    },
    /// A sample decides its own prediction, so that none is known without it.
    #[error(
        "the prediction at sample {sample} is {leverage} of its own target, one to working precision, so that there is none without it; raise alpha, or take fewer landmarks or features"
    )]
    Leverage {
        /// The sample, counted from the first of those given.
        sample: usize,
        /// The derivative of its prediction by its target.
        leverage: f64,
    },
    /// Landmarks that were fitted by conjugate gradients, or read from a file, have no normal
    /// equations.
    #[error(
        "{what} needs the normal equations, which conjugate gradients and files do not keep; fit with Solver::NormalEquations"
    )]
    NoEquations {
        /// What needs them.
        what: &'static str,
    },
    /// A stream passes once, and its samples are needed again.
    #[error(
        "conjugate gradients and checkpoints need samples more than once, and these blocks pass once; give samples by fit_from_fn, or fit by normal equations without a checkpoint"
    )]
    OnePass,
    /// Another process of the job failed.
    #[error("process {rank} of the job failed: {message}")]
    Rank {
        /// The first process that failed.
        rank: usize,
        /// The error of that process.
        message: String,
    },
    /// The equations are not positive definite.
    #[error(
        "a direction has the curvature {curvature:e} in the equations of the landmarks, and it must be positive; raise alpha, or compute in f64"
    )]
    Indefinite {
        /// The curvature.
        curvature: f64,
    },
    /// A fit cannot go on from its checkpoint, or keep one.
    #[error(transparent)]
    Checkpoint(Box<CheckpointError>),
}

impl From<CheckpointError> for EstimatorError {
    fn from(error: CheckpointError) -> Self {
        Self::Checkpoint(Box::new(error))
    }
}

/// A `FileError` says why the bytes of an estimator cannot be written or read.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum FileError {
    /// The network has a layer or an activation of one's own, which no text describes.
    #[error(
        "the network {network} cannot be written, since reading it gives {read}; layers and activations of your own, and options that are not finite, exist in code alone: build the estimator again instead"
    )]
    OwnLayers {
        /// The network as JSON.
        network: String,
        /// What reading that gives: an error, or another network.
        read: String,
    },
    /// The bytes are no safetensors file.
    #[error("these bytes are no whole safetensors file: {reason}; write the file again")]
    Format {
        /// What is wrong with them.
        reason: String,
    },
    /// The file holds something else than an estimator.
    #[error(
        "the file has no metadata \"{key}\", so that it is of no estimator; read weights with ntk_train::Model"
    )]
    NoEstimator {
        /// The key that is missing.
        key: &'static str,
    },
    /// The metadata cannot be understood.
    #[error("the metadata of the file are damaged: {reason}; write the file again")]
    Metadata {
        /// What is wrong with them.
        reason: String,
    },
    /// The file holds another estimator.
    #[error("the file holds a {found}, not a {expected}; read it with {found}::from_safetensors")]
    Kind {
        /// The kind asked for.
        expected: String,
        /// The kind in the file.
        found: String,
    },
    /// The file is of another version of its format.
    #[error(
        "the file has version {found} of the format, this program reads version {expected}; write it again with this version"
    )]
    Version {
        /// The version that can be read.
        expected: u64,
        /// The version of the file.
        found: u64,
    },
    /// The network in the file cannot be read.
    #[error("the network in the file: {0}")]
    Network(#[from] NetworkError),
    /// The graphs in the file are none.
    #[error("the graphs in the file: {0}; the file is damaged, write it again")]
    Structure(#[from] StructureError),
    /// An array has another element type than the estimator.
    #[error(
        "the array \"{array}\" has elements {found}, but {expected} was asked for; read the file with the element type that it was fitted with, f32 for F32 and f64 for F64"
    )]
    ElementType {
        /// The name of the array.
        array: String,
        /// The element type asked for.
        expected: &'static str,
        /// The element type in the file.
        found: String,
    },
    /// The file has more or fewer arrays than it should.
    #[error("the file holds the arrays {found:?}, but should hold {expected:?}; write it again")]
    Arrays {
        /// The names that should be there, sorted.
        expected: Vec<String>,
        /// The names in the file, sorted.
        found: Vec<String>,
    },
    /// An array has another shape than the others ask for.
    #[error(
        "the array \"{array}\" has shape {found:?}, but should have {expected}; write the file again"
    )]
    Shape {
        /// The name of the array.
        array: String,
        /// The shape needed.
        expected: String,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// An entry of an array is infinite or not a number.
    #[error("the array \"{array}\" is {value} at {index:?}; the file is damaged, write it again")]
    NonFinite {
        /// The name of the array.
        array: String,
        /// The place of the first such entry.
        index: Vec<usize>,
        /// The entry.
        value: f64,
    },
}

/// A `CheckpointError` says why a fit cannot go on from a file, or keep what it has reached.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The place cannot be read or written.
    #[error(
        "the checkpoint {place}: {reason}; what was written before is still there, so make room or give another place, and fit again"
    )]
    Place {
        /// The name of the place.
        place: String,
        /// The reason.
        reason: String,
    },
    /// What was read is no whole checkpoint.
    #[error("{place} is no whole checkpoint: {reason}; remove it, or give another place")]
    Damaged {
        /// The name of the place.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What was read is of a fit with other settings, landmarks or samples.
    #[error(
        "the checkpoint {place} is of another fit: its {setting} is {found}, and {asked} here; give another place, or remove it to begin anew"
    )]
    OtherRun {
        /// The name of the place.
        place: String,
        /// What is different.
        setting: String,
        /// What it was there.
        found: String,
        /// What it is here.
        asked: String,
    },
}
