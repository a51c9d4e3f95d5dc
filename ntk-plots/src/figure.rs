//! A figure: panels in a grid, saved as PNG, SVG and CSV.

use std::path::Path;

use crate::axis::frame::Insets;
use crate::chart::{self, Panel};
use crate::csv::CsvFile;
use crate::error::Error;
use crate::files;
use crate::raster;
use crate::scene::{Rect, Scene, Text};
use crate::svg;
use crate::text;
use crate::theme::*;

/// A `Figure` is panels in a grid, with a title above and a note below.
///
/// ```
/// use ndarray::array;
/// use ntk_plots::{Figure, HeatMap, LineChart, Series};
///
/// let loss = LineChart::new("Loss").series(Series::new("", [0.0, 1.0, 2.0], [1.0, 0.4, 0.1]));
/// let kernel = HeatMap::new("Kernel", array![[2.0, 1.0], [1.0, 2.0]]);
/// let figure = Figure::new(vec![loss.into(), kernel.into()]).title("A training").columns(2);
/// let svg: String = figure.svg()?;
/// let png: Vec<u8> = figure.png()?;
/// assert!(svg.starts_with("<svg") && png.starts_with(b"\x89PNG"));
/// # Ok::<(), ntk_plots::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Figure {
    panels: Vec<Panel>,
    columns: usize,
    panel_width: Option<f64>,
    title: String,
    note: String,
}

impl Figure {
    /// Makes a figure with the panels in one row.
    pub fn new(panels: Vec<Panel>) -> Self {
        let columns = panels.len().max(1);
        Self {
            panels,
            columns,
            panel_width: None,
            title: String::new(),
            note: String::new(),
        }
    }

    /// Sets the number of panels in a row (at least one).
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = columns.clamp(1, self.panels.len().max(1));
        self
    }

    /// Sets the width of each panel in nominal pixels, from 160 to 2000; by default what suits the
    /// number of columns. The PNG has two pixels for each.
    pub fn panel_width(mut self, width: u32) -> Self {
        self.panel_width = Some(f64::from(width.clamp(160, 2000)));
        self
    }

    /// Sets a title over all panels.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Sets a small line at the foot of the figure, which says where the data come from.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Draws the figure as a PNG of twice its nominal size.
    ///
    /// # Errors
    /// [`Error`] for no panels, a panel that cannot be drawn, or more than four million nominal
    /// pixels.
    pub fn png(&self) -> Result<Vec<u8>, Error> {
        raster::draw(&self.scene()?)
    }

    /// Draws the figure as an SVG document that scales.
    ///
    /// # Errors
    /// Those of [`png`](Self::png).
    pub fn svg(&self) -> Result<String, Error> {
        svg::draw(&self.scene()?)
    }

    /// Returns the numbers behind the figure: one table `panel,series,x,y` for all line charts (the
    /// ends of bands are series `(low)` and `(high)`, those of error bars `(bar low)` and `(bar
    /// high)`), and a matrix for each heat map (six significant digits; at most 512 rows and
    /// columns, larger ones as means over blocks, which a first line starting with `#` then says).
    /// Images have none. The panel's title is part of a matrix's file name, unless the figure has
    /// no other numbers.
    ///
    /// # Errors
    /// [`Error`] for a panel that cannot be drawn.
    pub fn csv(&self) -> Result<Vec<CsvFile>, Error> {
        self.check()?;
        Ok(chart::csv(&self.panels))
    }

    fn check(&self) -> Result<(), Error> {
        let mut panels = self.panels.iter();
        panels.try_for_each(|panel| panel.chart().check())
    }

    /// Writes `stem.png`, `stem.svg`, and for each of [`csv`](Self::csv) a file, into `dir`,
    /// which is made if it is missing. Every file is written beside its place and renamed, so
    /// that an interruption leaves the old file or none.
    ///
    /// # Errors
    /// Those of [`png`](Self::png); also a stem that is not a plain file name, or a failure to write.
    pub fn save(&self, dir: impl AsRef<Path>, stem: &str) -> Result<(), Error> {
        let dir = dir.as_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if stem.is_empty() || stem.starts_with('.') || !stem.chars().all(plain) {
            return Err(Error::Stem {
                stem: stem.to_owned(),
            });
        }
        let scene = self.scene()?;
        let (png, svg) = (raster::draw(&scene)?, svg::draw(&scene)?);
        files::write(dir, &format!("{stem}.png"), &png)?;
        files::write(dir, &format!("{stem}.svg"), svg.as_bytes())?;
        for file in chart::csv(&self.panels) {
            files::write(
                dir,
                &format!("{stem}{}.csv", file.suffix),
                file.text.as_bytes(),
            )?;
        }
        Ok(())
    }

    /// Lays the figure out.
    pub(crate) fn scene(&self) -> Result<Scene, Error> {
        if self.panels.is_empty() {
            return Err(Error::NoPanels);
        }
        self.check()?;
        let w = self
            .panel_width
            .unwrap_or(PANEL_WIDTHS[(self.columns - 1).min(2)]);
        let columns = self.columns as f64;
        let inner = columns * w + (columns - 1.0) * GUTTER;
        let mut scene = Scene {
            width: inner + 2.0 * MARGIN,
            ..Scene::default()
        };
        let titles = self
            .panels
            .iter()
            .map(|p| p.chart().title())
            .filter(|t| !t.is_empty());
        let all: Vec<&str> = [self.title.as_str()]
            .into_iter()
            .filter(|t| !t.is_empty())
            .chain(titles)
            .collect();
        scene.name = all.join("; ");

        let title = text::wrap(&self.title, FIGURE_TITLE, true, inner, 2);
        let like = Text::new("", MARGIN, 0.0, FIGURE_TITLE).bold();
        let mut y = scene.lines(&title, MARGIN, &like);
        if !title.is_empty() {
            y += GAP;
        }
        for (row, panels) in self.panels.chunks(self.columns).enumerate() {
            if row > 0 {
                y += GUTTER;
            }
            let (h, insets) = aligned(panels, w);
            for (column, (panel, least)) in panels.iter().zip(insets).enumerate() {
                let x = MARGIN + column as f64 * (w + GUTTER);
                let outer = Rect::new(x, y, w, h);
                panel.chart().draw(outer, least, &mut scene);
            }
            y += h;
        }
        let note = text::wrap(&self.note, NOTE, false, inner, 3);
        if !note.is_empty() {
            y += GAP;
        }
        y = scene.lines(&note, y, &Text::new("", MARGIN, 0.0, NOTE).color(SOFT_INK));
        scene.height = (y + MARGIN).ceil();
        scene.width = scene.width.ceil();
        Ok(scene)
    }
}

/// The rounds of alignment: space taken in the first may thin out ticks, and so change labels.
const ROUNDS: usize = 2;

/// Computes the height of a row of panels `width` wide, and for each panel the space around its
/// plot that makes the plots of one family line up, and the tops of all.
fn aligned(panels: &[Panel], width: f64) -> (f64, Vec<Insets>) {
    let height = |least: &[Insets]| {
        let heights = panels.iter().zip(least);
        heights
            .map(|(p, least)| p.chart().height(width, *least))
            .fold(0.0, f64::max)
    };
    let mut least = vec![Insets::default(); panels.len()];
    if panels.len() > 1 {
        for _ in 0..ROUNDS {
            let outer = Rect::new(0.0, 0.0, width, height(&least));
            let needed: Vec<(_, Insets)> = (panels.iter().zip(&least))
                .map(|(p, least)| (p.chart().family(), p.chart().insets(outer, *least)))
                .collect();
            for (panel, least) in panels.iter().zip(&mut least) {
                let same = needed
                    .iter()
                    .filter(|(family, _)| *family == panel.chart().family());
                *least = same.fold(*least, |all, (_, insets)| all.max(*insets));
                least.top = needed.iter().map(|(_, i)| i.top).fold(least.top, f64::max);
            }
        }
    }
    (height(&least), least)
}
