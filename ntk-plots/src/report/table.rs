//! The table of an experiment: what the notebook printed beside what we get.

use super::Row;
use crate::svg::escape;

/// Rows with a printed value first; those without, which have nothing to compare, folded away
/// below. If there are only such, they are shown.
pub(super) fn results(rows: &[Row]) -> String {
    let (compared, ours): (Vec<&Row>, Vec<&Row>) =
        rows.iter().partition(|row| !row.printed.is_empty());
    match (compared.is_empty(), ours.len()) {
        (true, 0) => String::new(),
        (true, _) => table(&ours, false),
        (false, 0) => table(&compared, true),
        (false, more) => format!(
            "{}<details class=\"more\"><summary>{more} more, which the notebook did not print\
             </summary>\n{}</details>\n",
            table(&compared, true),
            table(&ours, false)
        ),
    }
}

/// The rows; with the notebook's column if they are compared with it.
fn table(rows: &[&Row], compared: bool) -> String {
    let printed = Column::of(rows.iter().map(|row| row.printed.as_str()));
    let ours = Column::of(rows.iter().map(|row| row.ours.as_str()));
    let why = if compared { "Why they differ" } else { "Note" };
    let mut head = vec![("", "Quantity"), ("where", "Where")];
    if compared {
        head.push(("number", "Notebook"));
    }
    head.extend([("number", "Ours"), ("why", why)]);
    let head: String = head
        .iter()
        .map(|(class, name)| format!("<th scope=\"col\" class=\"{class}\">{name}</th>"))
        .collect();
    let body: String = rows
        .iter()
        .map(|row| {
            let printed = if compared {
                format!("<td class=\"number\">{}</td>", printed.cell(&row.printed))
            } else {
                String::new()
            };
            format!(
                "<tr><th scope=\"row\">{}</th><td class=\"where\">{}</td>{printed}\
                 <td class=\"number\">{}</td><td class=\"why\">{}</td></tr>\n",
                escape(&row.quantity),
                parts(&row.place),
                ours.cell(&row.ours),
                escape(&row.note)
            )
        })
        .collect();
    let class = if compared {
        "results compared"
    } else {
        "results"
    };
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table of results\">\
         <table class=\"{class}\"><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n"
    )
}

/// Parts between commas, which lines do not break inside if they need not.
fn parts(text: &str) -> String {
    let parts: Vec<String> = text
        .split_inclusive(", ")
        .map(|part| format!("<span class=\"piece\">{}</span>", escape(part.trim_end())))
        .collect();
    parts.join(" ")
}

/// A column of numbers, aligned at the decimal point.
struct Column {
    /// Characters after the whole part, at most.
    after: usize,
}

impl Column {
    fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let after = texts
            .filter_map(split)
            .map(|(_, rest)| rest.chars().count());
        Self {
            after: after.max().unwrap_or(0),
        }
    }

    /// What follows the whole part takes the same width in every row.
    fn cell(&self, text: &str) -> String {
        match split(text) {
            Some((whole, rest)) if self.after > 0 => format!(
                "{}<span class=\"rest\" style=\"min-width:{}ch\">{}</span>",
                escape(whole),
                self.after,
                escape(rest)
            ),
            _ => escape(text),
        }
    }
}

/// A number's whole part, with its sign, and what follows; nothing for other texts.
fn split(text: &str) -> Option<(&str, &str)> {
    let digits = text.trim_start_matches(['-', '+', '\u{2212}']);
    let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < digits.len()).then(|| text.split_at(text.len() - rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_split_at_the_decimal_point() {
        assert_eq!(split("23.512"), Some(("23", ".512")));
        assert_eq!(split("-1.5e-9"), Some(("-1", ".5e-9")));
        assert_eq!(split("\u{2212}7"), Some(("\u{2212}7", "")));
        assert_eq!(split("91 %"), Some(("91", " %")));
        assert_eq!(split("none"), None);
        assert_eq!(split("-"), None);
        assert_eq!(split(""), None);
    }

    #[test]
    fn decimals_take_the_same_width() {
        let column = Column::of(["1.25", "10", "none"].into_iter());
        assert!(column.cell("10").ends_with("3ch\"></span>"));
        assert!(column.cell("1.25").ends_with("3ch\">.25</span>"));
        assert_eq!(column.cell("none"), "none");
        assert_eq!(Column::of(["1", "20"].into_iter()).cell("1"), "1");
    }

    #[test]
    fn rows_without_a_printed_value_are_folded() {
        let row = |printed: &str| Row {
            printed: printed.into(),
            ours: "2".into(),
            ..Row::default()
        };
        let both = results(&[row("1"), row(""), row("")]);
        assert!(both.contains("<summary>2 more,") && both.matches("<table").count() == 2);
        let ours = results(&[row("")]);
        assert!(!ours.contains("<details") && !ours.contains("Notebook"));
        assert!(!results(&[row("1")]).contains("<details"));
        assert_eq!(results(&[]), "");
    }
}
