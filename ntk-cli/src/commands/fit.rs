//! `ntk fit`.

use crate::Failure;
use crate::cli::{Bounds, Common, Fit, KernelName, ObjectiveName};
use crate::commands::targets::targets;
use crate::environment::{self, Environment};
use crate::files;
use crate::fitted::{Fitted, Learned, Objective, Targets};
use crate::inputs::{self, SamplePair};
use crate::memory;
use crate::progress::Progress;
use crate::results::number;
use crate::words;
use clap::ValueEnum;
use ntk_kernels::evidence::Run;
use ntk_kernels::network::HyperparameterError;
use ntk_kernels::{Evidence, EvidenceError, Kernel, Optimised, Optimiser};
use serde_json::{Value as Json, json};
use std::time::Instant;

pub(crate) fn run(common: &Common, args: &Fit) -> Result<(), Failure> {
    for (flag, value) in [
        ("--noise", args.noise),
        ("--output-scale", args.output_scale),
    ] {
        if !(value.is_finite() && value >= 0.0) {
            return Err(format!("{flag} is {value}, and must be zero or more and finite").into());
        }
    }
    let network = inputs::network(&args.net)?;
    let of_network = |e: &dyn std::fmt::Display| format!("{}: {e}", args.net.display());
    let (kernel, evidence) = match args.kernel {
        KernelName::Nngp => (Kernel::Nngp, Evidence::nngp(&network)),
        KernelName::Ntk => (Kernel::Ntk, Evidence::ntk(&network)),
    };
    let names: Vec<&str> = args.learn.iter().map(|name| name.trim()).collect();
    // Before the samples, which may be many.
    let evidence = evidence.learn(&names).map_err(|e| unknown(args, &e))?;
    let Bounds(low, high) = args.bounds;
    let optimiser = Optimiser::default()
        .restarts(args.restarts)
        .seed(args.drawn.seed)
        .most_evaluations(args.most_evaluations)
        .bounds(low, high);

    let samples = SamplePair::<f64>::of_network(&network, &args.x, None, None)?;
    let y = targets(&args.targets.y, args.targets.classes, None)?;
    let (n, _) = samples.counts();
    if y.nrows() != n {
        return Err(format!(
            "{} has targets of {} and {} has {}; give one row of targets a sample",
            args.targets.y.display(),
            words::count(y.nrows(), "sample"),
            args.x.display(),
            words::count(n, "sample")
        )
        .into());
    }
    let needed = network
        .kernel_fn()
        .working_memory::<f64>(&samples.shape, n, None);
    let needed = needed.map_err(|e| of_network(&e))?;
    // The kernel, its covariance, that one's inverse and products of it.
    let matrices = memory::matrices::<f64>(5, (n, n)).unwrap_or(u64::MAX);
    let remedy = "learn from fewer samples";
    memory::check(Some(0), needed.saturating_add(matrices), remedy)?;

    let progress = Progress::new(common.quiet || common.json);
    let begun = Instant::now();
    let best = evidence
        .noise(args.noise)
        .output_scale(args.output_scale)
        .objective(match args.objective {
            ObjectiveName::MarginalLikelihood => ntk_kernels::Objective::MarginalLikelihood,
            ObjectiveName::LeaveOneOut => ntk_kernels::Objective::LeaveOneOut,
        })
        .optimiser(optimiser)
        .observer(&progress)
        .optimise(&samples.x1, &y);
    progress.end();
    let best = best.map_err(|e| match e {
        EvidenceError::Kernel(_) | EvidenceError::Gradient(_) => of_network(&e).into(),
        EvidenceError::Bounds { .. } => format!("{e} by --bounds").into(),
        e => Failure::from(e),
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    let fitted = fitted(args, kernel, &samples, y.dim(), best);
    let text = serde_json::to_string_pretty(&fitted)? + "\n";
    files::write(&args.out, text.as_bytes())
        .map_err(|e| files::unwritable(&args.out, "--out", &e))?;

    if !fitted.converged {
        progress.warn(&format!(
            "warning: it has not converged: {}; what is written is the best that it found, and \
             --most-evaluations, --restarts or another start may find better",
            fitted.stopped
        ));
    }
    if !fitted.at_bounds.is_empty() {
        progress.warn(&format!(
            "warning: {} ended at a bound of {}; widen it by --bounds, or leave out of --learn what the \
             targets say nothing of",
            fitted.at_bounds.join(" and "),
            args.bounds
        ));
    }
    if fitted.jitter > 0.0 {
        progress.warn(&format!(
            "warning: the covariance is singular to working precision, and {:.1e} was added to its \
             diagonal; start from more --noise",
            fitted.jitter
        ));
    }
    let mut answer = serde_json::to_value(&fitted)?;
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("seconds".into(), seconds.into());
        answer.insert("out".into(), args.out.display().to_string().into());
        answer.insert("peak_memory".into(), json!(environment::peak_memory()));
    }
    files::show(common, &answer, &told(args, &fitted, seconds))
}

/// Says which names there are, and why one may be missing.
fn unknown(args: &Fit, error: &HyperparameterError) -> Failure {
    let more = match error {
        HyperparameterError::Unknown { name, .. } if name.ends_with("b_std") => {
            "; noise and output_scale can be learned besides; a layer without b_std has no bias, which \
             \"b_std\": 0.1 gives it"
        }
        HyperparameterError::Unknown { .. } => "; noise and output_scale can be learned besides",
        _ => "",
    };
    format!("{}: --learn: {error}{more}", args.net.display()).into()
}

fn fitted(
    args: &Fit,
    kernel: Kernel,
    of: &SamplePair<f64>,
    (samples, outputs): (usize, usize),
    best: Optimised,
) -> Fitted {
    let (start, end) = (&best.start, &best.end);
    let learned = start.names.iter().enumerate().map(|(i, name)| Learned {
        name: name.clone(),
        start: start.at[i],
        end: end.at[i],
        gradient: end.gradient[i],
    });
    let runs = best.runs.iter().map(|run| {
        json!({
            "start": run.start,
            "end": run.end,
            "evaluations": run.evaluations,
            "gradient": run.gradient,
            "converged": run.converged,
            "stopped": run.stopped,
        })
    });
    let better = |one: &&Run, other: &&Run| one.end.total_cmp(&other.end);
    // One that could not be computed ends in NaN, the largest of that order.
    let ended = best.runs.iter().filter(|run| !run.end.is_nan());
    let winner = ended.max_by(better);
    Fitted {
        kernel,
        noise: best.noise,
        output_scale: best.output_scale,
        jitter: end.jitter,
        objective: Objective {
            name: name(args.objective),
            start: start.value,
            end: end.value,
        },
        learned: learned.collect(),
        evaluations: best.runs.iter().map(|run| run.evaluations).sum(),
        gradient: winner.map(|run| run.gradient).filter(|v| v.is_finite()),
        converged: winner.is_some_and(|run| run.converged),
        stopped: winner
            .or(best.runs.first())
            .map_or_else(String::new, |run| run.stopped.clone()),
        runs: runs.collect::<Vec<Json>>(),
        sample_shape: of.x1.shape()[1..].to_vec(),
        targets: Targets {
            samples,
            outputs,
            one_hot: args.targets.classes.one_hot,
            signs: args.targets.classes.signs,
        },
        bounds: (args.bounds.0, args.bounds.1),
        restarts: args.restarts,
        seed: args.drawn.seed,
        environment: Environment::here(),
        at_bounds: best.at_bounds,
        network: best.network,
    }
}

/// Returns the objective's name, as the flag takes it.
fn name(objective: ObjectiveName) -> String {
    let value = objective.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().into())
}

/// Says in words what was found, a line for each number that was learned.
fn told(args: &Fit, fitted: &Fitted, seconds: f64) -> String {
    let Objective { name, start, end } = &fitted.objective;
    let learned = fitted.learned.iter().map(|of| {
        let (start, end) = (number(of.start), number(of.end));
        format!("  {}: {start} to {end}\n", of.name)
    });
    let gradient = fitted.gradient.map_or_else(String::new, |gradient| {
        format!(", largest derivative {gradient:.1e} of a target")
    });
    let ended = match fitted.converged {
        true => "converged".into(),
        false => format!("not converged: {}", fitted.stopped),
    };
    format!(
        "{name} of the {}: {} to {} nats\n{}{}{gradient}, {ended}: {seconds:.3} s, in {}",
        fitted.kernel,
        number(*start),
        number(*end),
        learned.collect::<String>(),
        words::count(fitted.evaluations, "evaluation"),
        args.out.display()
    )
}
