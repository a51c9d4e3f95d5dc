//! The page of promises: each names tests, and these exist.

use super::architecture::{root, rust_files};
use std::collections::BTreeSet;
use std::fs;

/// The names of all tests of a crate.
fn tests(name: &str) -> BTreeSet<String> {
    let mut files = Vec::new();
    for folder in ["src", "tests"] {
        let folder = root().join(name).join(folder);
        if folder.is_dir() {
            rust_files(&folder, &mut files);
        }
    }
    let mut found = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            match line.strip_prefix("fn ") {
                Some(rest) if is_test => {
                    let name = rest.split(['(', '<']).next().unwrap();
                    found.insert(name.to_string());
                    is_test = false;
                }
                Some(_) => is_test = false,
                None => is_test |= line == "#[test]",
            }
        }
    }
    found
}

#[test]
fn promises_name_tests_that_exist() {
    let page = fs::read_to_string(root().join("docs/trust.md")).unwrap();
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| promise"));
    let mut promises = 0;
    for row in rows {
        let (promise, named) = row.trim_matches('|').rsplit_once('|').unwrap();
        let named: Vec<_> = named.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test holds: {promise}");
        for test in named {
            let (package, name) = test.split_once(": ").expect("crate: test");
            assert!(
                tests(package).contains(name),
                "{package} has no test {name}, for: {promise}"
            );
        }
        promises += 1;
    }
    assert!(promises >= 20, "{promises}");
    // A function that is no test is none.
    assert!(!tests("xtask").contains("tests"));
    assert!(tests("xtask").contains("promises_name_tests_that_exist"));
}
