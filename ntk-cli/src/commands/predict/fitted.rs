//! Predictions of a process that `ntk fit` found.

use crate::Failure;
use crate::cli::{Common, Predict};
use crate::commands::targets::targets;
use crate::environment;
use crate::files;
use crate::fitted::Fitted;
use crate::inputs::SamplePair;
use crate::narrow;
use crate::npy::{self, Entry};
use crate::progress::Progress;
use crate::results::number;
use crate::words;
use ndarray::{Array1, Array2, ArrayD, Axis, array};
use ndarray_npy::WritableElement;
use ntk_kernels::metrics::{
    MetricError, accuracy, argmax, class_log_probabilities, log_predictive_density, r2,
};
use ntk_kernels::{GaussianProcess, Kernel};
use ntk_linalg::Real;
use serde_json::{Map, Value as Json, json};
use std::path::Path;
use std::time::Instant;

/// The means of some samples' outputs, and the variances of their targets.
struct Posterior<T> {
    mean: Array2<T>,
    variance: Array1<T>,
}

pub(super) fn run<T: Real + WritableElement>(
    common: &Common,
    args: &Predict,
    path: &Path,
) -> Result<(), Failure> {
    let x = args.x.as_ref().ok_or("name the training samples by --x")?;
    let fitted = Fitted::read(path)?;
    fitted.check(path, args.targets.classes)?;
    let of_file = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let outputs = fitted.targets.outputs;
    let read = |path: &Path, samples: usize, of: &Path| -> Result<Array2<f64>, Failure> {
        let y = targets(path, args.targets.classes, Some(outputs))?;
        if y.dim() == (samples, outputs) {
            return Ok(y);
        }
        Err(format!(
            "{} has targets {:?}, expected {:?}: {} has {}, and {} was learned of {}",
            path.display(),
            y.dim(),
            (samples, outputs),
            of.display(),
            words::count(samples, "sample"),
            args.fitted.as_deref().unwrap_or(path).display(),
            words::count(outputs, "output")
        )
        .into())
    };
    let test = args.x_test.as_deref();
    let samples = SamplePair::<T>::of_network(&fitted.network, x, test, None)?;
    let found = &samples.x1.shape()[1..];
    if found != fitted.sample_shape {
        return Err(format!(
            "{} has samples of shape {found:?}, and {} was learned of samples of shape {:?}; give \
             samples of that shape",
            x.display(),
            path.display(),
            fitted.sample_shape
        )
        .into());
    }
    let (n, m) = samples.counts();
    let y = read(&args.targets.y, n, x)?;
    let y: Array2<T> = narrow::array(&args.targets.y.display().to_string(), &y)?;
    let y_test = args.y_test.as_deref().zip(test);
    let y_test = y_test.map(|(path, of)| read(path, m, of)).transpose()?;

    let progress = Progress::new(common.quiet || common.json);
    let begun = Instant::now();
    let process = match fitted.kernel {
        Kernel::Nngp => GaussianProcess::nngp(&fitted.network),
        Kernel::Ntk => GaussianProcess::ntk(&fitted.network),
    };
    let noise = fitted.noise + fitted.jitter;
    let process = process
        .noise(noise)
        .observer(&progress)
        .fit(&samples.x1, &y);
    let process = process.map_err(|e| of_file(&e))?;
    let predict = |x: &ArrayD<T>| -> Result<Posterior<T>, Failure> {
        let (mean, variance) = process.predict_with_variance(x).map_err(|e| of_file(&e))?;
        let variance = variance.mapv(|v| v + T::of(fitted.noise));
        Ok(Posterior { mean, variance })
    };
    let train = predict(&samples.x1);
    let test = samples.x2.as_ref().map(predict).transpose();
    progress.end();
    let (train, test) = (train?, test?);
    let seconds = begun.elapsed().as_secs_f64();

    let of_classes = args.targets.classes.one_hot && outputs > 1;
    let classes = test.as_ref().filter(|_| of_classes);
    let classes = classes.and_then(|test| {
        let gap = if args.targets.classes.signs { 2.0 } else { 1.0 };
        let logs = class_log_probabilities(&test.mean, &test.variance, gap);
        without(logs, "probabilities", &progress)
    });
    let scored = test.as_ref().zip(y_test.as_ref()).filter(|_| m > 0);
    let scored = scored.map(|(test, y)| score(test, classes.as_ref(), y, &progress));
    let score = scored.transpose().map_err(|e| of_file(&e))?;
    let times = array![f64::INFINITY];
    let all_times = |mean: &Array2<T>| mean.clone().insert_axis(Axis(0));
    let train_mean = all_times(&train.mean);
    let test_mean = test.as_ref().map(|test| all_times(&test.mean));
    let probabilities = classes.map(|logs| logs.mapv(f64::exp));
    let mut arrays: Vec<(&str, &dyn Entry)> =
        vec![("train", &train_mean), ("train_variance", &train.variance)];
    if let Some((mean, test)) = test_mean.as_ref().zip(test.as_ref()) {
        arrays.extend([
            ("test", mean as &dyn Entry),
            ("test_variance", &test.variance),
        ]);
    }
    arrays.extend(
        probabilities
            .as_ref()
            .map(|p| ("test_probabilities", p as &dyn Entry)),
    );
    arrays.push(("t", &times));
    npy::write_npz(&args.out, &arrays).map_err(|e| files::unwritable(&args.out, "--out", &e))?;

    let answer = json!({
        "train": train_mean.shape(),
        "test": test_mean.as_ref().map(ndarray::ArrayBase::shape),
        "kernel": fitted.kernel,
        "noise": fitted.noise,
        "score": score,
        "precision": T::NAME,
        "seconds": seconds,
        "out": args.out.display().to_string(),
        "peak_memory": environment::peak_memory(),
    });
    let test = test_mean.map_or_else(String::new, |test| format!(" and test {:?}", test.dim()));
    let said = score.into_iter().flatten().map(|(name, value)| {
        let value = value.as_f64().map_or_else(|| value.to_string(), number);
        format!("; {} {value}", name.replace('_', " "))
    });
    let line = format!(
        "train {:?}{test}, {} with noise {}, {}: {seconds:.3} s, in {}{}",
        train_mean.dim(),
        fitted.kernel,
        number(fitted.noise),
        T::NAME,
        args.out.display(),
        said.collect::<String>()
    );
    files::show(common, &answer, &line)
}

/// Leaves out what variances of zero, without noise, make no number of, and says so.
fn without<R>(found: Result<R, MetricError>, what: &str, progress: &Progress) -> Option<R> {
    found
        .map_err(|e| {
            progress.warn(&format!(
                "warning: there are no {what} of the test samples: {e}"
            ));
        })
        .ok()
}

/// Says how well targets are predicted, with the logarithms of their classes' probabilities if there
/// are some.
fn score<T: Real>(
    test: &Posterior<T>,
    classes: Option<&Array2<f64>>,
    y: &Array2<f64>,
    progress: &Progress,
) -> Result<Map<String, Json>, MetricError> {
    let mean = test.mean.mapv(Real::to_f64);
    let variance = test.variance.mapv(Real::to_f64);
    let mut found = Map::new();
    let mut add = |name: &str, value| found.insert(name.into(), super::number(value));
    let density = log_predictive_density(&mean, &variance, y);
    if let Some(density) = without(density, "densities", progress) {
        add("log_predictive_density", density);
    }
    if let Some(classes) = classes {
        let of_class = argmax(y);
        let pairs = classes.rows().into_iter().zip(&of_class);
        let sum: f64 = pairs.map(|(row, &class)| row[class]).sum();
        add("log_probability", sum / of_class.len() as f64);
        add("accuracy", accuracy(&mean, y)?);
    }
    if y.nrows() > 1 {
        add("r2", r2(&mean, y)?);
    }
    Ok(found)
}
