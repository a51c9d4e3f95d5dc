//! A case, round by round: ours, the peer, ours, the peer.

use super::case::{BenchCase, Contender, ContenderName, Prepared, Quantity, Target};
use super::peer::{Peer, PeerAnswer};
use crate::Failure;
use serde::Serialize;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

/// The pause between two measurements: BLAS threads spin for a while after a call, and would steal from the next.
const PAUSE: Duration = Duration::from_millis(100);
/// A round up to this many seconds is short.
const SHORT: f64 = 10.0;
const ROUNDS_SHORT: usize = 7;
const ROUNDS_LONG: usize = 3;
/// A first call also compiles, and has so many times the limit of the others.
const FIRST_CALL: u32 = 3;
/// Up to here both sides' entries are the same but for the rounding of f32.
pub(super) const AGREEMENT: f64 = 1e-3;

/// How to measure, for all cases alike.
pub(super) struct Rules {
    pub(super) limit: Duration,
    pub(super) rounds: Option<usize>,
    /// Ask the peer also where it is known not to manage.
    pub(super) peer_oom: bool,
    /// Whether sizes are the cases' own, which targets are for.
    pub(super) judged: bool,
}

/// Seconds of one of those that took turns.
#[derive(Debug, Clone, Serialize)]
pub(super) struct TurnTimes {
    pub(super) name: &'static str,
    pub(super) minimum: f64,
    pub(super) median: f64,
    pub(super) all: Vec<f64>,
}

/// A number of a case, beside what was asked.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Number {
    pub(super) name: &'static str,
    /// What was asked, such as `>= 6`.
    pub(super) asked: Option<String>,
    /// The measured number; none where it could not be measured.
    pub(super) measured: Option<f64>,
    /// The range of ratios over the rounds.
    pub(super) range: Option<[f64; 2]>,
    pub(super) met: Option<bool>,
}

/// How far the two sides' results differ.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Agreement {
    pub(super) entries: usize,
    /// The largest difference over the larger of both magnitudes, or, where errors are told, the
    /// norm of all differences over the norm; none where one is NaN.
    pub(super) relative_difference: Option<f64>,
    pub(super) within: f64,
    pub(super) agrees: bool,
}

/// All about one case.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CaseOutcome {
    pub(super) case: &'static str,
    pub(super) about: &'static str,
    pub(super) size: String,
    pub(super) data: String,
    pub(super) rounds: usize,
    pub(super) seconds: Vec<TurnTimes>,
    /// What came of the peer.
    pub(super) peer: String,
    pub(super) numbers: Vec<Number>,
    pub(super) agreement: Option<Agreement>,
}

impl CaseOutcome {
    /// Returns the times of the contender of this name, if it had turns.
    pub(super) fn times(&self, name: &str) -> Option<&TurnTimes> {
        self.seconds.iter().find(|times| times.name == name)
    }
}

/// Runs one case.
pub(super) fn measure(
    case: &BenchCase,
    work: &Prepared,
    peer: &mut Peer,
    rules: &Rules,
) -> Result<CaseOutcome, Failure> {
    let mut turns = Turns::warm(case, work, peer, rules)?;
    let round: f64 = turns.last.iter().sum();
    let rounds = rules.rounds.unwrap_or(if round < SHORT {
        ROUNDS_SHORT
    } else {
        ROUNDS_LONG
    });
    for _ in 0..rounds {
        turns.round(work, peer, rules)?;
    }
    let alone = work.alone.as_deref().map(peak_megabytes).transpose()?;
    let numbers = CaseNumbers {
        turns: &turns,
        work,
        alone: alone.flatten(),
    };
    let numbers = QUANTITIES.into_iter().filter_map(|quantity| {
        let target = case
            .targets
            .iter()
            .find(|t| t.quantity == quantity)
            .copied();
        numbers.number(quantity, target.filter(|_| rules.judged))
    });
    let mut seconds: Vec<_> = work.parts.iter().map(|p| p.name.as_str()).collect();
    seconds.push("peer");
    Ok(CaseOutcome {
        case: case.name,
        about: case.about,
        size: work.size.clone(),
        data: work.data.clone(),
        rounds,
        numbers: numbers.collect(),
        seconds: seconds
            .into_iter()
            .zip(&turns.seconds)
            .filter_map(|(name, all)| times(name, all))
            .collect(),
        peer: turns.state.text(),
        agreement: turns.agreement(work),
    })
}

const QUANTITIES: [Quantity; 9] = [
    Quantity::PeerOverOurs,
    Quantity::OursOverProduct,
    Quantity::Seconds,
    Quantity::MillisecondsPerResult,
    Quantity::PeakMegabytes,
    Quantity::F64OverF32,
    Quantity::OurError,
    Quantity::PeerError,
    Quantity::OurErrorOverPeers,
];

/// Whether the peer still takes part.
enum State {
    Runs,
    NotAsked,
    GaveUp(PeerAnswer),
}

impl State {
    fn text(&self) -> String {
        match self {
            Self::Runs => "ran".into(),
            Self::NotAsked => "not asked: known not to manage".into(),
            Self::GaveUp(PeerAnswer::OutOfMemory) => "out of memory".into(),
            Self::GaveUp(PeerAnswer::TooLong(limit)) => {
                format!("more than {} s for one call", limit.as_secs_f64())
            }
            Self::GaveUp(PeerAnswer::Failed(reason)) => format!("failed: {reason}"),
            Self::GaveUp(PeerAnswer::Ran { .. }) => "ran".into(),
        }
    }
}

struct Turns {
    /// The seconds by contender, the peer last.
    seconds: Vec<Vec<f64>>,
    /// The seconds of the warm-up.
    last: Vec<f64>,
    state: State,
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

impl Turns {
    /// Lets everyone run once, not counted: threads wake, the peer compiles.
    fn warm(
        case: &BenchCase,
        work: &Prepared,
        peer: &mut Peer,
        rules: &Rules,
    ) -> Result<Self, Failure> {
        let mut turns = Self {
            seconds: vec![Vec::new(); work.parts.len() + 1],
            last: Vec::new(),
            state: if case.exceeds_peer && !rules.peer_oom {
                State::NotAsked
            } else {
                State::Runs
            },
            ours: Vec::new(),
            theirs: Vec::new(),
        };
        turns.ask(work, peer, FIRST_CALL * rules.limit)?;
        // Without compiling, which would look like a long round.
        let peers = turns.ask(work, peer, rules.limit)?;
        for part in &work.parts {
            let run = (part.run)()?;
            if turns.last.is_empty() {
                turns.ours = run.probes;
            }
            turns.last.push(run.seconds);
        }
        turns.last.extend(peers);
        Ok(turns)
    }

    fn round(&mut self, work: &Prepared, peer: &mut Peer, rules: &Rules) -> Result<(), Failure> {
        for (Contender { run, .. }, seconds) in work.parts.iter().zip(&mut self.seconds) {
            sleep(PAUSE);
            seconds.push(run()?.seconds);
        }
        sleep(PAUSE);
        let peers = self.ask(work, peer, rules.limit)?;
        if let Some(seconds) = self.seconds.last_mut() {
            seconds.extend(peers);
        }
        Ok(())
    }

    /// Returns the peer's seconds, if it still takes part.
    fn ask(
        &mut self,
        work: &Prepared,
        peer: &mut Peer,
        limit: Duration,
    ) -> Result<Option<f64>, Failure> {
        if !matches!(self.state, State::Runs) {
            return Ok(None);
        }
        match peer.ask(&work.request, limit)? {
            PeerAnswer::Ran { seconds, values } => {
                self.theirs = values;
                Ok(Some(seconds))
            }
            gave_up => {
                self.state = State::GaveUp(gave_up);
                Ok(None)
            }
        }
    }

    fn agreement(&self, work: &Prepared) -> Option<Agreement> {
        if self.theirs.is_empty() {
            return None;
        }
        let difference = match work.exact {
            None => largest_relative_difference(&self.ours, &self.theirs),
            // Of these some are as good as zero.
            Some(_) => relative_error(&self.theirs, &self.ours).unwrap_or(f64::INFINITY),
        };
        Some(Agreement {
            entries: self.theirs.len(),
            relative_difference: difference.is_finite().then_some(difference),
            within: AGREEMENT,
            agrees: difference <= AGREEMENT,
        })
    }
}

/// Returns infinity where the numbers are not as many, or one is NaN.
fn largest_relative_difference(a: &[f64], b: &[f64]) -> f64 {
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    let relative = |(&a, &b): (&f64, &f64)| match (a - b).abs() / a.abs().max(b.abs()) {
        difference if difference.is_finite() => difference,
        _ if a == b => 0.0,
        _ => f64::INFINITY,
    };
    a.iter().zip(b).map(relative).fold(0.0, f64::max)
}

/// Returns the norm of the differences over that of the exact numbers; none where it is no number, or
/// there are not as many.
fn relative_error(found: &[f64], exact: &[f64]) -> Option<f64> {
    let norm = |of: &mut dyn Iterator<Item = f64>| of.map(|v| v * v).sum::<f64>().sqrt();
    let differences = norm(&mut found.iter().zip(exact).map(|(a, b)| a - b));
    let error = differences / norm(&mut exact.iter().copied());
    (found.len() == exact.len() && error.is_finite()).then_some(error)
}

struct CaseNumbers<'a> {
    turns: &'a Turns,
    work: &'a Prepared,
    alone: Option<f64>,
}

impl CaseNumbers<'_> {
    /// Returns the number, if it was measured or asked for.
    fn number(&self, quantity: Quantity, target: Option<Target>) -> Option<Number> {
        let ours = self.turns.seconds[0].as_slice();
        let (results, theirs) = self.work.results.unwrap_or((1, 1));
        let (measured, range) = match quantity {
            Quantity::PeerOverOurs => {
                // Both by the result.
                let factor = results as f64 / theirs as f64;
                let peer = self.turns.seconds.last().map(Vec::as_slice);
                ratio(peer.unwrap_or_default(), ours, factor)
            }
            Quantity::F64OverF32 => ratio(
                self.of(ContenderName::F64),
                self.of(ContenderName::F32),
                1.0,
            ),
            Quantity::OursOverProduct => ratio(ours, self.of(ContenderName::Product), 1.0),
            Quantity::Seconds => (smallest(ours), None),
            Quantity::MillisecondsPerResult if self.work.results.is_none() => (None, None),
            Quantity::MillisecondsPerResult => {
                (smallest(ours).map(|s| 1e3 * s / results as f64), None)
            }
            Quantity::PeakMegabytes => (self.alone, None),
            Quantity::OurError => (self.error(&self.turns.ours), None),
            Quantity::PeerError => (self.error(&self.turns.theirs), None),
            Quantity::OurErrorOverPeers => {
                let errors = self
                    .error(&self.turns.ours)
                    .zip(self.error(&self.turns.theirs));
                (errors.map(|(ours, theirs)| ours / theirs), None)
            }
        };
        (measured.is_some() || target.is_some()).then(|| Number {
            name: quantity.as_str(),
            asked: target.map(|t| {
                let sign = if quantity.asks_for_more() { ">=" } else { "<=" };
                format!("{sign} {}", t.bound)
            }),
            measured,
            range,
            met: target.and_then(|t| Some(t.met(measured?))),
        })
    }

    /// Returns the error of entries of the result, where they exist and the exact ones are known.
    fn error(&self, entries: &[f64]) -> Option<f64> {
        let exact = self.work.exact.as_ref()?;
        relative_error(entries, exact)
    }

    /// Returns the seconds of a contender; none where there is no such.
    fn of(&self, name: ContenderName) -> &[f64] {
        let place = self.work.parts.iter().position(|part| part.name == name);
        place.map_or(&[], |i| &self.turns.seconds[i])
    }
}

/// Returns the smallest over the smallest, and the range of ratios in each round, in which the machine's
/// ups and downs cancel.
fn ratio(a: &[f64], b: &[f64], factor: f64) -> (Option<f64>, Option<[f64; 2]>) {
    let (Some(least_a), Some(least_b)) = (smallest(a), smallest(b)) else {
        return (None, None);
    };
    let each: Vec<_> = a.iter().zip(b).map(|(a, b)| factor * a / b).collect();
    let most = each.iter().copied().max_by(f64::total_cmp);
    let range = smallest(&each).zip(most).map(|(a, b)| [a, b]);
    (Some(factor * least_a / least_b), range)
}

fn smallest(values: &[f64]) -> Option<f64> {
    values.iter().copied().min_by(f64::total_cmp)
}

fn times(name: &'static str, all: &[f64]) -> Option<TurnTimes> {
    let mut sorted = all.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    let median = match sorted.len() {
        0 => return None,
        n if n % 2 == 1 => sorted[half],
        _ => f64::midpoint(sorted[half - 1], sorted[half]),
    };
    Some(TurnTimes {
        name,
        minimum: sorted[0],
        median,
        all: all.to_vec(),
    })
}

/// Runs this program on a command whose JSON says its `peak_memory`.
fn peak_megabytes(arguments: &[std::ffi::OsString]) -> Result<Option<f64>, Failure> {
    let output = Command::new(std::env::current_exe()?)
        .args(arguments)
        .output()?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        let line = error.lines().next_back().unwrap_or("it said nothing");
        return Err(format!("a run in a process of its own failed: {line}").into());
    }
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    Ok(answer["peak_memory"].as_f64().map(|bytes| bytes / 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_the_smallest_and_range_over_rounds() {
        let (ratio, range) = ratio(&[8.0, 6.0, 9.0], &[2.0, 3.0, 1.0], 1.0);
        assert_eq!((ratio, range), (Some(6.0), Some([2.0, 9.0])));
        assert_eq!(super::ratio(&[], &[1.0], 1.0), (None, None));
        assert_eq!(super::ratio(&[3.0], &[2.0], 4.0).0, Some(6.0));
    }

    #[test]
    fn medians_of_odd_and_even_numbers() {
        let median = |all: &[f64]| times("", all).map(|t| (t.minimum, t.median));
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some((1.0, 2.0)));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some((1.0, 2.5)));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn what_is_no_number_does_not_agree() {
        let far = largest_relative_difference;
        assert_eq!(far(&[0.0, 2.0], &[0.0, 2.0]), 0.0);
        assert_eq!(far(&[1.0], &[2.0]), 0.5);
        assert_eq!(far(&[1.0], &[f64::NAN]), f64::INFINITY);
        assert_eq!(far(&[f64::NAN], &[f64::NAN]), f64::INFINITY);
        assert_eq!(far(&[1.0], &[1.0, 1.0]), f64::INFINITY);
    }

    #[test]
    fn errors_are_relative_to_all_entries() {
        assert_eq!(relative_error(&[3.0, 1.0], &[3.0, 4.0]), Some(0.6));
        assert_eq!(relative_error(&[], &[1.0]), None);
        assert_eq!(relative_error(&[f64::NAN], &[1.0]), None);
        assert_eq!(relative_error(&[1.0], &[0.0]), None);
    }

    #[test]
    fn targets_know_their_direction() {
        let ratio = Target::new(Quantity::PeerOverOurs, 6.0);
        assert!(ratio.met(6.0) && ratio.met(7.0) && !ratio.met(5.9));
        let seconds = Target::new(Quantity::Seconds, 4.0);
        assert!(seconds.met(4.0) && seconds.met(3.0) && !seconds.met(4.1));
        assert!(!seconds.met(f64::NAN));
    }
}
