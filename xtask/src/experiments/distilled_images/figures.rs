//! What learned images look like, what they are worth, and how their loss falls.

use super::methods::{Found, Method};
use super::networks::Trained;
use super::{Failure, SIZES};
use crate::experiments::study::{
    AllSeries, CLASSES, Captioned, Curve, Spread, captioned, family, points, row,
};
use ndarray::{Array2, ArrayRef2, ArrayView1};
use ntk_plots::{HeatMap, ImageGrid, LineChart, Scale};

/// The sides of a picture.
const SIDES: (usize, usize) = (28, 28);

pub(super) fn all(
    found: &[Found],
    trained: &[Trained<'_>],
    classes: &[&str],
) -> Result<Vec<Captioned>, Failure> {
    let of = |method, n| {
        let mut all = found.iter();
        all.find(|one| (one.method, one.n) == (method, n))
            .ok_or("a number of images is missing")
    };
    let [few, more, _] = SIZES;
    let names = || classes.iter().map(|&name| name.into()).collect();
    let grid = |title: &str, x: &Array2<f32>| -> Result<ImageGrid, Failure> {
        let grid = ImageGrid::new(title, gray(x)?).columns(CLASSES);
        Ok(match x.nrows() == CLASSES {
            true => grid.captions(names()),
            false => grid,
        })
    };
    let (fixed, free) = (
        of(Method::Learned, few)?,
        of(Method::LearnedWithLabels, few)?,
    );
    let hundred = of(Method::Learned, more)?;
    let regression = found.iter().map(|one| (one.method, one.n, one.accuracy()));
    let networks = trained
        .iter()
        .map(|one| (one.on.method, one.on.n, one.accuracy()));
    Ok(vec![
        captioned(
            "accuracy",
            "How many test images are told from a few images: by regression with the kernel, and by networks \
             trained on them, mean over seeds with its standard error.",
            row([
                accuracies("Regression", &regression.collect::<Vec<_>>()),
                accuracies("Trained networks", &networks.collect::<Vec<_>>()),
            ]),
        ),
        captioned(
            "ten-images",
            "One image of each class: as learning begins, as learned with fixed labels, and as learned \
             together with the labels. Grey goes from each image's smallest number to its largest.",
            row([
                grid("Random images", &fixed.start.x)?,
                grid("Learned images", &fixed.support.x)?,
                grid("Learned images and labels", &free.support.x)?,
            ])
            .columns(1),
        ),
        captioned(
            "hundred-images",
            "Ten images of each class, a column a class, as learned with fixed labels. Grey goes from each \
             image's smallest number to its largest.",
            row([grid("", &hundred.support.x)?]),
        ),
        captioned(
            "labels",
            "The labels that were learned together with ten images: rows are images, columns outputs.",
            row([labels(&free.support.y, classes)]),
        ),
        captioned(
            "loss",
            "The loss of every step on its batch of training images, before the step.",
            row([
                losses("Images", Method::Learned, found),
                losses("Images and labels", Method::LearnedWithLabels, found),
            ]),
        ),
    ])
}

/// Makes pictures of rows, from their smallest number (0) to their largest (1).
fn gray(x: &ArrayRef2<f32>) -> Result<Vec<Array2<f64>>, Failure> {
    let picture = |row: ArrayView1<'_, f32>| -> Result<Array2<f64>, Failure> {
        let row = row.mapv(f64::from);
        let low = row.fold(f64::INFINITY, |a, &b| a.min(b));
        let high = row.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        let spread = if high > low { high - low } else { 1.0 };
        let row = row.mapv(|v| (v - low) / spread);
        Ok(row.into_shape_with_order(SIDES)?)
    };
    x.rows().into_iter().map(picture).collect()
}

fn accuracies(title: &str, all: &[(Method, usize, Spread)]) -> LineChart {
    let curve = |(color, method): (usize, Method)| {
        let own = all.iter().filter(|(of, ..)| *of == method);
        let own: Vec<_> = own.map(|&(_, n, accuracy)| (n, accuracy)).collect();
        (!own.is_empty()).then(|| {
            let curve: Curve = own.into_iter().collect();
            curve.series(method.name()).color(color).markers()
        })
    };
    LineChart::new(title)
        .x_label("images")
        .y_label("test accuracy")
        .x_scale(Scale::Log)
        .x_ticks(SIZES.map(|n| n as f64))
        .all(Method::ALL.into_iter().enumerate().filter_map(curve))
}

fn losses(title: &str, method: Method, found: &[Found]) -> LineChart {
    let own = found.iter().filter(|one| one.method == method);
    let curve = |(i, one): (usize, &Found)| {
        let steps = (1..).map(f64::from).zip(one.losses.iter().copied());
        family(points(format!("{} images", one.n), steps), i, SIZES.len())
    };
    LineChart::new(title)
        .x_label("step")
        .y_label("loss")
        .x_scale(Scale::Log)
        .y_scale(Scale::Log)
        .all(own.enumerate().map(curve))
}

fn labels(y: &ArrayRef2<f32>, classes: &[&str]) -> HeatMap {
    HeatMap::new("Learned labels", y.mapv(f64::from))
        .symmetric_about_zero()
        .row_names(classes)
        .column_names(classes)
        .bar_label("label")
}
