//! The page's HTML.

use super::pairs::pairs;
use super::table::results;
use super::{Experiment, Report, ReportFigure};
use crate::svg::escape;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// Nothing is loaded, whatever the page holds.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
                      script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

pub(super) fn page(report: &Report) -> String {
    let title = escape(&report.title);
    let contents: String = report
        .experiments
        .iter()
        .enumerate()
        .map(|(i, e)| {
            format!(
                "<li><a href=\"#{}\">{}</a></li>",
                e.anchor(i),
                escape(&e.name)
            )
        })
        .collect();
    let contents = match report.experiments.len() {
        0 | 1 => String::new(),
        _ => format!("<nav aria-label=\"Experiments\"><ul>{contents}</ul></nav>\n"),
    };
    let intro: String = paragraphs(&report.intro);
    let environment = match pairs(&report.environment) {
        list if list.is_empty() => list,
        list => format!("<section id=\"environment\"><h2>Environment</h2>\n{list}</section>\n"),
    };
    let experiments: String = report
        .experiments
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
         {experiments}{environment}</main>\n\
         <dialog id=\"zoom\" aria-label=\"Figure, enlarged\">\
         <form method=\"dialog\"><button>Close</button></form><img alt=\"\"><p></p></dialog>\n\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    )
}

fn paragraphs(text: &str) -> String {
    let parts = text.split("\n\n").map(str::trim).filter(|p| !p.is_empty());
    parts.map(|p| format!("<p>{}</p>\n", escape(p))).collect()
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
    let source = source(e);
    let body: String = parts.iter().map(Part::html).collect();
    format!(
        "<section id=\"{anchor}\" class=\"experiment\">\n<h2>{name}</h2>\n\
         <div class=\"question\">{question}</div>\n{source}{links}{body}</section>\n"
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
            "Settings" | "Time" => "part half",
            _ => "part",
        };
        format!("<section class=\"{class}\" id=\"{id}\">\n<h3>{title}</h3>\n{body}</section>\n")
    }
}

/// The parts that hold anything, in the order of the page: the figures before the long table.
fn parts(e: &Experiment, anchor: &str) -> Vec<Part> {
    let figures: String = e.figures.iter().map(figure).collect();
    let links: String = e.links.iter().map(link).collect();
    let parts = [
        (
            "Figures",
            e.figures.len(),
            format!("<div class=\"figures\">\n{figures}</div>\n"),
        ),
        ("Results", e.table.len(), results(&e.table)),
        ("Settings", e.settings.len(), pairs(&e.settings)),
        ("Time", e.timings.len(), pairs(&e.timings)),
        (
            "Files",
            e.links.len(),
            format!("<ul class=\"files\">{links}</ul>\n"),
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
    format!(
        "<figure{class}><button type=\"button\" class=\"zoom\" aria-label=\"Enlarge: {caption}\">\
         <img src=\"{uri}\"{width} alt=\"{caption}\"></button><figcaption>{caption}</figcaption></figure>\n"
    )
}

fn link((label, address): &(String, String)) -> String {
    format!(
        "<li><a href=\"{}\">{}</a></li>",
        escape(&relative(address)),
        escape(label)
    )
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
