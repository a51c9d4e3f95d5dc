//! Choosing ticks: round numbers, as many as fit without their labels touching.

use super::label::{labels, plain, power_of_ten};
use super::{Axis, Scale, transform};
use crate::csv::exact;
use crate::text;
use crate::theme::TICK;

/// Which way the axis runs; decides what labels need to keep apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Along {
    Horizontal,
    /// Horizontally, with labels that read upwards.
    Upright,
    Vertical,
}

impl Along {
    /// Pixels per tick, on average, that read well.
    fn comfortable(self) -> f64 {
        match self {
            Self::Horizontal | Self::Upright => 56.0,
            Self::Vertical => 30.0,
        }
    }

    /// Length that `label` covers along the axis, with the space that keeps it apart.
    fn extent(self, label: &str) -> f64 {
        match self {
            Self::Horizontal => text::width(label, TICK, false) + TICK,
            Self::Vertical | Self::Upright => 1.6 * TICK,
        }
    }
}

/// A `Ticks` says where ticks fall, as shares of the axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ticks {
    /// Position and label.
    pub(crate) major: Vec<(f64, String)>,
    pub(crate) minor: Vec<f64>,
    /// What the labels are counted from, if not zero: they would be too long otherwise.
    pub(crate) base: Option<String>,
}

/// Fewer ticks than this are made up for by a finer step, if the labels fit.
const FEW: usize = 3;
/// Digits in a label beyond which it is counted from a base.
const MAX_DIGITS: f64 = 6.0;
/// Multiples of a power of ten that make a round step, and the decimal places they add.
const STEPS: [(f64, i32); 4] = [(1.0, 0), (2.0, 0), (2.5, -1), (5.0, 0)];
/// How much nearer to each other labels of single cells may be, but for words in one line.
const SNUG: f64 = 0.5 * TICK;
/// Slack, in steps, for a tick at the very end of the range.
const SLACK: f64 = 1e-9;
/// Minor ticks closer than this many pixels are a grey bar.
const MINOR_GAP: f64 = 1.4;
/// Decades below which 2 and 5 have labels too.
const SHORT: f64 = 2.0;
const ALL_MINOR: [i32; 8] = [2, 3, 4, 5, 6, 7, 8, 9];
const FEW_MINOR: [i32; 2] = [2, 5];

impl Axis {
    /// The ticks of this axis drawn `length` pixels long.
    pub(crate) fn ticks(&self, length: f64, along: Along) -> Ticks {
        match self.scale {
            _ if self.cells.is_some() => self.cell_ticks(length, along),
            _ if !self.marked.is_empty() => self.marked_ticks(length, along),
            Scale::Linear => self.linear_ticks(length, along),
            Scale::Log => self.log_ticks(length, along),
        }
    }

    /// A tick wherever one is asked for, with a label at every first, second, ... of them, as many
    /// as fit.
    fn marked_ticks(&self, length: f64, along: Along) -> Ticks {
        let (low, high) = (self.low.min(self.high), self.low.max(self.high));
        let inside = |v: &f64| {
            let slack = SLACK * (high - low);
            (low - slack..=high + slack).contains(&transform(self.scale, *v))
        };
        let values: Vec<f64> = self.marked.iter().copied().filter(inside).collect();
        let decimals = |v: &f64| exact(*v).split_once('.').map_or(0, |(_, d)| d.len());
        let places = values.iter().map(decimals).max().unwrap_or(0);
        let texts = labels(&values, i32::try_from(places).map_or(0, |p| -p));
        let all: Vec<_> = values
            .iter()
            .map(|v| self.fraction(*v))
            .zip(texts)
            .collect();
        let every = |stride: usize| all.iter().step_by(stride).cloned().collect::<Vec<_>>();
        let stride = (1..all.len()).find(|s| Self::fits(&every(*s), length, along));
        let major = every(stride.unwrap_or(all.len().max(1)));
        let minor = all.iter().map(|t| t.0);
        let minor = minor.filter(|share| major.iter().all(|t| t.0 != *share));
        Ticks {
            minor: minor.collect(),
            major,
            base: None,
        }
    }

    /// A label for every cell of a matrix' side. Where not all fit, every second, third, ... name,
    /// or round indices.
    fn cell_ticks(&self, length: f64, along: Along) -> Ticks {
        let names = self.cells.as_ref().map_or(&[][..], |c| &c.names);
        let in_line = along == Along::Horizontal && !names.is_empty();
        let nearer = if in_line { 0.0 } else { SNUG };
        let snug = |ticks: &[(f64, String)]| Self::fits_nearer(ticks, length, along, nearer);
        if names.is_empty() {
            let each = self.multiples(1.0, 0);
            return if snug(&each.major) {
                each
            } else {
                self.linear_ticks(length, along)
            };
        }
        let place = |i: usize| self.fraction(i as f64);
        let every = |stride: usize| {
            let named = names.iter().cloned().enumerate().step_by(stride);
            named.map(|(i, name)| (place(i), name)).collect::<Vec<_>>()
        };
        let stride = (1..names.len()).find(|s| snug(&every(*s)));
        let stride = stride.unwrap_or(names.len());
        let unnamed = (0..names.len()).filter(|i| i % stride != 0);
        Ticks {
            major: every(stride),
            minor: unnamed.map(place).collect(),
            base: None,
        }
    }

    fn fits(ticks: &[(f64, String)], length: f64, along: Along) -> bool {
        Self::fits_nearer(ticks, length, along, 0.0)
    }

    /// Whether labels keep apart that may be `nearer` to each other than usual.
    fn fits_nearer(ticks: &[(f64, String)], length: f64, along: Along, nearer: f64) -> bool {
        ticks.windows(2).all(|pair| {
            let room = (pair[1].0 - pair[0].0).abs() * length;
            room >= (along.extent(&pair[0].1) + along.extent(&pair[1].1)) / 2.0 - nearer
        })
    }

    fn linear_ticks(&self, length: f64, along: Along) -> Ticks {
        let wanted = (length / along.comfortable()).clamp(2.0, 9.0);
        let rough = (self.high - self.low).abs() / wanted;
        let ticks = self.ticks_from(rough, length, along);
        if ticks.major.len() >= FEW {
            return ticks;
        }
        let denser = self.ticks_from(rough / 2.0, length, along);
        if denser.major.len() > ticks.major.len() {
            denser
        } else {
            ticks
        }
    }

    /// Ticks at the smallest round step from `rough` on whose labels fit.
    fn ticks_from(&self, rough: f64, length: f64, along: Along) -> Ticks {
        let place = rough.log10().floor() as i32;
        let steps =
            (place..place + 3).flat_map(|e| STEPS.iter().map(move |(m, p)| (m * power(e), e + p)));
        let mut best = Ticks::default();
        for (step, last_place) in steps {
            if step < rough * (1.0 - SLACK) || (self.integer && last_place < 0) {
                continue;
            }
            let ticks = self.multiples(step, last_place);
            // One tick alone says nothing of the scale: keep the last that fitted, or had two.
            if best.major.is_empty() || ticks.major.len() >= 2 {
                best = ticks;
            }
            if Self::fits(&best.major, length, along) {
                break;
            }
        }
        if !Self::fits(&best.major, length, along) {
            best.major.truncate(1);
        }
        best
    }

    /// Ticks at the multiples of `step`.
    fn multiples(&self, step: f64, last_place: i32) -> Ticks {
        // The low end is the larger one where row 0 of a matrix is at the top.
        let (low, high) = (self.low.min(self.high), self.low.max(self.high));
        let first = (low / step - SLACK).ceil();
        let count = ((high / step + SLACK).floor() - first + 1.0).clamp(0.0, 1000.0) as usize;
        let index: Vec<f64> = (0..count).map(|i| first + i as f64).collect();
        let values: Vec<f64> = index.iter().map(|i| i * step).collect();
        let largest = low.abs().max(high.abs());
        let (texts, base) = match values.first() {
            Some(&base) if largest / step > 10_f64.powf(MAX_DIGITS) => {
                let offsets: Vec<f64> = (0..count).map(|i| i as f64 * step).collect();
                let texts = labels(&offsets, last_place)
                    .into_iter()
                    .map(|t| format!("+{t}"));
                let base = match plain(base, last_place) {
                    _ if largest >= 1e15 => format!("{base:e}"),
                    text if text.contains('.') => {
                        text.trim_end_matches('0').trim_end_matches('.').to_owned()
                    }
                    text => text,
                };
                (texts.collect(), Some(base))
            }
            _ => (labels(&values, last_place), None),
        };
        let major = values.iter().map(|v| self.share(*v)).zip(texts).collect();
        Ticks {
            major,
            minor: Vec::new(),
            base,
        }
    }

    fn log_ticks(&self, length: f64, along: Along) -> Ticks {
        let (first, last) = (
            (self.low - SLACK).ceil() as i32,
            (self.high + SLACK).floor() as i32,
        );
        if self.high - self.low < SHORT
            && let Some(ticks) = self.one_two_five(length, along)
        {
            return ticks;
        }
        let decades: Vec<i32> = (first..=last).collect();
        if decades.len() < 2 {
            return self.even_log_ticks(length, along);
        }
        // Ordinary numbers where all are short, powers of ten otherwise.
        let short = first >= -2 && last <= 3;
        let name = |e: i32| {
            if short {
                plain(power(e), e.min(0))
            } else {
                power_of_ten(e)
            }
        };
        let at = |e: i32| (self.share(f64::from(e)), name(e));
        let mut stride = 1;
        let major = loop {
            let shown: Vec<_> = decades
                .iter()
                .filter(|e| e.rem_euclid(stride) == 0)
                .map(|e| at(*e))
                .collect();
            let few = shown.len() as f64 <= (length / along.comfortable() * 1.5).max(2.0);
            if shown.len() < 2 || (few && Self::fits(&shown, length, along)) {
                break shown;
            }
            stride += 1;
        };
        let decade = length / (self.high - self.low);
        let minor = if stride == 1 {
            // The last gap, from 9 to 10, is the narrowest.
            let all = decade * (10.0_f64 / 9.0).log10() >= MINOR_GAP;
            self.between_decades(first - 1, last, if all { &ALL_MINOR } else { &FEW_MINOR })
        } else if decade >= MINOR_GAP {
            let skipped = decades.iter().filter(|e| e.rem_euclid(stride) != 0);
            skipped.map(|e| self.share(f64::from(*e))).collect()
        } else {
            Vec::new()
        };
        Ticks {
            major,
            minor,
            base: None,
        }
    }

    /// `multiples` of every power of ten from `10^first` to `10^last`, where in range.
    fn between_decades(&self, first: i32, last: i32, multiples: &[i32]) -> Vec<f64> {
        (first..=last)
            .flat_map(|e| {
                multiples
                    .iter()
                    .map(move |m| f64::from(e) + f64::from(*m).log10())
            })
            .filter(|u| (self.low..=self.high).contains(u))
            .map(|u| self.share(u))
            .collect()
    }

    /// Ticks at 1, 2 and 5 times every power of ten, if there are three or more and all fit.
    fn one_two_five(&self, length: f64, along: Along) -> Option<Ticks> {
        let (first, last) = (self.low.floor() as i32, self.high.floor() as i32);
        let rounds = (first..=last).flat_map(|e| [1, 2, 5].map(|m| (m, e)));
        let from = (self.low - SLACK).ceil() as i32;
        let name = |m: i32, e: i32| match m {
            _ if (-3..6).contains(&from) => plain(f64::from(m) * power(e), e.min(0)),
            1 => power_of_ten(e),
            _ => format!("{m}×{}", power_of_ten(e)),
        };
        let major: Vec<_> = rounds
            .map(|(m, e)| (f64::from(e) + f64::from(m).log10(), m, e))
            .filter(|(u, ..)| (self.low - SLACK..=self.high + SLACK).contains(u))
            .map(|(u, m, e)| (self.share(u), name(m, e)))
            .collect();
        (major.len() >= FEW && Self::fits(&major, length, along)).then(|| Ticks {
            major,
            minor: self.between_decades(first, last, &ALL_MINOR),
            base: None,
        })
    }

    /// Evenly spaced numbers as ticks, where there is at most one power of ten.
    fn even_log_ticks(&self, length: f64, along: Along) -> Ticks {
        let (low, high) = (10_f64.powf(self.low), 10_f64.powf(self.high));
        if low < f64::MIN_POSITIVE || !high.is_finite() {
            return Ticks::default();
        }
        let mut ticks =
            Self::exact(Scale::Linear, low, high, self.integer).linear_ticks(length, along);
        for (share, _) in &mut ticks.major {
            *share = self.fraction(low + *share * (high - low));
        }
        if !Self::fits(&ticks.major, length, along) {
            ticks.major.truncate(1);
        }
        ticks
    }
}

/// `10^exponent`, rounded correctly.
fn power(exponent: i32) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(axis: &Axis, length: f64, along: Along) -> Vec<String> {
        axis.ticks(length, along)
            .major
            .into_iter()
            .map(|(_, text)| text)
            .collect()
    }

    fn linear(low: f64, high: f64) -> Axis {
        Axis::exact(Scale::Linear, low, high, false)
    }

    fn log(low: f64, high: f64) -> Axis {
        Axis::exact(Scale::Log, low, high, false)
    }

    #[test]
    fn linear_ticks_are_round() {
        assert_eq!(
            texts(&linear(0.0, 1.0), 300.0, Along::Vertical),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            texts(&linear(-0.3, 0.35), 120.0, Along::Vertical),
            ["−0.2", "0.0", "0.2"]
        );
        assert_eq!(
            texts(&linear(0.0, 1400.0), 400.0, Along::Horizontal),
            ["0", "200", "400", "600", "800", "1000", "1200", "1400"]
        );
    }

    #[test]
    fn an_axis_that_runs_downwards_has_ticks_too() {
        let ticks = linear(9.5, -0.5).ticks(300.0, Along::Vertical);
        assert_eq!(ticks.major.first(), Some(&(0.95, "0".to_owned())));
        assert_eq!(ticks.major.len(), 5);
    }

    #[test]
    fn integers_get_integer_ticks() {
        let axis = Axis::around(Scale::Linear, [0.0, 1.0, 2.0, 3.0].iter());
        assert_eq!(texts(&axis, 600.0, Along::Vertical), ["0", "1", "2", "3"]);
        let axis = Axis::around(Scale::Linear, [4.0].iter());
        assert_eq!(texts(&axis, 600.0, Along::Vertical), ["4"]);
    }

    #[test]
    fn nearly_equal_values_are_counted_from_a_base() {
        let ticks = linear(1000.0, 1000.00001).ticks(300.0, Along::Vertical);
        assert_eq!(ticks.base.as_deref(), Some("1000"));
        assert_eq!(ticks.major[1].1, "+0.2×10⁻⁵");
    }

    #[test]
    fn log_ticks_are_decades_with_minor_ticks_between() {
        let ticks = log(1.0, 1000.0).ticks(300.0, Along::Vertical);
        let shown: Vec<&str> = ticks.major.iter().map(|t| t.1.as_str()).collect();
        assert_eq!(shown, ["1", "10", "100", "1000"]);
        assert_eq!(ticks.minor.len(), 24);
        // Where decades are short only 2 and 5, and decades without a label.
        let minor = |low, length| log(low, 1.0).ticks(length, Along::Vertical).minor.len();
        assert_eq!(minor(1e-7, 300.0), 7 * 8);
        assert_eq!(minor(1e-7, 180.0), 7 * 2);
        assert_eq!(minor(1e-20, 300.0), 10);
        assert_eq!(minor(1e-300, 300.0), 0);
        assert_eq!(
            texts(&log(1e-6, 1e-3), 300.0, Along::Vertical),
            ["10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³"]
        );
        assert_eq!(
            texts(&log(0.9, 60.0), 300.0, Along::Vertical),
            ["1", "2", "5", "10", "20", "50"]
        );
        // Powers of ten alone where the others do not fit.
        assert_eq!(texts(&log(0.9, 60.0), 80.0, Along::Vertical), ["1", "10"]);
        assert_eq!(
            texts(&log(0.9, 8.0), 300.0, Along::Vertical),
            ["1", "2", "5"]
        );
        assert_eq!(
            texts(&log(20.0, 30.0), 150.0, Along::Vertical),
            ["20", "22", "24", "26", "28", "30"]
        );
        assert_eq!(
            texts(&log(4e299, 2.2e300), 300.0, Along::Vertical),
            ["5×10²⁹⁹", "10³⁰⁰", "2×10³⁰⁰"]
        );
        assert!(texts(&log(1e-300, 1e300), 300.0, Along::Vertical).len() >= 3);
    }

    #[test]
    fn marked_ticks_are_where_they_were_asked_for() {
        let sizes = |marked: &[f64]| Axis {
            marked: marked.to_vec(),
            ..log(60.0, 2200.0)
        };
        let sixths: Vec<f64> = (5..=12).map(|k| f64::from(1 << k)).collect();
        let all = ["64", "128", "256", "512", "1024", "2048"];
        assert_eq!(texts(&sizes(&sixths), 400.0, Along::Horizontal), all);
        // Every second has a label where not all fit, and every one a tick.
        let ticks = sizes(&sixths).ticks(180.0, Along::Horizontal);
        let shown: Vec<&str> = ticks.major.iter().map(|t| t.1.as_str()).collect();
        assert_eq!(shown, ["64", "256", "1024"]);
        assert_eq!(ticks.minor.len(), 3);
        assert_eq!(
            sizes(&[1.0]).ticks(180.0, Along::Horizontal),
            Ticks::default()
        );
        let axis = Axis {
            marked: vec![0.0, 0.25, 1.0],
            ..linear(0.0, 1.0)
        };
        let shown = texts(&axis, 300.0, Along::Horizontal);
        assert_eq!(shown, ["0.00", "0.25", "1.00"]);
    }

    proptest! {
        #[test]
        fn labels_never_touch(
            a in -300.0_f64..300.0, b in -300.0_f64..300.0, negative: bool, is_log: bool,
            length in 40.0_f64..900.0, across: bool, integer: bool,
            marked in prop::collection::vec(-300.0_f64..300.0, 0..9),
        ) {
            let (x, y) = (10_f64.powf(a), 10_f64.powf(b));
            let x = if negative && !is_log { -x } else { x };
            let scale = if is_log { Scale::Log } else { Scale::Linear };
            let mut axis = Axis::around(scale, [x, y].iter());
            axis.integer = integer;
            axis.marked = marked.into_iter().map(|e| 10_f64.powf(e)).collect();
            axis.marked.sort_by(f64::total_cmp);
            let along = if across { Along::Horizontal } else { Along::Vertical };
            let ticks = axis.ticks(length, along);
            prop_assert!(Axis::fits(&ticks.major, length, along));
            for (share, _) in &ticks.major {
                prop_assert!((-1e-6..=1.0 + 1e-6).contains(share));
            }
        }

        #[test]
        fn ordinary_ranges_have_at_least_two_ticks(low in -1e5_f64..1e5, span in 1e-3_f64..1e6, length in 200.0_f64..900.0) {
            let ticks = linear(low, low + span).ticks(length, Along::Vertical);
            prop_assert!((2..=12).contains(&ticks.major.len()));
        }
    }
}
