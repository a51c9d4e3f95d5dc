//! The report: every experiment on one HTML page that needs nothing beside itself.
//!
//! ```
//! use ntk_plots::report::{Experiment, Report, Row};
//!
//! let experiment = Experiment {
//!     name: "shallow-relu".into(),
//!     question: "How small is the smallest eigenvalue of the Gram matrix?".into(),
//!     table: vec![Row {
//!         quantity: "smallest eigenvalue".into(),
//!         place: vec![("n".into(), "100".into())],
//!         printed: "23.512".into(),
//!         ours: "23.511".into(),
//!         difference: "\u{2212}0.004 %".into(),
//!         note: "printed in single precision".into(),
//!     }],
//!     ..Experiment::default()
//! };
//! let report = Report { title: "Reproductions".into(), experiments: vec![experiment], ..Report::default() };
//! assert!(report.html().starts_with("<!doctype html>"));
//! ```

mod page;
mod pairs;
mod table;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::csv::slug;
use crate::error::PlotError;
use crate::figure::Figure;
use crate::theme::{MARGIN, PANEL_WIDTHS};

/// An SVG longer than this is embedded as PNG instead, in bytes.
const MAX_SVG: usize = 300_000;

/// The whole page. All texts are plain: whatever they hold is escaped.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Heading of the page.
    pub title: String,
    /// What the page is, in a few sentences; a blank line starts a new paragraph.
    pub intro: String,
    /// The experiments, in the order of the page. What their environments share is also said once
    /// at the top.
    pub experiments: Vec<Experiment>,
}

/// One experiment of the report.
#[derive(Clone, Debug, Default)]
pub struct Experiment {
    /// Short name; also the anchor of its section.
    pub name: String,
    /// What was asked.
    pub question: String,
    /// Name and value of what to see first: scale, data, time. Each name is a column of the
    /// overview at the top of the page, and the values also stand below the question.
    pub summary: Vec<(String, String)>,
    /// Where the data comes from, in words.
    pub source_line: String,
    /// Whether it is the embedded sample instead of the full data set: shown as a warning.
    pub embedded: bool,
    /// SHA-256 of the data, if there is any.
    pub sha256: String,
    /// The figures, in order.
    pub figures: Vec<ReportFigure>,
    /// What the notebook printed and what we get. Rows without a printed value follow, in one
    /// table for each quantity.
    pub table: Vec<Row>,
    /// Name and value of every setting. A value that is a JSON object is shown as a list of its
    /// fields, and an array as its elements, the inner ones of an arithmetic progression left out.
    pub settings: Vec<(String, String)>,
    /// Name and duration of every step, with its unit.
    pub timings: Vec<(String, String)>,
    /// Name and value: version, revision, machine, threads.
    pub environment: Vec<(String, String)>,
    /// Label and address, relative to the page, of the files with the numbers.
    pub links: Vec<(String, String)>,
}

/// One line of an experiment's table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// What was measured.
    pub quantity: String,
    /// For which size, class or time: names and values.
    pub place: Vec<(String, String)>,
    /// What the notebook printed; empty if nothing.
    pub printed: String,
    /// What we get.
    pub ours: String,
    /// By how much ours differs from what was printed, relative to that; empty if unknown.
    pub difference: String,
    /// Why they differ, or what else to know.
    pub note: String,
}

/// A figure on the page.
#[derive(Clone, Debug)]
pub struct ReportFigure {
    /// The text below it; also what a screen reader says.
    pub caption: String,
    /// The picture.
    pub image: FigureImage,
    /// Label and address, relative to the page, of the files with its numbers and pictures.
    pub links: Vec<(String, String)>,
}

/// A picture to embed.
#[derive(Clone, Debug)]
pub enum FigureImage {
    /// An SVG document.
    Svg(String),
    /// The bytes of a PNG file.
    Png(Vec<u8>),
}

impl Report {
    /// The page: self-contained (styles, script and figures are inside, and its own content
    /// security policy forbids loading anything), light and dark.
    pub fn html(&self) -> String {
        page::page(self)
    }
}

impl Experiment {
    /// The anchor of its section: letters, digits and `-`.
    pub(crate) fn anchor(&self, index: usize) -> String {
        match slug(&self.name) {
            empty if empty.is_empty() => format!("experiment-{}", index + 1),
            // `dark` and `light` choose the theme; the others are the page's.
            name if matches!(
                name.as_str(),
                "dark" | "light" | "top" | "main" | "overview" | "environment" | "theme" | "zoom"
            ) =>
            {
                format!("{name}-{}", index + 1)
            }
            name => name,
        }
    }
}

impl ReportFigure {
    /// Draws the figure: as SVG, or as PNG if the SVG would be longer than 300 kB.
    ///
    /// # Errors
    /// As [`Figure::svg`] and [`Figure::png`].
    pub fn new(caption: impl Into<String>, figure: &Figure) -> Result<Self, PlotError> {
        let image = FigureImage::to_embed(figure.svg()?, || figure.png())?;
        Ok(Self {
            caption: caption.into(),
            image,
            links: Vec::new(),
        })
    }
}

impl FigureImage {
    /// The SVG, or the PNG of the same figure if the SVG is longer than 300 kB.
    ///
    /// # Errors
    /// Those of `png`, which is called only then.
    pub fn to_embed<E>(svg: String, png: impl FnOnce() -> Result<Vec<u8>, E>) -> Result<Self, E> {
        if svg.len() <= MAX_SVG {
            Ok(Self::Svg(svg))
        } else {
            png().map(Self::Png)
        }
    }

    /// Whether it is wider than a figure of one panel, so that two do not fit beside each other.
    pub(crate) fn is_wide(&self) -> bool {
        self.width()
            .is_some_and(|w| w > PANEL_WIDTHS[0] + 2.0 * MARGIN)
    }

    /// Width in nominal pixels, if the picture says so where the crate's own figures do.
    pub(crate) fn width(&self) -> Option<f64> {
        match self {
            Self::Svg(text) => {
                let (head, _) = text.split_once('>')?;
                let (_, width) = head.split_once(" width=\"")?;
                width.split_once('"')?.0.parse().ok()
            }
            // Four bytes at the head of the first chunk; two pixels for each nominal one.
            Self::Png(bytes) => {
                let width = bytes.get(16..20)?.try_into().ok()?;
                Some(f64::from(u32::from_be_bytes(width)) / 2.0)
            }
        }
    }

    /// As the address of an `img`.
    pub(crate) fn data_uri(&self) -> String {
        match self {
            Self::Svg(text) => format!("data:image/svg+xml;base64,{}", STANDARD.encode(text)),
            Self::Png(bytes) => format!("data:image/png;base64,{}", STANDARD.encode(bytes)),
        }
    }
}
