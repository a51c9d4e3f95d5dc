//! What is to be run, what is finished, and how long the rest takes.

use super::DataSets;
use crate::Failure;
use crate::experiments::{Experiment, RunScale};
use ntk_cli::data_sets::Loaded;
use ntk_cli::environment::Environment;
use ntk_cli::progress::Progress;
use ntk_cli::progress::duration;
use ntk_cli::results::{RESULTS, Results};
use std::collections::VecDeque;
use std::fmt;
use std::path::Path;

/// What the command line asks of every experiment.
pub(super) struct Asked {
    pub(super) scale: RunScale,
    pub(super) seed: u64,
    pub(super) environment: Environment,
}

/// The experiments of a run, in order.
pub(super) struct Agenda<'a> {
    scale: RunScale,
    seed: u64,
    jobs: VecDeque<AgendaItem<'a>>,
    /// The seconds that the experiments of this run were expected to take, and took.
    expected: f64,
    took: f64,
    current: f64,
}

/// One experiment of an agenda.
pub(super) struct AgendaItem<'a> {
    pub(super) experiment: &'static Experiment,
    pub(super) data: &'a Loaded,
    /// What an earlier run of the same left.
    pub(super) finished: Option<Results>,
    /// Why it is run though there are results.
    again: Option<String>,
    /// The seconds expected.
    seconds: f64,
}

impl<'a> Agenda<'a> {
    /// Looks at what `out` holds already; with `force` all is run again.
    pub(super) fn new(
        chosen: &[&'static Experiment],
        data: &'a DataSets,
        asked: &Asked,
        out: &Path,
        force: bool,
    ) -> Result<Self, Failure> {
        let job = |&experiment: &&'static Experiment| -> Result<AgendaItem<'a>, Failure> {
            let data = data.get(experiment.data).ok_or("a data set is missing")?;
            let there = Results::read(&out.join(experiment.name).join(RESULTS)).ok();
            let again = match &there {
                Some(_) if force => Some("--force".into()),
                Some(there) => difference(there, data, asked),
                None => None,
            };
            let before = there.as_ref().filter(|r| scale(r) == asked.scale.as_str());
            let estimate = || experiment.seconds[asked.scale as usize];
            let seconds = before.map_or_else(estimate, Results::total_seconds);
            Ok(AgendaItem {
                experiment,
                data,
                finished: there.filter(|_| again.is_none()),
                again,
                seconds,
            })
        };
        Ok(Self {
            scale: asked.scale,
            seed: asked.seed,
            jobs: chosen.iter().map(job).collect::<Result<_, _>>()?,
            expected: 0.0,
            took: 0.0,
            current: 0.0,
        })
    }

    /// Returns the next experiment; from now on `progress` tells how much time is left.
    pub(super) fn next(&mut self, progress: &Progress) -> Option<AgendaItem<'a>> {
        let job = self.jobs.pop_front()?;
        self.current = job.seconds;
        // This machine beside that of the estimates, as far as is known.
        let slower = if self.expected > 0.0 {
            self.took / self.expected
        } else {
            1.0
        };
        progress.expect(self.current * slower, self.left() * slower);
        Some(job)
    }

    /// Notes how long the experiment took that [`next`](Self::next) gave.
    pub(super) fn done(&mut self, seconds: f64) {
        self.expected += self.current;
        self.took += seconds;
    }

    /// Adds up the seconds of the experiments that are not begun.
    fn left(&self) -> f64 {
        let jobs = self.jobs.iter().filter(|job| job.finished.is_none());
        jobs.map(|job| job.seconds).sum()
    }
}

impl fmt::Display for Agenda<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scale, seed) = (self.scale.as_str(), self.seed);
        let open = self.jobs.iter().filter(|j| j.finished.is_none()).count();
        let left = duration(self.left());
        let all = self.jobs.len();
        write!(f, "{scale} scale, seed {seed}: ")?;
        match open {
            0 => write!(
                f,
                "all {all} finished by an earlier run; --force runs them again"
            )?,
            _ => write!(f, "{open} of {all} to run, about {left}")?,
        }
        for job in &self.jobs {
            let name = job.experiment.name;
            let time = match &job.finished {
                Some(_) => "finished".to_string(),
                None => format!("about {}", duration(job.seconds)),
            };
            let data = &job.data.info;
            write!(
                f,
                "\n  {name:<22} {time:<16} {} ({})",
                data.name, data.source
            )?;
            if let Some(why) = &job.again {
                write!(f, "; again: {why}")?;
            }
        }
        Ok(())
    }
}

fn scale(results: &Results) -> &str {
    let scale = results.settings.get("scale").and_then(|s| s.as_str());
    scale.unwrap_or_default()
}

/// Says what makes these results others than those asked for.
fn difference(there: &Results, data: &Loaded, asked: &Asked) -> Option<String> {
    let seed = there
        .settings
        .get("seed")
        .and_then(serde_json::Value::as_u64);
    if scale(there) != asked.scale.as_str() {
        Some(format!("its results are of {} scale", scale(there)))
    } else if seed != Some(asked.seed) {
        Some("its results are of another seed".into())
    } else if there.data.sha256 != data.info.sha256 {
        let found = &there.data;
        Some(format!(
            "its results are of {} ({})",
            found.name, found.source
        ))
    } else if there.environment.program != asked.environment.program {
        Some("another build of this program made its results".into())
    } else {
        None
    }
}
