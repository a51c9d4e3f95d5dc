//! `ntk entropy`.

mod landmarks;

use crate::Failure;
use crate::cli::{Common, Entropy, NormalizationChoice, Precision};
use crate::environment;
use crate::files;
use crate::inputs;
use crate::memory;
use crate::npy::{self, NpyFile};
use crate::progress::Progress;
use crate::words;
use ndarray::{Array2, Ix1, Ix2};
use ntk_entropy::{
    Blocks, EntropyError, MutualInformation, Normalization, Rounding, Spectrum, combination,
    multi_output, rank, von_neumann,
};
use ntk_linalg::{Observer, Real};
use serde_json::{Value as Json, json};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::Instant;

pub(crate) fn run(common: &Common, args: &Entropy) -> Result<(), Failure> {
    if let Some(net) = &args.landmarks.net {
        return landmarks::run(common, args, net);
    }
    let path = args
        .kernel
        .as_deref()
        .ok_or("name a kernel by --kernel, or a network by --net")?;
    let file = NpyFile::open(path)?;
    let precision = args.precision.unwrap_or(match file.float_bytes() {
        Some(2 | 4) => Precision::F32,
        _ => Precision::F64,
    });
    match precision {
        Precision::F64 => run_in::<f64>(common, args, (path, &file)),
        Precision::F32 => run_in::<f32>(common, args, (path, &file)),
    }
}

fn run_in<T: Real>(
    common: &Common,
    args: &Entropy,
    (path, file): (&Path, &NpyFile),
) -> Result<(), Failure> {
    let kernel = kernel::<T>(path, file)?;
    let rounding = file.rounding().coarser(Rounding::of::<T>());
    let name = path.display();
    let n = multi_output::samples(kernel.nrows(), args.outputs).map_err(in_file(path))?;
    let labels = args.labels.as_deref().map(labels).transpose()?;
    if let (Some(labels_at), Some(labels)) = (&args.labels, &labels)
        && labels.len() != n
    {
        return Err(format!(
            "{} has {}, and {name} is a kernel of {}; give one label a sample",
            labels_at.display(),
            words::count(labels.len(), "label"),
            words::count(n, "sample")
        )
        .into());
    }
    let all = labels.as_deref().map(|labels| combinations(args, labels));
    let all = all.transpose()?;
    let normalization = normalization(args.normalization);

    // The matrix is destroyed by its decomposition; cosines and blocks are matrices besides.
    let copies = 2 + usize::from(args.labels.is_some());
    let working = memory::matrices::<T>(copies, kernel.dim());
    let remedy = "ask for --precision f32, or give a part of the kernel";
    memory::check(Some(0), working.unwrap_or(u64::MAX), remedy)?;

    let progress = Progress::new(common.quiet || common.json);
    let begun = Instant::now();
    let spectrum =
        Spectrum::of_rounded_kernel(&kernel, normalization, rounding).map_err(in_file(path))?;
    // JSON has no infinity.
    if !spectrum.trace.is_finite() {
        return Err(format!(
            "{name}: its eigenvalues up to {:e} add up to more than f64 holds; divide the kernel by a \
             number, which leaves its entropies as they are",
            spectrum.largest_eigenvalue()
        )
        .into());
    }
    let parts = match labels.as_ref().zip(all) {
        None => ByClass::default(),
        Some((labels, all)) => {
            let blocks = Blocks::of_rounded(&kernel, labels, args.outputs, rounding)
                .map_err(in_file(path))?;
            let parts = ByClass::new((&blocks, path), args, all, normalization, &progress);
            progress.end();
            parts?
        }
    };
    let seconds = begun.elapsed().as_secs_f64();

    let entropy = von_neumann::entropy(&spectrum);
    let answer = json!({
        "n": n,
        "outputs": args.outputs,
        "normalization": args.normalization.name(),
        "trace": spectrum.trace,
        "von_neumann": entropy,
        "effective": von_neumann::effective(&spectrum),
        "lambda_max": spectrum.largest_eigenvalue(),
        "effective_rank": rank::effective_rank(&spectrum),
        "participation_ratio": rank::participation_ratio(&spectrum),
        "clipped_mass": spectrum.clipped_mass,
        "combinations": parts.combinations,
        "pairs": parts.pairs,
        "precision": T::NAME,
        "seconds": seconds,
        "peak_memory": environment::peak_memory(),
    });
    files::show(common, &answer, &lines(&answer))
}

/// The answers that are told of classes.
#[derive(Default)]
struct ByClass {
    combinations: Vec<Json>,
    pairs: Vec<Json>,
}

impl ByClass {
    fn new<T: Real>(
        (blocks, path): (&Blocks<'_, T>, &Path),
        args: &Entropy,
        all: Vec<Vec<usize>>,
        normalization: Normalization,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        progress.begin("combinations", all.len() as u64);
        let mut spectra = HashMap::new();
        for combination in &all {
            let spectrum = blocks.spectrum(combination, normalization);
            let spectrum = spectrum.map_err(in_file(path))?;
            spectra.insert(combination.as_slice(), spectrum);
            progress.advance(1);
        }
        let told = all
            .iter()
            .filter(|c| c.len() <= args.largest.unwrap_or(c.len()))
            .map(|c| {
                let spectrum = &spectra[c.as_slice()];
                json!({
                    "classes": c,
                    "von_neumann": von_neumann::entropy(spectrum),
                    "trace": spectrum.trace,
                })
            });
        let pairs = all.iter().filter(|c| c.len() == 2).map(|c| {
            let of = |classes: &[usize]| &spectra[classes];
            let pair = MutualInformation::of_spectra(of(&c[..1]), of(&c[1..]), of(c));
            json!({
                "classes": c,
                "mutual_information": pair.information(),
                "normalized": pair.normalized(),
                "chi": pair.chi(),
                "chi_normalized": pair.chi_normalized(),
                "p": pair.p,
            })
        });
        Ok(Self {
            combinations: told.collect(),
            pairs: pairs.collect(),
        })
    }
}

/// The answer for people: one quantity a line, then a table of combinations and one of pairs.
fn lines(answer: &Json) -> String {
    let number = |of: &Json, name: &str| match of[name].as_f64() {
        Some(value) => format!("{value:.6}"),
        None => "undefined".into(),
    };
    let classes = |of: &Json| {
        let classes = of["classes"].as_array().into_iter().flatten();
        let names: Vec<_> = classes.map(Json::to_string).collect();
        format!("({})", names.join(","))
    };
    let mut lines = vec![format!(
        "n {}, outputs {}, normalised by {}, {}",
        answer["n"],
        answer["outputs"],
        answer["normalization"].as_str().unwrap_or_default(),
        answer["precision"].as_str().unwrap_or_default(),
    )];
    for name in [
        "trace",
        "von_neumann",
        "effective",
        "lambda_max",
        "effective_rank",
        "participation_ratio",
        "clipped_mass",
    ] {
        let value = answer[name].as_f64().unwrap_or(f64::NAN);
        lines.push(format!("{name:<20} {value:.8e}"));
    }
    let rows = |key: &str| answer[key].as_array().into_iter().flatten();
    for (key, columns) in [
        ("combinations", &["von_neumann", "trace"][..]),
        (
            "pairs",
            &[
                "mutual_information",
                "normalized",
                "chi",
                "chi_normalized",
                "p",
            ],
        ),
    ] {
        if rows(key).next().is_none() {
            continue;
        }
        let titles: String = columns.iter().map(|c| format!(" {c:>20}")).collect();
        lines.push(format!("\n{:<20}{titles}", "classes"));
        for row in rows(key) {
            let numbers: String = columns
                .iter()
                .map(|c| format!(" {:>20}", number(row, c)))
                .collect();
            lines.push(format!("{:<20}{numbers}", classes(row)));
        }
    }
    lines.join("\n")
}

/// A matrix of finite numbers.
fn kernel<T: Real>(path: &Path, file: &NpyFile) -> Result<Array2<T>, Failure> {
    let kernel = file.array::<T>()?;
    inputs::check_finite(path, &kernel)?;
    let shape = kernel.shape().to_vec();
    let square = kernel.into_dimensionality::<Ix2>().ok();
    Ok(square.filter(Array2::is_square).ok_or_else(|| {
        format!(
            "{} has shape {shape:?}, expected a square matrix (n, n), or full (n o, n o)",
            path.display()
        )
    })?)
}

/// Classes: whole numbers, one a sample.
fn labels(path: &Path) -> Result<Vec<usize>, Failure> {
    let labels = npy::read::<f64>(path)?;
    let name = path.display();
    let shape = labels.shape().to_vec();
    let labels = labels.into_dimensionality::<Ix1>().map_err(|_| {
        format!(
            "{name} has shape {shape:?}, expected (n): one whole number a sample, no one-hot rows"
        )
    })?;
    let class = |(i, &label): (usize, &f64)| match label >= 0.0 && label.fract() == 0.0 {
        true => Ok(label as usize),
        false => Err(format!(
            "{name}: label {i} is {label:?}, expected a whole number, zero or more"
        )),
    };
    Ok(labels
        .iter()
        .enumerate()
        .map(class)
        .collect::<Result<_, _>>()?)
}

/// Lists the combinations to be computed, before anything is.
fn combinations(args: &Entropy, labels: &[usize]) -> Result<Vec<Vec<usize>>, Failure> {
    let classes = match args.classes.is_empty() {
        false => args.classes.clone(),
        true => {
            let there: BTreeSet<_> = labels.iter().copied().collect();
            there.into_iter().collect()
        }
    };
    let mut seen = BTreeSet::new();
    if let Some(class) = classes.iter().find(|&&class| !seen.insert(class)) {
        return Err(format!("class {class} is named twice in --classes; name it once").into());
    }
    let largest = args.largest.unwrap_or(classes.len());
    // Pairs are told in any case.
    combination::combinations(&classes, largest.max(2)).map_err(|e| match e {
        EntropyError::Combinations { .. } => {
            let found = e.to_string();
            let found = found.split(';').next().unwrap_or_default();
            format!("{found}; name fewer --classes, or combine fewer by --largest 2").into()
        }
        e => e.into(),
    })
}

fn normalization(choice: NormalizationChoice) -> Normalization {
    match choice {
        NormalizationChoice::Trace => Normalization::Trace,
        NormalizationChoice::Cosine => Normalization::Cosine,
        NormalizationChoice::None => Normalization::None,
    }
}

/// Makes errors of what is in a file name it, and the flags that mend it.
fn in_file(path: &Path) -> impl Fn(EntropyError) -> Failure {
    let name = path.display().to_string();
    move |error| {
        match error {
        EntropyError::NotNormalized { trace } => format!(
            "{name} has trace {}, expected 1; leave out --normalization none, and it is divided \
             by its trace",
            words::number(trace)
        ),
        EntropyError::Outputs { .. } => format!("{name}: {error}; say how many by --outputs"),
        EntropyError::EmptyClass { .. } => format!("{error}; --classes names it"),
        error => format!("{name}: {error}"),
    }
    .into()
    }
}
