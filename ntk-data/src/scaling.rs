//! The numbers that pixels become.

use std::str::FromStr;

use thiserror::Error;

/// A `PixelScaling` says how a pixel `x` in `0..=255` becomes a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PixelScaling {
    /// The pixel itself, `x`, by the name `raw`.
    Raw,
    /// The pixel over the largest, `x / 255` in `[0, 1]`, by the name `unit`.
    #[default]
    Unit,
    /// The pixel centred and scaled, `(x / 255 - 0.5) / 0.5` in `[-1, 1]`, by the name `symmetric`.
    Symmetric,
}

impl PixelScaling {
    /// Every scaling there is.
    pub const ALL: [Self; 3] = [Self::Raw, Self::Unit, Self::Symmetric];

    /// Returns the name that [`FromStr`] understands.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Unit => "unit",
            Self::Symmetric => "symmetric",
        }
    }

    /// Computes the number for one pixel, in double precision.
    #[must_use]
    pub fn apply(self, pixel: u8) -> f64 {
        /// The largest pixel.
        const WHITE: f64 = u8::MAX as f64;
        let x = f64::from(pixel);
        match self {
            Self::Raw => x,
            Self::Unit => x / WHITE,
            Self::Symmetric => (x / WHITE - 0.5) / 0.5,
        }
    }
}

/// A name that no scaling has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no pixel scaling is called \"{asked}\"; ask for raw, unit or symmetric")]
pub struct UnknownScaling {
    /// The name asked for.
    pub asked: String,
}

impl FromStr for PixelScaling {
    type Err = UnknownScaling;

    fn from_str(name: &str) -> Result<Self, UnknownScaling> {
        Self::ALL
            .into_iter()
            .find(|scaling| scaling.as_str() == name)
            .ok_or_else(|| UnknownScaling {
                asked: name.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back_and_unknown_ones_list_them() {
        for scaling in PixelScaling::ALL {
            assert_eq!(scaling.as_str().parse(), Ok(scaling));
        }
        let message = "percent".parse::<PixelScaling>().unwrap_err().to_string();
        assert!(
            PixelScaling::ALL
                .iter()
                .all(|s| message.contains(s.as_str()))
        );
    }

    #[test]
    fn ends_of_the_range() {
        let ends = |s: PixelScaling| (s.apply(0), s.apply(255));
        assert_eq!(ends(PixelScaling::Raw), (0.0, 255.0));
        assert_eq!(ends(PixelScaling::Unit), (0.0, 1.0));
        assert_eq!(ends(PixelScaling::Symmetric), (-1.0, 1.0));
    }
}
