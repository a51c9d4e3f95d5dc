//! Writes one figure of every kind, and a report with all of them, into a folder:
//! `cargo run --release -p ntk-plots --example gallery -- target/gallery`.

use std::path::{Path, PathBuf};

use ndarray::Array2;
use ntk_plots::report::{Block, Column, Kind, Report, ReportFigure, Section, Setting, Table};
use ntk_plots::{ColorMap, Error, Figure, HeatMap, Histogram, ImageGrid, LineChart, Scale, Series};

fn range(n: u32) -> Vec<f64> {
    (0..n).map(f64::from).collect()
}

/// A number in -1 to 1 that looks random.
fn noise(i: f64) -> f64 {
    (((i + 1.0) * 12.9898).sin() * 43_758.547).fract()
}

fn map(x: &[f64], f: impl Fn(f64) -> f64) -> Vec<f64> {
    x.iter().map(|v| f(*v)).collect()
}

fn training() -> Figure {
    let steps = range(1400);
    let loss = map(&steps, |t| {
        0.05 * (-t / 120.0).exp() + 0.004 * (1.0 + 0.8 * noise(t))
    });
    let smooth = map(&steps, |t| 0.05 * (-t / 120.0).exp() + 0.004);
    let sizes = [100.0, 400.0, 700.0, 1000.0, 1300.0, 1600.0, 1900.0];
    let smallest = [
        25.0855, 16.4797, 14.1623, 5.92948, 5.86360, 5.81324, 5.77642,
    ];
    let printed = [23.512, 15.196, 13.155, 5.420, 5.355, 5.309, 5.274];
    Figure::new(vec![
        LineChart::new("Training loss")
            .x_label("gradient step")
            .y_label("mean squared error")
            .y_from_zero()
            .series(Series::new("batch", steps.clone(), loss))
            .series(Series::new("expected", steps, smooth).dashed())
            .into(),
        LineChart::new("Smallest eigenvalue of the Gram matrix")
            .x_label("training images n")
            .y_label("λ min")
            .y_from_zero()
            .series(Series::new("correct kernel", sizes, smallest).markers())
            .series(Series::new("as printed", sizes, printed).markers().dashed())
            .into(),
    ])
    .note("Embedded sample: the first Fashion-MNIST images of classes 3 and 6. Synthetic values.")
}

fn logarithmic() -> Figure {
    let x: Vec<f64> = (0..60)
        .map(|i| 10_f64.powf(f64::from(i) / 10.0 - 1.0))
        .collect();
    let t = range(201);
    let chart = LineChart::new("Spectrum and its bounds, over six decades")
        .x_label("index")
        .y_label("eigenvalue")
        .x_scale(Scale::Log)
        .y_scale(Scale::Log);
    let curve = map(&x, |v| 130.0 / (v * v));
    let (low, high) = (map(&curve, |v| v / 3.0), map(&curve, |v| v * 3.0));
    let waves = LineChart::new("Four series that leave no corner free")
        .x_label("t")
        .y_label("f(t)");
    let waves = (0..4_u32).fold(waves, |chart, k| {
        let y = map(&t, |v| {
            (v / 9.0 + f64::from(k)).sin() + 0.3 * noise(v + f64::from(k))
        });
        let series = Series::new(format!("phase {k}"), t.clone(), y);
        chart.series(match k {
            1 => series.dashed(),
            2 => series.dotted(),
            3 => series.points_only(),
            _ => series,
        })
    });
    let chart = chart
        .series(Series::new("finite width", x.clone(), curve).band(low, high))
        .series(Series::new("130 / k²", x.clone(), map(&x, |v| 150.0 / (v * v))).dashed());
    Figure::new(vec![chart.into(), waves.into()]).title("Logarithmic axes, bands, and a full plot")
}

fn matrices() -> Figure {
    let gram = Array2::from_shape_fn((200, 200), |(i, j)| {
        let (x, y) = (i as f64, j as f64);
        if i == j {
            1.9
        } else {
            1.0 + 0.5 * noise(x * 0.7) * noise(y * 0.7) + 0.1 * noise(x + 200.0 * y)
        }
    });
    let moved = Array2::from_shape_fn((1000, 1000), |(i, j)| {
        (1.0 - (-(i as f64) * 0.02 / (1.0 + j as f64 * 0.05)).exp()) * noise(j as f64) * 0.02
    });
    Figure::new(vec![
        HeatMap::new("Gram matrix, n = 200", gram)
            .x_label("image")
            .y_label("image")
            .bar_label("kernel")
            .into(),
        HeatMap::new("Weight movement in the eigenbasis of X Xᵀ", moved)
            .x_label("eigenvector")
            .y_label("step")
            .bar_label("w(t) − w(0)")
            .color_map(ColorMap::Diverging)
            .symmetric_about_zero()
            .into(),
    ])
    .note("Synthetic values.")
}

fn histograms() -> Figure {
    let i = range(20_000);
    let sum = |shift: f64| {
        map(&i, |i| {
            (0..6).map(|k| noise(6.0 * i + shift + f64::from(k))).sum()
        })
    };
    let chart = |title: &str| {
        Histogram::new(title, 60)
            .x_label("sum of six uniform numbers")
            .y_label("samples")
            .values("one draw", sum(0.0))
            .values("another, moved", map(&sum(0.5), |v| v + 1.5))
            .vertical_line("threshold", 2.0)
    };
    let logarithmic = chart("Logarithmic, a part").y_scale(Scale::Log);
    Figure::new(vec![
        chart("Two series").into(),
        logarithmic.x_range(-4.0, 5.02).into(),
    ])
    .note("Synthetic values.")
}

fn pictures() -> Figure {
    let image = |k: usize| {
        Array2::from_shape_fn((28, 28), |(i, j)| {
            let (x, y) = (i as f64 - 13.5, j as f64 - 13.5);
            (0.5 + 0.5 * ((x * x + y * y).sqrt() * (0.3 + 0.02 * k as f64)).cos())
                * (1.0 - (y / 20.0).abs())
        })
    };
    let names = (0..32).map(|k| {
        if k % 3 == 0 {
            "Dress".to_owned()
        } else {
            format!("Shirt {k}")
        }
    });
    Figure::new(vec![
        ImageGrid::new("The first batch", (0..32).map(image).collect())
            .captions(names.collect())
            .into(),
    ])
}

/// Means over seeds with their errors, and many points.
fn uncertain() -> Figure {
    let n: Vec<f64> = (5..=11).map(|k| f64::from(1 << k)).collect();
    let accuracy = |ceiling: f64| map(&n, |v| ceiling - 1.4 / v.sqrt());
    let error = map(&n, |v| 0.35 / v.sqrt());
    let means = LineChart::new("Means with standard errors")
        .x_label("training images")
        .y_label("accuracy")
        .x_scale(Scale::Log)
        .x_ticks(n.clone())
        .series(
            Series::new("kernel", n.clone(), accuracy(0.97))
                .plus_minus(error.clone())
                .markers(),
        )
        .series(
            Series::new("network", n.clone(), accuracy(0.93))
                .plus_minus(error)
                .markers()
                .dashed(),
        );
    let center = map(&n, |v| 3.0 / v);
    let (low, high) = (map(&center, |v| v / 2.5), map(&center, |v| v * 1.6));
    let uneven = LineChart::new("Intervals, a range that cuts them")
        .x_label("width")
        .y_label("‖K − K∞‖ / ‖K∞‖")
        .x_scale(Scale::Log)
        .y_scale(Scale::Log)
        .y_range(1e-3, 0.1)
        .series(
            Series::new("measured", n.clone(), center.clone())
                .error_bars(low, high)
                .points_only(),
        )
        .series(Series::new("3 / width", n, center).dashed());
    Figure::new(vec![means.into(), uneven.into()]).note("Synthetic values.")
}

fn clouds() -> Figure {
    let cloud = |count: u32, shift: f64| {
        let i = range(count);
        let sum = |i: f64, s: f64| {
            (0..4)
                .map(|k| noise(4.0 * i + s + f64::from(k)))
                .sum::<f64>()
        };
        let x = map(&i, |i| sum(i, shift) + shift);
        let y = i
            .iter()
            .zip(&x)
            .map(|(i, x)| 0.6 * x + 0.7 * sum(*i, shift + 0.37));
        let y = y.collect::<Vec<_>>();
        Series::new(format!("{count} at {shift}"), x, y).points_only()
    };
    let chart = |title: &str, counts: [u32; 2]| {
        LineChart::new(title)
            .x_label("entropy")
            .y_label("accuracy")
            .series(cloud(counts[0], 0.0))
            .series(cloud(counts[1], 1.3))
    };
    let labels = range(3000);
    let outputs = LineChart::new("Outputs against labels")
        .x_label("label")
        .y_label("output")
        .series(
            Series::new(
                "",
                map(&labels, |i| if noise(i) < 0.0 { -1.0 } else { 1.0 }),
                map(&labels, |i| {
                    noise(i).signum() + noise(i + 0.4) + noise(i + 0.6)
                }),
            )
            .points_only(),
        );
    Figure::new(vec![
        chart("Few", [60, 40]).into(),
        chart("Hundreds", [600, 400]).into(),
        chart("Thousands", [8000, 4000]).into(),
        chart("Ten thousands", [50_000, 50_000]).into(),
        outputs.into(),
        crowd().into(),
    ])
    .columns(3)
}

/// As many series as nobody should draw.
fn crowd() -> LineChart {
    let x = range(5);
    (0..24_u32).fold(LineChart::new("Too many series"), |chart, k| {
        let y = map(&x, |v| f64::from(k) + noise(v + f64::from(k)));
        let series = Series::new(format!("depth {k}"), x.clone(), y);
        chart.series(series.ordered(f64::from(k) / 23.0).plus_minus([0.2; 5]))
    })
}

/// Logarithmic axes from a third of a decade to twenty.
fn decades() -> Figure {
    let chart = |decades: f64| {
        let x = map(&range(21), |i| 3.0 * 10_f64.powf(i / 20.0 * decades));
        let y = map(&x, |v| 0.02 / v);
        LineChart::new(format!("{decades} decades"))
            .x_scale(Scale::Log)
            .y_scale(Scale::Log)
            .series(Series::new("", x, y).markers())
    };
    let panels = [0.3, 0.8, 1.0, 1.7, 3.0, 5.0, 8.0, 20.0, 200.0];
    Figure::new(panels.map(|d| chart(d).into()).to_vec()).columns(3)
}

const CLASSES: [&str; 10] = [
    "T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot",
];

fn classes() -> Figure {
    let shared = Array2::from_shape_fn((10, 10), |(i, j)| {
        let d = i.abs_diff(j) as f64;
        1.2 * 10_f64.powf(-d / 2.0) * (1.0 + 0.3 * noise((i * j) as f64))
    });
    let digits = HeatMap::new("Digits", shared.clone())
        .x_label("digit")
        .y_label("digit")
        .bar_label("mutual information");
    let named = HeatMap::new("Names, logarithmic colours", shared.clone())
        .x_label("class")
        .y_label("class")
        .row_names(CLASSES)
        .column_names(CLASSES)
        .color_scale(Scale::Log)
        .bar_label("mutual information");
    let few = HeatMap::new("Few names", shared.slice(ndarray::s![..3, ..3]).to_owned())
        .row_names(&CLASSES[..3])
        .column_names(&CLASSES[..3]);
    Figure::new(vec![digits.into(), named.into(), few.into()])
}

fn edge_cases() -> Figure {
    let chart = |title: &str, x: Vec<f64>, y: Vec<f64>| {
        LineChart::new(title).series(Series::new("s", x, y).markers())
    };
    Figure::new(vec![
        chart("One point", vec![3.0], vec![4.0]).into(),
        chart("A constant", range(5), vec![0.25; 5]).into(),
        chart(
            "Nearly equal",
            range(5),
            vec![1000.0, 1000.00001, 1000.00002, 1000.0, 1000.000015],
        )
        .into(),
        chart("Huge", range(4), vec![-1e300, 1e299, 5e299, 1e300]).into(),
        chart("Tiny", range(4), vec![1e-200, 3e-200, 2e-200, 4e-200]).into(),
        chart("Half a decade", range(4), vec![20.0, 24.0, 31.0, 55.0])
            .y_scale(Scale::Log)
            .y_label("on a logarithmic axis")
            .into(),
    ])
    .columns(3)
}

fn report(figures: &[(&str, Figure)]) -> Result<Report, Error> {
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let setting = |name: &str, value: &str| (name.to_owned(), Setting::Text(value.to_owned()));
    let table = Table {
        label: "smallest eigenvalues".into(),
        columns: vec![
            Column::new(
                "Kernel",
                Kind::Name,
                ["arc-cosine", "arc-cosine", "Gaussian"],
            ),
            Column::new(
                "Where",
                Kind::Parts,
                ["n = 100, d = 784", "n = 400, d = 784", "n = 400"],
            ),
            Column::new(
                "Smallest eigenvalue",
                Kind::Number,
                ["23.512", "5.27", "4e-5"],
            ),
            Column::new(
                "Note",
                Kind::Note,
                ["", "", "Single precision would hide it."],
            ),
        ],
        ..Table::default()
    };
    let environment = vec![
        pair("version", "0.1.0"),
        pair("processor", "2 cores"),
        pair("backend", "faer"),
    ];
    let first = Section {
        name: "shallow-relu".into(),
        lead: "Does a wide network with one hidden layer, trained by gradient descent, predict as the \
                   regression with its neural tangent kernel does?"
            .into(),
        source: "Fashion-MNIST, classes 3 and 6: the images that come with the program.".into(),
        warning: "A sample, not the full data set.".into(),
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        results: vec![Block::Table(table)],
        settings: vec![
            setting("hidden width", "1000"),
            ("training".into(), Setting::Group(vec![setting("learning rate", "0.01"), setting("batch", "32")])),
        ],
        timings: vec![pair("training", "12.3 s"), pair("closed form", "1.1 s")],
        environment: environment.clone(),
        summary: vec![pair("Data", "embedded sample"), pair("Time", "13.4 s")],
        links: vec![pair("results.json", "shallow-relu/results.json"), pair("training.csv", "training.csv")],
        figures: figures
            .iter()
            .map(|(name, figure)| ReportFigure::new(format!("Figure “{name}”, with a caption that says what to see."), figure))
            .collect::<Result<_, _>>()?,
    };
    let second = Section {
        name: "a second section".into(),
        lead: "What does a section on the full data look like?".into(),
        source: "MNIST, all 60 000 training images.".into(),
        environment,
        ..Section::default()
    };
    Ok(Report {
        title: "A gallery".into(),
        intro: "Every kind of figure, and what else a report can show.".into(),
        nouns: ["Experiment", "Experiments"],
        sections: vec![first, second],
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args()
        .nth(1)
        .map_or_else(|| PathBuf::from("target/gallery"), PathBuf::from);
    let figures = [
        ("training", training()),
        ("logarithmic", logarithmic()),
        ("histograms", histograms()),
        ("matrices", matrices()),
        ("pictures", pictures()),
        ("uncertain", uncertain()),
        ("clouds", clouds()),
        ("decades", decades()),
        ("classes", classes()),
        ("edge-cases", edge_cases()),
    ];
    for (name, figure) in &figures {
        figure.save(Path::new(&dir), name)?;
    }
    std::fs::write(dir.join("index.html"), report(&figures)?.html())?;
    Ok(())
}
