//! The notebook's pictures, and the two that it commented out.

use super::closed_form::{ClosedForm, Fit, Formula, PRINTED_EIGENVALUES, SIZES};
use super::descent::{self, Descent};
use super::network::Trained;
use super::random_inputs::{self, RandomInputs};
use super::{Captioned, Failure, Images, NETWORK_IMAGES, captioned};
use ndarray::{Array2, Axis, s};
use ntk_data::DataSet;
use ntk_plots::{Figure, HeatMap, ImageGrid, LineChart, Scale, Series};

/// Test images shown with the network's answer.
const SHOWN: usize = 8;

pub(super) fn all(
    set: &DataSet,
    train: &Images,
    test: &Images,
    closed: &ClosedForm,
    trained: &Trained,
    random: &RandomInputs,
    descent: Descent,
) -> Result<Vec<Captioned>, Failure> {
    let fits = |n: usize| -> Result<Vec<&Fit>, Failure> {
        Ok(Formula::BOTH
            .into_iter()
            .map(|f| closed.at(f, n))
            .collect::<Option<Vec<_>>>()
            .ok_or("no kernel at this size")?)
    };
    let small = fits(NETWORK_IMAGES)?;
    Ok(vec![
        batch(set, train, trained),
        test_images(set, test, trained),
        training_loss(trained),
        spectra(&small),
        grams(&small),
        smallest(closed),
        bound(closed),
        random_gram(random),
        random_spectrum(random),
        regression_gram(&descent),
        regression_descent(&descent),
        regression_eigenbasis(descent),
    ])
}

/// What a legend calls a formula.
fn label(formula: Formula) -> &'static str {
    match formula {
        Formula::AsPrinted => "as printed",
        Formula::Correct => "correct",
    }
}

fn gray(images: &Images, count: usize) -> Vec<Array2<f64>> {
    images
        .split
        .images
        .slice(s![..count.min(images.split.len()), .., .., 0])
        .axis_iter(Axis(0))
        .map(|image| image.mapv(|pixel| f64::from(pixel) / 255.0))
        .collect()
}

fn batch(set: &DataSet, train: &Images, trained: &Trained) -> Captioned {
    let names = train.split.labels.iter().take(trained.batch);
    let captions = names
        .map(|&label| set.classes[usize::from(label)].to_string())
        .collect();
    let grid = ImageGrid::new("The first batch", gray(train, trained.batch))
        .captions(captions)
        .columns(8);
    captioned(
        "batch",
        "The first batch of training images, in file order, with their classes.",
        Figure::new(vec![grid.into()]),
    )
}

fn training_loss(trained: &Trained) -> Captioned {
    let steps: Vec<f64> = (0..trained.losses.len()).map(|i| i as f64).collect();
    let chart = LineChart::new("Training loss")
        .x_label("gradient step")
        .y_label("mean square on the batch")
        .y_scale(Scale::Log)
        .series(Series::new("network", steps, trained.losses.clone()));
    captioned(
        "training-loss",
        "Loss of the network on each batch, before the step. The first steps overshoot. Seven \
         batches make a pass, each with a level of its own, hence the width of the curve.",
        Figure::new(vec![chart.into()]),
    )
}

fn test_images(set: &DataSet, test: &Images, trained: &Trained) -> Captioned {
    let said = trained.test_classes();
    let captions = test.split.labels.iter().zip(&said).take(SHOWN);
    let name = |label: u8| &set.classes[usize::from(label)];
    let captions = captions
        .map(|(&truth, &said)| format!("{}, said {}", name(truth), name(said)))
        .collect();
    let grid = ImageGrid::new("The first test images", gray(test, SHOWN))
        .captions(captions)
        .columns(4);
    captioned(
        "test-images",
        "The first eight test images of the two classes: truth, and what the network says.",
        Figure::new(vec![grid.into()]),
    )
}

fn grams(fits: &[&Fit]) -> Captioned {
    let panels = fits.iter().filter_map(|fit| {
        let map = HeatMap::new(label(fit.formula), fit.shown.as_ref()?.0.clone())
            .x_label("training image")
            .y_label("training image")
            .bar_label("kernel");
        Some(map.into())
    });
    let figure =
        Figure::new(panels.collect()).title(format!("Gram matrix of {NETWORK_IMAGES} images"));
    captioned(
        "gram",
        "The kernel of every pair of training images, both formulas.",
        figure,
    )
}

fn spectra(fits: &[&Fit]) -> Captioned {
    let mut chart = LineChart::new(format!(
        "Eigenvalues of the Gram matrix, {NETWORK_IMAGES} images"
    ))
    .x_label("index, ascending")
    .y_label("eigenvalue")
    .y_scale(Scale::Log);
    for fit in fits {
        if let Some((_, eigenvalues)) = &fit.shown {
            chart = chart.series(ascending(label(fit.formula), eigenvalues.view()));
        }
    }
    captioned(
        "eigenvalues",
        "Sorted eigenvalues. All are positive, so the kernel can fit any labels.",
        Figure::new(vec![chart.into()]),
    )
}

fn ascending(name: &str, values: ndarray::ArrayView1<'_, f64>) -> Series {
    let index: Vec<f64> = (1..=values.len()).map(|i| i as f64).collect();
    let series = Series::new(name, index, values.to_vec());
    if name == label(Formula::AsPrinted) {
        series.dashed()
    } else {
        series
    }
}

fn against_n(chart: LineChart, closed: &ClosedForm, of: impl Fn(&Fit) -> f64) -> LineChart {
    Formula::BOTH.into_iter().fold(chart, |chart, formula| {
        let fits = || closed.of(formula).filter(|fit| SIZES.contains(&fit.n));
        let n: Vec<f64> = fits().map(|fit| fit.n as f64).collect();
        let y: Vec<f64> = fits().map(&of).collect();
        let series = Series::new(label(formula), n, y).markers();
        chart.series(if formula == Formula::AsPrinted {
            series.dashed()
        } else {
            series
        })
    })
}

fn smallest(closed: &ClosedForm) -> Captioned {
    let chart = LineChart::new("Smallest eigenvalue of the Gram matrix")
        .x_label("training images n")
        .y_label("eigenvalue")
        .y_from_zero();
    let chart = against_n(chart, closed, |fit| fit.smallest_eigenvalue);
    let (n, printed) = (SIZES.map(|n| n as f64), PRINTED_EIGENVALUES);
    let chart = chart.series(Series::new("the notebook", n, printed).points_only());
    captioned(
        "smallest-eigenvalue",
        "The smaller set is part of the larger, so it can only fall (Cauchy's interlacing). The \
         notebook's values lie on the curve of the formula that it printed.",
        Figure::new(vec![chart.into()]),
    )
}

fn bound(closed: &ClosedForm) -> Captioned {
    let chart = LineChart::new("Generalisation bound")
        .x_label("training images n")
        .y_label("sqrt(yᵀ H⁻¹ y / n)");
    let chart = against_n(chart, closed, |fit| fit.bound);
    captioned(
        "bound",
        "The bound changes by less than a sixth between 100 and 1900 images.",
        Figure::new(vec![chart.into()]),
    )
}

fn random_gram(random: &RandomInputs) -> Captioned {
    let panels = random.both.iter().map(|(formula, gram, _)| {
        HeatMap::new(label(*formula), gram.clone())
            .x_label("input")
            .y_label("input")
            .bar_label("kernel")
            .into()
    });
    let title = format!(
        "Gram matrix of {} Gaussian inputs of dimension {}",
        random_inputs::SAMPLES,
        random_inputs::FEATURES
    );
    captioned(
        "random-gram",
        "Random inputs in high dimension are nearly orthogonal: the diagonal dominates.",
        Figure::new(panels.collect()).title(title),
    )
}

fn random_spectrum(random: &RandomInputs) -> Captioned {
    let mut chart = LineChart::new("Eigenvalues for Gaussian inputs")
        .x_label("index, ascending")
        .y_label("eigenvalue")
        .y_from_zero();
    for (formula, _, eigenvalues) in &random.both {
        chart = chart.series(ascending(label(*formula), eigenvalues.view()));
    }
    captioned(
        "random-eigenvalues",
        "With fewer samples than dimensions the smallest eigenvalue is far from zero.",
        Figure::new(vec![chart.into()]),
    )
}

fn regression_gram(descent: &Descent) -> Captioned {
    let map = |title: &str, values: &Array2<f64>| {
        HeatMap::new(title, values.clone())
            .x_label("weight")
            .y_label("weight")
    };
    let panels = vec![
        map("X Xᵀ", &descent.gram).into(),
        map("in its eigenbasis", &descent.diagonalized)
            .x_label("eigenvector, ascending")
            .y_label("eigenvector, ascending")
            .into(),
    ];
    let title = format!(
        "Linear regression, p = {}, n = {}",
        descent::WEIGHTS,
        descent::SAMPLES
    );
    captioned(
        "regression-gram",
        "X Xᵀ has rank n = 100 of p = 1000: in its eigenbasis all but the last 100 entries of the \
         diagonal are zero. Drawn as means over blocks, which halve a diagonal.",
        Figure::new(panels).title(title),
    )
}

fn regression_descent(descent: &Descent) -> Captioned {
    let steps: Vec<f64> = (0..descent.losses.len()).map(|i| i as f64).collect();
    let loss = LineChart::new("Loss")
        .x_label("gradient step")
        .y_label("mean square")
        .y_from_zero()
        .series(Series::new("loss", steps.clone(), descent.losses.clone()));
    let distance = LineChart::new("Relative distance of the weights from their start")
        .x_label("gradient step")
        .y_label("|w_t - w_0| / |w_0|")
        .y_from_zero()
        .series(Series::new("distance", steps, descent.distances.clone()));
    captioned(
        "regression-descent",
        "Gradient descent on the over-parameterised linear regression.",
        Figure::new(vec![loss.into(), distance.into()]),
    )
}

fn regression_eigenbasis(descent: Descent) -> Captioned {
    let times = (descent.moved.ncols() - 1) as f64;
    let weights = descent.moved.nrows() as f64;
    let map = HeatMap::new("|w_t - w_0| in the eigenbasis of X Xᵀ", descent.moved)
        .x_label("gradient step")
        .y_label("eigenvector, ascending")
        .extent((0.0, times), (0.0, weights));
    captioned(
        "regression-eigenbasis",
        "Only the last 100 coordinates move: w moves in the image of X alone.",
        Figure::new(vec![map.into()]),
    )
}
