//! The figures look as they did when they were last looked at.
//!
//! After a change that is meant to be seen, run `NTK_BLESS=1 cargo test -p ntk-plots --test
//! all golden`, and look at the pictures in `tests/golden/` before committing them.

use std::path::Path;

use crate::common::{Decoded, decode, every_kind};

/// Side of the blocks whose mean colours are compared, in pixels of the PNG: four nominal
/// pixels, so that a different rounding inside a letter or of a line's edge averages out.
const BLOCK: usize = 8;
/// Largest difference of a block's mean, of 255. Measured: one other letter in a label makes 31,
/// curves an eighth wider 22.
const BLOCK_TOLERANCE: f64 = 8.0;
/// Largest mean of all differences, of 255. Measured: curves an eighth wider make 0.2.
const MEAN_TOLERANCE: f64 = 0.1;

/// Mean colours of the blocks.
fn blocks((width, height, rgb): &Decoded) -> Vec<f64> {
    let (across, down) = (width.div_ceil(BLOCK), height.div_ceil(BLOCK));
    let (mut sums, mut counts) = (vec![0.0; across * down * 3], vec![0.0; across * down * 3]);
    for (i, byte) in rgb.iter().enumerate() {
        let (pixel, channel) = (i / 3, i % 3);
        let at = ((pixel / width / BLOCK) * across + pixel % width / BLOCK) * 3 + channel;
        sums[at] += f64::from(*byte);
        counts[at] += 1.0;
    }
    sums.iter().zip(&counts).map(|(s, n)| s / n).collect()
}

#[test]
fn figures_look_as_before() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let bless = std::env::var_os("NTK_BLESS").is_some();
    for (name, figure) in every_kind() {
        let path = folder.join(format!("{name}.png"));
        let png = figure.png().unwrap();
        assert!(png.len() < 30_000, "{name}: {} bytes", png.len());
        if bless {
            std::fs::write(&path, &png).unwrap();
            continue;
        }
        let (new, old) = (decode(&png), decode(&std::fs::read(&path).unwrap()));
        assert_eq!((new.0, new.1), (old.0, old.1), "{name}: the size changed");
        let differences: Vec<f64> = blocks(&new)
            .iter()
            .zip(blocks(&old))
            .map(|(a, b)| (a - b).abs())
            .collect();
        let largest = differences.iter().copied().fold(0.0, f64::max);
        let mean = differences.iter().sum::<f64>() / differences.len() as f64;
        assert!(
            largest <= BLOCK_TOLERANCE && mean <= MEAN_TOLERANCE,
            "{name}: blocks differ by {largest:.1} at most and {mean:.3} on average; \
             if that is meant, see the head of this file"
        );
    }
}
