//! The notebook's pictures, and the two that it commented out.

use super::closed_form::{Fit, Formula, PRINTED_EIGENVALUES, RANDOM, SIZES, Spectral, find};
use super::descent::{self, Descent};
use super::network::{BATCH, SgdNetwork};
use super::{Failure, Images, NETWORK_IMAGES};
use crate::experiments::study::{AllSeries, Captioned, captioned, points, row};
use ndarray::{Array2, s};
use ntk_data::DataSet;
use ntk_plots::{HeatMap, ImageGrid, LineChart, Scale, Series};

/// The number of test images that are shown with the network's answer.
const SHOWN: usize = 8;

pub(super) fn all(
    set: &DataSet,
    [train, test]: [&Images; 2],
    fits: &[Fit],
    trained: &SgdNetwork,
    random: &[(Formula, Spectral)],
    descent: Descent,
) -> Result<Vec<Captioned>, Failure> {
    let mut shown = Vec::new();
    for formula in Formula::BOTH {
        let matrix = find(fits, formula, NETWORK_IMAGES)?.shown.clone();
        shown.push((formula, matrix.ok_or("the matrix was not kept")?));
    }
    let name = |&label: &u8| &set.classes[usize::from(label)];
    let labels = train.split.labels.iter().take(BATCH);
    let batch = ImageGrid::new("The first batch", gray(train, BATCH))
        .captions(labels.map(|label| name(label).to_string()).collect())
        .columns(8);
    let answers = test
        .split
        .labels
        .iter()
        .zip(&trained.test_classes)
        .take(SHOWN);
    let answers = answers.map(|(truth, said)| format!("{}, said {}", name(truth), name(said)));
    let answered = ImageGrid::new("The first test images", gray(test, SHOWN))
        .captions(answers.collect())
        .columns(4);

    let loss = LineChart::new("Training loss")
        .x_label("gradient step")
        .y_label("mean square on the batch")
        .y_scale(Scale::Log)
        .series(numbered("network", 0, &trained.losses));
    let spectrum = spectra(
        &shown,
        &format!("Eigenvalues of the Gram matrix, {NETWORK_IMAGES} images"),
    )
    .y_scale(Scale::Log);
    let smallest = LineChart::new("Smallest eigenvalue of the Gram matrix")
        .x_label("training images n")
        .y_label("eigenvalue")
        .y_from_zero()
        .all(against_n(fits, |fit| fit.smallest_eigenvalue))
        .series(points("the notebook", sizes().zip(PRINTED_EIGENVALUES)).points_only());
    let bound = LineChart::new("Generalisation bound")
        .x_label("training images n")
        .y_label("sqrt(yᵀ H⁻¹ y / n)")
        .all(against_n(fits, |fit| fit.bound));
    let spectrum_of_random = spectra(random, "Eigenvalues for Gaussian inputs").y_from_zero();

    let eigenbasis = "eigenvector, ascending";
    let map = |title: &str, label: &str, values: Array2<f64>| {
        HeatMap::new(title, values).x_label(label).y_label(label)
    };
    let against_step = |title: &str, label: &str, name: &str, of: &[f64]| {
        LineChart::new(title)
            .x_label("gradient step")
            .y_label(label)
            .y_from_zero()
            .series(numbered(name, 0, of))
    };
    let (weights, times) = descent.moved.dim();
    let moved = HeatMap::new("|w_t - w_0| in the eigenbasis of X Xᵀ", descent.moved)
        .x_label("gradient step")
        .y_label(eigenbasis)
        .extent((0.0, (times - 1) as f64), (0.0, weights as f64));
    Ok(vec![
        captioned(
            "batch",
            "The first batch of training images, in file order, with their classes.",
            row([batch]),
        ),
        captioned(
            "test-images",
            "The first eight test images of the two classes: truth, and what the network says.",
            row([answered]),
        ),
        captioned(
            "training-loss",
            "Loss of the network on each batch, before the step. The first steps overshoot. Seven \
             batches make a pass, each with a level of its own, hence the width of the curve.",
            row([loss]),
        ),
        captioned(
            "eigenvalues",
            "Sorted eigenvalues. All are positive, so the kernel can fit any labels.",
            row([spectrum]),
        ),
        captioned(
            "gram",
            "The kernel of every pair of training images, both formulas.",
            row(grams(&shown, "training image"))
                .title(format!("Gram matrix of {NETWORK_IMAGES} images")),
        ),
        captioned(
            "smallest-eigenvalue",
            "The smaller set is part of the larger, so it can only fall (Cauchy's interlacing). The \
             notebook's values lie on the curve of the formula that it printed.",
            row([smallest]),
        ),
        captioned(
            "bound",
            "The bound changes by less than a sixth between 100 and 1900 images.",
            row([bound]),
        ),
        captioned(
            "random-gram",
            "Random inputs in high dimension are nearly orthogonal: the diagonal dominates.",
            row(grams(random, "input")).title(format!(
                "Gram matrix of {} Gaussian inputs of dimension {}",
                RANDOM[0], RANDOM[1]
            )),
        ),
        captioned(
            "random-eigenvalues",
            "With fewer samples than dimensions the smallest eigenvalue is far from zero.",
            row([spectrum_of_random]),
        ),
        captioned(
            "regression-gram",
            "X Xᵀ has rank n = 100 of p = 1000: in its eigenbasis all but the last 100 entries of the \
             diagonal are zero. Drawn as means over blocks, which halve a diagonal.",
            row([
                map("X Xᵀ", "weight", descent.gram),
                map("in its eigenbasis", eigenbasis, descent.diagonalized),
            ])
            .title(format!(
                "Linear regression, p = {}, n = {}",
                descent::WEIGHTS,
                descent::SAMPLES
            )),
        ),
        captioned(
            "regression-descent",
            "Gradient descent on the over-parameterised linear regression.",
            row([
                against_step("Loss", "mean square", "loss", &descent.losses),
                against_step(
                    "Relative distance of the weights from their start",
                    "|w_t - w_0| / |w_0|",
                    "distance",
                    &descent.distances,
                ),
            ]),
        ),
        captioned(
            "regression-eigenbasis",
            "Only the last 100 coordinates move: w moves in the image of X alone.",
            row([moved]),
        ),
    ])
}

/// Returns what a legend calls a formula.
fn label(formula: Formula) -> String {
    formula.name().replace('_', " ")
}

/// Draws the formula of the notebook dashed.
fn style(formula: Formula, series: Series) -> Series {
    match formula {
        Formula::AsPrinted => series.dashed(),
        Formula::Correct => series,
    }
}

fn gray(images: &Images, count: usize) -> Vec<Array2<f64>> {
    let images = &images.split.images;
    let shown = images.slice(s![..count.min(images.len_of(ndarray::Axis(0))), .., .., 0]);
    let gray = |image: ndarray::ArrayView2<'_, u8>| image.mapv(|pixel| f64::from(pixel) / 255.0);
    shown.outer_iter().map(gray).collect()
}

/// Draws numbers against their place, from `first` on.
fn numbered(name: &str, first: usize, values: &[f64]) -> Series {
    points(
        name,
        values
            .iter()
            .enumerate()
            .map(|(i, &v)| ((first + i) as f64, v)),
    )
}

fn grams(matrices: &[(Formula, Spectral)], what: &str) -> Vec<HeatMap> {
    let map = |(formula, (gram, _)): &(Formula, Spectral)| {
        HeatMap::new(label(*formula), gram.clone())
            .x_label(what)
            .y_label(what)
            .bar_label("kernel")
    };
    matrices.iter().map(map).collect()
}

fn spectra(matrices: &[(Formula, Spectral)], title: &str) -> LineChart {
    let of = |(formula, (_, eigenvalues)): &(Formula, Spectral)| {
        style(
            *formula,
            numbered(&label(*formula), 1, &eigenvalues.to_vec()),
        )
    };
    LineChart::new(title)
        .x_label("index, ascending")
        .y_label("eigenvalue")
        .all(matrices.iter().map(of))
}

fn sizes() -> impl Iterator<Item = f64> {
    SIZES.into_iter().map(|n| n as f64)
}

/// Draws a number of every fit of [`SIZES`].
fn against_n(fits: &[Fit], of: fn(&Fit) -> f64) -> impl Iterator<Item = Series> {
    Formula::BOTH.into_iter().map(move |formula| {
        let fits = fits
            .iter()
            .filter(|fit| fit.formula == formula && SIZES.contains(&fit.n));
        let curve = points(label(formula), fits.map(|fit| (fit.n as f64, of(fit))));
        style(formula, curve.markers())
    })
}
