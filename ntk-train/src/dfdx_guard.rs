//! Refuses to compile where dfdx could be built without its `cpu` feature, whose
//! fallback product `c = a * b` forgets to sum over the inner dimension.
//!
//! Cargo's features add up, so asking for it in this crate's manifest is enough,
//! and the manifest is what is checked. A test multiplies two matrices besides.

const _: () = assert!(
    contains(include_str!("../Cargo.toml"), "\"cpu\""),
    "ntk-train's Cargo.toml must ask for dfdx's \"cpu\" feature"
);

const fn contains(text: &str, word: &str) -> bool {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    let mut i = 0;
    let mut line_is_comment = false;
    while i + word.len() <= text.len() {
        if text[i] == b'#' {
            line_is_comment = true;
        }
        if text[i] == b'\n' {
            line_is_comment = false;
        }
        let mut j = 0;
        while j < word.len() && text[i + j] == word[j] {
            j += 1;
        }
        if j == word.len() && !line_is_comment {
            return true;
        }
        i += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::contains;
    use dfdx::prelude::*;

    #[test]
    fn comments_do_not_count() {
        assert!(contains("dfdx = [\"cpu\"]", "\"cpu\""));
        assert!(!contains("# \"cpu\"\ndfdx = []", "\"cpu\""));
    }

    #[test]
    fn dfdx_multiplies_matrices() {
        let device = Cpu::default();
        let a = device.tensor([[1.0, 2.0], [3.0, 4.0]]);
        let b = device.tensor([[5.0, 6.0], [7.0, 8.0]]);
        assert_eq!(a.matmul(b).array(), [[19.0, 22.0], [43.0, 50.0]]);
    }
}
