//! `cargo xtask bench --peers`: our crates beside other programs, in turns on one machine.
//!
//! One file of cases for each suite (`kernels`, `networks`, `predict`, `gradients`, `entropy`), and one line in
//! [`SUITES`]. A suite names its peer, a Python program in the `benches/peers/` of the crate it measures, and its cases say
//! what each side does and what is asked of the numbers. `fuzz` is no suite: it compares kernels of
//! networks drawn at random, and times nothing.

mod case;
mod entropy;
mod fuzz;
mod gradients;
mod inputs;
mod kernels;
mod limits;
mod measure;
mod networks;
mod peer;
mod predict;
mod probes;
mod record;
mod structured;
mod venv;

use crate::Failure;
use crate::cli::{Bench, Common};
use crate::engine::environment;
use crate::engine::places;
use crate::launch::workspace_root;
use case::{BenchCase, PeerProgram, Suite, Supplies};
use inputs::Inputs;
use measure::{Rules, measure};
use ntk_cli::environment::available_memory;
use ntk_cli::files::make_folder;
use ntk_cli::interrupt::Staging;
use ntk_cli::progress::Progress;
use peer::Peer;
use record::SuiteRecord;
use std::thread::available_parallelism;
use std::time::Duration;

/// All suites, in the order in which they run.
static SUITES: &[&Suite] = &[
    &kernels::SUITE,
    &networks::SUITE,
    &predict::SUITE,
    &gradients::SUITE,
    &entropy::SUITE,
];

/// The number of threads on both sides where the command line does not say: what records are compared at.
pub(crate) const THREADS: u16 = 2;

/// The number of bytes in a GiB.
const GIB: u64 = 1 << 30;

pub(crate) fn run(common: &Common, args: &Bench) -> Result<(), Failure> {
    if args.cases == [fuzz::NAME] {
        return fuzz::run(common, args);
    }
    let chosen = choose(&args.cases)?;
    if cfg!(debug_assertions) && args.samples.is_none() {
        return Err("benchmarks are of release builds; run cargo xtask bench --peers".into());
    }
    let progress = Progress::new(common.quiet || common.json);
    for (suite, cases) in chosen {
        let record = run_suite(args, suite, &cases, &progress)?;
        let whole = cases.len() == suite.cases.len() && args.samples.is_none();
        let records = whole.then(|| workspace_root().join("records"));
        if let Some(folder) = args.out.clone().or(records) {
            make_folder(&folder, "--out")?;
            record.write(suite, &folder)?;
            progress.say(&format!(
                "the record: {}/{}.md",
                folder.display(),
                suite.name
            ));
        }
        show(common, &record)?;
    }
    Ok(())
}

type Chosen = Vec<(&'static Suite, Vec<&'static BenchCase>)>;

/// Finds the cases of these names, those of a suite by its name, or all; by suite.
fn choose(names: &[String]) -> Result<Chosen, Failure> {
    let all = || SUITES.iter().flat_map(|suite| suite.cases);
    let known = |name: &str| {
        all().any(|case| case.name == name) || SUITES.iter().any(|suite| suite.name == name)
    };
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let cases: Vec<_> = all().map(|case| case.name).collect();
        let suites: Vec<_> = SUITES.iter().map(|suite| suite.name).collect();
        return Err(format!(
            "there is no case \"{unknown}\"; there are {}, the suites {}, and {} alone",
            cases.join(", "),
            suites.join(", "),
            fuzz::NAME
        )
        .into());
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|n| n == name);
    Ok(SUITES
        .iter()
        .map(|&suite| {
            let cases = suite.cases.iter();
            let cases = cases.filter(|case| wanted(suite.name) || wanted(case.name));
            (suite, cases.collect::<Vec<_>>())
        })
        .filter(|(_, cases)| !cases.is_empty())
        .collect())
}

fn run_suite(
    args: &Bench,
    suite: &'static Suite,
    cases: &[&'static BenchCase],
    progress: &Progress,
) -> Result<SuiteRecord, Failure> {
    let threads = rayon::current_num_threads();
    let memory = memory(args.peer_memory);
    let (mut peer, staging) = start(args, suite.peer, progress)?;

    progress.say("what this machine can do");
    let limits = limits::limits()?;
    let places = places(&args.places);
    let inputs = Inputs::new(&places, progress);
    let setting = Supplies {
        inputs: &inputs,
        folder: staging.folder(),
        samples: args.samples.map(Into::into),
        threads,
    };
    let rules = Rules {
        limit: Duration::from_secs(args.peer_limit),
        rounds: args.rounds.map(Into::into),
        peer_oom: args.peer_oom,
        judged: args.samples.is_none(),
    };
    let mut outcomes = Vec::new();
    for case in cases {
        progress.say(&format!("{}: {}", case.name, case.about));
        let work = (case.prepare)(case, &setting)?;
        let outcome =
            measure(case, &work, &mut peer, &rules).map_err(|e| format!("{}: {e}", case.name))?;
        progress.end();
        outcomes.push(outcome);
    }
    Ok(SuiteRecord {
        title: suite.title,
        notes: suite.notes,
        environment: environment(),
        cores: available_parallelism()?.get(),
        command: record::command(std::env::args().skip(1)),
        peer: peer.versions().clone(),
        peer_memory: memory as f64 / GIB as f64,
        limits,
        cases: outcomes,
    })
}

/// Starts a peer, in its environment, beside a folder of files for it.
fn start(
    args: &Bench,
    program: PeerProgram,
    progress: &Progress,
) -> Result<(Peer, Staging), Failure> {
    let python = match &args.python {
        Some(python) => python.clone(),
        None => venv::python(program, progress)?,
    };
    let peers = workspace_root().join("target/peers");
    std::fs::create_dir_all(&peers)?;
    // Removed when it goes out of scope, or on Ctrl-C.
    let staging = Staging::beside(&peers.join("inputs"))?;
    let threads = rayon::current_num_threads();
    let memory = memory(args.peer_memory);
    let peer = Peer::start(program, &python, threads, memory, staging.folder())?;
    Ok((peer, staging))
}

/// Returns the bytes for the peer: as asked, but leaving a GiB of what is there, so that nothing else is
/// ended for want of memory.
fn memory(gibibytes: u64) -> u64 {
    let asked = gibibytes.saturating_mul(GIB);
    available_memory().map_or(asked, |there| asked.min(there.saturating_sub(GIB).max(GIB)))
}

fn show(common: &Common, record: &SuiteRecord) -> Result<(), Failure> {
    if common.json {
        ntk_cli::files::tell(&serde_json::to_string_pretty(record)?)?;
    } else if !common.quiet {
        ntk_cli::files::tell(record.markdown().trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::case::Prepared;
    use super::*;
    use ntk_data::Places;

    /// Prepares every case of a suite on at most `samples` samples, and calls `look` with each.
    pub(super) fn prepare_each(
        suite: &Suite,
        samples: usize,
        mut look: impl FnMut(&BenchCase, &Prepared),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let places = Places {
            offline: true,
            ..Places::default()
        };
        let setting = Supplies {
            inputs: &Inputs::new(&places, &()),
            folder: folder.path(),
            samples: Some(samples),
            threads: 2,
        };
        for case in suite.cases {
            look(case, &(case.prepare)(case, &setting).unwrap());
        }
    }

    #[test]
    fn cases_are_chosen_by_name() {
        assert_eq!(choose(&[]).map(|all| all.len()).ok(), Some(SUITES.len()));
        let chosen = choose(&["gap21".into()]).unwrap();
        assert_eq!((chosen.len(), chosen[0].1.len()), (1, 1));
        let chosen = choose(&["networks".into(), "gap21".into()]).unwrap();
        let cases: Vec<_> = chosen.iter().map(|(_, cases)| cases.len()).collect();
        assert_eq!(cases, [1, SUITES[1].cases.len()]);
        let Err(error) = choose(&["gap22".into()]) else {
            panic!("there is such a case");
        };
        let error = error.to_string();
        assert!(
            error.contains("gap22") && error.contains("gap21"),
            "{error}"
        );
    }

    #[test]
    fn every_case_and_suite_has_a_name_of_its_own() {
        let mut names: Vec<_> = SUITES
            .iter()
            .flat_map(|suite| suite.cases.iter().map(|case| case.name))
            .chain(SUITES.iter().map(|suite| suite.name))
            .collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn every_suite_has_its_files() {
        for suite in SUITES {
            let peer = suite.peer;
            for file in [peer.script, peer.requirements] {
                let path = workspace_root().join(file);
                assert!(path.is_file(), "{file}");
            }
        }
    }
}
