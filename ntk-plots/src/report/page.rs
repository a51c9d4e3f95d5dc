//! The HTML of the page.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::table::frame;
use super::{Block, Report, ReportFigure, Section, Setting};
use crate::csv::slug;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// Nothing is loaded, whatever the page holds.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
                      script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

impl Report {
    /// Renders the page: self-contained (styles, script and figures are inside, and its own content
    /// security policy forbids loading anything), light and dark.
    pub fn html(&self) -> String {
        page(self).into_string()
    }
}

fn page(report: &Report) -> Markup {
    let sections = &report.sections;
    let shared = shared(sections);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (report.title) }
                style { (PreEscaped(STYLE)) }
            }
            body #top {
                a.skip href="#main" { "Skip to the results" }
                header {
                    h1 { (report.title) }
                    button #theme type="button" hidden { "Dark" }
                }
                @if sections.len() > 1 {
                    nav.contents aria-label=(report.nouns[1]) { ul {
                        li { a href="#top" { "Overview" } }
                        @for (i, s) in sections.iter().enumerate() { li { (link(i, s)) } }
                    } }
                }
                main #main {
                    .intro { (paragraphs(&report.intro)) }
                    (overview(report))
                    @if !shared.is_empty() {
                        section #environment {
                            h2 { "Environment of all " (report.nouns[1].to_lowercase()) }
                            (pairs(Some("facts"), &shared))
                        }
                    }
                    @for (i, s) in sections.iter().enumerate() { (section(i, s)) }
                }
                (zoom())
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// Renders the place where figures are enlarged, which the script fills.
fn zoom() -> Markup {
    html! {
        dialog #zoom aria-label="Figure, enlarged" {
            .tools {
                button type="button" data-zoom="out" aria-label="Smaller" { "\u{2212}" }
                output aria-label="Magnification" {}
                button type="button" data-zoom="in" aria-label="Larger" { "+" }
                button type="button" data-zoom="fit" { "Fit" }
                span.keys { "keys: + \u{2212} 0, arrows, Esc; wheel and drag" }
                form method="dialog" { button { "Close" } }
            }
            .view tabindex="0" role="region" aria-label="Figure" { img alt=""; }
            p {}
        }
    }
}

fn paragraphs(text: &str) -> Markup {
    let parts = text.split("\n\n").map(str::trim).filter(|p| !p.is_empty());
    html! { @for part in parts { p { (part) } } }
}

/// Makes the anchor of a section: letters, digits and `-`.
fn anchor(index: usize, section: &Section) -> String {
    // `dark` and `light` choose the theme; the others are the page's.
    const TAKEN: &str = "dark light top main overview environment theme zoom";
    match slug(&section.name) {
        name if TAKEN.split(' ').any(|id| id == name) || name.is_empty() => {
            format!("section-{}", index + 1)
        }
        name => name,
    }
}

fn link(index: usize, section: &Section) -> Markup {
    html! { a href={ "#" (anchor(index, section)) } { (section.name) } }
}

/// Renders a row for each section, a column for each name in their summaries.
fn overview(report: &Report) -> Markup {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in report.sections.iter().flat_map(|s| &s.summary) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let value = |section: &Section, name: &str| {
        let found = section.summary.iter().find(|(n, _)| n == name);
        html! { td data-name=(name) { @if let Some((_, value)) = found { (value) } } }
    };
    let head = html! {
        th scope="col" { (report.nouns[0]) }
        @for name in &names { th scope="col" { (name) } }
    };
    let body = html! {
        @for (i, section) in report.sections.iter().enumerate() {
            tr { th scope="row" { (link(i, section)) } @for name in &names { (value(section, name)) } }
        }
    };
    html! {
        @if !names.is_empty() {
            section #overview { h2 { "Overview" } (frame("overview", "Overview", &head, &body)) }
        }
    }
}

/// Names and values that all sections' environments have.
fn shared(sections: &[Section]) -> Vec<(String, String)> {
    let first = sections.first().map(|s| s.environment.clone());
    let mut shared = first.unwrap_or_default();
    shared.retain(|pair| sections.iter().all(|s| s.environment.contains(pair)));
    shared
}

fn section(index: usize, s: &Section) -> Markup {
    let anchor = anchor(index, s);
    // No anchor of a section has an underscore.
    let id = |title: &str| format!("{anchor}_{}", title.to_lowercase());
    // Short lists stand beside each other.
    let short = |title: &str| matches!(title, "Time" | "Environment");
    let parts = parts(s);
    html! {
        section.experiment #(anchor) {
            h2 { (s.name) }
            .question { (paragraphs(&s.lead)) }
            @if !s.summary.is_empty() { (pairs(Some("facts"), &s.summary)) }
            (source(s))
            @if parts.len() > 1 {
                nav.parts aria-label={ "Parts of " (s.name) } { ul {
                    @for (title, count, _) in &parts {
                        li { a href={ "#" (id(title)) } { (title) } " " span.count { (count) } }
                    }
                } }
            }
            @for (title, _, body) in &parts {
                section.part.half[short(title)] #(id(title)) { h3 { (title) } (body) }
            }
        }
    }
}

/// Lists the parts that hold anything, in the order of the page, the figures before the long tables:
/// title, how many of what it holds there are, and HTML.
fn parts(s: &Section) -> Vec<(&'static str, usize, Markup)> {
    let figures = html! { .figures { @for f in &s.figures { (figure(f)) } } };
    let results = html! { @for b in &s.results { (block(b)) } };
    let rows = s.results.iter().map(|block| match block {
        Block::Heading(_) | Block::Text(_) => 0,
        Block::Table(table) | Block::Folded { table, .. } => table.rows(),
    });
    let settings = html! { .settings { (settings(&s.settings)) } };
    let environment = pairs(None, &s.environment);
    let mut parts = vec![
        ("Figures", s.figures.len(), figures),
        ("Results", rows.sum(), results),
        ("Settings", s.settings.len(), settings),
        ("Time", s.timings.len(), pairs(None, &s.timings)),
        ("Environment", s.environment.len(), environment),
        ("Files", s.links.len(), files(&s.links)),
    ];
    parts.retain(|(_, count, _)| *count > 0);
    parts
}

fn source(s: &Section) -> Markup {
    html! {
        @if [&s.source, &s.warning, &s.sha256].into_iter().any(|text| !text.is_empty()) {
            p.source.warning[!s.warning.is_empty()] {
                @if !s.warning.is_empty() { strong { (s.warning) } " " }
                (s.source)
                @if !s.sha256.is_empty() { br; span.hash { "SHA-256 " code { (s.sha256) } } }
            }
        }
    }
}

fn figure(f: &ReportFigure) -> Markup {
    html! {
        figure.wide[f.is_wide()] {
            button.zoom type="button" aria-label={ "Enlarge: " (f.caption) } {
                img src=(f.address) width=[f.width.map(f64::round)] alt=(f.caption);
            }
            figcaption { (f.caption) }
            @if !f.links.is_empty() { (files(&f.links)) }
        }
    }
}

fn block(block: &Block) -> Markup {
    html! {
        @match block {
            Block::Heading(text) => h4 { (text) },
            Block::Text(text) => p { (text) },
            Block::Table(table) => (table.html()),
            Block::Folded { title, extent, open, table } => details open[*open] {
                summary { (title) " " span.count { (extent) } }
                (table.html())
            }
        }
    }
}

/// Names and values, one to a line or, as facts, a few in a line.
fn pairs(class: Option<&str>, rows: &[(String, String)]) -> Markup {
    html! {
        dl class=[class] { @for (name, value) in rows { div { dt { (name) } dd { (value) } } } }
    }
}

fn settings(rows: &[(String, Setting)]) -> Markup {
    html! {
        dl {
            @for (name, value) in rows {
                @match value {
                    Setting::Text(text) => div { dt { (name) } dd { (text) } },
                    Setting::Group(rows) => .nested { dt { (name) } dd { (settings(rows)) } }
                }
            }
        }
    }
}

/// Renders a list of links, none of which can mean anything but a file beside the page.
fn files(links: &[(String, String)]) -> Markup {
    html! {
        ul.files { @for (label, address) in links { li { a href={ "./" (address) } { (label) } } } }
    }
}
