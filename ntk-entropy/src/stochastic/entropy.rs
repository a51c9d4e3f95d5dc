//! The von Neumann entropy of an operator.

use super::deflation::Deflation;
use super::operator::Scaled;
use super::probes::Probes;
use super::quadrature::{Enclosure, Quadratures, of_pair};
use super::{BLOCK, Estimate, EstimateError, Estimator, Operator, regression};
use crate::rounding::Rounding;
use crate::spectrum::{check_trace, prepared};
use crate::{EntropyError, Normalization};
use ndarray::ArrayRef2;
use ntk_linalg::Real;

/// The most products of one recurrence. Its vectors are kept: `n BLOCK` numbers for each product.
const DEPTH: usize = 100;

impl Estimator {
    /// Estimates the von Neumann entropy in nats of a symmetric positive semidefinite matrix `k`
    /// (n, n), normalised as said. Compare [`crate::von_neumann::entropy`], the exact one.
    ///
    /// Cost: some 10 to 50 reads of the matrix, each with `2 n^2` [`BLOCK`] operations; it is copied
    /// for its cosines alone.
    ///
    /// # Errors
    /// Those of [`crate::Spectrum::of_kernel`], a negative eigenvalue only where the recurrences meet
    /// it; a diagonal entry bounds what counts as symmetric. [`EntropyError::Tolerance`].
    pub fn entropy_of_kernel<T: Real>(
        &self,
        k: &ArrayRef2<T>,
        normalization: Normalization,
    ) -> Result<Estimate, EntropyError> {
        self.check()?;
        let (k, normalization) = prepared(k, normalization)?;
        let k = k.view();
        let trace = Operator::trace(&k).unwrap_or(f64::NAN);
        check_trace(k.nrows(), trace, normalization, Rounding::of::<T>())?;
        self.entropy(&k).map_err(|error| match error {
            EstimateError::Product(error) => error.into(),
            EstimateError::Entropy(error) => error,
            EstimateError::Shape { .. } => unreachable!("a product of matrices has their shape"),
        })
    }

    /// Estimates the von Neumann entropy in nats of `K / tr K`, K an operator of order n, by deflated
    /// stochastic Lanczos quadrature (see [`super`]).
    ///
    /// An estimate that did not get within the tolerance is returned as well, with `converged` false:
    /// draw more probes, or allow for a larger error. So is one whose `truncation` alone exceeds the
    /// tolerance at depth 100.
    ///
    /// Cost: some 10 to 50 products with [`BLOCK`] vectors, and memory for `n` [`BLOCK`] numbers for
    /// each product of a recurrence.
    ///
    /// # Errors
    /// [`EstimateError`]; [`EntropyError::Indefinite`] only where the recurrences meet a negative
    /// eigenvalue.
    pub fn entropy<T: Real, O: Operator<T>>(
        &self,
        operator: &O,
    ) -> Result<Estimate, EstimateError<O::Error>> {
        self.check()?;
        let n = operator.order();
        let known = if n == 0 { Some(0.0) } else { operator.trace() };
        if let Some(trace) = known.filter(|trace| trace.is_nan() || *trace <= 0.0) {
            return Err(EntropyError::ZeroTrace { trace }.into());
        }
        let mut operator = Scaled::new(operator, known.unwrap_or(1.0));
        let mut probes = Probes::new(n, self.seed);
        let start = probes.draw::<T>(BLOCK.min(n));
        let deflation = Deflation::of(&mut operator, known.is_some(), start)?;
        let mut samples = Evidence::new(n, &deflation, known.is_some());
        // What rounding of K may explain.
        let rounding = n as f64 * Real::to_f64(T::epsilon());
        loop {
            let mut estimate = samples.estimate();
            if n > deflation.pairs.len() {
                let mut block = probes.block();
                deflation.project(&mut block)?;
                let mut quadratures = Quadratures::new(block);
                let before = samples.drawn.len();
                loop {
                    quadratures.step(&mut operator)?;
                    samples.drawn.truncate(before);
                    let enclosures = quadratures.enclosures(operator.scale)?;
                    samples.drawn.extend(quadratures.moments().zip(enclosures));
                    estimate = samples.estimate();
                    // A quarter of the error allowed: the probes are dearer.
                    let small = (0.25 * self.tolerance * estimate.value).max(rounding);
                    if quadratures.ended()
                        || estimate.truncation <= small
                        || quadratures.depth() == DEPTH
                    {
                        break;
                    }
                }
            }
            estimate.products = operator.products;
            let allowed = (self.tolerance * estimate.value).max(rounding);
            estimate.converged = estimate.error() <= allowed;
            let hopeless = estimate.truncation > allowed || n == deflation.pairs.len();
            if estimate.converged || hopeless || samples.drawn.len() >= self.max_probes {
                return Ok(estimate);
            }
        }
    }
}

/// `Evidence` is what is known of the entropy of `K / scale`.
struct Evidence {
    /// The sum `sum_v v^T f(K) v` over deflated vectors v.
    deflated: Enclosure,
    /// The sum `sum_v v^T K v` over the same.
    deflated_trace: f64,
    /// The number of dimensions left, `tr P`.
    left: f64,
    /// Whether the scale is the trace.
    trace_known: bool,
    /// The numbers of each probe g: `|P g|^2` and `g^T P K P g`, and `g^T P f(K) P g`.
    drawn: Vec<((f64, f64), Enclosure)>,
}

impl Evidence {
    fn new<T: Real>(n: usize, deflation: &Deflation<T>, trace_known: bool) -> Self {
        let mut deflated = Enclosure {
            lower: 0.0,
            upper: 0.0,
        };
        for &pair in &deflation.pairs {
            let Enclosure { lower, upper } = of_pair(pair);
            deflated.lower += lower;
            deflated.upper += upper;
        }
        Self {
            deflated,
            deflated_trace: deflation.trace(),
            left: (n - deflation.pairs.len()) as f64,
            trace_known,
            drawn: Vec::new(),
        }
    }

    /// Estimates the entropy: with F = tr f(K) and t = tr K of the scaled operator it is
    /// `S = F / t + ln t`.
    fn estimate(&self) -> Estimate {
        let probes = self.drawn.len();
        let middle = |e: &Enclosure| 0.5 * (e.lower + e.upper);
        let width = |e: &Enclosure| 0.5 * (e.upper - e.lower);
        let values: Vec<f64> = self.drawn.iter().map(|(_, e)| middle(e)).collect();
        let traces: Vec<f64> = self.drawn.iter().map(|((_, trace), _)| *trace).collect();
        let mass = self.drawn.iter().map(|((mass, _), _)| mass - self.left);
        let mut controls: Vec<Vec<f64>> = vec![mass.collect()];
        let mean = |y: &[f64], controls: &[Vec<f64>]| match probes {
            0 => (0.0, 0.0),
            _ => regression::mean(y, controls),
        };
        let (trace, value, standard_error);
        if self.trace_known {
            let left = 1.0 - self.deflated_trace;
            controls.push(traces.iter().map(|trace| trace - left).collect());
            let (rest, error) = mean(&values, &controls);
            (trace, value, standard_error) = (1.0, middle(&self.deflated) + rest, error);
        } else {
            trace = self.deflated_trace + mean(&traces, &controls).0;
            let sum = middle(&self.deflated) + mean(&values, &controls).0;
            // To first order in what the probes change of F and t.
            let change = |(f, t): (&f64, &f64)| f / trace + t / trace * (1.0 - sum / trace);
            let changes: Vec<f64> = values.iter().zip(&traces).map(change).collect();
            value = sum / trace + trace.ln();
            standard_error = mean(&changes, &controls).1;
        }
        let widths: f64 = self.drawn.iter().map(|(_, e)| width(e)).sum();
        let truncation = width(&self.deflated) + widths / probes.max(1) as f64;
        Estimate {
            // A pure state's is zero but for rounding.
            value: value.max(0.0),
            standard_error,
            truncation: truncation / trace,
            probes,
            products: 0,
            converged: false,
        }
    }
}
