//! Features of activations.

use super::signal::Signal;
use super::sketch::{Concat, Draws, Product, Scratch, inverse_root};
use crate::dual::{Activation, Rule};
use ndarray::{Array2, s};
use ntk_linalg::{Backend, LinalgError, Real};

/// Rows that are multiplied with the weights at once. Products of one shape have the same bits for a
/// row wherever it stands, and so features have for all sizes of blocks.
pub(super) const ROWS: usize = 96;

/// Nodes of the quadrature that gives Hermite coefficients.
const NODES: usize = 256;

/// Random features of an activation f: `f(W phi) / sqrt(count)`, with W of standard normal numbers.
#[derive(Debug)]
pub(super) struct Random<T> {
    pub(super) activation: Activation,
    /// W, (count, length).
    pub(super) weights: Array2<T>,
    /// Multiplies the NTK's features with those of the derivative.
    pub(super) product: Option<Product>,
}

impl<T: Real> Random<T> {
    pub(super) fn apply(&self, before: &Signal<T>) -> Result<Signal<T>, LinalgError> {
        let (count, length) = self.weights.dim();
        let rows = before.phi.nrows();
        let scale = (count as f64).sqrt().recip();
        let products = if self.product.is_some() { count } else { 0 };
        let mut after = Signal::zeros(rows, count, products);
        let mut tile = Array2::zeros((ROWS, length));
        let (mut slopes, mut scratch) = (vec![T::zero(); count], Scratch::default());
        for start in (0..rows).step_by(ROWS) {
            let end = rows.min(start + ROWS);
            let part = before.phi.slice(s![start..end, ..]);
            tile.slice_mut(s![..end - start, ..]).assign(&part);
            // OpenBLAS sums a row in another order in another place of the tile.
            let outputs = Backend::Faer.matmul(&tile, &self.weights.t())?;
            for row in start..end {
                let outputs = outputs.row(row - start);
                let phi = after.phi.row_mut(row).into_iter();
                for ((&output, phi), slope) in outputs.iter().zip(phi).zip(&mut slopes) {
                    let at = self.activation.at(Real::to_f64(output));
                    let (value, derivative) = at.unwrap_or((f64::NAN, f64::NAN));
                    *phi = T::of(value * scale);
                    *slope = T::of(derivative * scale);
                }
                if let Some(product) = &self.product {
                    product.sketch(before.psi(row), &slopes, &mut scratch, after.psi_mut(row));
                }
            }
        }
        Ok(after)
    }
}

/// The Hermite expansions of an activation and its derivative to a degree, of sketches of tensor
/// powers.
#[derive(Debug)]
pub(super) struct Series {
    activation: Activation,
    rule: Rule,
    /// Row l gives the coefficient of degree l of values at the nodes.
    projection: Vec<Vec<f64>>,
    /// Makes the power of degree l + 2 of that of degree l + 1 and the vector.
    powers: Vec<Product>,
    values: Concat,
    slopes: Concat,
    product: Option<Product>,
}

/// How long the vectors of a [`Series`] are.
pub(super) struct Lengths {
    pub(super) phi: usize,
    /// 0 without an NTK.
    pub(super) psi: usize,
    pub(super) count: usize,
    pub(super) inner: usize,
}

impl Series {
    pub(super) fn new(
        draws: &mut Draws,
        activation: &Activation,
        degree: usize,
        of: &Lengths,
    ) -> Self {
        let rule = Rule::new(NODES);
        let mut projection = rule.projection();
        projection.truncate(degree + 1);
        let power = |l: usize| if l == 0 { of.phi } else { of.count };
        let powers = (0..degree.saturating_sub(1))
            .map(|l| Product::new(draws, [power(l), of.phi], of.count))
            .collect();
        let length = Self::length(degree, of);
        let values = Concat::new(draws, length, of.count);
        let slopes = Concat::new(draws, length, of.inner);
        let product = (of.psi > 0).then(|| Product::new(draws, [of.psi, slopes.width()], of.count));
        Self {
            activation: activation.clone(),
            rule,
            projection,
            powers,
            values,
            slopes,
            product,
        }
    }

    /// Returns the length of all powers side by side.
    fn length(degree: usize, of: &Lengths) -> usize {
        let first = if degree > 0 { of.phi } else { 0 };
        let rest = degree.saturating_sub(1).saturating_mul(of.count);
        first.saturating_add(rest).saturating_add(1)
    }

    /// Returns the bytes that it takes.
    pub(super) fn bytes(degree: usize, of: &Lengths) -> u64 {
        let length = Self::length(degree, of);
        let power = Product::bytes([of.count.max(of.phi), of.phi], of.count);
        let folds = [of.count, of.inner].map(|most| Concat::bytes(length, most));
        let powers = power.saturating_mul(degree as u64);
        let product = Product::bytes([of.psi, of.inner], of.count);
        folds
            .into_iter()
            .fold(powers, u64::saturating_add)
            .saturating_add(product)
    }

    /// Returns how many features there are.
    pub(super) fn width(&self) -> usize {
        self.values.width()
    }

    /// Computes the coefficients of the activation and its derivative at a standard deviation.
    fn coefficients(&self, deviation: f64) -> Vec<[f64; 2]> {
        let at = |x: &f64| self.activation.at(deviation * x);
        let nodes: Vec<_> = self.rule.nodes.iter().map(at).collect();
        let nodes = nodes.iter().map(|at| at.unwrap_or((f64::NAN, f64::NAN)));
        let of = |weights: &Vec<f64>| {
            weights
                .iter()
                .zip(nodes.clone())
                .fold([0.0; 2], |sum, (w, (f, d))| {
                    [sum[0] + w * f, sum[1] + w * d]
                })
        };
        self.projection.iter().map(of).collect()
    }

    pub(super) fn apply<T: Real>(&self, before: &Signal<T>, count: usize) -> Signal<T> {
        let rows = before.phi.nrows();
        let products = if self.product.is_some() { count } else { 0 };
        let mut after = Signal::zeros(rows, self.width(), products);
        let mut slopes = vec![T::zero(); self.slopes.width()];
        let mut power = vec![T::zero(); count];
        let (mut next, mut scratch) = (power.clone(), Scratch::default());
        for row in 0..rows {
            let phi = before.phi(row);
            let variance: f64 = phi.iter().map(|&x| Real::to_f64(x).powi(2)).sum();
            let deviation = variance.sqrt();
            let inverse = T::of(inverse_root(variance));
            let unit: Vec<T> = phi.iter().map(|&x| x * inverse).collect();
            slopes.fill(T::zero());
            let mut from = 0;
            for (degree, [value, slope]) in self.coefficients(deviation).into_iter().enumerate() {
                let one = [T::one()];
                let part = match degree {
                    0 => &one[..],
                    1 => &unit,
                    degree => {
                        let below = if degree == 2 { &unit } else { &power };
                        let product = &self.powers[degree - 2];
                        product.sketch(below, &unit, &mut scratch, &mut next);
                        std::mem::swap(&mut power, &mut next);
                        &power
                    }
                };
                self.values.add(from, part, value, after.phi_mut(row));
                if self.product.is_some() {
                    self.slopes.add(from, part, slope, &mut slopes);
                }
                from += part.len();
            }
            if let Some(product) = &self.product {
                product.sketch(before.psi(row), &slopes, &mut scratch, after.psi_mut(row));
            }
        }
        after
    }
}
