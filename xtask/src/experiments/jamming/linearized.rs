//! Linearised networks of one width: their kernels, and what the flow makes of them.

use super::flow::{Seen, Start};
use super::{COMPONENTS, Failure, Images, LAST, TOLERANCES, TRAIN, Value, at, satisfiable};
use crate::experiments::study;
use ndarray::Array2;
use ntk_kernels::network::{Network, dense, erf};
use ntk_linalg::Observer;
use ntk_train::{Init, Model};
use serde_json::json;

/// Makes a network of two hidden layers of erf, without biases.
fn network(width: usize) -> Network {
    let hidden = |network: Network| network.then(dense().width(width)).then(erf(1.0, 1.0, 0.0));
    hidden(hidden(Network::new())).then(dense().width(1))
}

/// Counts the parameters of a network, biases included: the notebook's `find_N`. Its networks have
/// no biases, so that this is `2 h + 1` more than they have; it is kept as the number that its axes
/// show.
fn parameters(width: usize) -> usize {
    width * (COMPONENTS + 1) + width * (width + 1) + width + 1
}

/// Makes the network of a width and a seed, linear in its parameters around where it begins.
pub(super) fn start(
    width: usize,
    seed: u64,
    [train, test]: &[Images; 2],
) -> Result<Start, Failure> {
    let model = Model::<f64>::new(&network(width), COMPONENTS, Init::default(), seed)?;
    Ok(Start {
        k_dd: model.ntk(&train.x)?,
        k_td: model.ntk_between(&test.x, &train.x)?,
        f0_train: model.forward(&train.x)?,
        f0_test: model.forward(&test.x)?,
    })
}

/// Computes the kernel and the initial outputs (zero, their mean) of the infinitely wide network.
pub(super) fn infinite(
    [train, test]: &[Images; 2],
    observer: &dyn Observer,
) -> Result<Start, Failure> {
    let network = network(1);
    let kernel_fn = network.kernel_fn().observer(observer);
    Ok(Start {
        k_dd: kernel_fn.ntk(&train.x)?,
        k_td: kernel_fn.ntk_between(&test.x, &train.x)?,
        f0_train: Array2::zeros(train.y.raw_dim()),
        f0_test: Array2::zeros(test.y.raw_dim()),
    })
}

/// A linearised network at the end of its flow.
pub(super) struct JammingNetwork {
    width: usize,
    /// The number of parameters over that of training images, N/P.
    pub(super) ratio: f64,
    pub(super) end: Seen,
    /// Whether some parameters satisfy all constraints, however long it takes to find them.
    pub(super) satisfiable: bool,
}

impl JammingNetwork {
    /// Returns the number of parameters, N.
    pub(super) fn n(&self) -> usize {
        parameters(self.width)
    }

    pub(super) fn values(&self) -> [Value; 4] {
        let place =
            json!({"model": "linearised", "width": self.width, "N": self.n(), "t": self.end.t});
        self.end.values(&at(place))
    }
}

/// Trains networks of all `widths` with the first seed, and of the `coarse` ones with the others;
/// for each seed by growing size.
pub(super) fn sweep(
    seeds: &[u64],
    widths: &[usize],
    coarse: &[usize],
    images: &[Images; 2],
    observer: &dyn Observer,
) -> Result<Vec<Vec<JammingNetwork>>, Failure> {
    let of = |i: usize| {
        let widths = if i == 0 { widths } else { coarse };
        widths.iter().map(move |&width| (width, i))
    };
    let mut jobs: Vec<(usize, usize)> = (0..seeds.len()).flat_map(of).collect();
    // Small networks take longest.
    jobs.sort_unstable();
    let step = "linearised networks";
    let found = study::sweep(
        step,
        &jobs,
        |_| 1,
        observer,
        |&(width, i), inside| {
            // Networks of each width are drawn independently, and again for each seed.
            let seed = seeds[i].wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ width as u64;
            let start = start(width, seed, images)?;
            let mut seen = start.run(&[LAST], TOLERANCES[1], images, inside)?;
            Ok(JammingNetwork {
                width,
                ratio: parameters(width) as f64 / TRAIN as f64,
                end: seen.pop().ok_or("the flow gave nothing at its end")?,
                satisfiable: satisfiable::check(&start, images)?,
            })
        },
    )?;
    let mut by_seed: Vec<Vec<JammingNetwork>> = seeds.iter().map(|_| Vec::new()).collect();
    for ((_, i), trained) in jobs.into_iter().zip(found) {
        by_seed[i].push(trained);
    }
    Ok(by_seed)
}

#[cfg(test)]
mod tests {
    use super::super::WIDEST;
    use super::*;

    #[test]
    fn the_notebook_has_width_130_and_19891_parameters() {
        assert_eq!(parameters(WIDEST), 19_891);
        assert_eq!(parameters(1), 25);
        // The width at which the number is nearest to 20 000.
        let gap = |width| parameters(width).abs_diff(20_000);
        assert!(gap(WIDEST) < gap(WIDEST - 1).min(gap(WIDEST + 1)));
    }
}
