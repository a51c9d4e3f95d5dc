//! Properties of every layout: nothing panics, texts stay on the page and apart, and the legend
//! covers no data.

use ndarray::Array2;
use proptest::prelude::*;

use crate::scene::{Rect, Scene, Shape};
use crate::theme::{COLOR_BAR_WIDTH, ERROR_BAR_WIDTH};
use crate::{ColorMap, Figure, HeatMap, Histogram, ImageGrid, LineChart, Panel, Scale, Series};

fn texts(scene: &Scene) -> Vec<(String, Rect)> {
    let texts = scene.shapes.iter().filter_map(|shape| match shape {
        Shape::Text(text) => Some((text.text.clone(), text.bounds())),
        _ => None,
    });
    texts.collect()
}

/// Fails if two texts meet or one leaves the page.
fn assert_readable(scene: &Scene) {
    let page = Rect::new(0.0, 0.0, scene.width, scene.height);
    let texts = texts(scene);
    for (i, (text, bounds)) in texts.iter().enumerate() {
        let inside = bounds.x >= page.x
            && bounds.y >= page.y
            && bounds.right() <= page.right()
            && bounds.bottom() <= page.bottom();
        assert!(inside, "'{text}' leaves the page: {bounds:?} of {page:?}");
        for (other, other_bounds) in &texts[..i] {
            assert!(
                !bounds.overlaps(other_bounds),
                "'{text}' meets '{other}': {bounds:?}, {other_bounds:?}"
            );
        }
    }
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        100 => -1e3_f64..1e3,
        30 => (-320.0_f64..300.0).prop_map(|e| 10_f64.powf(e)),
        30 => (-300.0_f64..300.0).prop_map(|e| -(10_f64.powf(e))),
        30 => Just(0.0),
        100 => (-9_i32..9).prop_map(f64::from),
        30 => Just(1e300),
        1 => Just(f64::MAX),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
    ]
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z ]{0,12}",
        "[a-zA-Z<>&\" λ₂]{0,120}",
        Just("W".repeat(90)),
        any::<String>()
    ]
}

fn chart() -> impl Strategy<Value = Panel> {
    let scale = || prop_oneof![Just(Scale::Linear), Just(Scale::Log)];
    let series = || {
        (
            words(),
            prop::collection::vec((value(), value()), 0..20),
            0..8_u8,
            prop::bool::weighted(0.3),
        )
    };
    let range = prop_oneof![4 => Just(None), 1 => (value(), value()).prop_map(Some)];
    (
        words(),
        words(),
        words(),
        words(),
        scale(),
        scale(),
        range,
        prop_oneof![9 => 0..6_usize, 1 => Just(40)]
            .prop_flat_map(move |n| prop::collection::vec(series(), n)),
    )
        .prop_map(
            |(title, x_label, y_label, right_label, x_scale, y_scale, range, series)| {
                let positive = |scale: Scale, v: f64| {
                    if scale == Scale::Log {
                        v.abs().max(1e-300)
                    } else {
                        v
                    }
                };
                let mut chart = LineChart::new(title)
                    .x_label(x_label)
                    .y_label(y_label)
                    .x_scale(x_scale)
                    .y_scale(y_scale);
                if series.iter().any(|s| s.3) {
                    chart = chart.right_label(right_label).right_scale(y_scale);
                }
                if let Some((low, high)) = range {
                    chart = chart.y_range(low.min(high), low.max(high));
                }
                for (name, points, style, right) in series {
                    let x: Vec<f64> = points.iter().map(|p| positive(x_scale, p.0)).collect();
                    let y: Vec<f64> = points.iter().map(|p| positive(y_scale, p.1)).collect();
                    let mut series = Series::new(name, x, y.clone());
                    if right {
                        series = series.right();
                    }
                    chart = chart.series(match style {
                        0 => series.dashed(),
                        1 => series.points_only(),
                        2 => series.band(y.clone(), y),
                        3 => series.markers().dotted(),
                        4 => series
                            .error_bars(y.clone(), y.iter().rev().copied().collect::<Vec<_>>()),
                        5 => series
                            .points_only()
                            .plus_minus(y.iter().map(|v| v / 2.0).collect::<Vec<_>>())
                            .band(y.clone(), y),
                        _ => series,
                    });
                }
                chart.into()
            },
        )
}

fn histogram() -> impl Strategy<Value = Panel> {
    let series = (words(), prop::collection::vec(value(), 0..30));
    (
        words(),
        0..50_usize,
        any::<bool>(),
        prop::option::of((value(), value())),
        prop::option::of((words(), value())),
        prop::collection::vec(series, 0..4),
    )
        .prop_map(|(title, bins, log, range, line, series)| {
            let mut chart = Histogram::new(title.clone(), bins)
                .x_label(title.clone())
                .y_label(title);
            if log {
                chart = chart.y_scale(Scale::Log);
            }
            if let Some((low, high)) = range {
                chart = chart.x_range(low.min(high), low.max(high));
            }
            if let Some((name, x)) = line {
                chart = chart.vertical_line(name, x);
            }
            for (name, values) in series {
                chart = chart.values(name, values);
            }
            chart.into()
        })
}

fn heat_map() -> impl Strategy<Value = Panel> {
    (
        words(),
        0..40_usize,
        0..40_usize,
        value(),
        value(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        words(),
    )
        .prop_map(|(title, rows, columns, a, b, flip, log, named, name)| {
            let seen = |v: f64| if log { v.abs().max(1e-300) } else { v };
            let (a, b) = (seen(a), seen(b));
            let values =
                Array2::from_shape_fn(
                    (rows, columns),
                    |(i, j)| if (i + j) % 3 == 0 { a } else { b },
                );
            let map = HeatMap::new(title.clone(), values)
                .x_label(title.clone())
                .bar_label(title);
            let map = if named {
                let names = |n: usize| (0..n).map(|i| format!("{name}{i}")).collect::<Vec<_>>();
                map.row_names(names(rows)).column_names(names(columns))
            } else {
                map.series(Series::new(name.clone(), [0.5, a], [1.5, b]).markers())
                    .series(Series::new(name, [1.0], [0.0]))
            };
            let map = map.color_scale(if log { Scale::Log } else { Scale::Linear });
            if flip {
                map.symmetric_about_zero()
                    .color_map(ColorMap::Diverging)
                    .into()
            } else {
                map.origin_bottom().into()
            }
        })
}

fn images() -> impl Strategy<Value = Panel> {
    (words(), 1..20_usize, 1..12_usize, 1..9_usize, 1..9_usize).prop_map(
        |(title, n, columns, h, w)| {
            let image = Array2::from_elem((h, w), 0.5);
            ImageGrid::new(title.clone(), vec![image; n])
                .captions(vec![title; n])
                .columns(columns)
                .into()
        },
    )
}

proptest! {
    #[test]
    fn any_figure_is_an_error_or_readable(
        panels in prop::collection::vec(prop_oneof![4 => chart(), 1 => histogram(), 1 => heat_map(), 1 => images()], 0..4),
        columns in 1..4_usize, title in words(), note in words(), width in 160_u32..700,
    ) {
        let figure = Figure::new(panels).columns(columns).title(title).note(note).panel_width(width);
        if let Ok(scene) = figure.scene() {
            assert_readable(&scene);
        }
    }

    #[test]
    fn the_bitmap_of_any_chart_can_be_drawn(panel in prop_oneof![chart(), histogram(), heat_map()]) {
        let figure = Figure::new(vec![panel]).panel_width(160);
        prop_assert_eq!(figure.scene().is_ok(), figure.png().is_ok());
        prop_assert_eq!(figure.scene().is_ok(), figure.svg().is_ok());
    }
}

fn ramp(n: u32, f: impl Fn(f64) -> f64) -> (Vec<f64>, Vec<f64>) {
    let x: Vec<f64> = (0..n).map(f64::from).collect();
    let y = x.iter().map(|v| f(*v)).collect();
    (x, y)
}

/// The centre of the legend's first name within a figure of two series, as shares of the plot.
fn legend_of(f: impl Fn(f64) -> f64) -> (f64, f64) {
    let ((x, y), (u, v)) = (ramp(50, &f), ramp(50, |t| f(t) * 1.05));
    let chart = LineChart::new("")
        .series(Series::new("first", x, y))
        .series(Series::new("second", u, v));
    let scene = Figure::new(vec![chart.into()]).scene().unwrap();
    let bounds = texts(&scene)
        .into_iter()
        .find(|(text, _)| text == "first")
        .unwrap()
        .1;
    (
        (bounds.x + bounds.w / 2.0) / scene.width,
        (bounds.y + bounds.h / 2.0) / scene.height,
    )
}

#[test]
fn the_legend_goes_to_the_free_corner() {
    let (x, y) = legend_of(|t| -t);
    assert!(x > 0.5 && y < 0.5, "falling: top right, not {x}, {y}");
    let (x, y) = legend_of(|t| t);
    assert!(x < 0.5 && y < 0.5, "rising: top left, not {x}, {y}");
    let (x, y) = legend_of(|t| (t - 24.5).powi(2));
    assert!(x > 0.5 && y > 0.5, "a bowl: bottom right, not {x}, {y}");
}

#[test]
fn a_dashed_series_is_dashed_in_the_legend() {
    let ((x, y), (u, v)) = (ramp(9, |t| t), ramp(9, |t| 2.0 * t));
    let chart = LineChart::new("")
        .series(Series::new("a", x, y))
        .series(Series::new("b", u, v).dashed());
    let scene = Figure::new(vec![chart.into()]).scene().unwrap();
    let dashed = scene
        .shapes
        .iter()
        .filter(|s| matches!(s, Shape::Line { stroke, .. } if stroke.dash.is_some()));
    assert_eq!(dashed.count(), 2, "the curve, and its sample in the legend");
}

/// The plots of heat maps: their pictures, without the colour bars.
fn maps(scene: &Scene) -> Vec<Rect> {
    let pictures = scene.shapes.iter().filter_map(|shape| match shape {
        Shape::Image { rect, .. } if rect.w > COLOR_BAR_WIDTH => Some(*rect),
        _ => None,
    });
    pictures.collect()
}

/// The plots of line charts: the boxes around their axes, an open corner of three points.
fn plots(scene: &Scene) -> Vec<Rect> {
    let corners = scene.shapes.iter().filter_map(|shape| match shape {
        Shape::Line { points, .. } if points.len() == 3 => Some(points),
        _ => None,
    });
    corners
        .map(|p| Rect::new(p[0][0], p[0][1], p[2][0] - p[0][0], p[2][1] - p[0][1]))
        .collect()
}

fn assert_aligned(plots: &[Rect]) {
    assert!(plots.len() > 1);
    for plot in &plots[1..] {
        for (a, b) in [
            (plot.y, plots[0].y),
            (plot.w, plots[0].w),
            (plot.h, plots[0].h),
        ] {
            assert!((a - b).abs() < 1e-9, "{plots:?}");
        }
    }
}

#[test]
fn plots_in_a_row_line_up() {
    let map = |title: &str, n: usize, scale: f64| {
        HeatMap::new(
            title,
            Array2::from_shape_fn((n, n), |(i, j)| (i as f64 - j as f64) * scale),
        )
    };
    let narrow = || map("narrow", 20, 0.4);
    let wide = || {
        let title = "a title that needs more than a single line";
        map(title, 600, 1e-5).bar_label("value").y_label("row")
    };
    let line = |title: &str, scale: f64| {
        let ((x, y), (u, v)) = (ramp(50, |t| t * scale), ramp(50, |t| -t * scale));
        LineChart::new(title)
            .series(Series::new("up", x, y))
            .series(Series::new("down", u, v))
    };
    let plain = || line("", 1.0).x_label("t");
    let counts = || Histogram::new("counts", 9).values("", ramp(2000, |t| t * t).1);
    let large = || line("two\nlines ".repeat(9).as_str(), 1e5).y_label("y");
    for width in [200, 340, 400] {
        let row = |panels: Vec<Panel>| {
            let figure = Figure::new(panels).panel_width(width);
            figure.scene().unwrap()
        };
        assert_aligned(&maps(&row(vec![narrow().into(), wide().into()])));
        assert_aligned(&plots(&row(vec![plain().into(), large().into()])));
        assert_aligned(&plots(&row(vec![counts().into(), large().into()])));
        let mixed = row(vec![
            narrow().into(),
            plain().into(),
            wide().into(),
            large().into(),
        ]);
        assert_aligned(&maps(&mixed));
        assert_aligned(&plots(&mixed));
        assert_eq!(maps(&mixed)[0].y, plots(&mixed)[0].y, "tops of all kinds");
    }
}

/// A panel of falling curves, and one with a rising curve on a right axis of large numbers.
fn twin(log: bool) -> LineChart {
    let ((x, y), (_, v)) = (ramp(50, |t| -t), ramp(50, |t| 1e4 * (t + 1.0)));
    let scale = if log { Scale::Log } else { Scale::Linear };
    LineChart::new("twin")
        .y_label("left")
        .right_label("a label that takes more than one line on the right")
        .right_scale(scale)
        .series(Series::new("down", x.clone(), y))
        .series(Series::new("up", x, v).right())
}

#[test]
fn each_axis_measures_its_own_series() {
    for log in [false, true] {
        let axes = twin(log).axes();
        let right = axes.right.unwrap();
        let inside = |share: f64| (0.0..=1.0).contains(&share);
        assert!(inside(axes.y.fraction(-49.0)) && !inside(axes.y.fraction(1e4)));
        assert!(inside(right.fraction(1e4)) && inside(right.fraction(5e5)));
    }
}

#[test]
fn the_right_axis_has_its_ticks_and_label_right_of_the_plot() {
    for (width, log) in [(200, false), (340, true), (520, false)] {
        let figure = Figure::new(vec![twin(log).into(), twin(!log).into()]).panel_width(width);
        let scene = figure.scene().unwrap();
        assert_readable(&scene);
        let plots = plots(&scene);
        assert_aligned(&plots);
        let beyond = |name: &str| {
            let all = texts(&scene);
            let mut named = all.iter().filter(|(text, _)| text.starts_with(name));
            named.all(|(_, bounds)| bounds.x >= plots[0].right() && bounds.y >= plots[0].y)
        };
        assert!(beyond("a label"));
        assert!(texts(&scene).iter().any(|(text, _)| text == "up (right)"));
    }
}

#[test]
fn curves_fill_the_width_and_marks_keep_clear_of_the_ends() {
    let (x, y) = ramp(50, |t| t);
    let series = || Series::new("", x.clone(), y.clone());
    let space = |series: Series| {
        let axes = LineChart::new("").series(series).axes();
        axes.x.fraction(0.0)
    };
    assert!((0.005..0.015).contains(&space(series())));
    assert!((0.03..0.05).contains(&space(series().markers())));
}

#[test]
fn the_last_label_stays_on_the_page_where_making_room_for_it_changes_the_labels() {
    for width in 160..420 {
        let series = Series::new("", [0.0, 1e300], [0.0, 1e300]);
        let chart = LineChart::new("").y_label("y").series(series);
        let figure = Figure::new(vec![chart.into()]).panel_width(width);
        assert_readable(&figure.scene().unwrap());
    }
}

#[test]
fn error_bars_count_for_the_range_and_keep_the_legend_away() {
    let (x, y) = ramp(20, |_| 1.0);
    let reach: Vec<f64> = x
        .iter()
        .map(|t| if *t < 10.0 { 1.1 } else { 9.0 })
        .collect();
    let bars = Series::new("bars", x.clone(), y.clone()).error_bars(y.clone(), reach);
    let chart = LineChart::new("")
        .series(bars)
        .series(Series::new("line", x, y));
    let axes = chart.axes();
    assert!((0.9..1.0).contains(&axes.y.fraction(9.0)));
    assert!(axes.x.fraction(0.0) > 0.03, "room for the cap at the end");
    let scene = Figure::new(vec![chart.into()]).scene().unwrap();
    let legend = texts(&scene).into_iter().find(|(text, _)| text == "line");
    let (plot, bounds) = (plots(&scene)[0], legend.unwrap().1);
    assert!(bounds.right() < plot.x + plot.w / 2.0 && plot.y < bounds.y);
    // Stem and two caps for each point and for the legend's sample.
    let color = crate::theme::SERIES[0];
    let thin = |s: &&Shape| matches!(s, Shape::Line { stroke, .. } if stroke.color == color && stroke.width == ERROR_BAR_WIDTH);
    assert_eq!(scene.shapes.iter().filter(thin).count(), 21 * 3);
}

/// The tick labels of a heat map's columns, and whether they read upwards.
fn column_labels(map: HeatMap, width: u32) -> (Vec<String>, bool) {
    let scene = Figure::new(vec![map.into()])
        .panel_width(width)
        .scene()
        .unwrap();
    assert_readable(&scene);
    let plot = maps(&scene)[0];
    let below = scene.shapes.iter().filter_map(|shape| match shape {
        Shape::Text(text) if text.y > plot.bottom() && text.x <= plot.right() => {
            Some((text.text.clone(), text.upright))
        }
        _ => None,
    });
    let below: Vec<_> = below.collect();
    let upright = below.iter().any(|(_, upright)| *upright);
    (below.into_iter().map(|(text, _)| text).collect(), upright)
}

#[test]
fn every_class_has_its_label() {
    let map = |n: usize| HeatMap::new("", Array2::from_shape_fn((n, n), |(i, j)| (i * j) as f64));
    let digits: Vec<String> = (0..10).map(|i| i.to_string()).collect();
    for width in [220, 240, 340, 400, 520] {
        assert_eq!(
            column_labels(map(10), width),
            (digits.clone(), false),
            "{width}"
        );
    }
    // More indices than fit: round ones.
    assert_eq!(column_labels(map(100), 340).0, ["0", "25", "50", "75"]);
    let names = [
        "T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
        "Boot",
    ];
    let named = |n: usize| map(n).column_names(&names[..n]);
    assert_eq!(
        column_labels(named(3), 340),
        (names[..3].iter().map(ToString::to_string).collect(), false)
    );
    let (all, upright) = column_labels(named(10), 340);
    assert_eq!((all.len(), upright), (10, true));
    let rows = map(10).row_names(names).extent((0.0, 1.0), (0.0, 1.0));
    let scene = Figure::new(vec![rows.into()])
        .panel_width(240)
        .scene()
        .unwrap();
    let height = |name: &str| {
        texts(&scene)
            .into_iter()
            .find(|(text, _)| text == name)
            .unwrap()
            .1
            .y
    };
    assert!(
        names.windows(2).all(|n| height(n[0]) < height(n[1])),
        "the first row is at the top"
    );
}

#[test]
fn a_hundred_thousand_points_are_drawn() {
    let (x, y) = ramp(100_000, |t| (t * 0.7).sin());
    let series = || Series::new("s", x.clone(), y.clone()).plus_minus(vec![0.1; x.len()]);
    let chart = LineChart::new("")
        .series(series())
        .series(series().points_only());
    let scene = Figure::new(vec![chart.into()]).scene().unwrap();
    assert_readable(&scene);
    assert!(scene.shapes.len() > 500_000);
}
