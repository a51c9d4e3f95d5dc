//! ODE crates compared on the training dynamics of a kernel machine.
//!
//! `flow`: gradient flow of the outputs `f` (n), `f' = -K grad L(f)`, with the
//! quadratic hinge loss `L(f) = 1/n sum_i 1/2 max(0, 1/2 - f_i y_i)^2`,
//! `f(0) = 0`. `momentum`: `f'' = -c f' - K grad L(f)` with `c = 0.316`, as a
//! first-order system of 2 n unknowns `(f, f')`.
//!
//! ```text
//! ode-crates flow|momentum KERNEL.npy LABELS.npy TOL[,TOL...] [METHOD[,METHOD...]] [REPEATS]
//! ```
//!
//! `KERNEL.npy` is the symmetric (n, n) matrix and `LABELS.npy` the n labels
//! +-1, both float64. Each tolerance is used as relative and absolute one. One
//! row of a Markdown table is printed per method and tolerance; the errors are
//! those of the training loss relative to a run of DOP853 at 1e-10.

mod flow;
mod solve;

use std::time::Instant;

use flow::{Counts, Flow, Problem};
use solve::{METHODS, Run};

/// Times at which the training loss is compared, for the two problems.
const FLOW_TIMES: [f64; 4] = [1e2, 1e3, 1e4, 5e4];
const MOMENTUM_TIMES: [f64; 4] = [1e2, 3e2, 1e3, 3e3];

/// Tolerance of the reference run, and the method that makes it.
const REFERENCE: (&str, f64) = ("ode_solvers dop853", 1e-10);

/// What one run costs and how far its training losses are off.
struct Row {
    run: Run,
    counts: Counts,
    seconds: f64,
    losses: Vec<f64>,
}

/// Runs `method` once; the clock covers the solver alone.
fn measure(problem: &Problem, method: &str, tol: f64, times: &[f64]) -> Result<Row, String> {
    problem.flow.reset();
    let clock = Instant::now();
    let run = solve::solve(problem, method, tol, times)?;
    let seconds = clock.elapsed().as_secs_f64();
    let n = problem.flow.len();
    let losses = run
        .states
        .iter()
        .map(|s| problem.flow.loss(&s[..n]))
        .collect();
    Ok(Row {
        counts: problem.flow.counts(),
        run,
        seconds,
        losses,
    })
}

fn print_row(method: &str, tol: f64, row: &Row, reference: &[f64]) {
    let errors: Vec<String> = row
        .losses
        .iter()
        .zip(reference)
        .map(|(a, b)| format!("{:.0e}", (a / b - 1.0).abs()))
        .collect();
    println!(
        "| {method} | {tol:.0e} | {} | {:.0} | {} | {} | {} | {} | {:.2} | {} |",
        row.counts.rhs,
        row.counts.active_share * 100.0,
        row.counts.jacobians,
        row.run.factorisations,
        row.run.steps,
        row.run.rejected,
        row.seconds,
        errors.join(" | ")
    );
}

fn main() -> Result<(), String> {
    let args: Vec<String> = std::env::args().collect();
    let [_, kind, kernel, labels, tolerances, rest @ ..] = args.as_slice() else {
        return Err(
            "usage: ode-crates flow|momentum KERNEL.npy LABELS.npy TOL,.. [METHOD,..] [REPEATS]"
                .into(),
        );
    };
    let (damping, times) = match kind.as_str() {
        "flow" => (None, FLOW_TIMES),
        "momentum" => (Some(0.316), MOMENTUM_TIMES),
        other => {
            return Err(format!(
                "expected the problem flow or momentum, found {other}"
            ));
        }
    };
    let tolerances = tolerances
        .split(',')
        .map(|t| t.parse::<f64>().map_err(|e| format!("tolerance {t}: {e}")))
        .collect::<Result<Vec<_>, _>>()?;
    let methods: Vec<&str> = match rest.first().map(String::as_str) {
        None | Some("all") => METHODS.to_vec(),
        Some(list) => list.split(',').collect(),
    };
    let repeats = match rest.get(1) {
        None => 1,
        Some(r) => r
            .parse::<usize>()
            .map_err(|e| format!("repeats {r}: {e}"))?
            .max(1),
    };
    let problem = Problem {
        flow: Flow::read(kernel, labels)?,
        damping,
    };

    let reference = measure(&problem, REFERENCE.0, REFERENCE.1, &times)?;
    println!(
        "Reference losses at t = {times:?}: {:?} ({} right-hand sides)\n",
        reference.losses, reference.counts.rhs
    );
    println!(
        "| method | tolerance | right-hand sides | active % | Jacobians | factorisations | steps | rejected | seconds | {} |",
        times.map(|t| format!("error at {t:.0}")).join(" | ")
    );
    println!("|{}", "---|".repeat(9 + times.len()));
    for method in methods {
        for &tol in &tolerances {
            let mut best: Option<Row> = None;
            for _ in 0..repeats {
                match measure(&problem, method, tol, &times) {
                    Ok(row) if best.as_ref().is_none_or(|b| row.seconds < b.seconds) => {
                        best = Some(row)
                    }
                    Ok(_) => {}
                    Err(message) => println!(
                        "| {method} | {tol:.0e} | failed after {} right-hand sides: {message} |",
                        problem.flow.counts().rhs
                    ),
                }
            }
            if let Some(row) = best {
                print_row(method, tol, &row, &reference.losses);
            }
        }
    }
    Ok(())
}
