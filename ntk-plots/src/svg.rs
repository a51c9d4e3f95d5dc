//! A scene as SVG.
//!
//! Written here, not by plotters' SVG backend: that one takes whole-pixel coordinates, knows no
//! dashes, and embeds pictures with a wrong media type.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::Render;

use crate::error::Error;
use crate::raster;
use crate::scene::{Anchor, Point, Rect, Scene, Shape, Stroke, Text};
use crate::theme::{Color, PAPER};

/// DejaVu's metrics are those of Bitstream Vera, and Verdana's are near them.
const FONTS: &str = "DejaVu Sans, Bitstream Vera Sans, Verdana, Arial, sans-serif";

/// Draws the scene.
pub(crate) fn draw(scene: &Scene) -> Result<String, Error> {
    let (width, height) = (number(scene.width), number(scene.height));
    let name = escape(&scene.name);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"{FONTS}\" fill=\"none\" \
         stroke-linejoin=\"round\">\n<title>{name}</title>\n"
    );
    let page = Rect::new(0.0, 0.0, scene.width, scene.height);
    out.push_str(&rect(page, PAPER, 1.0));
    for shape in &scene.shapes {
        match shape {
            Shape::Line { points, stroke } => out.push_str(&line(points, stroke)),
            Shape::Polygon {
                points,
                fill,
                opacity,
            } => {
                let (points, fill) = (coordinates(points), paint(*fill, *opacity));
                out.push_str(&format!("<polygon points=\"{points}\"{fill}/>\n"));
            }
            Shape::Rect {
                rect: r,
                fill,
                opacity,
            } => out.push_str(&rect(*r, *fill, *opacity)),
            Shape::Image { rect, pixels } => {
                let data = STANDARD.encode(raster::encode(pixels)?);
                out.push_str(&format!(
                    "<image{} preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" \
                     href=\"data:image/png;base64,{data}\"/>\n",
                    placed(*rect)
                ));
            }
            Shape::Text(t) => out.push_str(&text(t)),
        }
    }
    out.push_str("</svg>\n");
    Ok(out)
}

/// A text as the content of an element; XML forbids control characters.
fn escape(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = text.chars().map(shown).collect();
    text.render().into_string()
}

/// A coordinate to a hundredth of a nominal pixel.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn hex([r, g, b]: Color) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn paint(fill: Color, opacity: f64) -> String {
    let mut out = format!(" fill=\"{}\"", hex(fill));
    if opacity < 1.0 {
        out.push_str(&format!(" fill-opacity=\"{}\"", number(opacity)));
    }
    out
}

fn coordinates(points: &[Point]) -> String {
    let mut out = String::with_capacity(points.len() * 12);
    for (i, [x, y]) in points.iter().enumerate() {
        let gap = if i == 0 { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = write!(out, "{gap}{},{}", number(*x), number(*y));
    }
    out
}

fn placed(r: Rect) -> String {
    let [x, y, w, h] = [r.x, r.y, r.w, r.h].map(number);
    format!(" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"")
}

fn rect(r: Rect, fill: Color, opacity: f64) -> String {
    format!("<rect{}{}/>\n", placed(r), paint(fill, opacity))
}

fn line(points: &[Point], stroke: &Stroke) -> String {
    let dash = match stroke.dash {
        Some((on, off)) => format!(" stroke-dasharray=\"{} {}\"", number(on), number(off)),
        None => String::new(),
    };
    let (points, color, width) = (coordinates(points), hex(stroke.color), number(stroke.width));
    format!("<polyline points=\"{points}\" stroke=\"{color}\" stroke-width=\"{width}\"{dash}/>\n")
}

fn text(t: &Text) -> String {
    let (x, y) = (number(t.x), number(t.y));
    let place = if t.upright {
        format!("transform=\"translate({x} {y}) rotate(-90)\"")
    } else {
        format!("x=\"{x}\" y=\"{y}\"")
    };
    let anchor = match t.anchor {
        Anchor::Start => "",
        Anchor::Middle => " text-anchor=\"middle\"",
        Anchor::End => " text-anchor=\"end\"",
    };
    let weight = if t.bold { " font-weight=\"bold\"" } else { "" };
    let (size, color, content) = (number(t.size), hex(t.color), escape(&t.text));
    format!(
        "<text {place}{anchor} font-size=\"{size}\"{weight} fill=\"{color}\">{content}</text>\n"
    )
}
