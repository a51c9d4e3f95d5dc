//! The labels of ticks.

/// The magnitudes from which on labels use powers of ten.
const LARGE: f64 = 1e6;
const SMALL: f64 = 1e-3;
/// The magnitude from which on thousands are set apart.
const GROUPED: f64 = 1e4;
const MINUS: char = '\u{2212}';
const THIN_SPACE: char = '\u{2009}';

/// Writes labels for `values`, which are multiples of a step whose last decimal place is
/// `10^last_place`.
pub(crate) fn labels(values: &[f64], last_place: i32) -> Vec<String> {
    let largest = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let scientific = largest >= LARGE || (largest > 0.0 && largest < SMALL);
    values
        .iter()
        .map(|&v| {
            if largest == 0.0 {
                // Decimals of nothing, perhaps hundreds of them, say nothing.
                "0".to_owned()
            } else if scientific {
                power(v, largest, last_place)
            } else {
                plain(v, last_place)
            }
        })
        .collect()
}

/// Writes a number with as many decimals as its last place asks for, thousands set apart.
pub(crate) fn plain(value: f64, last_place: i32) -> String {
    let decimals = (-last_place).max(0) as usize;
    let text = format!("{:.decimals$}", value.abs());
    let negative = value < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b));
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = if negative {
        String::from(MINUS)
    } else {
        String::new()
    };
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 && value.abs() >= GROUPED {
            out.push(THIN_SPACE);
        }
        out.push(digit);
    }
    out + rest
}

/// Writes a multiple of the power of ten of `largest`.
fn power(value: f64, largest: f64, last_place: i32) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    // The small term keeps 10^k, whose logarithm may round down, at exponent k.
    let exponent = (largest.log10() + 1e-9).floor() as i32;
    // Division in two steps: 10^exponent alone may underflow.
    let half = exponent / 2;
    let mantissa = value / 10_f64.powi(half) / 10_f64.powi(exponent - half);
    let mantissa = plain(mantissa, (last_place - exponent).min(0));
    match mantissa.as_str() {
        "1" => power_of_ten(exponent),
        _ => format!("{mantissa}×{}", power_of_ten(exponent)),
    }
}

/// Writes `10^exponent` with raised digits.
pub(crate) fn power_of_ten(exponent: i32) -> String {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let mut out = String::from("10");
    for character in exponent.to_string().chars() {
        out.push(character.to_digit(10).map_or('⁻', |d| RAISED[d as usize]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_what_a_person_would_write() {
        assert_eq!(labels(&[0.1 + 0.2, 0.4], -1), ["0.3", "0.4"]);
        assert_eq!(labels(&[-0.5, -0.0, 0.5], -1), ["−0.5", "0.0", "0.5"]);
        assert_eq!(labels(&[0.0, 50_000.0], 4), ["0", "50\u{2009}000"]);
        assert_eq!(labels(&[0.0, 1e6, 2e6], 6), ["0", "10⁶", "2×10⁶"]);
        assert_eq!(
            labels(&[5e-5, 1e-4, 1.5e-4], -5),
            ["0.5×10⁻⁴", "1.0×10⁻⁴", "1.5×10⁻⁴"]
        );
        assert_eq!(labels(&[-2e300], 300), ["−2×10³⁰⁰"]);
        assert_eq!(labels(&[3e-290], -290), ["3×10⁻²⁹⁰"]);
        assert_eq!(power_of_ten(-12), "10⁻¹²");
    }
}
