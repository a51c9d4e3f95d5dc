//! What numbers lose where they become those of the precision that a command computes in.

use crate::{Failure, progress, words};
use ntk_linalg::Real;

/// A `Narrowing` makes numbers of type `T`, and keeps the first of each kind that does not survive it.
#[derive(Default)]
pub(crate) struct Narrowing {
    /// A whole number that is rounded.
    rounded: Option<(usize, i128)>,
    /// A finite number that becomes infinite.
    beyond: Option<(usize, f64)>,
    /// A number that becomes zero, or so small that it loses digits.
    below: Option<(usize, f64)>,
    /// How many those are, and how many others are not zero.
    lost: usize,
    kept: usize,
}

impl Narrowing {
    pub(crate) fn float<T: Real>(&mut self, place: usize, value: f64) -> T {
        let near = T::of(value);
        if value.is_finite() && near.is_infinite() {
            self.beyond.get_or_insert((place, value));
        }
        if near.abs() < T::min_positive_value() && Real::to_f64(near) != value {
            self.below.get_or_insert((place, value));
            self.lost += 1;
        } else if value != 0.0 {
            self.kept += 1;
        }
        near
    }

    pub(crate) fn whole<T: Real>(&mut self, place: usize, value: i128) -> T {
        let near = T::of(value as f64);
        if Real::to_f64(near) as i128 != value {
            self.rounded.get_or_insert((place, value));
        }
        near
    }

    /// Refuses what would change the numbers of `name`, and warns where some of them are too small;
    /// `index` gives the entry at a place.
    pub(crate) fn check<T: Real>(
        self,
        name: &str,
        index: impl Fn(usize) -> Vec<usize>,
    ) -> Result<(), Failure> {
        let precision = T::NAME;
        let single = precision == <f32 as Real>::NAME;
        if let Some((place, value)) = self.rounded {
            let other = if single {
                "ask for --precision f64, or "
            } else {
                ""
            };
            return Err(format!(
                "{name}: entry {:?} is the whole number {value}, which {precision} would round; \
                 {other}where that does no harm convert it by x.astype(\"float{}\")",
                index(place),
                8 * size_of::<T>()
            )
            .into());
        }
        if let Some((place, value)) = self.beyond {
            return Err(format!(
                "{name}: entry {:?} is {value:e}, beyond {precision}; ask for --precision f64",
                index(place)
            )
            .into());
        }
        let Some((place, value)) = self.below else {
            return Ok(());
        };
        let found = format!(
            "{name}: {} of {} other than zero, the first {value:e} at {:?}, would become zero or lose \
             digits in {precision}; ask for --precision f64",
            self.lost,
            words::count(self.lost + self.kept, "number"),
            index(place),
        );
        if self.kept == 0 {
            return Err(found.into());
        }
        progress::tell(&words::escaped(&format!("warning: {found}"), false));
        Ok(())
    }
}
