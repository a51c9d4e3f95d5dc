//! `cargo xtask bench --peers fuzz`: kernels in closed form of networks drawn at random from all
//! layers, beside neural_tangents' in f64.

#[path = "../../../ntk-kernels/tests/all/draws.rs"]
#[allow(clippy::unwrap_used, reason = "it belongs to the tests of ntk-kernels")]
mod draws;
mod known;

use super::case::{PeerProgram, neural_tangents};
use super::peer::PeerAnswer;
use crate::Failure;
use crate::cli::{Bench, Common};
use draws::{Draw, nodes, sample};
use ndarray::{Array2, ArrayD, IxDyn};
use ntk_cli::files::tell;
use ntk_cli::progress::Progress;
use ntk_kernels::Kernels;
use ntk_kernels::network::Graph;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// The name among the cases.
pub(super) const NAME: &str = "fuzz";

const PEER: PeerProgram = neural_tangents("ntk-kernels/benches/peers/neural_tangents_fuzz.py");

/// The largest difference of two f64 kernels that are equal, of `sqrt(k_ii k_jj)`: a rounding error
/// of 2e-16, times some hundred operations, times 1e4 where sums over positions cancel.
const TOLERANCE: f64 = 1e-9;

/// The least `sqrt(k_ii k_jj)` that differences are taken of: samples are about 1, and what is far
/// smaller is a difference of such numbers.
const LEAST: f64 = 1e-5;

/// How the Python program begins its answer for a layer that its side lacks.
const ABSENT: &str = "NotHere: ";

/// An entry at which the two sides differ most.
#[derive(Debug, Clone, Serialize)]
struct Difference {
    seed: u64,
    /// `nngp` or `ntk`.
    kernel: &'static str,
    entry: [usize; 2],
    ours: f64,
    /// None where it is no number.
    theirs: Option<f64>,
    /// The difference over `sqrt(k_ii k_jj)`.
    far: Option<f64>,
    network: Json,
    shape: Vec<usize>,
    masked: bool,
    graphs: bool,
}

/// A network that was drawn, with what explains a difference.
struct Drawn<'a> {
    draw: &'a Draw,
    graph: Graph,
}

/// The seeds of networks, by a reason that is in their own words or in neural_tangents'.
type Seeds = BTreeMap<String, Vec<u64>>;

/// What came of all networks.
#[derive(Debug, Default, Serialize)]
struct Report {
    peer: Map<String, Json>,
    first_seed: u64,
    last_seed: u64,
    /// Networks with kernels in closed form here.
    networks: u32,
    /// Draws without, which are not among them.
    without_kernels: u32,
    agree: u32,
    /// Differences by the fault of neural_tangents that explains them.
    known: BTreeMap<&'static str, Vec<Difference>>,
    /// What neural_tangents lacks.
    absent: Seeds,
    /// Errors of neural_tangents.
    refused: Seeds,
    /// Differences that nothing known explains.
    findings: Vec<Difference>,
}

pub(super) fn run(common: &Common, args: &Bench) -> Result<(), Failure> {
    let progress = Progress::new(common.quiet || common.json);
    let (mut peer, staging) = super::start(args, PEER, &progress)?;
    let mut report = Report {
        peer: peer.versions().clone(),
        first_seed: args.seed,
        ..Report::default()
    };
    let limit = Duration::from_secs(args.peer_limit);
    progress.say(&format!("networks from seed {}", args.seed));
    let mut seeds = args.seed..;
    while report.networks < args.networks
        && let Some(seed) = seeds.next()
    {
        report.last_seed = seed;
        let draw = Draw::of_seed(seed);
        let ours = draw.network.kernel_fn().structure(&draw.structure);
        let Ok(ours) = ours.kernels(&draw.x) else {
            report.without_kernels += 1;
            continue;
        };
        report.networks += 1;
        let graph = draw.network.resolve(sample(&draw.network, &draw.x))?;
        let request = request(seed, &draw, staging.folder())?;
        match peer.ask(&request, limit)? {
            PeerAnswer::Ran { values, .. } => {
                let drawn = Drawn { draw: &draw, graph };
                judge(&mut report, seed, &drawn, &ours, &values)?;
                for found in report.findings.iter().filter(|found| found.seed == seed) {
                    progress.say(&found.line());
                }
            }
            PeerAnswer::Failed(reason) => match reason.strip_prefix(ABSENT) {
                Some(reason) => report.absent.entry(reason.into()).or_default().push(seed),
                None => report.refused.entry(reason).or_default().push(seed),
            },
            PeerAnswer::OutOfMemory => {
                let reason = "out of memory".to_string();
                report.refused.entry(reason).or_default().push(seed);
            }
            PeerAnswer::TooLong(limit) => {
                let reason = format!("more than {} s", limit.as_secs());
                report.refused.entry(reason).or_default().push(seed);
            }
        }
    }
    if common.json {
        tell(&serde_json::to_string_pretty(&report)?)?;
    } else if !common.quiet {
        tell(&report.text())?;
    }
    match report.findings.len() {
        0 => Ok(()),
        count => Err(format!(
            "{count} kernels differ from neural_tangents' for no known reason; see which is right, and \
             draw one again by --networks 1 --seed SEED"
        )
        .into()),
    }
}

/// Writes what belongs to a draw into files, and returns what the peer is asked.
fn request(seed: u64, draw: &Draw, folder: &Path) -> Result<Json, Failure> {
    let write = |which: &str, array: &ArrayD<f64>| -> Result<_, Failure> {
        let path = folder.join(format!("{which}.npy"));
        ndarray_npy::write_npy(&path, array)?;
        Ok(path)
    };
    let mask = draw.structure.masked();
    let mask = mask.map(|mask| mask.mapv(|masked| f64::from(u8::from(masked))));
    let graphs = weights(draw);
    Ok(json!({
        "case": seed.to_string(),
        "network": serde_json::to_value(&draw.network)?,
        "x": write("x", &draw.x)?,
        "mask": mask.map(|mask| write("mask", &mask)).transpose()?,
        "graphs": graphs.map(|graphs| write("graphs", &graphs)).transpose()?,
    }))
}

/// Returns the weights of all pairs of nodes, (samples, tails, heads).
fn weights(draw: &Draw) -> Option<ArrayD<f64>> {
    draw.structure.edges_of(0)?;
    let nodes = nodes(&draw.network, &draw.x).into_iter().next()?;
    let (n, count) = (draw.x.shape()[0], nodes.iter().product());
    let mut weights = ArrayD::zeros(IxDyn(&[n, count, count]));
    for sample in 0..n {
        for edge in draw.structure.edges_of(sample)? {
            weights[[sample, edge.tail, edge.head]] = edge.weight;
        }
    }
    let shape = [&[n], &nodes[..], &nodes[..]].concat();
    weights.into_shape_with_order(IxDyn(&shape)).ok()
}

/// Compares both kernels, and puts the network where it belongs.
fn judge(
    report: &mut Report,
    seed: u64,
    drawn: &Drawn<'_>,
    ours: &Kernels<f64>,
    theirs: &[f64],
) -> Result<(), Failure> {
    let n = ours.nngp.nrows();
    if theirs.len() != 2 * n * n {
        return Err(format!("the peer answered {} values for {n} samples", theirs.len()).into());
    }
    let (nngp, ntk) = theirs.split_at(n * n);
    let found: Vec<_> = [("nngp", &ours.nngp, nngp), ("ntk", &ours.ntk, ntk)]
        .into_iter()
        .filter_map(|(kernel, ours, theirs)| {
            let (entry, theirs, far) = worst(ours, theirs)?;
            Some(Difference {
                seed,
                kernel,
                entry,
                ours: ours[entry],
                theirs: theirs.is_finite().then_some(theirs),
                far: far.is_finite().then_some(far),
                network: serde_json::to_value(&drawn.draw.network).ok()?,
                shape: drawn.draw.x.shape().to_vec(),
                masked: drawn.draw.structure.masked().is_some(),
                graphs: drawn.draw.structure.edges_of(0).is_some(),
            })
        })
        .collect();
    if found.is_empty() {
        report.agree += 1;
    }
    for difference in found {
        match known::reason(drawn, &difference) {
            Some(sentence) => report.known.entry(sentence).or_default().push(difference),
            None => report.findings.push(difference),
        }
    }
    Ok(())
}

/// Returns the entry that differs most and by more than rounding, what it is there, and by how much.
fn worst(ours: &Array2<f64>, theirs: &[f64]) -> Option<([usize; 2], f64, f64)> {
    let entries = ours
        .indexed_iter()
        .zip(theirs)
        .map(|(((i, j), our), &their)| {
            let own = (ours[[i, i]] * ours[[j, j]]).max(0.0).sqrt();
            let far = (our - their).abs() / own.max(LEAST);
            (
                [i, j],
                their,
                if far.is_nan() { f64::INFINITY } else { far },
            )
        });
    entries
        .filter(|(_, _, far)| *far > TOLERANCE)
        .max_by(|(_, _, one), (_, _, two)| one.total_cmp(two))
}

impl Difference {
    /// Says what both sides have.
    fn values(&self) -> String {
        let [i, j] = self.entry;
        let theirs = self
            .theirs
            .map_or("no number".into(), |value| format!("{value:e}"));
        let far = self.far.map_or(String::new(), |far| {
            format!(", {far:.1e} of sqrt(k_ii k_jj)")
        });
        format!(
            "seed {}: {}[{i}, {j}] is {:e} here and {theirs} there{far}",
            self.seed, self.kernel, self.ours
        )
    }

    /// Says that, and of which network.
    fn line(&self) -> String {
        let besides = match (self.masked, self.graphs) {
            (false, false) => "",
            (true, false) => " with a mask",
            (false, true) => " with graphs",
            (true, true) => " with a mask and graphs",
        };
        let (values, shape, network) = (self.values(), &self.shape, &self.network);
        format!("{values}; samples {shape:?}{besides}; {network}")
    }
}

impl Report {
    fn text(&self) -> String {
        let mut lines = vec![format!(
            "neural_tangents {}, seeds {} to {}; {} draws have no kernel in closed form",
            self.peer
                .get("neural_tangents")
                .and_then(Json::as_str)
                .unwrap_or("?"),
            self.first_seed,
            self.last_seed,
            self.without_kernels
        )];
        let count = |count: usize, what: &str| format!("{count:>6} {what}");
        lines.push(count(self.networks as usize, "networks"));
        lines.push(count(self.agree as usize, "agree"));
        for (what, reasons) in [
            ("not in neural_tangents", &self.absent),
            ("refused by neural_tangents", &self.refused),
        ] {
            let all: usize = reasons.values().map(Vec::len).sum();
            lines.push(count(all, what));
            for (reason, seeds) in reasons {
                let seed = seeds
                    .first()
                    .map_or(String::new(), |seed| format!(" (seed {seed})"));
                lines.push(format!("       {:>6} {reason}{seed}", seeds.len()));
            }
        }
        for (sentence, differences) in &self.known {
            let seeds: BTreeSet<_> = differences.iter().map(|known| known.seed).collect();
            lines.push(count(seeds.len(), &format!("known: {sentence}")));
            lines.extend(
                differences
                    .iter()
                    .map(|known| format!("       {}", known.values())),
            );
        }
        let unknown = "kernels differ for no known reason";
        lines.push(count(self.findings.len(), unknown));
        lines.extend(
            self.findings
                .iter()
                .map(|found| format!("       {}", found.line())),
        );
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use ntk_kernels::Structure;
    use ntk_kernels::network::*;

    /// What is reported of a network whose kernels these are there, after a change.
    fn report(network: Network, x: ArrayD<f64>, change: impl Fn(&mut [f64])) -> Report {
        let ours = network.kernels(&x).unwrap();
        let mut theirs: Vec<f64> = ours.nngp.iter().chain(&ours.ntk).copied().collect();
        change(&mut theirs);
        let draw = Draw {
            network,
            x,
            structure: Structure::default(),
        };
        let graph = draw
            .network
            .resolve(sample(&draw.network, &draw.x))
            .unwrap();
        let mut report = Report::default();
        let drawn = Drawn { draw: &draw, graph };
        judge(&mut report, 7, &drawn, &ours, &theirs).unwrap();
        report
    }

    fn images() -> ArrayD<f64> {
        ArrayD::from_shape_fn(IxDyn(&[2, 2, 3, 2]), |at| {
            (1.0 + at[0] as f64 + 2.0 * at[1] as f64 + 3.0 * at[2] as f64 + at[3] as f64).sin()
        })
    }

    #[test]
    fn equal_kernels_agree() {
        let network = Network::new().then(dense()).then(relu()).then(dense());
        let x = array![[1.0, 0.5], [-0.3, 0.8]].into_dyn();
        let report = report(network, x, |theirs| theirs[1] *= 1.0 + 1e-12);
        assert_eq!(
            (report.agree, report.findings.len(), report.known.len()),
            (1, 0, 0)
        );
    }

    #[test]
    fn a_difference_is_told_with_both_values() {
        let network = Network::new()
            .then(dense())
            .then(erf(1.0, 1.0, 0.0))
            .then(dense());
        let x = array![[1.0, 0.5], [-0.3, 0.8]].into_dyn();
        let changed = |change: fn(&mut [f64])| report(network.clone(), x.clone(), change);
        let found = changed(|theirs| theirs[6] += 1e-6);
        let [difference] = &found.findings[..] else {
            panic!("{found:?}");
        };
        assert_eq!((difference.kernel, difference.entry), ("ntk", [1, 0]));
        let line = difference.line();
        for word in [
            "seed 7: ntk[1, 0]",
            "\"erf\"",
            &format!("{:e}", difference.ours),
        ] {
            assert!(line.contains(word), "{line}");
        }
        assert!(
            found
                .text()
                .contains("     1 kernels differ for no known reason")
        );
        // What is no number is no agreement.
        let found = changed(|theirs| theirs[0] = f64::NAN);
        assert_eq!((found.findings.len(), found.findings[0].theirs), (1, None));
        let ours = network.kernels(&x).unwrap();
        assert!(worst(&ours.nngp, &ours.nngp.iter().copied().collect::<Vec<_>>()).is_none());
    }

    #[test]
    fn known_faults_explain_their_networks_alone() {
        let known = |network: Network| {
            let network = network.then(global_avg_pool()).then(dense());
            let report = report(network, images(), |theirs| theirs[1] += 0.1);
            report.findings.is_empty()
        };
        let shared = || Network::new().then(conv([2, 2]).same());
        let local = || conv_local([2, 2]).same();
        assert!(known(shared().then(relu()).then(local()).then(relu())));
        let twice = shared().then(relu()).then(conv([1, 1]));
        assert!(!known(
            twice.clone().then(relu()).then(local()).then(relu())
        ));
        assert!(known(
            shared().then(erf(1.0, 1.0, 0.0)).then(resize([3, 3]))
        ));
        assert!(!known(twice.then(resize([3, 3]))));
        let pooled = || shared().then(sign()).then(avg_pool([2, 2]));
        assert!(known(pooled().then(dense()).then(relu())));
        assert!(!known(pooled()));
        assert!(!known(shared().then(sign()).then(dense()).then(relu())));
        assert!(!known(shared().then(relu()).then(dense()).then(relu())));
    }
}
