//! The display list between layout and drawing, in nominal pixels, y downwards.

use crate::text;
use crate::theme::{self, Color};

pub(crate) type Point = [f64; 2];

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rect {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) w: f64,
    pub(crate) h: f64,
}

impl Rect {
    pub(crate) fn new(x: f64, y: f64, w: f64, h: f64) -> Self {
        Self { x, y, w, h }
    }

    pub(crate) fn right(&self) -> f64 {
        self.x + self.w
    }

    pub(crate) fn bottom(&self) -> f64 {
        self.y + self.h
    }

    pub(crate) fn grown(&self, by: f64) -> Self {
        Self::new(
            self.x - by,
            self.y - by,
            self.w + 2.0 * by,
            self.h + 2.0 * by,
        )
    }

    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.x < other.right()
            && other.x < self.right()
            && self.y < other.bottom()
            && other.y < self.bottom()
    }

    /// The part of the segment `a` to `b` inside the rectangle (Liang and Barsky, 1984).
    pub(crate) fn clip(&self, a: Point, b: Point) -> Option<(Point, Point)> {
        let (mut t0, mut t1) = (0.0_f64, 1.0_f64);
        let d = [b[0] - a[0], b[1] - a[1]];
        let (low, high) = ([self.x, self.y], [self.right(), self.bottom()]);
        for i in 0..2 {
            for (p, q) in [(-d[i], a[i] - low[i]), (d[i], high[i] - a[i])] {
                if p == 0.0 {
                    if q < 0.0 {
                        return None;
                    }
                } else if p < 0.0 {
                    t0 = t0.max(q / p);
                } else {
                    t1 = t1.min(q / p);
                }
            }
        }
        let at = |t: f64| [a[0] + t * d[0], a[1] + t * d[1]];
        (t0 <= t1).then(|| (at(t0), at(t1)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stroke {
    pub(crate) color: Color,
    pub(crate) width: f64,
    /// Lengths of dash and gap.
    pub(crate) dash: Option<(f64, f64)>,
}

impl Stroke {
    pub(crate) fn solid(color: Color, width: f64) -> Self {
        Self {
            color,
            width,
            dash: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// One line of text; `(x, y)` is on its baseline.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) size: f64,
    pub(crate) color: Color,
    pub(crate) anchor: Anchor,
    pub(crate) bold: bool,
    /// Reads upwards.
    pub(crate) upright: bool,
}

impl Text {
    pub(crate) fn new(text: &str, x: f64, y: f64, size: f64) -> Self {
        // Control characters have no glyph, and XML forbids them.
        let text = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let color = theme::INK;
        Self {
            text,
            x,
            y,
            size,
            color,
            anchor: Anchor::Start,
            bold: false,
            upright: false,
        }
    }

    pub(crate) fn anchor(mut self, anchor: Anchor) -> Self {
        self.anchor = anchor;
        self
    }

    pub(crate) fn color(mut self, color: Color) -> Self {
        self.color = color;
        self
    }

    pub(crate) fn bold(mut self) -> Self {
        self.bold = true;
        self
    }

    pub(crate) fn upright(mut self) -> Self {
        self.upright = true;
        self
    }

    /// Distance of the start of the text from its anchor, along the text.
    pub(crate) fn start(&self) -> f64 {
        let width = text::width(&self.text, self.size, self.bold);
        match self.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -width / 2.0,
            Anchor::End => -width,
        }
    }

    /// The box from baseline to capital height.
    #[cfg(test)]
    pub(crate) fn bounds(&self) -> Rect {
        let width = text::width(&self.text, self.size, self.bold);
        let cap = 2.0 * theme::HALF_CAP * self.size;
        if self.upright {
            Rect::new(self.x - cap, self.y - self.start() - width, cap, width)
        } else {
            Rect::new(self.x + self.start(), self.y - cap, width, cap)
        }
    }
}

/// An RGB picture, drawn with hard pixel edges.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pixels {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Row-major, three bytes a pixel.
    pub(crate) rgb: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    Line {
        points: Vec<Point>,
        stroke: Stroke,
    },
    Polygon {
        points: Vec<Point>,
        fill: Color,
        opacity: f64,
    },
    Rect {
        rect: Rect,
        fill: Color,
        opacity: f64,
    },
    Image {
        rect: Rect,
        pixels: Pixels,
    },
    Text(Text),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scene {
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// What the picture is called, for readers that cannot see it.
    pub(crate) name: String,
    pub(crate) shapes: Vec<Shape>,
}

impl Scene {
    pub(crate) fn line(&mut self, points: Vec<Point>, stroke: Stroke) {
        self.shapes.push(Shape::Line { points, stroke });
    }

    pub(crate) fn polygon(&mut self, points: Vec<Point>, fill: Color, opacity: f64) {
        self.shapes.push(Shape::Polygon {
            points,
            fill,
            opacity,
        });
    }

    pub(crate) fn rect(&mut self, rect: Rect, fill: Color, opacity: f64) {
        self.shapes.push(Shape::Rect {
            rect,
            fill,
            opacity,
        });
    }

    pub(crate) fn frame(&mut self, r: Rect, stroke: Stroke) {
        let corners = [
            [r.x, r.y],
            [r.right(), r.y],
            [r.right(), r.bottom()],
            [r.x, r.bottom()],
        ];
        let mut points = corners.to_vec();
        points.extend_from_slice(&corners[..2]);
        self.line(points, stroke);
    }

    pub(crate) fn image(&mut self, rect: Rect, pixels: Pixels) {
        self.shapes.push(Shape::Image { rect, pixels });
    }

    pub(crate) fn text(&mut self, text: Text) {
        if !text.text.trim().is_empty() {
            self.shapes.push(Shape::Text(text));
        }
    }

    /// Lines of text below `y`, all with the style of `like`; returns the y below them.
    pub(crate) fn lines(&mut self, lines: &[String], y: f64, like: &Text) -> f64 {
        let step = text::height(1, like.size);
        for (i, line) in lines.iter().enumerate() {
            let mut text = like.clone();
            text.text.clone_from(line);
            text.y = y + i as f64 * step + like.size;
            self.text(text);
        }
        y + step * lines.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_keeps_the_inside() {
        let unit = Rect::new(0.0, 0.0, 1.0, 1.0);
        assert_eq!(
            unit.clip([-1.0, 0.5], [2.0, 0.5]),
            Some(([0.0, 0.5], [1.0, 0.5]))
        );
        assert_eq!(unit.clip([-1.0, 2.0], [2.0, 2.0]), None);
        assert_eq!(
            unit.clip([0.2, 0.2], [0.3, 0.3]),
            Some(([0.2, 0.2], [0.3, 0.3]))
        );
        assert_eq!(
            unit.clip([0.5, 0.5], [0.5, 0.5]),
            Some(([0.5, 0.5], [0.5, 0.5]))
        );
        assert_eq!(unit.clip([-0.6, 0.5], [0.5, -0.6]), None);
    }

    #[test]
    fn control_characters_become_spaces() {
        assert_eq!(Text::new("a\nb\u{0}", 0.0, 0.0, 10.0).text, "a b ");
    }
}
