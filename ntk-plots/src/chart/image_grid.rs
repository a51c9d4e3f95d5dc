//! The chart of small pictures in rows, with captions.

use ndarray::Array2;

use super::{Chart, ChartCsv, Family};
use crate::axis::frame::Insets;
use crate::error::Error;
use crate::scene::{Anchor, Pixels, Rect, Scene, Stroke, Text};
use crate::series::check_values;
use crate::text;
use crate::theme::*;

const SPACE: f64 = 6.0;
const CAPTION_LINES: usize = 2;
/// The width of the widest picture, however few there are.
const MAX_WIDTH: f64 = 120.0;
/// The slack for pixels that rounding put just outside 0 to 1.
const SLACK: f64 = 1e-6;

/// An `ImageGrid` is grey pictures, each with a caption below. Pixels are drawn with hard edges.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageGrid {
    title: String,
    images: Vec<Array2<f64>>,
    captions: Vec<String>,
    columns: usize,
}

impl ImageGrid {
    /// Takes pictures of shape (height, width), 0 black to 1 white, eight to a row.
    pub fn new(title: impl Into<String>, images: Vec<Array2<f64>>) -> Self {
        Self {
            title: title.into(),
            images,
            captions: Vec::new(),
            columns: 8,
        }
    }

    /// Sets one caption for each picture.
    pub fn captions(mut self, captions: Vec<String>) -> Self {
        self.captions = captions;
        self
    }

    /// Sets the number of pictures in a row (at least one).
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = columns.max(1);
        self
    }

    /// Computes the width of a cell, the height of its picture, the height of its caption.
    fn cell(&self, width: f64) -> [f64; 3] {
        let columns = self.columns.min(self.images.len().max(1)) as f64;
        let w = ((width + SPACE) / columns - SPACE).clamp(4.0, MAX_WIDTH);
        let tallest = self
            .images
            .iter()
            .map(|i| i.nrows() as f64 / i.ncols().max(1) as f64);
        let h = w * tallest.fold(0.0, f64::max).clamp(0.1, 4.0);
        let lines = self
            .captions
            .iter()
            .map(|c| text::wrap(c, NOTE, false, w, CAPTION_LINES).len());
        let caption = text::height(lines.max().unwrap_or(0), NOTE);
        [w, h, if caption > 0.0 { caption + 3.0 } else { 0.0 }]
    }

    fn heading(&self, width: f64) -> Vec<String> {
        text::wrap(&self.title, TITLE, true, width, 2)
    }

    fn top(&self, width: f64) -> f64 {
        let lines = self.heading(width).len();
        if lines == 0 {
            0.0
        } else {
            text::height(lines, TITLE) + GAP
        }
    }
}

fn pixels(image: &Array2<f64>) -> Pixels {
    let (height, width) = image.dim();
    let gray = image
        .iter()
        .map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8);
    Pixels {
        width,
        height,
        rgb: gray.flat_map(|g| [g; 3]).collect(),
    }
}

impl Chart for ImageGrid {
    fn title(&self) -> &str {
        &self.title
    }

    fn family(&self) -> Family {
        Family::Pictures
    }

    fn check(&self) -> Result<(), Error> {
        let panel = || self.title.clone();
        if self.images.is_empty() || self.images.iter().any(Array2::is_empty) {
            return Err(Error::NoData {
                panel: panel(),
                needs: "image, none of them empty",
            });
        }
        let (images, captions) = (self.images.len(), self.captions.len());
        if captions != 0 && captions != images {
            return Err(Error::Captions {
                panel: panel(),
                images,
                captions,
            });
        }
        for (i, image) in self.images.iter().enumerate() {
            check_values(&self.title, || format!("image {i}"), image)?;
            let outside = |v: &&f64| !(-SLACK..=1.0 + SLACK).contains(*v);
            if let Some(&value) = image.iter().find(outside) {
                return Err(Error::Pixel {
                    panel: panel(),
                    image: i,
                    value,
                });
            }
        }
        Ok(())
    }

    fn height(&self, width: f64, _: Insets) -> f64 {
        let [_, h, caption] = self.cell(width);
        let rows = self.images.len().div_ceil(self.columns) as f64;
        (self.top(width) + rows * (h + caption + SPACE)).ceil()
    }

    fn draw(&self, outer: Rect, _: Insets, scene: &mut Scene) {
        let heading = Text::new("", outer.x, 0.0, TITLE).bold();
        scene.lines(&self.heading(outer.w), outer.y, &heading);
        let top = outer.y + self.top(outer.w);
        let [w, h, caption] = self.cell(outer.w);
        for (i, image) in self.images.iter().enumerate() {
            let (row, column) = ((i / self.columns) as f64, (i % self.columns) as f64);
            let (x, y) = (
                outer.x + column * (w + SPACE),
                top + row * (h + caption + SPACE),
            );
            // Smaller than the cell where the picture's shape differs from the tallest.
            let own = w * image.nrows() as f64 / image.ncols() as f64;
            let scale = (h / own).min(1.0);
            let (iw, ih) = (w * scale, own * scale);
            let place = Rect::new(x + (w - iw) / 2.0, y + (h - ih) / 2.0, iw, ih);
            scene.image(place, pixels(image));
            scene.frame(place, Stroke::solid(GRID, GRID_WIDTH));
            if let Some(words) = self.captions.get(i) {
                let like = Text::new("", x + w / 2.0, 0.0, NOTE)
                    .anchor(Anchor::Middle)
                    .color(SOFT_INK);
                scene.lines(
                    &text::wrap(words, NOTE, false, w, CAPTION_LINES),
                    y + h + 2.0,
                    &like,
                );
            }
        }
    }

    fn csv(&self) -> ChartCsv {
        ChartCsv::None
    }
}
