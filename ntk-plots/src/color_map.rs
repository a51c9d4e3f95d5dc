//! The colours that numbers become.

use crate::theme::Color;

/// The ways in which a heat map turns values into colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColorMap {
    /// The map viridis: from dark blue to yellow, lightness growing evenly, also in grey print.
    #[default]
    Sequential,
    /// The map from blue through white to red, for values with a meaningful zero; see
    /// [`HeatMap::symmetric_about_zero`](crate::HeatMap::symmetric_about_zero).
    Diverging,
}

impl ColorMap {
    /// Returns the colour at `t` in 0 to 1.
    pub(crate) fn color(self, t: f64) -> Color {
        let t = t.clamp(0.0, 1.0);
        let color = match self {
            Self::Sequential => colorous::VIRIDIS.eval_continuous(t),
            Self::Diverging => colorous::RED_BLUE.eval_continuous(1.0 - t),
        };
        [color.r, color.g, color.b]
    }
}
