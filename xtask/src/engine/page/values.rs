//! What the notebook printed beside what we get, as tables.

use super::text::{difference, plain, words};
use ntk_cli::results::{Value, number};
use ntk_plots::report::{Block, Column, Kind, Table};

/// Up to this many values without a printed one are shown at once.
const FEW: usize = 12;
/// Quantities of up to this many values share a table.
const SINGLE: usize = 2;
const NONE_PRINTED: &str = "The notebook printed no value to compare with.";
/// After their number.
const MORE: &str = " more, which the notebook did not print";

/// Values with a printed one in one table; then those without, which have nothing to compare, by
/// quantity.
pub(super) fn tables(experiment: &str, values: &[Value]) -> Vec<Block> {
    let label = |what: &str| format!("{experiment}: {what}");
    let (printed, ours): (Vec<_>, Vec<_>) = values.iter().partition(|v| v.printed.is_some());
    let quantities = distinct(ours.iter().map(|v| v.name.as_str())).into_iter();
    let of = |name: &str| ours.iter().copied().filter(|v| v.name == name).collect();
    let (single, many): (Vec<Vec<&Value>>, Vec<_>) =
        quantities.map(of).partition(|q: &Vec<_>| q.len() <= SINGLE);
    let lead = match (printed.len(), ours.len()) {
        (_, 0) => None,
        (0, _) => Some(Block::Text(NONE_PRINTED.into())),
        (_, more) => Some(Block::Heading(format!("{more}{MORE}"))),
    };
    let printed = listed(label("printed values"), &printed, "Why they differ");
    let single = listed(label("single values"), &single.concat(), "Note");
    let many = many.iter().map(|values| {
        let title = words(&values[0].name);
        Block::Folded {
            extent: extent(values),
            open: ours.len() <= FEW,
            table: quantity(label(&title), values),
            title,
        }
    });
    let blocks = [printed, lead, single].into_iter().flatten();
    blocks.chain(many).collect()
}

/// A table with a row for each value, if there is one; `remark` heads the notes.
fn listed(label: String, values: &[&Value], remark: &str) -> Option<Block> {
    let place = |v: &Value| {
        let place = v.place.iter();
        let place = place.map(|(k, v)| format!("{} = {}", words(k), words(&plain(v))));
        place.collect::<Vec<_>>().join(", ")
    };
    let printed = |v: &Value| v.printed.map(number).unwrap_or_default();
    let compared = |v: &Value| difference(v.printed?, v.value);
    let compared = |v: &Value| compared(v).unwrap_or_default();
    let mut columns = vec![
        column("Quantity", Kind::Name, values, |v| words(&v.name)),
        column("Where", Kind::Parts, values, place),
        column("Notebook", Kind::Number, values, printed),
        column("Ours", Kind::Number, values, |v| number(v.value)),
        column("Difference", Kind::Number, values, compared),
        column(remark, Kind::Note, values, |v| v.note.clone()),
    ];
    columns.retain(|c| c.kind != Kind::Number || c.cells.iter().any(|cell| !cell.is_empty()));
    let note = String::new();
    let table = Table {
        label,
        note,
        columns,
    };
    (!values.is_empty()).then_some(Block::Table(table))
}

/// All values of one quantity, with a column for each name in their places.
fn quantity(label: String, values: &[&Value]) -> Table {
    let names = distinct(values.iter().flat_map(|value| value.place.keys()));
    let of = |name: &String| {
        let cell = |v: &Value| v.place.get(name).map(plain).unwrap_or_default();
        let mut column = column(&words(name), Kind::Number, values, |v| words(&cell(v)));
        let is_number = |cell: &String| cell.is_empty() || cell.parse::<f64>().is_ok();
        if !column.cells.iter().all(is_number) {
            column.kind = Kind::Text;
        }
        column
    };
    let mut columns: Vec<Column> = names.into_iter().map(of).collect();
    columns.push(column("Ours", Kind::Number, values, |v| number(v.value)));
    // A note that all values have is said once.
    let mut note = values[0].note.clone();
    if values.iter().any(|value| value.note != note) {
        columns.push(column("Note", Kind::Note, values, |v| v.note.clone()));
        note.clear();
    }
    Table {
        label,
        note,
        columns,
    }
}

fn column(name: &str, kind: Kind, values: &[&Value], cell: impl Fn(&Value) -> String) -> Column {
    Column::new(name, kind, values.iter().map(|value| cell(value)))
}

/// Each item once, in their order.
fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.fold(Vec::new(), |mut seen, item| {
        if !seen.contains(&item) {
            seen.push(item);
        }
        seen
    })
}

/// How many values, from which to which.
fn extent(values: &[&Value]) -> String {
    let count = values.len();
    let all = || values.iter().map(|value| value.value);
    let low = number(all().fold(f64::INFINITY, f64::min));
    match number(all().fold(f64::NEG_INFINITY, f64::max)) {
        _ if !all().all(f64::is_finite) => format!("{count} values"),
        high if low == high => format!("{count} values, all {low}"),
        high => format!("{count} values, {low} to {high}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Headings, texts and tables; of a table its columns.
    fn outline(values: &[Value]) -> Vec<String> {
        let heads = |table: &Table| {
            let names = table.columns.iter().map(|c| c.name.as_str());
            names.collect::<Vec<_>>().join(" ")
        };
        let line = |block: &Block| match block {
            Block::Heading(text) | Block::Text(text) => text.clone(),
            Block::Table(table) => heads(table),
            Block::Folded {
                extent,
                open,
                table,
                ..
            } => format!("{extent}, {open}: {}", heads(table)),
        };
        tables("", values).iter().map(line).collect()
    }

    #[test]
    fn values_without_a_printed_one_follow_by_quantity() {
        let at = |n: i32| Value::new("loss", [("n", json!(n))], n.into());
        let printed = |value| Value::new("rank", [], 2.0).printed(value);
        let compared = "Quantity Where Notebook Ours Difference Why they differ";
        let more = format!("3{MORE}");
        let folded = "3 values, 1 to 3, true: n Ours";
        let all = [printed(1.0), at(1), at(3), at(2)];
        assert_eq!(outline(&all), [compared, &more, folded]);
        assert_eq!(
            outline(&[at(1)]),
            [NONE_PRINTED, "Quantity Where Ours Note"]
        );
        let undefined = "Quantity Where Notebook Ours Why they differ";
        assert_eq!(outline(&[printed(0.0)]), [undefined]);
        assert!(outline(&[]).is_empty());
        let folded = "13 values, all 2, false: n Ours";
        assert_eq!(outline(&[2; 13].map(at)), [NONE_PRINTED, folded]);
    }

    #[test]
    fn places_become_columns() {
        let values = [
            Value::new("loss", [("n", json!(5)), ("kernel", json!("ntk"))], 0.5).note("as drawn"),
            Value::new("loss", [("t", json!("inf")), ("n", json!(10))], f64::NAN),
        ];
        let values: Vec<&Value> = values.iter().collect();
        let table = quantity(String::new(), &values);
        let columns = table.columns.iter();
        let columns = columns.map(|c| format!("{} {:?} {}", c.name, c.kind, c.cells.join("|")));
        let expected = [
            "n Number 5|10",
            "kernel Text ntk|",
            "t Number |inf",
            "Ours Number 0.5|NaN",
            "Note Note as drawn|",
        ];
        assert!(columns.eq(expected));
        assert_eq!(extent(&values), "2 values");
        let once = quantity(String::new(), &values[..1]);
        assert_eq!((once.note.as_str(), once.columns.len()), ("as drawn", 3));
    }
}
