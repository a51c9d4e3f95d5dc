//! Takes a kernel that the user knows as a function `(q1, q2, q) -> (K, D)`.
//!
//! The function must give `K = E[f(u) f(v)]` and `D = dK/dq` for whatever variances `q1, q2 >= 0`
//! and covariances `|q| <= sqrt(q1 q2)` (by rounding a little more) occur, zeros included. On the
//! diagonal it is called with `q1 = q2 = q`. It is called once per pair, in f64, also for a network
//! in f32: nothing is vectorised here, and it may be called for a few arguments more than there are
//! pairs.

use super::{Activation, Described, Dual, Named, OptionFault, Side, Slopes};
use crate::pack::{LANES, Pack};
use ntk_linalg::Real;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;

type Map = dyn Fn(f64, f64, f64) -> (f64, f64) + Send + Sync;
/// `K`, `D`, and the derivatives of each by `q1`, `q2` and `q`.
type Values = (f64, f64, [f64; 3], [f64; 3]);
type Gradient = dyn Fn(f64, f64, f64) -> Values + Send + Sync;

/// A `ClosedForm` is an activation whose kernel the user gives; [`closed_form()`] makes it.
#[derive(Clone)]
pub struct ClosedForm {
    name: String,
    map: Arc<Map>,
    gradient: Option<Arc<Gradient>>,
}

/// Makes an activation of its kernel: `map(q1, q2, q)` computes `K = E[f(u) f(v)]` and `D = dK/dq`.
///
/// JSON writes the name, but cannot be read back; two such activations are equal where one is a
/// clone of the other. [The module](self) says for which arguments `map` is called.
///
/// ```
/// use ntk_kernels::dual::closed_form;
/// let square = closed_form("square", |q1, q2, q| (q1 * q2 + 2.0 * q * q, 4.0 * q));
/// assert_eq!(square.dual(1.0, 1.0, 0.5), (1.5, 2.0));
/// ```
#[must_use]
pub fn closed_form(
    name: impl Into<String>,
    map: impl Fn(f64, f64, f64) -> (f64, f64) + Send + Sync + 'static,
) -> Activation {
    Activation::ClosedForm(ClosedForm {
        name: name.into(),
        map: Arc::new(map),
        gradient: None,
    })
}

/// Makes an activation of its kernel and the kernel's derivatives: `map(q1, q2, q)` computes `K`,
/// `D`, the derivatives of `K` by `q1`, `q2` and `q`, and those of `D`, as
/// [`Activation::dual_gradient`] does; [`closed_form()`] otherwise.
///
/// Everything must be finite: where a derivative diverges, it is to be 0.
///
/// ```
/// use ntk_kernels::dual::closed_form_with_gradient;
/// let square = closed_form_with_gradient("square", |q1, q2, q| {
///     (q1 * q2 + 2.0 * q * q, 4.0 * q, [q2, q1, 4.0 * q], [0.0, 0.0, 4.0])
/// });
/// assert_eq!(square.dual_gradient(1.0, 2.0, 0.5)?.kernel_by_q1, 2.0);
/// # Ok::<(), ntk_kernels::dual::DualError>(())
/// ```
#[must_use]
pub fn closed_form_with_gradient(
    name: impl Into<String>,
    map: impl Fn(f64, f64, f64) -> (f64, f64, [f64; 3], [f64; 3]) + Send + Sync + 'static,
) -> Activation {
    let gradient: Arc<Gradient> = Arc::new(map);
    let map = Arc::clone(&gradient);
    Activation::ClosedForm(ClosedForm {
        name: name.into(),
        map: Arc::new(move |q1, q2, q| {
            let (kernel, derivative, ..) = map(q1, q2, q);
            (kernel, derivative)
        }),
        gradient: Some(gradient),
    })
}

impl Dual for ClosedForm {
    #[inline(always)]
    fn pair<T: Real, S: Side<T>>(
        &self,
        one: S,
        two: impl Side<T>,
        q: Pack<T>,
    ) -> (Pack<T>, Pack<T>) {
        let (mut kernel, mut derivative) = (Pack::zero(), Pack::zero());
        let (q1, q2) = (one.get(0), two.get(0));
        for i in 0..LANES {
            let (k, d) = (self.map)(q1.0[i].to_f64(), q2.0[i].to_f64(), q.0[i].to_f64());
            (kernel.0[i], derivative.0[i]) = (T::of(k), T::of(d));
        }
        (kernel, derivative)
    }

    fn has_slopes(&self) -> bool {
        self.gradient.is_some()
    }

    /// Computes those that were given; NaN where none were.
    #[inline(always)]
    fn slopes<T: Real, S: Side<T>>(&self, one: S, two: impl Side<T>, q: Pack<T>) -> Slopes<T> {
        let (kernel, derivative) = self.pair(one, two, q);
        let [mut kernel_by, mut derivative_by] = [[Pack::of(f64::NAN); 3]; 2];
        let (q1, q2) = (one.get(0), two.get(0));
        if let Some(gradient) = &self.gradient {
            for i in 0..LANES {
                let (.., k, d) = gradient(q1.0[i].to_f64(), q2.0[i].to_f64(), q.0[i].to_f64());
                for by in 0..3 {
                    kernel_by[by].0[i] = T::of(k[by]);
                    derivative_by[by].0[i] = T::of(d[by]);
                }
            }
        }
        Slopes {
            kernel,
            derivative,
            kernel_by,
            derivative_by,
        }
    }

    fn diagonal<T: Real>(&self, variance: T) -> (T, T) {
        let v = variance.to_f64();
        let (kernel, derivative) = (self.map)(v, v, v);
        (T::of(kernel), T::of(derivative))
    }
}

impl ClosedForm {
    /// Returns the name that was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Described for ClosedForm {
    fn name_and_options(&self) -> (&'static str, Value) {
        (Self::NAMES[0], json!({"name": self.name}))
    }
}

impl PartialEq for ClosedForm {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.map, &other.map)
    }
}

impl fmt::Debug for ClosedForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClosedForm")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Named for ClosedForm {
    const NAMES: &'static [&'static str] = &["closed_form"];

    /// Fails: JSON cannot name the user's own activations.
    fn read(name: &str, _: Value) -> Result<Activation, OptionFault> {
        Err(OptionFault::Reason(format!(
            "a function of one's own cannot be read from JSON; build it in code with dual::{name}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dual::numerical;

    #[test]
    fn equal_where_cloned() {
        let one = closed_form("square", |q1, q2, q| (q1 * q2 + 2.0 * q * q, 4.0 * q));
        let two = closed_form("square", |q1, q2, q| (q1 * q2 + 2.0 * q * q, 4.0 * q));
        assert_eq!(one, one.clone());
        assert_ne!(one, two);
        assert!(format!("{one:?}").contains("square"));
        let one = numerical("square", |x| x * x, 8);
        assert_eq!(one, one.clone());
        assert_ne!(one, numerical("square", |x| x * x, 8));
        assert!(format!("{one:?}").contains("square"));
    }
}
