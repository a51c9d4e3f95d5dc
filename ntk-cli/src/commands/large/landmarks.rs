//! `ntk large --landmarks`: regression over some of very many images.

use super::plan::{seconds_per_entry, seconds_per_operation};
use super::problems::{CLASSES, LoadedProblem, Problem};
use super::report::{self, About};
use crate::Failure;
use crate::cli::{Common, OverLandmarks, Regression, SolverName};
use crate::data_sets::Loaded;
use crate::environment::{self, Environment, available_memory};
use crate::files;
use crate::progress::{Progress, duration};
use crate::results::{FigureInfo, Outcome, Value, accuracy};
use crate::space::size;
use crate::words;
use ndarray::{Array1, Array2, ArrayD, Axis, concatenate};
use ntk_data::{Split, targets};
use ntk_kernels::predict::{PredictError, Ridge};
use ntk_kernels::{Checkpoint, FittedLandmarks, Landmarks, Ranks, Solver};
use ntk_linalg::Observer;
use ntk_plots::{Figure, LineChart, Scale, Series};
use ntk_store::CheckpointFile;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value as Json, json};
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

/// Images whose kernel with the landmarks is held at once.
const BLOCK: usize = 1024;

/// The seconds that an image takes to be deformed and projected, on one thread.
const SECONDS_PER_IMAGE: f64 = 6e-5;

/// The share of the memory that images may take to be kept rather than made anew in each pass.
const KEPT: u64 = 4;

/// The processes that share the work.
pub(crate) struct Job<'a> {
    pub(crate) ranks: &'a dyn Ranks,
    /// How many there are, or would be.
    pub(crate) count: usize,
    /// How many of them share this machine's memory.
    pub(crate) here: usize,
}

impl Job<'_> {
    pub(crate) fn alone() -> Self {
        Self {
            ranks: &(),
            count: 1,
            here: 1,
        }
    }
}

/// Refuses what does not go together, before any work; returns whether landmarks are asked for.
pub(crate) fn check(
    of: &Regression,
    over: &OverLandmarks,
    problem: &Problem,
) -> Result<bool, Failure> {
    let path = over.checkpoint.as_ref();
    if over.landmarks.is_empty() && problem.deformed.is_none() {
        return match path {
            Some(_) => Err(
                "only a fit over landmarks has a checkpoint; give --landmarks, or keep the \
                            kernel by --store in place of --checkpoint"
                    .into(),
            ),
            None => Ok(false),
        };
    }
    if of.store.is_some() {
        return Err(keep_no_kernel("--store"));
    }
    if let Some(path) = path {
        if of.train.len() > 1 || over.landmarks.len() > 1 {
            return Err(
                "a checkpoint is of one fit; give one number of --train and of --landmarks, \
                        or leave out --checkpoint"
                    .into(),
            );
        }
        files::check_writable(path, "--checkpoint")?;
    }
    Ok(true)
}

/// Says that landmarks have no use for a flag.
pub(crate) fn keep_no_kernel(flag: &str) -> Failure {
    format!("landmarks keep no kernel of all images; leave out {flag}").into()
}

pub(crate) fn run(
    common: &Common,
    (of, over): (&Regression, &OverLandmarks),
    (problem, data): (&'static Problem, Loaded),
    progress: &Progress,
    job: &Job<'_>,
) -> Result<(), Failure> {
    // Of images that are made, the data set has the originals.
    let loaded = LoadedProblem::new(problem, of.net.as_deref(), &data.set, None, of.test)?;
    let first = job.ranks.rank() == 0;
    let asked = Asked::all((of, over), &loaded)?;
    let plan = Plan::new(&asked, &loaded, job)?;
    if of.dry_run {
        return plan.show(common);
    }
    progress.say(&plan.to_string());
    plan.check()?;
    let _alone = first.then(|| report::prepare(of)).transpose()?;
    let environment = Environment::here();
    let begun = Instant::now();
    let mut seconds = Map::new();
    let stream = Stream::new(&loaded, plan.images, plan.keeps, progress, job.ranks)?;
    seconds.insert("images".into(), json!(begun.elapsed().as_secs_f64()));
    let file = over.checkpoint.as_ref().map(|path| match job.count {
        1 => CheckpointFile::new(path),
        _ => CheckpointFile::new(path.with_added_extension(job.ranks.rank().to_string())),
    });
    let mut values = Vec::new();
    let mut fitting = Vec::new();
    let mut errors = Vec::new();
    for asked in &asked {
        let begun = Instant::now();
        let seed = of.drawn.seed;
        let fitted = asked.fit(&stream, file.as_ref(), seed, progress, job.ranks)?;
        fitting.push(json!(begun.elapsed().as_secs_f64()));
        if first {
            let (error, found) = asked.test(&fitted, &loaded)?;
            errors.push((asked, error));
            values.extend(found);
        }
    }
    seconds.insert("fits".into(), fitting.into());
    if first {
        if let Some(bytes) = environment::peak_memory() {
            values.push(Value::new("peak_memory", [], bytes as f64).note(&size(bytes)));
        }
        let outcome = Outcome {
            settings: settings(&asked, &loaded, of, job),
            seconds,
            values,
            figures: figure(&errors).into_iter().collect(),
        };
        let about = About {
            common,
            of,
            loaded: &loaded,
            data: data.info,
            environment,
            begun,
            progress,
        };
        let results = report::put(about, outcome)?;
        report::remind(common, &results, progress);
    }
    if let Some(file) = &file {
        // What was found is told.
        let removed = file.remove();
        removed.map_err(|e| files::unwritable(Path::new(&file.name()), "--checkpoint", &e))?;
    }
    Ok(())
}

fn settings(
    asked: &[Asked],
    loaded: &LoadedProblem,
    regression: &Regression,
    job: &Job<'_>,
) -> Map<String, Json> {
    let problem = loaded.problem;
    let deformed = problem.deformed.as_ref();
    let of = |number: fn(&Asked) -> Json| -> Vec<Json> { asked.iter().map(number).collect() };
    let settings = json!({
        "network": loaded.network,
        "kernel": problem.kernel,
        "inputs": loaded.described(),
        "deformations": deformed.map(|deformed| format!("{:?}", (deformed.how)())),
        "targets": "one-hot - 1/10",
        "train": of(|asked| json!(asked.samples)),
        "landmarks": of(|asked| json!(asked.landmarks)),
        "diag_reg": of(|asked| json!(asked.ridge)),
        "test": loaded.test.len(),
        "solver": format!("{:?}", asked[0].solver),
        "seed": regression.drawn.seed,
        "ranks": job.count,
    });
    match settings {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

/// Test errors against the numbers of landmarks and of images, where there are several.
fn figure(errors: &[(&Asked, f64)]) -> Option<(FigureInfo, Figure)> {
    type Number = fn(&Asked) -> usize;
    let (images, landmarks): (Number, Number) = (|asked| asked.samples, |asked| asked.landmarks);
    let chart = |along: Number, each: Number, label: &str, what: &str| {
        let mut all: Vec<usize> = errors.iter().map(|(asked, _)| each(asked)).collect();
        all.sort_unstable();
        all.dedup();
        let mut chart = LineChart::new("")
            .x_label(label)
            .y_label("test error in per cent")
            .x_scale(Scale::Log);
        let mut several = false;
        for value in all {
            let mut points: Vec<(f64, f64)> = errors
                .iter()
                .filter(|(asked, _)| each(asked) == value)
                .map(|&(asked, error)| (along(asked) as f64, error))
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            several |= points.len() > 1;
            let (x, y): (Vec<_>, Vec<_>) = points.into_iter().unzip();
            chart = chart.series(Series::new(format!("{value} {what}"), x, y).markers());
        }
        several.then_some(chart)
    };
    let charts = [
        chart(landmarks, images, "landmarks", "images"),
        chart(images, landmarks, "training images", "landmarks"),
    ];
    let charts: Vec<_> = charts.into_iter().flatten().map(Into::into).collect();
    let info = FigureInfo {
        stem: "errors".into(),
        caption: "The share of the test images that are classified wrongly.".into(),
    };
    (!charts.is_empty()).then(|| (info, Figure::new(charts)))
}

/// One fit that is asked for.
struct Asked {
    samples: usize,
    landmarks: usize,
    /// A multiple of the mean kernel of an image with itself.
    ridge: f64,
    solver: Solver,
}

impl Asked {
    /// Every number of images with every number of landmarks.
    fn all(
        (of, over): (&Regression, &OverLandmarks),
        loaded: &LoadedProblem,
    ) -> Result<Vec<Self>, Failure> {
        let deformed = loaded.problem.deformed.as_ref();
        let numbers = |asked: &[u32], default: Option<usize>| -> Result<Vec<usize>, Failure> {
            let asked: Result<Vec<usize>, _> = asked.iter().map(|&n| n.try_into()).collect();
            let asked = asked?;
            Ok(match default {
                Some(default) if asked.is_empty() => vec![default],
                _ => asked,
            })
        };
        let originals = loaded.train.len();
        let images = deformed.map_or(originals, |deformed| deformed.images);
        let images = numbers(&of.train, Some(images))?;
        let landmarks = deformed.map(|deformed| deformed.landmarks);
        let landmarks = numbers(&over.landmarks, landmarks)?;
        let ridge = deformed.map_or(0.0, |deformed| deformed.ridge);
        let solver = match of.solver {
            SolverName::Cholesky => Solver::NormalEquations,
            SolverName::Cg | SolverName::Both => Solver::ConjugateGradients {
                tolerance: of.tolerance,
                iterations: usize::try_from(over.iterations)?,
            },
        };
        let mut all = Vec::new();
        for &samples in &images {
            if samples > originals && deformed.is_none() {
                return Err(format!(
                    "--train asks for {samples} images, and {} has {originals}; ask for fewer, or \
                     for mnist-million, which deforms them",
                    loaded.problem.data
                )
                .into());
            }
            for &landmarks in &landmarks {
                if landmarks > samples {
                    return Err(format!(
                        "--landmarks asks for {landmarks} of {samples} images; ask for fewer, or \
                         for more images by --train"
                    )
                    .into());
                }
                all.push(Self {
                    samples,
                    landmarks,
                    ridge: of.diag_reg.unwrap_or(ridge * samples as f64),
                    solver,
                });
            }
        }
        Ok(all)
    }

    fn fit(
        &self,
        stream: &Stream<'_>,
        file: Option<&CheckpointFile>,
        seed: u64,
        progress: &Progress,
        ranks: &dyn Ranks,
    ) -> Result<FittedLandmarks<f32>, Failure> {
        let points = stream.chosen(self.samples, self.landmarks, seed)?;
        let mut landmarks = Landmarks::new(&stream.loaded.network)
            .kernel(stream.loaded.problem.kernel)
            .alpha(Ridge::Relative(self.ridge))
            .solver(self.solver)
            .block(BLOCK)
            .observer(progress);
        if let Some(file) = file {
            landmarks = landmarks.checkpoint(file);
        }
        let read = |range| stream.block(range);
        let fitted = landmarks.fit_over(ranks, &points, self.samples, read)?;
        progress.end();
        Ok(fitted)
    }

    /// Returns the test error in per cent, and all that was found.
    fn test(
        &self,
        fitted: &FittedLandmarks<f32>,
        loaded: &LoadedProblem,
    ) -> Result<(f64, Vec<Value>), Failure> {
        let test = loaded.inputs::<f32>(&loaded.test);
        let outputs = fitted.predict(&test)?;
        let accuracy = accuracy(outputs.view(), &loaded.test.labels.to_vec());
        let error = 100.0 * (1.0 - accuracy);
        let value = |name: &str, value| {
            let place = [
                ("train", json!(self.samples)),
                ("landmarks", json!(self.landmarks)),
            ];
            Value::new(name, place, value)
        };
        let mut values = vec![
            value("test_accuracy", accuracy),
            value("test_error_percent", error),
            value("residual", fitted.residual()),
            value("ridge", fitted.ridge_added()),
        ];
        let parameters = fitted.effective_parameters();
        values.extend(parameters.map(|parameters| value("effective_parameters", parameters)));
        Ok((error, values))
    }
}

/// Images as the network takes them, kept or made as they are needed.
struct Stream<'a> {
    loaded: &'a LoadedProblem,
    /// The blocks of this process, one after another.
    kept: Option<ArrayD<f32>>,
    rank: usize,
    ranks: usize,
}

impl<'a> Stream<'a> {
    fn new(
        loaded: &'a LoadedProblem,
        samples: usize,
        keeps: bool,
        progress: &Progress,
        ranks: &dyn Ranks,
    ) -> Result<Self, Failure> {
        let mut stream = Self {
            loaded,
            kept: None,
            rank: ranks.rank(),
            ranks: ranks.count(),
        };
        if keeps {
            let mut shape = loaded.inputs::<f32>(&stream.split(0..1)?).shape().to_vec();
            let starts = (stream.rank * BLOCK..samples).step_by(stream.ranks * BLOCK);
            let own: Vec<_> = starts.map(|i| i..samples.min(i + BLOCK)).collect();
            shape[0] = own.iter().map(ExactSizeIterator::len).sum();
            let mut kept = ArrayD::zeros(shape);
            progress.begin("images", kept.len_of(Axis(0)) as u64);
            for (i, range) in own.into_iter().enumerate() {
                progress.check().map_err(PredictError::from)?;
                let made = loaded.inputs::<f32>(&stream.split(range.clone())?);
                let there = i * BLOCK..i * BLOCK + range.len();
                kept.slice_axis_mut(Axis(0), there.into()).assign(&made);
                progress.advance(range.len() as u64);
            }
            progress.end();
            stream.kept = Some(kept);
        }
        Ok(stream)
    }

    fn split(&self, range: Range<usize>) -> Result<Split, Failure> {
        let train = &self.loaded.train;
        Ok(match &self.loaded.problem.deformed {
            Some(deformed) => {
                (deformed.how)().images(train, range.start as u64..range.end as u64)?
            }
            None => train.select(&train.rows[range])?,
        })
    }

    /// Images and targets of a range that is in one block.
    fn block(&self, range: Range<usize>) -> Result<(ArrayD<f32>, Array2<f32>), Failure> {
        let originals = self.loaded.train.len();
        let labels: Array1<u8> = range
            .clone()
            .map(|i| self.loaded.train.labels[i % originals])
            .collect();
        let y: Array2<f32> = targets::one_hot(&labels, CLASSES)?;
        let y = y - 1.0 / CLASSES as f32;
        let block = range.start / BLOCK;
        let x = match &self.kept {
            Some(kept) if block % self.ranks == self.rank => {
                let skipped = (block - block / self.ranks) * BLOCK;
                let there = range.start - skipped..range.end - skipped;
                kept.slice_axis(Axis(0), there.into()).to_owned()
            }
            _ => self.loaded.inputs(&self.split(range)?),
        };
        Ok((x, y))
    }

    /// Landmarks, drawn uniformly from so many images.
    fn chosen(&self, samples: usize, count: usize, seed: u64) -> Result<ArrayD<f32>, Failure> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut which = rand::seq::index::sample(&mut rng, samples, count).into_vec();
        which.sort_unstable();
        let each: Result<Vec<ArrayD<f32>>, Failure> = which
            .into_iter()
            .map(|i| Ok(self.block(i..i + 1)?.0))
            .collect();
        let each = each?;
        let views: Vec<_> = each.iter().map(|x| x.view()).collect();
        Ok(concatenate(Axis(0), &views)?)
    }
}

/// The memory and the time that a run takes.
struct Plan {
    lines: Vec<String>,
    /// The most images, and whether they are kept.
    images: usize,
    keeps: bool,
    memory: u64,
    available: Option<u64>,
    steps: [(&'static str, f64); 4],
    /// This is true where the kernel's first entries took too long to wait for: the work takes longer.
    longer: bool,
}

impl Plan {
    fn new(asked: &[Asked], loaded: &LoadedProblem, job: &Job<'_>) -> Result<Self, Failure> {
        let features = loaded.features();
        let images = asked
            .iter()
            .map(|asked| asked.samples)
            .max()
            .unwrap_or_default();
        let available = available_memory().map(|bytes| bytes / job.here as u64);
        let kept = (images.div_ceil(job.count) as u64).saturating_mul(4 * features as u64);
        let keeps = available.is_none_or(|available| kept <= available / KEPT);
        let (entry, longer) = seconds_per_entry::<f32>(loaded)?;
        let operation = seconds_per_operation::<f64>()?;
        let mut plan = Self {
            lines: Vec::new(),
            images,
            keeps,
            memory: 0,
            available,
            steps: [
                ("images", 0.0),
                ("landmarks", 0.0),
                ("passes", 0.0),
                ("test", 0.0),
            ],
            longer,
        };
        let image = SECONDS_PER_IMAGE / (rayon::current_num_threads() * job.count) as f64;
        let image = loaded.problem.deformed.as_ref().map_or(0.0, |_| image);
        if keeps {
            plan.steps[0].1 = image * images as f64;
        }
        for asked in asked {
            let (n, m) = (asked.samples as f64, asked.landmarks as f64);
            let (bytes, passes, more, once) = match asked.solver {
                // Whitened and multiplied with itself.
                Solver::NormalEquations => (80, 1, 3.0 * m, 20.0),
                Solver::ConjugateGradients { iterations, .. } => {
                    (16, iterations + 1, 4.0 * CLASSES as f64, 7.0)
                }
            };
            let m64 = asked.landmarks as u64;
            let memory = m64 * m64 * bytes + BLOCK as u64 * m64 * 32;
            plan.memory = plan.memory.max(memory);
            let passes = passes as f64;
            if !keeps {
                plan.steps[0].1 += image * n * passes;
            }
            plan.steps[1].1 += once * m.powi(3) * operation;
            plan.steps[2].1 += passes * n * m * (entry + more * operation) / job.count as f64;
            plan.steps[3].1 += loaded.test.len() as f64 * m * entry;
            plan.lines.push(format!(
                "{} images, {} landmarks",
                asked.samples, asked.landmarks
            ));
        }
        plan.memory += loaded.train.images.len() as u64 + if keeps { kept } else { 0 };
        plan.lines.push(format!(
            "{}, {} test images of {features} features, network {}",
            loaded.problem.name,
            loaded.test.len(),
            serde_json::to_string(&loaded.network)?
        ));
        plan.lines.rotate_right(1);
        if job.count > 1 {
            plan.lines
                .push(format!("on {} ranks, of each of which:", job.count));
        }
        Ok(plan)
    }

    fn check(&self) -> Result<(), Failure> {
        match self.available {
            Some(available) if available < self.memory => Err(format!(
                "this takes {} of memory, and {} are available; give fewer --landmarks, or --solver cg",
                size(self.memory),
                size(available)
            )
            .into()),
            _ => Ok(()),
        }
    }

    fn show(&self, common: &Common) -> Result<(), Failure> {
        let steps: Map<_, _> = self
            .steps
            .iter()
            .map(|(name, seconds)| ((*name).to_string(), json!(seconds)))
            .collect();
        let refusal = self.check().err();
        let answer = json!({
            "what": self.lines,
            "fits": refusal.is_none(),
            "longer": self.longer,
            "memory_bytes": self.memory,
            "memory_available": self.available,
            "images_kept": self.keeps,
            "expected_seconds": steps,
        });
        let refusal = refusal.map_or_else(String::new, |why| format!("\n  refused: {why}"));
        files::show(common, &answer, &format!("{self}{refusal}"))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        write!(f, "  in memory at most: {}", size(self.memory))?;
        if let Some(available) = self.available {
            write!(f, " of {} available", size(available))?;
        }
        let total: f64 = self.steps.iter().map(|(_, seconds)| seconds).sum();
        let threads = words::count(rayon::current_num_threads(), "thread");
        let about = if self.longer {
            "more than"
        } else {
            "at most about"
        };
        write!(f, "\n  on {threads} {about} {}:", duration(total))?;
        let steps = self.steps.iter();
        let steps = steps.map(|(name, seconds)| format!("{name} {}", duration(*seconds)));
        write!(f, " {}", steps.collect::<Vec<_>>().join(", "))
    }
}
