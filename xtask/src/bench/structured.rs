//! Cases of `kernels` whose samples are sequences, latent images, or have masks or graphs.

use super::case::{BenchCase, Contender, ContenderName, Prepared, Supplies};
use super::inputs::Pixels;
use super::probes::{linear, probes, read};
use crate::Failure;
use ndarray::{Array2, Array3, ArrayD, Axis, IxDyn};
use ntk_kernels::network::{
    Mechanism, Network, aggregate, attention, conv, conv_transpose, dense, global_avg_pool, relu,
};
use ntk_kernels::{Graphs, Structure};
use ntk_linalg::Real;
use serde_json::json;

/// The pixels of an image.
const PIXELS: usize = 28 * 28;
/// The number of positions of a sequence with a mask.
const LENGTH: usize = 128;
/// The least number of them that are not masked.
const SHORTEST: usize = 32;
/// What masked positions hold, which no pixel does.
const MASKED: f64 = -1.0;
/// The number of nodes of a graph.
const NODES: usize = 30;

/// What an image is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Samples {
    /// A sequence of its 28 rows.
    Rows,
    /// 7 x 7 positions of 16 channels, which a decoder makes an image of.
    Latent,
    /// A sequence of [`LENGTH`] runs of pixels, of which so many are there as the sample's number says.
    Masked,
    /// [`NODES`] runs of pixels, on a graph of the sample's own.
    Graphs,
}

impl Samples {
    /// Returns the network for these samples.
    pub(super) fn network(self) -> Network {
        let (layers, one) = match self {
            Self::Rows => {
                let attention = attention().mechanism(Mechanism::Softmax);
                let layer = Network::new().then(attention).then(dense());
                (3, layer)
            }
            Self::Latent => {
                let layer = conv_transpose([3, 3]).strides([2, 2]).same();
                (2, Network::new().then(layer))
            }
            Self::Masked => (3, Network::new().then(conv([3]).same())),
            Self::Graphs => (5, Network::new().then(aggregate()).then(dense())),
        };
        let body = (0..layers).fold(Network::new(), |network, _| {
            let layers = one.layers.iter().cloned();
            layers.fold(network, Network::then).then(relu())
        });
        body.then(global_avg_pool()).then(dense())
    }

    /// Returns the positions and channels of a sample.
    fn shape(self) -> Vec<usize> {
        match self {
            Self::Rows => vec![28, 28],
            Self::Latent => vec![7, 7, 16],
            Self::Masked => vec![LENGTH, PIXELS / LENGTH],
            Self::Graphs => vec![NODES, PIXELS / NODES],
        }
    }

    /// Makes samples of the pixels of images, as many as the shape has room for.
    fn of<T: Real>(self, images: &ArrayD<T>) -> Result<ArrayD<T>, Failure> {
        let shape = self.shape();
        let n = images.len_of(Axis(0));
        let numbers: usize = shape.iter().product();
        let first = images.slice_axis(Axis(1), (..numbers).into());
        let all = [&[n], &shape[..]].concat();
        let values = first.iter().copied().collect();
        let mut samples = ArrayD::from_shape_vec(IxDyn(&all), values)?;
        if self == Self::Masked {
            for (i, mut sample) in samples.axis_iter_mut(Axis(0)).enumerate() {
                sample
                    .slice_axis_mut(Axis(0), (length(i)..).into())
                    .fill(T::of(MASKED));
            }
        }
        Ok(samples)
    }
}

/// Returns the number of positions of sequence `i` that are not masked: all numbers in turn.
fn length(i: usize) -> usize {
    // Coprime to the number of lengths.
    SHORTEST + 61 * i % (LENGTH - SHORTEST + 1)
}

/// Makes the weights of `n` graphs, (sample, tail, head): a ring with a chord from each node,
/// normalised as Kipf and Welling do.
fn graphs(n: usize) -> Array3<f32> {
    let mut all = Array3::<f32>::zeros((n, NODES, NODES));
    for (i, mut graph) in all.outer_iter_mut().enumerate() {
        for node in 0..NODES {
            for other in [node, (node + 1) % NODES, (7 * node + 11 * i + 5) % NODES] {
                graph[[node, other]] = 1.0;
                graph[[other, node]] = 1.0;
            }
        }
        let degrees = graph.sum_axis(Axis(0));
        for ((tail, head), weight) in graph.indexed_iter_mut() {
            *weight /= (degrees[tail] * degrees[head]).sqrt();
        }
    }
    all
}

/// Prepares a case of `n` samples among themselves.
pub(super) fn prepare(
    case: &BenchCase,
    setting: &Supplies<'_>,
    samples: Samples,
    n: usize,
) -> Result<Prepared, Failure> {
    let n = setting.limit(n);
    let input = setting.inputs.take(Pixels::Vectors, n)?;
    let x = samples.of(&input.numbers::<f32>())?;
    let weights = (samples == Samples::Graphs).then(|| graphs(n));
    let structure = match (samples, &weights) {
        (Samples::Masked, _) => Structure::where_equal(&x, MASKED),
        (_, Some(weights)) => Structure::of_graphs(Graphs::dense(weights)?),
        (Samples::Rows | Samples::Latent | Samples::Graphs, None) => Structure::default(),
    };
    let network = samples.network();
    let probes = probes(n);
    let request = json!({
        "case": case.name,
        "network": serde_json::to_value(&network)?,
        "x1": setting.write(case, "x1", &x)?,
        "x2": null,
        "mask": (samples == Samples::Masked).then_some(MASKED),
        "graphs": weights.as_ref().map(|w| setting.write(case, "graphs", w)).transpose()?,
        "get": "ntk",
        "entries": probes,
    });
    let linear = linear(&network);
    let double = samples.of(&input.numbers::<f64>())?;
    let parts = vec![
        part(
            ContenderName::F32,
            &network,
            (x.clone(), &structure),
            &probes,
        ),
        part(ContenderName::Linear, &linear, (x, &structure), &probes),
        part(ContenderName::F64, &network, (double, &structure), &probes),
    ];
    Ok(Prepared::new(
        format!("{n} x {n}"),
        input.note,
        parts,
        request,
    ))
}

fn part<T: Real>(
    name: ContenderName,
    network: &Network,
    (x, structure): (ArrayD<T>, &Structure),
    probes: &[[usize; 2]],
) -> Contender {
    let (network, structure, probes) = (network.clone(), structure.clone(), probes.to_vec());
    let kernel = move || Ok(network.kernel_fn().structure(&structure).ntk(&x)?);
    Contender::new(name, kernel, move |kernel: &Array2<T>| {
        read(kernel, &probes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::s;
    use ntk_kernels::network::Shape;

    #[test]
    fn every_network_fits_its_samples() {
        for samples in [
            Samples::Rows,
            Samples::Latent,
            Samples::Masked,
            Samples::Graphs,
        ] {
            let mut shape = samples.shape();
            let channels = shape.pop().unwrap();
            let output = samples.network().output(Shape::new(shape, channels));
            let output = output.unwrap();
            assert!(output.positions().is_empty());
        }
    }

    #[test]
    fn lengths_are_all_numbers() {
        let count = LENGTH - SHORTEST + 1;
        let mut all: Vec<_> = (0..count).map(length).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(SHORTEST..=LENGTH));
    }

    #[test]
    fn graphs_are_symmetric_and_differ() {
        let all = graphs(2);
        assert_eq!(all.slice(s![0, .., ..]), all.slice(s![0, .., ..]).t());
        assert_ne!(all.slice(s![0, .., ..]), all.slice(s![1, .., ..]));
    }
}
