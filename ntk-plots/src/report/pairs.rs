//! Names and values, one to a line.

use serde_json::Value;

use crate::svg::escape;

/// From this many elements on a progression is shortened.
const LONG: usize = 8;

/// A list of names and values. A value that is a JSON object is shown as a list of its own, and
/// an array as its elements with commas.
pub(super) fn pairs(rows: &[(String, String)]) -> String {
    let rows: String = rows
        .iter()
        .map(|(name, value)| match json(value) {
            Some(value) => pair(name, &value),
            None => text(name, value),
        })
        .collect();
    if rows.is_empty() {
        return rows;
    }
    format!("<dl>{rows}</dl>\n")
}

/// The object or array that `text` is.
fn json(text: &str) -> Option<Value> {
    let structured = text.trim_start().starts_with(['{', '[']);
    structured
        .then(|| serde_json::from_str(text).ok())
        .flatten()
}

fn pair(name: &str, value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: String = fields
                .iter()
                .map(|(name, value)| pair(name, value))
                .collect();
            let name = escape(name);
            format!("<div class=\"nested\"><dt>{name}</dt><dd><dl>{fields}</dl></dd></div>\n")
        }
        other => text(name, &plain(other)),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".into(),
        Value::Number(number) => {
            let text = number.to_string();
            text.strip_suffix(".0").map_or(text.clone(), String::from)
        }
        Value::Array(items) if !items.iter().any(|i| i.is_array() || i.is_object()) => list(items),
        other => other.to_string(),
    }
}

/// Elements with commas; of eight or more integers at equal distances the inner ones are left out.
fn list(items: &[Value]) -> String {
    let numbers: Vec<Option<i64>> = items.iter().map(Value::as_i64).collect();
    let mut texts = Vec::new();
    let mut at = 0;
    while at < items.len() {
        let run = progression(&numbers[at..]);
        if run >= LONG {
            let [first, second] = [&items[at], &items[at + 1]].map(plain);
            let last = plain(&items[at + run - 1]);
            texts.extend([first, second, "\u{2026}".into(), last]);
            at += run;
        } else {
            texts.push(plain(&items[at]));
            at += 1;
        }
    }
    texts.join(", ")
}

/// How many numbers from the first on are at equal distances other than zero.
fn progression(numbers: &[Option<i64>]) -> usize {
    let step = |pair: &[Option<i64>]| pair[1]?.checked_sub(pair[0]?);
    let mut steps = numbers.windows(2).map(step);
    let Some(first @ Some(..=-1 | 1..)) = steps.next() else {
        return 1;
    };
    2 + steps.take_while(|step| *step == first).count()
}

fn text(name: &str, value: &str) -> String {
    let (name, value) = (escape(name), escape(value));
    format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: &str) -> String {
        pairs(&[("name".into(), value.into())])
    }

    #[test]
    fn an_object_becomes_a_list() {
        let html = one(r#"{"batch":32,"loss":"<b>","sizes":[1,2.5,"x"],"epochs":null}"#);
        assert!(html.contains("<div><dt>batch</dt><dd>32</dd></div>"));
        assert!(html.contains("<dd>&lt;b&gt;</dd>") && html.contains("<dd>1, 2.5, x</dd>"));
        assert!(html.contains("<dd>none</dd>"));
        assert_eq!(html.matches("<dl>").count(), 2);
    }

    #[test]
    fn other_values_stay_as_they_are() {
        assert!(one("[-1, 1)").contains("<dd>[-1, 1)</dd>"));
        assert!(one("{").contains("<dd>{</dd>"));
        assert!(one("[[1,2],[3]]").contains("<dd>[[1,2],[3]]</dd>"));
        assert!(one("0.10").contains("<dd>0.10</dd>"));
        assert_eq!(pairs(&[]), "");
    }

    #[test]
    fn long_progressions_lose_their_inner_elements() {
        for (list, text) in [
            ("[]", ""),
            ("[7]", "7"),
            ("[0,1,2,3,4,5,6]", "0, 1, 2, 3, 4, 5, 6"),
            ("[8,7,6,5,4,3,2,1]", "8, 7, \u{2026}, 1"),
            ("[3,3,3,3,3,3,3,3]", "3, 3, 3, 3, 3, 3, 3, 3"),
            (
                "[90,60,0,5,10,15,20,25,30,35,50]",
                "90, 60, 0, 5, \u{2026}, 35, 50",
            ),
            ("[0.5,1.0,2,3,4,5,6,7,8]", "0.5, 1, 2, 3, 4, 5, 6, 7, 8"),
            ("[0,\"x\",0,0,null]", "0, x, 0, 0, none"),
            (
                "[-9223372036854775808,9223372036854775807]",
                "-9223372036854775808, 9223372036854775807",
            ),
        ] {
            assert!(one(list).contains(&format!("<dd>{text}</dd>")), "{list}");
        }
    }
}
