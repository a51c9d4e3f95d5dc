//! `ntk predict`.

mod fitted;

use crate::Failure;
use crate::cli::{Common, LossChoice, Precision, Predict, SolverChoice};
use crate::commands::targets::{outputs, targets};
use crate::environment;
use crate::files;
use crate::inputs;
use crate::memory;
use crate::narrow;
use crate::npy::{self, Entry, NpyFile};
use crate::progress::Progress;
use ndarray::{Array1, Array2, Array3};
use ndarray_npy::WritableElement;
use ntk_kernels::predict::{Flow, Loss, MseFlow, PredictError, check};
use ntk_linalg::{Observer, Real, Ridge};
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

pub(crate) fn run(common: &Common, args: &Predict) -> Result<(), Failure> {
    match args.precision {
        Precision::F64 => run_in::<f64>(common, args),
        Precision::F32 => run_in::<f32>(common, args),
    }
}

fn run_in<T: Real + WritableElement>(common: &Common, args: &Predict) -> Result<(), Failure> {
    if let Some(path) = &args.fitted {
        return fitted::run::<T>(common, args, path);
    }
    let k_dd = args.k_dd.as_ref().ok_or("name a kernel by --k-dd")?;
    let solver = Solver::new(args)?;
    let mut inputs = Inputs::<T>::read(args, k_dd)?;
    inputs.check_memory(args, &solver)?;
    let progress = Progress::new(common.quiet || common.json);
    let begun = Instant::now();
    let found = match solver {
        Solver::ClosedForm { factor } => inputs.closed_form(args, factor, &progress),
        Solver::Steps(loss) => inputs.in_steps(args, loss, &progress),
    };
    progress.end();
    let Predicted {
        train,
        test,
        facts,
        told,
    } = found?;
    let seconds = begun.elapsed().as_secs_f64();
    let all = [("training", Some(&train)), ("test", test.as_ref())];
    for (which, outputs) in all {
        let mut outputs = outputs.into_iter().flat_map(|all| all.indexed_iter());
        if let Some(((time, sample, output), value)) = outputs.find(|(_, v)| !v.is_finite()) {
            return Err(format!(
                "at time {} output {output} of {which} sample {sample} is {value} in {}; give smaller \
                 kernels, targets, initial outputs or --learning-rate{}",
                args.t.0[time],
                T::NAME,
                if T::NAME == f32::NAME { ", or ask for --precision f64" } else { "" }
            )
            .into());
        }
    }

    let times = Array1::from(args.t.0.clone());
    let mut arrays: Vec<(&str, &dyn Entry)> = vec![("train", &train)];
    arrays.extend(test.as_ref().map(|test| ("test", test as &dyn Entry)));
    arrays.push(("t", &times));
    npy::write_npz(&args.out, &arrays).map_err(|e| files::unwritable(&args.out, "--out", &e))?;

    let mut answer = json!({
        "train": train.shape(),
        "test": test.as_ref().map(Array3::shape),
        "t": args.t.0.iter().copied().map(number).collect::<Vec<_>>(),
        "full": inputs.full(),
        "precision": T::NAME,
        "seconds": seconds,
        "out": args.out.display().to_string(),
        "peak_memory": environment::peak_memory(),
    });
    if let (Some(answer), Json::Object(facts)) = (answer.as_object_mut(), facts) {
        answer.extend(facts);
    }
    let test = test.map_or_else(String::new, |test| format!(" and test {:?}", test.dim()));
    let told: String = told.iter().map(|told| format!("; {told}")).collect();
    let line = format!(
        "train {:?}{test}, {}: {seconds:.3} s, in {}{told}",
        train.dim(),
        T::NAME,
        args.out.display()
    );
    files::show(common, &answer, &line)
}

/// The ways in which a loss is minimised.
enum Solver {
    /// The squared loss, so many times 1/2 of the mean.
    ClosedForm {
        factor: f64,
    },
    Steps(Loss),
}

impl Solver {
    fn new(args: &Predict) -> Result<Self, Failure> {
        let solver = match args.loss {
            LossChoice::HalfMeanSquare => Self::ClosedForm { factor: 1.0 },
            LossChoice::MeanSquare => Self::ClosedForm { factor: 2.0 },
            LossChoice::QuadraticHinge { margin } => Self::Steps(Loss::QuadraticHinge { margin }),
            LossChoice::MeanPower { power } => Self::Steps(Loss::MeanPower { power }),
            LossChoice::CrossEntropy => Self::Steps(Loss::CrossEntropy),
        };
        for (flag, given) in [
            ("--tolerance", args.tolerance.is_some()),
            ("--solver", args.solver.is_some()),
            ("--most-steps", args.most_steps.is_some()),
        ] {
            if given && matches!(solver, Self::ClosedForm { .. }) {
                return Err(format!(
                    "{flag} is of the solver for losses without a closed form; leave it out, or \
                     choose another --loss"
                )
                .into());
            }
        }
        Ok(solver)
    }
}

/// The content of the files.
struct Inputs<'a, T> {
    /// The file of the kernel.
    path: &'a Path,
    k_dd: Array2<T>,
    /// To what its entries are known, relative to the largest.
    eps: f64,
    y: Array2<f64>,
    k_td: Option<Array2<T>>,
    f0: Option<Array2<f64>>,
    f0_test: Option<Array2<f64>>,
}

/// The outputs at all times, and what the answer tells besides.
struct Predicted<T> {
    train: Array3<T>,
    test: Option<Array3<T>>,
    facts: Json,
    /// These clauses end the line of the answer.
    told: Vec<String>,
}

impl<'a, T: Real> Inputs<'a, T> {
    /// Reads all files, and compares their shapes before any work.
    fn read(args: &Predict, path: &'a Path) -> Result<Self, Failure> {
        if args.f0_test.is_some() && (args.f0.is_none() || args.k_td.is_none()) {
            return Err(
                "--f0-test gives the test samples initial outputs, which need the test samples' kernel \
                 and the training samples' initial outputs; add --k-td and --f0 (zeros are outputs \
                 too), or leave it out"
                    .into(),
            );
        }
        let file = NpyFile::open(path)?;
        let inputs = Self {
            path,
            eps: file.rounding().eps().max(T::epsilon().to_f64()),
            k_dd: kernel_in(path, &file)?,
            y: targets_of_loss(args)?,
            k_td: args.k_td.as_deref().map(kernel).transpose()?,
            f0: args.f0.as_deref().map(outputs).transpose()?,
            f0_test: args.f0_test.as_deref().map(outputs).transpose()?,
        };
        let (n, o) = inputs.y.dim();
        let (rows, columns) = inputs.k_dd.dim();
        let all = n * o;
        if rows == columns && rows == all && n == 1 && o > 1 {
            return Err(format!(
                "{} was read as 1 sample of {o} outputs, with which {} is a full kernel; for {o} samples \
                 of one output save y.T, or for one sample its targets as they are and a traced kernel",
                args.targets.y.display(),
                path.display()
            )
            .into());
        }
        if rows != columns || (rows != n && rows != all) {
            return Err(format!(
                "{} has shape ({rows}, {columns}), expected ({n}, {n}), or full ({all}, {all}), as {} has \
                 {n} samples of {o} outputs",
                path.display(),
                args.targets.y.display()
            )
            .into());
        }
        let dims = |x: &Option<Array2<f64>>| x.as_ref().map(Array2::dim);
        if let Some((path, found)) = args.f0.as_ref().zip(dims(&inputs.f0)) {
            expect(
                path,
                found,
                (n, o),
                &format!("as {}", args.targets.y.display()),
            )?;
        }
        if args.f0.is_some() && args.k_td.is_some() && args.f0_test.is_none() {
            return Err(
                "--f0 gives the training samples initial outputs, and --k-td asks for test samples, \
                 which have some of their own; add --f0-test (zeros are outputs too)"
                    .into(),
            );
        }
        let Some((test, k_td)) = args.k_td.as_ref().zip(inputs.k_td.as_ref()) else {
            return Ok(inputs);
        };
        let (rows, columns) = k_td.dim();
        let each = if inputs.full() { o } else { 1 };
        let trained = inputs.k_dd.nrows();
        if columns != trained || !rows.is_multiple_of(each.max(1)) {
            let (of, times) = match inputs.full() {
                true => (
                    format!(", rows a multiple of the {o} outputs"),
                    " * outputs",
                ),
                false => (String::new(), ""),
            };
            return Err(format!(
                "{} has shape ({rows}, {columns}), expected (test samples{times}, {trained}){of}; its \
                 columns are the rows of {}",
                test.display(),
                path.display()
            )
            .into());
        }
        if let Some((path, found)) = args.f0_test.as_ref().zip(dims(&inputs.f0_test)) {
            let reason = format!("a row for each test sample of {}", test.display());
            expect(path, found, (rows / each.max(1), o), &reason)?;
        }
        Ok(inputs)
    }

    /// Compares what the work takes with what there is: of the closed form a copy of the kernel, its
    /// eigenvectors and as much to find them, of the solver a copy and some vectors of outputs; and the outputs
    /// at all times, twice while they are laid out.
    fn check_memory(&self, args: &Predict, solver: &Solver) -> Result<(), Failure> {
        let (n, o) = self.y.dim();
        let rows = self.k_dd.nrows();
        let test = self
            .k_td
            .as_ref()
            .map_or(0, |k_td| k_td.nrows() * n / rows.max(1));
        let result = (n + test).checked_mul(o).map(|all| (args.t.0.len(), all));
        let result = result.and_then(|shape| memory::matrices::<f64>(1, shape));
        let vectors = memory::matrices::<f64>(20, (n, o));
        let matrices = match solver {
            Solver::ClosedForm { .. } => memory::matrices::<T>(3, (rows, rows)),
            Solver::Steps(_) => memory::matrices::<T>(1, (rows, rows)),
        };
        let working = [matrices, vectors, result]
            .into_iter()
            .map(|b| b.unwrap_or(u64::MAX));
        memory::check(
            result,
            working.fold(0, u64::saturating_add),
            "ask for --precision f32, for fewer times by --t, or for fewer samples",
        )
    }

    /// Tells whether the kernels have a row for every output of a sample.
    fn full(&self) -> bool {
        self.k_dd.nrows() != self.y.nrows()
    }

    /// Predicts for the loss of `factor` times 1/2 of the mean square.
    fn closed_form(
        &self,
        args: &Predict,
        factor: f64,
        observer: &Progress,
    ) -> Result<Predicted<T>, Failure> {
        let start = |path: &Option<PathBuf>, x: &Option<Array2<f64>>| {
            let both = path.as_ref().zip(x.as_ref());
            both.map(|(path, x)| narrow::array(&path.display().to_string(), x))
                .transpose()
        };
        let y: Array2<T> = narrow::array(&args.targets.y.display().to_string(), &self.y)?;
        let f0 = start(&args.f0, &self.f0)?;
        let f0_test = start(&args.f0_test, &self.f0_test)?;
        observer.begin("eigendecomposition", 0);
        // So many times the loss at a rate is the loss at so many times the rate.
        let rate = factor * args.learning_rate;
        let of_kernel = in_file(self.path);
        let flow = MseFlow::of_rounded_kernel(&self.k_dd, &y, rate, ridge(args)?, self.eps);
        let mut flow = flow.map_err(of_kernel)?;
        if let Some(m) = args.momentum {
            flow = flow.momentum(m)?;
        }
        if let Some(f0) = &f0 {
            flow = flow.initial_outputs(f0)?;
        }
        let times = &args.t.0;
        let test = self.k_td.as_ref().map(|k_td| match &f0_test {
            None => flow.test(times, k_td),
            Some(f0) => flow.test_from(f0, times, k_td),
        });
        let values = flow.eigenvalues();
        let condition = flow.condition_number();
        let digits = -(condition * self.eps).log10();
        let zero = flow.null_dimension();
        let endless = times.last() == Some(&f64::INFINITY);
        let mut told = vec![format!("condition number {condition:.1e}")];
        if zero > 0 && endless {
            told.push(format!(
                "{zero} of {} eigenvalues cannot be told from zero, and along them nothing is learned; \
                 --diag-reg lifts them",
                values.len()
            ));
        }
        if digits < 1.0 && endless {
            told.push(
                "no digit of the outputs at infinite time is certain; add --diag-reg, or compute the \
                 kernel in f64"
                    .into(),
            );
        }
        let (train, test) = (flow.train(times)?, test.transpose()?);
        if y.iter().any(|y| !y.is_zero()) {
            warn_of_nothing("training", &train, &self.k_dd, times, observer);
            if let Some((test, k_td)) = test.as_ref().zip(self.k_td.as_ref()) {
                warn_of_nothing("test", test, k_td, times, observer);
            }
        }
        Ok(Predicted {
            told,
            train,
            test,
            facts: json!({
                "eigenvalues": {
                    "smallest": values.first().map(|&v| Real::to_f64(v)),
                    "largest": values.last().map(|&v| Real::to_f64(v)),
                    "zero": zero,
                },
                "condition_number": number(condition),
                "diag_reg_added": flow.ridge_added(),
                "max_learning_rate": number(flow.max_learning_rate()? / factor),
            }),
        })
    }

    /// Predicts for losses without a closed form.
    fn in_steps(
        &mut self,
        args: &Predict,
        loss: Loss,
        observer: &Progress,
    ) -> Result<Predicted<T>, Failure> {
        let added = ridge(args)?.added(&self.k_dd)?;
        self.k_dd.diag_mut().mapv_inplace(|v| v + T::of(added));
        let flow = Flow::new(&self.k_dd, &self.y, loss).map_err(in_file(self.path))?;
        observer.begin("factorisation", 0);
        check::definite(&self.k_dd, self.eps).map_err(in_file(self.path))?;
        let mut flow = flow.learning_rate(args.learning_rate)?;
        if let Some(m) = args.momentum {
            flow = flow.momentum(m)?;
        }
        if let Some(tolerance) = args.tolerance {
            flow = flow.tolerance(tolerance, tolerance)?;
        }
        if args.solver == Some(SolverChoice::DormandPrince) {
            flow = flow.solver(ntk_kernels::predict::Solver::DormandPrince);
        }
        if let Some(steps) = args.most_steps {
            flow = flow.most_steps(steps);
        }
        if let Some(f0) = &self.f0 {
            flow = flow.initial_outputs(f0)?;
        }
        let mut state = flow.start();
        let path = flow
            .observer(observer)
            .solve(&mut state, &args.t.0)
            .map_err(|e| match e {
                PredictError::Argument { .. } => format!("--t: {e}").into(),
                e => Failure::from(e),
            })?;
        let test = self.k_td.as_ref().map(|k_td| match &self.f0_test {
            None => path.test(k_td),
            Some(f0) => path.test_from(f0, k_td),
        });
        Ok(Predicted {
            told: Vec::new(),
            train: narrow::results("the training outputs", &path.train, observer),
            test: test
                .transpose()?
                .map(|test| narrow::results("the test outputs", &test, observer)),
            facts: json!({
                "steps": state.steps,
                "products": state.products,
                "diag_reg_added": added,
            }),
        })
    }
}

/// Warns where a kernel other than zero leaves no digit of all outputs at the last time.
fn warn_of_nothing<T: Real>(
    which: &str,
    outputs: &Array3<T>,
    k: &Array2<T>,
    times: &[f64],
    progress: &Progress,
) {
    let Some((time, last)) = times.last().zip(outputs.outer_iter().last()) else {
        return;
    };
    if *time > 0.0 && k.iter().any(|k| !k.is_zero()) && !last.iter().any(|v| v.is_normal()) {
        let remedy = match T::NAME == f32::NAME {
            true => "ask for --precision f64, or give",
            false => "give",
        };
        progress.warn(&format!(
            "warning: at time {time} all {which} outputs are zero or have lost digits in {}; {remedy} \
             larger kernels, targets or --learning-rate",
            T::NAME
        ));
    }
}

/// A matrix of finite numbers.
fn kernel<T: Real>(path: &Path) -> Result<Array2<T>, Failure> {
    kernel_in(path, &NpyFile::open(path)?)
}

/// Reads the matrix of a file that was opened by this path.
fn kernel_in<T: Real>(path: &Path, file: &NpyFile) -> Result<Array2<T>, Failure> {
    let k = file.array::<T>()?;
    let remedy = match k.shape() {
        [_, _, _, _] => {
            "; of (n, m, outputs, outputs) make it by k.transpose(0, 2, 1, 3), then reshape"
        }
        _ => "",
    };
    if k.ndim() != 2 {
        return Err(format!(
            "{} has shape {:?}, expected a kernel matrix, (samples, training samples), or full, \
             with row = sample * outputs + output{remedy}",
            path.display(),
            k.shape()
        )
        .into());
    }
    inputs::check_finite(path, &k)?;
    Ok(k.into_dimensionality()?)
}

/// Reads the targets, and checks that they are those of the loss.
fn targets_of_loss(args: &Predict) -> Result<Array2<f64>, Failure> {
    let y = targets(&args.targets.y, args.targets.classes, None)?;
    if let Solver::Steps(loss) = Solver::new(args)? {
        let remedy = match loss {
            Loss::CrossEntropy => "; --one-hot makes them of class indices",
            Loss::QuadraticHinge { .. } => "; --signs makes them of 0 and 1",
            Loss::HalfMeanSquare | Loss::MeanSquare | Loss::MeanPower { .. } => "",
        };
        let told = |e: PredictError| format!("{}: {e}{remedy}", args.targets.y.display());
        loss.check_targets(&y).map_err(told)?;
    }
    Ok(y)
}

fn expect(
    path: &Path,
    found: (usize, usize),
    expected: (usize, usize),
    reason: &str,
) -> Result<(), Failure> {
    if found == expected {
        return Ok(());
    }
    Err(format!(
        "{} has shape {found:?}, expected {expected:?}, {reason}",
        path.display()
    )
    .into())
}

fn ridge(args: &Predict) -> Result<Ridge, Failure> {
    let found = args.diag_reg;
    if !(found.is_finite() && found >= 0.0) {
        return Err(format!("--diag-reg is {found}, and must be zero or more and finite").into());
    }
    Ok(match args.diag_reg_absolute {
        true => Ridge::Absolute(found),
        false => Ridge::Relative(found),
    })
}

/// Makes errors of what is in a file name it.
fn in_file(path: &Path) -> impl Fn(PredictError) -> Failure {
    let name = path.display().to_string();
    move |error| match error {
        PredictError::Argument { .. } => error.into(),
        PredictError::Indefinite { remedy, .. } => {
            format!("{name}: {error}; that ridge is --diag-reg {remedy:e} --diag-reg-absolute")
                .into()
        }
        _ => format!("{name}: {error}").into(),
    }
}

/// A number in JSON, which has no infinity: "inf", as Python's float reads it.
fn number(value: f64) -> Json {
    if value.is_finite() {
        json!(value)
    } else {
        json!(value.to_string())
    }
}
