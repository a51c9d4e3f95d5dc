//! `ntk large --landmarks`: regression over some of very many images.

use super::plan::{seconds_per_entry, seconds_per_operation};
use super::problems::{CLASSES, LoadedProblem};
use super::report::{self, About};
use crate::Failure;
use crate::cli::{Common, Large, SolverName};
use crate::environment::{self, Environment, available_memory};
use crate::files;
use crate::progress::{Progress, duration};
use crate::results::{DataInfo, Outcome, Value, accuracy};
use crate::space::size;
use crate::words;
use ndarray::{Array1, Array2, ArrayD, Axis, concatenate};
use ntk_data::{Split, targets};
use ntk_kernels::predict::{PredictError, Ridge};
use ntk_kernels::{Landmarks, Solver};
use ntk_linalg::Observer;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value as Json, json};
use std::fmt;
use std::ops::Range;
use std::time::Instant;

/// Images whose kernel with the landmarks is held at once.
const BLOCK: usize = 1024;

/// What an image takes to be deformed and projected, on one thread.
const SECONDS_PER_IMAGE: f64 = 6e-5;

/// The share of the memory that images may take to be kept rather than made anew in each pass.
const KEPT: u64 = 4;

pub(super) fn run(
    common: &Common,
    args: &Large,
    (loaded, data): (LoadedProblem, DataInfo),
    progress: &Progress,
) -> Result<(), Failure> {
    let asked = Asked::new(args, &loaded)?;
    let plan = Plan::new(&asked, &loaded)?;
    if args.of.dry_run {
        return plan.show(common);
    }
    progress.say(&plan.to_string());
    plan.check()?;
    let _alone = report::prepare(&args.of)?;
    let environment = Environment::here();
    let begun = Instant::now();
    let mut seconds = Map::new();
    let stream = Stream::new(&loaded, &asked, plan.keeps, progress)?;
    seconds.insert("images".into(), json!(begun.elapsed().as_secs_f64()));
    let fitting = Instant::now();
    let points = stream.chosen(asked.landmarks, args.of.drawn.seed)?;
    let mut landmarks = Landmarks::new(&loaded.network)
        .kernel(loaded.problem.kernel)
        .alpha(Ridge::Relative(asked.ridge))
        .solver(asked.solver)
        .block(BLOCK)
        .observer(progress);
    if let Some(path) = &args.checkpoint {
        landmarks = landmarks.checkpoint(path);
    }
    let fitted = landmarks.fit_from_fn(&points, asked.samples, |range| stream.block(range))?;
    progress.end();
    seconds.insert("fit".into(), json!(fitting.elapsed().as_secs_f64()));
    let testing = Instant::now();
    let test = loaded.inputs::<f32>(&loaded.test);
    let outputs = fitted.predict(&test)?;
    seconds.insert("test".into(), json!(testing.elapsed().as_secs_f64()));
    let found = accuracy(outputs.view(), &loaded.test.labels.to_vec());
    let mut values = vec![
        Value::new("test_accuracy", [], found),
        Value::new("test_error_percent", [], 100.0 * (1.0 - found)),
        Value::new("residual", [], fitted.residual()).note("of the preconditioned equations"),
    ];
    if let Some(parameters) = fitted.effective_parameters() {
        values.push(Value::new("effective_parameters", [], parameters));
    }
    if let Some(bytes) = environment::peak_memory() {
        values.push(Value::new("peak_memory", [], bytes as f64).note(&size(bytes)));
    }
    let settings = asked.settings(&loaded, args, fitted.ridge_added());
    let outcome = Outcome {
        settings,
        seconds,
        values,
        figures: Vec::new(),
    };
    let about = About {
        common,
        of: &args.of,
        loaded: &loaded,
        data,
        environment,
        begun,
        progress,
    };
    report::put(about, outcome)?;
    match &args.checkpoint {
        // What was found is told.
        Some(path) => {
            Ok(std::fs::remove_file(path)
                .map_err(|e| files::unwritable(path, "--checkpoint", &e))?)
        }
        None => Ok(()),
    }
}

/// What is asked for.
struct Asked {
    samples: usize,
    landmarks: usize,
    /// A multiple of the mean kernel of an image with itself.
    ridge: f64,
    solver: Solver,
}

impl Asked {
    fn new(args: &Large, loaded: &LoadedProblem) -> Result<Self, Failure> {
        let of = &args.of;
        for (given, flag) in [
            (of.store.is_some(), "--store"),
            (args.products.is_some(), "--products"),
        ] {
            if given {
                return Err(
                    format!("landmarks keep no kernel of all images; leave out {flag}").into(),
                );
            }
        }
        let originals = loaded.train.len();
        let default = loaded
            .problem
            .deformed
            .as_ref()
            .map_or(originals, |deformed| deformed.images);
        let samples = of.train.map_or(Ok(default), usize::try_from)?;
        if samples > originals && loaded.problem.deformed.is_none() {
            return Err(format!(
                "--train asks for {samples} images, and {} has {originals}; ask for fewer, or for mnist-million, \
                 which deforms them",
                loaded.problem.data
            )
            .into());
        }
        let default = loaded
            .problem
            .deformed
            .as_ref()
            .map(|deformed| deformed.landmarks);
        let default = default.map(|m| m.min(samples));
        let landmarks = args.landmarks.map(usize::try_from).transpose()?;
        let landmarks = landmarks.or(default).unwrap_or_default();
        if landmarks > samples {
            return Err(format!(
                "--landmarks asks for {landmarks} of {samples} images; ask for fewer, or for more images by --train"
            )
            .into());
        }
        let default = loaded
            .problem
            .deformed
            .as_ref()
            .map_or(0.0, |deformed| deformed.ridge);
        Ok(Self {
            samples,
            landmarks,
            ridge: of.diag_reg.unwrap_or(default * samples as f64),
            solver: match of.solver {
                SolverName::Cholesky => Solver::NormalEquations,
                SolverName::Cg | SolverName::Both => Solver::ConjugateGradients {
                    tolerance: of.tolerance,
                    iterations: usize::try_from(args.iterations)?,
                },
            },
        })
    }

    fn settings(&self, loaded: &LoadedProblem, args: &Large, ridge: f64) -> Map<String, Json> {
        let problem = loaded.problem;
        let deformed = problem.deformed.as_ref();
        let settings = json!({
            "network": loaded.network,
            "kernel": problem.kernel,
            "inputs": loaded.described(),
            "deformations": deformed.map(|deformed| format!("{:?}", (deformed.how)())),
            "targets": "one-hot - 1/10",
            "train": self.samples,
            "test": loaded.test.len(),
            "landmarks": self.landmarks,
            "diag_reg": self.ridge,
            "ridge": ridge,
            "solver": format!("{:?}", self.solver),
            "seed": args.of.drawn.seed,
        });
        match settings {
            Json::Object(map) => map,
            _ => Map::new(),
        }
    }
}

/// Images as the network takes them, kept or made as they are needed.
struct Stream<'a> {
    loaded: &'a LoadedProblem,
    kept: Option<ArrayD<f32>>,
    samples: usize,
}

impl<'a> Stream<'a> {
    fn new(
        loaded: &'a LoadedProblem,
        asked: &Asked,
        keeps: bool,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        let samples = asked.samples;
        let mut stream = Self {
            loaded,
            kept: None,
            samples,
        };
        if keeps {
            let mut shape = vec![samples];
            shape.extend_from_slice(&loaded.inputs::<f32>(&stream.split(0..1)?).shape()[1..]);
            let mut kept = ArrayD::zeros(shape);
            progress.begin("images", samples as u64);
            for start in (0..samples).step_by(8 * BLOCK) {
                progress.check().map_err(PredictError::from)?;
                let range = start..samples.min(start + 8 * BLOCK);
                let made = loaded.inputs::<f32>(&stream.split(range.clone())?);
                kept.slice_axis_mut(Axis(0), range.clone().into())
                    .assign(&made);
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
            None => train.select(&range.collect::<Vec<_>>())?,
        })
    }

    /// Images and targets of a range.
    fn block(&self, range: Range<usize>) -> Result<(ArrayD<f32>, Array2<f32>), Failure> {
        let originals = self.loaded.train.len();
        let labels: Array1<u8> = range
            .clone()
            .map(|i| self.loaded.train.labels[i % originals])
            .collect();
        let y: Array2<f32> = targets::one_hot(&labels, CLASSES)?;
        let y = y - 1.0 / CLASSES as f32;
        let x = match &self.kept {
            Some(kept) => kept.slice_axis(Axis(0), range.into()).to_owned(),
            None => self.loaded.inputs(&self.split(range)?),
        };
        Ok((x, y))
    }

    /// Landmarks, drawn uniformly from all images.
    fn chosen(&self, count: usize, seed: u64) -> Result<ArrayD<f32>, Failure> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut which = rand::seq::index::sample(&mut rng, self.samples, count).into_vec();
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

/// What a run takes.
struct Plan {
    line: String,
    /// Whether the images are kept.
    keeps: bool,
    memory: u64,
    available: Option<u64>,
    passes: usize,
    steps: Vec<(&'static str, f64)>,
    /// This is true where the kernel's first entries took too long to wait for: the work takes longer.
    longer: bool,
}

impl Plan {
    fn new(asked: &Asked, loaded: &LoadedProblem) -> Result<Self, Failure> {
        let (n, m) = (asked.samples, asked.landmarks);
        let features = loaded.features();
        let available = available_memory();
        let images = (n as u64).saturating_mul(4 * features as u64);
        let keeps = available.is_none_or(|available| images <= available / KEPT);
        let squares = match asked.solver {
            Solver::NormalEquations => 80,
            Solver::ConjugateGradients { .. } => 16,
        };
        let m64 = m as u64;
        let memory = m64 * m64 * squares
            + if keeps { images } else { 0 }
            + loaded.train.images.len() as u64
            + BLOCK as u64 * m64 * 16;
        let (entry, longer) = seconds_per_entry::<f32>(loaded)?;
        let operation = seconds_per_operation::<f64>()?;
        let (passes, more, once) = match asked.solver {
            // Whitened and multiplied with itself.
            Solver::NormalEquations => (1, 3.0 * m as f64, 20.0),
            Solver::ConjugateGradients { iterations, .. } => {
                (iterations + 1, 4.0 * CLASSES as f64, 7.0)
            }
        };
        let entries = n as f64 * m as f64;
        let images = n as f64 * SECONDS_PER_IMAGE / rayon::current_num_threads() as f64;
        let images = match (&loaded.problem.deformed, keeps) {
            (None, _) => 0.0,
            (Some(_), true) => images,
            (Some(_), false) => images * passes as f64,
        };
        let steps = vec![
            ("images", images),
            ("landmarks", once * (m as f64).powi(3) * operation),
            (
                "passes",
                passes as f64 * entries * (entry + more * operation),
            ),
            ("test", loaded.test.len() as f64 * m as f64 * entry),
        ];
        let line = format!(
            "{}: {n} training images, {m} landmarks and {} test images of {features} features, network {}",
            loaded.problem.name,
            loaded.test.len(),
            serde_json::to_string(&loaded.network)?
        );
        Ok(Self {
            line,
            keeps,
            memory,
            available,
            passes,
            steps,
            longer,
        })
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
            "what": self.line,
            "fits": refusal.is_none(),
            "longer": self.longer,
            "passes": self.passes,
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
        writeln!(f, "{}", self.line)?;
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
        for (name, seconds) in &self.steps {
            write!(f, " {name} {},", duration(*seconds))?;
        }
        let passes = self.passes;
        let word = if passes == 1 { "pass" } else { "passes" };
        write!(f, " {passes} {word}")
    }
}
