//! Finite networks beside neural_tangents: the cases.

use super::case::{
    Case, Facts, Part, PartName, Quantity, Run, Setting, Suite, Target, Work, neural_tangents,
};
use super::inputs::{CLASSES, Images, Pixels};
use super::kernels::{alone, probes};
use crate::Failure;
use crate::experiments::entropy_cnn;
use ndarray::{Array2, ArrayD};
use ntk_cli::inputs::sample_shape;
use ntk_kernels::Network;
use ntk_kernels::network::{Shape, dense, relu};
use ntk_train::{Init, Loss, Model, Optimizer, Order, Scalar, Trace, TrainConfig, train};
use serde_json::{Value as Json, json};
use std::path::PathBuf;
use std::time::Instant;

/// Of the initial parameters, which the peer is handed.
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

/// In the order of the record.
static CASES: &[&dyn Case] = &[
    &NetworkCase {
        facts: Facts::new(
            "mlp-traced-1000",
            "empirical NTK, mean over outputs, of a relu network 784-512-512-10",
            &[Target::new(Quantity::PeerOverOurs, 3.0)],
        ),
        network: mlp,
        pixels: Pixels::Vectors,
        samples: 1000,
        task: Task::Ntk(Trace::Traced),
    },
    &NetworkCase {
        facts: Facts::new(
            "mlp-full-100",
            "the same for all pairs of outputs",
            &[Target::new(Quantity::PeerOverOurs, 2.0)],
        ),
        network: mlp,
        pixels: Pixels::Vectors,
        samples: 100,
        task: Task::Ntk(Trace::Full),
    },
    &NetworkCase {
        facts: Facts::new(
            "cnn-traced-50",
            "empirical NTK, mean over outputs, of the network of entropy-cnn; 28 x 28",
            &[Target::new(Quantity::PeerOverOurs, 3.0)],
        ),
        network: entropy_cnn,
        pixels: Pixels::Grey,
        samples: 50,
        task: Task::Ntk(Trace::Traced),
    },
    &NetworkCase {
        facts: Facts::new(
            "cnn-full-50",
            "the same for all pairs of outputs",
            &[Target::new(Quantity::PeerOverOurs, 2.0)],
        ),
        network: entropy_cnn,
        pixels: Pixels::Grey,
        samples: 50,
        task: Task::Ntk(Trace::Full),
    },
    &NetworkCase {
        facts: Facts::new(
            "cnn-full-800",
            "the same on as many images as the largest entropy experiment",
            &[Target::new(Quantity::PeakMegabytes, 4000.0)],
        )
        .beyond_peer(),
        network: entropy_cnn,
        pixels: Pixels::Grey,
        samples: 800,
        task: Task::Ntk(Trace::Full),
    },
    &NetworkCase {
        facts: Facts::new(
            "mlp-epoch",
            "one epoch of the relu network 784-512-512-10, batch 64, momentum 0.9",
            &[Target::new(Quantity::PeerOverOurs, 1.0)],
        ),
        network: mlp,
        pixels: Pixels::Vectors,
        samples: 4096,
        task: Task::Epoch {
            batch: 64,
            optimizer: || Optimizer::momentum(0.1, 0.9),
        },
    },
    &NetworkCase {
        facts: Facts::new(
            "cnn-epoch",
            "one epoch of the network of entropy-cnn, batch 32, Adam 1e-3",
            &[Target::new(Quantity::PeerOverOurs, 1.0)],
        ),
        network: entropy_cnn,
        pixels: Pixels::Grey,
        samples: 992,
        task: Task::Epoch {
            batch: 32,
            optimizer: || Optimizer::adam(1e-3),
        },
    },
];

fn mlp() -> Network {
    relu_network(512)
}

/// Two hidden layers of this width, which the kernel of infinite width does not depend on.
pub(super) fn relu_network(width: usize) -> Network {
    (0..2)
        .fold(Network::new(), |n, _| {
            n.then(dense().width(width)).then(relu())
        })
        .then(dense().width(CLASSES))
}

/// What is done with the network.
#[derive(Clone, Copy)]
enum Task {
    /// Its empirical kernel of the samples among themselves.
    Ntk(Trace),
    /// One pass of training over the samples.
    Epoch {
        batch: usize,
        optimizer: fn() -> Optimizer,
    },
}

struct NetworkCase {
    /// Where the peer is not asked, ours also runs in a process of its own, whose memory is
    /// reported.
    facts: Facts,
    network: fn() -> Network,
    pixels: Pixels,
    samples: usize,
    task: Task,
}

impl Case for NetworkCase {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn prepare(&self, setting: &Setting<'_>) -> Result<Work, Failure> {
        let n = setting.limit(self.samples);
        let (images, data) = setting.inputs.take(self.pixels, n)?;
        let x = images.numbers::<f32>();
        let network = (self.network)();
        let model = Model::<f32>::new(&network, &sample_shape(&x.view()), Init::default(), SEED)?;

        let request = network_request(setting, self.facts.name, &model, &x, json!({}))?;
        let path = |which: &str| {
            let name = format!("{}-{which}.npy", self.facts.name);
            setting.folder.join(name)
        };
        let alone = if self.facts.exceeds_peer {
            let net = setting.folder.join(format!("{}.json", self.facts.name));
            std::fs::write(&net, network.to_json())?;
            let seed = SEED.to_string();
            let mut command = vec!["ntk", "--seed", &seed];
            command.extend(matches!(self.task, Task::Ntk(Trace::Full)).then_some("--full"));
            Some(alone(setting, &command, &net, &path("x")))
        } else {
            None
        };
        match self.task {
            Task::Ntk(trace) => {
                let rows = kernel_rows(&model, n, trace);
                let more = json!({"work": "ntk", "trace": trace, "entries": probes(rows)});
                let parts = kernel_parts(model, x, &images, trace, rows)?;
                let size = format!("{rows} x {rows}");
                Ok(Work {
                    alone,
                    ..Work::new(size, data, parts, with(request, more))
                })
            }
            Task::Epoch { batch, optimizer } => {
                let y = images.targets()?;
                ndarray_npy::write_npy(path("y"), &y)?;
                let request = with(
                    request,
                    json!({
                        "work": "train",
                        "y": path("y"),
                        "batch": batch,
                        "optimizer": optimizer(),
                    }),
                );
                let size = format!("{n} in {}", n.div_ceil(batch));
                let parts = vec![epoch_part(network, x, y, batch, optimizer())];
                Ok(Work {
                    alone,
                    ..Work::new(size, data, parts, request)
                })
            }
        }
    }
}

/// The order of an empirical kernel of `n` samples.
pub(super) fn kernel_rows(model: &Model<f32>, n: usize, trace: Trace) -> usize {
    match trace {
        Trace::Traced => n,
        Trace::Full => n * model.outputs(),
    }
}

/// Asks the peer for something of this network, and hands it the parameters and `x`.
pub(super) fn network_request(
    setting: &Setting<'_>,
    case: &str,
    model: &Model<f32>,
    x: &ArrayD<f32>,
    more: Json,
) -> Result<Json, Failure> {
    let path = |which: &str| setting.folder.join(format!("{case}-{which}.npy"));
    ndarray_npy::write_npy(path("x"), x)?;
    let parameters: Vec<PathBuf> = model
        .parameters()
        .iter()
        .enumerate()
        .map(|(number, parameter)| {
            let path = path(&format!("parameter-{number}"));
            ndarray_npy::write_npy(&path, parameter).map(|()| path)
        })
        .collect::<Result<_, _>>()?;
    let request = json!({
        "case": case,
        "network": serde_json::to_value(model.network())?,
        "parameters": parameters,
        "x": path("x"),
    });
    Ok(with(request, more))
}

/// The entries of both objects.
fn with(mut request: Json, more: Json) -> Json {
    if let (Some(request), Json::Object(more)) = (request.as_object_mut(), more) {
        request.extend(more);
    }
    request
}

/// In f32, and in f64 from the same seed.
fn kernel_parts(
    model: Model<f32>,
    x: ArrayD<f32>,
    images: &Images,
    trace: Trace,
    rows: usize,
) -> Result<Vec<Part>, Failure> {
    let double = Model::<f64>::new(&model.network(), model.input(), Init::default(), SEED)?;
    let entries = probes(rows);
    Ok(vec![
        kernel_part(PartName::F32, model, x, trace, entries.clone()),
        kernel_part(PartName::F64, double, images.numbers(), trace, entries),
    ])
}

fn kernel_part<T: Scalar>(
    name: PartName,
    model: Model<T>,
    x: ArrayD<T>,
    trace: Trace,
    entries: Vec<[usize; 2]>,
) -> Part {
    Part {
        name,
        run: Box::new(move || {
            let begun = Instant::now();
            let ntk = model.ntk(x.view(), None, trace, &())?;
            let seconds = begun.elapsed().as_secs_f64();
            let probes = entries.iter().map(|&p| ntk_linalg::Real::to_f64(ntk[p]));
            Ok(Run {
                seconds,
                probes: probes.collect(),
            })
        }),
    }
}

fn epoch_part(
    network: Network,
    x: ArrayD<f32>,
    y: Array2<f32>,
    batch: usize,
    optimizer: Optimizer,
) -> Part {
    let shape: Shape = sample_shape(&x.view());
    Part {
        name: PartName::F32,
        run: Box::new(move || {
            let mut model = Model::<f32>::new(&network, &shape, Init::default(), SEED)?;
            let begun = Instant::now();
            let losses = epoch(&mut model, &x, &y, batch, optimizer)?;
            let seconds = begun.elapsed().as_secs_f64();
            Ok(Run {
                seconds,
                probes: vec![losses.iter().sum::<f64>() / losses.len() as f64],
            })
        }),
    }
}

/// Trains for one pass in file order; the loss of every batch before its step.
fn epoch(
    model: &mut Model<f32>,
    x: &ArrayD<f32>,
    y: &Array2<f32>,
    batch: usize,
    optimizer: Optimizer,
) -> Result<Vec<f64>, Failure> {
    let config = TrainConfig {
        loss: Loss::CrossEntropy,
        optimizer,
        batch,
        epochs: 1,
        order: Order::File,
        seed: 0,
    };
    Ok(train(model, x.view(), y.view(), &config, &())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::inputs::Inputs;
    use ndarray::ArrayView2;
    use ntk_data::Places;
    use std::path::Path;

    /// Calls `look` with every case on at most `samples` samples.
    fn each(samples: usize, look: impl Fn(&dyn Case, &Work)) {
        let folder = tempfile::tempdir().unwrap();
        let places = Places {
            offline: true,
            ..Places::default()
        };
        let inputs = Inputs::new(&places, &());
        let setting = Setting {
            inputs: &inputs,
            folder: folder.path(),
            samples: Some(samples),
            threads: 2,
        };
        for case in CASES {
            look(*case, &case.prepare(&setting).unwrap());
        }
    }

    fn file<T: ndarray_npy::ReadableElement>(path: &Json) -> ArrayD<T> {
        ndarray_npy::read_npy(Path::new(path.as_str().unwrap())).unwrap()
    }

    #[test]
    fn the_peer_is_handed_our_parameters_and_inputs() {
        for samples in [1, 3] {
            each(samples, |case, work| {
                let network: Network =
                    Network::from_json(&work.request["network"].to_string()).unwrap();
                let x = file::<f32>(&work.request["x"]);
                assert_eq!(x.shape()[0], samples, "{}", case.name());
                let shape = sample_shape(&x.view());
                let model = Model::<f32>::new(&network, &shape, Init::default(), SEED).unwrap();
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
        each(2, |case, work| {
            let names: Vec<_> = work.parts.iter().map(|part| part.name).collect();
            if work.request["work"] == "train" {
                assert_eq!(names, [PartName::F32]);
                return;
            }
            assert_eq!(names, [PartName::F32, PartName::F64]);
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
            assert_eq!(!arguments.is_empty(), case.facts().exceeds_peer);
            assert_eq!(
                arguments.iter().any(|a| a == "--full"),
                case.facts().exceeds_peer && full
            );
        });
    }

    #[test]
    fn an_epoch_starts_anew_each_time_and_gives_the_mean_loss() {
        each(3, |_, work| {
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
            let shape = sample_shape(&x.view());
            let model = Model::<f32>::new(&network, &shape, Init::default(), SEED).unwrap();
            let y: ArrayView2<'_, f32> = y.view().into_dimensionality().unwrap();
            let (loss, _) = model.gradient(x.view(), y, Loss::CrossEntropy).unwrap();
            assert_eq!(run(), [loss]);
        });
    }
}
