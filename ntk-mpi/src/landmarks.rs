//! Regression over landmarks whose kernel is spread over a grid.
//!
//! With samples (n) and landmarks (m), coefficients c solve `(K_mn K_nm + r K_mm + d) c = K_mn y`, d being
//! what rounding hides of the matrix, so that landmarks may repeat. They come from conjugate gradients
//! preconditioned by `n/m K_mm^2 + r K_mm + d = n/m (K_mm + a) (K_mm + b)`, which is what the equations
//! were if the landmarks were all samples (FALKON; Rudi, Carratino and Rosasco 2017,
//! arXiv:1705.10958). Its two factors and `K_mm` itself are block-cyclic; of order m on a rank are vectors
//! alone.

use crate::communicate::{first_failure, sum};
use crate::{BlockCyclic, DistributedCholesky, DistributedKernel, DistributedOperator};
use crate::{DistributedRegression, Error};
use ndarray::{Array2, ArrayD, ArrayRef, ArrayRef2, Dimension};
use ntk_kernels::predict::{PredictError, Ridge, check};
use ntk_linalg::{Iterate, LinalgError, Operator, SolveError, gemm, matmul};
use std::fmt::Display;
use std::ops::Range;

/// What rounding hides of the equations' matrix, in units of eps times its norm.
const HIDDEN: f64 = 8.0;

/// How many products with the kernel of landmarks its norm is estimated by.
const PRODUCTS: usize = 10;

/// How many times the jitter is raised before the kernel of the landmarks is given up.
const ATTEMPTS: usize = 6;

/// How many times as much each attempt adds as the one before.
const ESCALATION: f64 = 10.0;

/// A `DistributedLandmarks` is kernel ridge regression over m landmarks, whose kernel (m, m) is too
/// large for a rank, by passes over n samples that the ranks read in turn.
///
/// Where `K_mm` fits into the memory of each rank,
/// [`Landmarks::fit_over`](ntk_kernels::Landmarks::fit_over) takes fewer passes.
///
/// Memory on each of P ranks: the landmarks, `3 m^2 / P` numbers (4 while they are factored), and `block m` for the kernel of a
/// block of samples. Cost over all ranks: `2 m^3 / 3` operations once; in each pass the kernel of n
/// with m samples and `4 n m` operations an output, after which each rank sends `m outputs` numbers.
#[derive(Debug)]
pub struct DistributedLandmarks<'a> {
    kernel: &'a DistributedKernel<'a>,
    points: ArrayD<f64>,
    alpha: Ridge,
    block: usize,
    limits: (f64, usize),
}

impl<'a> DistributedLandmarks<'a> {
    /// Starts from the `kernel` of the landmarks and from themselves (m, ...), the same on every rank.
    ///
    /// # Errors
    /// [`Error::Predict`] where there are not as many as the kernel has samples.
    pub fn new<D: Dimension>(
        kernel: &'a DistributedKernel<'a>,
        points: &ArrayRef<f64, D>,
    ) -> Result<Self, Error> {
        let points = points.to_owned().into_dyn();
        let found = points.shape().first().copied().unwrap_or(0);
        if found != kernel.samples() {
            return Err(PredictError::Shape {
                what: "the landmarks",
                found: (found, points.len() / found.max(1)),
                expected: format!("{} samples", kernel.samples()),
                why: "the kernel is theirs",
            }
            .into());
        }
        Ok(Self {
            kernel,
            points,
            alpha: Ridge::default(),
            block: 1024,
            limits: (1e-8, 100),
        })
    }

    /// Sets the ridge r: nothing unless set. A relative one is in units of the mean kernel of all
    /// samples with themselves.
    #[must_use]
    pub fn alpha(mut self, alpha: impl Into<Ridge>) -> Self {
        self.alpha = alpha.into();
        self
    }

    /// Sets the number of samples whose kernel with the landmarks a rank holds at once: 1024 unless
    /// set.
    #[must_use]
    pub fn block(mut self, rows: usize) -> Self {
        self.block = rows;
        self
    }

    /// Sets the largest `|r| / |b|` of an output that is solved, 1e-8 unless set, and the largest
    /// number of passes after the first, 100 unless set.
    #[must_use]
    pub fn limits(mut self, tolerance: f64, iterations: usize) -> Self {
        self.limits = (tolerance, iterations);
        self
    }

    /// Solves for the coefficients of the landmarks with so many samples and outputs: `read` gives
    /// samples (range, ...) and targets (range, outputs) of a range of them, always the same.
    ///
    /// What comes back predicts; the second number is the residual that was reached.
    ///
    /// # Errors
    /// On every rank, for what one meets: those of `read`; [`Error::Predict`] for targets that are
    /// not of that shape or not finite, and a `block` or a ridge without meaning; [`Error::Kernel`];
    /// [`Error::Linalg`] where `K_mm` is not positive definite with all that may be added to it,
    /// or the equations are not.
    pub fn fit<E: From<Error> + Display>(
        &self,
        samples: usize,
        outputs: usize,
        mut read: impl FnMut(Range<usize>) -> Result<(ArrayD<f64>, Array2<f64>), E>,
    ) -> Result<(DistributedRegression<'a>, f64), E> {
        if self.block == 0 || samples == 0 {
            return Err(Error::from(PredictError::Argument {
                name: "the number of samples, or of a block",
                value: 0.0,
                condition: "at least 1",
            })
            .into());
        }
        let m = self.kernel.samples();
        let (b, trace) = self.pass(samples, outputs, &mut read, None)?;
        let mean = Array2::from_elem((1, 1), trace / samples as f64);
        let ridge = self.alpha.added(&mean).map_err(Error::from)?;
        let matrix = self.kernel.matrix()?;
        let own = DistributedOperator::new(&matrix)?;
        let each = samples as f64 / m as f64;
        let norm = norm(&own)?;
        let hidden = HIDDEN * f64::EPSILON * each * norm * norm;
        // The roots of x^2 + r/s x + d/s, or two that are equal where rounding hides the ridge.
        let half = ridge / each / 2.0;
        let root = (half * half - hidden / each).max(0.0).sqrt();
        let larger = (half + root).max((hidden / each).sqrt());
        let larger = if larger > 0.0 { larger } else { 1.0 };
        let factors = [larger, hidden / each / larger].map(|added| factor(&matrix, added));
        let [one, other] = factors;
        let (one, other) = (one?, other?);
        let solve =
            |r: &Array2<f64>| -> Result<_, Error> { Ok(other.solve(&one.solve(r)?)? / each) };
        // Refuses more outputs than a rank can hold.
        let first = solve(&b)?;
        let precondition = |r: &Array2<f64>| {
            solve(r).map_err(|error| match error {
                Error::Linalg(error) => error,
                error => unreachable!("so many numbers were solved before: {error}"),
            })
        };
        let (tolerance, iterations) = self.limits;
        let iterate = Iterate::new(&b, |_| Ok(first));
        let mut iterate = iterate.map_err(Error::from)?;
        while iterate.residual() > tolerance && iterate.residuals.len() <= iterations {
            let (mut product, _) = self.pass(samples, outputs, &mut read, Some(&iterate.p))?;
            let penalty = own.product(&iterate.p).map_err(Error::from)?;
            product.scaled_add(ridge, &penalty);
            product.scaled_add(hidden, &iterate.p);
            let advanced = iterate.advance::<LinalgError>(&product, precondition);
            advanced.map_err(|error| match error {
                SolveError::Indefinite { curvature } => Error::Indefinite { curvature },
                SolveError::Linalg(error) | SolveError::Product(error) => error.into(),
            })?;
        }
        let residual = iterate.residual();
        let fitted = DistributedRegression::with_coefficients(self.kernel, iterate.x)?;
        Ok((fitted, residual))
    }

    /// Computes `K_mn u` over all samples, u being the targets or `K_nm v`, and the sum of the kernels
    /// of samples with themselves, where u is the targets. Collective.
    fn pass<E: From<Error> + Display>(
        &self,
        samples: usize,
        outputs: usize,
        read: &mut impl FnMut(Range<usize>) -> Result<(ArrayD<f64>, Array2<f64>), E>,
        v: Option<&Array2<f64>>,
    ) -> Result<(Array2<f64>, f64), E> {
        let grid = self.kernel.grid();
        let mut sums = Array2::zeros((self.kernel.samples(), outputs));
        let mut trace = [0.0];
        let observer = self.kernel.observing();
        observer.begin("samples", (samples / grid.ranks()) as u64);
        let starts = (0..samples).step_by(self.block);
        let mut own = starts.skip(grid.rank()).step_by(grid.ranks());
        let added: Result<(), E> = own.try_for_each(|start| {
            let range = start..samples.min(start + self.block);
            let expected = (range.len(), outputs);
            let (x, y) = read(range)?;
            self.add((&x, &y), expected, v, &mut sums, &mut trace[0])?;
            observer.advance(expected.0 as u64);
            Ok(())
        });
        let failed = added.as_ref().err().map(|error| error as _);
        match (first_failure(grid.communicator(), failed), added) {
            (Some((rank, message)), Ok(())) => return Err(Error::Rank { rank, message }.into()),
            (_, added) => added?,
        }
        sum(grid.communicator(), sums.as_slice_mut().expect("it is new"));
        sum(grid.communicator(), &mut trace);
        Ok((sums, trace[0]))
    }

    /// Adds a block of samples.
    fn add(
        &self,
        (x, y): (&ArrayD<f64>, &Array2<f64>),
        expected: (usize, usize),
        v: Option<&Array2<f64>>,
        sums: &mut Array2<f64>,
        trace: &mut f64,
    ) -> Result<(), Error> {
        check::shape("the targets", y, expected, "one row a sample of the block")?;
        let of_block = self.kernel.between(x.view(), self.points.view())?;
        let turned;
        let u: &ArrayRef2<f64> = match v {
            Some(v) => {
                turned = matmul(&of_block, v)?;
                &turned
            }
            None => {
                *trace += self.kernel.own_kernels(x)?.sum();
                y
            }
        };
        Ok(gemm(1.0, &of_block.t(), u, 1.0, sums)?)
    }
}

/// Estimates the norm of the kernel of landmarks, which a few products show: its largest eigenvalue
/// stands out.
fn norm(kernel: &DistributedOperator<'_>) -> Result<f64, Error> {
    let mut v = Array2::ones((kernel.order(), 1));
    let mut norm = 0.0;
    for _ in 0..PRODUCTS {
        let size = v.iter().map(|v| v * v).sum::<f64>().sqrt();
        v.mapv_inplace(|v| if size > 0.0 { v / size } else { v });
        v = kernel.product(&v)?;
        norm = v.iter().map(|v| v * v).sum::<f64>().sqrt();
    }
    Ok(norm)
}

/// Factors `matrix + added`, and more where rounding has left it indefinite.
fn factor(matrix: &BlockCyclic, added: f64) -> Result<DistributedCholesky, Error> {
    let trace = matrix.diagonal().sum();
    let mut jitter = f64::EPSILON * trace.max(f64::MIN_POSITIVE);
    for attempt in 1.. {
        let mut raised = matrix.clone();
        raised.add_to_diagonal(added + jitter);
        match DistributedCholesky::new(raised) {
            Err(Error::Linalg(LinalgError::NotPositiveDefinite { .. })) if attempt < ATTEMPTS => {
                jitter *= ESCALATION;
            }
            factored => return factored,
        }
    }
    unreachable!("the last attempt returns")
}
