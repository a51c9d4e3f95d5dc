//! Names and values, one to a line.

use serde_json::Value;

use crate::svg::escape;

/// Values longer than this many characters stand below their name.
const LONG: usize = 36;

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
            format!("<div class=\"long\"><dt>{name}</dt><dd><dl>{fields}</dl></dd></div>\n")
        }
        other => text(name, &plain(other)),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if !items.iter().any(|i| i.is_array() || i.is_object()) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            items.join(", ")
        }
        other => other.to_string(),
    }
}

fn text(name: &str, value: &str) -> String {
    let class = if value.chars().count() > LONG {
        " class=\"long\""
    } else {
        ""
    };
    let (name, value) = (escape(name), escape(value));
    format!("<div{class}><dt>{name}</dt><dd>{value}</dd></div>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: &str) -> String {
        pairs(&[("name".into(), value.into())])
    }

    #[test]
    fn an_object_becomes_a_list() {
        let html = one(r#"{"batch":32,"loss":"<b>","sizes":[1,2.5,"x"]}"#);
        assert!(html.contains("<div><dt>batch</dt><dd>32</dd></div>"));
        assert!(html.contains("<dd>&lt;b&gt;</dd>") && html.contains("<dd>1, 2.5, x</dd>"));
        assert_eq!(html.matches("<dl>").count(), 2);
    }

    #[test]
    fn other_values_stay_as_they_are() {
        assert!(one("[-1, 1)").contains("<dd>[-1, 1)</dd>"));
        assert!(one("{").contains("<dd>{</dd>"));
        assert!(one("[[1,2],[3]]").contains("<dd>[[1,2],[3]]</dd>"));
        assert!(one("0.10").contains("<dd>0.10</dd>"));
        assert!(one(&"long ".repeat(9)).contains("class=\"long\""));
        assert_eq!(pairs(&[]), "");
    }
}
