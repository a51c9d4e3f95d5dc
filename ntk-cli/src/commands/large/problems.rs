//! The problems: one entry each in [`ALL`].

use crate::Failure;
use crate::inputs;
use ndarray::{Array2, ArrayD, s};
use ntk_data::{DataSet, Deformations, PixelScaling, Split, targets};
use ntk_kernels::Kernel;
use ntk_kernels::Network;
use ntk_kernels::network::{Padding, Shape, conv, dense, flatten, relu};
use ntk_linalg::{Real, eigh, matmul, symmetric_product};
use std::path::Path;

/// Something to be learnt by regression with a kernel.
pub(crate) struct Problem {
    pub(crate) name: &'static str,

    pub(crate) data: &'static str,
    pub(crate) kernel: Kernel,
    network: fn() -> Network,
    /// Share of test images that others classified rightly, and who.
    pub(crate) published: Option<(f64, &'static str)>,
    /// How the training images are deformed, where there are more than the data set has.
    pub(crate) deformed: Option<Deformed>,
}

/// Many images made of few, and regression over landmarks of them.
pub(crate) struct Deformed {
    pub(crate) how: fn() -> Deformations,
    /// The numbers of images and of landmarks, unless asked for others.
    pub(crate) images: usize,
    pub(crate) landmarks: usize,
    /// The ridge over the number of images and the mean kernel of one with itself.
    pub(crate) ridge: f64,
    /// The width of the Gaussian that smooths images, in pixels.
    smooth: f64,
    /// The number of principal components of the smoothed originals, not centred, that images are
    /// projected to; rows of them have length one.
    components: usize,
}

pub(crate) const ALL: &[Problem] = &[
    Problem {
        name: "mnist-ntk",
        data: "mnist",
        kernel: Kernel::Ntk,
        network: dense_relu,
        published: None,
        deformed: None,
    },
    Problem {
        name: "mnist-million",
        data: "mnist",
        kernel: Kernel::Nngp,
        network: deep_relu,
        published: None,
        deformed: Some(Deformed {
            how: mild,
            images: 1_000_000,
            landmarks: 10_000,
            ridge: 1e-8,
            smooth: 1.0,
            components: 60,
        }),
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
        deformed: None,
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

/// Milder than the defaults: so few landmarks do not tell stronger ones from other digits.
fn mild() -> Deformations {
    Deformations::none()
        .rotation(10.0)
        .scale(0.08)
        .shear(0.1)
        .shift(0.5)
        .elastic(5.0, 0.7)
}

fn deep_relu() -> Network {
    let layer = || dense().w_std(2.0_f64.sqrt());
    let network = (0..5).fold(Network::new(), |network, _| {
        network.then(layer()).then(relu())
    });
    network.then(layer())
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
        let known = known.join(", ");
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
    /// The matrix that vectors of pixels are multiplied by, (pixels, components).
    projection: Option<Array2<f64>>,
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
        let images = takes_images(&network, &set.train)?;
        let deformed = problem.deformed.as_ref().filter(|_| !images);
        Ok(Self {
            images,
            projection: deformed.map(|d| d.projection(&set.train)).transpose()?,
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
            false => match &self.projection {
                None => split.vectors(PixelScaling::Unit).into_dyn(),
                Some(projection) => projected(split, projection).into_dyn(),
            },
        }
    }

    /// The numbers of an image as the network takes it.
    pub(crate) fn features(&self) -> usize {
        let pixels = self.train.images.len() / self.train.len().max(1);
        self.projection.as_ref().map_or(pixels, Array2::ncols)
    }

    /// Inputs in words.
    pub(crate) fn described(&self) -> String {
        match (&self.problem.deformed, &self.projection) {
            (Some(deformed), Some(_)) => format!(
                "x/255, smoothed by a Gaussian of {} pixels, {} principal components, length 1",
                deformed.smooth, deformed.components
            ),
            _ => "x/255".into(),
        }
    }

    /// One column a class: 0.9 where it is the label's, -0.1 elsewhere.
    pub(crate) fn targets(&self) -> Result<Array2<f64>, Failure> {
        let one_hot: Array2<f64> = targets::one_hot(&self.train.labels, CLASSES)?;
        Ok(one_hot - 1.0 / CLASSES as f64)
    }
}

impl Deformed {
    /// Smooths, and projects to the principal components of the smoothed images, (pixels, components).
    fn projection(&self, train: &Split) -> Result<Array2<f64>, Failure> {
        let (_, height, width, channels) = train.images.dim();
        let weights = |length: usize| {
            let weight =
                |i: usize, j: usize| (-0.5 * (i.abs_diff(j) as f64 / self.smooth).powi(2)).exp();
            let sum: f64 = (0..2 * length).map(|j| weight(length, j)).sum();
            Array2::from_shape_fn((length, length), |(i, j)| weight(i, j) / sum)
        };
        let [rows, columns] = [height, width].map(weights);
        let pixels = height * width * channels;
        let place = |pixel: usize| {
            (
                pixel / channels / width,
                pixel / channels % width,
                pixel % channels,
            )
        };
        let smooth = Array2::from_shape_fn((pixels, pixels), |(a, b)| {
            let ((i, j, c), (k, l, d)) = (place(a), place(b));
            if c == d {
                rows[[i, k]] * columns[[j, l]]
            } else {
                0.0
            }
        });
        let x = train.vectors::<f32>(PixelScaling::Unit);
        let moments = symmetric_product(&x.t())?.mapv(f64::from);
        let eigen = eigh(&matmul(&smooth.t(), &matmul(&moments, &smooth)?)?)?;
        let first = pixels.saturating_sub(self.components);
        Ok(matmul(&smooth, &eigen.vectors.slice(s![.., first..]))?)
    }
}

/// Projects images, and divides each by its length unless that is zero.
fn projected<T: Real>(split: &Split, projection: &Array2<f64>) -> Array2<T> {
    let mut x = split
        .vectors(PixelScaling::Unit)
        .dot(&projection.mapv(T::of));
    for mut row in x.rows_mut() {
        let length = row.dot(&row).sqrt();
        if length > T::zero() {
            row /= length;
        }
    }
    x
}
