//! SHA-256 identifies the content of a file.

use sha2::{Digest, Sha256};

/// Computes the SHA-256 of the parts one after the other, in lower-case hexadecimal.
pub(crate) fn sha256(parts: &[impl AsRef<[u8]>]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
