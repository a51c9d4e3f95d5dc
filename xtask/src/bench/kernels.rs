//! Closed-form kernels beside neural_tangents: the cases.

use super::case::{
    Case, Facts, Part, PartName, Quantity, Run, Setting, Suite, Target, Work, neural_tangents,
};
use super::inputs::Pixels;
use crate::Failure;
use crate::experiments::entropy_cnn;
use ndarray::{Array2, ArrayD, Axis, Ix2, Slice};
use ntk_kernels::kernels;
use ntk_kernels::network::{Layer, conv, dense, flatten, global_avg_pool, relu};
use ntk_kernels::{Get, Network};
use ntk_linalg::{Real, symmetric_product};
use serde_json::json;
use std::ffi::OsString;
use std::path::Path;
use std::time::Instant;

/// The cases of `ntk-kernels`.
pub(super) static SUITE: Suite = Suite {
    name: "kernels",
    title: "Closed-form kernels beside neural_tangents",
    peer: neural_tangents("ntk-kernels/benches/peers/neural_tangents_kernels.py"),
    notes: "\"linear\" is the network without its activations: the rest of ours is theirs. \"X X^T\" is\n\
         the inputs' product alone. Where a case counts by the entry, so does its ratio to the peer.",
    cases: CASES,
};

/// In the order of the record.
static CASES: &[&dyn Case] = &[
    &KernelCase {
        facts: Facts::new(
            "dense3-4096",
            "three hidden relu layers on 784 numbers",
            &[Target::new(Quantity::PeerOverOurs, 6.0), F64],
        ),
        network: dense3,
        pixels: Pixels::Vectors,
        samples: Samples::Among(4096),
        product: true,
        ..PLAIN
    },
    &KernelCase {
        facts: Facts::new(
            "dense3-8192",
            "the same with four times the entries",
            &[
                Target::new(Quantity::PeerOverOurs, 9.0),
                Target::new(Quantity::OursOverProduct, 1.6),
                F64,
            ],
        ),
        network: dense3,
        pixels: Pixels::Vectors,
        samples: Samples::Among(8192),
        product: true,
        ..PLAIN
    },
    &KernelCase {
        facts: Facts::new(
            "entropy-cnn-20",
            "two convolutions, two average pools, flatten, two dense layers; 28 x 28",
            &[Target::new(Quantity::PeerOverOurs, 100.0), F64],
        ),
        network: entropy_cnn,
        pixels: Pixels::Grey,
        samples: Samples::Among(20),
        ..PLAIN
    },
    &KernelCase {
        facts: Facts::new(
            "entropy-cnn-100",
            "the same on more images than the peer has memory for",
            &[
                Target::new(Quantity::Seconds, 4.0),
                Target::new(Quantity::PeakMegabytes, 500.0),
                F64,
            ],
        )
        .beyond_peer(),
        network: entropy_cnn,
        pixels: Pixels::Grey,
        samples: Samples::Among(100),
        alone: true,
        ..PLAIN
    },
    &KernelCase {
        facts: Facts::new(
            "conv7-flatten-100",
            "seven same 3 x 3 convolutions with relu, flatten, dense; 28 x 28",
            &[Target::new(Quantity::PeerOverOurs, 25.0), F64],
        ),
        network: || convolutions(7).then(flatten()).then(dense()),
        pixels: Pixels::Grey,
        samples: Samples::Among(100),
        ..PLAIN
    },
    &KernelCase {
        facts: Facts::new(
            "gap21",
            "twenty same 3 x 3 convolutions with relu, global average pool, dense; 32 x 32 x 3",
            &[Target::new(Quantity::MillisecondsPerResult, 8.0), F64],
        ),
        network: || convolutions(20).then(global_avg_pool()).then(dense()),
        pixels: Pixels::Colour,
        samples: Samples::Between(24),
        ..PLAIN
    },
];

/// Nothing special.
const PLAIN: KernelCase = KernelCase {
    facts: Facts::new("", "", &[]),
    network: Network::new,
    pixels: Pixels::Vectors,
    samples: Samples::Among(0),
    product: false,
    alone: false,
};

/// Asked of every case.
const F64: Target = Target::new(Quantity::F64OverF32, 2.5);

/// Entries to compare, as fractions of the result's rows and columns.
const PROBES: [[f64; 2]; 6] = [
    [0.0, 0.0],
    [0.0, 0.99],
    [0.99, 0.99],
    [0.5, 0.3],
    [0.25, 0.75],
    [0.9, 0.1],
];

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

/// Which entries of the kernel.
#[derive(Clone, Copy)]
enum Samples {
    /// Of this many samples among themselves.
    Among(usize),
    /// Of this many against as many others. The peer computes the first entry alone, as it has
    /// not the memory for more, and times are per entry.
    Between(usize),
}

struct KernelCase {
    facts: Facts,
    network: fn() -> Network,
    pixels: Pixels,
    samples: Samples,
    /// Also time the bare `X X^T` of the inputs.
    product: bool,
    /// Also run it in a process of its own, whose memory is reported.
    alone: bool,
}

impl Case for KernelCase {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn prepare(&self, setting: &Setting<'_>) -> Result<Work, Failure> {
        let (n, among) = match self.samples {
            Samples::Among(n) => (setting.limit(n), true),
            Samples::Between(n) => (setting.limit(n), false),
        };
        let wanted = if among { n } else { 2 * n };
        let (images, data) = setting.inputs.take(self.pixels, wanted)?;
        let (f32s, f64s) = (images.numbers::<f32>(), images.numbers::<f64>());
        let network = (self.network)();

        let path = |which: &str| {
            setting
                .folder
                .join(format!("{}-{which}.npy", self.facts.name))
        };
        let (x1, x2) = halves(&f32s, n, among);
        // The peer's share: all of it, or the first entry.
        let rows = if among { n } else { 1 };
        let first = |x: &ArrayD<f32>| x.slice_axis(Axis(0), Slice::from(..rows)).to_owned();
        ndarray_npy::write_npy(path("x1"), &first(&x1))?;
        if let Some(x2) = &x2 {
            ndarray_npy::write_npy(path("x2"), &first(x2))?;
        }
        let probes = probes(rows);
        let request = json!({
            "case": self.facts.name,
            "network": serde_json::to_value(&network)?,
            "x1": path("x1"),
            "x2": x2.as_ref().map(|_| path("x2")),
            "get": "ntk",
            "entries": probes,
        });
        let alone = if self.alone {
            let net = setting.folder.join(format!("{}.json", self.facts.name));
            std::fs::write(&net, network.to_json())?;
            Some(alone(
                setting,
                &["kernel", "--get", "ntk"],
                &net,
                &path("x1"),
            ))
        } else {
            None
        };

        let linear = Network {
            layers: network
                .layers
                .iter()
                .filter(|l| !matches!(l, Layer::Activation(_)))
                .cloned()
                .collect(),
            ..network.clone()
        };
        let mut parts = vec![
            part(PartName::F32, &network, (x1.clone(), x2.clone()), &probes),
            part(PartName::Linear, &linear, (x1, x2), &probes),
        ];
        if self.product {
            let x = f32s.to_shape((n, f32s.len() / n.max(1)))?.into_owned();
            parts.push(product(x.into_dimensionality::<Ix2>()?));
        }
        parts.push(part(
            PartName::F64,
            &network,
            halves(&f64s, n, among),
            &probes,
        ));
        Ok(Work {
            size: format!("{n} x {n}"),
            data,
            parts,
            request,
            exact: None,
            results: (!among).then_some((n * n, 1)),
            alone,
        })
    }
}

type Pair<T> = (ArrayD<T>, Option<ArrayD<T>>);

fn halves<T: Real>(all: &ArrayD<T>, n: usize, among: bool) -> Pair<T> {
    let rows = |range: Slice| all.slice_axis(Axis(0), range).to_owned();
    (
        rows(Slice::from(..n)),
        (!among).then(|| rows(Slice::from(n..))),
    )
}

/// Entries of a square result of `n` rows.
pub(super) fn probes(n: usize) -> Vec<[usize; 2]> {
    let at = |fraction: f64| (fraction * n as f64) as usize;
    PROBES.iter().map(|&[i, j]| [at(i), at(j)]).collect()
}

fn part<T: Real>(
    name: PartName,
    network: &Network,
    (x1, x2): Pair<T>,
    probes: &[[usize; 2]],
) -> Part {
    let (network, probes) = (network.clone(), probes.to_vec());
    Part {
        name,
        run: Box::new(move || {
            let begun = Instant::now();
            let x2 = x2.as_ref().map(|x2| x2.view());
            let found = kernels(&network, x1.view(), x2, Get::Ntk, &())?;
            let seconds = begun.elapsed().as_secs_f64();
            let ntk = found.ntk.ok_or("no NTK was computed")?;
            let probes = probes.iter().map(|&p| Real::to_f64(ntk[p])).collect();
            Ok(Run { seconds, probes })
        }),
    }
}

fn product(x: Array2<f32>) -> Part {
    Part {
        name: PartName::Product,
        run: Box::new(move || {
            let begun = Instant::now();
            let product = symmetric_product(x.view())?;
            let seconds = begun.elapsed().as_secs_f64();
            // Read, so that it is not optimised away.
            let probes = product.first().map(|&v| f64::from(v));
            Ok(Run {
                seconds,
                probes: probes.into_iter().collect(),
            })
        }),
    }
}

/// A command of this program on the same inputs, whose answer says how much memory it took.
pub(super) fn alone(
    setting: &Setting<'_>,
    command: &[&str],
    net: &Path,
    x1: &Path,
) -> Vec<OsString> {
    let out = setting.folder.join("alone.npz");
    let threads = setting.threads.to_string();
    let mut arguments: Vec<OsString> = command.iter().map(Into::into).collect();
    arguments.extend(["--json", "--precision", "f32"].map(Into::into));
    for (flag, value) in [
        ("--threads", threads.as_ref()),
        ("--net", net.as_os_str()),
        ("--x1", x1.as_os_str()),
        ("--out", out.as_os_str()),
    ] {
        arguments.extend([flag.into(), value.to_owned()]);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntk_kernels::network::Shape;

    #[test]
    fn every_case_fits_its_inputs() {
        assert_eq!(
            dense3().output(&Shape::features(784)).unwrap(),
            Shape::features(512)
        );
        let output = entropy_cnn().output(&Shape::new([28, 28], 1)).unwrap();
        assert_eq!(output, Shape::features(10));
        assert_eq!(convolutions(20).then(global_avg_pool()).layers.len(), 41);
    }

    #[test]
    fn probes_lie_inside() {
        for n in [1, 2, 7, 100] {
            assert!(probes(n).iter().flatten().all(|&i| i < n));
        }
    }
}
