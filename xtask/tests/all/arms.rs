//! Arms of `match` that take every layer which no other arm names.

use super::lexer::{Kind, Token, close, tokens};
use std::ops::Range;

/// What may not be matched by a wildcard: a new variant must be an error of the compiler.
const CLOSED: [&str; 2] = ["Layer", "Action"];

/// An arm's pattern, and whether a condition follows it.
struct Arm {
    pattern: Range<usize>,
    guarded: bool,
}

/// The lines (from 1) of wildcards beside arms that name variants of these enumerations.
pub(crate) fn wildcards(text: &str) -> Vec<usize> {
    let tokens = tokens(text);
    let inside = implementations(&tokens);
    let mut lines = Vec::new();
    for start in (0..tokens.len()).filter(|&i| is_word(&tokens[i], "match")) {
        let Some(open) = opening(&tokens, start + 1) else {
            continue;
        };
        let of_self = inside.iter().any(|range| range.contains(&start));
        let arms = arms(&tokens, open + 1, close(&tokens, open));
        let named = arms
            .iter()
            .any(|arm| names(&tokens[arm.pattern.clone()], of_self));
        let catch_all = arms
            .iter()
            .filter(|arm| named && !arm.guarded && takes_all(&tokens[arm.pattern.clone()]));
        lines.extend(catch_all.map(|arm| {
            let before = &text[..tokens[arm.pattern.start].at];
            before.matches('\n').count() + 1
        }));
    }
    lines
}

fn is_word(token: &Token<'_>, text: &str) -> bool {
    token.kind == Kind::Word && token.text == text
}

/// The first `{` at this depth.
fn opening(tokens: &[Token<'_>], mut i: usize) -> Option<usize> {
    loop {
        match tokens.get(i)?.text {
            "{" => return Some(i),
            "(" | "[" => i = close(tokens, i) + 1,
            ")" | "]" | "}" | ";" => return None,
            _ => i += 1,
        }
    }
}

/// The bodies of these enumerations' `impl`s, in which `Self` names them.
fn implementations(tokens: &[Token<'_>]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for start in (0..tokens.len()).filter(|&i| is_word(&tokens[i], "impl")) {
        let Some(open) = opening(tokens, start) else {
            continue;
        };
        let (mut depth, mut name) = (0, "");
        for (i, token) in tokens.iter().enumerate().take(open).skip(start + 1) {
            match token.text {
                "<" => depth += 1,
                ">" if tokens[i - 1].text != "-" => depth -= 1,
                "where" => break,
                text if depth == 0 && token.kind == Kind::Word => name = text,
                _ => {}
            }
        }
        if CLOSED.contains(&name) {
            found.push(open..close(tokens, open));
        }
    }
    found
}

/// The arms between two braces.
fn arms(tokens: &[Token<'_>], from: usize, to: usize) -> Vec<Arm> {
    let mut found = Vec::new();
    let mut i = from;
    while i < to {
        while tokens[i].text == "#" && i + 1 < to {
            i = close(tokens, i + 1) + 1;
        }
        let (start, mut guard) = (i, None);
        while i < to && tokens[i].text != "=>" {
            match tokens[i].text {
                "(" | "[" | "{" => i = close(tokens, i),
                "if" => guard = guard.or(Some(i)),
                _ => {}
            }
            i += 1;
        }
        if i >= to {
            break;
        }
        found.push(Arm {
            pattern: start..guard.unwrap_or(i),
            guarded: guard.is_some(),
        });
        i = after(tokens, i + 1, to);
    }
    found
}

/// Where the next arm begins after the expression at `i`: its comma may be missing after a block.
fn after(tokens: &[Token<'_>], mut i: usize, to: usize) -> usize {
    let blocks = ["{", "match", "if", "for", "while", "loop", "unsafe"];
    let is_block = i < to && blocks.contains(&tokens[i].text);
    while i < to {
        match tokens[i].text {
            "," => return i + 1,
            "{" if is_block => {
                i = close(tokens, i) + 1;
                let goes_on = i < to && [".", "?", "else"].contains(&tokens[i].text);
                if !goes_on {
                    let comma = i < to && tokens[i].text == ",";
                    return i + usize::from(comma);
                }
                continue;
            }
            "(" | "[" | "{" => i = close(tokens, i),
            _ => {}
        }
        i += 1;
    }
    i
}

/// Whether a pattern names a variant.
fn names(pattern: &[Token<'_>], of_self: bool) -> bool {
    pattern.windows(2).any(|pair| {
        let is_closed = CLOSED.contains(&pair[0].text) || of_self && pair[0].text == "Self";
        is_closed && pair[1].text == "::"
    })
}

/// Whether one of a pattern's alternatives is made of wildcards and bindings alone.
fn takes_all(pattern: &[Token<'_>]) -> bool {
    let mut depth = 0;
    let mut alternatives = pattern.split(|token| {
        depth += match token.text {
            "(" | "[" | "{" => 1,
            ")" | "]" | "}" => -1,
            _ => 0,
        };
        depth == 0 && token.text == "|"
    });
    alternatives.any(|alternative| {
        let takes_any = |(i, token): (usize, &Token<'_>)| match token.kind {
            Kind::Sign => ["&", "(", ")", ",", "@", ".", "|"].contains(&token.text),
            Kind::Word => {
                let binds = token
                    .text
                    .starts_with(|c: char| c.is_lowercase() || c == '_');
                let path = alternative.get(i + 1).is_some_and(|next| next.text == "::");
                binds && !path && !["true", "false"].contains(&token.text)
            }
            Kind::Comment | Kind::Quoted | Kind::Lifetime => false,
        };
        !alternative.is_empty() && alternative.iter().enumerate().all(takes_any)
    })
}

#[test]
fn wildcards_over_layers_are_found() {
    for (text, lines) in [
        ("match a {\nLayer::A(x) => x,\n_ => 0 }", vec![3]),
        (
            "match a { Layer::A => { f() }\nother => g(other), }",
            vec![2],
        ),
        (
            "match a { network::Layer::A { b, .. } if c => {}\nx @ _ => {} }",
            vec![2],
        ),
        (
            "match f(|x| { x }) { Some(Layer::A) => 1,\n_ | Some(Layer::B) => 2 }",
            vec![2],
        ),
        (
            "match (a, b) { (Layer::A, Action::B) => 1,\n(_, _) => 2 }",
            vec![2],
        ),
        (
            "match a { Layer::A => match b {\nAction::B => 1,\n_ => 2,\n},\nLayer::C => \"_ =>\".into() }",
            vec![3],
        ),
        (
            "match &a { Layer::A => if b { 1 } else { 2 }\n&_ => 3 }",
            vec![2],
        ),
        (
            "impl<T: A> B for m::Layer<T> { fn f(&self) { match self { Self::A => 1,\n_ => 2 } } }",
            vec![2],
        ),
        (
            "match a { #[cfg(x)] Layer::A => unsafe { f() }\n#[cfg(not(x))] _ => 2 }",
            vec![2],
        ),
    ] {
        assert_eq!(wildcards(text), lines, "{text}");
    }
    for text in [
        "match a { Layer::A => 1, Layer::B(_) | Layer::C { .. } => 2 }",
        "match a { Some(Layer::A) => 1, Some(Layer::B) => 2, None => 3 }",
        "match a { Layer::A => 1, x if f(x) => 2, Layer::B => 3 }",
        "match a { Ok(x) => Layer::A, _ => Layer::B }",
        "match a { \"Layer::A\" => 1, _ => 2 }",
        "impl Other { fn f(&self) { match self { Self::A => 1, _ => 2 } } }",
        "match a { Layer::A => match b { 1 => 2, _ => 3 }, Layer::B => 4 }",
        "match a { Layer::A => f(|_| 1), Layer::B => { match c { _ => 1 } } }",
    ] {
        assert_eq!(wildcards(text), [0_usize; 0], "{text}");
    }
}
