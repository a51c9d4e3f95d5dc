//! The tables: the overview of the page, and what the notebook printed beside what we get.

use super::{Experiment, Row};
use crate::svg::escape;

/// Up to this many rows without a printed value are shown at once.
const FEW: usize = 12;
/// Quantities of up to this many values share a table.
const SINGLE: usize = 2;

/// A row for each experiment, a column for each name in their summaries.
pub(super) fn overview(experiments: &[Experiment]) -> String {
    let names = distinct(experiments.iter().flat_map(|e| &e.summary));
    if names.is_empty() {
        return String::new();
    }
    let mut head = vec![("", "Experiment")];
    head.extend(names.iter().map(|name| ("", *name)));
    let rows = experiments.iter().enumerate().map(|(i, e)| {
        let (anchor, name) = (e.anchor(i), escape(&e.name));
        let values: String = names
            .iter()
            .map(|name| {
                let (name, value) = (escape(name), escape(of(&e.summary, name)));
                format!("<td data-name=\"{name}\">{value}</td>")
            })
            .collect();
        format!("<tr><th scope=\"row\"><a href=\"#{anchor}\">{name}</a></th>{values}</tr>\n")
    });
    let body: String = rows.collect();
    let table = table("overview", "Overview", &head, &body);
    format!("<section id=\"overview\">\n<h2>Overview</h2>\n{table}</section>\n")
}

/// Rows with a printed value in one table; then those without, which have nothing to compare, by
/// quantity.
pub(super) fn results(experiment: &str, rows: &[Row]) -> String {
    let (printed, ours): (Vec<&Row>, Vec<&Row>) =
        rows.iter().partition(|row| !row.printed.is_empty());
    let lead = match (printed.len(), ours.len()) {
        (_, 0) => String::new(),
        (0, _) => "<p>The notebook printed no value to compare with.</p>\n".into(),
        (_, more) => format!("<h4>{more} more, which the notebook did not print</h4>\n"),
    };
    let of = |what: &str| format!("{experiment}: {what}");
    let first = compared(&of("printed values"), &printed);
    let mut quantities: Vec<(&str, Vec<&Row>)> = Vec::new();
    for row in &ours {
        match quantities
            .iter_mut()
            .find(|(name, _)| *name == row.quantity)
        {
            Some((_, rows)) => rows.push(row),
            None => quantities.push((&row.quantity, vec![row])),
        }
    }
    let (single, many): (Vec<_>, Vec<_>) = quantities
        .into_iter()
        .partition(|(_, rows)| rows.len() <= SINGLE);
    let single: Vec<&Row> = single.into_iter().flat_map(|(_, rows)| rows).collect();
    let single = singles(&of("single values"), &single);
    let open = if ours.len() <= FEW { " open" } else { "" };
    let many: String = many
        .iter()
        .map(|(name, rows)| {
            format!(
                "<details{open}><summary>{} <span class=\"count\">{}</span></summary>\n{}</details>\n",
                escape(name),
                escape(&extent(rows)),
                quantity(&of(name), rows)
            )
        })
        .collect();
    format!("{first}{lead}{single}{many}")
}

/// What the notebook printed, ours, and why they differ.
fn compared(label: &str, rows: &[&Row]) -> String {
    let [printed, ours, difference] = [
        |row: &Row| row.printed.clone(),
        |row: &Row| row.ours.clone(),
        |row: &Row| row.difference.clone(),
    ]
    .map(|of| cells(rows, of));
    let has_difference = rows.iter().any(|row| !row.difference.is_empty());
    let mut head = vec![
        ("", "Quantity"),
        ("where", "Where"),
        ("number", "Notebook"),
        ("number", "Ours"),
    ];
    if has_difference {
        head.push(("number", "Difference"));
    }
    head.push(("why", "Why they differ"));
    let body = rows.iter().enumerate().map(|(i, row)| {
        let difference = if has_difference {
            difference[i].as_str()
        } else {
            ""
        };
        format!(
            "<tr>{}{}{}{difference}<td class=\"why\">{}</td></tr>\n",
            named(row),
            printed[i],
            ours[i],
            escape(&row.note)
        )
    });
    match rows.len() {
        0 => String::new(),
        _ => table("compared", label, &head, &body.collect::<String>()),
    }
}

/// Quantities of one or two values.
fn singles(label: &str, rows: &[&Row]) -> String {
    let ours = cells(rows, |row| row.ours.clone());
    let head = [
        ("", "Quantity"),
        ("where", "Where"),
        ("number", "Ours"),
        ("why", "Note"),
    ];
    let body = rows.iter().zip(&ours).map(|(row, ours)| {
        let note = escape(&row.note);
        format!(
            "<tr>{}{ours}<td class=\"why\">{note}</td></tr>\n",
            named(row)
        )
    });
    match rows.len() {
        0 => String::new(),
        _ => table("compared", label, &head, &body.collect::<String>()),
    }
}

/// Quantity and place, with the parts of the place not broken if they need not be.
fn named(row: &Row) -> String {
    let last = row.place.len().saturating_sub(1);
    let parts = row.place.iter().enumerate().map(|(i, (name, value))| {
        let comma = if i < last { "," } else { "" };
        let (name, value) = (escape(name), escape(value));
        format!("<span class=\"piece\">{name} = {value}{comma}</span>")
    });
    let place = parts.collect::<Vec<_>>().join(" ");
    let name = escape(&row.quantity);
    format!("<th scope=\"row\">{name}</th><td class=\"where\">{place}</td>")
}

/// All values of one quantity, with a column for each name in their places.
fn quantity(label: &str, rows: &[&Row]) -> String {
    let names = distinct(rows.iter().flat_map(|row| &row.place));
    let mut head = Vec::new();
    let mut columns = Vec::new();
    for name in &names {
        let numbers = rows
            .iter()
            .map(|row| of(&row.place, name))
            .all(|value| value.is_empty() || value.parse::<f64>().is_ok());
        head.push((if numbers { "number" } else { "" }, *name));
        let column: Vec<String> = if numbers {
            cells(rows, |row| of(&row.place, name).to_owned())
        } else {
            let values = rows.iter().map(|row| of(&row.place, name));
            values
                .map(|value| format!("<td>{}</td>", escape(value)))
                .collect()
        };
        columns.push(column);
    }
    head.push(("number", "Ours"));
    columns.push(cells(rows, |row| row.ours.clone()));
    // A note that all rows have is said once.
    let note = rows[0].note.as_str();
    let common = rows.iter().all(|row| row.note == note);
    let above = match note {
        note if common && !note.is_empty() => format!("<p class=\"why\">{}</p>\n", escape(note)),
        _ => String::new(),
    };
    if !common {
        head.push(("why", "Note"));
        let notes = rows
            .iter()
            .map(|row| format!("<td class=\"why\">{}</td>", escape(&row.note)));
        columns.push(notes.collect());
    }
    let body: String = (0..rows.len())
        .map(|i| {
            let row: String = columns.iter().map(|column| column[i].as_str()).collect();
            format!("<tr>{row}</tr>\n")
        })
        .collect();
    format!("{above}{}", table("values", label, &head, &body))
}

/// How many values, from which to which.
fn extent(rows: &[&Row]) -> String {
    let value = |row: &&Row| row.ours.parse::<f64>().ok().filter(|v| v.is_finite());
    let by = |a: &&&Row, b: &&&Row| {
        value(a)
            .partial_cmp(&value(b))
            .unwrap_or(std::cmp::Ordering::Equal)
    };
    let range = match (rows.iter().min_by(by), rows.iter().max_by(by)) {
        (Some(low), Some(high)) if rows.iter().all(|row| value(row).is_some()) => {
            match (&low.ours, &high.ours) {
                (low, high) if low == high => format!(", all {low}"),
                (low, high) => format!(", {low} to {high}"),
            }
        }
        _ => String::new(),
    };
    format!("{} values{range}", rows.len())
}

/// A table that scrolls in its own box and that the script makes sortable. `head` has the class
/// and the name of every column; `body` is escaped already.
fn table(class: &str, label: &str, head: &[(&str, &str)], body: &str) -> String {
    let head: String = head
        .iter()
        .map(|(class, name)| {
            let name = escape(name);
            format!("<th scope=\"col\" class=\"{class}\">{name}</th>")
        })
        .collect();
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">\
         <table class=\"results {class}\"><thead><tr>{head}</tr></thead>\n\
         <tbody>\n{body}</tbody></table></div>\n",
        escape(label)
    )
}

/// The names, each once, in their order.
fn distinct<'a>(pairs: impl Iterator<Item = &'a (String, String)>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in pairs {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

/// The value of this name; empty if there is none.
fn of<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    let found = pairs.iter().find(|(n, _)| n == name);
    found.map_or("", |(_, value)| value.as_str())
}

/// The cells of a column of numbers.
fn cells(rows: &[&Row], of: impl Fn(&Row) -> String) -> Vec<String> {
    let texts: Vec<String> = rows.iter().map(|row| of(row)).collect();
    let column = Column::of(texts.iter().map(String::as_str));
    texts
        .iter()
        .map(|text| format!("<td class=\"number\">{}</td>", column.cell(text)))
        .collect()
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

    fn row(quantity: &str, place: &[(&str, &str)], printed: &str, ours: &str) -> Row {
        let place = place.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        Row {
            quantity: quantity.into(),
            place: place.collect(),
            printed: printed.into(),
            ours: ours.into(),
            ..Row::default()
        }
    }

    #[test]
    fn rows_without_a_printed_value_follow_by_quantity() {
        let at = |n: &str| row("loss", &[("n", n)], "", "2");
        let both = results("", &[row("loss", &[], "1", "2"), at("1"), at("2"), at("3")]);
        assert!(both.contains("<h4>3 more, which") && both.matches("<table").count() == 2);
        assert!(
            both.contains("<details open><summary>loss <span class=\"count\">3 values, all 2<")
        );
        let ours = results("", &[at("1")]);
        assert!(!ours.contains("<details") && !ours.contains(">Notebook<"));
        assert!(ours.contains("no value to compare") && ours.contains("n = 1</span>"));
        let printed = results("", &[row("loss", &[], "1", "2")]);
        assert!(!printed.contains("<details") && !printed.contains("<h4>"));
        assert_eq!(results("", &[]), "");
        let many: Vec<Row> = (0..13).map(|n| at(&n.to_string())).collect();
        assert!(results("", &many).contains("<details><summary>"));
    }

    #[test]
    fn places_become_columns() {
        let rows = [
            row("loss", &[("n", "5"), ("kernel", "ntk")], "", "0.5"),
            row("loss", &[("n", "10"), ("t", "inf")], "", "-2e-3"),
            row("loss", &[("n", "20")], "", "0"),
        ];
        let html = results("", &rows);
        for column in ["number\">n<", "\">kernel<", "number\">t<", "number\">Ours<"] {
            assert!(html.contains(column), "{column}");
        }
        assert!(html.contains("<td>ntk</td><td class=\"number\"></td>"));
        assert!(html.contains("3 values, -2e-3 to 0.5"));
    }

    #[test]
    fn a_note_of_all_rows_is_said_once() {
        let noted = |note: &str| Row {
            note: note.into(),
            ..row("loss", &[], "", "1")
        };
        let once = results(
            "",
            &[noted("as drawn"), noted("as drawn"), noted("as drawn")],
        );
        assert_eq!(once.matches("as drawn").count(), 1);
        let each = results("", &[noted("as drawn"), noted(""), noted("")]);
        assert!(each.contains(">Note</th>") && each.contains("why\">as drawn</td>"));
    }

    #[test]
    fn a_difference_has_its_column() {
        let mut rows = vec![row("loss", &[], "1", "2"), row("rank", &[], "0", "0")];
        assert!(!results("", &rows).contains("Difference"));
        rows[0].difference = "+100 %".into();
        let html = results("", &rows);
        assert!(html.contains(">Difference</th>"));
        // Each row has all six cells.
        assert_eq!(html.matches("</td>").count(), 2 * 5);
    }

    #[test]
    fn summaries_make_the_overview() {
        let with = |name: &str, pairs: &[(&str, &str)]| Experiment {
            name: name.into(),
            summary: pairs
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
            ..Experiment::default()
        };
        assert_eq!(overview(&[]), "");
        assert_eq!(overview(&[with("a", &[])]), "");
        let html = overview(&[
            with("a", &[("Scale", "quick")]),
            with("b", &[("Time", "<1 s")]),
        ]);
        assert!(html.contains("<a href=\"#a\">a</a></th><td data-name=\"Scale\">quick</td><td "));
        assert!(html.contains(">&lt;1 s</td>"));
        assert!(html.contains("<a href=\"#b\">b</a></th><td data-name=\"Scale\"></td><td "));
    }
}
