//! Tables that scroll in their own box and that the script makes sortable.

use maud::{Markup, html};

/// A `Table` is given column by column.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The name by which a screen reader calls the table.
    pub label: String,
    /// A note on all rows, said above them.
    pub note: String,
    /// The columns, from left to right. Where one is of [`Kind::Name`], a narrow window shows each
    /// row as a block of its own.
    pub columns: Vec<Column>,
}

/// A `Column` of a table has a heading and cells.
#[derive(Clone, Debug)]
pub struct Column {
    /// The heading of the column.
    pub name: String,
    /// The way in which the cells are shown.
    pub kind: Kind,
    /// The cells, from top to bottom.
    pub cells: Vec<String>,
}

/// The ways in which the cells of a column are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The name of the row.
    Name,
    /// Text as it is.
    Text,
    /// Parts with `, ` between them, not broken inside a part if they need not be.
    Parts,
    /// Numbers, aligned at the decimal point.
    Number,
    /// A remark on the row.
    Note,
}

impl Column {
    /// Makes a column of this heading.
    pub fn new<T: Into<String>>(
        name: impl Into<String>,
        kind: Kind,
        cells: impl IntoIterator<Item = T>,
    ) -> Self {
        let cells = cells.into_iter().map(Into::into).collect();
        let name = name.into();
        Self { name, kind, cells }
    }

    /// Renders so many cells, the missing ones empty.
    fn html(&self, rows: usize) -> Vec<Markup> {
        let cells = || (0..rows).map(|row| self.cells.get(row).map_or("", String::as_str));
        // What follows the whole part takes the same width in every row.
        let rests = cells().filter_map(split).map(|(_, rest)| rest);
        let width = rests.map(|rest| rest.chars().count()).max().unwrap_or(0);
        let content = |text: &str| match self.kind {
            Kind::Parts => parts(text),
            Kind::Number => number(text, width),
            _ => html! { (text) },
        };
        let cell = |text: &str| match self.kind {
            Kind::Name => html! { th scope="row" { (content(text)) } },
            kind => html! { td class=[kind.class()] { (content(text)) } },
        };
        cells().map(cell).collect()
    }
}

impl Kind {
    fn class(self) -> Option<&'static str> {
        match self {
            Self::Name | Self::Text => None,
            Self::Parts => Some("where"),
            Self::Number => Some("number"),
            Self::Note => Some("why"),
        }
    }
}

impl Table {
    /// Computes the length of the longest column.
    pub(super) fn rows(&self) -> usize {
        let lengths = self.columns.iter().map(|column| column.cells.len());
        lengths.max().unwrap_or(0)
    }

    pub(super) fn html(&self) -> Markup {
        let rows = self.rows();
        let columns: Vec<_> = self.columns.iter().map(|c| c.html(rows)).collect();
        let named = self.columns.iter().any(|c| c.kind == Kind::Name);
        let class = if named { "compared" } else { "values" };
        let head = html! {
            @for c in &self.columns { th scope="col" class=[c.kind.class()] { (c.name) } }
        };
        let body = html! {
            @for row in 0..rows { tr { @for column in &columns { (column[row]) } } }
        };
        html! {
            @if !self.note.is_empty() { p.why { (self.note) } }
            (frame(class, &self.label, &head, &body))
        }
    }
}

/// Renders a table of this class around the cells of its head and the rows of its body.
pub(super) fn frame(class: &str, label: &str, head: &Markup, body: &Markup) -> Markup {
    html! {
        .scroll tabindex="0" role="region" aria-label=(label) {
            table.results.(class) { thead { tr { (head) } } tbody { (body) } }
        }
    }
}

fn parts(text: &str) -> Markup {
    html! {
        @for (i, part) in text.split_inclusive(", ").enumerate() {
            @if i > 0 { " " }
            span.piece { (part.trim_end()) }
        }
    }
}

/// Renders a number with `width` characters for what follows the whole part.
fn number(text: &str, width: usize) -> Markup {
    match split(text) {
        Some((whole, rest)) if width > 0 => html! {
            (whole) span.rest style={ "min-width:" (width) "ch" } { (rest) }
        },
        _ => html! { (text) },
    }
}

/// Splits a number into its whole part, with its sign, and what follows; nothing for other texts.
fn split(text: &str) -> Option<(&str, &str)> {
    let digits = text.trim_start_matches(['-', '+', '\u{2212}']);
    let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < digits.len()).then(|| text.split_at(text.len() - rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_split_after_their_whole_part() {
        assert_eq!(split("-12.5e-3"), Some(("-12", ".5e-3")));
        assert_eq!(split("\u{2212}0.5 %"), Some(("\u{2212}0", ".5 %")));
        assert_eq!(split("7"), Some(("7", "")));
        for text in ["none", "", "-", "NaN"] {
            assert_eq!(split(text), None);
        }
    }

    #[test]
    fn decimals_take_the_same_width() {
        let html = |cells| -> String {
            let cells = Column::new("", Kind::Number, cells).html(3);
            cells.iter().map(|cell| cell.0.as_str()).collect()
        };
        let rest = |text| format!("\"rest\" style=\"min-width:3ch\">{text}</span></td>");
        let cells = html(["1.25", "10", "none"]);
        assert!(cells.contains(&rest(".25")) && cells.contains(&rest("")));
        assert!(cells.ends_with(">none</td>"));
        assert!(!html(["1", "20", "x"]).contains("rest"));
    }

    #[test]
    fn a_table_has_all_its_cells() {
        let table = Table {
            label: "sizes".into(),
            note: "in metres".into(),
            columns: vec![
                Column::new("Thing", Kind::Name, ["a", "b"]),
                Column::new("Where", Kind::Parts, ["n = 1, m = 2"]),
                Column::new("Why", Kind::Note, ["", "so"]),
            ],
        };
        let html = table.html().into_string();
        assert!(html.starts_with("<p class=\"why\">in metres</p>"));
        assert!(html.contains("aria-label=\"sizes\"") && html.contains("results compared"));
        assert!(html.contains("n = 1,</span> <span class=\"piece\">m = 2</span>"));
        assert!(html.contains("<th scope=\"row\">b</th><td class=\"where\"><"));
        assert_eq!(html.matches("</td>").count(), 4);
    }
}
