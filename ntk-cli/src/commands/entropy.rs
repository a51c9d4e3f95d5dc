//! `ntk entropy`.

use crate::Failure;
use crate::cli::{Common, Entropy, NormalizationChoice, Precision};
use crate::environment;
use crate::files;
use crate::inputs;
use crate::npy;
use crate::progress::Progress;
use ndarray::{Array2, Ix1, Ix2};
use ntk_entropy::{
    Blocks, MutualInformation, Normalization, Spectrum, combination, multi_output, rank,
    von_neumann,
};
use ntk_linalg::{Observer, Real};
use serde_json::{Value as Json, json};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::Instant;

pub(crate) fn run(common: &Common, args: &Entropy) -> Result<(), Failure> {
    let precision = args
        .precision
        .unwrap_or(match npy::is_single(&args.kernel) {
            true => Precision::F32,
            false => Precision::F64,
        });
    match precision {
        Precision::F64 => run_in::<f64>(common, args),
        Precision::F32 => run_in::<f32>(common, args),
    }
}

fn run_in<T: Real>(common: &Common, args: &Entropy) -> Result<(), Failure> {
    let kernel = kernel::<T>(&args.kernel)?;
    let name = args.kernel.display();
    let n = multi_output::samples(kernel.nrows(), args.outputs)
        .map_err(|e| format!("{name}: {e}; say how many by --outputs"))?;
    let labels = args.labels.as_deref().map(labels).transpose()?;
    if let (Some(path), Some(labels)) = (&args.labels, &labels)
        && labels.len() != n
    {
        return Err(format!(
            "{} has {} labels, and {name} is a kernel of {n} samples; give one label a sample",
            path.display(),
            labels.len(),
        )
        .into());
    }
    let normalization = match args.normalization {
        NormalizationChoice::Trace => Normalization::Trace,
        NormalizationChoice::Cosine => Normalization::Cosine,
        NormalizationChoice::None => Normalization::None,
    };

    let progress = Progress::new(common.quiet || common.json);
    let begun = Instant::now();
    let spectrum =
        Spectrum::of_kernel(&kernel, normalization).map_err(|e| format!("{name}: {e}"))?;
    let parts = match &labels {
        None => ByClass::default(),
        Some(labels) => {
            let blocks = Blocks::of_outputs(&kernel, labels, args.outputs)?;
            let parts = ByClass::new(&blocks, args, labels, normalization, &progress);
            progress.end();
            parts.map_err(|e| format!("{name}: {e}"))?
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
        blocks: &Blocks<'_, T>,
        args: &Entropy,
        labels: &[usize],
        normalization: Normalization,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        let classes = match args.classes.is_empty() {
            false => args.classes.clone(),
            true => labels
                .iter()
                .copied()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
        };
        let mut seen = BTreeSet::new();
        if let Some(class) = classes.iter().find(|&&class| !seen.insert(class)) {
            return Err(format!("class {class} is named twice in --classes; name it once").into());
        }
        let largest = args.largest.unwrap_or(classes.len());
        // Pairs are told in any case.
        let count = combination_count(classes.len(), largest.max(2));
        if count > MOST_COMBINATIONS {
            return Err(format!(
                "{} classes have {count:.0e} combinations, more than {MOST_COMBINATIONS:.0e}; name fewer \
                 --classes, or give a smaller --largest",
                classes.len()
            )
            .into());
        }
        let all = combination::combinations(&classes, largest.max(2));
        progress.begin("combinations", all.len() as u64);
        let mut spectra = HashMap::new();
        for combination in &all {
            let spectrum = blocks.spectrum(combination, normalization)?;
            spectra.insert(combination.as_slice(), spectrum);
            progress.advance(1);
        }
        let told = all.iter().filter(|c| c.len() <= largest).map(|c| {
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
fn kernel<T: Real>(path: &Path) -> Result<Array2<T>, Failure> {
    let kernel = npy::read::<T>(path)?;
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
            "{name}: label {i} is {label}, expected a whole number, zero or more"
        )),
    };
    Ok(labels
        .iter()
        .enumerate()
        .map(class)
        .collect::<Result<_, _>>()?)
}

/// Combinations that are computed at most: of more the spectra would take hours, and the list the
/// memory.
const MOST_COMBINATIONS: f64 = 1e5;

/// Counts the sets of 1 to `largest` of `classes`.
fn combination_count(classes: usize, largest: usize) -> f64 {
    let mut of_size = 1.0;
    let sizes = 1..=largest.min(classes);
    sizes
        .map(|size| {
            of_size *= (classes - size + 1) as f64 / size as f64;
            of_size
        })
        .sum()
}
