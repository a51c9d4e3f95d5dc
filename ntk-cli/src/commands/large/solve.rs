//! The two ways to solve `(K + r) c = y`.

use crate::Failure;
use crate::progress::Progress;
use ndarray::{Array1, Array2, ArrayRef2, ArrayView2};
use ntk_linalg::{
    ConjugateGradients, Observer, Operator, Preconditioner, RandomPivots, Refined, Refinement,
    SymmetricTiles,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

/// Refinement that has not converged after so many steps will not.
const MOST_STEPS: usize = 20;

/// Residual at which conjugate gradients with a kernel in f32 are refined: what is below is
/// rounding.
const INNER: f64 = 1e-5;

/// Most products of one run of conjugate gradients.
const MOST_PRODUCTS: usize = 2000;

/// `y - (K + r) c` and how small it must be.
pub(crate) struct System<'a, O> {
    /// `K + r` in f64.
    pub(crate) operator: &'a O,
    pub(crate) y: ArrayView2<'a, f64>,
    pub(crate) tolerance: f64,
    pub(crate) progress: &'a Progress,
}

/// A solution and how it was reached.
pub(crate) struct Solved {
    pub(crate) solver: &'static str,
    pub(crate) refined: Refined,
    /// Products with the kernel so far, and the residual after them.
    pub(crate) curve: Vec<(f64, f64)>,
    /// Seconds of each part.
    pub(crate) seconds: Vec<(&'static str, f64)>,
}

impl<O: Operator<f64>> System<'_, O> {
    /// Factors `tiles`, which hold `K + r` in f32, in place, and refines.
    pub(crate) fn by_cholesky(&self, tiles: SymmetricTiles<f32>) -> Result<Solved, Failure> {
        let begun = Instant::now();
        let factor = tiles.observer(self.progress).cholesky()?;
        let factored = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        self.progress.say("  refinement: residuals in f64");
        let refined = self.refined(|r, _| {
            let step = factor.solve(&single(r))?;
            Ok(step.mapv(f64::from))
        })?;
        let residuals = refined.residuals.iter();
        Ok(Solved {
            solver: "cholesky",
            curve: residuals.enumerate().map(|(i, &r)| (i as f64, r)).collect(),
            refined,
            seconds: vec![
                ("cholesky", factored),
                ("refinement", begun.elapsed().as_secs_f64()),
            ],
        })
    }

    /// Conjugate gradients with `inner`, an approximation of `K + r`, refined.
    pub(crate) fn by_conjugate_gradients<I: Operator<f64>>(
        &self,
        inner: &I,
        exact: bool,
        preconditioner: &Preconditioner<f64>,
    ) -> Result<Solved, Failure> {
        let begun = Instant::now();
        // With exact products one run is enough, up to what its recurrence loses.
        let least = if exact { 0.0 } else { INNER };
        let mut curve = vec![(0.0, 1.0)];
        let refined = self.refined(|r, now| {
            let found = ConjugateGradients::new()
                .tolerance(least.max(0.3 * self.tolerance / now))
                .max_iterations(MOST_PRODUCTS)
                .preconditioner(preconditioner)
                .observer(self.progress)
                .solve(inner, r)?;
            let before = curve.last().map_or(0.0, |(products, _)| *products);
            let runs = found.residuals.iter().enumerate().skip(1);
            curve.extend(runs.map(|(i, &left)| (before + i as f64, now * left)));
            self.progress.end();
            Ok(found.x)
        })?;
        Ok(Solved {
            solver: "cg",
            refined,
            curve,
            seconds: vec![("cg", begun.elapsed().as_secs_f64())],
        })
    }

    fn refined(
        &self,
        solve: impl FnMut(&ArrayRef2<f64>, f64) -> Result<Array2<f64>, Failure>,
    ) -> Result<Refined, Failure> {
        let refined = Refinement::new()
            .tolerance(self.tolerance)
            .max_steps(MOST_STEPS)
            .observer(self.progress)
            .solve(self.operator, &self.y, solve);
        self.progress.end();
        refined
    }
}

/// In f32; a residual far below 1 stays far above its smallest numbers.
fn single(r: &ArrayRef2<f64>) -> Array2<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "the solver's precision")]
    r.mapv(|v| v as f32)
}

/// The preconditioner of `K + shift` from `rank` of K's `columns`, drawn by `seed`.
pub(crate) fn preconditioner(
    diagonal: Array1<f64>,
    (rank, seed): (usize, u64),
    shift: f64,
    observer: &dyn Observer,
    columns: impl FnMut(&[usize]) -> Result<Array2<f64>, Failure>,
) -> Result<Preconditioner<f64>, Failure> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let partial =
        RandomPivots::new(rank)
            .observer(observer)
            .factor(diagonal, || random.random(), columns)?;
    let left = partial.residual().mean().unwrap_or_default();
    // Where nothing is left the kernel is its factor, and any shift will do that is not lost in
    // rounding.
    let shift = shift + left;
    let least = f64::EPSILON.powf(2.0 / 3.0) * partial.factor().iter().map(|v| v * v).sum::<f64>();
    Ok(partial.preconditioner(shift.max(least).max(f64::MIN_POSITIVE))?)
}
