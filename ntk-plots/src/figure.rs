//! A figure: panels in a grid, saved as PNG, SVG and CSV.

use std::path::Path;

use crate::axis::frame::Insets;
use crate::chart::{self, Panel};
use crate::csv::CsvFile;
use crate::error::PlotError;
use crate::files;
use crate::raster;
use crate::scene::{Rect, Scene, Text};
use crate::svg;
use crate::text;
use crate::theme::*;

/// Panels in a grid, with a title above and a note below.
#[derive(Clone, Debug)]
pub struct Figure {
    panels: Vec<Panel>,
    columns: usize,
    panel_width: Option<f64>,
    title: String,
    note: String,
}

impl Figure {
    /// A figure with the panels in one row.
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

    /// Panels in a row (at least one).
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = columns.clamp(1, self.panels.len().max(1));
        self
    }

    /// Width of each panel in nominal pixels, from 160 to 2000; by default what suits the number
    /// of columns. The PNG has two pixels for each.
    pub fn panel_width(mut self, width: u32) -> Self {
        self.panel_width = Some(f64::from(width.clamp(160, 2000)));
        self
    }

    /// A title over all panels.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// A small line at the foot of the figure; says where the data comes from.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// The figure as a PNG of twice its nominal size.
    ///
    /// # Errors
    /// See [`PlotError`]: no panels, a panel that cannot be drawn, or more than four million
    /// nominal pixels.
    pub fn png(&self) -> Result<Vec<u8>, PlotError> {
        raster::draw(&self.scene()?)
    }

    /// The figure as an SVG document that scales.
    ///
    /// # Errors
    /// As [`png`](Self::png).
    pub fn svg(&self) -> Result<String, PlotError> {
        svg::draw(&self.scene()?)
    }

    /// The numbers behind the figure: one table `panel,series,x,y` for all line charts (the ends of
    /// bands are series `(low)` and `(high)`, those of error bars `(bar low)` and `(bar high)`), and a
    /// matrix for each heat map (six significant digits; at most 512 rows and columns, larger
    /// ones as means over blocks, which a first line starting with `#` then says). Images have
    /// none. The panel's title is part of a matrix's file name, unless the figure has no other
    /// numbers.
    pub fn csv(&self) -> Vec<CsvFile> {
        chart::csv(&self.panels)
    }

    /// Writes `stem.png`, `stem.svg`, and for each of [`csv`](Self::csv) a file, into `dir`,
    /// which is made if it is missing. Every file is written beside its place and renamed, so
    /// that an interruption leaves the old file or none.
    ///
    /// # Errors
    /// As [`png`](Self::png); also a stem that is not a plain file name, or a failure to write.
    pub fn save(&self, dir: &Path, stem: &str) -> Result<(), PlotError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if stem.is_empty() || stem.starts_with('.') || !stem.chars().all(plain) {
            return Err(PlotError::Stem {
                stem: stem.to_owned(),
            });
        }
        let scene = self.scene()?;
        let (png, svg) = (raster::draw(&scene)?, svg::draw(&scene)?);
        files::write(dir, &format!("{stem}.png"), &png)?;
        files::write(dir, &format!("{stem}.svg"), svg.as_bytes())?;
        for file in self.csv() {
            files::write(
                dir,
                &format!("{stem}{}.csv", file.suffix),
                file.text.as_bytes(),
            )?;
        }
        Ok(())
    }

    /// Lays the figure out.
    pub(crate) fn scene(&self) -> Result<Scene, PlotError> {
        if self.panels.is_empty() {
            return Err(PlotError::NoPanels);
        }
        for panel in &self.panels {
            panel.chart().check()?;
        }
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

/// Rounds of alignment: space taken in the first may thin out ticks, and so change labels.
const ROUNDS: usize = 2;

/// The height of a row of panels `width` wide, and for each panel the space around its plot that
/// makes the plots of one family line up, and the tops of all.
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
