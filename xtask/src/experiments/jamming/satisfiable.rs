//! Whether a linearised network can satisfy all constraints, however long it is trained.
//!
//! Minimises the hinge, which is convex and piecewise quadratic in the parameters, by Newton's
//! method on the constraints that are not satisfied; it ends after finitely many steps
//! (Mangasarian 2002, doi:10.1080/1055678021000028375).

use super::flow::Start;
use super::{Failure, Images, MARGIN};
use ndarray::{Array1, Array2, Axis, s};
use ntk_linalg::{Cholesky, Ridge, eigh, symmetric_product};

/// The largest number of Newton steps; some ten are needed.
const STEPS: usize = 200;
/// Sums of squares below this are zero: rounding in a thousand margins of one half.
const NOTHING: f64 = 1e-16;
/// Where the derivative is so small a share of its largest possible value, the least is reached.
const LEVEL: f64 = 1e-11;
/// What is added to the diagonal of the Hessian, relative to its mean.
const REGULARIZER: f64 = 1e-12;

/// Checks the network that begins so.
pub(super) fn check(start: &Start, [train, _]: &[Images; 2]) -> Result<bool, Failure> {
    let n = start.k_dd.nrows();
    if Cholesky::new(start.k_dd.clone(), 0.0).is_ok() {
        // A kernel of full rank reaches any outputs.
        return Ok(true);
    }
    let eigen = eigh(&start.k_dd)?;
    let largest = eigen.values.last().copied().unwrap_or(0.0);
    let zeros = eigen
        .values
        .iter()
        .filter(|&&l| l <= n as f64 * f64::EPSILON * largest)
        .count();
    // Outputs in an orthonormal basis of those that can be reached: how far parameters have to
    // move for them does not matter here, and would make the problem ill-conditioned.
    let mut features = eigen.vectors.slice(s![.., zeros..]).to_owned();
    let y = train.y.column(0);
    features *= &y.insert_axis(Axis(1));
    let begin = start.f0_train.iter().zip(&train.y);
    let aims: Array1<f64> = begin.map(|(f, y)| MARGIN - f * y).collect();
    separable(&features, &aims)
}

/// Says whether some w has `features w >= aims`.
fn separable(features: &Array2<f64>, aims: &Array1<f64>) -> Result<bool, Failure> {
    let short = |w: &Array1<f64>| (aims - &features.dot(w)).mapv(|v| v.max(0.0));
    let energy = |short: &Array1<f64>| short.dot(short);
    let mut w = Array1::zeros(features.ncols());
    let mut missing = short(&w);
    let steepest = features.mapv(f64::abs).t().dot(&missing).sum();
    for _ in 0..STEPS {
        let before = energy(&missing);
        if before <= NOTHING {
            return Ok(true);
        }
        let gradient = features.t().dot(&missing);
        if gradient.mapv(f64::abs).sum() <= LEVEL * steepest {
            return Ok(false);
        }
        let rows: Vec<usize> = (0..missing.len()).filter(|&i| missing[i] > 0.0).collect();
        let active = features.select(Axis(0), &rows);
        let mut hessian = symmetric_product(&active.t())?;
        let level = REGULARIZER * hessian.diag().mean().unwrap_or(0.0);
        hessian.diag_mut().mapv_inplace(|v| v + level);
        let factor = Cholesky::new(hessian, Ridge::Adaptive { max_relative: 1e-6 })?;
        let direction = factor.solve_vec(&gradient)?;
        let mut length = 1.0;
        loop {
            let next = &w + &(&direction * length);
            let there = short(&next);
            if energy(&there) < before || length < 1e-6 {
                (w, missing) = (next, there);
                break;
            }
            length /= 2.0;
        }
        if length < 1e-6 {
            // Rounding is all that is left to gain.
            return Ok(energy(&missing) <= NOTHING);
        }
    }
    Ok(energy(&missing) <= NOTHING)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use ntk_data::synthetic;

    #[test]
    fn small_systems_by_hand() {
        let aims = array![1.0, 1.0, 1.0];
        // w > 0 and w < 0 exclude each other; all of one sign do not.
        assert!(!separable(&array![[1.0], [-1.0], [2.0]], &aims).unwrap());
        assert!(separable(&array![[1.0], [0.01], [2.0]], &aims).unwrap());
        // Three directions of the plane at 120 degrees: none satisfies all three.
        let h = 0.75_f64.sqrt();
        assert!(!separable(&array![[1.0, 0.0], [-0.5, h], [-0.5, -h]], &aims).unwrap());
        assert!(separable(&array![[1.0, 0.0], [-0.5, h], [0.5, h]], &aims).unwrap());
        // Nothing to do, and nothing to do it with.
        assert!(separable(&array![[1.0], [-1.0]], &array![-1.0, 0.0]).unwrap());
        assert!(!separable(&array![[0.0], [0.0]], &array![1.0, -1.0]).unwrap());
    }

    /// Cover (1965), doi:10.1109/PGEC.1965.264137: n random points in d dimensions are almost
    /// surely separable well below n = 2 d, and almost surely not well above.
    #[test]
    fn random_points_are_separable_up_to_twice_their_dimension() {
        for seed in 0..4 {
            let d = 40;
            let x = synthetic::gaussian::<f64>(4 * d, d, seed).unwrap();
            let of =
                |n: usize| separable(&x.slice(s![..n, ..]).to_owned(), &Array1::ones(n)).unwrap();
            assert!(of(d + d / 4), "{seed}");
            assert!(!of(3 * d), "{seed}");
        }
    }
}
