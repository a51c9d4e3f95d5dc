//! Setting text in DejaVu Sans: how wide it is, where it breaks, and its pixels.
//!
//! plotters can set text too, but places each glyph without its side bearing and rounds every
//! width to whole pixels, which spaces letters unevenly.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};

use crate::theme::LEADING;

static REGULAR: LazyLock<FontRef<'static>> = LazyLock::new(|| parse(dejavu::sans::regular()));
static BOLD: LazyLock<FontRef<'static>> = LazyLock::new(|| parse(dejavu::sans::bold()));

fn parse(bytes: &'static [u8]) -> FontRef<'static> {
    FontRef::try_from_slice(bytes).expect("the font compiled into the program is well formed")
}

fn font(bold: bool) -> &'static FontRef<'static> {
    if bold { &BOLD } else { &REGULAR }
}

/// The scale at which one em is `size` pixels (ab_glyph measures ascent plus descent instead).
fn scale(font: &FontRef<'_>, size: f64) -> PxScale {
    let units = font.units_per_em().unwrap_or(2048.0);
    PxScale::from(size as f32 * font.height_unscaled() / units)
}

/// The glyphs of `text` with the origin at the start of the baseline, and the advance width.
fn set(text: &str, size: f64, bold: bool) -> (Vec<Glyph>, f64) {
    let font = font(bold);
    let scaled = font.as_scaled(scale(font, size));
    let mut glyphs = Vec::with_capacity(text.len());
    let mut x = 0.0;
    for character in text.chars() {
        let mut glyph = scaled.scaled_glyph(character);
        if let Some(previous) = glyphs.last() {
            let previous: &Glyph = previous;
            x += scaled.kern(previous.id, glyph.id);
        }
        glyph.position = point(x, 0.0);
        x += scaled.h_advance(glyph.id);
        glyphs.push(glyph);
    }
    (glyphs, f64::from(x))
}

/// Width of a line of text, in the unit of `size`.
pub(crate) fn width(text: &str, size: f64, bold: bool) -> f64 {
    // Measured at a large size, so that hinting or rounding never matters.
    set(text, 100.0, bold).1 * size / 100.0
}

/// Calls `pixel(x, y, coverage)` for every pixel that the text touches, relative to the start of
/// its baseline at the fractional position `origin`.
pub(crate) fn rasterize(
    text: &str,
    size: f64,
    bold: bool,
    origin: [f64; 2],
    mut pixel: impl FnMut(i32, i32, f64),
) {
    for mut glyph in set(text, size, bold).0 {
        glyph.position.x += origin[0] as f32;
        glyph.position.y += origin[1] as f32;
        if let Some(outline) = font(bold).outline_glyph(glyph) {
            let corner = outline.px_bounds().min;
            outline.draw(|x, y, coverage| {
                let coverage = f64::from(coverage.clamp(0.0, 1.0));
                pixel(
                    corner.x as i32 + x.cast_signed(),
                    corner.y as i32 + y.cast_signed(),
                    coverage,
                );
            });
        }
    }
}

/// Breaks `text` at spaces into at most `lines` lines no wider than `limit`; what does not fit
/// ends in an ellipsis.
pub(crate) fn wrap(text: &str, size: f64, bold: bool, limit: f64, lines: usize) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match out.last_mut() {
            Some(line) if width(&format!("{line} {word}"), size, bold) <= limit => {
                line.push(' ');
                line.push_str(word);
            }
            _ => out.push(word.to_owned()),
        }
    }
    let dropped = out.len() > lines;
    out.truncate(lines);
    let last = out.len().saturating_sub(1);
    for (i, line) in out.iter_mut().enumerate() {
        if (dropped && i == last) || width(line, size, bold) > limit {
            while !line.is_empty() && width(&format!("{line}…"), size, bold) > limit {
                line.pop();
            }
            line.push('…');
        }
    }
    out
}

/// Height of `lines` lines of text.
pub(crate) fn height(lines: usize, size: f64) -> f64 {
    lines as f64 * size * LEADING
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_grows_with_text_and_size() {
        assert!(width("mm", 10.0, false) > width("m", 10.0, false));
        assert!((width("kernel", 20.0, false) - 2.0 * width("kernel", 10.0, false)).abs() < 1e-6);
        assert_eq!(width("", 10.0, false), 0.0);
    }

    #[test]
    fn every_character_of_the_labels_has_a_glyph() {
        for character in "0123456789⁰¹²³⁴⁵⁶⁷⁸⁹⁻−×…λρχ²√ \u{2009}".chars()
        {
            assert_ne!(REGULAR.glyph_id(character).0, 0, "{character:?}");
        }
    }

    #[test]
    fn wrapped_lines_fit() {
        let text = "the quick brown fox jumps over the lazy dog incomprehensibilities";
        for limit in [20.0, 60.0, 120.0] {
            for line in wrap(text, 10.0, false, limit, 3) {
                assert!(width(&line, 10.0, false) <= limit, "{line}");
            }
        }
        assert_eq!(wrap("one two", 10.0, false, 1e6, 2), ["one two"]);
        assert!(wrap("", 10.0, false, 50.0, 2).is_empty());
    }

    #[test]
    fn pixels_lie_within_the_measured_width() {
        let size = 40.0;
        let limit = width("Hg", size, false).ceil() as i32;
        let mut ink = 0.0;
        rasterize("Hg", size, false, [0.0, 0.0], |x, y, coverage| {
            assert!((-1..=limit).contains(&x) && (-40..=12).contains(&y));
            ink += coverage;
        });
        assert!(ink > 100.0);
    }
}
