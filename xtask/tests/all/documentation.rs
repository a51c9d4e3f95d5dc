//! The rules of the documentation: what first sentences are, that the programs on the front pages
//! are the examples, and that each function that takes a caller's arrays is called with hostile ones.

use super::architecture::{root, rust_files};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The crates that others depend on.
const LIBRARIES: &[&str] = &[
    "ntk-linalg",
    "ntk-plots",
    "ntk-data",
    "ntk-kernels",
    "ntk-entropy",
    "ntk-train",
    "ntk-store",
];

/// The programs of ten lines, each on the front page of its crate.
const EXAMPLES: &[&str] = &[
    "ntk-kernels/examples/kernel_ridge.rs",
    "ntk-kernels/examples/gaussian_process.rs",
    "ntk-kernels/examples/predictions_over_time.rs",
    "ntk-train/examples/pytorch_ntk.rs",
    "ntk-train/examples/entropy_during_training.rs",
    "ntk-store/examples/out_of_core.rs",
];

/// The files of a folder, but for those that only tests compile.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    rust_files(folder, &mut found);
    let of_tests = ["tests.rs", "testing.rs", "suite.rs"];
    found.retain(|path| !of_tests.iter().any(|name| path.ends_with(name)));
    found.sort();
    found
}

/// A public item.
struct Item {
    place: String,
    /// `fn`, `struct` and so on.
    kind: String,
    name: String,
    /// What follows the name, up to the body.
    signature: String,
    /// The first sentence of its documentation.
    sentence: String,
}

const KINDS: &[&str] = &["fn", "struct", "enum", "trait", "type", "const", "mod"];

fn items(name: &str) -> Vec<Item> {
    let files = sources(&root().join(name).join("src"));
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
        let lines: Vec<&str> = code.lines().collect();
        let mut paragraph: Vec<&str> = Vec::new();
        let mut ended = false;
        for (number, line) in lines.iter().enumerate() {
            let line = line.trim();
            if let Some(doc) = line.strip_prefix("///") {
                ended |= doc.trim().is_empty();
                if !ended {
                    paragraph.push(doc.trim());
                }
                continue;
            }
            if let Some(item) = line.strip_prefix("pub ") {
                let item = ["const ", "unsafe "].iter().fold(item, |item, word| {
                    let rest = item
                        .strip_prefix(word)
                        .filter(|rest| rest.starts_with("fn "));
                    rest.unwrap_or(item)
                });
                let (kind, rest) = item.split_once(' ').unwrap_or((item, ""));
                if KINDS.contains(&kind) && !rest.ends_with(';') {
                    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                    let (name, start) = rest.split_at(end.unwrap_or(rest.len()));
                    let mut signature = start.to_string();
                    for next in &lines[number + 1..] {
                        if signature.contains('{') || signature.contains(';') {
                            break;
                        }
                        signature.push_str(next);
                    }
                    let whole = paragraph.join(" ");
                    let end = [". ", ": ", "; "]
                        .iter()
                        .filter_map(|end| whole.find(end))
                        .min();
                    found.push(Item {
                        place: format!("{}:{}", file.display(), number + 1),
                        kind: kind.to_string(),
                        name: name.to_string(),
                        signature: signature.split('{').next().unwrap().to_string(),
                        sentence: whole[..end.unwrap_or(whole.len())].to_string(),
                    });
                }
            }
            // Attributes stand between the documentation and the item.
            if !line.starts_with("#[") && !line.starts_with("reason") && !line.starts_with(")]") {
                paragraph.clear();
                ended = false;
            }
        }
    }
    found
}

/// Verbs in the third person that first sentences have; a new one is a word here.
const VERBS: &str = include_str!("verbs.txt");

/// A function's first sentence begins with what it does; that of anything else has a verb.
#[test]
fn first_sentences_have_a_verb() {
    let verbs: BTreeSet<&str> = VERBS.split_whitespace().collect();
    let mut bad = Vec::new();
    for item in LIBRARIES.iter().flat_map(|name| items(name)) {
        let words: Vec<String> = item
            .sentence
            .split(|c: char| !c.is_alphanumeric() && c != '\'')
            .map(str::to_lowercase)
            .collect();
        let good = match item.kind.as_str() {
            "fn" => words.first().is_some_and(|word| verbs.contains(&**word)),
            // Modules are documented inside.
            "mod" => item.sentence.is_empty() || words.iter().any(|word| verbs.contains(&**word)),
            _ => words.iter().any(|word| verbs.contains(&**word)),
        };
        if !good {
            bad.push(format!(
                "{} {} {}: {}",
                item.place, item.kind, item.name, item.sentence
            ));
        }
    }
    assert!(
        bad.is_empty(),
        "{} without a verb:\n{}",
        bad.len(),
        bad.join("\n")
    );
}

/// The examples are what the front pages show, and so run as tests of the documentation too.
#[test]
fn front_pages_show_the_examples() {
    for example in EXAMPLES {
        let path = root().join(example);
        let text = fs::read_to_string(&path).unwrap();
        let program: Vec<&str> = text
            .lines()
            .skip_while(|line| !line.starts_with("use "))
            .collect();
        let package = example.split('/').next().unwrap();
        let readme = fs::read_to_string(root().join(package).join("README.md")).unwrap();
        let program = program.join("\n");
        assert!(
            readme.contains(&program),
            "{package}/README.md does not show {example} as it is"
        );
        let lines = program.lines().filter(|line| !line.is_empty()).count();
        assert!(
            lines <= 30,
            "{example} has {lines} lines, and should have some ten"
        );
    }
}

/// `tests/all/hostile.rs`, or the files of that folder, of each library names each public function that takes arrays, slices,
/// lists or text from its caller.
#[test]
fn hostile_tests_name_every_function() {
    let mut missing = Vec::new();
    for name in LIBRARIES {
        let mut files = sources(&root().join(name).join("tests/all"));
        files.retain(|file| file.to_str().unwrap().contains("hostile"));
        assert!(!files.is_empty(), "{name} has no tests/all/hostile.rs");
        let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
        let text = texts.collect::<Vec<_>>().join("\n");
        let words: BTreeSet<&str> = text
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .collect();
        for item in items(name).into_iter().filter(|item| item.kind == "fn") {
            let arguments = item.signature.split("->").next().unwrap();
            let takes = [
                "Array", "Inputs<", "&[", "&mut [", "Vec<", "&str", "usize", "f64",
            ];
            if takes.iter().any(|taken| arguments.contains(taken)) && !words.contains(&*item.name) {
                missing.push(format!("{} {}", item.place, item.name));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "{} functions are called with nothing hostile:\n{}",
        missing.len(),
        missing.join("\n")
    );
}
