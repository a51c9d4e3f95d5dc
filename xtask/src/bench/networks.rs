//! Finite networks beside neural_tangents: the cases.

use super::case::{
    BenchCase, Contender, ContenderName, Prepared, Quantity, Suite, Supplies, Target, TimedRun,
    neural_tangents,
};
use super::inputs::{Input, Pixels};
use super::probes::{probes, read};
use crate::Failure;
use crate::experiments::entropy_cnn;
use crate::experiments::study::CLASSES;
use ndarray::ArrayD;
use ntk_cli::inputs::sample_shape;
use ntk_kernels::Network;
use ntk_kernels::network::{dense, relu};
use ntk_train::{Init, Loss, Model, Optimizer, Order, Scalar, Trace, TrainConfig, Trainer};
use serde_json::{Value as Json, json};
use std::time::Instant;

/// The seed of the initial parameters, which the peer is handed.
const SEED: u64 = 0;

/// The cases of `ntk-train`.
pub(super) static SUITE: Suite = Suite {
    name: "networks",
    title: "Finite networks beside neural_tangents",
    peer: neural_tangents("ntk-train/benches/peers/neural_tangents_networks.py"),
    notes: "Both start from the same parameters. Kernels are by structured derivatives on both sides, f32\n\
         by the peer. A training case is one epoch of cross-entropy in file order from these parameters;\n\
         compared is the mean of its batches' losses, each before its step. The peer's step is one\n\
         compiled function, and its batches are cut before the clock starts.",
    cases: CASES,
};

/// The cases in the order of the record.
static CASES: &[BenchCase] = &[
    BenchCase::new(
        "mlp-traced-1000",
        "empirical NTK, mean over outputs, of a relu network 784-512-512-10",
        &[Target::new(Quantity::PeerOverOurs, 3.0)],
        |case, setting| kernel(case, setting, &mlp(), Pixels::Vectors, 1000, Trace::Traced),
    ),
    BenchCase::new(
        "mlp-full-100",
        "the same for all pairs of outputs",
        &[Target::new(Quantity::PeerOverOurs, 2.0)],
        |case, setting| kernel(case, setting, &mlp(), Pixels::Vectors, 100, Trace::Full),
    ),
    BenchCase::new(
        "cnn-traced-50",
        "empirical NTK, mean over outputs, of the network of entropy-cnn; 28 x 28",
        &[Target::new(Quantity::PeerOverOurs, 3.0)],
        |case, setting| {
            kernel(
                case,
                setting,
                &entropy_cnn(),
                Pixels::Grey,
                50,
                Trace::Traced,
            )
        },
    ),
    BenchCase::new(
        "cnn-full-50",
        "the same for all pairs of outputs",
        &[Target::new(Quantity::PeerOverOurs, 2.0)],
        |case, setting| kernel(case, setting, &entropy_cnn(), Pixels::Grey, 50, Trace::Full),
    ),
    BenchCase::new(
        "cnn-full-800",
        "the same on as many images as the largest entropy experiment",
        &[Target::new(Quantity::PeakMegabytes, 4000.0)],
        |case, setting| {
            kernel(
                case,
                setting,
                &entropy_cnn(),
                Pixels::Grey,
                800,
                Trace::Full,
            )
        },
    )
    .beyond_peer(),
    BenchCase::new(
        "mlp-epoch",
        "one epoch of the relu network 784-512-512-10, batch 64, momentum 0.9",
        &[Target::new(Quantity::PeerOverOurs, 1.0)],
        |case, setting| {
            let steps = (64, Optimizer::momentum(0.1, 0.9));
            epoch(case, setting, mlp(), Pixels::Vectors, 4096, steps)
        },
    ),
    BenchCase::new(
        "cnn-epoch",
        "one epoch of the network of entropy-cnn, batch 32, Adam 1e-3",
        &[Target::new(Quantity::PeerOverOurs, 1.0)],
        |case, setting| {
            let steps = (32, Optimizer::adam(1e-3));
            epoch(case, setting, entropy_cnn(), Pixels::Grey, 992, steps)
        },
    ),
];

fn mlp() -> Network {
    relu_network(512)
}

/// Makes a network of two hidden layers of this width, which the kernel of infinite width does not
/// depend on.
pub(super) fn relu_network(width: usize) -> Network {
    (0..2)
        .fold(Network::new(), |n, _| {
            n.then(dense().width(width)).then(relu())
        })
        .then(dense().width(CLASSES))
}

/// Draws the model that both sides begin with.
pub(super) fn model<T: Scalar>(network: &Network, x: &ArrayD<T>) -> Result<Model<T>, Failure> {
    Ok(Model::new(
        network,
        sample_shape(&x.view()),
        Init::default(),
        SEED,
    )?)
}

/// Returns the order of an empirical kernel of `n` samples.
pub(super) fn kernel_rows(model: &Model<f32>, n: usize, trace: Trace) -> usize {
    match trace {
        Trace::Traced => n,
        Trace::Full => n * model.outputs(),
    }
}

/// Asks the peer for something of this network, and hands it the parameters and `x`.
pub(super) fn network_request(
    setting: &Supplies<'_>,
    case: &BenchCase,
    model: &Model<f32>,
    x: &ArrayD<f32>,
    more: Json,
) -> Result<Json, Failure> {
    let parameters = model.parameters().into_iter().enumerate();
    let parameters = parameters.map(|(i, p)| setting.write(case, &format!("parameter-{i}"), &p));
    let mut request = json!({
        "case": case.name,
        "network": serde_json::to_value(model.network())?,
        "parameters": parameters.collect::<Result<Vec<_>, _>>()?,
        "x": setting.write(case, "x", x)?,
    });
    if let (Some(request), Json::Object(more)) = (request.as_object_mut(), more) {
        request.extend(more);
    }
    Ok(request)
}

/// Prepares the empirical kernel of the samples among themselves, in f32, and in f64 from the same
/// seed. Where the peer is not asked, ours also runs in a process of its own, whose memory is
/// reported.
fn kernel(
    case: &BenchCase,
    setting: &Supplies<'_>,
    network: &Network,
    pixels: Pixels,
    samples: usize,
    trace: Trace,
) -> Result<Prepared, Failure> {
    let n = setting.limit(samples);
    let input = setting.inputs.take(pixels, n)?;
    let x = input.numbers::<f32>();
    let single = model(network, &x)?;
    let rows = kernel_rows(&single, n, trace);
    let more = json!({"work": "ntk", "trace": trace, "entries": probes(rows)});
    let request = network_request(setting, case, &single, &x, more)?;
    let alone = case.exceeds_peer.then(|| {
        let seed = SEED.to_string();
        let mut command = vec!["ntk", "--seed", &seed];
        command.extend((trace == Trace::Full).then_some("--full"));
        let x = setting.write(case, "x", &x)?;
        setting.alone(case, &command, network, &x)
    });
    let parts = vec![
        kernel_part::<f32>(ContenderName::F32, network, &input, trace, rows)?,
        kernel_part::<f64>(ContenderName::F64, network, &input, trace, rows)?,
    ];
    Ok(Prepared {
        alone: alone.transpose()?,
        ..Prepared::new(format!("{rows} x {rows}"), input.note, parts, request)
    })
}

fn kernel_part<T: Scalar>(
    name: ContenderName,
    network: &Network,
    input: &Input,
    trace: Trace,
    rows: usize,
) -> Result<Contender, Failure> {
    let (x, probes) = (input.numbers::<T>(), probes(rows));
    let model = model(network, &x)?;
    let kernel = move || Ok(model.kernel_fn().trace(trace).ntk(&x)?);
    Ok(Contender::new(name, kernel, move |kernel| {
        read(kernel, &probes)
    }))
}

/// Prepares one pass of training over the samples, in file order, by steps of a batch size and an
/// optimiser; the mean of the loss of every batch before its step is compared.
fn epoch(
    case: &BenchCase,
    setting: &Supplies<'_>,
    network: Network,
    pixels: Pixels,
    samples: usize,
    (batch, optimizer): (usize, Optimizer),
) -> Result<Prepared, Failure> {
    let n = setting.limit(samples);
    let input = setting.inputs.take(pixels, n)?;
    let (x, y) = (input.numbers::<f32>(), input.targets()?);
    let y_path = setting.write(case, "y", &y)?;
    let more = json!({"work": "train", "y": y_path, "batch": batch, "optimizer": optimizer});
    let request = network_request(setting, case, &model(&network, &x)?, &x, more)?;
    let config = TrainConfig::default()
        .loss(Loss::CrossEntropy)
        .optimizer(optimizer)
        .batch_size(batch)
        .epochs(1)
        .order(Order::File);
    let run = move || {
        let mut model = model(&network, &x)?;
        let begun = Instant::now();
        let losses = Trainer::new(&mut model, &x, &y, config)?.run()?;
        let seconds = begun.elapsed().as_secs_f64();
        let probes = vec![losses.iter().sum::<f64>() / losses.len() as f64];
        Ok(TimedRun { seconds, probes })
    };
    let name = ContenderName::F32;
    let run = Box::new(run);
    let size = format!("{n} in {}", n.div_ceil(batch));
    Ok(Prepared::new(
        size,
        input.note,
        vec![Contender { name, run }],
        request,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::tests::prepare_each;
    use ndarray::Array2;
    use std::path::Path;

    fn file<T: ndarray_npy::ReadableElement>(path: &Json) -> ArrayD<T> {
        ndarray_npy::read_npy(Path::new(path.as_str().unwrap())).unwrap()
    }

    #[test]
    fn the_peer_is_handed_our_parameters_and_inputs() {
        for samples in [1, 3] {
            prepare_each(&SUITE, samples, |case, work| {
                let network: Network =
                    Network::from_json(&work.request["network"].to_string()).unwrap();
                let x = file::<f32>(&work.request["x"]);
                assert_eq!(x.shape()[0], samples, "{}", case.name);
                let model = model(&network, &x).unwrap();
                assert_eq!(model.outputs(), CLASSES);
                let files = work.request["parameters"].as_array().unwrap();
                let ours = model.parameters();
                assert_eq!(files.len(), ours.len());
                for (theirs, ours) in files.iter().zip(ours) {
                    assert_eq!(file::<f32>(theirs), ours.into_dyn());
                }
            });
        }
    }

    #[test]
    fn kernels_are_asked_for_entries_inside_and_memory_where_no_peer_is() {
        prepare_each(&SUITE, 2, |case, work| {
            let names: Vec<_> = work.parts.iter().map(|part| part.name).collect();
            if work.request["work"] == "train" {
                assert_eq!(names, [ContenderName::F32]);
                return;
            }
            assert_eq!(names, [ContenderName::F32, ContenderName::F64]);
            let full = work.request["trace"] == "full";
            let rows = if full { 2 * CLASSES } else { 2 };
            assert_eq!(work.size, format!("{rows} x {rows}"));
            let entries = work.request["entries"].as_array().unwrap();
            let inside = |i: &Json| i.as_u64().unwrap() < rows as u64;
            assert!(
                entries
                    .iter()
                    .all(|e| e.as_array().unwrap().iter().all(inside))
            );
            let arguments = work.alone.as_deref().unwrap_or_default();
            assert_eq!(!arguments.is_empty(), case.exceeds_peer);
            assert_eq!(
                arguments.iter().any(|a| a == "--full"),
                case.exceeds_peer && full
            );
        });
    }

    #[test]
    fn an_epoch_starts_anew_each_time_and_gives_the_mean_loss() {
        prepare_each(&SUITE, 3, |_, work| {
            if work.request["work"] != "train" {
                return;
            }
            let run = || (work.parts[0].run)().unwrap().probes;
            assert_eq!(run(), run());
            // Three samples are one batch, whose loss is that of the initial parameters.
            let network = Network::from_json(&work.request["network"].to_string()).unwrap();
            let (x, y) = (
                file::<f32>(&work.request["x"]),
                file::<f32>(&work.request["y"]),
            );
            let model = model(&network, &x).unwrap();
            let y: Array2<f32> = y.into_dimensionality().unwrap();
            let (loss, _) = model.gradient(&x, &y, Loss::CrossEntropy).unwrap();
            assert_eq!(run(), [loss]);
        });
    }
}
