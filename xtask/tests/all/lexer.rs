//! Rust's tokens, as far as rules on source text need them, and a file's text without its tests.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Comment,
    /// A string or a character, whatever its prefix.
    Quoted,
    Lifetime,
    /// A name, a keyword or a number.
    Word,
    /// `=>`, `::`, or any other character.
    Sign,
}

/// A token and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    pub(crate) at: usize,
}

/// All tokens, comments among them.
fn all(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let (kind, length) = next(&text[at..], first);
        if let Some(kind) = kind {
            let text = &text[at..at + length];
            found.push(Token { kind, text, at });
        }
        at += length;
    }
    found
}

/// The tokens that a compiler sees.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = all(text);
    found.retain(|token| token.kind != Kind::Comment);
    found
}

/// What begins here, nothing for a blank, and how long it is.
fn next(rest: &str, first: char) -> (Option<Kind>, usize) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let word = |from: usize| {
        let end = rest[from..].find(|c| !is_word(c));
        from + end.unwrap_or(rest.len() - from)
    };
    if first.is_whitespace() {
        return (None, first.len_utf8());
    }
    let (kind, length) = if rest.starts_with("//") {
        (Kind::Comment, rest.find('\n').unwrap_or(rest.len()))
    } else if rest.starts_with("/*") {
        (Kind::Comment, block_comment(rest))
    } else if let Some(length) = quoted(rest) {
        (Kind::Quoted, length)
    } else if first == '\'' {
        (Kind::Lifetime, word(1))
    } else if rest.starts_with("r#") {
        (Kind::Word, word(2))
    } else if is_word(first) {
        (Kind::Word, word(0))
    } else if rest.starts_with("=>") || rest.starts_with("::") {
        (Kind::Sign, 2)
    } else {
        (Kind::Sign, first.len_utf8())
    };
    (Some(kind), length)
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let pair = rest.as_bytes().get(at..at + 2);
        match pair {
            Some(b"/*") => depth += 1,
            Some(b"*/") => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            break;
        }
    }
    at.min(rest.len())
}

/// The length of the string or character that begins here.
fn quoted(rest: &str) -> Option<usize> {
    let letters = rest.find(|c| !matches!(c, 'b' | 'c' | 'r'))?;
    let (prefix, after) = rest.split_at(letters);
    if !["", "b", "c", "r", "br", "cr"].contains(&prefix) {
        return None;
    }
    if after.starts_with('\'') && ["", "b"].contains(&prefix) {
        let mut inside = after[1..].chars();
        // A lifetime is not closed after one character.
        let is_character = inside.next()? == '\\' || inside.next() == Some('\'');
        return is_character.then(|| closed(rest, letters + 1, '\''));
    }
    let raw = prefix.ends_with('r');
    let hashes = after.len() - after.trim_start_matches('#').len();
    if !after[hashes..].starts_with('"') || hashes > 0 && !raw {
        return None;
    }
    let body = letters + hashes + 1;
    if !raw {
        return Some(closed(rest, body, '"'));
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = rest[body..].find(&end).map(|at| body + at + end.len());
    Some(inside.unwrap_or(rest.len()))
}

/// The end of what begins before `from`, after the first such quote that is not escaped.
fn closed(rest: &str, from: usize, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest[from..].char_indices() {
        if c == quote && !escaped {
            return from + at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// The bracket that closes the one at `open`, or the last token.
pub(crate) fn close(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match (token.kind, token.text) {
            (Kind::Sign, "(" | "[" | "{") => depth += 1,
            (Kind::Sign, ")" | "]" | "}") => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i;
        }
    }
    tokens.len().saturating_sub(1)
}

/// A file's code, and the files that are its tests.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Code {
    /// The text, with blanks for comments and for each item under `#[cfg(test)]`; the lines are
    /// where they were.
    pub(crate) text: String,
    /// The `mod name;` among these items: a name, or a path that is given.
    pub(crate) test_files: Vec<String>,
}

/// Blanks out comments, and exactly the items that only tests compile.
pub(crate) fn code(text: &str) -> Code {
    let comments = all(text);
    let comments = comments.iter().filter(|token| token.kind == Kind::Comment);
    let mut blank: Vec<_> = comments.map(|c| c.at..c.at + c.text.len()).collect();
    let mut test_files = Vec::new();
    let tokens = tokens(text);
    let texts: Vec<&str> = tokens.iter().map(|token| token.text).collect();
    let mut i = 0;
    while i < tokens.len() {
        let inner = usize::from(texts.get(i + 1) == Some(&"!"));
        let is_attribute = texts[i] == "#" && texts.get(i + 1 + inner) == Some(&"[");
        if !is_attribute {
            i += 1;
            continue;
        }
        let end = close(&tokens, i + 1 + inner);
        if !is_test(&texts[i + 2 + inner..end]) {
            i = end + 1;
            continue;
        }
        let last = match inner {
            0 => item(&tokens, &texts, end + 1, &mut test_files),
            _ => tokens.len() - 1,
        };
        let stop = tokens.get(last).map_or(text.len(), |t| t.at + t.text.len());
        blank.push(tokens[i].at..stop);
        i = last + 1;
    }
    let mut bytes = text.as_bytes().to_vec();
    for range in blank {
        let kept = |byte: u8| if byte == b'\n' { byte } else { b' ' };
        bytes[range].iter_mut().for_each(|byte| *byte = kept(*byte));
    }
    Code {
        text: String::from_utf8(bytes).unwrap(),
        test_files,
    }
}

/// Whether these are `cfg(test)` or `cfg(all(test, ...))`.
fn is_test(attribute: &[&str]) -> bool {
    match attribute {
        ["cfg", "(", "test", ")"] => true,
        ["cfg", "(", "all", "(", conditions @ ..] => {
            let mut depth = 0;
            conditions.iter().any(|&condition| {
                depth += i32::from(condition == "(") - i32::from(condition == ")");
                depth == 0 && condition == "test"
            })
        }
        _ => false,
    }
}

/// The last token of the item, field, arm or statement that begins at `from`, with its further
/// attributes.
fn item(tokens: &[Token<'_>], texts: &[&str], from: usize, test_files: &mut Vec<String>) -> usize {
    let text = |i: usize| texts.get(i).copied().unwrap_or_default();
    let mut i = from;
    let mut path = None;
    while text(i) == "#" {
        if text(i + 2) == "path" {
            path = Some(text(i + 4).trim_matches('"'));
        }
        i = close(tokens, i + 1) + 1;
    }
    if text(i) == "pub" {
        i += 1;
        if text(i) == "(" {
            i = close(tokens, i) + 1;
        }
    }
    if text(i) == "mod" && text(i + 2) == ";" {
        test_files.push(path.unwrap_or(text(i + 1)).to_string());
    }
    let is_function = ["fn", "unsafe", "async", "extern"].contains(&text(i + 1));
    // What a block does not end, and what a comma does.
    let (through_blocks, to_comma) = match text(i) {
        "use" | "let" | "static" | "type" => (true, false),
        "const" => (!is_function, false),
        "extern" => (text(i + 1) == "crate", false),
        "fn" | "mod" | "impl" | "struct" | "enum" | "union" | "trait" | "unsafe" | "async"
        | "macro_rules" => (false, false),
        _ => (false, true),
    };
    while i < tokens.len() {
        match text(i) {
            "{" if !through_blocks => return close(tokens, i),
            "(" | "[" | "{" => i = close(tokens, i),
            ";" => return i,
            "," if to_comma => return i,
            // Of what it stands in.
            ")" | "]" | "}" => return i - 1,
            _ => {}
        }
        i += 1;
    }
    i.saturating_sub(1)
}

#[test]
fn quotes_and_comments_are_one_token_each() {
    use Kind::{Comment, Lifetime, Quoted, Sign, Word};
    for (text, expected) in [
        ("// a { \"\nb", vec![(Comment, "// a { \""), (Word, "b")]),
        (
            "/* a /* { */ */b",
            vec![(Comment, "/* a /* { */ */"), (Word, "b")],
        ),
        (r#""a \" {" b"#, vec![(Quoted, r#""a \" {""#), (Word, "b")]),
        (r#""\\" b"#, vec![(Quoted, r#""\\""#), (Word, "b")]),
        (
            "r#\"a \" { \"# b",
            vec![(Quoted, "r#\"a \" { \"#"), (Word, "b")],
        ),
        ("br\"\\\" b", vec![(Quoted, "br\"\\\""), (Word, "b")]),
        (
            r"'{' '\'' '\u{7b}' b'}'",
            vec![
                (Quoted, "'{'"),
                (Quoted, r"'\''"),
                (Quoted, r"'\u{7b}'"),
                (Quoted, "b'}'"),
            ],
        ),
        (
            "&'a b 'é'",
            vec![(Sign, "&"), (Lifetime, "'a"), (Word, "b"), (Quoted, "'é'")],
        ),
        (
            "r#match crab \"",
            vec![(Word, "r#match"), (Word, "crab"), (Quoted, "\"")],
        ),
        (
            "a::b=>1",
            vec![
                (Word, "a"),
                (Sign, "::"),
                (Word, "b"),
                (Sign, "=>"),
                (Word, "1"),
            ],
        ),
    ] {
        let found: Vec<_> = all(text).iter().map(|t| (t.kind, t.text)).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn exactly_what_tests_compile_is_left_out() {
    for (text, kept) in [
        ("a; #[cfg(test)] use b::{c, d}; e", "a; e"),
        ("#[cfg(test)] mod tests { fn f() { \"}\" } } e", "e"),
        ("#[cfg(test)] fn f(x: [u8; 2]) -> u8 { '}' } e", "e"),
        (
            "#[cfg(test)]\n// }\n#[allow(x)]\npub(crate) const A: B = B { c }; e",
            "\n\n\n e",
        ),
        ("#[cfg(test)] pub(crate) const fn f() { } e", "e"),
        ("#[cfg(all(test, unix))] impl A<B, C> for D { } e", "e"),
        (
            "struct A { #[cfg(test)] b: C<D>, e: F }",
            "struct A { e: F }",
        ),
        ("A { b, #[cfg(test)] c }", "A { b, }"),
        ("#[cfg(not(test))] fn f() {}", "#[cfg(not(test))] fn f() {}"),
        (
            "#[cfg(all(not(test), unix))] e",
            "#[cfg(all(not(test), unix))] e",
        ),
        ("a // b\n/* c */ d", "a \n d"),
        ("#![cfg(test)] a", ""),
        ("\"#[cfg(test)]\" a", "\"#[cfg(test)]\" a"),
    ] {
        let words = |text: &str| {
            text.split_inclusive('\n')
                .map(|line| {
                    line.split(' ')
                        .filter(|w| !w.is_empty())
                        .collect::<Vec<_>>()
                        .join(" ")
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(
            words(&code(text).text).concat(),
            words(kept).concat(),
            "{text}"
        );
    }
    let files = "#[cfg(test)] mod tests; mod a; #[cfg(test)] #[path = \"b.rs\"] mod c;";
    assert_eq!(code(files).test_files, ["tests", "b.rs"]);
}
