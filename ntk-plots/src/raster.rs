//! A scene as PNG: drawn large by plotters' rasteriser, then averaged down.

use plotters::prelude::{BitMapBackend, DrawingBackend, RGBColor, ShapeStyle};

use crate::error::Error;
use crate::scene::{Pixels, Point, Rect, Scene, Shape, Stroke, Text};
use crate::text;
use crate::theme::{Color, PAPER};

/// Pixels of the PNG per nominal pixel: two, for screens that have them.
pub(crate) const OUTPUT: usize = 2;
/// Side of the box that is averaged to one pixel. plotters takes whole coordinates; three to a
/// pixel leave an error of a sixth of a pixel, below what shows as a wobble.
const BOX: usize = 3;
/// Pixels of the drawing per nominal pixel.
const SCALE: usize = OUTPUT * BOX;
/// Corners of a disc that looks round.
pub(crate) const DISC_CORNERS: u32 = 20;
/// Nominal pixels in the largest figure: about 430 MB while it is drawn.
pub(crate) const MAX_AREA: u64 = 4_000_000;

/// Draws the scene and encodes it.
pub(crate) fn draw(scene: &Scene) -> Result<Vec<u8>, Error> {
    let (width, height) = (scene.width.ceil() as u64, scene.height.ceil() as u64);
    if width.saturating_mul(height) > MAX_AREA {
        return Err(Error::Canvas {
            width,
            height,
            limit: MAX_AREA,
        });
    }
    let (w, h) = (width as usize * SCALE, height as usize * SCALE);
    let mut buffer = vec![PAPER[0]; w * h * 3];
    {
        let backend = BitMapBackend::with_buffer(&mut buffer, (w as u32, h as u32));
        let mut canvas = Canvas { backend };
        for shape in &scene.shapes {
            canvas.shape(shape).map_err(Error::Raster)?;
        }
        canvas
            .backend
            .present()
            .map_err(|e| Error::Raster(e.into()))?;
    }
    encode(&average(&buffer, w, h))
}

/// Encodes a picture as an RGB PNG.
pub(crate) fn encode(pixels: &Pixels) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, pixels.width as u32, pixels.height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels.rgb)?;
    writer.finish()?;
    Ok(out)
}

/// Means over boxes of `BOX` by `BOX` pixels.
fn average(buffer: &[u8], w: usize, h: usize) -> Pixels {
    let (width, height) = (w / BOX, h / BOX);
    let mut rgb = Vec::with_capacity(width * height * 3);
    let mut sums = vec![0_u32; width * 3];
    for rows in buffer.chunks_exact(w * 3 * BOX) {
        sums.fill(0);
        for row in rows.chunks_exact(w * 3) {
            for (sum, block) in sums.chunks_exact_mut(3).zip(row.chunks_exact(3 * BOX)) {
                for pixel in block.chunks_exact(3) {
                    for (s, &p) in sum.iter_mut().zip(pixel) {
                        *s += u32::from(p);
                    }
                }
            }
        }
        let count = (BOX * BOX) as u32;
        rgb.extend(sums.iter().map(|s| ((s + count / 2) / count) as u8));
    }
    Pixels { width, height, rgb }
}

/// The error type of plotters' backend, which plotters does not name in public.
type RasterError = Box<dyn std::error::Error + Send + Sync>;

struct Canvas<'a> {
    backend: BitMapBackend<'a>,
}

/// A nominal coordinate in pixels of the drawing.
fn px(value: f64) -> i32 {
    (value * SCALE as f64).round() as i32
}

fn style(color: Color, opacity: f64) -> ShapeStyle {
    let [r, g, b] = color;
    ShapeStyle {
        color: plotters::style::Color::mix(&RGBColor(r, g, b), opacity),
        filled: true,
        stroke_width: 1,
    }
}

impl Canvas<'_> {
    fn shape(&mut self, shape: &Shape) -> Result<(), RasterError> {
        match shape {
            Shape::Line { points, stroke } => self.line(points, stroke),
            Shape::Polygon {
                points,
                fill,
                opacity,
            } => self.polygon(points, *fill, *opacity),
            Shape::Rect {
                rect,
                fill,
                opacity,
            } => self.rect(*rect, *fill, *opacity),
            Shape::Image { rect, pixels } => self.image(*rect, pixels),
            Shape::Text(text) => self.text(text),
        }
    }

    fn polygon(&mut self, points: &[Point], fill: Color, opacity: f64) -> Result<(), RasterError> {
        let points = points.iter().map(|[x, y]| (px(*x), px(*y)));
        Ok(self.backend.fill_polygon(points, &style(fill, opacity))?)
    }

    fn rect(&mut self, r: Rect, fill: Color, opacity: f64) -> Result<(), RasterError> {
        let (from, to) = ((px(r.x), px(r.y)), (px(r.right()), px(r.bottom())));
        if from.0 >= to.0 || from.1 >= to.1 {
            return Ok(());
        }
        Ok(self
            .backend
            .draw_rect(from, to, &style(fill, opacity), true)?)
    }

    /// Each segment is a rectangle, each joint a disc: a whole thick path as one polygon, as
    /// plotters draws it, leaves holes where it crosses itself.
    fn line(&mut self, points: &[Point], stroke: &Stroke) -> Result<(), RasterError> {
        let pieces = match stroke.dash {
            Some((on, off)) => dashes(points, on, off),
            None => vec![points.to_vec()],
        };
        for piece in &pieces {
            for pair in piece.windows(2) {
                self.segment(pair[0], pair[1], stroke)?;
            }
            for joint in piece.iter().skip(1).rev().skip(1) {
                let disc = disc(*joint, stroke.width / 2.0, DISC_CORNERS);
                self.polygon(&disc, stroke.color, 1.0)?;
            }
        }
        Ok(())
    }

    fn segment(&mut self, a: Point, b: Point, stroke: &Stroke) -> Result<(), RasterError> {
        let half = stroke.width / 2.0;
        let d = [b[0] - a[0], b[1] - a[1]];
        let length = d[0].hypot(d[1]);
        if length == 0.0 {
            return Ok(());
        }
        if d[0] == 0.0 || d[1] == 0.0 {
            let along = if d[0] == 0.0 {
                [half, 0.0]
            } else {
                [0.0, half]
            };
            let (x, y) = (a[0].min(b[0]) - along[0], a[1].min(b[1]) - along[1]);
            let rect = Rect::new(
                x,
                y,
                d[0].abs() + 2.0 * along[0],
                d[1].abs() + 2.0 * along[1],
            );
            return self.rect(rect, stroke.color, 1.0);
        }
        let n = [-d[1] / length * half, d[0] / length * half];
        let corners = [
            [a[0] + n[0], a[1] + n[1]],
            [b[0] + n[0], b[1] + n[1]],
            [b[0] - n[0], b[1] - n[1]],
            [a[0] - n[0], a[1] - n[1]],
        ];
        self.polygon(&corners, stroke.color, 1.0)
    }

    fn image(&mut self, r: Rect, pixels: &Pixels) -> Result<(), RasterError> {
        let (x0, y0) = (px(r.x), px(r.y));
        let (w, h) = (
            (px(r.right()) - x0) as usize,
            (px(r.bottom()) - y0) as usize,
        );
        let mut rgb = Vec::with_capacity(w * h * 3);
        for y in 0..h {
            let row = y * pixels.height / h;
            for x in 0..w {
                let at = 3 * (row * pixels.width + x * pixels.width / w);
                rgb.extend_from_slice(&pixels.rgb[at..at + 3]);
            }
        }
        Ok(self
            .backend
            .blit_bitmap((x0, y0), (w as u32, h as u32), &rgb)?)
    }

    fn text(&mut self, t: &Text) -> Result<(), RasterError> {
        let scale = SCALE as f64;
        let start = t.start() * scale;
        let (x, y) = (t.x * scale, t.y * scale);
        // The text's own axes start at the integer part; the fraction shifts the glyphs.
        let (left, base) = if t.upright { (-y, x) } else { (x, y) };
        let left = left + start;
        let origin = [left - left.floor(), base - base.floor()];
        let (left, base) = (left.floor() as i32, base.floor() as i32);
        let mut result = Ok(());
        text::rasterize(
            &t.text,
            t.size * scale,
            t.bold,
            origin,
            |dx, dy, coverage| {
                let (u, v) = (left + dx, base + dy);
                let at = if t.upright { (v, -u - 1) } else { (u, v) };
                if result.is_ok() && coverage > 0.0 {
                    let color = style(t.color, coverage).color;
                    result = self
                        .backend
                        .draw_pixel(at, plotters::style::Color::to_backend_color(&color));
                }
            },
        );
        Ok(result?)
    }
}

/// A disc as a polygon.
pub(crate) fn disc(center: Point, radius: f64, corners: u32) -> Vec<Point> {
    let corner = |i| {
        let (sin, cos) = (f64::from(i) * std::f64::consts::TAU / f64::from(corners)).sin_cos();
        [center[0] + radius * cos, center[1] + radius * sin]
    };
    (0..corners).map(corner).collect()
}

/// Cuts a path into dashes of length `on`, `off` apart.
fn dashes(points: &[Point], on: f64, off: f64) -> Vec<Vec<Point>> {
    let mut out = Vec::new();
    let Some(&first) = points.first() else {
        return out;
    };
    let (mut drawing, mut left, mut piece) = (true, on, vec![first]);
    for pair in points.windows(2) {
        let (mut a, b) = (pair[0], pair[1]);
        loop {
            let length = (b[0] - a[0]).hypot(b[1] - a[1]);
            if length < left {
                left -= length;
                if drawing {
                    piece.push(b);
                }
                break;
            }
            let t = left / length;
            a = [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
            if drawing {
                piece.push(a);
                out.push(std::mem::take(&mut piece));
            } else {
                piece = vec![a];
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
    }
    if drawing && piece.len() > 1 {
        out.push(piece);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(path: &[Point]) -> f64 {
        path.windows(2)
            .map(|p| (p[1][0] - p[0][0]).hypot(p[1][1] - p[0][1]))
            .sum()
    }

    #[test]
    fn dashes_have_their_length_around_corners() {
        let pieces = dashes(&[[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]], 4.0, 2.0);
        let lengths: Vec<f64> = pieces.iter().map(|p| length(p)).collect();
        assert_eq!(lengths.len(), 4);
        for (found, expected) in lengths.iter().zip([4.0, 4.0, 4.0, 2.0]) {
            assert!((found - expected).abs() < 1e-12);
        }
        assert_eq!(pieces[1], [[6.0, 0.0], [10.0, 0.0]]);
    }

    #[test]
    fn boxes_are_averaged() {
        let mut buffer = vec![0_u8; 6 * 3 * 3];
        buffer[..9].fill(90);
        let out = average(&buffer, 6, 3);
        assert_eq!((out.width, out.height), (2, 1));
        assert_eq!(out.rgb, [30, 30, 30, 0, 0, 0]);
    }
}
