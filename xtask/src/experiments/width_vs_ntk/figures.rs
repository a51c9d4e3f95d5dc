//! The notebook's two panels, by both kernels, and what they do not show side by side.

use super::kernels::{self, NNGP, NTK, TIMES};
use super::networks::{self, spread};
use super::{ON_TEST, ON_TRAIN, SIZES, TRAIN};
use crate::experiments::study::{
    AllSeries, BLACK, Captioned, captioned, family, level, points, row,
};
use ndarray::s;
use ntk_plots::{LineChart, Scale, Series};

/// The index of infinite time.
const END: usize = TIMES.len() - 1;
/// What figures call the kernels, and where they are measured.
const KERNELS: [&str; 2] = ["NNGP", "NTK"];
const LABELS: [&str; 2] = ["training accuracy", "test accuracy"];

pub(super) fn all(
    kernels: &kernels::Accuracies,
    widths: &[usize],
    networks: &networks::Accuracies,
) -> Vec<Captioned> {
    let sizes = || SIZES.into_iter().map(|n| n as f64);
    let against_images = |title: &str, on: usize| {
        LineChart::new(title)
            .x_label("training images n")
            .y_label(LABELS[on])
            .x_scale(Scale::Log)
            .x_ticks(SIZES.map(|n| n as f64))
            .y_from_zero()
    };
    let at_time = |kernel: usize, on: usize, time: usize, name: &str| {
        let accuracies = kernels.slice(s![kernel, .., on, time]);
        points(name, sizes().zip(accuracies.iter().copied()))
    };
    let ends = |kernel: usize| format!("{}, t = ∞", KERNELS[kernel]);
    let limit = |kernel, on, name: &str| at_time(kernel, on, END, name).dashed().color(BLACK);
    let of_kernel = |kernel: usize, on: usize| {
        let finite = (0..END).map(|time| {
            let series = at_time(kernel, on, time, &format!("t = {:e}", TIMES[time]));
            family(series, time, END).markers()
        });
        against_images(&format!("{} after time t", KERNELS[kernel]), on)
            .all(finite)
            .series(limit(kernel, on, "t = ∞"))
    };
    let network = |i: usize, on: usize| {
        let seeds = networks.slice(s![i, .., on, ..]);
        let spreads = sizes().zip(seeds.outer_iter().map(spread));
        family(
            banded(format!("width {}", widths[i]), spreads),
            i,
            widths.len(),
        )
        .markers()
    };
    let of_widths = |kernel: usize, on: usize| {
        against_images("Networks by width", on)
            .all((0..widths.len()).map(|i| network(i, on)))
            .series(limit(kernel, on, &ends(kernel)))
    };
    // The kernels apart from each other, and both from networks.
    let style = |kernel: usize, series: Series| match kernel {
        NNGP => series.dotted().color(1),
        _ => series.dashed().color(BLACK),
    };
    let mut shown = vec![0, widths.len() / 2, widths.len() - 1];
    shown.dedup();
    let against_size = against_images("Kernels and networks", ON_TEST)
        .all([NNGP, NTK].map(|k| style(k, at_time(k, ON_TEST, END, &ends(k)))))
        .all(shown.into_iter().map(|i| network(i, ON_TEST)));
    let ticks: Vec<f64> = widths.iter().map(|&width| width as f64).collect();
    let largest = networks.slice(s![.., SIZES.len() - 1, ON_TEST, ..]);
    let largest = ticks.iter().copied().zip(largest.outer_iter().map(spread));
    let against_width = LineChart::new(format!("{TRAIN} training images"))
        .x_label("width")
        .y_label(LABELS[ON_TEST])
        .x_scale(Scale::Log)
        .x_ticks(ticks.clone())
        .all([NNGP, NTK].map(|k| {
            let end = kernels[[k, SIZES.len() - 1, ON_TEST, END]];
            style(k, level(ends(k), &ticks, end))
        }))
        .series(banded("network".into(), largest).color(0).markers());
    vec![
        captioned(
            "nngp",
            "The notebook's figure. Its left panel was titled NTK, but shows the kernel of the \
             network whose last layer alone is trained, the NNGP.",
            row([of_kernel(NNGP, ON_TEST), of_widths(NNGP, ON_TEST)]),
        ),
        captioned(
            "ntk",
            "The same by the NTK, which is what training all layers of the infinitely wide \
             network does.",
            row([of_kernel(NTK, ON_TEST), of_widths(NTK, ON_TEST)]),
        ),
        captioned(
            "training",
            "Accuracy on the training images: both kernels come to fit all of them, the networks \
             are stopped after 20 epochs.",
            row([
                of_kernel(NNGP, ON_TRAIN),
                of_kernel(NTK, ON_TRAIN),
                of_widths(NTK, ON_TRAIN),
            ]),
        ),
        captioned(
            "comparison",
            "Networks and kernels in the same axes: against the number of training images, and \
             against the width for all of them. Networks are trained for 20 epochs, the kernels for \
             ever.",
            row([against_size, against_width]),
        ),
    ]
}

/// Draws means over seeds, and a band from the smallest to the largest where there are several.
fn banded(name: String, spreads: impl Iterator<Item = (f64, (f64, Option<(f64, f64)>))>) -> Series {
    let spreads: Vec<_> = spreads.collect();
    let series = points(name, spreads.iter().map(|&(x, (mean, _))| (x, mean)));
    let ends: Vec<(f64, f64)> = spreads.iter().filter_map(|(_, (_, ends))| *ends).collect();
    match ends.is_empty() {
        true => series,
        false => {
            let (low, high): (Vec<f64>, Vec<f64>) = ends.into_iter().unzip();
            series.band(low, high)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array4;

    fn comparison(seeds: &[f64]) -> String {
        let kernels = Array4::from_elem((2, SIZES.len(), 2, TIMES.len()), 0.5);
        let shape = (2, SIZES.len(), 2, seeds.len());
        let networks = Array4::from_shape_fn(shape, |(.., seed)| seeds[seed]);
        let figures = all(&kernels, &[64, 128], &networks);
        assert!(figures.iter().all(|(_, figure)| figure.svg().is_ok()));
        figures[3].1.csv().unwrap()[0].text.clone()
    }

    #[test]
    fn several_seeds_have_a_band_around_their_mean() {
        let csv = comparison(&[0.25, 0.75, 0.5]);
        for line in [
            "2048 training images,network,64,0.5",
            "2048 training images,network (low),128,0.25",
            "Kernels and networks,width 128 (high),2048,0.75",
        ] {
            assert!(csv.contains(&format!("{line}\n")), "{line}: {csv}");
        }
        assert!(!comparison(&[0.25]).contains("(low)"));
    }
}
