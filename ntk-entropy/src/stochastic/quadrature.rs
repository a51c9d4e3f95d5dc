//! Quadratures for `g^T f(K) g`, `f(x) = -x ln x`, by the recurrence of Lanczos.

use super::deflation::check_definite;
use super::operator::Scaled;
use super::vectors::{dot, normalize, subtract};
use super::{EstimateError, Operator};
use crate::EntropyError;
use ndarray::{Array2, Axis, aview1};
use ntk_linalg::{Real, eigh};

/// Computes `-x ln x`, and 0 where rounding made x negative.
pub(super) fn f(x: f64) -> f64 {
    if x > 0.0 { -x * x.ln() } else { 0.0 }
}

/// An interval that holds a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Enclosure {
    pub(super) lower: f64,
    pub(super) upper: f64,
}

/// Encloses `v^T f(K) v` of a unit vector with `v^T K v = value` and `|K v - value v| = residual`: the
/// rules of Gauss and of Gauss and Radau with one node, in closed form.
pub(super) fn of_pair((value, residual): (f64, f64)) -> Enclosure {
    let upper = f(value);
    let ratio = if value > 0.0 { residual / value } else { 0.0 };
    let lower = upper - value * (ratio * ratio).ln_1p();
    Enclosure { lower, upper }
}

/// A Lanczos recurrence: K as a tridiagonal matrix on the Krylov subspace of one vector.
#[derive(Debug, Clone, Default)]
struct Recurrence {
    /// The squared length `|g|^2` of the vector.
    mass: f64,
    diagonal: Vec<f64>,
    /// The entries beside the diagonal, as long as the diagonal: the last one couples to what was
    /// not explored.
    coupling: Vec<f64>,
    /// Whether the subspace is invariant to rounding.
    ended: bool,
}

/// One recurrence for each row of a block, their products made at once.
pub(super) struct Quadratures<T> {
    /// The basis vectors by depth: one row (n) for each recurrence, whose rows are orthonormal.
    basis: Vec<Array2<T>>,
    recurrences: Vec<Recurrence>,
}

impl<T: Real> Quadratures<T> {
    /// Starts from the rows of `g` (b, n).
    pub(super) fn new(mut g: Array2<T>) -> Self {
        let start = |row| {
            let length = normalize(row);
            Recurrence {
                mass: length * length,
                ended: length == 0.0,
                ..Recurrence::default()
            }
        };
        let recurrences = g.rows_mut().into_iter().map(start).collect();
        let basis = vec![g];
        Self { basis, recurrences }
    }

    /// Returns the number of products made so far.
    pub(super) fn depth(&self) -> usize {
        self.basis.len() - 1
    }

    /// Tells whether every recurrence has seen all that there is.
    pub(super) fn ended(&self) -> bool {
        self.recurrences.iter().all(|r| r.ended)
    }

    /// Returns `|g|^2` and `g^T K g / scale` of each row; the latter after one step.
    pub(super) fn moments(&self) -> impl Iterator<Item = (f64, f64)> {
        let first = |r: &Recurrence| r.diagonal.first().map_or(0.0, |v| v * r.mass);
        self.recurrences.iter().map(move |r| (r.mass, first(r)))
    }

    /// Makes one product, for one more node in each quadrature. All vectors are orthogonalised against
    /// all of their recurrence, at `n b depth`: else eigenvalues would be seen twice.
    pub(super) fn step<O: Operator<T>>(
        &mut self,
        operator: &mut Scaled<'_, O>,
    ) -> Result<(), EstimateError<O::Error>> {
        let last = &self.basis[self.depth()];
        let n = last.ncols();
        let rounding = (n as f64).sqrt() * Real::to_f64(T::epsilon());
        let mut next = operator.product(last.view())?;
        for (i, recurrence) in self.recurrences.iter_mut().enumerate() {
            let mut row = next.row_mut(i);
            if recurrence.ended {
                row.fill(T::zero());
                continue;
            }
            recurrence.diagonal.push(dot(row.view(), last.row(i)));
            for _ in 0..2 {
                for vectors in &self.basis {
                    let along = dot(row.view(), vectors.row(i));
                    subtract(row.view_mut(), along, vectors.row(i));
                }
            }
            let length = normalize(row.view_mut());
            recurrence.coupling.push(length);
            let entries = recurrence.diagonal.iter().chain(&recurrence.coupling);
            let size = entries.fold(0.0_f64, |size, v| size.max(v.abs()));
            if length <= rounding * size || recurrence.diagonal.len() == n {
                recurrence.ended = true;
                row.fill(T::zero());
            }
        }
        self.basis.push(next);
        Ok(())
    }

    /// Encloses `g^T f(K / scale) g` of each row.
    ///
    /// # Errors
    /// [`EntropyError::Indefinite`].
    pub(super) fn enclosures(&self, scale: f64) -> Result<Vec<Enclosure>, EntropyError> {
        let n = self.basis[0].len_of(Axis(1));
        let enclosure = |r: &Recurrence| {
            let m = r.diagonal.len();
            if m == 0 {
                return Ok(Enclosure {
                    lower: 0.0,
                    upper: 0.0,
                });
            }
            let (nodes, upper) = rule(&r.diagonal, &r.coupling[..m - 1])?;
            check_definite(aview1(&nodes), scale, n, T::epsilon())?;
            let mut lower = upper;
            if !r.ended {
                let radau = [&r.diagonal[..], &[last_entry::<T>(r)]].concat();
                lower = rule(&radau, &r.coupling)?.1.min(upper);
            }
            Ok(Enclosure {
                lower: r.mass * lower,
                upper: r.mass * upper,
            })
        };
        self.recurrences.iter().map(enclosure).collect()
    }
}

/// Computes the diagonal entry after the last that makes a tridiagonal matrix singular, its node
/// zero then being Radau's: the square of the coupling over the last pivot.
fn last_entry<T: Real>(r: &Recurrence) -> f64 {
    let size = r.diagonal.iter().fold(0.0_f64, |size, v| size.max(v.abs()));
    let smallest = Real::to_f64(T::epsilon()) * size;
    let mut pivot = f64::INFINITY;
    let mut before = 0.0;
    for (&entry, &coupling) in r.diagonal.iter().zip(&r.coupling) {
        // Positive but for rounding.
        pivot = (entry - before * before / pivot).max(smallest);
        before = coupling;
    }
    before * before / pivot
}

/// Computes the nodes of a tridiagonal matrix, and the quadrature `e_1^T f(T) e_1`.
fn rule(diagonal: &[f64], coupling: &[f64]) -> Result<(Vec<f64>, f64), EntropyError> {
    let m = diagonal.len();
    let matrix = Array2::from_shape_fn((m, m), |(i, j)| match i.abs_diff(j) {
        0 => diagonal[i],
        1 => coupling[i.min(j)],
        _ => 0.0,
    });
    let found = eigh(&matrix)?;
    let weights = found.vectors.row(0);
    let terms = found
        .values
        .iter()
        .zip(weights)
        .map(|(&node, w)| w * w * f(node));
    let sum = terms.sum();
    Ok((found.values.to_vec(), sum))
}
