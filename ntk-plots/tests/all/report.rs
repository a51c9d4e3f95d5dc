//! The page: self-contained, escaped, complete.

use crate::common;
use ntk_plots::report::{Experiment, FigureImage, Report, ReportFigure, Row};

fn full(text: &str) -> Report {
    let pair = || vec![(text.to_owned(), text.to_owned())];
    let figures = common::every_kind()
        .iter()
        .map(|(_, f)| ReportFigure::new(text, f).unwrap())
        .collect();
    let row = Row {
        quantity: text.into(),
        place: pair(),
        printed: text.into(),
        ours: text.into(),
        difference: text.into(),
        note: text.into(),
    };
    let experiment = Experiment {
        name: text.into(),
        question: text.into(),
        summary: pair(),
        source_line: text.into(),
        embedded: true,
        sha256: text.into(),
        figures,
        table: vec![row],
        settings: pair(),
        timings: pair(),
        environment: pair(),
        links: vec![
            (text.into(), "shallow-relu/results.json".into()),
            ("bad".into(), format!("\"{text}")),
        ],
    };
    let experiments = vec![experiment.clone(), experiment];
    Report {
        title: text.into(),
        intro: text.into(),
        experiments,
    }
}

#[test]
fn every_text_is_escaped() {
    let html = full("<script>alert('x')</script>&\"").html();
    assert_eq!(html.matches("<script").count(), 1, "only the page's own");
    assert!(!html.contains("alert('x')"));
    assert!(!html.contains("href=\"\"<"));
    assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;"));
}

#[test]
fn nothing_is_loaded_from_outside() {
    let html = full("plain").html();
    for outside in ["http://", "https://", "src=\"/", "url(", "@import", "file:"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(html.contains("default-src 'none'"));
    assert_eq!(
        html.matches("<img src=\"data:image/svg+xml;base64,")
            .count(),
        // Both experiments show one figure of every kind.
        2 * common::every_kind().len()
    );
}

#[test]
fn everything_given_is_on_the_page() {
    let html = full("plain").html();
    assert!(html.contains("Embedded sample, not the full data set."));
    assert!(html.contains("href=\"shallow-relu/results.json\""));
    for heading in [
        "Quantity",
        "Notebook",
        "Ours",
        "Settings",
        "Time",
        "Files",
        "Environment",
        "SHA-256",
    ] {
        assert!(html.contains(heading), "{heading}");
    }
    for id in ["theme", "zoom", "main"] {
        assert!(html.contains(&format!("id=\"{id}\"")), "{id}");
    }
}

#[test]
fn every_entry_of_the_contents_has_its_section() {
    let mut report = full("plain");
    report.experiments[0].name = "Shallow ReLU".into();
    report.experiments[1].name = "λ".into();
    let html = report.html();
    for anchor in ["shallow-relu", "experiment-2"] {
        assert!(html.contains(&format!("href=\"#{anchor}\"")), "{anchor}");
        assert_eq!(
            html.matches(&format!("id=\"{anchor}\"")).count(),
            1,
            "{anchor}"
        );
    }
}

#[test]
fn a_large_svg_becomes_a_png() {
    let n = 27_000;
    let x: Vec<f64> = (0..n).map(|i| (f64::from(i) * 0.7).sin()).collect();
    let y: Vec<f64> = (0..n).map(|i| (f64::from(i) * 0.37).cos()).collect();
    let chart = ntk_plots::LineChart::new("").series(ntk_plots::Series::new("", x, y));
    let figure = ReportFigure::new("", &ntk_plots::Figure::new(vec![chart.into()])).unwrap();
    assert!(matches!(figure.image, FigureImage::Png(_)));
}

#[test]
fn an_empty_report_is_a_page() {
    let html = Report::default().html();
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
}

#[test]
fn figures_come_before_the_table_at_their_nominal_size() {
    let html = full("plain").html();
    let at = |text: &str| html.find(text).unwrap();
    assert!(at("id=\"overview\"") < at("<figure") && at("<figure") < at(">Notebook<"));
    for part in [
        "figures",
        "results",
        "settings",
        "time",
        "environment",
        "files",
    ] {
        assert!(html.contains(&format!("href=\"#plain_{part}\"")), "{part}");
        assert!(html.contains(&format!("id=\"plain_{part}\"")), "{part}");
    }
    // One panel of 240, with margins of 12.
    assert!(html.contains(" width=\"264\" alt="));
    assert!(!html.contains("<figure class=\"wide\">"));
    let (_, figure) = common::every_kind().remove(0);
    let wide = ReportFigure::new("", &figure.clone().panel_width(900)).unwrap();
    let png = FigureImage::Png(figure.panel_width(900).png().unwrap());
    let mut report = full("plain");
    let other = ReportFigure {
        caption: String::new(),
        image: png,
        links: vec![("CSV".into(), "a/b.csv".into())],
    };
    report.experiments[0].figures = vec![wide, other];
    let html = report.html();
    assert!(html.contains("<li><a href=\"a/b.csv\">CSV</a></li></ul></figure>"));
    assert_eq!(html.matches("<figure class=\"wide\">").count(), 2);
    assert_eq!(html.matches(" width=\"924\" alt=").count(), 2);
}

#[test]
fn what_all_environments_share_is_said_at_the_top() {
    let mut report = full("plain");
    let pair = |value: &str| ("revision".to_owned(), value.to_owned());
    report.experiments[0].environment.push(pair("first"));
    report.experiments[1].environment.push(pair("second"));
    let html = report.html();
    let (_, rest) = html.split_once("id=\"environment\"").unwrap();
    let (shared, _) = rest.split_once("</section>").unwrap();
    assert!(shared.contains("<dd>plain</dd>") && !shared.contains("revision"));
    for own in ["first", "second"] {
        assert_eq!(html.matches(&format!("<dd>{own}</dd>")).count(), 1, "{own}");
    }
    report.experiments[1].environment.clear();
    assert!(!report.html().contains("id=\"environment\""));
}
