//! The page: self-contained, escaped, complete.

use crate::common;
use ntk_plots::report::{Block, Column, Kind, Report, ReportFigure, Section, Setting, Table};

fn full(text: &str) -> Report {
    let pair = || vec![(text.to_owned(), text.to_owned())];
    let figures = common::every_kind()
        .iter()
        .map(|(_, f)| ReportFigure::new(text, f).unwrap())
        .collect();
    let kinds = [
        Kind::Name,
        Kind::Text,
        Kind::Parts,
        Kind::Number,
        Kind::Note,
    ];
    let table = Table {
        label: text.into(),
        note: text.into(),
        columns: kinds.map(|kind| Column::new(text, kind, [text])).into(),
    };
    let results = vec![
        Block::Heading(text.into()),
        Block::Text(text.into()),
        Block::Table(table.clone()),
        Block::Folded {
            title: text.into(),
            extent: text.into(),
            open: false,
            table,
        },
    ];
    let setting = || (text.to_owned(), Setting::Text(text.into()));
    let section = Section {
        name: text.into(),
        lead: text.into(),
        summary: pair(),
        source: text.into(),
        warning: text.into(),
        sha256: text.into(),
        figures,
        results,
        settings: vec![setting(), (text.into(), Setting::Group(vec![setting()]))],
        timings: pair(),
        environment: pair(),
        links: vec![
            (text.into(), "shallow-relu/results.json".into()),
            ("bad".into(), format!("\"{text}")),
        ],
    };
    Report {
        title: text.into(),
        intro: text.into(),
        nouns: ["Experiment", "Experiments"],
        sections: vec![section.clone(), section],
    }
}

#[test]
fn every_text_is_escaped() {
    let html = full("<script>alert('x')</script>&\"").html();
    assert_eq!(html.matches("<script").count(), 1, "only the page's own");
    assert!(!html.contains("<script>alert"));
    assert!(!html.contains("href=\"\"<"));
    assert!(html.contains("&lt;script&gt;alert('x')&lt;/script&gt;&amp;&quot;"));
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
        // Both sections show one figure of every kind.
        2 * common::every_kind().len()
    );
}

#[test]
fn everything_given_is_on_the_page() {
    let html = full("plain").html();
    assert!(html.contains("<strong>plain</strong> plain"));
    assert!(html.contains("href=\"./shallow-relu/results.json\""));
    for heading in [
        "Results",
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
    report.sections[0].name = "Shallow ReLU".into();
    report.sections[1].name = "λ".into();
    let html = report.html();
    for anchor in ["shallow-relu", "section-2"] {
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
    let mut report = full("plain");
    report.sections[0].figures = vec![figure];
    assert!(report.html().contains("<img src=\"data:image/png;base64,"));
}

#[test]
fn an_empty_report_is_a_page() {
    let html = Report::default().html();
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>"));
}

#[test]
fn figures_come_before_the_table_at_their_nominal_size() {
    let html = full("plain").html();
    let at = |text: &str| html.find(text).unwrap();
    assert!(
        at("id=\"overview\"") < at("<figure")
            && at("<figure") < at("<table class=\"results compared")
    );
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
    let mut wide = ReportFigure::new("", &figure.panel_width(900)).unwrap();
    wide.links = vec![("CSV".into(), "a/b.csv".into())];
    let mut report = full("plain");
    report.sections[0].figures = vec![wide];
    let html = report.html();
    assert!(html.contains("<li><a href=\"./a/b.csv\">CSV</a></li></ul></figure>"));
    assert!(html.contains("<figure class=\"wide\">") && html.contains(" width=\"924\" alt="));
}

#[test]
fn links_stay_beside_the_page() {
    let mut report = full("plain");
    for address in ["javascript:alert(1)", "//host/x", " \tfile:x"] {
        report.sections[0].links = vec![("label".into(), address.into())];
        assert!(report.html().contains(&format!("href=\"./{address}\"")));
    }
}

#[test]
fn what_all_environments_share_is_said_at_the_top() {
    let mut report = full("plain");
    let pair = |value: &str| ("revision".to_owned(), value.to_owned());
    report.sections[0].environment.push(pair("first"));
    report.sections[1].environment.push(pair("second"));
    let html = report.html();
    let (_, rest) = html.split_once("id=\"environment\"").unwrap();
    let (shared, _) = rest.split_once("</section>").unwrap();
    assert!(shared.contains("<dd>plain</dd>") && !shared.contains("revision"));
    for own in ["first", "second"] {
        assert_eq!(html.matches(&format!("<dd>{own}</dd>")).count(), 1, "{own}");
    }
    report.sections[1].environment.clear();
    assert!(!report.html().contains("id=\"environment\""));
}
