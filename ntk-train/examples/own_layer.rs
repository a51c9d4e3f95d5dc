//! A layer of one's own, in closed form and in finite networks.
#![allow(clippy::print_stdout, reason = "examples print")]

use ndarray::Array4;
use ntk_kernels::network::*;
use ntk_train::MonteCarlo;
use serde_json::{Value, json};

/// The differences of positions so many steps apart along each axis, times a scale.
#[derive(Debug)]
struct Difference(usize, f64);

impl LayerKind for Difference {
    fn name(&self) -> &str {
        "difference"
    }

    fn options(&self) -> Value {
        json!({"step": self.0, "scale": self.1})
    }

    fn resolve(&self, input: &Shape) -> Result<Resolved, String> {
        Resolved::along_each_axis(input, |size| {
            let &Self(step, scale) = self;
            let outputs = 0..size.saturating_sub(step);
            outputs
                .map(|at| vec![(at, -scale), (at + step, scale)])
                .collect()
        })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (width, seeds) = (256, 16);
    let network = Network::new()
        .then(conv([3, 3]).channels(width).same().w_std(1.4))
        .then(own(Difference(1, 0.7)))
        .then(relu())
        .then(flatten())
        .then(dense().width(1));
    let x = Array4::from_shape_fn((3, 5, 4, 2), |(i, y, x, c)| {
        ((1 + 7 * i + 3 * y + 5 * x * (i + 1) + 2 * c) as f64).sin()
    });
    let table = network.resolve([5, 4, 2])?.table();
    assert!(table.contains("difference") && table.contains("  (4, 3, 256)"));
    let exact = network.ntk(&x)?;
    let found = MonteCarlo::new(&network, 0..seeds).ntk(&x)?;
    let gaps = &found.mean - &exact;
    println!("{table}\nin closed form\n{exact:.4}\nmean of {seeds} networks, less that\n{gaps:.4}");
    // Entries spread by about 1 / sqrt(width) of the largest: five deviations of the mean.
    let largest = exact.iter().fold(0.0_f64, |most, k| most.max(k.abs()));
    let tolerance = 5.0 * largest / (width as f64 * seeds as f64).sqrt();
    assert!(gaps.iter().all(|gap| gap.abs() < tolerance), "{tolerance}");
    Ok(())
}
