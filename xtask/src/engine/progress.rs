//! Progress on standard error: a bar on a terminal, elsewhere a line per tenth.

use indicatif::{ProgressBar, ProgressStyle};
use ntk_linalg::observer::Observer;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Steps shorter than this are not worth a line.
const WORTH_A_LINE: Duration = Duration::from_secs(1);

/// Shows what long computations say of themselves.
pub(crate) struct Progress {
    mode: Mode,
    step: Mutex<Option<Step>>,
}

enum Mode {
    Quiet,
    Bar,
    Lines,
}

struct Step {
    name: String,
    total: u64,
    done: u64,
    tenths: u64,
    begun: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let mode = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Mode::Quiet,
            (false, true) => Mode::Bar,
            (false, false) => Mode::Lines,
        };
        Self {
            mode,
            step: Mutex::new(None),
        }
    }

    /// A line of its own.
    #[expect(clippy::print_stderr, reason = "this is where messages are shown")]
    pub(crate) fn say(&self, line: &str) {
        let step = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        match (&self.mode, step.as_ref().and_then(|s| s.bar.as_ref())) {
            (Mode::Quiet, _) => {}
            (_, Some(bar)) => bar.suspend(|| eprintln!("{line}")),
            _ => eprintln!("{line}"),
        }
    }

    /// Ends the current step, and with it its bar.
    pub(crate) fn end(&self) {
        let step = self
            .step
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(bar) = step.and_then(|s| s.bar) {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Progress {
    fn begin(&self, name: &str, total: u64) {
        self.end();
        let bar = matches!(self.mode, Mode::Bar).then(|| {
            let (bar, template) = if total == 0 {
                (
                    ProgressBar::new_spinner(),
                    "{spinner} {msg}  {pos}  {elapsed}",
                )
            } else {
                (
                    ProgressBar::new(total),
                    "{msg:<28} [{bar:32}] {percent:>3} %  {eta} left",
                )
            };
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("=> ");
            bar.with_style(style).with_message(name.to_string())
        });
        let step = Step {
            name: name.to_string(),
            total,
            done: 0,
            tenths: 0,
            begun: Instant::now(),
            bar,
        };
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = Some(step);
    }

    #[expect(clippy::print_stderr, reason = "this is where progress is shown")]
    fn advance(&self, units: u64) {
        let mut guard = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(step) = guard.as_mut() else { return };
        step.done += units;
        if let Some(bar) = &step.bar {
            bar.inc(units);
        }
        if step.total == 0 {
            return;
        }
        let tenths = (10 * step.done / step.total).min(10);
        let elapsed = step.begun.elapsed();
        if matches!(self.mode, Mode::Lines) && tenths > step.tenths && elapsed > WORTH_A_LINE {
            eprintln!(
                "{}: {} % after {:.0} s",
                step.name,
                10 * tenths,
                elapsed.as_secs_f64()
            );
        }
        step.tenths = tenths;
    }
}
