//! `docs/network.md` against what is read: every layer, option and default, and its examples.

use ntk_kernels::network::{Layer, Network, NetworkError};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;

fn text() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/network.md");
    fs::read_to_string(path).unwrap()
}

/// The options of each layer in the table, with what stands in brackets after them.
fn table(text: &str) -> BTreeMap<String, BTreeMap<String, Option<String>>> {
    let rows = text
        .lines()
        .skip_while(|line| !line.starts_with("| layer |"));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        (cells.next().unwrap(), cells.next().unwrap_or(""))
    });
    let row = |(name, options): (&str, &str)| {
        let mut found = BTreeMap::new();
        // An option is in backquotes, and its default, if any, in brackets after it.
        let mut parts = options.split('`').skip(1);
        while let (Some(option), Some(after)) = (parts.next(), parts.next().or(Some(""))) {
            let default = after.trim_start().strip_prefix('(');
            let default = default.and_then(|rest| Some(rest.rsplit_once(')')?.0.to_string()));
            found.insert(option.to_string(), default);
        }
        (name.trim_matches('`').to_string(), found)
    };
    cells.map(row).collect()
}

/// The names of the options that a layer reads.
fn names_of(name: &str) -> Vec<String> {
    let text = json!({"layers": [{name: {"no such option": 0}}]}).to_string();
    match Network::from_json(&text) {
        Err(NetworkError::UnknownOption { advice, .. }) => {
            let names = advice.strip_prefix("it has ").unwrap();
            let names = names.split(", ").filter(|&name| name != "none");
            names.map(String::from).collect()
        }
        other => panic!("{name}: {other:?}"),
    }
}

/// The options that a layer has when those without a default are given, and the latter.
fn options(name: &str) -> (Map<String, Value>, Vec<String>) {
    let given = json!({
        "a": 0.4, "b": 1.7, "slope": 0.3, "keep": 0.5, "degree": 2, "window": [2, 2],
        "coefficients": [1.0], "function": "tanh", "paths": [["identity"]], "axes": [1],
        "matrix": [[1.0]], "by": 2.0, "shape": [2], "at": 0, "vocabulary": 9,
    });
    let (mut needed, mut layer) = (Vec::new(), Map::new());
    loop {
        let text = json!({"layers": [{name: layer.clone()}]}).to_string();
        match Network::from_json(&text) {
            Ok(network) => {
                let options = network.layers[0].kind().options();
                return (options.as_object().cloned().unwrap_or_default(), needed);
            }
            Err(NetworkError::MissingOption { option, .. }) => {
                layer.insert(option.clone(), given[&option].clone());
                needed.push(option);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn every_layer_and_option_is_in_the_description() {
    let table = table(&text());
    // Functions of one's own are not read.
    let own = ["closed_form", "numerical"];
    let names: Vec<_> = Layer::names().filter(|name| !own.contains(name)).collect();
    assert!(names.len() > 25);
    for name in &names {
        let documented = table
            .get(*name)
            .unwrap_or_else(|| panic!("{name} is missing"));
        let (defaults, needed) = options(name);
        let read = names_of(name);
        for option in documented.keys() {
            assert!(read.contains(option), "{name} has no {option}");
        }
        for option in &read {
            // A sum has it for the sake of the average alone, and a local layer for that of the other.
            let refused = [("sum_pool", "normalize_edges"), ("conv_local", "groups")];
            let told = documented.contains_key(option) || refused.contains(&(*name, &option[..]));
            assert!(told, "{name}.{option} is missing");
        }
        for (option, default) in &defaults {
            // A sum has it for the sake of the average alone.
            if (*name, &option[..]) == ("sum_pool", "normalize_edges") {
                continue;
            }
            let told = documented.get(option);
            let told = told.unwrap_or_else(|| panic!("{name}.{option} is missing"));
            let expected = (!needed.contains(option)).then(|| default.to_string());
            assert_eq!(*told, expected, "{name}.{option}");
        }
    }
    assert_eq!(table.len(), names.len());
}

#[test]
fn its_examples_are_read() {
    let text = text();
    let blocks: Vec<_> = text.split("```json").skip(1).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        Network::from_json(block.split("```").next().unwrap()).unwrap();
    }
    for padding in ["[1, 1]", "[[0, 1], [0, 1]]", r#"{"circular": [1, 1]}"#] {
        assert!(text.contains(&format!("`{padding}`")));
        let layer = format!(r#"{{"layers": [{{"conv": {{"padding": {padding}}}}}]}}"#);
        Network::from_json(&layer).unwrap();
    }
}
