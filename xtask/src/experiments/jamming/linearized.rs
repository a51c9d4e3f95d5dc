//! Linearised networks of one width: their kernels, and what the flow makes of them.

use super::flow::{Seen, Start};
use super::size::find_n;
use super::{COMPONENTS, Failure, Images, LAYERS, satisfiable};
use ndarray::Array2;
use ntk_kernels::network::{Network, Shape, dense, erf};
use ntk_linalg::Observer;
use ntk_linalg::observer::Inside;
use ntk_train::{Init, Model, Trace};
use rayon::prelude::*;

/// Two hidden layers of erf, without biases.
pub(super) fn network(width: usize) -> Network {
    let hidden = |network: Network| network.then(dense().width(width)).then(erf(1.0, 1.0, 0.0));
    (0..LAYERS)
        .fold(Network::new(), |network, _| hidden(network))
        .then(dense().width(1))
}

/// The network of a width and a seed, linear in its parameters around where it begins.
pub(super) fn start(width: usize, seed: u64, images: &Images) -> Result<Start, Failure> {
    let shape = Shape::features(COMPONENTS);
    let model = Model::<f64>::new(&network(width), &shape, Init::default(), seed)?;
    let (train, test) = (images.x_train.view(), images.x_test.view());
    let ntk = |x1, x2| model.ntk(x1, x2, Trace::Traced, &());
    Ok(Start {
        k_dd: ntk(train, None)?,
        k_td: ntk(test, Some(train))?,
        f0_train: model.forward(train)?,
        f0_test: model.forward(test)?,
    })
}

/// A linearised network at the end of its flow.
pub(super) struct Trained {
    pub(super) width: usize,
    /// Parameters as [`find_n`] counts them.
    pub(super) n: usize,
    pub(super) seed: u64,
    pub(super) end: Seen,
    /// Whether some parameters satisfy all constraints, however long it takes to find them.
    pub(super) satisfiable: bool,
}

/// All of these widths and seeds, to time `t`.
pub(super) fn sweep(
    all: &[(usize, u64)],
    t: f64,
    tolerance: f64,
    images: &Images,
    observer: &dyn Observer,
) -> Result<Vec<Trained>, Failure> {
    observer.begin("linearised networks", all.len() as u64);
    let one = |&(width, seed): &(usize, u64)| -> Result<Trained, Failure> {
        let start = start(width, seed_of(width, seed), images)?;
        let mut seen = start.run(&[t], tolerance, images, &Inside(observer))?;
        let end = seen.pop().ok_or("the flow gave nothing at its end")?;
        let satisfiable = satisfiable::check(&start, images)?;
        observer.advance(1);
        Ok(Trained {
            width,
            n: find_n(width, LAYERS, COMPONENTS, 1),
            seed,
            end,
            satisfiable,
        })
    };
    // An error is told as text, which can change threads.
    let results: Vec<Result<Trained, String>> = all
        .par_iter()
        .map(|at| one(at).map_err(|e| e.to_string()))
        .collect();
    Ok(results.into_iter().collect::<Result<_, _>>()?)
}

/// Networks of each width are drawn independently, and again for each seed.
fn seed_of(width: usize, seed: u64) -> u64 {
    seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ width as u64
}

/// Eigenvalues of the kernel of one network, ascending.
pub(super) fn spectrum(start: &Start) -> Result<Vec<f64>, Failure> {
    Ok(ntk_linalg::eigenvalues(start.k_dd.view())?.to_vec())
}

/// The kernel and initial outputs (zero, their mean) of the infinitely wide network.
pub(super) fn infinite(images: &Images, observer: &dyn Observer) -> Result<Start, Failure> {
    let ntk = |x1: &Array2<f64>, x2: Option<&Array2<f64>>| -> Result<Array2<f64>, Failure> {
        let x2 = x2.map(|x| x.view());
        let found =
            ntk_kernels::kernels(&network(1), x1.view(), x2, ntk_kernels::Get::Ntk, observer)?;
        Ok(found.ntk.ok_or("the NTK was asked for and not given")?)
    };
    Ok(Start {
        k_dd: ntk(&images.x_train, None)?,
        k_td: ntk(&images.x_test, Some(&images.x_train))?,
        f0_train: Array2::zeros(images.y_train.raw_dim()),
        f0_test: Array2::zeros(images.y_test.raw_dim()),
    })
}
