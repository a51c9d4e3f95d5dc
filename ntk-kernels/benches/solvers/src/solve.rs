//! One call per crate and method.

use crate::flow::Problem;

/// States at the times asked for, and the counts only the crate knows.
#[derive(Default)]
pub struct Run {
    pub states: Vec<Vec<f64>>,
    pub steps: usize,
    pub rejected: usize,
    pub factorisations: usize,
}

/// The methods compared, implicit ones last.
pub const METHODS: &[&str] = &[
    "ode_solvers dopri5",
    "ode_solvers dop853",
    "diffsol tsit45",
    "differential-equations rkf45",
    "differential-equations dopri5",
    "differential-equations dop853",
    "diffsol bdf active",
    "diffsol tr_bdf2 active",
    "diffsol esdirk34 active",
    "diffsol bdf faer",
    "diffsol bdf nalgebra",
    "diffsol tr_bdf2 faer",
    "diffsol esdirk34 faer",
    "differential-equations bdf",
    "differential-equations kvaerno423",
    "differential-equations radau5",
];

/// Integrates `problem` from zero through `times` with `tol` as relative and
/// absolute tolerance.
pub fn solve(problem: &Problem, method: &str, tol: f64, times: &[f64]) -> Result<Run, String> {
    match method.split_once(' ') {
        #[cfg(feature = "ode_solvers")]
        Some(("ode_solvers", m)) => ode_solvers_crate::solve(problem, m, tol, times),
        #[cfg(feature = "diffsol")]
        Some(("diffsol", m)) => diffsol_crate::solve(problem, m, tol, times),
        #[cfg(feature = "differential-equations")]
        Some(("differential-equations", m)) => {
            differential_equations_crate::solve(problem, m, tol, times)
        }
        _ => Err(format!("expected one of {METHODS:?}, found {method}")),
    }
}

#[cfg(feature = "ode_solvers")]
mod ode_solvers_crate {
    use ode_solvers::{DVector, Dop853, Dopri5, OutputType, System};

    use super::{Problem, Run};

    struct Rhs<'a>(&'a Problem);

    impl System<f64, DVector<f64>> for Rhs<'_> {
        fn system(&self, _t: f64, y: &DVector<f64>, dy: &mut DVector<f64>) {
            self.0.rhs(y.as_slice(), dy.as_mut_slice());
        }
    }

    /// The dense output is on an even grid, of which the times are taken. The
    /// end is put a little past the last time, as 0.6.2 extrapolates a grid
    /// point at the end itself from whatever step follows the point before it.
    /// The test for stiffness is put off: it ends the run with an error.
    pub fn solve(problem: &Problem, method: &str, tol: f64, times: &[f64]) -> Result<Run, String> {
        let (grid, y0) = (times[0], DVector::zeros(problem.len()));
        let end = times[times.len() - 1] * (1.0 + 1e-6);
        let (steps, never, dense) = (10_000_000, u32::MAX, OutputType::Dense);
        macro_rules! run {
            ($solver:expr) => {{
                let mut solver = $solver;
                let stats = solver.integrate().map_err(|e| e.to_string())?;
                let at = |t: f64| {
                    solver.y_out()[(t / grid).round() as usize]
                        .as_slice()
                        .to_vec()
                };
                Ok(Run {
                    states: times.iter().map(|&t| at(t)).collect(),
                    steps: stats.accepted_steps as usize,
                    rejected: stats.rejected_steps as usize,
                    factorisations: 0,
                })
            }};
        }
        // Safety factor, beta, smallest and largest growth: the crate's defaults.
        match method {
            "dopri5" => run!(Dopri5::from_param(
                Rhs(problem),
                0.0,
                end,
                grid,
                y0,
                tol,
                tol,
                0.9,
                0.04,
                0.2,
                10.0,
                end,
                0.0,
                steps,
                never,
                dense
            )),
            "dop853" => run!(Dop853::from_param(
                Rhs(problem),
                0.0,
                end,
                grid,
                y0,
                tol,
                tol,
                0.9,
                0.0,
                0.333,
                6.0,
                end,
                0.0,
                steps,
                never,
                dense
            )),
            _ => Err(format!("ode_solvers has dopri5 and dop853, found {method}")),
        }
    }
}

#[cfg(feature = "diffsol")]
mod diffsol_crate {
    use diffsol::{
        FaerContext, FaerLU, FaerMat, FaerVec, LaError, LaLinearOp, Matrix, MatrixCommon,
        NalgebraLU, NalgebraMat, OdeBuilder, OdeEquations, OdeSolverMethod, Vector,
    };
    use diffsol_la::LinearSolver;
    use faer::linalg::solvers::{Llt, Solve};
    use faer::{Mat, Side};

    use super::{Problem, Run};

    /// Solves `(I + c K diag(H) / n) x = b` by a Cholesky factorisation of the
    /// block of the active samples: the columns of the others are those of the
    /// identity, and the block is symmetric positive definite. What a solver
    /// written for this problem costs, next to the dense LU of the crate.
    #[derive(Default)]
    pub struct ActiveLlt {
        matrix: Option<FaerMat<f64>>,
        active: Vec<usize>,
        factor: Option<Llt<f64>>,
    }

    impl LinearSolver<FaerMat<f64>> for ActiveLlt {
        fn set_sparsity<C>(&mut self, op: &C)
        where
            C: LaLinearOp<T = f64, V = FaerVec<f64>, M = FaerMat<f64>, C = FaerContext>,
        {
            self.matrix = Some(FaerMat::new_from_sparsity(
                op.nrows(),
                op.ncols(),
                None,
                *op.context(),
            ));
        }

        fn set_linearisation<C>(&mut self, op: &C)
        where
            C: LaLinearOp<T = f64, V = FaerVec<f64>, M = FaerMat<f64>, C = FaerContext>,
        {
            let Some(matrix) = &mut self.matrix else {
                return;
            };
            op.matrix_inplace(matrix);
            let a = matrix.inner();
            let n = a.nrows();
            self.active = (0..n)
                .filter(|&j| (0..n).any(|i| i != j && a[(i, j)] != 0.0))
                .collect();
            let block = Mat::from_fn(self.active.len(), self.active.len(), |i, j| {
                a[(self.active[i], self.active[j])]
            });
            self.factor = block.llt(Side::Lower).ok();
        }

        fn solve_in_place(&self, b: &mut FaerVec<f64>) -> Result<(), LaError> {
            let (Some(matrix), Some(factor)) = (&self.matrix, &self.factor) else {
                return Err(LaError::Other(
                    "the block of active samples is not positive definite".into(),
                ));
            };
            let (a, b) = (matrix.inner(), b.inner_mut());
            let mut x = Mat::from_fn(self.active.len(), 1, |i, _| b[(self.active[i], 0)]);
            factor.solve_in_place(&mut x);
            for (k, &j) in self.active.iter().enumerate() {
                for i in 0..a.nrows() {
                    b[(i, 0)] -= a[(i, j)] * x[(k, 0)];
                }
            }
            // The active entries now hold a residual of zero.
            self.active
                .iter()
                .enumerate()
                .for_each(|(k, &j)| b[(j, 0)] = x[(k, 0)]);
            Ok(())
        }

        fn solve_transpose_in_place(&self, _b: &mut FaerVec<f64>) -> Result<(), LaError> {
            Err(LaError::Other(
                "the transposed system is not needed here".into(),
            ))
        }
    }

    /// Steps past each time and interpolates back.
    fn drive<'a, E>(mut solver: impl OdeSolverMethod<'a, E>, times: &[f64]) -> Result<Run, String>
    where
        E: OdeEquations<T = f64> + 'a,
        E::V: Vector<T = f64>,
    {
        let mut states = Vec::with_capacity(times.len());
        for &t in times {
            while solver.state().t < t {
                solver.step().map_err(|e| e.to_string())?;
            }
            states.push(
                solver
                    .interpolate(t)
                    .map_err(|e| e.to_string())?
                    .clone_as_vec(),
            );
        }
        let stats = solver.get_statistics();
        Ok(Run {
            states,
            steps: stats.number_of_steps,
            rejected: stats.number_of_error_test_failures,
            factorisations: stats.number_of_linear_solver_setups,
        })
    }

    pub fn solve(problem: &Problem, method: &str, tol: f64, times: &[f64]) -> Result<Run, String> {
        if problem.damping.is_some() && method != "tsit45" {
            return Err("the Jacobian with momentum is not written".into());
        }
        let text = |e: diffsol::DiffsolError| e.to_string();
        macro_rules! build {
            ($matrix:ty) => {
                OdeBuilder::<$matrix>::new()
                    .rtol(tol)
                    .atol([tol])
                    .rhs_implicit(
                        |y, _p, _t, dy| problem.rhs(y, dy),
                        |y, _p, _t, v, jv| problem.flow.jacobian_product(y, v, jv),
                    )
                    .init(|_p, _t, y| y.fill(0.0), problem.len())
                    .build()
                    .map_err(text)?
            };
        }
        let with_faer = || -> Result<Run, String> {
            let ode = build!(FaerMat<f64>);
            match method {
                "tsit45" => drive(ode.tsit45().map_err(text)?, times),
                "bdf active" => drive(ode.bdf::<ActiveLlt>().map_err(text)?, times),
                "tr_bdf2 active" => drive(ode.tr_bdf2::<ActiveLlt>().map_err(text)?, times),
                "esdirk34 active" => drive(ode.esdirk34::<ActiveLlt>().map_err(text)?, times),
                "bdf faer" => drive(ode.bdf::<FaerLU<f64>>().map_err(text)?, times),
                "tr_bdf2 faer" => drive(ode.tr_bdf2::<FaerLU<f64>>().map_err(text)?, times),
                "esdirk34 faer" => drive(ode.esdirk34::<FaerLU<f64>>().map_err(text)?, times),
                _ => Err(format!(
                    "diffsol has tsit45, bdf, tr_bdf2 and esdirk34, found {method}"
                )),
            }
        };
        if method == "bdf nalgebra" {
            let ode = build!(NalgebraMat<f64>);
            return drive(ode.bdf::<NalgebraLU<f64>>().map_err(text)?, times);
        }
        with_faer()
    }
}

#[cfg(feature = "differential-equations")]
mod differential_equations_crate {
    use differential_equations::prelude::*;

    use super::{Problem, Run};

    struct Rhs<'a>(&'a Problem);

    impl ODE<f64, Vec<f64>> for Rhs<'_> {
        fn diff(&self, _t: f64, y: &Vec<f64>, dy: &mut Vec<f64>) {
            self.0.rhs(y, dy);
        }

        fn jacobian(&self, _t: f64, y: &Vec<f64>, j: &mut Matrix<f64>) {
            self.0
                .flow
                .jacobian(y, |row, column, value| j[(row, column)] = value);
        }
    }

    pub fn solve(problem: &Problem, method: &str, tol: f64, times: &[f64]) -> Result<Run, String> {
        let (ode, end, steps) = (Rhs(problem), times[times.len() - 1], 10_000_000);
        macro_rules! run {
            ($solver:expr) => {{
                let solution = IVP::ode(&ode, 0.0, end, vec![0.0; problem.len()])
                    .t_eval(times)
                    .method($solver.rtol(tol).atol(tol).max_steps(steps))
                    .solve()
                    // The error holds the state, too long to print.
                    .map_err(|e| format!("{e:?}").chars().take(60).collect::<String>())?;
                let at = |t: &f64| {
                    let found = solution.t.iter().position(|s| (s - t).abs() <= 1e-9 * t);
                    found
                        .map(|i| solution.y[i].clone())
                        .ok_or(format!("no state at t = {t}"))
                };
                Ok(Run {
                    states: times.iter().map(at).collect::<Result<_, _>>()?,
                    steps: solution.steps.accepted,
                    rejected: solution.steps.rejected,
                    factorisations: solution.evals.decompositions,
                })
            }};
        }
        match method {
            "rkf45" => run!(ExplicitRungeKutta::rkf45()),
            "dopri5" => run!(ExplicitRungeKutta::dopri5()),
            "dop853" => run!(ExplicitRungeKutta::dop853()),
            "bdf" => run!(BackwardDifferentiationFormula::adaptive()),
            "kvaerno423" => run!(DiagonallyImplicitRungeKutta::kvaerno423()),
            "radau5" => run!(ImplicitRungeKutta::radau5()),
            _ => Err(format!(
                "expected rkf45, dopri5, dop853, bdf, kvaerno423 or radau5, found {method}"
            )),
        }
    }
}
