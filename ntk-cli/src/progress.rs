//! The progress on standard error: a bar on a terminal, elsewhere a line per tenth.

use crate::words;
use indicatif::{ProgressBar, ProgressStyle};
use ntk_linalg::observer::Observer;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The length below which a step is not worth a line.
const WORTH_A_LINE: Duration = Duration::from_secs(1);

/// A `Progress` shows what long computations say of themselves.
pub struct Progress {
    mode: Mode,
    step: Mutex<Option<Step>>,
    all: Mutex<Option<All>>,
}

enum Mode {
    Quiet,
    Bar,
    Lines,
}

/// A run of several experiments.
struct All {
    /// The seconds that the one at work is expected to take, and those after it.
    current: f64,
    after: f64,
    begun: Instant,
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
    /// Shows progress on standard error, as a bar in a terminal and as lines elsewhere; where `quiet`,
    /// not at all.
    pub fn new(quiet: bool) -> Self {
        let mode = match (quiet, io::stderr().is_terminal()) {
            (true, _) => Mode::Quiet,
            (false, true) => Mode::Bar,
            (false, false) => Mode::Lines,
        };
        Self {
            mode,
            step: Mutex::new(None),
            all: Mutex::new(None),
        }
    }

    /// Writes a line of its own, unless there is to be none.
    pub fn say(&self, line: &str) {
        if !matches!(self.mode, Mode::Quiet) {
            self.warn(line);
        }
    }

    /// Writes a line of its own in any case: of what makes results others than those asked for.
    pub fn warn(&self, line: &str) {
        let step = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        let line = words::escaped(line, true);
        match step.as_ref().and_then(|s| s.bar.as_ref()) {
            Some(bar) => bar.suspend(|| tell(&line)),
            None => tell(&line),
        }
    }

    /// Expects what is begun now to take `current` seconds, and what follows `after`.
    pub fn expect(&self, current: f64, after: f64) {
        *self.all.lock().unwrap_or_else(PoisonError::into_inner) = Some(All {
            current,
            after,
            begun: Instant::now(),
        });
    }

    /// Says in words what is left of all; empty where nobody knows.
    fn left(&self) -> String {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.as_ref().map_or_else(String::new, |all| {
            let current = all.current - all.begun.elapsed().as_secs_f64();
            let left = duration(current.max(0.0) + all.after);
            format!("; about {left} left in all")
        })
    }

    /// Ends the current step, and with it its bar.
    pub fn end(&self) {
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
                    "{spinner} {msg}  {pos}  {elapsed}{prefix}",
                )
            } else {
                (
                    ProgressBar::new(total),
                    "{msg:<28} [{bar:32}] {percent:>3} %  {eta} left{prefix}",
                )
            };
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("=> ");
            bar.with_style(style)
                .with_message(name.to_string())
                .with_prefix(self.left())
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

    fn advance(&self, units: u64) {
        let mut guard = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(step) = guard.as_mut() else { return };
        step.done += units;
        if let Some(bar) = &step.bar {
            bar.inc(units);
            bar.set_prefix(self.left());
        }
        if step.total == 0 {
            return;
        }
        let tenths = (10 * step.done / step.total).min(10);
        let elapsed = step.begun.elapsed();
        if matches!(self.mode, Mode::Lines) && tenths > step.tenths && elapsed > WORTH_A_LINE {
            tell(&format!(
                "{}: {} % after {:.0} s{}",
                step.name,
                10 * tenths,
                elapsed.as_secs_f64(),
                self.left()
            ));
        }
        step.tenths = tenths;
    }
}

impl ntk_data::Observer for Progress {
    fn begin(&self, step: &str, total: u64) {
        Observer::begin(self, step, total);
    }

    fn advance(&self, units: u64) {
        Observer::advance(self, units);
    }
}

/// Writes a line to standard error. Where nobody reads it any more, the work goes on.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes the one line that tells an error to standard error.
pub fn tell_failure(failure: &dyn std::fmt::Display) {
    tell(&format!("error: {}", words::failure(&failure.to_string())));
}

/// Writes seconds as people say them: `40 s`, `3 min`, `1 h 20 min`.
pub fn duration(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round();
    if seconds < 90.0 {
        format!("{seconds:.0} s")
    } else if minutes < 90.0 {
        format!("{minutes} min")
    } else {
        format!("{} h {} min", (minutes / 60.0).floor(), minutes % 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_as_people_do() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (40.4, "40 s"),
            (89.9, "90 s"),
            (170.0, "3 min"),
            (4800.0, "80 min"),
            (7260.0, "2 h 1 min"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn what_is_left_is_of_the_current_and_of_all_after() {
        let progress = Progress::new(true);
        assert_eq!(progress.left(), "");
        progress.expect(100.0, 260.0);
        assert_eq!(progress.left(), "; about 6 min left in all");
        progress.expect(0.0, 0.0);
        assert_eq!(progress.left(), "; about 0 s left in all");
    }
}
