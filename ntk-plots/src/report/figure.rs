//! Figures on the page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::Error;
use crate::figure::Figure;
use crate::theme::{MARGIN, PANEL_WIDTHS};

/// The length in bytes beyond which an SVG is embedded as PNG instead.
const MAX_SVG: usize = 300_000;

/// A `ReportFigure` is a figure on the page.
#[derive(Clone, Debug)]
pub struct ReportFigure {
    /// The text below the figure, which is also what a screen reader says.
    pub caption: String,
    /// The label and address, relative to the page, of the files with its numbers and pictures.
    pub links: Vec<(String, String)>,
    /// The picture as the address of an `img`.
    pub(super) address: String,
    /// The width in nominal pixels, which is shown whatever number of pixels the picture has.
    pub(super) width: Option<f64>,
}

impl ReportFigure {
    /// Draws the figure: as SVG, or as PNG if the SVG would be longer than 300 kB.
    ///
    /// # Errors
    /// Those of [`Figure::svg`] and [`Figure::png`].
    pub fn new(caption: impl Into<String>, figure: &Figure) -> Result<Self, Error> {
        Self::drawn(caption, figure.svg()?, || figure.png())
    }

    /// Takes a figure that was drawn before: the SVG, or the PNG if the SVG is longer than 300 kB.
    ///
    /// # Errors
    /// Those of `png`, which is called only then.
    pub fn drawn<E>(
        caption: impl Into<String>,
        svg: String,
        png: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        let width = svg
            .split_once(" width=\"")
            .and_then(|(_, rest)| rest.split_once('"'));
        let width = width.and_then(|(width, _)| width.parse().ok());
        let (kind, bytes) = match svg.len() {
            ..=MAX_SVG => ("svg+xml", svg.into_bytes()),
            _ => ("png", png()?),
        };
        Ok(Self {
            caption: caption.into(),
            links: Vec::new(),
            address: format!("data:image/{kind};base64,{}", STANDARD.encode(bytes)),
            width,
        })
    }

    /// Tells whether it is wider than a figure of one panel, so that two do not fit beside each other.
    pub(super) fn is_wide(&self) -> bool {
        self.width
            .is_some_and(|w| w > PANEL_WIDTHS[0] + 2.0 * MARGIN)
    }
}
