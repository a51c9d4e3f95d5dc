//! Preconditioned conjugate gradients for regression over landmarks (FALKON; Rudi, Carratino and
//! Rosasco 2017, arXiv:1705.10958).
//!
//! With `K_mm + j = L L^T`, predictions are `Z t` with `Z = K_nm L^-T`, and t minimises
//! `|y - Z t|^2 + r |t|^2`. Some samples, evenly of all, say what `Z^T Z` is like: with those of
//! them, `C C^T = n/n_0 Z_0^T Z_0 + r` makes `C^-1 (Z^T Z + r) C^-T`, with which the iterations work,
//! close to the identity. (FALKON takes the landmarks for these samples, which is cheaper and
//! takes several times as many passes where r is small.) All of it is in f64 but the kernels,
//! which are computed anew in each pass.

use super::checkpoint::{Keeper, State};
use super::ranks::{self, Ranks, sum};
use crate::estimators::{CheckpointError, EstimatorError};
use crate::predict::PredictError;
use ndarray::{Array1, Array2, ArrayRef2, ArrayView2, Axis};
use ntk_linalg::{
    Cholesky, Iterate, LinalgError, Real, Ridge, SolveError, Triangle, gemm, solve_triangular, syrk,
};
use rayon::prelude::*;

/// Entries that are widened to f64 at once: what a core's cache holds.
const WIDENED: usize = 1 << 16;

/// How many times the jitter is raised before the kernel of the landmarks is given up.
const ATTEMPTS: usize = 6;

/// How many times as much each attempt adds as the one before.
const ESCALATION: f64 = 10.0;

/// Factors the landmarks' kernel with the least jitter, and returns L, zero above its diagonal.
fn factor<T: Real>(k_mm: &Array2<T>) -> Result<Array2<f64>, LinalgError> {
    // What rounding of the kernel may have taken from its smallest eigenvalue.
    let trace: f64 = k_mm.diag().iter().map(|&v| Real::to_f64(v)).sum();
    let mut jitter = Real::to_f64(T::epsilon()) * trace.max(f64::MIN_POSITIVE);
    for attempt in 1.. {
        let factored = Cholesky::new(k_mm.mapv(Real::to_f64), jitter);
        match factored {
            Err(LinalgError::NotPositiveDefinite { .. }) if attempt < ATTEMPTS => {
                jitter *= ESCALATION;
            }
            factored => return Ok(factored?.into_factor()),
        }
    }
    unreachable!("the last attempt returns")
}

/// How many samples for each landmark the preconditioner is made of.
const SAMPLES_A_LANDMARK: usize = 3;

/// The equations of one ridge.
struct Preconditioned {
    c: Cholesky<f64>,
    ridge: f64,
}

/// Sums over the samples of one pass, and what the passes before have reached.
pub(crate) struct Iterations {
    l: Array2<f64>,
    ridge: Ridge,
    tolerance: f64,
    most: usize,
    samples: usize,
    /// The lower half of `Z_0^T Z_0`, (m, m), until it is factored, and the number of its samples.
    gram: Array2<f64>,
    drawn: usize,
    /// `K_mn y` in the first pass and `K_mn K_nm v` in the others, as far as they have come.
    sums: Array2<f64>,
    /// The kernels of samples with themselves.
    trace: f64,
    /// Since the first pass has ended: the equations, what is reached, and v, (m, outputs).
    reached: Option<(Preconditioned, Iterate<f64>, Array2<f64>)>,
}

impl Iterations {
    /// Starts from the kernel of the landmarks, of which the lower half is read.
    pub(crate) fn new<T: Real>(
        k_mm: &Array2<T>,
        samples: usize,
        ridge: Ridge,
        (tolerance, most): (f64, usize),
    ) -> Result<Self, PredictError> {
        let m = k_mm.nrows();
        Ok(Self {
            l: factor(k_mm)?,
            ridge,
            tolerance,
            most,
            samples,
            gram: Array2::zeros((m, m)),
            drawn: 0,
            sums: Array2::zeros((m, 0)),
            trace: 0.0,
            reached: None,
        })
    }

    /// Returns the number of outputs, 0 before the first block.
    pub(super) fn outputs(&self) -> usize {
        self.sums.ncols()
    }

    /// Returns whether kernels of samples with themselves are needed in this pass.
    pub(super) fn needs_trace(&self) -> bool {
        self.reached.is_none()
    }

    /// Returns whether another pass is needed.
    pub(super) fn continues(&self) -> bool {
        self.reached.as_ref().is_none_or(|(_, iterate, _)| {
            iterate.residual() > self.tolerance && iterate.residuals.len() <= self.most
        })
    }

    /// Returns how many passes remain at most, this one included.
    pub(super) fn remaining(&self) -> usize {
        self.most.saturating_add(1) - self.passes()
    }

    fn passes(&self) -> usize {
        let reached = self.reached.as_ref();
        reached.map_or(0, |(_, iterate, _)| iterate.residuals.len())
    }

    /// Adds a block of samples: their kernel with the landmarks (b, m), targets (b, outputs) and the
    /// sum of their kernels with themselves.
    pub(super) fn add<T: Real>(
        &mut self,
        k_bm: &Array2<T>,
        y: ArrayView2<'_, T>,
        diagonal: f64,
    ) -> Result<(), LinalgError> {
        if self.sums.ncols() == 0 {
            self.sums = Array2::zeros((k_bm.ncols(), y.ncols()));
        }
        let u = match &self.reached {
            None => y.mapv(Real::to_f64),
            Some((.., v)) => product(k_bm, v)?,
        };
        self.trace += diagonal;
        add_transposed(k_bm, &u, &mut self.sums)
    }

    /// Adds up the sums of all processes in this pass.
    pub(super) fn reduce(&mut self, ranks: &dyn Ranks) -> Result<(), EstimatorError> {
        if self.reached.is_none() {
            let outputs = ranks::outputs(ranks, self.outputs())?;
            if self.outputs() == 0 {
                self.sums = Array2::zeros((self.l.nrows(), outputs));
            }
            ranks.sum(std::slice::from_mut(&mut self.trace));
        }
        sum(ranks, &mut self.sums);
        Ok(())
    }

    /// Ends a pass: the next iterate.
    pub(super) fn advance(&mut self) -> Result<(), EstimatorError> {
        let mut sums = Array2::zeros(self.sums.raw_dim());
        std::mem::swap(&mut sums, &mut self.sums);
        let solved = solve_triangular(&self.l, Triangle::Lower, &mut sums);
        solved.map_err(PredictError::from)?;
        let none = |r: &Array2<f64>| Ok(r.clone());
        let (equations, iterate) = match self.reached.take() {
            None => {
                let equations = self.precondition().map_err(PredictError::from)?;
                let solved = equations.c.solve_l_in_place(&mut sums);
                solved.map_err(PredictError::from)?;
                let iterate = Iterate::new(&sums, none).map_err(PredictError::from)?;
                (equations, iterate)
            }
            Some((equations, mut iterate, _)) => {
                let mut t = iterate.p.clone();
                let c = &equations.c;
                c.solve_lt_in_place(&mut t).map_err(PredictError::from)?;
                sums.scaled_add(equations.ridge, &t);
                c.solve_l_in_place(&mut sums).map_err(PredictError::from)?;
                let advanced = iterate.advance::<PredictError>(&sums, none);
                advanced.map_err(|error| match error {
                    SolveError::Indefinite { curvature } => {
                        EstimatorError::Indefinite { curvature }
                    }
                    SolveError::Linalg(error) => PredictError::from(error).into(),
                    SolveError::Product(error) => error.into(),
                })?;
                (equations, iterate)
            }
        };
        let v = self.coefficients_of(&equations, &iterate.p)?;
        self.reached = Some((equations, iterate, v));
        Ok(())
    }

    /// Returns where the blocks begin that the preconditioner is made of.
    pub(super) fn starts(&self, block: usize) -> impl Iterator<Item = usize> + use<> {
        let blocks = self.samples.div_ceil(block);
        let wanted = (SAMPLES_A_LANDMARK * self.l.nrows()).div_ceil(block);
        let taken = wanted.min(blocks);
        (0..taken).map(move |i| i * (blocks / taken) * block)
    }

    /// Adds a block of samples to the preconditioner: their kernel with the landmarks (b, m).
    pub(super) fn draw<T: Real>(&mut self, k_bm: &Array2<T>) -> Result<(), LinalgError> {
        let mut z = k_bm.t().mapv(Real::to_f64);
        solve_triangular(&self.l, Triangle::Lower, &mut z)?;
        self.drawn += k_bm.nrows();
        syrk(1.0, &z, 1.0, &mut self.gram)
    }

    /// Adds up what all processes have drawn.
    pub(super) fn reduce_drawn(&mut self, ranks: &dyn Ranks) {
        sum(ranks, &mut self.gram);
        self.drawn = ranks::gather(ranks, self.drawn).into_iter().sum();
    }

    /// Factors `n/n_0 Z_0^T Z_0 + r`.
    fn precondition(&mut self) -> Result<Preconditioned, LinalgError> {
        let mean = self.trace / self.samples.max(1) as f64;
        let ridge = self.ridge.added(&Array2::from_elem((1, 1), mean))?;
        let mut gram = std::mem::take(&mut self.gram);
        gram *= self.samples as f64 / self.drawn.max(1) as f64;
        // Directions that these samples do not know have a ridge of their own where there is none.
        let least = gram.diag().sum() * f64::EPSILON;
        let c = Cholesky::new(gram, ridge.max(least).max(f64::MIN_POSITIVE))?;
        Ok(Preconditioned { c, ridge })
    }

    /// Returns `L^-T C^-T x`.
    fn coefficients_of(
        &self,
        equations: &Preconditioned,
        x: &Array2<f64>,
    ) -> Result<Array2<f64>, PredictError> {
        let mut v = x.clone();
        equations.c.solve_lt_in_place(&mut v)?;
        solve_triangular(&self.l.t(), Triangle::Upper, &mut v)?;
        Ok(v)
    }

    /// Returns what the iterations found: the ridge, the coefficients (m, outputs) and the residual.
    pub(super) fn solution(&self) -> Result<(f64, Array2<f64>, f64), PredictError> {
        let (equations, iterate, _) = self.reached.as_ref().expect("a pass has ended");
        let coefficients = self.coefficients_of(equations, &iterate.x)?;
        Ok((equations.ridge, coefficients, iterate.residual()))
    }

    /// Writes what is reached with so many samples of this pass.
    pub(super) fn write(
        &self,
        keeper: &mut Keeper<'_>,
        samples: usize,
        last: bool,
    ) -> Result<(), CheckpointError> {
        let trace = Array1::from_elem(1, self.trace);
        let mut arrays = vec![
            ("sums", self.sums.view().into_dyn()),
            ("trace", trace.view().into_dyn()),
        ];
        let residuals: Array1<f64>;
        if let Some((_, iterate, _)) = &self.reached {
            residuals = iterate.residuals.iter().copied().collect();
            arrays.extend([
                ("x", iterate.x.view().into_dyn()),
                ("r", iterate.r.view().into_dyn()),
                ("p", iterate.p.view().into_dyn()),
                ("rz", iterate.rz.view().into_dyn()),
                ("norms", iterate.norms.view().into_dyn()),
                ("residuals", residuals.view().into_dyn()),
            ]);
        }
        keeper.write(last, samples, self.passes(), &arrays)
    }

    /// Reads what was written.
    pub(super) fn read(&self, state: &State) -> Result<Reached, CheckpointError> {
        let m = self.l.nrows();
        let sums = state.outputs("sums", m)?;
        let outputs = sums.ncols();
        let iterate = match state.passes {
            0 => None,
            passes => Some(Iterate {
                x: state.array("x", [m, outputs])?,
                r: state.array("r", [m, outputs])?,
                p: state.array("p", [m, outputs])?,
                rz: state.array("rz", [outputs])?,
                norms: state.array("norms", [outputs])?,
                residuals: state.array("residuals", [passes])?.to_vec(),
            }),
        };
        Ok(Reached {
            samples: state.samples,
            sums,
            trace: state.array("trace", [1])?[0],
            iterate,
        })
    }

    /// Goes back to what was read, and returns how many samples of the pass are in it.
    ///
    /// Processes that were stopped a pass later than others give these the iterate, which is the same
    /// on all; what the others have summed is of a pass that has ended.
    pub(super) fn resume(
        &mut self,
        reached: Option<Reached>,
        ranks: &dyn Ranks,
    ) -> Result<usize, PredictError> {
        let m = self.l.nrows();
        let mut reached = reached.unwrap_or_else(|| Reached {
            samples: 0,
            sums: Array2::zeros((m, 0)),
            trace: 0.0,
            iterate: None,
        });
        let own = reached.passes();
        let passes = ranks::gather(ranks, own);
        let outputs = ranks::gather(ranks, reached.sums.ncols());
        let latest = passes.iter().copied().max().unwrap_or(0);
        if latest > 0 {
            let first = passes.iter().position(|&passes| passes == latest);
            let first = first.expect("the largest is one of them");
            let mut numbers = match (ranks.rank() == first, &reached.iterate) {
                (true, Some(iterate)) => numbers(iterate, reached.trace),
                _ => vec![0.0; 1 + outputs[first] * (3 * m + 2) + latest],
            };
            ranks.sum(&mut numbers);
            if own < latest {
                reached.samples = 0;
                reached.sums = Array2::zeros((m, outputs[first]));
            }
            let (trace, iterate) = iterate(&numbers, m, outputs[first]);
            (reached.trace, reached.iterate) = (trace, Some(iterate));
        }
        (self.sums, self.trace) = (reached.sums, reached.trace);
        if let Some(iterate) = reached.iterate {
            let equations = self.precondition()?;
            let v = self.coefficients_of(&equations, &iterate.p)?;
            self.reached = Some((equations, iterate, v));
        }
        Ok(reached.samples)
    }
}

/// What a process had reached when it was written.
pub(super) struct Reached {
    samples: usize,
    sums: Array2<f64>,
    trace: f64,
    iterate: Option<Iterate<f64>>,
}

impl Reached {
    fn passes(&self) -> usize {
        let iterate = self.iterate.as_ref();
        iterate.map_or(0, |iterate| iterate.residuals.len())
    }
}

/// Lists the trace and all numbers of an iterate.
fn numbers(iterate: &Iterate<f64>, trace: f64) -> Vec<f64> {
    let Iterate {
        x,
        r,
        p,
        rz,
        norms,
        residuals,
    } = iterate;
    let matrices = [x, r, p].into_iter().flatten();
    let vectors = rz.iter().chain(norms).chain(residuals);
    std::iter::once(&trace)
        .chain(matrices)
        .chain(vectors)
        .copied()
        .collect()
}

/// Makes the trace and the iterate, of m rows and so many outputs, of its numbers.
fn iterate(numbers: &[f64], m: usize, outputs: usize) -> (f64, Iterate<f64>) {
    let mut numbers = numbers.iter().copied();
    let trace = numbers.next().unwrap_or(0.0);
    let mut matrix =
        || Array2::from_shape_simple_fn((m, outputs), || numbers.next().unwrap_or(0.0));
    let (x, r, p) = (matrix(), matrix(), matrix());
    let rz = numbers.by_ref().take(outputs).collect();
    let norms = numbers.by_ref().take(outputs).collect();
    let residuals = numbers.collect();
    (
        trace,
        Iterate {
            x,
            r,
            p,
            rz,
            norms,
            residuals,
        },
    )
}

/// Computes `k v` in f64.
fn product<T: Real>(k: &Array2<T>, v: &Array2<f64>) -> Result<Array2<f64>, LinalgError> {
    let mut found = Array2::zeros((k.nrows(), v.ncols()));
    let rows = (WIDENED / k.ncols().max(1)).max(8);
    let parts = found.axis_chunks_iter_mut(Axis(0), rows);
    let parts: Vec<_> = parts.zip(k.axis_chunks_iter(Axis(0), rows)).collect();
    parts
        .into_par_iter()
        .try_for_each(|(mut found, k)| gemm(1.0, &*k.mapv(Real::to_f64), v, 0.0, &mut *found))?;
    Ok(found)
}

/// Adds `k^T u` in f64.
fn add_transposed<T: Real>(
    k: &Array2<T>,
    u: &ArrayRef2<f64>,
    sums: &mut Array2<f64>,
) -> Result<(), LinalgError> {
    let columns = (WIDENED / k.nrows().max(1)).max(8);
    let parts = sums.axis_chunks_iter_mut(Axis(0), columns);
    let parts: Vec<_> = parts.zip(k.axis_chunks_iter(Axis(1), columns)).collect();
    parts
        .into_par_iter()
        .try_for_each(|(mut sums, k)| gemm(1.0, &k.mapv(Real::to_f64).t(), u, 1.0, &mut *sums))
}
