//! Figures that several tests draw, and reading PNGs back.

use ndarray::Array2;
use ntk_plots::{ColorMap, Figure, HeatMap, Histogram, ImageGrid, LineChart, Scale, Series};

/// Width, height and RGB bytes.
pub(crate) type Decoded = (usize, usize, Vec<u8>);

pub(crate) fn decode(bytes: &[u8]) -> Decoded {
    let decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    let mut reader = decoder.read_info().unwrap();
    let mut buffer = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut buffer).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    buffer.truncate(info.buffer_size());
    (info.width as usize, info.height as usize, buffer)
}

/// One small figure of every kind, with the name of its golden image.
pub(crate) fn every_kind() -> Vec<(&'static str, Figure)> {
    let t: Vec<f64> = (0..60).map(f64::from).collect();
    let of = |f: &dyn Fn(f64) -> f64| t.iter().map(|v| f(*v)).collect::<Vec<f64>>();
    let decay = of(&|v| 2.0 * (-v / 15.0).exp());
    let line = LineChart::new("Decay")
        .x_label("step")
        .y_label("loss")
        .y_from_zero()
        .series(
            Series::new("train", t.clone(), decay.clone())
                .band(of(&|v| (-v / 15.0).exp()), of(&|v| 3.0 * (-v / 15.0).exp())),
        )
        .series(Series::new("test", t.clone(), of(&|v| 2.2 * (-v / 18.0).exp())).dashed());
    let log = LineChart::new("Powers")
        .x_label("k")
        .y_label("value")
        .x_scale(Scale::Log)
        .y_scale(Scale::Log)
        .series(Series::new("square", [1.0, 10.0, 100.0], [1.0, 100.0, 1e4]).markers())
        .series(
            Series::new("points", [1.0, 3.0, 30.0, 100.0], [1e4, 300.0, 30.0, 1.0]).points_only(),
        );
    let twin = LineChart::new("Both")
        .x_label("step")
        .y_label("loss")
        .right_label("accuracy")
        .right_range(0.0, 1.0)
        .series(Series::new("loss", t.clone(), decay))
        .series(Series::new("accuracy", t.clone(), of(&|v| 1.0 - 0.9 * (-v / 9.0).exp())).right());
    let matrix = Array2::from_shape_fn((12, 16), |(i, j)| (i as f64 * 0.7).sin() + j as f64 * 0.1);
    let sequential = HeatMap::new("Matrix", matrix.clone())
        .x_label("column")
        .y_label("row")
        .bar_label("value");
    let diverging = HeatMap::new("Signed", matrix - 0.5)
        .color_map(ColorMap::Diverging)
        .symmetric_about_zero()
        .origin_bottom()
        .extent((0.0, 4.0), (0.0, 3.0));
    let images = (0..6)
        .map(|k| Array2::from_shape_fn((8, 8), |(i, j)| ((i * j * (k + 1)) % 9) as f64 / 8.0));
    let captions = (0..6).map(|k| format!("no. {k}")).collect();
    let grid = ImageGrid::new("Pictures", images.collect())
        .captions(captions)
        .columns(3);
    let wave = |shift: f64| of(&|v| (v * 0.9 + shift).sin() + shift);
    let histogram = Histogram::new("Counts", 12)
        .x_label("value")
        .y_label("values")
        .values("before", wave(0.0))
        .values("after", wave(0.6))
        .vertical_line("limit", 0.75);
    let few = [32.0, 64.0, 128.0, 256.0, 512.0];
    let bars = LineChart::new("Errors")
        .x_label("n")
        .y_label("accuracy")
        .x_scale(Scale::Log)
        .x_ticks(few)
        .series(
            Series::new("kernel", few, [0.72, 0.8, 0.85, 0.88, 0.9])
                .plus_minus([0.05, 0.04, 0.03, 0.02, 0.01])
                .markers(),
        )
        .series(
            Series::new("network", few, [0.6, 0.7, 0.77, 0.82, 0.83])
                .error_bars(
                    [0.5, 0.62, 0.72, 0.79, 0.82],
                    [0.64, 0.73, 0.79, 0.83, 0.84],
                )
                .points_only(),
        );
    let cloud = |n: u32, shift: f64| {
        let i = (0..n).map(f64::from);
        let polar = i.map(|i| (i * 2.4 + shift, i / f64::from(n)));
        let (x, y): (Vec<f64>, Vec<f64>) = polar
            .map(|(angle, r)| (r * angle.cos() + shift, r * angle.sin()))
            .unzip();
        Series::new(format!("{n} points"), x, y).points_only()
    };
    let scatter = LineChart::new("Clouds")
        .x_label("entropy")
        .y_label("accuracy")
        .series(cloud(240, 0.0))
        .series(cloud(40, 1.2));
    let short = LineChart::new("Less than a decade")
        .x_scale(Scale::Log)
        .y_scale(Scale::Log)
        .series(Series::new("", [2.0, 4.0, 11.0], [3e-5, 2e-4, 4e-4]).markers());
    let shared = Array2::from_shape_fn((10, 10), |(i, j)| 0.3_f64.powf(i.abs_diff(j) as f64));
    let classes = HeatMap::new("Classes", shared)
        .x_label("digit")
        .row_names([
            "T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
            "Boot",
        ])
        .color_scale(Scale::Log)
        .bar_label("shared");
    let small = |figure: Figure| figure.panel_width(240);
    vec![
        (
            "line",
            small(Figure::new(vec![line.into()]).note("synthetic data")),
        ),
        ("log", small(Figure::new(vec![log.into()]))),
        ("twin", small(Figure::new(vec![twin.into()]))),
        ("histogram", small(Figure::new(vec![histogram.into()]))),
        ("heat-map", small(Figure::new(vec![sequential.into()]))),
        ("diverging", small(Figure::new(vec![diverging.into()]))),
        ("error-bars", small(Figure::new(vec![bars.into()]))),
        (
            "scatter",
            Figure::new(vec![scatter.into()]).panel_width(170),
        ),
        ("short-log", small(Figure::new(vec![short.into()]))),
        ("classes", small(Figure::new(vec![classes.into()]))),
        ("images", small(Figure::new(vec![grid.into()]))),
    ]
}
