//! Closed-form kernels beside neural_tangents: the cases.

use super::case::{
    BenchCase, Contender, ContenderName, Prepared, Quantity, Suite, Supplies, Target,
    neural_tangents,
};
use super::inputs::{Input, Pixels};
use super::probes::{linear, probes, read};
use super::structured::{self, Samples};
use crate::Failure;
use crate::experiments::entropy_cnn;
use ndarray::{Array2, ArrayD, Axis, Ix2, Slice};
use ntk_kernels::Network;
use ntk_kernels::network::{conv, dense, flatten, global_avg_pool, relu};
use ntk_linalg::{Real, symmetric_product};
use serde_json::json;

/// The cases of `ntk-kernels`.
pub(super) static SUITE: Suite = Suite {
    name: "kernels",
    title: "Closed-form kernels beside neural_tangents",
    peer: neural_tangents("ntk-kernels/benches/peers/neural_tangents_kernels.py"),
    notes: "\"linear\" is the network without its activations: the rest of ours is theirs. \"X X^T\" is\n\
         the inputs' product alone. Where a case counts by the entry, so does its ratio to the peer.",
    cases: CASES,
};

/// The cases in the order of the record.
static CASES: &[BenchCase] = &[
    BenchCase::new(
        "dense3-4096",
        "three hidden relu layers on 784 numbers",
        &[Target::new(Quantity::PeerOverOurs, 6.0), F64],
        |case, setting| {
            prepare(
                case,
                setting,
                &dense3(),
                Pixels::Vectors,
                Extent::Among(4096),
            )
        },
    ),
    BenchCase::new(
        "dense3-8192",
        "the same with four times the entries",
        &[
            Target::new(Quantity::PeerOverOurs, 9.0),
            Target::new(Quantity::OursOverProduct, 1.6),
            F64,
        ],
        |case, setting| {
            prepare(
                case,
                setting,
                &dense3(),
                Pixels::Vectors,
                Extent::Among(8192),
            )
        },
    ),
    BenchCase::new(
        "entropy-cnn-20",
        "two convolutions, two average pools, flatten, two dense layers; 28 x 28",
        &[Target::new(Quantity::PeerOverOurs, 100.0), F64],
        |case, setting| {
            prepare(
                case,
                setting,
                &entropy_cnn(),
                Pixels::Grey,
                Extent::Among(20),
            )
        },
    ),
    BenchCase::new(
        "entropy-cnn-100",
        "the same on more images than the peer has memory for",
        &[
            Target::new(Quantity::Seconds, 4.0),
            Target::new(Quantity::PeakMegabytes, 500.0),
            F64,
        ],
        |case, setting| {
            prepare(
                case,
                setting,
                &entropy_cnn(),
                Pixels::Grey,
                Extent::Among(100),
            )
        },
    )
    .beyond_peer(),
    BenchCase::new(
        "conv7-flatten-100",
        "seven same 3 x 3 convolutions with relu, flatten, dense; 28 x 28",
        &[Target::new(Quantity::PeerOverOurs, 25.0), F64],
        |case, setting| {
            let network = convolutions(7).then(flatten()).then(dense());
            prepare(case, setting, &network, Pixels::Grey, Extent::Among(100))
        },
    ),
    BenchCase::new(
        "gap21",
        "twenty same 3 x 3 convolutions with relu, global average pool, dense; 32 x 32 x 3",
        &[Target::new(Quantity::MillisecondsPerResult, 8.0), F64],
        |case, setting| {
            let network = convolutions(20).then(global_avg_pool()).then(dense());
            prepare(case, setting, &network, Pixels::Colour, Extent::Between(24))
        },
    ),
    BenchCase::new(
        "attention-100",
        "three times softmax attention, dense, relu, then global average pool, dense; the 28 rows of an image",
        &[Target::new(Quantity::PeerOverOurs, 20.0), F64],
        |case, setting| structured::prepare(case, setting, Samples::Rows, 100),
    ),
    BenchCase::new(
        "decoder-8",
        "two transposed 3 x 3 convolutions of strides 2 with relu, global average pool, dense; 7 x 7 x 16 to 28 x 28",
        &[Target::new(Quantity::PeerOverOurs, 50.0), F64],
        |case, setting| structured::prepare(case, setting, Samples::Latent, 8),
    ),
    BenchCase::new(
        "masked-40",
        "three same convolutions of 3 with relu, global average pool, dense; 128 positions, of which masks leave 32 to 128",
        &[Target::new(Quantity::PeerOverOurs, 20.0), F64],
        |case, setting| structured::prepare(case, setting, Samples::Masked, 40),
    ),
    BenchCase::new(
        "graphs-200",
        "five times aggregate, dense, relu, then global average pool, dense; graphs of 30 nodes, 5 edges to each",
        &[Target::new(Quantity::PeerOverOurs, 20.0), F64],
        |case, setting| structured::prepare(case, setting, Samples::Graphs, 200),
    ),
];

/// What is asked of every case.
const F64: Target = Target::new(Quantity::F64OverF32, 2.5);

fn dense3() -> Network {
    (0..3)
        .fold(Network::new(), |n, _| n.then(dense()).then(relu()))
        .then(dense())
}

fn convolutions(layers: usize) -> Network {
    (0..layers).fold(Network::new(), |n, _| {
        n.then(conv([3, 3]).same()).then(relu())
    })
}

/// Which entries of the kernel are computed.
#[derive(Clone, Copy)]
enum Extent {
    /// Those of this many samples among themselves.
    Among(usize),
    /// Those of this many against as many others. The peer computes the first entry alone, as it has
    /// not the memory for more, and times are per entry.
    Between(usize),
}

/// Prepares a case. Where the peer does not manage, ours also runs in a process of its own, whose
/// memory is reported; the bare `X X^T` of vectors is timed too.
fn prepare(
    case: &BenchCase,
    setting: &Supplies<'_>,
    network: &Network,
    pixels: Pixels,
    entries: Extent,
) -> Result<Prepared, Failure> {
    let (n, among) = match entries {
        Extent::Among(n) => (setting.limit(n), true),
        Extent::Between(n) => (setting.limit(n), false),
    };
    let input = setting.inputs.take(pixels, if among { n } else { 2 * n })?;
    let (x1, x2) = halves::<f32>(&input, n, among);
    // The peer's share: all of it, or the first entry.
    let rows = if among { n } else { 1 };
    let first = |which: &str, x: &ArrayD<f32>| {
        let first = x.slice_axis(Axis(0), Slice::from(..rows)).to_owned();
        setting.write(case, which, &first)
    };
    let path = first("x1", &x1)?;
    let probes = probes(rows);
    let request = json!({
        "case": case.name,
        "network": serde_json::to_value(network)?,
        "x1": path,
        "x2": x2.as_ref().map(|x2| first("x2", x2)).transpose()?,
        "get": "ntk",
        "entries": probes,
    });
    let command = ["kernel", "--get", "ntk"];
    let alone = case
        .exceeds_peer
        .then(|| setting.alone(case, &command, network, &path));
    let linear = linear(network);
    let product = (pixels == Pixels::Vectors).then(|| x1.clone().into_dimensionality::<Ix2>());
    let mut parts = vec![
        part(
            ContenderName::F32,
            network,
            (x1.clone(), x2.clone()),
            &probes,
        ),
        part(ContenderName::Linear, &linear, (x1, x2), &probes),
    ];
    if let Some(x) = product.transpose()? {
        // Read, so that it is not optimised away.
        let first = |product: &Array2<f32>| product.first().map(|&v| f64::from(v));
        parts.push(Contender::new(
            ContenderName::Product,
            move || Ok(symmetric_product(&x)?),
            move |product| first(product).into_iter().collect(),
        ));
    }
    let double = halves::<f64>(&input, n, among);
    parts.push(part(ContenderName::F64, network, double, &probes));
    Ok(Prepared {
        results: (!among).then_some((n * n, 1)),
        alone: alone.transpose()?,
        ..Prepared::new(format!("{n} x {n}"), input.note, parts, request)
    })
}

type Pair<T> = (ArrayD<T>, Option<ArrayD<T>>);

fn halves<T: Real>(input: &Input, n: usize, among: bool) -> Pair<T> {
    let all = input.numbers::<T>();
    let rows = |range: Slice| all.slice_axis(Axis(0), range).to_owned();
    let others = (!among).then(|| rows(Slice::from(n..)));
    (rows(Slice::from(..n)), others)
}

fn part<T: Real>(
    name: ContenderName,
    network: &Network,
    (x1, x2): Pair<T>,
    probes: &[[usize; 2]],
) -> Contender {
    let (network, probes) = (network.clone(), probes.to_vec());
    let kernel = move || {
        Ok(match &x2 {
            None => network.ntk(&x1),
            Some(x2) => network.ntk_between(&x1, x2),
        }?)
    };
    Contender::new(name, kernel, move |kernel| read(kernel, &probes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntk_kernels::network::Shape;

    #[test]
    fn every_case_fits_its_inputs() {
        assert_eq!(
            dense3().output(Shape::features(784)).unwrap(),
            Shape::features(512)
        );
        let output = entropy_cnn().output(Shape::new([28, 28], 1)).unwrap();
        assert_eq!(output, Shape::features(10));
        assert_eq!(convolutions(20).then(global_avg_pool()).layers.len(), 41);
    }
}
