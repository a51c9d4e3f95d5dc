//! The problems: one entry each in [`ALL`].

use crate::Failure;
use crate::inputs;
use ndarray::{Array2, ArrayD};
use ntk_data::{DataSet, PixelScaling, Split, targets};
use ntk_kernels::Kernel;
use ntk_kernels::Network;
use ntk_kernels::network::{Padding, Shape, conv, dense, flatten, relu};
use ntk_linalg::Real;
use std::path::Path;

/// Something to be learnt by regression with a kernel.
pub(crate) struct Problem {
    pub(crate) name: &'static str,

    pub(crate) data: &'static str,
    pub(crate) kernel: Kernel,
    network: fn() -> Network,
    /// Share of test images that others classified rightly, and who.
    pub(crate) published: Option<(f64, &'static str)>,
}

pub(crate) const ALL: &[Problem] = &[
    Problem {
        name: "mnist-ntk",
        data: "mnist",
        kernel: Kernel::Ntk,
        network: dense_relu,
        published: None,
    },
    Problem {
        name: "mnist-convnet-gp",
        data: "mnist",
        kernel: Kernel::Nngp,
        network: convnet_gp,
        published: Some((
            0.9897,
            "Garriga-Alonso et al. 2019, arXiv:1808.05587, table 1, trained on 50,000 images",
        )),
    },
];

fn dense_relu() -> Network {
    let layer = || dense().w_std(2.0_f64.sqrt()).b_std(0.1);
    Network::new()
        .then(layer())
        .then(relu())
        .then(layer())
        .then(relu())
        .then(layer())
}

/// Their variance is that of each of the 49 weights, ours of their sum. The scale of the last
/// layer is left out, as it changes no prediction.
fn convnet_gp() -> Network {
    let weight = 7.0 * 2.79_f64.sqrt();
    let bias = 7.86_f64.sqrt();
    let layer = || {
        conv([7, 7])
            .padding(Padding::Same)
            .w_std(weight)
            .b_std(bias)
    };
    let network = (0..7).fold(Network::new(), |network, _| {
        network.then(layer()).then(relu())
    });
    network
        .then(flatten())
        .then(dense().w_std(2.79_f64.sqrt()).b_std(bias))
}

pub(crate) fn find(name: &str) -> Result<&'static Problem, Failure> {
    ALL.iter().find(|p| p.name == name).ok_or_else(|| {
        let known: Vec<_> = ALL.iter().map(|p| p.name).collect();
        let known = known.join(" and ");
        format!("there is no problem \"{name}\"; there are {known}").into()
    })
}

/// Whether the network takes images rather than vectors of their pixels; vectors where both.
fn takes_images(network: &Network, split: &Split) -> Result<bool, Failure> {
    let (_, height, width, channels) = split.images.dim();
    let image = Shape::new([height, width], channels);
    let Err(no_vectors) = network.resolve(Shape::features(image.size())) else {
        return Ok(false);
    };
    match network.resolve(&image) {
        Ok(_) => Ok(true),
        Err(no_images) => Err(format!(
            "the network takes neither vectors of {} pixels ({no_vectors}) nor images {image} ({no_images})",
            image.size()
        )
        .into()),
    }
}

/// A problem with its images.
pub(crate) struct LoadedProblem {
    pub(crate) problem: &'static Problem,
    pub(crate) network: Network,
    /// Whether the network takes images rather than vectors.
    pub(crate) images: bool,
    pub(crate) train: Split,
    pub(crate) test: Split,
}

/// Classes, and so outputs.
pub(crate) const CLASSES: usize = 10;

impl LoadedProblem {
    pub(crate) fn new(
        problem: &'static Problem,
        net: Option<&Path>,
        set: &DataSet,
        train: Option<u32>,
        test: Option<u32>,
    ) -> Result<Self, Failure> {
        let network = match net {
            Some(path) => inputs::network(path)?,
            None => (problem.network)(),
        };
        let first = |split: &Split, asked: Option<u32>| {
            let Some(count) = asked else {
                return Ok(split.clone());
            };
            Ok::<_, Failure>(split.first(usize::try_from(count)?)?)
        };
        Ok(Self {
            images: takes_images(&network, &set.train)?,
            problem,
            network,
            train: first(&set.train, train)?,
            test: first(&set.test, test)?,
        })
    }

    /// The images as the network takes them, pixels in [0, 1].
    pub(crate) fn inputs<T: Real>(&self, split: &Split) -> ArrayD<T> {
        match self.images {
            true => split.images(PixelScaling::Unit).into_dyn(),
            false => split.vectors(PixelScaling::Unit).into_dyn(),
        }
    }

    /// One column a class: 0.9 where it is the label's, -0.1 elsewhere.
    pub(crate) fn targets(&self) -> Result<Array2<f64>, Failure> {
        let one_hot: Array2<f64> = targets::one_hot(&self.train.labels, CLASSES)?;
        Ok(one_hot - 1.0 / CLASSES as f64)
    }
}
