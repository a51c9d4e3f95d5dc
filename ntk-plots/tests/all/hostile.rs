//! Nothing panics on what a caller passes in.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ndarray::{Array2, s};
use ntk_plots::report::{Block, Column, Kind, Report, ReportFigure, Section, Setting, Table};
use ntk_plots::{
    ColorMap, Error, Figure, HeatMap, Histogram, ImageGrid, LineChart, Panel, Scale, Series,
};

/// The names of the calls that panicked.
#[derive(Default)]
struct Calls(Vec<String>);

impl Calls {
    fn call<R>(&mut self, name: impl Into<String>, call: impl FnOnce() -> R) {
        if catch_unwind(AssertUnwindSafe(call)).is_err() {
            self.0.push(name.into());
        }
    }

    /// Draws the panel alone, beside another, and narrow.
    fn draw(&mut self, name: &str, panel: impl Into<Panel>) {
        let panel = panel.into();
        let other = || LineChart::new("other").series(Series::new("", [1.0, 2.0], [1.0, 2.0]));
        let figures = [
            Figure::new(vec![panel.clone()]),
            Figure::new(vec![panel.clone(), other().into()]).panel_width(0),
            Figure::new(vec![panel.clone()])
                .columns(usize::MAX)
                .panel_width(u32::MAX),
        ];
        for figure in figures {
            self.call(format!("svg of {name}"), || {
                figure.svg().map_err(|e| e.to_string()).ok()
            });
            self.call(format!("csv of {name}"), || figure.csv().ok());
            self.call(format!("report of {name}"), || {
                ReportFigure::new("", &figure).ok()
            });
        }
        // Pixels cost time: once is enough.
        let figure = Figure::new(vec![panel]).panel_width(160);
        self.call(format!("png of {name}"), || figure.png().ok());
    }

    fn end(self) {
        assert!(self.0.is_empty(), "{:#?}", self.0);
    }
}

const NUMBERS: [f64; 12] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    5e-324,
    1e-300,
    1e300,
    -1e300,
    f64::MAX,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];
const SCALES: [Scale; 2] = [Scale::Linear, Scale::Log];
const TEXTS: [&str; 4] = ["", "\0\u{202e}<&\"'>\n,\r", "\u{1F600}\u{0301}", "   "];

fn long() -> String {
    "word ".repeat(2_000)
}

#[test]
fn curves() {
    let mut calls = Calls::default();
    for a in NUMBERS {
        for b in [1.0, 1e300, -1e300, f64::NAN] {
            for scale in SCALES {
                let name = format!("curve from {a:e} to {b:e}, {scale:?}");
                let series = Series::new("s", [a, b, a], [b, a, a]).markers();
                let chart = LineChart::new("t").x_scale(scale).y_scale(scale);
                calls.draw(
                    &name,
                    chart.series(series.clone().points_only()).y_from_zero(),
                );
                let dressed = series.band([a; 3], [b; 3]).plus_minus([a, b, 1.0]).right();
                let chart = LineChart::new("t").right_scale(scale).series(dressed);
                calls.draw(&format!("dressed {name}"), chart.clone());
                let ranged = chart.x_range(a, b).y_range(b, a).right_range(a, a);
                calls.draw(&format!("ranged {name}"), ranged.x_ticks([a, b, a]));
            }
        }
    }
    for (x, y) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 3), (3, 2)] {
        let series = Series::new("s", vec![1.0; x], vec![1.0; y]);
        for (low, high) in [(0, 0), (1, 1), (x, y), (y, x)] {
            let lengths = format!("lengths {x} {y} {low} {high}");
            let dressed = series.clone().band(vec![0.5; low], vec![2.0; high]);
            let dressed = dressed.error_bars(vec![0.5; high], vec![2.0; low]);
            calls.draw(&lengths, LineChart::new("").series(dressed.dotted()));
            let bars = series.clone().plus_minus(vec![0.1; low]);
            calls.draw(&lengths, LineChart::new("").series(bars.dashed()));
        }
    }
    for share in NUMBERS {
        let series = Series::new("s", [0.0, 1.0], [0.0, 1.0]).ordered(share);
        calls.draw(
            "an ordered curve",
            LineChart::new("").series(series.color(usize::MAX)),
        );
    }
    calls.draw(
        "no series",
        LineChart::new("").x_range(0.0, 1.0).y_range(0.0, 1.0),
    );
    let crowd = LineChart::new("crowd");
    let crowd = (0..200).fold(crowd, |chart, i| {
        chart.series(Series::new(
            format!("series {i}"),
            [0.0, 1.0],
            [f64::from(i), 1.0],
        ))
    });
    calls.draw("many series", crowd);
    calls.end();
}

#[test]
fn maps_and_images() {
    let mut calls = Calls::default();
    for shape in [(0, 0), (0, 3), (3, 0), (1, 1), (1, 700), (700, 1), (2, 3)] {
        for value in NUMBERS {
            for scale in SCALES {
                let mut values = Array2::from_elem(shape, value);
                if let Some(last) = values.last_mut() {
                    *last = 1.0;
                }
                let name = format!("{shape:?} of {value:e}, {scale:?}");
                let map = HeatMap::new("t", values.clone()).color_scale(scale);
                calls.draw(
                    &name,
                    map.clone()
                        .symmetric_about_zero()
                        .color_map(ColorMap::Diverging),
                );
                if shape.0 <= 3 && shape.1 <= 3 {
                    let named = map.row_names(["a", "b"]).column_names([long()]);
                    calls.draw(&format!("named {name}"), named);
                    let turned = HeatMap::new("t", values.slice(s![..;-1, ..;-1]).to_owned());
                    let ranged = turned.color_range(value, 1.0).origin_bottom();
                    let series = Series::new(long(), [value, 0.5], [1.0, value]);
                    let ranged = ranged.series(series.markers());
                    calls.draw(
                        &format!("ranged {name}"),
                        ranged.extent((value, 1.0), (1.0, value)),
                    );
                    let images = vec![values.clone(), Array2::zeros((1, 1)), values];
                    let grid = ImageGrid::new("t", images).columns(0);
                    calls.draw(&format!("images {name}"), grid.captions(vec![long(); 3]));
                }
            }
        }
    }
    calls.draw("no images", ImageGrid::new("", vec![]).columns(usize::MAX));
    calls.draw(
        "one caption",
        ImageGrid::new("", vec![Array2::ones((2, 2)); 2]).captions(vec![long()]),
    );
    calls.end();
}

#[test]
fn histograms() {
    let mut calls = Calls::default();
    for bins in [0, 1, 7, 100_000, 100_001, usize::MAX] {
        for value in NUMBERS {
            for scale in SCALES {
                let name = format!("{bins} bins of {value:e}, {scale:?}");
                let histogram = Histogram::new("t", bins).y_scale(scale);
                let filled = histogram
                    .clone()
                    .values("", [value, 1.0])
                    .values("empty", []);
                // As many bins as are allowed take a while.
                if bins < 100_000 || value == 1.0 {
                    calls.draw(&name, filled.clone().vertical_line("line", value));
                    calls.draw(&name, filled.x_range(value, 2.0).y_range(0.0, value));
                }
                calls.draw(&name, histogram);
            }
        }
    }
    calls.end();
}

#[test]
fn texts_and_files() {
    let mut calls = Calls::default();
    let long = long();
    for text in TEXTS.into_iter().chain([long.as_str()]) {
        let name = format!("texts {:?}", &text.chars().take(10).collect::<String>());
        let series = Series::new(text, [0.0, 1.0], [0.0, 1.0]);
        let chart = LineChart::new(text)
            .x_label(text)
            .y_label(text)
            .right_label(text);
        let chart = chart.series(series.clone().right()).series(series);
        calls.draw(&name, chart.clone());
        let map = HeatMap::new(text, Array2::ones((1, 1)))
            .bar_label(text)
            .row_names([text]);
        calls.draw(&name, map);
        let figure = Figure::new(vec![chart.into()]).title(text).note(text);
        calls.call(&name, || figure.svg().ok());
        for path in [Path::new(""), Path::new("/dev/null"), Path::new("a\0b")] {
            calls.call(format!("save {name}"), || figure.save(path, text).ok());
            if !path.as_os_str().is_empty() {
                calls.call(format!("save {name}"), || figure.save(path, "stem").ok());
            }
        }
    }
    calls.end();
    assert!(matches!(
        Figure::new(vec![]).columns(0).svg(),
        Err(Error::NoPanels)
    ));
    let many = vec![
        LineChart::new("")
            .series(Series::new("", [1.0], [1.0]))
            .into();
        400
    ];
    assert!(matches!(
        Figure::new(many).panel_width(u32::MAX).png(),
        Err(Error::Canvas { .. })
    ));
}

#[test]
fn reports() {
    let mut calls = Calls::default();
    for text in TEXTS {
        let text = || text.to_owned();
        let kinds = [
            Kind::Name,
            Kind::Text,
            Kind::Parts,
            Kind::Number,
            Kind::Note,
        ];
        let column = |(i, kind): (usize, &Kind)| Column::new(text(), *kind, vec![text(); i]);
        let table = Table {
            label: text(),
            note: text(),
            columns: kinds.iter().enumerate().map(column).collect(),
        };
        let drawn = ReportFigure::drawn(text(), text(), || Err::<Vec<u8>, ()>(()));
        let width = " width=\"1e999\"".to_owned();
        let odd = ReportFigure::drawn(text(), width, || Err::<Vec<u8>, ()>(()));
        let section = Section {
            name: text(),
            lead: text(),
            summary: vec![(text(), text()); 2],
            figures: drawn.into_iter().chain(odd).collect(),
            results: vec![
                Block::Table(Table::default()),
                Block::Table(table.clone()),
                Block::Folded {
                    title: text(),
                    extent: text(),
                    open: true,
                    table,
                },
            ],
            settings: vec![(
                text(),
                Setting::Group(vec![(text(), Setting::Group(vec![]))]),
            )],
            environment: vec![(text(), text())],
            ..Section::default()
        };
        for sections in [
            vec![],
            vec![section.clone()],
            vec![section.clone(), section.clone()],
        ] {
            let report = Report {
                title: text(),
                sections,
                ..Report::default()
            };
            calls.call("html", || report.html());
        }
    }
    calls.end();
}
