//! No bytes make a reader of a user's file panic, hang, or take memory on their word.

#[path = "../ntk-cli/tests/readers/mod.rs"]
mod readers;

pub use libfuzzer_sys::fuzz_target;
pub use readers::*;
use std::path::Path;

/// Writes the files that a reader takes to where cargo-fuzz has it begin.
pub fn seed(reader: &Reader) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(reader.name);
    std::fs::create_dir_all(&folder).unwrap();
    for (number, bytes) in (reader.corpus)().iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number}")), bytes).unwrap();
    }
}

/// Is the program of one reader.
#[macro_export]
macro_rules! reads {
    ($reader:ident) => {
        $crate::fuzz_target!(
            init: $crate::seed(&$crate::$reader),
            |bytes: &[u8]| {
                let _ = ($crate::$reader.read)(bytes);
            }
        );
    };
}
