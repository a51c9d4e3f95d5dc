//! What a user of the crate gets: sizes, well-formed files, typed errors.

use crate::common::{decode, every_kind};
use ndarray::Array2;
use ntk_plots::{Error, Figure, HeatMap, Histogram, ImageGrid, LineChart, Panel, Scale, Series};

fn figure(chart: impl Into<Panel>) -> Figure {
    Figure::new(vec![chart.into()])
}

fn error(chart: impl Into<Panel>) -> Error {
    figure(chart).svg().unwrap_err()
}

/// The value of an attribute of the first tag.
fn attribute(svg: &str, name: &str) -> String {
    let head = svg.split('>').next().unwrap();
    head.split(&format!(" {name}=\""))
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned()
}

/// Fails on a tag that is not closed, or closed in the wrong order, and on a stray `<` or `&`.
fn assert_well_formed(xml: &str) {
    let mut open = Vec::new();
    let mut rest = xml;
    while let Some(start) = rest.find('<') {
        let (text, tag) = rest.split_at(start);
        for entity in text.split('&').skip(1) {
            assert!(
                ["lt;", "gt;", "amp;", "quot;", "#39;"]
                    .iter()
                    .any(|e| entity.starts_with(e)),
                "&{entity}"
            );
        }
        let end = tag.find('>').expect("a tag is closed by >");
        let body = &tag[1..end];
        assert!(!body.contains('<'), "<{body}>");
        assert_eq!(body.matches('"').count() % 2, 0, "<{body}>");
        if let Some(name) = body.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name.to_owned()));
        } else if !body.ends_with('/') {
            open.push(body.split(' ').next().unwrap().to_owned());
        }
        rest = &tag[end + 1..];
    }
    assert!(open.is_empty(), "{open:?} not closed");
}

#[test]
fn every_kind_is_a_png_of_twice_the_size_of_its_svg() {
    for (name, figure) in every_kind() {
        let svg = figure.svg().unwrap();
        assert_well_formed(&svg);
        let (w, h) = (attribute(&svg, "width"), attribute(&svg, "height"));
        assert_eq!(attribute(&svg, "viewBox"), format!("0 0 {w} {h}"), "{name}");
        let (width, height, rgb) = decode(&figure.png().unwrap());
        assert_eq!((width / 2).to_string(), w, "{name}");
        assert_eq!((height / 2).to_string(), h, "{name}");
        assert!(rgb.iter().any(|b| *b < 60), "{name} has ink");
        assert!(svg.contains("DejaVu Sans"));
    }
}

#[test]
fn any_text_is_escaped_in_the_svg() {
    let nasty = "<script>alert('&\"')</script>\u{0}";
    let chart = LineChart::new(nasty)
        .x_label(nasty)
        .y_label(nasty)
        .series(Series::new(nasty, [1.0], [1.0]));
    let svg = figure(chart).title(nasty).note(nasty).svg().unwrap();
    assert_well_formed(&svg);
    assert!(!svg.contains("<script") && !svg.contains('\u{0}'));
}

#[test]
fn a_dashed_line_is_dashed() {
    let line = |s: Series| figure(LineChart::new("").series(s)).svg().unwrap();
    let points = || Series::new("", [0.0, 1.0], [0.0, 1.0]);
    assert!(line(points().dashed()).contains("stroke-dasharray"));
    assert!(!line(points()).contains("stroke-dasharray"));
}

#[test]
fn a_family_of_curves_grows_lighter() {
    let drawn = |share: f64| {
        let series = Series::new("", [0.0, 1.0], [0.0, 1.0]).ordered(share);
        let (.., rgb) = decode(&figure(LineChart::new("").series(series)).png().unwrap());
        // The curve alone is coloured; everything else is grey.
        let colored = rgb
            .chunks(3)
            .filter(|c| c.iter().max().unwrap() - c.iter().min().unwrap() > 60);
        let lightness: Vec<f64> = colored
            .map(|c| c.iter().map(|v| f64::from(*v)).sum())
            .collect();
        lightness.iter().copied().fold(f64::INFINITY, f64::min)
    };
    let [first, middle, last] = [0.0, 0.5, 1.0].map(drawn);
    assert!(first + 30.0 < middle && middle + 30.0 < last);
    assert_eq!(
        (drawn(f64::NAN), drawn(-1.0), drawn(9.0)),
        (first, first, last)
    );
}

#[test]
fn errors_say_what_where_and_what_to_do() {
    assert!(matches!(Figure::new(vec![]).svg(), Err(Error::NoPanels)));
    assert!(matches!(error(LineChart::new("p")), Error::NoData { .. }));
    assert!(matches!(
        error(LineChart::new("p").series(Series::new("s", [], []))),
        Error::NoData { .. }
    ));
    assert!(matches!(
        error(HeatMap::new("p", Array2::zeros((0, 3)))),
        Error::NoData { .. }
    ));
    assert!(matches!(
        error(ImageGrid::new("p", vec![])),
        Error::NoData { .. }
    ));

    let log = LineChart::new("spectrum").y_scale(Scale::Log);
    let log = log.series(Series::new(
        "λ",
        [1.0, 2.0, 3.0, 4.0],
        [1.0, -2.0, 0.0, 4.0],
    ));
    assert_eq!(
        error(log).to_string(),
        "panel 'spectrum', series 'λ', y: 2 of 4 values are not positive (-2 at index 1, 0 at index 2), \
         which a logarithmic scale cannot show: drop or clip them, or use Scale::Linear"
    );
    let nan = LineChart::new("p").series(Series::new("s", [1.0, 2.0], [f64::NAN, f64::INFINITY]));
    assert!(matches!(
        error(nan),
        Error::NotFinite {
            count: 2,
            total: 2,
            first: 0,
            ..
        }
    ));
    let mut values = Array2::zeros((2, 3));
    values[(1, 0)] = f64::NAN;
    assert!(matches!(
        error(HeatMap::new("p", values)),
        Error::NotFinite {
            count: 1,
            total: 6,
            first: 3,
            ..
        }
    ));
    let lengths = LineChart::new("p").series(Series::new("s", [1.0, 2.0], [1.0]));
    assert!(matches!(
        error(lengths),
        Error::Lengths {
            what: "y",
            expected: 2,
            found: 1,
            ..
        }
    ));
    let band = LineChart::new("p").series(Series::new("s", [1.0], [1.0]).band([1.0], []));
    assert!(matches!(error(band), Error::Lengths { what: "high", .. }));
    let bars = LineChart::new("p").series(Series::new("s", [1.0], [1.0]).plus_minus([0.1, 0.1]));
    assert!(matches!(
        error(bars),
        Error::Lengths {
            what: "bar low",
            expected: 1,
            found: 2,
            ..
        }
    ));
    let bars = LineChart::new("p")
        .series(Series::new("s", [1.0, 2.0], [1.0, 1.0]).error_bars([0.0, 0.0], [1.0, f64::NAN]));
    let message = error(bars).to_string();
    assert!(
        message.contains("series 's', bar high: 1 of 2 values are NaN"),
        "{message}"
    );
    let names = HeatMap::new("p", Array2::zeros((2, 3))).row_names(["a", "b", "c"]);
    assert!(matches!(
        error(names),
        Error::Names {
            side: "rows",
            expected: 2,
            found: 3,
            ..
        }
    ));
    let large = LineChart::new("p").series(Series::new("s", [1.0], [2e300]));
    assert!(matches!(error(large), Error::TooLarge { first: 0, .. }));
    let range = LineChart::new("p")
        .series(Series::new("s", [1.0], [1.0]))
        .y_range(2.0, 2.0);
    assert!(matches!(error(range), Error::Range { axis: "y", .. }));
    let ticks = LineChart::new("p")
        .series(Series::new("s", [1.0], [1.0]))
        .x_ticks([1.0, f64::NAN]);
    assert!(matches!(error(ticks), Error::NotFinite { count: 1, .. }));
    assert!(matches!(
        error(Histogram::new("p", 5)),
        Error::NoData { .. }
    ));
    assert!(matches!(
        error(Histogram::new("p", 5).values("a", []).values("b", [])),
        Error::NoData { .. }
    ));
    let counts = |bins| Histogram::new("p", bins).values("a", [1.0, 2.0]);
    assert!(matches!(error(counts(0)), Error::Bins { bins: 0, .. }));
    assert!(matches!(
        error(counts(usize::MAX)),
        Error::Bins { limit: 100_000, .. }
    ));
    assert!(matches!(
        error(counts(5).values("b", [0.0, f64::NAN])),
        Error::NotFinite { first: 1, .. }
    ));
    assert!(matches!(
        error(counts(5).vertical_line("", f64::INFINITY)),
        Error::NotFinite { .. }
    ));
    assert!(matches!(
        error(counts(5).x_range(2.0, 1.0)),
        Error::Range { axis: "x", .. }
    ));
    assert!(matches!(
        error(counts(5).y_range(0.0, 9.0).y_scale(Scale::Log)),
        Error::Range { axis: "y", .. }
    ));
    let image = |v| vec![Array2::from_elem((2, 2), v)];
    assert!(matches!(
        error(ImageGrid::new("p", image(-1.0))),
        Error::Pixel { image: 0, .. }
    ));
    let captions = ImageGrid::new("p", image(0.5)).captions(vec![String::new(); 2]);
    assert!(matches!(
        error(captions),
        Error::Captions {
            images: 1,
            captions: 2,
            ..
        }
    ));
    let many = ImageGrid::new("p", vec![Array2::zeros((1, 1)); 5000]).columns(1);
    assert!(matches!(figure(many).png(), Err(Error::Canvas { .. })));
}

#[test]
fn values_that_a_logarithmic_scale_cannot_show_are_listed() {
    let points = || Series::new("s", [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]);
    let log = |series: Series| LineChart::new("p").y_scale(Scale::Log).series(series);
    let has = |error: Error, part: &str| {
        let message = error.to_string();
        assert!(message.contains(part), "{message}");
    };
    let end = "'s', bar low: 2 of 3 values are not positive (0 at index 0, -1e-9 at index 2)";
    let ones = vec![1.0; 3];
    has(
        error(log(points().error_bars([0.0, 1.0, -1e-9], ones.clone()))),
        end,
    );
    has(
        error(log(points().band([0.0; 3], ones))),
        "'s', low: 3 of 3 values",
    );
    has(
        error(log(points().plus_minus([1.0; 3]))),
        "'s', bar low: 1 of 3",
    );
    let many: Vec<f64> = (0..40).map(|i| 0.0 - f64::from(i % 4)).collect();
    let end = "'s', y: 40 of 40 values are not positive (0 at index 0, -1 at index 1, \
               -2 at index 2, -3 at index 3, 0 at index 4 and 35 more)";
    has(error(log(Series::new("s", vec![1.0; 40], many))), end);
    let x = LineChart::new("p").x_scale(Scale::Log);
    let x = x.series(Series::new("s", [0.0], [1.0]));
    has(error(x), "'s', x: 1 of 1");
    let map = HeatMap::new("p", ndarray::array![[1.0, 0.0], [2.0, 3.0]]);
    has(
        error(map.clone().color_scale(Scale::Log)),
        "values: 1 of 4 values are not positive (0 at index 1)",
    );
    assert!(figure(map).svg().is_ok());
    let map = HeatMap::new("p", ndarray::array![[1.0]]).color_scale(Scale::Log);
    assert!(matches!(
        error(map.color_range(0.0, 1.0)),
        Error::Range { axis: "colour", .. }
    ));
}

#[test]
fn extreme_data_is_drawn() {
    for ys in [
        vec![1e300, -1e300],
        vec![1e-300, 2e-300],
        vec![5e-324, 0.0],
        vec![7.0, 7.0],
        vec![1e15, 1e15 + 1.0],
    ] {
        let xs = [0.0, 1.0];
        let chart = LineChart::new("").series(Series::new("", xs, ys.clone()).markers());
        figure(chart)
            .png()
            .unwrap_or_else(|e| panic!("{ys:?}: {e}"));
        let bars = Series::new("", xs, ys.clone()).error_bars(ys.clone(), [ys[1], ys[0]]);
        figure(LineChart::new("").series(bars.points_only()))
            .png()
            .unwrap_or_else(|e| panic!("{ys:?}: {e}"));
        let matrix = Array2::from_shape_vec((1, 2), ys.clone()).unwrap();
        figure(HeatMap::new("", matrix))
            .png()
            .unwrap_or_else(|e| panic!("{ys:?}: {e}"));
        for scale in [Scale::Linear, Scale::Log] {
            let chart = Histogram::new("", 7).values("", ys.clone()).y_scale(scale);
            figure(chart)
                .png()
                .unwrap_or_else(|e| panic!("{ys:?}: {e}"));
        }
    }
    let one = LineChart::new("")
        .x_scale(Scale::Log)
        .series(Series::new("", [3.0], [4.0]).markers());
    figure(one).png().unwrap();
}

#[test]
fn csv_holds_the_numbers_exactly() {
    let line = |title: &str| {
        LineChart::new(title)
            .series(Series::new("a, b", [1.0, 2.0], [0.1, 1e-12]).band([0.0, 0.0], [1.0, 1e20]))
    };
    let heat = || HeatMap::new("K(x, x′)", ndarray::array![[1.0 / 3.0, 2.0], [-1e-9, 1e9]]);
    let panels = vec![
        line("one").into(),
        heat().into(),
        heat().into(),
        line("two").into(),
    ];
    let files = Figure::new(panels).csv().unwrap();
    let suffixes: Vec<&str> = files.iter().map(|f| f.suffix.as_str()).collect();
    assert_eq!(suffixes, ["", "-k-x-x", "-k-x-x-3"]);
    let expected =
        "panel,series,x,y\none,\"a, b\",1,0.1\none,\"a, b\",2,1e-12\none,\"a, b (low)\",1,0\n";
    assert!(files[0].text.starts_with(expected), "{}", files[0].text);
    assert!(files[0].text.contains("two,\"a, b (high)\",2,1e20\n"));
    assert_eq!(files[1].text, "0.333333,2\n-1e-9,1000000000\n");
    let bars = Series::new("s", [1.0], [2.0]).band([1.0], [3.0]);
    let bars = LineChart::new("p").series(bars.plus_minus([0.5]));
    assert_eq!(
        figure(bars).csv().unwrap()[0].text,
        "panel,series,x,y\np,s,1,2\np,s (low),1,1\np,s (high),1,3\n\
         p,s (bar low),1,1.5\np,s (bar high),1,2.5\n"
    );
    let alone = figure(heat()).csv().unwrap();
    assert_eq!((alone.len(), alone[0].suffix.as_str()), (1, ""));
    let pair = Figure::new(vec![heat().into(), line("one").into()])
        .csv()
        .unwrap();
    let suffixes: Vec<&str> = pair.iter().map(|f| f.suffix.as_str()).collect();
    assert_eq!(suffixes, ["", "-k-x-x"]);
    let large = figure(HeatMap::new("m", Array2::ones((1024, 2))))
        .csv()
        .unwrap()
        .remove(0)
        .text;
    assert!(large.starts_with("# 1024 × 2 values, shown as means over blocks of 2 × 1\n1,1\n"));
    assert_eq!(large.lines().count(), 513);
}

#[test]
fn the_csv_of_a_histogram_holds_edges_and_counts() {
    let chart = Histogram::new("p", 2)
        .values("a, b", [0.0, 0.25, 0.5, 1.0])
        .values("", [0.1])
        .vertical_line("limit", 0.3)
        .x_range(0.0, 0.2);
    let files = figure(chart).csv().unwrap();
    assert_eq!((files.len(), files[0].suffix.as_str()), (1, ""));
    let expected = "# vertical line limit at 0.3\nlow,high,\"a, b\",count\n0,0.5,2,1\n0.5,1,2,0\n";
    assert_eq!(files[0].text, expected);
}

#[test]
fn saving_leaves_whole_files_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("made/when/missing");
    let chart = LineChart::new("p").series(Series::new("s", [1.0, 2.0], [1.0, 4.0]));
    figure(chart.clone()).save(&folder, "fig-1").unwrap();
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["fig-1.csv", "fig-1.png", "fig-1.svg"]);

    let bad = chart.clone().series(Series::new("nan", [1.0], [f64::NAN]));
    assert!(figure(bad).save(&folder, "fig-2").is_err());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3);
    for stem in ["", "../x", "a/b", ".hidden", "a b"] {
        assert!(
            matches!(
                figure(chart.clone()).save(&folder, stem),
                Err(Error::Stem { .. })
            ),
            "{stem}"
        );
    }
    // A folder in the place of the file: the rename fails, and no temporary file is left.
    std::fs::create_dir(folder.join("fig-3.png")).unwrap();
    assert!(matches!(
        figure(chart).save(&folder, "fig-3"),
        Err(Error::Io { .. })
    ));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 4);
}

/// Falling on the left axis, and `right` on the right one.
fn twin(right: Series) -> LineChart {
    LineChart::new("p")
        .series(Series::new("left", [0.0, 1.0], [2.0, 1.0]))
        .series(right.right())
}

#[test]
fn the_table_says_what_is_on_the_right_axis() {
    let accuracy = Series::new("accuracy", [0.0], [0.5]).band([0.25], [0.75]);
    let text = &figure(twin(accuracy)).csv().unwrap()[0].text;
    assert_eq!(
        text,
        "panel,series,x,y\np,left,0,2\np,left,1,1\np,accuracy (right),0,0.5\n\
         p,accuracy (right) (low),0,0.25\np,accuracy (right) (high),0,0.75\n"
    );
    let nameless = &figure(twin(Series::new("", [0.0], [0.5]))).csv().unwrap()[0].text;
    assert!(nameless.ends_with("p,,0,0.5\n"), "{nameless}");
}

#[test]
fn errors_of_the_right_axis_name_it() {
    let zero = || Series::new("share", [1.0], [0.0]);
    let log = twin(zero()).right_scale(Scale::Log);
    let message = error(log).to_string();
    assert!(
        message.contains("'share', right y: 1 of 1 values"),
        "{message}"
    );
    // The left scale is not asked of it.
    assert!(figure(twin(zero()).y_scale(Scale::Log)).svg().is_ok());
    for (low, high) in [(1.0, 1.0), (f64::NAN, 1.0), (2.0, 1.0)] {
        assert!(matches!(
            error(twin(zero()).right_range(low, high)),
            Error::Range {
                axis: "right y",
                ..
            }
        ));
    }
    let needs = |chart: LineChart| match error(chart) {
        Error::NoData { needs, .. } => needs,
        other => panic!("{other}"),
    };
    let only = |series: Series| LineChart::new("p").series(series);
    assert_eq!(
        needs(only(zero().right())),
        "series with points on the left axis"
    );
    assert_eq!(
        needs(only(zero()).right_label("share")),
        "series with points on the right axis"
    );
    assert_eq!(
        needs(twin(Series::new("share", [], []))),
        "series with points on the right axis"
    );
    assert!(matches!(
        error(twin(Series::new("share", [1.0], []))),
        Error::Lengths { what: "y", .. }
    ));
}
