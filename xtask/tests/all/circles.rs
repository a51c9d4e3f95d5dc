//! Files of a crate that import each other in a circle.
//!
//! A file imports the file of the longest module on each path in it that begins with `crate` or
//! `super`. What it takes from modules that it is in, or that are in it, does not count, and so
//! neither what the former hand on. Modules within a file are not told apart from it.

use super::lexer;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

/// The names of a module, from the crate's root.
type Module = Vec<String>;

/// The module that a file is, by its path in `src`.
fn module(path: &Path) -> Module {
    let path = path.with_extension("");
    let names = path.iter().map(|name| name.to_str().unwrap());
    let names = names.filter(|name| !["mod", "lib", "main"].contains(name));
    names.map(str::to_string).collect()
}

/// Adds the paths of the tree that begins at `at`, each after `path`; gives where the tree ends.
fn paths(texts: &[&str], mut at: usize, mut path: Module, found: &mut Vec<Module>) -> usize {
    let text = |at: usize| texts.get(at).copied().unwrap_or("}");
    loop {
        if text(at) == "}" {
            return at;
        }
        if text(at) == "{" {
            while text(at) != "}" {
                at = paths(texts, at + 1, path.clone(), found);
                // Past another name, `as` which it is known.
                while !matches!(text(at), "," | "}") {
                    at += 1;
                }
            }
            return at + 1;
        }
        path.push(text(at).to_string());
        at += 1;
        if text(at) != "::" {
            found.push(path);
            return at;
        }
        at += 1;
    }
}

/// The modules that code in `from` names, of those that are files.
fn imports(from: &Module, code: &str, files: &BTreeSet<Module>) -> BTreeSet<Module> {
    let tokens = lexer::tokens(code);
    let texts: Vec<&str> = tokens.iter().map(|token| token.text).collect();
    let mut found = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        let begins = at == 0 || texts[at - 1] != "::";
        if begins && ["crate", "super"].contains(text) && texts.get(at + 1) == Some(&"::") {
            paths(&texts, at, Vec::new(), &mut found);
        }
    }
    let file = |path: Module| {
        let ups = path.iter().take_while(|name| *name == "super").count();
        let above = from
            .len()
            .saturating_sub(if ups == 0 { usize::MAX } else { ups });
        let mut to = [&from[..above], &path[ups.max(1)..]].concat();
        while !to.is_empty() && !files.contains(&to) {
            to.pop();
        }
        to
    };
    let mut found: BTreeSet<_> = found.into_iter().map(file).collect();
    found.retain(|to| !from.starts_with(to) && !to.starts_with(from));
    found
}

/// Modules of which each imports the next, and the last the first, if there are any; `files` are
/// their paths in `src` and their code.
pub(crate) fn circle(files: &[(PathBuf, String)]) -> Option<Vec<String>> {
    let modules = files.iter().map(|(path, _)| module(path)).collect();
    let of =
        |(path, code): &(PathBuf, String)| (module(path), imports(&module(path), code, &modules));
    let imports: BTreeMap<_, _> = files.iter().map(of).collect();
    for start in imports.keys() {
        let mut seen = BTreeSet::new();
        let mut ways = VecDeque::from([vec![start]]);
        while let Some(way) = ways.pop_front() {
            for next in imports.get(way[way.len() - 1]).into_iter().flatten() {
                if next == start {
                    return Some(way.into_iter().map(|names| names.join("::")).collect());
                }
                if seen.insert(next) {
                    ways.push_back([&way[..], &[next]].concat());
                }
            }
        }
    }
    None
}

#[test]
fn exactly_circles_are_found() {
    let files = |d: &str| {
        [
            ("lib.rs", "mod a; pub use a::A; use crate::d::E;"),
            ("a.rs", "use crate::{e as d, b::c::{F as d,},};"),
            ("b/mod.rs", "fn f() -> super::b::c::F {}"),
            ("b/c.rs", "use super::H; fn f() { super::super::d::g() }"),
            ("d.rs", d),
        ]
        .map(|(path, code)| (PathBuf::from(path), code.to_string()))
    };
    let found = circle(&files("fn g() { crate::a::A::<u8>::new() }"));
    assert_eq!(found.unwrap(), ["a", "b::c", "d"]);
    for none in ["use crate::A;", "use a::A;", "\"crate::a::A\""] {
        assert_eq!(circle(&files(none)), None, "{none}");
    }
}
