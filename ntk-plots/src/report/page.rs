//! The page's HTML.

use super::pairs::pairs;
use super::table::{overview, results};
use super::{Experiment, Report, ReportFigure};
use crate::svg::escape;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// Nothing is loaded, whatever the page holds.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
                      script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
/// Where figures are enlarged: the script fills it.
const ZOOM: &str = "<dialog id=\"zoom\" aria-label=\"Figure, enlarged\">\n\
     <div class=\"tools\"><button type=\"button\" data-zoom=\"out\" aria-label=\"Smaller\">\u{2212}</button>\
     <output aria-label=\"Magnification\"></output>\
     <button type=\"button\" data-zoom=\"in\" aria-label=\"Larger\">+</button>\
     <button type=\"button\" data-zoom=\"fit\">Fit</button>\
     <span class=\"keys\">keys: + \u{2212} 0, arrows, Esc; wheel and drag</span>\
     <form method=\"dialog\"><button>Close</button></form></div>\n\
     <div class=\"view\" tabindex=\"0\" role=\"region\" aria-label=\"Figure\"><img alt=\"\"></div>\n\
     <p></p></dialog>\n";

pub(super) fn page(report: &Report) -> String {
    let title = escape(&report.title);
    let experiments = &report.experiments;
    let contents: String = experiments
        .iter()
        .enumerate()
        .map(|(i, e)| {
            let (anchor, name) = (e.anchor(i), escape(&e.name));
            format!("<li><a href=\"#{anchor}\">{name}</a></li>")
        })
        .collect();
    let contents = match experiments.len() {
        0 | 1 => String::new(),
        _ => format!(
            "<nav class=\"contents\" aria-label=\"Experiments\"><ul>\
             <li><a href=\"#top\">Overview</a></li>{contents}</ul></nav>\n"
        ),
    };
    let intro: String = paragraphs(&report.intro);
    let overview = overview(experiments);
    let environment = match facts(&shared(experiments)) {
        list if list.is_empty() => list,
        list => format!(
            "<section id=\"environment\"><h2>Environment of all experiments</h2>\n{list}</section>\n"
        ),
    };
    let sections: String = experiments
        .iter()
        .enumerate()
        .map(|(i, e)| experiment(i, e))
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body id=\"top\">\n\
         <a class=\"skip\" href=\"#main\">Skip to the results</a>\n\
         <header>\n<h1>{title}</h1>\n\
         <button type=\"button\" id=\"theme\" hidden>Dark</button>\n</header>\n\
         {contents}<main id=\"main\">\n<div class=\"intro\">{intro}</div>\n\
         {overview}{environment}{sections}</main>\n{ZOOM}\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    )
}

fn paragraphs(text: &str) -> String {
    let parts = text.split("\n\n").map(str::trim).filter(|p| !p.is_empty());
    parts.map(|p| format!("<p>{}</p>\n", escape(p))).collect()
}

/// Names and values that all experiments' environments have.
fn shared(experiments: &[Experiment]) -> Vec<(String, String)> {
    let Some((first, others)) = experiments.split_first() else {
        return Vec::new();
    };
    let pairs = first.environment.iter();
    pairs
        .filter(|pair| others.iter().all(|e| e.environment.contains(pair)))
        .cloned()
        .collect()
}

/// A few names and values in a line.
fn facts(rows: &[(String, String)]) -> String {
    let rows: String = rows
        .iter()
        .map(|(name, value)| {
            let (name, value) = (escape(name), escape(value));
            format!("<div><dt>{name}</dt><dd>{value}</dd></div>")
        })
        .collect();
    if rows.is_empty() {
        return rows;
    }
    format!("<dl class=\"facts\">{rows}</dl>\n")
}

fn experiment(index: usize, e: &Experiment) -> String {
    let anchor = e.anchor(index);
    let name = escape(&e.name);
    let question = paragraphs(&e.question);
    let parts = parts(e, &anchor);
    let links = match parts.len() {
        0 | 1 => String::new(),
        _ => {
            let links = parts.iter().map(Part::link).collect::<String>();
            format!("<nav class=\"parts\" aria-label=\"Parts of {name}\"><ul>{links}</ul></nav>\n")
        }
    };
    let (facts, source) = (facts(&e.summary), source(e));
    let body: String = parts.iter().map(Part::html).collect();
    format!(
        "<section id=\"{anchor}\" class=\"experiment\">\n<h2>{name}</h2>\n\
         <div class=\"question\">{question}</div>\n{facts}{source}{links}{body}</section>\n"
    )
}

/// A part of an experiment's section, which a link above leads to.
struct Part {
    id: String,
    title: &'static str,
    /// How many of what it holds there are.
    count: usize,
    body: String,
}

impl Part {
    fn link(&self) -> String {
        let Self {
            id, title, count, ..
        } = self;
        format!("<li><a href=\"#{id}\">{title}</a> <span class=\"count\">{count}</span></li>")
    }

    fn html(&self) -> String {
        let Self {
            id, title, body, ..
        } = self;
        // Short lists stand beside each other.
        let class = match *title {
            "Time" | "Environment" => "part half",
            _ => "part",
        };
        format!("<section class=\"{class}\" id=\"{id}\">\n<h3>{title}</h3>\n{body}</section>\n")
    }
}

/// The parts that hold anything, in the order of the page: the figures before the long table.
fn parts(e: &Experiment, anchor: &str) -> Vec<Part> {
    let figures: String = e.figures.iter().map(figure).collect();
    let parts = [
        (
            "Figures",
            e.figures.len(),
            format!("<div class=\"figures\">\n{figures}</div>\n"),
        ),
        ("Results", e.table.len(), results(&e.name, &e.table)),
        (
            "Settings",
            e.settings.len(),
            format!("<div class=\"settings\">{}</div>\n", pairs(&e.settings)),
        ),
        ("Time", e.timings.len(), pairs(&e.timings)),
        ("Environment", e.environment.len(), pairs(&e.environment)),
        (
            "Files",
            e.links.len(),
            format!("<ul class=\"files\">{}</ul>\n", links(&e.links)),
        ),
    ];
    let parts = parts.into_iter().filter(|(_, count, _)| *count > 0);
    parts
        .map(|(title, count, body)| Part {
            // No anchor of an experiment has an underscore.
            id: format!("{anchor}_{}", title.to_lowercase()),
            title,
            count,
            body,
        })
        .collect()
}

fn source(e: &Experiment) -> String {
    if e.source_line.is_empty() && e.sha256.is_empty() && !e.embedded {
        return String::new();
    }
    let (class, lead) = if e.embedded {
        (
            " embedded",
            "<strong>Embedded sample, not the full data set.</strong> ",
        )
    } else {
        ("", "")
    };
    let hash = match e.sha256.as_str() {
        "" => String::new(),
        hash => format!(
            "<br><span class=\"hash\">SHA-256 <code>{}</code></span>",
            escape(hash)
        ),
    };
    format!(
        "<p class=\"source{class}\">{lead}{}{hash}</p>\n",
        escape(&e.source_line)
    )
}

fn figure(f: &ReportFigure) -> String {
    let (uri, caption) = (f.image.data_uri(), escape(&f.caption));
    // A picture is shown at its nominal size, whatever number of pixels it has.
    let width = match f.image.width() {
        Some(width) => format!(" width=\"{}\"", width.round()),
        None => String::new(),
    };
    let class = if f.image.is_wide() {
        " class=\"wide\""
    } else {
        ""
    };
    let files = match links(&f.links) {
        list if list.is_empty() => list,
        list => format!("<ul class=\"files\">{list}</ul>"),
    };
    format!(
        "<figure{class}><button type=\"button\" class=\"zoom\" aria-label=\"Enlarge: {caption}\">\
         <img src=\"{uri}\"{width} alt=\"{caption}\"></button>\
         <figcaption>{caption}</figcaption>{files}</figure>\n"
    )
}

/// The items of a list of files.
fn links(links: &[(String, String)]) -> String {
    links
        .iter()
        .map(|(label, address)| {
            let (address, label) = (escape(&relative(address)), escape(label));
            format!("<li><a href=\"{address}\">{label}</a></li>")
        })
        .collect()
}

/// An address that can only mean a file beside the page: what looks like `scheme:`, an absolute
/// path or another host is taken as a name below the page's folder.
fn relative(address: &str) -> String {
    let address = address
        .trim_start_matches(|c: char| c == '/' || c == '\\' || c.is_whitespace() || c.is_control());
    let first = address.split(['/', '?', '#']).next().unwrap_or("");
    if first.contains(':') {
        format!("./{address}")
    } else {
        address.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::relative;

    #[test]
    fn addresses_stay_beside_the_page() {
        assert_eq!(
            relative("shallow-relu/results.json"),
            "shallow-relu/results.json"
        );
        assert_eq!(relative("javascript:alert(1)"), "./javascript:alert(1)");
        assert_eq!(relative(" \tjavascript:alert(1)"), "./javascript:alert(1)");
        assert_eq!(relative("//host/x"), "host/x");
        assert_eq!(relative("a/b:c"), "a/b:c");
    }
}
