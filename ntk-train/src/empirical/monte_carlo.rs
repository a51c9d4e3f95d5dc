//! Means of empirical kernels over initialisations.

use super::{EmpiricalError, Trace};
use crate::compiled::Scalar;
use crate::init::Init;
use crate::model::Model;
use ndarray::{Array2, ArrayView, ArrayViewD, RemoveAxis, Zip};
use ntk_kernels::network::{Network, Shape};
use ntk_linalg::observer::Observer;
use std::ops::Range;

/// Mean and spread of an empirical kernel over independent initialisations.
#[derive(Debug, Clone, PartialEq)]
pub struct MonteCarlo<T> {
    /// Over seeds.
    pub mean: Array2<T>,
    /// Standard error of the mean, entry by entry: the deviation over seeds, divided by n - 1,
    /// over `sqrt(n)`. NaN of fewer than two seeds.
    pub standard_error: Array2<T>,
    /// How many seeds.
    pub seeds: usize,
}

/// Which empirical kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Of derivatives, [`Model::ntk`].
    Ntk,
    /// Of outputs, [`Model::nngp`].
    Nngp,
}

/// The empirical kernel of `network` averaged over the initialisations of `seeds`: an estimate
/// of the infinite-width kernel, with an error of order `width^(-1/2) seeds^(-1/2)` and, for the
/// NTK, a bias of order `1 / width`.
///
/// # Errors
/// As [`Model::new`] and [`Model::ntk`].
#[expect(
    clippy::too_many_arguments,
    reason = "what to average, over what, of which inputs"
)]
pub fn monte_carlo<T: Scalar, D: RemoveAxis>(
    network: &Network,
    init: Init,
    seeds: Range<u64>,
    kernel: Kernel,
    trace: Trace,
    x1: ArrayView<'_, T, D>,
    x2: Option<ArrayView<'_, T, D>>,
    observer: &dyn Observer,
) -> Result<MonteCarlo<T>, EmpiricalError> {
    let (x1, x2) = (x1.into_dyn(), x2.map(ArrayView::into_dyn));
    T::monte_carlo(network, init, seeds, kernel, trace, x1, x2, observer)
}

/// [`monte_carlo`].
#[expect(clippy::too_many_arguments, reason = "as its caller")]
pub(crate) fn mean<T: Scalar>(
    network: &Network,
    init: Init,
    seeds: Range<u64>,
    kernel: Kernel,
    trace: Trace,
    x1: ArrayViewD<'_, T>,
    x2: Option<ArrayViewD<'_, T>>,
    observer: &dyn Observer,
) -> Result<MonteCarlo<T>, EmpiricalError> {
    let (positions, channels) = match x1.shape() {
        [_, positions @ .., channels] => (positions.to_vec(), *channels),
        _ => (Vec::new(), 0),
    };
    let input = Shape::new(positions, channels);
    let mut model = Model::<T>::new(network, &input, init, seeds.start)?;
    // Welford's sums, which do not cancel.
    let (mut mean, mut squares) = (Array2::zeros((0, 0)), Array2::zeros((0, 0)));
    let mut count = 0_u32;
    observer.begin("initialisations", seeds.end.saturating_sub(seeds.start));
    for seed in seeds {
        model.initialize(init, seed);
        let x2 = x2.as_ref().map(|x2| x2.view());
        let found = match kernel {
            Kernel::Ntk => model.ntk(x1.view(), x2, trace, &())?,
            Kernel::Nngp => model.nngp(x1.view(), x2, trace)?,
        };
        observer.check()?;
        observer.advance(1);
        count += 1;
        if count == 1 {
            (mean, squares) = (found.clone(), Array2::zeros(found.raw_dim()));
            continue;
        }
        let weight = T::of(f64::from(count).recip());
        Zip::from(&mut mean)
            .and(&mut squares)
            .and(&found)
            .for_each(|mean, square, &value| {
                let gap = value - *mean;
                *mean += gap * weight;
                *square += gap * (value - *mean);
            });
    }
    let n = f64::from(count);
    let standard_error = squares.mapv(|s: T| (s / T::of((n - 1.0) * n)).sqrt());
    Ok(MonteCarlo {
        mean,
        standard_error,
        seeds: count as usize,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::images;
    use ntk_kernels::network::*;
    use ntk_kernels::{Get, kernels};

    type OfWidth = (&'static str, fn(usize) -> Network, Shape);

    /// Architectures whose width is the argument's.
    fn architectures() -> [OfWidth; 3] {
        [
            (
                "dense relu",
                |w| {
                    Network::new()
                        .then(dense().width(w).w_std(1.4).b_std(0.2))
                        .then(relu())
                        .then(dense().width(w))
                        .then(relu())
                        .then(dense().width(1))
                },
                Shape::features(5),
            ),
            (
                "dense erf, residual",
                |w| {
                    Network::new()
                        .then(dense().width(w))
                        .then(residual(
                            Network::new()
                                .then(erf(1.0, 1.0, 0.3))
                                .then(dense().width(w)),
                        ))
                        .then(gelu())
                        .then(dense().width(1))
                },
                Shape::features(4),
            ),
            (
                "conv, pools",
                |w| {
                    Network::new()
                        .then(conv([2, 2]).same().channels(w).w_std(1.3))
                        .then(relu())
                        .then(avg_pool([2, 2]))
                        .then(conv([2, 1]).channels(w).b_std(0.1))
                        .then(sin(1.0, 1.0, 0.2))
                        .then(global_avg_pool())
                        .then(dense().width(1))
                },
                Shape::new([4, 4], 2),
            ),
        ]
    }

    /// Deviations from the limit shrink as `width^(-1/2)`: over `S` seeds the mean square
    /// deviation has a relative error of about `sqrt(2/S)`, its root half of that, the ratio of
    /// two roots `sqrt(1/S)`; of heavier tails than Gaussian ones twice that. Four times the
    /// width must halve it within 4 of these errors, and the mean must be the limit within 5
    /// standard errors and a bias of `4 / width`.
    #[test]
    fn converges_to_the_closed_form_as_the_root_of_the_width() {
        const SEEDS: u64 = 64;
        for (name, network, input) in architectures() {
            let x = images(&input, 3, 1);
            let limit = kernels(&network(8), x.view(), None, Get::Both, &()).unwrap();
            for (kernel, limit) in [(Kernel::Ntk, limit.ntk), (Kernel::Nngp, limit.nngp)] {
                let limit = limit.unwrap();
                let scale = limit.diag().iter().fold(0.0_f64, |m, &v| m.max(v));
                let deviation = |width: usize| {
                    let found = monte_carlo(
                        &network(width),
                        Init::default(),
                        0..SEEDS,
                        kernel,
                        Trace::Traced,
                        x.view(),
                        None,
                        &(),
                    )
                    .unwrap();
                    let n = SEEDS as f64;
                    Zip::from(&found.mean)
                        .and(&found.standard_error)
                        .and(&limit)
                        .for_each(|mean, error, limit| {
                            let bias = 4.0 / width as f64 * scale;
                            // An NNGP of one output is one product of Gaussians, of any width.
                            let far = (mean - limit).abs();
                            assert!(far <= 5.0 * error + bias, "{name} {kernel:?} {far} {error}");
                        });
                    let squares = found.standard_error.mapv(|e| e * e * n);
                    (squares.sum() + (&found.mean - &limit).mapv(|d| d * d).sum()).sqrt()
                };
                let (narrow, wide) = (deviation(32), deviation(128));
                if kernel == Kernel::Ntk {
                    let error = 4.0 * 2.0 * (1.0 / SEEDS as f64).sqrt();
                    let ratio = narrow / wide;
                    assert!(
                        (ratio / 2.0).ln().abs() <= (1.0 + error).ln(),
                        "{name}: {ratio}"
                    );
                }
            }
        }
    }

    #[test]
    fn few_seeds() {
        let network = Network::new().then(dense().width(2));
        let x = images(&Shape::features(3), 2, 1);
        let of = |seeds| {
            monte_carlo(
                &network,
                Init::default(),
                seeds,
                Kernel::Ntk,
                Trace::Traced,
                x.view(),
                None,
                &(),
            )
        };
        assert_eq!(of(3..3).unwrap().seeds, 0);
        let one = of(3..4).unwrap();
        let model = Model::<f64>::new(&network, &Shape::features(3), Init::default(), 3).unwrap();
        assert_eq!(
            one.mean,
            model.ntk(x.view(), None, Trace::Traced, &()).unwrap()
        );
        assert!(one.standard_error.iter().all(|e| e.is_nan()));
        // The last layer's kernel is the same for all weights.
        assert!(of(0..3).unwrap().standard_error.iter().all(|&e| e == 0.0));
    }
}
