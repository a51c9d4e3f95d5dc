//! The two measures that are said to lie between 0 and 1.

use super::Pair;

/// A measure of what two classes share, over what it is said to be at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ratio {
    /// `2 I / (S(X) + S(Y))`, the notebook's.
    Information,
    /// `chi / H2(p)`.
    Holevo,
}

impl Ratio {
    pub(super) const BOTH: [Self; 2] = [Self::Information, Self::Holevo];

    /// As in `results.json`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Information => "normalized",
            Self::Holevo => "chi_normalized",
        }
    }

    /// As axes write it.
    pub(super) fn formula(self) -> &'static str {
        match self {
            Self::Information => "2 I / (S(X) + S(Y))",
            Self::Holevo => "χ / H₂(p)",
        }
    }

    /// None where it divides by zero.
    pub(super) fn of(self, pair: &Pair) -> Option<f64> {
        match self {
            Self::Information => pair.normalized(),
            Self::Holevo => pair.chi_normalized(),
        }
    }
}
