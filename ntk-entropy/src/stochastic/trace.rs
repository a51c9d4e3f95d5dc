//! Traces of an operator and of its square.

use super::deflation::Deflation;
use super::operator::Scaled;
use super::probes::Probes;
use super::{BLOCK, Estimate, EstimateError, Estimator, Operator, regression, vectors::dot};
use crate::rounding::Rounding;
use crate::spectrum::{check_trace, prepared};
use crate::{EntropyError, Normalization};
use ndarray::ArrayRef2;
use ntk_linalg::Real;

impl Estimator {
    /// Estimates `tr K` of an operator of order n, in the units of K: exact where the operator
    /// knows it, else by Hutch++ (Meyer et al. 2021, algorithm 1) on a Krylov subspace.
    ///
    /// Cost: 6 products with [`BLOCK`] vectors, and one for each block of probes.
    ///
    /// # Errors
    /// [`EstimateError`].
    pub fn trace<T: Real, O: Operator<T>>(
        &self,
        operator: &O,
    ) -> Result<Estimate, EstimateError<O::Error>> {
        self.check()?;
        let n = operator.order();
        let exact = |value, products| Estimate {
            value,
            standard_error: 0.0,
            truncation: 0.0,
            probes: 0,
            products,
            converged: true,
        };
        let known = if n == 0 { Some(0.0) } else { operator.trace() };
        if let Some(trace) = known {
            return Ok(exact(trace, 0));
        }
        let mut operator = Scaled::new(operator, 1.0);
        let mut probes = Probes::new(n, self.seed);
        let start = probes.draw::<T>(BLOCK.min(n));
        let deflation = match Deflation::of(&mut operator, false, start) {
            Err(EstimateError::Entropy(EntropyError::ZeroTrace { trace: 0.0 })) => {
                return Ok(exact(0.0, operator.products));
            }
            deflation => deflation?,
        };
        let left = n - deflation.pairs.len();
        if left == 0 {
            return Ok(exact(operator.scale * deflation.trace(), operator.products));
        }
        let (mut traces, mut mass) = (Vec::new(), Vec::new());
        loop {
            let mut block = probes.block::<T>();
            deflation.project(&mut block)?;
            let images = operator.product(block.view())?;
            for (probe, image) in block.rows().into_iter().zip(images.rows()) {
                traces.push(dot(probe, image));
                mass.push(dot(probe, probe) - left as f64);
            }
            let (rest, standard_error) = regression::mean(&traces, std::slice::from_ref(&mass));
            let value = deflation.trace() + rest;
            let converged = standard_error <= self.tolerance * value;
            if converged || traces.len() >= self.max_probes {
                return Ok(Estimate {
                    value: operator.scale * value,
                    standard_error: operator.scale * standard_error,
                    truncation: 0.0,
                    probes: traces.len(),
                    products: operator.products,
                    converged,
                });
            }
        }
    }
}

/// Computes the purity `tr rho^2` of a symmetric `k` (n, n) made a density matrix rho as said, exactly:
/// from 1/n, all eigenvalues equal, to 1, one of them nonzero. Cost: `n^2`.
///
/// # Errors
/// [`EntropyError::Linalg`] for a matrix that is not square, not finite or not symmetric;
/// [`EntropyError::ZeroTrace`].
pub fn purity<T: Real>(
    k: &ArrayRef2<T>,
    normalization: Normalization,
) -> Result<f64, EntropyError> {
    let (k, normalization) = prepared(k, normalization)?;
    let trace: f64 = k.diag().iter().map(|&v| Real::to_f64(v)).sum();
    check_trace(k.nrows(), trace, normalization, Rounding::of::<T>())?;
    if trace <= 0.0 {
        return Err(EntropyError::ZeroTrace { trace });
    }
    let square = |v: &T| (Real::to_f64(*v) / trace).powi(2);
    Ok(k.iter().map(square).sum())
}
